//! Messages that are not as they should be, in a session.

use pgwarrant_tests::Settings;
use pgwarrant_tests::raw::{
    Event, PATIENCE, bind, close, describe, errors, execute, message, parse, query, shapes, sync, tags,
};

use crate::Bench;

/// PostgreSQL answers most of these with an error and goes on; the proxy ends the session, since
/// whoever sends them has no driver that could go on.
#[tokio::test]
async fn malformed_messages_end_their_session_alone() {
    let bench = Bench::new().await;
    let header = |tag: u8, length: u32| [&[tag][..], &length.to_be_bytes()].concat();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a length of nothing", header(b'Q', 0), "08P01"),
        ("a length below a header", header(b'Q', 3), "08P01"),
        ("a CopyData with a length below a header", header(b'd', 3), "08P01"),
        ("a negative length", header(b'Q', u32::MAX), "54000"),
        ("a message beyond the limit", header(b'Q', 65 << 20), "54000"),
        ("a Bind beyond the limit", header(b'B', 65 << 20), "54000"),
        ("a CopyData of an impossible length", header(b'd', 0x4000_0000), "54000"),
        ("an unknown type", message(b'!', b""), "08P01"),
        ("a type of zero", message(0, b"x"), "08P01"),
        ("a message of servers", message(b'T', b"\0\0"), "08P01"),
        ("a password in a session", message(b'p', b"x\0"), "08P01"),
        ("a Query without a terminator", message(b'Q', b"SELECT 1"), "08P01"),
        ("a Query without a text", message(b'Q', b""), "08P01"),
        ("a NUL within a Query", message(b'Q', b"SELECT 1\0; SELECT 2\0"), "08P01"),
        ("bytes behind a Query", message(b'Q', b"SELECT 1\0x"), "08P01"),
        ("bytes behind a Sync", message(b'S', b"x"), "08P01"),
        ("bytes behind a Flush", message(b'H', b"\0"), "08P01"),
        ("bytes behind an Execute", message(b'E', b"\0\0\0\0\0\0"), "08P01"),
        ("an Execute without a row limit", message(b'E', b"\0\0\0"), "08P01"),
        ("a Parse without types", message(b'P', b"\0SELECT 1\0"), "08P01"),
        ("a Parse with more types than it has", message(b'P', b"\0SELECT 1\0\xff\xff\0\0"), "08P01"),
        ("a Parse whose name does not end", message(b'P', b"name"), "08P01"),
        ("a Bind of nothing", message(b'B', b""), "08P01"),
        ("a Bind with a value beyond its end", message(b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0"), "08P01"),
        ("a Bind with a negative length", message(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"), "08P01"),
        ("a Bind with more formats than it has", message(b'B', b"\0\0\xff\xff\0\0"), "08P01"),
        ("a Bind without result formats", message(b'B', b"\0\0\0\0\0\0"), "08P01"),
        ("a Describe of neither", describe(b'X', ""), "08P01"),
        ("a Close of neither", message(b'C', b"X\0"), "08P01"),
        ("a Describe of nothing", message(b'D', b""), "08P01"),
        ("a CopyFail without a terminator", message(b'f', b"x"), "08P01"),
        ("a function call cut short", message(b'F', b"\0\0"), "08P01"),
    ];
    for (name, bytes, expected) in cases {
        let mut raw = bench.connect();
        // What is complete before it is answered.
        raw.send(&[query("SELECT 'before'"), bytes, query("SELECT 'behind'")].concat());
        let frames = raw.until_closed();
        let shapes = shapes(&frames);
        assert!(!shapes.iter().any(|shape| shape.contains("behind")), "{name}: {shapes:?}");
        let fatal: Vec<_> = frames.iter().filter(|frame| frame.tag == b'E').collect();
        assert_eq!(fatal.len(), 1, "{name}: {shapes:?}");
        assert_eq!(
            (fatal[0].field(b'V').as_str(), fatal[0].field(b'C').as_str()),
            ("FATAL", expected),
            "{name}"
        );
        assert_eq!(frames.last(), fatal.last().copied(), "{name}: {shapes:?}");
    }
    bench.is_well();
}

#[tokio::test]
async fn sessions_that_break_off_anywhere_are_forgotten() {
    let bench = Bench::new().await;
    let pipeline = [
        query("SELECT 1"),
        parse("s", "SELECT id, email FROM customers WHERE id = $1"),
        bind("", "s", &[Some(b"1")], &[]),
        execute("", 0),
        sync(),
    ]
    .concat();
    for length in (0..pipeline.len()).step_by(3) {
        let mut raw = bench.connect();
        raw.send(&pipeline[..length]);
        raw.end();
        // Whatever was whole is answered or not; then it is over.
        let errors = errors(&raw.until_closed());
        assert!(errors.is_empty(), "after {length} bytes: {errors:?}");
    }
    // Gone without a word, in the middle of a statement.
    for _ in 0..10 {
        let mut raw = bench.connect();
        raw.send(&query("SELECT pg_sleep(60)"));
    }
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()";
    for tries in 0.. {
        let row = bench.shop.direct.query_one(sleeping, &[]).await.expect("the activity");
        if row.get::<_, i64>(0) == 0 {
            break;
        }
        assert!(tries < 100, "statements of clients that are gone are still running");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    bench.is_well();
}

#[tokio::test]
async fn function_calls_are_refused_and_the_session_goes_on() {
    let bench = Bench::new().await;
    let mut raw = bench.connect();
    // pg_backend_pid()
    let call = message(b'F', &[&2026u32.to_be_bytes()[..], &[0, 0, 0, 0, 0, 0]].concat());
    raw.send(&[call.clone(), query("SELECT 1")].concat());
    let frames = raw.until(b'Z', 2);
    assert_eq!(tags(&frames), "EZTDCZ");
    assert_eq!(errors(&frames), ["42501"]);
    raw.query("BEGIN");
    raw.send(&call);
    let frames = raw.until(b'Z', 1);
    assert_eq!(frames.last().map(|frame| frame.body.clone()), Some(b"E".to_vec()));
    bench.is_well();
}

#[tokio::test]
async fn statements_beyond_the_limits_are_refused_and_the_session_goes_on() {
    let bench = Bench::new().await;
    let customers = "SELECT id FROM customers WHERE id IN (1";
    let cases = [
        ("too large", format!("SELECT '{}'", "x".repeat(2 << 20)), "54000"),
        ("too large in a comment", format!("SELECT 1 /*{}*/", "x".repeat(2 << 20)), "54000"),
        ("too many tokens", format!("{customers}{})", ",1".repeat(30_000)), "54000"),
        ("too many statements", "SELECT 1;".repeat(20_000), "54000"),
        ("too deep", format!("{customers}) AND {}1=1{}", "(".repeat(5000), ")".repeat(5000)), "54001"),
    ];
    let mut raw = bench.connect();
    for (name, statement, expected) in &cases {
        let frames = raw.query(statement);
        assert_eq!(tags(&frames), "EZ", "{name}");
        assert!(errors(&frames)[0].starts_with("54"), "{name}: {:?} is not {expected}", shapes(&frames));
        raw.send(&[parse("s", statement), bind("", "s", &[], &[]), execute("", 0), sync()].concat());
        let frames = raw.until(b'Z', 1);
        assert_eq!(tags(&frames), "EZ", "{name}");
        assert!(errors(&frames)[0].starts_with("54"), "{name}: {:?} is not {expected}", shapes(&frames));
        assert_eq!(tags(&raw.query("SELECT 1")), "TDCZ", "{name}");
    }
    // A string that never ends, a comment that never ends, and bytes of no token.
    for statement in
        ["SELECT 'x", "SELECT /* ", "SELECT \"x", "SELECT $a$ x $b$", "SELECT E'\\", "SELECT U&'\\00'"]
    {
        let frames = raw.query(statement);
        assert_eq!(tags(&frames), "EZ", "{statement}");
        assert!(errors(&frames)[0].starts_with("42601"), "{statement}: {:?}", shapes(&frames));
    }
    bench.is_well();
}

#[tokio::test]
async fn names_are_limited() {
    let settings = Settings {
        replace: vec![("# names = 10000  ".to_owned(), "names = 50 # ".to_owned())],
        ..Settings::default()
    };
    let bench = Bench::with(&settings).await;
    let mut raw = bench.connect();
    let many: Vec<Vec<u8>> =
        (0..60).flat_map(|number| [parse(&format!("s{number}"), "SELECT 1"), sync()]).collect();
    raw.send(&many.concat());
    let frames = raw.until(b'Z', 60);
    let refused = errors(&frames);
    assert!((5..=15).contains(&refused.len()) && refused.iter().all(|code| code == "54000"), "{refused:?}");
    // Room is made by closing.
    raw.send(&[close(b'S', "s1"), close(b'S', "s2"), sync()].concat());
    assert_eq!(tags(&raw.until(b'Z', 1)), "33Z");
    raw.send(&[parse("new", "SELECT 2"), sync()].concat());
    assert_eq!(tags(&raw.until(b'Z', 1)), "1Z");
    bench.is_well();
}

/// Random messages with sensible headers: none may panic, hang, or disturb another session.
#[tokio::test]
async fn a_thousand_random_messages_disturb_nobody() {
    let bench = Bench::new().await;
    let mut other = bench.connect();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let texts: [&[u8]; 8] = [
        b"\0",
        b"s\0",
        b"SELECT 1\0",
        b"SELECT email FROM customers\0",
        b"\0\0\0\0",
        b"\xff\xff",
        b"P\0",
        b"\0\x01",
    ];
    for _ in 0..40 {
        let mut raw = bench.connect();
        let mut bytes = Vec::new();
        for _ in 0..25 {
            let tag = b"QPBDECSHdcfFX"[random(12)];
            let body: Vec<u8> = (0..random(6)).flat_map(|_| texts[random(texts.len())].to_vec()).collect();
            bytes.extend(message(tag, &body));
        }
        raw.send(&bytes);
        raw.end();
        loop {
            match raw.frame(PATIENCE) {
                Event::Frame(_) => {}
                Event::Closed => break,
                Event::Silence => panic!("no end after {}", bytes.escape_ascii()),
            }
        }
        assert_eq!(tags(&other.query("SELECT 1")), "TDCZ");
    }
    bench.is_well();
}
