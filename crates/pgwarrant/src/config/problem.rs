//! What is wrong with a configuration, as its author reads it.

use std::fmt;

/// Does it stop the program?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    /// Counted from 1; 0 where it is about the file as a whole.
    pub line: usize,
    /// PostgreSQL style: lower case, no full stop.
    pub message: String,
    /// Sentences.
    pub hint: Option<String>,
}

/// Every mistake of one file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Problems {
    pub file: String,
    pub problems: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(file: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.line);
        Self { file: file.to_owned(), problems }
    }

    pub(super) fn one(file: &str, message: String, hint: &str) -> Self {
        let problem = Problem { severity: Severity::Error, line: 0, message, hint: Some(hint.to_owned()) };
        Self { file: file.to_owned(), problems: vec![problem] }
    }
}

/// `proxy.toml:12: unknown key "adress" in [listen]`, and a HINT line below.
impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            write!(formatter, "{}:", self.file)?;
            if problem.line > 0 {
                write!(formatter, "{}:", problem.line)?;
            }
            if problem.severity == Severity::Warning {
                write!(formatter, " warning:")?;
            }
            write!(formatter, " {}", problem.message)?;
            if let Some(hint) = &problem.hint {
                write!(formatter, "\nHINT:  {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The candidate that `word` was most likely meant to be: at most two slips away, and fewer than
/// half of its letters.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(slips, candidate)| *slips <= 2 && slips * 2 < candidate.chars().count().max(2))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// How many letters to insert, remove, change or swap with their neighbour (optimal string
/// alignment).
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(64).collect();
    let to: Vec<char> = to.chars().take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let changed = above[column] + usize::from(letter != other);
            let mut best = changed.min(above[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && from[row - 1] == *other && *letter == to[column - 1];
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or(0)
}
