//! The call itself.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::{TrustError, Url, trust};

/// Bytes of an answer's body, unless [`Client::max_body`] says otherwise. A set of 64 keys of RSA-8192
/// with their certificates has fewer.
const MAX_BODY: usize = 256 << 10;
/// Bytes of an answer's head.
const MAX_HEAD: usize = 32 << 10;

/// Why there is no answer. For logs: it has nothing that was sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("the answer broke off")]
    Truncated,
    #[error("no whole answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("\"{0}\" is no name for a certificate")]
    Name(String),
}

/// What is sent. `Host`, `User-Agent` and `Content-Length` come by themselves.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    pub method: Method,
    pub url: &'a Url,
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// Empty: none.
    pub body: Bytes,
}

/// What came back, whatever its status; a redirect is an [`Error`].
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Makes calls; cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    tls: Arc<ClientConfig>,
    timeout: Duration,
    max_body: usize,
}

impl Client {
    /// Believes certificates of the authorities in `ca`, a PEM file, or of the system's where there is
    /// none. `timeout` is for the whole of a call.
    ///
    /// # Errors
    /// There are no certificates to believe.
    pub fn new(ca: Option<&Path>, timeout: Duration) -> Result<Self, TrustError> {
        Ok(Self { tls: trust::tls(ca)?, timeout, max_body: MAX_BODY })
    }

    /// For `http://` on this machine alone, which takes no certificates: `https://` is not believed.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn local(timeout: Duration) -> Result<Self, TrustError> {
        Ok(Self { tls: trust::none()?, timeout, max_body: MAX_BODY })
    }

    /// So many bytes of a body at most.
    pub fn max_body(self, max_body: usize) -> Self {
        Self { max_body, ..self }
    }

    /// # Errors
    /// No whole answer in time, or a redirect.
    pub async fn call(&self, call: &Call<'_>) -> Result<Answer, Error> {
        timeout(self.timeout, self.attempt(call)).await.unwrap_or(Err(Error::Timeout(self.timeout)))
    }

    /// The body of what is at `url`.
    ///
    /// # Errors
    /// As of [`Client::call`], and any status other than 200.
    pub async fn get(&self, url: &Url, accept: &'static str) -> Result<Bytes, Error> {
        let headers = [(hyper::header::ACCEPT, HeaderValue::from_static(accept))];
        let call = Call { method: Method::GET, url, headers: &headers, body: Bytes::new() };
        let answer = self.call(&call).await?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            status => Err(Error::Status(status)),
        }
    }

    async fn attempt(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let url = call.url;
        let stream = TcpStream::connect((url.host.as_str(), url.port)).await.map_err(Error::Connect)?;
        if !url.is_tls() {
            return self.exchange(stream, call).await;
        }
        let name = ServerName::try_from(url.host.clone()).map_err(|_| Error::Name(url.host.clone()))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        self.exchange(connector.connect(name, stream).await.map_err(Error::Tls)?, call).await
    }

    async fn exchange<S>(&self, stream: S, call: &Call<'_>) -> Result<Answer, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) =
            http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await?;
        // It ends when this function does, in any way.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(call.url.path.as_str())
            .header(HOST, call.url.authority.as_str())
            .header(USER_AGENT, "pgwarrant");
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let Ok(request) = request.body(Full::new(call.body.clone())) else {
            return Err(Error::Name(call.url.authority.clone()));
        };
        let (head, body) = sender.send_request(request).await?.into_parts();
        if head.status.is_redirection() {
            return Err(Error::Redirect);
        }
        let body = Limited::new(body, self.max_body).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { Error::TooLong(self.max_body) } else { Error::Truncated }
        })?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}
