//! Which relation a name means.

use std::borrow::Cow;
use std::sync::Arc;

use pgwarrant_catalog::{Catalogue, Relation};

use crate::SessionState;

/// The session's state at one statement of a message.
#[derive(Clone, Debug)]
pub(crate) struct State<'a> {
    pub session: Cow<'a, SessionState>,
    /// Why names cannot be resolved any more: what an earlier statement of the message did.
    pub unknown: Option<&'static str>,
}

/// What PostgreSQL would find.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// A relation that the catalogue has something to say of.
    Known(Arc<Relation>),
    /// Another one, of this schema.
    Other(String),
    Nowhere,
    /// It depends on what an earlier statement of the message did.
    Unknown(&'static str),
}

/// Finds a relation by a name without a schema, along the search_path.
pub(crate) fn unqualified(name: &str, state: &State<'_>, catalogue: &Catalogue) -> Found {
    if let Some(why) = state.unknown {
        return Found::Unknown(why);
    }
    let temporary = state.session.temp_relations.iter().any(|relation| relation == name);
    let path = &state.session.search_path;
    if temporary && !path.iter().any(|schema| is_temporary(schema)) {
        return Found::Other("pg_temp".to_owned());
    }
    for schema in path {
        if is_temporary(schema) {
            if temporary {
                return Found::Other("pg_temp".to_owned());
            }
            continue;
        }
        if let Some(relation) = catalogue.relation(schema, name) {
            return Found::Known(relation.clone());
        }
        if catalogue.is_unprotected(schema, name) {
            return Found::Other(schema.clone());
        }
    }
    Found::Nowhere
}

/// Finds a relation by schema and name.
pub(crate) fn qualified(schema: &str, name: &str, catalogue: &Catalogue) -> Found {
    if let Some(relation) = catalogue.relation(schema, name) {
        return Found::Known(relation.clone());
    }
    let other = is_temporary(schema) || catalogue.is_unprotected(schema, name);
    if other { Found::Other(schema.to_owned()) } else { Found::Nowhere }
}

/// `pg_temp`, and what it is called in the catalogs.
fn is_temporary(schema: &str) -> bool {
    schema == "pg_temp" || schema.starts_with("pg_temp_")
}

/// The effective path of `SET search_path TO …`, as `current_schemas(true)` would give it.
pub(crate) fn effective_path(names: &[String], session: &SessionState, catalogue: &Catalogue) -> Vec<String> {
    let mut path = Vec::new();
    let named = |name: &str| names.iter().any(|listed| listed == name);
    if !named("pg_temp") && !session.temp_relations.is_empty() {
        path.push("pg_temp".to_owned());
    }
    if !named("pg_catalog") {
        path.push("pg_catalog".to_owned());
    }
    for name in names {
        let schema = if name == "$user" { &session.role } else { name };
        let exists = schema == "pg_temp" || schema == "pg_catalog" || catalogue.schemas.contains(schema);
        if exists && !path.contains(schema) {
            path.push(schema.clone());
        }
    }
    path
}
