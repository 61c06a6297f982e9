//! What the source text of a function could name, and what in it cannot be followed.
//!
//! Every identifier counts that could be the name in question by its place. Strings and comments do
//! not count: whatever could run a string's text is a hazard or a dangerous function by itself.

use std::collections::HashSet;

use crate::lex::{Token, lex};
use crate::naming::namings;

/// A body, read roughly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    /// Every identifier, as it would be stored.
    pub words: HashSet<String>,
    /// Those that could name a relation.
    pub relations: HashSet<String>,
    pub calls: HashSet<Call>,
    /// Runs of operator characters.
    pub operators: HashSet<String>,
    /// Something whose effect the names do not tell; a verb phrase such as "executes text".
    pub hazard: Option<Hazard>,
}

/// A place where a function could be called.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Call {
    pub name: String,
    pub arguments: u16,
    /// Written as a column of its argument: `row.name`.
    pub attribute: bool,
}

/// Why a body cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hazard {
    /// A verb phrase such as "executes text".
    pub reason: String,
    /// It changes what names mean in the session, so that vouching for it does not help.
    pub session: bool,
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
        let reason = "has source text that cannot be read".into();
        return Body { hazard: Some(Hazard { reason, session: false }), ..Body::default() };
    };
    let mut body = Body::default();
    for (place, token) in tokens.iter().enumerate() {
        match token {
            Token::Word(name) | Token::Quoted(name) => {
                body.calls.extend(call(&tokens, place, name));
                if let Token::Word(keyword) = token {
                    body.operators
                        .extend(hidden_operators(keyword).iter().map(|operator| (*operator).to_owned()));
                }
                body.words.insert(name.clone());
            }
            Token::Operator(run) => {
                body.operators.insert(run.replace("!=", "<>"));
                body.operators.insert(run.clone());
            }
            Token::Text { .. } | Token::Punctuation(_) | Token::Number => {}
        }
    }
    for place in namings(&tokens) {
        body.relations.extend(tokens.get(place).and_then(Token::name).map(str::to_owned));
    }
    body.hazard = hazard(&tokens);
    body
}

/// The call that a name could be: before a parenthesis, or after a dot (the attribute notation
/// calls functions too).
fn call(tokens: &[Token], place: usize, name: &str) -> Option<Call> {
    let name = name.to_owned();
    if tokens.get(place + 1) == Some(&Token::Punctuation('(')) {
        let arguments = arguments(tokens.get(place + 2..).unwrap_or_default());
        return Some(Call { name, arguments, attribute: false });
    }
    let dot = place.checked_sub(1).and_then(|before| tokens.get(before)) == Some(&Token::Punctuation('.'));
    dot.then_some(Call { name, arguments: 1, attribute: true })
}

/// How many arguments there are up to the closing parenthesis.
fn arguments(tokens: &[Token]) -> u16 {
    let mut depth = 0u32;
    let mut count = 0u16;
    for (place, token) in tokens.iter().enumerate() {
        match token {
            Token::Punctuation(')') if depth == 0 => {
                return if place == 0 { 0 } else { count.saturating_add(1) };
            }
            Token::Punctuation('(' | '[') => depth += 1,
            Token::Punctuation(')' | ']') => depth = depth.saturating_sub(1),
            Token::Punctuation(',') if depth == 0 => count = count.saturating_add(1),
            _ => {}
        }
    }
    count.saturating_add(1)
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

/// Does a call in a view's definition or a function's body read or write settings that it must not?
pub(crate) fn setting_hazard(tokens: &[Token]) -> Option<Hazard> {
    let hazard = |reason: String, session| Some(Hazard { reason, session });
    let mut windows = (0..tokens.len()).map(|start| tokens.get(start..).unwrap_or_default());
    windows.find_map(|window| match window {
        [function, Token::Punctuation('('), arguments @ ..]
            if function.name() == Some("set_config") || function.name() == Some("current_setting") =>
        {
            let name = function.name().unwrap_or_default();
            match literal(arguments) {
                None => hazard(format!("calls {name} with a name that is not a plain literal"), false),
                Some(setting) if is_ours(&setting) => hazard(format!("uses the setting {setting}"), false),
                Some(setting) if name == "set_config" && !is_harmless(&setting) => {
                    hazard(format!("changes the setting {setting}"), changes_names(&setting))
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

/// Does the setting decide what the names in later statements mean, or whose rights hold?
fn changes_names(setting: &str) -> bool {
    matches!(
        setting,
        "search_path" | "role" | "session_authorization" | "authorization" | "all" | "schema" | "?"
    )
}

fn is_harmless(setting: &str) -> bool {
    setting.contains('.') || setting.starts_with("enable_") || HARMLESS_SETTINGS.contains(&setting)
}

fn hazard(tokens: &[Token]) -> Option<Hazard> {
    let found = |reason: &str| Some(Hazard { reason: reason.to_owned(), session: false });
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
            return found(&format!("names {name}"));
        }
        if let Token::Word(word) = token {
            match word.as_str() {
                "execute" => return found("executes text"),
                "uescape" => return found("uses UESCAPE"),
                "do" if matches!(after.first(), Some(Token::Text { .. }))
                    || after.first().is_some_and(|next| next.is_word("language")) =>
                {
                    return found("runs a DO block");
                }
                "copy"
                    if starts
                        && after.first().is_some_and(|next| {
                            next.name().is_some() || *next == Token::Punctuation('(')
                        }) =>
                {
                    return found("uses COPY");
                }
                "load" if starts => return found("loads a library"),
                "create" if starts && next(4).any(makes_code) => return found("creates code"),
                "set" | "reset" if starts => {
                    if let Some(setting) = changed_setting(after) {
                        let reason = format!("changes the setting {setting}");
                        return Some(Hazard { reason, session: changes_names(setting) });
                    }
                }
                "discard" if starts => {
                    return Some(Hazard { reason: "uses DISCARD".into(), session: true });
                }
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
    fn identifiers_count_strings_and_comments_do_not() {
        for text in
            ["SELECT 1 FROM customers", "SELECT 1 FROM \"customers\"", "SELECT 1 FROM U&\"cust\\006fmers\""]
        {
            assert!(scan(text).relations.contains("customers"), "{text}");
        }
        for text in [
            "SELECT 1 -- FROM customers",
            "SELECT 1 /* FROM customers */",
            "SELECT 'FROM customers'",
            "SELECT customers",
        ] {
            assert!(!scan(text).relations.contains("customers"), "{text}");
        }
        assert!(scan("SELECT customers").words.contains("customers"));
    }

    #[test]
    fn calls_are_told_from_other_words_with_their_arguments() {
        let body = scan(
            "SELECT leak ( 1 ), t.attribute, word, \"Quoted\"(2, f(a, b), ARRAY[1, 2]), 'inner(3)', none(), s.qualified(1)",
        );
        let mut calls: Vec<(&str, u16, bool)> =
            body.calls.iter().map(|call| (call.name.as_str(), call.arguments, call.attribute)).collect();
        calls.sort_unstable();
        assert_eq!(
            calls,
            [
                ("Quoted", 3, false),
                ("attribute", 1, true),
                ("f", 2, false),
                ("leak", 1, false),
                ("none", 0, false),
                ("qualified", 1, false),
            ]
        );
    }

    #[test]
    fn what_changes_the_meaning_of_names_is_told_from_other_hazards() {
        for (text, session) in [
            ("SELECT set_config('search_path', 'x', true)", true),
            ("BEGIN SET ROLE x; END", true),
            ("BEGIN SET SESSION AUTHORIZATION x; END", true),
            ("BEGIN RESET ALL; END", true),
            ("BEGIN DISCARD ALL; END", true),
            ("BEGIN SET client_encoding = 'LATIN1'; END", false),
            ("BEGIN EXECUTE q; END", false),
        ] {
            assert_eq!(scan(text).hazard.map(|hazard| hazard.session), Some(session), "{text}");
        }
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
            let found = scan(text).hazard.map(|hazard| hazard.reason).unwrap_or_default();
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
