//! Codecs and arithmetic. Whole logins, against a rustls peer and against eapol_test, are in tests/conformance/eap*.rs.

use super::mschapv2::{authenticator_response, challenge_hash, nt_hash, nt_response, without_domain};
use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use rustls::AlertDescription;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal")).collect()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().expect("as many bytes")
}

/// RFC 2759 9.2: one example, each step.
#[test]
fn mschapv2_agrees_with_the_rfc() {
    let hash = nt_hash("clientPass");
    assert_eq!(hash.expose(), &array("44EBBA8D5312B8D611474411F56989AE"));
    let authenticator_challenge = array("5B5D7C7D7B3F2F3E3C2C602132262628");
    let peer_challenge = array("21402324255E262A28295F2B3A337C7E");
    let challenge = challenge_hash(&peer_challenge, &authenticator_challenge, b"User");
    assert_eq!(challenge, array("D02E4386BCE91226"));
    let response = nt_response(&challenge, &hash);
    assert_eq!(response, array("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF"));
    assert_eq!(authenticator_response(&hash, &response, &challenge), "S=407A5589115FD0D6209F510FE9C04566932CDA56");
}

/// RFC 3079 3.5.3: the MPPE keys of the same example. Logins take their keys from the TLS tunnel, never from here, so the derivation
/// stands in this test alone: it shows that hash and response are those from which every other implementation goes on.
#[test]
fn mschapv2_leads_to_the_mppe_keys_of_the_rfc() {
    use md4::Md4;
    use sha1::{Digest, Sha1};
    const MASTER: &[u8] = b"This is the MPPE Master Key";
    const SERVER_SENDS: &[u8] = b"On the client side, this is the receive key; on the server side, it is the send key.";
    let hash = nt_hash("clientPass");
    let challenge =
        challenge_hash(&array("21402324255E262A28295F2B3A337C7E"), &array("5B5D7C7D7B3F2F3E3C2C602132262628"), b"User");
    let hash_hash = Md4::digest(hash.expose());
    assert_eq!(hash_hash[..], hex("41C00C584BD2D91C4017A2A12FA59F3F"));
    let response = nt_response(&challenge, &hash);
    let master = Sha1::new().chain_update(hash_hash).chain_update(response).chain_update(MASTER).finalize();
    assert_eq!(master[..16], hex("FDECE3717A8C838CB388E527AE3CDD31"));
    let pad = |byte: u8| [byte; 40];
    let send = Sha1::new().chain_update(&master[..16]).chain_update(pad(0)).chain_update(SERVER_SENDS);
    let send = send.chain_update(pad(0xF2)).finalize();
    assert_eq!(send[..16], hex("8B7CDC149B993A1BA118CB153F56DCCB"));
}

/// MD4 over nothing (RFC 1320 A.5), and a password beyond ASCII in UTF-16LE: "\u{e9}" is E9 00, "\u{1d11e}" a surrogate pair.
#[test]
fn the_nt_hash_takes_every_password() {
    use md4::{Digest, Md4};
    assert_eq!(nt_hash("").expose(), &array("31D6CFE0D16AE931B73C59D7E0C089C0"));
    assert_eq!(nt_hash("\u{e9}\u{1d11e}").expose()[..], Md4::digest(hex("E90034D81EDD"))[..]);
}

#[test]
fn a_windows_domain_is_left_out_of_the_challenge_and_a_realm_is_not() {
    assert_eq!(without_domain("HARBOUR\\mara"), "mara");
    assert_eq!(without_domain("mara@harbour.example"), "mara@harbour.example");
}

#[test]
fn packets_with_a_wrong_length_or_code_are_malformed() {
    for text in
        ["", "02", "0201", "020100", "02010004", "02010003", "02010006 01", "0301000501", "05010004", "00010005 01"]
    {
        let bytes = hex(&text.replace(' ', ""));
        assert_eq!(Packet::decode(&bytes), Err(Malformed), "{text}");
    }
    let padded = hex("0207000501FFFF");
    assert_eq!(Packet::decode(&padded), Ok(Packet::Response(Message { identifier: 7, kind: 1, data: &[] })));
}

fn fragment(more: bool, message_length: Option<u32>, data: &[u8]) -> TlsData<'_> {
    TlsData { start: false, more, message_length, version: 0, data }
}

#[test]
fn fragments_are_put_together_with_the_length_on_the_first_or_on_all() {
    for on_all in [false, true] {
        let mut reassembly = Reassembly::Empty;
        let later = on_all.then_some(6);
        assert_eq!(reassembly.push(&fragment(true, Some(6), b"ab")), Ok(None));
        assert_eq!(reassembly.push(&fragment(true, later, b"cd")), Ok(None));
        assert_eq!(reassembly.push(&fragment(false, later, b"ef")), Ok(Some(b"abcdef".to_vec())));
        assert!(!reassembly.is_partial());
    }
}

#[test]
fn lies_about_the_length_are_refused() {
    let push = |fragments: &[TlsData<'_>]| {
        let mut reassembly = Reassembly::Empty;
        let mut last = Ok(None);
        for fragment in fragments {
            last = reassembly.push(fragment);
        }
        assert!(last.is_ok() || !reassembly.is_partial(), "nothing is kept after an error: {fragments:?}");
        last
    };
    let too_long = u32::try_from(MESSAGE_MAX_BYTES + 1).expect("it is small");
    for (fragments, error) in [
        (vec![fragment(true, Some(too_long), b"a")], TlsDataError::MessageTooLong),
        (vec![fragment(true, Some(u32::MAX), b"a")], TlsDataError::MessageTooLong),
        (vec![fragment(false, Some(u32::MAX), b"a")], TlsDataError::MessageTooLong),
        (vec![fragment(true, None, b"a")], TlsDataError::FirstFragmentWithoutLength),
        (vec![fragment(false, Some(2), b"a")], TlsDataError::LengthNotReached),
        (vec![fragment(false, Some(0), b"a")], TlsDataError::LengthExceeded),
        (vec![fragment(true, Some(1), b"a")], TlsDataError::LengthExceeded),
        (vec![fragment(true, Some(3), b"a"), fragment(true, Some(4), b"b")], TlsDataError::LengthChanged),
        (vec![fragment(true, Some(3), b"a"), fragment(false, None, b"bcd")], TlsDataError::LengthExceeded),
        (vec![fragment(true, Some(3), b"a"), fragment(false, None, b"b")], TlsDataError::LengthNotReached),
        (vec![fragment(true, Some(3), b"a"), fragment(true, None, b"")], TlsDataError::EmptyFragment),
        (vec![TlsData { start: true, ..fragment(false, None, b"") }], TlsDataError::StartFromPeer),
    ] {
        assert_eq!(push(&fragments), Err(error), "{fragments:?}");
    }
    assert_eq!(TlsData::decode(&[]), Err(TlsDataError::NoFlags));
    assert_eq!(TlsData::decode(&[0x80, 0, 0, 1]), Err(TlsDataError::LengthTruncated));
}

/// What is held shows from outside, be it fragments of a message or a TLS record that whole messages have not completed.
#[test]
fn a_conversation_tells_how_much_it_holds() {
    let mut conversation = EapConversation::new(settings(), None, [1; 32]);
    let mut say = |kind: u8, identifier: u8, data: &[u8]| {
        let length = u16::try_from(5 + data.len()).expect("short").to_be_bytes();
        let packet = [&[2, identifier, length[0], length[1], kind], data].concat();
        let EapStep::Request(request) = conversation.handle(EapInput::Response(packet)) else { panic!("no request") };
        (request[1], conversation.held_bytes())
    };
    let (identifier, held) = say(eap_type::IDENTITY, 1, b"anonymous");
    assert_eq!(held, 0);
    // The head of a record of 16,000 octets of handshake, in a message of 300 octets that comes in three fragments.
    let record = [&[0x16, 3, 3, 0x3e, 0x80][..], &[1; 295]].concat();
    let (identifier, held) = say(eap_type::TTLS, identifier, &[&[0xc0, 0, 0, 1, 44], &record[..100]].concat());
    assert_eq!(held, 100);
    let (identifier, held) = say(eap_type::TTLS, identifier, &[&[0x40], &record[100..200]].concat());
    assert_eq!(held, 200);
    let (identifier, held) = say(eap_type::TTLS, identifier, &[&[0], &record[200..]].concat());
    assert_eq!(held, 300, "TLS has it now, and waits for more");
    let (_, held) = say(eap_type::TTLS, identifier, &[&[0][..], &[1; 500]].concat());
    assert_eq!(held, 800);
}

fn settings() -> Arc<EapSettings> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the default versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
    let tls = Arc::new(tls);
    let tls = TlsConfigs { tunnel: Arc::clone(&tls), mutual: tls, sessions: Arc::default() };
    Arc::new(EapSettings { tls, methods: vec![MethodKind::Ttls], fragment_max_bytes: 1_024 })
}

#[test]
fn a_message_that_fits_travels_without_a_length() {
    let mut outgoing = Outgoing::new(vec![7; 94], 100);
    assert_eq!(outgoing.next_fragment().map(|fragment| fragment[..2].to_vec()), Some(vec![0, 7]));
    assert_eq!(outgoing.next_fragment(), None);
    let mut outgoing = Outgoing::new(vec![7; 95], 100);
    assert_eq!(outgoing.next_fragment().map(|fragment| fragment[..6].to_vec()), Some(vec![0xC0, 0, 0, 0, 95, 7]));
    assert!(outgoing.has_more());
    assert_eq!(outgoing.next_fragment(), Some(vec![0, 7, 7, 7, 7, 7]));
    assert!(!outgoing.has_more());
}

#[test]
fn avps_are_bounded_and_may_lack_their_last_padding() {
    let one = encode_avps(&[Avp { code: 1, vendor: None, mandatory: true, data: b"mara1" }]);
    assert_eq!(one, hex("00000001 4000000D 6D617261 31000000".replace(' ', "").as_str()));
    assert_eq!(decode_avps(&one[..13]).map(|avps| avps[0].data.to_vec()), Ok(b"mara1".to_vec()));
    assert_eq!(decode_avps(&one.repeat(AVPS_MAX)).map(|avps| avps.len()), Ok(AVPS_MAX));
    assert_eq!(decode_avps(&one.repeat(AVPS_MAX + 1)), Err(MalformedAvp));
    for text in ["00", "0000000140000007", "00000001400000FF00000000", "00000001C00000080000", "000000014000000961"] {
        let result = decode_avps(&hex(text)).map(|avps| avps.len());
        assert_eq!(result, if text.ends_with("61") { Ok(1) } else { Err(MalformedAvp) }, "{text}");
    }
}

#[test]
fn a_nak_is_answered_by_our_order_and_never_by_what_was_refused() {
    use MethodKind::{Peap, Tls, Ttls};
    assert_eq!(MethodKind::negotiate(&MethodKind::ALL, &[Tls], &[21, 25]), Some(Peap));
    assert_eq!(MethodKind::negotiate(&MethodKind::ALL, &[Tls], &[21]), Some(Ttls));
    assert_eq!(MethodKind::negotiate(&[Ttls, Peap], &[Ttls], &[13]), None, "what the operator left out is not offered");
    let negotiate = |offered: &[MethodKind], wanted: &[u8]| MethodKind::negotiate(&[Ttls, Peap], offered, wanted);
    assert_eq!(negotiate(&[Ttls], &[13, 25, 21]), Some(Peap));
    assert_eq!(negotiate(&[Peap], &[25, 21]), Some(Ttls));
    assert_eq!(negotiate(&[Ttls, Peap], &[25, 21]), None);
    assert_eq!(negotiate(&[Ttls], &[0]), None);
    assert_eq!(negotiate(&[Ttls], &[]), None);
}

#[test]
fn every_failure_has_a_code_and_a_sentence() {
    let all = [
        EapFailure::NoCommonMethod { wanted: vec![0] },
        EapFailure::NoCommonMethod { wanted: vec![4, 6, 13, 18, 21, 23, 25, 26, 43, 50, 52, 55, 99] },
        EapFailure::InnerMethodUnsupported { method: "CHAP".into() },
        EapFailure::MethodVersionUnsupported { version: 1 },
        EapFailure::TlsTooOld { newest: "TLS 1.0" },
        EapFailure::TlsSuitesTooOld { what: "key exchange by RSA only" },
        EapFailure::CertificateMissing,
        EapFailure::CertificateUntrusted { what: "that this box did not issue" },
        EapFailure::TlsUnsupported { what: "NoCipherSuitesInCommon".into() },
        EapFailure::PeerMisbehaved { what: "x" },
        EapFailure::TlsAlertFromPeer { description: AlertDescription::UnknownCA },
        EapFailure::TlsAlertFromPeer { description: AlertDescription::CertificateExpired },
        EapFailure::TlsAlertFromPeer { description: AlertDescription::ProtocolVersion },
        EapFailure::TlsAlertFromPeer { description: AlertDescription::UserCanceled },
        EapFailure::TlsAlertFromPeer { description: AlertDescription::BadCertificate },
        EapFailure::TlsAlertFromPeer { description: AlertDescription::Unknown(200) },
        EapFailure::PeerRefused,
        EapFailure::WrongKey,
        EapFailure::Denied,
        EapFailure::RoundsExceeded,
        EapFailure::LocalFault { what: "x".into() },
    ];
    for failure in all {
        assert!(failure.sentence().ends_with('.'), "{failure:?}");
        assert!(failure.code().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{failure:?}");
    }
}

#[test]
fn each_way_to_decline_has_its_code_and_the_rest_share_one() {
    for (description, code, word) in [
        (AlertDescription::UnknownCA, "eap-device-distrusts-ca", "install the Wi-Fi profile"),
        (AlertDescription::BadCertificate, "eap-device-distrusts-certificate", "newest Wi-Fi profile"),
        (AlertDescription::CertificateUnknown, "eap-device-distrusts-certificate", "newest Wi-Fi profile"),
        (AlertDescription::CertificateExpired, "eap-device-finds-certificate-expired", "check the clock"),
        (AlertDescription::ProtocolVersion, "eap-device-refuses-tls", "allow TLS 1.2 or 1.3"),
        (AlertDescription::HandshakeFailure, "eap-device-refuses-tls", "allow TLS 1.2 or 1.3"),
        (AlertDescription::UserCanceled, "eap-device-gave-up", "Try again"),
        (AlertDescription::CloseNotify, "eap-device-gave-up", "Try again"),
        (AlertDescription::DecodeError, "eap-tls-alert-from-peer", "DecodeError"),
        (AlertDescription::Unknown(200), "eap-tls-alert-from-peer", "an unknown alert"),
    ] {
        let failure = EapFailure::TlsAlertFromPeer { description };
        assert_eq!((failure.code(), failure.fault()), (code, Fault::PeerRefused), "{description:?}");
        assert!(failure.sentence().contains(word), "{}", failure.sentence());
    }
}

const MICROSOFT: Option<u32> = Some(311);
/// What the tunnel of these tests exports.
const IMPLICIT: [u8; 17] = *b"sixteen octets.!\x2A";

fn avp(code: u32, vendor: Option<u32>, mandatory: bool, data: &[u8]) -> Avp<'_> {
    Avp { code, vendor, mandatory, data }
}

fn hear(listening: phase2::Listening, plaintext: &[u8]) -> phase2::Step {
    listening.hear(plaintext, &|| Ok(IMPLICIT))
}

fn listening(method: MethodKind) -> phase2::Listening {
    phase2::Listening::new(method, &Secret::new([7; 32])).expect("a method with something inside")
}

/// The first message inside TTLS.
fn ttls(avps: &[Avp<'_>]) -> phase2::Step {
    hear(listening(MethodKind::Ttls), &encode_avps(avps))
}

#[test]
fn phase_two_of_ttls_takes_one_name_and_one_password() {
    let name = avp(1, None, true, b"mara");
    let password = avp(2, None, true, b"correct horse\0\0\0");
    let optional = avp(99, Some(9), false, b"x");
    for avps in [vec![name, password], vec![password, optional, name]] {
        let phase2::Step::Ask(asked) = ttls(&avps) else { panic!("{avps:?}") };
        assert_eq!(asked.username(), "mara");
        assert!(asked.credential(&nt_hash("correct horse")).is_correct());
    }
    let not_text = avp(2, None, true, b"\xFFabc");
    let phase2::Step::Ask(asked) = ttls(&[name, not_text]) else { panic!("a wrong key") };
    assert!(!asked.credential(&nt_hash("\u{fffd}abc")).is_correct(), "what is not UTF-8 equals nothing");
    assert!(matches!(ttls(&[]), phase2::Step::Listen(_)));
}

#[test]
fn phase_two_of_ttls_refuses_the_rest_by_name() {
    let (name, password) = (avp(1, None, true, b"mara"), avp(2, None, true, b"x"));
    let (long_name, long_password) = ([b'a'; 254], [b'a'; 129]);
    let (challenge, response) = (avp(11, MICROSOFT, true, &IMPLICIT[..16]), avp(25, MICROSOFT, true, &[42; 50]));
    let (other_challenge, other_identifier) = (avp(11, MICROSOFT, true, &[0; 16]), avp(25, MICROSOFT, true, &[41; 50]));
    for (avps, code) in [
        (vec![name], "eap-peer-misbehaved"),
        (vec![password], "eap-peer-misbehaved"),
        (vec![name, name, password], "eap-peer-misbehaved"),
        (vec![name, password, password], "eap-peer-misbehaved"),
        (vec![avp(1, None, true, b"\xFF"), password], "eap-peer-misbehaved"),
        (vec![avp(1, None, true, &long_name), password], "eap-peer-misbehaved"),
        (vec![name, avp(2, None, true, &long_password)], "eap-peer-misbehaved"),
        (vec![name, password, avp(99, None, true, b"")], "eap-inner-method-unsupported"),
        (vec![name, password, avp(1, Some(9), true, b"")], "eap-inner-method-unsupported"),
        (vec![name, avp(60, None, true, b"x"), avp(3, None, true, b"x")], "eap-inner-method-unsupported"),
        (vec![name, challenge, avp(1, MICROSOFT, true, b"x")], "eap-inner-method-unsupported"),
        (vec![avp(79, None, true, b"x")], "eap-peer-misbehaved"),
        (vec![avp(79, None, true, &[2, 0, 0, 6, 26, 3])], "eap-peer-misbehaved"),
        (vec![name, response], "eap-peer-misbehaved"),
        (vec![name, challenge], "eap-peer-misbehaved"),
        (vec![challenge, response], "eap-peer-misbehaved"),
        (vec![name, password, challenge, response], "eap-peer-misbehaved"),
        (vec![name, other_challenge, response], "eap-peer-misbehaved"),
        (vec![name, challenge, other_identifier], "eap-peer-misbehaved"),
        (vec![name, challenge, avp(25, MICROSOFT, true, &[42; 49])], "eap-peer-misbehaved"),
        (vec![name, challenge, challenge, response], "eap-peer-misbehaved"),
    ] {
        match ttls(&avps) {
            phase2::Step::Refuse(why) => assert_eq!(why.code(), code, "{avps:?}"),
            other => panic!("{avps:?}: {other:?}"),
        }
    }
}

/// MSCHAPv2 inside TTLS, over the tunnel's challenge.
fn ttls_mschapv2(password: &str) -> (phase2::Asked, [u8; 8]) {
    let challenge: [u8; 16] = IMPLICIT[..16].try_into().expect("sixteen");
    let hash = challenge_hash(&[9; 16], &challenge, b"mara");
    let shown = nt_response(&hash, &nt_hash(password));
    let response = [&IMPLICIT[16..], &[0], &[9; 16], &[0; 8], &shown].concat();
    let avps = [
        avp(1, None, true, b"HARBOUR\\mara"),
        avp(11, MICROSOFT, true, &challenge),
        avp(25, MICROSOFT, true, &response),
    ];
    match ttls(&avps) {
        phase2::Step::Ask(asked) => (asked, hash),
        other => panic!("{other:?}"),
    }
}

#[test]
fn mschapv2_inside_ttls_ends_with_our_own_proof_and_the_devices_silence() {
    let (asked, hash) = ttls_mschapv2("correct horse");
    assert_eq!(asked.username(), "mara");
    let proven = asked.credential(&nt_hash("correct horse"));
    assert_eq!((proven.is_correct(), proven.inner()), (true, Some(InnerMethod::MsChapV2)));
    let (state, plaintext) = say(proven.verdict(true));
    let key = nt_hash("correct horse");
    let proof = authenticator_response(&key, &nt_response(&hash, &key), &hash);
    let avps = decode_avps(&plaintext).expect("our own AVPs");
    assert_eq!(avps, [avp(26, MICROSOFT, true, &[&IMPLICIT[16..], proof.as_bytes()].concat())]);
    match hear(state, &[]) {
        phase2::Step::Accept { shown, inner } => {
            assert_eq!((shown, inner), (Shown::Username("mara".into()), Some(InnerMethod::MsChapV2)));
        }
        other => panic!("{other:?}"),
    }
    let (asked, _) = ttls_mschapv2("correct horse");
    let (state, _) = say(asked.credential(&nt_hash("correct horse")).verdict(true));
    assert!(matches!(hear(state, &plaintext), phase2::Step::Refuse(EapFailure::PeerMisbehaved { .. })));
    for (password, allow, why) in [
        ("wrong", true, EapFailure::WrongKey),
        ("wrong", false, EapFailure::WrongKey),
        ("correct horse", false, EapFailure::Denied),
    ] {
        let (asked, _) = ttls_mschapv2(password);
        let step = asked.credential(&nt_hash("correct horse")).verdict(allow);
        assert!(matches!(&step, phase2::Step::Refuse(told) if *told == why), "{password} {allow}: {step:?}");
    }
}

/// What EAP says inside TTLS: the Request in the one AVP.
fn eap_inside(plaintext: &[u8]) -> (u8, u8, Vec<u8>) {
    match decode_avps(plaintext).as_deref() {
        Ok([Avp { code: 79, vendor: None, mandatory: true, data }]) => match Packet::decode(data) {
            Ok(Packet::Request(Message { identifier, kind, data })) => (identifier, kind, data.to_vec()),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn eap_response(identifier: u8, kind: u8, data: &[u8]) -> Vec<u8> {
    let packet = Packet::Response(Message { identifier, kind, data }).encode();
    encode_avps(&[avp(79, None, true, &packet)])
}

/// EAP-MSCHAPv2 inside TTLS, up to the answer to the challenge.
fn ttls_eap(password: &str) -> phase2::Asked {
    let (state, plaintext) = say(hear(listening(MethodKind::Ttls), &eap_response(200, eap_type::IDENTITY, b"mara")));
    let (identifier, kind, data) = eap_inside(&plaintext);
    assert_eq!((identifier, kind), (201, eap_type::MSCHAPV2));
    let Some(MsChapV2Packet::Challenge { id, challenge, .. }) = MsChapV2Packet::decode(&data) else {
        panic!("{data:?}")
    };
    let shown = nt_response(&challenge_hash(&[9; 16], &challenge, b"mara"), &nt_hash(password));
    let packet = MsChapV2Packet::Response { id, peer_challenge: [9; 16], nt_response: shown, name: b"mara" };
    match hear(state, &eap_response(identifier, eap_type::MSCHAPV2, &packet.encode())) {
        phase2::Step::Ask(asked) => asked,
        other => panic!("{other:?}"),
    }
}

#[test]
fn eap_mschapv2_inside_ttls_ends_when_the_method_does() {
    for (password, allow, answer, code) in [
        ("correct horse", true, &[3][..], None),
        ("correct horse", true, &[4], Some("eap-peer-refused")),
        ("correct horse", false, &[4], Some("denied")),
        ("wrong", true, &[4], Some("wrong-key")),
        ("wrong", true, &[3], Some("wrong-key")),
    ] {
        let proven = ttls_eap(password).credential(&nt_hash("correct horse"));
        assert_eq!(proven.inner(), Some(InnerMethod::EapMsChapV2));
        let (state, plaintext) = say(proven.verdict(allow));
        let (identifier, kind, data) = eap_inside(&plaintext);
        assert_eq!(
            (identifier, kind, data[0]),
            (202, eap_type::MSCHAPV2, if code.is_none_or(|code| code == "eap-peer-refused") { 3 } else { 4 })
        );
        match (hear(state, &eap_response(identifier, eap_type::MSCHAPV2, answer)), code) {
            (phase2::Step::Accept { shown, .. }, None) => assert_eq!(shown, Shown::Username("mara".into())),
            (phase2::Step::Refuse(why), Some(code)) => assert_eq!(why.code(), code),
            (other, _) => panic!("{password} {allow}: {other:?}"),
        }
    }
}

#[test]
fn eap_inside_ttls_answers_the_question_that_was_asked() {
    let begin = || say(hear(listening(MethodKind::Ttls), &eap_response(0, eap_type::IDENTITY, b"mara"))).0;
    let of = |step| match step {
        phase2::Step::Refuse(why) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(of(hear(begin(), &eap_response(0, eap_type::MSCHAPV2, &[3]))).code(), "eap-peer-misbehaved");
    assert_eq!(of(hear(begin(), &eap_response(1, eap_type::MSCHAPV2, &[3]))).code(), "eap-peer-misbehaved");
    assert_eq!(of(hear(begin(), &[])).code(), "eap-peer-misbehaved");
    let why = of(hear(begin(), &eap_response(1, eap_type::NAK, &[6])));
    assert_eq!(why, EapFailure::InnerMethodUnsupported { method: "EAP-GTC".into() });
}

#[test]
fn a_certificate_is_in_when_policy_says_so_and_the_device_has_heard_it() {
    use super::certificate::Proven;
    let proven = |tls_version| phase2::Proven::Tls(Proven { fingerprint: [5; 32], tls_version });
    let shown = Shown::Certificate { fingerprint: [5; 32] };
    assert_eq!((proven(TlsVersion::Tls13).shown(), proven(TlsVersion::Tls13).inner()), (shown.clone(), None));
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        assert!(matches!(proven(version).verdict(false), phase2::Step::Refuse(EapFailure::Denied)));
    }
    let (state, plaintext) = say(proven(TlsVersion::Tls13).verdict(true));
    assert_eq!(plaintext, [0], "the protected success of RFC 9190");
    assert!(matches!(hear(state, &[]), phase2::Step::Accept { shown: told, inner: None } if told == shown));
    let phase2::Step::Listen(state) = proven(TlsVersion::Tls12).verdict(true) else { panic!("TLS 1.2 says nothing") };
    assert!(matches!(hear(state, &[1]), phase2::Step::Refuse(EapFailure::PeerMisbehaved { .. })));
}

/// What PEAP says in the tunnel, and where it then stands.
fn say(step: phase2::Step) -> (phase2::Listening, Vec<u8>) {
    match step {
        phase2::Step::Say(listening, plaintext) => (listening, plaintext),
        other => panic!("{other:?}"),
    }
}

/// PEAP after the answer to the challenge, with the challenge hash of that answer.
fn peap_asked(name: &str, password: &str) -> (phase2::Asked, [u8; 8]) {
    let (listening, plaintext) = say(hear(listening(MethodKind::Peap), &[]));
    assert_eq!(plaintext, [eap_type::IDENTITY]);
    let (listening, plaintext) = say(hear(listening, &[&[eap_type::IDENTITY], name.as_bytes()].concat()));
    let Some(MsChapV2Packet::Challenge { challenge, .. }) = MsChapV2Packet::decode(&plaintext[1..]) else {
        panic!("no challenge")
    };
    let hash = challenge_hash(&[9; 16], &challenge, without_domain(name).as_bytes());
    let nt_response = nt_response(&hash, &nt_hash(password));
    let packet = MsChapV2Packet::Response { id: 1, peer_challenge: [9; 16], nt_response, name: name.as_bytes() };
    match hear(listening, &[&[eap_type::MSCHAPV2], &packet.encode()[..]].concat()) {
        phase2::Step::Ask(asked) => (asked, hash),
        other => panic!("{other:?}"),
    }
}

fn result_of(plaintext: &[u8]) -> (u8, ResultStatus) {
    match Packet::decode(plaintext) {
        Ok(Packet::Request(Message { identifier, kind: eap_type::TLV, data })) => match decode_tlvs(data).as_deref() {
            Some([Tlv::Result(status)]) => (identifier, *status),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn peap_result(identifier: u8, data: &[u8]) -> Vec<u8> {
    Packet::Response(Message { identifier, kind: eap_type::TLV, data }).encode()
}

#[test]
fn phase_two_of_peap_proves_both_sides_and_agrees_on_the_result() {
    let results = [
        (encode_tlvs(&[Tlv::Result(ResultStatus::Success)]), None),
        (encode_tlvs(&[Tlv::Result(ResultStatus::Failure)]), Some("eap-peer-refused")),
        (Vec::new(), Some("eap-peer-misbehaved")),
        (vec![0x80, 3, 0, 2, 0, 9], Some("eap-peer-misbehaved")),
    ];
    for (data, code) in results {
        let (asked, hash) = peap_asked("HARBOUR\\mara", "correct horse");
        assert_eq!(asked.username(), "mara");
        let proven = asked.credential(&nt_hash("correct horse"));
        assert!(proven.is_correct());
        let (listening, plaintext) = say(proven.verdict(true));
        let key = nt_hash("correct horse");
        let proof = authenticator_response(&key, &nt_response(&hash, &key), &hash);
        let text = String::from_utf8(plaintext[5..].to_vec()).expect("text");
        assert_eq!(text, format!("{proof} M=Welcome"));
        let (listening, plaintext) = say(hear(listening, &[eap_type::MSCHAPV2, 3]));
        let (identifier, status) = result_of(&plaintext);
        assert_eq!(status, ResultStatus::Success);
        match (hear(listening, &peap_result(identifier, &data)), code) {
            (phase2::Step::Accept { shown, .. }, None) => assert_eq!(shown, Shown::Username("mara".into())),
            (phase2::Step::Refuse(why), Some(code)) => assert_eq!(why.code(), code),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn phase_two_of_peap_tells_a_refusal_by_its_number_and_says_the_result() {
    for (password, number, why) in
        [("wrong", "E=691 R=0 C=", EapFailure::WrongKey), ("correct horse", "E=649 R=0 C=", EapFailure::Denied)]
    {
        let (asked, _) = peap_asked("mara", password);
        let proven = asked.credential(&nt_hash("correct horse"));
        let (listening, plaintext) = say(proven.verdict(false));
        assert_eq!(&plaintext[5..5 + number.len()], number.as_bytes());
        let (listening, plaintext) = say(hear(listening, &[eap_type::MSCHAPV2, 4]));
        assert_eq!(result_of(&plaintext).1, ResultStatus::Failure);
        // A forged "yes" changes nothing.
        let yes = peap_result(0, &encode_tlvs(&[Tlv::Result(ResultStatus::Success)]));
        assert!(matches!(hear(listening, &yes), phase2::Step::Refuse(told) if told == why));
    }
    let (asked, _) = peap_asked("mara", "wrong");
    let (_, plaintext) = say(asked.credential(&nt_hash("correct horse")).verdict(true));
    assert_eq!(&plaintext[5..10], b"E=691", "a verdict cannot make a wrong key right");
}

#[test]
fn phase_two_of_peap_names_what_the_device_wants_instead() {
    let (listening, _) = say(hear(listening(MethodKind::Peap), &[]));
    let (listening, _) = say(hear(listening, &[eap_type::IDENTITY, b'x']));
    let (listening, plaintext) = say(hear(listening, &[eap_type::NAK, 6]));
    assert_eq!(result_of(&plaintext).1, ResultStatus::Failure);
    let why = EapFailure::InnerMethodUnsupported { method: "EAP-GTC".into() };
    assert!(matches!(hear(listening, &[]), phase2::Step::Refuse(told) if told == why));
}

fn any_packet() -> impl Strategy<Value = (u8, u8, u8, Vec<u8>)> {
    (0..4_u8, any::<u8>(), any::<u8>(), vec(any::<u8>(), 0..300))
}

proptest! {
    #[test]
    fn decoders_survive_anything(bytes in vec(any::<u8>(), 0..400)) {
        let _ = Packet::decode(&bytes);
        let _ = TlsData::decode(&bytes);
        let _ = decode_avps(&bytes);
        let _ = decode_tlvs(&bytes);
        let _ = MsChapV2Packet::decode(&bytes);
    }

    #[test]
    fn packets_come_back((code, identifier, kind, data) in any_packet()) {
        let message = Message { identifier, kind, data: &data };
        let packet = match code {
            0 => Packet::Request(message),
            1 => Packet::Response(message),
            2 => Packet::Success { identifier },
            _ => Packet::Failure { identifier },
        };
        let bytes = packet.encode();
        prop_assert_eq!(Packet::decode(&bytes), Ok(packet));
    }

    #[test]
    fn tls_data_comes_back(start: bool, more: bool, message_length: Option<u32>, version in 0..8_u8, data in vec(any::<u8>(), 0..300)) {
        let tls = TlsData { start, more, message_length, version, data: &data };
        let bytes = tls.encode();
        prop_assert_eq!(TlsData::decode(&bytes), Ok(tls));
    }

    #[test]
    fn avps_come_back(list in vec((any::<u32>(), proptest::option::of(1..u32::MAX), any::<bool>(), vec(any::<u8>(), 0..40)), 0..AVPS_MAX)) {
        let avps: Vec<Avp<'_>> = list
            .iter()
            .map(|(code, vendor, mandatory, data)| Avp { code: *code, vendor: *vendor, mandatory: *mandatory, data })
            .collect();
        let bytes = encode_avps(&avps);
        prop_assert_eq!(decode_avps(&bytes), Ok(avps));
    }

    #[test]
    fn tlvs_come_back(list in vec((4..0x4000_u16, any::<bool>(), vec(any::<u8>(), 0..40)), 0..8), success: bool) {
        let status = if success { ResultStatus::Success } else { ResultStatus::Failure };
        let mut tlvs = vec![Tlv::Result(status)];
        tlvs.extend(list.iter().map(|(kind, mandatory, value)| Tlv::Other { kind: *kind, mandatory: *mandatory, value }));
        let bytes = encode_tlvs(&tlvs);
        prop_assert_eq!(decode_tlvs(&bytes), Some(tlvs));
    }

    #[test]
    fn mschapv2_packets_come_back(which in 0..6_u8, id: u8, challenge: [u8; 16], nt_response: [u8; 24], text in vec(any::<u8>(), 0..60)) {
        let packet = match which {
            0 => MsChapV2Packet::Challenge { id, challenge, name: &text },
            1 => MsChapV2Packet::Response { id, peer_challenge: challenge, nt_response, name: &text },
            2 => MsChapV2Packet::SuccessRequest { id, message: &text },
            3 => MsChapV2Packet::FailureRequest { id, message: &text },
            4 => MsChapV2Packet::SuccessResponse,
            _ => MsChapV2Packet::FailureResponse,
        };
        let bytes = packet.encode();
        prop_assert_eq!(MsChapV2Packet::decode(&bytes), Some(packet));
    }

    #[test]
    fn what_is_cut_into_fragments_is_put_together_again(length in 0..70_000_usize, packet_max_bytes in 0..5_000_usize) {
        let message: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let mut outgoing = Outgoing::new(message.clone(), packet_max_bytes);
        let mut reassembly = Reassembly::Empty;
        let mut result = Ok(None);
        while let Some(fragment) = outgoing.next_fragment() {
            prop_assert!(fragment.len() + 5 <= packet_max_bytes.clamp(FRAGMENT_MIN_BYTES, 3_800));
            result = reassembly.push(&TlsData::decode(&fragment).expect("our own fragment"));
            if result.is_err() {
                break;
            }
        }
        if length > MESSAGE_MAX_BYTES {
            prop_assert_eq!(result, Err(TlsDataError::MessageTooLong));
        } else if length > 0 {
            prop_assert_eq!(result, Ok(Some(message)));
        }
    }
}

proptest! {
    /// Whatever comes out of the tunnel, phase 2 answers without a panic and never accepts by itself.
    #[test]
    fn phase_two_survives_anything(plaintext in vec(any::<u8>(), 0..200), second in vec(any::<u8>(), 0..200), lead in 0..4_u8) {
        let typed = [&[[1, 26, 3, 33][usize::from(lead)]], &plaintext[..]].concat();
        for method in [MethodKind::Peap, MethodKind::Ttls] {
            let mut step = hear(listening(method), &[]);
            for bytes in [&typed[..], &second, &plaintext, &second] {
                step = match step {
                    phase2::Step::Say(listening, _) | phase2::Step::Listen(listening) => hear(listening, bytes),
                    other => other,
                };
                prop_assert!(!matches!(step, phase2::Step::Accept { .. }), "{method:?}");
            }
        }
    }
}
