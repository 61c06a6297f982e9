//! Blocks in sled, and the newest of them in the journal.
//!
//! A *page* is a run of blocks that follow one another, as many as [`PART_BYTES`] hold, or one block
//! that is longer. Its key is the number of its first block (8 bytes, big-endian) and the number of
//! the part (2 bytes, big-endian); almost every page is one part. Parts are there because sled 0.34
//! keeps up to 16 entries in one leaf, and a leaf of more than a quarter of a segment (128 KiB) goes
//! to a file of its own under `blobs/`, which is never fsynced: a block in such a file would not
//! survive a power failure, though it had been acknowledged. Leaves of parts of [`PART_BYTES`] never
//! get there.
//!
//! The key `head` holds the [`Head`] of the last block in sled; it changes in the same atomic batch
//! as the blocks.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::chain::{self, Head};
use crate::error::Error;
use crate::journal::{self, Journal};
use crate::store::{BlockStore, FILE, PART_BYTES, sled};

const TREE: &str = "audit";
const HEAD: &[u8] = b"head";
const READ: &str = "read the audit trail";

/// How often an entry is looked up once it is written. sled 0.34 divides its cache into 256 shards,
/// and one of them lets go of leaves only when 64 accesses to it have gathered. To fill a leaf takes
/// about 20, so that three leaves in four, 48 KiB each, would stay: 45 MiB in the end, and memory
/// that grows for hours until then. With eight entries in a leaf, twelve look-ups each are enough to
/// have the leaf before it let go (24 MiB after 12 MiB of trail, and flat from there), and cost
/// nothing that can be measured beside the writing.
const LOOK_UPS: usize = 12;

/// Blocks in sled.
#[derive(Debug)]
pub struct SledStore {
    tree: sled::Tree,
    /// sled's `flush` ends in `sync_file_range`, which neither waits for the disk's own cache nor
    /// writes the file's length; `fdatasync` through any handle does both.
    file: File,
    directory: PathBuf,
    /// What is not in sled yet.
    newest: Mutex<Newest>,
    /// Of whoever writes; None before the first block.
    journal: Mutex<Option<Journal>>,
}

#[derive(Debug, Default)]
struct Newest {
    blocks: BTreeMap<u64, Arc<[u8]>>,
    /// That of the last of them.
    head: Option<Head>,
}

impl SledStore {
    /// `directory` is the one that `database` was opened in. Changes nothing.
    pub fn open(database: &sled::Db, directory: &Path) -> Result<SledStore, Error> {
        let tree = sled("open the audit trail", || database.open_tree(TREE))?;
        let file =
            File::open(directory.join(FILE)).map_err(|error| Error::io("open the store's file", error))?;
        let store = SledStore {
            tree,
            file,
            directory: directory.to_owned(),
            newest: Mutex::default(),
            journal: Mutex::default(),
        };
        let settled = store.settled_head()?.map(|bytes| Head::from_bytes(&bytes));
        // Whoever goes on with an unreadable head is told elsewhere.
        if let None | Some(Some(_)) = settled {
            let mut newest = store.newest();
            for (head, block) in journal::read(directory, settled.flatten())? {
                newest.blocks.insert(head.block, block.into());
                newest.head = Some(head);
            }
        }
        Ok(store)
    }

    fn settled_head(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(sled(READ, || self.tree.get(HEAD))?.map(|head| head.to_vec()))
    }

    /// Moves what the journal has to sled, durably.
    fn settle_newest(&self, journal: &mut Option<Journal>) -> Result<(), Error> {
        let (blocks, head) = {
            let newest = self.newest();
            (newest.blocks.clone(), newest.head)
        };
        let Some(head) = head else { return Ok(()) };
        let mut batch = sled::Batch::default();
        let mut keys = Vec::new();
        for (first, page) in pages(&blocks) {
            for (part, bytes) in page.chunks(PART_BYTES).enumerate() {
                let part = u16::try_from(part).map_err(|_| Error::io("store a block", "it is too large"))?;
                let key = key(first, part);
                batch.insert(key.as_slice(), bytes);
                keys.push(key);
            }
        }
        batch.insert(HEAD, head.to_bytes());
        sled("store a block", || self.tree.apply_batch(batch))?;
        self.sync_sled()?;
        self.let_go_of_leaves(&keys)?;
        // Readers find each block in one of both at any time.
        *self.newest() = Newest::default();
        if let Some(journal) = journal {
            journal.rewind(head.block.saturating_add(1));
        }
        Ok(())
    }

    /// See [`LOOK_UPS`].
    fn let_go_of_leaves(&self, written: &[[u8; 10]]) -> Result<(), Error> {
        sled(READ, || {
            written
                .iter()
                .flat_map(|key| std::iter::repeat_n(key, LOOK_UPS))
                .try_for_each(|key| self.tree.get(key).map(drop))
        })
    }

    fn sync_sled(&self) -> Result<(), Error> {
        sled("write the audit trail", || self.tree.flush())?;
        self.file.sync_data().map_err(|error| Error::io("sync the audit trail", error))
    }

    /// The page in which a block is, if it is in sled, with the number of the page's first block.
    fn page(&self, number: u64) -> Result<Option<(u64, Vec<u8>)>, Error> {
        sled(READ, || {
            let Some(found) = self.tree.range(..=key(number, u16::MAX).as_slice()).next_back() else {
                return Ok(None);
            };
            let Some(first) = block_number(&found?.0) else { return Ok(None) };
            let mut page = Vec::new();
            for entry in self.tree.scan_prefix(first.to_be_bytes()) {
                page.extend_from_slice(&entry?.1);
            }
            Ok(Some((first, page)))
        })
    }

    fn settled_block(&self, number: u64) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.page(number)?.and_then(|(first, page)| {
            let index = usize::try_from(number - first).ok()?;
            blocks_of(&page).nth(index).map(<[u8]>::to_vec)
        }))
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        // Every change of it is complete before anything can panic.
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> MutexGuard<'_, Option<Journal>> {
        // After a panic the trail has failed, and nobody writes any more.
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockStore for SledStore {
    fn put(&self, blocks: &[(u64, Vec<u8>)], head: &Head) -> Result<(), Error> {
        let mut journal = self.journal();
        if journal.is_none() {
            // What the journal holds after a crash is overwritten from here on: sled's share of it,
            // too, may have been written and not be on disk.
            self.settle_newest(&mut None)?;
            self.sync_sled()?;
            *journal = Some(Journal::open(&self.directory, blocks.first().map_or(0, |(number, _)| *number))?);
        }
        if !journal.as_ref().is_some_and(|journal| journal.fits(blocks)) {
            self.settle_newest(&mut journal)?;
        }
        let fitting = journal.as_mut().filter(|journal| journal.fits(blocks));
        let journalled = match fitting {
            Some(journal) => {
                journal.append(blocks)?;
                true
            }
            None => false,
        };
        {
            let mut newest = self.newest();
            newest.blocks.extend(blocks.iter().map(|(number, block)| (*number, block.as_slice().into())));
            newest.head = Some(*head);
        }
        if journalled { Ok(()) } else { self.settle_newest(&mut journal) }
    }

    fn sync(&self) -> Result<(), Error> {
        let mut journal = self.journal();
        let next = self.newest().head.map(|head| head.block.saturating_add(1));
        match (&mut *journal, next) {
            (Some(journal), Some(next)) => journal.sync(next),
            // Nothing was put since all was settled.
            _ => Ok(()),
        }
    }

    fn settle(&self) -> Result<(), Error> {
        self.settle_newest(&mut self.journal())
    }

    fn block(&self, number: u64) -> Result<Option<Vec<u8>>, Error> {
        let newest = self.newest().blocks.get(&number).cloned();
        match newest {
            Some(block) => Ok(Some(block.to_vec())),
            None => self.settled_block(number),
        }
    }

    fn next(&self, from: u64) -> Result<Option<u64>, Error> {
        let newest = self.newest().blocks.range(from..).next().map(|(number, _)| *number);
        if newest == Some(from) || self.settled_block(from)?.is_some() {
            return Ok(Some(from));
        }
        let settled = first_block(self.tree.range(from.to_be_bytes()..).keys())?;
        Ok(settled.into_iter().chain(newest).min())
    }

    fn last(&self) -> Result<Option<u64>, Error> {
        let newest = self.newest().blocks.last_key_value().map(|(number, _)| *number);
        if newest.is_some() {
            return Ok(newest);
        }
        let Some(first) = first_block(self.tree.iter().keys().rev())? else { return Ok(None) };
        let blocks = self.page(first)?.map_or(0, |(_, page)| blocks_of(&page).count() as u64);
        Ok(Some(first.saturating_add(blocks.saturating_sub(1))))
    }

    fn head(&self) -> Result<Option<Vec<u8>>, Error> {
        let newest = self.newest().head;
        match newest {
            Some(head) => Ok(Some(head.to_bytes())),
            None => self.settled_head(),
        }
    }
}

/// The pages that blocks make, each with the number of its first block.
fn pages(blocks: &BTreeMap<u64, Arc<[u8]>>) -> Vec<(u64, Vec<u8>)> {
    let mut pages: Vec<(u64, Vec<u8>)> = Vec::new();
    for (number, block) in blocks {
        match pages.last_mut() {
            Some((_, page)) if page.len() + block.len() <= PART_BYTES => page.extend_from_slice(block),
            _ => pages.push((*number, block.to_vec())),
        }
    }
    pages
}

/// The blocks of a page. Where one does not say how long it is, the rest counts as one.
fn blocks_of(page: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = page;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let length = chain::length(rest).filter(|length| *length <= rest.len()).unwrap_or(rest.len());
        let (block, after) = rest.split_at(length);
        rest = after;
        Some(block)
    })
}

fn key(number: u64, part: u16) -> [u8; 10] {
    let mut key = [0; 10];
    let (front, back) = key.split_at_mut(8);
    front.copy_from_slice(&number.to_be_bytes());
    back.copy_from_slice(&part.to_be_bytes());
    key
}

/// The block number of the first key that is one of a page.
fn first_block(mut keys: impl Iterator<Item = sled::Result<sled::IVec>>) -> Result<Option<u64>, Error> {
    sled(READ, || keys.find_map(|key| key.map(|key| block_number(&key)).transpose()).transpose())
}

fn block_number(key: &[u8]) -> Option<u64> {
    let (number, part) = key.split_first_chunk::<8>()?;
    (part.len() == 2).then(|| u64::from_be_bytes(*number))
}
