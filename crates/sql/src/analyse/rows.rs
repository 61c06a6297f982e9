//! Rows as values, and columns that a grouped query names though it does not group by them.
//!
//! To PostgreSQL a privacy view is no table: its row has no row type of its own, and a primary key in
//! GROUP BY says nothing about its other columns. Where that matters the reference is written anew.

use std::ops::Range;

use pgwarrant_catalog::{Column, FunctionSafety, Relation};
use pgwarrant_masking::BaseType;
use sqlparser::ast::Ident;

use super::text;
use super::view;
use super::walk::{Walk, Walked};

/// A reference that may have to be written anew, once it is known what is grouped.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    /// None: the row.
    pub column: Option<usize>,
    pub tokens: Range<usize>,
    /// As SQL text.
    pub written: String,
    /// It gives an item of a select list its name.
    pub named: Option<String>,
}

/// Functions that take any row, and show no more of it than names and values of its fields.
const TAKES_ANY_ROW: [&str; 9] =
    ["row", "count", "row_to_json", "to_json", "to_jsonb", "json_agg", "jsonb_agg", "array_agg", "num_nulls"];

impl Walk<'_> {
    /// Notes an argument that could be a row whose type matters to the function.
    pub(crate) fn note_argument(&mut self, function: &Ident, argument: &Ident) {
        if !TAKES_ANY_ROW.contains(&&*function.value)
            && let Ok(token) = self.token(argument)
        {
            self.typed_rows.insert(token);
        }
    }

    /// Notes a reference to a column outside of aggregates.
    pub(crate) fn refer_column(
        &mut self,
        block: usize,
        entry: usize,
        column: usize,
        parts: &[&Ident],
    ) -> Walked {
        let outside = self.blocks.get(block).is_some_and(|block| block.output && block.aggregates == 0);
        let Some(held) = self.entries.get(entry).filter(|entry| outside && !entry.raw) else { return Ok(()) };
        if held.relation.columns.get(column).is_none_or(has_equality) || parts.len() > 2 {
            return Ok(());
        }
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return Ok(()) };
        let tokens = self.token(first)?..self.token(last)? + 1;
        let written: Vec<String> = parts.iter().map(|part| text::name(&part.value)).collect();
        let named = self.naming.is_some_and(|token| tokens.contains(&token)).then(|| text::name(&last.value));
        let reference = Reference { column: Some(column), tokens, written: written.join("."), named };
        if let Some(entry) = self.entries.get_mut(entry) {
            entry.references.push(reference);
        }
        Ok(())
    }

    /// Notes a reference to a row as a value, by its name alone. `doubt`: something whose columns are
    /// not known here could have a column of that name.
    pub(crate) fn refer_whole(&mut self, block: usize, entry: usize, name: &Ident, doubt: bool) -> Walked {
        let token = self.token(name)?;
        let outside = self.blocks.get(block).is_some_and(|block| block.output && block.aggregates == 0);
        let Some(held) = self.entries.get(entry).filter(|entry| !entry.raw) else { return Ok(()) };
        let alias = text::name(&name.value);
        let named = (self.naming == Some(token)).then(|| alias.clone());
        if (self.typed_rows.contains(&token) && !doubt) || !held.renamed.is_empty() {
            if let Some(row) = self.typed_row(entry, &alias) {
                let row = match &named {
                    Some(name) => format!("(SELECT {row} AS {name})"),
                    None => row,
                };
                self.splice(token..token + 1, row);
            }
        } else if outside {
            let reference = Reference { column: None, tokens: token..token + 1, written: alias, named };
            if let Some(entry) = self.entries.get_mut(entry) {
                entry.references.push(reference);
            }
        }
        if outside && let Some(entry) = self.entries.get_mut(entry) {
            entry.row_grouped = true;
        }
        Ok(())
    }

    /// `c.label`, which is `label(c)` where no column has that name.
    pub(crate) fn refer_computed(&mut self, entry: usize, parts: &[&Ident]) -> Walked {
        let [alias, function] = parts else { return Ok(()) };
        if self.context.catalogue.call(&function.value, 1) != FunctionSafety::Safe {
            return Ok(());
        }
        if let Some(row) = self.typed_row(entry, &text::name(&alias.value)) {
            let tokens = self.token(alias)?..self.token(function)? + 1;
            self.splice(tokens, format!("{}({row})", text::name(&function.value)));
        }
        Ok(())
    }

    /// The row of a privacy view with the type of its relation's; None where a column is left out.
    fn typed_row(&self, entry: usize, alias: &str) -> Option<String> {
        let entry = self.entries.get(entry).filter(|entry| !entry.raw)?;
        let shown = view::columns(&entry.relation, &entry.cover, &self.state.session.role);
        if shown.len() != entry.relation.columns.len() {
            return None;
        }
        let columns: Vec<String> = (0..shown.len())
            .filter_map(|index| Some(format!("{alias}.{}", text::name(entry.column_name(index)?))))
            .collect();
        let of = text::qualified(&entry.relation.schema, &entry.relation.name);
        // In an outer join there may be none.
        let row = format!("CAST(ROW({}) AS {of})", columns.join(", "));
        Some(format!("(CASE WHEN {alias} IS NULL THEN NULL ELSE {row} END)"))
    }

    /// Writes the references of a grouped query anew that cannot be grouped by.
    pub(crate) fn regroup(&mut self, entry: usize) {
        let Some(held) = self.entries.get_mut(entry) else { return };
        held.regrouped = true;
        let rows = is_comparable(&held.relation);
        for Reference { column, tokens, written, named } in std::mem::take(&mut held.references) {
            if column.is_none() && rows {
                continue;
            }
            let any = any_of_group(&written);
            self.splice(
                tokens,
                match named {
                    Some(name) => format!("(SELECT {any} AS {name})"),
                    None => format!("({any})"),
                },
            );
        }
    }
}

/// The value of an expression that is the same in all rows of a group.
pub(crate) fn any_of_group(written: &str) -> String {
    format!("(pg_catalog.array_agg({written}))[1]")
}

/// Can a query group by rows of this relation?
pub(crate) fn is_comparable(relation: &Relation) -> bool {
    relation.columns.iter().all(has_equality)
}

/// Can a query group by this column? An array is left to PostgreSQL either way.
pub(crate) fn has_equality(column: &Column) -> bool {
    /// xml, point, lseg, path, box, polygon, line, circle, txid_snapshot, pg_snapshot
    /// (`src/include/catalog/pg_type.dat`)
    const WITHOUT: [u32; 10] = [142, 600, 601, 602, 603, 604, 628, 718, 2970, 5038];
    let of = &column.column_type;
    of.array || !(of.base == BaseType::Json || WITHOUT.contains(&of.base_oid))
}
