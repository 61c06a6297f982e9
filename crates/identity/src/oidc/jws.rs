//! A signed token, cut into its parts (RFC 7515, section 5.2; RFC 8725).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::Refused;
use super::jwk::{Algorithm, Key, MAX_KID};
use crate::json;

/// `typ` of what may be shown to sign in (RFC 7519, section 5.1; RFC 9068, section 2.1), without
/// `application/`. An issuer signs other things with the same key, such as logout tokens.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// A token whose signature has not been verified.
#[derive(Debug)]
pub(super) struct Unverified<'t> {
    /// What is signed.
    message: &'t str,
    payload: &'t str,
    signature: Vec<u8>,
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
}

impl<'t> Unverified<'t> {
    /// `allowed`: the algorithms that may be in the header.
    pub(super) fn parse(token: &'t str, allowed: &[Algorithm]) -> Result<Self, Refused> {
        let malformed = || Refused::Malformed;
        let (message, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = message.split_once('.').ok_or_else(malformed)?;
        let header = part(header)?;
        // Whatever else is in the header that could say which key it is (jwk, jku, x5c, …) is the
        // word of whoever made the token.
        if header.contains_key("crit") {
            return Err(Refused::Header("crit"));
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name);
        let algorithm = algorithm.filter(|found| allowed.contains(found)).ok_or(Refused::Algorithm)?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= MAX_KID => Some(kid.clone()),
            Some(_) => return Err(Refused::Header("kid")),
        };
        if let Some(kind) = header.get("typ") {
            let kind = kind.as_str().ok_or(Refused::Header("typ"))?.to_ascii_lowercase();
            if !TYPES.contains(&kind.strip_prefix("application/").unwrap_or(&kind)) {
                return Err(Refused::Header("typ"));
            }
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refused::Malformed)?;
        Ok(Self { message, payload, signature, algorithm, kid })
    }

    /// The claims, if this key has signed them.
    pub(super) fn claims(&self, key: &Key) -> Result<Map<String, Value>, Refused> {
        if !key.verifies(self.algorithm, self.message.as_bytes(), &self.signature) {
            return Err(Refused::Signature);
        }
        part(self.payload)
    }
}

/// Who has issued the token, by its own word.
pub(super) fn claimed_issuer(token: &str) -> Option<String> {
    let payload = part(token.split('.').nth(1)?).ok()?;
    payload.get("iss").and_then(Value::as_str).map(str::to_owned)
}

fn part(text: &str) -> Result<Map<String, Value>, Refused> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused::Malformed)?;
    json::object(&bytes).map_err(|_| Refused::Malformed)
}
