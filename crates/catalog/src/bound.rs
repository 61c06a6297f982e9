//! The catalogue: the live schema with its protected columns.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use pgwarrant_masking::{Mask, SqlType};

use crate::pair::Pair;
use crate::{ColumnId, Oid, Sensitivity, Ungranted};

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
    /// The highest of all that the column carries.
    pub sensitivity: Sensitivity,
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

/// A relation that some rule of the analysis must know about: it holds protected columns, touching
/// it could reach some, writing it writes a relation that does (a view's base, a foreign key's
/// action), or it computes with protected columns (a view's condition, a policy) without showing
/// any, so that an error of its can print one.
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

/// An event trigger that could reach protected data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionRisk {
    pub culprit: String,
    /// Command tags that fire it; empty: all do.
    pub tags: Vec<String>,
}

/// The relation below a view over exactly one, through which PostgreSQL writes the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewBase {
    /// A table, or another view.
    pub relation: Oid,
    /// The attribute numbers of the view's columns that are plain copies, each with that of what it
    /// copies.
    pub columns: Vec<(i16, i16)>,
}

/// A relation that a foreign key's action changes when another is written, directly or through the
/// actions of more foreign keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cascade {
    /// The relation that is changed.
    pub relation: Oid,
    /// A DELETE of the other does it.
    pub deletes: bool,
    /// An UPDATE of the other's `key` does it.
    pub updates: bool,
    /// Attribute numbers that are referenced in the relation that is written.
    pub key: Vec<i16>,
    /// Attribute numbers that change in `relation`; empty where its rows are only deleted.
    pub columns: Vec<i16>,
}

/// A function that could reach protected data, told apart from others of its name by how many
/// arguments it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsafeOverload {
    pub arguments: RangeInclusive<u16>,
    pub culprit: String,
    /// It is in `pg_catalog`.
    pub pg_catalog: bool,
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
    /// The functions behind each [`FunctionSafety::Unsafe`]; see [`Catalogue::call`].
    pub unsafe_overloads: HashMap<String, Vec<UnsafeOverload>>,
    /// Functions outside of `pg_catalog`, by name, of which at least one can store what it is given
    /// or send it on.
    pub writers: HashSet<String>,
    /// What is below each view over exactly one relation.
    pub bases: HashMap<Oid, ViewBase>,
    /// By the relation that is written.
    pub cascades: HashMap<Oid, Vec<Cascade>>,
    /// Generated columns of [`Self::relations`].
    pub generated: HashSet<ColumnId>,
    /// The first of `definition_risks`: where a statement's command tag is not known.
    pub definition_risk: Option<String>,
    /// Event triggers that could reach protected data.
    pub definition_risks: Vec<DefinitionRisk>,
    /// Operator names of which at least one is implemented by an unsafe function, with the culprit.
    pub unsafe_operators: HashMap<String, String>,
    /// Type names whose input, output or casts call an unsafe function, with the culprit.
    pub unsafe_types: HashMap<String, String>,
    /// Roles with row-security bypass etc. are the check verb's business; here only their names,
    /// so that SET ROLE can be followed.
    pub roles: HashSet<String>,
}

impl Protection {
    /// Is no less strict from now on than one whose values it carries.
    pub(crate) fn as_strict_as(&mut self, other: &Protection) {
        if other.ungranted == Ungranted::Block {
            self.ungranted = Ungranted::Block;
        }
        self.sensitivity = self.sensitivity.max(other.sensitivity);
    }

    /// Would all-rows grants on these columns uncover this one?
    pub fn is_uncovered(&self, granted: impl Fn(ColumnId) -> bool) -> bool {
        !self.built_in && self.uncovered_by.iter().any(|set| set.iter().all(|column| granted(*column)))
    }
}

impl Catalogue {
    pub fn relation(&self, schema: &str, name: &str) -> Option<&Arc<Relation>> {
        self.by_name.get(&(schema, name) as &dyn Pair).and_then(|oid| self.relations.get(oid))
    }
    /// Is it one of [`Self::unprotected`]?
    pub fn is_unprotected(&self, schema: &str, name: &str) -> bool {
        self.unprotected.contains(&(schema, name) as &dyn Pair)
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
            unsafe_overloads,
            writers,
            bases,
            cascades,
            generated,
            definition_risk,
            definition_risks,
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
            && unsafe_overloads == &other.unsafe_overloads
            && writers == &other.writers
            && bases == &other.bases
            && cascades == &other.cascades
            && generated == &other.generated
            && definition_risk == &other.definition_risk
            && definition_risks == &other.definition_risks
            && unsafe_operators == &other.unsafe_operators
            && unsafe_types == &other.unsafe_types
            && roles == &other.roles
    }
    pub fn function(&self, name: &str) -> FunctionSafety {
        self.functions.get(name).cloned().unwrap_or(FunctionSafety::Unknown)
    }
    /// The culprit that a statement with this command tag (`CREATE SEQUENCE`) would fire.
    pub fn defining(&self, tag: &str) -> Option<&str> {
        let fires =
            |risk: &&DefinitionRisk| risk.tags.is_empty() || risk.tags.iter().any(|fired| fired == tag);
        self.definition_risks.iter().find(fires).map(|risk| risk.culprit.as_str())
    }
    /// The foreign keys' actions that writing a relation sets off, as far as they change a relation
    /// with protected columns or a risk.
    pub fn cascades(&self, relation: Oid) -> &[Cascade] {
        self.cascades.get(&relation).map(Vec::as_slice).unwrap_or_default()
    }
    /// What a call of a function of this name with so many arguments could do: [`Self::function`],
    /// except that overloads which cannot be meant do not count. A function that is called in
    /// attribute notation (`row.name`) has one argument; VARIADIC does not add one.
    pub fn call(&self, name: &str, arguments: usize) -> FunctionSafety {
        let safety = self.function(name);
        let (FunctionSafety::Unsafe { .. }, Some(overloads)) = (&safety, self.unsafe_overloads.get(name))
        else {
            return safety;
        };
        let arguments = u16::try_from(arguments).unwrap_or(u16::MAX);
        let meant: Vec<_> =
            overloads.iter().filter(|overload| overload.arguments.contains(&arguments)).collect();
        match meant.first() {
            None => FunctionSafety::Safe,
            Some(first) => FunctionSafety::Unsafe {
                culprit: first.culprit.clone(),
                pg_catalog_safe: meant.iter().all(|overload| !overload.pg_catalog),
            },
        }
    }
}
