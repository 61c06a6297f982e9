//! What Criterion has measured of the parts, as rows of the same table.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::figure::Outcome;
use crate::report::{Line, PGWARRANT, Report};

/// Criterion's directories are no deeper: a group, a function, a value.
const DEPTH: usize = 4;

/// Adds the latest estimate of every benchmark below Criterion's directory, by name.
pub fn add(directory: &Path, report: &mut Report) -> Outcome<()> {
    let mut found = Vec::new();
    collect(directory, DEPTH, &mut found)?;
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (name, nanoseconds) in found {
        report.line(Line::new(&name, "µs"));
        report.sample(&name, PGWARRANT, nanoseconds / 1000.0);
    }
    Ok(())
}

fn collect(directory: &Path, depth: usize, found: &mut Vec<(String, f64)>) -> Outcome<()> {
    let new = directory.join("new");
    if new.join("estimates.json").is_file() {
        let name = read(&new.join("benchmark.json"))?;
        let name =
            name.get("full_id").and_then(Value::as_str).ok_or("a benchmark of Criterion has no name")?;
        let estimates = read(&new.join("estimates.json"))?;
        let median = estimates.pointer("/median/point_estimate").and_then(Value::as_f64);
        found.push((name.to_owned(), median.ok_or("an estimate of Criterion has no median")?));
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if depth > 0 && path.is_dir() {
            collect(&path, depth - 1, found)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Outcome<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_become_rows_in_microseconds() {
        let directory = tempfile::tempdir().expect("a directory");
        let new = directory.path().join("lex").join("small").join("new");
        fs::create_dir_all(&new).expect("directories");
        fs::write(new.join("benchmark.json"), r#"{"full_id":"lex/small"}"#).expect("a file");
        fs::write(new.join("estimates.json"), r#"{"median":{"point_estimate":1500.0}}"#).expect("a file");
        let mut report = Report::default();
        add(directory.path(), &mut report).expect("estimates");
        assert_eq!(report.lines.first().map(|line| line.of(PGWARRANT)), Some(&[1.5][..]));
        assert_eq!(report.lines.len(), 1);
    }
}
