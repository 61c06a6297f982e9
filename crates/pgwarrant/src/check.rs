//! `pgwarrant check`: every problem of a configuration at once, the live databases' included.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use pgwarrant_catalog::{Finding, FindingKind};
use serde::Serialize;

use crate::config::{self, Config, Severity};
use crate::{policy, wiring};

/// One line of the report.
#[derive(Debug, Serialize)]
struct Entry {
    severity: &'static str,
    file: String,
    /// Counted from 1; absent where it is about no line.
    line: Option<usize>,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

/// Checks the file and, unless `offline`, what it means for each database.
pub fn run(file: &Path, offline: bool, json: bool) -> ExitCode {
    let name = file.display().to_string();
    let mut entries = Vec::new();
    match config::load(file) {
        Err(problems) => entries.extend(problems.problems.iter().map(|problem| from_problem(&name, problem))),
        Ok(config) => {
            entries.extend(config.warnings.problems.iter().map(|problem| from_problem(&name, problem)));
            match policy::arbiter(&config) {
                Err(problems) => entries.extend(problems.into_iter().map(from_policy)),
                Ok(_) => entries.extend(unused_conditions(&name, &config)),
            }
            if !offline {
                entries.extend(live(&name, &config));
                entries.extend(providers(&name, &config));
            }
        }
    }
    let errors = entries.iter().filter(|entry| entry.severity == "error").count();
    let warnings = entries.len() - errors;
    let printed = if json { print_json(&entries) } else { print_text(&name, &entries, errors, warnings) };
    match printed {
        Ok(()) if errors == 0 => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(1),
        Err(_) => ExitCode::from(2),
    }
}

fn from_problem(file: &str, problem: &config::Problem) -> Entry {
    Entry {
        severity: if problem.severity == Severity::Error { "error" } else { "warning" },
        file: file.to_owned(),
        line: (problem.line > 0).then_some(problem.line),
        message: problem.message.clone(),
        detail: None,
        hint: problem.hint.clone(),
    }
}

fn from_policy(problem: pgwarrant_policy::Problem) -> Entry {
    Entry {
        severity: "error",
        file: problem.file,
        line: (problem.line > 0).then_some(problem.line),
        message: problem.message,
        detail: None,
        hint: problem.hint,
    }
}

fn unused_conditions(file: &str, config: &Config) -> Vec<Entry> {
    let unused = policy::unused_conditions(config).into_iter();
    let entry = |entry: &config::ConditionEntry| Entry {
        severity: "warning",
        file: file.to_owned(),
        line: Some(entry.line),
        message: format!("no policy names the condition \"{}\"", entry.condition.name),
        detail: None,
        hint: Some(format!("Write @condition({:?}) on a permit, or remove it here.", entry.condition.name)),
    };
    unused.map(entry).collect()
}

/// What each database says of the labels and of the roles.
fn live(file: &str, config: &Config) -> Vec<Entry> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![trouble(file, None, format!("could not start: {error}"), None)],
    };
    let labels = wiring::labels(config);
    let mut entries = Vec::new();
    for database in &config.databases {
        let line = Some(database.line);
        let settings = match wiring::database(database) {
            Ok(settings) => settings,
            Err(failure) => {
                entries.push(trouble(file, line, failure.message, failure.hint));
                continue;
            }
        };
        match runtime.block_on(pgwarrant_proxy::inspect(&settings, &labels, &config.trust.functions)) {
            Ok(findings) => {
                entries.extend(findings.iter().map(|finding| from_finding(file, config, database, finding)))
            }
            Err(error) => {
                let hint =
                    "Is the database up, and is the role's password right? --offline checks the file only.";
                entries.push(trouble(file, line, error.to_string(), Some(hint.to_owned())));
            }
        }
    }
    entries
}

/// What each identity provider answers with.
fn providers(file: &str, config: &Config) -> Vec<Entry> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![trouble(file, None, format!("could not start: {error}"), None)],
    };
    let mut entries = Vec::new();
    for entry in &config.identity.providers {
        let (line, name) = (Some(entry.line), &entry.provider.name);
        let problem = match pgwarrant_proxy::Provider::new(&entry.provider) {
            Ok(provider) => runtime.block_on(provider.warm()).err().map(|why| why.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(problem) = problem {
            let hint = "Is it up, and can this machine reach it? --offline checks the file only.";
            let message = format!("identity provider {name}: {problem}");
            entries.push(trouble(file, line, message, Some(hint.to_owned())));
        }
    }
    entries
}

fn trouble(file: &str, line: Option<usize>, message: String, hint: Option<String>) -> Entry {
    Entry { severity: "error", file: file.to_owned(), line, message, detail: None, hint }
}

fn from_finding(file: &str, config: &Config, database: &config::Database, finding: &Finding) -> Entry {
    let severity = match finding.kind {
        FindingKind::Pattern | FindingKind::Unbound | FindingKind::Mask => "error",
        FindingKind::Conflict
        | FindingKind::Trusted
        | FindingKind::Risk
        | FindingKind::Unlabelled
        | FindingKind::Unrestorable
        | FindingKind::Upstream => "warning",
    };
    let label = finding.label.and_then(|index| config.labels.get(index));
    Entry {
        severity,
        file: file.to_owned(),
        line: Some(label.map_or(database.line, |label| label.line)),
        message: format!("database {}: {}", database.name, finding.message),
        detail: finding.detail.clone(),
        hint: finding.hint.clone(),
    }
}

fn print_json(entries: &[Entry]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for entry in entries {
        writeln!(out, "{}", serde_json::to_string(entry)?)?;
    }
    Ok(())
}

fn print_text(file: &str, entries: &[Entry], errors: usize, warnings: usize) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let colours = out.is_terminal();
    for entry in entries {
        let place = entry.line.map_or_else(|| entry.file.clone(), |line| format!("{}:{line}", entry.file));
        let severity = match (colours, entry.severity) {
            (true, "error") => "\x1b[31merror\x1b[0m".to_owned(),
            (true, other) => format!("\x1b[33m{other}\x1b[0m"),
            (false, other) => other.to_owned(),
        };
        writeln!(out, "{place}: {severity}: {}", entry.message)?;
        for (name, text) in [("DETAIL", &entry.detail), ("HINT", &entry.hint)] {
            if let Some(text) = text {
                writeln!(out, "{name}:  {text}")?;
            }
        }
    }
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    writeln!(out, "{file}: {}, {}", plural(errors, "error"), plural(warnings, "warning"))
}
