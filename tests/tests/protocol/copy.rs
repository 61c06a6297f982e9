//! COPY, both ways, in both protocols.

use pgwarrant_tests::raw::{
    bind, copy_data, copy_done, copy_fail, errors, execute, flush, parse, query, sync, tags,
};

use crate::Bench;
use crate::compare::{Case, READY, Refused, Step, queries, same, send};

const TABLE: &str = "CREATE TEMP TABLE t(x int, s text)";
const INTO: &str = "COPY t FROM STDIN";
const OUT: &str = "COPY (SELECT i, repeat('x', i) FROM generate_series(1, 4) AS i) TO STDOUT";

/// Asked for and begun: the server waits for data.
const BEGUN: Step = Step::Until(b'G', 1);

fn into(then: Vec<Step>) -> Vec<Step> {
    let mut steps = queries(&[TABLE]);
    steps.extend([send(&[query(INTO)]), BEGUN]);
    steps.extend(then);
    steps.extend(queries(&["SELECT count(*), min(x) FROM t"]));
    steps
}

fn extended(statement: &str) -> Vec<u8> {
    [parse("", statement), bind("", "", &[], &[]), execute("", 0)].concat()
}

fn extended_into(then: Vec<Step>) -> Vec<Step> {
    let mut steps = queries(&[TABLE]);
    steps.extend(then);
    steps.extend(queries(&["SELECT count(*), min(x) FROM t"]));
    steps
}

fn cases(refused: Refused) -> Vec<Case> {
    let (one, two) = (copy_data(b"1\ta\n"), copy_data(b"2\tb\n"));
    let refused_out = format!("COPY ({}) TO STDOUT", refused.0);
    vec![
        ("out", queries(&[OUT, "COPY products (id, name) TO STDOUT (FORMAT csv, HEADER)"])),
        ("out, binary", queries(&["COPY (SELECT 1, 'x') TO STDOUT (FORMAT binary)"])),
        ("out, among other statements", queries(&[&format!("SELECT 1; {OUT}; {OUT}; SELECT 2")])),
        (
            "out, failing half way",
            queries(&["COPY (SELECT 1 / (3 - i) FROM generate_series(1, 9) AS i) TO STDOUT"]),
        ),
        ("out, refused", queries(&[&refused_out, "SELECT 1"])),
        (
            "out, refused in the middle",
            queries(&["BEGIN", &format!("{OUT}; {refused_out}; SELECT 2"), "ROLLBACK"]),
        ),
        (
            "out, in a pipeline",
            vec![
                send(&[extended(OUT), extended("SELECT 1"), sync(), extended(OUT), sync()]),
                Step::Until(b'Z', 2),
            ],
        ),
        ("in", into(vec![send(&[one.clone(), two.clone(), copy_done()]), READY])),
        ("in, nothing", into(vec![send(&[copy_done()]), READY])),
        (
            "in, rows cut anywhere",
            into(vec![
                send(&[
                    copy_data(b"1\t"),
                    copy_data(b""),
                    copy_data(b"a\n2\tb"),
                    copy_data(b"\n"),
                    copy_done(),
                ]),
                READY,
            ]),
        ),
        ("in, with an end marker", into(vec![send(&[one.clone(), copy_data(b"\\.\n"), copy_done()]), READY])),
        ("in, failed by the client", into(vec![send(&[one.clone(), copy_fail("changed my mind")]), READY])),
        (
            "in, Flush and Sync among the data are ignored",
            into(vec![send(&[one.clone(), flush(), sync(), two.clone(), sync(), copy_done()]), READY]),
        ),
        (
            "in, rows that do not fit",
            into(vec![send(&[copy_data(b"x\ty\n"), one.clone(), copy_done()]), READY]),
        ),
        (
            "in, more after the error: it is dropped",
            into(vec![
                send(&[copy_data(b"1\t2\t3\n")]),
                READY,
                send(&[one.clone(), two.clone(), copy_done(), copy_fail("x")]),
            ]),
        ),
        (
            "in, in a transaction block",
            queries(&[TABLE])
                .into_iter()
                .chain([send(&[query("BEGIN"), query(INTO)]), BEGUN])
                .chain([send(&[copy_data(b"x\n"), copy_done()]), READY])
                .chain(queries(&["SELECT 1", "ROLLBACK"]))
                .collect(),
        ),
        (
            "in twice, in one message, with a statement behind",
            queries(&[TABLE])
                .into_iter()
                .chain([send(&[query(&format!("{INTO}; {INTO}; SELECT count(*) FROM t"))]), BEGUN])
                .chain([send(&[one.clone(), copy_done()]), BEGUN, send(&[two.clone(), copy_done()]), READY])
                .collect(),
        ),
        (
            "in and a refused statement behind it",
            queries(&[TABLE])
                .into_iter()
                .chain([send(&[query(&refused.between(INTO, "SELECT 1"))]), BEGUN])
                .chain([send(&[one.clone(), copy_done()]), READY])
                .chain(queries(&["SELECT count(*) FROM t"]))
                .collect(),
        ),
        (
            "in, sent in one go with its Query",
            queries(&[TABLE])
                .into_iter()
                .chain([
                    send(&[query(INTO), one.clone(), copy_done(), query("SELECT x FROM t")]),
                    Step::Until(b'Z', 2),
                ])
                .collect(),
        ),
        (
            "in, in a pipeline, its Sync sent before the data",
            extended_into(vec![
                send(&[extended(INTO), sync()]),
                BEGUN,
                send(&[one.clone(), two.clone(), copy_done(), sync()]),
                READY,
            ]),
        ),
        (
            "in, in a pipeline, all sent at once",
            extended_into(vec![send(&[extended(INTO), one.clone(), copy_done(), sync()]), READY]),
        ),
        (
            "in, in a pipeline, failed by the client",
            extended_into(vec![
                send(&[extended(INTO), flush()]),
                BEGUN,
                send(&[one.clone(), copy_fail("x"), extended("SELECT 1"), sync()]),
                READY,
            ]),
        ),
        (
            "in, in a pipeline, rows that do not fit",
            extended_into(vec![
                send(&[extended(INTO), flush()]),
                BEGUN,
                send(&[copy_data(b"x\n"), one.clone(), copy_done(), extended("SELECT 1"), sync()]),
                READY,
            ]),
        ),
        (
            "in, in a pipeline, with a statement behind",
            extended_into(vec![
                send(&[extended(INTO), flush()]),
                BEGUN,
                send(&[one.clone(), copy_done(), extended("SELECT x FROM t"), sync()]),
                READY,
            ]),
        ),
        (
            "data and their end without a COPY are ignored",
            vec![
                send(&[copy_data(b"1\n"), copy_done(), query("SELECT 1"), copy_fail("x"), query("SELECT 2")]),
                Step::Until(b'Z', 2),
            ],
        ),
    ]
}

#[tokio::test]
async fn copy_is_answered_as_by_postgresql() {
    let bench = Bench::new().await;
    same(&bench, cases);
}

#[tokio::test]
async fn a_large_copy_data_message_passes_in_pieces() {
    let bench = Bench::new().await;
    let mut raw = bench.connect();
    raw.query(TABLE);
    raw.send(&query(INTO));
    raw.until(b'G', 1);
    let row = format!("1\t{}\n", "x".repeat(8 << 20));
    raw.send(&[copy_data(row.as_bytes()), copy_data(row.as_bytes()), copy_done()].concat());
    assert_eq!(tags(&raw.until(b'Z', 1)), "CZ");
    let out = raw.query("COPY t TO STDOUT");
    assert_eq!(tags(&out), "HddcCZ");
    assert!(out.iter().filter(|frame| frame.tag == b'd').all(|frame| frame.body == row.as_bytes()));
    bench.is_well();
}

/// PostgreSQL ends the COPY with an error and goes on; so does the proxy, or it ends the session.
#[tokio::test]
async fn another_message_among_copy_data_harms_nobody_else() {
    let bench = Bench::new().await;
    for intruder in [query("SELECT 1"), parse("", "SELECT 1"), execute("", 0)] {
        let mut raw = bench.connect();
        raw.query(TABLE);
        raw.send(&query(INTO));
        raw.until(b'G', 1);
        raw.send(&[copy_data(b"1\ta\n"), intruder].concat());
        let frames = raw.until(b'E', 1);
        assert_eq!(errors(&frames), ["08P01"]);
    }
    bench.is_well();
}

/// More than the proxy lets be in flight at once: it makes the client wait, and nothing hangs.
#[tokio::test]
async fn thousands_of_messages_in_flight_around_a_copy_are_answered() {
    let bench = Bench::new().await;
    let many = extended("SELECT 1").repeat(3000);
    let cases = |_: Refused| -> Vec<Case> {
        vec![
            (
                "ends of no COPY",
                vec![
                    send(&[query("SELECT pg_sleep(0.2)"), copy_done().repeat(5000), query("SELECT 1")]),
                    Step::Until(b'Z', 2),
                ],
            ),
            (
                "a pipeline, and a COPY with its data behind it",
                extended_into(vec![
                    send(&[many.clone(), extended(INTO), copy_data(b"1\ta\n"), copy_done(), sync()]),
                    READY,
                ]),
            ),
            (
                "a pipeline that fails at its start, and another",
                vec![
                    send(&[extended("SELECT 1/0"), many.clone(), sync(), many.clone(), sync()]),
                    Step::Until(b'Z', 2),
                ],
            ),
            ("queries", vec![send(&[query("SELECT 1").repeat(6000)]), Step::Until(b'Z', 6000)]),
        ]
    };
    same(&bench, cases);
}
