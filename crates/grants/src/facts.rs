//! What an arbiter is told of a request, and what is kept of that.

use std::time::Duration;

use pgwarrant_catalog::{Catalogue, Column, Relation};
use serde::{Deserialize, Serialize};

use crate::live::Inner;
use crate::text::cut;
use crate::{
    Action, AskedColumn, Asker, Context, Error, Facts, Kind, LocalTime, Principal, Request, Ruling, WallMs,
    Why,
};

/// A kept record is at most so long; see `MAX_RECORD` in `filing` for the reason.
const MAX_KEPT: usize = 7 * 1024;
const MAX_POLICIES: usize = 8;
const MAX_POLICY_ID: usize = 64;
const MAX_REASONS: usize = 500;

/// What was ruled about a request, and on which facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grounds {
    pub facts: Facts,
    pub ruling: Ruling,
}

impl Grounds {
    /// With as many of the columns as the record has room for. Err: it is too large without any.
    pub(crate) fn kept(mut self) -> Result<Self, Error> {
        let size = |grounds: &Self| serde_json::to_vec(grounds).map_or(usize::MAX, |record| record.len());
        let columns = std::mem::take(&mut self.facts.columns);
        let mut room = MAX_KEPT.checked_sub(size(&self) + 32).ok_or_else(too_large)?;
        let all = columns.len();
        for column in columns {
            let long = serde_json::to_vec(&column).map_or(usize::MAX, |column| column.len() + 1);
            let Some(left) = room.checked_sub(long) else { break };
            room = left;
            self.facts.columns.push(column);
        }
        self.facts.more_columns = u32::try_from(all - self.facts.columns.len()).unwrap_or(u32::MAX);
        Ok(self)
    }
}

fn too_large() -> Error {
    Error::new(Kind::Limit, "the request is too large")
        .detail("What it was decided on takes too much to keep.")
        .hint("Shorten the reason and the row predicate, or ask in two requests.")
}

impl Why {
    /// As much of it as goes into a request's record.
    pub(crate) fn short(&self) -> Why {
        let mut room = MAX_REASONS;
        let mut reasons = Vec::new();
        for reason in &self.reasons {
            let reason = cut(reason, room);
            if reason.is_empty() {
                break;
            }
            room -= reason.len();
            reasons.push(reason.to_owned());
        }
        let policies = self.policies.iter().take(MAX_POLICIES);
        Why { policies: policies.map(|id| cut(id, MAX_POLICY_ID).to_owned()).collect(), reasons }
    }
}

pub(crate) type Covered<'a> = Vec<(&'a Relation, &'a Column, &'a str)>;

/// The columns in one order, whatever the catalogue's is.
pub(crate) fn asked_columns(covered: &Covered<'_>) -> Vec<AskedColumn> {
    let asked = covered.iter().map(|(relation, column, category)| AskedColumn {
        relation: format!("{}.{}", relation.schema, relation.name),
        column: column.name.clone(),
        category: (*category).to_owned(),
        sensitivity: column.protection.as_ref().map(|known| known.sensitivity).unwrap_or_default(),
    });
    let mut asked: Vec<AskedColumn> = asked.collect();
    asked.sort();
    asked
}

impl Inner {
    /// `request` as it was or will be filed.
    pub(crate) fn facts(
        &self,
        by: &Principal,
        context: &Context,
        request: &Request,
        catalogue: &Catalogue,
        now: WallMs,
    ) -> Facts {
        let covered = request.scope.covered(catalogue);
        let counts = self.recent.counts(by.person(), &request.database, &covered, now, |id| self.is_open(id));
        let ahead = request.starts_at.map_or(0, |at| at.saturating_sub(request.requested_at));
        Facts {
            by: Asker {
                user: by.user.clone(),
                person: by.person().to_owned(),
                groups: by.groups.clone(),
                sign_in: context.sign_in,
            },
            holder: request.who.clone(),
            database: request.database.clone(),
            actions: Action::of(request.scope.actions),
            columns: asked_columns(&covered),
            more_columns: 0,
            rows: request.scope.rows_text().map(str::to_owned),
            estimated_rows: context.estimated_rows,
            duration: request.duration,
            starts_in: Duration::from_millis(u64::try_from(ahead).unwrap_or(0)),
            uses: request.limits.uses,
            rows_limit: request.limits.rows,
            reason: request.reason.clone(),
            purpose: request.purpose.clone(),
            ticket: request.ticket.clone(),
            case: request.case.clone(),
            profile: request.profile.clone(),
            urgency: request.urgency,
            extends: request.extends,
            at: now,
            local: LocalTime::at(now, &self.settings.time_zone),
            source: context.source,
            second_factor_age: context.second_factor_age,
            recent_grants: counts.recent,
            live_grants: counts.live,
        }
    }
}
