//! What the live grants of one session amount to, bound to the live schema.

use std::collections::HashSet;
use std::sync::Arc;

use pgwarrant_catalog::{ColumnId, Oid};

use crate::Predicate;

/// The number of a grant, as people see it.
pub type GrantId = u64;

/// What may be done with a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Actions {
    pub select: bool,
    pub insert: bool,
    pub update: bool,
    pub delete: bool,
    /// Raw values may leave for a place that outlives the grant.
    pub export: bool,
}

/// Which rows of a relation a grant covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    All,
    Where(Arc<Predicate>),
}

/// What becomes of the rows that a row-scoped grant does not cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OtherRows {
    #[default]
    Mask,
    Hide,
}

/// One live grant, bound: its columns by oid and attribute number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantScope {
    pub id: GrantId,
    pub columns: HashSet<ColumnId>,
    pub actions: Actions,
    /// For which relation `rows` speaks; a grant on several relations has one scope for each.
    pub relation: Oid,
    pub rows: Rows,
    pub others: OtherRows,
}

/// Everything that this session's user may see and do beyond the masks, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Differs whenever the scopes differ; part of every cache key.
    pub version: u64,
    pub scopes: Vec<GrantScope>,
    /// Columns by which somebody's live grant or open request says which rows it covers, this user's
    /// and everybody else's: who writes them moves rows into it.
    pub deciding: Arc<HashSet<ColumnId>>,
}
