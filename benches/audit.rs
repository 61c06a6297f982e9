//! What a record costs in the audit trail: encoding it into its block, with the block's hash, and
//! handing it to a trail whose thread writes to sled. Beside it, the same record as one line of JSON.
//!
//! Measured is the CPU time of this thread, and for the trail that of all its threads.

mod cpu_time;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pgwarrant_audit::chain::{self, Body};
use pgwarrant_audit::{Decision, Entry, Event, Head, Kind, Record, Settings, Trail, open_database};
use rustix::time::{ClockId, clock_gettime};

use self::cpu_time::CpuTime;

/// Sessions that take turns, each with a statement of its own; so many records a round.
const SESSIONS: u64 = 8;
/// 2026-03-01T00:00:00Z, µs
const MARCH: i64 = 1_772_323_200_000_000;

fn record(session: u64) -> Record {
    let mut record = Record::new(Kind::Statement, Decision::Masked, MARCH);
    record.session = session;
    record.user = "ada".into();
    record.groups = vec!["engineering".to_owned()].into();
    record.address = "127.0.0.1:40000".into();
    record.application = "pgbench".into();
    record.database = "shop".into();
    record.class = "select".into();
    record.fingerprint = 0xfedc_ba98_7654_3210 + session;
    record.text = "SELECT id, name, email FROM customers WHERE id = ?".into();
    record.relations = vec!["public.customers".to_owned()];
    record.masked = vec!["public.customers.name".to_owned(), "public.customers.email".to_owned()];
    record
}

fn entries() -> Vec<Entry> {
    (1..=SESSIONS).map(|session| record(session).into()).collect()
}

/// The `number`th of 20,000 events a second.
fn event(number: u64) -> Event {
    let mut event = Event::new(Kind::Statement, Decision::Masked, MARCH + number as i64 * 50);
    event.rows = 1;
    event.bytes = 40 + number % 20;
    event.duration_us = 100 + number % 200;
    event
}

fn encode(criterion: &mut Criterion<CpuTime>) {
    let entries = entries();
    let mut group = criterion.benchmark_group("audit");
    group.throughput(Throughput::Elements(SESSIONS));
    group.bench_function("encode", |bencher| {
        let mut body = Body::default();
        let mut numbers = 0..;
        bencher.iter(|| {
            for (entry, number) in entries.iter().zip(&mut numbers) {
                black_box(body.push(&entry.who, &entry.shape, &event(number)));
            }
        });
    });
    group.bench_function("encode and seal", |bencher| {
        let mut body = Body::default();
        let mut head: Option<Head> = None;
        let mut numbers = 0..;
        bencher.iter(|| {
            for (entry, number) in entries.iter().zip(&mut numbers) {
                if let Some(full) = body.push(&entry.who, &entry.shape, &event(number)) {
                    head = Some(chain::seal(head.as_ref(), full, 0).1);
                }
            }
        });
    });
    group.bench_function("as JSON", |bencher| {
        let records: Vec<Record> = (1..=SESSIONS).map(record).collect();
        let mut json = Vec::new();
        bencher.iter(|| {
            for record in &records {
                json.clear();
                serde_json::to_writer(&mut json, record).expect("JSON");
                black_box(&json);
            }
        });
    });
}

/// All threads, and until everything is on disk.
fn trail(criterion: &mut Criterion<CpuTime>) {
    let entries = entries();
    let mut group = criterion.benchmark_group("audit");
    group.throughput(Throughput::Elements(SESSIONS));
    group.bench_function("trail, all threads", |bencher| {
        bencher.iter_custom(|rounds| {
            let directory = tempfile::tempdir().expect("a directory");
            let database = open_database(directory.path()).expect("a store");
            let trail = Trail::open(&database, directory.path(), Settings::default()).expect("a trail");
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let begin = process_time();
            runtime.block_on(async {
                for round in 0..rounds {
                    for (entry, number) in entries.iter().zip(round * SESSIONS..) {
                        let event = event(number);
                        if !trail.try_append_parts(&entry.who, &entry.shape, &event).expect("open") {
                            let entry = Entry { event, ..entry.clone() };
                            trail.append_entry(entry).await.expect("open");
                        }
                    }
                }
                trail.close().await.expect("closed");
            });
            process_time().saturating_sub(begin)
        });
    });
}

fn process_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

criterion_group! {
    name = benches;
    config = CpuTime::criterion();
    targets = encode, trail
}
criterion_main!(benches);
