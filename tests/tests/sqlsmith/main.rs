//! Proves: what sqlsmith makes up, sent by a user without any grant to the canary database, brings
//! no canary to the client in any form, no panic, no incident and no break of the protocol; and each
//! of its statements, and of the canary corpus, means to PostgreSQL's grammar what it means to us.
//!
//! `PGWARRANT_SQLSMITH_SECONDS=3600` lets it run for an hour instead, with one seed after the other,
//! and tell its numbers.

#[path = "../canary/bench.rs"]
#[allow(dead_code)]
mod bench;
#[path = "../canary/entries.rs"]
#[allow(dead_code)]
mod entries;
#[path = "../differential/oracle/mod.rs"]
#[allow(dead_code)]
mod oracle;
mod record;
mod relay;
#[path = "../canary/search.rs"]
#[allow(dead_code)]
mod search;

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bench::Bench;
use oracle::analysis::{Tally, compare, unknown_forms};
use oracle::world::World;
use pgwarrant_tests::{Proxy, connect, server_port, workspace};
use record::Record;
use search::Canaries;

/// Statements of the short run, and of each part of the long one.
const STATEMENTS: usize = 300;
const STATEMENTS_OF_A_PART: usize = 20_000;
/// How much memory the proxy may take, and gain in a run.
const MOST_MEMORY: u64 = 512 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn sqlsmith_finds_no_canary_no_panic_and_no_break_of_the_protocol() {
    let seconds = std::env::var("PGWARRANT_SQLSMITH_SECONDS").ok().map(|text| text.parse().expect("seconds"));
    let mut bench = Bench::new(false, false).await;
    let_run(&mut bench).await;
    let configuration = fs::read_to_string(bench.proxy.config()).expect("the proxy's configuration");
    let world = World::live(&bench.behind.direct, &configuration).await;
    let canaries = Arc::new(search::canaries(&bench.behind.direct, &[]).await);
    the_search_finds(&bench, Arc::clone(&canaries)).await;
    let record = Arc::new(Mutex::new(Record::new(canaries)));
    let port = relay::start(bench.proxy.port, Arc::clone(&record));
    let before = memory(&bench.proxy);

    let start = Instant::now();
    for seed in 1.. {
        let count = if seconds.is_some() { STATEMENTS_OF_A_PART } else { STATEMENTS };
        let left = seconds.map(|seconds| Duration::from_secs(seconds).saturating_sub(start.elapsed()));
        // The catalogs' own relations come in every other part of the long run.
        let catalogs = seed % 2 == 0;
        let output = tokio::task::spawn_blocking(move || sqlsmith(port, seed, count, catalogs, left));
        let output = output.await.expect("sqlsmith runs");
        assert!(
            output.status.success() || left.is_some_and(|left| left < start.elapsed()),
            "sqlsmith ended with {}:\n{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr),
            record.lock().expect("no thread panics")
        );
        if seconds.is_none_or(|seconds| start.elapsed().as_secs() >= seconds) {
            break;
        }
        tell(&format!("{:?}\n{}", start.elapsed(), record.lock().expect("no thread panics")));
    }
    let elapsed = start.elapsed();

    let after = memory(&bench.proxy);
    let (report, wrong, kept) = {
        let record = record.lock().expect("no thread panics");
        (record.to_string(), record.wrong.clone(), record.kept.clone())
    };
    let report =
        format!("{elapsed:?}\n{report}memory of the proxy (VmHWM): {before} kB before, {after} kB after");
    tell(&report);
    assert!(wrong.is_empty(), "{}", wrong.join("\n---\n"));
    let log = bench.proxy.log();
    assert!(!log.contains("panicked"), "{log}");
    assert!(!log.contains("incident"), "{log}");
    assert!(after < MOST_MEMORY, "{report}");
    assert!(kept.len() > STATEMENTS / 2, "sqlsmith is blunt: {report}");

    let mut tally = Tally::default();
    let complaints: Vec<String> =
        kept.iter().filter_map(|text| compare(text, &world, &mut tally).err()).collect();
    tell(&format!("compared with PostgreSQL's grammar: {tally}"));
    unknown_forms(&tally, &world).iter().for_each(|form| tell(form));
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
    assert!(tally.spliced > kept.len() / 10, "{tally}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canary_corpus_means_to_postgresql_what_it_means_to_us() {
    let bench = Bench::new(false, false).await;
    let configuration = fs::read_to_string(bench.proxy.config()).expect("the proxy's configuration");
    let world = World::live(&bench.behind.direct, &configuration).await;
    let mut tally = Tally::default();
    let mut complaints = Vec::new();
    for folder in ["attacks", "harmless"] {
        let folder_path = workspace().join("tests/data/canary").join(folder);
        for file in fs::read_dir(folder_path).expect("the corpus") {
            let file = file.expect("an entry").file_name();
            for entry in entries::read(&format!("{folder}/{}", file.to_string_lossy())) {
                let texts =
                    entry.messages.iter().filter_map(|message| std::str::from_utf8(&message.sql).ok());
                for text in texts.filter(|text| !text.contains('\0')) {
                    let complaint = compare(text, &world, &mut tally).err();
                    complaints.extend(complaint.map(|complaint| format!("{}\n  {complaint}", entry.name)));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
    assert!(tally.parsed > 200, "{tally}");
}

/// Past the proxy the relay sees what it looks for.
async fn the_search_finds(bench: &Bench, canaries: Arc<Canaries>) {
    let record = Arc::new(Mutex::new(Record::new(canaries)));
    let port = relay::start(server_port(), Arc::clone(&record));
    let url = format!("postgres://canary_super@127.0.0.1:{port}/{}", bench.behind.database);
    let client = connect(&url).await;
    client.simple_query("SELECT note FROM people").await.expect("the canaries");
    let wrong = record.lock().expect("no thread panics").wrong.clone();
    assert!(wrong.iter().any(|what| what.starts_with("disclosed public.people.note")), "{wrong:?}");
}

/// Starts the proxy again, without what stops sqlsmith: a cast that makes every use of `text` risky,
/// and the bound on what a user may probe.
async fn let_run(bench: &mut Bench) {
    bench.behind.direct.batch_execute("DROP TYPE ticket CASCADE").await.expect("a type of the canaries'");
    let path = bench.proxy.config();
    let text = fs::read_to_string(&path).expect("the proxy's configuration");
    let unbounded = text.replace("# probes = 1000 ", "probes = 1000000 ");
    assert_ne!(text, unbounded, "proxy.toml says how much may be probed");
    fs::write(&path, unbounded).expect("the proxy's configuration");
    bench.proxy.crash_and_restart();
}

/// Runs sqlsmith to its end, or for so long.
fn sqlsmith(port: u16, seed: u64, count: usize, catalogs: bool, left: Option<Duration>) -> Output {
    let target = format!(
        "host=127.0.0.1 port={port} dbname=shop user=ada password=ada-demo sslmode=disable gssencmode=disable"
    );
    let mut command = match left {
        Some(left) => {
            let mut command = Command::new("timeout");
            command.arg(left.as_secs().max(1).to_string()).arg("sqlsmith");
            command
        }
        None => Command::new("sqlsmith"),
    };
    if !catalogs {
        command.arg("--exclude-catalog");
    }
    command
        .arg(format!("--target={target}"))
        .arg(format!("--seed={seed}"))
        .arg(format!("--max-queries={count}"))
        .arg("--verbose")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .expect("sqlsmith is installed: tests/bin/install tests")
}

/// The most memory that the proxy ever had, in kB.
fn memory(proxy: &Proxy) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", proxy.process_id())).expect("the proxy lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
}

fn tell(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}
