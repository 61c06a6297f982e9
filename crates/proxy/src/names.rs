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

/// Room for so many names is kept.
const MANY: usize = 64;

#[derive(Debug)]
struct Version<T> {
    sequence: Sequence,
    /// None: closed.
    value: Option<Arc<T>>,
}

#[derive(Debug)]
pub struct Names<T> {
    versions: HashMap<Box<str>, Vec<Version<T>>>,
    /// Of the name that is empty, which most messages use.
    unnamed: Vec<Version<T>>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { versions: HashMap::new(), unnamed: Vec::new() }
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
        let versions = if name.is_empty() { Some(&self.unnamed) } else { self.versions.get(name) };
        let Some(newest) = versions.and_then(|versions| versions.last()) else {
            return Meaning::Unknown;
        };
        if newest.sequence < scope && !decided(newest.sequence) {
            return Meaning::Undecided;
        }
        newest.value.clone().map_or(Meaning::Unknown, Meaning::Known)
    }

    /// A message of this sequence will make `name` stand for `value` (None: for nothing).
    pub fn change(&mut self, name: &str, sequence: Sequence, value: Option<Arc<T>>) {
        match self.versions_mut(name) {
            Some(versions) if !versions.is_empty() || value.is_some() => {
                versions.push(Version { sequence, value });
            }
            Some(_) => {}
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
        let unnamed = std::iter::once((Box::default(), &mut self.unnamed));
        let named = self.versions.iter_mut().map(|(name, versions)| (name.clone(), versions));
        for (name, versions) in unnamed.chain(named) {
            if versions.last().is_some_and(|newest| newest.value.is_some()) && which(&name) {
                versions.push(Version { sequence, value: None });
                changed.push(name);
            }
        }
        changed
    }

    /// The server has decided on the change.
    pub fn decide(&mut self, name: &str, sequence: Sequence, accepted: bool) {
        match accepted {
            true => self.accepted(name, sequence),
            false => self.undone(name, sequence),
        }
    }

    /// The server accepted the change.
    pub fn accepted(&mut self, name: &str, sequence: Sequence) {
        let Some(versions) = self.versions_mut(name) else { return };
        let Some(at) = versions.iter().position(|version| version.sequence == sequence) else { return };
        versions.drain(..at);
        if let [only] = versions.as_slice()
            && only.value.is_none()
        {
            self.remove(name);
        }
    }

    /// The server refused or skipped the change.
    pub fn undone(&mut self, name: &str, sequence: Sequence) {
        let Some(versions) = self.versions_mut(name) else { return };
        versions.retain(|version| version.sequence != sequence);
        if versions.iter().all(|version| version.value.is_none()) && versions.len() < 2 {
            self.remove(name);
        }
    }

    /// Drops at once, with no way back, what was decided by `sequence` at the latest and of which
    /// `which` is true: portals at the end of a transaction.
    pub fn expire(&mut self, sequence: Sequence, which: impl Fn(&T) -> bool) {
        let stays = |version: &Version<T>| {
            version.sequence > sequence || version.value.as_deref().is_some_and(|value| !which(value))
        };
        self.unnamed.retain(stays);
        self.versions.retain(|_, versions| {
            versions.retain(stays);
            !versions.is_empty()
        });
        self.give_back();
    }

    pub fn len(&self) -> usize {
        self.versions.len() + usize::from(!self.unnamed.is_empty())
    }

    /// None: the name stands for nothing. (For the unnamed one there may be an empty list.)
    fn versions_mut(&mut self, name: &str) -> Option<&mut Vec<Version<T>>> {
        if name.is_empty() { Some(&mut self.unnamed) } else { self.versions.get_mut(name) }
    }

    fn remove(&mut self, name: &str) {
        if name.is_empty() {
            // Its memory stays for the next one.
            self.unnamed.clear();
        } else {
            self.versions.remove(name);
            self.give_back();
        }
    }

    /// The memory of many names that are gone.
    fn give_back(&mut self) {
        let (used, kept) = (self.versions.len(), self.versions.capacity());
        if kept > MANY && used < kept / 8 {
            self.versions.shrink_to(2 * used);
        }
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

    #[test]
    fn many_names_that_are_gone_leave_little_behind() {
        let mut names = Names::default();
        for sequence in 0..1000_u64 {
            names.change(&sequence.to_string(), sequence, Some(Arc::new("portal")));
            names.accepted(&sequence.to_string(), sequence);
        }
        for sequence in 0..500_u64 {
            names.change(&sequence.to_string(), 1000 + sequence, None);
            names.accepted(&sequence.to_string(), 1000 + sequence);
        }
        assert_eq!(names.len(), 500);
        names.expire(999, |_| true);
        assert_eq!(names.len(), 0);
        assert!(names.versions.capacity() <= MANY);
    }
}
