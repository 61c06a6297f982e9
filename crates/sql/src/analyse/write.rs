//! The walk over INSERT, UPDATE, DELETE and MERGE.

use std::collections::BTreeSet;

use sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, Delete, FromTable, Ident, Insert, Merge, MergeAction,
    MergeInsertKind, MergeUpdateKind, ObjectName, OnConflict, OnConflictAction, OnInsert, OutputClause,
    SelectItem, Statement, TableAlias, TableFactor, TableObject, Update, UpdateTableFromKind,
};

use super::account::Role;
use super::cover::{self, ColumnCover, Cover, Shown};
use super::from::Resolved;
use super::refuse;
use super::walk::{Block, Entry, Item, Walk, Walked, What};
use crate::{Actions, GrantId, Refusal};
use pgwarrant_catalog::Relation;

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

    /// The relation that is written to: as it is, which takes grants for all of it.
    fn target(
        &mut self,
        name: &ObjectName,
        alias: Option<&Ident>,
        verb: &str,
        actions: Actions,
    ) -> Result<Item, Refusal> {
        let parts = self.name_parts(name)?;
        let Some(last) = parts.last().copied() else { return Err(self.unsupported("such a name", None)) };
        if parts.len() == 2 && parts.first().is_some_and(|schema| schema.value == "pgwarrant") {
            let byte = self.byte(last);
            let hint = "Use its functions: request, approve, deny, revoke, release.";
            return Err(refuse::console("relations of schema \"pgwarrant\" cannot be written", hint, byte)
                .state("42809"));
        }
        if let Some(alias) = alias {
            self.role(alias, Role::Alias)?;
        }
        let called = alias.map_or_else(|| last.value.clone(), |alias| alias.value.clone());
        let byte = self.byte(last);
        let what = match self.find(&parts)? {
            Resolved::Other(_) => What::Other,
            Resolved::Known(relation) => {
                let grants = may_write(&relation, verb, actions, self.context, byte)?;
                self.write_out(&parts, &relation)?;
                if !relation.is_protected() {
                    What::Other
                } else {
                    let cover = raw(&relation, &grants);
                    let entry = Entry {
                        relation,
                        cover,
                        tokens: self.name_tokens(&parts)?,
                        alias: called.clone(),
                        has_alias: alias.is_some(),
                        renamed: Vec::new(),
                        only: false,
                        sample: None,
                        raw: true,
                        used: BTreeSet::new(),
                        grouped: BTreeSet::new(),
                        system: BTreeSet::new(),
                        as_row: false,
                    };
                    What::Entry(self.enter(entry)?)
                }
            }
        };
        Ok(Item { alias: Some(called), schema: None, what })
    }

    fn insert(&mut self, insert: &Insert) -> Walked {
        let Insert {
            insert_token: _,
            optimizer_hints,
            or: None,
            ignore: false,
            into: true,
            table: TableObject::TableName(name),
            table_alias,
            columns,
            overwrite: false,
            source,
            assignments,
            partitioned: None,
            after_columns,
            has_table_keyword: false,
            on,
            returning,
            output: None,
            replace_into: false,
            priority: None,
            insert_alias: None,
            settings: None,
            format_clause: None,
            multi_table_insert_type: None,
            multi_table_into_clauses,
            multi_table_when_clauses,
            multi_table_else_clause: None,
        } = insert
        else {
            return Err(self.unsupported("such an INSERT", None));
        };
        let foreign = !optimizer_hints.is_empty()
            || !assignments.is_empty()
            || !after_columns.is_empty()
            || !multi_table_into_clauses.is_empty()
            || !multi_table_when_clauses.is_empty();
        if foreign {
            return Err(self.unsupported("such an INSERT", None));
        }
        let updates = matches!(
            on,
            Some(OnInsert::OnConflict(OnConflict { action: OnConflictAction::DoUpdate(_), .. }))
        );
        let actions = Actions { insert: true, update: updates, ..Actions::default() };
        let alias = table_alias.as_ref().map(|alias| &alias.alias);
        let target = self.target(name, alias, "insert into", actions)?;
        for column in columns {
            self.target_column(column)?;
        }
        self.stores = true;
        if let Some(source) = source {
            self.query(source)?;
        }
        self.blocks.push(Block::default());
        if let Some(block) = self.blocks.last_mut() {
            // `excluded` has the row that was to be inserted.
            block.items =
                vec![target, Item { alias: Some("excluded".to_owned()), schema: None, what: What::Other }];
        }
        match on {
            None => {}
            Some(OnInsert::OnConflict(conflict)) => self.on_conflict(conflict)?,
            Some(OnInsert::DuplicateKeyUpdate(_)) | Some(_) => {
                return Err(self.unsupported("such an INSERT", None));
            }
        }
        self.returning(returning.as_deref())?;
        self.close_block()
    }

    fn on_conflict(&mut self, conflict: &OnConflict) -> Walked {
        match &conflict.conflict_target {
            None => {}
            Some(ConflictTarget::Columns(columns)) => {
                columns.iter().try_for_each(|column| self.role(column, Role::Column))?;
            }
            Some(ConflictTarget::OnConstraint(name)) => {
                for part in self.name_parts(name)? {
                    self.role(part, Role::Alias)?;
                }
            }
        }
        match &conflict.action {
            OnConflictAction::DoNothing => Ok(()),
            OnConflictAction::DoUpdate(update) => {
                self.assignments(&update.assignments)?;
                update.selection.iter().try_for_each(|expr| self.expr(expr))
            }
        }
    }

    fn assignments(&mut self, assignments: &[Assignment]) -> Walked {
        for Assignment { target, value } in assignments {
            match target {
                AssignmentTarget::ColumnName(name) => self.target_column(name)?,
                AssignmentTarget::Tuple(names) => {
                    names.iter().try_for_each(|name| self.target_column(name))?
                }
            }
            self.expr(value)?;
        }
        Ok(())
    }

    /// A column of the target, or a field of one.
    fn target_column(&mut self, name: &ObjectName) -> Walked {
        for part in self.name_parts(name)? {
            self.role(part, Role::Column)?;
        }
        Ok(())
    }

    fn returning(&mut self, items: Option<&[SelectItem]>) -> Walked {
        items.unwrap_or_default().iter().try_for_each(|item| self.select_item(item))
    }

    fn output(&mut self, output: Option<&OutputClause>) -> Walked {
        match output {
            None => Ok(()),
            Some(OutputClause::Returning { select_items, .. }) => self.returning(Some(select_items)),
            Some(OutputClause::Output { .. }) => Err(self.unsupported("OUTPUT", None)),
        }
    }

    /// The target as the parser has it where FROM items may stand.
    fn target_factor(&mut self, factor: &TableFactor, verb: &str, actions: Actions) -> Result<Item, Refusal> {
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
        self.target(name, alias, verb, actions)
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
        let actions = Actions { update: true, ..Actions::default() };
        let target = self.target_factor(&table.relation, "update", actions)?;
        self.stores = true;
        self.blocks.push(Block { items: vec![target], ..Block::default() });
        match from {
            None => {}
            Some(UpdateTableFromKind::AfterSet(from)) => self.from(from)?,
            Some(UpdateTableFromKind::BeforeSet(_)) => return Err(self.unsupported("such an UPDATE", None)),
        }
        self.assignments(assignments)?;
        selection.iter().try_for_each(|expr| self.expr(expr))?;
        self.returning(returning.as_deref())?;
        self.close_block()
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
        let actions = Actions { delete: true, ..Actions::default() };
        let target = self.target_factor(&target.relation, "delete from", actions)?;
        self.blocks.push(Block { items: vec![target], ..Block::default() });
        if let Some(using) = using {
            self.from(using)?;
        }
        selection.iter().try_for_each(|expr| self.expr(expr))?;
        self.returning(returning.as_deref())?;
        self.close_block()
    }

    fn merge(&mut self, merge: &Merge) -> Walked {
        let Merge { merge_token: _, optimizer_hints, into: _, table, source, on, clauses, output } = merge;
        if !optimizer_hints.is_empty() {
            return Err(self.unsupported("such a MERGE", None));
        }
        let mut actions = Actions::default();
        for clause in clauses {
            match &clause.action {
                MergeAction::Insert(_) => actions.insert = true,
                MergeAction::Update(_) => actions.update = true,
                MergeAction::Delete { .. } => actions.delete = true,
                MergeAction::DoNothing { .. } => {}
            }
        }
        let target = self.target_factor(table, "merge into", actions)?;
        self.stores = true;
        self.blocks.push(Block { items: vec![target], ..Block::default() });
        self.from(&[sqlparser::ast::TableWithJoins { relation: source.clone(), joins: Vec::new() }])?;
        self.expr(on)?;
        for clause in clauses {
            clause.predicate.iter().try_for_each(|expr| self.expr(expr))?;
            match &clause.action {
                MergeAction::Insert(insert) => {
                    insert.columns.iter().try_for_each(|column| self.target_column(column))?;
                    match &insert.kind {
                        MergeInsertKind::Values(values) => {
                            values
                                .rows
                                .iter()
                                .flat_map(|row| &row.content)
                                .try_for_each(|expr| self.expr(expr))?;
                        }
                        MergeInsertKind::Row | MergeInsertKind::Wildcard => {
                            return Err(self.unsupported("such a MERGE", None));
                        }
                    }
                    if insert.insert_predicate.is_some() {
                        return Err(self.unsupported("such a MERGE", None));
                    }
                }
                MergeAction::Update(update) => {
                    if update.update_predicate.is_some() || update.delete_predicate.is_some() {
                        return Err(self.unsupported("such a MERGE", None));
                    }
                    match &update.kind {
                        MergeUpdateKind::Set(assignments) => self.assignments(assignments)?,
                        MergeUpdateKind::Wildcard => return Err(self.unsupported("such a MERGE", None)),
                    }
                }
                MergeAction::Delete { .. } | MergeAction::DoNothing { .. } => {}
            }
        }
        self.output(output.as_ref())?;
        self.close_block()
    }
}

/// The grants by which a relation may be written; none are needed where nothing is protected.
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
    cover::whole(relation, actions, context.catalogue, context.access)
        .ok_or_else(|| refuse::not_written(relation, verb, actions, byte))
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
