//! Whether a packet comes from somebody who knows the shared secret, and the sums that show it of ours.
//!
//! All comparisons take constant time. An Access-Request proves nothing by its Request Authenticator (it is random), so its
//! Message-Authenticator is required, exactly one of it: an access point that sends none is told so in an event.

use super::{AttributeType, Authenticator, Code, HEADER_BYTES, Packet};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use std::fmt;
use subtle::ConstantTimeEq;

/// Why a packet is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inauthentic {
    /// No Message-Authenticator where one is required.
    Missing,
    /// More than one Message-Authenticator, or one that has not sixteen octets.
    Malformed,
    /// The sum does not match: another secret, or a forgery.
    Wrong,
    /// No Message-Authenticator from an access point that is excused from it, but Proxy-State.
    ProxyState,
    /// A reply to another question.
    OtherIdentifier,
}

impl fmt::Display for Inauthentic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no Message-Authenticator",
            Self::Malformed => "a malformed or repeated Message-Authenticator",
            Self::Wrong => "a wrong authenticator",
            Self::ProxyState => "Proxy-State without a Message-Authenticator",
            Self::OtherIdentifier => "another identifier",
        })
    }
}

impl std::error::Error for Inauthentic {}

/// Whether a reply must carry a Message-Authenticator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyRule {
    /// Access-Accept, -Reject and -Challenge.
    MessageAuthenticatorRequired,
    /// Replies to accounting, Disconnect and CoA: checked if it is there, since the Response Authenticator is not exposed to
    /// the chosen-prefix attack there (the request holds nothing the attacker can choose).
    MessageAuthenticatorOptional,
}

/// A request's Authenticator while the sums of accounting, Disconnect and CoA are made (RFC 2866, 3; RFC 5176, 2.3).
const ZERO: Authenticator = [0; 16];

impl Packet<'_> {
    /// Believes an Access-Request or a Status-Server: exactly one Message-Authenticator, and right.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify_access_request(&self, secret: &[u8]) -> Result<(), Inauthentic> {
        self.verify_message_authenticator(secret, self.authenticator(), true)
    }

    /// Believes an Access-Request of an access point that is excused from sending Message-Authenticator; whether it sent one all the
    /// same. What RFC 3579, 3.1 and CVE-2024-3596 leave of the excuse: none with EAP-Message, and none with Proxy-State, in which
    /// an attacker hides what makes our answer collide with one of his own.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify_excused_access_request(&self, secret: &[u8]) -> Result<bool, Inauthentic> {
        let has = |kind| self.first(kind).is_some();
        if has(AttributeType::MESSAGE_AUTHENTICATOR) || has(AttributeType::EAP_MESSAGE) {
            return self.verify_access_request(secret).map(|()| true);
        }
        if has(AttributeType::PROXY_STATE) { Err(Inauthentic::ProxyState) } else { Ok(false) }
    }

    /// Believes an Accounting-Request, Disconnect-Request or CoA-Request by its Request Authenticator, and by its
    /// Message-Authenticator if it has one.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify_signed_request(&self, secret: &[u8]) -> Result<(), Inauthentic> {
        let expected = packet_sum(self.bytes(), &ZERO, secret);
        if !bool::from(expected.ct_eq(self.authenticator())) {
            return Err(Inauthentic::Wrong);
        }
        self.verify_message_authenticator(secret, &ZERO, false)
    }

    /// Believes a reply to the request with this identifier and Request Authenticator.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify_reply(
        &self,
        identifier: u8,
        request_authenticator: &Authenticator,
        secret: &[u8],
        rule: ReplyRule,
    ) -> Result<(), Inauthentic> {
        if self.identifier() != identifier {
            return Err(Inauthentic::OtherIdentifier);
        }
        let expected = packet_sum(self.bytes(), request_authenticator, secret);
        if !bool::from(expected.ct_eq(self.authenticator())) {
            return Err(Inauthentic::Wrong);
        }
        let required = rule == ReplyRule::MessageAuthenticatorRequired;
        self.verify_message_authenticator(secret, request_authenticator, required)
    }

    fn verify_message_authenticator(
        &self,
        secret: &[u8],
        authenticator: &Authenticator,
        required: bool,
    ) -> Result<(), Inauthentic> {
        let mut found = self.attributes().filter(|attribute| attribute.kind == AttributeType::MESSAGE_AUTHENTICATOR);
        let Some(given) = found.next() else {
            return if required { Err(Inauthentic::Missing) } else { Ok(()) };
        };
        if found.next().is_some() || given.value.len() != 16 {
            return Err(Inauthentic::Malformed);
        }
        let expected = message_authenticator(self.bytes(), authenticator, given.value_at, secret);
        if bool::from(expected.ct_eq(given.value)) { Ok(()) } else { Err(Inauthentic::Wrong) }
    }
}

/// MD5 over Code, Identifier, Length, `authenticator`, attributes and secret: a Response Authenticator with the request's
/// (RFC 2865, 3), a Request Authenticator with zeros.
pub(super) fn packet_sum(bytes: &[u8], authenticator: &Authenticator, secret: &[u8]) -> Authenticator {
    let (header, attributes) = bytes.split_at(HEADER_BYTES);
    let mut md5 = Md5::new();
    md5.update(&header[..4]);
    md5.update(authenticator);
    md5.update(attributes);
    md5.update(secret);
    md5.finalize().into()
}

/// HMAC-MD5 over the packet with `authenticator` in its place and the sixteen octets at `value_at` zero (RFC 3579, 3.2).
pub(super) fn message_authenticator(
    bytes: &[u8],
    authenticator: &Authenticator,
    value_at: usize,
    secret: &[u8],
) -> [u8; 16] {
    let mut hmac = Hmac::<Md5>::new_from_slice(secret).expect("HMAC takes a key of any length");
    hmac.update(&bytes[..4]);
    hmac.update(authenticator);
    hmac.update(&bytes[HEADER_BYTES..value_at]);
    hmac.update(&ZERO);
    hmac.update(&bytes[value_at + 16..]);
    hmac.finalize().into_bytes().into()
}

impl Code {
    /// Whether a packet's own Authenticator field is its sum with zeros in that field.
    pub(super) const fn is_signed_request(self) -> bool {
        match self {
            Self::AccountingRequest | Self::DisconnectRequest | Self::CoaRequest => true,
            Self::AccessRequest
            | Self::AccessAccept
            | Self::AccessReject
            | Self::AccountingResponse
            | Self::AccessChallenge
            | Self::StatusServer
            | Self::DisconnectAck
            | Self::DisconnectNak
            | Self::CoaAck
            | Self::CoaNak => false,
        }
    }
}
