//! TLS configurations from PEM files, for both sides.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::certificate;

/// The protocol's name in ALPN (PostgreSQL documentation, "SSL Session Encryption").
pub(crate) const ALPN: &[u8] = b"postgresql";

/// Why there is no TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("could not read {what} from \"{}\": {problem}", .path.display())]
    File { what: &'static str, path: PathBuf, problem: String },
    #[error("the system has no usable root certificates: {0}")]
    SystemRoots(String),
    #[error("the certificate or its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    #[error("the certificate authorities for clients cannot be used: {0}")]
    ClientAuthorities(#[from] rustls::server::VerifierBuilderError),
}

/// How we are a TLS server.
#[derive(Clone, Debug)]
pub struct ServerTls {
    pub(crate) config: Arc<rustls::ServerConfig>,
    /// For SCRAM-SHA-256-PLUS; `None`: the certificate allows none.
    pub(crate) end_point: Option<Arc<[u8]>>,
}

impl ServerTls {
    /// Reads the server's certificate chain and key, and the authorities whose client certificates
    /// are accepted. With authorities a client *may* present a certificate; one that they have not
    /// signed fails the handshake.
    ///
    /// # Errors
    /// A file cannot be read or does not hold what it should.
    pub fn from_files(
        certificate: &Path,
        key: &Path,
        client_authorities: Option<&Path>,
    ) -> Result<Self, TlsError> {
        let chain = certificates(certificate, "a certificate")?;
        let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::File {
            what: "a private key",
            path: key.to_owned(),
            problem: error.to_string(),
        })?;
        let builder =
            rustls::ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let builder = match client_authorities {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(roots(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                builder.with_client_cert_verifier(verifier.allow_unauthenticated().build()?)
            }
        };
        let end_point = chain.first().and_then(certificate::end_point).map(Arc::from);
        let mut config = builder.with_single_cert(chain, key_der)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { config: Arc::new(config), end_point })
    }
}

/// How a server's certificate is verified: libpq's `sslmode`, without the modes that may fall back
/// to plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Encrypted, but the server may be anybody.
    Nothing,
    /// `verify-ca`: it is signed by one of the authorities.
    Authority,
    /// `verify-full`: and is for the host that we connect to.
    AuthorityAndHost,
}

/// How we are a TLS client.
#[derive(Clone, Debug)]
pub struct ClientTls {
    pub(crate) config: Arc<rustls::ClientConfig>,
    verify: Verify,
}

impl ClientTls {
    /// `authorities`: a PEM file; `None`: those that the system trusts. Unused with
    /// [`Verify::Nothing`].
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate, or the system trusts none.
    pub fn new(verify: Verify, authorities: Option<&Path>) -> Result<Self, TlsError> {
        let roots = match (verify, authorities) {
            (Verify::Nothing, _) => RootCertStore::empty(),
            (_, Some(path)) => roots(path)?,
            (_, None) => system_roots()?,
        };
        let provider = provider();
        let verifier = Verifier { verify, roots, algorithms: provider.signature_verification_algorithms };
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { config: Arc::new(config), verify })
    }

    /// Is the other end known to be the server that was meant?
    pub(crate) fn is_verified(&self) -> bool {
        self.verify == Verify::AuthorityAndHost
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(path: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |problem: String| TlsError::File { what, path: path.to_owned(), problem };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
        .map_err(|error| failed(error.to_string()))?;
    if certificates.is_empty() {
        return Err(failed("it holds no PEM section CERTIFICATE".into()));
    }
    Ok(certificates)
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, "certificate authorities")? {
        roots.add(certificate).map_err(|error| TlsError::File {
            what: "certificate authorities",
            path: path.to_owned(),
            problem: error.to_string(),
        })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // One odd certificate in the system's store is no reason to trust none of the others.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let problem = found.errors.first().map_or("there are none".to_owned(), ToString::to_string);
        return Err(TlsError::SystemRoots(problem));
    }
    Ok(roots)
}

/// Verifies as much of a server's certificate as was asked for. That the server holds the key of
/// the certificate is verified in any case.
#[derive(Debug)]
struct Verifier {
    verify: Verify,
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.verify == Verify::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        rustls::client::verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        if self.verify == Verify::AuthorityAndHost {
            rustls::client::verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What to do about a failed handshake with a server, if we can tell.
pub(crate) fn hint(error: &rustls::Error) -> Option<&'static str> {
    match error {
        // A bad signature is one of another authority with the same name.
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => Some("Name the authority that signed the server's certificate with ca."),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Some(
            "Connect by a name that is among the certificate's subject alternative names, or use verify-ca.",
        ),
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => Some("Renew the server's certificate."),
        rustls::Error::InvalidCertificate(CertificateError::Other(_)) => Some(
            "A certificate of an authority cannot be a server's own: make an authority and let it sign the server's certificate.",
        ),
        _ => None,
    }
}
