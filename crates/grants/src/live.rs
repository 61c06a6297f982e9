//! The handle that everybody holds: opening, looking up, listing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex, RwLock};

use pgwarrant_catalog::Catalogue;
use pgwarrant_sql::Access;
use tokio::sync::{Notify, broadcast};

use crate::clock::Anchored;
use crate::expiry::Timers;
use crate::recent::Recent;
use crate::saving::{Saving, read, store_failed, write};
use crate::store::Change;
use crate::table::{LiveGrant, Seat, Table};
use crate::waiting::Waiting;
use crate::{
    Arbiter, ByGroups, Clock, Decision, End, EndReason, Error, Event, Grant, GrantId, GrantState, Grounds,
    Principal, Request, RequestId, RequestState, Settings, Store, WallMs,
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
    pub arbiter: Arc<dyn Arbiter>,
    pub clock: Anchored,
    pub saving: Saving,
    pub table: Table,
    pub timers: Timers,
    pub requests: RwLock<Requests>,
    /// The most recently ended grants, oldest first.
    pub ended: RwLock<VecDeque<Arc<Grant>>>,
    /// Ended grants whose review is open, however long ago.
    pub unreviewed: RwLock<BTreeMap<GrantId, Arc<Grant>>>,
    pub recent: Recent,
    pub waiting: Waiting,
    /// Decisions are made one after the other, disk included; looking things up never waits here.
    pub deciding: Mutex<LastNumbers>,
    pub events: broadcast::Sender<Event>,
    /// Something ends earlier than was thought.
    pub wake: Notify,
    /// Something ended and is not on disk yet.
    pub unsaved: Notify,
    /// Outside conditions are to be asked.
    pub checks: Notify,
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
    /// As [`Live::open_with`], where the groups' rights are all that decides.
    pub fn open(store: impl Store, clock: impl Clock, settings: Settings) -> Result<Live, Error> {
        let arbiter = Arc::new(ByGroups::new(&settings));
        Live::open_with(store, clock, settings, arbiter)
    }

    /// Takes up where the process before left off. Waits for the disk.
    pub fn open_with(
        store: impl Store,
        clock: impl Clock,
        settings: Settings,
        arbiter: Arc<dyn Arbiter>,
    ) -> Result<Live, Error> {
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
            arbiter,
            clock,
            saving: Saving::new(store),
            table: Table::new(),
            timers: Timers::default(),
            requests: RwLock::default(),
            ended: RwLock::default(),
            unreviewed: RwLock::default(),
            recent: Recent::default(),
            waiting: Waiting::default(),
            deciding: Mutex::new(LastNumbers { grant: saved.last_grant, request: saved.last_request }),
            events: broadcast::channel(EVENTS).0,
            wake: Notify::new(),
            unsaved: Notify::new(),
            checks: Notify::new(),
            low: Mutex::default(),
            seen: AtomicI64::new(now),
            trimmed: AtomicU64::new(0),
        };
        {
            let ended: Vec<Arc<Grant>> = saved.ended.into_iter().map(Arc::new).collect();
            ended.iter().for_each(|grant| inner.recent.add(grant, now));
            *write(&inner.ended) = ended.into();
            let unreviewed = saved.unreviewed.into_iter().map(|grant| (grant.id, Arc::new(grant)));
            *write(&inner.unreviewed) = unreviewed.collect();
        }
        for grant in saved.live {
            inner.take_up(grant, set_back, saved.seen, now);
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
        self.0.table.look(id, |live| !live.has_ended() && now < live.deadline())
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

    /// Scheduled and live grants, the most recently ended ones and those whose review is open, newest
    /// first.
    pub fn grants(&self) -> Vec<Arc<Grant>> {
        self.0.expire_if_due();
        let mut grants: BTreeMap<GrantId, Arc<Grant>> = BTreeMap::new();
        let mut add = |grant: Arc<Grant>| grants.insert(grant.id, grant);
        // In the order of a grant's life and by number: one that goes on between two looks is there
        // once.
        self.0.table.all_scheduled().into_iter().for_each(|grant| _ = add(grant));
        self.0.table.all().iter().for_each(|live| _ = add(live.grant()));
        read(&self.0.unreviewed).values().for_each(|grant| _ = add(grant.clone()));
        read(&self.0.ended).iter().for_each(|grant| _ = add(grant.clone()));
        grants.into_values().rev().collect()
    }

    /// Pending requests and the most recently decided ones, newest first.
    pub fn requests(&self) -> Vec<Arc<Request>> {
        let now = self.0.clock.now();
        let requests = read(&self.0.requests);
        let pending = requests.pending.values().map(|request| match request.lapses_at <= now {
            true => Arc::new(lapsed(request, request.lapses_at)),
            false => request.clone(),
        });
        let mut all: Vec<Arc<Request>> = pending.chain(requests.decided.iter().cloned()).collect();
        all.sort_by_key(|request| std::cmp::Reverse(request.id));
        all
    }

    /// Those that `viewer` may see: approvers and auditors everybody's, others their own, their
    /// groups' and those that they review.
    pub fn grants_for(&self, viewer: &Principal) -> Vec<Arc<Grant>> {
        let mut grants = self.grants();
        grants.retain(|grant| self.may_see_grant(viewer, grant));
        grants
    }

    /// As [`Live::grants_for`], with those that they are asked about.
    pub fn requests_for(&self, viewer: &Principal) -> Vec<Arc<Request>> {
        let mut requests = self.requests();
        requests.retain(|request| self.may_see_request(viewer, request));
        requests
    }

    /// What a request was ruled on. None: nothing was kept. Waits for the disk.
    pub fn grounds(&self, id: RequestId) -> Result<Option<Grounds>, Error> {
        self.0.saving.store().grounds(id).map_err(|error| store_failed(&error))
    }
}

/// As it is once its time to be decided is over.
pub(crate) fn lapsed(request: &Request, at: WallMs) -> Request {
    let decision = Some(Decision { by: None, at, reason: None, from: None });
    Request { state: RequestState::Lapsed, decision, ..request.clone() }
}

impl Inner {
    /// A grant that was live or scheduled when the process before ended.
    fn take_up(&self, mut grant: Grant, set_back: i64, seen: Option<WallMs>, now: i64) {
        // Times to come are the calendar's; what was seen to have begun is shifted with the clock.
        let has_begun = grant.state == GrantState::Live || seen.is_some_and(|seen| grant.from <= seen);
        let shift = match has_begun {
            // One that begins in the future tells of a clock set back that nobody noticed.
            true => set_back.max(grant.from.saturating_sub(now)),
            false => 0,
        };
        grant.from = grant.from.saturating_sub(shift);
        grant.until = grant.until.saturating_sub(shift);
        let end = if grant.until <= now {
            Some((EndReason::Expired, grant.until))
        } else if grant.uses_left() == Some(0) || grant.rows_left() == Some(0) {
            Some((EndReason::UsedUp, now))
        } else {
            None
        };
        let before = grant.state.clone();
        if let Some((why, at)) = end {
            grant.state = GrantState::Ended(End { why, at, by: None, reason: None });
        } else if grant.from <= now {
            grant.state = GrantState::Live;
        }
        let grant = Arc::new(grant);
        if grant.state != before || shift != 0 {
            self.saving.later(Change::Grant(grant.clone()));
        }
        self.recent.add(&grant, now);
        match grant.state {
            GrantState::Ended(_) => self.remember(grant),
            GrantState::Live => self.start(grant),
            GrantState::Scheduled => self.schedule(grant),
        }
    }

    /// Puts a recorded grant into effect.
    pub(crate) fn start(&self, grant: Arc<Grant>) {
        let deadline = self.clock.deadline(grant.until);
        let live = Arc::new(LiveGrant::new(grant, deadline));
        self.table.insert(live.clone());
        self.timers.add(deadline, live.grant.id);
        self.wake.notify_one();
    }

    /// Has a recorded grant begin on time.
    pub(crate) fn schedule(&self, grant: Arc<Grant>) {
        self.table.schedule(grant.clone());
        self.timers.add(self.clock.deadline(grant.from), grant.id);
        self.wake.notify_one();
    }

    /// Into the list of ended grants.
    pub(crate) fn remember(&self, grant: Arc<Grant>) {
        if grant.is_unreviewed() {
            write(&self.unreviewed).insert(grant.id, grant.clone());
        }
        let mut ended = write(&self.ended);
        ended.push_back(grant);
        let excess = ended.len().saturating_sub(self.settings.history);
        ended.drain(..excess);
    }

    pub(crate) fn is_open(&self, id: GrantId) -> bool {
        self.table.look(id, LiveGrant::is_open) || self.table.scheduled(id).is_some()
    }

    pub(crate) fn announce(&self, event: Event) {
        // An error means that nobody listens.
        _ = self.events.send(event);
    }

    pub(crate) fn find_in_memory(&self, id: GrantId) -> Option<Arc<Grant>> {
        let scheduled = self.table.scheduled(id);
        let live = || self.table.get(id).map(|live| live.grant());
        let unreviewed = || read(&self.unreviewed).get(&id).cloned();
        let ended = || read(&self.ended).iter().rev().find(|grant| grant.id == id).cloned();
        scheduled.or_else(live).or_else(unreviewed).or_else(ended)
    }

    pub(crate) fn find_grant(&self, id: GrantId) -> Result<Option<Arc<Grant>>, Error> {
        if let Some(grant) = self.find_in_memory(id) {
            return Ok(Some(grant));
        }
        let stored = self.saving.store().grant(id).map_err(|error| store_failed(&error))?;
        Ok(stored.map(Arc::new))
    }

    pub(crate) fn known_request(&self, id: RequestId) -> Option<Arc<Request>> {
        let requests = read(&self.requests);
        let decided = || requests.decided.iter().rev().find(|request| request.id == id);
        requests.pending.get(&id).or_else(decided).cloned()
    }

    pub(crate) fn find_request(&self, id: RequestId) -> Result<Option<Arc<Request>>, Error> {
        if let Some(known) = self.known_request(id) {
            return Ok(Some(known));
        }
        let stored = self.saving.store().request(id).map_err(|error| store_failed(&error))?;
        Ok(stored.map(Arc::new))
    }
}
