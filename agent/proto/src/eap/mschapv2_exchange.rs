//! EAP-MSCHAPv2 as its server speaks it (draft-kamath-pppext-eap-mschapv2-02 over RFC 2759), and the judging of an answer, which
//! plain MSCHAPv2 shares. How the packets travel is for peap.rs and ttls.rs to know: here they are a type and its data.
//!
//! ```text
//!  begin --challenge--> Challenge --response--> Answer --NT hash--> Judged --right--> SuccessAck --> Done
//!                          | Nak                                      |-----wrong--> FailureAck --> Done
//!                          +--> Done
//! ```

use super::failure::{EapFailure, spoken_types};
use super::identity::text_of;
use super::method::eap_type;
use super::mschapv2::{authenticator_response, challenge_hash, nt_response, push_hex, without_domain};
use super::mschapv2_packet::MsChapV2Packet;
use std::fmt;
use subtle::ConstantTimeEq;
use values::Secret;

/// The name of this server in the MSCHAPv2 challenge; peers show it at most.
const SERVER_NAME: &[u8] = b"doorpost";
/// MS-CHAPv2-ID of every packet of ours: one exchange has one challenge.
const ID: u8 = 1;
/// RFC 2759 6: ERROR_AUTHENTICATION_FAILURE and ERROR_NO_DIALIN_PERMISSION. Windows asks for the key again only after the first.
const ERROR_AUTHENTICATION_FAILURE: &str = "691";
const ERROR_NO_DIALIN_PERMISSION: &str = "649";

/// What MSCHAPv2 needs to be unpredictable: the challenge, and the one that a failure packet must name and nobody answers.
#[derive(Clone, Copy, Debug)]
pub struct Challenges {
    first: [u8; 16],
    unused: [u8; 16],
}

impl Challenges {
    pub(super) fn of(entropy: &Secret<[u8; 32]>) -> Self {
        let mut challenges = Self { first: [0; 16], unused: [0; 16] };
        let (first, unused) = entropy.expose().split_at(16);
        challenges.first.copy_from_slice(first);
        challenges.unused.copy_from_slice(unused);
        challenges
    }
}

/// Where the peer's next packet finds us.
#[derive(Debug)]
pub enum Exchange {
    Challenge { challenges: Challenges, identity: String },
    SuccessAck { username: String },
    FailureAck { why: EapFailure },
}

/// What follows from the peer's packet.
#[derive(Debug)]
pub(super) enum Next {
    Ask(Answer),
    /// The method has ended; with the name that was proved, or why not.
    Done(Result<String, EapFailure>),
    /// The peer broke it; there is nothing to end.
    Broken(EapFailure),
}

impl Exchange {
    /// The challenge to whoever said this name.
    pub(super) fn begin(challenges: Challenges, name: &[u8]) -> Result<(Self, Vec<u8>), EapFailure> {
        let identity = text_of(name)?;
        let packet = MsChapV2Packet::Challenge { id: ID, challenge: challenges.first, name: SERVER_NAME };
        Ok((Self::Challenge { challenges, identity }, typed(&packet)))
    }

    /// The peer's answer: an EAP type and its data.
    pub(super) fn hear(self, kind: u8, data: &[u8]) -> Next {
        match self {
            Self::Challenge { challenges, identity } => hear_response(challenges, identity, kind, data),
            Self::SuccessAck { username } => match (kind, MsChapV2Packet::decode(data)) {
                (eap_type::MSCHAPV2, Some(MsChapV2Packet::SuccessResponse)) => Next::Done(Ok(username)),
                // The peer did not believe our proof: it is talking to a box that does not know its key.
                _ => Next::Done(Err(EapFailure::PeerRefused)),
            },
            // Whatever a peer says to a failure, it stays one.
            Self::FailureAck { why } => Next::Done(Err(why)),
        }
    }
}

fn typed(packet: &MsChapV2Packet<'_>) -> Vec<u8> {
    let mut out = vec![eap_type::MSCHAPV2];
    out.extend(packet.encode());
    out
}

fn hear_response(challenges: Challenges, identity: String, kind: u8, data: &[u8]) -> Next {
    if kind == eap_type::NAK {
        let wanted = data.get(..1).unwrap_or_default();
        return Next::Done(Err(EapFailure::InnerMethodUnsupported { method: spoken_types(wanted) }));
    }
    let packet = MsChapV2Packet::decode(data).filter(|_| kind == eap_type::MSCHAPV2);
    let Some(MsChapV2Packet::Response { peer_challenge, nt_response, name, .. }) = packet else {
        return Next::Broken(EapFailure::PeerMisbehaved { what: "no MSCHAPv2 response in the tunnel" });
    };
    // The name in the response is the one that is proved; an empty one stands for the identity.
    let username = match text_of(name) {
        Ok(name) if name.is_empty() => identity,
        Ok(name) => name,
        Err(why) => return Next::Broken(why),
    };
    let answer = Answer::new(username, &peer_challenge, &challenges.first, nt_response);
    Next::Ask(Answer { unused: challenges.unused, ..answer })
}

/// A response to the challenge, not yet compared with anything.
pub struct Answer {
    username: String,
    challenge_hash: [u8; 8],
    nt_response: [u8; 24],
    /// For a failure packet of EAP; nobody answers it.
    unused: [u8; 16],
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mschapv2_exchange::Answer")
    }
}

impl Answer {
    pub(super) fn new(name: String, peer_challenge: &[u8; 16], challenge: &[u8; 16], nt_response: [u8; 24]) -> Self {
        let username = without_domain(&name).to_owned();
        let challenge_hash = challenge_hash(peer_challenge, challenge, username.as_bytes());
        Self { username, challenge_hash, nt_response, unused: [0; 16] }
    }

    pub(super) fn username(&self) -> &str {
        &self.username
    }

    pub(super) fn credential(self, nt_hash: &Secret<[u8; 16]>) -> Judged {
        let Self { username, challenge_hash, nt_response: shown, unused } = self;
        let expected = nt_response(&challenge_hash, nt_hash);
        let authenticator_response = authenticator_response(nt_hash, &expected, &challenge_hash);
        Judged { username, correct: expected.ct_eq(&shown).into(), authenticator_response, unused }
    }
}

/// An answer that was compared.
pub struct Judged {
    pub(super) username: String,
    pub(super) correct: bool,
    /// Proves to the peer that we know the key too. Worked out for wrong answers as well, so that both take the same time.
    pub(super) authenticator_response: String,
    unused: [u8; 16],
}

impl fmt::Debug for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mschapv2_exchange::Judged({})", self.correct)
    }
}

impl Judged {
    /// None is a yes.
    pub(super) const fn refusal(&self, allow: bool) -> Option<EapFailure> {
        match (self.correct, allow) {
            (true, true) => None,
            (true, false) => Some(EapFailure::Denied),
            (false, _) => Some(EapFailure::WrongKey),
        }
    }

    /// What EAP-MSCHAPv2 says next: a type and its data.
    pub(super) fn verdict(self, allow: bool) -> (Exchange, Vec<u8>) {
        let Some(why) = self.refusal(allow) else {
            let message = format!("{} M=Welcome", self.authenticator_response);
            let packet = MsChapV2Packet::SuccessRequest { id: ID, message: message.as_bytes() };
            return (Exchange::SuccessAck { username: self.username }, typed(&packet));
        };
        let error = if self.correct { ERROR_NO_DIALIN_PERMISSION } else { ERROR_AUTHENTICATION_FAILURE };
        // R=0: no second try within this conversation; V=3 is MS-CHAP-V2 (RFC 2759 6).
        let mut message = format!("E={error} R=0 C=");
        push_hex(&mut message, &self.unused);
        message.push_str(" V=3 M=Login refused");
        let packet = MsChapV2Packet::FailureRequest { id: ID, message: message.as_bytes() };
        (Exchange::FailureAck { why }, typed(&packet))
    }
}
