//! Deciding about a pending request: approving, denying, taking it back.

use std::sync::Arc;

use crate::conditions::reserved;
use crate::filing::{MAX_DECIDED, Outcome, size};
use crate::giving::Giving;
use crate::interest::{Interested, not_allowed};
use crate::live::{Inner, Requests};
use crate::model::person_of;
use crate::saving::{lock, write};
use crate::store::Change;
use crate::text::{MAX_NOTE, optional, time};
use crate::{
    Approval, Conditions, Context, Decision, Due, Error, Event, Kind, Live, Principal, Request, RequestId,
    RequestState, panels,
};

// All of these wait for the disk: call them where a thread may block.
impl Live {
    /// Of several approvers at the same instant one decides, the others are told. When it was the
    /// last approval that was needed, the grant is live (or scheduled) when this returns.
    pub fn approve(
        &self,
        by: &Principal,
        id: RequestId,
        reason: Option<&str>,
        context: &Context,
    ) -> Result<Outcome, Error> {
        let reason = optional("reason", reason, MAX_NOTE);
        let settings = &self.0.settings;
        let mut last = lock(&self.0.deciding);
        self.0.requests_due();
        let now = self.0.clock.now();
        let request = self.0.find_request(id)?;
        let factor = settings.is_second_factor_fresh(context);
        let eligible = request.as_ref().and_then(|it| panels::eligible(by, it, settings, factor, now));
        let Some(eligible) = eligible else { return Err(self.0.no_approver(by, "approve", id, request)) };
        let pending = still_pending(request, id)?;
        if let Some(conditions) = pending.conditions.as_ref().filter(|conditions| conditions.decide_now()) {
            return Err(Error::new(
                Kind::State,
                format!("request {id} waits for {}, not for approval", conditions.text()),
            )
            .hint("Nothing is left to do for you; pgwarrant.deny(…) still ends it."));
        }
        self.0.check_disinterested(
            by,
            &Interested::in_request(&pending),
            &format!("approve request {id}"),
        )?;
        if pending.has_approved(by) {
            return Err(Error::new(Kind::State, format!("you have approved request {id} already"))
                .detail(format!(
                    "It waits for {}.",
                    panels::missing_text(&pending.panels, &pending.approvals)
                ))
                .hint("Somebody else must approve it too."));
        }
        let approval = Approval {
            by: by.user.clone(),
            person: by.person().to_owned(),
            at: now,
            reason: reason?,
            from: Some(*context),
            panels: if pending.panels.is_empty() { Vec::new() } else { eligible.panels },
        };
        let mut approved = Request::clone(&pending);
        approved.approvals.push(approval);
        let filled = |request: &Request| panels::count_filled(&request.panels, &request.approvals);
        if filled(&approved) <= filled(&pending) {
            return Err(adds_nothing(by, &pending, eligible.lacks_factor));
        }
        if size(&approved) > MAX_DECIDED - reserved(&approved) {
            return Err(Error::new(Kind::Limit, "the decision is too large to keep")
                .hint("Approve with a shorter reason."));
        }
        if !panels::satisfied(&approved.panels, &approved.approvals) {
            // Others are missing.
        } else if let Some(conditions) = &mut approved.conditions {
            conditions.become_due(Due::ToDecide);
        } else {
            let by = Some(by.user.clone());
            let reason = approved.approvals.last().and_then(|approval| approval.reason.clone());
            let decision = Decision { by, at: now, reason, from: Some(*context) };
            return self.0.give(Giving::decided(approved, decision, pending), &mut last);
        }
        let request = Arc::new(approved);
        self.0.saving.commit(now, &[Change::Request(request.clone())], vec![Change::Request(pending)])?;
        write(&self.0.requests).pending.insert(id, request.clone());
        // Not before it is there to be found.
        if request.conditions.as_ref().is_some_and(Conditions::decide_now) {
            self.0.checks.notify_one();
        }
        self.0.announce(Event::PartlyApproved { request: request.clone() });
        Ok(Outcome { request, grant: None })
    }

    /// One who may decide is enough. Who asked takes the request back by denying it.
    pub fn deny(
        &self,
        by: &Principal,
        id: RequestId,
        reason: Option<&str>,
        context: &Context,
    ) -> Result<Arc<Request>, Error> {
        let reason = optional("reason", reason, MAX_NOTE);
        let _deciding = lock(&self.0.deciding);
        self.0.requests_due();
        let request = self.0.find_request(id)?;
        let own = request.as_ref().is_some_and(|request| is_own(by, request));
        let now = self.0.clock.now();
        let may =
            |request: &Arc<Request>| panels::eligible(by, request, &self.0.settings, true, now).is_some();
        // Who may not decide learns nothing of other people's requests, not even that they exist.
        if !own && !request.as_ref().is_some_and(may) {
            return Err(self.0.no_approver(by, "deny", id, request));
        }
        let state = if own { RequestState::Withdrawn } else { RequestState::Denied };
        self.0.end_request(still_pending(request, id)?, state, Some(by), reason?, Some(context))
    }

    /// Takes one's own request back.
    pub fn withdraw(
        &self,
        by: &Principal,
        id: RequestId,
        reason: Option<&str>,
        context: &Context,
    ) -> Result<Arc<Request>, Error> {
        let reason = optional("reason", reason, MAX_NOTE)?;
        let _deciding = lock(&self.0.deciding);
        self.0.requests_due();
        let own = self.0.find_request(id)?.filter(|request| is_own(by, request));
        if own.is_none() {
            return Err(not_allowed(by, &format!("withdraw request {id}"))
                .detail("Only who asked may take a request back.")
                .hint("SELECT * FROM pgwarrant.requests lists your requests."));
        }
        self.0.end_request(still_pending(own, id)?, RequestState::Withdrawn, Some(by), reason, Some(context))
    }
}

impl Requests {
    /// Moves a request from pending to decided.
    pub(crate) fn decide(&mut self, request: Arc<Request>, history: usize) {
        self.pending.remove(&request.id);
        self.decided.push_back(request);
        let excess = self.decided.len().saturating_sub(history);
        self.decided.drain(..excess);
    }
}

impl Inner {
    /// Denies or withdraws. The caller holds `deciding`.
    pub(crate) fn end_request(
        &self,
        pending: Arc<Request>,
        state: RequestState,
        by: Option<&Principal>,
        reason: Option<String>,
        context: Option<&Context>,
    ) -> Result<Arc<Request>, Error> {
        let now = self.clock.now();
        let by = by.map(|by| by.user.clone());
        let request = Arc::new(Request {
            state,
            decision: Some(Decision { by, at: now, reason, from: context.copied() }),
            ..Request::clone(&pending)
        });
        self.saving.commit(now, &[Change::Request(request.clone())], vec![Change::Request(pending)])?;
        self.settle(&request);
        self.decide_columns();
        self.announce(Event::Decided { request: request.clone() });
        Ok(request)
    }

    fn no_approver(&self, by: &Principal, what: &str, id: RequestId, request: Option<Arc<Request>>) -> Error {
        if !self.settings.may_approve(by) {
            let groups = self.settings.groups_that(|group| group.may_approve);
            return not_allowed(by, &format!("{what} requests")).hint(format!("Members of {groups} may."));
        }
        match request {
            None => does_not_exist(id),
            Some(request) => {
                let missing = panels::missing_text(&request.panels, &request.approvals);
                not_allowed(by, &format!("{what} request {id}"))
                    .detail("It is not among what your groups decide.")
                    .hint(format!("It waits for {missing}."))
            }
        }
    }
}

/// Somebody of their groups has approved already, or they showed no second factor.
fn adds_nothing(by: &Principal, pending: &Request, lacks_factor: bool) -> Error {
    let id = pending.id;
    if lacks_factor {
        return not_allowed(by, &format!("approve request {id}"))
            .detail("It needs approvers who have shown a second factor lately.")
            .hint("Show your second factor in this session, then approve again.");
    }
    Error::new(Kind::State, format!("request {id} needs no further approval of your groups"))
        .detail(format!("It waits for {}.", panels::missing_text(&pending.panels, &pending.approvals)))
        .hint("Nothing is left to do for you.")
}

pub(crate) fn is_own(by: &Principal, request: &Request) -> bool {
    request.by == by.user || person_of(&request.person, &request.by) == by.person()
}

fn does_not_exist(id: RequestId) -> Error {
    Error::new(Kind::Unknown, format!("request {id} does not exist"))
        .hint("SELECT * FROM pgwarrant.requests lists them.")
}

/// The request, if it can be decided now.
fn still_pending(request: Option<Arc<Request>>, id: RequestId) -> Result<Arc<Request>, Error> {
    let request = request.ok_or_else(|| does_not_exist(id))?;
    let Some(decision) = &request.decision else { return Ok(request) };
    let by = decision.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let state = request.state.text();
    Err(Error::new(
        Kind::State,
        format!("request {id} has already been decided: {state}{by} at {}", time(decision.at)),
    )
    .hint("If it is still needed, it must be asked for again with pgwarrant.request(…)."))
}
