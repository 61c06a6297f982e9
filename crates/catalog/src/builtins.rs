//! What initdb and PostgreSQL's own extensions make, reviewed once: the tables in `data/`.
//!
//! Whatever is not in a table has not been reviewed and counts as dangerous: what a new version of
//! PostgreSQL brings is refused until somebody has looked at it.

mod extensions;
mod functions;
mod relations;

pub(crate) use extensions::{extension_verdict, is_reviewed_view};
pub(crate) use functions::builtin_verdict;
pub(crate) use relations::{SystemRelation, system_relation};

/// What a review said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Harmless,
    /// A verb phrase such as "executes text".
    Dangerous(&'static str),
}

/// The lines of a table that are not comments, cut at their tabs.
fn lines(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split('\t').collect())
}

fn verdict(text: &'static str) -> Verdict {
    if text == "harmless" { Verdict::Harmless } else { Verdict::Dangerous(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `13-15,18`
    fn is_versions(text: &str) -> bool {
        text.split(',').all(|part| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            matches!((from.parse::<u32>(), to.parse::<u32>()), (Ok(from), Ok(to)) if 13 <= from && from <= to && to <= 18)
        })
    }

    #[test]
    fn every_line_of_the_tables_is_whole_in_order_and_there_once() {
        for (table, versioned, at_least) in [
            (include_str!("../data/functions.tsv"), true, 2800),
            (include_str!("../data/relations.tsv"), true, 200),
            (include_str!("../data/extensions.tsv"), false, 60),
        ] {
            let lines: Vec<_> = lines(table).collect();
            assert!(lines.len() > at_least);
            for line in &lines {
                let verdict = line.get(if versioned { 2 } else { 1 }).copied().unwrap_or_default();
                assert!(!verdict.is_empty() && verdict.trim() == verdict, "{line:?}");
                assert_ne!(verdict, "unreviewed", "{line:?}");
                assert!(!versioned || is_versions(line[1]), "{line:?}");
            }
            let keys: Vec<&str> = lines.iter().map(|line| line[0]).collect();
            let by_name = |key: &str| {
                let (name, arguments) = key.split_once('/').unwrap_or((key, ""));
                (name.to_owned(), arguments.to_owned())
            };
            for pair in keys.windows(2) {
                assert!(by_name(pair[0]) < by_name(pair[1]), "{pair:?}");
            }
        }
    }
}
