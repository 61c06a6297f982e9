//! Runs a command with a throwaway PostgreSQL at hand.
//!
//! `with-postgres cargo nextest run …` starts a server, loads the sample shop into the template
//! database that each test copies, tells the command where it is in `PGWARRANT_TEST_PG`, and stops
//! the server when the command has ended. The exit status is the command's.

use std::io::Write;
use std::process::{Command, ExitCode};

use pgwarrant_tests::{SERVER_VARIABLE, TEMPLATE};
use pgwarrant_throwaway::{Cluster, Options, SHOP};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        return fail("usage: with-postgres COMMAND [ARGUMENT …]");
    };
    let settings = ["max_connections = 400", "track_activity_query_size = 4096"].map(str::to_owned).to_vec();
    let cluster = match Cluster::start(&Options { settings, ..Options::default() }) {
        Ok(cluster) => cluster,
        Err(error) => return fail(&format!("error: {error}\nHINT: {}", error.hint())),
    };
    let prepared = cluster
        .script("postgres", &format!("CREATE DATABASE {TEMPLATE}"))
        .and_then(|_| cluster.script(TEMPLATE, SHOP));
    if let Err(error) = prepared {
        return fail(&format!("error: {error}"));
    }
    let status = Command::new(&program)
        .args(arguments)
        .env(SERVER_VARIABLE, cluster.url("postgres"))
        .env("PGWARRANT_TEST_PG_DIRECTORY", cluster.directory())
        .status();
    drop(cluster);
    match status {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => fail(&format!("error: could not run {}: {error}", program.display())),
    }
}

fn fail(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{message}");
    ExitCode::from(2)
}
