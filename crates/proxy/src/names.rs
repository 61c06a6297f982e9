//! Names whose meaning in the server depends on messages still in flight.
//!
//! A Parse, Bind, Close, PREPARE, DECLARE … changes what a name stands for, but only if the server
//! accepts it. So each name has its versions, by the ledger's sequence: the newest is what a later
//! message *of the same scope* (up to the next Sync, or within one Query) will find, because if the
//! change fails the server skips that message too. A message of a later scope must wait until the
//! change is decided: [`Meaning::Undecided`].

use std::collections::HashMap;
use std::sync::Arc;

use crate::ledger::Sequence;

#[derive(Debug)]
struct Version<T> {
    sequence: Sequence,
    /// None: closed.
    value: Option<Arc<T>>,
}

#[derive(Debug)]
pub struct Names<T> {
    versions: HashMap<Box<str>, Vec<Version<T>>>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { versions: HashMap::new() }
    }
}

/// What a name stands for.
#[derive(Debug)]
pub enum Meaning<T> {
    Known(Arc<T>),
    Unknown,
    /// Depends on a message in flight that may fail: wait for its answer and ask again.
    Undecided,
}

impl<T> Names<T> {
    /// What `name` will stand for when a message of the scope that began at `scope` arrives.
    /// `decided` tells of a sequence whether its answer has been seen.
    pub fn meaning(&self, name: &str, scope: Sequence, decided: impl Fn(Sequence) -> bool) -> Meaning<T> {
        let Some(newest) = self.versions.get(name).and_then(|versions| versions.last()) else {
            return Meaning::Unknown;
        };
        if newest.sequence < scope && !decided(newest.sequence) {
            return Meaning::Undecided;
        }
        newest.value.clone().map_or(Meaning::Unknown, Meaning::Known)
    }

    /// A message of this sequence will make `name` stand for `value` (None: for nothing).
    pub fn change(&mut self, name: &str, sequence: Sequence, value: Option<Arc<T>>) {
        match self.versions.get_mut(name) {
            Some(versions) => versions.push(Version { sequence, value }),
            None => {
                if value.is_some() {
                    self.versions.insert(name.into(), vec![Version { sequence, value }]);
                }
            }
        }
    }

    /// A message of this sequence will make every name of which `which` is true stand for nothing.
    pub fn forget(&mut self, sequence: Sequence, which: impl Fn(&str) -> bool) -> Vec<Box<str>> {
        let mut changed = Vec::new();
        for (name, versions) in &mut self.versions {
            if versions.last().is_some_and(|newest| newest.value.is_some()) && which(name) {
                versions.push(Version { sequence, value: None });
                changed.push(name.clone());
            }
        }
        changed
    }

    /// The server accepted the change.
    pub fn accepted(&mut self, name: &str, sequence: Sequence) {
        let Some(versions) = self.versions.get_mut(name) else { return };
        let Some(at) = versions.iter().position(|version| version.sequence == sequence) else { return };
        versions.drain(..at);
        if let [only] = versions.as_slice()
            && only.value.is_none()
        {
            self.versions.remove(name);
        }
    }

    /// The server refused or skipped the change.
    pub fn undone(&mut self, name: &str, sequence: Sequence) {
        let Some(versions) = self.versions.get_mut(name) else { return };
        versions.retain(|version| version.sequence != sequence);
        if versions.iter().all(|version| version.value.is_none()) && versions.len() < 2 {
            self.versions.remove(name);
        }
    }

    /// Drops at once, with no way back, what was decided by `sequence` at the latest and of which
    /// `which` is true: portals at the end of a transaction.
    pub fn expire(&mut self, sequence: Sequence, which: impl Fn(&T) -> bool) {
        self.versions.retain(|_, versions| {
            versions.retain(|version| {
                version.sequence > sequence || version.value.as_deref().is_some_and(|value| !which(value))
            });
            !versions.is_empty()
        });
    }

    pub fn len(&self) -> usize {
        self.versions.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(names: &Names<&'static str>, name: &str, scope: Sequence, decided_up_to: Sequence) -> String {
        match names.meaning(name, scope, |sequence| sequence <= decided_up_to) {
            Meaning::Known(value) => (*value).to_string(),
            Meaning::Unknown => "unknown".to_owned(),
            Meaning::Undecided => "undecided".to_owned(),
        }
    }

    #[test]
    fn a_later_scope_waits_for_the_answer() {
        let mut names = Names::default();
        names.change("s", 1, Some(Arc::new("a")));
        assert_eq!(show(&names, "s", 1, 0), "a", "same scope: if it fails, so is what depends on it skipped");
        assert_eq!(show(&names, "s", 5, 0), "undecided");
        names.accepted("s", 1);
        assert_eq!(show(&names, "s", 5, 1), "a");
    }

    #[test]
    fn a_refused_change_leaves_what_was_there_even_when_a_newer_change_is_in_flight() {
        let mut names = Names::default();
        names.change("", 1, Some(Arc::new("old")));
        names.accepted("", 1);
        names.change("", 5, Some(Arc::new("fails")));
        names.change("", 9, Some(Arc::new("new")));
        names.undone("", 5);
        assert_eq!(show(&names, "", 9, 5), "new");
        names.undone("", 9);
        assert_eq!(show(&names, "", 12, 9), "old");
    }

    #[test]
    fn forgetting_all_is_undone_name_by_name() {
        let mut names = Names::default();
        names.change("a", 1, Some(Arc::new("a")));
        names.change("b", 2, Some(Arc::new("b")));
        let mut changed = names.forget(3, |_| true);
        changed.sort();
        assert_eq!(changed, ["a".into(), "b".into()]);
        assert_eq!(show(&names, "a", 3, 2), "unknown");
        names.undone("a", 3);
        names.accepted("b", 3);
        assert_eq!(show(&names, "a", 4, 3), "a");
        assert_eq!(show(&names, "b", 4, 3), "unknown");
        assert_eq!(names.len(), 1);
    }

    #[test]
    fn the_end_of_a_transaction_drops_what_was_decided_before_it() {
        let mut names = Names::default();
        names.change("p", 1, Some(Arc::new("portal")));
        names.change("h", 2, Some(Arc::new("hold")));
        names.change("q", 8, Some(Arc::new("portal")));
        names.expire(5, |value| *value == "portal");
        assert_eq!(show(&names, "p", 9, 8), "unknown");
        assert_eq!(show(&names, "h", 9, 8), "hold");
        assert_eq!(show(&names, "q", 9, 8), "portal");
    }
}
