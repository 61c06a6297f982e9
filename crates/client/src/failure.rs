//! Why a verb did not do its work, and the exit status that says so.

use std::fmt;
use std::io;

use crate::text::printable;

/// The program's exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Done = 0,
    /// The proxy, its policies or a person said no.
    Refused = 1,
    /// Wrong arguments, or something on this machine.
    Unusable = 2,
    /// Nobody has decided yet.
    Pending = 3,
    /// There is no credential, or it is not good (any more).
    SignIn = 4,
    /// There was no answer to work with; it may help to try again.
    Unreachable = 5,
    /// By Ctrl-C.
    Interrupted = 130,
}

/// An error as people read it: PostgreSQL's primary message, DETAIL and HINT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub status: Status,
    /// Lower case, no full stop.
    pub message: String,
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), detail: None, hint: None }
    }

    pub fn unusable(message: impl Into<String>) -> Self {
        Self::new(Status::Unusable, message)
    }

    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Of what was to be written to standard output. Who reads no further (`… | head`) has got what
    /// they wanted.
    pub fn of_output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Status::Done, String::new()),
            _ => Self::unusable(format!("could not write the output: {error}")).hint("Is the disk full?"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", printable(&self.message))?;
        for (name, text) in [("DETAIL", &self.detail), ("HINT", &self.hint)] {
            if let Some(text) = text {
                write!(f, "\n{name}: {}", printable(text))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<getrandom::Error> for Failure {
    fn from(error: getrandom::Error) -> Self {
        Self::unusable(format!("the system has no random numbers: {error}")).hint("Is /dev/urandom there?")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_one_of_postgresql_s_and_steers_no_terminal() {
        let failure =
            Failure::new(Status::Refused, "no \x1b[2Jsuch").detail("A\u{202e}B.").hint("Try\nagain.");
        assert_eq!(failure.to_string(), "error: no \\u{1b}[2Jsuch\nDETAIL: A\\u{202e}B.\nHINT: Try\\nagain.");
    }
}
