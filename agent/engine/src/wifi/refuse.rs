//! What follows from a failed login besides its answer: it counts towards the back-off of its device and of the name that it
//! claimed, and it is written down, folded with its like. Tables and times are in backoff.rs and refusals.rs.

use super::backoff::{Fault, Identity, Station};
use super::login::{Claim, Login, StateKey};
use super::receive::Question;
use super::refusals::Fate;
use super::{Context, WifiEngine, record};
use policy::{Outcome, Reason, Record};
use proto::eap::EapFailure;
use std::time::Duration;
use values::{CredentialId, MacAddress, Mono, Secret};

/// [`Reason::DeviceLimit`]'s code.
const DEVICE_LIMIT: &str = "device-limit";
/// [`Reason::TooManySessions`]'s code.
const TOO_MANY_SESSIONS: &str = "too-many-sessions";

impl WifiEngine {
    /// Devices that have shown a key in the past: nobody else's failures keep them out.
    pub fn trust(&mut self, known: Vec<(CredentialId, MacAddress)>) {
        known.into_iter().for_each(|(credential, mac)| self.back_off.trust(credential, mac));
    }

    /// How long a device has to wait before it may begin a login at all.
    pub(super) fn held_back(&self, cx: &Context<'_>, question: &Question, mac: Option<MacAddress>) -> Option<Duration> {
        self.back_off.station_held(&station(question, mac)?, cx.now.mono)
    }

    /// Says no before any work is done for a device that is known to fail.
    pub(super) fn refuse_at_the_door(
        &mut self,
        cx: &mut Context<'_>,
        question: &Question,
        mac: Option<MacAddress>,
        held: Duration,
        eap: &[u8],
    ) {
        self.counters.logins_held_back += 1;
        self.reject(question, Some(super::login::failure(eap.get(1).copied().unwrap_or(0))));
        let (member, credential) = station(question, mac).map(|at| self.back_off.claimed(&at)).unwrap_or_default();
        let reason = too_many(held);
        let mut refused = record(cx, Outcome::Refused, reason.code(), reason.sentence())
            .member(member)
            .credential(credential)
            .place(&question.access_point);
        if let Some(mac) = mac {
            refused = refused.personal("mac", mac.to_string());
        }
        self.write_refusal(cx, mac, None, refused);
    }

    /// The hash that a key is compared with: of nothing that anybody has while the name is held back, which takes the same
    /// steps and looks the same from outside.
    pub(super) fn hold_back_guess(
        &mut self,
        cx: &mut Context<'_>,
        state: &StateKey,
        nt_hash: Secret<[u8; 16]>,
    ) -> Secret<[u8; 16]> {
        let Some(login) = self.logins.get_mut(state) else { return nt_hash };
        let Some(identity) = identity(&login.claim) else { return nt_hash };
        let Some(held) = self.back_off.identity_held(&identity, login.mac, cx.now.mono) else { return nt_hash };
        login.claim.held = Some(too_many(held));
        self.counters.logins_held_back += 1;
        Secret::new(cx.entropy.bytes())
    }

    /// A device has shown its key.
    pub(super) fn learn_success(&mut self, login: &Login, credential: CredentialId) {
        if let Some(station) = station(&login.question, login.mac) {
            self.back_off.succeeded(&station, credential);
        }
    }

    /// A login failed.
    pub(super) fn learn_failure(&mut self, login: &Login, why: Option<&EapFailure>, now: Mono) {
        let Some(fault) = fault(&login.claim, why) else { return };
        let claimed = (login.claim.member, login.claim.credential);
        self.back_off.failed(station(&login.question, login.mac), identity(&login.claim), claimed, fault, now);
    }

    pub(super) fn write_refusal(
        &mut self,
        cx: &mut Context<'_>,
        mac: Option<MacAddress>,
        username: Option<&str>,
        refused: Record,
    ) {
        self.counters.sessions_refused += u64::from(refused.code == TOO_MANY_SESSIONS);
        let refused = self.with_online(refused);
        match self.refusals.fold(mac, username, refused, cx.now.mono) {
            Fate::Written(record) => self.record(*record),
            Fate::Folded => self.counters.refusals_folded += 1,
            Fate::Unwritten => {
                self.counters.refusals_unwritten += 1;
                let sentence = "So many different devices or names are refused that not each is written down; somebody may be trying them out.";
                self.warn(cx, "wifi-refusals-many", "wifi", sentence);
            }
        }
    }

    /// A refusal for too many devices says which these are, by the ids of their credentials: what a member calls them is personal
    /// and is looked up when the row is shown.
    fn with_online(&self, refused: Record) -> Record {
        let Some(member) = refused.member.filter(|_| refused.code == DEVICE_LIMIT) else { return refused };
        let online: Vec<String> = self.sessions.live_credentials(member).iter().map(ToString::to_string).collect();
        if online.is_empty() { refused } else { refused.fact("online", online.join(" ")) }
    }

    pub(super) fn sweep_refusals(&mut self, now: Mono) {
        self.refusals.due(now).into_iter().for_each(|record| self.record(record));
    }
}

fn station(question: &Question, mac: Option<MacAddress>) -> Option<Station> {
    mac.map(|mac| (question.access_point.clone(), mac))
}

fn identity(claim: &Claim) -> Option<Identity> {
    claim.username.as_deref().map(|username| Identity::of(claim.credential, username))
}

fn too_many(held: Duration) -> Reason {
    Reason::TooManyTries { seconds: held.as_millis().div_ceil(1_000).try_into().unwrap_or(u32::MAX) }
}

/// What a failed login counts as. A try that was held back does not make the hold longer, and our own faults are nobody's.
fn fault(claim: &Claim, why: Option<&EapFailure>) -> Option<Fault> {
    match (&claim.refusal, why) {
        (Some(Reason::TooManyTries { .. } | Reason::TooManySessions { .. }), _) => None,
        (Some(Reason::WrongKey | Reason::UnknownMember), _) => Some(Fault::Guess),
        (Some(_), _) => Some(Fault::Other),
        (None, Some(EapFailure::WrongKey)) => Some(Fault::Guess),
        (None, Some(EapFailure::LocalFault { .. }) | None) => None,
        (None, Some(_)) => Some(Fault::Other),
    }
}
