//! Durations as people write them: `30 min`, `2h`, `1 day`, `1 h 30 min`, `1.5 h`, `01:30:00`.

use std::time::Duration;

use crate::Error;
use crate::text::bounded;

const MAX_TEXT: usize = 100;
/// No duration above a hundred years, so that sums of times cannot overflow.
const MAX_MS: u64 = 100 * 366 * 24 * 60 * 60 * 1000;

const UNITS: &[(u64, &[&str])] = &[
    (7 * 24 * 60 * 60 * 1000, &["w", "week", "weeks"]),
    (24 * 60 * 60 * 1000, &["d", "day", "days"]),
    (60 * 60 * 1000, &["h", "hr", "hrs", "hour", "hours"]),
    (60 * 1000, &["min", "m", "mins", "minute", "minutes"]),
    (1000, &["s", "sec", "secs", "second", "seconds"]),
    (1, &["ms", "msec", "msecs", "millisecond", "milliseconds"]),
];

/// Units as in PostgreSQL's interval input (8.5.4), but none whose length varies (months, years),
/// no sign, and no bare number, which PostgreSQL would read as seconds and people as minutes.
/// The result is above zero.
pub fn parse_duration(text: &str) -> Result<Duration, Error> {
    bounded("duration", text, MAX_TEXT)?;
    let ms = clock_form(text).or_else(|| unit_form(text)).ok_or_else(|| {
        Error::invalid(format!("duration '{}' is not understood", text.trim().escape_debug()))
            .hint("Write a number and a unit: '30 min', '2 h', '1 day', '1 h 30 min'.")
    })?;
    if ms == 0 || ms > MAX_MS {
        return Err(Error::invalid(format!("duration '{}' is out of range", text.trim()))
            .hint("Write how long the grant shall last from its approval: '30 min'."));
    }
    Ok(Duration::from_millis(ms))
}

/// `hh:mm` and `hh:mm:ss`, as an interval prints.
fn clock_form(text: &str) -> Option<u64> {
    let mut ms: u64 = 0;
    let mut unit = 60 * 60 * 1000;
    let parts: Vec<&str> = text.trim().split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    for (i, part) in parts.iter().enumerate() {
        let digits = !part.is_empty() && part.len() <= 6 && part.bytes().all(|b| b.is_ascii_digit());
        let value: u64 = digits.then(|| part.parse().ok()).flatten()?;
        if i > 0 && value > 59 {
            return None;
        }
        ms = ms.checked_add(value.checked_mul(unit)?)?;
        unit /= 60;
    }
    Some(ms)
}

fn unit_form(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut ms: u64 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_end);
        let after = after.trim_start();
        let unit_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let unit = unit.to_ascii_lowercase();
        let (unit_ms, _) = UNITS.iter().find(|(_, names)| names.contains(&unit.as_str()))?;
        ms = ms.checked_add(thousandths(number)?.checked_mul(*unit_ms)? / 1000)?;
        rest = after.trim_start();
    }
    Some(ms)
}

/// `2`, `1.5`, `.25` in thousandths; at most three decimals.
fn thousandths(number: &str) -> Option<u64> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let nothing = whole.is_empty() && decimals.is_empty();
    if nothing || decimals.len() > 3 || decimals.contains('.') || whole.len() > 12 {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: u64 = format!("{decimals:0<3}").parse().ok()?;
    Some(whole * 1000 + fraction)
}

/// `1 h 30 min`: what [`parse_duration`] and PostgreSQL's interval input read back. Parts of a
/// millisecond are dropped.
pub fn format_duration(duration: Duration) -> String {
    let mut ms = u64::try_from(duration.as_millis()).unwrap_or(MAX_MS);
    let mut parts = Vec::new();
    for (unit_ms, names) in UNITS.iter().skip(1) {
        let name = match (names[0], ms / unit_ms) {
            (_, 0) => continue,
            ("d", 1) => "day",
            ("d", _) => "days",
            (name, _) => name,
        };
        parts.push(format!("{} {name}", ms / unit_ms));
        ms %= unit_ms;
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write_and_refuses_the_rest() {
        let minute = 60_000;
        for (text, ms) in [
            ("30 min", Some(30 * minute)),
            ("30min", Some(30 * minute)),
            (" 30  MIN ", Some(30 * minute)),
            ("2h", Some(120 * minute)),
            ("1 day", Some(1440 * minute)),
            ("2 weeks", Some(14 * 1440 * minute)),
            ("1h30m", Some(90 * minute)),
            ("1 h 30 min", Some(90 * minute)),
            ("1.5 h", Some(90 * minute)),
            (".5h", Some(30 * minute)),
            ("01:30:00", Some(90 * minute)),
            ("1:30", Some(90 * minute)),
            ("250 ms", Some(250)),
            ("", None),
            ("30", None),
            ("min", None),
            ("-5 min", None),
            ("+5 min", None),
            ("0 min", None),
            ("00:00", None),
            ("1:60", None),
            ("1:2:3:4", None),
            (":", None),
            ("5 months", None),
            ("1 mon", None),
            ("1e3 h", None),
            ("1..5 h", None),
            (". h", None),
            ("1.0001 h", None),
            ("999999999999 weeks", None),
            ("99999999999999999999999 s", None),
            ("200 years", None),
            ("40000 days", None),
            ("30 min; drop", None),
            ("30 мин", None),
            ("３０ min", None),
        ] {
            assert_eq!(parse_duration(text).ok().map(|d| d.as_millis()), ms, "{text:?}");
        }
    }

    #[test]
    fn giant_input_is_refused_by_its_size() {
        let error = parse_duration(&"1 h ".repeat(100_000)).unwrap_err();
        assert!(error.message.contains("too long"), "{error:?}");
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(ms in 1..MAX_MS) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,120}") {
            if let Ok(duration) = parse_duration(&text) {
                prop_assert!(!duration.is_zero() && duration.as_millis() <= u128::from(MAX_MS));
            }
        }
    }
}
