//! `doorpost verify`: whether what is on the disk is what was written. Reads only, needs no key, and works beside a running
//! daemon: each database is looked at in one read transaction.

use crate::anchor::Anchors;
use crate::audit::{self, Chain};
use crate::connection::{CORE, Database, EVENTS};
use crate::error::StoreError;
use crate::{people, print};
use rusqlite::Connection;
use std::fmt;
use std::path::Path;

/// Findings that are told at most; a file that is damaged throughout has nothing more to say after that.
const FINDINGS_MAX: usize = 100;

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub file: &'static str,
    /// The row of the audit log, where it is one.
    pub row: Option<i64>,
    pub what: String,
}

/// What was looked at and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Rows of the log of changes, of decisions, and of the print ledger.
    pub core_rows: u64,
    pub event_rows: u64,
    pub ledger_rows: u64,
    pub findings: Vec<Finding>,
}

impl VerifyReport {
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    fn add(&mut self, file: &'static str, row: Option<i64>, what: impl ToString) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { file, row, what: what.to_string() });
        }
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { core_rows, event_rows, ledger_rows, findings } = self;
        writeln!(f, "looked at {core_rows} changes, {event_rows} decisions and {ledger_rows} ledger rows")?;
        for Finding { file, row, what } in findings {
            match row {
                Some(row) => writeln!(f, "{file}, audit row {row}: {what}")?,
                None => writeln!(f, "{file}: {what}")?,
            }
        }
        f.write_str(if findings.is_empty() { "everything holds" } else { "what is named above does not hold" })
    }
}

/// Checks both files, both chains against themselves and their anchors, and the accounts against the ledger.
///
/// # Errors
/// Only when there is nothing to look at: no core.db, or one of a newer Doorpost. What is damaged is a finding.
pub fn verify(dir: &Path) -> Result<VerifyReport, StoreError> {
    // Read before the databases, so that a running daemon cannot anchor a row that we do not see.
    let anchors = Anchors::read(dir);
    let mut report = VerifyReport::default();
    let core = CORE.open_reader(dir);
    if let Err(error @ (StoreError::Io { .. } | StoreError::Newer { .. })) = core {
        return Err(error);
    }
    report.core_rows = look_at(&CORE, Chain::Core, core, &anchors, &mut report, ledger);
    let events = EVENTS.open_reader(dir);
    report.event_rows = look_at(&EVENTS, Chain::Events, events, &anchors, &mut report, |_, _| Ok(()));
    Ok(report)
}

fn look_at(
    database: &Database,
    chain: Chain,
    opened: Result<Connection, StoreError>,
    anchors: &Anchors,
    report: &mut VerifyReport,
    more: impl FnOnce(&Connection, &mut VerifyReport) -> Result<(), StoreError>,
) -> u64 {
    let db = match opened {
        Ok(db) => db,
        Err(error) => {
            report.add(database.file, None, error);
            return 0;
        }
    };
    let file = database.file;
    let tell = |what: Result<(), StoreError>, report: &mut VerifyReport| {
        if let Err(error) = what {
            report.add(file, None, error);
        }
    };
    let begun = db.execute_batch("BEGIN").map_err(StoreError::from);
    tell(begun, report);
    let rows = audit::verify(&db, chain, |row, what| report.add(file, Some(row), what));
    let (rows, read) = match rows {
        Ok(rows) => (rows, Ok(())),
        Err(error) => (0, Err(error)),
    };
    tell(read, report);
    let anchored = anchors.verify(&db, chain, |row, what| report.add(file, Some(row), what));
    tell(anchored, report);
    let looked = more(&db, report);
    tell(looked, report);
    let whole = integrity(&db, file, report);
    tell(whole, report);
    rows
}

fn ledger(db: &Connection, report: &mut VerifyReport) -> Result<(), StoreError> {
    let (rows, mismatches) = print::recompute(db)?;
    report.ledger_rows = rows;
    for mismatch in mismatches {
        report.add(CORE.file, None, mismatch);
    }
    for job in print::loose_reservations(db)? {
        report.add(CORE.file, None, format!("the reservation of {job} is not what its ledger rows say"));
    }
    Ok(())
}

fn integrity(db: &Connection, file: &'static str, report: &mut VerifyReport) -> Result<(), StoreError> {
    for said in people::all(db, "PRAGMA integrity_check(20)", [], |row| Ok(row.get::<_, String>(0)?))? {
        if said != "ok" {
            report.add(file, None, said);
        }
    }
    for table in people::all(db, "PRAGMA foreign_key_check", [], |row| Ok(row.get::<_, String>(0)?))? {
        report.add(file, None, format!("a row of {table} refers to one that is not there"));
    }
    Ok(())
}
