//! Whose certificates we believe when we connect to others.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Why there is nothing to check certificates against.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("could not read certificates from \"{}\": {problem}", .path.display())]
    File { path: PathBuf, problem: String },
    #[error("the system has no certificate authorities: install ca-certificates, or name a file as ca")]
    NoSystemRoots,
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// TLS that checks certificates against the authorities in `ca`, a PEM file, and no others; or
/// against the system's where there is none.
/// # Errors
/// There are none, or the file cannot be read.
pub fn tls(ca: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            let problem = |problem: String| TrustError::File { path: path.to_owned(), problem };
            let certificates = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| problem(error.to_string()))?;
            for certificate in certificates {
                roots.add(certificate).map_err(|error| problem(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(problem("there is none in it".to_owned()));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(TrustError::NoSystemRoots);
            }
        }
    }
    believing(roots)
}

/// TLS that believes nobody: for calls to `http://` on this machine, where it is not used.
/// # Errors
/// TLS cannot be set up.
pub fn none() -> Result<Arc<ClientConfig>, TrustError> {
    believing(RootCertStore::empty())
}

fn believing(roots: RootCertStore) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
