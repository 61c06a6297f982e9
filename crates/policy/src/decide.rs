//! The ruling: policies asked stage by stage.
//!
//! A stage is Cedar's own evaluation over the stage's policies and the refusing ones, for every
//! action on every column: yes if for each of them a `permit` is satisfied and no `forbid` is.
//! Satisfied or not is for Cedar alone to say, of one policy at a time, so that a policy about
//! others costs nothing, each answer serves all stages, and what matched can be told. A policy is
//! evaluated whole unless a part of its conditions is not met already ([`crate::conjuncts`]).

use std::collections::BTreeSet;

use cedar_policy::{AuthorizationError, Authorizer};
use pgwarrant_grants::Principal;
use pgwarrant_grants::ruling::{Arbiter, Facts, Ruling, Urgency};

use crate::load::{Policies, Rule};
use crate::merge;
use crate::question::{Asked, Question};
use crate::refusal::Refusal;
use crate::scope::Part;
use crate::terms::Stage;

/// Evaluations of one policy for one request: a bound on the time that a ruling takes.
const MAX_EVALUATIONS: usize = 200_000;

/// What a policy says of one action on one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is about others.
    OutOfScope(Part),
    /// It is about that, but its conditions do not hold.
    Unsatisfied,
    Satisfied,
    /// It could not be evaluated.
    Error(String),
}

impl Arbiter for Policies {
    fn rule(&self, facts: &Facts) -> Ruling {
        self.decide(facts).unwrap_or_else(Ruling::from)
    }

    /// Whether a `permit` is about them at all, whatever its conditions.
    fn may_ask(&self, who: &Principal) -> bool {
        let permits = |place: &usize| self.rules.get(*place).is_some_and(|rule| rule.terms.permits);
        self.about(&who.user, &who.groups).iter().any(permits)
    }
}

impl Policies {
    fn decide(&self, facts: &Facts) -> Result<Ruling, Refusal> {
        let question = Question::new(self, facts)?;
        let rules = self.about(&facts.by.user, &facts.by.groups);
        let rules = rules.iter().filter_map(|place| self.rules.get(*place)).collect();
        let mut hearing =
            Hearing { question: &question, rules, evaluations: 0, authorizer: Authorizer::new() };

        let refusing = hearing.stage(Stage::Refuse)?;
        if !refusing.forbids.is_empty() {
            return Err(Refusal::forbidden(&refusing.forbids));
        }
        let mut closers = Vec::new();
        if facts.urgency == Urgency::BreakGlass {
            let heard = hearing.stage(Stage::BreakGlass)?;
            if heard.yes() {
                return Ok(merge::break_glass(&heard.permits));
            }
            closers.extend(heard.closers());
        }
        let heard = hearing.stage(Stage::Approve)?;
        if heard.yes() {
            return Ok(merge::approve(&closers, &heard.permits));
        }
        closers.extend(heard.closers());
        let heard = hearing.stage(Stage::Ask)?;
        match (heard.yes(), heard.forbids.is_empty()) {
            (true, _) => Ok(merge::ask(&closers, &heard.permits)),
            (false, false) => Err(Refusal::forbidden(&heard.forbids)),
            (false, true) => {
                Err(Refusal::unpermitted(&facts.by, &question.asked, &heard.uncovered, &closers))
            }
        }
    }

    /// Places of the policies whose principal may be this one, in the order of the files.
    fn about(&self, user: &str, groups: &[String]) -> Vec<usize> {
        let of_groups = groups.iter().filter_map(|group| self.about_group.get(group)).flatten();
        let of_user = self.about_user.get(user).into_iter().flatten();
        let places: BTreeSet<usize> =
            self.about_all.iter().chain(of_user).chain(of_groups).copied().collect();
        places.into_iter().collect()
    }
}

/// What the policies of a stage said.
struct Heard<'p> {
    permits: Vec<&'p Rule>,
    forbids: Vec<&'p Rule>,
    /// Places of what was asked for that no `permit` covers.
    uncovered: Vec<usize>,
}

impl<'p> Heard<'p> {
    fn yes(&self) -> bool {
        self.uncovered.is_empty() && self.forbids.is_empty()
    }

    /// The policies but for which it were a yes: whoever asked wants to know.
    fn closers(self) -> Vec<&'p Rule> {
        if self.uncovered.is_empty() { self.forbids } else { Vec::new() }
    }
}

struct Hearing<'p, 'q> {
    question: &'q Question<'q>,
    rules: Vec<&'p Rule>,
    evaluations: usize,
    authorizer: Authorizer,
}

impl<'p> Hearing<'p, '_> {
    /// Every policy of the stage is heard, also where the answer is clear before, so that whether
    /// an error refuses does not depend on the order of anything.
    fn stage(&mut self, stage: Stage) -> Result<Heard<'p>, Refusal> {
        let asked = &self.question.asked;
        let mut covered = vec![false; asked.len()];
        let (mut permits, mut forbids, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for rule in self.rules.iter().copied().filter(|rule| rule.terms.stage == stage) {
            let mut matched = false;
            let mut known = None;
            for (asked, covered) in asked.iter().zip(&mut covered) {
                match self.question.verdict(&self.authorizer, rule, asked, &mut known) {
                    (Verdict::Satisfied, cost) => {
                        self.evaluations += cost;
                        matched = true;
                        *covered |= rule.terms.permits;
                    }
                    (Verdict::Error(error), cost) => {
                        self.evaluations += cost;
                        errors.push((rule, error));
                    }
                    (Verdict::OutOfScope(_) | Verdict::Unsatisfied, cost) => self.evaluations += cost,
                }
            }
            if self.evaluations > MAX_EVALUATIONS {
                let why = "The request takes the policies too long to decide.";
                return Err(Refusal::new(why, "Ask for fewer columns at once."));
            }
            match (matched, rule.terms.permits) {
                (true, true) => permits.push(rule),
                (true, false) => forbids.push(rule),
                (false, _) => {}
            }
        }
        if !errors.is_empty() {
            return Err(Refusal::errors(&errors));
        }
        let uncovered = covered.iter().enumerate().filter(|(_, covered)| !**covered).map(|(place, _)| place);
        Ok(Heard { permits, forbids, uncovered: uncovered.collect() })
    }
}

impl Question<'_> {
    /// And how many evaluations that took. `known` keeps what a policy says whose conditions look
    /// at nothing that differs within the request.
    pub(crate) fn verdict(
        &self,
        authorizer: &Authorizer,
        rule: &Rule,
        asked: &Asked<'_>,
        known: &mut Option<Verdict>,
    ) -> (Verdict, usize) {
        let Facts { by, database, .. } = self.facts;
        if let Some(part) = rule.scope.misfit(by, asked.action, asked.column, database) {
            return (Verdict::OutOfScope(part), 0);
        }
        if let Some(verdict) = known.as_ref().filter(|_| !rule.depends_on_asked) {
            return (verdict.clone(), 0);
        }
        if rule.conjuncts.unmet(self.parts, &self.values, &asked.request, &self.entities) {
            *known = Some(Verdict::Unsatisfied);
            return (Verdict::Unsatisfied, 1);
        }
        let response = authorizer.is_authorized(&asked.request, &rule.set, &self.entities);
        let diagnostics = response.diagnostics();
        let verdict = match (diagnostics.errors().next(), diagnostics.reason().next()) {
            (Some(AuthorizationError::PolicyEvaluationError(error)), _) => {
                Verdict::Error(error.inner().to_string())
            }
            (None, Some(_)) => Verdict::Satisfied,
            (None, None) => Verdict::Unsatisfied,
        };
        *known = Some(verdict.clone());
        (verdict, 1)
    }
}

#[cfg(test)]
mod tests;
