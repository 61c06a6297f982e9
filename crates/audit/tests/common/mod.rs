//! Records and stores for the tests.
#![allow(dead_code, reason = "each test program uses some of it")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use pgwarrant_audit::store::Contents;
use pgwarrant_audit::{BlockStore, Decision, Error, Head, Kind, MemoryStore, Phase, Record, Settings, Trail};

/// 2026-03-01T00:00:00Z
pub const MARCH: i64 = 1_772_323_200_000_000;

/// A statement of ada's, `number` seconds into March.
pub fn statement(number: u64) -> Record {
    let mut record = Record::new(Kind::Statement, Decision::Masked, MARCH + number as i64 * 1_000_000);
    record.session = 7;
    record.user = "ada".into();
    record.groups = vec!["engineering".to_owned()].into();
    record.database = "shop".into();
    record.address = "127.0.0.1:40000".into();
    record.class = "select".into();
    record.fingerprint = 0xfedc_ba98_7654_3210;
    record.text = format!("select email from customers where id = ? -- {number}").into();
    record.relations = vec!["public.customers".to_owned()];
    record.masked = vec!["public.customers.email".to_owned()];
    record.rows = number;
    record
}

/// The intent of a statement that may pass raw data.
pub fn intent(number: u64) -> Record {
    Record {
        phase: Phase::Intent,
        decision: Decision::Raw,
        raw: vec!["public.customers.email".to_owned()],
        ..statement(number)
    }
}

/// Settings that seal at once, so that every record has a block of its own unless many are waiting.
pub fn hasty() -> Settings {
    Settings { seal_after: Duration::ZERO, ..Settings::default() }
}

/// A trail in memory with `blocks` blocks of `records` records each.
pub async fn written(blocks: u64, records: u64) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::default());
    // Only a barrier seals.
    let settings = Settings { seal_after: Duration::from_secs(3600), ..Settings::default() };
    let trail = Trail::with_store(Arc::clone(&store), settings).expect("a trail");
    for block in 0..blocks {
        for record in 0..records {
            trail.append(statement(block * records + record)).await.expect("appended");
        }
        trail.sealed().await.expect("sealed");
    }
    trail.close().await.expect("closed");
    assert_eq!(store.contents().blocks.len() as u64, blocks);
    store
}

/// A store with the given contents.
pub fn store_of(contents: Contents) -> MemoryStore {
    let store = MemoryStore::default();
    *store.contents() = contents;
    store
}

/// A disk that can be made to hang, to fail, and to panic.
#[derive(Default)]
pub struct BadDisk {
    pub inner: MemoryStore,
    hanging: Mutex<bool>,
    released: Condvar,
    pub full: AtomicBool,
    pub failing_sync: AtomicBool,
    pub panicking: AtomicBool,
    pub puts: AtomicU64,
}

impl BadDisk {
    pub fn hang(&self) {
        *self.hanging.lock().expect("not poisoned") = true;
    }

    pub fn release(&self) {
        *self.hanging.lock().expect("not poisoned") = false;
        self.released.notify_all();
    }
}

impl BlockStore for BadDisk {
    fn put(&self, blocks: &[(u64, Vec<u8>)], head: &Head) -> Result<(), Error> {
        let mut hanging = self.hanging.lock().expect("not poisoned");
        while *hanging {
            hanging = self.released.wait(hanging).expect("not poisoned");
        }
        assert!(!self.panicking.load(Ordering::SeqCst), "a bug in the store");
        if self.full.load(Ordering::SeqCst) {
            return Err(Error::Io { what: "store a block", cause: "no space left on device".into() });
        }
        self.puts.fetch_add(1, Ordering::SeqCst);
        self.inner.put(blocks, head)
    }

    fn sync(&self) -> Result<(), Error> {
        if self.failing_sync.load(Ordering::SeqCst) {
            return Err(Error::Io { what: "sync the audit trail", cause: "input/output error".into() });
        }
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
