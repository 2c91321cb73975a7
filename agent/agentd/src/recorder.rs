//! Where history goes: into events.db by the store's own queue, and to everybody who watches the event stream.

use policy::{Outcome, Record};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use store::Store;
use tokio::sync::broadcast;

/// Records that a slow watcher of the stream may lag behind; then it is told to read the missing ones by query.
const STREAM_BUFFERED: usize = 512;

/// A line of the log; its level has to be known when this is compiled.
macro_rules! log_at {
    ($level:expr, $record:expr) => {
        tracing::event!(
            $level,
            noun = ?$record.noun,
            outcome = ?$record.outcome,
            code = %$record.code,
            place = $record.place.as_deref(),
            member = $record.member.map(tracing::field::display),
            "{}",
            $record.sentence
        )
    };
}

/// Takes records and never blocks.
#[derive(Clone)]
pub struct Recorder {
    store: Arc<Store>,
    stream: broadcast::Sender<Arc<Record>>,
    refused: Arc<AtomicU64>,
}

impl Recorder {
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self { store, stream: broadcast::channel(STREAM_BUFFERED).0, refused: Arc::default() }
    }

    /// Writes a decision down and shows it. When the disk fails it is still shown, and counted as dropped by the store.
    pub fn record(&self, record: Record) {
        match record.outcome {
            // Most of all that happens, and nobody looks into a log because of it: history has it.
            Outcome::Allowed => log_at!(tracing::Level::DEBUG, record),
            Outcome::Refused | Outcome::Noted | Outcome::Warning => log_at!(tracing::Level::INFO, record),
        }
        if record.outcome == Outcome::Refused {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        self.announce(&record);
        self.store.record(record);
    }

    /// Shows a record that was written down elsewhere: the audit row of a command.
    pub fn announce(&self, record: &Record) {
        let _ = self.stream.send(Arc::new(record.clone())); // nobody watching is fine
    }

    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Record>> {
        self.stream.subscribe()
    }

    /// Refusals since the start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
