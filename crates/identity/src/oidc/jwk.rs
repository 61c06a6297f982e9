//! An issuer's keys (RFC 7517), and what each may have signed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::{Map, Value};

use crate::json;

/// Keys of one issuer. More are a mistake, or an attempt to make a look-up slow.
const MAX_KEYS: usize = 64;
/// Bytes of a key's name.
pub(super) const MAX_KID: usize = 256;

/// How a token may be signed (RFC 7518, section 3.1; RFC 8037). There is no `none` and no HMAC: who
/// could verify those could sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    /// With Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// As in a token's header: `RS256`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// `None`: it is not one of ours.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A public key for signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) kid: Option<String>,
    /// The only algorithm that it is for; `None`: any that its type can do.
    algorithm: Option<Algorithm>,
    material: Material,
}

impl Key {
    /// May the key have made a signature of this algorithm?
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let by_type = match self.material {
            Material::Rsa { .. } => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Material::P256(_) => algorithm == Es256,
            Material::P384(_) => algorithm == Es384,
            Material::Ed25519(_) => algorithm == EdDsa,
        };
        by_type && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// RSA keys of less than 2048 bits verify nothing.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        let point = |verify: &'static dyn signature::VerificationAlgorithm, point: &[u8]| {
            UnparsedPublicKey::new(verify, point).verify(message, signature).is_ok()
        };
        match &self.material {
            Material::Rsa { n, e } => {
                let verify = match algorithm {
                    Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                    Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
                    Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
                    Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return false,
                };
                RsaPublicKeyComponents { n, e }.verify(verify, message, signature).is_ok()
            }
            Material::P256(key) => point(&signature::ECDSA_P256_SHA256_FIXED, key),
            Material::P384(key) => point(&signature::ECDSA_P384_SHA384_FIXED, key),
            Material::Ed25519(key) => point(&signature::ED25519, key),
        }
    }
}

/// What an issuer publishes is not a set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a JSON Web Key Set of at most {MAX_KEYS} keys")]
pub(super) struct NotAKeySet;

/// Reads a JWK set. Keys that are for something else, or of a type that we do not know, are left
/// out, as RFC 7517 (section 5) has it.
pub(super) fn key_set(text: &[u8]) -> Result<Vec<Key>, NotAKeySet> {
    let set = json::object(text).map_err(|_| NotAKeySet)?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or(NotAKeySet)?;
    if keys.len() > MAX_KEYS {
        return Err(NotAKeySet);
    }
    Ok(keys.iter().filter_map(Value::as_object).filter_map(key).collect())
}

fn key(jwk: &Map<String, Value>) -> Option<Key> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    // A member that is there must say yes: one of another type says nothing that we understand.
    if jwk.contains_key("use") && text("use") != Some("sig") {
        return None;
    }
    if let Some(operations) = jwk.get("key_ops")
        && !operations.as_array()?.iter().any(|operation| operation == "verify")
    {
        return None;
    }
    let algorithm = match jwk.get("alg") {
        None => None,
        Some(name) => Some(Algorithm::from_name(name.as_str()?)?),
    };
    let kid = match jwk.get("kid") {
        None => None,
        Some(kid) => Some(kid.as_str().filter(|kid| kid.len() <= MAX_KID)?.to_owned()),
    };
    let material = match (text("kty")?, text("crv")) {
        ("RSA", _) => Material::Rsa { n: without_zeros(bytes("n")?), e: without_zeros(bytes("e")?) },
        ("EC", Some("P-256")) => Material::P256(point(32, &bytes("x")?, &bytes("y")?)?),
        ("EC", Some("P-384")) => Material::P384(point(48, &bytes("x")?, &bytes("y")?)?),
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x").filter(|x| x.len() == 32)?),
        _ => return None,
    };
    Some(Key { kid, algorithm, material })
}

/// Some issuers begin a modulus with a zero, as ASN.1 does.
fn without_zeros(number: Vec<u8>) -> Vec<u8> {
    number.into_iter().skip_while(|byte| *byte == 0).collect()
}

/// A point, uncompressed (SEC 1, section 2.3.3).
fn point(size: usize, x: &[u8], y: &[u8]) -> Option<Vec<u8>> {
    (x.len() == size && y.len() == size).then(|| [&[4][..], x, y].concat())
}

#[cfg(test)]
mod tests;
