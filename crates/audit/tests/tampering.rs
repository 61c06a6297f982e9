//! Whatever is done to the stored trail, `verify` finds it, and says where.

mod common;

use common::{intent, statement, store_of, written};
use pgwarrant_audit::chain::{self, Block, Body};
use pgwarrant_audit::store::{Contents, open_existing};
use pgwarrant_audit::{Fault, Hash, Head, Report, Settings, SledStore, Trail, open_database, verify};
use proptest::prelude::*;

fn found(contents: &Contents) -> Report {
    verify(&store_of(contents.clone()), None).expect("verify reads memory")
}

fn faults(report: &Report) -> Vec<(u64, Fault)> {
    report.problems.iter().map(|problem| (problem.block, problem.fault)).collect()
}

#[tokio::test]
async fn an_untouched_trail_is_intact() {
    let report = found(&written(5, 4).await.contents());
    assert!(report.is_intact(), "{:?}", report.problems);
    assert_eq!((report.blocks, report.records), (5, 20));
    assert_eq!(report.first_time, Some(common::MARCH));
    assert_eq!(report.last_time, Some(common::MARCH + 19_000_000));
    assert_eq!(report.head.map(|head| (head.block, head.seq)), Some((4, 20)));
}

#[tokio::test]
async fn an_empty_trail_is_intact() {
    assert!(found(&Contents::default()).is_intact());
}

#[tokio::test]
async fn a_change_of_any_byte_of_any_block_is_found_in_that_block() {
    let original = written(3, 2).await.contents().clone();
    for (number, block) in &original.blocks {
        for index in 0..block.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut changed = original.clone();
                changed.blocks.get_mut(number).expect("the block")[index] ^= flip;
                let report = found(&changed);
                assert_eq!(faults(&report), [(*number, Fault::Damaged)], "byte {index} of block {number}");
            }
        }
    }
}

#[tokio::test]
async fn a_change_of_any_byte_of_the_head_is_found() {
    let original = written(3, 2).await.contents().clone();
    // The time is there for whoever continues the chain, and is checked against the block then.
    let time = 16..24;
    let length = original.head.as_ref().expect("a head").len();
    for index in (0..length).filter(|index| !time.contains(index)) {
        let mut changed = original.clone();
        changed.head.as_mut().expect("a head")[index] ^= 1;
        let report = found(&changed);
        assert!(!report.is_intact(), "byte {index} of the head");
    }
    for index in 0..length {
        let mut changed = original.clone();
        changed.head.as_mut().expect("a head")[index] ^= 1;
        assert!(
            Trail::with_store(store_of(changed), Settings::default()).is_err(),
            "byte {index}: nothing goes on"
        );
    }
}

#[tokio::test]
async fn bytes_cut_off_or_added_are_found() {
    let original = written(3, 2).await.contents().clone();
    let length = original.blocks[&1].len();
    for keep in 0..length {
        let mut changed = original.clone();
        changed.blocks.get_mut(&1).expect("the block").truncate(keep);
        assert_eq!(faults(&found(&changed)), [(1, Fault::Damaged)], "{keep} of {length} bytes");
    }
    let mut changed = original.clone();
    changed.blocks.get_mut(&1).expect("the block").push(0);
    assert_eq!(faults(&found(&changed)), [(1, Fault::Damaged)]);
}

#[tokio::test]
async fn the_removal_of_any_blocks_is_found_where_they_were() {
    let original = written(6, 2).await.contents().clone();
    for from in 0..6 {
        for to in from + 1..=6 {
            let mut changed = original.clone();
            changed.blocks.retain(|number, _| !(from..to).contains(number));
            let report = found(&changed);
            assert_eq!(faults(&report), [(from, Fault::Missing)], "blocks {from} to {to}");
            assert_eq!(report.blocks, 6 - (to - from), "the others are read nevertheless");
        }
    }
}

#[tokio::test]
async fn removed_blocks_are_found_when_the_others_are_renumbered() {
    let original = written(6, 2).await.contents().clone();
    for gone in 0..6 {
        let mut changed = Contents { head: original.head.clone(), ..Contents::default() };
        let left =
            original.blocks.iter().filter(|(number, _)| **number != gone).map(|(_, block)| block.clone());
        changed.blocks = (0..).zip(left).collect();
        let report = found(&changed);
        assert_eq!(report.problems.first().map(|problem| problem.block), Some(gone), "{:?}", report.problems);
    }
}

#[tokio::test]
async fn reordered_and_repeated_blocks_are_found() {
    let original = written(5, 2).await.contents().clone();
    for a in 0..5 {
        for b in (0..5).filter(|b| *b != a) {
            let mut swapped = original.clone();
            swapped.blocks.insert(a, original.blocks[&b].clone());
            swapped.blocks.insert(b, original.blocks[&a].clone());
            assert_eq!(found(&swapped).problems[0].block, a.min(b));
            assert_eq!(found(&swapped).problems[0].fault, Fault::Misplaced);

            let mut repeated = original.clone();
            repeated.blocks.insert(a, original.blocks[&b].clone());
            assert_eq!(faults(&found(&repeated)), [(a, Fault::Misplaced)]);
        }
    }
    let mut added = original.clone();
    added.blocks.insert(5, original.blocks[&4].clone());
    assert!(!found(&added).is_intact());
}

/// The last blocks go, and the head is set back with skill: only who kept a head can tell.
#[tokio::test]
async fn a_trail_cut_off_with_its_head_is_found_by_a_kept_head() {
    let original = written(6, 2).await.contents().clone();
    let hash = |number: u64| Block::read(&original.blocks[&number]).expect("a block").head();
    for keep in 1..6 {
        let mut cut = original.clone();
        cut.blocks.retain(|number, _| *number < keep);
        cut.head = Some(hash(keep - 1).to_bytes());
        assert!(found(&cut).is_intact(), "that is what a shorter trail looks like");
        for kept in 0..6 {
            let report = verify(&store_of(cut.clone()), Some(hash(kept).hash)).expect("verified");
            assert_eq!(report.is_intact(), kept < keep, "{keep} blocks left, head of {kept} kept");
            assert!(report.is_intact() || faults(&report) == [(keep - 1, Fault::ExpectedHead)]);
        }
    }
    let emptied = verify(&store_of(Contents::default()), Some(hash(0).hash)).expect("verified");
    assert_eq!(faults(&emptied), [(0, Fault::ExpectedHead)]);
}

/// One record is changed and every later block is made anew, as only somebody can who knows how.
#[tokio::test]
async fn a_rewritten_trail_is_found_by_a_kept_head() {
    let original = written(4, 1).await.contents().clone();
    let kept = Head::from_bytes(original.head.as_ref().expect("a head")).expect("a head").hash;
    let mut rewritten = Contents::default();
    let mut head: Option<Head> = None;
    for (number, block) in &original.blocks {
        let mut body = Body::default();
        let block = Block::read(block).expect("a block");
        for mut record in block.records().expect("records") {
            if *number == 1 {
                record.user = "somebody else".into();
            }
            assert!(body.push_record(&record).is_none(), "it fits");
        }
        let (block, new) = chain::seal(head.as_ref(), body, block.time);
        rewritten.blocks.insert(*number, block);
        head = Some(new);
    }
    rewritten.head = head.map(|head| head.to_bytes());
    assert!(found(&rewritten).is_intact());
    let report = verify(&store_of(rewritten.clone()), Some(kept)).expect("verified");
    assert_eq!(faults(&report), [(3, Fault::ExpectedHead)]);

    // Half the work is not enough.
    let mut half = original.clone();
    half.blocks.insert(1, rewritten.blocks[&1].clone());
    assert_eq!(faults(&found(&half)), [(2, Fault::Unlinked)]);
}

#[tokio::test]
async fn a_lost_head_or_one_that_is_set_back_is_found() {
    let original = written(3, 1).await.contents().clone();
    let mut lost = original.clone();
    lost.head = None;
    assert_eq!(faults(&found(&lost)), [(2, Fault::Head)]);
    let mut back = original.clone();
    back.head = Some(Block::read(&original.blocks[&1]).expect("a block").head().to_bytes());
    assert_eq!(faults(&found(&back)), [(2, Fault::Head)]);
    for changed in [lost, back] {
        assert!(
            Trail::with_store(store_of(changed), Settings::default()).is_err(),
            "nothing goes on after a break"
        );
    }
}

#[tokio::test]
async fn a_block_at_the_end_of_all_numbers_does_no_harm() {
    let mut changed = written(2, 1).await.contents().clone();
    changed.blocks.insert(u64::MAX, changed.blocks[&0].clone());
    let report = found(&changed);
    assert_eq!(faults(&report)[..2], [(2, Fault::Missing), (u64::MAX, Fault::Misplaced)]);
}

#[tokio::test]
async fn a_damaged_last_block_stops_a_trail_from_going_on() {
    let mut changed = written(3, 1).await.contents().clone();
    changed.blocks.get_mut(&2).expect("the block")[80] ^= 1;
    let error = Trail::with_store(store_of(changed), Settings::default()).expect_err("refused");
    assert!(error.to_string().starts_with("block 2 of the audit trail is damaged"), "{error}");
}

#[tokio::test]
async fn intents_without_an_outcome_are_listed() {
    let store = std::sync::Arc::new(pgwarrant_audit::MemoryStore::default());
    let trail = Trail::with_store(std::sync::Arc::clone(&store), common::hasty()).expect("a trail");
    let mut open = Vec::new();
    for number in 0..20 {
        let seq = trail.durable(intent(number)).await.expect("durable");
        match number % 7 {
            0 => open.push(seq),
            _ => {
                let mut outcome = statement(number);
                outcome.intent_of = Some(seq);
                trail.append(outcome).await.expect("appended");
            }
        }
    }
    let report = trail.verify(None).await.expect("verified");
    assert!(report.is_intact());
    assert_eq!(report.open_intents.iter().map(|intent| intent.seq).collect::<Vec<_>>(), open);
    assert_eq!(report.open_intents[0].raw, ["public.customers.email"]);
}

#[test]
fn very_many_problems_are_counted_and_few_are_listed() {
    let mut contents = Contents::default();
    contents.blocks.extend((0..1000).map(|number| (number, vec![0; 10])));
    let report = found(&contents);
    assert_eq!(report.problems.len(), 100);
    assert_eq!(report.problems_total, 1001);
}

#[test]
fn a_head_is_read_from_64_hexadecimal_digits_only() {
    let text = "0123456789abcdef".repeat(4);
    assert_eq!(text.parse::<Hash>().map(|hash| hash.to_string()), Ok(text.clone()));
    for wrong in ["", "0", &text[1..], &format!("{text}0"), &format!("+{}", &text[1..]), &"ä".repeat(32)] {
        assert!(wrong.parse::<Hash>().is_err(), "{wrong}");
    }
}

/// sled panics over some damage to its file; nobody else does, and nothing hangs.
#[tokio::test]
async fn a_damaged_file_is_reported_or_harmless() {
    let directory = tempfile::tempdir().expect("a directory");
    {
        let database = open_database(directory.path()).expect("a store");
        let trail = Trail::open(&database, directory.path(), common::hasty()).expect("a trail");
        for number in 0..2000 {
            trail.append(statement(number)).await.expect("appended");
        }
        trail.close().await.expect("closed");
    }
    let file = directory.path().join("db");
    let original = std::fs::read(&file).expect("sled's file");
    let mut reported = 0;
    for step in 1..40 {
        let copy = tempfile::tempdir().expect("a directory");
        for name in ["db", "conf"] {
            std::fs::copy(directory.path().join(name), copy.path().join(name)).expect("copied");
        }
        let mut changed = original.clone();
        let at = changed.len() * step / 40;
        changed[at] ^= 0x55;
        std::fs::write(copy.path().join("db"), changed).expect("written");
        let found = open_existing(copy.path())
            .and_then(|database| SledStore::open(&database, copy.path()))
            .and_then(|store| verify(&store, None));
        match found {
            Err(_) => reported += 1,
            Ok(report) if !report.is_intact() || report.records < 2000 => reported += 1,
            // It was in a place that sled no longer reads.
            Ok(_) => {}
        }
    }
    assert!(reported > 0);
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Block::read(&bytes);
        let _ = Head::from_bytes(&bytes);
    }

    /// A block whose hash is right but whose contents are anything.
    #[test]
    fn no_body_makes_the_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        count in prop_oneof![1u32..5, any::<u32>()],
        at in any::<i64>(),
    ) {
        let (bytes, head) = chain::seal(None, Body::of_bytes(&bytes, count.max(1), at), 0);
        let block = Block::read(&bytes).expect("its hash is right");
        let readable = block.records().is_ok_and(|records| records.len() == count as usize);
        let contents = Contents { blocks: [(0, bytes)].into(), head: Some(head.to_bytes()), syncs: 0 };
        prop_assert!(readable || !found(&contents).is_intact());
    }
}
