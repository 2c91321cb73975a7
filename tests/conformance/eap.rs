//! Whole logins in memory: the EAP server against the simulated device, with everything in between under the tests' control.

use proptest::prelude::*;
use proto::eap::{
    EapConversation, EapDiscard, EapFailure, EapInput, EapStep, Fault, InnerMethod, Message, MethodKind, Packet,
    ROUNDS_MAX, Shown, TlsData, TlsVersion, eap_type,
};
use rustls::AlertDescription;
use std::sync::{Arc, OnceLock};
use support::eap_peer::{EapPeer, PeerError, PeerSettings, PeerStep, TlsOffer, Trust};
use support::eap_server::{DeviceCa, DeviceIdentity, SERVER_NAME, Users, pki, settings_with};

const METHODS: [MethodKind; 2] = [MethodKind::Ttls, MethodKind::Peap];
/// Every way to log in: a method and, where there is a choice, what is inside.
const WAYS: [(MethodKind, Option<InnerMethod>); 5] = [
    (MethodKind::Tls, None),
    (MethodKind::Peap, Some(InnerMethod::MsChapV2)),
    (MethodKind::Ttls, Some(InnerMethod::Pap)),
    (MethodKind::Ttls, Some(InnerMethod::MsChapV2)),
    (MethodKind::Ttls, Some(InnerMethod::EapMsChapV2)),
];
const VERSIONS: [(TlsOffer, TlsVersion); 2] =
    [(TlsOffer::Tls12, TlsVersion::Tls12), (TlsOffer::Tls13, TlsVersion::Tls13)];

/// The certificates of mara's device, of suspended olga's, and of one that the box has forgotten.
fn certificates() -> &'static [DeviceIdentity; 3] {
    static CERTIFICATES: OnceLock<[DeviceIdentity; 3]> = OnceLock::new();
    CERTIFICATES.get_or_init(|| ["mara", "olga", "nono"].map(|name| issued(pki().device_ca.issue(name))))
}

fn issued(identity: Result<DeviceIdentity, impl std::fmt::Debug>) -> DeviceIdentity {
    identity.expect("rcgen makes certificates of fixed contents")
}

fn users() -> Users {
    let [mara, olga, _] = certificates();
    Users::of(&[("mara", "correct horse"), ("olga", "correct horse")])
        .with_certificate("mara", mara)
        .with_certificate("olga", olga)
        .suspend("olga")
}

/// Settings on the test certificate; every method, TTLS first.
fn settings(fragment_max_bytes: usize) -> Arc<proto::eap::EapSettings> {
    settings_with(vec![MethodKind::Ttls, MethodKind::Peap, MethodKind::Tls], fragment_max_bytes)
}

fn conversation(fragment_max_bytes: usize) -> EapConversation {
    EapConversation::new(settings(fragment_max_bytes), None, [7; 32])
}

fn device(method: MethodKind, tls: TlsOffer, username: &str, password: &str) -> PeerSettings {
    PeerSettings { tls, ..PeerSettings::new(method, username, password) }
}

/// Mara's device, set up for one way to log in.
fn mara((method, inner): (MethodKind, Option<InnerMethod>), tls: TlsOffer) -> PeerSettings {
    let (inner, identity) = (inner.unwrap_or(InnerMethod::Pap), Some(certificates()[0].clone()));
    PeerSettings { inner, identity, ..device(method, tls, "mara", "correct horse") }
}

/// How a login went, seen from both ends.
struct Run {
    /// What the server sent, in order.
    requests: Vec<Vec<u8>>,
    end: EapStep,
    device: Option<Result<PeerStep, PeerError>>,
}

impl Run {
    fn failure(&self) -> &EapFailure {
        match &self.end {
            EapStep::Failure { why, .. } => why,
            other => panic!("no failure but {other:?}"),
        }
    }
}

/// Carries packets until the end. `tamper` may change each Response before the server sees it; a Discard ends the run, as the
/// access point would wait for ever.
fn run(server: &mut EapConversation, peer: &mut EapPeer, mut tamper: impl FnMut(usize, &mut Vec<u8>)) -> Run {
    let users = users();
    let mut requests = Vec::new();
    let mut response = peer.identity(1);
    for round in 0.. {
        assert!(round <= usize::from(ROUNDS_MAX) + 1, "the server goes on for ever");
        tamper(round, &mut response);
        let step = server.handle(EapInput::Response(response.clone()));
        let step = users.settle(server, step);
        let packet = match &step {
            EapStep::Request(packet) | EapStep::Success { packet, .. } | EapStep::Failure { packet, .. } => packet,
            EapStep::Discard(_) => return Run { requests, end: step, device: None },
            EapStep::NeedCredential { .. } | EapStep::Proven { .. } => unreachable!("settled"),
        };
        let answer = peer.handle(packet);
        match (&step, answer) {
            (EapStep::Request(packet), Ok(PeerStep::Response(next))) => {
                requests.push(packet.clone());
                response = next;
            }
            (_, answer) => return Run { requests, end: step, device: Some(answer) },
        }
    }
    unreachable!("the loop ends by its assertion")
}

fn untouched(_: usize, _: &mut Vec<u8>) {}

fn assert_success(run: &Run, method: MethodKind, version: TlsVersion, case: &str) {
    match (&run.end, &run.device) {
        (EapStep::Success { keys, method: done, shown, .. }, Some(Ok(PeerStep::Success { msk, .. }))) => {
            let name = users().name_of(shown);
            assert_eq!((done.outer, done.tls_version, name.as_deref()), (method, version, Some("mara")), "{case}");
            assert_eq!((keys.recv_key.expose()[..]), msk[..32], "{case}");
            assert_eq!((keys.send_key.expose()[..]), msk[32..], "{case}");
        }
        (end, device) => panic!("{case}: {end:?} {device:?}"),
    }
}

#[test]
fn logins_succeed_at_every_fragment_size_with_the_same_keys_on_both_sides() {
    for size in (100..=1_400).step_by(93).chain([101, 105, 1_400]) {
        for way in WAYS {
            for (tls, version) in VERSIONS {
                for length_on_all_fragments in [false, true] {
                    let mut settings = mara(way, tls);
                    settings.fragment_max_bytes = if length_on_all_fragments { size.max(104) } else { size };
                    settings.length_on_all_fragments = length_on_all_fragments;
                    let mut peer = EapPeer::new(settings).expect("settings");
                    let run = run(&mut conversation(size), &mut peer, untouched);
                    assert_success(&run, way.0, version, &format!("{way:?} {version:?} in {size} bytes"));
                    assert!(run.requests.iter().all(|request| request.len() <= size));
                    match &run.end {
                        EapStep::Success { method, .. } => assert_eq!(method.inner, way.1),
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
    }
}

/// Room for a server certificate of twice the size of ours, which an operator may bring one day, at the smallest fragments.
#[test]
fn the_longest_login_of_all_leaves_room_within_the_rounds() {
    let mut longest = 0;
    for way in WAYS {
        for (tls, _) in VERSIONS {
            let settings = PeerSettings { fragment_max_bytes: 100, ..mara(way, tls) };
            let mut peer = EapPeer::new(settings).expect("settings");
            longest = longest.max(run(&mut conversation(100), &mut peer, untouched).requests.len());
        }
    }
    assert!(longest + 8 <= usize::from(ROUNDS_MAX), "{longest} rounds of {ROUNDS_MAX}");
}

#[test]
fn the_framed_mtu_makes_packets_smaller_and_never_too_small() {
    for (mtu, largest) in [(Some(1_500), 1_000), (Some(504), 500), (Some(0), 100), (None, 1_000)] {
        let mut server = EapConversation::new(settings(1_000), mtu, [7; 32]);
        let mut peer =
            EapPeer::new(device(MethodKind::Ttls, TlsOffer::Tls13, "mara", "correct horse")).expect("settings");
        let run = run(&mut server, &mut peer, untouched);
        assert_success(&run, MethodKind::Ttls, TlsVersion::Tls13, &format!("{mtu:?}"));
        assert_eq!(run.requests.iter().map(Vec::len).max(), Some(largest), "{mtu:?}");
    }
}

#[test]
fn a_password_that_comes_with_the_finished_is_heard() {
    let mut settings = device(MethodKind::Ttls, TlsOffer::Tls13, "mara", "correct horse");
    settings.eager = true;
    let mut peer = EapPeer::new(settings).expect("settings");
    let run = run(&mut conversation(1_000), &mut peer, untouched);
    assert_success(&run, MethodKind::Ttls, TlsVersion::Tls13, "eager");
}

#[test]
fn a_wrong_key_and_an_unknown_name_look_alike() {
    for method in METHODS {
        for (tls, version) in VERSIONS {
            let sizes = ["mara", "nono"].map(|username| {
                let mut peer = EapPeer::new(device(method, tls, username, "wrong")).expect("settings");
                let run = run(&mut conversation(1_000), &mut peer, untouched);
                assert_eq!(run.failure(), &EapFailure::WrongKey, "{method:?} {version:?}");
                assert!(matches!(run.device, Some(Ok(PeerStep::Failure))));
                // The handshake is left out: the length of an ECDSA signature differs from run to run.
                let inner = if method == MethodKind::Peap { 3 } else { 0 };
                let said = run.requests.iter().rev().take(inner).map(Vec::len).collect::<Vec<_>>();
                let EapStep::Failure { packet, .. } = run.end else { unreachable!("failure() has looked") };
                (run.requests.len(), said, packet)
            });
            assert_eq!(sizes[0], sizes[1], "{method:?} {version:?}");
        }
    }
}

/// The outer identity is a name that anybody can write; what is shown inside decides.
#[test]
fn a_certificate_that_nobody_has_and_a_suspended_members_are_denied_whatever_the_device_calls_itself() {
    let [_, olga, nono] = certificates();
    for identity in [olga, nono] {
        for (tls, version) in VERSIONS {
            let settings = PeerSettings {
                identity: Some(identity.clone()),
                outer_identity: "mara".into(),
                ..mara((MethodKind::Tls, None), tls)
            };
            let run = run(&mut conversation(1_000), &mut EapPeer::new(settings).expect("settings"), untouched);
            assert_eq!(run.failure(), &EapFailure::Denied, "{version:?}");
            assert!(matches!(run.device, Some(Ok(PeerStep::Failure))));
        }
    }
}

#[test]
fn certificates_of_others_and_for_others_are_refused_in_the_handshake() {
    let stranger = DeviceCa::new("Harbour test device CA").expect("rcgen makes certificates of fixed contents");
    let cases = [
        (None, "eap-certificate-missing"),
        (Some(issued(stranger.issue("mara"))), "eap-certificate-untrusted"),
        (Some(issued(pki().device_ca.issue_for_a_server("mara"))), "eap-certificate-untrusted"),
    ];
    for (identity, code) in cases {
        for (tls, version) in VERSIONS {
            let settings = PeerSettings { identity: identity.clone(), ..mara((MethodKind::Tls, None), tls) };
            let mut peer = EapPeer::new(settings).expect("settings");
            let run = run(&mut conversation(1_000), &mut peer, untouched);
            assert_eq!(run.failure().code(), code, "{version:?}: {}", run.failure().sentence());
            assert!(peer.tls_error().is_some(), "the alert came before the failure: {version:?} {code}");
        }
    }
}

/// What a certificate's dates are worth is policy's to say: TLS would tell a nameless device of it and nobody else.
#[test]
fn the_dates_of_a_certificate_are_left_to_policy() {
    let ca = &pki().device_ca;
    for identity in [issued(ca.issue_expired("mara")), issued(ca.issue_of_the_future("mara"))] {
        for (tls, version) in VERSIONS {
            let fingerprint = identity.fingerprint();
            let settings = PeerSettings { identity: Some(identity.clone()), ..mara((MethodKind::Tls, None), tls) };
            let mut peer = EapPeer::new(settings).expect("settings");
            let mut server = conversation(1_000);
            let mut packet = peer.identity(1);
            let shown = loop {
                match server.handle(EapInput::Response(packet.clone())) {
                    EapStep::Request(request) => match peer.handle(&request) {
                        Ok(PeerStep::Response(next)) => packet = next,
                        other => panic!("{version:?}: {other:?}"),
                    },
                    EapStep::Proven { shown, correct: true, .. } => break shown,
                    other => panic!("{version:?}: {other:?}"),
                }
            };
            assert_eq!(shown, Shown::Certificate { fingerprint });
            let step = server.handle(EapInput::Verdict { allow: false });
            assert!(matches!(step, EapStep::Failure { why: EapFailure::Denied, .. }), "{version:?}: {step:?}");
        }
    }
}

/// The handshake messages of a flight of TLS 1.2, by their types.
fn handshake_types(mut records: &[u8]) -> Vec<u8> {
    let mut handshake = Vec::new();
    while let [22, _, _, high, low, rest @ ..] = records {
        let (record, rest) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        handshake.extend_from_slice(record);
        records = rest;
    }
    let (mut types, mut left) = (Vec::new(), &handshake[..]);
    while let [kind, l0, l1, l2, rest @ ..] = left {
        types.push(*kind);
        left = &rest[u32::from_be_bytes([0, *l0, *l1, *l2]) as usize..];
    }
    types
}

/// PEAP and TTLS ask no device for a certificate, or phones would show a dialogue for it.
#[test]
fn only_eap_tls_asks_for_a_certificate() {
    const CERTIFICATE_REQUEST: u8 = 13;
    for (method, asks) in [(MethodKind::Tls, true), (MethodKind::Peap, false), (MethodKind::Ttls, false)] {
        let mut peer = EapPeer::new(mara((method, Some(InnerMethod::Pap)), TlsOffer::Tls12)).expect("settings");
        let run = run(&mut conversation(3_000), &mut peer, untouched);
        assert_success(&run, method, TlsVersion::Tls12, "with a certificate at hand");
        let flight =
            run.requests.iter().map(|request| handshake_types(&tls_of(request))).find(|types| !types.is_empty());
        let flight = flight.expect("the server's flight");
        assert_eq!((flight[0], flight.contains(&CERTIFICATE_REQUEST)), (2, asks), "{method:?}: {flight:?}");
    }
}

#[test]
fn a_device_that_wants_what_the_operator_left_out_is_told_so() {
    for (method, others) in [
        (MethodKind::Tls, vec![MethodKind::Peap, MethodKind::Ttls]),
        (MethodKind::Peap, vec![MethodKind::Ttls, MethodKind::Tls]),
        (MethodKind::Ttls, vec![MethodKind::Tls]),
    ] {
        let mut server = EapConversation::new(settings_with(others, 1_000), None, [7; 32]);
        let settings = mara((method, Some(InnerMethod::Pap)), TlsOffer::Both);
        let run = run(&mut server, &mut EapPeer::new(settings).expect("settings"), untouched);
        assert_eq!(run.failure().code(), "eap-no-common-method");
        assert!(run.failure().sentence().contains(method.name()), "{}", run.failure().sentence());
    }
}

#[test]
fn a_wrong_key_is_refused_by_every_inner_method() {
    for way in &WAYS[1..] {
        for (tls, version) in VERSIONS {
            for (name, password, why) in [
                ("mara", "wrong", EapFailure::WrongKey),
                ("nobody", "correct horse", EapFailure::WrongKey),
                ("olga", "correct horse", EapFailure::Denied),
            ] {
                let settings = PeerSettings { username: name.into(), password: password.into(), ..mara(*way, tls) };
                let run = run(&mut conversation(1_000), &mut EapPeer::new(settings).expect("settings"), untouched);
                assert_eq!(run.failure(), &why, "{way:?} {version:?} {name}");
                assert!(matches!(run.device, Some(Ok(PeerStep::Failure))));
            }
        }
    }
}

#[test]
fn a_suspended_member_is_denied_with_the_right_key_and_not_told_apart_with_a_wrong_one() {
    for method in METHODS {
        for (password, why) in [("correct horse", EapFailure::Denied), ("wrong", EapFailure::WrongKey)] {
            let mut peer = EapPeer::new(device(method, TlsOffer::Both, "olga", password)).expect("settings");
            let run = run(&mut conversation(1_000), &mut peer, untouched);
            assert_eq!(run.failure(), &why, "{method:?}");
        }
    }
}

#[test]
fn a_nak_gets_the_other_method_and_one_without_ours_gets_a_reason() {
    for (methods, wanted) in [
        (MethodKind::ALL, MethodKind::Peap),
        (MethodKind::ALL, MethodKind::Ttls),
        ([MethodKind::Peap, MethodKind::Ttls, MethodKind::Tls], MethodKind::Tls),
    ] {
        let mut server = EapConversation::new(settings_with(methods.to_vec(), 1_000), None, [7; 32]);
        let settings = mara((wanted, Some(InnerMethod::Pap)), TlsOffer::Tls12);
        let mut peer = EapPeer::new(settings).expect("settings");
        let run = run(&mut server, &mut peer, untouched);
        assert_success(&run, wanted, TlsVersion::Tls12, "nak");
        assert_eq!(server.outer_identity(), Some("anonymous"));
    }
    for wanted in [vec![], vec![0], vec![43, 4], vec![eap_type::TTLS]] {
        let mut server = conversation(1_000);
        server.handle(EapInput::Response(response(1, eap_type::IDENTITY, b"x")));
        match server.handle(EapInput::Response(response(2, eap_type::NAK, &wanted))) {
            EapStep::Failure { packet, why } => {
                assert_eq!(packet, [4, 2, 0, 4]);
                assert_eq!((why.code(), why.fault()), ("eap-no-common-method", Fault::PeerUnsupported));
            }
            other => panic!("{wanted:?}: {other:?}"),
        }
    }
}

#[test]
fn what_a_device_took_before_is_offered_first_if_it_is_offered_at_all() {
    for (methods, likely, first) in [
        (MethodKind::ALL.to_vec(), Some(MethodKind::Ttls), MethodKind::Ttls),
        (MethodKind::ALL.to_vec(), None, MethodKind::Tls),
        (vec![MethodKind::Peap], Some(MethodKind::Tls), MethodKind::Peap),
    ] {
        let server = EapConversation::new(settings_with(methods, 1_000), None, [7; 32]);
        let mut server = server.offering_first(likely);
        match server.handle(EapInput::Response(response(1, eap_type::IDENTITY, b"x"))) {
            EapStep::Request(packet) => assert_eq!(packet, [1, 2, 0, 6, first.eap_type(), 0x20]),
            other => panic!("{other:?}"),
        }
    }
}

fn response(identifier: u8, kind: u8, data: &[u8]) -> Vec<u8> {
    Packet::Response(Message { identifier, kind, data }).encode()
}

#[test]
fn an_eap_start_is_answered_by_the_question_for_an_identity() {
    let mut server = conversation(1_000);
    match server.handle(EapInput::Response(Vec::new())) {
        EapStep::Request(packet) => assert_eq!(packet, [1, 1, 0, 5, eap_type::IDENTITY]),
        other => panic!("{other:?}"),
    }
    match server.handle(EapInput::Response(response(1, eap_type::IDENTITY, b"@harbour.example"))) {
        EapStep::Request(packet) => assert_eq!(packet, [1, 2, 0, 6, eap_type::TTLS, 0x20]),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.outer_identity(), Some("@harbour.example"));
}

#[test]
fn identities_that_cannot_be_names_are_refused() {
    for name in [vec![b'a'; 254], vec![0xFF, 0xFE]] {
        match conversation(1_000).handle(EapInput::Response(response(1, eap_type::IDENTITY, &name))) {
            EapStep::Failure { why, .. } => assert_eq!(why.fault(), Fault::PeerMisbehaved),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn old_forged_and_foreign_packets_are_discarded_and_the_login_goes_on() {
    let users = users();
    for method in METHODS {
        let mut server = conversation(300);
        let mut peer = EapPeer::new(device(method, TlsOffer::Both, "mara", "correct horse")).expect("settings");
        let mut packet = peer.identity(1);
        for _ in 0..ROUNDS_MAX {
            let step = server.handle(EapInput::Response(packet.clone()));
            match users.settle(&mut server, step) {
                EapStep::Request(request) => {
                    let Ok(PeerStep::Response(next)) = peer.handle(&request) else { panic!("the device gave up") };
                    packet = next;
                }
                EapStep::Success { .. } => break,
                other => panic!("{other:?}"),
            }
            let identifier = packet[1];
            let mut wrong_identifier = packet.clone();
            wrong_identifier[1] = identifier.wrapping_sub(1);
            for (noise, why) in [
                (wrong_identifier, EapDiscard::WrongIdentifier),
                (response(identifier, 99, b"x"), EapDiscard::WrongType),
                (response(identifier, eap_type::IDENTITY, b"x"), EapDiscard::WrongType),
                (vec![1, identifier, 0, 5, 1], EapDiscard::NotAResponse),
                (vec![3, identifier, 0, 4], EapDiscard::NotAResponse),
                (vec![4, identifier, 0, 4], EapDiscard::NotAResponse),
                (vec![2, identifier, 0, 99, 1], EapDiscard::Malformed),
                (Vec::new(), EapDiscard::Malformed),
            ] {
                let step = server.handle(EapInput::Response(noise.clone()));
                assert!(matches!(step, EapStep::Discard(discard) if discard == why), "{noise:?}: {step:?}");
            }
            let step = server.handle(EapInput::Verdict { allow: true });
            assert!(matches!(step, EapStep::Discard(EapDiscard::OutOfTurn)), "{step:?}");
        }
        assert!(matches!(server.handle(EapInput::Verdict { allow: true }), EapStep::Discard(EapDiscard::OutOfTurn)));
    }
}

#[test]
fn a_packet_while_the_engine_decides_is_discarded_and_the_answer_still_counts() {
    let mut server = conversation(1_000);
    let mut peer = EapPeer::new(device(MethodKind::Ttls, TlsOffer::Tls12, "mara", "correct horse")).expect("settings");
    let mut packet = peer.identity(1);
    let username = loop {
        match server.handle(EapInput::Response(packet.clone())) {
            EapStep::Request(request) => match peer.handle(&request) {
                Ok(PeerStep::Response(next)) => packet = next,
                other => panic!("{other:?}"),
            },
            EapStep::NeedCredential { username } => break username,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(username, "mara");
    assert!(matches!(server.handle(EapInput::Response(packet.clone())), EapStep::Discard(EapDiscard::OutOfTurn)));
    let nt_hash = proto::eap::mschapv2::nt_hash("correct horse");
    match server.handle(EapInput::Credential { nt_hash }) {
        EapStep::Proven { correct: true, method, .. } => assert!(method.to_string().starts_with("TTLS/PAP, TLS 1.2, ")),
        other => panic!("{other:?}"),
    }
    assert!(matches!(server.handle(EapInput::Response(packet)), EapStep::Discard(EapDiscard::OutOfTurn)));
    assert!(matches!(server.handle(EapInput::Verdict { allow: true }), EapStep::Success { .. }));
}

/// Replaces the device's TLS data at one round: 0 is the identity, 1 the ClientHello.
fn with_tls_data(round: usize, data: &TlsData<'_>) -> Run {
    let mut peer = EapPeer::new(device(MethodKind::Ttls, TlsOffer::Both, "mara", "correct horse")).expect("settings");
    run(&mut conversation(200), &mut peer, |now, packet| {
        if now == round {
            *packet = response(packet[1], eap_type::TTLS, &data.encode());
        }
    })
}

#[test]
fn lies_in_flags_and_lengths_end_the_login() {
    let plain = TlsData { start: false, more: false, message_length: None, version: 0, data: b"0123456789" };
    for (round, data) in [
        (1, TlsData { start: true, ..plain }),
        (1, TlsData { more: true, ..plain }),
        (1, TlsData { message_length: Some(9), ..plain }),
        (1, TlsData { message_length: Some(11), ..plain }),
        (1, TlsData { more: true, message_length: Some(65_537), ..plain }),
        (1, TlsData { more: true, message_length: Some(u32::MAX), ..plain }),
        (1, TlsData { more: true, message_length: Some(10), ..plain }),
        (1, TlsData { more: true, message_length: Some(20), data: b"", ..plain }),
        (2, plain), // the server's flight is cut at 200 bytes: this is data instead of an acknowledgement
    ] {
        let run = with_tls_data(round, &data);
        assert!(matches!(run.failure(), EapFailure::PeerMisbehaved { .. }), "{round} {data:?}: {:?}", run.end);
        assert!(matches!(run.device, Some(Ok(PeerStep::Failure))));
    }
    let run = with_tls_data(1, &TlsData { version: 1, ..plain });
    assert_eq!(run.failure(), &EapFailure::MethodVersionUnsupported { version: 1 });
    for data in [&[][..], &[0x80, 0, 0], &[0xC0]] {
        let mut server = conversation(1_000);
        server.handle(EapInput::Response(response(1, eap_type::IDENTITY, b"x")));
        let step = server.handle(EapInput::Response(response(2, eap_type::TTLS, data)));
        assert!(matches!(step, EapStep::Failure { why: EapFailure::PeerMisbehaved { .. }, .. }), "{data:?}: {step:?}");
    }
}

/// The type-data of a Request, joined if it is a fragment.
fn tls_of(request: &[u8]) -> Vec<u8> {
    match Packet::decode(request) {
        Ok(Packet::Request(message)) => TlsData::decode(message.data).expect("our own flags").data.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_tls_alert_reaches_the_device_before_the_failure() {
    // A handshake record that holds nonsense, a version of the past, and bytes that are no TLS at all.
    for nonsense in [&b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"[..], b"\x80\x2e\x01\x00\x02", &[0xAA; 40]] {
        let mut server = conversation(1_000);
        server.handle(EapInput::Response(response(1, eap_type::IDENTITY, b"x")));
        let flight = TlsData { start: false, more: false, message_length: None, version: 0, data: nonsense }.encode();
        match server.handle(EapInput::Response(response(2, eap_type::TTLS, &flight))) {
            EapStep::Request(request) => assert_eq!(tls_of(&request)[0], 0x15, "a TLS record of type alert"),
            other => panic!("{nonsense:?}: {other:?}"),
        }
        assert!(server.broken_off_by().is_some());
        match server.handle(EapInput::Response(response(3, eap_type::TTLS, &[0]))) {
            EapStep::Failure { packet, why } => {
                assert_eq!(packet, [4, 3, 0, 4]);
                assert_eq!(why.fault(), Fault::PeerMisbehaved, "{why:?}");
            }
            other => panic!("{nonsense:?}: {other:?}"),
        }
    }
}

#[test]
fn a_device_that_distrusts_the_certificate_is_reported_with_its_alert() {
    for (trust, expected) in [
        (Trust::Ca { pem: pki().ca_pem.clone().into(), server_name: SERVER_NAME.into() }, None),
        (
            Trust::Ca { pem: pki().ca_pem.clone().into(), server_name: "other.example".into() },
            Some(AlertDescription::BadCertificate),
        ),
        (Trust::Ca { pem: Vec::new(), server_name: SERVER_NAME.into() }, Some(AlertDescription::UnknownCA)),
    ] {
        for method in METHODS {
            for (tls, version) in VERSIONS {
                let mut settings = device(method, tls, "mara", "correct horse");
                settings.trust = trust.clone();
                let mut peer = EapPeer::new(settings).expect("settings");
                let run = run(&mut conversation(1_000), &mut peer, untouched);
                match expected {
                    None => assert_success(&run, method, version, "the right CA"),
                    Some(description) => {
                        assert_eq!(
                            run.failure(),
                            &EapFailure::TlsAlertFromPeer { description },
                            "{method:?} {version:?}"
                        );
                        assert!(peer.tls_error().is_some());
                    }
                }
            }
        }
    }
}

/// A ticket that the device carries could not be taken back. What may be resumed is in eap_resumption.rs.
#[test]
fn no_ticket_holds_a_session_by_itself() {
    let settings = settings(1_000);
    for config in [&settings.tls.tunnel, &settings.tls.mutual] {
        assert!(!config.ticketer.enabled());
    }
}

#[test]
fn a_login_has_at_most_fifty_rounds() {
    // A device that has nothing to say, and one that sends its hello byte by byte.
    for data in [
        TlsData { start: false, more: false, message_length: None, version: 0, data: b"" },
        TlsData { start: false, more: true, message_length: Some(60_000), version: 0, data: b"x" },
    ] {
        let mut server = conversation(1_000);
        let mut step = server.handle(EapInput::Response(response(0, eap_type::IDENTITY, b"x")));
        let mut requests = 0;
        let why = loop {
            match step {
                EapStep::Request(request) => {
                    requests += 1;
                    step = server.handle(EapInput::Response(response(request[1], eap_type::TTLS, &data.encode())));
                }
                EapStep::Failure { why, .. } => break why,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((why, requests), (EapFailure::RoundsExceeded, usize::from(ROUNDS_MAX)));
    }
}

#[test]
fn a_conversation_can_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<EapConversation>();
    is_send::<EapInput>();
    is_send::<EapStep>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// Whatever is done to one packet, there is no panic, an end, and no success with a wrong key.
    #[test]
    fn a_tampered_login_ends_and_a_wrong_key_never_wins(
        round in 0..14_usize,
        at in 0..400_usize,
        change in 0..4_u8,
        value: u8,
        way in 0..WAYS.len(),
        tls13: bool,
        right: bool,
    ) {
        let tls = if tls13 { TlsOffer::Tls13 } else { TlsOffer::Tls12 };
        let mut settings = mara(WAYS[way], tls);
        if !right {
            settings.password = "wrong".into();
            settings.identity = Some(certificates()[2].clone());
        }
        let mut peer = EapPeer::new(settings).expect("settings");
        let run = run(&mut conversation(600), &mut peer, |now, packet| {
            if now == round && !packet.is_empty() {
                let at = at % packet.len();
                match change {
                    0 => packet[at] ^= value,
                    1 => packet.truncate(at),
                    2 => packet.extend_from_slice(&[value; 7]),
                    _ => packet.insert(at, value),
                }
            }
        });
        if let EapStep::Success { .. } = run.end {
            prop_assert!(right);
        }
    }

    /// A device that speaks nonsense in well-formed packets.
    #[test]
    fn nonsense_ends_within_the_rounds(script in proptest::collection::vec((0..6_u8, proptest::collection::vec(any::<u8>(), 0..80)), 1..70)) {
        let settings = settings(1_000);
        let mut server = EapConversation::new(Arc::clone(&settings), None, [7; 32]);
        let mut identifier = 0;
        for (kind, data) in script {
            let kind = [eap_type::IDENTITY, eap_type::NAK, eap_type::TTLS, eap_type::PEAP, eap_type::TLS, 99][usize::from(kind)];
            match server.handle(EapInput::Response(response(identifier, kind, &data))) {
                EapStep::Request(request) => identifier = request[1],
                EapStep::Failure { .. } => break,
                EapStep::Discard(_) => {}
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
