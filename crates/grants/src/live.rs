//! The handle that everybody holds: opening, looking up, listing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex, RwLock};

use pgwarrant_catalog::Catalogue;
use pgwarrant_sql::Access;
use tokio::sync::{Notify, broadcast};

use crate::clock::Anchored;
use crate::expiry::Timers;
use crate::saving::{Saving, read, store_failed, write};
use crate::store::Change;
use crate::table::{LiveGrant, Seat, Table};
use crate::{
    Clock, Decision, End, EndReason, Error, Event, Grant, GrantId, GrantState, Principal, Request, RequestId,
    RequestState, Settings, Store, Who,
};

/// A receiver that falls this far behind is told that it missed some, and looks at everything.
const EVENTS: usize = 4_096;

/// All grants and requests of a proxy; cheap to clone.
#[derive(Clone)]
pub struct Live(pub(crate) Arc<Inner>);

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("live", &self.0.table.len()).finish_non_exhaustive()
    }
}

/// One user's version, followed.
#[derive(Clone, Debug)]
pub struct Watch {
    live: Live,
    seat: Arc<Seat>,
}

impl Watch {
    /// As [`Live::version`]: a look at the clock and two loads.
    pub fn version(&self) -> u64 {
        self.live.0.expire_if_due();
        self.seat.version()
    }
}

pub(crate) struct Inner {
    pub settings: Settings,
    pub clock: Anchored,
    pub saving: Saving,
    pub table: Table,
    pub timers: Timers,
    pub requests: RwLock<Requests>,
    /// The most recently ended grants, oldest first.
    pub ended: RwLock<VecDeque<Arc<Grant>>>,
    /// Decisions are made one after the other, disk included; looking things up never waits here.
    pub deciding: Mutex<LastNumbers>,
    pub events: broadcast::Sender<Event>,
    /// Something ends earlier than was thought.
    pub wake: Notify,
    /// Something ended and is not on disk yet.
    pub unsaved: Notify,
    /// Of which more rows should be reserved before somebody waits for them.
    pub low: Mutex<BTreeSet<GrantId>>,
    /// When the time was last recorded.
    pub seen: AtomicI64,
    /// The sum of the last numbers when the history was last trimmed.
    pub trimmed: AtomicU64,
}

pub(crate) struct LastNumbers {
    pub grant: GrantId,
    pub request: RequestId,
}

#[derive(Default)]
pub(crate) struct Requests {
    pub pending: BTreeMap<RequestId, Arc<Request>>,
    /// The most recently decided, oldest first.
    pub decided: VecDeque<Arc<Request>>,
}

impl Live {
    /// Takes up where the process before left off. Waits for the disk.
    pub fn open(store: impl Store, clock: impl Clock, settings: Settings) -> Result<Live, Error> {
        let saved = store.load(settings.history).map_err(|error| store_failed(&error))?;
        let clock = Anchored::new(clock);
        let now = clock.now();
        let set_back = saved.seen.map_or(0, |seen| clock.set_back(seen));
        if set_back > 0 {
            tracing::warn!(
                milliseconds = set_back,
                "the wall clock was set back; open windows are moved with it"
            );
        }
        let inner = Inner {
            settings,
            clock,
            saving: Saving::new(store),
            table: Table::new(),
            timers: Timers::default(),
            requests: RwLock::default(),
            ended: RwLock::new(saved.ended.into_iter().map(Arc::new).collect()),
            deciding: Mutex::new(LastNumbers { grant: saved.last_grant, request: saved.last_request }),
            events: broadcast::channel(EVENTS).0,
            wake: Notify::new(),
            unsaved: Notify::new(),
            low: Mutex::default(),
            seen: AtomicI64::new(now),
            trimmed: AtomicU64::new(0),
        };
        for grant in saved.live {
            inner.take_up(grant, set_back, now);
        }
        {
            let mut requests = write(&inner.requests);
            requests.decided.extend(saved.decided.into_iter().map(Arc::new));
            for mut request in saved.pending {
                request.requested_at = request.requested_at.saturating_sub(set_back);
                request.lapses_at = request.lapses_at.saturating_sub(set_back);
                let request = Arc::new(request);
                if set_back > 0 {
                    inner.saving.later(Change::Request(request.clone()));
                }
                requests.pending.insert(request.id, request);
            }
        }
        inner.decide_columns();
        // One commit: shifted windows and the time that they are now relative to.
        inner.saving.save_time(now)?;
        Ok(Live(Arc::new(inner)))
    }

    /// What this user's live grants amount to in `database` (the name clients know it by), bound
    /// to `catalogue`. [`Access::version`] is the same for users with the same grants, and the
    /// default for those without any.
    pub fn access(&self, who: &Principal, database: &str, catalogue: &Catalogue) -> Arc<Access> {
        let now = self.0.expire_if_due();
        self.0.table.access(who, database, catalogue, now)
    }

    /// Differs from what it was iff this user's set of live grants changed since (and, rarely,
    /// although it did not). A look at the clock and one hash probe. Not [`Access::version`].
    pub fn version(&self, who: &Principal) -> u64 {
        self.0.expire_if_due();
        self.0.table.version(who)
    }

    /// For a session, which asks before each statement: [`Watch::version`] is the same without the
    /// hash probe.
    pub fn watch(&self, who: &Principal) -> Watch {
        Watch { live: self.clone(), seat: self.0.table.seat(who) }
    }

    /// May rows still pass under this grant?
    pub fn is_live(&self, id: GrantId) -> bool {
        let now = self.0.expire_if_due();
        self.0.table.look(id, |live| !live.has_ended() && now < live.deadline)
    }

    /// For [`LiveGrant::has_ended`], where even a hash probe a batch of rows is too much. None: it
    /// has ended, or never was.
    pub fn grant(&self, id: GrantId) -> Option<Arc<LiveGrant>> {
        self.0.table.get(id)
    }

    /// A grant as it is now, live or among the most recently ended; never looks at the disk.
    pub fn find(&self, id: GrantId) -> Option<Arc<Grant>> {
        self.0.expire_if_due();
        self.0.find_in_memory(id)
    }

    /// What happens from now on. After `RecvError::Lagged` look at everything again.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Live grants and the most recently ended ones, newest first.
    pub fn grants(&self) -> Vec<Arc<Grant>> {
        self.0.expire_if_due();
        // In this order and by number: one that ends between the two looks is there once.
        let mut grants: BTreeMap<GrantId, Arc<Grant>> =
            self.0.table.all().iter().map(|live| (live.grant.id, live.grant())).collect();
        grants.extend(read(&self.0.ended).iter().map(|grant| (grant.id, grant.clone())));
        grants.into_values().rev().collect()
    }

    /// Pending requests and the most recently decided ones, newest first.
    pub fn requests(&self) -> Vec<Arc<Request>> {
        let now = self.0.clock.now();
        let requests = read(&self.0.requests);
        let pending = requests.pending.values().map(|request| match request.lapses_at <= now {
            true => Arc::new(lapsed(request)),
            false => request.clone(),
        });
        let mut all: Vec<Arc<Request>> = pending.chain(requests.decided.iter().cloned()).collect();
        all.sort_by_key(|request| std::cmp::Reverse(request.id));
        all
    }

    /// Those that `viewer` may see: approvers and auditors everybody's, others their own and their
    /// groups'.
    pub fn grants_for(&self, viewer: &Principal) -> Vec<Arc<Grant>> {
        let mut grants = self.grants();
        grants.retain(|grant| self.may_see(viewer, &grant.who, &grant.asked_by));
        grants
    }

    /// As [`Live::grants_for`].
    pub fn requests_for(&self, viewer: &Principal) -> Vec<Arc<Request>> {
        let mut requests = self.requests();
        requests.retain(|request| self.may_see(viewer, &request.who, &request.by));
        requests
    }

    fn may_see(&self, viewer: &Principal, who: &Who, asked_by: &str) -> bool {
        let settings = &self.0.settings;
        settings.may_approve(viewer)
            || settings.may_audit(viewer)
            || who.includes(viewer)
            || asked_by == viewer.user
    }
}

/// As it is once its time to be decided is over.
pub(crate) fn lapsed(request: &Request) -> Request {
    let decision = Some(Decision { by: None, at: request.lapses_at, reason: None });
    Request { state: RequestState::Lapsed, decision, ..request.clone() }
}

impl Inner {
    /// A grant that was live when the process before ended.
    fn take_up(&self, mut grant: Grant, set_back: i64, now: i64) {
        // One that begins in the future tells of a clock set back that nobody noticed.
        let shift = set_back.max(grant.from.saturating_sub(now));
        grant.from = grant.from.saturating_sub(shift);
        grant.until = grant.until.saturating_sub(shift);
        let end = if grant.until <= now {
            Some((EndReason::Expired, grant.until))
        } else if grant.uses_left() == Some(0) || grant.rows_left() == Some(0) {
            Some((EndReason::UsedUp, now))
        } else {
            None
        };
        if let Some((why, at)) = end {
            grant.state = GrantState::Ended(End { why, at, by: None, reason: None });
        }
        let ended = end.is_some();
        let grant = Arc::new(grant);
        if ended || shift != 0 {
            self.saving.later(Change::Grant(grant.clone()));
        }
        if ended { self.remember(grant) } else { self.start(grant) }
    }

    /// Puts a recorded grant into effect.
    pub(crate) fn start(&self, grant: Arc<Grant>) {
        let deadline = self.clock.deadline(grant.until);
        let live = Arc::new(LiveGrant::new(grant, deadline));
        self.table.insert(live.clone());
        self.timers.add(live.deadline, live.grant.id);
        self.wake.notify_one();
    }

    /// Into the list of ended grants.
    pub(crate) fn remember(&self, grant: Arc<Grant>) {
        let mut ended = write(&self.ended);
        ended.push_back(grant);
        let excess = ended.len().saturating_sub(self.settings.history);
        ended.drain(..excess);
    }

    pub(crate) fn announce(&self, event: Event) {
        // An error means that nobody listens.
        _ = self.events.send(event);
    }

    fn find_in_memory(&self, id: GrantId) -> Option<Arc<Grant>> {
        let live = self.table.get(id).map(|live| live.grant());
        live.or_else(|| read(&self.ended).iter().rev().find(|grant| grant.id == id).cloned())
    }

    pub(crate) fn find_grant(&self, id: GrantId) -> Result<Option<Arc<Grant>>, Error> {
        if let Some(grant) = self.find_in_memory(id) {
            return Ok(Some(grant));
        }
        let stored = self.saving.store().grant(id).map_err(|error| store_failed(&error))?;
        Ok(stored.map(Arc::new))
    }

    pub(crate) fn find_request(&self, id: RequestId) -> Result<Option<Arc<Request>>, Error> {
        let requests = read(&self.requests);
        let known =
            requests.pending.get(&id).or_else(|| requests.decided.iter().rev().find(|r| r.id == id)).cloned();
        drop(requests);
        if known.is_some() {
            return Ok(known);
        }
        let stored = self.saving.store().request(id).map_err(|error| store_failed(&error))?;
        Ok(stored.map(Arc::new))
    }
}
