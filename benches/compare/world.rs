//! What every row of the comparison is measured in: a throwaway PostgreSQL with generated tables, and
//! the contenders in front of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use pgwarrant_throwaway::{Cluster, Options as Server, SUPERUSER};
use tempfile::TempDir;

use crate::contender::{self, Contender};
use crate::dial::Endpoint;
use crate::figure::Outcome;
use crate::integrity::Sent;
use crate::report::{COLUMNS, DIRECT, PGWARRANT};
use crate::settings::{BENCH, DATABASE, Rules, UPSTREAM, USERS, password};
use crate::{people, pgbench};

/// pgbench's: a million rows in pgbench_accounts.
pub const SCALE: u32 = 10;
/// Rows of pgbench_accounts.
pub const ACCOUNTS: u64 = 100_000 * SCALE as u64;

/// The default of `[audit] sync_after`, and the time for the sync itself.
const AUDIT_SYNC: Duration = Duration::from_millis(1150);

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub quick: bool,
    pub rounds: usize,
    /// Of one pgbench run, of all clients together.
    pub transactions: u64,
}

impl Effort {
    pub fn full() -> Effort {
        Effort { quick: false, rounds: 5, transactions: 6_000 }
    }

    pub fn quick() -> Effort {
        Effort { quick: true, rounds: 2, transactions: 600 }
    }
}

/// Everything that a row needs. Contenders come first, so that they end before their server.
pub struct World {
    contenders: Vec<Contender>,
    /// Contenders whose programs were not found.
    pub absent: Vec<&'static str>,
    /// Users with their SCRAM verifiers.
    verifiers: Vec<(String, String)>,
    pub cluster: Cluster,
    /// Removed with the value.
    pub directory: TempDir,
    pub effort: Effort,
    /// Which everything is pinned to.
    pub core: usize,
    /// What went through pgwarrant, for the check at the end.
    pub sent: Sent,
}

impl World {
    pub fn start(effort: Effort, core: usize) -> Outcome<World> {
        let directory = tempfile::Builder::new().prefix("pgwarrant-bench-").tempdir()?;
        // pgbouncer reads its files as nobody.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        let cluster = Cluster::start(&server())?;
        let (version, verifiers) = fill(&cluster)?;
        let mut contenders = vec![Contender::direct(cluster.port, version)];
        let mut absent = Vec::new();
        for name in COLUMNS.into_iter().filter(|name| *name != DIRECT) {
            match contender::start(name, directory.path(), cluster.port, &verifiers, Rules::default())? {
                Some(contender) => contenders.push(contender),
                None => absent.push(name),
            }
        }
        Ok(World { contenders, absent, verifiers, cluster, directory, effort, core, sent: Sent::default() })
    }

    /// `direct` first, pgwarrant last.
    pub fn contenders(&self) -> &[Contender] {
        &self.contenders
    }

    /// Their order in a round: each goes first in turn, so that none has the better place.
    pub fn turn(&self, round: usize) -> Vec<&Contender> {
        let count = self.contenders.len();
        (0..count).filter_map(|place| self.contenders.get((round + place) % count)).collect()
    }

    pub fn contender(&self, name: &str) -> Outcome<&Contender> {
        let found = self.contenders.iter().find(|contender| contender.name == name);
        found.ok_or_else(|| format!("{name} does not run").into())
    }

    pub fn pgwarrant(&self) -> Outcome<Endpoint> {
        Ok(self.endpoint(self.contender(PGWARRANT)?))
    }

    /// A contender as the user `bench` reaches it.
    pub fn endpoint(&self, contender: &Contender) -> Endpoint {
        Endpoint {
            name: contender.name.to_owned(),
            port: contender.port,
            pids: contender.pids(),
            user: BENCH.to_owned(),
            password: password(BENCH),
            database: DATABASE.to_owned(),
            application: "bench".to_owned(),
        }
    }

    /// Another process of a contender, with files of its own in the directory `place`: one that has
    /// never held a connection. Nothing where its program is not installed.
    pub fn fresh(&self, name: &'static str, place: &str) -> Outcome<Option<Contender>> {
        let directory = self.directory.path().join(place);
        contender::start(name, &directory, self.cluster.port, &self.verifiers, Rules::default())
    }

    /// Another pgwarrant, whose requests are decided by these rules.
    pub fn ruled(&self, place: &str, rules: Rules<'_>) -> Outcome<Contender> {
        let directory = self.directory.path().join(place);
        let started = contender::start(PGWARRANT, &directory, self.cluster.port, &self.verifiers, rules)?;
        started.ok_or_else(|| format!("{PGWARRANT} was not found").into())
    }

    /// Waits until what contenders put off until later is done: pgwarrant writes its audit trail
    /// behind the statements, at most a second later.
    pub fn settle(&self) {
        std::thread::sleep(AUDIT_SYNC);
    }

    /// pgwarrant's configuration.
    pub fn configuration(&self) -> PathBuf {
        self.directory.path().join(PGWARRANT).join("proxy.toml")
    }
}

fn server() -> Server {
    let settings = [
        "max_connections = 2500",
        "shared_buffers = '256MB'",
        "track_activity_query_size = 16384",
        // Nothing of PostgreSQL's own may come in between.
        "autovacuum = off",
        "jit = off",
        "max_parallel_workers_per_gather = 0",
        "checkpoint_timeout = '1h'",
        "max_wal_size = '8GB'",
    ];
    let hba = format!(
        "local all all trust\nhost {DATABASE} {users} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n",
        users = USERS.join(","),
    );
    let settings = settings.map(str::to_owned).to_vec();
    Server { settings, hba: Some(hba), ..Server::default() }
}

/// Makes roles and tables; PostgreSQL's version, and each user's SCRAM verifier.
fn fill(cluster: &Cluster) -> Outcome<(String, Vec<(String, String)>)> {
    let mut roles = format!("CREATE DATABASE {DATABASE};\nCREATE ROLE {UPSTREAM} LOGIN;\n");
    for user in USERS {
        roles.push_str(&format!("CREATE ROLE {user} LOGIN PASSWORD '{}';\n", password(user)));
    }
    cluster.script("postgres", &roles)?;
    let initialised = Command::new(pgbench::program()?)
        .args(["-i", "-q", "-s", &SCALE.to_string(), "-h", "127.0.0.1"])
        .args(["-p", &cluster.port.to_string(), "-U", SUPERUSER, DATABASE])
        .stdin(Stdio::null())
        .output()?;
    if !initialised.status.success() {
        return Err(format!("pgbench -i failed: {}", String::from_utf8_lossy(&initialised.stderr)).into());
    }
    cluster.script(DATABASE, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC;")?;
    cluster.script(DATABASE, people::TABLES)?;
    // For contenders that run masks themselves; pgwarrant's sessions have a key of their own.
    cluster.script(
        DATABASE,
        &format!("ALTER DATABASE {DATABASE} SET pgwarrant.key = 'forty bytes for the masks of the others';"),
    )?;
    cluster.script(DATABASE, "CHECKPOINT;")?;
    let version = cluster.script(DATABASE, "SHOW server_version;")?.trim().to_owned();
    let mut verifiers = Vec::new();
    for user in USERS {
        let sql = format!("SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = '{user}';");
        verifiers.push((user.to_owned(), cluster.script(DATABASE, &sql)?.trim().to_owned()));
    }
    Ok((format!("PostgreSQL {version}"), verifiers))
}
