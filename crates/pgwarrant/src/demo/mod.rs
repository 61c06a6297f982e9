//! `pgwarrant demo`: a throwaway PostgreSQL, the proxy in front of it, and the lines to paste.

mod story;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use pgwarrant_throwaway::{Cluster, Options, SHOP};

use crate::cli::Failure;
use crate::config::{self, Config, Host};
use crate::serve;

/// Where the pages are, if the file does not say.
const PAGES: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 6480);

/// Runs until Ctrl-C; then nothing is left.
pub fn run(config_file: &Path) -> Result<(), Failure> {
    let mut config = config::load(config_file).map_err(|problems| Failure::new(problems.to_string()))?;
    refuse_exposure(&config)?;
    let (port, database) = upstream(&config)?;
    say("starting a throwaway PostgreSQL …");
    let cluster = Cluster::start(&Options { port: Some(port), ..Options::default() })
        .map_err(|error| Failure::hint(error.to_string(), error.hint()))?;
    say("loading the sample shop …");
    cluster
        .script("postgres", &format!("CREATE DATABASE \"{}\"", database.replace('"', "\"\"")))
        .and_then(|_| cluster.script(&database, SHOP))
        .map_err(|error| Failure::new(format!("could not load the sample shop: {error}")))?;
    // Grants and the audit trail end with the demo.
    config.store.path = cluster.directory().join("store");
    config.masking.key = config::MaskingKey::Generated(config.store.path.join("masking.key"));
    // Without them the demo is as good in psql.
    if config.api.is_none() && TcpListener::bind(PAGES).is_ok() {
        let limits = pgwarrant_api::settings::Limits::default();
        config.api = Some(pgwarrant_api::Settings {
            listen: vec![PAGES],
            tls: None,
            public_url: None,
            limits,
            inbound: Vec::new(),
        });
    }
    let config = Arc::new(config);
    serve::until_interrupted(&config, None, |addresses| story(addresses, &cluster, &config))?;
    say("stopping; nothing is left behind");
    Ok(())
}

/// The demo's passwords are public, so nobody from elsewhere may reach it.
fn refuse_exposure(config: &Config) -> Result<(), Failure> {
    let pages = config.api.iter().flat_map(|api| &api.listen);
    match config.listen.addresses.iter().chain(pages).find(|address| !address.ip().is_loopback()) {
        Some(address) => Err(Failure::hint(
            format!("the demo is for loopback only, not for {address}: its passwords are public"),
            "Set [listen] address = \"127.0.0.1:6432\" and [api] listen = \"127.0.0.1:6480\", or run \"pgwarrant serve\" with users of your own.",
        )),
        None => Ok(()),
    }
}

fn upstream(config: &Config) -> Result<(u16, String), Failure> {
    let hint = "Use the proxy.toml that comes with pgwarrant.";
    match config.databases.as_slice() {
        [database] => match &database.upstream.host {
            Host::Tcp(_) if database.upstream.is_local() => {
                Ok((database.upstream.port, database.upstream.database.clone()))
            }
            _ => Err(Failure::hint("the demo starts its own PostgreSQL, on loopback", hint)),
        },
        _ => Err(Failure::hint("the demo is for a configuration with one [[database]]", hint)),
    }
}

fn story(addresses: &[SocketAddr], cluster: &Cluster, config: &Config) {
    let Some(address) = addresses.first() else { return };
    let (host, port) = (address.ip().to_string(), address.port());
    let mut lines = vec![
        String::new(),
        format!("pgwarrant listens on {address}, in front of a PostgreSQL on port {}.", cluster.port),
    ];
    if let Some(pages) = config.api.as_ref().and_then(|api| api.listen.first()) {
        lines.push(format!(
            "Asking and deciding in a browser: http://{pages} (as petra with petra-demo, or ada with ada-demo)."
        ));
    }
    lines.push("Paste these into another terminal, one after the other:".to_owned());
    for (number, step) in story::STEPS.iter().enumerate() {
        lines.push(String::new());
        lines.push(format!("{}. {}", number + 1, step.says));
        lines.push(format!("   {}", story::command(step, &host, port)));
    }
    let store = config.store.path.display();
    lines.push(String::new());
    lines.push(format!(
        "{}. The whole trail, and the proof that nothing in it was changed:",
        story::STEPS.len() + 1
    ));
    lines.push(format!("   {} audit --store {store} tail", program()));
    lines.push(format!("   {} audit --store {store} verify", program()));
    lines.push(String::new());
    lines.push("Ctrl-C ends the demo and removes everything.".to_owned());
    say(&lines.join("\n"));
}

/// How this program was called, to be pasted.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "pgwarrant".to_owned())
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}
