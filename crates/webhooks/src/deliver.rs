//! Sends what waits for one webhook.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use pgwarrant_http::{Answer, Bytes, Call, HeaderName, HeaderValue, Method, StatusCode, header};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::follow::now;
use crate::format::{Formats, body};
use crate::lanes::Lanes;
use crate::queue::{Message, Place, Queue, QueueError};
use crate::settings::{GIVE_UP, MAX_CALLS, Webhook};
use crate::sign::sign;
use crate::state::States;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// Whatever a receiver asks for, it is called again after this time.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// One webhook, and what its messages need.
pub struct Post {
    /// Among the webhooks of the queue and of the states.
    pub index: usize,
    pub webhook: Webhook,
    pub queue: Arc<Queue>,
    pub formats: Formats,
    pub states: States,
}

/// What became of one attempt.
enum Outcome {
    Delivered,
    /// There is nothing to deliver any more.
    Nothing,
    /// 410: nobody wants to be told any more.
    Gone,
    Failed {
        error: String,
        wait: Option<Duration>,
    },
}

impl From<QueueError> for Outcome {
    fn from(error: QueueError) -> Self {
        Self::Failed { error: error.to_string(), wait: None }
    }
}

/// Sends for as long as the process runs, or until the receiver is gone for good.
pub async fn deliver(post: Arc<Post>) {
    let mut lanes = Lanes::default();
    let mut calls = JoinSet::new();
    let mut last = 0;
    loop {
        for (place, lane) in post.queue.after(post.index, last) {
            lanes.add(lane, place, Instant::now());
            last = place;
        }
        while calls.len() < MAX_CALLS
            && let Some((lane, place)) = lanes.next(Instant::now())
        {
            let post = post.clone();
            calls.spawn(async move { (lane, attempt(&post, place).await) });
        }
        let due = lanes.due().filter(|_| calls.len() < MAX_CALLS);
        tokio::select! {
            () = post.queue.came(post.index) => {}
            () = until(due) => {}
            Some(ended) = calls.join_next() => {
                let (lane, outcome) = match ended {
                    Ok(ended) => ended,
                    Err(error) => return tracing::error!(webhook = post.webhook.name, %error, "a webhook stops"),
                };
                let before = lanes.health();
                let why = match outcome {
                    Outcome::Delivered => { lanes.done(lane, true, Instant::now()); String::new() }
                    Outcome::Nothing => { lanes.done(lane, false, Instant::now()); String::new() }
                    Outcome::Failed { error, wait } => { lanes.failed(lane, wait, Instant::now()); error }
                    Outcome::Gone => return post.states.disabled(post.index, post.queue.count(post.index)),
                };
                post.states.changed(post.index, (before, lanes.health()), post.queue.count(post.index), &why);
            }
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn attempt(post: &Arc<Post>, place: Place) -> Outcome {
    let message = match with_queue(post, move |queue, webhook| queue.message(webhook, place)).await {
        Ok(Some(message)) => message,
        Ok(None) => return Outcome::Nothing,
        Err(error) => return error.into(),
    };
    let age = Duration::from_millis(u64::try_from(now().saturating_sub(message.since)).unwrap_or(0));
    let outcome = match age > GIVE_UP {
        true => Outcome::Nothing,
        false => send(post, &message).await,
    };
    if !matches!(outcome, Outcome::Delivered | Outcome::Nothing) {
        return outcome;
    }
    match with_queue(post, move |queue, webhook| queue.remove(webhook, place)).await {
        Ok(()) if matches!(outcome, Outcome::Nothing) => {
            post.states.dropped(post.index, 1, "it could not be delivered for three days");
            outcome
        }
        Ok(()) => outcome,
        Err(error) => error.into(),
    }
}

/// Does what may wait for the disk where a thread may block.
async fn with_queue<T: Send + 'static>(
    post: &Arc<Post>,
    work: impl FnOnce(&Queue, usize) -> Result<T, QueueError> + Send + 'static,
) -> Result<T, QueueError> {
    let (queue, webhook) = (post.queue.clone(), post.index);
    match tokio::task::spawn_blocking(move || work(&queue, webhook)).await {
        Ok(done) => done,
        Err(error) => Err(QueueError::Grants(error.to_string())),
    }
}

async fn send(post: &Post, message: &Message) -> Outcome {
    let failed = |error: String| Outcome::Failed { error, wait: None };
    let body = match body(&message.happened, post.webhook.format, &post.formats) {
        Ok(body) => body,
        Err(error) => return error.into(),
    };
    let headers = match headers(&post.webhook, &message.happened.id, now() / 1000, &body) {
        Ok(headers) => headers,
        Err(error) => return failed(error.to_string()),
    };
    let call =
        Call { method: Method::POST, url: &post.webhook.url, headers: &headers, body: Bytes::from(body) };
    match post.webhook.client.call(&call).await {
        Ok(answer) if answer.status.is_success() => Outcome::Delivered,
        Ok(answer) if answer.status == StatusCode::GONE => Outcome::Gone,
        Ok(answer) => {
            let error = format!("it answered with status {}", answer.status.as_u16());
            Outcome::Failed { error, wait: retry_after(&answer, Timestamp::now()) }
        }
        Err(error) => failed(error.to_string()),
    }
}

fn headers(
    webhook: &Webhook,
    id: &str,
    timestamp_s: i64,
    body: &[u8],
) -> Result<Vec<(HeaderName, HeaderValue)>, header::InvalidHeaderValue> {
    let mut headers = vec![
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (ID, HeaderValue::from_str(id)?),
        (TIMESTAMP, HeaderValue::from(timestamp_s)),
    ];
    if !webhook.secrets.is_empty() {
        let signatures: Vec<String> =
            webhook.secrets.iter().map(|secret| sign(secret, id, timestamp_s, body)).collect();
        headers.push((SIGNATURE, HeaderValue::try_from(signatures.join(" "))?));
    }
    Ok(headers)
}

/// How long the receiver wants to be left alone (RFC 9110, section 10.2.3): seconds or a date.
fn retry_after(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let value = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wanted = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
            Duration::try_from(at.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wanted.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use pgwarrant_http::HeaderMap;

    use super::*;

    #[test]
    fn a_receiver_says_how_long_to_wait_within_reason() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        for (value, wanted) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("99999999999", Some(3_600)),
            ("Sun, 22 Nov 2026 12:00:30 GMT", Some(30)),
            ("Sun, 22 Nov 2026 11:00:00 GMT", Some(0)),
            ("Sun, 22 Nov 2099 11:00:00 GMT", Some(3_600)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_str(value).expect("a value"));
            let answer = Answer { status: StatusCode::TOO_MANY_REQUESTS, headers, body: Bytes::new() };
            assert_eq!(retry_after(&answer, now).map(|wait| wait.as_secs()), wanted, "{value}");
        }
    }
}
