//! Texts that people write and read: bounded, and safe to print on an approver's terminal.

use crate::{Error, WallMs};

pub(crate) const MAX_REASON: usize = 1_000;
pub(crate) const MAX_TICKET: usize = 200;
/// The reason of a decision or a revocation.
pub(crate) const MAX_NOTE: usize = 500;

/// `2026-03-01 12:30:00+00`, as `timestamptz` prints in UTC.
pub(crate) fn time(at: WallMs) -> String {
    match jiff::Timestamp::from_millisecond(at) {
        Ok(timestamp) => timestamp.strftime("%Y-%m-%d %H:%M:%S+00").to_string(),
        Err(_) => "a time out of range".to_owned(),
    }
}

/// A text that must say something.
pub(crate) fn required(name: &str, text: &str, max_bytes: usize) -> Result<String, Error> {
    optional(name, Some(text), max_bytes)?.ok_or_else(|| {
        Error::invalid(format!("a {name} is required")).hint(format!("Say in {name} => '…' what it is for."))
    })
}

/// None also for a text without a letter or digit in it.
pub(crate) fn optional(name: &str, text: Option<&str>, max_bytes: usize) -> Result<Option<String>, Error> {
    let Some(text) = text else { return Ok(None) };
    printable(name, text, max_bytes)?;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(text.chars().any(char::is_alphanumeric).then_some(text))
}

pub(crate) fn bounded(name: &str, text: &str, max_bytes: usize) -> Result<(), Error> {
    if text.len() <= max_bytes {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} is too long"))
        .detail(format!("It has {} bytes, and {max_bytes} are allowed.", text.len()))
        .hint(format!("Shorten {name}.")))
}

/// Refuses what is too long, or could make a terminal show something else than what is stored.
pub(crate) fn printable(name: &str, text: &str, max_bytes: usize) -> Result<(), Error> {
    bounded(name, text, max_bytes)?;
    match text.chars().find(|&c| misleading(c)) {
        None => Ok(()),
        Some(bad) => Err(Error::invalid(format!("{name} holds the character U+{:04X}", u32::from(bad)))
            .hint("Leave out control characters and characters that change the direction of text.")),
    }
}

fn misleading(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// Are these two names of one person or group as far as people can tell? For prohibitions only:
/// rights are given by exact names.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    let fold = |name: &str| name.trim().to_lowercase();
    fold(a) == fold(b)
}

/// As much of it as `max_bytes` hold, whole characters.
pub(crate) fn cut(text: &str, max_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(max_bytes)).unwrap_or("")
}

/// As a sentence ends.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}
