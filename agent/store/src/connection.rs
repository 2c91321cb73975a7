//! Opening the two databases: file, pragmas, schema. Every connection of this crate is made here.

use crate::error::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// The first SQLite without the WAL-reset bug (sqlite.org/wal.html#walresetbug): 3.51.3.
const SQLITE_MIN_VERSION: i32 = 3_051_003;
/// How long a statement waits for a lock that another process holds (an operator's sqlite3 shell, a backup).
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// Longest text or blob: the site file is the largest, and its parser takes at most 1 MiB.
const VALUE_MAX_BYTES: i32 = 4 * 1024 * 1024;
/// Idle read connections that are kept; more are opened under load and closed again.
const READERS_KEPT: usize = 4;

/// What is particular to one of the two files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Database {
    pub file: &'static str,
    /// Stands in the file's header, so that `file` and we ourselves can tell whose it is.
    application_id: i32,
    synchronous: &'static str,
    migrations: &'static [M<'static>],
}

/// Changes, ledger, sessions: each commit is on the disk before it is acknowledged.
pub(crate) const CORE: Database = Database {
    file: "core.db",
    application_id: 0x4450_436f, // "DPCo"
    synchronous: "FULL",
    migrations: &[
        M::up(include_str!("../migrations/core/0001_first.sql")),
        M::up(include_str!("../migrations/core/0002_audit.sql")),
        M::up(include_str!("../migrations/core/0003_credentials.sql")),
        M::up(include_str!("../migrations/core/0004_vlan_test.sql")),
        M::up(include_str!("../migrations/core/0005_access_point_certificate.sql")),
        M::up(include_str!("../migrations/core/0006_session_nas.sql")),
    ],
};

/// Decisions: a power cut may take the last commits, never the file.
pub(crate) const EVENTS: Database = Database {
    file: "events.db",
    application_id: 0x4450_4576, // "DPEv"
    synchronous: "NORMAL",
    migrations: &[M::up(include_str!("../migrations/events/0001_audit.sql"))],
};

impl Database {
    /// The version of the schema that this binary writes.
    pub fn newest(&self) -> i64 {
        i64::try_from(self.migrations.len()).unwrap_or(i64::MAX)
    }

    #[cfg(test)]
    pub const fn application_id(&self) -> i32 {
        self.application_id
    }

    /// The one connection that writes, with the schema brought up to date. Creates the file, readable by its owner alone.
    pub fn open_writer(&self, dir: &Path) -> Result<Connection, StoreError> {
        let found = rusqlite::version_number();
        if found < SQLITE_MIN_VERSION {
            return Err(StoreError::OldSqlite { found });
        }
        let path = dir.join(self.file);
        let created = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        match created {
            Ok(file) => file.sync_all().map_err(|error| StoreError::io(&path, &error))?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(StoreError::io(&path, &error)),
        }
        let mut db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        self.set_up(&db)?;
        self.recognise(&db)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", self.synchronous)?;
        db.pragma_update(None, "wal_autocheckpoint", 1_000)?;
        db.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        db.pragma_update(None, "secure_delete", "ON")?;
        Migrations::from_slice(self.migrations).to_latest(&mut db).map_err(|error| self.migration_failed(error))?;
        db.pragma_update(None, "application_id", self.application_id)?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| StoreError::io(dir, &error))?;
        Ok(db)
    }

    pub fn open_reader(&self, dir: &Path) -> Result<Connection, StoreError> {
        let db = Connection::open_with_flags(dir.join(self.file), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        self.set_up(&db)?;
        self.recognise(&db)?;
        Ok(db)
    }

    fn set_up(&self, db: &Connection) -> Result<(), StoreError> {
        db.busy_timeout(LOCK_WAIT)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
        db.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES)?;
        db.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        db.pragma_update(None, "foreign_keys", "ON")?;
        db.pragma_update(None, "trusted_schema", "OFF")?;
        db.pragma_update(None, "cell_size_check", "ON")?;
        db.pragma_update(None, "mmap_size", 0)?;
        db.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(())
    }

    /// Refuses a file that is not ours, and one that a newer Doorpost wrote.
    fn recognise(&self, db: &Connection) -> Result<(), StoreError> {
        let pragma = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let version = pragma("user_version").map_err(|error| self.unreadable(error))?;
        let application_id = pragma("application_id")?;
        let known = self.newest();
        if application_id != 0 && application_id != i64::from(self.application_id) {
            return Err(StoreError::corrupt(self.file, "it belongs to another program"));
        }
        if version > known {
            return Err(StoreError::Newer { file: self.file.to_owned(), found: version, known });
        }
        Ok(())
    }

    fn unreadable(&self, error: rusqlite::Error) -> StoreError {
        match StoreError::from(error) {
            StoreError::Corrupt { detail, .. } => StoreError::corrupt(self.file, detail),
            other => other,
        }
    }

    fn migration_failed(&self, error: rusqlite_migration::Error) -> StoreError {
        match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => self.unreadable(err),
            other => StoreError::Sql { detail: format!("{}: {other}", self.file) },
        }
    }

    /// A look through every page for damage, without the cross-checks of indices.
    pub fn quick_check(&self, db: &Connection) -> Result<(), StoreError> {
        let said: String =
            db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| self.unreadable(error))?;
        if said == "ok" { Ok(()) } else { Err(StoreError::corrupt(self.file, said)) }
    }
}

/// Read connections for queries, made when needed.
#[derive(Debug)]
pub(crate) struct Readers {
    database: Database,
    dir: std::path::PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub const fn new(database: Database, dir: std::path::PathBuf) -> Self {
        Self { database, dir, idle: Mutex::new(Vec::new()) }
    }

    /// Runs a query. A connection on which something failed is not used again.
    pub fn with<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let kept = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let db = match kept {
            Some(db) => db,
            None => self.database.open_reader(&self.dir)?,
        };
        let answer = query(&db)?;
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < READERS_KEPT
        {
            idle.push(db);
        }
        Ok(answer)
    }

    /// Read connections pin the log; the last checkpoint wants them gone.
    pub fn close(&self) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.clear();
        }
    }
}
