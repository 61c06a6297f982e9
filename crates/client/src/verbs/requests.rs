//! `pgwarrant request`

use serde_json::{Value, json};

use super::{decide, wait};
use crate::args::{Decision, ListFlags, NewRequest, RequestFilter, RequestVerb, SignIn, Wait};
use crate::failure::{Failure, Status};
use crate::output::{Output, left, member, note, state, text, time};
use crate::signed_in::Place;
use crate::table::Cell;

pub async fn make(place: &Place, verb: &RequestVerb) -> Result<Status, Failure> {
    match verb {
        RequestVerb::Create { new, wait, sign_in, json } => {
            let asked = decide(place, *sign_in, "/v1/requests", &body(new)).await?;
            wait::show_outcome(place, asked, *wait, Output::new(json.json)).await
        }
        RequestVerb::List { filter, list } => self::list(place, filter, list).await,
        RequestVerb::Show { id, wait, json } => show(place, *id, *wait, Output::new(json.json)).await,
        RequestVerb::Approve { decision, sign_in } => act(place, decision, "approve", *sign_in).await,
        RequestVerb::Deny { decision } => act(place, decision, "deny", SignIn::default()).await,
        RequestVerb::Cancel { decision } => act(place, decision, "withdraw", SignIn::default()).await,
    }
}

/// What was not given is left out.
fn body(new: &NewRequest) -> Value {
    let texts = [
        ("columns", &new.columns),
        ("rows", &new.rows),
        ("duration", &new.duration),
        ("database", &new.database),
        ("profile", &new.profile),
        ("actions", &new.actions),
        ("others", &new.others),
        ("ticket", &new.ticket),
        ("purpose", &new.purpose),
        ("case_id", &new.case_id),
        ("urgency", &new.urgency),
        ("starts_at", &new.starts_at),
        ("for_group", &new.for_group),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, Value::from(text.as_deref()?))));
    let numbers = [("max_uses", new.max_uses), ("max_rows", new.max_rows)];
    let numbers = numbers.into_iter().filter_map(|(name, number)| Some((name, Value::from(number?))));
    let reason = ("reason", Value::from(new.reason.as_str()));
    texts.chain(numbers).chain([reason]).map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn act(place: &Place, decision: &Decision, what: &str, sign_in: SignIn) -> Result<Status, Failure> {
    let path = format!("/v1/requests/{}/{what}", decision.id);
    let outcome = decide(place, sign_in, &path, &json!({ "reason": decision.reason })).await?;
    Output::new(decision.json.json).outcome(&outcome, text(&outcome, "message"))?;
    Ok(Status::Done)
}

async fn list(place: &Place, filter: &RequestFilter, list: &ListFlags) -> Result<Status, Failure> {
    let only = |given: bool| given.then(|| "true".to_owned());
    let query = [
        ("state", filter.state.clone()),
        ("database", filter.database.clone()),
        ("by", filter.by.clone()),
        ("waits_for_me", only(filter.waiting_for_me)),
        ("mine", only(filter.mine)),
    ];
    let (items, more) = place.caller().await?.list("/v1/requests", &query, list.limit as usize).await?;
    let head = ["ID", "STATE", "WHO", "COLUMNS", "ROWS", "FOR", "URGENCY", "ASKED", "REASON"];
    Output::new(list.json.json).list(&items, head, |request| {
        [
            Cell::new(member(request, "id")),
            state(request),
            Cell::new(text(request, "who")),
            Cell::new(text(request, "columns")),
            Cell::new(rows(request)),
            Cell::new(text(request, "duration")),
            Cell::coloured(text(request, "urgency"), urgency(request)),
            Cell::new(time(request, "requested_at")),
            Cell::new(text(request, "reason")),
        ]
    })?;
    if more {
        note("there are more; --limit says how many are shown");
    }
    Ok(Status::Done)
}

async fn show(place: &Place, id: u64, wait: Wait, output: Output) -> Result<Status, Failure> {
    let caller = place.caller().await?;
    let (request, status) = match wait.wait {
        false => (caller.get(&format!("/v1/requests/{id}")).await?, Status::Done),
        true => match wait::decided(&caller, id, wait).await? {
            wait::Waited::Decided(request) => {
                let status = wait::status(&request);
                (request, status)
            }
            wait::Waited::InVain(status) => return Ok(status),
        },
    };
    let field = |name: &'static str| (name, Cell::new(member(&request, name)));
    let lapses = match left(&request, "lapses_at").as_str() {
        "" => time(&request, "lapses_at"),
        left => format!("{} (in {left})", time(&request, "lapses_at")),
    };
    output.thing(
        &request,
        &[
            ("request", Cell::new(member(&request, "id"))),
            ("state", state(&request)),
            field("database"),
            field("who"),
            ("asked by", Cell::new(asked_by(&request))),
            field("columns"),
            field("actions"),
            ("rows", Cell::new(rows(&request))),
            ("other rows", Cell::new(text(&request, "others"))),
            field("duration"),
            field("reason"),
            field("ticket"),
            field("purpose"),
            ("case", Cell::new(text(&request, "case_id"))),
            field("profile"),
            ("urgency", Cell::coloured(text(&request, "urgency"), urgency(&request))),
            ("prolongs grant", Cell::new(member(&request, "extends"))),
            ("starts", Cell::new(time(&request, "starts_at"))),
            ("asked", Cell::new(time(&request, "requested_at"))),
            ("waits for", Cell::new(text(&request, "waits_for"))),
            ("lapses", Cell::new(lapses)),
            ("approved by", Cell::new(approvals(&request))),
            ("decided by", Cell::new(text(&request, "decided_by"))),
            ("decided", Cell::new(time(&request, "decided_at"))),
            ("because", Cell::new(text(&request, "decision_reason"))),
            ("grant", Cell::new(member(&request, "grant_id"))),
            field("policies"),
            ("say", Cell::new(member(&request, "reasons"))),
            ("you may", Cell::new(member(&request, "may").replace("withdraw", "cancel"))),
        ],
    )?;
    Ok(status)
}

/// Who typed it, and which human being that is where it says more.
fn asked_by(request: &Value) -> String {
    match (text(request, "by"), text(request, "person")) {
        (by, person) if by == person || person.is_empty() => by.to_owned(),
        (by, person) => format!("{by} (person {person})"),
    }
}

/// Who has agreed so far.
pub fn approvals(value: &Value) -> String {
    let all = value.get("approvals").and_then(Value::as_array).into_iter().flatten();
    let texts: Vec<String> = all
        .map(|one| match text(one, "reason") {
            "" => text(one, "by").to_owned(),
            reason => format!("{} ({reason})", text(one, "by")),
        })
        .collect();
    texts.join(", ")
}

/// Which rows a request or a grant is for.
pub fn rows(value: &Value) -> String {
    match text(value, "rows") {
        "" => "all".to_owned(),
        rows => rows.to_owned(),
    }
}

pub fn urgency(value: &Value) -> &'static str {
    match text(value, "urgency") {
        "break-glass" => "1;31",
        "urgent" => "33",
        _ => "",
    }
}
