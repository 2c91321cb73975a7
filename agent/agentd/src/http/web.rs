//! HTTPS for the browser, by hyper itself and not by axum's own loop, because a slow or silent client must not hold a place
//! for ever.
//!
//! Limits: TLS handshake 5 s, request head 10 s, connections in all and for one address.

use super::connection;
use crate::api::{self, App, guard::Peer};
use crate::listener::{Places, next_connection};
use crate::shell::Shell;
use axum::Router;
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// A browser opens six, and there are several browsers behind one office address. Of IPv6 it is one network of 64 bits, since
/// a host makes up addresses in it as it likes.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 64;
const CONNECTIONS_MAX: usize = 1_024;

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
    while let Some((stream, peer)) = next_connection(&shell, "HTTPS", &listener).await {
        let peer = Peer::at(peer.ip());
        let Some(place) = places.take(peer) else { continue };
        let (acceptor, router, shell) = (acceptor.clone(), router.clone(), shell.clone());
        tokio::spawn(async move {
            let _place = place;
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
                serve_http(shell, stream, router, peer).await;
            }
        });
    }
}

/// One connection of this router; every request on it is told who asks.
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
    connection::serve(&shell, stream, None, service).await;
}
