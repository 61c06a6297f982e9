//! What the source text of a function could name, and what in it cannot be followed.
//!
//! Over-inclusive on purpose: every identifier counts, and so does every word inside of a string,
//! so that a name is found however the text comes to use it. Comments do not count.

use std::collections::HashSet;

use crate::lex::{Token, is_identifier, lex, truncate};

/// A body, read roughly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    /// Everything that could be a name, as an identifier would be stored.
    pub words: HashSet<String>,
    /// Those that stand where a function's name could: before a parenthesis, or after a dot (the
    /// attribute notation calls functions too).
    pub calls: HashSet<String>,
    /// Runs of operator characters.
    pub operators: HashSet<String>,
    /// Something whose effect the names do not tell; a verb phrase such as "executes text".
    pub hazard: Option<String>,
}

/// Settings that a function may change without changing what later statements mean; others that
/// it may are those with a dot in their name, which are the application's own.
const HARMLESS_SETTINGS: [&str; 14] = [
    "application_name",
    "constraints",
    "datestyle",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "jit",
    "lock_timeout",
    "maintenance_work_mem",
    "random_page_cost",
    "statement_timeout",
    "synchronous_commit",
    "time",
    "timezone",
    "work_mem",
];

pub(crate) fn scan(text: &str) -> Body {
    let Ok(tokens) = lex(text) else {
        return Body { hazard: Some("has source text that cannot be read".into()), ..Body::default() };
    };
    let mut body = Body::default();
    for (place, token) in tokens.iter().enumerate() {
        match token {
            Token::Word(name) | Token::Quoted(name) => {
                let called = tokens.get(place + 1) == Some(&Token::Punctuation('('));
                let attribute = place.checked_sub(1).and_then(|before| tokens.get(before))
                    == Some(&Token::Punctuation('.'));
                if called || attribute {
                    body.calls.insert(name.clone());
                }
                if let Token::Word(keyword) = token {
                    body.operators
                        .extend(hidden_operators(keyword).iter().map(|operator| (*operator).to_owned()));
                }
                body.words.insert(name.clone());
            }
            Token::Text { value, .. } => words_of_string(value, &mut body),
            Token::Operator(run) => {
                body.operators.insert(run.replace("!=", "<>"));
                body.operators.insert(run.clone());
            }
            Token::Punctuation(_) | Token::Number => {}
        }
    }
    body.hazard = hazard(&tokens);
    body
}

/// The operators that PostgreSQL looks up for a keyword.
fn hidden_operators(keyword: &str) -> &'static [&'static str] {
    match keyword {
        "in" | "nullif" | "distinct" | "case" | "using" | "natural" => &["=", "<>"],
        "between" => &[">=", "<=", "<", ">"],
        "like" => &["~~", "!~~"],
        "ilike" => &["~~*", "!~~*"],
        "similar" => &["~", "!~"],
        _ => &[],
    }
}

/// Every run of identifier characters in a string, as written and folded.
fn words_of_string(value: &str, body: &mut Body) {
    let mut rest = value;
    while let Some(start) = rest.find(is_identifier) {
        let from = rest.get(start..).unwrap_or_default();
        let end = from.find(|c| !is_identifier(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        let folded = truncate(word.to_ascii_lowercase());
        if after.trim_start_matches(['"', ' ', '\n', '\t', '\r']).starts_with('(') {
            body.calls.insert(folded.clone());
            body.calls.insert(truncate(word.to_owned()));
        }
        body.words.insert(folded);
        body.words.insert(truncate(word.to_owned()));
        rest = after;
    }
}

/// Does a call in a view's definition or a function's body read or write settings that it must not?
pub(crate) fn setting_hazard(tokens: &[Token]) -> Option<String> {
    let mut windows = (0..tokens.len()).map(|start| tokens.get(start..).unwrap_or_default());
    windows.find_map(|window| match window {
        [function, Token::Punctuation('('), arguments @ ..]
            if function.name() == Some("set_config") || function.name() == Some("current_setting") =>
        {
            let name = function.name().unwrap_or_default();
            match literal(arguments) {
                None => Some(format!("calls {name} with a name that is not a plain literal")),
                Some(setting) if is_ours(&setting) => Some(format!("uses the setting {setting}")),
                Some(setting) if name == "set_config" && !is_harmless(&setting) => {
                    Some(format!("changes the setting {setting}"))
                }
                Some(_) => None,
            }
        }
        _ => None,
    })
}

/// The first argument, where it is a plain literal, with or without a cast.
fn literal(arguments: &[Token]) -> Option<String> {
    let (Token::Text { value, plain: true }, mut rest) = arguments.split_first()? else { return None };
    if let [Token::Punctuation(':'), Token::Punctuation(':'), cast @ ..] = rest {
        rest = match cast {
            [Token::Word(_), Token::Punctuation('.'), Token::Word(_), rest @ ..]
            | [Token::Word(_), rest @ ..] => rest,
            _ => return None,
        };
    }
    match rest.first()? {
        Token::Punctuation(',' | ')') => Some(value.trim().to_ascii_lowercase()),
        _ => None,
    }
}

fn is_ours(setting: &str) -> bool {
    setting.starts_with("pgwarrant")
}

fn is_harmless(setting: &str) -> bool {
    setting.contains('.') || setting.starts_with("enable_") || HARMLESS_SETTINGS.contains(&setting)
}

fn hazard(tokens: &[Token]) -> Option<String> {
    if let Some(hazard) = setting_hazard(tokens) {
        return Some(hazard);
    }
    let mut starts = true;
    for (place, token) in tokens.iter().enumerate() {
        let after = tokens.get(place + 1..).unwrap_or_default();
        let next = |count: usize| after.iter().take(count).filter_map(Token::name);
        if let Some(name) = token.name()
            && is_ours(name)
        {
            return Some(format!("names {name}"));
        }
        if let Token::Word(word) = token {
            match word.as_str() {
                "execute" => return Some("executes text".into()),
                "uescape" => return Some("uses UESCAPE".into()),
                "do" if matches!(after.first(), Some(Token::Text { .. }))
                    || after.first().is_some_and(|next| next.is_word("language")) =>
                {
                    return Some("runs a DO block".into());
                }
                "copy"
                    if starts
                        && after.first().is_some_and(|next| {
                            next.name().is_some() || *next == Token::Punctuation('(')
                        }) =>
                {
                    return Some("uses COPY".into());
                }
                "load" if starts => return Some("loads a library".into()),
                "create" if starts && next(4).any(makes_code) => return Some("creates code".into()),
                "set" | "reset" if starts => {
                    if let Some(setting) = changed_setting(after) {
                        return Some(format!("changes the setting {setting}"));
                    }
                }
                "discard" if starts => return Some("uses DISCARD".into()),
                _ => {}
            }
        }
        starts = match token {
            Token::Punctuation(';') => true,
            Token::Word(word) => matches!(word.as_str(), "begin" | "then" | "else" | "loop" | "atomic"),
            // <<label>>
            Token::Operator(run) => run == ">>",
            _ => false,
        };
    }
    None
}

/// The setting that SET or RESET changes, unless it may.
fn changed_setting(after: &[Token]) -> Option<&str> {
    let after = match after {
        [scope, rest @ ..] if scope.is_word("local") || scope.is_word("session") => rest,
        _ => after,
    };
    let (setting, rest) = after.split_first()?;
    let setting = setting.name().unwrap_or("?");
    // A name with a dot is an application's own; those of ours are found by the name alone.
    let dotted = rest.first() == Some(&Token::Punctuation('.'));
    let harmless = dotted || is_harmless(setting) || matches!(setting, "transaction" | "characteristics");
    (!harmless).then_some(setting)
}

/// What CREATE can make that runs later.
fn makes_code(word: &str) -> bool {
    matches!(
        word,
        "function"
            | "procedure"
            | "trigger"
            | "rule"
            | "aggregate"
            | "operator"
            | "cast"
            | "policy"
            | "view"
            | "type"
            | "domain"
            | "extension"
            | "language"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_however_it_is_written() {
        for text in [
            "SELECT * FROM customers",
            "SELECT * FROM public . CUSTOMERS",
            "SELECT * FROM \"customers\"",
            r#"SELECT * FROM U&"cust\006fmers""#,
            "SELECT 'select * from customers'",
            r"SELECT E'cust\x6fmers'",
            "SELECT $q$ customers $q$",
            "SELECT 'a'--'\n, customers",
            "PERFORM 1; /* /* */ */ customers",
            "SELECT '\"Customers\"' , 'public.Customers'",
        ] {
            assert!(scan(text).words.contains("customers"), "{text}");
        }
        assert!(scan("SELECT 'FROM \"Customers\"'").words.contains("Customers"));
        for text in ["SELECT 1 -- customers", "/* customers */ SELECT 2", "SELECT my_customers, customers2"] {
            assert!(!scan(text).words.contains("customers"), "{text}");
        }
    }

    #[test]
    fn calls_are_told_from_other_words() {
        let body = scan("SELECT leak ( 1 ), t.attribute, word, \"Quoted\"(2), 'inner(3)'");
        for name in ["leak", "attribute", "Quoted", "inner"] {
            assert!(body.calls.contains(name), "{name}");
        }
        assert!(!body.calls.contains("word"));
    }

    #[test]
    fn what_cannot_be_followed_is_a_hazard() {
        for (text, hazard) in [
            ("BEGIN EXECUTE 'select ' || x; END", "executes text"),
            ("BEGIN FOR r IN EXECUTE q LOOP END LOOP; END", "executes text"),
            ("BEGIN RETURN QUERY EXECUTE q; END", "executes text"),
            ("SELECT current_setting('pgwarrant.key')", "uses the setting pgwarrant.key"),
            ("SELECT current_setting('PgWarrant.Key', true)", "uses the setting pgwarrant.key"),
            ("SELECT current_setting('pgwarrant.' || $1)", "not a plain literal"),
            ("SELECT current_setting($1)", "not a plain literal"),
            (r"SELECT current_setting(E'pg\x77arrant.key')", "not a plain literal"),
            ("SELECT pg_catalog.current_setting ( name ) FROM t", "not a plain literal"),
            ("SELECT \"current_setting\"(x)", "not a plain literal"),
            ("SELECT set_config('search_path', 'evil', false)", "changes the setting search_path"),
            ("BEGIN SET search_path = evil; END", "changes the setting search_path"),
            ("BEGIN SET LOCAL ROLE admin; END", "changes the setting role"),
            ("BEGIN IF x THEN SET SESSION AUTHORIZATION y; END IF; END", "changes the setting authorization"),
            ("BEGIN RESET search_path; END", "changes the setting search_path"),
            ("BEGIN SHOW pgwarrant.key; END", "names pgwarrant"),
            ("BEGIN DO $x$ BEGIN END $x$; END", "runs a DO block"),
            ("BEGIN DO LANGUAGE plpgsql 'begin end'; END", "runs a DO block"),
            ("BEGIN COPY t FROM '/etc/passwd'; END", "uses COPY"),
            (
                "BEGIN CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'; END",
                "creates code",
            ),
            ("SELECT * FROM U&\"d!0061t\" UESCAPE '!'", "uses UESCAPE"),
            ("SELECT 'unterminated", "cannot be read"),
        ] {
            let found = scan(text).hazard.unwrap_or_default();
            assert!(found.contains(hazard), "{text}: {found}");
        }
    }

    #[test]
    fn ordinary_bodies_have_no_hazard() {
        for text in [
            "SELECT round(amount * rate, 2)",
            "BEGIN NEW.updated_at = now(); RETURN NEW; END",
            "BEGIN UPDATE t SET role = 'x', search_path = 'y' WHERE id = 1; END",
            "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
            "SELECT current_setting('app.tenant', true)::int, current_setting('TimeZone'::text)",
            "BEGIN PERFORM set_config('app.user', x, true); SET LOCAL statement_timeout = 5; SET app.y = 1; END",
            "BEGIN SET CONSTRAINTS ALL DEFERRED; SET TRANSACTION READ ONLY; CREATE TEMP TABLE x (y int); END",
            "DECLARE copy int; BEGIN copy := 1; END",
        ] {
            assert_eq!(scan(text).hazard, None, "{text}");
        }
    }
}
