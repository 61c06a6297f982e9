//! What follows where several policies match: the strictest of each.

use std::collections::BTreeSet;
use std::time::Duration;

use pgwarrant_grants::ruling::{Ceiling, Escalation, Panel, Ruling};

use crate::load::Rule;
use crate::refusal::why;

/// `closers` took a quicker way away.
pub(crate) fn approve(closers: &[&Rule], rules: &[&Rule]) -> Ruling {
    Ruling::Approve { why: why(closers.iter().chain(rules).copied()), limits: limits(rules) }
}

pub(crate) fn break_glass(rules: &[&Rule]) -> Ruling {
    let named = rules.iter().map(|rule| rule.terms.reviewers.as_slice());
    let common = common(named.clone());
    // Where they have no group in common, any of them: an emergency does not wait for a better file.
    let reviewers = match common.is_empty() {
        true => named.flatten().cloned().collect::<BTreeSet<String>>().into_iter().collect(),
        false => common,
    };
    Ruling::BreakGlass { why: why(rules.iter().copied()), limits: limits(rules), reviewers }
}

/// `closers` took a quicker way away.
pub(crate) fn ask(closers: &[&Rule], rules: &[&Rule]) -> Ruling {
    let asking = || rules.iter().filter_map(|rule| rule.terms.asking.as_ref());
    Ruling::Ask {
        why: why(closers.iter().chain(rules).copied()),
        limits: limits(rules),
        panels: panels(asking().map(|asking| &asking.panel)),
        lapses_after: asking().filter_map(|asking| asking.lapses_after).min(),
        escalation: escalation(asking().map(|asking| asking.escalation.as_ref())),
    }
}

fn limits(rules: &[&Rule]) -> Ceiling {
    let conditions: BTreeSet<&String> = rules.iter().flat_map(|rule| &rule.terms.conditions).collect();
    Ceiling {
        max_duration: rules.iter().filter_map(|rule| rule.terms.max_duration).min(),
        conditions: conditions.into_iter().cloned().collect(),
    }
}

/// All of them; of those of the same groups the larger count.
fn panels<'r>(panels: impl Iterator<Item = &'r Panel>) -> Vec<Panel> {
    let mut merged: Vec<Panel> = Vec::new();
    for panel in panels {
        match merged.iter_mut().find(|known| known.groups == panel.groups) {
            Some(known) => {
                known.count = known.count.max(panel.count);
                known.second_factor |= panel.second_factor;
            }
            None => merged.push(panel.clone()),
        }
    }
    merged
}

/// Only where every policy has one: those groups then decide in every panel. After the longest
/// time, the groups that all of them name.
fn escalation<'r>(escalations: impl Iterator<Item = Option<&'r Escalation>>) -> Option<Escalation> {
    let all: Vec<&Escalation> = escalations.collect::<Option<_>>()?;
    let after: Duration = all.iter().map(|escalation| escalation.after).max()?;
    let groups = common(all.iter().map(|escalation| escalation.groups.as_slice()));
    (!groups.is_empty()).then_some(Escalation { after, groups })
}

/// What is in each list, in the first one's order.
fn common<'r>(mut lists: impl Iterator<Item = &'r [String]> + Clone) -> Vec<String> {
    let Some(first) = lists.next() else { return Vec::new() };
    first.iter().filter(|name| lists.clone().all(|list| list.contains(name))).cloned().collect()
}
