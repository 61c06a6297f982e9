//! The lexer against a table of cases, and against its own promises on any text.
//!
//! `lexer_cases.txt` holds a text after `>` (⏎ for a newline, ⇥ for a tab, ␍ for a carriage
//! return, ␋ for a vertical tab) and below it its tokens, with what they stand for where that is
//! not what is written. `UPDATE_EXPECTED=1 cargo nextest run -p pgwarrant-sql --test lexer` writes
//! it anew from the texts.

use std::fmt::Write;

use pgwarrant_sql::lexer::NAME_BYTES;
use pgwarrant_sql::{LexErrorKind, Limits, TokenKind, lex, split};
use proptest::prelude::*;

const CASES: &str = include_str!("lexer_cases.txt");

fn shown(text: &str) -> String {
    text.replace('\n', "⏎").replace('\t', "⇥").replace('\r', "␍").replace('\x0b', "␋")
}

fn unshown(text: &str) -> String {
    text.replace('⏎', "\n").replace('⇥', "\t").replace('␍', "\r").replace('␋', "\x0b")
}

fn describe(text: &str) -> String {
    let mut lines = String::new();
    match lex(text, &Limits::default()) {
        Err(problem) => writeln!(lines, "  error at {}: {}", problem.position, problem.message).unwrap(),
        Ok(tokens) => {
            for token in &tokens {
                let raw = token.text(text);
                let value =
                    token.identifier(text).map(|name| name.into_owned()).or_else(|| token.string_value(text));
                let value = value.filter(|value| value != raw).map(|value| format!(" = {}", shown(&value)));
                let kind = format!("{:?}", token.kind);
                writeln!(lines, "  {kind:16} {}{}", shown(raw), value.unwrap_or_default()).unwrap();
            }
            let statements = split(text, &tokens);
            if statements.len() != 1 {
                writeln!(lines, "  statements {statements:?}").unwrap();
            }
        }
    }
    lines
}

#[test]
fn every_case_has_the_tokens_postgresql_gives_it() {
    let (mut expected, mut found) = (String::new(), String::new());
    let mut count = 0;
    for line in CASES.lines() {
        if let Some(input) = line.strip_prefix("> ") {
            count += 1;
            writeln!(found, "{line}").unwrap();
            found.push_str(&describe(&unshown(input)));
        } else if !line.starts_with("  ") {
            writeln!(found, "{line}").unwrap();
        }
        writeln!(expected, "{line}").unwrap();
    }
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lexer_cases.txt"), &found).unwrap();
        return;
    }
    assert!(count > 100, "only {count} cases were found");
    for (expected, found) in expected.lines().zip(found.lines()) {
        assert_eq!(expected, found);
    }
    assert_eq!(expected, found);
}

#[test]
fn names_are_cut_to_63_bytes_at_a_character() {
    for (written, cut) in [
        ("a".repeat(64), "a".repeat(63)),
        ("A".repeat(70), "a".repeat(63)),
        (format!("\"{}\"", "A".repeat(70)), "A".repeat(63)),
        // Two bytes each: the 32nd does not fit.
        (format!("\"{}\"", "ä".repeat(40)), "ä".repeat(31)),
        ("ä".repeat(40), "ä".repeat(31)),
        (format!("U&\"{}\"", "\\00e4".repeat(40)), "ä".repeat(31)),
        (format!("\"{}\"\"b\"", "a".repeat(62)), format!("{}\"", "a".repeat(62))),
    ] {
        let tokens = lex(&written, &Limits::default()).unwrap();
        assert_eq!(tokens.len(), 1, "{written}");
        let name = tokens[0].identifier(&written).unwrap();
        assert_eq!(name, cut);
        assert!(name.len() <= NAME_BYTES);
    }
}

#[test]
fn only_ascii_letters_fold() {
    let tokens = lex("ÄRGER \u{212a}elvin", &Limits::default()).unwrap();
    assert_eq!(tokens[0].identifier("ÄRGER \u{212a}elvin").unwrap(), "Ärger");
    assert_eq!(tokens[1].identifier("ÄRGER \u{212a}elvin").unwrap(), "\u{212a}elvin");
}

#[test]
fn names_that_read_as_written_are_borrowed() {
    let text = r#"customers "Customers" "a""b""#;
    let tokens = lex(text, &Limits::default()).unwrap();
    let borrowed =
        |index: usize| matches!(tokens[index].identifier(text), Some(std::borrow::Cow::Borrowed(_)));
    assert!(borrowed(0) && borrowed(1) && !borrowed(2));
}

#[test]
fn texts_past_a_limit_are_too_large() {
    let limits = Limits { statement_bytes: 100, statement_tokens: 10, ..Limits::default() };
    let kind = |text: &str| lex(text, &limits).map_err(|problem| problem.kind);
    assert_eq!(kind(&"a ".repeat(10)).map(|tokens| tokens.len()), Ok(10));
    assert_eq!(kind(&"a ".repeat(11)).unwrap_err(), LexErrorKind::TooLarge);
    assert!(kind(&" ".repeat(100)).is_ok());
    assert_eq!(kind(&" ".repeat(101)).unwrap_err(), LexErrorKind::TooLarge);
    // The limit is on bytes.
    assert_eq!(kind(&format!("'{}'", "ä".repeat(50))).unwrap_err(), LexErrorKind::TooLarge);
}

#[test]
fn nul_bytes_are_refused_wherever_they_are() {
    for text in
        ["\0", "select\0", "'\0'", "\"\0\"", "$$\0$$", "--\0", "/*\0*/", "E'\\000'", "E'\\x00'", "E'\\u0000'"]
    {
        assert_eq!(
            lex(text, &Limits::default()).map_err(|problem| problem.kind),
            Err(LexErrorKind::Syntax),
            "{text:?}"
        );
    }
}

#[test]
fn long_runs_of_anything_cost_time_in_proportion() {
    let limits = Limits::default();
    for piece in [
        "'",
        "\"",
        "$",
        "$a",
        "/*",
        "*/",
        "-",
        "+",
        "\\",
        "E'\\",
        "U&'",
        "(",
        ";",
        "begin atomic ",
        "a$",
        "'\n",
    ] {
        let text = piece.repeat((1 << 20) / piece.len());
        let started = std::time::Instant::now();
        if let Ok(tokens) = lex(&text, &limits) {
            split(&text, &tokens);
        }
        // Seconds where it should be milliseconds: only quadratic behaviour gets there.
        assert!(started.elapsed().as_secs() < 10, "{piece:?}");
    }
}

/// Texts made of what the lexer has rules about.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            "'", "''", "\"", "\"\"", "E'", "e'", "U&'", "u&\"", "N'", "B'", "x'", "$$", "$a$", "$", "$1", "--", "/*", "*/",
            "\n", "\r", "\t", "\x0b", "\x0c", " ", "\\", "\\'", "\\\\", "\\u0061", "\\U00000061", "\\ud83d\\ude00", "\\d",
            "\\101", "\\x41", "\\+000061", "UESCAPE", "'!'", "!0061", ";", "(", ")", "[", "]", ",", ".", "..", ":", "::",
            ":=", "=>", "<=", "<>", "!=", "=", "<", ">", "+", "-", "*", "/", "%", "^", "~", "!", "@", "#", "&", "|", "`",
            "?", "0", "1", "0x1F", "0b1", "0o7", "1_0", "1.5", "1e5", "1e", ".5", "a", "_b", "é", "a$b", "BEGIN ATOMIC",
            "END", "CASE", "CREATE FUNCTION", "create or replace procedure", "select",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Is it only white space and comments, as a lexer of its own would say?
fn is_space(text: &str) -> bool {
    matches!(lex(text, &Limits::default()), Ok(tokens) if tokens.is_empty())
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let limits = Limits::default();
    let Ok(tokens) = lex(text, &limits) else { return Ok(()) };
    let mut end = 0;
    for token in &tokens {
        prop_assert!(end <= token.start as usize && token.start < token.end, "tokens in order in {text:?}");
        prop_assert!(is_space(&text[end..token.start as usize]), "nothing skipped in {text:?}");
        end = token.end as usize;
        let raw = token.text(text);
        let again = lex(raw, &limits);
        prop_assert!(
            matches!(again.as_deref(), Ok([one]) if one.kind == token.kind && one.end as usize == raw.len()),
            "{raw:?} of {text:?} is a token by itself"
        );
        if token.kind.is_string() || token.kind == TokenKind::NationalString {
            prop_assert!(token.string_value(text).is_some(), "{raw:?} has a value");
        }
        let name = token.identifier(text);
        let is_name = matches!(token.kind, TokenKind::Identifier | TokenKind::QuotedIdentifier);
        prop_assert_eq!(name.is_some(), is_name);
        prop_assert!(name.is_none_or(|name| !name.is_empty() && name.len() <= NAME_BYTES));
    }
    prop_assert!(is_space(&text[end..]), "nothing after the last token of {text:?}");

    let mut next = 0;
    for statement in split(text, &tokens) {
        prop_assert!(
            next <= statement.start && statement.start < statement.end && statement.end <= tokens.len()
        );
        prop_assert!(tokens[next..statement.start].iter().all(|token| token.is_punct(text, ";")));
        next = statement.end;
    }
    prop_assert!(
        tokens[next..].iter().all(|token| token.is_punct(text, ";")),
        "every token is in a statement"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promises_hold_on_nasty_texts(text in nasty()) {
        check(&text)?;
    }

    #[test]
    fn promises_hold_on_any_text(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn promises_hold_on_any_bytes_read_as_text(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        check(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn quoted_strings_say_what_was_put_in(value in "[^\0]{0,20}") {
        for text in [
            format!("'{}'", value.replace('\'', "''")),
            format!("E'{}'", value.replace('\\', "\\\\").replace('\'', "\\'")),
            format!("U&'{}'", value.replace('\\', "\\\\").replace('\'', "''")),
            format!("$q_q${value}$q_q$"),
            format!("E'{}'", value.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect::<String>()),
            format!("U&'{}' UESCAPE '!'", value.chars().map(|c| format!("!+{:06x}", u32::from(c))).collect::<String>()),
        ] {
            if value.contains("$q_q$") { continue; }
            let tokens = lex(&text, &Limits::default()).unwrap();
            prop_assert_eq!(tokens.len(), 1);
            prop_assert_eq!(tokens[0].string_value(&text).unwrap(), value.clone());
        }
    }
}
