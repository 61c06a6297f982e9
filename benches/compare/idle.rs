//! What an idle connection holds: memory of the process, for each connection that is signed in, has
//! run one statement and waits.

use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::dial::{Client, Endpoint};
use crate::figure::Outcome;
use crate::memory::private_kb;
use crate::report::{Bound, HAPROXY, Line, PGBOUNCER, PGWARRANT, Report, SPLICE};
use crate::world::World;

const PLAIN: &str = "idle connection, plain";
const TLS: &str = "idle connection, TLS";

/// Opened, and kept open, before the first look: what grows once for all connections (pools,
/// caches, the program's own pages) has grown by then.
const WARM: usize = 60;

/// A contender may give buffers back a while after the last statement.
const SETTLE: Duration = Duration::from_millis(1500);

/// Measures each contender on a process of its own, which has never held more connections: memory
/// that others have given back would be used again, and not be seen.
pub fn run(world: &mut World, report: &mut Report) -> Outcome<()> {
    let connections = if world.effort.quick { 120 } else { 1000 };
    let note =
        format!("private memory of the process for each of {connections} connections after the first {WARM}");
    report.line(Line::new(PLAIN, "kB").bound(Bound::at_most(PGWARRANT, 8.0).aim(3.0)).note(note));
    report.line(Line::new(TLS, "kB").bound(Bound::at_most(PGWARRANT, 40.0).aim(20.0)));
    for name in [SPLICE, HAPROXY, PGBOUNCER, PGWARRANT] {
        if let Some(contender) = world.fresh(name, "idle-plain")? {
            let kb = kb_per_connection(&world.endpoint(&contender), connections, None)?;
            report.sample(PLAIN, name, kb);
        }
    }
    if let Some(contender) = world.fresh(PGWARRANT, "idle-tls")? {
        let trusted = trust(&world.directory.path().join("idle-tls").join(PGWARRANT).join("server.crt"))?;
        let kb = kb_per_connection(&world.endpoint(&contender), connections, Some(&trusted))?;
        report.sample(TLS, PGWARRANT, kb);
    }
    Ok(())
}

/// TLS that trusts this certificate alone.
fn trust(certificate: &Path) -> Outcome<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

/// Kilobytes that one more idle connection costs `endpoint`'s processes; over TLS where `tls` says
/// how.
pub fn kb_per_connection(
    endpoint: &Endpoint,
    connections: usize,
    tls: Option<&Arc<ClientConfig>>,
) -> Outcome<f64> {
    let warm = open(endpoint, WARM, tls)?;
    sleep(SETTLE);
    let before = private_kb(&endpoint.pids)?;
    let measured = open(endpoint, connections, tls)?;
    sleep(SETTLE);
    let after = private_kb(&endpoint.pids)?;
    drop((warm, measured));
    Ok((after as f64 - before as f64) / connections as f64)
}

fn open(endpoint: &Endpoint, connections: usize, tls: Option<&Arc<ClientConfig>>) -> Outcome<Vec<Client>> {
    let mut clients = Vec::with_capacity(connections);
    for number in 1..=connections {
        let mut client = match tls {
            Some(config) => Client::connect_tls(endpoint, config)?,
            None => Client::connect(endpoint)?,
        };
        let rows = client.run(&format!("SELECT city FROM people_open WHERE id = {number}"))?;
        if rows != 1 {
            return Err(format!("{rows} rows where one was asked for").into());
        }
        clients.push(client);
    }
    Ok(clients)
}
