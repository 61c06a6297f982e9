//! Runs of PostgreSQL's own load generator.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::dial::Endpoint;
use crate::figure::Outcome;

/// How statements are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Simple,
    Extended,
    Prepared,
}

impl Protocol {
    pub const ALL: [Protocol; 3] = [Protocol::Simple, Protocol::Extended, Protocol::Prepared];

    /// As pgbench and the table call it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Simple => "simple",
            Protocol::Extended => "extended",
            Protocol::Prepared => "prepared",
        }
    }
}

/// What one run does.
#[derive(Clone, Debug)]
pub struct Load<'a> {
    pub protocol: Protocol,
    pub clients: u32,
    /// Of each client.
    pub transactions: u64,
    /// pgbench's own `-S` where there is none.
    pub script: Option<&'a Path>,
    /// The audit trail can tell the run by it.
    pub application: &'a str,
    /// Files of each transaction's latency are written with this prefix.
    pub log: Option<&'a Path>,
}

/// What pgbench said of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    pub transactions: u64,
    /// A second, without the time that connecting took.
    pub rate: f64,
}

/// Runs a load to its end; a transaction that failed is an error.
pub fn run(endpoint: &Endpoint, load: &Load<'_>) -> Outcome<Run> {
    let mut command = Command::new(program()?);
    command
        .args(["-n", "-h", "127.0.0.1", "-p", &endpoint.port.to_string(), "-U", &endpoint.user])
        .args(["-M", load.protocol.name(), "-c", &load.clients.to_string(), "-j", "1"])
        .args(["-t", &load.transactions.to_string()])
        .env("PGPASSWORD", &endpoint.password)
        .env("PGAPPNAME", load.application)
        .env("PGSSLMODE", "disable")
        .env("PGGSSENCMODE", "disable")
        .stdin(Stdio::null());
    match load.script {
        Some(script) => command.arg("-f").arg(script),
        None => command.arg("-S"),
    };
    if let Some(prefix) = load.log {
        command.arg("-l").arg("--log-prefix").arg(prefix);
    }
    let output = command.arg(&endpoint.database).output()?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err(format!("pgbench through {} failed: {}", endpoint.name, stderr.trim()).into());
    }
    let run = parse(&stdout).ok_or_else(|| format!("pgbench's output was not understood: {stdout}"))?;
    let wanted = load.transactions * u64::from(load.clients);
    if run.transactions != wanted {
        return Err(format!("pgbench did {} of {wanted} transactions", run.transactions).into());
    }
    Ok(run)
}

/// Every latency of a run's log files, in microseconds; the files are removed.
pub fn latencies(prefix: &Path) -> Outcome<Vec<f64>> {
    let directory = prefix.parent().ok_or("a log's prefix has a directory")?;
    let name = prefix.file_name().ok_or("a log's prefix has a name")?.to_string_lossy().into_owned();
    let mut latencies = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&format!("{name}."))) {
            for line in std::fs::read_to_string(&path)?.lines() {
                latencies.push(parse_latency(line).ok_or("a line of pgbench's log was not understood")?);
            }
            std::fs::remove_file(&path)?;
        }
    }
    Ok(latencies)
}

/// pgbench: on the PATH, or beside the server's programs.
pub fn program() -> Outcome<PathBuf> {
    let beside = pgwarrant_throwaway::find_binaries().map(|directory| directory.join("pgbench"));
    beside
        .filter(|path| path.is_file())
        .or_else(|| crate::contender::on_path("pgbench"))
        .ok_or_else(|| "pgbench was not found; run \"make bench\", which installs it".into())
}

fn parse(output: &str) -> Option<Run> {
    let mut transactions = None;
    let mut rate = None;
    for line in output.lines() {
        if let Some(rest) = line.strip_prefix("number of transactions actually processed: ") {
            transactions = rest.split('/').next()?.trim().parse().ok();
        } else if let Some(rest) = line.strip_prefix("tps = ") {
            rate = rest.split(' ').next()?.parse().ok();
        }
    }
    Some(Run { transactions: transactions?, rate: rate? })
}

/// The third column: client, transaction, time, …
fn parse_latency(line: &str) -> Option<f64> {
    line.split(' ').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "pgbench (15.18 (Debian 15.18-0+deb12u1))
transaction type: <builtin: select only>
scaling factor: 10
query mode: simple
number of clients: 8
number of threads: 1
maximum number of tries: 1
number of transactions per client: 250
number of transactions actually processed: 2000/2000
number of failed transactions: 0 (0.000%)
latency average = 0.310 ms
initial connection time = 12.345 ms
tps = 25806.451613 (without initial connection time)
";

    #[test]
    fn the_summary_is_read() {
        assert_eq!(parse(OUTPUT), Some(Run { transactions: 2000, rate: 25806.451613 }));
        assert_eq!(parse("tps = x"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_log_line_has_the_latency_third() {
        assert_eq!(parse_latency("0 199 2241 0 1175850568 995598"), Some(2241.0));
        assert_eq!(parse_latency("0 199"), None);
        assert_eq!(parse_latency("0 199 failed 0 1 2"), None);
    }
}
