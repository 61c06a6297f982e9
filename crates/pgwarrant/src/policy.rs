//! Policies that decide about requests: read for `serve` and `check`, and tried with
//! `pgwarrant policy test`.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pgwarrant_audit::control::{Reply, Request};
use pgwarrant_audit::{Filter, Kind};
use pgwarrant_grants::{Arbiter, ByGroups, Facts};
use pgwarrant_policy::{MAX_REQUESTS, Policies, Problem, Row, read_requests, test};
use serde::Serialize;

use crate::audit_cli::replies;
use crate::cli::Failure;
use crate::config::{self, Config};
use crate::wiring;

/// A file of policies as it was read.
pub struct Source {
    pub file: String,
    pub text: String,
}

/// Reads files of policies, for the groups, categories and conditions of a configuration.
///
/// # Errors
/// Every mistake in every file.
pub fn load(config: &Config, files: &[PathBuf]) -> Result<Policies, Vec<Problem>> {
    load_with_sources(config, files).map(|(policies, _)| policies)
}

/// The same, with the texts that the policies were made of.
///
/// # Errors
/// As [`load`].
pub fn load_with_sources(
    config: &Config,
    files: &[PathBuf],
) -> Result<(Policies, Vec<Source>), Vec<Problem>> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        let name = file.display().to_string();
        match std::fs::read_to_string(file) {
            Ok(text) => sources.push(Source { file: name, text }),
            Err(error) => problems.push(Problem {
                file: name,
                line: 0,
                column: 0,
                message: format!("could not read the file: {error}"),
                hint: Some("Name a file of Cedar policies.".to_owned()),
            }),
        }
    }
    let groups = config.groups.iter().map(|group| group.name.as_str());
    let categories = config.labels.iter().map(|entry| entry.label.category.as_str());
    let conditions = config.conditions.iter().map(|entry| entry.condition.name.as_str());
    let texts = sources.iter().map(|source| (source.file.as_str(), source.text.as_str()));
    match Policies::load(texts, groups, categories, conditions) {
        Ok(policies) if problems.is_empty() => Ok((policies, sources)),
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            Err(problems)
        }
    }
}

/// Who decides about requests: the configured policies, or the groups alone.
///
/// # Errors
/// As [`load`].
pub fn arbiter(config: &Config) -> Result<Box<dyn Arbiter>, Vec<Problem>> {
    match &config.policy {
        Some(policy) => Ok(Box::new(load(config, &policy.files)?)),
        None => Ok(by_groups(config)),
    }
}

/// Who decides where no policies are configured.
pub fn by_groups(config: &Config) -> Box<dyn Arbiter> {
    Box::new(ByGroups::new(&wiring::grants(config)))
}

/// Conditions of the configuration that no policy names. The policies must be right.
pub fn unused_conditions(config: &Config) -> Vec<&config::ConditionEntry> {
    let policies = config.policy.as_ref().and_then(|policy| load(config, &policy.files).ok());
    let used = policies.as_ref().map(Policies::conditions).unwrap_or_default();
    config.conditions.iter().filter(|entry| !used.contains(entry.condition.name.as_str())).collect()
}

/// What `pgwarrant policy test` is asked.
#[derive(Clone, Debug, clap::Args)]
pub struct Trial {
    /// Policies to try, instead of those of the configuration; all of them hold together
    #[arg(long, value_name = "FILE")]
    draft: Vec<PathBuf>,
    /// Requests to try them on, as lines of JSON, instead of those in the audit trail
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
    /// Of the audit trail, those from then on: 2026-03-01, an RFC 3339 time, or how long ago: 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = crate::audit_cli::moment, conflicts_with = "requests")]
    since: Option<i64>,
    /// Print every request, also where nothing changes
    #[arg(long)]
    all: bool,
    /// Print one JSON object a request
    #[arg(long)]
    json: bool,
}

/// Puts requests of before to a draft, and prints what would change. Exit status: 0 nothing would,
/// 1 something would, 2 could not run.
///
/// # Errors
/// The configuration, a policy or a request cannot be read.
pub fn run(file: &Path, asked: &Trial) -> Result<ExitCode, Failure> {
    let config = config::load(file).map_err(|problems| Failure::new(problems.to_string()))?;
    let before = arbiter(&config).map_err(failure)?;
    let files = match (asked.draft.as_slice(), &config.policy) {
        ([], Some(policy)) => policy.files.as_slice(),
        ([], None) => {
            let message = "there are no policies to test";
            return Err(Failure::hint(
                message,
                "Name a draft with --draft FILE, or write [policy] files = […].",
            ));
        }
        (draft, _) => draft,
    };
    let after = load(&config, files).map_err(failure)?;
    let requests = match &asked.requests {
        Some(file) => from_file(file)?,
        None => from_trail(&config.store.path, asked.since)?,
    };
    let count = requests.len();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut changed = 0;
    for row in test(Some(&*before), &after, requests) {
        changed += usize::from(row.changed);
        if row.changed || asked.all {
            print(&mut out, &row, asked.json).map_err(output)?;
        }
    }
    if !asked.json {
        let colour = io::stdout().is_terminal() && changed > 0;
        let (on, off) = if colour { ("\x1b[33m", "\x1b[0m") } else { ("", "") };
        let plural = if count == 1 { "request" } else { "requests" };
        writeln!(out, "{count} {plural}: {on}{changed} would be decided otherwise{off}").map_err(output)?;
    }
    out.flush().map_err(output)?;
    Ok(ExitCode::from(u8::from(changed > 0)))
}

/// All of them as one message.
pub fn failure(problems: Vec<Problem>) -> Failure {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    Failure::new(lines.join("\n"))
}

fn output(error: io::Error) -> Failure {
    Failure::new(format!("could not write the output: {error}"))
}

fn from_file(file: &Path) -> Result<Vec<Facts>, Failure> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::hint(
            format!("could not read {name}: {error}"),
            "Name a file with a request on each line, as pgwarrant.explain(…) shows its facts.",
        )
    })?;
    read_requests(&name, &text).map_err(failure)
}

/// The requests that the audit trail has, oldest first.
fn from_trail(store: &Path, since: Option<i64>) -> Result<Vec<Facts>, Failure> {
    let filter = Filter { kind: Some(Kind::Request), since, ..Filter::default() };
    let mut requests = Vec::new();
    let request = Request::Query { filter, limit: MAX_REQUESTS as u64 };
    let read = replies(store, &request, &mut |reply| {
        // Records of before there were facts have none.
        if let Reply::Record(record) = reply
            && let Ok(facts) = serde_json::from_str::<Facts>(&record.text)
        {
            requests.push(facts);
        }
        Ok(())
    });
    match read {
        Ok(()) => {
            requests.reverse();
            Ok(requests)
        }
        Err(crate::audit_cli::Failure::Trail(error)) => {
            Err(Failure::hint(format!("could not read the audit trail: {error}"), error.hint()))
        }
        Err(crate::audit_cli::Failure::Output(error)) => Err(output(error)),
    }
}

#[derive(Serialize)]
struct Line<'a> {
    number: usize,
    user: &'a str,
    asks: &'a str,
    before: Option<&'a str>,
    after: &'a str,
    changed: bool,
    policies: &'a [String],
    reasons: &'a [String],
}

fn print(out: &mut dyn Write, row: &Row, json: bool) -> io::Result<()> {
    let before = row.before.as_deref();
    if json {
        let Row { number, user, asks, after, changed, policies, reasons, .. } = row;
        let line = Line { number: *number, user, asks, before, after, changed: *changed, policies, reasons };
        return writeln!(out, "{}", serde_json::to_string(&line)?);
    }
    writeln!(out, "{}  {}: {}", row.number, row.user, row.asks)?;
    match before.filter(|_| row.changed) {
        Some(before) => writeln!(out, "    {before}  ->  {}", row.after)?,
        None => writeln!(out, "    {}", row.after)?,
    }
    if !row.policies.is_empty() {
        writeln!(out, "    by {}", row.policies.join(", "))?;
    }
    for reason in &row.reasons {
        writeln!(out, "    {reason}")?;
    }
    Ok(())
}
