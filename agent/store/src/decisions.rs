//! Decisions on their way into events.db. They lie here until a step of the writer takes all of them: what a transaction asks of
//! SQLite once is then asked once for many rows.

use crate::EVENTS_QUEUE_MAX;
use crate::error::StoreError;
use policy::Record;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub(crate) struct Decisions {
    waiting: Mutex<Vec<Record>>,
    /// Of the batch that the writer has.
    taken: AtomicUsize,
    dropped: AtomicU64,
}

impl Decisions {
    /// How many wait now, this one among them. None when it was dropped: too many do.
    pub fn put(&self, record: Record) -> Option<usize> {
        let mut waiting = self.lock();
        if waiting.len() >= EVENTS_QUEUE_MAX {
            drop(waiting);
            self.drop_some(1);
            return None;
        }
        waiting.push(record);
        Some(waiting.len())
    }

    /// For the writer, which then says what became of them.
    pub fn take(&self) -> Vec<Record> {
        let batch = std::mem::take(&mut *self.lock());
        self.taken.fetch_add(batch.len(), Ordering::Relaxed);
        batch
    }

    /// What became of all that was taken, or of what nobody will take any more.
    pub fn written(&self, outcome: Result<(), StoreError>) {
        let taken = self.taken.swap(0, Ordering::Relaxed);
        let Err(error) = outcome else { return };
        let left = match error {
            // The step never ran: what it was to take lies here, and no other is asked for while it does.
            StoreError::Busy | StoreError::Stopped => std::mem::take(&mut *self.lock()).len(),
            StoreError::Full
            | StoreError::Locked
            | StoreError::InUse
            | StoreError::Duplicate { .. }
            | StoreError::Newer { .. }
            | StoreError::Corrupt { .. }
            | StoreError::WrongKey
            | StoreError::KeyMissing
            | StoreError::OldSqlite { .. }
            | StoreError::Io { .. }
            | StoreError::Sql { .. } => 0,
        };
        let lost = taken + left;
        if lost > 0 && self.drop_some(lost as u64) {
            tracing::warn!(%error, "events are being dropped");
        }
    }

    /// True when they are the first.
    pub fn drop_some(&self, count: u64) -> bool {
        self.dropped.fetch_add(count, Ordering::Relaxed) == 0
    }

    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::{Noun, Outcome};
    use values::{EventId, Timestamp};

    fn refusal() -> Record {
        Record::new(EventId::from_random([1; 16]), Timestamp(0), Noun::Wifi, Outcome::Refused, "wrong-key", "No.")
    }

    #[test]
    fn they_are_bounded_and_what_is_dropped_is_counted() {
        let decisions = Decisions::default();
        for n in 1..=EVENTS_QUEUE_MAX {
            assert_eq!(decisions.put(refusal()), Some(n));
        }
        assert_eq!((decisions.put(refusal()), decisions.dropped()), (None, 1));
        assert_eq!(decisions.take().len(), EVENTS_QUEUE_MAX);
        decisions.written(Ok(()));
        assert_eq!((decisions.put(refusal()), decisions.dropped()), (Some(1), 1), "the next batch begins");
    }

    #[test]
    fn a_batch_that_failed_is_counted_and_what_came_since_is_not() {
        let decisions = Decisions::default();
        (0..3).for_each(|_| assert!(decisions.put(refusal()).is_some()));
        assert_eq!(decisions.take().len(), 3);
        assert_eq!(decisions.put(refusal()), Some(1));
        decisions.written(Err(StoreError::Full));
        assert_eq!(decisions.dropped(), 3);
        assert_eq!(decisions.take().len(), 1);
    }

    #[test]
    fn what_the_writer_did_not_take_in_is_dropped_or_nobody_would_ever_ask_for_it() {
        let decisions = Decisions::default();
        assert_eq!(decisions.put(refusal()), Some(1));
        decisions.written(Err(StoreError::Busy));
        assert_eq!(decisions.dropped(), 1);
        assert_eq!(decisions.put(refusal()), Some(1), "the first of a batch again");
    }
}
