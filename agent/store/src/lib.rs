//! What Doorpost remembers: core.db (changes, ledger, sessions; on the disk before it is acknowledged), events.db (decisions;
//! batched), intents.ring (door attempts), each readable by [`verify`].
//!
//! The store decides nothing. It is told what is so from now on and writes it down, or says why it could not; a refusal
//! changes neither the files nor anything in memory. Writes go to one thread a database and are answered by a callback;
//! reads run on the caller's thread, on connections of their own.

mod access_point;
mod anchor;
mod apply;
mod audit;
mod connection;
mod decisions;
mod error;
mod history;
mod intents;
mod people;
mod print;
mod queue;
mod room;
mod seal;
mod site;
mod start;
#[cfg(test)]
mod tests;
mod verify;
mod wifi;
mod writer;

pub use apply::Transaction;
pub use audit::Event;
pub use error::StoreError;
pub use history::{Cursor, EventFilter, Retention};
pub use intents::IntentsRing;
pub use print::AccountMismatch;
pub use seal::SealingKey;
pub use site::SiteGeneration;
pub use verify::{Finding, VerifyReport, verify};

use anchor::{ANCHOR_EVERY, Anchor};
use audit::Chain;
use connection::{CORE, EVENTS, Readers};
use decisions::Decisions;
use policy::snapshot::Loaded;
use policy::{Record, SessionRow, print::JobRecord};
use room::Room;
use start::Started;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use values::{CredentialId, MacAddress, MemberId, Secret, Timestamp};
use writer::{Pace, Urgency, Writer};

/// Steps that share one sync at most; beyond some dozens the sync is no longer what costs.
const CORE_GROUP_MAX: usize = 64;
/// Writes that may wait: some seconds of a busy box on a slow SD card. More are refused, and said so.
const CORE_QUEUE_MAX: usize = 1_024;
/// A batch of events that is written without waiting for more, and how long its first one waits (DESIGN 6).
const EVENTS_BATCH: usize = 256;
const EVENTS_LINGER: Duration = Duration::from_secs(1);
/// Events that may wait: ten seconds at 400 a second, some 4 MiB. More are dropped and counted.
const EVENTS_QUEUE_MAX: usize = 4_096;
/// Steps that may wait for events.db: one or two for events, and what operators and retention want.
const EVENTS_STEPS_MAX: usize = 256;
/// Both databases of a data folder, open for this process alone.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    key: Arc<SealingKey>,
    core: Writer,
    events: Arc<Writer>,
    core_readers: Readers,
    events_readers: Readers,
    decisions: Arc<Decisions>,
    room: Arc<Room>,
    /// Held for as long as the store is open; the kernel lets go of it when the process dies.
    _lock: File,
}

impl Store {
    /// Opens the data folder, which must exist, brings both schemas up to date and reads all policy state.
    ///
    /// # Errors
    /// `InUse`, `Newer`, `WrongKey`, `OldSqlite`, `Corrupt`, or what the file system says. A damaged events.db is put aside
    /// and begun anew: decisions must not stop for the lack of their history.
    pub fn open(dir: &Path, key: SealingKey) -> Result<(Self, Loaded), StoreError> {
        let Started { lock, core, events, loaded } = start::start(dir, &key)?;
        let core_pace = Pace {
            queue_max: CORE_QUEUE_MAX,
            group_max: CORE_GROUP_MAX,
            linger: Duration::ZERO,
            anchor_every: ANCHOR_EVERY,
        };
        let events_pace = Pace {
            queue_max: EVENTS_STEPS_MAX,
            group_max: EVENTS_STEPS_MAX,
            linger: EVENTS_LINGER,
            anchor_every: ANCHOR_EVERY,
        };
        let store = Self {
            dir: dir.to_owned(),
            key: Arc::new(key),
            core: Writer::spawn("store-core", core, core_pace, Anchor::new(Chain::Core, dir))?,
            events: Arc::new(Writer::spawn("store-events", events, events_pace, Anchor::new(Chain::Events, dir))?),
            core_readers: Readers::new(CORE, dir.to_owned()),
            events_readers: Readers::new(EVENTS, dir.to_owned()),
            decisions: Arc::default(),
            room: Arc::default(),
            _lock: lock,
        };
        Ok((store, loaded))
    }

    /// Writes what is queued, empties the logs, anchors the chains and marks a clean stop. Later writes are refused.
    pub fn close(&self) {
        self.core_readers.close();
        self.events_readers.close();
        self.core.submit(
            Urgency::Now,
            |db| Ok(db.execute("UPDATE box SET was_closed = 1 WHERE id = 1", [])?),
            |outcome| match outcome {
                Ok(_) | Err(StoreError::Stopped) => {} // written down now, or by the call that closed the store
                Err(error) => {
                    tracing::warn!(%error, "the clean stop could not be written down; the next start checks core.db");
                }
            },
        );
        self.core.close();
        self.events.close();
    }

    /// Commits changes with their audit rows in one transaction; `done` gets the new generation. See [`Transaction`].
    pub fn apply(&self, transaction: Transaction, done: impl FnOnce(Result<u64, StoreError>) + Send + 'static) {
        let key = Arc::clone(&self.key);
        self.core.submit(Urgency::Now, move |db| apply::apply(db, &key, &transaction), done);
    }

    /// Commits several transactions in order, all or none: each may build on the ones before.
    pub fn apply_all(
        &self,
        transactions: Vec<Transaction>,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) {
        let key = Arc::clone(&self.key);
        let apply = move |db: &rusqlite::Connection| {
            transactions.iter().try_for_each(|transaction| apply::apply(db, &key, transaction).map(drop))
        };
        self.core.submit(Urgency::Now, apply, done);
    }

    /// [`Store::apply`], waiting for the disk.
    ///
    /// # Errors
    /// What prevented the commit.
    pub fn apply_blocking(&self, transaction: Transaction) -> Result<u64, StoreError> {
        wait(|done| self.apply(transaction, done))
    }

    /// Writes a session as it is now; an access point is answered only after `done` says so.
    pub fn save_session(&self, session: SessionRow, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        self.core.submit(Urgency::Now, move |db| wifi::save_session(db, &session), done);
    }

    /// Writes several sessions as they are now, all or none: one report of an access point can change more than one.
    pub fn save_sessions(&self, sessions: Vec<SessionRow>, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        let save =
            move |db: &rusqlite::Connection| sessions.iter().try_for_each(|session| wifi::save_session(db, session));
        self.core.submit(Urgency::Now, save, done);
    }

    /// Sessions that have not ended, oldest first.
    ///
    /// # Errors
    /// What prevented the read.
    pub fn load_open_sessions(&self) -> Result<Vec<SessionRow>, StoreError> {
        self.core_readers.with(wifi::load_open)
    }

    /// The newest sessions, ended ones included.
    ///
    /// # Errors
    /// What prevented the read.
    pub fn query_sessions(&self, member: Option<MemberId>, limit: u32) -> Result<Vec<SessionRow>, StoreError> {
        self.core_readers.with(|db| wifi::newest(db, member, limit))
    }

    /// Writes a print job as it is now; the last write of a job wins.
    pub fn save_job(&self, job: JobRecord, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        self.core.submit(Urgency::Now, move |db| print::save_job(db, &job), done);
    }

    /// All jobs that are not final, and the newest 1,000 of the others, oldest first.
    ///
    /// # Errors
    /// What prevented the read.
    pub fn load_jobs(&self) -> Result<Vec<JobRecord>, StoreError> {
        self.core_readers.with(print::load_jobs)
    }

    /// Accounts that are not what their ledger rows add up to; none is how it should be.
    ///
    /// # Errors
    /// What prevented the read.
    pub fn recompute_accounts(&self) -> Result<Vec<AccountMismatch>, StoreError> {
        self.core_readers.with(|db| Ok(print::recompute(db)?.1))
    }

    /// Keeps the text of a generation of the site file, for its history and for rolling back.
    pub fn save_site_text(
        &self,
        generation: u64,
        text: String,
        at: Timestamp,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) {
        self.core.submit(Urgency::Now, move |db| site::save_text(db, generation, &text, at), done);
    }

    /// Generations of the site file, newest first.
    ///
    /// # Errors
    /// What prevented the read.
    pub fn site_history(&self, limit: u32) -> Result<Vec<SiteGeneration>, StoreError> {
        self.core_readers.with(|db| site::history(db, limit))
    }

    /// Seals a value under the name by which the site file refers to it.
    pub fn put_secret(
        &self,
        name: String,
        value: Secret<Vec<u8>>,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) {
        let key = Arc::clone(&self.key);
        self.core.submit(Urgency::Now, move |db| people::put_secret(db, &key, &name, value.expose()), done);
    }

    /// # Errors
    /// What prevented the read; `WrongKey` when the value was sealed under another key or moved here from elsewhere.
    pub fn secret(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
        self.core_readers.with(|db| people::secret(db, &self.key, name))
    }

    /// Queues a decision for events.db without ever waiting. False when it was dropped at once; a batch that fails later is
    /// counted in [`Store::events_dropped`] as well.
    pub fn record(&self, record: Record) -> bool {
        if self.room.is_closed.load(Ordering::Relaxed) {
            self.decisions.drop_some(1);
            return false;
        }
        let Some(waiting) = self.decisions.put(record) else { return false };
        // The first one has a step that writes all that lie there when it runs; whoever fills a batch does not let it wait.
        match waiting {
            1 => self.write_decisions(Urgency::Batched),
            EVENTS_BATCH => self.write_decisions(Urgency::Now),
            _ => {}
        }
        true
    }

    fn write_decisions(&self, urgency: Urgency) {
        let (decisions, room) = (Arc::clone(&self.decisions), Arc::clone(&self.room));
        let done = Arc::clone(&self.decisions);
        self.events.submit(
            urgency,
            move |db| {
                let batch = decisions.take();
                audit::append_all(db, Chain::Events, &batch, |appended| room.keep_within(db, appended))
            },
            move |outcome| done.written(outcome),
        );
    }

    /// Decisions that were taken and not written down, since the start.
    #[must_use]
    pub fn events_dropped(&self) -> u64 {
        self.decisions.dropped()
    }

    /// Stops recording decisions, or takes it up again: while the disk is nearly full, its last room is for what must be
    /// written down. They are counted as dropped meanwhile.
    pub fn close_events(&self, is_closed: bool) {
        if self.room.is_closed.swap(is_closed, Ordering::Relaxed) != is_closed {
            if is_closed {
                tracing::warn!("the disk is nearly full; no more history is recorded");
            } else {
                tracing::info!("there is room on the disk again; history is recorded");
            }
        }
    }

    /// Decisions that were removed before their retention time because events.db had its full size, since the start.
    #[must_use]
    pub fn events_forgotten(&self) -> u64 {
        self.room.forgotten.load(Ordering::Relaxed)
    }

    /// Transactions that were committed to core.db, since the start: each is one sync, whatever it holds.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.core.commits()
    }

    /// Which devices have been on the Wi-Fi by which credential, within the retention time of sessions.
    ///
    /// # Errors
    /// What prevented the read.
    pub fn load_known_devices(&self) -> Result<Vec<(CredentialId, MacAddress)>, StoreError> {
        self.core_readers.with(wifi::load_known_devices)
    }

    /// Waits until what was recorded before is committed, or was dropped.
    pub fn flush_events(&self) {
        let _ = wait(|done| {
            self.events.submit(Urgency::Now, |_| Ok(()), done);
        });
    }

    /// The folder that this store keeps.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

/// Runs an answered-by-callback write and waits for the answer.
fn wait<T: Send + 'static>(
    submit: impl FnOnce(Box<dyn FnOnce(Result<T, StoreError>) + Send>),
) -> Result<T, StoreError> {
    let (answer, answered) = sync_channel(1);
    submit(Box::new(move |outcome| {
        // Only fails when nobody waits any more.
        let _ = answer.send(outcome);
    }));
    answered.recv().unwrap_or(Err(StoreError::Stopped))
}
