//! Measures pgwarrant beside a bare splice, haproxy and poolers, in alternating rounds, on a
//! throwaway PostgreSQL, and prints one table.
//!
//! Progress goes to standard error, the table to standard output. Exit status: 0, 1 when a check
//! failed, 2 when it could not run. A missed bound is in the table and changes no exit status.

use std::io::Write;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::figure::Outcome;
use crate::report::Report;
use crate::world::{Effort, World};

mod bulk;
mod cells;
mod click;
mod cold;
mod contender;
mod criterion;
mod decided;
mod dial;
mod durable;
mod figure;
mod grants;
mod idle;
mod integrity;
mod latency;
mod logins;
mod machine;
mod memory;
mod meter;
mod people;
mod pgbench;
mod report;
mod revocation;
mod sent;
mod settings;
mod soak;
mod splice;
mod table;
mod view;
mod world;

/// One row of the comparison, which may add several lines to the table.
struct Row {
    /// For `--only`.
    id: &'static str,
    what: &'static str,
    run: fn(&mut World, &mut Report) -> Outcome<()>,
}

/// The row that no run goes without.
const CHECKS: &str = "integrity";

/// In the table's order. The checks come last: they look at what all the others have sent.
const ROWS: &[Row] = &[
    Row { id: "cells", what: "single rows of an unprotected table", run: cells::unprotected },
    Row { id: "masked", what: "single rows with masked columns", run: cells::masked },
    Row { id: "bulk", what: "a million rows", run: bulk::run },
    Row { id: "latency", what: "added latency", run: latency::run },
    Row { id: "durable", what: "raw rows, each with a durable record first", run: durable::run },
    Row { id: "revocation", what: "results that are cut off", run: revocation::run },
    Row { id: "click", what: "a result that a click in the web inbox cuts off", run: click::run },
    Row { id: "view", what: "masks against a view", run: view::run },
    Row { id: "cold", what: "templates that nobody has sent before", run: cold::run },
    Row { id: "decided", what: "requests that a rule approves", run: decided::run },
    Row { id: "logins", what: "logins", run: logins::run },
    Row { id: "idle", what: "memory of idle connections", run: idle::run },
    Row { id: CHECKS, what: "audit trail and masks", run: integrity::run },
];

/// Compare what proxies cost.
#[derive(Debug, Parser)]
#[command(name = "compare", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Fewer rounds and shorter ones; every row is still there
    #[arg(long)]
    quick: bool,
    /// Rounds, instead of 5, or 2 with --quick
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Measure these rows only; the checks are always made
    #[arg(long, value_name = "ROW", value_delimiter = ',')]
    only: Vec<String>,
    /// Pin everything to this core instead of the last one
    #[arg(long, value_name = "CORE")]
    core: Option<usize>,
    /// Add what Criterion has left in this directory to the table
    #[arg(long, value_name = "DIRECTORY")]
    criterion: Option<PathBuf>,
    /// Print the table as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Copy bytes between clients and a server, and nothing else
    Splice {
        #[arg(long, value_name = "ADDRESS")]
        listen: SocketAddr,
        #[arg(long, value_name = "ADDRESS")]
        upstream: SocketAddr,
    },
    /// Many clients for minutes, while grants come and go: is memory flat, and is there no error?
    Soak {
        /// Clients that send statement after statement
        #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(..=5_000))]
        busy: u32,
        /// Clients that wait
        #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(..=7_000))]
        idle: u32,
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_440))]
        minutes: u64,
        /// What a busy client waits between two statements, on average
        #[arg(long, value_name = "MS", default_value_t = 100)]
        pause: u64,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.verb {
        Some(Verb::Splice { listen, upstream }) => splice::run(*listen, *upstream).map(|()| true),
        Some(Verb::Soak { busy, idle, minutes, pause }) => soak::run(soak::Plan {
            busy: *busy,
            idle: *idle,
            time: Duration::from_secs(60 * minutes),
            pause: Duration::from_millis(*pause),
        }),
        None => compare(&cli),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Measures and prints; did every check hold?
fn compare(cli: &Cli) -> Outcome<bool> {
    let rows = chosen(&cli.only)?;
    let core = cli.core.unwrap_or_else(machine::default_core);
    machine::pin(core)?;
    machine::raise_file_limit()?;
    let mut effort = if cli.quick { Effort::quick() } else { Effort::full() };
    effort.rounds = cli.rounds.map_or(effort.rounds, usize::from);
    say("starting PostgreSQL and the contenders …");
    let mut world = World::start(effort, core)?;
    let mut report = Report::default();
    let heading = machine::heading(&world, core);
    for name in &world.absent {
        report.remarks.push(format!(
            "{name} was not found on the PATH nor in ${}, and so not measured",
            name.to_uppercase()
        ));
    }
    for row in rows {
        let began = std::time::Instant::now();
        say(&format!("{}: {} …", row.id, row.what));
        // A row that breaks takes no other with it: they took minutes.
        let outcome = catch_unwind(AssertUnwindSafe(|| (row.run)(&mut world, &mut report)));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => report.check(row.id, Err(error.to_string())),
            Err(_) => report.check(row.id, Err("it panicked".to_owned())),
        }
        say(&format!("{}: {:.0} s", row.id, began.elapsed().as_secs_f64()));
    }
    if let Some(directory) = &cli.criterion {
        criterion::add(directory, &mut report)?;
    }
    let mut stdout = std::io::stdout().lock();
    match cli.json {
        true => writeln!(stdout, "{}", table::json(&heading, &report))?,
        false => stdout.write_all(table::text(&heading, &report).as_bytes())?,
    }
    Ok(!report.failed())
}

fn chosen(only: &[String]) -> Outcome<Vec<&'static Row>> {
    if let Some(unknown) = only.iter().find(|id| !ROWS.iter().any(|row| row.id == id.as_str())) {
        let known: Vec<&str> = ROWS.iter().map(|row| row.id).collect();
        return Err(format!("there is no row {unknown:?}; there are {}", known.join(", ")).into());
    }
    let wanted = |row: &&Row| only.is_empty() || row.id == CHECKS || only.iter().any(|id| id == row.id);
    Ok(ROWS.iter().filter(wanted).collect())
}

/// Progress, to standard error.
fn say(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}
