//! Which label holds for a column: patterns against the live schema.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use crate::finding::{Finding, FindingKind};
use crate::pattern::Pattern;
use crate::snapshot::{FIRST_NORMAL_OID, RelationRow, Snapshot};
use crate::{ColumnId, Label};

/// The label for each column that any matches.
#[derive(Default)]
pub(crate) struct Chosen<'p> {
    pub columns: HashMap<ColumnId, Choice<'p>>,
    pub warnings: Vec<Finding>,
    pub errors: Vec<Finding>,
}

/// The label that holds for a column.
#[derive(Clone, Copy)]
pub(crate) struct Choice<'p> {
    pub label: usize,
    pub text: &'p str,
    /// Its pattern names the relation with its schema: nobody but the operator could mean it.
    pub names_relation: bool,
    /// It names the relation, in whatever schema.
    pub names_table: bool,
}

struct Candidate<'p> {
    label: usize,
    pattern: Pattern,
    text: &'p str,
}

/// Which label holds for each column that any matches.
pub(crate) fn choose<'a>(snapshot: &Snapshot, labels: &'a [Label]) -> Chosen<'a> {
    let mut found = Chosen::default();
    let mut candidates: Vec<Candidate<'a>> = Vec::new();
    for (label, entry) in labels.iter().enumerate() {
        for text in &entry.columns {
            match Pattern::parse(text) {
                Ok(pattern) => candidates.push(Candidate { label, pattern, text }),
                Err(error) => found.errors.push(
                    Finding::new(FindingKind::Pattern, error.to_string()).about(label, text).hint(error.hint),
                ),
            }
        }
    }

    let mut by_relation: HashMap<&str, Vec<&RelationRow>> = HashMap::new();
    for relation in snapshot.relations.values().filter(|relation| relation.kind.is_some()) {
        by_relation.entry(&relation.name).or_default().push(relation);
    }
    let mut matched: HashMap<ColumnId, Vec<usize>> = HashMap::new();
    for (place, candidate) in candidates.iter().enumerate() {
        let relations: Vec<&RelationRow> = match candidate.pattern.relation.exact() {
            Some(name) => by_relation.get(name).cloned().unwrap_or_default(),
            None => by_relation.values().flatten().copied().collect(),
        };
        let mut bound = false;
        for relation in relations {
            if !candidate.pattern.matches_relation(&relation.schema, &relation.name) {
                continue;
            }
            for column in
                relation.columns.iter().filter(|column| candidate.pattern.column.matches(&column.name))
            {
                bound = true;
                let id = ColumnId { relation: relation.oid, attnum: column.attnum };
                matched.entry(id).or_default().push(place);
            }
        }
        if !bound {
            found.warnings.push(unbound(snapshot, candidate));
        }
    }

    let mut conflicts: BTreeMap<(usize, usize), Vec<String>> = BTreeMap::new();
    for (id, places) in matched {
        // In file order, so that the first of those that none is more specific than wins.
        let candidates: Vec<(usize, &Candidate<'a>)> =
            places.iter().filter_map(|place| Some((*place, candidates.get(*place)?))).collect();
        let best: Vec<_> = candidates
            .iter()
            .filter(|(_, one)| {
                !candidates
                    .iter()
                    .any(|(_, other)| other.pattern.specificity(&one.pattern) == Some(Ordering::Greater))
            })
            .collect();
        let Some((first_place, first)) = best.first() else { continue };
        for (place, other) in best.iter().skip(1) {
            if !agree(labels, first.label, other.label) {
                conflicts.entry((*first_place, *place)).or_default().push(column_label(snapshot, id));
            }
        }
        found.columns.insert(
            id,
            Choice {
                label: first.label,
                text: first.text,
                names_relation: first.pattern.names_relation(),
                names_table: first.pattern.relation.exact().is_some(),
            },
        );
    }
    for ((first, other), columns) in conflicts {
        let (Some(first), Some(other)) = (candidates.get(first), candidates.get(other)) else { continue };
        found.warnings.push(
            Finding::new(
                FindingKind::Conflict,
                format!("\"{}\" and \"{}\" label the same column differently", first.text, other.text),
            )
            .about(other.label, other.text)
            .detail(format!("The first in the file holds for {}.", some(columns)))
            .hint("Name the column exactly in the label that is to hold."),
        );
    }
    found
}

/// Do two labels say the same?
fn agree(labels: &[Label], one: usize, other: usize) -> bool {
    match (labels.get(one), labels.get(other)) {
        (Some(one), Some(other)) => {
            (&one.category, &one.mask, one.ungranted, one.sensitivity, one.nulls_show)
                == (&other.category, &other.mask, other.ungranted, other.sensitivity, other.nulls_show)
        }
        _ => true,
    }
}

/// A column's name for people.
pub(crate) fn column_label(snapshot: &Snapshot, id: ColumnId) -> String {
    let relation = snapshot.relations.get(&id.relation);
    match relation.and_then(|relation| Some((relation, relation.by_attnum(id.attnum)?))) {
        Some((relation, column)) => format!("{}.{}.{}", relation.schema, relation.name, column.name),
        None => format!("column {} of relation {}", id.attnum, id.relation),
    }
}

fn unbound(snapshot: &Snapshot, candidate: &Candidate<'_>) -> Finding {
    let finding = Finding::new(FindingKind::Unbound, format!("\"{}\" matches no column", candidate.text))
        .about(candidate.label, candidate.text);
    let pattern = &candidate.pattern;
    let mut relations: Vec<&RelationRow> = snapshot
        .relations
        .values()
        .filter(|relation| {
            relation.kind.is_some() && pattern.matches_relation(&relation.schema, &relation.name)
        })
        .collect();
    relations.sort_unstable_by_key(|relation| relation.oid);
    let Some(relation) = relations.first() else {
        let names = snapshot
            .relations
            .values()
            .filter(|relation| relation.oid >= FIRST_NORMAL_OID && relation.kind.is_some())
            .map(|relation| relation.name.as_str());
        return match pattern.relation.exact().and_then(|name| nearest(name, names)) {
            Some(name) => finding
                .detail("There is no such relation.")
                .hint(format!("Did you mean \"{name}\"? An unquoted name is folded to lower case.")),
            None => finding
                .detail("There is no such relation.")
                .hint("Correct the name, or remove the entry. An unquoted name is folded to lower case."),
        };
    };
    let names = relation.columns.iter().map(|column| column.name.as_str());
    match pattern.column.exact().and_then(|name| nearest(name, names)) {
        Some(name) => finding
            .detail(format!("Relation {}.{} has no such column.", relation.schema, relation.name))
            .hint(format!("Did you mean \"{name}\"? An unquoted name is folded to lower case.")),
        None => finding
            .detail("No matching relation has such a column.")
            .hint("Correct the name, or remove the entry. An unquoted name is folded to lower case."),
    }
}

/// The name that is written most alike, if any is: at most a third of it differs.
fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // Two letters changed places are two steps.
    let limit = if wanted.chars().count() < 4 { 1 } else { (wanted.chars().count() / 3).max(2) };
    names
        .filter(|name| name.len().abs_diff(wanted.len()) <= limit * 4)
        .map(|name| (distance(&wanted.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&other) {
            let value = (diagonal + usize::from(a != *b)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = value;
            left = value;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// The first few of many, for a sentence.
pub(crate) fn some(mut columns: Vec<String>) -> String {
    columns.sort_unstable();
    let more = columns.len().saturating_sub(5);
    columns.truncate(5);
    let mut text = columns.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
