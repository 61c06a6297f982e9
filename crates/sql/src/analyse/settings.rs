//! Which settings a session may read and change.

use super::refuse;
use super::source::Source;
use super::utility::{names_only, not_understood};
use super::walk::Finished;
use crate::{Context, Effect, Refusal};

/// May the setting be read?
pub(crate) fn may_read(name: &str, byte: usize) -> Result<(), Refusal> {
    if is_ours(name) {
        return Err(refuse::setting(name, "Settings of pgwarrant's are its own.", byte));
    }
    Ok(())
}

/// May the setting be given this value? None: a value that is not known, or the default.
pub(crate) fn may_write(name: &str, value: Option<&str>, byte: usize) -> Result<Option<Effect>, Refusal> {
    let name = name.to_ascii_lowercase();
    may_read(&name, byte)?;
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

/// Judges `current_setting('name', …)` and `set_config('name', 'value', …)`; `name` is the
/// function's, and stands at `token`.
pub(crate) fn call(source: &Source<'_>, token: usize, name: &str) -> Result<Option<Effect>, Refusal> {
    let byte = source.byte(token);
    let literal = |index: usize| -> Option<(String, usize)> {
        let value = source.string(index)?;
        let mut next = index + 1;
        if source.punct(next, "::") {
            // 'x'::text
            let (_, after) = source.dotted(next + 1)?;
            next = after;
        }
        Some((value, next))
    };
    let unclear = || refuse::setting(name, "The parameter's name must be a literal in a plain call.", byte);
    if !source.punct(token + 1, "(") {
        return Err(unclear());
    }
    let (parameter, next) = literal(token + 2).ok_or_else(unclear)?;
    if name == "current_setting" {
        if !source.punct(next, ")") && !source.punct(next, ",") {
            return Err(unclear());
        }
        may_read(&parameter, source.byte(token + 2))?;
        return Ok(None);
    }
    if !source.punct(next, ",") {
        return Err(unclear());
    }
    let value = literal(next + 1).filter(|(_, after)| source.punct(*after, ",")).map(|(value, _)| value);
    may_write(&parameter, value.as_deref(), source.byte(token + 2))
}

/// `SET …` and `RESET …`
pub(crate) fn statement(source: &Source<'_>, context: &Context<'_>) -> Result<Finished, Refusal> {
    let first = source.range.start;
    let mut index = first + 1;
    if source.keyword(first, "reset") {
        let effects = match source.name(index).as_deref() {
            Some("all" | "role" | "search_path") => vec![Effect::SessionState],
            Some("session") if source.keyword(index + 1, "authorization") => vec![Effect::SessionState],
            Some("standard_conforming_strings" | "client_encoding") => {
                let name = source.name(index).unwrap_or_default();
                return Err(refuse::setting(
                    &name,
                    "Its default may not be what pgwarrant relies on.",
                    source.byte(index),
                ));
            }
            _ => {
                let (name, _) = parameter(source, index)?;
                may_write(&name, None, source.byte(index))?.into_iter().collect()
            }
        };
        return names_only(source, context, effects);
    }
    if source.keywords(index, &["session", "characteristics"]) {
        return names_only(source, context, Vec::new());
    }
    if source.one_of(index, &["session", "local"]) && !source.keyword(index + 1, "authorization") {
        index += 1;
    }
    let effects = match source.name(index).as_deref() {
        Some("transaction" | "constraints" | "xml" | "time") => Vec::new(),
        Some("session" | "role" | "schema") => vec![Effect::SessionState],
        Some("names") => {
            let value =
                source.string(index + 1).or_else(|| source.name(index + 1).map(|name| name.into_owned()));
            may_write("client_encoding", value.as_deref(), source.byte(index))?.into_iter().collect()
        }
        _ => {
            let (name, next) = parameter(source, index)?;
            if !source.keyword(next, "to") && !source.operator(next, "=") {
                return Err(not_understood(source, next));
            }
            let value = single_value(source, next + 1);
            may_write(&name, value.as_deref(), source.byte(index))?.into_iter().collect()
        }
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
    if !source.is_end(index + 1) || source.keyword(index, "default") {
        return None;
    }
    source
        .string(index)
        .or_else(|| source.name(index).map(|name| name.into_owned()))
        .or_else(|| Some(source.raw(index).to_owned()))
}
