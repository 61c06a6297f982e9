//! Time, such that a jump of the wall clock neither extends a grant nor ends it early.
//!
//! The wall clock is read once, when the table is opened; from then on "now" is that reading plus
//! what the monotonic clock has counted. All times of grants are on this anchored scale. After a
//! restart the wall clock decides anew; where it is behind what the process before had last seen,
//! open windows are moved back by as much, so that nothing lives longer for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::WallMs;

/// Milliseconds counted by the monotonic clock, from an arbitrary origin.
pub type MonotonicMs = u64;

pub trait Clock: Send + Sync + 'static {
    fn wall(&self) -> WallMs;
    fn monotonic(&self) -> MonotonicMs;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> WallMs {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        }
    }

    /// `CLOCK_BOOTTIME`: unlike `Instant`, it also runs while the machine sleeps, so that a
    /// suspended host does not extend grants.
    #[cfg(target_os = "linux")]
    fn monotonic(&self) -> MonotonicMs {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        u64::try_from(now.tv_sec).unwrap_or(0) * 1000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
    }

    #[cfg(not(target_os = "linux"))]
    fn monotonic(&self) -> MonotonicMs {
        static ORIGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        u64::try_from(ORIGIN.get_or_init(std::time::Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that a test moves by hand. Clones show the same time.
#[derive(Clone, Debug)]
pub struct TestClock {
    wall: Arc<AtomicI64>,
    monotonic: Arc<AtomicU64>,
}

impl TestClock {
    pub fn new(wall: WallMs) -> Self {
        Self { wall: Arc::new(AtomicI64::new(wall)), monotonic: Arc::new(AtomicU64::new(1_000_000)) }
    }
    /// Time passes.
    pub fn advance(&self, ms: u64) {
        self.wall.fetch_add(i64::try_from(ms).unwrap_or(i64::MAX), Ordering::SeqCst);
        self.monotonic.fetch_add(ms, Ordering::SeqCst);
    }
    /// Somebody sets the wall clock, forwards or back.
    pub fn jump(&self, ms: i64) {
        self.wall.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn wall(&self) -> WallMs {
        self.wall.load(Ordering::SeqCst)
    }
    fn monotonic(&self) -> MonotonicMs {
        self.monotonic.load(Ordering::SeqCst)
    }
}

/// The scale on which grants live.
pub(crate) struct Anchored {
    clock: Box<dyn Clock>,
    wall: WallMs,
    monotonic: MonotonicMs,
}

impl Anchored {
    pub(crate) fn new(clock: impl Clock) -> Self {
        let (wall, monotonic) = (clock.wall(), clock.monotonic());
        Self { clock: Box::new(clock), wall, monotonic }
    }

    pub(crate) fn monotonic(&self) -> MonotonicMs {
        self.clock.monotonic()
    }

    pub(crate) fn now(&self) -> WallMs {
        let elapsed = self.clock.monotonic().saturating_sub(self.monotonic);
        self.wall.saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }

    /// When the monotonic clock will show that it is `at`.
    pub(crate) fn deadline(&self, at: WallMs) -> MonotonicMs {
        self.monotonic.saturating_add_signed(at.saturating_sub(self.wall))
    }

    /// How far the wall clock was set back since the process before this one last looked. Times
    /// that it wrote are shifted by so much, or grants would live longer.
    pub(crate) fn set_back(&self, last_seen: WallMs) -> i64 {
        last_seen.saturating_sub(self.wall).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchored_time_ignores_jumps_of_the_wall_clock() {
        let clock = TestClock::new(1_000);
        let anchored = Anchored::new(clock.clone());
        clock.advance(50);
        clock.jump(-900);
        assert_eq!(anchored.now(), 1_050);
        clock.jump(1_000_000);
        clock.advance(50);
        assert_eq!(anchored.now(), 1_100);
        assert_eq!(anchored.deadline(1_100), clock.monotonic());
    }

    #[test]
    fn the_system_clock_runs_forwards() {
        let (first, second) = (SystemClock.monotonic(), SystemClock.monotonic());
        assert!(first > 0 && second >= first);
        assert!(SystemClock.wall() > 1_600_000_000_000);
    }
}
