//! Columns that carry protected ones on: generated columns, views.

use std::collections::{BTreeMap, HashMap, HashSet};

use pgwarrant_masking::SqlType;

use crate::bind::Lineage;
use crate::choose::Choice;
use crate::plain::plain;
use crate::protect::{Binder, Guard, add_new, category, column_of, in_order, null_mask};
use crate::snapshot::{Reference, RelationRow, Source, Target};
use crate::types::sql_type;
use crate::{ColumnId, Oid};

/// More alternative sets of grants that uncover one column are not kept: only the column itself,
/// and all of what it derives from.
const MAX_ALTERNATIVES: usize = 64;

impl Binder<'_> {
    /// A generated column carries what it is computed from.
    pub fn generated(&mut self) {
        let snapshot = self.snapshot;
        let mut uses: BTreeMap<ColumnId, Vec<ColumnId>> = BTreeMap::new();
        for Reference { from, to } in &snapshot.references {
            if let (Source::Default(relation, attnum), Target::Relation(other, column)) = (from, to)
                && relation == other
                && *column > 0
                && *column != *attnum
            {
                uses.entry(ColumnId { relation: *relation, attnum: *attnum })
                    .or_default()
                    .push(ColumnId { relation: *other, attnum: *column });
            }
        }
        for (id, mut uses) in uses {
            uses.sort_unstable();
            uses.dedup();
            let generated = snapshot
                .relations
                .get(&id.relation)
                .and_then(|relation| relation.by_attnum(id.attnum))
                .is_some_and(|column| column.generated);
            let sources: Vec<Guard> =
                uses.iter().filter_map(|column| self.columns.get(column).cloned()).collect();
            if generated
                && !sources.is_empty()
                && let Some(column_type) = self.type_of(id)
            {
                self.derive(id, &column_type, &sources, None);
            }
        }
    }

    /// Protects a column that carries what `sources` guard. `plain`: it is a copy of that one.
    fn derive(&mut self, id: ColumnId, column_type: &SqlType, sources: &[Guard], plain: Option<&Guard>) {
        let mut guard = match plain {
            Some(source) => self.remade(source, column_type),
            None => {
                let Some(first) = sources.first() else { return };
                let mut guard = first.clone();
                guard.label = None;
                guard.protection.mask = null_mask(column_type);
                guard.protection.method = "null".into();
                guard
            }
        };
        let protection = &mut guard.protection;
        protection.category = category(sources.iter().map(|source| source.protection.category.as_str()));
        protection.sources.clear();
        for source in sources {
            let source = &source.protection;
            add_new(&mut protection.sources, &source.sources);
            protection.built_in |= source.built_in;
            protection.as_strict_as(source);
        }
        protection.uncovered_by = if protection.built_in { Vec::new() } else { alternatives(id, sources) };
        if let Some(own) = self.columns.get(&id) {
            // A label of its own: its category counts too, the mask is the derived one's.
            protection.category = category([&*protection.category, &*own.protection.category]);
            protection.as_strict_as(&own.protection);
        }
        self.columns.insert(id, guard);
    }

    pub fn views(&mut self, chosen: &HashMap<ColumnId, Choice<'_>>, lineage: &Lineage<'_>) {
        let snapshot = self.snapshot;
        let mut reads: HashMap<Oid, HashSet<Oid>> = HashMap::new();
        for reference in &snapshot.references {
            if let (Source::View(view), Target::Relation(relation, _)) = (reference.from, reference.to)
                && view != relation
            {
                reads.entry(view).or_default().insert(relation);
            }
        }
        let views = snapshot.relations.values().filter(|relation| snapshot.views.contains_key(&relation.oid));
        let views = in_order(views, |view| {
            reads.get(&view.oid).map(|reads| reads.iter().copied().collect()).unwrap_or_default()
        });
        self.apply(chosen, RelationRow::is_view);
        let mut protected: HashSet<Oid> = self.columns.keys().map(|column| column.relation).collect();
        for view in views {
            let Some(reads) = reads.get(&view.oid) else { continue };
            if reads.iter().any(|relation| protected.contains(relation)) {
                self.view(view, reads, chosen, lineage);
                if view.columns.iter().any(|column| {
                    self.columns.contains_key(&ColumnId { relation: view.oid, attnum: column.attnum })
                }) {
                    protected.insert(view.oid);
                }
            }
        }
    }

    fn view(
        &mut self,
        view: &RelationRow,
        reads: &HashSet<Oid>,
        chosen: &HashMap<ColumnId, Choice<'_>>,
        lineage: &Lineage<'_>,
    ) {
        let Some(definition) = self.snapshot.views.get(&view.oid) else { return };
        let derived = lineage(definition).and_then(|outputs| self.resolve(view, &outputs));
        let plain = plain(definition)
            .map(|plain| plain.columns)
            .filter(|columns| columns.len() == view.columns.len());
        // Not shown where its columns come from: every one could be any protected one that it reads.
        let everything: Vec<ColumnId> = match &derived {
            Some(_) => Vec::new(),
            None => {
                let mut all: Vec<ColumnId> = reads
                    .iter()
                    .filter_map(|relation| self.snapshot.relations.get(relation))
                    .flat_map(|relation| {
                        relation
                            .columns
                            .iter()
                            .map(|column| ColumnId { relation: relation.oid, attnum: column.attnum })
                    })
                    .filter(|column| self.columns.contains_key(column))
                    .collect();
                all.sort_unstable();
                all
            }
        };
        for (place, column) in view.columns.iter().enumerate() {
            let id = ColumnId { relation: view.oid, attnum: column.attnum };
            let sources = match &derived {
                Some(outputs) => outputs.get(place).unwrap_or(&everything),
                None => &everything,
            };
            let guards: Vec<Guard> =
                sources.iter().filter_map(|source| self.columns.get(source).cloned()).collect();
            if guards.is_empty() {
                continue;
            }
            let column_type = sql_type(self.snapshot, column.type_oid, column.typmod);
            let copied = plain.as_ref().and_then(|plain| plain.get(place)?.as_ref());
            let copied = match (copied, sources.as_slice()) {
                (Some(((schema, relation), name)), [source]) if derived.is_some() => self
                    .snapshot
                    .relation(schema, relation)
                    .filter(|relation| column_of(self.snapshot, relation.oid, name) == Some(*source))
                    .and_then(|relation| relation.by_attnum(source.attnum))
                    .filter(|copied| (copied.type_oid, copied.typmod) == (column.type_oid, column.typmod))
                    .and_then(|_| guards.first().cloned()),
                _ => None,
            };
            // The operator named this very column: its mask is what was asked for.
            let own = chosen
                .get(&id)
                .filter(|choice| choice.names_relation)
                .and_then(|_| self.columns.get(&id))
                .map(|guard| (guard.protection.mask.clone(), guard.protection.method.clone(), guard.label));
            self.derive(id, &column_type, &guards, copied.as_ref());
            if let (Some((mask, method, label)), Some(guard)) = (own, self.columns.get_mut(&id)) {
                guard.protection.mask = mask;
                guard.protection.method = method;
                guard.label = label;
            }
        }
    }

    /// Lineage by name to columns; None where it does not fit the view or names what is not there.
    fn resolve(
        &self,
        view: &RelationRow,
        outputs: &[Vec<(String, String, String)>],
    ) -> Option<Vec<Vec<ColumnId>>> {
        const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];
        if outputs.len() != view.columns.len() {
            return None;
        }
        let mut resolved = Vec::with_capacity(outputs.len());
        for output in outputs {
            let mut columns = Vec::with_capacity(output.len());
            for (schema, relation, column) in output {
                let relation = self.snapshot.relation(schema, relation)?;
                match column_of(self.snapshot, relation.oid, column) {
                    Some(id) if columns.contains(&id) => {}
                    Some(id) => columns.push(id),
                    None if SYSTEM_COLUMNS.contains(&column.as_str()) => {}
                    None => return None,
                }
            }
            resolved.push(columns);
        }
        Some(resolved)
    }
}

/// The column itself, or one alternative of each source.
fn alternatives(id: ColumnId, sources: &[Guard]) -> Vec<Vec<ColumnId>> {
    let product = sources.iter().try_fold(vec![Vec::new()], |sets: Vec<Vec<ColumnId>>, source| {
        let alternatives = &source.protection.uncovered_by;
        if sets.len().saturating_mul(alternatives.len()) > MAX_ALTERNATIVES {
            return None;
        }
        let mut product = Vec::new();
        for set in &sets {
            for alternative in alternatives {
                let mut set = set.clone();
                add_new(&mut set, alternative);
                set.sort_unstable();
                if !product.contains(&set) {
                    product.push(set);
                }
            }
        }
        Some(product)
    });
    let product = product.unwrap_or_else(|| {
        // The first alternative of each is the column itself.
        let mut all = Vec::new();
        for source in sources {
            add_new(&mut all, source.protection.uncovered_by.first().map_or(&[], Vec::as_slice));
        }
        vec![all]
    });
    let mut sets = vec![vec![id]];
    sets.extend(product.into_iter().filter(|set| !set.is_empty()));
    sets
}
