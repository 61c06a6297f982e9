//! The extended protocol.

use pgwarrant_tests::raw::{
    Raw, bind, bind_with, close, describe, errors, execute, flush, message, parse, query, sync, tags, text,
};

use crate::Bench;
use crate::compare::{Case, READY, Refused, Step, same, send};

const SERIES: &str = "SELECT generate_series(1, 5)";

fn cases(refused: Refused) -> Vec<Case> {
    let statements = [names(refused), portals(), flushes(refused), oddities(refused)];
    statements.into_iter().flatten().collect()
}

/// One batch: all of it is sent, then all answers are read.
fn batch(messages: &[Vec<u8>]) -> Vec<Step> {
    let syncs = messages.iter().filter(|message| **message == sync()).count();
    vec![send(messages), Step::Until(b'Z', syncs)]
}

fn whole(statement: &str) -> Vec<u8> {
    [parse("", statement), bind("", "", &[], &[]), describe(b'P', ""), execute("", 0)].concat()
}

fn names(refused: Refused) -> Vec<Case> {
    let typed = "SELECT $1::int + 1 AS n, $2::text AS t, $3::date AS d";
    let values: &[Option<&[u8]>] = &[Some(b"41"), None, Some(b"2026-11-21")];
    vec![
        ("one statement", batch(&[whole("SELECT id, name FROM products ORDER BY id LIMIT 2"), sync()])),
        (
            "several in one batch",
            batch(&[whole("SELECT 1"), whole("SELECT 'two'"), whole("SELECT 3"), sync()]),
        ),
        ("several batches at once", batch(&[whole("SELECT 1"), sync(), whole("SELECT 2"), sync(), sync()])),
        (
            "a refused Parse skips the rest of its batch",
            batch(&[
                whole("SELECT 1"),
                refused.parse("r"),
                bind("", "r", &[], &[]),
                execute("", 0),
                whole("SELECT 2"),
                sync(),
                whole("SELECT 3"),
                sync(),
            ]),
        ),
        (
            "a refused Parse in a transaction block",
            batch(&[
                whole("BEGIN"),
                sync(),
                refused.parse(""),
                sync(),
                whole("SELECT 1"),
                sync(),
                whole("ROLLBACK"),
                sync(),
            ]),
        ),
        (
            "what was done before the refused Parse is rolled back",
            batch(&[
                whole("CREATE TEMP TABLE t(x int)"),
                refused.parse(""),
                sync(),
                whole("SELECT x FROM t"),
                sync(),
            ]),
        ),
        (
            "a refused Parse defines nothing",
            batch(&[
                refused.parse("r"),
                sync(),
                bind("", "r", &[], &[]),
                sync(),
                describe(b'S', "r"),
                sync(),
            ]),
        ),
        (
            "a Parse that was skipped defines nothing",
            batch(&[
                refused.parse("r"),
                parse("s", "SELECT 1"),
                sync(),
                describe(b'S', "s"),
                sync(),
                parse("s", "SELECT 2"),
                bind("", "s", &[], &[]),
                execute("", 0),
                sync(),
            ]),
        ),
        (
            "a Close that was skipped closes nothing",
            batch(&[
                parse("s", "SELECT 1"),
                refused.parse("r"),
                close(b'S', "s"),
                sync(),
                bind("", "s", &[], &[]),
                execute("", 0),
                sync(),
            ]),
        ),
        (
            "a refused Parse takes the unnamed statement away",
            batch(&[
                parse("", "SELECT 1"),
                sync(),
                refused.parse(""),
                sync(),
                bind("", "", &[], &[]),
                sync(),
            ]),
        ),
        (
            "a name that is taken",
            batch(&[
                parse("s", "SELECT 1"),
                parse("s", "SELECT 2"),
                sync(),
                bind("", "s", &[], &[]),
                execute("", 0),
                sync(),
            ]),
        ),
        (
            "closing frees the name",
            batch(&[
                parse("s", "SELECT 1"),
                close(b'S', "s"),
                parse("s", "SELECT 2"),
                bind("", "s", &[], &[]),
                execute("", 0),
                close(b'S', "nosuch"),
                close(b'P', "nosuch"),
                sync(),
            ]),
        ),
        (
            "SQL and protocol share the names",
            batch(&[
                parse("s", "SELECT 5"),
                whole("EXECUTE s"),
                whole("DEALLOCATE s"),
                bind("", "s", &[], &[]),
                sync(),
                whole("PREPARE q AS SELECT 6"),
                bind("", "q", &[], &[]),
                describe(b'P', ""),
                execute("", 0),
                sync(),
            ]),
        ),
        (
            "DISCARD ALL forgets them",
            batch(&[
                parse("s", "SELECT 5"),
                sync(),
                whole("DISCARD ALL"),
                sync(),
                bind("", "s", &[], &[]),
                sync(),
                parse("s", "SELECT 6"),
                sync(),
            ]),
        ),
        (
            "describe of a statement and of a portal",
            batch(&[
                parse("s", typed),
                describe(b'S', "s"),
                bind("p", "s", values, &[]),
                describe(b'P', "p"),
                execute("p", 0),
                sync(),
                parse("u", "SET application_name = 'x'"),
                describe(b'S', "u"),
                bind("", "u", &[], &[]),
                describe(b'P', ""),
                sync(),
                describe(b'S', "nosuch"),
                describe(b'S', "s"),
                sync(),
                describe(b'P', "nosuch"),
                sync(),
            ]),
        ),
        (
            "binary results and parameters",
            batch(&[
                parse("s", typed),
                bind("", "s", values, &[1]),
                describe(b'P', ""),
                execute("", 0),
                bind("", "s", values, &[0, 1, 1]),
                describe(b'P', ""),
                execute("", 0),
                bind_with("", "s", &[1, 0, 0], &[Some(&[0, 0, 0, 1]), Some(b"x"), None], &[1, 1, 0]),
                execute("", 0),
                bind_with("", "s", &[1], &[Some(&[0, 0, 0, 1]), Some(b"x"), Some(&[0, 0, 1, 0])], &[1]),
                execute("", 0),
                sync(),
            ]),
        ),
    ]
}

fn portals() -> Vec<Case> {
    vec![
        (
            "a row limit, and on",
            batch(&[
                parse("", SERIES),
                bind("", "", &[], &[]),
                execute("", 2),
                execute("", 2),
                execute("", 2),
                execute("", 2),
                sync(),
            ]),
        ),
        (
            "a portal ends with its transaction",
            batch(&[
                parse("", SERIES),
                bind("p", "", &[], &[]),
                execute("p", 2),
                sync(),
                execute("p", 2),
                sync(),
            ]),
        ),
        (
            "a portal over several batches of a transaction",
            batch(&[
                whole("BEGIN"),
                parse("s", SERIES),
                bind("p", "s", &[], &[]),
                execute("p", 2),
                sync(),
                execute("p", 1),
                sync(),
                execute("p", 0),
                sync(),
                execute("p", 1),
                whole("COMMIT"),
                sync(),
                execute("p", 1),
                sync(),
            ]),
        ),
        (
            "two portals in turn",
            batch(&[
                parse("s", SERIES),
                bind("p", "s", &[], &[]),
                bind("q", "s", &[], &[1]),
                execute("p", 1),
                execute("q", 2),
                execute("p", 1),
                execute("q", 2),
                close(b'P', "p"),
                execute("q", 2),
                execute("p", 1),
                sync(),
            ]),
        ),
        (
            "the unnamed statement is replaced under a bound portal",
            batch(&[
                parse("", SERIES),
                bind("p", "", &[], &[]),
                parse("", "SELECT 'other'"),
                execute("p", 3),
                bind("", "", &[], &[]),
                execute("", 0),
                execute("p", 0),
                sync(),
            ]),
        ),
        (
            "the unnamed statement is replaced under the unnamed portal, and fails",
            batch(&[
                parse("", SERIES),
                bind("", "", &[], &[]),
                parse("", "SELECT 1 FROM nosuch"),
                execute("", 0),
                sync(),
            ]),
        ),
        (
            "a named statement is closed under a bound portal",
            batch(&[
                parse("s", SERIES),
                bind("p", "s", &[], &[]),
                close(b'S', "s"),
                describe(b'P', "p"),
                execute("p", 2),
                sync(),
            ]),
        ),
        (
            "a portal's name that is taken",
            batch(&[
                parse("", SERIES),
                bind("p", "", &[], &[]),
                bind("p", "", &[], &[]),
                execute("p", 0),
                sync(),
            ]),
        ),
        (
            "the unnamed portal is replaced by a Query",
            vec![
                send(&[
                    query("BEGIN"),
                    parse("", SERIES),
                    bind("", "", &[], &[]),
                    execute("", 1),
                    sync(),
                    query("SELECT 1"),
                    execute("", 1),
                    sync(),
                ]),
                Step::Until(b'Z', 4),
            ],
        ),
        (
            "a cursor of SQL as a portal",
            batch(&[
                whole("BEGIN"),
                whole("DECLARE c CURSOR FOR SELECT generate_series(1, 5)"),
                sync(),
                describe(b'P', "c"),
                execute("c", 2),
                whole("FETCH 1 FROM c"),
                sync(),
                whole("CLOSE c"),
                execute("c", 1),
                sync(),
            ]),
        ),
        (
            "a portal as a cursor of SQL",
            batch(&[
                whole("BEGIN"),
                parse("s", SERIES),
                bind("p", "s", &[], &[]),
                execute("p", 1),
                whole("FETCH 2 FROM p"),
                execute("p", 1),
                whole("CLOSE p"),
                execute("p", 1),
                sync(),
            ]),
        ),
        ("Execute of an unknown portal", batch(&[execute("nosuch", 0), whole("SELECT 1"), sync()])),
        ("Execute of no unnamed portal", batch(&[execute("", 0), sync(), describe(b'P', ""), sync()])),
        (
            "a portal that has failed",
            batch(&[
                parse("", "SELECT 10 / (3 - x) FROM generate_series(1, 5) AS x"),
                bind("p", "", &[], &[]),
                execute("p", 2),
                execute("p", 2),
                execute("p", 2),
                sync(),
                execute("p", 1),
                sync(),
            ]),
        ),
        (
            "row limits on what returns no rows",
            batch(&[
                whole("BEGIN"),
                whole("CREATE TEMP TABLE t(x int)"),
                parse("i", "INSERT INTO t SELECT generate_series(1, 4) RETURNING x"),
                bind("p", "i", &[], &[]),
                execute("p", 3),
                execute("p", 3),
                parse("n", "DELETE FROM t"),
                bind("q", "n", &[], &[]),
                execute("q", 1),
                whole("ROLLBACK"),
                sync(),
            ]),
        ),
    ]
}

fn flushes(refused: Refused) -> Vec<Case> {
    vec![
        (
            "Flush without Sync is answered",
            vec![
                send(&[parse("s", SERIES), flush()]),
                Step::Until(b'1', 1),
                send(&[describe(b'S', "s"), flush()]),
                Step::Until(b'T', 1),
                send(&[bind("p", "s", &[], &[]), flush()]),
                Step::Until(b'2', 1),
                send(&[execute("p", 2), flush()]),
                Step::Until(b's', 1),
                send(&[flush(), execute("p", 2), flush()]),
                Step::Until(b's', 1),
                send(&[execute("p", 2), flush(), close(b'P', "p"), flush()]),
                Step::Until(b'3', 1),
                send(&[sync()]),
                READY,
            ],
        ),
        (
            "an error is told at once, without Flush",
            vec![
                send(&[parse("", "SELECT 1/0"), bind("", "", &[], &[])]),
                Step::Until(b'E', 1),
                send(&[execute("", 0), whole("SELECT 1"), flush()]),
                send(&[sync()]),
                READY,
            ],
        ),
        (
            "a refusal is told at once, without Flush",
            vec![
                send(&[refused.parse("")]),
                Step::Until(b'E', 1),
                send(&[whole("SELECT 1"), flush(), sync()]),
                READY,
            ],
        ),
        (
            "new temporary tables within a pipeline",
            vec![
                send(&[whole("CREATE TEMP TABLE t(x int)"), flush()]),
                Step::Until(b'C', 1),
                send(&[whole("INSERT INTO t VALUES (1)"), whole("SELECT x FROM t"), flush()]),
                Step::Until(b'C', 2),
                send(&[whole("DROP TABLE t"), whole("SELECT x FROM t"), sync()]),
                READY,
            ],
        ),
    ]
}

fn oddities(refused: Refused) -> Vec<Case> {
    vec![
        (
            "an empty query",
            batch(&[whole(""), whole(" ; "), parse("s", "-- c"), describe(b'S', "s"), sync()]),
        ),
        ("several statements in one Parse", batch(&[whole("SELECT 1; SELECT 2"), sync()])),
        (
            "a refused one among several in one Parse",
            batch(&[parse("", &refused.between("SELECT 1", "SELECT 2")), sync()]).into_iter().collect(),
        ),
        (
            "a syntax error in a block that has failed",
            batch(&[
                whole("BEGIN"),
                whole("SELECT 1/0"),
                sync(),
                whole("SELEC"),
                sync(),
                whole("ROLLBACK"),
                sync(),
            ]),
        ),
        ("a syntax error", batch(&[whole("SELEC"), sync()])),
        (
            "what fails when the Sync commits",
            batch(&[
                whole("CREATE TEMP TABLE t(x int UNIQUE DEFERRABLE INITIALLY DEFERRED)"),
                sync(),
                whole("INSERT INTO t VALUES (1), (1)"),
                sync(),
                whole("SELECT x FROM t"),
                sync(),
            ]),
        ),
        ("only Syncs", batch(&[sync(), sync(), sync()])),
        ("only Flushes", vec![send(&[flush(), flush(), sync()]), READY]),
        (
            "too few parameters",
            batch(&[
                parse("s", "SELECT $1::int, $2::int"),
                bind("", "s", &[Some(b"1")], &[]),
                execute("", 0),
                sync(),
            ]),
        ),
        (
            "too many parameters",
            batch(&[parse("s", "SELECT 1"), bind("", "s", &[Some(b"1")], &[]), execute("", 0), sync()]),
        ),
        (
            "a wrong number of parameter formats",
            batch(&[
                parse("s", "SELECT $1::int"),
                bind_with("", "s", &[0, 0], &[Some(b"1")], &[]),
                sync(),
                bind_with("", "s", &[2], &[Some(b"1")], &[]),
                sync(),
            ]),
        ),
        (
            "a wrong number of result formats",
            batch(&[
                parse("s", "SELECT 1, 2"),
                bind("", "s", &[], &[0, 1, 0]),
                sync(),
                bind("", "s", &[], &[7]),
                execute("", 0),
                sync(),
            ]),
        ),
        (
            "values that do not fit their types",
            batch(&[
                parse("s", "SELECT $1::int"),
                bind("", "s", &[Some(b"x")], &[]),
                sync(),
                bind_with("", "s", &[1], &[Some(b"x")], &[]),
                sync(),
                parse("t", "SELECT $1::text"),
                bind("", "t", &[Some(b"\xff\xfe")], &[]),
                sync(),
                bind("", "t", &[Some(b"a\0b")], &[]),
                sync(),
            ]),
        ),
        (
            "parameter types that do not exist",
            batch(&[
                message(b'P', &[text(""), text("SELECT $1"), vec![0, 1, 0, 0, 255, 255]].concat()),
                sync(),
            ]),
        ),
        (
            "a Parse that is not UTF-8",
            batch(&[
                message(b'P', b"s\0SELECT '\xff'\0\0\0"),
                bind("", "s", &[], &[]),
                sync(),
                whole("SELECT 1"),
                sync(),
            ]),
        ),
        (
            "names with anything in them",
            batch(&[
                parse("a \"'; DROP é", "SELECT 1"),
                bind("\t;--", "a \"'; DROP é", &[], &[]),
                execute("\t;--", 0),
                sync(),
            ]),
        ),
        (
            "names that are longer than an identifier",
            batch(&[
                parse(&"n".repeat(100), "SELECT 1"),
                parse(&"n".repeat(101), "SELECT 2"),
                bind(&"p".repeat(100), &"n".repeat(100), &[], &[]),
                execute(&"p".repeat(100), 0),
                sync(),
            ]),
        ),
        (
            "a negative row limit",
            batch(&[parse("", SERIES), bind("", "", &[], &[]), execute("", u32::MAX), sync()]),
        ),
        (
            "transaction control in a pipeline",
            batch(&[
                whole("BEGIN"),
                whole("SELECT 1"),
                whole("COMMIT"),
                whole("SELECT 1/0"),
                whole("SELECT 2"),
                sync(),
                whole("ROLLBACK"),
                sync(),
            ]),
        ),
        (
            "notices and settings in a pipeline",
            batch(&[whole("DROP TABLE IF EXISTS nosuch"), whole("SET TimeZone = 'Asia/Tokyo'"), sync()]),
        ),
    ]
}

#[tokio::test]
async fn pipelines_are_answered_as_by_postgresql() {
    let bench = Bench::new().await;
    same(&bench, cases);
}

/// The masked relation is prepared, bound and read in pieces, as any other.
#[tokio::test]
async fn masked_relations_go_through_every_message_of_the_extended_protocol() {
    let bench = Bench::new().await;
    let statement = "SELECT id, email, ssn FROM customers WHERE id > $1::bigint ORDER BY id";
    let mut raw = bench.connect();
    let all = |raw: &mut Raw, count| raw.until(b'Z', count);
    raw.send(
        &[
            parse("s", statement),
            describe(b'S', "s"),
            bind("p", "s", &[Some(b"0")], &[0, 1, 0]),
            describe(b'P', "p"),
            execute("p", 2),
            flush(),
        ]
        .concat(),
    );
    let first = raw.until(b's', 1);
    raw.send(&[execute("p", 1), execute("p", 1), close(b'P', "p"), sync()].concat());
    let frames = [first, all(&mut raw, 1)].concat();
    assert_eq!(tags(&frames).replace('N', ""), "1tT2TDDsDsDs3Z");
    for frame in frames.iter().filter(|frame| frame.tag == b'D') {
        assert!(frame.body.windows(4).any(|four| four == b"tok_"), "{}", frame.shape());
    }
    assert_eq!(errors(&frames), [""; 0]);
    bench.is_well();
}

/// What is sent in place of a statement can be larger than a session lets wait for the server; what
/// comes behind it in the same read goes on when there is room again, and nothing else happens.
#[tokio::test]
async fn what_stands_behind_a_statement_that_grows_is_not_forgotten() {
    let bench = Bench::new().await;
    let mut raw = bench.connect();
    let grows = vec!["SELECT id, email, ssn, name FROM customers"; 400].join(" UNION ALL ");
    let statement = format!("SELECT count(*) FROM ({grows}) AS x");
    let several = [whole(&statement), whole("SELECT 1"), sync(), query("SELECT 2")].concat();
    assert!(several.len() < 32 * 1024, "it comes in one read");
    raw.send(&several);
    assert_eq!(tags(&raw.until(b'Z', 2)).replace('N', ""), "12TDC12TDCZTDCZ");
    bench.is_well();
}
