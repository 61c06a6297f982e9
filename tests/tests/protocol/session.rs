//! What passes through a session besides answers, and what a session costs.

use std::time::Duration;

use pgwarrant_tests::raw::{
    Event, PATIENCE, bind, copy_data, describe, errors, execute, flush, parse, query, shapes, sync, tags,
};

use crate::Bench;

/// KiB of memory that the proxy has.
fn memory(bench: &Bench) -> usize {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", bench.proxy.process_id())).expect("the status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[tokio::test]
async fn a_slow_reader_does_not_make_the_proxy_grow() {
    let bench = Bench::new().await;
    let mut raw = bench.connect();
    let before = memory(&bench);
    raw.send(&query("SELECT i, repeat('x', 1000) FROM generate_series(1, 300000) AS i"));
    let (mut bytes, mut rows, mut most) = (0, 0, before);
    // Lets the server run ahead as far as it can.
    std::thread::sleep(Duration::from_secs(1));
    loop {
        let Event::Frame(frame) = raw.frame(PATIENCE) else { panic!("no more after {rows} rows") };
        bytes += frame.body.len();
        if frame.tag == b'Z' {
            break;
        }
        rows += usize::from(frame.tag == b'D');
        if rows % 10_000 == 0 {
            most = most.max(memory(&bench));
        }
    }
    assert_eq!(rows, 300_000);
    assert!(bytes > 300_000_000);
    assert!(most < before + 64 * 1024, "from {before} to {most} KiB");
    bench.is_well();
}

/// Its rows are passed on in pieces.
#[tokio::test]
async fn one_huge_row_does_not_make_the_proxy_grow() {
    let bench = Bench::new().await;
    let mut raw = bench.connect();
    let before = memory(&bench);
    raw.send(&query("SELECT repeat('x', 200000000)"));
    std::thread::sleep(Duration::from_secs(1));
    let waiting = memory(&bench);
    let frames = raw.until(b'Z', 1);
    assert_eq!((tags(&frames).as_str(), frames[1].body.len()), ("TDCZ", 200_000_006));
    let most = waiting.max(memory(&bench));
    assert!(most < before + 64 * 1024, "from {before} to {most} KiB");
    bench.is_well();
}

/// Answers that are not fetched stop a client from sending more, before they cost much.
#[tokio::test]
async fn a_client_that_sends_and_never_reads_does_not_make_the_proxy_grow() {
    let bench = Bench::new().await;
    let statement = [parse("", ""), bind("", "", &[], &[]), describe(b'P', ""), execute("", 0)].concat();
    let floods = [
        ("Sync", sync()),
        ("Parse", parse("", "")),
        ("statements, each with a Sync", [statement, sync()].concat()),
        ("Query of many statements", query(&"SELECT 1;".repeat(1000))),
        ("Flush", flush()),
        ("data of no COPY", copy_data(b"x")),
    ];
    for (name, message) in floods {
        let mut raw = bench.connect();
        raw.query("SELECT 1");
        let before = memory(&bench);
        let block = message.repeat(1 + 10_000 / message.len());
        let sent = raw.send_until_blocked(&block, 16 << 20);
        let most = memory(&bench);
        assert!(most < before + 64 * 1024, "{name}: from {before} to {most} KiB after {sent} bytes");
    }
    bench.is_well();
}

#[tokio::test]
async fn a_client_that_reads_nothing_can_still_be_cancelled() {
    let bench = Bench::new().await;
    let mut raw = bench.connect();
    raw.send(&query("SELECT generate_series(1, 100000000), repeat('x', 1000)"));
    assert!(matches!(raw.frame(PATIENCE), Event::Frame(_)));
    std::thread::sleep(Duration::from_millis(300));
    pgwarrant_tests::raw::cancel(bench.proxy.port, raw.process, &raw.key);
    let frames = raw.until(b'Z', 1);
    assert_eq!(errors(&frames), ["57014"]);
    bench.is_well();
}

#[tokio::test]
async fn start_up_settings_pass_and_are_reported() {
    let bench = Bench::new().await;
    let more = [
        ("TimeZone", "Asia/Tokyo"),
        ("application_name", "raw"),
        ("options", "-c statement_timeout=1234 -c DateStyle=German"),
    ];
    let mut raw = bench.connect_as("ada", 0, &more);
    for (setting, expected) in [
        ("TimeZone", "Asia/Tokyo"),
        ("application_name", "raw"),
        ("statement_timeout", "1234ms"),
        ("DateStyle", "German, DMY"),
    ] {
        let frames = raw.query(&format!("SHOW {setting}"));
        let row = frames.iter().find(|frame| frame.tag == b'D').expect("a row");
        assert_eq!(String::from_utf8_lossy(&row.body[6..]), expected, "{setting}");
    }
    // What they are reset to.
    raw.query("SET TimeZone = 'Europe/Paris'");
    assert!(shapes(&raw.query("RESET TimeZone")).iter().any(|shape| shape.contains("Asia/Tokyo")));
    bench.is_well();
}

#[tokio::test]
async fn the_end_of_the_server_s_session_is_told() {
    let bench = Bench::new().await;
    let mut raw = bench.connect();
    let mut idle = bench.connect();
    raw.send(&query("SELECT pg_sleep(20)"));
    std::thread::sleep(Duration::from_millis(100));
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'shop_app'";
    bench.shop.direct.execute(end, &[]).await.expect("the sessions are ended");
    for raw in [&mut raw, &mut idle] {
        assert_eq!(errors(&raw.until_closed()), ["57P01"]);
    }
    bench.is_well();
}

/// A client that is gone in the middle of a COPY leaves nothing running and nothing written.
#[tokio::test]
async fn clients_that_go_in_the_middle_of_a_copy_leave_nothing_behind() {
    let bench = Bench::new().await;
    bench.connect().query("CREATE TABLE half(x int)");
    for (data, end) in [(true, false), (false, false), (true, true)] {
        let mut raw = bench.connect();
        raw.send(&query("COPY half FROM STDIN"));
        raw.until(b'G', 1);
        if data {
            raw.send(&copy_data(b"1\n2\n"));
        }
        if end {
            raw.end();
            raw.until_closed();
        }
    }
    let mut raw = bench.connect();
    raw.send(&query("COPY (SELECT generate_series(1, 100000000)) TO STDOUT"));
    raw.until(b'd', 3);
    drop(raw);
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND query LIKE 'COPY %' AND state = 'active'";
    for tries in 0.. {
        let row = bench.shop.direct.query_one(busy, &[]).await.expect("the activity");
        if row.get::<_, i64>(0) == 0 {
            break;
        }
        assert!(tries < 200, "copies of clients that are gone are still running");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let rows = bench.shop.direct.query_one("SELECT count(*) FROM half", &[]).await.expect("a count");
    assert_eq!(rows.get::<_, i64>(0), 0);
    bench.is_well();
}
