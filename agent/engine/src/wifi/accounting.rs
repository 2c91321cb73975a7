//! Accounting: what access points report of sessions becomes rows, and is answered once the rows are written down (RFC 2866).
//!
//! A report is applied to the table at once and answered later; when it cannot be written it is not answered, comes again, and
//! applying it again changes nothing but that the rows which could not be written (unwritten.rs) are tried again with it.

use super::answer::INTERIM_INTERVAL;
use super::receive::Question;
use super::session::{AcctKey, NasOf, Session, Stage};
use super::unwritten::Concern;
use super::{Context, Output, Socket, WifiEngine, about};
use policy::wifi::{WifiFacts, WifiQuestion, admit, credential_of_session};
use policy::{CredentialKind, Outcome, SessionRow};
use proto::radius::Code;
use proto::radius::accounting::{AccountingRequest, SessionReport, SessionStatus, terminate_cause_word};
use std::time::Duration;
use values::{AccessPointName, Pii, SessionId, Timestamp};

/// Silence that ends a session whose access point sends interim updates: three missed ones and some patience.
const SILENT_MAX: Duration = Duration::from_secs(3 * INTERIM_INTERVAL.as_secs() + 60);
/// Patience beyond Session-Timeout with an access point that sends none.
const LATE_MAX: Duration = Duration::from_secs(15 * 60);
/// Session-Timeout of a session that was open before a restart, or that this box did not admit: the longest there is.
const TIMEOUT_UNKNOWN: Duration = Duration::from_secs(4 * 3_600);

/// How much later than its session's end a Start may arrive that was sent before it: two repetitions of an access point.
const STRAGGLER_MAX: Duration = Duration::from_secs(15);
/// How much too late an update's session seems to have begun, by times that are told in whole seconds.
const ROUNDING_MAX: Duration = Duration::from_secs(2);
/// The end of a session of which nothing was heard.
const LOST: &str = "lost";
/// The ends by Accounting-On and Accounting-Off.
const RESTARTED: &str = "access-point-restarted";
const STOPPED: &str = "access-point-stopped";

/// Said when a device is online that cannot be followed; its next report finds room, if there is some by then.
const SESSIONS_MANY: &str = "More devices are online than the box can keep watch over, so it could not send all of them away; look for an access point that reports sessions and never their end.";

impl WifiEngine {
    /// Goes on with a session that was open when the box stopped.
    pub(super) fn restore(&mut self, cx: &Context<'_>, row: SessionRow) {
        if self.sessions.is_full() {
            self.counters.sessions_shed += 1; // taken up when it is reported, if there is room by then
            return;
        }
        let silent_at = cx.now.mono + TIMEOUT_UNKNOWN + LATE_MAX;
        self.sessions.insert(Session::new(row, Stage::Open { silent_at }, TIMEOUT_UNKNOWN));
    }

    pub(super) fn handle_accounting_request(
        &mut self,
        cx: &mut Context<'_>,
        question: Question,
        request: AccountingRequest<'_>,
    ) {
        if self.unwritten.is_full() {
            self.counters.accounting_shed += 1;
            return self.give_up_on(Socket::Accounting, &question);
        }
        let point = question.access_point.clone();
        let mut ended_by = None;
        let rows = match request {
            AccountingRequest::Session(report) => {
                let acct_session_id = session_id_text(report.acct_session_id);
                let key = AcctKey { access_point: point, nas: report.nas.to_string(), acct_session_id };
                let key = self.known_as(cx, key, &report);
                let rows = self.handle_report(cx, &key, &report);
                self.unwritten.before(rows, Concern::Session { key: &key, mac: report.mac })
            }
            AccountingRequest::AccountingOn(nas) => {
                let nas = ended_by.insert(nas.to_string());
                self.end_all_of(cx, &point, nas, RESTARTED)
            }
            AccountingRequest::AccountingOff(nas) => {
                let nas = ended_by.insert(nas.to_string());
                self.end_all_of(cx, &point, nas, STOPPED)
            }
        };
        self.write_for(rows, ended_by.as_deref(), Some(question));
    }

    fn write(&mut self, rows: Vec<SessionRow>) {
        self.write_for(rows, None, None);
    }

    fn write_for(&mut self, rows: Vec<SessionRow>, ended_by: Option<&str>, question: Option<Question>) {
        if rows.is_empty() {
            if let Some(question) = question {
                self.respond(&question);
            }
            return;
        }
        let (token, unkept) = self.unwritten.begin(&rows, ended_by, question);
        self.counters.accounting_rows_unkept += unkept;
        self.outputs.push_back(Output::Account { token, rows });
    }

    pub(super) fn handle_accounted(&mut self, token: u64, ok: bool) {
        match (self.unwritten.end(token, ok), ok) {
            (Some(Some(question)), true) => self.respond(&question),
            (Some(Some(question)), false) => {
                self.counters.accounting_unwritten += 1;
                self.give_up_on(Socket::Accounting, &question);
            }
            (Some(None), false) => self.counters.accounting_unwritten += 1,
            (Some(None), true) | (None, _) => {}
        }
    }

    /// Tries again to write down what could not be.
    pub(super) fn sweep_unwritten(&mut self) {
        let rows = self.unwritten.failed();
        self.write(rows);
    }

    fn respond(&mut self, question: &Question) {
        self.counters.accounting_responses += 1;
        let reply = question.reply(Code::AccountingResponse);
        self.answer(Socket::Accounting, question, reply);
    }

    /// The rows that a report changes.
    fn handle_report(&mut self, cx: &mut Context<'_>, key: &AcctKey, report: &SessionReport<'_>) -> Vec<SessionRow> {
        match report.status {
            SessionStatus::Start | SessionStatus::InterimUpdate => self.handle_alive(cx, key, report),
            SessionStatus::Stop => self.handle_stop(cx, key, report),
        }
    }

    /// The name under which a reported session is known. A NAS may call itself otherwise in the middle of one.
    fn known_as(&mut self, cx: &Context<'_>, key: AcctKey, report: &SessionReport<'_>) -> AcctKey {
        self.sessions.name_nas(&key, report.mac);
        if self.sessions.by_acct(&key).is_some() || self.ended(&key).is_some() {
            return key;
        }
        let found = class_of(report).and_then(|class| self.sessions.under_another_name(&key, report.mac, class));
        let is_it = |row: &&SessionRow| !starts_after(cx, row, report) && !ended_with_its_nas(row);
        let Some(row) = found.filter(is_it) else { return key };
        if row.ended_at.is_some() || key.nas.is_empty() {
            return AcctKey::of(row);
        }
        let id = row.id;
        self.sessions.rename_nas(id, &key.nas);
        key
    }

    /// Start and Interim-Update: the session is open, whatever was known of it before.
    fn handle_alive(&mut self, cx: &mut Context<'_>, key: &AcctKey, report: &SessionReport<'_>) -> Vec<SessionRow> {
        let (mut rows, running) = self.give_up_name(cx, key, report);
        let id = match (running, self.ended(key)) {
            (Some(id), _) => id,
            (None, Some(ended)) if is_lost(ended) => self.find_again(cx, ended.clone()),
            (None, Some(ended)) if !begins_after(cx, ended, report) && !self.comes_back(cx, key, ended, report) => {
                return rows; // overtaken by its own Stop, or superseded by a roam: nothing to change
            }
            (None, Some(_) | None) => {
                self.sessions.forget(key);
                let (id, superseded) = self.open(cx, key, report);
                rows.extend(superseded);
                let Some(id) = id else { return rows };
                id
            }
        };
        let Some(session) = self.sessions.get_mut(id) else { return rows };
        let silent_after = match report.status {
            SessionStatus::InterimUpdate => SILENT_MAX,
            SessionStatus::Start | SessionStatus::Stop => session.timeout + LATE_MAX,
        };
        update(session.row_mut(), report, cx.now.stamp());
        session.is_extra |= matches!(session.stage, Stage::Unreported { .. });
        session.stage = Stage::Open { silent_at: cx.now.mono + silent_after };
        session.repeated_until = None;
        session.start_heard |= report.status == SessionStatus::Start;
        rows.push(session.row().clone());
        self.dirty = true;
        // The world may have changed between the Access-Accept and now, or while the access point did not listen.
        self.judge(cx, id);
        self.press_again(cx, id);
        self.notice_vlan(cx, id);
        rows
    }

    /// Whether a Start that might be a straggler of a session under the same name is of a device that came back at once, as
    /// hostapd names it: the session's own Start was heard and this is sent for the first time, or it has the Class of a login
    /// since then, or its owner may not be here. For the latter hostapd remembers for 30 s what it was told of a passphrase; that a
    /// straggler may cost a Disconnect-Request for nobody is cheaper.
    fn comes_back(&self, cx: &Context<'_>, key: &AcctKey, ended: &SessionRow, report: &SessionReport<'_>) -> bool {
        let is_another = self.sessions.start_was_heard(key) && report.delay_seconds == 0;
        let by_class = class_of(report).and_then(|class| self.sessions.get(class));
        let logged_in = by_class.is_some_and(|session| session.row().acct_session_id.is_empty());
        let question = |credential| WifiQuestion { credential, mac: ended.mac, stage: policy::wifi::Stage::Running };
        let verdict = |credential| admit(cx.snapshot, &WifiFacts::default(), &question(credential), cx.now);
        let is_refused = ended.credential.is_some_and(|credential| verdict(credential).is_err());
        report.status == SessionStatus::Start && (is_another || logged_in || is_refused)
    }

    /// The session that runs under this name. Access points count anew after a restart that they did not tell of: when the
    /// name is another device's by now, its session is over.
    fn give_up_name(
        &mut self,
        cx: &mut Context<'_>,
        key: &AcctKey,
        report: &SessionReport<'_>,
    ) -> (Vec<SessionRow>, Option<SessionId>) {
        let Some(id) = self.sessions.by_acct(key) else { return (Vec::new(), None) };
        let known = self.sessions.get(id).and_then(|session| session.row().mac);
        if report.mac.is_none() || known.is_none() || report.mac == known {
            return (Vec::new(), Some(id));
        }
        let over = self.finish_session(cx, id, "superseded").into_iter().collect();
        self.sessions.forget(key);
        (over, None)
    }

    /// Goes on with a session that was taken for lost.
    fn find_again(&mut self, cx: &mut Context<'_>, ended: SessionRow) -> SessionId {
        self.sessions.forget(&AcctKey::of(&ended));
        let row = SessionRow { ended_at: None, end_cause: None, ..ended };
        let sentence = "The access point reports the device again; it was online all the time.";
        let found = about(cx, &row, Outcome::Noted, "wifi-session-found", sentence.to_owned());
        self.record(found);
        let id = row.id;
        self.sessions.insert(Session::new(row, Stage::Open { silent_at: cx.now.mono + SILENT_MAX }, TIMEOUT_UNKNOWN));
        id
    }

    /// Takes up a session that an access point reports for the first time. After a Start, other sessions of the device are over:
    /// it has roamed, or its access point forgot to say Stop. None when there is no place for it: then nothing is written down
    /// of it before its Stop, which says all, for a row that is not followed is ended by nothing else.
    fn open(
        &mut self,
        cx: &mut Context<'_>,
        key: &AcctKey,
        report: &SessionReport<'_>,
    ) -> (Option<SessionId>, Vec<SessionRow>) {
        let mut session = self.adopt(cx, key, report);
        session.is_extra = !matches!(session.stage, Stage::Admitted { .. });
        let id = session.row().id;
        let began = about(cx, session.row(), Outcome::Noted, "wifi-session-began", "The device is online.".to_owned());
        let superseded = self.supersede(cx, &session);
        // A device that is online goes before one of which nobody knows it.
        if self.sessions.is_full()
            && let Some(stalest) = self.sessions.stalest(cx.now.mono)
        {
            self.counters.sessions_crowded_out += 1;
            self.end(cx, stalest, "unreported");
        }
        if self.sessions.is_full() {
            self.counters.sessions_shed += 1;
            let point = key.access_point.to_string();
            self.warn(cx, "wifi-sessions-many", &point, SESSIONS_MANY);
            return (None, superseded);
        }
        self.record(began);
        self.sessions.insert(session);
        (Some(id), superseded)
    }

    /// The rows of the sessions of this device that began before this one: it has roamed, or its access point forgot to say
    /// Stop. One that began later is of where the device is by now. What only has the address may be another device, so that it ends
    /// no session of another credential; for the limit both are one.
    fn supersede(&mut self, cx: &mut Context<'_>, by: &Session) -> Vec<SessionRow> {
        let (id, began, credential) = (by.row().id, by.began, by.row().credential);
        let others = by.row().mac.map(|mac| self.sessions.of_device(mac)).unwrap_or_default();
        let is_proven = is_proven(cx, by);
        let is_older = |other: &Session| other.began <= began && (is_proven || other.row().credential == credential);
        let is_over = |other: &SessionId| *other != id && self.sessions.get(*other).is_some_and(is_older);
        let over: Vec<SessionId> = others.into_iter().filter(is_over).collect();
        over.into_iter().filter_map(|other| self.finish_session(cx, other, "superseded")).collect()
    }

    /// Makes the session that an access point names: out of the one that was admitted, else out of what its Class or its user
    /// name says.
    fn adopt(&mut self, cx: &mut Context<'_>, key: &AcctKey, report: &SessionReport<'_>) -> Session {
        let class = class_of(report);
        let admitted = self.admitted(key, class, report).and_then(|id| self.sessions.remove(id));
        let mut session = match (admitted, class.and_then(|class| self.sessions.row(class))) {
            (Some(session), _) => session,
            // A device that came back without a login, by a key that access points keep, has the Class of its last session.
            (None, Some(last)) => reported(cx, key, report, Some(last)),
            (None, None) => reported(cx, key, report, None),
        };
        let age = age_of(report);
        session.began = cx.now.mono - age;
        session.class = class;
        let row = session.row_mut();
        row.nas.clone_from(&key.nas);
        row.acct_session_id.clone_from(&key.acct_session_id);
        row.started_at = cx.now.stamp() - age;
        session
    }

    /// The session that was admitted and is reported now for the first time: by its Class, else, when it begins, by the device
    /// at this NAS, else at another one behind the same access point, for who asks and who reports may differ. Of several it is the
    /// one whose place is held, for a key or a passphrase, else the newest. A session that has a name already is another one.
    fn admitted(&self, key: &AcctKey, class: Option<SessionId>, report: &SessionReport<'_>) -> Option<SessionId> {
        let by_device = match report.status {
            SessionStatus::Start | SessionStatus::InterimUpdate => report.mac,
            SessionStatus::Stop => None,
        };
        let by_device = by_device.map(|mac| self.sessions.of_device(mac)).unwrap_or_default();
        let is_unnamed = |id: SessionId| {
            let row = self.sessions.get(id).map(Session::row);
            row.is_some_and(|row| row.acct_session_id.is_empty() && row.access_point == key.access_point)
        };
        let here = NasOf { access_point: &key.access_point, nas: &key.nas };
        let fitness = |id: SessionId| {
            let holds_place = |session: &Session| matches!(session.stage, Stage::Admitted { .. });
            self.sessions.get(id).map(|session| (session.is_at(here), holds_place(session), session.began))
        };
        let by_class = class.filter(|&id| is_unnamed(id));
        let by_device = by_device.into_iter().filter(|&id| is_unnamed(id));
        by_class.or_else(|| by_device.max_by_key(|&id| fitness(id)))
    }

    fn handle_stop(&mut self, cx: &mut Context<'_>, key: &AcctKey, report: &SessionReport<'_>) -> Vec<SessionRow> {
        let cause = report.terminate_cause.map_or("unknown", terminate_cause_word);
        let mut superseded = Vec::new();
        let id = match (self.sessions.by_acct(key), self.ended(key)) {
            (Some(id), _) => id,
            (None, Some(ended)) => {
                // The last counters of a session that was over for us before.
                let mut row = ended.clone();
                update(&mut row, report, ended.seen_at);
                self.sessions.keep_ended(key.clone(), row.clone(), cx.now.mono);
                return vec![row];
            }
            (None, None) => {
                let session = self.adopt(cx, key, report);
                let id = session.row().id;
                superseded = self.supersede(cx, &session);
                self.sessions.insert(session); // for the moment: it ends below
                id
            }
        };
        if let Some(session) = self.sessions.get_mut(id) {
            update(session.row_mut(), report, cx.now.stamp());
        }
        self.confirm(cx, id);
        superseded.extend(self.finish_session(cx, id, cause));
        superseded
    }

    /// The rows of a NAS whose sessions are all over.
    fn end_all_of(
        &mut self,
        cx: &mut Context<'_>,
        point: &AccessPointName,
        nas: &str,
        cause: &'static str,
    ) -> Vec<SessionRow> {
        let nas = NasOf { access_point: point, nas };
        let ids = self.sessions.of_nas(nas);
        let rows = ids.into_iter().filter_map(|id| self.finish_session(cx, id, cause)).collect();
        self.unwritten.before(rows, Concern::Nas(nas))
    }

    /// What is known of a session that is over: it ended a moment ago, or its end is not written down yet.
    fn ended(&self, key: &AcctKey) -> Option<&SessionRow> {
        self.sessions.ended(key).or_else(|| self.unwritten.ended(key))
    }

    /// Ends a session that no report ended, and writes that down.
    pub(super) fn end(&mut self, cx: &mut Context<'_>, id: SessionId, cause: &'static str) {
        let row = self.finish_session(cx, id, cause);
        self.write(row.into_iter().collect());
    }

    /// Ends a session that its access point has disconnected, and with it what is left of its device elsewhere: of a session
    /// that was never reported no Start came that would have.
    pub(super) fn end_disconnected(&mut self, cx: &mut Context<'_>, id: SessionId) {
        if let Some(session) = self.sessions.remove(id) {
            let rows = self.supersede(cx, &session);
            self.sessions.insert(session);
            self.write(rows);
        }
        self.end(cx, id, "disconnected");
    }

    /// Ends what is not reported of a device at the other NASes of its access point, now that it has shown its key at this one:
    /// those that send no accounting would keep one each until its Session-Timeout. Another member's is not ended, for two who
    /// share one address would be out of each other's suspension.
    pub(super) fn end_unreported_elsewhere(&mut self, cx: &mut Context<'_>, id: SessionId) {
        let Some(row) = self.sessions.get(id).map(|session| session.row().clone()) else { return };
        let is_left = |other: &SessionId| {
            let other = self.sessions.get(*other).filter(|other| other.row().id != id);
            other.is_some_and(|other| {
                let is_unreported = matches!(other.stage, Stage::Unreported { .. });
                is_unreported && other.row().access_point == row.access_point && other.row().member == row.member
            })
        };
        let others = row.mac.map(|mac| self.sessions.of_device(mac)).unwrap_or_default();
        let left: Vec<SessionId> = others.into_iter().filter(is_left).collect();
        left.into_iter().for_each(|other| self.end(cx, other, "superseded"));
    }

    /// Takes a session out of the table; its row, if the access point ever reported it.
    fn finish_session(&mut self, cx: &mut Context<'_>, id: SessionId, cause: &str) -> Option<SessionRow> {
        self.withdraw(id);
        let session = self.sessions.get_mut(id)?;
        let row = session.row_mut();
        row.ended_at = Some(cx.now.stamp());
        row.end_cause = Some(cause.to_owned());
        let row = self.sessions.end(id, cx.now.mono)?.row().clone();
        self.dirty = true;
        if row.acct_session_id.is_empty() {
            return None;
        }
        let sentence = format!("The session is over ({cause}).");
        let seconds = row.seen_at.seconds().saturating_sub(row.started_at.seconds());
        let record = about(cx, &row, Outcome::Noted, "wifi-session-ended", sentence)
            .fact("cause", cause)
            .fact("seconds", seconds)
            .fact("rx_bytes", row.rx_bytes)
            .fact("tx_bytes", row.tx_bytes);
        self.record(record);
        Some(row)
    }

    /// Sessions whose place, time or terms are over.
    pub(super) fn sweep_sessions(&mut self, cx: &mut Context<'_>) {
        self.sessions.forget_ended(cx.now.mono);
        let now = cx.now.mono;
        for id in self.sessions.ids() {
            let Some(session) = self.sessions.get_mut(id) else { continue };
            if session.judge_at.is_some_and(|at| at <= now) {
                session.judge_at = None;
                self.judge(cx, id);
            }
            self.warn_of_end(cx, id);
            let Some(session) = self.sessions.get_mut(id) else { continue };
            match session.stage {
                Stage::Admitted { place_until } if place_until <= now => {
                    session.stage = Stage::Unreported { until: place_until + session.timeout };
                    self.dirty = true;
                }
                Stage::Unreported { until } if until <= now => {
                    let is_reported = !session.row().acct_session_id.is_empty();
                    self.end(cx, id, if is_reported { LOST } else { "unreported" });
                }
                Stage::Open { silent_at } if silent_at <= now => {
                    match session.repeated_until.take().filter(|&until| until > now) {
                        Some(until) => {
                            session.stage = Stage::Unreported { until };
                            self.dirty = true;
                        }
                        None => self.end(cx, id, LOST),
                    }
                }
                Stage::Admitted { .. } | Stage::Unreported { .. } | Stage::Open { .. } => {}
            }
        }
    }
}

/// Whether the device has shown more than its address. With a key it always has, a registered device has nothing else, and with
/// the passphrase it depends on how its access point asked.
fn is_proven(cx: &Context<'_>, session: &Session) -> bool {
    let credential = session.row().credential.and_then(|credential| cx.snapshot.credentials.get(&credential));
    match credential.map(|credential| &credential.kind) {
        Some(CredentialKind::WifiKey { .. } | CredentialKind::DeviceCertificate { .. }) => true,
        Some(CredentialKind::WifiPassphrase { .. }) => session.proven,
        Some(
            CredentialKind::RegisteredDevice { .. } | CredentialKind::Badge { .. } | CredentialKind::PrintToken { .. },
        )
        | None => false,
    }
}

/// Whether an end was only concluded from silence.
fn is_lost(ended: &SessionRow) -> bool {
    ended.end_cause.as_deref() == Some(LOST)
}

/// The session that a report names by what its device's login was answered with.
fn class_of(report: &SessionReport<'_>) -> Option<SessionId> {
    report.class.and_then(|class| std::str::from_utf8(class).ok()).and_then(|text| text.parse().ok())
}

fn age_of(report: &SessionReport<'_>) -> Duration {
    Duration::from_secs(u64::from(report.delay_seconds) + u64::from(report.session_seconds))
}

/// Whether a report under another name is of a session that began after this one: the device went to another NAS that numbers
/// alike, which tells a Start, where one that goes on under another name tells none or repeats its own.
fn starts_after(cx: &Context<'_>, row: &SessionRow, report: &SessionReport<'_>) -> bool {
    let starts = report.status == SessionStatus::Start;
    starts && cx.now.stamp() - age_of(report) > row.started_at + ROUNDING_MAX
}

/// Whether a session was only ended because its NAS told that it starts or stops: one that is reported under another name had left
/// that NAS before.
fn ended_with_its_nas(ended: &SessionRow) -> bool {
    ended.end_cause.as_deref().is_some_and(|cause| [RESTARTED, STOPPED].contains(&cause))
}

/// Whether a report is of another session than the one which ended under the same name: it began after that, and not so soon
/// that it may be a straggler.
fn begins_after(cx: &Context<'_>, ended: &SessionRow, report: &SessionReport<'_>) -> bool {
    let late_max = match report.status {
        SessionStatus::Start => STRAGGLER_MAX,
        SessionStatus::InterimUpdate if report.session_seconds > 0 => ROUNDING_MAX,
        SessionStatus::InterimUpdate | SessionStatus::Stop => return false,
    };
    ended.ended_at.is_some_and(|at| cx.now.stamp() - age_of(report) > at + late_max)
}

fn update(row: &mut SessionRow, report: &SessionReport<'_>, seen_at: Timestamp) {
    row.seen_at = seen_at;
    // Counters only grow within a session; a report that overtook a later one does not take them back.
    row.rx_bytes = row.rx_bytes.max(report.traffic.sent_bytes);
    row.tx_bytes = row.tx_bytes.max(report.traffic.received_bytes);
    if let Some(ip) = report.ip {
        row.ip = Some(Pii(ip));
    }
}

/// A session that this box did not admit just now: it goes on from `last`, or is of before a restart or of another network of
/// the access point, and its user name says whose it is.
fn reported(cx: &mut Context<'_>, key: &AcctKey, report: &SessionReport<'_>, last: Option<&SessionRow>) -> Session {
    let username = last.map_or_else(|| report.user_name.unwrap_or_default(), |last| &last.username.0);
    let named = credential_of_session(cx.snapshot, username).map(|credential| (credential.id, credential.member));
    let (credential, member) = match last {
        Some(last) => (last.credential, last.member),
        None => named.unzip(),
    };
    let terms = credential.and_then(|credential| {
        let question = WifiQuestion { credential, mac: report.mac, stage: policy::wifi::Stage::Running };
        admit(cx.snapshot, &WifiFacts::default(), &question, cx.now).ok()
    });
    let row = SessionRow {
        id: SessionId::generate(cx.entropy),
        access_point: key.access_point.clone(),
        nas: key.nas.clone(),
        acct_session_id: key.acct_session_id.clone(),
        member,
        credential,
        username: Pii(username.to_owned()),
        mac: report.mac.or(last.and_then(|last| last.mac)),
        ip: None,
        network: terms.as_ref().map(|terms| terms.network.clone()),
        vlan: terms.and_then(|terms| terms.vlan),
        started_at: cx.now.stamp(),
        seen_at: cx.now.stamp(),
        ended_at: None,
        rx_bytes: 0,
        tx_bytes: 0,
        end_cause: None,
    };
    Session::new(row, Stage::Open { silent_at: cx.now.mono + TIMEOUT_UNKNOWN + LATE_MAX }, TIMEOUT_UNKNOWN)
}

/// Acct-Session-Id as text; octets that are no text are written in hexadecimal behind `0x`.
pub(super) fn session_id_text(id: &[u8]) -> String {
    match std::str::from_utf8(id) {
        Ok(text) if !text.starts_with("0x") => text.to_owned(),
        _ => id.iter().fold("0x".to_owned(), |text, byte| text + &format!("{byte:02x}")),
    }
}

/// The octets that the access point knows.
pub(super) fn wire_session_id(text: &str) -> Vec<u8> {
    let hexadecimal = text.strip_prefix("0x").map(str::as_bytes).map(|digits| {
        let pairs = digits.chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
        pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
    });
    hexadecimal.unwrap_or_else(|| text.as_bytes().to_vec())
}
