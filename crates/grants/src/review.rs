//! Break-glass grants are given first and judged afterwards, by somebody else.

use std::sync::Arc;

use crate::interest::{Interested, not_allowed};
use crate::live::Inner;
use crate::panels::groups_text;
use crate::saving::{lock, read, write};
use crate::store::Change;
use crate::text::{MAX_NOTE, required};
use crate::{Context, Error, Event, Grant, GrantId, Kind, Live, Principal, Review, Verdict};

impl Live {
    /// Closes the review of a break-glass grant, live or ended. Waits for the disk.
    pub fn review(
        &self,
        by: &Principal,
        id: GrantId,
        justified: bool,
        comment: &str,
        context: &Context,
    ) -> Result<Arc<Grant>, Error> {
        let _deciding = lock(&self.0.deciding);
        let what = format!("review grant {id}");
        let grant = self.0.find_grant(id)?;
        let review = grant.as_ref().and_then(|grant| grant.review.as_ref());
        let settings = &self.0.settings;
        if !review.map_or_else(|| settings.may_approve(by), |review| self.0.reviews(by, review)) {
            let groups = match review {
                Some(review) if !review.reviewers.is_empty() => groups_text(&review.reviewers),
                _ => settings.groups_that(|group| group.may_approve),
            };
            // Who may not review learns nothing of the grant.
            return Err(not_allowed(by, &what)
                .hint("SELECT * FROM pgwarrant.grants lists those that you may review.")
                .detail(if self.0.settings.may_audit(by) {
                    format!("Members of {groups} may.")
                } else {
                    "It is not among what your groups review.".to_owned()
                }));
        }
        let comment = required("comment", comment, MAX_NOTE)?;
        let grant = grant.ok_or_else(|| {
            Error::new(Kind::Unknown, format!("grant {id} does not exist"))
                .hint("SELECT * FROM pgwarrant.grants lists them.")
        })?;
        match &grant.review {
            None => {
                return Err(Error::new(Kind::State, format!("grant {id} needs no review"))
                    .hint("Only break-glass grants are reviewed; pgwarrant.revoke(…) ends others."));
            }
            Some(Review { verdict: Some(verdict), .. }) => {
                return Err(Error::new(
                    Kind::State,
                    format!("grant {id} has already been reviewed by {}", verdict.by),
                )
                .hint("Nothing is left to do; SELECT * FROM pgwarrant.grants lists the grants."));
            }
            Some(_) => {}
        }
        self.0.check_disinterested(by, &Interested::in_grant(&grant), &what)?;
        let verdict = Verdict {
            by: by.user.clone(),
            person: by.person().to_owned(),
            at: self.0.clock.now(),
            justified,
            comment,
            from: *context,
        };
        let grant = self.0.record_verdict(grant, verdict);
        self.0.saving.save(self.0.clock.now())?;
        Ok(grant)
    }

    /// Break-glass grants whose review is open, newest first: those that `viewer` may see.
    pub fn unreviewed_for(&self, viewer: &Principal) -> Vec<Arc<Grant>> {
        let mut grants = self.grants_for(viewer);
        grants.retain(|grant| grant.is_unreviewed());
        grants
    }
}

impl Inner {
    pub(crate) fn reviews(&self, by: &Principal, review: &Review) -> bool {
        match review.reviewers.is_empty() {
            true => self.settings.may_approve(by),
            false => by.in_one_of(&review.reviewers),
        }
    }

    /// On whichever list it is by now.
    fn record_verdict(&self, grant: Arc<Grant>, verdict: Verdict) -> Arc<Grant> {
        let due = self.timers.hold();
        let close = |grant: &mut Grant| {
            if let Some(review) = &mut grant.review {
                review.verdict = Some(verdict.clone());
            }
        };
        let reviewed = match self.table.get(grant.id) {
            Some(live) => {
                live.amend(close);
                live.grant()
            }
            None => {
                let known = write(&self.unreviewed).remove(&grant.id).unwrap_or(grant);
                let mut reviewed = Grant::clone(&known);
                close(&mut reviewed);
                let reviewed = Arc::new(reviewed);
                for ended in write(&self.ended).iter_mut().filter(|ended| ended.id == reviewed.id) {
                    *ended = reviewed.clone();
                }
                reviewed
            }
        };
        self.saving.later(Change::Grant(reviewed.clone()));
        drop(due);
        self.announce(Event::Reviewed { grant: reviewed.clone() });
        reviewed
    }

    /// How many break-glass grants wait for their review.
    pub(crate) fn count_unreviewed(&self) -> usize {
        let live = self.table.all().iter().filter(|live| live.grant().is_unreviewed()).count();
        live + read(&self.unreviewed).len()
    }
}
