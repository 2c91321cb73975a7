//! Taking connections, for every listener alike: the next one, whatever accept(2) says, until the daemon stops; and how many may
//! be there at a time, in all and for one address. It knows no protocol: what a connection is for, and what is told of one that
//! finds no place, its listener knows.

use crate::api::guard::Peer;
use crate::shell::Shell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

#[cfg(test)]
mod tests;

/// When accept fails (out of descriptors, out of memory), trying again at once would spin.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that takes connections.
pub trait Listener {
    type Connection;
    async fn accept(&self) -> io::Result<Self::Connection>;
}

impl Listener for TcpListener {
    type Connection = (TcpStream, SocketAddr);

    async fn accept(&self) -> io::Result<Self::Connection> {
        self.accept().await
    }
}

impl Listener for UnixListener {
    type Connection = UnixStream;

    async fn accept(&self) -> io::Result<Self::Connection> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

/// The next connection of the listener that the log calls `name`; none once the daemon stops.
pub async fn next_connection<L: Listener>(shell: &Shell, name: &str, listener: &L) -> Option<L::Connection> {
    tokio::select! {
        connection = accept(name, listener) => Some(connection),
        () = shell.stopped() => None,
    }
}

async fn accept<L: Listener>(name: &str, listener: &L) -> L::Connection {
    loop {
        match listener.accept().await {
            Ok(connection) => return connection,
            // Whoever can reach the port can cause these, so they are not worth a warning each.
            Err(error) if is_of_one_connection(&error) => tracing::debug!(%error, "{name} lost a connection"),
            Err(error) => {
                tracing::warn!(%error, "{name} did not accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Linux hands on what had already happened to the connection that it would have returned (accept(2), "Error handling"); the
/// next one is as good as ever.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::HostUnreachable
            | Kind::NetworkDown
            | Kind::NetworkUnreachable
            | Kind::Interrupted
    )
}

/// Places of one listener, in all and for one address.
#[derive(Clone)]
pub struct Places {
    taken: Arc<Mutex<HashMap<Peer, usize>>>,
    per_address_max: usize,
    total_max: usize,
}

/// One place; given back on drop.
pub struct Place {
    taken: Arc<Mutex<HashMap<Peer, usize>>>,
    peer: Peer,
}

impl Places {
    #[must_use]
    pub fn new(per_address_max: usize, total_max: usize) -> Self {
        Self { taken: Arc::default(), per_address_max, total_max }
    }

    /// A place for one more connection of `peer`; none when the address or the listener has all it may.
    #[must_use]
    pub fn take(&self, peer: Peer) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = taken.values().sum();
        let mine = taken.get(&peer).copied().unwrap_or(0);
        if total >= self.total_max || mine >= self.per_address_max {
            return None;
        }
        taken.insert(peer, mine + 1);
        Some(Place { taken: Arc::clone(&self.taken), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = taken.get_mut(&self.peer) {
            *mine -= 1;
            if *mine == 0 {
                taken.remove(&self.peer);
            }
        }
    }
}
