//! A body that reads a relation is found to name it, whatever its grammar: PostgreSQL's own parser
//! says which relations a statement reads or writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pgwarrant_catalog::snapshot::{ColumnRow, FunctionRow, RelationRow, Snapshot};
use pgwarrant_catalog::{BindOptions, FunctionSafety, RelationKind, bind};
use pgwarrant_masking::Method;

use crate::database::{label, unknown};

/// The statements of all test data, as far as PostgreSQL parses them.
fn statements() -> Vec<String> {
    let mut statements = Vec::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("data")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                let text = fs::read_to_string(&path)
                    .unwrap()
                    .replace('⏎', "\n")
                    .replace('⇥', "\t")
                    .replace('␍', "\r");
                let lines = text.lines().filter(|line| pg_query::parse(line).is_ok());
                statements.extend(lines.map(str::to_owned));
                if let Ok(whole) = pg_query::split_with_parser(&text) {
                    statements.extend(whole.into_iter().map(str::to_owned));
                }
            }
        }
    }
    statements.sort();
    statements.dedup();
    statements
}

fn snapshot(table: &str, bodies: &[&str]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let column = ColumnRow {
        attnum: 1,
        name: "secret".into(),
        type_oid: 25,
        typmod: -1,
        generated: false,
        not_null: false,
        collation: None,
    };
    let relation = RelationRow {
        oid: 20_000,
        schema: "public".into(),
        name: table.into(),
        kind: Some(RelationKind::Table),
        unknown_kind: false,
        columns: vec![column],
        primary_key: Vec::new(),
        parents: Vec::new(),
    };
    snapshot.by_name.entry("public".into()).or_default().insert(table.into(), relation.oid);
    snapshot.relations.insert(relation.oid, relation);
    for (oid, body) in (30_000..).zip(bodies) {
        let function = FunctionRow {
            schema: "public".into(),
            name: format!("f{oid}"),
            language: "sql".into(),
            immutable: false,
            kind: 'f',
            extension: None,
            body: (*body).to_owned(),
            types: Vec::new(),
            arguments: 0..=0,
            settings: Vec::new(),
        };
        snapshot.functions.insert(oid, function);
    }
    snapshot
}

#[test]
fn no_statement_reads_or_writes_a_relation_whose_name_would_be_missed() {
    let statements = statements();
    let mut by_table: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for statement in &statements {
        let Ok(parsed) = pg_query::parse(statement) else { continue };
        for table in parsed.select_tables().into_iter().chain(parsed.dml_tables()) {
            // libpg_query puts the parts together with points; the one odd name has a point of its own.
            let (_, odd) = table.split_once('.').unwrap_or_default();
            let last = table.rsplit('.').next().unwrap_or_default();
            let name = if odd.contains('"') { odd } else { last }.to_owned();
            let bodies = by_table.entry(name).or_default();
            if bodies.last() != Some(&statement.as_str()) {
                bodies.push(statement);
            }
        }
    }
    let mut found = 0;
    let mut missed = Vec::new();
    for (table, bodies) in &by_table {
        let snapshot = snapshot(table, bodies);
        let labels = [label(&[&format!("public.\"{}\".secret", table.replace('"', "\"\""))], Method::Null)];
        let bound = bind(&snapshot, &labels, &BindOptions::default(), &unknown);
        assert_eq!(bound.errors, [], "{table}");
        for (oid, body) in (30_000..).zip(bodies) {
            match bound.catalogue.function(&format!("f{oid}")) {
                FunctionSafety::Unsafe { .. } => found += 1,
                _ => missed.push(format!("{table}: {body}")),
            }
        }
    }
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
    assert!(found > 200, "only {found} statements that read a relation");
}
