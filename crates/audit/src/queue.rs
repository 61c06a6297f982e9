//! What waits to be written: bounded in bytes, many writers, one reader.
//!
//! A record is encoded where it is made, straight into the block that is being gathered: that takes
//! less than handing it over would. It costs a lock, and no wake-up while the reader lingers: it
//! sleeps through records nobody waits for, until it is time to seal them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::body::Body;
use crate::error::Error;
use crate::event::{Event, Shape, Who};

/// As much as this is worth waking the reader for, in bytes.
const WORTHWHILE_BYTES: usize = 128 << 10;

/// Who waits until everything handed over before can be read.
pub(crate) type Barrier = oneshot::Sender<Result<(), Error>>;

/// What is there to be written.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// None of them empty, oldest first.
    pub bodies: Vec<Body>,
    /// A record among them is to be durable.
    pub sync: bool,
    pub barriers: Vec<Barrier>,
}

/// What [`Queue::take`] woke up for.
#[derive(Debug)]
pub(crate) enum Taken {
    /// To be given back with [`Queue::written`] once it is.
    Work(Work),
    /// Nothing came until the given moment.
    Idle,
    /// Nothing left, and nothing will come.
    Closed,
}

/// What the reader is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// It writes, or is waking up, and will look by itself.
    Busy,
    /// It will look by itself in a while, and is woken for what cannot wait.
    Lingering,
    /// It waits a moment for others who are likely to want the next sync.
    Gathering,
    /// It has nothing to do.
    Asleep,
}

#[derive(Debug)]
struct State {
    /// Full ones, oldest first.
    full: Vec<Body>,
    /// The one that is being gathered.
    body: Body,
    barriers: Vec<Barrier>,
    /// How many of the records are to be durable.
    urgent: usize,
    /// How many are likely to be, of those that share the next sync.
    expected: usize,
    /// How many shared the last one.
    last: usize,
    /// Sequence number of the next record.
    next_seq: u64,
    /// Of full bodies, here or being written.
    bytes: usize,
    reader: Reader,
    /// Why nothing more is taken.
    ended: Option<Error>,
}

impl State {
    fn is_empty(&self) -> bool {
        self.body.is_empty() && self.full.is_empty() && self.barriers.is_empty()
    }

    /// Everything that waits, in bytes.
    fn load(&self) -> usize {
        self.bytes + self.body.len()
    }

    /// Must the reader be woken for what has come? A wake-up is a system call, so once only.
    fn wakes(&mut self, urgent: bool) -> bool {
        let wakes = match self.reader {
            Reader::Busy => false,
            Reader::Lingering | Reader::Gathering => urgent,
            Reader::Asleep => true,
        };
        if wakes {
            self.reader = Reader::Busy;
        }
        wakes
    }
}

#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    arrival: Condvar,
    room: Notify,
    capacity: usize,
    worthwhile: usize,
}

impl Queue {
    /// `capacity` in bytes; the next record is of number `next_seq`.
    pub(crate) fn new(capacity: usize, next_seq: u64) -> Queue {
        let state = State {
            full: Vec::new(),
            body: Body::default(),
            barriers: Vec::new(),
            urgent: 0,
            expected: 0,
            last: 0,
            next_seq,
            bytes: 0,
            reader: Reader::Busy,
            ended: None,
        };
        Queue {
            state: Mutex::new(state),
            arrival: Condvar::new(),
            room: Notify::new(),
            capacity,
            worthwhile: WORTHWHILE_BYTES.min(capacity / 2),
        }
    }

    /// Takes a record if there is room, and gives its sequence number. `durable`: a sync is to follow
    /// at once. None: there is no room now.
    ///
    /// There is room as long as less waits than the capacity, so that no record is too large.
    pub(crate) fn try_put(
        &self,
        who: &Who,
        shape: &Shape,
        event: &Event,
        durable: bool,
    ) -> Result<Option<u64>, Error> {
        let mut state = self.state();
        if let Some(ended) = &state.ended {
            return Err(ended.clone());
        }
        if !self.has_room(&state) {
            return Ok(None);
        }
        if let Some(full) = state.body.push(who, shape, event) {
            state.bytes += full.len();
            state.full.push(full);
        }
        let seq = state.next_seq;
        state.next_seq += 1;
        state.urgent += usize::from(durable);
        let urgent = durable || state.load() >= self.worthwhile;
        let gathers = state.reader == Reader::Gathering && state.urgent < state.expected;
        let wakes = !gathers && state.wakes(urgent);
        drop(state);
        if wakes {
            self.arrival.notify_one();
        }
        Ok(Some(seq))
    }

    /// The same, after waiting for room.
    pub(crate) async fn put(
        &self,
        who: &Who,
        shape: &Shape,
        event: &Event,
        durable: bool,
    ) -> Result<u64, Error> {
        loop {
            if let Some(seq) = self.try_put(who, shape, event, durable)? {
                return Ok(seq);
            }
            self.room().await;
        }
    }

    /// Until there is room, or nothing more is taken.
    pub(crate) async fn room(&self) {
        loop {
            // Room that is made from here on is not missed.
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            {
                let state = self.state();
                if state.ended.is_some() || self.has_room(&state) {
                    return;
                }
            }
            room.await;
        }
    }

    fn has_room(&self, state: &State) -> bool {
        let load = state.load();
        load == 0 || load < self.capacity
    }

    /// Has everything written that was handed over before.
    pub(crate) fn barrier(&self, answer: Barrier) -> Result<(), Error> {
        let mut state = self.state();
        if let Some(ended) = &state.ended {
            return Err(ended.clone());
        }
        state.barriers.push(answer);
        let wakes = state.wakes(true);
        drop(state);
        if wakes {
            self.arrival.notify_one();
        }
        Ok(())
    }

    /// Waits for something worth doing: at once if a record is to be durable or somebody waits for an
    /// answer, otherwise `linger` after the first record was seen. Gives up waiting for a first one at
    /// `until`.
    ///
    /// Before a sync, for `gather` at most, those are waited for who shared the last one and are likely
    /// back at once: as many of them as can be share the next.
    pub(crate) fn take(&self, linger: Duration, gather: Duration, until: Option<Instant>) -> Taken {
        let mut state = self.state();
        // Those who came during the last sync, and those who have just been answered.
        state.expected = state.urgent + state.last;
        let mut now = Instant::now();
        // After work there is likely more: so the first look is after a linger, whether or not
        // anything has come yet.
        let mut due = Some(now + linger);
        let mut gathering = None;
        loop {
            let is_due = due.is_some_and(|due| now >= due);
            let urgent = state.urgent > 0 || !state.barriers.is_empty() || state.load() >= self.worthwhile;
            if urgent && state.ended.is_none() && state.gathers() {
                let until = *gathering.get_or_insert(now + gather);
                if now < until {
                    state.reader = Reader::Gathering;
                    let time = until.saturating_duration_since(now);
                    state = self.arrival.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0;
                    now = Instant::now();
                    continue;
                }
            }
            if !state.is_empty() && (urgent || is_due || state.ended.is_some()) {
                state.reader = Reader::Busy;
                return Taken::Work(state.take());
            }
            if state.is_empty() && state.ended.is_some() {
                return Taken::Closed;
            }
            if state.is_empty() && until.is_some_and(|until| now >= until) {
                state.reader = Reader::Busy;
                return Taken::Idle;
            }
            if is_due {
                due = None;
            }
            let moment = if state.is_empty() { earlier(due, until) } else { due };
            state.reader = if due.is_some() { Reader::Lingering } else { Reader::Asleep };
            state = match moment {
                Some(moment) => {
                    let time = moment.saturating_duration_since(now);
                    self.arrival.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.arrival.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            now = Instant::now();
            if due.is_none() && !state.is_empty() {
                due = Some(now + linger);
            }
        }
    }

    /// What was taken has been written: there is room.
    pub(crate) fn written(&self, bytes: usize) {
        let mut state = self.state();
        let full = state.load() >= self.capacity;
        state.bytes = state.bytes.saturating_sub(bytes);
        drop(state);
        if full {
            self.room.notify_waiters();
        }
    }

    /// Takes nothing more, and says why to everybody who tries; the first reason stays. What is
    /// queued stays for the reader.
    pub(crate) fn end(&self, why: Error) {
        let mut state = self.state();
        state.ended.get_or_insert(why);
        state.reader = Reader::Busy;
        drop(state);
        self.room.notify_waiters();
        self.arrival.notify_one();
    }

    /// Why nothing more is taken, if so.
    pub(crate) fn ended(&self) -> Option<Error> {
        self.state().ended.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while a record is encoded would leave half of it in the body; the encoder has none.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Is it worth waiting a moment for more who want a sync?
    fn gathers(&self) -> bool {
        (1..self.expected).contains(&self.urgent)
    }

    fn take(&mut self) -> Work {
        let sync = self.urgent > 0;
        if sync {
            self.last = std::mem::take(&mut self.urgent);
        }
        let mut bodies = std::mem::take(&mut self.full);
        if !self.body.is_empty() {
            let body = std::mem::take(&mut self.body);
            // It counts until it has been written.
            self.bytes += body.len();
            bodies.push(body);
        }
        Work { bodies, sync, barriers: std::mem::take(&mut self.barriers) }
    }
}

impl Work {
    /// Of its records.
    pub(crate) fn bytes(&self) -> usize {
        self.bodies.iter().map(Body::len).sum()
    }
}

fn earlier(first: Option<Instant>, second: Option<Instant>) -> Option<Instant> {
    match (first, second) {
        (Some(first), Some(second)) => Some(first.min(second)),
        (first, second) => first.or(second),
    }
}
