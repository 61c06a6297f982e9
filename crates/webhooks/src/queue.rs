//! What waits to be told, and what was told of each request and grant: one tree of sled, so that both
//! change together.
//!
//! Nothing here is synced by itself: what a crash or a loss of power takes away is found again in the
//! records of requests and grants, which are on disk before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pgwarrant_grants::WallMs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::happened::Happened;
use crate::settings::MAX_WAITING;

// Keys: one letter, and what it is about; numbers are big-endian, so that they sort.
const TOLD: u8 = b't';
const WAITING: u8 = b'w';
/// Somebody was to be told when this was last open. Without it, what is on record is old.
const FOLLOWED: &[u8] = b"m/followed";
/// The random part of ids.
const STORE: &[u8] = b"m/store";
/// The highest numbers of what was told in full and is not listed any more.
const FORGOTTEN: &[u8] = b"m/forgotten";

#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error("the queue of webhooks failed: {0}")]
    Sled(#[from] sled::Error),
    #[error("an entry of the queue of webhooks is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    #[error("the system has no random numbers: {0}")]
    Random(getrandom::Error),
    #[error("{0}")]
    Grants(String),
}

/// A request or a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Request(u64),
    Grant(u64),
}

impl Subject {
    fn key(self) -> [u8; 10] {
        let (kind, number) = match self {
            Subject::Request(number) => (b'r', number),
            Subject::Grant(number) => (b'g', number),
        };
        let mut key = [TOLD; 10];
        key[1] = kind;
        key[2..].copy_from_slice(&number.to_be_bytes());
        key
    }

    fn read(key: &[u8]) -> Option<Self> {
        let (head, number) = key.split_first_chunk::<2>()?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        match head {
            [TOLD, b'r'] => Some(Subject::Request(number)),
            [TOLD, b'g'] => Some(Subject::Grant(number)),
            _ => None,
        }
    }
}

/// The steps of one life that were told, by name.
pub type Told = BTreeSet<String>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    pub request: u64,
    pub grant: u64,
}

/// One message that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub since: WallMs,
    pub happened: Happened,
}

/// Where a message is among those of its webhook.
pub type Place = u64;

/// What a batch changes.
#[derive(Debug, Default)]
pub struct Changes {
    pub told: BTreeMap<Subject, Told>,
    pub forgotten: Option<(Forgotten, Vec<Subject>)>,
    /// For which webhook, by index.
    pub messages: Vec<(usize, Message)>,
}

#[derive(Debug)]
pub struct Queue {
    tree: sled::Tree,
    lines: Vec<Line>,
    next: Mutex<Place>,
}

/// What waits for one webhook.
#[derive(Debug)]
struct Line {
    prefix: Vec<u8>,
    /// Places with their lanes.
    waiting: Mutex<BTreeMap<Place, u64>>,
    /// Something came.
    came: Notify,
}

impl Line {
    fn key(&self, place: Place) -> Vec<u8> {
        [&self.prefix[..], &place.to_be_bytes()].concat()
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<Place, u64>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn prefix(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    [&[WAITING, length], name.as_bytes()].concat()
}

impl Queue {
    /// Takes up what waited when the process before ended, for webhooks that are still there; and says
    /// how many messages are gone: they waited for others, or cannot be read.
    pub fn open(db: &sled::Db, names: &[&str]) -> Result<(Self, usize), QueueError> {
        let tree = db.open_tree("webhooks")?;
        let mut lines = Vec::new();
        let (mut last, mut gone) = (0, 0);
        for name in names {
            let prefix = prefix(name);
            let mut waiting = BTreeMap::new();
            for entry in tree.scan_prefix(&prefix) {
                let (key, value) = entry?;
                let Some(place) = key.get(prefix.len()..).and_then(|place| place.try_into().ok()) else {
                    continue;
                };
                let place = u64::from_be_bytes(place);
                last = last.max(place);
                match decode::<Message>(&value) {
                    Ok(message) => _ = waiting.insert(place, message.happened.lane),
                    Err(_) => {
                        tree.remove(key)?;
                        gone += 1;
                    }
                }
            }
            lines.push(Line { prefix, waiting: Mutex::new(waiting), came: Notify::new() });
        }
        for key in tree.scan_prefix([WAITING]).keys() {
            let key = key?;
            if !lines.iter().any(|line| key.starts_with(&line.prefix)) {
                tree.remove(key)?;
                gone += 1;
            }
        }
        Ok((Self { tree, lines, next: Mutex::new(last + 1) }, gone))
    }

    /// Nobody is to be told of anything, so what happens meanwhile will be nobody's news either.
    pub fn give_up(db: &sled::Db) -> Result<(), QueueError> {
        let tree = db.open_tree("webhooks")?;
        tree.remove(FOLLOWED)?;
        for entry in tree.scan_prefix([TOLD]).chain(tree.scan_prefix([WAITING])) {
            tree.remove(entry?.0)?;
        }
        Ok(())
    }

    /// The same as long as the store lives: a random number in hexadecimal.
    pub fn store(&self) -> Result<String, QueueError> {
        if let Some(known) = self.tree.get(STORE)? {
            return decode(&known);
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(QueueError::Random)?;
        let made: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        self.tree.insert(STORE, serde_json::to_vec(&made)?)?;
        Ok(made)
    }

    pub fn was_followed(&self) -> Result<bool, QueueError> {
        Ok(self.tree.contains_key(FOLLOWED)?)
    }

    pub fn told(&self) -> Result<BTreeMap<Subject, Told>, QueueError> {
        let mut told = BTreeMap::new();
        for entry in self.tree.scan_prefix([TOLD]) {
            let (key, value) = entry?;
            if let Some(subject) = Subject::read(&key) {
                told.insert(subject, decode(&value)?);
            }
        }
        Ok(told)
    }

    pub fn forgotten(&self) -> Result<Forgotten, QueueError> {
        self.tree.get(FORGOTTEN)?.map_or_else(|| Ok(Forgotten::default()), |value| decode(&value))
    }

    /// All of it or nothing. For each webhook, how many of its oldest messages had to make room.
    pub fn change(&self, changes: &Changes) -> Result<Vec<usize>, QueueError> {
        let mut batch = sled::Batch::default();
        batch.insert(FOLLOWED, Vec::new());
        for (subject, told) in &changes.told {
            batch.insert(&subject.key(), serde_json::to_vec(told)?);
        }
        if let Some((forgotten, subjects)) = &changes.forgotten {
            batch.insert(FORGOTTEN, serde_json::to_vec(forgotten)?);
            subjects.iter().for_each(|subject| batch.remove(&subject.key()));
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut came: Vec<BTreeMap<Place, u64>> = vec![BTreeMap::new(); self.lines.len()];
        for (webhook, message) in &changes.messages {
            let (Some(line), Some(came)) = (self.lines.get(*webhook), came.get_mut(*webhook)) else {
                continue;
            };
            batch.insert(line.key(*next), serde_json::to_vec(message)?);
            came.insert(*next, message.happened.lane);
            *next += 1;
        }
        self.tree.apply_batch(batch)?;
        let mut dropped = Vec::new();
        for (line, came) in self.lines.iter().zip(came) {
            let excess = {
                let mut waiting = line.waiting();
                waiting.extend(came);
                let excess = waiting.len().saturating_sub(MAX_WAITING);
                let oldest: Vec<Place> = waiting.keys().take(excess).copied().collect();
                oldest.iter().for_each(|place| _ = waiting.remove(place));
                oldest
            };
            for place in &excess {
                self.tree.remove(line.key(*place))?;
            }
            line.came.notify_one();
            dropped.push(excess.len());
        }
        Ok(dropped)
    }

    /// What waits behind this place, with its lane.
    pub fn after(&self, webhook: usize, place: Place) -> Vec<(Place, u64)> {
        let Some(line) = self.lines.get(webhook) else { return Vec::new() };
        line.waiting().range(place + 1..).map(|(place, lane)| (*place, *lane)).collect()
    }

    /// Something may have come since the last time. May be dropped while it waits.
    pub async fn came(&self, webhook: usize) {
        match self.lines.get(webhook) {
            Some(line) => line.came.notified().await,
            None => std::future::pending().await,
        }
    }

    pub fn count(&self, webhook: usize) -> usize {
        self.lines.get(webhook).map_or(0, |line| line.waiting().len())
    }

    /// None: it had to make room.
    pub fn message(&self, webhook: usize, place: Place) -> Result<Option<Message>, QueueError> {
        let Some(line) = self.lines.get(webhook) else { return Ok(None) };
        self.tree.get(line.key(place))?.map(|value| decode(&value)).transpose()
    }

    pub fn remove(&self, webhook: usize, place: Place) -> Result<(), QueueError> {
        let Some(line) = self.lines.get(webhook) else { return Ok(()) };
        line.waiting().remove(&place);
        self.tree.remove(line.key(place))?;
        Ok(())
    }
}

fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, QueueError> {
    Ok(serde_json::from_slice(value)?)
}
