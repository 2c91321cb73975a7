//! Questions at a door and what becomes of them: decided, joined to an opening that is under way or the start of one, decided
//! once more when the command is about to leave, and answered: to the API, to the reader, to history, to intents.ring.

use super::history::{self, Asked};
use super::opening::{COMMAND_LIMIT_MS, Failure, Opening, PROBE_LIMIT_MS, Signal, Step};
use super::reader::{self, Shown};
use super::shelly::{self, CallId};
use super::{Deadline, DoorEngine, Epoch, LastOpening, Output, RequestId, SendId};
use crate::Context;
use policy::door::{DoorQuestion, Grant, Who, decide, doors_at, holder};
use policy::{Actor, IntentRow, IntentState, Noun, Outcome, Reason, Relay};
use proto::mqtt::Message;
use std::time::Duration;
use values::{DeviceName, DoorName, IntentId, MemberId, Mono};

/// Grants that share one pulse; more people do not fit through a door in its time.
const JOINED_MAX: usize = 16;

/// Who asked, and so who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    Api { request: RequestId, actor: Actor },
    Reader { epoch: Epoch, device: DeviceName },
}

impl Asker {
    /// For history.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Api { actor, .. } => actor.word(),
            Self::Reader { .. } => "badge",
        }
    }
}

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorOutcome {
    /// The relay confirmed.
    Opened,
    /// The answer is no.
    Refused,
    /// The answer was yes and the door did not open.
    Failed,
    /// The command left and nobody can say what became of it.
    Unknown,
}

impl DoorOutcome {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// What the one who asked is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub intent: IntentId,
    pub outcome: DoorOutcome,
    /// `door-opened` or a reason's code.
    pub code: &'static str,
    pub sentence: String,
}

/// A question that was granted and waits for the relay.
pub struct Attempt {
    intent: IntentId,
    asker: Asker,
    /// Whose right it is; none for the operator's own.
    member: Option<MemberId>,
    badge: Option<String>,
    grant: Grant,
}

/// An opening and those who share it.
pub struct Underway {
    pub opening: Opening,
    door: DoorName,
    relay: Relay,
    /// The intent of the first one who may stands for the pulse itself.
    intent: IntentId,
    member: Option<MemberId>,
    attempts: Vec<Attempt>,
}

impl DoorEngine {
    /// What a run that was cut short left behind: openings that nobody can say anything about. They are told and never sent
    /// again.
    pub fn recover(&mut self, cx: &mut Context<'_>, unfinished: Vec<IntentRow>) {
        for row in unfinished {
            let sentence = "The box stopped while this door was being opened, so nobody can say whether it opened; it was not tried again.";
            let reason = Reason::DoorUnconfirmed;
            let record = history::row(cx, Noun::Door, Outcome::Warning, reason.code(), sentence)
                .member(row.member)
                .place(&row.door)
                .fact("intent", row.intent)
                .fact("outcome", DoorOutcome::Unknown.as_str())
                .fact("asked_at", row.at);
            self.outputs.push_back(Output::Record(record));
            let last = LastOpening { at: row.at, outcome: DoorOutcome::Unknown, sentence: sentence.to_owned() };
            self.last.insert(row.door, last);
        }
    }

    pub(super) fn ask_for(
        &mut self,
        cx: &mut Context<'_>,
        request: RequestId,
        door: &DoorName,
        actor: Actor,
        member: Option<MemberId>,
    ) {
        let member = match (actor, member) {
            // A member speaks for herself.
            (Actor::Member(own), _) => Some(own),
            (Actor::Admin | Actor::Console | Actor::System, member) => member,
        };
        self.ask(cx, Asker::Api { request, actor }, door, member, None);
    }

    pub(super) fn reader_said(&mut self, cx: &mut Context<'_>, epoch: Epoch, device: &DeviceName, message: &Message) {
        let asker = Asker::Reader { epoch, device: device.clone() };
        let uid = match reader::read(device.as_str(), &message.topic, &message.payload) {
            Ok(Shown::Nothing) => return,
            Ok(Shown::Badge(_)) if message.repeated => return self.refuse_reader(cx, &asker, Reason::BadgeRepeated),
            Ok(Shown::Badge(uid)) => uid,
            Err(reason) => return self.refuse_reader(cx, &asker, reason),
        };
        match doors_at(cx.snapshot, device) {
            Err(reason) => self.refuse_reader(cx, &asker, reason),
            Ok(doors) => {
                let doors: Vec<DoorName> = doors.into_iter().map(|door| door.name.clone()).collect();
                for door in doors {
                    self.ask(cx, asker.clone(), &door, None, Some(uid.clone()));
                }
            }
        }
    }

    /// A no to a reader that concerns no door.
    fn refuse_reader(&mut self, cx: &mut Context<'_>, asker: &Asker, reason: Reason) {
        let Asker::Reader { epoch, device } = asker else { return };
        self.counters.refused += 1;
        let written = self.turned_away.admit(device.as_str(), reason.code(), cx.now.mono);
        self.counters.rows_suppressed += u64::from(written.is_none());
        self.outputs.extend(written.map(|suppressed| {
            let record = history::complaint(cx, &reason).place(device).fact("by", asker.word());
            Output::Record(history::after(record, suppressed))
        }));
        self.tell_reader(*epoch, device, false, reason.code(), None);
    }

    fn ask(
        &mut self,
        cx: &mut Context<'_>,
        asker: Asker,
        door: &DoorName,
        member: Option<MemberId>,
        badge: Option<String>,
    ) {
        let intent = IntentId::generate(cx.entropy);
        let grant = match decide(cx.snapshot, &question(door, &asker, member, badge.as_deref()), cx.now) {
            Ok(grant) => grant,
            Err(reason) => {
                let of_badge = badge.as_deref().and_then(|uid| holder(cx.snapshot, uid));
                let asked = Asked {
                    intent,
                    door,
                    asker: &asker,
                    member: member.or(of_badge.map(|badge| badge.member)),
                    credential: of_badge.map(|badge| badge.id),
                    badge: badge.as_deref(),
                };
                return self.answer(cx, &asked, DoorOutcome::Refused, reason.code(), &reason.sentence());
            }
        };
        let attempt = Attempt { intent, asker, member, badge, grant };
        match self.underway.get_mut(door) {
            Some(underway) if underway.opening.may_be_joined(cx.now.mono) => self.join(cx, door, attempt),
            // The strike is about to lock again: a pulse of its own. The one before is left acknowledged.
            Some(_) | None => {
                let follows = self.underway.remove(door).is_some();
                self.begin(cx, attempt, follows);
            }
        }
    }

    fn join(&mut self, cx: &mut Context<'_>, door: &DoorName, attempt: Attempt) {
        let Some(underway) = self.underway.get_mut(door) else { return };
        if underway.opening.is_acknowledged() {
            return self.opened(cx, &attempt);
        }
        if underway.attempts.len() >= JOINED_MAX {
            return self.settle(cx, &attempt, DoorOutcome::Failed, &Reason::DoorBusy, IntentState::Failed);
        }
        let row = row(&attempt, cx, IntentState::Logged);
        underway.attempts.push(attempt);
        self.outputs.push_back(Output::LogIntent { row, confirm: false });
    }

    /// Hands out the intent and the probe, side by side. Without a relay to ask, the answer is there at once.
    fn begin(&mut self, cx: &mut Context<'_>, attempt: Attempt, follows: bool) {
        let door = attempt.grant.door.clone();
        let Some(relay) = cx.snapshot.site.doors.get(&door).map(|door| door.relay.clone()) else { return };
        // 31 bits of the intent: an answer to another run's call is not mistaken for one to this.
        let [a, b, c, d, ..] = attempt.intent.to_bytes();
        let call = CallId::new(u32::from_be_bytes([a, b, c, d]));
        let probe = shelly::status_call(relay.device.as_str(), relay.channel, Opening::probe_call(call));
        let (epoch, bytes, packet) = match self.ask_relay(&relay, &probe) {
            Ok(asked) => asked,
            Err(reason) => return self.settle(cx, &attempt, DoorOutcome::Failed, &reason, IntentState::Failed),
        };
        let opening = Opening::new(epoch, call, attempt.grant.pulse_ms, packet, follows, cx.now.mono);
        // A probe that leaves late asks a question that nobody waits for any more.
        let deadline =
            Deadline { send: self.next_send(), not_after: cx.now.mono + Duration::from_millis(PROBE_LIMIT_MS) };
        self.outputs.push_back(Output::Send { epoch, bytes, deadline: Some(deadline) });
        self.outputs.push_back(Output::LogIntent { row: row(&attempt, cx, IntentState::Logged), confirm: true });
        let (intent, member) = (attempt.intent, attempt.grant.member);
        self.keep(Underway { opening, door, relay, intent, member, attempts: vec![attempt] });
    }

    /// The bytes of a call to a relay that is there, speaks the right profile and listens.
    fn ask_relay(
        &mut self,
        relay: &Relay,
        call: &[u8],
    ) -> Result<(Epoch, Vec<u8>, Option<std::num::NonZeroU16>), Reason> {
        let device = relay.device.to_string();
        let absent = || Reason::RelayAbsent { device: device.clone() };
        let (epoch, link) = self.links.of(&relay.device).ok_or_else(absent)?;
        let profile = link.known.as_ref().map(|known| known.device.profile);
        if profile != Some(relay.profile) {
            return Err(Reason::RelayProfile { device, expected: relay.profile.as_str().to_owned() });
        }
        let topic = shelly::call_topic(relay.device.as_str()).ok_or_else(absent)?;
        let asked = link.session.publish_acknowledged(&topic, call);
        asked.map(|(bytes, packet)| (epoch, bytes, packet)).ok_or(Reason::RelaySilent { device })
    }

    pub(super) fn intent_logged(&mut self, cx: &mut Context<'_>, intent: IntentId, ok: bool) {
        let of_intent = self.underway.iter().find(|(_, underway)| underway.intent == intent);
        if let Some(door) = of_intent.map(|(door, _)| door.clone()) {
            self.signal(cx, &door, Signal::Logged { ok });
        }
    }

    pub(super) fn output_heard(&mut self, cx: &mut Context<'_>, epoch: Epoch, channel: u8, on: bool) {
        let is_meant = |underway: &Underway| underway.opening.epoch == epoch && underway.relay.channel == channel;
        self.signal_where(cx, is_meant, Signal::Output { on });
    }

    pub(super) fn signal_on(&mut self, cx: &mut Context<'_>, epoch: Epoch, signal: Signal) {
        self.signal_where(cx, |underway| underway.opening.epoch == epoch, signal);
    }

    pub(super) fn signal_all(&mut self, cx: &mut Context<'_>, signal: Signal) {
        self.signal_where(cx, |_| true, signal);
    }

    fn signal_where(&mut self, cx: &mut Context<'_>, is_meant: impl Fn(&Underway) -> bool, signal: Signal) {
        let meant: Vec<DoorName> =
            self.underway.iter().filter(|(_, underway)| is_meant(underway)).map(|(door, _)| door.clone()).collect();
        for door in meant {
            self.signal(cx, &door, signal);
        }
    }

    fn signal(&mut self, cx: &mut Context<'_>, door: &DoorName, signal: Signal) {
        let Some(mut underway) = self.underway.remove(door) else { return };
        let (opening, step) = underway.opening.handle(signal, cx.now.mono);
        underway.opening = opening;
        match step {
            Step::Wait => self.keep(underway),
            Step::Sent => {
                self.log(cx, &underway, IntentState::Sent);
                self.keep(underway);
            }
            Step::Command => self.command(cx, underway),
            Step::Failed(failure) => self.failed(cx, underway, failure),
            Step::Unknown => self.unknown(cx, underway),
            Step::Opened => {
                for attempt in std::mem::take(&mut underway.attempts) {
                    self.opened(cx, &attempt);
                }
                self.keep(underway);
            }
            Step::Check => {
                let call = underway.opening.check_call();
                let bytes = shelly::status_call(underway.relay.device.as_str(), underway.relay.channel, call);
                self.send(&underway, &bytes, cx.now.mono + Duration::from_millis(COMMAND_LIMIT_MS));
                self.keep(underway);
            }
            Step::Verified => self.log(cx, &underway, IntentState::Verified),
            Step::Unverified { stuck } => self.unverified(cx, &underway, stuck),
        }
    }

    fn keep(&mut self, underway: Underway) {
        self.underway.insert(underway.door.clone(), underway);
    }

    /// The one place where a command is made. Whoever lost the right since the question is told so and does not count.
    fn command(&mut self, cx: &mut Context<'_>, mut underway: Underway) {
        for attempt in std::mem::take(&mut underway.attempts) {
            let question = question(&underway.door, &attempt.asker, attempt.member, attempt.badge.as_deref());
            match decide(cx.snapshot, &question, cx.now) {
                Ok(_) => underway.attempts.push(attempt),
                Err(reason) => self.settle(cx, &attempt, DoorOutcome::Refused, &reason, IntentState::Failed),
            }
        }
        // Whoever remains stands for the pulse: the rows of the first one, if she was refused, have ended.
        let Some(first) = underway.attempts.first() else { return };
        (underway.intent, underway.member) = (first.intent, first.grant.member);
        let door = cx.snapshot.site.doors.get(&underway.door);
        let is_same_relay = door.is_some_and(|door| door.relay == underway.relay);
        let call = underway.opening.command_call();
        let bytes =
            shelly::pulse_call(underway.relay.device.as_str(), underway.relay.channel, underway.opening.pulse_ms, call);
        let not_after = cx.now.mono + Duration::from_millis(COMMAND_LIMIT_MS);
        let has_gap = underway.opening.has_gap();
        let Some(send) = is_same_relay.then(|| self.send(&underway, &bytes, not_after)).flatten() else {
            return self.failed(cx, underway, Failure::Absent);
        };
        if has_gap {
            self.counters.intent_gaps += 1;
            let sentence = "A door was opened before the box could write down that it would; look at its disk.";
            let record = history::row(cx, Noun::Door, Outcome::Warning, "intent-gap", sentence)
                .place(&underway.door)
                .fact("intent", underway.intent);
            self.outputs.push_back(Output::Record(record));
        }
        underway.opening = underway.opening.commanded(send, not_after);
        self.keep(underway);
    }

    /// Hands out a message to the relay, QoS 0, if the opening's connection still stands.
    fn send(&mut self, underway: &Underway, call: &[u8], not_after: Mono) -> Option<SendId> {
        let topic = shelly::call_topic(underway.relay.device.as_str())?;
        let (epoch, link) = self.links.of(&underway.relay.device)?;
        if epoch != underway.opening.epoch {
            return None;
        }
        let bytes = link.session.publish(&topic, call)?;
        let send = self.next_send();
        self.outputs.push_back(Output::Send { epoch, bytes, deadline: Some(Deadline { send, not_after }) });
        Some(send)
    }

    fn next_send(&mut self) -> SendId {
        self.last_send += 1;
        SendId(self.last_send)
    }

    fn failed(&mut self, cx: &mut Context<'_>, underway: Underway, failure: Failure) {
        let device = underway.relay.device.to_string();
        let (reason, state) = match failure {
            Failure::Absent => (Reason::RelayAbsent { device }, IntentState::Failed),
            Failure::Silent => (Reason::RelaySilent { device }, IntentState::Failed),
            Failure::Late => (Reason::RelaySilent { device }, IntentState::Expired),
            Failure::Refused => (Reason::RelayRefused { device }, IntentState::Failed),
        };
        for attempt in &underway.attempts {
            self.settle(cx, attempt, DoorOutcome::Failed, &reason, state);
        }
    }

    fn unknown(&mut self, cx: &mut Context<'_>, underway: Underway) {
        for attempt in &underway.attempts {
            self.settle(cx, attempt, DoorOutcome::Unknown, &Reason::DoorUnconfirmed, IntentState::Unknown);
        }
        // What still lies in the connection's buffers dies with it.
        self.dismiss(cx, underway.opening.epoch);
    }

    fn unverified(&mut self, cx: &mut Context<'_>, underway: &Underway, stuck: bool) {
        let (code, sentence) = if stuck {
            let call = underway.opening.check_call().next();
            let off = shelly::off_call(underway.relay.device.as_str(), underway.relay.channel, call);
            self.send(underway, &off, cx.now.mono + Duration::from_millis(COMMAND_LIMIT_MS));
            ("relay-stuck", "The relay stayed on after its time; it was told to switch off. Look at the door.")
        } else {
            (
                "relay-unverified",
                "The door was opened, and the relay did not show that it locked again. Look at the door.",
            )
        };
        let record = history::row(cx, Noun::Door, Outcome::Warning, code, sentence)
            .place(&underway.door)
            .fact("intent", underway.intent)
            .fact("device", &underway.relay.device);
        self.outputs.push_back(Output::Record(record));
    }

    fn opened(&mut self, cx: &mut Context<'_>, attempt: &Attempt) {
        let row = row(attempt, cx, IntentState::Acknowledged);
        self.outputs.push_back(Output::LogIntent { row, confirm: false });
        self.answer(cx, &attempt.asked(), DoorOutcome::Opened, "door-opened", "The door was opened.");
    }

    fn settle(
        &mut self,
        cx: &mut Context<'_>,
        attempt: &Attempt,
        outcome: DoorOutcome,
        reason: &Reason,
        state: IntentState,
    ) {
        let row = row(attempt, cx, state);
        self.outputs.push_back(Output::LogIntent { row, confirm: false });
        self.answer(cx, &attempt.asked(), outcome, reason.code(), &reason.sentence());
    }

    /// A row about the pulse itself.
    fn log(&mut self, cx: &Context<'_>, underway: &Underway, state: IntentState) {
        let door = underway.door.clone();
        let row = IntentRow { intent: underway.intent, door, member: underway.member, at: cx.now.stamp(), state };
        self.outputs.push_back(Output::LogIntent { row, confirm: false });
    }

    fn answer(
        &mut self,
        cx: &mut Context<'_>,
        asked: &Asked<'_>,
        outcome: DoorOutcome,
        code: &'static str,
        sentence: &str,
    ) {
        let counter = match outcome {
            DoorOutcome::Opened => &mut self.counters.opened,
            DoorOutcome::Refused => &mut self.counters.refused,
            DoorOutcome::Failed => &mut self.counters.failed,
            DoorOutcome::Unknown => &mut self.counters.unknown,
        };
        *counter += 1;
        let last = LastOpening { at: cx.now.stamp(), outcome, sentence: sentence.to_owned() };
        if cx.snapshot.site.doors.contains_key(asked.door) {
            self.last.insert(asked.door.clone(), last);
        }
        let written = match asked.asker {
            Asker::Api { request, .. } => {
                let answer = Answer { intent: asked.intent, outcome, code, sentence: sentence.to_owned() };
                self.outputs.push_back(Output::Answered { request: *request, answer });
                Some(0)
            }
            Asker::Reader { epoch, device } => {
                self.tell_reader(*epoch, device, outcome == DoorOutcome::Opened, code, Some(asked.door));
                self.written_of(asked, device, outcome, code, cx.now.mono)
            }
        };
        self.counters.rows_suppressed += u64::from(written.is_none());
        self.outputs.extend(written.map(|suppressed| {
            Output::Record(history::after(history::answered(cx, asked, outcome, code, sentence), suppressed))
        }));
    }

    /// Whether an answer to a reader is written down, and how many like it were not. Who is turned away again and again is
    /// counted: by badge, so that one that is held to the reader all day hides no other; all that nobody has are one.
    fn written_of(
        &mut self,
        asked: &Asked<'_>,
        device: &DeviceName,
        outcome: DoorOutcome,
        code: &'static str,
        now: Mono,
    ) -> Option<u64> {
        match outcome {
            // A pulse, or perhaps one.
            DoorOutcome::Opened | DoorOutcome::Unknown => Some(0),
            DoorOutcome::Refused | DoorOutcome::Failed => {
                let badge = asked.credential.map(|badge| badge.to_string()).unwrap_or_default();
                self.turned_away.admit(&format!("{device}/{}/{badge}", asked.door), code, now)
            }
        }
    }

    fn tell_reader(&mut self, epoch: Epoch, device: &DeviceName, granted: bool, code: &str, door: Option<&DoorName>) {
        let Some(link) = self.links.at(epoch) else { return };
        let told = reader::answer(device.as_str(), granted, code, door.map(DoorName::as_str));
        let bytes = told.and_then(|(topic, payload)| link.session.publish(&topic, &payload));
        self.outputs.extend(bytes.map(|bytes| Output::Send { epoch, bytes, deadline: None }));
    }
}

impl Attempt {
    fn asked(&self) -> Asked<'_> {
        Asked {
            intent: self.intent,
            door: &self.grant.door,
            asker: &self.asker,
            member: self.grant.member,
            credential: self.grant.credential,
            badge: self.badge.as_deref(),
        }
    }
}

fn question<'a>(
    door: &'a DoorName,
    asker: &'a Asker,
    member: Option<MemberId>,
    badge: Option<&'a str>,
) -> DoorQuestion<'a> {
    let who = match (asker, badge, member) {
        (Asker::Reader { device, .. }, Some(uid), _) => Who::Badge { uid, reader: device },
        (Asker::Api { .. }, _, Some(member)) => Who::Member(member),
        // A reader without a badge asks nothing; as a badge that nobody has it could not open anything either.
        (Asker::Reader { device, .. }, None, _) => Who::Badge { uid: "", reader: device },
        (Asker::Api { .. }, _, None) => Who::Operator,
    };
    DoorQuestion { door, who }
}

fn row(attempt: &Attempt, cx: &Context<'_>, state: IntentState) -> IntentRow {
    let door = attempt.grant.door.clone();
    IntentRow { intent: attempt.intent, door, member: attempt.grant.member, at: cx.now.stamp(), state }
}
