//! Accounting: what becomes a row, when it is answered, and which sessions end without a Stop.

use super::super::*;
use super::world::*;
use proto::radius::{AttributeType, Code, Writer};

fn class(world: &mut World, n: u8) -> String {
    let accept = world.login(n, &format!("user-{n}/{n}"));
    assert_eq!(accept.code, Code::AccessAccept);
    accept.text(AttributeType::CLASS).expect("our Class")
}

#[test]
fn a_session_begins_grows_and_ends() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    world.pass(Duration::from_secs(600));
    let interim = report(2, 3, 1, "a1", Some(&class))
        .integer(AttributeType::ACCT_INPUT_OCTETS, 7)
        .integer(AttributeType::ACCT_INPUT_GIGAWORDS, 1)
        .attribute(AttributeType::FRAMED_IP_ADDRESS, &[10, 0, 10, 5]);
    assert!(world.account(2, interim));
    let view = world.presence.sessions_of(member_id(1)).next().expect("online").clone();
    assert_eq!((view.phase, view.row.rx_bytes), (SessionPhase::Open, (1 << 32) + 7));
    assert_eq!(view.row.id.to_string(), class);
    assert!(world.presence.is_here(member_id(1)));
    world.pass(Duration::from_secs(60));
    let stop = report(3, 2, 1, "a1", Some(&class)).integer(AttributeType::ACCT_TERMINATE_CAUSE, 1);
    assert!(world.account(3, stop));
    let last = world.rows.last().expect("a row");
    assert_eq!((last.end_cause.as_deref(), last.rx_bytes), (Some("user-request"), (1 << 32) + 7));
    assert_eq!(last.ip.as_ref().map(|ip| ip.0.to_string()).as_deref(), Some("10.0.10.5"));
    assert_eq!(last.ended_at, Some(world.now.stamp()));
    world.pass(Duration::from_secs(1));
    assert!(world.presence.sessions.is_empty());
    assert_eq!(world.codes(), ["wifi-admitted", "wifi-session-began", "wifi-session-ended"]);
}

#[test]
fn what_is_not_written_down_is_not_answered_and_can_come_again() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    world.disk = false;
    assert!(!world.account(1, report(1, 1, 1, "a1", Some(&class))));
    assert_eq!(world.engine.counters().accounting_unwritten, 1);
    world.disk = true;
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))), "the same datagram again");
    assert_eq!(world.rows.len(), 1);
    assert_eq!(world.codes(), ["wifi-admitted", "wifi-session-began"], "it began once");
}

#[test]
fn repeated_reports_change_nothing() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    for identifier in 1..4 {
        assert!(world.account(identifier, report(identifier, 1, 1, "a1", Some(&class))));
    }
    for identifier in 4..7 {
        assert!(world.account(identifier, report(identifier, 2, 1, "a1", Some(&class))));
    }
    let ids: std::collections::BTreeSet<_> = world.rows.iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), 1);
    assert!(world.account(9, report(9, 3, 1, "a1", Some(&class))), "an update that its Stop overtook");
    world.pass(Duration::from_secs(1));
    assert!(world.presence.sessions.is_empty());
}

#[test]
fn a_new_start_of_a_device_ends_its_session_elsewhere_and_a_late_stop_completes_it() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    assert!(world.account(2, report(2, 1, 1, "a2", Some(&class))));
    world.pass(Duration::from_secs(1));
    let live: Vec<_> = world.presence.sessions.iter().map(|view| view.row.acct_session_id.clone()).collect();
    assert_eq!(live, ["a2"]);
    let superseded = world.rows.iter().find(|row| row.ended_at.is_some()).expect("it was ended").clone();
    assert_eq!((superseded.acct_session_id.as_str(), superseded.end_cause.as_deref()), ("a1", Some("superseded")));
    assert_eq!(world.presence.sessions[0].row.member, Some(member_id(1)), "by the Class of its last session");
    assert!(world.account(3, report(3, 2, 1, "a1", None).integer(AttributeType::ACCT_OUTPUT_OCTETS, 99)));
    let completed = world.rows.last().expect("a row");
    assert_eq!((completed.id, completed.tx_bytes), (superseded.id, 99));
    assert_eq!(world.presence.sessions.len(), 1);
}

#[test]
fn an_access_point_that_restarts_ends_all_its_sessions() {
    let mut world = World::new();
    for n in 1..=3 {
        let class = class(&mut world, n);
        assert!(world.account(n, report(n, 1, n, &format!("a{n}"), Some(&class))));
    }
    let on = Writer::request(Code::AccountingRequest, 9, [0; 16]).integer(AttributeType::ACCT_STATUS_TYPE, 7);
    assert!(world.account(9, on));
    let causes: Vec<_> = world.rows.iter().filter_map(|row| row.end_cause.as_deref()).collect();
    assert_eq!(causes, ["access-point-restarted"; 3]);
}

#[test]
fn silence_ends_a_session_that_used_to_report() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    assert!(world.account(2, report(2, 3, 1, "a1", Some(&class))));
    world.pass(Duration::from_secs(1_800));
    assert_eq!(world.presence.sessions.len(), 1);
    world.pass(Duration::from_secs(90));
    assert!(world.presence.sessions.is_empty());
    assert_eq!(world.rows.last().and_then(|row| row.end_cause.as_deref()), Some("lost"));
}

#[test]
fn an_access_point_without_interim_updates_keeps_its_sessions_for_their_timeout() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    world.pass(Duration::from_secs(4 * 3_600));
    assert_eq!(world.presence.sessions.len(), 1);
    world.pass(Duration::from_secs(1_000));
    assert!(world.presence.sessions.is_empty());
}

#[test]
fn sessions_go_on_over_a_restart() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    let open = vec![world.rows.last().expect("a row").clone()];
    let mut world = World::with(open);
    assert_eq!(world.presence.sessions_of(member_id(1)).count(), 1);
    assert!(world.account(2, report(2, 2, 1, "a1", None)));
    assert_eq!(world.rows.last().map(|row| row.id.to_string()), Some(class));
    assert_eq!(world.codes(), ["wifi-session-ended"]);
}

#[test]
fn a_session_nobody_admitted_is_known_by_its_user_name_or_not_at_all() {
    let mut world = World::new();
    assert!(world.account(1, report(1, 3, 2, "a1", None)));
    assert!(world.account(2, report(2, 3, 9, "b1", None)));
    world.pass(Duration::from_secs(1));
    let members: Vec<_> = world.presence.sessions.iter().map(|view| view.row.member).collect();
    assert!(members.contains(&Some(member_id(2))) && members.contains(&None));
}

#[test]
fn accounting_that_cannot_be_used_is_answered_and_told() {
    let mut world = World::new();
    let odd = Writer::request(Code::AccountingRequest, 1, [0; 16]).integer(AttributeType::ACCT_STATUS_TYPE, 1);
    assert!(world.account(1, odd));
    assert_eq!(world.codes(), ["wifi-accounting-unusable"]);
    assert!(world.rows.is_empty());
}

#[test]
fn forged_accounting_meets_silence() {
    let mut world = World::new();
    let forged = report(1, 1, 1, "a1", None).finish(b"other").expect("it fits");
    assert_eq!(world.receive(Socket::Accounting, POINT, &forged), []);
    assert_eq!(world.codes(), ["wifi-wrong-secret"]);
}

#[test]
fn a_session_id_that_is_no_text_is_kept_octet_by_octet() {
    for id in [&b"a1"[..], &[0xff, 0x00, 0x7f], b"0xff", b""] {
        let text = super::super::accounting::session_id_text(id);
        assert_eq!(super::super::accounting::wire_session_id(&text), id, "{text}");
    }
}
