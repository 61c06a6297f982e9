//! The lexer, the splitter, and what is made of their tokens for the cache and the audit trail.

use pgwarrant_sql::statement::Limits;
use pgwarrant_sql::{TokenKind, lex, split, template};

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(tokens) = lex(text, &Limits::default()) else { return };
    let mut end = 0;
    for token in &tokens {
        let (start, stop) = (token.start as usize, token.end as usize);
        assert!(end <= start && start < stop && stop <= text.len(), "{token:?}");
        assert!(text.is_char_boundary(start) && text.is_char_boundary(stop), "{token:?}");
        only_space_and_comments(&text[end..start]);
        end = stop;
        let _ = token.string_value(text);
        if let Some(name) = token.identifier(text) {
            assert!(!name.is_empty() && name.len() <= 63, "{name:?}");
        }
    }
    only_space_and_comments(&text[end..]);
    same_as_postgresql(text, &tokens);

    let mut next = 0;
    for statement in split(text, &tokens) {
        assert!(next <= statement.start && statement.start < statement.end && statement.end <= tokens.len());
        next = statement.end;
    }
    let key = template::template(text, &tokens);
    assert_eq!(key, template::template(text, &tokens));
    // What the trail keeps has no literal in it.
    let kept = template::redact(text, &tokens);
    if let Ok(kept_tokens) = lex(&kept, &Limits::default()) {
        let string = kept_tokens.iter().find(|token| token.kind.is_string());
        assert!(string.is_none(), "{text:?} is kept as {kept:?}");
    }
}

fn only_space_and_comments(gap: &str) {
    let mut rest = gap;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
        if rest.is_empty() {
            return;
        }
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.find(['\n', '\r']).map_or("", |end| &comment[end..]);
        } else {
            assert!(rest.starts_with("/*"), "between tokens: {gap:?}");
            rest = &rest[comment(rest)..];
        }
    }
}

/// The bytes of the comment, which may hold others, at the start of a text.
fn comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    panic!("a comment without an end was taken: {text:?}");
}

/// PostgreSQL's own scanner finds the same tokens at the same places. It is that of a newer
/// version, which reads numbers like `1_000` and `0x1F`, so texts in which something is glued to a
/// number or a parameter are left out. `U&'…' UESCAPE '…'` is one token here, as for PostgreSQL's
/// parser, whose scanner finds three; so is `N'…'`, of which it finds two.
fn same_as_postgresql(text: &str, tokens: &[pgwarrant_sql::Token]) {
    use pg_query::protobuf::Token;

    let glued = tokens.windows(2).any(|pair| {
        matches!(pair[0].kind, TokenKind::Integer | TokenKind::Float | TokenKind::Parameter)
            && pair[0].end == pair[1].start
    });
    // libpg_query's scanner returns comments, so they end a string that PostgreSQL's would continue.
    let continued = tokens.iter().any(|token| token.kind.is_literal() && token.text(text).contains("--"));
    if glued || continued || text.contains('\0') {
        return;
    }
    let Ok(scanned) = pg_query::scan(text) else { return };
    let mut theirs: Vec<(Token, i32, i32)> = Vec::new();
    for token in &scanned.tokens {
        match (token.token(), theirs.as_slice()) {
            (Token::SqlComment | Token::CComment, _) => continue,
            (Token::Sconst, [.., (Token::Usconst | Token::Uident, start, _), (Token::Uescape, ..)]) => {
                let start = *start;
                theirs.truncate(theirs.len() - 2);
                theirs.push((Token::Sconst, start, token.end));
            }
            (Token::Sconst, [.., (Token::Nchar, start, end)]) if *end == token.start && end - start == 1 => {
                let start = *start;
                theirs.pop();
                theirs.push((Token::Sconst, start, token.end));
            }
            (kind, _) => theirs.push((kind, token.start, token.end)),
        }
    }
    let theirs: Vec<(i32, i32)> = theirs.into_iter().map(|(_, start, end)| (start, end)).collect();
    let ours: Vec<(i32, i32)> = tokens.iter().map(|token| (token.start as i32, token.end as i32)).collect();
    assert_eq!(ours, theirs, "{text:?}");
}
