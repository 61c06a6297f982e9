//! From labels to protected columns: of tables, of their parents and children.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use pgwarrant_masking::{Mask, Method, SqlType, compile};

use crate::bind::Lineage;
use crate::builtins::system_relation;
use crate::choose::{Choice, Chosen, choose, column_label, some};
use crate::finding::{Finding, FindingKind};
use crate::snapshot::{FIRST_NORMAL_OID, RelationRow, Snapshot};
use crate::types::sql_type;
use crate::{ColumnId, Label, Oid, Protection, Sensitivity, Ungranted};

/// A child is uncovered by grants on so many ancestors at most.
const MAX_ANCESTORS: usize = 64;

/// The category of what is protected out of the box.
const BUILT_IN: &str = "built-in";

/// Every protected column.
pub(crate) struct Protected {
    pub columns: HashMap<ColumnId, Guard>,
    /// Relations that a label's pattern names, wildcards at most in schema and column.
    pub named: HashSet<Oid>,
    pub warnings: Vec<Finding>,
    pub errors: Vec<Finding>,
}

/// A column's protection, and the label whose method its mask was made with.
#[derive(Clone)]
pub(crate) struct Guard {
    pub protection: Protection,
    pub label: Option<usize>,
}

pub(crate) fn protect(snapshot: &Snapshot, labels: &[Label], lineage: &Lineage<'_>) -> Protected {
    let Chosen { columns: chosen, warnings, errors } = choose(snapshot, labels);
    let mut binder = Binder { snapshot, labels, columns: HashMap::new(), errors, misfits: BTreeMap::new() };
    binder.built_in();
    binder.apply(&chosen, |relation| !relation.is_view());
    binder.inherit();
    binder.generated();
    binder.views(&chosen, lineage);
    binder.report_misfits();
    binder.collate();
    let named = chosen.iter().filter(|(_, choice)| choice.names_table).map(|(id, _)| id.relation).collect();
    Protected { columns: binder.columns, named, warnings, errors: binder.errors }
}

/// The binding under way.
pub(crate) struct Binder<'a> {
    pub snapshot: &'a Snapshot,
    pub labels: &'a [Label],
    pub columns: HashMap<ColumnId, Guard>,
    errors: Vec<Finding>,
    /// (label, pattern, the mask's error) to the columns it happened at.
    misfits: BTreeMap<(usize, String, String, String), Vec<String>>,
}

impl<'a> Binder<'a> {
    fn built_in(&mut self) {
        for relation in self.snapshot.relations.values() {
            let system = relation.oid < FIRST_NORMAL_OID;
            let Some(entry) = system_relation(&relation.schema, &relation.name, system) else { continue };
            for column in relation.columns.iter().filter(|column| entry.protects(&column.name)) {
                let id = ColumnId { relation: relation.oid, attnum: column.attnum };
                let column_type = sql_type(self.snapshot, column.type_oid, column.typmod);
                let protection = Protection {
                    category: BUILT_IN.into(),
                    mask: null_mask(&column_type),
                    method: "null".into(),
                    ungranted: Ungranted::Mask,
                    sensitivity: Sensitivity::High,
                    sources: vec![id],
                    uncovered_by: Vec::new(),
                    built_in: true,
                };
                self.columns.insert(id, Guard { protection, label: None });
            }
        }
    }

    pub fn apply(
        &mut self,
        chosen: &HashMap<ColumnId, Choice<'_>>,
        relations: impl Fn(&RelationRow) -> bool,
    ) {
        for (id, choice) in chosen {
            let Some(relation) =
                self.snapshot.relations.get(&id.relation).filter(|relation| relations(relation))
            else {
                continue;
            };
            // What is protected out of the box stays so.
            if !self.columns.contains_key(id)
                && let Some(guard) = self.labelled(relation, *id, *choice)
            {
                self.columns.insert(*id, guard);
            }
        }
    }

    /// The protection that a label gives to a column.
    fn labelled(&mut self, relation: &RelationRow, id: ColumnId, choice: Choice<'_>) -> Option<Guard> {
        let label = self.labels.get(choice.label)?;
        let column = relation.by_attnum(id.attnum)?;
        let column_type = sql_type(self.snapshot, column.type_oid, column.typmod);
        let (mask, method) = match compile(&label.mask, &column_type, &label.category, label.nulls_show) {
            Ok(mask) => (mask, label.mask.name().to_owned()),
            Err(error) => {
                let key = (choice.label, choice.text.to_owned(), error.to_string(), error.hint);
                let column = column_label(self.snapshot, id);
                self.misfits.entry(key).or_default().push(column);
                (null_mask(&column_type), "null".to_owned())
            }
        };
        let protection = Protection {
            category: label.category.clone(),
            mask,
            method,
            ungranted: label.ungranted,
            sensitivity: label.sensitivity,
            sources: vec![id],
            uncovered_by: vec![vec![id]],
            built_in: false,
        };
        Some(Guard { protection, label: Some(choice.label) })
    }

    fn report_misfits(&mut self) {
        for ((label, pattern, message, hint), columns) in std::mem::take(&mut self.misfits) {
            self.errors.push(
                Finding::new(FindingKind::Mask, message)
                    .about(label, &pattern)
                    .detail(format!("Until that is changed, NULL is the mask of {}.", some(columns)))
                    .hint(hint),
            );
        }
    }

    /// A mask sorts and compares as its column does.
    fn collate(&mut self) {
        for (id, guard) in &mut self.columns {
            let relation = self.snapshot.relations.get(&id.relation);
            let column = relation.and_then(|relation| relation.by_attnum(id.attnum));
            if let Some(collation) = column.and_then(|column| column.collation.as_ref())
                && let Some(last) = guard.protection.mask.pieces.last_mut()
            {
                last.push_str(" COLLATE ");
                last.push_str(collation);
            }
        }
    }

    /// What is labelled on a parent holds for its children, and what only a child has is protected
    /// in its parents too: reading a parent reads its children's rows.
    fn inherit(&mut self) {
        let snapshot = self.snapshot;
        let children: Vec<&RelationRow> = in_order(
            snapshot.relations.values().filter(|relation| !relation.parents.is_empty()),
            |relation| relation.parents.clone(),
        );
        for child in &children {
            for column in &child.columns {
                let id = ColumnId { relation: child.oid, attnum: column.attnum };
                for parent in &child.parents {
                    let Some(parent_id) = column_of(snapshot, *parent, &column.name) else { continue };
                    let Some(parent) = self.columns.get(&parent_id).cloned() else { continue };
                    let guard = match self.columns.remove(&id) {
                        Some(own) => own,
                        None => {
                            let column_type = sql_type(snapshot, column.type_oid, column.typmod);
                            let mut guard = self.remade(&parent, &column_type);
                            guard.protection.sources = vec![id];
                            guard.protection.uncovered_by = vec![vec![id]];
                            guard
                        }
                    };
                    self.columns.insert(id, joined(guard, &parent.protection));
                }
            }
        }
        let mut raised = HashSet::new();
        for child in children.iter().rev() {
            for column in &child.columns {
                let id = ColumnId { relation: child.oid, attnum: column.attnum };
                let Some(guard) = self.columns.get(&id).cloned() else { continue };
                for parent in &child.parents {
                    let Some(parent_id) = column_of(snapshot, *parent, &column.name) else { continue };
                    self.carry_up(parent_id, &guard, &mut raised);
                }
            }
        }
    }

    /// `raised`: parents' columns that are protected because a child's is, and nothing else.
    fn carry_up(&mut self, parent: ColumnId, child: &Guard, raised: &mut HashSet<ColumnId>) {
        let Some(column_type) = self.type_of(parent) else { return };
        let Some(guard) = self.columns.get_mut(&parent) else {
            let mut guard = self.remade(child, &column_type);
            guard.protection.sources = vec![parent];
            add_new(&mut guard.protection.sources, &child.protection.sources);
            guard.protection.uncovered_by = vec![vec![parent]];
            self.columns.insert(parent, guard);
            raised.insert(parent);
            return;
        };
        guard.protection.as_strict_as(&child.protection);
        // Reading the parent reads the child's rows.
        guard.protection.category = category([&*guard.protection.category, &*child.protection.category]);
        // Its own label decides over its mask; two children that say different things leave the
        // mask that shows nothing.
        if raised.contains(&parent) {
            add_new(&mut guard.protection.sources, &child.protection.sources);
            if guard.label != child.label {
                guard.label = None;
                guard.protection.mask = null_mask(&column_type);
                guard.protection.method = "null".into();
            }
        }
    }

    /// The same protection for a column of another type or relation.
    pub fn remade(&self, guard: &Guard, column_type: &SqlType) -> Guard {
        let mut guard = guard.clone();
        let label = guard.label.and_then(|label| self.labels.get(label));
        let mask = label.and_then(|label| {
            // The method may have been replaced where it did not fit.
            if guard.protection.method != label.mask.name() {
                return None;
            }
            compile(&label.mask, column_type, &label.category, label.nulls_show).ok()
        });
        match mask {
            Some(mask) => guard.protection.mask = mask,
            None => {
                guard.protection.mask = null_mask(column_type);
                guard.protection.method = "null".into();
            }
        }
        guard
    }

    pub fn type_of(&self, id: ColumnId) -> Option<SqlType> {
        let column = self.snapshot.relations.get(&id.relation)?.by_attnum(id.attnum)?;
        Some(sql_type(self.snapshot, column.type_oid, column.typmod))
    }
}

pub(crate) fn column_of(snapshot: &Snapshot, relation: Oid, name: &str) -> Option<ColumnId> {
    let column = snapshot.relations.get(&relation)?.column(name)?;
    Some(ColumnId { relation, attnum: column.attnum })
}

/// NULL of the column's type. Fits every type.
pub(crate) fn null_mask(column_type: &SqlType) -> Mask {
    match compile(&Method::Null, column_type, "", false) {
        Ok(mask) => mask,
        Err(_) => Mask { pieces: vec![format!("CAST(NULL AS {})", column_type.sql)] },
    }
}

pub(crate) fn add_new(list: &mut Vec<ColumnId>, more: &[ColumnId]) {
    for column in more {
        if !list.contains(column) {
            list.push(*column);
        }
    }
}

/// The category of what carries values of all these: their own where it is one, else one that no
/// label can have, so that a grant on one of them does not cover the others.
pub(crate) fn category<'c>(categories: impl IntoIterator<Item = &'c str>) -> String {
    let parts: BTreeSet<&str> = categories.into_iter().flat_map(|category| category.split('+')).collect();
    Vec::from_iter(parts).join("+")
}

/// A child's guard with what its parent's adds.
fn joined(mut guard: Guard, parent: &Protection) -> Guard {
    let protection = &mut guard.protection;
    add_new(&mut protection.sources, &parent.sources);
    if !protection.built_in {
        for set in &parent.uncovered_by {
            if !protection.uncovered_by.contains(set) && protection.uncovered_by.len() < MAX_ANCESTORS {
                protection.uncovered_by.push(set.clone());
            }
        }
    }
    protection.as_strict_as(parent);
    guard
}

/// Each after what it depends on, otherwise by oid. Cycles, which PostgreSQL does not allow, are
/// cut anywhere.
pub(crate) fn in_order<'r>(
    relations: impl Iterator<Item = &'r RelationRow>,
    depends_on: impl Fn(&RelationRow) -> Vec<Oid>,
) -> Vec<&'r RelationRow> {
    let mut waiting: BTreeMap<Oid, &RelationRow> =
        relations.map(|relation| (relation.oid, relation)).collect();
    let mut order = Vec::with_capacity(waiting.len());
    // A stack of its own: views can be nested deeper than the thread's stack bears.
    while let Some((oid, _)) = waiting.first_key_value() {
        let mut stack = vec![(*oid, false)];
        while let Some((oid, expanded)) = stack.pop() {
            if expanded {
                if let Some(relation) = waiting.remove(&oid) {
                    order.push(relation);
                }
                continue;
            }
            let Some(relation) = waiting.get(&oid) else { continue };
            if stack.contains(&(oid, true)) {
                continue;
            }
            stack.push((oid, true));
            let mut first = depends_on(relation);
            first.sort_unstable();
            stack.extend(first.into_iter().rev().map(|oid| (oid, false)));
        }
    }
    order
}
