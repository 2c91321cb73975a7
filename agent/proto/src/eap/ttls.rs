//! Phase 2 of EAP-TTLS v0: PAP (RFC 5281 11.2.5) and MSCHAPv2 (11.2.4), where the peer speaks first, and EAP-MSCHAPv2 (11.1), an EAP
//! conversation of its own in EAP-Message AVPs. The answer that ends it is EAP-Success or EAP-Failure itself. The other inner methods
//! are refused by name.
//!
//! ```text
//!  Start --password--------------> Asked -> Proven --> Accept | Refuse
//!    |---MSCHAPv2 response-------> Asked -> Proven --right, our own proof--> SuccessAck --> Accept
//!    \---EAP identity--> Exchange --response--> Asked -> Proven --> Exchange --over--> Accept | Refuse
//! ```

use super::Shown;
use super::avp::{Avp, decode_avps, encode_avps};
use super::failure::EapFailure;
use super::identity::text_of;
use super::method::{InnerMethod, eap_type};
use super::mschapv2::nt_hash;
use super::mschapv2_exchange::{Answer, Challenges, Exchange, Judged, Next};
use super::packet::{Message, Packet};
use super::phase2::{self, ImplicitChallenge, Step};
use std::fmt;
use subtle::ConstantTimeEq;
use values::Secret;

const USER_NAME: u32 = 1;
const USER_PASSWORD: u32 = 2;
const CHAP_PASSWORD: u32 = 3;
const CHAP_CHALLENGE: u32 = 60;
const EAP_MESSAGE: u32 = 79;
/// Microsoft's vendor id, and its attributes of RFC 2548.
const MICROSOFT: u32 = 311;
const MS_CHAP_RESPONSE: u32 = 1;
const MS_CHAP_CHALLENGE: u32 = 11;
const MS_CHAP2_RESPONSE: u32 = 25;
const MS_CHAP2_SUCCESS: u32 = 26;

/// RFC 2865 5.2: User-Password holds at most 128 bytes.
const PASSWORD_MAX_BYTES: usize = 128;
/// RFC 2548 2.3.2: Ident, Flags, Peer-Challenge, eight reserved bytes, Response.
const MS_CHAP2_RESPONSE_BYTES: usize = 50;

/// Where the peer's next message finds us.
#[derive(Debug)]
pub enum Listening {
    Start(Challenges),
    /// `identifier` is that of our Request inside the AVPs.
    Exchange {
        identifier: u8,
        exchange: Exchange,
    },
    /// Our proof of MSCHAPv2 is with the peer, who says nothing when it believes it.
    SuccessAck {
        username: String,
    },
}

/// The peer's claim, not yet compared with anything.
pub enum Asked {
    Pap {
        username: String,
        /// As sent, without padding.
        password: Secret<String>,
        /// False: not UTF-8, so it cannot be right, but it is hashed all the same.
        is_text: bool,
    },
    MsChapV2 {
        identifier: u8,
        answer: Answer,
    },
    EapMsChapV2 {
        identifier: u8,
        answer: Answer,
    },
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ttls::Asked")
    }
}

#[derive(Debug)]
pub enum Proven {
    Pap { username: String, correct: bool },
    MsChapV2 { identifier: u8, judged: Judged },
    EapMsChapV2 { identifier: u8, judged: Judged },
}

impl Listening {
    pub(super) fn new(entropy: &Secret<[u8; 32]>) -> Self {
        Self::Start(Challenges::of(entropy))
    }

    pub(super) fn hear(self, plaintext: &[u8], challenge: ImplicitChallenge<'_>) -> Step {
        match self {
            // A turn handed over under TLS 1.3, where nobody has said anything yet.
            Self::Start(_) if plaintext.is_empty() => Step::Listen(phase2::Listening::Ttls(self)),
            Self::Start(challenges) => hear_claim(plaintext, challenges, challenge).unwrap_or_else(Step::Refuse),
            Self::Exchange { identifier, exchange } => {
                hear_eap(plaintext, identifier, exchange).unwrap_or_else(Step::Refuse)
            }
            Self::SuccessAck { username } if plaintext.is_empty() => accept(username, InnerMethod::MsChapV2),
            Self::SuccessAck { .. } => Step::misbehaved("data after the end of MSCHAPv2"),
        }
    }
}

fn accept(username: String, inner: InnerMethod) -> Step {
    Step::Accept { shown: Shown::Username(username), inner: Some(inner) }
}

/// What the peer says about itself.
#[derive(Default)]
struct Claim<'a> {
    username: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    ms_chap_challenge: Option<&'a [u8]>,
    ms_chap2_response: Option<&'a [u8]>,
    eap: Option<&'a [u8]>,
}

fn read_claim(plaintext: &[u8]) -> Result<Claim<'_>, EapFailure> {
    let avps = decode_avps(plaintext).map_err(|_| misbehaved("AVPs that cannot be read"))?;
    let mut claim = Claim::default();
    for avp in &avps {
        claim.take(avp)?;
    }
    Ok(claim)
}

impl<'a> Claim<'a> {
    fn take(&mut self, avp: &Avp<'a>) -> Result<(), EapFailure> {
        let unsupported = |method: &str| Err(EapFailure::InnerMethodUnsupported { method: method.into() });
        match (avp.vendor, avp.code) {
            (None, USER_NAME) => set_once(&mut self.username, avp.data, "User-Name twice"),
            (None, USER_PASSWORD) => set_once(&mut self.password, avp.data, "User-Password twice"),
            (None, EAP_MESSAGE) => set_once(&mut self.eap, avp.data, "EAP-Message twice"),
            (Some(MICROSOFT), MS_CHAP_CHALLENGE) => {
                set_once(&mut self.ms_chap_challenge, avp.data, "MS-CHAP-Challenge twice")
            }
            (Some(MICROSOFT), MS_CHAP2_RESPONSE) => {
                set_once(&mut self.ms_chap2_response, avp.data, "MS-CHAP2-Response twice")
            }
            (None, CHAP_PASSWORD | CHAP_CHALLENGE) => unsupported("CHAP"),
            (Some(MICROSOFT), MS_CHAP_RESPONSE) => unsupported("MSCHAP"),
            (None, code) if avp.mandatory => unsupported(&format!("attribute {code}")),
            (Some(vendor), code) if avp.mandatory => unsupported(&format!("attribute {code} of vendor {vendor}")),
            (_, _) => Ok(()), // RFC 5281 10.1: what is not mandatory may be ignored
        }
    }
}

fn set_once<'a>(place: &mut Option<&'a [u8]>, data: &'a [u8], twice: &'static str) -> Result<(), EapFailure> {
    match place.replace(data) {
        None => Ok(()),
        Some(_) => Err(misbehaved(twice)),
    }
}

fn hear_claim(plaintext: &[u8], challenges: Challenges, challenge: ImplicitChallenge<'_>) -> Result<Step, EapFailure> {
    let claim = read_claim(plaintext)?;
    if let Some(eap) = claim.eap {
        return begin_eap(eap, challenges);
    }
    let username = text_of(claim.username.ok_or(misbehaved("no User-Name in the tunnel"))?)?;
    let asked = match (claim.password, claim.ms_chap2_response) {
        (Some(_), Some(_)) => return Err(misbehaved("two proofs in one message")),
        (Some(password), None) => pap(username, password)?,
        (None, Some(response)) => {
            let said = claim.ms_chap_challenge.ok_or(misbehaved("no MS-CHAP-Challenge in the tunnel"))?;
            mschapv2(username, said, response, &challenge()?)?
        }
        (None, None) => return Err(misbehaved("no User-Password in the tunnel")),
    };
    Ok(Step::Ask(phase2::Asked::Ttls(asked)))
}

fn pap(username: String, password: &[u8]) -> Result<Asked, EapFailure> {
    let password = without_padding(password);
    if password.len() > PASSWORD_MAX_BYTES {
        return Err(misbehaved("a User-Password of more than 128 bytes"));
    }
    let is_text = std::str::from_utf8(password).is_ok();
    let password = Secret::new(String::from_utf8_lossy(password).into_owned());
    Ok(Asked::Pap { username, password, is_text })
}

/// RFC 5281 11.2.5: the password is filled up with NULs to a multiple of 16 bytes.
fn without_padding(password: &[u8]) -> &[u8] {
    let end = password.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &password[..end]
}

/// RFC 5281 11.2.4: challenge and Ident are those of the tunnel, so that an answer of another conversation is worth nothing here.
fn mschapv2(username: String, said: &[u8], response: &[u8], implicit: &[u8; 17]) -> Result<Asked, EapFailure> {
    let response: &[u8; MS_CHAP2_RESPONSE_BYTES] =
        response.try_into().map_err(|_| misbehaved("an MS-CHAP2-Response of another length than 50 bytes"))?;
    let (challenge, identifier) = implicit.split_first_chunk::<16>().expect("17 bytes hold 16");
    if said != challenge || response[..1] != *identifier {
        return Err(misbehaved("an MSCHAPv2 challenge of another tunnel"));
    }
    let (mut peer_challenge, mut nt_response) = ([0; 16], [0; 24]);
    peer_challenge.copy_from_slice(&response[2..18]);
    nt_response.copy_from_slice(&response[26..]);
    let answer = Answer::new(username, &peer_challenge, challenge, nt_response);
    Ok(Asked::MsChapV2 { identifier: response[0], answer })
}

/// RFC 5281 11.1: the peer begins with its identity, as if it had been asked.
fn begin_eap(eap: &[u8], challenges: Challenges) -> Result<Step, EapFailure> {
    let response = match Packet::decode(eap) {
        Ok(Packet::Response(response)) if response.kind == eap_type::IDENTITY => response,
        _ => return Err(misbehaved("no identity in the tunnel")),
    };
    let (exchange, packet) = Exchange::begin(challenges, response.data)?;
    Ok(ask_eap(response.identifier.wrapping_add(1), exchange, &packet))
}

/// Says an EAP type and its data as a Request.
fn ask_eap(identifier: u8, exchange: Exchange, typed: &[u8]) -> Step {
    let (&kind, data) = typed.split_first().expect("an exchange says a type and its data");
    let packet = Packet::Request(Message { identifier, kind, data }).encode();
    let plaintext = encode_avps(&[Avp { code: EAP_MESSAGE, vendor: None, mandatory: true, data: &packet }]);
    Step::Say(phase2::Listening::Ttls(Listening::Exchange { identifier, exchange }), plaintext)
}

fn hear_eap(plaintext: &[u8], identifier: u8, exchange: Exchange) -> Result<Step, EapFailure> {
    let eap = read_claim(plaintext)?.eap.ok_or(misbehaved("no EAP-Message in the tunnel"))?;
    let response = match Packet::decode(eap) {
        Ok(Packet::Response(response)) if response.identifier == identifier => response,
        _ => return Err(misbehaved("no EAP-Response to the last question in the tunnel")),
    };
    match exchange.hear(response.kind, response.data) {
        Next::Ask(answer) => Ok(Step::Ask(phase2::Asked::Ttls(Asked::EapMsChapV2 { identifier, answer }))),
        Next::Done(outcome) => outcome.map(|username| accept(username, InnerMethod::EapMsChapV2)),
        Next::Broken(why) => Err(why),
    }
}

impl Asked {
    pub(super) fn username(&self) -> &str {
        match self {
            Self::Pap { username, .. } => username,
            Self::MsChapV2 { answer, .. } | Self::EapMsChapV2 { answer, .. } => answer.username(),
        }
    }

    /// A password is hashed and the hashes compared, so that the store needs no clear text.
    pub(super) fn credential(self, expected: &Secret<[u8; 16]>) -> Proven {
        match self {
            Self::Pap { username, password, is_text } => {
                let equal = bool::from(nt_hash(password.expose()).expose().ct_eq(expected.expose()));
                Proven::Pap { username, correct: equal & is_text }
            }
            Self::MsChapV2 { identifier, answer } => {
                Proven::MsChapV2 { identifier, judged: answer.credential(expected) }
            }
            Self::EapMsChapV2 { identifier, answer } => {
                Proven::EapMsChapV2 { identifier, judged: answer.credential(expected) }
            }
        }
    }
}

impl Proven {
    pub(super) fn username(&self) -> &str {
        match self {
            Self::Pap { username, .. } => username,
            Self::MsChapV2 { judged, .. } | Self::EapMsChapV2 { judged, .. } => &judged.username,
        }
    }

    pub(super) const fn is_correct(&self) -> bool {
        match self {
            Self::Pap { correct, .. } => *correct,
            Self::MsChapV2 { judged, .. } | Self::EapMsChapV2 { judged, .. } => judged.correct,
        }
    }

    pub(super) const fn inner(&self) -> InnerMethod {
        match self {
            Self::Pap { .. } => InnerMethod::Pap,
            Self::MsChapV2 { .. } => InnerMethod::MsChapV2,
            Self::EapMsChapV2 { .. } => InnerMethod::EapMsChapV2,
        }
    }

    pub(super) fn verdict(self, allow: bool) -> Step {
        match self {
            Self::Pap { username, correct: true } if allow => accept(username, InnerMethod::Pap),
            Self::Pap { correct: true, .. } => Step::Refuse(EapFailure::Denied),
            Self::Pap { correct: false, .. } => Step::Refuse(EapFailure::WrongKey),
            Self::MsChapV2 { identifier, judged } => match judged.refusal(allow) {
                Some(why) => Step::Refuse(why),
                None => prove_ourselves(identifier, judged),
            },
            Self::EapMsChapV2 { identifier, judged } => {
                let (exchange, packet) = judged.verdict(allow);
                ask_eap(identifier.wrapping_add(1), exchange, &packet)
            }
        }
    }
}

/// RFC 2548 2.3.3: the Ident of the response and the 42 bytes of RFC 2759.
fn prove_ourselves(identifier: u8, judged: Judged) -> Step {
    let mut data = vec![identifier];
    data.extend_from_slice(judged.authenticator_response.as_bytes());
    let avp = Avp { code: MS_CHAP2_SUCCESS, vendor: Some(MICROSOFT), mandatory: true, data: &data };
    let next = Listening::SuccessAck { username: judged.username };
    Step::Say(phase2::Listening::Ttls(next), encode_avps(&[avp]))
}

const fn misbehaved(what: &'static str) -> EapFailure {
    EapFailure::PeerMisbehaved { what }
}
