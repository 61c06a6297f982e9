//! The lexer and the splitter against PostgreSQL's own, as libpg_query (17) has them; and the
//! values of constants and names against a server's.

use std::ops::Range;

use pg_query::protobuf::{ScanToken, Token as Kind};
use pgwarrant_sql::{Limits, Token, TokenKind, lex, split};
use proptest::prelude::*;

/// Texts that PostgreSQL parses.
const CORPUS: &str = include_str!("../data/lexer_corpus.sql");
/// The lexer's own cases: lines after `> `, many of them no SQL.
const CASES: &str = include_str!("../../crates/sql/tests/lexer_cases.txt");

fn unshown(text: &str) -> String {
    text.replace('⏎', "\n").replace('⇥', "\t").replace('␍', "\r").replace('␋', "\x0b")
}

fn corpus() -> impl Iterator<Item = String> {
    CORPUS.lines().filter(|line| !line.starts_with("--!")).map(unshown)
}

fn cases() -> impl Iterator<Item = String> {
    CASES.lines().filter_map(|line| line.strip_prefix("> ")).map(unshown)
}

/// The text without line comments between the parts of a continued constant. libpg_query hands
/// comments out as tokens and therefore ends such a constant at the comment; PostgreSQL does not
/// (see `constants_stand_for_what_the_server_says`).
fn comparable(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for quote in 0..bytes.len() {
        if bytes[quote] != b'\'' {
            continue;
        }
        let (mut at, mut comments) = (quote + 1, Vec::new());
        while let Some(byte) = bytes.get(at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => at += 1,
                b'-' if bytes.get(at + 1) == Some(&b'-') => {
                    let end = bytes[at..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                    let end = end.map_or(bytes.len(), |length| at + length);
                    comments.push(at..end);
                    at = end;
                }
                _ => break,
            }
        }
        if bytes.get(at) == Some(&b'\'') {
            comments.into_iter().for_each(|comment| bytes[comment].fill(b' '));
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// PostgreSQL's tokens as our lexer has them: without comments; `n` and its string as one; a
/// UESCAPE clause with what it belongs to, as `base_yylex` does after the scanner.
fn theirs(text: &str) -> Result<Vec<(Range<usize>, Kind)>, String> {
    let scanned = pg_query::scan(text).map_err(|problem| problem.to_string())?;
    let of = |token: &ScanToken| (token.start as usize..token.end as usize, token.token());
    let mut rest = scanned
        .tokens
        .iter()
        .map(of)
        .filter(|(_, kind)| !matches!(kind, Kind::SqlComment | Kind::CComment))
        .peekable();
    let mut tokens = Vec::new();
    while let Some((mut range, kind)) = rest.next() {
        let next = rest.peek().cloned();
        match (kind, next) {
            (Kind::Nchar, Some((string, Kind::Sconst))) if range.len() == 1 && string.start == range.end => {
                range.end = string.end;
                rest.next();
            }
            (Kind::Uident | Kind::Usconst, Some((_, Kind::Uescape))) => {
                rest.next();
                match rest.next() {
                    Some((character, Kind::Sconst)) => range.end = character.end,
                    _ => return Err("UESCAPE must be followed by a simple string literal".to_owned()),
                }
            }
            _ => {}
        }
        tokens.push((range, kind));
    }
    Ok(tokens)
}

/// What PostgreSQL calls a token of ours.
fn agrees(text: &str, token: &Token, kind: Kind) -> bool {
    match token.kind {
        TokenKind::QuotedIdentifier => matches!(kind, Kind::Ident | Kind::Uident),
        TokenKind::String | TokenKind::EscapeString | TokenKind::DollarString => kind == Kind::Sconst,
        TokenKind::UnicodeString => kind == Kind::Usconst,
        TokenKind::NationalString => kind == Kind::Nchar,
        TokenKind::BitString => kind == Kind::Bconst,
        TokenKind::HexString => kind == Kind::Xconst,
        TokenKind::Float => kind == Kind::Fconst,
        // A whole number past int4 is one too.
        TokenKind::Integer => matches!(kind, Kind::Iconst | Kind::Fconst),
        TokenKind::Parameter => kind == Kind::Param,
        TokenKind::Operator | TokenKind::Punctuation => match kind {
            Kind::Typecast => token.text(text) == "::",
            Kind::DotDot => token.text(text) == "..",
            Kind::ColonEquals => token.text(text) == ":=",
            Kind::EqualsGreater => token.text(text) == "=>",
            Kind::LessEquals => token.text(text) == "<=",
            Kind::GreaterEquals => token.text(text) == ">=",
            Kind::NotEquals => matches!(token.text(text), "<>" | "!="),
            Kind::Op => token.kind == TokenKind::Operator,
            other => token.text(text).len() == 1 && other as i32 == i32::from(token.text(text).as_bytes()[0]),
        },
        // A keyword or a name.
        TokenKind::Identifier => !matches!(
            kind,
            Kind::Sconst
                | Kind::Usconst
                | Kind::Bconst
                | Kind::Xconst
                | Kind::Iconst
                | Kind::Fconst
                | Kind::Op
                | Kind::Uident
        ),
    }
}

/// Same tokens, or refused where PostgreSQL refuses too.
fn compare_tokens(text: &str) -> Result<(), String> {
    let text = &comparable(text);
    match (lex(text, &Limits::default()), theirs(text)) {
        (Ok(ours), Ok(theirs)) => {
            let found: Vec<_> = ours.iter().map(|token| token.start as usize..token.end as usize).collect();
            let expected: Vec<_> = theirs.iter().map(|(range, _)| range.clone()).collect();
            let show = |ranges: &[Range<usize>]| {
                ranges
                    .iter()
                    .map(|range| text.get(range.clone()).unwrap_or("?").to_owned())
                    .collect::<Vec<_>>()
            };
            if found != expected {
                return Err(format!(
                    "{text:?}: {:?} where PostgreSQL has {:?}",
                    show(&found),
                    show(&expected)
                ));
            }
            match ours.iter().zip(&theirs).find(|(token, (_, kind))| !agrees(text, token, *kind)) {
                Some((token, (_, kind))) => Err(format!("{text:?}: {token:?} is a {kind:?} to PostgreSQL")),
                None => Ok(()),
            }
        }
        (Err(_), Err(_)) => Ok(()),
        // The scanner lets some pass that the grammar, or the conversion of U&, then refuses.
        (Err(problem), Ok(_)) => match pg_query::parse(text) {
            Err(_) => Ok(()),
            Ok(_) if problem.message == "parameter number too large" => Ok(()),
            Ok(_) => Err(format!("{text:?}: refused ({problem}), and PostgreSQL parses it")),
        },
        (Ok(_), Err(problem)) => Err(format!("{text:?}: taken, and PostgreSQL says: {problem}")),
    }
}

/// The same statements, for a text that PostgreSQL parses.
fn compare_statements(text: &str) -> Result<(), String> {
    let text = comparable(text);
    let text = text.as_str();
    let Ok(theirs) = pg_query::split_with_parser(text) else { return Ok(()) };
    let tokens = lex(text, &Limits::default()).map_err(|problem| format!("{text:?}: {problem}"))?;
    let tokens_in = |range: Range<usize>| {
        let inside = |token: &&Token| range.start <= token.start as usize && token.end as usize <= range.end;
        tokens.iter().filter(inside).map(|token| token.start).collect::<Vec<_>>()
    };
    let expected: Vec<_> = theirs
        .iter()
        .map(|statement| {
            let start = statement.as_ptr() as usize - text.as_ptr() as usize;
            tokens_in(start..start + statement.len())
        })
        .collect();
    let found: Vec<Vec<u32>> = split(text, &tokens)
        .into_iter()
        .map(|statement| tokens[statement].iter().map(|token| token.start).collect())
        .collect();
    if found == expected {
        Ok(())
    } else {
        Err(format!("{text:?}: {found:?} where PostgreSQL has {expected:?}"))
    }
}

/// Every complaint at once.
fn all(texts: impl Iterator<Item = String>, compare: impl Fn(&str) -> Result<(), String>) {
    let complaints: Vec<String> = texts.filter_map(|text| compare(&text).err()).collect();
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn the_corpus_is_what_it_says() {
    all(corpus(), |text| {
        pg_query::parse(&comparable(text)).map(drop).map_err(|problem| format!("{text}: {problem}"))
    });
    let statements: usize =
        corpus().map(|text| pg_query::split_with_parser(&comparable(&text)).unwrap().len()).sum();
    assert!(statements > 400, "only {statements} statements");
}

#[test]
fn tokens_are_postgresqls() {
    all(corpus().chain(cases()), compare_tokens);
}

#[test]
fn statements_are_postgresqls() {
    all(corpus().chain(cases()), compare_statements);
    // All of it in one message: every boundary again, in the middle of a long text.
    let whole = corpus().collect::<Vec<_>>().join("\n;");
    assert!(pg_query::parse(&comparable(&whole)).is_ok());
    all(std::iter::once(whole), compare_statements);
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
    compare_with_server(include_str!("../data/lexer_constants.txt"), false).await;
}

#[tokio::test]
async fn names_stand_for_what_the_server_says() {
    compare_with_server(include_str!("../data/lexer_names.txt"), true).await;
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
