//! What the proxy runs with: plain structs, filled by the binary.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pgwarrant_catalog::Label;

/// Everything that [`crate::run`] needs besides grants and audit trail.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes any free port.
    pub listen: Vec<SocketAddr>,
    /// TLS for clients; None: plaintext only.
    pub tls: Option<pgwarrant_wire::accept::ServerTls>,
    /// Which clients may go on without TLS.
    pub plaintext: pgwarrant_wire::accept::Plaintext,
    /// Threads that serve sessions, each with its own runtime and listeners; at least one is run.
    pub threads: usize,
    pub databases: Vec<Database>,
    pub users: Vec<User>,
    /// Who verifies passwords and tokens that are not ours.
    pub providers: Vec<Provider>,
    /// The one that knows the users who are not among `users`. None: there are no others.
    pub default_provider: Option<String>,
    /// What the members of each group may do; the same list that [`pgwarrant_grants::Settings`] has.
    pub groups: Vec<pgwarrant_grants::Group>,
    pub labels: Vec<Label>,
    /// Functions that the operator vouches for, see [`pgwarrant_catalog::BindOptions`].
    pub trusted_functions: Vec<String>,
    /// Channels of NOTIFY whose payloads the operator vouches for.
    pub trusted_channels: Vec<String>,
    /// The key of keyed masks, set as `pgwarrant.key` in each upstream session.
    pub mask_key: Secret,
    /// Say in a NOTICE which columns of a result are masked, once a statement shape.
    pub notices: bool,
    pub limits: Limits,
}

/// A database as clients know it.
#[derive(Clone, Debug)]
pub struct Database {
    /// The name that clients ask for.
    pub name: String,
    /// Where it is. User and password come from the login.
    pub upstream: pgwarrant_wire::upstream::Server,
    /// Its name on that server.
    pub upstream_database: String,
    /// Whom sessions sign in as: the first role that names the user, else one of the user's
    /// groups, else the first that names nobody.
    pub roles: Vec<Role>,
    /// How the proxy's own connection, which reads the schema, signs in.
    pub catalogue: Login,
    /// How often it looks for changes of the schema made behind the proxy's back.
    pub poll: Duration,
    pub warm: Warm,
}

/// Connections that are kept ready for logins.
#[derive(Clone, Copy, Debug)]
pub struct Warm {
    /// At most so many at a time; 0: none.
    pub spares: usize,
    /// None is older when it is handed over: what decides a login in the server (passwords,
    /// `pg_hba.conf`, ALTER ROLE … SET) takes effect after this time at the latest.
    pub age: Duration,
}

impl Default for Warm {
    fn default() -> Self {
        Self { spares: 4, age: Duration::from_secs(60) }
    }
}

/// A role of PostgreSQL, and whose sessions sign in as it.
#[derive(Clone, Debug)]
pub struct Role {
    pub login: Login,
    pub users: Vec<String>,
    pub groups: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub role: String,
    pub password: Option<Secret>,
}

/// A user of the proxy.
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    /// A verifier in PostgreSQL's format; None: no login by password.
    pub scram: Option<String>,
    /// The common name of a client certificate that signs this user in.
    pub certificate: Option<String>,
    pub groups: Vec<String>,
    /// The human being behind it; empty: whom the provider names, or else the user's name.
    pub person: String,
    /// One of the providers; None: no password or token is verified elsewhere.
    pub provider: Option<String>,
}

/// An identity provider.
#[derive(Clone, Debug)]
pub struct Provider {
    pub name: String,
    pub kind: ProviderKind,
}

#[derive(Clone, Debug)]
pub enum ProviderKind {
    Oidc {
        issuer: Box<pgwarrant_identity::oidc::Settings>,
        /// What clients are told to ask for, separated by spaces (RFC 6749, section 3.3).
        scope: String,
    },
    Ldap {
        directory: Box<pgwarrant_identity::ldap::Settings>,
        /// A session ends after so long: what the directory knows has changed since.
        max_lifetime: Duration,
    },
}

impl Provider {
    /// Whose numbering of people it uses: the beginning of the person of each of its users.
    pub fn realm(&self) -> &str {
        match &self.kind {
            ProviderKind::Oidc { issuer, .. } => issuer.realm.as_deref().unwrap_or(&issuer.issuer),
            ProviderKind::Ldap { directory, .. } => &directory.realm,
        }
    }

    /// Could this person be one of its users?
    pub fn numbers(&self, person: &str) -> bool {
        person.strip_prefix(self.realm()).is_some_and(|rest| rest.starts_with('#'))
    }
}

/// Past one, a session is refused or ended with an error that says which.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From a connection's first byte to ReadyForQuery.
    pub startup: Duration,
    pub connections: usize,
    pub connections_per_user: usize,
    /// Bytes of one frontend message, CopyData excepted.
    pub message: usize,
    pub sql: pgwarrant_sql::Limits,
    /// Prepared statements, portals and cursors of one session, together.
    pub names: usize,
    /// Bytes of the statement cache of one thread, about.
    pub cache: usize,
    /// Values that a user may compare with columns that are masked for them.
    pub probes: crate::probing::Limit,
    /// How long a statement waits for a refresh of the catalogue that it depends on.
    pub refresh: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            startup: Duration::from_secs(10),
            connections: 1000,
            connections_per_user: 100,
            message: 64 << 20,
            sql: pgwarrant_sql::Limits::default(),
            names: 10_000,
            cache: 16 << 20,
            probes: crate::probing::Limit { values: 1000, window: Duration::from_secs(3600), refuse: true },
            refresh: Duration::from_secs(5),
        }
    }
}

impl Database {
    /// Whom the sessions of this user sign in as.
    pub fn login(&self, user: &str, groups: &[String]) -> Option<&Login> {
        let named = |role: &&Role| role.users.iter().any(|name| name == user);
        let grouped = |role: &&Role| role.groups.iter().any(|group| groups.contains(group));
        let default = |role: &&Role| role.users.is_empty() && role.groups.is_empty();
        let role = self.roles.iter().find(named);
        let role =
            role.or_else(|| self.roles.iter().find(grouped)).or_else(|| self.roles.iter().find(default));
        role.map(|role| &role.login)
    }
}

/// A text that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(…)")
    }
}
