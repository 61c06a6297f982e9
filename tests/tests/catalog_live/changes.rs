//! Seeing that the schema has changed.

use pgwarrant_catalog::{CHANGE_POLL, CHANGE_PROBE, SESSION_SETUP};

use crate::database::Database;

#[test]
fn the_probe_changes_with_ddl_and_with_nothing_else() {
    let database = Database::new(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b varchar(10)); CREATE TABLE u (id int); \
         CREATE MATERIALIZED VIEW m AS SELECT id FROM t; CREATE VIEW v AS SELECT id FROM t; \
         INSERT INTO t VALUES (1, 'a', 'b'); CREATE TYPE mood AS ENUM ('x')",
    );
    // A connection each time, so that no earlier answer is kept.
    let probe = || database.value(&[SESSION_SETUP, CHANGE_PROBE]);
    for quiet in [
        "INSERT INTO t SELECT i, 'x', 'y' FROM generate_series(2, 2000) i",
        "VACUUM ANALYZE t",
        "ANALYZE",
        "TRUNCATE u",
        "REFRESH MATERIALIZED VIEW m",
        "CREATE TEMP TABLE scratch (id serial PRIMARY KEY, x text DEFAULT 'a' CHECK (x <> ''))",
        "CREATE TEMP TABLE scratch (LIKE t INCLUDING ALL); DROP TABLE scratch",
        "BEGIN; ALTER TABLE t ADD COLUMN z int; ROLLBACK",
    ] {
        let before = probe();
        assert_eq!(before.len(), 32);
        database.run(quiet);
        assert_eq!(probe(), before, "{quiet}");
    }
    for ddl in [
        "ALTER TABLE t ADD COLUMN c int",
        "ALTER TABLE t RENAME COLUMN a TO ssn",
        "ALTER TABLE t ALTER COLUMN b TYPE varchar(20)",
        "ALTER TABLE t DROP COLUMN c",
        "ALTER TABLE t ALTER COLUMN ssn SET DEFAULT 'x'",
        "ALTER TABLE t ADD CHECK (id > 0)",
        "GRANT SELECT (id) ON t TO pg_monitor",
        "GRANT SELECT ON u TO pg_monitor",
        "CREATE OR REPLACE VIEW v AS SELECT id, ssn FROM t",
        "CREATE TEMP VIEW w AS SELECT ssn FROM t; SELECT 1",
        "ALTER TABLE u RENAME TO w",
        "CREATE SCHEMA s",
        "ALTER TABLE w SET SCHEMA s",
        "ALTER SCHEMA s RENAME TO r",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
        "CREATE INDEX ON t ((id + 1))",
        "CREATE RULE x AS ON UPDATE TO r.w DO INSTEAD NOTHING",
        "CREATE TABLE p (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE p1 (id int)",
        "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (1)",
        "CREATE POLICY y ON t USING (true)",
        "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "ALTER TABLE t DISABLE TRIGGER g",
        "ALTER TYPE mood ADD VALUE 'y'",
        "CREATE DOMAIN d AS text",
        "ALTER DOMAIN d ADD CHECK (length(VALUE) < 5)",
        "CREATE OPERATOR ==== (FUNCTION = texteq, LEFTARG = text, RIGHTARG = text)",
        "CREATE AGGREGATE agg(text) (SFUNC = textcat, STYPE = text)",
        "DROP FUNCTION f()",
        "DROP VIEW v",
        "DROP TABLE r.w",
    ] {
        let before = probe();
        if ddl.contains("TEMP VIEW") {
            // It is gone with its session.
            let inside = database.value(&[
                SESSION_SETUP,
                "SET default_transaction_read_only = off",
                "SET search_path = public",
                ddl,
                CHANGE_PROBE,
            ]);
            assert_ne!(inside, before, "{ddl}");
            continue;
        }
        database.run(ddl);
        assert_ne!(probe(), before, "{ddl}");
    }
}

#[test]
fn the_poll_gives_the_probes_answer_and_sees_a_change_when_its_own_is_due() {
    let database = Database::new("CREATE TABLE t (id int)");
    let answers = database.rows(&[
        SESSION_SETUP,
        "SET default_transaction_read_only = off",
        "CREATE TABLE public.answers (n serial, probe text, poll text)",
        &format!("INSERT INTO public.answers (probe, poll) SELECT ({CHANGE_PROBE}), ({CHANGE_POLL})"),
        // The counters need not have moved yet.
        "ALTER TABLE public.t RENAME COLUMN id TO ssn",
        "DO $$ BEGIN PERFORM pg_sleep(greatest(0, split_part(current_setting('pgwarrant.probe'), ' ', 3)::float8 \
                                               - extract(epoch FROM clock_timestamp())) + 0.01); END $$",
        &format!("INSERT INTO public.answers (probe, poll) SELECT ({CHANGE_PROBE}), ({CHANGE_POLL})"),
        "SELECT probe, poll FROM public.answers ORDER BY n",
    ]);
    assert_eq!(answers.len(), 2, "{answers:?}");
    for row in &answers {
        assert_eq!(row[0], row[1]);
    }
    assert_ne!(answers[0], answers[1]);
}
