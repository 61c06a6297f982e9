//! A store in memory, for tests: it forgets and fails as they say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::saving::lock;
use crate::store::{Change, Saved, Store, StoreError};
use crate::{Grant, GrantId, GrantState, Grounds, Request, RequestId, RequestState, Spent, WallMs};

/// What a test wants to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing of the commit is written.
    BeforeWrite,
    /// It is written but not synced: a crash may lose it or not.
    BeforeFlush,
}

/// For tests: loses everything at the end of the process, fails on demand. Clones are the same
/// store, opened again.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    inner: Arc<Mutex<Memory>>,
}

#[derive(Clone, Debug, Default)]
struct Memory {
    written: Tables,
    synced: Tables,
    failing: Option<Failure>,
    commits: usize,
}

#[derive(Clone, Debug, Default)]
struct Tables {
    grants: BTreeMap<GrantId, Grant>,
    requests: BTreeMap<RequestId, Request>,
    grounds: BTreeMap<RequestId, Arc<Grounds>>,
    spent: BTreeMap<GrantId, Spent>,
    seen: Option<WallMs>,
    last_grant: GrantId,
    last_request: RequestId,
}

impl Tables {
    fn grant(&self, id: GrantId) -> Option<Grant> {
        let mut grant = self.grants.get(&id)?.clone();
        grant.spent = self.spent.get(&id).copied().unwrap_or(grant.spent);
        Some(grant)
    }
}

impl MemoryStore {
    /// Every commit fails so from now on; None: they succeed again.
    pub fn fail(&self, failure: Option<Failure>) {
        lock(&self.inner).failing = failure;
    }

    /// The store as a new process finds it after a crash, with or without what was written but
    /// not synced.
    pub fn after_crash(&self, unsynced_survives: bool) -> MemoryStore {
        let memory = lock(&self.inner);
        let tables = if unsynced_survives { memory.written.clone() } else { memory.synced.clone() };
        let memory = Memory { written: tables.clone(), synced: tables, failing: None, commits: 0 };
        MemoryStore { inner: Arc::new(Mutex::new(memory)) }
    }

    /// How many commits succeeded.
    pub fn commits(&self) -> usize {
        lock(&self.inner).commits
    }
}

impl Store for MemoryStore {
    fn trim(&self, _keep: usize) -> Result<(), StoreError> {
        Ok(())
    }

    fn load(&self, history: usize) -> Result<Saved, StoreError> {
        let memory = lock(&self.inner);
        let tables = &memory.written;
        let all = tables.grants.keys().filter_map(|id| tables.grant(*id));
        let (live, mut ended): (Vec<Grant>, Vec<Grant>) =
            all.partition(|grant| !matches!(grant.state, GrantState::Ended(_)));
        let (pending, mut decided): (Vec<Request>, Vec<Request>) =
            tables.requests.values().cloned().partition(|request| request.state == RequestState::Pending);
        let unreviewed = ended.iter().filter(|grant| grant.is_unreviewed()).cloned().collect();
        ended.drain(..ended.len().saturating_sub(history));
        decided.drain(..decided.len().saturating_sub(history));
        Ok(Saved {
            last_grant: tables.last_grant,
            last_request: tables.last_request,
            seen: tables.seen,
            live,
            unreviewed,
            pending,
            ended,
            decided,
        })
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        let mut memory = lock(&self.inner);
        if memory.failing == Some(Failure::BeforeWrite) {
            return Err(StoreError::Broken("the test said so"));
        }
        for change in changes {
            let tables = &mut memory.written;
            match change {
                Change::Grant(grant) => {
                    tables.last_grant = tables.last_grant.max(grant.id);
                    tables.grants.insert(grant.id, Grant::clone(grant));
                }
                Change::Request(request) => {
                    tables.last_request = tables.last_request.max(request.id);
                    tables.requests.insert(request.id, Request::clone(request));
                }
                Change::Spent(id, spent) => {
                    tables.spent.insert(*id, *spent);
                }
                Change::Grounds(id, grounds) => {
                    tables.grounds.insert(*id, grounds.clone());
                }
                Change::Seen(at) => tables.seen = Some(*at),
            }
        }
        if memory.failing == Some(Failure::BeforeFlush) {
            return Err(StoreError::Broken("the test said so"));
        }
        memory.synced = memory.written.clone();
        memory.commits += 1;
        Ok(())
    }

    fn grant(&self, id: GrantId) -> Result<Option<Grant>, StoreError> {
        Ok(lock(&self.inner).written.grant(id))
    }

    fn request(&self, id: RequestId) -> Result<Option<Request>, StoreError> {
        Ok(lock(&self.inner).written.requests.get(&id).cloned())
    }

    fn grounds(&self, id: RequestId) -> Result<Option<Grounds>, StoreError> {
        Ok(lock(&self.inner).written.grounds.get(&id).map(|grounds| Grounds::clone(grounds)))
    }
}
