//! What a write goes through to: the relations below views, and those that foreign keys change.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::plain::plain;
use crate::snapshot::{ForeignKey, Snapshot};
use crate::{Cascade, Oid, RelationKind, ViewBase};

/// What is below each view over exactly one relation. Temporary tables are not known here, nor a
/// base that was dropped in between.
pub(crate) fn bases(snapshot: &Snapshot) -> HashMap<Oid, ViewBase> {
    let mut bases = HashMap::new();
    for (oid, definition) in &snapshot.views {
        let Some(view) = snapshot.relations.get(oid).filter(|view| view.kind == Some(RelationKind::View))
        else {
            continue;
        };
        let Some(shape) = plain(definition) else { continue };
        let Some((schema, name)) = &shape.only else { continue };
        let Some(base) = snapshot.relation(schema, name) else { continue };
        let columns = view
            .columns
            .iter()
            .zip(&shape.columns)
            .filter_map(|(column, copied)| {
                let (_, name) = copied.as_ref()?;
                Some((column.attnum, base.column(name)?.attnum))
            })
            .collect();
        bases.insert(*oid, ViewBase { relation: base.oid, columns });
    }
    bases
}

/// Views through which a write reaches one of these relations.
pub(crate) fn written_through(bases: &HashMap<Oid, ViewBase>, relations: &HashSet<Oid>) -> HashSet<Oid> {
    let mut found: HashSet<Oid> = HashSet::new();
    for view in bases.keys() {
        // Views cannot form a circle; a list that does all the same ends with its views.
        let mut below = *view;
        for _ in 0..=bases.len() {
            let Some(base) = bases.get(&below) else { break };
            below = base.relation;
            if relations.contains(&below) {
                found.insert(*view);
                break;
            }
        }
    }
    found
}

/// What happens to the rows that refer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Event {
    Delete,
    Update,
}

/// The actions that reach one of `watched`, by the relation that is written.
pub(crate) fn cascades(snapshot: &Snapshot, watched: &HashSet<Oid>) -> HashMap<Oid, Vec<Cascade>> {
    let mut to: BTreeMap<Oid, Vec<&ForeignKey>> = BTreeMap::new();
    for key in &snapshot.foreign_keys {
        to.entry(key.to.0).or_default().push(key);
    }
    let mut cascades: HashMap<Oid, Vec<Cascade>> = HashMap::new();
    for (written, keys) in &to {
        for first in keys {
            for event in [Event::Delete, Event::Update] {
                for (relation, columns) in reached(first, event, &to) {
                    if !watched.contains(&relation) {
                        continue;
                    }
                    let list = cascades.entry(*written).or_default();
                    let same = |cascade: &&mut Cascade| {
                        cascade.relation == relation
                            && cascade.key == first.to.1
                            && cascade.columns == columns
                    };
                    match list.iter_mut().find(same) {
                        Some(cascade) => {
                            cascade.deletes |= event == Event::Delete;
                            cascade.updates |= event == Event::Update;
                        }
                        None => list.push(Cascade {
                            relation,
                            deletes: event == Event::Delete,
                            updates: event == Event::Update,
                            key: first.to.1.clone(),
                            columns,
                        }),
                    }
                }
            }
        }
    }
    cascades
}

/// Every relation that changes, and its columns that do, when what `first` refers to is deleted or
/// updated.
fn reached(first: &ForeignKey, event: Event, to: &BTreeMap<Oid, Vec<&ForeignKey>>) -> Vec<(Oid, Vec<i16>)> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut queue = VecDeque::from([(first, event)]);
    while let Some((key, event)) = queue.pop_front() {
        let action = match event {
            Event::Delete => key.on_delete,
            Event::Update => key.on_update,
        };
        let next = match (action, event) {
            ('c', Event::Delete) => Event::Delete,
            ('c' | 'n' | 'd', _) => Event::Update,
            _ => continue,
        };
        let (relation, columns) = &key.from;
        let changed = if next == Event::Delete { Vec::new() } else { columns.clone() };
        if !seen.insert((*relation, next, changed.clone())) {
            continue;
        }
        // An update of other columns than those that are referred to sets nothing off.
        let set_off = to.get(relation).into_iter().flatten().filter(|further| {
            next == Event::Delete || further.to.1.iter().any(|attnum| columns.contains(attnum))
        });
        queue.extend(set_off.map(|further| (*further, next)));
        found.push((*relation, changed));
    }
    found
}
