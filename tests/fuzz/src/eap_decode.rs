//! Any bytes where an EAP packet, its TLS data, AVPs, TLVs or MSCHAPv2 packets are expected: decoding never panics, and what
//! was decoded and is written again means the same.

use proto::eap::{AVPS_MAX, MsChapV2Packet, Packet, TlsData, decode_avps, decode_tlvs, encode_avps, encode_tlvs};

pub fn run(data: &[u8]) {
    if let Ok(packet) = Packet::decode(data) {
        // Bytes beyond Length are padding, so what is written is how the input begins.
        assert!(data.starts_with(&packet.encode()));
        if let Packet::Request(message) | Packet::Response(message) = packet {
            inside(message.data);
        }
    }
    inside(data);
}

fn inside(data: &[u8]) {
    if let Ok(tls) = TlsData::decode(data) {
        assert_eq!(TlsData::decode(&tls.encode()), Ok(tls));
    }
    if let Ok(avps) = decode_avps(data) {
        assert!(avps.len() <= AVPS_MAX);
        assert_eq!(decode_avps(&encode_avps(&avps)).as_ref(), Ok(&avps));
    }
    if let Some(tlvs) = decode_tlvs(data) {
        assert_eq!(decode_tlvs(&encode_tlvs(&tlvs)).as_ref(), Some(&tlvs));
    }
    if let Some(packet) = MsChapV2Packet::decode(data) {
        assert_eq!(MsChapV2Packet::decode(&packet.encode()).as_ref(), Some(&packet));
    }
}
