//! Any Access-Request without EAP: which device it is about, and whose passphrase it asks for.

use proto::radius::Packet;
use proto::radius::find_key::FindKey;
use proto::radius::mac_auth::MacAuth;
use proto::wpa::SSID_MAX_BYTES;
use values::{MacAddress, Secret};

const SECRET: &[u8] = b"testing123";

pub fn run(data: &[u8]) {
    let Ok(packet) = Packet::decode(data) else { return };
    for has_handshake in [false, true] {
        if let Ok(asked) = MacAuth::of(&packet, SECRET, has_handshake) {
            assert!(asked.ssid.is_none_or(|ssid| (1..=SSID_MAX_BYTES).contains(&ssid.len())));
        }
    }
    if let Some(Ok(asked)) = FindKey::of(&packet) {
        assert!((1..=SSID_MAX_BYTES).contains(&asked.ssid.len()));
        let _ = asked.handshake(MacAddress([4; 6])).fits(&Secret::new([9; 32]));
    }
}
