//! `pgwarrant user`: what `[[user]]` entries are made of.

use std::io::{BufRead, IsTerminal, Write};

use crate::cli::Failure;

/// A password longer than this is a file given by mistake.
const MAX_PASSWORD_BYTES: u64 = 1024;

/// Prints the SCRAM verifier of a password that is typed, or comes on standard input.
pub fn hash(iterations: u32) -> Result<(), Failure> {
    let password = if std::io::stdin().is_terminal() { typed()? } else { piped()? };
    if password.is_empty() {
        return Err(Failure::hint("the password is empty", "Type it, or write it to standard input."));
    }
    let verifier = pgwarrant_wire::auth::make_verifier(&password, iterations)
        .map_err(|error| Failure::new(format!("could not make a verifier: {error}")))?;
    writeln!(std::io::stdout(), "{verifier}")
        .map_err(|error| Failure::new(format!("could not write: {error}")))
}

fn typed() -> Result<String, Failure> {
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt)
            .map_err(|error| Failure::new(format!("could not read the password: {error}")))
    };
    let first = ask("Password: ")?;
    if first != ask("Again: ")? {
        return Err(Failure::hint("the two passwords differ", "Run the command again."));
    }
    Ok(first)
}

fn piped() -> Result<String, Failure> {
    use std::io::Read;
    let mut line = String::new();
    std::io::BufReader::new(std::io::stdin().lock().take(MAX_PASSWORD_BYTES + 1))
        .read_line(&mut line)
        .map_err(|error| Failure::new(format!("could not read the password: {error}")))?;
    if line.len() as u64 > MAX_PASSWORD_BYTES {
        return Err(Failure::new(format!("the password is longer than {MAX_PASSWORD_BYTES} bytes")));
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
