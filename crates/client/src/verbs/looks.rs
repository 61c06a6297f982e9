//! `pgwarrant whoami`, `profile list` and `catalog`

use crate::args::{Columns, Json, ListFlags, ProfileVerb};
use crate::failure::{Failure, Status};
use crate::output::{Output, member, note, text, time};
use crate::signed_in::Place;
use crate::table::Cell;

pub async fn whoami(place: &Place, json: Json) -> Result<Status, Failure> {
    let who = place.caller().await?.get("/v1/whoami").await?;
    let field = |name: &'static str| (name, Cell::new(member(&who, name)));
    let may = [("may_request", "ask"), ("may_approve", "approve"), ("may_audit", "audit")];
    let may: Vec<&str> = may
        .into_iter()
        .filter(|(name, _)| who.get(name).and_then(serde_json::Value::as_bool) == Some(true))
        .map(|(_, what)| what)
        .collect();
    Output::new(json.json).thing(
        &who,
        &[
            ("server", Cell::new(&place.origin)),
            field("user"),
            field("person"),
            field("groups"),
            field("databases"),
            ("you may", Cell::new(may.join(", "))),
            ("signed in by", Cell::new(text(&who, "sign_in"))),
            ("good for", Cell::new(member(&who, "scopes"))),
            ("until", Cell::new(time(&who, "expires_at"))),
        ],
    )?;
    Ok(Status::Done)
}

pub async fn profiles(place: &Place, ProfileVerb::List { list }: &ProfileVerb) -> Result<Status, Failure> {
    let (items, more) = place.caller().await?.list("/v1/profiles", &[], list.limit as usize).await?;
    let head = ["PROFILE", "COLUMNS", "ACTIONS", "ROWS", "AT MOST", "SCHEDULE", "OPEN UNTIL"];
    Output::new(list.json.json).list(&items, head, |profile| {
        [
            Cell::new(text(profile, "profile")),
            Cell::new(text(profile, "columns")),
            Cell::new(text(profile, "actions")),
            Cell::new(text(profile, "rows")),
            Cell::new(text(profile, "max_duration")),
            Cell::new(text(profile, "schedule")),
            Cell::new(time(profile, "open_until")),
        ]
    })?;
    if more {
        note("there are more; --limit says how many are shown");
    }
    Ok(Status::Done)
}

pub async fn catalogue(place: &Place, columns: &Columns, list: &ListFlags) -> Result<Status, Failure> {
    let query = [
        ("database", columns.database.clone()),
        ("relation", columns.relation.clone()),
        ("category", columns.category.clone()),
    ];
    let (items, more) = place.caller().await?.list("/v1/catalog", &query, list.limit as usize).await?;
    let head = ["RELATION", "COLUMN", "CATEGORY", "SENSITIVITY", "MASK", "WITHOUT GRANT", "YOU SEE"];
    Output::new(list.json.json).list(&items, head, |column| {
        [
            Cell::new(text(column, "relation")),
            Cell::new(text(column, "column")),
            Cell::new(text(column, "category")),
            Cell::new(text(column, "sensitivity")),
            Cell::new(text(column, "mask")),
            Cell::new(text(column, "ungranted")),
            Cell::new(text(column, "access")),
        ]
    })?;
    if more {
        note("there are more; --limit says how many are shown");
    }
    Ok(Status::Done)
}
