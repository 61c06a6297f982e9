//! COPY.

use pgwarrant_catalog::{ColumnId, RelationKind};
use sqlparser::ast::Ident;
use sqlparser::tokenizer::Span;

use super::account::Role;
use super::body::{self, Body};
use super::cover;
use super::from::Resolved;
use super::names::State;
use super::normalise::Facts;
use super::parse::place;
use super::source::Source;
use super::utility::{names_only, not_understood};
use super::walk::{Block, Entry, Finished, Frame, Item, Walk, What};
use super::write::{may_copy_into, raw};
use super::{refuse, text, view};
use crate::screen::screen;
use crate::{Class, Context, Piece, Refusal, Splice};

/// Where the parts of a COPY statement are.
struct Parts {
    /// `(query)`: its parentheses. Otherwise a relation.
    query: Option<(usize, usize)>,
    /// The tokens of the relation's name.
    name: Vec<usize>,
    /// The tokens of the column list, with its parentheses.
    columns: Option<(usize, usize)>,
    /// The word FROM or TO.
    direction: usize,
}

fn read(source: &Source<'_>) -> Option<Parts> {
    let first = source.range.start + 1;
    if source.punct(first, "(") {
        let close = source.closing(first)?;
        return Some(Parts {
            query: Some((first, close)),
            name: Vec::new(),
            columns: None,
            direction: close + 1,
        });
    }
    let first = if source.keyword(first, "binary") && source.plain_name(first + 1).is_some() {
        first + 1
    } else {
        first
    };
    let (name, mut next) = source.dotted(first)?;
    let mut columns = None;
    if source.punct(next, "(") {
        let close = source.closing(next)?;
        columns = Some((next, close));
        next = close + 1;
    }
    Some(Parts { query: None, name, columns, direction: next })
}

pub(crate) fn class(source: &Source<'_>) -> Class {
    match read(source) {
        Some(parts) if source.keyword(parts.direction, "from") => Class::CopyFrom,
        _ => Class::CopyTo,
    }
}

pub(crate) fn analyse(
    source: &Source<'_>,
    context: &Context<'_>,
    state: &State<'_>,
) -> Result<Finished, Refusal> {
    let parts = read(source).ok_or_else(|| not_understood(source, source.range.start + 1))?;
    let to = source.keyword(parts.direction, "to");
    if !to && !source.keyword(parts.direction, "from") {
        return Err(not_understood(source, parts.direction));
    }
    let place = parts.direction + 1;
    if !source.keyword(place, if to { "stdout" } else { "stdin" })
        && !source.one_of(place, &["stdin", "stdout"])
    {
        return Err(match source.keyword(place, "program") {
            true => refuse::server_access("COPY with a program", source.byte(place)),
            false => refuse::server_access("COPY with a file", source.byte(place)),
        });
    }
    let filter = (place..source.range.end).find(|index| source.keyword(*index, "where"));
    let options = source.part(place + 1..filter.unwrap_or(source.range.end));
    names_only(&options, context, Vec::new())?;
    if let Some(filter) = filter.filter(|filter| filter + 1 < source.range.end) {
        body::analyse(&source.part(filter + 1..source.range.end), context, state, Body::after("SELECT"))?;
    }
    match parts.query {
        Some((open, close)) if to => {
            body::analyse(&source.part(open + 1..close), context, state, Body::new(Frame::Inner).storing())
        }
        Some((open, _)) => Err(not_understood(source, open)),
        None => relation(source, context, state, &parts, to),
    }
}

/// A token as the walk takes names.
pub(crate) fn ident(source: &Source<'_>, token: usize) -> Ident {
    let location = place(token);
    let value = source.name(token).unwrap_or_default();
    Ident::with_span(Span::new(location, location), value.as_ref())
}

fn relation(
    statement: &Source<'_>,
    context: &Context<'_>,
    state: &State<'_>,
    parts: &Parts,
    to: bool,
) -> Result<Finished, Refusal> {
    let source = &statement.part(statement.range.start..parts.direction);
    let findings = screen(source, context.catalogue);
    if findings.is_empty() {
        return Ok(Finished::default());
    }
    let mut walk = Walk::new(source, context, state, Frame::Inner, Facts::default());
    walk.stores = true;
    let name: Vec<Ident> = parts.name.iter().map(|token| ident(source, *token)).collect();
    let name: Vec<&Ident> = name.iter().collect();
    let listed: Vec<usize> = match parts.columns {
        Some((open, close)) => (open + 1..close).filter(|token| source.name(*token).is_some()).collect(),
        None => Vec::new(),
    };
    for column in &listed {
        walk.account.set(*column, Role::Column);
    }
    let Some(last) = name.last().copied() else { return Err(not_understood(source, source.range.start)) };
    let byte = walk.byte(last);
    if let [schema, _] = name.as_slice()
        && schema.value == "pgwarrant"
    {
        let hint = "Write COPY (SELECT * FROM pgwarrant.…) TO STDOUT.";
        return Err(refuse::console("relations of schema \"pgwarrant\" cannot be named in COPY", hint, byte));
    }
    let found = walk.find(&name)?;
    let Resolved::Known(relation) = found else { return walk.finish(&findings) };
    if let Some(culprit) = &relation.read_risk {
        return Err(refuse::unsafe_relation(&relation, culprit, byte));
    }
    let tokens = walk.name_tokens(&name)?;
    let end = parts.columns.map_or(tokens.end, |(_, close)| close + 1);
    let cover = if to {
        cover::cover(&relation, context.catalogue, context.access).dumped()
    } else {
        let into: Vec<String> = listed
            .iter()
            .filter_map(|token| walk.source.name(*token).map(|name| name.into_owned()))
            .collect();
        let into = parts.columns.map(|_| into.as_slice());
        raw(&relation, &may_copy_into(&relation, into, context, byte)?)
    };
    if !to || !relation.is_protected() {
        walk.write_out(&name, &relation)?;
    }
    let alias = relation.name.clone();
    let entry = Entry {
        has_alias: true,
        // COPY of a table leaves its children out.
        only: relation.kind == RelationKind::Table,
        raw: !to,
        ..Entry::new(relation, cover, tokens.start..end, alias)
    };
    let replaced = to && entry.relation.is_protected();
    walk.entries.push(entry);
    walk.blocks.push(Block {
        items: vec![Item { alias: Some(last.value.clone()), schema: None, what: What::Entry(0) }],
        ..Block::default()
    });
    if replaced {
        if listed.is_empty() {
            walk.uses_all(0, 0, Some(tokens.start))?;
        }
        for column in &listed {
            walk.column(&ident(source, *column))?;
        }
        put(&mut walk, &listed, tokens.start..end);
        walk.splices.extend(old_options(statement, parts)?);
    }
    walk.finish(&findings)
}

/// `COPY customers (a, b)` becomes `COPY (SELECT a, b FROM (…) AS customers)`.
fn put(walk: &mut Walk<'_>, listed: &[usize], tokens: std::ops::Range<usize>) {
    let Some(entry) = walk.entries.first() else { return };
    let role = &walk.state.session.role;
    let columns: Vec<String> = match listed {
        [] => view::columns(&entry.relation, &entry.cover, role)
            .into_iter()
            .filter_map(|column| entry.relation.columns.get(column))
            .filter(|column| {
                let id = ColumnId { relation: entry.relation.oid, attnum: column.attnum };
                !walk.context.catalogue.generated.contains(&id)
            })
            .map(|column| text::name(&column.name))
            .collect(),
        listed => listed
            .iter()
            .filter_map(|token| walk.source.name(*token))
            .map(|column| text::name(&column))
            .collect(),
    };
    let reference = view::Reference {
        only: entry.only,
        sample: None,
        system: entry.system.iter().copied().collect(),
        natural: false,
    };
    let mut with = vec![Piece::Text(format!("(SELECT {} FROM ", columns.join(", ")))];
    with.extend(view::pieces(&entry.relation, &entry.cover, role, &reference));
    with.push(Piece::Text(format!(" AS {})", text::name(&entry.alias))));
    walk.splices.push(Splice { tokens, with });
}

/// `COPY BINARY t` and `[USING] DELIMITERS ','`, which PostgreSQL's grammar has for tables and not for
/// queries, as the options that they stand for.
fn old_options(statement: &Source<'_>, parts: &Parts) -> Result<Vec<Splice>, Refusal> {
    let first = statement.range.start + 1;
    let binary = parts.name.first().is_some_and(|name| *name > first);
    let after = parts.direction + 2;
    let word = if statement.keyword(after, "using") { after + 1 } else { after };
    let delimiters = statement.keyword(word, "delimiters").then_some(word + 1);
    let mut options = after;
    if let Some(delimiter) = delimiters {
        options = delimiter + 1;
        if statement.string(delimiter).is_none() {
            return Err(not_understood(statement, delimiter));
        }
    }
    if statement.keyword(options, "with") {
        options += 1;
    }
    let listed = statement.punct(options, "(");
    let mut with = Vec::new();
    if binary {
        with.push(Piece::Text(if listed { "FORMAT binary, " } else { "BINARY" }.to_owned()));
    }
    if let Some(delimiter) = delimiters {
        with.push(Piece::Text("DELIMITER ".to_owned()));
        with.push(Piece::Tokens(delimiter..delimiter + 1));
        with.extend(listed.then(|| Piece::Text(", ".to_owned())));
    }
    let mut splices = Vec::new();
    if binary {
        splices.push(Splice { tokens: first..first + 1, with: Vec::new() });
    }
    if let Some(delimiter) = delimiters {
        splices.push(Splice { tokens: after..delimiter + 1, with: Vec::new() });
    }
    if !with.is_empty() {
        let place = if listed { options + 1 } else { options };
        splices.push(Splice { tokens: place..place, with });
    }
    Ok(splices)
}
