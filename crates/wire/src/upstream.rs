//! Connections to a PostgreSQL server: TLS, sign-in, what it says until it is ready, cancelling.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::backend::{self, Diagnostic, TransactionStatus, tag};
use crate::frame::{self, HEADER};
use crate::frontend::build;
use crate::stream::{Socket, Stream};
pub use crate::tls::{ClientTls, TlsError, Verify};

mod error;
mod sign_in;

pub use error::ConnectError;
use sign_in::{KeyCache, SignIn};

/// What a server may send in one message before it is ready.
const MAX_MESSAGE: usize = 1 << 20;
/// What a server says during a sign-in usually fits.
const BUFFER: usize = 4096;
/// How many parameters, and how many notices, are kept of a sign-in.
const MAX_KEPT: usize = 256;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A name, or an address (IPv6 without brackets).
    Tcp { host: String, port: u16 },
    /// The directory of the socket; the port is a part of its name.
    Unix { directory: PathBuf, port: u16 },
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(formatter, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(formatter, "{host}:{port}"),
            Self::Unix { directory, port } => write!(formatter, "{}/.s.PGSQL.{port}", directory.display()),
        }
    }
}

/// A server and how to talk to it. Clones share a cache of what SCRAM computes from passwords, so
/// that only the first sign-in of a role costs milliseconds.
#[derive(Clone, Debug)]
pub struct Server {
    pub address: Address,
    /// `None`: plaintext. Unused over a Unix-domain socket, as in PostgreSQL.
    pub tls: Option<ClientTls>,
    /// From the first packet to ReadyForQuery.
    pub timeout: Duration,
    keys: KeyCache,
}

impl Server {
    pub fn new(address: Address, tls: Option<ClientTls>, timeout: Duration) -> Self {
        Self { address, tls, timeout, keys: KeyCache::default() }
    }
}

/// Whom to sign in as, and with which settings.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    pub user: &'a str,
    /// `None`: the server must not ask for one.
    pub password: Option<&'a str>,
    pub database: &'a str,
    /// Settings of the session, such as `application_name`, `client_encoding`, `DateStyle`,
    /// `options`. `user`, `database`, `replication` and `_pq_.` options in it are left out.
    pub parameters: &'a [(&'a str, &'a str)],
    /// Ask for protocol 3.0 or 3.2; an older server makes 3.0 of it.
    pub minor: u16,
}

/// A connection that is ready for queries.
#[derive(Debug)]
pub struct Upstream {
    pub stream: Stream,
    /// What was read after ReadyForQuery; nearly always nothing.
    pub input: BytesMut,
    /// What the server reported, each name once.
    pub parameters: Vec<(String, String)>,
    /// `None`: the server gave no key.
    pub cancel: Option<CancelTarget>,
    /// Frames of NoticeResponses, to be passed on as they are.
    pub notices: Vec<Bytes>,
    pub status: TransactionStatus,
}

impl Upstream {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(found, _)| found == name).map(|(_, value)| &**value)
    }
}

/// Connects and signs in.
///
/// ```no_run
/// # use pgwarrant_wire::upstream::{self, Address, ClientTls, Login, Server, Verify};
/// # use std::time::Duration;
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let address = Address::Tcp { host: "shop.internal".into(), port: 5432 };
/// let tls = ClientTls::new(Verify::AuthorityAndHost, Some("ca.crt".as_ref()))?;
/// let server = Server::new(address, Some(tls), Duration::from_secs(10));
/// let parameters = [("client_encoding", "UTF8"), ("application_name", "psql")];
/// let login = Login { user: "shop_app", password: Some("…"), database: "shop", parameters: &parameters, minor: 0 };
/// let upstream = upstream::connect(&server, &login).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(server: &Server, login: &Login<'_>) -> Result<Upstream, ConnectError> {
    timeout(server.timeout, attempt(server, login)).await.unwrap_or(Err(ConnectError::Timeout))
}

async fn attempt(server: &Server, login: &Login<'_>) -> Result<Upstream, ConnectError> {
    let (stream, address) = open(server, None).await?;
    let mut connection = Connection { stream, input: BytesMut::with_capacity(BUFFER) };
    let mut out = BytesMut::new();
    let settings = login.parameters.iter().copied();
    let settings = settings.filter(|(name, _)| {
        !matches!(*name, "user" | "database" | "replication") && !name.starts_with("_pq_.")
    });
    let who = [("user", login.user), ("database", login.database)];
    build::startup(&mut out, login.minor, who.into_iter().chain(settings));
    connection.send(&out).await?;
    let mut sign_in = SignIn::new(login, server, &connection.stream);
    while !sign_in.is_done() {
        let (tag, body) = connection.receive().await?;
        if let Some(answer) = sign_in.answer(tag, &body).await? {
            connection.send(&answer).await?;
        }
    }
    until_ready(connection, server, address).await
}

async fn until_ready(
    mut connection: Connection,
    server: &Server,
    address: Option<SocketAddr>,
) -> Result<Upstream, ConnectError> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    let mut notices = Vec::new();
    let mut cancel = None;
    loop {
        let (tag, body) = connection.receive().await?;
        match tag {
            tag::PARAMETER_STATUS => {
                let (name, value) = backend::parameter_status(&body)?;
                parameters.retain(|(found, _)| found != name);
                parameters.push((name.to_owned(), value.to_owned()));
                if parameters.len() > MAX_KEPT {
                    return Err(ConnectError::Protocol("it reports too many parameters".into()));
                }
            }
            tag::BACKEND_KEY_DATA => {
                let (pid, key) = backend::backend_key_data(&body)?;
                cancel = Some(CancelTarget { server: server.clone(), address, pid, key: key.into() });
            }
            tag::NOTICE_RESPONSE if notices.len() < MAX_KEPT => {
                Diagnostic::parse(&body)?;
                notices.push(whole(tag, &body));
            }
            tag::NOTICE_RESPONSE => {}
            tag::ERROR_RESPONSE => return Err(ConnectError::Server(Diagnostic::parse(&body)?.into_owned())),
            tag::READY_FOR_QUERY => {
                let status = backend::ready_for_query(&body)?;
                let Connection { stream, input } = connection;
                // An idle session holds no buffer.
                let input = if input.is_empty() { BytesMut::new() } else { input };
                return Ok(Upstream { stream, input, parameters, cancel, notices, status });
            }
            tag => return Err(unexpected(tag)),
        }
    }
}

fn unexpected(tag: u8) -> ConnectError {
    ConnectError::Protocol(format!("it sent a message of type {:?} during start-up", char::from(tag)).into())
}

fn whole(tag: u8, body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER + body.len());
    crate::cursor::frame(&mut out, tag, |out| out.extend_from_slice(body));
    out.freeze()
}

/// A connection whose frames are read one by one.
struct Connection {
    stream: Stream,
    input: BytesMut,
}

impl Connection {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), ConnectError> {
        self.stream.write_all(bytes).await.map_err(ConnectError::Broken)?;
        self.stream.flush().await.map_err(ConnectError::Broken)
    }

    async fn receive(&mut self) -> Result<(u8, Bytes), ConnectError> {
        loop {
            let found = frame::next(&self.input, MAX_MESSAGE)
                .map_err(|error| ConnectError::Protocol(error.to_string().into()))?;
            if let Some(frame) = found {
                let mut whole = self.input.split_to(frame.len).freeze();
                whole.advance(HEADER);
                return Ok((frame.tag, whole));
            }
            if self.stream.read_buf(&mut self.input).await.map_err(ConnectError::Broken)? == 0 {
                return Err(ConnectError::Broken(std::io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

/// Connects, with TLS if the server is to be talked to with it. `again`: exactly there.
async fn open(
    server: &Server,
    again: Option<SocketAddr>,
) -> Result<(Stream, Option<SocketAddr>), ConnectError> {
    let (host, port) = match &server.address {
        Address::Unix { directory, port } => {
            let path = directory.join(format!(".s.PGSQL.{port}"));
            let stream = UnixStream::connect(path).await.map_err(ConnectError::Unreachable)?;
            return Ok((Stream::Plain(Socket::unix(stream)), None));
        }
        Address::Tcp { host, port } => (host, *port),
    };
    let (socket, address) = match again {
        Some(address) => (TcpStream::connect(address).await.map_err(ConnectError::Unreachable)?, address),
        None => dial(host, port, server.timeout).await?,
    };
    let socket = Socket::tcp(socket).map_err(ConnectError::Unreachable)?;
    let stream = match &server.tls {
        None => Stream::Plain(socket),
        Some(tls) => encrypt(socket, host, tls).await?,
    };
    Ok((stream, Some(address)))
}

/// Tries all addresses of the host, in the resolver's order; none may use up the others' time.
async fn dial(host: &str, port: u16, patience: Duration) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let addresses: Vec<_> =
        tokio::net::lookup_host((host, port)).await.map_err(ConnectError::Unreachable)?.collect();
    let patience = patience / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address");
    for address in addresses {
        match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok((stream, address)),
            Ok(Err(error)) => last = error,
            Err(_) => last = std::io::ErrorKind::TimedOut.into(),
        }
    }
    Err(ConnectError::Unreachable(last))
}

async fn encrypt(mut socket: Socket, host: &str, tls: &ClientTls) -> Result<Stream, ConnectError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        ConnectError::Tls(std::io::Error::other("the host's name cannot be in a certificate"))
    })?;
    let mut out = BytesMut::new();
    build::ssl_request(&mut out);
    socket.write_all(&out).await.map_err(ConnectError::Broken)?;
    socket.flush().await.map_err(ConnectError::Broken)?;
    // One byte and no more: what follows belongs to the handshake.
    match socket.read_u8().await.map_err(ConnectError::Broken)? {
        b'S' => {}
        b'N' => return Err(ConnectError::NoTls),
        _ => return Err(ConnectError::Protocol("it did not understand the request for TLS".into())),
    }
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(&tls.config));
    let stream = connector.connect(name, socket).await.map_err(ConnectError::Tls)?;
    Ok(Stream::TlsClient(Box::new(stream)))
}

/// What cancels the statement that a connection runs. Cheap to clone.
#[derive(Clone)]
pub struct CancelTarget {
    server: Server,
    /// A host may have several; only one of them knows the process.
    address: Option<SocketAddr>,
    pid: u32,
    key: Arc<[u8]>,
}

impl CancelTarget {
    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a CancelRequest over a connection of its own (with TLS where the session has it), and
    /// waits until the server has closed it: then the signal is on its way, and what is sent to the
    /// session afterwards is not what it was meant for.
    ///
    /// # Errors
    /// As [`connect`]. Whether anything was cancelled is not told.
    pub async fn cancel(&self) -> Result<(), ConnectError> {
        timeout(self.server.timeout, self.request()).await.unwrap_or(Err(ConnectError::Timeout))
    }

    async fn request(&self) -> Result<(), ConnectError> {
        let (mut stream, _) = open(&self.server, self.address).await?;
        let mut out = BytesMut::new();
        build::cancel_request(&mut out, self.pid, &self.key);
        stream.write_all(&out).await.map_err(ConnectError::Broken)?;
        stream.flush().await.map_err(ConnectError::Broken)?;
        // The server closes without a word; how exactly does not matter.
        let mut nothing = [0; 64];
        while matches!(stream.read(&mut nothing).await, Ok(count) if count > 0) {}
        Ok(())
    }
}

impl fmt::Debug for CancelTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CancelTarget({} at {})", self.pid, self.server.address)
    }
}

#[cfg(test)]
mod tests;
