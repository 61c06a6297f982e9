//! Which code could reach protected data.

use std::collections::BTreeSet;

use pgwarrant_catalog::{FindingKind, FunctionSafety, trust_line};
use pgwarrant_masking::Method;

use crate::database::{Database, is_unsafe, label, protected, relation, unknown};

#[test]
fn a_function_is_unsafe_if_anything_it_does_could_reach_protected_data() {
    let database = Database::new(
        "CREATE TABLE customers (id int PRIMARY KEY, email text); CREATE TABLE orders (id int, customer int); \
         CREATE SCHEMA other; CREATE TABLE other.customers (id int); \
         CREATE FUNCTION vat(x numeric) RETURNS numeric LANGUAGE sql AS 'SELECT round(x * 0.19, 2) -- customers'; \
         CREATE FUNCTION direct(i int) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers WHERE id = i'; \
         CREATE FUNCTION namesake() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM other.customers'; \
         CREATE FUNCTION calls_direct() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN direct(1); END'; \
         CREATE FUNCTION calls_caller() RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT public.\"calls_direct\"()'; \
         CREATE FUNCTION dynamic(q text) RETURNS text LANGUAGE plpgsql AS \
             'DECLARE r text; BEGIN EXECUTE q INTO r; RETURN r; END'; \
         CREATE FUNCTION xml_text(q text) RETURNS xml LANGUAGE sql AS 'SELECT query_to_xml(q, true, true, '''')'; \
         CREATE FUNCTION key() RETURNS text LANGUAGE sql AS 'SELECT current_setting(''pgwarrant.key'')'; \
         CREATE FUNCTION defaulted(a text DEFAULT direct(1)) RETURNS text LANGUAGE sql AS 'SELECT $1'; \
         CREATE FUNCTION defaulted_file(a text DEFAULT pg_read_file('x')) RETURNS text LANGUAGE sql AS 'SELECT $1'; \
         CREATE FUNCTION same(text, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN direct(1) = $1; END'; \
         CREATE OPERATOR === (FUNCTION = same, LEFTARG = text, RIGHTARG = text); \
         CREATE FUNCTION uses_operator() RETURNS boolean LANGUAGE sql AS 'SELECT ''a'' === ''b'''; \
         CREATE FUNCTION step(text, text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN direct(1); END'; \
         CREATE AGGREGATE gather(text) (SFUNC = step, STYPE = text); \
         CREATE AGGREGATE longest(text) (SFUNC = textcat, STYPE = text); \
         CREATE FUNCTION check_it(text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', direct(1); RETURN true; END'; \
         CREATE DOMAIN spy AS text CHECK (check_it(VALUE)); CREATE TABLE with_spy (s spy[]); \
         CREATE TYPE pair AS (a spy); CREATE TABLE with_pair (p pair); \
         CREATE FUNCTION returns_spy() RETURNS spy LANGUAGE sql AS 'SELECT NULL::text'; \
         CREATE FUNCTION to_spy_text() RETURNS text LANGUAGE sql AS 'SELECT CAST(''x'' AS Spy)::text'; \
         CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN RAISE NOTICE ''%'', (SELECT email FROM customers LIMIT 1); RETURN NEW; END'; \
         CREATE TABLE watched (id int); CREATE TRIGGER w BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION watch(); \
         CREATE FUNCTION writes_watched() RETURNS void LANGUAGE sql AS 'INSERT INTO watched VALUES (1)'; \
         CREATE FUNCTION reads_watched() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM watched'; \
         CREATE TABLE disabled (id int); CREATE TRIGGER d BEFORE INSERT ON disabled FOR EACH ROW EXECUTE FUNCTION watch(); \
         ALTER TABLE disabled DISABLE TRIGGER d; \
         CREATE TABLE with_default (id int, t text DEFAULT direct(1)); \
         CREATE TABLE with_file_default (id int, t text DEFAULT pg_read_file('x')); \
         CREATE TABLE with_check (id int CHECK (check_it(id::text))); \
         CREATE TABLE with_policy (id int); ALTER TABLE with_policy ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY p ON with_policy USING (direct(id) IS NULL); \
         CREATE FUNCTION fixed(int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT public.direct($1)'; \
         CREATE TABLE with_index (id int); CREATE INDEX ON with_index (fixed(id)); \
         CREATE TABLE with_rule (id int); CREATE TABLE log (t text); \
         CREATE RULE r AS ON INSERT TO with_rule DO ALSO INSERT INTO log SELECT email FROM customers; \
         CREATE VIEW over_function AS SELECT direct(o.id) AS d FROM orders o; \
         CREATE VIEW over_view AS SELECT count(*) AS n FROM over_function; \
         CREATE FUNCTION through_view() RETURNS bigint LANGUAGE sql AS 'SELECT n FROM over_view'; \
         CREATE TABLE parent (id int PRIMARY KEY); \
         CREATE TABLE child (id int REFERENCES parent ON DELETE CASCADE); \
         CREATE TRIGGER c AFTER DELETE ON child FOR EACH ROW EXECUTE FUNCTION watch(); \
         CREATE FUNCTION xs(xml) RETURNS text LANGUAGE sql AS 'SELECT ($1)::text'; \
         CREATE FUNCTION lower(orders) RETURNS text LANGUAGE sql AS 'SELECT direct($1.id)'",
    );
    if database.value(&["SHOW server_version_num"]).parse::<u32>().unwrap() >= 140_000 {
        database.run(
            "CREATE FUNCTION atomic_read() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT email FROM customers; END; \
             CREATE FUNCTION atomic_call() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT direct(1); END; \
             CREATE FUNCTION atomic_setting(x text) RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT current_setting(x); END; \
             CREATE FUNCTION atomic_file() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT pg_read_file('x'); END; \
             CREATE FUNCTION atomic_safe(x int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT x + 1; END",
        );
        let bound = database.bind(&[label(&["public.customers.email"], Method::Redact)], &[], &unknown);
        for name in ["atomic_read", "atomic_call", "atomic_setting", "atomic_file"] {
            assert!(is_unsafe(&bound, name), "{name}");
        }
        assert!(!is_unsafe(&bound, "atomic_safe"));
    }
    let labels = [label(&["public.customers.email"], Method::Redact)];
    let bound = database.bind(&labels, &[], &unknown);
    for name in [
        "direct",
        "namesake",
        "calls_direct",
        "calls_caller",
        "dynamic",
        "xml_text",
        "key",
        "defaulted",
        "defaulted_file",
        "same",
        "uses_operator",
        "step",
        "gather",
        "check_it",
        "returns_spy",
        "to_spy_text",
        "watch",
        "writes_watched",
        "fixed",
        "through_view",
        "lower",
        "query_to_xml",
        "pg_read_file",
    ] {
        assert!(is_unsafe(&bound, name), "{name}");
    }
    for name in ["vat", "longest", "reads_watched", "xs", "upper", "count", "now", "nextval"] {
        assert!(!is_unsafe(&bound, name), "{name}: {:?}", bound.catalogue.function(name));
    }
    assert_eq!(bound.catalogue.function("no_such_function"), FunctionSafety::Unknown);
    assert!(matches!(
        bound.catalogue.function("lower"),
        FunctionSafety::Unsafe { pg_catalog_safe: true, .. }
    ));
    assert!(matches!(
        bound.catalogue.function("pg_read_file"),
        FunctionSafety::Unsafe { pg_catalog_safe: false, .. }
    ));
    match bound.catalogue.function("calls_caller") {
        FunctionSafety::Unsafe { culprit, .. } => assert_eq!(
            culprit,
            "function public.calls_caller, which calls function public.calls_direct, which calls function \
             public.direct, which names the protected relation public.customers"
        ),
        other => panic!("{other:?}"),
    }
    assert_eq!(bound.catalogue.unsafe_operators.keys().collect::<Vec<_>>(), ["==="]);
    let types: BTreeSet<&str> = bound.catalogue.unsafe_types.keys().map(String::as_str).collect();
    for name in ["spy", "_spy", "pair"] {
        assert!(types.contains(name), "{name}: {types:?}");
    }
    assert!(!types.contains("text") && !types.contains("_text"), "{types:?}");
    for name in [
        "watched",
        "with_default",
        "with_file_default",
        "with_check",
        "with_policy",
        "with_index",
        "with_rule",
        "parent",
        "child",
        "with_spy",
        "with_pair",
    ] {
        assert!(relation(&bound, "public", name).write_risk.is_some(), "{name}");
    }
    for name in ["over_function", "over_view", "with_policy", "with_spy", "with_pair"] {
        assert!(relation(&bound, "public", name).read_risk.is_some(), "{name}");
    }
    for name in ["watched", "with_default", "parent"] {
        assert_eq!(relation(&bound, "public", name).read_risk, None, "{name}");
    }
    assert_eq!(bound.catalogue.relation("public", "disabled"), None);
    assert_eq!(bound.catalogue.relation("public", "orders"), None);

    // Vouched for, it and what only it taints are safe.
    let bound = database.bind(&labels, &["public.direct", "public.nobody"], &unknown);
    assert!(!is_unsafe(&bound, "direct"));
    assert!(!is_unsafe(&bound, "calls_caller"));
    assert!(is_unsafe(&bound, "dynamic"));
    assert_eq!(bound.catalogue.relation("public", "over_function"), None);
    assert!(bound.warnings.iter().any(|finding| {
        finding.kind == FindingKind::Trusted && finding.message.contains("public.nobody")
    }));
}

#[test]
fn extensions_of_everyday_use_stay_usable_and_dangerous_ones_do_not() {
    let database = Database::new("SELECT 1");
    let available: BTreeSet<String> = database
        .rows(&["SELECT name FROM pg_available_extensions"])
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    let expected = [
        (
            "citext",
            vec![("citextin", false), ("replace", false), ("regexp_matches", false), ("citext_eq", false)],
        ),
        ("hstore", vec![("hstore_to_json", false), ("each", false), ("populate_record", false)]),
        ("pgcrypto", vec![("gen_random_bytes", false), ("crypt", false), ("digest", false)]),
        ("uuid-ossp", vec![("uuid_generate_v4", false)]),
        ("pg_trgm", vec![("similarity", false), ("word_similarity_op", false)]),
        ("unaccent", vec![("unaccent", false)]),
        ("dblink", vec![("dblink", true), ("dblink_exec", true)]),
        ("tablefunc", vec![("crosstab", true), ("connectby", true)]),
        ("xml2", vec![("xpath_table", true)]),
        ("pageinspect", vec![("get_raw_page", true)]),
        ("pg_stat_statements", vec![("pg_stat_statements", true)]),
        ("adminpack", vec![("pg_file_write", true)]),
        ("pg_walinspect", vec![("pg_get_wal_records_info", true)]),
        ("lo", vec![("lo_manage", true)]),
    ];
    for (extension, _) in expected.iter().filter(|(extension, _)| available.contains(*extension)) {
        database.run(&format!("CREATE EXTENSION \"{extension}\""));
    }
    database.run("CREATE TABLE users (id int)");
    if available.contains("citext") {
        database.run("CREATE TABLE people (email citext, n int)");
    }
    let bound = database.bind(&[], &[], &unknown);
    for (extension, functions) in expected.iter().filter(|(extension, _)| available.contains(*extension)) {
        for (function, expected) in functions {
            assert_eq!(
                is_unsafe(&bound, function),
                *expected,
                "{extension}: {function}: {:?}",
                bound.catalogue.function(function)
            );
        }
    }
    assert_eq!(bound.catalogue.relation("public", "people"), None);
    if available.contains("pg_stat_statements") {
        let statements = relation(&bound, "public", "pg_stat_statements");
        assert_eq!(protected(statements), ["query"]);
        assert_eq!(statements.read_risk, None);
    }
    if available.contains("dblink") {
        let bound = database.bind(&[], &["extension:dblink"], &unknown);
        assert!(!is_unsafe(&bound, "dblink"));
    }
}

#[test]
fn a_word_that_cannot_name_a_relation_is_no_reason() {
    let database = Database::new(
        "CREATE TABLE customers (id int, email text); CREATE TABLE orders (id int, customers int); \
         CREATE FUNCTION counted() RETURNS int LANGUAGE plpgsql AS \
             $$DECLARE customers int := 0; BEGIN SELECT count(*) INTO customers FROM orders; customers := customers + 1; \
               IF customers > 3 THEN RAISE NOTICE 'customers: %', customers; END IF; RETURN customers; END$$; \
         CREATE FUNCTION summed(customers int) RETURNS bigint LANGUAGE sql AS \
             'SELECT sum(o.customers) + coalesce(customers, 0) AS customers FROM orders o GROUP BY o.id, customers'; \
         CREATE FUNCTION described() RETURNS text LANGUAGE sql AS \
             $$SELECT obj_description('customers'::regclass) || 'FROM customers'$$; \
         CREATE FUNCTION declared() RETURNS text LANGUAGE plpgsql AS \
             'DECLARE r public.customers%ROWTYPE; e customers.email%TYPE; BEGIN r.id := 1; RETURN r.id; END'; \
         CREATE FUNCTION reads() RETURNS int LANGUAGE sql AS 'SELECT o.id FROM orders o, customers'; \
         CREATE FUNCTION tables() RETURNS SETOF customers LANGUAGE sql AS 'TABLE customers'; \
         CREATE FUNCTION hidden(customers int) RETURNS int LANGUAGE plpgsql AS \
             'BEGIN RETURN (SELECT sum(customers.id) FROM ONLY (customers)); END'",
    );
    let bound = database.bind(&[label(&["public.customers.email"], Method::Redact)], &[], &unknown);
    for name in ["counted", "summed", "described", "declared"] {
        assert!(!is_unsafe(&bound, name), "{name}: {:?}", bound.catalogue.function(name));
    }
    for name in ["reads", "tables", "hidden"] {
        assert!(is_unsafe(&bound, name), "{name}");
    }
}

#[test]
fn overloads_are_told_apart_by_their_number_of_arguments() {
    let database = Database::new(
        "CREATE TABLE customers (id int, email text); CREATE TABLE orders (id int, total int); \
         CREATE FUNCTION log(text, text) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers'; \
         CREATE FUNCTION log(text, text, text, text DEFAULT '') RETURNS text LANGUAGE sql AS 'SELECT email FROM customers'; \
         CREATE FUNCTION many(VARIADIC int[]) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers'; \
         CREATE FUNCTION many(text) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$; \
         CREATE FUNCTION total(int, int) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers'; \
         CREATE FUNCTION email_of(orders) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers'; \
         CREATE FUNCTION one() RETURNS double precision LANGUAGE sql AS 'SELECT log(10.0::float8)'; \
         CREATE FUNCTION two() RETURNS text LANGUAGE sql AS $$SELECT log('a', (SELECT upper('b')))$$; \
         CREATE FUNCTION four() RETURNS text LANGUAGE sql AS $$SELECT log('a', 'b', 'c', coalesce('d', 'e'))$$; \
         CREATE FUNCTION column_named_so() RETURNS int LANGUAGE sql AS 'SELECT o.total FROM orders o'; \
         CREATE FUNCTION attribute() RETURNS text LANGUAGE sql AS 'SELECT o.email_of FROM orders o'",
    );
    let bound = database.bind(&[label(&["public.customers.email"], Method::Redact)], &[], &unknown);
    for (name, arguments, expected) in [
        ("log", 1, false),
        ("log", 2, true),
        ("log", 3, true),
        ("log", 4, true),
        ("log", 5, false),
        ("many", 0, false),
        ("many", 1, true),
        ("many", 70_000, true),
        ("total", 1, false),
        ("email_of", 1, true),
        ("ts_rewrite", 3, false),
        ("ts_rewrite", 2, true),
    ] {
        let found = bound.catalogue.call(name, arguments);
        assert_eq!(
            matches!(found, FunctionSafety::Unsafe { .. }),
            expected,
            "{name} with {arguments} arguments: {found:?}"
        );
    }
    assert_eq!(bound.catalogue.call("no_such_function", 1), FunctionSafety::Unknown);
    for (name, expected) in
        [("one", false), ("two", true), ("four", true), ("column_named_so", false), ("attribute", true)]
    {
        assert_eq!(is_unsafe(&bound, name), expected, "{name}");
    }
}

#[test]
fn settings_that_code_changes_are_followed() {
    let database = Database::new(
        "CREATE TABLE customers (id int, email text); CREATE TABLE t (id int); \
         CREATE FUNCTION clause() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp \
             AS 'SELECT 1'; \
         CREATE FUNCTION path() RETURNS void LANGUAGE plpgsql AS 'BEGIN SET LOCAL search_path = evil; END'; \
         CREATE FUNCTION path_too() RETURNS text LANGUAGE sql AS $$SELECT set_config('search_path', 'evil', false)$$; \
         CREATE FUNCTION role() RETURNS void LANGUAGE plpgsql AS 'BEGIN SET ROLE pg_monitor; END'; \
         CREATE FUNCTION calls_path() RETURNS void LANGUAGE sql AS 'SELECT path()'; \
         CREATE FUNCTION syntax() RETURNS int LANGUAGE sql SET standard_conforming_strings = off AS 'SELECT 1'; \
         CREATE FUNCTION our_key() RETURNS int LANGUAGE sql SET pgwarrant.key = 'x' AS 'SELECT 1'; \
         CREATE FUNCTION tenant() RETURNS text LANGUAGE sql AS $$SELECT current_setting('app.tenant', true)$$; \
         CREATE TABLE defaulted (id int, x text DEFAULT set_config('search_path', 'evil', false)); \
         CREATE TABLE tenanted (id int, x text DEFAULT current_setting('app.tenant', true)); \
         CREATE TABLE ruled (id int); \
         CREATE RULE r AS ON UPDATE TO ruled DO ALSO SELECT set_config('role', 'x', false); \
         CREATE VIEW settings AS SELECT * FROM pg_settings",
    );
    let labels = [label(&["public.customers.email"], Method::Redact)];
    let bound = database.bind(&labels, &[], &unknown);
    for name in ["path", "path_too", "role", "calls_path", "syntax", "our_key"] {
        assert!(is_unsafe(&bound, name), "{name}");
    }
    for name in ["clause", "tenant"] {
        assert!(!is_unsafe(&bound, name), "{name}: {:?}", bound.catalogue.function(name));
    }
    for (schema, name) in
        [("public", "defaulted"), ("public", "ruled"), ("public", "settings"), ("pg_catalog", "pg_settings")]
    {
        let found = relation(&bound, schema, name);
        let risk = found.write_risk.clone().unwrap_or_default();
        assert!(risk.contains("which vouching for it does not cover"), "{name}: {risk}");
        assert_eq!(found.read_risk, None, "{name}");
    }
    assert_eq!(bound.catalogue.relation("public", "tenanted"), None);

    // Vouching covers what a function reaches, not what it does to the session.
    let bound = database.bind(&labels, &["public.path", "public.path_too", "public.syntax"], &unknown);
    for (name, expected) in [("path", true), ("path_too", true), ("calls_path", true), ("syntax", false)] {
        assert_eq!(is_unsafe(&bound, name), expected, "{name}");
    }
    match bound.catalogue.function("path") {
        FunctionSafety::Unsafe { culprit, .. } => assert_eq!(trust_line(&culprit), None, "{culprit}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn expressions_that_nobody_writes_in_a_statement_are_followed() {
    let database = Database::new(
        "CREATE TABLE customers (id int, email text); \
         CREATE FUNCTION leak(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \
             $$BEGIN RAISE NOTICE '%', (SELECT email FROM customers LIMIT 1); RETURN $1; END$$; \
         CREATE FUNCTION compare(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \
             $$BEGIN RAISE NOTICE '%', (SELECT email FROM customers LIMIT 1); RETURN btint4cmp($1, $2); END$$; \
         CREATE OPERATOR CLASS sly FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, \
             OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 compare(int, int); \
         CREATE TABLE indexed (id int); CREATE INDEX ON indexed (id sly); \
         CREATE TABLE keyed (id int) PARTITION BY RANGE (leak(id)); \
         CREATE TABLE classed (id int) PARTITION BY RANGE (id sly); \
         CREATE TABLE generated (id int, g int GENERATED ALWAYS AS (leak(id)) STORED); \
         CREATE TABLE subject (id int); \
         CREATE FUNCTION sub_diff(x int, y int) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS \
             $$BEGIN RAISE NOTICE '%', (SELECT email FROM customers LIMIT 1); RETURN x - y; END$$; \
         CREATE TYPE span AS RANGE (subtype = int4, subtype_diff = sub_diff); CREATE TABLE spans (s span); \
         CREATE TYPE made AS (x int); \
         CREATE FUNCTION to_made(text) RETURNS made LANGUAGE sql IMMUTABLE AS \
             'SELECT ROW(length(email))::made FROM customers'; \
         CREATE CAST (text AS made) WITH FUNCTION to_made(text); CREATE TABLE of_made (m made); \
         CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS \
             $$BEGIN RAISE NOTICE '%', (SELECT email FROM customers LIMIT 1); END$$",
    );
    let modern = database.value(&["SHOW server_version_num"]).parse::<u32>().unwrap() >= 140_000;
    if modern {
        database.run("CREATE STATISTICS s ON (leak(id)) FROM subject");
    }
    let labels = [label(&["public.customers.email"], Method::Redact)];
    let bound = database.bind(&labels, &[], &unknown);
    assert_eq!(bound.catalogue.defining("CREATE SEQUENCE"), None);
    for name in ["indexed", "keyed", "classed", "generated", "spans"] {
        assert!(relation(&bound, "public", name).write_risk.is_some(), "{name}");
    }
    for name in ["indexed", "classed", "generated", "spans"] {
        assert!(relation(&bound, "public", name).read_risk.is_some(), "{name}");
    }
    if modern {
        let risk = relation(&bound, "public", "subject").write_risk.clone().unwrap();
        assert!(risk.contains("statistics that use function public.leak"), "{risk}");
    }
    for name in ["made", "span"] {
        assert!(bound.catalogue.unsafe_types.contains_key(name), "{name}");
    }

    database.run(
        "CREATE EVENT TRIGGER e ON ddl_command_end WHEN TAG IN ('CREATE SEQUENCE', 'DROP SEQUENCE') \
         EXECUTE FUNCTION on_ddl()",
    );
    let bound = database.bind(&labels, &[], &unknown);
    assert_eq!(
        bound.catalogue.defining("CREATE SEQUENCE"),
        Some(
            "event trigger e, which calls function public.on_ddl, which names the protected relation \
             public.customers"
        )
    );
    assert_eq!(bound.catalogue.defining("CREATE TABLE"), None);
    let said =
        bound.warnings.iter().any(|finding| finding.message.contains("CREATE SEQUENCE, DROP SEQUENCE"));
    assert!(said, "{:?}", bound.warnings);
    database
        .run("CREATE EVENT TRIGGER f ON sql_drop EXECUTE FUNCTION on_ddl(); ALTER EVENT TRIGGER e DISABLE");
    let catalogue = database.bind(&labels, &[], &unknown).catalogue;
    assert!(catalogue.defining("DROP TABLE").is_some(), "without tags every statement fires it");
    assert_eq!(catalogue.definition_risks.len(), 1, "the disabled one does not count");
}

#[test]
fn another_name_for_a_function_of_the_server_is_not_harmless() {
    let database = Database::new(
        "CREATE FUNCTION read(text) RETURNS text LANGUAGE internal IMMUTABLE STRICT AS 'pg_read_file_all'; \
         CREATE FUNCTION calls_read() RETURNS text LANGUAGE sql AS $$SELECT read('x')$$",
    );
    let bound = database.bind(&[], &[], &unknown);
    assert!(is_unsafe(&bound, "read"));
    match bound.catalogue.function("calls_read") {
        FunctionSafety::Unsafe { culprit, .. } => {
            assert_eq!(trust_line(&culprit).as_deref(), Some("functions = [\"public.calls_read\"]"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn foreign_tables_are_refused_unless_somebody_says_what_they_hold() {
    let database = Database::new(
        "CREATE TABLE customers (id int, email text); \
         CREATE EXTENSION postgres_fdw; CREATE SERVER loopback FOREIGN DATA WRAPPER postgres_fdw; \
         CREATE FOREIGN TABLE again (id int, email text) SERVER loopback OPTIONS (table_name 'customers'); \
         CREATE FOREIGN TABLE labelled (id int, email text) SERVER loopback OPTIONS (table_name 'customers'); \
         CREATE FOREIGN TABLE by_wildcard (id int, email text) SERVER loopback OPTIONS (table_name 'customers'); \
         CREATE FOREIGN TABLE rates (id int, rate int) SERVER loopback; \
         CREATE VIEW over_again AS SELECT a.id FROM again a; \
         CREATE TABLE split (id int, email text) PARTITION BY LIST (id); \
         CREATE FOREIGN TABLE split_1 PARTITION OF split FOR VALUES IN (1) SERVER loopback; \
         CREATE FUNCTION reads_again() RETURNS text LANGUAGE sql AS 'SELECT email FROM again'",
    );
    let labels = [label(&["customers.email", "labelled.email", "*.email"], Method::Redact)];
    let bound = database.bind(&labels, &["public.rates"], &unknown);
    for name in ["again", "by_wildcard", "over_again", "split", "split_1"] {
        let risk = relation(&bound, "public", name).read_risk.clone();
        assert!(risk.is_some_and(|risk| risk.contains("shows rows of another server")), "{name}");
    }
    let risk = relation(&bound, "public", "over_again").read_risk.clone().unwrap();
    assert_eq!(trust_line(&risk).as_deref(), Some("functions = [\"public.again\"]"), "{risk}");
    assert!(is_unsafe(&bound, "reads_again"));
    assert_eq!(relation(&bound, "public", "labelled").read_risk, None);
    assert_eq!(protected(relation(&bound, "public", "labelled")), ["email"]);
    assert_eq!(bound.catalogue.relation("public", "rates"), None);
    assert!(!bound.warnings.iter().any(|finding| finding.kind == FindingKind::Trusted));
}

#[test]
fn functions_that_keep_what_they_are_given_are_known() {
    let database = Database::new(
        "CREATE TABLE log (t text); \
         CREATE FUNCTION keep(text) RETURNS void LANGUAGE sql AS 'INSERT INTO log VALUES ($1)'; \
         CREATE FUNCTION keeps_too(text) RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM keep($1); END'; \
         CREATE FUNCTION shout(text) RETURNS void LANGUAGE sql AS $$SELECT pg_notify('c', $1)$$; \
         CREATE FUNCTION upper_twice(text) RETURNS text LANGUAGE sql AS 'SELECT upper(upper($1))'",
    );
    let writers = database.bind(&[], &[], &unknown).catalogue.writers;
    for (name, expected) in [("keep", true), ("keeps_too", true), ("shout", true), ("upper_twice", false)] {
        assert_eq!(writers.contains(name), expected, "{name}");
    }
    assert!(!writers.contains("upper"));
}

#[test]
fn a_cast_is_met_by_values_of_its_source_not_by_every_use_of_a_built_in_type() {
    let database = Database::new(
        "CREATE TABLE customers (id int, email text); CREATE TYPE ticket AS (x int); \
         CREATE TABLE tickets (t ticket); CREATE TABLE others (id int); \
         CREATE FUNCTION show(ticket) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers'; \
         CREATE CAST (ticket AS text) WITH FUNCTION show(ticket) AS IMPLICIT; \
         CREATE FUNCTION show_other(others) RETURNS int LANGUAGE sql AS 'SELECT id FROM customers'; \
         CREATE CAST (others AS int) WITH FUNCTION show_other(others); \
         CREATE TYPE made AS (x int); \
         CREATE FUNCTION make(int) RETURNS made LANGUAGE sql AS 'SELECT ROW(id)::made FROM customers'; \
         CREATE CAST (int AS made) WITH FUNCTION make(int) AS ASSIGNMENT; CREATE TABLE made_ones (m made); \
         CREATE FUNCTION harmless(int) RETURNS text LANGUAGE sql AS 'SELECT $1::text'",
    );
    let bound = database.bind(&[label(&["public.customers.email"], Method::Redact)], &[], &unknown);
    for name in ["text", "int4", "integer", "_text"] {
        assert!(
            !bound.catalogue.unsafe_types.contains_key(name),
            "{name}: {:?}",
            bound.catalogue.unsafe_types
        );
    }
    for name in ["ticket", "_ticket", "made"] {
        assert!(bound.catalogue.unsafe_types.contains_key(name), "{name}");
    }
    for name in ["tickets", "others", "made_ones"] {
        assert!(relation(&bound, "public", name).read_risk.is_some(), "{name}");
    }
    assert!(!is_unsafe(&bound, "harmless"));
}
