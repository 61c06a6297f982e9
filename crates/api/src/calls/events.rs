//! `/v1/events`: what happens to requests and grants that the caller may see.

use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::Event;
use pgwarrant_grants::{Event as Happened, Grant, Request};
use serde::Serialize;
use tokio::sync::broadcast;

use crate::answer::Stream;
use crate::api::Api;
use crate::caller::{By, Caller, Read};
use crate::following::{Next, Source, Watch, end, failure, stream};
use crate::problem::Problem;
use crate::shapes;

/// What happened, to what.
#[derive(Debug, Serialize)]
struct Told {
    request: Option<shapes::Request>,
    grant: Option<shapes::Grant>,
}

/// What happens to requests and grants that the caller may see
///
/// Server-Sent Events with a request, a grant or both. After `missed` load the lists again; `end`
/// says why there is no more.
pub async fn follow(State(api): State<Arc<Api>>, by: By<Read>) -> Result<Stream, Problem> {
    let watch = Watch::begin(&api, &by)?;
    let happened = api.live.subscribe();
    Ok(stream(Teller { watch, happened }))
}

/// Tells one caller.
struct Teller {
    watch: Watch,
    happened: broadcast::Receiver<Happened>,
}

impl Source for Teller {
    async fn next(&mut self) -> Next {
        let Self { watch, happened } = self;
        loop {
            let event = tokio::select! {
                biased;
                over = watch.over() => return over,
                event = happened.recv() => event,
            };
            match event {
                Ok(event) => {
                    if let Some(event) = tell(&watch.api, &watch.caller, &event) {
                        return Next::Event(event);
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    return Next::Event(Event::default().event("missed").data("{}"));
                }
                Err(broadcast::error::RecvError::Closed) => return end(&failure("the proxy is going down")),
            }
        }
    }
}

/// None: it does not concern the caller.
fn tell(api: &Api, caller: &Caller, event: &Happened) -> Option<Event> {
    let (name, request, grant) = parts(event);
    let live = &api.live;
    let request = request.filter(|it| caller.may_use(&it.database) && live.may_see_request(&caller.who, it));
    let grant = grant.filter(|it| caller.may_use(&it.database) && live.may_see_grant(&caller.who, it));
    if request.is_none() && grant.is_none() {
        return None;
    }
    let told = Told {
        request: request.map(|request| shapes::Request::of(request, live, caller)),
        grant: grant.map(|grant| shapes::Grant::of(grant, live, caller)),
    };
    Some(Event::default().event(name).data(serde_json::to_string(&told).ok()?))
}

fn parts(event: &Happened) -> (&'static str, Option<&Arc<Request>>, Option<&Arc<Grant>>) {
    match event {
        Happened::Requested { request, .. } => ("requested", Some(request), None),
        Happened::PartlyApproved { request } => ("partly_approved", Some(request), None),
        Happened::Checked { request, .. } => ("checked", Some(request), None),
        Happened::Escalated { request } => ("escalated", Some(request), None),
        Happened::Decided { request } => ("decided", Some(request), None),
        Happened::Scheduled { grant } => ("scheduled", None, Some(grant)),
        Happened::BreakGlass { request, grant } => ("break_glass", Some(request), Some(grant)),
        Happened::Started { grant } => ("started", None, Some(grant)),
        Happened::Extended { request, grant } => ("extended", Some(request), Some(grant)),
        Happened::Ended { grant, .. } => ("ended", None, Some(grant)),
        Happened::CutOff { grant } => ("cut_off", None, Some(grant)),
        Happened::Reviewed { grant } => ("reviewed", None, Some(grant)),
    }
}
