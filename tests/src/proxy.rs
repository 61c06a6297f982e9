//! The real proxy, from the repository's own `proxy.toml`, in front of a test's shop.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{Shop, server_port};

/// What a test changes in `proxy.toml`: pairs of text to find (it must be there) and to put instead.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub replace: Vec<(String, String)>,
    /// Appended at the end of the file.
    pub append: String,
}

/// A running `pgwarrant serve`, ended with the test.
pub struct Proxy {
    pub port: u16,
    pub database: String,
    pub directory: TempDir,
    child: Child,
    log: Arc<Mutex<String>>,
}

/// What psql printed.
#[derive(Clone, Debug)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub success: bool,
}

impl Proxy {
    /// Starts the proxy in front of `shop` as `proxy.toml` says, but for the port, the store and the
    /// database's name upstream.
    pub fn start(shop: &Shop) -> Proxy {
        Proxy::start_with(shop, &Settings::default())
    }

    /// The same, with changes to the configuration.
    pub fn start_with(shop: &Shop, settings: &Settings) -> Proxy {
        let directory =
            tempfile::Builder::new().prefix("pgwarrant-test-").tempdir().expect("a temporary directory");
        let port = free_port();
        let mut text =
            fs::read_to_string(workspace().join("proxy.toml")).expect("proxy.toml at the workspace's root");
        let own = [
            ("127.0.0.1:6432".to_owned(), format!("127.0.0.1:{port}")),
            ("127.0.0.1:55432/shop".to_owned(), format!("127.0.0.1:{}/{}", server_port(), shop.database)),
            (
                "path = \".pgwarrant\"".to_owned(),
                format!("path = \"{}\"", directory.path().join("store").display()),
            ),
        ];
        for (from, to) in own.iter().chain(&settings.replace) {
            assert!(text.contains(from.as_str()), "proxy.toml has no {from:?} to replace");
            text = text.replace(from.as_str(), to);
        }
        text.push_str(&settings.append);
        fs::write(directory.path().join("proxy.toml"), text).expect("a configuration file");
        let (child, log) = launch(directory.path());
        let mut proxy = Proxy { port, database: "shop".to_owned(), directory, child, log };
        proxy.wait_until_ready();
        proxy
    }

    /// Ends the proxy as a crash would, and starts it again on the same store.
    pub fn crash_and_restart(&mut self) {
        self.kill();
        let (child, log) = launch(self.directory.path());
        self.child = child;
        self.log = log;
        self.wait_until_ready();
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and the exit status.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        self.child.wait().expect("the proxy's exit status")
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// What the proxy has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().map(|log| log.clone()).unwrap_or_default()
    }

    /// Where grants and the audit trail are.
    pub fn store(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    /// The configuration file it runs with.
    pub fn config(&self) -> PathBuf {
        self.directory.path().join("proxy.toml")
    }

    /// A connection string for `user` of the demo, whose password is in proxy.toml's comment.
    pub fn conninfo(&self, user: &str) -> String {
        format!(
            "host=127.0.0.1 port={} dbname={} user={user} password={user}-demo connect_timeout=10",
            self.port, self.database
        )
    }

    /// A connection through the proxy, driven in the background; notices are kept.
    pub async fn connect(&self, user: &str) -> tokio_postgres::Client {
        crate::shop::connect(&self.conninfo(user)).await
    }

    /// Runs psql with `script` on its standard input, unaligned and without headers.
    pub fn psql(&self, user: &str, script: &str) -> Run {
        self.psql_with(user, &["-A", "-t"], script)
    }

    /// Runs psql with more arguments.
    pub fn psql_with(&self, user: &str, arguments: &[&str], script: &str) -> Run {
        psql(&self.conninfo(user), arguments, script)
    }

    /// Runs the program itself, `pgwarrant ARGUMENTS`.
    pub fn pgwarrant(&self, arguments: &[&str]) -> Run {
        let output =
            Command::new(binary()).args(arguments).stdin(Stdio::null()).output().expect("pgwarrant runs");
        Run {
            stdout: String::from_utf8_lossy(&output.stdout).trim_end().to_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).trim_end().to_owned(),
            success: output.status.success(),
        }
    }

    fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                std::thread::sleep(Duration::from_millis(100));
                panic!("pgwarrant serve ended with {status}:\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "pgwarrant serve does not listen:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "--- the proxy's log:\n{}", self.log());
        }
    }
}

/// Runs psql on any connection string with `script` on its standard input.
pub fn psql(conninfo: &str, arguments: &[&str], script: &str) -> Run {
    let mut child = Command::new("psql")
        .args(["-X", "-q", "-d", conninfo])
        .args(arguments)
        .env("PGCONNECT_TIMEOUT", "10")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql starts");
    let mut input = child.stdin.take().expect("a pipe");
    let script = script.to_owned();
    let writer = std::thread::spawn(move || {
        let _ = input.write_all(script.as_bytes());
    });
    let output = child.wait_with_output().expect("psql runs");
    let _ = writer.join();
    Run {
        stdout: String::from_utf8_lossy(&output.stdout).trim_end().to_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).trim_end().to_owned(),
        success: output.status.success(),
    }
}

/// The workspace's root.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}

/// The program that `make test` built before the tests.
pub fn binary() -> PathBuf {
    let tests = std::env::current_exe().expect("the test's own path");
    let candidates = tests.ancestors().skip(1).take(3).map(|directory| directory.join("pgwarrant"));
    candidates.into_iter().find(|path| path.is_file()).expect("target/…/pgwarrant: run `cargo build` first")
}

fn launch(directory: &Path) -> (Child, Arc<Mutex<String>>) {
    let mut child = Command::new(binary())
        .arg("serve")
        .arg("--config")
        .arg(directory.join("proxy.toml"))
        .current_dir(directory)
        .env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pgwarrant starts");
    let log = Arc::new(Mutex::new(String::new()));
    if let Some(stderr) = child.stderr.take() {
        let log = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Ok(mut log) = log.lock() {
                    log.push_str(&line);
                    log.push('\n');
                }
            }
        });
    }
    (child, log)
}
