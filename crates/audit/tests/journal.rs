//! What the journal beside sled keeps when the process or the machine ends at any moment, and what
//! it does not let pass.

mod common;

use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use common::statement;
use pgwarrant_audit::chain::{self, Body};
use pgwarrant_audit::store::open_existing;
use pgwarrant_audit::{
    BlockStore, Error, Filter, Head, Report, Settings, SledStore, Trail, open_database, query, verify,
};

const SECTOR: usize = 512;

fn journal(directory: &Path) -> PathBuf {
    directory.join("audit.journal")
}

/// A store in which `settled` blocks are in sled, `synced` more in the journal and on disk, and
/// `lost` more that nothing was promised of; as a crash leaves it.
fn crashed(settled: u64, synced: u64, lost: u64) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let database = open_database(directory.path()).expect("a store");
    let store = SledStore::open(&database, directory.path()).expect("a trail");
    let mut head = None;
    put(&store, &mut head, settled);
    store.settle().expect("settled");
    for _ in 0..synced {
        put(&store, &mut head, 1);
        store.sync().expect("synced");
    }
    put(&store, &mut head, lost);
    directory
}

/// Goes on with the chain by so many blocks of one record.
fn put(store: &SledStore, head: &mut Option<Head>, blocks: u64) {
    for _ in 0..blocks {
        let mut body = Body::default();
        let number = head.map_or(0, |head: Head| head.seq);
        assert!(body.push_record(&statement(number)).is_none());
        let (block, new) = chain::seal(head.as_ref(), body, 0);
        store.put(&[(new.block, block)], &new).expect("put");
        *head = Some(new);
    }
}

fn reopened(directory: &Path) -> Result<(SledStore, Report), Error> {
    let database = open_existing(directory)?;
    let store = SledStore::open(&database, directory)?;
    let report = verify(&store, None)?;
    Ok((store, report))
}

/// Changes one byte of the journal.
fn flip(directory: &Path, at: usize) {
    let file = OpenOptions::new().read(true).write(true).open(journal(directory)).expect("the journal");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).expect("read");
    file.write_all_at(&[byte[0] ^ 0x10], at as u64).expect("written");
}

#[test]
fn what_was_synced_is_there_after_a_crash_wherever_it_is() {
    for (settled, synced) in [(0, 0), (0, 3), (3, 0), (5, 7), (40, 2)] {
        let directory = crashed(settled, synced, 0);
        let (store, report) = reopened(directory.path()).expect("readable");
        assert!(report.is_intact(), "{:?}", report.problems);
        assert_eq!((report.blocks, report.records), (settled + synced, settled + synced));
        assert_eq!(store.last().expect("read"), (settled + synced).checked_sub(1));
        let filter = Filter::default();
        let rows: Vec<u64> =
            query::newest(&store, &filter).map(|record| record.expect("readable").rows).collect();
        assert!(rows.into_iter().eq((0..settled + synced).rev()));
        for number in 0..settled + synced + 2 {
            let there = number < settled + synced;
            assert_eq!(store.block(number).expect("read").is_some(), there);
            assert_eq!(store.next(number).expect("read").is_some(), there);
        }
    }
}

#[tokio::test]
async fn a_trail_goes_on_after_a_crash() {
    let directory = crashed(5, 7, 3);
    for run in 0..3 {
        let database = open_existing(directory.path()).expect("a store");
        let trail = Trail::open(&database, directory.path(), Settings::default()).expect("a trail");
        let seq = trail.durable(statement(100 + run)).await.expect("durable");
        assert_eq!(seq, 13 + run, "nothing was promised of the three after the twelfth");
        trail.close().await.expect("closed");
    }
    let (_, report) = reopened(directory.path()).expect("readable");
    assert!(report.is_intact(), "{:?}", report.problems);
    assert_eq!(report.records, 15);
}

#[test]
fn a_block_that_was_not_synced_may_be_lost_and_those_after_it_go_too() {
    let directory = crashed(2, 2, 0);
    // The third entry was on its way when the machine stopped.
    {
        let database = open_existing(directory.path()).expect("a store");
        let store = SledStore::open(&database, directory.path()).expect("a trail");
        let mut head = store.head().expect("read").and_then(|head| Head::from_bytes(&head));
        put(&store, &mut head, 3);
        store.sync().expect("synced");
    }
    let (_, report) = reopened(directory.path()).expect("readable");
    assert_eq!(report.records, 7);
    // The last of those that one sync made durable: none after it says so.
    flip(directory.path(), 2 * SECTOR + 100);
    let (_, report) = reopened(directory.path()).expect("readable");
    assert!(report.is_intact());
    assert_eq!(report.records, 6);
}

#[test]
fn a_change_of_any_byte_of_a_block_that_was_durable_is_found() {
    let original = crashed(2, 3, 0);
    let length = {
        let (store, _) = reopened(original.path()).expect("readable");
        store.block(2).expect("read").expect("the first in the journal").len()
    };
    let bytes = std::fs::read(journal(original.path())).expect("the journal");
    for entry in 0..2 {
        for byte in (12..12 + length).step_by(7) {
            std::fs::write(journal(original.path()), &bytes).expect("written");
            flip(original.path(), entry * SECTOR + byte);
            let error = reopened(original.path()).expect_err("the entry after it says that it was there");
            let expected = format!("block {} of the audit trail is damaged", 2 + entry);
            assert!(error.to_string().starts_with(&expected), "byte {byte}: {error}");
        }
    }
}

#[test]
fn a_journal_whose_sled_was_set_back_is_refused() {
    let newer = crashed(4, 2, 0);
    let older = crashed(1, 0, 0);
    std::fs::copy(journal(newer.path()), journal(older.path())).expect("copied");
    let error = reopened(older.path()).expect_err("blocks between are gone");
    assert!(error.to_string().starts_with("block 1 of the audit trail is damaged"), "{error}");
}

#[test]
fn what_an_earlier_lap_has_left_is_not_read_again() {
    let directory = crashed(0, 30, 0);
    let database = open_existing(directory.path()).expect("a store");
    let store = SledStore::open(&database, directory.path()).expect("a trail");
    let mut head = store.head().expect("read").and_then(|head| Head::from_bytes(&head));
    // Over the first of thirty entries, the others of which stay in the file.
    put(&store, &mut head, 2);
    store.sync().expect("synced");
    drop((store, database));
    let (store, report) = reopened(directory.path()).expect("readable");
    assert!(report.is_intact(), "{:?}", report.problems);
    assert_eq!((report.records, store.last().expect("read")), (32, Some(31)));
}

#[test]
fn many_laps_of_the_journal_lose_nothing() {
    let directory = crashed(0, 0, 0);
    let database = open_existing(directory.path()).expect("a store");
    let store = SledStore::open(&database, directory.path()).expect("a trail");
    let mut head = None;
    put(&store, &mut head, 5000);
    assert_eq!(verify(&store, None).expect("verified").blocks, 5000, "sled and the journal together");
    store.sync().expect("synced");
    drop((store, database));
    let (_, report) = reopened(directory.path()).expect("readable");
    assert!(report.is_intact(), "{:?}", report.problems);
    assert_eq!(report.blocks, 5000);
    let length = std::fs::metadata(journal(directory.path())).expect("the journal").len();
    assert_eq!(length, 1 << 20, "it does not grow");
}

#[test]
fn bytes_that_are_no_journal_do_no_harm() {
    let directory = crashed(3, 0, 0);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for length in [0, 1, 11, 12, 511, 512, 5000, 1 << 20] {
        let mut bytes = vec![0; length];
        for (index, byte) in bytes.iter_mut().enumerate() {
            random = random.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            *byte = match index % SECTOR {
                at @ 0..4 => b"PGWJ"[at],
                // No entry says that anything was durable.
                4..12 => 0,
                _ => random as u8,
            };
        }
        std::fs::write(journal(directory.path()), bytes).expect("written");
        assert_eq!(reopened(directory.path()).expect("readable").1.records, 3);
    }
}

#[test]
fn the_journal_is_for_its_owner_only() {
    let directory = crashed(1, 1, 0);
    let mode = std::fs::metadata(journal(directory.path())).expect("metadata").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
