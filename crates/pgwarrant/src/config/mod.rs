//! The configuration file: from TOML text to what the program runs with.
//!
//! [`load`] reads the whole file before it complains: every problem is reported at once, with its
//! line, and an unknown key comes with the nearest known one. A [`Config`] is complete and
//! consistent (defaults filled in, every group that a user names exists, secrets read), but says
//! nothing of the live databases; that is `pgwarrant check`'s business. Secrets come from files or
//! from the environment, never from the file itself; a SCRAM verifier is not a secret in that
//! sense, since nobody can sign in with it.

mod api;
mod conditions;
mod databases;
mod identity;
mod inbound;
mod labels;
mod model;
mod people;
mod policy;
mod problem;
mod quantity;
mod reader;
mod secret;
mod sections;
mod upstream;
mod webhooks;

pub use model::*;
pub use problem::{Problem, Problems, Severity};
pub use secret::Secret;
pub use upstream::{Host, TlsMode, Upstream};

use std::path::Path;

use reader::Reader;

/// What a configuration depends on besides its text.
pub struct Surroundings<'a> {
    /// Relative paths start here: the file's own directory.
    pub directory: &'a Path,
    /// An environment variable's value.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// A configuration file larger than this is not one.
const MAX_BYTES: u64 = 4 << 20;

/// Reads the file at `path`, and the secrets that it points to.
///
/// # Errors
/// Every problem that can be told without a connection.
pub fn load(path: &Path) -> Result<Config, Problems> {
    let file = path.display().to_string();
    let unreadable = |message: String| Problems::one(&file, message, "Give the file with --config FILE.");
    let size = std::fs::metadata(path)
        .map_err(|error| unreadable(format!("could not read the file: {error}")))?
        .len();
    if size > MAX_BYTES {
        return Err(unreadable(format!("the file has {size} bytes, at most {MAX_BYTES} are read")));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| unreadable(format!("could not read the file: {error}")))?;
    // The parent of a bare file name is the empty path, which joins as the current directory.
    let directory = path.parent().unwrap_or(Path::new(""));
    let variable = |name: &str| std::env::var(name).ok();
    parse(&text, &file, &Surroundings { directory, variable: &variable })
}

/// The same for a text that was read from `file`, which only messages name.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, file: &str, surroundings: &Surroundings<'_>) -> Result<Config, Problems> {
    let mut reader = Reader::new(text, surroundings);
    let config = reader.document().and_then(|root| sections::config(&mut reader, root));
    let (errors, warnings): (Vec<Problem>, Vec<Problem>) =
        reader.into_problems().into_iter().partition(|problem| problem.severity == Severity::Error);
    match config {
        Some(mut config) if errors.is_empty() => {
            config.warnings = Problems::new(file, warnings);
            Ok(config)
        }
        _ => Err(Problems::new(file, errors.into_iter().chain(warnings).collect())),
    }
}

#[cfg(test)]
mod tests;
