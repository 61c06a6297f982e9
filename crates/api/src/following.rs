//! Streams of events: alive while their credential is good, and no longer.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use futures_util::stream::unfold;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::answer::Stream;
use crate::api::Api;
use crate::caller::{By, Caller, Read};
use crate::problem::{Problem, What};
use crate::streams::Place;

/// How often an idle stream says that it is there, and looks whether its credential is good.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a stream does next.
pub enum Next {
    Event(Event),
    /// The last one.
    End(Event),
}

/// Sees to it that a stream ends with the credential that it was opened with.
pub struct Watch {
    pub api: Arc<Api>,
    pub caller: Arc<Caller>,
    ended: watch::Receiver<u64>,
    alive: Interval,
    _place: Place,
}

impl Watch {
    pub fn begin(api: &Arc<Api>, by: &By<Read>) -> Result<Self, Problem> {
        let place = api.streams.enter(&by.who.user).ok_or_else(|| {
            Problem::new(What::Limit, "too many streams of events")
                .hint("Close those that are no longer needed.")
        })?;
        let mut alive = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ended = api.ended.subscribe();
        Ok(Self { api: api.clone(), caller: by.0.clone(), ended, alive, _place: place })
    }

    /// A sign of life, or the end. May be dropped while it waits.
    pub async fn over(&mut self) -> Next {
        loop {
            tokio::select! {
                _ = self.ended.changed() => {
                    if !self.api.is_good(&self.caller) {
                        return end(&Problem::sign_in("you are signed out"));
                    }
                }
                _ = self.alive.tick() => {
                    return match self.api.is_good(&self.caller) {
                        true => Next::Event(Event::default().comment("")),
                        false => end(&Problem::sign_in("you are signed out")),
                    };
                }
            }
        }
    }
}

/// The last event of a stream: why it ends.
pub fn end(problem: &Problem) -> Next {
    Next::End(Event::default().event("end").data(serde_json::to_string(problem).unwrap_or_default()))
}

pub fn failure(message: &str) -> Problem {
    Problem::new(What::Unavailable, message).hint("Open the stream again.")
}

/// Where the events of a stream come from.
pub trait Source: Send + 'static {
    fn next(&mut self) -> impl Future<Output = Next> + Send;
}

/// Events of `source`, until it ends.
pub fn stream(source: impl Source) -> Stream {
    Stream::of(unfold(Some(source), |held| async move {
        let mut source = held?;
        match source.next().await {
            Next::Event(event) => Some((event, Some(source))),
            Next::End(event) => Some((event, None)),
        }
    }))
}
