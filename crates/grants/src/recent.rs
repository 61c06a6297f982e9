//! The grants that each person got lately, so that who asks for the hundredth time can be told from
//! who asks for the first. After a restart it knows of those that [`crate::Settings::history`] brings
//! back.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use crate::facts::Covered;
use crate::model::person_of;
use crate::saving::lock;
use crate::scope::{ColumnPattern, covers};
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
    grants: HashMap<String, Got>,
    /// How many were left when some were last forgotten.
    left: usize,
}

/// What one person got: people ask for the same columns again and again, so of a grant only what
/// differs is kept.
#[derive(Default)]
struct Got(Vec<Kind>);

/// Grants for the same columns of the same database.
struct Kind {
    database: String,
    columns: Vec<ColumnPattern>,
    /// In the order in which they were given, with the beginnings of their windows.
    grants: VecDeque<(GrantId, WallMs)>,
}

pub(crate) struct Counts {
    pub recent: u32,
    pub live: u32,
}

impl Recent {
    pub(crate) fn add(&self, grant: &Grant, now: WallMs) {
        let mut persons = lock(&self.0);
        // Not with each of them: where all got something lately, there is nobody to forget.
        if persons.grants.len() >= MANY_PERSONS.max(persons.left.saturating_mul(2)) {
            persons.grants.retain(|_, got| got.grants().any(|(_, from)| is_recent(from, now)));
            persons.left = persons.grants.len();
        }
        persons.grants.entry(person_of(&grant.person, &grant.asked_by).to_owned()).or_default().add(
            grant.id,
            grant.from,
            &grant.database,
            &grant.scope.columns,
        );
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
        let Some(got) = persons.grants.get_mut(person) else { return Counts { recent: 0, live: 0 } };
        got.retain(|id, from| is_recent(from, now) || is_open(id));
        let overlaps = |kind: &&Kind| {
            let mut covered = covered.iter();
            kind.database == database
                && covered
                    .any(|(relation, column, category)| covers(&kind.columns, relation, column, category))
        };
        let recent = got.0.iter().filter(overlaps).flat_map(|kind| &kind.grants);
        let recent = recent.filter(|(_, from)| is_recent(*from, now));
        let live = got.grants().filter(|(id, _)| is_open(*id));
        Counts { recent: number(recent.count()), live: number(live.count()) }
    }
}

impl Got {
    fn grants(&self) -> impl Iterator<Item = (GrantId, WallMs)> {
        self.0.iter().flat_map(|kind| kind.grants.iter().copied())
    }

    fn retain(&mut self, keep: impl Fn(GrantId, WallMs) -> bool) {
        self.0.retain_mut(|kind| {
            kind.grants.retain(|(id, from)| keep(*id, *from));
            !kind.grants.is_empty()
        });
    }

    fn add(&mut self, id: GrantId, from: WallMs, database: &str, columns: &[ColumnPattern]) {
        match self.0.iter_mut().find(|kind| kind.database == database && kind.columns == columns) {
            Some(kind) => kind.grants.push_back((id, from)),
            None => self.0.push(Kind {
                database: database.to_owned(),
                columns: columns.to_owned(),
                grants: VecDeque::from([(id, from)]),
            }),
        }
        if self.0.iter().map(|kind| kind.grants.len()).sum::<usize>() > MAX_EACH {
            self.forget_the_oldest();
        }
    }

    /// By numbers, which ascend (after a restart those of live grants come last).
    fn forget_the_oldest(&mut self) {
        let first = |kind: &&mut Kind| kind.grants.front().map(|(id, _)| *id);
        if let Some(kind) = self.0.iter_mut().min_by_key(first) {
            kind.grants.pop_front();
        }
        self.retain(|_, _| true);
    }
}

fn is_recent(from: WallMs, now: WallMs) -> bool {
    from > now.saturating_sub(LATELY)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_person_are_kept_whatever_they_are_for() {
        let category = |name: &str| vec![ColumnPattern::Category(name.to_owned())];
        let mut got = Got::default();
        for id in 0..3_000 {
            let database = if id % 2 == 0 { "shop" } else { "crm" };
            got.add(id, 0, database, &category(if id % 3 == 0 { "contact" } else { "health" }));
        }
        assert_eq!(got.0.len(), 4);
        let mut kept: Vec<GrantId> = got.grants().map(|(id, _)| id).collect();
        kept.sort_unstable();
        assert_eq!(kept, (2_000..3_000).collect::<Vec<_>>());
        // None is left of a kind that nobody asks for any more.
        (3_000..4_000).for_each(|id| got.add(id, 0, "shop", &category("contact")));
        assert_eq!((got.0.len(), got.grants().count()), (1, 1_000));
        got.retain(|id, _| id < 3_500);
        assert_eq!(got.grants().count(), 500);
    }
}
