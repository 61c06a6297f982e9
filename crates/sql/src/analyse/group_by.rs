//! GROUP BY a primary key.
//!
//! Where a statement groups by a table's primary key, PostgreSQL lets it name the table's other
//! columns outside of aggregates. Behind a sub-select it does not know the key, so those columns
//! are added to GROUP BY, which changes no group: they depend on the key.

use sqlparser::ast::{Expr, GroupByExpr, SelectItem, Value};

use super::parse::{index_of, token_at, token_of};
use super::walk::{Walk, Walked, What};
use super::{rows, tree};

/// A GROUP BY clause that may need more columns.
#[derive(Clone, Debug)]
pub(crate) struct Grouping {
    /// The token before which columns can be added.
    pub insert_before: usize,
    /// Entries and columns that the clause names already.
    pub columns: Vec<(usize, usize)>,
}

impl Walk<'_> {
    /// Takes note of a GROUP BY clause; its expressions are walked elsewhere.
    pub(crate) fn note_group_by(&mut self, clause: &GroupByExpr, select: &[SelectItem]) {
        let GroupByExpr::Expressions(items, modifiers) = clause else { return };
        let plain = |item: &Expr| !matches!(item, Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_));
        if !modifiers.is_empty() || !items.iter().all(plain) {
            return;
        }
        let columns: Vec<(usize, usize)> =
            items.iter().filter_map(|item| self.grouping_column(item, select)).collect();
        let Some(insert_before) =
            items.iter().find_map(first_token).and_then(|token| self.clause_start(token))
        else {
            return;
        };
        if let Some(block) = self.blocks.last_mut() {
            block.group_by = Some(Grouping { insert_before, columns });
        }
    }

    /// The token after the words GROUP BY, searched for backwards from one of the first item's.
    fn clause_start(&self, token: usize) -> Option<usize> {
        let source = self.source;
        let mut depth = 0_usize;
        let mut index = token;
        while index > source.range.start {
            if depth == 0
                && source.keyword(index - 1, "by")
                && index >= 2
                && source.keyword(index - 2, "group")
            {
                return Some(index);
            }
            if depth == 0
                && source.one_of(index - 1, &["distinct", "all"])
                && source.keyword(index.checked_sub(2)?, "by")
            {
                return Some(index);
            }
            index -= 1;
            if source.punct(index, ")") || source.punct(index, "]") {
                depth += 1;
            } else if source.punct(index, "(") || source.punct(index, "[") {
                // Out of parentheses around the item.
                depth = depth.saturating_sub(1);
            }
        }
        None
    }

    /// The entry and column that an item names: as a column, or else by the position or the alias
    /// of an item of the select list.
    fn grouping_column(&self, item: &Expr, select: &[SelectItem]) -> Option<(usize, usize)> {
        if let Some(found) = self.column_of(item) {
            return Some(found);
        }
        match item {
            Expr::Value(value) => {
                let Value::Number(..) = &value.value else { return None };
                let token = token_at(value.span.start)?;
                let position: usize = self.source.raw(token).parse().ok()?;
                match select.get(position.checked_sub(1)?)? {
                    SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                        self.column_of(expr)
                    }
                    _ => None,
                }
            }
            Expr::Identifier(name) => select.iter().find_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if alias.value == name.value => {
                    self.column_of(expr)
                }
                _ => None,
            }),
            _ => None,
        }
    }

    fn column_of(&self, expr: &Expr) -> Option<(usize, usize)> {
        if let Expr::Nested(inner) = expr {
            return self.column_of(inner);
        }
        let block = self.blocks.last()?;
        if let Expr::Identifier(name) = expr {
            let mut entries = Vec::new();
            block.items.iter().for_each(|item| item.what.entries(&mut entries));
            return entries
                .into_iter()
                .find_map(|entry| Some((entry, self.entries.get(entry)?.column(&name.value)?)));
        }
        let (names, []) = tree::compound(expr)? else { return None };
        let (column, qualifier) = names.split_last()?;
        let (_, item) = self.qualifier(qualifier)?;
        let What::Entry(entry) = item.what else { return None };
        Some((entry, self.entries.get(entry)?.column(&column.value)?))
    }

    /// Adds the columns that the block needs, when all of it was walked.
    pub(crate) fn complete_group_by(&mut self) -> Walked {
        let Some(block) = self.blocks.last() else { return Ok(()) };
        let Some(grouping) = block.group_by.clone() else { return Ok(()) };
        let mut entries = Vec::new();
        block.items.iter().for_each(|item| item.what.entries(&mut entries));
        let (mut added, mut keyed) = (Vec::new(), Vec::new());
        for index in entries {
            let Some(entry) =
                self.entries.get(index).filter(|entry| !entry.raw && entry.relation.is_protected())
            else {
                continue;
            };
            let named = |column: &usize| grouping.columns.contains(&(index, *column));
            let key = &entry.relation.primary_key;
            let of_key = |attnum: &i16| {
                let position = entry.relation.columns.iter().position(|column| column.attnum == *attnum);
                position.is_some_and(|position| named(&position))
            };
            if key.is_empty() || !key.iter().all(of_key) {
                continue;
            }
            keyed.push(index);
            let visible = super::view::columns(&entry.relation, &entry.cover, &self.state.session.role);
            let groups = |column: &usize| entry.relation.columns.get(*column).is_some_and(rows::has_equality);
            let missing = |column: &&usize| !named(column) && visible.contains(column) && groups(column);
            if entry.row_grouped && rows::is_comparable(&entry.relation) {
                // By its name alone it could be an output.
                added.push(format!("{}.*, ", super::text::name(&entry.alias)));
            }
            for column in entry.grouped.iter().filter(missing) {
                if let Some(name) = entry.column_name(*column) {
                    added.push(format!("{}.{}, ", super::text::name(&entry.alias), super::text::name(name)));
                }
            }
        }
        keyed.into_iter().for_each(|entry| self.regroup(entry));
        if !added.is_empty() {
            self.splice(grouping.insert_before..grouping.insert_before, added.concat());
        }
        Ok(())
    }
}

/// A token at the start of an expression, where the tree tells it.
fn first_token(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Identifier(ident) => token_of(ident),
        Expr::CompoundIdentifier(idents) => idents.first().and_then(token_of),
        Expr::Value(value) => token_at(value.span.start),
        Expr::Case { case_token, .. } => index_of(&case_token.0),
        Expr::Nested(inner) => first_token(inner),
        _ => None,
    }
}
