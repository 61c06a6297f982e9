//! SIGHUP: the policies are read again, as PostgreSQL reads its configuration again.
//!
//! They come into force together, for requests that are made from then on, or not at all: with a
//! mistake in any of them those before stay. Everything else in the configuration needs a restart,
//! and a log line says so where something else has changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use pgwarrant_audit::{Decision, Kind, Record, Trail};
use pgwarrant_grants::Principal;
use pgwarrant_grants::ruling::{Arbiter, Facts, Ruling};
use ring::digest::{SHA256, digest};
use tokio::signal::unix::Signal;

use crate::config::{self, Config};
use crate::policy;

/// The arbiter in force.
pub struct InForce(ArcSwap<Box<dyn Arbiter>>);

impl InForce {
    pub fn new(arbiter: Box<dyn Arbiter>) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(arbiter)))
    }
}

impl Arbiter for InForce {
    fn rule(&self, facts: &Facts) -> Ruling {
        self.0.load().rule(facts)
    }

    fn may_ask(&self, who: &Principal) -> bool {
        self.0.load().may_ask(who)
    }
}

/// The configuration's file, and what of it is in use.
pub struct Source {
    file: PathBuf,
    sections: toml::Table,
}

impl Source {
    /// Of a file that was loaded a moment ago.
    pub fn of(file: &Path) -> Self {
        Self { file: file.to_owned(), sections: sections(file) }
    }
}

/// Reads policies again at each signal, for ever. `config` is what the proxy runs with: its groups
/// and categories are those that policies may name.
pub async fn at_signals(
    mut signal: Signal,
    source: Source,
    config: Arc<Config>,
    in_force: Arc<InForce>,
    trail: Trail,
) {
    while signal.recv().await.is_some() {
        let (file, running) = (source.file.clone(), Arc::clone(&config));
        let read = tokio::task::spawn_blocking(move || read(&file, &running)).await;
        let mut record = Record::new(Kind::Configuration, Decision::Allowed, pgwarrant_audit::record::now());
        match read {
            Ok(Ok(Read { arbiter, what })) => {
                in_force.0.store(Arc::new(arbiter));
                tracing::info!("policies were read again: {what}");
                record.note = Some(format!("policies were read again: {what}"));
            }
            Ok(Err(problems)) => {
                tracing::error!("policies were not read again, those before stay in force:\n{problems}");
                record.decision = Decision::Refused;
                record.note = Some("policies were not read again: there are mistakes in them".to_owned());
            }
            Err(error) => {
                tracing::error!(%error, "policies were not read again, those before stay in force");
                continue;
            }
        }
        let changed = changed(&source.sections, &sections(&source.file));
        if !changed.is_empty() {
            tracing::warn!(
                "other sections of the configuration have changed, and need a restart: {}",
                changed.join(", ")
            );
        }
        if let Err(error) = trail.append(record).await {
            tracing::error!(%error, "the audit trail does not take records");
        }
    }
}

struct Read {
    arbiter: Box<dyn Arbiter>,
    /// For the log and the trail: each file with the beginning of its SHA-256.
    what: String,
}

fn read(file: &Path, running: &Config) -> Result<Read, String> {
    let new = config::load(file).map_err(|problems| problems.to_string())?;
    let Some(section) = &new.policy else {
        let what = "there is no [policy], groups decide".to_owned();
        return Ok(Read { arbiter: policy::by_groups(running), what });
    };
    let (policies, sources) = policy::load_with_sources(running, &section.files)
        .map_err(|problems| policy::failure(problems).message)?;
    let what = sources.iter().map(named).collect::<Vec<_>>().join(", ");
    Ok(Read { arbiter: Box::new(policies), what })
}

fn named(source: &policy::Source) -> String {
    let hash = digest(&SHA256, source.text.as_bytes());
    let begin: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{} (sha256 {begin}…)", source.file)
}

/// All but `[policy]`; none of a file that cannot be read, of which [`config::load`] tells.
fn sections(file: &Path) -> toml::Table {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut sections: toml::Table = text.parse().unwrap_or_default();
    sections.remove("policy");
    sections
}

/// Names of the sections that differ, as the file writes them.
fn changed(before: &toml::Table, now: &toml::Table) -> Vec<String> {
    let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    let differs = |name: &&&String| before.get(**name) != now.get(**name);
    let is_list = |name: &str| matches!(now.get(name).or(before.get(name)), Some(toml::Value::Array(_)));
    let written = |name: &String| if is_list(name) { format!("[[{name}]]") } else { format!("[{name}]") };
    names.iter().filter(differs).map(|name| written(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_restart_is_named_as_it_is_written() {
        let table = |text: &str| text.parse::<toml::Table>().expect("a table");
        let before = table("[audit]\nqueue = 1\n[[user]]\nname = 'ada'\n[store]\npath = 'x'\n");
        for (now, expected) in [
            ("[audit]\nqueue = 1\n[[user]]\nname = 'ada'\n[store]\npath = 'x'\n", vec![]),
            (
                "[audit]\nqueue = 2\n[[user]]\nname = 'ben'\n[store]\npath = 'x'\n",
                vec!["[audit]", "[[user]]"],
            ),
            ("[audit]\nqueue = 1\n[api]\n[[user]]\nname = 'ada'\n", vec!["[api]", "[store]"]),
        ] {
            assert_eq!(changed(&before, &table(now)), expected, "{now}");
        }
    }
}
