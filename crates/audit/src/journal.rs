//! The newest blocks, in a file beside sled that is quick to sync.
//!
//! sled gathers what it is given and writes its leaves anew again and again: tens of microseconds a
//! block, several times its bytes, and many system calls a flush. So a block first goes to the
//! file `audit.journal`, whose length never changes: one write, and one `fdatasync` that has no
//! metadata to wait for. When the file is full its blocks go to sled together, and it is filled
//! from its beginning again.
//!
//! It is a row of entries, each of which begins at a multiple of 512 bytes:
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 4 | `PGWJ` |
//! | 8 | number of the first block that was not known to be durable when this was written, big-endian |
//! | … | the block, see [`crate::chain`] |
//!
//! After a crash, the blocks that continue sled's chain are taken from it, up to the first that is
//! not there or not whole. If an entry says that this one was durable, it has not been lost by the
//! crash: then the journal is damaged, and the trail does not go on.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::chain::{self, Block, Hash, Head};
use crate::error::Error;

const FILE: &str = "audit.journal";
const MAGIC: [u8; 4] = *b"PGWJ";
const FRONT_BYTES: usize = 12;
/// A sector: what was synced is not written again with what comes after it.
const ALIGNMENT: usize = 512;

/// How long the file is.
pub(crate) const JOURNAL_BYTES: usize = 1 << 20;

/// What nobody waits for is written when it is as much as this: many small writes cost more than
/// what is in them.
const WRITE_BYTES: usize = 32 << 10;

#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    /// Where the next write goes.
    at: usize,
    /// What it will write.
    entries: Vec<u8>,
    /// Something was written since the last sync.
    dirty: bool,
    /// The first block that is not known to be durable.
    durable: u64,
}

impl Journal {
    /// Opens it to be filled from its beginning, and makes it where there is none. All blocks before
    /// `durable` are.
    pub(crate) fn open(directory: &Path, durable: u64) -> Result<Journal, Error> {
        let file =
            made(directory).map_err(|error| Error::io("make the journal of the audit trail", error))?;
        Ok(Journal { file, at: 0, entries: Vec::new(), dirty: false, durable })
    }

    /// Is there room for these blocks?
    pub(crate) fn fits(&self, blocks: &[(u64, Vec<u8>)]) -> bool {
        let bytes: usize = blocks.iter().map(|(_, block)| aligned(FRONT_BYTES + block.len())).sum();
        self.at + self.entries.len() + bytes <= JOURNAL_BYTES
    }

    /// Adds blocks that fit.
    pub(crate) fn append(&mut self, blocks: &[(u64, Vec<u8>)]) -> Result<(), Error> {
        for (_, block) in blocks {
            self.entries.extend_from_slice(&MAGIC);
            self.entries.extend_from_slice(&self.durable.to_be_bytes());
            self.entries.extend_from_slice(block);
            self.entries.resize(aligned(self.entries.len()), 0);
        }
        if self.entries.len() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), Error> {
        self.file
            .write_all_at(&self.entries, self.at as u64)
            .map_err(|error| Error::io("write the audit trail", error))?;
        self.at += self.entries.len();
        self.entries.clear();
        self.dirty = true;
        Ok(())
    }

    /// Makes durable what was added; the block after it is of number `next`.
    pub(crate) fn sync(&mut self, next: u64) -> Result<(), Error> {
        if !self.entries.is_empty() {
            self.write()?;
        }
        if self.dirty {
            self.file.sync_data().map_err(|error| Error::io("sync the audit trail", error))?;
            self.dirty = false;
            self.durable = next;
        }
        Ok(())
    }

    /// All blocks before `next` are durable elsewhere.
    pub(crate) fn rewind(&mut self, next: u64) {
        self.at = 0;
        self.entries = Vec::new();
        self.dirty = false;
        self.durable = next;
    }
}

fn made(directory: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(directory.join(FILE))?;
    if file.metadata()?.len() != JOURNAL_BYTES as u64 {
        // Written, not only made long: otherwise every sync would have to tell the file system where
        // the next block is.
        file.set_len(JOURNAL_BYTES as u64)?;
        file.write_all_at(&vec![0; JOURNAL_BYTES], 0)?;
        file.sync_all()?;
        File::open(directory)?.sync_all()?;
    }
    Ok(file)
}

fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT)
}

/// The blocks that a chain which ends in `head` goes on with, in order.
pub(crate) fn read(directory: &Path, head: Option<Head>) -> Result<Vec<(Head, Vec<u8>)>, Error> {
    let bytes = match std::fs::read(directory.join(FILE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read the journal of the audit trail", error)),
    };
    follow(&bytes, head)
}

fn follow(bytes: &[u8], head: Option<Head>) -> Result<Vec<(Head, Vec<u8>)>, Error> {
    let (entries, durable) = entries(bytes);
    let mut next = head.map_or(0, |head| head.block.saturating_add(1));
    let mut hash = head.map_or(Hash::NONE, |head| head.hash);
    let mut blocks = Vec::new();
    // What the file was filled with before may follow, and what an earlier crash has left.
    while let Some((block, bytes)) =
        entries.iter().find(|(block, _)| block.number == next && block.previous == hash)
    {
        blocks.push((block.head(), bytes.to_vec()));
        hash = block.hash;
        next = next.saturating_add(1);
    }
    if durable > next {
        let damage = "the journal does not have it, and it was on disk".into();
        return Err(Error::Damaged { block: next, damage });
    }
    Ok(blocks)
}

/// Every whole block in a journal, in the order of their numbers, and the first block that none of
/// them knows to be durable.
fn entries(bytes: &[u8]) -> (Vec<(Block<'_>, &[u8])>, u64) {
    let mut entries = Vec::new();
    let mut durable = 0;
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        at += match entry(rest) {
            Some((said, block, bytes)) => {
                durable = durable.max(said);
                entries.push((block, bytes));
                aligned(FRONT_BYTES + bytes.len())
            }
            None => ALIGNMENT,
        };
    }
    (entries, durable)
}

/// The entry that these bytes begin with, if it is whole.
fn entry(bytes: &[u8]) -> Option<(u64, Block<'_>, &[u8])> {
    let (magic, rest) = bytes.split_first_chunk()?;
    let (durable, rest) = rest.split_first_chunk()?;
    if *magic != MAGIC {
        return None;
    }
    let block = rest.get(..chain::length(rest)?)?;
    Some((u64::from_be_bytes(*durable), Block::read(block).ok()?, block))
}
