//! Signatures as of Standard Webhooks 1.0.0 (<https://www.standardwebhooks.com>), the symmetric kind:
//! `v1,` and the base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`.
//!
//! The headers are `webhook-id`, the same each time a message is sent; `webhook-timestamp`, when it was
//! sent, in seconds since 1970 UTC; and `webhook-signature`, one signature or several with spaces
//! between them: of each secret, while one takes the place of another.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;

const PREFIX: &str = "whsec_";
const VERSION: &str = "v1,";
/// Bytes of a secret, as the specification has them.
const SECRET_BYTES: RangeInclusive<usize> = 24..=64;
/// Bytes of an id.
const MAX_ID: usize = 256;
/// Signatures of one message that are looked at.
pub const MAX_SIGNATURES: usize = 16;

/// What both sides know. It is never shown.
#[derive(Clone)]
pub struct Secret(hmac::Key);

/// Why a text is no secret; it has nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("it does not begin with \"whsec_\"")]
    Prefix,
    #[error("what follows \"whsec_\" is not base64")]
    Base64,
    #[error("it has {0} bytes, not 24 to 64")]
    Length(usize),
}

/// Why a message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("its id is empty, too long, or has a character other than letters, digits, \"_\" and \"-\"")]
    Id,
    #[error("it was sent too long ago")]
    TooOld,
    #[error("it was sent in the future")]
    TooNew,
    #[error("it has no signature of version 1, or too many of them")]
    Signatures,
    #[error("none of its signatures is right")]
    Mismatch,
}

impl Secret {
    /// Reads `whsec_` and the base64 (RFC 4648, section 4, padded) of 24 to 64 bytes.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
        let bytes = BASE64.decode(encoded).map_err(|_| SecretError::Base64)?;
        if !SECRET_BYTES.contains(&bytes.len()) {
            return Err(SecretError::Length(bytes.len()));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// One signature: `v1,` and base64. `timestamp_s` is in seconds since 1970 UTC; `id` is one that
/// [`verify`] accepts, or the receiver will not.
pub fn sign(secret: &Secret, id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let tag = hmac::sign(&secret.0, &signed(id, timestamp_s, body));
    format!("{VERSION}{}", BASE64.encode(tag))
}

/// Was the message sent by who knows one of `secrets`, within `tolerance` of now? `signatures` is the
/// header's value. Compares in constant time. That an id has not been seen before is for the caller to
/// check, for twice `tolerance` at least.
///
/// # Errors
/// It was not, or nobody can tell.
pub fn verify(
    secrets: &[Secret],
    id: &str,
    timestamp_s: i64,
    signatures: &str,
    body: &[u8],
    now_s: i64,
    tolerance: Duration,
) -> Result<(), Refused> {
    // A full stop in an id would let one message be read as another: the specification says so.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(plain) {
        return Err(Refused::Id);
    }
    let tolerance = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
    if timestamp_s < now_s.saturating_sub(tolerance) {
        return Err(Refused::TooOld);
    }
    if timestamp_s > now_s.saturating_add(tolerance) {
        return Err(Refused::TooNew);
    }
    let tags = tags(signatures)?;
    let signed = signed(id, timestamp_s, body);
    let right = |tag: &Vec<u8>| secrets.iter().any(|secret| hmac::verify(&secret.0, &signed, tag).is_ok());
    if tags.iter().any(right) { Ok(()) } else { Err(Refused::Mismatch) }
}

fn signed(id: &str, timestamp_s: i64, body: &[u8]) -> Vec<u8> {
    let mut signed = format!("{id}.{timestamp_s}.").into_bytes();
    signed.extend_from_slice(body);
    signed
}

/// Signatures of our version; those of others (`v1a`) are for who knows them.
fn tags(signatures: &str) -> Result<Vec<Vec<u8>>, Refused> {
    let ours: Vec<&str> =
        signatures.split(' ').filter_map(|signature| signature.strip_prefix(VERSION)).collect();
    if ours.is_empty() || ours.len() > MAX_SIGNATURES {
        return Err(Refused::Signatures);
    }
    Ok(ours.into_iter().filter_map(|tag| BASE64.decode(tag).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the specification's own libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = b"{\"test\": 2432232314}";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const TOLERANCE: Duration = Duration::from_secs(300);

    fn secret(text: &str) -> Secret {
        Secret::parse(text).expect("a secret")
    }

    fn other() -> Secret {
        secret(&format!("whsec_{}", BASE64.encode([7; 32])))
    }

    #[test]
    fn the_specification_s_vector_is_signed_and_verified() {
        let known = [secret(SECRET)];
        assert_eq!(sign(&known[0], ID, AT, BODY), SIGNATURE);
        assert_eq!(verify(&known, ID, AT, SIGNATURE, BODY, AT + 300, TOLERANCE), Ok(()));
    }

    #[test]
    fn whatever_is_changed_is_refused() {
        let known = [secret(SECRET)];
        let now = AT;
        for (id, at, signatures, body, why) in [
            ("msg_p5jXN8AQM9LWM0D4loKWxJel", AT, SIGNATURE, BODY, Refused::Mismatch),
            (ID, AT + 1, SIGNATURE, BODY, Refused::Mismatch),
            (ID, AT, SIGNATURE, b"{\"test\":2432232314}", Refused::Mismatch),
            (ID, AT, SIGNATURE, b"", Refused::Mismatch),
            (ID, AT, &SIGNATURE[..SIGNATURE.len() - 4], BODY, Refused::Mismatch),
            (ID, AT, "v1,", BODY, Refused::Mismatch),
            (ID, AT, "v1,not base64", BODY, Refused::Mismatch),
            (ID, AT, "", BODY, Refused::Signatures),
            (ID, AT, &SIGNATURE[3..], BODY, Refused::Signatures),
            (
                ID,
                AT,
                "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
                BODY,
                Refused::Signatures,
            ),
            (ID, AT, &SIGNATURE.replace("v1,", "V1,"), BODY, Refused::Signatures),
            ("", AT, SIGNATURE, BODY, Refused::Id),
            ("a.1614265330", AT, SIGNATURE, BODY, Refused::Id),
            ("a\r\nb", AT, SIGNATURE, BODY, Refused::Id),
            (&"a".repeat(257), AT, SIGNATURE, BODY, Refused::Id),
        ] {
            assert_eq!(
                verify(&known, id, at, signatures, body, now, TOLERANCE),
                Err(why),
                "{id} {signatures}"
            );
        }
        assert_eq!(verify(&[], ID, AT, SIGNATURE, BODY, now, TOLERANCE), Err(Refused::Mismatch));
        assert_eq!(verify(&[other()], ID, AT, SIGNATURE, BODY, now, TOLERANCE), Err(Refused::Mismatch));
    }

    #[test]
    fn messages_are_good_for_a_while_in_both_directions() {
        let known = [secret(SECRET)];
        for (now, verdict) in [
            (AT - 301, Err(Refused::TooNew)),
            (AT - 300, Ok(())),
            (AT + 300, Ok(())),
            (AT + 301, Err(Refused::TooOld)),
            (i64::MIN, Err(Refused::TooNew)),
            (i64::MAX, Err(Refused::TooOld)),
        ] {
            assert_eq!(verify(&known, ID, AT, SIGNATURE, BODY, now, TOLERANCE), verdict, "{now}");
        }
        assert_eq!(verify(&known, ID, AT, SIGNATURE, BODY, i64::MAX, Duration::MAX), Ok(()));
    }

    #[test]
    fn while_a_secret_is_replaced_either_is_good() {
        let (old, new) = (secret(SECRET), other());
        let both = format!("{} {}", sign(&new, ID, AT, BODY), sign(&old, ID, AT, BODY));
        for known in [vec![old.clone()], vec![new.clone()], vec![new.clone(), old.clone()]] {
            assert_eq!(verify(&known, ID, AT, &both, BODY, AT, TOLERANCE), Ok(()));
        }
        let among_others = format!("v1a,AAAA v2,x {SIGNATURE}");
        assert_eq!(verify(&[new, old.clone()], ID, AT, &among_others, BODY, AT, TOLERANCE), Ok(()));
        let many = ["v1,AAAA"; MAX_SIGNATURES].join(" ") + " " + SIGNATURE;
        assert_eq!(verify(&[old], ID, AT, &many, BODY, AT, TOLERANCE), Err(Refused::Signatures));
    }

    #[test]
    fn a_secret_has_its_prefix_and_its_length_and_shows_nothing() {
        for (text, why) in [
            (SECRET.trim_start_matches("whsec_").to_owned(), SecretError::Prefix),
            ("whsec_%%%".to_owned(), SecretError::Base64),
            (format!("{SECRET}\n"), SecretError::Base64),
            ("whsec_".to_owned(), SecretError::Length(0)),
            (format!("whsec_{}", BASE64.encode([1; 23])), SecretError::Length(23)),
            (format!("whsec_{}", BASE64.encode([1; 65])), SecretError::Length(65)),
        ] {
            assert_eq!(Secret::parse(&text).err(), Some(why), "{text}");
        }
        for length in [24, 64] {
            assert!(Secret::parse(&format!("whsec_{}", BASE64.encode(vec![1; length]))).is_ok());
        }
        assert_eq!(format!("{:?}", secret(SECRET)), "Secret");
    }
}
