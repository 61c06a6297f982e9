//! Who reads the trail finds what was asked for, in process and through the socket.

mod common;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{MARCH, hasty, intent, statement, store_of, written};
use pgwarrant_audit::control::{self, Client, Reply, Request};
use pgwarrant_audit::query::newest;
use pgwarrant_audit::{Decision, Error, Filter, Kind, MemoryStore, Phase, Record, RecordedError, Trail};
use tokio::time::timeout;

fn records() -> Vec<Record> {
    let mut records = vec![
        statement(0),
        intent(1),
        Record { user: "ben".into(), database: "crm".into(), session: 8, ..statement(2) },
        Record { decision: Decision::Refused, masked: Vec::new(), ..statement(3) },
        Record::new(Kind::Login, Decision::Allowed, MARCH + 4_000_000),
        Record { grants: vec![5, 6], raw: vec!["crm.people.email".to_owned()], ..statement(5) },
        Record {
            ticket: Some("OPS-4711".to_owned()),
            relations: vec!["sales.customers".to_owned()],
            ..statement(6)
        },
    ];
    records[3].error =
        Some(RecordedError { sqlstate: "42501".to_owned(), message: "permission denied for SSN".to_owned() });
    for (record, seq) in records.iter_mut().zip(1..) {
        record.seq = seq;
    }
    records
}

#[test]
fn a_filter_matches_what_it_says() {
    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }
    let all = Filter::default();
    let cases: Vec<(Filter, &[u64])> = vec![
        (all.clone(), &[1, 2, 3, 4, 5, 6, 7]),
        (Filter { user: text("ben"), ..all.clone() }, &[3]),
        (Filter { user: text("be"), ..all.clone() }, &[]),
        (Filter { database: text("crm"), ..all.clone() }, &[3]),
        (Filter { session: Some(8), ..all.clone() }, &[3]),
        (Filter { kind: Some(Kind::Login), ..all.clone() }, &[5]),
        (Filter { phase: Some(Phase::Intent), ..all.clone() }, &[2]),
        (Filter { decision: Some(Decision::Refused), ..all.clone() }, &[4]),
        (Filter { grant: Some(6), ..all.clone() }, &[6]),
        (Filter { relation: text("public.customers"), ..all.clone() }, &[1, 2, 3, 4, 6, 7]),
        (Filter { relation: text("sales.customers"), ..all.clone() }, &[7]),
        (Filter { relation: text("people"), ..all.clone() }, &[6]),
        (Filter { relation: text("ustomers"), ..all.clone() }, &[]),
        (Filter { relation: text("email"), ..all.clone() }, &[]),
        (Filter { column: text("email"), ..all.clone() }, &[1, 2, 3, 6, 7]),
        (Filter { column: text("customers.email"), raw: text("people.email"), ..all.clone() }, &[6]),
        (Filter { column: text("mail"), ..all.clone() }, &[]),
        (Filter { raw: text("email"), ..all.clone() }, &[2, 6]),
        (Filter { since: Some(MARCH + 5_000_000), ..all.clone() }, &[6, 7]),
        (Filter { until: Some(MARCH + 1_000_000), ..all.clone() }, &[1]),
        (Filter { after: Some(5), ..all.clone() }, &[6, 7]),
        (Filter { text: text("ops-47"), ..all.clone() }, &[7]),
        (Filter { text: text("for ssn"), ..all.clone() }, &[4]),
        (Filter { text: text("WHERE id"), user: text("ben"), ..all.clone() }, &[3]),
    ];
    for (filter, expected) in cases {
        let found: Vec<u64> =
            records().iter().filter(|record| filter.matches(record)).map(|record| record.seq).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn the_newest_come_first_and_reading_stops_at_the_limit() {
    let store = written(10, 5).await;
    // Reading must not touch the older blocks.
    store.contents().blocks.retain(|number, _| *number >= 8);
    let filter = Filter::default();
    let seqs: Vec<u64> =
        newest(&*store, &filter).take(7).map(|record| record.expect("readable").seq).collect();
    assert_eq!(seqs, [50, 49, 48, 47, 46, 45, 44]);
    let filter = Filter { after: Some(40), ..filter };
    assert_eq!(
        newest(&*store, &filter).filter(Result::is_ok).count(),
        10,
        "earlier blocks are not asked for"
    );
}

#[tokio::test]
async fn a_damaged_block_is_told_and_the_older_ones_follow() {
    let mut contents = written(4, 2).await.contents().clone();
    contents.blocks.get_mut(&2).expect("the block")[90] ^= 1;
    contents.blocks.remove(&1);
    let store = store_of(contents);
    let filter = Filter::default();
    let found: Vec<Result<u64, u64>> = newest(&store, &filter)
        .map(|found| match found {
            Ok(record) => Ok(record.seq),
            Err(Error::Damaged { block, .. }) => Err(block),
            Err(error) => panic!("{error}"),
        })
        .collect();
    assert_eq!(found, [Ok(8), Ok(7), Err(2), Err(1), Ok(2), Ok(1)]);
}

#[tokio::test]
async fn what_was_handed_over_is_found_at_once() {
    let settings = pgwarrant_audit::Settings { seal_after: Duration::from_secs(3600), ..hasty() };
    let trail = Trail::with_store(MemoryStore::default(), settings).expect("a trail");
    for number in 1..=30 {
        trail.append(statement(number)).await.expect("appended");
        let recent = trail.recent(3, Filter::default()).await.expect("read");
        assert_eq!(recent.last().map(|record| record.rows), Some(number));
        assert!(recent.len() <= 3 && recent.is_sorted_by_key(|record| record.seq), "oldest first");
    }
}

#[tokio::test]
async fn followers_miss_nothing_however_late_they_read() {
    let trail = Trail::with_store(MemoryStore::default(), hasty()).expect("a trail");
    trail.durable(statement(0)).await.expect("durable");
    let mut late = trail.follow();
    let mut early = trail.follow();
    let reader = tokio::spawn(async move {
        let mut seqs = Vec::new();
        while let Some(record) = early.next().await.expect("read") {
            seqs.push(record.seq);
        }
        seqs
    });
    for number in 1..1000 {
        trail.append(statement(number)).await.expect("appended");
    }
    trail.close().await.expect("closed");
    assert!(reader.await.expect("no panic").into_iter().eq(2..=1000));
    for seq in 2..=1000 {
        assert_eq!(late.next().await.expect("read").map(|record| record.seq), Some(seq));
    }
    assert_eq!(late.next().await.expect("read"), None);
}

#[tokio::test]
async fn a_follower_that_is_interrupted_loses_nothing() {
    let trail = Trail::with_store(MemoryStore::default(), hasty()).expect("a trail");
    let mut follow = trail.follow();
    let mut seqs = Vec::new();
    for number in 0..200 {
        trail.append(statement(number)).await.expect("appended");
        if let Ok(record) = timeout(Duration::from_micros(number * 10), follow.next()).await {
            seqs.push(record.expect("read").expect("a record").seq);
        }
    }
    trail.close().await.expect("closed");
    while let Some(record) = follow.next().await.expect("read") {
        seqs.push(record.seq);
    }
    assert!(seqs.into_iter().eq(1..=200));
}

/// A trail with `records` records, and readers served in `directory`.
async fn served(directory: &Path, records: u64) -> (Trail, tokio::task::JoinHandle<Error>) {
    let trail = Trail::with_store(Arc::new(MemoryStore::default()), hasty()).expect("a trail");
    for number in 1..=records {
        trail.append(statement(number)).await.expect("appended");
    }
    let server = tokio::spawn({
        let (trail, directory) = (trail.clone(), directory.to_owned());
        async move {
            match control::serve(trail, &directory).await {
                Err(error) => error,
            }
        }
    });
    while UnixStream::connect(directory.join("audit.sock")).is_err() {
        assert!(!server.is_finished(), "{}", server.await.expect("no panic"));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (trail, server)
}

/// Every reply to a request, on a thread of its own.
async fn asked(directory: &Path, request: Request) -> Vec<Reply> {
    let directory = directory.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut client = Client::ask(&directory, &request).expect("asked").expect("somebody listens");
        std::iter::from_fn(|| client.reply().expect("a reply")).collect()
    })
    .await
    .expect("no panic")
}

fn seqs(replies: &[Reply]) -> Vec<u64> {
    let seq = |reply: &Reply| match reply {
        Reply::Record(record) => Some(record.seq),
        _ => None,
    };
    replies.iter().filter_map(seq).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_reads_a_trail_in_use_through_the_socket() {
    let directory = tempfile::tempdir().expect("a directory");
    let (trail, server) = served(directory.path(), 20).await;
    let mode =
        std::fs::metadata(directory.path().join("audit.sock")).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let filter = Filter::default();
    let replies = asked(directory.path(), Request::Query { filter: filter.clone(), limit: 3 }).await;
    assert_eq!(seqs(&replies), [20, 19, 18]);
    assert_eq!(replies.last(), Some(&Reply::End));
    let tail = |filter: Filter, last| Request::Tail { filter, last, follow: false };
    assert_eq!(seqs(&asked(directory.path(), tail(filter.clone(), 3)).await), [18, 19, 20]);
    assert_eq!(seqs(&asked(directory.path(), tail(filter.clone(), 0)).await), [0; 0]);
    let after = Filter { after: Some(15), ..filter.clone() };
    assert_eq!(seqs(&asked(directory.path(), tail(after, 0)).await), [16, 17, 18, 19, 20]);
    let nobody = Filter { user: Some("nobody".to_owned()), ..filter };
    assert_eq!(asked(directory.path(), tail(nobody, 5)).await, [Reply::End]);
    let head = trail.head().expect("a head");
    let replies = asked(directory.path(), Request::Verify { expect_head: Some(head.hash) }).await;
    assert!(
        matches!(&replies[..], [Reply::Report(report), Reply::End] if report.is_intact() && report.records == 20)
    );

    server.abort();
    let _ = server.await;
    assert!(!directory.path().join("audit.sock").exists(), "nothing is left behind");
    assert!(Client::ask(directory.path(), &Request::Verify { expect_head: None }).expect("asked").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_through_the_socket_goes_on_without_a_gap() {
    let directory = tempfile::tempdir().expect("a directory");
    let (trail, _server) = served(directory.path(), 5).await;
    let writer = tokio::spawn({
        let trail = trail.clone();
        async move {
            for number in 6..=300 {
                trail.append(statement(number)).await.expect("appended");
                tokio::task::yield_now().await;
            }
            trail.close().await.expect("closed");
        }
    });
    let request =
        Request::Tail { filter: Filter { after: Some(2), ..Filter::default() }, last: 0, follow: true };
    let replies = asked(directory.path(), request).await;
    writer.await.expect("no panic");
    assert!(seqs(&replies).into_iter().eq(3..=300), "what was there, then what came");
    assert_eq!(replies.last(), Some(&Reply::End), "the end of the trail ends its tails");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_harm_the_server() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_trail, _server) = served(directory.path(), 3).await;
    let socket = directory.path().join("audit.sock");
    let long = [b"{\"query\":{\"filter\":{\"text\":\"".to_vec(), vec![b'x'; 1 << 20]].concat();
    for nonsense in [
        &b"\n"[..],
        b"{}\n",
        b"\"drop\"\n",
        b"{\"append\":{}}\n",
        b"{\"query\":{\"filter\":{\"usr\":\"x\"},\"limit\":1}}\n",
        b"\xff\xfe\n",
        &long,
    ] {
        let mut stream = UnixStream::connect(&socket).expect("connected");
        // The server need not read all of it.
        let _ = stream.write_all(nonsense);
        let mut reply = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stream, &mut reply);
        let reply = String::from_utf8(reply).expect("UTF-8");
        assert!(reply.is_empty() || reply.starts_with("{\"error\":\""), "{reply}");
    }
    // Idle clients take every place; later ones are told.
    let idle: Vec<UnixStream> = (0..16).map(|_| UnixStream::connect(&socket).expect("connected")).collect();
    let replies = asked(directory.path(), Request::Query { filter: Filter::default(), limit: 1 }).await;
    assert!(
        matches!(&replies[..], [Reply::Error(message)] if message.contains("too many readers")),
        "{replies:?}"
    );
    drop(idle);
    for attempt in 0.. {
        let replies = asked(directory.path(), Request::Query { filter: Filter::default(), limit: 1 }).await;
        if seqs(&replies) == [3] {
            break;
        }
        assert!(attempt < 1000, "places are given back");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_whose_client_has_gone_gives_its_place_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_trail, _server) = served(directory.path(), 3).await;
    let request = Request::Tail { filter: Filter::default(), last: 1, follow: true };
    for _ in 0..50 {
        for attempt in 0.. {
            let mut client =
                Client::ask(directory.path(), &request).expect("asked").expect("somebody listens");
            match client.reply().expect("a reply") {
                Some(Reply::Record(_)) => break,
                other => assert!(attempt < 1000, "no place became free: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_a_killed_proxy_left_is_replaced_and_nothing_else_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("audit.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("bound"));
    assert!(socket.exists());
    assert!(Client::ask(directory.path(), &Request::Verify { expect_head: None }).expect("asked").is_none());
    let (trail, server) = served(directory.path(), 1).await;
    server.abort();
    let _ = server.await;

    std::fs::write(&socket, "precious").expect("written");
    assert!(control::serve(trail, directory.path()).await.is_err());
    assert_eq!(std::fs::read_to_string(&socket).expect("still there"), "precious");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_deep_in_the_tree_has_a_socket_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let deep = directory.path().join("a".repeat(100)).join("b".repeat(100));
    std::fs::create_dir_all(&deep).expect("made");
    let trail = Trail::with_store(MemoryStore::default(), hasty()).expect("a trail");
    trail.durable(statement(1)).await.expect("durable");
    let server = tokio::spawn({
        let (trail, deep) = (trail.clone(), deep.clone());
        async move { control::serve(trail, &deep).await }
    });
    let request = Request::Query { filter: Filter::default(), limit: 1 };
    for attempt in 0.. {
        if deep.join("audit.sock").exists() {
            break;
        }
        assert!(!server.is_finished() && attempt < 5000);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(seqs(&asked(&deep, request).await), [1]);
    server.abort();
    let _ = server.await;
    assert!(!deep.join("audit.sock").exists());
}
