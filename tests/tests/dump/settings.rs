//! What a session may not change or see, and every way to try.

use pgwarrant_tests::psql;
use pgwarrant_tests::raw::{Raw, bind, errors, execute, parse, sync};

use crate::{Bench, outcomes};

/// Ways to change what statements mean, or to see the key of the masks.
const REFUSED: &str = r#"
SET standard_conforming_strings = off
SET SESSION standard_conforming_strings TO 'off'
SET LOCAL standard_conforming_strings = 0
SET "standard_conforming_strings" = off
SET U&"standard\005fconforming_strings" = off
SET Standard_Conforming_Strings = off
SELECT set_config('standard_conforming_strings', 'off', false)
SELECT pg_catalog.set_config('STANDARD_CONFORMING_STRINGS', 'off', false)
SELECT set_config(E'\x73tandard_conforming_strings', 'off', false)
SELECT set_config(U&'standard\005fconforming_strings', 'off', false)
SELECT set_config($$standard_conforming_strings$$, 'off', false)
SELECT set_config('standard_conforming_strings', lower('OFF'), false)
SELECT set_config('standard_' || 'conforming_strings', 'off', false)
SELECT set_config(n, 'off', false) FROM (VALUES ('standard_conforming_strings')) AS v (n)
SELECT set_config(n, 'off', false) FROM (VALUES ('standard_conforming_strings')) AS v (n) WHERE n = 'geqo'
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'standard_conforming_strings'
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'geqo' OR name = 'standard_conforming_strings'
SELECT set_config(name, 'off', false) FROM pg_settings WHERE 'geqo' = name
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'geqo' || ''
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'pgwarrant.key'
SELECT set_config(VARIADIC ARRAY['standard_conforming_strings', 'off'])
ALTER ROLE shop_app SET standard_conforming_strings = off
ALTER ROLE CURRENT_USER SET standard_conforming_strings = off
ALTER ROLE ALL SET standard_conforming_strings = off
ALTER DATABASE shop SET standard_conforming_strings = off
ALTER SYSTEM SET standard_conforming_strings = off
SET client_encoding TO latin1
SET NAMES 'SJIS'
SELECT set_config('client_encoding', 'GBK', false)
SET session_replication_role = replica
SET debug_print_plan = on
SHOW pgwarrant.key
SHOW "pgwarrant.key"
SHOW U&"pgwarrant\002ekey"
SELECT current_setting('pgwarrant.key')
SELECT current_setting('PGWARRANT.KEY', true)
SELECT current_setting('pgwarrant.' || 'key')
SELECT current_setting(n) FROM (VALUES ('PGWARRANT.key')) AS v (n)
SELECT current_setting(CASE WHEN random() < 2 THEN 'pgwarrant.key' ELSE 'geqo' END)
SELECT current_setting(chr(112) || 'gwarrant.key')
SET pgwarrant.key = 'mine'
SET "pgwarrant.key" = 'mine'
SET pgwarrant.key TO DEFAULT
SET pgwarrant.key FROM CURRENT
RESET pgwarrant.key
ALTER ROLE shop_app SET pgwarrant.key FROM CURRENT
ALTER ROLE shop_app SET "pgwarrant.key" FROM CURRENT
CREATE TABLE t (a text DEFAULT current_setting('pgwarrant.key'))
CREATE TABLE t (a text DEFAULT current_setting('pgwarrant.' || 'key'))
CREATE VIEW v AS SELECT current_setting(name) FROM pg_settings WHERE name = 'geqo'
UPDATE pg_settings SET setting = 'off' WHERE name = 'standard_conforming_strings'
UPDATE pg_catalog.pg_settings SET setting = 'public' WHERE name = 'search_path'
WITH x AS (UPDATE pg_settings SET setting = 'x' WHERE name = 'application_name' RETURNING 1) SELECT 1
"#;

/// What is harmless runs, and does what it does in PostgreSQL; then what it shows, if anything.
const HARMLESS: &str = "
SET standard_conforming_strings = on
SET standard_conforming_strings TO DEFAULT
RESET standard_conforming_strings
SET client_encoding TO 'UTF8'
SET NAMES 'utf8'
RESET client_encoding
RESET ALL
DISCARD ALL
SET search_path FROM CURRENT
SET LOCAL work_mem FROM CURRENT
SET row_security = off
SET backslash_quote = on
SET escape_string_warning = off
SET TIME ZONE 'UTC'
SET LOCAL TIME ZONE DEFAULT
SET XML OPTION content
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE
SET default_transaction_isolation = 'serializable'
SET plan_cache_mode = force_generic_plan
SET session.setting = 'x'
SET role.setting = 'x'
SET my.setting = 'x'\\; SELECT current_setting('my.' || 'setting')
SELECT count(current_setting(name)) > 300 FROM pg_settings
SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'
SELECT set_config('my.setting', upper('x'), false)
LOCK TABLE customers IN ACCESS SHARE MODE
SELECT set_config('search_path', '', false)
";

fn statements(list: &str) -> Vec<String> {
    list.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_the_analysis_relies_on_stays_as_it_is() {
    let bench = Bench::new().await;
    let ada = bench.proxy.conninfo("ada");
    let refused = statements(REFUSED);
    for (statement, outcome) in refused.iter().zip(outcomes(&ada, &refused)) {
        assert!(outcome.is_err(), "{statement}");
    }
    let after = format!(
        "{};\n\\echo ==>\nSHOW standard_conforming_strings;\nSHOW client_encoding;",
        refused.join(";\n")
    );
    let run = psql(&ada, &["-A", "-t"], &after);
    assert!(run.stdout.ends_with("==>\non\nUTF8"), "{}", run.stdout);
    let harmless: Vec<String> = statements(HARMLESS)
        .iter()
        .map(|one| if one.contains("LO") { format!("BEGIN\\; {one}\\; COMMIT") } else { one.clone() })
        .collect();
    for (statement, outcome) in harmless.iter().zip(outcomes(&ada, &harmless)) {
        assert_eq!(outcome, Ok(()), "{statement}");
    }
}

/// A statement whose text is a constant to us and a sub-select to PostgreSQL with
/// `standard_conforming_strings` off; in one pipeline nothing is told of the change in between.
#[tokio::test]
async fn no_setting_changes_within_a_pipeline() {
    let bench = Bench::new().await;
    let trick = r"SELECT '\'', (SELECT email FROM customers LIMIT 1) --'";
    let changes = [
        "UPDATE pg_settings SET setting = 'off' WHERE name = 'standard_conforming_strings'",
        "SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'standard_conforming_strings'",
        "SET standard_conforming_strings = off",
    ];
    for change in changes {
        let mut raw = Raw::connect(bench.proxy.port, 0, "ada", "ada-demo", "shop", &[]);
        let pipeline: Vec<u8> = [change, trick]
            .iter()
            .flat_map(|text| [parse("", text), bind("", "", &[], &[]), execute("", 0)].concat())
            .chain(sync())
            .collect();
        raw.send(&pipeline);
        let frames = raw.until(b'Z', 1);
        assert!(
            !frames.iter().any(|frame| frame.body.windows(8).any(|eight| eight == b"@example")),
            "{change}"
        );
        assert_eq!(errors(&frames), ["42501"], "{change}");
    }
}
