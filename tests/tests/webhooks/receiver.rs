//! The receiver, as a process that can be killed and started again.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pgwarrant_tests::{free_port, workspace};
use serde_json::Value;
use tempfile::TempDir;

use crate::{OTHER_SECRET, SECRET};

pub struct Receiver {
    pub port: u16,
    pub directory: TempDir,
    child: Child,
}

impl Receiver {
    pub fn start() -> Receiver {
        let directory = tempfile::Builder::new().prefix("pgwarrant-test-").tempdir().expect("a directory");
        let port = free_port();
        fs::write(directory.path().join("mode"), "ok").expect("a mode");
        fs::write(directory.path().join("record"), "").expect("a record");
        let child = launch(port, &directory);
        Receiver { port, directory, child }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// How it answers from now on.
    pub fn set(&self, mode: &str) {
        let path = self.directory.path().join("mode");
        fs::write(path.with_extension("new"), mode).expect("a mode");
        fs::rename(path.with_extension("new"), path).expect("a mode");
    }

    /// What came so far, in order.
    pub fn came(&self) -> Vec<Value> {
        let record = fs::read_to_string(self.directory.path().join("record")).expect("a record");
        let whole = record.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn restart(&mut self) {
        self.kill();
        self.child = launch(self.port, &self.directory);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(port: u16, directory: &TempDir) -> Child {
    let script: PathBuf = workspace().join("tests/tests/webhooks/receiver.py");
    let child = Command::new("python3")
        .arg(script)
        .arg(port.to_string())
        .args([directory.path().join("record"), directory.path().join("mode")])
        .args([SECRET, OTHER_SECRET])
        .stdin(Stdio::null())
        .spawn()
        .expect("python3 runs");
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "the receiver does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}
