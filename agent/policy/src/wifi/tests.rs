//! One table a rule: who comes in, with which terms, and what the others are told.

use super::*;
use crate::people::{MemberStatus, Pass, Team, Window};
use crate::schedule::{Schedule, Slot};
use crate::site::{Plan, Site, SiteModel};
use crate::snapshot::Loaded;
use jiff::civil::Weekday;
use std::collections::BTreeMap;
use std::sync::Arc;
use values::{Mono, Pii, TeamId};

mod certificate;
mod terms;

const MINUTE: Duration = Duration::from_secs(60);

fn name<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a fixed name")
}

/// A moment in the site's zone.
fn at(text: &str) -> Timestamp {
    let time: jiff::civil::DateTime = text.parse().expect("a fixed time");
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").expect("a known zone");
    Timestamp(time.to_zoned(zone).expect("an existing time").timestamp().as_millisecond())
}

fn trusted(text: &str) -> Now {
    Now::trusted(Mono(0), at(text))
}

fn unsynced(text: &str) -> Now {
    Now { mono: Mono(0), wall: Wall::Unsynced(at(text)) }
}

/// Monday.
const NOON: &str = "2026-11-23T12:00";
const EVENING: &str = "2026-11-23T21:00";

const MARA: MemberId = MemberId::from_random([1; 16]);
const KEY: CredentialId = CredentialId::from_random([2; 16]);

fn mac(last: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, last])
}

fn plan(plan_name: &str, wifi: Option<(&str, u16, Option<&str>)>) -> Plan {
    let wifi = wifi.map(|(network, device_limit, hours)| WifiPlan {
        network: name(network),
        device_limit,
        hours: hours.map(name),
        rates: Rates::default(),
        idle_timeout_minutes: None,
    });
    Plan { name: name(plan_name), title: plan_name.into(), wifi, print: None, doors: Vec::new() }
}

fn network(network_name: &str, vlan: Option<u16>, team: Option<&str>) -> Network {
    Network { name: name(network_name), vlan, vlan_name: None, vlan_tested: true, team: team.map(Into::into) }
}

fn site() -> SiteModel {
    let office = Schedule {
        name: name("office"),
        slots: [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday]
            .map(|weekday| Slot { weekday, from_minute: 8 * 60, until_minute: 18 * 60 })
            .to_vec(),
        closed_on_holidays: true,
    };
    let plans = [
        plan("resident", Some(("members", 2, None))),
        plan("flex", Some(("members", 2, Some("office")))),
        plan("day", Some(("guests", 1, None))),
        plan("mailbox", None),
        plan("lost", Some(("nowhere", 1, None))),
    ];
    let networks = [
        network("members", Some(10), None),
        network("studio", Some(11), Some("Studio North")),
        network("guests", Some(20), None),
        network("flat", None, None),
    ];
    SiteModel {
        generation: 1,
        ssids: Vec::new(),
        eap_methods: crate::EapMethod::ALL.to_vec(),
        site: Site {
            name: "Harbour Works".into(),
            realm: "harbour.example".into(),
            time_zone: jiff::tz::TimeZone::get("Europe/Berlin").expect("a known zone"),
            holidays: [jiff::civil::date(2026, 12, 25)].into(),
            currency: "EUR".into(),
        },
        schedules: [(name("office"), office)].into(),
        networks: networks.into_iter().map(|network| (network.name.clone(), network)).collect(),
        access_points: BTreeMap::new(),
        printers: BTreeMap::new(),
        doors: BTreeMap::new(),
        plans: plans.into_iter().map(|plan| (plan.name.clone(), plan)).collect(),
    }
}

/// Mara with one key, on a plan, changed as the case needs it.
struct Case {
    member: Member,
    key: Credential,
    passes: Vec<Pass>,
}

impl Case {
    fn on(plan: &str) -> Self {
        let member = Member {
            id: MARA,
            revision: 1,
            name: Pii("Mara Holm".into()),
            email: Pii("mara@example.org".into()),
            plan: name(plan),
            team: None,
            status: MemberStatus::Active,
            valid: Window::default(),
            home_site: None,
            shows_presence: false,
            added_at: at("2026-01-01T00:00"),
        };
        let key = Credential {
            id: KEY,
            revision: 1,
            member: MARA,
            label: Pii("laptop".into()),
            kind: CredentialKind::WifiKey { username: "mara1".into(), nt_hash: Secret::new([7; 16]) },
            issued_at: at("2026-01-01T00:00"),
            revoked_at: None,
        };
        Self { member, key, passes: Vec::new() }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn pass(mut self, plan: &str, from: &str, until: &str) -> Self {
        let id = PassId::from_random([self.passes.len() as u8; 16]);
        self.passes.push(Pass { id, revision: 1, member: MARA, plan: name(plan), from: at(from), until: at(until) });
        self
    }

    fn snapshot(self) -> Snapshot {
        let team = Team { id: TeamId::from_random([9; 16]), revision: 1, name: "Studio North".into() };
        Snapshot::load(
            Arc::new(site()),
            Loaded {
                members: vec![self.member],
                teams: vec![team],
                passes: self.passes,
                credentials: vec![self.key],
                ..Loaded::default()
            },
        )
    }

    fn joins(self, now: Now) -> Result<Admission, Reason> {
        self.asks(&[], Stage::Joining, now)
    }

    fn asks(self, live: &[MacAddress], stage: Stage, now: Now) -> Result<Admission, Reason> {
        let question = WifiQuestion { credential: KEY, mac: Some(mac(1)), stage };
        admit(&self.snapshot(), &WifiFacts { live }, &question, now)
    }
}

fn code(result: Result<Admission, Reason>) -> &'static str {
    match result {
        Ok(_) => "admitted",
        Err(reason) => reason.code(),
    }
}

#[test]
fn a_membership_must_be_good_and_a_key_not_revoked() {
    let window = |from: Option<&str>, until: Option<&str>| Window { from: from.map(at), until: until.map(at) };
    let cases: [(&str, Case); 8] = [
        ("admitted", Case::on("resident")),
        (
            "member-suspended",
            Case::on("resident").with(|c| c.member.status = MemberStatus::Suspended { since: at(NOON) }),
        ),
        ("member-ended", Case::on("resident").with(|c| c.member.status = MemberStatus::Ended { at: at(NOON) })),
        (
            "membership-not-begun",
            Case::on("resident").with(|c| c.member.valid = window(Some("2026-12-01T00:00"), None)),
        ),
        ("membership-over", Case::on("resident").with(|c| c.member.valid = window(None, Some(NOON)))),
        ("admitted", Case::on("resident").with(|c| c.member.valid = window(Some(NOON), Some("2026-11-23T12:01")))),
        ("credential-revoked", Case::on("resident").with(|c| c.key.revoked_at = Some(at(NOON)))),
        ("unknown-credential", Case::on("resident").with(|c| c.key.id = CredentialId::from_random([3; 16]))),
    ];
    for (expected, case) in cases {
        assert_eq!(code(case.joins(trusted(NOON))), expected);
    }
}

#[test]
fn any_plan_that_allows_wins_and_the_most_telling_refusal_is_told() {
    let cases: [(&str, Case, &str); 9] = [
        ("admitted", Case::on("resident"), EVENING),
        ("admitted", Case::on("flex"), NOON),
        ("outside-hours", Case::on("flex"), EVENING),
        ("no-wifi-in-plan", Case::on("mailbox"), NOON),
        ("unknown-plan", Case::on("gone"), NOON),
        ("unknown-network", Case::on("lost"), NOON),
        ("admitted", Case::on("flex").pass("day", NOON, "2026-11-23T22:00"), EVENING),
        ("outside-hours", Case::on("mailbox").pass("flex", NOON, "2026-11-23T22:00"), EVENING),
        ("outside-hours", Case::on("flex").pass("mailbox", NOON, "2026-11-23T22:00"), EVENING),
    ];
    for (expected, case, when) in cases {
        let plan = case.member.plan.clone();
        assert_eq!(code(case.joins(trusted(when))), expected, "{plan} at {when}");
    }
}

#[test]
fn the_refusal_says_when_the_hours_begin_again() {
    let refusal = Case::on("flex").joins(trusted(EVENING)).expect_err("it is closed");
    assert_eq!(refusal.sentence(), "The plan's hours `office` are over; they begin again Tue 24 Nov 08:00.");
}

#[test]
fn a_team_lands_on_its_own_network_and_everybody_else_on_the_plans() {
    let vlan = |case: Case| case.joins(trusted(NOON)).map(|admission| (admission.network.to_string(), admission.vlan));
    let in_team = |case: Case| case.with(|c| c.member.team = Some(TeamId::from_random([9; 16])));
    assert_eq!(vlan(Case::on("resident")), Ok(("members".into(), Some(10))));
    assert_eq!(vlan(in_team(Case::on("resident"))), Ok(("studio".into(), Some(11))));
    assert_eq!(vlan(in_team(Case::on("lost"))), Ok(("studio".into(), Some(11))));
    let visitor = Case::on("mailbox").pass("day", NOON, EVENING);
    assert_eq!(vlan(visitor), Ok(("guests".into(), Some(20))));
}

#[test]
fn the_terms_end_with_the_hours_the_pass_or_the_membership() {
    let until = |case: Case, when: &str| {
        case.joins(trusted(when)).map(|admission| (admission.ends_at, admission.session_timeout_seconds))
    };
    let cap = 4 * 3_600;
    assert_eq!(until(Case::on("resident"), NOON), Ok((None, cap)));
    assert_eq!(until(Case::on("flex"), NOON), Ok((Some(at("2026-11-23T18:15")), cap)));
    assert_eq!(until(Case::on("flex"), "2026-11-23T17:50"), Ok((Some(at("2026-11-23T18:15")), 25 * 60)));
    let pass = Case::on("mailbox").pass("day", NOON, "2026-11-23T13:00");
    assert_eq!(until(pass, "2026-11-23T12:30"), Ok((Some(at("2026-11-23T13:15")), 45 * 60)));
    let leaves = Case::on("resident").with(|c| c.member.valid.until = Some(at("2026-11-23T12:10")));
    assert_eq!(until(leaves, NOON), Ok((Some(at("2026-11-23T12:10")), 600)), "no grace beyond a membership");
}

#[test]
fn a_session_that_runs_has_fifteen_minutes_more_and_one_that_begins_has_none() {
    let pass = || Case::on("mailbox").pass("day", NOON, "2026-11-23T18:00");
    let cases =
        [("2026-11-23T17:59", true, true), ("2026-11-23T18:05", false, true), ("2026-11-23T18:16", false, false)];
    for make in [&(|| Case::on("flex")) as &dyn Fn() -> Case, &pass] {
        for (when, joins, stays) in cases {
            assert_eq!(make().asks(&[], Stage::Joining, trusted(when)).is_ok(), joins, "joining at {when}");
            assert_eq!(make().asks(&[], Stage::Running, trusted(when)).is_ok(), stays, "running at {when}");
            assert_eq!(make().asks(&[mac(1)], Stage::Joining, trusted(when)).is_ok(), stays, "roaming at {when}");
        }
    }
    let left =
        Case::on("flex").asks(&[], Stage::Running, trusted("2026-11-23T18:05")).map(|a| a.session_timeout_seconds);
    assert_eq!(left, Ok(600));
}

#[test]
fn a_device_counts_once_and_not_against_itself() {
    let cases: [(&[MacAddress], bool); 5] = [
        (&[], true),
        (&[mac(2)], true),
        (&[mac(2), mac(2)], true),
        (&[mac(2), mac(3)], false),
        (&[mac(1), mac(2)], true),
    ];
    for (live, joins) in cases {
        let answer = Case::on("resident").asks(live, Stage::Joining, trusted(NOON));
        assert_eq!(answer.is_ok(), joins, "{} live", live.len());
    }
    let full = Case::on("resident").asks(&[mac(2), mac(3)], Stage::Joining, trusted(NOON));
    assert_eq!(full, Err(Reason::DeviceLimit { limit: 2, live: 2 }));
    let stays = Case::on("resident").asks(&[mac(1), mac(2), mac(3)], Stage::Running, trusted(NOON));
    assert!(stays.is_ok(), "a limit that shrinks puts nobody out");
}

#[test]
fn a_clock_that_is_only_a_floor_keeps_running_grants_open_and_the_others_closed() {
    let begins_later = Case::on("resident").with(|c| c.member.valid.from = Some(at(EVENING)));
    let ends_later = Case::on("resident").with(|c| c.member.valid.until = Some(at(EVENING)));
    let ended = Case::on("resident").with(|c| c.member.valid.until = Some(at("2026-11-23T11:00")));
    let cases = [
        ("admitted", Case::on("resident")),
        ("clock-untrusted", Case::on("flex")),
        ("clock-untrusted", begins_later),
        ("admitted", ends_later),
        ("membership-over", ended),
        ("admitted", Case::on("mailbox").pass("day", "2026-11-23T11:00", EVENING)),
        ("no-wifi-in-plan", Case::on("mailbox").pass("day", EVENING, "2026-11-23T22:00")),
        ("admitted", Case::on("flex").pass("day", "2026-11-23T11:00", EVENING)),
    ];
    for (expected, case) in cases {
        assert_eq!(code(case.joins(unsynced(NOON))), expected);
    }
    let seconds = Case::on("resident").joins(unsynced(NOON)).map(|admission| admission.session_timeout_seconds);
    assert_eq!(seconds, Ok(3_600));
}

#[test]
fn a_key_is_found_by_its_user_name_whatever_its_case_or_realm() {
    let snapshot = Case::on("resident").with(|c| c.key.revoked_at = Some(at(NOON))).snapshot();
    for username in ["mara1", "MARA1", "mara1@harbour.example", "Mara1@Harbour.Example"] {
        assert_eq!(identify(&snapshot, username).map(|(key, _)| key.id), Some(KEY), "{username}");
    }
    for username in ["", "mara", "mara1@other.example", "mara@example.org"] {
        assert!(identify(&snapshot, username).is_none(), "{username}");
    }
}

#[test]
fn why_answers_for_one_more_device() {
    let ask = |case: Case, live: &[MacAddress]| {
        let snapshot = case.snapshot();
        code(would_admit(&snapshot, &WifiFacts { live }, MARA, trusted(NOON)))
    };
    assert_eq!(ask(Case::on("resident"), &[mac(1)]), "admitted");
    assert_eq!(ask(Case::on("resident"), &[mac(1), mac(2)]), "device-limit");
    assert_eq!(ask(Case::on("resident").with(|c| c.key.revoked_at = Some(at(NOON))), &[]), "credential-revoked");
    let badge_only = |c: &mut Case| c.key.kind = CredentialKind::Badge { uid: Pii("04A1B2C3".into()) };
    assert_eq!(ask(Case::on("resident").with(badge_only), &[]), "no-wifi-key");
    let suspended = Case::on("resident").with(|c| c.member.status = MemberStatus::Suspended { since: at(NOON) });
    assert_eq!(ask(suspended, &[]), "member-suspended");
}

#[test]
fn the_session_timeout_never_reaches_beyond_the_end() {
    for minute in 0..=75_u64 {
        let moment = at("2026-11-23T17:00") + MINUTE * u32::try_from(minute).unwrap_or(0);
        let answer = Case::on("flex").asks(&[], Stage::Running, Now::trusted(Mono(0), moment));
        match answer {
            Ok(terms) => {
                let end = terms.ends_at.expect("hours end");
                let reach = moment + Duration::from_secs(u64::from(terms.session_timeout_seconds));
                assert!(reach <= end && end == at("2026-11-23T18:15"), "minute {minute}");
            }
            Err(reason) => assert_eq!((reason.code(), minute), ("outside-hours", 75)),
        }
    }
}
