//! The IPP port's sockets: TLS told from plain by the first byte, and every wait bounded.
//!
//! Limits: first byte and TLS handshake 5 s together, request head 10 s, connections in all and for one address. What is
//! over a limit is closed without a word and counted.

use super::count;
use super::request::{Desk, Origin, handle};
use crate::api::guard::Peer;
use crate::listener::{Places, next_connection};
use crate::shell::Shell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// A print dialogue opens two or three. A whole team may sit behind one address where the network translates, and everybody on a
/// local network shares the half of an IPv6 address that is looked at.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 128;
const CONNECTIONS_MAX: usize = 256;
/// The first byte of a TLS record that carries a handshake (RFC 8446 5.1); no HTTP method begins with it.
const TLS_HANDSHAKE: u8 = 0x16;
/// HTTP head: a Basic credential and a few headers take less than 2 KiB.
const HEAD_MAX_BYTES: usize = 16 * 1024;

/// Accepts until the daemon stops.
pub(super) async fn serve(shell: Shell, listener: TcpListener, tls: Arc<rustls::ServerConfig>, desk: Desk) {
    let acceptor = TlsAcceptor::from(tls);
    let places = Places::new(CONNECTIONS_PER_ADDRESS_MAX, CONNECTIONS_MAX);
    while let Some((stream, peer)) = next_connection(&shell, "IPP", &listener).await {
        count(&desk.counters.connections);
        let Some(place) = places.take(Peer::at(peer.ip())) else {
            count(&desk.counters.connections_shed);
            continue;
        };
        let (acceptor, desk, shell) = (acceptor.clone(), desk.clone(), shell.clone());
        tokio::spawn(async move {
            let _place = place;
            greet(shell, stream, peer, acceptor, desk).await;
        });
    }
}

/// Finds out what the client speaks, and speaks it.
async fn greet(shell: Shell, stream: TcpStream, peer: SocketAddr, acceptor: TlsAcceptor, desk: Desk) {
    let Ok(local) = stream.local_addr() else { return };
    let _ = stream.set_nodelay(true); // answers are small; without it they only come later
    let greeted = tokio::time::timeout(HANDSHAKE_MAX, async {
        let mut first = [0];
        match stream.peek(&mut first).await {
            Ok(1) if first[0] == TLS_HANDSHAKE => {
                acceptor.accept(stream).await.map(|stream| Greeted::Tls(Box::new(stream)))
            }
            Ok(1) => Ok(Greeted::Plain(stream)),
            Ok(_) => Err(std::io::ErrorKind::UnexpectedEof.into()),
            Err(error) => Err(error),
        }
    });
    match greeted.await {
        Ok(Ok(Greeted::Tls(stream))) => talk(shell, *stream, desk, Origin { peer, local, tls: true }).await,
        Ok(Ok(Greeted::Plain(stream))) => talk(shell, stream, desk, Origin { peer, local, tls: false }).await,
        Ok(Err(_)) | Err(_) => count(&desk.counters.handshakes_failed),
    }
}

enum Greeted {
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
    Plain(TcpStream),
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(shell: Shell, stream: S, desk: Desk, origin: Origin) {
    let service = hyper::service::service_fn(move |request| {
        let desk = desk.clone();
        async move { Ok::<_, std::convert::Infallible>(handle(desk, origin, request).await) }
    });
    crate::http::connection::serve(&shell, stream, Some(HEAD_MAX_BYTES), service).await;
}
