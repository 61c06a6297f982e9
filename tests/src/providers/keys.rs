//! Private keys that sign tokens, and what an issuer publishes of them.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaKeyPair,
};
use ring::{hmac, signature};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

pub enum SigningKey {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    /// OpenSSL signs: ring refuses such a key.
    Weak(WeakKey),
}

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64.encode(bytes)
}

impl SigningKey {
    pub fn rsa(bits: u32) -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(&rsa_pkcs8(bits)).unwrap())
    }

    /// RSA with 1024 bits.
    pub fn weak() -> Self {
        Self::Weak(WeakKey::new())
    }

    pub fn p256() -> Self {
        Self::P256(ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING))
    }

    pub fn p384() -> Self {
        Self::P384(ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING))
    }

    pub fn ed25519() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    pub fn jwk(&self, kid: &str) -> Value {
        let point = |key: &EcdsaKeyPair, curve: &str| {
            let (x, y) = key.public_key().as_ref()[1..].split_at(key.public_key().as_ref().len() / 2);
            json!({"kty": "EC", "crv": curve, "kid": kid, "x": base64(x), "y": base64(y)})
        };
        match self {
            Self::Rsa(key) => {
                let public: signature::RsaPublicKeyComponents<Vec<u8>> = key.public().into();
                json!({"kty": "RSA", "kid": kid, "n": base64(public.n), "e": base64(public.e)})
            }
            Self::Weak(key) => {
                json!({"kty": "RSA", "kid": kid, "n": base64(key.modulus()), "e": "AQAB"})
            }
            Self::P256(key) => point(key, "P-256"),
            Self::P384(key) => point(key, "P-384"),
            Self::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64(key.public_key())})
            }
        }
    }

    /// A token with this header and these claims, written as they are.
    pub fn sign(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", base64(header), base64(claims));
        let signature = base64(self.signature(header, message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// By the header's algorithm where the key can do it.
    fn signature(&self, header: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let padding: &dyn signature::RsaEncoding = match algorithm(header).as_str() {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Weak(key) => key.sign(message),
            Self::P256(key) | Self::P384(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }
}

pub struct WeakKey {
    directory: tempfile::TempDir,
}

impl WeakKey {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("key.der"), rsa_pkcs8(1024)).unwrap();
        Self { directory }
    }

    fn modulus(&self) -> Vec<u8> {
        let said = openssl(
            self.directory.path(),
            &["rsa", "-inform", "DER", "-in", "key.der", "-noout", "-modulus"],
        );
        let said = String::from_utf8(said).unwrap();
        let digits = said.trim().strip_prefix("Modulus=").unwrap().to_owned();
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        std::fs::write(self.directory.path().join("message"), message).unwrap();
        openssl(self.directory.path(), &["dgst", "-sha256", "-keyform", "DER", "-sign", "key.der", "message"])
    }
}

fn openssl(directory: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("openssl must be installed: tests/bin/install tests");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// PKCS #8, made by OpenSSL: ring makes no RSA keys.
pub fn rsa_pkcs8(bits: u32) -> Vec<u8> {
    let bits = format!("rsa_keygen_bits:{bits}");
    let pem = openssl(Path::new("."), &["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", &bits]);
    PrivatePkcs8KeyDer::from_pem_slice(&pem).unwrap().secret_pkcs8_der().to_vec()
}

/// The public half of what [`rsa_pkcs8`] made, in PEM.
pub fn rsa_public_pem(pkcs8: &[u8]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("key.der"), pkcs8).unwrap();
    openssl(directory.path(), &["pkey", "-inform", "DER", "-pubout", "-in", "key.der"])
}

/// A token that was "signed" with a secret.
pub fn sign_hs256(secret: &[u8], header: &str, claims: &str) -> String {
    let message = format!("{}.{}", base64(header), base64(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", base64(tag))
}

fn ecdsa(algorithm: &'static signature::EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap()
}

fn algorithm(header: &str) -> String {
    let header: Value = serde_json::from_str(header).unwrap_or_default();
    header["alg"].as_str().unwrap_or_default().to_owned()
}
