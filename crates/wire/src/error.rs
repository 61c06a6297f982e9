//! What may be said to the other end, and what not.

use std::borrow::Cow;

use bytes::BytesMut;

use crate::backend::{Diagnostic, Severity};

/// An error with a text for the client.
///
/// Implemented for our own refusals only, one by one; never for an error of the operating system,
/// of TLS, or for a catch-all, so that nothing internal is shown by accident.
pub trait ClientError {
    fn report(&self) -> Report;
}

/// The fields of an ErrorResponse that we make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub severity: Severity,
    /// Five characters (PostgreSQL documentation, appendix A).
    pub sqlstate: Cow<'static, str>,
    pub message: Cow<'static, str>,
    pub detail: Option<Cow<'static, str>>,
    pub hint: Option<Cow<'static, str>>,
}

impl Report {
    /// An error after which the connection is closed.
    pub fn fatal(sqlstate: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            severity: Severity::Fatal,
            sqlstate: sqlstate.into(),
            message: message.into(),
            detail: None,
            hint: None,
        }
    }

    /// An error after which the session goes on.
    pub fn error(sqlstate: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { severity: Severity::Error, ..Self::fatal(sqlstate, message) }
    }

    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn diagnostic(&self) -> Diagnostic<'_> {
        let mut diagnostic = Diagnostic::new(self.severity, &self.sqlstate, &self.message);
        if let Some(detail) = &self.detail {
            diagnostic.set(crate::backend::field::DETAIL, &**detail);
        }
        if let Some(hint) = &self.hint {
            diagnostic.set(crate::backend::field::HINT, &**hint);
        }
        diagnostic
    }

    /// Appends this as an ErrorResponse.
    pub fn write(&self, out: &mut BytesMut) {
        self.diagnostic().write_error(out);
    }
}

impl ClientError for Report {
    fn report(&self) -> Report {
        self.clone()
    }
}

/// A message that does not have the form that its type says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Violation {
    pub sqlstate: &'static str,
    pub message: Cow<'static, str>,
}

impl Violation {
    /// 08P01 `protocol_violation`
    pub(crate) fn protocol(message: impl Into<Cow<'static, str>>) -> Self {
        Self { sqlstate: "08P01", message: message.into() }
    }

    /// 22021 `character_not_in_repertoire`
    pub(crate) fn encoding() -> Self {
        Self { sqlstate: "22021", message: "invalid byte sequence for encoding \"UTF8\"".into() }
    }
}

impl ClientError for Violation {
    fn report(&self) -> Report {
        Report::fatal(self.sqlstate, self.message.clone())
    }
}

/// Why a client's connection ended before it was a session.
///
/// The client has been told already, as far as it may be: the connection is to be dropped.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The other end closed the connection without having begun anything.
    #[error("the client closed the connection")]
    Closed,
    /// The other end closed the connection in the middle of something, or it broke.
    #[error("the connection broke: {0}")]
    Io(#[source] std::io::Error),
    #[error("the TLS handshake failed: {0}")]
    Tls(#[source] std::io::Error),
    #[error("start-up took too long")]
    Timeout,
    /// What it was told.
    #[error("refused: {}", .0.message)]
    Refused(Report),
}

impl WireError {
    /// A word for metrics and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Io(_) => "io",
            Self::Tls(_) => "tls",
            Self::Timeout => "timeout",
            Self::Refused(report) if report.sqlstate.starts_with("28") => "authentication",
            Self::Refused(_) => "refused",
        }
    }
}

impl From<std::io::Error> for WireError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Report> for WireError {
    fn from(report: Report) -> Self {
        Self::Refused(report)
    }
}

impl From<Violation> for WireError {
    fn from(violation: Violation) -> Self {
        Self::Refused(violation.report())
    }
}

impl From<crate::frame::FrameError> for WireError {
    fn from(error: crate::frame::FrameError) -> Self {
        Self::Refused(error.report())
    }
}
