//! One thread that owns the one write connection of a database. Steps that wait in its queue share a transaction, and so the
//! cost of one sync; each runs in a savepoint of its own, so one that is refused takes nothing else with it.
//!
//! ```text
//! queue --> BEGIN IMMEDIATE --> (SAVEPOINT, step, RELEASE | ROLLBACK TO)* --> COMMIT --> every `done` is called
//! ```
//! It knows nothing of what the steps write.

use crate::anchor::Anchor;
use crate::error::StoreError;
use crate::queue::{Queue, Refusal, Taken};
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// A step in the queue.
struct Queued {
    step: Box<dyn Step>,
    urgency: Urgency,
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
    queue: Arc<Queue<Queued>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    pub fn spawn(name: &str, db: Connection, pace: Pace, anchor: Anchor) -> Result<Self, StoreError> {
        let queue = Arc::new(Queue::new(pace.queue_max));
        let commits = Arc::<AtomicU64>::default();
        let mut desk = Desk { db, pace, anchor, anchored_at: Instant::now(), commits: Arc::clone(&commits) };
        let steps = Steps(Arc::clone(&queue));
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || desk.serve(&steps))
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
        let Err((refused, why)) = self.queue.put(Queued { step, urgency }, urgency != Urgency::Batched) else {
            return true;
        };
        refused.step.finish(Err(match why {
            Refusal::Full => StoreError::Busy,
            Refusal::Closed => StoreError::Stopped,
        }));
        false
    }

    /// Writes what is queued, then ends the thread. A second call does nothing.
    pub fn close(&self) {
        self.queue.close();
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// The thread's end of the queue. When the thread ends, be it by a panic, whoever still waits is told.
struct Steps(Arc<Queue<Queued>>);

impl Drop for Steps {
    fn drop(&mut self) {
        self.0.close();
        let Taken { batch, .. } = self.0.take(usize::MAX, Duration::ZERO, Duration::ZERO);
        batch.into_iter().for_each(|queued| queued.step.finish(Err(StoreError::Stopped)));
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

impl Desk {
    fn serve(&mut self, steps: &Steps) {
        loop {
            let Taken { batch, ended } = steps.0.take(self.pace.group_max, self.pace.linger, self.pace.anchor_every);
            let scrub = batch.iter().any(|queued| queued.urgency == Urgency::Scrub);
            self.write(batch.into_iter().map(|queued| queued.step).collect(), scrub);
            if ended {
                break;
            }
            if self.anchored_at.elapsed() >= self.pace.anchor_every {
                self.drop_anchor("PASSIVE");
            }
        }
        self.drop_anchor("TRUNCATE");
    }

    /// Commits the steps in order. What SQLite itself rolled back (a full disk can do that in the middle) is reported to
    /// all whom it concerns, and the rest is tried in a new transaction.
    fn write(&mut self, steps: Vec<Box<dyn Step>>, scrub: bool) {
        let mut waiting = steps.into_iter();
        let mut written: Vec<Box<dyn Step>> = Vec::new();
        while waiting.len() > 0 {
            if let Err(error) = run(&self.db, "BEGIN IMMEDIATE") {
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
            let outcome = run(&self.db, "COMMIT");
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

impl std::fmt::Debug for Queued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queued").field("urgency", &self.urgency).finish_non_exhaustive()
    }
}

fn in_savepoint(db: &Connection, step: &mut dyn Step) -> Result<(), StoreError> {
    run(db, "SAVEPOINT step")?;
    let outcome = step.run(db).and_then(|()| run(db, "RELEASE step"));
    if outcome.is_err() && !db.is_autocommit() && db.execute_batch("ROLLBACK TO step; RELEASE step").is_err() {
        // Half a step must not be committed with the others: give the whole transaction up.
        let _ = db.execute_batch("ROLLBACK");
    }
    outcome
}

/// A statement without values, which is not parsed anew each time.
fn run(db: &Connection, sql: &str) -> Result<(), StoreError> {
    db.prepare_cached(sql)?.execute([])?;
    Ok(())
}
