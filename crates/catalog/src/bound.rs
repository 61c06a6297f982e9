//! The catalogue: the live schema with its protected columns.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pgwarrant_masking::{Mask, SqlType};

use crate::{ColumnId, Oid, Ungranted};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationKind {
    Table,
    PartitionedTable,
    View,
    MaterializedView,
    ForeignTable,
}

/// Why and how a column is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The label's category, which is also the key domain of its tokens.
    pub category: String,
    pub mask: Mask,
    /// The method's name, for people: `partial`, `token`, …
    pub method: String,
    pub ungranted: Ungranted,
    /// The columns whose raw values this one carries: itself for a table's column; for a view's,
    /// the protected columns it derives from; for a child's, also the parent's. An all-rows grant
    /// on every column of one of these sets (or on the column itself) uncovers it.
    pub sources: Vec<ColumnId>,
    /// The sets that `sources` speaks of: an all-rows grant on every column of any one of these
    /// uncovers the column. Empty where nothing does (built-in protection).
    pub uncovered_by: Vec<Vec<ColumnId>>,
    /// Protected out of the box (`pg_stat_activity.query`, …): no grant uncovers it.
    pub built_in: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub attnum: i16,
    /// As stored in `pg_attribute.attname`, unquoted.
    pub name: String,
    pub column_type: SqlType,
    pub protection: Option<Protection>,
}

/// A relation that some rule of the analysis must know about: it holds protected columns, or
/// touching it could reach some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub kind: RelationKind,
    /// In attribute number order, dropped columns left out.
    pub columns: Vec<Column>,
    /// Attribute numbers of the primary key, empty where there is none.
    pub primary_key: Vec<i16>,
    /// The partition root or inheritance parents, nearest first.
    pub ancestors: Vec<Oid>,
    /// Roles that may not read some column, with those columns' attribute numbers: PostgreSQL
    /// checks the privilege of every column that a sub-select names, used or not.
    pub unreadable: HashMap<String, Vec<i16>>,
    /// Reading it could reach protected data in a way that no privacy view can stop (a view that
    /// calls an unsafe function, a TOAST table); the culprit, for the refusal's DETAIL: a noun phrase
    /// such as "view public.v, which uses function public.f, which executes text".
    pub read_risk: Option<String>,
    /// Writing it could (a trigger, rule, default or generated column that calls an unsafe
    /// function); the culprit.
    pub write_risk: Option<String>,
}

impl Relation {
    pub fn is_protected(&self) -> bool {
        self.columns.iter().any(|column| column.protection.is_some())
    }
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
    pub fn by_attnum(&self, attnum: i16) -> Option<&Column> {
        self.columns.iter().find(|column| column.attnum == attnum)
    }
}

/// What a call of a function of this name could do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionSafety {
    /// Every function of this name, in every schema, is harmless.
    Safe,
    /// At least one is not; `pg_catalog_safe` tells whether the ones in `pg_catalog` are.
    Unsafe { culprit: String, pg_catalog_safe: bool },
    /// No function of this name exists in the snapshot.
    Unknown,
}

/// The live schema, bound to labels. Immutable: a change of either makes a new one with a higher
/// version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// Rises with every change; part of every cache key.
    pub version: u64,
    /// Relations with protected columns or a risk, by oid.
    pub relations: HashMap<Oid, Arc<Relation>>,
    /// The same, by schema and name.
    pub by_name: HashMap<(String, String), Oid>,
    /// Schemas that hold each of those names: what the screen looks tokens up in.
    pub names: HashMap<String, Vec<Oid>>,
    /// Every other relation's (schema, name), so that an unqualified name can be resolved along
    /// the search_path.
    pub unprotected: HashSet<(String, String)>,
    /// Every schema that exists.
    pub schemas: HashSet<String>,
    /// Function name -> safety, for every function name in the snapshot.
    pub functions: HashMap<String, FunctionSafety>,
    /// Operator names of which at least one is implemented by an unsafe function, with the culprit.
    pub unsafe_operators: HashMap<String, String>,
    /// Type names whose input, output or casts call an unsafe function, with the culprit.
    pub unsafe_types: HashMap<String, String>,
    /// Roles with row-security bypass etc. are the check verb's business; here only their names,
    /// so that SET ROLE can be followed.
    pub roles: HashSet<String>,
}

impl Protection {
    /// Would all-rows grants on these columns uncover this one?
    pub fn is_uncovered(&self, granted: impl Fn(ColumnId) -> bool) -> bool {
        !self.built_in && self.uncovered_by.iter().any(|set| set.iter().all(|column| granted(*column)))
    }
}

impl Catalogue {
    pub fn relation(&self, schema: &str, name: &str) -> Option<&Arc<Relation>> {
        self.by_name.get(&(schema.to_owned(), name.to_owned())).and_then(|oid| self.relations.get(oid))
    }
    /// Is it the same but for the version? Then the older one can stay, with all that was cached
    /// under its version.
    pub fn says_the_same(&self, other: &Catalogue) -> bool {
        let Catalogue {
            version: _,
            relations,
            by_name,
            names,
            unprotected,
            schemas,
            functions,
            unsafe_operators,
            unsafe_types,
            roles,
        } = self;
        relations == &other.relations
            && by_name == &other.by_name
            && names == &other.names
            && unprotected == &other.unprotected
            && schemas == &other.schemas
            && functions == &other.functions
            && unsafe_operators == &other.unsafe_operators
            && unsafe_types == &other.unsafe_types
            && roles == &other.roles
    }
    pub fn function(&self, name: &str) -> FunctionSafety {
        self.functions.get(name).cloned().unwrap_or(FunctionSafety::Unknown)
    }
}
