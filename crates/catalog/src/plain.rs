//! Which columns of a view are plain copies of a column of a relation in its FROM.
//!
//! Only a plain copy may keep the mask of what it copies: over `reverse(card)` a mask that shows
//! the last four digits would show the first four. So a view of any other shape than one SELECT
//! over relations and joins has no plain columns here.

use std::collections::HashMap;

use crate::lex::{Token, lex};

/// A relation as the definition names it; no schema: `pg_catalog`'s.
pub(crate) type Name = (String, String);

/// A definition of one SELECT over relations and joins.
pub(crate) struct Plain {
    /// Per output column, the relation and the column that it copies.
    pub columns: Vec<Option<(Name, String)>>,
    /// The relation in FROM where there is exactly one.
    pub only: Option<Name>,
}

pub(crate) fn plain(definition: &str) -> Option<Plain> {
    let tokens = lex(definition).ok()?;
    let (first, tokens) = tokens.split_first()?;
    if !first.is_word("select") {
        return None;
    }
    // A sub-select in a condition does not change what the columns are.
    const OTHER_SHAPES: [&str; 6] = ["select", "union", "intersect", "except", "values", "table"];
    if top_level(tokens, |token| OTHER_SHAPES.iter().any(|word| token.is_word(word))).is_some() {
        return None;
    }
    let from = top_level(tokens, |token| token.is_word("from"))?;
    let (list, rest) = tokens.split_at_checked(from)?;
    let rest = rest.get(1..)?;
    const AFTER_FROM: [&str; 9] =
        ["where", "group", "having", "window", "order", "limit", "offset", "fetch", "for"];
    let end = top_level(rest, |token| {
        *token == Token::Punctuation(';') || AFTER_FROM.iter().any(|word| token.is_word(word))
    });
    let from = rest.get(..end.unwrap_or(rest.len()))?;
    const NOT_IN_FROM: [&str; 5] = ["select", "values", "with", "lateral", "tablesample"];
    if from.iter().any(|token| NOT_IN_FROM.iter().any(|word| token.is_word(word))) {
        return None;
    }
    let relations = relations(from)?;
    let list = match list {
        [distinct, on, ..] if distinct.is_word("distinct") && on.is_word("on") => return None,
        [distinct, list @ ..] if distinct.is_word("distinct") => list,
        list => list,
    };
    let columns = items(list)?.into_iter().map(|item| copy(item, &relations)).collect();
    let only = relations.values().next().filter(|_| relations.len() == 1).cloned();
    Some(Plain { columns, only })
}

/// The place of the first token outside of parentheses and brackets that is looked for.
fn top_level(tokens: &[Token], wanted: impl Fn(&Token) -> bool) -> Option<usize> {
    let mut depth = 0i32;
    tokens.iter().position(|token| {
        match token {
            Token::Punctuation('(' | '[') => depth += 1,
            Token::Punctuation(')' | ']') => depth -= 1,
            _ => {}
        }
        depth == 0 && wanted(token)
    })
}

fn items(mut list: &[Token]) -> Option<Vec<&[Token]>> {
    let mut items = Vec::new();
    while let Some(comma) = top_level(list, |token| *token == Token::Punctuation(',')) {
        let (item, rest) = list.split_at_checked(comma)?;
        items.push(item);
        list = rest.get(1..)?;
    }
    items.push(list);
    Some(items)
}

/// `alias.column`, `column`, either with `AS name`.
fn copy(item: &[Token], relations: &HashMap<String, Name>) -> Option<(Name, String)> {
    let item = match item {
        [item @ .., r#as, name] if r#as.is_word("as") && name.name().is_some() => item,
        item => item,
    };
    match item {
        [alias, Token::Punctuation('.'), column] => {
            Some((relations.get(alias.name()?)?.clone(), column.name()?.to_owned()))
        }
        [column] if relations.len() == 1 => {
            Some((relations.values().next()?.clone(), column.name()?.to_owned()))
        }
        _ => None,
    }
}

/// Alias to relation. None where FROM holds anything else than relations and joins.
fn relations(mut from: &[Token]) -> Option<HashMap<String, Name>> {
    const JOIN_WORDS: [&str; 10] =
        ["join", "left", "right", "full", "inner", "outer", "cross", "natural", "only", "as"];
    let mut relations = HashMap::new();
    let mut insert = |alias: &str, name: Name| relations.insert(alias.to_owned(), name).is_none();
    while let Some((token, rest)) = from.split_first() {
        match token {
            Token::Punctuation('(' | ')' | ',') => from = rest,
            Token::Word(word) if JOIN_WORDS.contains(&word.as_str()) => from = rest,
            Token::Word(word) if word == "on" || word == "using" => from = after_parentheses(rest)?,
            Token::Word(_) | Token::Quoted(_) => {
                let (name, rest) = match rest {
                    [Token::Punctuation('.'), name, rest @ ..] => {
                        ((token.name()?.to_owned(), name.name()?.to_owned()), rest)
                    }
                    rest => (("pg_catalog".to_owned(), token.name()?.to_owned()), rest),
                };
                let (alias, rest) = match rest {
                    [Token::Quoted(alias), rest @ ..] => (alias.clone(), rest),
                    [Token::Word(alias), rest @ ..]
                        if alias != "on" && alias != "using" && !JOIN_WORDS.contains(&alias.as_str()) =>
                    {
                        (alias.clone(), rest)
                    }
                    rest => (name.1.clone(), rest),
                };
                // A function, or an alias with names for the columns.
                if rest.first() == Some(&Token::Punctuation('(')) || !insert(&alias, name) {
                    return None;
                }
                from = rest;
            }
            _ => return None,
        }
    }
    Some(relations)
}

fn after_parentheses(tokens: &[Token]) -> Option<&[Token]> {
    if tokens.first() != Some(&Token::Punctuation('(')) {
        return None;
    }
    let close = top_level(tokens, |token| *token == Token::Punctuation(')'))?;
    tokens.get(close + 1..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies(definition: &str) -> Option<Vec<String>> {
        Some(
            plain(definition)?
                .columns
                .into_iter()
                .map(|copy| match copy {
                    Some(((schema, relation), column)) => format!("{schema}.{relation}.{column}"),
                    None => "-".to_owned(),
                })
                .collect(),
        )
    }

    #[test]
    fn plain_copies_are_found() {
        for (definition, columns) in [
            (
                " SELECT c.id,\n    c.email AS e\n   FROM public.customers c;",
                "public.customers.id public.customers.email",
            ),
            (" SELECT id, email FROM public.customers;", "public.customers.id public.customers.email"),
            (
                "SELECT customers.email FROM public.customers WHERE (customers.id > 3);",
                "public.customers.email",
            ),
            (
                "SELECT c.city, count(*) AS orders, sum(o.total) FROM (public.orders o JOIN public.customers c ON \
                 ((c.id = o.customer_id))) GROUP BY c.city;",
                "public.customers.city - -",
            ),
            (
                "SELECT o.id, c.email FROM (public.orders o LEFT JOIN \"S\".\"C\" c USING (id));",
                "public.orders.id S.C.email",
            ),
            ("SELECT a.x, (b.y)::text AS y FROM s.a, s.b;", "s.a.x -"),
            ("SELECT usename FROM pg_shadow;", "pg_catalog.pg_shadow.usename"),
            ("SELECT DISTINCT c.email FROM ONLY public.customers c;", "public.customers.email"),
        ] {
            assert_eq!(copies(definition).unwrap().join(" "), columns, "{definition}");
        }
    }

    #[test]
    fn what_could_rename_a_derived_value_has_no_plain_columns() {
        for definition in [
            "SELECT s.ssn FROM (SELECT reverse(c.ssn) AS ssn FROM public.customers c) s;",
            "WITH s AS (SELECT 1) SELECT s.ssn FROM s;",
            "SELECT ssn.ssn FROM public.customers c, LATERAL reverse(c.ssn) ssn(ssn);",
            "SELECT f.ssn FROM public.customers c, public.f(c.ssn) f(ssn);",
            "SELECT c.email FROM public.customers c(id, email);",
            "SELECT c.x FROM public.a c UNION SELECT c.y FROM public.b c;",
            "SELECT DISTINCT ON (c.id) c.x FROM public.a c;",
            "SELECT 1;",
            "VALUES (1);",
            "SELECT c.x FROM s.a c, s.b c;",
        ] {
            assert_eq!(copies(definition), None, "{definition}");
        }
        assert_eq!(copies("SELECT lower(c.email) AS email FROM public.customers c;").unwrap(), ["-"]);
        assert_eq!(copies("SELECT c.email || 'x' AS email FROM public.customers c;").unwrap(), ["-"]);
        // An ON condition is not a list of relations.
        assert_eq!(
            copies("SELECT c.x FROM (s.a a JOIN s.b b ON ((public.customers = b.x)));").unwrap(),
            ["-"],
            "an unknown alias"
        );
    }

    #[test]
    fn a_condition_may_hold_a_query_and_the_only_relation_is_told() {
        let only = |definition: &str| plain(definition).and_then(|plain| plain.only);
        let customers = Some(("public".to_owned(), "customers".to_owned()));
        let definition =
            "SELECT c.email FROM public.customers c WHERE (c.id IN ( SELECT o.id FROM public.orders o));";
        assert_eq!(copies(definition).unwrap(), ["public.customers.email"]);
        assert_eq!(only(definition), customers);
        assert_eq!(only("SELECT customers.id FROM public.customers;"), customers);
        assert_eq!(only("SELECT c.id FROM (public.customers c JOIN public.orders o ON (true));"), None);
    }
}
