//! The catalogue against a real server: what the snapshot queries read, and what is made of it.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use pgwarrant_catalog::snapshot::Snapshot;
use pgwarrant_catalog::{
    BindOptions, Bound, CHANGE_POLL, CHANGE_PROBE, Column, FindingKind, FunctionSafety, Label, Lineage,
    Relation, SESSION_SETUP, Ungranted, bind, queries, upstream_findings, upstream_query,
};
use pgwarrant_masking::Method;
use pgwarrant_tests::server_url;

const FIELD: &str = "\u{1f}";
const RECORD: &str = "\u{1e}";
const NULL: &str = "\u{1d}";

/// A database of its own for one test.
struct Database {
    name: String,
}

impl Database {
    fn new(script: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("catalog_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        psql(
            "postgres",
            &[&format!(
                "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
            )],
        );
        let database = Database { name };
        database.run(script);
        database
    }

    fn run(&self, script: &str) {
        psql(&self.name, &[script]);
    }

    /// The rows of the last of these statements.
    fn rows(&self, statements: &[&str]) -> Vec<Vec<Option<String>>> {
        let output = psql(&self.name, statements);
        let output = output.strip_suffix('\n').unwrap_or(&output);
        if output.is_empty() {
            return Vec::new();
        }
        output
            .split(RECORD)
            .map(|record| record.split(FIELD).map(|cell| (cell != NULL).then(|| cell.to_owned())).collect())
            .collect()
    }

    fn value(&self, statements: &[&str]) -> String {
        self.rows(statements).concat().first().cloned().flatten().unwrap_or_default()
    }

    fn snapshot(&self) -> Snapshot {
        let results: Vec<_> =
            queries().iter().map(|query| (query.name, self.rows(&[SESSION_SETUP, query.sql]))).collect();
        Snapshot::from_rows(&results).unwrap()
    }

    fn bind(&self, labels: &[Label], trusted: &[&str], lineage: &Lineage<'_>) -> Bound {
        let options = BindOptions {
            trusted_functions: trusted.iter().map(|entry| (*entry).to_owned()).collect(),
            version: 1,
        };
        bind(&self.snapshot(), labels, &options, lineage)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        psql("postgres", &[&format!("DROP DATABASE {} WITH (FORCE)", self.name)]);
    }
}

fn psql(database: &str, statements: &[&str]) -> String {
    let mut command = Command::new("psql");
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-F", FIELD, "-R", RECORD, "-P"]);
    command.arg(format!("null={NULL}")).arg("-d").arg(server_url(database)).stdin(Stdio::null());
    for statement in statements {
        command.args(["-c", statement]);
    }
    let output = command.output().expect("psql is installed");
    assert!(output.status.success(), "{statements:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn label(columns: &[&str], mask: Method) -> Label {
    Label {
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        category: "contact".into(),
        mask,
        ungranted: Ungranted::Mask,
        nulls_show: false,
    }
}

/// No lineage can be shown.
fn unknown(_: &str) -> Option<Vec<Vec<(String, String, String)>>> {
    None
}

fn relation<'b>(bound: &'b Bound, schema: &str, name: &str) -> &'b Relation {
    bound
        .catalogue
        .relation(schema, name)
        .unwrap_or_else(|| panic!("{schema}.{name} is neither protected nor a risk"))
}

fn column<'b>(bound: &'b Bound, schema: &str, name: &str, column: &str) -> &'b Column {
    relation(bound, schema, name).column(column).unwrap()
}

fn protected(relation: &Relation) -> Vec<&str> {
    relation
        .columns
        .iter()
        .filter(|column| column.protection.is_some())
        .map(|column| column.name.as_str())
        .collect()
}

fn is_unsafe(bound: &Bound, function: &str) -> bool {
    match bound.catalogue.function(function) {
        FunctionSafety::Unsafe { .. } => true,
        FunctionSafety::Safe => false,
        FunctionSafety::Unknown => panic!("{function} does not exist"),
    }
}

#[test]
fn every_mask_of_every_type_has_the_type_of_its_column_whatever_the_search_path() {
    let types = "text, varchar, varchar(32), char(5), bpchar, \"char\", name, smallint, integer, bigint, real, \
                 double precision, numeric, numeric(10,2), money, boolean, bit, bit(3), varbit, varbit(7), date, \
                 time, time(3), timetz, timetz(2), timestamp, timestamp(3), timestamptz, timestamptz(0), interval, \
                 interval(2), interval day to second(3), interval year, uuid, inet, cidr, macaddr, bytea, json, \
                 jsonb, xml, point, tsvector, int4range, oid, regclass, int2vector, text[], varchar(9)[], \
                 numeric(5,1)[], timestamp(1)[], \"Odd Types\".\"Mood \"\"x\"\"\", \"Odd Types\".\"Mood \"\"x\"\"\"[], \
                 odd.label, odd.label[], odd.labels, odd.pair, odd.pair[], odd.nested";
    let database = Database::new(
        "CREATE SCHEMA \"Odd Types\"; CREATE SCHEMA odd; \
         CREATE TYPE \"Odd Types\".\"Mood \"\"x\"\"\" AS ENUM ('b', 'a'); \
         CREATE DOMAIN odd.label AS varchar(12); CREATE DOMAIN odd.labels AS text[]; \
         CREATE DOMAIN odd.nested AS odd.label; CREATE TYPE odd.pair AS (a int, b text)",
    );
    let columns: Vec<String> = split_types(types)
        .iter()
        .enumerate()
        .map(|(place, sql_type)| format!("c{place} {sql_type}"))
        .collect();
    database.run(&format!("CREATE TABLE t ({})", columns.join(", ")));
    // A hostile search_path: names that mean something else first.
    database.run(
        "CREATE SCHEMA evil; CREATE DOMAIN evil.text AS pg_catalog.int4; CREATE DOMAIN evil.uuid AS pg_catalog.int4; \
         CREATE TYPE evil.label AS ENUM ('x'); CREATE DOMAIN evil.bpchar AS pg_catalog.int4; \
         CREATE DOMAIN evil.date AS pg_catalog.int4; CREATE DOMAIN evil.json AS pg_catalog.int4; \
         CREATE DOMAIN evil.varchar AS pg_catalog.int4; CREATE DOMAIN evil.bit AS pg_catalog.int4",
    );
    let bound = database.bind(&[label(&["t.*"], Method::Null)], &[], &unknown);
    assert_eq!(bound.errors, []);
    let columns = &relation(&bound, "public", "t").columns;
    assert_eq!(columns.len(), split_types(types).len());
    let masks: Vec<String> = columns
        .iter()
        .map(|column| {
            let mask = column.protection.as_ref().unwrap().mask.render("r.x");
            format!("CAST({mask} AS {}) AS {}", column.column_type.sql, column.name)
        })
        .collect();
    let made = format!("CREATE TABLE public.made AS SELECT {}", masks.join(", "));
    database.rows(&["SET search_path = evil, odd, pg_catalog", &made]);
    let different = database.rows(&[
        "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), pg_catalog.format_type(b.atttypid, b.atttypmod) \
         FROM pg_attribute a JOIN pg_attribute b USING (attname) \
         WHERE a.attrelid = 'public.t'::regclass AND b.attrelid = 'public.made'::regclass AND a.attnum > 0 \
           AND (a.atttypid, a.atttypmod) IS DISTINCT FROM (b.atttypid, b.atttypmod)",
    ]);
    assert_eq!(different, Vec::<Vec<Option<String>>>::new());

    let shape = |name: &str| {
        let place = split_types(types).iter().position(|sql_type| sql_type == name).unwrap();
        let sql_type = &columns[place].column_type;
        (format!("{:?}", sql_type.base), sql_type.array, sql_type.domain, sql_type.max_length)
    };
    assert_eq!(shape("varchar(32)"), ("Text".into(), false, false, Some(32)));
    assert_eq!(shape("odd.nested"), ("Text".into(), false, true, Some(12)));
    assert_eq!(shape("odd.labels"), ("Text".into(), true, true, None));
    assert_eq!(shape("odd.label[]"), ("Text".into(), true, true, Some(12)));
    assert_eq!(shape("varchar(9)[]"), ("Text".into(), true, false, Some(9)));
    assert_eq!(shape("\"Odd Types\".\"Mood \"\"x\"\"\"").0, "Enum");
    assert_eq!(shape("int2vector"), ("Other".into(), false, false, None));
    assert_eq!(shape("name"), ("Text".into(), false, false, None));
    assert_eq!(columns[split_types(types).len() - 8].column_type.enum_labels, ["b", "a"]);
}

/// At commas outside of parentheses.
fn split_types(types: &str) -> Vec<String> {
    let mut depth = 0;
    types
        .split(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        })
        .map(|part| part.trim().to_owned())
        .collect()
}

#[test]
fn partitions_children_and_namesakes_are_protected_by_oid_and_attribute_number() {
    let database = Database::new(
        "CREATE TABLE visits (gone text, at date NOT NULL, ip inet) PARTITION BY RANGE (at); \
         ALTER TABLE visits DROP COLUMN gone; \
         CREATE TABLE visits_26 (ip inet, padding int, at date NOT NULL) PARTITION BY RANGE (at); \
         ALTER TABLE visits_26 DROP COLUMN padding; \
         CREATE TABLE visits_26_1 PARTITION OF visits_26 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); \
         ALTER TABLE visits ATTACH PARTITION visits_26 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01'); \
         CREATE SCHEMA archive; CREATE TABLE archive.visits (ip inet); \
         CREATE TABLE people (id int, note text); CREATE TABLE staff (salary int) INHERITS (people); \
         CREATE TABLE \"People\" (\"Note\" text); \
         CREATE TABLE moved (a int, secret text); ALTER TABLE moved RENAME COLUMN secret TO hidden; \
         ALTER TABLE moved RENAME TO renamed",
    );
    let labels = [
        label(&["visits.ip"], Method::Null),
        label(&["staff.note"], Method::Redact),
        label(&["\"People\".\"Note\""], Method::Redact),
        label(&["moved.secret", "renamed.hidden", "people.nope"], Method::Redact),
    ];
    let bound = database.bind(&labels, &[], &unknown);
    assert_eq!(bound.errors, []);
    for (schema, name) in
        [("public", "visits"), ("public", "visits_26"), ("public", "visits_26_1"), ("archive", "visits")]
    {
        assert_eq!(protected(relation(&bound, schema, name)), ["ip"], "{schema}.{name}");
    }
    let root = relation(&bound, "public", "visits");
    let leaf = relation(&bound, "public", "visits_26_1");
    assert_eq!(leaf.ancestors.last(), Some(&root.oid));
    assert_eq!(leaf.ancestors.len(), 2);
    assert_eq!(
        root.by_attnum(3).map(|column| column.name.as_str()),
        Some("ip"),
        "the dropped column keeps its number"
    );
    // A grant on the root's column uncovers the leaf's; one on the leaf's does not uncover the root's.
    let ip = |relation: &Relation| pgwarrant_catalog::ColumnId {
        relation: relation.oid,
        attnum: relation.column("ip").unwrap().attnum,
    };
    let protection = |relation: &Relation| relation.column("ip").unwrap().protection.clone().unwrap();
    assert!(protection(leaf).is_uncovered(|granted| granted == ip(root)));
    assert!(!protection(root).is_uncovered(|granted| granted == ip(leaf)));
    assert!(protection(leaf).sources.contains(&ip(root)));

    // What only a child has is read through its parent too; not through the parent's other names.
    assert_eq!(protected(relation(&bound, "public", "people")), ["note"]);
    assert_eq!(protected(relation(&bound, "public", "staff")), ["note"]);
    assert_eq!(protected(relation(&bound, "public", "People")), ["Note"]);
    assert_eq!(protected(relation(&bound, "public", "renamed")), ["hidden"]);
    let unbound: Vec<_> = bound
        .warnings
        .iter()
        .filter(|finding| finding.kind == FindingKind::Unbound)
        .filter_map(|finding| finding.pattern.as_deref())
        .collect();
    assert_eq!(unbound, ["moved.secret", "people.nope"]);
    assert!(bound.catalogue.unprotected.contains(&("pg_catalog".into(), "pg_class".into())));
    assert!(bound.catalogue.schemas.contains("pg_toast"));
}

#[test]
fn views_carry_what_they_show() {
    let database = Database::new(
        "CREATE TABLE customers (id int PRIMARY KEY, email text, card text, city text); \
         CREATE TABLE orders (id int, customer int); \
         CREATE VIEW directory AS SELECT c.id, c.email AS mail, reverse(c.card) AS card FROM customers c; \
         CREATE VIEW over_directory AS SELECT d.mail, d.id FROM directory d; \
         CREATE MATERIALIZED VIEW kept AS SELECT o.mail FROM over_directory o; \
         CREATE VIEW cities AS SELECT customers.city FROM customers WHERE customers.email IS NOT NULL; \
         CREATE VIEW opaque AS SELECT row_to_json(c.*) AS j, 1 AS one FROM customers c; \
         CREATE VIEW disguised AS SELECT s.email FROM (SELECT reverse(customers.email) AS email FROM customers) s; \
         CREATE VIEW passwords AS SELECT a.rolname, a.rolpassword FROM pg_authid a; \
         CREATE VIEW activity AS SELECT s.query FROM pg_stat_activity s; \
         CREATE VIEW files AS SELECT pg_read_file(o.id::text) AS f FROM orders o; \
         CREATE VIEW settings AS SELECT current_setting(o.id::text) AS s FROM orders o; \
         CREATE VIEW tenant AS SELECT o.id FROM orders o WHERE current_setting('app.tenant', true) = '1'; \
         CREATE VIEW harmless AS SELECT o.id FROM orders o; \
         CREATE TABLE generated (email text, lower_email text GENERATED ALWAYS AS (lower(email)) STORED)",
    );
    let column_of =
        |relation: &str, column: &str| ("public".to_owned(), relation.to_owned(), column.to_owned());
    let lineage = |definition: &str| {
        let outputs = |columns: &[(&str, &str)]| {
            Some(columns.iter().map(|(relation, name)| vec![column_of(relation, name)]).collect())
        };
        if definition.contains("AS mail") {
            outputs(&[("customers", "id"), ("customers", "email"), ("customers", "card")])
        } else if definition.contains("public.directory") {
            outputs(&[("directory", "mail"), ("directory", "id")])
        } else if definition.contains("public.over_directory") {
            outputs(&[("over_directory", "mail")])
        } else if definition.contains("IS NOT NULL") {
            outputs(&[("customers", "city")])
        } else if definition.contains("AS email") {
            outputs(&[("customers", "email")])
        } else {
            None
        }
    };
    let labels = [
        label(&["customers.email", "customers.card"], Method::Card),
        label(&["generated.email"], Method::Card),
    ];
    let bound = database.bind(&labels, &[], &lineage);
    let base = |name: &str| pgwarrant_catalog::ColumnId {
        relation: relation(&bound, "public", "customers").oid,
        attnum: relation(&bound, "public", "customers").column(name).unwrap().attnum,
    };
    let method =
        |view: &str, name: &str| column(&bound, "public", view, name).protection.clone().unwrap().method;
    assert_eq!(protected(relation(&bound, "public", "directory")), ["mail", "card"]);
    assert_eq!(method("directory", "mail"), "card", "a plain copy keeps its mask");
    assert_eq!(method("directory", "card"), "null", "a computed column shows nothing");
    assert_eq!(method("over_directory", "mail"), "card");
    assert_eq!(method("kept", "mail"), "card");
    assert_eq!(method("disguised", "email"), "null", "a copy of a computed column is computed");
    assert_eq!(protected(relation(&bound, "public", "over_directory")), ["mail"]);
    let kept = column(&bound, "public", "kept", "mail").protection.clone().unwrap();
    assert!(kept.is_uncovered(|granted| granted == base("email")));
    assert!(!kept.is_uncovered(|granted| granted == base("card")));
    assert_eq!(kept.sources, [base("email")]);
    assert_eq!(bound.catalogue.relation("public", "cities"), None, "a filter shows no value");
    assert_eq!(
        protected(relation(&bound, "public", "opaque")),
        ["j", "one"],
        "not shown to be harmless: protected"
    );
    // pg_depend knows nothing of what initdb made.
    assert_eq!(protected(relation(&bound, "public", "passwords")), ["rolname", "rolpassword"]);
    assert!(column(&bound, "public", "passwords", "rolpassword").protection.clone().unwrap().built_in);
    assert_eq!(protected(relation(&bound, "public", "activity")), ["query"]);
    let risk = relation(&bound, "public", "files").read_risk.clone().unwrap();
    assert!(risk.contains("function pg_catalog.pg_read_file, which reads files"), "{risk}");
    assert!(relation(&bound, "public", "settings").read_risk.is_some());
    assert_eq!(bound.catalogue.relation("public", "tenant"), None);
    assert_eq!(bound.catalogue.relation("public", "harmless"), None);
    assert_eq!(protected(relation(&bound, "public", "generated")), ["email", "lower_email"]);
    assert_eq!(method("generated", "lower_email"), "null");
}

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
fn what_the_system_shows_of_data_and_secrets_is_protected_out_of_the_box() {
    let database = Database::new("SELECT 1");
    let bound = database.bind(&[], &[], &unknown);
    assert_eq!(bound.errors, []);
    assert_eq!(bound.warnings, []);
    for (schema, name, columns) in [
        ("pg_catalog", "pg_stat_activity", "query"),
        ("pg_catalog", "pg_authid", "rolpassword"),
        ("pg_catalog", "pg_shadow", "passwd"),
        ("pg_catalog", "pg_prepared_statements", "statement"),
        ("pg_catalog", "pg_cursors", "statement"),
        ("pg_catalog", "pg_user_mapping", "umoptions"),
        ("pg_catalog", "pg_user_mappings", "umoptions"),
        ("pg_catalog", "pg_largeobject", "data"),
        ("pg_catalog", "pg_subscription", "subconninfo"),
        ("pg_catalog", "pg_file_settings", "setting"),
        ("information_schema", "user_mapping_options", "option_value"),
    ] {
        assert_eq!(protected(relation(&bound, schema, name)).join(" "), columns, "{schema}.{name}");
        let protection = relation(&bound, schema, name).column(columns).unwrap().protection.clone().unwrap();
        assert!(protection.built_in && !protection.is_uncovered(|_| true));
    }
    for column in ["most_common_vals", "histogram_bounds", "most_common_elems", "most_common_freqs"] {
        assert!(protected(relation(&bound, "pg_catalog", "pg_stats")).contains(&column), "{column}");
    }
    for column in ["stavalues1", "stavalues5", "stanumbers1"] {
        assert!(protected(relation(&bound, "pg_catalog", "pg_statistic")).contains(&column), "{column}");
    }
    // Every mask can be run.
    for relation in bound.catalogue.relations.values() {
        let list: Vec<String> = relation
            .columns
            .iter()
            .filter_map(|column| Some((column, column.protection.as_ref()?)))
            .map(|(column, protection)| {
                format!(
                    "CAST({} AS {})",
                    protection.mask.render(&format!("r.{}", column.name)),
                    column.column_type.sql
                )
            })
            .collect();
        database.run(&format!(
            "SELECT {} FROM {}.{} r LIMIT 1",
            list.join(", "),
            relation.schema,
            relation.name
        ));
    }
    // No view that initdb made shows what an unsafe function gives without being on the list.
    let views = database.rows(&[
        "SELECT DISTINCT c.relname, p.proname FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class, \
         LATERAL regexp_matches(r.ev_action::text, ':funcid ([0-9]+)', 'g') m JOIN pg_proc p ON p.oid = m[1]::oid \
         WHERE r.oid < 16384",
    ]);
    assert!(views.len() > 50);
    // These use pg_stat_get_activity, but not its column `query`.
    let reviewed = ["pg_stat_replication", "pg_stat_ssl", "pg_stat_gssapi"];
    for row in views {
        let (Some(view), Some(function)) = (row[0].as_deref(), row[1].as_deref()) else { panic!("null") };
        if is_unsafe(&bound, function) && !reviewed.contains(&view) {
            assert!(
                bound.catalogue.relation("pg_catalog", view).is_some_and(|relation| relation.is_protected()),
                "{view} calls {function}"
            );
        }
    }
}

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

#[test]
fn column_rights_and_roles_are_known() {
    let role = format!("catalog_reader_{}", std::process::id());
    let database = Database::new(&format!(
        "CREATE TABLE t (id int, email text, note text); CREATE TABLE u (id int); CREATE ROLE {role}; \
         GRANT SELECT (id, note) ON t TO {role}; GRANT pg_read_all_stats TO {role}"
    ));
    let bound = database.bind(&[label(&["t.email"], Method::Redact)], &[], &unknown);
    let findings = {
        let rows = database.rows(&[SESSION_SETUP, &upstream_query(&[&role, "postgres"])]);
        upstream_findings(&rows, &bound.catalogue).unwrap()
    };
    let unreadable = relation(&bound, "public", "t").unreadable.clone();
    assert!(bound.catalogue.roles.contains(&role));
    database.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    assert_eq!(unreadable.get(&role), Some(&vec![2]));
    assert_eq!(unreadable.len(), 1);
    let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    assert!(
        messages.iter().any(|message| message.contains("postgres") && message.contains("superuser")),
        "{messages:?}"
    );
    assert!(
        messages.iter().any(|message| message.contains(&role) && message.contains("pg_read_all_stats")),
        "{messages:?}"
    );
    assert_eq!(messages.iter().filter(|message| message.contains(&role)).count(), 1, "{messages:?}");
}
