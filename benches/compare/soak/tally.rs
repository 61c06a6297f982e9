//! What all clients have seen together.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::figure::quantile;

/// Kinds of errors that are kept; the rest is only counted.
const KINDS: usize = 20;

/// Counters and latencies.
#[derive(Default)]
pub struct Tally {
    latencies: Mutex<Latencies>,
    errors: Mutex<BTreeMap<String, u64>>,
    error_count: AtomicU64,
    /// Grants that started.
    pub grants: AtomicU64,
    /// Statements that ended with their grant, as they should.
    pub cut_off: AtomicU64,
    /// Rows that clients under grants saw raw.
    pub raw_rows: AtomicU64,
}

/// In milliseconds.
#[derive(Default)]
struct Latencies {
    window: Vec<f32>,
    all: Vec<f32>,
}

/// What happened since the window before.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub transactions: u64,
    pub p50: f64,
    pub p99: f64,
    /// Since the beginning.
    pub errors: u64,
    pub grants: u64,
    pub cut_off: u64,
    pub raw_rows: u64,
}

impl Tally {
    pub fn transaction(&self, latency: Duration) {
        lock(&self.latencies).window.push(latency.as_secs_f32() * 1000.0);
    }

    pub fn error(&self, text: String) {
        self.error_count.fetch_add(1, Ordering::Relaxed);
        let mut errors = lock(&self.errors);
        if errors.len() < KINDS || errors.contains_key(&text) {
            *errors.entry(text).or_default() += 1;
        }
    }

    pub fn error_count(&self) -> u64 {
        self.error_count.load(Ordering::Relaxed)
    }

    /// The errors' texts, and how often each came.
    pub fn errors(&self) -> Vec<(String, u64)> {
        lock(&self.errors).iter().map(|(text, count)| (text.clone(), *count)).collect()
    }

    /// Ends a window and begins another.
    pub fn window(&self) -> Window {
        let window = {
            let mut latencies = lock(&self.latencies);
            let window = std::mem::take(&mut latencies.window);
            latencies.all.extend_from_slice(&window);
            window
        };
        self.of(&window)
    }

    /// All windows that have ended, as one.
    pub fn whole(&self) -> Window {
        self.of(&lock(&self.latencies).all)
    }

    fn of(&self, latencies: &[f32]) -> Window {
        let latencies: Vec<f64> = latencies.iter().copied().map(f64::from).collect();
        Window {
            transactions: latencies.len() as u64,
            p50: quantile(&latencies, 0.5),
            p99: quantile(&latencies, 0.99),
            errors: self.error_count(),
            grants: self.grants.load(Ordering::Relaxed),
            cut_off: self.cut_off.load(Ordering::Relaxed),
            raw_rows: self.raw_rows.load(Ordering::Relaxed),
        }
    }
}

/// A panic elsewhere does not make what was counted wrong.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
