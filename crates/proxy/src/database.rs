//! The catalogue of a database: read at start, looked at every second or so, and read again when
//! the schema has changed or a session asks for it.
//!
//! If the database cannot be reached, the last catalogue stays in force for a while: the sessions
//! cannot reach the database either, or only just. After [`OUT_OF_DATE`] statements that touch
//! anything protected are refused until it has been looked at again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::BytesMut;
use pgwarrant_catalog::{
    BindOptions, CHANGE_POLL, CHANGE_PROBE, Catalogue, Finding, Label, SESSION_SETUP, Snapshot, bind, queries,
};
use pgwarrant_wire::stream::Stream;
use tokio::sync::{Notify, mpsc, watch};

use crate::counting::{Counts, Question};
use crate::error::Error;
use crate::line::{self, LineError, Rows};
use crate::settings;
use crate::upstream_login;
use crate::warm::Warm;

/// How old what is known of the schema may be.
const OUT_OF_DATE: Duration = Duration::from_secs(60);
/// How often a snapshot is read again because the schema changed meanwhile.
const ATTEMPTS: usize = 5;
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A database, as all sessions share it.
#[derive(Debug)]
pub struct Database {
    pub settings: settings::Database,
    pub warm: Warm,
    labels: Vec<Label>,
    trusted_functions: Vec<String>,
    /// How many rows relations have.
    pub counts: Counts,
    catalogue: ArcSwap<Catalogue>,
    /// Of that catalogue; changed after it.
    version: AtomicU64,
    /// What binding it found worth telling: errors, then warnings.
    findings: ArcSwap<Findings>,
    /// Looks that were asked for, and those that are done.
    asked: AtomicU64,
    done: watch::Sender<u64>,
    wake: Notify,
    started: Instant,
    /// When it was last looked at with success, in milliseconds since `started`.
    looked: AtomicU64,
}

/// What binding labels to a schema found worth telling.
#[derive(Debug, Default)]
pub struct Findings {
    pub errors: Vec<Finding>,
    pub warnings: Vec<Finding>,
}

/// The loader's connection, and what it saw last.
pub struct Loader {
    database: Arc<Database>,
    line: Option<Line>,
    questions: mpsc::Receiver<Question>,
    /// What [`CHANGE_PROBE`] said of the catalogue in force.
    seen: Option<Rows>,
}

/// How closely the schema is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// For a change of some seconds ago, which costs next to nothing where there was none.
    Glance,
    /// For any change that was made before.
    Exact,
}

struct Line {
    stream: Stream,
    input: BytesMut,
}

/// Why the schema could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("could not connect: {0}")]
    Connect(String),
    #[error(transparent)]
    Line(#[from] LineError),
    #[error(transparent)]
    Snapshot(#[from] pgwarrant_catalog::SnapshotError),
    #[error("it took longer than {} seconds", PATIENCE.as_secs())]
    Slow,
    #[error("the schema kept changing while it was read")]
    Unsettled,
}

impl Database {
    /// Reads the schema for the first time.
    pub async fn open(
        settings: settings::Database,
        labels: Vec<Label>,
        trusted_functions: Vec<String>,
    ) -> Result<(Arc<Self>, Loader), Error> {
        let (counts, questions) = Counts::new();
        let database = Arc::new(Self {
            counts,
            warm: Warm::new(settings.warm),
            settings,
            labels,
            trusted_functions,
            catalogue: ArcSwap::default(),
            version: AtomicU64::new(0),
            findings: ArcSwap::default(),
            asked: AtomicU64::new(0),
            done: watch::Sender::new(0),
            wake: Notify::new(),
            started: Instant::now(),
            looked: AtomicU64::new(0),
        });
        let mut loader = Loader { database: database.clone(), line: None, questions, seen: None };
        loader.look(Depth::Exact).await.map_err(|error| Error::Catalogue {
            database: database.settings.name.clone(),
            problem: error.to_string(),
        })?;
        Ok((database, loader))
    }

    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.load_full()
    }

    /// Is that still the catalogue?
    pub fn is_catalogue(&self, known: &Catalogue) -> bool {
        self.version.load(Ordering::Acquire) == known.version
    }

    pub fn findings(&self) -> Arc<Findings> {
        self.findings.load_full()
    }

    /// Has nobody been able to look at the schema for too long?
    pub fn is_out_of_date(&self) -> bool {
        self.age() > OUT_OF_DATE
    }

    fn age(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.looked.load(Ordering::Relaxed)))
    }

    /// Waits until the schema has been looked at after this call. Many callers share one look.
    /// False: it took longer than `patience`.
    pub async fn refreshed(&self, patience: Duration) -> bool {
        let mine = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut done = self.done.subscribe();
        self.wake.notify_one();
        let wait = done.wait_for(|done| *done >= mine);
        tokio::time::timeout(patience, wait).await.is_ok_and(|result| result.is_ok())
    }
}

impl Loader {
    /// Looks at the schema from time to time, and when somebody asks, for ever.
    pub async fn keep(mut self) {
        let database = self.database.clone();
        let mut failures = 0u32;
        loop {
            let pause = database.settings.poll * 2u32.saturating_pow(failures.min(4));
            let next = tokio::time::sleep(pause);
            tokio::pin!(next);
            let depth = loop {
                tokio::select! {
                    () = &mut next => break Depth::Glance,
                    () = database.wake.notified() => break Depth::Exact,
                    Some(question) = self.questions.recv() => self.count(question).await,
                }
            };
            let asked = database.asked.load(Ordering::Acquire);
            match self.look(depth).await {
                Ok(()) => {
                    if failures > 0 {
                        tracing::info!(database = database.settings.name, "the schema can be read again");
                    }
                    failures = 0;
                    if depth == Depth::Exact {
                        database.done.send_replace(asked);
                    }
                }
                Err(error) => {
                    if failures == 0 {
                        tracing::error!(database = database.settings.name, %error, "the schema cannot be read");
                    }
                    failures = failures.saturating_add(1);
                    self.line = None;
                    // Even if somebody asks all the time.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn look(&mut self, depth: Depth) -> Result<(), LoadError> {
        tokio::time::timeout(PATIENCE, self.look_now(depth)).await.map_err(|_| LoadError::Slow)??;
        let now = u64::try_from(self.database.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.database.looked.store(now, Ordering::Relaxed);
        Ok(())
    }

    async fn look_now(&mut self, depth: Depth) -> Result<(), LoadError> {
        if self.line.is_none() {
            let settings = &self.database.settings;
            let (stream, input) =
                upstream_login::own_connection(settings).await.map_err(LoadError::Connect)?;
            let mut line = Line { stream, input };
            line.query(SESSION_SETUP).await?;
            self.line = Some(line);
        }
        let Some(line) = &mut self.line else { return Ok(()) };
        if depth == Depth::Glance && self.seen.is_some() && self.seen == Some(line.query(CHANGE_POLL).await?)
        {
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            let before = line.query(CHANGE_PROBE).await?;
            if self.seen.as_ref() == Some(&before) {
                return Ok(());
            }
            let mut results = Vec::with_capacity(queries().len());
            for query in queries() {
                results.push((query.name, line.query(query.sql).await?));
            }
            if line.query(CHANGE_PROBE).await? == before {
                let snapshot = Snapshot::from_rows(&results)?;
                self.database.publish(&snapshot);
                self.seen = Some(before);
                return Ok(());
            }
        }
        Err(LoadError::Unsettled)
    }
}

impl Loader {
    /// A connection that breaks here is found broken at the next look.
    async fn count(&mut self, question: Question) {
        let answer = tokio::time::timeout(PATIENCE, self.count_now(&question)).await;
        question.tell(&answer.map_or_else(|_| Rows::new(), Result::unwrap_or_default));
    }

    async fn count_now(&mut self, question: &Question) -> Result<Rows, LoadError> {
        let rows = self.query(&question.text()).await?;
        if Question::has_children(&rows) { self.query(&question.with_children()).await } else { Ok(rows) }
    }

    /// Runs a query on the proxy's own connection.
    pub async fn query(&mut self, text: &str) -> Result<Rows, LoadError> {
        match &mut self.line {
            Some(line) => Ok(line.query(text).await?),
            None => Err(LoadError::Connect("the connection is gone".to_owned())),
        }
    }
}

impl Line {
    async fn query(&mut self, text: &str) -> Result<Rows, LineError> {
        line::query(&mut self.stream, &mut self.input, text).await
    }
}

impl Database {
    fn publish(&self, snapshot: &Snapshot) {
        let version = self.catalogue.load().version + 1;
        let options = BindOptions { trusted_functions: self.trusted_functions.clone(), version };
        let resolve = |schema: &str, name: &str| snapshot.columns_of(schema, name);
        let lineage = |definition: &str| pgwarrant_sql::lineage(definition, &resolve);
        let bound = bind(snapshot, &self.labels, &options, &lineage);
        for finding in &bound.warnings {
            tracing::warn!(database = self.settings.name, "{finding:?}");
        }
        for finding in &bound.errors {
            tracing::error!(database = self.settings.name, "{finding:?}");
        }
        // What was cached under its version stays good.
        if version == 1 || !bound.catalogue.says_the_same(&self.catalogue.load()) {
            tracing::info!(
                database = self.settings.name,
                version,
                relations = bound.catalogue.relations.len(),
                "catalogue bound"
            );
            self.catalogue.store(Arc::new(bound.catalogue));
            self.version.store(version, Ordering::Release);
        }
        self.findings.store(Arc::new(Findings { errors: bound.errors, warnings: bound.warnings }));
    }
}
