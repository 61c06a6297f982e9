//! Many busy and many more idle clients for minutes, while grants come and go: does the proxy's
//! memory stay flat, and does everything go on without an error?
//!
//! Unlike the comparison it is not pinned to a core, and pgwarrant runs with as many threads as it
//! likes, over a Unix socket to PostgreSQL. Ctrl-C ends it early, with a verdict on what there was.

mod clients;
mod grants;
mod place;
mod tally;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_postgres::Client;

use crate::figure::Outcome;
use crate::memory::{proportional_kb, resident_kb};
use crate::{machine, say};

use clients::{busy, idle};
use place::Place;
use tally::Tally;
use verdict::Sample;

/// Between two looks at the memory.
const INTERVAL: Duration = Duration::from_secs(10);
/// Clients that sign in at once.
const SIGN_INS: usize = 16;
/// Each of them has one request or grant at a time.
const OFFICES: u32 = 4;
/// For clients to come to their end in.
const ENDING: Duration = Duration::from_secs(30);

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Clients that send statement after statement.
    pub busy: u32,
    /// Clients that have sent one and wait.
    pub idle: u32,
    pub time: Duration,
    /// What a busy client waits between two statements, on average.
    pub pause: Duration,
}

/// What clients share.
#[derive(Clone)]
struct Shared {
    place: Arc<Place>,
    tally: Arc<Tally>,
    /// As a pool does, clients sign in a few at a time; the busy ones beside those that work already.
    sign_ins: Arc<Semaphore>,
    /// Becomes true when clients are to end.
    stop: watch::Receiver<bool>,
}

/// Runs to the end; did memory stay flat, without an error?
pub fn run(plan: Plan) -> Outcome<bool> {
    machine::raise_file_limit()?;
    say("starting PostgreSQL and pgwarrant …");
    let place = Arc::new(Place::start(plan.busy + plan.idle + 4 * OFFICES + 50)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let held = runtime.block_on(soak(plan, Arc::clone(&place)));
    runtime.shutdown_timeout(ENDING);
    held
}

async fn soak(plan: Plan, place: Arc<Place>) -> Outcome<bool> {
    let (interrupt, stop) = watch::channel(false);
    let interrupt = Arc::new(interrupt);
    watch_signals(Arc::clone(&interrupt))?;
    let sign_ins = Arc::new(Semaphore::new(SIGN_INS));
    let shared = Shared { place, tally: Arc::new(Tally::default()), sign_ins, stop };

    say("filling the history of grants …");
    grants::fill_history(&shared).await?;
    say(&format!("signing in {} idle clients …", plan.idle));
    let waiting = sign_in(plan.idle, &shared).await;
    say(&format!("signing in {} busy clients; grants come and go …", plan.busy));
    let mut loads = JoinSet::new();
    for number in 0..OFFICES {
        loads.spawn(grants::come_and_go(shared.clone(), number));
    }
    for number in 0..plan.busy {
        loads.spawn(busy(shared.clone(), number, plan.pause));
    }
    let samples = watch_memory(plan, &shared).await?;

    let _ = interrupt.send(true);
    let ended = async { while loads.join_next().await.is_some() {} };
    if tokio::time::timeout(ENDING, ended).await.is_err() {
        shared.tally.error("clients still wait for an answer".to_owned());
    }
    say("asking every idle client once more …");
    answer(waiting, &shared.tally).await;
    verdict::tell(&samples, &shared)
}

/// Signs in idle clients.
async fn sign_in(count: u32, shared: &Shared) -> Vec<Client> {
    let mut clients = Vec::new();
    let mut signing_in = JoinSet::new();
    for number in 0..count {
        signing_in.spawn(idle(shared.clone(), number));
    }
    while let Some(joined) = signing_in.join_next().await {
        clients.extend(joined.ok().flatten());
    }
    clients
}

/// Prints a line every ten seconds until the time is over or somebody interrupts.
async fn watch_memory(plan: Plan, shared: &Shared) -> Outcome<Vec<Sample>> {
    let mut stop = shared.stop.clone();
    let started = Instant::now();
    let mut samples = Vec::new();
    verdict::heading()?;
    while started.elapsed() < plan.time {
        let left = plan.time.saturating_sub(started.elapsed());
        tokio::select! {
            () = tokio::time::sleep(INTERVAL.min(left)) => {}
            // The other half is kept to the end, so this is a change and no error.
            _ = stop.changed() => break,
        }
        let sample = Sample {
            at: started.elapsed(),
            proportional_kb: proportional_kb(&[shared.place.pid])?,
            resident_kb: resident_kb(&[shared.place.pid])?,
            window: shared.tally.window(),
        };
        verdict::line(&sample)?;
        samples.push(sample);
    }
    Ok(samples)
}

/// Idle clients must still be there.
async fn answer(waiting: Vec<Client>, tally: &Tally) {
    for client in &waiting {
        if let Err(error) = client.simple_query("SELECT 1").await {
            tally.error(format!("an idle client: {}", clients::text(&error)));
        }
    }
}

/// SIGINT and SIGTERM end the run, in order.
fn watch_signals(interrupt: Arc<watch::Sender<bool>>) -> Outcome<()> {
    let mut from_keyboard = signal(SignalKind::interrupt())?;
    let mut from_others = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = from_keyboard.recv() => {}
            _ = from_others.recv() => {}
        }
        say("interrupted; ending …");
        let _ = interrupt.send(true);
    });
    Ok(())
}
