//! Logins one after another: connect, sign in with SCRAM, `SELECT 1`, close.

use std::time::{Duration, Instant};

use crate::dial::{Client, Endpoint};
use crate::figure::Outcome;
use crate::meter::Meter;
use crate::report::{DIRECT, Line, PGBOUNCER, PGWARRANT, Report};
use crate::world::World;

const RATE: &str = "logins, SCRAM, c1";
const CPU: &str = "CPU, login";

pub fn run(world: &mut World, report: &mut Report) -> Outcome<()> {
    report.line(Line::new(RATE, "logins/s"));
    report.line(Line::new(CPU, "ms/login"));
    let time = Duration::from_millis(if world.effort.quick { 700 } else { 3000 });
    for round in 0..world.effort.rounds {
        for contender in world.turn(round) {
            if ![DIRECT, PGBOUNCER, PGWARRANT].contains(&contender.name) {
                continue;
            }
            let endpoint = world.endpoint(contender).with_application("bench logins");
            let seen = logins(&endpoint, time)?;
            report.sample(RATE, contender.name, seen.per_second);
            if contender.name != DIRECT {
                report.sample(CPU, contender.name, seen.cpu_ms);
            }
        }
    }
    Ok(())
}

/// What logins cost in one round.
struct Logins {
    per_second: f64,
    /// Processor time of the endpoint's processes for each login.
    cpu_ms: f64,
}

/// Signs in again and again for as long as `time` says.
fn logins(endpoint: &Endpoint, time: Duration) -> Outcome<Logins> {
    // The first may fill what all others use.
    login(endpoint)?;
    let meter = Meter::start(&endpoint.pids)?;
    let started = Instant::now();
    let mut count = 0u32;
    while started.elapsed() < time {
        login(endpoint)?;
        count += 1;
    }
    let elapsed = started.elapsed();
    let used = meter.stop()?;
    Ok(Logins {
        per_second: f64::from(count) / elapsed.as_secs_f64(),
        cpu_ms: used * 1000.0 / f64::from(count),
    })
}

fn login(endpoint: &Endpoint) -> Outcome<()> {
    Client::connect(endpoint)?.run("SELECT 1").map(|_| ())
}
