//! Row predicates as PostgreSQL evaluates them: the rendered text against the same condition in
//! plain SQL, and again in a session that sets everything against it.

use std::collections::HashMap;

use pgwarrant_catalog::{Column, Relation, RelationKind};
use pgwarrant_masking::{BaseType, SqlType, oid};
use pgwarrant_sql::predicate::parse;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

const DATABASE: &str = "oracle_predicate";

const SCHEMA: &str = r#"
CREATE EXTENSION citext;
CREATE TYPE status AS ENUM ('new', 'open', 'gone');
CREATE DOMAIN status_domain AS status CHECK (VALUE <> 'gone');
CREATE DOMAIN code AS varchar(8) CHECK (length(VALUE) > 1);
CREATE TABLE people (
    id int8, small int2, region varchar(3), fixed char(5), "Odd ""Name" text, label name, closed bool,
    at timestamptz, seen timestamp, born date, balance numeric(8,2), score float4, ratio float8,
    email citext, status status, status2 status_domain, code code, ref uuid, ip inet, net cidr, raw bytea, doc jsonb
);
INSERT INTO people VALUES
    (1, 1, 'EU', 'ab', 'it''s', 'x', true, '2026-01-01 00:00:00+00', '2026-01-01', '2026-01-31', 1.50, 0.5, 0.1,
     'Anna@Example.com', 'new', 'new', 'AB', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10.0.0.1', '10.0.0.0/8', '\xdead', '{}'),
    (2, -2, 'UK', 'ab c', 'a\b', 'select', false, '2025-12-31 22:30:00+00', '2025-12-31 23:59:59', '2024-02-29', -1.50, -1e30, 1e300,
     'BEN@example.com', 'open', 'open', 'ab', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A12', '10.0.0.1/8', '10.1.0.0/16', '', 'null'),
    (3, 32767, 'it''', '', '', '', NULL, 'infinity', '-infinity', '0001-01-01', 'NaN', 'NaN', 'Infinity',
     'é@x', 'gone', NULL, 'zz', NULL, '::1', 'fe80::/10', '\x00', NULL),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
-- Whoever can make these must not be able to change what a predicate covers.
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.yes(int8, int8) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION hostile.yes(text, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION hostile.yes(varchar, varchar) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR hostile.= (LEFTARG = int8, RIGHTARG = int8, FUNCTION = hostile.yes);
CREATE OPERATOR hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.yes);
CREATE OPERATOR hostile.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = hostile.yes);
CREATE OPERATOR hostile.>= (LEFTARG = int8, RIGHTARG = int8, FUNCTION = hostile.yes);
CREATE FUNCTION hostile.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'anna@example.com'::pg_catalog.text $$;
CREATE DOMAIN hostile.int8 AS pg_catalog.int4;
CREATE DOMAIN hostile.text AS pg_catalog.varchar(1);
CREATE DOMAIN hostile.varchar AS pg_catalog.varchar(1);
CREATE TYPE hostile.timestamptz AS (a pg_catalog.int4);
"#;

const HOSTILE: &str = "SET search_path = hostile, public, pg_catalog; SET DateStyle = 'Postgres, DMY'; \
                       SET TimeZone = '<X>-150'; SET IntervalStyle = sql_standard; SET extra_float_digits = -10; \
                       SET bytea_output = escape; SET lc_monetary = 'C'";

/// Predicates, each with the same in plain SQL where that differs.
const CASES: &[(&str, &str)] = &[
    ("id = 1", ""),
    ("id <> 1", ""),
    ("id IN (1, 3)", ""),
    ("id NOT IN (1, 3)", ""),
    ("id BETWEEN 1 AND 2", ""),
    ("id NOT BETWEEN 1 AND 2", ""),
    ("NOT id = 1", ""),
    ("small = -2 OR small >= '32767'", ""),
    ("region = 'EU'", ""),
    ("region = 'EUX'", ""),
    ("region IN ('UK', 'it''')", ""),
    ("region < 'F'", ""),
    ("fixed = 'ab'", ""),
    ("fixed = 'ab   '", ""),
    ("fixed >= 'ab'", ""),
    ("\"Odd \"\"Name\" = 'it''s' OR \"Odd \"\"Name\" = 'a\\b'", ""),
    ("\"Odd \"\"Name\" <> ''", ""),
    ("label = 'select'", ""),
    ("closed", ""),
    ("NOT closed", ""),
    ("closed = false", ""),
    ("closed IS NOT TRUE", ""),
    ("closed IS UNKNOWN", ""),
    ("at >= '2026-01-01'", "at >= '2026-01-01 00:00:00+00'"),
    ("at < '2026-01-01 00:30+02'", ""),
    ("at <= '2025-12-31T17:00:00.5-05:30'", ""),
    ("seen < '2026-01-01'", ""),
    ("seen >= '2025-12-31 23:59:59'", ""),
    ("born = '2026-01-31' OR born = '2024-02-29'", ""),
    ("born < '2000-01-01'", ""),
    ("balance = 1.5", ""),
    ("balance > -1.505", ""),
    ("balance = '1.504'", ""),
    ("score = 0.5", "score = 0.5::float4"),
    ("score < 0", ""),
    ("ratio = 0.1", "ratio = 0.1::float8"),
    ("email = 'anna@EXAMPLE.COM'", ""),
    ("email <> 'ben@example.com'", ""),
    ("email IN ('É@X', 'x')", ""),
    ("status = 'new'", ""),
    ("status > 'new'", ""),
    ("status BETWEEN 'open' AND 'gone'", ""),
    ("status2 = 'open' OR status2 IN ('new')", "status2::status IN ('open', 'new')"),
    ("status2 = 'gone'", "false"),
    ("code = 'ab'", ""),
    ("code < 'b'", ""),
    ("ref = 'A0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'", ""),
    ("ip = '10.0.0.1'", ""),
    ("ip > '10.0.0.1/8'", ""),
    ("net = '10.0.0.0/8' OR net = 'fe80::/10'", ""),
    ("raw = '\\xDEAD' OR raw = '\\x'", ""),
    ("doc IS NULL", ""),
    ("doc IS NOT NULL AND (id = 1 OR NOT (closed OR region = 'EU'))", ""),
    ("id IS NULL OR NOT (id = 1 AND closed IS NULL)", ""),
];

fn people() -> Relation {
    use BaseType::*;
    let columns = [
        ("id", "pg_catalog.int8", Integer, oid::INT8),
        ("small", "pg_catalog.int2", Integer, oid::INT2),
        ("region", "character varying(3)", Text, oid::VARCHAR),
        ("fixed", "character(5)", Text, oid::BPCHAR),
        ("Odd \"Name", "pg_catalog.text", Text, oid::TEXT),
        ("label", "pg_catalog.name", Text, oid::NAME),
        ("closed", "pg_catalog.bool", Boolean, oid::BOOL),
        ("at", "timestamp with time zone", Timestamp, oid::TIMESTAMPTZ),
        ("seen", "timestamp without time zone", Timestamp, oid::TIMESTAMP),
        ("born", "pg_catalog.date", Date, oid::DATE),
        ("balance", "numeric(8,2)", Number, oid::NUMERIC),
        ("score", "pg_catalog.float4", Number, oid::FLOAT4),
        ("ratio", "pg_catalog.float8", Number, oid::FLOAT8),
        ("email", "public.citext", Text, 99_001),
        ("status", "public.status", Enum, 99_002),
        ("status2", "public.status_domain", Enum, 99_002),
        ("code", "public.code", Text, oid::VARCHAR),
        ("ref", "pg_catalog.uuid", Uuid, oid::UUID),
        ("ip", "pg_catalog.inet", Inet, oid::INET),
        ("net", "pg_catalog.cidr", Inet, oid::CIDR),
        ("raw", "pg_catalog.bytea", Bytea, oid::BYTEA),
        ("doc", "pg_catalog.jsonb", Jsonb, oid::JSONB),
    ];
    let column = |(attnum, (name, sql, base, base_oid)): (i16, (&str, &str, BaseType, u32))| Column {
        attnum,
        name: name.to_owned(),
        column_type: SqlType {
            sql: sql.to_owned(),
            base,
            array: false,
            max_length: None,
            enum_labels: ["new", "open", "gone"]
                .map(str::to_owned)
                .into_iter()
                .filter(|_| base == Enum)
                .collect(),
            domain: matches!(name, "status2" | "code"),
            oid: base_oid,
            base_oid,
            typmod: -1,
        },
        protection: None,
    };
    Relation {
        oid: 1,
        schema: "public".into(),
        name: "people".into(),
        kind: RelationKind::Table,
        columns: (1..).zip(columns).map(column).collect(),
        primary_key: vec![],
        ancestors: vec![],
        unreadable: HashMap::new(),
        read_risk: None,
        write_risk: None,
    }
}

async fn rows(client: &Client, condition: &str) -> Result<Vec<Option<String>>, String> {
    let text = format!(
        "SELECT id FROM public.people AS r WHERE {condition} ORDER BY id USING OPERATOR(pg_catalog.<)"
    );
    let messages = client.simple_query(&text).await.map_err(|problem| format!("{text}: {problem:?}"))?;
    let id = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(id).collect())
}

async fn connect(database: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(&pgwarrant_tests::server_url(database), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn predicates_cover_the_rows_that_they_name_under_any_settings() {
    let admin = connect("postgres").await;
    admin.batch_execute(&format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")).await.unwrap();
    admin
        .batch_execute(&format!("CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8'"))
        .await
        .unwrap();
    let plain = connect(DATABASE).await;
    plain.batch_execute(SCHEMA).await.unwrap();
    plain.batch_execute("SET TimeZone = 'UTC'").await.unwrap();
    let hostile = connect(DATABASE).await;
    hostile.batch_execute(HOSTILE).await.unwrap();

    let relation = people();
    let mut some = 0;
    for (text, same) in CASES {
        let predicate = parse(text, &relation).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
        let expected = rows(&plain, if same.is_empty() { text } else { same }).await.unwrap();
        some += usize::from(!expected.is_empty());
        let rendered = predicate.render("r");
        assert_eq!(rows(&plain, &rendered).await, Ok(expected.clone()), "{text}: {rendered}");
        assert_eq!(
            rows(&hostile, &rendered).await,
            Ok(expected),
            "{text} against hostile settings: {rendered}"
        );
    }
    assert!(some > 40, "most cases cover rows: {some}");
    // The settings do bite where a condition is not rendered so.
    let one = "id = 42::pg_catalog.int8";
    assert_ne!(rows(&plain, one).await, rows(&hostile, one).await);
    assert_ne!(rows(&plain, "at >= '2026-01-01'").await, rows(&hostile, "at >= '2026-01-01'").await);

    drop((plain, hostile));
    admin.batch_execute(&format!("DROP DATABASE {DATABASE} WITH (FORCE)")).await.unwrap();
}
