//! From what is on record to what is to be told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use pgwarrant_grants::{Event, Grant, Live, Request, RequestId};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::happened::{Happened, Kind, Step, of_grant, of_request};
use crate::queue::{Changes, Forgotten, Message, Queue, QueueError, Subject, Told};
use crate::settings::Webhook;
use crate::state::States;

/// Announcements that are looked at together.
const TOGETHER: usize = 256;
/// After a failure of the disk.
const AGAIN: Duration = Duration::from_secs(1);
/// Lists of what was told, beyond those of what is still listed, before they are gone through.
const MANY: usize = 1_024;

/// What was told, and what there is to tell from.
pub struct Book {
    live: Live,
    queue: Arc<Queue>,
    webhooks: Arc<[Webhook]>,
    states: States,
    /// Of ids.
    store: String,
    told: BTreeMap<Subject, Told>,
    forgotten: Forgotten,
    /// Lists that there were when they were last gone through.
    kept: usize,
    /// Nobody was to be told before, so what is on record now is no news.
    silent: bool,
}

/// A request, a grant or both, as they were at one moment.
#[derive(Default)]
struct Moment {
    request: Option<Arc<Request>>,
    grant: Option<Arc<Grant>>,
}

impl From<Event> for Moment {
    fn from(event: Event) -> Self {
        match event {
            Event::Requested { request, .. }
            | Event::PartlyApproved { request }
            | Event::Escalated { request }
            | Event::Decided { request } => Self::of_request(request),
            Event::BreakGlass { request, grant } | Event::Extended { request, grant } => {
                Self { request: Some(request), grant: Some(grant) }
            }
            Event::Scheduled { grant }
            | Event::Started { grant }
            | Event::Ended { grant, .. }
            | Event::Reviewed { grant } => Self::of_grant(grant),
            // Says nothing that is not on record otherwise.
            _ => Self::default(),
        }
    }
}

impl Moment {
    fn of_request(request: Arc<Request>) -> Self {
        Self { request: Some(request), grant: None }
    }
    fn of_grant(grant: Arc<Grant>) -> Self {
        Self { request: None, grant: Some(grant) }
    }
}

impl Book {
    pub fn open(
        live: Live,
        queue: Arc<Queue>,
        webhooks: Arc<[Webhook]>,
        states: States,
    ) -> Result<Self, QueueError> {
        let (store, told, forgotten) = (queue.store()?, queue.told()?, queue.forgotten()?);
        let silent = !queue.was_followed()?;
        let kept = told.len();
        Ok(Self { live, queue, webhooks, states, store, told, forgotten, kept, silent })
    }

    /// Looks at everything that is on record. Waits for the disk.
    pub fn look_at_all(&mut self) -> Result<(), QueueError> {
        let mut requests: BTreeMap<u64, Arc<Request>> =
            self.live.requests().into_iter().map(|request| (request.id, request)).collect();
        let mut grants: BTreeMap<u64, Arc<Grant>> =
            self.live.grants().into_iter().map(|grant| (grant.id, grant)).collect();
        // What was open when it was last told of may have ended and left the lists since.
        for (subject, told) in &self.told {
            match *subject {
                _ if is_over(*subject, told) => {}
                Subject::Request(id) if !requests.contains_key(&id) => {
                    let request = self.live.request_on_record(id).map_err(failed)?;
                    requests.extend(request.map(|request| (id, request)));
                }
                Subject::Grant(id) if !grants.contains_key(&id) => {
                    let grant = self.live.grant_on_record(id).map_err(failed)?;
                    grants.extend(grant.map(|grant| (id, grant)));
                }
                _ => {}
            }
        }
        let requests = requests.into_values().map(Moment::of_request);
        let grants = grants.into_values().map(Moment::of_grant);
        let moments: Vec<Moment> = requests.chain(grants).collect();
        self.save()?;
        let (mut news, told) = self.news(&moments)?;
        // Where two things were at once, a request's come before its grant's.
        news.sort_by_key(|happened| happened.at);
        self.tell(news, told)?;
        self.forget()
    }

    fn look_at(&mut self, events: Vec<Event>) -> Result<(), QueueError> {
        let moments: Vec<Moment> = events.into_iter().map(Moment::from).collect();
        self.save()?;
        let (news, told) = self.news(&moments)?;
        self.tell(news, told)?;
        if self.told.len() > self.kept.saturating_mul(2).saturating_add(MANY) {
            self.forget()?;
        }
        Ok(())
    }

    /// What was just looked at is on disk from now on.
    fn save(&self) -> Result<(), QueueError> {
        self.live.save().map_err(failed)
    }

    /// Steps that were not told, in the order of these moments; and what was told once they are.
    fn news(&self, moments: &[Moment]) -> Result<(Vec<Happened>, BTreeMap<Subject, Told>), QueueError> {
        let mut told = BTreeMap::new();
        let mut news = Vec::new();
        for moment in moments {
            if let Some(request) = &moment.request {
                let subject = Subject::Request(request.id);
                for step in self.fresh(subject, of_request(request), &mut told) {
                    news.push(self.of_request(request, step)?);
                }
            }
            if let Some(grant) = &moment.grant {
                let subject = Subject::Grant(grant.id);
                let request = self.live.request_on_record(grant.request).map_err(failed)?;
                for step in self.fresh(subject, of_grant(grant, request.as_deref()), &mut told) {
                    news.push(Happened {
                        id: self.id(subject, step),
                        kind: step.kind,
                        at: step.at,
                        lane: grant.request,
                        request: request.clone().filter(|_| step.kind == Kind::BreakGlass),
                        grant: Some(grant.clone()),
                    });
                }
            }
        }
        Ok((news, told))
    }

    fn tell(&mut self, news: Vec<Happened>, told: BTreeMap<Subject, Told>) -> Result<(), QueueError> {
        let since = now();
        let mut changes = Changes { told, ..Changes::default() };
        for happened in news.into_iter().filter(|_| !self.silent) {
            let wants = |webhook: &Webhook| webhook.wants(happened.kind, happened.database());
            for (index, _) in self.webhooks.iter().enumerate().filter(|(_, webhook)| wants(webhook)) {
                changes.messages.push((index, Message { since, happened: happened.clone() }));
            }
        }
        let dropped = self.queue.change(&changes)?;
        self.silent = false;
        self.told.extend(changes.told);
        for (index, count) in dropped.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            self.states.dropped(index, count, "too many waited");
        }
        Ok(())
    }

    /// Those that were not told, and are noted in `told`.
    fn fresh(&self, subject: Subject, steps: Vec<Step>, told: &mut BTreeMap<Subject, Told>) -> Vec<Step> {
        let known = told.get(&subject).or_else(|| self.told.get(&subject));
        let is_forgotten = match subject {
            Subject::Request(id) => id <= self.forgotten.request,
            Subject::Grant(id) => id <= self.forgotten.grant,
        };
        if known.is_none() && is_forgotten {
            return Vec::new();
        }
        let is_fresh = |step: &Step| known.is_none_or(|known| !known.contains(&step.name()));
        let fresh: Vec<Step> = steps.into_iter().filter(is_fresh).collect();
        if !fresh.is_empty() {
            let known = known.cloned().unwrap_or_default();
            told.insert(subject, known.into_iter().chain(fresh.iter().map(Step::name)).collect());
        }
        fresh
    }

    fn of_request(&self, request: &Arc<Request>, step: Step) -> Result<Happened, QueueError> {
        let prolonged = match request.extends {
            None => None,
            Some(grant) => self.live.grant_on_record(grant).map_err(failed)?,
        };
        Ok(Happened {
            id: self.id(Subject::Request(request.id), step),
            kind: step.kind,
            at: step.at,
            lane: prolonged.as_ref().map_or(request.id, |grant| grant.request),
            request: Some(request.clone()),
            grant: prolonged.filter(|_| step.kind == Kind::Extended),
        })
    }

    fn id(&self, subject: Subject, step: Step) -> String {
        let (what, number): (_, RequestId) = match subject {
            Subject::Request(number) => ("request", number),
            Subject::Grant(number) => ("grant", number),
        };
        format!("msg_{}_{what}_{number}_{}", self.store, step.name())
    }

    /// Drops the lists of what is over and not listed any more.
    fn forget(&mut self) -> Result<(), QueueError> {
        let requests: BTreeSet<u64> = self.live.requests().iter().map(|request| request.id).collect();
        let grants: BTreeSet<u64> = self.live.grants().iter().map(|grant| grant.id).collect();
        let is_listed = |subject: Subject| match subject {
            Subject::Request(id) => requests.contains(&id),
            Subject::Grant(id) => grants.contains(&id),
        };
        let gone: Vec<Subject> = self
            .told
            .iter()
            .filter(|(subject, told)| is_over(**subject, told) && !is_listed(**subject))
            .map(|(subject, _)| *subject)
            .collect();
        self.kept = self.told.len() - gone.len();
        if gone.is_empty() {
            return Ok(());
        }
        let mut forgotten = self.forgotten;
        for subject in &gone {
            match subject {
                Subject::Request(id) => forgotten.request = forgotten.request.max(*id),
                Subject::Grant(id) => forgotten.grant = forgotten.grant.max(*id),
            }
        }
        let changes = Changes { forgotten: Some((forgotten, gone)), ..Changes::default() };
        self.queue.change(&changes)?;
        self.forgotten = forgotten;
        for subject in changes.forgotten.into_iter().flat_map(|(_, gone)| gone) {
            self.told.remove(&subject);
        }
        Ok(())
    }
}

/// Will nothing more happen to it?
fn is_over(subject: Subject, told: &Told) -> bool {
    let was = |kind: Kind| told.contains(kind.name());
    match subject {
        Subject::Request(_) => was(Kind::Decided),
        Subject::Grant(_) => was(Kind::Ended) && (was(Kind::Reviewed) || !was(Kind::BreakGlass)),
    }
}

fn failed(error: pgwarrant_grants::Error) -> QueueError {
    QueueError::Grants(error.to_string())
}

/// Milliseconds since 1970 UTC.
pub fn now() -> i64 {
    pgwarrant_audit::record::now() / 1000
}

/// Keeps the book for as long as the process runs. `events` were subscribed to before `book` looked at
/// everything.
pub async fn follow(mut book: Book, mut events: Receiver<Event>) {
    let mut look_at_all = false;
    let mut failing = false;
    loop {
        let heard = match look_at_all {
            true => Vec::new(),
            false => match hear(&mut events).await {
                Heard::Events(heard) => heard,
                Heard::Missed => {
                    look_at_all = true;
                    continue;
                }
                Heard::End => return,
            },
        };
        let all = look_at_all;
        let looked = tokio::task::spawn_blocking(move || {
            let looked = if all { book.look_at_all() } else { book.look_at(heard) };
            (book, looked)
        });
        let (back, outcome) = match looked.await {
            Ok(looked) => looked,
            Err(error) => return tracing::error!(%error, "webhooks are told nothing more until a restart"),
        };
        book = back;
        look_at_all = outcome.is_err();
        match outcome {
            Ok(()) if failing => tracing::info!("webhooks are told again"),
            Ok(()) => {}
            Err(error) => {
                if !failing {
                    tracing::error!(%error, "what happened cannot be queued for webhooks; trying again");
                }
                failing = true;
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        }
        failing = false;
    }
}

enum Heard {
    Events(Vec<Event>),
    Missed,
    End,
}

/// One announcement at least, and what came with it.
async fn hear(events: &mut Receiver<Event>) -> Heard {
    let mut heard = match events.recv().await {
        Ok(event) => vec![event],
        Err(RecvError::Lagged(_)) => return Heard::Missed,
        Err(RecvError::Closed) => return Heard::End,
    };
    while heard.len() < TOGETHER {
        match events.try_recv() {
            Ok(event) => heard.push(event),
            Err(TryRecvError::Lagged(_)) => return Heard::Missed,
            // Told at the next turn.
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    Heard::Events(heard)
}
