//! What a session may write, and to which rows its grants confine it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use pgwarrant_catalog::{Cascade, Catalogue, Column, ColumnId, Oid, Relation, RelationKind};

use crate::analyse::cover::{self, Permit};
use crate::analyse::refuse;
use crate::analyse::target::any;
use crate::{Access, Actions, Context, GrantId, Predicate, Refusal, Rows};

/// The rows that a write is confined to, and the grants that let it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Confines {
    /// A row must be one of each of these.
    pub each: Vec<Vec<Arc<Predicate>>>,
    pub grants: Vec<GrantId>,
    /// The protected columns that are written.
    pub written: Vec<ColumnId>,
}

impl Confines {
    pub(crate) fn add(&mut self, predicates: Vec<Arc<Predicate>>) {
        if !self.each.contains(&predicates) {
            self.each.push(predicates);
        }
    }

    /// The condition on the row that goes by `row` (SQL text); None: any row will do.
    pub(crate) fn condition(&self, row: &str) -> Option<String> {
        let each: Vec<String> = self.each.iter().map(|rows| format!("({})", any(rows, row))).collect();
        (!each.is_empty()).then(|| each.join(" AND "))
    }

    /// Attribute numbers that the condition is about.
    pub(crate) fn columns(&self) -> BTreeSet<i16> {
        self.each.iter().flatten().flat_map(|predicate| predicate.columns()).copied().collect()
    }
}

/// Which one of the actions this is, as a question to a grant.
fn asked(actions: Actions) -> fn(&Actions) -> bool {
    match actions {
        Actions { insert: true, .. } => |actions| actions.insert,
        Actions { delete: true, .. } => |actions| actions.delete,
        _ => |actions| actions.update,
    }
}

/// Lets a session do one action on some columns of a relation, or refuses.
pub(crate) fn columns(
    relation: &Relation,
    columns: &BTreeSet<usize>,
    verb: &str,
    actions: Actions,
    context: &Context<'_>,
    byte: usize,
) -> Result<Confines, Refusal> {
    let mut confines = Confines::default();
    let mut missing = Vec::new();
    for index in columns {
        let Some(column) = relation.columns.get(*index).filter(|column| column.protection.is_some()) else {
            continue;
        };
        confines.written.push(ColumnId { relation: relation.oid, attnum: column.attnum });
        match cover::permit(relation, column, asked(actions), context.catalogue, context.access) {
            Permit::All(grants) => confines.grants.extend(grants),
            Permit::Rows(predicates, grants) => {
                confines.add(predicates);
                confines.grants.extend(grants);
            }
            Permit::None => missing.push(column),
        }
    }
    if missing.is_empty() {
        Ok(confines)
    } else {
        Err(refuse::columns_not_written(relation, verb, &missing, actions, byte))
    }
}

/// Every protected column of a relation, as indexes.
pub(crate) fn protected(relation: &Relation) -> BTreeSet<usize> {
    let columns = relation.columns.iter().enumerate();
    columns.filter(|(_, column)| column.protection.is_some()).map(|(index, _)| index).collect()
}

/// Lets a session delete rows of a relation: with all that they hold, also where it does not show.
pub(crate) fn delete(
    relation: &Relation,
    verb: &str,
    context: &Context<'_>,
    byte: usize,
) -> Result<Confines, Refusal> {
    let actions = Actions { delete: true, ..Actions::default() };
    let mut confines = columns(relation, &protected(relation), verb, actions, context, byte)?;
    // Columns that only a child has, and those of a view's base that it does not show: no predicate
    // on this relation speaks of them.
    let mut others: Vec<Arc<Relation>> = descendants(relation, context.catalogue);
    for base in bases(relation, context.catalogue) {
        others.extend(descendants(&base, context.catalogue));
        others.push(base);
    }
    for other in others {
        let own: BTreeSet<usize> = protected(&other)
            .into_iter()
            .filter(|index| {
                let name = other.columns.get(*index).map(|column| column.name.as_str()).unwrap_or_default();
                let inherited = other.ancestors.contains(&relation.oid);
                !(inherited && relation.column(name).is_some_and(|column| column.protection.is_some()))
            })
            .collect();
        let more = columns(&other, &own, verb, actions, context, byte)?;
        if !more.each.is_empty() {
            let held: Vec<&Column> = own.iter().filter_map(|index| other.columns.get(*index)).collect();
            return Err(refuse::columns_not_written(&other, verb, &held, actions, byte));
        }
        confines.grants.extend(more.grants);
        confines.written.extend(more.written);
    }
    let cascades = family(relation, context.catalogue);
    let cascades = cascades.iter().flat_map(|member| context.catalogue.cascades(member.oid));
    for cascade in cascades.filter(|cascade| cascade.deletes) {
        confines.grants.extend(follow(relation, cascade, context, byte)?);
    }
    Ok(confines)
}

/// Lets a session do to another relation what a foreign key's action does to it: to any of its rows.
fn follow(
    relation: &Relation,
    cascade: &Cascade,
    context: &Context<'_>,
    byte: usize,
) -> Result<Vec<GrantId>, Refusal> {
    let Some(other) = context.catalogue.relations.get(&cascade.relation) else { return Ok(Vec::new()) };
    let refused = |columns: &BTreeSet<usize>, actions| {
        let held: Vec<&Column> = columns.iter().filter_map(|index| other.columns.get(*index)).collect();
        refuse::cascades(relation, other, &held, actions, byte)
    };
    if let Some(culprit) = &other.write_risk {
        return Err(refuse::unsafe_relation(other, culprit, byte));
    }
    let mut grants = Vec::new();
    if cascade.deletes && cascade.columns.is_empty() {
        let actions = Actions { delete: true, ..Actions::default() };
        let all = protected(other);
        match columns(other, &all, "delete from", actions, context, byte) {
            Ok(confines) if confines.each.is_empty() => grants.extend(confines.grants),
            _ => return Err(refused(&all, actions)),
        }
    }
    let places = other.columns.iter().enumerate();
    let changed: BTreeSet<usize> = places
        .filter(|(_, column)| cascade.columns.contains(&column.attnum))
        .map(|(index, _)| index)
        .collect();
    let actions = Actions { update: true, ..Actions::default() };
    match columns(other, &changed, "update", actions, context, byte) {
        Ok(confines) if confines.each.is_empty() => grants.extend(confines.grants),
        _ => return Err(refused(&changed, actions)),
    }
    grants.extend(deciding(other, &changed, context, byte)?);
    Ok(grants)
}

/// What foreign keys' actions do when these columns are assigned.
pub(crate) fn cascades(
    relation: &Relation,
    assigned: &BTreeSet<usize>,
    context: &Context<'_>,
    byte: usize,
) -> Result<Vec<GrantId>, Refusal> {
    let mut grants = Vec::new();
    for member in family(relation, context.catalogue) {
        for cascade in context.catalogue.cascades(member.oid).iter().filter(|cascade| cascade.updates) {
            // A view's columns may go by other names.
            let is_key = |index: &usize| {
                let name = relation.columns.get(*index).map(|column| column.name.as_str());
                let same = name.and_then(|name| member.column(name));
                relation.kind == RelationKind::View
                    || same.is_some_and(|column| cascade.key.contains(&column.attnum))
            };
            if assigned.iter().any(is_key) {
                grants.extend(follow(relation, cascade, context, byte)?);
            }
        }
    }
    Ok(grants)
}

/// Lets a session write a column by which grants say which rows they cover, or refuses.
pub(crate) fn deciding(
    relation: &Relation,
    assigned: &BTreeSet<usize>,
    context: &Context<'_>,
    byte: usize,
) -> Result<Vec<GrantId>, Refusal> {
    let deciding = Deciding::of(context.access, context.catalogue);
    let decides = assigned
        .iter()
        .filter_map(|index| relation.columns.get(*index))
        .find(|column| deciding.concerns(relation, column, context.catalogue));
    let Some(column) = decides else { return Ok(Vec::new()) };
    let update = Actions { update: true, ..Actions::default() };
    let mut grants = Vec::new();
    let bases = bases(relation, context.catalogue);
    for written in std::iter::once(relation).chain(bases.iter().map(Arc::as_ref)) {
        match columns(written, &protected(written), "update", update, context, byte) {
            Ok(confines) if confines.each.is_empty() => grants.extend(confines.grants),
            _ => return Err(refuse::column_decides(relation, column, byte)),
        }
    }
    Ok(grants)
}

/// Columns by which live grants and open requests say which rows they cover.
struct Deciding {
    columns: HashSet<ColumnId>,
    /// Relations of which any column may decide.
    whole: HashSet<Oid>,
}

impl Deciding {
    fn of(access: &Access, catalogue: &Catalogue) -> Self {
        let own = access.scopes.iter().filter_map(|scope| match &scope.rows {
            Rows::All => None,
            Rows::Where(predicate) => Some((scope.relation, predicate)),
        });
        let own = own.flat_map(|(relation, predicate)| {
            predicate.columns().iter().map(move |attnum| ColumnId { relation, attnum: *attnum })
        });
        let mut deciding = Self { columns: HashSet::new(), whole: HashSet::new() };
        for column in access.deciding.iter().copied().chain(own) {
            deciding.add(column, catalogue);
        }
        deciding
    }

    fn add(&mut self, column: ColumnId, catalogue: &Catalogue) {
        let mut below = Some(column);
        // A view's column says what the column below says that it copies.
        while let Some(column) = below {
            if !self.columns.insert(column) {
                return;
            }
            // What it is computed from is not known.
            if catalogue.generated.contains(&column) {
                self.whole.insert(column.relation);
            }
            let Some(relation) = catalogue.relations.get(&column.relation) else { return };
            below = copied(column, catalogue);
            if below.is_none() {
                self.whole.extend(bases(relation, catalogue).iter().map(|base| base.oid));
            }
        }
    }

    /// Does an assignment to a column of a relation change what decides?
    fn concerns(&self, relation: &Relation, column: &Column, catalogue: &Catalogue) -> bool {
        if self.columns.is_empty() {
            return false;
        }
        let by_name = |relation: &Relation| {
            self.whole.contains(&relation.oid)
                || relation.column(&column.name).is_some_and(|column| {
                    self.columns.contains(&ColumnId { relation: relation.oid, attnum: column.attnum })
                })
        };
        let ancestors = relation.ancestors.iter().filter_map(|oid| catalogue.relations.get(oid));
        if by_name(relation)
            || ancestors.map(Arc::as_ref).any(by_name)
            || descendants(relation, catalogue).iter().any(|child| by_name(child))
        {
            return true;
        }
        let id = ColumnId { relation: relation.oid, attnum: column.attnum };
        match copied(id, catalogue) {
            Some(below) => catalogue.relations.get(&below.relation).is_some_and(|base| {
                base.by_attnum(below.attnum).is_some_and(|column| self.concerns(base, column, catalogue))
            }),
            // Another name below, or none.
            None => bases(relation, catalogue).iter().any(|base| {
                self.whole.contains(&base.oid)
                    || self.columns.iter().any(|column| column.relation == base.oid)
            }),
        }
    }
}

/// The column below that a view's column copies.
fn copied(column: ColumnId, catalogue: &Catalogue) -> Option<ColumnId> {
    let base = catalogue.bases.get(&column.relation)?;
    let (_, attnum) = base.columns.iter().find(|(own, _)| *own == column.attnum)?;
    Some(ColumnId { relation: base.relation, attnum: *attnum })
}

/// Relations that inherit from one, at any depth.
pub(crate) fn descendants(relation: &Relation, catalogue: &Catalogue) -> Vec<Arc<Relation>> {
    let children = catalogue.relations.values().filter(|other| other.ancestors.contains(&relation.oid));
    let mut children: Vec<Arc<Relation>> = children.cloned().collect();
    children.sort_by_key(|child| child.oid);
    children
}

/// The relations whose rows a write through a view hits: those below it, at any depth. Of a view over
/// several, which PostgreSQL writes by triggers or rules alone, those whose protected columns it shows.
pub(crate) fn bases(relation: &Relation, catalogue: &Catalogue) -> Vec<Arc<Relation>> {
    if relation.kind != RelationKind::View {
        return Vec::new();
    }
    let mut below = Vec::new();
    let mut next = catalogue.bases.get(&relation.oid);
    while let Some(base) = next {
        // A view cannot be below itself; a catalogue made by hand could say so.
        if base.relation == relation.oid || below.contains(&base.relation) {
            break;
        }
        below.push(base.relation);
        next = catalogue.bases.get(&base.relation);
    }
    if below.is_empty() {
        let sources = relation.columns.iter().filter_map(|column| column.protection.as_ref());
        below = sources
            .flat_map(|protection| protection.sources.iter().chain(protection.uncovered_by.iter().flatten()))
            .map(|column| column.relation)
            .filter(|oid| *oid != relation.oid)
            .collect();
        below.sort_unstable();
        below.dedup();
    }
    below.into_iter().filter_map(|oid| catalogue.relations.get(&oid).cloned()).collect()
}

/// A relation, and those whose foreign keys its rows may be referenced by: of what it inherits from,
/// what inherits from it, and what is below a view.
fn family(relation: &Relation, catalogue: &Catalogue) -> Vec<Arc<Relation>> {
    let own = catalogue.relations.get(&relation.oid).cloned();
    let mut members: Vec<Arc<Relation>> = own.into_iter().chain(bases(relation, catalogue)).collect();
    for member in members.clone() {
        members.extend(member.ancestors.iter().filter_map(|oid| catalogue.relations.get(oid).cloned()));
        members.extend(descendants(&member, catalogue));
    }
    members.sort_by_key(|member| member.oid);
    members.dedup_by_key(|member| member.oid);
    members
}
