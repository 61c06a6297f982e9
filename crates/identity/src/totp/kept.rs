//! Factors on disk, sealed.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;

use super::{Factor, Store};

/// The factors of all persons, in a tree of their own of a sled database that others may share. A
/// clone is the same. Every change waits for the disk.
///
/// Each is sealed (AES-256-GCM, RFC 5116) under a key derived from a secret of the proxy's (HKDF,
/// RFC 5869), together with the person that it belongs to: whoever reads the disk cannot make codes,
/// and whoever moves records about on it gives nobody another's factor. Whoever puts an older disk
/// back makes codes good again that were used since.
#[derive(Clone)]
pub struct SecondFactors(Arc<Inner>);

struct Inner {
    db: sled::Db,
    tree: sled::Tree,
    /// sled's flush does not wait for the disk on Linux (it uses `sync_file_range`), so the file is
    /// synced through a second handle. Held while a factor is looked at and changed.
    file: Mutex<File>,
    /// Persons whose factor was removed lately.
    removed: Mutex<HashMap<String, Instant>>,
    key: LessSafeKey,
}

/// What was shown longer ago counts nowhere.
const LATELY: Duration = Duration::from_secs(24 * 60 * 60);

impl std::fmt::Debug for SecondFactors {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SecondFactors(…)")
    }
}

/// Why a factor cannot be read or kept; for the log.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store failed: {0}")]
    Store(#[from] sled::Error),
    #[error("the store could not be synced: {0}")]
    Sync(#[from] io::Error),
    #[error("a second factor cannot be unsealed: it was sealed with another key, or was changed")]
    Sealed,
    #[error("the system has no random numbers")]
    NoRandomness,
}

const TREE: &str = "second_factors";
/// The first byte of a record: how the rest is to be read.
const FORM: u8 = 1;

impl SecondFactors {
    /// `directory` is the one that `db` was opened with. `secret`: who has it, and the disk, can make
    /// codes; who has lost it has lost all factors.
    ///
    /// # Errors
    /// The tree or its file cannot be opened.
    pub fn open(db: &sled::Db, directory: &Path, secret: &str) -> Result<Self, StoreError> {
        let tree = db.open_tree(TREE)?;
        db.flush()?;
        let file = Mutex::new(File::open(directory.join("db"))?);
        Ok(Self(Arc::new(Inner { db: db.clone(), tree, file, removed: Mutex::default(), key: key(secret)? })))
    }

    /// Removes a person's factor, also one that cannot be unsealed any more: whether there was one.
    /// For an administrator, who makes sure who is asking.
    ///
    /// # Errors
    /// It is unknown whether the change is durable.
    pub fn remove(&self, person: &str) -> Result<bool, StoreError> {
        let file = self.0.lock();
        let found = self.0.tree.remove(person)?.is_some();
        if found {
            let now = Instant::now();
            let mut removed = self.0.removed.lock().unwrap_or_else(PoisonError::into_inner);
            removed.retain(|_, at| now.saturating_duration_since(*at) < LATELY);
            removed.insert(person.to_owned(), now);
        }
        self.0.sync(&file)?;
        Ok(found)
    }

    /// Was a person's factor removed after this moment, while this process runs? Then what was shown
    /// of it before counts no longer.
    pub fn removed_since(&self, person: &str, moment: Instant) -> bool {
        let removed = self.0.removed.lock().unwrap_or_else(PoisonError::into_inner);
        removed.get(person).is_some_and(|at| *at >= moment)
    }
}

fn key(secret: &str) -> Result<LessSafeKey, StoreError> {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"pgwarrant second factors");
    let derived = salt.extract(secret.as_bytes());
    let info = [&b"AES-256-GCM"[..]];
    let material = derived.expand(&info, &AES_256_GCM).map_err(|_| StoreError::Sealed)?;
    Ok(LessSafeKey::new(UnboundKey::from(material)))
}

impl Store for SecondFactors {
    type Error = StoreError;

    fn update<R>(
        &self,
        person: &str,
        change: impl FnOnce(&mut Option<Factor>) -> R,
    ) -> Result<R, StoreError> {
        let file = self.0.lock();
        let before = self.0.tree.get(person)?.map(|record| self.0.unseal(person, &record)).transpose()?;
        let mut factor = before.clone();
        let outcome = change(&mut factor);
        if factor != before {
            match &factor {
                Some(factor) => self.0.tree.insert(person, self.0.seal(person, factor)?)?,
                None => self.0.tree.remove(person)?,
            };
            self.0.sync(&file)?;
        }
        Ok(outcome)
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync(&self, file: &File) -> Result<(), StoreError> {
        self.db.flush()?;
        Ok(file.sync_data()?)
    }

    fn seal(&self, person: &str, factor: &Factor) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| StoreError::NoRandomness)?;
        let mut sealed = serde_json::to_vec(factor).map_err(|_| StoreError::Sealed)?;
        let bound = Aad::from(person.as_bytes());
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut sealed)
            .map_err(|_| StoreError::Sealed)?;
        Ok([&[FORM][..], &nonce, &sealed].concat())
    }

    fn unseal(&self, person: &str, record: &[u8]) -> Result<Factor, StoreError> {
        let Some((&FORM, rest)) = record.split_first() else { return Err(StoreError::Sealed) };
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(StoreError::Sealed)?;
        let mut sealed = sealed.to_vec();
        let bound = Aad::from(person.as_bytes());
        let plain = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), bound, &mut sealed)
            .map_err(|_| StoreError::Sealed)?;
        serde_json::from_slice(plain).map_err(|_| StoreError::Sealed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, SystemTime};

    use super::super::{Error, Refused, confirm, enrol, is_enrolled, verify};
    use super::*;
    use crate::Now;

    const SECRET: &str = "a secret of this test's own";

    fn at(unix: u64) -> Now {
        Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(unix), steady: Instant::now() }
    }

    fn code(factors: &SecondFactors, person: &str, unix: u64) -> String {
        let secret = factors.update(person, |factor| factor.clone().expect("a factor").secret).unwrap();
        String::from_utf8(secret.code(unix / 30).to_vec()).unwrap()
    }

    fn open(directory: &Path, secret: &str) -> (sled::Db, SecondFactors) {
        let db = sled::open(directory).unwrap();
        let factors = SecondFactors::open(&db, directory, secret).unwrap();
        (db, factors)
    }

    #[test]
    fn factors_outlive_the_process_and_used_codes_stay_used() {
        let directory = tempfile::tempdir().unwrap();
        let begin = 1_700_000_010;
        let used = {
            let (_db, factors) = open(directory.path(), SECRET);
            enrol(&factors, "ada", "pgwarrant", "ada", at(begin)).unwrap();
            let first = code(&factors, "ada", begin);
            confirm(&factors, "ada", &first, at(begin)).unwrap();
            first
        };
        let (_db, factors) = open(directory.path(), SECRET);
        assert!(is_enrolled(&factors, "ada").unwrap());
        assert!(matches!(verify(&factors, "ada", &used, at(begin)), Err(Error::Refused(Refused::Used))));
        let next = code(&factors, "ada", begin + 30);
        verify(&factors, "ada", &next, at(begin + 30)).unwrap();
        assert!(factors.remove("ada").unwrap());
        assert!(!factors.remove("ada").unwrap());
        assert!(!is_enrolled(&factors, "ada").unwrap());
    }

    #[test]
    fn the_disk_shows_no_secret_and_lends_nobody_another_s() {
        let directory = tempfile::tempdir().unwrap();
        let (db, factors) = open(directory.path(), SECRET);
        let enrolment = enrol(&factors, "ada", "pgwarrant", "ada", at(0)).unwrap();
        let tree = db.open_tree(TREE).unwrap();
        let record = tree.get("ada").unwrap().unwrap();
        let bytes = factors.update("ada", |factor| factor.clone().unwrap().secret.bytes().to_vec()).unwrap();
        let json = serde_json::to_vec(&bytes).unwrap();
        let shows = |what: &[u8]| record.windows(what.len()).any(|window| window == what);
        assert!(!shows(&bytes) && !shows(&json) && !shows(enrolment.secret.as_bytes()));

        tree.insert("bob", &record).unwrap();
        assert!(matches!(is_enrolled(&factors, "bob"), Err(StoreError::Sealed)));
        let mut changed = record.to_vec();
        for place in [0, 1, 13, record.len() - 1] {
            changed[place] ^= 1;
            tree.insert("ada", changed.as_slice()).unwrap();
            assert!(matches!(is_enrolled(&factors, "ada"), Err(StoreError::Sealed)), "byte {place}");
            changed[place] ^= 1;
        }
        for length in [0, 1, 12, 13, 20] {
            tree.insert("ada", &record[..length]).unwrap();
            assert!(matches!(is_enrolled(&factors, "ada"), Err(StoreError::Sealed)), "{length} bytes");
        }
        assert!(factors.remove("ada").unwrap(), "what cannot be unsealed can be removed");
    }

    #[test]
    fn another_key_opens_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (db, factors) = open(directory.path(), SECRET);
        enrol(&factors, "ada", "pgwarrant", "ada", at(0)).unwrap();
        let others = SecondFactors::open(&db, directory.path(), "another").unwrap();
        assert!(matches!(verify(&others, "ada", "123456", at(0)), Err(Error::Store(StoreError::Sealed))));
    }
}
