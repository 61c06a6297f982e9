//! Proves: from the command line people sign in, ask, decide and look as they do over HTTP; the exit
//! status says what came of it; what others wrote steers no terminal; and a credential goes where it
//! belongs and nowhere else. Through the real program, a real proxy and a real PostgreSQL.

mod connect;
mod credentials;
mod device;
mod exits;
mod factors;
mod hostile;
mod life;
mod pages;
mod tls;

use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pgwarrant_tests::{Proxy, Settings, Shop, binary, free_port};
use serde_json::Value;
use tempfile::TempDir;

/// A proxy with its API.
pub struct Served {
    pub proxy: Proxy,
    pub port: u16,
}

impl Served {
    pub fn start(shop: &Shop) -> Served {
        Served::start_with(shop, "")
    }

    /// With more sections.
    pub fn start_with(shop: &Shop, sections: &str) -> Served {
        let port = free_port();
        let append = format!("\n[api]\nlisten = \"127.0.0.1:{port}\"\n{sections}");
        let served =
            Served { proxy: Proxy::start_with(shop, &Settings { append, ..Settings::default() }), port };
        served.wait();
        served
    }

    /// The proxy tells of its own port before the API is served.
    pub fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "the API does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Somebody at a keyboard of their own, not signed in.
    pub fn somebody(&self) -> Desk {
        Desk::new(&self.url())
    }

    /// A user of the demo, signed in.
    pub fn desk(&self, user: &str) -> Desk {
        let desk = self.somebody();
        let ran = desk.run_with(&["login", "--user", user], &format!("{user}-demo\n"));
        assert_eq!(ran.status, 0, "{ran:?}");
        desk
    }
}

/// Somebody's home, and the server they work with.
pub struct Desk {
    pub home: TempDir,
    server: String,
}

/// What the program did.
#[derive(Clone, Debug)]
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The objects that it printed, one a line.
    pub fn json(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

impl Desk {
    pub fn new(server: &str) -> Desk {
        Desk { home: tempfile::tempdir().expect("a directory"), server: server.to_owned() }
    }

    pub fn credentials(&self) -> PathBuf {
        self.home.path().join("pgwarrant/credentials.toml")
    }

    /// `pgwarrant ARGUMENTS`, to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env("XDG_CONFIG_HOME", self.home.path())
            .env("PGWARRANT_SERVER", &self.server);
        for name in
            ["PGWARRANT_TOKEN", "PGUSER", "PGPASSWORD", "PGHOST", "PGOPTIONS", "PGSSLMODE", "NO_COLOR"]
        {
            command.env_remove(name);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    pub fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        finish(self.command(arguments).spawn().expect("pgwarrant starts"), input)
    }

    /// Asks for the e-mail address of customer 42; the request's number.
    pub fn ask(&self, reason: &str) -> u64 {
        let ran = self.run(&[
            "request",
            "create",
            "customers.email",
            "--rows",
            "id = 42",
            "--reason",
            reason,
            "--duration",
            "10 min",
            "--json",
        ]);
        assert_eq!(ran.status, 3, "{ran:?}");
        ran.json()[0]["request"]["id"].as_u64().expect("a number")
    }
}

/// Gives it its input, and waits for its end.
pub fn finish(mut child: Child, input: &str) -> Ran {
    // It may end without reading.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("pgwarrant runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran {
        status: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}
