//! The text of a privacy view.

use std::sync::Arc;

use super::cover::{Cover, Shown};
use super::text;
use crate::{Piece, Predicate};
use pgwarrant_catalog::{Column, Relation};
use pgwarrant_masking::{Method, compile};

/// What the relation is called inside its privacy view.
const ROW: &str = "r";

/// What a reference asks of the relation beyond its columns.
pub(crate) struct Reference {
    pub only: bool,
    /// Tokens of a TABLESAMPLE clause.
    pub sample: Option<std::ops::Range<usize>>,
    /// System columns that the statement names.
    pub system: Vec<&'static str>,
    /// It is in a NATURAL JOIN.
    pub natural: bool,
}

/// Which columns of the relation the privacy view has, as indexes.
pub(crate) fn columns(relation: &Relation, cover: &Cover, role: &str) -> Vec<usize> {
    let unreadable = relation.unreadable.get(role);
    relation
        .columns
        .iter()
        .zip(&cover.columns)
        .enumerate()
        .filter(|(_, (column, cover))| {
            cover.shown != Shown::Blocked
                && !unreadable.is_some_and(|attnums| attnums.contains(&column.attnum))
        })
        .map(|(index, _)| index)
        .collect()
}

/// `(SELECT r.id, CAST(… AS pg_catalog.text) AS email FROM public.customers AS r)`
pub(crate) fn pieces(relation: &Relation, cover: &Cover, role: &str, reference: &Reference) -> Vec<Piece> {
    let shown = columns(relation, cover, role);
    let mut list: Vec<String> = shown
        .iter()
        .copied()
        .filter_map(|index| {
            let (column, cover) = relation.columns.get(index).zip(cover.columns.get(index))?;
            let name = text::name(&column.name);
            let raw = format!("{ROW}.{name}");
            let mask = || column.protection.as_ref().map(|protection| protection.mask.render(&raw));
            Some(match &cover.shown {
                Shown::Open | Shown::Raw => raw,
                Shown::Rows(predicates) => {
                    format!("CASE WHEN {} THEN {raw} ELSE {} END AS {name}", any(predicates), mask()?)
                }
                Shown::Masked | Shown::Blocked => format!("{} AS {name}", mask()?),
                Shown::Blank => format!("{} AS {name}", blank(column)),
            })
        })
        .collect();
    list.extend(reference.system.iter().map(|column| format!("{ROW}.{column}")));
    if reference.natural {
        // Of a type that has no equality.
        let left_out = relation.columns.iter().enumerate().filter(|(index, _)| !shown.contains(index));
        list.extend(
            left_out
                .map(|(_, column)| format!("CAST(NULL AS pg_catalog.json) AS {}", text::name(&column.name))),
        );
    }
    let only = if reference.only { "ONLY " } else { "" };
    let from = format!("{only}{} AS {ROW}", text::qualified(&relation.schema, &relation.name));
    let rows =
        cover.only.as_ref().map(|predicates| format!(" WHERE {}", any(predicates))).unwrap_or_default();
    // A relation without a column that shows still has rows.
    let list = if list.is_empty() { String::new() } else { format!("{} ", list.join(", ")) };
    match &reference.sample {
        None => vec![Piece::Text(format!("(SELECT {list}FROM {from}{rows})"))],
        Some(sample) => vec![
            Piece::Text(format!("(SELECT {list}FROM {from} ")),
            Piece::Tokens(sample.clone()),
            Piece::Text(format!("{rows})")),
        ],
    }
}

/// One value for every row, NULL where the type has none.
fn blank(column: &Column) -> String {
    match compile(&Method::Redact, &column.column_type, "", false) {
        Ok(mask) => mask.render(""),
        Err(_) => format!("CAST(NULL AS {})", column.column_type.sql),
    }
}

/// The rows of any of these predicates.
fn any(predicates: &[Arc<Predicate>]) -> String {
    let each: Vec<String> =
        predicates.iter().map(|predicate| format!("({})", predicate.render(ROW))).collect();
    each.join(" OR ")
}
