//! Whom a request or a grant concerns besides those who hold it: whom to tell.

use crate::interest::Interested;
use crate::{Grant, Live, Principal, Request, RequestState, panels};

impl Live {
    /// Does a pending request wait for somebody's word?
    pub fn may_decide(&self, who: &Principal, request: &Request) -> bool {
        let (settings, now) = (&self.0.settings, self.0.clock.now());
        request.state == RequestState::Pending
            && panels::eligible(who, request, settings, true, now).is_some()
            && self.0.check_disinterested(who, &Interested::in_request(request), "").is_ok()
    }

    /// Does a break-glass grant wait for somebody's review?
    pub fn may_review(&self, who: &Principal, grant: &Grant) -> bool {
        grant.review.as_ref().is_some_and(|review| review.verdict.is_none() && self.0.reviews(who, review))
            && self.0.check_disinterested(who, &Interested::in_grant(grant), "").is_ok()
    }
}
