//! A record in three parts, by how long each of them holds: who acts is the same for a whole
//! session, what a statement is for every run of it, and only the rest is an event's own.
//!
//! So whoever writes the trail makes the first two once, and a block holds each of them once.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::record::{Decision, Kind, Phase, Record, RecordedError};

/// Who acts, and from where; the fields are those of [`Record`].
#[derive(Debug, Default)]
pub struct Who {
    pub session: u64,
    pub user: Arc<str>,
    pub groups: Arc<[String]>,
    pub address: Arc<str>,
    pub application: Arc<str>,
    pub database: Arc<str>,
    pub tls: bool,
    pub place: Place,
}

/// What is done; the fields are those of [`Record`].
#[derive(Debug, Default)]
pub struct Shape {
    pub class: Cow<'static, str>,
    pub fingerprint: u64,
    pub text: Arc<str>,
    pub relations: Vec<String>,
    pub masked: Vec<String>,
    pub raw: Vec<String>,
    pub grants: Vec<u64>,
    pub purpose: Option<String>,
    pub ticket: Option<String>,
    /// Of an event that has none of its own.
    pub note: Option<String>,
    pub place: Place,
}

/// What is left; the fields are those of [`Record`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub at: i64,
    pub kind: Kind,
    pub phase: Phase,
    pub intent_of: Option<u64>,
    pub decision: Decision,
    pub rows: u64,
    pub bytes: u64,
    pub duration_us: u64,
    pub error: Option<RecordedError>,
    pub note: Option<String>,
}

impl Event {
    /// Of which nothing is told yet but its kind, its decision and its time; an outcome.
    pub fn new(kind: Kind, decision: Decision, at: i64) -> Event {
        Event {
            at,
            kind,
            phase: Phase::Outcome,
            intent_of: None,
            decision,
            rows: 0,
            bytes: 0,
            duration_us: 0,
            error: None,
            note: None,
        }
    }
}

/// A whole record, in parts.
#[derive(Clone, Debug)]
pub struct Entry {
    pub who: Arc<Who>,
    pub shape: Arc<Shape>,
    pub event: Event,
}

impl From<Record> for Entry {
    fn from(record: Record) -> Entry {
        let who = Who {
            session: record.session,
            user: record.user,
            groups: record.groups,
            address: record.address,
            application: record.application,
            database: record.database,
            tls: record.tls,
            place: Place::default(),
        };
        let shape = Shape {
            class: record.class,
            fingerprint: record.fingerprint,
            text: record.text,
            relations: record.relations,
            masked: record.masked,
            raw: record.raw,
            grants: record.grants,
            purpose: record.purpose,
            ticket: record.ticket,
            note: None,
            place: Place::default(),
        };
        let event = Event {
            at: record.at,
            kind: record.kind,
            phase: record.phase,
            intent_of: record.intent_of,
            decision: record.decision,
            rows: record.rows,
            bytes: record.bytes,
            duration_us: record.duration_us,
            error: record.error,
            note: record.note,
        };
        Entry { who: Arc::new(who), shape: Arc::new(shape), event }
    }
}

impl Entry {
    /// The record of this number.
    pub fn into_record(self, seq: u64) -> Record {
        let (who, shape, event) = (&*self.who, &*self.shape, self.event);
        Record {
            seq,
            at: event.at,
            kind: event.kind,
            phase: event.phase,
            intent_of: event.intent_of,
            decision: event.decision,
            session: who.session,
            user: who.user.clone(),
            groups: who.groups.clone(),
            address: who.address.clone(),
            application: who.application.clone(),
            database: who.database.clone(),
            tls: who.tls,
            class: shape.class.clone(),
            fingerprint: shape.fingerprint,
            text: shape.text.clone(),
            relations: shape.relations.clone(),
            masked: shape.masked.clone(),
            raw: shape.raw.clone(),
            grants: shape.grants.clone(),
            purpose: shape.purpose.clone(),
            ticket: shape.ticket.clone(),
            rows: event.rows,
            bytes: event.bytes,
            duration_us: event.duration_us,
            error: event.error,
            note: event.note.or_else(|| shape.note.clone()),
        }
    }
}

/// Where a part stands in the block that is being gathered: so that finding it there costs one
/// comparison. Read and written under the queue's lock only.
#[derive(Debug, Default)]
pub struct Place(AtomicU64);

/// Parts of one kind in one block, at most; the number of a block's gathering takes the other bits.
pub(crate) const PARTS: u64 = 1 << 16;

impl Place {
    /// Its number in the block of this gathering, from 1.
    pub(crate) fn number(&self, gathering: u64) -> Option<u64> {
        let place = self.0.load(Ordering::Relaxed);
        (place / PARTS == gathering).then_some(place % PARTS)
    }

    pub(crate) fn set(&self, gathering: u64, number: u64) {
        self.0.store(gathering * PARTS + number, Ordering::Relaxed);
    }
}
