//! The ledger against a model: whatever is asked, in whatever order, as often as you like, the accounts are what the
//! accepted steps add up to, across restarts.

use super::*;
use policy::print::{CountedBy, PrintAccount, Reservation, Settlement};
use proptest::prelude::*;
use std::collections::BTreeMap;
use values::JobId;

const MEMBERS: u32 = 3;
const MONTHS: [&str; 2] = ["2026-11", "2026-12"];

#[derive(Clone, Debug)]
enum Step {
    Reserve { job: u8, of: u32, pages: u32, price_minor: i64 },
    Settle { job: u8, pages: u32 },
    Void { job: u8 },
    NeedsChecking { job: u8 },
    Credit { of: u32, amount_minor: i64 },
    NextMonth,
    Reopen,
}

fn steps() -> impl Strategy<Value = Step> {
    let job = 0..12_u8;
    let of = 0..MEMBERS;
    prop_oneof![
        4 => (job.clone(), of.clone(), 1..50_u32, 0..20_i64)
            .prop_map(|(job, of, pages, price_minor)| Step::Reserve { job, of, pages, price_minor }),
        4 => (job.clone(), 0..60_u32).prop_map(|(job, pages)| Step::Settle { job, pages }),
        2 => job.clone().prop_map(|job| Step::Void { job }),
        1 => job.prop_map(|job| Step::NeedsChecking { job }),
        2 => (of, -500..2_000_i64).prop_map(|(of, amount_minor)| Step::Credit { of, amount_minor }),
        1 => Just(Step::NextMonth),
        1 => Just(Step::Reopen),
    ]
}

/// What the accepted steps come to, by the rules of [`policy::print`].
#[derive(Default)]
struct Model {
    month: usize,
    accounts: BTreeMap<u32, PrintAccount>,
    /// Open ones; and every job that ever had one.
    open: BTreeMap<u8, (u32, Reservation)>,
    seen: Vec<u8>,
}

impl Model {
    fn account(&self, of: u32) -> PrintAccount {
        let month = MONTHS[self.month].to_owned();
        match self.accounts.get(&of) {
            Some(account) if account.month == month => account.clone(),
            Some(account) => {
                PrintAccount { month, settled_pages: 0, reserved_pages: 0, credit_minor: account.credit_minor }
            }
            None => PrintAccount { month, ..PrintAccount::default() },
        }
    }

    /// The change that policy would plan, and whether the store should take it.
    fn plan(&mut self, step: &Step) -> Option<(Change, bool)> {
        match step {
            Step::Reserve { job, of, pages, price_minor } => {
                let mut account = self.account(*of);
                let charge_minor = i64::from(*pages) * price_minor;
                account.reserved_pages += pages;
                account.credit_minor -= charge_minor;
                let reservation = Reservation {
                    job: JobId::from_random([*job; 16]),
                    member: member_id(*of),
                    printer: "front".parse().expect("a name"),
                    month: account.month.clone(),
                    pages: *pages,
                    included_pages: 0,
                    charge_minor,
                    at: Timestamp(1),
                };
                let is_new = !self.seen.contains(job);
                if is_new {
                    self.seen.push(*job);
                    self.open.insert(*job, (*of, reservation.clone()));
                    self.accounts.insert(*of, account.clone());
                }
                Some((Change::PrintReserved { reservation, account }, is_new))
            }
            Step::Settle { job, pages } => {
                Some(self.end(*job, Settlement::Settle { pages: *pages, by: CountedBy::Counter }))
            }
            Step::Void { job } => Some(self.end(*job, Settlement::Void)),
            Step::NeedsChecking { .. } | Step::NextMonth | Step::Reopen => None,
            Step::Credit { of, amount_minor } => {
                let mut account = self.account(*of);
                account.credit_minor += amount_minor;
                self.accounts.insert(*of, account.clone());
                Some((Change::PrintCredited { member: member_id(*of), amount_minor: *amount_minor, account }, true))
            }
        }
    }

    fn end(&mut self, job: u8, settlement: Settlement) -> (Change, bool) {
        let id = JobId::from_random([job; 16]);
        let Some((of, reservation)) = self.open.remove(&job) else {
            let account = self.account(0);
            return (
                Change::PrintSettled { job: id, member: member_id(0), settlement, charged_minor: 1, account },
                false,
            );
        };
        let came_out = match settlement {
            Settlement::Settle { pages, .. } => pages.min(reservation.pages),
            Settlement::Void | Settlement::NeedsChecking => 0,
        };
        let charged_minor = reservation.charge_minor / i64::from(reservation.pages) * i64::from(came_out);
        let mut account = self.accounts[&of].clone();
        if account.month == reservation.month {
            account.reserved_pages -= reservation.pages;
            account.settled_pages += came_out;
        }
        account.credit_minor += reservation.charge_minor - charged_minor;
        self.accounts.insert(of, account.clone());
        (Change::PrintSettled { job: id, member: member_id(of), settlement, charged_minor, account }, true)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_accounts_are_what_the_accepted_steps_add_up_to(steps in prop::collection::vec(steps(), 1..60)) {
        let dir = folder();
        let (mut store, _) = open(dir.path());
        apply(&store, (0..MEMBERS).map(|n| Change::Member(member(n))).collect()).expect("applied");
        let mut model = Model::default();
        for step in &steps {
            match step {
                Step::NextMonth => model.month = 1,
                Step::Reopen => {
                    drop(store);
                    store = open(dir.path()).0;
                }
                Step::NeedsChecking { job } => needs_checking(&store, &model, *job),
                _ => {
                    let Some((change, accepted)) = model.plan(step) else { continue };
                    let outcome = apply(&store, vec![change]);
                    if accepted {
                        prop_assert!(outcome.is_ok(), "{step:?}: {outcome:?}");
                    } else {
                        prop_assert!(matches!(outcome, Err(StoreError::Duplicate { .. })), "{step:?}: {outcome:?}");
                    }
                }
            }
        }
        prop_assert_eq!(store.recompute_accounts().expect("read"), Vec::new());
        drop(store);
        let (_, loaded) = open(dir.path());
        let accounts: BTreeMap<_, _> = loaded.print_accounts.into_iter().collect();
        let expected: BTreeMap<_, _> = model.accounts.into_iter().map(|(of, account)| (member_id(of), account)).collect();
        prop_assert_eq!(accounts, expected);
        let mut open_jobs: Vec<_> = loaded.reservations.iter().map(|reservation| reservation.job).collect();
        open_jobs.sort();
        let expected: Vec<_> = model.open.keys().map(|job| JobId::from_random([*job; 16])).collect();
        prop_assert_eq!(open_jobs, expected);
    }
}

/// Marks an open job; what it holds stays held. The second time, and for a job that holds nothing, it is a duplicate.
fn needs_checking(store: &Store, model: &Model, job: u8) {
    let id = JobId::from_random([job; 16]);
    let held = model.open.get(&job);
    let of = held.map_or(0, |(of, _)| *of);
    let account = model.accounts.get(&of).cloned().unwrap_or_default();
    let change = Change::PrintSettled {
        job: id,
        member: member_id(of),
        settlement: Settlement::NeedsChecking,
        charged_minor: 0,
        account,
    };
    let outcome = apply(store, vec![change]);
    assert!(matches!(outcome, Ok(_) | Err(StoreError::Duplicate { .. })), "{outcome:?}");
    assert!(held.is_some() || outcome.is_err());
}

#[test]
fn a_second_settlement_is_a_duplicate_and_says_so() {
    let dir = folder();
    let (store, _) = open(dir.path());
    apply(&store, vec![Change::Member(member(0))]).expect("applied");
    let mut model = Model::default();
    let reserve = Step::Reserve { job: 1, of: 0, pages: 5, price_minor: 10 };
    let (reserved, _) = model.plan(&reserve).expect("a change");
    apply(&store, vec![reserved.clone()]).expect("reserved");
    let (settled, _) = model.plan(&Step::Settle { job: 1, pages: 3 }).expect("a change");
    apply(&store, vec![settled.clone()]).expect("settled");
    for again in [settled, reserved] {
        let refused = apply(&store, vec![again]).expect_err("a duplicate");
        assert_eq!(refused.reason().code(), "already-so");
    }
    assert_eq!(store.recompute_accounts(), Ok(Vec::new()));
}

#[test]
fn an_account_that_was_tampered_with_is_found() {
    let dir = folder();
    let (store, _) = open(dir.path());
    apply(&store, vec![Change::Member(member(0))]).expect("applied");
    let (credit, _) = Model::default().plan(&Step::Credit { of: 0, amount_minor: 500 }).expect("a change");
    apply(&store, vec![credit]).expect("credited");
    drop(store);
    let db = rusqlite::Connection::open(dir.path().join("core.db")).expect("opens");
    db.execute_batch("UPDATE print_account SET credit_minor = 50000").expect("tampered");
    drop(db);
    let report = crate::verify(dir.path()).expect("looked at");
    assert!(report.to_string().contains("its ledger adds up to 0, 0, 500"), "{report}");
    let (store, _) = open(dir.path());
    assert_eq!(store.recompute_accounts().expect("read").len(), 1);
}
