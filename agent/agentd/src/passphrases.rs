//! Working out what passphrases become on each SSID. It takes milliseconds a key, so it is done when a passphrase is issued, and
//! behind everybody's back when the site file names a further SSID; never on the threads that answer the network, and never
//! while a device waits.

use crate::shell::Shell;
use policy::wifi::device::{Unprepared, unprepared};
use policy::{Actor, Command, Reason};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use values::Secret;

/// Changes come in bursts (an import, a new site file); one look after them is enough.
const SETTLE: Duration = Duration::from_secs(1);
/// When the disk is full there is no hurry.
const RETRY: Duration = Duration::from_secs(60);

/// What each SSID makes of a passphrase.
pub type Pmks = BTreeMap<String, Secret<[u8; 32]>>;

/// Works out a passphrase's keys.
///
/// # Errors
/// The daemon stops.
pub async fn pmks(passphrase: Secret<String>, ssids: Vec<String>) -> Result<Pmks, Reason> {
    let work = move || -> Pmks {
        let pmk = |ssid: &str| proto::wpa::pmk(passphrase.expose(), ssid.as_bytes());
        ssids.into_iter().map(|ssid| (ssid.clone(), pmk(&ssid))).collect()
    };
    let stopped = |_| Reason::StorageFailed { what: "the box is stopping".into() };
    tokio::task::spawn_blocking(work).await.map_err(stopped)
}

/// Adds the keys that passphrases lack, until the daemon stops.
pub async fn prepare(shell: Shell) {
    let mut changed = shell.registrar.changed();
    loop {
        let wait = match prepare_all(&shell).await {
            Ok(()) => None,
            Err(reason) => {
                tracing::warn!(%reason, "a passphrase could not be prepared for a network");
                Some(RETRY)
            }
        };
        tokio::select! {
            () = shell.stopped() => return,
            received = changed.recv(), if wait.is_none() => match received {
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
        }
        tokio::select! {
            () = shell.stopped() => return,
            () = tokio::time::sleep(SETTLE) => {}
        }
    }
}

async fn prepare_all(shell: &Shell) -> Result<(), Reason> {
    for Unprepared { credential, passphrase, ssids } in unprepared(&shell.registrar.snapshot()) {
        if *shell.stopping.borrow() {
            return Ok(());
        }
        let pmks = pmks(passphrase, ssids).await?;
        match shell.registrar.submit(Actor::System, Command::AddPassphraseKeys { credential, pmks }).await {
            Ok(_) | Err(Reason::AlreadySo { .. } | Reason::UnknownCredential) => {}
            Err(reason) => return Err(reason),
        }
    }
    Ok(())
}
