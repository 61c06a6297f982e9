//! What a user reads when a call on grants fails.
//!
//! Every text here may be shown to a client; causes inside (an I/O error's path) go to the log.

/// What went wrong; each kind is also a metric label ([`Kind::label`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The caller may not do that.
    NotAllowed,
    /// A value that cannot be understood or lies out of range.
    Invalid,
    /// No such relation, column, category, group, request or grant.
    Unknown,
    /// Right in itself, but not now: already decided, already ended.
    State,
    /// A configured limit is reached.
    Limit,
    /// The durable store failed.
    Store,
}

impl Kind {
    /// PostgreSQL documentation, appendix A, "PostgreSQL Error Codes".
    pub fn sqlstate(self) -> &'static str {
        match self {
            Kind::NotAllowed => "42501",
            Kind::Invalid => "22023",
            Kind::Unknown => "42704",
            Kind::State => "55000",
            Kind::Limit => "54000",
            Kind::Store => "58030",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Kind::NotAllowed => "not_allowed",
            Kind::Invalid => "invalid",
            Kind::Unknown => "unknown",
            Kind::State => "state",
            Kind::Limit => "limit",
            Kind::Store => "store",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub kind: Kind,
    /// Lower case, no full stop.
    pub message: String,
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), detail: None, hint: None }
    }
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn sqlstate(&self) -> &'static str {
        self.kind.sqlstate()
    }
}
