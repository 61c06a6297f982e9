//! The lexer and the splitter on texts made for them: a corpus, pieces put together at random; and
//! the values of constants and names against a server's.

use pgwarrant_sql::{Limits, lex};
use proptest::prelude::*;

use crate::corpus::{self, unshown};
use crate::oracle::tokens::{comparable, compare_tokens};
use crate::oracle::{tokens, tree};

/// Every complaint at once.
fn all(texts: impl IntoIterator<Item = String>, compare: impl Fn(&str) -> Result<(), String>) {
    let complaints: Vec<String> = texts.into_iter().filter_map(|text| compare(&text).err()).collect();
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

/// The same statements, for a text that PostgreSQL parses.
fn compare_statements(text: &str) -> Result<(), String> {
    let text = comparable(text);
    let Some(parsed) = tree::parse(&text) else { return Ok(()) };
    let borders: Vec<_> = parsed.into_iter().map(|statement| statement.text).collect();
    tokens::compare_statements(&text, &borders)
}

#[test]
fn the_corpus_is_what_it_says() {
    all(corpus::lexer(), |text| {
        pg_query::parse(&comparable(text)).map(drop).map_err(|problem| format!("{text}: {problem}"))
    });
    let statements: usize = corpus::lexer()
        .iter()
        .map(|text| pg_query::split_with_parser(&comparable(text)).unwrap().len())
        .sum();
    assert!(statements > 400, "only {statements} statements");
}

#[test]
fn tokens_are_postgresqls() {
    all(corpus::lexer().into_iter().chain(corpus::lexer_cases()), compare_tokens);
}

#[test]
fn statements_are_postgresqls() {
    all(corpus::lexer().into_iter().chain(corpus::lexer_cases()), compare_statements);
    // All of it in one message: every boundary again, in the middle of a long text.
    let whole = corpus::lexer().join("\n;");
    assert!(pg_query::parse(&comparable(&whole)).is_ok());
    all([whole], compare_statements);
}

/// Are constants what the server says, and names? One item a line; some the server refuses.
async fn compare_with_server(items: &str, is_name: bool) {
    let url = pgwarrant_tests::server_url("postgres");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    for item in items.lines().map(unshown) {
        let text = if is_name { format!("SELECT 1 AS {item}") } else { format!("SELECT {item} AS x") };
        let answer = client.simple_query(&text).await.ok().and_then(|messages| {
            messages.iter().find_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) if is_name => {
                    Some(row.columns()[0].name().to_owned())
                }
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
        });
        // One constant or name, or none.
        let tokens = lex(&text, &Limits::default()).ok().filter(|tokens| tokens.len() == 4);
        let ours = tokens.and_then(|tokens| match is_name {
            true => tokens[3].identifier(&text).map(|name| name.into_owned()),
            false => tokens[1].string_value(&text),
        });
        assert_eq!(ours, answer, "{text:?}");
    }
    drop(client);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn constants_stand_for_what_the_server_says() {
    compare_with_server(include_str!("../../data/lexer_constants.txt"), false).await;
}

#[tokio::test]
async fn names_stand_for_what_the_server_says() {
    compare_with_server(include_str!("../../data/lexer_names.txt"), true).await;
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => prop::sample::select(vec![
            "'", "''", "\"", "\"\"", "E'", "e'", "U&'", "u&\"", "N'", "B'", "x'", "$$", "$a$", "$", "$1", "--", "/*", "*/",
            "\n", "\r", "\t", "\x0b", "\x0c", " ", "\\", "\\'", "\\\\", "\\u0061", "\\U00000061", "\\ud83d\\ude00", "\\d",
            "\\101", "\\x41", "\\+000061", " UESCAPE ", "'!'", "!0061", ";", "(", ")", "[", "]", ",", ".", "..", ":", "::",
            ":=", "=>", "<=", "<>", "!=", "=", "<", ">", "+", "-", "*", "/", "%", "^", "~", "!", "@", "#", "&", "|", "`",
            "?", "0", "1", "0x1F", "0b1", "0o7", "1_0", "1.5", "1e5", "1e", ".5", "a", "_b", "é", "a$b", "e", "n", "u", "x",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_filter("no NUL", |character| *character != '\0').prop_map(String::from),
    ]
}

/// Pieces that quotes close around, so that more of the text gets through the scanner.
fn balanced() -> impl Strategy<Value = String> {
    let inside = prop::collection::vec(
        prop::sample::select(vec![
            "a", "''", "\\'", "\\\\", "\\", "\"\"", "\n", "--", "/*", "$$", "\\0061", "!0061", "\\u0061",
            ";", "é", "\\n",
        ]),
        0..4,
    )
    .prop_map(|pieces| pieces.concat());
    let gap = prop::sample::select(vec![
        "",
        " ",
        "\n",
        " -- c\n",
        "\n-- c'\n",
        "/**/",
        "\r",
        "\x0b\n",
        "\n\x0c",
        "-",
        " UESCAPE '!'",
    ]);
    (
        prop::sample::select(vec![
            ("'", "'"),
            ("E'", "'"),
            ("U&'", "'"),
            ("B'", "'"),
            ("X'", "'"),
            ("N'", "'"),
            ("\"", "\""),
            ("U&\"", "\""),
            ("$$", "$$"),
            ("$q$", "$q$"),
            ("/*", "*/"),
        ]),
        inside,
        gap,
    )
        .prop_map(|((open, close), inside, gap)| format!("{open}{inside}{close}{gap}"))
}

/// Statements of which only the places of the semicolons matter.
fn statements() -> impl Strategy<Value = String> {
    let simple = || {
        prop::sample::select(vec![
            "SELECT 1",
            "SELECT CASE WHEN a THEN 1 END",
            "SELECT 1 END",
            "SELECT ';'",
            "SELECT $$;$$",
            "",
            " ",
            "/* ; */",
            "-- ;\n",
            "SELECT begin atomic",
            "BEGIN",
            "END",
            "CREATE RULE r AS ON INSERT TO a DO (SELECT 1; SELECT 2)",
            "SELECT (1)",
            "CREATE FUNCTION f() RETURNS int RETURN 1",
            "CREATE FUNCTION f() RETURNS int AS 'begin atomic' LANGUAGE sql",
            "DELETE FROM a",
            "INSERT INTO a VALUES (1)",
            "SELECT 1 AS atomic",
        ])
        .prop_map(str::to_owned)
    };
    let body = prop::collection::vec(simple(), 0..4).prop_map(|inside| {
        let inside: String = inside.iter().map(|statement| format!("{statement};")).collect();
        format!("CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC {inside} END")
    });
    prop::collection::vec(prop_oneof![3 => simple(), 1 => body], 0..5).prop_map(|all| all.join(";"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_has_postgresqls_tokens(pieces in prop::collection::vec(prop_oneof![2 => piece(), 1 => balanced()], 0..16)) {
        compare_tokens(&pieces.concat()).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_constants_have_postgresqls_tokens(pieces in prop::collection::vec(balanced(), 0..6)) {
        compare_tokens(&pieces.concat()).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_operators_have_postgresqls_tokens(text in "[-+*/<>=~!@#%^&|`?a1 .:]{0,24}") {
        compare_tokens(&text).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_numbers_have_postgresqls_tokens(text in "[0-9_.eExXoObBfF+$ -]{0,12}") {
        compare_tokens(&text).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_message_has_postgresqls_statements(text in statements()) {
        compare_statements(&text).map_err(TestCaseError::fail)?;
    }
}
