//! Column patterns of labels: `customers.email`, `crm.people.phone`, `*.ssn`, `customers.addr_*`.
//!
//! Two or three parts separated by dots: `[schema.]relation.column`. A part follows PostgreSQL's
//! rules for identifiers: folded to lower case unless it is in double quotes, where `""` stands
//! for one. In an unquoted part `*` stands for any run of characters. Without a schema part, or
//! with one that holds a wildcard, a pattern matches in every schema but the system's.

use std::cmp::Ordering;

/// Longer patterns are refused; an identifier has 63 bytes at most.
const MAX_BYTES: usize = 1024;

/// Wildcards in one part; keeps matching cheap.
const MAX_WILDCARDS: usize = 8;

/// A column pattern, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// None: any schema that is not a system schema.
    pub schema: Option<Part>,
    pub relation: Part,
    pub column: Part,
}

/// One part of a pattern: the literal runs between its wildcards. A single run is an exact name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    runs: Vec<String>,
}

/// Why a pattern cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column pattern \"{pattern}\" cannot be read: {problem}")]
pub struct PatternError {
    pub pattern: String,
    pub problem: String,
    /// A whole sentence.
    pub hint: String,
}

impl Part {
    /// The name that the part spells, unless it holds a wildcard.
    pub fn exact(&self) -> Option<&str> {
        match self.runs.as_slice() {
            [name] => Some(name),
            _ => None,
        }
    }

    pub fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.runs.split_first() else { return false };
        let Some((last, middle)) = rest.split_last() else { return name == first };
        let Some(tail) = name.strip_prefix(first.as_str()) else { return false };
        let Some(mut tail) = tail.strip_suffix(last.as_str()) else { return false };
        // The leftmost place for each run leaves the most room for the next.
        for run in middle {
            match tail.find(run.as_str()) {
                Some(at) => tail = tail.get(at + run.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        true
    }

    /// Exact names before wildcards; among wildcards, more literal characters first.
    fn rank(&self) -> (bool, usize) {
        (self.runs.len() == 1, self.runs.iter().map(String::len).sum())
    }
}

impl Pattern {
    /// # Errors
    /// Where the text is not two or three parts, or a part is empty or not an identifier.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        let error = |problem: &str, hint: &str| PatternError {
            pattern: text.chars().take(100).collect(),
            problem: problem.to_owned(),
            hint: hint.to_owned(),
        };
        if text.len() > MAX_BYTES {
            return Err(error("it is too long", "Write relation.column or schema.relation.column."));
        }
        let parts = split(text).map_err(|(problem, hint)| error(&problem, hint))?;
        let mut parts = parts.into_iter();
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(relation), Some(column), None, None) => Ok(Pattern { schema: None, relation, column }),
            (Some(schema), Some(relation), Some(column), None) => {
                Ok(Pattern { schema: Some(schema), relation, column })
            }
            (Some(_), None, ..) => Err(error(
                "it names no relation",
                "Write relation.column, or *.column for that column of every relation.",
            )),
            _ => Err(error("it has too many parts", "Write relation.column or schema.relation.column.")),
        }
    }

    /// Does the pattern name one relation of one schema, wildcards nowhere but in the column?
    pub fn names_relation(&self) -> bool {
        self.schema.as_ref().is_some_and(|schema| schema.exact().is_some()) && self.relation.exact().is_some()
    }

    pub fn matches_relation(&self, schema: &str, relation: &str) -> bool {
        let in_schema = match &self.schema {
            Some(part) if part.exact().is_some() => part.matches(schema),
            Some(part) => !is_system_schema(schema) && part.matches(schema),
            None => !is_system_schema(schema),
        };
        in_schema && self.relation.matches(relation)
    }

    /// Greater: more specific. A pattern is more specific than another if each of its parts is at
    /// least as specific, an exact name being more so than a wildcard, and more literal characters
    /// more so than fewer. None: neither is.
    pub fn specificity(&self, other: &Pattern) -> Option<Ordering> {
        let any = (false, 0);
        let rank = |pattern: &Pattern| {
            [pattern.schema.as_ref().map_or(any, Part::rank), pattern.relation.rank(), pattern.column.rank()]
        };
        let mut sum = Ordering::Equal;
        for (mine, theirs) in rank(self).into_iter().zip(rank(other)) {
            // Two exact parts that match the same column are the same name.
            let part = if mine.0 && theirs.0 { Ordering::Equal } else { mine.cmp(&theirs) };
            match (sum, part) {
                (_, Ordering::Equal) => {}
                (Ordering::Equal, part) => sum = part,
                (sum, part) if sum == part => {}
                _ => return None,
            }
        }
        Some(sum)
    }
}

/// `schema.name`, both exact, in the same notation.
pub(crate) fn parse_qualified(text: &str) -> Option<(String, String)> {
    let parts = split(text).ok()?;
    match parts.as_slice() {
        [schema, name] => Some((schema.exact()?.to_owned(), name.exact()?.to_owned())),
        _ => None,
    }
}

/// Schemas that PostgreSQL keeps for itself: `pg_*` (the prefix is reserved) and
/// `information_schema`.
pub(crate) fn is_system_schema(schema: &str) -> bool {
    schema.starts_with("pg_") || schema == "information_schema"
}

type Problem = (String, &'static str);

fn split(text: &str) -> Result<Vec<Part>, Problem> {
    let mut parts = Vec::new();
    let mut characters = text.trim().chars().peekable();
    loop {
        parts.push(part(&mut characters)?);
        match characters.next() {
            None => return Ok(parts),
            Some('.') if parts.len() < 4 => {}
            Some('.') => return Err(("it has too many parts".into(), "Write schema.relation.column.")),
            Some(other) => {
                return Err((
                    format!("\"{other}\" stands after a part"),
                    "Put a name that holds other characters than letters, digits, _ and $ in double quotes.",
                ));
            }
        }
    }
}

fn part(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Part, Problem> {
    if characters.next_if_eq(&'"').is_some() {
        return quoted(characters);
    }
    let mut runs = vec![String::new()];
    let mut empty = true;
    while let Some(character) = characters.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '*')) {
        empty = false;
        if character == '*' {
            // `**` is `*`.
            if runs.len() == 1 || runs.last().is_some_and(|run| !run.is_empty()) {
                runs.push(String::new());
            }
        } else if let Some(run) = runs.last_mut() {
            run.push(character.to_ascii_lowercase());
        }
    }
    if empty {
        return Err(("a part is empty".into(), "Write relation.column, or * where any name will do."));
    }
    if runs.len() > MAX_WILDCARDS + 1 {
        return Err(("a part has too many wildcards".into(), "Write at most eight."));
    }
    Ok(Part { runs })
}

fn quoted(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Part, Problem> {
    let mut name = String::new();
    loop {
        match characters.next() {
            Some('"') if characters.next_if_eq(&'"').is_some() => name.push('"'),
            Some('"') if name.is_empty() => {
                return Err(("a quoted part is empty".into(), "Write the name between the quotes."));
            }
            Some('"') => return Ok(Part { runs: vec![name] }),
            Some('\0') => return Err(("it holds a NUL character".into(), "Remove it.")),
            Some(character) => name.push(character),
            None => return Err(("a double quote is not closed".into(), "Close it after the name.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, schema: &str, relation: &str, column: &str) -> bool {
        let pattern = Pattern::parse(pattern).unwrap();
        pattern.matches_relation(schema, relation) && pattern.column.matches(column)
    }

    #[test]
    fn patterns_match_what_they_say_and_nothing_else() {
        for (pattern, schema, relation, column, expected) in [
            ("customers.email", "public", "customers", "email", true),
            ("customers.email", "archive", "customers", "email", true),
            ("customers.email", "pg_catalog", "customers", "email", false),
            ("customers.email", "information_schema", "customers", "email", false),
            ("customers.email", "pg_temp_3", "customers", "email", false),
            ("customers.email", "public", "Customers", "email", false),
            ("Customers.EMAIL", "public", "customers", "email", true),
            ("\"Customers\".\"E.mail\"", "public", "Customers", "E.mail", true),
            ("\"a\"\"b\".c", "public", "a\"b", "c", true),
            ("\"a*\".c", "public", "ab", "c", false),
            ("crm.people.phone", "crm", "people", "phone", true),
            ("crm.people.phone", "public", "people", "phone", false),
            ("pg_catalog.pg_roles.rolname", "pg_catalog", "pg_roles", "rolname", true),
            ("*.pg_roles.rolname", "pg_catalog", "pg_roles", "rolname", false),
            ("*.ssn", "hr", "anything", "ssn", true),
            ("*.ssn", "hr", "anything", "ssn2", false),
            ("customers.addr_*", "public", "customers", "addr_", true),
            ("customers.addr_*", "public", "customers", "addr", false),
            ("public.*.e*ai*l", "public", "x", "email", true),
            ("public.*.e*ai*l", "public", "x", "eail", true),
            ("public.*.e*ai*l", "public", "x", "eal", false),
            ("t.a*a", "public", "t", "a", false),
            ("t.a*a", "public", "t", "aa", true),
            ("t.*ab*ab*", "public", "t", "xabyabz", true),
            ("t.*ab*ab*", "public", "t", "xab", false),
            ("straße.ort", "public", "straße", "ort", true),
        ] {
            assert_eq!(
                matches(pattern, schema, relation, column),
                expected,
                "{pattern} {schema}.{relation}.{column}"
            );
        }
    }

    #[test]
    fn what_is_not_a_pattern_says_why() {
        for (pattern, problem) in [
            ("email", "names no relation"),
            ("", "empty"),
            ("a..b", "empty"),
            ("a.b.", "empty"),
            ("a.b.c.d", "too many parts"),
            ("a.b.c.d.e", "too many parts"),
            ("a b.c", "stands after"),
            ("a.b;drop", "stands after"),
            ("\"a.b", "not closed"),
            ("\"\".b", "empty"),
            ("t.a*b*c*d*e*f*g*h*i*j", "wildcards"),
        ] {
            let error = Pattern::parse(pattern).unwrap_err();
            assert!(error.problem.contains(problem), "{pattern}: {error}");
            assert!(error.hint.ends_with('.'), "{error}");
        }
        assert!(Pattern::parse(&"a".repeat(2000)).is_err());
    }

    #[test]
    fn the_more_specific_pattern_is_known_and_a_draw_is_none() {
        let compare = |a: &str, b: &str| Pattern::parse(a).unwrap().specificity(&Pattern::parse(b).unwrap());
        assert_eq!(compare("customers.email", "*.email"), Some(Ordering::Greater));
        assert_eq!(compare("*.email", "customers.email"), Some(Ordering::Less));
        assert_eq!(compare("public.customers.email", "customers.email"), Some(Ordering::Greater));
        assert_eq!(compare("customers.addr_*", "customers.*"), Some(Ordering::Greater));
        assert_eq!(compare("customers.*", "*.email"), None);
        assert_eq!(compare("customers.email", "customers.email"), Some(Ordering::Equal));
        assert_eq!(compare("public.*.email", "customers.email"), None);
    }
}
