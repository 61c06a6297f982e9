//! Looking pairs of names up without copying them.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

/// Two names, of a schema and what is in it: owned as a map's key, borrowed to look it up.
pub(crate) trait Pair {
    fn names(&self) -> (&str, &str);
}

impl Pair for (String, String) {
    fn names(&self) -> (&str, &str) {
        (&self.0, &self.1)
    }
}

impl Pair for (&str, &str) {
    fn names(&self) -> (&str, &str) {
        *self
    }
}

impl<'a> Borrow<dyn Pair + 'a> for (String, String) {
    fn borrow(&self) -> &(dyn Pair + 'a) {
        self
    }
}

impl Hash for dyn Pair + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As the derived one of an owned pair.
        self.names().hash(state);
    }
}

impl PartialEq for dyn Pair + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.names() == other.names()
    }
}

impl Eq for dyn Pair + '_ {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_borrowed_pair_finds_the_owned_one_and_no_other() {
        let pairs = HashSet::from([("public".to_owned(), "orders".to_owned())]);
        let has = |schema: &str, name: &str| pairs.contains(&(schema, name) as &dyn Pair);
        assert!(has("public", "orders"));
        assert!(!has("orders", "public"));
        assert!(!has("publico", "rders"));
    }
}
