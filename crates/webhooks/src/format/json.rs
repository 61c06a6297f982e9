//! `format = "json"`: for programs.

use serde_json::{Value, json};

use crate::format::Formats;
use crate::happened::Happened;

pub fn body(happened: &Happened, formats: &Formats) -> Value {
    json!({
        "id": happened.id,
        "type": happened.kind.name(),
        "at": pgwarrant_audit::record::rfc3339(happened.at.saturating_mul(1000)),
        "request": happened.request.as_ref().map(|request| formats.shapes.request(request)),
        "grant": happened.grant.as_ref().map(|grant| formats.shapes.grant(grant)),
        "url": formats.link(happened),
    })
}
