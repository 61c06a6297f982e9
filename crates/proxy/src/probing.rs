//! How many values a user has compared with columns that are masked for them.
//!
//! A predicate sees masks, so it finds out nothing that a mask does not show. But equal values have
//! equal tokens, and a unique or foreign key tells on writing whether a value exists; whoever tries
//! thousands of values is not at ordinary work. What counts is how many *different* values a user
//! tries within a while, not how many statements: the same filter over and over is one value.
//!
//! Memory is bounded: for each user a hash of each value, and no more of them than the limit.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pgwarrant_catalog::ColumnId;
use pgwarrant_sql::{Class, Reason, Refusal, Token, TokenKind, Touched};
use pgwarrant_wire::frontend;

use crate::cache::Analysed;
use crate::plan::Planned;
use crate::refuse;
use crate::session::Session;
use crate::work::Run;

/// How many different values a user may try.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Different values within `window`.
    pub values: usize,
    pub window: Duration,
    /// Refuse what goes past it; otherwise it is recorded alone.
    pub refuse: bool,
}

/// The values of all users.
#[derive(Debug)]
pub struct Probes {
    limit: Limit,
    users: Mutex<HashMap<Arc<str>, Tried>>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Tried {
    /// When each value was tried last.
    values: HashMap<u64, Instant>,
    /// An incident was recorded, and the window that it was for is not over yet.
    told: Option<Instant>,
}

/// What comes of trying values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Within,
    /// Past the limit; `first`: for the first time within a window.
    Past {
        first: bool,
    },
}

impl Session {
    /// Counts the values that a statement tries; past the limit it is refused.
    pub fn count_probes(&mut self, analysed: &Analysed, index: usize, planned: &mut Planned, bound: &[u64]) {
        if planned.refusal.is_some() {
            return;
        }
        let probes = &self.shared.probes;
        let past = if planned.touched.probed.is_empty() {
            // A key tells on writing whether a value exists.
            planned.writes
                && self.touches_unseen(&planned.touched)
                && probes.is_spent(&self.identity.user, Instant::now())
        } else {
            let mut values = probes.literals(analysed, index, &planned.touched);
            values.extend(bound);
            self.tried(&values, &planned.touched.probed)
        };
        if past && self.shared.probes.limit().refuse {
            planned.refusal = Some(self.shared.probes.refusal());
        }
    }

    /// Counts a failure that told the user that a value exists.
    pub fn count_failure(&mut self, run: &Run) {
        let value = self.shared.probes.failure((self.identity.session, run.sequence));
        self.tried(&[value], &[]);
    }

    /// True: past the limit.
    fn tried(&mut self, values: &[u64], columns: &[ColumnId]) -> bool {
        match self.shared.probes.try_values(&self.identity.user, values, Instant::now()) {
            Verdict::Within => false,
            Verdict::Past { first } => {
                if first {
                    self.record_probing(columns);
                }
                true
            }
        }
    }
}

impl Probes {
    pub fn new(limit: Limit) -> Self {
        Self { limit, users: Mutex::default(), hasher: RandomState::new() }
    }

    pub fn limit(&self) -> Limit {
        self.limit
    }

    /// Counts these values as tried by `user` at `now`. Those that do not fit are not kept.
    pub fn try_values(&self, user: &Arc<str>, values: &[u64], now: Instant) -> Verdict {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let tried = users.entry(user.clone()).or_default();
        let forgotten = |then: &Instant| now.saturating_duration_since(*then) >= self.limit.window;
        let mut past = false;
        for value in values {
            if let Some(then) = tried.values.get_mut(value)
                && !forgotten(then)
            {
                *then = now;
                continue;
            }
            if tried.values.len() >= self.limit.values {
                tried.values.retain(|_, then| !forgotten(then));
            }
            if tried.values.len() >= self.limit.values {
                past = true;
                break;
            }
            tried.values.insert(*value, now);
        }
        if !past {
            return Verdict::Within;
        }
        let first = tried.told.as_ref().is_none_or(forgotten);
        if first {
            tried.told = Some(now);
        }
        Verdict::Past { first }
    }

    /// Has this user tried all the values that the limit allows?
    pub fn is_spent(&self, user: &Arc<str>, now: Instant) -> bool {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.get(user).is_some_and(|tried| {
            let fresh = |then: &&Instant| now.saturating_duration_since(**then) < self.limit.window;
            tried.values.len() >= self.limit.values
                && tried.values.values().filter(fresh).count() >= self.limit.values
        })
    }

    /// The values that a statement of these columns tries: its literals.
    pub fn literals(&self, analysed: &Analysed, index: usize, touched: &Touched) -> Vec<u64> {
        let class = analysed.statements().get(index).map_or(Class::Empty, |statement| statement.class);
        // The number in FETCH is no value; what its cursor compares was counted when it was opened.
        if touched.probed.is_empty() || class == Class::Fetch {
            return Vec::new();
        }
        let text: &str = &analysed.text;
        let tokens: Vec<&Token> = match touched.probe_tokens.as_slice() {
            [] => analysed.statement_tokens(index).iter().collect(),
            known => known.iter().filter_map(|index| analysed.tokens().get(*index)).collect(),
        };
        let literals = tokens.into_iter().filter(|token| is_literal(token.kind));
        // A text may hold a list (`'{a,b}'`, `string_to_array('a,b', ',')`).
        let texts = literals.flat_map(|token| token.text(text).split(','));
        let values = texts.map(|value| self.hasher.hash_one((&touched.probed, value)));
        // Those past the limit change nothing.
        values.take(self.limit.values.saturating_add(1)).collect()
    }

    /// The values that a Bind message brings.
    pub fn parameters(&self, bind: &frontend::Bind<'_>, touched: &Touched) -> Vec<u64> {
        if touched.probed.is_empty() {
            return Vec::new();
        }
        let values = bind.values.iter().flatten().flat_map(|value| value.split(|byte| *byte == b','));
        let values = values.map(|value| self.hasher.hash_one((&touched.probed, value)));
        values.take(self.limit.values.saturating_add(1)).collect()
    }

    /// A value that is not like any other: for a failure that told that something exists.
    pub fn failure(&self, number: (u64, u64)) -> u64 {
        self.hasher.hash_one(("failure", number))
    }

    pub fn refusal(&self) -> Refusal {
        let minutes = self.limit.window.as_secs().div_ceil(60);
        refuse::refusal(
            Reason::Unresolved,
            "53400",
            "too many values were compared with masked columns",
            Some(format!(
                "More than {} different values within {minutes} min is how masked values are guessed; \
                 this was recorded.",
                self.limit.values
            )),
            Some(
                "Ask for a grant with pgwarrant.request(…), or wait; whoever runs pgwarrant can raise \
                 the limit \"probes\".",
            ),
        )
    }
}

fn is_literal(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::String
            | TokenKind::EscapeString
            | TokenKind::DollarString
            | TokenKind::UnicodeString
            | TokenKind::NationalString
            | TokenKind::BitString
            | TokenKind::HexString
            | TokenKind::Integer
            | TokenKind::Float
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn probes(values: usize) -> (Probes, Arc<str>, Instant) {
        (Probes::new(Limit { values, window: WINDOW, refuse: true }), "ada".into(), Instant::now())
    }

    #[test]
    fn the_same_value_over_and_over_is_one() {
        let (probes, ada, now) = probes(3);
        for _ in 0..100 {
            assert_eq!(probes.try_values(&ada, &[1, 2, 3], now), Verdict::Within);
        }
        assert_eq!(probes.try_values(&ada, &[4], now), Verdict::Past { first: true });
        assert_eq!(probes.try_values(&ada, &[1], now), Verdict::Within, "it was tried before");
    }

    #[test]
    fn an_incident_is_told_once_a_window_and_values_are_forgotten_after_it() {
        let (probes, ada, now) = probes(2);
        assert_eq!(probes.try_values(&ada, &[1, 2, 3], now), Verdict::Past { first: true });
        assert_eq!(probes.try_values(&ada, &[4], now + WINDOW / 2), Verdict::Past { first: false });
        let later = now + WINDOW;
        assert_eq!(probes.try_values(&ada, &[4], later), Verdict::Within);
        assert_eq!(probes.try_values(&ada, &[5, 6], later), Verdict::Past { first: true });
    }

    #[test]
    fn users_are_counted_apart() {
        let (probes, ada, now) = probes(1);
        assert_eq!(probes.try_values(&ada, &[1], now), Verdict::Within);
        assert_eq!(probes.try_values(&"ben".into(), &[2], now), Verdict::Within);
        assert_eq!(probes.try_values(&ada, &[2], now), Verdict::Past { first: true });
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        let (probes, ada, now) = probes(10);
        for value in 0..10_000 {
            probes.try_values(&ada, &[value], now);
        }
        assert_eq!(probes.users.lock().unwrap().get(&ada).unwrap().values.len(), 10);
    }
}
