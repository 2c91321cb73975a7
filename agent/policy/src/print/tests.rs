//! The table of DESIGN 6, the price of a job, and the ledger against a model that keeps every row and sums it anew.

use super::*;
use crate::people::{MemberStatus, Window};
use crate::site::{Plan, Printer, Site, SiteModel};
use crate::snapshot::Loaded;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use values::{Mono, Pii, PlanName};

/// 2026-11-21T12:00:00Z
const NOVEMBER: Timestamp = Timestamp::from_seconds(1_795_262_400);
const DAY_SECONDS: i64 = 86_400;

fn at(timestamp: Timestamp) -> Now {
    Now::trusted(Mono(0), timestamp)
}

fn days_later(days: i64) -> Now {
    at(Timestamp::from_seconds(NOVEMBER.seconds() + days * DAY_SECONDS))
}

fn name<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a fixed name")
}

fn member_id(n: u8) -> MemberId {
    MemberId::from_random([n; 16])
}

fn job_id(n: u8) -> JobId {
    JobId::from_random([n; 16])
}

fn plan(plan_name: &str, print: Option<PrintPlan>) -> Plan {
    Plan { name: name(plan_name), title: plan_name.into(), wifi: None, print, doors: Vec::new() }
}

fn member(n: u8, plan: &str) -> Member {
    Member {
        id: member_id(n),
        revision: 1,
        name: Pii(format!("Member {n}")),
        email: Pii(format!("m{n}@example.org")),
        plan: name::<PlanName>(plan),
        team: None,
        status: MemberStatus::Active,
        valid: Window::default(),
        home_site: None,
        shows_presence: false,
        added_at: NOVEMBER,
    }
}

fn credential(n: u8, member: MemberId, kind: CredentialKind, revoked_at: Option<Timestamp>) -> Credential {
    Credential {
        id: CredentialId::from_random([n; 16]),
        revision: 1,
        member,
        label: Pii("laptop".into()),
        kind,
        issued_at: NOVEMBER,
        revoked_at,
    }
}

/// 20 pages included, 10 cents a page beyond, one euro of overdraft.
fn terms() -> PrintPlan {
    PrintPlan { included_pages: 20, page_price_minor: 10, overdraft_minor: 100 }
}

fn snapshot() -> Snapshot {
    let printer = Printer {
        name: name("front"),
        title: "Front".into(),
        upstream: "ipp://127.0.0.1:8701/ipp/print".into(),
        counts: true,
        colour: true,
        duplex: true,
    };
    let plans = [plan("flex", Some(terms())), plan("doors-only", None)];
    let site = SiteModel {
        generation: 1,
        ssids: Vec::new(),
        eap_methods: crate::EapMethod::ALL.to_vec(),
        site: Site {
            name: "Harbour Works".into(),
            realm: "harbour.example".into(),
            time_zone: jiff::tz::TimeZone::UTC,
            holidays: Default::default(),
            currency: "EUR".into(),
        },
        schedules: Default::default(),
        networks: Default::default(),
        access_points: Default::default(),
        printers: BTreeMap::from([(printer.name.clone(), printer)]),
        doors: Default::default(),
        plans: plans.into_iter().map(|plan| (plan.name.clone(), plan)).collect(),
    };
    let suspended = Member { status: MemberStatus::Suspended { since: NOVEMBER }, ..member(3, "flex") };
    let key = |fill| CredentialKind::WifiKey { username: format!("user{fill}"), nt_hash: Secret::new([fill; 16]) };
    let token = CredentialKind::PrintToken { username: "token1".into(), sha256: [7; 32] };
    let loaded = Loaded {
        members: vec![member(1, "flex"), member(2, "doors-only"), suspended],
        credentials: vec![
            credential(1, member_id(1), key(1), None),
            credential(2, member_id(1), token, None),
            credential(3, member_id(1), key(3), Some(NOVEMBER)),
        ],
        ..Loaded::default()
    };
    Snapshot::load(Arc::new(site), loaded)
}

fn evidence(username: &str, nt: u8, sha: u8) -> PrintEvidence {
    PrintEvidence { username: username.into(), nt_hash: Secret::new([nt; 16]), sha256: Secret::new([sha; 32]) }
}

#[test]
fn a_member_signs_in_with_a_wifi_key_or_a_print_token() {
    let snapshot = snapshot();
    let who =
        |e: &PrintEvidence| identify(&snapshot, e).map(|signed| (signed.member.id, signed.credential.kind.word()));
    assert_eq!(who(&evidence("user1", 1, 9)), Ok((member_id(1), "wifi-key")));
    assert_eq!(who(&evidence("User1@harbour.example", 1, 9)), Ok((member_id(1), "wifi-key")));
    assert_eq!(who(&evidence("token1", 9, 7)), Ok((member_id(1), "print-token")));
}

#[test]
fn an_unknown_name_and_a_wrong_password_are_the_same_refusal() {
    let snapshot = snapshot();
    let refused = |e: &PrintEvidence| identify(&snapshot, e).map(|signed| signed.member.id).expect_err("refused");
    assert_eq!(refused(&evidence("user1", 2, 2)).reason, Reason::WrongKey);
    assert_eq!(refused(&evidence("user1", 2, 2)).named.map(|(member, _)| member), Some(member_id(1)));
    // The digests of an unknown name are zeroes; presenting zeroes must not match them.
    for (username, fill) in [("nobody", 9), ("nobody", 0), ("user1", 0), ("token1", 0), ("", 0)] {
        assert_eq!(refused(&evidence(username, fill, fill)).reason, Reason::WrongKey, "{username} {fill}");
    }
    assert!(matches!(refused(&evidence("user3", 3, 9)).reason, Reason::CredentialRevoked { .. }));
    assert_eq!(refused(&evidence("user3", 4, 9)).reason, Reason::WrongKey);
}

#[test]
fn who_may_print() {
    let snapshot = snapshot();
    let code = |n| entitlement(&snapshot, member_id(n), at(NOVEMBER)).map(|_| "ok").map_err(|reason| reason.code());
    assert_eq!(code(1), Ok("ok"));
    assert_eq!(code(2), Err("no-print-in-plan"));
    assert_eq!(code(3), Err("member-suspended"));
    assert_eq!(code(9), Err("unknown-member"));
}

#[test]
fn a_job_costs_the_allowance_first_and_then_money() {
    /// Included pages and charge, or what is short.
    type Cost = Result<(u32, i64), i64>;
    // credit, settled, reserved, pages
    let table: &[(i64, u32, u32, u32, Cost)] = &[
        (0, 0, 0, 20, Ok((20, 0))),
        (0, 0, 0, 21, Ok((20, 10))),
        (0, 0, 0, 30, Ok((20, 100))),   // just inside the overdraft
        (0, 0, 0, 31, Err(10)),         // one page beyond it
        (0, 15, 5, 1, Ok((0, 10))),     // reserved pages are taken
        (-100, 20, 0, 1, Err(10)),      // the overdraft is used up
        (-500, 10, 0, 10, Ok((10, 0))), // debts do not stop included pages
        (-500, 20, 0, 1, Err(410)),     // and the whole debt is named
        (1_000, 30, 0, 110, Ok((0, 1_100))),
        (1_000, 30, 0, 111, Err(10)),
    ];
    for &(credit_minor, settled_pages, reserved_pages, pages, expected) in table {
        let account = PrintAccount { month: "2026-11".into(), settled_pages, reserved_pages, credit_minor };
        let change = Change::PrintCredited { member: member_id(1), amount_minor: 0, account };
        let snapshot = snapshot().with(&[change]);
        let answer = quote(&snapshot, member_id(1), pages, at(NOVEMBER));
        let answer = answer.map(|q| (q.included_pages, q.charge_minor)).map_err(|reason| match reason {
            Reason::AccountLimitReached { short_minor, .. } => short_minor,
            other => panic!("{other:?}"),
        });
        assert_eq!(
            answer, expected,
            "credit {credit_minor} settled {settled_pages} reserved {reserved_pages} pages {pages}"
        );
    }
}

#[test]
fn the_settlement_table() {
    use PrintResult::{Completed, NotSent, Stopped};
    let reservation = Reservation {
        job: job_id(1),
        member: member_id(1),
        printer: name("front"),
        month: "2026-11".into(),
        pages: 20,
        included_pages: 20,
        charge_minor: 0,
        at: NOVEMBER,
    };
    let counted = |pages| Settlement::Settle { pages, by: CountedBy::Counter };
    let estimate = Settlement::Settle { pages: 20, by: CountedBy::Estimate };
    let table = [
        (Completed { counter: Some(20) }, true, counted(20)),
        (Completed { counter: Some(1) }, true, counted(1)),
        (Completed { counter: Some(40) }, true, counted(20)), // blank backs are not charged
        (Completed { counter: Some(41) }, true, Settlement::NeedsChecking),
        (Completed { counter: Some(0) }, true, Settlement::NeedsChecking),
        (Completed { counter: Some(u32::MAX) }, true, Settlement::NeedsChecking),
        (Completed { counter: None }, true, Settlement::NeedsChecking),
        (Completed { counter: Some(20) }, false, estimate),
        (Completed { counter: Some(0) }, false, estimate),
        (Completed { counter: None }, false, estimate),
        (Stopped { counter: Some(0) }, true, Settlement::Void),
        (Stopped { counter: Some(7) }, true, counted(7)),
        (Stopped { counter: Some(41) }, true, Settlement::NeedsChecking),
        (Stopped { counter: None }, true, Settlement::NeedsChecking),
        (Stopped { counter: Some(0) }, false, Settlement::NeedsChecking),
        (Stopped { counter: None }, false, Settlement::NeedsChecking),
        (NotSent, true, Settlement::Void),
        (NotSent, false, Settlement::Void),
    ];
    for (result, printer_counts, expected) in table {
        assert_eq!(settle(result, &reservation, printer_counts), expected, "{result:?} counts {printer_counts}");
    }
}

fn reserve(snapshot: &Snapshot, job: u8, pages: u32, now: Now) -> Result<Snapshot, Reason> {
    plan_reserve(snapshot, job_id(job), member_id(1), &name("front"), pages, now).map(|changes| snapshot.with(&changes))
}

fn end(snapshot: &Snapshot, job: u8, pages: u32, now: Now) -> Result<Snapshot, Reason> {
    let settlement = Settlement::Settle { pages, by: CountedBy::Counter };
    plan_settle(snapshot, job_id(job), settlement, now).map(|changes| snapshot.with(&changes))
}

#[test]
fn a_second_reserve_or_settle_of_a_job_changes_nothing() {
    let now = at(NOVEMBER);
    let reserved = reserve(&snapshot(), 1, 5, now).expect("reserved");
    assert_eq!(reserve(&reserved, 1, 5, now).map(|_| ()).map_err(|r| r.code()), Err("already-so"));
    let settled = end(&reserved, 1, 5, now).expect("settled");
    assert_eq!(end(&settled, 1, 5, now).map(|_| ()).map_err(|r| r.code()), Err("already-so"));
    let checking = plan_settle(&reserved, job_id(1), Settlement::NeedsChecking, now).expect("left open");
    assert!(checking.is_empty());
}

#[test]
fn pages_that_an_earlier_job_returned_are_not_paid_for() {
    let now = at(NOVEMBER);
    let first = reserve(&snapshot(), 1, 15, now).expect("15 of the allowance");
    let second = reserve(&first, 2, 10, now).expect("5 of the allowance, 5 for money");
    assert_eq!(account(&second, member_id(1), now).credit_minor, -50);
    let void = end(&second, 1, 0, now).expect("the first job printed nothing");
    let settled = end(&void, 2, 10, now).expect("the second printed all");
    let account = account(&settled, member_id(1), now);
    assert_eq!((account.settled_pages, account.reserved_pages, account.credit_minor), (10, 0, 0));
}

#[test]
fn a_reservation_settles_in_its_own_month() {
    let november = reserve(&snapshot(), 1, 25, at(NOVEMBER)).expect("20 of the allowance, 5 for money");
    let december = days_later(15);
    assert_eq!(account(&november, member_id(1), december).reserved_pages, 0);
    let both = reserve(&november, 2, 20, december).expect("a new allowance");
    let settled = end(&both, 1, 22, december).expect("22 of November's came out");
    let account = account(&settled, member_id(1), december);
    assert_eq!((account.settled_pages, account.reserved_pages, account.credit_minor), (0, 20, -20));
}

#[test]
fn a_clock_that_goes_back_a_month_gives_no_second_allowance() {
    let december = reserve(&snapshot(), 1, 20, days_later(15)).expect("December's allowance");
    let back = reserve(&december, 2, 20, at(NOVEMBER));
    assert_eq!(back.map(|_| ()).map_err(|r| r.code()), Err("account-limit-reached"));
}

#[test]
fn a_credit_has_bounds() {
    let code =
        |member, amount| plan_credit(&snapshot(), member, amount, at(NOVEMBER)).map(|c| c.len()).map_err(|r| r.code());
    assert_eq!(code(member_id(1), 500), Ok(1));
    assert_eq!(code(member_id(1), -500), Ok(1));
    assert_eq!(code(member_id(1), 0), Err("invalid"));
    assert_eq!(code(member_id(1), i64::MAX), Err("invalid"));
    assert_eq!(code(member_id(1), i64::MIN), Err("invalid"));
    assert_eq!(code(member_id(9), 500), Err("unknown-member"));
}

/// The reference: rows are only ever added, and every balance is their sum.
#[derive(Default)]
struct Rows {
    rows: Vec<Row>,
}

enum Row {
    Reserve { job: JobId, month: String, pages: u32, charge_minor: i64 },
    Close { job: JobId, pages: u32, charged_minor: i64 },
    Credit(i64),
}

impl Rows {
    /// Writes down committed changes as the store does; false when the store would refuse them.
    fn commit(&mut self, changes: &[Change]) -> bool {
        for change in changes {
            match change {
                Change::PrintReserved { reservation: r, .. } => {
                    if self.rows.iter().any(|row| matches!(row, Row::Reserve { job, .. } if *job == r.job)) {
                        return false;
                    }
                    self.rows.push(Row::Reserve {
                        job: r.job,
                        month: r.month.clone(),
                        pages: r.pages,
                        charge_minor: r.charge_minor,
                    });
                }
                Change::PrintSettled { job, settlement, charged_minor, .. } => {
                    let pages = match settlement {
                        Settlement::Settle { pages, .. } => *pages,
                        Settlement::Void => 0,
                        Settlement::NeedsChecking => panic!("an unsettled job is no ledger row"),
                    };
                    self.rows.push(Row::Close { job: *job, pages, charged_minor: *charged_minor });
                }
                Change::PrintCredited { amount_minor, .. } => self.rows.push(Row::Credit(*amount_minor)),
                other => panic!("the ledger does not make {other:?}"),
            }
        }
        true
    }

    fn closed(&self, id: JobId) -> Option<(u32, i64)> {
        self.rows.iter().find_map(|row| match row {
            Row::Close { job, pages, charged_minor } if *job == id => Some((*pages, *charged_minor)),
            Row::Close { .. } | Row::Reserve { .. } | Row::Credit(_) => None,
        })
    }

    /// The account of `month`, summed from the rows.
    fn account(&self, month: &str) -> PrintAccount {
        let mut sum = PrintAccount { month: month.to_owned(), ..PrintAccount::default() };
        for row in &self.rows {
            match row {
                Row::Credit(amount_minor) => sum.credit_minor += amount_minor,
                Row::Close { .. } => {}
                Row::Reserve { job, month: of, pages, charge_minor } => {
                    let (settled, charged, reserved) = match self.closed(*job) {
                        Some((settled, charged)) => (settled, charged, 0),
                        None => (0, *charge_minor, *pages),
                    };
                    sum.credit_minor -= charged;
                    if of == month {
                        sum.settled_pages += settled;
                        sum.reserved_pages += reserved;
                    }
                }
            }
        }
        sum
    }

    fn check(&self) {
        for row in &self.rows {
            if let Row::Reserve { job, pages, charge_minor, .. } = row {
                let closings =
                    self.rows.iter().filter(|row| matches!(row, Row::Close { job: closed, .. } if closed == job));
                assert!(closings.count() <= 1, "a job is settled at most once");
                if let Some((settled, charged)) = self.closed(*job) {
                    assert!(
                        settled <= *pages && charged <= *charge_minor && charged >= 0,
                        "never more than was reserved"
                    );
                }
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Reserve { job: u8, pages: u32 },
    Settle { job: u8, result: PrintResult, printer_counts: bool },
    Operator { job: u8, pages: u32 },
    Credit(i64),
    Days(i64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let counter = prop_oneof![Just(None), (0u32..50).prop_map(Some), Just(Some(u32::MAX))];
    let result = prop_oneof![
        counter.clone().prop_map(|counter| PrintResult::Completed { counter }),
        counter.prop_map(|counter| PrintResult::Stopped { counter }),
        Just(PrintResult::NotSent),
    ];
    prop_oneof![
        4 => (0u8..12, 0u32..30).prop_map(|(job, pages)| Step::Reserve { job, pages }),
        4 => (0u8..12, result, any::<bool>()).prop_map(|(job, result, printer_counts)| Step::Settle { job, result, printer_counts }),
        1 => (0u8..12, 0u32..40).prop_map(|(job, pages)| Step::Operator { job, pages }),
        1 => (-50i64..500).prop_map(Step::Credit),
        1 => (-40i64..40).prop_map(Step::Days),
        1 => Just(Step::Restart),
    ]
}

/// A restart: a snapshot made only of what the store holds.
fn reload(old: &Snapshot) -> Snapshot {
    let loaded = Loaded {
        generation: old.generation,
        members: old.members.values().map(|m| (**m).clone()).collect(),
        print_accounts: old.print_accounts.iter().map(|(id, account)| (*id, (**account).clone())).collect(),
        reservations: old.reservations.values().map(|r| (**r).clone()).collect(),
        ..Loaded::default()
    };
    Snapshot::load(Arc::clone(&old.site), loaded)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn the_account_is_the_sum_of_the_ledger(steps in prop::collection::vec(step(), 0..100)) {
        let (mut snapshot, mut rows, mut day) = (snapshot(), Rows::default(), 0i64);
        for step in steps {
            let now = days_later(day);
            let id = member_id(1);
            let planned = match step {
                Step::Reserve { job, pages } => plan_reserve(&snapshot, job_id(job), id, &name("front"), pages, now),
                Step::Settle { job, result, printer_counts } => match snapshot.reservations.get(&job_id(job)) {
                    Some(reservation) => plan_settle(&snapshot, job_id(job), settle(result, reservation, printer_counts), now),
                    None => plan_settle(&snapshot, job_id(job), Settlement::Void, now),
                },
                Step::Operator { job, pages } => {
                    plan_settle(&snapshot, job_id(job), Settlement::Settle { pages, by: CountedBy::Operator }, now)
                }
                Step::Credit(amount) => plan_credit(&snapshot, id, amount, now),
                Step::Days(days) => { day += days; continue }
                Step::Restart => { snapshot = reload(&snapshot); continue }
            };
            if let Ok(changes) = planned && rows.commit(&changes) {
                snapshot = snapshot.with(&changes);
            }
            rows.check();
            let account = account(&snapshot, id, now);
            prop_assert_eq!(&account, &rows.account(&account.month));
            prop_assert!(account.credit_minor >= -terms().overdraft_minor - 50 * 100, "bounded by the overdraft and by what was taken");
        }
    }
}
