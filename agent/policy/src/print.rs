//! What a print job costs, whether it may go, and what is settled in the end: who prints ([`identify`]), on which terms
//! ([`entitlement`], [`quote`]), what came out ([`settle`]), and the ledger's three movements ([`plan_reserve`],
//! [`plan_settle`], [`plan_credit`]), each of which plans complete changes and moves nothing itself.
//!
//! Money is kept in hundredths of the site's currency (`_minor`). A page is one printed side. Nothing here knows IPP, a
//! document or a printer: it is told numbers. How a job stands is in [`job`].
//!
//! ```text
//! plan_reserve --> open Reservation --> plan_settle(Settle | Void) --> closed, charged at most what was reserved
//!                        ^------------- plan_settle(NeedsChecking)    stays open, nothing charged yet
//! ```

mod job;
#[cfg(test)]
mod tests;

pub use job::{Ending, JobRecord, JobStage, UpstreamJob};

use crate::apply::Change;
use crate::people::{Credential, CredentialKind, Member, grants, standing};
use crate::reason::Reason;
use crate::schedule::{month, spoken};
use crate::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use values::{CredentialId, JobId, MemberId, Now, PrinterName, Secret, Timestamp};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum PrintResult {
    Completed {
        counter: Option<u32>,
    },
    /// Aborted, cancelled or vanished.
    Stopped {
        counter: Option<u32>,
    },
    /// It ended before the printer took any of it.
    NotSent,
}

/// By what a settlement was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "settlement")]
pub enum Settlement {
    /// These pages are paid for; the rest of the reservation is returned.
    Settle { pages: u32, by: CountedBy },
    /// Nothing came out; all is returned.
    Void,
    /// Nothing is charged until a counter or a person says; the reservation stays.
    NeedsChecking,
}

/// What a print client presented over TLS. The digests were made at the edge, so the password itself goes no further.
#[derive(Clone, Debug)]
pub struct PrintEvidence {
    pub username: String,
    /// NT hash of the presented password: compared with a Wi-Fi key.
    pub nt_hash: Secret<[u8; 16]>,
    /// SHA-256 of the presented password: compared with a print token.
    pub sha256: Secret<[u8; 32]>,
}

/// Who prints, and what proved it.
#[derive(Clone, Copy, Debug)]
pub struct SignedIn<'a> {
    pub member: &'a Member,
    pub credential: &'a Credential,
}

/// Why nobody was recognised. `named` is for the history alone: whose user name it was that came with a wrong password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInRefused {
    pub reason: Reason,
    pub named: Option<(MemberId, CredentialId)>,
}

/// Recognises the member behind a user name and password: a Wi-Fi key or a print token. An unknown name and a wrong
/// password are the same refusal after the same work.
///
/// # Errors
/// `WrongKey`, or `CredentialRevoked` to somebody who knows the revoked key.
pub fn identify<'a>(snapshot: &'a Snapshot, evidence: &PrintEvidence) -> Result<SignedIn<'a>, SignInRefused> {
    let key = snapshot.wifi_key(&evidence.username);
    let token = snapshot.print_token(&evidence.username);
    let (key_hash, token_hash) = (key_hash(key), token_hash(token));
    let key_matches = key_hash.ct_eq(evidence.nt_hash.expose()) & subtle::Choice::from(u8::from(key.is_some()));
    let token_matches = token_hash.ct_eq(evidence.sha256.expose()) & subtle::Choice::from(u8::from(token.is_some()));
    let matched = if bool::from(key_matches) {
        key
    } else if bool::from(token_matches) {
        token
    } else {
        None
    };
    let Some(credential) = matched else {
        let named = key.or(token).map(|credential| (credential.member, credential.id));
        return Err(SignInRefused { reason: Reason::WrongKey, named });
    };
    let named = Some((credential.member, credential.id));
    if let Some(at) = credential.revoked_at {
        let since = spoken(&snapshot.site.site, at);
        return Err(SignInRefused { reason: Reason::CredentialRevoked { since }, named });
    }
    match snapshot.members.get(&credential.member) {
        Some(member) => Ok(SignedIn { member, credential }),
        None => Err(SignInRefused { reason: Reason::UnknownMember, named }),
    }
}

/// What a presented NT hash is compared with; zeroes where there is no key, so that the work is the same.
fn key_hash(credential: Option<&Credential>) -> [u8; 16] {
    match credential.map(|credential| &credential.kind) {
        Some(CredentialKind::WifiKey { nt_hash, .. }) => *nt_hash.expose(),
        Some(
            CredentialKind::Badge { .. }
            | CredentialKind::PrintToken { .. }
            | CredentialKind::DeviceCertificate { .. }
            | CredentialKind::WifiPassphrase { .. }
            | CredentialKind::RegisteredDevice { .. },
        )
        | None => [0; 16],
    }
}

fn token_hash(credential: Option<&Credential>) -> [u8; 32] {
    match credential.map(|credential| &credential.kind) {
        Some(CredentialKind::PrintToken { sha256, .. }) => *sha256,
        Some(
            CredentialKind::Badge { .. }
            | CredentialKind::WifiKey { .. }
            | CredentialKind::DeviceCertificate { .. }
            | CredentialKind::WifiPassphrase { .. }
            | CredentialKind::RegisteredDevice { .. },
        )
        | None => [0; 32],
    }
}

/// Whether a member may print at all at this moment, and on which terms: her own plan's, else those of the first running
/// pass that includes printing.
///
/// # Errors
/// What the member must be told.
pub fn entitlement(snapshot: &Snapshot, member: MemberId, now: Now) -> Result<(&Member, &PrintPlan), Reason> {
    let member = standing(snapshot, member, now)?;
    let terms = grants(snapshot, member, now).find_map(|grant| grant.plan.print.as_ref());
    match terms {
        Some(terms) => Ok((member, terms)),
        None if snapshot.plan_of(member).is_none() => Err(Reason::UnknownPlan { plan: member.plan.to_string() }),
        None => Err(Reason::NoPrintInPlan { plan: member.plan.to_string() }),
    }
}

/// Where a member stands at `now`: counts of an older month read as zero, money stays. A clock that went back a month
/// keeps the later month, so that no month's allowance is given twice.
#[must_use]
pub fn account(snapshot: &Snapshot, member: MemberId, now: Now) -> PrintAccount {
    let month = month(&snapshot.site.site, now.stamp());
    match snapshot.print_accounts.get(&member) {
        None => PrintAccount { month, ..PrintAccount::default() },
        Some(account) if account.month < month => {
            PrintAccount { month, settled_pages: 0, reserved_pages: 0, ..(**account).clone() }
        }
        Some(account) => (**account).clone(),
    }
}

/// What a job would cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    pub pages: u32,
    pub included_pages: u32,
    pub charge_minor: i64,
}

/// The price of `pages` sides, copies included: what is left of the plan's allowance first, then the price a page out of
/// credit and overdraft.
///
/// # Errors
/// What [`entitlement`] refuses, or `AccountLimitReached` with what is missing.
pub fn quote(snapshot: &Snapshot, member: MemberId, pages: u32, now: Now) -> Result<Quote, Reason> {
    let (_, terms) = entitlement(snapshot, member, now)?;
    let account = account(snapshot, member, now);
    let left = pages_left(terms, &account);
    let included_pages = pages.min(left);
    let charge_minor = i64::from(pages - included_pages).saturating_mul(terms.page_price_minor.max(0));
    let available_minor = account.credit_minor.saturating_add(terms.overdraft_minor.max(0));
    let short_minor = charge_minor.saturating_sub(available_minor);
    if charge_minor > 0 && short_minor > 0 {
        let currency = snapshot.site.site.currency.clone();
        return Err(Reason::AccountLimitReached { pages, left, short_minor, currency });
    }
    Ok(Quote { pages, included_pages, charge_minor })
}

fn pages_left(terms: &PrintPlan, account: &PrintAccount) -> u32 {
    terms.included_pages.saturating_sub(account.settled_pages).saturating_sub(account.reserved_pages)
}

/// The settlement table of DESIGN 6.
///
/// A counter is plausible when it lies above zero and at or below twice the reserved pages: printers count the blank back
/// of a sheet as a side, and each sheet carries at least one page of ours. What is charged never exceeds what was reserved.
/// A printer that is known not to count is not believed when it names a number.
#[must_use]
pub fn settle(result: PrintResult, reservation: &Reservation, printer_counts: bool) -> Settlement {
    let counted = |pages: u32| Settlement::Settle { pages: pages.min(reservation.pages), by: CountedBy::Counter };
    let plausible = |pages: u32| pages > 0 && pages <= reservation.pages.saturating_mul(BLANK_BACK_FACTOR);
    match (result, printer_counts) {
        (PrintResult::NotSent, _) => Settlement::Void,
        (PrintResult::Completed { .. }, false) => {
            Settlement::Settle { pages: reservation.pages, by: CountedBy::Estimate }
        }
        (PrintResult::Completed { counter: Some(pages) }, true) if plausible(pages) => counted(pages),
        (PrintResult::Stopped { counter: Some(0) }, true) => Settlement::Void,
        (PrintResult::Stopped { counter: Some(pages) }, true) if plausible(pages) => counted(pages),
        (PrintResult::Completed { .. }, true) | (PrintResult::Stopped { .. }, _) => Settlement::NeedsChecking,
    }
}

/// A side and its blank back: the most that a printer can count for one page of ours.
const BLANK_BACK_FACTOR: u32 = 2;

/// Most sides in one job, copies included: ten boxes of paper. Above it somebody made a mistake.
pub const JOB_MAX_PAGES: u32 = 25_000;

/// Sets pages and money aside for a job.
///
/// # Errors
/// What [`quote`] refuses; `AlreadySo` when this job holds a reservation; an unknown printer; no pages or too many.
pub fn plan_reserve(
    snapshot: &Snapshot,
    job: JobId,
    member: MemberId,
    printer: &PrinterName,
    pages: u32,
    now: Now,
) -> Result<Vec<Change>, Reason> {
    if snapshot.reservations.contains_key(&job) {
        return Err(Reason::AlreadySo { what: "the job has its pages set aside".into() });
    }
    if !snapshot.site.printers.contains_key(printer) {
        return Err(Reason::UnknownPrinter { printer: printer.to_string() });
    }
    if !(1..=JOB_MAX_PAGES).contains(&pages) {
        return Err(Reason::Invalid { what: "The number of pages".into(), expected: format!("1 to {JOB_MAX_PAGES}") });
    }
    let quote = quote(snapshot, member, pages, now)?;
    let mut account = account(snapshot, member, now);
    let month = account.month.clone();
    account.reserved_pages = account.reserved_pages.saturating_add(pages);
    account.credit_minor = account.credit_minor.saturating_sub(quote.charge_minor);
    let Quote { included_pages, charge_minor, .. } = quote;
    let printer = printer.clone();
    let reservation = Reservation { job, member, printer, month, pages, included_pages, charge_minor, at: now.stamp() };
    Ok(vec![Change::PrintReserved { reservation, account }])
}

/// Ends a job's reservation, or leaves it open when nobody can say yet what came out.
///
/// # Errors
/// `AlreadySo` when there is no open reservation: it was settled before, or never made.
pub fn plan_settle(snapshot: &Snapshot, job: JobId, settlement: Settlement, now: Now) -> Result<Vec<Change>, Reason> {
    let Some(reservation) = snapshot.reservations.get(&job) else {
        return Err(Reason::AlreadySo { what: "the job holds no pages any more".into() });
    };
    let (settlement, settled_pages) = match settlement {
        Settlement::NeedsChecking => return Ok(Vec::new()),
        Settlement::Void | Settlement::Settle { pages: 0, .. } => (Settlement::Void, 0),
        Settlement::Settle { pages, by } => {
            let pages = pages.min(reservation.pages);
            (Settlement::Settle { pages, by }, pages)
        }
    };
    let mut account =
        snapshot.print_accounts.get(&reservation.member).map(|account| (**account).clone()).unwrap_or_default();
    // A reservation of an older month settles in its own: it touches none of the counts that this account now shows.
    let same_month = account.month == reservation.month;
    if same_month {
        account.reserved_pages = account.reserved_pages.saturating_sub(reservation.pages);
    }
    let free_pages = if same_month { allowance_left(snapshot, reservation.member, &account, now) } else { 0 };
    let charged_minor = charge(reservation, settled_pages, free_pages);
    if same_month {
        account.settled_pages = account.settled_pages.saturating_add(settled_pages);
    }
    account.credit_minor = account.credit_minor.saturating_add(reservation.charge_minor.saturating_sub(charged_minor));
    Ok(vec![Change::PrintSettled { job, member: reservation.member, settlement, charged_minor, account }])
}

/// What is left of the member's allowance, the job's reservation already returned; a suspended member's too.
fn allowance_left(snapshot: &Snapshot, member: MemberId, account: &PrintAccount, now: Now) -> u32 {
    let Some(member) = snapshot.members.get(&member) else { return 0 };
    let terms = grants(snapshot, member, now).find_map(|grant| grant.plan.print.as_ref());
    terms.map_or(0, |terms| pages_left(terms, account))
}

/// The price of what came out, at the price of the reservation. Pages that were reserved against money cost nothing where
/// the allowance has room again because an earlier job returned its own; so it is never more than what was reserved.
fn charge(reservation: &Reservation, settled_pages: u32, free_pages: u32) -> i64 {
    let paid_pages = reservation.pages - reservation.included_pages.min(reservation.pages);
    if paid_pages == 0 {
        return 0;
    }
    let page_price_minor = reservation.charge_minor / i64::from(paid_pages);
    let included_pages = reservation.included_pages.max(free_pages);
    i64::from(settled_pages.saturating_sub(included_pages)).saturating_mul(page_price_minor)
}

/// Most that one credit may move: a million, far above a print account and far below where sums could overflow.
pub const CREDIT_MAX_MINOR: i64 = 100_000_000;

/// Adds to (or, when negative, takes from) what a member has bought.
///
/// # Errors
/// An unknown member, zero, or an amount or resulting balance beyond [`CREDIT_MAX_MINOR`].
pub fn plan_credit(snapshot: &Snapshot, member: MemberId, amount_minor: i64, now: Now) -> Result<Vec<Change>, Reason> {
    if !snapshot.members.contains_key(&member) {
        return Err(Reason::UnknownMember);
    }
    let mut account = account(snapshot, member, now);
    account.credit_minor = account.credit_minor.saturating_add(amount_minor);
    let (amount, balance) = (amount_minor.unsigned_abs(), account.credit_minor.unsigned_abs());
    if amount == 0 || amount.max(balance) > CREDIT_MAX_MINOR.unsigned_abs() {
        let expected = format!(
            "an amount other than zero, and a balance of at most {}",
            crate::reason::spoken_amount(CREDIT_MAX_MINOR)
        );
        return Err(Reason::Invalid { what: "The credit".into(), expected });
    }
    Ok(vec![Change::PrintCredited { member, amount_minor, account }])
}
