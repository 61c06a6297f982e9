//! Processor time of a process and all its threads, to the nanosecond where the kernel tells it.
//!
//! /proc/PID/stat counts in hundredths of a second and includes threads that have ended;
//! /proc/PID/task/TID/schedstat counts the same time in nanoseconds, of the threads there are.

use std::collections::HashMap;
use std::fs;

use crate::figure::Outcome;

/// USER_HZ, which is 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The processor time of some processes at one moment.
#[derive(Clone, Debug)]
pub struct Meter {
    pids: Vec<u32>,
    /// Nanoseconds, by thread.
    threads: HashMap<u32, u64>,
    ticks: u64,
}

impl Meter {
    pub fn start(pids: &[u32]) -> Outcome<Meter> {
        let mut threads = HashMap::new();
        let mut ticks = 0;
        for pid in pids {
            ticks += parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat"))?)?;
            for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
                let entry = entry?;
                // A thread may end between the listing and the reading.
                let Ok(schedstat) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
                let Ok(thread) = entry.file_name().to_string_lossy().parse() else { continue };
                threads.insert(thread, parse_schedstat(&schedstat)?);
            }
        }
        Ok(Meter { pids: pids.to_vec(), threads, ticks })
    }

    /// Seconds of processor time, user and system, used since the start.
    pub fn stop(&self) -> Outcome<f64> {
        let now = Meter::start(&self.pids)?;
        let nanoseconds: u64 = now
            .threads
            .iter()
            .map(|(thread, used)| used.saturating_sub(self.threads.get(thread).copied().unwrap_or(0)))
            .sum();
        let fine = nanoseconds as f64 / 1e9;
        let coarse = now.ticks.saturating_sub(self.ticks) as f64 / TICKS_PER_SECOND;
        // Each process rounds two counters down; more than that is what ended threads have used.
        let rounding = 2.0 * self.pids.len() as f64 / TICKS_PER_SECOND;
        Ok(if coarse > fine + rounding { coarse } else { fine })
    }
}

/// utime and stime, in ticks.
fn parse_stat(stat: &str) -> Outcome<u64> {
    // The second field is the program's name and may hold anything, parentheses too.
    let (_, fields) = stat.rsplit_once(") ").ok_or("a /proc/PID/stat without a name")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<u64>);
    match (times.next(), times.next()) {
        (Some(user), Some(system)) => Ok(user? + system?),
        _ => Err("a /proc/PID/stat without times".into()),
    }
}

/// Time on a processor, in nanoseconds.
fn parse_schedstat(schedstat: &str) -> Outcome<u64> {
    let first = schedstat.split_ascii_whitespace().next().ok_or("an empty schedstat")?;
    Ok(first.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "4711 (a) b (c) d) S 1 4711 4711 0 -1 4194560 1 0 0 0 120 34 0 0 20 0 1 0 100 1 2";
        assert_eq!(parse_stat(stat).expect("times"), 154);
        assert!(parse_stat("4711 (cut) S 1 2").is_err());
        assert!(parse_stat("").is_err());
    }

    #[test]
    fn schedstat_begins_with_nanoseconds() {
        assert_eq!(parse_schedstat("123456789 55 3\n").expect("a number"), 123_456_789);
        assert!(parse_schedstat("").is_err());
    }

    #[test]
    fn own_work_is_seen() {
        let meter = Meter::start(&[std::process::id()]).expect("a meter");
        let mut sum = 0u64;
        // The kernel brings its count up to date at least at every tick.
        let until = std::time::Instant::now() + std::time::Duration::from_millis(60);
        while std::time::Instant::now() < until {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(meter.stop().expect("a reading") > 0.0);
    }
}
