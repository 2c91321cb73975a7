//! The EAP server (RFC 3748), sans-IO: Identity, Nak, EAP-TLS (RFC 5216, RFC 9190), PEAP v0 with EAP-MSCHAPv2 ([MS-PEAP], RFC 2759) and
//! EAP-TTLS v0 with PAP, MSCHAPv2 and EAP-MSCHAPv2 (RFC 5281), over TLS 1.2 and 1.3 (RFC 9427).
//!
//! One `EapConversation` owns one login from the peer's Identity to EAP-Success or EAP-Failure: the TLS connection, the
//! fragments on their way in and out, and what the tunnel has said so far. It refuses to know who is a member, what RADIUS is,
//! what time it is (rustls gets its clock from `tls_config`) and when a peer has been silent for too long.
//!
//! ```text
//!             Response           Nak names one of ours
//!  Begin ------------> Offered <----------------------+      each Request is answered by `EapInput::Response`
//!    | EAP-Start          |  \________________________|
//!    v                    | a TLS message
//!  AwaitIdentity          v
//!                     Handshake -- TLS failed --> AlertSent --> Failure
//!                       |   \--- a certificate was shown (EAP-TLS): Proven --------------\
//!                       v                                                                v
//!                     Tunnel: phase 2 (ttls.rs, peap.rs, certificate.rs) <---EapInput::Verdict--- AwaitVerdict
//!                       |  ^                                                  |                  ^
//!      NeedCredential   v  |  EapInput::Credential                            v                  |
//!             AwaitCredential ------------------- Proven ------------- Success | Failure --------/
//! ```
//!
//! A wrong password and an unknown user name take the same steps, the same work and the same bytes: whoever answers
//! `NeedCredential` for an unknown name passes the hash of something random.

mod avp;
mod certificate;
mod client_hello;
mod conversation;
mod failure;
mod fragment;
mod identity;
mod method;
pub mod mschapv2;
mod mschapv2_exchange;
mod mschapv2_packet;
mod packet;
mod peap;
pub mod phase2;
mod resumption;
mod tls;
mod tls_config;
mod tls_failure;
mod tlv;
mod ttls;

#[cfg(test)]
mod tests;

pub use avp::{AVPS_MAX, Avp, MalformedAvp, decode_avps, encode_avps};
pub use client_hello::ClientHello;
pub use conversation::{EapConversation, ROUNDS_MAX};
pub use failure::{EapDiscard, EapFailure, Fault};
pub use fragment::{FRAGMENT_MIN_BYTES, MESSAGE_MAX_BYTES, Outgoing, Reassembly, TlsData, TlsDataError};
pub use method::{InnerMethod, Method, MethodKind, TlsVersion, eap_type};
pub use mschapv2_packet::MsChapV2Packet;
pub use packet::{Malformed, Message, Packet};
pub use resumption::{SESSIONS_MAX, SESSIONS_OF_MEMBER_MAX, SessionOwner, TlsSessions};
pub use tls::SessionKeys;
pub use tls_config::{TlsConfigs, server_identity};
pub use tlv::{ResultStatus, Tlv, decode_tlvs, encode_tlvs};

use std::sync::Arc;
use values::Secret;

/// What every conversation of this box shares.
#[derive(Clone, Debug)]
pub struct EapSettings {
    pub tls: TlsConfigs,
    /// The methods we offer, in this order.
    pub methods: Vec<MethodKind>,
    /// The largest EAP packet we send, its 4-byte header included. The access point's Framed-MTU may make it smaller.
    pub fragment_max_bytes: usize,
}

/// Who a device says it is, in a way that can be proved. The identity outside the tunnel is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Inside the tunnel.
    Username(String),
    /// The SHA-256 of a certificate of the device CA, whose key the device holds.
    Certificate { fingerprint: [u8; 32] },
    /// A TLS session of an earlier login, which the engine had kept for this owner.
    Resumed(Arc<SessionOwner>),
}

/// What the engine tells a conversation.
#[derive(Debug)]
pub enum EapInput {
    /// One whole EAP packet of the peer: the EAP-Message attributes of an Access-Request, joined. Empty is EAP-Start (RFC 3579 2.1).
    Response(Vec<u8>),
    /// Answers `NeedCredential`. For an unknown user the hash of something random, so that time and bytes are alike.
    Credential { nt_hash: Secret<[u8; 16]> },
    /// Answers `Proven`: whether policy lets this user in. Without a correct proof it changes nothing.
    Verdict { allow: bool },
}

/// What a conversation wants done.
#[derive(Debug)]
pub enum EapStep {
    /// Send this EAP-Request (in an Access-Challenge) and bring the Response.
    Request(Vec<u8>),
    /// Bring the NT hash of this user's key.
    NeedCredential { username: String },
    /// The device has shown a key, right or wrong, or a certificate; bring the verdict.
    Proven { shown: Shown, correct: bool, method: Method },
    /// The end: send this EAP-Success with the keys (in an Access-Accept).
    Success { packet: Vec<u8>, keys: SessionKeys, method: Method, shown: Shown },
    /// The end: send this EAP-Failure (in an Access-Reject).
    Failure { packet: Vec<u8>, why: EapFailure },
    /// Nothing to send, nothing changed (RFC 3748 4.1: silently discard).
    Discard(EapDiscard),
}
