//! SQL text of ours: names quoted where they must be.

use super::keywords::{self, Category};

/// A name as SQL text that PostgreSQL reads back as exactly this name, wherever a name may stand.
pub(crate) fn name(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    push_name(&mut text, name);
    text
}

/// As [`name`], at the end of a text.
pub(crate) fn push_name(text: &mut String, name: &str) {
    let simple = name.bytes().enumerate().all(|(index, byte)| {
        byte.is_ascii_lowercase() || byte == b'_' || (index > 0 && byte.is_ascii_digit())
    });
    let plain =
        simple && !name.is_empty() && matches!(keywords::category(name), None | Some(Category::Unreserved));
    if plain {
        text.push_str(name);
    } else {
        text.push('"');
        text.push_str(&name.replace('"', "\"\""));
        text.push('"');
    }
}

pub(crate) fn qualified(schema: &str, relation: &str) -> String {
    format!("{}.{}", name(schema), name(relation))
}

/// A relation as people call it: the schema where it is not `public`.
pub(crate) fn shown(schema: &str, relation: &str) -> String {
    if schema == "public" { relation.to_owned() } else { format!("{schema}.{relation}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_postgresql_would_read_another() {
        assert_eq!(name("customers"), "customers");
        assert_eq!(name("Customers"), "\"Customers\"");
        assert_eq!(name("user"), "\"user\"");
        assert_eq!(name("between"), "\"between\"");
        assert_eq!(name("we\"ird"), "\"we\"\"ird\"");
        assert_eq!(name("7up"), "\"7up\"");
        assert_eq!(name(""), "\"\"");
        assert_eq!(name("naïve"), "\"naïve\"");
    }
}
