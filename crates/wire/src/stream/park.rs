//! Connections that wait for whoever needs one: no runtime watches them, so a thread with a runtime
//! of its own can go on with what another has opened.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use socket2::SockRef;
use tokio::net::{TcpStream, UnixStream};

use super::{Socket, Stream, Transport};

/// A connection at rest, between two runtimes. Dropping it closes it without a word.
#[derive(Debug)]
pub struct Parked {
    /// All but the socket: who is at the other end, and the state of TLS.
    shell: Stream,
    socket: Waiting,
}

#[derive(Debug)]
enum Waiting {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Stream {
    /// Takes the connection out of its runtime. What was written must have been flushed.
    ///
    /// # Errors
    /// The system refuses, or it is no connection of the system's.
    pub fn park(mut self) -> io::Result<Parked> {
        let (closed, _) = tokio::io::duplex(1);
        let socket = match std::mem::replace(self.transport(), Transport::Memory(closed)) {
            Transport::Tcp(stream) => Waiting::Tcp(stream.into_std()?),
            Transport::Unix(stream) => Waiting::Unix(stream.into_std()?),
            Transport::Memory(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(Parked { shell: self, socket })
    }

    fn transport(&mut self) -> &mut Transport {
        let socket: &mut Socket = match self {
            Self::Plain(socket) => socket,
            Self::TlsServer(stream) => stream.get_mut().0,
            Self::TlsClient(stream) => stream.get_mut().0,
        };
        &mut socket.transport
    }
}

impl Parked {
    /// Is it open, and has the other end sent nothing? It is left unread in any case.
    pub fn is_quiet(&self) -> bool {
        match &self.socket {
            Waiting::Tcp(socket) => is_quiet(socket),
            Waiting::Unix(socket) => is_quiet(socket),
        }
    }

    /// Goes on in the runtime that this is called in.
    ///
    /// # Errors
    /// The system refuses.
    pub fn wake(self) -> io::Result<Stream> {
        let Self { mut shell, socket } = self;
        *shell.transport() = match socket {
            Waiting::Tcp(socket) => Transport::Tcp(TcpStream::from_std(socket)?),
            Waiting::Unix(socket) => Transport::Unix(UnixStream::from_std(socket)?),
        };
        Ok(shell)
    }
}

/// (A socket that comes from a runtime does not block.)
fn is_quiet(socket: &impl AsFd) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    SockRef::from(socket).peek(&mut byte).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::testing::Certificates;
    use crate::tls::Verify;

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// A connection's two ends, with TLS or without.
    async fn pair(tls: bool) -> (Stream, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (theirs, _) = listener.accept().await.unwrap();
        let (ours, theirs) = (Socket::tcp(ours).unwrap(), Socket::tcp(theirs).unwrap());
        if !tls {
            return (Stream::Plain(ours), Stream::Plain(theirs));
        }
        let certificates = Certificates::new();
        let connector = tokio_rustls::TlsConnector::from(certificates.client(Verify::Authority).config);
        let acceptor = tokio_rustls::TlsAcceptor::from(certificates.server().config);
        let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
        let (ours, theirs) = tokio::join!(connector.connect(name, ours), acceptor.accept(theirs));
        let (mut ours, mut theirs) =
            (Stream::TlsClient(Box::new(ours.unwrap())), Stream::TlsServer(Box::new(theirs.unwrap())));
        // The server's session tickets come before its first byte.
        theirs.write_all(b"x").await.unwrap();
        theirs.flush().await.unwrap();
        assert_eq!(ours.read_u8().await.unwrap(), b'x');
        (ours, theirs)
    }

    /// Waits, not for ever, until something is to be read.
    fn heard(parked: &Parked) -> bool {
        (0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            !parked.is_quiet()
        })
    }

    #[test]
    fn a_connection_goes_on_in_another_runtime() {
        for tls in [false, true] {
            let (first, second, others) = (runtime(), runtime(), runtime());
            let (ours, mut theirs) = others.block_on(async { pair(tls).await });
            // (It was opened in a runtime that is not asked any more.)
            let parked = first.block_on(async { ours.park() }).unwrap();
            drop(first);
            assert!(parked.is_quiet(), "tls: {tls}");
            second.block_on(async {
                let mut ours = parked.wake().unwrap();
                ours.write_all(b"hello").await.unwrap();
                ours.flush().await.unwrap();
                assert_eq!(ours.is_tls(), tls);
            });
            others.block_on(async {
                let mut heard = [0; 5];
                theirs.read_exact(&mut heard).await.unwrap();
                assert_eq!(&heard, b"hello");
            });
        }
    }

    #[test]
    fn what_was_sent_or_closed_meanwhile_is_noticed_and_left_unread() {
        let runtime = runtime();
        for tls in [false, true] {
            let (ours, mut theirs) = runtime.block_on(pair(tls));
            let parked = runtime.block_on(async { ours.park() }).unwrap();
            runtime.block_on(async {
                theirs.write_all(b"news").await.unwrap();
                theirs.flush().await.unwrap();
            });
            assert!(heard(&parked) && !parked.is_quiet(), "tls: {tls}");
            runtime.block_on(async {
                let mut news = [0; 4];
                parked.wake().unwrap().read_exact(&mut news).await.unwrap();
                assert_eq!(&news, b"news");
            });

            let (ours, theirs) = runtime.block_on(pair(tls));
            let parked = runtime.block_on(async { ours.park() }).unwrap();
            drop(theirs);
            assert!(heard(&parked), "tls: {tls}");
        }
    }

    #[tokio::test]
    async fn a_socket_of_the_file_system_can_wait_too_but_no_end_in_memory() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let parked = Stream::Plain(Socket::unix(ours)).park().unwrap();
        assert!(parked.is_quiet());
        let mut ours = parked.wake().unwrap();
        ours.write_all(b"x").await.unwrap();
        assert_eq!(theirs.read_u8().await.unwrap(), b'x');
        let (ours, _theirs) = tokio::io::duplex(64);
        assert!(Stream::Plain(Socket::memory(ours)).park().is_err());
    }
}
