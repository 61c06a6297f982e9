//! PostgreSQL's own client programs, through the proxy and past it as the same role.

use std::process::Command;

use pgwarrant_tests::{Run, psql};

use crate::{Bench, run_of};

/// psql's commands that ask the catalogs.
const COMMANDS: &str = r"\d
\d+
\d customers
\d+ customers
\d page_views
\d+ hr.employees
\d+ crm.members
\d+ crm.letters
\d crm.by_provider
\d crm.tickets
\d pg_catalog.pg_settings
\dS pg_stats
\dt
\dt+
\dt *.*
\dv
\dv+
\dm
\dm+
\di
\di+
\ds
\dE
\df
\df+
\df *.*
\da
\dn
\dn+
\du
\du+
\dg
\dp
\z
\ddp
\dx
\dx+
\sf email_of
\sf+ vat
\sv customer_directory
\dT
\dT+
\dD
\db
\dc
\dC
\dd
\dF
\dFp
\dL
\do
\dO
\dP
\dP+
\dRp
\dRs
\dX
\dy
\det
\dew
\des
\deu
\dA
\dAc
\dAf
\dAo
\dAp
\dconfig
\dl
\encoding
";

#[tokio::test]
async fn psql_s_commands_show_what_they_show_the_role_itself() {
    let bench = Bench::new().await;
    let role = bench.direct().replace("user=postgres", "user=shop_app client_encoding=UTF8");
    let script: String =
        COMMANDS.lines().map(|command| format!("\\echo ==> '{command}'\n{command}\n")).collect();
    let through = psql(&bench.proxy.conninfo("ada"), &[], &script);
    let direct = psql(&role, &[], &script);
    assert_eq!(through.stderr, direct.stderr);
    let shown = |run: &Run| run.stdout.split("==> ").map(str::to_owned).collect::<Vec<_>>();
    for (through, direct) in shown(&through).iter().zip(shown(&direct)) {
        assert_eq!(*through, direct);
    }
    assert_eq!(shown(&through).len(), COMMANDS.lines().count() + 1);
    // Other tests' databases come and go.
    let list = psql(&bench.proxy.conninfo("ada"), &["-A", "-t"], "\\l+");
    assert!(list.stdout.contains(&bench.shop.database), "{}{}", list.stdout, list.stderr);
}

/// A client program, its arguments but for the connection, and what it says: on success nothing
/// that is looked for is needed.
const PROGRAMS: [(&str, &[&str], Result<&str, &str>); 13] = [
    ("psql", &["-l", "shop"], Ok("shop")),
    ("pg_isready", &[], Ok("accepting connections")),
    ("vacuumdb", &["-t", "products"], Ok("")),
    ("vacuumdb", &["--analyze-only", "-t", "customers"], Ok("vacuuming")),
    ("reindexdb", &["-t", "customers"], Err("must be owner of table customers")),
    ("clusterdb", &[], Ok("")),
    ("pgbench", &["-i", "-q", "-s", "1"], Ok("done")),
    ("pgbench", &["-n", "-t", "5"], Ok("number of failed transactions: 0")),
    ("pgbench", &["-n", "-t", "5", "-M", "prepared"], Ok("number of failed transactions: 0")),
    ("pg_dumpall", &["--roles-only", "--no-role-passwords", "-l", "shop"], Ok("CREATE ROLE")),
    ("pg_dumpall", &["--roles-only", "-l", "shop"], Err("permission denied for table pg_authid")),
    (
        "createdb",
        &["--maintenance-db=shop", "another"],
        Err("CREATE DATABASE is not allowed through pgwarrant"),
    ),
    ("dropdb", &["--maintenance-db=shop", "another"], Err("\"another\" does not exist")),
];

#[tokio::test]
async fn client_programs_do_what_they_do_for_the_role_itself() {
    let bench = Bench::new().await;
    for (program, arguments, expected) in PROGRAMS {
        let run = signed_in(&bench, program, arguments);
        let said = format!("{}\n{}", run.stdout, run.stderr);
        let (success, text) = match expected {
            Ok(text) => (true, text),
            Err(text) => (false, text),
        };
        assert_eq!(run.success, success, "{program} {arguments:?}: {said}");
        assert!(said.contains(text), "{program} {arguments:?}: {said}");
    }
    // A dump of roles has no password in it, not even hashed.
    let roles = signed_in(&bench, "pg_dumpall", &["--roles-only", "--no-role-passwords", "-l", "shop"]);
    assert!(!roles.stdout.contains("SCRAM-SHA-256"), "{}", roles.stdout);
}

/// Runs a program that takes the connection from the environment, as ada.
fn signed_in(bench: &Bench, program: &str, arguments: &[&str]) -> Run {
    let output = Command::new(program)
        .args(arguments)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", bench.proxy.port.to_string())
        .env("PGDATABASE", "shop")
        .env("PGUSER", "ada")
        .env("PGPASSWORD", "ada-demo")
        .output()
        .unwrap_or_else(|error| panic!("{program} runs: {error}"));
    run_of(&output)
}
