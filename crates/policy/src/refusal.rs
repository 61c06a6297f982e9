//! Why nothing is given.

use std::collections::{BTreeMap, BTreeSet};

use pgwarrant_grants::ruling::{Action, Asker, Ruling, Why};

use crate::load::Rule;
use crate::problem::sentence;
use crate::question::Asked;

/// Reasons in one ruling.
const MAX_REASONS: usize = 20;
const MAX_ERROR: usize = 300;
/// Names in one sentence.
const SHOWN: usize = 5;

#[derive(Debug)]
pub(crate) struct Refusal {
    why: Why,
    hint: Option<String>,
}

impl From<Refusal> for Ruling {
    fn from(Refusal { why, hint }: Refusal) -> Self {
        Ruling::Refuse { why, hint }
    }
}

impl Refusal {
    pub(crate) fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        let why = Why { policies: Vec::new(), reasons: vec![reason.into()] };
        Self { why, hint: Some(hint.into()) }
    }

    /// Cedar takes no such value. Unreachable as far as we know, and closed all the same.
    pub(crate) fn unreadable(error: &str) -> Self {
        let why = format!("The request cannot be put to the policies: {}.", shortened(error));
        Self::new(why, "Report this: it is a defect of pgwarrant.")
    }

    /// Policies that could not be evaluated, each with its error.
    pub(crate) fn errors(errors: &[(&Rule, String)]) -> Self {
        let policies = distinct(errors.iter().map(|(rule, _)| rule.terms.id.clone()));
        let reasons = errors.iter().map(|(rule, error)| {
            format!("Policy {:?} could not be evaluated: {}.", rule.terms.id, shortened(error))
        });
        let reasons = distinct(reasons);
        let places: Vec<String> =
            errors.iter().take(1).map(|(rule, _)| format!("{}:{}", rule.file, rule.line)).collect();
        let hint = format!("Whoever keeps the policies can mend it ({}).", places.join(", "));
        Self { why: Why { policies, reasons }, hint: Some(hint) }
    }

    pub(crate) fn forbidden(rules: &[&Rule]) -> Self {
        let mut why = why(rules.iter().copied());
        let silent = rules.iter().filter(|rule| rule.terms.reason.is_none());
        let silent = silent.map(|rule| format!("Policy {:?} forbids it.", rule.terms.id));
        why.reasons = distinct(why.reasons.into_iter().chain(silent));
        let hint = "Change the request accordingly, or talk to whoever keeps the policies.".to_owned();
        Self { why, hint: Some(hint) }
    }

    /// `uncovered` of what was asked has no policy that permits it; `closers` took another way away.
    pub(crate) fn unpermitted(
        by: &Asker,
        asked: &[Asked<'_>],
        uncovered: &[usize],
        closers: &[&Rule],
    ) -> Self {
        let reasons = missing(asked, uncovered)
            .into_iter()
            .map(|what| format!("No policy lets {} ask for {what}.", called(by)));
        let hint = match uncovered.len() < asked.len() {
            true => "Ask for the rest alone, or whoever keeps the policies to add one.",
            false => "Whoever keeps the policies can add one.",
        };
        let Why { policies, reasons: closed } = why(closers.iter().copied());
        let why = Why { policies, reasons: distinct(closed.into_iter().chain(reasons)) };
        Self { why, hint: Some(hint.to_owned()) }
    }
}

/// Ids and reasons of policies that matched.
pub(crate) fn why<'r>(rules: impl Iterator<Item = &'r Rule> + Clone) -> Why {
    let reasons = rules.clone().filter_map(|rule| rule.terms.reason.as_deref().map(sentence));
    Why { policies: rules.map(|rule| rule.terms.id.clone()).collect(), reasons: distinct(reasons) }
}

fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    texts.filter(|text| seen.insert(text.clone())).take(MAX_REASONS).collect()
}

fn shortened(error: &str) -> String {
    let text: String = error.trim_end_matches('.').chars().take(MAX_ERROR).collect();
    text.replace('\n', " ")
}

/// `group engineering`, `groups engineering and oncall`, `ada, who is in no group,`
fn called(by: &Asker) -> String {
    let groups: BTreeSet<&str> = by.groups.iter().map(String::as_str).collect();
    match groups.into_iter().collect::<Vec<_>>().as_slice() {
        [] => format!("{}, who is in no group,", by.user),
        [one] => format!("group {one}"),
        several => format!("groups {}", listed(several)),
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        many if many.len() > SHOWN => {
            let shown: Vec<&str> = many.iter().take(SHOWN).copied().collect();
            format!("{} and {} more", shown.join(", "), many.len() - SHOWN)
        }
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// `category payment`, `public.payments.iban (update)`: whole categories by their name, and the
/// actions where they are not all that were asked for.
fn missing(asked: &[Asked<'_>], uncovered: &[usize]) -> Vec<String> {
    let mut of_category: BTreeMap<(&str, Action), usize> = BTreeMap::new();
    let mut actions = BTreeSet::new();
    for asked in asked {
        actions.insert(asked.action);
        for column in &asked.columns {
            *of_category.entry((&column.category, asked.action)).or_default() += 1;
        }
    }
    let mut lacking: BTreeMap<(&str, Action), Vec<String>> = BTreeMap::new();
    for asked in uncovered.iter().filter_map(|place| asked.get(*place)) {
        for column in &asked.columns {
            let columns = lacking.entry((&column.category, asked.action)).or_default();
            columns.push(crate::looks::column_id(column));
        }
    }
    let mut told: BTreeMap<String, BTreeSet<Action>> = BTreeMap::new();
    for ((category, action), columns) in lacking {
        let whole = of_category.get(&(category, action)) == Some(&columns.len());
        let what = match whole {
            true => format!("category {category}"),
            false => listed(&columns.iter().map(String::as_str).collect::<Vec<_>>()),
        };
        told.entry(what).or_default().insert(action);
    }
    let text = |(what, of): (String, BTreeSet<Action>)| match of == actions {
        true => what,
        false => {
            let names: Vec<&str> = of.iter().map(|action| action.text()).collect();
            format!("{what} ({})", names.join(", "))
        }
    };
    told.into_iter().map(text).collect()
}
