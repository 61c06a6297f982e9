//! What the tests of both sides share: certificates, and a client that speaks byte by byte.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls_pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use crate::accept::{Accepted, Client, Settings, accept};
use crate::backend::Diagnostic;
use crate::error::WireError;
use crate::frontend::build;
use crate::stream::{Peer, Socket, Stream};
use crate::tls::{ClientTls, ServerTls, Verify};

/// An authority and what it has signed, in PEM files.
pub(crate) struct Certificates {
    pub(crate) directory: TempDir,
}

impl Certificates {
    /// A server `localhost` and a client whose common name is `ada`.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Test Authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let write =
            |name: &str, content: String| std::fs::write(directory.path().join(name), content).unwrap();
        write("ca.crt", authority.pem());
        for (file, alternative, common) in
            [("server", vec!["localhost".to_owned()], "db"), ("client", vec![], "ada")]
        {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(alternative).unwrap();
            params.distinguished_name.push(DnType::CommonName, common);
            write(&format!("{file}.crt"), params.signed_by(&key, &authority).unwrap().pem());
            write(&format!("{file}.key"), key.serialize_pem());
        }
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn server(&self) -> ServerTls {
        let (certificate, key, ca) = (self.path("server.crt"), self.path("server.key"), self.path("ca.crt"));
        ServerTls::from_files(&certificate, &key, Some(&ca)).unwrap()
    }

    pub(crate) fn client(&self, verify: Verify) -> ClientTls {
        ClientTls::new(verify, Some(&self.path("ca.crt"))).unwrap()
    }

    /// A client that presents the certificate of `ada`.
    pub(crate) fn client_with_certificate(&self) -> rustls::ClientConfig {
        use rustls_pki_types::pem::PemObject;
        use rustls_pki_types::{CertificateDer, PrivateKeyDer};
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.crt")).unwrap()).unwrap();
        let chain = vec![CertificateDer::from_pem_file(self.path("client.crt")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.path("client.key")).unwrap();
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap()
    }
}

/// Soon enough for a test that hangs to fail, late enough for a slow machine.
pub(crate) fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// For tests of what happens at the deadline.
pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_millis(20)
}

/// Runs [`accept`] on the other end of the connection that is returned.
pub(crate) fn accepting(
    settings: Settings,
    peer: Peer,
) -> (DuplexStream, tokio::task::JoinHandle<Result<Accepted, WireError>>) {
    accepting_until(settings, peer, deadline())
}

pub(crate) fn accepting_until(
    settings: Settings,
    peer: Peer,
    deadline: Instant,
) -> (DuplexStream, tokio::task::JoinHandle<Result<Accepted, WireError>>) {
    let (ours, theirs) = duplex(64 * 1024);
    let socket = Socket::memory(theirs).seen_from(peer);
    (ours, tokio::spawn(async move { accept(socket, &settings, deadline).await }))
}

pub(crate) fn session(accepted: Result<Accepted, WireError>) -> Client {
    match accepted.unwrap() {
        Accepted::Session(client) => *client,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn startup(parameters: &[(&str, &str)]) -> BytesMut {
    let mut out = BytesMut::new();
    build::startup(&mut out, 0, parameters.iter().copied());
    out
}

/// The server's answer to an SSLRequest, then the handshake.
pub(crate) async fn encrypted(mut stream: DuplexStream, config: Arc<rustls::ClientConfig>) -> Stream {
    let mut out = BytesMut::new();
    build::ssl_request(&mut out);
    stream.write_all(&out).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'S');
    handshake(stream, config).await.unwrap()
}

pub(crate) async fn handshake(
    stream: DuplexStream,
    config: Arc<rustls::ClientConfig>,
) -> std::io::Result<Stream> {
    let connector = tokio_rustls::TlsConnector::from(config);
    let name = ServerName::try_from("localhost").unwrap();
    Ok(Stream::TlsClient(Box::new(connector.connect(name, Socket::memory(stream)).await?)))
}

/// Everything until the other end closes.
pub(crate) async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A TLS connection that ends without close_notify is an error, after its last bytes.
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}

/// SQLSTATE and message of the ErrorResponse that `bytes` are.
pub(crate) fn error(bytes: &[u8]) -> (String, String) {
    let frame = crate::frame::next(bytes, 10_000).unwrap().expect("a whole frame");
    assert_eq!((frame.tag, frame.len), (b'E', bytes.len()), "one ErrorResponse: {bytes:?}");
    let diagnostic = Diagnostic::parse(frame.body(bytes)).unwrap();
    (diagnostic.sqlstate().to_owned(), diagnostic.message().to_owned())
}
