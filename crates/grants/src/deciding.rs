//! The columns by which live grants and open requests say which rows they cover.
//!
//! Who may write such a column could move rows into a grant's reach, their own or a colleague's. So
//! every user's access says which they are, and everybody's version moves when the set changes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use pgwarrant_catalog::{ColumnId, Oid};

use crate::live::Inner;
use crate::saving::read;

/// By database, as clients know it.
pub(crate) type Deciding = BTreeMap<String, Arc<HashSet<ColumnId>>>;

impl Inner {
    /// To be called after grants or requests have come or gone. Between their coming and this the set
    /// lacks nothing that matters: a request's columns are in it before anybody can approve it.
    pub(crate) fn decide_columns(&self) {
        self.table.set_deciding(|live| {
            let mut columns: BTreeMap<String, HashSet<ColumnId>> = BTreeMap::new();
            let mut add = |database: &str, relation: Oid, attnums: &[i16]| {
                let ids = attnums.iter().map(|attnum| ColumnId { relation, attnum: *attnum });
                columns.entry(database.to_owned()).or_default().extend(ids);
            };
            for request in read(&self.requests).pending.values() {
                if let Some(rows) = &request.scope.rows {
                    add(&request.database, rows.relation, &rows.columns);
                }
            }
            // After the requests: one that is approved meanwhile is live before it stops pending.
            for (database, relation, attnums) in live() {
                add(&database, relation, &attnums);
            }
            columns.into_iter().map(|(database, columns)| (database, Arc::new(columns))).collect()
        });
    }
}
