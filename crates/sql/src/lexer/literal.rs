//! What identifiers and string constants stand for.

use std::borrow::Cow;

use super::scan::{after_uescape, continuation};
use super::{NAME_BYTES, TokenKind};

/// Why a constant has no value, in PostgreSQL's words.
type Problem = &'static str;

const INVALID_ESCAPE: Problem = "invalid Unicode escape";
const INVALID_VALUE: Problem = "invalid Unicode escape value";
const INVALID_PAIR: Problem = "invalid Unicode surrogate pair";

/// An unquoted name (`downcase_truncate_identifier`).
pub(super) fn fold(raw: &str) -> Cow<'_, str> {
    let raw = cut(raw);
    match raw.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(raw.to_ascii_lowercase()),
        false => Cow::Borrowed(raw),
    }
}

/// `truncate_identifier`
fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(NAME_BYTES)).unwrap_or(name)
}

fn cut_owned(name: Cow<'_, str>) -> Cow<'_, str> {
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(cut(name)),
        Cow::Owned(mut name) => {
            name.truncate(name.floor_char_boundary(NAME_BYTES));
            Cow::Owned(name)
        }
    }
}

pub(super) fn quoted_identifier(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.starts_with('"') {
        return unicode_identifier(raw).ok().map(Cow::Owned);
    }
    let inside = raw.get(1..raw.len().checked_sub(1)?)?;
    Some(cut_owned(match inside.contains('"') {
        true => Cow::Owned(inside.replace("\"\"", "\"")),
        false => Cow::Borrowed(inside),
    }))
}

/// `U&"…" [UESCAPE …]`
pub(super) fn unicode_identifier(raw: &str) -> Result<String, Problem> {
    let rest = raw.get(3..).unwrap_or_default();
    let mut end = 0;
    loop {
        end += rest.get(end..).and_then(|rest| rest.find('"')).ok_or("unterminated quoted identifier")?;
        match rest.get(end + 1..).is_some_and(|rest| rest.starts_with('"')) {
            true => end += 2,
            false => break,
        }
    }
    let inside = rest.get(..end).unwrap_or_default().replace("\"\"", "\"");
    let escape = uescape(rest.get(end + 1..).unwrap_or_default())?;
    let mut name = unescape_unicode(&inside, escape)?;
    name.truncate(name.floor_char_boundary(NAME_BYTES));
    Ok(name)
}

/// The value of a token of one of the kinds that [`TokenKind::is_string`] names, or N'…'.
pub(super) fn string_value(kind: TokenKind, raw: &str) -> Result<String, Problem> {
    match kind {
        TokenKind::String => join(raw, 1, false).map(|(value, _)| value),
        TokenKind::NationalString => join(raw, 2, false).map(|(value, _)| value),
        TokenKind::EscapeString => join(raw, 2, true).map(|(value, _)| value),
        TokenKind::UnicodeString => {
            let (inside, rest) = join(raw, 3, false)?;
            unescape_unicode(&inside, uescape(rest)?)
        }
        TokenKind::DollarString => {
            let tag =
                raw.get(1..).and_then(|rest| rest.find('$')).ok_or("unterminated dollar-quoted string")? + 2;
            let end = raw.len().checked_sub(tag).filter(|end| *end >= tag);
            Ok(end.and_then(|end| raw.get(tag..end)).unwrap_or_default().to_owned())
        }
        _ => Err("not a character string"),
    }
}

/// The contents of a quoted constant and its continuations, doubled quotes made one and, with
/// `escapes`, backslash escapes resolved; and what follows its closing quote.
fn join(raw: &str, prefix: usize, escapes: bool) -> Result<(String, &str), Problem> {
    let bytes = raw.as_bytes();
    let mut value = Vec::with_capacity(raw.len());
    let mut position = prefix;
    loop {
        match (bytes.get(position), bytes.get(position + 1)) {
            (Some(b'\''), Some(b'\'')) => {
                value.push(b'\'');
                position += 2;
            }
            (Some(b'\''), _) => {
                position += 1;
                match continuation(bytes.get(position..).unwrap_or_default()) {
                    Some(length) => position += length,
                    None => break,
                }
            }
            (Some(b'\\'), Some(_)) if escapes => {
                position += unescape(bytes.get(position + 1..).unwrap_or_default(), &mut value)? + 1;
            }
            (Some(byte), _) => {
                value.push(*byte);
                position += 1;
            }
            (None, _) => return Err("unterminated quoted string"),
        }
    }
    // As PostgreSQL does where octal or hexadecimal escapes may have made bytes that are no text.
    if value.contains(&0) {
        return Err("invalid byte sequence for encoding \"UTF8\": 0x00");
    }
    let value = String::from_utf8(value).map_err(|_| "invalid byte sequence for encoding \"UTF8\"")?;
    Ok((value, raw.get(position..).unwrap_or_default()))
}

/// One escape of an E'…' constant, after its backslash; how many bytes it took.
fn unescape(rest: &[u8], value: &mut Vec<u8>) -> Result<usize, Problem> {
    let first = rest.first().copied().unwrap_or(b'\\');
    let (byte, length) = match first {
        b'b' => (0x08, 1),
        b'f' => (0x0c, 1),
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b't' => (b'\t', 1),
        b'0'..=b'7' => {
            let length = rest.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
            let number = rest.iter().take(length).fold(0_u16, |sum, byte| sum * 8 + u16::from(byte - b'0'));
            // \777 keeps its low eight bits, as in C.
            (number as u8, length)
        }
        b'x' if rest.get(1).is_some_and(u8::is_ascii_hexdigit) => {
            let length = rest.iter().skip(1).take(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
            (hexadecimal(rest.get(1..=length)).ok_or(INVALID_ESCAPE)? as u8, length + 1)
        }
        b'u' | b'U' => {
            let length = if first == b'u' { 4 } else { 8 };
            let unit = hexadecimal(rest.get(1..=length)).ok_or(INVALID_ESCAPE)?;
            let (character, length) = match surrogate(unit)? {
                None => (unit, length + 1),
                // The second half must follow at once, in either form.
                Some(pair_first) => {
                    let next = rest.get(length + 1..).unwrap_or_default();
                    let next_length = match next.get(..2) {
                        Some(b"\\u") => 4,
                        Some(b"\\U") => 8,
                        _ => return Err(INVALID_PAIR),
                    };
                    let second = hexadecimal(next.get(2..2 + next_length)).ok_or(INVALID_ESCAPE)?;
                    (pair(pair_first, second)?, length + 1 + 2 + next_length)
                }
            };
            push(character, value)?;
            return Ok(length);
        }
        other => (other, 1),
    };
    value.push(byte);
    Ok(length)
}

/// The escape character that an optional `UESCAPE '…'` names; the backslash without one.
fn uescape(rest: &str) -> Result<char, Problem> {
    match rest.is_empty() {
        true => Ok('\\'),
        false => escape_character(after_uescape(rest)),
    }
}

/// The one character of the constant after UESCAPE, which may be any plain string
/// (`check_uescapechar`).
pub(super) fn escape_character(raw: &str) -> Result<char, Problem> {
    let kind = match raw.bytes().next() {
        Some(b'e' | b'E') => TokenKind::EscapeString,
        Some(b'$') => TokenKind::DollarString,
        _ => TokenKind::String,
    };
    let value = string_value(kind, raw)?;
    match value.as_bytes() {
        // Vertical tab counts as white space in some of the versions only; nobody means it.
        [byte] if !(byte.is_ascii_hexdigit() || b"+'\" \t\n\r\x0b\x0c".contains(byte)) => {
            Ok(char::from(*byte))
        }
        _ => Err("invalid Unicode escape character"),
    }
}

/// `str_udeescape`
fn unescape_unicode(inside: &str, escape: char) -> Result<String, Problem> {
    let bytes = inside.as_bytes();
    // check_uescapechar lets only ASCII characters pass.
    let escape = u8::try_from(escape).map_err(|_| INVALID_ESCAPE)?;
    let mut value = Vec::with_capacity(bytes.len());
    let mut pair_first = None;
    let mut position = 0;
    while let Some(byte) = bytes.get(position) {
        if *byte != escape {
            if pair_first.is_some() {
                return Err(INVALID_PAIR);
            }
            value.push(*byte);
            position += 1;
            continue;
        }
        let rest = bytes.get(position + 1..).unwrap_or_default();
        if rest.first() == Some(&escape) {
            if pair_first.is_some() {
                return Err(INVALID_PAIR);
            }
            value.push(escape);
            position += 2;
            continue;
        }
        let (unit, length) = match rest.first() {
            Some(b'+') => (hexadecimal(rest.get(1..7)), 8),
            _ => (hexadecimal(rest.get(..4)), 5),
        };
        let unit = unit.ok_or(INVALID_ESCAPE)?;
        position += length;
        let character = match pair_first.take() {
            Some(first) => pair(first, unit)?,
            None => match surrogate(unit)? {
                Some(first) => {
                    pair_first = Some(first);
                    continue;
                }
                None => unit,
            },
        };
        push(character, &mut value)?;
    }
    if pair_first.is_some() {
        return Err(INVALID_PAIR);
    }
    String::from_utf8(value).map_err(|_| "invalid byte sequence for encoding \"UTF8\"")
}

/// The number that these digits, all of them hexadecimal, are.
fn hexadecimal(digits: Option<&[u8]>) -> Option<u32> {
    digits?.iter().try_fold(0_u32, |sum, digit| Some((sum << 4) | char::from(*digit).to_digit(16)?))
}

/// Is it the first half of a surrogate pair? The second is an error in this place.
fn surrogate(unit: u32) -> Result<Option<u32>, Problem> {
    match unit {
        0xd800..=0xdbff => Ok(Some(unit)),
        0xdc00..=0xdfff => Err(INVALID_PAIR),
        _ => Ok(None),
    }
}

fn pair(first: u32, second: u32) -> Result<u32, Problem> {
    match second {
        0xdc00..=0xdfff => Ok(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)),
        _ => Err(INVALID_PAIR),
    }
}

fn push(character: u32, value: &mut Vec<u8>) -> Result<(), Problem> {
    let character = char::from_u32(character).filter(|character| *character != '\0').ok_or(INVALID_VALUE)?;
    value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(())
}
