//! Why a ruling came out as it did: every policy, and what it says of everything asked for.

use cedar_policy::Authorizer;
use pgwarrant_grants::ruling::{Action, Facts, Ruling};

use crate::decide::Verdict;
use crate::load::Policies;
use crate::looks::column_id;
use crate::question::Question;
use crate::terms::Stage;

/// One policy, asked about one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained<'p> {
    pub id: &'p str,
    pub file: &'p str,
    pub line: usize,
    pub stage: Stage,
    /// `permit`; else `forbid`.
    pub permits: bool,
    /// Columns that no policy tells apart are one.
    pub verdicts: Vec<Said>,
}

/// What a policy says of one action on columns that no policy tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub action: Action,
    /// `public.customers.email`
    pub columns: Vec<String>,
    pub verdict: Verdict,
}

impl Policies {
    /// All policies in the order of the stages, then of their files, also those of stages that the
    /// ruling did not come to. Much slower than [`Arbiter::rule`](pgwarrant_grants::ruling::Arbiter):
    /// for people, one request at a time.
    ///
    /// # Errors
    /// The refusal of a request that is not put to policies: it asks for nothing, or is too large.
    pub fn explain(&self, facts: &Facts) -> Result<Vec<Explained<'_>>, Box<Ruling>> {
        let question = Question::new(self, facts).map_err(|refusal| Box::new(Ruling::from(refusal)))?;
        let authorizer = Authorizer::new();
        let mut explained: Vec<Explained<'_>> = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            let mut known = None;
            let verdicts = question.asked.iter().map(|asked| Said {
                action: asked.action,
                columns: asked.columns.iter().map(|column| column_id(column)).collect(),
                verdict: question.verdict(&authorizer, rule, asked, &mut known).0,
            });
            explained.push(Explained {
                id: &rule.terms.id,
                file: &rule.file,
                line: rule.line,
                stage: rule.terms.stage,
                permits: rule.terms.permits,
                verdicts: verdicts.collect(),
            });
        }
        explained.sort_by_key(|policy| policy.stage);
        Ok(explained)
    }
}

impl Explained<'_> {
    /// `matches`, `conditions do not hold`, `about another principal`, …: of all that was asked the
    /// answer that came nearest.
    pub fn text(&self) -> String {
        let verdicts = || self.verdicts.iter().map(|said| &said.verdict);
        let error = verdicts().find_map(|verdict| match verdict {
            Verdict::Error(error) => Some(format!("cannot be evaluated: {error}")),
            _ => None,
        });
        let satisfied = verdicts().filter(|verdict| **verdict == Verdict::Satisfied).count();
        let misfit = verdicts().find_map(|verdict| match verdict {
            Verdict::OutOfScope(part) => Some(format!("about another {}", part.text())),
            _ => None,
        });
        let in_scope = verdicts().any(|verdict| *verdict == Verdict::Unsatisfied);
        match (error, satisfied, in_scope, misfit) {
            (Some(error), ..) => error,
            (None, 0, false, Some(misfit)) => misfit,
            (None, 0, ..) => "conditions do not hold".to_owned(),
            (None, some, ..) if some < self.verdicts.len() => "matches a part".to_owned(),
            (None, ..) => "matches".to_owned(),
        }
    }
}
