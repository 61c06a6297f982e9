//! Passwords and tokens that somebody else verifies: a directory, an identity provider.
//!
//! Both are secrets that whoever reads them can use again, so none is asked for where others can
//! read what the client sends. Whether somebody is in the middle of its TLS only the client can
//! tell, by `sslmode=verify-full`: neither way binds the channel.

use std::convert::Infallible;

use bytes::BytesMut;

use super::response;
use crate::accept::{Client, send};
use crate::backend::build;
use crate::error::{Report, WireError};
use crate::stream::Stream;
use crate::{frame, frontend};

/// What a client shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'c> {
    /// Not empty.
    Password(&'c str),
    /// Of the form `b64token` (RFC 6750, section 2.1), without `Bearer`.
    Token(&'c str),
}

/// Who verifies what a client shows.
pub trait External: Sync {
    /// What is learnt about the user.
    type Verified: Send;

    /// Does the credential belong to this very user? It is waited for until the deadline of the
    /// sign-in, and dropped then. What is refused must not tell a user that exists from one that
    /// does not.
    ///
    /// # Errors
    /// What the client is told.
    fn verify(
        &self,
        user: &str,
        credential: Credential<'_>,
    ) -> impl Future<Output = Result<Self::Verified, Report>> + Send;
}

/// Nobody does.
impl External for Infallible {
    type Verified = Self;

    async fn verify(&self, _: &str, _: Credential<'_>) -> Result<Self, Report> {
        match *self {}
    }
}

/// Asks for a password and has it verified.
pub(super) async fn password<E: External>(
    client: &mut Client,
    external: &E,
) -> Result<E::Verified, WireError> {
    private(&client.stream)?;
    let mut out = BytesMut::new();
    build::authentication_cleartext_password(&mut out);
    send(&mut client.stream, &out).await?;
    let body = response(client, frame::MAX_CREDENTIAL).await?;
    let password = frontend::password(&body)?;
    if password.is_empty() {
        // A directory may take an empty password for a wish to be nobody, and say yes.
        return Err(Report::fatal("28P01", "empty password returned by client")
            .hint("Give the password, for example in PGPASSWORD.")
            .into());
    }
    Ok(external.verify(&client.startup.user, Credential::Password(password)).await?)
}

/// # Errors
/// 28000: others may read what the client sends.
pub(super) fn private(stream: &Stream) -> Result<(), Report> {
    if stream.is_tls() || stream.peer().is_local() {
        return Ok(());
    }
    Err(Report::fatal("28000", "this user's way to sign in needs an encrypted connection")
        .detail("The password or token would go over the network as it is.")
        .hint("Connect with sslmode=verify-full, or at least sslmode=require."))
}

#[cfg(test)]
mod tests;
