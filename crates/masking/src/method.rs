//! The mask methods, and the expression each becomes for a column.

use crate::SqlType;

/// A mask method as written in a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    Redact,
}

/// A mask, made for one column: an expression with a hole for the reference to the column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// The expression's text around each place where the column is named.
    pub pieces: Vec<String>,
}

impl Mask {
    /// The expression, with `column` (SQL text such as `r.email`) in each hole.
    pub fn render(&self, column: &str) -> String {
        self.pieces.join(column)
    }
}

/// Why a method does not fit a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mask {method} does not fit type {type_name}")]
pub struct MaskError {
    pub method: String,
    pub type_name: String,
    pub hint: String,
}

/// Makes the mask for a column of `column_type`. `domain` is the key domain (the label's
/// category): equal values in one domain get equal tokens.
pub fn compile(method: &Method, column_type: &SqlType, domain: &str, nulls_show: bool) -> Result<Mask, MaskError> {
    let _ = (method, domain, nulls_show);
    Err(MaskError { method: String::new(), type_name: column_type.sql.clone(), hint: String::new() })
}
