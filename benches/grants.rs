//! What the live table costs with a million grants in it. Measured is the thread's CPU time.

mod cpu_time;
mod shop;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use pgwarrant_catalog::ColumnId;
use pgwarrant_grants::store::{Change, Saved};
use pgwarrant_grants::{
    Ask, ColumnPattern, Context, Grant, GrantState, Grounds, Group, Limits, Live, Principal, Request, Scope,
    Settings, Spent, Store, StoreError, TestClock, Urgency, Who,
};
use pgwarrant_sql::{Actions, OtherRows};

use self::cpu_time::CpuTime;

const GRANTS: u64 = 1_000_000;
/// One user holds so many of them, everybody else [`FEW`].
const MANY: u64 = 1_000;
const FEW: u64 = 5;
const NOW: i64 = 1_772_366_400_000;
/// Milliseconds that the first grant lives; each other one lives one longer.
const FIRST_ENDS: u64 = 3_600_000;
const DATABASE: &str = "shop";

/// A store that had a million grants when it was opened, and takes whatever comes.
struct Full;

impl Store for Full {
    fn load(&self, _history: usize) -> Result<Saved, StoreError> {
        let live = (1..=GRANTS).map(grant).collect();
        Ok(Saved { last_grant: GRANTS, last_request: GRANTS, live, ..Saved::default() })
    }
    fn trim(&self, _keep: usize) -> Result<(), StoreError> {
        Ok(())
    }
    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        black_box(changes);
        Ok(())
    }
    fn grant(&self, _id: u64) -> Result<Option<Grant>, StoreError> {
        Ok(None)
    }
    fn request(&self, _id: u64) -> Result<Option<Request>, StoreError> {
        Ok(None)
    }
    fn grounds(&self, _id: u64) -> Result<Option<Grounds>, StoreError> {
        Ok(None)
    }
}

fn grant(id: u64) -> Grant {
    let user = if id <= MANY { "many".to_owned() } else { format!("user{}", id / FEW) };
    let (column, attnum) = if id.is_multiple_of(2) { ("name", 2) } else { ("email", 3) };
    Grant {
        id,
        request: id,
        who: Who::User(user.clone()),
        asked_by: user,
        database: DATABASE.to_owned(),
        scope: Scope {
            columns: vec![ColumnPattern::Column {
                schema: "public".to_owned(),
                relation: "customers".to_owned(),
                column: column.to_owned(),
                id: ColumnId { relation: shop::CUSTOMERS, attnum },
            }],
            actions: Actions { select: true, ..Actions::default() },
            rows: None,
            others: OtherRows::Mask,
        },
        from: NOW,
        until: NOW + (FIRST_ENDS + id) as i64,
        not_after: None,
        person: String::new(),
        purpose: None,
        case: None,
        profile: None,
        urgency: Urgency::Normal,
        policies: Vec::new(),
        review: None,
        limits: Limits::default(),
        spent: Spent::default(),
        reason: "ticket".to_owned(),
        ticket: None,
        approvals: Vec::new(),
        state: GrantState::Live,
    }
}

fn person(user: &str) -> Principal {
    Principal::new(user, vec!["support".to_owned()])
}

fn settings() -> Settings {
    let support = Group { name: "support".to_owned(), may_request: true, ..Group::default() };
    let numbers = Settings::default();
    Settings {
        groups: vec![support],
        max_live: usize::MAX,
        max_pending: usize::MAX,
        max_pending_per_user: usize::MAX,
        history: 1_000,
        ..numbers
    }
}

fn lookups(criterion: &mut Criterion<CpuTime>) {
    let clock = TestClock::new(NOW);
    let live = Live::open(Full, clock.clone(), settings()).expect("the store is never broken");
    let catalogue = shop::catalogue();
    let mut newer = shop::catalogue();
    let mut group = criterion.benchmark_group("a million grants");
    for (name, who) in [("few", person("user777")), ("many", person("many")), ("none", person("nobody"))] {
        let watch = live.watch(&who);
        group.bench_function(format!("version, {name}"), |bencher| bencher.iter(|| watch.version()));
        group.bench_function(format!("access, {name}"), |bencher| {
            bencher.iter(|| live.access(&who, DATABASE, &catalogue))
        });
        // As after a change of the schema.
        group.bench_function(format!("access bound anew, {name}"), |bencher| {
            bencher.iter(|| {
                newer.version += 1;
                live.access(&who, DATABASE, &newer)
            })
        });
    }
    group.bench_function("is live", |bencher| bencher.iter(|| live.is_live(black_box(GRANTS / 2))));
    let ids = [GRANTS / 2, GRANTS / 3];
    group.bench_function("take rows", |bencher| bencher.iter(|| live.take_rows(black_box(&ids), 100)));
    let (asker, ask) = (person("user777"), ask());
    group.measurement_time(Duration::from_secs(1)).sample_size(10);
    group.bench_function("asking", |bencher| {
        bencher.iter_batched(
            || ask.clone(),
            |ask| live.request(&asker, DATABASE, &catalogue, ask, &Context::default()),
            BatchSize::SmallInput,
        )
    });
    clock.advance(FIRST_ENDS);
    // One ends at each look.
    group.bench_function("expiry", |bencher| {
        bencher.iter(|| {
            clock.advance(1);
            live.is_live(GRANTS)
        })
    });
    group.finish();
}

fn ask() -> Ask {
    Ask {
        columns: "customers.email".to_owned(),
        reason: Some("ticket".to_owned()),
        duration: Some("1 hour".to_owned()),
        ..Ask::default()
    }
}

criterion_group! { name = benches; config = CpuTime::criterion(); targets = lookups }
criterion_main!(benches);
