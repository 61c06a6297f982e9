//! pgbench's cells: processor time of the proxy a transaction, and transactions a second.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pgwarrant_throwaway::SUPERUSER;

use crate::contender::Contender;
use crate::figure::Outcome;
use crate::meter::Meter;
use crate::pgbench::{self, Load, Protocol, Run};
use crate::report::{Bound, DIRECT, Line, PGBOUNCER, PGWARRANT, Report, SPLICE};
use crate::say;
use crate::sent::{for_pgbench, sent_for};
use crate::world::World;

/// Connections at once.
const CLIENTS: [u32; 2] = [1, 8];

/// What the transactions of a set of six cells do, and what is asked of them.
struct Set {
    /// Before the cell's name, in the table and in `application_name`.
    name: &'static str,
    /// pgbench's own `-S` where there is none.
    script: Option<PathBuf>,
    /// What all contenders but pgwarrant run instead, so that the database has the same to do.
    others: Option<PathBuf>,
    /// The relation that the statement names.
    relation: &'static str,
    masked: bool,
    must: f64,
    aim: f64,
}

/// Single rows of pgbench_accounts, which holds nothing protected.
pub fn unprotected(world: &mut World, report: &mut Report) -> Outcome<()> {
    let set = Set {
        name: "unprotected",
        script: None,
        others: None,
        relation: "pgbench_accounts",
        masked: false,
        must: 1.25,
        aim: 1.15,
    };
    measure(world, report, &set)
}

/// Single rows of a table of whose columns three of five are masked. Masks cost the database: so the
/// others run the text that pgwarrant makes of the statement, and wait as long for the answer.
pub fn masked(world: &mut World, report: &mut Report) -> Outcome<()> {
    // A number that the masks do not hold.
    const ID: &str = "112233";
    let place = |name: &str| world.directory.path().join(name);
    let (script, others) = (place("masked.sql"), place("masked-by-hand.sql"));
    let statement = |id: &str| format!("SELECT id, name, email, phone, city FROM people WHERE id = {id}");
    let proxy = world.pgwarrant()?.with_application("bench masked text");
    let direct = world.endpoint(world.contender(DIRECT)?).with_user(SUPERUSER, "");
    let sent = for_pgbench(&sent_for(&proxy, &direct, &statement(ID))?.replace(ID, ":id"));
    let write = |path: &Path, sql: &str| fs::write(path, format!("{VARIABLE}{sql};\n"));
    write(&script, &statement(":id"))?;
    write(&others, &sent)?;
    let set = Set {
        name: "masked",
        script: Some(script),
        others: Some(others),
        relation: "people",
        masked: true,
        must: 1.30,
        aim: 1.20,
    };
    measure(world, report, &set)
}

/// The line of pgbench's scripts that chooses a row.
const VARIABLE: &str = "\\set id random(1, 200000)\n";

/// A protocol and a number of connections.
#[derive(Clone, Copy, Debug)]
struct Cell {
    protocol: Protocol,
    clients: u32,
}

impl Cell {
    fn all() -> Vec<Cell> {
        let of = |protocol| CLIENTS.map(|clients| Cell { protocol, clients });
        Protocol::ALL.into_iter().flat_map(of).collect()
    }

    fn line(self, quantity: &str, set: &Set) -> String {
        format!("{quantity}, {}, {} c{}", set.name, self.protocol.name(), self.clients)
    }
}

fn measure(world: &mut World, report: &mut Report, set: &Set) -> Outcome<()> {
    for cell in Cell::all() {
        let line = Line::new(&cell.line("CPU", set), "µs/tx")
            .bound(Bound::ratio_at_most(PGWARRANT, SPLICE, set.must).aim(set.aim));
        report.line(match set.masked {
            true => line.bound(Bound::ratio(PGWARRANT, PGBOUNCER)),
            false => line.bound(Bound::below(PGWARRANT, PGBOUNCER)),
        });
    }
    for cell in Cell::all() {
        report.line(Line::new(&cell.line("rate", set), "tx/s").bound(Bound::ratio(PGWARRANT, DIRECT)));
    }
    let mut bench = Bench { world, set, application: format!("bench {}", set.name), sent: 0 };
    bench.warm_up()?;
    let apart = bench.apart()?;
    let mut open: HashMap<&'static str, Open> = HashMap::new();
    for round in 0..bench.world.effort.rounds {
        say(&format!("  {} cells, round {} of {}", set.name, round + 1, bench.world.effort.rounds));
        for (place, cell) in Cell::all().into_iter().enumerate() {
            for contender in bench.world.turn(round + place) {
                if let Some(open) = open.remove(contender.name) {
                    open.close(&apart, set, report)?;
                }
                let meter = Meter::start(&contender.pids())?;
                let run = bench.load(contender, cell, bench.world.effort.transactions)?;
                report.sample(&cell.line("rate", set), contender.name, run.rate);
                if contender.name != DIRECT {
                    let (name, transactions) = (contender.name, run.transactions);
                    open.insert(name, Open { name, cell, meter, transactions, ended: Instant::now() });
                }
            }
        }
    }
    bench.world.settle();
    for open in open.into_values() {
        open.close(&apart, set, report)?;
    }
    let (application, sent) = (bench.application, bench.sent);
    world.sent.add(&application, set.relation, sent);
    if set.masked {
        world.sent.masked(&application);
    }
    Ok(())
}

/// What is on a contender's account and no transaction's.
#[derive(Clone, Copy, Debug, Default)]
struct Apart {
    /// Seconds of processor time that each second without a client costs: timers, and pgwarrant's
    /// glance at the schema.
    idle: f64,
    /// Seconds of processor time of a run with one transaction a connection, for each of CLIENTS:
    /// sign-ins have a row of their own.
    sign_ins: [f64; CLIENTS.len()],
}

/// A run whose account is still open. It is closed when the contender's next run begins, so that
/// what a contender puts off until later is on it too: pgwarrant's audit trail is written behind the
/// statements.
struct Open {
    name: &'static str,
    cell: Cell,
    meter: Meter,
    transactions: u64,
    ended: Instant,
}

impl Open {
    fn close(self, apart: &HashMap<&'static str, Apart>, set: &Set, report: &mut Report) -> Outcome<()> {
        let Apart { idle, sign_ins } = apart.get(self.name).copied().unwrap_or_default();
        let clients = self.cell.clients;
        let sign_in = CLIENTS.into_iter().zip(sign_ins).find(|(count, _)| *count == clients);
        let between = idle * self.ended.elapsed().as_secs_f64();
        let used = self.meter.stop()? - between - sign_in.map_or(0.0, |(_, cost)| cost);
        let transactions = self.transactions.saturating_sub(clients.into()).max(1);
        report.sample(&self.cell.line("CPU", set), self.name, used / transactions as f64 * MICROSECONDS);
        Ok(())
    }
}

const MICROSECONDS: f64 = 1e6;
/// Runs of which the cost of sign-ins is the mean.
const SIGN_INS: u32 = 5;
/// How long contenders are watched without a client.
const IDLE: Duration = Duration::from_secs(2);

struct Bench<'a> {
    world: &'a World,
    set: &'a Set,
    application: String,
    /// Transactions that went through pgwarrant.
    sent: u64,
}

impl Bench<'_> {
    fn warm_up(&mut self) -> Outcome<()> {
        let world = self.world;
        for cell in Cell::all() {
            for contender in world.contenders() {
                self.load(contender, cell, world.effort.transactions / 8)?;
            }
        }
        world.settle();
        Ok(())
    }

    fn apart(&mut self) -> Outcome<HashMap<&'static str, Apart>> {
        let world = self.world;
        let proxies: Vec<&Contender> =
            world.contenders().iter().filter(|contender| contender.name != DIRECT).collect();
        let mut apart = HashMap::new();
        let mut meters = Vec::new();
        for contender in &proxies {
            meters.push((contender.name, Meter::start(&contender.pids())?));
        }
        std::thread::sleep(IDLE);
        for (name, meter) in meters {
            let idle = meter.stop()? / IDLE.as_secs_f64();
            apart.insert(name, Apart { idle, ..Apart::default() });
        }
        for (place, clients) in CLIENTS.into_iter().enumerate() {
            let cell = Cell { protocol: Protocol::Simple, clients };
            let mut meters = Vec::new();
            for contender in &proxies {
                meters.push((contender.name, Instant::now(), Meter::start(&contender.pids())?));
                for _ in 0..SIGN_INS {
                    self.load(contender, cell, clients.into())?;
                }
            }
            world.settle();
            for (name, began, meter) in meters {
                let Some(apart) = apart.get_mut(name) else { continue };
                let used = meter.stop()? - apart.idle * began.elapsed().as_secs_f64();
                if let Some(cost) = apart.sign_ins.get_mut(place) {
                    *cost = used.max(0.0) / f64::from(SIGN_INS);
                }
            }
        }
        Ok(apart)
    }

    fn load(&mut self, contender: &Contender, cell: Cell, transactions: u64) -> Outcome<Run> {
        let others = self.set.others.as_ref().filter(|_| contender.name != PGWARRANT);
        let script = others.or(self.set.script.as_ref()).map(PathBuf::as_path);
        let load = Load {
            protocol: cell.protocol,
            clients: cell.clients,
            transactions: (transactions / u64::from(cell.clients)).max(1),
            script,
            application: &self.application,
            log: None,
        };
        let run = pgbench::run(&self.world.endpoint(contender), &load)?;
        if contender.name == PGWARRANT {
            self.sent += run.transactions;
        }
        Ok(run)
    }
}
