//! Tokens and the borders of statements: ours, and PostgreSQL's as libpg_query (17) has them.

use std::ops::Range;

use pg_query::protobuf::{ScanToken, Token as Kind};
use pgwarrant_sql::{Limits, Token, TokenKind, lex, split};

/// The text without line comments between the parts of a continued constant. libpg_query hands
/// comments out as tokens and therefore ends such a constant at the comment; PostgreSQL does not
/// (see `constants_stand_for_what_the_server_says`).
pub fn comparable(text: &str) -> String {
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
pub fn theirs(text: &str) -> Result<Vec<(Range<usize>, Kind)>, String> {
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
pub fn compare_tokens(text: &str) -> Result<(), String> {
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

/// The same statements, for a text that PostgreSQL parses; `theirs` are the bytes of each.
pub fn compare_statements(text: &str, theirs: &[Range<usize>]) -> Result<(), String> {
    let tokens = lex(text, &Limits::default()).map_err(|problem| format!("{text:?}: {problem}"))?;
    let tokens_in = |range: &Range<usize>| {
        let inside = |token: &&Token| range.start <= token.start as usize && token.end as usize <= range.end;
        tokens.iter().filter(inside).map(|token| token.start).collect::<Vec<_>>()
    };
    let expected: Vec<_> = theirs.iter().map(tokens_in).collect();
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
