//! The check that nothing was won by doing less: the audit trail holds what was sent, its chain
//! verifies, and masked columns came back masked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::contender;
use crate::dial::Client;
use crate::figure::Outcome;
use crate::report::{DIRECT, PGWARRANT, Report};
use crate::world::World;

/// What was sent through pgwarrant, by `application_name`.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    runs: BTreeMap<String, Expected>,
}

/// What the audit trail must hold of one `application_name`.
#[derive(Clone, Debug)]
struct Expected {
    /// In the text of the statements that count; drivers send others of their own.
    names: &'static str,
    statements: u64,
    /// Every one of them must be recorded as masked.
    masked: bool,
}

impl Sent {
    /// Adds statements that name a relation, sent under an `application_name`.
    pub fn add(&mut self, application: &str, names: &'static str, statements: u64) {
        let expected = Expected { names, statements: 0, masked: false };
        self.runs.entry(application.to_owned()).or_insert(expected).statements += statements;
    }

    /// Says that the statements sent under an `application_name` read masked columns and no raw ones.
    pub fn masked(&mut self, application: &str) {
        if let Some(expected) = self.runs.get_mut(application) {
            expected.masked = true;
        }
    }
}

/// What the trail holds of one `application_name`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Found {
    statements: u64,
    masked: u64,
}

/// Checks the whole run.
pub fn run(world: &mut World, report: &mut Report) -> Outcome<()> {
    // Records are chained and written behind the statements.
    world.settle();
    let found = trail(world)?;
    for (application, expected) in &world.sent.runs {
        let found = found.get(application).copied().unwrap_or_default();
        report.check(format!("every statement of \"{application}\" is in the trail"), held(expected, found));
    }
    report.check("the trail's chain verifies", verified(world)?);
    report.check("masked columns came back masked", masked(world)?);
    report.check("pgwarrant logged no error", log(world)?);
    Ok(())
}

fn held(expected: &Expected, found: Found) -> Result<String, String> {
    let Expected { statements, masked, .. } = *expected;
    if statements == 0 {
        return Err("none was sent".to_owned());
    }
    if found.statements != statements {
        return Err(format!("{statements} were sent, {} are there", found.statements));
    }
    match masked {
        true if found.masked != statements => {
            Err(format!("{} of {statements} are recorded as masked", found.masked))
        }
        true => Ok(format!("{statements}, all recorded as masked")),
        false => Ok(format!("{statements}")),
    }
}

/// Counts the outcomes of statements that name what was sent under their `application_name`.
fn trail(world: &World) -> Outcome<BTreeMap<String, Found>> {
    let mut query = audit(world)?
        .args(["query", "--kind", "statement", "--json", "--limit", &u64::MAX.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = query.stdout.take().ok_or("no output of \"pgwarrant audit query\"")?;
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for line in BufReader::new(output).lines() {
        let record: Value = serde_json::from_str(&line?)?;
        let field = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
        let Some(expected) = world.sent.runs.get(field("application")) else { continue };
        if field("phase") == "outcome" && field("text").contains(expected.names) {
            let found = found.entry(field("application").to_owned()).or_default();
            found.statements += 1;
            found.masked += u64::from(field("decision") == "masked");
        }
    }
    let status = query.wait()?;
    match status.success() {
        true => Ok(found),
        false => Err(format!("\"pgwarrant audit query\" ended with {status}").into()),
    }
}

fn verified(world: &World) -> Outcome<Result<String, String>> {
    let output = audit(world)?.args(["verify", "--json"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let verdict: Value = serde_json::from_str(text.trim()).unwrap_or_default();
    let records = verdict.pointer("/report/records").and_then(Value::as_u64);
    Ok(match (output.status.success(), verdict.get("intact"), records) {
        (true, Some(Value::Bool(true)), Some(records)) => Ok(format!("{records} records")),
        _ => Err(format!("{}: {}{}", output.status, text, String::from_utf8_lossy(&output.stderr))),
    })
}

/// Reads the same rows from PostgreSQL and through pgwarrant: what is protected must differ in every
/// row, and what is not must be equal.
fn masked(world: &World) -> Outcome<Result<String, String>> {
    const SAMPLE: &str = "SELECT id, city, name, email, phone, ssn, birth_date
        FROM people WHERE id % 397 = 0 ORDER BY id";
    const OPEN: usize = 2;
    let raw = Client::connect(&world.endpoint(world.contender(DIRECT)?))?.rows(SAMPLE)?;
    let seen = Client::connect(&world.pgwarrant()?)?.rows(SAMPLE)?;
    if raw.is_empty() || raw.len() != seen.len() {
        return Ok(Err(format!("{} rows directly, {} through pgwarrant", raw.len(), seen.len())));
    }
    let mut cells = 0;
    for (raw, seen) in raw.iter().zip(&seen) {
        let (open, protected) = raw.split_at(OPEN.min(raw.len()));
        let (shown, masked) = seen.split_at(OPEN.min(seen.len()));
        if open != shown {
            return Ok(Err(format!("row {open:?} came as {shown:?}")));
        }
        if protected.len() != masked.len() || protected.iter().zip(masked).any(|(raw, masked)| raw == masked)
        {
            return Ok(Err(format!("a protected value of row {open:?} came raw")));
        }
        cells += masked.len();
    }
    Ok(Ok(format!("{cells} cells of {} rows, beside the same rows read directly", raw.len())))
}

fn log(world: &World) -> Outcome<Result<String, String>> {
    let log = world.contender(PGWARRANT)?.log();
    let wrong = log.lines().find(|line| line.contains(" ERROR ") || line.contains("panicked"));
    Ok(match wrong {
        Some(line) => Err(line.to_owned()),
        None => Ok(format!("{} lines", log.lines().count())),
    })
}

fn audit(world: &World) -> Outcome<Command> {
    let program = contender::find(PGWARRANT)?.ok_or("pgwarrant was not found")?;
    let mut command = Command::new(program);
    command.arg("audit").arg("--config").arg(world.configuration()).stdin(Stdio::null());
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(statements: u64, masked: bool) -> Expected {
        Expected { names: "people", statements, masked }
    }

    #[test]
    fn a_missing_record_fails() {
        assert!(held(&expected(10, false), Found { statements: 10, masked: 0 }).is_ok());
        assert!(held(&expected(10, false), Found { statements: 9, masked: 0 }).is_err());
        assert!(held(&expected(10, false), Found { statements: 11, masked: 0 }).is_err());
        assert!(held(&expected(0, false), Found::default()).is_err());
    }

    #[test]
    fn a_statement_that_was_not_masked_fails() {
        assert!(held(&expected(10, true), Found { statements: 10, masked: 10 }).is_ok());
        assert!(held(&expected(10, true), Found { statements: 10, masked: 9 }).is_err());
    }
}
