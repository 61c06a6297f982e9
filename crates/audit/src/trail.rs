//! The handle that sessions write the trail through.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot, watch};

use crate::chain::{Block, Damage, Hash, Head};
use crate::error::Error;
use crate::event::{Entry, Event, Shape, Who};
use crate::follow::Follow;
use crate::query::{self, Filter};
use crate::queue::Queue;
use crate::record::Record;
use crate::store::{BlockStore, SledStore};
use crate::verify::{self, Report};
use crate::writer::Writer;

/// How much is held back, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Records that wait for the disk, in bytes; past it, writers wait.
    pub queue_bytes: usize,
    /// How long a record nobody waits for may stay unsealed.
    pub seal_after: Duration,
    /// How long a sealed record nobody waits for may stay without fdatasync.
    pub sync_after: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            queue_bytes: 8 << 20,
            seal_after: Duration::from_millis(100),
            sync_after: Duration::from_secs(1),
        }
    }
}

/// The audit trail of a running proxy; clones are handles to the same one.
///
/// The last handle to go ends the thread behind it, which writes what is left; [`Trail::close`]
/// also waits for that.
#[derive(Clone)]
pub struct Trail {
    inner: Arc<Inner>,
}

struct Inner {
    queue: Arc<Queue>,
    store: Arc<dyn BlockStore>,
    position: watch::Receiver<Option<Head>>,
    /// The number of the newest record that is on disk for good.
    durable: watch::Receiver<u64>,
    /// What the thread ended with; None once somebody has waited for it.
    ended: Mutex<Option<oneshot::Receiver<Result<(), Error>>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.end(Error::Closed);
    }
}

impl std::fmt::Debug for Trail {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Trail").field("head", &*self.inner.position.borrow()).finish_non_exhaustive()
    }
}

impl Trail {
    /// Opens the trail in the database that was opened in `directory`, and starts its thread.
    ///
    /// # Errors
    /// [`Error::Damaged`] and [`Error::WrongHead`] if the end of the chain is not as it was
    /// written: a chain that goes on after a break would hide the break.
    pub fn open(database: &sled::Db, directory: &Path, settings: Settings) -> Result<Trail, Error> {
        Trail::with_store(SledStore::open(database, directory)?, settings)
    }

    /// The same on any store.
    pub fn with_store(store: impl BlockStore, settings: Settings) -> Result<Trail, Error> {
        let store: Arc<dyn BlockStore> = Arc::new(store);
        let head = checked_head(&*store)?;
        match &head {
            Some(head) => {
                tracing::info!(head = %head.hash, block = head.block, seq = head.seq, "audit trail opened")
            }
            None => tracing::info!("audit trail begun"),
        }
        let queue = Arc::new(Queue::new(settings.queue_bytes, head.map_or(1, |head| head.seq + 1)));
        let (position, watch_position) = watch::channel(head);
        let (durable, watch_durable) = watch::channel(0);
        let writer = Writer {
            store: Arc::clone(&store),
            queue: Arc::clone(&queue),
            position,
            durable,
            head,
            seal_after: settings.seal_after,
            sync_after: settings.sync_after,
            sync_takes: Duration::ZERO,
        };
        let (end, ended) = oneshot::channel();
        thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                let result = writer.run();
                if let Ok(Some(head)) = &result {
                    tracing::info!(head = %head.hash, block = head.block, seq = head.seq, "audit trail closed");
                }
                // Nobody has to wait for it.
                let _ = end.send(result.map(drop));
            })
            .map_err(|error| Error::io("start the thread of the audit trail", error))?;
        let ended = Mutex::new(Some(ended));
        let (position, durable) = (watch_position, watch_durable);
        Ok(Trail { inner: Arc::new(Inner { queue, store, position, durable, ended }) })
    }

    /// Hands over a record, and waits only if too many wait for the disk already. It is on disk
    /// after at most `seal_after` + `sync_after`, unless the machine or the disk fails before.
    ///
    /// Records handed over one after the other keep that order.
    pub async fn append(&self, record: Record) -> Result<(), Error> {
        self.append_entry(record.into()).await
    }

    /// The same with a record in parts.
    pub async fn append_entry(&self, entry: Entry) -> Result<(), Error> {
        self.inner.queue.put(&entry.who, &entry.shape, &entry.event, false).await.map(drop)
    }

    /// Hands over a record if there is room for it now, without waiting; otherwise gives it back,
    /// for [`Trail::append`].
    pub fn try_append(&self, record: Record) -> Result<Option<Record>, Error> {
        let entry = Entry::from(record);
        match self.try_append_parts(&entry.who, &entry.shape, &entry.event)? {
            true => Ok(None),
            false => Ok(Some(entry.into_record(0))),
        }
    }

    /// The same with a record in parts, which costs least; false: there is no room now.
    pub fn try_append_parts(&self, who: &Who, shape: &Shape, event: &Event) -> Result<bool, Error> {
        self.inner.queue.try_put(who, shape, event, false).map(|seq| seq.is_some())
    }

    /// Writes a record, and returns its sequence number when it is on disk for good.
    ///
    /// After an error, nothing is known about this record, and no raw protected data may pass. A
    /// caller that stops waiting does not take the record back.
    pub async fn durable(&self, record: Record) -> Result<u64, Error> {
        let entry = Entry::from(record);
        let seq = self.inner.queue.put(&entry.who, &entry.shape, &entry.event, true).await?;
        self.until_durable(seq).await.map(|_| seq)
    }

    /// Begins to write a record durably if there is room for it now, and gives its sequence number:
    /// when [`Trail::durable_up_to`] has come to that, it is on disk for good. None: there is no room
    /// now, see [`Trail::room`].
    pub fn begin_durable(&self, entry: &Entry) -> Result<Option<u64>, Error> {
        self.inner.queue.try_put(&entry.who, &entry.shape, &entry.event, true)
    }

    /// Returns when there is room for a record, or the trail takes none any more.
    pub async fn room(&self) {
        self.inner.queue.room().await;
    }

    /// The number of the newest record that is on disk for good, of those that were to be durable
    /// since the trail was opened: all before it are, too. 0: none.
    pub fn durable_up_to(&self) -> u64 {
        *self.inner.durable.borrow()
    }

    /// Returns when the record of this number is on disk for good; gives the newest that is.
    ///
    /// # Errors
    /// The trail has failed: nothing is known about this record, and no raw protected data may pass.
    pub fn until_durable(&self, seq: u64) -> impl Future<Output = Result<u64, Error>> + Send + use<> {
        let trail = self.clone();
        async move {
            let mut durable = trail.inner.durable.clone();
            match durable.wait_for(|durable| *durable >= seq).await {
                Ok(durable) => Ok(*durable),
                Err(_) => Err(trail.no_answer()),
            }
        }
    }

    /// Returns when every record handed over before can be read.
    pub async fn sealed(&self) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.inner.queue.barrier(answer)?;
        answered.await.unwrap_or_else(|_| Err(self.no_answer()))
    }

    /// Why the trail takes no more records, if it does not.
    pub fn failure(&self) -> Option<Error> {
        self.inner.queue.ended()
    }

    /// The end of the chain, as far as it is sealed.
    pub fn head(&self) -> Option<Head> {
        *self.inner.position.borrow()
    }

    /// The newest records that match, at most `limit`, oldest first; those handed over before this
    /// call are among them.
    pub async fn recent(&self, limit: usize, filter: Filter) -> Result<Vec<Record>, Error> {
        // A trail that has failed can still be read.
        let _ = self.sealed().await;
        self.reading(move |store| {
            let mut records = query::newest(store, &filter).take(limit).collect::<Result<Vec<_>, _>>()?;
            records.reverse();
            Ok(records)
        })
        .await
    }

    /// Walks the whole chain; see [`verify::verify`].
    pub async fn verify(&self, expected: Option<Hash>) -> Result<Report, Error> {
        let _ = self.sealed().await;
        self.reading(move |store| verify::verify(store, expected)).await
    }

    /// Records as they are sealed, from now on.
    pub fn follow(&self) -> Follow {
        let position = self.inner.position.clone();
        let next = position.borrow().map_or(0, |head| head.block + 1);
        Follow::new(Arc::clone(&self.inner.store), position, next)
    }

    /// Writes and syncs everything handed over, and takes nothing more. The second call of this
    /// returns at once.
    pub async fn close(&self) -> Result<(), Error> {
        self.inner.queue.end(Error::Closed);
        match self.inner.ended.lock().await.take() {
            Some(ended) => ended.await.unwrap_or_else(|_| Err(self.no_answer())),
            None => Ok(()),
        }
    }

    /// Where the blocks are.
    pub fn store(&self) -> Arc<dyn BlockStore> {
        Arc::clone(&self.inner.store)
    }

    async fn reading<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn BlockStore) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let store = self.store();
        tokio::task::spawn_blocking(move || read(&*store))
            .await
            .unwrap_or_else(|error| Err(Error::io("read the audit trail", error)))
    }

    fn no_answer(&self) -> Error {
        self.failure().unwrap_or_else(|| Error::Failed("the thread that writes it has ended".into()))
    }
}

/// The head, if the last block is what it says.
fn checked_head(store: &dyn BlockStore) -> Result<Option<Head>, Error> {
    let wrong = |why: String| Err(Error::WrongHead(why.into()));
    match (store.head()?, store.last()?) {
        (None, None) => Ok(None),
        (None, Some(last)) => wrong(format!("there is no head, and the last block is {last}")),
        (Some(_), None) => wrong("there is a head, and no block".to_owned()),
        (Some(head), Some(last)) => {
            let Some(head) = Head::from_bytes(&head) else {
                return wrong("the head is unreadable".to_owned());
            };
            if head.block != last {
                return wrong(format!("the head is block {}, and the last block is {last}", head.block));
            }
            let damaged = |damage: String| Error::Damaged { block: last, damage: damage.into() };
            let bytes = store.block(last)?.ok_or_else(|| damaged("it is gone".to_owned()))?;
            let block = Block::read(&bytes).map_err(|damage| match damage {
                Damage::UnknownVersion(version) => Error::OtherLayout(version),
                damage => damaged(damage.to_string()),
            })?;
            match block.head() == head {
                true => Ok(Some(head)),
                false => wrong(format!("block {last} is not the one of the head")),
            }
        }
    }
}
