//! How a session ends, and why the proxy does not start.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;

use pgwarrant_sql::Refusal;

/// An error that ends the session. Its texts may be shown to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fatal {
    pub sqlstate: Cow<'static, str>,
    pub message: Cow<'static, str>,
    pub detail: Option<String>,
    pub hint: Option<Cow<'static, str>>,
    /// For the audit trail and the log only: this should never happen.
    pub incident: Option<String>,
}

impl Fatal {
    pub fn new(sqlstate: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { sqlstate: sqlstate.into(), message: message.into(), detail: None, hint: None, incident: None }
    }

    /// 08P01 `protocol_violation`
    pub fn protocol(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new("08P01", message)
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn incident(mut self, what: impl Into<String>) -> Self {
        self.incident = Some(what.into());
        self
    }
}

impl From<Refusal> for Fatal {
    fn from(refusal: Refusal) -> Self {
        Self {
            sqlstate: refusal.sqlstate.into(),
            message: refusal.message.into(),
            detail: refusal.detail,
            hint: refusal.hint.map(Cow::Owned),
            incident: None,
        }
    }
}

/// Why a session is over.
#[derive(Debug)]
pub enum End {
    /// The client said Terminate or closed its connection.
    Client,
    /// The server has said why, to the client.
    Server,
    /// A connection broke.
    Io(io::Error),
    Fatal(Fatal),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Fatal> for End {
    fn from(fatal: Fatal) -> Self {
        Self::Fatal(fatal)
    }
}

impl From<crate::ledger::Desync> for End {
    fn from(desync: crate::ledger::Desync) -> Self {
        let fatal = Fatal::protocol(desync.to_string());
        match desync {
            crate::ledger::Desync::DuringCopy => {
                Self::Fatal(fatal.hint("Send CopyDone or CopyFail, and wait for the answer to the COPY."))
            }
            crate::ledger::Desync::Unexpected(_) => Self::Fatal(fatal.incident(desync.to_string())),
        }
    }
}

/// Why the proxy does not start, or has stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("could not read the schema of database {database}: {problem}")]
    Catalogue { database: String, problem: String },
    #[error("database {database}: {problem}")]
    Label { database: String, problem: String },
    #[error("user {user}: {problem}")]
    User { user: String, problem: String },
    #[error("identity provider {provider}: {problem}")]
    Provider { provider: String, problem: String },
    #[error("could not start a thread: {0}")]
    Thread(io::Error),
}
