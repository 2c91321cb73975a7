//! Dictionaries of vendors' attributes: any text is read or refused in one of its lines, and what a profile that was read makes of
//! somebody's terms is a packet that can be read back.

use proto::radius::dictionary::{Dictionaries, VendorTerms};
use proto::radius::{Code, Packet, Writer};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let dictionaries = match Dictionaries::parse(text) {
        Ok(dictionaries) => dictionaries,
        Err(error) => {
            assert!((1..=text.lines().count().max(1)).contains(&error.line) && !error.what.is_empty(), "{error:?}");
            return;
        }
    };
    assert_eq!(Dictionaries::parse(text).as_ref(), Ok(&dictionaries), "a text means one thing");
    let terms =
        VendorTerms { up_kbit: Some(u32::MAX), down_kbit: Some(1), vlan: Some(4_094), vlan_name: Some("office") };
    for name in dictionaries.names() {
        let profile = dictionaries.profile(name).expect("it was listed");
        let writer = profile.write(Writer::reply_to(Code::AccessAccept, 1, [0; 16], Vec::new()), &terms);
        let datagram = writer.finish(b"testing123").expect("so few attributes fit");
        assert!(Packet::decode(&datagram).is_ok());
    }
}
