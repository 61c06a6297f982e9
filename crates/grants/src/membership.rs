//! Who has lost a group keeps nothing that it gave.

use std::sync::Arc;

use crate::live::Inner;
use crate::model::person_of;
use crate::saving::{lock, read};
use crate::text::{MAX_NOTE, optional};
use crate::{
    End, EndReason, Error, Facts, Grant, Grounds, Live, Principal, Removed, Request, RequestId, RequestState,
    Ruling, Who,
};

impl Live {
    /// Ends what a user holds, and withdraws what they have asked for, where it was asked for in a
    /// group that they have lost: where the same request would be refused with the groups of `who`,
    /// and was not with those of then. And all that an account of this name held whose person was
    /// another. For users whose groups are somebody else's to say, when they sign in. (What a group
    /// holds is for its members of the moment in any case.)
    ///
    /// Waits for the disk. The grants have ended when this returns, also with an error of
    /// [`crate::Kind::Store`].
    pub fn end_lost(&self, who: &Principal, reason: &str) -> Result<Removed, Error> {
        let reason = optional("reason", Some(reason), MAX_NOTE)?;
        // Nothing is decided meanwhile.
        let _deciding = lock(&self.0.deciding);
        let mut removed = Removed::default();
        for grant in self.0.held_by(&who.user) {
            if self.0.is_lost(who, &grant.person, &grant.asked_by, grant.request)? {
                let at = self.0.clock.now();
                let end = End { why: EndReason::Removed, at, by: None, reason: reason.clone() };
                removed.grants.extend(self.0.end(grant.id, end));
            }
        }
        let pending: Vec<Arc<Request>> = {
            let requests = read(&self.0.requests);
            requests.pending.values().filter(|request| request.by == who.user).cloned().collect()
        };
        for request in pending {
            if self.0.is_lost(who, &request.person, &request.by, request.id)? {
                let state = RequestState::Withdrawn;
                removed.requests.push(self.0.end_request(request, state, None, reason.clone(), None)?);
            }
        }
        if !removed.grants.is_empty() {
            self.0.saving.save(self.0.clock.now())?;
        }
        Ok(removed)
    }
}

impl Inner {
    /// Live and scheduled.
    fn held_by(&self, user: &str) -> Vec<Arc<Grant>> {
        let scheduled = self.table.all_scheduled().into_iter();
        let live = self.table.all().into_iter().map(|live| live.grant.clone());
        scheduled.chain(live).filter(|grant| matches!(&grant.who, Who::User(name) if name == user)).collect()
    }

    fn is_lost(&self, who: &Principal, person: &str, by: &str, request: RequestId) -> Result<bool, Error> {
        if person_of(person, by) != who.person() {
            return Ok(true);
        }
        let grounds =
            self.saving.store().grounds(request).map_err(|error| crate::saving::store_failed(&error))?;
        Ok(match grounds {
            Some(grounds) => self.would_be_refused(who, grounds),
            // From before rulings were kept.
            None => !self.settings.may_request(who),
        })
    }

    fn would_be_refused(&self, who: &Principal, grounds: Grounds) -> bool {
        let then = grounds.facts;
        let mut today = Facts::clone(&then);
        today.by.groups.clone_from(&who.groups);
        self.refuses(&today) && !self.refuses(&then)
    }

    fn refuses(&self, facts: &Facts) -> bool {
        let by = Principal::new(facts.by.user.clone(), facts.by.groups.clone());
        let lets_have = |name: &String| self.settings.profiles_for(&by).any(|profile| profile.name == *name);
        let profile = facts.profile.as_ref();
        !profile.is_none_or(lets_have) || matches!(self.arbiter.rule(facts), Ruling::Refuse { .. })
    }
}
