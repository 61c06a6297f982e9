//! Row predicates: what is taken, what it becomes, and what is refused with which words.

use pgwarrant_catalog::{Column, Relation, RelationKind};
use pgwarrant_masking::{BaseType, SqlType, oid};
use pgwarrant_sql::predicate::parse;
use proptest::prelude::*;

fn column(attnum: i16, name: &str, sql: &str, base: BaseType, base_oid: u32) -> Column {
    let column_type = SqlType {
        sql: sql.to_owned(),
        base,
        array: sql.ends_with("[]"),
        max_length: None,
        enum_labels: if base == BaseType::Enum { vec!["new".into(), "gone".into()] } else { vec![] },
        domain: sql.contains("domain"),
        oid: base_oid,
        base_oid,
        typmod: -1,
    };
    Column { attnum, name: name.to_owned(), column_type, protection: None }
}

fn customers() -> Relation {
    use BaseType::*;
    let columns = [
        ("id", "pg_catalog.int8", Integer, oid::INT8),
        ("region", "character varying(3)", Text, oid::VARCHAR),
        ("closed", "pg_catalog.bool", Boolean, oid::BOOL),
        ("created_at", "timestamp with time zone", Timestamp, oid::TIMESTAMPTZ),
        ("born", "pg_catalog.date", Date, oid::DATE),
        ("Odd \"Name", "pg_catalog.text", Text, oid::TEXT),
        ("order", "pg_catalog.int4", Integer, oid::INT4),
        ("not", "pg_catalog.int2", Integer, oid::INT2),
        ("balance", "numeric(10,2)", Number, oid::NUMERIC),
        ("score", "pg_catalog.float4", Number, oid::FLOAT4),
        ("email", "public.citext", Text, 16_500),
        ("status", "public.status", Enum, 16_501),
        ("status2", "public.status_domain", Enum, 16_501),
        ("ref", "pg_catalog.uuid", Uuid, oid::UUID),
        ("ip", "pg_catalog.inet", Inet, oid::INET),
        ("net", "pg_catalog.cidr", Inet, oid::CIDR),
        ("raw", "pg_catalog.bytea", Bytea, oid::BYTEA),
        ("doc", "pg_catalog.jsonb", Jsonb, oid::JSONB),
        ("tags", "pg_catalog.text[]", Text, oid::TEXT),
        ("price", "pg_catalog.money", Number, oid::MONEY),
        ("seen", "timestamp without time zone", Timestamp, oid::TIMESTAMP),
        ("label", "pg_catalog.name", Text, oid::NAME),
        ("mail2", "public.mail_domain", Text, oid::TEXT),
    ];
    Relation {
        oid: 1,
        schema: "public".into(),
        name: "customers".into(),
        kind: RelationKind::Table,
        columns: (1..)
            .zip(columns)
            .map(|(n, (name, sql, base, oid))| column(n, name, sql, base, oid))
            .collect(),
        primary_key: vec![1],
        ancestors: vec![],
        unreadable: Default::default(),
        read_risk: None,
        write_risk: None,
    }
}

fn rendered(text: &str) -> String {
    parse(text, &customers()).unwrap_or_else(|problem| panic!("{text}: {problem:?}")).render("r")
}

#[test]
fn conditions_are_rendered_with_qualified_operators_and_types() {
    for (text, expected) in [
        ("id = 42", "(r.id OPERATOR(pg_catalog.=) '42'::pg_catalog.int8)"),
        ("ID = '42'", "(r.id OPERATOR(pg_catalog.=) '42'::pg_catalog.int8)"),
        ("public.customers.id <> -0042", "(r.id OPERATOR(pg_catalog.<>) '-42'::pg_catalog.int8)"),
        ("customers.id != 1", "(r.id OPERATOR(pg_catalog.<>) '1'::pg_catalog.int8)"),
        ("region = 'it''s'", "(r.region OPERATOR(pg_catalog.=) 'it''s'::pg_catalog.varchar)"),
        // No modifier: '…'::varchar(3) would be cut in silence, to what nobody approved.
        ("region = 'Europe'", "(r.region OPERATOR(pg_catalog.=) 'Europe'::pg_catalog.varchar)"),
        ("region = E'a\\'b'", "(r.region OPERATOR(pg_catalog.=) 'a''b'::pg_catalog.varchar)"),
        (
            "region IN ('EU', 'UK')",
            "((r.region OPERATOR(pg_catalog.=) 'EU'::pg_catalog.varchar) OR (r.region OPERATOR(pg_catalog.=) 'UK'::pg_catalog.varchar))",
        ),
        ("id NOT IN (1)", "(NOT ((r.id OPERATOR(pg_catalog.=) '1'::pg_catalog.int8)))"),
        (
            "id BETWEEN 1 AND 2",
            "((r.id OPERATOR(pg_catalog.>=) '1'::pg_catalog.int8) AND (r.id OPERATOR(pg_catalog.<=) '2'::pg_catalog.int8))",
        ),
        (
            "id NOT BETWEEN 1 AND 2",
            "(NOT ((r.id OPERATOR(pg_catalog.>=) '1'::pg_catalog.int8) AND (r.id OPERATOR(pg_catalog.<=) '2'::pg_catalog.int8)))",
        ),
        ("closed", "r.closed"),
        ("NOT closed", "(NOT r.closed)"),
        ("closed = TRUE", "(r.closed OPERATOR(pg_catalog.=) 'true'::pg_catalog.bool)"),
        ("closed IS NOT UNKNOWN", "(r.closed IS NOT UNKNOWN)"),
        ("doc IS NULL", "(r.doc IS NULL)"),
        ("\"Odd \"\"Name\" = 'x'", "(r.\"Odd \"\"Name\" OPERATOR(pg_catalog.=) 'x'::pg_catalog.text)"),
        ("\"order\" = 1", "(r.order OPERATOR(pg_catalog.=) '1'::pg_catalog.int4)"),
        ("\"not\" = 1", "(r.not OPERATOR(pg_catalog.=) '1'::pg_catalog.int2)"),
        ("customers.not = 1", "(r.not OPERATOR(pg_catalog.=) '1'::pg_catalog.int2)"),
        ("balance > -0.50", "(r.balance OPERATOR(pg_catalog.>) '-0.50'::pg_catalog.numeric)"),
        (
            "created_at >= '2026-01-01'",
            "(r.created_at OPERATOR(pg_catalog.>=) '2026-01-01 00:00:00+00'::pg_catalog.timestamptz)",
        ),
        (
            "created_at < '2026-01-31T14:00+02:00'",
            "(r.created_at OPERATOR(pg_catalog.<) '2026-01-31 14:00:00+02'::pg_catalog.timestamptz)",
        ),
        (
            "created_at < '2026-01-31 14:00:00.25-0330'",
            "(r.created_at OPERATOR(pg_catalog.<) '2026-01-31 14:00:00.25-03:30'::pg_catalog.timestamptz)",
        ),
        (
            "seen < '2026-01-31'",
            "(r.seen OPERATOR(pg_catalog.<) '2026-01-31 00:00:00'::pg_catalog.timestamp)",
        ),
        ("born = '2024-02-29'", "(r.born OPERATOR(pg_catalog.=) '2024-02-29'::pg_catalog.date)"),
        (
            "email = 'Anna@example.com'",
            "(pg_catalog.lower(CAST(r.email AS pg_catalog.text) COLLATE pg_catalog.\"default\") OPERATOR(pg_catalog.=) \
          pg_catalog.lower('Anna@example.com'::pg_catalog.text COLLATE pg_catalog.\"default\"))",
        ),
        ("status > 'new'", "(r.status OPERATOR(pg_catalog.>) 'new'::public.status)"),
        (
            "status2 = 'new'",
            "(CAST(r.status2 AS pg_catalog.text) OPERATOR(pg_catalog.=) 'new'::pg_catalog.text)",
        ),
        ("mail2 = 'x'", "(r.mail2 OPERATOR(pg_catalog.=) 'x'::pg_catalog.text)"),
        (
            "ref = 'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11'",
            "(r.ref OPERATOR(pg_catalog.=) 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::pg_catalog.uuid)",
        ),
        ("ip = '10.0.0.1/8'", "(r.ip OPERATOR(pg_catalog.=) '10.0.0.1/8'::pg_catalog.inet)"),
        ("net = '10.0.0.0/8'", "(r.net OPERATOR(pg_catalog.=) '10.0.0.0/8'::pg_catalog.cidr)"),
        ("raw = '\\xDEAD'", "(r.raw OPERATOR(pg_catalog.=) '\\xdead'::pg_catalog.bytea)"),
        (
            "id = 1 OR id = 2 AND closed",
            "((r.id OPERATOR(pg_catalog.=) '1'::pg_catalog.int8) OR ((r.id OPERATOR(pg_catalog.=) '2'::pg_catalog.int8) AND r.closed))",
        ),
        (
            "(id = 1 OR closed) AND NOT (closed AND closed)",
            "(((r.id OPERATOR(pg_catalog.=) '1'::pg_catalog.int8) OR r.closed) AND (NOT (r.closed AND r.closed)))",
        ),
    ] {
        assert_eq!(rendered(text), expected, "{text}");
    }
}

#[test]
fn people_read_one_form() {
    for (text, canonical) in [
        ("ID=042", "id = 42"),
        ("\"id\" != '7'", "id <> 7"),
        ("region in ('a',$$b$$)", "region IN ('a', 'b')"),
        ("((closed))", "closed"),
        (
            "(id = 1 and closed) and (region = 'x' and closed)",
            "id = 1 AND closed AND region = 'x' AND closed",
        ),
        ("not not (id=1 or closed)", "NOT NOT (id = 1 OR closed)"),
        ("\"not\" = 1 OR \"order\"=2", "\"not\" = 1 OR order = 2"),
        ("created_at > '2026-01-01'", "created_at > '2026-01-01 00:00:00+00'"),
        ("closed = 'TRUE' or closed is not null", "closed = true OR closed IS NOT NULL"),
        ("balance between .5 and 007", "balance BETWEEN 0.5 AND 7"),
    ] {
        let relation = customers();
        let predicate = parse(text, &relation).unwrap();
        assert_eq!(predicate.canonical(), canonical);
        assert_eq!(parse(canonical, &relation).unwrap(), predicate);
    }
}

#[test]
fn the_columns_that_decide_are_known() {
    let columns = |text| parse(text, &customers()).unwrap().columns().to_vec();
    assert_eq!(columns("closed OR id = 1 AND NOT (region IN ('x') OR id BETWEEN 1 AND 2)"), [1, 2, 3]);
    assert_eq!(columns("doc IS NULL"), [18]);
}

#[test]
fn whatever_is_not_in_the_grammar_is_refused() {
    for (text, message) in [
        ("", "syntax error at end of a row condition"),
        ("true", "syntax error at or near \"true\" in a row condition"),
        ("1 = 1", "syntax error at or near \"1\" in a row condition"),
        ("42 = id", "syntax error at or near \"42\" in a row condition"),
        ("id", "column \"id\" is not boolean"),
        ("id = id", "syntax error at or near \"id\" in a row condition"),
        ("id = (SELECT 1)", "syntax error at or near \"(\" in a row condition"),
        ("id = $1", "syntax error at or near \"$1\" in a row condition"),
        ("id = 1 --", ""),
        ("id = 1; DROP TABLE customers", "syntax error at or near \";\" in a row condition"),
        ("id = 1)", "syntax error at or near \")\" in a row condition"),
        ("(id = 1", "syntax error at end of a row condition"),
        ("id + 1 = 2", "syntax error at or near \"+\" in a row condition"),
        ("id = 1 + 1", "syntax error at or near \"+\" in a row condition"),
        ("lower(region) = 'x'", "functions cannot be used in a row condition"),
        ("region LIKE 'x%'", "syntax error at or near \"LIKE\" in a row condition"),
        ("region ~ 'x'", "syntax error at or near \"~\" in a row condition"),
        ("id OPERATOR(pg_catalog.=) 1", "syntax error at or near \"OPERATOR\" in a row condition"),
        ("id = '1'::bigint", "syntax error at or near \"::\" in a row condition"),
        ("id BETWEEN SYMMETRIC 2 AND 1", "syntax error at or near \"SYMMETRIC\" in a row condition"),
        ("id IN ()", "syntax error at or near \")\" in a row condition"),
        ("id IN (1, NULL)", "syntax error at or near \"NULL\" in a row condition"),
        ("id = NULL", "syntax error at or near \"NULL\" in a row condition"),
        ("id IS DISTINCT FROM 1", "syntax error at or near \"DISTINCT\" in a row condition"),
        ("id IS TRUE", "column \"id\" is not boolean"),
        ("nope = 1", "column nope of \"customers\" does not exist"),
        ("orders.id = 1", "column orders.id of \"customers\" does not exist"),
        ("other.customers.id = 1", "column other.customers.id of \"customers\" does not exist"),
        ("ctid = '(0,1)'", "column ctid of \"customers\" does not exist"),
        ("\"ID\" = 1", "column \"ID\" of \"customers\" does not exist"),
        ("id = 1.0", "1.0 is not a value of type pg_catalog.int8 that a row condition takes"),
        (
            "id = 9223372036854775808",
            "9223372036854775808 is not a value of type pg_catalog.int8 that a row condition takes",
        ),
        ("id = 0x1F", "0x1F is not a value of type pg_catalog.int8 that a row condition takes"),
        ("id = ' 1'", "' 1' is not a value of type pg_catalog.int8 that a row condition takes"),
        (
            "\"order\" = 2147483648",
            "2147483648 is not a value of type pg_catalog.int4 that a row condition takes",
        ),
        ("region = 1", "1 is not a value of type character varying(3) that a row condition takes"),
        ("closed = 1", "1 is not a value of type pg_catalog.bool that a row condition takes"),
        // Read by DateStyle, TimeZone and the clock.
        (
            "born = '01/02/2026'",
            "'01/02/2026' is not a value of type pg_catalog.date that a row condition takes",
        ),
        ("born = 'today'", "'today' is not a value of type pg_catalog.date that a row condition takes"),
        (
            "born = '2025-02-29'",
            "'2025-02-29' is not a value of type pg_catalog.date that a row condition takes",
        ),
        (
            "created_at > 'now'",
            "'now' is not a value of type timestamp with time zone that a row condition takes",
        ),
        (
            "created_at > '2026-01-01 10:00 CET'",
            "'2026-01-01 10:00 CET' is not a value of type timestamp with time zone that a row condition takes",
        ),
        (
            "seen > '2026-01-01 10:00+02'",
            "'2026-01-01 10:00+02' is not a value of type timestamp without time zone that a row condition takes",
        ),
        (
            "score = 1000000000000000000000000000000000000000",
            "1000000000000000000000000000000000000000 is not a value of type pg_catalog.float4 that a row condition takes",
        ),
        ("balance = 1e5", "1e5 is not a value of type numeric(10,2) that a row condition takes"),
        ("balance = 'NaN'", "'NaN' is not a value of type numeric(10,2) that a row condition takes"),
        (
            "status = 'unknown label'",
            "'unknown label' is not a value of type public.status that a row condition takes",
        ),
        (
            "net = '10.0.0.1/8'",
            "'10.0.0.1/8' is not a value of type pg_catalog.cidr that a row condition takes",
        ),
        ("raw = '\\x0'", "'\\x0' is not a value of type pg_catalog.bytea that a row condition takes"),
        ("doc = '{}'", "column \"doc\" of type pg_catalog.jsonb cannot be compared in a row condition"),
        ("tags = '{a}'", "column \"tags\" of type pg_catalog.text[] cannot be compared in a row condition"),
        ("price = 1", "column \"price\" of type pg_catalog.money cannot be compared in a row condition"),
        ("email < 'x'", "column \"email\" can only be compared for equality"),
        ("status2 BETWEEN 'new' AND 'gone'", "column \"status2\" can only be compared for equality"),
        // What an approver could not see.
        ("region = E'x\\n'", "control character in a row condition"),
        ("region = U&'x\\202e'", "control character in a row condition"),
        ("region = 'open", "unterminated quoted string"),
    ] {
        match parse(text, &customers()) {
            Ok(predicate) if message.is_empty() => assert_eq!(predicate.canonical(), "id = 1"),
            Ok(predicate) => panic!("{text} is taken as {}", predicate.canonical()),
            Err(problem) => assert_eq!(problem.message, message, "{text}"),
        }
    }
    let long_name = format!("label = '{}'", "a".repeat(64));
    assert!(parse(&long_name, &customers()).is_err(), "a cast to name would cut it");
}

#[test]
fn every_refusal_says_what_to_do_and_where() {
    for text in ["id =", "nope = 1", "id = 'x'", "email < 'x'", "1 = id", "id = NULL", "lower(region) = 'x'"]
    {
        let problem = parse(text, &customers()).unwrap_err();
        assert!(problem.hint.is_some_and(|hint| hint.ends_with('.')), "{text}");
        assert!(problem.position <= text.len());
    }
    assert_eq!(parse("id = 1 AND nope = 2", &customers()).unwrap_err().position, 11);
}

#[test]
fn size_and_nesting_are_limited() {
    let relation = customers();
    let nested = |depth: usize| format!("{}closed{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(32), &relation).is_ok());
    assert!(parse(&nested(33), &relation).is_err());
    assert!(parse(&format!("{}closed", "NOT ".repeat(1_000)), &relation).is_err());
    let list = |length: usize| format!("id IN ({})", vec!["1"; length].join(","));
    assert!(parse(&list(256), &relation).is_ok());
    assert!(parse(&list(257), &relation).is_err());
    assert!(parse(&"closed AND ".repeat(10_000), &relation).is_err());
    assert!(parse(&format!("region = '{}'", "x".repeat(1_001)), &relation).is_err());
}

fn condition() -> impl Strategy<Value = String> {
    let literal = prop_oneof![
        "'[a-z'\\\\é ]{0,4}'"
            .prop_map(|text: String| { format!("'{}'", text.trim_matches('\'').replace('\'', "''")) })
    ];
    let leaf = prop_oneof![
        (prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]), any::<i64>())
            .prop_map(|(op, n)| format!("id {op} {n}")),
        (prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]), literal.clone())
            .prop_map(|(op, s)| format!("region{op}{s}")),
        (any::<bool>(), prop::collection::vec(literal, 1..4)).prop_map(|(not, list)| format!(
            "\"Odd \"\"Name\" {}IN ({})",
            if not { "NOT " } else { "" },
            list.join(",")
        )),
        (any::<bool>(), any::<i16>(), any::<i16>())
            .prop_map(|(not, a, b)| format!("\"not\" {}BETWEEN {a} AND {b}", if not { "NOT " } else { "" })),
        (any::<i32>(), 0_u32..1000).prop_map(|(a, b)| format!("balance = {a}.{b}")),
        Just("closed".to_owned()),
        Just("doc IS NOT NULL".to_owned()),
        Just("created_at < '2026-01-01 10:00-05'".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("NOT ({a})")),
            inner.clone().prop_map(|a| format!("NOT {a}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) AND ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) OR {b}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{a} OR {b}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_canonical_form_parses_back_to_the_same_predicate(text in condition()) {
        let relation = customers();
        let predicate = parse(&text, &relation).unwrap();
        let again = parse(&predicate.canonical(), &relation).unwrap();
        prop_assert_eq!(&again, &predicate);
        prop_assert_eq!(again.canonical(), predicate.canonical());
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z(),'\"=<>!0-9. ]{0,40}") {
        let _ = parse(&text, &customers());
    }

    /// Whatever a literal says, it stays one literal.
    #[test]
    fn a_literal_stays_a_literal(value in "[ -~é]{0,20}") {
        let text = format!("region = '{}'", value.replace('\'', "''"));
        let sql = parse(&text, &customers()).unwrap().render("r");
        let limits = pgwarrant_sql::Limits::default();
        let tokens = pgwarrant_sql::lex(&sql, &limits).unwrap();
        let strings: Vec<_> = tokens.iter().filter(|token| token.kind.is_string()).collect();
        prop_assert_eq!(strings.len(), 1);
        prop_assert_eq!(strings[0].string_value(&sql).unwrap(), value);
    }
}

#[test]
fn rows_that_a_key_names_are_counted() {
    let customers = customers();
    let cases: [(&[i16], &str, Option<u64>); 14] = [
        (&[1], "id = 42", Some(1)),
        (&[1], "id IN (1, 2, 3)", Some(3)),
        (&[1], "id IN (1, 2, 3) AND id = 2", Some(1)),
        (&[1], "id = 1 OR id IN (2, 3)", Some(3)),
        (&[1], "(id = 1 OR id = 2) AND NOT closed", Some(2)),
        (&[1], "id = 1 OR closed", None),
        (&[1], "NOT id = 42", None),
        (&[1], "id NOT IN (1, 2)", None),
        (&[1], "id BETWEEN 1 AND 2", None),
        (&[1], "region = 'EU'", None),
        (&[1, 2], "id = 42", None),
        (&[1, 2], "id IN (1, 2) AND region IN ('EU', 'UK', 'US')", Some(6)),
        // Equal in lower case: who knows how many.
        (&[11], "email = 'a@example.com'", None),
        (&[], "id = 42", None),
    ];
    for (key, text, expected) in cases {
        assert_eq!(parse(text, &customers).expect(text).at_most(key), expected, "{text}");
    }
}
