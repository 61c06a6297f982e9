//! The compiled functions of PostgreSQL's own extensions.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Verdict, lines, verdict};

/// By extension and, where a function differs from the rest of it, function.
static EXTENSIONS: LazyLock<HashMap<(&'static str, Option<&'static str>), Verdict>> = LazyLock::new(|| {
    lines(include_str!("../../data/extensions.tsv"))
        .filter_map(|line| {
            let [name, text, ..] = line.as_slice() else { return None };
            let key = match name.split_once('.') {
                Some((extension, function)) => (extension, Some(function)),
                None => (*name, None),
            };
            Some((key, verdict(text)))
        })
        .collect()
});

/// The verdict on a compiled function of an extension; None where that was not reviewed.
pub(crate) fn extension_verdict(extension: &str, function: &str) -> Option<Verdict> {
    let table: &HashMap<(&str, Option<&str>), Verdict> = &EXTENSIONS;
    table.get(&(extension, Some(function))).or_else(|| table.get(&(extension, None))).copied()
}

/// Functions of extensions that show what [`super::system_relation`] protects column by column:
/// harmless as part of that view, not on their own.
pub(crate) fn is_reviewed_view(function: &str) -> bool {
    matches!(function, "pg_stat_statements" | "pg_stat_statements_info")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_can_differ_from_its_extension() {
        assert_eq!(extension_verdict("tablefunc", "normal_rand"), Some(Verdict::Harmless));
        assert_eq!(extension_verdict("tablefunc", "connectby"), Some(Verdict::Dangerous("executes text")));
        assert_eq!(extension_verdict("xml2", "xpath_string"), Some(Verdict::Harmless));
        assert_eq!(extension_verdict("no_such_extension", "f"), None);
    }
}
