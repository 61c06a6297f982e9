//! A refusal is a statement that fails in PostgreSQL.
//!
//! What is sent in place of a refused statement parses but cannot be analysed there, so the
//! transaction, the pipeline and the client's picture of both stay in step without any state
//! machine of ours. The error that comes back names a nonce that nobody can guess; by it we know
//! the error and put our own words in its place. In a transaction that has failed already the
//! server answers 25P02 by itself, and so it should.

use std::fmt;

use pgwarrant_sql::{Reason, Refusal};

/// 128 random bits, in hexadecimal.
#[derive(Clone, PartialEq, Eq)]
pub struct Nonce(String);

impl fmt::Debug for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Nonce(…)")
    }
}

impl Nonce {
    pub fn new() -> Self {
        let mut bytes = [0; 16];
        // Without randomness of the system's there is no TLS and no SCRAM either.
        getrandom::fill(&mut bytes).expect("the system's random number generator works");
        let mut text = String::with_capacity(32);
        for byte in bytes {
            fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}")).expect("a String takes any text");
        }
        Self(text)
    }

    /// A statement that cannot be analysed: `missing FROM-clause entry for table "pgwarrant …"`.
    pub fn statement(&self) -> String {
        format!("SELECT \"pgwarrant refused {0}\".\"x\"", self.0)
    }

    /// What cannot even be parsed, for what the server would not parse either: it says so before it
    /// runs anything of the message, and in a transaction that has failed.
    pub fn no_statement(&self) -> String {
        format!("\"pgwarrant refused {}\"", self.0)
    }

    /// The name of a prepared statement or portal that does not exist.
    pub fn name(&self) -> String {
        format!("pgwarrant refused {}", self.0)
    }

    /// Is this the message of the error that our text caused?
    pub fn is_in(&self, message: &str) -> bool {
        message.contains(&self.0)
    }
}

/// A refusal by the session rather than by the analysis.
pub fn refusal(
    reason: Reason,
    sqlstate: &'static str,
    message: impl Into<String>,
    detail: Option<String>,
    hint: Option<&str>,
) -> Refusal {
    Refusal {
        reason,
        sqlstate,
        message: message.into(),
        detail,
        hint: hint.map(str::to_owned),
        position: None,
    }
}

/// What PostgreSQL says of a prepared statement that is not there.
pub fn unknown_statement(name: &str) -> Refusal {
    let message = if name.is_empty() {
        "unnamed prepared statement does not exist".to_owned()
    } else {
        format!("prepared statement \"{name}\" does not exist")
    };
    refusal(Reason::Unresolved, "26000", message, None, None)
}

/// What PostgreSQL says of a portal that is not there.
pub fn unknown_portal(name: &str) -> Refusal {
    refusal(Reason::Unresolved, "34000", format!("portal \"{name}\" does not exist"), None, None)
}

/// What PostgreSQL says of a cursor that is not there.
pub fn unknown_cursor(name: &str) -> Refusal {
    let hint = "Cursors that a function opened cannot be read through pgwarrant; use DECLARE.";
    refusal(Reason::Unresolved, "34000", format!("cursor \"{name}\" does not exist"), None, Some(hint))
}

/// The portal, cursor or statement was analysed when the session could see more.
pub fn stale(what: &str, name: &str, again: &str) -> Refusal {
    let shown = if name.is_empty() { format!("unnamed {what}") } else { format!("{what} \"{name}\"") };
    refusal(
        Reason::Unresolved,
        "42501",
        format!("{shown} is no longer covered by a live grant"),
        Some("Grants, labels or session settings have changed since it was made.".to_owned()),
        Some(again),
    )
}

/// Position in a text: the byte of a refusal as PostgreSQL counts, in characters from 1.
pub fn character(text: &str, byte: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < byte).count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_fits_into_a_name_and_is_found_in_the_error() {
        let nonce = Nonce::new();
        assert!(nonce.name().len() < 64, "PostgreSQL would cut it");
        assert!(nonce.is_in(&format!("missing FROM-clause entry for table \"{}\"", nonce.name())));
        assert!(!Nonce::new().is_in(&nonce.statement()));
    }

    #[test]
    fn positions_count_characters() {
        assert_eq!(character("SELECT 'é', x", 12), 12);
        assert_eq!(character("abc", 0), 1);
    }
}
