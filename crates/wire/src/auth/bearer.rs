//! The SASL mechanism OAUTHBEARER (RFC 7628), with the choices that PostgreSQL 18 makes.
//!
//! There is no channel binding for it. Where a token is to be had the client learns by an exchange
//! with an empty `auth` value, which fails in any case; then it connects again.

use super::external::Credential;
use super::{External, challenge};
use crate::accept::{Client, refuse};
use crate::error::{Report, WireError};
use crate::frame;

pub(super) const MECHANISM: &str = "OAUTHBEARER";
/// `kvsep`, which also is all that a client answers to a refusal.
const SEPARATOR: char = '\u{1}';
const ABANDON: &[u8] = b"\x01";
const SCHEME: &str = "bearer ";

/// Who verifies tokens, and where clients get them.
#[derive(Debug)]
pub struct Bearer<'a, E> {
    pub external: &'a E,
    pub discovery: &'a Discovery,
}

/// What a client is told of where to get a token: the body of a refusal (RFC 7628, section 3.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    challenge: String,
}

/// An issuer or a scope holds what has no place in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} must be printable ASCII without quotes and backslashes")]
pub struct NotDiscoverable(&'static str);

impl Discovery {
    /// `issuer`: a URL, as in the tokens' claim `iss`. `scope`: what to ask for, separated by
    /// spaces (RFC 6749, section 3.3).
    ///
    /// # Errors
    /// One of them has a character that cannot be in it.
    pub fn new(issuer: &str, scope: &str) -> Result<Self, NotDiscoverable> {
        let is_plain = |text: &str| {
            text.chars().all(|character| matches!(character, ' '..='~') && !matches!(character, '"' | '\\'))
        };
        if issuer.is_empty() || issuer.contains(' ') || !is_plain(issuer) {
            return Err(NotDiscoverable("the issuer"));
        }
        if !is_plain(scope) {
            return Err(NotDiscoverable("the scope"));
        }
        // A slash at the issuer's end stays: libpq cuts the well-known part off, and compares what is
        // left with the issuer byte by byte.
        let challenge = format!(
            "{{ \"status\": \"invalid_token\", \"openid-configuration\": \
             \"{issuer}/.well-known/openid-configuration\", \"scope\": \"{scope}\" }}"
        );
        Ok(Self { challenge })
    }
}

impl<E: External> Bearer<'_, E> {
    /// The exchange that began with `first`.
    pub(super) async fn exchange(self, client: &mut Client, first: &[u8]) -> Result<E::Verified, WireError> {
        let user = client.startup.user.clone();
        let report = match credential(first)? {
            Shown::Nothing => None,
            Shown::Malformed => Some(failed(&user).detail("The bearer token is malformed.")),
            Shown::Token(token) => match self.external.verify(&user, Credential::Token(token)).await {
                Ok(verified) => return Ok(verified),
                Err(report) => Some(report),
            },
        };
        // The client's library is told in its own words first; it answers with one byte, and then
        // waits for an error for people (section 3.2.3).
        let text = self.discovery.challenge.as_bytes();
        if challenge(client, text, frame::MAX_BEFORE_AUTHENTICATION).await? != ABANDON {
            return Err(malformed("Client did not send a kvsep response.").into());
        }
        match report {
            Some(report) => Err(report.into()),
            None => {
                let report = failed(&user).detail("The client sent no token, to learn where to get one.");
                refuse(&mut client.stream, &report).await;
                Err(WireError::Closed)
            }
        }
    }
}

fn failed(user: &str) -> Report {
    Report::fatal("28000", format!("OAuth bearer authentication failed for user \"{user}\""))
        .hint("Get a new token from the identity provider and connect again.")
}

/// What a client's first message holds.
#[derive(Debug, PartialEq, Eq)]
enum Shown<'m> {
    /// It asks where to get a token.
    Nothing,
    /// Something that is not a bearer token.
    Malformed,
    Token(&'m str),
}

/// Reads a client's first message (section 3.1).
fn credential(message: &[u8]) -> Result<Shown<'_>, Report> {
    let message = std::str::from_utf8(message).map_err(|_| malformed("The message is not UTF-8."))?;
    if message.contains('\0') {
        return Err(malformed("The message holds a NUL."));
    }
    let rest = match message.split_once(',') {
        // y: the client would bind the channel if there were a way to.
        Some(("n" | "y", rest)) => rest,
        Some((flag, _)) if flag.starts_with('p') => {
            return Err(malformed(
                "The server does not support channel binding for OAuth, but the client message includes channel binding data.",
            ));
        }
        _ => return Err(malformed("A channel-binding flag and a comma were expected.")),
    };
    let rest = match rest.split_once(',') {
        Some(("", rest)) => rest,
        Some((identity, _)) if identity.starts_with('a') => {
            return Err(Report::fatal(
                "0A000",
                "client uses authorization identity, but it is not supported",
            )
            .hint("Connect as the user that the token was issued to."));
        }
        _ => return Err(malformed("Unexpected attribute in client-first-message.")),
    };
    let pairs = rest.strip_prefix(SEPARATOR).ok_or_else(|| malformed("Key-value separator expected."))?;
    let auth = auth(pairs)?.ok_or_else(|| malformed("Message does not contain an auth value."))?;
    Ok(shown(auth))
}

/// The value of `auth`; other keys are ignored, as the RFC wants it.
fn auth(pairs: &str) -> Result<Option<&str>, Report> {
    let mut found = None;
    let mut rest = pairs;
    loop {
        let Some((pair, after)) = rest.split_once(SEPARATOR) else {
            return Err(malformed("Message did not contain a final terminator."));
        };
        if pair.is_empty() && after.is_empty() {
            return Ok(found);
        }
        if pair.is_empty() {
            return Err(malformed("Message contains additional data after the final terminator."));
        }
        let (key, value) =
            pair.split_once('=').ok_or_else(|| malformed("Message contains a key without a value."))?;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(malformed("Message contains an invalid key name."));
        }
        if !value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n')) {
            return Err(malformed("Message contains an invalid value."));
        }
        if key == "auth" && found.replace(value).is_some() {
            return Err(malformed("Message contains multiple auth values."));
        }
        rest = after;
    }
}

/// `Bearer` in any case, spaces, and a `b64token` (RFC 6750, section 2.1).
fn shown(auth: &str) -> Shown<'_> {
    if auth.is_empty() {
        return Shown::Nothing;
    }
    let token = match auth.split_at_checked(SCHEME.len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) => token.trim_start_matches(' '),
        _ => return Shown::Malformed,
    };
    let is_of_token =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    let unpadded = token.trim_end_matches('=');
    if unpadded.is_empty() || !unpadded.bytes().all(is_of_token) {
        return Shown::Malformed;
    }
    Shown::Token(token)
}

/// Nothing of the message is repeated: it may hold a token.
fn malformed(detail: &'static str) -> Report {
    Report::fatal("08P01", "malformed OAUTHBEARER message")
        .detail(detail)
        .hint("Connect with a client that follows RFC 7628, such as psql 18.")
}

#[cfg(test)]
mod tests;
