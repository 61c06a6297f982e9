use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use pgwarrant_audit::{
    Decision, Kind, Phase, Record, RecordedError, Settings, Trail, control, open_database,
};
use serde_json::Value;

use super::{AuditCommand, execute, moment, printable};

const MARCH: i64 = 1_772_323_200_000_000;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: AuditCommand,
}

struct Ran {
    status: u8,
    out: String,
    problems: String,
}

fn command(arguments: &str) -> AuditCommand {
    let words = std::iter::once("audit").chain(arguments.split_whitespace());
    Line::try_parse_from(words).expect("the command line is understood").command
}

fn run(store: &Path, arguments: &str) -> Ran {
    let (mut out, mut problems) = (Vec::new(), Vec::new());
    let status = execute(store, &command(arguments), &mut out, &mut problems, false);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran { status, out: text(out), problems: text(problems) }
}

fn records() -> Vec<Record> {
    let statement = |decision, second: i64| {
        let mut record = Record::new(Kind::Statement, decision, MARCH + second * 1_000_000);
        record.user = "ada".into();
        record.text = "select email from customers where id = ?".into();
        record
    };
    let raw = vec!["public.customers.email".to_owned()];
    let mut login = Record::new(Kind::Login, Decision::Allowed, MARCH);
    login.user = "ada".into();
    login.address = "127.0.0.1:40000".into();
    let mut refused = statement(Decision::Refused, 1);
    refused.error =
        Some(RecordedError { sqlstate: "42501".to_owned(), message: "permission denied".to_owned() });
    vec![
        login,
        Record { masked: raw.clone(), rows: 1, ..statement(Decision::Masked, 1) },
        Record { phase: Phase::Intent, raw: raw.clone(), grants: vec![3], ..statement(Decision::Raw, 2) },
        Record { intent_of: Some(3), raw, grants: vec![3], rows: 12, ..statement(Decision::Raw, 2) },
        refused,
    ]
}

/// A store that no process has open.
fn written(directory: &Path, records: Vec<Record>) {
    runtime().block_on(async {
        let database = open_database(directory).expect("a store");
        let trail = Trail::open(&database, directory, Settings::default()).expect("a trail");
        for record in records {
            trail.durable(record).await.expect("durable");
        }
        trail.close().await.expect("closed");
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

#[test]
fn a_table_shows_who_what_and_how_many() {
    let directory = tempfile::tempdir().expect("a directory");
    written(directory.path(), records());
    let ran = run(directory.path(), "tail -n 4");
    assert_eq!((ran.status, ran.problems.as_str()), (0, ""));
    let expected = "     \
     SEQ  TIME                      USER          EVENT                        ROWS  WHAT
       2  2026-03-01T00:00:01.000Z  ada           masked                          1  select email from customers where id = ?
          masked public.customers.email
       3  2026-03-01T00:00:02.000Z  ada           raw (intent)                       select email from customers where id = ?
          raw public.customers.email; grant 3
       4  2026-03-01T00:00:02.000Z  ada           raw                            12  select email from customers where id = ?
          raw public.customers.email; grant 3
       5  2026-03-01T00:00:01.000Z  ada           refused                            select email from customers where id = ?
          error 42501: permission denied
";
    assert_eq!(ran.out, expected);
}

#[test]
fn json_is_one_record_a_line_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    written(directory.path(), records());
    for (arguments, expected) in [
        ("query --json", &[5, 4, 3, 2, 1][..]),
        ("query --json --limit 2", &[5, 4]),
        ("query --json --raw email --phase outcome", &[4]),
        ("query --json --kind login", &[1]),
        ("query --json --decision refused --text DENIED", &[5]),
        ("query --json --since 2026-03-01T00:00:02Z", &[4, 3]),
        ("query --json --until 2026-03-01T00:00:01Z", &[1]),
        ("query --json --grant 3 --relation customers --user ada", &[4, 3]),
        ("query --json --user nobody", &[]),
        ("tail --json -n 2", &[4, 5]),
        ("tail --json -n 0", &[]),
    ] {
        let ran = run(directory.path(), arguments);
        assert_eq!(ran.status, 0, "{}", ran.problems);
        let json = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
        let seqs: Vec<u64> =
            ran.out.lines().map(|line| json(line)["seq"].as_u64().expect("a number")).collect();
        assert_eq!(seqs, expected, "{arguments}");
    }
}

#[test]
fn verify_tells_intact_from_broken_from_could_not_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let ran = run(directory.path(), "verify");
    assert_eq!(ran.status, 2);
    assert!(ran.problems.starts_with("error: there is no store in"), "{}", ran.problems);
    assert!(ran.problems.contains("\nHINT: "));

    written(directory.path(), records());
    let ran = run(directory.path(), "verify --json");
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((ran.status, &report["intact"]), (0, &Value::Bool(true)));
    let head = report["report"]["head"]["hash"].as_str().expect("a head").to_owned();
    assert_eq!(run(directory.path(), &format!("verify --expect-head {head}")).status, 0);
    written(directory.path(), records());
    let ran = run(directory.path(), &format!("verify --expect-head {head}"));
    assert_eq!(ran.status, 0, "a trail that has grown since is intact: {}", ran.out);
    assert!(
        ran.out.contains("the audit trail is intact\n") && ran.out.contains("  records  10\n"),
        "{}",
        ran.out
    );

    let other = "0".repeat(64);
    let ran = run(directory.path(), &format!("verify --expect-head {other}"));
    assert_eq!(ran.status, 1);
    assert!(ran.out.contains("broken") && ran.out.contains(&other), "{}", ran.out);

    {
        let database = open_database(directory.path()).expect("a store");
        let tree = database.open_tree("audit").expect("the tree");
        let (key, page) = tree.iter().next().expect("a page").expect("readable");
        let mut page = page.to_vec();
        let mut fourth = 0;
        for _ in 0..3 {
            let body = u32::from_be_bytes(page[fourth + 66..fourth + 70].try_into().expect("a length"));
            fourth += 70 + body as usize + 32;
        }
        page[fourth + 100] ^= 1;
        tree.insert(key, page).expect("tampered");
        database.flush().expect("flushed");
    }
    let ran = run(directory.path(), "verify");
    assert_eq!(ran.status, 1);
    assert!(ran.out.contains("first broken: block 3, record 4: its contents have the hash"), "{}", ran.out);
    let ran = run(directory.path(), "query --json");
    assert_eq!((ran.status, ran.out.lines().count()), (1, 9), "the readable ones are shown");
    assert!(ran.problems.contains("warning: block 3 of the audit trail is damaged"), "{}", ran.problems);
}

#[test]
fn what_users_wrote_cannot_steer_the_terminal() {
    let directory = tempfile::tempdir().expect("a directory");
    let evil = "\x1b[2J\u{9b}31m\u{202e}x\r\n\0";
    let mut record = Record::new(Kind::Statement, Decision::Failed, MARCH);
    record.user = evil.into();
    record.text = evil.into();
    record.purpose = Some(evil.to_owned());
    record.error = Some(RecordedError { sqlstate: "XX000".to_owned(), message: evil.to_owned() });
    record.phase = Phase::Intent;
    written(directory.path(), vec![record]);
    for arguments in ["tail", "query", "verify"] {
        let ran = run(directory.path(), arguments);
        let steering = |c: &char| c.is_control() && *c != '\n' || *c == '\u{202e}';
        assert_eq!(ran.out.chars().find(steering), None, "{}", ran.out.escape_debug());
    }
    assert_eq!(printable("plain ä"), "plain ä");
}

#[test]
fn times_are_read_as_they_are_typed() {
    let day = 86_400_000_000;
    for (text, expected) in [
        ("2026-03-01T00:00:00Z", MARCH),
        ("2026-03-01T01:00:00+01:00", MARCH),
        ("2026-03-01", MARCH),
        ("2026-03-01 00:00", MARCH),
        (" 2026-03-02T00:00:00.5 ", MARCH + day + 500_000),
    ] {
        assert_eq!(moment(text), Ok(expected), "{text}");
    }
    for (text, ago) in
        [("2h", day / 12), ("7d", 7 * day), ("1 day 30 min", day + day / 48), ("90s", 90_000_000)]
    {
        let before = pgwarrant_audit::record::now();
        let found = moment(text).expect(text);
        let after = pgwarrant_audit::record::now();
        assert!((before - ago..=after - ago).contains(&found), "{text}: {found}");
    }
    for wrong in ["", "yesterday", "2026-13-01", "5", "99999999999999999999y"] {
        assert!(moment(wrong).is_err(), "{wrong}");
    }
}

/// An output that is closed after some lines, as `| head` does.
#[derive(Clone)]
struct Pipe {
    text: Arc<Mutex<String>>,
    lines: usize,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = self.text.lock().expect("not poisoned");
        if text.lines().count() >= self.lines && text.ends_with('\n') {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        text.push_str(std::str::from_utf8(bytes).expect("UTF-8"));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let directory = tempfile::tempdir().expect("a directory");
    written(directory.path(), records());
    let mut pipe = Pipe { text: Arc::default(), lines: 2 };
    let mut problems = Vec::new();
    let status = execute(directory.path(), &command("query --json"), &mut pipe, &mut problems, false);
    assert_eq!((status, problems.len()), (0, 0));
}

/// A proxy that runs, ends, and runs again; `tail -f` sees every record once.
#[test]
fn tail_follows_a_proxy_through_its_restarts() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_owned();
    written(&path, records());
    let pipe = Pipe { text: Arc::default(), lines: 4 + 30 };
    let seen = Arc::clone(&pipe.text);
    let tailing = std::thread::spawn({
        let (path, mut pipe) = (path.clone(), pipe);
        move || execute(&path, &command("tail -f -n 4 --json"), &mut pipe, &mut io::sink(), false)
    });
    let lines = || seen.lock().expect("not poisoned").lines().count();
    let wait_for = |wanted: usize| {
        for _ in 0..3000 {
            if lines() >= wanted {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} of {wanted} lines", lines());
    };
    wait_for(4);
    for round in 1..=3 {
        runtime().block_on(async {
            let database = open_database(&path).expect("a store");
            let trail = Trail::open(&database, &path, Settings::default()).expect("a trail");
            let serving = tokio::spawn({
                let (trail, path) = (trail.clone(), path.clone());
                async move { control::serve(trail, &path).await }
            });
            for record in records().into_iter().cycle().take(10) {
                trail.append(record).await.expect("appended");
            }
            tokio::task::block_in_place(|| wait_for(4 + 10 * round));
            if round == 3 {
                // One more than the pipe takes.
                trail.append(records().remove(0)).await.expect("appended");
                while !tailing.is_finished() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            serving.abort();
            let _ = serving.await;
            trail.close().await.expect("closed");
        });
    }
    assert_eq!(tailing.join().expect("no panic"), 0);
    let text = seen.lock().expect("not poisoned");
    let seqs = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["seq"].as_u64());
    assert!(seqs.eq((2..=35).map(Some)), "each once, in order: {text}");
}
