//! The wire guard: the last of three layers.
//!
//! A RowDescription says of each column which table's column it carries as it is. If the catalogue
//! calls that column protected and the analysis did not mean it to pass, then no layer above
//! understood the statement, and not one row of it goes out.

use std::collections::HashSet;

use pgwarrant_catalog::{Catalogue, ColumnId};

/// Protected columns that would pass raw without being meant to; empty: let the result pass.
pub fn breaches(
    sources: impl Iterator<Item = ColumnId>,
    catalogue: &Catalogue,
    plain: &HashSet<ColumnId>,
) -> Vec<ColumnId> {
    sources.filter(|source| is_protected(catalogue, *source) && !plain.contains(source)).collect()
}

fn is_protected(catalogue: &Catalogue, source: ColumnId) -> bool {
    // An expression has no source.
    if source.relation == 0 || source.attnum == 0 {
        return false;
    }
    catalogue
        .relations
        .get(&source.relation)
        .and_then(|relation| relation.by_attnum(source.attnum))
        .is_some_and(|column| column.protection.is_some())
}

/// `schema.relation.column`, for people; the numbers where the catalogue does not know them.
pub fn name(catalogue: &Catalogue, column: ColumnId) -> String {
    let Some(relation) = catalogue.relations.get(&column.relation) else {
        return format!("relation {} column {}", column.relation, column.attnum);
    };
    let schema = if relation.schema == "public" { String::new() } else { format!("{}.", relation.schema) };
    match relation.by_attnum(column.attnum) {
        Some(found) => format!("{schema}{}.{}", relation.name, found.name),
        None => format!("{schema}{}.{}", relation.name, column.attnum),
    }
}

/// The same, with the schema in any case: for the audit trail.
pub fn full_name(catalogue: &Catalogue, column: ColumnId) -> String {
    match catalogue.relations.get(&column.relation) {
        Some(relation) if relation.schema == "public" => format!("public.{}", name(catalogue, column)),
        _ => name(catalogue, column),
    }
}

/// Protected out of the box: no grant uncovers it.
pub fn is_built_in(catalogue: &Catalogue, column: ColumnId) -> bool {
    catalogue
        .relations
        .get(&column.relation)
        .and_then(|relation| relation.by_attnum(column.attnum))
        .and_then(|column| column.protection.as_ref())
        .is_some_and(|protection| protection.built_in)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pgwarrant_catalog::{Column, Relation, RelationKind};

    use super::*;

    fn column(relation: u32, attnum: i16) -> ColumnId {
        ColumnId { relation, attnum }
    }

    /// A relation 10 of three columns, of which the second is protected.
    fn catalogue() -> Catalogue {
        let columns = (1..=3).map(|attnum| Column {
            attnum,
            name: format!("c{attnum}"),
            column_type: pgwarrant_masking::SqlType {
                sql: "pg_catalog.text".to_owned(),
                base: pgwarrant_masking::BaseType::Text,
                array: false,
                max_length: None,
                enum_labels: Vec::new(),
                domain: false,
                oid: 25,
                base_oid: 25,
                typmod: -1,
            },
            protection: (attnum == 2).then(|| pgwarrant_catalog::Protection {
                category: "contact".to_owned(),
                mask: pgwarrant_masking::Mask { pieces: vec!["'***'".to_owned()] },
                method: "redact".to_owned(),
                ungranted: pgwarrant_catalog::Ungranted::Mask,
                sensitivity: Default::default(),
                sources: vec![column(10, 2)],
                uncovered_by: vec![vec![column(10, 2)]],
                built_in: false,
            }),
        });
        let relation = Relation {
            oid: 10,
            schema: "public".to_owned(),
            name: "people".to_owned(),
            kind: RelationKind::Table,
            columns: columns.collect(),
            primary_key: Vec::new(),
            ancestors: Vec::new(),
            unreadable: Default::default(),
            read_risk: None,
            write_risk: None,
        };
        Catalogue { relations: [(10, Arc::new(relation))].into(), ..Catalogue::default() }
    }

    #[test]
    fn a_protected_source_passes_only_if_it_was_meant_to() {
        let catalogue = catalogue();
        type Columns = &'static [(u32, i16)];
        let cases: &[(&str, Columns, Columns, Columns)] = &[
            ("nothing protected", &[(10, 1), (10, 3)], &[], &[]),
            ("an expression has no source", &[(0, 0)], &[], &[]),
            ("not meant to pass", &[(10, 1), (10, 2)], &[], &[(10, 2)]),
            ("meant to pass", &[(10, 2)], &[(10, 2)], &[]),
            ("another column was meant", &[(10, 2)], &[(10, 3)], &[(10, 2)]),
            ("twice", &[(10, 2), (10, 2)], &[], &[(10, 2), (10, 2)]),
            ("an unknown relation", &[(11, 2)], &[], &[]),
            ("a system column", &[(10, -1)], &[], &[]),
        ];
        for (name, sources, plain, expected) in cases {
            let of = |list: &[(u32, i16)]| {
                list.iter().map(|(oid, attnum)| column(*oid, *attnum)).collect::<Vec<_>>()
            };
            let found = breaches(of(sources).into_iter(), &catalogue, &of(plain).into_iter().collect());
            assert_eq!(found, of(expected), "{name}");
        }
    }

    #[test]
    fn columns_are_named_for_people() {
        let catalogue = catalogue();
        assert_eq!(name(&catalogue, column(10, 2)), "people.c2");
        assert_eq!(full_name(&catalogue, column(10, 2)), "public.people.c2");
        assert_eq!(name(&catalogue, column(11, 2)), "relation 11 column 2");
    }
}
