//! One connection to a directory.
//!
//! Nothing that a server refers to is followed: the password would go wherever the referral says.

use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchEntry, SearchOptions,
};
use rustls::ClientConfig;

/// Result codes (RFC 4511, appendix A).
mod code {
    pub(super) const SUCCESS: u32 = 0;
    pub(super) const REFERRAL: u32 = 10;
    pub(super) const SIZE_LIMIT_EXCEEDED: u32 = 4;
    /// What a server says to a name or a password that is not right, or may not be used now:
    /// constraintViolation, noSuchObject, invalidDNSyntax, inappropriateAuthentication,
    /// invalidCredentials, insufficientAccessRights, unwillingToPerform.
    pub(super) const NOT_ACCEPTED: [u32; 7] = [19, 32, 34, 48, 49, 50, 53];
}

/// Where a directory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// Without a path, a query, or anything else that could be read in two ways.
    url: String,
    pub(super) is_tls: bool,
    pub(super) is_loopback: bool,
}

impl Server {
    /// `None`: it is not `ldap://host:port` or `ldaps://host:port`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let is_tls = match uri.scheme_str()? {
            "ldap" => false,
            "ldaps" => true,
            _ => return None,
        };
        let authority = uri.authority()?;
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        if authority.as_str().contains('@') || authority.host().is_empty() || !matches!(path, "" | "/") {
            return None;
        }
        let host = authority.host();
        let port = authority.port_u16().unwrap_or(if is_tls { 636 } else { 389 });
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        Some(Self {
            url: format!("{}://{host}:{port}", if is_tls { "ldaps" } else { "ldap" }),
            is_tls,
            is_loopback: address.is_ok_and(|address| address.to_canonical().is_loopback()),
        })
    }
}

/// How to connect.
pub(super) struct Connector {
    /// In the order in which they are tried. Not empty.
    pub(super) servers: Vec<Server>,
    pub(super) starttls: bool,
    pub(super) tls: Arc<ClientConfig>,
    /// For one attempt with one server.
    pub(super) timeout: Duration,
}

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{0}")]
    Ldap(#[from] LdapError),
    #[error("it refers to another server")]
    Referral,
    #[error("it answered with result code {0}")]
    Code(u32),
    #[error("there are more entries than are looked at")]
    TooMany,
    #[error("no server is named")]
    NoServer,
}

impl Connector {
    /// A connection to the first server that answers.
    pub(super) async fn connect(&self) -> Result<Session, Problem> {
        let mut problem = Problem::NoServer;
        for server in &self.servers {
            let settings = LdapConnSettings::new()
                .set_conn_timeout(self.timeout)
                .set_starttls(self.starttls && !server.is_tls)
                .set_config(Arc::clone(&self.tls));
            match LdapConnAsync::with_settings(settings, &server.url).await {
                Ok((connection, ldap)) => {
                    // It ends when the session is dropped.
                    tokio::spawn(connection.drive());
                    return Ok(Session { ldap });
                }
                Err(error) => {
                    tracing::debug!(server = server.url, %error, "a directory did not answer");
                    problem = error.into();
                }
            }
        }
        Err(problem)
    }
}

pub(super) struct Session {
    ldap: Ldap,
}

impl Session {
    /// Does the server accept the password? Neither may be empty: a bind without a password
    /// succeeds for everybody (RFC 4513, section 5.1.2).
    pub(super) async fn bind(&mut self, dn: &str, password: &str) -> Result<bool, Problem> {
        if dn.is_empty() || password.is_empty() {
            return Ok(false);
        }
        let result = self.ldap.simple_bind(dn, password).await?;
        match result.rc {
            code::SUCCESS => Ok(true),
            rc if code::NOT_ACCEPTED.contains(&rc) => Ok(false),
            _ => Err(problem(&result)),
        }
    }

    /// The entry of this name, if it may be seen.
    pub(super) async fn entry(
        &mut self,
        dn: &str,
        attributes: &[&str],
    ) -> Result<Option<SearchEntry>, Problem> {
        let found = self.search(dn, Scope::Base, "(objectClass=*)", attributes, 1).await?;
        Ok(found.into_iter().next())
    }

    /// What is below `base`; more than `max` is a problem.
    pub(super) async fn below(
        &mut self,
        base: &str,
        filter: &str,
        attributes: &[&str],
        max: usize,
    ) -> Result<Vec<SearchEntry>, Problem> {
        self.search(base, Scope::Subtree, filter, attributes, max).await
    }

    async fn search(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
        max: usize,
    ) -> Result<Vec<SearchEntry>, Problem> {
        let limit = i32::try_from(max).unwrap_or(i32::MAX);
        self.ldap.with_search_options(SearchOptions::new().sizelimit(limit));
        let mut stream = self.ldap.streaming_search(base, scope, filter, attributes).await?;
        let mut found = Vec::new();
        while let Some(entry) = stream.next().await? {
            if entry.is_ref() || entry.is_intermediate() {
                continue;
            }
            // The server was told so too; it need not have listened.
            if found.len() >= max {
                return Err(Problem::TooMany);
            }
            found.push(SearchEntry::construct(entry));
        }
        let result = stream.finish().await;
        match result.rc {
            code::SUCCESS => Ok(found),
            // noSuchObject
            32 => Ok(Vec::new()),
            _ => Err(problem(&result)),
        }
    }
}

/// The server's own text stays here: it may quote what it was sent.
fn problem(result: &LdapResult) -> Problem {
    match result.rc {
        code::REFERRAL => Problem::Referral,
        code::SIZE_LIMIT_EXCEEDED => Problem::TooMany,
        rc => Problem::Code(rc),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_in_one_way() {
        let server = Server::parse("ldap://127.0.0.1").unwrap();
        assert_eq!(
            (server.url.as_str(), server.is_tls, server.is_loopback),
            ("ldap://127.0.0.1:389", false, true)
        );
        let server = Server::parse("ldaps://ds.example:1636/").unwrap();
        assert_eq!(
            (server.url.as_str(), server.is_tls, server.is_loopback),
            ("ldaps://ds.example:1636", true, false)
        );
        assert!(Server::parse("ldap://[::1]:389").unwrap().is_loopback);
        for bad in [
            "",
            "ds.example",
            "http://ds.example",
            "ldapi:///run/slapd",
            "ldap://",
            "ldap://user@ds.example",
            "ldap://127.0.0.1@ds.example",
            "ldap://ds.example/dc=shop",
            "ldap://ds.example/?x",
            "ldap://127.0.0.1\\@ds.example",
        ] {
            assert_eq!(Server::parse(bad), None, "{bad}");
        }
    }
}
