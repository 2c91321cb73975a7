//! The one task that owns the [`Snapshot`]: it applies a command to the newest one, commits, swaps, replies.
//!
//! Commands queue (bounded) and are decided one after the other, each against the snapshot that the one before left. What is
//! committed together (group commit) is the store's business.

use policy::{Actor, Change, Command, Reason, Snapshot};
use std::sync::{Arc, RwLock};
use store::{Store, Transaction};
use tokio::sync::{broadcast, mpsc, oneshot};
use values::Now;

use crate::recorder::Recorder;

/// Commands that may wait; beyond it a caller waits for a place, and the HTTP layer's own limits shed.
const QUEUE_MAX: usize = 256;
/// Snapshots that a slow engine may lag behind before it is told to look at the newest only.
const CHANGES_BUFFERED: usize = 64;

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Committed {
    pub snapshot: Arc<Snapshot>,
    pub changes: Vec<Change>,
}

struct Request {
    actor: Actor,
    command: Command,
    reply: oneshot::Sender<Result<Committed, Reason>>,
}

/// A handle on the Registrar; cheap to clone.
#[derive(Clone)]
pub struct Registrar {
    newest: Arc<RwLock<Arc<Snapshot>>>,
    requests: mpsc::Sender<Request>,
    changed: broadcast::Sender<Arc<Snapshot>>,
}

impl Registrar {
    /// A Registrar on the first snapshot, and the task that must run for it to answer.
    pub fn new(
        first: Snapshot,
        store: Arc<Store>,
        recorder: Recorder,
        clock: Arc<host::Clock>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (requests, mut inbox) = mpsc::channel::<Request>(QUEUE_MAX);
        let (changed, _) = broadcast::channel(CHANGES_BUFFERED);
        let registrar = Self { newest: Arc::new(RwLock::new(Arc::new(first))), requests, changed };
        let owner = registrar.clone();
        let task = async move {
            while let Some(Request { actor, command, reply }) = inbox.recv().await {
                let result = owner.decide_and_commit(actor, command, clock.now(), &store, &recorder).await;
                let _ = reply.send(result); // the asker may have gone; what was committed stays
            }
        };
        (registrar, task)
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.newest.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Told after each swap, with the snapshot that was the newest until then.
    #[must_use]
    pub fn changed(&self) -> broadcast::Receiver<Arc<Snapshot>> {
        self.changed.subscribe()
    }

    /// Decides a command and, if it stands, commits it; returns once it is durable.
    ///
    /// # Errors
    /// The reason why nothing was changed, `StorageFailed` among them.
    pub async fn submit(&self, actor: Actor, command: Command) -> Result<Committed, Reason> {
        let (reply, answer) = oneshot::channel();
        let stopped = || Reason::StorageFailed { what: "the box is stopping".into() };
        self.requests.send(Request { actor, command, reply }).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    async fn decide_and_commit(
        &self,
        actor: Actor,
        command: Command,
        now: Now,
        store: &Store,
        recorder: &Recorder,
    ) -> Result<Committed, Reason> {
        let old = self.snapshot();
        let planned = policy::apply::plan(&old, actor, command, now, &mut host::OsEntropy)?;
        let (done, committed) = oneshot::channel();
        let transaction = Transaction {
            changes: planned.changes.clone(),
            audit: vec![planned.record.clone()],
            actor,
            at: now.stamp(),
        };
        store.apply(transaction, move |result| {
            let _ = done.send(result);
        });
        match committed.await {
            Ok(Ok(_generation)) => {}
            Ok(Err(error)) => return Err(error.reason()),
            Err(_) => return Err(Reason::StorageFailed { what: "the store has stopped".into() }),
        }
        let snapshot = Arc::new(old.with(&planned.changes));
        *self.newest.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::clone(&snapshot);
        let _ = self.changed.send(old); // nobody listening is fine
        recorder.announce(&planned.record);
        Ok(Committed { snapshot, changes: planned.changes })
    }
}
