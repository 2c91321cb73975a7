use super::*;
use crate::radius::{Code, Writer, hide_password};

const SECRET: &[u8] = b"testing123";
const AUTHENTICATOR: Authenticator = [7; 16];
const MAC: MacAddress = MacAddress([2, 0xab, 0, 0, 0, 0x0f]);

fn request(name: &str) -> Writer {
    Writer::request(Code::AccessRequest, 1, AUTHENTICATOR).text(AttributeType::USER_NAME, name)
}

fn pap(name: &str, password: &str) -> Writer {
    request(name)
        .attribute(AttributeType::USER_PASSWORD, &hide_password(password.as_bytes(), &AUTHENTICATOR, SECRET))
        .text(AttributeType::CALLING_STATION_ID, "02-AB-00-00-00-0F")
}

fn chap(name: &str, password: &str, challenge: Option<&[u8]>) -> Writer {
    let sum = Md5::new()
        .chain_update([9])
        .chain_update(password)
        .chain_update(challenge.unwrap_or(&AUTHENTICATOR))
        .finalize();
    let mut request = request(name).attribute(AttributeType::CHAP_PASSWORD, &[&[9], sum.as_slice()].concat());
    if let Some(challenge) = challenge {
        request = request.attribute(AttributeType::CHAP_CHALLENGE, challenge);
    }
    request
}

fn read(request: Writer) -> Result<MacAuth, NotMacAuth> {
    let bytes = request.finish(SECRET).unwrap();
    MacAuth::of(&Packet::decode(&bytes).unwrap(), SECRET, false)
}

#[test]
fn the_ways_of_access_points_to_ask_by_address() {
    let call_check = request("02ab0000000f").integer(AttributeType::SERVICE_TYPE, 10);
    for (way, request) in [
        ("hostapd", pap("02ab0000000f", "02ab0000000f")),
        ("UniFi with colons", pap("02:AB:00:00:00:0F", "02:AB:00:00:00:0F")),
        ("another spelling", pap("02-ab-00-00-00-0f", "02AB0000000F")),
        ("the shared secret", pap("02ab.0000.000f", "testing123")),
        ("MikroTik", pap("02:AB:00:00:00:0F", "")),
        ("CHAP by the authenticator", chap("02ab0000000f", "02ab0000000f", None)),
        ("CHAP with a challenge", chap("02ab0000000f", "02-AB-00-00-00-0F", Some(&[3; 16]))),
        ("CHAP of the secret", chap("02ab0000000f", "testing123", Some(&[3; 16]))),
        ("Call-Check", call_check),
        ("Aruba, older", pap("02ab0000000f", "02ab0000000f").integer(AttributeType::SERVICE_TYPE, 1)),
    ] {
        assert_eq!(read(request), Ok(MacAuth { mac: MAC, ssid: None, is_sae: false }), "{way}");
    }
}

#[test]
fn a_login_by_name_is_no_mac_authentication() {
    for (what, request, error) in [
        ("PAP", pap("mara", "secret"), NotMacAuth::OtherLogin),
        ("no name", Writer::request(Code::AccessRequest, 1, AUTHENTICATOR), NotMacAuth::OtherLogin),
        ("MS-CHAP, or nothing", request("02ab0000000f"), NotMacAuth::OtherLogin),
        ("another password", pap("02ab0000000f", "secret"), NotMacAuth::OtherPassword),
        ("another device's password", pap("02ab0000000f", "02ab00000010"), NotMacAuth::OtherPassword),
        ("another CHAP", chap("02ab0000000f", "secret", Some(&[3; 16])), NotMacAuth::OtherPassword),
        ("another device", pap("02ab00000010", "02ab00000010"), NotMacAuth::OtherDevice),
    ] {
        assert_eq!(read(request), Err(error), "{what}");
    }
    let short = request("02ab0000000f").attribute(AttributeType::CHAP_PASSWORD, &[9; 5]);
    assert_eq!(read(short), Err(NotMacAuth::OtherPassword));
}

#[test]
fn an_address_opens_no_console() {
    let name = "02ab0000000f";
    let hidden = hide_password(name.as_bytes(), &AUTHENTICATOR, SECRET);
    let ssh = || request(name).attribute(AttributeType::USER_PASSWORD, &hidden);
    assert!(read(ssh()).is_ok(), "a device whose access point says nothing more");
    for service in [1, 6, 7, 9, 11] {
        let asked = ssh().integer(AttributeType::SERVICE_TYPE, service);
        assert_eq!(read(asked), Err(NotMacAuth::OtherLogin), "Service-Type {service}");
    }
    for service in [6, 7, 9, 11] {
        let asked = pap(name, name).integer(AttributeType::SERVICE_TYPE, service);
        assert_eq!(read(asked), Err(NotMacAuth::OtherLogin), "Service-Type {service} by a terminal with an address");
    }
    let terminal = pap(name, name).integer(AttributeType::NAS_PORT_TYPE, 5);
    assert_eq!(read(terminal), Err(NotMacAuth::OtherLogin));
}

#[test]
fn the_network_is_named_where_the_vendor_names_it() {
    let ask = || pap("02ab0000000f", "02ab0000000f");
    let named = Some("Harbour-Things".to_owned());
    let cisco = |pair: &[u8]| ask().vendor(vendor::CISCO, vendor::CISCO_AV_PAIR, pair);
    for request in [
        ask().text(AttributeType::CALLED_STATION_ID, "02-00-00-00-00-FF:Harbour-Things"),
        ask().vendor(vendor::ARUBA, vendor::ARUBA_ESSID_NAME, b"Harbour-Things"),
        ask().vendor(vendor::RUCKUS, vendor::RUCKUS_SSID, b"Harbour-Things"),
        cisco(b"ssid=Harbour-Things"),
        cisco(b"cisco-wlan-ssid=Harbour-Things"),
    ] {
        assert_eq!(read(request).map(|asked| asked.ssid), Ok(named.clone()));
    }
    let endless = ask().vendor(vendor::ARUBA, vendor::ARUBA_ESSID_NAME, &[b'x'; 33]);
    assert_eq!(read(endless).map(|asked| asked.ssid), Ok(None));
}

#[test]
fn wpa3_is_told_by_its_suite() {
    for (suite, is_sae) in [(0x000F_AC02, false), (0x000F_AC06, false), (0x000F_AC08, true), (0x000F_AC18, true)] {
        let request = pap("02ab0000000f", "02ab0000000f").integer(AttributeType::WLAN_AKM_SUITE, suite);
        assert_eq!(read(request).map(|asked| asked.is_sae), Ok(is_sae));
    }
}

#[test]
fn a_tunnel_password_is_a_tag_a_salt_and_whole_blocks() {
    for password in ["12345678", "k7m2p-9qxrt-abcde-23456", &"f".repeat(64)] {
        let request =
            Packet::decode(&request("x").finish(SECRET).unwrap()).map(|packet| *packet.authenticator()).unwrap();
        let accept =
            Writer::reply_to(Code::AccessAccept, 1, request, Vec::new()).tunnel_password(password, [1, 2], SECRET);
        let bytes = accept.finish(SECRET).unwrap();
        let value = Packet::decode(&bytes).unwrap().first(AttributeType::TUNNEL_PASSWORD).unwrap();
        // What hostapd takes: a tag, a salt whose first bit is set, and sixteens.
        assert!(value[0] == 0 && value[1] & 0x80 != 0 && value.len() % 16 == 3);
        let opened = crate::radius::open_salted(&value[1..], &request, SECRET).unwrap();
        assert_eq!(opened.expose(), password.as_bytes());
    }
}
