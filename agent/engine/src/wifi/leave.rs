//! Sessions that have to go: a Disconnect-Request at once (RFC 5176), again until the access point answers, and what became of
//! it in sight. Who has to go is decided by policy, whenever the snapshot changes or the terms of a session end.
//!
//! ```text
//! told to go --> Asking --ACK, or NAK "no such session"--> ended
//!                  | \----- NAK ------> Refused   \
//!                  \------- silence --> Silent    / asked again when the access point reports the session again
//! ```

use super::presence::SessionPhase;
use super::{Context, Output, Socket, WifiEngine};
use policy::wifi::{Admission, Stage as Asking, WifiFacts, WifiQuestion, admit};
use policy::{AccessPoint, Outcome, Reason, Snapshot};
use proto::radius::{AttributeType, Authenticator, Code, Packet, ReplyRule, Writer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use values::{MemberId, Mono, SessionId, Wall};

/// Times that one Disconnect-Request is sent: at once and after 1, 2, 4, 8 and 16 s, as RFC 5080, 2.2.1 wants it to back off.
const SENDS_MAX: u8 = 6;
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Error-Cause "Session Context Not Found" (RFC 5176, 3.5): it is gone already.
const SESSION_CONTEXT_NOT_FOUND: u32 = 503;
/// How soon to try again when all 256 identifiers of an access point are taken.
const NO_IDENTIFIER_WAIT: Duration = Duration::from_secs(1);

/// Why a session has to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Policy says no.
    Refused(Reason),
    /// Policy says yes, on another network; the device comes back by itself.
    Moved,
    /// Somebody asked for it.
    Kicked,
}

impl Cause {
    const fn code(&self) -> &'static str {
        match self {
            Self::Refused(reason) => reason.code(),
            Self::Moved => "network-changed",
            Self::Kicked => "kicked",
        }
    }
}

#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) cause: Cause,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// Waits for an identifier.
    Waiting {
        next_at: Mono,
    },
    Asking {
        key: (SocketAddr, u8),
        authenticator: Authenticator,
        datagram: Vec<u8>,
        sends: u8,
        next_at: Mono,
    },
    /// The access point said no.
    Refused,
    /// It said nothing.
    Silent,
}

impl Leaving {
    pub(super) fn phase(&self) -> SessionPhase {
        match self.progress {
            Progress::Waiting { .. } | Progress::Asking { .. } => SessionPhase::Disconnecting,
            Progress::Refused | Progress::Silent => SessionPhase::DisconnectFailed,
        }
    }

    fn next_at(&self) -> Option<Mono> {
        match self.progress {
            Progress::Waiting { next_at } | Progress::Asking { next_at, .. } => Some(next_at),
            Progress::Refused | Progress::Silent => None,
        }
    }

    fn is_over(&self) -> bool {
        self.next_at().is_none()
    }
}

/// Disconnect-Requests that are out.
#[derive(Debug, Default)]
pub(super) struct Asked {
    sessions: BTreeMap<(SocketAddr, u8), SessionId>,
    last_identifier: u8,
}

impl Asked {
    fn take(&mut self, to: SocketAddr, session: SessionId) -> Option<u8> {
        let free = (1..=u8::MAX).map(|step| self.last_identifier.wrapping_add(step));
        let identifier = free.into_iter().find(|&identifier| !self.sessions.contains_key(&(to, identifier)))?;
        self.last_identifier = identifier;
        self.sessions.insert((to, identifier), session);
        Some(identifier)
    }

    /// A first identifier that differs from run to run, so that an access point does not take a request for an old one.
    pub(super) fn start_at(&mut self, identifier: u8) {
        self.last_identifier = identifier;
    }
}

impl WifiEngine {
    /// Disconnects a session because somebody wants it so.
    ///
    /// # Errors
    /// There is no such session.
    pub fn kick(&mut self, cx: &mut Context<'_>, session: SessionId) -> Result<(), Reason> {
        if self.sessions.get(session).is_none() {
            return Err(Reason::UnknownSession);
        }
        self.send_away(cx, session, Cause::Kicked);
        self.finish(cx);
        Ok(())
    }

    /// Judges again whom the change may concern.
    pub(super) fn handle_snapshot_changed(&mut self, cx: &mut Context<'_>, old: &Arc<Snapshot>) {
        match concerned(old, cx.snapshot) {
            Concerned::Everybody => self.judge_all(cx),
            Concerned::Members(members) => {
                let ids: Vec<SessionId> = members.iter().flat_map(|&member| self.sessions.of_member(member)).collect();
                ids.into_iter().for_each(|id| self.judge(cx, id));
            }
        }
    }

    pub(super) fn judge_all(&mut self, cx: &mut Context<'_>) {
        self.sessions.ids().into_iter().for_each(|id| self.judge(cx, id));
    }

    /// Whether a live session may stay; if not, it is sent away, and if it may again, it is left in peace.
    pub(super) fn judge(&mut self, cx: &mut Context<'_>, id: SessionId) {
        let Some(session) = self.sessions.get(id) else { return };
        let Some(credential) = session.row().credential else { return };
        let question = WifiQuestion { credential, mac: session.row().mac, stage: Asking::Running };
        let verdict = admit(cx.snapshot, &WifiFacts::default(), &question, cx.now);
        let moved = verdict.as_ref().is_ok_and(|terms| {
            session.row().vlan != terms.vlan || session.row().network.as_ref() != Some(&terms.network)
        });
        match verdict {
            Ok(_) if moved => self.send_away(cx, id, Cause::Moved),
            Ok(terms) => self.leave_in_peace(cx, id, &terms),
            Err(reason) => self.send_away(cx, id, Cause::Refused(reason)),
        }
    }

    fn leave_in_peace(&mut self, cx: &Context<'_>, id: SessionId, terms: &Admission) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.judge_at = judge_at(cx, terms);
        let pardoned = session.leaving.as_ref().is_some_and(|leaving| leaving.cause != Cause::Kicked);
        if pardoned {
            self.withdraw(id);
            self.dirty = true;
        }
    }

    /// Begins to disconnect a session, or begins anew when the last attempt is over; otherwise lets it go on.
    pub(super) fn send_away(&mut self, cx: &mut Context<'_>, id: SessionId, cause: Cause) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.judge_at = None;
        if let Some((key, authenticator)) = session.accepted.take() {
            self.authentication_seen.arrived(key, &authenticator);
        }
        match &mut session.leaving {
            Some(leaving) if !leaving.is_over() => {
                leaving.cause = cause;
                return;
            }
            Some(_) => {}
            None => self.note(cx, id, &cause),
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.leaving = Some(Leaving { cause, progress: Progress::Waiting { next_at: cx.now.mono } });
        self.pressing.insert(id);
        self.dirty = true;
        self.press(cx, id);
    }

    /// Sends what is due about a leaving session.
    pub(super) fn press(&mut self, cx: &mut Context<'_>, id: SessionId) {
        let Some(Leaving { progress, .. }) = self.sessions.get_mut(id).and_then(|session| session.leaving.as_mut())
        else {
            return;
        };
        match progress {
            Progress::Waiting { .. } => self.ask(cx, id),
            Progress::Asking { key, datagram, sends, next_at, .. } if *sends < SENDS_MAX => {
                *next_at = cx.now.mono + FIRST_WAIT * (1 << *sends);
                *sends += 1;
                self.counters.disconnects_sent += 1;
                let (to, datagram) = (key.0, datagram.clone());
                self.outputs.push_back(Output::Send { socket: Socket::DynamicAuthorization, to, datagram });
            }
            Progress::Asking { .. } => self.give_up(cx, id, Progress::Silent),
            Progress::Refused | Progress::Silent => {}
        }
    }

    fn ask(&mut self, cx: &mut Context<'_>, id: SessionId) {
        let Some(session) = self.sessions.get(id) else { return };
        let Some(point) = cx.snapshot.site.access_points.get(&session.row().access_point) else {
            return self.give_up(cx, id, Progress::Silent); // no longer in the site file: nobody to ask
        };
        let to = SocketAddr::new(point.address, point.coa_port);
        let progress = match self.asked.take(to, id) {
            Some(identifier) => match request(cx, point, identifier, session.row()) {
                Some(datagram) => {
                    let authenticator = Packet::decode(&datagram).map_or([0; 16], |packet| *packet.authenticator());
                    let key = (to, identifier);
                    Progress::Asking { key, authenticator, datagram, sends: 0, next_at: cx.now.mono }
                }
                None => {
                    self.counters.unencodable += 1;
                    self.asked.sessions.remove(&(to, identifier));
                    Progress::Refused
                }
            },
            None => Progress::Waiting { next_at: cx.now.mono + NO_IDENTIFIER_WAIT },
        };
        let is_asking = matches!(progress, Progress::Asking { .. });
        self.set_progress(id, progress);
        if is_asking {
            self.press(cx, id);
        }
    }

    /// A datagram at the port from which Disconnect-Requests leave.
    pub(super) fn handle_disconnect_answer(&mut self, cx: &mut Context<'_>, from: SocketAddr, datagram: &[u8]) {
        let Ok(packet) = Packet::decode(datagram) else {
            self.counters.malformed += 1;
            return;
        };
        let Some(&id) = self.asked.sessions.get(&(from, packet.identifier())) else { return };
        let Some(session) = self.sessions.get(id) else { return };
        let Some(Leaving { progress: Progress::Asking { authenticator, .. }, .. }) = &session.leaving else { return };
        let Some(point) = cx.snapshot.site.access_points.get(&session.row().access_point) else { return };
        let rule = ReplyRule::MessageAuthenticatorOptional;
        if packet.verify_reply(packet.identifier(), authenticator, point.secret.expose(), rule).is_err() {
            self.counters.inauthentic += 1;
            return;
        }
        match packet.code() {
            Code::DisconnectAck => {
                self.confirm(cx, id);
                self.end(cx, id, "disconnected");
            }
            Code::DisconnectNak => self.handle_nak(cx, id, packet.integer(AttributeType::ERROR_CAUSE)),
            Code::AccessRequest
            | Code::AccessAccept
            | Code::AccessReject
            | Code::AccountingRequest
            | Code::AccountingResponse
            | Code::AccessChallenge
            | Code::StatusServer
            | Code::DisconnectRequest
            | Code::CoaRequest
            | Code::CoaAck
            | Code::CoaNak => self.counters.malformed += 1,
        }
    }

    /// The access point has disconnected a session that had to go: it says so, or reports the end before it does.
    pub(super) fn confirm(&mut self, cx: &mut Context<'_>, id: SessionId) {
        if self.sessions.get(id).is_some_and(|session| session.leaving.is_some()) {
            self.counters.disconnects_confirmed += 1;
            let sentence = "The access point disconnected the device.";
            self.record_answer(cx, id, Outcome::Noted, "wifi-disconnected", sentence);
        }
    }

    fn handle_nak(&mut self, cx: &mut Context<'_>, id: SessionId, cause: Option<u32>) {
        self.counters.disconnects_refused += 1;
        if cause == Some(SESSION_CONTEXT_NOT_FOUND) {
            self.record_answer(
                cx,
                id,
                Outcome::Noted,
                "wifi-disconnected",
                "The access point had no such session any more.",
            );
            self.end(cx, id, "gone");
            return;
        }
        let cause = cause.map_or_else(|| "without a cause".to_owned(), |cause| format!("with Error-Cause {cause}"));
        let sentence = format!(
            "The access point refused to disconnect the device ({cause}); allow dynamic authorization (RFC 5176) for this box there."
        );
        self.record_answer(cx, id, Outcome::Warning, "wifi-disconnect-refused", &sentence);
        self.set_progress(id, Progress::Refused);
    }

    fn give_up(&mut self, cx: &mut Context<'_>, id: SessionId, progress: Progress) {
        self.counters.disconnects_unanswered += 1;
        self.record_answer(
            cx,
            id,
            Outcome::Warning,
            "wifi-disconnect-silent",
            "The access point did not answer the Disconnect-Request; the device goes when its session times out. Check the CoA port of the access point and that it accepts dynamic authorization (RFC 5176) from this box.",
        );
        self.set_progress(id, progress);
    }

    fn set_progress(&mut self, id: SessionId, progress: Progress) {
        let Some(leaving) = self.sessions.get_mut(id).and_then(|session| session.leaving.as_mut()) else { return };
        if let Progress::Asking { key, .. } = &leaving.progress {
            self.asked.sessions.remove(key);
        }
        leaving.progress = progress;
        if leaving.is_over() {
            self.pressing.remove(&id);
        }
        self.dirty = true;
    }

    /// The session may stay, or is over: its request is not repeated.
    pub(super) fn withdraw(&mut self, id: SessionId) {
        self.pressing.remove(&id);
        let Some(leaving) = self.sessions.get_mut(id).and_then(|session| session.leaving.take()) else { return };
        if let Progress::Asking { key, .. } = leaving.progress {
            self.asked.sessions.remove(&key);
        }
    }

    /// The access point reports a session that should be gone: it did not get the message, or did not heed it.
    pub(super) fn press_again(&mut self, cx: &mut Context<'_>, id: SessionId) {
        let leaving = self.sessions.get(id).and_then(|session| session.leaving.as_ref());
        if let Some(cause) = leaving.filter(|leaving| leaving.is_over()).map(|leaving| leaving.cause.clone()) {
            self.send_away(cx, id, cause);
        }
    }

    pub(super) fn press_all(&mut self, cx: &mut Context<'_>) {
        let due = |id: &&SessionId| self.press_at(**id).is_some_and(|next_at| next_at <= cx.now.mono);
        let due: Vec<SessionId> = self.pressing.iter().filter(due).copied().collect();
        due.into_iter().for_each(|id| self.press(cx, id));
    }

    pub(super) fn next_press_at(&self) -> Option<Mono> {
        self.pressing.iter().filter_map(|&id| self.press_at(id)).min()
    }

    fn press_at(&self, id: SessionId) -> Option<Mono> {
        self.sessions.get(id)?.leaving.as_ref()?.next_at()
    }

    fn note(&mut self, cx: &mut Context<'_>, id: SessionId, cause: &Cause) {
        let sentence = match cause {
            Cause::Refused(reason) => format!("The device is being disconnected. {}", reason.sentence()),
            Cause::Moved => "The device is being disconnected, so that it comes back on its new network.".to_owned(),
            Cause::Kicked => "The device is being disconnected because an operator asked for it.".to_owned(),
        };
        let fact = cause.code();
        let Some(session) = self.sessions.get(id) else { return };
        let record =
            super::about(cx, session.row(), Outcome::Noted, "wifi-disconnecting", sentence).fact("cause", fact);
        self.outputs.push_back(Output::Record(record));
    }

    fn record_answer(&mut self, cx: &mut Context<'_>, id: SessionId, outcome: Outcome, code: &str, sentence: &str) {
        let Some(session) = self.sessions.get(id) else { return };
        let record = super::about(cx, session.row(), outcome, code, sentence.to_owned());
        self.outputs.push_back(Output::Record(record));
    }
}

/// When the terms of a session end, on the clock that timers use.
pub(super) fn judge_at(cx: &Context<'_>, terms: &Admission) -> Option<Mono> {
    let left = terms.ends_at?.0.saturating_sub(cx.now.stamp().0);
    Some(cx.now.mono + Duration::from_millis(u64::try_from(left).unwrap_or(0)))
}

/// A Disconnect-Request that names the session in every way we know (RFC 5176, 3). Event-Timestamp only when the time is
/// known: an access point drops a request that it takes for an old one.
fn request(cx: &Context<'_>, point: &AccessPoint, identifier: u8, row: &policy::SessionRow) -> Option<Vec<u8>> {
    let mut writer = Writer::request(Code::DisconnectRequest, identifier, [0; 16]);
    match cx.now.wall {
        Wall::Trusted(at) => {
            writer = writer.integer(AttributeType::EVENT_TIMESTAMP, u32::try_from(at.seconds()).ok()?);
        }
        Wall::Unsynced(_) => {}
    }
    if !row.acct_session_id.is_empty() {
        writer =
            writer.attribute(AttributeType::ACCT_SESSION_ID, &super::accounting::wire_session_id(&row.acct_session_id));
    }
    if let Some(mac) = row.mac {
        let station = mac.to_string().to_uppercase().replace(':', "-");
        writer = writer.text(AttributeType::CALLING_STATION_ID, &station);
    }
    if !row.username.0.is_empty() {
        writer = writer.text(AttributeType::USER_NAME, &row.username.0);
    }
    writer.finish(point.secret.expose()).ok()
}

/// Whom a change of the snapshot may concern.
enum Concerned {
    Everybody,
    Members(BTreeSet<MemberId>),
}

fn concerned(old: &Snapshot, new: &Snapshot) -> Concerned {
    if !Arc::ptr_eq(&old.site, &new.site) || !Arc::ptr_eq(&old.teams, &new.teams) {
        return Concerned::Everybody;
    }
    let mut members = BTreeSet::new();
    differing(&old.members, &new.members, |member| members.insert(member.id));
    differing(&old.credentials, &new.credentials, |credential| members.insert(credential.member));
    differing(&old.passes, &new.passes, |pass| members.insert(pass.member));
    Concerned::Members(members)
}

/// Calls `tell` with every value that is in one map and not, as the same value, in the other.
fn differing<K: Ord, V>(
    old: &policy::snapshot::Shared<K, V>,
    new: &policy::snapshot::Shared<K, V>,
    mut tell: impl FnMut(&V) -> bool,
) {
    if Arc::ptr_eq(old, new) {
        return;
    }
    for (one, other) in [(old, new), (new, old)] {
        for (key, value) in one.iter() {
            if !other.get(key).is_some_and(|known| Arc::ptr_eq(known, value)) {
                tell(value);
            }
        }
    }
}
