//! From which base columns a view's columns derive.
//!
//! For an output column: every column of every relation that occurs in its expression, followed
//! through sub-selects, common table expressions and set operations. What decides only which rows
//! there are (WHERE, join conditions) does not count, except in a sub-select that stands in the
//! expression, of which everything counts. Too many sources are no harm: they make a column
//! protected that need not be. One too few would be a leak, so whatever is not understood has no
//! lineage at all.

mod relations;

use std::collections::{BTreeSet, HashMap};

use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Ident, LimitClause, NamedWindowExpr, OrderBy, OrderByExpr, OrderByKind,
    Query, Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Statement, With,
};

use crate::analyse::expr::idents;
use crate::analyse::keywords;
use crate::analyse::normalise::normalise;
use crate::analyse::parse::parse;
use crate::analyse::source::Source;
use crate::analyse::tree::{self, Part};
use crate::analyse::with_room;
use crate::{Limits, lexer};

/// A base column: schema, relation, column.
pub type BaseColumn = (String, String, String);

type Sources = BTreeSet<BaseColumn>;

/// A column's name and what it derives from.
type Output = (String, Sources);

/// For each output column of a view, every base column its value could derive from; None where
/// that is not provable.
///
/// `definition` is what `pg_get_viewdef` gives under an empty search_path, where a relation without
/// a schema is one of `pg_catalog`. `resolve` tells the columns of a relation by schema and name,
/// in order.
pub fn lineage(
    definition: &str,
    resolve: &dyn Fn(&str, &str) -> Option<Vec<String>>,
) -> Option<Vec<Vec<BaseColumn>>> {
    let limits = Limits::default();
    let tokens = lexer::lex(definition, &limits).ok()?;
    let ranges = lexer::split(definition, &tokens);
    let [range] = ranges.as_slice() else { return None };
    let keywords = keywords::of_tokens(definition, &tokens);
    let source = Source { text: definition, tokens: &tokens, keywords: &keywords, range: range.clone() };
    with_room(&source, || {
        let (parsed, _) = normalise(&source, None);
        let Ok(Statement::Query(query)) = parse(parsed, limits.nesting) else { return None };
        let mut follower = Follower { resolve, scopes: Vec::new(), ctes: Vec::new() };
        let outcome = follower.query(&query)?;
        Some(outcome.outputs.into_iter().map(|(_, sources)| sources.into_iter().collect()).collect())
    })
}

/// A relation in FROM.
#[derive(Clone, Debug, Default)]
struct Item {
    alias: Option<String>,
    columns: Vec<Output>,
    /// For a function: what columns of any other name derive from.
    others: Option<Sources>,
}

impl Item {
    fn row(&self) -> Sources {
        self.columns
            .iter()
            .flat_map(|(_, sources)| sources)
            .chain(self.others.iter().flatten())
            .cloned()
            .collect()
    }
}

/// What a query gives.
#[derive(Debug, Default)]
struct Outcome {
    outputs: Vec<Output>,
    /// What decides which rows there are.
    conditions: Sources,
}

struct Follower<'r> {
    resolve: &'r dyn Fn(&str, &str) -> Option<Vec<String>>,
    /// FROM items, by the queries that we are in.
    scopes: Vec<Vec<Item>>,
    ctes: Vec<HashMap<String, Vec<Output>>>,
}

impl Follower<'_> {
    fn query(&mut self, query: &Query) -> Option<Outcome> {
        let foreign = !query.locks.is_empty()
            || query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty();
        if foreign {
            return None;
        }
        self.ctes.push(HashMap::new());
        if let Some(with) = &query.with {
            self.with(with)?;
        }
        let order = match &query.order_by {
            None => &[][..],
            Some(OrderBy { kind: OrderByKind::Expressions(items), interpolate: None }) => items.as_slice(),
            Some(_) => return None,
        };
        let mut outcome = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select, order)?,
            // Ordered by what it gives.
            body => {
                let mut outcome = self.body(body)?;
                if !order.is_empty() {
                    outcome
                        .conditions
                        .extend(outcome.outputs.iter().flat_map(|(_, sources)| sources).cloned());
                }
                outcome
            }
        };
        outcome.conditions.extend(self.limits(query)?);
        self.ctes.pop();
        Some(outcome)
    }

    fn limits(&mut self, query: &Query) -> Option<Sources> {
        let mut exprs: Vec<&Expr> = query.fetch.iter().filter_map(|fetch| fetch.quantity.as_ref()).collect();
        match &query.limit_clause {
            None => {}
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
                exprs.extend(limit.iter().chain(offset.iter().map(|offset| &offset.value)));
            }
            Some(_) => return None,
        }
        let mut sources = Sources::new();
        for expr in exprs {
            sources.extend(self.expr(expr)?);
        }
        Some(sources)
    }

    fn with(&mut self, with: &With) -> Option<()> {
        for cte in &with.cte_tables {
            let name = cte.alias.name.value.clone();
            let given: Vec<&str> =
                cte.alias.columns.iter().map(|column| column.name.value.as_str()).collect();
            let outputs = match with.recursive {
                false => renamed(self.query(&cte.query)?.outputs, &given),
                true => self.recursive(&name, &cte.query, &given)?,
            };
            self.ctes.last_mut()?.insert(name, outputs);
        }
        Some(())
    }

    /// What a recursive query refers to as itself has, at first, what its first arm has, and then
    /// what it turned out to have, until nothing is added.
    fn recursive(&mut self, name: &str, query: &Query, given: &[&str]) -> Option<Vec<Output>> {
        const ROUNDS: usize = 32;
        let mut outputs = match query.body.as_ref() {
            SetExpr::SetOperation { left, .. } => {
                self.ctes.push(HashMap::new());
                let first = self.body(left);
                self.ctes.pop();
                renamed(first?.outputs, given)
            }
            _ => return Some(renamed(self.query(query)?.outputs, given)),
        };
        for _ in 0..ROUNDS {
            self.ctes.last_mut()?.insert(name.to_owned(), outputs.clone());
            let next = union(outputs.clone(), renamed(self.query(query)?.outputs, given))?;
            if next == outputs {
                return Some(outputs);
            }
            outputs = next;
        }
        None
    }

    fn body(&mut self, body: &SetExpr) -> Option<Outcome> {
        match body {
            SetExpr::Select(select) => self.select(select, &[]),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                let (left, right) = (self.body(left)?, self.body(right)?);
                let mut conditions = left.conditions;
                conditions.extend(right.conditions);
                Some(Outcome { outputs: union(left.outputs, right.outputs)?, conditions })
            }
            SetExpr::Values(values) => {
                let mut outputs: Vec<Output> = Vec::new();
                for row in &values.rows {
                    for (index, expr) in row.content.iter().enumerate() {
                        let sources = self.expr(expr)?;
                        match outputs.get_mut(index) {
                            Some((_, all)) => all.extend(sources),
                            None => outputs.push((format!("column{}", index + 1), sources)),
                        }
                    }
                }
                Some(Outcome { outputs, conditions: Sources::new() })
            }
            SetExpr::Insert(_)
            | SetExpr::Update(_)
            | SetExpr::Delete(_)
            | SetExpr::Merge(_)
            | SetExpr::Table(_) => None,
        }
    }

    fn select(&mut self, select: &Select, order: &[OrderByExpr]) -> Option<Outcome> {
        let foreign = select.top.is_some()
            || select.exclude.is_some()
            || select.into.is_some()
            || !select.lateral_views.is_empty()
            || select.prewhere.is_some()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
            || select.qualify.is_some()
            || select.value_table_mode.is_some()
            || select.select_modifiers.is_some()
            || !select.optimizer_hints.is_empty()
            || select.flavor != SelectFlavor::Standard;
        if foreign {
            return None;
        }
        self.scopes.push(Vec::new());
        let mut conditions = Sources::new();
        let mut merges = false;
        for tree in &select.from {
            self.joined(tree, &mut conditions, &mut merges)?;
        }
        for expr in select.selection.iter().chain(&select.having) {
            conditions.extend(self.expr(expr)?);
        }
        let GroupByExpr::Expressions(groups, _) = &select.group_by else { return None };
        for expr in groups {
            conditions.extend(self.expr(expr)?);
        }
        let mut windows = Sources::new();
        for window in &select.named_window {
            if let NamedWindowExpr::WindowSpec(spec) = &window.1 {
                let mut parts = Vec::new();
                tree::window_parts(spec, &mut parts)?;
                windows.extend(self.parts(parts)?);
            }
        }
        let mut outputs = Vec::new();
        for item in &select.projection {
            self.output(item, merges, &mut outputs)?;
        }
        if let Some(Distinct::On(on)) = &select.distinct {
            for expr in on {
                conditions.extend(self.expr(expr)?);
            }
        }
        let mut parts = Vec::new();
        tree::ordering(order, &mut parts)?;
        for part in parts {
            // By the name of an output, or by an expression.
            let output = match part {
                Part::Expr(Expr::Identifier(name)) => {
                    outputs.iter().find(|(output, _)| *output == name.value)
                }
                _ => None,
            };
            match output {
                Some((_, sources)) => conditions.extend(sources.iter().cloned()),
                None => conditions.extend(self.parts(vec![part])?),
            }
        }
        // Which expression is over which window is not worth telling.
        for (_, sources) in &mut outputs {
            sources.extend(windows.iter().cloned());
        }
        self.scopes.pop();
        Some(Outcome { outputs, conditions })
    }

    fn output(&mut self, item: &SelectItem, merges: bool, outputs: &mut Vec<Output>) -> Option<()> {
        match item {
            SelectItem::UnnamedExpr(expr) => outputs.push((natural_name(expr), self.expr(expr)?)),
            SelectItem::ExprWithAlias { expr, alias } => {
                outputs.push((alias.value.clone(), self.expr(expr)?))
            }
            SelectItem::Wildcard(_) if !merges => {
                for item in self.scopes.last()? {
                    if item.others.is_some() {
                        return None;
                    }
                    outputs.extend(item.columns.iter().cloned());
                }
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let parts = idents(name)?;
                let item = self.named(parts.last()?)?;
                if item.others.is_some() {
                    return None;
                }
                outputs.extend(item.columns.iter().cloned());
            }
            _ => return None,
        }
        Some(())
    }

    fn named(&self, alias: &Ident) -> Option<&Item> {
        self.scopes.iter().rev().flatten().find(|item| item.alias.as_deref() == Some(alias.value.as_str()))
    }

    fn expr(&mut self, expr: &Expr) -> Option<Sources> {
        let (first, rest) = tree::leftmost(expr)?;
        let mut sources = match first {
            None => Sources::new(),
            Some(Expr::Function(function)) => self.parts(tree::arguments(function)?)?,
            Some(name) => {
                let (names, rest) = tree::compound(name)?;
                let mut sources = match names.as_slice() {
                    [only] => self.column(only)?,
                    names => self.qualified(names)?,
                };
                sources.extend(self.parts(tree::chain(rest)?)?);
                sources
            }
        };
        sources.extend(self.parts(rest)?);
        Some(sources)
    }

    fn parts(&mut self, parts: Vec<Part<'_>>) -> Option<Sources> {
        let mut sources = Sources::new();
        for part in parts {
            match part {
                Part::Expr(expr) => sources.extend(self.expr(expr)?),
                Part::Query(query) => {
                    let outcome = self.query(query)?;
                    sources.extend(outcome.outputs.into_iter().flat_map(|(_, sources)| sources));
                    sources.extend(outcome.conditions);
                }
                Part::Name(ident) => sources.extend(self.column(ident)?),
                Part::WholeRow(name) => {
                    let parts = idents(name)?;
                    sources.extend(self.named(parts.last()?)?.row());
                }
                Part::Type(_) | Part::Field(_) | Part::Alias(_) | Part::Collation(_) => {}
            }
        }
        Some(sources)
    }

    /// A name without a qualifier: every column that it could be.
    fn column(&self, name: &Ident) -> Option<Sources> {
        let mut sources = Sources::new();
        let mut possible = false;
        for items in self.scopes.iter().rev() {
            for others in items.iter().filter_map(|item| item.others.as_ref()) {
                possible = true;
                sources.extend(others.iter().cloned());
            }
            let mut found = items
                .iter()
                .flat_map(|item| &item.columns)
                .filter(|(column, _)| *column == name.value)
                .map(|(_, of)| of)
                .peekable();
            if found.peek().is_some() {
                sources.extend(found.flatten().cloned());
                return Some(sources);
            }
        }
        // A whole row comes last to PostgreSQL; DEFAULT and its like have no place in a view.
        match self.named(name) {
            Some(item) => {
                sources.extend(item.row());
                Some(sources)
            }
            None => possible.then_some(sources),
        }
    }

    fn qualified(&self, names: &[&Ident]) -> Option<Sources> {
        let (column, qualifier) = names.split_last()?;
        let item = self.named(qualifier.last()?)?;
        let found = item.columns.iter().find(|(name, _)| *name == column.value);
        // A system column, or a function of the row.
        Some(found.map_or_else(|| item.row(), |(_, sources)| sources.clone()))
    }
}

/// What PostgreSQL calls an output that has no alias, where `pg_get_viewdef` leaves it out.
fn natural_name(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(name) => name.value.clone(),
        Expr::CompoundIdentifier(names) => names.last().map_or_else(String::new, |name| name.value.clone()),
        _ => "?column?".to_owned(),
    }
}

fn renamed(mut outputs: Vec<Output>, names: &[&str]) -> Vec<Output> {
    for ((name, _), given) in outputs.iter_mut().zip(names) {
        *name = (*given).to_owned();
    }
    outputs
}

fn union(left: Vec<Output>, right: Vec<Output>) -> Option<Vec<Output>> {
    if left.len() != right.len() {
        return None;
    }
    let both = left.into_iter().zip(right).map(|((name, mut sources), (_, more))| {
        sources.extend(more);
        (name, sources)
    });
    Some(both.collect())
}

#[cfg(test)]
mod tests;
