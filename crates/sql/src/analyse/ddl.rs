//! DDL and maintenance: judged by their tokens.
//!
//! Such a statement changes what later ones mean, and PostgreSQL's grammar for it is wide. So no
//! tree: every token that can name a protected relation does, unless the name before or after it
//! says otherwise.

use pgwarrant_catalog::{Column, ColumnId, FunctionSafety, Oid, Relation, RelationKind};
use pgwarrant_masking::BaseType;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::body::{self, Body};
use super::copy::ident;
use super::cover;
use super::from::Resolved;
use super::judge::{toast, unsafe_operator, unsafe_type};
use super::names::{self, Found, State};
use super::normalise::Facts;
use super::source::Source;
use super::utility::not_understood;
use super::walk::{Finished, Frame, Walk};
use super::write::may_write;
use super::{ddl_names, refuse, settings};
use crate::screen::{Risk, screen};
use crate::{Actions, Context, Effect, Refusal, Touched};

const ALL: Actions = Actions { select: true, insert: true, update: true, delete: true, export: true };

pub(crate) fn analyse(
    source: &Source<'_>,
    context: &Context<'_>,
    state: &State<'_>,
) -> Result<Finished, Refusal> {
    let first = source.range.start;
    let byte = source.byte(first);
    let mut index = first + 1;
    if let Some(culprit) = ddl_names::fires(source, context.catalogue) {
        return Err(refuse::unsafe_call("DDL", culprit, byte));
    }
    if source.keyword(first, "import") {
        return Err(refuse::server_access("IMPORT FOREIGN SCHEMA", byte));
    }
    if source.keywords(first, &["drop", "owned"]) {
        return Err(refuse::owned(byte));
    }
    if !source.one_of(first, &["create", "alter"]) {
        let schemas = source.keywords(first, &["drop", "schema"]);
        let moved = if schemas { whole_schemas(source, context)? } else { Touched::default() };
        let mut done = other(source, context, state, None, false)?;
        done.touched = joined(done.touched, moved);
        return Ok(done);
    }
    let replaces = source.keywords(index, &["or", "replace"]);
    if replaces {
        index += 2;
    }
    let mut temporary = false;
    while source.one_of(
        index,
        &[
            "global",
            "local",
            "temp",
            "temporary",
            "unlogged",
            "unique",
            "recursive",
            "trusted",
            "procedural",
            "constraint",
            "default",
        ],
    ) {
        temporary |= source.one_of(index, &["temp", "temporary"]);
        index += 1;
    }
    if let Some(refusal) = refused_kind(source, index, byte) {
        return Err(refusal);
    }
    if source.keyword(first, "alter") {
        return alter(source, context, state, index);
    }
    let materialized = source.keywords(index, &["materialized", "view"]);
    let name = created_name(source, if materialized { index + 2 } else { index + 1 });
    if (materialized || source.keyword(index, "table"))
        && let Some(done) = table_as(source, context, state, name.clone(), temporary)?
    {
        return Ok(done);
    }
    let makes = source.one_of(index, &["table", "view", "sequence", "materialized", "foreign"]);
    let created = name.filter(|_| makes && !replaces);
    other(source, context, state, created, temporary || source.keyword(index, "schema"))
}

/// Kinds of objects that run code or reach the server.
fn refused_kind(source: &Source<'_>, index: usize, byte: usize) -> Option<Refusal> {
    const CODE: [&str; 13] = [
        "function",
        "procedure",
        "routine",
        "rule",
        "trigger",
        "aggregate",
        "operator",
        "cast",
        "extension",
        "language",
        "transform",
        "conversion",
        "event",
    ];
    const SERVER: [&str; 8] =
        ["system", "server", "foreign", "publication", "subscription", "tablespace", "database", "user"];
    let verb = source.raw(source.range.start).to_ascii_uppercase();
    let word = source.name(index)?;
    let what = format!("{verb} {}", word.to_ascii_uppercase());
    if CODE.contains(&&*word) || source.keywords(index, &["access", "method"]) {
        return Some(refuse::code(&what, byte));
    }
    let altered_role = word == "user" && !source.keyword(index + 1, "mapping");
    let altered_database = word == "database" && verb == "ALTER";
    if SERVER.contains(&&*word) && !altered_role && !altered_database {
        return Some(refuse::server_access(&what, byte));
    }
    // CREATE SCHEMA takes other CREATE statements in.
    let nested = (index..source.range.end).any(|token| {
        source.keyword(token, "create")
            && (token + 1..token + 4).any(|token| source.keyword(token, "trigger"))
    });
    nested.then(|| refuse::code("CREATE TRIGGER", byte))
}

/// `ALTER ROLE r SET parameter = value` changes later sessions.
fn alter(
    source: &Source<'_>,
    context: &Context<'_>,
    state: &State<'_>,
    index: usize,
) -> Result<Finished, Refusal> {
    if source.one_of(index, &["role", "user", "database"]) {
        for token in index..source.range.end {
            if !source.one_of(token, &["set", "reset"]) || source.keyword(token + 1, "tablespace") {
                continue;
            }
            let mut parameter = source.name(token + 1).unwrap_or_default().into_owned();
            if source.punct(token + 2, ".") {
                parameter = format!("{parameter}.{}", source.name(token + 3).unwrap_or_default());
            }
            settings::may_write(&parameter, None, source.byte(token + 1))?;
        }
    }
    if let Some(concerned) = checks_rows(source, index) {
        let mut relations: Vec<&Arc<Relation>> = context.catalogue.relations.values().collect();
        relations.sort_unstable_by(|one, other| (&one.schema, &one.name).cmp(&(&other.schema, &other.name)));
        for relation in relations {
            // A view has no rows to look at, and what is the system's own is of none of these types.
            let labelled =
                |column: &Column| column.protection.as_ref().is_some_and(|protection| !protection.built_in);
            let has = relation.kind != RelationKind::View
                && relation.columns.iter().any(|column| labelled(column) && concerned(column));
            if has && cover::whole(relation, ALL, context.catalogue, context.access).is_none() {
                return Err(refuse::type_in_use(relation, source.byte(index)));
            }
        }
    }
    let renames = source.keyword(index, "schema") && source.keyword(index + 2, "rename");
    let moved = if renames { whole_schemas(source, context)? } else { Touched::default() };
    let mut done = other(source, context, state, None, source.keyword(index, "schema"))?;
    done.touched = joined(done.touched, moved);
    Ok(done)
}

/// ALTER DOMAIN and ALTER TYPE that look at the rows of every relation which uses the type, and say
/// what is wrong with them: which columns could be of it. Domains over domains, arrays and composites
/// are not told apart here.
fn checks_rows(source: &Source<'_>, index: usize) -> Option<fn(&Column) -> bool> {
    let any = |words: &[&str]| (index + 1..source.range.end).any(|token| source.one_of(token, words));
    let not_null = (index + 1..source.range.end).any(|token| source.keywords(token, &["set", "not", "null"]));
    if source.keyword(index, "domain") && (not_null || any(&["add", "validate"])) {
        return Some(|column| column.column_type.domain || column.column_type.base == BaseType::Other);
    }
    if source.keyword(index, "type") && any(&["attribute"]) {
        return Some(|column| column.column_type.base == BaseType::Other);
    }
    None
}

/// What takes grants for all that is protected in the schemas that a statement names: another
/// schema could take the name of one before the catalogue has seen it.
fn whole_schemas(source: &Source<'_>, context: &Context<'_>) -> Result<Touched, Refusal> {
    let mut touched = Touched::default();
    let mut seen = BTreeSet::new();
    for token in source.range.clone() {
        let known = |schema: &str| context.catalogue.schemas.contains(schema);
        let Some(schema) = source.name(token).filter(|schema| known(schema)) else { continue };
        if !seen.insert(schema.clone()) {
            continue;
        }
        let mut inside: Vec<&Arc<Relation>> = context
            .catalogue
            .relations
            .values()
            .filter(|relation| relation.schema == *schema && relation.is_protected())
            .collect();
        inside.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        for relation in inside {
            let byte = source.byte(token);
            let grants = cover::whole(relation, ALL, context.catalogue, context.access)
                .ok_or_else(|| refuse::not_defined(relation, byte))?;
            touch(&mut touched, relation, &grants);
        }
    }
    Ok(touched)
}

fn joined(mut touched: Touched, more: Touched) -> Touched {
    touched.relations.extend(more.relations);
    touched.raw.extend(more.raw);
    touched.grants.extend(more.grants);
    touched.relations.sort_unstable();
    touched.relations.dedup();
    touched.raw.sort_unstable();
    touched.raw.dedup();
    touched.grants.sort_unstable();
    touched.grants.dedup();
    touched
}

/// The tokens of the name of what is made.
fn created_name(source: &Source<'_>, index: usize) -> Option<Vec<usize>> {
    let mut index = index;
    if source.keyword(index, "concurrently") {
        index += 1;
    }
    if source.keywords(index, &["if", "not", "exists"]) {
        index += 3;
    }
    source.dotted(index).map(|(parts, _)| parts)
}

/// CREATE TABLE … AS query, CREATE MATERIALIZED VIEW … AS query: the query keeps what it reads.
fn table_as(
    source: &Source<'_>,
    context: &Context<'_>,
    state: &State<'_>,
    name: Option<Vec<usize>>,
    temporary: bool,
) -> Result<Option<Finished>, Refusal> {
    let mut depth = 0_usize;
    let mut found = None;
    for index in source.range.clone() {
        match source.raw(index) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ if depth == 0 && source.keyword(index, "as") => {
                found = Some(index);
                break;
            }
            _ => {}
        }
    }
    let Some(as_token) = found else { return Ok(None) };
    if source.keyword(as_token + 1, "execute") {
        let refusal =
            Refusal::new(crate::Reason::Export, "CREATE TABLE AS EXECUTE is not allowed through pgwarrant");
        return Err(refusal
            .detail("What the prepared statement reads is not known here, so neither is what the table would keep.")
            .hint("Write the query itself after AS.")
            .at(source.byte(as_token + 1)));
    }
    let mut end = source.range.end;
    if end >= 2 && source.keywords(end - 2, &["with", "data"]) {
        end -= 2;
    } else if end >= 3 && source.keywords(end - 3, &["with", "no", "data"]) {
        end -= 3;
    }
    let head = source.part(source.range.start..as_token);
    let before = other(&head, context, state, name, temporary)?;
    let query = source.part(as_token + 1..end);
    if query.range.is_empty() {
        return Err(not_understood(source, as_token + 1));
    }
    let mut done = body::analyse(&query, context, state, Body::new(Frame::Inner).storing())?;
    done.effects.extend(before.effects);
    Ok(Some(done))
}

/// Any other DDL; `created`: the tokens of a name that refers to nothing that is there.
fn other(
    source: &Source<'_>,
    context: &Context<'_>,
    state: &State<'_>,
    created: Option<Vec<usize>>,
    changes_names: bool,
) -> Result<Finished, Refusal> {
    // What is dropped, granted or commented on runs nothing.
    let runs = source.one_of(source.range.start, &["create", "alter"]);
    let mut done = Finished { effects: vec![Effect::Ddl], ..Finished::default() };
    let mut concerns = changes_names;
    for finding in screen(source, context.catalogue) {
        let token = finding.token;
        let byte = source.byte(token);
        let name = source.name(token).unwrap_or_default();
        match finding.risk {
            Risk::Relation => {
                if created.as_ref().is_some_and(|created| created.contains(&token)) {
                    concerns = true;
                    continue;
                }
                if !ddl_names::may_be_relation(source, token) {
                    continue;
                }
                concerns = true;
                if let Some(relation) = named(source, token, context, state)? {
                    if let (Some(culprit), true) = (&relation.read_risk, runs) {
                        return Err(refuse::unsafe_relation(&relation, culprit, byte));
                    }
                    let grants = cover::whole(&relation, ALL, context.catalogue, context.access)
                        .ok_or_else(|| refuse::not_defined(&relation, byte))?;
                    touch(&mut done.touched, &relation, &grants);
                }
            }
            Risk::UnsafeFunction if runs => {
                let culprit = match context.catalogue.function(&name) {
                    FunctionSafety::Unsafe { culprit, .. } => culprit,
                    FunctionSafety::Safe | FunctionSafety::Unknown => String::new(),
                };
                return Err(refuse::unsafe_call(&format!("function {name}"), &culprit, byte));
            }
            Risk::Type if runs => return Err(unsafe_type(context, &name, byte)),
            Risk::Operator if runs => return Err(unsafe_operator(context, source.raw(token), byte)),
            Risk::Setting if runs => {
                if name != "current_setting" {
                    return Err(refuse::setting(
                        &name,
                        "Settings cannot be changed by what is stored in the schema.",
                        byte,
                    ));
                }
                settings::stored_call(source, token, &name)?;
            }
            Risk::Console => {
                return Err(refuse::console(
                    "schema \"pgwarrant\" cannot be used in DDL",
                    "Its relations and functions exist only in the proxy.",
                    byte,
                ));
            }
            Risk::Toast => return Err(toast(&name, byte)),
            // Names before parentheses are types, tables, indexes; what PostgreSQL calls, it finds.
            Risk::UnknownFunction | Risk::UnsafeFunction | Risk::Type | Risk::Operator | Risk::Setting => {}
        }
    }
    if concerns {
        done.effects.push(Effect::SessionState);
    }
    Ok(done)
}

/// The name of a temporary relation that a statement makes.
pub(crate) fn temporary_name(source: &Source<'_>) -> Option<String> {
    let first = source.range.start;
    let mut index = first + 1;
    if !source.keyword(first, "create") {
        return None;
    }
    while source.one_of(index, &["global", "local"]) {
        index += 1;
    }
    if !source.one_of(index, &["temp", "temporary"]) {
        return None;
    }
    let name = created_name(source, index + 2)?;
    match name.as_slice() {
        [only] => source.name(*only).map(|name| name.into_owned()),
        _ => None,
    }
}

/// The protected or risky relation that a token names; None: it names another, or a column.
fn named(
    source: &Source<'_>,
    token: usize,
    context: &Context<'_>,
    state: &State<'_>,
) -> Result<Option<Arc<Relation>>, Refusal> {
    let name = source.name(token).unwrap_or_default();
    let schema =
        token.checked_sub(2).filter(|_| source.punct(token - 1, ".")).and_then(|schema| source.name(schema));
    let found = match &schema {
        Some(schema) => names::qualified(schema, &name, context.catalogue),
        None => names::unqualified(&name, state, context.catalogue),
    };
    match found {
        Found::Known(relation) => Ok(Some(relation)),
        Found::Other(_) | Found::Nowhere => Ok(None),
        Found::Unknown(why) => Err(refuse::undecided(&name, why, source.byte(token))),
    }
}

fn touch(touched: &mut Touched, relation: &Relation, grants: &[crate::GrantId]) {
    if !relation.is_protected() || touched.relations.contains(&relation.oid) {
        return;
    }
    touched.relations.push(relation.oid);
    touched.relations.sort_unstable();
    let columns = relation
        .columns
        .iter()
        .filter(|column| column.protection.is_some())
        .map(|column| ColumnId { relation: relation.oid, attnum: column.attnum });
    touched.raw.extend(columns);
    touched.raw.sort_unstable();
    touched.grants.extend(grants);
    touched.grants.sort_unstable();
    touched.grants.dedup();
}

/// TRUNCATE: a list of relations, each of which takes grants for all of it.
pub(crate) fn relations(
    source: &Source<'_>,
    context: &Context<'_>,
    state: &State<'_>,
    index: usize,
    verb: &str,
    actions: Actions,
) -> Result<Finished, Refusal> {
    let findings = screen(source, context.catalogue);
    let last = source.range.end.saturating_sub(1);
    if findings.is_empty() && !source.keyword(last, "cascade") {
        return Ok(Finished::default());
    }
    let mut judged = Vec::new();
    let mut walk = Walk::new(source, context, state, Frame::Inner, Facts::default());
    let mut touched = Touched::default();
    let mut next = if source.keyword(index, "table") { index + 1 } else { index };
    loop {
        let only = source.keyword(next, "only");
        let parenthesised = only && source.punct(next + 1, "(");
        next += usize::from(only) + usize::from(parenthesised);
        let (parts, after) = source.dotted(next).ok_or_else(|| not_understood(source, next))?;
        let name: Vec<_> = parts.iter().map(|token| ident(source, *token)).collect();
        let name: Vec<_> = name.iter().collect();
        let byte = source.byte(parts.last().copied().unwrap_or(next));
        if let Resolved::Known(relation) = walk.find(&name)? {
            let grants = may_write(&relation, verb, actions, context, byte)?;
            walk.write_out(&name, &relation)?;
            judged.push(relation.oid);
            touch(&mut touched, &relation, &grants);
            // It reads nothing.
            touched.raw.clear();
        }
        next = after + usize::from(parenthesised);
        if source.operator(next, "*") {
            next += 1;
        }
        if !source.punct(next, ",") {
            break;
        }
        next += 1;
    }
    if source.one_of(next, &["restart", "continue"]) {
        next += 2;
    }
    if source.keyword(next, "cascade") {
        taken_along(context, &judged, actions, source.byte(next))?;
    }
    let mut done = walk.finish(&findings)?;
    done.touched = touched;
    Ok(done)
}

/// CASCADE takes every table along that has a foreign key to a named one, whatever the key's action;
/// which these are is not known here.
fn taken_along(context: &Context<'_>, judged: &[Oid], actions: Actions, byte: usize) -> Result<(), Refusal> {
    let labelled =
        |column: &Column| column.protection.as_ref().is_some_and(|protection| !protection.built_in);
    let mut concerned: Vec<&Arc<Relation>> = context
        .catalogue
        .relations
        .values()
        .filter(|relation| matches!(relation.kind, RelationKind::Table | RelationKind::PartitionedTable))
        .filter(|relation| relation.columns.iter().any(labelled) || relation.write_risk.is_some())
        .filter(|relation| !judged.contains(&relation.oid))
        .collect();
    concerned.sort_unstable_by(|one, other| (&one.schema, &one.name).cmp(&(&other.schema, &other.name)));
    match concerned
        .into_iter()
        .find(|relation| may_write(relation, "truncate", actions, context, byte).is_err())
    {
        Some(relation) => Err(refuse::taken_along(relation, byte)),
        None => Ok(()),
    }
}

/// LOCK, VACUUM, ANALYZE, REINDEX, CLUSTER, REFRESH: they show nothing of what they touch, and errors
/// are reworded where something protected is touched.
pub(crate) fn maintain(
    source: &Source<'_>,
    context: &Context<'_>,
    state: &State<'_>,
) -> Result<Finished, Refusal> {
    let mut done = Finished::default();
    let runs_nothing = ["vacuum", "analyze", "analyse", "checkpoint", "lock"];
    let rewrites = !source.one_of(source.range.start, &runs_nothing);
    if let (true, Some(culprit)) = (rewrites, ddl_names::fires(source, context.catalogue)) {
        return Err(refuse::unsafe_call("maintenance", culprit, source.byte(source.range.start)));
    }
    for finding in screen(source, context.catalogue) {
        let byte = source.byte(finding.token);
        match finding.risk {
            Risk::Relation => {
                let Some(relation) = named(source, finding.token, context, state)? else { continue };
                let risk = relation.read_risk.as_ref().or(relation.write_risk.as_ref());
                if let (Some(culprit), true) = (risk, rewrites) {
                    return Err(refuse::unsafe_relation(&relation, culprit, byte));
                }
                if relation.is_protected() && !done.touched.relations.contains(&relation.oid) {
                    done.touched.relations.push(relation.oid);
                }
            }
            Risk::Toast => return Err(toast(&source.name(finding.token).unwrap_or_default(), byte)),
            _ => {}
        }
    }
    if done.touched.relations.is_empty() && ddl_names::maintains_all(source) {
        let protected = context.catalogue.relations.values().filter(|relation| relation.is_protected());
        done.touched.relations.extend(protected.map(|relation| relation.oid));
        done.touched.relations.sort_unstable();
    }
    if source.keyword(source.range.start, "refresh") {
        done.effects.push(Effect::Ddl);
    }
    Ok(done)
}
