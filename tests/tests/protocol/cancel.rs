//! CancelRequest.

use std::time::{Duration, Instant};

use pgwarrant_tests::raw::{Event, Raw, cancel, errors, query, tags};

use crate::Bench;

const SLEEP: &str = "SELECT pg_sleep(20)";

/// Waits until the server runs so many of our statements.
async fn sleeping(bench: &Bench, count: i64) {
    let sleeping =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let row = bench.shop.direct.query_one(sleeping, &[]).await.expect("the activity");
        if row.get::<_, i64>(0) == count {
            return;
        }
        assert!(Instant::now() < deadline, "not {count} statements are running");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_right_key_cancels_what_runs_and_nothing_after_it() {
    let bench = Bench::new().await;
    for minor in [0, 2] {
        let mut raw = bench.connect_as("ada", minor, &[]);
        for _ in 0..5 {
            raw.send(&query(SLEEP));
            sleeping(&bench, 1).await;
            let begun = Instant::now();
            cancel(bench.proxy.port, raw.process, &raw.key);
            let frames = raw.until(b'Z', 1);
            assert_eq!(errors(&frames), ["57014"]);
            assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
            for _ in 0..3 {
                assert_eq!(tags(&raw.query("SELECT pg_sleep(0.01)")), "TDCZ");
            }
        }
    }
    bench.is_well();
}

#[tokio::test]
async fn a_wrong_key_does_nothing() {
    let bench = Bench::new().await;
    let mut raw = bench.connect_as("ada", 2, &[]);
    let mut other = bench.connect_as("ada", 0, &[]);
    raw.send(&query("SELECT pg_sleep(1.5)"));
    sleeping(&bench, 1).await;
    let mut flipped = raw.key.clone();
    flipped[31] ^= 1;
    let long = [&raw.key[..], &[0]].concat();
    let wrong: [(u32, &[u8]); 7] = [
        (raw.process, &flipped),
        (raw.process, &raw.key[..4]),
        (raw.process, &long),
        (raw.process, &other.key),
        (other.process, &raw.key),
        (raw.process.wrapping_add(1), &raw.key),
        (0, &[0; 4]),
    ];
    for (process, key) in wrong {
        cancel(bench.proxy.port, process, key);
    }
    // Of impossible lengths: refused, or hung up on.
    for key in [&b""[..], &[1, 2, 3], &[0; 257]] {
        let mut raw_cancel = Raw::open(bench.proxy.port);
        raw_cancel.send(&pgwarrant_tests::raw::cancel_request(raw.process, key));
        raw_cancel.until_closed();
    }
    assert_eq!(tags(&raw.until(b'Z', 1)), "TDCZ");
    assert_eq!(tags(&other.query("SELECT 1")), "TDCZ");
    bench.is_well();
}

#[tokio::test]
async fn a_cancel_of_an_idle_session_does_not_wait_for_the_next_statement() {
    let bench = Bench::new().await;
    let mut raw = bench.connect();
    for _ in 0..20 {
        cancel(bench.proxy.port, raw.process, &raw.key);
        assert_eq!(tags(&raw.query("SELECT pg_sleep(0.01)")), "TDCZ");
    }
    bench.is_well();
}

/// Cancels and statements cross each other; what is sent after the last cancel is never hit.
#[tokio::test]
async fn a_storm_of_cancels_hits_nothing_that_is_sent_after_it() {
    let bench = Bench::new().await;
    let mut raw = bench.connect();
    let port = bench.proxy.port;
    for _ in 0..3 {
        let (process, key) = (raw.process, raw.key.clone());
        let storm = std::thread::spawn(move || {
            let storms: Vec<_> = (0..5)
                .map(|_| {
                    let key = key.clone();
                    std::thread::spawn(move || {
                        for _ in 0..10 {
                            cancel(port, process, &key);
                        }
                    })
                })
                .collect();
            for storm in storms {
                storm.join().expect("the storm");
            }
        });
        while !storm.is_finished() {
            let frames = raw.query("SELECT pg_sleep(0.05)");
            let cancelled = errors(&frames);
            assert!(cancelled.iter().all(|code| code == "57014"), "{cancelled:?}");
            assert!(tags(&frames).ends_with('Z'));
        }
        storm.join().expect("the storm");
        for _ in 0..20 {
            assert_eq!(tags(&raw.query("SELECT pg_sleep(0.005)")), "TDCZ");
        }
    }
    bench.is_well();
}

#[tokio::test]
async fn a_cancelled_session_in_a_block_and_in_a_copy_stays_in_step() {
    let bench = Bench::new().await;
    let mut raw = bench.connect();
    raw.query("BEGIN");
    raw.send(&query(SLEEP));
    sleeping(&bench, 1).await;
    cancel(bench.proxy.port, raw.process, &raw.key);
    let frames = raw.until(b'Z', 1);
    assert_eq!(
        (errors(&frames), frames.last().map(|frame| frame.body.clone())),
        (vec!["57014".to_owned()], Some(b"E".to_vec()))
    );
    raw.query("ROLLBACK");
    raw.query("CREATE TEMP TABLE t(x int)");
    raw.send(&query("COPY t FROM STDIN"));
    raw.until(b'G', 1);
    cancel(bench.proxy.port, raw.process, &raw.key);
    raw.send(&pgwarrant_tests::raw::copy_data(b"1\n"));
    let frames = raw.until(b'Z', 1);
    assert_eq!(errors(&frames), ["57014"]);
    raw.send(&pgwarrant_tests::raw::copy_done());
    assert_eq!(tags(&raw.query("SELECT 1")), "TDCZ");
    assert_eq!(raw.frame(Duration::from_millis(50)), Event::Silence);
    bench.is_well();
}

/// Nothing of it has been sent to the server yet, so there is nothing that the server could cancel.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_for_the_schema_is_cancelled() {
    let bench = Bench::new().await;
    for extended in [false, true] {
        let mut raw = bench.connect();
        let mut blocker = pgwarrant_tests::connect(&pgwarrant_tests::server_url(&bench.shop.database)).await;
        let lock = blocker.transaction().await.expect("a transaction");
        // A view's definition cannot be read while what it shows is locked.
        lock.batch_execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE").await.expect("a lock");
        let name = if extended { "made_extended" } else { "made" };
        assert_eq!(tags(&raw.query(&format!("CREATE TABLE {name}()"))), "CZ");
        let statement = "SELECT count(*) FROM products";
        let begun = Instant::now();
        match extended {
            false => raw.send(&query(statement)),
            true => raw.send(
                &[
                    pgwarrant_tests::raw::parse("", statement),
                    pgwarrant_tests::raw::bind("", "", &[], &[]),
                    pgwarrant_tests::raw::execute("", 0),
                    pgwarrant_tests::raw::sync(),
                ]
                .concat(),
            ),
        }
        assert_eq!(raw.frame(Duration::from_millis(300)), Event::Silence, "it waits");
        cancel(bench.proxy.port, raw.process, &raw.key);
        let frames = raw.until(b'Z', 1);
        assert_eq!((tags(&frames).as_str(), errors(&frames)), ("EZ", vec!["57014".to_owned()]));
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        lock.rollback().await.expect("no lock");
        assert_eq!(tags(&raw.query(statement)), "TDCZ", "the next one is not hit");
    }
    bench.is_well();
}
