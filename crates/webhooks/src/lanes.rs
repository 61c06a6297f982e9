//! Which message is next: of each lane one at a time, the oldest first, and not too soon after a
//! failure.
//!
//! A message that fails waits longer each time, and its lane with it. Where messages of several lanes
//! fail and none is delivered in between, the receiver is away: then it is called once at a time, and
//! all wait longer each time.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::queue::Place;

/// After the first failure; twice as long after each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// So many lanes fail only where it is not their messages' fault.
const MANY: usize = 2;

/// How it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Well,
    /// Some message failed, others are delivered.
    Troubled,
    /// The receiver is away.
    Away,
}

#[derive(Debug, Default)]
pub struct Lanes {
    lanes: HashMap<u64, Lane>,
    /// Lanes whose next message waits to be sent: from when on, which, of which lane.
    waiting: BTreeSet<(Instant, Place, u64)>,
    /// Lanes with a message on its way.
    busy: usize,
    /// Lanes whose next message has failed before.
    troubled: usize,
    /// Lanes that failed since something was last delivered, and how often they did.
    failed: HashSet<u64>,
    failures: u32,
    paused_until: Option<Instant>,
}

#[derive(Debug, Default)]
struct Lane {
    messages: VecDeque<Place>,
    is_busy: bool,
    /// Of its first message.
    failures: u32,
}

impl Lanes {
    /// Behind whatever its lane has already.
    pub fn add(&mut self, lane: u64, place: Place, now: Instant) {
        let known = self.lanes.entry(lane).or_default();
        known.messages.push_back(place);
        if known.messages.len() == 1 && !known.is_busy {
            self.waiting.insert((now, place, lane));
        }
    }

    /// A message to be sent now, with its lane. Say what became of it with [`Lanes::done`] or
    /// [`Lanes::failed`].
    pub fn next(&mut self, now: Instant) -> Option<(u64, Place)> {
        let waits = self.paused_until.is_some_and(|until| now < until);
        if waits || (self.health() == Health::Away && self.busy > 0) {
            return None;
        }
        let next = self.waiting.first().copied().filter(|(from, ..)| *from <= now)?;
        self.waiting.remove(&next);
        let (_, place, id) = next;
        self.lanes.get_mut(&id)?.is_busy = true;
        self.busy += 1;
        Some((id, place))
    }

    /// When there may be something to send. None: not before something else happens.
    pub fn due(&self) -> Option<Instant> {
        if self.health() == Health::Away && self.busy > 0 {
            return None;
        }
        let (from, ..) = self.waiting.first()?;
        Some(self.paused_until.map_or(*from, |until| until.max(*from)))
    }

    /// It was delivered, or there is nothing to deliver any more.
    pub fn done(&mut self, id: u64, delivered: bool, now: Instant) {
        if delivered {
            self.failed.clear();
            self.failures = 0;
            self.paused_until = None;
        }
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        self.busy -= usize::from(lane.is_busy);
        self.troubled -= usize::from(lane.failures > 0);
        lane.is_busy = false;
        lane.failures = 0;
        lane.messages.pop_front();
        match lane.messages.front().copied() {
            Some(place) => _ = self.waiting.insert((now, place, id)),
            None => _ = self.lanes.remove(&id),
        }
    }

    /// It is sent again, not before `at_least` is over, where the receiver asked for that.
    pub fn failed(&mut self, id: u64, at_least: Option<Duration>, now: Instant) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        self.busy -= usize::from(lane.is_busy);
        self.troubled += usize::from(lane.failures == 0);
        lane.is_busy = false;
        lane.failures = lane.failures.saturating_add(1);
        let at_least = at_least.unwrap_or_default();
        if let Some(place) = lane.messages.front() {
            self.waiting.insert((now + wait(lane.failures).max(at_least), *place, id));
        }
        self.failed.insert(id);
        self.failures = self.failures.saturating_add(1);
        if self.failed.len() >= MANY {
            self.paused_until = Some(now + wait(self.failures).max(at_least));
        } else if !at_least.is_zero() {
            self.paused_until = Some(now + at_least);
        }
    }

    pub fn health(&self) -> Health {
        match (self.failed.len(), self.troubled) {
            (MANY.., _) => Health::Away,
            (_, 0) => Health::Well,
            _ => Health::Troubled,
        }
    }
}

/// After so many failures: between half of it and the whole, so that not all come at the same time.
fn wait(failures: u32) -> Duration {
    let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let whole = FIRST_WAIT.saturating_mul(doubled).min(LONGEST_WAIT);
    let mut random = [0; 1];
    // Without random numbers all of it.
    let part = getrandom::fill(&mut random).map_or(1.0, |()| 0.5 + f64::from(random[0]) / 512.0);
    whole.mul_f64(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    fn lanes(messages: &[(u64, Place)], now: Instant) -> Lanes {
        let mut lanes = Lanes::default();
        messages.iter().for_each(|(lane, place)| lanes.add(*lane, *place, now));
        lanes
    }

    #[test]
    fn of_each_lane_one_at_a_time_in_order() {
        let now = Instant::now();
        let mut lanes = lanes(&[(7, 1), (7, 2), (8, 3), (7, 4)], now);
        assert_eq!((lanes.next(now), lanes.next(now), lanes.next(now)), (Some((7, 1)), Some((8, 3)), None));
        lanes.done(8, true, now);
        assert_eq!(lanes.next(now), None, "7 is busy, and 8 has nothing");
        lanes.add(8, 5, now);
        lanes.done(7, true, now);
        assert_eq!((lanes.next(now), lanes.next(now)), (Some((7, 2)), Some((8, 5))));
        lanes.done(8, true, now);
        lanes.done(7, true, now);
        assert_eq!(lanes.next(now), Some((7, 4)));
        lanes.done(7, true, now);
        assert_eq!((lanes.next(now), lanes.due(), lanes.lanes.len()), (None, None, 0));
    }

    #[test]
    fn what_fails_holds_up_its_own_lane_alone() {
        let now = Instant::now();
        let mut lanes = lanes(&[(7, 1), (7, 2), (8, 3)], now);
        assert_eq!(lanes.next(now), Some((7, 1)));
        lanes.failed(7, None, now);
        assert_eq!(lanes.health(), Health::Troubled);
        assert_eq!(lanes.next(now), Some((8, 3)));
        lanes.done(8, true, now);
        assert_eq!(lanes.next(now), None);
        let due = lanes.due().expect("7 waits");
        assert!(due >= now + FIRST_WAIT / 2 && due <= now + FIRST_WAIT);
        assert_eq!(lanes.next(due), Some((7, 1)), "the same again, before what follows it");
        lanes.done(7, true, due);
        assert_eq!((lanes.health(), lanes.next(due)), (Health::Well, Some((7, 2))));
    }

    #[test]
    fn a_receiver_that_is_away_is_called_once_at_a_time_and_less_and_less_often() {
        let mut now = Instant::now();
        let mut lanes = lanes(&[(1, 1), (2, 2), (3, 3), (4, 4)], now);
        let mut longest = Duration::ZERO;
        for round in 0..20 {
            let (lane, _) = lanes.next(now).expect("somebody is due");
            if lanes.health() == Health::Away {
                assert_eq!((lanes.next(now), lanes.due()), (None, None), "round {round}");
            }
            lanes.failed(lane, None, now);
            let due = lanes.due().expect("somebody waits");
            longest = longest.max(due.saturating_duration_since(now));
            now = now.max(due);
        }
        assert!(longest >= LONGEST_WAIT / 2 && longest <= LONGEST_WAIT, "{longest:?}");
        let (lane, _) = lanes.next(now).expect("somebody is due");
        lanes.done(lane, true, now);
        assert_eq!(lanes.health(), Health::Troubled, "others have failed before");
        let later = now + LONGEST_WAIT;
        for _ in 0..3 {
            let (lane, _) = lanes.next(later).expect("all are due");
            lanes.done(lane, true, later);
        }
        assert_eq!((lanes.health(), lanes.troubled, lanes.busy), (Health::Well, 0, 0));
    }

    #[test]
    fn a_receiver_that_asks_for_time_has_it() {
        let now = Instant::now();
        let mut lanes = lanes(&[(1, 1), (2, 2)], now);
        assert_eq!(lanes.next(now), Some((1, 1)));
        lanes.failed(1, Some(LONG), now);
        assert_eq!((lanes.next(now), lanes.due()), (None, Some(now + LONG)));
        assert_eq!(lanes.next(now + LONG), Some((2, 2)));
    }

    #[test]
    fn what_is_gone_says_nothing_of_the_receiver() {
        let now = Instant::now();
        let mut lanes = lanes(&[(1, 1), (2, 2), (3, 3)], now);
        for _ in 0..2 {
            let (lane, _) = lanes.next(now).expect("somebody is due");
            lanes.failed(lane, None, now);
        }
        assert_eq!(lanes.health(), Health::Away);
        let later = now + LONGEST_WAIT;
        let (lane, _) = lanes.next(later).expect("all are due");
        lanes.done(lane, false, later);
        assert_eq!(lanes.health(), Health::Away);
    }
}
