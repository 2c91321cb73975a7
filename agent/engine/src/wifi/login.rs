//! Logins under way: each is an EAP conversation that is either here, waiting for the device, or with a worker. The State
//! attribute, sixteen random octets, tells the access point's next Access-Request whose it is (RFC 3579, 2.6.1).
//!
//! ```text
//! Access-Request --> Working --Request--> Waiting --Access-Request with State--> Working --> ...
//!                       \--NeedCredential, Proven: answered at once--> Working
//!                        \--Success, Failure--> over        Waiting --60 s--> abandoned
//! ```

use super::receive::Question;
use super::{Context, Output, Socket, WifiEngine};
use policy::Reason;
use policy::wifi::{Admission, Stage, WifiFacts, WifiQuestion, admit, identify};
use proto::eap::{EapConversation, EapFailure, EapInput, EapStep, Method};
use proto::radius::access::AccessRequest;
use std::collections::BTreeMap;
use std::time::Duration;
use values::{CredentialId, MacAddress, MemberId, Mono, Secret};

/// Logins under way at one time: each may hold a TLS connection of some 20 KB, so this is 80 MB at the worst.
const LOGINS_MAX: usize = 4_096;
/// Of those with a worker, how many may be there before no new login is begun. Two cores do this many in a second, and a
/// device that waits longer than three begins again, so taking more in would only make all of them late.
const WORKING_MAX: usize = 1_024;
/// A device that has said nothing for this long has gone.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// The State attribute.
pub(super) type StateKey = [u8; 16];

pub(super) struct Login {
    /// The request that is being answered, or was answered last.
    pub(super) question: Question,
    pub(super) mac: Option<MacAddress>,
    pub(super) claim: Claim,
    /// The method of the last step that knew it.
    pub(super) method: Option<Method>,
    touched_at: Mono,
    /// Requests of the device so far.
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
}

enum Work {
    Waiting(Box<EapConversation>),
    Working { token: u64 },
}

/// Who the device says it is, inside the tunnel, and what was decided about it.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim {
    pub(super) username: Option<String>,
    pub(super) credential: Option<CredentialId>,
    pub(super) member: Option<MemberId>,
    /// None until a key was shown.
    pub(super) refusal: Option<Reason>,
}

#[derive(Default)]
pub(super) struct Logins {
    by_state: BTreeMap<StateKey, Login>,
    working: BTreeMap<u64, StateKey>,
    last_token: u64,
}

impl Logins {
    pub(super) fn is_empty(&self) -> bool {
        self.by_state.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.by_state.len()
    }

    fn take_in(&self) -> bool {
        self.by_state.len() < LOGINS_MAX && self.working.len() < WORKING_MAX
    }

    fn begin_work(&mut self, state: StateKey) -> u64 {
        self.last_token += 1;
        self.working.insert(self.last_token, state);
        self.last_token
    }
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
    ) {
        let Some(eap) = request.eap.clone() else {
            let place = question.access_point.to_string();
            self.warn(
                cx,
                "wifi-not-eap",
                &place,
                "The access point asks for a login without EAP; set its security to WPA2- or WPA3-Enterprise.",
            );
            return self.reject(&question, None);
        };
        match request.state {
            None => self.begin_login(cx, question, request, eap),
            Some(state) => self.continue_login(cx, question, state, eap),
        }
    }

    fn begin_login(&mut self, cx: &mut Context<'_>, question: Question, request: &AccessRequest<'_>, eap: Vec<u8>) {
        if !self.logins.take_in() {
            self.counters.logins_shed += 1;
            return self.give_up_on(Socket::Authentication, &question);
        }
        let state: StateKey = cx.entropy.bytes();
        let conversation = EapConversation::new(self.eap.clone(), request.framed_mtu, cx.entropy.bytes());
        let token = self.logins.begin_work(state);
        let login = Login {
            question,
            mac: request.mac,
            claim: Claim::default(),
            method: None,
            touched_at: cx.now.mono,
            rounds: 1,
            work: Work::Working { token },
        };
        self.logins.by_state.insert(state, login);
        self.compute(token, Box::new(conversation), EapInput::Response(eap));
    }

    fn continue_login(&mut self, cx: &Context<'_>, question: Question, state: &[u8], eap: Vec<u8>) {
        let key = StateKey::try_from(state).ok();
        let login = key.and_then(|key| self.logins.by_state.get_mut(&key).map(|login| (key, login)));
        let Some((key, login)) = login.filter(|(_, login)| login.question.access_point == question.access_point) else {
            // Of before a restart, or given up: the device begins anew at once when it is told so.
            let failure = eap.get(1).map(|&identifier| failure(identifier));
            return self.reject(&question, failure);
        };
        let token = match login.work {
            Work::Working { .. } => {
                self.counters.busy += 1;
                return self.give_up_on(Socket::Authentication, &question);
            }
            Work::Waiting(_) => {
                self.logins.last_token += 1;
                self.logins.last_token
            }
        };
        let Work::Waiting(conversation) = std::mem::replace(&mut login.work, Work::Working { token }) else { return };
        login.touched_at = cx.now.mono;
        login.rounds += 1;
        let previous = std::mem::replace(&mut login.question, question);
        self.logins.working.insert(token, key);
        self.authentication_seen.arrived(previous.key(), previous.authenticator());
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
        let Some(state) = self.logins.working.remove(&token) else { return };
        let Some(login) = self.logins.by_state.get_mut(&state) else { return };
        match step {
            EapStep::Request(packet) => {
                login.work = Work::Waiting(conversation);
                let question = login.question.clone();
                self.challenge(&question, &state, &packet);
            }
            EapStep::NeedCredential { username } => {
                let nt_hash = claim(cx, login, username);
                self.go_on(state, conversation, EapInput::Credential { nt_hash });
            }
            EapStep::Proven { username: _, correct, method } => {
                login.method = Some(method);
                let (claim, mac) = (login.claim.clone(), login.mac);
                let refusal = self.judge_claim(cx, &claim, mac, correct).err();
                let allow = refusal.is_none();
                if let Some(login) = self.logins.by_state.get_mut(&state) {
                    login.claim.refusal = refusal;
                }
                self.go_on(state, conversation, EapInput::Verdict { allow });
            }
            EapStep::Success { packet, keys, method, username: _ } => {
                let Some(mut login) = self.logins.by_state.remove(&state) else { return };
                login.method = Some(method);
                // On the newest snapshot: a member who was suspended in the middle of her login does not get in.
                match self.judge_claim(cx, &login.claim.clone(), login.mac, true) {
                    Ok(admission) => self.accept(cx, &login, &admission, &packet, &keys),
                    Err(reason) => {
                        let identifier = packet.get(1).copied().unwrap_or(0);
                        login.claim.refusal = Some(reason);
                        self.refuse(cx, &login, None, &failure(identifier));
                    }
                }
            }
            EapStep::Failure { packet, why } => {
                let Some(login) = self.logins.by_state.remove(&state) else { return };
                self.refuse(cx, &login, Some(&why), &packet);
            }
            EapStep::Discard(_) => {
                login.work = Work::Waiting(conversation);
                let question = login.question.clone();
                self.counters.eap_discarded += 1;
                self.give_up_on(Socket::Authentication, &question);
            }
        }
    }

    /// Gives a login back to a worker.
    fn go_on(&mut self, state: StateKey, conversation: Box<EapConversation>, input: EapInput) {
        let token = self.logins.begin_work(state);
        if let Some(login) = self.logins.by_state.get_mut(&state) {
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
        let (Some(credential), Some(member)) = (claim.credential, claim.member) else {
            return Err(Reason::UnknownMember);
        };
        if !correct {
            return Err(Reason::WrongKey);
        }
        let live = self.sessions.live_devices(member);
        admit(cx.snapshot, &WifiFacts { live: &live }, &WifiQuestion { credential, mac, stage: Stage::Joining }, cx.now)
    }

    pub(super) fn handle_compute_lost(&mut self, token: u64) {
        let Some(state) = self.logins.working.remove(&token) else { return };
        self.counters.logins_lost += 1;
        if let Some(login) = self.logins.by_state.remove(&state) {
            self.give_up_on(Socket::Authentication, &login.question);
        }
    }

    pub(super) fn sweep_logins(&mut self, cx: &mut Context<'_>) {
        let gone = |login: &&Login| cx.now.mono.since(login.touched_at) >= IDLE_MAX;
        let gone: Vec<StateKey> =
            self.logins.by_state.iter().filter(|(_, login)| gone(login)).map(|(state, _)| *state).collect();
        for state in gone {
            let Some(login) = self.logins.by_state.remove(&state) else { continue };
            if let Work::Working { token } = login.work {
                self.logins.working.remove(&token);
            }
            self.counters.logins_abandoned += 1;
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
        credential: found.map(|(credential, _)| credential.id),
        member: found.map(|(credential, _)| credential.member),
        refusal: None,
    };
    found.map_or(dummy, |(_, nt_hash)| nt_hash.clone())
}

/// EAP-Failure (RFC 3748, 4.2).
fn failure(identifier: u8) -> Vec<u8> {
    vec![4, identifier, 0, 4]
}
