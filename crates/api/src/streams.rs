//! Streams of events that are open, counted for each user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// In all: each of them looks at every event.
const MOST: usize = 256;

#[derive(Clone, Debug)]
pub struct Streams {
    per_user: usize,
    open: Arc<Mutex<HashMap<String, usize>>>,
}

/// One stream, counted until it is dropped.
#[derive(Debug)]
pub struct Place {
    streams: Streams,
    user: String,
}

impl Streams {
    pub fn new(per_user: usize) -> Self {
        Self { per_user, open: Arc::default() }
    }

    /// None: the user has too many already, or all together have.
    pub fn enter(&self, user: &str) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, theirs) = (open.values().sum::<usize>(), open.get(user).copied().unwrap_or(0));
        if all >= MOST || theirs >= self.per_user {
            return None;
        }
        open.insert(user.to_owned(), theirs + 1);
        Some(Place { streams: self.clone(), user: user.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_counted_for_each_user() {
        let streams = Streams::new(1);
        let first = streams.enter("ada");
        assert!(first.is_some() && streams.enter("ada").is_none() && streams.enter("ben").is_some());
        drop(first);
        assert!(streams.enter("ada").is_some());
    }
}
