//! `pgwarrant serve`: from a configuration to a running proxy, and back down again.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use pgwarrant_audit::Trail;
use pgwarrant_grants::{GrantState, Live, RequestId, RequestState, SignIn, SledStore, SystemClock, Who};
use pgwarrant_identity::totp::SecondFactors;
use pgwarrant_proxy::SignInService;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::cli::Failure;
use crate::config::{self, Config};
use crate::reload::{self, InForce};
use crate::{api, logging, policy, webhooks, wiring};

/// Runs until SIGINT or SIGTERM; SIGHUP has the policies read again.
pub fn run(config_file: &Path) -> Result<(), Failure> {
    let config = config::load(config_file).map_err(|problems| Failure::new(problems.to_string()))?;
    if !config.warnings.problems.is_empty() {
        let _ = writeln!(std::io::stderr(), "{}", config.warnings);
    }
    let source = reload::Source::of(config_file);
    until_interrupted(&Arc::new(config), Some(source), |addresses| {
        for address in addresses {
            tracing::info!("listening on {address}");
        }
    })
}

/// Runs the proxy until SIGINT or SIGTERM; `ready` is told the addresses once clients can connect.
/// SIGHUP has the policies read again where a file is given.
pub fn until_interrupted(
    config: &Arc<Config>,
    source: Option<reload::Source>,
    ready: impl FnOnce(&[SocketAddr]),
) -> Result<(), Failure> {
    logging::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("could not start: {error}")))?;
    runtime.block_on(until(config, source, ready))
}

async fn until(
    config: &Arc<Config>,
    source: Option<reload::Source>,
    ready: impl FnOnce(&[SocketAddr]),
) -> Result<(), Failure> {
    let directory = config.store.path.as_path();
    let cannot =
        |what: &'static str| move |error: std::io::Error| Failure::new(format!("could not {what}: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot("wait for SIGINT"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot("wait for SIGTERM"))?;
    let reloads = match source {
        Some(source) => Some((signal(SignalKind::hangup()).map_err(cannot("wait for SIGHUP"))?, source)),
        None => None,
    };

    let store = pgwarrant_audit::open_database(directory)
        .map_err(|error| Failure::hint(format!("could not open the store: {error}"), "See [store] path."))?;
    let trail = Trail::open(&store, directory, wiring::audit(config))
        .map_err(|error| Failure::hint(format!("could not open the audit trail: {error}"), error.hint()))?;
    let saved = SledStore::open(&store, directory)
        .map_err(|error| Failure::new(format!("could not open the grants: {error}")))?;
    let arbiter = InForce::new(policy::arbiter(config).map_err(policy::failure)?);
    let live = Live::open_with(saved, SystemClock, wiring::grants(config), arbiter.clone())
        .map_err(|error| Failure::new(format!("could not load the grants: {error}")))?;
    let settings = wiring::proxy(config)?;
    let sign_in = SignInService::new(&settings).map_err(|error| Failure::new(error.to_string()))?;
    let second_factors = SecondFactors::open(&store, directory, settings.mask_key.expose())
        .map_err(|error| Failure::new(format!("could not open the second factors: {error}")))?;
    let users = api::Users::new(sign_in.clone(), second_factors.clone());
    let conditions = wiring::conditions(config)?;
    let api = api::Opened::open(config, users, &store, directory).await?;

    let webhooks = webhooks::open(config, &store, &live, &trail)?.map(|open| tokio::spawn(open.run()));

    tokio::spawn(live.clone().run_expiry());
    end_removed(config, &live)?;
    let reloads = reloads.map(|(signal, source)| {
        tokio::spawn(reload::at_signals(signal, source, Arc::clone(config), arbiter, trail.clone()))
    });
    let checks = tokio::spawn(conditions.run(live.clone()));
    let control = tokio::spawn({
        let (trail, directory) = (trail.clone(), directory.to_owned());
        async move {
            let Err(error) = pgwarrant_audit::control::serve(trail, &directory).await;
            tracing::warn!("\"pgwarrant audit\" cannot reach this process: {error}");
        }
    });
    let (listening, bound) = oneshot::channel();
    let asked = Arc::new(tokio::sync::Notify::new());
    let stop = {
        let asked = Arc::clone(&asked);
        async move { asked.notified().await }
    };
    let serving = pgwarrant_proxy::serve(
        settings,
        sign_in,
        second_factors,
        live.clone(),
        trail.clone(),
        listening,
        stop,
    );
    tokio::pin!(serving);
    let mut serving_api = None;
    let early = tokio::select! {
        bound = bound => {
            if let Ok(proxy) = bound {
                let (live, trail) = (live.clone(), trail.clone());
                serving_api = api.map(|api| tokio::spawn(api.serve(proxy.handle, live, trail)));
                ready(&proxy.addresses);
            }
            None
        }
        outcome = &mut serving => Some(outcome),
        _ = interrupt.recv() => { asked.notify_one(); None }
        _ = terminate.recv() => { asked.notify_one(); None }
    };
    let outcome = match early {
        Some(outcome) => outcome,
        None => loop {
            tokio::select! {
                outcome = &mut serving => break outcome,
                _ = interrupt.recv() => asked.notify_one(),
                _ = terminate.recv() => asked.notify_one(),
            }
        },
    };
    for running in serving_api.into_iter().chain(webhooks) {
        running.abort();
    }
    control.abort();
    if let Some(reloads) = reloads {
        reloads.abort();
    }
    checks.abort();
    live.close().map_err(|error| Failure::new(format!("could not save the grants: {error}")))?;
    let closed = trail.close().await;
    outcome.map_err(|error| Failure::new(error.to_string()))?;
    closed.map_err(|error| Failure::hint(format!("could not close the audit trail: {error}"), error.hint()))
}

/// Ends what users and groups hold who were taken out of the configuration while no proxy ran. Whom
/// the default provider knows only that one can tell, and does when they sign in.
fn end_removed(config: &Config, live: &Live) -> Result<(), Failure> {
    let default = config.identity.default_provider();
    let known = |who: &Who, person: &str, request: RequestId| match who {
        Who::User(name) => {
            config.users.iter().any(|user| user.name == *name)
                || default.is_some_and(|provider| provider.numbers(person)) && by_provider(live, request)
        }
        Who::Group(name) => config.groups.iter().any(|group| group.name == *name),
    };
    let grants = live.grants();
    let open = grants.iter().filter(|grant| !matches!(grant.state, GrantState::Ended(_)));
    let requests = live.requests();
    let asking = requests.iter().filter(|request| request.state == RequestState::Pending);
    let holders = open.map(|grant| (grant.who.clone(), grant.person.as_str(), grant.request));
    let askers = asking.flat_map(|request| {
        [request.who.clone(), Who::User(request.by.clone())]
            .map(|who| (who, request.person.as_str(), request.id))
    });
    let gone: BTreeSet<Who> = holders
        .chain(askers)
        .filter(|(who, person, request)| !known(who, person, *request))
        .map(|(who, ..)| who)
        .collect();
    for who in gone {
        tracing::info!(%who, "is not in the configuration any more: what they hold ends");
        live.end_for(&who, "not in the configuration any more")
            .map_err(|error| Failure::new(format!("could not end the grants of {who}: {error}")))?;
    }
    Ok(())
}

/// Had a provider verified who asked? Others were in the configuration.
fn by_provider(live: &Live, request: RequestId) -> bool {
    let grounds = live.grounds(request).ok().flatten();
    grounds.is_some_and(|grounds| matches!(grounds.facts.by.sign_in, SignIn::Oidc | SignIn::Ldap))
}
