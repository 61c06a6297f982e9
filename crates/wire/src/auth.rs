//! Who a client is (PostgreSQL documentation, "SASL Authentication", "Certificate Authentication",
//! "OAuth Authorization/Authentication", "Password Authentication"): SCRAM-SHA-256 and
//! SCRAM-SHA-256-PLUS against a verifier, a client certificate; and a password or a bearer token
//! that somebody else verifies, see [`external`].
//!
//! A user that does not exist, that has no verifier, or that gives the wrong password gets the same
//! messages, of the same length, after the same work.

use std::convert::Infallible;

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

/// What lets a user in. The default lets nobody in: use it for a user that does not exist.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    pub verifier: Option<&'a Verifier>,
    /// A client certificate with this common name, verified in the TLS handshake, is enough.
    pub certificate: Option<&'a str>,
}

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

/// What a client without a certificate is asked for. It cannot be asked for a choice of them all:
/// the server's first message either lists SASL mechanisms or asks for a password.
#[derive(Debug)]
pub enum Ask<'a, E> {
    /// `None`: of a user that does not exist.
    Scram(Option<&'a Verifier>),
    Token(Bearer<'a, E>),
    /// The client takes its pick. SCRAM comes first, and is what libpq takes, whose clients have to
    /// say earlier that they want something else: [`Choice`].
    ScramOrToken(Option<&'a Verifier>, Bearer<'a, E>),
    /// In cleartext, and so only over TLS or on this machine.
    Password(&'a E),
}

/// What lets a user in where passwords or tokens are verified elsewhere too.
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
/// wrong password or no such user, 08P01 malformed messages, 28000 a downgrade of channel binding.
pub async fn authenticate(
    client: &mut Client,
    credentials: Credentials<'_>,
    mock: &Mock,
    deadline: Instant,
) -> Result<Method, WireError> {
    let wanted: Wanted<'_, Infallible> =
        Wanted { certificate: credentials.certificate, ask: Ask::Scram(credentials.verifier) };
    match authenticate_with(client, wanted, mock, deadline).await? {
        Proof::Here(method) => Ok(method),
        Proof::Password(never) | Proof::Token(never) => match never {},
    }
}

/// As [`authenticate`], where passwords or tokens may be verified elsewhere.
///
/// # Errors
/// As [`authenticate`]; and what [`External::verify`] refuses with; 28000 where a password or a
/// token would go over the network as it is. A client that only asked where tokens are to be had
/// ([`Discovery`]) has been told and is [`WireError::Closed`], as one that only asked whether a
/// password is needed.
pub async fn authenticate_with<E: External>(
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
            Ask::Token(bearer) => sasl(client, None, Some(bearer), mock, &mut out).await?,
            Ask::Scram(verifier) => sasl::<E>(client, Some(verifier), None, mock, &mut out).await?,
            Ask::ScramOrToken(verifier, bearer) => {
                sasl(client, Some(verifier), Some(bearer), mock, &mut out).await?
            }
        }
    };
    build::authentication_ok(&mut out);
    send(&mut client.stream, &out).await?;
    Ok(proof)
}

/// A SASL exchange by one of the mechanisms that are offered; what is to be said before
/// AuthenticationOk goes to `out`.
async fn sasl<E: External>(
    client: &mut Client,
    verifier: Option<Option<&Verifier>>,
    bearer: Option<Bearer<'_, E>>,
    mock: &Mock,
    out: &mut BytesMut,
) -> Result<Proof<E::Verified>, WireError> {
    let bearer = match (bearer, external::private(&client.stream)) {
        (bearer, Ok(())) => bearer,
        // What SCRAM says others may read.
        (_, Err(_)) if verifier.is_some() => None,
        (_, Err(report)) => return Err(report.into()),
    };
    let mut mechanisms = Vec::new();
    if verifier.is_some() {
        mechanisms.extend(client.end_point.as_ref().map(|_| scram::MECHANISM_PLUS));
        mechanisms.push(scram::MECHANISM);
    }
    mechanisms.extend(bearer.as_ref().map(|_| bearer::MECHANISM));
    let max = if bearer.is_some() { frame::MAX_CREDENTIAL } else { frame::MAX_BEFORE_AUTHENTICATION };
    let mut question = BytesMut::new();
    build::authentication_sasl(&mut question, &mechanisms);
    send(&mut client.stream, &question).await?;

    let body = response(client, max).await?;
    let initial = frontend::sasl_initial(&body)?;
    if !mechanisms.contains(&initial.mechanism) {
        return Err(Violation::protocol("client selected an invalid SASL authentication mechanism").into());
    }
    let first = match initial.response {
        Some(response) => response.to_vec(),
        None => challenge(client, b"", max).await?,
    };
    match (initial.mechanism, verifier, bearer) {
        (bearer::MECHANISM, _, Some(bearer)) => Ok(Proof::Token(bearer.exchange(client, &first).await?)),
        (mechanism, Some(verifier), _) => {
            let plus = mechanism == scram::MECHANISM_PLUS;
            let last = scram_exchange(client, &first, plus, verifier, mock).await?;
            build::authentication_sasl_final(out, last.as_bytes());
            Ok(Proof::Here(if plus { Method::ScramPlus } else { Method::Scram }))
        }
        _ => Err(Violation::protocol("client selected an invalid SASL authentication mechanism").into()),
    }
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

#[cfg(test)]
mod tests;
