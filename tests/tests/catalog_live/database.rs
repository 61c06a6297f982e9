//! A database for each test, and what the tests ask of it.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use pgwarrant_catalog::snapshot::Snapshot;
use pgwarrant_catalog::{
    BindOptions, Bound, Column, FunctionSafety, Label, Lineage, Relation, SESSION_SETUP, Ungranted, bind,
    queries,
};
use pgwarrant_masking::Method;
use pgwarrant_tests::server_url;

const FIELD: &str = "\u{1f}";
const RECORD: &str = "\u{1e}";
const MARK: &str = "\u{1c}";
const NULL: &str = "\u{1d}";

/// A database of its own for one test.
pub(crate) struct Database {
    name: String,
}

impl Database {
    pub(crate) fn new(script: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("catalog_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        psql(
            "postgres",
            &[&format!(
                "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
            )],
        );
        let database = Database { name };
        database.run(script);
        database
    }

    pub(crate) fn run(&self, script: &str) {
        psql(&self.name, &[script]);
    }

    /// The rows of the last of these statements.
    pub(crate) fn rows(&self, statements: &[&str]) -> Vec<Vec<Option<String>>> {
        rows(&psql(&self.name, statements))
    }

    pub(crate) fn value(&self, statements: &[&str]) -> String {
        self.rows(statements).concat().first().cloned().flatten().unwrap_or_default()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        // All in one connection: the results stand between marks.
        let mut statements = vec![SESSION_SETUP.to_owned()];
        for query in queries() {
            statements.push(format!("\\echo {MARK}"));
            statements.push(query.sql.to_owned());
        }
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        let output = psql(&self.name, &statements);
        let mark = format!("{MARK}\n");
        let parts = output.split(&mark).skip(1).map(rows);
        let results: Vec<_> = queries().iter().map(|query| query.name).zip(parts).collect();
        Snapshot::from_rows(&results).unwrap()
    }

    pub(crate) fn bind(&self, labels: &[Label], trusted: &[&str], lineage: &Lineage<'_>) -> Bound {
        let options = BindOptions {
            trusted_functions: trusted.iter().map(|entry| (*entry).to_owned()).collect(),
            version: 1,
        };
        bind(&self.snapshot(), labels, &options, lineage)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        psql("postgres", &[&format!("DROP DATABASE {} WITH (FORCE)", self.name)]);
    }
}

pub(crate) fn rows(output: &str) -> Vec<Vec<Option<String>>> {
    let output = output.strip_suffix('\n').unwrap_or(output);
    if output.is_empty() {
        return Vec::new();
    }
    output
        .split(RECORD)
        .map(|record| record.split(FIELD).map(|cell| (cell != NULL).then(|| cell.to_owned())).collect())
        .collect()
}

pub(crate) fn psql(database: &str, statements: &[&str]) -> String {
    let mut command = Command::new("psql");
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-F", FIELD, "-R", RECORD, "-P"]);
    command.arg(format!("null={NULL}")).arg("-d").arg(server_url(database)).stdin(Stdio::null());
    for statement in statements {
        command.args(["-c", statement]);
    }
    let output = command.output().expect("psql is installed");
    assert!(output.status.success(), "{statements:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn label(columns: &[&str], mask: Method) -> Label {
    Label {
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        category: "contact".into(),
        mask,
        ungranted: Ungranted::Mask,
        sensitivity: Default::default(),
        nulls_show: false,
    }
}

/// No lineage can be shown.
pub(crate) fn unknown(_: &str) -> Option<Vec<Vec<(String, String, String)>>> {
    None
}

pub(crate) fn relation<'b>(bound: &'b Bound, schema: &str, name: &str) -> &'b Relation {
    bound
        .catalogue
        .relation(schema, name)
        .unwrap_or_else(|| panic!("{schema}.{name} is neither protected nor a risk"))
}

pub(crate) fn column<'b>(bound: &'b Bound, schema: &str, name: &str, column: &str) -> &'b Column {
    relation(bound, schema, name).column(column).unwrap()
}

pub(crate) fn protected(relation: &Relation) -> Vec<&str> {
    relation
        .columns
        .iter()
        .filter(|column| column.protection.is_some())
        .map(|column| column.name.as_str())
        .collect()
}

pub(crate) fn is_unsafe(bound: &Bound, function: &str) -> bool {
    match bound.catalogue.function(function) {
        FunctionSafety::Unsafe { .. } => true,
        FunctionSafety::Safe => false,
        FunctionSafety::Unknown => panic!("{function} does not exist"),
    }
}
