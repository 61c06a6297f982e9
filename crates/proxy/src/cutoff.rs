//! Cutting off a statement whose grant has ended.
//!
//! From that moment not one more row frame goes to the client: rows that wait in the buffer are
//! taken back at a frame boundary, what the server still sends is dropped. The server is asked to
//! cancel, and the error that comes of it is replaced by ours. A cancel must not hit a later
//! statement: until the one that is cut off is over and the cancel has arrived, nothing is sent.

use pgwarrant_grants::{EndReason, GrantState};
use pgwarrant_sql::{GrantId, Reason, Refusal};
use tokio::sync::oneshot;

use crate::diagnostics;
use crate::error::{End, Fatal};
use crate::ledger::Kind;
use crate::replies::{current, only_reads};
use crate::session::Session;
use crate::work::{Cut, Run};

/// CancelRequests of one session that may wait at once.
const CANCELS: usize = 128;

impl Session {
    /// Looks at the grants of everything in flight.
    pub fn cut_off_ended(&mut self) {
        if !self.grants_in_flight {
            return;
        }
        let live = self.shared.live.clone();
        let ended = |run: &Run| {
            if run.cut.is_some() {
                None
            } else {
                run.touched.grants.iter().copied().find(|grant| !live.is_live(*grant))
            }
        };
        let mut head_is_cut = false;
        let mut next_is_cut = false;
        // Nothing but preparations of it is ahead of it: their answers come with its own.
        let mut is_next = true;
        for (index, entry) in self.ledger.iter_mut().enumerate() {
            let runs: &mut dyn Iterator<Item = &mut Run> = match &mut entry.payload {
                crate::work::Work::Query(query) => &mut query.runs_mut(),
                crate::work::Work::Execute(run) => &mut std::iter::once(&mut **run),
                _ => {
                    is_next &= is_preparation(entry.kind);
                    continue;
                }
            };
            for (place, run) in runs.enumerate() {
                if run.touched.grants.is_empty() {
                    continue;
                }
                if let Some(grant) = ended(run) {
                    run.cut = Some(Cut { grant, why: why(&live, grant) });
                    head_is_cut |= index == 0 && place == 0;
                    next_is_cut |= is_next && place == 0;
                }
            }
            is_next = false;
        }
        if head_is_cut {
            self.cut_off_head();
        } else if next_is_cut {
            self.start_cancel();
        }
    }

    /// Cuts off the statement at the head, and nothing else.
    pub fn cut_off_head_for(&mut self, cut: Cut) {
        if let Some(run) = self.ledger.head_mut().and_then(|head| current(&mut head.payload)) {
            run.cut = Some(cut);
            self.cut_off_head();
        }
    }

    /// The limit of a grant has been reached.
    pub fn used_up(&self, grant: GrantId) -> Cut {
        Cut { grant, why: "was used up" }
    }

    /// The statement at the head was marked.
    fn cut_off_head(&mut self) {
        let (frames, incomplete) = self.client.output.take_back();
        if incomplete && let Some(streaming) = &mut self.streaming {
            streaming.pass = false;
        }
        if let Some(run) = self.ledger.head_mut().and_then(|head| current(&mut head.payload)) {
            run.rows = run.rows.saturating_sub(frames);
        }
        self.start_cancel();
    }

    /// Asks the server to cancel what it is doing.
    pub fn start_cancel(&mut self) {
        if self.cancelling.is_none()
            && let Some(target) = self.upstream_cancel.clone()
        {
            self.cancelling = Some(Box::pin(async move {
                if let Err(error) = target.cancel().await {
                    tracing::warn!(%error, "a cancel request did not reach the server");
                }
            }));
        }
    }

    /// A CancelRequest of the client. `arrived` is dropped when it can hit nothing any more that
    /// the client sends from now on.
    pub fn cancel_for_client(&mut self, arrived: oneshot::Sender<()>) {
        if self.ledger.is_empty() {
            // Nothing of it has been sent yet.
            self.front.cancelled |= self.stop_holding();
            return;
        }
        self.start_cancel();
        if self.cancelling.is_some() && self.cancel_arrived.len() < CANCELS {
            self.cancel_arrived.push(arrived);
        }
    }

    /// A statement that was to be cut off is over before the cancel came; its rows are dropped all
    /// the same. `more`: what the server does next rests on this statement's having succeeded,
    /// while the client is told that it failed.
    pub fn completed_before_cut(&mut self, run: &Run, more: bool) -> Result<(), End> {
        let Some(cut) = run.cut.clone() else { return Ok(()) };
        if more || !only_reads(run) {
            self.record_cut_off(run, &cut);
            return Err(End::Fatal(Fatal::from(refusal(&cut, run.rows))));
        }
        self.decide(&run.changes, run.sequence, true);
        self.tell_cut_off(run, &cut);
        Ok(())
    }

    pub fn tell_cut_off(&mut self, run: &Run, cut: &Cut) {
        diagnostics::refusal(&refusal(cut, run.rows), "", self.client.output.building());
        self.record_cut_off(run, cut);
    }
}

fn is_preparation(kind: Kind) -> bool {
    matches!(kind, Kind::Parse | Kind::Bind | Kind::DescribeStatement | Kind::DescribePortal | Kind::Close)
}

fn refusal(cut: &Cut, rows: u64) -> Refusal {
    Refusal {
        reason: Reason::Unresolved,
        sqlstate: "42501",
        message: format!("grant {} {} while the statement was running", cut.grant, cut.why),
        detail: Some(format!("{rows} rows had been sent; the result is not complete.")),
        hint: Some("Ask for a new grant with pgwarrant.request(…).".to_owned()),
        position: None,
    }
}

/// How a grant ended, in the words of the error.
fn why(live: &pgwarrant_grants::Live, id: GrantId) -> &'static str {
    match live.find(id).as_ref().map(|grant| &grant.state) {
        Some(GrantState::Ended(end)) => match end.why {
            EndReason::Expired => "expired",
            EndReason::Revoked => "was revoked",
            EndReason::Released => "was released",
            EndReason::UsedUp => "was used up",
            EndReason::Removed => "was ended with its holder's removal",
            EndReason::NotRecorded => "could not be recorded",
        },
        Some(GrantState::Live | GrantState::Scheduled) | None => "ended",
    }
}
