//! Who a client is: SCRAM-SHA-256, SCRAM-SHA-256-PLUS, or a certificate (PostgreSQL documentation,
//! "SASL Authentication", "Certificate Authentication").
//!
//! A user that does not exist, that has no verifier, or that gives the wrong password gets the same
//! messages, of the same length, after the same work.

use bytes::BytesMut;
use tokio::time::{Instant, timeout_at};

use crate::accept::{Client, message, send, told};
use crate::backend::build;
use crate::error::{Report, Violation, WireError};
use crate::frontend;
use crate::scram::server::{Challenge, Rejected, client_first};
use crate::scram::{self, Keys, Malformed};
pub use crate::scram::{Mock, NotAVerifier, Verifier};

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

/// How a client has shown who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Scram,
    /// Bound to our TLS certificate: nobody is in the middle.
    ScramPlus,
    Certificate,
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
    let outcome = timeout_at(deadline, sign_in(client, credentials, mock)).await;
    match outcome {
        Ok(Ok(method)) => Ok(method),
        Ok(Err(error)) => Err(told(&mut client.stream, error).await),
        Err(_) => {
            let report = Report::fatal("57014", "canceling authentication due to timeout");
            told(&mut client.stream, report.into()).await;
            Err(WireError::Timeout)
        }
    }
}

async fn sign_in(
    client: &mut Client,
    credentials: Credentials<'_>,
    mock: &Mock,
) -> Result<Method, WireError> {
    if has_certificate(client, credentials.certificate) {
        let mut out = BytesMut::new();
        build::authentication_ok(&mut out);
        send(&mut client.stream, &out).await?;
        return Ok(Method::Certificate);
    }
    let unknown = mock.verifier(&client.startup.user);
    let verifier = credentials.verifier.unwrap_or(&unknown);
    let (outcome, plus) = exchange(client, verifier).await?;
    match outcome.filter(|_| credentials.verifier.is_some()) {
        None => Err(password_failed(&client.startup.user).into()),
        Some(outcome) => {
            let mut out = BytesMut::new();
            build::authentication_sasl_final(&mut out, outcome.as_bytes());
            build::authentication_ok(&mut out);
            send(&mut client.stream, &out).await?;
            Ok(if plus { Method::ScramPlus } else { Method::Scram })
        }
    }
}

fn has_certificate(client: &Client, wanted: Option<&str>) -> bool {
    let Some(wanted) = wanted else { return false };
    let name = client.stream.tls().and_then(|tls| tls.peer_common_name());
    name.is_some_and(|name| name == wanted)
}

/// Our last message for a client that knows the password, and whether the channel was bound.
async fn exchange(client: &mut Client, verifier: &Verifier) -> Result<(Option<String>, bool), WireError> {
    let end_point = client.end_point.clone();
    let offered = end_point.is_some();
    let mut out = BytesMut::new();
    let both: &[&str] = &[scram::MECHANISM_PLUS, scram::MECHANISM];
    build::authentication_sasl(&mut out, if offered { both } else { &[scram::MECHANISM] });
    send(&mut client.stream, &out).await?;

    let body = response(client).await?;
    let initial = frontend::sasl_initial(&body)?;
    let plus = match initial.mechanism {
        scram::MECHANISM => false,
        scram::MECHANISM_PLUS if offered => true,
        _ => {
            return Err(
                Violation::protocol("client selected an invalid SASL authentication mechanism").into()
            );
        }
    };
    let first = match initial.response {
        Some(response) => response.to_vec(),
        None => challenge(client, b"").await?,
    };
    let first = client_first(&first, plus, offered).map_err(rejected)?;
    let nonce = scram::nonce().map_err(|_| Report::fatal("58000", "could not generate a random nonce"))?;
    let put = Challenge::new(&first, &nonce, verifier);
    let last = challenge(client, put.message.as_bytes()).await?;
    let outcome = put.client_final(&last, end_point.as_deref()).map_err(malformed)?;
    Ok((outcome, plus))
}

async fn challenge(client: &mut Client, challenge: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut out = BytesMut::new();
    build::authentication_sasl_continue(&mut out, challenge);
    send(&mut client.stream, &out).await?;
    response(client).await
}

async fn response(client: &mut Client) -> Result<Vec<u8>, WireError> {
    match message(&mut client.stream).await? {
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
