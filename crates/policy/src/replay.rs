//! Requests of before, put to other policies: what would change.
//!
//! A file of requests has one on each line, as JSON: what serde makes of [`Facts`], which is what
//! is kept with every decision.

use pgwarrant_grants::format_duration;
use pgwarrant_grants::ruling::{Arbiter, Ceiling, Facts, Panel, Ruling};

use crate::Policies;
use crate::problem::{Problem, sentence};

/// Requests in one file.
pub const MAX_REQUESTS: usize = 1_000_000;
/// Bytes of one request.
pub const MAX_LINE: usize = 4 * 1024 * 1024;
const MAX_PROBLEMS: usize = 100;
/// Columns that a row names.
const SHOWN: usize = 3;

/// A request and what two sets of policies say of it.
#[derive(Clone, Debug)]
pub struct Change {
    /// Counted from 0.
    pub place: usize,
    pub facts: Facts,
    pub before: Ruling,
    pub after: Ruling,
}

/// A row of `pgwarrant policy test`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The request's place, counted from 1.
    pub number: usize,
    pub user: String,
    /// `select on public.customers.email`
    pub asks: String,
    /// None where there is nothing to compare with.
    pub before: Option<String>,
    pub after: String,
    pub changed: bool,
    /// Of the policies that matched now, and their reasons.
    pub policies: Vec<String>,
    pub reasons: Vec<String>,
}

/// The requests of a file.
///
/// # Errors
/// Every line that is not one, up to a hundred.
pub fn read_requests(file: &str, text: &str) -> Result<Vec<Facts>, Vec<Problem>> {
    let (mut requests, mut problems) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        if requests.len() >= MAX_REQUESTS || problems.len() >= MAX_PROBLEMS {
            let message = format!("more than {MAX_REQUESTS} requests, or {MAX_PROBLEMS} mistakes");
            problems.push(Problem::whole(file, message, "Split the file."));
            break;
        }
        match request(line) {
            Ok(facts) => requests.push(facts),
            Err((column, message)) => {
                let hint = "A line is one request as JSON, as it is kept with its decision.".to_owned();
                let file = file.to_owned();
                problems.push(Problem { file, line: index + 1, column, message, hint: Some(hint) });
            }
        }
    }
    if problems.is_empty() { Ok(requests) } else { Err(problems) }
}

fn request(line: &str) -> Result<Facts, (usize, String)> {
    if line.len() > MAX_LINE {
        return Err((1, format!("request of more than {MAX_LINE} bytes")));
    }
    serde_json::from_str(line).map_err(|error| {
        let text = error.to_string();
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
        (error.column(), format!("not a request: {text}"))
    })
}

/// The requests that `after` decides otherwise than `before`. That other policies gave the same
/// answer, or the same with another reason, is no change.
pub fn compare(
    before: &dyn Arbiter,
    after: &Policies,
    requests: impl IntoIterator<Item = Facts>,
) -> Vec<Change> {
    requests
        .into_iter()
        .enumerate()
        .filter_map(|(place, facts)| {
            let (before, after) = (before.rule(&facts), after.rule(&facts));
            differ(&before, &after).then_some(Change { place, facts, before, after })
        })
        .collect()
}

/// A row for each request, compared with what `before` says if there is one.
pub fn test<'r>(
    before: Option<&'r dyn Arbiter>,
    after: &'r Policies,
    requests: impl IntoIterator<Item = Facts> + 'r,
) -> impl Iterator<Item = Row> + 'r {
    requests.into_iter().enumerate().map(move |(place, facts)| {
        let before = before.map(|arbiter| arbiter.rule(&facts));
        let after = after.rule(&facts);
        let why = after.why().clone();
        Row {
            number: place + 1,
            user: facts.by.user.clone(),
            asks: asks(&facts),
            changed: before.as_ref().is_some_and(|before| differ(before, &after)),
            before: before.as_ref().map(outcome),
            after: outcome(&after),
            policies: why.policies,
            reasons: why.reasons,
        }
    })
}

fn differ(before: &Ruling, after: &Ruling) -> bool {
    unexplained(before) != unexplained(after)
}

fn unexplained(ruling: &Ruling) -> Ruling {
    let mut ruling = ruling.clone();
    match &mut ruling {
        Ruling::Refuse { why, hint } => {
            *why = Default::default();
            *hint = None;
        }
        Ruling::Approve { why, .. } | Ruling::BreakGlass { why, .. } | Ruling::Ask { why, .. } => {
            *why = Default::default();
        }
    }
    ruling
}

/// `select, update on public.customers.email and 4 more`
pub fn asks(facts: &Facts) -> String {
    let actions: Vec<&str> = facts.actions.iter().map(|action| action.text()).collect();
    let shown =
        facts.columns.iter().take(SHOWN).map(|column| format!("{}.{}", column.relation, column.column));
    let shown: Vec<String> = shown.collect();
    let columns = shown.join(", ");
    match facts.columns.len().saturating_sub(SHOWN) {
        0 => format!("{} on {columns}", actions.join(", ")),
        more => format!("{} on {columns} and {more} more", actions.join(", ")),
    }
}

/// A ruling in one line: `ask 1 of privacy and 2 of finance, oncall (second factor)`.
pub fn outcome(ruling: &Ruling) -> String {
    match ruling {
        Ruling::Refuse { .. } => "refuse".to_owned(),
        Ruling::Approve { limits, .. } => format!("approve{}", at_most(limits)),
        Ruling::BreakGlass { limits, reviewers, .. } => {
            format!("break-glass, reviewed by {}{}", reviewers.join(", "), at_most(limits))
        }
        Ruling::Ask { limits, panels, lapses_after, escalation, .. } => {
            let panels: Vec<String> = panels.iter().map(panel).collect();
            let mut text = format!("ask {}{}", panels.join(" and "), at_most(limits));
            if let Some(lapses) = lapses_after {
                text += &format!(", lapses after {}", format_duration(*lapses));
            }
            if let Some(escalation) = escalation {
                let after = format_duration(escalation.after);
                text += &format!(", {} too after {after}", escalation.groups.join(", "));
            }
            text
        }
    }
}

fn panel(Panel { groups, count, second_factor }: &Panel) -> String {
    let factor = if *second_factor { " (second factor)" } else { "" };
    format!("{count} of {}{factor}", groups.join(", "))
}

fn at_most(limits: &Ceiling) -> String {
    let longest = limits.max_duration.map(|longest| format!(", at most {}", format_duration(longest)));
    let conditions = match limits.conditions.as_slice() {
        [] => String::new(),
        [one] => format!(", if condition {one} allows"),
        several => format!(", if conditions {} allow", several.join(", ")),
    };
    format!("{}{conditions}", longest.unwrap_or_default())
}

/// A line of a file of requests, without its end.
///
/// # Errors
/// What serde_json says; [`Facts`] has nothing that JSON lacks.
pub fn write_request(facts: &Facts) -> Result<String, String> {
    serde_json::to_string(facts).map_err(|error| sentence(&error.to_string()))
}
