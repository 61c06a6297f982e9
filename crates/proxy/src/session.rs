//! A session: one task, one client, one upstream connection.
//!
//! The loop handles what has been read, then polls everything that can move at once. A message of
//! the client that cannot be handled yet (its meaning depends on answers in flight, its audit
//! record is not durable yet) stays at the front of the input and is handled again, from the start,
//! once that is over: see [`Hold`]. What was done for it already is kept in [`Front`].

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Buf;
use pgwarrant_grants::Watch;
use pgwarrant_sql::{Refusal, Touched};
use tokio::sync::oneshot;

use crate::cache::{Analysed, Basis, Cache};
use crate::database::Database;
use crate::decisions::Awaited;
use crate::error::{End, Fatal};
use crate::identity::Identity;
use crate::intents::Intents;
use crate::ledger::{Ledger, Sequence};
use crate::mailbox::{Message, Receiver};
use crate::names::Names;
use crate::prepared::{Portal, Prepared};
use crate::pump::{HIGH_WATER, Side};
use crate::replies::Progress;
use crate::server::Shared;
use crate::state::State;
use crate::work::Work;

/// How long a server that was asked to cancel may take to go, before it is asked again.
const AGAIN: Duration = Duration::from_millis(100);
/// So many times a session that need not wait handles what it has read, a buffer each time; then
/// the others of its thread have their turn, the one that revokes a grant among them.
const TURN: u32 = 4;

/// Something that is awaited outside of the two sockets.
pub type Waiting<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Why the client's next message is not handled yet.
pub enum Hold {
    Nothing,
    /// Until everything in flight has been answered.
    Drain,
    /// Until all intents are durable.
    Record,
    /// Until this is over.
    Wait {
        waiting: Waiting<Waited>,
        /// It changes nothing, so a CancelRequest may end it.
        idle: bool,
    },
}

/// What a hold has brought.
pub enum Waited {
    /// Nothing that has to be kept: what was waited for is looked at again.
    Again,
    /// What the console calls of the message said, in the order of the text.
    Acted(VecDeque<Result<String, Refusal>>),
}

/// What was done already for the message at the front of the input.
#[derive(Default)]
pub struct Front {
    /// The catalogue was refreshed because a name was not found.
    pub refreshed: bool,
    /// The disk was waited for, to take a use of its grants.
    pub reserved: bool,
    /// Intents: for which statement, touching what, which number.
    pub intents: HashMap<usize, (Arc<Touched>, u64)>,
    pub acted: Option<VecDeque<Result<String, Refusal>>>,
    /// A CancelRequest has come while it was held.
    pub cancelled: bool,
    /// See [`crate::decisions`].
    pub decision: Option<Awaited>,
}

impl Front {
    /// The next message begins. (Most need nothing of it; a new map would cost more than a look.)
    fn forget(&mut self) {
        self.refreshed = false;
        self.reserved = false;
        self.cancelled = false;
        self.acted = None;
        self.decision = None;
    }
}

/// A frame that is too large to be held whole, on its way to the client.
pub struct Streaming {
    pub left: usize,
    /// The client gets the rest of it; otherwise it is dropped.
    pub pass: bool,
}

/// What handling a message came to.
pub enum Step {
    /// It was handled; so many bytes of the input are done with.
    Consumed(usize),
    /// There is not enough input yet.
    Incomplete,
    /// It must wait, see [`Hold`].
    Held,
}

pub struct Session {
    pub shared: Arc<Shared>,
    pub database: Arc<Database>,
    pub identity: Arc<Identity>,
    pub cache: Arc<Cache>,
    pub client: Side,
    pub upstream: Side,
    pub ledger: Ledger<Work>,
    /// When the input at hand was read; when statements begin and end is told by it.
    pub now: Instant,
    /// Where the scope of the next message began: see [`crate::names`].
    pub scope: Sequence,
    pub statements: Names<Prepared>,
    pub portals: Names<Portal>,
    pub state: State,
    /// The basis of the last analysis.
    pub basis: Basis,
    /// The user's grants, followed.
    pub grants: Watch,
    /// The version of them that the basis was made of.
    pub grants_version: u64,
    /// The last ordinary statement of a Parse message, by the present basis: drivers that prepare
    /// for each use send the same text over and over.
    pub parsed: Option<Analysed>,
    pub hold: Hold,
    pub front: Front,
    pub ahead: crate::ahead::Ahead,
    /// DDL was run and is over: the catalogue must be read again before the next analysis.
    pub refresh_due: bool,
    /// Has anything been sent since that will make the server answer what is in flight?
    pub unflushed: bool,
    /// Something in flight may use a grant.
    pub grants_in_flight: bool,
    /// A CancelRequest is on its way; nothing may be sent until it has arrived.
    pub cancelling: Option<Waiting<()>>,
    /// Dropped then: whose CancelRequests it stands for.
    pub cancel_arrived: Vec<oneshot::Sender<()>>,
    pub streaming: Option<Streaming>,
    /// So many bytes of a large CopyData frame of the client are still to come.
    pub client_data: usize,
    /// The process id that the client was told.
    pub pid: u32,
    /// What a CancelRequest for the upstream connection takes.
    pub upstream_cancel: Option<pgwarrant_wire::upstream::CancelTarget>,
    pub messages: Receiver,
    /// What others are told of its notifications.
    pub sender: Option<crate::notify::Entered>,
    /// Statement shapes whose masked columns were named in a notice.
    pub noticed: HashSet<u64>,
    /// NOTICEs that wait for a frame boundary.
    pub notices: VecDeque<Vec<u8>>,
    pub trail: crate::audit_trail::Pending,
    pub intents: Intents,
}

impl Session {
    /// Runs until the session is over; says why.
    pub async fn run(&mut self) -> End {
        let mut rounds = 0;
        loop {
            if let Err(end) = self.work() {
                return end;
            }
            let moved = poll_fn(|context| {
                let moved = self.poll(context);
                rounds = if moved.is_ready() { rounds + 1 } else { 0 };
                moved
            });
            if let Err(end) = moved.await {
                return end;
            }
            if rounds == TURN {
                rounds = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    /// Handles all input that can be handled.
    fn work(&mut self) -> Result<(), End> {
        if !self.client.input.is_empty() || !self.upstream.input.is_empty() {
            self.now = Instant::now();
        }
        self.server_input()?;
        self.client_input()?;
        self.deliver_notices();
        if self.ledger.is_empty() {
            self.grants_in_flight = false;
        }
        self.messages.watch_grants(self.grants_in_flight);
        // What the client sent before it closed its half is still done, as the server would; but nobody
        // need decide for a client that is gone.
        let for_people = self.front.decision.is_some_and(|awaited| !awaited.over);
        if self.client.ended && (for_people || !self.is_held()) && !self.upstream.output.is_full() {
            return Err(End::Client);
        }
        Ok(())
    }

    fn client_input(&mut self) -> Result<(), End> {
        loop {
            if self.client.input.is_empty() || self.is_held() || self.upstream.output.is_full() {
                return Ok(());
            }
            let mut input = std::mem::take(&mut self.client.input);
            let step = self.client_message(&input);
            if let Ok(Step::Consumed(count)) = step {
                input.advance(count);
            }
            self.client.input = input;
            match step? {
                Step::Consumed(_) => {
                    self.front.forget();
                    self.record_unused_intents();
                }
                Step::Incomplete | Step::Held => return Ok(()),
            }
        }
    }

    fn server_input(&mut self) -> Result<(), End> {
        let mut input = std::mem::take(&mut self.upstream.input);
        let result = loop {
            if input.is_empty() || self.client.output.is_full() || self.awaits_record() {
                break Ok(());
            }
            match self.server_message(&mut input) {
                Ok(Progress::Handled) => {}
                Ok(Progress::Incomplete) => break Ok(()),
                Err(end) => break Err(end),
            }
        };
        self.upstream.input = input;
        result
    }

    /// Must the client's next message wait?
    fn is_held(&mut self) -> bool {
        // (While the server waits for data of the client's there is no other answer to wait for.)
        if matches!(self.hold, Hold::Drain) && (self.ledger.is_empty() || self.ledger.copying()) {
            self.hold = Hold::Nothing;
        }
        if matches!(self.hold, Hold::Record) && !self.intents.are_pending() {
            self.hold = Hold::Nothing;
        }
        !matches!(self.hold, Hold::Nothing) || self.cancelling.is_some() || self.trail.is_full()
    }

    /// Holds the client's message until what is in flight has been answered, and sees to it that
    /// the server answers.
    pub fn drain(&mut self) -> Step {
        self.flush_upstream();
        self.hold = Hold::Drain;
        Step::Held
    }

    /// Has the server answer what was sent to it, also without a Sync.
    pub fn flush_upstream(&mut self) {
        if self.unflushed {
            pgwarrant_wire::frontend::build::flush(self.upstream.output.building());
            self.unflushed = false;
        }
    }

    pub fn wait(&mut self, waiting: Waiting<Waited>) -> Step {
        self.hold = Hold::Wait { waiting, idle: true };
        Step::Held
    }

    /// Waits for what must be seen through once it has begun.
    pub fn wait_to_the_end(&mut self, waiting: Waiting<Waited>) -> Step {
        self.hold = Hold::Wait { waiting, idle: false };
        Step::Held
    }

    /// Moves whatever can be moved. Ready: there is something to handle.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        let mut moved = false;
        while let Poll::Ready(message) = self.messages.poll(context) {
            self.message(message)?;
            moved = true;
        }
        // Before the client is answered: so whoever has an answer finds its record handed over.
        moved |= self.trail.poll(context)?;
        moved |= self.intents.poll(context)?;
        self.cut_off_ended();
        if self.upstream.wants_write() {
            let full = self.upstream.output.is_full();
            if let Poll::Ready(Err(error)) = self.upstream.poll_write(context)
                // What the server said before it closed is still to be read.
                && self.upstream.ended
            {
                return Poll::Ready(Err(error.into()));
            }
            moved |= full && !self.upstream.output.is_full();
        }
        if self.client.wants_write() {
            let full = self.client.output.is_full();
            match self.client.poll_write(context) {
                Poll::Ready(Err(_)) => return Poll::Ready(Err(End::Client)),
                Poll::Ready(Ok(())) | Poll::Pending => moved |= full && !self.client.output.is_full(),
            }
        }
        if !self.upstream.ended && !self.client.output.is_full() && self.upstream_may_be_read() {
            match self.upstream.poll_read(context) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.upstream_gone())),
                Poll::Ready(Ok(_)) => moved = true,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(self.upstream_gone())),
                Poll::Pending => {}
            }
        }
        if !self.client.ended && !self.upstream.output.is_full() && self.client_may_be_read() {
            match self.client.poll_read(context) {
                Poll::Ready(Err(_)) => return Poll::Ready(Err(End::Client)),
                Poll::Ready(Ok(_)) => moved = true,
                Poll::Pending => {}
            }
        }
        if let Hold::Wait { waiting, .. } = &mut self.hold
            && let Poll::Ready(waited) = waiting.as_mut().poll(context)
        {
            self.hold = Hold::Nothing;
            self.waited(waited);
            moved = true;
        }
        if let Some(cancelling) = &mut self.cancelling
            && cancelling.as_mut().poll(context).is_ready()
        {
            self.cancelling = None;
            self.cancel_arrived.clear();
            moved = true;
        }
        if moved { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// While a message is held, as much as that is read ahead, to notice a client that goes away.
    fn client_may_be_read(&self) -> bool {
        let held = !matches!(self.hold, Hold::Nothing) || self.cancelling.is_some();
        !held || self.client.input.len() < HIGH_WATER
    }

    /// While an answer must wait, no more is read than was read with its beginning.
    fn upstream_may_be_read(&self) -> bool {
        self.upstream.input.is_empty() || !self.awaits_record()
    }

    /// Ends what the client's message is held for, if nothing is lost by that.
    pub fn stop_holding(&mut self) -> bool {
        match self.hold {
            Hold::Wait { idle: true, .. } => {
                // If it waited for the schema, that is still due.
                self.refresh_due = true;
            }
            Hold::Record => {}
            Hold::Nothing | Hold::Drain | Hold::Wait { .. } => return false,
        }
        self.hold = Hold::Nothing;
        true
    }

    fn waited(&mut self, waited: Waited) {
        match waited {
            Waited::Again => {}
            Waited::Acted(answers) => self.front.acted = Some(answers),
        }
    }

    fn message(&mut self, message: Message) -> Result<(), End> {
        match message {
            Message::Notice(frame) => {
                if self.notices.len() < 100 {
                    self.notices.push_back(frame);
                }
                self.deliver_notices();
            }
            Message::Cancel(arrived) => self.cancel_for_client(arrived),
            Message::ForgetSecondFactor => self.identity.second_factor.forget(),
            Message::Expired => return Err(expired().into()),
            Message::Shutdown => return Err(shutdown().into()),
        }
        Ok(())
    }

    /// Between frames only: never while a large one is half way through.
    fn deliver_notices(&mut self) {
        if self.streaming.is_none() && !self.client.output.is_full() {
            while let Some(frame) = self.notices.pop_front() {
                self.client.output.push(&frame);
            }
        }
    }

    fn upstream_gone(&mut self) -> End {
        Fatal::new("08006", "the database server closed the connection unexpectedly")
            .hint("Connect again.")
            .into()
    }

    /// Says goodbye to both sides, as far as they listen.
    pub async fn close(&mut self, end: &End, patience: Duration) {
        if let End::Fatal(fatal) = end {
            // Rows that wait are not worth more than the error: none may follow a cut-off.
            self.client.output.take_back();
            if self.streaming.as_ref().is_none_or(|streaming| !streaming.pass) {
                crate::diagnostics::fatal(fatal, self.client.output.building());
            }
        }
        // What writes goes on to its end, as it would without us; what only reads is for nobody.
        let for_nobody = !self.ledger.is_empty()
            && self.ledger.iter().all(|entry| crate::replies::is_idle_work(&entry.payload));
        if for_nobody {
            self.start_cancel();
        }
        pgwarrant_wire::frontend::build::terminate(self.upstream.output.building());
        let goodbye = async {
            let cancelling = self.cancelling.take();
            if let Some(cancelling) = cancelling {
                cancelling.await;
            }
            let (client, upstream) = (&mut self.client, &mut self.upstream);
            poll_fn(|context| {
                let first = client.poll_write(context).is_pending();
                let second = upstream.poll_write(context).is_pending();
                if first || second { Poll::Pending } else { Poll::Ready(()) }
            })
            .await;
            let _ = poll_fn(|context| client.poll_shutdown(context)).await;
            let _ = poll_fn(|context| upstream.poll_shutdown(context)).await;
            // The cancel may have come before the statement did.
            while for_nobody && tokio::time::timeout(AGAIN, upstream.drain()).await.is_err() {
                if let Some(target) = &self.upstream_cancel {
                    let _ = target.cancel().await;
                }
            }
        };
        let _ = tokio::time::timeout(patience, goodbye).await;
    }

    /// Analyses a text under the session's present basis.
    pub fn analyse(&self, text: &str) -> Result<Analysed, Refusal> {
        self.cache.analyse(text, &self.basis, &self.shared.settings.limits.sql, &self.database.settings.name)
    }
}

pub fn shutdown() -> Fatal {
    Fatal::new("57P01", "terminating connection due to administrator command")
}

/// 28000 `invalid_authorization_specification`
fn expired() -> Fatal {
    Fatal::new("28000", "terminating connection because what it signed in with has expired")
        .hint("Sign in again; with a token, get a new one first.")
}
