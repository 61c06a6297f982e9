//! Labels and a snapshot of the live schema, bound to what is protected.
//!
//! Ground state in ([`Snapshot`], [`Label`]s), derived state out ([`Catalogue`]). Invariants: a
//! column is identified by its relation's oid and its attribute number, never by name alone; a
//! child of a protected relation (partition, inheritance) is protected as its parent is; a view
//! column is protected unless it was shown not to derive from a protected one. Absent on purpose:
//! connections, tokio. The queries that fill a snapshot are here as text ([`queries`]); running
//! them is the proxy's business.

pub mod bound;
pub mod label;
pub mod snapshot;

pub use bound::{Catalogue, Column, Protection, Relation, RelationKind};
pub use label::{Label, Ungranted};
pub use snapshot::Snapshot;

/// `pg_class.oid` and friends.
pub type Oid = u32;

/// A column of the live schema: `pg_attribute.(attrelid, attnum)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ColumnId {
    pub relation: Oid,
    pub attnum: i16,
}
