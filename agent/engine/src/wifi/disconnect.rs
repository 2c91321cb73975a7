//! Telling an access point to drop a session, or to go on with it on other terms: a Disconnect- or CoA-Request at once (RFC 5176), again until it answers, and what became
//! of it in sight.
//!
//! ```text
//! told to go --> Asking --ACK, NAK "no such session", or a Stop--> ended
//!                  | \----- NAK ------> Refused   \
//!                  \------- silence --> Silent    / asked again when the access point reports the session again
//! ```

use super::change::changed_terms;
use super::leave::Cause;
use super::presence::SessionPhase;
use super::receive::Way;
use super::session::Session;
use super::terms::{profile_of, with_change};
use super::{Context, Output, Socket, WifiEngine};
use policy::{AccessPoint, CredentialKind, Outcome, SessionRow};
use proto::radius::{AttributeType, Authenticator, Code, Packet, ReplyRule, Writer, radsec};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use values::{Mono, Secret, SessionId, Wall};

/// Times that one Disconnect-Request is sent: at once and after 1, 2, 4, 8 and 16 s, as RFC 5080, 2.2.1 wants it to back off.
const SENDS_MAX: u8 = 6;
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Error-Cause "Session Context Not Found" (RFC 5176, 3.5): it is gone already.
const SESSION_CONTEXT_NOT_FOUND: u32 = 503;
/// How soon to try again when all 256 identifiers of an access point are taken.
const NO_IDENTIFIER_WAIT: Duration = Duration::from_secs(1);

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
        key: (Way, u8),
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
    pub(super) const fn begin(cause: Cause, now: Mono) -> Self {
        Self { cause, progress: Progress::Waiting { next_at: now } }
    }

    pub(super) fn phase(&self) -> SessionPhase {
        match self.progress {
            Progress::Waiting { .. } | Progress::Asking { .. } if self.cause.is_change() => SessionPhase::Changing,
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

    pub(super) fn is_over(&self) -> bool {
        self.next_at().is_none()
    }
}

/// Disconnect-Requests that are out.
#[derive(Debug, Default)]
pub(super) struct Asked {
    sessions: BTreeMap<(Way, u8), SessionId>,
    last_identifier: u8,
}

impl Asked {
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    fn take(&mut self, to: Way, session: SessionId) -> Option<u8> {
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
    /// Sends what is due about a leaving session.
    pub(super) fn press(&mut self, cx: &mut Context<'_>, id: SessionId) {
        let Some(Leaving { progress, .. }) = self.sessions.get(id).and_then(|session| session.leaving.as_ref()) else {
            return;
        };
        match progress {
            Progress::Waiting { .. } => self.ask(cx, id, None, 0),
            Progress::Asking { key, sends, .. } if (1..SENDS_MAX).contains(sends) => {
                let (last, sends) = (key.0, *sends);
                self.ask(cx, id, Some(last), sends);
            }
            Progress::Asking { .. } => self.give_up(cx, id, Progress::Silent),
            Progress::Refused | Progress::Silent => {}
        }
    }

    fn send(&mut self, cx: &Context<'_>, id: SessionId) {
        let Some(leaving) = self.sessions.get_mut(id).and_then(|session| session.leaving.as_mut()) else { return };
        let Leaving { cause, progress: Progress::Asking { key, datagram, sends, next_at, .. } } = leaving else {
            return;
        };
        *next_at = cx.now.mono + FIRST_WAIT * (1 << *sends);
        *sends += 1;
        if cause.is_change() {
            self.counters.changes_sent += 1;
        } else {
            self.counters.disconnects_sent += 1;
        }
        let ((socket, to), datagram) = (key.0, datagram.clone());
        self.outputs.push_back(Output::Send { socket, to, datagram });
    }

    /// Asks, or asks again after so many sends; by another way than the last one where there is one, for that was in vain.
    fn ask(&mut self, cx: &mut Context<'_>, id: SessionId, last: Option<Way>, sends: u8) {
        let Some(session) = self.sessions.get(id) else { return };
        let Some(point) = cx.snapshot.site.access_points.get(&session.row().access_point) else {
            return self.give_up(cx, id, Progress::Silent); // no longer in the site file: nobody to ask
        };
        let Some((to, secret)) = self.way_to(point, last) else {
            return self.wait_for_a_connection(cx, id);
        };
        if last == Some(to) {
            return self.send(cx, id);
        }
        let progress = match self.asked.take(to, id) {
            Some(identifier) => match request(cx, &secret, identifier, session) {
                Some(datagram) => {
                    let authenticator = Packet::decode(&datagram).map_or([0; 16], |packet| *packet.authenticator());
                    let key = (to, identifier);
                    Progress::Asking { key, authenticator, datagram, sends, next_at: cx.now.mono }
                }
                None => {
                    self.counters.unencodable += 1;
                    self.asked.sessions.remove(&(to, identifier));
                    Progress::Refused
                }
            },
            None => Progress::Waiting { next_at: cx.now.mono + NO_IDENTIFIER_WAIT },
        };
        self.set_progress(id, progress);
        self.send(cx, id);
    }

    /// Which way a request goes to an access point, and the secret that signs it: over its own connection, for that is how it
    /// can be reached through whatever is in between; over UDP where it has none, and in turn with it where one was in vain
    /// (hostapd behind a proxy for RadSec listens on UDP alone).
    fn way_to(&self, point: &AccessPoint, last: Option<Way>) -> Option<(Way, Secret<Vec<u8>>)> {
        let line = self.lines.way_to(&point.name).map(|way| (way, Secret::new(radsec::SECRET.to_vec())));
        let udp = point.udp.as_ref().map(|udp| {
            let to = SocketAddr::new(udp.address, udp.coa_port);
            ((Socket::DynamicAuthorization, to), udp.secret.clone())
        });
        match last {
            Some((Socket::RadSec(_), _)) => udp.or(line),
            Some((Socket::Authentication | Socket::Accounting | Socket::DynamicAuthorization, _)) | None => {
                line.or(udp)
            }
        }
    }

    /// The access point comes by RadSec alone, and is not connected.
    fn wait_for_a_connection(&mut self, cx: &mut Context<'_>, id: SessionId) {
        let leaving = self.sessions.get(id).and_then(|session| session.leaving.as_ref());
        if leaving.is_some_and(|leaving| leaving.cause.is_change()) {
            return self.handle_change_unanswered(cx, id);
        }
        let sentence = "The access point is not connected by RadSec, so it cannot be told about the device; it is told when it connects again.";
        self.record_answer(cx, id, Outcome::Warning, "wifi-access-point-unconnected", sentence);
        self.set_progress(id, Progress::Silent);
    }

    /// A datagram at the port from which Disconnect-Requests leave, or an answer to one by RadSec.
    pub(super) fn handle_disconnect_answer(
        &mut self,
        cx: &mut Context<'_>,
        via: Socket,
        from: SocketAddr,
        datagram: &[u8],
    ) {
        let Ok(packet) = Packet::decode(datagram) else {
            self.counters.malformed += 1;
            return;
        };
        let Some(&id) = self.asked.sessions.get(&((via, from), packet.identifier())) else { return };
        let Some(session) = self.sessions.get(id) else { return };
        let Some(Leaving { cause, progress: Progress::Asking { authenticator, .. } }) = &session.leaving else {
            return;
        };
        let is_change = cause.is_change();
        let Some(point) = cx.snapshot.site.access_points.get(&session.row().access_point) else { return };
        let secret = match (via, &point.udp) {
            (Socket::RadSec(_), _) => radsec::SECRET,
            (Socket::Authentication | Socket::Accounting | Socket::DynamicAuthorization, Some(udp)) => {
                udp.secret.expose()
            }
            (Socket::Authentication | Socket::Accounting | Socket::DynamicAuthorization, None) => return,
        };
        let rule = ReplyRule::MessageAuthenticatorOptional;
        if packet.verify_reply(packet.identifier(), authenticator, secret, rule).is_err() {
            self.counters.inauthentic += 1;
            return;
        }
        match packet.code() {
            Code::DisconnectAck if !is_change => {
                self.confirm(cx, id);
                self.end_disconnected(cx, id);
            }
            Code::CoaAck => self.handle_changed(cx, id),
            Code::CoaNak => self.handle_change_refused(cx, id, packet.integer(AttributeType::ERROR_CAUSE)),
            Code::DisconnectNak if !is_change => {
                let knows_all = self.lines.speaks_for_all(point, via);
                self.handle_nak(cx, id, packet.integer(AttributeType::ERROR_CAUSE), knows_all);
            }
            Code::AccessRequest
            | Code::AccessAccept
            | Code::AccessReject
            | Code::AccountingRequest
            | Code::AccountingResponse
            | Code::AccessChallenge
            | Code::StatusServer
            | Code::DisconnectRequest
            | Code::CoaRequest
            // To a CoA-Request: the device has not gone.
            | Code::DisconnectAck
            | Code::DisconnectNak => self.counters.malformed += 1,
        }
    }

    /// The access point has disconnected a session that had to go: it says so, or reports the end before it does.
    pub(super) fn confirm(&mut self, cx: &mut Context<'_>, id: SessionId) {
        let leaving = self.sessions.get(id).and_then(|session| session.leaving.as_ref());
        if leaving.is_some_and(|leaving| !leaving.cause.is_change()) {
            self.counters.disconnects_confirmed += 1;
            let sentence = "The access point disconnected the device.";
            self.record_answer(cx, id, Outcome::Noted, "wifi-disconnected", sentence);
        }
    }

    /// `knows_all`: who answers would know the session if there were one.
    fn handle_nak(&mut self, cx: &mut Context<'_>, id: SessionId, cause: Option<u32>, knows_all: bool) {
        self.counters.disconnects_refused += 1;
        if cause == Some(SESSION_CONTEXT_NOT_FOUND) && knows_all {
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
        let sentence = match cause {
            Some(SESSION_CONTEXT_NOT_FOUND) => "The access point that was asked has no such session, but several are one in the site file, and the device may be at another; it goes when its session times out. Give each access point a name and a certificate of its own.".to_owned(),
            Some(cause) => refused(&format!("with Error-Cause {cause}")),
            None => refused("without a cause"),
        };
        self.record_answer(cx, id, Outcome::Warning, "wifi-disconnect-refused", &sentence);
        self.set_progress(id, Progress::Refused);
    }

    fn give_up(&mut self, cx: &mut Context<'_>, id: SessionId, progress: Progress) {
        let leaving = self.sessions.get(id).and_then(|session| session.leaving.as_ref());
        if leaving.is_some_and(|leaving| leaving.cause.is_change()) {
            return self.handle_change_unanswered(cx, id);
        }
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

    pub(super) fn record_answer(
        &mut self,
        cx: &mut Context<'_>,
        id: SessionId,
        outcome: Outcome,
        code: &str,
        sentence: &str,
    ) {
        let Some(session) = self.sessions.get(id) else { return };
        let record = super::about(cx, session.row(), outcome, code, sentence.to_owned());
        self.outputs.push_back(Output::Record(record));
    }
}

/// A Disconnect-Request, or a CoA-Request with the new terms, that names the session in every way we know (RFC 5176, 3). Event-Timestamp only when the time is
/// known: an access point drops a request that it takes for an old one.
fn request(cx: &Context<'_>, secret: &Secret<Vec<u8>>, identifier: u8, session: &Session) -> Option<Vec<u8>> {
    let row = session.row();
    let code = if changed_terms(session).is_some() { Code::CoaRequest } else { Code::DisconnectRequest };
    let mut writer = Writer::request(code, identifier, [0; 16]);
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
    if !row.username.0.is_empty() && !came_by_address(cx, row) {
        writer = writer.text(AttributeType::USER_NAME, &row.username.0);
    }
    if let Some(terms) = changed_terms(session) {
        writer = with_change(cx, writer, profile_of(cx, &row.access_point), terms);
    }
    writer.finish(secret.expose()).ok()
}

fn refused(how: &str) -> String {
    format!(
        "The access point refused to disconnect the device ({how}); allow dynamic authorization (RFC 5176) for this box there."
    )
}

/// Whether the device logged in by its address, with a passphrase or without. hostapd then compares no User-Name with what it
/// was told: it finds no session by one, and would say that there is none.
fn came_by_address(cx: &Context<'_>, row: &SessionRow) -> bool {
    let credential = row.credential.and_then(|credential| cx.snapshot.credentials.get(&credential));
    match credential.map(|credential| &credential.kind) {
        Some(CredentialKind::WifiPassphrase { .. } | CredentialKind::RegisteredDevice { .. }) => true,
        Some(
            CredentialKind::WifiKey { .. }
            | CredentialKind::DeviceCertificate { .. }
            | CredentialKind::Badge { .. }
            | CredentialKind::PrintToken { .. },
        ) => false,
        None => row.mac.is_some() && row.username.0.parse().ok() == row.mac,
    }
}
