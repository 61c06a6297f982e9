//! Messages that are not as they should be, in a session.

use pgwarrant_tests::Settings;
use pgwarrant_tests::raw::{
    Event, PATIENCE, bind, close, errors, execute, message, parse, query, shapes, sync, tags,
};

use crate::Bench;

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
