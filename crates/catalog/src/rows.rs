//! From the rows of [`crate::queries()`] to a [`Snapshot`].

use std::collections::HashMap;
use std::str::FromStr;

use crate::queries::queries;
use crate::snapshot::{
    ColumnRow, EventTriggerRow, ForeignKey, FunctionRow, Modifier, PrivilegeRow, Reference, RelationRow,
    Snapshot, SnapshotError, Source, Target, TypeRow, UniqueIndex,
};
use crate::{Oid, RelationKind};

/// One result, a row a statement returned, a column of it.
type Rows = Vec<Vec<Option<String>>>;

impl Snapshot {
    /// Takes the results of [`crate::queries()`], by name.
    ///
    /// What points to an object that another result does not hold (made or dropped in between) is
    /// left out: [`crate::CHANGE_PROBE`] tells that the snapshot must be read again.
    ///
    /// # Errors
    /// Where a result is missing, unknown or there twice, or a row has another shape than asked for.
    pub fn from_rows(results: &[(&str, Rows)]) -> Result<Snapshot, SnapshotError> {
        let mut by_name: HashMap<&str, &Rows> = HashMap::new();
        for (name, rows) in results {
            let Some(query) = queries().iter().find(|query| query.name == *name) else {
                return Err(error(name, "there is no such query"));
            };
            if let Some(row) = rows.iter().find(|row| row.len() != query.width) {
                return Err(error(name, format!("a row has {} columns, not {}", row.len(), query.width)));
            }
            if by_name.insert(query.name, rows).is_some() {
                return Err(error(name, "it is there twice"));
            }
        }
        let result = |name: &'static str| match by_name.get(name) {
            Some(rows) => Ok(rows.iter().map(move |cells| Row { query: name, cells })),
            None => Err(error(name, "it is missing")),
        };

        let mut snapshot = Snapshot::default();
        for row in result("schemas")? {
            snapshot.schemas.push(row.text(0)?);
        }
        for row in result("roles")? {
            snapshot.roles.push(row.text(0)?);
        }
        for row in result("relations")? {
            snapshot.add_relation(relation(&row)?);
        }
        for row in result("columns")? {
            let column = ColumnRow {
                attnum: row.number(1)?,
                name: row.text(2)?,
                type_oid: row.number(3)?,
                typmod: row.number(4)?,
                generated: row.flag(5)?,
                not_null: row.flag(6)?,
                collation: row.optional(7).map(str::to_owned),
            };
            if let Some(relation) = snapshot.relations.get_mut(&row.number(0)?) {
                relation.columns.push(column);
            }
        }
        for relation in snapshot.relations.values_mut() {
            relation.columns.sort_by_key(|column| column.attnum);
        }
        for row in result("primary_keys")? {
            let key = row.numbers(1, array_body)?;
            if let Some(relation) = snapshot.relations.get_mut(&row.number(0)?) {
                relation.primary_key = key;
            }
        }
        for row in result("inheritance")? {
            let parent = row.number(1)?;
            if let Some(relation) = snapshot.relations.get_mut(&row.number(0)?) {
                relation.parents.push(parent);
            }
        }
        for row in result("types")? {
            snapshot.types.insert(row.number(0)?, type_row(&row)?);
        }
        for row in result("enum_labels")? {
            let label = row.text(1)?;
            if let Some(row) = snapshot.types.get_mut(&row.number(0)?) {
                row.enum_labels.push(label);
            }
        }
        for row in result("modifiers")? {
            let modifier = Modifier { whole: row.text(2)?, suffix: row.text(3)? };
            snapshot.modifiers.insert((row.number(0)?, row.number(1)?), modifier);
        }
        for row in result("views")? {
            // NULL: dropped in between.
            if let Some(definition) = row.optional(1) {
                snapshot.views.insert(row.number(0)?, definition.to_owned());
            }
        }
        for row in result("functions")? {
            snapshot.functions.insert(row.number(0)?, function(&row)?);
        }
        for row in result("operators")? {
            snapshot.operators.insert(row.number(0)?, row.text(1)?);
        }
        for row in result("references")? {
            snapshot.references.push(reference(&row)?);
        }
        for row in result("event_triggers")? {
            let tags = row.optional(2).unwrap_or_default().lines().map(str::to_owned).collect();
            snapshot.event_triggers.insert(row.number(0)?, EventTriggerRow { name: row.text(1)?, tags });
        }
        for row in result("unique_indexes")? {
            snapshot.unique_indexes.push(UniqueIndex {
                relation: row.number(0)?,
                name: row.text(1)?,
                columns: row.numbers(2, array_body)?,
                plain: row.flag(3)?,
                nulls_collide: row.flag(4)?,
            });
        }
        for row in result("foreign_keys")? {
            snapshot.foreign_keys.push(ForeignKey {
                from: (row.number(0)?, row.numbers(1, array_body)?),
                to: (row.number(2)?, row.numbers(3, array_body)?),
                on_delete: row.character(4)?,
                on_update: row.character(5)?,
            });
        }
        for row in result("privileges")? {
            snapshot.privileges.push(PrivilegeRow {
                relation: row.number(0)?,
                role: row.text(1)?,
                unreadable: row.numbers(2, array_body)?,
            });
        }
        Ok(snapshot)
    }
}

fn error(query: &str, problem: impl Into<String>) -> SnapshotError {
    SnapshotError { query: query.chars().take(64).collect(), problem: problem.into() }
}

/// A row whose width has been checked.
#[derive(Clone, Copy)]
struct Row<'a> {
    query: &'static str,
    cells: &'a [Option<String>],
}

impl<'a> Row<'a> {
    fn optional(&self, column: usize) -> Option<&'a str> {
        self.cells.get(column).and_then(|cell| cell.as_deref())
    }

    fn required(&self, column: usize) -> Result<&'a str, SnapshotError> {
        self.optional(column).ok_or_else(|| error(self.query, format!("column {} is null", column + 1)))
    }

    fn text(&self, column: usize) -> Result<String, SnapshotError> {
        self.required(column).map(str::to_owned)
    }

    fn number<N: FromStr>(&self, column: usize) -> Result<N, SnapshotError> {
        self.parse(column, self.required(column)?)
    }

    fn optional_number<N: FromStr>(&self, column: usize) -> Result<Option<N>, SnapshotError> {
        self.optional(column).map(|text| self.parse(column, text)).transpose()
    }

    fn numbers<N: FromStr>(
        &self,
        column: usize,
        body: fn(&str) -> Option<&str>,
    ) -> Result<Vec<N>, SnapshotError> {
        let text = self.required(column)?;
        let Some(text) = body(text) else { return Err(self.unreadable(column, text)) };
        text.split([',', ' ']).filter(|part| !part.is_empty()).map(|part| self.parse(column, part)).collect()
    }

    fn flag(&self, column: usize) -> Result<bool, SnapshotError> {
        match self.required(column)? {
            "t" => Ok(true),
            "f" => Ok(false),
            other => Err(self.unreadable(column, other)),
        }
    }

    fn character(&self, column: usize) -> Result<char, SnapshotError> {
        let text = self.required(column)?;
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => Ok(character),
            _ => Err(self.unreadable(column, text)),
        }
    }

    fn parse<N: FromStr>(&self, column: usize, text: &str) -> Result<N, SnapshotError> {
        text.parse().map_err(|_| self.unreadable(column, text))
    }

    fn unreadable(&self, column: usize, text: &str) -> SnapshotError {
        let text: String = text.chars().take(40).collect();
        error(self.query, format!("column {} cannot be \"{text}\"", column + 1))
    }
}

/// `{1,2}`
fn array_body(text: &str) -> Option<&str> {
    text.strip_prefix('{')?.strip_suffix('}')
}

fn relation(row: &Row<'_>) -> Result<RelationRow, SnapshotError> {
    let letter = row.character(3)?;
    let kind = match letter {
        'r' => Some(RelationKind::Table),
        'p' => Some(RelationKind::PartitionedTable),
        'v' => Some(RelationKind::View),
        'm' => Some(RelationKind::MaterializedView),
        'f' => Some(RelationKind::ForeignTable),
        _ => None,
    };
    Ok(RelationRow {
        oid: row.number(0)?,
        schema: row.text(1)?,
        name: row.text(2)?,
        kind,
        unknown_kind: kind.is_none() && letter != 'S',
        columns: Vec::new(),
        primary_key: Vec::new(),
        parents: Vec::new(),
    })
}

fn type_row(row: &Row<'_>) -> Result<TypeRow, SnapshotError> {
    let base_typmod: i32 = row.number(5)?;
    Ok(TypeRow {
        schema: row.text(1)?,
        name: row.text(2)?,
        kind: row.character(3)?,
        base: row.optional_number(4)?.map(|base: Oid| (base, base_typmod)),
        element: row.optional_number(6)?,
        relation: row.optional_number(7)?,
        range_of: row.optional_number(8)?,
        enum_labels: Vec::new(),
    })
}

fn function(row: &Row<'_>) -> Result<FunctionRow, SnapshotError> {
    let types = match row.optional(8) {
        Some(_) => row.numbers(8, |text| Some(text))?,
        None => Vec::new(),
    };
    Ok(FunctionRow {
        schema: row.text(1)?,
        name: row.text(2)?,
        language: row.text(3)?,
        immutable: row.character(4)? == 'i',
        kind: row.character(5)?,
        extension: row.optional(6).map(str::to_owned),
        body: row.optional(7).unwrap_or_default().to_owned(),
        types,
        settings: row.optional(9).unwrap_or_default().lines().map(str::to_owned).collect(),
        arguments: row.number(10)?..=row.number(11)?,
    })
}

fn reference(row: &Row<'_>) -> Result<Reference, SnapshotError> {
    let oid: Oid = row.number(1)?;
    let from = match row.required(0)? {
        "view" => Source::View(oid),
        "rule" => Source::Rule(oid),
        "default" => Source::Default(oid, row.number(2)?),
        "constraint" => Source::Constraint(oid),
        "policy" => Source::Policy(oid),
        "index" => Source::Index(oid),
        "expression" => Source::Expression(oid),
        "operator class" => Source::OperatorClass(oid),
        "event trigger" => Source::EventTrigger(oid),
        "trigger" => Source::Trigger(oid),
        "foreign key" => Source::ForeignKey(oid),
        "function" => Source::Function(oid),
        "operator" => Source::Operator(oid),
        "type" => Source::Type(oid),
        "implicit cast" => Source::ImplicitCast(oid),
        "explicit cast" => Source::ExplicitCast(oid),
        other => return Err(row.unreadable(0, other)),
    };
    let oid: Oid = row.number(4)?;
    let to = match row.required(3)? {
        "function" => Target::Function(oid),
        "operator" => Target::Operator(oid),
        "type" => Target::Type(oid),
        "relation" => Target::Relation(oid, row.number(5)?),
        other => return Err(row.unreadable(3, other)),
    };
    Ok(Reference { from, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &[&str]) -> Vec<Option<String>> {
        text.iter().map(|cell| (*cell != "-").then(|| (*cell).to_owned())).collect()
    }

    fn empty() -> Vec<(&'static str, Rows)> {
        queries().iter().map(|query| (query.name, Vec::new())).collect()
    }

    fn with(name: &str, rows: &[&[&str]]) -> Result<Snapshot, SnapshotError> {
        let mut results = empty();
        let place = results.iter_mut().find(|(query, _)| *query == name).unwrap();
        place.1 = rows.iter().map(|row| cells(row)).collect();
        Snapshot::from_rows(&results)
    }

    #[test]
    fn every_query_must_be_answered_exactly_once() {
        assert!(Snapshot::from_rows(&empty()).is_ok());
        for query in queries() {
            let without: Vec<_> = empty().into_iter().filter(|(name, _)| *name != query.name).collect();
            assert_eq!(Snapshot::from_rows(&without).unwrap_err().problem, "it is missing");
        }
        let mut twice = empty();
        twice.push(("views", Vec::new()));
        assert_eq!(Snapshot::from_rows(&twice).unwrap_err().problem, "it is there twice");
        let mut unknown = empty();
        unknown.push(("gossip", Vec::new()));
        assert_eq!(Snapshot::from_rows(&unknown).unwrap_err().query, "gossip");
    }

    #[test]
    fn rows_of_another_shape_are_refused() {
        for (name, row, problem) in [
            ("relations", &["1", "public", "t"][..], "3 columns, not 4"),
            ("relations", &["x", "public", "t", "r"], "column 1 cannot be \"x\""),
            ("relations", &["1", "public", "t", "rr"], "column 4 cannot be \"rr\""),
            ("relations", &["1", "-", "t", "r"], "column 2 is null"),
            ("relations", &["-1", "public", "t", "r"], "column 1 cannot be"),
            ("primary_keys", &["1", "1,2"], "column 2 cannot be"),
            ("primary_keys", &["1", "{1,x}"], "column 2 cannot be"),
            ("columns", &["1", "1", "c", "25", "-1", "true", "f", "-"], "column 6 cannot be"),
            ("columns", &["1", "99999", "c", "25", "-1", "f", "f", "-"], "column 2 cannot be"),
            ("references", &["gossip", "1", "0", "function", "2", "0"], "column 1 cannot be"),
            ("references", &["view", "1", "0", "gossip", "2", "0"], "column 4 cannot be"),
            (
                "functions",
                &["1", "s", "f", "sql", "volatile", "f", "-", "-", "-", "-", "0", "0"],
                "column 5 cannot be",
            ),
            (
                "functions",
                &["1", "s", "f", "sql", "v", "f", "-", "-", "-", "-", "-1", "0"],
                "column 11 cannot be",
            ),
        ] {
            let error = with(name, &[row]).unwrap_err();
            assert_eq!(error.query, name);
            assert!(error.problem.contains(problem), "{name} {row:?}: {error}");
        }
    }

    #[test]
    fn a_relation_of_an_unknown_kind_is_kept_as_one() {
        for (kind, unknown) in [("r", false), ("S", false), ("g", true)] {
            let snapshot = with("relations", &[&["20000", "public", "t", kind]]).unwrap();
            assert_eq!(snapshot.relations[&20_000].unknown_kind, unknown, "{kind}");
        }
    }

    #[test]
    fn columns_of_a_relation_that_is_gone_are_left_out() {
        assert!(
            with("columns", &[&["7", "1", "c", "25", "-1", "f", "f", "-"]]).unwrap().relations.is_empty()
        );
    }
}
