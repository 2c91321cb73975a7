//! Rows on their way to the disk: whoever waits for them, and what could not be written and is tried again until it is.
//!
//! The table of sessions goes on at once, so a row that was not written is known nowhere else: it is kept here, in its newest
//! version, until a write that holds it succeeds. It knows no RADIUS; when an answer may leave is RFC 2866, 2.
//!
//! ```text
//! row --write--> under way --written--> forgotten
//!                 ^  |
//!                 |  +--not written--> failed
//!                 +---- next write that it concerns, or sweep
//! ```

use super::receive::Question;
use super::session::{AcctKey, NasOf, SESSIONS_MAX};
use policy::SessionRow;
use std::collections::{BTreeMap, BTreeSet};
use values::{MacAddress, SessionId};

/// Accounting-Requests that wait for the disk. The store commits in groups within milliseconds; when this many wait, it is
/// stuck, and access points try again. Half of what the store lets wait, so that commands always find room there.
const WAITING_MAX: usize = 512;
/// Rows kept until they are written: as many as there are sessions, for one Accounting-On may end them all. At some 400 octets
/// a row that is 7 MB.
const UNSAVED_MAX: usize = SESSIONS_MAX;
/// Failed rows that a sweep tries again in one transaction: some milliseconds of the store's time, and small enough that a row
/// which can never be written does not hold back all others.
const RETRY_ROWS_MAX: usize = 512;

/// One write.
#[derive(Debug)]
struct Write {
    ids: Vec<SessionId>,
    /// None when nobody waits for it.
    question: Option<Question>,
}

/// The newest version of a row that is not known to be on the disk.
#[derive(Debug)]
struct Unsaved {
    row: SessionRow,
    /// The write that holds this version, or held it and failed.
    token: u64,
    /// The NAS whose Accounting-On or Accounting-Off ended the session, which the row may know by another name.
    ended_by: Option<String>,
}

/// Which rows a request is about: it is answered when none of them is unsaved.
#[derive(Clone, Copy, Debug)]
pub(super) enum Concern<'a> {
    /// Accounting-On and Accounting-Off.
    Nas(NasOf<'a>),
    /// A report: its session, and the others of its device, which its Start ends.
    Session { key: &'a AcctKey, mac: Option<MacAddress> },
}

impl Concern<'_> {
    fn is_about(&self, unsaved: &Unsaved) -> bool {
        let row = &unsaved.row;
        match self {
            Self::Nas(nas) => {
                let is_ended_by_it = || unsaved.ended_by.as_deref() == Some(nas.nas);
                nas.has(row) || (row.access_point == *nas.access_point && is_ended_by_it())
            }
            Self::Session { key, mac } => key.is_of(row) || (mac.is_some() && row.mac == *mac),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Unwritten {
    waiting: BTreeMap<u64, Write>,
    unsaved: BTreeMap<SessionId, Unsaved>,
    /// Rows whose write failed, by it: those that were tried longest ago come first.
    failed: BTreeSet<(u64, SessionId)>,
    last_token: u64,
}

impl Unwritten {
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.unsaved.is_empty() && self.failed.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING_MAX || self.unsaved.len() >= UNSAVED_MAX
    }

    /// Whether rows wait to be tried again.
    pub(super) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Begins a write; how many of its rows are not kept for another try because too many are. Those of an Accounting-On or
    /// Accounting-Off say by which NAS they were ended, so that it is answered only when they are written.
    pub(super) fn begin(
        &mut self,
        rows: &[SessionRow],
        ended_by: Option<&str>,
        question: Option<Question>,
    ) -> (u64, u64) {
        self.last_token += 1;
        let token = self.last_token;
        let mut unkept = 0;
        for row in rows {
            if self.unsaved.len() < UNSAVED_MAX || self.unsaved.contains_key(&row.id) {
                let older = self.unsaved.remove(&row.id);
                if let Some(older) = &older {
                    self.failed.remove(&(older.token, row.id));
                }
                let ended_by = ended_by.map(ToOwned::to_owned).or(older.and_then(|older| older.ended_by));
                self.unsaved.insert(row.id, Unsaved { row: row.clone(), token, ended_by });
            } else {
                unkept += 1;
            }
        }
        self.waiting.insert(token, Write { ids: rows.iter().map(|row| row.id).collect(), question });
        (token, unkept)
    }

    /// A write is over. None when it was not under way; inside, who waits for it.
    pub(super) fn end(&mut self, token: u64, ok: bool) -> Option<Option<Question>> {
        let write = self.waiting.remove(&token)?;
        for id in write.ids {
            // A newer version stays until its own write is over.
            if self.unsaved.get(&id).is_some_and(|unsaved| unsaved.token == token) {
                if ok {
                    self.unsaved.remove(&id);
                } else {
                    self.failed.insert((token, id));
                }
            }
        }
        Some(write.question)
    }

    /// The unsaved rows that a request concerns and that are not in `rows`, which are newer; then `rows`.
    pub(super) fn before(&self, rows: Vec<SessionRow>, concern: Concern<'_>) -> Vec<SessionRow> {
        let newer: BTreeSet<SessionId> = rows.iter().map(|row| row.id).collect();
        let concerned = self.unsaved.values().filter(|unsaved| concern.is_about(unsaved)).map(|unsaved| &unsaved.row);
        concerned.filter(|row| !newer.contains(&row.id)).cloned().chain(rows).collect()
    }

    /// Failed rows to try again, those that were tried longest ago first.
    pub(super) fn failed(&self) -> Vec<SessionRow> {
        let failed = self.failed.iter().filter_map(|(_, id)| self.unsaved.get(id));
        failed.take(RETRY_ROWS_MAX).map(|unsaved| unsaved.row.clone()).collect()
    }

    /// The unsaved row of a session that is over.
    pub(super) fn ended(&self, key: &AcctKey) -> Option<&SessionRow> {
        let rows = self.unsaved.values().map(|unsaved| &unsaved.row);
        rows.filter(|row| row.ended_at.is_some()).find(|row| key.is_of(row))
    }
}
