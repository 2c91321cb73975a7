//! Phase 2 of PEAP v0 ([MS-PEAP] 3.3.5) with EAP-MSCHAPv2: an EAP conversation of its own inside the tunnel.
//! Its packets lack Code, Identifier and Length, but for the Result at the end (EAP type 33), which has them.
//!
//! ```text
//!  Start --Identity?--> Identity --challenge--> Exchange --response--> Asked -> Proven --> Exchange --over--> Result
//! ```
//! Both sides say the result inside the tunnel, so that nobody outside can forge one.

use super::failure::EapFailure;
use super::method::eap_type;
use super::mschapv2_exchange::{Answer, Challenges, Exchange, Judged, Next};
use super::packet::{Message, Packet};
use super::phase2::{self, Step};
use super::tlv::{ResultStatus, Tlv, decode_tlvs, encode_tlvs};
use super::{InnerMethod, Shown};
use values::Secret;

/// Identifier of the Result, the one packet that has its own: behind identity, challenge and outcome.
const RESULT_IDENTIFIER: u8 = 3;

/// Where the peer's next packet finds us.
#[derive(Debug)]
pub enum Listening {
    Start(Challenges),
    Identity(Challenges),
    Exchange(Exchange),
    Result(Result<String, EapFailure>),
}

impl Listening {
    pub(super) fn new(entropy: &Secret<[u8; 32]>) -> Self {
        Self::Start(Challenges::of(entropy))
    }

    pub(super) fn hear(self, plaintext: &[u8]) -> Step {
        match self {
            // Under TLS 1.2 the peer acknowledges our Finished, under 1.3 it has sent its own: either way it is empty here.
            Self::Start(challenges) if plaintext.is_empty() => {
                say(Self::Identity(challenges), vec![eap_type::IDENTITY])
            }
            Self::Start(_) => Step::misbehaved("data in the tunnel before a question"),
            Self::Identity(challenges) => match plaintext.split_first() {
                Some((&eap_type::IDENTITY, name)) => match Exchange::begin(challenges, name) {
                    Ok((exchange, packet)) => say(Self::Exchange(exchange), packet),
                    Err(why) => say_result(Err(why)),
                },
                _ => Step::misbehaved("no identity in the tunnel"),
            },
            Self::Exchange(exchange) => {
                let (kind, data) = plaintext.split_first().map_or((0, plaintext), |(kind, data)| (*kind, data));
                match exchange.hear(kind, data) {
                    Next::Ask(answer) => Step::Ask(phase2::Asked::Peap(answer)),
                    Next::Done(outcome) => say_result(outcome),
                    Next::Broken(why) => Step::Refuse(why),
                }
            }
            Self::Result(outcome) => hear_result(outcome, plaintext),
        }
    }
}

fn say(next: Listening, plaintext: Vec<u8>) -> Step {
    Step::Say(phase2::Listening::Peap(next), plaintext)
}

fn say_result(outcome: Result<String, EapFailure>) -> Step {
    let status = if outcome.is_ok() { ResultStatus::Success } else { ResultStatus::Failure };
    let data = encode_tlvs(&[Tlv::Result(status)]);
    let request = Message { identifier: RESULT_IDENTIFIER, kind: eap_type::TLV, data: &data };
    say(Listening::Result(outcome), Packet::Request(request).encode())
}

fn hear_result(outcome: Result<String, EapFailure>, plaintext: &[u8]) -> Step {
    // A refusal needs no consent, and the peer may have hung up in its own way.
    let username = match outcome {
        Ok(username) => username,
        Err(why) => return Step::Refuse(why),
    };
    let tlvs = match Packet::decode(plaintext) {
        Ok(Packet::Response(Message { identifier: RESULT_IDENTIFIER, kind: eap_type::TLV, data })) => decode_tlvs(data),
        _ => None,
    };
    let Some(tlvs) = tlvs else { return Step::misbehaved("no result in the tunnel") };
    if tlvs.contains(&Tlv::Result(ResultStatus::Failure)) {
        Step::Refuse(EapFailure::PeerRefused)
    } else if tlvs.contains(&Tlv::Result(ResultStatus::Success)) {
        Step::Accept { shown: Shown::Username(username), inner: Some(InnerMethod::MsChapV2) }
    } else {
        Step::misbehaved("no result in the tunnel")
    }
}

/// What is said to a peer that resumed a session: the result, at once.
pub(super) fn verdict_of_resumed(username: String, allow: bool) -> Step {
    say_result(if allow { Ok(username) } else { Err(EapFailure::Denied) })
}

/// What is said to a peer whose answer was judged.
pub(super) fn verdict(judged: Judged, allow: bool) -> Step {
    let (exchange, packet) = judged.verdict(allow);
    say(Listening::Exchange(exchange), packet)
}

/// The peer's answer to the challenge.
pub type Asked = Answer;
