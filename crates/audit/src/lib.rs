//! The audit trail: who did what to whose data, when, why, and with whose approval.
//!
//! A [`Record`] an event. Records are gathered into blocks ([`body`]), each of which carries the hash
//! of the block before it ([`chain`]), and blocks are kept in sled, the newest of them in a journal
//! beside it ([`store`]). A [`Trail`] is the handle that sessions write through; one thread behind it
//! does the hashes and the disk. [`query`], [`follow`] and [`verify`](mod@verify) read. sled lets one process in at a time, so a running
//! proxy serves readers of other processes over a socket in its store ([`control`]).
//!
//! Invariants: sequence numbers start at 1 and have no gaps; a record is never dropped, writers wait
//! instead; memory is bounded; what [`Trail::durable`] has acknowledged survives the machine; once
//! the disk has failed, nothing is acknowledged any more, and the trail does not pretend to recover.
//!
//! What the chain proves: that no block was changed, removed, added or moved *since a head that
//! somebody noted elsewhere*. Who can write to the store and knows of no such head can recompute the
//! whole chain; so the head is logged at start and end, and `verify` takes the one you kept.
//!
//! Absent on purpose: signatures, retention, SQL, knowledge of what a statement means. Texts come
//! redacted; nothing here looks into them.

pub mod body;
pub mod chain;
pub mod control;
pub mod event;
pub mod follow;
pub mod query;
pub mod record;
pub mod store;
pub mod trail;
pub mod verify;

mod coding;
mod error;
mod journal;
mod queue;
mod sled_store;
mod writer;

pub use chain::{Hash, Head};
pub use error::Error;
pub use event::{Entry, Event, Shape, Who};
pub use follow::Follow;
pub use query::Filter;
pub use record::{Decision, Kind, Phase, Record, RecordedError};
pub use store::{BlockStore, MemoryStore, SledStore, open_database};
pub use trail::{Settings, Trail};
pub use verify::{Fault, OpenIntent, Problem, Report, verify};
