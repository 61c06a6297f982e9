//! What an idle connection holds: memory of the process, for each connection that is signed in, has
//! run one statement and waits.

use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::contender::Contender;
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
/// that others have given back would be used again, and not be seen. All of them at once, as memory
/// is counted for each process and most of the time is spent waiting.
pub fn run(world: &mut World, report: &mut Report) -> Outcome<()> {
    let connections = if world.effort.quick { 100 } else { 300 };
    let note =
        format!("private memory of the process for each of {connections} connections after the first {WARM}");
    report.line(Line::new(PLAIN, "kB").bound(Bound::at_most(PGWARRANT, 8.0).aim(3.0)).note(note));
    report.line(Line::new(TLS, "kB").bound(Bound::at_most(PGWARRANT, 40.0).aim(20.0)));
    let mut held = Vec::new();
    for name in [SPLICE, HAPROXY, PGBOUNCER, PGWARRANT] {
        if let Some(contender) = world.fresh(name, "idle-plain")? {
            held.push(Held { line: PLAIN, endpoint: world.endpoint(&contender), contender, tls: None });
        }
    }
    if let Some(contender) = world.fresh(PGWARRANT, "idle-tls")? {
        let trusted = trust(&world.directory.path().join("idle-tls").join(PGWARRANT).join("server.crt"))?;
        let endpoint = world.endpoint(&contender);
        held.push(Held { line: TLS, endpoint, contender, tls: Some(trusted) });
    }
    let mut clients = Vec::new();
    for one in &held {
        clients.push(open(&one.endpoint, WARM, one.tls.as_ref())?);
    }
    sleep(SETTLE);
    let before: Vec<u64> = held.iter().map(|one| private_kb(&one.endpoint.pids)).collect::<Outcome<_>>()?;
    for one in &held {
        clients.push(open(&one.endpoint, connections, one.tls.as_ref())?);
    }
    sleep(SETTLE);
    for (one, before) in held.iter().zip(before) {
        let more = private_kb(&one.endpoint.pids)? as f64 - before as f64;
        report.sample(one.line, one.contender.name, more / connections as f64);
    }
    Ok(())
}

/// A process that holds idle connections.
struct Held {
    line: &'static str,
    contender: Contender,
    endpoint: Endpoint,
    tls: Option<Arc<ClientConfig>>,
}

/// TLS that trusts this certificate alone.
fn trust(certificate: &Path) -> Outcome<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
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
