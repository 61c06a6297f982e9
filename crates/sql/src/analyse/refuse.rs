//! The words of refusals.

use pgwarrant_catalog::{Column, Relation};

use super::text::shown;
use crate::{Actions, Reason, Refusal};

pub(crate) fn relation_name(relation: &Relation) -> String {
    shown(&relation.schema, &relation.name)
}

pub(crate) fn column_name(relation: &Relation, column: &Column) -> String {
    format!("{}.{}", relation_name(relation), column.name)
}

/// The call that asks for some columns.
pub(crate) fn ask(relation: &Relation, columns: &[&Column], actions: Actions, rows: bool) -> String {
    let columns: Vec<String> = columns.iter().map(|column| column_name(relation, column)).collect();
    let key = match relation.primary_key.as_slice() {
        [only] => relation.by_attnum(*only),
        _ => None,
    };
    let numeric = |column: &&Column| column.column_type.base == pgwarrant_masking::BaseType::Integer;
    let rows = match key.filter(numeric) {
        Some(key) if rows => format!("rows => '{} = 42', ", key.name),
        _ => String::new(),
    };
    let mut named = vec!["select"];
    let more = [
        ("insert", actions.insert),
        ("update", actions.update),
        ("delete", actions.delete),
        ("export", actions.export),
    ];
    named.extend(more.iter().filter(|(_, wanted)| *wanted).map(|(name, _)| *name));
    let actions =
        if named.len() > 1 { format!(", actions => '{}'", named.join(", ")) } else { String::new() };
    format!(
        "SELECT * FROM pgwarrant.request('{}', {rows}reason => '…', duration => '30 min'{actions});",
        columns.join(", ").replace('\'', "''")
    )
}

fn requestable(relation: &Relation) -> Vec<&Column> {
    relation
        .columns
        .iter()
        .filter(|column| column.protection.as_ref().is_some_and(|protection| !protection.built_in))
        .collect()
}

/// Asks for every protected column of a relation; a sentence instead where no grant can help.
pub(crate) fn ask_all(relation: &Relation, actions: Actions) -> String {
    let columns = requestable(relation);
    if columns.is_empty()
        || columns.len() < relation.columns.iter().filter(|column| column.protection.is_some()).count()
    {
        return "No grant covers this relation.".to_owned();
    }
    ask(relation, &columns, actions, false)
}

pub(crate) fn blocked(relation: &Relation, column: &Column, byte: usize) -> Refusal {
    let refusal = Refusal::new(
        Reason::Blocked,
        format!("permission denied for column {}", column_name(relation, column)),
    )
    .detail("The column is shown to nobody without a live grant, not even masked.")
    .at(byte);
    match column.protection.as_ref().is_some_and(|protection| protection.built_in) {
        true => refusal.hint("No grant covers it. Leave the column out of the statement."),
        false => refusal.hint(ask(relation, &[column], Actions::default(), true)),
    }
}

pub(crate) fn not_written(relation: &Relation, verb: &str, actions: Actions, byte: usize) -> Refusal {
    Refusal::new(Reason::Write, format!("permission denied to {verb} {}", relation_name(relation)))
        .detail(
            "The relation holds protected columns; changing it needs a grant on all of them, for all rows.",
        )
        .hint(ask_all(relation, actions))
        .at(byte)
}

pub(crate) fn not_defined(relation: &Relation, byte: usize) -> Refusal {
    let all = Actions { select: true, insert: true, update: true, delete: true, export: true };
    Refusal::new(Reason::Ddl, format!("permission denied for DDL that names {}", relation_name(relation)))
        .detail("The relation holds protected columns, which such a statement could expose or expose later.")
        .hint(ask_all(relation, all))
        .at(byte)
}

pub(crate) fn not_exported(relation: &Relation, columns: &[&Column]) -> Refusal {
    let names: Vec<String> = columns.iter().map(|column| column_name(relation, column)).collect();
    let exporting = Actions { export: true, ..Actions::default() };
    Refusal::new(Reason::Export, format!("permission denied to store raw values of {}", names.join(", ")))
        .detail("The statement would keep granted values in a place that outlives the grant.")
        .hint(ask(relation, columns, exporting, false))
}

pub(crate) fn unsafe_relation(relation: &Relation, culprit: &str, byte: usize) -> Refusal {
    Refusal::new(
        Reason::UnsafeRelation,
        format!("permission denied for relation {}", relation_name(relation)),
    )
    .detail(format!("It could reach protected data in a way that masking cannot follow: {culprit}."))
    .hint("Read the underlying relations instead, or ask the operator to make it safe.")
    .at(byte)
}

pub(crate) fn unsafe_call(what: &str, culprit: &str, byte: usize) -> Refusal {
    Refusal::new(Reason::UnsafeFunction, format!("permission denied for {what}"))
        .detail(format!("It could reach protected data in a way that masking cannot follow: {culprit}."))
        .hint("Use another way to get the result, or ask the operator to list it as trusted.")
        .at(byte)
}

pub(crate) fn unknown_function(name: &str, byte: usize) -> Refusal {
    Refusal::new(Reason::UnknownFunction, format!("function {name} does not exist"))
        .state("42883")
        .detail("No function of that name is known, so what a call of it could reach is not known either.")
        .hint("Check the name. A function that was created a moment ago is known shortly.")
        .at(byte)
}

pub(crate) fn unresolved(name: &str, schemas: &[&str], byte: usize) -> Refusal {
    let hint = match schemas {
        [] => "Check the name, and write it with its schema.".to_owned(),
        [schema, ..] => format!("Write it with its schema: {}.", super::text::qualified(schema, name)),
    };
    Refusal::new(Reason::Unresolved, format!("relation \"{name}\" does not exist"))
        .state("42P01")
        .detail("No schema of the search_path has a relation of that name.")
        .hint(hint)
        .at(byte)
}

pub(crate) fn undecided(name: &str, why: &str, byte: usize) -> Refusal {
    Refusal::new(Reason::Unresolved, format!("cannot tell which relation \"{name}\" means"))
        .detail(format!("{why} in the same message may have changed what the name means."))
        .hint("Send the statement in a message of its own, or write the name with its schema.")
        .at(byte)
}

/// A form that the analysis does not take on a statement with something protected in it.
pub(crate) fn unsupported(what: impl Into<String>, byte: usize) -> Refusal {
    Refusal::new(Reason::NotUnderstood, format!("{} cannot be used with protected data", what.into()))
        .detail("pgwarrant could not prove what the statement would show.")
        .hint("Write the statement in a simpler form, or leave the protected relation out.")
        .at(byte)
}

pub(crate) fn unaccounted(name: &str, byte: usize) -> Refusal {
    Refusal::new(Reason::Unaccounted, format!("cannot tell what \"{name}\" means here"))
        .detail("A protected relation has that name, and the analysis could not prove that this is something else.")
        .hint("Write the statement in a simpler form, or give the column or alias another name.")
        .at(byte)
}

pub(crate) fn code(what: &str, byte: usize) -> Refusal {
    Refusal::new(Reason::Code, format!("{what} is not allowed through pgwarrant"))
        .detail("It could run code that reads protected data behind the masks.")
        .hint("Make such changes over a direct connection to the database.")
        .at(byte)
}

pub(crate) fn server_access(what: &str, byte: usize) -> Refusal {
    Refusal::new(Reason::ServerAccess, format!("{what} is not allowed through pgwarrant"))
        .detail("It reaches files, programs or settings of the database server.")
        .hint("Make such changes over a direct connection to the database; for data use COPY … TO STDOUT or FROM STDIN.")
        .at(byte)
}

pub(crate) fn setting(name: &str, why: &str, byte: usize) -> Refusal {
    Refusal::new(Reason::Setting, format!("parameter \"{name}\" cannot be used through pgwarrant"))
        .detail(why)
        .hint("Leave the parameter as it is.")
        .at(byte)
}

pub(crate) fn console(message: impl Into<String>, hint: impl Into<String>, byte: usize) -> Refusal {
    Refusal::new(Reason::Console, message).state("42883").hint(hint).at(byte)
}
