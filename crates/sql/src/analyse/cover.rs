//! What a session's grants amount to on one relation.

use std::sync::Arc;

use pgwarrant_catalog::{Catalogue, Column, ColumnId, Relation, Ungranted};

use crate::{Access, Actions, GrantId, GrantScope, OtherRows, Predicate, Rows};

/// How a column shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It is not protected.
    Open,
    /// A grant covers it for all rows.
    Raw,
    /// Grants cover it for the rows of these predicates.
    Rows(Vec<Arc<Predicate>>),
    Masked,
    /// No grant, and the label says to refuse what uses it.
    Blocked,
    /// The same in a dump, which names every column: the type's blank, which tells nothing, not even
    /// what is NULL.
    Blank,
}

/// What the grants say of one column.
#[derive(Clone, Debug)]
pub(crate) struct ColumnCover {
    pub shown: Shown,
    pub grants: Vec<GrantId>,
    /// Its raw values may leave for a place that outlives the grant.
    pub export: bool,
}

/// What the grants say of one relation.
#[derive(Clone, Debug)]
pub(crate) struct Cover {
    /// One for each column of the relation, in its order.
    pub columns: Vec<ColumnCover>,
    /// Only rows of these predicates are there at all.
    pub only: Option<Vec<Arc<Predicate>>>,
    /// The grants that say so.
    pub only_by: Vec<GrantId>,
}

impl Cover {
    /// For a dump: what is blocked is blank, so that the dump is whole and can be restored.
    pub(crate) fn dumped(mut self) -> Self {
        for column in &mut self.columns {
            if column.shown == Shown::Blocked {
                column.shown = Shown::Blank;
            }
        }
        self
    }
}

pub(crate) fn cover(relation: &Relation, catalogue: &Catalogue, access: &Access) -> Cover {
    let columns =
        relation.columns.iter().map(|column| column_cover(relation, column, catalogue, access)).collect();
    let here: Vec<&GrantScope> =
        access.scopes.iter().filter(|scope| scope.actions.select && speaks_of(scope, relation)).collect();
    let hides = here.iter().any(|scope| scope.others == OtherRows::Hide && scope.rows != Rows::All);
    let predicates: Vec<Arc<Predicate>> = here.iter().filter_map(|scope| predicate(scope)).collect();
    // A grant for all rows leaves none to hide.
    let only = (hides && predicates.len() == here.len()).then_some(predicates);
    let only_by = if only.is_some() { here.iter().map(|scope| scope.id).collect() } else { Vec::new() };
    Cover { columns, only, only_by }
}

/// The grants by which a session may do `actions` to all rows and every protected column of a
/// relation, and read them; None if it may not.
pub(crate) fn whole(
    relation: &Relation,
    actions: Actions,
    catalogue: &Catalogue,
    access: &Access,
) -> Option<Vec<GrantId>> {
    let mut grants = Vec::new();
    let wanted = Actions { select: true, ..actions };
    let one = |wanted: bool, action: fn(&Actions) -> bool, column: ColumnId| {
        if wanted { all_rows(column, action, catalogue, access) } else { Some(Vec::new()) }
    };
    for column in relation.columns.iter() {
        let Some(protection) = &column.protection else { continue };
        if protection.built_in {
            return None;
        }
        let id = ColumnId { relation: relation.oid, attnum: column.attnum };
        grants.extend(one(wanted.select, |actions| actions.select, id)?);
        grants.extend(one(wanted.insert, |actions| actions.insert, id)?);
        grants.extend(one(wanted.update, |actions| actions.update, id)?);
        grants.extend(one(wanted.delete, |actions| actions.delete, id)?);
        grants.extend(one(wanted.export, |actions| actions.export, id)?);
    }
    Some(grants)
}

/// For which rows a session may do something with a column.
#[derive(Clone, Debug)]
pub(crate) enum Permit {
    All(Vec<GrantId>),
    /// Those of these predicates.
    Rows(Vec<Arc<Predicate>>, Vec<GrantId>),
    None,
}

/// For which rows a session may do an action on a protected column.
pub(crate) fn permit(
    relation: &Relation,
    column: &Column,
    action: fn(&Actions) -> bool,
    catalogue: &Catalogue,
    access: &Access,
) -> Permit {
    if column.protection.as_ref().is_some_and(|protection| protection.built_in) {
        return Permit::None;
    }
    let id = ColumnId { relation: relation.oid, attnum: column.attnum };
    if let Some(grants) = all_rows(id, action, catalogue, access) {
        return Permit::All(grants);
    }
    let scopes = access.scopes.iter().filter(|scope| {
        action(&scope.actions) && speaks_of(scope, relation) && covers(scope, relation, column)
    });
    let (predicates, grants): (Vec<_>, Vec<_>) =
        scopes.filter_map(|scope| Some((predicate(scope)?, scope.id))).unzip();
    if predicates.is_empty() { Permit::None } else { Permit::Rows(predicates, grants) }
}

fn column_cover(relation: &Relation, column: &Column, catalogue: &Catalogue, access: &Access) -> ColumnCover {
    let Some(protection) = &column.protection else {
        return ColumnCover { shown: Shown::Open, grants: Vec::new(), export: true };
    };
    let id = ColumnId { relation: relation.oid, attnum: column.attnum };
    let bare = match protection.ungranted {
        Ungranted::Mask => Shown::Masked,
        Ungranted::Block => Shown::Blocked,
    };
    if protection.built_in {
        return ColumnCover { shown: bare, grants: Vec::new(), export: false };
    }
    let export = all_rows(id, |actions| actions.export, catalogue, access).is_some();
    if let Some(grants) = all_rows(id, |actions| actions.select, catalogue, access) {
        return ColumnCover { shown: Shown::Raw, grants, export };
    }
    let scopes: Vec<&GrantScope> = access
        .scopes
        .iter()
        .filter(|scope| scope.actions.select && speaks_of(scope, relation) && covers(scope, relation, column))
        .collect();
    if scopes.is_empty() {
        return ColumnCover { shown: bare, grants: Vec::new(), export: false };
    }
    ColumnCover {
        shown: Shown::Rows(scopes.iter().filter_map(|scope| predicate(scope)).collect()),
        grants: scopes.iter().map(|scope| scope.id).collect(),
        export: export || scopes.iter().all(|scope| scope.actions.export),
    }
}

/// Does a scope's predicate speak of this relation's rows? A parent's does: its columns are the
/// child's too.
fn speaks_of(scope: &GrantScope, relation: &Relation) -> bool {
    scope.relation == relation.oid || relation.ancestors.contains(&scope.relation)
}

/// Does a scope name this column, or the parent's that it inherits?
fn covers(scope: &GrantScope, relation: &Relation, column: &Column) -> bool {
    let inherited = |set: &Vec<ColumnId>| match set.as_slice() {
        [only] => relation.ancestors.contains(&only.relation) && scope.columns.contains(only),
        _ => false,
    };
    scope.columns.contains(&ColumnId { relation: relation.oid, attnum: column.attnum })
        || column.protection.as_ref().is_some_and(|protection| protection.uncovered_by.iter().any(inherited))
}

fn predicate(scope: &GrantScope) -> Option<Arc<Predicate>> {
    match &scope.rows {
        Rows::All => None,
        Rows::Where(predicate) => Some(predicate.clone()),
    }
}

/// The grants that allow an action on all rows of a column; None where there are none.
fn all_rows(
    column: ColumnId,
    action: fn(&Actions) -> bool,
    catalogue: &Catalogue,
    access: &Access,
) -> Option<Vec<GrantId>> {
    granted(column, action, catalogue, access, VIEWS)
}

/// How many views over views are followed.
const VIEWS: usize = 8;

fn granted(
    column: ColumnId,
    action: fn(&Actions) -> bool,
    catalogue: &Catalogue,
    access: &Access,
    views: usize,
) -> Option<Vec<GrantId>> {
    let direct = |column: ColumnId| {
        let all = |scope: &&GrantScope| scope.rows == Rows::All && action(&scope.actions);
        access
            .scopes
            .iter()
            .filter(all)
            .find(|scope| scope.columns.contains(&column))
            .map(|scope| vec![scope.id])
    };
    if let Some(grants) = direct(column) {
        return Some(grants);
    }
    let views = views.checked_sub(1)?;
    let protection =
        catalogue.relations.get(&column.relation)?.by_attnum(column.attnum)?.protection.as_ref()?;
    let all_of = |set: &Vec<ColumnId>| -> Option<Vec<GrantId>> {
        let mut grants = Vec::new();
        for base in set.iter() {
            // A set with the column itself in it says no more than the grants on it.
            if *base == column {
                return None;
            }
            grants.extend(granted(*base, action, catalogue, access, views)?);
        }
        (!set.is_empty()).then_some(grants)
    };
    protection.uncovered_by.iter().find_map(all_of)
}
