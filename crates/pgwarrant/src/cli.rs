//! The command line: every verb is declared here, those that talk to a running proxy in
//! `pgwarrant-client`; nothing is done here.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

use crate::audit_cli::{self, AuditCommand};
use crate::{check, demo, pages, policy, serve, user};

/// Just-in-time access to personal data in PostgreSQL, enforced on the wire.
#[derive(Debug, Parser)]
#[command(name = "pgwarrant", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the proxy
    Serve(ConfigFlag),
    /// Report every problem of a configuration, and what it means for the live databases
    ///
    /// Reads the file, connects to each database, binds the labels to the live schema, and looks at
    /// what the upstream roles may do. Exit status: 0 nothing wrong, 1 errors, 2 could not run.
    Check {
        #[command(flatten)]
        config: ConfigFlag,
        /// Look at the file only, connect to nothing
        #[arg(long)]
        offline: bool,
        /// Print one JSON object a finding
        #[arg(long)]
        json: bool,
    },
    /// Try everything on a throwaway PostgreSQL full of sample data; Ctrl-C ends it
    ///
    /// Starts a PostgreSQL server in a temporary directory and the proxy in front of it, both on
    /// loopback only, and prints the lines to paste. Nothing is left behind.
    Demo(ConfigFlag),
    /// Policies that decide about requests
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// Users of the proxy
    #[command(subcommand)]
    User(UserVerb),
    /// Read and verify the audit trail
    Audit {
        #[command(flatten)]
        config: ConfigFlag,
        /// Where the store is, instead of what the configuration says
        #[arg(long, value_name = "DIRECTORY")]
        store: Option<PathBuf>,
        #[command(subcommand)]
        command: Box<AuditCommand>,
    },
    #[command(flatten)]
    Client(pgwarrant_client::Verb),
    /// Print a script that completes verbs and flags in a shell
    ///
    /// bash: source <(pgwarrant completions bash), in ~/.bashrc.
    Completions { shell: Shell },
    /// Print the manual page of this program, or of a verb: man request create | man -l -
    Man {
        verb: Vec<String>,
        /// Write the pages of all verbs into this directory instead
        #[arg(long, value_name = "DIRECTORY", conflicts_with = "verb")]
        into: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum PolicyVerb {
    /// Put requests of before to a draft, and print what would be decided otherwise
    ///
    /// Exit status: 0 nothing would change, 1 something would, 2 could not run.
    Test {
        #[command(flatten)]
        config: ConfigFlag,
        #[command(flatten)]
        trial: policy::Trial,
    },
}

#[derive(Debug, Subcommand)]
enum UserVerb {
    /// Turn a password into the SCRAM verifier for [[user]] scram = "…"
    ///
    /// Reads the password from the terminal without showing it, or from standard input.
    Hash {
        /// Iterations of PBKDF2; more is slower for whoever steals the verifier, and for clients
        #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(4096..=1_000_000))]
        iterations: u32,
    },
}

#[derive(Debug, clap::Args)]
struct ConfigFlag {
    /// The configuration file
    #[arg(long, short, value_name = "FILE", default_value = "proxy.toml")]
    config: PathBuf,
}

/// The whole command line, with what the verbs that talk to a proxy have in common.
pub fn command() -> Command {
    let clients: Vec<String> = pgwarrant_client::Verb::augment_subcommands(Command::new(""))
        .get_subcommands()
        .map(|verb| verb.get_name().to_owned())
        .collect();
    Cli::command().mut_subcommands(|verb| match clients.iter().any(|name| name == verb.get_name()) {
        true => with_exit_status(verb),
        false => verb,
    })
}

fn with_exit_status(verb: Command) -> Command {
    match verb.has_subcommands() {
        true => verb.mut_subcommands(with_exit_status),
        false => verb.after_help(pgwarrant_client::EXIT_STATUS),
    }
}

/// Parses the arguments, runs the verb, and gives its exit status.
pub fn run() -> ExitCode {
    let matches = command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match cli.verb {
        Verb::Serve(flag) => finish(serve::run(&flag.config)),
        Verb::Check { config, offline, json } => check::run(&config.config, offline, json),
        Verb::Demo(flag) => finish(demo::run(&flag.config)),
        Verb::Policy(PolicyVerb::Test { config, trial }) => match policy::run(&config.config, &trial) {
            Ok(status) => status,
            Err(failure) => fail(&failure.to_string()),
        },
        Verb::User(UserVerb::Hash { iterations }) => finish(user::hash(iterations)),
        Verb::Audit { config, store, command } => {
            let store = match store {
                Some(store) => store,
                None => match crate::config::load(&config.config) {
                    Ok(loaded) => loaded.store.path,
                    Err(problems) => return fail(&problems.to_string()),
                },
            };
            audit_cli::run(&store, &command)
        }
        Verb::Client(verb) => pgwarrant_client::run(&verb),
        Verb::Completions { shell } => finish(pages::completions(shell)),
        Verb::Man { into: Some(directory), .. } => finish(pages::write_manual(&directory)),
        Verb::Man { verb, into: None } => finish(pages::print_manual(&verb)),
    }
}

fn finish(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure.to_string()),
    }
}

fn fail(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{}", message.trim_end());
    ExitCode::from(2)
}

/// Why a verb could not do its work, as the user reads it: a message, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("error: {message}{}", hint.as_ref().map(|hint| format!("\nHINT: {hint}")).unwrap_or_default())]
pub struct Failure {
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), hint: None }
    }

    pub fn hint(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure { message: message.into(), hint: Some(hint.into()) }
    }
}
