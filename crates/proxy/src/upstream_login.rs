//! Connections to the database server, from the start-up packet until they are fit for a session.

use std::time::Duration;

use bytes::BytesMut;
use pgwarrant_wire::error::{ClientError, Report};
use pgwarrant_wire::stream::{Parked, Stream};
use pgwarrant_wire::upstream::{self, CancelTarget, Login};
use tokio::time::Instant;

use crate::database::Database;
use crate::line;
use crate::server::Shared;
use crate::settings::{self, Secret};
use crate::startup;
use crate::state;
use crate::warm;

/// 53300 `too_many_connections`: of the server, of the database or of the role.
pub const TOO_MANY: &str = "53300";
/// How long the server's processes may take to end that were told to make room, at most: so many
/// times this, each pause twice as long as the one before.
const ROOM: (u32, Duration) = (6, Duration::from_millis(10));
/// A connection that was kept ready must answer within this time, or a new one is opened.
const PATIENCE: Duration = Duration::from_secs(2);

/// All that a login to a database depends on. Connections that were opened with equal ones cannot
/// be told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub login: settings::Login,
    /// The client's settings that go on, see [`startup::settings`].
    pub passed: Vec<(String, String)>,
}

/// A connection that is ready for a session.
pub struct Ready {
    pub stream: Stream,
    /// What was read ahead.
    pub input: BytesMut,
    pub introduction: Introduction,
    pub state: state::Gathered,
}

/// What the server said of itself until it was ready.
#[derive(Debug)]
pub struct Introduction {
    pub parameters: Vec<(String, String)>,
    pub notices: Vec<bytes::Bytes>,
    pub cancel: Option<CancelTarget>,
}

impl Introduction {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(found, _)| found == name).map(|(_, value)| &**value)
    }
}

/// A connection for a session: one that was kept ready, or else a new one.
pub async fn connect(
    shared: &Shared,
    database: &Database,
    packet: Packet,
    deadline: Instant,
) -> Result<Ready, Report> {
    while let Some((parked, introduction)) = database.warm.take(&packet) {
        match tokio::time::timeout(PATIENCE, awake(parked, introduction, &database.settings)).await {
            Ok(Some(ready)) => return Ok(ready),
            Ok(None) => {}
            // The others will not answer either.
            Err(_) => warm::dismiss(database.warm.give_way()).await,
        }
    }
    let attempt = async {
        let key = &shared.settings.mask_key;
        let (mut left, mut pause) = ROOM;
        loop {
            match open(&database.settings, &packet, key).await {
                Err(report) if report.sqlstate == TOO_MANY && left > 0 => {
                    if !warm::make_room(shared.databases.values(), &database.settings.upstream.address).await
                    {
                        return Err(report);
                    }
                }
                done => return done,
            }
            tokio::time::sleep(pause).await;
            (left, pause) = (left - 1, pause * 2);
        }
    };
    let ready = tokio::time::timeout_at(deadline, attempt).await.map_err(|_| too_slow())??;
    database.warm.missed(packet);
    Ok(ready)
}

async fn awake(parked: Parked, introduction: Introduction, settings: &settings::Database) -> Option<Ready> {
    fit(parked.wake().ok()?, BytesMut::new(), introduction, settings).await.ok()
}

/// A new connection.
pub async fn open(settings: &settings::Database, packet: &Packet, key: &Secret) -> Result<Ready, Report> {
    let parameters = startup::parameters(&packet.passed, key.expose());
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let wanted = login(&packet.login, settings, &parameters);
    let upstream = upstream::connect(&settings.upstream, &wanted).await.map_err(|error| {
        tracing::warn!(database = settings.name, %error, "the database server cannot be used");
        error.report()
    })?;
    let upstream::Upstream { stream, input, parameters, cancel, notices, .. } = upstream;
    fit(stream, input, Introduction { parameters, notices, cancel }, settings).await
}

/// Asks what a session begins with, and sees that the server is one that the proxy understands.
async fn fit(
    mut stream: Stream,
    mut input: BytesMut,
    mut introduction: Introduction,
    settings: &settings::Database,
) -> Result<Ready, Report> {
    // What has changed since the introduction is reported with the next answer.
    let mut report = |name: &str, value: &str| {
        let known = introduction.parameters.iter_mut().find(|(found, _)| found == name);
        if let Some((_, known)) = known {
            value.clone_into(known);
        }
    };
    let rows = line::query_reporting(&mut stream, &mut input, state::PROBE, &mut report).await;
    let rows = rows.map_err(|error| {
        tracing::warn!(database = settings.name, %error, "the state of a new session cannot be read");
        Report::fatal("08006", "the database server does not answer as expected")
    })?;
    let pinned = |name, value| introduction.parameter(name) == Some(value);
    if !pinned("client_encoding", "UTF8") || !pinned("standard_conforming_strings", "on") {
        return Err(Report::fatal(
            "58000",
            "the database server did not take the settings that pgwarrant relies on",
        ));
    }
    if let Some(problem) = unfit(&introduction) {
        tracing::error!(database = settings.name, problem, "the database server cannot be used");
        return Err(Report::fatal("0A000", problem).hint("Tell whoever runs pgwarrant."));
    }
    let facts = rows.into_iter().filter_map(|row| match row.as_slice() {
        [Some(kind), Some(place), Some(text)] => Some((kind.clone(), place.parse().ok()?, text.clone())),
        _ => None,
    });
    let state = state::gathered(facts.collect());
    Ok(Ready { stream, input, introduction, state })
}

/// Our lexer reads as PostgreSQL 15 and later do, and folds names as in a database in UTF-8.
fn unfit(introduction: &Introduction) -> Option<&'static str> {
    let version = introduction.parameter("server_version").unwrap_or_default();
    let major = version
        .split(|character: char| !character.is_ascii_digit())
        .next()
        .and_then(|text| text.parse().ok());
    if major.is_none_or(|major: u32| major < 15) {
        return Some("the database server is older than PostgreSQL 15");
    }
    let encoding = introduction.parameter("server_encoding").unwrap_or_default();
    (encoding != "UTF8").then_some("the database is not in the encoding UTF8")
}

fn login<'a>(
    login: &'a settings::Login,
    settings: &'a settings::Database,
    parameters: &'a [(&'a str, &'a str)],
) -> Login<'a> {
    Login {
        user: &login.role,
        password: login.password.as_ref().map(Secret::expose),
        database: &settings.upstream_database,
        parameters,
        minor: 0,
    }
}

fn too_slow() -> Report {
    Report::fatal("57014", "canceling authentication due to timeout")
}

/// A connection of the proxy's own, to read the schema.
pub async fn own_connection(settings: &settings::Database) -> Result<(Stream, BytesMut), String> {
    let parameters = [
        ("application_name", "pgwarrant catalogue"),
        ("client_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
    ];
    let wanted = login(&settings.catalogue, settings, &parameters);
    let upstream = upstream::connect(&settings.upstream, &wanted).await.map_err(|error| error.to_string())?;
    Ok((upstream.stream, upstream.input))
}
