//! Who a client is (PostgreSQL documentation, "SASL Authentication", "Certificate Authentication",
//! "OAuth Authorization/Authentication", "Password Authentication"): SCRAM-SHA-256 and
//! SCRAM-SHA-256-PLUS against a verifier, a client certificate; and a password or a bearer token
//! that somebody else verifies, see [`external`].
//!
//! A user that does not exist, that has no verifier, or that gives the wrong password gets the same
//! messages, of the same length, after the same work.

use bytes::BytesMut;
use tokio::time::{Instant, timeout_at};

use crate::accept::{Client, message, send, told};
use crate::backend::build;
use crate::error::{Report, Violation, WireError};
use crate::scram::server::{Challenge, Rejected, client_first};
use crate::scram::{self, Keys, Malformed};
pub use crate::scram::{Mock, NotAVerifier, Verifier};
use crate::{frame, frontend};

pub use bearer::{Bearer, Discovery, NotDiscoverable};
pub use choice::{Choice, NotAChoice};
pub use external::{Credential, External};

mod bearer;
mod choice;
pub mod external;

/// Iterations of the verifiers that are made where nobody says otherwise: PostgreSQL's default.
pub const DEFAULT_ITERATIONS: u32 = 4096;
/// Fewer are not allowed (RFC 7677, section 4).
const MIN_ITERATIONS: u32 = 4096;

/// How a client has shown to us who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Scram,
    /// Bound to our TLS certificate: nobody is in the middle.
    ScramPlus,
    Certificate,
}

/// How a client has shown who it is, with what was learnt from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof<V> {
    Here(Method),
    /// A password that [`External::verify`] accepted, and what that said.
    Password(V),
    /// A bearer token that [`External::verify`] accepted, and what that said.
    Token(V),
}

/// What a client without a certificate is asked for. It is asked for one thing only: the server's
/// first message either lists SASL mechanisms or asks for a password, and of mechanisms libpq takes
/// SCRAM, whatever else there is. Who has several ways says earlier which it wants: [`Choice`].
#[derive(Debug)]
pub enum Ask<'a, E> {
    /// `None`: of a user that does not exist.
    Scram(Option<&'a Verifier>),
    Token(Bearer<'a, E>),
    /// In cleartext, and so only over TLS or on this machine.
    Password(&'a E),
}

/// What lets a user in.
#[derive(Debug)]
pub struct Wanted<'a, E> {
    /// A client certificate with this common name, verified in the TLS handshake, is enough.
    pub certificate: Option<&'a str>,
    pub ask: Ask<'a, E>,
}

/// Lets the client show that it is the user that it says it is, and tells it AuthenticationOk.
/// ParameterStatus, BackendKeyData and ReadyForQuery are the caller's to send.
///
/// # Errors
/// The client broke off, took too long (57014), or was refused; then it has been told why: 28P01
/// wrong password or no such user, 08P01 malformed messages, 28000 a downgrade of channel binding,
/// or a password or a token that would go over the network as it is; and what [`External::verify`]
/// refuses with. A client that only asked where tokens are to be had
/// ([`Discovery`]) has been told and is [`WireError::Closed`], as one that only asked whether a
/// password is needed.
pub async fn authenticate<E: External>(
    client: &mut Client,
    wanted: Wanted<'_, E>,
    mock: &Mock,
    deadline: Instant,
) -> Result<Proof<E::Verified>, WireError> {
    let outcome = timeout_at(deadline, sign_in(client, wanted, mock)).await;
    match outcome {
        Ok(Ok(proof)) => Ok(proof),
        Ok(Err(error)) => Err(told(&mut client.stream, error).await),
        Err(_) => {
            let report = Report::fatal("57014", "canceling authentication due to timeout");
            told(&mut client.stream, report.into()).await;
            Err(WireError::Timeout)
        }
    }
}

async fn sign_in<E: External>(
    client: &mut Client,
    wanted: Wanted<'_, E>,
    mock: &Mock,
) -> Result<Proof<E::Verified>, WireError> {
    let mut out = BytesMut::new();
    let proof = if has_certificate(client, wanted.certificate) {
        Proof::Here(Method::Certificate)
    } else {
        match wanted.ask {
            Ask::Password(external) => Proof::Password(external::password(client, external).await?),
            Ask::Token(bearer) => Proof::Token(token(client, bearer).await?),
            Ask::Scram(verifier) => Proof::Here(scram(client, verifier, mock, &mut out).await?),
        }
    };
    build::authentication_ok(&mut out);
    send(&mut client.stream, &out).await?;
    Ok(proof)
}

/// What is to be said before AuthenticationOk goes to `out`.
async fn scram(
    client: &mut Client,
    verifier: Option<&Verifier>,
    mock: &Mock,
    out: &mut BytesMut,
) -> Result<Method, WireError> {
    let plus = client.end_point.as_ref().map(|_| scram::MECHANISM_PLUS);
    let mechanisms: Vec<&str> = plus.into_iter().chain([scram::MECHANISM]).collect();
    let (mechanism, first) = begin(client, &mechanisms, frame::MAX_BEFORE_AUTHENTICATION).await?;
    let plus = mechanism == scram::MECHANISM_PLUS;
    let last = scram_exchange(client, &first, plus, verifier, mock).await?;
    build::authentication_sasl_final(out, last.as_bytes());
    Ok(if plus { Method::ScramPlus } else { Method::Scram })
}

async fn token<E: External>(client: &mut Client, bearer: Bearer<'_, E>) -> Result<E::Verified, WireError> {
    external::private(&client.stream)?;
    let (_, first) = begin(client, &[bearer::MECHANISM], frame::MAX_CREDENTIAL).await?;
    bearer.exchange(client, &first).await
}

/// Offers mechanisms; the one that the client takes, and its first message, of at most `max` bytes.
async fn begin<'m>(
    client: &mut Client,
    mechanisms: &[&'m str],
    max: usize,
) -> Result<(&'m str, Vec<u8>), WireError> {
    let mut question = BytesMut::new();
    build::authentication_sasl(&mut question, mechanisms);
    send(&mut client.stream, &question).await?;
    let body = response(client, max).await?;
    let initial = frontend::sasl_initial(&body)?;
    let chosen = mechanisms.iter().find(|offered| **offered == initial.mechanism).copied();
    let chosen = chosen
        .ok_or_else(|| Violation::protocol("client selected an invalid SASL authentication mechanism"))?;
    let first = match initial.response {
        Some(response) => response.to_vec(),
        None => challenge(client, b"", max).await?,
    };
    Ok((chosen, first))
}

fn has_certificate(client: &Client, wanted: Option<&str>) -> bool {
    let Some(wanted) = wanted else { return false };
    let name = client.stream.tls().and_then(|tls| tls.peer_common_name());
    name.is_some_and(|name| name == wanted)
}

/// Our last message for a client that knows the password.
async fn scram_exchange(
    client: &mut Client,
    first: &[u8],
    plus: bool,
    verifier: Option<&Verifier>,
    mock: &Mock,
) -> Result<String, WireError> {
    let end_point = client.end_point.clone();
    let first = client_first(first, plus, end_point.is_some()).map_err(rejected)?;
    let nonce = scram::nonce().map_err(|_| Report::fatal("58000", "could not generate a random nonce"))?;
    let unknown = mock.verifier(&client.startup.user);
    let put = Challenge::new(&first, &nonce, verifier.unwrap_or(&unknown));
    let last = challenge(client, put.message.as_bytes(), frame::MAX_BEFORE_AUTHENTICATION).await?;
    let outcome = put.client_final(&last, end_point.as_deref()).map_err(malformed)?;
    let outcome = outcome.filter(|_| verifier.is_some());
    outcome.ok_or_else(|| password_failed(&client.startup.user).into())
}

async fn challenge(client: &mut Client, challenge: &[u8], max: usize) -> Result<Vec<u8>, WireError> {
    let mut out = BytesMut::new();
    build::authentication_sasl_continue(&mut out, challenge);
    send(&mut client.stream, &out).await?;
    response(client, max).await
}

/// The body of what the client answers with, in a message of at most `max` bytes.
async fn response(client: &mut Client, max: usize) -> Result<Vec<u8>, WireError> {
    match message(&mut client.stream, max).await? {
        (frontend::tag::PASSWORD, body) => Ok(body),
        // psql does so to ask for the password, before it connects again.
        (frontend::tag::TERMINATE, _) => Err(WireError::Closed),
        (tag, _) => {
            Err(Violation::protocol(format!("expected SASL response, got message type {tag}")).into())
        }
    }
}

fn password_failed(user: &str) -> Report {
    Report::fatal("28P01", format!("password authentication failed for user \"{user}\""))
}

fn rejected(rejected: Rejected) -> Report {
    match rejected {
        Rejected::Malformed(problem) => malformed(problem),
        Rejected::Downgrade => Report::fatal("28000", "SCRAM channel binding negotiation error").detail(
            "The client supports SCRAM channel binding but thinks the server does not. However, this server does support channel binding.",
        ),
        Rejected::AuthorizationIdentity => {
            Report::fatal("0A000", "client uses authorization identity, but it is not supported")
        }
    }
}

fn malformed(problem: Malformed) -> Report {
    Report::fatal("08P01", "malformed SCRAM message").detail(format!("The problem: {problem}."))
}

/// Why there is no verifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    #[error("the password is empty")]
    Empty,
    #[error("iterations must be between {MIN_ITERATIONS} and {max}", max = scram::MAX_ITERATIONS)]
    Iterations,
    #[error("the system has no random numbers: {0}")]
    NoRandomness(getrandom::Error),
}

/// Makes what is kept of a password, in PostgreSQL's format: `SCRAM-SHA-256$4096:…$…:…`. It takes
/// milliseconds, more with more iterations; see [`DEFAULT_ITERATIONS`].
///
/// # Errors
/// The password is empty, or the iterations are too few or absurdly many.
pub fn make_verifier(password: &str, iterations: u32) -> Result<String, VerifierError> {
    if password.is_empty() {
        return Err(VerifierError::Empty);
    }
    if !(MIN_ITERATIONS..=scram::MAX_ITERATIONS).contains(&iterations) {
        return Err(VerifierError::Iterations);
    }
    let mut salt = vec![0; scram::SALT];
    getrandom::fill(&mut salt).map_err(VerifierError::NoRandomness)?;
    let keys = Keys::derive(password, &salt, iterations);
    Ok(Verifier::of(&keys, salt, iterations).to_string())
}

/// Is this the password, told in the clear and not by an exchange? For a user without a verifier it
/// takes as long to say no. Milliseconds: nothing for a thread that others wait for.
pub fn is_password(password: &str, user: &str, verifier: Option<&Verifier>, mock: &Mock) -> bool {
    let unknown = mock.verifier(user);
    verifier.unwrap_or(&unknown).is_of(password) && verifier.is_some()
}

#[cfg(test)]
mod tests;
