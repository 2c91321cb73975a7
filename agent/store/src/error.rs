//! What can go wrong with storage, in words that say who has to do something. None of them is a panic, and none of them
//! changes what is held in memory.

use policy::Reason;
use rusqlite::ErrorCode;
use std::fmt;
use std::path::Path;

/// A write or a read that did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The disk has no space left.
    Full,
    /// Another process holds the database's lock for longer than we wait.
    Locked,
    /// Our own queue of writes is full: more is asked than the disk can take.
    Busy,
    /// The store was closed.
    Stopped,
    /// Another daemon runs on the same data folder.
    InUse,
    /// A ledger step that was taken before: nothing was changed, and nothing is wrong.
    Duplicate { what: &'static str },
    /// A newer Doorpost wrote this file.
    Newer { file: String, found: i64, known: i64 },
    /// The file is damaged or is not ours.
    Corrupt { file: String, detail: String },
    /// DATA/secret.key is not the key that the secrets in core.db were sealed under.
    WrongKey,
    /// core.db exists and DATA/secret.key does not.
    KeyMissing,
    /// The SQLite in this binary has the WAL-reset bug.
    OldSqlite { found: i32 },
    /// The file system refused.
    Io { file: String, detail: String },
    /// SQLite refused for another reason: a fault of ours.
    Sql { detail: String },
}

impl StoreError {
    pub(crate) fn io(file: &Path, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io { file: file.display().to_string(), detail: error.to_string() },
        }
    }

    pub(crate) fn corrupt(file: &str, detail: impl ToString) -> Self {
        Self::Corrupt { file: file.to_owned(), detail: detail.to_string() }
    }

    /// How the refusal is told to whoever asked for the change.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Duplicate { what } => Reason::AlreadySo { what: (*what).to_owned() },
            Self::Full
            | Self::Locked
            | Self::Busy
            | Self::Stopped
            | Self::InUse
            | Self::Newer { .. }
            | Self::Corrupt { .. }
            | Self::WrongKey
            | Self::KeyMissing
            | Self::OldSqlite { .. }
            | Self::Io { .. }
            | Self::Sql { .. } => Reason::StorageFailed { what: self.to_string() },
        }
    }

    /// Whether a restart cannot help (exit 78): somebody must change the installation or bring a file back.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        match self {
            Self::Newer { .. } | Self::WrongKey | Self::KeyMissing | Self::OldSqlite { .. } => true,
            Self::Full
            | Self::Locked
            | Self::Busy
            | Self::Stopped
            | Self::InUse
            | Self::Duplicate { .. }
            | Self::Corrupt { .. }
            | Self::Io { .. }
            | Self::Sql { .. } => false,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the disk is full"),
            Self::Locked => f.write_str("another process holds the database's lock"),
            Self::Busy => f.write_str("too many writes are waiting"),
            Self::Stopped => f.write_str("the store is closed"),
            Self::InUse => f.write_str("another doorpost runs on this data folder"),
            Self::Duplicate { what } => f.write_str(what),
            Self::Newer { file, found, known } => {
                write!(
                    f,
                    "{file} was written by a newer Doorpost (schema {found}, this one knows {known}); install that version"
                )
            }
            Self::Corrupt { file, detail } => write!(f, "{file} is damaged: {detail}"),
            Self::WrongKey => {
                f.write_str("secret.key does not fit core.db; bring back the secret.key of the same backup")
            }
            Self::KeyMissing => f.write_str("secret.key is missing beside core.db; bring it back from the backup"),
            Self::OldSqlite { found } => write!(f, "SQLite {found} can damage its log; 3051003 or newer is needed"),
            Self::Io { file, detail } => write!(f, "{file}: {detail}"),
            Self::Sql { detail } => write!(f, "SQLite: {detail}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::corrupt("the database", detail),
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
                Self::Io { file: "the database".to_owned(), detail }
            }
            _ => Self::Sql { detail },
        }
    }
}
