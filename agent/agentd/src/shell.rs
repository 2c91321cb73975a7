//! What every task of the daemon is given: the newest snapshot and the way to change it, history, time, the store.

use crate::recorder::Recorder;
use crate::registrar::Registrar;
use std::path::PathBuf;
use std::sync::Arc;
use store::Store;
use tokio::sync::watch;
use values::Mono;

/// Cheap to clone; one a task.
#[derive(Clone)]
pub struct Shell {
    pub registrar: Registrar,
    pub recorder: Recorder,
    pub clock: Arc<host::Clock>,
    pub store: Arc<Store>,
    /// The data folder.
    pub data: PathBuf,
    /// Becomes true once, when the daemon stops.
    pub stopping: watch::Receiver<bool>,
}

impl Shell {
    /// Returns when the daemon stops.
    pub async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        // An error means that the sender is gone, which is stopping too.
        let _ = stopping.wait_for(|&stop| stop).await;
    }

    /// Sleeps until an engine's timer is due; for ever when there is none.
    pub async fn sleep_until(&self, due: Option<Mono>) {
        match due {
            Some(due) => tokio::time::sleep_until(self.clock.instant(due).into()).await,
            None => std::future::pending().await,
        }
    }
}
