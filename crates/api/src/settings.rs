//! `[api]`: where it listens, and its limits.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use pgwarrant_webhooks::Secret;

#[derive(Clone, Debug)]
pub struct Settings {
    /// At least one.
    pub listen: Vec<SocketAddr>,
    /// None: plaintext, which is for loopback addresses alone.
    pub tls: Option<Tls>,
    /// `https://pgwarrant.example.com`: what browsers see, where that is not the address itself.
    pub public_url: Option<Origin>,
    pub limits: Limits,
    /// Systems whose messages are taken.
    pub inbound: Vec<Inbound>,
}

/// `[[inbound]]`: a system that acts for people by signed messages.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// The last part of its path: letters, digits, `_` and `-`.
    pub name: String,
    /// At least one; the former as well, while one takes the place of another.
    pub secrets: Vec<Secret>,
    /// The user whose groups say what it may do.
    pub acts_as: String,
}

/// PEM files.
#[derive(Clone, Debug)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Debug)]
pub struct Limits {
    pub connections: usize,
    pub connections_per_address: usize,
    /// From the end of one answer to the end of the next request's head, and for a TLS handshake.
    pub header_timeout: Duration,
    /// For a request's body, and for a client that takes nothing of an answer.
    pub idle_timeout: Duration,
    /// Of a request, in bytes.
    pub body: usize,
    /// Requests in a second, and so many at once.
    pub requests_per_user: (u32, u32),
    pub requests_per_address: (u32, u32),
    pub streams_per_user: usize,
    /// Of who signed in with a password in a browser.
    pub session_lifetime: Duration,
    pub max_token_lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            connections_per_address: 64,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            body: 64 << 10,
            requests_per_user: (20, 100),
            requests_per_address: (50, 250),
            streams_per_user: 8,
            session_lifetime: Duration::from_secs(8 * 60 * 60),
            max_token_lifetime: Duration::from_secs(90 * 24 * 60 * 60),
        }
    }
}

/// Scheme and authority of a URL, in lower case, without a default port: RFC 6454's origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    https: bool,
    authority: String,
}

impl Origin {
    /// None: not `http://` or `https://` and a host, with a port perhaps, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let (https, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let authority: axum::http::uri::Authority = rest.parse().ok()?;
        (!authority.as_str().contains('@')).then(|| Self::new(https, authority.as_str()))
    }

    /// `authority`: as in a Host header.
    pub(crate) fn new(https: bool, authority: &str) -> Self {
        let authority = authority.to_ascii_lowercase();
        let default = if https { ":443" } else { ":80" };
        let authority = authority.strip_suffix(default).map_or(authority.clone(), str::to_owned);
        Self { https, authority }
    }

    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Does it name this machine, on any port?
    pub fn is_loopback(&self) -> bool {
        let host = match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.authority,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", if self.https { "https" } else { "http" }, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_everything_else() {
        for (text, loopback) in [
            ("http://localhost:6480", true),
            ("http://127.0.0.1", true),
            ("http://[::1]:6480", true),
            ("http://[::1]", true),
            ("http://10.0.0.1:6480", false),
            ("http://localhost.example", false),
            ("http://127.0.0.1.example", false),
        ] {
            assert_eq!(Origin::parse(text).map(|origin| origin.is_loopback()), Some(loopback), "{text}");
        }
    }

    #[test]
    fn an_origin_has_a_scheme_and_an_authority_and_nothing_else() {
        for (text, read) in [
            ("https://warrant.example", Some("https://warrant.example")),
            ("https://Warrant.Example:443/", Some("https://warrant.example")),
            ("http://[::1]:6480", Some("http://[::1]:6480")),
            ("http://warrant.example:80", Some("http://warrant.example")),
            ("https://warrant.example/inbox", None),
            ("https://a@warrant.example", None),
            ("ftp://warrant.example", None),
            ("https://", None),
            ("warrant.example", None),
        ] {
            assert_eq!(Origin::parse(text).map(|origin| origin.to_string()).as_deref(), read, "{text}");
        }
    }
}
