//! Statements by their first words: queries and writes go to the walk, the others are taken apart
//! here and in the neighbouring files.

use super::account::{Account, Role};
use super::body::{self, Body};
use super::judge::judge;
use super::names::State;
use super::source::Source;
use super::walk::{Finished, Frame};
use super::{copy, ddl, refuse, settings};
use crate::screen::screen;
use crate::{Actions, Class, Context, Effect, Reason, Refusal};

type Outcome = Result<Finished, Refusal>;

/// What kind of statement it is, by its first words.
pub(crate) fn class(source: &Source<'_>) -> Class {
    let mut first = source.range.start;
    while source.punct(first, "(") {
        first += 1;
    }
    let Some(word) = source.name(first) else { return Class::Other };
    match &*word {
        "select" | "values" | "table" => Class::Select,
        "with" => main_verb(source, first),
        "insert" => Class::Insert,
        "update" => Class::Update,
        "delete" | "truncate" => Class::Delete,
        "merge" => Class::Merge,
        "explain" => Class::Explain,
        "copy" => copy::class(source),
        "prepare" if source.keyword(first + 1, "transaction") => Class::Transaction,
        "prepare" => Class::Prepare,
        "execute" => Class::Execute,
        "deallocate" => Class::Deallocate,
        "declare" => Class::DeclareCursor,
        "fetch" | "move" => Class::Fetch,
        "close" => Class::CloseCursor,
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => {
            Class::Transaction
        }
        "set" | "reset" => Class::Set,
        "show" => Class::Show,
        "discard" => Class::Discard,
        "listen" | "unlisten" => Class::Listen,
        "notify" => Class::Notify,
        "lock" => Class::Lock,
        "do" => Class::Do,
        "call" => Class::Call,
        "vacuum" | "analyze" | "analyse" | "reindex" | "cluster" | "refresh" | "checkpoint" => {
            Class::Maintenance
        }
        "create" | "alter" | "drop" | "comment" | "grant" | "revoke" | "reassign" | "security" | "import" => {
            Class::Ddl
        }
        _ => Class::Other,
    }
}

/// What WITH stands before.
fn main_verb(source: &Source<'_>, with: usize) -> Class {
    let mut depth = 0_usize;
    for index in with..source.range.end {
        match source.raw(index) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ if source.one_of(index, &["select", "values", "table"]) => return Class::Select,
            _ if source.keyword(index, "insert") => return Class::Insert,
            // CTEs may bear these names.
            _ if source.punct(index + 1, "(") || source.keyword(index + 1, "as") => {}
            _ if source.keyword(index, "update") => return Class::Update,
            _ if source.keyword(index, "delete") => return Class::Delete,
            _ if source.keyword(index, "merge") => return Class::Merge,
            _ => {}
        }
    }
    Class::Select
}

/// Analyses one statement.
pub(crate) fn statement(
    source: &Source<'_>,
    context: &Context<'_>,
    state: &State<'_>,
    frame: Frame,
) -> Outcome {
    let first = source.range.start;
    match class(source) {
        Class::Select | Class::Insert | Class::Update | Class::Merge => {
            body::analyse(source, context, state, Body::new(frame))
        }
        Class::Delete if source.keyword(first, "truncate") => truncate(source, context, state),
        Class::Delete => body::analyse(source, context, state, Body::new(frame)),
        Class::Explain => explain(source, context, state),
        Class::CopyTo | Class::CopyFrom => copy::analyse(source, context, state),
        Class::Prepare => prepare(source, context, state),
        Class::Execute => execute(source, context, state),
        Class::Deallocate => {
            let name = if source.keyword(first + 1, "prepare") { first + 2 } else { first + 1 };
            names_only(source, context, vec![Effect::Deallocate { name: name_or_all(source, name) }])
        }
        Class::DeclareCursor => declare(source, context, state),
        Class::Fetch => {
            let cursor = source.name(source.range.end - 1).unwrap_or_default().into_owned();
            names_only(source, context, vec![Effect::Fetch { cursor }])
        }
        Class::CloseCursor => {
            names_only(source, context, vec![Effect::CloseCursor { cursor: name_or_all(source, first + 1) }])
        }
        Class::Transaction => {
            let ends = source.one_of(first, &["commit", "end", "rollback", "abort", "prepare"]);
            names_only(source, context, if ends { vec![Effect::SessionState] } else { Vec::new() })
        }
        Class::Set => settings::statement(source, context),
        Class::Show => settings::show(source, context),
        Class::Discard => {
            let effects = match source.name(first + 1).as_deref() {
                Some("all") => vec![Effect::DiscardAll, Effect::SessionState],
                Some("temp" | "temporary") => vec![Effect::SessionState],
                _ => Vec::new(),
            };
            names_only(source, context, effects)
        }
        Class::Listen | Class::Notify => names_only(source, context, Vec::new()),
        // It shows nothing of what it locks.
        Class::Lock => ddl::maintain(source, context, state),
        Class::Do => Err(refuse::code("DO", source.byte(first))),
        Class::Call => call(source, context, state),
        Class::Maintenance => ddl::maintain(source, context, state),
        Class::Ddl => ddl::analyse(source, context, state),
        Class::Other if source.keyword(first, "load") => Err(refuse::code("LOAD", source.byte(first))),
        Class::Empty | Class::Other => {
            let near = source.raw(first);
            let refusal = Refusal::new(Reason::NotUnderstood, format!("syntax error at or near \"{near}\""));
            Err(refusal.state("42601").hint("Begin with a command of PostgreSQL's.").at(source.byte(first)))
        }
    }
}

fn truncate(source: &Source<'_>, context: &Context<'_>, state: &State<'_>) -> Outcome {
    let actions = Actions { delete: true, ..Actions::default() };
    ddl::relations(source, context, state, source.range.start + 1, "truncate", actions)
}

/// A statement in which every name is that of a cursor, a prepared statement, a savepoint, …
pub(crate) fn names_only(source: &Source<'_>, context: &Context<'_>, effects: Vec<Effect>) -> Outcome {
    let mut account = Account::new(source.range.clone());
    for token in source.range.clone() {
        account.set(token, Role::Cursor);
    }
    check(source, context, &account)?;
    Ok(Finished { effects, ..Finished::default() })
}

/// Judges the risky tokens of a part of a statement that is no query.
pub(crate) fn check(source: &Source<'_>, context: &Context<'_>, account: &Account) -> Result<(), Refusal> {
    for finding in screen(source, context.catalogue) {
        judge(source, context, account.role(finding.token), finding)?;
    }
    Ok(())
}

fn name_or_all(source: &Source<'_>, index: usize) -> Option<String> {
    if source.keyword(index, "all") { None } else { source.name(index).map(|name| name.into_owned()) }
}

/// `EXPLAIN [(option, …)] statement`
fn explain(source: &Source<'_>, context: &Context<'_>, state: &State<'_>) -> Outcome {
    let mut index = source.range.start + 1;
    if source.punct(index, "(") && !source.starts_query(index + 1) && !source.punct(index + 1, "(") {
        let close = source.closing(index).ok_or_else(|| not_understood(source, index))?;
        let options = source.part(index..close + 1);
        names_only(&options, context, Vec::new())?;
        index = close + 1;
    } else {
        while source.one_of(index, &["analyze", "analyse", "verbose"]) {
            index += 1;
        }
    }
    let inner = source.part(index..source.range.end);
    if inner.range.is_empty() {
        return Err(not_understood(source, source.range.start));
    }
    match class(&inner) {
        Class::Select
        | Class::Insert
        | Class::Update
        | Class::Delete
        | Class::Merge
        | Class::Execute
        | Class::DeclareCursor => statement(&inner, context, state, Frame::Inner),
        Class::Ddl if inner.keyword(index, "create") => statement(&inner, context, state, Frame::Inner),
        Class::Maintenance if inner.keyword(index, "refresh") => {
            statement(&inner, context, state, Frame::Inner)
        }
        _ => Err(not_understood(source, index)),
    }
}

/// `PREPARE name [(type, …)] AS statement`
fn prepare(source: &Source<'_>, context: &Context<'_>, state: &State<'_>) -> Outcome {
    let first = source.range.start;
    let name = source.plain_name(first + 1).ok_or_else(|| not_understood(source, first + 1))?;
    let mut index = first + 2;
    let mut account = Account::new(source.range.clone());
    account.set(first + 1, Role::Cursor);
    if source.punct(index, "(") {
        let close = source.closing(index).ok_or_else(|| not_understood(source, index))?;
        for token in index..close {
            account.set(token, Role::Type);
        }
        index = close + 1;
    }
    if !source.keyword(index, "as") {
        return Err(not_understood(source, index));
    }
    check(&source.part(first..index), context, &account)?;
    let inner = source.part(index + 1..source.range.end);
    match class(&inner) {
        Class::Select | Class::Insert | Class::Update | Class::Delete | Class::Merge => {}
        _ => return Err(not_understood(source, index + 1)),
    }
    let mut done = body::analyse(&inner, context, state, Body::new(Frame::Inner))?;
    done.effects.insert(0, Effect::Prepare { name: name.into_owned(), body: source.bytes(inner.range) });
    Ok(done)
}

/// `EXECUTE name [(argument, …)]`
fn execute(source: &Source<'_>, context: &Context<'_>, state: &State<'_>) -> Outcome {
    let first = source.range.start;
    let name = source.plain_name(first + 1).ok_or_else(|| not_understood(source, first + 1))?;
    names_only(&source.part(first..(first + 2).min(source.range.end)), context, Vec::new())?;
    let arguments = source.part((first + 2).min(source.range.end)..source.range.end);
    let mut done = match arguments.range.is_empty() {
        true => Finished::default(),
        false => body::analyse(&arguments, context, state, Body::after("VALUES"))?,
    };
    done.effects.push(Effect::Execute { name: name.into_owned() });
    Ok(done)
}

/// The cursor by which `pg_dump --inserts` reads every table.
const DUMP_CURSOR: &str = "_pg_dump_cursor";

/// `DECLARE name [option …] CURSOR [WITH HOLD] FOR query`
fn declare(source: &Source<'_>, context: &Context<'_>, state: &State<'_>) -> Outcome {
    let first = source.range.start;
    let cursor = source.plain_name(first + 1).ok_or_else(|| not_understood(source, first + 1))?;
    let query = (first + 2..source.range.end).find(|index| source.keyword(*index, "for"));
    let query = query.ok_or_else(|| not_understood(source, first + 2))?;
    names_only(&source.part(first..query), context, Vec::new())?;
    let body = Body::new(Frame::Inner);
    // Whoever takes the name without being pg_dump gets no more by it.
    let body = if cursor == DUMP_CURSOR { body.dumping() } else { body };
    let mut done = body::analyse(&source.part(query + 1..source.range.end), context, state, body)?;
    done.effects.insert(0, Effect::Declare { cursor: cursor.into_owned() });
    Ok(done)
}

/// `CALL procedure(argument, …)`: judged as the call of a function.
fn call(source: &Source<'_>, context: &Context<'_>, state: &State<'_>) -> Outcome {
    let inner = source.part(source.range.start + 1..source.range.end);
    if inner.range.is_empty() {
        return Err(not_understood(source, source.range.start));
    }
    let mut done = body::analyse(&inner, context, state, Body::after("SELECT"))?;
    // A procedure may end the transaction.
    done.effects.push(Effect::SessionState);
    Ok(done)
}

/// What PostgreSQL would not take either, or a form that was not looked at.
pub(crate) fn not_understood(source: &Source<'_>, index: usize) -> Refusal {
    let near = match source.token(index) {
        Some(_) => format!("at or near \"{}\"", source.raw(index)),
        None => "at end of input".to_owned(),
    };
    Refusal::new(Reason::NotUnderstood, format!("syntax error {near}"))
        .state("42601")
        .hint("Correct the statement, or write it in a simpler form.")
        .at(source.byte(index).min(source.bytes(source.range.clone()).end))
}
