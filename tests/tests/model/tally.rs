//! What came of many comparisons, and what must.

use std::collections::BTreeMap;
use std::fmt;

use crate::compare::Verdict;

#[derive(Debug, Default)]
pub struct Tally {
    same: usize,
    errors: BTreeMap<String, usize>,
    blocked: usize,
    allowed: BTreeMap<&'static str, usize>,
    refused: BTreeMap<String, usize>,
    different: usize,
    /// How often failures of each kind were seen.
    kinds: BTreeMap<String, usize>,
    /// Made small, for people.
    pub failures: Vec<String>,
}

/// Failures of one kind that are made small.
const SHOWN: usize = 2;

/// Refusals that are known, by the start of their words: `ROW(c.*)` beside GROUP BY of the primary
/// key names no column that could be added to GROUP BY.
const LIMITS: [&str; 1] = ["42803 column … "];

impl Tally {
    /// Counts; is it a failure that people should see made small?
    pub fn add(&mut self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Same => self.same += 1,
            Verdict::SameError(sqlstate) => *self.errors.entry(sqlstate.clone()).or_default() += 1,
            Verdict::Blocked => self.blocked += 1,
            Verdict::Allowed(rule) => *self.allowed.entry(rule).or_default() += 1,
            Verdict::Refused(reason) => *self.refused.entry(reason.clone()).or_default() += 1,
            Verdict::Different(_) => self.different += 1,
        }
        let Some(kind) = verdict.kind() else { return false };
        let seen = self.kinds.entry(kind).or_default();
        *seen += 1;
        *seen <= SHOWN
    }

    fn all(&self) -> usize {
        let counted: usize =
            self.allowed.values().chain(self.refused.values()).chain(self.errors.values()).sum();
        self.same + self.blocked + self.different + counted
    }

    /// # Panics
    /// When results differ, when something is refused that no limit explains, or when too much is
    /// refused or excused.
    pub fn check(&self) {
        let unexplained: Vec<&String> = self
            .refused
            .keys()
            .filter(|reason| !LIMITS.iter().any(|limit| reason.starts_with(limit)))
            .collect();
        let report = self.failures.join("\n\n");
        assert!(self.different == 0 && unexplained.is_empty(), "{self}\n{unexplained:?}\n\n{report}");
        let refused: usize = self.refused.values().sum();
        assert!(refused * 50 < self.all(), "more than 2 % is refused: {self}");
        let allowed: usize = self.allowed.values().sum();
        assert!(allowed * 20 < self.all(), "more than 5 % is excused: {self}");
        let errors: usize = self.errors.values().sum();
        assert!(errors * 5 < self.all(), "more than 20 % fail on both sides: {self}\n{:?}", self.errors);
        assert!(self.blocked * 10 < self.all(), "more than 10 % is blocked: {self}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} comparisons: {} the same, {} the same error, {} blocked, {} different",
            self.all(),
            self.same,
            self.errors.values().sum::<usize>(),
            self.blocked,
            self.different
        )?;
        for (rule, count) in &self.allowed {
            write!(f, "; allowed, {rule}: {count}")?;
        }
        for (reason, count) in &self.refused {
            write!(f, "; refused, {reason}: {count}")?;
        }
        Ok(())
    }
}
