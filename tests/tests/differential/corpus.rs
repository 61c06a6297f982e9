//! The statements in the tests' data. (The canary corpus has a schema of its own, and is compared
//! where that is: beside sqlsmith.)

use std::fs;
use std::path::PathBuf;

use pgwarrant_tests::workspace;

/// ⏎ is a newline in files with a text on each line, ⇥ a tab, ␍ a carriage return, ␋ a vertical tab
/// and ␌ a form feed.
pub fn unshown(text: &str) -> String {
    text.replace('⏎', "\n").replace('⇥', "\t").replace('␍', "\r").replace('␋', "\x0b").replace('␌', "\x0c")
}

/// Texts that PostgreSQL parses.
pub fn lexer() -> Vec<String> {
    lines(&read("tests/data/lexer_corpus.sql"))
}

/// The lexer's own cases: lines after `> `, many of them no SQL.
pub fn lexer_cases() -> Vec<String> {
    let text = read("crates/sql/tests/lexer_cases.txt");
    text.lines().filter_map(|line| line.strip_prefix("> ")).map(unshown).collect()
}

/// Texts of which our view and PostgreSQL's differed once.
pub fn regressions() -> Vec<String> {
    lines(&read("tests/data/differential.sql"))
}

/// Forms of PostgreSQL's grammar beside a protected relation: those that are understood, and those
/// that are refused so far.
pub fn forms() -> (Vec<String>, Vec<String>) {
    let text = read("tests/data/forms.sql");
    let (understood, refused) = text.split_once("\n--! Refused").expect("two parts");
    (lines(understood), lines(&format!("--! {refused}")))
}

/// A case of the analysis: its directives, without `> `, and its statement.
pub struct Case {
    pub title: String,
    pub directives: Vec<String>,
    pub text: String,
}

/// The cases of the analysis.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for path in files("crates/sql/tests/cases", "txt") {
        let text = fs::read_to_string(path).expect("a file of cases");
        for block in text.split("\n## ").skip(1) {
            let (title, rest) = block.split_once('\n').expect("a title");
            let given = rest.split_once("\n=>").map_or(rest, |(given, _)| given);
            let (directives, lines): (Vec<&str>, Vec<&str>) =
                given.lines().partition(|line| line.starts_with("> "));
            cases.push(Case {
                title: title.to_owned(),
                directives: directives.iter().map(|line| line[2..].to_owned()).collect(),
                text: lines.join("\n").trim().to_owned(),
            });
        }
    }
    cases
}

/// The texts of a file that has one on each line, and comments that begin with `--!`.
fn lines(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.starts_with("--!") && !line.is_empty()).map(unshown).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of a folder, in order.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(workspace().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    found.sort();
    found
}
