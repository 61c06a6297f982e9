//! What the operator vouches for, and how a refusal says what could be vouched for.

use std::collections::HashSet;

use crate::bind::BindOptions;
use crate::finding::{Finding, FindingKind};
use crate::pattern::parse_qualified;
use crate::snapshot::Snapshot;
use crate::{Oid, RelationKind};

/// What the entries of `[trust] functions` name.
#[derive(Debug, Default)]
pub(crate) struct Trusted {
    pub functions: HashSet<Oid>,
    /// Foreign tables.
    pub relations: HashSet<Oid>,
}

/// The functions and foreign tables that are vouched for; an entry that names nothing is reported.
pub(crate) fn trusted(snapshot: &Snapshot, options: &BindOptions, warnings: &mut Vec<Finding>) -> Trusted {
    let mut trusted = Trusted::default();
    for entry in &options.trusted_functions {
        let before = trusted.functions.len() + trusted.relations.len();
        let extension = entry.trim().strip_prefix("extension:").map(str::trim);
        let qualified = parse_qualified(entry);
        for (oid, function) in &snapshot.functions {
            let hit = match (extension, &qualified) {
                (Some(extension), _) => function.extension.as_deref() == Some(extension),
                (None, Some((schema, name))) => function.schema == *schema && function.name == *name,
                (None, None) => false,
            };
            if hit {
                trusted.functions.insert(*oid);
            }
        }
        let table = qualified.as_ref().and_then(|(schema, name)| snapshot.relation(schema, name));
        if let Some(table) = table.filter(|table| table.kind == Some(RelationKind::ForeignTable)) {
            trusted.relations.insert(table.oid);
        }
        if trusted.functions.len() + trusted.relations.len() == before {
            warnings.push(
                Finding::new(
                    FindingKind::Trusted,
                    format!("trusted function \"{entry}\" matches no function"),
                )
                .hint(
                    "Write schema.function or schema.foreign_table, or extension:name for all functions of an extension.",
                ),
            );
        }
    }
    trusted
}

/// A name as it is written in the configuration and in a culprit.
pub(crate) fn written(schema: &str, name: &str) -> String {
    let part = |name: &str| {
        let plain =
            name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '$');
        if plain && !name.is_empty() { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
    };
    format!("{}.{}", part(schema), part(name))
}

/// The line of the configuration that would let a culprit's chain pass, for a refusal's HINT:
/// `functions = ["public.f"]`, in the section `[trust]`. The first function or foreign table of the
/// chain is the least to vouch for. None where vouching does not help, or names nothing.
pub fn trust_line(culprit: &str) -> Option<String> {
    if culprit.contains(crate::roots::NOT_TO_BE_TRUSTED) {
        return None;
    }
    let name = ["function ", "foreign table "]
        .iter()
        .filter_map(|kind| {
            let start = culprit.find(kind)?;
            Some((start, culprit.get(start + kind.len()..)?))
        })
        .min_by_key(|(start, _)| *start)
        .map(|(_, rest)| rest.get(..name_end(rest)).unwrap_or(rest))?;
    // A TOML literal string holds every name but one with a single quote.
    match name.contains('"') && !name.contains('\'') {
        true => Some(format!("functions = ['{name}']")),
        false => Some(format!("functions = [\"{}\"]", name.replace('\\', "\\\\").replace('"', "\\\""))),
    }
}

/// Where a name ends that was written by [`written`].
fn name_end(text: &str) -> usize {
    let mut quoted = false;
    text.char_indices()
        .find(|(_, c)| {
            quoted ^= *c == '"';
            !quoted && (*c == ',' || *c == ' ')
        })
        .map_or(text.len(), |(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_chain_is_what_to_vouch_for() {
        for (culprit, line) in [
            (
                "view public.v, which uses function public.f, which calls function public.g, which executes text",
                Some("functions = [\"public.f\"]"),
            ),
            (
                "function pg_catalog.pg_read_file, which reads files",
                Some("functions = [\"pg_catalog.pg_read_file\"]"),
            ),
            ("relation public.r, which includes foreign table public.x", Some("functions = [\"public.x\"]")),
            (
                "function \"My Schema\".\"f, \"\"x\"\"\", which executes text",
                Some("functions = ['\"My Schema\".\"f, \"\"x\"\"\"']"),
            ),
            ("relation pg_catalog.pg_minds, which has not been reviewed", None),
        ] {
            assert_eq!(trust_line(culprit).as_deref(), line, "{culprit}");
        }
    }
}
