//! What a message says, in the shape that its receiver takes.

mod card;
mod json;
mod slack;
mod teams;
mod text;

use std::sync::Arc;

use pgwarrant_grants::{Grant, Request};
use serde_json::Value;

use crate::happened::Happened;
use crate::queue::QueueError;
use crate::settings::Format;

/// Requests and grants as the HTTP API shows them to who approves.
pub trait Shapes: Send + Sync + 'static {
    fn request(&self, request: &Request) -> Value;
    fn grant(&self, grant: &Grant) -> Value;
}

/// What messages are made with; cheap to clone.
#[derive(Clone)]
pub struct Formats {
    pub shapes: Arc<dyn Shapes>,
    /// The address of the web inbox, without a slash at its end.
    pub inbox: Option<Arc<str>>,
}

impl Formats {
    /// A page of the web inbox.
    fn page(&self, path: &str) -> Option<String> {
        self.inbox.as_ref().map(|inbox| format!("{inbox}/#/{path}"))
    }

    /// Where somebody looks at it, or decides it: after signing in.
    fn link(&self, happened: &Happened) -> Option<String> {
        let grants_s = happened.grant.as_ref().map(|grant| grant.request);
        let number = happened.request.as_ref().map(|request| request.id).or(grants_s)?;
        self.page(&format!("requests/{number}"))
    }
}

/// The body of a message; the same each time it is sent.
pub fn body(happened: &Happened, format: Format, formats: &Formats) -> Result<Vec<u8>, QueueError> {
    let body = match format {
        Format::Json => json::body(happened, formats),
        Format::Slack => slack::body(&card::card(happened, formats)),
        Format::Teams => teams::body(&card::card(happened, formats)),
    };
    Ok(serde_json::to_vec(&body)?)
}
