//! Why there is no connection to a server.

use std::borrow::Cow;
use std::io;

use crate::backend::Diagnostic;
use crate::error::{ClientError, Report, Violation};

/// Why there is no connection to a server. `Display` is for the log; what clients are told is in
/// [`ClientError`], and says less.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("could not connect: {0}")]
    Unreachable(#[source] io::Error),
    #[error("it took too long to connect")]
    Timeout,
    #[error("the connection broke during start-up: {0}")]
    Broken(#[source] io::Error),
    #[error("the server does not support TLS, and it is required")]
    NoTls,
    #[error("the TLS handshake failed: {0}")]
    Tls(#[source] io::Error),
    /// The server's own ErrorResponse.
    #[error("the server refused: {0}")]
    Server(Diagnostic<'static>),
    /// It asks for something that we do not have or will not give, or cannot prove who it is.
    #[error("could not sign in: {0}")]
    SignIn(&'static str),
    #[error("the server does not follow the protocol: {0}")]
    Protocol(Cow<'static, str>),
}

impl ConnectError {
    /// A word for metrics and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Timeout => "timeout",
            Self::Broken(_) => "broken",
            Self::NoTls | Self::Tls(_) => "tls",
            Self::Server(_) => "server",
            Self::SignIn(_) => "sign_in",
            Self::Protocol(_) => "protocol",
        }
    }

    /// What whoever runs the proxy can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoTls => Some("Turn ssl on in the server's postgresql.conf."),
            Self::Tls(error) => {
                error.get_ref().and_then(|inner| inner.downcast_ref()).and_then(crate::tls::hint)
            }
            _ => None,
        }
    }
}

impl From<Violation> for ConnectError {
    fn from(violation: Violation) -> Self {
        Self::Protocol(violation.message)
    }
}

/// What a client of the proxy may know: that the server is not there, or what the server itself
/// said; but nothing of how the proxy signs in.
impl ClientError for ConnectError {
    fn report(&self) -> Report {
        let unavailable = |message: &'static str| {
            Report::fatal("08001", message).hint("Try again; if it goes on, tell whoever runs pgwarrant.")
        };
        match self {
            Self::Unreachable(_) | Self::Broken(_) | Self::Timeout => {
                unavailable("could not connect to the database server")
            }
            Self::NoTls | Self::Tls(_) => unavailable("could not connect to the database server securely"),
            Self::Protocol(_) => unavailable("the database server sent an unexpected answer"),
            Self::SignIn(_) => refused_login(),
            Self::Server(diagnostic) if diagnostic.sqlstate().starts_with("28") => refused_login(),
            Self::Server(diagnostic) => Report {
                sqlstate: diagnostic.sqlstate().to_owned().into(),
                detail: diagnostic.detail().map(|detail| detail.to_owned().into()),
                hint: diagnostic.hint().map(|hint| hint.to_owned().into()),
                ..Report::fatal("08004", diagnostic.message().to_owned())
            },
        }
    }
}

fn refused_login() -> Report {
    Report::fatal("08004", "the database server refused the login")
        .hint("Your password is right; tell whoever runs pgwarrant that its own login is refused.")
}
