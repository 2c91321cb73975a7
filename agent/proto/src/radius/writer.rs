//! Packets that are sent. Message-Authenticator stands first in everything that has one.

use super::authentic::{message_authenticator, packet_sum};
use super::hidden::salted;
use super::{
    ATTRIBUTE_MAX_BYTES, AttributeType, Authenticator, Code, HEADER_BYTES, KeyKind, PACKET_MAX_BYTES, Packet,
    VENDOR_MICROSOFT, attribute,
};
use std::fmt;

/// Why a packet cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// More than 253 octets for one attribute.
    AttributeTooLong { kind: AttributeType, length: usize },
    /// More than 4,096 octets in all.
    PacketTooLong,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AttributeTooLong { kind, length } => write!(f, "attribute {} cannot carry {length} octets", kind.0),
            Self::PacketTooLong => write!(f, "the packet would be longer than {PACKET_MAX_BYTES} octets"),
        }
    }
}

impl std::error::Error for EncodeError {}

/// The VLAN that a device is put on (RFC 3580, 3.31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    pub vlan: u16,
}

/// The two halves of an EAP method's MSK, as the access point names them.
#[derive(Clone, Copy, Debug)]
pub struct SessionKeyPair<'a> {
    /// MSK[0..32].
    pub recv: &'a [u8; 32],
    /// MSK[32..64].
    pub send: &'a [u8; 32],
    /// Two random octets; the two salts are made from them and differ.
    pub salt: [u8; 2],
}

/// A packet in the making. A mistake is kept and told at the end.
#[derive(Clone, Debug)]
pub struct Writer {
    code: Code,
    bytes: Vec<u8>,
    /// The request's authenticator: for a reply what its sums are made with, for a request its own.
    authenticator: Authenticator,
    /// Where the sixteen octets of the Message-Authenticator are, if there is one.
    message_authenticator_at: Option<usize>,
    error: Option<EncodeError>,
    /// The request's Proxy-State attributes, which end the reply unchanged and in order (RFC 2865, 5.33).
    proxy_states: Vec<Vec<u8>>,
}

impl Writer {
    fn new(code: Code, identifier: u8, authenticator: Authenticator) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend([code.number(), identifier, 0, 0]);
        bytes.extend(authenticator);
        Self { code, bytes, authenticator, message_authenticator_at: None, error: None, proxy_states: Vec::new() }
    }

    /// A reply to a request. Access-* replies begin with Message-Authenticator.
    #[must_use]
    pub fn reply(code: Code, request: &Packet<'_>) -> Self {
        Self::reply_to(
            code,
            request.identifier(),
            *request.authenticator(),
            request.all(AttributeType::PROXY_STATE).map(<[u8]>::to_vec).collect(),
        )
    }

    /// A reply when only these parts of the request were kept.
    #[must_use]
    pub fn reply_to(
        code: Code,
        identifier: u8,
        request_authenticator: Authenticator,
        proxy_states: Vec<Vec<u8>>,
    ) -> Self {
        let mut writer = Self::new(code, identifier, request_authenticator);
        writer.proxy_states = proxy_states;
        match code {
            Code::AccessAccept | Code::AccessReject | Code::AccessChallenge => writer.with_message_authenticator(),
            Code::AccessRequest
            | Code::AccountingRequest
            | Code::AccountingResponse
            | Code::StatusServer
            | Code::DisconnectRequest
            | Code::DisconnectAck
            | Code::DisconnectNak
            | Code::CoaRequest
            | Code::CoaAck
            | Code::CoaNak => writer,
        }
    }

    /// An Access-Request or Status-Server (random authenticator), or an Accounting-, Disconnect- or CoA-Request (its
    /// authenticator is a sum and made at the end). All but accounting begin with Message-Authenticator.
    #[must_use]
    pub fn request(code: Code, identifier: u8, random: Authenticator) -> Self {
        let authenticator = if code.is_signed_request() { [0; 16] } else { random };
        let writer = Self::new(code, identifier, authenticator);
        if code == Code::AccountingRequest { writer } else { writer.with_message_authenticator() }
    }

    /// Begins with an empty Message-Authenticator, which is filled in at the end.
    #[must_use]
    pub fn with_message_authenticator(mut self) -> Self {
        if self.message_authenticator_at.is_none() {
            self.message_authenticator_at = Some(self.bytes.len() + 2);
            self.put(AttributeType::MESSAGE_AUTHENTICATOR, &[0; 16]);
        }
        self
    }

    fn put(&mut self, kind: AttributeType, value: &[u8]) {
        if self.error.is_some() {
            return;
        }
        match u8::try_from(value.len() + 2).ok().filter(|_| value.len() <= ATTRIBUTE_MAX_BYTES) {
            Some(length) => {
                self.bytes.extend([kind.0, length]);
                self.bytes.extend(value);
            }
            None => self.error = Some(EncodeError::AttributeTooLong { kind, length: value.len() }),
        }
        if self.bytes.len() > PACKET_MAX_BYTES {
            self.error = Some(EncodeError::PacketTooLong);
        }
    }

    #[must_use]
    pub fn attribute(mut self, kind: AttributeType, value: &[u8]) -> Self {
        self.put(kind, value);
        self
    }

    #[must_use]
    pub fn integer(self, kind: AttributeType, value: u32) -> Self {
        self.attribute(kind, &value.to_be_bytes())
    }

    #[must_use]
    pub fn text(self, kind: AttributeType, value: &str) -> Self {
        self.attribute(kind, value.as_bytes())
    }

    /// An EAP packet, in as many attributes as it takes (RFC 3579, 3.1).
    #[must_use]
    pub fn eap_message(mut self, packet: &[u8]) -> Self {
        packet.chunks(ATTRIBUTE_MAX_BYTES).for_each(|part| self.put(AttributeType::EAP_MESSAGE, part));
        self
    }

    /// The same by the VLAN's name, for access points that know it by that. A name begins with a letter, so no tag is seen in it.
    #[must_use]
    pub fn tunnel_to(self, vlan_name: &str) -> Self {
        self.attribute(AttributeType::TUNNEL_TYPE, &[0, 0, 0, attribute::TUNNEL_TYPE_VLAN])
            .attribute(AttributeType::TUNNEL_MEDIUM_TYPE, &[0, 0, 0, attribute::TUNNEL_MEDIUM_IEEE_802])
            .text(AttributeType::TUNNEL_PRIVATE_GROUP_ID, vlan_name)
    }

    /// The three attributes that name a VLAN. Tag 0 everywhere: in Tunnel-Private-Group-Id it is written as no tag, which
    /// RFC 2868, 3.6 allows since a digit is above 0x1F.
    #[must_use]
    pub fn tunnel(self, tunnel: Tunnel) -> Self {
        self.attribute(AttributeType::TUNNEL_TYPE, &[0, 0, 0, attribute::TUNNEL_TYPE_VLAN])
            .attribute(AttributeType::TUNNEL_MEDIUM_TYPE, &[0, 0, 0, attribute::TUNNEL_MEDIUM_IEEE_802])
            .text(AttributeType::TUNNEL_PRIVATE_GROUP_ID, &tunnel.vlan.to_string())
    }

    /// MS-MPPE-Send-Key and MS-MPPE-Recv-Key.
    #[must_use]
    pub fn session_keys(self, keys: SessionKeyPair<'_>, secret: &[u8]) -> Self {
        let [high, low] = keys.salt;
        let authenticator = self.authenticator;
        let send = salted(keys.send, [high, low & 0xFE], &authenticator, secret);
        let recv = salted(keys.recv, [high, low | 1], &authenticator, secret);
        self.vendor(VENDOR_MICROSOFT, KeyKind::Send.vendor_type(), &send).vendor(
            VENDOR_MICROSOFT,
            KeyKind::Recv.vendor_type(),
            &recv,
        )
    }

    /// Tunnel-Password with tag 0 (RFC 2868, 3.5). The salt must be no other's of this packet.
    #[must_use]
    pub fn tunnel_password(self, password: &str, salt: [u8; 2], secret: &[u8]) -> Self {
        let mut value = vec![0];
        value.extend(salted(password.as_bytes(), salt, &self.authenticator, secret));
        self.attribute(AttributeType::TUNNEL_PASSWORD, &value)
    }

    /// A vendor's attribute that is hidden like Tunnel-Password but has no tag: MS-MPPE-Recv-Key, Aruba-MPSK-Passphrase.
    #[must_use]
    pub fn vendor_salted(self, vendor: u32, vendor_type: u8, content: &[u8], salt: [u8; 2], secret: &[u8]) -> Self {
        let value = salted(content, salt, &self.authenticator, secret);
        self.vendor(vendor, vendor_type, &value)
    }

    /// A vendor's attribute in the recommended format of RFC 2865, 5.26.
    #[must_use]
    pub fn vendor(mut self, vendor: u32, vendor_type: u8, content: &[u8]) -> Self {
        let mut value = vendor.to_be_bytes().to_vec();
        match u8::try_from(content.len() + 2) {
            Ok(length) => {
                value.extend([vendor_type, length]);
                value.extend(content);
                self.put(AttributeType::VENDOR_SPECIFIC, &value);
            }
            Err(_) => {
                let length = content.len();
                self.error
                    .get_or_insert(EncodeError::AttributeTooLong { kind: AttributeType::VENDOR_SPECIFIC, length });
            }
        }
        self
    }

    /// Fills in the sums and returns the datagram.
    ///
    /// # Errors
    /// An attribute or the packet is too long.
    pub fn finish(mut self, secret: &[u8]) -> Result<Vec<u8>, EncodeError> {
        for state in std::mem::take(&mut self.proxy_states) {
            self.put(AttributeType::PROXY_STATE, &state);
        }
        if let Some(error) = self.error {
            return Err(error);
        }
        let length = u16::try_from(self.bytes.len()).map_err(|_| EncodeError::PacketTooLong)?;
        self.bytes[2..4].copy_from_slice(&length.to_be_bytes());
        if let Some(at) = self.message_authenticator_at {
            let sum = message_authenticator(&self.bytes, &self.authenticator, at, secret);
            self.bytes[at..at + 16].copy_from_slice(&sum);
        }
        let authenticator = match self.code {
            Code::AccessRequest | Code::StatusServer => self.authenticator,
            Code::AccountingRequest | Code::DisconnectRequest | Code::CoaRequest => {
                packet_sum(&self.bytes, &[0; 16], secret)
            }
            Code::AccessAccept
            | Code::AccessReject
            | Code::AccessChallenge
            | Code::AccountingResponse
            | Code::DisconnectAck
            | Code::DisconnectNak
            | Code::CoaAck
            | Code::CoaNak => packet_sum(&self.bytes, &self.authenticator, secret),
        };
        self.bytes[4..HEADER_BYTES].copy_from_slice(&authenticator);
        debug_assert!(self.bytes.len() <= PACKET_MAX_BYTES);
        Ok(self.bytes)
    }
}
