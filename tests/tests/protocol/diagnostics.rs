//! Errors and notices are data: what quotes a row stays with the server, all else passes.

use pgwarrant_tests::raw::{Frame, Raw, bind, execute, parse, shapes, sync};
use pgwarrant_tests::server_port;

use crate::Bench;

/// Views that compute with raw values before any mask is applied, and tables around customers.
const AROUND: &str = "
    CREATE FUNCTION loud(text) RETURNS text LANGUAGE plpgsql AS
        $$BEGIN RAISE NOTICE 'loud: %', $1 USING HINT = $1; RETURN $1; END$$;
    CREATE VIEW loud_people AS SELECT id, phone FROM customers WHERE loud(email) IS NOT NULL AND id < 3;
    CREATE VIEW broken_people AS SELECT id, email FROM customers WHERE email::text::int > 0;
    CREATE VIEW broken_ids AS SELECT id FROM customers WHERE email::text::int > 0;
    CREATE TABLE regions (id int PRIMARY KEY, name text);
    INSERT INTO regions VALUES (1, 'north'), (2, 'south');
    ALTER TABLE customers ADD region int REFERENCES regions ON DELETE SET NULL ON UPDATE CASCADE;
    UPDATE customers SET region = 1 + id % 2 WHERE id < 5;
    ALTER TABLE customers ADD CONSTRAINT in_a_region CHECK (id >= 5 OR region IS NOT NULL);
    CREATE TABLE checked (x int NOT NULL CHECK (x < 10), y int UNIQUE DEFERRABLE INITIALLY DEFERRED);
    CREATE FUNCTION complains() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE NOTICE 'row %', NEW; IF NEW.x = 9 THEN RAISE EXCEPTION 'nine: %', NEW.y; END IF; RETURN NEW; END$$;
    CREATE TRIGGER complains BEFORE INSERT ON checked FOR EACH ROW EXECUTE FUNCTION complains();
    GRANT ALL ON loud_people, broken_people, broken_ids, regions, checked TO shop_app;";

/// Makes them, and has the proxy know of them.
async fn around(bench: &Bench) {
    bench.shop.direct.batch_execute(AROUND).await.expect("views and tables");
    let mut raw = bench.connect();
    raw.query("CREATE TABLE looked_at()");
    raw.query("SELECT 1");
}

/// No e-mail address, name or phone number of a customer's.
fn assert_clean(statement: &str, frames: &[Frame]) {
    for frame in frames {
        let bytes = String::from_utf8_lossy(&frame.body);
        for secret in ["@example", "555-01", "Alvarez", "Brandt", "Castro", "Dubois", "Evans"] {
            assert!(!bytes.contains(secret), "{statement}: {bytes}");
        }
    }
}

#[tokio::test]
async fn what_may_quote_a_protected_row_is_withheld() {
    let bench = Bench::new().await;
    around(&bench).await;
    // A statement, and the SQLSTATEs that may come of it: that of the failure, or of a refusal.
    let cases = [
        ("SELECT id FROM loud_people", &["00000"][..]),
        ("SELECT id FROM broken_people", &["22P02"]),
        ("SELECT count(*) FROM broken_people", &["22P02"]),
        ("SELECT * FROM broken_ids", &["22P02"]),
        ("SELECT 1 FROM products, broken_ids", &["22P02"]),
        ("EXPLAIN ANALYZE SELECT id FROM broken_people", &["22P02"]),
        ("BEGIN; DECLARE c CURSOR FOR SELECT id FROM broken_people; FETCH c", &["22P02"]),
        ("COPY (SELECT id FROM broken_people) TO STDOUT", &["22P02"]),
        ("PREPARE s AS SELECT id FROM broken_people; EXECUTE s", &["22P02"]),
        ("DELETE FROM regions WHERE id = 1", &["23514"]),
        ("WITH gone AS (DELETE FROM regions WHERE id = 1 RETURNING id) SELECT id FROM gone", &["23514"]),
        ("EXPLAIN ANALYZE DELETE FROM regions", &["23514"]),
        ("UPDATE customers SET region = NULL WHERE id < 5", &["23514"]),
        ("UPDATE customers SET region = 7 WHERE id < 5", &["23503"]),
        ("UPDATE customers SET id = 1 WHERE id = 2", &["23505"]),
        ("WITH u AS (UPDATE customers SET region = NULL RETURNING id) SELECT id FROM u", &["23514"]),
        ("EXPLAIN ANALYZE UPDATE customers SET region = NULL", &["23514"]),
        ("INSERT INTO page_views (viewed_at, path, ip) VALUES ('1999-01-01', '/', '10.1.2.3')", &["23514"]),
    ];
    let mut bare = 0;
    for (statement, expected) in cases {
        let mut direct = Raw::connect(server_port(), 0, "shop_app", "", &bench.shop.database, &[]);
        direct.query("BEGIN");
        let plain = direct.query(statement);
        assert!(
            plain.iter().any(|frame| expected.contains(&frame.field(b'C').as_str())),
            "{statement}: {:?}",
            shapes(&plain)
        );
        bare +=
            usize::from(plain.iter().any(|frame| String::from_utf8_lossy(&frame.body).contains("@example")));
        drop(direct);
        for options in ["notice", "debug5"] {
            let mut raw = bench.connect_as("ada", 0, &[("client_min_messages", options)]);
            let frames = raw.query(statement);
            assert_clean(statement, &frames);
            let told = |frame: &Frame| {
                let state = frame.field(b'C');
                matches!(frame.tag, b'E' | b'N') && (state == "42501" || expected.contains(&state.as_str()))
            };
            assert!(frames.iter().any(told), "{statement}: {:?}", shapes(&frames));
            let mut raw = bench.connect_as("ada", 0, &[("client_min_messages", options)]);
            if !statement.contains(';') {
                raw.send(&[parse("", statement), bind("", "", &[], &[]), execute("", 0), sync()].concat());
                assert_clean(statement, &raw.until(b'Z', 1));
            }
        }
    }
    assert!(bare >= 8, "only {bare} of them disclose anything without the proxy");
    bench.is_well();
}

#[tokio::test]
async fn a_withheld_error_keeps_what_a_program_goes_by() {
    let bench = Bench::new().await;
    around(&bench).await;
    let mut raw = bench.connect();
    let frames = raw.query("DELETE FROM regions WHERE id = 1");
    let error = frames.iter().find(|frame| frame.tag == b'E').expect("an error");
    for (field, expected) in [
        (b'V', "ERROR"),
        (b'C', "23514"),
        (b'M', "row violates a check constraint"),
        (b's', "public"),
        (b't', "customers"),
        (b'n', "in_a_region"),
        (b'W', ""),
        (b'q', ""),
    ] {
        assert_eq!(error.field(field), expected, "{}", char::from(field));
    }
    assert!(error.field(b'D').contains("withheld"));
    bench.is_well();
}

/// What must be the same, word for word.
#[tokio::test]
async fn what_quotes_nothing_protected_passes_word_for_word() {
    let bench = Bench::new().await;
    around(&bench).await;
    let statements = [
        "INSERT INTO checked VALUES (9, 1)",
        "INSERT INTO checked VALUES (11, 1)",
        "INSERT INTO checked VALUES (NULL, 1)",
        "INSERT INTO checked VALUES (1, 1), (2, 1)",
        "BEGIN; INSERT INTO checked VALUES (1, 1), (2, 1); COMMIT",
        "BEGIN; INSERT INTO checked VALUES (1, 1), (2, 1); SET CONSTRAINTS ALL IMMEDIATE",
        "SELECT 'é', nosuch FROM customers",
        "SELECT 'é', 1; SELECT id, nosuch FROM customers AS c",
        "SELECT id / 0 FROM customers",
        "SELECT id, 'x'::int FROM customers",
        "SELECT c.id, /* é */ c.emial FROM customers AS c",
        "SELECT id FROM customers GROUP BY city",
        "SELECT id FROM customers FOR UPDATE OF nosuch",
        "PREPARE s AS SELECT id FROM customers WHERE id = $1; EXECUTE s('é')",
        "PREPARE s(int) AS SELECT 10 / $1; EXECUTE s(0)",
        "DELETE FROM regions WHERE id = 'x'",
        "INSERT INTO orders (customer_id) VALUES (9999)",
        "DROP TABLE IF EXISTS nosuch",
    ];
    let mut different = Vec::new();
    for statement in statements {
        let mut direct = Raw::connect(server_port(), 0, "shop_app", "", &bench.shop.database, &[]);
        let mut raw = bench.connect();
        let words = |frames: &[Frame]| -> Vec<String> {
            let told = frames.iter().filter(|frame| matches!(frame.tag, b'E' | b'N'));
            let fields = |frame: &Frame| {
                b"VCMDHPpqWstcdnFR"
                    .iter()
                    .map(|field| format!("{}={}", char::from(*field), frame.field(*field)))
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            // The notice about masks is ours.
            told.filter(|frame| !frame.field(b'M').contains("masked")).map(fields).collect()
        };
        let (expected, found) = (words(&direct.query(statement)), words(&raw.query(statement)));
        if expected != found || expected.is_empty() {
            different.push(format!("{statement}\n  PostgreSQL: {expected:?}\n  pgwarrant:  {found:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    bench.is_well();
}
