//! Blocks, and the chain they make.
//!
//! A block, all numbers big-endian:
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 4 | `PGWA` |
//! | 2 | version of this layout, 2 |
//! | 8 | number of the block, from 0 |
//! | 8 | sequence number of its first record |
//! | 4 | how many records, at least 1 |
//! | 8 | time, µs since 1970: no record in this or an earlier block is later |
//! | 32 | hash of the block before; zeros in block 0 |
//! | 4 | bytes of the body |
//! | … | body: the records, see [`crate::body`] |
//! | 32 | SHA-256 of everything above |

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Record;
use crate::body;
pub use crate::body::Body;

const MAGIC: [u8; 4] = *b"PGWA";
const VERSION: u16 = 2;
pub(crate) const HEADER_BYTES: usize = 70;
const HASH_BYTES: usize = 32;

/// What a block takes beside its body.
pub const OVERHEAD_BYTES: usize = HEADER_BYTES + HASH_BYTES;

/// SHA-256 of a block; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; HASH_BYTES]);

impl Hash {
    /// What block 0 carries as the hash of the block before.
    pub const NONE: Hash = Hash([0; HASH_BYTES]);
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Hash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Hash, Self::Err> {
        const WRONG: &str = "a head is 64 hexadecimal digits";
        // `from_str_radix` would take a sign.
        if text.len() != 2 * HASH_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(WRONG);
        }
        let mut hash = [0; HASH_BYTES];
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| WRONG)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| WRONG)?;
        }
        Ok(Hash(hash))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The end of the chain. Kept beside the blocks, and worth keeping elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of the last block.
    pub block: u64,
    /// Sequence number of its last record.
    pub seq: u64,
    /// The time in its header, µs.
    #[serde(with = "crate::record::rfc3339")]
    pub time: i64,
    pub hash: Hash,
}

impl Head {
    /// The form in which the store keeps it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24 + HASH_BYTES);
        bytes.extend(self.block.to_be_bytes());
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.time.to_be_bytes());
        bytes.extend(self.hash.0);
        bytes
    }

    /// None: that is no head.
    pub fn from_bytes(bytes: &[u8]) -> Option<Head> {
        let mut rest = bytes;
        let head = Head {
            block: u64::from_be_bytes(take(&mut rest)?),
            seq: u64::from_be_bytes(take(&mut rest)?),
            time: i64::from_be_bytes(take(&mut rest)?),
            hash: Hash(take(&mut rest)?),
        };
        rest.is_empty().then_some(head)
    }
}

/// Makes the next block of the chain that ends in `head` from `body`, which holds the records that
/// follow and is not empty, at `now` in µs. Gives the block's bytes and the new head.
pub fn seal(head: Option<&Head>, body: Body, now: i64) -> (Vec<u8>, Head) {
    let number = head.map_or(0, |head| head.block + 1);
    let first_seq = head.map_or(1, |head| head.seq + 1);
    // A clock that was set back must not break what the time of a block promises.
    let time = now.max(body.latest.unwrap_or(now)).max(head.map_or(i64::MIN, |head| head.time));
    let previous = head.map_or(Hash::NONE, |head| head.hash);
    let (count, length) = (body.count, body.len() as u32);

    let mut block = body.bytes;
    if let Some(mut header) = block.get_mut(..HEADER_BYTES) {
        put(&mut header, MAGIC);
        put(&mut header, VERSION.to_be_bytes());
        put(&mut header, number.to_be_bytes());
        put(&mut header, first_seq.to_be_bytes());
        put(&mut header, count.to_be_bytes());
        put(&mut header, time.to_be_bytes());
        put(&mut header, previous.0);
        put(&mut header, length.to_be_bytes());
    }
    let hash = sha256(&block);
    block.extend_from_slice(&hash.0);
    (block, Head { block: number, seq: first_seq + u64::from(count) - 1, time, hash })
}

/// How long the block is that these bytes begin with, by its own account; None if they are too few.
pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
    let field = bytes.get(..HEADER_BYTES)?.last_chunk()?;
    (u32::from_be_bytes(*field) as usize).checked_add(OVERHEAD_BYTES)
}

/// What is wrong with a block in itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("it is not a block of an audit trail")]
    NotABlock,
    #[error("its layout has version {0}, and this program reads version {VERSION} only")]
    UnknownVersion(u16),
    #[error("it is {found} bytes long and says it is {said}")]
    WrongLength { said: usize, found: usize },
    #[error("its contents have the hash {found} and it says {said}")]
    WrongHash { said: Hash, found: Hash },
    #[error("record {index} in it: {reason}")]
    Record { index: u32, reason: String },
}

/// A block whose bytes are as they were written.
#[derive(Clone, Copy, Debug)]
pub struct Block<'b> {
    pub number: u64,
    pub first_seq: u64,
    pub count: u32,
    /// µs; no record in this or an earlier block is later.
    pub time: i64,
    pub previous: Hash,
    pub hash: Hash,
    body: &'b [u8],
}

impl<'b> Block<'b> {
    /// Reads a block, and checks that its hash is that of its contents.
    pub fn read(bytes: &'b [u8]) -> Result<Block<'b>, Damage> {
        let mut rest = bytes;
        if take(&mut rest) != Some(MAGIC) {
            return Err(Damage::NotABlock);
        }
        let version = take(&mut rest).map(u16::from_be_bytes).ok_or(Damage::NotABlock)?;
        if version != VERSION {
            return Err(Damage::UnknownVersion(version));
        }
        let short = || Damage::WrongLength { said: OVERHEAD_BYTES, found: bytes.len() };
        let number = take(&mut rest).map(u64::from_be_bytes).ok_or_else(short)?;
        let first_seq = take(&mut rest).map(u64::from_be_bytes).ok_or_else(short)?;
        let count = take(&mut rest).map(u32::from_be_bytes).ok_or_else(short)?;
        let time = take(&mut rest).map(i64::from_be_bytes).ok_or_else(short)?;
        let previous = take(&mut rest).map(Hash).ok_or_else(short)?;
        let length = take(&mut rest).map(u32::from_be_bytes).ok_or_else(short)? as usize;
        let wrong =
            || Damage::WrongLength { said: length.saturating_add(OVERHEAD_BYTES), found: bytes.len() };
        let (body, mut rest) = rest.split_at_checked(length).ok_or_else(wrong)?;
        let said = take(&mut rest).map(Hash).ok_or_else(wrong)?;
        if !rest.is_empty() {
            return Err(wrong());
        }
        let contents = bytes.get(..bytes.len() - HASH_BYTES).unwrap_or_default();
        let found = sha256(contents);
        if said != found {
            return Err(Damage::WrongHash { said, found });
        }
        Ok(Block { number, first_seq, count, time, previous, hash: said, body })
    }

    /// Sequence number of the last record.
    pub fn last_seq(&self) -> u64 {
        self.first_seq.saturating_add(u64::from(self.count)).saturating_sub(1)
    }

    /// The records, oldest first; they are checked to be as many as the block says. After an error
    /// there is nothing more.
    pub fn records(&self) -> Result<Vec<Record>, Damage> {
        body::records(self.first_seq, self.count, self.body)
    }

    /// What the head would be if this were the last block.
    pub fn head(&self) -> Head {
        Head { block: self.number, seq: self.last_seq(), time: self.time, hash: self.hash }
    }
}

fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = Hash::NONE;
    // SHA256 gives as many bytes as a `Hash` has.
    hash.0.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

/// Fills the front of `room`, and moves on.
fn put<const N: usize>(room: &mut &mut [u8], bytes: [u8; N]) {
    if let Some((front, rest)) = std::mem::take(room).split_first_chunk_mut::<N>() {
        *front = bytes;
        *room = rest;
    }
}
