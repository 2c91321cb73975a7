//! Phase 2 of EAP-TTLS v0 with PAP (RFC 5281 11.2.5): one message with User-Name and User-Password, one answer, which is
//! EAP-Success or EAP-Failure itself. The other inner methods are refused by name.

use super::avp::{Avp, decode_avps};
use super::failure::EapFailure;
use super::identity::text_of;
use super::mschapv2::nt_hash;
use super::phase2;
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

/// RFC 2865 5.2: User-Password holds at most 128 bytes.
const PASSWORD_MAX_BYTES: usize = 128;

/// What the peer says about itself.
#[derive(Default)]
struct Claim<'a> {
    username: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
}

/// A user name and a password, not yet compared with anything.
pub(super) struct Asked {
    username: String,
    /// As sent, without padding. None: not UTF-8, so it cannot be right, but it is hashed all the same.
    password: Secret<String>,
    is_text: bool,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ttls::Asked")
    }
}

#[derive(Debug)]
pub(super) struct Proven {
    username: String,
    correct: bool,
}

/// The peer's message. An empty one is a turn handed over under TLS 1.3, where nobody has said anything yet.
pub(super) fn hear(plaintext: &[u8]) -> phase2::Step {
    if plaintext.is_empty() {
        return phase2::Step::Listen(phase2::Listening::Ttls);
    }
    match read_claim(plaintext) {
        Ok(asked) => phase2::Step::Ask(phase2::Asked::Ttls(asked)),
        Err(why) => phase2::Step::Refuse(why),
    }
}

fn read_claim(plaintext: &[u8]) -> Result<Asked, EapFailure> {
    let avps = decode_avps(plaintext).map_err(|_| misbehaved("AVPs that cannot be read"))?;
    let mut claim = Claim::default();
    for avp in &avps {
        claim.take(avp)?;
    }
    let username = claim.username.ok_or(misbehaved("no User-Name in the tunnel"))?;
    let password = claim.password.ok_or(misbehaved("no User-Password in the tunnel"))?;
    let username = text_of(username)?;
    let password = without_padding(password);
    if password.len() > PASSWORD_MAX_BYTES {
        return Err(misbehaved("a User-Password of more than 128 bytes"));
    }
    let is_text = std::str::from_utf8(password).is_ok();
    let password = Secret::new(String::from_utf8_lossy(password).into_owned());
    Ok(Asked { username, password, is_text })
}

impl<'a> Claim<'a> {
    fn take(&mut self, avp: &Avp<'a>) -> Result<(), EapFailure> {
        let unsupported = |method: &str| Err(EapFailure::InnerMethodUnsupported { method: method.into() });
        match (avp.vendor, avp.code) {
            (None, USER_NAME) => set_once(&mut self.username, avp.data, "User-Name twice"),
            (None, USER_PASSWORD) => set_once(&mut self.password, avp.data, "User-Password twice"),
            (None, CHAP_PASSWORD | CHAP_CHALLENGE) => unsupported("CHAP"),
            (None, EAP_MESSAGE) => unsupported("EAP"),
            (Some(MICROSOFT), MS_CHAP2_RESPONSE) => unsupported("MSCHAPv2"),
            (Some(MICROSOFT), MS_CHAP_RESPONSE) => unsupported("MSCHAP"),
            // Both MSCHAPs carry it; which of them follows does not matter to the answer.
            (Some(MICROSOFT), MS_CHAP_CHALLENGE) => unsupported("MSCHAP or MSCHAPv2"),
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

/// RFC 5281 11.2.5: the password is filled up with NULs to a multiple of 16 bytes.
fn without_padding(password: &[u8]) -> &[u8] {
    let end = password.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &password[..end]
}

impl Asked {
    pub(super) fn username(&self) -> &str {
        &self.username
    }

    /// The password is hashed and the hashes compared, so that the store needs no clear text.
    pub(super) fn credential(self, expected: &Secret<[u8; 16]>) -> Proven {
        let shown = nt_hash(self.password.expose());
        let equal = bool::from(shown.expose().ct_eq(expected.expose()));
        Proven { correct: equal & self.is_text, username: self.username }
    }
}

impl Proven {
    pub(super) fn username(&self) -> &str {
        &self.username
    }

    pub(super) const fn is_correct(&self) -> bool {
        self.correct
    }

    pub(super) fn verdict(self, allow: bool) -> phase2::Step {
        match (self.correct, allow) {
            (true, true) => phase2::Step::Accept { username: self.username },
            (true, false) => phase2::Step::Refuse(EapFailure::Denied),
            (false, _) => phase2::Step::Refuse(EapFailure::WrongKey),
        }
    }
}

const fn misbehaved(what: &'static str) -> EapFailure {
    EapFailure::PeerMisbehaved { what }
}
