//! Sessions against packets that mqtt-protocol-core's own builders wrote, in virtual time.

use super::*;
use mqtt_protocol_core::mqtt::packet::{Qos, SubEntry, SubOpts, v3_1_1};
use proptest::prelude::*;

const START: Mono = Mono(1_000);

fn after(ms: u64) -> Mono {
    START + Duration::from_millis(ms)
}

fn connect(keep_alive: u16, will: Option<&str>) -> Vec<u8> {
    let mut builder = v3_1_1::Connect::builder()
        .client_id("relay-street")
        .and_then(|builder| builder.user_name("relay-street"))
        .and_then(|builder| builder.password(b"hunter2".to_vec()))
        .expect("short strings")
        .keep_alive(keep_alive)
        .clean_session(false);
    if let Some(topic) = will {
        builder = builder.will_message(topic, b"false".to_vec(), Qos::AtLeastOnce, true).expect("a short will");
    }
    builder.build().expect("complete").to_continuous_buffer()
}

fn publish(topic: &str, payload: &[u8], qos: Qos, id: u16, retain: bool) -> Vec<u8> {
    let mut builder = v3_1_1::Publish::builder()
        .topic_name(topic)
        .expect("a topic")
        .payload(payload.to_vec())
        .qos(qos)
        .retain(retain);
    if qos != Qos::AtMostOnce {
        builder = builder.packet_id(id);
    }
    builder.build().expect("complete").to_continuous_buffer()
}

fn subscribe(id: u16, filters: &[(&str, Qos)]) -> Vec<u8> {
    let entries =
        filters.iter().map(|(filter, qos)| SubEntry::new(*filter, SubOpts::new().set_qos(*qos)).expect("a filter"));
    v3_1_1::Subscribe::builder()
        .packet_id(id)
        .entries(entries.collect::<Vec<_>>())
        .build()
        .expect("complete")
        .to_continuous_buffer()
}

fn events(session: &mut Session) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

fn bytes(session: &mut Session) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| session.poll_bytes()).collect()
}

fn topic(text: &str) -> Topic {
    Topic::parse(text).expect("a topic")
}

/// A session of a relay that was let in.
fn up(keep_alive: u16, will: Option<&str>) -> Session {
    let mut session = Session::new(START);
    session.handle_bytes(&connect(keep_alive, will), START);
    assert!(matches!(events(&mut session).as_slice(), [Event::Connect(_)]));
    session.accept(Rights::shelly_gen2("relay-street"), START);
    assert_eq!(bytes(&mut session), [vec![0x20, 2, 0, 0]]);
    session
}

#[test]
fn connect_is_evidence_and_a_clean_session() {
    let mut session = Session::new(START);
    session.handle_bytes(&connect(60, Some("relay-street/online")), START);
    let sha256: [u8; 32] = Sha256::digest(b"hunter2").into();
    assert_eq!(
        events(&mut session),
        [Event::Connect(Evidence {
            client_id: "relay-street".into(),
            user_name: Some("relay-street".into()),
            password_sha256: Some(sha256),
            will_topic: Some(topic("relay-street/online")),
        })]
    );
    assert!(bytes(&mut session).is_empty());
    session.accept(Rights::shelly_gen2("relay-street"), START);
    // Session present is 0 although CONNECT asked for a kept one.
    assert_eq!(bytes(&mut session), [vec![0x20, 2, 0, 0]]);
}

#[test]
fn each_refusal_has_its_return_code() {
    for (why, code) in [
        (RefusedConnect::IdentifierRejected, 2),
        (RefusedConnect::BadUserNameOrPassword, 4),
        (RefusedConnect::NotAuthorized, 5),
    ] {
        let mut session = Session::new(START);
        session.handle_bytes(&connect(60, Some("relay-street/online")), START);
        events(&mut session);
        session.refuse(why);
        assert_eq!(bytes(&mut session), [vec![0x20, 2, 0, code]]);
        // A refused client leaves no will behind.
        assert_eq!(events(&mut session), [Event::Over(Ending::Refused)]);
    }
    let mut session = Session::new(START);
    let mut level_5 = connect(60, None);
    level_5[8] = 5;
    session.handle_bytes(&level_5, START);
    assert_eq!(bytes(&mut session), [vec![0x20, 2, 0, 1]]);
    assert!(session.is_over());
}

#[test]
fn connect_has_five_seconds() {
    let mut session = Session::new(START);
    assert_eq!(session.poll_timeout(), Some(after(CONNECT_LIMIT_MS)));
    session.handle_timeout(after(CONNECT_LIMIT_MS - 1));
    assert!(!session.is_over());
    session.handle_timeout(after(CONNECT_LIMIT_MS));
    assert_eq!(events(&mut session), [Event::Over(Ending::ConnectTimeout)]);
}

#[test]
fn silence_beyond_the_keep_alive_is_an_end_with_a_will() {
    let mut session = up(10, Some("relay-street/online"));
    session.handle_bytes(&[0xc0, 0], after(14_000));
    assert_eq!(bytes(&mut session), [vec![0xd0, 0]]);
    session.handle_timeout(after(15_000));
    assert!(!session.is_over());
    session.handle_timeout(after(29_000));
    let will = Message { topic: topic("relay-street/online"), payload: b"false".to_vec(), repeated: false };
    assert_eq!(events(&mut session), [Event::Will(will), Event::Over(Ending::KeepAlive)]);
    assert_eq!(up(0, None).poll_timeout(), None);
}

#[test]
fn a_will_is_dropped_by_disconnect_and_only_by_it() {
    let mut session = up(0, Some("relay-street/online"));
    session.handle_bytes(&[0xe0, 0], START);
    assert_eq!(events(&mut session), [Event::Over(Ending::ByClient)]);
    let mut session = up(0, Some("relay-street/online"));
    session.handle_closed();
    assert!(matches!(events(&mut session).as_slice(), [Event::Will(_), Event::Over(Ending::ConnectionLost)]));
}

#[test]
fn messages_arrive_once_whatever_their_qos() {
    let mut session = up(0, None);
    let status = "relay-street/status/switch:0";
    session.handle_bytes(&publish(status, b"0", Qos::AtMostOnce, 0, true), START);
    session.handle_bytes(&publish(status, b"1", Qos::AtLeastOnce, 7, false), START);
    session.handle_bytes(&publish(status, b"2", Qos::ExactlyOnce, 8, false), START);
    session.handle_bytes(&publish(status, b"2", Qos::ExactlyOnce, 8, false), START);
    session.handle_bytes(&[0x62, 2, 0, 8], START);
    session.handle_bytes(&publish(status, b"3", Qos::ExactlyOnce, 8, false), START);
    let payloads: Vec<Vec<u8>> = events(&mut session)
        .into_iter()
        .map(|event| match event {
            Event::Published(message) => message.payload,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(payloads, [b"0", b"1", b"2", b"3"]);
    let acknowledged =
        [vec![0x40, 2, 0, 7], vec![0x50, 2, 0, 8], vec![0x50, 2, 0, 8], vec![0x70, 2, 0, 8], vec![0x50, 2, 0, 8]];
    assert_eq!(bytes(&mut session), acknowledged);
}

#[test]
fn unreleased_messages_are_bounded() {
    let mut session = up(0, None);
    for id in 1..=16 {
        session.handle_bytes(&publish("relay-street/online", b"", Qos::ExactlyOnce, id, false), START);
    }
    assert!(!session.is_over());
    session.handle_bytes(&publish("relay-street/online", b"", Qos::ExactlyOnce, 17, false), START);
    assert!(session.is_over());
}

#[test]
fn foreign_topics_and_retained_commands_are_dropped_and_reported() {
    let mut session = up(0, None);
    session.handle_bytes(&publish("relay-studio/status/switch:0", b"", Qos::AtLeastOnce, 1, false), START);
    session.handle_bytes(&publish("relay-street/rpc", b"{}", Qos::AtMostOnce, 0, false), START);
    session.handle_bytes(&publish("relay-street/rpc", b"{}", Qos::AtMostOnce, 0, true), START);
    session.handle_bytes(&publish("relay-studio/command/switch:0", b"on", Qos::AtMostOnce, 0, true), START);
    assert_eq!(
        events(&mut session),
        [
            Event::Refused(Refusal::Publish { topic: topic("relay-studio/status/switch:0") }),
            Event::Refused(Refusal::Publish { topic: topic("relay-street/rpc") }),
            Event::Refused(Refusal::RetainedCommand { topic: topic("relay-street/rpc") }),
            Event::Refused(Refusal::RetainedCommand { topic: topic("relay-studio/command/switch:0") }),
        ]
    );
    assert_eq!(bytes(&mut session), [vec![0x40, 2, 0, 1]]);
    assert!(!session.is_over());
}

#[test]
fn subscriptions_stay_inside_the_own_prefix() {
    let mut session = up(0, None);
    let filters =
        [("relay-street/rpc", Qos::ExactlyOnce), ("#", Qos::AtMostOnce), ("relay-street/command/#", Qos::AtMostOnce)];
    session.handle_bytes(&subscribe(3, &filters), START);
    assert_eq!(bytes(&mut session), [vec![0x90, 5, 0, 3, 1, 0x80, 0]]);
    assert_eq!(events(&mut session), [Event::Refused(Refusal::Subscribe { filter: "#".into() })]);
    let (call, other) = (topic("relay-street/rpc"), topic("relay-street/status"));
    assert!(session.hears(&call) && !session.hears(&other));
    let unsubscribe =
        v3_1_1::Unsubscribe::builder().packet_id(4u16).entries(["relay-street/rpc"]).and_then(|b| b.build());
    session.handle_bytes(&unsubscribe.expect("complete").to_continuous_buffer(), START);
    assert_eq!(bytes(&mut session), [vec![0xb0, 2, 0, 4]]);
    assert!(session.publish(&call, b"{}").is_none());
}

#[test]
fn a_message_to_the_client_is_qos_0_or_acknowledged_and_never_retained() {
    let mut session = up(0, None);
    session.handle_bytes(&subscribe(1, &[("relay-street/rpc", Qos::AtLeastOnce)]), START);
    bytes(&mut session);
    let call = topic("relay-street/rpc");
    assert_eq!(session.publish(&call, b"x").map(|bytes| bytes[0]), Some(0x30));
    let (written, id) = session.publish_acknowledged(&call, b"x").expect("it subscribed");
    assert_eq!((written[0], id.map(NonZeroU16::get)), (0x32, Some(1)));
    session.handle_bytes(&[0x40, 2, 0, 1], START);
    assert_eq!(events(&mut session), [Event::Taken(id.expect("QoS 1"))]);
}

#[test]
fn a_flood_is_an_end() {
    let mut session = up(0, None);
    let mut sent = 0;
    while !session.is_over() && sent < 200 {
        session.handle_bytes(&[0xc0, 0], START);
        sent += 1;
    }
    // CONNECT took the first token.
    assert_eq!(sent, PACKETS_BURST_MAX);
    let mut session = up(0, None);
    for n in 0..200 {
        session.handle_bytes(&[0xc0, 0], after(n * 1_000 / u64::from(PACKETS_PER_SECOND_MAX)));
    }
    assert!(!session.is_over());
}

#[test]
fn what_the_standard_forbids_ends_the_connection() {
    let dup_without_qos = [0x38, 3, 0, 1, b'a'];
    let identifier_zero = [0x32, 5, 0, 1, b'a', 0, 0];
    let wildcard = [0x30, 3, 0, 1, b'#'];
    let qos_3 = [0x36, 5, 0, 1, b'a', 0, 1];
    let subscribe_without_filter = [0x82, 2, 0, 1];
    let subscribe_flags = [0x80, 6, 0, 1, 0, 1, b'a', 0];
    let too_large = [0x30, 0xff, 0xff, 0x7f];
    let endless_length = [0x30, 0xff, 0xff, 0xff, 0xff];
    let pubrec = [0x50, 2, 0, 1];
    for bad in [
        dup_without_qos.as_slice(),
        &identifier_zero,
        &wildcard,
        &qos_3,
        &subscribe_without_filter,
        &subscribe_flags,
        &too_large,
        &endless_length,
        &pubrec,
        &connect(0, None),
    ] {
        let mut session = up(0, Some("relay-street/online"));
        session.handle_bytes(bad, START);
        let seen = events(&mut session);
        assert!(matches!(seen.as_slice(), [Event::Will(_), Event::Over(Ending::Misbehaved(_))]), "{bad:x?}: {seen:?}");
    }
    let mut session = Session::new(START);
    session.handle_bytes(&publish("a", b"", Qos::AtMostOnce, 0, false), START);
    assert_eq!(events(&mut session), [Event::Over(Ending::Misbehaved("a packet before CONNECT"))]);
}

#[test]
fn what_is_said_before_connack_is_heard_after_it() {
    let mut session = Session::new(START);
    let mut first = connect(0, None);
    first.extend(publish("relay-street/online", b"true", Qos::AtMostOnce, 0, false));
    session.handle_bytes(&first, START);
    assert!(matches!(events(&mut session).as_slice(), [Event::Connect(_)]));
    session.accept(Rights::shelly_gen2("relay-street"), START);
    assert!(matches!(events(&mut session).as_slice(), [Event::Published(_)]));
}

proptest! {
    #[test]
    fn any_bytes_are_followed_or_ended(
        data in prop::collection::vec(any::<u8>(), 0..600),
        cuts in prop::collection::vec(1usize..40, 0..40),
        is_up in any::<bool>(),
    ) {
        let mut session = if is_up { up(30, Some("relay-street/online")) } else { Session::new(START) };
        let mut rest = data.as_slice();
        for cut in cuts {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            session.handle_bytes(now, START);
            rest = later;
        }
        session.handle_bytes(rest, START);
        session.accept(Rights::reader("reader-street"), START);
        session.handle_timeout(after(100_000));
        session.handle_closed();
        let seen = events(&mut session);
        prop_assert_eq!(seen.iter().filter(|event| matches!(event, Event::Over(_))).count(), 1);
        prop_assert!(matches!(seen.last(), Some(Event::Over(_))));
    }

    #[test]
    fn how_bytes_are_cut_changes_nothing(cut in 1usize..20, count in 1u16..10) {
        let mut stream = connect(30, None);
        stream.extend(subscribe(1, &[("relay-street/rpc", Qos::AtLeastOnce)]));
        for id in 1..=count {
            stream.extend(publish("relay-street/online", b"true", Qos::AtLeastOnce, id, false));
        }
        let run = |size: usize| {
            let mut session = Session::new(START);
            let mut seen = Vec::new();
            for part in stream.chunks(size) {
                session.handle_bytes(part, START);
                session.accept(Rights::shelly_gen2("relay-street"), START);
                seen.extend(events(&mut session));
            }
            (seen, bytes(&mut session))
        };
        prop_assert_eq!(run(cut), run(stream.len()));
    }
}
