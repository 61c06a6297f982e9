//! What goes wrong, as RFC 9457 "problem details": with SQLSTATE, DETAIL and HINT as the console has
//! them.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use pgwarrant_grants::{Error, Kind};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of every error.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What sort of problem it is: the last part of its `type`, its status, its SQLSTATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Malformed,
    SignIn,
    NotAllowed,
    SecondFactor,
    Csrf,
    Unknown,
    Method,
    Timeout,
    State,
    Limit,
    TooLarge,
    MediaType,
    Misdirected,
    Invalid,
    Rate,
    Internal,
    Unavailable,
}

impl What {
    /// SQLSTATEs are those of PostgreSQL documentation, appendix A.
    fn parts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            What::Malformed => ("malformed", StatusCode::BAD_REQUEST, "08P01"),
            What::SignIn => ("sign_in", StatusCode::UNAUTHORIZED, "28000"),
            What::NotAllowed => ("not_allowed", StatusCode::FORBIDDEN, "42501"),
            What::SecondFactor => ("second_factor", StatusCode::FORBIDDEN, "42501"),
            What::Csrf => ("csrf", StatusCode::FORBIDDEN, "42501"),
            What::Unknown => ("unknown", StatusCode::NOT_FOUND, "42704"),
            What::Method => ("method", StatusCode::METHOD_NOT_ALLOWED, "0A000"),
            What::Timeout => ("timeout", StatusCode::REQUEST_TIMEOUT, "57014"),
            What::State => ("state", StatusCode::CONFLICT, "55000"),
            What::Limit => ("limit", StatusCode::CONFLICT, "54000"),
            What::TooLarge => ("too_large", StatusCode::PAYLOAD_TOO_LARGE, "54000"),
            What::MediaType => ("media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "08P01"),
            What::Misdirected => ("misdirected", StatusCode::MISDIRECTED_REQUEST, "08P01"),
            What::Invalid => ("invalid", StatusCode::UNPROCESSABLE_ENTITY, "22023"),
            What::Rate => ("rate", StatusCode::TOO_MANY_REQUESTS, "53300"),
            What::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, "XX000"),
            What::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE, "58030"),
        }
    }
}

/// What went wrong in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    what: What,
    pub status: u16,
    pub sqlstate: &'static str,
    /// Lower case, no full stop.
    pub message: String,
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// Seconds.
    retry_after: Option<u32>,
}

/// RFC 9457; `message`, `detail` and `hint` are what psql shows of the same error.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document<'p> {
    /// `urn:pgwarrant:` and the kind of problem.
    #[serde(rename = "type")]
    of_type: String,
    /// The phrase of the status.
    title: &'p str,
    status: u16,
    sqlstate: &'p str,
    /// Lower case, no full stop.
    message: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'p str>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'p str>,
}

impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, status, _) = self.what.parts();
        Document {
            of_type: format!("urn:pgwarrant:{name}"),
            title: status.canonical_reason().unwrap_or_default(),
            status: self.status,
            sqlstate: self.sqlstate,
            message: &self.message,
            detail: self.detail.as_deref(),
            hint: self.hint.as_deref(),
        }
        .serialize(serializer)
    }
}

impl Problem {
    pub fn new(what: What, message: impl Into<String>) -> Self {
        let (_, status, sqlstate) = what.parts();
        let message = message.into();
        Self { what, status: status.as_u16(), sqlstate, message, detail: None, hint: None, retry_after: None }
    }
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// Another SQLSTATE than the kind's own.
    pub fn sqlstate(mut self, sqlstate: &'static str) -> Self {
        self.sqlstate = sqlstate;
        self
    }
    pub fn retry_after(mut self, after: Duration) -> Self {
        let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).max(1);
        self.retry_after = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
        self
    }
    /// The same words as a problem of another kind.
    pub fn becoming(self, what: What) -> Self {
        let Self { message, detail, hint, retry_after, .. } = self;
        Self { detail, hint, retry_after, ..Self::new(what, message) }
    }

    /// Is a limit of ours reached?
    pub fn is_limit(&self) -> bool {
        self.what == What::Limit
    }

    pub fn unknown(what: impl Into<String>) -> Self {
        Self::new(What::Unknown, what)
    }
    pub fn sign_in(message: impl Into<String>) -> Self {
        Self::new(What::SignIn, message)
            .hint("Sign in with POST /v1/session, or send a token in the header Authorization.")
    }
    pub fn internal() -> Self {
        Self::new(What::Internal, "the call failed").hint("Try again; the proxy's log says more.")
    }
    pub fn no_trail() -> Self {
        Self::new(What::Unavailable, "the audit trail cannot be written").hint("Tell whoever runs the proxy.")
    }

    pub fn status(&self) -> StatusCode {
        self.what.parts().1
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let what = match error.kind {
            Kind::NotAllowed => What::NotAllowed,
            Kind::Invalid => What::Invalid,
            Kind::Unknown => What::Unknown,
            Kind::State => What::State,
            Kind::Limit => What::Limit,
            Kind::Store => What::Unavailable,
        };
        let sqlstate = error.sqlstate();
        Self { detail: error.detail, hint: error.hint, ..Self::new(what, error.message) }.sqlstate(sqlstate)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            // RFC 9110, section 15.5.2: a 401 names a way to sign in.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // For the record of the call.
        response.extensions_mut().insert(self);
        response
    }
}
