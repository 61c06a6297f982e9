//! What the operator says is personal data.
//!
//! Where several labels match a column, the one with the most specific pattern holds
//! ([`crate::pattern::Pattern::specificity`]: `customers.email` before `*.email`); among patterns
//! of which none is the more specific, the first in the file, as in `pg_hba.conf`. If those say
//! different things, that is reported.

use pgwarrant_masking::Method;
use serde::{Deserialize, Serialize};

/// What a session without a grant gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ungranted {
    /// the mask
    #[default]
    Mask,
    /// a refusal of any statement that uses the column
    Block,
}

/// How much harm a column's values can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sensitivity {
    Low,
    #[default]
    Medium,
    High,
}

impl Sensitivity {
    pub fn text(self) -> &'static str {
        match self {
            Sensitivity::Low => "low",
            Sensitivity::Medium => "medium",
            Sensitivity::High => "high",
        }
    }
}

/// One `[[label]]` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Column patterns as written: `customers.email`, `crm.people.phone`, `*.ssn`, `customers.addr_*`.
    pub columns: Vec<String>,
    pub category: String,
    pub mask: Method,
    pub ungranted: Ungranted,
    /// For the policies that decide who gets it.
    pub sensitivity: Sensitivity,
    /// Does NULL show as NULL under the mask?
    pub nulls_show: bool,
}
