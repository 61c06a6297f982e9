//! SCRAM-SHA-256 (RFC 5802, RFC 7677): what both sides compute. No I/O, no randomness.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use pgwire::api::auth::sasl::scram::gen_salted_password;
use ring::{digest, hmac};
use subtle::ConstantTimeEq;

pub(crate) mod client;
pub(crate) mod server;

pub(crate) const MECHANISM: &str = "SCRAM-SHA-256";
pub(crate) const MECHANISM_PLUS: &str = "SCRAM-SHA-256-PLUS";
/// The only channel binding that PostgreSQL knows.
const BINDING: &str = "tls-server-end-point";
/// Bytes of a nonce before base64, as in PostgreSQL.
const NONCE: usize = 18;
/// More would keep a processor busy for longer than any login is worth.
pub(crate) const MAX_ITERATIONS: u32 = 1_000_000;

type Key = [u8; 32];

/// A message of the exchange is malformed, or not what must come at that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// A nonce that nobody can guess, printable.
pub(crate) fn nonce() -> Result<String, getrandom::Error> {
    let mut bytes = [0; NONCE];
    getrandom::fill(&mut bytes)?;
    Ok(BASE64.encode(bytes))
}

/// What is computed from a password, a salt and a number of iterations, slowly.
#[derive(Clone)]
pub(crate) struct Keys {
    client: Key,
    stored: Key,
    server: Key,
}

impl Keys {
    /// The password is prepared by SASLprep, or taken as it is where that is impossible, as in
    /// PostgreSQL.
    pub(crate) fn derive(password: &str, salt: &[u8], iterations: u32) -> Self {
        let salted = gen_salted_password(password, salt, iterations.max(1) as usize);
        let client = mac(&salted, b"Client Key");
        Self { client, stored: hash(&client), server: mac(&salted, b"Server Key") }
    }
}

/// What a server keeps of a password: PostgreSQL's `rolpassword`,
/// `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    pub(crate) iterations: u32,
    pub(crate) salt: Vec<u8>,
    pub(crate) stored: Key,
    pub(crate) server: Key,
}

/// A text is not a verifier in PostgreSQL's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a verifier of the form SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey")]
pub struct NotAVerifier;

impl Verifier {
    pub(crate) fn of(keys: &Keys, salt: Vec<u8>, iterations: u32) -> Self {
        Self { iterations, salt, stored: keys.stored, server: keys.server }
    }

    pub(crate) fn is_of(&self, password: &str) -> bool {
        equal(&Keys::derive(password, &self.salt, self.iterations).stored, &self.stored)
    }

    /// How often a client must hash the password.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }
}

impl FromStr for Verifier {
    type Err = NotAVerifier;

    fn from_str(text: &str) -> Result<Self, NotAVerifier> {
        let parts = || {
            let rest = text.strip_prefix(MECHANISM)?.strip_prefix('$')?;
            let (secret, keys) = rest.split_once('$')?;
            let (iterations, salt) = secret.split_once(':')?;
            let (stored, server) = keys.split_once(':')?;
            let key = |text: &str| Key::try_from(BASE64.decode(text).ok()?).ok();
            Some(Self {
                iterations: number(iterations)?,
                salt: BASE64.decode(salt).ok().filter(|salt| !salt.is_empty())?,
                stored: key(stored)?,
                server: key(server)?,
            })
        };
        parts().filter(|verifier| (1..=MAX_ITERATIONS).contains(&verifier.iterations)).ok_or(NotAVerifier)
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (salt, stored, server) =
            (BASE64.encode(&self.salt), BASE64.encode(self.stored), BASE64.encode(self.server));
        write!(formatter, "{MECHANISM}${}:{salt}${stored}:{server}", self.iterations)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Verifier(…)")
    }
}

/// The first client message, but for the user's name.
fn gs2_header(binding: Flag) -> &'static str {
    match binding {
        Flag::Unsupported => "n,,",
        Flag::NotOffered => "y,,",
        Flag::Used => "p=tls-server-end-point,,",
    }
}

/// The channel binding flag that a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    /// `n`: the client does none.
    Unsupported,
    /// `y`: the client would, but believes that the server does none.
    NotOffered,
    /// `p`
    Used,
}

/// `c=`: what the client bound itself to.
fn bound(flag: Flag, end_point: Option<&[u8]>) -> String {
    let mut data = gs2_header(flag).as_bytes().to_vec();
    data.extend_from_slice(end_point.filter(|_| flag == Flag::Used).unwrap_or_default());
    BASE64.encode(data)
}

/// Removes `name=value` from the front of a message; `None`: something else is there. Values hold
/// no comma.
fn attribute<'m>(rest: &mut &'m str, name: char) -> Option<&'m str> {
    let after = rest.strip_prefix(name)?.strip_prefix('=')?;
    let (value, rest_after) = match after.split_once(',') {
        // A comma announces another attribute.
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (after, ""),
    };
    *rest = rest_after;
    Some(value)
}

/// Is the rest of a message made of extensions (`x=value`), which may be ignored?
fn are_extensions(rest: &str) -> bool {
    let is_extension = |part: &str| {
        let mut characters = part.chars();
        characters.next().is_some_and(|name| name.is_ascii_alphabetic()) && characters.next() == Some('=')
    };
    rest.is_empty() || rest.split(',').all(is_extension)
}

/// RFC 5802: printable ASCII but for the comma.
fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// A number in decimal digits, without a sign.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn mac(key: &[u8], data: &[u8]) -> Key {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
    copy(tag.as_ref())
}

fn hash(data: &[u8]) -> Key {
    copy(digest::digest(&digest::SHA256, data).as_ref())
}

fn copy(bytes: &[u8]) -> Key {
    Key::try_from(bytes).expect("SHA-256 has 32 bytes")
}

fn xor(one: &Key, other: &Key) -> Key {
    std::array::from_fn(|index| one[index] ^ other[index])
}

fn equal(one: &[u8], other: &[u8]) -> bool {
    bool::from(one.ct_eq(other))
}

/// Derives what unknown users are given in place of a verifier, from a secret of the server: the
/// same at each attempt, so that it looks like one that is kept.
#[derive(Clone)]
pub struct Mock {
    secret: Key,
    iterations: u32,
}

impl Mock {
    /// `secret`: of this server, unknown to anybody else, and kept: with another one the salts of
    /// unknown users change. `iterations`: as in the verifiers of real users.
    pub fn new(secret: &[u8; 32], iterations: u32) -> Self {
        Self { secret: *secret, iterations: iterations.clamp(1, MAX_ITERATIONS) }
    }

    pub(crate) fn verifier(&self, user: &str) -> Verifier {
        let derive = |what: &str| mac(&self.secret, format!("{what} {user}").as_bytes());
        let mut salt = derive("salt").to_vec();
        salt.truncate(SALT);
        Verifier { iterations: self.iterations, salt, stored: derive("stored"), server: derive("server") }
    }
}

impl fmt::Debug for Mock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Mock(…)")
    }
}

/// Bytes of the salts that we make, as PostgreSQL's.
pub(crate) const SALT: usize = 16;

#[cfg(test)]
mod tests;
