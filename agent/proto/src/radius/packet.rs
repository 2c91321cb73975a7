//! A packet that was received: checked once, then read without a check or a copy.

use super::{ATTRIBUTES_MAX, AttributeType, Authenticator, Code, HEADER_BYTES, PACKET_MAX_BYTES};
use std::fmt;

/// Why a datagram is not a RADIUS packet. RFC 2865, 3: it is discarded in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Fewer than the 20 octets of the header.
    TooShort,
    /// The Length field is below 20, above 4,096 or beyond the end of the datagram.
    Length {
        said: u16,
        received: usize,
    },
    UnknownCode(u8),
    /// An attribute's length is below 2 or reaches beyond the packet.
    Attribute {
        offset: usize,
    },
    TooManyAttributes,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => write!(f, "shorter than a RADIUS header"),
            Self::Length { said, received } => write!(f, "the length field says {said}, {received} octets came"),
            Self::UnknownCode(code) => write!(f, "unknown code {code}"),
            Self::Attribute { offset } => write!(f, "the attribute at octet {offset} has a wrong length"),
            Self::TooManyAttributes => write!(f, "more than {ATTRIBUTES_MAX} attributes"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// One attribute of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    pub kind: AttributeType,
    pub value: &'a [u8],
    /// Where the value begins in the packet.
    pub(super) value_at: usize,
}

/// A well-formed packet. Whether it is genuine is the next question: see the `verify_*` functions.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    code: Code,
    identifier: u8,
    authenticator: Authenticator,
    /// Exactly as many octets as the Length field says.
    bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram. Octets beyond the Length field are padding and ignored (RFC 2865, 3).
    ///
    /// # Errors
    /// What is wrong with it; nobody is answered.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let [number, identifier, high, low, rest @ ..] = datagram else { return Err(DecodeError::TooShort) };
        let authenticator = *rest.first_chunk::<16>().ok_or(DecodeError::TooShort)?;
        let said = u16::from_be_bytes([*high, *low]);
        let length = Some(usize::from(said)).filter(|length| (HEADER_BYTES..=PACKET_MAX_BYTES).contains(length));
        let bytes = length
            .and_then(|length| datagram.get(..length))
            .ok_or(DecodeError::Length { said, received: datagram.len() })?;
        let code = Code::from_number(*number).ok_or(DecodeError::UnknownCode(*number))?;
        check_attributes(bytes)?;
        Ok(Self { code, identifier: *identifier, authenticator, bytes })
    }

    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    #[must_use]
    pub const fn identifier(&self) -> u8 {
        self.identifier
    }

    #[must_use]
    pub const fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// The packet without padding.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// All attributes in the order of the packet.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, at: HEADER_BYTES }
    }

    /// All attributes of a type.
    pub fn all(&self, kind: AttributeType) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.attributes().filter(move |attribute| attribute.kind == kind).map(|attribute| attribute.value)
    }

    /// The first attribute of a type.
    #[must_use]
    pub fn first(&self, kind: AttributeType) -> Option<&'a [u8]> {
        self.all(kind).next()
    }

    /// The first attribute of a type as text; none when it is not UTF-8.
    #[must_use]
    pub fn text(&self, kind: AttributeType) -> Option<&'a str> {
        self.first(kind).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The first attribute of a type as a number; none when it has not four octets.
    #[must_use]
    pub fn integer(&self, kind: AttributeType) -> Option<u32> {
        self.first(kind).and_then(|value| value.try_into().ok()).map(u32::from_be_bytes)
    }

    /// The EAP packet that the EAP-Message attributes make up together (RFC 3579, 3.1).
    #[must_use]
    pub fn eap_message(&self) -> Option<Vec<u8>> {
        let mut parts = self.all(AttributeType::EAP_MESSAGE).peekable();
        parts.peek()?;
        Some(parts.collect::<Vec<_>>().concat())
    }

    /// The vendor's first attribute of one type within Extended-Vendor-Specific-5, put together where it was cut (RFC 6929, 2.2
    /// and 2.4): each part begins with the extended type and the flag "more".
    #[must_use]
    pub fn extended_vendor_5(&self, vendor: u32, vendor_type: u8) -> Option<Vec<u8>> {
        const VENDOR_SPECIFIC: u8 = 26;
        const MORE: u8 = 0x80;
        let mut whole = Vec::new();
        for part in self.all(AttributeType::EXTENDED_ATTRIBUTE_5) {
            let [VENDOR_SPECIFIC, flags, data @ ..] = part else { continue };
            whole.extend_from_slice(data);
            if flags & MORE != 0 {
                continue;
            }
            if let Some(value) =
                whole.strip_prefix(&vendor.to_be_bytes()).and_then(|rest| rest.strip_prefix(&[vendor_type]))
            {
                return Some(value.to_vec());
            }
            whole.clear();
        }
        None
    }

    /// The vendor's attributes of one Vendor-Type (RFC 2865, 5.26), in its recommended format; malformed ones are left out.
    pub fn vendor(&self, vendor: u32, vendor_type: u8) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.all(AttributeType::VENDOR_SPECIFIC).filter_map(move |value| {
            let (id, mut rest) = value.split_first_chunk::<4>()?;
            if u32::from_be_bytes(*id) != vendor {
                return None;
            }
            while let [kind, length, tail @ ..] = rest {
                let length = usize::from(*length).checked_sub(2)?;
                let (content, next) = tail.split_at_checked(length)?;
                if *kind == vendor_type {
                    return Some(content);
                }
                rest = next;
            }
            None
        })
    }
}

fn check_attributes(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut at = HEADER_BYTES;
    let mut count = 0;
    while at < bytes.len() {
        let length = bytes.get(at + 1).copied().map_or(0, usize::from);
        if length < 2 || at + length > bytes.len() {
            return Err(DecodeError::Attribute { offset: at });
        }
        count += 1;
        if count > ATTRIBUTES_MAX {
            return Err(DecodeError::TooManyAttributes);
        }
        at += length;
    }
    Ok(())
}

/// The attributes of a checked packet.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (&[kind, length], _) = self.bytes.get(self.at..)?.split_first_chunk::<2>()?;
        let value_at = self.at + 2;
        let value = self.bytes.get(value_at..self.at + usize::from(length))?;
        self.at += usize::from(length);
        Some(Attribute { kind: AttributeType(kind), value, value_at })
    }
}
