//! The live table: by number, by holder, and bound for each user.
//!
//! A user's *version* changes whenever their set of live grants does, so a session asks for it
//! before each statement (one hash probe) and for the rest only when it changed. Order matters:
//! a grant enters or leaves `holders` before versions move, and `access` reads the version before
//! `holders`; so what was bound from an older state is kept under an older version.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use pgwarrant_catalog::{Catalogue, Oid};
use pgwarrant_sql::{Access, GrantScope};

use crate::clock::MonotonicMs;
use crate::deciding::Deciding;
use crate::saving::lock;
use crate::spend::{Counter, Shown};
use crate::{End, Grant, GrantId, GrantState, Principal, Who};

/// Users with different sets of groups that are kept at hand, beyond those with sessions.
const MAX_SEATS: usize = 65_536;
/// Bound accesses shared by users with the same grants.
const MAX_BOUND: usize = 16_384;
/// Scopes in all of them together, some 250 bytes each: whoever gathers grants one by one leaves an
/// access of so many scopes behind with each.
const MAX_BOUND_SCOPES: usize = 100_000;
/// Grants that may go before what was bound for them is let go of, or a quarter of all that is bound.
const SWEEP: usize = 64;
/// Earlier sets of deciding columns that are remembered.
const MAX_EARLIER: usize = 16;
/// Databases of one user that are kept at hand.
const MAX_CACHED: usize = 16;

/// Gives access to new statements.
const OPEN: u8 = 0;
/// Its last use was taken: nothing for new statements, those under way may finish.
const CLOSING: u8 = 1;
/// Not one more row.
const ENDED: u8 = 2;

/// A grant in the live table.
#[derive(Debug)]
pub struct LiveGrant {
    /// As it began. Its number, holder, database, scope and limits never change.
    pub(crate) grant: Arc<Grant>,
    deadline: AtomicU64,
    /// Held while a statement is charged, disk included: whoever ends or lists the grant looks at
    /// `shown` instead.
    pub(crate) counter: Mutex<Counter>,
    pub(crate) shown: Shown,
    phase: AtomicU8,
    recorded: Mutex<Recorded>,
}

/// What has become of it since.
#[derive(Debug)]
struct Recorded {
    /// Extended, reviewed.
    grant: Arc<Grant>,
    end: Option<End>,
}

impl LiveGrant {
    pub(crate) fn new(grant: Arc<Grant>, deadline: MonotonicMs) -> Self {
        let counter = Mutex::new(Counter::new(grant.spent));
        let shown = Shown::new(grant.spent);
        let recorded = Mutex::new(Recorded { grant: grant.clone(), end: None });
        let deadline = AtomicU64::new(deadline);
        Self { grant, deadline, counter, shown, phase: AtomicU8::new(OPEN), recorded }
    }

    /// When its window ends.
    pub(crate) fn deadline(&self) -> MonotonicMs {
        self.deadline.load(Ordering::Acquire)
    }

    /// Must statements under way be cut off? One atomic load, for each batch of rows. Expiry sets
    /// it through [`crate::Live::run_expiry`]; [`crate::Live::is_live`] looks at the clock too.
    pub fn has_ended(&self) -> bool {
        self.phase.load(Ordering::Acquire) == ENDED
    }

    pub(crate) fn is_open(&self) -> bool {
        self.phase.load(Ordering::Acquire) == OPEN
    }

    /// The grant as it is now.
    pub fn grant(&self) -> Arc<Grant> {
        let recorded = lock(&self.recorded);
        let spent = self.shown.spent();
        if recorded.end.is_none() && spent == recorded.grant.spent {
            return recorded.grant.clone();
        }
        let state = recorded.end.clone().map_or(GrantState::Live, GrantState::Ended);
        Arc::new(Grant { spent, state, ..Grant::clone(&recorded.grant) })
    }

    /// Its record says something else from now on; how it ended stays what it is.
    pub(crate) fn amend(&self, change: impl FnOnce(&mut Grant)) {
        let mut recorded = lock(&self.recorded);
        change(Arc::make_mut(&mut recorded.grant));
    }

    /// False: it is not open any more. The caller sees to it that nobody ends it meanwhile.
    pub(crate) fn prolong(&self, extended: Arc<Grant>, deadline: MonotonicMs) -> bool {
        let mut recorded = lock(&self.recorded);
        let open = self.is_open();
        if open {
            recorded.grant = extended;
            self.deadline.store(deadline, Ordering::Release);
        }
        open
    }

    /// Open -> closing. False: it was not open.
    pub(crate) fn close(&self, end: End) -> bool {
        let mut recorded = lock(&self.recorded);
        let closed = self.is_open();
        if closed {
            recorded.end = Some(end);
            self.phase.store(CLOSING, Ordering::Release);
        }
        closed
    }

    /// Open or closing -> ended, whoever comes first. None: it had ended already; otherwise
    /// whether it was still open.
    pub(crate) fn end(&self, end: impl FnOnce(Option<&End>) -> End) -> Option<bool> {
        let mut recorded = lock(&self.recorded);
        if self.has_ended() {
            return None;
        }
        let was_open = self.is_open();
        recorded.end = Some(end(recorded.end.as_ref()));
        self.phase.store(ENDED, Ordering::Release);
        Some(was_open)
    }
}

/// A user with a set of groups, whose version somebody follows.
#[derive(Debug)]
pub(crate) struct Seat {
    principal: Principal,
    version: AtomicU64,
    bound: ArcSwap<Vec<Bound>>,
}

impl Seat {
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

#[derive(Debug, Clone)]
struct Bound {
    version: u64,
    database: String,
    catalogue: u64,
    access: Arc<Access>,
}

/// The database, and the relation and columns by which a grant says which rows it covers.
pub(crate) type RowKind = (String, Oid, Vec<i16>);

fn row_kind(grant: &Grant) -> Option<RowKind> {
    let rows = grant.scope.rows.as_ref()?;
    Some((grant.database.clone(), rows.relation, rows.columns.clone()))
}

pub(crate) struct Table {
    live: DashMap<GrantId, Arc<LiveGrant>>,
    /// Open grants only.
    holders: DashMap<Who, BTreeMap<GrantId, Arc<LiveGrant>>>,
    /// Approved, and not begun yet; nobody who runs a statement looks here.
    scheduled: Mutex<BTreeMap<GrantId, Arc<Grant>>>,
    seats: DashMap<Principal, Arc<Seat>>,
    /// What a set of grants amounts to in a database under a catalogue and a set of columns that
    /// decide. Scopes never change and numbers are never reused, so an entry is right for ever.
    bound: DashMap<(String, u64, u64, Vec<GrantId>), Arc<Access>>,
    /// Scopes that came to `bound` since it was last made smaller, and those that it had then.
    bound_scopes: AtomicUsize,
    /// How many grants have gone since `bound` was last swept.
    gone: AtomicUsize,
    nothing: Arc<Access>,
    /// How many of `live` and `scheduled` have rows of each kind: few kinds, however many grants.
    by_rows: Mutex<HashMap<RowKind, usize>>,
    /// With a number that no other set has had.
    deciding: ArcSwap<(u64, Deciding)>,
    /// Sets that there were before, the latest last. Held while one is made, so that none is put in
    /// the place of a newer one.
    earlier: Mutex<VecDeque<Arc<(u64, Deciding)>>>,
    versions: AtomicU64,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            live: DashMap::new(),
            holders: DashMap::new(),
            scheduled: Mutex::default(),
            seats: DashMap::new(),
            bound: DashMap::new(),
            bound_scopes: AtomicUsize::default(),
            gone: AtomicUsize::default(),
            nothing: Arc::default(),
            by_rows: Mutex::default(),
            deciding: ArcSwap::default(),
            earlier: Mutex::default(),
            versions: AtomicU64::new(1),
        }
    }

    fn next_version(&self) -> u64 {
        self.versions.fetch_add(1, Ordering::Relaxed)
    }

    /// Live and scheduled ones.
    pub(crate) fn len(&self) -> usize {
        self.live.len() + lock(&self.scheduled).len()
    }
    /// Live and scheduled ones.
    pub(crate) fn held_by(&self, who: &Who) -> usize {
        let scheduled = lock(&self.scheduled).values().filter(|grant| grant.who == *who).count();
        scheduled + self.holders.get(who).map_or(0, |held| held.len())
    }
    pub(crate) fn get(&self, id: GrantId) -> Option<Arc<LiveGrant>> {
        self.live.get(&id).map(|entry| entry.value().clone())
    }
    /// Is this true of it? False where there is none.
    pub(crate) fn look(&self, id: GrantId, is: impl FnOnce(&LiveGrant) -> bool) -> bool {
        self.live.get(&id).is_some_and(|entry| is(entry.value()))
    }
    pub(crate) fn all(&self) -> Vec<Arc<LiveGrant>> {
        self.live.iter().map(|entry| entry.value().clone()).collect()
    }

    pub(crate) fn insert(&self, grant: Arc<LiveGrant>) {
        self.count_rows(&grant.grant);
        self.put(grant);
    }

    fn put(&self, grant: Arc<LiveGrant>) {
        let who = grant.grant.who.clone();
        self.live.insert(grant.grant.id, grant.clone());
        self.holders.entry(who.clone()).or_default().insert(grant.grant.id, grant);
        self.changed(&HashSet::from([&who]));
    }

    pub(crate) fn schedule(&self, grant: Arc<Grant>) {
        self.count_rows(&grant);
        lock(&self.scheduled).insert(grant.id, grant);
    }

    pub(crate) fn scheduled(&self, id: GrantId) -> Option<Arc<Grant>> {
        lock(&self.scheduled).get(&id).cloned()
    }

    pub(crate) fn all_scheduled(&self) -> Vec<Arc<Grant>> {
        lock(&self.scheduled).values().cloned().collect()
    }

    /// From the scheduled ones to the live ones, at no moment in neither.
    pub(crate) fn begin(&self, grant: Arc<LiveGrant>) {
        let id = grant.grant.id;
        self.put(grant);
        lock(&self.scheduled).remove(&id);
    }

    /// None: it is not scheduled (any more).
    pub(crate) fn unschedule(&self, id: GrantId) -> Option<Arc<Grant>> {
        let grant = lock(&self.scheduled).remove(&id)?;
        self.discount_rows(&grant);
        Some(grant)
    }

    fn count_rows(&self, grant: &Grant) {
        if let Some(kind) = row_kind(grant) {
            *lock(&self.by_rows).entry(kind).or_default() += 1;
        }
    }

    fn discount_rows(&self, grant: &Grant) {
        let Some(kind) = row_kind(grant) else { return };
        let mut kinds = lock(&self.by_rows);
        if let Some(count) = kinds.get_mut(&kind) {
            *count -= 1;
            if *count == 0 {
                kinds.remove(&kind);
            }
        }
    }

    /// Takes it out of `holders`; the caller calls [`Table::changed`] before it goes on.
    pub(crate) fn withhold(&self, grant: &Grant) {
        if let Some(mut held) = self.holders.get_mut(&grant.who) {
            held.remove(&grant.id);
        }
        self.holders.remove_if(&grant.who, |_, held| held.is_empty());
    }

    pub(crate) fn forget(&self, id: GrantId) {
        if let Some((_, gone)) = self.live.remove(&id) {
            self.discount_rows(&gone.grant);
        }
        if self.gone.fetch_add(1, Ordering::Relaxed) >= SWEEP.max(self.bound.len() / 4) {
            self.gone.store(0, Ordering::Relaxed);
            self.sweep();
        }
    }

    /// Lets go of what was bound for grants that have gone, or for nobody that is at hand.
    fn sweep(&self) {
        self.bound.retain(|(.., grants), access| {
            let is_held = || Arc::strong_count(access) > 1;
            grants.is_empty() || is_held() && grants.iter().all(|id| self.live.contains_key(id))
        });
    }

    /// Keeps what is bound within its bounds: first what nobody has at hand goes, then all of it.
    fn make_room_for(&self, scopes: usize) {
        let too_many = |scopes| scopes > MAX_BOUND_SCOPES || self.bound.len() >= MAX_BOUND;
        if !too_many(self.bound_scopes.fetch_add(scopes, Ordering::Relaxed) + scopes) {
            return;
        }
        let mut kept = scopes;
        self.bound.retain(|_, access| {
            let is_held = Arc::strong_count(access) > 1;
            kept += if is_held { access.scopes.len() } else { 0 };
            is_held
        });
        // Room for as much again, so that not everybody who comes next has to look for some.
        if kept > MAX_BOUND_SCOPES / 2 || self.bound.len() > MAX_BOUND / 2 {
            self.bound.clear();
            kept = scopes;
        }
        self.bound_scopes.store(kept, Ordering::Relaxed);
    }

    /// Groups of the accounts of a person that have signed in.
    pub(crate) fn groups_of(&self, is: impl Fn(&Principal) -> bool) -> Vec<String> {
        let theirs = self.seats.iter().filter(|seat| is(seat.key()));
        theirs.flat_map(|seat| seat.key().groups.clone()).collect()
    }

    /// Moves the version of everybody who is or belongs to one of `holders`.
    pub(crate) fn changed(&self, holders: &HashSet<&Who>) {
        for seat in self.seats.iter() {
            if holders.iter().any(|who| who.includes(&seat.principal)) {
                seat.version.store(self.next_version(), Ordering::Release);
            }
        }
    }

    /// Puts the columns that decide in place; everybody's version moves if they are others than before.
    pub(crate) fn set_deciding(&self, make: impl FnOnce(&dyn Fn() -> Vec<RowKind>) -> Deciding) {
        let mut earlier = lock(&self.earlier);
        let deciding = make(&|| lock(&self.by_rows).keys().cloned().collect());
        let before = self.deciding.load_full();
        if before.1 == deciding {
            return;
        }
        // Grants for rows come and go, and are for the same columns most of the time: under its old
        // number, analyses of statements are found again.
        let known = earlier.iter().position(|known| known.1 == deciding).and_then(|at| earlier.remove(at));
        if earlier.len() >= MAX_EARLIER {
            earlier.pop_front();
        }
        earlier.push_back(before);
        let next = known.unwrap_or_else(|| Arc::new((self.next_version(), deciding)));
        self.deciding.store(next);
        for seat in self.seats.iter() {
            seat.version.store(self.next_version(), Ordering::Release);
        }
    }

    pub(crate) fn version(&self, who: &Principal) -> u64 {
        match self.seats.get(who) {
            Some(seat) => seat.version(),
            None => self.new_seat(who).version(),
        }
    }

    pub(crate) fn seat(&self, who: &Principal) -> Arc<Seat> {
        let known = self.seats.get(who).map(|seat| seat.value().clone());
        known.unwrap_or_else(|| self.new_seat(who))
    }

    fn new_seat(&self, who: &Principal) -> Arc<Seat> {
        if self.seats.len() >= MAX_SEATS {
            // Not those that a session holds: their versions must go on moving. Whoever comes back
            // for another gets a new version and looks again.
            self.seats.retain(|_, seat| Arc::strong_count(seat) > 1);
        }
        let seat = || {
            Arc::new(Seat {
                principal: who.clone(),
                version: AtomicU64::new(self.next_version()),
                bound: ArcSwap::default(),
            })
        };
        self.seats.entry(who.clone()).or_insert_with(seat).value().clone()
    }

    pub(crate) fn access(
        &self,
        who: &Principal,
        database: &str,
        catalogue: &Catalogue,
        now: MonotonicMs,
    ) -> Arc<Access> {
        let seat = self.seat(who);
        let version = seat.version();
        let fits = |bound: &&Bound| bound.version == version && bound.database == database;
        let known = seat.bound.load();
        if let Some(bound) = known.iter().filter(fits).find(|bound| bound.catalogue == catalogue.version) {
            return bound.access.clone();
        }
        let access = self.bind(who, database, catalogue, now);
        let bound = Bound {
            version,
            database: database.to_owned(),
            catalogue: catalogue.version,
            access: access.clone(),
        };
        let others = known.iter().filter(|other| other.version == version && other.database != database);
        let others: Vec<Bound> = others.take(MAX_CACHED - 1).cloned().collect();
        seat.bound.store(Arc::new(others.into_iter().chain([bound]).collect()));
        access
    }

    fn bind(&self, who: &Principal, database: &str, catalogue: &Catalogue, now: MonotonicMs) -> Arc<Access> {
        let mut held: BTreeMap<GrantId, Arc<LiveGrant>> = BTreeMap::new();
        let user = Who::User(who.user.clone());
        let groups = who.groups.iter().cloned().map(Who::Group);
        for holder in groups.chain([user]) {
            if let Some(grants) = self.holders.get(&holder) {
                let open = grants.iter().filter(|(_, live)| {
                    live.grant.database == database && live.is_open() && now < live.deadline()
                });
                held.extend(open.map(|(id, live)| (*id, live.clone())));
            }
        }
        let all = self.deciding.load();
        let (set, deciding) = match all.1.get(database) {
            Some(deciding) => (all.0, deciding.clone()),
            None => (0, Arc::default()),
        };
        if held.is_empty() && deciding.is_empty() {
            return self.nothing.clone();
        }
        let key = (database.to_owned(), catalogue.version, set, held.keys().copied().collect());
        if let Some(known) = self.bound.get(&key) {
            return known.value().clone();
        }
        let scopes: Vec<GrantScope> =
            held.iter().flat_map(|(id, live)| live.grant.scope.bind(*id, catalogue)).collect();
        self.make_room_for(scopes.len());
        let access = || Arc::new(Access { version: self.next_version(), scopes, deciding });
        self.bound.entry(key).or_insert_with(access).value().clone()
    }
}
