//! References to the target of a write.
//!
//! The target of UPDATE, DELETE, MERGE and ON CONFLICT cannot be a sub-select, and a join of it with
//! a privacy view of itself would lose updates: PostgreSQL looks again at the target's row when
//! another session has changed it, not at the view's. So the target stays, and each reference to one
//! of its protected columns becomes, where it stands, what the privacy view would show:
//! `CASE WHEN <rows> THEN c.email ELSE <mask> END`. PostgreSQL's rules of scope decide what a name
//! refers to; where they cannot be followed, because the columns of something in between are not
//! known here, the name must be written with its table's.

use std::ops::Range;
use std::sync::Arc;

use pgwarrant_catalog::Relation;
use sqlparser::ast::{AccessExpr, Expr, Ident};

use super::cover::{Cover, Shown};
use super::parse::token_of;
use super::walk::{Item, Walk, Walked, What};
use super::{refuse, text, view};
use crate::{Predicate, runtime};

/// For which column of a target a value is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assigning {
    pub entry: usize,
    /// None: several at once.
    pub column: Option<usize>,
    /// It is protected, or one of them is.
    pub protected: bool,
}

/// The rows of any of these predicates, of the row that goes by `row` (SQL text).
pub(crate) fn any(predicates: &[Arc<Predicate>], row: &str) -> String {
    let each: Vec<String> =
        predicates.iter().map(|predicate| format!("({})", predicate.render(row))).collect();
    each.join(" OR ")
}

/// What a privacy view would show of a column; None: the column as it is. `strict`: its value is to
/// be stored in a protected column, where a mask must not go.
pub(crate) fn shown(
    relation: &Relation,
    cover: &Cover,
    index: usize,
    row: &str,
    strict: bool,
) -> Option<String> {
    let (column, cover) = relation.columns.get(index).zip(cover.columns.get(index))?;
    let protection = column.protection.as_ref()?;
    let raw = format!("{row}.{}", text::name(&column.name));
    let mask = protection.mask.render(&raw);
    match &cover.shown {
        Shown::Open | Shown::Raw => None,
        Shown::Rows(predicates) => {
            let name = refuse::column_name(relation, column);
            let other = if strict {
                format!(
                    "CASE WHEN {} THEN NULL ELSE CAST(NULL AS {}) END",
                    runtime::fails(runtime::UNSEEN, &name),
                    column.column_type.sql
                )
            } else {
                mask
            };
            Some(format!("CASE WHEN {} THEN {raw} ELSE {other} END", any(predicates, row)))
        }
        Shown::Masked | Shown::Blocked | Shown::Blank => Some(mask),
    }
}

/// The token of the reference from which PostgreSQL takes the name of an item without an alias
/// (`FigureColname` in `src/backend/parser/parse_target.c`).
pub(crate) fn naming(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Identifier(ident) => token_of(ident),
        Expr::CompoundIdentifier(idents) => idents.last().and_then(token_of),
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } | Expr::Collate { expr: inner, .. } => {
            naming(inner)
        }
        Expr::Case { else_result: Some(inner), .. } => naming(inner),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let names: Vec<&Ident> = access_chain
                .iter()
                .map_while(|access| match access {
                    AccessExpr::Dot(Expr::Identifier(ident)) => Some(ident),
                    _ => None,
                })
                .collect();
            match names.last() {
                Some(last) => token_of(last),
                None => naming(root),
            }
        }
        _ => None,
    }
}

impl Walk<'_> {
    /// Is this the target of a write, of which some column does not show as it is?
    pub(crate) fn is_inline(&self, entry: usize) -> bool {
        self.entries.get(entry).is_some_and(|entry| {
            let raw = |shown: &Shown| matches!(shown, Shown::Open | Shown::Raw);
            entry.target && !entry.cover.columns.iter().all(|column| raw(&column.shown))
        })
    }

    /// Can a name here mean something of such a target?
    pub(crate) fn sees_target(&self) -> bool {
        let blocks = self.blocks.iter().filter(|block| !block.hidden);
        blocks.flat_map(|block| &block.items).any(|item| match item.what {
            What::Entry(entry) => self.is_inline(entry),
            _ => false,
        })
    }

    /// Is this column of an entry one that has to be replaced where it is named?
    pub(crate) fn is_masked_target(&self, entry: usize, column: usize) -> bool {
        self.entries.get(entry).is_some_and(|entry| {
            entry.target
                && entry
                    .cover
                    .columns
                    .get(column)
                    .is_some_and(|column| !matches!(column.shown, Shown::Open | Shown::Raw))
        })
    }

    /// Replaces a reference to a column of a target, which goes by `row` (SQL text) there.
    pub(crate) fn refer(&mut self, entry: usize, column: usize, tokens: Range<usize>, row: &str) -> Walked {
        let strict = self.assigning.is_some_and(|assigning| assigning.protected);
        let Some(held) = self.entries.get(entry).filter(|entry| entry.target) else { return Ok(()) };
        let Some(shown) = shown(&held.relation, &held.cover, column, row, strict) else { return Ok(()) };
        let name = held.column_name(column).map(text::name).unwrap_or_default();
        let named = self.naming.is_some_and(|token| tokens.contains(&token));
        let shown = if named {
            // PostgreSQL calls a sub-select's value what its column is called.
            format!("(SELECT {shown} AS {name})")
        } else if self.source.punct(tokens.end, "[") {
            format!("({shown})")
        } else {
            shown
        };
        self.splice(tokens, shown);
        Ok(())
    }

    /// Replaces a reference to the row of a target as a value.
    pub(crate) fn refer_row(&mut self, entry: usize, tokens: Range<usize>, row: &str) -> Walked {
        if !self.is_inline(entry) {
            return Ok(());
        }
        let Some(held) = self.entries.get(entry) else { return Ok(()) };
        let end = tokens.end;
        let star = self.source.punct(end, ".") && self.source.operator(end + 1, "*");
        let columns = target_columns(self, entry, row).join(", ");
        if star && self.in_row_constructor(tokens.start) {
            let listed = target_values(self, entry, row).join(", ");
            self.splice(tokens.start..end + 2, listed);
            return Ok(());
        }
        let name = match self.naming.is_some_and(|token| tokens.contains(&token)) {
            true => format!(" AS {}", text::name(&held.alias)),
            false => String::new(),
        };
        let row = format!("(SELECT r{name} FROM (SELECT {columns}) AS r)");
        self.splice(tokens.start..if star { end + 2 } else { end }, row);
        Ok(())
    }

    /// Does a token stand in `ROW(…)` or `(…, …)`, where PostgreSQL makes columns of `c.*`?
    fn in_row_constructor(&self, token: usize) -> bool {
        let source = self.source;
        let (mut depth, mut open) = (0_usize, token);
        loop {
            let Some(before) = open.checked_sub(1).filter(|before| source.range.contains(before)) else {
                return false;
            };
            open = before;
            match source.raw(open) {
                ")" | "]" => depth += 1,
                "(" | "[" if depth == 0 => break,
                "(" | "[" => depth -= 1,
                _ => {}
            }
        }
        let Some(before) = open.checked_sub(1) else { return false };
        if source.keyword(before, "row") {
            return true;
        }
        let called = source.name(before).is_some() && source.plain_name(before).is_some();
        let several = super::write::list(source, open).is_some_and(|parts| parts.len() > 1);
        source.punct(open, "(") && !called && several
    }

    /// A name that may mean a column of a target or of something whose columns are not known here.
    pub(crate) fn which(&self, entry: usize, name: &Ident) -> crate::Refusal {
        let alias = self.entries.get(entry).map(|entry| entry.alias.as_str()).unwrap_or_default();
        refuse::which_column(&name.value, alias, self.byte(name))
    }

    /// Does something in this block go by a name that would be taken for the target's?
    pub(crate) fn is_captured(&self, block: usize, alias: &str) -> bool {
        let items = self.blocks.get(block).map(|block| block.items.as_slice()).unwrap_or_default();
        items.iter().any(|item: &Item| item.alias.as_deref() == Some(alias))
    }
}

/// The columns of a target as values.
fn target_values(walk: &Walk<'_>, entry: usize, row: &str) -> Vec<String> {
    let Some(held) = walk.entries.get(entry) else { return Vec::new() };
    let columns = view::columns(&held.relation, &held.cover, &walk.state.session.role);
    let listed = columns.into_iter().filter_map(|index| {
        let name = text::name(held.column_name(index)?);
        Some(shown(&held.relation, &held.cover, index, row, false).unwrap_or_else(|| format!("{row}.{name}")))
    });
    listed.collect()
}

/// The columns of a target as a select list.
pub(crate) fn target_columns(walk: &Walk<'_>, entry: usize, row: &str) -> Vec<String> {
    let Some(held) = walk.entries.get(entry) else { return Vec::new() };
    let columns = view::columns(&held.relation, &held.cover, &walk.state.session.role);
    let listed = columns.into_iter().filter_map(|index| {
        let name = text::name(held.column_name(index)?);
        Some(match shown(&held.relation, &held.cover, index, row, false) {
            Some(shown) => format!("{shown} AS {name}"),
            None => format!("{row}.{name}"),
        })
    });
    listed.collect()
}
