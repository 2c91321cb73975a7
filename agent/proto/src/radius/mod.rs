//! RADIUS over UDP: bytes to packets and back, and the MD5 arithmetic that makes them genuine.
//!
//! Owns RFC 2865 (packet, response authenticator, hidden passwords), 2866 (accounting), 2868 (tunnels), 2869 and 3579
//! (Message-Authenticator, EAP-Message), 2548 (session keys), 5176 (Disconnect, CoA) and 5997 (Status-Server). It refuses
//! to know who may do what, which packet was seen before, and what is inside an EAP packet.
//!
//! What comes in is [`Packet`], borrowed and already bounded; [`access`] and [`accounting`] give it a type by meaning. What
//! goes out is written by [`Writer`], which puts Message-Authenticator first: CVE-2024-3596 ("BlastRADIUS") lets an attacker
//! between us and the access point forge any Access-* reply without it.

pub mod access;
pub mod accounting;
pub mod attribute;
mod authentic;
pub mod dictionary;
pub mod find_key;
mod hidden;
pub mod mac_auth;
mod nas;
mod packet;
pub mod radsec;
#[cfg(test)]
mod tests;
pub mod vendor;
mod writer;

pub use attribute::AttributeType;
pub use authentic::{Inauthentic, ReplyRule};
pub use hidden::{KeyKind, hide_password, open_salted, reveal_password};
pub use nas::Nas;
pub use packet::{Attribute, Attributes, DecodeError, Packet};
pub use writer::{EncodeError, SessionKeyPair, Tunnel, Writer};

/// Code, Identifier, Length and Authenticator (RFC 2865, 3).
pub const HEADER_BYTES: usize = 20;
/// The longest packet of RFC 2865, 3.
pub const PACKET_MAX_BYTES: usize = 4096;
/// Octets that one attribute can carry: its length octet counts itself and the type (RFC 2865, 5).
pub const ATTRIBUTE_MAX_BYTES: usize = 253;
/// Attributes in one packet. 4,076 octets could hold 2,038 empty ones; access points send some 30 and FreeRADIUS stops at
/// 200, so this refuses nothing but packets made to cost time.
pub const ATTRIBUTES_MAX: usize = 255;
/// The Vendor-Id of Microsoft, for the keys of RFC 2548.
pub const VENDOR_MICROSOFT: u32 = 311;

/// A Request or Response Authenticator.
pub type Authenticator = [u8; 16];

/// The packet codes that this box reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    AccessRequest,
    AccessAccept,
    AccessReject,
    AccountingRequest,
    AccountingResponse,
    AccessChallenge,
    StatusServer,
    DisconnectRequest,
    DisconnectAck,
    DisconnectNak,
    CoaRequest,
    CoaAck,
    CoaNak,
}

impl Code {
    pub const ALL: [Self; 13] = [
        Self::AccessRequest,
        Self::AccessAccept,
        Self::AccessReject,
        Self::AccountingRequest,
        Self::AccountingResponse,
        Self::AccessChallenge,
        Self::StatusServer,
        Self::DisconnectRequest,
        Self::DisconnectAck,
        Self::DisconnectNak,
        Self::CoaRequest,
        Self::CoaAck,
        Self::CoaNak,
    ];

    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::AccessRequest => 1,
            Self::AccessAccept => 2,
            Self::AccessReject => 3,
            Self::AccountingRequest => 4,
            Self::AccountingResponse => 5,
            Self::AccessChallenge => 11,
            Self::StatusServer => 12,
            Self::DisconnectRequest => 40,
            Self::DisconnectAck => 41,
            Self::DisconnectNak => 42,
            Self::CoaRequest => 43,
            Self::CoaAck => 44,
            Self::CoaNak => 45,
        }
    }

    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }
}
