//! Any datagram at the RADIUS ports: decoding never panics, and what was decoded is the datagram, attribute by attribute.

use proto::radius::access::AccessRequest;
use proto::radius::accounting::AccountingRequest;
use proto::radius::{HEADER_BYTES, KeyKind, Packet, ReplyRule, VENDOR_MICROSOFT, open_salted};

const SECRET: &[u8] = b"testing123";

pub fn run(data: &[u8]) {
    let Ok(packet) = Packet::decode(data) else { return };
    assert!(data.starts_with(packet.bytes()));
    let mut written = Vec::with_capacity(packet.bytes().len());
    for attribute in packet.attributes() {
        written.extend([attribute.kind.0, attribute.value.len() as u8 + 2]);
        written.extend(attribute.value);
    }
    assert_eq!(written, packet.bytes()[HEADER_BYTES..]);

    let _ = AccessRequest::of(&packet);
    let _ = AccountingRequest::of(&packet);
    let _ = packet.verify_access_request(SECRET);
    let _ = packet.verify_signed_request(SECRET);
    let _ = packet.verify_reply(0, &[0; 16], SECRET, ReplyRule::MessageAuthenticatorRequired);
    for kind in [KeyKind::Send, KeyKind::Recv] {
        for content in packet.vendor(VENDOR_MICROSOFT, kind.vendor_type()) {
            let _ = open_salted(content, &[0; 16], SECRET);
        }
    }
}
