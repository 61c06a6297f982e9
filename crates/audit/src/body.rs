//! The records of a block as bytes.
//!
//! Numbers and texts are as in [`crate::coding`]. A record:
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 1 | kind in the upper half, decision in the lower |
//! | 1 | which of the optional parts are there |
//! | number | who acts: 0 for nobody, otherwise its place among those of this block, from 1 |
//! | … | the first time: session, user, groups, address, application, database, TLS |
//! | number | what is done: 0 for nothing, otherwise its place, likewise |
//! | … | the first time: class, fingerprint (8 bytes, big-endian), text, relations, masked, raw, grants, purpose, ticket, note |
//! | signed | time, µs since that of the record before, or since 1970 |
//! | … | as far as they are there: sequence number of the intent, rows, bytes, duration in µs, error (SQLSTATE, message), note |
//!
//! A list is how many, and each of them; a text that may be missing is 0, or its length + 1 and
//! its bytes. So a record of a statement that was there before takes a dozen bytes, and a block can
//! be read without any other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::chain::{Damage, HEADER_BYTES, OVERHEAD_BYTES};
use crate::coding::{Reader, Wrong, put_number, put_optional_text, put_signed, put_text};
use crate::event::{Entry, Event, Place, Shape, Who};
use crate::record::{Decision, Kind, LIST_BYTES, NAME_BYTES, Phase, Record, RecordedError, TEXT_BYTES};
use crate::store::PART_BYTES;

/// A body of several records is never longer than this, so that its block is one entry of the
/// store; only a record that alone is longer makes a longer one.
pub const BODY_BYTES: usize = PART_BYTES - OVERHEAD_BYTES;

/// The shortest record: kind and decision, parts, who, what, time.
const RECORD_BYTES: usize = 5;

/// The most grants that a record names.
const GRANTS: usize = LIST_BYTES / size_of::<u64>();

const INTENT: u8 = 1;
const INTENT_OF: u8 = 1 << 1;
const ROWS: u8 = 1 << 2;
const BYTES: u8 = 1 << 3;
const DURATION: u8 = 1 << 4;
const ERROR: u8 = 1 << 5;
const NOTE: u8 = 1 << 6;
const ALL: u8 = (1 << 7) - 1;

/// The records of a block that is being gathered.
#[derive(Debug)]
pub struct Body {
    /// With room for the block's header in front.
    pub(crate) bytes: Vec<u8>,
    pub(crate) count: u32,
    /// The latest of its records' times, µs.
    pub(crate) latest: Option<i64>,
    /// Time of the last record, µs.
    before: i64,
    /// Which gathering it is, of this process.
    gathering: u64,
    whos: u64,
    shapes: u64,
}

impl Default for Body {
    fn default() -> Body {
        static GATHERINGS: AtomicU64 = AtomicU64::new(1);
        let mut bytes = Vec::with_capacity(PART_BYTES);
        bytes.resize(HEADER_BYTES, 0);
        Body {
            bytes,
            count: 0,
            latest: None,
            before: 0,
            gathering: GATHERINGS.fetch_add(1, Ordering::Relaxed),
            whos: 0,
            shapes: 0,
        }
    }
}

impl Body {
    /// Any bytes as if they were `count` records, the latest of time `latest` (µs): for tests.
    pub fn of_bytes(bytes: &[u8], count: u32, latest: i64) -> Body {
        let mut body = Body { count, latest: Some(latest), ..Body::default() };
        body.bytes.extend_from_slice(bytes);
        body
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// In bytes.
    pub fn len(&self) -> usize {
        self.bytes.len() - HEADER_BYTES
    }

    /// Adds the record that follows; if it does not fit, it is the first of a new body, and what was
    /// gathered before comes back.
    pub fn push(&mut self, who: &Who, shape: &Shape, event: &Event) -> Option<Body> {
        let length = self.bytes.len();
        self.encode(who, shape, event);
        let full = self.count > 0 && self.len() > BODY_BYTES;
        if full {
            self.bytes.truncate(length);
            let full = std::mem::take(self);
            self.encode(who, shape, event);
            self.counted(event);
            return Some(full);
        }
        self.counted(event);
        None
    }

    /// The same with a record in one piece.
    pub fn push_record(&mut self, record: &Record) -> Option<Body> {
        let entry = Entry::from(record.clone());
        self.push(&entry.who, &entry.shape, &entry.event)
    }

    fn counted(&mut self, event: &Event) {
        let at = shown(event.at);
        self.count += 1;
        self.before = at;
        self.latest = self.latest.max(Some(at));
    }

    fn encode(&mut self, who: &Who, shape: &Shape, event: &Event) {
        let parts = part(INTENT, event.phase == Phase::Intent)
            | part(INTENT_OF, event.intent_of.is_some())
            | part(ROWS, event.rows > 0)
            | part(BYTES, event.bytes > 0)
            | part(DURATION, event.duration_us > 0)
            | part(ERROR, event.error.is_some())
            | part(NOTE, event.note.is_some());
        self.bytes.extend_from_slice(&[(event.kind as u8) << 4 | event.decision as u8, parts]);
        if part_number(&mut self.bytes, &who.place, self.gathering, &mut self.whos, || who.is_nothing()) {
            put_who(&mut self.bytes, who);
        }
        if part_number(&mut self.bytes, &shape.place, self.gathering, &mut self.shapes, || shape.is_nothing())
        {
            put_shape(&mut self.bytes, shape);
        }
        let bytes = &mut self.bytes;
        // Both are within a calendar, whose ends are far from those of the number.
        put_signed(bytes, shown(event.at) - self.before);
        if let Some(intent) = event.intent_of {
            put_number(bytes, intent);
        }
        for number in [event.rows, event.bytes, event.duration_us] {
            if number > 0 {
                put_number(bytes, number);
            }
        }
        if let Some(error) = &event.error {
            put_text(bytes, &error.sqlstate, NAME_BYTES);
            put_text(bytes, &error.message, TEXT_BYTES);
        }
        if let Some(note) = &event.note {
            put_text(bytes, note, TEXT_BYTES);
        }
    }
}

fn part(part: u8, there: bool) -> u8 {
    if there { part } else { 0 }
}

/// A time that no calendar has becomes one it has.
fn shown(at: i64) -> i64 {
    at.clamp(Timestamp::MIN.as_microsecond(), Timestamp::MAX.as_microsecond())
}

/// Puts the number of a part; true if what it stands for must follow.
fn part_number(
    bytes: &mut Vec<u8>,
    place: &Place,
    gathering: u64,
    numbers: &mut u64,
    is_nothing: impl FnOnce() -> bool,
) -> bool {
    if let Some(number) = place.number(gathering) {
        put_number(bytes, number);
        return false;
    }
    if is_nothing() {
        put_number(bytes, 0);
        return false;
    }
    *numbers += 1;
    place.set(gathering, *numbers);
    put_number(bytes, *numbers);
    true
}

impl Who {
    fn is_nothing(&self) -> bool {
        self.session == 0
            && !self.tls
            && self.groups.is_empty()
            && [&self.user, &self.address, &self.application, &self.database]
                .iter()
                .all(|text| text.is_empty())
    }
}

impl Shape {
    fn is_nothing(&self) -> bool {
        self.fingerprint == 0
            && self.class.is_empty()
            && self.text.is_empty()
            && self.grants.is_empty()
            && [&self.relations, &self.masked, &self.raw].iter().all(|names| names.is_empty())
            && [&self.purpose, &self.ticket, &self.note].iter().all(|text| text.is_none())
    }
}

fn put_who(bytes: &mut Vec<u8>, who: &Who) {
    put_number(bytes, who.session);
    put_text(bytes, &who.user, NAME_BYTES);
    put_names(bytes, &who.groups);
    put_text(bytes, &who.address, NAME_BYTES);
    put_text(bytes, &who.application, NAME_BYTES);
    put_text(bytes, &who.database, NAME_BYTES);
    bytes.push(u8::from(who.tls));
}

fn put_shape(bytes: &mut Vec<u8>, shape: &Shape) {
    put_text(bytes, &shape.class, NAME_BYTES);
    bytes.extend_from_slice(&shape.fingerprint.to_be_bytes());
    put_text(bytes, &shape.text, TEXT_BYTES);
    for names in [&shape.relations, &shape.masked, &shape.raw] {
        put_names(bytes, names);
    }
    let grants = shape.grants.get(..GRANTS).unwrap_or(&shape.grants);
    put_number(bytes, grants.len() as u64);
    for grant in grants {
        put_number(bytes, *grant);
    }
    for text in [&shape.purpose, &shape.ticket, &shape.note] {
        put_optional_text(bytes, text.as_deref(), TEXT_BYTES);
    }
}

/// A list that is too long is cut, and its last name says how many are missing.
fn put_names(bytes: &mut Vec<u8>, names: &[String]) {
    // A list of very many empty names is long, too.
    let weight = |name: &String| name.len().min(NAME_BYTES) + size_of::<String>();
    let mut left = LIST_BYTES;
    let fits = |name: &&String| {
        let fits = weight(name) <= left;
        left = left.saturating_sub(weight(name));
        fits
    };
    let kept = names.iter().take_while(fits).count();
    let missing = names.len() - kept;
    put_number(bytes, kept as u64 + u64::from(missing > 0));
    for name in names.iter().take(kept) {
        put_text(bytes, name, NAME_BYTES);
    }
    if missing > 0 {
        put_text(bytes, &format!("… and {missing} more"), NAME_BYTES);
    }
}

/// The records of a body, oldest first; exactly `count` of them, the first of number `first_seq`.
/// Takes memory in proportion to the body, whatever is in it.
pub(crate) fn records(first_seq: u64, count: u32, body: &[u8]) -> Result<Vec<Record>, Damage> {
    // What one record brings, the others repeat.
    if count > 1 && body.len() > BODY_BYTES {
        let reason = "a block of several records is not that long".to_owned();
        return Err(Damage::Record { index: count, reason });
    }
    let mut parts = Parts::default();
    let mut records = Vec::with_capacity((count as usize).min(body.len() / RECORD_BYTES));
    let mut reader = Reader(body);
    for index in 0..count {
        let entry =
            parts.entry(&mut reader).map_err(|wrong| Damage::Record { index, reason: wrong.to_string() })?;
        records.push(entry.into_record(first_seq.saturating_add(u64::from(index))));
    }
    match reader.0.is_empty() {
        true => Ok(records),
        false => {
            let reason = "there are bytes after the last one".to_owned();
            Err(Damage::Record { index: count, reason })
        }
    }
}

/// What the records before have brought.
#[derive(Default)]
struct Parts {
    whos: Vec<Arc<Who>>,
    shapes: Vec<Arc<Shape>>,
    nobody: Arc<Who>,
    nothing: Arc<Shape>,
    before: i64,
}

impl Parts {
    fn entry(&mut self, reader: &mut Reader<'_>) -> Result<Entry, Wrong> {
        let tag = reader.byte()?;
        let kind = *Kind::ALL.get(usize::from(tag >> 4)).ok_or(Wrong::Unknown("a kind"))?;
        let decision = *Decision::ALL.get(usize::from(tag & 0x0f)).ok_or(Wrong::Unknown("a decision"))?;
        let parts = reader.byte()?;
        if parts & !ALL != 0 {
            return Err(Wrong::Unknown("a part"));
        }
        let has = |part: u8| parts & part != 0;
        let who = known(reader, &mut self.whos, &self.nobody, who)?;
        let shape = known(reader, &mut self.shapes, &self.nothing, shape)?;
        let at = self.before.checked_add(reader.signed()?).ok_or(Wrong::Number)?;
        self.before = at;
        let mut number = |part: u8| if has(part) { reader.number() } else { Ok(0) };
        let intent_of = number(INTENT_OF)?;
        let (rows, bytes, duration_us) = (number(ROWS)?, number(BYTES)?, number(DURATION)?);
        let error = match has(ERROR) {
            true => {
                let sqlstate = reader.text()?.to_owned();
                Some(RecordedError { sqlstate, message: reader.text()?.to_owned() })
            }
            false => None,
        };
        let note = if has(NOTE) { Some(reader.text()?.to_owned()) } else { None };
        let event = Event {
            at,
            kind,
            phase: if has(INTENT) { Phase::Intent } else { Phase::Outcome },
            intent_of: has(INTENT_OF).then_some(intent_of),
            decision,
            rows,
            bytes,
            duration_us,
            error,
            note,
        };
        Ok(Entry { who, shape, event })
    }
}

/// The part of the number that comes; read, if it is a new one.
fn known<T>(
    reader: &mut Reader<'_>,
    parts: &mut Vec<Arc<T>>,
    nothing: &Arc<T>,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, Wrong>,
) -> Result<Arc<T>, Wrong> {
    let number = reader.number()?;
    let Some(index) = number.checked_sub(1) else { return Ok(nothing.clone()) };
    if index == parts.len() as u64 {
        let part = Arc::new(read(reader)?);
        parts.push(part.clone());
        return Ok(part);
    }
    let found = usize::try_from(index).ok().and_then(|index| parts.get(index));
    found.cloned().ok_or(Wrong::Unknown("a session or a statement"))
}

fn who(reader: &mut Reader<'_>) -> Result<Who, Wrong> {
    Ok(Who {
        session: reader.number()?,
        user: reader.text()?.into(),
        groups: names(reader)?.into(),
        address: reader.text()?.into(),
        application: reader.text()?.into(),
        database: reader.text()?.into(),
        tls: match reader.byte()? {
            0 => false,
            1 => true,
            _ => return Err(Wrong::Unknown("a kind of connection")),
        },
        place: Place::default(),
    })
}

fn shape(reader: &mut Reader<'_>) -> Result<Shape, Wrong> {
    Ok(Shape {
        class: reader.text()?.to_owned().into(),
        fingerprint: u64::from_be_bytes(reader.array()?),
        text: reader.text()?.into(),
        relations: names(reader)?,
        masked: names(reader)?,
        raw: names(reader)?,
        grants: (0..reader.count()?).map(|_| reader.number()).collect::<Result<_, _>>()?,
        purpose: reader.optional_text()?.map(str::to_owned),
        ticket: reader.optional_text()?.map(str::to_owned),
        note: reader.optional_text()?.map(str::to_owned),
        place: Place::default(),
    })
}

fn names(reader: &mut Reader<'_>) -> Result<Vec<String>, Wrong> {
    (0..reader.count()?).map(|_| reader.text().map(str::to_owned)).collect()
}
