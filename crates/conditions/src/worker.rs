//! Asking what is due.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use pgwarrant_grants::{Answer, Facts, Live, Request, RequestId};
use pgwarrant_http::TrustError;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::ask::{Condition, Settings, no_answer};

/// Calls to one condition at once.
const CALLS: usize = 8;
/// After an answer that could not be stored; and how often is looked without being told to.
const PAUSE: Duration = Duration::from_secs(5);

/// All conditions of the configuration.
#[derive(Debug)]
pub struct Checks(BTreeMap<String, Turns>);

#[derive(Clone, Debug)]
struct Turns {
    condition: Arc<Condition>,
    turns: Arc<Semaphore>,
}

/// What is being asked: a request, and which time.
type Key = (RequestId, u32);

impl Checks {
    /// # Errors
    /// The certificates of one cannot be read: its name, and why.
    pub fn open(settings: impl IntoIterator<Item = Settings>) -> Result<Self, (String, TrustError)> {
        let mut all = BTreeMap::new();
        for settings in settings {
            let name = settings.name.clone();
            let condition = Condition::new(settings).map_err(|error| (name.clone(), error))?;
            let turns = Arc::new(Semaphore::new(CALLS));
            all.insert(name, Turns { condition: Arc::new(condition), turns });
        }
        Ok(Self(all))
    }

    /// Asks what is due, for as long as the process runs.
    pub async fn run(self, live: Live) {
        let mut asking = JoinSet::new();
        let mut under_way: HashSet<Key> = HashSet::new();
        loop {
            for request in live.checks_due() {
                let Some(conditions) = &request.conditions else { continue };
                let key = (request.id, conditions.round);
                if under_way.insert(key) {
                    asking.spawn(check(live.clone(), request.clone(), self.of(&request), key));
                }
            }
            tokio::select! {
                () = live.check_wanted() => {}
                () = tokio::time::sleep(PAUSE) => {}
                Some(done) = asking.join_next() => match done {
                    Ok(key) => _ = under_way.remove(&key),
                    Err(error) => {
                        tracing::error!(%error, "asking a condition failed");
                        // Whose it was is not known: what is under way is asked once more.
                        asking.shutdown().await;
                        under_way.clear();
                    }
                },
            }
        }
    }

    /// Names of a request's conditions, with those that are configured.
    fn of(&self, request: &Request) -> Vec<(String, Option<Turns>)> {
        let names = request.conditions.iter().flat_map(|conditions| &conditions.names);
        names.map(|name| (name.clone(), self.0.get(name).cloned())).collect()
    }
}

async fn check(live: Live, request: Arc<Request>, conditions: Vec<(String, Option<Turns>)>, key: Key) -> Key {
    let answers = match facts(&live, request.id).await {
        Some(facts) => ask_all(&request, &facts, conditions).await,
        None => conditions.iter().map(|(name, _)| no_answer(name, "it could not be asked")).collect(),
    };
    let (id, round) = key;
    let stored =
        tokio::task::spawn_blocking(move || live.answer_conditions(id, round, &answers).map(|_| ())).await;
    if let Ok(Err(error)) = stored {
        tracing::error!(request = id, %error, "what conditions have said could not be stored");
        tokio::time::sleep(PAUSE).await;
    }
    key
}

/// All at the same time, so that a slow one does not keep the others from being heard.
async fn ask_all(
    request: &Arc<Request>,
    facts: &Arc<Facts>,
    conditions: Vec<(String, Option<Turns>)>,
) -> Vec<Answer> {
    let mut asking = JoinSet::new();
    for (name, turns) in conditions {
        let (request, facts) = (request.clone(), facts.clone());
        asking.spawn(async move {
            let Some(Turns { condition, turns }) = turns else {
                return no_answer(&name, "it is not configured any more");
            };
            let _turn = turns.acquire().await;
            condition.ask(&request, &facts).await
        });
    }
    let mut answers = Vec::new();
    while let Some(answer) = asking.join_next().await {
        match answer {
            Ok(answer) => answers.push(answer),
            // Missing: not answered.
            Err(error) => tracing::error!(%error, "asking a condition failed"),
        }
    }
    answers
}

/// On which the request was ruled. None: they cannot be read.
async fn facts(live: &Live, id: RequestId) -> Option<Arc<Facts>> {
    let live = live.clone();
    let grounds = tokio::task::spawn_blocking(move || live.grounds(id)).await.ok()?;
    grounds.ok()?.map(|grounds| Arc::new(grounds.facts))
}
