//! `[[webhook]]`: who is told of what, and how.

use std::fmt;
use std::time::Duration;

use pgwarrant_http::{Client, Url};

use crate::{Kind, Secret};

/// Webhooks of one proxy.
pub const MAX_WEBHOOKS: usize = 16;

/// One receiver.
#[derive(Clone)]
pub struct Webhook {
    /// Others of the same proxy have other names; at most 63 bytes.
    pub name: String,
    pub url: Url,
    /// It is signed with each of them. None: it is not signed, for receivers that believe whoever
    /// knows their URL.
    pub secrets: Vec<Secret>,
    pub format: Format,
    pub events: Vec<Kind>,
    /// Of these alone. None: of all.
    pub databases: Vec<String>,
    /// Knows whose certificates to believe, and how long a call may take.
    pub client: Client,
}

/// What a message looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Request and grant as the HTTP API has them.
    Json,
    /// An incoming webhook of Slack.
    Slack,
    /// A workflow of Microsoft Teams that posts a card when a webhook request is received.
    Teams,
}

/// Without the path of its URL, by which alone some receivers know who may tell them something.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("name", &self.name)
            .field("to", &self.url.origin())
            .finish_non_exhaustive()
    }
}

impl Webhook {
    pub(crate) fn wants(&self, kind: Kind, database: &str) -> bool {
        let ours = self.databases.is_empty() || self.databases.iter().any(|known| known == database);
        ours && self.events.contains(&kind)
    }
}

/// Bytes of an answer: nobody reads it.
pub(crate) const MAX_ANSWER: usize = 64 << 10;
/// Calls to one receiver at once.
pub(crate) const MAX_CALLS: usize = 4;
/// Messages that wait for one receiver.
pub(crate) const MAX_WAITING: usize = 10_000;
/// A message that could not be delivered for so long is given up.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(3 * 24 * 60 * 60);
