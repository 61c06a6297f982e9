//! Where blocks are kept: the tree `audit` of the store with the journal beside it
//! ([`crate::sled_store`]), or memory.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::chain::Head;
use crate::error::Error;
pub use crate::sled_store::SledStore;

/// sled's file in the store's directory.
pub(crate) const FILE: &str = "db";

/// How long a proxy waits for a reader to let go of its store.
const PATIENCE: Duration = Duration::from_secs(10);

/// Of what sled has written it keeps so much at hand, twice that in memory. Blocks are written and
/// hardly ever read; with a larger cache a proxy would grow for hours until it is full.
const CACHE_BYTES: u64 = 4 << 20;

/// The largest value in sled's tree; see [`crate::sled_store`].
pub const PART_BYTES: usize = 6 << 10;

/// What the trail needs of a disk.
pub trait BlockStore: Send + Sync + 'static {
    /// Adds blocks and moves the head, all or nothing; need not be durable.
    fn put(&self, blocks: &[(u64, Vec<u8>)], head: &Head) -> Result<(), Error>;

    /// Makes durable everything that was put. After an error, nothing can be known of what was put
    /// since the last success.
    fn sync(&self) -> Result<(), Error>;

    /// Does the same at the end of a run, and tidies up.
    fn settle(&self) -> Result<(), Error> {
        self.sync()
    }

    /// The bytes of one block.
    fn block(&self, number: u64) -> Result<Option<Vec<u8>>, Error>;

    /// The lowest block number that is not below `from`.
    fn next(&self, from: u64) -> Result<Option<u64>, Error>;

    /// The highest block number.
    fn last(&self) -> Result<Option<u64>, Error>;

    /// The head, as stored.
    fn head(&self) -> Result<Option<Vec<u8>>, Error>;
}

impl<T: BlockStore + ?Sized> BlockStore for Arc<T> {
    fn put(&self, blocks: &[(u64, Vec<u8>)], head: &Head) -> Result<(), Error> {
        (**self).put(blocks, head)
    }

    fn sync(&self) -> Result<(), Error> {
        (**self).sync()
    }

    fn settle(&self) -> Result<(), Error> {
        (**self).settle()
    }

    fn block(&self, number: u64) -> Result<Option<Vec<u8>>, Error> {
        (**self).block(number)
    }

    fn next(&self, from: u64) -> Result<Option<u64>, Error> {
        (**self).next(from)
    }

    fn last(&self) -> Result<Option<u64>, Error> {
        (**self).last()
    }

    fn head(&self) -> Result<Option<Vec<u8>>, Error> {
        (**self).head()
    }
}

/// Opens the store's database, which grants share, and makes it where there is none: a directory
/// that only its owner can enter. Blocks for some seconds if another process has it open, which may
/// be somebody who reads the trail.
pub fn open_database(directory: &Path) -> Result<sled::Db, Error> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| Error::io("make the store's directory", error))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match open(directory) {
            Err(Error::InUse(_)) if Instant::now() < deadline => thread::sleep(Duration::from_millis(50)),
            opened => return opened,
        }
    }
}

/// Opens the store's database to read it. There is no way to only read with sled: after a crash,
/// opening tidies up.
pub fn open_existing(directory: &Path) -> Result<sled::Db, Error> {
    match fs::metadata(directory.join(FILE)) {
        Ok(_) => open(directory),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::NoStore(directory.to_owned())),
        Err(error) => Err(Error::io("open the store", error)),
    }
}

fn open(directory: &Path) -> Result<sled::Db, Error> {
    // sled's own default would take a gigabyte.
    let config = sled::Config::new().path(directory).cache_capacity(CACHE_BYTES);
    let database = sled("open the store", || config.open()).map_err(|error| match error {
        // sled has no kind of error for this.
        Error::Io { cause, .. } if cause.contains("could not acquire lock") => {
            Error::InUse(directory.to_owned())
        }
        error => error,
    })?;
    fs::set_permissions(directory.join(FILE), fs::Permissions::from_mode(0o600))
        .map_err(|error| Error::io("protect the store's file", error))?;
    Ok(database)
}

/// Does something with sled, which panics where a byte of its file has changed.
pub(crate) fn sled<T>(what: &'static str, work: impl FnOnce() -> sled::Result<T>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| Error::io(what, error)),
        // Nobody uses what it was working on: an error ends the trail, and reading it.
        Err(_) => Err(Error::io(what, "sled has panicked; its file is damaged")),
    }
}

/// Blocks in memory, for tests: what was put can be looked at and tampered with.
#[derive(Debug, Default)]
pub struct MemoryStore {
    contents: Mutex<Contents>,
}

#[derive(Clone, Debug, Default)]
pub struct Contents {
    pub blocks: BTreeMap<u64, Vec<u8>>,
    pub head: Option<Vec<u8>>,
    /// How often [`BlockStore::sync`] was called.
    pub syncs: u64,
}

impl MemoryStore {
    pub fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockStore for MemoryStore {
    fn put(&self, blocks: &[(u64, Vec<u8>)], head: &Head) -> Result<(), Error> {
        let mut contents = self.contents();
        contents.blocks.extend(blocks.iter().cloned());
        contents.head = Some(head.to_bytes());
        Ok(())
    }

    fn sync(&self) -> Result<(), Error> {
        self.contents().syncs += 1;
        Ok(())
    }

    fn block(&self, number: u64) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.contents().blocks.get(&number).cloned())
    }

    fn next(&self, from: u64) -> Result<Option<u64>, Error> {
        Ok(self.contents().blocks.range(from..).next().map(|(number, _)| *number))
    }

    fn last(&self) -> Result<Option<u64>, Error> {
        Ok(self.contents().blocks.last_key_value().map(|(number, _)| *number))
    }

    fn head(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.contents().head.clone())
    }
}
