//! Labels and a snapshot, bound to what is protected.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::finding::{Finding, FindingKind};
use crate::protect::{Guard, protect};
use crate::safety::{Known, Safety, judge};
use crate::snapshot::{FIRST_NORMAL_OID, RelationRow, Snapshot, Source, Target};
use crate::trust::trust_line;
use crate::types::sql_type;
use crate::uniqueness::collisions;
use crate::writes::{bases, cascades, written_through};
use crate::{Catalogue, Column, ColumnId, DefinitionRisk, Label, Oid, Relation, RelationKind};

/// Per output column of a view's definition, every base column (schema, relation, column) that its
/// value could derive from; None where that cannot be shown. The definition is `pg_get_viewdef`'s
/// under an empty `search_path`: an unqualified relation is `pg_catalog`'s.
pub type Lineage<'a> = dyn Fn(&str) -> Option<Vec<Vec<(String, String, String)>>> + 'a;

/// Relations that cannot be used at all are reported one by one up to this many.
const MAX_RISKS_REPORTED: usize = 50;

/// What binding depends on besides the labels and the schema.
#[derive(Clone, Debug, Default)]
pub struct BindOptions {
    /// What the operator vouches for: `schema.function` (every overload), `extension:name` (every
    /// function of that extension), or `schema.table` of a foreign table.
    pub trusted_functions: Vec<String>,
    /// [`Catalogue::version`] of the result.
    pub version: u64,
}

/// What [`bind`] makes.
#[derive(Clone, Debug)]
pub struct Bound {
    pub catalogue: Catalogue,
    /// The catalogue protects all that the labels say regardless of these.
    pub warnings: Vec<Finding>,
    /// A label that could not be followed to the letter: one whose pattern cannot be read protects
    /// nothing, one whose mask does not fit masks as NULL.
    pub errors: Vec<Finding>,
}

/// Binds `labels` to the live schema.
pub fn bind(snapshot: &Snapshot, labels: &[Label], options: &BindOptions, lineage: &Lineage<'_>) -> Bound {
    let mut protected = protect(snapshot, labels, lineage);
    let ids: HashSet<ColumnId> = protected.columns.keys().copied().collect();
    let holders: BTreeSet<Oid> = ids.iter().map(|column| column.relation).collect();
    let known = Known { protected: &holders, columns: &ids, labelled: &protected.named };
    let mut safety = judge(snapshot, &known, options);

    let mut warnings = std::mem::take(&mut protected.warnings);
    warnings.append(&mut safety.warnings);
    warnings.extend(risks(snapshot, &safety));
    warnings.extend(copies_of_rows(snapshot, &ids));
    warnings.extend(collisions(snapshot, &protected.columns));
    let computing = computing(snapshot, &ids);
    let catalogue = catalogue(snapshot, &protected.columns, &computing, safety, options.version);
    Bound { catalogue, warnings, errors: protected.errors }
}

fn catalogue(
    snapshot: &Snapshot,
    protected: &HashMap<ColumnId, Guard>,
    computing: &HashSet<Oid>,
    safety: Safety,
    version: u64,
) -> Catalogue {
    let Safety {
        functions,
        overloads,
        writers,
        operators,
        types,
        mut reading,
        mut writing,
        definitions,
        warnings: _,
    } = safety;
    let mut unreadable: HashMap<Oid, HashMap<String, Vec<i16>>> = HashMap::new();
    for row in &snapshot.privileges {
        unreadable.entry(row.relation).or_default().insert(row.role.clone(), row.unreadable.clone());
    }
    let holders: HashSet<Oid> = protected.keys().map(|column| column.relation).collect();

    let mut kept: HashSet<Oid> = holders.iter().chain(computing).copied().collect();
    kept.extend(reading.keys().chain(writing.keys()));
    let cascades = cascades(snapshot, &kept);
    kept.extend(cascades.keys());
    let bases = bases(snapshot);
    kept.extend(written_through(&bases, &kept));

    let mut catalogue = Catalogue {
        version,
        schemas: snapshot.schemas.iter().cloned().collect(),
        roles: snapshot.roles.iter().cloned().collect(),
        functions,
        unsafe_overloads: overloads,
        writers,
        cascades,
        bases: bases.into_iter().filter(|(view, _)| kept.contains(view)).collect(),
        definition_risk: definitions.first().map(|risk| risk.culprit.clone()),
        definition_risks: definitions,
        unsafe_operators: operators,
        unsafe_types: types,
        ..Catalogue::default()
    };
    for row in snapshot.relations.values() {
        let (read_risk, write_risk) = (reading.remove(&row.oid), writing.remove(&row.oid));
        let name = (row.schema.clone(), row.name.clone());
        if !kept.contains(&row.oid) {
            catalogue.unprotected.insert(name);
            continue;
        }
        let id = |attnum: i16| ColumnId { relation: row.oid, attnum };
        let generated = row.columns.iter().filter(|column| column.generated);
        catalogue.generated.extend(generated.map(|column| id(column.attnum)));
        let columns = row.columns.iter().map(|column| {
            let id = id(column.attnum);
            Column {
                attnum: column.attnum,
                name: column.name.clone(),
                column_type: sql_type(snapshot, column.type_oid, column.typmod),
                protection: protected.get(&id).map(|guard| guard.protection.clone()),
            }
        });
        let relation = Relation {
            oid: row.oid,
            schema: row.schema.clone(),
            name: row.name.clone(),
            // A sequence with a risk is a relation like any other to those who name it.
            kind: row.kind.unwrap_or(RelationKind::Table),
            columns: columns.collect(),
            primary_key: row.primary_key.clone(),
            ancestors: ancestors(snapshot, row),
            unreadable: unreadable.remove(&row.oid).unwrap_or_default(),
            read_risk,
            write_risk,
        };
        catalogue.by_name.insert(name, row.oid);
        catalogue.names.entry(row.name.clone()).or_default().push(row.oid);
        catalogue.relations.insert(row.oid, Arc::new(relation));
    }
    for oids in catalogue.names.values_mut() {
        oids.sort_unstable();
    }
    catalogue
}

/// Relations that compute with protected columns whether or not they show one: views by a
/// condition, tables by a policy. An error there can print what was computed with.
fn computing(snapshot: &Snapshot, protected: &HashSet<ColumnId>) -> HashSet<Oid> {
    let holders: HashSet<Oid> = protected.iter().map(|column| column.relation).collect();
    let mut readers: HashMap<Oid, Vec<Oid>> = HashMap::new();
    let mut computing = HashSet::new();
    for reference in &snapshot.references {
        let Target::Relation(relation, attnum) = reference.to else { continue };
        let (Source::View(reader) | Source::Policy(reader)) = reference.from else { continue };
        readers.entry(relation).or_default().push(reader);
        // Which columns a policy reads of another relation is not recorded.
        let unknown = attnum == 0 && matches!(reference.from, Source::Policy(_));
        if protected.contains(&ColumnId { relation, attnum }) || (unknown && holders.contains(&relation)) {
            computing.insert(reader);
        }
    }
    let mut queue: Vec<Oid> = computing.iter().copied().collect();
    while let Some(relation) = queue.pop() {
        for reader in readers.get(&relation).into_iter().flatten() {
            if computing.insert(*reader) {
                queue.push(*reader);
            }
        }
    }
    computing
}

/// Parents, their parents, and so on, nearest first.
fn ancestors(snapshot: &Snapshot, relation: &RelationRow) -> Vec<Oid> {
    let mut ancestors = relation.parents.clone();
    let mut place = 0;
    while let Some(oid) = ancestors.get(place).copied() {
        for parent in snapshot.relations.get(&oid).map(|row| row.parents.as_slice()).unwrap_or_default() {
            if !ancestors.contains(parent) {
                ancestors.push(*parent);
            }
        }
        place += 1;
    }
    ancestors
}

/// Relations that a refusal will surprise somebody with.
fn risks(snapshot: &Snapshot, safety: &Safety) -> Vec<Finding> {
    let mut risks: BTreeMap<(String, bool), &str> = BTreeMap::new();
    for (writing, found) in [(false, &safety.reading), (true, &safety.writing)] {
        for (oid, culprit) in found {
            if *oid >= FIRST_NORMAL_OID {
                risks.insert((snapshot.relation_label(*oid), writing), culprit);
            }
        }
    }
    let more = risks.len().saturating_sub(MAX_RISKS_REPORTED);
    let mut findings: Vec<Finding> = risks
        .into_iter()
        .take(MAX_RISKS_REPORTED)
        .map(|((relation, writing), culprit)| {
            let what = if writing { "writing" } else { "reading" };
            let finding = Finding::new(
                FindingKind::Risk,
                format!("{what} {relation} could reach protected data and is refused"),
            )
            .detail(format!("The reason is {culprit}."));
            match trust_line(culprit) {
                Some(line) => {
                    finding.hint(format!("If you vouch for it, write {line} in the section [trust]."))
                }
                None => finding,
            }
        })
        .collect();
    for DefinitionRisk { culprit, tags } in &safety.definitions {
        let which = if tags.is_empty() { "that define objects".to_owned() } else { tags.join(", ") };
        findings.push(
            Finding::new(
                FindingKind::Risk,
                format!("statements {which} could reach protected data and are refused"),
            )
            .detail(format!("They fire {culprit}.")),
        );
    }
    if more > 0 {
        findings.push(Finding::new(
            FindingKind::Risk,
            format!("{more} more relations are refused for such reasons"),
        ));
    }
    findings
}

/// Columns that hold whole rows of a protected relation, which no label has looked into.
fn copies_of_rows(snapshot: &Snapshot, protected: &HashSet<ColumnId>) -> Vec<Finding> {
    let holders: HashSet<Oid> = protected.iter().map(|column| column.relation).collect();
    let mut findings = BTreeMap::new();
    for relation in snapshot.relations.values().filter(|relation| relation.oid >= FIRST_NORMAL_OID) {
        for column in &relation.columns {
            let id = ColumnId { relation: relation.oid, attnum: column.attnum };
            let row = snapshot.types.get(&column.type_oid);
            let element = row.and_then(|row| row.element).and_then(|element| snapshot.types.get(&element));
            let of = element.or(row).and_then(|row| row.relation).filter(|of| holders.contains(of));
            if let Some(of) = of
                && !protected.contains(&id)
            {
                let column = format!("{}.{}.{}", relation.schema, relation.name, column.name);
                let finding = Finding::new(FindingKind::Unlabelled, format!("{column} is not labelled"))
                    .detail(format!("It holds rows of {}.", snapshot.relation_label(of)))
                    .hint("Label it.");
                findings.insert(column, finding);
            }
        }
    }
    findings.into_values().collect()
}
