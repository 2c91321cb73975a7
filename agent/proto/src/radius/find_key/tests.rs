//! Each dialect carries the captured handshake of wpa/tests.rs, and each finds its passphrase.

use super::*;
use crate::radius::{Code, Writer};
use crate::wpa::pmk;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

const SECRET: &[u8] = b"testing123";
const SSID: &str = "Andrena_39_Lincoln";
const ANONCE: &str = "4df70a4285c5c61f177cdbfc29d7e3cac94167f6101f1bcab420dd50c4f8809d";
const M2: &str = "0203007502010a00100000000000000001c3bb319516614aacfb44e933bf1671131fb1856e5b2721952d414ce3f5aa312b
    000000000000000000000000000000000000000000000000000000000000000035cddcedad0dfb6a12a2eca55c17c3230016
    30140100000fac040100000fac040100000fac028c00";
const POINT: [u8; 6] = [0x34, 0xef, 0xb6, 0xaf, 0x48, 0x9e];
const DEVICE: MacAddress = MacAddress([0x8a, 0xb3, 0xa0, 0xeb, 0xd5, 0xe5]);

fn request() -> Writer {
    Writer::request(Code::AccessRequest, 1, [7; 16]).text(AttributeType::USER_NAME, "8ab3a0ebd5e5")
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, u8::try_from(value.len() + 2).unwrap()], value].concat()
}

fn question(request: Writer) -> Option<Result<FindKey, FindKeyError>> {
    let bytes = request.finish(SECRET).unwrap();
    FindKey::of(&Packet::decode(&bytes).unwrap())
}

fn pair(request: Writer, key: &str, value: &[u8]) -> Writer {
    request.vendor(vendor::CISCO, vendor::CISCO_AV_PAIR, &[key.as_bytes(), b"=", value].concat())
}

/// An Extended-Vendor-Specific-5 in pieces of so many octets.
fn extended(mut request: Writer, kind: u8, value: &[u8], piece: usize) -> Writer {
    let whole = [&vendor::FREERADIUS.to_be_bytes()[..], &[kind], value].concat();
    let mut parts = whole.chunks(piece).peekable();
    while let Some(part) = parts.next() {
        let flags = if parts.peek().is_some() { 0x80 } else { 0 };
        request = request.attribute(AttributeType::EXTENDED_ATTRIBUTE_5, &[&[26, flags], part].concat());
    }
    request
}

fn hostapd(piece: usize) -> Writer {
    let called = request().text(AttributeType::CALLED_STATION_ID, &format!("34-EF-B6-AF-48-9E:{SSID}"));
    extended(extended(called, 1, &hex(ANONCE), piece), 2, &hex(M2), piece)
}

fn all() -> Vec<(Dialect, Writer)> {
    let (anonce, m2) = (hex(ANONCE), hex(M2));
    let ruckus = [tlv(1, &[0, 15, 172, 2]), tlv(2, &[4]), tlv(3, &anonce), tlv(4, &m2)].concat();
    let meraki = [tlv(1, &anonce), tlv(2, &m2), tlv(3, &POINT), tlv(4, &[1; 6]), tlv(5, SSID.as_bytes())].concat();
    let eleven = [tlv(1, &m2), tlv(2, &anonce), tlv(3, SSID.as_bytes()), tlv(4, &POINT), tlv(5, &DEVICE.0)].concat();
    let cisco = pair(pair(request(), "cisco-wlan-ssid", SSID.as_bytes()), "cisco-bssid", &POINT);
    vec![
        (Dialect::Hostapd, hostapd(246)),
        (Dialect::Hostapd, hostapd(40)),
        (
            Dialect::Ruckus,
            request()
                .vendor(vendor::RUCKUS, vendor::RUCKUS_SSID, SSID.as_bytes())
                .vendor(vendor::RUCKUS, vendor::RUCKUS_BSSID, &POINT)
                .vendor(vendor::RUCKUS, vendor::RUCKUS_DPSK_PARAMS, &ruckus),
        ),
        (Dialect::Meraki, request().vendor(vendor::MERAKI, vendor::MERAKI_IPSK, &meraki)),
        (Dialect::Eleven, request().vendor(vendor::ELEVEN, vendor::ELEVEN_FIND_KEY, &eleven)),
        (Dialect::Cisco, pair(pair(cisco, "cisco-anonce", &anonce), "cisco-8021x-data", &m2)),
    ]
}

#[test]
fn every_dialect_carries_the_same_handshake() {
    for (dialect, request) in all() {
        let found = question(request).unwrap().unwrap();
        assert_eq!((found.dialect, found.ssid.as_str()), (dialect, SSID));
        let handshake = found.handshake(DEVICE);
        assert!(handshake.fits(&pmk("Pancakes1124", SSID.as_bytes())), "{dialect:?}");
        assert!(!handshake.fits(&pmk("Pancakes1125", SSID.as_bytes())), "{dialect:?}");
    }
}

#[test]
fn hostapds_attribute_is_the_one_that_freeradius_writes() {
    // From FreeRADIUS's tests of its dictionary: 802_1X-Anonce of 32 times 0xaa.
    let bytes = hostapd(246).finish(SECRET).unwrap();
    let begins = hex("f5 29 1a 00 00 00 2c 50 01 4d f7 0a 42");
    assert!(bytes.windows(begins.len()).any(|window| window == begins));
}

#[test]
fn other_requests_ask_something_else() {
    assert!(question(request()).is_none());
    let only_anonce = extended(request(), 1, &hex(ANONCE), 246);
    assert!(question(only_anonce).is_none());
    assert!(question(pair(request(), "cisco-anonce", &hex(ANONCE))).is_none());
}

#[test]
fn what_cannot_be_answered_says_why() {
    let error = |request| question(request).unwrap().unwrap_err();
    let short = [tlv(3, &[1; 31]), tlv(4, &hex(M2))].concat();
    let named = request().text(AttributeType::CALLED_STATION_ID, &format!("34-EF-B6-AF-48-9E:{SSID}"));
    assert_eq!(
        error(named.clone().vendor(vendor::RUCKUS, vendor::RUCKUS_DPSK_PARAMS, &short)),
        FindKeyError::Incomplete
    );
    let nameless = extended(extended(request(), 1, &hex(ANONCE), 246), 2, &hex(M2), 246);
    assert_eq!(error(nameless), FindKeyError::Incomplete, "nobody says which network");
    let mut sae = hex(M2);
    sae[118] = 8;
    let sae = extended(extended(named, 1, &hex(ANONCE), 246), 2, &sae, 246);
    assert_eq!(error(sae), FindKeyError::Message(KeyMessageError::Sae));
    let aruba = request().vendor(vendor::ARUBA, vendor::ARUBA_MPSK_LOOKUP_INFO, &[1, 2, 3]);
    assert_eq!(error(aruba), FindKeyError::ArubaLookup);
}
