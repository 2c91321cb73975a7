//! Reading both audit logs as one history, removing what its retention time has passed, and erasing a person from it.

use crate::audit::{self, Event};
use crate::error::StoreError;
use crate::people::all;
use crate::writer::{Urgency, Writer};
use crate::{Store, wait};
use policy::Noun;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use std::collections::BTreeMap;
use std::sync::Arc;
use values::{EventId, MemberId, Timestamp};

/// A page of history when nothing is said, and the most that may be asked for at once.
const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;

/// A place in the history: rows older than it follow. Two rows of the same millisecond are ordered by their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub at: Timestamp,
    pub id: EventId,
}

/// Which rows of history are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub member: Option<MemberId>,
    pub noun: Option<Noun>,
    /// The access point, printer, door or device, by name.
    pub place: Option<String>,
    /// Not older than this.
    pub from: Option<Timestamp>,
    /// Older than this row: where the last page ended.
    pub before: Option<Cursor>,
    /// 0 is 100; never more than 1,000.
    pub limit: u32,
}

/// What may go, by the times before which it lies. None keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Whole rows of decisions. The chain then begins after the last row that went.
    pub events_before: Option<Timestamp>,
    /// Personal values in both logs, by noun; their rows stay.
    pub personal_before: BTreeMap<Noun, Timestamp>,
    /// Ended Wi-Fi sessions.
    pub sessions_before: Option<Timestamp>,
    /// Final print jobs.
    pub jobs_before: Option<Timestamp>,
}

impl Store {
    /// Rows of both logs, newest first.
    ///
    /// # Errors
    /// What prevented the read.
    pub fn query_events(&self, filter: &EventFilter) -> Result<Vec<Event>, StoreError> {
        let limit = limit_of(filter);
        let mut rows = self.core_readers.with(|db| select(db, filter, limit))?;
        rows.extend(self.events_readers.with(|db| select(db, filter, limit))?);
        rows.sort_by_key(|event| std::cmp::Reverse(Cursor { at: event.record.at, id: event.record.id }));
        rows.truncate(limit as usize);
        Ok(rows)
    }

    /// One row of history.
    ///
    /// # Errors
    /// What prevented the read.
    pub fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        let find = |db: &Connection| by_id(db, id);
        match self.core_readers.with(find)? {
            Some(event) => Ok(Some(event)),
            None => self.events_readers.with(find),
        }
    }

    /// Removes what its retention time has passed.
    pub fn purge(&self, retention: Retention, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        let events_retention = retention.clone();
        self.in_both(move |db| purge_core(db, &retention), move |db| purge_events(db, &events_retention), done);
    }

    /// Erases what both logs know of a member beyond the id: personal values and their salts, ended sessions, final print
    /// jobs. The member's own rows are a [`policy::Change`]; the ledger keeps amounts beside the bare id. The logs still verify.
    pub fn erase_member(&self, member: MemberId, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        self.in_both(move |db| erase_core(db, member), move |db| erase_personal(db, member), done);
    }

    /// [`Store::erase_member`], waiting for the disk.
    ///
    /// # Errors
    /// What prevented it.
    pub fn erase_member_blocking(&self, member: MemberId) -> Result<(), StoreError> {
        wait(|done| self.erase_member(member, done))
    }

    /// One step in core.db and then one in events.db. There is no transaction over both: after a failure between them the
    /// same call may be made again, since both only delete.
    fn in_both(
        &self,
        core: impl FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static,
        events: impl FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) {
        let second: Arc<Writer> = Arc::clone(&self.events);
        self.core.submit(Urgency::Scrub, core, move |outcome| match outcome {
            Ok(()) => {
                second.submit(Urgency::Scrub, events, done);
            }
            Err(error) => done(Err(error)),
        });
    }
}

const fn limit_of(filter: &EventFilter) -> u32 {
    match filter.limit {
        0 => LIMIT_DEFAULT,
        1..=LIMIT_MAX => filter.limit,
        _ => LIMIT_MAX,
    }
}

fn select(db: &Connection, filter: &EventFilter, limit: u32) -> Result<Vec<Event>, StoreError> {
    let mut sql = "SELECT seq, body FROM audit WHERE TRUE".to_owned();
    let mut values: Vec<Value> = Vec::new();
    let mut and = |clause: &str, value: Value| {
        sql.push_str(clause);
        values.push(value);
    };
    if let Some(member) = filter.member {
        and(" AND member = ?", member.to_string().into());
    }
    if let Some(noun) = filter.noun {
        and(" AND noun = ?", noun_word(noun)?.into());
    }
    if let Some(place) = &filter.place {
        and(" AND place = ?", place.clone().into());
    }
    if let Some(from) = filter.from {
        and(" AND at >= ?", from.0.into());
    }
    if let Some(before) = filter.before {
        and(" AND (at, id) < (?", before.at.0.into());
        and(", ?)", before.id.to_string().into());
    }
    and(" ORDER BY at DESC, id DESC LIMIT ?", i64::from(limit).into());
    all(db, &sql, params_from_iter(values), |row| {
        let (seq, body): (i64, String) = (row.get(0)?, row.get(1)?);
        audit::read(db, seq, &body)
    })
}

/// The word that serde gives a noun, which is what stands in the rows.
fn noun_word(noun: Noun) -> Result<String, StoreError> {
    match serde_json::to_value(noun) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(_) | Err(_) => Err(StoreError::Sql { detail: "a noun is not a word".to_owned() }),
    }
}

fn by_id(db: &Connection, id: EventId) -> Result<Option<Event>, StoreError> {
    let rows = all(db, "SELECT seq, body FROM audit WHERE id = ?1", [id.to_string()], |row| {
        let (seq, body): (i64, String) = (row.get(0)?, row.get(1)?);
        audit::read(db, seq, &body)
    })?;
    Ok(rows.into_iter().next())
}

fn purge_core(db: &Connection, retention: &Retention) -> Result<(), StoreError> {
    purge_personal(db, retention)?;
    if let Some(before) = retention.sessions_before {
        db.execute("DELETE FROM wifi_session WHERE ended_at < ?1", [before.0])?;
    }
    if let Some(before) = retention.jobs_before {
        db.execute("DELETE FROM print_job WHERE is_final = 1 AND updated_at < ?1", [before.0])?;
    }
    Ok(())
}

fn purge_events(db: &Connection, retention: &Retention) -> Result<(), StoreError> {
    purge_personal(db, retention)?;
    let Some(before) = retention.events_before else { return Ok(()) };
    // The longest run of old rows from the beginning: a chain can lose its first rows, not some in the middle.
    db.execute(
        "UPDATE audit_base SET (seq, hash) = (SELECT seq, hash FROM audit
            WHERE seq < coalesce((SELECT min(seq) FROM audit WHERE at >= ?1), 1 << 62) ORDER BY seq DESC LIMIT 1)
         WHERE EXISTS (SELECT 1 FROM audit
            WHERE seq < coalesce((SELECT min(seq) FROM audit WHERE at >= ?1), 1 << 62))",
        [before.0],
    )?;
    db.execute("DELETE FROM audit WHERE seq <= (SELECT seq FROM audit_base WHERE id = 1)", [])?;
    Ok(())
}

fn purge_personal(db: &Connection, retention: &Retention) -> Result<(), StoreError> {
    for (noun, before) in &retention.personal_before {
        db.execute(
            "DELETE FROM audit_personal WHERE seq IN (SELECT seq FROM audit WHERE at < ?1 AND noun = ?2)",
            params![before.0, noun_word(*noun)?],
        )?;
    }
    Ok(())
}

fn erase_core(db: &Connection, member: MemberId) -> Result<(), StoreError> {
    erase_personal(db, member)?;
    db.execute("DELETE FROM wifi_session WHERE member = ?1 AND ended_at IS NOT NULL", [member.to_string()])?;
    db.execute("DELETE FROM print_job WHERE member = ?1 AND is_final = 1", [member.to_string()])?;
    Ok(())
}

fn erase_personal(db: &Connection, member: MemberId) -> Result<(), StoreError> {
    db.execute(
        "DELETE FROM audit_personal WHERE seq IN (SELECT seq FROM audit WHERE member = ?1)",
        [member.to_string()],
    )?;
    Ok(())
}
