//! What needs nobody signed in: is it well, and what can it do.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Document, Json};
use crate::api::Api;
use crate::problem::Problem;

/// It answers, and can record what is done.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`
    pub status: &'static str,
}

/// Is the proxy well?
pub async fn health(State(api): State<Arc<Api>>) -> Result<Json<Health>, Problem> {
    match api.trail.failure() {
        None => Ok(Json(Health { status: "ok" })),
        Some(_) => Err(Problem::no_trail()),
    }
}

/// This description
pub async fn description() -> Document {
    Document(crate::routes::description())
}
