//! String literals in spliced text, and whether PostgreSQL would read one as a given type.

use std::net::IpAddr;

use crate::sql_type::numeric_digits;
use crate::{BaseType, SqlType, oid};

/// `text` as an SQL string literal, whatever `standard_conforming_strings` says.
pub(crate) fn quote(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// Does PostgreSQL read `value` as `column_type`, as far as can be told without a server? `Err` is
/// a sentence that says what the type wants. Stricter than PostgreSQL where its answer would
/// depend on the session (DateStyle, TimeZone).
pub(crate) fn check(value: &str, column_type: &SqlType) -> Result<(), String> {
    let fits = |ok: bool, wants: &str| if ok { Ok(()) } else { Err(wants.to_owned()) };
    if value.contains('\0') {
        return Err("A constant cannot hold a NUL character.".into());
    }
    if column_type.array {
        let elements =
            array_elements(value).ok_or("Write an array constant in braces, such as {} or {a,\"b c\"}.")?;
        let element_type = SqlType { array: false, ..column_type.clone() };
        return elements.iter().flatten().try_for_each(|element| check(element, &element_type));
    }
    match column_type.base {
        BaseType::Text => match text_limit(column_type) {
            Some(limit) if value.chars().count() > limit as usize => {
                Err(format!("The constant may have {limit} characters at most."))
            }
            _ => Ok(()),
        },
        BaseType::Integer => integer(value, column_type.base_oid),
        BaseType::Number => number(value, column_type),
        BaseType::Boolean => fits(matches!(value, "true" | "false"), "The constant must be true or false."),
        BaseType::Date => fits(is_date(value), "The constant must be a date such as 1970-01-01."),
        BaseType::Timestamp if column_type.base_oid == oid::TIMESTAMPTZ => fits(
            is_timestamp(value, true),
            "The constant must be a time with its zone, such as 1970-01-01 00:00:00+00.",
        ),
        BaseType::Timestamp => fits(
            is_timestamp(value, false),
            "The constant must be a time without a zone, such as 1970-01-01 00:00:00.",
        ),
        BaseType::Uuid => {
            fits(is_uuid(value), "The constant must be a UUID such as 00000000-0000-0000-0000-000000000000.")
        }
        BaseType::Inet => {
            let network = column_type.base_oid == oid::CIDR;
            fits(
                is_inet(value, network),
                if network {
                    "The constant must be a network such as 10.0.0.0/8, with no bits right of its prefix."
                } else {
                    "The constant must be an address such as 0.0.0.0 or 10.0.0.1/8."
                },
            )
        }
        BaseType::Bytea => {
            fits(is_hex_bytes(value), "The constant must be \\x and hexadecimal digits, two for each byte.")
        }
        BaseType::Json | BaseType::Jsonb => {
            serde_json::from_str::<serde_json::Value>(value)
                .map_err(|error| format!("The constant must be JSON: {error}."))?;
            let escaped_nul = column_type.base == BaseType::Jsonb && value.contains("\\u0000");
            fits(!escaped_nul, "A jsonb value cannot hold \\u0000.")
        }
        BaseType::Enum => fits(
            column_type.enum_labels.iter().any(|label| label == value),
            &format!(
                "The constant must be one of the type's labels: {}.",
                column_type.enum_labels.join(", ")
            ),
        ),
        BaseType::Other => Err("Only mask = \"null\" fits this type.".into()),
    }
}

/// The elements of a one-dimensional array literal, `None` among them for NULL (PostgreSQL manual,
/// section 8.15.6). Stricter than PostgreSQL: no blanks around elements, no bounds before them.
fn array_elements(literal: &str) -> Option<Vec<Option<String>>> {
    let inside = literal.strip_prefix('{')?.strip_suffix('}')?;
    let mut elements = Vec::new();
    let mut letters = inside.chars().peekable();
    while !inside.is_empty() {
        let mut element = String::new();
        let quoted = letters.next_if_eq(&'"').is_some();
        if quoted {
            loop {
                match letters.next()? {
                    '"' => break,
                    '\\' => element.push(letters.next()?),
                    letter => element.push(letter),
                }
            }
        } else {
            while let Some(letter) = letters.next_if(|letter| *letter != ',') {
                if letter.is_whitespace() || "{}\"\\".contains(letter) {
                    return None;
                }
                element.push(letter);
            }
            if element.is_empty() {
                return None;
            }
        }
        let null = !quoted && element.eq_ignore_ascii_case("null");
        elements.push((!null).then_some(element));
        match letters.next() {
            None => break,
            Some(',') => {}
            Some(_) => return None,
        }
    }
    Some(elements)
}

/// How many characters a value of a text type may have; `None`: as many as it likes.
pub(crate) fn text_limit(column_type: &SqlType) -> Option<u32> {
    match column_type.base_oid {
        // NAMEDATALEN - 1 bytes
        oid::NAME => Some(63),
        _ => column_type.max_length,
    }
}

fn integer(value: &str, base_oid: u32) -> Result<(), String> {
    let range = match base_oid {
        oid::INT2 => i64::from(i16::MIN)..=i64::from(i16::MAX),
        oid::INT4 => i64::from(i32::MIN)..=i64::from(i32::MAX),
        _ => i64::MIN..=i64::MAX,
    };
    let number: Option<i64> = value.parse().ok();
    if number.is_some_and(|number| range.contains(&number)) {
        Ok(())
    } else {
        Err(format!("The constant must be a whole number from {} to {}.", range.start(), range.end()))
    }
}

fn number(value: &str, column_type: &SqlType) -> Result<(), String> {
    let unsigned = value.strip_prefix(['-', '+']).unwrap_or(value);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || value.len() > 100 {
        return Err("The constant must be a decimal number such as 0 or -12.50.".into());
    }
    // What would be rounded is refused: rounding can carry into a digit that the type has not got.
    let (before, after) = match column_type.base_oid {
        // Fewer digits than the type's range has.
        oid::FLOAT4 => (37, 100),
        oid::FLOAT8 => (99, 100),
        oid::MONEY => (15, 2),
        _ => match numeric_digits(column_type.typmod) {
            Some((digits, scale)) if scale < 0 => (digits - 1, 0),
            Some((digits, scale)) => (digits, scale),
            None => (100, 100),
        },
    };
    let longer = |text: &str, limit: i32| i64::try_from(text.len()).unwrap_or(i64::MAX) > i64::from(limit);
    if longer(whole.trim_start_matches('0'), before) || longer(fraction.trim_end_matches('0'), after) {
        return Err(format!(
            "The constant may have {} digits before the decimal point and {after} after it at most.",
            before.max(0)
        ));
    }
    Ok(())
}

/// `YYYY-MM-DD`, a day that exists.
fn is_date(value: &str) -> bool {
    let mut parts = value.splitn(3, '-');
    let (Some(year), Some(month), Some(day)) =
        (parts.next().and_then(four), parts.next().and_then(two), parts.next().and_then(two))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    year >= 1 && (1..=days).contains(&day)
}

/// `YYYY-MM-DD hh:mm[:ss[.ffffff]]`, with `T` for the blank if need be, and `Z` or `+hh[:mm]` where
/// the type has a zone.
fn is_timestamp(value: &str, zoned: bool) -> bool {
    let Some((date, time)) = value.split_once([' ', 'T']) else { return false };
    let (time, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let zone_ok = match zone.strip_prefix(['+', '-']) {
        Some(offset) => {
            let (hours, minutes) = offset.split_once(':').unwrap_or((offset, "00"));
            two(hours).is_some_and(|hours| hours <= 14) && two(minutes).is_some_and(|minutes| minutes < 60)
        }
        None => zone == "Z",
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let parts: Vec<Option<u32>> = time.split(':').map(two).collect();
    let time_ok = match parts.as_slice() {
        [Some(hours), Some(minutes)] => *hours < 24 && *minutes < 60,
        [Some(hours), Some(minutes), Some(seconds)] => *hours < 24 && *minutes < 60 && *seconds < 60,
        _ => false,
    };
    let fraction_ok = (1..=6).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    is_date(date) && time_ok && fraction_ok && if zoned { zone_ok } else { zone.is_empty() }
}

fn two(text: &str) -> Option<u32> {
    fixed(text, 2)
}

fn four(text: &str) -> Option<u32> {
    fixed(text, 4)
}

fn fixed(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn is_uuid(value: &str) -> bool {
    let groups: Vec<&str> = value.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_inet(value: &str, network: bool) -> bool {
    let (address, prefix) = match value.split_once('/') {
        Some((address, prefix)) => (address, prefix),
        None => (value, "all"),
    };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    // Both families as 128 bits from the left.
    let (bits, width) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let prefix = match prefix {
        "all" => width,
        digits if digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            match digits.parse() {
                Ok(prefix) => prefix,
                Err(_) => return false,
            }
        }
        _ => return false,
    };
    let host_bits = if prefix >= 128 { 0 } else { u128::MAX >> prefix };
    prefix <= width && (!network || bits & host_bits == 0)
}

fn is_hex_bytes(value: &str) -> bool {
    value
        .strip_prefix("\\x")
        .is_some_and(|hex| hex.len() % 2 == 0 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
