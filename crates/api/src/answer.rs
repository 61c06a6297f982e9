//! What calls answer.

use std::convert::Infallible;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream as Events;
use serde::Serialize;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::gate::again;
use crate::problem::Problem;
use crate::repeats::Kept;

/// 200, with a document.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

/// 201, with what was made and where it is.
#[derive(Clone, Debug)]
pub struct Created<T> {
    pub location: String,
    pub body: T,
}

/// What a message was answered the first time, or is answered again. 200, or a problem.
#[derive(Clone, Debug)]
pub enum Again<T> {
    First(T),
    Kept(Kept),
}

/// 204
#[derive(Clone, Copy, Debug)]
pub struct NoContent;

/// 200, with a document and a cookie.
#[derive(Clone, Debug)]
pub struct SignedIn<T> {
    pub cookie: HeaderValue,
    pub body: T,
}

/// 204, and takes the cookie back.
#[derive(Clone, Debug)]
pub struct SignedOut(pub HeaderValue);

/// 200, with a text that is JSON already.
#[derive(Clone, Debug)]
pub struct Document(pub String);

/// 200, with Server-Sent Events (HTML Living Standard, 9.2).
pub struct Stream(Response);

impl Stream {
    pub fn of(events: impl Events<Item = Event> + Send + 'static) -> Self {
        use futures_util::StreamExt;
        Self(Sse::new(events.map(Ok::<Event, Infallible>)).into_response())
    }
}

/// A record of the audit trail, as `pgwarrant audit query --json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Records(pub serde_json::Value);

impl PartialSchema for Records {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .description(Some(
                "A record as `pgwarrant audit query --json` prints it; what is empty is left out.",
            ))
            .into()
    }
}
impl ToSchema for Records {
    fn name() -> std::borrow::Cow<'static, str> {
        "Record".into()
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => {
            let media_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            (status, [media_type], body).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            Problem::internal().into_response()
        }
    }
}

fn with(mut response: Response, name: header::HeaderName, value: HeaderValue) -> Response {
    response.headers_mut().insert(name, value);
    response
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self.0)
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let response = json(StatusCode::CREATED, &self.body);
        match HeaderValue::try_from(self.location) {
            Ok(location) => with(response, header::LOCATION, location),
            Err(_) => response,
        }
    }
}

impl<T: Serialize> IntoResponse for Again<T> {
    fn into_response(self) -> Response {
        match self {
            Again::First(body) => json(StatusCode::OK, &body),
            Again::Kept(kept) => again(kept),
        }
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl<T: Serialize> IntoResponse for SignedIn<T> {
    fn into_response(self) -> Response {
        with(json(StatusCode::OK, &self.body), header::SET_COOKIE, self.cookie)
    }
}

impl IntoResponse for SignedOut {
    fn into_response(self) -> Response {
        with(NoContent.into_response(), header::SET_COOKIE, self.0)
    }
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        let media_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        ([media_type], self.0).into_response()
    }
}

impl IntoResponse for Stream {
    fn into_response(self) -> Response {
        // For proxies in between that gather what they pass on.
        with(self.0, header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"))
    }
}
