//! Any octets as message 2 of a 4-way handshake: reading and checking it never panics, padding changes nothing, and nobody's key
//! fits a MIC that was bent.

use proto::wpa::{Handshake, KeyMessage};
use values::{MacAddress, Secret};

pub fn run(data: &[u8]) {
    let Ok(message) = KeyMessage::decode(data) else { return };
    assert_eq!(KeyMessage::decode(&[data, &[0; 9]].concat()), Ok(message.clone()));
    let handshake = |message| Handshake::new(MacAddress([2; 6]), MacAddress([4; 6]), &[7; 32], message);
    let pmk = Secret::new([9; 32]);
    if handshake(message).fits(&pmk) {
        // The fuzzer has forged a MIC of 128 bits, or the frame is not under it.
        panic!("a key fits a frame that was not made with it");
    }
}
