//! What a block says of its records is what was written, whatever it is; and each block says it
//! alone.

mod common;

use common::{statement, store_of, written};
use pgwarrant_audit::body::BODY_BYTES;
use pgwarrant_audit::chain::{self, Block, Body, OVERHEAD_BYTES};
use pgwarrant_audit::{
    Decision, Entry, Error, Event, Head, Kind, Phase, Record, RecordedError, Settings, Trail, verify,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// The first and the last time that a calendar shows, about, in µs.
const TIMES: std::ops::Range<i64> = -377_000_000_000_000_000..253_000_000_000_000_000;

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), 0..200u64, any::<u64>()]
}

fn record() -> impl Strategy<Value = Record> {
    let text = || vec(any::<char>(), 0..12).prop_map(String::from_iter);
    let names = || vec(vec(any::<char>(), 0..6).prop_map(String::from_iter), 0..4);
    let event = (
        prop_oneof![Just(0), Just(TIMES.start), Just(TIMES.end), TIMES],
        (select(Kind::ALL), select(Decision::ALL), select(Phase::ALL)),
        (option::of(number()), number(), number(), number()),
        (option::of((text(), text())), option::of(text())),
    );
    let who = (number(), text(), names(), text(), text(), text(), any::<bool>());
    let shape = (text(), number(), text(), [names(), names(), names()], vec(number(), 0..4));
    let why = (option::of(text()), option::of(text()));
    (event, who, shape, why).prop_map(|(event, who, shape, why)| Record {
        seq: 0,
        at: event.0,
        kind: event.1.0,
        phase: event.1.2,
        intent_of: event.2.0,
        decision: event.1.1,
        session: who.0,
        user: who.1.into(),
        groups: who.2.into(),
        address: who.3.into(),
        application: who.4.into(),
        database: who.5.into(),
        tls: who.6,
        class: shape.0.into(),
        fingerprint: shape.1,
        text: shape.2.into(),
        relations: shape.3[0].clone(),
        masked: shape.3[1].clone(),
        raw: shape.3[2].clone(),
        grants: shape.4,
        purpose: why.0,
        ticket: why.1,
        rows: event.2.1,
        bytes: event.2.2,
        duration_us: event.2.3,
        error: event.3.0.map(|(sqlstate, message)| RecordedError { sqlstate, message }),
        note: event.3.1,
    })
}

/// The blocks that these records make.
fn blocks(records: &[Record]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    let mut body = Body::default();
    for record in records {
        bodies.extend(body.push_record(record));
    }
    bodies.push(body);
    let mut head: Option<Head> = None;
    let mut sealed = |body| {
        let (block, new) = chain::seal(head.as_ref(), body, 0);
        head = Some(new);
        block
    };
    bodies.into_iter().map(&mut sealed).collect()
}

fn read(block: &[u8]) -> Vec<Record> {
    Block::read(block).expect("a block").records().expect("records")
}

proptest! {
    #[test]
    fn every_record_comes_back_as_it_was(mut records in vec(record(), 1..40)) {
        let found: Vec<Record> = blocks(&records).iter().flat_map(|block| read(block)).collect();
        for (record, seq) in records.iter_mut().zip(1..) {
            record.seq = seq;
        }
        prop_assert_eq!(found, records);
    }

    /// A block whose hash was made to fit says something or nothing, and does no harm.
    #[test]
    fn no_change_of_a_body_makes_the_reader_panic(
        records in vec(record(), 1..6),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        count in option::of(any::<u32>()),
    ) {
        let block = blocks(&records).swap_remove(0);
        let mut body = block[OVERHEAD_BYTES - 32..block.len() - 32].to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let count = count.unwrap_or(records.len() as u32).max(1);
        let (block, _) = chain::seal(None, Body::of_bytes(&body, count, 0), 0);
        if let Ok(found) = Block::read(&block).expect("its hash is right").records() {
            prop_assert_eq!(found.len(), count as usize);
        }
    }
}

#[test]
fn what_sessions_and_statements_share_is_in_each_block_once() {
    let entries: Vec<Entry> = (0..3).map(|number| statement(number).into()).collect();
    let mut body = Body::default();
    let mut full = Vec::new();
    let mut written = 0u64;
    while full.len() < 3 {
        let entry = &entries[written as usize % 3];
        let event = Event { at: common::MARCH + written as i64, rows: 1, ..entry.event.clone() };
        full.extend(body.push(&entry.who, &entry.shape, &event));
        written += 1;
    }
    // Whoever writes into two trails at once is told apart in each.
    let mut other = Body::default();
    assert!(other.push(&entries[0].who, &entries[1].shape, &entries[0].event).is_none());
    assert!(body.push(&entries[0].who, &entries[1].shape, &entries[0].event).is_none());
    full.extend([body, other]);

    for (index, body) in full.into_iter().enumerate() {
        assert!(body.len() <= BODY_BYTES);
        let (block, _) = chain::seal(None, body, 0);
        let records = read(&block);
        assert!(index > 2 || records.len() > 400, "{} records", records.len());
        let text = b"select email from customers";
        let texts = block.windows(text.len()).filter(|found| found == text).count();
        assert!(texts <= 3, "{texts}");
        for record in records {
            assert_eq!((&*record.user, record.session), ("ada", 7));
            assert_eq!(record.relations, ["public.customers"]);
            assert!(record.text.starts_with("select email from customers where id = ? -- "));
        }
    }
}

#[test]
fn a_long_block_of_many_records_is_refused_before_it_is_read() {
    // One long text, and record after record that repeats it.
    let long = Record { text: "x".repeat(BODY_BYTES).into(), ..statement(1) };
    let entry = Entry::from(long);
    let mut body = Body::default();
    assert!(body.push(&entry.who, &entry.shape, &entry.event).is_none(), "alone, it may be longer");
    let (block, _) = chain::seal(None, body, 0);
    let mut bytes = block[OVERHEAD_BYTES - 32..block.len() - 32].to_vec();
    assert_eq!(read(&block).len(), 1);
    // Kind and decision, parts, who, what, time.
    bytes.extend([0x71, 0, 1, 1, 0].repeat(1000));
    let (block, _) = chain::seal(None, Body::of_bytes(&bytes, 1001, 0), 0);
    let damage = Block::read(&block).expect("its hash is right").records().expect_err("too long");
    assert!(damage.to_string().contains("not that long"), "{damage}");
}

#[tokio::test]
async fn a_trail_of_another_layout_is_told_as_that_and_left_alone() {
    let mut contents = written(2, 1).await.contents().clone();
    for block in contents.blocks.values_mut() {
        block[5] = 1;
    }
    let error = Trail::with_store(store_of(contents.clone()), Settings::default()).expect_err("refused");
    assert!(matches!(error, Error::OtherLayout(1)), "{error}");
    assert!(error.hint().contains("empty directory"));
    let report = verify(&store_of(contents), None).expect("verified");
    assert!(report.problems[0].detail.contains("version 1"), "{}", report.problems[0]);
}
