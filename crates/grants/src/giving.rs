//! From an approved request to a grant, or to more of one: on disk first, then in effect.

use std::sync::Arc;

use crate::filing::{MAX_DECIDED, Outcome, milliseconds, size};
use crate::live::{Inner, LastNumbers, lapsed};
use crate::saving::write;
use crate::store::Change;
use crate::{
    Decision, End, EndReason, Error, Event, Grant, GrantId, GrantState, Grounds, Kind, Request, RequestState,
    Review, Spent, WallMs, Who,
};

impl Inner {
    /// Approves a request. The caller holds `deciding`.
    pub(crate) fn give(&self, giving: Giving, last: &mut LastNumbers) -> Result<Outcome, Error> {
        match giving.request.extends {
            None => self.give_new(giving, last),
            Some(id) => self.prolong(id, giving, last),
        }
    }

    fn give_new(&self, giving: Giving, last: &mut LastNumbers) -> Result<Outcome, Error> {
        self.room_for_grant(&giving.request.who)?;
        let grant = Arc::new(giving.grant(last.grant + 1));
        let request = Arc::new(giving.approved(grant.id));
        check_size(&grant)?;
        last.grant = grant.id;
        last.request = last.request.max(request.id);
        let not_given =
            GrantState::Ended(End { why: EndReason::NotRecorded, at: giving.now(), by: None, reason: None });
        let not_given = Grant { state: not_given, review: None, ..Grant::clone(&grant) };
        let undo = vec![Change::Grant(Arc::new(not_given)), giving.undo()];
        let give = records(&request, &grant, giving.grounds.as_ref());
        self.saving.commit(giving.now(), &give, undo)?;
        // In one of the two lists at any moment: what it decides by must not be forgotten in between.
        match grant.state {
            GrantState::Scheduled => self.schedule(grant.clone()),
            _ => self.start(grant.clone()),
        }
        self.recent.add(&grant, giving.now());
        self.approved(&request, giving.grounds);
        if grant.review.is_some() {
            self.announce(Event::BreakGlass { request: request.clone(), grant: grant.clone() });
        }
        self.announce(match grant.state {
            GrantState::Scheduled => Event::Scheduled { grant: grant.clone() },
            _ => Event::Started { grant: grant.clone() },
        });
        Ok(Outcome { request, grant: Some(grant) })
    }

    fn prolong(&self, id: GrantId, giving: Giving, last: &mut LastNumbers) -> Result<Outcome, Error> {
        self.expire_if_due();
        let Some(live) = self.table.get(id).filter(|live| live.is_open()) else {
            return Err(ended_first(id));
        };
        let before = live.grant();
        let mut extended = Grant::clone(&before);
        extended.until = ends_at(before.until, &giving.request);
        extended.approvals.extend(giving.request.approvals.iter().cloned());
        if size(&extended) > MAX_DECIDED {
            return Err(Error::new(Kind::Limit, format!("grant {id} has been extended too often"))
                .hint("Ask for a new grant with pgwarrant.request(…)."));
        }
        last.request = last.request.max(giving.request.id);
        let extended = Arc::new(extended);
        let request = Arc::new(giving.approved(id));
        let give = records(&request, &extended, giving.grounds.as_ref());
        self.saving.commit(giving.now(), &give, vec![Change::Grant(before), giving.undo()])?;

        let deadline = self.clock.deadline(extended.until);
        let mut due = self.timers.hold();
        let old = live.deadline();
        if live.prolong(extended, deadline) {
            due.remove(&(old, id));
            due.insert((deadline, id));
            self.timers.set_next(&due);
            drop(due);
            let grant = live.grant();
            self.approved(&request, giving.grounds);
            self.announce(Event::Extended { request: request.clone(), grant: grant.clone() });
            return Ok(Outcome { request, grant: Some(grant) });
        }
        // Somebody ended it, or its time was over, while the disk was asked.
        self.saving.later(Change::Grant(live.grant()));
        drop(due);
        let request = Arc::new(lapsed(&giving.request, giving.now()));
        self.saving.later(Change::Request(request.clone()));
        self.settle(&request);
        if let Some(grounds) = giving.grounds {
            self.announce(Event::Requested { request: request.clone(), grounds });
        }
        self.announce(Event::Decided { request });
        self.unsaved.notify_one();
        Err(ended_first(id))
    }

    fn approved(&self, request: &Arc<Request>, grounds: Option<Arc<Grounds>>) {
        self.settle(request);
        self.decide_columns();
        if let Some(grounds) = grounds {
            self.announce(Event::Requested { request: request.clone(), grounds });
        }
        self.announce(Event::Decided { request: request.clone() });
    }

    /// From the pending requests to the decided ones.
    pub(crate) fn settle(&self, request: &Arc<Request>) {
        write(&self.requests).decide(request.clone(), self.settings.history);
        self.waiting.tell(request);
    }

    fn room_for_grant(&self, who: &Who) -> Result<(), Error> {
        self.expire_if_due();
        let message = if self.table.len() >= self.settings.max_live {
            "too many grants are live".to_owned()
        } else if self.table.held_by(who) >= self.settings.max_live_per_holder {
            format!("{who} has too many live grants")
        } else {
            return Ok(());
        };
        Err(Error::new(Kind::Limit, message)
            .hint("Revoke or release grants that are no longer needed, then try again."))
    }
}

/// An approved request on its way.
pub(crate) struct Giving {
    request: Request,
    decision: Decision,
    review: Option<Review>,
    /// As it was filed before. None: it is new.
    pending: Option<Arc<Request>>,
    grounds: Option<Arc<Grounds>>,
}

impl Giving {
    /// By its approvers.
    pub(crate) fn decided(request: Request, decision: Decision, pending: Arc<Request>) -> Self {
        Self { request, decision, review: None, pending: Some(pending), grounds: None }
    }

    /// By rule, once its conditions have allowed it.
    pub(crate) fn allowed(
        request: Request,
        decision: Decision,
        review: Option<Review>,
        pending: Arc<Request>,
    ) -> Self {
        Self { request, decision, review, pending: Some(pending), grounds: None }
    }

    /// At once.
    pub(crate) fn by_rule(request: Request, review: Option<Review>, grounds: Arc<Grounds>) -> Self {
        let decision = Decision { by: None, at: request.requested_at, reason: None, from: None };
        Self { request, decision, review, pending: None, grounds: Some(grounds) }
    }

    fn now(&self) -> WallMs {
        self.decision.at
    }

    fn undo(&self) -> Change {
        let pending = self.pending.clone();
        Change::Request(pending.unwrap_or_else(|| Arc::new(lapsed(&self.request, self.now()))))
    }

    fn approved(&self, grant: GrantId) -> Request {
        Request {
            state: RequestState::Approved,
            decision: Some(self.decision.clone()),
            grant: Some(grant),
            ..self.request.clone()
        }
    }

    fn grant(&self, id: GrantId) -> Grant {
        let request = self.request.clone();
        let from = request.starts_at.map_or(self.now(), |at| at.max(self.now()));
        let until = ends_at(from, &request);
        Grant {
            id,
            request: request.id,
            who: request.who,
            asked_by: request.by,
            person: request.person,
            database: request.database,
            scope: request.scope,
            from,
            until,
            not_after: request.not_after,
            limits: request.limits,
            spent: Spent::default(),
            reason: request.reason,
            ticket: request.ticket,
            purpose: request.purpose,
            case: request.case,
            profile: request.profile,
            urgency: request.urgency,
            approvals: request.approvals,
            policies: request.why.policies,
            review: self.review.clone(),
            state: if from > self.now() { GrantState::Scheduled } else { GrantState::Live },
        }
    }
}

fn ends_at(from: WallMs, request: &Request) -> WallMs {
    let until = from.saturating_add(milliseconds(request.duration));
    request.not_after.map_or(until, |end| until.min(end))
}

fn records(request: &Arc<Request>, grant: &Arc<Grant>, grounds: Option<&Arc<Grounds>>) -> Vec<Change> {
    let mut records = vec![Change::Grant(grant.clone()), Change::Request(request.clone())];
    records.extend(grounds.map(|grounds| Change::Grounds(request.id, grounds.clone())));
    records
}

fn check_size(grant: &Grant) -> Result<(), Error> {
    if size(grant) <= MAX_DECIDED {
        return Ok(());
    }
    Err(Error::new(Kind::Limit, "the decision is too large to keep").hint("Decide with a shorter reason."))
}

fn ended_first(id: GrantId) -> Error {
    Error::new(Kind::State, format!("grant {id} ended before it could be extended"))
        .hint("Ask for a new grant with pgwarrant.request(…).")
}
