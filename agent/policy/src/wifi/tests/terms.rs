//! What somebody is let in with, what a change of it means for a device that is online, and whose VLAN is withheld.

use super::*;
use crate::apply::{Actor, Change, Command, plan as decide};
use values::SeededEntropy;

fn rates(down: Option<u16>, up: Option<u16>) -> Rates {
    Rates { down_mbit: down, up_mbit: up }
}

#[test]
fn a_plans_rates_and_idle_timeout_are_part_of_the_terms() {
    let mut site = site();
    let plan = site.plans.get_mut(&name::<PlanName>("resident")).and_then(|plan| plan.wifi.as_mut()).expect("a plan");
    plan.rates = rates(Some(50), Some(10));
    plan.idle_timeout_minutes = Some(30);
    let mut snapshot = Case::on("resident").snapshot();
    snapshot.site = Arc::new(site);
    let question = WifiQuestion { credential: KEY, mac: None, stage: Stage::Joining };
    let admission = admit(&snapshot, &WifiFacts::default(), &question, trusted(NOON)).expect("she is let in");
    assert_eq!((admission.rates, admission.idle_timeout_seconds), (rates(Some(50), Some(10)), Some(1_800)));
    let without = Case::on("day").joins(trusted(NOON)).expect("he is let in");
    assert_eq!((without.rates, without.idle_timeout_seconds), (Rates::default(), None));
}

#[test]
fn hours_and_passes_close_before_the_grace_and_a_membership_without() {
    let ends = |case: Case| case.joins(trusted(NOON)).map(|admission| (admission.closes_at, admission.ends_at));
    assert_eq!(ends(Case::on("resident")), Ok((None, None)));
    let flex = Ok((Some(at("2026-11-23T18:00")), Some(at("2026-11-23T18:15"))));
    assert_eq!(ends(Case::on("flex")), flex);
    let pass = Case::on("mailbox").pass("day", NOON, "2026-11-23T13:00");
    assert_eq!(ends(pass), Ok((Some(at("2026-11-23T13:00")), Some(at("2026-11-23T13:15")))));
    let leaving = Case::on("flex").with(|c| c.member.valid.until = Some(at("2026-11-23T15:00")));
    assert_eq!(ends(leaving), Ok((Some(at("2026-11-23T15:00")), Some(at("2026-11-23T15:00")))));
}

#[test]
fn what_follows_from_a_change_depends_on_the_terms_alone() {
    let base = Terms {
        network: name("members"),
        vlan: Some(10),
        rates: rates(Some(50), None),
        idle_timeout_seconds: Some(600),
        ends_at: Some(at(NOON)),
    };
    let with = |change: fn(&mut Terms)| {
        let mut terms = base.clone();
        change(&mut terms);
        consequence(&base, &terms)
    };
    type Case = (Consequence, fn(&mut Terms));
    let cases: [Case; 10] = [
        (Consequence::Nothing, |_| {}),
        (Consequence::Move, |terms| terms.network = name("guests")),
        (Consequence::Move, |terms| terms.vlan = Some(11)),
        (Consequence::Move, |terms| terms.vlan = None),
        (Consequence::Adjust, |terms| terms.rates.down_mbit = None),
        (Consequence::Adjust, |terms| terms.rates.up_mbit = Some(5)),
        (Consequence::Adjust, |terms| terms.idle_timeout_seconds = None),
        (Consequence::Tell, |terms| terms.ends_at = None),
        (Consequence::Tell, |terms| terms.ends_at = Some(at(EVENING))),
        (Consequence::Move, |terms| {
            terms.vlan = None;
            terms.rates = Rates::default();
            terms.ends_at = None;
        }),
    ];
    for (index, (expected, change)) in cases.into_iter().enumerate() {
        assert_eq!(with(change), expected, "case {index}");
    }
}

/// A site whose `members` VLAN nobody has vouched for.
struct Office {
    snapshot: Snapshot,
    now: Now,
}

impl Office {
    fn new() -> Self {
        let mut snapshot = Case::on("resident").snapshot();
        let mut site = site();
        site.networks.values_mut().for_each(|network| network.vlan_tested = false);
        snapshot.site = Arc::new(site);
        Self { snapshot, now: trusted(NOON) }
    }

    fn submit(&mut self, command: Command) -> Result<(), Reason> {
        let planned = decide(&self.snapshot, Actor::Console, command, self.now, &mut SeededEntropy(1))?;
        assert!(matches!(planned.changes.as_slice(), [Change::VlanTest(_)]));
        self.snapshot = self.snapshot.with(&planned.changes);
        Ok(())
    }

    fn open(&mut self, network: &str) -> Result<(), Reason> {
        self.submit(Command::OpenVlanTest { network: name(network), member: MARA, minutes: 10 })
    }

    fn pass(&mut self, network: &str, vlan: u16) -> Result<(), Reason> {
        self.submit(Command::PassVlanTest { network: name(network), vlan })
    }

    /// Network, VLAN, the VLAN that is withheld, and Session-Timeout.
    fn terms(&self) -> (String, Option<u16>, Option<u16>, u32) {
        let question = WifiQuestion { credential: KEY, mac: None, stage: Stage::Joining };
        let terms = admit(&self.snapshot, &WifiFacts::default(), &question, self.now).expect("she is let in");
        (terms.network.to_string(), terms.vlan, terms.vlan_withheld, terms.session_timeout_seconds)
    }

    fn change_site(&mut self, change: impl FnOnce(&mut SiteModel)) {
        let mut site = self.snapshot.site.as_ref().clone();
        change(&mut site);
        self.snapshot.site = Arc::new(site);
    }
}

#[test]
fn a_vlan_is_withheld_until_a_device_has_passed_its_test() {
    let mut office = Office::new();
    let flat = ("members".to_owned(), None, Some(10), 14_400);
    assert_eq!(office.terms(), flat);
    office.open("members").expect("a test is opened");
    assert_eq!(office.terms(), ("members".to_owned(), Some(10), None, 600), "for the tester, as long as the test");
    office.now = trusted("2026-11-23T12:10");
    assert_eq!(office.terms(), flat, "the time is up");
    office.open("members").expect("another test");
    office.pass("members", 10).expect("it is passed");
    assert_eq!(office.terms(), ("members".to_owned(), Some(10), None, 14_400));
    assert_eq!(office.pass("members", 10).map_err(|reason| reason.code()), Err("already-so"));
}

#[test]
fn a_test_puts_the_tester_on_its_network_whatever_her_plan_says_and_nobody_else() {
    let mut office = Office::new();
    office.open("guests").expect("a test is opened");
    assert_eq!(office.terms(), ("guests".to_owned(), Some(20), None, 600));
    let network = office.snapshot.site.networks.get(&name::<NetworkName>("guests")).expect("it is there");
    let state = vlan_state(&office.snapshot, network, office.now);
    assert_eq!(state.for_member(MemberId::from_random([5; 16])), (None, Some(20), None));
}

#[test]
fn another_number_in_the_site_file_voids_what_was_shown_and_the_operators_word_counts_without() {
    let mut office = Office::new();
    office.pass("members", 10).expect("the operator says so");
    office.change_site(|site| site.networks.values_mut().for_each(|network| network.vlan = Some(12)));
    assert_eq!(office.terms(), ("members".to_owned(), None, Some(12), 14_400));
    assert_eq!(office.pass("members", 10).map_err(|reason| reason.code()), Err("no-vlan"), "an old report");
    office.change_site(|site| site.networks.values_mut().for_each(|network| network.vlan_tested = true));
    assert_eq!(office.terms(), ("members".to_owned(), Some(12), None, 14_400));
}

#[test]
fn a_test_needs_a_vlan_a_member_and_a_short_time() {
    let mut office = Office::new();
    let mut refused = |network: &str, member: MemberId, minutes: u16| {
        let command = Command::OpenVlanTest { network: name(network), member, minutes };
        office.submit(command).map_err(|reason| reason.code())
    };
    assert_eq!(refused("flat", MARA, 10), Err("no-vlan"));
    assert_eq!(refused("nowhere", MARA, 10), Err("unknown-network"));
    assert_eq!(refused("members", MemberId::from_random([5; 16]), 10), Err("unknown-member"));
    assert_eq!(refused("members", MARA, 0), Err("invalid"));
    assert_eq!(refused("members", MARA, TEST_MAX_MINUTES + 1), Err("invalid"));
}
