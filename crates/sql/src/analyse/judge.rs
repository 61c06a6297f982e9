//! The accounting rule: what the walk must have proven of a risky token.

use pgwarrant_catalog::FunctionSafety;

use super::account::Role;
use super::source::Source;
use super::walk::Walked;
use super::{grammar_words, refuse};
use crate::screen::{Finding, Risk};
use crate::{Context, Refusal};

/// Refuses a risky token that the walk has not accounted for.
pub(crate) fn judge(
    source: &Source<'_>,
    context: &Context<'_>,
    role: Option<Role>,
    finding: Finding,
) -> Walked {
    let byte = source.byte(finding.token);
    let name = source.name(finding.token).unwrap_or_default();
    match finding.risk {
        Risk::Relation => {
            // A relation stands here in PostgreSQL's grammar, whatever the parser made of it.
            let before = finding.token.checked_sub(1);
            let follows = |keywords: &[&str]| before.is_some_and(|before| source.one_of(before, keywords));
            let compared = before
                .and_then(|before| before.checked_sub(1))
                .is_some_and(|before| source.keyword(before, "distinct"));
            let must_be_one =
                follows(&["from", "join", "only"]) && !compared && !source.in_call_grammar(finding.token);
            match role {
                None => Err(refuse::unaccounted(&name, byte)),
                Some(
                    Role::Relation | Role::Cte | Role::Schema | Role::Function | Role::Console | Role::Cursor,
                ) => Ok(()),
                Some(_) if must_be_one => Err(refuse::unaccounted(&name, byte)),
                Some(_) => Ok(()),
            }
        }
        Risk::UnsafeFunction => match role {
            // Judged where it was called.
            Some(Role::Function) => Ok(()),
            Some(role)
                if role != Role::Field && !(role == Role::Column && source.punct(finding.token + 1, "(")) =>
            {
                Ok(())
            }
            None if grammar_words::is_one(source, finding.token) => Ok(()),
            _ => {
                let culprit = match context.catalogue.function(&name) {
                    FunctionSafety::Unsafe { culprit, .. } => culprit,
                    FunctionSafety::Safe | FunctionSafety::Unknown => String::new(),
                };
                Err(refuse::unsafe_call(&format!("function {name}"), &culprit, byte))
            }
        },
        Risk::UnknownFunction => match role {
            None | Some(Role::Column) => Err(refuse::unknown_function(&name, byte)),
            Some(_) => Ok(()),
        },
        Risk::Type => match role {
            None | Some(Role::Type) => Err(unsafe_type(context, &name, byte)),
            Some(_) => Ok(()),
        },
        Risk::Operator => Err(unsafe_operator(context, source.raw(finding.token), byte)),
        Risk::Console => match role {
            None => Err(refuse::console(
                "schema \"pgwarrant\" cannot be used here",
                "Use its relations in FROM, and its functions in FROM or in a select list.",
                byte,
            )),
            Some(_) => Ok(()),
        },
        Risk::Setting => match role {
            None | Some(Role::Field) => {
                Err(refuse::setting(&name, "The parameter's name must be a literal in a plain call.", byte))
            }
            Some(_) => Ok(()),
        },
        Risk::Toast => match role {
            Some(Role::Column | Role::Alias | Role::Cte) => Ok(()),
            _ => Err(toast(&name, byte)),
        },
    }
}

pub(crate) fn unsafe_type(context: &Context<'_>, name: &str, byte: usize) -> Refusal {
    let culprit = context.catalogue.unsafe_types.get(name).map_or("", String::as_str);
    refuse::unsafe_call(&format!("type {name}"), culprit, byte)
}

pub(crate) fn unsafe_operator(context: &Context<'_>, written: &str, byte: usize) -> Refusal {
    let operators = &context.catalogue.unsafe_operators;
    let hidden = written.to_ascii_lowercase();
    let operator = if written == "!=" { "<>" } else { written };
    let (operator, culprit) = std::iter::once(operator)
        .chain(crate::screen::hidden_operators(&hidden).iter().copied())
        .find_map(|operator| operators.get_key_value(operator))
        .map_or((written, ""), |(operator, culprit)| (operator.as_str(), culprit.as_str()));
    refuse::unsafe_call(&format!("operator {operator}"), culprit, byte)
}

pub(crate) fn toast(name: &str, byte: usize) -> Refusal {
    Refusal::new(crate::Reason::UnsafeRelation, format!("permission denied for relation {name}"))
        .detail("A TOAST table holds pieces of any column of its table.")
        .hint("Read the table itself.")
        .at(byte)
}
