//! The live schema as read from PostgreSQL's catalogs: plain rows, nothing derived.

use std::collections::HashMap;
use std::ops::RangeInclusive;

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
    pub event_triggers: HashMap<Oid, EventTriggerRow>,
    pub unique_indexes: Vec<UniqueIndex>,
    pub foreign_keys: Vec<ForeignKey>,
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
    /// None: a sequence, or of a kind that is not known.
    pub kind: Option<RelationKind>,
    /// A new version of PostgreSQL has kinds of relations that nobody has reviewed.
    pub unknown_kind: bool,
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
    pub not_null: bool,
    /// A collation other than its type's, as SQL text: `pg_catalog."C"`.
    pub collation: Option<String>,
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
    /// How many arguments a call can have. Aggregates and procedures take any number here: direct
    /// arguments and OUT arguments are written in ways of their own.
    pub arguments: RangeInclusive<u16>,
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
    /// A partition key or extended statistics.
    Expression(Oid),
    /// The operator class of an index or a partition key.
    OperatorClass(Oid),
    /// An enabled trigger: its function or its WHEN.
    Trigger(Oid),
    /// An enabled event trigger.
    EventTrigger(Oid),
    /// A foreign key whose action writes this relation when the target is written.
    ForeignKey(Oid),
    /// A body, an argument's default, an aggregate's support functions.
    Function(Oid),
    Operator(Oid),
    /// Input and output, a domain's constraints, operator classes.
    Type(Oid),
    /// A cast that values of this type meet: one from it, or one from a built-in type to it that is
    /// applied without being written.
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

/// An enabled event trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTriggerRow {
    pub name: String,
    /// Command tags that fire it; empty: all do.
    pub tags: Vec<String>,
}

/// A foreign key with an action other than none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// The relation that refers, and its columns.
    pub from: (Oid, Vec<i16>),
    /// The relation that is referred to, and its columns.
    pub to: (Oid, Vec<i16>),
    /// `pg_constraint.confdeltype`: c, n, d; others do nothing.
    pub on_delete: char,
    pub on_update: char,
}

/// A unique index that is not only partial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueIndex {
    pub relation: Oid,
    pub name: String,
    /// The attribute numbers of its keys, those in expressions included.
    pub columns: Vec<i16>,
    /// None of its keys is an expression.
    pub plain: bool,
    /// NULLS NOT DISTINCT
    pub nulls_collide: bool,
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
