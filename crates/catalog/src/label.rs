//! What the operator says is personal data.

use pgwarrant_masking::Method;

/// What a session without a grant gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ungranted {
    /// the mask
    #[default]
    Mask,
    /// a refusal of any statement that uses the column
    Block,
}

/// One `[[label]]` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Column patterns as written: `customers.email`, `crm.people.phone`, `*.ssn`, `customers.addr_*`.
    pub columns: Vec<String>,
    pub category: String,
    pub mask: Method,
    pub ungranted: Ungranted,
    /// Does NULL show as NULL under the mask?
    pub nulls_show: bool,
}
