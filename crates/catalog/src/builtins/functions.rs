//! The functions that initdb makes.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Verdict, lines, verdict};

/// By name and, where only the overloads with so many arguments are meant, their number.
static FUNCTIONS: LazyLock<HashMap<(&'static str, Option<u16>), Verdict>> = LazyLock::new(|| {
    lines(include_str!("../../data/functions.tsv"))
        .filter_map(|line| {
            let [name, _, text, ..] = line.as_slice() else { return None };
            let key = match name.split_once('/') {
                Some((name, arguments)) => (name, Some(arguments.parse().ok()?)),
                None => (*name, None),
            };
            Some((key, verdict(text)))
        })
        .collect()
});

/// The verdict on a function that initdb made and that takes so many arguments.
pub(crate) fn builtin_verdict(name: &str, arguments: u16) -> Verdict {
    // A map's key of borrowed text is looked up by any lifetime.
    let table: &HashMap<(&str, Option<u16>), Verdict> = &FUNCTIONS;
    let found = table.get(&(name, Some(arguments))).or_else(|| table.get(&(name, None)));
    found.copied().unwrap_or(Verdict::Dangerous("has not been reviewed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dangerous_are_listed_and_everyday_ones_are_not() {
        for name in [
            "query_to_xml",
            "ts_stat",
            "pg_read_file",
            "lo_get",
            "pg_ls_dir",
            "pg_logical_slot_peek_changes",
            "pg_stat_get_activity",
            "domain_in",
            "pg_terminate_backend",
            "binary_upgrade_create_empty_extension",
        ] {
            assert!(matches!(builtin_verdict(name, 1), Verdict::Dangerous(_)), "{name}");
        }
        for name in [
            "lower",
            "now",
            "nextval",
            "currval",
            "pg_sleep",
            "has_table_privilege",
            "pg_get_viewdef",
            "format",
            "log",
            "pg_get_wal_resource_managers",
            "json_agg",
            "xpath",
            "current_query",
            "_pg_expandarray",
        ] {
            assert_eq!(builtin_verdict(name, 1), Verdict::Harmless, "{name}");
        }
    }

    #[test]
    fn overloads_can_have_verdicts_of_their_own() {
        assert_eq!(builtin_verdict("ts_rewrite", 2), Verdict::Dangerous("executes text"));
        assert_eq!(builtin_verdict("ts_rewrite", 3), Verdict::Harmless);
    }

    #[test]
    fn what_nobody_has_reviewed_is_dangerous() {
        assert_eq!(builtin_verdict("pg_read_minds", 0), Verdict::Dangerous("has not been reviewed"));
        assert_eq!(builtin_verdict("#", 0), Verdict::Dangerous("has not been reviewed"));
    }
}
