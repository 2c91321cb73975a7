//! What a login is answered with: Access-Challenge, Access-Accept with the terms, Access-Reject; and what is written down.

use super::leave::judge_at;
use super::login::{Login, StateKey};
use super::receive::Question;
use super::session::{NasOf, PLACE_HELD, Session, Stage};
use super::terms::with_terms;
use super::{Context, Socket, WifiEngine, about, record};
use policy::wifi::Admission;
use policy::{CredentialKind, Outcome, SessionRow};
use proto::eap::{EapFailure, SessionKeys};
use proto::radius::{AttributeType, Code, SessionKeyPair};
use std::time::Duration;
use values::{MacAddress, Pii, SessionId};

/// How often the access point reports a running session. RFC 2869, 5.16: not below 600 s.
pub(super) const INTERIM_INTERVAL: Duration = Duration::from_secs(600);

impl WifiEngine {
    pub(super) fn challenge(&mut self, question: &Question, state: &StateKey, packet: &[u8]) {
        self.counters.access_challenges += 1;
        let reply = question.reply(Code::AccessChallenge).eap_message(packet).attribute(AttributeType::STATE, state);
        self.answer(Socket::Authentication, question, reply);
    }

    /// Says no, with an EAP-Failure where there is a conversation to end.
    pub(super) fn reject(&mut self, question: &Question, failure: Option<Vec<u8>>) {
        self.counters.access_rejects += 1;
        let reply = question.reply(Code::AccessReject).eap_message(failure.as_deref().unwrap_or_default());
        self.answer(Socket::Authentication, question, reply);
    }

    pub(super) fn accept(
        &mut self,
        cx: &mut Context<'_>,
        login: &Login,
        admission: &Admission,
        packet: &[u8],
        keys: &SessionKeys,
    ) {
        self.learn_success(login, admission.credential);
        let username = canonical_username(cx, admission, login);
        let (question, nas) = (&login.question, login.nas.as_str());
        let arrival = Arrival { question, nas, mac: login.mac, username: &username, proven: true };
        let session = self.take_place(cx, &arrival, admission);
        let pair =
            SessionKeyPair { recv: keys.recv_key.expose(), send: keys.send_key.expose(), salt: cx.entropy.bytes() };
        let question = &login.question;
        let reply = question
            .reply(Code::AccessAccept)
            .eap_message(packet)
            .session_keys(pair, question.secret.expose())
            .text(AttributeType::USER_NAME, &username)
            .text(AttributeType::CLASS, &session.to_string());
        let reply = with_terms(cx, reply, question, admission);
        self.counters.access_accepts += 1;
        self.answer(Socket::Authentication, question, reply);
        let method = login.method.map(|method| method.to_string());
        self.record_admission(cx, question, method, session, admission);
    }

    pub(super) fn record_admission(
        &mut self,
        cx: &mut Context<'_>,
        question: &Question,
        method: Option<String>,
        session: SessionId,
        admission: &Admission,
    ) {
        let Some(row) = self.sessions.get(session).map(|session| session.row().clone()) else { return };
        let sentence = format!("Let in on {}.", admission.place());
        let mut admitted = about(cx, &row, Outcome::Allowed, "wifi-admitted", sentence);
        if let Some(vlan) = admission.vlan_withheld {
            admitted = admitted.fact("vlan_withheld", vlan);
        }
        if question.unsigned {
            admitted = admitted.fact("message_authenticator", "missing");
        }
        if let Some(method) = method {
            admitted = admitted.fact("method", method);
        }
        self.record(admitted);
    }

    /// Says no to a login. What policy said goes before what EAP says.
    pub(super) fn refuse(&mut self, cx: &mut Context<'_>, login: &Login, why: Option<&EapFailure>, failure: &[u8]) {
        self.reject(&login.question, Some(failure.to_vec()));
        let (code, sentence) = match (&login.claim.refusal, why) {
            (Some(reason), _) => (reason.code(), reason.sentence()),
            (None, Some(why)) => (why.code(), why.sentence()),
            (None, None) => ("denied", "The login was refused.".to_owned()),
        };
        self.record_refusal(cx, login, code, sentence);
        self.learn_failure(login, why, cx.now.mono);
    }

    /// The device went silent in the middle: after our alert, which says why, else most often because it does not trust our
    /// certificate and does not say so.
    pub(super) fn abandoned(&mut self, cx: &mut Context<'_>, login: &Login) {
        if let Some(why) = login.broken_off_by() {
            return self.record_refusal(cx, login, why.code(), why.sentence());
        }
        self.learn_failure(login, Some(&EapFailure::RoundsExceeded), cx.now.mono);
        if login.is_endless(cx.now.mono) {
            let sentence = "The device did not end its login within two minutes, so it was given up; bad reception may repeat or spoil what it sends. Let it connect again nearer to the access point.";
            return self.record_refusal(cx, login, "eap-too-slow", sentence.to_owned());
        }
        let sentence = "The device stopped answering in the middle of its login; it may not trust this box's certificate, or have gone out of reach. Install the Wi-Fi profile on it.";
        self.record_refusal(cx, login, "eap-abandoned", sentence.to_owned());
    }

    /// What a device was sending is too large while others send much too.
    pub(super) fn record_shed_message(&mut self, cx: &mut Context<'_>, login: &Login) {
        let sentence = "The device was sending a very long message while many others did, and the box has no room for all of them; somebody may be flooding it. The device may try again at once.";
        self.record_refusal(cx, login, "eap-no-room", sentence.to_owned());
    }

    fn record_refusal(&mut self, cx: &mut Context<'_>, login: &Login, code: &str, sentence: String) {
        let mut refused = record(cx, Outcome::Refused, code, sentence)
            .member(login.claim.member)
            .credential(login.claim.credential)
            .place(&login.question.access_point);
        if let Some(method) = login.method {
            refused = refused.fact("method", method);
        }
        if let Some(username) = &login.claim.username {
            refused = refused.personal("username", username.clone());
        }
        if let Some(certificate) = &login.claim.certificate {
            refused = refused.personal("certificate", hex(certificate));
        }
        if let Some(mac) = login.mac {
            refused = refused.personal("mac", mac.to_string());
        }
        self.write_refusal(cx, login.mac, login.claim.username.as_deref(), refused);
    }

    /// Holds the device's place, if it has shown a key: an address anybody can take from the air, so somebody who sends hers could
    /// fill a member's places with it. A device that only has its address takes its place when the access point reports it, if
    /// there still is one (`Session::is_extra`).
    ///
    /// A device that logs in again where its session runs keeps the session: access points go on
    /// with the same Acct-Session-Id then, and tell no new Start.
    pub(super) fn take_place(
        &mut self,
        cx: &mut Context<'_>,
        arrival: &Arrival<'_>,
        admission: &Admission,
    ) -> SessionId {
        let question = arrival.question;
        let timeout = Duration::from_secs(u64::from(admission.session_timeout_seconds));
        let running = self.running_here(arrival, admission);
        let accepted = Some((question.key(), *question.authenticator()));
        self.dirty = true;
        if let Some(id) = running {
            self.withdraw(id);
            if let Some(session) = self.sessions.get_mut(id) {
                session.timeout = timeout;
                arrival.nas.clone_into(&mut session.asked_by);
                session.began = cx.now.mono;
                session.accepted = accepted;
                session.judge_at = judge_at(cx, admission);
                session.begin_terms(admission);
                session.proven |= arrival.proven;
                session.stage = refreshed(cx, session.stage, timeout, arrival.proven);
                session.repeated_until = (!arrival.proven).then_some(cx.now.mono + timeout);
                let row = session.row_mut();
                row.credential = Some(admission.credential);
                // What the Access-Accept says; a Disconnect-Request must name the session by it.
                row.username = Pii(arrival.username.to_owned());
                row.network = Some(admission.network.clone());
                if row.vlan != admission.vlan {
                    row.ip = None; // that of another network
                }
                row.vlan = admission.vlan;
                row.seen_at = cx.now.stamp();
            }
            if arrival.proven {
                self.end_unreported_elsewhere(cx, id);
            }
            return id;
        }
        let id = SessionId::generate(cx.entropy);
        let row = SessionRow {
            id,
            access_point: question.access_point.clone(),
            nas: arrival.nas.to_owned(),
            acct_session_id: String::new(),
            member: Some(admission.member),
            credential: Some(admission.credential),
            username: Pii(arrival.username.to_owned()),
            mac: arrival.mac,
            ip: None,
            network: Some(admission.network.clone()),
            vlan: admission.vlan,
            started_at: cx.now.stamp(),
            seen_at: cx.now.stamp(),
            ended_at: None,
            rx_bytes: 0,
            tx_bytes: 0,
            end_cause: None,
        };
        if self.sessions.has_only_its_own() {
            let elsewhere = arrival.mac.map(|mac| self.sessions.of_device(mac)).unwrap_or_default();
            elsewhere.into_iter().for_each(|other| self.end(cx, other, "superseded"));
        }
        let stage = admitted(cx, timeout, arrival.proven);
        let mut session = Session::new(row, stage, timeout);
        arrival.nas.clone_into(&mut session.asked_by);
        session.began = cx.now.mono;
        session.judge_at = judge_at(cx, admission);
        session.begin_terms(admission);
        session.accepted = accepted;
        session.proven = arrival.proven;
        self.sessions.insert(session);
        if arrival.proven {
            self.end_unreported_elsewhere(cx, id);
        }
        id
    }

    fn running_here(&self, arrival: &Arrival<'_>, admission: &Admission) -> Option<SessionId> {
        let here = NasOf { access_point: &arrival.question.access_point, nas: arrival.nas };
        // An address goes on with no session that a key began, or revoking that key would not end it.
        let is_its = |row: &SessionRow| arrival.proven || row.credential == Some(admission.credential);
        let is_it = |session: &Session| {
            session.is_at(here) && session.row().member == Some(admission.member) && is_its(session.row())
        };
        self.sessions.of_device(arrival.mac?).into_iter().find(|&id| self.sessions.get(id).is_some_and(is_it))
    }
}

/// Who was let in, and where.
pub(super) struct Arrival<'a> {
    pub(super) question: &'a Question,
    /// What the NAS calls itself.
    pub(super) nas: &'a str,
    pub(super) mac: Option<MacAddress>,
    pub(super) username: &'a str,
    /// It has shown a key, or a handshake that its passphrase fits.
    pub(super) proven: bool,
}

/// The stage of a session that its access point has not reported yet.
fn admitted(cx: &Context<'_>, timeout: Duration, proven: bool) -> Stage {
    match proven {
        true => Stage::Admitted { place_until: cx.now.mono + PLACE_HELD },
        false => Stage::Unreported { until: cx.now.mono + timeout },
    }
}

/// The stage of a session whose device has logged in again. A place is not held longer for an address: whoever repeats it would keep
/// it for ever after a Stop that was lost.
fn refreshed(cx: &Context<'_>, stage: Stage, timeout: Duration, proven: bool) -> Stage {
    match stage {
        Stage::Admitted { .. } | Stage::Open { .. } if !proven => stage,
        Stage::Admitted { .. } | Stage::Unreported { .. } => admitted(cx, timeout, proven),
        Stage::Open { silent_at } => Stage::Open { silent_at: silent_at.max(cx.now.mono + timeout) },
    }
}

/// The user name as it was issued, whatever realm or case the device put around it.
fn canonical_username(cx: &Context<'_>, admission: &Admission, login: &Login) -> String {
    let kind = cx.snapshot.credentials.get(&admission.credential).map(|credential| &credential.kind);
    match kind {
        Some(CredentialKind::WifiKey { username, .. }) => username.clone(),
        // What nobody types needs no name; the id leads to the member and says nothing about her.
        Some(CredentialKind::DeviceCertificate { .. }) => admission.credential.to_string(),
        Some(
            CredentialKind::Badge { .. }
            | CredentialKind::PrintToken { .. }
            | CredentialKind::WifiPassphrase { .. }
            | CredentialKind::RegisteredDevice { .. },
        )
        | None => login.claim.username.clone().unwrap_or_default(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
