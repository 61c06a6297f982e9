//! The thread that seals blocks and makes them durable.
//!
//! Group commit needs no timer: while one sync runs, the next records queue, and they share the
//! next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use crate::chain::{self, Body, Head};
use crate::error::Error;
use crate::queue::{Item, Queue, Taken};
use crate::record::{self, Record};
use crate::store::{BlockStore, PART_BYTES};

/// A block is sealed before its body would grow past this, so that it is one entry of the store;
/// only a record that alone is longer makes a longer block.
const BODY_BYTES: usize = PART_BYTES - chain::OVERHEAD_BYTES;

/// As many bytes go to the store in one batch, about.
const BATCH_BYTES: usize = 1 << 20;

pub(crate) struct Writer {
    pub store: Arc<dyn BlockStore>,
    pub queue: Arc<Queue>,
    /// Tells readers how far the store has come; its end tells them that nothing more will come.
    pub position: watch::Sender<Option<Head>>,
    pub head: Option<Head>,
    pub seal_after: Duration,
    pub sync_after: Duration,
}

/// Answers to give when what was put is durable, or right away.
#[derive(Default)]
struct Waiting {
    durable: Vec<(u64, oneshot::Sender<Result<u64, Error>>)>,
    barriers: Vec<oneshot::Sender<Result<(), Error>>>,
}

impl Writer {
    /// Until the queue is closed and empty, or the store fails.
    pub(crate) fn run(mut self) -> Result<Option<Head>, Error> {
        // A panic in the store must not leave a trail that takes records and writes none.
        let _guard = EndOnPanic(Arc::clone(&self.queue));
        let mut sync_at: Option<Instant> = None;
        loop {
            let result = match self.queue.take(self.seal_after, sync_at) {
                Taken::Items(items, bytes) => {
                    let synced = self.write(items);
                    self.queue.give_back(bytes);
                    synced.map(|synced| match synced {
                        true => sync_at = None,
                        false => sync_at = sync_at.or(Some(Instant::now() + self.sync_after)),
                    })
                }
                Taken::Idle => {
                    sync_at = None;
                    self.store.sync()
                }
                Taken::Closed => {
                    let last = if sync_at.is_some() { self.store.sync() } else { Ok(()) };
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

    /// Writes all of them, then answers. Whether everything put so far is durable.
    fn write(&mut self, items: impl IntoIterator<Item = Item>) -> Result<bool, Error> {
        let mut waiting = Waiting::default();
        let written = self.put_all(items, &mut waiting);
        let sync = !waiting.durable.is_empty();
        let result = written.and_then(|()| if sync { self.store.sync() } else { Ok(()) });
        let failed = result.as_ref().err().map(|error| Error::Failed(error.to_string().into()));
        // First of all, so that whoever has an answer also finds its record.
        self.position.send_if_modified(|position| match result.is_ok() && *position != self.head {
            true => {
                *position = self.head;
                true
            }
            false => false,
        });
        // Who no longer waits for the answer does not need it.
        for (seq, answer) in waiting.durable {
            let _ = answer.send(failed.clone().map_or(Ok(seq), Err));
        }
        for answer in waiting.barriers {
            let _ = answer.send(failed.clone().map_or(Ok(()), Err));
        }
        result.map(|()| sync)
    }

    fn put_all(&mut self, items: impl IntoIterator<Item = Item>, waiting: &mut Waiting) -> Result<(), Error> {
        let mut body = Body::default();
        let mut blocks: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut bytes = 0;
        let mut next_seq = self.head.map_or(1, |head| head.seq + 1);
        // Every waiter is taken down before anything can fail, so that each gets an answer.
        let mut records: Vec<Box<Record>> = Vec::new();
        for item in items {
            let record = match item {
                Item::Append(record) => record,
                Item::Durable(record, answer) => {
                    waiting.durable.push((next_seq, answer));
                    record
                }
                Item::Barrier(answer) => {
                    waiting.barriers.push(answer);
                    continue;
                }
            };
            next_seq += 1;
            records.push(record);
        }
        let first_seq = next_seq - records.len() as u64;
        let mut json = Vec::new();
        for (mut record, seq) in records.into_iter().zip(first_seq..) {
            record.seq = seq;
            record.bound();
            json.clear();
            serde_json::to_writer(&mut json, &record).map_err(|error| Error::io("encode a record", error))?;
            if !body.is_empty() && body.len_with(json.len()) > BODY_BYTES {
                bytes += self.seal(&mut blocks, &body);
                body.clear();
            }
            body.push(record.at, &json);
            if bytes >= BATCH_BYTES {
                self.put(&mut blocks)?;
                bytes = 0;
            }
        }
        if !body.is_empty() {
            self.seal(&mut blocks, &body);
        }
        self.put(&mut blocks)
    }

    fn seal(&mut self, blocks: &mut Vec<(u64, Vec<u8>)>, body: &Body) -> usize {
        let (block, head) = chain::seal(self.head.as_ref(), body, record::now());
        let bytes = block.len();
        blocks.push((head.block, block));
        self.head = Some(head);
        bytes
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
        let mut lost = 0u64;
        while let Taken::Items(items, _) = self.queue.take(Duration::ZERO, None) {
            for item in items {
                match item {
                    Item::Append(_) => lost += 1,
                    Item::Durable(_, answer) => drop(answer.send(Err(error.clone()))),
                    Item::Barrier(answer) => drop(answer.send(Err(error.clone()))),
                }
            }
        }
        tracing::error!(%error, lost, "the audit trail has failed; records waiting for the disk are lost");
    }
}

struct EndOnPanic(Arc<Queue>);

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(Error::Failed("the thread that writes it has panicked".into()));
            // Whoever waits for an answer learns that none will come.
            while let Taken::Items(..) = self.0.take(Duration::ZERO, None) {}
        }
    }
}
