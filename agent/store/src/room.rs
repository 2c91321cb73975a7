//! How much of the disk history may take. Commands, accounting and doors share the disk with it, so whoever makes many rows of
//! history must not be able to stop them: the oldest rows go before their time when the file has its full size, and nothing is
//! recorded while the disk itself is nearly full. Both are counted.

use crate::error::StoreError;
use rusqlite::{Connection, params};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What events.db may hold, indices included: some 800,000 rows, which are 400 days of a busy site of a hundred members.
const EVENTS_MAX_BYTES: u64 = 1024 * 1024 * 1024;
/// How often a writer looks whether it is too much: a look costs two reads of the file's header.
const LOOK_EVERY_ROWS: i64 = 256;
/// Rows that go at once when it is: more than come between two looks, and deleted within some tens of milliseconds.
const GO_AT_ONCE_ROWS: i64 = 1_024;

#[derive(Debug)]
pub(crate) struct Room {
    max_bytes: AtomicU64,
    /// The disk is nearly full.
    pub(crate) is_closed: AtomicBool,
    /// Rows that went before their time.
    pub(crate) forgotten: AtomicU64,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            max_bytes: AtomicU64::new(EVENTS_MAX_BYTES),
            is_closed: AtomicBool::new(false),
            forgotten: AtomicU64::new(0),
        }
    }
}

impl Room {
    #[cfg(test)]
    pub(crate) fn set_max_bytes(&self, bytes: u64) {
        self.max_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Makes room after a row was appended, if it is time to look. The chain can lose its first rows, not some in the middle,
    /// so it is the oldest that go, whatever they say.
    pub(crate) fn keep_within(&self, db: &Connection, appended: i64) -> Result<(), StoreError> {
        if appended % LOOK_EVERY_ROWS != 0 || used_bytes(db)? <= self.max_bytes.load(Ordering::Relaxed) {
            return Ok(());
        }
        let first: i64 = db.query_row("SELECT min(seq) FROM audit", [], |row| row.get(0))?;
        let last = (first + GO_AT_ONCE_ROWS - 1).min(appended - 1);
        db.execute(
            "UPDATE audit_base SET (seq, hash) = (SELECT seq, hash FROM audit WHERE seq = ?1) WHERE id = 1
                AND EXISTS (SELECT 1 FROM audit WHERE seq = ?1)",
            [last],
        )?;
        let gone = db.execute("DELETE FROM audit WHERE seq <= ?1", params![last])?;
        self.forgotten.fetch_add(gone as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// What the file holds, without the pages that were freed and wait for new rows.
fn used_bytes(db: &Connection) -> Result<u64, StoreError> {
    let pragma = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    Ok(u64::try_from(pages.saturating_mul(pragma("page_size")?)).unwrap_or(0))
}
