//! `pgwarrant completions` and `pgwarrant man`: made from the command line's own definitions.

use std::io::{self, Write};
use std::path::Path;

use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::{Failure, command};

/// Prints the script for a shell.
pub fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "pgwarrant", &mut script);
    print(&script)
}

/// Prints the page of the program, or of the verb that is named by its words.
pub fn print_manual(verb: &[String]) -> Result<(), Failure> {
    let mut found = command();
    found.build();
    for word in verb {
        found = found.find_subcommand(word).cloned().ok_or_else(|| {
            Failure::hint(format!("there is no verb \"{}\"", verb.join(" ")), "See \"pgwarrant help\".")
        })?;
    }
    // Of a page: pgwarrant-request-create.
    let name = ["pgwarrant"].into_iter().chain(verb.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
    let mut page = Vec::new();
    let man = Man::new(found).title(name).source(concat!("pgwarrant ", env!("CARGO_PKG_VERSION")));
    man.render(&mut page).map_err(|error| failed(&error))?;
    print(&page)
}

/// Writes a page for each verb.
pub fn write_manual(directory: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(directory).map_err(|error| failed(&error))?;
    clap_mangen::generate_to(command(), directory).map_err(|error| failed(&error))
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    match io::stdout().lock().write_all(bytes) {
        // `pgwarrant man | head`
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| failed(&error)),
    }
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(format!("could not write: {error}"))
}
