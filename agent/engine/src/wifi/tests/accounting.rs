//! Accounting: what becomes a row, when it is answered, and which sessions end without a Stop.

use super::super::*;
use super::world::*;
use proto::radius::{AttributeType, Code, Packet, Writer};

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

/// A request with this Identifier.
type Request = fn(u8) -> Writer;

/// Accounting-On.
fn on(identifier: u8) -> Writer {
    Writer::request(Code::AccountingRequest, identifier, [0; 16]).integer(AttributeType::ACCT_STATUS_TYPE, 7)
}

/// Sends accounting and takes what is to be written for it; it must not be answered before.
fn asks_to_write(world: &mut World, request: Writer) -> (u64, Vec<SessionRow>) {
    let datagram = request.finish(SECRET).expect("it fits");
    world.input(Input::Received { socket: Socket::Accounting, from: POINT, datagram });
    let mut write = None;
    while let Some(output) = world.engine.poll_output() {
        match output {
            Output::Account { token, rows } => assert!(write.replace((token, rows)).is_none(), "one write"),
            Output::Send { .. } => panic!("answered before it was written"),
            Output::Compute { .. }
            | Output::FindKey { .. }
            | Output::Record(_)
            | Output::Present(_)
            | Output::VlanPassed { .. } => {}
            Output::Close { .. } => panic!("no connection"),
        }
    }
    write.expect("something to write")
}

fn causes(rows: &[SessionRow]) -> Vec<(&str, Option<&str>)> {
    rows.iter().map(|row| (row.acct_session_id.as_str(), row.end_cause.as_deref())).collect()
}

#[test]
fn an_end_that_is_not_written_down_is_not_answered_until_it_is() {
    let stop = |identifier| report(identifier, 2, 1, "a1", None).integer(AttributeType::ACCT_TERMINATE_CAUSE, 1);
    let requests: [(Request, _); 2] = [(on, "access-point-restarted"), (stop, "user-request")];
    for (request, cause) in requests {
        let mut world = World::new();
        let class = class(&mut world, 1);
        assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
        for _ in 0..3 {
            let (token, rows) = asks_to_write(&mut world, request(9));
            assert_eq!(causes(&rows), [("a1", Some(cause))]);
            world.input(Input::Accounted { token, ok: false });
            assert_eq!(world.drain(), []);
        }
        assert!(world.account(9, request(9)), "the disk can be written again");
        assert_eq!(causes(&world.rows[1..]), [("a1", Some(cause))]);
        world.pass(Duration::from_secs(60));
        assert_eq!(world.rows.len(), 2, "written once");
    }
}

#[test]
fn an_end_under_way_to_the_disk_holds_back_another_request_about_it() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    let (first, _) = asks_to_write(&mut world, on(8));
    let (second, rows) = asks_to_write(&mut world, on(9));
    assert_eq!(causes(&rows), [("a1", Some("access-point-restarted"))]);
    world.input(Input::Accounted { token: second, ok: true });
    assert_eq!(world.drain().len(), 1);
    world.input(Input::Accounted { token: first, ok: false });
    assert_eq!(world.drain(), []);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.rows.len(), 1, "the failure of a write that another made good is no reason to repeat it");
}

#[test]
fn what_nobody_repeats_is_written_when_the_disk_is_back() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    world.disk = false;
    assert!(!world.account(2, report(2, 1, 1, "a2", Some(&class))), "it has roamed");
    world.pass(Duration::from_secs(5 * 3_600));
    assert!(world.presence.sessions.is_empty(), "ended by silence");
    assert_eq!(world.rows.len(), 1);
    world.disk = true;
    world.pass(Duration::from_secs(2));
    let mut written = causes(&world.rows[1..]);
    written.sort_unstable();
    assert_eq!(written, [("a1", Some("superseded")), ("a2", Some("lost"))]);
    let first = world.rows[0].id;
    assert!(world.rows[1..].iter().any(|row| row.id == first && row.ended_at.is_some()), "no ghost stays open");
    assert_eq!(world.engine.poll_timeout(), None, "nothing is left to be done");
}

#[test]
fn a_stop_long_after_an_end_that_is_not_written_yet_finds_its_session() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    world.disk = false;
    assert!(!world.account(2, report(2, 2, 1, "a1", None)));
    world.pass(Duration::from_secs(900));
    world.disk = true;
    assert!(world.account(3, report(3, 2, 1, "a1", None)));
    let ids: std::collections::BTreeSet<_> = world.rows.iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn rows_that_wait_for_the_disk_are_bounded() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    let row = |n: u32| {
        let mut id = [0; 16];
        id[12..].copy_from_slice(&n.to_be_bytes());
        SessionRow { id: SessionId::from_random(id), ..world.rows[0].clone() }
    };
    let rows: Vec<_> = (0..=16_384).map(row).collect();
    let (token, unkept) = world.engine.unwritten.begin(&rows, None, None);
    assert_eq!(unkept, 1);
    assert!(world.engine.unwritten.end(token, false).is_some());
    assert!(!world.account(2, report(2, 3, 1, "a1", None)), "nothing is taken in that could be lost");
    assert_eq!(world.engine.counters().accounting_shed, 1);
    world.pass(Duration::from_secs(2));
    assert!(world.account(2, report(2, 3, 1, "a1", None)));
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

/// hostapd names a device's next session as the last when the device comes back before hostapd has forgotten it.
#[test]
fn a_device_that_comes_back_at_once_under_the_same_name_is_online_again() {
    let mut world = World::new();
    let first = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&first))));
    world.pass(Duration::from_secs(1));
    assert!(world.account(2, report(2, 2, 1, "a1", Some(&first))));
    let repeated = aged(report(3, 1, 1, "a1", Some(&first)), 0, 1);
    assert!(world.account(3, repeated), "a straggler");
    world.pass(Duration::from_secs(1));
    assert!(world.presence.sessions.is_empty());

    // Its keys are still good, so nobody was asked: its Start is all that tells of it.
    assert!(world.account(4, report(4, 1, 1, "a1", Some(&first))));
    world.pass(Duration::from_secs(1));
    assert_eq!(world.presence.sessions_of(member_id(1)).count(), 1, "online, and so within reach of a suspension");
    assert!(world.account(5, report(5, 2, 1, "a1", Some(&first))));

    let second = class(&mut world, 1);
    assert!(world.account(6, report(6, 1, 1, "a1", Some(&second))));
    world.pass(Duration::from_secs(1));
    let view = world.presence.sessions_of(member_id(1)).next().expect("online");
    assert_eq!((view.phase, view.row.id.to_string()), (SessionPhase::Open, second));
}

/// hostapd remembers for half a minute what it was told of a passphrase, and lets a device back without asking.
#[test]
fn a_device_that_is_let_back_without_asking_has_to_go_again() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    world.pass(Duration::from_secs(1));
    assert_eq!(disconnects(&world.suspend(1)).len(), 1);
    assert!(world.account(2, report(2, 2, 1, "a1", Some(&class))));
    let again = report(3, 1, 1, "a1", None).finish(SECRET).expect("it fits");
    let sent = world.receive(Socket::Accounting, POINT, &again);
    let [request] = &disconnects(&sent)[..] else { panic!("one Disconnect-Request") };
    let packet = Packet::decode(request).expect("a packet");
    assert_eq!(packet.text(AttributeType::ACCT_SESSION_ID), Some("a1"));
    let answer = Writer::reply(Code::DisconnectAck, &packet).finish(SECRET).expect("it fits");
    world.receive(Socket::DynamicAuthorization, COA, &answer);
    world.pass(Duration::from_secs(60));
    assert!(world.presence.sessions.is_empty());
}

/// Acct-Session-Time and Acct-Delay-Time of a report.
fn aged(request: Writer, session_seconds: u32, delay_seconds: u32) -> Writer {
    request
        .integer(AttributeType::ACCT_SESSION_TIME, session_seconds)
        .integer(AttributeType::ACCT_DELAY_TIME, delay_seconds)
}

fn live(world: &mut World) -> Vec<String> {
    world.pass(Duration::from_secs(1));
    world.presence.sessions.iter().map(|view| view.row.acct_session_id.clone()).collect()
}

#[test]
fn a_report_that_is_repeated_with_another_delay_counts_once() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    for (identifier, delay) in [(1, 0), (2, 3), (3, 12)] {
        let start = aged(report(identifier, 1, 1, "a1", Some(&class)), 0, delay);
        assert!(world.account(identifier, start));
        let octets = aged(report(identifier + 10, 3, 1, "a1", Some(&class)), 600, delay);
        assert!(world.account(identifier + 10, octets.integer(AttributeType::ACCT_INPUT_OCTETS, 500)));
    }
    for (identifier, delay) in [(21, 0), (22, 3), (23, 12)] {
        assert!(world.account(identifier, aged(report(identifier, 2, 1, "a1", Some(&class)), 601, delay)));
    }
    let ids: std::collections::BTreeSet<_> = world.rows.iter().map(|row| row.id).collect();
    assert_eq!((ids.len(), world.rows.last().map(|row| row.rx_bytes)), (1, Some(500)));
    assert_eq!(world.codes(), ["wifi-admitted", "wifi-session-began", "wifi-session-ended"]);
}

#[test]
fn counters_that_go_back_take_nothing_away() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    for (identifier, octets) in [(1, 5_000), (2, 40), (3, 5_001)] {
        let interim = report(identifier, 3, 1, "a1", Some(&class)).integer(AttributeType::ACCT_OUTPUT_OCTETS, octets);
        assert!(world.account(identifier, interim));
    }
    let counted: Vec<u64> = world.rows.iter().map(|row| row.tx_bytes).collect();
    assert_eq!(counted, [5_000, 5_000, 5_001]);
}

#[test]
fn a_session_that_was_taken_for_lost_goes_on_when_it_is_reported() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    assert!(world.account(2, report(2, 3, 1, "a1", Some(&class))));
    world.pass(Duration::from_secs(1_900));
    assert_eq!(world.rows.last().and_then(|row| row.end_cause.as_deref()), Some("lost"));
    assert!(world.account(3, aged(report(3, 3, 1, "a1", Some(&class)), 1_900, 0)));
    let row = world.rows.last().expect("a row").clone();
    assert_eq!((row.id.to_string(), row.ended_at, row.end_cause), (class, None, None));
    assert_eq!(live(&mut world), ["a1"]);
    assert!(world.codes().contains(&"wifi-session-found"));
}

#[test]
fn a_name_that_another_device_has_by_now_ends_the_session_that_had_it() {
    let mut world = World::new();
    let (first, second) = (class(&mut world, 1), class(&mut world, 2));
    assert!(world.account(1, report(1, 1, 1, "00000001", Some(&first))));
    assert!(world.account(2, report(2, 1, 2, "00000001", Some(&second))), "the access point counts anew");
    assert_eq!(live(&mut world), ["00000001"]);
    assert_eq!(world.presence.sessions[0].row.member, Some(member_id(2)));
    assert!(!world.presence.is_here(member_id(1)));
}

#[test]
fn a_start_that_comes_late_does_not_end_the_session_to_which_the_device_went_on() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    world.pass(Duration::from_secs(20));
    assert!(world.account(1, report(1, 1, 1, "a2", Some(&class))));
    assert!(world.account(2, aged(report(2, 1, 1, "a1", Some(&class)), 0, 10)));
    assert!(live(&mut world).contains(&"a2".to_owned()));
    assert!(world.account(3, aged(report(3, 2, 1, "a1", Some(&class)), 5, 5)));
    assert_eq!(live(&mut world), ["a2"]);
}

#[test]
fn a_stop_of_a_session_that_was_never_reported_ends_the_older_ones_of_its_device() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    world.pass(Duration::from_secs(60));
    assert!(world.account(2, aged(report(2, 2, 1, "a2", Some(&class)), 30, 0)));
    assert_eq!(live(&mut world), [""; 0]);
}

#[test]
fn a_device_whose_place_was_given_away_meanwhile_has_to_go() {
    let mut world = World::new();
    let accept = world.login(1, "user-1/1").text(AttributeType::CLASS).expect("our Class");
    world.pass(Duration::from_secs(61)); // its access point said nothing
    for n in 2..=3 {
        let class = world.login(n, "user-1/1").text(AttributeType::CLASS).expect("our Class");
        assert!(world.account(n, report(n, 1, n, &format!("a{n}"), Some(&class))));
    }
    let late = report(9, 1, 1, "a1", Some(&accept)).finish(SECRET).expect("it fits");
    let sent = world.receive(Socket::Accounting, POINT, &late);
    assert_eq!(disconnects(&sent).len(), 1);
    let told = world.records.iter().rfind(|record| record.code == "wifi-disconnecting").expect("it is written down");
    assert_eq!(told.facts.get("cause").map(String::as_str), Some("device-limit"));
}

#[test]
fn an_access_point_that_stops_ends_its_own_sessions_only() {
    let mut world = World::new();
    let mut two = site();
    let mut yard = two.access_points.values().next().expect("one").clone();
    yard.name = name("yard");
    yard.udp.as_mut().expect("over UDP").address = std::net::Ipv4Addr::new(10, 0, 0, 3).into();
    two.access_points.insert(yard.name.clone(), yard);
    world.change(&[policy::Change::Site(Arc::new(two))]);
    let first = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&first))));
    let elsewhere = SocketAddr::new(std::net::Ipv4Addr::new(10, 0, 0, 3).into(), 40_000);
    let start = report(2, 3, 2, "b1", None).finish(SECRET).expect("it fits");
    world.receive(Socket::Accounting, elsewhere, &start);
    let off = Writer::request(Code::AccountingRequest, 9, [0; 16]).integer(AttributeType::ACCT_STATUS_TYPE, 8);
    assert!(world.account(9, off));
    assert_eq!(world.rows.last().and_then(|row| row.end_cause.as_deref()), Some("access-point-stopped"));
    assert_eq!(live(&mut world), ["b1"]);
}

/// Two NASes behind one controller, which count their sessions alike.
fn behind_one_address(world: &mut World, names: [fn(Writer) -> Writer; 2]) {
    for (n, name) in (1..).zip(names) {
        assert!(world.account(n, name(report(n, 1, n, "00000001", None))));
    }
    world.pass(Duration::from_secs(1));
    assert_eq!(world.presence.sessions.len(), 2, "the second is not the first under a new device");
    let of = |rows: &[SessionRow], n| {
        let row = rows.iter().rfind(|row| row.mac == Some(mac(n)));
        row.map(|row| row.end_cause.clone()).expect("it was written down")
    };
    let restarted = names[0](on(9)).finish(SECRET).expect("it fits");
    world.receive(Socket::Accounting, POINT, &restarted);
    assert_eq!(of(&world.rows, 1).as_deref(), Some("access-point-restarted"));
    assert_eq!(of(&world.rows, 2), None, "the other one's sessions go on");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.presence.sessions.len(), 1);
    let stop = names[1](report(10, 2, 2, "00000001", None)).integer(AttributeType::ACCT_TERMINATE_CAUSE, 1);
    assert!(world.account(10, stop));
    assert_eq!(of(&world.rows, 2).as_deref(), Some("user-request"));
}

#[test]
fn what_a_controller_passes_on_is_kept_apart_by_nas() {
    let by_name: [fn(Writer) -> Writer; 2] = [
        |writer| writer.text(AttributeType::NAS_IDENTIFIER, "attic"),
        |writer| writer.text(AttributeType::NAS_IDENTIFIER, "cellar"),
    ];
    let by_address: [fn(Writer) -> Writer; 2] = [
        |writer| writer.attribute(AttributeType::NAS_IP_ADDRESS, &[10, 0, 1, 1]),
        |writer| writer.attribute(AttributeType::NAS_IP_ADDRESS, &[10, 0, 1, 2]),
    ];
    let by_radio: [fn(Writer) -> Writer; 2] = [
        |writer| writer.text(AttributeType::CALLED_STATION_ID, "0A-00-00-00-00-01:Harbour"),
        |writer| writer.text(AttributeType::CALLED_STATION_ID, "0A-00-00-00-00-02:Harbour"),
    ];
    for names in [by_name, by_address, by_radio] {
        behind_one_address(&mut World::new(), names);
    }
}

/// The sessions of a proxy that says no name are one NAS's, as they were.
#[test]
fn a_nas_without_a_name_is_its_whole_access_point() {
    let mut world = World::new();
    assert!(world.account(1, report(1, 1, 1, "a1", None).text(AttributeType::NAS_IDENTIFIER, "attic")));
    assert!(world.account(2, report(2, 1, 2, "a2", None).text(AttributeType::NAS_IDENTIFIER, "cellar")));
    assert!(world.account(9, on(9)));
    assert_eq!(live(&mut world), [""; 0]);
}

#[test]
fn a_session_of_before_its_nas_was_known_goes_on_under_its_name() {
    let mut world = World::new();
    let class = class(&mut world, 1);
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    let open = vec![world.rows.last().expect("a row").clone()];
    assert_eq!(open[0].nas, "");
    let mut world = World::with(open);
    let named = |writer: Writer| writer.text(AttributeType::NAS_IDENTIFIER, "attic");
    assert!(world.account(2, named(report(2, 3, 1, "a1", Some(&class)))));
    let last = world.rows.last().expect("a row");
    assert_eq!((last.id.to_string(), last.nas.as_str(), world.rows.len()), (class, "attic", 1));
}
