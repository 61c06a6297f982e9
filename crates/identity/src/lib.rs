//! Who somebody is, where others than pgwarrant know it: an OpenID Connect issuer ([`oidc`]), an
//! LDAP directory ([`ldap`]); and a second factor ([`totp`]).
//!
//! Each takes plain settings, and answers with [`Verified`]: the user, the *person* behind the
//! user, and the groups in our own names. Two users of one person are two users to a grant and one
//! to whoever asks whether somebody approves their own request.
//!
//! Invariants:
//! - A credential that cannot be verified is refused, whatever the reason; what a provider says is
//!   believed only over TLS that was checked, or on this machine.
//! - The user that is verified is the user that the client named, byte for byte.
//! - Nothing from the network makes this crate panic, or hold more than a limit says.
//! - Passwords, tokens and secrets are in no error and in no `Debug`.
//!
//! Signatures are verified by ring. The crates for JWTs bring a second cryptographic library with
//! them, or want a process-wide one installed that panics where it is missing; what is left without
//! it is to cut a text at two dots, and they pass over what has to be refused here: duplicate names,
//! `crit`, `typ`, a key's `use`.
//!
//! Deliberately absent: the wire, configuration files, storage of anything but second factors, browsers (a client gets its token
//! by itself), encrypted tokens (JWE), opaque tokens (introspection), HMAC signatures, following of
//! redirects and referrals, and recovery codes beside the second factor: they are a password on
//! paper; somebody who lost the device is enrolled anew by an administrator, which is recorded.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};

mod json;
pub mod ldap;
mod name;
pub mod oidc;
pub mod totp;

pub use pgwarrant_http::{TrustError, UrlError};

/// Somebody whose credential is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The user that the client named.
    pub user: String,
    /// The same for all users of one person, and for no one else.
    pub person: String,
    /// In our names, sorted, each once.
    pub groups: Vec<String>,
    /// The credential is good until then; `None`: it does not say.
    pub until: Option<SystemTime>,
}

/// The provider's names of groups, and ours. A group that is not in it is not a group here.
pub type GroupNames = BTreeMap<String, String>;

/// Now, on the clock of the wall and on one that only goes forward.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub wall: SystemTime,
    pub steady: Instant,
}

impl Now {
    pub fn read() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }

    /// Seconds since 1970; 0 before.
    pub(crate) fn unix(self) -> u64 {
        self.wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

/// Our names of a provider's groups.
fn groups<'n>(theirs: impl Iterator<Item = &'n str>, names: &GroupNames) -> Vec<String> {
    let mut ours: Vec<String> = theirs.filter_map(|name| names.get(name).cloned()).collect();
    ours.sort_unstable();
    ours.dedup();
    ours
}
