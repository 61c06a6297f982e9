//! A mask that is ready to be spliced, and why there may be none.

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

    /// [`Self::render`], at the end of a text.
    pub fn render_into(&self, column: &str, text: &mut String) {
        for (index, piece) in self.pieces.iter().enumerate() {
            if index > 0 {
                text.push_str(column);
            }
            text.push_str(piece);
        }
    }

    /// From text in which [`HOLE`] stands for the column.
    pub(crate) fn from_template(template: &str) -> Self {
        Self { pieces: template.split(HOLE).map(str::to_owned).collect() }
    }
}

/// Stands for the column while an expression is put together. No SQL text can hold this
/// character, so nothing of a label's can be mistaken for a hole.
pub(crate) const HOLE: char = '\0';

/// Why a method does not fit a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mask {method} does not fit type {type_name}")]
pub struct MaskError {
    /// The method's name, as in a label.
    pub method: String,
    /// The column's type, as SQL text.
    pub type_name: String,
    /// What to do instead: sentences with full stops.
    pub hint: String,
}
