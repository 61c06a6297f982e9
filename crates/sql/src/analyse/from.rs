//! The walk over FROM clauses: where relations are replaced.

use std::ops::Range;
use std::sync::Arc;

use pgwarrant_catalog::Relation;
use sqlparser::ast::{
    FunctionArg, Ident, Join, JoinConstraint, JoinOperator, JsonTableColumn, ObjectName, TableAlias,
    TableFactor, TableWithJoins, XmlTableColumnOption,
};

use super::account::Role;
use super::cover::{self, Shown};
use super::names::{self, Found};
use super::walk::{Entry, Item, Walk, Walked, What};
use super::{console_calls, refuse, text, tree, view};
use crate::Refusal;

impl Walk<'_> {
    pub(crate) fn from(&mut self, from: &[TableWithJoins]) -> Walked {
        for tree in from {
            self.joined(tree)?;
        }
        Ok(())
    }

    fn joined(&mut self, tree: &TableWithJoins) -> Walked {
        let first = self.blocks.last().map_or(0, |block| block.items.len());
        self.factor(&tree.relation)?;
        for Join { relation, global, join_operator } in &tree.joins {
            if *global {
                return Err(self.unsupported("such a join", None));
            }
            self.factor(relation)?;
            let constraint = match join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint)
                | JoinOperator::CrossJoin(constraint) => constraint,
                _ => return Err(self.unsupported("such a join", None)),
            };
            match constraint {
                JoinConstraint::On(expr) => {
                    let before = self.sees_from(first);
                    self.expr(expr)?;
                    self.sees_from(before);
                }
                JoinConstraint::Using(columns) => {
                    self.set_merges();
                    for column in columns {
                        for ident in self.name_parts(column)? {
                            self.merged(ident)?;
                        }
                    }
                }
                JoinConstraint::Natural => {
                    self.set_merges();
                    self.natural()?;
                }
                JoinConstraint::None => {}
            }
        }
        Ok(())
    }

    /// Puts the items before this one out of sight; which one it was.
    fn sees_from(&mut self, first: usize) -> usize {
        self.blocks.last_mut().map_or(0, |block| std::mem::replace(&mut block.from, first))
    }

    fn set_merges(&mut self) {
        if let Some(block) = self.blocks.last_mut() {
            block.merges = true;
        }
    }

    fn add(&mut self, item: Item) {
        if let Some(block) = self.blocks.last_mut() {
            block.items.push(item);
        }
    }

    /// Gives the parts of an alias their roles: its name, and new names for columns.
    fn alias(&mut self, alias: Option<&TableAlias>) -> Result<(Option<String>, Vec<String>), Refusal> {
        let Some(TableAlias { explicit: _, name, columns, at }) = alias else {
            return Ok((None, Vec::new()));
        };
        if at.is_some() {
            return Err(self.unsupported("such an alias", Some(name)));
        }
        self.role(name, Role::Alias)?;
        if !columns.is_empty() {
            self.probes.lose_track();
        }
        for column in columns {
            self.role(&column.name, Role::Alias)?;
            if let Some(of) = &column.data_type {
                self.data_type(of)?;
            }
        }
        Ok((Some(name.value.clone()), columns.iter().map(|column| column.name.value.clone()).collect()))
    }

    fn factor(&mut self, factor: &TableFactor) -> Walked {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version: None,
                with_ordinality: _,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => match args {
                None => self.relation(name, alias.as_ref()),
                Some(args) if args.settings.is_none() => {
                    self.table_function(name, &args.args, alias.as_ref())
                }
                Some(_) => Err(self.unsupported("such a function in FROM", None)),
            },
            TableFactor::Function { lateral: _, name, args, with_ordinality: _, alias } => {
                self.table_function(name, args, alias.as_ref())
            }
            TableFactor::Derived { lateral, subquery, alias, sample: None } => {
                let block = self.blocks.len().checked_sub(1);
                let hides = !*lateral;
                self.hide(block, hides);
                self.query(subquery)?;
                self.hide(block, false);
                let (alias, _) = self.alias(alias.as_ref())?;
                self.add(Item { alias, schema: None, what: What::Other });
                Ok(())
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let first = self.blocks.last().map_or(0, |block| block.items.len());
                self.joined(table_with_joins)?;
                let (name, columns) = self.alias(alias.as_ref())?;
                if name.is_some() {
                    self.name_join(first, name, !columns.is_empty())?;
                }
                Ok(())
            }
            TableFactor::JsonTable { json_expr, json_path: _, columns, alias } => {
                self.expr(json_expr)?;
                columns.iter().try_for_each(|column| self.json_column(column))?;
                let (alias, _) = self.alias(alias.as_ref())?;
                self.add(Item { alias, schema: None, what: What::Other });
                Ok(())
            }
            TableFactor::XmlTable { namespaces, row_expression, passing, columns, alias } => {
                for namespace in namespaces {
                    self.expr(&namespace.uri)?;
                    self.role(&namespace.name, Role::Alias)?;
                }
                self.expr(row_expression)?;
                for argument in &passing.arguments {
                    self.expr(&argument.expr)?;
                }
                for column in columns {
                    self.role(&column.name, Role::Alias)?;
                    if let XmlTableColumnOption::NamedInfo { r#type, path, default, nullable: _ } =
                        &column.option
                    {
                        self.data_type(r#type)?;
                        path.iter().chain(default).try_for_each(|expr| self.expr(expr))?;
                    }
                }
                let (alias, _) = self.alias(alias.as_ref())?;
                self.add(Item { alias, schema: None, what: What::Other });
                Ok(())
            }
            TableFactor::Table { .. }
            | TableFactor::Derived { .. }
            | TableFactor::TableFunction { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. }
            | TableFactor::UnpivotExpr { .. }
            | TableFactor::MatchRecognize { .. }
            | TableFactor::SemanticView { .. } => Err(self.unsupported("such an item in FROM", None)),
        }
    }

    fn json_column(&mut self, column: &JsonTableColumn) -> Walked {
        match column {
            JsonTableColumn::Named(named) => {
                self.role(&named.name, Role::Alias)?;
                self.data_type(&named.r#type)
            }
            JsonTableColumn::ForOrdinality(name) => self.role(name, Role::Alias),
            JsonTableColumn::Nested(nested) => {
                nested.columns.iter().try_for_each(|column| self.json_column(column))
            }
        }
    }

    fn hide(&mut self, block: Option<usize>, hidden: bool) {
        if let Some(block) = block.and_then(|block| self.blocks.get_mut(block)) {
            block.hidden = hidden;
        }
    }

    /// `(a JOIN b …) AS j`: from now on the items since `first` go by that name only.
    fn name_join(&mut self, first: usize, alias: Option<String>, renames: bool) -> Walked {
        let Some(block) = self.blocks.len().checked_sub(1) else { return Ok(()) };
        let Some(current) = self.blocks.get_mut(block) else { return Ok(()) };
        let mut inner: Vec<Item> = current.items.drain(first..).collect();
        // Not by their own names, but their columns still without a qualifier.
        inner.iter_mut().for_each(|item| item.alias = None);
        let what = What::Join(inner);
        let mut entries = Vec::new();
        what.entries(&mut entries);
        current.items.push(Item { alias, schema: None, what });
        if renames {
            // Whatever they are called now.
            entries.into_iter().try_for_each(|entry| self.uses_all(block, entry, None))?;
        }
        Ok(())
    }

    fn table_function(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
    ) -> Walked {
        let parts = self.name_parts(name)?;
        let replaced = self.call(&parts, args.len(), true)?;
        if !replaced {
            let mut arguments = Vec::new();
            for argument in args {
                tree::argument_parts(argument, &mut arguments)
                    .ok_or_else(|| self.unsupported("such an argument", parts.last().copied()))?;
            }
            self.parts(arguments)?;
        }
        let (alias, _) = self.alias(alias)?;
        let own = parts.last().map(|name| name.value.clone());
        if replaced
            && alias.is_none()
            && let Some(last) = parts.last()
        {
            let token = self.token(last)?;
            console_calls::name_call(self, token, &last.value);
        }
        let schema = (replaced && alias.is_none()).then(|| "pgwarrant".to_owned());
        let what = if replaced { What::Console } else { What::Other };
        self.add(Item { alias: alias.or(own), schema, what });
        Ok(())
    }

    fn relation(&mut self, name: &ObjectName, alias: Option<&TableAlias>) -> Walked {
        let parts = self.name_parts(name)?;
        let Some(last) = parts.last().copied() else { return Ok(()) };
        let (given, renamed) = self.alias(alias)?;
        if parts.len() == 1 && self.is_cte(&last.value) {
            self.role(last, Role::Cte)?;
            self.add(Item {
                alias: given.or_else(|| Some(last.value.clone())),
                schema: None,
                what: What::Other,
            });
            return Ok(());
        }
        if let [schema, last] = parts.as_slice()
            && schema.value == "pgwarrant"
        {
            let tokens = self.token(schema)?..self.token(last)? + 1;
            let own = given.is_none().then(|| last.value.clone());
            let command =
                tokens.start.checked_sub(1).filter(|before| self.facts.table_commands.contains(before));
            console_calls::relation(self, tokens, own.as_deref())?;
            if let Some(command) = command {
                self.splice(command..command + 1, "SELECT * FROM");
            }
            let schema = own.is_some().then(|| "pgwarrant".to_owned());
            self.add(Item { alias: given.or(own), schema, what: What::Console });
            return Ok(());
        }
        let found = self.find(&parts)?;
        let schema = if given.is_some() { None } else { found.schema() };
        let alias = given.clone().unwrap_or_else(|| last.value.clone());
        let what = match found {
            Resolved::Other(_) => What::Other,
            Resolved::Known(relation) => {
                if let Some(culprit) = &relation.read_risk {
                    return Err(refuse::unsafe_relation(&relation, culprit, self.byte(last)));
                }
                if !relation.is_protected() {
                    self.write_out(&parts, &relation)?;
                    self.add(Item { alias: Some(alias), schema, what: What::Other });
                    return Ok(());
                }
                let entry = self.entry(relation, &parts, &alias, given.is_some(), renamed)?;
                self.check_renaming(&entry, last)?;
                What::Entry(self.enter(entry)?)
            }
        };
        self.add(Item { alias: Some(alias), schema, what });
        Ok(())
    }

    fn entry(
        &self,
        relation: Arc<Relation>,
        parts: &[&Ident],
        alias: &str,
        has_alias: bool,
        renamed: Vec<String>,
    ) -> Result<Entry, Refusal> {
        let cover = cover::cover(&relation, self.context.catalogue, self.context.access);
        let cover = if self.dumps { cover.dumped() } else { cover };
        let tokens = self.name_tokens(parts)?;
        let first = parts.first().map_or(Ok(tokens.start), |first| self.token(first))?;
        // A sample follows the alias, or else the name.
        let (only, sample) = (self.facts.only.contains_key(&first), self.sample_after(tokens.end, has_alias));
        let entry = Entry::new(relation, cover, tokens, alias.to_owned());
        Ok(Entry { has_alias, renamed, only, sample, ..entry })
    }

    /// The tokens that name a relation, with ONLY or a star.
    pub(crate) fn name_tokens(&self, parts: &[&Ident]) -> Result<Range<usize>, Refusal> {
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
            return Err(self.unsupported("such a name", None));
        };
        let (first, last) = (self.token(first)?, self.token(last)?);
        let tokens = self.facts.only.get(&first).cloned().unwrap_or(first..last + 1);
        let end = self.facts.descendants.get(&first).map_or(tokens.end, |star| star + 1);
        Ok(tokens.start..end)
    }

    fn sample_after(&self, name_end: usize, has_alias: bool) -> Option<Range<usize>> {
        let mut before = name_end - 1;
        if has_alias {
            if self.source.keyword(before + 1, "as") {
                before += 1;
            }
            before += 1;
            if self.source.punct(before + 1, "(") {
                before = self.source.closing(before + 1)?;
            }
        }
        self.facts.samples.get(&before).cloned()
    }

    /// New names go by position, so no column before the last of them may be missing.
    fn check_renaming(&self, entry: &Entry, at: &Ident) -> Walked {
        let shown = view::columns(&entry.relation, &entry.cover, &self.state.session.role);
        let missing =
            (0..entry.renamed.len().min(entry.relation.columns.len())).find(|index| !shown.contains(index));
        let Some(missing) = missing else { return Ok(()) };
        let column = entry.relation.columns.get(missing).zip(entry.cover.columns.get(missing));
        match column {
            Some((column, cover)) if cover.shown == Shown::Blocked => {
                Err(refuse::blocked(&entry.relation, column, self.byte(at)))
            }
            _ => {
                Err(self.unsupported("a column alias list over columns that the role may not read", Some(at)))
            }
        }
    }

    /// Puts the schema before a name that is left as it is, so that PostgreSQL reads what we did.
    pub(crate) fn write_out(&mut self, parts: &[&Ident], relation: &Relation) -> Walked {
        if let [only] = parts {
            let token = self.token(only)?;
            self.splice(token..token + 1, text::qualified(&relation.schema, &relation.name));
        }
        Ok(())
    }

    /// What a relation's name means; the name is written out in full where it was not.
    pub(crate) fn find(&mut self, parts: &[&Ident]) -> Result<Resolved, Refusal> {
        let Some((last, schemas)) = parts.split_last() else {
            return Err(self.unsupported("such a name", None));
        };
        if schemas.len() > 2 {
            return Err(self.unsupported("such a name", Some(last)));
        }
        self.role(last, Role::Relation)?;
        for schema in schemas {
            self.role(schema, Role::Schema)?;
        }
        let name = last.value.as_str();
        let catalogue = self.context.catalogue;
        let byte = self.byte(last);
        // Names that nothing risky has are PostgreSQL's business alone.
        let concerns = catalogue.names.contains_key(name);
        if name.starts_with("pg_toast") || schemas.last().is_some_and(|schema| schema.value == "pg_toast") {
            return Err(super::judge::toast(name, byte));
        }
        let found = match schemas.last() {
            Some(schema) => names::qualified(&schema.value, name, catalogue),
            None => names::unqualified(name, self.state, catalogue),
        };
        match found {
            Found::Known(relation) => Ok(Resolved::Known(relation)),
            _ if !concerns => Ok(Resolved::Other(schemas.last().map(|schema| schema.value.clone()))),
            Found::Other(schema) => {
                if schemas.is_empty() {
                    let token = self.token(last)?;
                    self.splice(token..token + 1, text::qualified(&schema, name));
                }
                Ok(Resolved::Other(Some(schema)))
            }
            Found::Nowhere if let Some(schema) = schemas.last() => {
                let first = schemas.first().map_or(byte, |first| self.byte(first));
                Err(refuse::no_relation(&schema.value, name, first))
            }
            Found::Nowhere => {
                let elsewhere: Vec<&str> = catalogue
                    .names
                    .get(name)
                    .into_iter()
                    .flatten()
                    .filter_map(|oid| catalogue.relations.get(oid))
                    .map(|relation| relation.schema.as_str())
                    .collect();
                Err(refuse::unresolved(name, &elsewhere, byte))
            }
            Found::Unknown(why) => Err(refuse::undecided(name, why, byte)),
        }
    }
}

/// What a relation's name means, as far as the walk cares.
#[derive(Clone, Debug)]
pub(crate) enum Resolved {
    Known(Arc<Relation>),
    /// With its schema, where that is known.
    Other(Option<String>),
}

impl Resolved {
    fn schema(&self) -> Option<String> {
        match self {
            Self::Known(relation) => Some(relation.schema.clone()),
            Self::Other(schema) => schema.clone(),
        }
    }
}
