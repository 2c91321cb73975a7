//! The table of who opens the street door of a small site in Berlin, and when.

use super::*;
use crate::people::{CredentialKind, MemberStatus, Pass, Window};
use crate::schedule::{Schedule, Slot};
use crate::site::{DeviceProfile, DoorGrant, Plan, Relay, Site, SiteModel};
use crate::snapshot::Loaded;
use jiff::civil::Weekday;
use std::collections::BTreeMap;
use std::sync::Arc;
use values::{Mono, Pii, Timestamp};

/// Friday 2026-11-20, 10:00 in Berlin.
const FRIDAY_TEN: Timestamp = Timestamp::from_seconds(1_795_165_200);
const HOUR_SECONDS: i64 = 3_600;
const PULSE_MS: u32 = 3_000;

fn hours_later(hours: i64) -> Now {
    Now::trusted(Mono(0), Timestamp::from_seconds(FRIDAY_TEN.seconds() + hours * HOUR_SECONDS))
}

fn unsynced() -> Now {
    Now { mono: Mono(0), wall: Wall::Unsynced(FRIDAY_TEN) }
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

fn member(n: u8, plan: &str, status: MemberStatus, valid: Window) -> Member {
    Member {
        id: member_id(n),
        revision: 1,
        name: Pii(format!("Member {n}")),
        email: Pii(format!("m{n}@example.org")),
        plan: name(plan),
        team: None,
        status,
        valid,
        home_site: None,
        shows_presence: false,
        added_at: FRIDAY_TEN,
    }
}

fn badge(n: u8, uid: &str, revoked_at: Option<Timestamp>) -> Credential {
    Credential {
        id: CredentialId::from_random([n; 16]),
        revision: 1,
        member: member_id(n),
        label: Pii("blue fob".into()),
        kind: CredentialKind::Badge { uid: Pii(uid.into()) },
        issued_at: FRIDAY_TEN,
        revoked_at,
    }
}

fn plan(plan_name: &str, doors: &[(&[&str], Option<&str>)]) -> Plan {
    let grant = |(doors, hours): &(&[&str], Option<&str>)| DoorGrant {
        doors: doors.iter().map(|door| name(door)).collect(),
        hours: hours.map(name),
    };
    Plan {
        name: name(plan_name),
        title: plan_name.into(),
        wifi: None,
        print: None,
        doors: doors.iter().map(grant).collect(),
    }
}

fn door(door_name: &str, readers: &[&str]) -> Door {
    Door {
        name: name(door_name),
        title: door_name.into(),
        relay: Relay {
            device: name(&format!("relay-{door_name}")),
            profile: DeviceProfile::ShellyGen2,
            channel: 0,
            pulse_ms: PULSE_MS,
        },
        readers: readers.iter().map(|reader| name(reader)).collect(),
    }
}

fn schedule(schedule_name: &str, days: &[Weekday], from_hour: u16, until_hour: u16) -> Schedule {
    let slot = |&weekday: &Weekday| Slot { weekday, from_minute: from_hour * 60, until_minute: until_hour * 60 };
    Schedule { name: name(schedule_name), slots: days.iter().map(slot).collect(), closed_on_holidays: true }
}

const WORK_DAYS: [Weekday; 5] =
    [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday];

fn by_name<K: Ord, V>(values: Vec<V>, key: impl Fn(&V) -> K) -> BTreeMap<K, V> {
    values.into_iter().map(|value| (key(&value), value)).collect()
}

fn snapshot() -> Snapshot {
    let time_zone = jiff::tz::TimeZone::get("Europe/Berlin").expect("bundled");
    let site = Site {
        name: "Harbour Works".into(),
        realm: "harbour.example".into(),
        time_zone,
        holidays: [jiff::civil::date(2026, 11, 23)].into(),
        currency: "EUR".into(),
    };
    let office = schedule("office", &WORK_DAYS, 8, 18);
    let evening = schedule("evening", &WORK_DAYS, 17, 22);
    let plans = vec![
        plan("resident", &[(&["street", "studio"], None)]),
        plan("flex", &[(&["street"], Some("office"))]),
        plan("late", &[(&["street"], Some("office")), (&["street"], Some("evening"))]),
        plan("wifi-only", &[]),
    ];
    let model = SiteModel {
        generation: 1,
        ssids: Vec::new(),
        eap_methods: crate::EapMethod::ALL.to_vec(),
        site,
        schedules: by_name(vec![office, evening], |schedule| schedule.name.clone()),
        networks: BTreeMap::new(),
        access_points: BTreeMap::new(),
        printers: BTreeMap::new(),
        doors: by_name(vec![door("street", &["reader-street"]), door("studio", &[])], |door| door.name.clone()),
        plans: by_name(plans, |plan| plan.name.clone()),
    };
    let since = FRIDAY_TEN;
    let hour = |hours| Timestamp::from_seconds(FRIDAY_TEN.seconds() + hours * HOUR_SECONDS);
    let until = |hours| Window { from: None, until: Some(hour(hours)) };
    let pass = |n: u8, from, until| Pass {
        id: PassId::from_random([n; 16]),
        revision: 1,
        member: member_id(n),
        plan: name("resident"),
        from: hour(from),
        until: hour(until),
    };
    let active = MemberStatus::Active;
    Snapshot::load(
        Arc::new(model),
        Loaded {
            members: vec![
                member(1, "resident", active, Window::default()),
                member(2, "flex", active, Window::default()),
                member(3, "flex", MemberStatus::Suspended { since }, Window::default()),
                member(4, "flex", active, until(-24)),
                member(5, "wifi-only", active, Window::default()),
                member(6, "flex", active, Window::default()),
                member(7, "late", active, Window::default()),
                member(8, "gone", active, Window::default()),
                member(9, "wifi-only", active, Window::default()),
            ],
            passes: vec![pass(6, -1, 48), pass(9, 24, 48)],
            credentials: vec![
                badge(1, "04A1B2C3", None),
                badge(2, "04000002", None),
                badge(3, "04000003", None),
                badge(4, "04000004", None),
                badge(5, "04000005", Some(since)),
            ],
            devices: vec![Device {
                name: name("relay-street"),
                revision: 1,
                profile: DeviceProfile::ShellyGen2,
                password_sha256: [7; 32],
                added_at: since,
            }],
            ..Loaded::default()
        },
    )
}

#[test]
fn badges_at_the_street_reader() {
    let snapshot = snapshot();
    let (street, reader) = (name("street"), name("reader-street"));
    let cases = [
        ("04A1B2C3", hours_later(0), Ok(1)),
        ("04A1B2C3", hours_later(14), Ok(1)),
        ("04000002", hours_later(0), Ok(2)),
        // Friday 19:00; Monday is a holiday, so Tuesday it is.
        ("04000002", hours_later(9), Err(outside(&name("office"), Some("Tue 24 Nov 08:00".into())))),
        ("04000003", hours_later(0), Err(Reason::MemberSuspended { since: "Fri 20 Nov 10:00".into() })),
        // Known but run out is not the same as unknown.
        ("04000004", hours_later(0), Err(Reason::MembershipOver { since: "Thu 19 Nov 10:00".into() })),
        ("04FFFFFF", hours_later(0), Err(Reason::UnknownBadge)),
        ("04000005", hours_later(0), Err(Reason::CredentialRevoked { since: "Fri 20 Nov 10:00".into() })),
    ];
    for (uid, now, expected) in cases {
        let question = DoorQuestion { door: &street, who: Who::Badge { uid, reader: &reader } };
        let answer = decide(&snapshot, &question, now);
        assert_eq!(answer.as_ref().map(|grant| grant.member), expected.as_ref().map(|&n| Some(member_id(n))), "{uid}");
        if let Ok(grant) = answer {
            assert_eq!(grant.credential, holder(&snapshot, uid).map(|badge| badge.id));
            assert_eq!(grant.pulse_ms, PULSE_MS);
        }
    }
}

#[test]
fn members_by_plan_pass_and_clock() {
    let snapshot = snapshot();
    let closed = |opens: &str| Reason::OutsideHours { schedule: "office".into(), opens: Some(opens.into()) };
    let not_in = |door: &str, plan: &str| Reason::DoorNotInPlan { door: door.into(), plan: plan.into() };
    let cases = [
        // An unrestricted plan works with an untrusted clock, hours do not.
        (1, "street", unsynced(), None),
        (2, "street", unsynced(), Some(Reason::ClockUntrusted)),
        // A running pass works at night and without a clock, its plan's other doors with it.
        (6, "street", hours_later(14), None),
        (6, "studio", unsynced(), None),
        (6, "street", hours_later(60), Some(closed("Tue 24 Nov 08:00"))),
        // A pass that has not begun does not.
        (9, "street", hours_later(0), Some(not_in("street", "wifi-only"))),
        (9, "street", hours_later(30), None),
        // Of two grants any that is open wins; else the one that opens first is named.
        (7, "street", hours_later(11), None),
        (7, "street", hours_later(-3), Some(closed("Fri 20 Nov 08:00"))),
        (2, "studio", hours_later(0), Some(not_in("studio", "flex"))),
        (5, "street", hours_later(0), Some(not_in("street", "wifi-only"))),
        (8, "street", hours_later(0), Some(Reason::UnknownPlan { plan: "gone".into() })),
        (99, "street", hours_later(0), Some(Reason::UnknownMember)),
        (1, "cellar", hours_later(0), Some(Reason::NoSuchDoor { door: "cellar".into() })),
    ];
    for (member, door, now, refusal) in cases {
        let door_name = name(door);
        let question = DoorQuestion { door: &door_name, who: Who::Member(member_id(member)) };
        assert_eq!(decide(&snapshot, &question, now).err(), refusal, "member {member} at {door}");
    }
}

#[test]
fn a_reader_speaks_for_its_own_doors_only() {
    let snapshot = snapshot();
    let (studio, reader, stray) = (name("studio"), name("reader-street"), name("stray"));
    let question = DoorQuestion { door: &studio, who: Who::Badge { uid: "04A1B2C3", reader: &reader } };
    assert_eq!(
        decide(&snapshot, &question, hours_later(0)),
        Err(Reason::ReaderWithoutDoor { reader: "reader-street".into() })
    );
    assert_eq!(doors_at(&snapshot, &reader).map(|doors| doors.len()), Ok(1));
    assert_eq!(doors_at(&snapshot, &stray).map(|_| ()), Err(Reason::ReaderWithoutDoor { reader: "stray".into() }));
}

#[test]
fn the_operator_needs_no_plan() {
    let studio = name("studio");
    let grant = decide(&snapshot(), &DoorQuestion { door: &studio, who: Who::Operator }, unsynced());
    assert_eq!(grant.map(|grant| (grant.member, grant.plan)), Ok((None, None)));
}

#[test]
fn devices_by_name_and_password() {
    let snapshot = snapshot();
    assert_eq!(device(&snapshot, "relay-street", &[7; 32]).map(|device| device.profile), Ok(DeviceProfile::ShellyGen2));
    let wrong = Reason::WrongDevicePassword { device: "relay-street".into() };
    assert_eq!(device(&snapshot, "relay-street", &[8; 32]).err(), Some(wrong));
    assert_eq!(device(&snapshot, "relay", &[0; 32]).err(), Some(Reason::UnknownDeviceName));
}
