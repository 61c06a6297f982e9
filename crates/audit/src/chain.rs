//! Blocks, and the chain they make.
//!
//! A block, all numbers big-endian:
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 4 | `PGWA` |
//! | 2 | version of this layout, 1 |
//! | 8 | number of the block, from 0 |
//! | 8 | sequence number of its first record |
//! | 4 | how many records, at least 1 |
//! | 8 | time, µs since 1970: no record in this or an earlier block is later |
//! | 32 | hash of the block before; zeros in block 0 |
//! | 4 | bytes of the body |
//! | … | body: for each record, 4 bytes of length and the record as JSON |
//! | 32 | SHA-256 of everything above |

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Record;

const MAGIC: [u8; 4] = *b"PGWA";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 70;
const HASH_BYTES: usize = 32;
const LENGTH_BYTES: usize = 4;

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

/// The records of a block that is being gathered.
#[derive(Debug, Default)]
pub struct Body {
    bytes: Vec<u8>,
    count: u32,
    latest: Option<i64>,
}

impl Body {
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Makes it empty, for the next block; keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
        self.latest = None;
    }

    /// In bytes, if a record of `json` bytes were added.
    pub fn len_with(&self, json: usize) -> usize {
        self.bytes.len() + LENGTH_BYTES + json
    }

    /// Adds the record that follows, of time `at` (µs), as JSON.
    pub fn push(&mut self, at: i64, json: &[u8]) {
        self.bytes.extend((json.len() as u32).to_be_bytes());
        self.bytes.extend(json);
        self.count += 1;
        self.latest = self.latest.max(Some(at));
    }
}

/// Makes the next block of the chain that ends in `head` from `body`, which holds the records that
/// follow and is not empty, at `now` in µs. Gives the block's bytes and the new head.
pub fn seal(head: Option<&Head>, body: &Body, now: i64) -> (Vec<u8>, Head) {
    let number = head.map_or(0, |head| head.block + 1);
    let first_seq = head.map_or(1, |head| head.seq + 1);
    // A clock that was set back must not break what the time of a block promises.
    let time = now.max(body.latest.unwrap_or(now)).max(head.map_or(i64::MIN, |head| head.time));
    let previous = head.map_or(Hash::NONE, |head| head.hash);

    let mut block = Vec::with_capacity(OVERHEAD_BYTES + body.bytes.len());
    block.extend(MAGIC);
    block.extend(VERSION.to_be_bytes());
    block.extend(number.to_be_bytes());
    block.extend(first_seq.to_be_bytes());
    block.extend(body.count.to_be_bytes());
    block.extend(time.to_be_bytes());
    block.extend(previous.0);
    block.extend((body.bytes.len() as u32).to_be_bytes());
    block.extend(&body.bytes);
    let hash = sha256(&block);
    block.extend(hash.0);
    (block, Head { block: number, seq: first_seq + u64::from(body.count) - 1, time, hash })
}

/// What is wrong with a block in itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("it is not a block of an audit trail")]
    NotABlock,
    #[error("its layout has version {0}, which this program does not know")]
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

    /// The records, oldest first; each is checked to have its sequence number, and the list to have
    /// its length. After an error there is nothing more.
    pub fn records(&self) -> Result<Vec<Record>, Damage> {
        let mut records = Vec::with_capacity((self.count as usize).min(self.body.len() / LENGTH_BYTES));
        let mut rest = self.body;
        for index in 0..self.count {
            let wrong = |reason: String| Damage::Record { index, reason };
            let length =
                take(&mut rest).map(u32::from_be_bytes).ok_or_else(|| wrong("it is missing".to_owned()))?;
            let (json, after) =
                rest.split_at_checked(length as usize).ok_or_else(|| wrong("it is cut off".to_owned()))?;
            rest = after;
            let record: Record = serde_json::from_slice(json).map_err(|error| wrong(error.to_string()))?;
            if record.seq != self.first_seq.saturating_add(u64::from(index)) {
                return Err(wrong(format!("its sequence number is {}", record.seq)));
            }
            records.push(record);
        }
        match rest.is_empty() {
            true => Ok(records),
            false => Err(Damage::Record {
                index: self.count,
                reason: "there are bytes after the last one".to_owned(),
            }),
        }
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
