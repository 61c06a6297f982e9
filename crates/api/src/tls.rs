//! TLS as a server of HTTP/1.1.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::Tls;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("could not read {what} from \"{}\": {problem}", .path.display())]
    File { what: &'static str, path: std::path::PathBuf, problem: String },
    #[error("the certificate or its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// From PEM files, with rustls' own choice of protocols and ciphers.
pub fn config(tls: &Tls) -> Result<Arc<ServerConfig>, TlsError> {
    let failed = |what: &'static str, path: &Path| {
        let path = path.to_owned();
        move |error: rustls_pki_types::pem::Error| TlsError::File { what, path, problem: error.to_string() }
    };
    let certificates = || failed("a certificate", &tls.certificate);
    let chain = CertificateDer::pem_file_iter(&tls.certificate).map_err(certificates())?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(certificates())?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(failed("a private key", &tls.key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
