//! Proves: pg_dump through the proxy makes an anonymised dump that restores, raw values leave with
//! `export` alone, and PostgreSQL's own client programs work.

mod copies;
mod export;
mod grants;
mod restore;
mod settings;
mod tools;

use std::path::Path;
use std::process::{Command, Output};

use pgwarrant_tests::{Proxy, Run, Settings, Shop, psql, server_port};

/// A shop with more kinds of objects in it, and the proxy in front of it.
struct Bench {
    proxy: Proxy,
    shop: Shop,
}

const LABELS: &str = r#"
[[label]]
columns = ["crm.members.email", "crm.letters.member"]
category = "membership"
mask = "token"

[[label]]
columns = ["crm.members.nick", "crm.leads.name"]
category = "membership"

[[label]]
columns = "crm.members.phone"
category = "membership"
mask = { constant = "+0" }
"#;

impl Bench {
    async fn new() -> Bench {
        let shop = Shop::new().await;
        shop.direct.batch_execute(include_str!("crm.sql")).await.expect("the CRM is made");
        let settings = Settings { append: LABELS.to_owned(), ..Settings::default() };
        Bench { proxy: Proxy::start_with(&shop, &settings), shop }
    }

    /// A superuser's connection string, past the proxy.
    fn direct(&self) -> String {
        superuser(&self.shop.database)
    }

    /// pg_dump as ada, who has whatever grants she has.
    fn dump(&self, arguments: &[&str], to: &Path) -> Run {
        pg_dump(&self.proxy.conninfo("ada"), arguments, to)
    }
}

fn superuser(database: &str) -> String {
    format!("host=127.0.0.1 port={} user=postgres dbname={database}", server_port())
}

/// crm.leads has a policy, which pg_dump reads under only if it is told to.
fn pg_dump(conninfo: &str, arguments: &[&str], to: &Path) -> Run {
    let to = to.to_string_lossy();
    let fixed = ["--enable-row-security", "-f", &to, "-d", conninfo];
    run("pg_dump", &[&fixed[..], arguments].concat())
}

fn run(program: &str, arguments: &[&str]) -> Run {
    let output = Command::new(program)
        .args(arguments)
        .env("PGCONNECT_TIMEOUT", "10")
        .output()
        .unwrap_or_else(|error| panic!("{program} runs: {error}"));
    run_of(&output)
}

fn run_of(output: &Output) -> Run {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    Run { stdout: text(&output.stdout), stderr: text(&output.stderr), success: output.status.success() }
}

/// What a query gives, one line a row, in no order.
fn lines(conninfo: &str, query: &str) -> Vec<String> {
    answers(conninfo, &[query.to_owned()]).pop().unwrap_or_default()
}

/// The same for many queries in one session.
fn answers(conninfo: &str, queries: &[String]) -> Vec<Vec<String>> {
    let script: String = queries.iter().map(|query| format!("\\echo ==>\n{query};\n")).collect();
    let run = psql(conninfo, &["-A", "-t", "-v", "ON_ERROR_STOP=1"], &script);
    assert!(run.success, "{}", run.stderr);
    let answer = |text: &str| {
        let mut lines: Vec<String> =
            text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    run.stdout.split("==>").skip(1).map(answer).collect()
}

/// What became of a statement: nothing, or the SQLSTATE and the message of its error.
type Outcome = Result<(), String>;

/// Runs statements one after the other in one session, each in a transaction of its own.
fn outcomes(conninfo: &str, statements: &[String]) -> Vec<Outcome> {
    let script: String = statements
        .iter()
        .map(|statement| {
            format!("{statement};\n\\echo ==> :ERROR :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE\nROLLBACK;\n")
        })
        .collect();
    let run = psql(conninfo, &["-A", "-t"], &script);
    let outcomes: Vec<Outcome> = run
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("==> "))
        .map(|line| match line.strip_prefix("true ") {
            Some(error) => Err(error.to_owned()),
            None => Ok(()),
        })
        .collect();
    assert_eq!(outcomes.len(), statements.len(), "{}", run.stderr);
    outcomes
}
