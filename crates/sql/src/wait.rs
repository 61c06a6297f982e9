//! The setting `pgwarrant.wait`: how long a statement waits for its user's requests to be decided.

use std::time::Duration;

use crate::{Reason, Refusal};

/// Its name.
pub const WAIT: &str = "pgwarrant.wait";

/// The longest wait.
const MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads a value of `pgwarrant.wait` as PostgreSQL reads times in settings (documentation,
/// "Parameter Names and Values"): a number and one of its units, milliseconds where there is none.
/// Zero, and no value at all, is not to wait.
///
/// # Errors
/// 22023, in the words of PostgreSQL.
pub fn wait(value: &str) -> Result<Duration, Refusal> {
    let text = value.trim();
    let unit_at = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit.trim_start() {
        "us" => 1e-6,
        "" | "ms" => 1e-3,
        "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return Err(invalid(value)),
    };
    if text.is_empty() {
        return Ok(Duration::ZERO);
    }
    let number: f64 = number.parse().map_err(|_| invalid(value))?;
    let wait = Duration::try_from_secs_f64(number * seconds).ok().filter(|wait| *wait <= MOST);
    wait.ok_or_else(|| {
        refusal(format!("{value} is outside the valid range for parameter \"{WAIT}\" (0 .. 24 h)"))
            .hint("Wait for a day at most; a request lapses in the end.")
    })
}

fn invalid(value: &str) -> Refusal {
    refusal(format!("invalid value for parameter \"{WAIT}\": \"{value}\""))
        .hint("Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".")
}

fn refusal(message: String) -> Refusal {
    Refusal::new(Reason::Setting, message).state("22023")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_postgresql_reads_times() {
        for (value, milliseconds) in [
            ("5 min", 300_000),
            ("5min", 300_000),
            (" 90 s ", 90_000),
            ("250", 250),
            ("1.5 s", 1500),
            ("1500000us", 1500),
            ("0", 0),
            ("", 0),
            ("24 h", 86_400_000),
            ("1 d", 86_400_000),
        ] {
            assert_eq!(wait(value), Ok(Duration::from_millis(milliseconds)), "{value:?}");
        }
    }

    #[test]
    fn other_values_are_refused_in_postgresqls_words() {
        for (value, said) in [
            ("five", "invalid value"),
            ("5 minutes", "invalid value"),
            ("5 MIN", "invalid value"),
            ("5 min 3 s", "invalid value"),
            ("-1", "invalid value"),
            ("1.2.3 s", "invalid value"),
            (".", "invalid value"),
            ("s", "invalid value"),
            ("25 h", "outside the valid range"),
            ("2 d", "outside the valid range"),
            (&"9".repeat(400), "outside the valid range"),
        ] {
            let refusal = wait(value).expect_err(value);
            assert_eq!(refusal.sqlstate, "22023");
            assert!(refusal.message.contains(said), "{}", refusal.message);
            assert!(refusal.hint.is_some());
        }
    }
}
