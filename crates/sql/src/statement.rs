//! What the analysis of one statement says.

use std::collections::HashSet;
use std::ops::Range;

use pgwarrant_catalog::{Catalogue, ColumnId, Oid};

use crate::{Access, GrantId, Splice};

/// Past one, a statement is refused (SQLSTATE 54000 `program_limit_exceeded`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub statement_bytes: usize,
    pub statement_tokens: usize,
    /// Nesting of parentheses and of operators in one statement.
    pub nesting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { statement_bytes: 1 << 20, statement_tokens: 50_000, nesting: 200 }
    }
}

/// What the proxy knows of the session's state at the moment of the analysis.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct SessionState {
    /// Effective schemas in order, as `current_schemas(true)` gives them (`pg_catalog` included
    /// where it is implicit, the session's own `pg_temp_N` where it is in the path).
    pub search_path: Vec<String>,
    /// `current_user`
    pub role: String,
    /// Names of this session's temporary relations, which shadow permanent ones.
    pub temp_relations: Vec<String>,
    /// None of these was changed in the transaction in progress, so that its end changes nothing of
    /// what names mean. False where that is not known.
    pub settled: bool,
    /// Nor since the session began, so that RESET and DISCARD change nothing either. False where
    /// that is not known.
    pub pristine: bool,
}

/// Everything an analysis depends on, besides the text.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub catalogue: &'a Catalogue,
    pub access: &'a Access,
    pub session: &'a SessionState,
    pub limits: &'a Limits,
    /// The name clients know the database by, which `pgwarrant.whoami` and hints use.
    pub database: &'a str,
}

/// What kind of statement it is, for routing and for the audit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Empty,
    Select,
    Insert,
    Update,
    Delete,
    Merge,
    Explain,
    CopyTo,
    CopyFrom,
    Prepare,
    Execute,
    Deallocate,
    DeclareCursor,
    Fetch,
    CloseCursor,
    Transaction,
    Set,
    Show,
    Discard,
    Listen,
    Notify,
    Lock,
    Ddl,
    Do,
    Call,
    Maintenance,
    Other,
}

/// What a statement does to the session, the cache or the catalogue once it has run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// search_path, role, temporary relations or a transaction's end may have changed what names
    /// mean: ask the server before the next statement that depends on it.
    SessionState,
    /// The schema may have changed: refresh the catalogue when the transaction is over.
    Ddl,
    /// `PREPARE name AS …`; the byte range of the statement inside.
    Prepare {
        name: String,
        body: Range<usize>,
    },
    Execute {
        name: String,
    },
    /// None: ALL
    Deallocate {
        name: Option<String>,
    },
    Declare {
        cursor: String,
    },
    Fetch {
        cursor: String,
    },
    /// None: ALL
    CloseCursor {
        cursor: Option<String>,
    },
    /// DISCARD ALL
    DiscardAll,
}

/// Why a statement is refused. One variant for each reason that a test can mark as covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Bytes, tokens or nesting past the limit.
    TooLarge,
    /// The lexer found what PostgreSQL's would refuse too (unterminated string, …).
    Lexical,
    /// A token names something protected and the statement could not be parsed.
    NotUnderstood,
    /// The same of a query or write that is a statement by itself. Whether PostgreSQL would parse it,
    /// only PostgreSQL can say: see [`crate::splice::unanalysable`].
    UnknownForm,
    /// The accounting rule: a token that names a protected relation was left over.
    Unaccounted,
    /// A column whose label says `ungranted = "block"`.
    Blocked,
    /// Writing a protected relation without a grant for it.
    Write,
    /// DDL on a protected relation.
    Ddl,
    /// DO, CREATE FUNCTION and their like.
    Code,
    /// A call of a function, operator or type that could reach protected data.
    UnsafeFunction,
    UnknownFunction,
    /// A relation that could reach protected data in a way no privacy view stops.
    UnsafeRelation,
    /// Raw values would leave for a place that outlives the grant.
    Export,
    /// COPY with a file or a program; replication; …
    ServerAccess,
    /// `pgwarrant.*` settings, `session_authorization`, `standard_conforming_strings = off`, …
    Setting,
    /// A name that cannot be resolved as PostgreSQL would (session state changed earlier in the
    /// same message, unknown schema).
    Unresolved,
    /// Misuse of the `pgwarrant` schema.
    Console,
}

/// An error that the proxy sends in the place of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    /// Five characters; 42501 `insufficient_privilege` unless another fits better.
    pub sqlstate: &'static str,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// The byte in the message's text that the error is about.
    pub position: Option<usize>,
}

impl Refusal {
    /// With SQLSTATE 42501 and nothing but the primary message.
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, sqlstate: "42501", message: message.into(), detail: None, hint: None, position: None }
    }

    pub(crate) fn state(mut self, sqlstate: &'static str) -> Self {
        self.sqlstate = sqlstate;
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

    pub(crate) fn at(mut self, byte: usize) -> Self {
        self.position = Some(byte);
        self
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Forward what the user wrote.
    AsWritten,
    /// Forward it with these replacements, in ascending order, not overlapping.
    Spliced(Vec<Splice>),
    Refused(Refusal),
}

/// What protected data a statement concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Protected relations that it reads or writes.
    pub relations: Vec<Oid>,
    /// Protected columns that it can see only masked.
    pub masked: Vec<ColumnId>,
    /// Protected columns that it can see raw, for some rows at least.
    pub raw: Vec<ColumnId>,
    /// Protected columns that may come back as plain columns (all rows granted): the wire guard
    /// lets these pass and no others.
    pub plain: HashSet<ColumnId>,
    /// Protected columns that it writes: assigns, or deletes with their rows.
    pub written: Vec<ColumnId>,
    /// The grants that make them raw, or let them be written.
    pub grants: Vec<GrantId>,
    /// Columns that the statement sees masked, for some rows at least, and compares or otherwise
    /// combines with values from the user. A mask that gives equal values equal masks answers such a
    /// question with yes or no, so the proxy counts them.
    pub probed: Vec<ColumnId>,
    /// The tokens of those values, in the message's list: constants and parameters. Empty where it
    /// cannot be told which they are: then all of the statement's.
    pub probe_tokens: Vec<usize>,
    /// How many there are; 0 where nothing is probed.
    pub probe_values: u32,
}

/// An argument in a call of a console function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleArgument {
    Null,
    /// A string or numeric literal, or a boolean, as text.
    Literal(String),
    /// `$n`, counted from 1.
    Parameter(usize),
}

/// A reference to a relation, or a call of a function, of the schema `pgwarrant`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleCall {
    /// `grants`, `request`, …
    pub name: String,
    /// None for a relation.
    pub arguments: Option<Vec<(Option<String>, ConsoleArgument)>>,
    /// What follows the filled-in VALUES list so that the place keeps its name and columns.
    pub alias: String,
    /// In FROM; otherwise a call in an expression (`SELECT pgwarrant.release(7)`).
    pub in_from: bool,
}

/// One statement of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its bytes in the message's text, without the semicolon.
    pub text: Range<usize>,
    /// Its tokens in the message's token list; splices index the message's token list too.
    pub tokens: Range<usize>,
    pub class: Class,
    pub verdict: Verdict,
    pub touched: Touched,
    pub effects: Vec<Effect>,
    /// Do its literals decide (`set_config`, console arguments, …)? Then the verdict holds for
    /// this text only; otherwise for every text of the same template.
    pub literals_decide: bool,
}
