//! Walking the chain.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::chain::{Block, Hash, Head};
use crate::error::Error;
use crate::record::{Phase, Record, rfc3339};
use crate::store::BlockStore;

/// Problems and open intents past these are counted, not listed.
const LISTED_PROBLEMS: usize = 100;
const LISTED_INTENTS: usize = 1000;

/// What was found. Intact if there are no problems.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Blocks and records that are as they were written.
    pub blocks: u64,
    pub records: u64,
    /// Of the earliest and the latest record, µs.
    #[serde(with = "crate::record::rfc3339_option")]
    pub first_time: Option<i64>,
    #[serde(with = "crate::record::rfc3339_option")]
    pub last_time: Option<i64>,
    /// The last block that is as it was written: keep its hash elsewhere, for `--expect-head`.
    pub head: Option<Head>,
    /// How many records are earlier than the one before them. That is no fault: an outcome bears
    /// the time when its statement began, and clocks are set.
    pub earlier_than_before: u64,
    /// Intents whose outcome is missing: the statement is under way, or the proxy was killed.
    pub open_intents: Vec<OpenIntent>,
    pub open_intents_total: u64,
    /// In the order of the chain; the first one is where it breaks.
    pub problems: Vec<Problem>,
    pub problems_total: u64,
}

impl Report {
    pub fn is_intact(&self) -> bool {
        self.problems_total == 0
    }
}

/// An intent whose outcome is missing; raw data may have passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenIntent {
    pub seq: u64,
    /// µs
    #[serde(with = "crate::record::rfc3339")]
    pub at: i64,
    pub session: u64,
    pub user: String,
    pub database: String,
    pub raw: Vec<String>,
}

/// One break of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Number of the block where it shows.
    pub block: u64,
    /// Sequence number of the record where it shows, or of the first of the block, as far as
    /// that can be known.
    pub seq: Option<u64>,
    pub fault: Fault,
    /// In words.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "block {}", self.block)?;
        if let Some(seq) = self.seq {
            write!(formatter, ", record {seq}")?;
        }
        write!(formatter, ": {}", self.detail)
    }
}

/// What sort of break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A block's bytes were changed.
    Damaged,
    /// One or more blocks are gone.
    Missing,
    /// A block, unchanged in itself, is not the one that was written at this place.
    Misplaced,
    /// A block does not follow the one before it.
    Unlinked,
    /// Sequence numbers have a gap or repeat.
    Sequence,
    /// A record is later than its block says it can be.
    Time,
    /// The stored head is not the end of the chain.
    Head,
    /// The expected head is nowhere in the chain: it was cut off before it, or rewritten.
    ExpectedHead,
}

/// Walks the chain from block 0 to the stored head: every hash, every link, every sequence number.
///
/// `expected` is the hash of a head that somebody kept; it must be in the chain. Without one, the
/// removal of the last blocks together with the head cannot be told from a shorter trail.
///
/// Blocks that are written meanwhile are read too, or not. Memory does not grow with the trail,
/// only with the number of intents that are open at one time.
pub fn verify(store: &dyn BlockStore, expected: Option<Hash>) -> Result<Report, Error> {
    let mut walk = Walk { expected, ..Walk::default() };
    let mut number = 0;
    loop {
        while let Some(found) = store.next(number)? {
            if found > number {
                walk.missing(number, found);
            }
            match store.block(found)? {
                Some(bytes) => walk.block(found, &bytes),
                None => walk.missing(found, found.saturating_add(1)),
            }
            number = found.saturating_add(1);
            if found == u64::MAX {
                break;
            }
        }
        let head = store.head()?.map(|bytes| Head::from_bytes(&bytes));
        // Blocks and head change together, but are not read together: has a writer gone on?
        let gone_on = head.flatten().is_some_and(|head| head.block >= number);
        if number == u64::MAX || !gone_on || store.next(number)?.is_none() {
            walk.end(number, head);
            return Ok(walk.report());
        }
    }
}

#[derive(Default)]
struct Walk {
    expected: Option<Hash>,
    report: Report,
    /// The block before, as long as the chain is unbroken up to it.
    before: Option<Head>,
    broken: bool,
    expected_seen: bool,
    last_at: Option<i64>,
    intents: BTreeMap<u64, OpenIntent>,
}

impl Walk {
    fn block(&mut self, number: u64, bytes: &[u8]) {
        let block = match Block::read(bytes) {
            Ok(block) => block,
            Err(damage) => {
                let seq = self.before.map(|head| head.seq.saturating_add(1));
                return self.broken_at(number, seq, Fault::Damaged, damage.to_string());
            }
        };
        if block.number != number {
            let detail = format!("it holds block {}", block.number);
            return self.broken_at(number, Some(block.first_seq), Fault::Misplaced, detail);
        }
        // After a break, the chain is taken up again with whatever comes.
        if !self.broken {
            let (previous, next_seq) =
                self.before.map_or((Hash::NONE, 1), |head| (head.hash, head.seq.saturating_add(1)));
            if block.previous != previous {
                let detail = format!(
                    "it follows a block of hash {}, and the one before it has {previous}",
                    block.previous
                );
                self.problem(number, Some(block.first_seq), Fault::Unlinked, detail);
            } else if block.first_seq != next_seq {
                let detail = format!("record {next_seq} should come next");
                self.problem(number, Some(block.first_seq), Fault::Sequence, detail);
            }
        }
        let records = match block.records() {
            Ok(records) => records,
            Err(damage) => {
                return self.broken_at(number, Some(block.first_seq), Fault::Damaged, damage.to_string());
            }
        };
        for record in &records {
            if record.at > block.time {
                let detail = format!(
                    "its time is {}, and its block is of {}",
                    rfc3339(record.at),
                    rfc3339(block.time)
                );
                self.problem(number, Some(record.seq), Fault::Time, detail);
            }
            self.record(record);
        }
        self.broken = false;
        self.before = Some(block.head());
        self.expected_seen |= self.expected == Some(block.hash);
        self.report.blocks += 1;
        self.report.head = self.before;
    }

    fn record(&mut self, record: &Record) {
        let report = &mut self.report;
        report.records += 1;
        report.earlier_than_before += u64::from(self.last_at.is_some_and(|last| record.at < last));
        self.last_at = Some(record.at);
        report.first_time = Some(report.first_time.map_or(record.at, |first| first.min(record.at)));
        report.last_time = report.last_time.max(Some(record.at));
        match (record.phase, record.intent_of) {
            (Phase::Intent, _) => {
                self.intents.insert(
                    record.seq,
                    OpenIntent {
                        seq: record.seq,
                        at: record.at,
                        session: record.session,
                        user: record.user.to_string(),
                        database: record.database.to_string(),
                        raw: record.raw.clone(),
                    },
                );
            }
            (Phase::Outcome, Some(intent)) => {
                self.intents.remove(&intent);
            }
            (Phase::Outcome, None) => {}
        }
    }

    fn missing(&mut self, from: u64, to: u64) {
        let detail = match to - from {
            1 => "it is gone".to_owned(),
            count => format!("it and the {} after it are gone", count - 1),
        };
        let seq = self.before.map(|head| head.seq.saturating_add(1));
        self.broken_at(from, seq, Fault::Missing, detail);
    }

    fn end(&mut self, end: u64, stored: Option<Option<Head>>) {
        let last = end.saturating_sub(1);
        match stored {
            None if end == 0 => {}
            None => self.problem(
                last,
                None,
                Fault::Head,
                "it is the last block, and no head is stored".to_owned(),
            ),
            Some(None) => self.problem(last, None, Fault::Head, "the stored head is unreadable".to_owned()),
            Some(Some(head)) if head.block >= end => {
                let seq = self.before.map(|head| head.seq.saturating_add(1));
                let detail =
                    format!("it and everything up to block {}, record {}, is gone", head.block, head.seq);
                self.problem(end, seq, Fault::Missing, detail);
            }
            Some(Some(head)) => {
                let matches = self.before.is_some_and(|last| {
                    (last.block, last.seq, last.hash) == (head.block, head.seq, head.hash)
                });
                // A damaged last block has been reported already.
                if !matches && !self.broken {
                    let detail = format!(
                        "the stored head is block {}, record {}, hash {}",
                        head.block, head.seq, head.hash
                    );
                    self.problem(last, None, Fault::Head, detail);
                }
            }
        }
        if let Some(expected) = self.expected
            && !self.expected_seen
        {
            let detail = format!("no block up to this one has the expected hash {expected}");
            self.problem(last, None, Fault::ExpectedHead, detail);
        }
    }

    fn broken_at(&mut self, block: u64, seq: Option<u64>, fault: Fault, detail: String) {
        self.problem(block, seq, fault, detail);
        self.broken = true;
        self.before = None;
    }

    fn problem(&mut self, block: u64, seq: Option<u64>, fault: Fault, detail: String) {
        self.report.problems_total += 1;
        if self.report.problems.len() < LISTED_PROBLEMS {
            self.report.problems.push(Problem { block, seq, fault, detail });
        }
    }

    fn report(mut self) -> Report {
        self.report.open_intents_total = self.intents.len() as u64;
        self.report.open_intents = self.intents.into_values().take(LISTED_INTENTS).collect();
        self.report
    }
}
