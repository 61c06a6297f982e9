//! From a new connection to a session: start-up, sign-in, limits, the upstream connection.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use pgwarrant_audit::{Decision, Kind, Record, RecordedError};
use pgwarrant_wire::accept::{self, Accepted, Client};
use pgwarrant_wire::auth;
use pgwarrant_wire::backend::{TransactionStatus, build};
use pgwarrant_wire::cancel::Registration;
use pgwarrant_wire::error::{Report, WireError};
use pgwarrant_wire::stream::Socket;
use pgwarrant_wire::upstream;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::audit_trail::{self, Pending};
use crate::cache::Cache;
use crate::database::Database;
use crate::ends::Ending;
use crate::error::{End, Fatal};
use crate::identity::{Identity, SecondFactor};
use crate::intents::Intents;
use crate::ledger::Ledger;
use crate::mailbox::{Message, Receiver, Sender};
use crate::names::Names;
use crate::pump::Side;
use crate::registry::{Connection, Place, UserConnection};
use crate::server::Shared;
use crate::session::{Front, Hold, Session};
use crate::settings;
use crate::sign_in::Admitted;
use crate::startup;
use crate::state::State;
use crate::upstream_login::{self, Packet};

/// How long the two sides may take to hear the end of a session.
const GOODBYE: Duration = Duration::from_secs(2);

/// One connection of a client, from its first byte to its last.
pub async fn connection(shared: Arc<Shared>, cache: Arc<Cache>, socket: Socket, peer: SocketAddr) {
    // Boxed, each alone: an idle session holds nothing of what signing in and saying goodbye take.
    let opened = Box::pin(open(shared, cache, socket, peer)).await;
    if let Some(mut opened) = opened {
        let end = opened.session.run().await;
        Box::pin(opened.close(end)).await;
    }
}

/// A session with its places in what all sessions share.
struct Opened {
    session: Box<Session>,
    _counted: (Connection, UserConnection),
    _registration: Registration<Sender>,
    _place: Place,
    _ending: Option<Ending>,
}

/// None: there is no session, and whoever asked for one has been told why.
async fn open(shared: Arc<Shared>, cache: Arc<Cache>, socket: Socket, peer: SocketAddr) -> Option<Opened> {
    let deadline = Instant::now() + shared.settings.limits.startup;
    let counted = shared.registry.connect(shared.settings.limits.connections);
    let accepted = match accept::accept(socket, &shared.accept, deadline).await {
        Ok(Accepted::Session(client)) => client,
        Ok(Accepted::Cancel { pid, key, connection }) => {
            if let Some(session) = shared.cancels.find(pid, &key) {
                let (arrived, arrival) = oneshot::channel();
                // Full: it is busy with other things and will be idle soon.
                if session.send(Message::Cancel(arrived)) {
                    let _ = tokio::time::timeout_at(deadline, arrival).await;
                }
            }
            drop(connection);
            return None;
        }
        Err(error) => {
            tracing::debug!(%peer, %error, kind = error.kind(), "a connection ended before it was a session");
            return None;
        }
    };
    let mut client = *accepted;
    let Some(counted) = counted else {
        accept::refuse(&mut client.stream, &full("too many connections in all")).await;
        return None;
    };
    match sign_in(&shared, &mut client, peer, deadline).await {
        Ok(signed_in) => session(shared, cache, client, signed_in, counted, deadline).await,
        Err(None) => None,
        Err(Some(refused)) => {
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
            None
        }
    }
}

/// Who somebody turned out to be.
struct SignedIn {
    identity: Identity,
    database: Arc<Database>,
    login: settings::Login,
    passed: Vec<(String, String)>,
    counted: UserConnection,
    place: Place,
    sender: Sender,
    messages: Receiver,
    until: Option<SystemTime>,
}

/// None: the client has not shown anything yet, and will connect again.
async fn sign_in(
    shared: &Arc<Shared>,
    client: &mut Client,
    peer: SocketAddr,
    deadline: Instant,
) -> Result<SignedIn, Option<RecordedError>> {
    let name = client.startup.user.clone();
    let parameters = client.startup.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let choice = startup::sign_in(parameters).map_err(|fatal| report(&fatal));
    let wanted = match choice.and_then(|choice| shared.sign_in.wanted(&name, choice)) {
        Ok(wanted) => wanted,
        Err(report) => return Err(Some(refuse(client, report).await)),
    };
    let proof = auth::authenticate(client, wanted, shared.sign_in.mock(), deadline).await;
    let proof = proof.map_err(|error| match error {
        WireError::Closed => None,
        other => Some(recorded(&other)),
    })?;
    let admitted = shared.sign_in.admitted(&name, proof);
    if admitted.provider.is_some()
        && let Err(report) = end_lost(shared, &admitted).await
    {
        return Err(Some(refuse(client, report).await));
    }
    match admit(shared, client, admitted, peer) {
        Ok(signed_in) => Ok(signed_in),
        Err(report) => Err(Some(refuse(client, report).await)),
    }
}

async fn refuse(client: &mut Client, report: Report) -> RecordedError {
    accept::refuse(&mut client.stream, &report).await;
    RecordedError { sqlstate: report.sqlstate.into(), message: report.message.into() }
}

/// Ends what a user holds by a group that the provider does not name any more.
async fn end_lost(shared: &Shared, admitted: &Admitted) -> Result<(), Report> {
    let (live, principal) = (shared.live.clone(), Arc::clone(&admitted.principal));
    let ended = tokio::task::spawn_blocking(move || {
        live.end_lost(&principal, "at a sign-in: no longer in a group that could have asked for it")
    });
    match ended.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            Err(Report::fatal(error.sqlstate(), error.message).hint("Tell whoever runs the proxy."))
        }
        Err(error) => {
            tracing::error!(%error, "what a user holds could not be looked at");
            Err(Report::fatal("XX000", "the sign-in failed").hint("Tell whoever runs the proxy."))
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
    admitted: Admitted,
    peer: SocketAddr,
) -> Result<SignedIn, Report> {
    let startup = &client.startup;
    let Admitted { principal, sign_in, provider, until } = admitted;
    let name = principal.user.as_str();
    let unknown = || {
        Report::fatal("3D000", format!("database \"{}\" does not exist", startup.database))
            .hint("pgwarrant knows the databases of its configuration only.")
    };
    let database = shared.databases.get(&startup.database).ok_or_else(unknown)?;
    let login = database.settings.login(name, &principal.groups).ok_or_else(|| {
        Report::fatal("28000", format!("user \"{name}\" has no role in database \"{}\"", startup.database))
            .hint("Have a [[database.role]] for this user, or one of their groups, in pgwarrant's configuration.")
    })?;
    let given = startup.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let passed = startup::settings(given).map_err(|fatal| report(&fatal))?;
    let shared_name: Arc<str> = name.into();
    let counted = shared
        .registry
        .connect_user(&shared_name, shared.settings.limits.connections_per_user)
        .ok_or_else(|| full("too many connections of this user"))?;
    let (place, sender, messages) = shared.registry.enter(&principal);
    let identity = Identity {
        groups: principal.groups.as_slice().into(),
        principal: Arc::clone(&principal),
        session: place.number,
        user: shared_name,
        address: peer.to_string().into(),
        application: startup.parameter("application_name").unwrap_or_default().into(),
        database: startup.database.as_str().into(),
        role: login.role.clone(),
        tls: client.stream.is_tls(),
        ip: Some(peer.ip().to_canonical()),
        sign_in,
        provider,
        second_factor: SecondFactor::default(),
    };
    let (database, login) = (database.clone(), login.clone());
    Ok(SignedIn { identity, database, login, passed, counted, place, sender, messages, until })
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

/// Connects upstream and begins the session.
async fn session(
    shared: Arc<Shared>,
    cache: Arc<Cache>,
    client: Client,
    signed_in: SignedIn,
    connection: Connection,
    deadline: Instant,
) -> Option<Opened> {
    let SignedIn { identity, database, login, passed, counted, place, sender, messages, until } = signed_in;
    let identity = Arc::new(identity);
    let mut stream = client.stream;
    let packet = Packet { login, passed };
    let ready = match upstream_login::connect(&shared, &database, packet, deadline).await {
        Ok(ready) => ready,
        Err(report) => {
            accept::refuse(&mut stream, &report).await;
            let mut record = audit_trail::record(&identity, Kind::LoginFailed, Decision::Failed);
            record.error =
                Some(RecordedError { sqlstate: report.sqlstate.into(), message: report.message.into() });
            let _ = shared.trail.append(record).await;
            return None;
        }
    };
    let mut login_record = audit_trail::record(&identity, Kind::Login, Decision::Allowed);
    login_record.note = how(&identity);
    if shared.trail.append(login_record).await.is_err() {
        let report =
            Report::fatal("58030", "the audit trail cannot be written").hint("Tell whoever runs the proxy.");
        accept::refuse(&mut stream, &report).await;
        return None;
    }
    shared.registry.describe(&identity);
    let ending = until.map(|until| shared.ends.enter(identity.session, until, sender.clone()));
    let registration = match shared.cancels.register(client.startup.protocol, sender) {
        Ok(registration) => registration,
        Err(error) => {
            tracing::error!(%error, "a session could not be registered");
            return None;
        }
    };
    let mut side = Side::new(stream, BytesMut::new());
    let out = side.output.building();
    let introduction = ready.introduction;
    for (name, value) in &introduction.parameters {
        build::parameter_status(out, name, value);
    }
    for notice in &introduction.notices {
        out.extend_from_slice(notice);
    }
    build::backend_key_data(out, registration.pid(), registration.key());
    build::ready_for_query(out, TransactionStatus::Idle);
    let catalogue = database.catalogue();
    // In this order: a grant that ends in between makes the version differ, and all is read again.
    let grants = shared.live.watch(&identity.principal);
    let grants_version = grants.version();
    let access = shared.live.access(&identity.principal, &database.settings.name, &catalogue);
    let state = State::new(ready.state);
    let ledger = Ledger::default();
    let process = introduction.cancel.as_ref().map(upstream::CancelTarget::pid);
    let sender = shared.senders.enter(identity.database.clone(), process);
    let session = Box::new(Session {
        basis: cache.basis(catalogue, access, state.session.clone(), &database.settings.name),
        grants,
        grants_version,
        parsed: None,
        now: std::time::Instant::now(),
        scope: ledger.upcoming(),
        trail: Pending::new(shared.trail.clone()),
        intents: Intents::new(shared.trail.clone()),
        client: side,
        upstream: Side::new(ready.stream, ready.input),
        pid: registration.pid(),
        upstream_cancel: introduction.cancel,
        shared,
        database,
        identity,
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
    });
    Some(Opened {
        session,
        _counted: (connection, counted),
        _registration: registration,
        _place: place,
        _ending: ending,
    })
}

/// What the trail says of a sign-in that somebody else has verified.
fn how(identity: &Identity) -> Option<String> {
    let provider = identity.provider.as_ref()?;
    let (way, person) = (identity.sign_in.text(), identity.principal.person());
    Some(format!("by {way} of provider {provider}, as person {person}"))
}

impl Opened {
    async fn close(self, end: End) {
        let Self { mut session, .. } = self;
        if let End::Io(error) = &end {
            tracing::debug!(session = session.identity.session, %error, "a session's connection broke");
        }
        session.close(&end, GOODBYE).await;
        session.record_end(&end);
        session.trail.push(audit_trail::record(&session.identity, Kind::Logout, Decision::Allowed));
        session.trail.finish().await;
    }
}
