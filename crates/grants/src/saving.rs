//! Changes on their way to the store.
//!
//! What takes access away is queued here at the moment it takes effect and written soon after;
//! what gives access is written first, together with the queue. One commit at a time, so that
//! records reach the store in the order in which they came about; those who wait for the disk
//! find their change written by whoever went before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::store::{Change, Store, StoreError};
use crate::{Error, Grant, GrantId, GrantState, Kind, Request, RequestId, Spent, WallMs};

/// A panic elsewhere must not take the locks of every session with it; what they guard is
/// consistent after each statement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}
pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Saving {
    store: Box<dyn Store>,
    disk: Mutex<()>,
    /// One newest record a subject, so bounded by the numbers of live grants and open requests.
    unsaved: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    grants: BTreeMap<GrantId, Arc<Grant>>,
    requests: BTreeMap<RequestId, Arc<Request>>,
    spent: BTreeMap<GrantId, Spent>,
}

fn has_ended(grant: &Grant) -> bool {
    matches!(grant.state, GrantState::Ended(_))
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.grants.is_empty() && self.requests.is_empty() && self.spent.is_empty()
    }

    /// Would `change` bring a grant back to life that has ended meanwhile?
    fn overrules(&self, change: &Change) -> bool {
        let Change::Grant(grant) = change else { return false };
        !has_ended(grant) && self.grants.get(&grant.id).is_some_and(|known| has_ended(known))
    }

    fn put(&mut self, change: Change) {
        if self.overrules(&change) {
            return;
        }
        match change {
            Change::Grant(grant) => _ = self.grants.insert(grant.id, grant),
            Change::Request(request) => _ = self.requests.insert(request.id, request),
            Change::Spent(id, spent) => _ = self.spent.insert(id, spent),
            Change::Grounds(..) | Change::Seen(_) => {}
        }
    }

    fn changes(&self) -> Vec<Change> {
        let grants = self.grants.values().cloned().map(Change::Grant);
        let requests = self.requests.values().cloned().map(Change::Request);
        let spent = self.spent.iter().map(|(id, spent)| Change::Spent(*id, *spent));
        grants.chain(requests).chain(spent).collect()
    }

    /// What came in meanwhile is newer and wins.
    fn put_back(&mut self, older: Queue) {
        let newer = std::mem::replace(self, older);
        newer.changes().into_iter().for_each(|change| self.put(change));
    }
}

impl Saving {
    pub(crate) fn new(store: impl Store) -> Self {
        Self { store: Box::new(store), disk: Mutex::default(), unsaved: Mutex::default() }
    }

    /// Queues a change that has taken effect.
    pub(crate) fn later(&self, change: Change) {
        lock(&self.unsaved).put(change);
    }

    pub(crate) fn all_saved(&self) -> bool {
        lock(&self.unsaved).is_empty()
    }

    /// Returns when everything queued so far is on disk.
    pub(crate) fn save(&self, now: WallMs) -> Result<(), Error> {
        self.commit(now, &[], Vec::new())
    }

    /// Returns when the queue and `give` are on disk. On an error `undo` is queued: what `give`
    /// said may come to be on disk all the same.
    pub(crate) fn commit(&self, now: WallMs, give: &[Change], undo: Vec<Change>) -> Result<(), Error> {
        let _disk = lock(&self.disk);
        self.write(now, give, undo)
    }

    /// As [`Self::commit`], for what depends on what is on disk: nothing else is written between
    /// `make`, which says what to write, and `done`, which hears of it once it is written.
    pub(crate) fn commit_next(
        &self,
        now: WallMs,
        make: impl FnOnce() -> Vec<Change>,
        done: impl FnOnce(&[Change]),
    ) -> Result<(), Error> {
        let _disk = lock(&self.disk);
        let give = make();
        if !give.is_empty() {
            self.write(now, &give, Vec::new())?;
            done(&give);
        }
        Ok(())
    }

    /// The caller holds `disk`.
    fn write(&self, now: WallMs, give: &[Change], undo: Vec<Change>) -> Result<(), Error> {
        let queue = std::mem::take(&mut *lock(&self.unsaved));
        if queue.is_empty() && give.is_empty() {
            return Ok(());
        }
        let mut changes = queue.changes();
        changes.extend(give.iter().filter(|change| !queue.overrules(change)).cloned());
        changes.push(Change::Seen(now));
        self.store.commit(&changes).map_err(|error| {
            let mut unsaved = lock(&self.unsaved);
            unsaved.put_back(queue);
            undo.into_iter().for_each(|change| unsaved.put(change));
            store_failed(&error)
        })
    }

    /// Records the time, so that the next process notices a wall clock set back.
    pub(crate) fn save_time(&self, now: WallMs) -> Result<(), Error> {
        self.commit(now, &[Change::Seen(now)], Vec::new())
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }
}

pub(crate) fn store_failed(error: &StoreError) -> Error {
    tracing::error!(%error, "the grant store failed");
    Error::new(Kind::Store, "the grant store failed")
        .detail("What could not be recorded was not given.")
        .hint("Try again; if it goes on, tell the proxy's operator, whose log has the cause.")
}
