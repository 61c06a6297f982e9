//! What a request asks for, resolved against the catalogue, and bound to it again and again.
//!
//! A scope keeps names for people and oids for the proxy. A named column is bound by oid and
//! attribute number only: a column that was renamed is still covered, another one that took its
//! name is not, nor is a table made anew under an old name. A category and `*` mean what the
//! labels say at the moment.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use pgwarrant_catalog::{Catalogue, Column, ColumnId, Oid, Relation};
use pgwarrant_sql::{Actions, GrantId, GrantScope, OtherRows, Rows, predicate};
use serde::{Deserialize, Serialize};

use crate::ask::{AskedColumns, Meaning, quote};
use crate::nearest::nearest;
use crate::{Error, Kind};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnPattern {
    Column {
        schema: String,
        relation: String,
        column: String,
        id: ColumnId,
    },
    /// All protected columns of a relation.
    Relation {
        schema: String,
        relation: String,
        oid: Oid,
    },
    Category(String),
    All,
}

impl ColumnPattern {
    fn covers(&self, relation: &Relation, column: &Column, category: &str) -> bool {
        match self {
            ColumnPattern::Column { id, .. } => id.relation == relation.oid && id.attnum == column.attnum,
            ColumnPattern::Relation { oid, .. } => *oid == relation.oid,
            ColumnPattern::Category(name) => name == category,
            ColumnPattern::All => true,
        }
    }

    fn relation(&self) -> Option<Oid> {
        match self {
            ColumnPattern::Column { id, .. } => Some(id.relation),
            ColumnPattern::Relation { oid, .. } => Some(*oid),
            ColumnPattern::Category(_) | ColumnPattern::All => None,
        }
    }
}

/// A row predicate, checked against its relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowScope {
    /// In the canonical form of [`pgwarrant_sql::predicate`].
    pub text: String,
    pub relation: Oid,
    /// The columns it decides by, as they were then: where the text means others by now, it
    /// covers no row.
    pub columns: Vec<i16>,
}

/// Columns, actions and rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    pub columns: Vec<ColumnPattern>,
    pub actions: Actions,
    /// None: all rows.
    pub rows: Option<RowScope>,
    pub others: OtherRows,
}

impl Scope {
    /// `public.customers.email, category:contact`: readable as a request's columns again.
    pub fn columns_text(&self) -> String {
        let shown = |pattern: &ColumnPattern| {
            match pattern.clone() {
                ColumnPattern::Column { schema, relation, column, .. } => {
                    AskedColumns::Column { schema: Some(schema), relation, column }
                }
                ColumnPattern::Relation { schema, relation, .. } => {
                    AskedColumns::Relation { schema: Some(schema), relation }
                }
                ColumnPattern::Category(name) => AskedColumns::Category(name),
                ColumnPattern::All => AskedColumns::All,
            }
            .to_string()
        };
        self.columns.iter().map(shown).collect::<Vec<_>>().join(", ")
    }

    /// `select, update`
    pub fn actions_text(&self) -> String {
        let Actions { select, insert, update, delete, export } = self.actions;
        let named = [
            (select, "select"),
            (insert, "insert"),
            (update, "update"),
            (delete, "delete"),
            (export, "export"),
        ];
        named.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect::<Vec<_>>().join(", ")
    }

    pub fn rows_text(&self) -> Option<&str> {
        self.rows.as_ref().map(|rows| rows.text.as_str())
    }

    pub fn others_text(&self) -> &'static str {
        match self.others {
            OtherRows::Mask => "mask",
            OtherRows::Hide => "hide",
        }
    }

    /// The protected columns that this covers in `catalogue` now, one [`GrantScope`] a relation,
    /// in the order of their oids. What no longer fits covers nothing.
    pub fn bind(&self, id: GrantId, catalogue: &Catalogue) -> Vec<GrantScope> {
        let relations: BTreeMap<Oid, &Arc<Relation>> = match self.named_relations() {
            Some(oids) => {
                oids.into_iter().filter_map(|oid| Some((oid, catalogue.relations.get(&oid)?))).collect()
            }
            None => catalogue.relations.iter().map(|(oid, relation)| (*oid, relation)).collect(),
        };
        relations.into_values().filter_map(|relation| self.bind_relation(id, relation)).collect()
    }

    /// The protected columns that this covers in `catalogue` now, with their categories.
    pub(crate) fn covered<'a>(&self, catalogue: &'a Catalogue) -> Vec<(&'a Relation, &'a Column, &'a str)> {
        let named = self.named_relations();
        let relations = catalogue
            .relations
            .values()
            .filter(|r| named.as_ref().is_none_or(|named| named.contains(&r.oid)));
        relations
            .flat_map(|relation| {
                grantable(relation).map(move |(column, category)| (&**relation, column, category))
            })
            .filter(|(relation, column, category)| self.covers(relation, column, category))
            .collect()
    }

    pub(crate) fn covers(&self, relation: &Relation, column: &Column, category: &str) -> bool {
        covers(&self.columns, relation, column, category)
    }

    /// None: a category or `*`, which can be anywhere.
    fn named_relations(&self) -> Option<HashSet<Oid>> {
        self.columns.iter().map(ColumnPattern::relation).collect()
    }

    fn bind_relation(&self, id: GrantId, relation: &Relation) -> Option<GrantScope> {
        let columns: HashSet<ColumnId> = grantable(relation)
            .filter(|(column, category)| self.covers(relation, column, category))
            .map(|(column, _)| ColumnId { relation: relation.oid, attnum: column.attnum })
            .collect();
        let rows = match &self.rows {
            None => Rows::All,
            Some(rows) => rows.bind(relation)?,
        };
        let scope = GrantScope {
            id,
            columns,
            actions: self.actions,
            relation: relation.oid,
            rows,
            others: self.others,
        };
        (!scope.columns.is_empty()).then_some(scope)
    }
}

pub(crate) fn covers(
    patterns: &[ColumnPattern],
    relation: &Relation,
    column: &Column,
    category: &str,
) -> bool {
    patterns.iter().any(|pattern| pattern.covers(relation, column, category))
}

impl RowScope {
    fn bind(&self, relation: &Relation) -> Option<Rows> {
        if self.relation != relation.oid {
            return None;
        }
        match predicate::parse(&self.text, relation) {
            Ok(predicate) if predicate.columns() == self.columns => Some(Rows::Where(Arc::new(predicate))),
            _ => {
                tracing::warn!(relation = %relation.name, "a grant's row predicate no longer fits its relation");
                None
            }
        }
    }
}

/// Protected columns that a grant can uncover, with their category.
fn grantable(relation: &Relation) -> impl Iterator<Item = (&Column, &str)> {
    relation.columns.iter().filter_map(|column| {
        let protection = column.protection.as_ref()?;
        (!protection.built_in).then_some((column, protection.category.as_str()))
    })
}

/// Looks up what was asked for; every entry must name something that needs a grant.
pub(crate) fn resolve(meaning: &Meaning, catalogue: &Catalogue) -> Result<Scope, Error> {
    let columns = meaning
        .columns
        .iter()
        .map(|asked| resolve_entry(asked, catalogue))
        .collect::<Result<Vec<ColumnPattern>, Error>>()?;
    let mut scope = Scope { columns, actions: meaning.actions, rows: None, others: meaning.others };
    if let Some(text) = &meaning.rows {
        let relation = only_relation(&scope, catalogue)?;
        let predicate = predicate::parse(text, relation).map_err(|error| {
            let hint = error.hint.unwrap_or_else(|| {
                format!("Compare columns of {} with literals: rows => 'id = 42'.", full_name(relation))
            });
            Error::invalid(format!("rows are not understood: {}", error.message)).hint(hint)
        })?;
        scope.rows = Some(RowScope {
            text: predicate.canonical(),
            relation: relation.oid,
            columns: predicate.columns().to_vec(),
        });
    }
    Ok(scope)
}

fn only_relation<'a>(scope: &Scope, catalogue: &'a Catalogue) -> Result<&'a Relation, Error> {
    let named = scope.named_relations().unwrap_or_default();
    let mut relations = named.iter().filter_map(|oid| catalogue.relations.get(oid));
    match (relations.next(), relations.next()) {
        (Some(relation), None) => Ok(relation),
        _ => Err(Error::invalid("rows need columns of exactly one relation")
            .hint("Name columns of one relation ('customers.email, customers.phone'), or leave rows out.")),
    }
}

fn resolve_entry(asked: &AskedColumns, catalogue: &Catalogue) -> Result<ColumnPattern, Error> {
    match asked {
        AskedColumns::All => {
            let any = catalogue.relations.values().any(|relation| grantable(relation).next().is_some());
            if any { Ok(ColumnPattern::All) } else { Err(needs_no_grant("nothing in this database")) }
        }
        AskedColumns::Category(name) => resolve_category(name, catalogue),
        AskedColumns::Relation { schema, relation } => {
            let found = find_relation(schema.as_deref(), relation, catalogue)?;
            if grantable(found).next().is_none() {
                return Err(no_grantable_column(found));
            }
            Ok(ColumnPattern::Relation {
                schema: found.schema.clone(),
                relation: found.name.clone(),
                oid: found.oid,
            })
        }
        AskedColumns::Column { schema, relation, column } => {
            let found = find_relation(schema.as_deref(), relation, catalogue).map_err(|error| {
                as_schema_and_relation(schema.as_deref(), relation, column, catalogue).unwrap_or(error)
            })?;
            let id = ColumnId { relation: found.oid, attnum: find_column(found, column)?.attnum };
            Ok(ColumnPattern::Column {
                schema: found.schema.clone(),
                relation: found.name.clone(),
                column: column.clone(),
                id,
            })
        }
    }
}

fn resolve_category(name: &str, catalogue: &Catalogue) -> Result<ColumnPattern, Error> {
    let categories: HashSet<&str> =
        catalogue.relations.values().flat_map(|relation| grantable(relation)).map(|(_, name)| name).collect();
    if categories.contains(name) {
        return Ok(ColumnPattern::Category(name.to_owned()));
    }
    let error = Error::new(Kind::Unknown, format!("category \"{name}\" does not exist"));
    Err(error.hint(match nearest(name, categories.iter().copied()) {
        Some(meant) => format!("Perhaps you meant \"category:{meant}\"."),
        None => "SELECT DISTINCT category FROM pgwarrant.catalog lists the categories.".to_owned(),
    }))
}

fn find_relation<'a>(
    schema: Option<&str>,
    name: &str,
    catalogue: &'a Catalogue,
) -> Result<&'a Arc<Relation>, Error> {
    if let Some(schema) = schema {
        return catalogue.relation(schema, name).ok_or_else(|| no_relation(Some(schema), name, catalogue));
    }
    let mut found: Vec<&Arc<Relation>> =
        catalogue.relations.values().filter(|relation| relation.name == name).collect();
    // One that merely carries a risk is not what somebody asks for by its bare name.
    if found.iter().any(|relation| relation.is_protected()) {
        found.retain(|relation| relation.is_protected());
    }
    match found.as_slice() {
        [] => Err(no_relation(None, name, catalogue)),
        [one] => Ok(one),
        several => {
            let mut names: Vec<String> = several.iter().map(|relation| full_name(relation)).collect();
            names.sort();
            Err(Error::invalid(format!("relation name \"{name}\" is ambiguous"))
                .detail(format!("It could be {}.", names.join(" or ")))
                .hint("Write the schema too: 'schema.relation.column'."))
        }
    }
}

fn no_relation(schema: Option<&str>, name: &str, catalogue: &Catalogue) -> Error {
    let same = |(other_schema, other): &&(String, String)| {
        other == name && schema.is_none_or(|schema| schema == other_schema)
    };
    if let Some((schema, name)) = catalogue.unprotected.iter().filter(same).min() {
        return needs_no_grant(&format!("relation {}.{}", quote(schema), quote(name)));
    }
    let full = |schema: &str, name: &str| format!("{schema}.{name}");
    let shown = schema.map_or_else(|| name.to_owned(), |schema| full(schema, name));
    let protected = || catalogue.relations.values().filter(|relation| relation.is_protected());
    let by_name = nearest(name, protected().map(|relation| relation.name.as_str()));
    let meant =
        protected().filter(|relation| Some(relation.name.as_str()) == by_name).min_by_key(|relation| {
            // The schema as typed goes first.
            (schema.is_some_and(|schema| schema != relation.schema), relation.schema.clone())
        });
    let error = Error::new(Kind::Unknown, format!("relation \"{shown}\" does not exist"));
    error.hint(match meant {
        Some(relation) => format!("Perhaps you meant {}.", full_name(relation)),
        None => "SELECT relation, column_name FROM pgwarrant.catalog lists what is protected.".to_owned(),
    })
}

/// `crm.people` where `relation.column` is expected.
fn as_schema_and_relation(
    schema: Option<&str>,
    relation: &str,
    column: &str,
    catalogue: &Catalogue,
) -> Option<Error> {
    let found = schema.is_none().then(|| catalogue.relation(relation, column)).flatten()?;
    let error = Error::new(Kind::Unknown, format!("relation \"{relation}\" does not exist"));
    Some(error.hint(format!("For all protected columns of {0} write '{0}.*'.", full_name(found))))
}

fn find_column<'a>(relation: &'a Relation, name: &str) -> Result<&'a Column, Error> {
    let Some(column) = relation.column(name) else {
        let known = relation.columns.iter().map(|column| column.name.as_str());
        let error = Error::new(
            Kind::Unknown,
            format!("column \"{name}\" of relation {} does not exist", full_name(relation)),
        );
        return Err(error.hint(match nearest(name, known) {
            Some(meant) => format!("Perhaps you meant {}.{}.", full_name(relation), quote(meant)),
            None => "SELECT relation, column_name FROM pgwarrant.catalog lists what is protected.".to_owned(),
        }));
    };
    match &column.protection {
        None => Err(needs_no_grant(&format!("column {}.{}", full_name(relation), quote(name)))),
        Some(protection) if protection.built_in => {
            Err(never_granted(&format!("column {}.{}", full_name(relation), quote(name))))
        }
        Some(_) => Ok(column),
    }
}

fn no_grantable_column(relation: &Relation) -> Error {
    let what = format!("relation {}", full_name(relation));
    if relation.is_protected() { never_granted(&what) } else { needs_no_grant(&what) }
}

fn needs_no_grant(what: &str) -> Error {
    Error::invalid(format!("{what} is not protected and needs no grant"))
        .hint("Query it as usual, and leave it out of the request.")
}

fn never_granted(what: &str) -> Error {
    Error::new(Kind::NotAllowed, format!("{what} is protected by pgwarrant itself"))
        .detail("It can show data of other sessions or of the server, so no grant uncovers it.")
        .hint("Leave it out of the request.")
}

fn full_name(relation: &Relation) -> String {
    format!("{}.{}", quote(&relation.schema), quote(&relation.name))
}
