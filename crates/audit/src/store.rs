//! Where blocks are kept: the tree `audit` of the store, or memory.
//!
//! In sled, a block's key is its number (8 bytes, big-endian) and the number of the part (2 bytes,
//! big-endian); almost every block is one part. Parts are there because sled 0.34 keeps up to 16
//! entries in one leaf, and a leaf of more than a quarter of a segment (128 KiB) goes to a file of
//! its own under `blobs/`, which is never fsynced: a block in such a file would not survive a power
//! failure, though it had been acknowledged. Leaves of parts of [`PART_BYTES`] never get there.
//!
//! The key `head` holds the [`Head`]; it changes in the same atomic batch as the blocks.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::chain::Head;
use crate::error::Error;

const TREE: &str = "audit";
const HEAD: &[u8] = b"head";
const READ: &str = "read the audit trail";
/// sled's file in the store's directory.
const FILE: &str = "db";

/// How long a proxy waits for a reader to let go of its store.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest value in the tree.
pub const PART_BYTES: usize = 6 << 10;

/// What the trail needs of a disk.
pub trait BlockStore: Send + Sync + 'static {
    /// Adds blocks and moves the head, all or nothing; need not be durable.
    fn put(&self, blocks: &[(u64, Vec<u8>)], head: &Head) -> Result<(), Error>;

    /// Makes durable everything that was put. After an error, nothing can be known of what was put
    /// since the last success.
    fn sync(&self) -> Result<(), Error>;

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
    let config = sled::Config::new().path(directory).cache_capacity(64 << 20);
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
fn sled<T>(what: &'static str, work: impl FnOnce() -> sled::Result<T>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| Error::io(what, error)),
        // Nobody uses what it was working on: an error ends the trail, and reading it.
        Err(_) => Err(Error::io(what, "sled has panicked; its file is damaged")),
    }
}

/// Blocks in sled.
#[derive(Debug)]
pub struct SledStore {
    tree: sled::Tree,
    /// sled's `flush` ends in `sync_file_range`, which neither waits for the disk's own cache nor
    /// writes the file's length; `fdatasync` through any handle does both.
    file: File,
}

impl SledStore {
    /// `directory` is the one that `database` was opened in.
    pub fn open(database: &sled::Db, directory: &Path) -> Result<SledStore, Error> {
        let tree = sled("open the audit trail", || database.open_tree(TREE))?;
        let file =
            File::open(directory.join(FILE)).map_err(|error| Error::io("open the store's file", error))?;
        Ok(SledStore { tree, file })
    }
}

impl BlockStore for SledStore {
    fn put(&self, blocks: &[(u64, Vec<u8>)], head: &Head) -> Result<(), Error> {
        let mut batch = sled::Batch::default();
        for (number, block) in blocks {
            for (part, bytes) in block.chunks(PART_BYTES).enumerate() {
                let part = u16::try_from(part).map_err(|_| Error::io("store a block", "it is too large"))?;
                batch.insert(key(*number, part).as_slice(), bytes);
            }
        }
        batch.insert(HEAD, head.to_bytes());
        sled("store a block", || self.tree.apply_batch(batch))
    }

    fn sync(&self) -> Result<(), Error> {
        sled("write the audit trail", || self.tree.flush())?;
        self.file.sync_data().map_err(|error| Error::io("sync the audit trail", error))
    }

    fn block(&self, number: u64) -> Result<Option<Vec<u8>>, Error> {
        sled(READ, || {
            let mut block: Option<Vec<u8>> = None;
            for entry in self.tree.scan_prefix(number.to_be_bytes()) {
                block.get_or_insert_default().extend_from_slice(&entry?.1);
            }
            Ok(block)
        })
    }

    fn next(&self, from: u64) -> Result<Option<u64>, Error> {
        first_block(self.tree.range(from.to_be_bytes()..).keys())
    }

    fn last(&self) -> Result<Option<u64>, Error> {
        first_block(self.tree.iter().keys().rev())
    }

    fn head(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(sled(READ, || self.tree.get(HEAD))?.map(|head| head.to_vec()))
    }
}

fn key(number: u64, part: u16) -> [u8; 10] {
    let mut key = [0; 10];
    let (front, back) = key.split_at_mut(8);
    front.copy_from_slice(&number.to_be_bytes());
    back.copy_from_slice(&part.to_be_bytes());
    key
}

/// The block number of the first key that is one of a block.
fn first_block(mut keys: impl Iterator<Item = sled::Result<sled::IVec>>) -> Result<Option<u64>, Error> {
    sled(READ, || keys.find_map(|key| key.map(|key| block_number(&key)).transpose()).transpose())
}

fn block_number(key: &[u8]) -> Option<u64> {
    let (number, part) = key.split_first_chunk::<8>()?;
    (part.len() == 2).then(|| u64::from_be_bytes(*number))
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
