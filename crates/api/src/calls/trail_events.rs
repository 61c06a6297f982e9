//! `/v1/audit/events`: records as they come.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::Event;
use pgwarrant_audit::{Filter as Wanted, Follow, Record};

use crate::answer::Stream;
use crate::api::Api;
use crate::caller::{By, Read};
use crate::calls::audit::{Filter, recent};
use crate::following::{Next, Source, Watch, end, failure, stream};
use crate::input::Query;
use crate::problem::{Problem, What};

const LAST_EVENT_ID: &str = "last-event-id";
/// Records from before that a reader who comes back is told.
const MISSED: usize = 1_000;

/// Records of the audit trail as they come
///
/// Server-Sent Events: `record` with the record's number as its id. With `Last-Event-ID` it goes on
/// after that record.
pub async fn follow(
    State(api): State<Arc<Api>>,
    by: By<Read>,
    headers: HeaderMap,
    Query(filter): Query<Filter>,
) -> Result<Stream, Problem> {
    if filter.has_pages() {
        return Err(Problem::new(What::Malformed, "a stream has no pages").hint("Leave out limit and after."));
    }
    let wanted = filter.wanted(&api, &by)?;
    let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let watch = Watch::begin(&api, &by)?;
    // In this order: nothing that comes between the two is missed.
    let following = api.trail.follow();
    let missed = match last {
        None => Vec::new(),
        after => recent(&api, MISSED, Wanted { after, ..wanted.clone() }).await?,
    };
    let seen = missed.last().map_or(0, |record| record.seq);
    Ok(stream(Reader { watch, following, missed: missed.into(), seen, wanted }))
}

struct Reader {
    watch: Watch,
    following: Follow,
    missed: VecDeque<Record>,
    /// The last record that was told.
    seen: u64,
    wanted: Wanted,
}

impl Source for Reader {
    async fn next(&mut self) -> Next {
        if let Some(record) = self.missed.pop_front() {
            return Next::Event(event(&record));
        }
        loop {
            let found = tokio::select! {
                biased;
                over = self.watch.over() => return over,
                found = self.following.next() => found,
            };
            match found {
                Ok(Some(record)) if record.seq <= self.seen || !self.wanted.matches(&record) => {}
                Ok(Some(record)) => return Next::Event(event(&record)),
                Ok(None) => return end(&failure("the audit trail has ended")),
                Err(error) => {
                    tracing::error!(%error, "the audit trail could not be read");
                    return end(&failure("the audit trail cannot be read"));
                }
            }
        }
    }
}

fn event(record: &Record) -> Event {
    let data = serde_json::to_string(record).unwrap_or_default();
    Event::default().event("record").id(record.seq.to_string()).data(data)
}
