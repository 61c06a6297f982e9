//! Which start-up parameters of a client go on to the server, and which are ours.

use pgwarrant_wire::auth::Choice;

use crate::error::Fatal;

/// By which way to sign in, where a user has several. Ours: it goes no further.
const SIGN_IN: &str = "pgwarrant.sign_in";
/// Settings that an analysis relies on, or that say who somebody is. They are settled at start-up
/// and not the client's to choose.
const FIXED: [&str; 4] = ["standard_conforming_strings", "client_encoding", "role", "session_authorization"];
/// What changes which code the server runs: as the analysis refuses it in SET.
const CODE: [&str; 7] = [
    "session_replication_role",
    "session_preload_libraries",
    "local_preload_libraries",
    "dynamic_library_path",
    "jit_provider",
    "event_triggers",
    "allow_system_table_mods",
];
/// What makes the server write out what it runs, and so to a client that wants LOG messages.
const WRITTEN_OUT: [&str; 3] = ["debug_", "log_", "auto_explain."];
/// Parameters of the protocol itself.
const PROTOCOL: [&str; 4] = ["user", "database", "options", "replication"];

/// How the client wants to sign in; the last word counts, as with every setting. Options that cannot
/// be read are told to who has signed in.
pub fn sign_in<'p>(parameters: impl Iterator<Item = (&'p str, &'p str)>) -> Result<Option<Choice>, Fatal> {
    let mut found = None;
    for (name, value) in parameters {
        if name == "options" {
            let given = options(value).unwrap_or_default().into_iter();
            found = given.filter(|(name, _)| is_sign_in(name)).map(|(_, value)| value).next_back().or(found);
        } else if is_sign_in(name) {
            found = Some(value.to_owned());
        }
    }
    let choice = |value: String| {
        value.parse::<Choice>().map_err(|_| {
            Fatal::new(
                "22023",
                format!("invalid value for parameter \"{SIGN_IN}\": \"{}\"", value.escape_debug()),
            )
            .hint("Available values: oauth, password, scram.")
        })
    };
    found.map(choice).transpose()
}

fn is_sign_in(name: &str) -> bool {
    name.eq_ignore_ascii_case(SIGN_IN)
}

/// The client's settings that go on, in order, as (name, value).
pub fn settings<'p>(
    parameters: impl Iterator<Item = (&'p str, &'p str)>,
) -> Result<Vec<(String, String)>, Fatal> {
    let mut passed = Vec::new();
    for (name, value) in parameters {
        match name {
            "options" => {
                for (name, value) in options(value)? {
                    add(&mut passed, name, value)?;
                }
            }
            "replication" => {
                if !matches!(value, "false" | "off" | "no" | "0") {
                    return Err(Fatal::new(
                        "0A000",
                        "replication connections are not available through pgwarrant",
                    )
                    .hint("Connect to the database server itself."));
                }
            }
            _ if PROTOCOL.contains(&name) || name.starts_with("_pq_.") => {}
            _ => add(&mut passed, name.to_owned(), value.to_owned())?,
        }
    }
    Ok(passed)
}

fn add(passed: &mut Vec<(String, String)>, name: String, value: String) -> Result<(), Fatal> {
    let lower = name.to_ascii_lowercase();
    if lower == SIGN_IN {
        return Ok(());
    }
    if lower == pgwarrant_sql::WAIT {
        pgwarrant_sql::wait(&value).map_err(|refusal| {
            let fatal = Fatal::new(refusal.sqlstate, refusal.message);
            match refusal.hint {
                Some(hint) => fatal.hint(hint),
                None => fatal,
            }
        })?;
        passed.push((name, value));
        return Ok(());
    }
    if lower.starts_with("pgwarrant.") || lower == "pgwarrant" {
        return Err(not_yours(&name));
    }
    let written_out = WRITTEN_OUT.iter().any(|start| lower.starts_with(start));
    if CODE.contains(&lower.as_str()) || written_out {
        return Err(not_yours(&name));
    }
    if !FIXED.contains(&lower.as_str()) {
        passed.push((name, value));
        return Ok(());
    }
    let plain: String = value.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    match (lower.as_str(), plain.as_str()) {
        ("standard_conforming_strings", "on" | "true" | "yes" | "1") => Ok(()),
        // What psql sends in the locale C; what it takes for ASCII passes as it is.
        ("client_encoding", "utf8" | "unicode" | "sqlascii") => Ok(()),
        ("client_encoding", _) => Err(Fatal::new(
            "22023",
            format!("client_encoding \"{value}\" is not available through pgwarrant"),
        )
        .hint("Use UTF8, for example with PGCLIENTENCODING=UTF8.")),
        ("role", "none") => Ok(()),
        _ => Err(not_yours(&name)),
    }
}

fn not_yours(name: &str) -> Fatal {
    Fatal::new("42501", format!("parameter \"{name}\" cannot be set at connection start through pgwarrant"))
        .hint("Leave it out.")
}

/// Splits the parameter `options` as PostgreSQL does (`pg_split_opts`), and reads the `-c` and `--`
/// switches in it (`process_postgres_switches`); others are refused.
fn options(text: &str) -> Result<Vec<(String, String)>, Fatal> {
    let mut settings = Vec::new();
    let mut words = split(text).into_iter();
    while let Some(word) = words.next() {
        let assignment = if word == "-c" {
            words.next().ok_or_else(|| invalid(&word))?
        } else if let Some(rest) = word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            rest.to_owned()
        } else {
            return Err(invalid(&word));
        };
        let (name, value) = assignment.split_once('=').ok_or_else(|| invalid(&assignment))?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn invalid(word: &str) -> Fatal {
    Fatal::new("42601", format!("invalid command-line argument for server process: {word}"))
        .hint("Only -c name=value and --name=value are available through pgwarrant.")
}

fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(characters.next()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// What the server gets: the client's settings, then ours.
pub fn parameters(passed: &[(String, String)], key: &str) -> Vec<(String, String)> {
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut parameters = passed.to_vec();
    parameters.push(own("client_encoding", "UTF8"));
    parameters.push(own("standard_conforming_strings", "on"));
    parameters.push(own("options", &format!("-c pgwarrant.key={}", escaped(key))));
    parameters
}

/// A value as one word of `options`.
fn escaped(value: &str) -> String {
    let mut word = String::with_capacity(value.len());
    for character in value.chars() {
        if character == '\\' || character.is_ascii_whitespace() || character == '\u{b}' {
            word.push('\\');
        }
        word.push(character);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(parameters: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        settings(parameters.iter().copied()).map_err(|fatal| fatal.message.into_owned())
    }

    #[test]
    fn settings_go_on_from_parameters_and_from_options() {
        let given = [
            ("user", "ada"),
            ("DateStyle", "ISO"),
            ("options", r"-c geqo=off --statement-timeout=5s -csearch_path=a\ b,\\c"),
            ("client_encoding", "'utf-8'"),
            ("_pq_.x", "y"),
        ];
        let expected =
            [("DateStyle", "ISO"), ("geqo", "off"), ("statement_timeout", "5s"), ("search_path", r"a b,\c")];
        let found = passed(&given).unwrap();
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_the_analysis_relies_on_is_not_the_client_s_to_choose() {
        for refused in [
            ("options", "-c pgwarrant.key=x"),
            ("options", "-c pgwarrant.wait=soon"),
            ("pgwarrant.wait", "25 h"),
            ("options", "--PGWARRANT.KEY=x"),
            ("options", "-c standard-conforming-strings=off"),
            ("Standard_Conforming_Strings", "off"),
            ("options", "-c role=postgres"),
            ("role", "postgres"),
            ("session_authorization", "postgres"),
            ("client_encoding", "LATIN1"),
            ("pgwarrant.key", "x"),
            ("options", "-c session\\_authorization=postgres"),
            ("options", "-c debug-print-plan=on"),
            ("Debug_Print_Parse", "on"),
            ("options", "-cauto_explain.log_min_duration=0"),
            ("options", "--session_replication_role=replica"),
            ("options", "-d 5"),
            ("options", "-c"),
            ("options", "-c x"),
            ("replication", "database"),
        ] {
            assert!(passed(&[refused]).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn the_way_to_sign_in_is_ours_alone() {
        for (given, expected) in [
            (&[("user", "ada")][..], Ok(None)),
            (&[("options", "-c pgwarrant.sign_in=oauth")], Ok(Some(Choice::Oauth))),
            (&[("options", "--pgwarrant.sign-in=password -c geqo=off")], Ok(Some(Choice::Password))),
            (&[("options", "-cPGWARRANT.SIGN_IN=scram")], Ok(Some(Choice::Scram))),
            (&[("pgwarrant.sign_in", "scram")], Ok(Some(Choice::Scram))),
            (
                &[("options", "-c pgwarrant.sign_in=oauth -c pgwarrant.sign_in=scram")],
                Ok(Some(Choice::Scram)),
            ),
            (&[("options", "-c pgwarrant.sign_in=trust")], Err("22023".to_owned())),
            (&[("pgwarrant.sign_in", "")], Err("22023".to_owned())),
            (&[("options", "-x")], Ok(None)),
        ] {
            let found = sign_in(given.iter().copied()).map_err(|fatal| fatal.sqlstate.into_owned());
            assert_eq!(found, expected, "{given:?}");
        }
        let options = [("options", "-c pgwarrant.sign_in=oauth -c geqo=off")];
        assert_eq!(passed(&options).unwrap(), [("geqo".to_owned(), "off".to_owned())]);
    }

    #[test]
    fn a_key_stays_one_word() {
        let key = "a b\\c\td";
        let parameters = parameters(&[], key);
        let (_, value) = parameters.iter().find(|(name, _)| name == "options").unwrap();
        assert_eq!(options(value).unwrap(), [("pgwarrant.key".to_owned(), key.to_owned())]);
    }
}
