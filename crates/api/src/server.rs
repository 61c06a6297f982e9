//! Listening, and serving connections within their limits.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::api::{Api, Parts};
use crate::caller::Ends;
use crate::rate::neighbourhood;
use crate::routes;
use crate::settings::{Limits, Settings};
use crate::stall::Stall;
use crate::tls::{self, TlsError};

/// Of a request's head, in bytes; more is answered with 431.
const MAX_HEAD: usize = 16 << 10;
const MAX_HEADERS: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("could not listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("{0}")]
    Tls(#[from] TlsError),
}

/// Has its addresses, and its certificates, and serves nobody yet.
#[derive(Debug)]
pub struct Listening {
    listeners: Vec<TcpListener>,
    tls: Option<Arc<ServerConfig>>,
}

impl Listening {
    /// # Errors
    /// An address is taken, or the certificate cannot be used.
    pub async fn open(settings: &Settings) -> Result<Self, ServeError> {
        let tls = settings.tls.as_ref().map(tls::config).transpose()?;
        let mut listeners = Vec::new();
        for address in settings.listen.iter().copied() {
            let listener = TcpListener::bind(address).await;
            listeners.push(listener.map_err(|source| ServeError::Listen { address, source })?);
        }
        Ok(Self { listeners, tls })
    }

    /// With the ports that were given where the settings have none.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Serves until it is dropped.
    pub async fn serve(self, parts: Parts) {
        let limits = parts.settings.limits.clone();
        let places = Arc::new(Places::new(&limits));
        let router = routes::router(Arc::new(Api::new(parts)));
        let acceptor = self.tls.map(TlsAcceptor::from);
        let accepting = self.listeners.into_iter().map(|listener| {
            accept(
                listener,
                Arc::new(Served {
                    router: router.clone(),
                    acceptor: acceptor.clone(),
                    limits: limits.clone(),
                    places: places.clone(),
                }),
            )
        });
        futures_util::future::join_all(accepting).await;
    }
}

/// What connections share.
struct Served {
    router: Router,
    acceptor: Option<TlsAcceptor>,
    limits: Limits,
    places: Arc<Places>,
}

async fn accept(listener: TcpListener, served: Arc<Served>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // One too many is closed, not kept waiting: those who wait would be the honest ones.
                if let Some(place) = served.places.enter(peer.ip()) {
                    tokio::spawn(connection(served.clone(), stream, peer, place));
                }
            }
            Err(error) => {
                // Out of file descriptors, most likely: others will be given back.
                tracing::error!(%error, "a connection to the API could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(served: Arc<Served>, stream: TcpStream, peer: SocketAddr, _place: Place) {
    let Ok(local) = stream.local_addr() else { return };
    let _ = stream.set_nodelay(true);
    let ends = Ends { peer, local, tls: served.acceptor.is_some() };
    match &served.acceptor {
        None => serve(&served, stream, ends).await,
        Some(acceptor) => {
            let shaking = tokio::time::timeout(served.limits.header_timeout, acceptor.accept(stream)).await;
            match shaking {
                Ok(Ok(stream)) => serve(&served, stream, ends).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
            }
        }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(served: &Served, stream: S, ends: Ends) {
    let stream = TokioIo::new(Stall::new(stream, served.limits.idle_timeout));
    let calls = TowerToHyperService::new(served.router.clone());
    let service = service_fn(move |mut request| {
        request.extensions_mut().insert(ends);
        calls.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(served.limits.header_timeout)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(stream, service);
    if let Err(error) = connection.await {
        tracing::debug!(peer = %ends.peer, %error, "a connection to the API broke");
    }
}

/// Connections, counted in all and for each address.
#[derive(Debug)]
struct Places {
    most: usize,
    most_per_address: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection, counted until it is dropped.
#[derive(Debug)]
struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    fn new(limits: &Limits) -> Self {
        let (most, most_per_address) = (limits.connections, limits.connections_per_address);
        Self { most, most_per_address, open: Mutex::default() }
    }

    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = neighbourhood(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, theirs) = (open.values().sum::<usize>(), open.get(&address).copied().unwrap_or(0));
        if all >= self.most || theirs >= self.most_per_address {
            return None;
        }
        open.insert(address, theirs + 1);
        Some(Place { places: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}
