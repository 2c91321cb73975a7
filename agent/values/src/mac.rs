//! A device's hardware address. It follows a person around, so Debug does not print it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Six bytes of IEEE 802; Display writes `02:00:00:00:00:01`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal]")
    }
}

impl FromStr for MacAddress {
    type Err = crate::InvalidId;

    /// Reads what access points write: twelve hexadecimal digits with hyphens (RFC 3580, 3.21), colons, dots or nothing
    /// between them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = crate::InvalidId { expected: "a MAC address such as 02:00:00:00:00:01" };
        let mut mac = [0; 6];
        let mut digits = 0;
        for byte in text.bytes() {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'A'..=b'F' => byte - b'A' + 10,
                b'-' | b':' | b'.' => continue,
                _ => return Err(invalid),
            };
            match mac.get_mut(digits / 2) {
                Some(place) => *place = *place << 4 | digit,
                None => return Err(invalid),
            }
            digits += 1;
        }
        if digits == 12 { Ok(Self(mac)) } else { Err(invalid) }
    }
}

impl Serialize for MacAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_access_point_is_the_same_address() {
        let mac = MacAddress([0x02, 0xab, 0, 0, 0, 0x0f]);
        for text in ["02-AB-00-00-00-0F", "02:ab:00:00:00:0f", "02ab.0000.000f", "02AB0000000F"] {
            assert!(text.parse() == Ok(mac), "{text}");
        }
        assert_eq!(mac.to_string(), "02:ab:00:00:00:0f");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "02-AB-00-00-00", "02-AB-00-00-00-0F-11", "02-AB-00-00-00-0G", "harbour"] {
            assert!(text.parse::<MacAddress>().is_err(), "{text}");
        }
    }
}
