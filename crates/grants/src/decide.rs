//! Asking, deciding, taking back.

use std::sync::Arc;

use pgwarrant_catalog::Catalogue;

use crate::ask::{Ask, understand};
use crate::live::{Inner, LastNumbers, Requests, lapsed};
use crate::saving::{lock, read, write};
use crate::scope::resolve;
use crate::store::Change;
use crate::text::{MAX_NOTE, optional, same_name, time};
use crate::{
    Approval, Decision, End, EndReason, Error, Event, Grant, GrantId, GrantState, Kind, Live, Principal,
    Request, RequestId, RequestState, Spent, WallMs, Who,
};

/// A stored request is at most so long; approved, with the reasons of its decision and its end, it
/// stays below 8 KiB. sled keeps up to 16 records a page, and writes pages above 128 KiB to files
/// of their own, which its flush does not sync.
const MAX_RECORD: usize = 5 * 1024;

/// An approved request and the grant it became.
#[derive(Clone, Debug)]
pub struct Approved {
    pub request: Arc<Request>,
    pub grant: Arc<Grant>,
}

// All of these wait for the disk: call them where a thread may block.
impl Live {
    /// Files a request for `by`, or for a group of theirs, on `database` (the name clients know it
    /// by).
    pub fn request(
        &self,
        by: &Principal,
        database: &str,
        catalogue: &Catalogue,
        ask: Ask,
    ) -> Result<Arc<Request>, Error> {
        let settings = &self.0.settings;
        if !settings.may_request(by) {
            return Err(not_allowed(by, "request grants").hint(format!(
                "Members of {} may request.",
                settings.groups_that(|group| group.may_request)
            )));
        }
        let meaning = understand(&ask, settings)?;
        let scope = resolve(&meaning, catalogue)?;
        let who = holder(by, ask.group.as_deref())?;

        let mut last = lock(&self.0.deciding);
        self.0.lapse_due();
        self.0.room_for_request(by)?;
        let now = self.0.clock.now();
        let request = Request {
            id: last.request + 1,
            by: by.user.clone(),
            who,
            database: database.to_owned(),
            scope,
            duration: meaning.duration,
            limits: meaning.limits,
            reason: meaning.reason,
            ticket: meaning.ticket,
            requested_at: now,
            lapses_at: now.saturating_add(milliseconds(settings.request_lapses_after)),
            state: RequestState::Pending,
            decision: None,
            grant: None,
        };
        check_size(&request)?;
        last.request = request.id;
        let undo = Change::Request(Arc::new(lapsed(&request)));
        let request = Arc::new(request);
        self.0.saving.commit(now, &[Change::Request(request.clone())], vec![undo])?;
        write(&self.0.requests).pending.insert(request.id, request.clone());
        self.0.decide_columns();
        self.0.announce(Event::Requested { request: request.clone() });
        Ok(request)
    }

    /// The grant is live when this returns. Of several approvers at the same instant one decides,
    /// the others are told.
    pub fn approve(&self, by: &Principal, id: RequestId, reason: Option<&str>) -> Result<Approved, Error> {
        self.0.check_approver(by, "approve requests")?;
        let reason = optional("reason", reason, MAX_NOTE)?;
        let mut last = lock(&self.0.deciding);
        let pending = self.0.pending(id)?;
        check_disinterested(by, &pending)?;
        self.0.room_for_grant(&pending.who)?;
        let now = self.0.clock.now();
        let grant = Arc::new(self.0.grant_for(&pending, by, reason.clone(), &mut last, now));
        let request = Arc::new(Request {
            state: RequestState::Approved,
            decision: Some(Decision { by: Some(by.user.clone()), at: now, reason }),
            grant: Some(grant.id),
            ..Request::clone(&pending)
        });
        let not_given =
            GrantState::Ended(End { why: EndReason::NotRecorded, at: now, by: None, reason: None });
        let undo = vec![
            Change::Grant(Arc::new(Grant { state: not_given, ..Grant::clone(&grant) })),
            Change::Request(pending),
        ];
        let give = [Change::Grant(grant.clone()), Change::Request(request.clone())];
        self.0.saving.commit(now, &give, undo)?;
        // In one of the two lists at any moment: what it decides by must not be forgotten in between.
        self.0.start(grant.clone());
        write(&self.0.requests).decide(request.clone(), self.0.settings.history);
        self.0.decide_columns();
        self.0.announce(Event::Decided { request: request.clone() });
        self.0.announce(Event::Started { grant: grant.clone() });
        Ok(Approved { request, grant })
    }

    /// Who asked takes the request back by denying it.
    pub fn deny(&self, by: &Principal, id: RequestId, reason: Option<&str>) -> Result<Arc<Request>, Error> {
        let reason = optional("reason", reason, MAX_NOTE)?;
        let may_approve = self.0.check_approver(by, "deny requests");
        let _deciding = lock(&self.0.deciding);
        // Who may not decide learns nothing of other people's requests, not even that they exist.
        let own = self.0.find_request(id)?.is_some_and(|request| request.by == by.user);
        if !own {
            may_approve?;
        }
        let pending = self.0.pending(id)?;
        let now = self.0.clock.now();
        let request = Arc::new(Request {
            state: if own { RequestState::Withdrawn } else { RequestState::Denied },
            decision: Some(Decision { by: Some(by.user.clone()), at: now, reason }),
            ..Request::clone(&pending)
        });
        self.0.saving.commit(now, &[Change::Request(request.clone())], vec![Change::Request(pending)])?;
        write(&self.0.requests).decide(request.clone(), self.0.settings.history);
        self.0.decide_columns();
        self.0.announce(Event::Decided { request: request.clone() });
        Ok(request)
    }

    /// Ends somebody's grant. It has ended when this returns, also with an error of
    /// [`Kind::Store`].
    pub fn revoke(&self, by: &Principal, id: GrantId, reason: Option<&str>) -> Result<Arc<Grant>, Error> {
        self.0.check_approver(by, "revoke grants")?;
        let reason = optional("reason", reason, MAX_NOTE)?;
        self.0.take_back(id, by, EndReason::Revoked, reason)
    }

    /// Ends one's own grant: the holder's, or a group's by the member who asked for it.
    pub fn release(&self, by: &Principal, id: GrantId) -> Result<Arc<Grant>, Error> {
        let own = self.0.find_grant(id)?.is_some_and(|grant| match &grant.who {
            Who::User(user) => *user == by.user,
            Who::Group(_) => grant.asked_by == by.user,
        });
        if !own {
            return Err(not_allowed(by, &format!("release grant {id}"))
                .detail("Only who asked for a grant may release it.")
                .hint("SELECT * FROM pgwarrant.grants lists your grants; approvers end others with pgwarrant.revoke(…)."));
        }
        self.0.take_back(id, by, EndReason::Released, None)
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
    fn check_approver(&self, by: &Principal, what: &str) -> Result<(), Error> {
        if self.settings.may_approve(by) {
            return Ok(());
        }
        let groups = self.settings.groups_that(|group| group.may_approve);
        Err(not_allowed(by, what).hint(format!("Members of {groups} may.")))
    }

    fn room_for_request(&self, by: &Principal) -> Result<(), Error> {
        let requests = read(&self.requests);
        let own = requests.pending.values().filter(|request| request.by == by.user).count();
        if own >= self.settings.max_pending_per_user {
            return Err(Error::new(
                Kind::Limit,
                format!("user \"{}\" has too many pending requests", by.user),
            )
            .detail(format!("{own} of your requests wait for a decision."))
            .hint("Wait for decisions, or take one back with pgwarrant.deny(…)."));
        }
        if requests.pending.len() >= self.settings.max_pending {
            return Err(Error::new(Kind::Limit, "too many requests are pending")
                .hint("Ask the approvers to decide some."));
        }
        Ok(())
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
            .hint("Revoke grants that are no longer needed, then approve again."))
    }

    /// The request, if it can be decided now. The caller holds `deciding`.
    fn pending(&self, id: RequestId) -> Result<Arc<Request>, Error> {
        self.lapse_due();
        let Some(request) = self.find_request(id)? else {
            return Err(Error::new(Kind::Unknown, format!("request {id} does not exist"))
                .hint("SELECT * FROM pgwarrant.requests lists them."));
        };
        let Some(decision) = &request.decision else { return Ok(request) };
        let by = decision.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let state = request.state.text();
        Err(Error::new(
            Kind::State,
            format!("request {id} has already been decided: {state}{by} at {}", time(decision.at)),
        )
        .hint("If it is still needed, it must be asked for again with pgwarrant.request(…)."))
    }

    fn grant_for(
        &self,
        request: &Request,
        by: &Principal,
        reason: Option<String>,
        last: &mut LastNumbers,
        now: WallMs,
    ) -> Grant {
        last.grant += 1;
        Grant {
            id: last.grant,
            request: request.id,
            who: request.who.clone(),
            asked_by: request.by.clone(),
            database: request.database.clone(),
            scope: request.scope.clone(),
            from: now,
            until: now.saturating_add(milliseconds(request.duration)),
            limits: request.limits,
            spent: Spent::default(),
            reason: request.reason.clone(),
            ticket: request.ticket.clone(),
            approvals: vec![Approval { by: by.user.clone(), at: now, reason }],
            state: GrantState::Live,
        }
    }

    fn take_back(
        &self,
        id: GrantId,
        by: &Principal,
        why: EndReason,
        reason: Option<String>,
    ) -> Result<Arc<Grant>, Error> {
        self.expire_if_due();
        let now = self.clock.now();
        let end = End { why, at: now, by: Some(by.user.clone()), reason };
        let live = self.table.get(id).filter(|live| self.end_now(live, end));
        let Some(live) = live else {
            return Err(match self.find_grant(id)? {
                // Recorded, but its approval has not returned yet.
                Some(grant) if grant.state == GrantState::Live && grant.until > now => {
                    Error::new(Kind::State, format!("grant {id} is not live yet")).hint("Try again.")
                }
                Some(grant) => already_ended(&grant),
                None => Error::new(Kind::Unknown, format!("grant {id} does not exist")).hint(
                    "SELECT * FROM pgwarrant.grants lists them; a request that is still pending is denied.",
                ),
            });
        };
        let grant = live.grant();
        match self.saving.save(self.clock.now()) {
            Ok(()) => Ok(grant),
            Err(error) => Err(Error::new(
                error.kind,
                format!("grant {id} has ended, but that could not be recorded"),
            )
            .detail("It stays ended while this proxy runs, and is recorded as soon as the store works again.")
            .hint("Tell the proxy's operator: after a restart before that, the grant would be live again.")),
        }
    }
}

fn already_ended(grant: &Grant) -> Error {
    let how = match &grant.state {
        GrantState::Ended(end) => end.to_string(),
        GrantState::Live => format!("expired at {}", time(grant.until)),
    };
    Error::new(Kind::State, format!("grant {} has already ended: {how}", grant.id))
        .hint("Nothing is left to do; SELECT * FROM pgwarrant.grants lists the live ones.")
}

fn not_allowed(by: &Principal, what: &str) -> Error {
    Error::new(Kind::NotAllowed, format!("user \"{}\" may not {what}", by.user))
}

/// Who asked, or who would hold the grant, may not be the one who approves.
fn check_disinterested(by: &Principal, request: &Request) -> Result<(), Error> {
    let detail = match &request.who {
        _ if same_name(&by.user, &request.by) => "You asked for it yourself.".to_owned(),
        Who::User(user) if same_name(&by.user, user) => "The grant would be yours.".to_owned(),
        Who::Group(group) if by.groups.iter().any(|own| same_name(own, group)) => {
            format!("The grant would be group {group}'s, and you are a member.")
        }
        _ => return Ok(()),
    };
    Err(not_allowed(by, &format!("approve request {}", request.id))
        .detail(detail)
        .hint("Have somebody else approve it, who does not gain from it."))
}

/// For whom `by` asks.
fn holder(by: &Principal, group: Option<&str>) -> Result<Who, Error> {
    match group {
        None => Ok(Who::User(by.user.clone())),
        Some(group) if by.groups.iter().any(|own| own == group) => Ok(Who::Group(group.to_owned())),
        Some(_) => Err(not_allowed(by, "ask for a group without being a member of it").hint(
            "Leave the group out to ask for yourself; SELECT groups FROM pgwarrant.whoami lists yours.",
        )),
    }
}

fn check_size(request: &Request) -> Result<(), Error> {
    match serde_json::to_vec(request) {
        Ok(record) if record.len() <= MAX_RECORD => Ok(()),
        _ => Err(Error::new(Kind::Limit, "the request is too large")
            .detail(format!("It takes more than {MAX_RECORD} bytes to keep."))
            .hint("Name whole relations ('customers.*') instead of many columns, or ask in two requests.")),
    }
}

fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
