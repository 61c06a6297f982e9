//! The start-up of a client's connection, up to its StartupMessage (PostgreSQL documentation,
//! "Start-up" and "SSL Session Encryption").
//!
//! Exactly the bytes that are asked for are read, so there is never a buffer that could carry
//! plaintext into an encrypted session: bytes that somebody injects after an SSLRequest reach the
//! TLS handshake, and break it.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use crate::backend::build;
use crate::cursor::Cursor;
use crate::error::{ClientError, Report, Violation, WireError};
use crate::frame;
use crate::stream::{Peer, Socket, Stream};
use crate::tls::ALPN;
pub use crate::tls::ServerTls;

pub(crate) const CANCEL_REQUEST: u32 = 80_877_102;
pub(crate) const SSL_REQUEST: u32 = 80_877_103;
pub(crate) const GSSENC_REQUEST: u32 = 80_877_104;

/// The content type of a TLS handshake record, which no start-up packet of ours begins with.
const TLS_HANDSHAKE: u8 = 0x16;
/// `MAX_STARTUP_PACKET_LENGTH`
const MAX_PACKET: usize = 10_000;
/// The newest minor version of protocol 3 that is spoken here. There is no 3.1.
const NEWEST_MINOR: u16 = 2;
/// How long a client that is being refused may take to read why.
const GOODBYE: Duration = Duration::from_secs(1);

/// Which connections may go on without TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plaintext {
    /// Those that stay on this machine.
    #[default]
    Loopback,
    Never,
    Always,
}

impl Plaintext {
    fn allows(self, peer: Peer) -> bool {
        match self {
            Self::Loopback => peer.is_local(),
            Self::Never => false,
            Self::Always => true,
        }
    }
}

/// How clients may connect.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `None`: a client that asks for TLS is told that there is none.
    pub tls: Option<ServerTls>,
    pub plaintext: Plaintext,
}

/// A version 3.`minor` of the protocol: 0 or 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Protocol {
    pub minor: u16,
}

impl Protocol {
    /// Of the cancellation keys that we make for such a client, in bytes.
    pub fn key_length(self) -> usize {
        if self.minor >= 2 { 32 } else { 4 }
    }
}

/// What a client's StartupMessage says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Startup {
    pub protocol: Protocol,
    /// Not empty.
    pub user: String,
    /// The user's name where the client names none.
    pub database: String,
    /// All others, in the client's order, each name once: settings such as `application_name`,
    /// `client_encoding`, and `options` in the form of command-line options.
    pub parameters: Vec<(String, String)>,
}

impl Startup {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(found, _)| found == name).map(|(_, value)| &**value)
    }
}

/// A client that has said who it wants to be. Next: [`crate::auth::authenticate`].
#[derive(Debug)]
pub struct Client {
    pub stream: Stream,
    pub startup: Startup,
    /// The channel binding of our TLS, see [`ServerTls`]; `None`: no TLS, or none that binds.
    pub(crate) end_point: Option<std::sync::Arc<[u8]>>,
}

/// What a connection is for.
#[derive(Debug)]
pub enum Accepted {
    Session(Box<Client>),
    /// To cancel what a session runs: see [`crate::cancel::Registry::find`]. Whatever comes of it
    /// the client is told nothing; but it takes the end of the connection as a sign that no
    /// statement that it sends from then on will be hit, so keep it until the cancel has arrived.
    Cancel {
        pid: u32,
        key: Vec<u8>,
        connection: Stream,
    },
}

/// Brings a new connection to its StartupMessage.
///
/// ```no_run
/// # use pgwarrant_wire::{accept, stream::Socket};
/// # async fn serve(listener: tokio::net::TcpListener, settings: accept::Settings) -> Result<(), Box<dyn std::error::Error>> {
/// let (stream, _) = listener.accept().await?;
/// let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
/// match accept::accept(Socket::tcp(stream)?, &settings, deadline).await? {
///     accept::Accepted::Cancel { pid, key, connection } => { /* registry.find(pid, &key) */ }
///     accept::Accepted::Session(client) => { /* auth::authenticate(&mut client, …) */ }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The client broke off, took too long, or was refused; then it has been told why. A refusal is one
/// of: 08P01 malformed packet, 0A000 unsupported version or replication, 22021 not UTF-8, 28000 no
/// user or no TLS where [`Plaintext`] wants it.
pub async fn accept(socket: Socket, settings: &Settings, deadline: Instant) -> Result<Accepted, WireError> {
    timeout_at(deadline, negotiate(socket, settings)).await.unwrap_or(Err(WireError::Timeout))
}

/// What has been negotiated, each at most once.
#[derive(Default)]
struct Asked {
    tls: bool,
    gss: bool,
}

async fn negotiate(mut socket: Socket, settings: &Settings) -> Result<Accepted, WireError> {
    let tls = settings.tls.as_ref().filter(|_| socket.peer() != Peer::Unix);
    let mut length = [0; 4];
    if socket.read(&mut length[..1]).await? == 0 {
        return Err(WireError::Closed);
    }
    socket.read_exact(&mut length[1..]).await?;
    let mut asked = Asked::default();
    let mut stream = if length[0] == TLS_HANDSHAKE {
        let Some(tls) = tls else {
            let problem = "a client began with a TLS handshake, and there is no TLS";
            return Err(WireError::Tls(std::io::Error::other(problem)));
        };
        socket.unread(length);
        let stream = handshake(socket, tls, true).await?;
        asked = Asked { tls: true, gss: true };
        stream
    } else {
        socket.unread(length);
        Stream::Plain(socket)
    };
    loop {
        let packet = match packet(&mut stream).await {
            Ok(packet) => packet,
            Err(error) => return Err(told(&mut stream, error).await),
        };
        match packet {
            Packet::SslRequest if !asked.tls => {
                asked.tls = true;
                match (stream, tls) {
                    (Stream::Plain(mut socket), Some(tls)) => {
                        socket.write_all(b"S").await?;
                        socket.flush().await?;
                        stream = handshake(socket, tls, false).await?;
                        asked.gss = true;
                    }
                    (other, _) => {
                        stream = other;
                        send(&mut stream, b"N").await?;
                    }
                }
            }
            Packet::GssencRequest if !asked.gss => {
                asked.gss = true;
                send(&mut stream, b"N").await?;
            }
            Packet::Cancel { pid, key } => {
                return Ok(Accepted::Cancel { pid, key, connection: stream });
            }
            Packet::Startup(body) => {
                return match greeted(&mut stream, settings, &body).await {
                    Ok(startup) => {
                        let end_point =
                            if stream.is_tls() { tls.and_then(|tls| tls.end_point.clone()) } else { None };
                        Ok(Accepted::Session(Box::new(Client { stream, startup, end_point })))
                    }
                    Err(error) => Err(told(&mut stream, error).await),
                };
            }
            Packet::SslRequest => return Err(unsupported(&mut stream, SSL_REQUEST).await),
            Packet::GssencRequest => return Err(unsupported(&mut stream, GSSENC_REQUEST).await),
            Packet::Other(version) => return Err(unsupported(&mut stream, version).await),
        }
    }
}

async fn handshake(socket: Socket, tls: &ServerTls, direct: bool) -> Result<Stream, WireError> {
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::clone(&tls.config));
    let stream = acceptor.accept(socket).await.map_err(WireError::Tls)?;
    // Without it a TLS client of another protocol could be made to talk to us (ALPACA).
    if direct && stream.get_ref().1.alpn_protocol() != Some(ALPN) {
        let problem = "a direct TLS connection did not negotiate the protocol \"postgresql\"";
        return Err(WireError::Tls(std::io::Error::other(problem)));
    }
    Ok(Stream::TlsServer(Box::new(stream)))
}

enum Packet {
    SslRequest,
    GssencRequest,
    Cancel {
        pid: u32,
        key: Vec<u8>,
    },
    /// Of protocol 3: the version and what follows it.
    Startup(Vec<u8>),
    /// A version that is not spoken here.
    Other(u32),
}

async fn packet(stream: &mut Stream) -> Result<Packet, WireError> {
    let invalid = || Violation::protocol("invalid length of startup packet");
    let length = stream.read_u32().await? as usize;
    if !(8..=MAX_PACKET).contains(&length) {
        return Err(invalid().into());
    }
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await?;
    let mut cursor = Cursor::new(&body);
    match cursor.u32()? {
        SSL_REQUEST if length == 8 => Ok(Packet::SslRequest),
        GSSENC_REQUEST if length == 8 => Ok(Packet::GssencRequest),
        SSL_REQUEST | GSSENC_REQUEST => Err(invalid().into()),
        CANCEL_REQUEST => {
            let pid = cursor.u32()?;
            let key = cursor.take_rest().to_vec();
            if !crate::cancel::KEY_LENGTHS.contains(&key.len()) {
                return Err(invalid().into());
            }
            Ok(Packet::Cancel { pid, key })
        }
        version if version >> 16 == 3 => Ok(Packet::Startup(body)),
        version => Ok(Packet::Other(version)),
    }
}

/// Reads a StartupMessage, agrees on the version, and sees to it that the connection is as safe as
/// it must be: before any password is asked for.
async fn greeted(stream: &mut Stream, settings: &Settings, body: &[u8]) -> Result<Startup, WireError> {
    let asked = parse(body)?;
    let peer = stream.peer();
    if !stream.is_tls() && !settings.plaintext.allows(peer) {
        let hint = if settings.tls.is_some() {
            "Connect with sslmode=require or stronger."
        } else {
            "Connect from the machine that pgwarrant runs on, or have TLS set up in its [listen.tls]."
        };
        let from = peer.ip().map_or("the local machine".to_owned(), |ip| ip.to_string());
        return Err(Report::fatal("28000", format!("unencrypted connection from {from} is refused"))
            .hint(hint)
            .into());
    }
    if asked.minor != asked.startup.protocol.minor || !asked.unknown_options.is_empty() {
        let mut out = BytesMut::new();
        build::negotiate_protocol_version(&mut out, asked.startup.protocol.minor, &asked.unknown_options);
        send(stream, &out).await?;
    }
    Ok(asked.startup)
}

#[derive(Debug)]
struct AskedStartup {
    minor: u16,
    unknown_options: Vec<String>,
    startup: Startup,
}

fn parse(body: &[u8]) -> Result<AskedStartup, Report> {
    let malformed = |violation: Violation| violation.report();
    let layout = || Report::fatal("08P01", "invalid startup packet layout: expected terminator as last byte");
    let mut cursor = Cursor::new(body);
    let minor = (cursor.u32().map_err(malformed)? & 0xffff) as u16;
    let protocol = Protocol { minor: if minor >= NEWEST_MINOR { NEWEST_MINOR } else { 0 } };
    let mut unknown_options = Vec::new();
    let mut parameters: Vec<(String, String)> = Vec::new();
    loop {
        if cursor.is_empty() {
            return Err(layout());
        }
        let name = cursor.text().map_err(malformed)?;
        if name.is_empty() {
            break;
        }
        let value = cursor.text().map_err(malformed)?;
        if parameters.iter().any(|(found, _)| found == name) {
            return Err(Report::fatal("08P01", "a parameter occurs twice in the startup packet")
                .hint("Name each parameter once."));
        }
        if name.starts_with("_pq_.") {
            unknown_options.push(name.to_owned());
        }
        parameters.push((name.to_owned(), value.to_owned()));
    }
    cursor.end().map_err(|_| layout())?;
    parameters.retain(|(name, _)| !name.starts_with("_pq_."));
    let mut take = |name: &str| {
        let index = parameters.iter().position(|(found, _)| found == name)?;
        Some(parameters.remove(index).1)
    };
    if take("replication").is_some_and(|value| !is_false(&value)) {
        return Err(Report::fatal("0A000", "replication connections are not supported")
            .hint("Connect to the database server itself for replication."));
    }
    let user = take("user").filter(|user| !user.is_empty());
    let user =
        user.ok_or_else(|| Report::fatal("28000", "no PostgreSQL user name specified in startup packet"))?;
    let database = take("database").filter(|database| !database.is_empty()).unwrap_or_else(|| user.clone());
    Ok(AskedStartup { minor, unknown_options, startup: Startup { protocol, user, database, parameters } })
}

/// As `parse_bool` reads it.
fn is_false(value: &str) -> bool {
    ["false", "fals", "fal", "fa", "f", "no", "n", "off", "of", "0"]
        .iter()
        .any(|no| value.eq_ignore_ascii_case(no))
}

async fn unsupported(stream: &mut Stream, version: u32) -> WireError {
    let (major, minor) = (version >> 16, version & 0xffff);
    let report = Report::fatal(
        "0A000",
        format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{NEWEST_MINOR}"),
    );
    if major >= 3 {
        return told(stream, report.into()).await;
    }
    // Version 2 has no fields: a text of one line.
    let mut out = BytesMut::new();
    out.put_u8(b'E');
    out.extend_from_slice(format!("FATAL:  {}\n\0", report.message).as_bytes());
    let _ = timeout(GOODBYE, say(stream, &out)).await;
    report.into()
}

/// Tells the client why it is refused, as far as it listens, and closes the connection.
pub async fn refuse(stream: &mut Stream, error: &(dyn ClientError + Sync)) {
    let mut out = BytesMut::new();
    error.report().write(&mut out);
    let _ = timeout(GOODBYE, say(stream, &out)).await;
}

/// Passes the error on, after having told the client if it may be told.
pub(crate) async fn told(stream: &mut Stream, error: WireError) -> WireError {
    if let WireError::Refused(report) = &error {
        refuse(stream, report).await;
    }
    error
}

async fn say(stream: &mut Stream, bytes: &[u8]) -> std::io::Result<()> {
    send(stream, bytes).await?;
    stream.shutdown().await
}

pub(crate) async fn send(stream: &mut Stream, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Reads one message of at most `max` bytes, and nothing after it: its type byte and its body.
pub(crate) async fn message(stream: &mut Stream, max: usize) -> Result<(u8, Vec<u8>), WireError> {
    let mut header = [0; frame::HEADER];
    stream.read_exact(&mut header).await?;
    let Some(frame) = frame::header(&header, max)? else {
        return Err(Violation::protocol("invalid message format").into());
    };
    let mut body = vec![0; frame.len - frame::HEADER];
    stream.read_exact(&mut body).await?;
    Ok((frame.tag, body))
}

#[cfg(test)]
mod tests;
