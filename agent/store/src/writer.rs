//! One thread that owns the one write connection of a database. Steps that wait in its queue share a transaction, and so the
//! cost of one sync; each runs in a savepoint of its own, so one that is refused takes nothing else with it.
//!
//! ```text
//! queue --> BEGIN IMMEDIATE --> (SAVEPOINT, step, RELEASE | ROLLBACK TO)* --> COMMIT --> every `done` is called
//! ```
//! It knows nothing of what the steps write.

use crate::anchor::Anchor;
use crate::error::StoreError;
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Something to write and somebody who waits for it.
pub(crate) trait Step: Send {
    fn run(&mut self, db: &Connection) -> Result<(), StoreError>;
    /// Called once: after the commit, or with what prevented it.
    fn finish(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Pending<T, W, D> {
    work: Option<W>,
    value: Option<T>,
    done: D,
}

impl<T, W, D> Step for Pending<T, W, D>
where
    T: Send,
    W: FnOnce(&Connection) -> Result<T, StoreError> + Send,
    D: FnOnce(Result<T, StoreError>) + Send,
{
    fn run(&mut self, db: &Connection) -> Result<(), StoreError> {
        if let Some(work) = self.work.take() {
            self.value = Some(work(db)?);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { value, done, .. } = *self;
        done(outcome.and_then(|()| value.ok_or(StoreError::Stopped)));
    }
}

/// When a step wants to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// With the next batch.
    Batched,
    /// At once, with what else is waiting.
    Now,
    /// At once, and the write-ahead log is emptied afterwards: what was deleted must not be readable there.
    Scrub,
}

enum Message {
    Step(Box<dyn Step>, Urgency),
    Stop,
}

/// How a writer collects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub queue_max: usize,
    pub group_max: usize,
    /// How long the first step of a batch may wait for company.
    pub linger: Duration,
    /// How often the head of the audit chain is written to the anchor file.
    pub anchor_every: Duration,
}

/// The handle to a writer thread.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    pub fn spawn(name: &str, db: Connection, pace: Pace, anchor: Anchor) -> Result<Self, StoreError> {
        let (queue, messages) = sync_channel(pace.queue_max);
        let commits = Arc::<AtomicU64>::default();
        let mut desk = Desk { db, pace, anchor, anchored_at: Instant::now(), commits: Arc::clone(&commits) };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || desk.serve(&messages))
            .map_err(|error| StoreError::Io { file: name.to_owned(), detail: error.to_string() })?;
        Ok(Self { queue, thread: Mutex::new(Some(thread)), commits })
    }

    /// Transactions that were committed.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Queues a step without waiting; `done` is called from the writer's thread, or from here when the queue takes no more,
    /// which the answer `false` says too.
    pub fn submit<T: Send + 'static>(
        &self,
        urgency: Urgency,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        done: impl FnOnce(Result<T, StoreError>) + Send + 'static,
    ) -> bool {
        let step = Box::new(Pending { work: Some(work), value: None, done });
        let (message, why) = match self.queue.try_send(Message::Step(step, urgency)) {
            Ok(()) => return true,
            Err(TrySendError::Full(message)) => (message, StoreError::Busy),
            Err(TrySendError::Disconnected(message)) => (message, StoreError::Stopped),
        };
        message.refuse(&why);
        false
    }

    /// Writes what is queued, then ends the thread. A second call does nothing.
    pub fn close(&self) {
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(thread) = thread {
            // A full queue is being emptied, so this waits; a thread that is gone needs no message.
            let _ = self.queue.send(Message::Stop);
            let _ = thread.join();
        }
    }
}

impl Message {
    fn refuse(self, why: &StoreError) {
        match self {
            Self::Step(step, _) => step.finish(Err(why.clone())),
            Self::Stop => {}
        }
    }
}

/// The writer thread's own state.
struct Desk {
    db: Connection,
    pace: Pace,
    anchor: Anchor,
    anchored_at: Instant,
    commits: Arc<AtomicU64>,
}

/// Steps that will share a transaction.
#[derive(Default)]
struct Group {
    steps: Vec<Box<dyn Step>>,
    scrub: bool,
    stop: bool,
}

impl Desk {
    fn serve(&mut self, messages: &Receiver<Message>) {
        loop {
            let group = match messages.recv_timeout(self.pace.anchor_every) {
                Ok(first) => self.collect(first, messages),
                Err(RecvTimeoutError::Timeout) => Group::default(),
                Err(RecvTimeoutError::Disconnected) => Group { stop: true, ..Group::default() },
            };
            let Group { steps, scrub, stop } = group;
            self.write(steps, scrub);
            if stop {
                break;
            }
            if self.anchored_at.elapsed() >= self.pace.anchor_every {
                self.drop_anchor("PASSIVE");
            }
        }
        while let Ok(message) = messages.try_recv() {
            message.refuse(&StoreError::Stopped);
        }
        self.drop_anchor("TRUNCATE");
    }

    fn collect(&self, first: Message, messages: &Receiver<Message>) -> Group {
        let mut group = Group::default();
        let deadline = Instant::now() + self.pace.linger;
        let mut urgent = group.add(first);
        while group.steps.len() < self.pace.group_max && !group.stop {
            let left = deadline.saturating_duration_since(Instant::now());
            let next =
                if urgent || left.is_zero() { messages.try_recv().ok() } else { messages.recv_timeout(left).ok() };
            match next {
                Some(message) => urgent |= group.add(message),
                None => break,
            }
        }
        group
    }

    /// Commits the steps in order. What SQLite itself rolled back (a full disk can do that in the middle) is reported to
    /// all whom it concerns, and the rest is tried in a new transaction.
    fn write(&mut self, steps: Vec<Box<dyn Step>>, scrub: bool) {
        let mut waiting = steps.into_iter();
        let mut written: Vec<Box<dyn Step>> = Vec::new();
        while waiting.len() > 0 {
            if let Err(error) = self.db.execute_batch("BEGIN IMMEDIATE") {
                let error = StoreError::from(error);
                waiting.by_ref().for_each(|step| step.finish(Err(error.clone())));
                return;
            }
            for mut step in waiting.by_ref() {
                match in_savepoint(&self.db, step.as_mut()) {
                    Ok(()) => written.push(step),
                    Err(error) => {
                        let lost = self.db.is_autocommit();
                        if lost {
                            written.drain(..).for_each(|step| step.finish(Err(error.clone())));
                        }
                        step.finish(Err(error));
                        if lost {
                            break;
                        }
                    }
                }
            }
            if self.db.is_autocommit() {
                continue;
            }
            let outcome = self.db.execute_batch("COMMIT").map_err(StoreError::from);
            if outcome.is_ok() {
                self.commits.fetch_add(1, Ordering::Relaxed);
            }
            if outcome.is_err() && !self.db.is_autocommit() {
                let _ = self.db.execute_batch("ROLLBACK");
            }
            if scrub && outcome.is_ok() && !self.checkpoint("TRUNCATE") {
                tracing::warn!(
                    "the log could not be emptied; what was erased stays readable in it until the next checkpoint"
                );
            }
            written.drain(..).for_each(|step| step.finish(outcome.clone()));
        }
    }

    /// Moves the log into the file. True when all of it is there and synced.
    fn checkpoint(&self, mode: &str) -> bool {
        let moved = self.db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        matches!(moved, Ok((0, in_log, in_file)) if in_log == in_file)
    }

    /// Only what is safely in the file is anchored: an anchor ahead of the chain would look like a truncation.
    fn drop_anchor(&mut self, checkpoint: &str) {
        self.anchored_at = Instant::now();
        if self.checkpoint(checkpoint)
            && let Err(error) = self.anchor.drop_at_head(&self.db)
        {
            tracing::warn!(%error, "the audit chain's head could not be anchored");
        }
    }
}

impl Group {
    /// True when it should not wait any longer.
    fn add(&mut self, message: Message) -> bool {
        match message {
            Message::Step(step, urgency) => {
                self.steps.push(step);
                self.scrub |= urgency == Urgency::Scrub;
                urgency != Urgency::Batched
            }
            Message::Stop => {
                self.stop = true;
                true
            }
        }
    }
}

fn in_savepoint(db: &Connection, step: &mut dyn Step) -> Result<(), StoreError> {
    db.execute_batch("SAVEPOINT step")?;
    let outcome = step.run(db).and_then(|()| Ok(db.execute_batch("RELEASE step")?));
    if outcome.is_err() && !db.is_autocommit() && db.execute_batch("ROLLBACK TO step; RELEASE step").is_err() {
        // Half a step must not be committed with the others: give the whole transaction up.
        let _ = db.execute_batch("ROLLBACK");
    }
    outcome
}
