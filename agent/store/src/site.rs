//! The history of the site file: which generation was applied when, and its text. The text refers to secrets and holds none.

use crate::error::StoreError;
use crate::people::{all, count, stamp, uncount};
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};
use values::Timestamp;

/// One applied generation of the site file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteGeneration {
    pub generation: u64,
    pub at: Timestamp,
    pub sha256: Option<[u8; 32]>,
    /// None when only the change was told, not the file.
    pub text: Option<String>,
}

pub(crate) fn put_generation(db: &Connection, generation: u64, at: Timestamp) -> Result<(), StoreError> {
    db.execute(
        "INSERT INTO site_generation (generation, at) VALUES (?1, ?2) ON CONFLICT (generation) DO NOTHING",
        params![count(generation), at.0],
    )?;
    Ok(())
}

pub(crate) fn save_text(db: &Connection, generation: u64, text: &str, at: Timestamp) -> Result<(), StoreError> {
    let sha256: [u8; 32] = Sha256::digest(text).into();
    db.execute(
        "INSERT INTO site_generation (generation, at, sha256, text) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (generation) DO UPDATE SET sha256 = excluded.sha256, text = excluded.text",
        params![count(generation), at.0, sha256, text],
    )?;
    Ok(())
}

pub(crate) fn history(db: &Connection, limit: u32) -> Result<Vec<SiteGeneration>, StoreError> {
    all(db, "SELECT * FROM site_generation ORDER BY generation DESC LIMIT ?1", [limit], |row| {
        Ok(SiteGeneration {
            generation: uncount(row.get("generation")?),
            at: stamp(row, "at")?,
            sha256: row.get("sha256")?,
            text: row.get("text")?,
        })
    })
}
