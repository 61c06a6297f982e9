//! What a second factor rests on.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// Bytes: as many as HMAC-SHA-1 has (RFC 4226, section 4, R6).
const LENGTH: usize = 20;
/// RFC 4648, section 6.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// 160 random bits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret([u8; LENGTH]);

impl Secret {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As apps take it when it is typed.
    pub(super) fn base32(&self) -> String {
        // Five bytes are eight characters; the length is a multiple of five.
        let character = |number: u64, index: u32| {
            let place = (number >> (35 - 5 * index)) & 31;
            char::from(ALPHABET.get(place as usize).copied().unwrap_or_default())
        };
        let number = |chunk: &[u8]| chunk.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        self.0.chunks(5).flat_map(|chunk| (0..8).map(move |index| character(number(chunk), index))).collect()
    }

    /// As apps take it from a QR code ("Key Uri Format" of Google Authenticator, which all follow).
    pub(super) fn uri(&self, issuer: &str, account: &str) -> String {
        let plain = |text| utf8_percent_encode(text, RESERVED);
        let (issuer, account, secret) = (plain(issuer), plain(account), self.base32());
        format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
        )
    }

    #[cfg(test)]
    pub(super) fn of(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}
