//! `pgwarrant grant`

use serde_json::{Value, json};

use super::requests::{approvals, rows, urgency};
use super::wait;
use crate::args::{GrantFilter, GrantVerb, Json, ListFlags};
use crate::failure::{Failure, Status};
use crate::output::{Output, left, member, note, state, text, time};
use crate::signed_in::Place;
use crate::table::Cell;

pub async fn make(place: &Place, verb: &GrantVerb) -> Result<Status, Failure> {
    match verb {
        GrantVerb::List { filter, list } => self::list(place, filter, list).await,
        GrantVerb::Show { id, json } => show(place, *id, Output::new(json.json)).await,
        GrantVerb::Revoke { decision } => {
            act(place, decision.id, "revoke", &json!({ "reason": decision.reason }), decision.json).await
        }
        GrantVerb::Release { id, json } => act(place, *id, "release", &json!({}), *json).await,
        GrantVerb::Extend { id, reason, duration, urgency, wait, json } => {
            let body = json!({ "reason": reason, "duration": duration, "urgency": urgency });
            let asked = place.caller().await?.post(&format!("/v1/grants/{id}/extend"), &body).await?;
            wait::show_outcome(place, asked, *wait, Output::new(json.json)).await
        }
        GrantVerb::Review { id, verdict, reason, json } => {
            let body = json!({ "verdict": verdict.replace('-', " "), "reason": reason });
            act(place, *id, "review", &body, *json).await
        }
    }
}

async fn act(place: &Place, id: u64, what: &str, body: &Value, json: Json) -> Result<Status, Failure> {
    let outcome = place.caller().await?.post(&format!("/v1/grants/{id}/{what}"), body).await?;
    Output::new(json.json).outcome(&outcome, text(&outcome, "message"))?;
    Ok(Status::Done)
}

async fn list(place: &Place, filter: &GrantFilter, list: &ListFlags) -> Result<Status, Failure> {
    let only = |given: bool| given.then(|| "true".to_owned());
    let query = [
        ("state", filter.state.clone()),
        ("database", filter.database.clone()),
        ("by", filter.by.clone()),
        ("mine", only(filter.mine)),
        ("unreviewed", only(filter.unreviewed)),
    ];
    let (items, more) = place.caller().await?.list("/v1/grants", &query, list.limit as usize).await?;
    let head = ["ID", "STATE", "WHO", "COLUMNS", "ROWS", "ACTIONS", "UNTIL", "LEFT", "REASON"];
    Output::new(list.json.json).list(&items, head, |grant| {
        let is_live = text(grant, "state") == "live";
        [
            Cell::new(member(grant, "id")),
            state(grant),
            Cell::new(text(grant, "who")),
            Cell::new(text(grant, "columns")),
            Cell::new(rows(grant)),
            Cell::new(text(grant, "actions")),
            Cell::new(time(grant, "valid_until")),
            Cell::new(if is_live { left(grant, "valid_until") } else { String::new() }),
            Cell::new(text(grant, "reason")),
        ]
    })?;
    if more {
        note("there are more; --limit says how many are shown");
    }
    Ok(Status::Done)
}

async fn show(place: &Place, id: u64, output: Output) -> Result<Status, Failure> {
    let grant = place.caller().await?.get(&format!("/v1/grants/{id}")).await?;
    let field = |name: &'static str| (name, Cell::new(member(&grant, name)));
    let review = grant.get("review").cloned().unwrap_or_default();
    output.thing(
        &grant,
        &[
            ("grant", Cell::new(member(&grant, "id"))),
            ("state", state(&grant)),
            ("request", Cell::new(member(&grant, "request_id"))),
            field("database"),
            field("who"),
            ("asked by", Cell::new(text(&grant, "by"))),
            field("columns"),
            field("actions"),
            ("rows", Cell::new(rows(&grant))),
            ("other rows", Cell::new(text(&grant, "others"))),
            field("reason"),
            field("ticket"),
            field("purpose"),
            ("case", Cell::new(text(&grant, "case_id"))),
            field("profile"),
            ("urgency", Cell::coloured(text(&grant, "urgency"), urgency(&grant))),
            ("approved by", Cell::new(approvals(&grant))),
            ("from", Cell::new(time(&grant, "valid_from"))),
            ("until", Cell::new(time(&grant, "valid_until"))),
            ("statements left", Cell::new(member(&grant, "uses_left"))),
            ("rows left", Cell::new(member(&grant, "rows_left"))),
            ("ended", Cell::new(time(&grant, "ended_at"))),
            ("ended by", Cell::new(text(&grant, "ended_by"))),
            ("because", Cell::new(text(&grant, "end_reason"))),
            ("review", Cell::new(text(&review, "state"))),
            ("reviewed by", Cell::new(text(&review, "by"))),
            ("review says", Cell::new(text(&review, "comment"))),
            field("policies"),
            ("you may", Cell::new(member(&grant, "may"))),
        ],
    )?;
    Ok(Status::Done)
}
