//! Proves what docs/architecture.md says of the crates: which may depend on which, and what the
//! pure ones must not know.

use std::collections::BTreeSet;
use std::fs;

use pgwarrant_tests::workspace;

/// A crate and the crates of this workspace that it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("masking", &[]),
    ("catalog", &["masking"]),
    ("sql", &["catalog", "masking"]),
    ("grants", &["sql", "catalog", "masking"]),
    ("policy", &["grants"]),
    ("audit", &[]),
    ("http", &[]),
    ("client", &["http"]),
    ("webhooks", &["audit", "grants", "http"]),
    ("identity", &["http"]),
    ("conditions", &["grants", "http", "webhooks"]),
    ("api", &["audit", "grants", "catalog", "webhooks"]),
    ("wire", &[]),
    ("proxy", &["wire", "identity", "audit", "grants", "sql", "catalog", "masking"]),
    ("throwaway", &[]),
    (
        "pgwarrant",
        &[
            "api",
            "client",
            "conditions",
            "proxy",
            "policy",
            "http",
            "webhooks",
            "wire",
            "identity",
            "audit",
            "grants",
            "sql",
            "catalog",
            "masking",
            "throwaway",
        ],
    ),
];

/// The names in a crate's `[dependencies]`.
fn dependencies(name: &str) -> BTreeSet<String> {
    let manifest =
        fs::read_to_string(workspace().join("crates").join(name).join("Cargo.toml")).expect("a manifest");
    let section = manifest.split_once("\n[dependencies]\n").map_or("", |(_, rest)| rest);
    let section = section.split_once("\n[").map_or(section, |(section, _)| section);
    let name = |line: &str| line.split(['.', ' ', '=']).next().map(str::to_owned);
    section.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).filter_map(name).collect()
}

#[test]
fn arrows_between_crates_point_downwards() {
    let found: BTreeSet<String> = fs::read_dir(workspace().join("crates"))
        .expect("the crates")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let known: BTreeSet<String> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, known, "a crate that docs/architecture.md does not know");
    for (name, allowed) in ARROWS {
        for dependency in dependencies(name) {
            if let Some(ours) = dependency.strip_prefix("pgwarrant-") {
                assert!(allowed.contains(&ours), "{name} depends on {ours}");
            }
        }
    }
}

#[test]
fn the_pure_crates_do_no_io_and_only_wire_knows_pgwire() {
    for name in ["masking", "catalog", "sql", "policy"] {
        let dependencies = dependencies(name);
        for forbidden in ["tokio", "sled", "socket2", "rustls", "tracing"] {
            assert!(!dependencies.contains(forbidden), "{name} depends on {forbidden}");
        }
    }
    for (name, _) in ARROWS.iter().filter(|(name, _)| *name != "wire") {
        assert!(!dependencies(name).contains("pgwire"), "{name} depends on pgwire");
    }
    assert!(dependencies("wire").contains("pgwire"), "the check itself reads manifests");
}
