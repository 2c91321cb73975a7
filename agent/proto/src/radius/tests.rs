use super::access::{AccessRequest, CalledStation};
use super::accounting::{AccountingError, AccountingRequest, SessionStatus};
use super::*;
use proptest::prelude::*;

const SECRET: &[u8] = b"xyzzy5461";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

// RFC 2865, 7.1
const TELNET_REQUEST: &str = "01 00 00 38 0f 40 3f 94 73 97 80 57 bd 83 d5 cb 98 f4 22 7a 01 06 6e 65 6d 6f
    02 12 0d be 70 8d 93 d4 13 ce 31 96 e4 3f 78 2a 0a ee 04 06 c0 a8 01 10 05 06 00 00 00 03";
const TELNET_ACCEPT: &str = "02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b2 06 06 00 00 00 01
    0f 06 00 00 00 00 0e 06 c0 a8 01 03";
// RFC 5997, 6.1 and 6.2
const STATUS_SERVER: &str = "0c da 00 26 8a 54 f4 68 6f b3 94 c5 28 66 e3 02 18 5d 06 23
    50 12 5a 66 5e 2e 1e 84 11 f3 e2 43 82 20 97 c8 4f a3";
const STATUS_ACCEPT: &str = "02 da 00 14 ef 0d 55 2a 4b f2 d6 93 ec 2b 6f e8 b5 41 1d 66";
const STATUS_ACCT: &str = "0c b3 00 26 92 5f 6b 66 dd 5f ed 57 1f cb 1d b7 ad 38 82 60
    50 12 e8 d6 ea bd a9 10 87 5c d9 1f da de 26 36 78 58";
const STATUS_ACCT_RESPONSE: &str = "05 b3 00 14 0f 6f 92 14 5f 10 7e 2f 50 4e 86 0a 48 60 66 9c";

#[test]
fn the_login_of_rfc_2865_is_read_and_its_password_revealed() {
    let bytes = hex(TELNET_REQUEST);
    let packet = Packet::decode(&bytes).unwrap();
    assert_eq!((packet.code(), packet.identifier()), (Code::AccessRequest, 0));
    assert_eq!(packet.text(AttributeType::USER_NAME), Some("nemo"));
    assert_eq!(packet.integer(AttributeType::NAS_PORT), Some(3));
    let hidden = packet.first(AttributeType::USER_PASSWORD).unwrap();
    assert_eq!(reveal_password(hidden, packet.authenticator(), SECRET).unwrap().expose(), b"arctangent");
    assert_eq!(hide_password(b"arctangent", packet.authenticator(), SECRET), hidden);
}

#[test]
fn the_answer_of_rfc_2865_is_believed_by_its_authenticator() {
    let (request, accept) = (hex(TELNET_REQUEST), hex(TELNET_ACCEPT));
    let (request, accept) = (Packet::decode(&request).unwrap(), Packet::decode(&accept).unwrap());
    let verify = |secret, rule| accept.verify_reply(0, request.authenticator(), secret, rule);
    assert_eq!(verify(SECRET, ReplyRule::MessageAuthenticatorOptional), Ok(()));
    assert_eq!(verify(SECRET, ReplyRule::MessageAuthenticatorRequired), Err(Inauthentic::Missing));
    assert_eq!(verify(b"other", ReplyRule::MessageAuthenticatorOptional), Err(Inauthentic::Wrong));
}

#[test]
fn the_status_server_examples_of_rfc_5997_are_believed_and_written_alike() {
    for (request, reply) in [(STATUS_SERVER, STATUS_ACCEPT), (STATUS_ACCT, STATUS_ACCT_RESPONSE)] {
        let (request, reply) = (hex(request), hex(reply));
        let (request, reply) = (Packet::decode(&request).unwrap(), Packet::decode(&reply).unwrap());
        assert_eq!(request.verify_access_request(SECRET), Ok(()));
        assert_eq!(
            reply.verify_reply(
                request.identifier(),
                request.authenticator(),
                SECRET,
                ReplyRule::MessageAuthenticatorOptional
            ),
            Ok(())
        );
        let ours = Writer::request(Code::StatusServer, request.identifier(), *request.authenticator());
        assert_eq!(ours.finish(SECRET).unwrap(), request.bytes());
    }
    let request = hex(STATUS_ACCT);
    let ours = Writer::reply(Code::AccountingResponse, &Packet::decode(&request).unwrap());
    assert_eq!(ours.finish(SECRET).unwrap(), hex(STATUS_ACCT_RESPONSE));
}

#[test]
fn an_access_request_needs_exactly_one_right_message_authenticator() {
    let plain = hex(TELNET_REQUEST);
    let verify = |bytes: &[u8]| Packet::decode(bytes).unwrap().verify_access_request(SECRET);
    assert_eq!(verify(&plain), Err(Inauthentic::Missing));

    let good = Writer::request(Code::AccessRequest, 7, [9; 16]).text(AttributeType::USER_NAME, "nemo");
    assert_eq!(verify(&good.clone().finish(SECRET).unwrap()), Ok(()));
    assert_eq!(verify(&good.clone().finish(b"other").unwrap()), Err(Inauthentic::Wrong));

    let twice = good.clone().attribute(AttributeType::MESSAGE_AUTHENTICATOR, &[0; 16]);
    assert_eq!(verify(&twice.finish(SECRET).unwrap()), Err(Inauthentic::Malformed));

    let mut touched = good.finish(SECRET).unwrap();
    *touched.last_mut().unwrap() ^= 1;
    assert_eq!(verify(&touched), Err(Inauthentic::Wrong));

    let short = [&[1, 0, 0, 24][..], &[0; 16], &[80, 4, 0, 0]].concat();
    assert_eq!(verify(&short), Err(Inauthentic::Malformed));
}

#[test]
fn every_access_reply_begins_with_message_authenticator_and_ends_with_the_proxy_states() {
    let request = Writer::request(Code::AccessRequest, 9, [3; 16])
        .attribute(AttributeType::PROXY_STATE, b"one")
        .text(AttributeType::USER_NAME, "nemo")
        .attribute(AttributeType::PROXY_STATE, b"two")
        .finish(SECRET)
        .unwrap();
    let request = Packet::decode(&request).unwrap();
    for code in [Code::AccessAccept, Code::AccessReject, Code::AccessChallenge] {
        let reply = Writer::reply(code, &request).eap_message(&[3, 1, 0, 4]).finish(SECRET).unwrap();
        let reply = Packet::decode(&reply).unwrap();
        assert_eq!(reply.attributes().next().unwrap().kind, AttributeType::MESSAGE_AUTHENTICATOR);
        assert!(reply.all(AttributeType::PROXY_STATE).eq([&b"one"[..], b"two"]));
        assert_eq!(reply.attributes().last().unwrap().value, b"two");
        assert_eq!(reply.verify_reply(9, &[3; 16], SECRET, ReplyRule::MessageAuthenticatorRequired), Ok(()));
        assert_eq!(
            reply.verify_reply(8, &[3; 16], SECRET, ReplyRule::MessageAuthenticatorRequired),
            Err(Inauthentic::OtherIdentifier)
        );
        assert_eq!(
            reply.verify_reply(9, &[4; 16], SECRET, ReplyRule::MessageAuthenticatorRequired),
            Err(Inauthentic::Wrong)
        );
    }
}

#[test]
fn an_accept_carries_the_vlan_and_keys_that_only_the_secret_opens() {
    let request = Writer::request(Code::AccessRequest, 1, [5; 16]).finish(SECRET).unwrap();
    let request = Packet::decode(&request).unwrap();
    let (recv, send) = ([0x11; 32], [0x22; 32]);
    let accept = Writer::reply(Code::AccessAccept, &request)
        .tunnel(Tunnel { vlan: 11 })
        .session_keys(SessionKeyPair { recv: &recv, send: &send, salt: [1, 2] }, SECRET)
        .finish(SECRET)
        .unwrap();
    let accept = Packet::decode(&accept).unwrap();
    assert_eq!(accept.first(AttributeType::TUNNEL_TYPE), Some(&[0, 0, 0, 13][..]));
    assert_eq!(accept.first(AttributeType::TUNNEL_MEDIUM_TYPE), Some(&[0, 0, 0, 6][..]));
    assert_eq!(accept.text(AttributeType::TUNNEL_PRIVATE_GROUP_ID), Some("11"));
    let content = |kind: KeyKind| accept.vendor(VENDOR_MICROSOFT, kind.vendor_type()).next().unwrap();
    let open = |kind, secret| open_salted(content(kind), &[5; 16], secret).map(|key| key.expose().clone());
    assert_eq!(open(KeyKind::Recv, SECRET), Some(recv.to_vec()));
    assert_eq!(open(KeyKind::Send, SECRET), Some(send.to_vec()));
    assert_ne!(open(KeyKind::Send, b"other"), Some(send.to_vec()));
    let salts = [content(KeyKind::Send)[..2].to_vec(), content(KeyKind::Recv)[..2].to_vec()];
    assert_ne!(salts[0], salts[1]);
    assert!(salts.iter().all(|salt| salt[0] & 0x80 != 0));
}

#[test]
fn accounting_and_disconnect_requests_are_believed_by_their_own_authenticator() {
    for code in [Code::AccountingRequest, Code::DisconnectRequest, Code::CoaRequest] {
        let good = Writer::request(code, 3, [0xEE; 16])
            .integer(AttributeType::EVENT_TIMESTAMP, 1_800_000_000)
            .finish(SECRET)
            .unwrap();
        let packet = Packet::decode(&good).unwrap();
        assert_eq!(packet.verify_signed_request(SECRET), Ok(()), "{code:?}");
        assert_eq!(packet.verify_signed_request(b"other"), Err(Inauthentic::Wrong));
        let first = packet.attributes().next().unwrap().kind;
        assert_eq!(first == AttributeType::MESSAGE_AUTHENTICATOR, code != Code::AccountingRequest);
    }
}

#[test]
fn what_is_malformed_is_refused_and_padding_is_not() {
    let good = hex(TELNET_REQUEST);
    assert_eq!(Packet::decode(&good[..19]).unwrap_err(), DecodeError::TooShort);
    assert_eq!(Packet::decode(&good[..40]).unwrap_err(), DecodeError::Length { said: 56, received: 40 });
    let padded = [&good[..], &[0; 30]].concat();
    assert_eq!(Packet::decode(&padded).unwrap().bytes(), &good[..]);
    let with_length = |length: u16| {
        let mut bytes = vec![0; 5000];
        bytes[0] = 1;
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes
    };
    for length in [0, 19, 4097, u16::MAX] {
        let bytes = with_length(length);
        assert!(matches!(Packet::decode(&bytes), Err(DecodeError::Length { .. })), "{length}");
    }
    assert_eq!(Packet::decode(&with_length(21)).unwrap_err(), DecodeError::Attribute { offset: 20 });
    let mut bytes = good.clone();
    bytes[0] = 99;
    assert_eq!(Packet::decode(&bytes).unwrap_err(), DecodeError::UnknownCode(99));
    for (length, offset) in [(0, 20), (1, 20), (255, 20)] {
        let mut bytes = good.clone();
        bytes[21] = length;
        assert_eq!(Packet::decode(&bytes).unwrap_err(), DecodeError::Attribute { offset });
    }
    let many = |count: usize| {
        let mut bytes = [&good[..20], &[18, 2].repeat(count)].concat();
        let length = u16::try_from(bytes.len()).unwrap();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes
    };
    assert_eq!(Packet::decode(&many(255)).unwrap().attributes().count(), 255);
    assert_eq!(Packet::decode(&many(256)).unwrap_err(), DecodeError::TooManyAttributes);
}

#[test]
fn what_does_not_fit_is_told_and_not_cut() {
    let writer = || Writer::request(Code::AccessRequest, 0, [0; 16]);
    assert_eq!(
        writer().attribute(AttributeType::CLASS, &[0; 254]).finish(SECRET),
        Err(EncodeError::AttributeTooLong { kind: AttributeType::CLASS, length: 254 })
    );
    assert_eq!(writer().eap_message(&[0; 4096]).finish(SECRET), Err(EncodeError::PacketTooLong));
    assert!(matches!(writer().vendor(311, 1, &[0; 250]).finish(SECRET), Err(EncodeError::AttributeTooLong { .. })));
    assert!(matches!(writer().vendor(311, 1, &[0; 300]).finish(SECRET), Err(EncodeError::AttributeTooLong { .. })));
}

#[test]
fn an_access_request_is_read_by_meaning() {
    let bytes = Writer::request(Code::AccessRequest, 0, [0; 16])
        .text(AttributeType::CALLING_STATION_ID, "02-00-00-00-00-01")
        .text(AttributeType::CALLED_STATION_ID, "0A-00-00-00-00-02:Harbour: Works")
        .integer(AttributeType::FRAMED_MTU, 1400)
        .eap_message(&[2; 300])
        .finish(SECRET)
        .unwrap();
    let packet = Packet::decode(&bytes).unwrap();
    assert_eq!(packet.all(AttributeType::EAP_MESSAGE).map(<[u8]>::len).collect::<Vec<_>>(), [253, 47]);
    let request = AccessRequest::of(&packet);
    assert_eq!(request.eap, Some(vec![2; 300]));
    assert!(request.mac == "02:00:00:00:00:01".parse().ok());
    assert_eq!(
        request.called,
        Some(CalledStation { radio: "0a0000000002".parse().ok(), ssid: Some("Harbour: Works") })
    );
    assert_eq!(request.framed_mtu, Some(1400));
}

#[test]
fn accounting_is_read_by_meaning_with_64_bit_counters() {
    let write = |status: u32| {
        Writer::request(Code::AccountingRequest, 0, [0; 16])
            .integer(AttributeType::ACCT_STATUS_TYPE, status)
            .integer(AttributeType::ACCT_INPUT_OCTETS, 5)
            .integer(AttributeType::ACCT_INPUT_GIGAWORDS, 2)
            .integer(AttributeType::ACCT_OUTPUT_OCTETS, 6)
    };
    let of = |writer: Writer| {
        let bytes = writer.finish(SECRET).unwrap();
        match AccountingRequest::of(&Packet::decode(&bytes).unwrap()) {
            Ok(AccountingRequest::Session(report)) => Ok(Some((report.status, report.traffic))),
            Ok(AccountingRequest::AccountingOn(_) | AccountingRequest::AccountingOff(_)) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let (status, traffic) = of(write(3).text(AttributeType::ACCT_SESSION_ID, "a1")).unwrap().unwrap();
    assert_eq!(status, SessionStatus::InterimUpdate);
    assert_eq!((traffic.sent_bytes, traffic.received_bytes), ((2 << 32) + 5, 6));
    assert_eq!(of(write(7)), Ok(None));
    assert_eq!(of(write(1)), Err(AccountingError::NoSessionId));
    assert_eq!(of(write(9)), Err(AccountingError::UnknownStatusType(9)));
    assert_eq!(of(Writer::request(Code::AccountingRequest, 0, [0; 16])), Err(AccountingError::NoStatusType));
}

proptest! {
    #[test]
    fn decode_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        read_everything(&bytes);
    }

    #[test]
    fn a_broken_packet_never_panics(at in 0_usize..200, value: u8, cut in 0_usize..200) {
        let mut bytes = Writer::request(Code::AccessRequest, 1, [1; 16])
            .text(AttributeType::CALLED_STATION_ID, "0A-00-00-00-00-02:Harbour")
            .vendor(VENDOR_MICROSOFT, 16, &[7; 50])
            .eap_message(&[2; 300])
            .finish(SECRET)
            .unwrap();
        bytes[at] = value;
        bytes.truncate(bytes.len() - cut);
        read_everything(&bytes);
    }

    #[test]
    fn what_was_written_is_read_back(
        identifier: u8,
        authenticator: [u8; 16],
        attributes in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..=253)), 0..15),
    ) {
        let attributes: Vec<_> = attributes.into_iter().filter(|(kind, _)| *kind != 80).collect();
        let mut writer = Writer::request(Code::AccessRequest, identifier, authenticator);
        for (kind, value) in &attributes {
            writer = writer.attribute(AttributeType(*kind), value);
        }
        let bytes = writer.finish(SECRET).unwrap();
        let packet = Packet::decode(&bytes).unwrap();
        prop_assert_eq!(packet.identifier(), identifier);
        prop_assert_eq!(packet.authenticator(), &authenticator);
        prop_assert_eq!(packet.verify_access_request(SECRET), Ok(()));
        let read: Vec<_> = packet.attributes().skip(1).map(|a| (a.kind.0, a.value.to_vec())).collect();
        prop_assert_eq!(read, attributes);
    }

    #[test]
    fn a_hidden_password_is_revealed(password in "[!-~]{0,128}", authenticator: [u8; 16]) {
        let hidden = hide_password(password.as_bytes(), &authenticator, SECRET);
        let revealed = reveal_password(&hidden, &authenticator, SECRET).unwrap();
        prop_assert_eq!(revealed.expose().as_slice(), password.as_bytes());
    }
}

fn read_everything(bytes: &[u8]) {
    let Ok(packet) = Packet::decode(bytes) else { return };
    let _ = (AccessRequest::of(&packet), AccountingRequest::of(&packet));
    let _ = (packet.verify_access_request(SECRET), packet.verify_signed_request(SECRET));
    let _ = packet.verify_reply(1, &[0; 16], SECRET, ReplyRule::MessageAuthenticatorRequired);
    for content in packet.vendor(VENDOR_MICROSOFT, 16) {
        let _ = open_salted(content, &[0; 16], SECRET);
    }
}
