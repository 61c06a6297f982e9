//! Is what came through the proxy what the model gives?

use crate::session::{Failure, Outcome};

/// What a comparison says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same rows.
    Same,
    /// The same SQLSTATE.
    SameError(String),
    /// The same but for what a rule allows.
    Allowed(&'static str),
    /// Refused for a column that is blocked.
    Blocked,
    /// Refused, although the model gives rows: the refusal's words without names.
    Refused(String),
    /// What must not be.
    Different(String),
}

impl Verdict {
    /// Failures of one kind have most likely one cause; None: it is no failure.
    pub fn kind(&self) -> Option<String> {
        match self {
            Verdict::Same | Verdict::SameError(_) | Verdict::Allowed(_) | Verdict::Blocked => None,
            Verdict::Refused(reason) => Some(reason.clone()),
            Verdict::Different(how) => Some(how.split([',', '(', '"']).next().unwrap_or_default().to_owned()),
        }
    }
}

/// RECORD's type.
const RECORD: u32 = 2249;

/// A whole row as a column is an anonymous record behind a sub-select, and the table's row type
/// where nothing is replaced, which the model's tables do not share. Its text and binary forms are
/// the same.
const ROW_TYPE: &str = "type of a whole row";

/// An expression over constant masks alone is evaluated when the statement is planned, whether a
/// row needs it or not; over a column, only where a row does.
const FOLDED: &str = "error of a constant";

/// So is its modifier: COALESCE over a constant mask is that constant.
const MODIFIER: &str = "modifier of a constant";

/// A join that is too much for the time-out.
const SLOW: &str = "time-out";

/// `row_types`: types with a higher oid are those of relations' rows.
pub fn compare(proxied: &Outcome, model: &Outcome, ordered: bool, row_types: u32) -> Verdict {
    let slow = |error: &Failure| error.sqlstate == "57014";
    if proxied.error.iter().chain(&model.error).any(slow) {
        return Verdict::Allowed(SLOW);
    }
    match (&proxied.error, &model.error) {
        (Some(ours), Some(theirs)) => errors(ours, theirs),
        (Some(ours), None) if ours.sqlstate.starts_with("22") => Verdict::Allowed(FOLDED),
        (Some(ours), None) if is_blocked(ours) => Verdict::Blocked,
        (Some(ours), None) => Verdict::Refused(reason(ours)),
        (None, Some(theirs)) => Verdict::Different(format!(
            "the proxy gives rows, the model {} {}",
            theirs.sqlstate, theirs.message
        )),
        (None, None) => rows(proxied, model, ordered, row_types),
    }
}

fn errors(ours: &Failure, theirs: &Failure) -> Verdict {
    if ours.sqlstate == theirs.sqlstate {
        return Verdict::SameError(ours.sqlstate.clone());
    }
    if is_blocked(ours) {
        return Verdict::Blocked;
    }
    // Which of two values that no function takes is met first hangs on the plan.
    if ours.sqlstate.starts_with("22") && theirs.sqlstate.starts_with("22") {
        return Verdict::Allowed(FOLDED);
    }
    Verdict::Different(format!(
        "errors differ: {} {}, in the model {} {}",
        ours.sqlstate, ours.message, theirs.sqlstate, theirs.message
    ))
}

fn is_blocked(error: &Failure) -> bool {
    // NATURAL JOIN by a blocked column is stopped by a type that has no equality.
    let by_type = || matches!(error.sqlstate.as_str(), "42883" | "42804") && error.message.contains("json");
    (error.sqlstate == "42501" && error.message.starts_with("permission denied for column")) || by_type()
}

fn rows(proxied: &Outcome, model: &Outcome, ordered: bool, row_types: u32) -> Verdict {
    let mut rule = None;
    if proxied.columns.len() != model.columns.len() {
        return Verdict::Different(format!(
            "{} columns, in the model {}",
            proxied.columns.len(),
            model.columns.len()
        ));
    }
    for (ours, theirs) in proxied.columns.iter().zip(&model.columns) {
        let mut like = theirs.clone();
        if theirs.type_oid > row_types && (ours.type_oid == RECORD || ours.type_oid > row_types) {
            like.type_oid = ours.type_oid;
            rule = Some(ROW_TYPE);
        }
        if like.typmod == -1 && ours.typmod != -1 {
            like.typmod = ours.typmod;
            rule = Some(MODIFIER);
        }
        if *ours != like {
            return Verdict::Different(format!("columns differ: {ours:?}, in the model {theirs:?}"));
        }
    }
    let (mut ours, mut theirs) = (proxied.rows.clone(), model.rows.clone());
    if !ordered {
        ours.sort();
        theirs.sort();
    }
    if ours == theirs {
        return rule.map_or(Verdict::Same, Verdict::Allowed);
    }
    let differ = ours.iter().zip(&theirs).find(|(one, other)| one != other);
    let shown = differ.map(|(one, other)| format!(": {} | {}", one.escape_ascii(), other.escape_ascii()));
    Verdict::Different(format!(
        "rows differ ({}, in the model {}){}",
        ours.len(),
        theirs.len(),
        shown.unwrap_or_default()
    ))
}

/// A refusal's SQLSTATE and words, without the names in it.
fn reason(error: &Failure) -> String {
    let words: Vec<&str> = error.message.split(' ').collect();
    let plain = words.iter().map(|word| if word.contains(['"', '.', '_']) { "…" } else { *word });
    format!("{} {}", error.sqlstate, plain.collect::<Vec<_>>().join(" "))
}
