//! Which NAS a request is of. Several may stand behind one address or certificate (a proxy, a controller), and what they count or
//! restart is their own: Acct-Session-Id is unique within one NAS only, and Accounting-On is about one (RFC 2866, 4.1, 5.5 and 5.1;
//! RFC 2865, 5.4 and 5.32; RFC 3162, 2.1).

use super::access::CalledStation;
use super::{AttributeType, Packet};
use std::fmt;
use std::net::IpAddr;
use values::MacAddress;

/// The NAS by the first of its names that tells it apart. A name is what the NAS was given, an address may change with a lease, and
/// who says neither, against the RFC, says at least which radio the device is at. Displays as text that is empty for none, and
/// stands in rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nas<'a> {
    /// NAS-Identifier.
    Identifier(&'a str),
    /// NAS-IP-Address or NAS-IPv6-Address.
    Address(IpAddr),
    /// The radio of Called-Station-Id.
    Radio(MacAddress),
    #[default]
    Unnamed,
}

impl<'a> Nas<'a> {
    #[must_use]
    pub fn of(packet: &Packet<'a>) -> Self {
        let identifier = packet.text(AttributeType::NAS_IDENTIFIER).filter(|name| !name.is_empty());
        if let Some(identifier) = identifier {
            return Self::Identifier(identifier);
        }
        if let Some(address) = address(packet) {
            return Self::Address(address);
        }
        let radio = packet.text(AttributeType::CALLED_STATION_ID).and_then(|called| CalledStation::of(called).radio);
        radio.map_or(Self::Unnamed, Self::Radio)
    }

    /// Whether this is its text.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        match self {
            Self::Identifier(identifier) => *identifier == text,
            Self::Address(address) => text.parse() == Ok(*address),
            Self::Radio(radio) => text.parse() == Ok(*radio),
            Self::Unnamed => text.is_empty(),
        }
    }
}

impl fmt::Display for Nas<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identifier(identifier) => f.write_str(identifier),
            Self::Address(address) => address.fmt(f),
            Self::Radio(radio) => radio.fmt(f),
            Self::Unnamed => Ok(()),
        }
    }
}

/// Not one that many have: what access points send that were not told theirs.
fn address(packet: &Packet<'_>) -> Option<IpAddr> {
    let v4 = packet.first(AttributeType::NAS_IP_ADDRESS).and_then(|value| <[u8; 4]>::try_from(value).ok());
    let v6 = packet.first(AttributeType::NAS_IPV6_ADDRESS).and_then(|value| <[u8; 16]>::try_from(value).ok());
    let found = v4.map(IpAddr::from).into_iter().chain(v6.map(IpAddr::from));
    found.into_iter().find(|address| !address.is_unspecified() && !address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::{Code, Writer};
    use super::*;

    fn text_of(write: impl FnOnce(Writer) -> Writer) -> String {
        let bytes = write(Writer::request(Code::AccountingRequest, 1, [0; 16])).finish(b"secret").expect("it fits");
        let packet = Packet::decode(&bytes).expect("a packet");
        let nas = Nas::of(&packet);
        let text = nas.to_string();
        assert!(nas.is(&text) && !nas.is("another"));
        text
    }

    #[test]
    fn a_nas_is_known_by_its_name_else_its_address_else_its_radio() {
        let called = |writer: Writer| writer.text(AttributeType::CALLED_STATION_ID, "0A-00-00-00-00-02:Harbour");
        let v4 = |writer: Writer, ip: [u8; 4]| writer.attribute(AttributeType::NAS_IP_ADDRESS, &ip);
        let v6 = |writer: Writer| {
            writer.attribute(AttributeType::NAS_IPV6_ADDRESS, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7])
        };
        assert_eq!(text_of(|w| v4(called(w), [10, 0, 0, 7]).text(AttributeType::NAS_IDENTIFIER, "attic")), "attic");
        assert_eq!(text_of(|w| v4(called(w), [10, 0, 0, 7])), "10.0.0.7");
        assert_eq!(text_of(|w| v6(v4(called(w), [0, 0, 0, 0]))), "2001:db8::7");
        assert_eq!(text_of(|w| v4(called(w), [127, 0, 0, 1])), "0a:00:00:00:00:02");
        assert_eq!(text_of(|w| w.text(AttributeType::CALLED_STATION_ID, "Harbour")), "");
        assert_eq!(text_of(|w| w), "");
    }
}
