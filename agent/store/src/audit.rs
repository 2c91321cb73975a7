//! The hash chain: what a row is, how the next one is appended, how the whole is verified.
//!
//! ```text
//! hash(n)    = SHA-256("doorpost audit 1 " chain 0x00 | hash(n-1) | n as 8 bytes | body(n))
//! body       = JSON text, stored and hashed as it is; personal values stand in it only as commitments
//! commitment = SHA-256(salt | value), 16 random bytes of salt a value
//! ```
//! Value and salt stand in a side table. Deleting them erases the person: without the salt, a commitment to a short value
//! cannot be tried out. The chain does not notice.
//!
//! What the chain shows: a row that was changed, removed from the middle, or put in. What it cannot show by itself: that rows
//! were cut off at its end, or that all of it was written anew; see [`crate::anchor`] for how far that is caught.

use crate::error::StoreError;
use crate::seal::random;
use policy::{Actor, Noun, Outcome, Record};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use values::{CredentialId, EventId, MemberId, Pii, Timestamp};

pub(crate) type Hash = [u8; 32];

/// Which of the two chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chain {
    Core,
    Events,
}

impl Chain {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Events => "events",
        }
    }
}

/// What is hashed of a row: everything but the personal values. The order of the fields is the order in the text.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    id: EventId,
    at: Timestamp,
    /// Who changed something; absent for decisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor_member: Option<MemberId>,
    noun: Noun,
    outcome: Outcome,
    code: String,
    sentence: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    member: Option<MemberId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<CredentialId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    facts: BTreeMap<String, String>,
    /// Field to commitment, in hexadecimal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    commitments: BTreeMap<String, String>,
}

/// A row of history as it is read back: personal values are there unless they were erased.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub record: Record,
    /// Who changed something ([`Actor::word`]); none for a decision.
    pub actor: Option<String>,
}

/// The end of a chain: the number and hash of its last row, or of the row that its first one will follow.
pub(crate) fn head(db: &Connection) -> Result<(i64, Hash), StoreError> {
    let last = db
        .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match last {
        Some(head) => Ok(head),
        None => base(db),
    }
}

/// What the first row follows.
pub(crate) fn base(db: &Connection) -> Result<(i64, Hash), StoreError> {
    Ok(db
        .prepare_cached("SELECT seq, hash FROM audit_base WHERE id = 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Appends a row.
pub(crate) fn append(db: &Connection, chain: Chain, record: &Record, actor: Option<Actor>) -> Result<(), StoreError> {
    append_after(db, chain, head(db)?, record, actor).map(drop)
}

/// Appends decisions, one after the other; `then` is called after each, with its number.
pub(crate) fn append_all(
    db: &Connection,
    chain: Chain,
    records: &[Record],
    mut then: impl FnMut(i64) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut last = head(db)?;
    for record in records {
        last = append_after(db, chain, last, record, None)?;
        then(last.0)?;
    }
    Ok(())
}

/// Appends a row to a chain that ends so; how it ends then.
fn append_after(
    db: &Connection,
    chain: Chain,
    (last, prev_hash): (i64, Hash),
    record: &Record,
    actor: Option<Actor>,
) -> Result<(i64, Hash), StoreError> {
    let seq = last + 1;
    let mut salts = BTreeMap::new();
    let mut commitments = BTreeMap::new();
    for (field, value) in &record.personal {
        let salt = random::<16>()?;
        commitments.insert(field.clone(), hex(&commitment(&salt, &value.0)));
        salts.insert(field, salt);
    }
    let body = text_of(record, actor, commitments)?;
    let hash = row_hash(chain, &prev_hash, seq, &body);
    db.prepare_cached("INSERT INTO audit (seq, body, prev_hash, hash) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![seq, body, prev_hash, hash])?;
    let mut personal =
        db.prepare_cached("INSERT INTO audit_personal (seq, field, value, salt) VALUES (?1, ?2, ?3, ?4)")?;
    for (field, value) in &record.personal {
        personal.execute(params![seq, field, value.0, salts[field]])?;
    }
    Ok((seq, hash))
}

fn text_of(record: &Record, actor: Option<Actor>, commitments: BTreeMap<String, String>) -> Result<String, StoreError> {
    let body = Body {
        id: record.id,
        at: record.at,
        actor: actor.map(|actor| actor.word().to_owned()),
        actor_member: match actor {
            Some(Actor::Member(member)) => Some(member),
            Some(Actor::Admin | Actor::Console | Actor::System) | None => None,
        },
        noun: record.noun,
        outcome: record.outcome,
        code: record.code.clone(),
        sentence: record.sentence.clone(),
        member: record.member,
        credential: record.credential,
        place: record.place.clone(),
        facts: record.facts.clone(),
        commitments,
    };
    serde_json::to_string(&body).map_err(|error| StoreError::Sql { detail: error.to_string() })
}

/// The row with its personal values put back.
pub(crate) fn read(db: &Connection, seq: i64, text: &str) -> Result<Event, StoreError> {
    let body: Body = serde_json::from_str(text)
        .map_err(|error| StoreError::corrupt("the audit log", format!("row {seq}: {error}")))?;
    let mut personal = BTreeMap::new();
    if !body.commitments.is_empty() {
        let mut rows = db.prepare_cached("SELECT field, value FROM audit_personal WHERE seq = ?1")?;
        for row in rows.query_map([seq], |row| Ok((row.get(0)?, Pii(row.get(1)?))))? {
            let (field, value) = row?;
            personal.insert(field, value);
        }
    }
    let record = Record {
        id: body.id,
        at: body.at,
        noun: body.noun,
        outcome: body.outcome,
        code: body.code,
        sentence: body.sentence,
        member: body.member,
        credential: body.credential,
        place: body.place,
        facts: body.facts,
        personal,
    };
    Ok(Event { record, actor: body.actor })
}

/// What does not hold in the chain, row by row. An erased personal value is no finding; a changed one is.
pub(crate) fn verify(db: &Connection, chain: Chain, mut found: impl FnMut(i64, String)) -> Result<u64, StoreError> {
    let (mut last, mut prev) = base(db)?;
    let mut rows = 0;
    let mut select = db.prepare("SELECT seq, body, prev_hash, hash FROM audit ORDER BY seq")?;
    let mut query = select.query([])?;
    while let Some(row) = query.next()? {
        rows += 1;
        let seq: i64 = row.get(0)?;
        if seq != last + 1 {
            found(seq, format!("rows {} to {} are missing", last + 1, seq - 1));
        }
        // Read as bytes: damage may have made the text something else than UTF-8.
        let body = row.get_ref(1)?.as_bytes().unwrap_or_default();
        let written_prev = row.get_ref(2)?.as_bytes().unwrap_or_default();
        let written = row.get_ref(3)?.as_bytes().unwrap_or_default();
        if written_prev != prev {
            found(seq, "it does not follow the row before it".to_owned());
        }
        let body = String::from_utf8_lossy(body);
        let computed = row_hash(chain, written_prev, seq, &body);
        if written != computed {
            found(seq, "its text does not have the hash that was written down".to_owned());
        }
        verify_personal(db, seq, &body, &mut found)?;
        // Go on from what stands there, so that one damaged row is named once and not all after it.
        prev = written.try_into().unwrap_or(computed);
        last = seq;
    }
    Ok(rows)
}

fn verify_personal(
    db: &Connection,
    seq: i64,
    body: &str,
    found: &mut impl FnMut(i64, String),
) -> Result<(), StoreError> {
    let commitments = serde_json::from_str::<Body>(body).map(|body| body.commitments).unwrap_or_default();
    let mut select = db.prepare_cached("SELECT field, value, salt FROM audit_personal WHERE seq = ?1")?;
    let mut rows = select.query([seq])?;
    while let Some(row) = rows.next()? {
        let field = String::from_utf8_lossy(row.get_ref(0)?.as_bytes().unwrap_or_default()).into_owned();
        let value = row.get_ref(1)?.as_bytes().unwrap_or_default();
        let salt = row.get_ref(2)?.as_bytes().unwrap_or_default();
        let kept = commitments.get(&field).is_some_and(|committed| *committed == hex(&commit(salt, value)));
        if !kept {
            found(seq, format!("the personal field `{field}` is not the one that was committed to"));
        }
    }
    Ok(())
}

fn row_hash(chain: Chain, prev_hash: &[u8], seq: i64, body: &str) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"doorpost audit 1 ");
    hash.update(chain.word());
    hash.update([0]);
    hash.update(prev_hash);
    hash.update(seq.to_be_bytes());
    hash.update(body);
    hash.finalize().into()
}

fn commitment(salt: &[u8; 16], value: &str) -> Hash {
    commit(salt, value.as_bytes())
}

fn commit(salt: &[u8], value: &[u8]) -> Hash {
    Sha256::new().chain_update(salt).chain_update(value).finalize().into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
