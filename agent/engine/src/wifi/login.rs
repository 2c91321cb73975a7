//! Logins under way: each is an EAP conversation that is either here, waiting for the device, or with a worker. The State
//! attribute, sixteen random octets, tells the access point's next Access-Request whose it is (RFC 3579, 2.6.1).
//!
//! ```text
//! Access-Request --> Working --Request--> Waiting --Access-Request with State--> Working --> ...
//!                       \--NeedCredential, Proven: answered at once--> Working
//!                        \--Success, Failure--> over        Waiting --60 s of silence, 120 s in all--> abandoned
//! ```
//! The one that holds most of a half-built message is over too when all of them hold too much.

use super::leave::judge_at;
use super::receive::Question;
use super::session::SESSIONS_OF_LOGINS_MAX;
use super::under_way::Room;
use super::{Context, Output, Socket, WifiEngine};
use policy::Reason;
use policy::wifi::{Admission, Stage, WifiFacts, WifiQuestion, admit, identify};
use proto::eap::{EapConversation, EapFailure, EapInput, EapStep, Method, SessionOwner, Shown};
use proto::radius::access::AccessRequest;
use std::time::Duration;
use values::{CredentialId, MacAddress, MemberId, Mono, Secret};

/// A device that has said nothing that belongs to its login for this long has gone.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// The longest that a login may take, whatever arrives in it: twice the longest silence, so that somebody who reads a question about
/// our certificate for a minute still gets in, and rubbish keeps nothing alive.
const LIFE_MAX: Duration = Duration::from_secs(120);
/// The same for one that has only knocked: what follows it sends by itself, so this is a few repetitions on bad air.
const FIRST_ANSWER_MAX: Duration = Duration::from_secs(10);
/// The same once it has our alert, since most devices fall silent on one: an access point repeats a request that was lost
/// within 5 s, and whoever asks why reads the answer while the device is still in her hand.
const ALERT_ANSWER_MAX: Duration = Duration::from_secs(6);

/// The longest that a device goes without proving its key or certificate (RFC 9190, 5.7).
const RESUMABLE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// The State attribute.
pub(super) type StateKey = [u8; 16];

pub(super) struct Login {
    /// The request that is being answered, or was answered last.
    pub(super) question: Question,
    /// What the NAS that sent it calls itself.
    pub(super) nas: String,
    pub(super) mac: Option<MacAddress>,
    pub(super) claim: Claim,
    /// The method of the last step that knew it.
    pub(super) method: Option<Method>,
    began_at: Mono,
    /// The last packet of its device, and the last one that was not rubbish.
    touched_at: Mono,
    heard_at: Mono,
    /// Challenges so far: after the second, its device has answered one.
    rounds: u32,
    work: Work,
}

impl Login {
    /// Why it was broken off, when the device has our alert and nothing was heard of it since.
    pub(super) fn broken_off_by(&self) -> Option<&EapFailure> {
        match &self.work {
            Work::Waiting(conversation) => conversation.broken_off_by(),
            Work::Working { .. } => None,
        }
    }

    /// Whether it is the device's turn.
    pub(super) const fn waits(&self) -> bool {
        self.token().is_none()
    }

    /// The step of it that a worker has.
    pub(super) const fn token(&self) -> Option<u64> {
        match self.work {
            Work::Waiting(_) => None,
            Work::Working { token } => Some(token),
        }
    }

    pub(super) fn silent_for(&self, now: Mono) -> Duration {
        now.since(self.touched_at)
    }

    /// Whether it has gone on for too long, however busily.
    pub(super) fn is_endless(&self, now: Mono) -> bool {
        now.since(self.began_at) >= LIFE_MAX
    }

    /// For how long it may be silent.
    fn silence_max(&self) -> Duration {
        match (self.broken_off_by(), self.rounds) {
            (Some(_), _) => ALERT_ANSWER_MAX,
            (None, 0 | 1) => FIRST_ANSWER_MAX,
            (None, _) => IDLE_MAX,
        }
    }
}

enum Work {
    Waiting(Box<EapConversation>),
    Working { token: u64 },
}

/// Who the device says it is, inside the tunnel or by a certificate, and what was decided about it. The identity outside the
/// tunnel has no part in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim {
    pub(super) username: Option<String>,
    /// The SHA-256 of the certificate, where one was shown.
    pub(super) certificate: Option<[u8; 32]>,
    pub(super) credential: Option<CredentialId>,
    pub(super) member: Option<MemberId>,
    /// None until a key was shown.
    pub(super) refusal: Option<Reason>,
    /// Set when the name is held back after wrong keys: nothing that is shown is right.
    pub(super) held: Option<Reason>,
}

impl WifiEngine {
    /// Logins under way.
    #[must_use]
    pub fn logins(&self) -> usize {
        self.logins.len()
    }

    pub(super) fn handle_access_request(
        &mut self,
        cx: &mut Context<'_>,
        question: Question,
        request: &AccessRequest<'_>,
        eap: Vec<u8>,
    ) {
        match request.state {
            None => self.begin_login(cx, question, request, eap),
            Some(state) => self.continue_login(cx, question, request, state, eap),
        }
    }

    fn begin_login(&mut self, cx: &mut Context<'_>, question: Question, request: &AccessRequest<'_>, eap: Vec<u8>) {
        if let Some(held) = self.held_back(cx, &question, request.mac) {
            return self.refuse_at_the_door(cx, &question, request.mac, held, &eap);
        }
        if !self.make_room(cx, &question, request.mac) {
            self.counters.logins_shed += 1;
            return self.give_up_on(Socket::Authentication, &question);
        }
        let state: StateKey = cx.entropy.bytes();
        let likely = request.mac.and_then(|mac| self.habits.of(mac));
        let conversation = EapConversation::new(self.eap.clone(), request.framed_mtu, cx.entropy.bytes());
        let conversation = conversation.offering_first(likely);
        let token = self.logins.begin_work(state);
        let login = Login {
            question,
            nas: request.nas.to_string(),
            mac: request.mac,
            claim: Claim::default(),
            method: None,
            began_at: cx.now.mono,
            touched_at: cx.now.mono,
            heard_at: cx.now.mono,
            rounds: 0,
            work: Work::Working { token },
        };
        self.logins.insert(state, login);
        self.compute(token, Box::new(conversation), EapInput::Response(eap));
    }

    /// Finds a place for a new login: a free one, or that of a device which has only knocked, or fallen silent.
    fn make_room(&mut self, cx: &Context<'_>, question: &Question, mac: Option<MacAddress>) -> bool {
        match self.logins.room(&question.access_point, mac, cx.now.mono) {
            Room::Free => true,
            Room::Of(state) => {
                self.counters.logins_crowded_out += 1;
                self.drop_login(&state);
                true
            }
            Room::None => false,
        }
    }

    /// Makes room for the half of a message that a login holds; false when that cost the login itself.
    fn makes_room_for(&mut self, cx: &mut Context<'_>, state: &StateKey, bytes: usize, packet: &[u8]) -> bool {
        let Some(largest) = self.logins.holds(state, bytes) else { return true };
        self.counters.eap_messages_shed += 1;
        let is_other = largest != *state;
        let Some(login) = self.logins.remove(&largest) else { return is_other };
        self.record_shed_message(cx, &login);
        if is_other {
            self.forget_question(&login);
        } else {
            // The Response that is answered has the number before that of the Request that will not be sent (RFC 3748, 4.2).
            let answered = packet.get(1).map_or(0, |next| next.wrapping_sub(1));
            self.reject(&login.question, Some(failure(answered)));
        }
        is_other
    }

    /// Forgets a login that somebody else needs the place of.
    fn drop_login(&mut self, state: &StateKey) {
        if let Some(login) = self.logins.remove(state) {
            self.forget_question(&login);
        }
    }

    /// The question that a worker was busy with is new when it comes again.
    fn forget_question(&mut self, login: &Login) {
        if !login.waits() {
            self.give_up_on(Socket::Authentication, &login.question);
        }
    }

    /// The State tells whose request it is, whichever port it comes from; another access point may go on with a login of the
    /// same device, for two controllers stand in for each other.
    fn continue_login(
        &mut self,
        cx: &Context<'_>,
        question: Question,
        request: &AccessRequest<'_>,
        state: &[u8],
        eap: Vec<u8>,
    ) {
        let key = StateKey::try_from(state).ok();
        let login = key.and_then(|key| self.logins.get_mut(&key).map(|login| (key, login)));
        let is_its = |login: &Login| {
            login.question.access_point == question.access_point || (login.mac.is_some() && login.mac == request.mac)
        };
        let Some((key, login)) = login.filter(|(_, login)| is_its(login)) else {
            // Of before a restart, or given up: the device begins anew at once when it is told so.
            let failure = eap.get(1).map(|&identifier| failure(identifier));
            return self.reject(&question, failure);
        };
        if !login.waits() {
            self.counters.busy += 1;
            return self.give_up_on(Socket::Authentication, &question);
        }
        let through = question.access_point.clone();
        let token = self.logins.begin_work(key);
        let Some(login) = self.logins.get_mut(&key) else { return };
        let Work::Waiting(conversation) = std::mem::replace(&mut login.work, Work::Working { token }) else { return };
        login.touched_at = cx.now.mono;
        if !request.nas.is(&login.nas) {
            login.nas = request.nas.to_string();
        }
        let previous = std::mem::replace(&mut login.question, question);
        self.logins.moved(&key, &through);
        self.authentication_seen.arrived(&previous.key(), previous.authenticator());
        self.compute(token, conversation, EapInput::Response(eap));
    }

    fn compute(&mut self, token: u64, conversation: Box<EapConversation>, input: EapInput) {
        self.outputs.push_back(Output::Compute { token, conversation, input });
    }

    pub(super) fn handle_computed(
        &mut self,
        cx: &mut Context<'_>,
        token: u64,
        conversation: Box<EapConversation>,
        step: EapStep,
    ) {
        let Some(state) = self.logins.end_work(token) else { return };
        let Some(login) = self.logins.get_mut(&state) else { return };
        match step {
            EapStep::Request(packet) => {
                let held_bytes = conversation.held_bytes();
                login.work = Work::Waiting(conversation);
                login.heard_at = login.touched_at;
                login.rounds += 1;
                let question = login.question.clone();
                if login.rounds > 1 {
                    self.logins.went_on(&state);
                }
                if self.makes_room_for(cx, &state, held_bytes, &packet) {
                    self.challenge(&question, &state, &packet);
                }
            }
            EapStep::NeedCredential { username } => {
                let nt_hash = claim(cx, login, username);
                let nt_hash = self.hold_back_guess(cx, &state, nt_hash);
                self.go_on(state, conversation, EapInput::Credential { nt_hash });
            }
            EapStep::Proven { shown, correct, method } => {
                login.method = Some(method);
                match shown {
                    Shown::Username(_) => {} // asked for with `NeedCredential`
                    Shown::Certificate { fingerprint } => login.claim = claim_by_certificate(cx, fingerprint),
                    Shown::Resumed(owner) => login.claim = claim_by_session(cx, &owner),
                }
                let (claim, mac) = (login.claim.clone(), login.mac);
                let refusal = self.judge_claim(cx, &claim, mac, correct).err();
                let allow = refusal.is_none();
                if let Some(login) = self.logins.get_mut(&state) {
                    login.claim.refusal = refusal;
                }
                self.go_on(state, conversation, EapInput::Verdict { allow });
            }
            EapStep::Success { packet, keys, method, shown: _ } => {
                let Some(mut login) = self.logins.remove(&state) else { return };
                login.method = Some(method);
                // On the newest snapshot: a member who was suspended in the middle of her login does not get in.
                match self.judge_claim(cx, &login.claim.clone(), login.mac, true) {
                    Ok(admission) => {
                        if let Some(mac) = login.mac {
                            self.habits.learn(mac, method.outer);
                        }
                        self.accept(cx, &login, &admission, &packet, &keys);
                        self.let_resume(cx, &login, &admission, &conversation);
                    }
                    Err(reason) => {
                        let identifier = packet.get(1).copied().unwrap_or(0);
                        login.claim.refusal = Some(reason);
                        self.refuse(cx, &login, None, &failure(identifier));
                    }
                }
            }
            EapStep::Failure { packet, why } => {
                let Some(login) = self.logins.remove(&state) else { return };
                self.refuse(cx, &login, Some(&why), &packet);
            }
            EapStep::Discard(_) => {
                login.work = Work::Waiting(conversation);
                login.touched_at = login.heard_at;
                let question = login.question.clone();
                self.counters.eap_discarded += 1;
                self.give_up_on(Socket::Authentication, &question);
            }
        }
    }

    /// The device may go on with its TLS session next time, as long as nothing changes about the member, and no longer than her
    /// admission lasts.
    fn let_resume(&mut self, cx: &Context<'_>, login: &Login, admission: &Admission, conversation: &EapConversation) {
        let Some(method) = login.method else { return };
        self.counters.logins_resumed += u64::from(method.resumed);
        let latest = cx.now.mono + RESUMABLE_MAX;
        let owner = SessionOwner {
            member: admission.member,
            credential: admission.credential,
            username: login.claim.username.clone(),
            until: judge_at(cx, admission).map_or(latest, |end| end.min(latest)),
        };
        conversation.keep_session(owner, method.inner);
    }

    /// Gives a login back to a worker.
    fn go_on(&mut self, state: StateKey, conversation: Box<EapConversation>, input: EapInput) {
        let token = self.logins.begin_work(state);
        if let Some(login) = self.logins.get_mut(&state) {
            login.work = Work::Working { token };
        }
        self.compute(token, conversation, input);
    }

    /// Whether who has shown a key may come in.
    fn judge_claim(
        &self,
        cx: &Context<'_>,
        claim: &Claim,
        mac: Option<MacAddress>,
        correct: bool,
    ) -> Result<Admission, Reason> {
        if let Some(held) = &claim.held {
            return Err(held.clone());
        }
        let (Some(credential), Some(member)) = (claim.credential, claim.member) else {
            return Err(if claim.certificate.is_some() { Reason::UnknownCertificate } else { Reason::UnknownMember });
        };
        if !correct {
            return Err(Reason::WrongKey);
        }
        self.may_join(cx, member, &WifiQuestion { credential, mac, stage: Stage::Joining })
    }

    /// Whether policy lets a device in whose credential is known, and the table of sessions has room for it.
    pub(super) fn may_join(
        &self,
        cx: &Context<'_>,
        member: MemberId,
        question: &WifiQuestion,
    ) -> Result<Admission, Reason> {
        let live = self.sessions.live_devices(member);
        let admission = admit(cx.snapshot, &WifiFacts { live: &live }, question, cx.now)?;
        match self.sessions.has_room_for(question.mac) {
            true => Ok(admission),
            false => Err(Reason::TooManySessions { limit: SESSIONS_OF_LOGINS_MAX }),
        }
    }

    pub(super) fn handle_compute_lost(&mut self, token: u64) {
        let Some(state) = self.logins.end_work(token) else { return };
        self.counters.logins_lost += 1;
        if let Some(login) = self.logins.remove(&state) {
            self.give_up_on(Socket::Authentication, &login.question);
        }
    }

    pub(super) fn sweep_logins(&mut self, cx: &mut Context<'_>) {
        let now = cx.now.mono;
        let gone = |login: &Login| login.is_endless(now) || login.silent_for(now) >= login.silence_max();
        let gone: Vec<StateKey> =
            self.logins.iter().filter(|(_, login)| gone(login)).map(|(state, _)| *state).collect();
        for state in gone {
            let Some(login) = self.logins.remove(&state) else { continue };
            self.counters.logins_abandoned += 1;
            if !login.waits() {
                self.give_up_on(Socket::Authentication, &login.question);
            }
            if login.rounds > 1 {
                self.abandoned(cx, &login);
            }
        }
    }
}

/// Looks up who the device says it is. An unknown name gets the hash of something random, so that it takes the same steps and
/// the same time as a wrong key.
fn claim(cx: &mut Context<'_>, login: &mut Login, username: String) -> Secret<[u8; 16]> {
    let found = identify(cx.snapshot, &username);
    let dummy = Secret::new(cx.entropy.bytes());
    login.claim = Claim {
        username: Some(username),
        certificate: None,
        credential: found.map(|(credential, _)| credential.id),
        member: found.map(|(credential, _)| credential.member),
        refusal: None,
        held: None,
    };
    found.map_or(dummy, |(_, nt_hash)| nt_hash.clone())
}

/// Looks up whose certificate it is.
fn claim_by_certificate(cx: &Context<'_>, fingerprint: [u8; 32]) -> Claim {
    let found = cx.snapshot.device_certificate(&fingerprint);
    Claim {
        username: None,
        certificate: Some(fingerprint),
        credential: found.map(|credential| credential.id),
        member: found.map(|credential| credential.member),
        refusal: None,
        held: None,
    }
}

/// Looks up whose session it is, as things stand now.
fn claim_by_session(cx: &Context<'_>, owner: &SessionOwner) -> Claim {
    let found = cx.snapshot.credentials.get(&owner.credential);
    Claim {
        username: owner.username.clone(),
        certificate: None,
        credential: found.map(|credential| credential.id),
        member: found.map(|credential| credential.member),
        refusal: None,
        held: None,
    }
}

/// EAP-Failure (RFC 3748, 4.2).
pub(super) fn failure(identifier: u8) -> Vec<u8> {
    vec![4, identifier, 0, 4]
}
