//! Unique indexes that masked values would break: a dump of them does not restore.

use std::collections::{BTreeSet, HashMap};

use crate::ColumnId;
use crate::finding::{Finding, FindingKind};
use crate::protect::Guard;
use crate::snapshot::{Snapshot, UniqueIndex};

/// Each unique index that could not be built over the masked values.
pub(crate) fn collisions(snapshot: &Snapshot, protected: &HashMap<ColumnId, Guard>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for index in &snapshot.unique_indexes {
        let Some(relation) = snapshot.relations.get(&index.relation) else { continue };
        let collapsing = |attnum: &i16| {
            let guard = protected.get(&ColumnId { relation: index.relation, attnum: *attnum })?;
            collapses(&guard.protection.method, index, relation.by_attnum(*attnum)?.not_null)
                .then_some((guard, *attnum))
        };
        let masked: Vec<(&Guard, i16)> = index.columns.iter().filter_map(collapsing).collect();
        let Some((guard, attnum)) = masked.first() else { continue };
        // The other keys still tell rows apart where they hold a unique key of their own.
        let open: BTreeSet<i16> = index
            .columns
            .iter()
            .copied()
            .filter(|attnum| !protected.contains_key(&ColumnId { relation: index.relation, attnum: *attnum }))
            .collect();
        let held = snapshot.unique_indexes.iter().any(|other| {
            other.relation == index.relation
                && other.plain
                && !other.columns.is_empty()
                && other.columns.iter().all(|attnum| open.contains(attnum))
        });
        if held {
            continue;
        }
        let Some(column) = relation.by_attnum(*attnum) else { continue };
        let name = format!("{}.{}.{}", relation.schema, relation.name, column.name);
        let method = &guard.protection.method;
        let finding = Finding::new(
            FindingKind::Unrestorable,
            format!("mask {method} makes equal what unique index \"{}\" keeps apart", index.name),
        )
        .detail(format!(
            "Masked values of {name} collide, so a masked dump does not restore with that index."
        ))
        .hint("Use mask = \"token\", \"hash\" or \"random\" where such dumps are to be restored.");
        findings.push(Finding { label: guard.label, ..finding });
    }
    findings
}

/// Are masked values of this method expected to collide in the index?
fn collapses(method: &str, index: &UniqueIndex, not_null: bool) -> bool {
    match method {
        "redact" | "constant" | "partial" | "email" | "phone" | "card" => true,
        "null" => not_null || index.nulls_collide,
        _ => false,
    }
}
