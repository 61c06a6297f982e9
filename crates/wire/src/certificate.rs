//! The two things that we read out of an X.509 certificate.

use ring::digest;
use rustls_pki_types::CertificateDer;
use x509_certificate::X509Certificate;

/// The first common name of the subject. `None` where there is none, or it is not plain text: a
/// NUL or another control character in it would make it something else to somebody else.
pub(crate) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let name = X509Certificate::from_der(certificate).ok()?.subject_common_name()?;
    (!name.is_empty() && !name.contains(char::is_control)).then_some(name)
}

/// The channel binding `tls-server-end-point` (RFC 5929, section 4.1): the server's certificate,
/// hashed with the hash function of its signature algorithm, or SHA-256 in place of MD5 and SHA-1.
/// `None` where that hash function is undefined (Ed25519) or not told by the algorithm's identifier
/// (RSASSA-PSS).
pub(crate) fn end_point(certificate: &CertificateDer<'_>) -> Option<Box<[u8]>> {
    let parsed = X509Certificate::from_der(certificate).ok()?;
    let algorithm = hash_of(parsed.signature_signature_algorithm_oid().as_ref())?;
    Some(digest::digest(algorithm, certificate).as_ref().into())
}

/// By the contents octets of a signature algorithm's object identifier (RFC 3279, 4055, 5758).
fn hash_of(oid: &[u8]) -> Option<&'static digest::Algorithm> {
    const PKCS1: [u8; 8] = [42, 134, 72, 134, 247, 13, 1, 1];
    const ECDSA: [u8; 6] = [42, 134, 72, 206, 61, 4];
    if let Some(rest) = oid.strip_prefix(&PKCS1) {
        return match rest {
            // MD5, SHA-1, SHA-256
            [4 | 5 | 11] => Some(&digest::SHA256),
            [12] => Some(&digest::SHA384),
            [13] => Some(&digest::SHA512),
            _ => None,
        };
    }
    match oid.strip_prefix(&ECDSA)? {
        // SHA-1, SHA-256
        [1] | [3, 2] => Some(&digest::SHA256),
        [3, 3] => Some(&digest::SHA384),
        [3, 4] => Some(&digest::SHA512),
        _ => None,
    }
}
