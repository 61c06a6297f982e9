//! What the same request would get today.

use pgwarrant_catalog::Catalogue;

use crate::model::person_of;
use crate::{Arbiter, Context, Error, Facts, Grounds, Kind, Live, Principal, RequestId, Ruling};

/// The same question, asked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// None: the request is from before rulings were kept.
    pub then: Option<Grounds>,
    pub facts: Facts,
    pub now: Ruling,
}

impl Live {
    /// Asks the arbiter that decides today, or a draft of another, about a request of the past: with
    /// the columns that its scope covers in `catalogue`, with the person's grants of today, everything
    /// else as it was then (time of day, place, second factor, groups). Nothing comes of it. Waits for
    /// the disk.
    pub fn replay(
        &self,
        id: RequestId,
        catalogue: &Catalogue,
        draft: Option<&dyn Arbiter>,
    ) -> Result<Replay, Error> {
        let request = self.0.find_request(id)?.ok_or_else(|| {
            Error::new(Kind::Unknown, format!("request {id} does not exist"))
                .hint("SELECT * FROM pgwarrant.requests lists them.")
        })?;
        let then = self.grounds(id)?;
        let (by, context) = match &then {
            Some(Grounds { facts, .. }) => (
                Principal {
                    user: facts.by.user.clone(),
                    person: facts.by.person.clone(),
                    groups: facts.by.groups.clone(),
                },
                Context {
                    source: facts.source,
                    sign_in: facts.by.sign_in,
                    second_factor_age: facts.second_factor_age,
                    estimated_rows: facts.estimated_rows,
                },
            ),
            None => {
                let person = person_of(&request.person, &request.by).to_owned();
                let group = match &request.who {
                    crate::Who::User(_) => None,
                    crate::Who::Group(group) => Some(group.clone()),
                };
                let groups = group.into_iter().collect();
                (Principal { user: request.by.clone(), person, groups }, Context::default())
            }
        };
        let mut facts = self.0.facts(&by, &context, &request, catalogue, self.0.clock.now());
        if let Some(then) = &then {
            facts.at = then.facts.at;
            facts.local = then.facts.local;
        }
        let arbiter = draft.unwrap_or(&*self.0.arbiter);
        let now = arbiter.rule(&facts);
        Ok(Replay { then, facts, now })
    }
}
