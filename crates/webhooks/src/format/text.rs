//! Texts that people wrote, on their way to where they could be taken for something else.

/// On one line, and nothing in it that cannot be seen: what is invisible or turns other characters
/// around is shown by its number, as in the web inbox.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' ' | '\t' | '\n' | '\r' => shown.push(' '),
            hidden if is_hidden(hidden) => shown.push_str(&format!("U+{:04X}", u32::from(hidden))),
            other => shown.push(other),
        }
    }
    shown
}

/// Controls, and Unicode's default-ignorable characters and separators as far as they have a use in a
/// forgery: marks of direction, zero widths, fillers, tags.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// As much of it as fits into `most` bytes once each character is written as `write` has it.
pub fn cut(text: &str, most: usize, write: impl Fn(char, &mut String)) -> String {
    let mut written = String::new();
    for character in text.chars() {
        let before = written.len();
        write(character, &mut written);
        if written.len() > most {
            written.truncate(before);
            written.push('…');
            break;
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_hidden() {
        for (text, shown) in [
            ("mail bounced", "mail bounced"),
            ("two\r\nlines\tand a tab", "two  lines and a tab"),
            ("pay \u{202E}gpj.exe", "pay U+202Egpj.exe"),
            ("@\u{200B}channel", "@U+200Bchannel"),
            ("a\u{0}b\u{1b}[2Jc", "aU+0000bU+001B[2Jc"),
            ("x\u{E0041}y", "xU+E0041y"),
            ("Zoë, 東京, Ω", "Zoë, 東京, Ω"),
        ] {
            assert_eq!(visible(text), shown, "{text:?}");
        }
    }

    #[test]
    fn what_is_too_long_ends_between_characters() {
        let plain = |character: char, written: &mut String| written.push(character);
        assert_eq!(cut("abc", 3, plain), "abc");
        assert_eq!(cut("abcd", 3, plain), "abc…");
        assert_eq!(cut("äöü", 5, plain), "äö…");
        let doubled = |character: char, written: &mut String| written.extend([character, character]);
        assert_eq!(cut("abc", 5, doubled), "aabb…");
    }
}
