//! A process that is killed loses nothing that it had acknowledged.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::{intent, statement};
use pgwarrant_audit::store::open_existing;
use pgwarrant_audit::{Settings, SledStore, Trail, open_database, query, verify};

const STORE: &str = "PGWARRANT_TEST_STORE";
const KILLS: u32 = 25;

/// Not a test: what the test below kills. Prints each sequence number once it is acknowledged.
#[test]
#[ignore = "run by the test that kills it"]
fn writes_until_it_is_killed() {
    let Some(directory) = std::env::var_os(STORE) else { return };
    let directory = Path::new(&directory);
    let database = open_database(directory).expect("a store");
    let trail = Trail::open(&database, directory, Settings::default()).expect("a trail");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..4u64 {
            let trail = trail.clone();
            tasks.spawn(async move {
                for number in 0.. {
                    let seq = trail.durable(intent(task * 1_000_000 + number)).await.expect("durable");
                    // One write, so that a line is there in full or not at all.
                    std::io::stdout().write_all(format!("acknowledged {seq}\n").as_bytes()).expect("printed");
                    for _ in 0..number % 5 {
                        trail.append(statement(number)).await.expect("appended");
                    }
                }
            });
        }
        tasks.join_all().await;
    });
}

#[test]
fn every_acknowledged_record_survives_twenty_five_kills() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut acknowledged = Vec::new();
    let mut head = None;
    // Different moments on every machine, but the same list on every run.
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env(STORE, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let reader = std::thread::spawn(move || {
            let seqs = lines
                .map_while(Result::ok)
                .filter_map(|line| line.rsplit_once("acknowledged ")?.1.parse().ok());
            seqs.collect::<Vec<u64>>()
        });
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_millis(30 + random % 200));
        child.kill().expect("killed");
        child.wait().expect("its end");
        let seqs = reader.join().expect("no panic");
        acknowledged.extend(seqs);

        let database = open_existing(directory.path()).expect("the store opens after a kill");
        let store = SledStore::open(&database, directory.path()).expect("a trail");
        let report = verify(&store, head).expect("verified");
        assert!(report.is_intact(), "after kill {kill}: {:?}", report.problems);
        head = report.head.map(|head| head.hash);
        let last = report.head.map_or(0, |head| head.seq);
        assert_eq!(report.records, last, "numbers have no gaps");
        assert!(acknowledged.iter().all(|seq| *seq <= last), "kill {kill} lost an acknowledged record");
    }
    assert!(acknowledged.len() > 100, "there was work to lose: {}", acknowledged.len());
    let mut unique = acknowledged.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), acknowledged.len(), "no number was acknowledged twice");

    let database = open_existing(directory.path()).expect("the store");
    let store = Arc::new(SledStore::open(&database, directory.path()).expect("a trail"));
    let filter =
        pgwarrant_audit::Filter { phase: Some(pgwarrant_audit::Phase::Intent), ..Default::default() };
    let found: std::collections::HashSet<u64> =
        query::newest(&*store, &filter).map(|record| record.expect("readable").seq).collect();
    assert!(acknowledged.iter().all(|seq| found.contains(seq)), "each acknowledged record is an intent");
}
