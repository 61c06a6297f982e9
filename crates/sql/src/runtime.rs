//! What only the server can find out, row by row: expressions that fail there, and what their errors
//! mean.
//!
//! A write must not store a mask over the value that it masks, nor put a row where the grant does
//! not reach. Such an expression casts a text of ours to `bool`, which PostgreSQL refuses by
//! quoting it, in whatever language; [`refusal`] reads it back. A user can write such a cast as
//! well, and gets our words for it, which give nothing away.

use crate::{Reason, Refusal};

/// What stands before everything that is ours.
const MARKER: &str = "pgwarrant refuses: ";

/// A mask was to be stored in the place of the value that it masks; what follows is the column.
pub(crate) const MASKED: &str = "mask stored in ";
/// A value was to be computed from a column that shows masked in that row.
pub(crate) const UNSEEN: &str = "mask read from ";
/// A new row lies outside of the rows that a grant covers; what follows is the relation.
pub(crate) const OUTSIDE: &str = "row outside of ";

/// An expression of type `bool` that fails. It holds a volatile call, so that PostgreSQL does not
/// evaluate it while it plans.
pub(crate) fn fails(what: &str, name: &str) -> String {
    let text = format!("{MARKER}{what}{name}").replace('\'', "''");
    format!(
        "CAST(pg_catalog.textcat('{text}', pg_catalog.repeat('', CAST(pg_catalog.random() AS pg_catalog.int4))) \
         AS pg_catalog.bool)"
    )
}

/// The refusal that an error of the server's stands for, by its primary message; None where it is
/// none of ours.
pub fn refusal(message: &str) -> Option<Refusal> {
    let (_, said) = message.split_once(MARKER)?;
    let end = said.rfind('"').unwrap_or(said.len());
    let said = said.get(..end)?;
    let refused = |message: String| Refusal::new(Reason::Write, message);
    if let Some(column) = said.strip_prefix(MASKED) {
        return Some(
            refused(format!("column {column} would be set to its own mask"))
                .detail("The value to be written is what is shown in place of the real value, which would be lost.")
                .hint("Leave the column out of the statement, or write a real value or NULL."),
        );
    }
    if let Some(column) = said.strip_prefix(UNSEEN) {
        return Some(
            refused(format!("a value computed from a mask of {column} would be stored"))
                .detail("The statement reads the column in a row for which no live grant shows it.")
                .hint("Confine the statement to the rows that your grant covers, or write a real value."),
        );
    }
    let relation = said.strip_prefix(OUTSIDE)?;
    Some(
        refused(format!("new row of {relation} lies outside of the rows that the grant covers"))
            .detail("Under a grant for some rows only such rows may be inserted.")
            .hint("Insert rows that the grant covers, or ask for a grant on all rows."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_error_is_read_back_in_any_language() {
        let english =
            "invalid input syntax for type boolean: \"pgwarrant refuses: mask stored in hr.staff.\"e\"\"";
        let refusal = super::refusal(english).expect("it is ours");
        assert_eq!(refusal.message, "column hr.staff.\"e\" would be set to its own mask");
        assert_eq!(refusal.sqlstate, "42501");
        let german = "ungültige Eingabesyntax für Typ boolean: »pgwarrant refuses: row outside of customers«";
        assert!(super::refusal(german).expect("it is ours").message.contains("customers"));
        assert_eq!(super::refusal("invalid input syntax for type boolean: \"maybe\""), None);
        assert_eq!(super::refusal("pgwarrant refuses: something else"), None);
    }

    #[test]
    fn quotes_in_names_stay_inside_the_text() {
        assert!(fails(MASKED, "o'brien.x").contains("'pgwarrant refuses: mask stored in o''brien.x'"));
    }
}
