//! Literals, checked against a column's type and brought into a form that means the same under
//! every session setting.

use std::net::IpAddr;

use pgwarrant_masking::sql_type::oid;
use pgwarrant_masking::{BaseType, SqlType};

use super::Value;
use crate::lexer::NAME_BYTES;

/// A literal as written.
pub(super) enum Literal {
    /// With its minus sign.
    Number(String),
    String(String),
    Boolean(bool),
}

/// Characters of a literal: longer ones are no keys that a person compares.
const LITERAL_CHARACTERS: usize = 1_000;
/// Digits of a number.
const NUMBER_DIGITS: usize = 64;

/// The qualified name, without modifier, of a built-in type whose operators in `pg_catalog`
/// compare exactly.
///
/// Modifiers are left out because a cast to `varchar(3)` or `numeric(5,1)` cuts or rounds the
/// literal in silence. Absent: `money` (read by `lc_monetary`), json and jsonb.
pub(super) fn type_name(base_oid: u32) -> Option<&'static str> {
    Some(match base_oid {
        oid::BOOL => "pg_catalog.bool",
        oid::BYTEA => "pg_catalog.bytea",
        oid::NAME => "pg_catalog.name",
        oid::INT8 => "pg_catalog.int8",
        oid::INT2 => "pg_catalog.int2",
        oid::INT4 => "pg_catalog.int4",
        oid::TEXT => "pg_catalog.text",
        oid::CIDR => "pg_catalog.cidr",
        oid::FLOAT4 => "pg_catalog.float4",
        oid::FLOAT8 => "pg_catalog.float8",
        oid::INET => "pg_catalog.inet",
        oid::BPCHAR => "pg_catalog.bpchar",
        oid::VARCHAR => "pg_catalog.varchar",
        oid::DATE => "pg_catalog.date",
        oid::TIMESTAMP => "pg_catalog.timestamp",
        oid::TIMESTAMPTZ => "pg_catalog.timestamptz",
        oid::NUMERIC => "pg_catalog.numeric",
        oid::UUID => "pg_catalog.uuid",
        _ => return None,
    })
}

/// The value of a literal for a column, or a message and a hint.
pub(super) fn value(literal: &Literal, column_type: &SqlType) -> Result<Value, (String, &'static str)> {
    let (written, expected) = match literal {
        Literal::Number(text) => (text.as_str(), "Write strings in single quotes."),
        Literal::String(text) => (text.as_str(), hint(column_type)),
        Literal::Boolean(boolean) => {
            (if *boolean { "true" } else { "false" }, "Write strings in single quotes.")
        }
    };
    if written.chars().count() > LITERAL_CHARACTERS {
        return Err(("literal in a row condition is too long".to_owned(), "Compare with a shorter value."));
    }
    // Who approves must be able to see what is approved.
    if written.chars().any(deceives) {
        let message = "control character in a row condition".to_owned();
        return Err((message, "Leave out control and text direction characters."));
    }
    let is_string = matches!(literal, Literal::String(_));
    let text = match (column_type.base, literal) {
        (BaseType::Text, Literal::String(text)) => text_value(text, column_type),
        (BaseType::Enum, Literal::String(text)) => {
            Some(text.clone()).filter(|text| column_type.enum_labels.contains(text))
        }
        (BaseType::Integer, Literal::String(_) | Literal::Number(_)) => integer(written, column_type),
        (BaseType::Number, Literal::String(_) | Literal::Number(_)) => number(written, column_type),
        (BaseType::Boolean, Literal::String(_) | Literal::Boolean(_)) => boolean(written),
        (BaseType::Date, Literal::String(text)) => date(text),
        (BaseType::Timestamp, Literal::String(text)) => timestamp(text, column_type),
        (BaseType::Uuid, Literal::String(text)) => uuid(text),
        (BaseType::Inet, Literal::String(text)) => inet(text, column_type),
        (BaseType::Bytea, Literal::String(text)) => bytea(text),
        _ => None,
    };
    let bare = matches!(column_type.base, BaseType::Integer | BaseType::Number | BaseType::Boolean);
    text.map(|text| Value { text, bare }).ok_or_else(|| {
        let shown = if is_string { super::quote(written) } else { written.to_owned() };
        let expected = if is_string || bare { hint(column_type) } else { expected };
        (format!("{shown} is not a value of type {} that a row condition takes", column_type.sql), expected)
    })
}

fn hint(column_type: &SqlType) -> &'static str {
    match column_type.base {
        BaseType::Integer => "Write a whole number within the type's range.",
        BaseType::Number => "Write digits with at most one decimal point.",
        BaseType::Boolean => "Write true or false.",
        BaseType::Date => "Write '2026-01-31'.",
        BaseType::Timestamp if column_type.base_oid == oid::TIMESTAMPTZ => {
            "Write '2026-01-31 14:00:00+00', with its time zone's offset; without one it is UTC."
        }
        BaseType::Timestamp => "Write '2026-01-31 14:00:00', without a time zone.",
        BaseType::Uuid => "Write 32 hexadecimal digits with hyphens after the 8th, 12th, 16th and 20th.",
        BaseType::Inet => "Write an address, or a network such as '10.0.0.0/8'.",
        BaseType::Bytea => "Write hexadecimal digits after a backslash and x.",
        BaseType::Enum => "Write one of the enum's labels.",
        _ => "Write a string in single quotes.",
    }
}

/// Control characters, and those that change the direction of the text around them.
fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn text_value(text: &str, column_type: &SqlType) -> Option<String> {
    // A cast to name cuts.
    let fits = column_type.base_oid != oid::NAME || text.len() <= NAME_BYTES;
    fits.then(|| text.to_owned())
}

fn integer(text: &str, column_type: &SqlType) -> Option<String> {
    let number = plain_digits(text).then(|| text.parse::<i64>().ok())??;
    let fits = match column_type.base_oid {
        oid::INT2 => i16::try_from(number).is_ok(),
        oid::INT4 => i32::try_from(number).is_ok(),
        _ => true,
    };
    fits.then(|| number.to_string())
}

fn plain_digits(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits with at most one point, no exponent.
fn number(text: &str, column_type: &SqlType) -> Option<String> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let length = whole.len() + fraction.len();
    if length == 0 || length > NUMBER_DIGITS || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    let number = format!("{sign}{whole}{point}{fraction}");
    let zero = !number.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    // PostgreSQL refuses what overflows, and what becomes zero.
    let fits = |parsed: f64| parsed.is_finite() && (zero || parsed != 0.0);
    match column_type.base_oid {
        oid::FLOAT4 => number.parse::<f32>().is_ok_and(|parsed| fits(f64::from(parsed))),
        oid::FLOAT8 => number.parse::<f64>().is_ok_and(fits),
        _ => true,
    }
    .then_some(number)
}

fn boolean(text: &str) -> Option<String> {
    ["true", "false"].into_iter().find(|word| text.eq_ignore_ascii_case(word)).map(str::to_owned)
}

/// `2026-01-31`, which every DateStyle reads as year, month, day.
fn date(text: &str) -> Option<String> {
    let shape =
        text.len() == 10 && text.as_bytes().get(4) == Some(&b'-') && text.as_bytes().get(7) == Some(&b'-');
    let part = |range: std::ops::Range<usize>| digits(text.get(range)?);
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (shape && year > 0 && (1..=days).contains(&day)).then(|| text.to_owned())
}

fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A date, or a date and a time of day, with an offset from UTC where the type has one.
fn timestamp(text: &str, column_type: &SqlType) -> Option<String> {
    let day = date(text.get(..10)?)?;
    let rest = text.get(10..)?;
    let (time, zone) = match rest.strip_prefix([' ', 'T']) {
        None if rest.is_empty() => ("00:00:00", ""),
        None => return None,
        Some(rest) => rest.split_at(rest.find(['Z', '+', '-']).unwrap_or(rest.len())),
    };
    let time = time_of_day(time)?;
    let zone = match (column_type.base_oid == oid::TIMESTAMPTZ, zone) {
        // PostgreSQL would take the session's TimeZone, which the session may set.
        (true, "" | "Z") => "+00".to_owned(),
        (true, zone) => offset(zone)?,
        (false, "") => String::new(),
        // PostgreSQL would ignore it.
        (false, _) => return None,
    };
    Some(format!("{day} {time}{zone}"))
}

/// `14:00`, `14:00:00` or `14:00:00.5`, with its seconds.
fn time_of_day(text: &str) -> Option<String> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.split(':');
    let mut part = |below: u32| {
        let part = parts.next()?;
        (part.len() == 2 && digits(part)? < below).then_some(part)
    };
    let (hour, minute) = (part(24)?, part(60)?);
    let second = if clock.len() == 8 { part(60)? } else { "00" };
    let whole =
        parts.next().is_none() && matches!(clock.len(), 5 | 8) && (fraction.is_empty() || clock.len() == 8);
    let exact = fraction.len() <= 6 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let point = if fraction.is_empty() { "" } else { "." };
    (whole && exact).then(|| format!("{hour}:{minute}:{second}{point}{fraction}"))
}

/// `+02`, `+02:00` or `+0200`; PostgreSQL takes less than 16 hours.
fn offset(text: &str) -> Option<String> {
    let (hours, minutes) = match (text.len(), text.get(1..3)?, text.get(3..)?) {
        (3, hours, _) => (hours, "00"),
        (5, hours, minutes) => (hours, minutes),
        (6, hours, minutes) => (hours, minutes.strip_prefix(':')?),
        _ => return None,
    };
    let sign = text.get(..1)?;
    let fits =
        matches!(sign, "+" | "-") && digits(hours)? < 16 && minutes.len() == 2 && digits(minutes)? < 60;
    let minutes = if minutes == "00" { String::new() } else { format!(":{minutes}") };
    fits.then(|| format!("{sign}{hours}{minutes}"))
}

fn uuid(text: &str) -> Option<String> {
    let shape = text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    shape.then(|| text.to_ascii_lowercase())
}

fn inet(text: &str, column_type: &SqlType) -> Option<String> {
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().ok()?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(prefix) => {
            Some(digits(prefix).filter(|prefix| *prefix <= width)?).filter(|prefix| *prefix < width)
        }
        None => None,
    };
    let bits = match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    let host_bits = prefix.is_some_and(|prefix| bits.checked_shl(prefix).unwrap_or(0) != 0);
    if column_type.base_oid == oid::CIDR && host_bits {
        return None;
    }
    Some(prefix.map_or_else(|| address.to_string(), |prefix| format!("{address}/{prefix}")))
}

fn bytea(text: &str) -> Option<String> {
    let digits = text.strip_prefix("\\x")?;
    let shape = digits.len() % 2 == 0 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    shape.then(|| text.to_ascii_lowercase())
}
