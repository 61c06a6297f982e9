//! The repository's own `proxy.toml`, and the defaults that it shows.

use std::path::Path;
use std::time::Duration;

use super::{GOOD, read, said};
use crate::config::*;

#[test]
fn the_repositorys_own_file_is_good() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proxy.toml");
    let config = load(&path).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.warnings.to_string(), "");
    assert!(config.listen.addresses.iter().all(|address| address.ip().is_loopback()));
    assert_eq!(config.users.len(), 5);
}

/// proxy.toml shows defaults as comments: uncommented they must change nothing.
#[test]
fn the_defaults_that_the_repositorys_file_shows_are_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proxy.toml");
    let text = std::fs::read_to_string(&path).expect("proxy.toml");
    let defaults = [
        "warm",
        "warm_age",
        "max_pending_per_user",
        "max_ahead",
        "time_zone",
        "seal_after",
        "sync_after",
        "queue",
        "message",
        "statement",
        "statement_tokens",
        "nesting",
        "names",
        "statement_cache",
    ];
    let mut shown = 0;
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if defaults.iter().any(|key| rest.starts_with(&format!("{key} = "))) => {
                shown += 1;
                rest
            }
            _ => line,
        })
        .collect();
    assert_eq!(shown, defaults.len());
    let as_text = |config: Config| {
        let warm = config.databases.iter().map(|database| (database.warm, database.warm_age));
        format!("{:?} {:?} {:?} {:?}", warm.collect::<Vec<_>>(), config.grants, config.audit, config.limits)
    };
    let before = read(&text).expect("a good file");
    let after = read(&uncommented.join("\n")).expect("a good file");
    assert_eq!(as_text(before), as_text(after));
}

/// The defaults and bounds in `sections.rs` are texts that nobody else checks.
#[test]
fn every_default_is_within_its_own_bounds() {
    let durations = [("grants", "default_duration"), ("grants", "max_duration"), ("grants", "pending_lapse")];
    let more = [("limits", "startup_timeout"), ("audit", "seal_after"), ("audit", "sync_after")];
    for (section, key) in durations.into_iter().chain(more) {
        let said = said("", &format!("[{section}]\n{key} = \"0 s\""));
        let bounds = said.strip_prefix(&format!("f:24: {key} must be ")).expect("bounds");
        let (low, high) = bounds.split_once(" to ").expect("two bounds");
        let low = quantity::duration(low).expect("a duration");
        assert!(low > Duration::ZERO && low < quantity::duration(high).expect("a duration"), "{said}");
    }
    let sizes =
        [("limits", "message"), ("limits", "statement"), ("limits", "statement_cache"), ("audit", "queue")];
    for (section, key) in sizes {
        let said = said("", &format!("[{section}]\n{key} = \"0\""));
        let bounds = said.strip_prefix(&format!("f:24: {key} must be ")).expect("bounds");
        let (low, high) = bounds.split_once(" to ").expect("two bounds");
        assert!(quantity::size(low).expect("a size") < quantity::size(high).expect("a size"), "{said}");
    }
    let config = read(GOOD).expect("a good file");
    assert!(config.grants.default_duration <= config.grants.max_duration);
    let times = [
        config.grants.pending_lapse,
        config.limits.startup_timeout,
        config.audit.seal_after,
        config.audit.sync_after,
    ];
    assert!(times.iter().all(|time| *time > Duration::ZERO));
    assert!(config.limits.statement_cache > 0 && config.databases[0].catalogue.poll > Duration::ZERO);
}

#[test]
fn a_file_that_cannot_be_read_says_so() {
    let said = load(Path::new("/nowhere/proxy.toml")).expect_err("no file").to_string();
    assert_eq!(
        said,
        "/nowhere/proxy.toml: could not read the file: No such file or directory (os error 2)\n\
         HINT:  Give the file with --config FILE."
    );
}
