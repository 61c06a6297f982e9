//! How each webhook does, told to the operator: in the log when it changes, and in the trail where
//! something is given up.

use std::sync::Arc;

use pgwarrant_audit::{Decision, Kind, Record, Trail};

use crate::lanes::Health;

/// Of all webhooks of a proxy; cheap to clone.
#[derive(Clone, Debug)]
pub struct States {
    names: Arc<[String]>,
    trail: Trail,
}

impl States {
    pub fn new(names: Arc<[String]>, trail: Trail) -> Self {
        Self { names, trail }
    }

    fn name(&self, webhook: usize) -> &str {
        self.names.get(webhook).map_or("", String::as_str)
    }

    /// From one state to another; `error`: why.
    pub fn changed(&self, webhook: usize, (before, now): (Health, Health), waiting: usize, error: &str) {
        let webhook = self.name(webhook);
        match (before, now) {
            (before, now) if before == now => {}
            (_, Health::Away) => {
                tracing::warn!(webhook, waiting, error, "a webhook's receiver is away; trying again");
            }
            (Health::Well, Health::Troubled) => {
                tracing::warn!(
                    webhook,
                    waiting,
                    error,
                    "a webhook's message could not be delivered; trying again"
                );
            }
            (_, Health::Well) => tracing::info!(webhook, waiting, "a webhook is well again"),
            (_, Health::Troubled) => {
                tracing::info!(
                    webhook,
                    waiting,
                    "a webhook's receiver is back; some messages wait for another try"
                );
            }
        }
    }

    pub fn disabled(&self, webhook: usize, waiting: usize) {
        let webhook = self.name(webhook);
        tracing::warn!(
            webhook,
            waiting,
            "a webhook's receiver is gone for good (status 410): it is told nothing more until a restart"
        );
    }

    /// `why`: in the past tense.
    pub fn dropped(&self, webhook: usize, count: usize, why: &str) {
        let webhook = self.name(webhook);
        tracing::error!(webhook, count, "messages of a webhook were dropped: {why}");
        let mut record = Record::new(Kind::Incident, Decision::Failed, pgwarrant_audit::record::now());
        record.note = Some(format!("webhook \"{webhook}\": {count} messages were dropped: {why}"));
        match self.trail.try_append(record) {
            Ok(None) => {}
            Ok(Some(_)) => {
                tracing::error!(webhook, "the audit trail is full: dropped messages have no record")
            }
            Err(error) => tracing::error!(webhook, %error, "dropped messages have no record"),
        }
    }
}
