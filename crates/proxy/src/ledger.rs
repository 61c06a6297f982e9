//! What the server still owes the client, in order.
//!
//! One entry for each message that was sent upstream and will be answered, whether the client sent
//! it or we did (then its answer is swallowed). Replies are matched to the head. A pure state
//! machine: no I/O, no knowledge of what a statement means; `P` is the session's own business.
//! Rules from "Message Flow" and "Pipelining" in PostgreSQL's protocol chapter, and, for COPY, from
//! `CopyGetData` in `copyfromparse.c`: while a COPY reads from the client, Sync and Flush are
//! ignored and any other message is an error.
//!
//! Invariant: an entry leaves the ledger exactly when its last reply has been seen, or when the
//! server is known to skip it. A reply that fits no entry is a [`Desync`], which ends the session.

use std::collections::VecDeque;

/// Room for so many entries is kept, whatever once was in flight.
const MANY: usize = 64;

/// Rises by one with each entry of a session.
pub type Sequence = u64;

/// What kind of message an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Query,
    Parse,
    Bind,
    DescribeStatement,
    DescribePortal,
    Execute,
    Close,
    Sync,
    /// CopyDone or CopyFail that was sent before the server asked for the data; never answered.
    CopyEnd,
}

#[derive(Debug)]
pub struct Entry<P> {
    pub sequence: Sequence,
    pub kind: Kind,
    /// Ours: nothing of its answer reaches the client.
    pub swallow: bool,
    pub payload: P,
}

/// A message that does not fit what is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Desync {
    #[error("the server sent a message of type {:?} that nothing in flight explains", char::from(*.0))]
    Unexpected(u8),
    #[error("the client sent a message in the middle of COPY data")]
    DuringCopy,
}

/// What a reply means for the entry at the head.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// NoticeResponse, ParameterStatus or NotificationResponse: belongs to nothing in flight.
    Asynchronous,
    /// One of several for the head.
    Within,
    /// The last one: after handling it, call [`Ledger::pop`].
    Last,
    /// An error: after handling it, call [`Ledger::fail`].
    Error,
}

#[derive(Debug)]
pub struct Ledger<P> {
    entries: VecDeque<Entry<P>>,
    next: Sequence,
    /// An error was seen in the extended protocol and no Sync has been sent since.
    skipping: bool,
    /// The head reads COPY data from the client, which has not ended them yet.
    copying: bool,
    /// Syncs sent since `copying`: ignored by the server unless the COPY has already failed.
    ignored_syncs: usize,
}

impl<P> Default for Ledger<P> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), next: 1, skipping: false, copying: false, ignored_syncs: 0 }
    }
}

impl<P> Ledger<P> {
    /// Notes a message that is being sent upstream. None: the server will not answer it, so it is
    /// not in the ledger (a Sync in the middle of COPY data).
    pub fn sent(&mut self, kind: Kind, swallow: bool, payload: P) -> Result<Option<Sequence>, Desync> {
        if self.copying {
            match kind {
                Kind::Sync => {
                    self.ignored_syncs += 1;
                    return Ok(None);
                }
                Kind::CopyEnd => {
                    self.copying = false;
                    self.ignored_syncs = 0;
                    return Ok(None);
                }
                _ => return Err(Desync::DuringCopy),
            }
        }
        if kind == Kind::CopyEnd && self.entries.is_empty() {
            return Ok(None);
        }
        if kind == Kind::Sync {
            self.skipping = false;
        }
        let sequence = self.next;
        self.next += 1;
        self.entries.push_back(Entry { sequence, kind, swallow, payload });
        Ok(Some(sequence))
    }

    /// The newest entry takes so many sequences more: one for each statement of a Query.
    pub fn widen(&mut self, by: u64) {
        self.next += by;
    }

    /// A local error was sent for the head, which has left: the client expects that everything up
    /// to the next Sync is skipped.
    pub fn skip_to_sync(&mut self) {
        self.skipping = true;
    }

    /// The sequence that the next entry will get.
    pub fn upcoming(&self) -> Sequence {
        self.next
    }

    /// Is the server ignoring everything until the next Sync? Then messages need not be sent.
    pub fn skipping(&self) -> bool {
        self.skipping
    }

    /// How many statements and other messages have not been answered, roughly.
    pub fn in_flight(&self) -> u64 {
        let first = self.entries.front().filter(|_| !self.is_empty());
        first.map_or(0, |front| self.next - front.sequence)
    }

    /// Does the server wait for COPY data?
    pub fn copying(&self) -> bool {
        self.copying
    }

    pub fn is_empty(&self) -> bool {
        self.entries.iter().all(|entry| entry.kind == Kind::CopyEnd)
    }

    /// Has the entry of this sequence left the ledger?
    pub fn is_over(&self, sequence: Sequence) -> bool {
        self.entries.front().is_none_or(|front| front.sequence > sequence)
    }

    pub fn head(&self) -> Option<&Entry<P>> {
        self.entries.front()
    }

    pub fn head_mut(&mut self) -> Option<&mut Entry<P>> {
        self.entries.front_mut()
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry<P>> {
        self.entries.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry<P>> {
        self.entries.iter_mut()
    }

    /// Matches the type byte of a message from the server with the head.
    pub fn reply(&mut self, tag: u8) -> Result<Reply, Desync> {
        if matches!(tag, b'N' | b'S' | b'A') {
            return Ok(Reply::Asynchronous);
        }
        while self.entries.front().is_some_and(|head| head.kind == Kind::CopyEnd) {
            self.entries.pop_front();
        }
        let Some(head) = self.entries.front() else { return Err(Desync::Unexpected(tag)) };
        let reply = match (head.kind, tag) {
            (Kind::Query, b'Z') => Reply::Last,
            (_, b'E') => Reply::Error,
            (Kind::Query, b'T' | b'D' | b'C' | b'I' | b'H' | b'd' | b'c') => Reply::Within,
            (Kind::Query | Kind::Execute, b'G') => {
                self.copy_in_started()?;
                Reply::Within
            }
            (Kind::Parse, b'1') | (Kind::Bind, b'2') | (Kind::Close, b'3') | (Kind::Sync, b'Z') => {
                Reply::Last
            }
            (Kind::DescribeStatement, b't') => Reply::Within,
            (Kind::DescribeStatement | Kind::DescribePortal, b'T' | b'n') => Reply::Last,
            (Kind::Execute, b'D' | b'H' | b'd' | b'c') => Reply::Within,
            (Kind::Execute, b'C' | b's' | b'I') => Reply::Last,
            _ => return Err(Desync::Unexpected(tag)),
        };
        if tag == b'C' {
            self.copying = false;
            self.ignored_syncs = 0;
        }
        Ok(reply)
    }

    /// The server asks for COPY data: what was sent behind the head, up to the end of the data, is
    /// read as part of them.
    fn copy_in_started(&mut self) -> Result<(), Desync> {
        let mut ended = false;
        while let Some(entry) = self.entries.get(1) {
            match entry.kind {
                Kind::Sync => {}
                Kind::CopyEnd => ended = true,
                _ => return Err(Desync::DuringCopy),
            }
            self.entries.remove(1);
            if ended {
                break;
            }
        }
        self.copying = !ended;
        Ok(())
    }

    /// Takes out the head, which has had its last reply.
    pub fn pop(&mut self) -> Option<Entry<P>> {
        let head = self.entries.pop_front();
        if self.entries.is_empty() && self.entries.capacity() > MANY {
            self.entries = VecDeque::new();
        }
        head
    }

    /// The head failed. In the extended protocol it leaves, and so does everything that the server
    /// skips, up to the next Sync; they are returned in order, the failed one first. A simple Query
    /// stays until its ReadyForQuery: then nothing is returned.
    pub fn fail(&mut self) -> Result<Vec<Entry<P>>, Desync> {
        let undecided = self.ignored_syncs > 0;
        self.copying = false;
        self.ignored_syncs = 0;
        if undecided {
            return Err(Desync::DuringCopy);
        }
        if self.entries.front().is_none_or(|head| matches!(head.kind, Kind::Query | Kind::Sync)) {
            return Ok(Vec::new());
        }
        let until = self.entries.iter().position(|entry| entry.kind == Kind::Sync);
        self.skipping = until.is_none();
        Ok(self.entries.drain(..until.unwrap_or(self.entries.len())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a script: `>x` a message sent (`>!x` swallowed), `<x` a reply. Each reply notes what it
    /// meant and for which sequence; an error notes the sequences that left with it.
    fn run(script: &str) -> Vec<String> {
        let mut ledger = Ledger::<()>::default();
        let mut seen = Vec::new();
        for step in script.split_whitespace() {
            if let Some(sent) = step.strip_prefix('>') {
                let (swallow, name) = match sent.strip_prefix('!') {
                    Some(name) => (true, name),
                    None => (false, sent),
                };
                let kind = match name {
                    "Q" => Kind::Query,
                    "P" => Kind::Parse,
                    "B" => Kind::Bind,
                    "DS" => Kind::DescribeStatement,
                    "DP" => Kind::DescribePortal,
                    "E" => Kind::Execute,
                    "C" => Kind::Close,
                    "S" => Kind::Sync,
                    "c" => Kind::CopyEnd,
                    other => panic!("unknown message {other}"),
                };
                if ledger.skipping() && kind != Kind::Sync {
                    seen.push("skip".to_owned());
                    continue;
                }
                match ledger.sent(kind, swallow, ()) {
                    Ok(_) => {}
                    Err(error) => seen.push(format!("{error:?}")),
                }
                continue;
            }
            let tag = step.as_bytes()[1];
            match ledger.reply(tag) {
                Err(error) => seen.push(format!("{error:?}")),
                Ok(Reply::Asynchronous) => seen.push("async".to_owned()),
                Ok(Reply::Within) => seen.push(format!("{}+", ledger.head().unwrap().sequence)),
                Ok(Reply::Last) => {
                    let entry = ledger.pop().unwrap();
                    seen.push(format!("{}{}", entry.sequence, if entry.swallow { "!" } else { "." }));
                }
                Ok(Reply::Error) => match ledger.fail() {
                    Ok(gone) => seen.push(format!(
                        "E[{}]",
                        gone.iter().map(|entry| entry.sequence.to_string()).collect::<Vec<_>>().join(",")
                    )),
                    Err(error) => seen.push(format!("{error:?}")),
                },
            }
        }
        seen
    }

    #[test]
    fn replies_are_matched_in_order() {
        let cases: &[(&str, &str, &str)] = &[
            ("simple query", ">Q <T <D <D <C <Z", "1+ 1+ 1+ 1+ 1."),
            ("two queries in flight", ">Q >Q <C <Z <C <Z", "1+ 1. 2+ 2."),
            ("a query that fails stays until ReadyForQuery", ">Q <T <E <Z", "1+ E[] 1."),
            ("extended", ">P >B >DP >E >S <1 <2 <T <D <C <Z", "1. 2. 3. 4+ 4. 5."),
            ("row limit", ">B >E >S <2 <D <s <Z >E <D <C", "1. 2+ 2. 3. 4+ 4."),
            ("describe of a statement", ">P >DS >S <1 <t <n <Z", "1. 2+ 2. 3."),
            ("ours is swallowed", ">!C >!P >B >!DP >E >S <3 <1 <2 <T <C <Z", "1! 2! 3. 4! 5. 6."),
            ("an error skips to the Sync", ">P >B >E >S >P >S <E <Z <1 <Z", "E[1,2,3] 4. 5. 6."),
            ("an error in the second of three", ">P >B >E >B >E >S <1 <2 <E <Z", "1. 2. E[3,4,5] 6."),
            ("what follows an error is not sent", ">P <E >B >E >S <Z >Q <C <Z", "E[1] skip skip 2. 3+ 3."),
            ("a simple query is skipped too", ">P >Q >S <E <Z", "E[1,2] 3."),
            ("notices come at any time", "<N >Q <N <C <S <Z <A", "async async 1+ async 1. async"),
            (
                "flush without sync: replies arrive before any Sync",
                ">P >DS <1 <t <T >B >E <2 <D <C >S <Z",
                "1. 2+ 2. 3. 4+ 4. 5.",
            ),
            ("an unexpected reply is found", ">P <2", "Unexpected(50)"),
            ("a reply to nothing is found", "<C", "Unexpected(67)"),
            ("rows for a Parse are found", ">P >B <D", "Unexpected(68)"),
        ];
        for (name, script, expected) in cases {
            assert_eq!(run(script).join(" "), *expected, "{name}");
        }
    }

    #[test]
    fn copy_data_change_what_is_answered() {
        let cases: &[(&str, &str, &str)] = &[
            ("simple COPY in", ">Q <G >c <C <Z >Q <C <Z", "1+ 1+ 1. 2+ 2."),
            ("COPY out", ">Q <H <d <d <c <C <Z", "1+ 1+ 1+ 1+ 1+ 1."),
            (
                "extended COPY in: the Sync sent before the data is ignored",
                ">P >B >E >S <1 <2 <G >c >S <C <Z",
                "1. 2. 3+ 3. 5.",
            ),
            ("a Sync among the data is ignored", ">B >E <2 <G >S >c >S <C <Z", "1. 2+ 2. 3."),
            ("data sent before they were asked for", ">B >E >c >S <2 <G <C <Z", "1. 2+ 2. 4."),
            ("an end without a COPY is never answered", ">Q >c >Q <C <Z <C <Z", "1+ 1. 3+ 3."),
            ("the server fails mid-COPY", ">E <G <E >c >S <Z", "1+ E[1] skip 2."),
            ("the client fails the COPY", ">E <G >c >S <E <Z", "1+ E[1] 2."),
            ("another message among the data", ">E <G >P", "1+ DuringCopy"),
            ("another message sent before the data", ">E >P <G", "DuringCopy"),
            ("an error after an ignored Sync is undecidable", ">E <G >S <E", "1+ DuringCopy"),
            ("two COPYs in one query", ">Q <G >c <C <G >c <C <Z", "1+ 1+ 1+ 1+ 1."),
        ];
        for (name, script, expected) in cases {
            assert_eq!(run(script).join(" "), *expected, "{name}");
        }
    }

    #[test]
    fn what_is_over_is_known_by_sequence() {
        let mut ledger = Ledger::<()>::default();
        let first = ledger.sent(Kind::Parse, false, ()).unwrap().unwrap();
        let second = ledger.sent(Kind::Sync, false, ()).unwrap().unwrap();
        assert!(!ledger.is_over(first));
        ledger.reply(b'1').unwrap();
        ledger.pop();
        assert!(ledger.is_over(first) && !ledger.is_over(second));
    }
}
