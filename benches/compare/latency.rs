//! What a proxy adds to the time that one client waits for a row.

use crate::figure::{Outcome, quantile};
use crate::pgbench::{self, Load, Protocol};
use crate::report::{DIRECT, Line, PGWARRANT, Report};
use crate::say;
use crate::world::World;

const APPLICATION: &str = "bench latency";
/// Which part of the transactions waits no longer.
const QUANTILES: [(&str, f64); 2] = [("p50", 0.50), ("p99", 0.99)];
const PROTOCOLS: [Protocol; 2] = [Protocol::Simple, Protocol::Prepared];

pub fn run(world: &mut World, report: &mut Report) -> Outcome<()> {
    for protocol in PROTOCOLS {
        for (quantile, _) in QUANTILES {
            report.line(Line::new(&name(quantile, protocol), "µs"));
        }
    }
    let mut sent = 0;
    for round in 0..world.effort.rounds {
        say(&format!("  latency, round {} of {}", round + 1, world.effort.rounds));
        for protocol in PROTOCOLS {
            let mut measured = Vec::new();
            for contender in world.turn(round) {
                let prefix = world.directory.path().join("latency");
                let load = Load {
                    protocol,
                    clients: 1,
                    transactions: world.effort.transactions,
                    script: None,
                    application: APPLICATION,
                    log: Some(&prefix),
                };
                let run = pgbench::run(&world.endpoint(contender), &load)?;
                if contender.name == PGWARRANT {
                    sent += run.transactions;
                }
                measured.push((contender.name, pgbench::latencies(&prefix)?));
            }
            let direct =
                measured.iter().find(|(name, _)| *name == DIRECT).ok_or("direct was not measured")?;
            for (contender, latencies) in measured.iter().filter(|(name, _)| *name != DIRECT) {
                for (label, part) in QUANTILES {
                    let added = quantile(latencies, part) - quantile(&direct.1, part);
                    report.sample(&name(label, protocol), contender, added);
                }
            }
        }
    }
    world.sent.add(APPLICATION, "pgbench_accounts", sent);
    Ok(())
}

fn name(quantile: &str, protocol: Protocol) -> String {
    format!("added latency {quantile}, {} c1", protocol.name())
}
