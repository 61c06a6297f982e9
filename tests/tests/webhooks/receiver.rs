//! The receiver, as a process that can be killed and started again.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pgwarrant_tests::providers::certificates::{Certificates, Validity};
use pgwarrant_tests::{free_port, workspace};
use serde_json::Value;
use tempfile::TempDir;

use crate::{OTHER_SECRET, SECRET};

pub struct Receiver {
    address: SocketAddrV4,
    pub directory: TempDir,
    certificates: Option<Certificates>,
    child: Child,
}

impl Receiver {
    pub fn start() -> Receiver {
        Self::at(Ipv4Addr::LOCALHOST, None)
    }

    /// Over HTTPS, with a certificate for 127.0.0.1 of an authority of its own.
    pub fn start_https(address: Ipv4Addr, validity: Validity) -> Receiver {
        Self::at(address, Some(Certificates::new(validity)))
    }

    fn at(address: Ipv4Addr, certificates: Option<Certificates>) -> Receiver {
        let directory = tempfile::Builder::new().prefix("pgwarrant-test-").tempdir().expect("a directory");
        let address = SocketAddrV4::new(address, free_port());
        fs::write(directory.path().join("mode"), "ok").expect("a mode");
        fs::write(directory.path().join("record"), "").expect("a record");
        let child = launch(address, &directory, certificates.as_ref());
        Receiver { address, directory, certificates, child }
    }

    pub fn url(&self) -> String {
        let scheme = if self.certificates.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/hook", self.address)
    }

    /// The authority behind its certificate.
    pub fn authority(&self) -> PathBuf {
        self.certificates.as_ref().expect("a receiver over HTTPS").ca()
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
        self.child = launch(self.address, &self.directory, self.certificates.as_ref());
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(address: SocketAddrV4, directory: &TempDir, certificates: Option<&Certificates>) -> Child {
    let tls = certificates.map_or(Path::new("-"), Certificates::directory);
    let script: PathBuf = workspace().join("tests/tests/webhooks/receiver.py");
    let child = Command::new("python3")
        .arg(script)
        .args([address.ip().to_string(), address.port().to_string()])
        .args([directory.path().join("record"), directory.path().join("mode"), tls.to_owned()])
        .args([SECRET, OTHER_SECRET])
        .stdin(Stdio::null())
        .spawn()
        .expect("python3 runs");
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "the receiver does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}
