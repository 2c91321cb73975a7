//! HTTPS for the browser: an accept loop of our own, because a slow or silent client must not hold a place for ever.
//!
//! Limits: TLS handshake 5 s, request head 10 s, connections in all and for one address.

use crate::api::{self, App, guard::Peer};
use crate::shell::Shell;
use axum::Router;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
const HEAD_MAX: Duration = Duration::from_secs(10);
/// A browser opens six, and there are several browsers behind one office address. Of IPv6 it is one network of 64 bits, since
/// a host makes up addresses in it as it likes.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 64;
const CONNECTIONS_MAX: usize = 1_024;
/// When accept fails (out of descriptors), trying again at once would spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Places of one listener, in all and for one address.
#[derive(Clone)]
pub struct Places {
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    per_address_max: usize,
    total_max: usize,
}

/// One place; given back on drop.
pub struct Place {
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
}

impl Places {
    #[must_use]
    pub fn new(per_address_max: usize, total_max: usize) -> Self {
        Self { taken: Arc::default(), per_address_max, total_max }
    }

    /// A place for one more connection of `address`; none when the address or the listener has all it may.
    #[must_use]
    pub fn take(&self, address: IpAddr) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = taken.values().sum();
        let mine = taken.get(&address).copied().unwrap_or(0);
        if total >= self.total_max || mine >= self.per_address_max {
            return None;
        }
        taken.insert(address, mine + 1);
        Some(Place { taken: Arc::clone(&self.taken), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = taken.get_mut(&self.address) {
            *mine -= 1;
            if *mine == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// Serves until the daemon stops.
pub async fn serve(shell: Shell, listener: TcpListener, tls: Arc<rustls::ServerConfig>, app: Arc<App>) {
    let guard = axum::middleware::from_fn_with_state(Arc::clone(&app), api::guard::browser);
    let router: Router = api::router(Arc::clone(&app))
        .merge(crate::onboarding::router(app))
        .fallback_service(crate::web::router())
        .layer(guard)
        .layer(axum::middleware::map_response(crate::web::harden));
    let acceptor = TlsAcceptor::from(tls);
    let places = Places::new(CONNECTIONS_PER_ADDRESS_MAX, CONNECTIONS_MAX);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "HTTPS did not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = shell.stopped() => return,
        };
        let peer = Peer::at(peer.ip());
        let Some(place) = places.take(peer.0) else { continue };
        let (acceptor, router, shell) = (acceptor.clone(), router.clone(), shell.clone());
        tokio::spawn(async move {
            let _place = place;
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
                serve_http(shell, stream, router, peer).await;
            }
        });
    }
}

/// One HTTP/1.1 connection, with the timer that makes hyper's own limits work; ends gracefully when the daemon stops.
pub async fn serve_http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    shell: Shell,
    stream: S,
    router: Router,
    peer: Peer,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = shell.stopped() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(Duration::from_secs(2), connection).await;
        }
    }
}
