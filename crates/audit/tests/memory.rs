//! The trail's memory does not grow with the trail. A program of its own, for what it measures is
//! that of the whole process.

use std::fs;

use pgwarrant_audit::{BlockStore, Hash, Head, SledStore, open_database};

/// Kilobytes of this process that are in no file.
fn anonymous_kb() -> u64 {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").expect("the kernel's account");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// As many bytes as a page of the store holds.
const BLOCK_BYTES: usize = 6000;

/// A block of nothing that repeats. The store does not look into them.
fn block(number: u64) -> Vec<u8> {
    let words =
        (0..BLOCK_BYTES as u64 / 8).map(|word| (number << 32 | word).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    words.flat_map(u64::to_be_bytes).collect()
}

/// Left to itself, sled would hold 45 MiB of the leaves that were written last; 70 MiB in a build
/// without optimization, where its own statistics count, too.
#[test]
fn what_is_written_does_not_stay_in_memory() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = open_database(directory.path()).expect("a database");
    let store = SledStore::open(&database, directory.path()).expect("a store");
    let before = anonymous_kb();
    for number in 0..12_000 {
        let head = Head { block: number, seq: number, time: 0, hash: Hash([0; 32]) };
        store.put(&[(number, block(number))], &head).expect("put");
    }
    store.settle().expect("settled");
    let more = anonymous_kb().saturating_sub(before);
    assert!(more < 64 << 10, "{more} kB more than before");
}
