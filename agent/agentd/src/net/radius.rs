//! RADIUS: the authentication and accounting sockets, the socket that Disconnect-Requests leave from, the TLS workers, and the
//! one thread that owns the `WifiEngine`. It decides nothing and knows no attribute.
//!
//! A login is a dozen short exchanges, each of which costs less than waking a thread or an async runtime: the thread waits for
//! sockets and messages itself, and does the TLS of a datagram when no other waits behind it.
//!
//! ```text
//! RadSec connections (net/radsec) --packet--\
//! sockets --datagram--> task: engine --Compute--> worker threads --Computed--\
//!    ^                    |  ^  |--Account--> store ------------Accounted----+--> mailbox --> task
//!    +-------Send---------+  |  '--Present--> watch: whoever asks who is here
//!                            '-- Registrar (changed), timer, WifiHandle (kick, counters)
//! ```

mod handle;
mod mailbox;
mod sockets;
mod task;
mod workers;

pub use handle::{SessionView, WifiHandle};
pub(super) use mailbox::Post;

use super::radsec::{self, Line};
use crate::shell::Shell;
use engine::Context;
use engine::wifi::{ConnectionId, Input, WifiEngine};
use host::poll::Bell;
use mailbox::{Mailbox, Ways};
use policy::access_point::ClientCertificate;
use proto::eap::EapSettings;
use sockets::Sockets;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use task::Task;
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::Handle;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{oneshot, watch};
use workers::Workers;

/// What the RadSec port tells the engine's thread.
pub(super) enum Told {
    Connected {
        line: Line,
        connection: ConnectionId,
        from: SocketAddr,
        certificate: ClientCertificate,
    },
    Engine(Input),
    /// There was no place for a connection.
    ConnectionShed,
}

/// RadSec's listener, and the TLS that it asks for.
pub struct RadSecPort {
    pub listener: TcpListener,
    pub tls: Arc<rustls::ServerConfig>,
}

/// Serves RADIUS on these sockets until the daemon stops. Sessions that were open at the last stop go on.
///
/// # Errors
/// The third socket cannot be bound, the open sessions cannot be read, or no thread can be started.
pub async fn spawn(
    shell: Shell,
    eap: Arc<EapSettings>,
    auth: UdpSocket,
    acct: UdpSocket,
    radsec: Option<RadSecPort>,
) -> io::Result<WifiHandle> {
    let dynamic = UdpSocket::bind((auth.local_addr()?.ip(), 0)).await?;
    let sockets = Sockets::new(auth.into_std()?, acct.into_std()?, dynamic.into_std()?)?;
    let store = Arc::clone(&shell.store);
    let load = move || Ok::<_, store::StoreError>((store.load_open_sessions()?, store.load_known_devices()?));
    let loaded = tokio::task::spawn_blocking(load).await.map_err(io::Error::other)?;
    let (open, known) = loaded.map_err(io::Error::other)?;
    let (mailbox, Ways { returned, told, questions }) = Mailbox::new()?;
    let workers = Workers::start(&returned)?;

    ring_on_change(shell.clone(), Arc::clone(&mailbox.bell));
    let snapshot = shell.registrar.snapshot();
    let now = shell.clock.now();
    let mut engine =
        WifiEngine::new(&mut Context { snapshot: &snapshot, now, entropy: &mut host::OsEntropy }, eap, open);
    engine.trust(known);
    let (presence, present) = watch::channel(Arc::default());
    if let Some(RadSecPort { listener, tls }) = radsec {
        tokio::spawn(radsec::listen(shell.clone(), listener, tls, told));
    }
    let task = Task {
        shell: shell.clone(),
        engine,
        snapshot,
        sockets,
        mailbox,
        waiting: VecDeque::new(),
        lines: BTreeMap::new(),
        lines_shed: 0,
        workers,
        returned,
        presence,
        runtime: Handle::current(),
    };
    let (running, ended) = oneshot::channel::<()>();
    thread::Builder::new().name("radius".into()).spawn(move || {
        let _running = running; // dropped at the end, be it a panic
        if let Err(error) = task.run() {
            tracing::error!(%error, "RADIUS cannot wait for its sockets");
        }
    })?;
    shell.run_vital("Wi-Fi", async move { drop(ended.await) });
    Ok(WifiHandle { shell, presence: present, questions })
}

/// Has the engine's thread look up when there is a newer snapshot, and when the daemon stops.
fn ring_on_change(shell: Shell, bell: Arc<Bell>) {
    let mut changed = shell.registrar.changed();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = shell.stopped() => break,
                // Whether it lagged or not, the thread looks at the newest only.
                change = changed.recv() => match change {
                    Ok(_) | Err(RecvError::Lagged(_)) => bell.ring(),
                    Err(RecvError::Closed) => break,
                },
            }
        }
        bell.ring();
    });
}
