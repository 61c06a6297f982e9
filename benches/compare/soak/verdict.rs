//! What a soak has shown.

use std::io::{Write, stdout};
use std::time::Duration;

use serde_json::Value;

use super::Shared;
use super::tally::Window;
use crate::figure::Outcome;

/// Memory is flat if it grows by no more than this part of itself in the second half of the time.
const FLAT: f64 = 0.02;

/// A look at the proxy.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Since all clients were told to begin.
    pub at: Duration,
    pub proportional_kb: u64,
    pub resident_kb: u64,
    pub window: Window,
}

/// The first line of the table.
pub fn heading() -> Outcome<()> {
    writeln!(
        stdout(),
        "{:>6} {:>9} {:>9} {:>8} {:>9} {:>9} {:>8} {:>8} {:>10} {:>7}",
        "s",
        "Pss MiB",
        "RSS MiB",
        "tx/s",
        "p50 ms",
        "p99 ms",
        "grants",
        "cut off",
        "raw rows",
        "errors"
    )?;
    Ok(())
}

/// A line of the table; transactions and latencies are those since the line before.
pub fn line(sample: &Sample) -> Outcome<()> {
    let Window { transactions, p50, p99, errors, grants, cut_off, raw_rows } = sample.window;
    let rate = transactions as f64 / super::INTERVAL.as_secs_f64();
    writeln!(
        stdout(),
        "{:>6.0} {:>9.1} {:>9.1} {rate:>8.0} {p50:>9.2} {p99:>9.2} {grants:>8} {cut_off:>8} {raw_rows:>10} {errors:>7}",
        sample.at.as_secs_f64(),
        sample.proportional_kb as f64 / 1024.0,
        sample.resident_kb as f64 / 1024.0,
    )?;
    Ok(())
}

/// Prints the verdict: is memory flat, and did nothing fail?
pub fn tell(samples: &[Sample], shared: &Shared) -> Outcome<bool> {
    let mut out = stdout().lock();
    let whole = shared.tally.whole();
    writeln!(
        out,
        "\n{} transactions, p50 {:.2} ms, p99 {:.2} ms; {} grants, {} statements cut off, {} rows raw",
        whole.transactions, whole.p50, whole.p99, whole.grants, whole.cut_off, whole.raw_rows
    )?;
    let flat = match growth(samples) {
        None => {
            writeln!(out, "memory: too short a time to tell")?;
            true
        }
        Some(growth) => {
            writeln!(
                out,
                "memory: {} ({:+.1} kB/min, {:+.2} % in the second half of the time; {:.0} % are allowed)",
                if growth.part <= FLAT { "flat" } else { "GROWS" },
                growth.kb_per_minute,
                growth.part * 100.0,
                FLAT * 100.0
            )?;
            growth.part <= FLAT
        }
    };
    let trail = match shared.place.verify() {
        Ok(said) => {
            let count = |name: &str| said.pointer(name).and_then(Value::as_u64).unwrap_or_default();
            let (records, open) = (count("/report/records"), count("/report/open_intents_total"));
            writeln!(out, "audit trail: intact, {records} records, {open} intents without an outcome")?;
            // Every transaction has a record of its own.
            records >= whole.transactions
        }
        Err(error) => {
            writeln!(out, "audit trail: BROKEN: {error}")?;
            false
        }
    };
    for (text, count) in shared.tally.errors() {
        writeln!(out, "error, {count} times: {text}")?;
    }
    let complaints = shared.place.log();
    let complaints: Vec<&str> = complaints.lines().filter(|line| line.contains("ERROR")).collect();
    for line in complaints.iter().take(10) {
        writeln!(out, "logged: {line}")?;
    }
    let clean = shared.tally.error_count() == 0 && complaints.is_empty();
    writeln!(
        out,
        "errors: {}",
        if clean { "none".to_owned() } else { shared.tally.error_count().to_string() }
    )?;
    Ok(flat && clean && trail)
}

/// How memory grows in the second half of the time.
struct Growth {
    kb_per_minute: f64,
    /// Of the memory at the half.
    part: f64,
}

/// The line through the samples of the second half with the least squares; nothing of fewer than
/// three samples.
fn growth(samples: &[Sample]) -> Option<Growth> {
    let half = samples.get(samples.len() / 2..)?;
    let (first, last) = (half.first()?, half.last()?);
    if half.len() < 3 {
        return None;
    }
    let minutes = |sample: &Sample| sample.at.as_secs_f64() / 60.0;
    let mean = |of: &dyn Fn(&Sample) -> f64| half.iter().map(of).sum::<f64>() / half.len() as f64;
    let (middle, memory) = (mean(&minutes), mean(&|sample| sample.proportional_kb as f64));
    let across: f64 =
        half.iter().map(|sample| (minutes(sample) - middle) * (sample.proportional_kb as f64 - memory)).sum();
    let along: f64 = half.iter().map(|sample| (minutes(sample) - middle).powi(2)).sum();
    let kb_per_minute = across / along;
    Some(Growth {
        kb_per_minute,
        part: kb_per_minute * (minutes(last) - minutes(first)) / first.proportional_kb as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(memory: impl Fn(u32) -> u64) -> Vec<Sample> {
        let window =
            Window { transactions: 1, p50: 1.0, p99: 1.0, errors: 0, grants: 0, cut_off: 0, raw_rows: 0 };
        let sample = |index: u32| Sample {
            at: Duration::from_secs(10) * index,
            proportional_kb: memory(index),
            resident_kb: 0,
            window,
        };
        (1..=60).map(sample).collect()
    }

    #[test]
    fn what_grows_only_at_first_is_flat() {
        let growth = growth(&samples(|index| 50_000 + 1000 * u64::from(index.min(25)))).expect("a growth");
        assert!(growth.part.abs() < 1e-9 && growth.kb_per_minute.abs() < 1e-9);
    }

    #[test]
    fn what_grows_all_the_time_is_not() {
        let growth = growth(&samples(|index| 50_000 + 100 * u64::from(index))).expect("a growth");
        assert!((growth.kb_per_minute - 600.0).abs() < 1e-6, "{}", growth.kb_per_minute);
        assert!(growth.part > FLAT, "{}", growth.part);
    }

    #[test]
    fn a_few_samples_say_nothing() {
        assert!(growth(&samples(|_| 1)[..3]).is_none());
    }
}
