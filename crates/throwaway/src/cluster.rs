//! Making, starting and stopping the server.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The superuser of a throwaway server; it may sign in without a password from this machine.
pub const SUPERUSER: &str = "postgres";

/// Why a throwaway server could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("PostgreSQL's server binaries were not found")]
    NoBinaries,
    #[error("PostgreSQL does not run as root, and this machine has neither a user postgres nor nobody")]
    NoOrdinaryUser,
    #[error("could not {what}: {source}")]
    Io { what: String, source: io::Error },
    #[error("{program} failed: {output}")]
    Failed { program: String, output: String },
}

impl Error {
    /// What the reader can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::NoBinaries => {
                "Run \"make postgres\", which installs them with the system's package manager."
            }
            Error::NoOrdinaryUser => "Run as an ordinary user.",
            Error::Io { .. } | Error::Failed { .. } => {
                "Look at the message above; the directory has been removed."
            }
        }
    }
}

/// How a throwaway server differs from the default.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A free port is chosen where there is none.
    pub port: Option<u16>,
    /// More lines for postgresql.conf.
    pub settings: Vec<String>,
    /// The whole of pg_hba.conf; everybody on loopback is trusted where there is none.
    pub hba: Option<String>,
    /// Files to put into the data directory (certificates), by name.
    pub files: Vec<(String, Vec<u8>)>,
    /// Another directory of binaries than the newest found, to test against other versions.
    pub binaries: Option<PathBuf>,
}

/// A running throwaway server.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    binaries: PathBuf,
    owner: Option<Owner>,
    server: Child,
    pub port: u16,
}

#[derive(Clone, Copy, Debug)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Cluster {
    /// Makes a cluster and starts it; returns when it takes connections.
    pub fn start(options: &Options) -> Result<Cluster, Error> {
        let binaries = match &options.binaries {
            Some(directory) => directory.clone(),
            None => find_binaries().ok_or(Error::NoBinaries)?,
        };
        let owner = ordinary_user()?;
        let directory = make_directory(owner)?;
        match start_in(&directory, &binaries, owner, options) {
            Ok((server, port)) => Ok(Cluster { directory, binaries, owner, server, port }),
            Err(error) => {
                let _ = fs::remove_dir_all(&directory);
                Err(error)
            }
        }
    }

    /// The directory that holds the server's data, socket and log.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A URL for a superuser's connection to `database`.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs a script with psql, as the superuser, stopping at the first error.
    pub fn script(&self, database: &str, sql: &str) -> Result<String, Error> {
        let mut psql = Command::new(self.binaries.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", SUPERUSER])
            .args(["-p", &self.port.to_string(), "-d", database, "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = psql.spawn().map_err(|source| Error::Io { what: "start psql".into(), source })?;
        let writer = child.stdin.take().map(|mut input| {
            let sql = sql.to_owned();
            std::thread::spawn(move || {
                use std::io::Write;
                let _ = input.write_all(sql.as_bytes());
            })
        });
        let output =
            child.wait_with_output().map_err(|source| Error::Io { what: "run psql".into(), source })?;
        if let Some(writer) = writer {
            let _ = writer.join();
        }
        checked("psql", output)
    }

    /// Stops the server at once, as a crash would.
    pub fn kill(&mut self) {
        let _ = run_as(self.owner, self.binaries.join("pg_ctl"))
            .args([OsStr::new("stop"), "-D".as_ref(), self.directory.join("data").as_os_str()])
            .args(["-m", "immediate", "-w", "-s"])
            .output();
        let _ = self.server.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The newest PostgreSQL's `bin` directory: on the PATH, or where Debian, Fedora and Homebrew put it.
pub fn find_binaries() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for parent in ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt"] {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let version = name.to_string_lossy().trim_start_matches("postgresql@").parse::<u32>().ok();
            let binaries = entry.path().join("bin");
            if let Some(version) = version
                && binaries.join("initdb").is_file()
                && binaries.join("postgres").is_file()
            {
                found.push((version, binaries));
            }
        }
    }
    found.sort();
    found.pop().map(|(_, binaries)| binaries).or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .find(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file())
    })
}

/// Whom to run the server as: nobody else unless this is root.
fn ordinary_user() -> Result<Option<Owner>, Error> {
    let process = fs::metadata("/proc/self")
        .map_err(|source| Error::Io { what: "find out which user this is".into(), source })?;
    if process.uid() != 0 {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd")
        .map_err(|source| Error::Io { what: "read /etc/passwd".into(), source })?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| {
            let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            Some(Owner { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
        })
        .map(Some)
        .ok_or(Error::NoOrdinaryUser)
}

fn make_directory(owner: Option<Owner>) -> Result<PathBuf, Error> {
    let at = |what: &str| {
        let what = what.to_owned();
        move |source| Error::Io { what, source }
    };
    // Short, because a Unix socket's path may have 107 bytes.
    let base = std::env::temp_dir();
    for attempt in 0..1000u32 {
        let directory = base.join(format!("pgwarrant-{}-{attempt}", std::process::id()));
        match fs::create_dir(&directory) {
            Ok(()) => {
                fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))
                    .map_err(at("restrict a directory"))?;
                if let Some(owner) = owner {
                    chown(&directory, Some(owner.uid), Some(owner.gid))
                        .map_err(at("hand over a directory"))?;
                }
                return Ok(directory);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(source) => return Err(at("make a directory")(source)),
        }
    }
    Err(at("make a directory")(io::Error::from(io::ErrorKind::AlreadyExists)))
}

fn start_in(
    directory: &Path,
    binaries: &Path,
    owner: Option<Owner>,
    options: &Options,
) -> Result<(Child, u16), Error> {
    let data = directory.join("data");
    let initdb = run_as(owner, binaries.join("initdb"))
        .arg("-D")
        .arg(&data)
        .args(["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])
        .output()
        .map_err(|source| Error::Io { what: "start initdb".into(), source })?;
    checked("initdb", initdb)?;
    write_as(owner, &data.join("pg_hba.conf"), options.hba.as_deref().unwrap_or(TRUST_LOOPBACK).as_bytes())?;
    for (name, content) in &options.files {
        write_as(owner, &data.join(name), content)?;
    }
    // A port is free until somebody else takes it, so a taken one is tried again with another.
    let mut last = None;
    for _ in 0..5 {
        let port = match options.port {
            Some(port) => port,
            None => free_port()?,
        };
        write_as(owner, &data.join("postgresql.auto.conf"), settings(directory, port, options).as_bytes())?;
        match launch(directory, binaries, owner, port) {
            Ok(server) => return Ok((server, port)),
            Err(error) if options.port.is_some() => return Err(error),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or(Error::NoBinaries))
}

const TRUST_LOOPBACK: &str =
    "local all all trust\nhost all all 127.0.0.1/32 trust\nhost all all ::1/128 trust\n";

fn settings(directory: &Path, port: u16, options: &Options) -> String {
    let mut lines = vec![
        "listen_addresses = '127.0.0.1'".to_owned(),
        format!("port = {port}"),
        format!("unix_socket_directories = '{}'", directory.display()),
        "max_connections = 300".to_owned(),
        // Nothing here outlives the run.
        "fsync = off".to_owned(),
        "synchronous_commit = off".to_owned(),
        "full_page_writes = off".to_owned(),
        "shared_buffers = '64MB'".to_owned(),
        "timezone = 'UTC'".to_owned(),
    ];
    lines.extend(options.settings.iter().cloned());
    lines.join("\n") + "\n"
}

fn launch(directory: &Path, binaries: &Path, owner: Option<Owner>, port: u16) -> Result<Child, Error> {
    let log_path = directory.join("log");
    let log =
        fs::File::create(&log_path).map_err(|source| Error::Io { what: "make a log file".into(), source })?;
    let log_again = log.try_clone().map_err(|source| Error::Io { what: "make a log file".into(), source })?;
    let mut server = run_as(owner, binaries.join("postgres"))
        .arg("-D")
        .arg(directory.join("data"))
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(log_again)
        // Ctrl-C in a terminal goes to the whole process group; the server is stopped in order.
        .process_group(0)
        .spawn()
        .map_err(|source| Error::Io { what: "start postgres".into(), source })?;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let ready = Command::new(binaries.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
            .status()
            .is_ok_and(|status| status.success());
        let ended = server.try_wait().ok().flatten().is_some();
        if ready && !ended {
            return Ok(server);
        }
        if ended || Instant::now() > deadline {
            let _ = server.kill();
            let _ = server.wait();
            let output = fs::read_to_string(&log_path).unwrap_or_default();
            return Err(Error::Failed { program: "postgres".into(), output });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn free_port() -> Result<u16, Error> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| Error::Io { what: "find a free port".into(), source })
}

fn run_as(owner: Option<Owner>, program: PathBuf) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if let Some(owner) = owner {
        command.uid(owner.uid).gid(owner.gid);
    }
    command
}

fn write_as(owner: Option<Owner>, path: &Path, content: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::Io { what: format!("write {}", path.display()), source };
    fs::write(path, content).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    match owner {
        Some(owner) => chown(path, Some(owner.uid), Some(owner.gid)).map_err(failed),
        None => Ok(()),
    }
}

fn checked(program: &str, output: Output) -> Result<String, Error> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Failed { program: program.to_owned(), output })
}
