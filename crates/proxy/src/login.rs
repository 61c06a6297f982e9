//! From a new connection to a session: start-up, sign-in, limits, the upstream connection.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use pgwarrant_audit::{Decision, Kind, Record, RecordedError};
use pgwarrant_grants::Principal;
use pgwarrant_wire::accept::{self, Accepted, Client};
use pgwarrant_wire::auth::{self, Credentials as Wanted, Method, Mock, Verifier};
use pgwarrant_wire::backend::{TransactionStatus, build};
use pgwarrant_wire::error::{ClientError, Report, WireError};
use pgwarrant_wire::stream::{Socket, Stream};
use pgwarrant_wire::upstream;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::audit_trail::{self, Pending};
use crate::cache::{Basis, Cache};
use crate::database::Database;
use crate::error::{End, Error, Fatal};
use crate::identity::Identity;
use crate::ledger::Ledger;
use crate::line;
use crate::names::Names;
use crate::pump::Side;
use crate::registry::{Message, UserConnection};
use crate::server::Shared;
use crate::session::{Front, Hold, Session};
use crate::settings::{self, Settings};
use crate::startup;
use crate::state::{self, State};

/// How long the two sides may take to hear the end of a session.
const GOODBYE: Duration = Duration::from_secs(2);

/// Who may sign in, and how.
pub struct Credentials {
    users: HashMap<String, User>,
    /// For users that do not exist.
    mock: Mock,
    accept: accept::Settings,
}

struct User {
    verifier: Option<Verifier>,
    certificate: Option<String>,
    groups: Arc<[String]>,
}

impl Credentials {
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let mut users = HashMap::new();
        for user in &settings.users {
            let verifier = user.scram.as_deref().map(str::parse::<Verifier>).transpose();
            let verifier = verifier
                .map_err(|error| Error::User { user: user.name.clone(), problem: error.to_string() })?;
            let groups = user.groups.clone().into();
            users.insert(user.name.clone(), User { verifier, certificate: user.certificate.clone(), groups });
        }
        // Stable over restarts, so that a user that does not exist always gets the same salt.
        let secret = ring::digest::digest(
            &ring::digest::SHA256,
            format!("scram {}", settings.mask_key.expose()).as_bytes(),
        );
        let secret: [u8; 32] = secret.as_ref().try_into().unwrap_or_default();
        let iterations =
            users.values().filter_map(|user| user.verifier.as_ref()).map(Verifier::iterations).next();
        let mock = Mock::new(&secret, iterations.unwrap_or(auth::DEFAULT_ITERATIONS));
        let accept = accept::Settings { tls: settings.tls.clone(), plaintext: settings.plaintext };
        Ok(Self { users, mock, accept })
    }
}

/// One connection of a client, from its first byte to its last.
pub async fn connection(shared: Arc<Shared>, cache: Arc<Cache>, socket: Socket, peer: SocketAddr) {
    let deadline = Instant::now() + shared.settings.limits.startup;
    let counted = shared.registry.connect(shared.settings.limits.connections);
    let accepted = match accept::accept(socket, &shared.credentials.accept, deadline).await {
        Ok(Accepted::Session(client)) => client,
        Ok(Accepted::Cancel { pid, key, connection }) => {
            if let Some(session) = shared.cancels.find(pid, &key) {
                let (arrived, arrival) = oneshot::channel();
                // Full: it is busy with other things and will be idle soon.
                if session.try_send(Message::Cancel(arrived)).is_ok() {
                    let _ = tokio::time::timeout_at(deadline, arrival).await;
                }
            }
            drop(connection);
            return;
        }
        Err(error) => {
            tracing::debug!(%peer, %error, kind = error.kind(), "a connection ended before it was a session");
            return;
        }
    };
    let mut client = *accepted;
    let Some(_counted) = counted else {
        accept::refuse(&mut client.stream, &full("too many connections in all")).await;
        return;
    };
    match sign_in(&shared, &mut client, peer, deadline).await {
        Ok(signed_in) => run(shared, cache, client, signed_in, deadline).await,
        Err(refused) => {
            let (user, database) = (&client.startup.user, &client.startup.database);
            let mut record =
                Record::new(Kind::LoginFailed, Decision::Refused, pgwarrant_audit::record::now());
            record.user = user.as_str().into();
            record.database = database.as_str().into();
            record.address = peer.to_string().into();
            record.tls = client.stream.is_tls();
            record.error = Some(refused);
            if let Err(error) = shared.trail.append(record).await {
                tracing::error!(%error, "a failed login could not be recorded");
            }
        }
    }
}

/// Who somebody turned out to be.
struct SignedIn {
    identity: Identity,
    database: Arc<Database>,
    login: settings::Login,
    passed: Vec<(String, String)>,
    _counted: UserConnection,
    place: crate::registry::Place,
    sender: tokio::sync::mpsc::Sender<Message>,
    messages: tokio::sync::mpsc::Receiver<Message>,
}

async fn sign_in(
    shared: &Arc<Shared>,
    client: &mut Client,
    peer: SocketAddr,
    deadline: Instant,
) -> Result<SignedIn, RecordedError> {
    let name = client.startup.user.clone();
    let user = shared.credentials.users.get(&name);
    let wanted = user.map_or(Wanted::default(), |user| Wanted {
        verifier: user.verifier.as_ref(),
        certificate: user.certificate.as_deref(),
    });
    let method = auth::authenticate(client, wanted, &shared.credentials.mock, deadline)
        .await
        .map_err(|error| recorded(&error))?;
    match admit(shared, client, user, &name, peer, method) {
        Ok(signed_in) => Ok(signed_in),
        Err(report) => {
            accept::refuse(&mut client.stream, &report).await;
            Err(RecordedError { sqlstate: report.sqlstate.into(), message: report.message.into() })
        }
    }
}

fn recorded(error: &WireError) -> RecordedError {
    match error {
        WireError::Refused(report) => {
            RecordedError { sqlstate: report.sqlstate.to_string(), message: report.message.to_string() }
        }
        other => RecordedError { sqlstate: "08006".to_owned(), message: other.kind().to_owned() },
    }
}

/// What can be said against an authenticated user.
fn admit(
    shared: &Arc<Shared>,
    client: &Client,
    user: Option<&User>,
    name: &str,
    peer: SocketAddr,
    method: Method,
) -> Result<SignedIn, Report> {
    let startup = &client.startup;
    let unknown = || {
        Report::fatal("3D000", format!("database \"{}\" does not exist", startup.database))
            .hint("pgwarrant knows the databases of its configuration only.")
    };
    let user = user.ok_or_else(|| Report::fatal("28000", "no such user"))?;
    let database = shared.databases.get(&startup.database).ok_or_else(unknown)?;
    let login = database.settings.login(name, &user.groups).ok_or_else(|| {
        Report::fatal("28000", format!("user \"{name}\" has no role in database \"{}\"", startup.database))
            .hint("Have a [[database.role]] for this user in pgwarrant's configuration.")
    })?;
    let given = startup.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let passed = startup::settings(given).map_err(|fatal| report(&fatal))?;
    let shared_name: Arc<str> = name.into();
    let counted = shared
        .registry
        .connect_user(&shared_name, shared.settings.limits.connections_per_user)
        .ok_or_else(|| full("too many connections of this user"))?;
    let (place, sender, messages) = shared.registry.enter(&shared_name);
    let identity = Identity {
        principal: Principal { user: name.to_owned(), groups: user.groups.to_vec() },
        session: place.number,
        user: shared_name,
        groups: user.groups.clone(),
        address: peer.to_string().into(),
        application: startup.parameter("application_name").unwrap_or_default().into(),
        database: startup.database.as_str().into(),
        role: login.role.clone(),
        tls: client.stream.is_tls(),
        certificate: method == Method::Certificate,
    };
    let (database, login) = (database.clone(), login.clone());
    Ok(SignedIn { identity, database, login, passed, _counted: counted, place, sender, messages })
}

fn full(message: &'static str) -> Report {
    Report::fatal("53300", message)
        .hint("Close connections that are no longer needed, or have the limit raised.")
}

fn report(fatal: &Fatal) -> Report {
    let mut report = Report::fatal("XX000", fatal.message.clone());
    report.sqlstate.clone_from(&fatal.sqlstate);
    report.detail = fatal.detail.clone().map(Into::into);
    report.hint.clone_from(&fatal.hint);
    report
}

/// Connects upstream and runs the session.
async fn run(shared: Arc<Shared>, cache: Arc<Cache>, client: Client, signed_in: SignedIn, deadline: Instant) {
    let SignedIn { identity, database, login, passed, _counted, place, sender, messages } = signed_in;
    let identity = Arc::new(identity);
    let mut stream = client.stream;
    let mut upstream = match connect(&shared, &database, &login, &passed, deadline).await {
        Ok(upstream) => upstream,
        Err(report) => {
            accept::refuse(&mut stream, &report).await;
            let mut record = audit_trail::record(&identity, Kind::LoginFailed, Decision::Failed);
            record.error =
                Some(RecordedError { sqlstate: report.sqlstate.into(), message: report.message.into() });
            let _ = shared.trail.append(record).await;
            return;
        }
    };
    let login_record = audit_trail::record(&identity, Kind::Login, Decision::Allowed);
    if shared.trail.append(login_record).await.is_err() {
        let report =
            Report::fatal("58030", "the audit trail cannot be written").hint("Tell whoever runs the proxy.");
        accept::refuse(&mut stream, &report).await;
        return;
    }
    let registration = match shared.cancels.register(client.startup.protocol, sender) {
        Ok(registration) => registration,
        Err(error) => {
            tracing::error!(%error, "a session could not be registered");
            return;
        }
    };
    let mut side = Side::new(stream, BytesMut::new());
    let out = side.output.building();
    for (name, value) in &upstream.parameters {
        build::parameter_status(out, name, value);
    }
    for notice in &upstream.notices {
        out.extend_from_slice(notice);
    }
    build::backend_key_data(out, registration.pid(), registration.key());
    build::ready_for_query(out, TransactionStatus::Idle);
    let catalogue = database.catalogue();
    // In this order: a grant that ends in between makes the version differ, and all is read again.
    let grants_version = shared.live.version(&identity.principal);
    let access = shared.live.access(&identity.principal, &database.settings.name, &catalogue);
    let state = State::new(std::mem::take(&mut upstream.state));
    let ledger = Ledger::default();
    let process = upstream.cancel.as_ref().map(upstream::CancelTarget::pid);
    let sender = shared.senders.enter(identity.database.clone(), process);
    let mut session = Session {
        basis: Basis { catalogue, access, session: state.session.clone() },
        grants_version,
        scope: ledger.upcoming(),
        trail: Pending::new(shared.trail.clone()),
        client: side,
        upstream: Side::new(upstream.stream, upstream.input),
        pid: registration.pid(),
        upstream_cancel: upstream.cancel,
        shared: shared.clone(),
        database,
        identity: identity.clone(),
        cache,
        ledger,
        statements: Names::default(),
        portals: Names::default(),
        state,
        hold: Hold::Nothing,
        front: Front::default(),
        ahead: crate::ahead::Ahead::default(),
        refresh_due: false,
        unflushed: false,
        grants_in_flight: false,
        cancelling: None,
        cancel_arrived: Vec::new(),
        streaming: None,
        client_data: 0,
        messages,
        sender,
        noticed: HashSet::new(),
        notices: std::collections::VecDeque::new(),
    };
    let end = session.run().await;
    if let End::Io(error) = &end {
        tracing::debug!(session = identity.session, %error, "a session's connection broke");
    }
    session.close(&end, GOODBYE).await;
    session.record_end(&end);
    session.trail.push(audit_trail::record(&identity, Kind::Logout, Decision::Allowed));
    session.trail.finish().await;
    drop(registration);
    drop(place);
}

/// An upstream connection that is ready for a session.
struct Ready {
    stream: Stream,
    /// What was read ahead.
    input: BytesMut,
    parameters: Vec<(String, String)>,
    notices: Vec<bytes::Bytes>,
    cancel: Option<upstream::CancelTarget>,
    state: pgwarrant_sql::SessionState,
}

async fn connect(
    shared: &Shared,
    database: &Database,
    login: &settings::Login,
    passed: &[(String, String)],
    deadline: Instant,
) -> Result<Ready, Report> {
    let settings = &database.settings;
    let parameters = startup::parameters(passed, shared.settings.mask_key.expose());
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let wanted = upstream::Login {
        user: &login.role,
        password: login.password.as_ref().map(settings::Secret::expose),
        database: &settings.upstream_database,
        parameters: &parameters,
        minor: 0,
    };
    let attempt = tokio::time::timeout_at(deadline, upstream::connect(&settings.upstream, &wanted));
    let mut upstream = attempt.await.map_err(|_| too_slow())?.map_err(|error| {
        tracing::warn!(database = settings.name, %error, "the database server cannot be used");
        error.report()
    })?;
    let pinned = |name, value| upstream.parameter(name) == Some(value);
    if !pinned("client_encoding", "UTF8") || !pinned("standard_conforming_strings", "on") {
        return Err(Report::fatal(
            "58000",
            "the database server did not take the settings that pgwarrant relies on",
        ));
    }
    if let Some(problem) = unfit(&upstream) {
        tracing::error!(database = settings.name, problem, "the database server cannot be used");
        return Err(Report::fatal("0A000", problem).hint("Tell whoever runs pgwarrant."));
    }
    let probe = tokio::time::timeout_at(
        deadline,
        line::query(&mut upstream.stream, &mut upstream.input, state::PROBE),
    );
    let rows = probe.await.map_err(|_| too_slow())?;
    let rows = rows.map_err(|error| {
        tracing::warn!(database = settings.name, %error, "the state of a new session cannot be read");
        Report::fatal("08006", "the database server does not answer as expected")
    })?;
    let facts = rows.into_iter().filter_map(|row| match row.as_slice() {
        [Some(kind), Some(place), Some(text)] => Some((kind.clone(), place.parse().ok()?, text.clone())),
        _ => None,
    });
    let state = state::gathered(facts.collect());
    Ok(Ready {
        stream: upstream.stream,
        input: upstream.input,
        parameters: upstream.parameters,
        notices: upstream.notices,
        cancel: upstream.cancel,
        state,
    })
}

/// Our lexer reads as PostgreSQL 15 and later do, and folds names as in a database in UTF-8.
fn unfit(upstream: &upstream::Upstream) -> Option<&'static str> {
    let version = upstream.parameter("server_version").unwrap_or_default();
    let major = version
        .split(|character: char| !character.is_ascii_digit())
        .next()
        .and_then(|text| text.parse().ok());
    if major.is_none_or(|major: u32| major < 15) {
        return Some("the database server is older than PostgreSQL 15");
    }
    let encoding = upstream.parameter("server_encoding").unwrap_or_default();
    (encoding != "UTF8").then_some("the database is not in the encoding UTF8")
}

fn too_slow() -> Report {
    Report::fatal("57014", "canceling authentication due to timeout")
}

/// A connection of the proxy's own, to read the schema.
pub async fn own_connection(settings: &settings::Database) -> Result<(Stream, BytesMut), String> {
    let login = &settings.catalogue;
    let wanted = upstream::Login {
        user: &login.role,
        password: login.password.as_ref().map(settings::Secret::expose),
        database: &settings.upstream_database,
        parameters: &[
            ("application_name", "pgwarrant catalogue"),
            ("client_encoding", "UTF8"),
            ("standard_conforming_strings", "on"),
        ],
        minor: 0,
    };
    let upstream = upstream::connect(&settings.upstream, &wanted).await.map_err(|error| error.to_string())?;
    Ok((upstream.stream, upstream.input))
}
