//! The durable copy: one small trait, on sled for the product, in memory for tests.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::saving::lock;
use crate::{Grant, GrantId, GrantState, Grounds, Request, RequestId, RequestState, Spent, WallMs};

pub use crate::memory::{Failure, MemoryStore};

/// One record of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Request(Arc<Request>),
    Grant(Arc<Grant>),
    /// A grant's counters; kept apart from the grant so that neither write undoes the other.
    Spent(GrantId, Spent),
    /// What a request was ruled on; never changes.
    Grounds(RequestId, Arc<Grounds>),
    /// The anchored time at which this process last looked.
    Seen(WallMs),
}

/// What a restart finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Highest numbers ever given, also to what history has forgotten.
    pub last_grant: GrantId,
    pub last_request: RequestId,
    pub seen: Option<WallMs>,
    /// Recorded as live or scheduled, counters filled in, in ascending order.
    pub live: Vec<Grant>,
    /// Ended, and their review is open.
    pub unreviewed: Vec<Grant>,
    pub pending: Vec<Request>,
    /// The most recent ones by number, in ascending order.
    pub ended: Vec<Grant>,
    pub decided: Vec<Request>,
}

/// Why the store failed; for the log, never for a client.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("grant store: {0}")]
    Sled(#[from] sled::Error),
    #[error("grant store: {0}")]
    Io(#[from] std::io::Error),
    #[error("grant store: record {key}: {source}")]
    Record { key: String, source: serde_json::Error },
    #[error("grant store: {0}")]
    Broken(&'static str),
}

pub trait Store: Send + Sync + 'static {
    /// Reads what is live, scheduled, unreviewed and pending, and the `history` most recent others.
    fn load(&self, history: usize) -> Result<Saved, StoreError>;

    /// Removes all others, but for the `keep` most recent.
    fn trim(&self, keep: usize) -> Result<(), StoreError>;

    /// All of `changes` or none; durable (through a loss of power too) once it returns. After an
    /// error nothing is known: a later commit may carry them to the disk.
    fn commit(&self, changes: &[Change]) -> Result<(), StoreError>;

    fn grant(&self, id: GrantId) -> Result<Option<Grant>, StoreError>;
    fn request(&self, id: RequestId) -> Result<Option<Request>, StoreError>;
    fn grounds(&self, id: RequestId) -> Result<Option<Grounds>, StoreError>;
}

// Keys: one letter and the number, big-endian, so that they sort by number. `o`, `p` and `v` mark
// what is open, so that a start need not read the history.
const GRANT: u8 = b'g';
const REQUEST: u8 = b'r';
const SPENT: u8 = b's';
const GROUNDS: u8 = b'f';
const OPEN_GRANT: u8 = b'o';
const OPEN_REVIEW: u8 = b'v';
const PENDING_REQUEST: u8 = b'p';
const SEEN: &[u8] = b"m/seen";
const LAST_GRANT: &[u8] = b"m/grant";
const LAST_REQUEST: &[u8] = b"m/request";

fn key(kind: u8, id: u64) -> [u8; 9] {
    let mut key = [kind; 9];
    key[1..].copy_from_slice(&id.to_be_bytes());
    key
}

fn id_of(key: &[u8]) -> Result<u64, StoreError> {
    match key {
        [_, id @ ..] => {
            id.try_into().map(u64::from_be_bytes).map_err(|_| StoreError::Broken("a key is damaged"))
        }
        [] => Err(StoreError::Broken("a key is damaged")),
    }
}

fn encode<T: Serialize>(key: &[u8], record: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(record)
        .map_err(|source| StoreError::Record { key: key.escape_ascii().to_string(), source })
}

fn decode<T: DeserializeOwned>(key: &[u8], record: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(record)
        .map_err(|source| StoreError::Record { key: key.escape_ascii().to_string(), source })
}

/// In a tree of its own of a sled database that others may share.
pub struct SledStore {
    db: sled::Db,
    tree: sled::Tree,
    /// sled's flush does not wait for the disk on Linux (it uses `sync_file_range`), so the file
    /// is synced through a second handle.
    file: File,
    /// Highest numbers in the store; the lock also keeps commits from overtaking each other.
    last: Mutex<(GrantId, RequestId)>,
}

impl SledStore {
    /// `directory` is the one that `db` was opened with.
    pub fn open(db: &sled::Db, directory: &Path) -> Result<Self, StoreError> {
        let tree = db.open_tree("grants")?;
        db.flush()?;
        let file = File::open(directory.join("db"))?;
        File::open(directory)?.sync_all()?;
        let last = |key: &[u8]| -> Result<u64, StoreError> {
            tree.get(key)?.map_or(Ok(0), |record| decode(key, &record))
        };
        let last = Mutex::new((last(LAST_GRANT)?, last(LAST_REQUEST)?));
        Ok(Self { db: db.clone(), tree, file, last })
    }

    fn read<T: DeserializeOwned>(&self, kind: u8, id: u64) -> Result<Option<T>, StoreError> {
        let key = key(kind, id);
        self.tree.get(key)?.map(|record| decode(&key, &record)).transpose()
    }

    fn full_grant(&self, id: GrantId) -> Result<Option<Grant>, StoreError> {
        let Some(mut grant) = self.read::<Grant>(GRANT, id)? else { return Ok(None) };
        if let Some(spent) = self.read(SPENT, id)? {
            grant.spent = spent;
        }
        Ok(Some(grant))
    }

    fn ids(&self, kind: u8) -> Result<Vec<u64>, StoreError> {
        self.tree.scan_prefix([kind]).keys().map(|key| id_of(&key?)).collect()
    }

    /// Numbers of the records of a kind that are not marked open, the most recent first.
    fn closed(&self, kind: u8, open: u8) -> impl Iterator<Item = Result<u64, StoreError>> {
        let numbers = self.tree.scan_prefix([kind]).keys().rev().map(|key| id_of(&key?));
        numbers.filter_map(move |id| {
            let is_open = id.and_then(|id| Ok((id, self.tree.contains_key(key(open, id))?)));
            is_open.map(|(id, is_open)| (!is_open).then_some(id)).transpose()
        })
    }

    /// Numbers of ended grants.
    fn unreviewed(&self) -> Result<Vec<u64>, StoreError> {
        let ids = self.ids(OPEN_REVIEW)?.into_iter();
        ids.filter_map(|id| match self.tree.contains_key(key(OPEN_GRANT, id)) {
            Ok(open) => (!open).then_some(Ok(id)),
            Err(error) => Some(Err(error.into())),
        })
        .collect()
    }

    fn recent(&self, kind: u8, open: u8, history: usize) -> Result<Vec<u64>, StoreError> {
        let mut recent = self.closed(kind, open).take(history).collect::<Result<Vec<u64>, _>>()?;
        recent.reverse();
        Ok(recent)
    }
}

impl Store for SledStore {
    fn load(&self, history: usize) -> Result<Saved, StoreError> {
        let (last_grant, last_request) = *lock(&self.last);
        let grants = |ids: Vec<u64>| -> Result<Vec<Grant>, StoreError> {
            ids.into_iter().filter_map(|id| self.full_grant(id).transpose()).collect()
        };
        let requests = |ids: Vec<u64>| -> Result<Vec<Request>, StoreError> {
            ids.into_iter().filter_map(|id| self.read(REQUEST, id).transpose()).collect()
        };
        Ok(Saved {
            last_grant,
            last_request,
            seen: self.tree.get(SEEN)?.map(|record| decode(SEEN, &record)).transpose()?,
            live: grants(self.ids(OPEN_GRANT)?)?,
            unreviewed: grants(self.unreviewed()?)?,
            pending: requests(self.ids(PENDING_REQUEST)?)?,
            ended: grants(self.recent(GRANT, OPEN_GRANT, history)?)?,
            decided: requests(self.recent(REQUEST, PENDING_REQUEST, history)?)?,
        })
    }

    fn trim(&self, keep: usize) -> Result<(), StoreError> {
        for id in self.closed(REQUEST, PENDING_REQUEST).skip(keep) {
            let id = id?;
            self.tree.remove(key(REQUEST, id))?;
            self.tree.remove(key(GROUNDS, id))?;
        }
        for id in self.closed(GRANT, OPEN_GRANT).skip(keep) {
            let id = id?;
            if self.tree.contains_key(key(OPEN_REVIEW, id))? {
                continue;
            }
            self.tree.remove(key(GRANT, id))?;
            self.tree.remove(key(SPENT, id))?;
        }
        Ok(())
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        let mut last = lock(&self.last);
        let mut batch = sled::Batch::default();
        let mut put = |key: &[u8], record: Vec<u8>| batch.insert(key, record);
        let mut closed: Vec<[u8; 9]> = Vec::new();
        for change in changes {
            match change {
                Change::Grant(grant) => {
                    let record = key(GRANT, grant.id);
                    put(&record, encode(&record, &**grant)?);
                    last.0 = last.0.max(grant.id);
                    match grant.state {
                        GrantState::Scheduled | GrantState::Live => {
                            put(&key(OPEN_GRANT, grant.id), Vec::new());
                        }
                        GrantState::Ended(_) => closed.push(key(OPEN_GRANT, grant.id)),
                    }
                    match grant.is_unreviewed() {
                        true => put(&key(OPEN_REVIEW, grant.id), Vec::new()),
                        false => closed.push(key(OPEN_REVIEW, grant.id)),
                    }
                }
                Change::Request(request) => {
                    let record = key(REQUEST, request.id);
                    put(&record, encode(&record, &**request)?);
                    last.1 = last.1.max(request.id);
                    match request.state {
                        RequestState::Pending => put(&key(PENDING_REQUEST, request.id), Vec::new()),
                        _ => closed.push(key(PENDING_REQUEST, request.id)),
                    }
                }
                Change::Spent(id, spent) => {
                    let record = key(SPENT, *id);
                    put(&record, encode(&record, spent)?);
                }
                Change::Grounds(id, grounds) => {
                    let record = key(GROUNDS, *id);
                    put(&record, encode(&record, &**grounds)?);
                }
                Change::Seen(at) => put(SEEN, encode(SEEN, at)?),
            }
        }
        put(LAST_GRANT, encode(LAST_GRANT, &last.0)?);
        put(LAST_REQUEST, encode(LAST_REQUEST, &last.1)?);
        for mark in closed {
            batch.remove(&mark);
        }
        self.tree.apply_batch(batch)?;
        self.db.flush()?;
        self.file.sync_data()?;
        Ok(())
    }

    fn grant(&self, id: GrantId) -> Result<Option<Grant>, StoreError> {
        self.full_grant(id)
    }

    fn request(&self, id: RequestId) -> Result<Option<Request>, StoreError> {
        self.read(REQUEST, id)
    }

    fn grounds(&self, id: RequestId) -> Result<Option<Grounds>, StoreError> {
        self.read(GROUNDS, id)
    }
}
