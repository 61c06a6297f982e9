//! Messages of the right length whose content is wrong: an error, as in PostgreSQL, and on it goes.

use pgwarrant_tests::raw::{
    copy_data, describe, errors, execute, flush, message, parse, query, shapes, sync, text,
};

use crate::Bench;
use crate::compare::{Case, Refused, Step, same, send};

/// A body that holds a name, then these bytes.
fn after(name: &str, bytes: &[u8]) -> Vec<u8> {
    [&text(name)[..], bytes].concat()
}

/// The messages, and how many ReadyForQuery each brings by itself.
fn malformed() -> Vec<(&'static str, Vec<u8>, usize)> {
    let bind = |bytes: &[u8]| message(b'B', &[&text("")[..], &after("s", bytes)].concat());
    vec![
        ("a Query without a terminator", message(b'Q', b"SELECT 1"), 1),
        ("a Query without a text", message(b'Q', b""), 1),
        ("a NUL within a Query", message(b'Q', b"SELECT 1\0; SELECT 2\0"), 1),
        ("bytes behind a Query", message(b'Q', b"SELECT 1\0x"), 1),
        ("a Query that is not UTF-8", message(b'Q', b"SELECT '\xff'\0"), 1),
        ("bytes behind a Sync", message(b'S', b"x"), 1),
        ("a function call cut short", message(b'F', b"\0\0"), 1),
        ("bytes behind a Flush", message(b'H', b"\0"), 0),
        ("bytes behind an Execute", message(b'E', b"\0\0\0\0\0\0"), 0),
        ("an Execute without a row limit", message(b'E', b"\0\0\0"), 0),
        ("an Execute of nothing", message(b'E', b""), 0),
        ("a Parse without types", message(b'P', b"\0SELECT 1\0"), 0),
        ("a Parse with more types than it has", message(b'P', b"\0SELECT 1\0\xff\xff\0\0"), 0),
        ("a Parse whose name does not end", message(b'P', b"name"), 0),
        ("bytes behind a Parse", message(b'P', b"\0SELECT 1\0\0\0x"), 0),
        ("a Parse that is not UTF-8", message(b'P', b"\0SELECT '\xff'\0\0\0"), 0),
        ("a Bind of nothing", message(b'B', b""), 0),
        ("a Bind with a value beyond its end", bind(b"\0\0\0\x01\x7f\xff\xff\xff\0\0"), 0),
        ("a Bind with a negative length", bind(b"\0\0\0\x01\xff\xff\xff\xfe\0\0"), 0),
        ("a Bind with more formats than it has", bind(b"\xff\xff\0\0"), 0),
        ("a Bind without result formats", bind(b"\0\0\0\x01\0\0\0\x011"), 0),
        ("bytes behind a Bind", bind(b"\0\0\0\x01\0\0\0\x011\0\0x"), 0),
        ("a Bind with an unknown format of a parameter", bind(b"\0\x01\0\x07\0\x01\0\0\0\x011\0\0"), 0),
        ("a Bind with an unknown format of a result", bind(b"\0\0\0\x01\0\0\0\x011\0\x01\0\x07"), 0),
        ("a Bind with too many formats of parameters", bind(b"\0\x02\0\0\0\0\0\x01\0\0\0\x011\0\0"), 0),
        ("a Bind with too many formats of results", bind(b"\0\0\0\x01\0\0\0\x011\0\x02\0\0\0\0"), 0),
        ("a Bind with too few values", bind(b"\0\0\0\0\0\0"), 0),
        ("a Bind with too many values", bind(b"\0\0\0\x02\0\0\0\x011\0\0\0\x011\0\0"), 0),
        ("a Describe of neither", describe(b'X', ""), 0),
        ("a Describe of nothing", message(b'D', b""), 0),
        ("bytes behind a Describe", message(b'D', b"Ss\0x"), 0),
        ("a Close of neither", message(b'C', b"X\0"), 0),
        ("a Close of nothing", message(b'C', b""), 0),
    ]
}

fn cases(_: Refused) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, bytes, ready) in malformed() {
        let begin = [query("SELECT 'before'"), parse("s", "SELECT $1::int"), sync()].concat();
        // By itself; in a block; in a pipeline, where it undoes what was done; behind an error.
        let behind = [bytes.clone(), execute("", 0), sync(), query("SELECT 'behind'")].concat();
        cases.push((name, vec![send(&[begin.clone(), behind.clone()]), Step::Until(b'Z', 4 + ready)]));
        let block = [query("BEGIN"), begin.clone(), behind, query("ROLLBACK")].concat();
        cases.push((name, vec![send(&[block]), Step::Until(b'Z', 6 + ready)]));
        if ready == 0 {
            let pipeline = [
                begin.clone(),
                parse("", "CREATE TEMP TABLE made()"),
                pgwarrant_tests::raw::bind("", "", &[], &[]),
                execute("", 0),
                bytes.clone(),
                sync(),
                query("SELECT to_regclass('pg_temp.made')"),
            ];
            cases.push((name, vec![send(&pipeline), Step::Until(b'Z', 4)]));
            let failed = [begin, parse("", "SELEC"), bytes.clone(), flush(), bytes, sync()];
            cases.push((name, vec![send(&failed), Step::Until(b'Z', 3)]));
        }
    }
    // What belongs to a COPY, without one.
    for (name, bytes) in [
        ("a CopyFail without a terminator", message(b'f', b"x")),
        ("a CopyDone with a body", message(b'c', b"x")),
        ("CopyData of nothing", copy_data(b"")),
    ] {
        cases.push((name, vec![send(&[bytes, query("SELECT 'behind'")]), Step::Until(b'Z', 1)]));
    }
    cases
}

#[tokio::test]
async fn malformed_messages_are_answered_as_by_postgresql() {
    let bench = Bench::new().await;
    same(&bench, cases);
}

/// No message of the protocol, or one that the server sends: neither side can go on.
#[tokio::test]
async fn what_is_no_message_ends_its_session_alone() {
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
    // A goodbye is one, whatever is in it.
    let mut raw = bench.connect();
    raw.send(&[query("SELECT 1"), message(b'X', b"x")].concat());
    assert_eq!(errors(&raw.until_closed()), [""; 0]);
    bench.is_well();
}
