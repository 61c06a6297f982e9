//! Waiting for a decision, and what it means for the exit status.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::signal;
use tokio::time::{Instant, sleep};

use crate::args::Wait;
use crate::call::Caller;
use crate::failure::{Failure, Status};
use crate::output::{Output, note, text};
use crate::signed_in::Place;

/// How often it is asked: at first, and after a minute.
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);
/// Calls in a row without an answer, until it is given up.
const PATIENCE: u32 = 12;

/// Shows what became of a request, once it is decided where that is waited for. `asked`: the answer
/// that the request came with.
pub async fn show_outcome(
    place: &Place,
    asked: Value,
    wait: Wait,
    output: Output,
) -> Result<Status, Failure> {
    let request = asked.get("request").cloned().unwrap_or_default();
    if !wait.wait || !is_pending(&request) {
        output.outcome(&asked, text(&asked, "message"))?;
        return Ok(status(&request));
    }
    let Some(id) = request.get("id").and_then(Value::as_u64) else {
        return Err(Failure::new(Status::Unreachable, "the answer names no request")
            .hint("See in \"pgwarrant request list --mine\" what came of it."));
    };
    note(text(&request, "message"));
    let caller = &place.caller().await?;
    match decided(caller, id, wait).await? {
        Waited::Decided(request) => {
            let outcome = outcome(caller, request).await?;
            output.outcome(&outcome, text(&outcome, "message"))?;
            Ok(status(outcome.get("request").unwrap_or(&Value::Null)))
        }
        Waited::InVain(status) => Ok(status),
    }
}

/// What came of waiting.
pub enum Waited {
    /// The request as it is now.
    Decided(Value),
    /// It still waits.
    InVain(Status),
}

/// Waits until a request is decided, its time is over, or Ctrl-C.
pub async fn decided(caller: &Caller, id: u64, wait: Wait) -> Result<Waited, Failure> {
    let begun = Instant::now();
    let given_up = async {
        match wait.timeout {
            Some(timeout) => sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let waited = tokio::select! {
        decided = poll(caller, id, begun) => return decided.map(Waited::Decided),
        () = given_up => Status::Pending,
        _ = signal::ctrl_c() => Status::Interrupted,
    };
    note(&format!(
        "request {id} still waits; \"pgwarrant request show {id} --wait\" goes on waiting, \
         \"pgwarrant request cancel {id}\" takes it back"
    ));
    Ok(Waited::InVain(waited))
}

async fn poll(caller: &Caller, id: u64, begun: Instant) -> Result<Value, Failure> {
    let mut in_vain = 0;
    loop {
        match caller.get(&format!("/v1/requests/{id}")).await.map_err(Failure::from) {
            Ok(request) if !is_pending(&request) => return Ok(request),
            Ok(_) => in_vain = 0,
            // The proxy may be restarted meanwhile.
            Err(failure) if failure.status == Status::Unreachable && in_vain < PATIENCE => in_vain += 1,
            Err(failure) => return Err(failure),
        }
        sleep(if begun.elapsed() < MINUTE && in_vain == 0 { SOON } else { LATER }).await;
    }
}

/// A request with its grant, in the form in which the calls that decide answer.
async fn outcome(caller: &Caller, request: Value) -> Result<Value, Failure> {
    let grant = match request.get("grant_id").and_then(Value::as_u64) {
        Some(id) => caller.get(&format!("/v1/grants/{id}")).await?,
        None => Value::Null,
    };
    let messages: Vec<&str> = [text(&request, "message"), text(&grant, "message")]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    let message = messages.join("; ");
    Ok(json!({ "request": request, "grant": grant, "message": message }))
}

fn is_pending(request: &Value) -> bool {
    text(request, "state") == "pending"
}

/// Of who asked.
pub fn status(request: &Value) -> Status {
    match text(request, "state") {
        "approved" => Status::Done,
        "pending" => Status::Pending,
        _ => Status::Refused,
    }
}
