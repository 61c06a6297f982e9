//! One GET at a time: what an issuer publishes about itself.
//!
//! Over HTTPS, or on loopback; one attempt, no redirect, no proxy, a limit for everything.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Bytes of a body. A set of 64 keys of RSA-8192 with their certificates has fewer.
const MAX_BODY: usize = 256 << 10;
/// Bytes of a response's head.
const MAX_HEAD: usize = 32 << 10;

/// Why a URL is not fetched from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("\"{0}\" is not a URL with a host")]
    Malformed(String),
    #[error("\"{0}\" must begin with https:// (http:// is for this machine only, with a loopback address)")]
    Plain(String),
    #[error("\"{0}\" holds a user name or password")]
    UserInfo(String),
}

/// Where to fetch from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    host: String,
    port: u16,
    pub(crate) is_tls: bool,
    authority: String,
    path: String,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
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
}

/// A name would be resolved by somebody else.
fn is_loopback(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Why nothing usable came back. For logs; it has nothing that a client sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("no connection: {0}")]
    Connect(#[source] std::io::Error),
    #[error("the TLS handshake failed: {0}")]
    Tls(#[source] std::io::Error),
    #[error("it did not speak HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("it redirects: name the final URL")]
    Redirect,
    #[error("it answered with status {0}")]
    Status(StatusCode),
    #[error("the answer is longer than {MAX_BODY} bytes")]
    TooLong,
    #[error("the answer broke off")]
    Truncated,
    #[error("no whole answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("\"{0}\" is no name for a certificate")]
    Name(String),
}

pub(crate) struct Fetcher {
    pub(crate) tls: Arc<ClientConfig>,
    /// For the whole of it.
    pub(crate) timeout: Duration,
}

impl Fetcher {
    pub(crate) async fn get(&self, url: &Url) -> Result<Bytes, FetchError> {
        timeout(self.timeout, self.attempt(url)).await.unwrap_or(Err(FetchError::Timeout(self.timeout)))
    }

    async fn attempt(&self, url: &Url) -> Result<Bytes, FetchError> {
        let stream = TcpStream::connect((url.host.as_str(), url.port)).await.map_err(FetchError::Connect)?;
        if !url.is_tls {
            return exchange(stream, url).await;
        }
        let name = ServerName::try_from(url.host.clone()).map_err(|_| FetchError::Name(url.host.clone()))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        exchange(connector.connect(name, stream).await.map_err(FetchError::Tls)?, url).await
    }
}

async fn exchange<S>(stream: S, url: &Url) -> Result<Bytes, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await?;
    // It ends when this function does, in any way.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = Request::get(url.path.as_str())
        .header(HOST, url.authority.as_str())
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, "pgwarrant")
        .body(Empty::<Bytes>::new());
    let Ok(request) = request else { return Err(FetchError::Name(url.authority.clone())) };
    let response = sender.send_request(request).await?;
    match response.status() {
        StatusCode::OK => {}
        status if status.is_redirection() => return Err(FetchError::Redirect),
        status => return Err(FetchError::Status(status)),
    }
    let body = Limited::new(response.into_body(), MAX_BODY).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { FetchError::TooLong } else { FetchError::Truncated }
    })?;
    Ok(body.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_could_read_is_not_fetched() {
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
