//! Starting webhooks: who is told, what requests and grants look like, and where the web inbox is.

use std::sync::Arc;

use pgwarrant_api::shown;
use pgwarrant_audit::Trail;
use pgwarrant_grants::{Grant, Live, Request};
use pgwarrant_webhooks::{Open, Shapes, Webhooks};
use serde_json::Value;

use crate::cli::Failure;
use crate::config::Config;

/// None: there are none.
pub fn open(
    config: &Config,
    store: &sled::Db,
    live: &Live,
    trail: &Trail,
) -> Result<Option<Webhooks>, Failure> {
    Webhooks::open(Open {
        store,
        live: live.clone(),
        trail: trail.clone(),
        webhooks: config.webhooks.clone(),
        shapes: Arc::new(AsTheApi),
        inbox: inbox(config),
    })
    .map_err(|error| Failure::new(format!("could not open the queue of webhooks: {error}")))
}

struct AsTheApi;

impl Shapes for AsTheApi {
    fn request(&self, request: &Request) -> Value {
        shown::request(request)
    }

    fn grant(&self, grant: &Grant) -> Value {
        shown::grant(grant)
    }
}

/// Where people would type it. None: nowhere, or only its machine knows.
fn inbox(config: &Config) -> Option<String> {
    let api = config.api.as_ref()?;
    if let Some(public) = &api.public_url {
        return Some(public.to_string());
    }
    let scheme = if api.tls.is_some() { "https" } else { "http" };
    let address = api.listen.iter().find(|address| !address.ip().is_unspecified())?;
    Some(format!("{scheme}://{address}"))
}
