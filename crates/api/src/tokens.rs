//! Tokens of our own: `pgw_<id>_<secret>`, bound to a user, made to end. Of the secret only its
//! SHA-256 is kept.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use pgwarrant_grants::WallMs;
use serde::{Deserialize, Serialize};

use crate::caller::Scope;
use crate::problem::{Problem, What};
use crate::secret::{self, Digest};

/// Tokens of one user, and in all, that have not ended.
const MOST_PER_USER: usize = 50;
const MOST: usize = 10_000;
/// When a token was last used is written so often at most.
const USED_EVERY: WallMs = 60_000;
const PREFIX: &str = "pgw_";

/// As it is stored. What is added later has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    id: String,
    user: String,
    name: String,
    /// Of the secret, in hexadecimal.
    digest: String,
    scopes: Vec<Scope>,
    created_at: WallMs,
    expires_at: WallMs,
    last_used_at: Option<WallMs>,
    /// As of [`Token::once`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    once: Option<u64>,
}

/// A token that has not ended.
#[derive(Debug)]
pub struct Token {
    pub id: String,
    pub user: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub created_at: WallMs,
    pub expires_at: WallMs,
    /// Approves the request of this number, once, and is good for nothing else.
    pub once: Option<u64>,
    digest: Digest,
    /// 0: never.
    used: AtomicI64,
}

impl Token {
    pub fn last_used_at(&self) -> Option<WallMs> {
        Some(self.used.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }
}

/// What a new token is to be.
pub struct Wanted {
    pub user: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub lifetime: Duration,
    /// As of [`Token::once`].
    pub once: Option<u64>,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store of tokens failed: {0}")]
    Sled(#[from] sled::Error),
    #[error("the store of tokens failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("a stored token is damaged: {0}")]
    Damaged(String),
}

/// All tokens, in a tree of their own of a sled database that others may share.
#[derive(Debug)]
pub struct Tokens {
    db: sled::Db,
    tree: sled::Tree,
    /// sled's flush does not wait for the disk on Linux, so the file is synced through a second handle.
    file: File,
    known: RwLock<BTreeMap<String, Arc<Token>>>,
    /// Of who makes one.
    making: Mutex<()>,
}

impl Tokens {
    /// `directory` is the one that `db` was opened with. Tokens of users that `is_user` does not
    /// know are removed for good: whoever comes later under the same name is somebody else.
    pub fn open(
        db: &sled::Db,
        directory: &Path,
        is_user: impl Fn(&str) -> bool,
        now: WallMs,
    ) -> Result<Self, StoreError> {
        let tree = db.open_tree("tokens")?;
        db.flush()?;
        let mut known = BTreeMap::new();
        for entry in &tree {
            let (key, value) = entry?;
            let record: Record =
                serde_json::from_slice(&value).map_err(|error| StoreError::Damaged(error.to_string()))?;
            let digest = Digest::from_hex(&record.digest)
                .ok_or_else(|| StoreError::Damaged("its digest is none".to_owned()))?;
            if record.expires_at <= now || !is_user(&record.user) {
                tree.remove(&key)?;
                continue;
            }
            let Record { id, user, name, scopes, created_at, expires_at, last_used_at, once, .. } = record;
            let used = AtomicI64::new(last_used_at.unwrap_or(0));
            let token =
                Token { id: id.clone(), user, name, scopes, created_at, expires_at, once, digest, used };
            known.insert(id, Arc::new(token));
        }
        let file = File::open(directory.join("db"))?;
        let tokens = Self { db: db.clone(), tree, file, known: RwLock::new(known), making: Mutex::default() };
        tokens.sync()?;
        Ok(tokens)
    }

    /// A new token, and the text that is told once. It is on disk when this returns.
    pub fn make(&self, wanted: Wanted, now: WallMs) -> Result<(Arc<Token>, String), Problem> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        self.forget_expired(now);
        let theirs = self.of(&wanted.user, now).len();
        if theirs >= MOST_PER_USER || self.read().len() >= MOST {
            return Err(Problem::new(What::Limit, "there are too many tokens")
                .detail(format!("A user has {MOST_PER_USER} at most, all users together {MOST}."))
                .hint("Delete tokens that are no longer used; GET /v1/tokens lists them."));
        }
        let random = |error: getrandom::Error| {
            tracing::error!(%error, "the system has no random numbers");
            Problem::internal()
        };
        let (id, secret) = (secret::make_id().map_err(random)?, secret::make().map_err(random)?);
        let lifetime = i64::try_from(wanted.lifetime.as_millis()).unwrap_or(i64::MAX);
        let token = Arc::new(Token {
            id: id.clone(),
            user: wanted.user,
            name: wanted.name,
            scopes: wanted.scopes,
            created_at: now,
            expires_at: now.saturating_add(lifetime),
            once: wanted.once,
            digest: Digest::of(secret.as_bytes()),
            used: AtomicI64::new(0),
        });
        self.store(&token).and_then(|()| self.sync()).map_err(|error| failed(&error))?;
        self.write().insert(id.clone(), token.clone());
        Ok((token, format!("{PREFIX}{id}_{secret}")))
    }

    /// The token of this text. None: it is none of ours, or has ended; why, it does not say.
    pub fn check(&self, text: &str, now: WallMs) -> Option<Arc<Token>> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let digest = Digest::of(secret.as_bytes());
        let token = self.read().get(id).cloned()?;
        let good = token.digest.matches(&digest) && now < token.expires_at;
        good.then(|| {
            self.mark_used(&token, now);
            token
        })
    }

    pub fn is_live(&self, id: &str, now: WallMs) -> bool {
        self.read().get(id).is_some_and(|token| now < token.expires_at)
    }

    /// Somebody's tokens that have not ended, in the order of their ids.
    pub fn of(&self, user: &str, now: WallMs) -> Vec<Arc<Token>> {
        let known = self.read();
        let theirs = known.values().filter(|token| token.user == user && now < token.expires_at);
        theirs.cloned().collect()
    }

    /// Ends a token of this user at once, also when that cannot be written. False: there is none.
    pub fn revoke(&self, user: &str, id: &str) -> Result<bool, Problem> {
        {
            let mut known = self.write();
            if known.get(id).is_none_or(|token| token.user != user) {
                return Ok(false);
            }
            known.remove(id);
        }
        let removed = self.tree.remove(id).map_err(StoreError::from).and_then(|_| self.sync());
        removed.map(|()| true).map_err(|error| {
            failed(&error).detail("It has ended, and would be good again if the proxy started anew now.")
        })
    }

    fn forget_expired(&self, now: WallMs) {
        let expired: Vec<String> = {
            let known = self.read();
            known.values().filter(|token| token.expires_at <= now).map(|token| token.id.clone()).collect()
        };
        for id in expired {
            self.write().remove(&id);
            if let Err(error) = self.tree.remove(&id) {
                tracing::warn!(%error, "an expired token could not be removed from the store");
            }
        }
    }

    fn mark_used(&self, token: &Token, now: WallMs) {
        let before = token.used.load(Ordering::Relaxed);
        if now.saturating_sub(before) < USED_EVERY {
            return;
        }
        let marked = token.used.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed);
        // Not synced: nothing rests on it.
        if marked.is_ok()
            && let Err(error) = self.store(token)
        {
            tracing::warn!(%error, "the use of a token could not be recorded");
        }
    }

    fn store(&self, token: &Token) -> Result<(), StoreError> {
        let record = Record {
            id: token.id.clone(),
            user: token.user.clone(),
            name: token.name.clone(),
            digest: token.digest.hex(),
            scopes: token.scopes.clone(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at(),
            once: token.once,
        };
        let record = serde_json::to_vec(&record).map_err(|error| StoreError::Damaged(error.to_string()))?;
        self.tree.insert(&token.id, record)?;
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.db.flush()?;
        self.file.sync_data()?;
        Ok(())
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, Arc<Token>>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<String, Arc<Token>>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(error: &StoreError) -> Problem {
    tracing::error!(%error, "tokens");
    Problem::new(What::Unavailable, "the store of tokens failed").hint("Tell whoever runs the proxy.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(user: &str) -> Wanted {
        let lifetime = Duration::from_secs(60);
        Wanted {
            user: user.to_owned(),
            name: "a test".to_owned(),
            scopes: vec![Scope::Read],
            lifetime,
            once: None,
        }
    }

    #[test]
    fn a_token_is_good_until_it_ends_or_is_revoked_also_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let db = sled::open(directory.path()).expect("a store");
        let open = |known: &'static [&'static str], now| {
            Tokens::open(&db, directory.path(), |user| known.contains(&user), now).expect("tokens")
        };
        let tokens = open(&["ada", "ben"], 0);
        let (token, text) = tokens.make(wanted("ada"), 1_000).expect("a token");
        let (other, _) = tokens.make(wanted("ben"), 1_000).expect("a token");
        assert_eq!(tokens.check(&text, 1_001).map(|found| found.id.clone()), Some(token.id.clone()));
        assert!(tokens.check(&text, 61_000).is_none(), "it has expired");
        for at in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'A' { b'B' } else { b'A' };
            let wrong = String::from_utf8(wrong).expect("ASCII");
            assert!(tokens.check(&wrong, 1_001).is_none(), "{wrong}");
        }
        assert!(tokens.check(&text[..text.len() - 1], 1_001).is_none());
        assert!(tokens.check(&format!("{text}A"), 1_001).is_none());
        drop(tokens);

        let stored = db.open_tree("tokens").expect("a tree");
        let secret = text.rsplit_once('_').map_or("", |(_, secret)| secret);
        let told = |value: &[u8]| value.windows(8).any(|part| secret.as_bytes().starts_with(part));
        assert!(stored.iter().values().all(|value| !told(&value.expect("a record"))));

        let tokens = open(&["ada"], 1_002);
        assert!(tokens.check(&text, 1_002).is_some());
        assert!(!tokens.is_live(&other.id, 1_002), "ben is gone");
        assert!(!tokens.revoke("ben", &token.id).expect("an answer"), "it is not ben's");
        assert!(tokens.revoke("ada", &token.id).expect("an answer"));
        assert!(tokens.check(&text, 1_002).is_none());
        drop(tokens);
        assert!(open(&["ada", "ben"], 1_002).known.read().expect("tokens").is_empty());
    }

    #[test]
    fn a_user_has_so_many_tokens_at_most() {
        let directory = tempfile::tempdir().expect("a directory");
        let db = sled::open(directory.path()).expect("a store");
        let tokens = Tokens::open(&db, directory.path(), |_| true, 0).expect("tokens");
        for _ in 0..MOST_PER_USER {
            tokens.make(wanted("ada"), 0).expect("a token");
        }
        assert_eq!(tokens.make(wanted("ada"), 0).map(|_| ()).map_err(|problem| problem.status), Err(409));
        assert!(tokens.make(wanted("ben"), 0).is_ok());
        assert!(tokens.make(wanted("ada"), 60_000).is_ok(), "the others have expired");
    }
}
