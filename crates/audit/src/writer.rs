//! The thread that seals blocks and makes them durable.
//!
//! Group commit: while one sync runs, the next records queue, and they share the next. Where the last
//! sync was shared by more than have come by now, the others are given a moment, no longer than a
//! sync takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::body::Body;
use crate::chain::{self, Head};
use crate::error::Error;
use crate::queue::{Barrier, Queue, Taken, Work};
use crate::record;
use crate::store::BlockStore;

/// As many bytes go to the store in one batch, about.
const BATCH_BYTES: usize = 1 << 20;

/// The longest that others are waited for before a sync, however slow the disk.
const GATHER: Duration = Duration::from_millis(1);

pub(crate) struct Writer {
    pub store: Arc<dyn BlockStore>,
    pub queue: Arc<Queue>,
    /// Tells readers how far the store has come; its end tells them that nothing more will come.
    pub position: watch::Sender<Option<Head>>,
    /// The number of the newest record that is on disk for good; its end says that no other will be.
    pub durable: watch::Sender<u64>,
    pub head: Option<Head>,
    pub seal_after: Duration,
    pub sync_after: Duration,
    /// How long syncs take at present.
    pub sync_takes: Duration,
}

impl Writer {
    /// Until the queue is closed and empty, or the store fails.
    pub(crate) fn run(mut self) -> Result<Option<Head>, Error> {
        // A panic in the store must not leave a trail that takes records and writes none.
        let _guard = EndOnPanic(Arc::clone(&self.queue));
        let mut sync_at: Option<Instant> = None;
        loop {
            let result = match self.queue.take(self.seal_after, self.sync_takes.min(GATHER), sync_at) {
                Taken::Work(work) => {
                    let bytes = work.bytes();
                    let synced = self.write(work);
                    self.queue.written(bytes);
                    synced.map(|synced| match (synced, bytes) {
                        (true, _) => sync_at = None,
                        (false, 0) => {}
                        (false, _) => sync_at = sync_at.or(Some(Instant::now() + self.sync_after)),
                    })
                }
                Taken::Idle => {
                    sync_at = None;
                    self.sync()
                }
                Taken::Closed => {
                    let last = self.store.settle();
                    if last.is_ok() {
                        return Ok(self.head);
                    }
                    last
                }
            };
            if let Err(error) = result {
                let error = Error::Failed(error.to_string().into());
                self.queue.end(error.clone());
                self.refuse_the_rest(&error);
                return Err(error);
            }
        }
    }

    /// Writes all of it, then answers. Whether everything put so far is durable.
    fn write(&mut self, work: Work) -> Result<bool, Error> {
        let Work { bodies, sync, barriers } = work;
        let written = self.put_all(bodies);
        let result = written.and_then(|()| if sync { self.sync() } else { Ok(()) });
        let failed = result.as_ref().err().map(|error| Error::Failed(error.to_string().into()));
        // First of all, so that whoever has an answer also finds its record.
        self.position.send_if_modified(|position| {
            let moved = failed.is_none() && *position != self.head;
            if moved {
                *position = self.head;
            }
            moved
        });
        if sync && failed.is_none() {
            self.tell_durable();
        }
        answer(barriers, failed.as_ref());
        result.map(|()| sync)
    }

    fn sync(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        self.store.sync()?;
        // Half of it is the last one: a disk that has become slow is known after a few.
        self.sync_takes = (self.sync_takes + began.elapsed()) / 2;
        Ok(())
    }

    fn tell_durable(&self) {
        let newest = self.head.map_or(0, |head| head.seq);
        self.durable.send_if_modified(|durable| std::mem::replace(durable, newest) != newest);
    }

    fn put_all(&mut self, bodies: Vec<Body>) -> Result<(), Error> {
        let mut blocks = Vec::with_capacity(bodies.len());
        let mut bytes = 0;
        for body in bodies {
            let (block, head) = chain::seal(self.head.as_ref(), body, record::now());
            bytes += block.len();
            blocks.push((head.block, block));
            self.head = Some(head);
            if bytes >= BATCH_BYTES {
                self.put(&mut blocks)?;
                bytes = 0;
            }
        }
        self.put(&mut blocks)
    }

    fn put(&mut self, blocks: &mut Vec<(u64, Vec<u8>)>) -> Result<(), Error> {
        if let (false, Some(head)) = (blocks.is_empty(), &self.head) {
            self.store.put(blocks, head)?;
            blocks.clear();
        }
        Ok(())
    }

    /// Answers what came while the store was failing.
    fn refuse_the_rest(&self, error: &Error) {
        let mut lost = 0;
        while let Taken::Work(work) = self.queue.take(Duration::ZERO, Duration::ZERO, None) {
            lost += work.bytes();
            self.queue.written(work.bytes());
            answer(work.barriers, Some(error));
        }
        tracing::error!(%error, lost_bytes = lost, "the audit trail has failed; records waiting for the disk are lost");
    }
}

/// Who no longer waits for the answer does not need it.
fn answer(barriers: Vec<Barrier>, failed: Option<&Error>) {
    for barrier in barriers {
        let _ = barrier.send(failed.map_or(Ok(()), |error| Err(error.clone())));
    }
}

struct EndOnPanic(Arc<Queue>);

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(Error::Failed("the thread that writes it has panicked".into()));
            // Whoever waits for an answer learns that none will come.
            while let Taken::Work(..) = self.0.take(Duration::ZERO, Duration::ZERO, None) {}
        }
    }
}
