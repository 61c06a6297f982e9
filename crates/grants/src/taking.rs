//! Ending grants early: it bites first, and is written down then.

use std::sync::Arc;

use crate::interest::not_allowed;
use crate::live::Inner;
use crate::saving::{lock, read};
use crate::text::{MAX_NOTE, optional, time};
use crate::{
    End, EndReason, Error, Grant, GrantId, GrantState, Kind, Live, Principal, Request, RequestState, Then,
    Who, panels,
};

/// What [`Live::end_for`] and [`Live::end_lost`] ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    pub grants: Vec<Arc<Grant>>,
    pub requests: Vec<Arc<Request>>,
}

// All of these wait for the disk: call them where a thread may block.
impl Live {
    /// Ends somebody's grant, also before it begins. It has ended when this returns, also with an
    /// error of [`Kind::Store`].
    pub fn revoke(&self, by: &Principal, id: GrantId, reason: Option<&str>) -> Result<Arc<Grant>, Error> {
        if !self.0.may_revoke(by, id)? {
            let groups = self.0.settings.groups_that(|group| group.may_approve);
            return Err(not_allowed(by, "revoke grants").hint(format!("Members of {groups} may.")));
        }
        let reason = optional("reason", reason, MAX_NOTE)?;
        self.0.take_back(id, by, EndReason::Revoked, reason)
    }

    /// Ends one's own grant: the holder's, or a group's by the member who asked for it.
    pub fn release(&self, by: &Principal, id: GrantId) -> Result<Arc<Grant>, Error> {
        let own = self.0.find_grant(id)?.is_some_and(|grant| self.may_release(by, &grant));
        if !own {
            return Err(not_allowed(by, &format!("release grant {id}"))
                .detail("Only who asked for a grant may release it.")
                .hint("SELECT * FROM pgwarrant.grants lists your grants; approvers end others with pgwarrant.revoke(…)."));
        }
        self.0.take_back(id, by, EndReason::Released, None)
    }

    /// Ends what a user or a group holds, and their pending requests; for a user who is no longer
    /// configured or has lost a membership, and for a group that is gone. A user's approvals of what
    /// is still pending do not count any more. Sessions are the caller's to end: until then they could
    /// ask again.
    ///
    /// The grants have ended when this returns, also with an error of [`Kind::Store`].
    pub fn end_for(&self, who: &Who, reason: &str) -> Result<Removed, Error> {
        let reason = optional("reason", Some(reason), MAX_NOTE)?;
        let mut removed = Removed { grants: self.0.end_all_of(who, &reason), requests: Vec::new() };
        // A decision under way may still have given them something; nothing is decided from here on.
        let _deciding = lock(&self.0.deciding);
        removed.grants.extend(self.0.end_all_of(who, &reason));
        let pending: Vec<Arc<Request>> = read(&self.0.requests).pending.values().cloned().collect();
        for request in pending {
            let theirs = match who {
                Who::User(user) => request.by == *user,
                Who::Group(_) => request.who == *who,
            };
            if theirs {
                let state = RequestState::Withdrawn;
                removed.requests.push(self.0.end_request(request, state, None, reason.clone(), None)?);
            } else if let Who::User(user) = who {
                self.0.discount_approvals(request, user)?;
            }
        }
        self.0.saving.save(self.0.clock.now())?;
        Ok(removed)
    }
}

impl Inner {
    /// Who may approve, who could have approved this one, and who reviews it.
    fn may_revoke(&self, by: &Principal, id: GrantId) -> Result<bool, Error> {
        if self.settings.may_approve(by) {
            return Ok(true);
        }
        let Some(grant) = self.find_grant(id)? else { return Ok(false) };
        if grant.review.as_ref().is_some_and(|review| by.in_one_of(&review.reviewers)) {
            return Ok(true);
        }
        let request = self.find_request(grant.request)?;
        let now = self.clock.now();
        Ok(request.is_some_and(|request| panels::eligible(by, &request, &self.settings, true, now).is_some()))
    }

    fn take_back(
        &self,
        id: GrantId,
        by: &Principal,
        why: EndReason,
        reason: Option<String>,
    ) -> Result<Arc<Grant>, Error> {
        let now = self.clock.now();
        let Some(grant) = self.end(id, End { why, at: now, by: Some(by.user.clone()), reason }) else {
            return Err(match self.find_grant(id)? {
                // Recorded, but its approval has not returned yet.
                Some(grant) if !matches!(grant.state, GrantState::Ended(_)) && grant.until > now => {
                    Error::new(Kind::State, format!("grant {id} is not live yet")).hint("Try again.")
                }
                Some(grant) => already_ended(&grant),
                None => Error::new(Kind::Unknown, format!("grant {id} does not exist")).hint(
                    "SELECT * FROM pgwarrant.grants lists them; a request that is still pending is denied.",
                ),
            });
        };
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

    /// Live or scheduled. None: it has ended, or never was.
    pub(crate) fn end(&self, id: GrantId, end: End) -> Option<Arc<Grant>> {
        self.expire_if_due();
        // It may begin in between, so the later state is asked last.
        if let Some(grant) = self.end_scheduled(id, end.clone()) {
            return Some(grant);
        }
        let live = self.table.get(id).filter(|live| self.end_now(live, end))?;
        Some(live.grant())
    }

    fn end_all_of(&self, who: &Who, reason: &Option<String>) -> Vec<Arc<Grant>> {
        let scheduled = self.table.all_scheduled().into_iter();
        let live = self.table.all().into_iter().map(|live| live.grant.clone());
        let end = || End { why: EndReason::Removed, at: self.clock.now(), by: None, reason: reason.clone() };
        scheduled
            .chain(live)
            .filter(|grant| grant.who == *who)
            .filter_map(|grant| self.end(grant.id, end()))
            .collect()
    }

    fn discount_approvals(&self, request: Arc<Request>, user: &str) -> Result<(), Error> {
        if request.approvals.iter().all(|approval| approval.by != user) {
            return Ok(());
        }
        let mut without = Request::clone(&request);
        without.approvals.retain(|approval| approval.by != user);
        if let Some(conditions) =
            without.conditions.as_mut().filter(|conditions| conditions.then == Then::Asked)
            && !panels::satisfied(&without.panels, &without.approvals)
        {
            conditions.wait_for_people();
        }
        let without = Arc::new(without);
        crate::saving::write(&self.requests).pending.insert(request.id, without.clone());
        self.saving.later(crate::store::Change::Request(without));
        Ok(())
    }
}

pub(crate) fn already_ended(grant: &Grant) -> Error {
    let how = match &grant.state {
        GrantState::Ended(end) => end.to_string(),
        GrantState::Scheduled | GrantState::Live => format!("expired at {}", time(grant.until)),
    };
    Error::new(Kind::State, format!("grant {} has already ended: {how}", grant.id))
        .hint("Nothing is left to do; SELECT * FROM pgwarrant.grants lists the live ones.")
}
