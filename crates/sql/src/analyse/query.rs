//! The walk over queries.

use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, GroupByWithModifier, Ident, LimitClause, NamedWindowExpr, OrderBy,
    OrderByKind, Query, Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    WildcardAdditionalOptions, With,
};

use super::account::Role;
use super::parse::index_of;
use super::probe::Place;
use super::walk::{Block, Item, Star, Walk, Walked, What};
use super::{refuse, target, tree};
use crate::{Effect, Refusal};

impl Walk<'_> {
    pub(crate) fn query(&mut self, query: &Query) -> Walked {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        // Locking clauses were left out for the parser; the rest are other dialects'.
        let foreign = !locks.is_empty()
            || for_clause.is_some()
            || settings.is_some()
            || format_clause.is_some()
            || !pipe_operators.is_empty();
        if foreign {
            return Err(self.unsupported("such a clause", None));
        }
        self.depth += 1;
        let place = std::mem::take(&mut self.probes.place);
        self.ctes.push(Vec::new());
        if let Some(with) = with {
            self.with(with)?;
        }
        if let SetExpr::Select(select) = body.as_ref() {
            self.blocks.push(Block::default());
            self.select(select)?;
            self.ordering(order_by.as_ref(), Some(&select.projection))?;
            self.limits(limit_clause.as_ref(), fetch.as_ref().and_then(|fetch| fetch.quantity.as_ref()))?;
            self.close_block()?;
        } else {
            self.set_expr(body)?;
            self.ordering(order_by.as_ref(), None)?;
            self.limits(limit_clause.as_ref(), fetch.as_ref().and_then(|fetch| fetch.quantity.as_ref()))?;
        }
        self.ctes.pop();
        self.probes.place = place;
        self.depth -= 1;
        Ok(())
    }

    /// Common table expressions: each sees those before it, and with RECURSIVE all of its list.
    fn with(&mut self, with: &With) -> Walked {
        for cte in &with.cte_tables {
            self.role(&cte.alias.name, Role::Cte)?;
            if with.recursive {
                self.name_cte(&cte.alias.name.value);
            }
        }
        for cte in &with.cte_tables {
            if cte.from.is_some() {
                return Err(self.unsupported("such a WITH clause", Some(&cte.alias.name)));
            }
            if !cte.alias.columns.is_empty() {
                self.probes.lose_track();
            }
            for column in &cte.alias.columns {
                self.role(&column.name, Role::Alias)?;
            }
            self.query(&cte.query)?;
            if !with.recursive {
                self.name_cte(&cte.alias.name.value);
            }
        }
        Ok(())
    }

    fn name_cte(&mut self, name: &str) {
        if let Some(names) = self.ctes.last_mut() {
            names.push(name.to_owned());
        }
    }

    pub(crate) fn is_cte(&self, name: &str) -> bool {
        self.ctes.iter().flatten().any(|cte| cte == name)
    }

    fn set_expr(&mut self, body: &SetExpr) -> Walked {
        // Chains of UNION are as deep as they are long: down their left side in a loop.
        let mut rights = Vec::new();
        let mut body = body;
        while let SetExpr::SetOperation { left, right, .. } = body {
            rights.push(right.as_ref());
            body = left;
        }
        self.set_operand(body)?;
        rights.into_iter().rev().try_for_each(|right| self.set_expr(right))
    }

    fn set_operand(&mut self, body: &SetExpr) -> Walked {
        match body {
            SetExpr::Select(select) => {
                self.blocks.push(Block::default());
                self.select(select)?;
                self.close_block()
            }
            SetExpr::Query(query) => self.query_in_parentheses(query),
            SetExpr::Values(values) => {
                values.rows.iter().flat_map(|row| &row.content).try_for_each(|expr| self.expr(expr))
            }
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => self.write(statement),
            SetExpr::SetOperation { .. } => self.set_expr(body),
            // TABLE is rewritten before the parser sees it.
            SetExpr::Table(_) => Err(self.unsupported("TABLE in this place", None)),
        }
    }

    /// Parentheses around the whole make no query deeper.
    fn query_in_parentheses(&mut self, query: &Query) -> Walked {
        self.depth -= 1;
        self.query(query)?;
        self.depth += 1;
        Ok(())
    }

    fn select(&mut self, select: &Select) -> Walked {
        let Select {
            select_token: _,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        let foreign = !optimizer_hints.is_empty()
            || select_modifiers.is_some()
            || top.is_some()
            || exclude.is_some()
            || !lateral_views.is_empty()
            || prewhere.is_some()
            || !connect_by.is_empty()
            || !cluster_by.is_empty()
            || !distribute_by.is_empty()
            || !sort_by.is_empty()
            || qualify.is_some()
            || value_table_mode.is_some()
            || *flavor != SelectFlavor::Standard;
        if foreign {
            return Err(self.unsupported("such a clause", None));
        }
        if let Some(into) = into {
            for target in &into.targets {
                self.created(target)?;
            }
        }
        self.from(from)?;
        if let Some(selection) = selection {
            self.expr(selection)?;
        }
        self.group_by(group_by, projection)?;
        self.set_output();
        if let Some(Distinct::On(on)) = distinct {
            on.iter().try_for_each(|expr| self.expr(expr))?;
        }
        projection.iter().try_for_each(|item| self.select_item(item))?;
        if let Some(having) = having {
            self.expr(having)?;
        }
        for window in named_window {
            self.role(&window.0, Role::Alias)?;
            match &window.1 {
                NamedWindowExpr::NamedWindow(name) => self.role(name, Role::Alias)?,
                NamedWindowExpr::WindowSpec(spec) => {
                    let mut parts = Vec::new();
                    tree::window_parts(spec, &mut parts)
                        .ok_or_else(|| self.unsupported("such a window", Some(&window.0)))?;
                    self.parts(parts)?;
                }
            }
        }
        Ok(())
    }

    fn set_output(&mut self) {
        if let Some(block) = self.blocks.last_mut() {
            block.output = true;
        }
    }

    /// SELECT INTO makes a relation.
    fn created(&mut self, target: &sqlparser::ast::Expr) -> Walked {
        let names = match target {
            sqlparser::ast::Expr::Identifier(name) => vec![name],
            other => tree::compound(other)
                .filter(|(_, rest)| rest.is_empty())
                .map(|(names, _)| names)
                .ok_or_else(|| self.unsupported("such a target of INTO", None))?,
        };
        for name in names {
            self.role(name, Role::Schema)?;
        }
        if let Some(culprit) = self.context.catalogue.defining("SELECT INTO") {
            return Err(refuse::unsafe_call(
                "SELECT INTO",
                culprit,
                self.source.byte(self.source.range.start),
            ));
        }
        self.stores = true;
        self.effects.extend([Effect::Ddl, Effect::SessionState]);
        Ok(())
    }

    fn group_by(&mut self, clause: &GroupByExpr, select: &[SelectItem]) -> Walked {
        let (items, modifiers) = match clause {
            GroupByExpr::All(modifiers) => (&[][..], modifiers),
            GroupByExpr::Expressions(items, modifiers) => (items.as_slice(), modifiers),
        };
        if matches!(clause, GroupByExpr::All(_)) {
            return Err(self.unsupported("GROUP BY ALL", None));
        }
        items.iter().try_for_each(|item| self.expr(item))?;
        for modifier in modifiers {
            match modifier {
                GroupByWithModifier::GroupingSets(expr) => self.expr(expr)?,
                _ => return Err(self.unsupported("such a GROUP BY clause", None)),
            }
        }
        self.note_group_by(clause, select);
        Ok(())
    }

    pub(crate) fn select_item(&mut self, item: &SelectItem) -> Walked {
        let (plain, name) = match item {
            SelectItem::UnnamedExpr(expr) => (is_name(expr), is_name(expr).then(String::new)),
            SelectItem::ExprWithAlias { expr, alias } => (is_name(expr), Some(alias.value.clone())),
            _ => (true, Some(String::new())),
        };
        let place = match self.depth > 1 {
            true => Place::Carried,
            false if plain => Place::Output,
            false => Place::Clause,
        };
        let place = std::mem::replace(&mut self.probes.place, place);
        let name = std::mem::replace(&mut self.probes.name, name);
        self.item(item)?;
        (self.probes.place, self.probes.name) = (place, name);
        Ok(())
    }

    fn item(&mut self, item: &SelectItem) -> Walked {
        match item {
            SelectItem::UnnamedExpr(expr) => self.named_by(target::naming(expr), expr),
            SelectItem::ExprWithAlias { expr, alias } => {
                self.role(alias, Role::Alias)?;
                self.named_by(None, expr)
            }
            SelectItem::ExprWithAliases { .. } => Err(self.unsupported("such an item", None)),
            SelectItem::Wildcard(options) => {
                let star = self.star(options)?;
                self.all_columns(star)
            }
            SelectItem::QualifiedWildcard(kind, options) => {
                let star = self.star(options)?;
                let SelectItemQualifiedWildcardKind::ObjectName(name) = kind else {
                    return Err(self.unsupported("such a star", None));
                };
                let parts = self.name_parts(name)?;
                for part in &parts {
                    self.role(part, Role::Qualifier)?;
                }
                let first = parts.first().map_or(Ok(star), |first| self.token(first))?;
                match self.qualifier(&parts) {
                    Some((block, item)) => self.qualified_star(first..star + 1, block, &item),
                    None => self.not_hidden(&parts),
                }
            }
        }
    }

    /// An item of a select list that is called what the reference at this token is called.
    fn named_by(&mut self, naming: Option<usize>, expr: &sqlparser::ast::Expr) -> Walked {
        let outer = std::mem::replace(&mut self.naming, naming);
        self.expr(expr)?;
        self.naming = outer;
        Ok(())
    }

    fn star(&self, options: &WildcardAdditionalOptions) -> Result<usize, Refusal> {
        let WildcardAdditionalOptions {
            wildcard_token,
            opt_ilike: None,
            opt_exclude: None,
            opt_except: None,
            opt_replace: None,
            opt_rename: None,
            opt_alias: None,
        } = options
        else {
            return Err(self.unsupported("such a star", None));
        };
        index_of(&wildcard_token.0).ok_or_else(|| self.unsupported("such a star", None))
    }

    /// `*`
    fn all_columns(&mut self, star: usize) -> Walked {
        let Some(block) = self.blocks.len().checked_sub(1) else { return Ok(()) };
        let mut entries = Vec::new();
        if let Some(current) = self.blocks.get_mut(block) {
            current.items.iter().for_each(|item| item.what.entries(&mut entries));
            current.stars.push(Star { tokens: star..star + 1, item: None });
        }
        entries.into_iter().try_for_each(|entry| self.uses_all(block, entry, Some(star)))
    }

    /// `c.*`, `public.customers.*`
    fn qualified_star(&mut self, tokens: std::ops::Range<usize>, block: usize, item: &Item) -> Walked {
        let mut entries = Vec::new();
        item.what.entries(&mut entries);
        for entry in &entries {
            self.uses_all(block, *entry, Some(tokens.start))?;
        }
        if let What::Join(_) = item.what {
            // Its columns are the join's, merged ones once; only a system column would change them.
            for entry in entries {
                if let Some(entry) = self.entries.get_mut(entry) {
                    entry.as_row = true;
                }
            }
            return Ok(());
        }
        let position = self.blocks.get(block).and_then(|block| {
            block.items.iter().position(|other| other.alias == item.alias && other.schema == item.schema)
        });
        if let Some(block) = self.blocks.get_mut(block) {
            block.stars.push(Star { tokens, item: position });
        }
        Ok(())
    }

    /// ORDER BY. A name alone is that of an output first; over UNION and its like, where no select
    /// list is given here, it can be nothing else.
    fn ordering(&mut self, order_by: Option<&OrderBy>, select: Option<&[SelectItem]>) -> Walked {
        let Some(order_by) = order_by else { return Ok(()) };
        let OrderBy { kind: OrderByKind::Expressions(items), interpolate: None } = order_by else {
            return Err(self.unsupported("such an ORDER BY clause", None));
        };
        let mut parts = Vec::new();
        tree::ordering(items, &mut parts).ok_or_else(|| self.unsupported("such an ORDER BY clause", None))?;
        for part in parts {
            match part {
                tree::Part::Expr(Expr::Identifier(name)) if names_output(name, select) => {
                    self.role(name, Role::Column)?;
                }
                part => self.parts(vec![part])?,
            }
        }
        Ok(())
    }

    fn limits(&mut self, limit: Option<&LimitClause>, fetch: Option<&sqlparser::ast::Expr>) -> Walked {
        if let Some(fetch) = fetch {
            self.expr(fetch)?;
        }
        match limit {
            None => Ok(()),
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => limit
                .iter()
                .chain(offset.iter().map(|offset| &offset.value))
                .try_for_each(|expr| self.expr(expr)),
            Some(_) => Err(self.unsupported("such a LIMIT clause", None)),
        }
    }
}

/// Does a name in ORDER BY mean an output by its alias?
fn names_output(name: &Ident, select: Option<&[SelectItem]>) -> bool {
    let Some(select) = select else { return true };
    select.iter().any(|item| match item {
        SelectItem::ExprWithAlias { alias, .. } => alias.value == name.value,
        // The column itself goes by its name.
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => {
            names.last().is_some_and(|last| last.value == name.value)
        }
        _ => false,
    })
}

fn is_name(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}
