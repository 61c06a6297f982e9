//! What somebody sees of the protected columns of a database.

use pgwarrant_catalog::{Catalogue, ColumnId, Protection, Ungranted};
use pgwarrant_sql::{Access, Rows};

/// A protected column, and what one user sees of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// `public.customers`; never quoted.
    pub relation: String,
    pub column: String,
    pub category: String,
    /// `low`, `medium` or `high`.
    pub sensitivity: &'static str,
    /// The method of its mask.
    pub mask: String,
    /// Without a grant: `mask` or `block`.
    pub ungranted: &'static str,
    /// `raw`, `masked`, `blocked` or `raw for rows …`.
    pub access: String,
}

/// Those that labels protect, in the order of their names.
pub fn seen(catalogue: &Catalogue, access: &Access) -> Vec<Seen> {
    let mut all: Vec<Seen> = Vec::new();
    for relation in catalogue.relations.values() {
        for column in &relation.columns {
            let protection = column.protection.as_ref().filter(|protection| !protection.built_in);
            let Some(protection) = protection else { continue };
            let id = ColumnId { relation: relation.oid, attnum: column.attnum };
            all.push(Seen {
                relation: format!("{}.{}", relation.schema, relation.name),
                column: column.name.clone(),
                category: protection.category.clone(),
                sensitivity: protection.sensitivity.text(),
                mask: protection.method.clone(),
                ungranted: match protection.ungranted {
                    Ungranted::Mask => "mask",
                    Ungranted::Block => "block",
                },
                access: access_to(access, id, protection),
            });
        }
    }
    all.sort();
    all
}

fn access_to(access: &Access, column: ColumnId, protection: &Protection) -> String {
    let all = |column: ColumnId| {
        access
            .scopes
            .iter()
            .any(|scope| scope.actions.select && scope.rows == Rows::All && scope.columns.contains(&column))
    };
    if protection.is_uncovered(all) {
        return "raw".to_owned();
    }
    let theirs = access.scopes.iter().filter(|scope| scope.actions.select && scope.columns.contains(&column));
    let rows: Vec<String> = theirs
        .filter_map(|scope| match &scope.rows {
            Rows::All => None,
            Rows::Where(predicate) => Some(predicate.canonical()),
        })
        .collect();
    match (rows.as_slice(), protection.ungranted) {
        ([], Ungranted::Mask) => "masked".to_owned(),
        ([], Ungranted::Block) => "blocked".to_owned(),
        (rows, _) => format!("raw for rows {}", rows.join(" OR ")),
    }
}
