//! Why the trail could not be written or read.

use std::path::PathBuf;
use std::sync::Arc;

/// In PostgreSQL's style; [`Error::hint`] says what to do. It can be cloned, because one failure of
/// the disk is the answer to everybody who waits.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The disk or sled has failed; the trail takes no more records until the process starts anew.
    #[error("the audit trail has failed: {0}")]
    Failed(Arc<str>),
    /// [`crate::Trail::close`] was called.
    #[error("the audit trail is closed")]
    Closed,
    #[error("could not {what}: {cause}")]
    Io { what: &'static str, cause: Arc<str> },
    /// What is stored is not what was written.
    #[error("block {block} of the audit trail is damaged: {damage}")]
    Damaged { block: u64, damage: Arc<str> },
    /// It was written by another version of this program.
    #[error("the audit trail has layout {0}, which this version of pgwarrant neither reads nor continues")]
    OtherLayout(u16),
    #[error("the end of the audit trail is not where its head says: {0}")]
    WrongHead(Arc<str>),
    #[error("there is no store in \"{}\"", .0.display())]
    NoStore(PathBuf),
    #[error("the store in \"{}\" is in use by another process", .0.display())]
    InUse(PathBuf),
    #[error("the proxy answered: {0}")]
    Remote(Arc<str>),
}

impl Error {
    pub(crate) fn io(what: &'static str, cause: impl std::fmt::Display) -> Error {
        Error::Io { what, cause: cause.to_string().into() }
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::Failed(_) => {
                "No raw protected data passes without a trail: look at the disk of the store, then restart the proxy."
            }
            Error::Closed => "The proxy is shutting down; connect again.",
            Error::Io { .. } => "Look at the store's directory: free space, permissions, the disk itself.",
            Error::Damaged { .. } | Error::WrongHead(_) => {
                "Run \"pgwarrant audit verify\" to see what is broken, and keep the store as evidence."
            }
            Error::OtherLayout(_) => {
                "Read it with the version that wrote it; for this one, give [store] path an empty directory."
            }
            Error::NoStore(_) => {
                "Give the directory of [store] path with --store, or run \"pgwarrant serve\" first."
            }
            Error::InUse(_) => {
                "The process that has it open does not answer on audit.sock: wait until it has started or ended."
            }
            Error::Remote(_) => "Look at the proxy's log.",
        }
    }
}
