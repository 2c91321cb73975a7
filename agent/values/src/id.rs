//! Ids. People, credentials, jobs and sessions carry 128 random bits behind a prefix that says what they are
//! (`mem_…`); infrastructure that stands in the site file is known by the name it has there.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Crockford's base 32 in lower case: no i, l, o or u, so an id survives being read out over the phone.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 128 bits at 5 bits a letter.
const LETTERS: usize = 26;

/// Why a text is not an id or a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidId {
    pub expected: &'static str,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl std::error::Error for InvalidId {}

fn write_base32(bits: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write;
    for i in (0..LETTERS).rev() {
        f.write_char(char::from(ALPHABET[((bits >> (5 * i)) & 31) as usize]))?;
    }
    Ok(())
}

fn parse_base32(text: &str) -> Option<u128> {
    if text.len() != LETTERS {
        return None;
    }
    let mut bits: u128 = 0;
    for (i, byte) in text.bytes().enumerate() {
        let digit = ALPHABET.iter().position(|&letter| letter == byte)? as u128;
        if i == 0 && digit > 7 {
            return None; // 26 letters hold 130 bits; the first two must be zero
        }
        bits = (bits << 5) | digit;
    }
    Some(bits)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// An id from 128 random bits.
            #[must_use]
            pub const fn from_random(bytes: [u8; 16]) -> Self {
                Self(u128::from_be_bytes(bytes))
            }

            #[must_use]
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }

            #[must_use]
            pub fn generate(entropy: &mut dyn $crate::Entropy) -> Self {
                Self::from_random(entropy.bytes())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                write_base32(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(parse_base32)
                    .map(Self)
                    .ok_or(InvalidId { expected: concat!("an id of the form ", $prefix, "_ and 26 letters or digits") })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A person with a plan.
    MemberId = "mem";
    /// A group of members that share a network and a purse.
    TeamId = "team";
    /// A plan for a short time.
    PassId = "pass";
    /// A Wi-Fi key, certificate, badge, PIN, password, token or guest code.
    CredentialId = "cred";
    /// One print submission.
    JobId = "job";
    /// One Wi-Fi session, as this box knows it (not the access point's Acct-Session-Id).
    SessionId = "sess";
    /// One attempt to open a door.
    IntentId = "open";
    /// A booking of a room or desk.
    BookingId = "book";
    /// One row of history.
    EventId = "evt";
}

/// Longest name of a piece of infrastructure: it must fit one MQTT topic level, one file name and one table column.
pub const NAME_MAX_BYTES: usize = 63;

fn is_name(text: &str) -> bool {
    (1..=NAME_MAX_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if is_name(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId { expected: "a name of 1 to 63 lower-case letters, digits and inner hyphens" })
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

names! {
    NetworkName;
    AccessPointName;
    PrinterName;
    DoorName;
    /// An MQTT device: its client id, its user name and its topic prefix.
    DeviceName;
    PlanName;
    ScheduleName;
    ResourceName;
    /// A partner space whose members may visit.
    PartnerName;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_as_it_was_written() {
        for bits in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            let id = MemberId(bits);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn an_id_of_another_kind_or_length_is_refused() {
        for text in [
            "",
            "mem_",
            "team_00000000000000000000000000",
            "mem_80000000000000000000000000",
            "mem_0000000000000000000000000u",
        ] {
            assert!(text.parse::<MemberId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_cannot_carry_a_topic_separator_or_wildcard() {
        for text in ["", "a/b", "a+", "#", "Street", "-a", "a-", "a b", &"x".repeat(64)] {
            assert!(text.parse::<DoorName>().is_err(), "{text}");
        }
        assert_eq!("relay-street".parse::<DeviceName>().map(|n| n.to_string()), Ok("relay-street".to_owned()));
    }
}
