//! Where a call goes.

use std::net::IpAddr;

use hyper::Uri;

/// Why a URL is not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("\"{0}\" is not a URL with a host")]
    Malformed(String),
    #[error("\"{0}\" must begin with https:// (http:// is for this machine only, with a loopback address)")]
    Plain(String),
    #[error("\"{0}\" holds a user name or password")]
    UserInfo(String),
}

/// `https://` anywhere, or `http://` with a loopback address; no user name or password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    pub(crate) host: String,
    pub(crate) port: u16,
    is_tls: bool,
    pub(crate) authority: String,
    pub(crate) path: String,
}

impl Url {
    /// # Errors
    /// What is sent there could be read by others, or it is no URL.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let malformed = || UrlError::Malformed(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let authority = uri.authority().ok_or_else(malformed)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::UserInfo(text.to_owned()));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(malformed());
        }
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(&host) => false,
            _ => return Err(UrlError::Plain(text.to_owned())),
        };
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { host, port, is_tls, authority: authority.to_string(), path })
    }

    /// Over HTTPS.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// As it is told in logs: without its path, which may hold a secret.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.authority)
    }
}

/// A name would be resolved by somebody else.
fn is_loopback(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_could_read_is_not_called() {
        for good in [
            "https://login.example",
            "https://login.example:8443/realms/shop?x=1",
            "http://127.0.0.1:8080/keys",
            "http://[::1]:8080/keys",
            "HTTPS://login.example/",
        ] {
            assert!(Url::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://login.example/",
            "http://localhost/",
            "http://127.0.0.1.example/",
            "http://10.0.0.1/",
            "ftp://127.0.0.1/",
            "https://user:pw@login.example/",
            "http://127.0.0.1@login.example/",
            "login.example",
            "/keys",
            "https://",
            "https:///keys",
            "",
            "https://a b/",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
        let url = Url::parse("https://[2001:db8::1]/a?b").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), ("2001:db8::1", 443, "/a?b"));
    }
}
