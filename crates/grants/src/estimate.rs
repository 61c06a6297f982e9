//! How many rows a request is about, as far as its own words and PostgreSQL's count of a relation's
//! rows say.
//!
//! The planner would know better, and is not asked: what it says of a condition tells of the values
//! that its statistics hold, also of protected columns, and it runs code of whoever owns the relation
//! (index expressions, constraints), which would be with the proxy's own rights.

use std::collections::BTreeSet;

use pgwarrant_catalog::{Catalogue, Oid};
use pgwarrant_sql::predicate;

use crate::ask::understand;
use crate::scope::resolve;
use crate::{Ask, GrantId, Live, Principal, Scope};

/// The rows that a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Estimate {
    /// So many at most: they are named by their primary key.
    AtMost(u64),
    /// Those of these relations at most.
    RowsOf(BTreeSet<Oid>),
}

impl Live {
    /// Of a request as [`Live::request`] would file it. None: it would not.
    pub fn estimate(&self, by: &Principal, catalogue: &Catalogue, ask: &Ask) -> Option<Estimate> {
        let settings = &self.0.settings;
        let profile = settings.profile_of(ask, by).ok()?;
        let ask = match profile {
            Some(profile) => profile.fill(ask.clone()).ok()?,
            None => ask.clone(),
        };
        let longest = profile.map_or_else(|| settings.longest_for(by), |profile| profile.max_duration);
        let meaning = understand(&ask, settings, longest, self.0.clock.now()).ok()?;
        estimate(&resolve(&meaning, catalogue).ok()?, catalogue)
    }

    /// Of a request for more time of a grant. None: there is no such grant.
    pub fn estimate_more(&self, id: GrantId, catalogue: &Catalogue) -> Option<Estimate> {
        let grant = self.0.find_in_memory(id)?;
        estimate(&grant.scope, catalogue)
    }
}

fn estimate(scope: &Scope, catalogue: &Catalogue) -> Option<Estimate> {
    if let Some(rows) = &scope.rows {
        let relation = catalogue.relations.get(&rows.relation)?;
        let predicate = predicate::parse(&rows.text, relation).ok()?;
        if let Some(most) = predicate.at_most(&relation.primary_key) {
            return Some(Estimate::AtMost(most));
        }
    }
    let relations = scope.covered(catalogue).into_iter().map(|(relation, ..)| relation.oid);
    Some(Estimate::RowsOf(relations.collect()))
}
