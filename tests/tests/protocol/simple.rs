//! Query messages.

use pgwarrant_tests::raw::{message, parse, query, sync};

use crate::Bench;
use crate::compare::{Case, READY, Refused, Step, queries, same, send};

fn cases(refused: Refused) -> Vec<Case> {
    let middle = refused.between("SELECT 1", "SELECT 2");
    let within = |before, after| refused.between(before, after);
    vec![
        ("one statement", queries(&["SELECT id, name FROM products ORDER BY id LIMIT 3"])),
        ("several statements", queries(&["SELECT 1; SELECT 2, 'x'; SELECT NULL; VALUES (1), (2)"])),
        ("nothing", queries(&["", ";", " ; ;; ", "-- c", "/* /* */ */"])),
        ("a refused statement", queries(&[refused.0, refused.0])),
        ("refused in the middle", queries(&[&middle])),
        ("refused at the start", queries(&[&format!("{}; SELECT 1", refused.0)])),
        ("refused at the end", queries(&[&format!("SELECT 1; {};", refused.0)])),
        ("an error in the middle", queries(&["SELECT 1; SELECT 1/0; SELECT 2"])),
        ("a syntax error anywhere", queries(&["SELECT 1; SELEC 2; SELECT 3"])),
        (
            "a syntax error in a block that has failed",
            queries(&["BEGIN", "SELECT 1/0", "SELEC 1", "SELECT 1", "ROLLBACK"]),
        ),
        (
            "what stands before a syntax error is not committed",
            queries(&[
                "CREATE TEMP TABLE t(x int)",
                "INSERT INTO t VALUES (1); COMMIT; SELEC",
                "SELECT x FROM t",
            ]),
        ),
        ("a syntax error before a refusal", queries(&[&within("SELEC 1", "SELECT 2")])),
        ("a syntax error after a refusal", queries(&[&within("SELECT 1", "SELEC 2")])),
        ("refused in a transaction block", queries(&["BEGIN", &middle, "SELECT 1", "COMMIT", "SELECT 2"])),
        (
            "refused in a block of one message",
            queries(&[&within("BEGIN; SELECT 1", "COMMIT"), "SELECT 1", "ROLLBACK"]),
        ),
        (
            "refused twice in a block: the second is not looked at",
            queries(&["BEGIN", &middle, &middle, "ROLLBACK"]),
        ),
        (
            "back to a savepoint",
            queries(&["BEGIN", "SAVEPOINT s", &middle, "ROLLBACK TO s", "SELECT 1", "COMMIT"]),
        ),
        (
            "an implicit transaction is rolled back",
            queries(&[
                &within("CREATE TEMP TABLE t AS SELECT 1 AS x", "SELECT 2"),
                "SELECT x FROM t",
                "CREATE TEMP TABLE t AS SELECT 1 AS x; SELECT x FROM t",
            ]),
        ),
        (
            "what was committed before the refusal stays",
            queries(&[
                &within("BEGIN; CREATE TEMP TABLE t AS SELECT 1 AS x; COMMIT", "SELECT 2"),
                "SELECT x FROM t",
            ]),
        ),
        (
            "messages sent at once",
            vec![
                send(&[query("SELECT 1"), refused.query(), query(&middle), query(""), query("SELECT 2")]),
                Step::Until(b'Z', 5),
            ],
        ),
        (
            "a message of two parts",
            vec![
                Step::Send(query("SELECT 'of two parts'")[..7].to_vec()),
                Step::Send(query("SELECT 'of two parts'")[7..].to_vec()),
                READY,
            ],
        ),
        (
            "a Query after a refused Parse is skipped",
            vec![
                send(&[refused.parse("s"), query("SELECT 1"), sync(), query("SELECT 2")]),
                Step::Until(b'Z', 2),
            ],
        ),
        (
            "a Query behind a pipeline without Sync",
            vec![send(&[parse("s", "SELECT 7"), query("EXECUTE s")]), READY],
        ),
        (
            "notices",
            queries(&["DROP TABLE IF EXISTS nosuch; SELECT 1", "COMMIT", "BEGIN", "BEGIN", "ROLLBACK"]),
        ),
        (
            "settings that are reported",
            queries(&[
                "SET TimeZone = 'Asia/Tokyo'; SELECT 1",
                "BEGIN; SET TimeZone = 'Europe/Paris'; SET application_name = 'x'",
                "ROLLBACK",
                "SET DateStyle = 'German'",
                "SHOW TimeZone",
                "RESET ALL",
            ]),
        ),
        (
            "text that is not UTF-8",
            vec![send(&[message(b'Q', b"SELECT '\xff\xfe'\0"), query("SELECT 1")]), Step::Until(b'Z', 2)],
        ),
        (
            "text that is not UTF-8 in a transaction block",
            vec![
                send(&[
                    query("BEGIN"),
                    message(b'Q', b"SELECT '\xc3\x28'\0"),
                    query("SELECT 1"),
                    query("ROLLBACK"),
                ]),
                Step::Until(b'Z', 4),
            ],
        ),
        (
            "prepared statements and cursors in SQL",
            queries(&[
                "PREPARE p(int) AS SELECT $1 + 1; EXECUTE p(41)",
                "EXECUTE p(1); DEALLOCATE p; EXECUTE p(2)",
                "BEGIN; DECLARE c CURSOR FOR SELECT generate_series(1, 5)",
                "FETCH 2 FROM c; FETCH 2 FROM c",
                "MOVE 1 IN c; FETCH c; CLOSE c; FETCH c",
                "ROLLBACK",
            ]),
        ),
        ("explain", queries(&["EXPLAIN (COSTS OFF) SELECT id FROM products WHERE id = 1"])),
        (
            "writing",
            queries(&[
                "BEGIN; CREATE TEMP TABLE t(x int PRIMARY KEY)",
                "INSERT INTO t SELECT generate_series(1, 3) RETURNING x; UPDATE t SET x = x + 10; DELETE FROM t WHERE x = 11",
                "INSERT INTO t VALUES (12)",
                "COMMIT",
            ]),
        ),
    ]
}

#[tokio::test]
async fn query_messages_are_answered_as_by_postgresql() {
    let bench = Bench::new().await;
    same(&bench, cases);
}
