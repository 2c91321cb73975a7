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
    /// Told when a task ends that the box cannot work without.
    pub lost: watch::Sender<Option<&'static str>>,
}

impl Shell {
    /// Runs a task that the box cannot work without. When it ends before the daemon stops, which only a fault can cause, the
    /// daemon ends too and is started afresh: better out for a second than up with nobody behind the counter.
    pub fn run_vital(&self, what: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let running = tokio::spawn(task);
        let (mut stopping, lost) = (self.stopping.clone(), self.lost.clone());
        tokio::spawn(async move {
            let ended = tokio::select! {
                _ = stopping.wait_for(|&stop| stop) => return,
                ended = running => ended,
            };
            // The task may have heard that the daemon stops before this one did: waiters are woken after the value has changed.
            if !*stopping.borrow() {
                tracing::error!(what, panicked = ended.is_err(), "a task ended that the box cannot work without");
                lost.send_replace(Some(what));
            }
        });
    }

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
