//! The print ledger, the accounts that stand beside it, open reservations, and the jobs of the print engine.
//!
//! Each movement is one ledger row, one change of the reservation and one new state of the account, in one transaction. The
//! reservation's row is the lock: it is inserted once for a job, ever, and closed once; whoever comes second changes no row
//! and is told [`StoreError::Duplicate`].
//!
//! ```text
//! reserve --> open --settle | void--> closed
//!               `--needs-checking--> needs-checking --settle | void--> closed
//! ```
//! What a job costs is policy's business; this file adds up and compares.

use crate::error::StoreError;
use crate::people::{all, parsed, stamp};
use policy::print::{CountedBy, JobRecord, PrintAccount, Reservation, Settlement};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::fmt;
use values::{JobId, MemberId, Timestamp};

/// Finished jobs that are loaded at start: what clients may still ask about.
const FINISHED_JOBS_LOADED: u32 = 1_000;

const RESERVED_BEFORE: StoreError = StoreError::Duplicate { what: "the job's pages were set aside before" };
const SETTLED_BEFORE: StoreError = StoreError::Duplicate { what: "the job holds no pages any more" };

pub(crate) fn reserve(
    db: &Connection,
    at: Timestamp,
    reservation: &Reservation,
    account: &PrintAccount,
) -> Result<(), StoreError> {
    let job = reservation.job.to_string();
    let changed = db
        .prepare_cached(
            "INSERT INTO print_reservation (job, member, printer, month, pages, included_pages, charge_minor, at, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'open') ON CONFLICT (job) DO NOTHING",
        )?
        .execute(params![
            job,
            reservation.member.to_string(),
            reservation.printer.as_str(),
            reservation.month,
            reservation.pages,
            reservation.included_pages,
            reservation.charge_minor,
            reservation.at.0,
        ])?;
    if changed == 0 {
        return Err(RESERVED_BEFORE);
    }
    let row = LedgerRow {
        kind: "reserve",
        member: reservation.member,
        job: Some(&job),
        month: Some(&reservation.month),
        pages: reservation.pages,
        counted_by: None,
        charged_minor: 0,
        amount_minor: -reservation.charge_minor,
    };
    row.write(db, at)?;
    put_account(db, reservation.member, account)
}

pub(crate) fn settle(
    db: &Connection,
    at: Timestamp,
    job: JobId,
    settlement: Settlement,
    charged_minor: i64,
    account: &PrintAccount,
) -> Result<(), StoreError> {
    let job = job.to_string();
    let next = match settlement {
        Settlement::Settle { .. } | Settlement::Void => "closed",
        Settlement::NeedsChecking => "needs-checking",
    };
    let held = db
        .prepare_cached(
            "UPDATE print_reservation SET state = ?2 WHERE job = ?1 AND state <> 'closed' AND state <> ?2
             RETURNING member, month, pages, charge_minor",
        )?
        .query_row(params![job, next], |row| Ok(Held::read(row)))
        .optional()?;
    let Some(held) = held.transpose()? else { return Err(SETTLED_BEFORE) };
    let (kind, pages, counted_by, charged_minor, amount_minor) = match settlement {
        Settlement::Settle { pages, by } => {
            ("settle", pages.min(held.pages), Some(counted_word(by)), charged_minor, held.charge_minor - charged_minor)
        }
        Settlement::Void => ("void", 0, None, 0, held.charge_minor),
        Settlement::NeedsChecking => ("needs-checking", 0, None, 0, 0),
    };
    let month = Some(held.month.as_str());
    let row =
        LedgerRow { kind, member: held.member, job: Some(&job), month, pages, counted_by, charged_minor, amount_minor };
    row.write(db, at)?;
    put_account(db, held.member, account)
}

pub(crate) fn credit(
    db: &Connection,
    at: Timestamp,
    member: MemberId,
    amount_minor: i64,
    account: &PrintAccount,
) -> Result<(), StoreError> {
    let row = LedgerRow {
        kind: "credit",
        member,
        job: None,
        month: None,
        pages: 0,
        counted_by: None,
        charged_minor: 0,
        amount_minor,
    };
    row.write(db, at)?;
    put_account(db, member, account)
}

/// What a reservation set aside.
struct Held {
    member: MemberId,
    month: String,
    pages: u32,
    charge_minor: i64,
}

impl Held {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            member: parsed(row, "member")?,
            month: row.get("month")?,
            pages: row.get("pages")?,
            charge_minor: row.get("charge_minor")?,
        })
    }
}

struct LedgerRow<'a> {
    kind: &'static str,
    member: MemberId,
    job: Option<&'a str>,
    month: Option<&'a str>,
    pages: u32,
    counted_by: Option<&'static str>,
    charged_minor: i64,
    amount_minor: i64,
}

impl LedgerRow<'_> {
    fn write(&self, db: &Connection, at: Timestamp) -> Result<(), StoreError> {
        db.prepare_cached(
            "INSERT INTO print_ledger (at, kind, member, job, month, pages, counted_by, charged_minor, amount_minor)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            at.0,
            self.kind,
            self.member.to_string(),
            self.job,
            self.month,
            self.pages,
            self.counted_by,
            self.charged_minor,
            self.amount_minor,
        ])?;
        Ok(())
    }
}

const fn counted_word(by: CountedBy) -> &'static str {
    match by {
        CountedBy::Counter => "counter",
        CountedBy::Estimate => "estimate",
        CountedBy::Operator => "operator",
    }
}

fn put_account(db: &Connection, member: MemberId, account: &PrintAccount) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO print_account (member, month, settled_pages, reserved_pages, credit_minor)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        member.to_string(),
        account.month,
        account.settled_pages,
        account.reserved_pages,
        account.credit_minor
    ])?;
    Ok(())
}

pub(crate) fn load_accounts(db: &Connection) -> Result<Vec<(MemberId, PrintAccount)>, StoreError> {
    all(db, "SELECT * FROM print_account", [], |row| {
        let account = PrintAccount {
            month: row.get("month")?,
            settled_pages: row.get("settled_pages")?,
            reserved_pages: row.get("reserved_pages")?,
            credit_minor: row.get("credit_minor")?,
        };
        Ok((parsed(row, "member")?, account))
    })
}

pub(crate) fn load_reservations(db: &Connection) -> Result<Vec<Reservation>, StoreError> {
    all(db, "SELECT * FROM print_reservation WHERE state <> 'closed'", [], |row| {
        Ok(Reservation {
            job: parsed(row, "job")?,
            member: parsed(row, "member")?,
            printer: parsed(row, "printer")?,
            month: row.get("month")?,
            pages: row.get("pages")?,
            included_pages: row.get("included_pages")?,
            charge_minor: row.get("charge_minor")?,
            at: stamp(row, "at")?,
        })
    })
}

/// An account that is not what its ledger rows add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountMismatch {
    pub member: String,
    pub stands: PrintAccount,
    pub adds_up_to: PrintAccount,
}

impl fmt::Display for AccountMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stands, sum) = (&self.stands, &self.adds_up_to);
        write!(
            f,
            "the print account of {} for {} says {} settled, {} reserved, credit {}; its ledger adds up to {}, {}, {}",
            self.member,
            stands.month,
            stands.settled_pages,
            stands.reserved_pages,
            stands.credit_minor,
            sum.settled_pages,
            sum.reserved_pages,
            sum.credit_minor
        )
    }
}

/// Adds the ledger up again. Credit is the sum of all amounts; a month's settled pages are those of its settlements, and
/// its reserved pages those of its reserves that have no end yet.
pub(crate) fn recompute(db: &Connection) -> Result<(u64, Vec<AccountMismatch>), StoreError> {
    let rows: i64 = db.query_row("SELECT count(*) FROM print_ledger", [], |row| row.get(0))?;
    let mismatches = all(
        db,
        "WITH ended AS (SELECT job FROM print_ledger WHERE kind IN ('settle', 'void')),
              owner AS (SELECT member FROM print_account UNION SELECT member FROM print_ledger)
         SELECT owner.member AS member, coalesce(a.month, '') AS month, coalesce(a.settled_pages, 0) AS settled_pages,
            coalesce(a.reserved_pages, 0) AS reserved_pages, coalesce(a.credit_minor, 0) AS credit_minor,
            coalesce(sum(l.amount_minor), 0) AS sum_credit,
            coalesce(sum(l.pages) FILTER (WHERE l.kind = 'settle' AND l.month = a.month), 0) AS sum_settled,
            coalesce(sum(l.pages) FILTER (WHERE l.kind = 'reserve' AND l.month = a.month
                AND l.job NOT IN (SELECT job FROM ended)), 0) AS sum_reserved
         FROM owner LEFT JOIN print_account a ON a.member = owner.member LEFT JOIN print_ledger l ON l.member = owner.member
         GROUP BY owner.member
         HAVING a.member IS NULL OR settled_pages <> sum_settled OR reserved_pages <> sum_reserved OR credit_minor <> sum_credit",
        [],
        |row| {
            let month: String = row.get("month")?;
            let stands = PrintAccount {
                month: month.clone(),
                settled_pages: row.get("settled_pages")?,
                reserved_pages: row.get("reserved_pages")?,
                credit_minor: row.get("credit_minor")?,
            };
            let adds_up_to = PrintAccount {
                month,
                settled_pages: row.get("sum_settled")?,
                reserved_pages: row.get("sum_reserved")?,
                credit_minor: row.get("sum_credit")?,
            };
            Ok(AccountMismatch { member: row.get("member")?, stands, adds_up_to })
        },
    )?;
    Ok((crate::people::uncount(rows), mismatches))
}

/// Reservations that the ledger says are open and the table does not, or the other way round.
pub(crate) fn loose_reservations(db: &Connection) -> Result<Vec<String>, StoreError> {
    all(
        db,
        "SELECT r.job AS job FROM print_reservation r
         WHERE (r.state = 'closed') <> EXISTS
            (SELECT 1 FROM print_ledger l WHERE l.job = r.job AND l.kind IN ('settle', 'void'))
         OR NOT EXISTS (SELECT 1 FROM print_ledger l WHERE l.job = r.job AND l.kind = 'reserve')",
        [],
        |row| Ok(row.get("job")?),
    )
}

pub(crate) fn save_job(db: &Connection, job: &JobRecord) -> Result<(), StoreError> {
    let record = serde_json::to_string(job).map_err(|error| StoreError::Sql { detail: error.to_string() })?;
    db.prepare_cached(
        "INSERT INTO print_job (id, member, is_final, updated_at, record) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO UPDATE SET member = excluded.member, is_final = excluded.is_final,
            updated_at = excluded.updated_at, record = excluded.record",
    )?
    .execute(params![
        job.id.to_string(),
        job.member.to_string(),
        job.stage.is_final(),
        job.updated_at.0,
        record
    ])?;
    Ok(())
}

/// Every job that is not final, and the newest of the others, oldest first.
pub(crate) fn load_jobs(db: &Connection) -> Result<Vec<JobRecord>, StoreError> {
    all(
        db,
        "SELECT record FROM print_job WHERE is_final = 0
            OR seq IN (SELECT seq FROM print_job WHERE is_final = 1 ORDER BY seq DESC LIMIT ?1) ORDER BY seq",
        [FINISHED_JOBS_LOADED],
        |row| {
            let record: String = row.get("record")?;
            serde_json::from_str(&record)
                .map_err(|error| StoreError::corrupt("core.db", format!("a print job: {error}")))
        },
    )
}
