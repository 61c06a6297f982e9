//! The memory of processes, as the kernel counts it.

use std::fs;

use crate::figure::Outcome;

/// Kilobytes (1,024 bytes) that only these processes hold.
pub fn private_kb(pids: &[u32]) -> Outcome<u64> {
    sum(pids, &["Private_Clean", "Private_Dirty"])
}

/// Kilobytes that these processes hold, what they share divided by the number of sharers.
pub fn proportional_kb(pids: &[u32]) -> Outcome<u64> {
    sum(pids, &["Pss"])
}

/// Kilobytes of theirs that are in memory.
pub fn resident_kb(pids: &[u32]) -> Outcome<u64> {
    sum(pids, &["Rss"])
}

fn sum(pids: &[u32], names: &[&str]) -> Outcome<u64> {
    let mut sum = 0;
    for pid in pids {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        for line in rollup.lines() {
            let Some((name, rest)) = line.split_once(':') else { continue };
            if names.contains(&name) {
                sum += rest.trim().trim_end_matches(" kB").parse::<u64>()?;
            }
        }
    }
    Ok(sum)
}
