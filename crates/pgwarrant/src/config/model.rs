//! What the program runs with. Plain data: see `docs/configuration.md` and `proxy.toml` for the
//! meaning of each key.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use pgwarrant_catalog::Label;
use pgwarrant_proxy::settings::Provider;

use super::{Problems, Secret, TlsMode, Upstream};

#[derive(Clone, Debug)]
pub struct Config {
    pub listen: Listen,
    pub databases: Vec<Database>,
    pub groups: Vec<Group>,
    pub users: Vec<User>,
    pub identity: Identity,
    pub labels: Vec<LabelEntry>,
    /// None: groups alone decide who may ask and who approves.
    pub policy: Option<Policy>,
    pub conditions: Vec<ConditionEntry>,
    pub profiles: Vec<Profile>,
    pub grants: Grants,
    pub masking: Masking,
    pub audit: Audit,
    pub store: Store,
    pub limits: Limits,
    pub notices: Notices,
    pub trust: Trust,
    /// None: there is no HTTP API.
    pub api: Option<pgwarrant_api::Settings>,
    pub webhooks: Vec<pgwarrant_webhooks::Webhook>,
    /// What is allowed but most likely not meant.
    pub warnings: Problems,
}

/// `[listen]`
#[derive(Clone, Debug)]
pub struct Listen {
    /// At least one.
    pub addresses: Vec<SocketAddr>,
    pub tls: Option<ListenTls>,
    pub plaintext: Plaintext,
    /// That serve sessions.
    pub threads: usize,
}

/// `[listen.tls]`: PEM files.
#[derive(Clone, Debug)]
pub struct ListenTls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Whose client certificates are accepted.
    pub client_ca: Option<PathBuf>,
}

/// Which connections may go on without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plaintext {
    Never,
    /// Those from this machine.
    Loopback,
    Always,
}

/// `[[database]]`
#[derive(Clone, Debug)]
pub struct Database {
    /// What clients ask for.
    pub name: String,
    pub upstream: Upstream,
    pub tls: UpstreamTls,
    /// Whom sessions sign in as. At least one, and at most one of them for everybody.
    pub roles: Vec<Role>,
    pub catalogue: Catalogue,
    /// Connections that are kept ready for logins.
    pub warm: usize,
    /// After this time one that nobody took is closed, and another opened.
    pub warm_age: Duration,
    pub line: usize,
}

/// How the connection to PostgreSQL is protected.
#[derive(Clone, Debug)]
pub struct UpstreamTls {
    pub mode: TlsMode,
    /// PEM file of the authorities to trust; the system's where there is none.
    pub ca: Option<PathBuf>,
}

/// `[[database.role]]`: a role of PostgreSQL, and whose sessions sign in as it.
#[derive(Clone, Debug)]
pub struct Role {
    pub login: Login,
    pub users: Vec<String>,
    /// Where this and `users` are empty, everybody whom no other role is for.
    pub groups: Vec<String>,
}

/// How to sign in to PostgreSQL.
#[derive(Clone, Debug)]
pub struct Login {
    pub role: String,
    pub password: Option<Secret>,
}

/// `[database.catalogue]`: the proxy's own connection, which reads the schema.
#[derive(Clone, Debug)]
pub struct Catalogue {
    pub login: Login,
    /// How often it looks for changes made behind the proxy's back.
    pub poll: Duration,
}

/// `[[group]]`
#[derive(Clone, Debug)]
pub struct Group {
    pub name: String,
    pub may_request: bool,
    /// Others' requests, never their own.
    pub may_approve: bool,
    /// Read the audit trail in the console.
    pub may_audit: bool,
    /// Remove somebody else's second factor.
    pub may_administer: bool,
    /// Of the grants that its members ask for; a member of several groups has the longest of theirs.
    pub max_duration: Option<Duration>,
}

/// `[[user]]`
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    /// A verifier in PostgreSQL's format, `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
    pub scram: Option<String>,
    /// The common name of a client certificate that signs this user in.
    pub certificate: Option<String>,
    pub groups: Vec<String>,
    /// The human being behind it, where that one has several users: nobody approves what they asked
    /// for as somebody else. Where it is not given, whom the provider names, or else the name.
    pub person: Option<String>,
    /// The provider that verifies this user's passwords or tokens.
    pub provider: Option<String>,
}

/// `[identity]`: who verifies passwords and tokens besides `[[user]]`.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// The provider that knows the users who are not in `[[user]]`. None: there are no others.
    pub default: Option<String>,
    pub providers: Vec<ProviderEntry>,
}

/// `[[identity.oidc]]` or `[[identity.ldap]]`, with its line for messages.
#[derive(Clone, Debug)]
pub struct ProviderEntry {
    pub provider: Provider,
    pub line: usize,
}

/// `[[label]]`, with its line for messages.
#[derive(Clone, Debug)]
pub struct LabelEntry {
    pub label: Label,
    pub line: usize,
}

/// `[policy]`: which requests are refused, approved by rule, or asked about.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Cedar policies; all of them hold.
    pub files: Vec<PathBuf>,
    pub line: usize,
}

/// `[[condition]]`, with its line for messages.
#[derive(Clone, Debug)]
pub struct ConditionEntry {
    pub condition: pgwarrant_conditions::Settings,
    pub line: usize,
}

/// `[[profile]]`: a bundle that people ask for by name.
#[derive(Clone, Debug)]
pub struct Profile {
    pub name: String,
    /// As a request writes them: `category:contact`, `customers.email`.
    pub columns: Vec<String>,
    pub actions: Vec<String>,
    pub rows: Rows,
    pub max_duration: Duration,
    /// None: at any time.
    pub schedule: Option<Schedule>,
    /// Whose members may ask for it.
    pub groups: Vec<String>,
}

/// Which rows a request for a profile may be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Those that the request names; it must.
    Some,
    All,
    /// Either.
    Any,
}

/// When a profile can be had, in the time zone of `[grants]`: grants end with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// 1 is Monday, 7 Sunday.
    pub days: Vec<u8>,
    /// Minutes since midnight.
    pub from: u16,
    /// The first minute that is not in it.
    pub to: u16,
}

/// `[grants]`
#[derive(Clone, Debug)]
pub struct Grants {
    /// Where a request does not say.
    pub default_duration: Duration,
    pub max_duration: Duration,
    /// A request that nobody has decided lapses after this time.
    pub pending_lapse: Duration,
    /// Undecided requests of one user.
    pub max_pending_per_user: usize,
    /// How far ahead a grant may be asked for.
    pub max_ahead: Duration,
    /// Where schedules, and the hours and weekdays that policies look at, are.
    pub time_zone: TimeZone,
}

/// `[masking]`
#[derive(Clone, Debug)]
pub struct Masking {
    /// Where the key of `hash` and `token` masks comes from.
    pub key: MaskingKey,
}

/// Where the key of keyed masks comes from; see [`MaskingKey::get`].
#[derive(Clone, Debug)]
pub enum MaskingKey {
    Given(Secret),
    /// No file or variable is configured: made on first use, and kept here.
    Generated(PathBuf),
}

/// `[audit]`: when records that nobody waits for are written. Those of statements that show raw
/// protected data are on disk before the first row goes out, whatever is said here.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Records are gathered for this long at most before they are chained and handed to the store.
    pub seal_after: Duration,
    /// And are on disk after this time at most.
    pub sync_after: Duration,
    /// The most bytes of records that wait to be written; past it, sessions wait.
    pub queue: usize,
}

/// `[store]`
#[derive(Clone, Debug)]
pub struct Store {
    /// The directory that holds grants and the audit trail.
    pub path: PathBuf,
}

/// `[limits]`
#[derive(Clone, Debug)]
pub struct Limits {
    /// From a connection's first byte to its sign-in.
    pub startup_timeout: Duration,
    pub connections: usize,
    pub connections_per_user: usize,
    /// One message of the protocol, in bytes.
    pub message: usize,
    /// One statement, in bytes.
    pub statement: usize,
    pub statement_tokens: usize,
    /// Parentheses and operators within each other.
    pub nesting: usize,
    /// Prepared statements, portals and cursors of one session.
    pub names: usize,
    /// What is remembered of analysed statements, in bytes, each thread.
    pub statement_cache: usize,
    /// Different values that a user may compare with columns that are masked for them, within
    /// `probe_window`.
    pub probes: usize,
    pub probe_window: Duration,
    /// Refuse what goes past `probes`; otherwise it is recorded alone.
    pub refuse_probes: bool,
}

/// `[notices]`
#[derive(Clone, Debug)]
pub struct Notices {
    /// Say which columns of a result are masked.
    pub masked: bool,
}

/// `[trust]`
#[derive(Clone, Debug)]
pub struct Trust {
    /// Functions (`schema.name`) that may be called although they were not shown to be harmless.
    pub functions: Vec<String>,
    /// Channels of NOTIFY whose payloads hold nothing protected.
    pub channels: Vec<String>,
}
