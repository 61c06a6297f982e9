//! Every call: where it is, what it does, who does it.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApiBuilder};
use utoipa::{PartialSchema, ToSchema};

use crate::api::Api;
use crate::calls::{
    audit, catalogue, events, grants, inbound, once, requests, service, session, sessions, tokens,
    trail_events, whoami,
};
use crate::describe::{BEARER, COOKIE, Calls};
use crate::gate::gate;
use crate::identify;
use crate::problem::{Document, Problem, What};
use crate::web;

fn calls() -> Calls {
    Calls::default()
        .get("/v1/requests", "Requests that you may see, the newest first", requests::list)
        .post("/v1/requests", "Ask for a grant; a rule may give it at once", requests::ask)
        .get("/v1/requests/{id}", "One request", requests::show)
        .post("/v1/requests/{id}/approve", "Approve a request of somebody else", requests::approve)
        .post(
            "/v1/requests/{id}/approval-tokens",
            "Make a token that approves this request, once",
            once::make,
        )
        .post("/v1/requests/{id}/deny", "Deny a request of somebody else", requests::deny)
        .post("/v1/requests/{id}/withdraw", "Take your own request back", requests::withdraw)
        .get(
            "/v1/requests/{id}/explain",
            "Why it was decided so, and what it would get today",
            requests::explain,
        )
        .get("/v1/grants", "Grants that you may see, the newest first", grants::list)
        .get("/v1/grants/{id}", "One grant", grants::show)
        .post("/v1/grants/{id}/revoke", "End a grant now; what runs under it is cut off", grants::revoke)
        .post("/v1/grants/{id}/release", "Give your own grant back", grants::release)
        .post("/v1/grants/{id}/extend", "Ask for more time of your own grant", grants::extend)
        .post("/v1/grants/{id}/review", "Close the review of a break-glass grant", grants::review)
        .get("/v1/profiles", "What you can ask for by name", catalogue::profiles)
        .get("/v1/catalog", "Protected columns, and what you see of them now", catalogue::columns)
        .get("/v1/sessions", "Sessions of clients with databases", sessions::list)
        .delete("/v1/sessions/{number}", "End a session", sessions::end)
        .get("/v1/whoami", "Whom the API takes you for, and what you may do", whoami::whoami)
        .get("/v1/audit", "Records of the audit trail, the newest first", audit::list)
        .get("/v1/audit/events", "Records of the audit trail as they come", trail_events::follow)
        .get("/v1/events", "What happens to requests and grants that you may see", events::follow)
        .get("/v1/tokens", "Your tokens that have not ended", tokens::list)
        .post("/v1/tokens", "Make a token for a program", tokens::make)
        .delete("/v1/tokens/{id}", "End a token of yours at once", tokens::revoke)
        .post("/v1/session", "Sign in with a password; sets a cookie", session::begin)
        .delete("/v1/session", "Sign out", session::end)
        .post("/v1/session/second-factor", "Show your second factor in this session", session::second_factor)
        .post("/v1/webhooks/{name}", "Take a signed message of another system", inbound::deliver)
        .get("/v1/openapi.json", "This description", service::description)
        .get("/v1/healthz", "Is the proxy well?", service::health)
}

/// Everything that is served.
pub fn router(api: Arc<Api>) -> Router {
    calls()
        .router
        .method_not_allowed_fallback(no_such_method)
        .fallback(web::serve)
        .layer(from_fn_with_state(api.clone(), gate))
        .with_state(api)
}

async fn no_such_method() -> Problem {
    Problem::new(What::Method, "this cannot be done with it")
        .hint("The header Allow says what can; GET /v1/openapi.json describes all calls.")
}

/// OpenAPI 3.1, as JSON.
pub fn description() -> String {
    let calls = calls();
    let info = InfoBuilder::new()
        .title("pgwarrant")
        .version("1")
        .description(Some(
            "Just-in-time access to personal data in PostgreSQL: the verbs of the schema `pgwarrant`, over HTTP. \
             Calls that change something with the cookie, and the one that gets it, carry the header \
             `X-Pgwarrant-CSRF`.",
        ))
        .build();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of `POST /v1/tokens`, or of an OpenID Connect issuer."))
        .build();
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description(
        identify::SECURE_COOKIE,
        "Set by `POST /v1/session`; where there is no https its name is `pgwarrant`.",
    ));
    let components = calls
        .schemas
        .into_iter()
        .fold(ComponentsBuilder::new(), |components, (name, schema)| components.schema(name, schema))
        .schema(Document::name(), Document::schema())
        .security_scheme(BEARER, SecurityScheme::Http(token))
        .security_scheme(COOKIE, SecurityScheme::ApiKey(cookie))
        .build();
    let api = OpenApiBuilder::new().info(info).paths(calls.paths).components(Some(components)).build();
    let mut text = api.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `docs/openapi.json` is what programs are made from; UPDATE_EXPECT=1 writes it anew.
    #[test]
    fn the_stored_description_is_what_the_code_does() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        let description = description();
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &description).expect("docs/openapi.json");
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == description, "docs/openapi.json is old: run this test with UPDATE_EXPECT=1");
    }

    /// What several parts describe together, no part may keep for itself: nothing would fit.
    #[test]
    fn every_message_fits_its_description() {
        let description: serde_json::Value = serde_json::from_str(&description()).expect("JSON");
        let variants = description["components"]["schemas"]["Message"]["oneOf"].as_array();
        let variants = variants.expect("kinds of messages");
        assert_eq!(variants.len(), 3);
        for variant in variants {
            let parts = variant["allOf"].as_array().expect("parts");
            let part = parts[0]["$ref"].as_str().expect("a part");
            let part = description.pointer(part.trim_start_matches('#')).expect("its schema");
            assert_eq!(part["additionalProperties"], serde_json::Value::Null, "{variant}");
        }
    }
}
