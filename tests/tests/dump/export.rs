//! Granted raw values stay where the grant is: every way to leave them somewhere needs `export`.

use crate::{Bench, lines, outcomes};

/// Statements that would keep `email` past the grant, or show it to others.
const KEEPING: &str = r"
COPY customers (id, email) TO STDOUT
COPY (SELECT email FROM customers) TO STDOUT
CREATE TABLE kept1 AS SELECT email FROM customers
CREATE UNLOGGED TABLE kept2 AS SELECT email FROM customers
CREATE TEMP TABLE kept3 AS SELECT email FROM customers
CREATE MATERIALIZED VIEW kept4 AS SELECT email FROM customers
EXPLAIN (ANALYZE) CREATE TABLE kept5 AS SELECT email FROM customers
SELECT email INTO kept6 FROM customers
SELECT email INTO TEMP kept7 FROM customers
INSERT INTO notes SELECT email FROM customers
INSERT INTO notes VALUES ((SELECT email FROM customers WHERE id = 1))
UPDATE notes SET note = (SELECT email FROM customers WHERE id = 1)
MERGE INTO notes USING (SELECT email FROM customers WHERE id = 1) AS c ON false WHEN NOT MATCHED THEN INSERT VALUES (c.email)
WITH kept AS (INSERT INTO notes SELECT email FROM customers RETURNING note) SELECT * FROM kept
SELECT pg_notify('channel', email) FROM customers
SELECT pg_notify(email, '') FROM customers
SELECT set_config('my.setting', email, false) FROM customers
SELECT set_config('my.setting', (SELECT email FROM customers WHERE id = 1), false)
SELECT set_config('application_name', email, false) FROM customers
SELECT setval('tickets', length(email)) FROM customers
SELECT pg_advisory_lock(length(email)) FROM customers
SELECT pg_try_advisory_xact_lock_shared(hashtext(email)) FROM customers
SELECT setseed(1.0 / length(email)) FROM customers
SELECT write_down(email) FROM customers
SELECT count(*) FROM customers WHERE pg_notify('channel', email) IS NOT NULL
WITH c AS (SELECT email AS e FROM customers) SELECT pg_notify('channel', e) FROM c
SELECT (SELECT pg_notify('channel', e)) FROM (SELECT email AS e FROM customers) AS c
SELECT pg_notify('channel', c::text) FROM customers AS c
BEGIN\; DECLARE _pg_dump_cursor CURSOR FOR SELECT email FROM ONLY customers\; FETCH 1 FROM _pg_dump_cursor\; COMMIT
";

/// Refused whoever asks: they reach what no grant speaks of.
const NEVER: &str = "
SELECT lo_from_bytea(0, email::text::bytea) FROM customers
SELECT lo_put(1, 0, email::text::bytea) FROM customers
SELECT lowrite(1, email::text::bytea) FROM customers
SELECT pg_logical_emit_message(false, 'prefix', email::text) FROM customers
COPY (SELECT email FROM customers) TO '/tmp/emails'
COPY (SELECT email FROM customers) TO PROGRAM 'cat'
CREATE VIEW kept AS SELECT email FROM customers
CREATE TABLE kept () INHERITS (customers)
CREATE INDEX ON customers (lower(email))
CREATE STATISTICS kept ON email, city FROM customers
DO $$ BEGIN RAISE NOTICE '%', (SELECT email FROM customers LIMIT 1); END $$
CREATE FUNCTION kept() RETURNS text LANGUAGE sql AS 'SELECT email FROM customers LIMIT 1'
";

/// Nothing raw is kept: they run under any grant.
const HARMLESS: &str = r"
SELECT email FROM customers WHERE id = 1
SELECT pg_advisory_lock(7), email FROM customers WHERE id = 1
SELECT set_config('my.setting', 'value', false), email FROM customers WHERE id = 1
SELECT pg_notify('channel', 'payload'), email FROM customers WHERE id = 1
SELECT setval('tickets', 5), email FROM customers WHERE id = 1
SELECT nextval('tickets'), email FROM customers WHERE id = 1
COPY customers (id, city) TO STDOUT
CREATE TEMP TABLE cities AS SELECT city FROM customers
INSERT INTO notes SELECT city FROM customers WHERE id = 1
SELECT pg_notify('channel', city) FROM customers WHERE id = 1
BEGIN\; DECLARE c CURSOR WITH HOLD FOR SELECT email FROM customers\; COMMIT\; FETCH 1 FROM c
";

fn statements(list: &str) -> Vec<String> {
    list.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    let made = "CREATE TABLE notes (note text); CREATE SEQUENCE tickets; \
         CREATE FUNCTION write_down(note text) RETURNS void LANGUAGE sql AS 'INSERT INTO notes VALUES (note)'; \
         GRANT ALL ON notes TO shop_app; GRANT ALL ON SEQUENCE tickets TO shop_app";
    bench.shop.direct.batch_execute(made).await.expect("a place to keep things");
    bench
}

#[tokio::test]
async fn what_keeps_raw_values_needs_export() {
    let bench = bench().await;
    bench.grant("customers.email", None, "select");
    let ada = bench.proxy.conninfo("ada");
    let keeping = statements(KEEPING);
    for (statement, outcome) in keeping.iter().zip(outcomes(&ada, &keeping)) {
        let refused = "42501 permission denied to store raw values of customers.email";
        assert_eq!(outcome, Err(refused.to_owned()), "{statement}");
    }
    let harmless = statements(HARMLESS);
    for (statement, outcome) in harmless.iter().zip(outcomes(&ada, &harmless)) {
        assert_eq!(outcome, Ok(()), "{statement}");
    }
    assert_eq!(lines(&bench.direct(), "SELECT count(*) FROM notes WHERE note LIKE '%@%'"), ["0"]);
}

#[tokio::test]
async fn with_export_or_with_masks_alone_it_runs() {
    let bench = bench().await;
    bench.grant("customers.email", None, "select, export");
    for user in ["ada", "ben"] {
        // Their sessions meet in one database.
        let keeping: Vec<String> =
            statements(KEEPING).iter().map(|one| one.replace("kept", &format!("kept_{user}_"))).collect();
        for (statement, outcome) in keeping.iter().zip(outcomes(&bench.proxy.conninfo(user), &keeping)) {
            assert_eq!(outcome, Ok(()), "{user}: {statement}");
        }
    }
    for (user, raw) in [("ada", "500"), ("ben", "0")] {
        for number in [1, 2, 4, 5, 6] {
            let count = format!("SELECT count(*) FROM kept_{user}_{number} WHERE email LIKE '%@example%'");
            assert_eq!(lines(&bench.direct(), &count), [raw], "{count}");
        }
    }
}

#[tokio::test]
async fn what_no_grant_speaks_of_is_refused_even_with_export() {
    let bench = bench().await;
    bench.grant("customers.email", None, "select, export");
    let never = statements(NEVER);
    for user in ["ada", "ben"] {
        for (statement, outcome) in never.iter().zip(outcomes(&bench.proxy.conninfo(user), &never)) {
            assert!(outcome.is_err_and(|error| error.starts_with("42501")), "{user}: {statement}");
        }
    }
}
