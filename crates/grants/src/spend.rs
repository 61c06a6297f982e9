//! Limits in uses and rows.
//!
//! What is spent is reserved on disk ahead of use, a sixteenth of the limit at a time: so a crash
//! loses at most that much of the limit and never gives any back, and a grant's whole life costs at
//! most 16 waits for the disk a limit (32 in all).
//!
//! Whoever must not wait in the middle of something awaits [`Live::reserve`] before it, and of what
//! goes on, the next part is reserved by [`Live::run_expiry`] while the one before is spent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};

use crate::clock::MonotonicMs;
use crate::live::Inner;
use crate::saving::lock;
use crate::store::Change;
use crate::table::LiveGrant;
use crate::text::time;
use crate::{EndReason, Error, GrantId, GrantState, Kind, Limits, Live, Spent};

const PARTS: u64 = 16;

/// A grant that a statement counted on gives nothing (more).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub id: GrantId,
    pub why: EndReason,
    message: String,
}

impl Ended {
    /// As an error for the client; SQLSTATE 42501.
    pub fn to_error(&self) -> Error {
        let error = Error::new(Kind::NotAllowed, self.message.clone());
        match self.why {
            EndReason::NotRecorded => error.hint("Try again; if it goes on, tell the proxy's operator."),
            _ => error.hint("Ask for a new grant with pgwarrant.request(…)."),
        }
    }
}

/// A live grant's counters. Never above the limits.
#[derive(Debug)]
pub(crate) struct Counter {
    spent: Spent,
    /// What the store has; at least `spent`.
    reserved: Spent,
}

impl Counter {
    pub(crate) fn new(spent: Spent) -> Self {
        Self { spent, reserved: spent }
    }
}

/// What is spent, for those who only look.
#[derive(Debug)]
pub(crate) struct Shown {
    uses: AtomicU64,
    rows: AtomicU64,
}

impl Shown {
    pub(crate) fn new(spent: Spent) -> Self {
        Self { uses: AtomicU64::new(spent.uses), rows: AtomicU64::new(spent.rows) }
    }
    fn set(&self, spent: Spent) {
        self.uses.store(spent.uses, Ordering::Release);
        self.rows.store(spent.rows, Ordering::Release);
    }
    pub(crate) fn spent(&self) -> Spent {
        Spent { uses: self.uses.load(Ordering::Acquire), rows: self.rows.load(Ordering::Acquire) }
    }
}

/// What came of an attempt to charge.
enum Tried {
    /// So many rows.
    Charged(u64),
    /// So many rows, once they are reserved.
    Lacking(u64),
}

/// A limited grant, locked while a statement is charged to it.
struct Charge<'a> {
    live: &'a Arc<LiveGrant>,
    limits: Limits,
    counter: MutexGuard<'a, Counter>,
}

impl Charge<'_> {
    fn rows_left(&self) -> u64 {
        left(self.limits.rows, self.counter.spent.rows)
    }

    /// Is there enough for a statement to begin (`uses` > 0), or to go on?
    fn begins(&self, uses: u64) -> bool {
        uses == 0 || (uses <= left(self.limits.uses, self.counter.spent.uses) && self.rows_left() > 0)
    }

    fn is_spent(&self) -> bool {
        left(self.limits.uses, self.counter.spent.uses) == 0 || self.rows_left() == 0
    }

    /// What is counted after this charge; nothing where there is no limit.
    fn after(&self, uses: u64, rows: u64) -> Spent {
        let Spent { uses: used, rows: returned } = self.counter.spent;
        Spent {
            uses: if self.limits.uses.is_some() { used.saturating_add(uses) } else { used },
            rows: if self.limits.rows.is_some() { returned.saturating_add(rows) } else { returned },
        }
    }

    fn reserved_after(&self, uses: u64, rows: u64) -> Spent {
        let (after, reserved) = (self.after(uses, rows), self.counter.reserved);
        Spent {
            uses: reserve(self.limits.uses, reserved.uses, after.uses),
            rows: reserve(self.limits.rows, reserved.rows, after.rows),
        }
    }

    fn is_reserved(&self, uses: u64, rows: u64) -> bool {
        self.reserved_after(uses, rows) == self.counter.reserved
    }

    fn reservation(&self, uses: u64, rows: u64) -> Option<Change> {
        let reserved = self.reserved_after(uses, rows);
        (reserved != self.counter.reserved).then_some(Change::Spent(self.live.grant.id, reserved))
    }

    /// What was reserved is written.
    fn reserved(&mut self, reserved: Spent) {
        self.counter.reserved = reserved;
    }

    /// Of what is reserved: less than half a part of the rows is left.
    fn runs_low(&self) -> bool {
        let Counter { spent, reserved } = *self.counter;
        self.limits.rows.is_some_and(|limit| {
            reserved.rows < limit && reserved.rows.saturating_sub(spent.rows) < part(limit) / 2
        })
    }

    /// The rows that are reserved ahead are a whole part again.
    fn refill(&self) -> Option<Change> {
        let Counter { spent, reserved } = *self.counter;
        let limit = self.limits.rows?;
        let rows = spent.rows.saturating_add(part(limit)).min(limit);
        (rows > reserved.rows).then_some(Change::Spent(self.live.grant.id, Spent { rows, ..reserved }))
    }

    /// It is reserved.
    fn apply(&mut self, uses: u64, rows: u64) {
        self.counter.spent = self.after(uses, rows);
        self.live.shown.set(self.counter.spent);
    }
}

fn charge_of(live: &Arc<LiveGrant>) -> Charge<'_> {
    Charge { live, limits: live.grant.limits, counter: lock(&live.counter) }
}

fn is_usable(live: &LiveGrant, begin: bool, now: MonotonicMs) -> bool {
    let usable = if begin { live.is_open() } else { !live.has_ended() };
    usable && now < live.deadline()
}

fn left(limit: Option<u64>, spent: u64) -> u64 {
    limit.map_or(u64::MAX, |limit| limit.saturating_sub(spent))
}

fn part(limit: u64) -> u64 {
    limit.div_ceil(PARTS)
}

/// The least reservation that covers `spent`, in parts of the limit.
fn reserve(limit: Option<u64>, reserved: u64, spent: u64) -> u64 {
    match limit {
        Some(limit) if spent > reserved => spent.max(reserved.saturating_add(part(limit))).min(limit),
        _ => reserved,
    }
}

fn used_up(id: GrantId) -> Ended {
    Ended { id, why: EndReason::UsedUp, message: format!("grant {id} has ended: used up") }
}

fn not_recorded(id: GrantId) -> Ended {
    Ended { id, why: EndReason::NotRecorded, message: format!("the use of grant {id} could not be recorded") }
}

impl Live {
    /// Counts one statement that sees raw values under each of these grants, and `rows` rows that
    /// it has returned so far. All are charged or none. A grant whose last use this takes ends for
    /// others, while this statement may go on ([`Live::is_live`]). May wait for the disk.
    ///
    /// Err: one of them gives nothing any more; analyse the statement again.
    pub fn use_grants(&self, ids: &[GrantId], rows: u64) -> Result<(), Ended> {
        self.charge(ids, 1, rows, rows).map(|_| ())
    }

    /// Counts `rows` more rows, before they are passed on. All are charged or none; on an error
    /// not one of them may be passed, and a grant that had too few rows left has ended.
    pub fn spend_rows(&self, ids: &[GrantId], rows: u64) -> Result<(), Ended> {
        self.charge(ids, 0, rows, rows).map(|_| ())
    }

    /// Counts as many of `rows` more rows as all of these grants have left, and says how many.
    pub fn take_rows(&self, ids: &[GrantId], rows: u64) -> Result<u64, Ended> {
        self.charge(ids, 0, rows, rows.min(1))
    }

    /// Charges each grant `uses` uses and the same number of rows: `rows`, or fewer where fewer
    /// are left, but at least `least`.
    fn charge(&self, ids: &[GrantId], uses: u64, rows: u64, least: u64) -> Result<u64, Ended> {
        if self.0.are_unlimited(ids, uses > 0) {
            return Ok(rows);
        }
        let grants = self.0.usable(ids, uses > 0)?;
        let limited: Vec<&Arc<LiveGrant>> =
            grants.iter().filter(|live| live.grant.limits != Limits::default()).collect();
        loop {
            let charges = limited.iter().map(|live| charge_of(live)).collect();
            match self.try_charge(&grants, charges, uses, rows, least)? {
                Tried::Charged(rows) => return Ok(rows),
                // Not under the counters' locks: those who need no disk do not wait for it.
                Tried::Lacking(rows) => self.0.reserve(&limited, uses, rows)?,
            }
        }
    }

    fn try_charge(
        &self,
        grants: &[Arc<LiveGrant>],
        mut charges: Vec<Charge<'_>>,
        uses: u64,
        rows: u64,
        least: u64,
    ) -> Result<Tried, Ended> {
        if let Some(short) = charges.iter().find(|charge| !charge.begins(uses) || charge.rows_left() < least)
        {
            let live = short.live;
            // Where somebody else took the last use since we looked, they may be using it still.
            let too_many_rows = short.begins(uses);
            drop(charges);
            if too_many_rows {
                self.0.end_used_up(live);
            }
            return Err(used_up(live.grant.id));
        }
        let rows = charges.iter().map(Charge::rows_left).fold(rows, u64::min);

        if !charges.iter().all(|charge| charge.is_reserved(uses, rows)) {
            return Ok(Tried::Lacking(rows));
        }
        // The locks and the disk may have taken their time.
        if let Some(gone) = grants.iter().find(|live| live.has_ended()) {
            let id = gone.grant.id;
            drop(charges);
            return Err(self.0.why_ended(id));
        }
        charges.iter_mut().for_each(|charge| charge.apply(uses, rows));
        let low: Vec<GrantId> =
            charges.iter().filter(|charge| charge.runs_low()).map(|charge| charge.live.grant.id).collect();
        let spent_all: Vec<&Arc<LiveGrant>> =
            charges.iter().filter(|charge| charge.is_spent()).map(|charge| charge.live).collect();
        drop(charges);
        spent_all.into_iter().for_each(|live| self.0.close_used_up(live));
        if !low.is_empty() {
            lock(&self.0.low).extend(low);
            self.0.unsaved.notify_one();
        }
        Ok(Tried::Charged(rows))
    }

    /// What to await before a statement is charged to these grants, or before so many more of its rows
    /// are, so that [`Live::use_grants`] and [`Live::take_rows`] find it reserved and do not wait for
    /// the disk. None: it is, as far as the limits go. Whether the disk took it, they say.
    pub fn reserve(&self, ids: &[GrantId], rows: u64) -> Option<impl Future<Output = ()> + Send + use<>> {
        let lacks = |live: &Arc<LiveGrant>| {
            live.grant.limits != Limits::default() && !charge_of(live).is_reserved(1, rows)
        };
        let lacking: Vec<Arc<LiveGrant>> =
            ids.iter().filter_map(|id| self.0.table.get(*id)).filter(lacks).collect();
        if lacking.is_empty() {
            return None;
        }
        let live = self.clone();
        Some(async move {
            let waits = move || live.0.reserve(&lacking.iter().collect::<Vec<_>>(), 1, rows);
            // An error comes up again when the statement is charged.
            _ = tokio::task::spawn_blocking(waits).await;
        })
    }

    /// Records exact counters at the end of the process, in the place of what was reserved ahead.
    /// Call it when no session is left. Waits for the disk.
    pub fn close(&self) -> Result<(), Error> {
        lock(&self.0.low).clear();
        for live in self.0.table.all() {
            let mut counter = lock(&live.counter);
            if counter.reserved != counter.spent {
                counter.reserved = counter.spent;
                self.0.saving.later(Change::Spent(live.grant.id, counter.spent));
            }
        }
        self.0.saving.save(self.0.clock.now())
    }
}

impl Inner {
    /// Has the store's counters cover so much more. Waits for the disk.
    fn reserve(&self, grants: &[&Arc<LiveGrant>], uses: u64, rows: u64) -> Result<(), Ended> {
        self.write_ahead(grants, |charge| charge.reservation(uses, rows)).map_err(|_| {
            let lacks = |live: &&&Arc<LiveGrant>| !charge_of(live).is_reserved(uses, rows);
            not_recorded(grants.iter().find(lacks).map_or(0, |live| live.grant.id))
        })
    }

    /// Of grants whose rows are being spent, reserves the next ones. Waits for the disk.
    pub(crate) fn refill(&self) -> Result<(), Error> {
        let low = std::mem::take(&mut *lock(&self.low));
        let grants: Vec<Arc<LiveGrant>> = low.into_iter().filter_map(|id| self.table.get(id)).collect();
        self.write_ahead(&grants.iter().collect::<Vec<_>>(), |charge| charge.refill())
    }

    fn write_ahead(
        &self,
        grants: &[&Arc<LiveGrant>],
        more: impl Fn(&Charge<'_>) -> Option<Change>,
    ) -> Result<(), Error> {
        let make = || grants.iter().filter_map(|live| more(&charge_of(live))).collect();
        let done = |written: &[Change]| {
            for change in written {
                if let Change::Spent(id, reserved) = change
                    && let Some(live) = grants.iter().find(|live| live.grant.id == *id)
                {
                    charge_of(live).reserved(*reserved);
                }
            }
        };
        self.saving.commit_next(self.clock.now(), make, done)
    }

    /// May all of these be used, and is there nothing to count? Most often so.
    fn are_unlimited(&self, ids: &[GrantId], begin: bool) -> bool {
        let now = self.expire_if_due();
        ids.iter().all(|id| {
            self.table.look(*id, |live| is_usable(live, begin, now) && live.grant.limits == Limits::default())
        })
    }

    /// These grants in ascending order of numbers (so that two statements that lock several cannot
    /// wait for each other), if each may still be used: to begin a statement, or to go on.
    fn usable(&self, ids: &[GrantId], begin: bool) -> Result<Vec<Arc<LiveGrant>>, Ended> {
        let now = self.expire_if_due();
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter()
            .map(|id| {
                let live = self.table.get(id).filter(|live| is_usable(live, begin, now));
                live.ok_or_else(|| self.why_ended(id))
            })
            .collect()
    }

    /// For a grant that is not live, or is only still there for statements under way.
    fn why_ended(&self, id: GrantId) -> Ended {
        let ended = |why: EndReason, what: String| Ended {
            id,
            why,
            message: format!("grant {id} has ended: {what}"),
        };
        match self.find_grant(id) {
            Ok(Some(grant)) => match &grant.state {
                GrantState::Ended(end) => ended(end.why, end.to_string()),
                GrantState::Live | GrantState::Scheduled => {
                    ended(EndReason::Expired, format!("expired at {}", time(grant.until)))
                }
            },
            Ok(None) | Err(_) => ended(EndReason::NotRecorded, "nothing is known of it".to_owned()),
        }
    }
}
