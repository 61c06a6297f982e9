//! What only the person at the keyboard knows.

use std::io::{BufRead, IsTerminal, Read};

use crate::failure::Failure;

/// A password longer than this is a file given by mistake.
const MOST: u64 = 1024;

/// Is there somebody who can be asked?
pub fn is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// Typed on the terminal without being shown, or the next line of standard input. `what`: "password".
pub fn secret(what: &str, prompt: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        Failure::unusable(format!("could not read the {what}: {error}"))
            .hint("Type it, or write it to standard input.")
    };
    let text = match is_terminal() {
        true => rpassword::prompt_password(prompt).map_err(failed)?,
        false => {
            let mut line = String::new();
            std::io::stdin().lock().take(MOST + 1).read_line(&mut line).map_err(failed)?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    if text.len() as u64 > MOST {
        return Err(Failure::unusable(format!("the {what} is longer than {MOST} bytes"))
            .hint("Is it a file that was given by mistake?"));
    }
    match text.is_empty() {
        true => Err(Failure::unusable(format!("the {what} is empty"))
            .hint("Type it, or write it to standard input, a line.")),
        false => Ok(text),
    }
}

/// The user of PostgreSQL's clients, where nothing else is said.
pub fn user() -> Result<String, Failure> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    ["PGUSER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(named)
        .ok_or_else(|| Failure::unusable("it is not known who signs in").hint("Name the user with --user."))
}
