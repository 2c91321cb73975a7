//! Phase 2 of PEAP v0 ([MS-PEAP] 3.3.5) with EAP-MSCHAPv2: an EAP conversation of its own inside the tunnel.
//! Its packets lack Code, Identifier and Length, but for the Result at the end (EAP type 33), which has them.
//!
//! ```text
//!  Start --Identity?--> Identity --challenge--> Challenge --response--> Asked -> Proven --right--> SuccessAck --+
//!                                                  | Nak                           |---wrong--> FailureAck -----+
//!                                                  +------------------------------------------------------> Result
//! ```
//! Both sides say the result inside the tunnel, so that nobody outside can forge one.

use super::failure::EapFailure;
use super::identity::text_of;
use super::method::eap_type;
use super::mschapv2::{authenticator_response, challenge_hash, nt_response, push_hex, without_domain};
use super::mschapv2_packet::MsChapV2Packet;
use super::packet::{Message, Packet};
use super::phase2::{self, Step};
use super::tlv::{ResultStatus, Tlv, decode_tlvs, encode_tlvs};
use std::fmt;
use subtle::ConstantTimeEq;
use values::Secret;

/// The name of this server in the MSCHAPv2 challenge; peers show it at most.
const SERVER_NAME: &[u8] = b"doorpost";
/// RFC 2759 6: ERROR_AUTHENTICATION_FAILURE and ERROR_NO_DIALIN_PERMISSION. Windows asks for the key again only after the first.
const ERROR_AUTHENTICATION_FAILURE: &str = "691";
const ERROR_NO_DIALIN_PERMISSION: &str = "649";

/// What MSCHAPv2 needs to be unpredictable: the challenge, and the one that a failure packet must name and nobody answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Challenges {
    first: [u8; 16],
    unused: [u8; 16],
}

/// Where the peer's next packet finds us. `id` is the Identifier of the inner Request that it answers.
#[derive(Debug)]
pub(super) enum Listening {
    Start { challenges: Challenges },
    Identity { id: u8, challenges: Challenges },
    Challenge { id: u8, challenges: Challenges, identity: String },
    SuccessAck { id: u8, username: String },
    FailureAck { id: u8, why: EapFailure },
    Result { id: u8, outcome: Result<String, EapFailure> },
}

/// The peer's answer to the challenge.
pub(super) struct Asked {
    id: u8,
    challenges: Challenges,
    username: String,
    challenge_hash: [u8; 8],
    nt_response: [u8; 24],
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("peap::Asked")
    }
}

pub(super) struct Proven {
    id: u8,
    challenges: Challenges,
    username: String,
    correct: bool,
    /// Proves to the peer that we know the key too. Worked out for wrong answers as well, so that both take the same time.
    authenticator_response: String,
}

impl fmt::Debug for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peap::Proven({})", self.correct)
    }
}

impl Listening {
    pub(super) fn new(entropy: &Secret<[u8; 32]>) -> Self {
        let mut challenges = Challenges { first: [0; 16], unused: [0; 16] };
        let (first, unused) = entropy.expose().split_at(16);
        challenges.first.copy_from_slice(first);
        challenges.unused.copy_from_slice(unused);
        Self::Start { challenges }
    }

    pub(super) fn hear(self, plaintext: &[u8]) -> Step {
        match self {
            // Under TLS 1.2 the peer acknowledges our Finished, under 1.3 it has sent its own: either way it is empty here.
            Self::Start { challenges } if plaintext.is_empty() => {
                let id = 0;
                say(Self::Identity { id, challenges }, vec![eap_type::IDENTITY])
            }
            Self::Start { .. } => Step::misbehaved("data in the tunnel before a question"),
            Self::Identity { id, challenges } => match plaintext.split_first() {
                Some((&eap_type::IDENTITY, name)) => ask_mschapv2(id.wrapping_add(1), challenges, name),
                _ => Step::misbehaved("no identity in the tunnel"),
            },
            Self::Challenge { id, challenges, identity } => hear_response(id, challenges, identity, plaintext),
            Self::SuccessAck { id, username } => match mschapv2_of(plaintext) {
                Some(MsChapV2Packet::SuccessResponse) => say_result(id.wrapping_add(1), Ok(username)),
                // The peer did not believe our proof: it is talking to a box that does not know its key.
                _ => say_result(id.wrapping_add(1), Err(EapFailure::PeerRefused)),
            },
            // Whatever a peer says to a failure, it stays one.
            Self::FailureAck { id, why } => say_result(id.wrapping_add(1), Err(why)),
            Self::Result { id, outcome } => hear_result(id, outcome, plaintext),
        }
    }
}

fn say(next: Listening, plaintext: Vec<u8>) -> Step {
    Step::Say(phase2::Listening::Peap(next), plaintext)
}

fn mschapv2_request(packet: &MsChapV2Packet<'_>) -> Vec<u8> {
    let mut out = vec![eap_type::MSCHAPV2];
    out.extend(packet.encode());
    out
}

fn mschapv2_of(plaintext: &[u8]) -> Option<MsChapV2Packet<'_>> {
    match plaintext.split_first() {
        Some((&eap_type::MSCHAPV2, data)) => MsChapV2Packet::decode(data),
        _ => None,
    }
}

fn ask_mschapv2(id: u8, challenges: Challenges, name: &[u8]) -> Step {
    let identity = match text_of(name) {
        Ok(identity) => identity,
        Err(why) => return say_result(id, Err(why)),
    };
    let packet = MsChapV2Packet::Challenge { id, challenge: challenges.first, name: SERVER_NAME };
    say(Listening::Challenge { id, challenges, identity }, mschapv2_request(&packet))
}

fn hear_response(id: u8, challenges: Challenges, identity: String, plaintext: &[u8]) -> Step {
    if let Some((&eap_type::NAK, wanted)) = plaintext.split_first() {
        let method = wanted.first().map_or_else(|| "no method".into(), |kind| format!("EAP type {kind}"));
        return say_result(id.wrapping_add(1), Err(EapFailure::InnerMethodUnsupported { method }));
    }
    let Some(MsChapV2Packet::Response { peer_challenge, nt_response, name, .. }) = mschapv2_of(plaintext) else {
        return Step::misbehaved("no MSCHAPv2 response in the tunnel");
    };
    // The name in the response is the one that is proved; an empty one stands for the identity.
    let username = match text_of(name) {
        Ok(name) if name.is_empty() => identity,
        Ok(name) => name,
        Err(why) => return Step::Refuse(why),
    };
    let username = without_domain(&username).to_owned();
    let challenge_hash = challenge_hash(&peer_challenge, &challenges.first, username.as_bytes());
    Step::Ask(phase2::Asked::Peap(Asked { id, challenges, username, challenge_hash, nt_response }))
}

fn say_result(id: u8, outcome: Result<String, EapFailure>) -> Step {
    let status = if outcome.is_ok() { ResultStatus::Success } else { ResultStatus::Failure };
    let data = encode_tlvs(&[Tlv::Result(status)]);
    let request = Packet::Request(Message { identifier: id, kind: eap_type::TLV, data: &data }).encode();
    say(Listening::Result { id, outcome }, request)
}

fn hear_result(id: u8, outcome: Result<String, EapFailure>, plaintext: &[u8]) -> Step {
    // A refusal needs no consent, and the peer may have hung up in its own way.
    let username = match outcome {
        Ok(username) => username,
        Err(why) => return Step::Refuse(why),
    };
    let tlvs = match Packet::decode(plaintext) {
        Ok(Packet::Response(Message { identifier, kind: eap_type::TLV, data })) if identifier == id => {
            decode_tlvs(data)
        }
        _ => None,
    };
    let Some(tlvs) = tlvs else { return Step::misbehaved("no result in the tunnel") };
    if tlvs.contains(&Tlv::Result(ResultStatus::Failure)) {
        Step::Refuse(EapFailure::PeerRefused)
    } else if tlvs.contains(&Tlv::Result(ResultStatus::Success)) {
        Step::Accept { username }
    } else {
        Step::misbehaved("no result in the tunnel")
    }
}

impl Asked {
    pub(super) fn username(&self) -> &str {
        &self.username
    }

    pub(super) fn credential(self, nt_hash: &Secret<[u8; 16]>) -> Proven {
        let Self { id, challenges, username, challenge_hash, nt_response: shown } = self;
        let expected = nt_response(&challenge_hash, nt_hash);
        let authenticator_response = authenticator_response(nt_hash, &expected, &challenge_hash);
        Proven { id, challenges, username, correct: expected.ct_eq(&shown).into(), authenticator_response }
    }
}

impl Proven {
    pub(super) fn username(&self) -> &str {
        &self.username
    }

    pub(super) const fn is_correct(&self) -> bool {
        self.correct
    }

    pub(super) fn verdict(self, allow: bool) -> Step {
        let (why, error) = match (self.correct, allow) {
            (true, true) => {
                let message = format!("{} M=Welcome", self.authenticator_response);
                let packet = MsChapV2Packet::SuccessRequest { id: self.id, message: message.as_bytes() };
                let next = Listening::SuccessAck { id: self.id.wrapping_add(1), username: self.username };
                return say(next, mschapv2_request(&packet));
            }
            (true, false) => (EapFailure::Denied, ERROR_NO_DIALIN_PERMISSION),
            (false, _) => (EapFailure::WrongKey, ERROR_AUTHENTICATION_FAILURE),
        };
        // R=0: no second try within this conversation; V=3 is MS-CHAP-V2 (RFC 2759 6).
        let mut message = format!("E={error} R=0 C=");
        push_hex(&mut message, &self.challenges.unused);
        message.push_str(" V=3 M=Login refused");
        let packet = MsChapV2Packet::FailureRequest { id: self.id, message: message.as_bytes() };
        say(Listening::FailureAck { id: self.id.wrapping_add(1), why }, mschapv2_request(&packet))
    }
}
