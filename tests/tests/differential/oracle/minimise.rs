//! The smallest text of which something still holds.

use pgwarrant_sql::{Limits, lex};

/// Leaves out tokens, many at once and then one by one, as long as `holds`. At most some thousand
/// tries: a hint for a reader need not be perfect.
pub fn minimise(text: &str, holds: impl Fn(&str) -> bool) -> String {
    let Ok(tokens) = lex(text, &Limits::default()) else { return text.to_owned() };
    let mut words: Vec<&str> = tokens.iter().map(|token| token.text(text)).collect();
    if !holds(&words.join(" ")) {
        return text.to_owned();
    }
    let (mut tries, mut length) = (2000, words.len() / 2);
    while length > 0 {
        let (mut start, mut shorter) = (0, false);
        while start < words.len() && tries > 0 {
            tries -= 1;
            let end = (start + length).min(words.len());
            let rest = [&words[..start], &words[end..]].concat();
            if holds(&rest.join(" ")) {
                (words, shorter) = (rest, true);
            } else {
                start += length;
            }
        }
        if !(shorter && length == 1) {
            length /= 2;
        }
    }
    words.join(" ")
}
