//! What a statement leaves for the next one of the same message.

use super::names::{self, State};
use super::source::Source;
use crate::{Context, Effect};

/// Follows a statement's effects on what names mean. A literal SET search_path or SET ROLE is
/// followed; after anything else that may change it, names cannot be resolved any more.
pub(crate) fn follow(source: &Source<'_>, effects: &[Effect], context: &Context<'_>, state: &mut State<'_>) {
    if !effects.iter().any(|effect| matches!(effect, Effect::SessionState | Effect::Execute { .. })) {
        return;
    }
    let first = source.range.start;
    let word = source.name(first);
    let word = word.as_deref();
    // The end of a transaction undoes what was done in it, RESET what was done in the session.
    let undone = match word {
        Some("commit" | "end" | "prepare" | "rollback" | "abort") => state.session.settled,
        Some("reset" | "discard") => state.session.pristine,
        _ => false,
    };
    if undone {
        return;
    }
    // A temporary relation hides a permanent one, but only of its own name.
    if let Some(made) = super::ddl::temporary_name(source)
        && !context.catalogue.names.contains_key(&made)
    {
        state.session.to_mut().temp_relations.push(made);
        return;
    }
    let session = state.session.to_mut();
    session.settled = false;
    session.pristine = false;
    state.unknown = Some(match word {
        Some("set") => match set(source, context, state) {
            Some(()) => return,
            None => "SET",
        },
        Some("reset") => "RESET",
        Some("discard") => "DISCARD",
        Some("execute") => "EXECUTE",
        Some("create") => "CREATE",
        Some("alter") => "ALTER",
        Some("drop") => "DROP",
        Some("commit" | "end" | "prepare") => "COMMIT",
        Some("rollback" | "abort") => "ROLLBACK",
        _ => "An earlier statement",
    });
}

/// `SET [SESSION | LOCAL] search_path {TO | =} a, "b", 'c'`, `SET ROLE r`
fn set(source: &Source<'_>, context: &Context<'_>, state: &mut State<'_>) -> Option<()> {
    let mut index = source.range.start + 1;
    if source.one_of(index, &["session", "local"]) {
        index += 1;
    }
    let parameter = source.name(index)?.to_ascii_lowercase();
    match parameter.as_str() {
        "role" => {
            let next = if source.keyword(index + 1, "to") || source.operator(index + 1, "=") {
                index + 2
            } else {
                index + 1
            };
            if source.keyword(next, "none") || source.keyword(next, "default") {
                return None;
            }
            let role = source.string(next).or_else(|| source.name(next).map(|name| name.into_owned()))?;
            // Schemas of the path that this role may not use are not in it, which we cannot know.
            let known = source.is_end(next + 1)
                && context.catalogue.roles.contains(&role)
                && role == state.session.role;
            known.then_some(())
        }
        "search_path" => {
            let mut names = Vec::new();
            let mut next = index + 2;
            if source.keyword(next, "default") {
                return None;
            }
            loop {
                names.push(source.string(next).or_else(|| source.name(next).map(|name| name.into_owned()))?);
                next += 1;
                if source.is_end(next) {
                    break;
                }
                source.punct(next, ",").then_some(())?;
                next += 1;
            }
            let path = names::effective_path(&names, &state.session, context.catalogue);
            state.session.to_mut().search_path = path;
            Some(())
        }
        _ => None,
    }
}
