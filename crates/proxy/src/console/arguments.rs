//! The arguments of console calls, from literals and from the parameters of a Bind.

use pgwarrant_grants::{Ask, AskMore};
use pgwarrant_sql::{ConsoleArgument, ConsoleCall, Reason, Refusal};
use pgwarrant_wire::frontend;

use super::calls;
use crate::cache::Analysed;
use crate::refuse;

/// What a call asks for.
pub enum Todo {
    Look,
    /// With the arguments' names.
    Call(Vec<(String, Option<String>)>),
    Refuse(Refusal),
}

pub fn resolve(call: &ConsoleCall, parameters: &[Option<String>]) -> Todo {
    let Some(arguments) = &call.arguments else { return Todo::Look };
    let mut resolved = Vec::with_capacity(arguments.len());
    for (name, argument) in arguments {
        let value = match argument {
            ConsoleArgument::Null => None,
            ConsoleArgument::Literal(text) => Some(text.clone()),
            ConsoleArgument::Parameter(number) => {
                match number.checked_sub(1).and_then(|index| parameters.get(index)) {
                    Some(value) => value.clone(),
                    None => return Todo::Refuse(no_parameter(*number)),
                }
            }
        };
        resolved.push((name.clone().unwrap_or_default(), value));
    }
    Todo::Call(resolved)
}

pub struct Arguments(pub Vec<(String, Option<String>)>);

impl Arguments {
    pub fn text(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(found, _)| found == name).and_then(|(_, value)| value.clone())
    }

    pub fn number(&self, name: &str) -> Result<u64, Refusal> {
        let given = self.text(name);
        given.as_deref().and_then(|text| text.trim().parse().ok()).ok_or_else(|| {
            let message = match given {
                Some(given) => format!("invalid {name}: \"{given}\""),
                None => format!("{name} must be given"),
            };
            refuse::refusal(
                Reason::Console,
                "22023",
                message,
                None,
                Some("Give the number, as pgwarrant.requests and pgwarrant.grants show it."),
            )
        })
    }

    pub fn ask_more(&self) -> AskMore {
        AskMore {
            duration: self.text("duration"),
            reason: self.text("reason"),
            urgency: self.text("urgency"),
        }
    }

    pub fn ask(&self) -> Ask {
        Ask {
            columns: self.text("columns").unwrap_or_default(),
            rows: self.text("rows"),
            reason: self.text("reason"),
            duration: self.text("duration"),
            actions: self.text("actions"),
            others: self.text("others"),
            ticket: self.text("ticket"),
            max_uses: self.text("max_uses"),
            max_rows: self.text("max_rows"),
            group: self.text("for_group"),
            starts_at: self.text("starts_at"),
            purpose: self.text("purpose"),
            case: self.text("case_id"),
            profile: self.text("profile"),
            urgency: self.text("urgency"),
            not_after: None,
        }
    }
}

fn no_parameter(number: usize) -> Refusal {
    refuse::refusal(Reason::Console, "42P02", format!("there is no parameter ${number}"), None, None)
}

/// The parameters of a Bind as text, as far as console calls use them.
pub fn parameters(
    message: &frontend::Bind<'_>,
    types: &[u32],
    analysed: &Analysed,
) -> Result<Vec<Option<String>>, Refusal> {
    let mut used = std::collections::HashSet::new();
    for call in calls(analysed, 0) {
        for (_, argument) in call.arguments.iter().flatten() {
            if let ConsoleArgument::Parameter(number) = argument {
                used.insert(*number);
            }
        }
    }
    message
        .values
        .iter()
        .enumerate()
        .map(|(index, value)| {
            let Some(bytes) = value.filter(|_| used.contains(&(index + 1))) else { return Ok(None) };
            let binary = message.parameter_formats.of(index) == 1;
            as_text(bytes, binary, types.get(index).copied().unwrap_or(0))
                .map(Some)
                .ok_or_else(|| unreadable(index + 1))
        })
        .collect()
}

/// `pg_type.oid`s: int8 20, int2 21, int4 23, bool 16; what else is text in binary, too.
fn as_text(bytes: &[u8], binary: bool, of: u32) -> Option<String> {
    match of {
        20 if binary => Some(i64::from_be_bytes(bytes.try_into().ok()?).to_string()),
        23 if binary => Some(i32::from_be_bytes(bytes.try_into().ok()?).to_string()),
        21 if binary => Some(i16::from_be_bytes(bytes.try_into().ok()?).to_string()),
        16 if binary => Some(matches!(bytes, [1]).to_string()),
        // text, varchar, bpchar, name, unknown
        0 | 25 | 1043 | 1042 | 19 | 705 => String::from_utf8(bytes.to_vec()).ok(),
        _ if binary => None,
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

fn unreadable(number: usize) -> Refusal {
    refuse::refusal(
        Reason::Console,
        "0A000",
        format!("parameter ${number} has a type that a pgwarrant function does not take"),
        None,
        Some("Pass it as text."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_in_both_formats() {
        assert_eq!(as_text(&42i64.to_be_bytes(), true, 20).as_deref(), Some("42"));
        assert_eq!(as_text(&42i32.to_be_bytes(), true, 23).as_deref(), Some("42"));
        assert_eq!(as_text(b"42", false, 23).as_deref(), Some("42"));
        assert_eq!(as_text("é".as_bytes(), true, 25).as_deref(), Some("é"));
        assert_eq!(as_text(&[0xff], true, 25), None);
        assert_eq!(as_text(&[0, 1], true, 20), None);
        assert_eq!(as_text(b"x", true, 600), None);
    }
}
