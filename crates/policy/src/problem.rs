//! What is wrong with a policy, as its author reads it.

use std::fmt;

/// One mistake in a file of policies or of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    /// Counted from 1; 0 where it is about the file as a whole.
    pub line: usize,
    /// In characters, counted from 1; 0 where it is about the file as a whole.
    pub column: usize,
    /// PostgreSQL style: lower case, no full stop.
    pub message: String,
    /// Sentences.
    pub hint: Option<String>,
}

impl Problem {
    pub(crate) fn whole(file: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, message: message.into(), hint: Some(hint.into()) }
    }
}

/// `contact.cedar:12:5: group "enginering" is not configured`, and a HINT line below.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        write!(f, " {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\nHINT:  {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// Another's wording as one sentence of ours: `did you mean x?` becomes `Did you mean x?`.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{}{}{end}", first.to_uppercase(), chars.as_str())
}

/// `Perhaps you meant "contact".`, or the known names, or what to do if there is none.
pub(crate) fn meant<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone, otherwise: &str) -> String {
    if let Some(name) = pgwarrant_grants::nearest(word, known.clone()) {
        return format!("Perhaps you meant {name:?}.");
    }
    const SHOWN: usize = 12;
    let names: Vec<String> = known.clone().take(SHOWN).map(|name| format!("{name:?}")).collect();
    match names.is_empty() {
        true => otherwise.to_owned(),
        false if known.count() > SHOWN => format!("There are {}, and others.", names.join(", ")),
        false => format!("There are: {}.", names.join(", ")),
    }
}
