//! The question and the answer, as JSON.

use pgwarrant_grants::{AskedColumn, Conditions, Facts, Request};
use serde::{Deserialize, Serialize};

/// What a condition is asked.
#[derive(Debug, Serialize)]
pub struct Question<'a> {
    /// `condition.check`
    #[serde(rename = "type")]
    of_type: &'static str,
    condition: &'a str,
    /// `asked`: it will be put to those who approve. `deciding`: it is a grant if this allows it.
    stage: &'static str,
    request: Asked<'a>,
}

/// The request: whose it is, for what, why and for how long.
#[derive(Debug, Serialize)]
struct Asked<'a> {
    id: u64,
    user: &'a str,
    person: &'a str,
    groups: &'a [String],
    /// A user, or `group` and a name.
    holder: String,
    database: &'a str,
    actions: Vec<&'static str>,
    columns: Vec<Column<'a>>,
    /// So many are not among `columns`.
    more_columns: u32,
    categories: Vec<&'a str>,
    /// None: all rows.
    rows: Option<&'a str>,
    estimated_rows: Option<u64>,
    duration_s: u64,
    starts_in_s: u64,
    reason: &'a str,
    purpose: Option<&'a str>,
    ticket: Option<&'a str>,
    case: Option<&'a str>,
    profile: Option<&'a str>,
    urgency: &'static str,
    extends: Option<u64>,
    policies: &'a [String],
    approved_by: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct Column<'a> {
    relation: &'a str,
    column: &'a str,
    category: &'a str,
    sensitivity: &'static str,
}

impl<'a> Question<'a> {
    /// `facts`: on which the request was ruled.
    pub fn of(name: &'a str, request: &'a Request, facts: &'a Facts) -> Self {
        let decides = request.conditions.as_ref().is_some_and(Conditions::decide_now);
        let mut categories: Vec<&str> = facts.columns.iter().map(|column| column.category.as_str()).collect();
        categories.sort_unstable();
        categories.dedup();
        let column = |asked: &'a AskedColumn| Column {
            relation: &asked.relation,
            column: &asked.column,
            category: &asked.category,
            sensitivity: asked.sensitivity.text(),
        };
        Self {
            of_type: "condition.check",
            condition: name,
            stage: if decides { "deciding" } else { "asked" },
            request: Asked {
                id: request.id,
                user: &facts.by.user,
                person: &facts.by.person,
                groups: &facts.by.groups,
                holder: request.who.to_string(),
                database: &request.database,
                actions: facts.actions.iter().map(|action| action.text()).collect(),
                columns: facts.columns.iter().map(column).collect(),
                more_columns: facts.more_columns,
                categories,
                rows: request.scope.rows_text(),
                estimated_rows: facts.estimated_rows,
                duration_s: request.duration.as_secs(),
                starts_in_s: facts.starts_in.as_secs(),
                reason: &request.reason,
                purpose: request.purpose.as_deref(),
                ticket: request.ticket.as_deref(),
                case: request.case.as_deref(),
                profile: request.profile.as_deref(),
                urgency: request.urgency.text(),
                extends: request.extends,
                policies: &request.why.policies,
                approved_by: request.approvals.iter().map(|approval| approval.by.as_str()).collect(),
            },
        }
    }
}

/// What a condition answers. What else it may say is not known, so it is not taken for a yes.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    pub allow: bool,
    #[serde(default)]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_answer_is_one() {
        let read = |text: &str| serde_json::from_str::<Answered>(text).ok();
        let answer =
            |allow, reason: Option<&str>| Some(Answered { allow, reason: reason.map(str::to_owned) });
        for (text, answered) in [
            (r#"{"allow": true}"#, answer(true, None)),
            (r#" {"reason": "closed", "allow": false} "#, answer(false, Some("closed"))),
            (r#"{"allow": true, "reason": null}"#, answer(true, None)),
            (r#"{"allow": "true"}"#, None),
            (r#"{"allow": 1}"#, None),
            (r#"{"allow": null}"#, None),
            (r#"{"reason": "open"}"#, None),
            (r#"{"allow": true, "allow": true}"#, None),
            (r#"{"allow": true, "until": "2026-03-01"}"#, None),
            (r#"{"Allow": true}"#, None),
            (r#"[{"allow": true}]"#, None),
            (r#"{"allow": true} {"allow": false}"#, None),
            ("true", None),
            ("", None),
        ] {
            assert_eq!(read(text), answered, "{text}");
        }
    }
}
