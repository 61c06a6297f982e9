//! Requests and grants for whom nobody signs in: as who approves sees them, without `may`.

use pgwarrant_grants as grants;
use serde::Serialize;
use serde_json::Value;

use crate::shapes;

pub fn request(request: &grants::Request) -> Value {
    without_may(&shapes::Request::shown(request))
}

pub fn grant(grant: &grants::Grant) -> Value {
    without_may(&shapes::Grant::shown(grant))
}

fn without_may(shape: &impl Serialize) -> Value {
    // Of names and texts alone: it cannot fail.
    let mut value = serde_json::to_value(shape).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.remove("may");
    }
    value
}
