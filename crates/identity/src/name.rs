//! What may be a user's name.

/// Bytes of a name in PostgreSQL (`NAMEDATALEN` less its NUL).
const MAX: usize = 63;

/// Is this a name that says one thing to everybody who reads it? Control characters hide, and so do
/// spaces at the ends, which a directory ignores.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX && name.trim() == name && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn names_are_what_they_look_like() {
        for good in ["ada", "Ada Lovelace", "ada@shop.example", "*", "a)(uid=*", "Ådå", &"x".repeat(63)] {
            assert!(is_plain(good), "{good:?}");
        }
        for bad in ["", " ada", "ada ", "ada\u{a0}", "a\0da", "ada\n", "a\u{7f}", "\u{85}", &"x".repeat(64)] {
            assert!(!is_plain(bad), "{bad:?}");
        }
    }
}
