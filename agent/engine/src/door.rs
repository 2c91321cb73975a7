//! Doors: joins what readers and relays say over MQTT to the decision who opens which door, and owns what lives longer than a
//! packet: connections, and openings from the question to the relay that is off again.
//!
//! It refuses to know sockets, TLS and files. Bytes of a connection come in and go out; what must not leave late carries the
//! moment after which it must not; an intent is written down by the shell, which says so.
//!
//! ```text
//! badge, API --ask--> decide --no--> refused
//!                       | yes
//!                       v
//!            relay there? --no--> failed       Opening: see `opening`
//!                       | yes                    | Command: decide once more, then one timed Switch.Set
//!                       +--> intent + probe -----+--> opened | failed | unknown
//! ```
//!
//! | file | owns |
//! |---|---|
//! | `link` | connections and whose they are |
//! | `opening` | the states of one opening |
//! | `attempt` | questions: who asked, and what each is told |
//! | `shelly`, `reader` | the words of the two profiles |
//! | `history` | rows of history |
//! | `view` | pictures for people |

mod attempt;
mod history;
mod link;
pub mod opening;
mod reader;
mod shelly;
#[cfg(test)]
mod tests;
mod view;

pub use attempt::{Answer, Asker, DoorOutcome};
pub use view::{DoorView, LastOpening};

use crate::Context;
use attempt::Underway;
use history::Quiet;
use link::{Known, Links};
use opening::Signal;
use policy::{Actor, IntentRow, Noun, Outcome, Reason, Record, Snapshot};
use proto::mqtt::{Ending, Event, Evidence, Message, Refusal};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use values::{DoorName, IntentId, MemberId, Mono};

/// One connection; never used again within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// One message whose leaving is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SendId(pub u64);

/// Who waits for an answer outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What the engine is told.
#[derive(Debug)]
pub enum Input {
    ConnectionOpened {
        epoch: Epoch,
        peer: IpAddr,
    },
    Received {
        epoch: Epoch,
        bytes: Vec<u8>,
    },
    /// The transport is gone. Nothing more is said about its sends.
    Closed {
        epoch: Epoch,
    },
    /// The message was handed to an empty TLS buffer of its connection before its time was over.
    Written {
        send: SendId,
    },
    /// It was not, and never will be.
    Expired {
        send: SendId,
    },
    /// Somebody asks through the API. With a member, the question is whether she may; without, the actor's own right decides.
    Open {
        request: RequestId,
        door: DoorName,
        actor: Actor,
        member: Option<MemberId>,
    },
    /// The answer to a `LogIntent` that asked for one.
    IntentLogged {
        intent: IntentId,
        ok: bool,
    },
    /// `cx` holds a newer snapshot than this one, which was the newest before.
    SnapshotChanged {
        old: Arc<Snapshot>,
    },
    TimerFired,
}

/// What the engine wants done.
#[derive(Debug)]
pub enum Output {
    /// Bytes for a connection, in order.
    Send {
        epoch: Epoch,
        bytes: Vec<u8>,
        deadline: Option<Deadline>,
    },
    /// End it once what was sent has left.
    Close {
        epoch: Epoch,
    },
    /// End it now and discard what has not left (RST).
    Reset {
        epoch: Epoch,
    },
    /// Append to intents.ring; with `confirm`, say when it is on the disk.
    LogIntent {
        row: IntentRow,
        confirm: bool,
    },
    Record(Record),
    Answered {
        request: RequestId,
        answer: Answer,
    },
}

/// A message that must not leave late: answered with `Written` or `Expired`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    pub send: SendId,
    pub not_after: Mono,
}

/// Monotone counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub connections: u64,
    pub connects_refused: u64,
    pub messages_refused: u64,
    pub opened: u64,
    pub refused: u64,
    pub failed: u64,
    pub unknown: u64,
    /// Commands that left before their intent was on the disk.
    pub intent_gaps: u64,
    /// Rows of history that were counted instead of written, because their like had just been written ten times.
    pub rows_suppressed: u64,
    pub resets: u64,
}

/// See the file's head.
#[derive(Default)]
pub struct DoorEngine {
    links: Links,
    underway: BTreeMap<DoorName, Underway>,
    last: BTreeMap<DoorName, LastOpening>,
    outputs: VecDeque<Output>,
    quiet: Quiet,
    /// Of its own, so that no crowd at a reader hides what a device does.
    turned_away: Quiet,
    last_send: u64,
    counters: Counters,
}

impl DoorEngine {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub fn handle(&mut self, cx: &mut Context<'_>, input: Input) {
        match input {
            Input::ConnectionOpened { epoch, peer } => {
                self.counters.connections += 1;
                if !self.links.open(epoch, peer, cx.now.mono) {
                    self.outputs.push_back(Output::Reset { epoch });
                }
            }
            Input::Received { epoch, bytes } => {
                if let Some(link) = self.links.at(epoch) {
                    link.session.handle_bytes(&bytes, cx.now.mono);
                    self.pump(cx, epoch);
                }
            }
            Input::Closed { epoch } => {
                if let Some(link) = self.links.at(epoch) {
                    link.session.handle_closed();
                    self.pump(cx, epoch);
                }
            }
            Input::Written { send } => self.signal_all(cx, Signal::Written { send }),
            Input::Expired { send } => self.signal_all(cx, Signal::Expired { send }),
            Input::Open { request, door, actor, member } => self.ask_for(cx, request, &door, actor, member),
            Input::IntentLogged { intent, ok } => self.intent_logged(cx, intent, ok),
            Input::SnapshotChanged { old: _ } => {
                for epoch in self.links.outdated(cx.snapshot) {
                    self.dismiss(cx, epoch);
                }
            }
            Input::TimerFired => self.timer_fired(cx),
        }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        let openings = self.underway.values().map(|underway| underway.opening.poll_timeout()).min();
        [self.links.poll_timeout(), openings].into_iter().flatten().min()
    }

    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn timer_fired(&mut self, cx: &mut Context<'_>) {
        for epoch in self.links.due(cx.now.mono) {
            if let Some(link) = self.links.at(epoch) {
                link.session.handle_timeout(cx.now.mono);
            }
            self.pump(cx, epoch);
        }
        self.signal_all(cx, Signal::TimerFired);
    }

    /// Ends a connection from this side, at once.
    fn dismiss(&mut self, cx: &mut Context<'_>, epoch: Epoch) {
        if let Some(link) = self.links.at(epoch) {
            link.session.dismiss();
            self.pump(cx, epoch);
        }
    }

    /// Takes what a session has to say and to send until it is silent.
    fn pump(&mut self, cx: &mut Context<'_>, epoch: Epoch) {
        loop {
            let Some(link) = self.links.at(epoch) else { return };
            while let Some(bytes) = link.session.poll_bytes() {
                self.outputs.push_back(Output::Send { epoch, bytes, deadline: None });
            }
            match link.session.poll_event() {
                None => return,
                Some(Event::Connect(evidence)) => self.connect(cx, epoch, &evidence),
                Some(Event::Published(message)) => self.published(cx, epoch, &message),
                Some(Event::Refused(refusal)) => self.message_refused(cx, epoch, &refusal),
                Some(Event::Taken(packet)) => self.signal_on(cx, epoch, Signal::Taken { packet }),
                // A will says that the device is gone, which the end that follows says with its reason.
                Some(Event::Will(_)) => {}
                Some(Event::Over(ending)) => self.over(cx, epoch, ending),
            }
        }
    }

    fn connect(&mut self, cx: &mut Context<'_>, epoch: Epoch, evidence: &Evidence) {
        let device = match link::identify(cx.snapshot, evidence) {
            Ok(device) => device.clone(),
            Err((why, reason)) => return self.connect_refused(cx, epoch, evidence, why, &reason),
        };
        let (rights, name) = (link::rights(&device), device.name.clone());
        let profile = device.profile.as_str();
        let older = self.links.claim(epoch, Known { device, since: cx.now.stamp() });
        if let Some(older) = older {
            self.dismiss(cx, older);
        }
        let Some(link) = self.links.at(epoch) else { return };
        link.session.accept(rights, cx.now.mono);
        let address = link.peer.to_string();
        let (code, sentence) = match older {
            None => ("device-connected", "A device connected."),
            Some(_) => (
                "device-taken-over",
                "A device connected again while its older connection still stood; the older one was ended.",
            ),
        };
        self.noted(cx, name.as_str(), code, |cx| {
            history::row(cx, Noun::Device, Outcome::Noted, code, sentence)
                .place(&name)
                .fact("profile", profile)
                .personal("address", address)
        });
    }

    fn connect_refused(
        &mut self,
        cx: &mut Context<'_>,
        epoch: Epoch,
        evidence: &Evidence,
        why: proto::mqtt::RefusedConnect,
        reason: &Reason,
    ) {
        self.counters.connects_refused += 1;
        let Some(link) = self.links.at(epoch) else { return };
        link.session.refuse(why);
        let address = link.peer.to_string();
        // Strangers share one budget of rows: the name they give is whatever they like.
        let known = evidence.user_name.as_deref().filter(|name| cx.snapshot.devices.contains_key(*name));
        let subject = known.unwrap_or_default().to_owned();
        let place = known.map(str::to_owned);
        self.noted(cx, &subject, reason.code(), |cx| {
            let mut record = history::complaint(cx, reason).personal("address", address);
            record.place = place;
            record.personal("client_id", history::shown(&evidence.client_id))
        });
    }

    fn message_refused(&mut self, cx: &mut Context<'_>, epoch: Epoch, refusal: &Refusal) {
        self.counters.messages_refused += 1;
        let Some(known) = self.links.at(epoch).and_then(|link| link.known.clone()) else { return };
        let device = known.device.name.to_string();
        let (reason, topic) = match refusal {
            Refusal::Publish { topic } => (Reason::TopicNotAllowed { device }, topic.as_str()),
            Refusal::RetainedCommand { topic } => (Reason::RetainedCommand { device }, topic.as_str()),
            Refusal::Subscribe { filter } => (Reason::SubscriptionNotAllowed { device }, filter.as_str()),
        };
        let name = known.device.name;
        self.noted(cx, name.as_str(), reason.code(), |cx| {
            history::complaint(cx, &reason).place(&name).fact("topic", history::shown(topic))
        });
    }

    fn over(&mut self, cx: &mut Context<'_>, epoch: Epoch, ending: Ending) {
        let Some(link) = self.links.remove(epoch) else { return };
        // A command that nobody has answered dies with its connection; a soft end would let it leave late.
        let has_command =
            self.underway.values().any(|underway| underway.opening.epoch == epoch && underway.opening.is_in_the_air());
        let is_abrupt = has_command
            || match ending {
                // What was said last (a CONNACK with its code) should still arrive.
                Ending::ByClient | Ending::Refused | Ending::Misbehaved(_) => false,
                Ending::ConnectionLost
                | Ending::KeepAlive
                | Ending::ConnectTimeout
                | Ending::TooFast
                | Ending::Dismissed => true,
            };
        self.outputs.push_back(if is_abrupt { Output::Reset { epoch } } else { Output::Close { epoch } });
        self.counters.resets += u64::from(is_abrupt && ending != Ending::ConnectionLost);
        let device = link.known.as_ref().map(|known| known.device.name.clone());
        let subject = device.as_ref().map(ToString::to_string).unwrap_or_default();
        let complaint = match ending {
            Ending::TooFast => Some(Reason::DeviceTooFast { device: subject.clone() }),
            Ending::Misbehaved(what) => Some(Reason::DeviceMisbehaved { what: what.to_owned() }),
            Ending::ByClient
            | Ending::ConnectionLost
            | Ending::KeepAlive
            | Ending::ConnectTimeout
            | Ending::Refused
            | Ending::Dismissed => None,
        };
        if let Some(reason) = complaint {
            let address = link.peer.to_string();
            self.noted(cx, &subject, reason.code(), |cx| {
                let mut record = history::complaint(cx, &reason).personal("address", address);
                record.place = device.as_ref().map(ToString::to_string);
                record
            });
        } else if let Some(name) = &device {
            self.noted(cx, &subject, "device-disconnected", |cx| {
                let sentence = "A device's connection ended.";
                history::row(cx, Noun::Device, Outcome::Noted, "device-disconnected", sentence)
                    .place(name)
                    .fact("ending", ending_word(ending))
            });
        }
        self.signal_on(cx, epoch, Signal::LinkLost);
    }

    fn published(&mut self, cx: &mut Context<'_>, epoch: Epoch, message: &Message) {
        let Some(known) = self.links.at(epoch).and_then(|link| link.known.as_ref()) else { return };
        let device = known.device.name.clone();
        match known.device.profile {
            policy::DeviceProfile::ShellyGen2 => {
                match shelly::hear(device.as_str(), &message.topic, &message.payload) {
                    shelly::Heard::Answer { call, reply } => {
                        self.signal_on(cx, epoch, Signal::Answered { call, reply })
                    }
                    shelly::Heard::Output { channel, on } => self.output_heard(cx, epoch, channel, on),
                    shelly::Heard::Nothing => {}
                }
            }
            policy::DeviceProfile::Reader => self.reader_said(cx, epoch, &device, message),
        }
    }

    /// Writes a row down unless the same was said too often of late.
    fn noted(
        &mut self,
        cx: &mut Context<'_>,
        subject: &str,
        code: &'static str,
        row: impl FnOnce(&mut Context<'_>) -> Record,
    ) {
        match self.quiet.admit(subject, code, cx.now.mono) {
            Some(suppressed) => {
                let record = history::after(row(cx), suppressed);
                self.outputs.push_back(Output::Record(record));
            }
            None => self.counters.rows_suppressed += 1,
        }
    }
}

const fn ending_word(ending: Ending) -> &'static str {
    match ending {
        Ending::ByClient => "by-device",
        Ending::ConnectionLost => "connection-lost",
        Ending::KeepAlive => "keep-alive",
        Ending::ConnectTimeout => "connect-timeout",
        Ending::Refused => "refused",
        Ending::TooFast => "too-fast",
        Ending::Dismissed => "ended-by-the-box",
        Ending::Misbehaved(_) => "misbehaved",
    }
}
