//! A body that its sender has signed (Standard Webhooks).

use std::marker::PhantomData;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use pgwarrant_webhooks::{Refused, Secret, verify};
use serde::de::DeserializeOwned;

use crate::input::unreadable;
use crate::problem::{Problem, What};

/// How far the clocks of both sides may be apart, and how old a message may be.
pub const TOLERANCE: std::time::Duration = std::time::Duration::from_secs(5 * 60);

pub const ID: &str = "webhook-id";
pub const TIMESTAMP: &str = "webhook-timestamp";
pub const SIGNATURE: &str = "webhook-signature";

/// A body and the headers that are about it; nothing of it is believed yet.
#[derive(Clone, Debug)]
pub struct Signed<T> {
    headers: HeaderMap,
    body: Bytes,
    of: PhantomData<T>,
}

/// What of a message is its own, once it is believed.
#[derive(Clone, Debug)]
pub struct Believed<T> {
    pub id: String,
    /// Seconds since 1970 UTC.
    pub sent_at: i64,
    pub body: Bytes,
    of: PhantomData<T>,
}

impl<T: Send, S: Send + Sync> FromRequest<S> for Signed<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, state).await.map_err(|_| {
            Problem::new(What::Malformed, "the body cannot be read").hint("Send the message again.")
        })?;
        Ok(Self { headers, body, of: PhantomData })
    }
}

impl<T> Signed<T> {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().filter(|_| values.next().is_none());
        value.and_then(|value| value.to_str().ok())
    }

    /// # Errors
    /// It is not signed with one of `secrets`, or not within [`TOLERANCE`] of now.
    pub fn believe(self, secrets: &[Secret], now_s: i64) -> Result<Believed<T>, Problem> {
        let one = |name: &str| {
            self.header(name).ok_or_else(|| not_believed().detail(format!("There is not one header {name}.")))
        };
        let (id, signatures) = (one(ID)?, one(SIGNATURE)?);
        let sent_at = one(TIMESTAMP)?.parse();
        let sent_at = sent_at.map_err(|_| not_believed().detail(format!("{TIMESTAMP} is no number.")))?;
        verify(secrets, id, sent_at, signatures, &self.body, now_s, TOLERANCE)
            .map_err(|refused| not_believed().detail(why(refused)))?;
        Ok(Believed { id: id.to_owned(), sent_at, body: self.body, of: PhantomData })
    }
}

impl<T: DeserializeOwned> Believed<T> {
    pub fn read(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.body).map_err(|error| unreadable(&error))
    }
}

pub fn not_believed() -> Problem {
    Problem::sign_in("the message is not believed")
        .hint("Sign each message anew, as Standard Webhooks has it, with the secret of this [[inbound]].")
}

fn why(refused: Refused) -> String {
    let text = refused.to_string();
    let mut letters = text.chars();
    let first: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
