//! A million rows at once: processor time of the proxy for each gigabyte that reaches the client.

use crate::contender::Contender;
use crate::dial::{Client, Endpoint};
use crate::figure::Outcome;
use crate::meter::Meter;
use crate::report::{Bound, DIRECT, Line, PGWARRANT, Report, SPLICE};
use crate::say;
use crate::world::{ACCOUNTS, World};

/// The two ways to read a whole table, and how the table of figures calls them.
const WAYS: [(&str, &str); 2] = [
    ("bulk, SELECT 1 M rows", "SELECT * FROM pgbench_accounts"),
    ("bulk, COPY TO STDOUT 1 M rows", "COPY pgbench_accounts TO STDOUT"),
];
const GIGABYTE: f64 = 1e9;

pub fn run(world: &mut World, report: &mut Report) -> Outcome<()> {
    let mut sent = 0;
    for (line, _) in WAYS {
        report
            .line(Line::new(line, "CPU s/GB").bound(Bound::ratio_at_most(PGWARRANT, SPLICE, 1.15).aim(1.05)));
    }
    for (_, sql) in WAYS {
        // PostgreSQL's cache is warm after one.
        read(&world.endpoint(world.contender(DIRECT)?), sql)?;
    }
    let rounds = if world.effort.quick { 1 } else { world.effort.rounds };
    for round in 0..rounds {
        say(&format!("  bulk, round {} of {rounds}", round + 1));
        for (place, (line, sql)) in WAYS.into_iter().enumerate() {
            for contender in world.turn(round + place).into_iter().filter(|one| one.name != DIRECT) {
                report.sample(line, contender.name, cost(world, contender, sql)?);
                if contender.name == PGWARRANT {
                    sent += 1;
                }
            }
        }
    }
    world.sent.add(APPLICATION, "pgbench_accounts", sent);
    Ok(())
}

/// As the client of these rows calls itself.
const APPLICATION: &str = "bench bulk";

/// Seconds a gigabyte.
fn cost(world: &World, contender: &Contender, sql: &str) -> Outcome<f64> {
    let endpoint = world.endpoint(contender).with_application(APPLICATION);
    let mut client = Client::connect(&endpoint)?;
    let meter = Meter::start(&endpoint.pids)?;
    let bytes = drain(&mut client, sql)?;
    Ok(meter.stop()? / (bytes as f64 / GIGABYTE))
}

fn read(endpoint: &Endpoint, sql: &str) -> Outcome<u64> {
    drain(&mut Client::connect(endpoint)?, sql)
}

/// Runs a statement and throws its rows away; how many bytes came.
fn drain(client: &mut Client, sql: &str) -> Outcome<u64> {
    client.send_query(sql)?;
    let (mut bytes, mut rows) = (0, 0);
    loop {
        let frame = client.expect()?;
        bytes += 5 + frame.body.len() as u64;
        match frame.tag {
            b'D' | b'd' => rows += 1,
            b'Z' if rows == ACCOUNTS => return Ok(bytes),
            b'Z' => return Err(format!("{rows} rows came of {ACCOUNTS}").into()),
            _ => {}
        }
    }
}
