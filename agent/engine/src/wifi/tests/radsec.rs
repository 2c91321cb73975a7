//! Access points that come by RadSec: `attic` from anywhere, and `hall` of the other tests when it is given a certificate too.

use super::super::*;
use super::world::*;
use policy::access_point::ClientCertificate;
use policy::{AccessPoint, Change, Command, RadSecClient, SiteModel};
use proto::radius::radsec::{InvalidLength, SECRET as RADSEC};
use proto::radius::{AttributeType, Code, Packet, ReplyRule, Writer};
use values::Timestamp;

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9)), 50_000);
const LINE: ConnectionId = ConnectionId(1);
const NEXT_LINE: ConnectionId = ConnectionId(2);

/// The site of the other tests, where `attic` comes by RadSec and `hall` by either.
fn site_with_radsec() -> SiteModel {
    let mut model = site();
    let radsec = Some(RadSecClient { from: None });
    let hall = model.access_points.get_mut("hall").expect("the site has it");
    hall.radsec.clone_from(&radsec);
    let attic = AccessPoint { name: name("attic"), udp: None, radsec, ..hall.clone() };
    model.access_points.insert(attic.name.clone(), attic);
    model
}

fn world() -> World {
    let mut world = World::new();
    world.change(&[Change::Site(Arc::new(site_with_radsec()))]);
    for (point, n) in [("attic", 1), ("hall", 2)] {
        issue(&mut world, point, n);
    }
    world
}

fn issue(world: &mut World, point: &str, n: u8) {
    let expires_at = Timestamp(world.now.stamp().0 + 400 * 24 * 3_600 * 1_000);
    world.command(Command::IssueAccessPointCertificate { access_point: name(point), fingerprint: [n; 32], expires_at });
}

fn certificate(point: &str, n: u8) -> ClientCertificate {
    ClientCertificate { fingerprint: [n; 32], names: vec![format!("{point}.accesspoint.harbour.example")] }
}

fn connect(world: &mut World, connection: ConnectionId, point: &str, n: u8) -> Vec<(Socket, SocketAddr, Vec<u8>)> {
    world.input(Input::Connected { connection, from: PEER, certificate: certificate(point, n) });
    world.drain()
}

fn lose(world: &mut World, connection: ConnectionId) {
    world.input(Input::Gone { connection });
    assert!(world.drain().is_empty());
}

fn receive(world: &mut World, connection: ConnectionId, packet: &[u8]) -> Vec<(Socket, SocketAddr, Vec<u8>)> {
    world.receive(Socket::RadSec(connection), PEER, packet)
}

fn accounting(identifier: u8, status: u32, session: &str) -> Vec<u8> {
    report(identifier, status, 1, session, None).finish(RADSEC).expect("it fits")
}

/// A world where member 1 is online at `attic`.
fn online() -> World {
    let mut world = world();
    connect(&mut world, LINE, "attic", 1);
    assert_eq!(receive(&mut world, LINE, &accounting(1, 1, "a1")).len(), 1);
    assert!(world.closed.is_empty());
    world
}

/// The Disconnect-Requests among what left, and the way that each went.
fn orders(sent: &[(Socket, SocketAddr, Vec<u8>)]) -> Vec<(Socket, Vec<u8>)> {
    let is_order = |bytes: &[u8]| Packet::decode(bytes).is_ok_and(|packet| packet.code() == Code::DisconnectRequest);
    sent.iter().filter(|(.., bytes)| is_order(bytes)).map(|(socket, _, bytes)| (*socket, bytes.clone())).collect()
}

fn acknowledge(order: &[u8], secret: &[u8]) -> Vec<u8> {
    Writer::reply(Code::DisconnectAck, &Packet::decode(order).expect("a request")).finish(secret).expect("it fits")
}

#[test]
fn a_login_and_its_accounting_go_over_one_connection() {
    let mut world = world();
    connect(&mut world, LINE, "attic", 1);
    let mut state: Option<Vec<u8>> = None;
    for (identifier, eap) in [(1, identity(1)), (2, proof(2, "user-1/1"))] {
        let mut request = Writer::request(Code::AccessRequest, identifier, [identifier; 16])
            .text(AttributeType::CALLING_STATION_ID, "02-00-00-00-00-01")
            .eap_message(&eap);
        if let Some(state) = &state {
            request = request.attribute(AttributeType::STATE, state);
        }
        let sent = receive(&mut world, LINE, &request.finish(RADSEC).expect("it fits"));
        let [(socket, to, answer)] = sent.as_slice() else { panic!("one answer: {sent:?}") };
        assert_eq!((*socket, *to), (Socket::RadSec(LINE), PEER));
        let packet = Packet::decode(answer).expect("a packet");
        let rule = ReplyRule::MessageAuthenticatorRequired;
        assert_eq!(packet.verify_reply(identifier, &[identifier; 16], RADSEC, rule), Ok(()));
        assert_eq!(packet.code(), if identifier == 1 { Code::AccessChallenge } else { Code::AccessAccept });
        state = packet.first(AttributeType::STATE).map(<[u8]>::to_vec);
    }
    assert_eq!(receive(&mut world, LINE, &accounting(3, 1, "a1")).len(), 1);
    assert_eq!(world.rows.last().map(|row| row.access_point.clone()), Some(name("attic")));
    assert_eq!(world.engine.counters().radsec_connections, 1);
}

#[test]
fn whoever_is_nobody_is_turned_away_in_words() {
    for (certificate, code) in [
        (certificate("attic", 9), "access-point-certificate-replaced"),
        (certificate("cellar", 1), "unknown-access-point"),
        (ClientCertificate { fingerprint: [1; 32], names: Vec::new() }, "certificate-of-no-access-point"),
    ] {
        let mut world = world();
        world.input(Input::Connected { connection: LINE, from: PEER, certificate });
        world.drain();
        assert_eq!((world.codes().last(), world.closed.as_slice()), (Some(&code), [LINE].as_slice()));
        // What came before it heard of the end is not served.
        assert!(receive(&mut world, LINE, &accounting(1, 1, "a1")).is_empty());
    }
}

#[test]
fn a_certificate_ends_with_its_time_in_the_middle_of_a_connection() {
    let mut world = online();
    world.set_time(world.now.mono + Duration::from_secs(401 * 24 * 3_600));
    assert!(
        receive(&mut world, LINE, &accounting(2, 3, "a1")).iter().all(|(socket, ..)| *socket != Socket::RadSec(LINE))
    );
    assert_eq!(world.closed, [LINE]);
    assert!(world.codes().contains(&"access-point-certificate-expired"), "{:?}", world.codes());
}

#[test]
fn an_access_point_that_leaves_the_site_file_is_cut_off() {
    let mut world = online();
    let mut model = site_with_radsec();
    model.access_points.remove("attic");
    world.change(&[Change::Site(Arc::new(model))]);
    assert_eq!(world.closed, [LINE]);
    assert!(world.codes().contains(&"unknown-access-point"), "{:?}", world.codes());
    assert!(receive(&mut world, LINE, &accounting(2, 3, "a1")).is_empty());
}

#[test]
fn a_request_in_the_making_is_answered_over_the_connection_that_repeats_it() {
    let mut world = world();
    connect(&mut world, LINE, "attic", 1);
    // The store is slow: the answer is not there when the connection breaks.
    let request = accounting(7, 1, "a1");
    world.input(Input::Received { socket: Socket::RadSec(LINE), from: PEER, datagram: request.clone() });
    let token = std::iter::from_fn(|| world.engine.poll_output()).find_map(|output| match output {
        Output::Account { token, .. } => Some(token),
        _ => None,
    });
    lose(&mut world, LINE);
    connect(&mut world, NEXT_LINE, "attic", 1);
    assert!(receive(&mut world, NEXT_LINE, &request).is_empty(), "it is being answered");
    world.input(Input::Accounted { token: token.expect("a write"), ok: true });
    let sent = world.drain();
    let [(socket, _, answer)] = sent.as_slice() else { panic!("one answer: {sent:?}") };
    assert_eq!(*socket, Socket::RadSec(NEXT_LINE));
    let again = receive(&mut world, NEXT_LINE, &request);
    assert_eq!(again, [(Socket::RadSec(NEXT_LINE), PEER, answer.clone())], "the same octets");
}

#[test]
fn a_stranger_to_radius_loses_its_connection() {
    for (what, change) in [("no RADIUS", 21), ("another secret", 10)] {
        let mut world = online();
        let mut packet = accounting(2, 3, "a1");
        packet[change] ^= 0x7f;
        assert!(receive(&mut world, LINE, &packet).is_empty());
        assert_eq!(world.closed, [LINE], "{what}");
    }
    let mut world = online();
    world.input(Input::Unframed { connection: LINE, invalid: InvalidLength(7) });
    world.drain();
    assert_eq!(world.codes().last(), Some(&"wifi-malformed"));
    assert!(world.engine.connections().is_empty());
}

#[test]
fn a_disconnect_goes_over_the_connection_and_its_answer_comes_back_there() {
    let mut world = online();
    let [(way, order)] = &orders(&world.suspend(1))[..] else { panic!("one Disconnect-Request") };
    assert_eq!(*way, Socket::RadSec(LINE));
    let packet = Packet::decode(order).expect("a packet");
    assert_eq!(packet.verify_signed_request(RADSEC), Ok(()));
    // Another connection's answer, or one with the secret of UDP, is none.
    connect(&mut world, ConnectionId(5), "hall", 2);
    receive(&mut world, ConnectionId(5), &acknowledge(order, RADSEC));
    receive(&mut world, LINE, &acknowledge(order, SECRET));
    assert_eq!(world.engine.counters().disconnects_confirmed, 0);
    receive(&mut world, LINE, &acknowledge(order, RADSEC));
    assert_eq!(world.engine.counters().disconnects_confirmed, 1);
    assert_eq!(world.rows.last().and_then(|row| row.end_cause.clone()).as_deref(), Some("disconnected"));
}

#[test]
fn who_had_to_go_while_the_access_point_was_away_goes_when_it_is_back() {
    let mut world = online();
    lose(&mut world, LINE);
    assert!(orders(&world.suspend(1)).is_empty());
    assert_eq!(world.codes().last(), Some(&"wifi-access-point-unconnected"));
    assert!(orders(&world.pass(Duration::from_secs(120))).is_empty(), "there is no way to ask");
    let [(way, order)] = &orders(&connect(&mut world, NEXT_LINE, "attic", 1))[..] else { panic!("one request") };
    assert_eq!(*way, Socket::RadSec(NEXT_LINE));
    receive(&mut world, NEXT_LINE, &acknowledge(order, RADSEC));
    assert_eq!(world.engine.counters().disconnects_confirmed, 1);
}

#[test]
fn a_connection_that_breaks_before_the_answer_hands_the_order_to_the_next() {
    let mut world = online();
    assert_eq!(orders(&world.suspend(1)).len(), 1);
    connect(&mut world, NEXT_LINE, "attic", 1);
    lose(&mut world, LINE);
    let again = orders(&world.pass(Duration::from_secs(2)));
    assert_eq!(again.iter().map(|(way, _)| *way).collect::<Vec<_>>(), [Socket::RadSec(NEXT_LINE)]);
}

#[test]
fn an_access_point_that_comes_by_either_is_asked_by_either_in_turn() {
    let mut world = world();
    connect(&mut world, LINE, "hall", 2);
    assert_eq!(receive(&mut world, LINE, &accounting(1, 1, "a1")).len(), 1);
    let mut ways: Vec<Socket> = orders(&world.suspend(1)).into_iter().map(|(way, _)| way).collect();
    let later = world.pass(Duration::from_secs(120));
    let answered = orders(&later).last().map(|(_, order)| acknowledge(order, SECRET)).expect("it was repeated");
    ways.extend(orders(&later).into_iter().map(|(way, _)| way));
    let (line, udp) = (Socket::RadSec(LINE), Socket::DynamicAuthorization);
    assert_eq!(ways, [line, udp, line, udp, line, udp]);
    assert_eq!(world.codes().last(), Some(&"wifi-disconnect-silent"));
    world.receive(udp, COA, &answered);
    assert_eq!(world.engine.counters().disconnects_confirmed, 0, "too late: it was given up");
}

#[test]
fn the_oldest_of_too_many_connections_makes_room() {
    let mut world = world();
    for n in 1..=6 {
        connect(&mut world, ConnectionId(n), "attic", 1);
    }
    assert_eq!(world.closed, [ConnectionId(1), ConnectionId(2)]);
    assert_eq!(world.engine.connections(), [(name("attic"), 4)].into());
}

#[test]
fn a_certificate_near_its_end_is_told_of_when_it_is_used() {
    let mut world = world();
    connect(&mut world, LINE, "attic", 1);
    assert!(!world.codes().contains(&"radsec-certificate-ends"));
    world.set_time(world.now.mono + Duration::from_secs(345 * 24 * 3_600));
    connect(&mut world, NEXT_LINE, "attic", 1);
    let told = world.records.last().expect("a record");
    assert!(told.code == "radsec-certificate-ends" && told.sentence.contains("certificate attic"), "{}", told.sentence);
}

/// A proxy whose access points share its certificate, and one of which restarts.
#[test]
fn access_points_that_share_a_certificate_end_their_own_sessions_only() {
    let mut world = world();
    connect(&mut world, LINE, "attic", 1);
    let named =
        |writer: Writer, nas: &str| writer.text(AttributeType::NAS_IDENTIFIER, nas).finish(RADSEC).expect("it fits");
    for (n, nas) in [(1, "east"), (2, "west")] {
        let start = named(report(n, 1, n, "00000001", None), nas);
        assert_eq!(receive(&mut world, LINE, &start).len(), 1);
    }
    let on = Writer::request(Code::AccountingRequest, 9, [0; 16]).integer(AttributeType::ACCT_STATUS_TYPE, 7);
    receive(&mut world, LINE, &named(on, "east"));
    world.pass(Duration::from_secs(1));
    let here: Vec<_> = world.presence.sessions.iter().map(|session| session.row.nas.as_str()).collect();
    assert_eq!(here, ["west"]);
    assert!(world.presence.is_here(member_id(2)) && !world.presence.is_here(member_id(1)));
}

/// hostapd at two access points behind one radsecproxy, which hands no Disconnect-Request on: the one address of the site file is
/// that of the wrong one.
#[test]
fn an_access_point_that_answers_for_another_is_not_believed_that_a_session_is_gone() {
    for (nases, believed) in [(["west", "west"], true), (["east", "west"], false)] {
        let mut world = world();
        connect(&mut world, LINE, "hall", 2);
        for (n, nas) in [1, 2].into_iter().zip(nases) {
            let start = report(n, 1, n, &format!("0000000{n}"), None).text(AttributeType::NAS_IDENTIFIER, nas);
            assert_eq!(receive(&mut world, LINE, &start.finish(RADSEC).expect("it fits")).len(), 1);
        }
        world.suspend(2);
        let udp = Socket::DynamicAuthorization;
        let by_udp = |sent: &[(Socket, SocketAddr, Vec<u8>)]| orders(sent).into_iter().find(|(way, _)| *way == udp);
        let asked = (0..30).find_map(|_| by_udp(&world.pass(Duration::from_secs(1))));
        let (_, order) = asked.expect("in turn with the connection");
        let request = Packet::decode(&order).expect("a packet");
        let nak = Writer::reply(Code::DisconnectNak, &request)
            .integer(AttributeType::ERROR_CAUSE, 503)
            .finish(SECRET)
            .expect("it fits");
        world.receive(udp, COA, &nak);
        let gone = world.rows.last().and_then(|row| row.end_cause.clone());
        assert_eq!(gone.as_deref() == Some("gone"), believed, "{nases:?}: {gone:?}");
        let told = world.records.last().expect("a record");
        assert_eq!(told.code == "wifi-disconnect-refused", !believed, "{}", told.sentence);
        assert_eq!(told.sentence.contains("may be at another"), !believed, "{}", told.sentence);
    }
}
