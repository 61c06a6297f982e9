//! What the trail promises to those who write: order, durability, back-pressure, and the truth when
//! the disk fails.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{BadDisk, hasty, statement};
use pgwarrant_audit::record::{LIST_BYTES, TEXT_BYTES};
use pgwarrant_audit::store::PART_BYTES;
use pgwarrant_audit::{
    Error, Filter, MemoryStore, Record, Settings, SledStore, Trail, open_database, verify,
};
use tokio::time::timeout;

/// Long enough to be sure that nothing more happens, on any machine that tests run on.
const A_WHILE: Duration = Duration::from_millis(200);

fn stored(store: &MemoryStore) -> Vec<Record> {
    let blocks = store.contents().blocks.clone();
    blocks
        .values()
        .flat_map(|block| {
            pgwarrant_audit::chain::Block::read(block).expect("a block").records().expect("records")
        })
        .collect()
}

#[tokio::test]
async fn a_record_comes_back_as_it_was_but_for_its_number() {
    let store = Arc::new(MemoryStore::default());
    let trail = Trail::with_store(Arc::clone(&store), hasty()).expect("a trail");
    let mut record = statement(3);
    record.purpose = Some("parcel came back".to_owned());
    record.grants = vec![4, u64::MAX];
    record.tls = true;
    record.error = Some(pgwarrant_audit::RecordedError {
        sqlstate: "42501".to_owned(),
        message: "permission denied".to_owned(),
    });
    record.seq = 99;
    assert_eq!(trail.durable(record.clone()).await.expect("durable"), 1);
    record.seq = 1;
    assert_eq!(stored(&store), [record]);
}

#[tokio::test]
async fn what_a_record_is_in_json_does_not_change_unnoticed() {
    let json = serde_json::to_string(&statement(3)).expect("JSON");
    assert_eq!(
        json,
        r#"{"seq":0,"at":"2026-03-01T00:00:03.000000Z","kind":"statement","phase":"outcome","decision":"masked","session":7,"user":"ada","groups":["engineering"],"address":"127.0.0.1:40000","database":"shop","class":"select","fingerprint":"fedcba9876543210","text":"select email from customers where id = ? -- 3","relations":["public.customers"],"masked":["public.customers.email"],"rows":3}"#
    );
}

#[tokio::test]
async fn an_acknowledged_record_has_been_synced() {
    let store = Arc::new(MemoryStore::default());
    let trail = Trail::with_store(Arc::clone(&store), Settings::default()).expect("a trail");
    for number in 1..=10 {
        assert_eq!(trail.durable(statement(number)).await.expect("durable"), number);
        assert_eq!(trail.head().map(|head| head.seq), Some(number), "readers know of it");
        assert_eq!(store.contents().syncs, number);
        assert_eq!(stored(&store).len() as u64, number);
    }
}

#[tokio::test]
async fn records_keep_the_order_they_were_handed_over_in() {
    let store = Arc::new(MemoryStore::default());
    let trail = Trail::with_store(Arc::clone(&store), Settings::default()).expect("a trail");
    for number in 0..5000 {
        match number % 100 {
            50 => assert_eq!(trail.try_append(statement(number)).expect("open"), None),
            99 => drop(trail.durable(statement(number)).await.expect("durable")),
            _ => trail.append(statement(number)).await.expect("appended"),
        }
    }
    trail.close().await.expect("closed");
    let stored = stored(&store);
    assert!(stored.iter().map(|record| record.rows).eq(0..5000), "in order, none lost");
    assert!(stored.iter().map(|record| record.seq).eq(1..=5000), "no gaps");
    assert!(store.contents().blocks.len() < 1000, "many records a block");
}

#[tokio::test]
async fn records_nobody_waits_for_are_sealed_and_synced_by_themselves() {
    let store = Arc::new(MemoryStore::default());
    let settings = Settings { sync_after: Duration::from_millis(1), ..hasty() };
    let trail = Trail::with_store(Arc::clone(&store), settings).expect("a trail");
    trail.append(statement(1)).await.expect("appended");
    while store.contents().syncs == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stored(&store).len(), 1);
}

#[tokio::test]
async fn closing_writes_and_syncs_everything_and_takes_nothing_more() {
    let store = Arc::new(MemoryStore::default());
    let settings = Settings { seal_after: Duration::from_secs(3600), ..Settings::default() };
    let trail = Trail::with_store(Arc::clone(&store), settings).expect("a trail");
    for number in 0..100 {
        trail.append(statement(number)).await.expect("appended");
    }
    trail.close().await.expect("closed");
    assert_eq!(stored(&store).len(), 100);
    assert!(store.contents().syncs > 0);
    assert!(matches!(trail.append(statement(1)).await, Err(Error::Closed)));
    assert!(matches!(trail.durable(statement(1)).await, Err(Error::Closed)));
    assert!(matches!(trail.try_append(statement(1)), Err(Error::Closed)));
    trail.close().await.expect("closing twice is no error");
    assert_eq!(trail.recent(1000, Filter::default()).await.expect("still to be read").len(), 100);
}

#[tokio::test]
async fn dropping_the_last_handle_writes_what_is_left() {
    let disk = Arc::new(BadDisk::default());
    let settings = Settings { seal_after: Duration::from_secs(3600), ..Settings::default() };
    let trail = Trail::with_store(Arc::clone(&disk), settings).expect("a trail");
    trail.append(statement(1)).await.expect("appended");
    let mut follow = trail.follow();
    drop(trail);
    assert_eq!(follow.next().await.expect("read").map(|record| record.seq), Some(1));
    assert_eq!(follow.next().await.expect("read"), None, "and ends its readers");
}

#[tokio::test]
async fn a_chain_goes_on_after_a_restart() {
    let store = Arc::new(MemoryStore::default());
    for run in 0..5 {
        let trail = Trail::with_store(Arc::clone(&store), hasty()).expect("a trail");
        assert_eq!(trail.durable(statement(run)).await.expect("durable"), 1 + 2 * run);
        trail.append(statement(run)).await.expect("appended");
        trail.close().await.expect("closed");
    }
    let report = verify(&*store, None).expect("verified");
    assert!(report.is_intact(), "{:?}", report.problems);
    assert_eq!(report.records, 10);
}

#[tokio::test]
async fn a_clock_set_back_breaks_no_chain_and_hides_no_record() {
    let store = Arc::new(MemoryStore::default());
    let trail = Trail::with_store(Arc::clone(&store), hasty()).expect("a trail");
    let future = pgwarrant_audit::record::now() + 3_600_000_000;
    for at in [future, 5, i64::MAX, i64::MIN, future - 1] {
        trail.durable(Record { at, ..statement(1) }).await.expect("durable");
    }
    let report = trail.verify(None).await.expect("verified");
    assert!(report.is_intact(), "{:?}", report.problems);
    assert_eq!(report.earlier_than_before, 2);
    let filter = Filter { since: Some(future), until: Some(future + 1), ..Filter::default() };
    assert_eq!(trail.recent(10, filter).await.expect("read").len(), 1);
}

#[tokio::test]
async fn one_sync_is_shared_by_those_who_wait_at_the_same_time() {
    let disk = Arc::new(BadDisk::default());
    let trail = Trail::with_store(Arc::clone(&disk), Settings::default()).expect("a trail");
    disk.hang();
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..64 {
        let trail = trail.clone();
        waiting.spawn(async move { trail.durable(statement(number)).await });
    }
    tokio::task::yield_now().await;
    disk.release();
    let mut seqs = Vec::new();
    while let Some(answer) = waiting.join_next().await {
        seqs.push(answer.expect("no panic").expect("durable"));
    }
    seqs.sort_unstable();
    assert!(seqs.into_iter().eq(1..=64));
    let syncs = disk.inner.contents().syncs;
    assert!(syncs <= 8, "{syncs} syncs for 64 records");
}

#[tokio::test]
async fn a_record_has_its_number_before_it_is_durable_and_many_share_one_sync() {
    let disk = Arc::new(BadDisk::default());
    let trail = Trail::with_store(Arc::clone(&disk), hasty()).expect("a trail");
    assert_eq!(trail.durable_up_to(), 0);
    disk.hang();
    for number in 1..=20 {
        let begun = trail.begin_durable(&statement(number).into()).expect("open");
        assert_eq!(begun, Some(number), "there is room");
    }
    assert!(timeout(A_WHILE, trail.until_durable(1)).await.is_err(), "the disk hangs");
    assert_eq!(trail.durable_up_to(), 0);
    disk.release();
    assert!(trail.until_durable(1).await.expect("durable") >= 1);
    assert_eq!(trail.until_durable(20).await.expect("durable"), 20);
    assert_eq!(trail.durable_up_to(), 20);
    assert_eq!(stored(&disk.inner).len(), 20);
    let syncs = disk.inner.contents().syncs;
    assert!(syncs <= 2, "{syncs} syncs: of the first, and of those that came during it");
}

#[tokio::test]
async fn who_awaits_a_record_learns_that_the_disk_failed_and_no_record_becomes_durable() {
    let disk = Arc::new(BadDisk::default());
    let trail = Trail::with_store(Arc::clone(&disk), hasty()).expect("a trail");
    disk.hang();
    let seq = trail.begin_durable(&statement(1).into()).expect("open").expect("room");
    let (early, late) = (trail.until_durable(seq), trail.until_durable(seq));
    disk.failing_sync.store(true, Ordering::SeqCst);
    disk.release();
    assert!(matches!(early.await, Err(Error::Failed(_))));
    assert!(matches!(late.await, Err(Error::Failed(_))), "also who asks afterwards");
    assert_eq!(trail.durable_up_to(), 0);
    assert!(matches!(trail.begin_durable(&statement(2).into()), Err(Error::Failed(_))));
    timeout(A_WHILE, trail.room()).await.expect("nobody waits for room where nothing is taken");
}

#[tokio::test]
async fn who_waits_for_room_has_it_when_the_disk_has_come_after() {
    let disk = Arc::new(BadDisk::default());
    let settings = Settings { queue_bytes: 4096, ..hasty() };
    let trail = Trail::with_store(Arc::clone(&disk), settings).expect("a trail");
    disk.hang();
    let mut begun = 0;
    while trail.begin_durable(&statement(begun).into()).expect("open").is_some() {
        begun += 1;
    }
    assert!(begun > 1 && timeout(A_WHILE, trail.room()).await.is_err());
    disk.release();
    trail.room().await;
    assert_eq!(trail.begin_durable(&statement(begun).into()).expect("open"), Some(begun + 1));
}

#[test]
fn eight_threads_on_a_real_disk_share_syncs_and_lose_nothing() {
    const EACH: u64 = 200;
    let directory = tempfile::tempdir().expect("a directory");
    let database = open_database(directory.path()).expect("a store");
    let store = Arc::new(Counting {
        inner: SledStore::open(&database, directory.path()).expect("open"),
        syncs: 0.into(),
    });
    let trail = Trail::with_store(Arc::clone(&store), Settings::default()).expect("a trail");
    let mut seqs: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let trail = trail.clone();
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                    runtime.block_on(async {
                        let mut seqs = Vec::new();
                        for number in 0..EACH {
                            seqs.push(trail.durable(statement(number)).await.expect("durable"));
                        }
                        assert!(seqs.is_sorted());
                        seqs
                    })
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    seqs.sort_unstable();
    assert!(seqs.into_iter().eq(1..=8 * EACH), "each has a number of its own");
    let syncs = store.syncs.load(Ordering::SeqCst);
    assert!(syncs < 8 * EACH, "{syncs} syncs for {} records", 8 * EACH);
    assert_eq!(verify(&*store, None).expect("verified").records, 8 * EACH);
}

struct Counting {
    inner: SledStore,
    syncs: std::sync::atomic::AtomicU64,
}

impl pgwarrant_audit::BlockStore for Counting {
    fn put(&self, blocks: &[(u64, Vec<u8>)], head: &pgwarrant_audit::Head) -> Result<(), Error> {
        self.inner.put(blocks, head)
    }

    fn sync(&self) -> Result<(), Error> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        self.inner.sync()
    }

    fn block(&self, number: u64) -> Result<Option<Vec<u8>>, Error> {
        self.inner.block(number)
    }

    fn next(&self, from: u64) -> Result<Option<u64>, Error> {
        self.inner.next(from)
    }

    fn last(&self) -> Result<Option<u64>, Error> {
        self.inner.last()
    }

    fn head(&self) -> Result<Option<Vec<u8>>, Error> {
        self.inner.head()
    }
}

#[tokio::test]
async fn a_disk_that_hangs_makes_writers_wait_and_memory_stays_bounded() {
    let disk = Arc::new(BadDisk::default());
    let settings = Settings { queue_bytes: 64 << 10, ..hasty() };
    let trail = Trail::with_store(Arc::clone(&disk), settings).expect("a trail");
    disk.hang();
    let mut taken = 0;
    while let Ok(result) = timeout(A_WHILE, trail.append(statement(taken))).await {
        result.expect("appended");
        taken += 1;
        assert!(taken < 1000, "64 KiB hold no thousand records");
    }
    assert!(taken > 10);
    assert!(timeout(A_WHILE, trail.durable(statement(0))).await.is_err(), "the others wait, too");
    assert_eq!(
        trail.try_append(statement(0)).expect("not failed"),
        Some(statement(0)),
        "who cannot wait is told"
    );
    disk.release();
    for number in taken..2 * taken {
        trail.append(statement(number)).await.expect("appended");
    }
    trail.close().await.expect("closed");
    let stored = stored(&disk.inner);
    let expected = (0..2 * taken).collect::<Vec<_>>();
    assert_eq!(stored.iter().map(|record| record.rows).collect::<Vec<_>>(), expected, "none was dropped");
}

#[tokio::test]
async fn a_record_larger_than_the_queue_goes_through() {
    let store = Arc::new(MemoryStore::default());
    let trail =
        Trail::with_store(Arc::clone(&store), Settings { queue_bytes: 100, ..hasty() }).expect("a trail");
    for number in 0..20 {
        trail.append(statement(number)).await.expect("appended");
    }
    assert_eq!(trail.durable(statement(20)).await.expect("durable"), 21);
}

#[tokio::test]
async fn a_full_disk_is_told_to_everybody_and_the_trail_stays_failed() {
    let disk = Arc::new(BadDisk::default());
    let trail = Trail::with_store(Arc::clone(&disk), hasty()).expect("a trail");
    trail.durable(statement(1)).await.expect("durable");
    disk.full.store(true, Ordering::SeqCst);
    let error = trail.durable(statement(2)).await.expect_err("not durable");
    assert!(error.to_string().contains("no space left on device"), "{error}");
    disk.full.store(false, Ordering::SeqCst);
    assert!(matches!(trail.durable(statement(3)).await, Err(Error::Failed(_))), "space again: still failed");
    assert!(matches!(trail.append(statement(4)).await, Err(Error::Failed(_))));
    assert!(matches!(trail.failure(), Some(Error::Failed(_))));
    assert!(trail.close().await.is_err(), "closing says so");
    assert_eq!(stored(&disk.inner).len(), 1);
    assert_eq!(trail.recent(10, Filter::default()).await.expect("what is there can be read").len(), 1);
}

#[tokio::test]
async fn a_failed_sync_acknowledges_nothing() {
    let disk = Arc::new(BadDisk::default());
    let trail = Trail::with_store(Arc::clone(&disk), hasty()).expect("a trail");
    disk.failing_sync.store(true, Ordering::SeqCst);
    assert!(trail.durable(statement(1)).await.is_err());
    disk.failing_sync.store(false, Ordering::SeqCst);
    assert!(
        trail.durable(statement(2)).await.is_err(),
        "a sync that succeeds after one that failed proves nothing"
    );
}

#[tokio::test]
async fn writers_that_wait_for_room_learn_that_the_disk_failed() {
    let disk = Arc::new(BadDisk::default());
    let trail =
        Trail::with_store(Arc::clone(&disk), Settings { queue_bytes: 4096, ..hasty() }).expect("a trail");
    disk.hang();
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..50 {
        let trail = trail.clone();
        waiting.spawn(async move {
            match number % 2 {
                0 => trail.append(statement(number)).await.err(),
                _ => trail.durable(statement(number)).await.err(),
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    disk.full.store(true, Ordering::SeqCst);
    disk.release();
    let answers = timeout(Duration::from_secs(20), waiting.join_all()).await.expect("nobody waits for ever");
    let failed = answers.iter().filter(|error| matches!(error, Some(Error::Failed(_)))).count();
    assert!(failed >= 25, "everybody who waited for the disk, and who waited for room: {failed}");
}

#[tokio::test]
async fn a_panic_of_the_store_fails_the_trail() {
    let disk = Arc::new(BadDisk::default());
    let trail = Trail::with_store(Arc::clone(&disk), hasty()).expect("a trail");
    disk.panicking.store(true, Ordering::SeqCst);
    let result = timeout(Duration::from_secs(20), trail.durable(statement(1))).await.expect("an answer");
    assert!(matches!(result, Err(Error::Failed(_))), "{result:?}");
    let result =
        timeout(Duration::from_secs(20), async { while trail.append(statement(2)).await.is_ok() {} }).await;
    assert!(result.is_ok(), "later ones are refused");
}

#[tokio::test]
async fn a_caller_that_stops_waiting_does_no_harm() {
    let disk = Arc::new(BadDisk::default());
    let trail = Trail::with_store(Arc::clone(&disk), hasty()).expect("a trail");
    disk.hang();
    assert!(timeout(Duration::from_millis(20), trail.durable(statement(1))).await.is_err());
    disk.release();
    assert_eq!(trail.durable(statement(2)).await.expect("durable"), 2, "the abandoned one has its place");
}

#[tokio::test]
async fn no_record_is_too_large_and_none_leaves_sleds_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = open_database(directory.path()).expect("a store");
    let trail = Trail::open(&database, directory.path(), hasty()).expect("a trail");
    let names: Vec<String> = (0..50_000).map(|number| format!("public.relation_{number}.column")).collect();
    for number in 0..300 {
        let mut record = statement(number);
        match number % 3 {
            // Much longer than a part of a block, so that it takes many.
            0 => {
                record.text = "é".repeat(1 << 20).into();
                record.raw = names.clone();
                record.groups = names.clone().into();
                record.note = Some("x".repeat(1 << 20));
            }
            // Just about a part.
            1 => record.text = "x".repeat(PART_BYTES - 600 + number as usize).into(),
            _ => {}
        }
        trail.durable(record).await.expect("durable");
    }
    let records = trail.recent(300, Filter::default()).await.expect("read");
    assert!(records[0].text.len() <= TEXT_BYTES && records[0].text.ends_with('…'));
    assert!(records[0].raw.iter().map(String::len).sum::<usize>() <= LIST_BYTES + 100);
    assert!(
        records[0].raw.last().is_some_and(|last| last.starts_with("… and ")),
        "{:?}",
        records[0].raw.last()
    );
    assert!(trail.verify(None).await.expect("verified").is_intact());
    trail.close().await.expect("closed");
    database.flush().expect("flushed");
    let blobs = std::fs::read_dir(directory.path().join("blobs")).expect("sled's directory").count();
    assert_eq!(blobs, 0, "files that sled never syncs");
}

#[tokio::test]
async fn the_store_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("new/store");
    let _database = open_database(&path).expect("a store");
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("db")), 0o600);
    let missing = directory.path().join("missing");
    assert!(matches!(pgwarrant_audit::store::open_existing(&missing), Err(Error::NoStore(_))));
    assert!(!missing.exists(), "reading makes nothing");
    assert!(matches!(pgwarrant_audit::store::open_existing(&path), Err(Error::InUse(_))));
}
