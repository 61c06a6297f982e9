//! The live schema as read from PostgreSQL's catalogs: plain rows, nothing derived.

use std::collections::HashMap;

use crate::{Oid, RelationKind};

/// Objects with smaller oids were made by initdb (`FirstNormalObjectId` in
/// `src/include/access/transam.h`).
pub const FIRST_NORMAL_OID: Oid = 16384;

/// Everything that binding reads. Filled by [`Snapshot::from_rows`]; the fields are public so that
/// tests can make one by hand.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub relations: HashMap<Oid, RelationRow>,
    /// Relations by schema and name.
    pub by_name: HashMap<String, HashMap<String, Oid>>,
    pub types: HashMap<Oid, TypeRow>,
    /// How a type with a modifier is written: the whole, and what follows the type's name.
    pub modifiers: HashMap<(Oid, i32), Modifier>,
    /// Definitions of views and materialized views.
    pub views: HashMap<Oid, String>,
    pub functions: HashMap<Oid, FunctionRow>,
    /// Operators that initdb did not make, by oid.
    pub operators: HashMap<Oid, String>,
    pub references: Vec<Reference>,
    pub privileges: Vec<PrivilegeRow>,
    pub roles: Vec<String>,
    pub schemas: Vec<String>,
}

/// A row of `pg_class` that a statement can name as a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationRow {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    /// None: a sequence.
    pub kind: Option<RelationKind>,
    /// In attribute number order, dropped columns left out.
    pub columns: Vec<ColumnRow>,
    pub primary_key: Vec<i16>,
    /// Direct parents, in order.
    pub parents: Vec<Oid>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnRow {
    pub attnum: i16,
    pub name: String,
    pub type_oid: Oid,
    pub typmod: i32,
    pub generated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeRow {
    pub schema: String,
    pub name: String,
    /// `pg_type.typtype`: b, c, d, e, p, r, m
    pub kind: char,
    /// A domain's base type and modifier.
    pub base: Option<(Oid, i32)>,
    /// A true array's element type.
    pub element: Option<Oid>,
    /// A composite type's relation.
    pub relation: Option<Oid>,
    /// A range's or multirange's element type.
    pub range_of: Option<Oid>,
    pub enum_labels: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modifier {
    pub whole: String,
    pub suffix: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRow {
    pub schema: String,
    pub name: String,
    pub language: String,
    pub immutable: bool,
    /// `pg_proc.prokind`: f, p, a, w
    pub kind: char,
    /// The extension that it belongs to.
    pub extension: Option<String>,
    /// The source text of a function in `sql` or `plpgsql`; empty for a `BEGIN ATOMIC` body.
    pub body: String,
    /// Types of arguments and result.
    pub types: Vec<Oid>,
    /// `SET` clauses, `name=value`.
    pub settings: Vec<String>,
}

/// One object's code or definition refers to another object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    pub from: Source,
    pub to: Target,
}

/// What refers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The query of a view or materialized view.
    View(Oid),
    /// Another rule of a relation.
    Rule(Oid),
    /// A column's default or generation expression.
    Default(Oid, i16),
    Constraint(Oid),
    Policy(Oid),
    /// An index expression or predicate.
    Index(Oid),
    /// An enabled trigger: its function or its WHEN.
    Trigger(Oid),
    /// A foreign key whose action writes this relation when the target is written.
    ForeignKey(Oid),
    /// A body, an argument's default, an aggregate's support functions.
    Function(Oid),
    Operator(Oid),
    /// Input and output, a domain's constraints, operator classes.
    Type(Oid),
    /// A cast that is applied without being written, from or to this type.
    ImplicitCast(Oid),
    /// A cast to this type that must be written.
    ExplicitCast(Oid),
}

/// What is referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    Function(Oid),
    Operator(Oid),
    Type(Oid),
    /// A column, or the relation as a whole where the number is 0.
    Relation(Oid, i16),
}

/// Columns of a relation that a role may not read although it may read others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivilegeRow {
    pub relation: Oid,
    pub role: String,
    pub unreadable: Vec<i16>,
}

/// Rows that are not what [`crate::queries()`] asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("result of the snapshot query \"{query}\" cannot be read: {problem}")]
pub struct SnapshotError {
    pub query: String,
    pub problem: String,
}

impl Snapshot {
    pub fn relation(&self, schema: &str, name: &str) -> Option<&RelationRow> {
        self.relations.get(self.by_name.get(schema)?.get(name)?)
    }

    /// The names of a relation's columns, for lineage.
    pub fn columns_of(&self, schema: &str, name: &str) -> Option<Vec<String>> {
        let relation = self.relation(schema, name)?;
        Some(relation.columns.iter().map(|column| column.name.clone()).collect())
    }

    pub(crate) fn add_relation(&mut self, row: RelationRow) {
        self.by_name.entry(row.schema.clone()).or_default().insert(row.name.clone(), row.oid);
        self.relations.insert(row.oid, row);
    }

    /// A relation's name for people.
    pub(crate) fn relation_label(&self, oid: Oid) -> String {
        match self.relations.get(&oid) {
            Some(relation) => format!("{}.{}", relation.schema, relation.name),
            None => format!("relation with oid {oid}"),
        }
    }
}

impl RelationRow {
    pub fn column(&self, name: &str) -> Option<&ColumnRow> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub fn by_attnum(&self, attnum: i16) -> Option<&ColumnRow> {
        self.columns.iter().find(|column| column.attnum == attnum)
    }

    pub fn is_view(&self) -> bool {
        matches!(self.kind, Some(RelationKind::View | RelationKind::MaterializedView))
    }
}
