//! How grants begin and end, and when.
//!
//! A grant whose time is over has ended for whoever looks, and one whose time has come has begun, on
//! time, whether or not the task [`Live::run_expiry`] has come round: every look at the table first
//! compares the clock with the earliest of these moments. The task is there for those who do not look: statements under way, listeners,
//! the store.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::clock::MonotonicMs;
use crate::live::{Inner, lapsed};
use crate::saving::{lock, read, store_failed, write};
use crate::store::Change;
use crate::table::LiveGrant;
use crate::{
    Conditions, End, EndReason, Error, Event, Grant, GrantId, GrantState, Live, Request, WallMs, Who, panels,
};

/// The runtime's timers stand still while the machine sleeps, so with grants to end the task
/// looks at the clock at least so often.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_WHEN_IDLE: Duration = Duration::from_secs(60);
/// How often the time is recorded while there is something whose window counts, in milliseconds.
const RECORD_TIME: i64 = 60_000;

pub(crate) struct Timers {
    /// The earliest moment of `due`; changed under its lock only.
    next: AtomicU64,
    /// When scheduled grants begin and live ones end. Also held while a grant ends or is changed, so
    /// that this happens one after the other.
    due: Mutex<Due>,
}

pub(crate) type Due = BTreeSet<(MonotonicMs, GrantId)>;

impl Default for Timers {
    fn default() -> Self {
        Self { next: AtomicU64::new(MonotonicMs::MAX), due: Mutex::default() }
    }
}

impl Timers {
    pub(crate) fn add(&self, deadline: MonotonicMs, id: GrantId) {
        let mut due = lock(&self.due);
        due.insert((deadline, id));
        self.set_next(&due);
    }

    /// Nobody else begins, ends or changes a grant meanwhile.
    pub(crate) fn hold(&self) -> MutexGuard<'_, Due> {
        lock(&self.due)
    }

    pub(crate) fn set_next(&self, due: &Due) {
        let next = due.first().map_or(MonotonicMs::MAX, |(deadline, _)| *deadline);
        self.next.store(next, Ordering::Release);
    }
}

impl Inner {
    /// Ends and begins what is due, and says what time it is. One load where nothing is.
    pub(crate) fn expire_if_due(&self) -> MonotonicMs {
        let now = self.clock.monotonic();
        if now >= self.timers.next.load(Ordering::Acquire) {
            let mut due = self.timers.hold();
            // What begins may be over already.
            while due.first().is_some_and(|(moment, _)| *moment <= now) {
                let later = due.split_off(&(now.saturating_add(1), 0));
                let over = std::mem::replace(&mut *due, later);
                self.expire(over.into_iter().filter_map(|(_, id)| self.begin(id, &mut due)));
            }
            self.decide_columns();
            // Last, so that nobody passes by before all of it has happened.
            self.timers.set_next(&due);
            drop(due);
            self.unsaved.notify_one();
        }
        now
    }

    /// Begins what is scheduled; a live grant is handed back.
    fn begin(&self, id: GrantId, due: &mut Due) -> Option<Arc<LiveGrant>> {
        let Some(scheduled) = self.table.scheduled(id) else { return self.table.get(id) };
        let grant = Arc::new(Grant { state: GrantState::Live, ..Grant::clone(&scheduled) });
        let deadline = self.clock.deadline(grant.until);
        self.table.begin(Arc::new(LiveGrant::new(grant.clone(), deadline)));
        due.insert((deadline, id));
        self.saving.later(Change::Grant(grant.clone()));
        self.announce(Event::Started { grant });
        None
    }

    fn expire(&self, over: impl Iterator<Item = Arc<LiveGrant>>) {
        let mut ended = Vec::new();
        for live in over {
            let at = live.grant().until;
            let expired = End { why: EndReason::Expired, at, by: None, reason: None };
            if let Some(was_open) = live.end(|before| before.cloned().unwrap_or(expired)) {
                self.table.withhold(&live.grant);
                ended.push((live, was_open));
            }
        }
        let holders: HashSet<&Who> =
            ended.iter().filter(|(_, was_open)| *was_open).map(|(live, _)| &live.grant.who).collect();
        self.table.changed(&holders);
        for (live, was_open) in &ended {
            let grant = self.bury(live);
            if *was_open {
                self.saving.later(Change::Grant(grant.clone()));
                self.announce(Event::Ended { grant: grant.clone(), why: EndReason::Expired });
            }
            self.announce(Event::CutOff { grant });
        }
    }

    /// From the live ones to the ended ones, at no moment in neither.
    fn bury(&self, live: &LiveGrant) -> Arc<Grant> {
        let grant = live.grant();
        self.remember(grant.clone());
        self.table.forget(grant.id);
        grant
    }

    /// Ends it at once, statements under way included. False: it had ended already.
    pub(crate) fn end_now(&self, live: &Arc<LiveGrant>, end: End) -> bool {
        let mut due = self.timers.hold();
        let why = end.why;
        if live.end(|_| end).is_none() {
            return false;
        }
        self.table.withhold(&live.grant);
        self.table.changed(&HashSet::from([&live.grant.who]));
        let grant = self.bury(live);
        self.decide_columns();
        self.saving.later(Change::Grant(grant.clone()));
        self.announce(Event::Ended { grant: grant.clone(), why });
        self.announce(Event::CutOff { grant });
        due.remove(&(live.deadline(), live.grant.id));
        self.timers.set_next(&due);
        drop(due);
        self.unsaved.notify_one();
        true
    }

    /// Ends a grant before it begins. None: it is not scheduled (any more).
    pub(crate) fn end_scheduled(&self, id: GrantId, end: End) -> Option<Arc<Grant>> {
        let mut due = self.timers.hold();
        let scheduled = self.table.unschedule(id)?;
        let why = end.why;
        let grant = Arc::new(Grant { state: GrantState::Ended(end), ..Grant::clone(&scheduled) });
        self.remember(grant.clone());
        self.decide_columns();
        self.saving.later(Change::Grant(grant.clone()));
        self.announce(Event::Ended { grant: grant.clone(), why });
        self.announce(Event::CutOff { grant: grant.clone() });
        due.remove(&(self.clock.deadline(grant.from), id));
        self.timers.set_next(&due);
        drop(due);
        self.unsaved.notify_one();
        Some(grant)
    }

    /// A statement would return more rows than it has left.
    pub(crate) fn end_used_up(&self, live: &Arc<LiveGrant>) {
        self.end_now(live, self.used_up());
    }

    /// The last of it was taken; whoever took it may go on until the window closes.
    pub(crate) fn close_used_up(&self, live: &Arc<LiveGrant>) {
        let due = self.timers.hold();
        if !live.close(self.used_up()) {
            return;
        }
        self.table.withhold(&live.grant);
        self.table.changed(&HashSet::from([&live.grant.who]));
        let grant = live.grant();
        self.saving.later(Change::Grant(grant.clone()));
        self.announce(Event::Ended { grant, why: EndReason::UsedUp });
        drop(due);
        self.unsaved.notify_one();
    }

    fn used_up(&self) -> End {
        End { why: EndReason::UsedUp, at: self.clock.now(), by: None, reason: None }
    }

    /// Requests whose time to be decided is over, or that ask for more of what has ended; and those
    /// that others may decide by now. The caller holds `deciding`.
    pub(crate) fn requests_due(&self) {
        self.expire_if_due();
        let now = self.clock.now();
        let due = |request: &&Arc<Request>| self.is_over(request, now) || escalates(request, now);
        let due: Vec<Arc<Request>> = read(&self.requests).pending.values().filter(due).cloned().collect();
        for request in due {
            if self.is_over(&request, now) {
                let request = Arc::new(lapsed(&request, request.lapses_at.min(now)));
                self.saving.later(Change::Request(request.clone()));
                self.settle(&request);
                self.announce(Event::Decided { request });
            } else {
                let request = Arc::new(Request { escalated: true, ..Request::clone(&request) });
                write(&self.requests).pending.insert(request.id, request.clone());
                self.saving.later(Change::Request(request.clone()));
                self.announce(Event::Escalated { request });
            }
        }
    }

    fn is_over(&self, request: &Request, now: WallMs) -> bool {
        request.lapses_at <= now || request.extends.is_some_and(|id| !self.is_open(id))
    }

    fn are_requests_due(&self) -> bool {
        let now = self.clock.now();
        let requests = read(&self.requests);
        requests.pending.values().any(|request| self.is_over(request, now) || escalates(request, now))
    }

    fn must_record_time(&self) -> bool {
        let waiting = self.table.len() > 0 || !read(&self.requests).pending.is_empty();
        waiting && self.clock.now() - self.seen.load(Ordering::Relaxed) >= RECORD_TIME
    }

    /// Keeps the stored history near its limit: every request and grant beyond it has a number, so
    /// their count tells when it is time again.
    fn trim(&self, numbers: u64) -> Result<(), Error> {
        let keep = self.settings.history_stored.max(self.settings.history);
        let since = numbers - self.trimmed.load(Ordering::Relaxed).min(numbers);
        if since <= 1 + keep as u64 / 4 {
            return Ok(());
        }
        self.saving.store().trim(keep).map_err(|error| store_failed(&error))?;
        self.trimmed.store(numbers, Ordering::Relaxed);
        Ok(())
    }

    fn has_books_to_keep(&self) -> bool {
        self.are_requests_due()
            || self.must_record_time()
            || !self.saving.all_saved()
            || !lock(&self.low).is_empty()
    }

    fn until_next_look(&self) -> Duration {
        let next = self.timers.next.load(Ordering::Acquire);
        let wait = Duration::from_millis(next.saturating_sub(self.clock.monotonic()));
        wait.min(if self.table.len() > 0 { LOOK } else { LOOK_WHEN_IDLE })
    }
}

/// Is it to be told that others may decide it too?
fn escalates(request: &Request, now: WallMs) -> bool {
    !request.escalated
        && !request.conditions.as_ref().is_some_and(Conditions::decide_now)
        && panels::escalation_due(request, now)
}

impl Live {
    /// Begins and ends grants, and ends requests, on time, for as long as the process runs, and writes down what
    /// ended. The two go on side by side: a slow disk does not delay an end.
    pub async fn run_expiry(self) {
        tokio::join!(self.watch_deadlines(), self.keep_books());
    }

    async fn watch_deadlines(&self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.0.until_next_look()) => {}
                () = self.0.wake.notified() => {}
            }
            self.0.expire_if_due();
        }
    }

    async fn keep_books(&self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.0.unsaved.notified() => {}
            }
            if !self.0.has_books_to_keep() {
                continue;
            }
            let live = self.clone();
            match tokio::task::spawn_blocking(move || live.tick()).await {
                Ok(Ok(())) => {}
                // Logged where it happened; what is not saved stays queued.
                Ok(Err(_)) => tokio::time::sleep(LOOK).await,
                Err(error) => tracing::error!(%error, "the grant table's housekeeping failed"),
            }
        }
    }

    /// One round of [`Live::run_expiry`]. Waits for the disk.
    pub fn tick(&self) -> Result<(), Error> {
        self.0.expire_if_due();
        let numbers = {
            let last = lock(&self.0.deciding);
            self.0.requests_due();
            self.0.decide_columns();
            last.grant + last.request
        };
        self.0.refill()?;
        self.0.trim(numbers)?;
        let now = self.0.clock.now();
        if self.0.must_record_time() {
            self.0.saving.save_time(now)?;
            self.0.seen.store(now, Ordering::Relaxed);
        }
        self.0.saving.save(now)
    }
}
