//! What a person must know about labels, the schema or the upstream role.

/// What a [`Finding`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FindingKind {
    /// A label's column pattern cannot be read.
    Pattern,
    /// A pattern that matches no column: a warning at start, an error under `check`.
    Unbound,
    /// Two labels say different things of one column and neither pattern is the more specific.
    Conflict,
    /// A mask that does not fit its column's type.
    Mask,
    /// An entry of `[trust] functions` that names nothing.
    Trusted,
    /// Reading or writing a relation that holds nothing protected is refused, and why.
    Risk,
    /// A column that carries values of protected ones in a way that labels do not follow.
    Unlabelled,
    /// A mask whose values collide in a unique index: a warning.
    Unrestorable,
    /// The upstream role is stronger than it need be.
    Upstream,
}

/// One finding, in PostgreSQL's style: lower case, no full stop in `message`; whole sentences in
/// `detail` and `hint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: FindingKind,
    /// The label's place in the list that was bound, counted from 0.
    pub label: Option<usize>,
    /// The label's column pattern, as written.
    pub pattern: Option<String>,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl Finding {
    pub(crate) fn new(kind: FindingKind, message: impl Into<String>) -> Self {
        Self { kind, label: None, pattern: None, message: message.into(), detail: None, hint: None }
    }
    pub(crate) fn about(mut self, label: usize, pattern: &str) -> Self {
        self.label = Some(label);
        self.pattern = Some(pattern.to_owned());
        self
    }
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
