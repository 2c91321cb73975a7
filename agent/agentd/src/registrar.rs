//! The one task that owns the [`Snapshot`]: it applies commands to the newest one, commits, swaps, replies.
//!
//! Commands queue (bounded). Those that wait when the one before is done are decided one after the other, each against the
//! snapshot that the one before would leave, and committed together: the disk is waited for once. Until then nobody sees any
//! of it. If that fails, each of them is decided anew and committed by itself: none is refused for another's fault, and none
//! rests on one that never was.

use policy::apply::Planned;
use policy::{Actor, Change, Command, Reason, Record, Snapshot};
use std::sync::{Arc, RwLock};
use store::{Store, Transaction};
use tokio::sync::{broadcast, mpsc, oneshot};
use values::Now;

use crate::recorder::Recorder;

/// Commands that may wait; beyond it a caller waits for a place, and the HTTP layer's own limits shed.
const QUEUE_MAX: usize = 256;
/// Commands that are committed together at most: beyond some dozens the disk is no longer what costs, and each waits for all.
const GROUP_MAX: usize = 64;
/// Snapshots that a slow engine may lag behind before it is told to look at the newest only.
const CHANGES_BUFFERED: usize = 64;

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Committed {
    /// As this command left it; the ones that were committed with it may have gone on from there.
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
            let mut waiting = Vec::with_capacity(GROUP_MAX);
            while inbox.recv_many(&mut waiting, GROUP_MAX).await > 0 {
                let group = Group::decide(owner.snapshot(), std::mem::take(&mut waiting), clock.now());
                for request in owner.commit(group, &store, &recorder).await {
                    let alone = Group::decide(owner.snapshot(), vec![request], clock.now());
                    owner.commit(alone, &store, &recorder).await;
                }
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

    /// Commits what was decided, lets everybody see it, and answers. What comes back was not: more than one was
    /// asked for, and they could not be written together.
    async fn commit(&self, group: Group, store: &Store, recorder: &Recorder) -> Vec<Request> {
        let Group { first, newest, transactions, records, requests, results } = group;
        let count = transactions.len();
        let written = if count == 0 { Ok(()) } else { written(store, transactions).await };
        if let Err(reason) = written {
            if requests.len() > 1 {
                return requests;
            }
            requests.into_iter().for_each(|request| request.answer(Err(reason.clone())));
            return Vec::new();
        }
        if count > 0 {
            *self.newest.write().unwrap_or_else(std::sync::PoisonError::into_inner) = newest;
            let _ = self.changed.send(first); // nobody listening is fine
            records.iter().for_each(|record| recorder.announce(record));
        }
        requests.into_iter().zip(results).for_each(|(request, result)| request.answer(result));
        Vec::new()
    }
}

impl Request {
    fn answer(self, result: Result<Committed, Reason>) {
        let _ = self.reply.send(result); // the asker may have gone; what was committed stays
    }
}

/// Commands that were decided and are to be committed together.
struct Group {
    first: Arc<Snapshot>,
    newest: Arc<Snapshot>,
    transactions: Vec<Transaction>,
    records: Vec<Record>,
    requests: Vec<Request>,
    /// One a request.
    results: Vec<Result<Committed, Reason>>,
}

impl Group {
    fn decide(first: Arc<Snapshot>, requests: Vec<Request>, now: Now) -> Self {
        let newest = Arc::clone(&first);
        let mut group = Self {
            first,
            newest,
            transactions: Vec::new(),
            records: Vec::new(),
            requests: Vec::new(),
            results: Vec::with_capacity(requests.len()),
        };
        for &Request { actor, ref command, .. } in &requests {
            let planned = policy::apply::plan(&group.newest, actor, command.clone(), now, &mut host::OsEntropy);
            let result = planned.map(|planned| group.add(actor, planned, now));
            group.results.push(result);
        }
        group.requests = requests;
        group
    }

    fn add(&mut self, actor: Actor, Planned { changes, record }: Planned, now: Now) -> Committed {
        self.newest = Arc::new(self.newest.with(&changes));
        let audit = vec![record.clone()];
        self.transactions.push(Transaction { changes: changes.clone(), audit, actor, at: now.stamp() });
        self.records.push(record);
        Committed { snapshot: Arc::clone(&self.newest), changes }
    }
}

/// Waits until all of it is durable.
async fn written(store: &Store, transactions: Vec<Transaction>) -> Result<(), Reason> {
    let (done, committed) = oneshot::channel();
    store.apply_all(transactions, move |result| {
        let _ = done.send(result); // the Registrar's task may have been dropped
    });
    match committed.await {
        Ok(result) => result.map_err(|error| error.reason()),
        Err(_) => Err(Reason::StorageFailed { what: "the store has stopped".into() }),
    }
}

#[cfg(test)]
mod tests;
