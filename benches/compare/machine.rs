//! Where and when the figures were taken.

use std::fs;
use std::process::Command;

use crate::figure::Outcome;
use crate::world::World;

/// The lines above the table.
pub fn heading(world: &World, core: usize) -> Vec<String> {
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let count = fs::read_to_string("/proc/cpuinfo")
        .map(|text| text.lines().filter(|line| line.starts_with("processor")).count())
        .unwrap_or(cores);
    let load = read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned();
    let contenders: Vec<String> = world
        .contenders()
        .iter()
        .map(|contender| format!("{} ({})", contender.name, contender.version.trim()))
        .collect();
    let mut lines = vec![
        format!("{}, {count} cores, {}, Linux {}", cpu_model(), memory(), kernel.trim()),
        format!(
            "{:.0}, load before {load}; {} rounds, the contenders' order rotated; medians, ± half of the range",
            jiff::Timestamp::now(),
            world.effort.rounds,
        ),
        format!(
            "PostgreSQL, clients and proxies all pinned to core {core}; every proxy with one thread for sessions"
        ),
        contenders.join(", "),
    ];
    if option_env!("RUSTFLAGS").is_some_and(|flags| flags.contains("profile-use")) {
        lines.push(
            "pgwarrant and the splice are optimised by a profile, as \"make release\" builds them".to_owned(),
        );
    }
    if world.effort.quick {
        lines.push(
            "quick: in runs this short, what is done once a second weighs more; quote a full run".to_owned(),
        );
    }
    lines
}

/// Keeps this process, and all that it will start, on one core.
///
/// On one core nobody waits for another core to wake up, which on virtual machines costs more than
/// the work itself and differs from run to run.
pub fn pin(core: usize) -> Outcome<()> {
    pin_to(&core.to_string())
}

/// Takes that back for what will be started from now on, but for the last core where there are others.
pub fn unpin() -> Outcome<()> {
    pin_to(&format!("0-{}", default_core().saturating_sub(1)))
}

fn pin_to(cores: &str) -> Outcome<()> {
    let own = std::process::id().to_string();
    let output = Command::new("taskset").args(["-cp", cores, &own]).output()?;
    if !output.status.success() {
        return Err(format!("taskset failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(())
}

/// Lets this process, and all that it will start, open as many files as it may.
pub fn raise_file_limit() -> Outcome<()> {
    let own = std::process::id().to_string();
    let limits = read("/proc/self/limits");
    let hard = limits.lines().find(|line| line.starts_with("Max open files"));
    let hard = hard.and_then(|line| line.split_ascii_whitespace().nth(4)).ok_or("no limit of open files")?;
    let output =
        Command::new("prlimit").args(["--pid", &own, &format!("--nofile={hard}:{hard}")]).output()?;
    if !output.status.success() {
        return Err(format!("prlimit failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(())
}

/// The last core: interrupts tend to be on the first.
pub fn default_core() -> usize {
    std::thread::available_parallelism().map_or(0, |cores| usize::from(cores) - 1)
}

fn cpu_model() -> String {
    let text = read("/proc/cpuinfo");
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or("unknown processor".to_owned(), |(_, model)| model.to_owned())
}

fn memory() -> String {
    let text = read("/proc/meminfo");
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = total.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.map_or("unknown memory".to_owned(), |kilobytes| format!("{:.0} GiB", kilobytes / 1_048_576.0))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
