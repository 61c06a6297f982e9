//! What a call gives: its query, its body, what its path names. What is not understood is refused.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query as AxumQuery, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::problem::{Problem, What};

/// The parameters behind the question mark.
#[derive(Clone, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = AxumQuery::<T>::try_from_uri(&parts.uri).map_err(|rejection| {
            Problem::new(What::Malformed, "the query is not understood")
                .detail(sentence(&rejection.body_text()))
                .hint("GET /v1/openapi.json describes the parameters of each call.")
        })?;
        Ok(Self(query.0))
    }
}

/// A JSON document. Its size was limited before it was read (`gate`).
#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = Bytes::from_request(request, state).await.map_err(|_| {
            Problem::new(What::Malformed, "the body cannot be read").hint("Send the call again.")
        })?;
        if !is_json {
            // An empty body says nothing that another media type could change.
            if !bytes.is_empty() {
                return Err(Problem::new(What::MediaType, "the body is not said to be JSON")
                    .hint("Send it with \"Content-Type: application/json\"."));
            }
        }
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text).map(Self).map_err(|error| unreadable(&error))
    }
}

pub fn unreadable(error: &serde_json::Error) -> Problem {
    let (what, message) = match error.classify() {
        serde_json::error::Category::Data => (What::Invalid, "the body does not say what the call needs"),
        _ => (What::Malformed, "the body is not JSON"),
    };
    Problem::new(what, message)
        .detail(sentence(&error.to_string()))
        .hint("GET /v1/openapi.json describes the body of each call.")
}

/// RFC 9110, section 8.3.1: parameters do not matter, and JSON is UTF-8 (RFC 8259).
fn is_json(headers: &HeaderMap) -> bool {
    let of_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = of_type.and_then(|text| text.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

/// The number in the path.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub u64);

impl<S: Send + Sync> FromRequestParts<S> for Number {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state)
            .await
            .map_or_else(|_| String::new(), |path| path.0);
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // What is no number, or too large for one, is the number of nothing.
        let number = text.parse().ok().filter(|_| digits);
        number.map(Self).ok_or_else(|| {
            Problem::unknown("there is nothing of this number").hint("Numbers are whole, and begin at 1.")
        })
    }
}

/// The name in the path.
#[derive(Clone, Debug)]
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        name.map(|path| Self(path.0)).map_err(|_| Problem::unknown("there is nothing of this name"))
    }
}

/// As a DETAIL is: with a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let text = text.trim().trim_end_matches('.').replace(char::is_control, " ");
    let mut letters = text.chars();
    let first: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
