//! From a data folder to two open databases and all policy state: the lock, damage after a crash, a disk that is full.
//!
//! ```text
//! lock --> core.db (key, damage?) --> load --> events.db (damaged: put aside, begin anew)
//!            `--no space--> give up the reserve and try once more
//! ```

use crate::connection::{CORE, EVENTS};
use crate::error::StoreError;
use crate::seal::SealingKey;
use crate::{anchor, apply, people};
use policy::snapshot::Loaded;
use rusqlite::Connection;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

/// Largest core.db that is looked through before the start after an unclean stop: some 100 ms of the 300 that a start may
/// take. A larger one is looked through while the box already works.
const CHECK_FIRST_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Space that is held back for starting on a full disk: the two logs and their indices (32 KiB each) and some pages.
const RESERVE_BYTES: usize = 512 * 1024;
const RESERVE_FILE: &str = "reserve";

/// What [`crate::Store`] is made from.
pub(crate) struct Started {
    /// Held for as long as the store is open; the kernel lets go of it when the process dies.
    pub lock: File,
    pub core: Connection,
    pub events: Connection,
    pub loaded: Loaded,
}

pub(crate) fn start(dir: &Path, key: &SealingKey) -> Result<Started, StoreError> {
    let lock = take_lock(dir)?;
    let (core, events, loaded) = match open_both(dir, key) {
        Err(StoreError::Full | StoreError::Io { .. }) if give_up_reserve(dir) => open_both(dir, key)?,
        opened => opened?,
    };
    // Without space for it, the next start on a full disk has nothing to give up; that is no reason not to start now.
    if let Err(error) = anchor::trim(dir).and_then(|()| hold_reserve(dir)) {
        tracing::warn!(%error, "no space could be held back for the next start");
    }
    Ok(Started { lock, core, events, loaded })
}

fn open_both(dir: &Path, key: &SealingKey) -> Result<(Connection, Connection, Loaded), StoreError> {
    let core = CORE.open_writer(dir)?;
    people::check_key(&core, key)?;
    check_after_crash(&core, dir)?;
    let loaded = apply::load(&core, key)?;
    Ok((core, open_events(dir)?, loaded))
}

/// True when there was something to give up.
fn give_up_reserve(dir: &Path) -> bool {
    fs::remove_file(dir.join(RESERVE_FILE)).is_ok()
}

fn hold_reserve(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(RESERVE_FILE);
    if fs::metadata(&path).is_ok_and(|file| file.len() == RESERVE_BYTES as u64) {
        return Ok(());
    }
    fs::write(&path, vec![0; RESERVE_BYTES]).map_err(|error| {
        // Half a reserve would only take what others need more.
        let _ = fs::remove_file(&path);
        StoreError::io(&path, &error)
    })
}

fn take_lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| StoreError::io(&path, &error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(StoreError::InUse),
        Err(fs::TryLockError::Error(error)) => Err(StoreError::io(&path, &error)),
    }
}

/// Looks for damage when the last stop was not a clean one, and marks this run as not stopped yet.
fn check_after_crash(db: &Connection, dir: &Path) -> Result<(), StoreError> {
    let was_closed: bool = db.query_row("SELECT was_closed FROM box WHERE id = 1", [], |row| row.get(0))?;
    if !was_closed {
        let bytes = fs::metadata(dir.join(CORE.file)).map_or(0, |file| file.len());
        tracing::info!(bytes, "the last stop was not a clean one; checking core.db");
        if bytes <= CHECK_FIRST_MAX_BYTES {
            CORE.quick_check(db)?;
        } else {
            check_meanwhile(dir.to_owned());
        }
        return Ok(());
    }
    if let Err(error) = db.execute("UPDATE box SET was_closed = 0 WHERE id = 1", []) {
        // A full disk must not keep the box from starting; all that is lost is the check after the next crash.
        tracing::warn!(%error, "the start could not be written down");
    }
    Ok(())
}

fn check_meanwhile(dir: PathBuf) {
    let check = move || {
        if let Err(error) = CORE.open_reader(&dir).and_then(|db| CORE.quick_check(&db)) {
            tracing::error!(%error, "core.db is damaged; restore the newest backup");
        }
    };
    if let Err(error) = std::thread::Builder::new().name("store-check".to_owned()).spawn(check) {
        tracing::warn!(%error, "core.db could not be checked");
    }
}

fn open_events(dir: &Path) -> Result<Connection, StoreError> {
    match EVENTS.open_writer(dir) {
        Err(StoreError::Corrupt { detail, .. }) => {
            put_aside(dir)?;
            tracing::error!(detail, "events.db is damaged and was put aside as events.db.corrupt; a new one is begun");
            EVENTS.open_writer(dir)
        }
        opened => opened,
    }
}

/// Keeps one damaged file for whoever wants to look, log included; an older one gives way.
fn put_aside(dir: &Path) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm"] {
        let path = dir.join(format!("{}{suffix}", EVENTS.file));
        match fs::rename(&path, dir.join(format!("{}.corrupt{suffix}", EVENTS.file))) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io(&path, &error)),
        }
    }
    Ok(())
}
