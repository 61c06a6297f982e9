//! Records as they come.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use crate::chain::Head;
use crate::error::Error;
use crate::query;
use crate::record::Record;
use crate::store::BlockStore;

/// What is sealed, in order and without gaps, however slowly it is read: it comes from the store,
/// and only one block of it is in memory.
pub struct Follow {
    store: Arc<dyn BlockStore>,
    position: watch::Receiver<Option<Head>>,
    next_block: u64,
    records: VecDeque<Record>,
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Follow").field("next_block", &self.next_block).finish_non_exhaustive()
    }
}

impl Follow {
    pub(crate) fn new(
        store: Arc<dyn BlockStore>,
        position: watch::Receiver<Option<Head>>,
        next_block: u64,
    ) -> Follow {
        Follow { store, position, next_block, records: VecDeque::new() }
    }

    /// The last block that is not part of this: what was there before.
    pub(crate) fn before(&self) -> Option<u64> {
        self.next_block.checked_sub(1)
    }

    /// The next record; waits for it. None when the trail has ended and everything was read.
    ///
    /// May be dropped while it waits, without losing anything.
    pub async fn next(&mut self) -> Result<Option<Record>, Error> {
        loop {
            if let Some(record) = self.records.pop_front() {
                return Ok(Some(record));
            }
            let reached = |head: &Option<Head>, block: u64| head.is_some_and(|head| head.block >= block);
            let next_block = self.next_block;
            // The end of the trail does not hide what was sealed last.
            if self.position.wait_for(|head| reached(head, next_block)).await.is_err()
                && !reached(&self.position.borrow(), next_block)
            {
                return Ok(None);
            }
            let store = Arc::clone(&self.store);
            let records = tokio::task::spawn_blocking(move || query::records(&*store, next_block))
                .await
                .unwrap_or_else(|error| Err(Error::io("read the audit trail", error)))?;
            self.records = records.into();
            self.next_block += 1;
        }
    }
}
