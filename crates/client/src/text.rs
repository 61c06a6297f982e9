//! What others wrote, made fit to be shown: a reason is whatever somebody typed.

use std::borrow::Cow;

/// Characters that do something to a terminal, cannot be seen, or turn others around (Unicode
/// Technical Report 36, section 2; CVE-2021-42574), by their number.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        match steers(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
        shown
    }))
}

/// The same for JSON: what it escapes already says, in a string of it, the same as before.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    if !json.contains(steers) {
        return Cow::Borrowed(json);
    }
    let mut units = [0; 2];
    Cow::Owned(json.chars().fold(String::with_capacity(json.len()), |mut shown, c| {
        match steers(c) {
            true => shown.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}"))),
            false => shown.push(c),
        }
        shown
    }))
}

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_shown_by_its_number_and_nothing_else_is_touched() {
        for (text, shown) in [
            ("ticket 4711: Größe, 日本語, 👍", "ticket 4711: Größe, 日本語, 👍"),
            ("a\tb\r\nc", "a\\tb\\r\\nc"),
            ("\x1b]0;pwned\x07", "\\u{1b}]0;pwned\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("abc\u{202e}cba", "abc\\u{202e}cba"),
            ("\u{61c}\u{2066}\u{e0041}", "\\u{61c}\\u{2066}\\u{e0041}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn json_means_the_same_as_before() {
        let value = serde_json::json!({ "reason": "a\u{202e}\u{9b}\x7f\u{e0041}\x1b\"\n" });
        let json = value.to_string();
        let shown = printable_json(&json);
        assert!(!shown.contains(steers), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).ok(), Some(value));
    }
}
