//! What waits to be written: bounded in bytes, many writers, one reader.
//!
//! Sending costs a lock and no wake-up while the reader lingers: it sleeps through records nobody
//! waits for, until it is time to seal them.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, TryAcquireError, oneshot};

use crate::error::Error;
use crate::record::Record;

/// As much as this is worth waking the reader for, in bytes.
const WORTHWHILE_BYTES: usize = 256 << 10;

/// One thing for the reader to do.
#[derive(Debug)]
pub(crate) enum Item {
    /// Write a record; nobody waits.
    Append(Box<Record>),
    /// Write a record and make it durable; the answer is its sequence number.
    Durable(Box<Record>, oneshot::Sender<Result<u64, Error>>),
    /// Answer when everything sent before can be read.
    Barrier(oneshot::Sender<Result<(), Error>>),
}

/// What [`Queue::take`] woke up for.
#[derive(Debug)]
pub(crate) enum Taken {
    /// These, and how many bytes to give back with [`Queue::give_back`] once they are written.
    Items(VecDeque<Item>, usize),
    /// Nothing came until the given moment.
    Idle,
    /// Nothing left, and nothing will come.
    Closed,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    bytes: usize,
    /// When the first of `items` came.
    since: Option<Instant>,
    /// Somebody waits for an answer.
    urgent: bool,
    /// Why nothing more is taken.
    ended: Option<Error>,
}

#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    arrival: Condvar,
    room: Semaphore,
    capacity: usize,
    worthwhile: usize,
}

impl Queue {
    /// `capacity` in bytes.
    pub(crate) fn new(capacity: usize) -> Queue {
        let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Queue {
            state: Mutex::default(),
            arrival: Condvar::new(),
            room: Semaphore::new(capacity),
            capacity,
            worthwhile: WORTHWHILE_BYTES.min(capacity / 2),
        }
    }

    /// Waits for room, then queues. What is heavier than the whole queue takes all of it.
    pub(crate) async fn send(&self, item: Item) -> Result<(), Error> {
        let weight = self.weight(&item);
        match self.room.acquire_many(weight).await {
            // Given back by the reader.
            Ok(permit) => permit.forget(),
            Err(_) => return Err(self.why_ended()),
        }
        self.push(item, weight)
    }

    /// Queues if there is room now; otherwise gives the item back.
    pub(crate) fn try_send(&self, item: Item) -> Result<Option<Item>, Error> {
        let weight = self.weight(&item);
        match self.room.try_acquire_many(weight) {
            Ok(permit) => permit.forget(),
            Err(TryAcquireError::NoPermits) => return Ok(Some(item)),
            Err(TryAcquireError::Closed) => return Err(self.why_ended()),
        }
        self.push(item, weight).map(|()| None)
    }

    /// Room for `weight` bytes has been taken.
    fn push(&self, item: Item, weight: u32) -> Result<(), Error> {
        let weight = weight as usize;
        let mut state = self.state();
        if let Some(ended) = &state.ended {
            return Err(ended.clone());
        }
        let urgent = !matches!(item, Item::Append(_));
        let wake = urgent && !state.urgent
            || state.items.is_empty()
            || state.bytes < self.worthwhile && state.bytes + weight >= self.worthwhile;
        state.urgent |= urgent;
        state.bytes += weight;
        state.since.get_or_insert_with(Instant::now);
        state.items.push_back(item);
        drop(state);
        if wake {
            self.arrival.notify_one();
        }
        Ok(())
    }

    fn weight(&self, item: &Item) -> u32 {
        // The capacity fits into 32 bits.
        item.weight().min(self.capacity) as u32
    }

    fn why_ended(&self) -> Error {
        // The semaphore closes after `ended` is set.
        self.ended().unwrap_or(Error::Closed)
    }

    /// Waits for something worth doing: at once if somebody waits for an answer, otherwise `linger`
    /// after the first record came. Gives up waiting for a first one at `until`.
    pub(crate) fn take(&self, linger: Duration, until: Option<Instant>) -> Taken {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let wait = match state.since {
                Some(since) => {
                    let due = since + linger;
                    let worthwhile = state.bytes >= self.worthwhile;
                    if state.urgent || worthwhile || state.ended.is_some() || now >= due {
                        state.since = None;
                        state.urgent = false;
                        let bytes = std::mem::take(&mut state.bytes);
                        return Taken::Items(std::mem::take(&mut state.items), bytes);
                    }
                    Some(due - now)
                }
                None if state.ended.is_some() => return Taken::Closed,
                None => match until {
                    Some(until) if now >= until => return Taken::Idle,
                    Some(until) => Some(until - now),
                    None => None,
                },
            };
            state = match wait {
                Some(wait) => {
                    self.arrival.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.arrival.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Makes room for as many bytes.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.room.add_permits(bytes);
    }

    /// Takes nothing more, and says why to everybody who tries; the first reason stays. What is
    /// queued stays for the reader.
    pub(crate) fn end(&self, why: Error) {
        self.state().ended.get_or_insert(why);
        self.room.close();
        self.arrival.notify_one();
    }

    /// Why nothing more is taken, if so.
    pub(crate) fn ended(&self) -> Option<Error> {
        self.state().ended.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Item {
    fn weight(&self) -> usize {
        match self {
            Item::Append(record) | Item::Durable(record, _) => size_of::<Item>() + record.weight(),
            Item::Barrier(_) => size_of::<Item>(),
        }
    }
}
