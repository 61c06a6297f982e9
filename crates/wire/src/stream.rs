//! A connection, whatever it runs over.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::{client, server};

use crate::certificate;

mod park;

pub use park::Parked;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Tcp(SocketAddr),
    /// Of this machine.
    Unix,
    /// Of this process.
    Memory,
}

impl Peer {
    /// Do the bytes stay on this machine?
    pub fn is_local(self) -> bool {
        match self {
            // An IPv4 client of an IPv6 listener has an address such as ::ffff:127.0.0.1.
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix | Self::Memory => true,
        }
    }

    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip().to_canonical()),
            Self::Unix | Self::Memory => None,
        }
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix => formatter.write_str("[local]"),
            Self::Memory => formatter.write_str("[memory]"),
        }
    }
}

#[derive(Debug)]
enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
    Memory(DuplexStream),
}

/// A connection without TLS.
#[derive(Debug)]
pub struct Socket {
    transport: Transport,
    peer: Peer,
    /// What was read to tell a TLS handshake from a start-up packet, and is to be read again.
    ahead: [u8; 4],
    /// How many bytes at the end of `ahead` are to be read again.
    unread: usize,
}

impl Socket {
    /// Sets TCP_NODELAY: messages are written whole.
    ///
    /// # Errors
    /// The connection has broken already.
    pub fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let peer = Peer::Tcp(stream.peer_addr()?);
        Ok(Self::new(Transport::Tcp(stream), peer))
    }

    pub fn unix(stream: UnixStream) -> Self {
        Self::new(Transport::Unix(stream), Peer::Unix)
    }

    /// One end of [`tokio::io::duplex`].
    pub fn memory(stream: DuplexStream) -> Self {
        Self::new(Transport::Memory(stream), Peer::Memory)
    }

    fn new(transport: Transport, peer: Peer) -> Self {
        Self { transport, peer, ahead: [0; 4], unread: 0 }
    }

    /// For tests of what depends on the address.
    #[must_use]
    pub fn seen_from(mut self, peer: Peer) -> Self {
        self.peer = peer;
        self
    }

    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Makes the next read return these bytes again.
    pub(crate) fn unread(&mut self, bytes: [u8; 4]) {
        self.ahead = bytes;
        self.unread = bytes.len();
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.unread > 0 {
            let from = this.ahead.len().saturating_sub(this.unread);
            let bytes = this.ahead.get(from..).unwrap_or_default();
            let count = bytes.len().min(buffer.remaining());
            buffer.put_slice(bytes.get(..count).unwrap_or_default());
            this.unread = bytes.len() - count;
            return Poll::Ready(Ok(()));
        }
        match &mut this.transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Transport::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Transport::Memory(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Transport::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Transport::Memory(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Transport::Unix(stream) => Pin::new(stream).poll_flush(context),
            Transport::Memory(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Transport::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Transport::Memory(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// A connection, with TLS or without.
#[derive(Debug)]
pub enum Stream {
    Plain(Socket),
    /// Where we are the server.
    TlsServer(Box<server::TlsStream<Socket>>),
    /// Where we are the client.
    TlsClient(Box<client::TlsStream<Socket>>),
}

/// What is known of a connection's TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// As `pg_stat_ssl.version` has it: `TLSv1.3`.
    pub version: &'static str,
    /// In IANA's spelling: `TLS13_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
    /// The other end's own certificate. Where we are the server it has been verified.
    pub peer_certificate: Option<CertificateDer<'static>>,
}

impl TlsFacts {
    /// The first common name of the subject of the other end's certificate, if it is plain text.
    pub fn peer_common_name(&self) -> Option<String> {
        certificate::common_name(self.peer_certificate.as_ref()?)
    }
}

impl Stream {
    /// Ready: a read may bring something. Otherwise the task is woken when one may.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(Socket { transport: Transport::Tcp(stream), unread: 0, .. }) => {
                stream.poll_read_ready(context)
            }
            Self::Plain(Socket { transport: Transport::Unix(stream), unread: 0, .. }) => {
                stream.poll_read_ready(context)
            }
            // Something may have been read and not been asked for yet.
            _ => Poll::Ready(Ok(())),
        }
    }

    pub fn peer(&self) -> Peer {
        match self {
            Self::Plain(socket) => socket.peer(),
            Self::TlsServer(stream) => stream.get_ref().0.peer(),
            Self::TlsClient(stream) => stream.get_ref().0.peer(),
        }
    }

    pub fn is_tls(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// `None`: it is not encrypted.
    pub fn tls(&self) -> Option<TlsFacts> {
        let connection: &rustls::CommonState = match self {
            Self::Plain(_) => return None,
            Self::TlsServer(stream) => stream.get_ref().1,
            Self::TlsClient(stream) => stream.get_ref().1,
        };
        Some(TlsFacts {
            version: match connection.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLS",
            },
            cipher: connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("unknown"),
            peer_certificate: connection
                .peer_certificates()
                .and_then(|chain| chain.first())
                .map(|certificate| certificate.clone().into_owned()),
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::TlsServer(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::TlsClient(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::TlsServer(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::TlsClient(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::TlsServer(stream) => Pin::new(stream).poll_flush(context),
            Self::TlsClient(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::TlsServer(stream) => Pin::new(stream).poll_shutdown(context),
            Self::TlsClient(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
