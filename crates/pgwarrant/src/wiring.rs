//! From the configuration to what each crate takes.

use std::time::Duration;

use pgwarrant_conditions::Checks;
use pgwarrant_grants::{Principal, Profile, ProfileRows, Schedule};
use pgwarrant_proxy::settings;
use pgwarrant_wire::accept::{Plaintext, ServerTls};
use pgwarrant_wire::tls::{ClientTls, Verify};
use pgwarrant_wire::upstream::{Address, Server};

use crate::cli::Failure;
use crate::config::{self, Config, Host, TlsMode};

/// How long connecting to PostgreSQL and signing in there may take.
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(10);

/// What grants are checked against.
pub fn grants(config: &Config) -> pgwarrant_grants::Settings {
    pgwarrant_grants::Settings {
        groups: groups(config),
        accounts: config.users.iter().map(account).collect(),
        profiles: config.profiles.iter().map(profile).collect(),
        max_ahead: config.grants.max_ahead,
        time_zone: config.grants.time_zone.clone(),
        default_duration: config.grants.default_duration,
        max_duration: config.grants.max_duration,
        request_lapses_after: config.grants.pending_lapse,
        max_pending_per_user: config.grants.max_pending_per_user,
        ..pgwarrant_grants::Settings::default()
    }
}

fn account(user: &config::User) -> Principal {
    let person = user.person.clone().unwrap_or_default();
    Principal::new(user.name.clone(), user.groups.clone()).of_person(person)
}

fn profile(profile: &config::Profile) -> Profile {
    Profile {
        name: profile.name.clone(),
        columns: profile.columns.join(", "),
        actions: profile.actions.join(", "),
        rows: match profile.rows {
            config::Rows::Some => ProfileRows::Some,
            config::Rows::All => ProfileRows::All,
            config::Rows::Any => ProfileRows::Any,
        },
        max_duration: profile.max_duration,
        schedule: profile.schedule.as_ref().map(|schedule| Schedule {
            days: schedule.days.clone(),
            from: schedule.from,
            to: schedule.to,
        }),
        groups: profile.groups.clone(),
    }
}

/// What policies may make a request depend on.
///
/// # Errors
/// Certificates that cannot be read.
pub fn conditions(config: &Config) -> Result<Checks, Failure> {
    let settings = config.conditions.iter().map(|entry| entry.condition.clone());
    Checks::open(settings).map_err(|(name, error)| {
        Failure::hint(format!("condition \"{name}\": {error}"), "See ca in [[condition]].")
    })
}

/// When records are written.
pub fn audit(config: &Config) -> pgwarrant_audit::Settings {
    pgwarrant_audit::Settings {
        queue_bytes: config.audit.queue,
        seal_after: config.audit.seal_after,
        sync_after: config.audit.sync_after,
    }
}

/// What the proxy runs with. Reads certificates and, on the first start, makes the masking key.
///
/// # Errors
/// A file that cannot be read, or does not hold what it should.
pub fn proxy(config: &Config) -> Result<settings::Settings, Failure> {
    let key = config.masking.key.get().map_err(|error| {
        Failure::hint(
            format!("could not read or make the masking key: {error}"),
            "See [masking] and [store] path.",
        )
    })?;
    let tls = match &config.listen.tls {
        Some(tls) => Some(
            ServerTls::from_files(&tls.certificate, &tls.key, tls.client_ca.as_deref())
                .map_err(|error| Failure::hint(error.to_string(), "See [listen.tls]."))?,
        ),
        None => None,
    };
    Ok(settings::Settings {
        listen: config.listen.addresses.clone(),
        tls,
        plaintext: match config.listen.plaintext {
            config::Plaintext::Never => Plaintext::Never,
            config::Plaintext::Loopback => Plaintext::Loopback,
            config::Plaintext::Always => Plaintext::Always,
        },
        threads: config.listen.threads,
        databases: config.databases.iter().map(database).collect::<Result<_, _>>()?,
        users: config.users.iter().map(user).collect(),
        providers: config.identity.providers.iter().map(|entry| entry.provider.clone()).collect(),
        default_provider: config.identity.default.clone(),
        groups: groups(config),
        labels: labels(config),
        trusted_functions: config.trust.functions.clone(),
        trusted_channels: config.trust.channels.clone(),
        mask_key: settings::Secret::new(key.expose()),
        notices: config.notices.masked,
        limits: limits(&config.limits),
    })
}

/// The labels, in the file's order.
pub fn labels(config: &Config) -> Vec<pgwarrant_catalog::Label> {
    config.labels.iter().map(|entry| entry.label.clone()).collect()
}

/// One database, as the proxy connects to it.
///
/// # Errors
/// The authority's certificates cannot be read.
pub fn database(database: &config::Database) -> Result<settings::Database, Failure> {
    let address = match &database.upstream.host {
        Host::Tcp(host) => Address::Tcp { host: host.clone(), port: database.upstream.port },
        Host::Unix(directory) => Address::Unix { directory: directory.clone(), port: database.upstream.port },
    };
    let verify = match database.tls.mode {
        TlsMode::Disable => None,
        TlsMode::Require => Some(Verify::Nothing),
        TlsMode::VerifyCa => Some(Verify::Authority),
        TlsMode::VerifyFull => Some(Verify::AuthorityAndHost),
    };
    let tls = match verify {
        Some(verify) => Some(ClientTls::new(verify, database.tls.ca.as_deref()).map_err(|error| {
            Failure::hint(format!("database {}: {error}", database.name), "See tls and ca in [[database]].")
        })?),
        None => None,
    };
    Ok(settings::Database {
        name: database.name.clone(),
        upstream: Server::new(address, tls, UPSTREAM_TIMEOUT),
        upstream_database: database.upstream.database.clone(),
        roles: database
            .roles
            .iter()
            .map(|role| settings::Role {
                login: login(&role.login),
                users: role.users.clone(),
                groups: role.groups.clone(),
            })
            .collect(),
        catalogue: login(&database.catalogue.login),
        poll: database.catalogue.poll,
        warm: settings::Warm { spares: database.warm, age: database.warm_age },
    })
}

fn login(login: &config::Login) -> settings::Login {
    settings::Login {
        role: login.role.clone(),
        password: login.password.as_ref().map(|password| settings::Secret::new(password.expose())),
    }
}

fn user(user: &config::User) -> settings::User {
    settings::User {
        name: user.name.clone(),
        scram: user.scram.clone(),
        certificate: user.certificate.clone(),
        groups: user.groups.clone(),
        person: user.person.clone().unwrap_or_default(),
        provider: user.provider.clone(),
    }
}

fn groups(config: &Config) -> Vec<pgwarrant_grants::Group> {
    let group = |group: &config::Group| pgwarrant_grants::Group {
        name: group.name.clone(),
        may_request: group.may_request,
        may_approve: group.may_approve,
        may_audit: group.may_audit,
        may_administer: group.may_administer,
        max_duration: group.max_duration,
    };
    config.groups.iter().map(group).collect()
}

fn limits(limits: &config::Limits) -> settings::Limits {
    settings::Limits {
        startup: limits.startup_timeout,
        connections: limits.connections,
        connections_per_user: limits.connections_per_user,
        message: limits.message,
        sql: pgwarrant_sql::Limits {
            statement_bytes: limits.statement,
            statement_tokens: limits.statement_tokens,
            nesting: limits.nesting,
        },
        names: limits.names,
        cache: limits.statement_cache,
        probes: pgwarrant_proxy::probing::Limit {
            values: limits.probes,
            window: limits.probe_window,
            refuse: limits.refuse_probes,
        },
        ..settings::Limits::default()
    }
}
