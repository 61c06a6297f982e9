//! How grants end, and when.
//!
//! A grant whose time is over has ended for whoever looks, on time, whether or not the task
//! [`Live::run_expiry`] has come round: every look at the table first compares the clock with the
//! earliest deadline. The task is there for those who do not look: statements under way, listeners,
//! the store.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::MonotonicMs;
use crate::live::{Inner, lapsed};
use crate::saving::{lock, read, store_failed, write};
use crate::store::Change;
use crate::table::LiveGrant;
use crate::{End, EndReason, Error, Event, Grant, GrantId, Live, Request, Who};

/// The runtime's timers stand still while the machine sleeps, so with grants to end the task
/// looks at the clock at least so often.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_WHEN_IDLE: Duration = Duration::from_secs(60);
/// How often the time is recorded while there is something whose window counts, in milliseconds.
const RECORD_TIME: i64 = 60_000;

pub(crate) struct Timers {
    /// The earliest deadline; changed under the lock of `due` only.
    next: AtomicU64,
    /// Also held while a grant ends, so that endings happen one after the other.
    due: Mutex<BTreeSet<(MonotonicMs, GrantId)>>,
}

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

    fn set_next(&self, due: &BTreeSet<(MonotonicMs, GrantId)>) {
        let next = due.first().map_or(MonotonicMs::MAX, |(deadline, _)| *deadline);
        self.next.store(next, Ordering::Release);
    }
}

impl Inner {
    /// Ends what is due, and says what time it is. One load where nothing is.
    pub(crate) fn expire_if_due(&self) -> MonotonicMs {
        let now = self.clock.monotonic();
        if now >= self.timers.next.load(Ordering::Acquire) {
            self.expire(now);
        }
        now
    }

    fn expire(&self, now: MonotonicMs) {
        let mut due = lock(&self.timers.due);
        let later = due.split_off(&(now.saturating_add(1), 0));
        let over = std::mem::replace(&mut *due, later);
        let mut ended = Vec::new();
        for live in over.into_iter().filter_map(|(_, id)| self.table.get(id)) {
            let expired = End { why: EndReason::Expired, at: live.grant.until, by: None, reason: None };
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
        self.decide_columns();
        // Last, so that nobody passes by before all of it has happened.
        self.timers.set_next(&due);
        drop(due);
        self.unsaved.notify_one();
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
        let mut due = lock(&self.timers.due);
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
        due.remove(&(live.deadline, live.grant.id));
        self.timers.set_next(&due);
        drop(due);
        self.unsaved.notify_one();
        true
    }

    /// A statement would return more rows than it has left.
    pub(crate) fn end_used_up(&self, live: &Arc<LiveGrant>) {
        self.end_now(live, self.used_up());
    }

    /// The last of it was taken; whoever took it may go on until the window closes.
    pub(crate) fn close_used_up(&self, live: &Arc<LiveGrant>) {
        let due = lock(&self.timers.due);
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

    /// Requests whose time to be decided is over. The caller holds `deciding`.
    pub(crate) fn lapse_due(&self) {
        let now = self.clock.now();
        let mut requests = write(&self.requests);
        let over: Vec<Arc<Request>> =
            requests.pending.values().filter(|request| request.lapses_at <= now).cloned().collect();
        for request in over {
            let request = Arc::new(lapsed(&request));
            requests.decide(request.clone(), self.settings.history);
            self.saving.later(Change::Request(request.clone()));
            self.announce(Event::Decided { request });
        }
    }

    fn must_lapse(&self) -> bool {
        let now = self.clock.now();
        read(&self.requests).pending.values().any(|request| request.lapses_at <= now)
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
        self.must_lapse()
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

impl Live {
    /// Ends grants and requests on time, for as long as the process runs, and writes down what
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
            self.0.lapse_due();
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
