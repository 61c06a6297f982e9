//! The live schema as read from PostgreSQL's catalogs.

#[derive(Clone, Debug, Default)]
pub struct Snapshot {}
