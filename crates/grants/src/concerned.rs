//! Whom a request or a grant concerns besides those who hold it: whom to tell, what to offer them.

use crate::decide::is_own;
use crate::interest::Interested;
use crate::{Conditions, Grant, Live, Principal, Request, RequestState, Who, panels};

impl Live {
    /// Does a pending request wait for somebody's word?
    pub fn may_decide(&self, who: &Principal, request: &Request) -> bool {
        let (settings, now) = (&self.0.settings, self.0.clock.now());
        request.state == RequestState::Pending
            && !request.conditions.as_ref().is_some_and(Conditions::decide_now)
            && panels::eligible(who, request, settings, true, now).is_some()
            && self.0.check_disinterested(who, &Interested::in_request(request), "").is_ok()
    }

    /// Did somebody ask for it, with whatever account, or would they gain by it?
    pub fn gains_by(&self, who: &Principal, request: &Request) -> bool {
        self.0.check_disinterested(who, &Interested::in_request(request), "").is_err()
    }

    /// Does a break-glass grant wait for somebody's review?
    pub fn may_review(&self, who: &Principal, grant: &Grant) -> bool {
        grant.review.as_ref().is_some_and(|review| review.verdict.is_none() && self.0.reviews(who, review))
            && self.0.check_disinterested(who, &Interested::in_grant(grant), "").is_ok()
    }

    /// Is a pending request somebody's own, to take back?
    pub fn may_withdraw(&self, who: &Principal, request: &Request) -> bool {
        request.state == RequestState::Pending && is_own(who, request)
    }

    /// May somebody end this grant? As [`Live::revoke`], but of what is in memory: in doubt no.
    pub fn may_revoke(&self, who: &Principal, grant: &Grant) -> bool {
        let reviews = grant.review.as_ref().is_some_and(|review| who.in_one_of(&review.reviewers));
        let (settings, now) = (&self.0.settings, self.0.clock.now());
        let decides = |request: &Request| panels::eligible(who, request, settings, true, now).is_some();
        settings.may_approve(who)
            || reviews
            || self.0.known_request(grant.request).is_some_and(|request| decides(&request))
    }

    /// Is a grant somebody's own, to give back?
    pub fn may_release(&self, who: &Principal, grant: &Grant) -> bool {
        match &grant.who {
            Who::User(user) => *user == who.user,
            Who::Group(_) => grant.asked_by == who.user,
        }
    }

    /// Is a grant somebody's own, to ask for more of?
    pub fn may_extend(&self, who: &Principal, grant: &Grant) -> bool {
        grant.is_of(who)
    }

    /// As in [`Live::grants_for`].
    pub fn may_see_grant(&self, viewer: &Principal, grant: &Grant) -> bool {
        let reviews = grant.review.as_ref().is_some_and(|review| viewer.in_one_of(&review.reviewers));
        reviews || self.may_see(viewer, &grant.who, &grant.asked_by)
    }

    /// As in [`Live::requests_for`].
    pub fn may_see_request(&self, viewer: &Principal, request: &Request) -> bool {
        let (settings, now) = (&self.0.settings, self.0.clock.now());
        self.may_see(viewer, &request.who, &request.by)
            || panels::eligible(viewer, request, settings, true, now).is_some()
    }

    fn may_see(&self, viewer: &Principal, who: &Who, asked_by: &str) -> bool {
        let settings = &self.0.settings;
        settings.may_approve(viewer)
            || settings.may_audit(viewer)
            || who.includes(viewer)
            || asked_by == viewer.user
    }
}

impl Request {
    /// Has this person approved it already?
    pub fn has_approved(&self, who: &Principal) -> bool {
        self.approvals.iter().any(|other| who.may_be(&other.by, &other.person))
    }
}
