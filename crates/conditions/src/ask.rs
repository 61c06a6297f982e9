//! One condition, asked once.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use pgwarrant_grants::{Answer, Facts, Request, Said, WallMs};
use pgwarrant_http::{Bytes, Call, Client, Error, HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use pgwarrant_http::{TrustError, Url, header};
use pgwarrant_webhooks::{Secret, sign, verify};

use crate::message::{Answered, Question};

/// Of an answer's body, in bytes.
const MAX_BODY: usize = 4 << 10;
/// How far the clocks of both sides may be apart.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// `[[condition]]`
#[derive(Clone, Debug)]
pub struct Settings {
    /// As policies name it: letters, digits, `_` and `-`.
    pub name: String,
    pub url: Url,
    pub secret: Secret,
    /// Authorities to believe, a PEM file. None: the system's.
    pub ca: Option<PathBuf>,
    /// For the whole of a call.
    pub timeout: Duration,
    /// The answer must be signed as the question is.
    pub signed_answers: bool,
}

/// A condition that can be asked.
#[derive(Debug)]
pub struct Condition {
    settings: Settings,
    client: Client,
}

/// Why a condition has said nothing: in our words, for people.
#[derive(Debug, thiserror::Error)]
enum Nothing {
    #[error("it could not be reached")]
    Unreachable,
    #[error("its certificate was not accepted")]
    Certificate,
    #[error("it did not answer in time")]
    Late,
    #[error("it redirects")]
    Redirect,
    #[error("it answered with status {0}")]
    Status(StatusCode),
    #[error("its answer is too long")]
    TooLong,
    #[error("its answer is not HTTP")]
    NoHttp,
    #[error("its answer is not understood")]
    NotUnderstood,
    #[error("its answer is not signed as it should be")]
    NotSigned,
    #[error("it could not be asked")]
    Ours,
}

impl Condition {
    /// # Errors
    /// There are no certificates to believe.
    pub fn new(settings: Settings) -> Result<Self, TrustError> {
        let client = Client::new(settings.ca.as_deref(), settings.timeout)?.max_body(MAX_BODY);
        Ok(Self { settings, client })
    }

    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Asks; however it goes, there is an answer within the time-out. `facts`: on which the request was
    /// ruled.
    pub async fn ask(&self, request: &Request, facts: &Facts) -> Answer {
        let name = self.name();
        match self.attempt(request, facts).await {
            Ok(answer) => answer,
            Err(nothing) => no_answer(name, &nothing.to_string()),
        }
    }

    async fn attempt(&self, request: &Request, facts: &Facts) -> Result<Answer, Nothing> {
        let name = self.name();
        let failed = |what: Nothing, cause: &dyn std::fmt::Display| {
            let origin = self.settings.url.origin();
            tracing::warn!(condition = name, request = request.id, origin, %cause, "a condition gave no answer");
            what
        };
        let question = serde_json::to_vec(&Question::of(name, request, facts))
            .map_err(|error| failed(Nothing::Ours, &error))?;
        let id = make_id().map_err(|error| failed(Nothing::Ours, &error))?;
        let headers =
            headers(&self.settings.secret, &id, &question).map_err(|error| failed(Nothing::Ours, &error))?;
        let call = Call {
            method: Method::POST,
            url: &self.settings.url,
            headers: &headers,
            body: Bytes::from(question),
        };
        let answer = self.client.call(&call).await.map_err(|error| failed(Nothing::of(&error), &error))?;
        if answer.status != StatusCode::OK {
            return Err(failed(Nothing::Status(answer.status), &answer.status));
        }
        if self.settings.signed_answers {
            self.believe(&id, &answer.headers, &answer.body)
                .map_err(|cause| failed(Nothing::NotSigned, &cause))?;
        }
        let answered: Answered =
            serde_json::from_slice(&answer.body).map_err(|error| failed(Nothing::NotUnderstood, &error))?;
        let said = if answered.allow { Said::Allows } else { Said::Denies };
        Answer::new(name, now(), said, answered.reason.as_deref())
            .map_err(|error| failed(Nothing::NotUnderstood, &error))
    }

    /// Is it the answer to this question, from who knows the secret? The id was never used before, so
    /// an answer to another question is none to this one.
    fn believe(&self, id: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
        let one = |name: HeaderName| {
            let mut values = headers.get_all(&name).iter();
            let value = values.next().filter(|_| values.next().is_none());
            value.and_then(|value| value.to_str().ok()).ok_or_else(|| format!("there is not one {name}"))
        };
        if one(ID)? != id {
            return Err("it is the answer to another question".to_owned());
        }
        let timestamp: i64 = one(TIMESTAMP)?.parse().map_err(|_| "its time is no number".to_owned())?;
        let secrets = std::slice::from_ref(&self.settings.secret);
        verify(secrets, id, timestamp, one(SIGNATURE)?, body, now() / 1000, TOLERANCE)
            .map_err(|refused| refused.to_string())
    }
}

/// As if it had been asked and had said nothing.
pub(crate) fn no_answer(name: &str, why: &str) -> Answer {
    let (at, said) = (now(), Said::Nothing);
    Answer::new(name, at, said, Some(why)).unwrap_or_else(|_| Answer {
        name: name.to_owned(),
        at,
        said,
        reason: None,
    })
}

impl Nothing {
    fn of(error: &Error) -> Self {
        match error {
            Error::Connect(_) => Nothing::Unreachable,
            Error::Tls(_) | Error::Name(_) => Nothing::Certificate,
            Error::Http(_) | Error::Truncated => Nothing::NoHttp,
            Error::Redirect => Nothing::Redirect,
            Error::Status(status) => Nothing::Status(*status),
            Error::TooLong(_) => Nothing::TooLong,
            Error::Timeout(_) => Nothing::Late,
        }
    }
}

fn headers(
    secret: &Secret,
    id: &str,
    body: &[u8],
) -> Result<[(HeaderName, HeaderValue); 5], header::InvalidHeaderValue> {
    let timestamp = now() / 1000;
    let json = HeaderValue::from_static("application/json");
    Ok([
        (ID, HeaderValue::try_from(id)?),
        (TIMESTAMP, HeaderValue::from(timestamp)),
        (SIGNATURE, HeaderValue::try_from(sign(secret, id, timestamp, body))?),
        (header::CONTENT_TYPE, json.clone()),
        (header::ACCEPT, json),
    ])
}

/// 128 random bits.
fn make_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("check_{hex}"))
}

/// Milliseconds since 1970 UTC.
fn now() -> WallMs {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
