//! The verbs and their arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

/// What every verb's help says of its exit status.
pub const EXIT_STATUS: &str = "Exit status: 0 done, 1 refused (by the proxy, a policy or a person), \
    2 could not run (wrong arguments, or something on this machine), 3 nobody has decided yet, \
    4 not signed in, 5 no answer from the server, 130 interrupted.";

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Ask for access, and decide what others ask for
    Request {
        #[command(flatten)]
        at: At,
        #[command(subcommand)]
        verb: RequestVerb,
    },
    /// What was granted, and its end
    Grant {
        #[command(flatten)]
        at: At,
        #[command(subcommand)]
        verb: GrantVerb,
    },
    /// Sessions of clients with databases
    Session {
        #[command(flatten)]
        at: At,
        #[command(subcommand)]
        verb: SessionVerb,
    },
    /// Tokens for programs
    Token {
        #[command(flatten)]
        at: At,
        #[command(subcommand)]
        verb: TokenVerb,
    },
    /// What can be asked for by name
    Profile {
        #[command(flatten)]
        at: At,
        #[command(subcommand)]
        verb: ProfileVerb,
    },
    /// Protected columns, and what you see of them now
    Catalog {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        columns: Columns,
        #[command(flatten)]
        list: ListFlags,
    },
    /// Whom the proxy takes you for, and what you may do
    Whoami {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        json: Json,
    },
    /// Sign in, and keep a token for the other verbs
    ///
    /// With a user and a password, which are asked for on the terminal or read from standard input (a
    /// line); or, with --issuer, in a browser (OAuth 2.0 device authorization, RFC 8628). What is kept,
    /// in credentials.toml below the user's configuration directory, is a token that ends by itself,
    /// never a password.
    Login {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        login: LoginFlags,
    },
    /// End the token that login has made, and forget it
    Logout {
        #[command(flatten)]
        at: At,
    },
    /// Open psql on a database, through the proxy
    ///
    /// As the user that is signed in. Who has signed in with --issuer is let in by the token, in the
    /// environment of psql; psql asks others for their password.
    Connect {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        connect: ConnectFlags,
    },
}

/// Which server, and how it is believed.
#[derive(Clone, Debug, Default, Args)]
pub struct At {
    /// The proxy's API; else PGWARRANT_SERVER, the server of the last login, http://127.0.0.1:6480
    #[arg(long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// Authority for its certificate, in PEM; else that of the login, or the system's
    #[arg(long, global = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Json {
    /// Print one JSON object a line, as the API has it
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
pub struct ListFlags {
    /// Stop after so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Wait {
    /// Wait until it is decided
    #[arg(long)]
    pub wait: bool,
    /// Wait no longer than this: "10 min"
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = duration)]
    pub timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default, Args)]
pub struct SignIn {
    /// Sign in for this call with password and second factor: typed, or two lines of standard input
    ///
    /// A token cannot show a second factor. Without this flag it is asked for where the API wants
    /// one, on a terminal only.
    #[arg(long)]
    pub second_factor: bool,
}

#[derive(Debug, Subcommand)]
pub enum RequestVerb {
    /// Ask for a grant
    ///
    /// A rule may give it at once; otherwise it waits for those who may approve it, and the exit
    /// status is 3.
    Create {
        #[command(flatten)]
        new: Box<NewRequest>,
        #[command(flatten)]
        wait: Wait,
        #[command(flatten)]
        sign_in: SignIn,
        #[command(flatten)]
        json: Json,
    },
    /// Requests that you may see, the newest first
    List {
        #[command(flatten)]
        filter: RequestFilter,
        #[command(flatten)]
        list: ListFlags,
    },
    /// One request
    Show {
        id: u64,
        #[command(flatten)]
        wait: Wait,
        #[command(flatten)]
        json: Json,
    },
    /// Approve a request of somebody else
    Approve {
        #[command(flatten)]
        decision: Decision,
        #[command(flatten)]
        sign_in: SignIn,
    },
    /// Deny a request of somebody else
    Deny {
        #[command(flatten)]
        decision: Decision,
    },
    /// Take your own request back
    Cancel {
        #[command(flatten)]
        decision: Decision,
    },
}

#[derive(Debug, Args)]
pub struct NewRequest {
    /// "customers.email, customers.phone", "hr.employees.*", category:contact or "*"
    #[arg(required_unless_present = "profile")]
    pub columns: Option<String>,
    /// Why; the approver and the audit trail read it
    #[arg(long, short)]
    pub reason: String,
    /// Which rows of the one relation, without it all: "id = 42"
    #[arg(long, value_name = "PREDICATE")]
    pub rows: Option<String>,
    /// How long: "30 min", "2 h"
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,
    /// May be left out by who may connect to one alone
    #[arg(long)]
    pub database: Option<String>,
    /// A bundle of columns by name, see "profile list"
    #[arg(long, value_name = "NAME", conflicts_with = "columns")]
    pub profile: Option<String>,
    /// "select, update"
    #[arg(long)]
    pub actions: Option<String>,
    /// What becomes of other rows
    #[arg(long, value_parser = PossibleValuesParser::new(["mask", "hide"]))]
    pub others: Option<String>,
    #[arg(long)]
    pub ticket: Option<String>,
    #[arg(long)]
    pub purpose: Option<String>,
    #[arg(long, value_name = "ID")]
    pub case_id: Option<String>,
    #[arg(long, value_parser = PossibleValuesParser::new(["normal", "urgent", "break-glass"]))]
    pub urgency: Option<String>,
    /// "2026-03-02 09:00", or "in 2 h"
    #[arg(long, value_name = "TIME")]
    pub starts_at: Option<String>,
    /// End it after so many statements
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_uses: Option<u64>,
    /// End it after so many rows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_rows: Option<u64>,
    /// For all members of a group of yours
    #[arg(long, value_name = "GROUP")]
    pub for_group: Option<String>,
}

#[derive(Clone, Debug, Default, Args)]
pub struct RequestFilter {
    #[arg(long, value_parser = PossibleValuesParser::new(["pending", "approved", "denied", "refused", "withdrawn", "lapsed"]))]
    pub state: Option<String>,
    #[arg(long)]
    pub database: Option<String>,
    /// That this user asked for
    #[arg(long, value_name = "USER")]
    pub by: Option<String>,
    /// That you may decide
    #[arg(long)]
    pub waiting_for_me: bool,
    /// That you asked for, or would hold
    #[arg(long)]
    pub mine: bool,
}

#[derive(Clone, Debug, Args)]
pub struct Decision {
    pub id: u64,
    /// Why; it goes into the audit trail
    #[arg(long, short)]
    pub reason: Option<String>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Debug, Subcommand)]
pub enum GrantVerb {
    /// Grants that you may see, the newest first
    List {
        #[command(flatten)]
        filter: GrantFilter,
        #[command(flatten)]
        list: ListFlags,
    },
    /// One grant
    Show {
        id: u64,
        #[command(flatten)]
        json: Json,
    },
    /// End somebody's grant now; what runs under it is cut off
    Revoke {
        #[command(flatten)]
        decision: Decision,
    },
    /// Give your own grant back, when the task is done
    Release {
        id: u64,
        #[command(flatten)]
        json: Json,
    },
    /// Ask for more time of your own grant
    Extend {
        id: u64,
        /// Why
        #[arg(long, short)]
        reason: String,
        /// How much longer: "30 min"
        #[arg(long, value_name = "TIME")]
        duration: Option<String>,
        #[arg(long, value_parser = PossibleValuesParser::new(["normal", "urgent"]))]
        urgency: Option<String>,
        #[command(flatten)]
        wait: Wait,
        #[command(flatten)]
        json: Json,
    },
    /// Close the review of a break-glass grant
    Review {
        id: u64,
        #[arg(value_parser = PossibleValuesParser::new(["justified", "not-justified"]))]
        verdict: String,
        /// Why
        #[arg(long, short)]
        reason: String,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Clone, Debug, Default, Args)]
pub struct GrantFilter {
    #[arg(long, value_parser = PossibleValuesParser::new(["scheduled", "live", "expired", "revoked", "released", "used up", "removed", "not recorded"]))]
    pub state: Option<String>,
    #[arg(long)]
    pub database: Option<String>,
    /// That this user asked for
    #[arg(long, value_name = "USER")]
    pub by: Option<String>,
    /// That you asked for, or hold
    #[arg(long)]
    pub mine: bool,
    /// Break-glass grants that nobody has reviewed
    #[arg(long)]
    pub unreviewed: bool,
}

#[derive(Debug, Subcommand)]
pub enum SessionVerb {
    /// Your sessions; for approvers and auditors everybody's
    List {
        #[arg(long)]
        user: Option<String>,
        #[arg(long)]
        database: Option<String>,
        #[command(flatten)]
        list: ListFlags,
    },
    /// End a session: your own, or anybody's for approvers
    Kill { number: u64 },
}

#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// Make a token, and print it, this once
    ///
    /// It takes the password, typed or as a line of standard input: who steals a token cannot make
    /// another.
    Create {
        /// What it is for
        name: String,
        #[command(flatten)]
        wanted: Wanted,
        /// Whose; else of who is signed in
        #[arg(long)]
        user: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Your tokens that have not ended
    List {
        #[command(flatten)]
        list: ListFlags,
    },
    /// End a token of yours at once; it takes the password
    Revoke {
        id: String,
        /// Whose; else of who is signed in
        #[arg(long)]
        user: Option<String>,
    },
}

#[derive(Clone, Debug, Default, Args)]
pub struct Wanted {
    /// What it is good for: to look, to ask, to decide
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', value_parser = PossibleValuesParser::new(["read", "request", "approve"]))]
    pub scopes: Vec<String>,
    /// How long: "7 d"
    #[arg(long, value_name = "TIME")]
    pub lifetime: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum ProfileVerb {
    /// Profiles that you can ask for
    List {
        #[command(flatten)]
        list: ListFlags,
    },
}

#[derive(Clone, Debug, Default, Args)]
pub struct Columns {
    /// May be left out by who may connect to one alone
    #[arg(long)]
    pub database: Option<String>,
    /// public.customers, or its last part
    #[arg(long)]
    pub relation: Option<String>,
    #[arg(long)]
    pub category: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub struct LoginFlags {
    /// Whose password; else PGUSER, or the name of the system's user
    #[arg(long, short = 'U', conflicts_with = "issuer")]
    pub user: Option<String>,
    /// What the token is good for; else everything that you may do
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', conflicts_with = "issuer", value_parser = PossibleValuesParser::new(["read", "request", "approve"]))]
    pub scopes: Vec<String>,
    /// How long it is good
    #[arg(long, value_name = "TIME", default_value = "12 h", conflicts_with = "issuer")]
    pub lifetime: String,
    /// Sign in at this OpenID Connect issuer, in a browser
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// What this program is registered as there
    #[arg(long, value_name = "ID", default_value = "pgwarrant", requires = "issuer")]
    pub client_id: String,
    /// What is asked for there; with offline_access the sign-in is renewed by itself
    #[arg(long, value_name = "SCOPES", default_value = "openid", requires = "issuer")]
    pub issuer_scope: String,
    /// Authority for the issuer's certificate, in PEM; else the system's
    #[arg(long, value_name = "FILE", requires = "issuer")]
    pub issuer_ca: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub struct ConnectFlags {
    /// Which; may be left out by who may connect to one alone
    pub database: Option<String>,
    /// Where the proxy listens for clients; else the host of its API
    #[arg(long)]
    pub host: Option<String>,
    #[arg(long, default_value_t = 6432)]
    pub port: u16,
    /// Arguments for psql
    #[arg(last = true, value_name = "PSQL ARGUMENTS")]
    pub arguments: Vec<std::ffi::OsString>,
}

/// A time as one types it.
fn duration(text: &str) -> Result<Duration, String> {
    let span =
        text.parse::<jiff::Span>().map_err(|_| "not a time such as \"90 s\" or \"10 min\"".to_owned())?;
    let duration =
        span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|error| error.to_string())?;
    Duration::try_from(duration).map_err(|_| "that is in the past".to_owned())
}
