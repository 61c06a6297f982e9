//! INSERT and ON CONFLICT.

use std::collections::BTreeSet;
use std::ops::Range;

use pgwarrant_catalog::Relation;
use sqlparser::ast::{
    ConflictTarget, Insert, ObjectName, OnConflict, OnConflictAction, OnInsert, Query, SelectItem, SetExpr,
    TableObject,
};

use super::clauses::{self, Clauses};
use super::permit::{self, Confines};
use super::{Target, column_index};
use crate::analyse::account::Role;
use crate::analyse::refuse;
use crate::analyse::walk::{Block, Item, Walk, Walked, What};
use crate::{Actions, Refusal};

/// The rows that an INSERT brings.
enum Rows {
    /// DEFAULT VALUES
    Default,
    /// VALUES: the tokens of each value of each row.
    Values(Vec<Vec<Range<usize>>>),
    /// A query, with the number of its columns where that is plain.
    Query(Option<usize>),
}

impl Rows {
    /// The most columns that a row has.
    fn width(&self) -> Option<usize> {
        match self {
            Self::Default => Some(0),
            Self::Values(rows) => rows.iter().map(Vec::len).max(),
            Self::Query(width) => *width,
        }
    }
}

/// For which columns values are, as indexes; None: one that is not known here. It may have been added
/// a moment ago, so the others are judged all the same.
pub(super) struct Places(pub Vec<Option<usize>>);

impl Places {
    pub(super) fn all(columns: impl Iterator<Item = usize>) -> Self {
        Self(columns.map(Some).collect())
    }

    pub(super) fn listed(relation: &Relation, columns: &[ObjectName]) -> Self {
        Self(columns.iter().map(|name| column_index(relation, name)).collect())
    }

    /// None: one of them is not known.
    pub(super) fn known(&self) -> Option<Vec<usize>> {
        self.0.iter().copied().collect()
    }
}

/// A new row of which it cannot be said whether the grants cover it.
pub(super) fn not_provable(relation: &Relation, confines: &Confines, byte: usize) -> Refusal {
    let columns: Vec<_> =
        confines.columns().into_iter().filter_map(|attnum| relation.by_attnum(attnum)).collect();
    refuse::not_provable(relation, &columns, byte)
}

impl Walk<'_> {
    pub(super) fn insert(&mut self, insert: &Insert) -> Walked {
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
        let target = self.target(name, table_alias.as_ref().map(|alias| &alias.alias))?;
        for column in columns {
            self.target_column(column)?;
        }
        self.storing();
        if let Some(source) = source {
            self.query(source)?;
        }
        if let Some(relation) = target.relation.clone() {
            let rows = self.rows(source.as_deref(), target.after)?;
            self.may_insert(&relation, columns, &rows, target.byte)?;
        }
        // `excluded` has the row that was to be inserted.
        let excluded = Item { alias: Some("excluded".to_owned()), schema: None, what: What::Other };
        self.blocks.push(Block {
            items: vec![target.item.clone(), excluded],
            conflict: true,
            ..Block::default()
        });
        match on {
            None => {}
            Some(OnInsert::OnConflict(conflict)) => self.on_conflict(&target, conflict)?,
            Some(OnInsert::DuplicateKeyUpdate(_)) | Some(_) => {
                return Err(self.unsupported("such an INSERT", None));
            }
        }
        if let Some(block) = self.blocks.last_mut() {
            block.items.truncate(1);
            block.conflict = false;
        }
        self.returning(&target, returning.as_deref(), true)?;
        self.close_block()
    }

    /// What an INSERT's rows are, by its tree and its tokens.
    fn rows(&self, source: Option<&Query>, after: usize) -> Result<Rows, Refusal> {
        let Some(query) = source else { return Ok(Rows::Default) };
        let body = query.body.as_ref();
        let clauses = Clauses::new(self.source, after);
        if let (SetExpr::Values(values), None) = (body, &query.with) {
            let word = clauses.keyword(after, &["values"]);
            let mut open = word.map_or(self.source.range.end, |word| word + 1);
            let mut rows = Vec::new();
            while rows.len() < values.rows.len() {
                let row = clauses::list(self.source, open)
                    .ok_or_else(|| self.unsupported("such a list of values", None))?;
                rows.push(row);
                // Past the parenthesis and the comma.
                open = self.source.closing(open).map_or(self.source.range.end, |close| close + 2);
            }
            if rows.iter().flatten().any(|value| clauses::expands(self.source, value)) {
                return Ok(Rows::Query(None));
            }
            let fits = rows.iter().zip(&values.rows).all(|(row, parsed)| row.len() == parsed.content.len());
            return match fits {
                true => Ok(Rows::Values(rows)),
                false => Err(self.unsupported("such a list of values", None)),
            };
        }
        let plain =
            |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
        let width = match body {
            // `(c).*` is one item of the tree and any number of columns.
            SetExpr::Select(select)
                if select.projection.iter().all(plain)
                    && !clauses.has_expansion(after..clauses.until(after, &["returning"])) =>
            {
                Some(select.projection.len())
            }
            _ => None,
        };
        Ok(Rows::Query(width))
    }

    /// Inserting into protected columns takes grants; those for some rows take new rows of theirs.
    fn may_insert(
        &mut self,
        relation: &Relation,
        columns: &[ObjectName],
        rows: &Rows,
        byte: usize,
    ) -> Walked {
        let places = match columns {
            [] => {
                let known = 0..relation.columns.len();
                Places::all(known.take(rows.width().unwrap_or(usize::MAX)))
            }
            columns => Places::listed(relation, columns),
        };
        let default = |value: &Range<usize>| value.len() == 1 && self.source.keyword(value.start, "default");
        let given: BTreeSet<usize> = match rows {
            Rows::Default => BTreeSet::new(),
            Rows::Values(rows) => rows
                .iter()
                .flat_map(|row| places.0.iter().zip(row))
                .filter(|(_, value)| !default(value))
                .filter_map(|(place, _)| *place)
                .collect(),
            Rows::Query(_) => places.0.iter().copied().flatten().collect(),
        };
        let confines = self.may_insert_columns(relation, &given, byte)?;
        if confines.each.is_empty() {
            return Ok(());
        }
        match (rows, places.known()) {
            (Rows::Values(rows), Some(places)) => {
                rows.iter().try_for_each(|row| self.guard_row(relation, &confines, &places, row))
            }
            _ => Err(not_provable(relation, &confines, byte)),
        }
    }

    pub(super) fn may_insert_columns(
        &mut self,
        relation: &Relation,
        given: &BTreeSet<usize>,
        byte: usize,
    ) -> Result<Confines, Refusal> {
        let insert = Actions { insert: true, ..Actions::default() };
        let confines = permit::columns(relation, given, "insert into", insert, self.context, byte)?;
        self.note(&confines);
        Ok(confines)
    }

    fn on_conflict(&mut self, target: &Target, conflict: &OnConflict) -> Walked {
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
        let OnConflictAction::DoUpdate(update) = &conflict.action else { return Ok(()) };
        let assigned = match &target.relation {
            Some(relation) => self.assigned(relation, &update.assignments),
            None => BTreeSet::new(),
        };
        let confines = self.may_update(target, &assigned)?;
        self.note(&confines);
        let clauses = Clauses::new(self.source, target.after);
        let action = clauses
            .keyword(target.after, &["do"])
            .filter(|word| self.source.keyword(word + 1, "update"))
            .ok_or_else(|| self.unsupported("such an ON CONFLICT clause", None))?;
        self.assignments(target, &update.assignments, &clauses)?;
        update.selection.iter().try_for_each(|expr| self.condition(expr))?;
        let end = clauses.until(action, &["returning"]);
        let condition = clauses.keyword(action, &["where"]).filter(|word| *word < end);
        if condition.is_some() != update.selection.is_some() {
            return Err(self.unsupported("such a WHERE clause", None));
        }
        self.confine(target, &confines, condition.map(|word| word + 1), end)
    }
}
