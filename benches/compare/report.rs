//! What was measured, what it is held against, and whether every check held.

use crate::figure::quantile;

/// The contenders that have a column of their own, in the table's order.
pub const DIRECT: &str = "direct";
pub const SPLICE: &str = "splice";
pub const HAPROXY: &str = "haproxy";
pub const PGBOUNCER: &str = "pgbouncer";
pub const PGCAT: &str = "pgcat";
pub const PGDOG: &str = "pgdog";
pub const PGWARRANT: &str = "pgwarrant";
pub const COLUMNS: [&str; 7] = [DIRECT, SPLICE, HAPROXY, PGBOUNCER, PGCAT, PGDOG, PGWARRANT];

/// Which way a bound points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    AtMost(f64),
    AtLeast(f64),
    /// Less than one: below the other, by however little.
    Below,
    /// Only reported.
    Any,
}

/// What a contender's figure must be, by itself or as a multiple of another's in the same rounds.
#[derive(Clone, Debug)]
pub struct Bound {
    pub of: String,
    /// The figure is divided by this one's.
    pub against: Option<String>,
    pub must: Limit,
    pub aim: Option<f64>,
}

impl Bound {
    pub fn at_most(of: &str, must: f64) -> Bound {
        Bound { of: of.to_owned(), against: None, must: Limit::AtMost(must), aim: None }
    }

    pub fn ratio_at_most(of: &str, against: &str, must: f64) -> Bound {
        Bound { against: Some(against.to_owned()), ..Bound::at_most(of, must) }
    }

    pub fn ratio_at_least(of: &str, against: &str, must: f64) -> Bound {
        Bound { must: Limit::AtLeast(must), ..Bound::ratio_at_most(of, against, must) }
    }

    pub fn below(of: &str, than: &str) -> Bound {
        Bound { must: Limit::Below, ..Bound::ratio_at_most(of, than, 1.0) }
    }

    /// Reports a ratio and asks nothing of it.
    pub fn ratio(of: &str, against: &str) -> Bound {
        Bound { must: Limit::Any, ..Bound::ratio_at_most(of, against, 1.0) }
    }

    /// What would be better than the must, in the same direction.
    pub fn aim(self, aim: f64) -> Bound {
        Bound { aim: Some(aim), ..self }
    }
}

/// A bound held against what was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The figure, or the median of the rounds' ratios, with the least and the largest.
    pub value: Spread,
    /// Nothing where nothing is asked.
    pub met: Option<bool>,
    /// Nothing where there is no aim.
    pub aim_met: Option<bool>,
}

/// A median with the least and the largest of the rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub largest: f64,
}

impl Spread {
    /// Nothing of no samples.
    pub fn of(samples: &[f64]) -> Option<Spread> {
        let least = samples.iter().copied().reduce(f64::min)?;
        let largest = samples.iter().copied().reduce(f64::max)?;
        Some(Spread { median: quantile(samples, 0.5), least, largest })
    }
}

/// One row of the table: a quantity, each contender's samples of it, and what it is held against.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: String,
    pub unit: String,
    pub bounds: Vec<Bound>,
    pub notes: Vec<String>,
    /// By contender, one value a round.
    pub samples: Vec<(String, Vec<f64>)>,
}

impl Line {
    pub fn new(name: &str, unit: &str) -> Line {
        Line {
            name: name.to_owned(),
            unit: unit.to_owned(),
            bounds: Vec::new(),
            notes: Vec::new(),
            samples: Vec::new(),
        }
    }

    pub fn bound(mut self, bound: Bound) -> Line {
        self.bounds.push(bound);
        self
    }

    pub fn note(mut self, note: impl Into<String>) -> Line {
        self.notes.push(note.into());
        self
    }

    pub fn of(&self, contender: &str) -> &[f64] {
        let found = self.samples.iter().find(|(name, _)| name == contender);
        found.map(|(_, samples)| samples.as_slice()).unwrap_or_default()
    }

    /// Nothing where one of the two was not measured.
    pub fn verdict(&self, bound: &Bound) -> Option<Verdict> {
        let own = self.of(&bound.of);
        let value = match &bound.against {
            None => Spread::of(own)?,
            Some(against) => ratio(own, self.of(against))?,
        };
        let (met, aim_met) = match bound.must {
            Limit::AtMost(must) => (Some(value.median <= must), bound.aim.map(|aim| value.median <= aim)),
            Limit::AtLeast(must) => (Some(value.median >= must), bound.aim.map(|aim| value.median >= aim)),
            Limit::Below => (Some(value.median < 1.0), None),
            Limit::Any => (None, None),
        };
        Some(Verdict { value, met, aim_met })
    }
}

/// Round by round, so that what slows a whole round down cancels out; of the medians where the
/// rounds do not pair.
fn ratio(own: &[f64], other: &[f64]) -> Option<Spread> {
    if own.len() == other.len() {
        let ratios: Vec<f64> = own.iter().zip(other).map(|(own, other)| own / other).collect();
        return Spread::of(&ratios);
    }
    Spread::of(&[Spread::of(own)?.median / Spread::of(other)?.median])
}

/// Something that had to hold for the figures to count.
#[derive(Clone, Debug)]
pub struct Check {
    pub name: String,
    /// What was seen, or why it failed.
    pub outcome: Result<String, String>,
}

/// Everything that a run has found out so far.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub lines: Vec<Line>,
    pub checks: Vec<Check>,
    /// Contenders that were not found, and what else a reader should know.
    pub remarks: Vec<String>,
}

impl Report {
    /// Adds a row without samples; one of the same name is kept.
    pub fn line(&mut self, line: Line) {
        if !self.lines.iter().any(|known| known.name == line.name) {
            self.lines.push(line);
        }
    }

    /// Adds a round's value to a row; a row that nobody has described gets no unit and no bound.
    pub fn sample(&mut self, line: &str, contender: &str, value: f64) {
        self.line(Line::new(line, ""));
        let Some(line) = self.lines.iter_mut().find(|known| known.name == line) else { return };
        match line.samples.iter_mut().find(|(name, _)| name == contender) {
            Some((_, samples)) => samples.push(value),
            None => line.samples.push((contender.to_owned(), vec![value])),
        }
    }

    /// Adds what had to hold. A failed check fails the run.
    pub fn check(&mut self, name: impl Into<String>, outcome: Result<String, String>) {
        self.checks.push(Check { name: name.into(), outcome });
    }

    pub fn failed(&self) -> bool {
        self.checks.iter().any(|check| check.outcome.is_err())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(own: &[f64], other: &[f64], bound: Bound) -> Line {
        let mut report = Report::default();
        report.line(Line::new("cpu", "µs").bound(bound));
        for value in own {
            report.sample("cpu", PGWARRANT, *value);
        }
        for value in other {
            report.sample("cpu", SPLICE, *value);
        }
        report.lines.remove(0)
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let bound = Bound::ratio_at_most(PGWARRANT, SPLICE, 1.25).aim(1.15);
        let line = measured(&[12.0, 24.0, 36.0], &[10.0, 20.0, 30.0], bound.clone());
        let verdict = line.verdict(&bound).expect("both were measured");
        assert!((verdict.value.median - 1.2).abs() < 1e-9 && (verdict.value.largest - 1.2).abs() < 1e-9);
        assert_eq!((verdict.met, verdict.aim_met), (Some(true), Some(false)));
    }

    #[test]
    fn a_missing_contender_gives_no_verdict() {
        let bound = Bound::below(PGWARRANT, PGBOUNCER);
        assert_eq!(measured(&[1.0], &[1.0], bound.clone()).verdict(&bound), None);
    }

    #[test]
    fn at_least_and_below_point_the_other_way() {
        let least = Bound::ratio_at_least(PGWARRANT, SPLICE, 0.7).aim(0.85);
        let verdict = measured(&[8.0], &[10.0], least.clone()).verdict(&least).expect("measured");
        assert_eq!((verdict.met, verdict.aim_met), (Some(true), Some(false)));
        let below = Bound::below(PGWARRANT, SPLICE);
        let verdict = measured(&[10.0], &[10.0], below.clone()).verdict(&below).expect("measured");
        assert_eq!(verdict.met, Some(false));
    }

    #[test]
    fn rounds_that_do_not_pair_are_compared_by_their_medians() {
        let bound = Bound::ratio_at_most(PGWARRANT, SPLICE, 1.0);
        let line = measured(&[10.0, 20.0, 30.0], &[20.0], bound.clone());
        assert_eq!(line.verdict(&bound).map(|verdict| verdict.value.median), Some(1.0));
    }
}
