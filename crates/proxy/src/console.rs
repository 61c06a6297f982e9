//! The schema `pgwarrant`: its relations filled with live state, its functions acted out.
//!
//! What acts does so once, before the statement is sent, when nothing is in flight that could
//! still fail; in a transaction that has failed nothing acts, and the server says why.

use std::collections::VecDeque;
use std::sync::Arc;

use pgwarrant_audit::Trail;
use pgwarrant_catalog::Catalogue;
use pgwarrant_grants::{Error, Live, Principal};
use pgwarrant_sql::console::fill;
use pgwarrant_sql::{Access, Class, ConsoleCall, Piece, Reason, Refusal, Verdict};

use crate::cache::Analysed;
use crate::database::Database;
use crate::identity::Identity;
use crate::plan::Planned;
use crate::refuse;
use crate::server::Shared;
use crate::session::{Session, Step, Waited};

mod acting;
mod arguments;
mod relations;
mod second_factor;

use arguments::{Arguments, Todo, resolve};

pub use arguments::parameters;

type Row = Vec<Option<String>>;

/// The text for a call before its arguments are known: its columns, and no rows.
pub fn empty(call: &ConsoleCall) -> String {
    fill(call, &[])
}

/// The console calls of a statement, in the order of the text.
pub fn calls(analysed: &Analysed, index: usize) -> impl Iterator<Item = &ConsoleCall> {
    let splices = match analysed.statements().get(index).map(|statement| &statement.verdict) {
        Some(Verdict::Spliced(splices)) => splices.as_slice(),
        _ => &[],
    };
    splices.iter().flat_map(|splice| &splice.with).filter_map(|piece| match piece {
        Piece::Console(call) => Some(call),
        Piece::Text(_) | Piece::Tokens(_) => None,
    })
}

impl Session {
    /// Acts out the console calls of a message, if any of them acts or takes time. Some: held.
    pub fn act(
        &mut self,
        analysed: &Analysed,
        planned: &[Planned],
        parameters: &[Option<String>],
    ) -> Option<Step> {
        if self.front.acted.is_some() {
            return None;
        }
        let mut steps = Vec::new();
        for (index, planned) in planned.iter().enumerate() {
            let class = analysed.statements().get(index).map_or(Class::Empty, |statement| statement.class);
            for call in calls(analysed, index) {
                let todo = if planned.refusal.is_some() {
                    // It will not be sent, and `assemble` asks for no text.
                    continue;
                } else if call.arguments.is_some() && class != Class::Select {
                    Todo::Refuse(only_in_select(call))
                } else {
                    resolve(call, parameters)
                };
                steps.push((call.clone(), todo));
            }
        }
        if !steps.iter().any(|(call, _)| call.arguments.is_some() || call.name == "audit") {
            return None;
        }
        if !self.ledger.is_empty() {
            return Some(self.drain());
        }
        let failed = self.state.status == b'E';
        let console = self.console();
        Some(self.wait_to_the_end(Box::pin(async move {
            let mut answers = VecDeque::with_capacity(steps.len());
            for (call, todo) in steps {
                let answer = match todo {
                    _ if failed => Ok(Vec::new()),
                    Todo::Refuse(refusal) => Err(refusal),
                    Todo::Look => console.look(&call).await,
                    Todo::Call(arguments) => console.clone().call(&call.name, arguments).await,
                };
                answers.push_back(answer.map(|rows| fill(&call, &rows)));
            }
            Waited::Acted(answers)
        })))
    }

    /// The text for a relation that live state in memory fills.
    pub fn look(&self, call: &ConsoleCall) -> Result<String, Refusal> {
        Ok(fill(call, &self.console().rows(&call.name)))
    }

    fn console(&self) -> Console {
        Console {
            shared: self.shared.clone(),
            live: self.shared.live.clone(),
            trail: self.shared.trail.clone(),
            identity: self.identity.clone(),
            database: self.database.clone(),
            catalogue: self.basis.catalogue.clone(),
            access: self.basis.access.clone(),
        }
    }
}

/// What the console shows and does, for one user.
#[derive(Clone)]
struct Console {
    shared: Arc<Shared>,
    live: Live,
    trail: Trail,
    identity: Arc<Identity>,
    database: Arc<Database>,
    catalogue: Arc<Catalogue>,
    access: Arc<Access>,
}

impl Console {
    fn who(&self) -> &Principal {
        &self.identity.principal
    }

    async fn look(&self, call: &ConsoleCall) -> Result<Vec<Row>, Refusal> {
        if call.name == "audit" { self.audit().await } else { Ok(self.rows(&call.name)) }
    }

    /// Acts. Giving waits for the disk.
    async fn call(self, name: &str, arguments: Vec<(String, Option<String>)>) -> Result<Vec<Row>, Refusal> {
        let arguments = Arguments(arguments);
        if let Some(step) = second_factor::Step::of(name) {
            return self.second_factor(step, arguments).await;
        }
        let name = name.to_owned();
        let estimated_rows = self.estimated_rows(&name, &arguments).await;
        blocking(move || self.act(&name, &arguments, estimated_rows)).await?
    }

    /// How many rows a request is about, as far as that is known.
    async fn estimated_rows(&self, name: &str, arguments: &Arguments) -> Option<u64> {
        let (live, catalogue) = (&self.live, &self.catalogue);
        let estimate = match name {
            "request" => live.estimate(self.who(), catalogue, &arguments.ask()),
            "extend" => live.estimate_more(arguments.number("grant_id").ok()?, catalogue),
            _ => None,
        }?;
        self.database.counts.estimated(estimate).await
    }
}

/// Where a thread may wait for the disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a console call panicked");
        refuse::refusal(Reason::Console, "XX000", "the call failed", None, Some("Try again."))
    })
}

fn refused(error: Error) -> Refusal {
    Refusal {
        reason: Reason::Console,
        sqlstate: error.sqlstate(),
        message: error.message,
        detail: error.detail,
        hint: error.hint,
        position: None,
    }
}

fn only_in_select(call: &ConsoleCall) -> Refusal {
    refuse::refusal(
        Reason::Console,
        "0A000",
        format!("pgwarrant.{} can only be called in a SELECT", call.name),
        None,
        Some("Send the call as a statement of its own."),
    )
}
