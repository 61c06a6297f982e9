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

/// Some protected columns may not be written.
pub(crate) fn columns_not_written(
    relation: &Relation,
    verb: &str,
    columns: &[&Column],
    actions: Actions,
    byte: usize,
) -> Refusal {
    let names: Vec<String> = columns.iter().map(|column| column_name(relation, column)).collect();
    let built_in =
        |column: &&Column| column.protection.as_ref().is_some_and(|protection| protection.built_in);
    let hint = match columns.iter().any(built_in) {
        true => "No grant covers this relation.".to_owned(),
        false => ask(relation, columns, actions, !actions.insert),
    };
    let (what, action) = match actions {
        Actions { delete: true, .. } => ("Deleting a row", "delete on every protected column of it"),
        Actions { insert: true, .. } => ("Inserting a value into a protected column", "insert on it"),
        _ => ("Writing a protected column", "update on it"),
    };
    Refusal::new(Reason::Write, format!("permission denied to {verb} {}", names.join(", ")))
        .detail(format!("{what} needs a live grant with the action {action}."))
        .hint(hint)
        .at(byte)
}

/// A column by which grants say which rows they cover.
pub(crate) fn column_decides(relation: &Relation, column: &Column, byte: usize) -> Refusal {
    let update = Actions { update: true, ..Actions::default() };
    Refusal::new(Reason::Write, format!("permission denied to update {}", column_name(relation, column)))
        .detail(
            "A live grant or an open request says by this column which rows it covers, so writing it \
             could move rows into it or out of it.",
        )
        .hint(format!("Leave the column out, or ask for all rows. {}", ask_all(relation, update)))
        .at(byte)
}

/// A foreign key's action would write what the session may not.
pub(crate) fn cascades(
    relation: &Relation,
    other: &Relation,
    columns: &[&Column],
    actions: Actions,
    byte: usize,
) -> Refusal {
    let (verb, action) = if actions.delete { ("delete from", "delete") } else { ("update", "update") };
    Refusal::new(
        Reason::Write,
        format!("permission denied to {verb} {} by writing {}", relation_name(other), relation_name(relation)),
    )
    .detail(format!(
        "The action of a foreign key would do it, which needs a live grant with the action {action} on all rows."
    ))
    .hint(ask(other, columns, actions, false))
    .at(byte)
}

/// A value for a protected column reads another one that is masked.
pub(crate) fn stores_mask(relation: &Relation, column: &Column, byte: usize) -> Refusal {
    let name = column_name(relation, column);
    Refusal::new(Reason::Write, format!("a value computed from a mask of {name} would be stored"))
        .detail("No live grant shows the column, so the statement would store what stands in its place.")
        .hint(ask(relation, &[column], Actions { update: true, ..Actions::default() }, true))
        .at(byte)
}

/// A name that PostgreSQL may find elsewhere than we do.
pub(crate) fn which_column(name: &str, alias: &str, byte: usize) -> Refusal {
    Refusal::new(Reason::Unresolved, format!("cannot tell which column \"{name}\" means"))
        .detail(format!(
            "It could be of {alias} or of something else in the statement whose columns are not known here."
        ))
        .hint(format!(
            "Write it with its table's name or alias: {}.{}.",
            super::text::name(alias),
            super::text::name(name)
        ))
        .at(byte)
}

pub(crate) fn ambiguous_column(name: &str, byte: usize) -> Refusal {
    Refusal::new(Reason::Unresolved, format!("column reference \"{name}\" is ambiguous"))
        .state("42702")
        .hint("Write it with the table's name or with excluded before it.")
        .at(byte)
}

pub(crate) fn missing_from(name: &str, byte: usize) -> Refusal {
    Refusal::new(Reason::Unresolved, format!("missing FROM-clause entry for table \"{name}\""))
        .state("42P01")
        .hint("Check the name or alias before the column.")
        .at(byte)
}

/// `WHERE CURRENT OF` cannot be confined to rows.
pub(crate) fn current_of(relation: &Relation, byte: usize) -> Refusal {
    Refusal::new(
        Reason::Write,
        format!("WHERE CURRENT OF cannot be used on {} under a grant for some rows", relation_name(relation)),
    )
    .detail("Only a condition can confine the statement to the rows that the grant covers.")
    .hint("Name the row by its key: WHERE id = ….")
    .at(byte)
}

/// A new row of which it cannot be shown that a grant for some rows covers it.
pub(crate) fn not_provable(relation: &Relation, columns: &[&Column], byte: usize) -> Refusal {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let insert = Actions { insert: true, ..Actions::default() };
    Refusal::new(
        Reason::Write,
        format!("cannot tell whether the grant covers the new rows of {}", relation_name(relation)),
    )
    .detail("Under a grant for some rows, a new row must be seen to be one of them before it is inserted.")
    .hint(format!(
        "Use VALUES that list {} as constants or parameters, or ask for all rows. {}",
        names.join(", "),
        ask_all(relation, insert)
    ))
    .at(byte)
}

pub(crate) fn not_defined(relation: &Relation, byte: usize) -> Refusal {
    let all = Actions { select: true, insert: true, update: true, delete: true, export: true };
    Refusal::new(Reason::Ddl, format!("permission denied for DDL that names {}", relation_name(relation)))
        .detail("The relation holds protected columns, which such a statement could expose or expose later.")
        .hint(ask_all(relation, all))
        .at(byte)
}

pub(crate) fn type_in_use(relation: &Relation, byte: usize) -> Refusal {
    Refusal::new(Reason::Ddl, "permission denied to change a type that protected columns may have")
        .detail(format!(
            "It would look at the values of all columns of the type, and {} has protected ones that may be of it.",
            relation_name(relation)
        ))
        .hint("Make such changes over a direct connection to the database.")
        .at(byte)
}

pub(crate) fn taken_along(relation: &Relation, byte: usize) -> Refusal {
    Refusal::new(Reason::Write, "permission denied to truncate with CASCADE")
        .detail(format!(
            "It takes along every table with a foreign key to a named one, and {} could be one of them.",
            relation_name(relation)
        ))
        .hint("Write the tables out instead of CASCADE.")
        .at(byte)
}

pub(crate) fn owned(byte: usize) -> Refusal {
    Refusal::new(Reason::Ddl, "DROP OWNED is not allowed through pgwarrant")
        .detail("It drops whatever a role owns, which could be relations that hold protected columns.")
        .hint("Drop the objects by their names, or use a direct connection to the database.")
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
        .hint(match pgwarrant_catalog::trust_line(culprit) {
            Some(line) => format!("If the operator vouches for it: write {line} in the section [trust]."),
            None => "Use another way to get the result.".to_owned(),
        })
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

/// PostgreSQL's own words. What is made a moment ago could be protected, so it is not asked.
pub(crate) fn no_relation(schema: &str, name: &str, byte: usize) -> Refusal {
    Refusal::new(Reason::Unresolved, format!("relation \"{schema}.{name}\" does not exist"))
        .state("42P01")
        .at(byte)
}

/// A relation's own name where only its alias can stand, in PostgreSQL's words: with a privacy view
/// in the relation's place it would have others.
pub(crate) fn hidden_by_alias(name: &str, alias: &str, byte: usize) -> Refusal {
    let message = format!("invalid reference to FROM-clause entry for table \"{name}\"");
    Refusal::new(Reason::Unresolved, message)
        .state("42P01")
        .hint(format!("Perhaps you meant to reference the table alias \"{alias}\"."))
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
