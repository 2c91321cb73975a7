//! The terms of a session: what an Access-Accept and a CoA-Request carry, what a change of them sets off, the warning before the
//! end, requests without Message-Authenticator, and the test of a VLAN.

use super::super::*;
use super::world::*;
use policy::wifi::Rates;
use policy::{AccessPointProfile, Change, Command, MessageAuthenticatorRule, Schedule, SiteModel, Slot};
use proto::radius::{AttributeType, Code, Packet, Writer};
use values::{PlanName, ScheduleName};

/// The site with this make of access point, plan `resident` at 50 down and 10 up with half an hour of idling, and plan `slow`.
fn site_with(profile: AccessPointProfile) -> SiteModel {
    let mut site = site();
    let point = site.access_points.values_mut().next().expect("there is one");
    point.profile = profile;
    let mut resident = site.plans.values().next().expect("there is one").clone();
    let wifi = resident.wifi.as_mut().expect("it has Wi-Fi");
    wifi.rates = Rates { down_mbit: Some(50), up_mbit: Some(10) };
    wifi.idle_timeout_minutes = Some(30);
    let mut slow = resident.clone();
    slow.name = name("slow");
    slow.wifi.as_mut().expect("it has Wi-Fi").rates = Rates { down_mbit: Some(5), up_mbit: Some(1) };
    site.plans = [resident, slow].into_iter().map(|plan| (plan.name.clone(), plan)).collect();
    site
}

fn apply(world: &mut World, site: SiteModel) -> Vec<(Socket, SocketAddr, Vec<u8>)> {
    world.change(&[Change::Site(Arc::new(site))])
}

/// Member 1 online as session `a1`, at an access point of this make.
fn online(profile: AccessPointProfile) -> World {
    let mut world = World::new();
    apply(&mut world, site_with(profile));
    let class = world.login(1, "user-1/1").text(AttributeType::CLASS).expect("our Class");
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    world.pass(Duration::from_secs(1));
    world
}

fn on_plan(world: &mut World, plan: &str) -> Vec<(Socket, SocketAddr, Vec<u8>)> {
    world.change(&[Change::Member(policy::Member { plan: name::<PlanName>(plan), ..member(1) })])
}

/// What went to the CoA port.
fn told(sent: &[(Socket, SocketAddr, Vec<u8>)]) -> Vec<&[u8]> {
    let to_point = sent.iter().filter(|(socket, to, _)| (*socket, *to) == (Socket::DynamicAuthorization, COA));
    to_point.map(|(_, _, datagram)| datagram.as_slice()).collect()
}

/// The one request that was sent; repeated ones are the same octets.
fn only(sent: &[(Socket, SocketAddr, Vec<u8>)]) -> (Code, Vec<u8>) {
    let mut told = told(sent);
    told.dedup();
    let [datagram] = told[..] else { panic!("{} requests", told.len()) };
    let packet = Packet::decode(datagram).expect("a packet");
    packet.verify_signed_request(SECRET).expect("it is signed");
    assert_eq!(packet.attributes().next().map(|first| first.kind), Some(AttributeType::MESSAGE_AUTHENTICATOR));
    assert_eq!(packet.text(AttributeType::ACCT_SESSION_ID), Some("a1"));
    (packet.code(), datagram.to_vec())
}

fn answer(world: &mut World, request: &[u8], code: Code, cause: Option<u32>) -> Vec<(Socket, SocketAddr, Vec<u8>)> {
    let mut reply = Writer::reply(code, &Packet::decode(request).expect("a request"));
    if let Some(cause) = cause {
        reply = reply.integer(AttributeType::ERROR_CAUSE, cause);
    }
    world.receive(Socket::DynamicAuthorization, COA, &reply.finish(SECRET).expect("it fits"))
}

fn phase(world: &mut World) -> Option<SessionPhase> {
    world.pass(Duration::from_millis(100));
    world.presence.sessions.first().map(|view| view.phase)
}

fn vendor_text(datagram: &[u8], vendor: u32, kind: u8) -> Option<String> {
    let packet = Packet::decode(datagram).expect("a packet");
    packet.vendor(vendor, kind).next().map(|value| String::from_utf8_lossy(value).into_owned())
}

/// The attributes of an Access-Accept after the session keys: standard ones by number and value, vendors' by vendor and number.
fn golden(profile: AccessPointProfile, vlan_name: Option<&str>) -> Vec<String> {
    let mut world = World::new();
    let mut site = site_with(profile);
    site.networks.values_mut().for_each(|network| network.vlan_name = vlan_name.map(Into::into));
    apply(&mut world, site);
    let reply = world.login(1, "user-1/1");
    let packet = reply.packet();
    let spoken = packet.attributes().filter_map(|attribute| match attribute.kind {
        AttributeType::VENDOR_SPECIFIC => {
            let vendor = u32::from_be_bytes(attribute.value[..4].try_into().expect("four octets"));
            let value = &attribute.value[6..];
            let shown = match (vendor, <[u8; 4]>::try_from(value)) {
                (311, _) => return None, // the keys differ each time
                (_, Ok(number)) if attribute.value[4] != 9 => u32::from_be_bytes(number).to_string(),
                (_, _) => String::from_utf8_lossy(value).into_owned(),
            };
            Some(format!("{vendor}.{}={shown}", attribute.value[4]))
        }
        AttributeType::MESSAGE_AUTHENTICATOR | AttributeType::EAP_MESSAGE | AttributeType::CLASS => None,
        AttributeType::USER_NAME | AttributeType::TUNNEL_PRIVATE_GROUP_ID => {
            Some(format!("{}={}", attribute.kind.0, String::from_utf8_lossy(attribute.value)))
        }
        kind => Some(format!("{}={}", kind.0, packet.integer(kind).expect("a number"))),
    });
    spoken.collect()
}

#[test]
fn each_make_gets_its_own_access_accept() {
    // User-Name, Session-Timeout, Termination-Action, Acct-Interim-Interval, Idle-Timeout, and the VLAN's three.
    let all = |group: &str| -> Vec<String> {
        let fixed = ["1=user-1", "27=14400", "29=1", "85=600", "28=1800", "64=13", "65=6"];
        fixed.iter().map(ToString::to_string).chain([format!("81={group}")]).collect()
    };
    let wispr = ["14122.7=10000000", "14122.8=50000000"];
    let cases: [(AccessPointProfile, &str, &[&str]); 8] = [
        (AccessPointProfile::Generic, "10", &[]),
        (AccessPointProfile::Hostapd, "10", &[]),
        (AccessPointProfile::Unifi, "10", &["41112.3=10000000", "41112.1=50000000"]),
        (AccessPointProfile::Aruba, "office", &["14823.2=10", "14823.9=office"]),
        (AccessPointProfile::Cisco, "office", &["14179.7=50000", "14179.8=50000", "14179.13=10000", "14179.14=10000"]),
        (AccessPointProfile::Mikrotik, "10", &["14988.8=10000000/50000000", "14988.26=10", "14988.27=0"]),
        (AccessPointProfile::Ruckus, "10", &[]),
        (AccessPointProfile::Mist, "office", &[]),
    ];
    assert_eq!(cases.map(|(profile, _, _)| profile), AccessPointProfile::ALL);
    for (profile, group, own) in cases {
        let expected: Vec<String> =
            all(group).into_iter().chain(wispr.iter().chain(own).map(ToString::to_string)).collect();
        assert_eq!(golden(profile, Some("office")), expected, "{}", profile.as_str());
    }
    assert!(golden(AccessPointProfile::Cisco, None).contains(&"81=10".to_owned()), "without a name the number is sent");
}

#[test]
fn a_chargeable_user_identity_is_given_to_whom_asks_for_it() {
    let mut world = World::new();
    let challenge = world.exchange(&access_request(1, 1, None, &identity(1))).expect("a challenge");
    let state = challenge.state().expect("a State");
    let asking = Writer::request(Code::AccessRequest, 7, authenticator(7, 1))
        .attribute(AttributeType::CHARGEABLE_USER_IDENTITY, &[0])
        .attribute(AttributeType::STATE, &state)
        .eap_message(&proof(2, "user-1/1"))
        .finish(SECRET)
        .expect("it fits");
    let reply = world.exchange(&asking).expect("an answer");
    assert_eq!(reply.code, Code::AccessAccept);
    assert_eq!(reply.text(AttributeType::CHARGEABLE_USER_IDENTITY), Some(member_id(1).to_string()));
    assert_eq!(world.login(2, "user-2/2").text(AttributeType::CHARGEABLE_USER_IDENTITY), None, "nobody asked");
}

#[test]
fn new_rates_are_told_by_coa_where_the_make_can_change_them_and_the_answer_settles_it() {
    let mut world = online(AccessPointProfile::Mikrotik);
    let (code, request) = only(&on_plan(&mut world, "slow"));
    assert_eq!((code, phase(&mut world)), (Code::CoaRequest, Some(SessionPhase::Changing)));
    assert_eq!(vendor_text(&request, 14_988, 8).as_deref(), Some("1000000/5000000"));
    assert_eq!(Packet::decode(&request).expect("a packet").integer(AttributeType::IDLE_TIMEOUT), Some(1_800));
    // It is repeated, and the answer to any of them counts.
    let again = world.pass(Duration::from_secs(1));
    assert_eq!(told(&again), [request.as_slice()]);
    answer(&mut world, &request, Code::CoaAck, None);
    assert_eq!(phase(&mut world), Some(SessionPhase::Open));
    assert_eq!(told(&world.pass(Duration::from_secs(120))).len(), 0);
    assert_eq!(world.codes().iter().filter(|code| code.starts_with("wifi-chang")).count(), 2, "asked and done");
    // The terms are the session's now: the same again is nothing, and back is another change.
    assert_eq!(told(&on_plan(&mut world, "slow")).len(), 0);
    let (code, request) = only(&on_plan(&mut world, "resident"));
    assert_eq!((code, vendor_text(&request, 14_988, 8).as_deref()), (Code::CoaRequest, Some("10000000/50000000")));
}

#[test]
fn an_answer_to_another_kind_of_request_ends_no_session() {
    for code in [Code::DisconnectAck, Code::DisconnectNak] {
        let mut world = online(AccessPointProfile::Mikrotik);
        let (_, request) = only(&on_plan(&mut world, "slow"));
        answer(&mut world, &request, code, Some(503));
        assert_eq!(phase(&mut world), Some(SessionPhase::Changing), "{code:?}");
        answer(&mut world, &request, Code::CoaAck, None);
        assert_eq!(phase(&mut world), Some(SessionPhase::Open), "{code:?}");
    }
}

#[test]
fn where_the_make_cannot_the_device_logs_in_again() {
    for profile in [AccessPointProfile::Generic, AccessPointProfile::Hostapd, AccessPointProfile::Unifi] {
        let mut world = online(profile);
        let (code, request) = only(&on_plan(&mut world, "slow"));
        assert_eq!((code, phase(&mut world)), (Code::DisconnectRequest, Some(SessionPhase::Disconnecting)));
        answer(&mut world, &request, Code::DisconnectAck, None);
        assert_eq!(phase(&mut world), None);
    }
}

#[test]
fn a_nak_or_silence_is_shown_and_the_device_logs_in_again() {
    let mut world = online(AccessPointProfile::Mikrotik);
    let (_, request) = only(&on_plan(&mut world, "slow"));
    let (code, _) = only(&answer(&mut world, &request, Code::CoaNak, Some(401)));
    assert_eq!((code, phase(&mut world)), (Code::DisconnectRequest, Some(SessionPhase::Disconnecting)));
    let refused = world.records.iter().find(|record| record.code == "wifi-change-refused").expect("it is told");
    assert!(refused.outcome == Outcome::Warning && refused.sentence.contains("Error-Cause 401"), "{refused:?}");

    let mut world = online(AccessPointProfile::Mikrotik);
    on_plan(&mut world, "slow");
    let sent = world.pass(Duration::from_secs(70));
    let codes: Vec<u8> = told(&sent).iter().map(|datagram| datagram[0]).collect();
    assert_eq!(codes.iter().filter(|&&code| code == Code::CoaRequest.number()).count(), 5, "six in all");
    assert!(codes.ends_with(&[Code::DisconnectRequest.number()]), "{codes:?}");
    assert!(world.codes().contains(&"wifi-change-silent"));
    world.pass(Duration::from_secs(120));
    assert_eq!(phase(&mut world), Some(SessionPhase::DisconnectFailed));
    // No change of policy asks again on its own; the access point's next report does.
    assert_eq!(told(&on_plan(&mut world, "slow")).len(), 0);
    let report = report(2, 3, 1, "a1", None).finish(SECRET).expect("it fits");
    let sent = world.receive(Socket::Accounting, POINT, &report);
    assert_eq!(only(&sent).0, Code::DisconnectRequest);
}

#[test]
fn a_change_that_is_taken_back_on_its_way_is_told_as_well() {
    let mut world = online(AccessPointProfile::Mikrotik);
    let (_, lost) = only(&on_plan(&mut world, "slow"));
    let (code, request) = only(&on_plan(&mut world, "resident"));
    assert_eq!((code, vendor_text(&request, 14_988, 8).as_deref()), (Code::CoaRequest, Some("10000000/50000000")));
    answer(&mut world, &lost, Code::CoaAck, None);
    assert_eq!(
        phase(&mut world),
        Some(SessionPhase::Changing),
        "the answer to what nobody wants any more is no answer"
    );
    answer(&mut world, &request, Code::CoaAck, None);
    assert_eq!(phase(&mut world), Some(SessionPhase::Open));
}

#[test]
fn a_suspension_goes_before_a_change() {
    let mut world = online(AccessPointProfile::Mikrotik);
    let (_, change) = only(&on_plan(&mut world, "slow"));
    let (code, request) = only(&world.suspend(1));
    assert_eq!((code, phase(&mut world)), (Code::DisconnectRequest, Some(SessionPhase::Disconnecting)));
    answer(&mut world, &change, Code::CoaAck, None);
    assert_eq!(phase(&mut world), Some(SessionPhase::Disconnecting));
    answer(&mut world, &request, Code::DisconnectAck, None);
    assert_eq!(phase(&mut world), None);
}

#[test]
fn another_end_is_told_where_that_can_be_and_disturbs_nobody_elsewhere() {
    let until = |world: &World, minutes: u64| policy::Window {
        from: None,
        until: Some(world.now.stamp() + Duration::from_secs(60 * minutes)),
    };
    let mut world = online(AccessPointProfile::Aruba);
    let valid = until(&world, 20);
    let (code, request) = only(&world.change(&[Change::Member(policy::Member { valid, ..member(1) })]));
    let packet = Packet::decode(&request).expect("a packet");
    assert_eq!((code, packet.integer(AttributeType::SESSION_TIMEOUT)), (Code::CoaRequest, Some(1_200)));
    assert_eq!(packet.vendor(14_122, 8).count(), 0, "the rates are no part of it");
    answer(&mut world, &request, Code::CoaNak, Some(405));
    assert_eq!(phase(&mut world), Some(SessionPhase::Open), "its end is no reason to throw anybody out");
    // The box sees to the end itself.
    assert_eq!(only(&world.pass(Duration::from_secs(1_230))).0, Code::DisconnectRequest);

    let mut world = online(AccessPointProfile::Generic);
    let valid = until(&world, 20);
    assert_eq!(told(&world.change(&[Change::Member(policy::Member { valid, ..member(1) })])).len(), 0);
    assert_eq!(phase(&mut world), Some(SessionPhase::Open));
    let warned: Vec<&str> = {
        world.pass(Duration::from_secs(360));
        world
            .records
            .iter()
            .filter(|record| record.code == "wifi-ends-soon")
            .map(|record| record.sentence.as_str())
            .collect()
    };
    assert_eq!(warned, ["The membership ends Mon 23 Nov 12:20; the device is logged out then."]);
    assert_eq!(only(&world.pass(Duration::from_secs(900))).0, Code::DisconnectRequest);
}

#[test]
fn hours_warn_a_quarter_before_and_give_a_quarter_of_grace() {
    let mut world = World::new();
    let mut site = site();
    let hours: ScheduleName = name("office");
    let slot = Slot { weekday: jiff::civil::Weekday::Monday, from_minute: 8 * 60, until_minute: 13 * 60 };
    let office = Schedule { name: hours.clone(), slots: vec![slot], closed_on_holidays: true };
    site.schedules.insert(hours.clone(), office);
    let wifi = site.plans.values_mut().next().and_then(|plan| plan.wifi.as_mut()).expect("a plan with Wi-Fi");
    wifi.hours = Some(hours);
    apply(&mut world, site);
    let accept = world.login(1, "user-1/1");
    assert_eq!(accept.packet().integer(AttributeType::SESSION_TIMEOUT), Some(75 * 60), "an hour and the grace");
    let class = accept.text(AttributeType::CLASS).expect("our Class");
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    let warnings = |world: &World| world.codes().iter().filter(|code| **code == "wifi-ends-soon").count();
    world.pass(Duration::from_secs(44 * 60));
    assert_eq!(warnings(&world), 0);
    world.pass(Duration::from_secs(2 * 60));
    assert_eq!(warnings(&world), 1);
    let sent = world.pass(Duration::from_secs(28 * 60));
    assert_eq!((warnings(&world), told(&sent).len()), (1, 0), "warned once, and still within the grace");
    assert_eq!(only(&world.pass(Duration::from_secs(75))).0, Code::DisconnectRequest);
}

/// The site whose access point is excused from Message-Authenticator.
fn excused() -> World {
    let mut world = World::new();
    let mut site = site();
    let point = site.access_points.values_mut().next().expect("there is one");
    point.message_authenticator = MessageAuthenticatorRule::Optional;
    apply(&mut world, site);
    world
}

/// An Access-Request without Message-Authenticator: header and attributes by hand, as the writer signs all it writes.
fn unsigned(identifier: u8, attributes: &[(AttributeType, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![Code::AccessRequest.number(), identifier, 0, 0];
    bytes.extend(authenticator(identifier, 1));
    for (kind, value) in attributes {
        bytes.extend([kind.0, u8::try_from(value.len() + 2).expect("short")]);
        bytes.extend(*value);
    }
    let length = u16::try_from(bytes.len()).expect("short");
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

const STATION: (AttributeType, &[u8]) = (AttributeType::CALLING_STATION_ID, b"02-00-00-00-00-01");

#[test]
fn an_unsigned_request_is_dropped_unless_its_access_point_is_excused() {
    let plain = unsigned(1, &[STATION]);
    let mut world = World::new();
    assert!(world.exchange(&plain).is_none());
    assert_eq!(world.codes(), ["wifi-no-message-authenticator"]);
    assert_eq!(world.engine.counters().unauthenticated, 1);

    let mut world = excused();
    world.records.clear();
    let reply = world.exchange(&plain).expect("an answer, and a signed one");
    assert_eq!(reply.code, Code::AccessReject, "there is nothing in it to let anybody in by");
    assert!(world.codes().contains(&"wifi-unsigned-request"));
    assert_eq!(world.engine.counters().unsigned_accepted, 1);
    assert_eq!(world.login(2, "user-2/2").code, Code::AccessAccept, "who signs all the same is served as ever");
}

#[test]
fn an_excuse_covers_neither_eap_nor_proxy_state_nor_a_wrong_signature() {
    let mut world = excused();
    world.records.clear();
    let eap = identity(1);
    for (identifier, attributes, code) in [
        (1, vec![STATION, (AttributeType::EAP_MESSAGE, eap.as_slice())], "wifi-no-message-authenticator"),
        (2, vec![STATION, (AttributeType::PROXY_STATE, &b"x"[..])], "wifi-proxy-state"),
        (3, vec![STATION, (AttributeType::MESSAGE_AUTHENTICATOR, &[0; 16][..])], "wifi-wrong-secret"),
    ] {
        assert!(world.exchange(&unsigned(identifier, &attributes)).is_none(), "{code}");
        assert_eq!(world.codes().last(), Some(&code));
    }
    assert_eq!(world.engine.counters().unsigned_accepted, 0);
}

#[test]
fn an_excuse_is_told_when_it_comes_into_force_and_at_every_start() {
    let world = excused();
    let told: Vec<_> =
        world.records.iter().filter(|record| record.code == "wifi-message-authenticator-optional").collect();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].outcome, told[0].place.as_deref()), (Outcome::Warning, Some("hall")));
    let mut again = excused();
    let site = again.snapshot.site.as_ref().clone();
    apply(&mut again, site);
    let count = again.codes().iter().filter(|code| **code == "wifi-message-authenticator-optional").count();
    assert_eq!(count, 1, "the same again is no news");
}

/// The site with nobody's word for any VLAN.
fn untested() -> World {
    let mut world = World::new();
    let mut site = site();
    site.networks.values_mut().for_each(|network| network.vlan_tested = false);
    apply(&mut world, site);
    world
}

fn group(reply: &Reply) -> Option<String> {
    reply.text(AttributeType::TUNNEL_PRIVATE_GROUP_ID)
}

#[test]
fn a_vlan_is_withheld_until_a_device_shows_that_it_works_and_then_everybody_moves() {
    let mut world = untested();
    let flat = world.login(2, "user-2/2");
    assert_eq!((flat.code, group(&flat)), (Code::AccessAccept, None));
    let admitted = world.records.last().expect("it is written down");
    assert_eq!(admitted.facts.get("vlan_withheld").map(String::as_str), Some("10"));
    assert!(admitted.sentence.contains("without its VLAN 10"), "{}", admitted.sentence);
    assert!(world.account(1, report(1, 1, 2, "b1", flat.text(AttributeType::CLASS).as_deref())));

    world.command(Command::OpenVlanTest { network: name("members"), member: member_id(1), minutes: 10 });
    let tester = world.login(1, "user-1/1");
    assert_eq!(group(&tester).as_deref(), Some("10"));
    assert_eq!(tester.packet().integer(AttributeType::SESSION_TIMEOUT), Some(600));
    assert_eq!(tester.packet().integer(AttributeType::ACCT_INTERIM_INTERVAL), Some(60), "time to show its counters");
    assert_eq!(group(&world.login(3, "user-3/3")), None, "for nobody else");
    let class = tester.text(AttributeType::CLASS);
    assert!(world.account(2, report(2, 1, 1, "a1", class.as_deref())));
    let own = report(3, 3, 1, "a1", class.as_deref()).attribute(AttributeType::FRAMED_IP_ADDRESS, &[169, 254, 1, 2]);
    assert!(world.account(3, own));
    assert_eq!(world.passed, [], "an address that the device gave itself shows nothing");
    let given = report(4, 3, 1, "a1", class.as_deref()).attribute(AttributeType::FRAMED_IP_ADDRESS, &[10, 0, 10, 7]);
    assert!(world.account(4, given));
    let (network, vlan) = world.passed.pop().expect("the device has an address");
    let sent = world.command(Command::PassVlanTest { network, vlan });
    let named: Vec<_> = told(&sent)
        .iter()
        .map(|datagram| Packet::decode(datagram).expect("a packet"))
        .filter_map(|packet| packet.text(AttributeType::ACCT_SESSION_ID).map(str::to_owned))
        .collect();
    assert_eq!(named, ["b1"], "who was let in without the VLAN comes back on it, the tester stays");
    assert_eq!(group(&world.login(4, "user-4/4")).as_deref(), Some("10"));
}

#[test]
fn traffic_both_ways_shows_it_too_and_a_test_that_shows_nothing_ends_flat() {
    let mut world = untested();
    world.command(Command::OpenVlanTest { network: name("members"), member: member_id(1), minutes: 10 });
    let class = world.login(1, "user-1/1").text(AttributeType::CLASS);
    assert!(world.account(1, report(1, 1, 1, "a1", class.as_deref())));
    let counted = |identifier: u8, sent: u32, received: u32| {
        report(identifier, 3, 1, "a1", None)
            .integer(AttributeType::ACCT_INPUT_OCTETS, sent)
            .integer(AttributeType::ACCT_OUTPUT_OCTETS, received)
    };
    assert!(world.account(2, counted(2, 5_000_000, 900)));
    assert_eq!(world.passed, [], "it asks and nobody answers");
    let sent = world.pass(Duration::from_secs(615));
    assert_eq!(only(&sent).0, Code::DisconnectRequest, "the time is up");
    assert_eq!(group(&world.login(1, "user-1/1")), None);

    let mut world = untested();
    world.command(Command::OpenVlanTest { network: name("members"), member: member_id(1), minutes: 10 });
    let class = world.login(1, "user-1/1").text(AttributeType::CLASS);
    assert!(world.account(1, report(1, 1, 1, "a1", class.as_deref())));
    assert!(world.account(2, counted(2, 70_000, 70_000)));
    assert_eq!(world.passed, [(name("members"), 10)]);
}

#[test]
fn after_a_restart_a_change_is_told_all_the_same() {
    let before = online(AccessPointProfile::Mikrotik);
    let open = before.rows.last().cloned().expect("the session was written down");
    let mut world = World::with(vec![open]);
    let (code, request) = only(&apply(&mut world, site_with(AccessPointProfile::Mikrotik)));
    assert_eq!((code, vendor_text(&request, 14_988, 8).as_deref()), (Code::CoaRequest, Some("10000000/50000000")));
}

/// An access point that obeys, refuses, or whose packets are lost, while the plan changes back and forth: in the end it has the
/// newest terms, or the device had to log in again.
#[test]
fn whatever_is_lost_the_newest_terms_hold_in_the_end() {
    use values::{Entropy, SeededEntropy};
    let (mut changed, mut gone) = (0, 0);
    for seed in 0..60 {
        let mut dice = SeededEntropy(seed);
        let mut roll = |sides: u64| u64::from_le_bytes((&mut dice as &mut dyn Entropy).bytes()) % sides;
        let mut world = online(AccessPointProfile::Mikrotik);
        let (mut plan, mut held, mut is_here) = ("resident", "10000000/50000000".to_owned(), true);
        let mut under_way: Vec<Vec<u8>> = Vec::new();
        for step in 0..60 {
            let calm = step >= 30;
            let sent = match (calm, roll(3)) {
                (false, 0) => {
                    plan = if plan == "resident" { "slow" } else { "resident" };
                    on_plan(&mut world, plan)
                }
                (false, _) => world.pass(Duration::from_millis(700)),
                (true, _) => world.pass(Duration::from_secs(10)),
            };
            under_way.extend(told(&sent).into_iter().map(<[u8]>::to_vec));
            while let Some(request) = under_way.pop() {
                if !calm && roll(3) == 0 {
                    continue; // lost
                }
                let (code, cause) = match (request[0] == Code::CoaRequest.number(), is_here) {
                    (true, true) if roll(6) == 0 => (Code::CoaNak, Some(401)),
                    (true, true) => {
                        held = vendor_text(&request, 14_988, 8).expect("the rates");
                        changed += 1;
                        (Code::CoaAck, None)
                    }
                    (true, false) => (Code::CoaNak, Some(503)),
                    (false, true) => {
                        is_here = false;
                        gone += 1;
                        (Code::DisconnectAck, None)
                    }
                    (false, false) => (Code::DisconnectNak, Some(503)),
                };
                if calm || roll(3) > 0 {
                    let more = answer(&mut world, &request, code, cause);
                    under_way.extend(told(&more).into_iter().map(<[u8]>::to_vec));
                }
            }
        }
        let wanted = if plan == "resident" { "10000000/50000000" } else { "1000000/5000000" };
        assert!(!is_here || held == wanted, "seed {seed}: {held} on {plan}");
        assert_eq!(phase(&mut world).is_some(), is_here, "seed {seed}: both know whether the device is here");
    }
    assert!(changed > 100 && gone > 10, "{changed} changes, {gone} disconnects");
}
