//! Labels and a snapshot of the live schema, bound to what is protected.
//!
//! Ground state in ([`Snapshot`], [`Label`]s), derived state out ([`Catalogue`]). Invariants: a
//! column is identified by its relation's oid and its attribute number, never by name alone; a
//! child of a protected relation (partition, inheritance) is protected as its parent is; a view
//! column is protected unless it was shown not to derive from a protected one. Absent on purpose:
//! connections, tokio. The queries that fill a snapshot are here as text ([`queries()`]); running
//! them is the proxy's business.
//!
//! A snapshot's way through [`bind()`]: `choose` finds the label of each column, `protect` makes the
//! masks and carries them to children and parents, `derive` to generated columns and views;
//! `safety` finds the functions that could reach what is protected and, along `edges`, whatever
//! calls them. What cannot be shown to be harmless counts as protected, or as a risk with its
//! culprit's name; the same schema and labels always give the same catalogue.

pub mod bind;
mod body;
pub mod bound;
mod builtins;
mod choose;
mod derive;
mod edges;
pub mod finding;
pub mod label;
mod lex;
mod naming;
mod pair;
pub mod pattern;
mod plain;
mod protect;
pub mod queries;
mod roots;
mod rows;
mod safety;
pub mod snapshot;
mod trust;
mod types;
mod uniqueness;
pub mod upstream;
mod writes;

pub use bind::{BindOptions, Bound, Lineage, bind};
pub use bound::{
    Cascade, Catalogue, Column, DefinitionRisk, FunctionSafety, Protection, Relation, RelationKind,
    UnsafeOverload, ViewBase,
};
pub use finding::{Finding, FindingKind};
pub use label::{Label, Sensitivity, Ungranted};
pub use queries::{CHANGE_POLL, CHANGE_PROBE, Query, SESSION_SETUP, queries};
pub use snapshot::{Snapshot, SnapshotError};
pub use trust::trust_line;
pub use upstream::{upstream_findings, upstream_query};

/// `pg_class.oid` and friends.
pub type Oid = u32;

/// A column of the live schema: `pg_attribute.(attrelid, attnum)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ColumnId {
    pub relation: Oid,
    pub attnum: i16,
}
