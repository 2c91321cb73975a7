//! Logins: who is answered, with what, and who is not.

use super::super::*;
use super::world::*;
use proto::radius::{AttributeType, Code, Writer};
use values::{Entropy, SeededEntropy};

#[test]
fn a_member_is_let_in_with_her_terms() {
    let mut world = World::new();
    let accept = world.login(1, "User-1@harbour.example/1");
    assert_eq!(accept.code, Code::AccessAccept);
    assert_eq!(accept.text(AttributeType::TUNNEL_PRIVATE_GROUP_ID).as_deref(), Some("10"));
    assert_eq!(accept.text(AttributeType::USER_NAME).as_deref(), Some("user-1"));
    assert_eq!(accept.packet().integer(AttributeType::SESSION_TIMEOUT), Some(14_400));
    assert_eq!(accept.packet().integer(AttributeType::ACCT_INTERIM_INTERVAL), Some(600));
    assert_eq!(accept.packet().eap_message(), Some(vec![3, 9, 0, 4]));
    world.pass(Duration::from_millis(100));
    let session: SessionId = accept.text(AttributeType::CLASS).and_then(|text| text.parse().ok()).expect("our Class");
    let view = world.presence.session(session).expect("a place is held").clone();
    assert_eq!((view.phase, view.row.member), (SessionPhase::Admitted, Some(member_id(1))));
    let record = world.records.last().expect("it is written down");
    assert_eq!((record.code.as_str(), record.member), ("wifi-admitted", Some(member_id(1))));
    assert_eq!(record.sentence, "Let in on network `members`, VLAN 10.");
    assert_eq!(record.facts.get("method").map(String::as_str), Some("TTLS/PAP, TLS 1.3, TLS13_AES_128_GCM_SHA256"));
}

#[test]
fn each_refusal_has_its_reason_and_the_same_answer() {
    let mut world = World::new();
    world.suspend(2);
    let mut answers = Vec::new();
    for (n, text, code) in
        [(1, "user-1/9", "wrong-key"), (2, "user-2/2", "member-suspended"), (3, "nobody/3", "unknown-member")]
    {
        let reject = world.login(n, text);
        assert_eq!(reject.code, Code::AccessReject);
        assert_eq!(world.records.last().map(|record| record.code.as_str()), Some(code));
        answers.push(reject.packet().attributes().map(|a| (a.kind, a.value.len())).collect::<Vec<_>>());
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "a refusal looks alike whatever its reason");
    let wrong_key = world.records.iter().find(|record| record.code == "wrong-key").expect("it is written down");
    assert_eq!(wrong_key.member, Some(member_id(1)), "so that `why` can tell the member");
}

#[test]
fn a_retransmission_gets_the_same_bytes_and_begins_nothing() {
    let mut world = World::new();
    let request = access_request(1, 1, None, &identity(1));
    let first = world.receive(Socket::Authentication, POINT, &request);
    let again = world.receive(Socket::Authentication, POINT, &request);
    assert_eq!(first, again);
    assert_eq!((world.engine.logins(), world.engine.counters().duplicates_answered), (1, 1));
    let other_port = SocketAddr::new(POINT.ip(), 41_000);
    world.receive(Socket::Authentication, other_port, &request);
    assert_eq!(world.engine.logins(), 2, "another port is another request");
}

#[test]
fn a_duplicate_of_what_a_worker_has_is_dropped() {
    let mut world = World::new();
    let request = access_request(1, 1, None, &identity(1));
    world.input(Input::Received { socket: Socket::Authentication, from: POINT, datagram: request.clone() });
    world.input(Input::Received { socket: Socket::Authentication, from: POINT, datagram: request });
    assert_eq!((world.engine.logins(), world.engine.counters().duplicates_dropped), (1, 1));
    assert_eq!(world.drain().len(), 1);
}

#[test]
fn strangers_and_forgers_meet_silence_and_the_operator_is_told_once() {
    let mut world = World::new();
    let stranger: SocketAddr = "192.0.2.1:5000".parse().expect("an address");
    let genuine = access_request(1, 1, None, &identity(1));
    let unsigned = [&[1, 1, 0, 26][..], &[0; 16], &[79, 6, 2, 1, 0, 4]].concat();
    let other =
        Writer::request(Code::AccessRequest, 3, [3; 16]).eap_message(&identity(1)).finish(b"other").expect("it fits");
    for _ in 0..5 {
        assert_eq!(world.receive(Socket::Authentication, stranger, &genuine), []);
        assert_eq!(world.receive(Socket::Authentication, POINT, &unsigned), []);
        assert_eq!(world.receive(Socket::Authentication, POINT, &other), []);
        assert_eq!(world.receive(Socket::Authentication, POINT, b"GET / HTTP/1.1"), []);
    }
    let told = ["wifi-unknown-client", "wifi-no-message-authenticator", "wifi-wrong-secret", "wifi-malformed"];
    assert_eq!(world.codes(), told);
    let counters = *world.engine.counters();
    assert_eq!(
        (counters.unknown_clients, counters.unauthenticated, counters.inauthentic, counters.malformed),
        (5, 5, 5, 5)
    );
    assert_eq!((counters.warnings_suppressed, world.engine.logins()), (16, 0));
    world.pass(Duration::from_secs(60));
    world.receive(Socket::Authentication, stranger, &genuine);
    assert_eq!(world.records.last().and_then(|record| record.facts.get("also").cloned()), Some("4".into()));
}

#[test]
fn a_member_who_is_suspended_in_the_middle_of_her_login_does_not_get_in() {
    let mut world = World::new();
    let challenge = world.exchange(&access_request(1, 1, None, &identity(1))).expect("a challenge");
    let request = access_request(2, 1, challenge.state().as_deref(), &proof(2, "user-1/1"));
    world.input(Input::Received { socket: Socket::Authentication, from: POINT, datagram: request.clone() });
    let mut suspended = false;
    loop {
        match world.engine.poll_output().expect("it goes on to an answer") {
            Output::Compute { token, conversation, input } => {
                let step = world.script.run(&conversation, input);
                // Policy has said yes already; the worker comes back with EAP-Success.
                if matches!(step, EapStep::Success { .. }) {
                    let since = world.now.stamp();
                    let status = policy::MemberStatus::Suspended { since };
                    let old = Arc::clone(&world.snapshot);
                    world.snapshot =
                        Arc::new(old.with(&[policy::Change::Member(policy::Member { status, ..member(1) })]));
                    suspended = true;
                }
                world.input(Input::Computed { token, conversation, step });
            }
            Output::Send { datagram, .. } => {
                assert!(suspended);
                let reply = Reply::to(&request, &datagram);
                assert_eq!(reply.code, Code::AccessReject);
                assert_eq!(reply.packet().eap_message(), Some(vec![4, 9, 0, 4]));
                break;
            }
            Output::Record(_)
            | Output::Present(_)
            | Output::Account { .. }
            | Output::FindKey { .. }
            | Output::VlanPassed { .. } => {}
            Output::Close { .. } => panic!("no connection"),
        }
    }
    world.drain();
    assert_eq!(world.codes(), ["member-suspended"]);
}

#[test]
fn a_device_limit_counts_held_places_and_lets_the_same_device_back() {
    let mut world = World::new();
    assert_eq!(world.login(1, "user-1/1").code, Code::AccessAccept);
    assert_eq!(world.login(2, "user-1/1").code, Code::AccessAccept);
    assert_eq!(world.login(3, "user-1/1").code, Code::AccessReject);
    let refused = world.records.last().expect("written down");
    assert_eq!(refused.code, "device-limit");
    assert_eq!(refused.facts.get("online"), refused.credential.map(|id| id.to_string()).as_ref(), "by its key, once");
    world.pass(Duration::from_secs(10));
    assert_eq!(world.login(2, "user-1/1").code, Code::AccessAccept, "the same device again");
    world.pass(Duration::from_secs(80));
    assert_eq!(world.login(3, "user-1/1").code, Code::AccessAccept, "places are held for a minute only");
}

#[test]
fn an_unknown_state_is_rejected_at_once_so_that_the_device_begins_anew() {
    let mut world = World::new();
    let reject = world.exchange(&access_request(1, 1, Some(&[7; 16]), &proof(5, "user-1/1"))).expect("an answer");
    assert_eq!(reject.code, Code::AccessReject);
    assert_eq!(reject.packet().eap_message(), Some(vec![4, 5, 0, 4]));
}

#[test]
fn a_login_without_eap_is_rejected_with_a_word_to_the_operator() {
    let mut world = World::new();
    let request = Writer::request(Code::AccessRequest, 1, [5; 16]).text(AttributeType::USER_NAME, "user-1");
    let reject = world.exchange(&request.finish(SECRET).expect("it fits")).expect("an answer");
    assert_eq!(reject.code, Code::AccessReject);
    assert_eq!(world.codes(), ["wifi-not-eap"]);
}

#[test]
fn status_server_is_answered_at_both_ports() {
    let mut world = World::new();
    let ask = Writer::request(Code::StatusServer, 1, [5; 16]).finish(SECRET).expect("it fits");
    let code = |sent: &[(Socket, SocketAddr, Vec<u8>)]| sent.first().map(|(_, _, bytes)| Reply::to(&ask, bytes).code);
    let sent = world.receive(Socket::Authentication, POINT, &ask);
    assert_eq!(code(&sent), Some(Code::AccessAccept));
    let sent = world.receive(Socket::Accounting, POINT, &ask);
    assert_eq!(code(&sent), Some(Code::AccountingResponse));
}

#[test]
fn a_login_that_nobody_goes_on_with_is_given_up_and_written_down() {
    let mut world = World::new();
    world.exchange(&access_request(1, 1, None, &identity(1)));
    let begun = world.exchange(&access_request(2, 2, None, &identity(1))).expect("a challenge");
    let odd = access_request(3, 2, begun.state().as_deref(), &[2]);
    assert!(world.exchange(&odd).is_none(), "an EAP packet that is discarded is not answered");
    world.go_on(3);
    world.pass(Duration::from_secs(11));
    assert_eq!((world.engine.logins(), world.engine.counters().logins_abandoned), (1, 2));
    assert_eq!(world.codes(), [""; 0], "one that never went beyond its first request is not worth a row");
    world.pass(Duration::from_secs(50));
    assert_eq!((world.engine.logins(), world.engine.counters().logins_abandoned), (0, 3));
    assert_eq!(world.codes(), ["eap-abandoned"]);
}

#[test]
fn a_login_whose_worker_died_can_be_tried_again() {
    let mut world = World::new();
    let request = access_request(1, 1, None, &identity(1));
    world.input(Input::Received { socket: Socket::Authentication, from: POINT, datagram: request.clone() });
    let Some(Output::Compute { token, .. }) = world.engine.poll_output() else { panic!("no work") };
    world.input(Input::ComputeLost { token });
    assert_eq!(world.engine.logins(), 0);
    assert_eq!(world.exchange(&request).map(|reply| reply.code), Some(Code::AccessChallenge));
}

#[test]
fn a_device_that_falls_silent_on_our_alert_is_told_of_by_its_reason() {
    let mut world = World::new();
    // Workers that really speak EAP.
    let exchange = |world: &mut World, request: &[u8]| {
        world.input(Input::Received { socket: Socket::Authentication, from: POINT, datagram: request.to_vec() });
        loop {
            match world.engine.poll_output().expect("it goes on to an answer") {
                Output::Compute { token, mut conversation, input } => {
                    let step = conversation.handle(input);
                    world.input(Input::Computed { token, conversation, step });
                }
                Output::Send { datagram, .. } => return Reply::to(request, &datagram),
                Output::Record(_)
                | Output::Present(_)
                | Output::Account { .. }
                | Output::FindKey { .. }
                | Output::VlanPassed { .. } => {}
                Output::Close { .. } => panic!("no connection"),
            }
        }
    };
    let start = exchange(&mut world, &access_request(1, 1, None, &identity(1)));
    // A ClientHello that offers TLS 1.0 with one cipher suite of its time.
    let hello = [&[3, 1][..], &[7; 32], &[0, 0, 2, 0xC0, 0x13, 1, 0]].concat();
    let message = [&[1, 0, 0, u8::try_from(hello.len()).expect("short")][..], &hello].concat();
    let record = [&[0x16, 3, 1, 0, u8::try_from(message.len()).expect("short")][..], &message].concat();
    let [identifier, kind] = [1, 4].map(|at| start.packet().eap_message().expect("a Request")[at]);
    let length = u8::try_from(6 + record.len()).expect("short");
    let response = [&[2, identifier, 0, length, kind, 0][..], &record].concat();
    let alert = exchange(&mut world, &access_request(2, 1, start.state().as_deref(), &response));
    assert_eq!(alert.code, Code::AccessChallenge);
    assert_eq!(alert.packet().eap_message().expect("a Request")[6], 0x15, "a TLS record of type alert");
    world.pass(Duration::from_secs(61));
    assert_eq!(world.codes(), ["eap-tls-too-old"]);
    assert!(world.records[0].sentence.contains("only TLS 1.0"), "{}", world.records[0].sentence);
}

/// Two NASes behind one controller: a device that moves from one to the other is a session of its own there, and one that logs in
/// again where it is keeps its own, though the NAS reports by another name than it asks.
#[test]
fn a_login_goes_on_with_the_session_of_its_nas() {
    let mut world = World::new();
    let class_at = |world: &mut World, identifier: u8, nas: &str| {
        world.pass(Duration::from_millis(1));
        let named = |writer: Writer| writer.text(AttributeType::NAS_IDENTIFIER, nas).finish(SECRET).expect("it fits");
        let challenge = world.exchange(&named(asking(world, identifier, None, &identity(1)))).expect("an answer");
        let state = challenge.state().expect("a State");
        let request = named(asking(world, identifier + 1, Some(&state), &proof(2, "user-1/1")));
        let accept = world.exchange(&request).expect("an answer");
        accept.text(AttributeType::CLASS).expect("our Class")
    };
    let first = class_at(&mut world, 10, "east");
    let start = report(1, 1, 1, "a1", Some(&first)).attribute(AttributeType::NAS_IP_ADDRESS, &[10, 0, 1, 1]);
    assert!(world.account(1, start));
    assert_eq!(class_at(&mut world, 20, "east"), first);
    assert_ne!(class_at(&mut world, 30, "west"), first);
}

fn asking(world: &World, identifier: u8, state: Option<&[u8]>, eap: &[u8]) -> Writer {
    let mut authenticator = [0; 16];
    (&mut SeededEntropy(world.now.mono.0 * 2 + u64::from(state.is_some())) as &mut dyn Entropy)
        .fill(&mut authenticator);
    let writer = Writer::request(Code::AccessRequest, identifier, authenticator)
        .text(AttributeType::CALLING_STATION_ID, &mac(1).to_string())
        .eap_message(eap);
    match state {
        Some(state) => writer.attribute(AttributeType::STATE, state),
        None => writer,
    }
}
