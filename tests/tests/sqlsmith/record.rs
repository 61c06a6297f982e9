//! What is found out while sqlsmith runs.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use pgwarrant_tests::raw::Frame;

use crate::relay::Watch;
use crate::search::Canaries;

/// So many distinct statements are kept for the comparison with PostgreSQL's grammar.
const KEPT: usize = 4000;
/// So many of the worst are told.
const TOLD: usize = 20;

/// Everything that was seen.
pub struct Record {
    canaries: Arc<Canaries>,
    /// What sqlsmith asked the catalogs before it began.
    pub asked: usize,
    /// Is it still asking?
    asking: bool,
    pub statements: usize,
    pub bytes: usize,
    pub rows: usize,
    /// Statements that the proxy refused, by SQLSTATE and what kind of refusal.
    pub refused: BTreeMap<String, usize>,
    /// Statements that PostgreSQL answered with an error, by SQLSTATE.
    pub failed: BTreeMap<String, usize>,
    /// What must not be: canaries, FATAL, 08P01, a connection that was closed.
    pub wrong: Vec<String>,
    /// Distinct statements, the first ones.
    pub kept: Vec<String>,
    hashes: HashSet<u64>,
}

impl Record {
    pub fn new(canaries: Arc<Canaries>) -> Record {
        Record {
            canaries,
            asked: 0,
            asking: true,
            statements: 0,
            bytes: 0,
            rows: 0,
            refused: BTreeMap::new(),
            failed: BTreeMap::new(),
            wrong: Vec::new(),
            kept: Vec::new(),
            hashes: HashSet::new(),
        }
    }

    fn wrong(&mut self, what: String) {
        if self.wrong.len() < TOLD {
            self.wrong.push(what);
        }
    }

    fn keep(&mut self, statement: &str) {
        let mut hasher = DefaultHasher::new();
        statement.hash(&mut hasher);
        if self.kept.len() < KEPT && self.hashes.insert(hasher.finish()) {
            self.kept.push(statement.to_owned());
        }
    }
}

impl Watch for Record {
    fn exchange(&mut self, statement: &str, frames: &[Frame]) {
        // Its two connections tell their names.
        match statement {
            _ if statement.contains("'sqlsmith::dut'") => self.asking = false,
            _ if statement.contains("'sqlsmith::schema'") => self.asking = true,
            _ => {}
        }
        let complete = usize::from(frames.last().is_some_and(|frame| frame.tag == b'Z'));
        match self.asking {
            true => self.asked += complete,
            false => self.statements += complete,
        }
        self.bytes += frames.iter().map(|frame| frame.body.len() + 5).sum::<usize>();
        self.rows += frames.iter().filter(|frame| frame.tag == b'D').count();
        let found = self.canaries.disclosed(frames, statement, |_| false);
        if !found.is_empty() {
            self.wrong(format!("disclosed {}: {statement}", found.join(", ")));
        }
        for error in frames.iter().filter(|frame| frame.tag == b'E') {
            let (severity, code) = (error.field(b'V'), error.field(b'C'));
            if severity != "ERROR" || code == "08P01" {
                self.wrong(format!("{severity} {code} {}: {statement}", error.field(b'M')));
            }
            // PostgreSQL says where in its source an error comes from; the proxy has no such place.
            if error.field(b'F').is_empty() {
                let kind = kind(&error.field(b'M'));
                *self.refused.entry(format!("{code} {kind}")).or_default() += 1;
            } else {
                *self.failed.entry(code).or_default() += 1;
            }
        }
        if !self.asking {
            self.keep(statement);
        }
    }

    fn closed(&mut self, statement: &str, frames: &[Frame]) {
        if !frames.is_empty() {
            let last = frames.last().map(Frame::shape).unwrap_or_default();
            self.wrong(format!("closed with {last}: {statement}"));
        }
    }
}

/// A message without the names in it.
fn kind(message: &str) -> String {
    let kinds = [
        "a form that pgwarrant does not know",
        "permission denied for column",
        "permission denied for function",
        "permission denied for relation",
        "permission denied for DDL",
        "permission denied to insert",
        "permission denied to update",
        "permission denied to delete",
        "permission denied to merge",
        "the statement failed",
        "does not exist",
    ];
    match kinds.iter().find(|kind| message.contains(**kind)) {
        Some(kind) => (*kind).to_owned(),
        None => message.split_whitespace().take(4).collect::<Vec<_>>().join(" "),
    }
}

impl fmt::Display for Record {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |counts: &BTreeMap<String, usize>| {
            let sum: usize = counts.values().sum();
            format!("{sum} ({:.1} %)", 100.0 * sum as f64 / self.statements.max(1) as f64)
        };
        let Record { asked, statements, rows, bytes, .. } = self;
        writeln!(
            out,
            "statements: {statements} and {asked} about the catalogs; rows: {rows}; bytes searched: {bytes}"
        )?;
        writeln!(out, "refused by the proxy: {}", share(&self.refused))?;
        for (kind, count) in &self.refused {
            writeln!(out, "  {count:>8} {kind}")?;
        }
        writeln!(out, "errors of PostgreSQL: {}", share(&self.failed))?;
        for (code, count) in &self.failed {
            writeln!(out, "  {count:>8} {code}")?;
        }
        Ok(())
    }
}
