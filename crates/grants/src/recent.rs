//! The grants that each person got lately, so that who asks for the hundredth time can be told from
//! who asks for the first. After a restart it knows of those that [`crate::Settings::history`] brings
//! back.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use crate::facts::Covered;
use crate::model::person_of;
use crate::saving::lock;
use crate::{Grant, GrantId, WallMs};

/// 30 days, in milliseconds.
const LATELY: i64 = 30 * 24 * 60 * 60 * 1000;
/// With so many, those who got nothing lately are forgotten.
const MANY_PERSONS: usize = 65_536;
/// Of one person, the newest.
const MAX_EACH: usize = 1_000;

#[derive(Default)]
pub(crate) struct Recent(Mutex<Persons>);

#[derive(Default)]
struct Persons {
    grants: HashMap<String, VecDeque<Arc<Grant>>>,
    /// How many were left when some were last forgotten.
    left: usize,
}

pub(crate) struct Counts {
    pub recent: u32,
    pub live: u32,
}

impl Recent {
    pub(crate) fn add(&self, grant: Arc<Grant>, now: WallMs) {
        let mut persons = lock(&self.0);
        // Not with each of them: where all got something lately, there is nobody to forget.
        if persons.grants.len() >= MANY_PERSONS.max(persons.left.saturating_mul(2)) {
            persons.grants.retain(|_, grants| grants.back().is_some_and(|newest| is_recent(newest, now)));
            persons.left = persons.grants.len();
        }
        let grants = persons.grants.entry(person_of(&grant.person, &grant.asked_by).to_owned()).or_default();
        grants.push_back(grant);
        let excess = grants.len().saturating_sub(MAX_EACH);
        grants.drain(..excess);
    }

    /// `recent`: on this database, of at least one of these columns. `live`: all.
    pub(crate) fn counts(
        &self,
        person: &str,
        database: &str,
        covered: &Covered<'_>,
        now: WallMs,
        is_open: impl Fn(GrantId) -> bool,
    ) -> Counts {
        let mut persons = lock(&self.0);
        let Some(grants) = persons.grants.get_mut(person) else { return Counts { recent: 0, live: 0 } };
        grants.retain(|grant| is_recent(grant, now) || is_open(grant.id));
        let overlaps = |grant: &Grant| {
            covered.iter().any(|(relation, column, category)| grant.scope.covers(relation, column, category))
        };
        let recent = grants
            .iter()
            .filter(|grant| is_recent(grant, now) && grant.database == database && overlaps(grant));
        let live = grants.iter().filter(|grant| is_open(grant.id));
        Counts { recent: number(recent.count()), live: number(live.count()) }
    }
}

fn is_recent(grant: &Grant, now: WallMs) -> bool {
    grant.from > now.saturating_sub(LATELY)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
