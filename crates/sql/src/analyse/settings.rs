//! Which settings a session may read and change.

use std::ops::Range;

use super::refuse;
use super::source::Source;
use super::utility::{names_only, not_understood};
use super::walk::Finished;
use crate::wait::{WAIT, wait};
use crate::{Context, Effect, Piece, Refusal, Splice};

/// May the setting be read?
pub(crate) fn may_read(name: &str, byte: usize) -> Result<(), Refusal> {
    if is_ours(name) && !name.eq_ignore_ascii_case(WAIT) {
        return Err(refuse::setting(name, "Settings of pgwarrant's are its own.", byte));
    }
    Ok(())
}

/// May the setting be given back its default? Those that the analysis relies on are in the start-up
/// message, so their default is what they have.
fn may_reset(name: &str, byte: usize) -> Result<Option<Effect>, Refusal> {
    may_read(name, byte)?;
    let named = ["search_path", "role", "session_authorization", "all", WAIT];
    Ok(named.iter().any(|known| name.eq_ignore_ascii_case(known)).then_some(Effect::SessionState))
}

/// May the setting be given this value? None: a value that is not known.
pub(crate) fn may_write(name: &str, value: Option<&str>, byte: usize) -> Result<Option<Effect>, Refusal> {
    let name = name.to_ascii_lowercase();
    may_read(&name, byte)?;
    if name == WAIT {
        // A computed value is read when the session's state is; one that cannot be is no wait.
        value.map(wait).transpose().map_err(|refusal| refusal.at(byte))?;
        return Ok(Some(Effect::SessionState));
    }
    let value = value.map(str::to_ascii_lowercase);
    let value = value.as_deref();
    match name.as_str() {
        "search_path" | "role" | "session_authorization" => Ok(Some(Effect::SessionState)),
        "standard_conforming_strings" => match value {
            // Prefixes of `on` and `true`, as PostgreSQL takes them.
            Some("on" | "true" | "tru" | "tr" | "t" | "yes" | "ye" | "y" | "1") => Ok(None),
            _ => Err(refuse::setting(
                &name,
                "pgwarrant reads string constants as they are read with it on.",
                byte,
            )),
        },
        "client_encoding" => match value {
            Some("utf8" | "utf-8" | "unicode") => Ok(None),
            _ => Err(refuse::setting(&name, "pgwarrant reads statements as UTF-8.", byte)),
        },
        "session_replication_role"
        | "session_preload_libraries"
        | "local_preload_libraries"
        | "dynamic_library_path"
        | "jit_provider"
        | "event_triggers"
        | "allow_system_table_mods" => {
            Err(refuse::setting(&name, "It changes which code the database server runs.", byte))
        }
        name if name.starts_with("debug_")
            || name.starts_with("log_")
            || name.starts_with("auto_explain.") =>
        {
            Err(refuse::setting(name, "It makes the database server write out what it runs.", byte))
        }
        _ => Ok(None),
    }
}

fn is_ours(name: &str) -> bool {
    name.eq_ignore_ascii_case("pgwarrant")
        || name.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("pgwarrant."))
}

/// What a call of `current_setting` or `set_config` does.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub effect: Option<Effect>,
    /// What makes the call harmless.
    pub splices: Vec<Splice>,
}

/// Judges `current_setting(name, …)` and `set_config('name', 'value', …)`; `name` is the
/// function's, and stands at `token`.
pub(crate) fn call(source: &Source<'_>, token: usize, name: &str) -> Result<Call, Refusal> {
    let open = token + 1;
    let close = source.closing(open).ok_or_else(|| unclear(source, token, name))?;
    if name == "current_setting" {
        return current_setting(source, token, close);
    }
    let (parameter, next, splices) = match (literal(source, open + 1), pinned(source, open)) {
        (Some((parameter, next)), _) => (parameter, next, Vec::new()),
        (None, Some(constant)) => {
            let with = vec![Piece::Text(source.raw(constant).to_owned())];
            let splice = Splice { tokens: open + 1..open + 2, with };
            (source.string(constant).unwrap_or_default(), open + 2, vec![splice])
        }
        (None, None) => return Err(unclear(source, token, name)),
    };
    if !source.punct(next, ",") {
        return Err(unclear(source, token, name));
    }
    let value = literal(source, next + 1).filter(|(_, after)| source.punct(*after, ","));
    let value = value.map(|(value, _)| value);
    let effect = may_write(&parameter, value.as_deref(), source.byte(open + 1))?;
    Ok(Call { effect, splices })
}

/// A call in what the schema stores, where nothing can be spliced.
pub(crate) fn stored_call(source: &Source<'_>, token: usize, name: &str) -> Result<(), Refusal> {
    match call(source, token, name)?.splices.is_empty() {
        true => Ok(()),
        false => Err(unclear(source, token, name)),
    }
}

/// A name that is computed is kept from being one of ours while it is.
fn current_setting(source: &Source<'_>, token: usize, close: usize) -> Result<Call, Refusal> {
    const NAME: &str = "current_setting";
    let first = token + 2;
    let comma = at_depth_0(source, first..close, ",").unwrap_or(close);
    if first == comma || at_depth_0(source, first..comma, "=>").is_some() {
        return Err(unclear(source, token, NAME));
    }
    if let Some((parameter, _)) = literal(source, first).filter(|(_, next)| *next == comma) {
        may_read(&parameter, source.byte(first))?;
        return Ok(Call::default());
    }
    let at =
        |index: usize, text: &str| Splice { tokens: index..index, with: vec![Piece::Text(text.to_owned())] };
    let before = "pg_catalog.regexp_replace(CAST((";
    let after = ") AS pg_catalog.text) COLLATE pg_catalog.\"C\", '^pgwarrant', 'hidden', 'i')";
    Ok(Call { effect: None, splices: vec![at(first, before), at(comma, after)] })
}

fn unclear(source: &Source<'_>, token: usize, name: &str) -> Refusal {
    refuse::setting(name, "The parameter's name must be a literal in a plain call.", source.byte(token))
}

/// `'x'`, `'x'::text`: the value, and the index after it.
fn literal(source: &Source<'_>, index: usize) -> Option<(String, usize)> {
    let value = source.string(index)?;
    if !source.punct(index + 1, "::") {
        return Some((value, index + 1));
    }
    let (_, after) = source.dotted(index + 2)?;
    Some((value, after))
}

/// The first token of this text that is in no brackets.
fn at_depth_0(source: &Source<'_>, range: Range<usize>, text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for index in range {
        match source.raw(index) {
            found if depth == 0 && found == text => return Some(index),
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// `SELECT set_config(name, …) FROM pg_settings WHERE name = 'x'`, by which pg_dump sets what the
/// server may not have: the token of the constant. It is put in the column's place, so nothing has
/// to be proven of what `pg_settings`, `name` and `=` are.
fn pinned(source: &Source<'_>, open: usize) -> Option<usize> {
    let column = source.plain_name(open + 1)?;
    let close = source.closing(open)?;
    let (_, filter) = source.dotted(close + 2).filter(|_| source.keyword(close + 1, "from"))?;
    let named = source.keyword(filter, "where") && source.plain_name(filter + 1)? == column;
    let constant = filter + 3;
    let equals = source.operator(filter + 2, "=") && source.string(constant).is_some();
    (named && equals && source.is_end(constant + 1)).then_some(constant)
}

/// `SET …` and `RESET …`
pub(crate) fn statement(source: &Source<'_>, context: &Context<'_>) -> Result<Finished, Refusal> {
    let first = source.range.start;
    let mut index = first + 1;
    if source.keyword(first, "reset") {
        let effects = match source.name(index).as_deref() {
            Some("session") if source.keyword(index + 1, "authorization") => vec![Effect::SessionState],
            _ => {
                let (name, _) = parameter(source, index)?;
                may_reset(&name, source.byte(index))?.into_iter().collect()
            }
        };
        return names_only(source, context, effects);
    }
    if source.keywords(index, &["session", "characteristics"]) {
        return names_only(source, context, Vec::new());
    }
    let dotted = source.punct(index + 1, ".");
    if source.one_of(index, &["session", "local"]) && !source.keyword(index + 1, "authorization") && !dotted {
        index += 1;
    }
    let word = |offset: usize| source.name(index + offset).map(|name| name.into_owned());
    let special = |word: &str| source.keyword(index, word) && !source.punct(index + 1, ".");
    let effects = if ["transaction", "constraints", "xml", "time"].iter().any(|word| special(word)) {
        Vec::new()
    } else if ["session", "role", "schema"].iter().any(|word| special(word)) {
        vec![Effect::SessionState]
    } else if special("names") {
        let byte = source.byte(index);
        match source.is_end(index + 1) || source.keyword(index + 1, "default") {
            true => may_reset("client_encoding", byte)?,
            false => {
                let value = source.string(index + 1).or_else(|| word(1));
                may_write("client_encoding", value.as_deref(), byte)?
            }
        }
        .into_iter()
        .collect()
    } else {
        let (name, next) = parameter(source, index)?;
        let byte = source.byte(index);
        if source.keywords(next, &["from", "current"]) && source.is_end(next + 2) {
            // It gets the value that it has.
            may_read(&name, byte)?;
            return names_only(source, context, Vec::new());
        }
        if !source.keyword(next, "to") && !source.operator(next, "=") {
            return Err(not_understood(source, next));
        }
        match source.keyword(next + 1, "default") && source.is_end(next + 2) {
            true => may_reset(&name, byte)?,
            false => may_write(&name, single_value(source, next + 1).as_deref(), byte)?,
        }
        .into_iter()
        .collect()
    };
    names_only(source, context, effects)
}

/// `SHOW …`
pub(crate) fn show(source: &Source<'_>, context: &Context<'_>) -> Result<Finished, Refusal> {
    let index = source.range.start + 1;
    let (name, _) = parameter(source, index)?;
    may_read(&name, source.byte(index))?;
    names_only(source, context, Vec::new())
}

/// A parameter's name, with points: and the index after it.
fn parameter(source: &Source<'_>, index: usize) -> Result<(String, usize), Refusal> {
    let mut name = source.name(index).ok_or_else(|| not_understood(source, index))?.into_owned();
    let mut next = index + 1;
    while source.punct(next, ".") {
        let part = source.name(next + 1).ok_or_else(|| not_understood(source, next + 1))?;
        name.push('.');
        name.push_str(&part);
        next += 2;
    }
    Ok((name, next))
}

/// The one value that is given.
fn single_value(source: &Source<'_>, index: usize) -> Option<String> {
    if !source.is_end(index + 1) {
        return None;
    }
    source
        .string(index)
        .or_else(|| source.name(index).map(|name| name.into_owned()))
        .or_else(|| Some(source.raw(index).to_owned()))
}
