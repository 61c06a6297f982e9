//! Does any token name something protected or risky?
//!
//! The first question that is asked of a statement, of its tokens alone. Where the answer is no, a
//! query is forwarded as written, even one that the parser would not understand. Where it is yes,
//! the analysis has to account for every token found here.

use pgwarrant_catalog::{Catalogue, FunctionSafety};

use crate::TokenKind;
use crate::analyse::keywords::Category;
use crate::analyse::source::Source;

/// What a token could mean. Several may be true of one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Risk {
    /// The name of a protected relation, or of one that is dangerous to read or write.
    Relation,
    /// The name of a function that could reach protected data.
    UnsafeFunction,
    /// A name before a parenthesis that no function in the catalogue has.
    UnknownFunction,
    /// The name of a type whose functions could reach protected data.
    Type,
    /// An operator, or a form with a hidden operator, whose function could reach protected data.
    Operator,
    /// The schema `pgwarrant`, or a setting of that prefix.
    Console,
    /// A function that reads or writes settings by name.
    Setting,
    /// A TOAST table holds pieces of any column of its table.
    Toast,
}

/// A token, by its index, with what it could mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Finding {
    pub token: usize,
    pub risk: Risk,
}

/// Every token of a statement that names something protected or risky, in order.
pub(crate) fn screen(source: &Source<'_>, catalogue: &Catalogue) -> Vec<Finding> {
    let mut findings = Vec::new();
    for index in source.range.clone() {
        let Some(token) = source.token(index) else { break };
        let mut found = |risk| findings.push(Finding { token: index, risk });
        match token.kind {
            TokenKind::Identifier | TokenKind::QuotedIdentifier => {
                let Some(name) = source.name(index) else { continue };
                let name: &str = &name;
                if catalogue.names.contains_key(name) {
                    found(Risk::Relation);
                }
                if name == "pgwarrant" {
                    found(Risk::Console);
                }
                if name == "pg_toast" || name.starts_with("pg_toast_") {
                    found(Risk::Toast);
                }
                if is_setting_function(name) {
                    found(Risk::Setting);
                }
                match catalogue.functions.get(name) {
                    Some(FunctionSafety::Unsafe { .. }) => found(Risk::UnsafeFunction),
                    Some(FunctionSafety::Safe) => {}
                    Some(FunctionSafety::Unknown) | None => {
                        if source.punct(index + 1, "(") && !is_grammar(source, index) {
                            found(Risk::UnknownFunction);
                        }
                    }
                }
                if catalogue.unsafe_types.contains_key(name) {
                    found(Risk::Type);
                }
                if !catalogue.unsafe_operators.is_empty()
                    && token.kind == TokenKind::Identifier
                    && hidden_operators(name)
                        .iter()
                        .any(|operator| catalogue.unsafe_operators.contains_key(*operator))
                {
                    found(Risk::Operator);
                }
            }
            TokenKind::Operator => {
                let written = token.text(source.text);
                // `!=` is `<>` to PostgreSQL's lexer.
                let operator = if written == "!=" { "<>" } else { written };
                if catalogue.unsafe_operators.contains_key(operator) {
                    found(Risk::Operator);
                }
            }
            _ => {}
        }
    }
    findings
}

/// Functions that take a setting's name.
pub(crate) fn is_setting_function(name: &str) -> bool {
    matches!(name, "current_setting" | "set_config")
}

/// The operators that PostgreSQL looks up, by the search_path, for a keyword.
pub(crate) fn hidden_operators(keyword: &str) -> &'static [&'static str] {
    match keyword {
        "in" | "nullif" | "distinct" | "case" | "using" | "natural" => &["=", "<>"],
        "between" => &[">=", "<=", "<", ">"],
        "like" => &["~~", "!~~"],
        "ilike" => &["~~*", "!~~*"],
        "similar" => &["~", "!~"],
        _ => &[],
    }
}

/// Words that are no keywords of the reserved kind and yet stand before a parenthesis that opens no
/// call.
const BEFORE_PARENTHESIS: [&str; 34] = [
    "by",
    "conflict",
    "cube",
    "cycle",
    "escape",
    "exclude",
    "filter",
    "first",
    "groups",
    "ilike",
    "include",
    "insert",
    "join",
    "key",
    "like",
    "materialized",
    "next",
    "operator",
    "options",
    "over",
    "partition",
    "passing",
    "range",
    "recursive",
    "repeatable",
    "rollup",
    "rows",
    "second",
    "set",
    "sets",
    "storage",
    "ties",
    "varying",
    "within",
];

/// Is the word at `index`, which stands before a parenthesis, no function's name?
fn is_grammar(source: &Source<'_>, index: usize) -> bool {
    let before = |offset: usize| index.checked_sub(offset);
    // INSERT INTO schema.name (…
    let head = if before(1).is_some_and(|point| source.punct(point, ".")) { before(3) } else { before(1) };
    if head.is_some_and(|head| source.keyword(head, "into")) {
        return true;
    }
    // FROM f(x) AS t(…, CAST(x AS t(…, WITH t(…
    if before(1).is_some_and(|before| source.one_of(before, &["as", "with", "recursive"])) {
        return true;
    }
    source.known(index).is_some_and(|keyword| {
        matches!(keyword.category, Category::Reserved | Category::Column)
            || BEFORE_PARENTHESIS.contains(&keyword.text)
    })
}
