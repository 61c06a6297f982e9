//! What the statement cache's key holds on to, and what people read in the audit trail.

use pgwarrant_sql::template::{fingerprint, redact, template};
use pgwarrant_sql::{Limits, Message, lex};
use proptest::prelude::*;

fn key(text: &str) -> Vec<u8> {
    template(text, &lex(text, &Limits::default()).unwrap())
}

fn redacted(text: &str) -> String {
    redact(text, &lex(text, &Limits::default()).unwrap())
}

#[test]
fn statements_that_differ_in_constants_space_and_case_share_a_template() {
    for (a, b) in [
        ("SELECT * FROM t WHERE a = 1", "select *\n\tfrom T -- c\n where A=2147483647"),
        ("SELECT 'a'", "SELECT 'it''s'"),
        ("SELECT 'a'", "SELECT E'\\n'"),
        ("SELECT 'a'", "SELECT $x$b$x$"),
        ("SELECT 'a'", "SELECT U&'!0061' UESCAPE '!'"),
        ("SELECT 'a'", "SELECT 'b'\n'c'"),
        ("SELECT date '2020-01-01'", "SELECT date '2021-01-01'"),
        ("SELECT interval '1' day", "SELECT interval '2' day"),
        ("SELECT a FROM t ORDER BY a LIMIT 10 OFFSET 3", "SELECT a FROM t ORDER BY a LIMIT 20 OFFSET 4"),
        (
            "SELECT a FROM t ORDER BY a FETCH FIRST 5 ROWS ONLY",
            "SELECT a FROM t ORDER BY a FETCH FIRST 6 ROWS ONLY",
        ),
        ("SELECT a FROM t GROUP BY a HAVING sum(b) > 1", "SELECT a FROM t GROUP BY a HAVING sum(b) > 2"),
        ("SELECT (SELECT x FROM u ORDER BY 1) + 5", "SELECT (SELECT x FROM u ORDER BY 1) + 6"),
        ("SELECT x'1F'", "SELECT X'2E'"),
        ("SELECT 1.5", "SELECT 2e7"),
        ("SELECT a FROM t AS c WHERE c.id IN (1, 2)", "SELECT a FROM t AS c WHERE c.id IN (3, 4)"),
        ("WITH c AS MATERIALIZED (SELECT 1) SELECT 2", "WITH c AS MATERIALIZED (SELECT 3) SELECT 4"),
        ("EXECUTE p(1, 'a')", "EXECUTE p(2, 'b')"),
        ("((SELECT 1))", "((SELECT 2))"),
    ] {
        assert_eq!(key(a), key(b), "{a} / {b}");
    }
}

#[test]
fn what_may_decide_keeps_statements_apart() {
    for (a, b) in [
        ("SELECT a FROM t", "SELECT b FROM t"),
        ("SELECT a FROM t", "SELECT \"a\" FROM t"),
        ("SELECT \"A\"", "SELECT \"a\""),
        ("SELECT 1", "SELECT '1'"),
        ("SELECT 1", "SELECT 1.0"),
        // int4, int8, numeric: they choose among functions of one name.
        ("SELECT 2147483647", "SELECT 2147483648"),
        ("SELECT 9223372036854775807", "SELECT 9223372036854775808"),
        ("SELECT 0x7fffffff", "SELECT 0x80000000"),
        ("SELECT 1_000", "SELECT 3_000_000_000"),
        ("SELECT 'a'", "SELECT n'a'"),
        ("SELECT b'1'", "SELECT x'1'"),
        ("SELECT 'a' 'b'", "SELECT 'a'\n'b'"),
        ("SELECT $1", "SELECT $2"),
        ("SELECT - -1", "SELECT -1"),
        ("SELECT a FROM t ORDER BY 1", "SELECT a FROM t ORDER BY 2"),
        ("SELECT a FROM t ORDER BY b, 1", "SELECT a FROM t ORDER BY b, 2"),
        ("SELECT a FROM t GROUP BY 1", "SELECT a FROM t GROUP BY 2"),
        (
            "SELECT a FROM t GROUP BY GROUPING SETS ((1), (1, 2))",
            "SELECT a FROM t GROUP BY GROUPING SETS ((2), (1, 2))",
        ),
        ("SELECT a FROM t GROUP BY (1)", "SELECT a FROM t GROUP BY (2)"),
        ("SELECT a FROM t ORDER BY t.limit, 1", "SELECT a FROM t ORDER BY t.limit, 2"),
        ("SELECT a FROM t ORDER BY (SELECT 1 LIMIT 1), 1", "SELECT a FROM t ORDER BY (SELECT 1 LIMIT 1), 2"),
        ("SELECT DISTINCT ON (1) a, b FROM t", "SELECT DISTINCT ON (2) a, b FROM t"),
        ("(SELECT a FROM t ORDER BY 1)", "(SELECT a FROM t ORDER BY 2)"),
        ("SELECT a::varchar(10)", "SELECT a::varchar(11)"),
        ("SELECT CAST(a AS numeric(10, 2))", "SELECT CAST(a AS numeric(10, 3))"),
        ("SELECT CAST(a AS pg_catalog.varchar(10))", "SELECT CAST(a AS pg_catalog.varchar(11))"),
        ("SELECT CAST(a AS character varying(10))", "SELECT CAST(a AS character varying(11))"),
        ("SET search_path TO 'a'", "SET search_path TO 'b'"),
        ("SET a = 1", "SET a = 2"),
        ("COPY t TO '/a'", "COPY t TO '/b'"),
        ("DO 'a'", "DO 'b'"),
        ("EXPLAIN (ANALYZE 'off') SELECT 1", "EXPLAIN (ANALYZE 'on') SELECT 1"),
        ("FETCH 1 FROM c", "FETCH 2 FROM c"),
        ("SELECT a b", "SELECT ab"),
        ("SELECT a.b", "SELECT \"a.b\""),
    ] {
        assert_ne!(key(a), key(b), "{a} / {b}");
    }
}

#[test]
fn redacted_text_holds_no_constant() {
    for (text, expected) in [
        (
            "SELECT *  FROM t -- c\n WHERE a = 'x' AND b=1.5/**/OR c",
            "SELECT * FROM t WHERE a = ? AND b=? OR c",
        ),
        ("ALTER ROLE ada PASSWORD 'secret'", "ALTER ROLE ada PASSWORD ?"),
        ("DO $$ secret $$; SELECT U&'secret' UESCAPE '!'", "DO ?; SELECT ?"),
        ("SELECT E'a', n'b', b'1', x'f', 0x1f, $1", "SELECT ?, ?, ?, ?, ?, $1"),
        ("SELECT \"a\u{1b}[2J\nb\"", "SELECT \"a [2J b\""),
        ("", ""),
    ] {
        assert_eq!(redacted(text), expected);
    }
}

#[test]
fn redacted_text_is_short() {
    let text = format!("SELECT {}", vec!["column_name"; 2_000].join(", "));
    let short = redacted(&text);
    assert!(
        short.len() <= 8 * 1024 && short.ends_with("column_name, …") || short.ends_with(" …"),
        "{}",
        short.len()
    );
    assert!(redacted(&format!("SELECT \"{}\"", "ä".repeat(10_000))).len() <= 8 * 1024);
}

#[test]
fn fingerprints_do_not_change_from_version_to_version() {
    assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(fingerprint(b"a"), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(
        fingerprint(&key("SELECT a FROM t WHERE b = 'x'")),
        fingerprint(&key("select A from T where B='y'"))
    );
}

/// Reads a template back; two token lists with one template would have to be one.
fn read_back(mut key: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut tokens = Vec::new();
    while let [tag, rest @ ..] = key {
        key = rest;
        let mut text = Vec::new();
        if *tag <= 6 {
            let end = key.iter().position(|byte| *byte == 0).expect("a kept token ends in NUL");
            text = key[..end].to_vec();
            key = &key[end + 1..];
        }
        tokens.push((*tag, text));
    }
    tokens
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn templates_can_be_read_back_in_one_way_only(words in prop::collection::vec("(select|set|a|\"[^\"\0]\"|'[^'\0]'|1|1\\.5|\\(|\\)|,|\\+|\\$1|order by|\u{1}?)", 0..20)) {
        let text = words.join(" ");
        if let Ok(tokens) = lex(&text, &Limits::default()) {
            let back = read_back(&template(&text, &tokens));
            prop_assert_eq!(back.len(), tokens.len());
            for (token, (tag, kept)) in tokens.iter().zip(&back) {
                if *tag <= 6 {
                    prop_assert!(token.text(&text).as_bytes().eq_ignore_ascii_case(kept));
                } else {
                    prop_assert!(token.kind.is_literal());
                }
            }
        }
    }
}

fn message_key(message: &mut Message, text: &str) -> Vec<u8> {
    message.read(text, &Limits::default()).unwrap();
    message.key().to_vec()
}

fn each_redacted(message: &mut Message, text: &str) -> Vec<String> {
    message.read(text, &Limits::default()).unwrap();
    message.statements().iter().map(|range| redact(text, &message.tokens()[range.clone()])).collect()
}

#[test]
fn a_messages_key_tells_spellings_and_statements_apart_but_not_constants() {
    let mut message = Message::default();
    for (a, b) in [
        ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t  WHERE b = 22 -- c"),
        ("SELECT 'a'; SELECT 1", " SELECT 'b';\tSELECT 2;"),
        ("", ";"),
    ] {
        assert_eq!(message_key(&mut message, a), message_key(&mut message, b), "{a} / {b}");
        assert_eq!(each_redacted(&mut message, a), each_redacted(&mut message, b), "{a} / {b}");
    }
    for (a, b) in [
        ("SELECT a", "select a"),
        ("SELECT a,b", "SELECT a, b"),
        ("SELECT 1", "SELECT '1'"),
        ("SELECT 1; SELECT 2", "SELECT 1;; SELECT 2"),
        ("SELECT 1; SELECT 2", "SELECT 1"),
        ("SELECT a", "SELECT \"a\""),
    ] {
        assert_ne!(message_key(&mut message, a), message_key(&mut message, b), "{a} / {b}");
    }
}

#[test]
fn a_text_that_cannot_be_read_leaves_nothing_of_the_one_before() {
    let mut message = Message::default();
    message_key(&mut message, "SELECT 1");
    assert!(message.read("SELECT 'a", &Limits::default()).is_err());
    assert!(message.tokens().is_empty() && message.statements().is_empty() && message.key().is_empty());
}
