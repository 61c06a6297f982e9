//! The relations that initdb makes, and those of extensions that show data of others.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::lines;

/// What a review said of a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SystemRelation {
    Harmless,
    /// Every column but these is protected.
    Protected {
        open: Vec<&'static str>,
    },
    /// These columns are protected.
    ProtectedColumns(&'static [&'static str]),
    Unreviewed,
}

impl SystemRelation {
    pub fn protects(&self, column: &str) -> bool {
        match self {
            SystemRelation::Harmless | SystemRelation::Unreviewed => false,
            SystemRelation::Protected { open } => !open.contains(&column),
            SystemRelation::ProtectedColumns(columns) => columns.contains(&column),
        }
    }
}

static RELATIONS: LazyLock<HashMap<&'static str, SystemRelation>> = LazyLock::new(|| {
    lines(include_str!("../../data/relations.tsv"))
        .filter_map(|line| match line.as_slice() {
            [name, _, _, columns] => {
                let open = columns.split(' ').filter(|column| !column.starts_with('!')).collect();
                Some((*name, SystemRelation::Protected { open }))
            }
            [name, _, "harmless"] => Some((*name, SystemRelation::Harmless)),
            _ => None,
        })
        .collect()
});

/// Views of extensions that show the statements of other sessions, in whatever schema they are.
const OF_EXTENSIONS: [(&str, &[&str]); 2] =
    [("pg_stat_statements", &["query"]), ("pg_stat_monitor", &["query", "comments"])];

/// The verdict on a relation; `system`: initdb made it. None: not one of the system's.
pub(crate) fn system_relation(schema: &str, name: &str, system: bool) -> Option<SystemRelation> {
    if let Some((_, columns)) = OF_EXTENSIONS.iter().find(|(view, _)| !system && *view == name) {
        return Some(SystemRelation::ProtectedColumns(columns));
    }
    if !system || !matches!(schema, "pg_catalog" | "information_schema") {
        return None;
    }
    let found = RELATIONS.get(format!("{schema}.{name}").as_str()).cloned();
    Some(found.unwrap_or(SystemRelation::Unreviewed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_a_new_version_adds_to_a_protected_relation_is_protected() {
        let activity = system_relation("pg_catalog", "pg_stat_activity", true).unwrap();
        for (column, protected) in [("query", true), ("query_of_a_new_version", true), ("pid", false)] {
            assert_eq!(activity.protects(column), protected, "{column}");
        }
        let class = system_relation("pg_catalog", "pg_class", true).unwrap();
        assert_eq!(class, SystemRelation::Harmless);
    }

    #[test]
    fn a_relation_of_a_new_version_is_not_reviewed() {
        assert_eq!(system_relation("pg_catalog", "pg_minds", true), Some(SystemRelation::Unreviewed));
        assert_eq!(system_relation("public", "pg_minds", true), None);
        assert_eq!(system_relation("pg_catalog", "customers", false), None);
    }

    #[test]
    fn views_of_extensions_are_known_in_any_schema() {
        let view = system_relation("monitoring", "pg_stat_statements", false).unwrap();
        assert!(view.protects("query") && !view.protects("calls"));
    }
}
