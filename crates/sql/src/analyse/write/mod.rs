//! The walk over INSERT, UPDATE, DELETE and MERGE.
//!
//! What may be written is decided here ([`permit`]), the statement confined to the rows that grants
//! cover, and values guarded ([`values`]); references to the target's columns are the business of
//! [`super::target`].

mod clauses;
mod insert;
mod merge;
mod permit;
mod values;

use std::collections::BTreeSet;
use std::sync::Arc;

use pgwarrant_catalog::Relation;
use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, Ident, ObjectName, OutputClause, SelectItem,
    Statement, TableAlias, TableFactor, Update, UpdateTableFromKind,
};

use self::clauses::Clauses;
pub(crate) use self::clauses::list;
use self::permit::Confines;
use super::account::Role;
use super::cover::{self, ColumnCover, Cover, Shown};
use super::from::Resolved;
use super::target::Assigning;
use super::walk::{Block, Entry, Item, Walk, Walked, What};
use super::{refuse, text};
use crate::{Actions, GrantId, Refusal};

/// The relation that is written to.
pub(crate) struct Target {
    item: Item,
    /// Where it holds protected columns.
    entry: Option<usize>,
    /// Where the catalogue knows it.
    relation: Option<Arc<Relation>>,
    /// What its columns are qualified by, as SQL text.
    row: String,
    /// The token after its name and alias.
    after: usize,
    byte: usize,
}

impl Walk<'_> {
    /// A statement, or what stands in the place of a query in WITH.
    pub(crate) fn write(&mut self, statement: &Statement) -> Walked {
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Merge(merge) => self.merge(merge),
            _ => Err(self.unsupported("such a statement", None)),
        }
    }

    /// The relation that is written to, which is left as it is.
    fn target(&mut self, name: &ObjectName, alias: Option<&Ident>) -> Result<Target, Refusal> {
        let parts = self.name_parts(name)?;
        let Some(last) = parts.last().copied() else { return Err(self.unsupported("such a name", None)) };
        let byte = self.byte(last);
        if parts.len() == 2 && parts.first().is_some_and(|schema| schema.value == "pgwarrant") {
            let hint = "Use its functions: request, approve, deny, revoke, release.";
            return Err(refuse::console("relations of schema \"pgwarrant\" cannot be written", hint, byte)
                .state("42809"));
        }
        if let Some(alias) = alias {
            self.role(alias, Role::Alias)?;
        }
        let called = alias.map_or_else(|| last.value.clone(), |alias| alias.value.clone());
        let tokens = self.name_tokens(&parts)?;
        let after = match alias {
            Some(alias) => self.token(alias)? + 1,
            None => tokens.end,
        };
        let row = text::name(&called);
        let found = self.find(&parts)?;
        let Resolved::Known(relation) = found else {
            let item = Item { alias: Some(called), schema: None, what: What::Other };
            return Ok(Target { item, entry: None, relation: None, row, after, byte });
        };
        if let Some(culprit) = relation.write_risk.as_ref().or(relation.read_risk.as_ref()) {
            return Err(refuse::unsafe_relation(&relation, culprit, byte));
        }
        self.write_out(&parts, &relation)?;
        let schema = alias.is_none().then(|| relation.schema.clone());
        if !relation.is_protected() {
            let item = Item { alias: Some(called), schema, what: What::Other };
            return Ok(Target { item, entry: None, relation: Some(relation), row, after, byte });
        }
        let cover = cover::cover(&relation, self.context.catalogue, self.context.access);
        let entry = Entry {
            has_alias: alias.is_some(),
            raw: true,
            target: true,
            ..Entry::new(relation.clone(), cover, tokens, called.clone())
        };
        let entry = self.enter(entry)?;
        let item = Item { alias: Some(called), schema, what: What::Entry(entry) };
        Ok(Target { item, entry: Some(entry), relation: Some(relation), row, after, byte })
    }

    /// Notes what is written, and by which grants.
    fn note(&mut self, confines: &Confines) {
        self.touched.written.extend(&confines.written);
        self.touched.grants.extend(&confines.grants);
    }

    /// The target's columns that are assigned, as indexes; those that PostgreSQL would not find
    /// are left out.
    fn assigned(&self, relation: &Relation, assignments: &[Assignment]) -> BTreeSet<usize> {
        let names = assignments.iter().flat_map(|assignment| match &assignment.target {
            AssignmentTarget::ColumnName(name) => vec![name],
            AssignmentTarget::Tuple(names) => names.iter().collect(),
        });
        names.filter_map(|name| column_index(relation, name)).collect()
    }

    /// What an update of these columns takes.
    fn may_update(&mut self, target: &Target, assigned: &BTreeSet<usize>) -> Result<Confines, Refusal> {
        let Some(relation) = &target.relation else { return Ok(Confines::default()) };
        let update = Actions { update: true, ..Actions::default() };
        let mut confines = permit::columns(relation, assigned, "update", update, self.context, target.byte)?;
        confines.grants.extend(permit::deciding(relation, assigned, self.context, target.byte)?);
        confines.grants.extend(permit::cascades(relation, assigned, self.context, target.byte)?);
        self.only_shown(target, &mut confines);
        Ok(confines)
    }

    /// Rows that are hidden are not there to be written either.
    fn only_shown(&self, target: &Target, confines: &mut Confines) {
        let entry = target.entry.and_then(|entry| self.entries.get(entry));
        if let Some(only) = entry.and_then(|entry| entry.cover.only.clone()) {
            confines.add(only);
        }
    }

    /// Confines a write to rows: its condition stands from the token after WHERE on, if it has one,
    /// and ends, or would, at `end`.
    fn confine(
        &mut self,
        target: &Target,
        confines: &Confines,
        condition: Option<usize>,
        end: usize,
    ) -> Walked {
        let Some(rows) = confines.condition(&target.row) else { return Ok(()) };
        let Some(first) = condition else {
            self.splice(end..end, format!(" WHERE {rows}"));
            return Ok(());
        };
        if self.source.keywords(first, &["current", "of"])
            && let Some(relation) = &target.relation
        {
            return Err(refuse::current_of(relation, self.source.byte(first)));
        }
        self.splice(first..first, format!("{rows} AND ("));
        self.splice(end..end, ")");
        Ok(())
    }

    /// A condition, whose values are stored nowhere.
    fn condition(&mut self, expr: &Expr) -> Walked {
        let outer = std::mem::replace(&mut self.filters, true);
        self.expr(expr)?;
        self.filters = outer;
        Ok(())
    }

    fn assignments(
        &mut self,
        target: &Target,
        assignments: &[Assignment],
        clauses: &Clauses<'_, '_>,
    ) -> Walked {
        for Assignment { target: column, value } in assignments {
            let names: Vec<&ObjectName> = match column {
                AssignmentTarget::ColumnName(name) => vec![name],
                AssignmentTarget::Tuple(names) => names.iter().collect(),
            };
            names.iter().try_for_each(|name| self.target_column(name))?;
            let Some((entry, relation)) = target.entry.zip(target.relation.as_deref()) else {
                self.expr(value)?;
                continue;
            };
            let first = match names.first().and_then(|name| self.name_parts(name).ok()?.first().copied()) {
                Some(first) => self.token(first)?,
                None => return Err(self.unsupported("such an assignment", None)),
            };
            let tokens = clauses.value(first).ok_or_else(|| self.unsupported("such an assignment", None))?;
            let columns: Vec<Option<usize>> = names.iter().map(|name| column_index(relation, name)).collect();
            // `SET f[2] = …` and `SET address.city = …` give a part of a value, which is no mask.
            let whole = |name: &ObjectName| name.0.len() == 1;
            match (columns.as_slice(), column) {
                ([Some(index)], AssignmentTarget::ColumnName(name)) => {
                    let part = !whole(name) || self.source.punct(first + 1, "[");
                    self.assign(entry, Some(*index), is_protected(relation, *index), value)?;
                    if !part {
                        self.guard_value(entry, *index, tokens, &target.row)?;
                    }
                }
                (_, AssignmentTarget::Tuple(_)) if columns.iter().all(Option::is_some) => {
                    let columns: Vec<usize> = columns.iter().copied().flatten().collect();
                    self.assign_list(target, entry, &columns, value, tokens)?;
                }
                // PostgreSQL does not know the column.
                _ => self.expr(value)?,
            }
        }
        Ok(())
    }

    /// The value for a column, or for several.
    fn assign(&mut self, entry: usize, column: Option<usize>, protected: bool, value: &Expr) -> Walked {
        let outer = self.assigning.replace(Assigning { entry, column, protected });
        self.expr(value)?;
        self.assigning = outer;
        Ok(())
    }

    /// `(a, b) = (x, y)`, `(a, b) = ROW(x, y)`, `(a, b) = (SELECT …)`
    fn assign_list(
        &mut self,
        target: &Target,
        entry: usize,
        columns: &[usize],
        value: &Expr,
        tokens: std::ops::Range<usize>,
    ) -> Walked {
        let protected = {
            let relation = target.relation.as_deref();
            columns.iter().any(|index| relation.is_some_and(|relation| is_protected(relation, *index)))
        };
        let open = if self.source.keyword(tokens.start, "row") { tokens.start + 1 } else { tokens.start };
        let closed = self.source.punct(open, "(")
            && self.source.closing(open).is_some_and(|close| close + 1 == tokens.end);
        if closed && self.source.starts_query(open + 1) {
            self.assign(entry, None, protected, value)?;
            return self.guard_query(entry, columns, tokens, &target.row);
        }
        let parts = if closed { clauses::list(self.source, open) } else { None };
        match (value, parts) {
            (Expr::Tuple(values), Some(parts))
                if values.len() == columns.len() && parts.len() == columns.len() =>
            {
                for ((value, part), index) in values.iter().zip(parts).zip(columns) {
                    let relation = target.relation.as_deref();
                    let protected = relation.is_some_and(|relation| is_protected(relation, *index));
                    self.assign(entry, Some(*index), protected, value)?;
                    self.guard_value(entry, *index, part, &target.row)?;
                }
                Ok(())
            }
            (_, Some(parts)) if parts.len() == columns.len() => {
                self.assign(entry, None, protected, value)?;
                columns
                    .iter()
                    .zip(parts)
                    .try_for_each(|(index, part)| self.guard_value(entry, *index, part, &target.row))
            }
            _ if protected => Err(self.unsupported("such a list of values", None)),
            _ => self.assign(entry, None, protected, value),
        }
    }

    /// A column of the target, or a field of one.
    fn target_column(&mut self, name: &ObjectName) -> Walked {
        for part in self.name_parts(name)? {
            self.role(part, Role::Column)?;
        }
        Ok(())
    }

    /// What the statement reads from now on is stored.
    fn storing(&mut self) {
        self.kept.get_or_insert(self.stores);
        self.stores = true;
    }

    /// RETURNING goes to the client, unless the write is part of something that stores. `stores`: it
    /// does so itself.
    fn returning(&mut self, target: &Target, items: Option<&[SelectItem]>, stores: bool) -> Walked {
        let Some(items) = items else { return Ok(()) };
        let others = self.storing_words.saturating_sub(usize::from(stores));
        let leaves = !self.kept.unwrap_or(self.stores) && (self.depth <= 1 || others == 0);
        let outer = self.filters;
        self.filters = leaves || outer;
        if let Some(block) = self.blocks.last_mut() {
            let version = |name: &str| Item { alias: Some(name.to_owned()), ..target.item.clone() };
            let taken = |name: &str| block.items.iter().any(|item| item.alias.as_deref() == Some(name));
            block.versions = ["old", "new"].into_iter().filter(|name| !taken(name)).map(version).collect();
        }
        items.iter().try_for_each(|item| self.select_item(item))?;
        self.filters = outer;
        Ok(())
    }

    fn output(&mut self, target: &Target, output: Option<&OutputClause>) -> Walked {
        match output {
            None => Ok(()),
            Some(OutputClause::Returning { select_items, .. }) => {
                self.returning(target, Some(select_items), true)
            }
            Some(OutputClause::Output { .. }) => Err(self.unsupported("OUTPUT", None)),
        }
    }

    /// The target as the parser has it where FROM items may stand.
    fn target_factor(&mut self, factor: &TableFactor) -> Result<Target, Refusal> {
        let TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_hints,
        } = factor
        else {
            return Err(self.unsupported("such a target", None));
        };
        let alias = match alias {
            None => None,
            Some(TableAlias { explicit: _, name, columns, at: None }) if columns.is_empty() => Some(name),
            Some(TableAlias { name, .. }) => return Err(self.unsupported("such an alias", Some(name))),
        };
        if !with_hints.is_empty() || !partitions.is_empty() || !index_hints.is_empty() {
            return Err(self.unsupported("such a target", None));
        }
        self.target(name, alias)
    }

    fn update(&mut self, update: &Update) -> Walked {
        let Update {
            update_token: _,
            optimizer_hints,
            table,
            assignments,
            from,
            selection,
            returning,
            output: None,
            or: None,
            order_by,
            limit: None,
        } = update
        else {
            return Err(self.unsupported("such an UPDATE", None));
        };
        if !optimizer_hints.is_empty() || !order_by.is_empty() || !table.joins.is_empty() {
            return Err(self.unsupported("such an UPDATE", None));
        }
        let target = self.target_factor(&table.relation)?;
        self.storing();
        self.blocks.push(Block::default());
        match from {
            None => {}
            Some(UpdateTableFromKind::AfterSet(from)) => self.from(from)?,
            Some(UpdateTableFromKind::BeforeSet(_)) => return Err(self.unsupported("such an UPDATE", None)),
        }
        self.sees(&target);
        let assigned = match &target.relation {
            Some(relation) => self.assigned(relation, assignments),
            None => BTreeSet::new(),
        };
        let confines = self.may_update(&target, &assigned)?;
        self.note(&confines);
        let clauses = Clauses::new(self.source, target.after);
        self.assignments(&target, assignments, &clauses)?;
        selection.iter().try_for_each(|expr| self.condition(expr))?;
        self.where_clause(&target, &confines, &clauses, selection.is_some())?;
        self.returning(&target, returning.as_deref(), true)?;
        self.close_block()
    }

    /// The items of FROM and USING do not see the target; what comes after them does.
    fn sees(&mut self, target: &Target) {
        if let Some(block) = self.blocks.last_mut() {
            block.items.insert(0, target.item.clone());
        }
    }

    fn where_clause(
        &mut self,
        target: &Target,
        confines: &Confines,
        clauses: &Clauses<'_, '_>,
        has_condition: bool,
    ) -> Walked {
        let end = clauses.until(target.after, &["returning"]);
        let condition = clauses.keyword(target.after, &["where"]).filter(|word| *word < end);
        if condition.is_some() != has_condition {
            return Err(self.unsupported("such a WHERE clause", None));
        }
        self.confine(target, confines, condition.map(|word| word + 1), end)
    }

    fn delete(&mut self, delete: &Delete) -> Walked {
        let Delete {
            delete_token: _,
            optimizer_hints,
            tables,
            from: FromTable::WithFromKeyword(from),
            using,
            selection,
            returning,
            output: None,
            order_by,
            limit: None,
        } = delete
        else {
            return Err(self.unsupported("such a DELETE", None));
        };
        let ([target], true) =
            (from.as_slice(), optimizer_hints.is_empty() && tables.is_empty() && order_by.is_empty())
        else {
            return Err(self.unsupported("such a DELETE", None));
        };
        if !target.joins.is_empty() {
            return Err(self.unsupported("such a DELETE", None));
        }
        let target = self.target_factor(&target.relation)?;
        self.blocks.push(Block::default());
        if let Some(using) = using {
            self.from(using)?;
        }
        self.sees(&target);
        let mut confines = match &target.relation {
            Some(relation) => permit::delete(relation, "delete from", self.context, target.byte)?,
            None => Confines::default(),
        };
        self.only_shown(&target, &mut confines);
        self.note(&confines);
        selection.iter().try_for_each(|expr| self.condition(expr))?;
        let clauses = Clauses::new(self.source, target.after);
        self.where_clause(&target, &confines, &clauses, selection.is_some())?;
        self.returning(&target, returning.as_deref(), false)?;
        self.close_block()
    }
}

fn is_protected(relation: &Relation, index: usize) -> bool {
    relation.columns.get(index).is_some_and(|column| column.protection.is_some())
}

/// The column that an assignment is to, or to a part of.
fn column_index(relation: &Relation, name: &ObjectName) -> Option<usize> {
    let parts = super::expr::idents(name)?;
    let first = parts.first()?;
    relation.columns.iter().position(|column| column.name == first.value)
}

/// The grants by which a relation may be written as a whole, all rows and every protected column; none
/// are needed where nothing is protected.
pub(crate) fn may_write(
    relation: &Relation,
    verb: &str,
    actions: Actions,
    context: &crate::Context<'_>,
    byte: usize,
) -> Result<Vec<GrantId>, Refusal> {
    if let Some(culprit) = relation.write_risk.as_ref().or(relation.read_risk.as_ref()) {
        return Err(refuse::unsafe_relation(relation, culprit, byte));
    }
    if !relation.is_protected() {
        return Ok(Vec::new());
    }
    let one = |actions: Actions| {
        if actions.delete {
            return permit::delete(relation, verb, context, byte);
        }
        permit::columns(relation, &permit::protected(relation), verb, actions, context, byte)
    };
    let confines = one(actions)?;
    match confines.each.is_empty() {
        true => Ok(confines.grants),
        false => Err(refuse::not_written(relation, verb, actions, byte)),
    }
}

/// The grants by which COPY may put rows into a relation, or into these columns of it.
pub(crate) fn may_copy_into(
    relation: &Relation,
    listed: Option<&[String]>,
    context: &crate::Context<'_>,
    byte: usize,
) -> Result<Vec<GrantId>, Refusal> {
    if let Some(culprit) = relation.write_risk.as_ref().or(relation.read_risk.as_ref()) {
        return Err(refuse::unsafe_relation(relation, culprit, byte));
    }
    let columns: BTreeSet<usize> = relation
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| listed.is_none_or(|listed| listed.contains(&column.name)))
        .map(|(index, _)| index)
        .collect();
    let insert = Actions { insert: true, ..Actions::default() };
    let confines = permit::columns(relation, &columns, "copy into", insert, context, byte)?;
    match confines.each.is_empty() {
        true => Ok(confines.grants),
        false => Err(refuse::not_written(relation, "copy into", insert, byte)),
    }
}

/// Every protected column as it is.
pub(crate) fn raw(relation: &Relation, grants: &[GrantId]) -> Cover {
    let columns = relation
        .columns
        .iter()
        .map(|column| match column.protection {
            None => ColumnCover { shown: Shown::Open, grants: Vec::new(), export: true },
            Some(_) => ColumnCover { shown: Shown::Raw, grants: grants.to_vec(), export: true },
        })
        .collect();
    Cover { columns, only: None, only_by: Vec::new() }
}
