//! A policy's annotations: what follows where it matches.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cedar_policy::Effect;
use pgwarrant_grants::ruling::{Escalation, Panel};
use pgwarrant_grants::{MAX_CONDITIONS, parse_duration};

use crate::names::Known;
use crate::problem::{Problem, meant, sentence};
use crate::snippet::Snippet;

const MAX_ID: usize = 100;
const MAX_TEXT: usize = 1_000;
/// In all panels of a request together, so in one too.
const MAX_COUNT: u32 = 8;

/// The questions that are put to policies, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// What a `forbid` says here holds for all other stages.
    Refuse,
    BreakGlass,
    Approve,
    Ask,
}

impl Stage {
    const ALL: [Stage; 4] = [Stage::Refuse, Stage::BreakGlass, Stage::Approve, Stage::Ask];

    /// As in `@decision("…")`.
    pub fn text(self) -> &'static str {
        match self {
            Stage::Refuse => "refuse",
            Stage::BreakGlass => "break_glass",
            Stage::Approve => "approve",
            Stage::Ask => "ask",
        }
    }
}

/// What `@decision("ask")` asks for.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub panel: Panel,
    pub lapses_after: Option<Duration>,
    pub escalation: Option<Escalation>,
}

#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub id: String,
    pub stage: Stage,
    pub permits: bool,
    pub reason: Option<String>,
    pub max_duration: Option<Duration>,
    /// Outside conditions, all of which must allow it.
    pub conditions: Vec<String>,
    /// Of [`Stage::BreakGlass`].
    pub reviewers: Vec<String>,
    /// Of [`Stage::Ask`].
    pub asking: Option<Asking>,
}

/// Each annotation and the stages on whose permits it has a meaning; none: it has one everywhere.
const KNOWN: &[(&str, &[Stage])] = &[
    ("id", &[]),
    ("decision", &[]),
    ("reason", &[]),
    ("max_duration", &[Stage::BreakGlass, Stage::Approve, Stage::Ask]),
    ("condition", &[Stage::BreakGlass, Stage::Approve, Stage::Ask]),
    ("reviewers", &[Stage::BreakGlass]),
    ("approvers", &[Stage::Ask]),
    ("count", &[Stage::Ask]),
    ("second_factor", &[Stage::Ask]),
    ("lapses_after", &[Stage::Ask]),
    ("escalate_to", &[Stage::Ask]),
    ("escalate_after", &[Stage::Ask]),
];

/// None where something is wrong, which is then among the problems.
pub(crate) fn read(
    policy: &cedar_policy::Policy,
    snippet: &Snippet<'_>,
    known: &Known,
    problems: &mut Vec<Problem>,
) -> Option<Terms> {
    let found = problems.len();
    let permits = policy.effect() == Effect::Permit;
    let mut reader = Reader { written: policy.annotations().collect(), snippet, known, problems };
    reader.known();
    let id = reader.id();
    let stage = reader.stage(permits)?;
    reader.meaningful(permits, stage);
    let reason = reader.text("reason", MAX_TEXT);
    let max_duration = reader.duration("max_duration");
    let conditions = reader.conditions();
    let reviewers = match permits && stage == Stage::BreakGlass {
        true => reader.required_groups("reviewers", "who must look at it afterwards"),
        false => Vec::new(),
    };
    let asking = (permits && stage == Stage::Ask).then(|| reader.asking());
    (reader.problems.len() == found).then_some(())?;
    Some(Terms { id: id?, stage, permits, reason, max_duration, conditions, reviewers, asking })
}

struct Reader<'a, 'p> {
    written: BTreeMap<&'a str, &'a str>,
    snippet: &'a Snippet<'a>,
    known: &'a Known,
    problems: &'p mut Vec<Problem>,
}

impl<'a> Reader<'a, '_> {
    fn problem(&mut self, annotation: &str, message: String, hint: impl Into<String>) {
        let at = self.snippet.annotation(annotation);
        self.problems.push(self.snippet.problem(at, message, Some(hint.into())));
    }

    fn known(&mut self) {
        let names = KNOWN.iter().map(|(name, _)| *name);
        let unknown: Vec<&str> =
            self.written.keys().copied().filter(|name| !names.clone().any(|known| known == *name)).collect();
        for name in unknown {
            self.problem(name, format!("annotation @{name} is not known"), meant(name, names.clone(), ""));
        }
    }

    fn id(&mut self) -> Option<String> {
        let hint = r#"Begin it with @id("a-name"): decisions and listings show that name."#;
        match self.written.get("id").map(|id| id.trim()) {
            None => self.problem("id", "policy has no @id".to_owned(), hint),
            Some(id) if id.is_empty() || id.len() > MAX_ID || id.chars().any(char::is_control) => {
                let message = format!("@id must be 1 to {MAX_ID} bytes without control characters");
                self.problem("id", message, "Choose a short name.");
            }
            Some(id) => return Some(id.to_owned()),
        }
        None
    }

    fn stage(&mut self, permits: bool) -> Option<Stage> {
        let choices = r#"Write @decision("approve"), @decision("ask") or @decision("break_glass")."#;
        match self.written.get("decision").copied() {
            None if permits => self.problem("decision", "permit has no @decision".to_owned(), choices),
            None => return Some(Stage::Refuse),
            Some(word) => match Stage::ALL.into_iter().find(|stage| stage.text() == word) {
                Some(Stage::Refuse) if permits => {
                    let hint = format!("{choices} To refuse, write forbid instead of permit.");
                    self.problem("decision", "a permit cannot refuse".to_owned(), hint);
                }
                Some(stage) => return Some(stage),
                None => {
                    let hint = meant(word, Stage::ALL.iter().map(|stage| stage.text()), "");
                    self.problem("decision", format!("decision {word:?} is not known"), hint);
                }
            },
        }
        None
    }

    fn meaningful(&mut self, permits: bool, stage: Stage) {
        for (name, stages) in KNOWN {
            let fits = stages.is_empty() || (permits && stages.contains(&stage));
            if fits || !self.written.contains_key(name) {
                continue;
            }
            let what = match permits {
                true => format!("a permit that decides {:?}", stage.text()),
                false => "a forbid".to_owned(),
            };
            let where_: Vec<String> =
                stages.iter().map(|stage| format!("@decision({:?})", stage.text())).collect();
            let hint = format!("It belongs to a permit with {}. Remove it here.", where_.join(" or "));
            self.problem(name, format!("@{name} has no meaning on {what}"), hint);
        }
    }

    fn text(&mut self, name: &str, limit: usize) -> Option<String> {
        let text = self.written.get(name)?.trim();
        if text.is_empty() || text.len() > limit {
            let message = format!("@{name} must be 1 to {limit} bytes long");
            self.problem(name, message, "People read it with the decision: say why in one sentence.");
            return None;
        }
        Some(text.to_owned())
    }

    fn duration(&mut self, name: &str) -> Option<Duration> {
        let text = self.written.get(name).copied()?;
        match parse_duration(text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let hint = r#"Write a number and a unit: "15 min", "4 h", "1 day"."#;
                self.problem(name, format!("@{name}: {}", error.message), hint);
                None
            }
        }
    }

    fn asking(&mut self) -> Asking {
        let groups = self.required_groups("approvers", "whom to ask");
        let count = self.count();
        let second_factor = self.second_factor();
        let lapses_after = self.duration("lapses_after");
        let escalation = self.escalation(lapses_after);
        Asking { panel: Panel { groups, count, second_factor }, lapses_after, escalation }
    }

    fn count(&mut self) -> u32 {
        let Some(text) = self.written.get("count").copied() else { return 1 };
        let count = text.trim().parse().ok().filter(|count| (1..=MAX_COUNT).contains(count));
        count.unwrap_or_else(|| {
            let hint = "It is the number of different persons who must approve.";
            self.problem("count", format!("@count must be a number from 1 to {MAX_COUNT}"), hint);
            1
        })
    }

    fn second_factor(&mut self) -> bool {
        let Some(text) = self.written.get("second_factor").copied() else { return false };
        if text != "approver" {
            let hint = "To ask for the requester's, write a condition on context.second_factor_age.";
            self.problem("second_factor", r#"@second_factor must be "approver""#.to_owned(), hint);
        }
        true
    }

    fn escalation(&mut self, lapses_after: Option<Duration>) -> Option<Escalation> {
        let after = self.duration("escalate_after");
        for (name, other) in [("escalate_after", "escalate_to"), ("escalate_to", "escalate_after")] {
            if self.written.contains_key(name) && !self.written.contains_key(other) {
                let hint = r#"Write both: @escalate_to("oncall") @escalate_after("30 min")."#;
                self.problem(name, format!("@{name} without @{other}"), hint);
            }
        }
        self.written.get("escalate_to")?;
        let groups = self.groups("escalate_to");
        let after = after?;
        if lapses_after.is_some_and(|lapses| lapses <= after) {
            let message = "@escalate_after comes no sooner than @lapses_after".to_owned();
            self.problem("escalate_after", message, "Make it shorter, or the request has lapsed by then.");
        }
        Some(Escalation { after, groups })
    }

    fn required_groups(&mut self, name: &str, purpose: &str) -> Vec<String> {
        if !self.written.contains_key(name) {
            let decision =
                KNOWN.iter().find(|(known, _)| *known == name).and_then(|(_, stages)| stages.first());
            let decision = decision.map_or("", |stage| stage.text());
            let hint = format!(r#"Say {purpose}: @{name}("privacy, oncall")."#);
            self.problem("decision", format!("@decision({decision:?}) without @{name}"), hint);
            return Vec::new();
        }
        self.groups(name)
    }

    fn conditions(&mut self) -> Vec<String> {
        if !self.written.contains_key("condition") {
            return Vec::new();
        }
        let known = self.known;
        let conditions = self.names("condition", "condition", &known.conditions, "ticket, on-duty");
        if conditions.len() > MAX_CONDITIONS {
            let message = format!("@condition names more than {MAX_CONDITIONS} conditions");
            self.problem("condition", message, "Have one of them ask for the others.");
        }
        conditions
    }

    fn groups(&mut self, name: &str) -> Vec<String> {
        let known = self.known;
        self.names(name, "group", &known.groups, "privacy, oncall")
    }

    /// Sorted, so that two policies that name the same groups ask the same panel.
    fn names(&mut self, name: &str, what: &str, known: &BTreeSet<String>, example: &str) -> Vec<String> {
        let text = self.written.get(name).copied().unwrap_or("");
        let mut names = BTreeSet::new();
        for word in text.split(',').map(str::trim) {
            if word.is_empty() {
                let hint = format!("Write names with commas between them: @{name}({example:?}).");
                self.problem(name, format!("@{name} names no {what}"), hint);
                break;
            }
            if !known.contains(word) {
                let (message, hint) = unknown(what, word, known);
                self.problem(name, message, hint);
            }
            names.insert(word.to_owned());
        }
        names.into_iter().collect()
    }
}

/// Message and hint for a group, a category or a condition that the configuration lacks.
pub(crate) fn unknown(what: &str, name: &str, known: &BTreeSet<String>) -> (String, String) {
    let none = sentence(&format!("the configuration has no {what} at all"));
    let hint = meant(name, known.iter().map(String::as_str), &none);
    (format!("{what} {name:?} is not configured"), hint)
}
