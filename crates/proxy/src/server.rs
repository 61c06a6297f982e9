//! Listening, limits, and what all sessions share.

use std::any::Any;
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use pgwarrant_audit::{Decision, Kind, Record, Trail};
use pgwarrant_catalog::FindingKind;
use pgwarrant_grants::{Event, Live, Principal, RequestState};
use pgwarrant_identity::totp::SecondFactors;
use pgwarrant_wire::stream::Socket;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, oneshot, watch};

use crate::cache::Cache;
use crate::database::Database;
use crate::ends::Ends;
use crate::error::Error;
use crate::handle::Handle;
use crate::login;
use crate::mailbox::{Message, Sender};
use crate::notices;
use crate::notify::Senders;
use crate::probing::Probes;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::sign_in::SignInService;
use crate::warm;

/// Analysis recurses as deep as its limits on nesting allow; a thread's default stack is too small
/// for that.
const STACK: usize = 64 << 20;
/// How long sessions may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// What all sessions share.
pub struct Shared {
    pub settings: Settings,
    pub live: Live,
    pub trail: Trail,
    pub databases: HashMap<String, Arc<Database>>,
    pub registry: Arc<Registry>,
    pub cancels: pgwarrant_wire::cancel::Registry<Sender>,
    pub accept: pgwarrant_wire::accept::Settings,
    pub sign_in: SignInService,
    pub second_factors: SecondFactors,
    pub ends: Arc<Ends>,
    pub probes: Probes,
    pub senders: Arc<Senders>,
}

/// A proxy to which clients can connect.
#[derive(Clone, Debug)]
pub struct Listening {
    pub addresses: Vec<SocketAddr>,
    pub handle: Handle,
}

/// Runs the proxy until `shutdown` is over. `sign_in` is made of the same settings. `listening` is told
/// once clients can connect.
///
/// # Errors
/// An address is taken, a schema cannot be read, or the system refuses threads.
pub async fn serve(
    settings: Settings,
    sign_in: SignInService,
    second_factors: SecondFactors,
    live: Live,
    trail: Trail,
    listening: oneshot::Sender<Listening>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let (stop, stopping) = watch::channel(false);
    let keeper = Keeper::start(&settings, stopping.clone()).await?;
    let shared = Arc::new(Shared {
        databases: keeper.databases,
        live,
        trail: trail.clone(),
        registry: Arc::default(),
        cancels: pgwarrant_wire::cancel::Registry::default(),
        accept: pgwarrant_wire::accept::Settings { tls: settings.tls.clone(), plaintext: settings.plaintext },
        sign_in: sign_in.clone(),
        second_factors,
        ends: Arc::default(),
        probes: Probes::new(settings.limits.probes),
        senders: Arc::default(),
        settings,
    });
    let mut addresses = Vec::new();
    let mut listeners: Vec<Vec<std::net::TcpListener>> = Vec::new();
    for thread in 0..shared.settings.threads.max(1) {
        let mut own = Vec::new();
        for (index, address) in shared.settings.listen.iter().enumerate() {
            let bound = addresses.get(index).copied().unwrap_or(*address);
            let failed = |source| Error::Listen { address: bound, source };
            if thread == 0 && bound.port() != 0 {
                // SO_REUSEPORT would let two proxies share an address and nobody notice.
                drop(std::net::TcpListener::bind(bound).map_err(failed)?);
            }
            let listener = pgwarrant_wire::listen::tcp(bound).map_err(failed)?;
            if thread == 0 {
                addresses.push(listener.local_addr().map_err(failed)?);
            }
            own.push(listener.into_std().map_err(failed)?);
        }
        listeners.push(own);
    }
    let mut threads = Vec::new();
    for (number, own) in listeners.into_iter().enumerate() {
        let (shared, stopping) = (shared.clone(), stopping.clone());
        let run = move || work(shared, own, stopping);
        let thread =
            std::thread::Builder::new().name(format!("sessions-{number}")).stack_size(STACK).spawn(run);
        threads.push(thread.map_err(Error::Thread)?);
    }
    let mut started = Record::new(Kind::Start, Decision::Allowed, pgwarrant_audit::record::now());
    started.note = Some(format!(
        "listening on {}",
        addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ")
    ));
    // A trail that takes nothing refuses every statement; that is said there.
    let _ = trail.append(started).await;
    let _ = listening.send(Listening { addresses, handle: Handle(shared.clone()) });
    tokio::spawn(async move { sign_in.warm().await });
    let events = follow_grants(shared.clone());
    tokio::select! {
        () = shutdown => {}
        () = events => {}
        () = shared.ends.keep() => {}
    }
    shared.registry.shut_down();
    for database in shared.databases.values() {
        database.warm.close().await;
    }
    stop.send_replace(true);
    let joined = tokio::task::spawn_blocking(move || {
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a session thread panicked");
            }
        }
    });
    let _ = joined.await;
    let stopped = Record::new(Kind::Stop, Decision::Allowed, pgwarrant_audit::record::now());
    let _ = trail.append(stopped).await;
    Ok(())
}

/// A mask that does not fit its column would show something else than was meant: nothing is served
/// until that is put right. (After a change of the live schema the column is masked by NULL.)
fn misfit(database: &Database) -> Option<Error> {
    let findings = database.findings();
    let finding = findings.errors.iter().find(|finding| finding.kind == FindingKind::Mask)?;
    let detail = finding.detail.as_deref().unwrap_or_default();
    Some(Error::Label {
        database: database.settings.name.clone(),
        problem: format!("{} ({detail})", finding.message),
    })
}

/// The thread that reads the schemas and keeps connections ready.
struct Keeper {
    databases: HashMap<String, Arc<Database>>,
}

impl Keeper {
    /// Reads every schema for the first time, then goes on looking.
    async fn start(settings: &Settings, mut stopping: watch::Receiver<bool>) -> Result<Self, Error> {
        let (ready, opened) = oneshot::channel();
        let (databases, labels) = (settings.databases.clone(), settings.labels.clone());
        let (trusted, key) = (settings.trusted_functions.clone(), settings.mask_key.clone());
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = ready.send(Err(Error::Thread(error)));
                    return;
                }
            };
            runtime.block_on(async move {
                let mut known = HashMap::new();
                for settings in databases {
                    match Database::open(settings, labels.clone(), trusted.clone()).await {
                        Ok((database, loader)) => {
                            if let Some(error) = misfit(&database) {
                                let _ = ready.send(Err(error));
                                return;
                            }
                            tokio::spawn(loader.keep());
                            tokio::spawn(warm::keep(database.clone(), key.clone()));
                            known.insert(database.settings.name.clone(), database);
                        }
                        Err(error) => {
                            let _ = ready.send(Err(error));
                            return;
                        }
                    }
                }
                let _ = ready.send(Ok(known));
                // An error means that the proxy is gone.
                let _ = stopping.wait_for(|stop| *stop).await;
            });
        };
        std::thread::Builder::new()
            .name("catalogue".to_owned())
            .stack_size(STACK)
            .spawn(run)
            .map_err(Error::Thread)?;
        let gone = || Error::Thread(std::io::Error::other("the thread that reads the schemas has ended"));
        Ok(Self { databases: opened.await.unwrap_or_else(|_| Err(gone()))? })
    }
}

/// One thread of sessions.
fn work(shared: Arc<Shared>, listeners: Vec<std::net::TcpListener>, mut stopping: watch::Receiver<bool>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "a session thread could not start");
            return;
        }
    };
    let cache = Arc::new(Cache::new(shared.settings.limits.cache));
    runtime.block_on(async move {
        for listener in listeners {
            match TcpListener::from_std(listener) {
                Ok(listener) => {
                    tokio::spawn(accept(shared.clone(), cache.clone(), listener));
                }
                Err(error) => tracing::error!(%error, "a listener could not start"),
            }
        }
        let _ = stopping.wait_for(|stop| *stop).await;
        let gone = async {
            while !shared.registry.is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout(GOODBYE, gone).await;
    });
}

async fn accept(shared: Arc<Shared>, cache: Arc<Cache>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(contained(shared.clone(), cache.clone(), stream, peer));
            }
            Err(error) => {
                // Out of file descriptors, most likely: others will be given back.
                tracing::error!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// One connection; a panic in it ends it alone.
async fn contained(shared: Arc<Shared>, cache: Arc<Cache>, stream: tokio::net::TcpStream, peer: SocketAddr) {
    let socket = match Socket::tcp(stream) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::debug!(%error, "a connection broke at once");
            return;
        }
    };
    let trail = shared.trail.clone();
    let mut session = pin!(login::connection(shared, cache, socket, peer));
    let panicked =
        poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| session.as_mut().poll(context))) {
            Ok(Poll::Ready(())) => Poll::Ready(None),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Some(panic)),
        })
        .await;
    if let Some(panic) = panicked {
        tracing::error!(%peer, what = said(&*panic), "a session panicked");
        // Boxed: its room would be kept by every session, for none of them to need it.
        Box::pin(record_panic(trail, peer)).await;
    }
}

async fn record_panic(trail: Trail, peer: SocketAddr) {
    let mut record = Record::new(Kind::Incident, Decision::Incident, pgwarrant_audit::record::now());
    record.address = peer.to_string().into();
    record.note = Some("a session panicked and was ended".to_owned());
    let _ = trail.append(record).await;
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("")
}

/// Tells sessions what becomes of requests and grants, and writes it into the trail: each at its own
/// pace, so that no session learns late of the end of a grant because the trail has no room.
async fn follow_grants(shared: Arc<Shared>) {
    let (told, recorded) = (shared.live.subscribe(), shared.live.subscribe());
    tokio::join!(tell_sessions(&shared, told), record_grants(&shared, recorded));
}

async fn tell_sessions(shared: &Shared, mut events: broadcast::Receiver<Event>) {
    loop {
        match events.recv().await {
            Ok(Event::Ended { .. } | Event::CutOff { .. }) => shared.registry.grant_ended(),
            Ok(event) => tell_of(shared, &event),
            Err(broadcast::error::RecvError::Lagged(_)) => shared.registry.grant_ended(),
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}

/// NOTICEs for open sessions: those of who asked, of who may decide, of who reviews.
fn tell_of(shared: &Shared, event: &Event) {
    let (live, registry) = (&shared.live, &shared.registry);
    let tell = |whom: &dyn Fn(&Principal) -> bool, notice: Vec<u8>| {
        registry.tell(whom, || Message::Notice(notice.clone()));
    };
    match event {
        Event::Requested { request, .. }
        | Event::PartlyApproved { request }
        | Event::Escalated { request } => {
            if request.state == RequestState::Pending {
                tell(&|who| live.may_decide(who, request), notices::asked(request));
            }
        }
        Event::Decided { request } => {
            // By rule: the answer of the call that asked says so, unless conditions were asked first.
            let at_once = matches!(request.state, RequestState::Approved | RequestState::Refused)
                && request.conditions.is_none();
            let by = request.decision.as_ref().and_then(|decision| decision.by.as_ref());
            if by.is_some() || !at_once {
                tell(&|who| who.user == request.by, notices::decided(request));
            }
        }
        Event::BreakGlass { grant, .. } => {
            tracing::warn!(
                grant = grant.id,
                user = %grant.asked_by,
                database = %grant.database,
                columns = %grant.scope.columns_text(),
                reason = %grant.reason,
                "break-glass access was taken"
            );
            tell(&|who| live.may_review(who, grant), notices::break_glass(grant));
        }
        Event::Reviewed { grant } => tell(&|who| who.user == grant.asked_by, notices::reviewed(grant)),
        Event::Checked { .. }
        | Event::Scheduled { .. }
        | Event::Started { .. }
        | Event::Extended { .. }
        | Event::Ended { .. }
        | Event::CutOff { .. } => {}
    }
}

async fn record_grants(shared: &Shared, mut events: broadcast::Receiver<Event>) {
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                tracing::error!(missed, "events of grants could not be recorded");
                continue;
            }
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        };
        if let Some(record) = crate::audit_trail::of_event(&event)
            && let Err(error) = shared.trail.append(record).await
        {
            tracing::error!(%error, "an event of a grant could not be recorded");
        }
    }
}
