//! Where the soak runs: a PostgreSQL that takes that many connections, and pgwarrant in front of it.

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pgwarrant_throwaway::{Cluster, Options};
use serde_json::Value;
use tempfile::TempDir;

use crate::dial::Endpoint;
use crate::figure::Outcome;
use crate::report::PGWARRANT;
use crate::settings::{self, BENCH, DATABASE, Rules, UPSTREAM, USERS, password};
use crate::{contender, people};

const PATIENCE: Duration = Duration::from_secs(20);

/// Ended with the value.
pub struct Place {
    proxy: Child,
    program: PathBuf,
    directory: TempDir,
    pub pid: u32,
    pub endpoint: Endpoint,
    /// Last, so that it ends after the proxy.
    _cluster: Cluster,
}

impl Place {
    /// Starts both; PostgreSQL takes so many connections.
    pub fn start(connections: u32) -> Outcome<Place> {
        let program = contender::find(PGWARRANT)?.ok_or("pgwarrant was not found")?;
        let cluster = Cluster::start(&Options {
            settings: vec![
                format!("max_connections = {connections}"),
                // Each of the many processes maps what it touches of them.
                "shared_buffers = '64MB'".to_owned(),
                "jit = off".to_owned(),
                "max_parallel_workers_per_gather = 0".to_owned(),
            ],
            ..Options::default()
        })?;
        let verifiers = fill(&cluster)?;
        let directory = tempfile::Builder::new().prefix("pgwarrant-soak-").tempdir()?;
        let port = contender::free_port()?;
        configure(&directory, port, &cluster, &verifiers)?;
        let log = File::create(directory.path().join("log"))?;
        let proxy = Command::new(&program)
            .arg("serve")
            .current_dir(directory.path())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C in a terminal goes to the whole process group; the proxy is ended in order.
            .process_group(0)
            .spawn()?;
        let endpoint = Endpoint {
            name: PGWARRANT.to_owned(),
            port,
            pids: vec![proxy.id()],
            user: BENCH.to_owned(),
            password: password(BENCH),
            database: DATABASE.to_owned(),
            application: "soak".to_owned(),
        };
        let place = Place { pid: proxy.id(), proxy, program, directory, endpoint, _cluster: cluster };
        place.wait_until_ready()?;
        Ok(place)
    }

    /// What the proxy has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Has the audit trail verified; what `pgwarrant audit verify` reports.
    pub fn verify(&self) -> Outcome<Value> {
        let output = Command::new(&self.program)
            .args(["audit", "verify", "--json"])
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            return Err(String::from_utf8_lossy(&said).trim().into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn wait_until_ready(&self) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.endpoint.port)).is_err() {
            if Instant::now() > deadline {
                return Err(format!("pgwarrant does not listen:\n{}", self.log()).into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}

/// Makes roles and tables; each user's SCRAM verifier.
fn fill(cluster: &Cluster) -> Outcome<Vec<(String, String)>> {
    let mut roles = format!("CREATE DATABASE {DATABASE};\nCREATE ROLE {UPSTREAM} LOGIN;\n");
    for user in USERS {
        roles.push_str(&format!("CREATE ROLE {user} LOGIN PASSWORD '{}';\n", password(user)));
    }
    cluster.script("postgres", &roles)?;
    cluster.script(DATABASE, people::TABLES)?;
    let verifier = |user: &str| {
        let sql = format!("SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = '{user}';");
        Ok((user.to_owned(), cluster.script(DATABASE, &sql)?.trim().to_owned()))
    };
    USERS.into_iter().map(verifier).collect()
}

/// The comparison's configuration, but for the upstream and the threads.
fn configure(
    directory: &TempDir,
    port: u16,
    cluster: &Cluster,
    verifiers: &[(String, String)],
) -> Outcome<()> {
    contender::certificate(directory.path())?;
    let place = settings::Place {
        directory: directory.path(),
        port,
        upstream: cluster.port,
        verifiers,
        rules: Rules::default(),
    };
    let mut text = settings::pgwarrant(&place);
    let socket =
        format!("postgres:///{DATABASE}?host={}&port={}", cluster.directory().display(), cluster.port);
    for (from, to) in [
        (format!("postgres://127.0.0.1:{}/{DATABASE}", cluster.port), socket),
        ("threads = 1\n".to_owned(), String::new()),
    ] {
        if !text.contains(&from) {
            return Err(format!("the configuration has no {from:?} to replace").into());
        }
        text = text.replace(&from, &to);
    }
    fs::write(directory.path().join("proxy.toml"), text)?;
    Ok(())
}
