//! Prepared statements, portals and copies when what they rest on changes.

use std::time::{Duration, Instant};

use pgwarrant_tests::raw::{Frame, bind, close, describe, errors, execute, parse, query, shapes, sync, tags};
use pgwarrant_tests::{Settings, grant, workspace};

use crate::Bench;

fn whole(statement: &str) -> Vec<u8> {
    [parse("", statement), bind("", "", &[], &[]), describe(b'P', ""), execute("", 0)].concat()
}

fn shows(frames: &[Frame], text: &str) -> bool {
    frames.iter().any(|frame| frame.tag == b'D' && String::from_utf8_lossy(&frame.body).contains(text))
}

/// Each way to run what SQL's PREPARE has made, with the type bytes of the answer.
fn ways() -> Vec<(&'static str, Vec<u8>, usize, &'static str)> {
    let run = "EXECUTE s(42)";
    vec![
        ("a Query", query(run), 1, "TDCZ"),
        ("among others", query("SELECT 1; EXECUTE s(42); EXECUTE s(42); SELECT 2"), 1, "TDCTDCTDCTDCZ"),
        ("in a block", [query("BEGIN"), query(run), query("COMMIT")].concat(), 3, "CZTDCZCZ"),
        ("in a block of one message", query("BEGIN; EXECUTE s(42); COMMIT"), 1, "CTDCCZ"),
        ("the extended protocol", [whole(run), sync()].concat(), 1, "12TDCZ"),
        (
            "a pipeline",
            [whole("SELECT 1"), whole(run), whole("SELECT 2"), sync()].concat(),
            1,
            "12TDC12TDC12TDCZ",
        ),
        (
            "a Bind",
            [bind("", "s", &[Some(b"42")], &[]), describe(b'P', ""), execute("", 0), sync()].concat(),
            1,
            "2TDCZ",
        ),
        (
            "a Bind in a pipeline",
            [
                whole("SELECT 1"),
                bind("p", "s", &[Some(b"42")], &[]),
                execute("p", 0),
                close(b'P', "p"),
                sync(),
            ]
            .concat(),
            1,
            "12TDC2DC3Z",
        ),
        ("two Queries at once", [query(run), query(run)].concat(), 2, "TDCZTDCZ"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sql_has_prepared_follows_the_grants() {
    let bench = Bench::new().await;
    let (ada, petra) = (bench.proxy.connect("ada").await, bench.proxy.connect("petra").await);
    for (way, bytes, ready, expected) in ways() {
        let mut raw = bench.connect();
        raw.query("PREPARE s (bigint) AS SELECT email FROM customers WHERE id = $1");
        let mut run = |raw_values: bool| {
            raw.send(&bytes);
            let frames = raw.until(b'Z', ready);
            let told: Vec<_> =
                frames.iter().filter(|frame| frame.tag == b'E').map(|frame| frame.field(b'M')).collect();
            assert_eq!(tags(&frames).replace('N', ""), expected, "{way}: {told:?}");
            assert_eq!(
                (shows(&frames, "@example"), shows(&frames, "tok_")),
                (raw_values, !raw_values),
                "{way}"
            );
        };
        run(false);
        for _ in 0..2 {
            let id = grant(&ada, &petra, "customers.email", None).await;
            run(true);
            run(true);
            petra.execute("SELECT * FROM pgwarrant.revoke($1)", &[&id]).await.expect("revoked");
            run(false);
        }
    }
    bench.is_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_prepared_anew_says_why_and_can_be_later() {
    let bench = Bench::new().await;
    let (ada, petra) = (bench.proxy.connect("ada").await, bench.proxy.connect("petra").await);
    let mut raw = bench.connect();
    raw.query("CREATE TABLE short_lived AS SELECT 1 AS x");
    raw.query("PREPARE s AS SELECT x, email FROM short_lived, customers WHERE id = 42");
    assert_eq!(tags(&raw.query("EXECUTE s")).replace('N', ""), "TDCZ");
    grant(&ada, &petra, "customers.email", None).await;
    raw.query("DROP TABLE short_lived");
    for (statement, status) in [("EXECUTE s", b'I'), ("BEGIN", b'T'), ("EXECUTE s", b'E'), ("ROLLBACK", b'I')]
    {
        let frames = raw.query(statement);
        if statement == "EXECUTE s" {
            assert_eq!(errors(&frames), ["42P01"], "{:?}", shapes(&frames));
        }
        assert_eq!(frames.last().map(|frame| frame.body.clone()), Some(vec![status]), "{statement}");
    }
    raw.send(&[whole("EXECUTE s"), sync(), bind("", "s", &[], &[]), execute("", 0), sync()].concat());
    assert_eq!(errors(&raw.until(b'Z', 2)), ["42P01", "42P01"]);
    raw.query("CREATE TABLE short_lived AS SELECT 2 AS x");
    let frames = raw.query("EXECUTE s");
    assert!(shows(&frames, "@example"), "{:?}", shapes(&frames));
    bench.is_well();
}

/// What the proxy believes to be a table without protected columns is the customers since a moment.
#[tokio::test(flavor = "multi_thread")]
async fn the_wire_guard_stops_copies_and_queries_of_what_was_swapped_behind_the_proxy_s_back() {
    let settings = Settings { replace: vec![one_look_an_hour()], ..Settings::default() };
    let bench = Bench::with(&settings).await;
    let direct = &bench.shop.direct;
    let copy = "COPY (SELECT email FROM things WHERE id = 1) TO STDOUT";
    let copies: [&[u8]; 6] = [
        &query("COPY things TO STDOUT"),
        &query("COPY (SELECT * FROM things) TO STDOUT"),
        &query("COPY things (id, email) TO STDOUT"),
        &query("COPY (SELECT id, (email) AS x FROM things ORDER BY 1) TO STDOUT; SELECT 1"),
        &[whole("COPY things TO STDOUT"), sync()].concat(),
        &query("SELECT email FROM things"),
    ];
    direct
        .batch_execute("CREATE TABLE things AS TABLE customers; GRANT ALL ON things TO shop_app")
        .await
        .expect("a table");
    let mut raw = bench.connect();
    raw.query("CREATE TABLE looked_at()");
    assert!(tags(&raw.query(copy)).contains('d'), "it is no secret yet");
    direct
        .batch_execute("ALTER TABLE things RENAME TO others; ALTER TABLE customers RENAME TO things")
        .await
        .expect("a swap");
    for bytes in copies {
        let mut raw = bench.connect();
        raw.send(bytes);
        let frames = raw.until_closed();
        assert_eq!(errors(&frames), ["42501"], "{:?}", shapes(&frames));
        assert!(!frames.iter().any(|frame| frame.body.windows(8).any(|part| part == b"@example")));
    }
    let audit = bench.proxy.connect("aud").await;
    let incidents = "SELECT count(*) FROM pgwarrant.audit WHERE kind = 'incident'";
    for tries in 0.. {
        // A session's last record is written when its client has gone.
        let row = audit.query_one(incidents, &[]).await.expect("a count");
        if row.get::<_, i64>(0) == 6 {
            break;
        }
        assert!(tries < 100, "only {} incidents", row.get::<_, i64>(0));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bench.is_well();
}

/// The line of the configuration by which the proxy looks at the schema, and what to put there.
fn one_look_an_hour() -> (String, String) {
    let text = std::fs::read_to_string(workspace().join("proxy.toml")).expect("proxy.toml");
    let line = text.lines().find(|line| line.starts_with("poll = ")).expect("a poll").to_owned();
    (line, "poll = \"1 h\"".to_owned())
}

/// Whatever is done to a labelled table past the proxy, a statement that was prepared before shows
/// no raw value once the proxy has looked.
#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements_follow_the_schema_behind_the_proxy_s_back() {
    let bench = Bench::new().await;
    let cases = [
        (
            "renamed and back",
            "ALTER TABLE customers RENAME TO clients",
            "ALTER TABLE clients RENAME TO customers",
        ),
        (
            "a column renamed",
            "ALTER TABLE customers RENAME email TO mail",
            "ALTER TABLE customers RENAME mail TO email",
        ),
        ("moved", "ALTER TABLE customers SET SCHEMA hr", "ALTER TABLE hr.customers SET SCHEMA public"),
        (
            "made again",
            "ALTER TABLE customers RENAME TO old; CREATE TABLE customers AS TABLE old; GRANT ALL ON customers TO shop_app",
            "DROP TABLE customers; ALTER TABLE old RENAME TO customers",
        ),
        (
            "a column added",
            "ALTER TABLE customers ADD note text DEFAULT 'x'",
            "ALTER TABLE customers DROP note",
        ),
    ];
    let mut raw = bench.connect();
    raw.send(&[parse("s", "SELECT * FROM customers WHERE id = 42"), sync()].concat());
    raw.query("PREPARE q AS SELECT upper(email::text) FROM customers WHERE id = 42");
    raw.until(b'Z', 1);
    for (name, there, back) in cases {
        for change in [there, back] {
            bench.shop.direct.batch_execute(change).await.unwrap_or_else(|error| panic!("{change}: {error}"));
            let deadline = Instant::now() + Duration::from_secs(15);
            loop {
                let statements = [
                    bind("", "s", &[], &[]),
                    execute("", 0),
                    sync(),
                    query("EXECUTE q"),
                    query("SELECT * FROM customers WHERE id = 42"),
                ]
                .concat();
                raw.send(&statements);
                let frames = raw.until(b'Z', 3);
                let leak = frames.iter().find(|frame| {
                    let bytes = String::from_utf8_lossy(&frame.body).to_lowercase();
                    bytes.contains("@example")
                });
                assert!(leak.is_none(), "{name}: {leak:?}");
                // Known by now: the statement itself says so.
                let masked = shows(&frames, "tok_");
                if masked
                    || change == there && errors(&frames).iter().any(|code| code.starts_with("42"))
                    || Instant::now() > deadline
                {
                    assert!(Instant::now() < deadline, "{name}: {:?}", shapes(&frames));
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    bench.is_well();
}

/// The server reads the names of a prepared statement anew when the search_path has changed or a
/// temporary table is gone: so does the proxy.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_prepared_under_one_search_path_shows_nothing_under_another() {
    let bench = Bench::new().await;
    let setup = "CREATE TABLE employees AS SELECT * FROM hr.employees LIMIT 0; \
         INSERT INTO employees (work_email) VALUES ('nobody'); GRANT ALL ON employees TO shop_app";
    bench.shop.direct.batch_execute(setup).await.expect("a table of the same name");
    let prepare = "PREPARE s AS SELECT upper(work_email) FROM employees";
    let shadow = "CREATE TEMP TABLE customers AS SELECT 1 AS id, 'nobody' AS email";
    let upper = "PREPARE s AS SELECT upper(email) FROM customers";
    let ways: Vec<Vec<Vec<u8>>> = vec![
        vec![query(prepare), query("SET search_path = hr"), query("EXECUTE s")],
        vec![query(prepare), query("SET search_path = hr; EXECUTE s")],
        vec![query(&format!("{prepare}; SET search_path = hr; EXECUTE s"))],
        vec![query(prepare), query("SELECT set_config('search_path', 'hr', false); EXECUTE s")],
        vec![query(prepare), query("BEGIN; SET LOCAL search_path = hr; EXECUTE s; COMMIT")],
        vec![
            query("SET search_path = hr"),
            query("BEGIN; SET search_path = public"),
            query(prepare),
            query("ROLLBACK; EXECUTE s"),
        ],
        vec![
            query("SET search_path = hr"),
            query("BEGIN; SET search_path = public"),
            query(prepare),
            query("ROLLBACK"),
            query("EXECUTE s"),
        ],
        vec![query(&format!("SET search_path = public; {prepare}; SET search_path = hr; EXECUTE s"))],
        vec![query(prepare), [whole("SET search_path = hr"), whole("EXECUTE s"), sync()].concat()],
        vec![
            query(prepare),
            [whole("SET search_path = hr"), bind("", "s", &[], &[]), execute("", 0), sync()].concat(),
        ],
        vec![
            [parse("s", "SELECT upper(work_email) FROM employees"), sync()].concat(),
            [whole("SET search_path = hr"), bind("", "s", &[], &[]), execute("", 0), sync()].concat(),
        ],
        vec![
            query(prepare),
            query("PREPARE t AS EXECUTE s"),
            query("EXPLAIN (ANALYZE) EXECUTE s"),
            query("SET search_path = hr; CREATE TEMP TABLE t AS EXECUTE s"),
            query("TABLE t"),
        ],
        vec![query(shadow), query(upper), query("DROP TABLE customers; EXECUTE s")],
        vec![query(shadow), query(upper), query("DROP TABLE customers"), query("EXECUTE s")],
        vec![query(shadow), query(upper), query("DISCARD TEMP; EXECUTE s")],
        vec![query(shadow), query(upper), query("ALTER TABLE customers RENAME TO c; EXECUTE s")],
        vec![query("BEGIN"), query(shadow), query(upper), query("ROLLBACK; EXECUTE s")],
        vec![query("BEGIN"), query(shadow), query(upper), query("ROLLBACK"), query("EXECUTE s")],
        vec![
            query("BEGIN"),
            query("SAVEPOINT a"),
            query(shadow),
            query(upper),
            query("ROLLBACK TO a; EXECUTE s"),
        ],
        vec![
            query("BEGIN"),
            query("SAVEPOINT a"),
            query(shadow),
            query(upper),
            query("ROLLBACK TO a"),
            query("EXECUTE s"),
        ],
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let mut raw = bench.connect();
        for bytes in way {
            raw.send(&bytes);
            for frame in raw.until(b'Z', 1) {
                let bytes = String::from_utf8_lossy(&frame.body).to_lowercase();
                assert!(
                    !bytes.contains("@shop.example") && !bytes.contains("@example"),
                    "way {number}: {bytes}"
                );
            }
        }
    }
    // What changes nothing may stand before it.
    let mut raw = bench.connect();
    raw.query(prepare);
    for statement in ["BEGIN; EXECUTE s; COMMIT", "COMMIT; EXECUTE s", "SET statement_timeout = 0; EXECUTE s"]
    {
        let frames = raw.query(statement);
        assert!(shows(&frames, "NOBODY"), "{statement}: {:?}", shapes(&frames));
    }
    bench.is_well();
}
