//! Raw protected rows under a grant, by several clients at once. The record of each such statement
//! is durable in the audit trail before its first row goes out; what that costs is the difference
//! from the same statement on the unprotected twin of the table, whose records nobody waits for.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::dial::{Client, Endpoint};
use crate::figure::{Outcome, quantile};
use crate::grants::Office;
use crate::people::PEOPLE;
use crate::report::{Bound, Line, PGWARRANT, Report, SPLICE};
use crate::settings::{APPROVER, ASKER, password};
use crate::world::World;

const RATE: &str = "raw rows, durable audit, c8";
/// The rate on the twin, through pgwarrant too.
const UNAUDITED: &str = "pgwarrant, unprotected twin";
/// Its statements in the audit trail.
const APPLICATION: &str = "bench durable";

/// Clients at once; their records share a sync of the disk.
const CLIENTS: u32 = 8;

pub fn run(world: &mut World, report: &mut Report) -> Outcome<()> {
    report.line(
        Line::new(RATE, "rows/s")
            .bound(Bound::ratio_at_least(PGWARRANT, UNAUDITED, 0.7).aim(0.85))
            .bound(Bound::ratio(PGWARRANT, SPLICE))
            .note(format!(
                "an fdatasync of the trail's disk takes {:.2} ms",
                sync_ms(world.directory.path())?
            )),
    );
    let asker = world.pgwarrant()?.with_user(ASKER, &password(ASKER));
    let approver = world.pgwarrant()?.with_user(APPROVER, &password(APPROVER));
    let reader = asker.with_application(APPLICATION);
    let splice = world.endpoint(world.contender(SPLICE)?);
    let time = Duration::from_millis(if world.effort.quick { 700 } else { 3000 });
    let mut office = Office::open(&asker, &approver)?;
    let grant = office.grant("people.*")?;
    let mut rows = 0;
    for round in 0..world.effort.rounds {
        for turn in 0..3 {
            match (round + turn) % 3 {
                0 => {
                    let read = read_all(&reader, "people", time)?;
                    rows += read.rows;
                    report.sample(RATE, PGWARRANT, read.per_second);
                }
                1 => report.sample(RATE, UNAUDITED, read_all(&asker, "people_open", time)?.per_second),
                _ => report.sample(RATE, SPLICE, read_all(&splice, "people_open", time)?.per_second),
            }
        }
    }
    world.sent.add(APPLICATION, "people", rows);
    office.revoke(&grant)
}

/// What making 4 kB durable takes, in milliseconds: the least that a first raw row waits.
fn sync_ms(directory: &Path) -> Outcome<f64> {
    let mut file = File::create(directory.join("sync"))?;
    let mut times = Vec::new();
    for _ in 0..100 {
        let started = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(quantile(&times, 0.5))
}

/// What the clients of one round have read together.
struct Read {
    rows: u64,
    per_second: f64,
}

/// All clients at once, each with a prepared statement that reads one row of `table` by key.
fn read_all(endpoint: &Endpoint, table: &str, time: Duration) -> Outcome<Read> {
    let sql = format!("SELECT id, name, email, phone, ssn, birth_date FROM {table} WHERE id = $1::bigint");
    let ready = Barrier::new(CLIENTS as usize);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (sql, ready) = (&sql, &ready);
                scope.spawn(move || {
                    let prepared = Client::connect(endpoint)
                        .and_then(|mut client| client.prepare("read", sql).map(|()| client));
                    // Also where it failed: the others wait for everybody.
                    ready.wait();
                    read(prepared?, number, time)
                })
            })
            .collect();
        let mut all = Read { rows: 0, per_second: 0.0 };
        for client in clients {
            let read = client.join().map_err(|_| "a client panicked")??;
            all.rows += read.rows;
            all.per_second += read.per_second;
        }
        Ok(all)
    })
}

fn read(mut client: Client, number: u32, time: Duration) -> Outcome<Read> {
    let started = Instant::now();
    let mut count = 0u32;
    while started.elapsed() < time {
        let id = 1 + (count.wrapping_mul(7919).wrapping_add(number * 25_000)) % PEOPLE;
        let rows = client.execute("read", &id.to_string())?;
        if rows != 1 {
            return Err(format!("{rows} rows where one was asked for").into());
        }
        count += 1;
    }
    Ok(Read { rows: count.into(), per_second: f64::from(count) / started.elapsed().as_secs_f64() })
}
