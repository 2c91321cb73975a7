//! What a print job costs, whether it may go, and what is settled in the end.
//!
//! Money is kept in hundredths of the site's currency (`_minor`). A page is one printed side.

use values::{JobId, MemberId, PrinterName, Timestamp};

/// What a plan includes of printing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintPlan {
    /// Pages a calendar month that cost nothing more.
    pub included_pages: u32,
    /// Beyond those, hundredths a page.
    pub page_price_minor: i64,
    /// How far the credit may fall below zero before jobs are held.
    pub overdraft_minor: i64,
}

/// Where a member stands. Kept in the snapshot; the ledger rows in core.db are its proof.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrintAccount {
    /// The month that the two page counts are of, `2026-11`; counts of an older month read as zero.
    pub month: String,
    pub settled_pages: u32,
    pub reserved_pages: u32,
    /// Bought and not yet spent; reservations are already taken off.
    pub credit_minor: i64,
}

/// Pages and money set aside for a job before its first byte leaves for the printer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    pub job: JobId,
    pub member: MemberId,
    pub printer: PrinterName,
    pub month: String,
    /// Pages counted in the document, copies included.
    pub pages: u32,
    /// Of those, taken from the plan's allowance.
    pub included_pages: u32,
    /// The price of the rest, taken off the credit.
    pub charge_minor: i64,
    pub at: Timestamp,
}

/// How a job came out at the printer; the table of DESIGN 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrintResult {
    Completed { counter: Option<u32> },
    /// Aborted, cancelled or vanished.
    Stopped { counter: Option<u32> },
}

/// By what a settlement was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CountedBy {
    /// The printer's own counter.
    Counter,
    /// Our count of the document, because this printer is known not to count.
    Estimate,
    /// A person decided.
    Operator,
}

/// What the ledger is told at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// These pages are paid for; the rest of the reservation is returned.
    Settle { pages: u32, by: CountedBy },
    /// Nothing came out; all is returned.
    Void,
    /// Nothing is charged until a counter or a person says; the reservation stays.
    NeedsChecking,
}
