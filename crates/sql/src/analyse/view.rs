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
    let mut text = String::with_capacity(64 + 24 * shown.len());
    text.push_str("(SELECT ");
    let mut raw = format!("{ROW}.");
    for (column, cover) in
        shown.iter().filter_map(|index| relation.columns.get(*index).zip(cover.columns.get(*index)))
    {
        raw.truncate(ROW.len() + 1);
        text::push_name(&mut raw, &column.name);
        let mask = column.protection.as_ref().map(|protection| &protection.mask);
        match (&cover.shown, mask) {
            (Shown::Open | Shown::Raw, _) => text.push_str(&raw),
            (Shown::Rows(predicates), Some(mask)) => {
                text.extend(["CASE WHEN ", &any(predicates), " THEN ", &raw, " ELSE "]);
                mask.render_into(&raw, &mut text);
                text.push_str(" END AS ");
                text::push_name(&mut text, &column.name);
            }
            (Shown::Masked | Shown::Blocked, Some(mask)) => {
                mask.render_into(&raw, &mut text);
                text.push_str(" AS ");
                text::push_name(&mut text, &column.name);
            }
            (Shown::Blank, _) => {
                text.extend([&blank(column), " AS "]);
                text::push_name(&mut text, &column.name);
            }
            // Only what is protected is masked.
            (Shown::Rows(_) | Shown::Masked | Shown::Blocked, None) => continue,
        }
        text.push_str(", ");
    }
    for column in &reference.system {
        text.extend([ROW, ".", column, ", "]);
    }
    if reference.natural {
        // Of a type that has no equality.
        let left_out = relation.columns.iter().enumerate().filter(|(index, _)| !shown.contains(index));
        for (_, column) in left_out {
            text.push_str("CAST(NULL AS pg_catalog.json) AS ");
            text::push_name(&mut text, &column.name);
            text.push_str(", ");
        }
    }
    // A relation without a column that shows still has rows.
    if text.ends_with(", ") {
        text.truncate(text.len() - 2);
        text.push(' ');
    }
    text.push_str(if reference.only { "FROM ONLY " } else { "FROM " });
    text::push_name(&mut text, &relation.schema);
    text.push('.');
    text::push_name(&mut text, &relation.name);
    text.extend([" AS ", ROW]);
    let mut rows =
        cover.only.as_ref().map(|predicates| format!(" WHERE {}", any(predicates))).unwrap_or_default();
    rows.push(')');
    match &reference.sample {
        None => {
            text.push_str(&rows);
            vec![Piece::Text(text)]
        }
        Some(sample) => {
            text.push(' ');
            vec![Piece::Text(text), Piece::Tokens(sample.clone()), Piece::Text(rows)]
        }
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
