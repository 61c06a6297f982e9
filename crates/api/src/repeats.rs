//! Calls with an `Idempotency-Key`: made once, and answered as often as they are repeated
//! (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! That a call has begun is stored before it acts, and what it acts on is synced to the same file: so
//! after a crash a repetition is told that the outcome is unknown, and nothing is done twice.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pgwarrant_grants::WallMs;
use serde::{Deserialize, Serialize};

use crate::problem::{MEDIA_TYPE, Problem, What};
use crate::secret::Digest;

/// For how long an answer is kept.
const KEPT: WallMs = 24 * 60 * 60 * 1000;
/// Answers of one user, and in all.
const MOST_PER_USER: usize = 1_000;
const MOST: usize = 20_000;
/// Of one system that sends messages, two each, and of all.
const MOST_PER_SYSTEM: usize = 20_000;
const MOST_OF_SYSTEMS: usize = 50_000;
/// Of a key, in bytes.
const MAX_KEY: usize = 128;
/// Of an answer that is kept, in bytes.
pub const MAX_ANSWER: usize = 64 << 10;

/// What a call was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub status: u16,
    pub media_type: Option<String>,
    pub location: Option<String>,
    /// JSON.
    pub body: String,
}

impl Kept {
    /// Of what was answered. None: it may be tried again.
    pub fn of(made: &Result<impl Serialize, Problem>) -> Option<Self> {
        let kept = |status, media_type: &str, body: Vec<u8>| Self {
            status,
            media_type: Some(media_type.to_owned()),
            location: None,
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        match made {
            Ok(body) => Some(kept(200, "application/json", serde_json::to_vec(body).ok()?)),
            Err(problem) if problem.status >= 500 => None,
            Err(problem) => Some(kept(problem.status, MEDIA_TYPE, serde_json::to_vec(problem).ok()?)),
        }
    }

    /// That it was there.
    pub fn nothing() -> Self {
        Self { status: 204, media_type: None, location: None, body: String::new() }
    }
}

/// As it is stored. What is added later has a default.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    user: String,
    at: WallMs,
    /// Digest of what was called and with which body.
    call: String,
    /// None: it has not been answered.
    answer: Option<Kept>,
}

#[derive(Debug, Default)]
struct Index {
    by_age: VecDeque<(WallMs, Digest, String)>,
    per_user: HashMap<String, usize>,
    /// Made by this process, and not answered yet.
    open: HashSet<Digest>,
}

/// In a tree of its own of a sled database that others may share.
#[derive(Debug)]
pub struct Repeats {
    tree: sled::Tree,
    index: Mutex<Index>,
    /// Of one user, and in all.
    most: (usize, usize),
}

/// Is this the first time?
#[derive(Debug)]
pub enum Seen {
    First(Digest),
    Answered(Kept),
}

impl Repeats {
    pub fn open(db: &sled::Db) -> Result<Self, sled::Error> {
        Self::in_tree(db.open_tree("repeats")?, (MOST_PER_USER, MOST))
    }

    /// The same for messages of other systems, whose ids are the keys.
    pub fn deliveries(db: &sled::Db) -> Result<Self, sled::Error> {
        Self::in_tree(db.open_tree("deliveries")?, (MOST_PER_SYSTEM, MOST_OF_SYSTEMS))
    }

    fn in_tree(tree: sled::Tree, most: (usize, usize)) -> Result<Self, sled::Error> {
        let mut found = Vec::new();
        for entry in &tree {
            let (key, value) = entry?;
            let digest = <[u8; 32]>::try_from(&*key).ok().map(Digest);
            match (digest, serde_json::from_slice::<Record>(&value)) {
                (Some(digest), Ok(record)) => found.push((record.at, digest, record.user)),
                // Written by a later version, or not whole: without it the key is as good as new.
                _ => _ = tree.remove(&key)?,
            }
        }
        found.sort_by_key(|(at, ..)| *at);
        let mut index = Index::default();
        for (at, digest, user) in found {
            index.add(at, digest, user);
        }
        Ok(Self { tree, index: Mutex::new(index), most })
    }

    /// `call`: of the method, the path and the body.
    pub fn begin(&self, user: &str, key: &str, call: Digest, now: WallMs) -> Result<Seen, Problem> {
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Problem::new(What::Malformed, "the Idempotency-Key cannot be used")
                .hint(format!("Make it of 1 to {MAX_KEY} printable ASCII characters without blanks.")));
        }
        // A user's name holds no NUL.
        let digest = Digest::of(format!("{user}\0{key}").as_bytes());
        let mut index = self.lock();
        self.forget_old(&mut index, now)?;
        if let Some(record) = self.get(&digest)? {
            if record.call != call.hex() {
                return Err(Problem::new(What::Invalid, "the Idempotency-Key was used for another call")
                    .detail("Its path or its body was another one.")
                    .hint("Use a key of its own for each call."));
            }
            return match record.answer {
                Some(answer) => Ok(Seen::Answered(answer)),
                None if index.open.contains(&digest) => {
                    Err(Problem::new(What::State, "the same call is still being made").hint("Try again."))
                }
                None => Err(Problem::new(What::State, "the outcome of the call is unknown")
                    .detail("The proxy ended while it was made.")
                    .hint("See in GET /v1/requests and /v1/grants what came of it; use a new key.")),
            };
        }
        let theirs = index.per_user.get(user).copied().unwrap_or(0);
        let (most_per_user, most) = self.most;
        if theirs >= most_per_user || index.by_age.len() >= most {
            return Err(Problem::new(What::Limit, "there are too many answers to keep")
                .detail(format!("Of one user {most_per_user} calls with a key are kept, for 24 h."))
                .hint("Make the call without an Idempotency-Key."));
        }
        let record = Record { user: user.to_owned(), at: now, call: call.hex(), answer: None };
        self.put(&digest, &record)?;
        index.add(now, digest, user.to_owned());
        index.open.insert(digest);
        Ok(Seen::First(digest))
    }

    /// What came of a first call. None: nothing was done, so the key is as good as new.
    pub fn finish(&self, digest: Digest, answer: Option<Kept>) -> Result<(), Problem> {
        let mut index = self.lock();
        index.open.remove(&digest);
        match (answer, self.get(&digest)?) {
            (Some(answer), Some(record)) => self.put(&digest, &Record { answer: Some(answer), ..record }),
            (None, _) => {
                let at = index.by_age.iter().position(|(_, other, _)| *other == digest);
                if let Some((_, _, user)) = at.and_then(|at| index.by_age.remove(at)) {
                    index.subtract(&user);
                }
                self.tree.remove(digest.0).map(|_| ()).map_err(|error| failed(&error))
            }
            (Some(_), None) => Ok(()),
        }
    }

    /// Waits until answers given so far survive a crash; sled writes them by itself within a second.
    pub async fn kept(&self) -> Result<(), Problem> {
        self.tree.flush_async().await.map(|_| ()).map_err(|error| failed(&error))
    }

    fn forget_old(&self, index: &mut Index, now: WallMs) -> Result<(), Problem> {
        while index.by_age.front().is_some_and(|(at, ..)| at.saturating_add(KEPT) <= now) {
            let Some((_, digest, user)) = index.by_age.pop_front() else { break };
            index.subtract(&user);
            self.tree.remove(digest.0).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    fn get(&self, digest: &Digest) -> Result<Option<Record>, Problem> {
        let found = self.tree.get(digest.0).map_err(|error| failed(&error))?;
        found.map(|record| serde_json::from_slice(&record).map_err(|error| failed(&error))).transpose()
    }

    fn put(&self, digest: &Digest, record: &Record) -> Result<(), Problem> {
        let record = serde_json::to_vec(record).map_err(|error| failed(&error))?;
        self.tree.insert(digest.0, record).map(|_| ()).map_err(|error| failed(&error))
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn add(&mut self, at: WallMs, digest: Digest, user: String) {
        *self.per_user.entry(user.clone()).or_insert(0) += 1;
        self.by_age.push_back((at, digest, user));
    }
    fn subtract(&mut self, user: &str) {
        if let Some(count) = self.per_user.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                self.per_user.remove(user);
            }
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "the store of answers failed");
    Problem::new(What::Unavailable, "the store of answers failed").hint("Tell whoever runs the proxy.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &str) -> Kept {
        Kept { status: 201, media_type: None, location: None, body: body.to_owned() }
    }
    fn first(seen: Result<Seen, Problem>) -> Digest {
        match seen {
            Ok(Seen::First(digest)) => digest,
            other => panic!("not the first: {other:?}"),
        }
    }
    fn status(seen: Result<Seen, Problem>) -> u16 {
        seen.map_or_else(|problem| problem.status, |_| 0)
    }

    #[test]
    fn a_call_is_made_once_and_answered_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let db = sled::open(directory.path()).expect("a store");
        let repeats = Repeats::open(&db).expect("repeats");
        let (call, other) = (Digest::of(b"a call"), Digest::of(b"another"));
        let digest = first(repeats.begin("ada", "k", call, 0));
        assert_eq!(status(repeats.begin("ada", "k", call, 0)), 409, "it is being made");
        repeats.finish(digest, Some(kept("{}"))).expect("kept");
        assert!(matches!(repeats.begin("ada", "k", call, 0), Ok(Seen::Answered(it)) if it == kept("{}")));
        assert_eq!(status(repeats.begin("ada", "k", other, 0)), 422);
        let of_ben = first(repeats.begin("ben", "k", other, 0));
        drop(repeats);

        let repeats = Repeats::open(&db).expect("repeats");
        assert!(matches!(repeats.begin("ada", "k", call, 1), Ok(Seen::Answered(_))));
        let unknown = repeats.begin("ben", "k", other, 1).expect_err("the outcome is unknown");
        assert!(unknown.message.contains("unknown"), "{unknown:?}");
        repeats.finish(of_ben, None).expect("forgotten");
        first(repeats.begin("ben", "k", other, 1));
        first(repeats.begin("ada", "k", other, KEPT));
    }

    #[test]
    fn keys_and_answers_are_bounded() {
        let directory = tempfile::tempdir().expect("a directory");
        let db = sled::open(directory.path()).expect("a store");
        let repeats = Repeats::open(&db).expect("repeats");
        let call = Digest::of(b"a call");
        for key in ["", "a b", "ä", "\n", &"k".repeat(MAX_KEY + 1)] {
            assert_eq!(status(repeats.begin("ada", key, call, 0)), 400, "{key:?}");
        }
        for key in 0..MOST_PER_USER {
            first(repeats.begin("ada", &key.to_string(), call, 0));
        }
        assert_eq!(status(repeats.begin("ada", "more", call, 0)), 409);
        first(repeats.begin("ben", "more", call, 0));
        first(repeats.begin("ada", "more", call, KEPT));
        assert_eq!(repeats.tree.len(), 1, "what is old is gone");
    }
}
