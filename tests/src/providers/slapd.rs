//! A directory: OpenLDAP's slapd, with a configuration, data and ports of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::certificates::Certificates;
use crate::free_port;

const DATA: &str = include_str!("directory.ldif");

pub struct Slapd {
    process: Child,
    pub plain: String,
    pub encrypted: String,
    _data: tempfile::TempDir,
}

fn program(name: &str) -> PathBuf {
    let places = ["/usr/sbin", "/usr/local/sbin", "/usr/local/libexec", "/usr/bin"];
    let found = places.map(|place| PathBuf::from(place).join(name)).into_iter().find(|path| path.exists());
    found.expect("slapd must be installed: tests/bin/install tests")
}

impl Slapd {
    /// With the certificate of `certificates`.
    pub fn start(certificates: &Certificates) -> Self {
        let data = tempfile::tempdir().unwrap();
        let place = |name: &str| data.path().join(name).display().to_string();
        let tls = certificates.directory().display();
        let modules = ["/usr/lib/ldap", "/usr/lib64/openldap", "/usr/lib/openldap"];
        let modules = modules.into_iter().find(|path| PathBuf::from(path).exists());
        let modules =
            modules.map(|path| format!("modulepath {path}\nmoduleload back_mdb\n")).unwrap_or_default();
        let configuration = format!(
            "include /etc/ldap/schema/core.schema\n\
             include /etc/ldap/schema/cosine.schema\n\
             include /etc/ldap/schema/inetorgperson.schema\n\
             {modules}\
             # As careless as a directory can be: a bind without a password succeeds.\n\
             allow bind_anon_dn\n\
             TLSCertificateFile {tls}/server.crt\n\
             TLSCertificateKeyFile {tls}/server.key\n\
             TLSCACertificateFile {tls}/ca.crt\n\
             database mdb\n\
             maxsize 16777216\n\
             suffix dc=shop,dc=example\n\
             rootdn cn=root,dc=shop,dc=example\n\
             directory {data}\n\
             access to attrs=userPassword by anonymous auth by * none\n\
             access to dn.subtree=ou=hidden,dc=shop,dc=example by * none\n\
             access to * by users read by anonymous auth\n",
            data = data.path().display(),
        );
        std::fs::write(place("slapd.conf"), configuration).unwrap();
        std::fs::write(place("data.ldif"), DATA).unwrap();
        let loaded = Command::new(program("slapadd"))
            .args(["-f", &place("slapd.conf"), "-l", &place("data.ldif")])
            .output()
            .unwrap();
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
        let (plain, encrypted) =
            (format!("ldap://127.0.0.1:{}", free_port()), format!("ldaps://127.0.0.1:{}", free_port()));
        let process = Command::new(program("slapd"))
            .args(["-d", "0", "-f", &place("slapd.conf"), "-h", &format!("{plain} {encrypted}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { process, plain, encrypted, _data: data };
        server.wait();
        server
    }

    fn wait(&mut self) {
        let begun = Instant::now();
        let address = self.plain.strip_prefix("ldap://").unwrap();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(self.process.try_wait().unwrap().is_none(), "slapd ended");
            assert!(begun.elapsed() < Duration::from_secs(30), "slapd does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}
