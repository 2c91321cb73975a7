//! One connection of one device: from its first byte to its end. Bytes in; events and bytes out.
//!
//! ```text
//! AwaitingConnect --CONNECT--> AwaitingVerdict --accept--> Up --DISCONNECT, silence, violation, dismissal--> Over
//!        |  5 s                      |  refuse, 5 s
//!        +---------------------------+------------------------------------------------------------------> Over
//! ```
//!
//! The session collects evidence (client id, user name, hash of the password, will) and asks; who the device is and what it
//! may do comes back as [`Rights`]. Every session is a clean one, whatever CONNECT asks for: nothing outlives the connection.
//!
//! QoS: inbound 0, 1 and 2 (2 by remembering up to [`INFLIGHT_MAX`] identifiers, so a repeated message counts once);
//! outbound 0, and 1 where the caller wants to know that the client took the message. Nothing is ever sent twice.

use super::packet::{self, ConnackCode, Delivery, Framer, Granted, Malformed, Packet, QosLevel};
use super::{
    CONNECT_LIMIT_MS, Filter, INFLIGHT_MAX, PACKETS_BURST_MAX, PACKETS_PER_SECOND_MAX, Rights, SUBSCRIPTIONS_MAX, Topic,
};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::time::Duration;
use values::Mono;

/// What a client claims to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub client_id: String,
    pub user_name: Option<String>,
    pub password_sha256: Option<[u8; 32]>,
    pub will_topic: Option<Topic>,
}

/// A message of the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: Topic,
    pub payload: Vec<u8>,
    /// The client has sent it before (DUP), perhaps on an earlier connection, so nobody knows how old it is.
    pub repeated: bool,
}

/// Something the device may not do, and that was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    Publish { topic: Topic },
    RetainedCommand { topic: Topic },
    Subscribe { filter: String },
}

/// Why CONNECT is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedConnect {
    IdentifierRejected,
    BadUserNameOrPassword,
    NotAuthorized,
}

/// How it ended. After [`Event::Over`] nothing follows, and the transport is closed once what was written has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// DISCONNECT.
    ByClient,
    /// The transport went away.
    ConnectionLost,
    /// One and a half keep-alive times without a packet.
    KeepAlive,
    /// No CONNECT, or no verdict on it, in time.
    ConnectTimeout,
    Refused,
    TooFast,
    /// The caller dismissed it: another connection of the same device, a device that was removed.
    Dismissed,
    /// A fixed word.
    Misbehaved(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Answer with [`Session::accept`] or [`Session::refuse`].
    Connect(Evidence),
    Published(Message),
    Refused(Refusal),
    /// The client took our message with this identifier.
    Taken(NonZeroU16),
    /// Comes before `Over` if the end was not announced (3.1.2.5).
    Will(Message),
    Over(Ending),
}

/// See the file's head.
pub struct Session {
    state: State,
    framer: Framer,
    packets: Bucket,
    events: VecDeque<Event>,
    written: VecDeque<Vec<u8>>,
}

enum State {
    AwaitingConnect { due: Mono },
    AwaitingVerdict { due: Mono, keep_alive: Option<Duration>, will: Option<Message>, early: Vec<u8> },
    Up(Up),
    Over,
}

struct Up {
    rights: Rights,
    keep_alive: Option<Duration>,
    /// When silence becomes an end.
    due: Option<Mono>,
    will: Option<Message>,
    subscriptions: Vec<(Filter, QosLevel)>,
    /// QoS 2 identifiers between PUBLISH and PUBREL.
    received: Vec<NonZeroU16>,
    last_id: u16,
}

impl Session {
    #[must_use]
    pub fn new(now: Mono) -> Self {
        Self {
            state: State::AwaitingConnect { due: now + Duration::from_millis(CONNECT_LIMIT_MS) },
            framer: Framer::default(),
            packets: Bucket::new(now),
            events: VecDeque::new(),
            written: VecDeque::new(),
        }
    }

    /// What arrived.
    pub fn handle_bytes(&mut self, mut bytes: &[u8], now: Mono) {
        loop {
            match &mut self.state {
                State::Over => return,
                // A client need not wait for CONNACK (3.1.4); what it says early is read after the verdict.
                State::AwaitingVerdict { early, .. } => {
                    if early.len() + bytes.len() > super::PACKET_MAX_BYTES {
                        self.end(Ending::Misbehaved("too much before CONNACK"));
                    } else {
                        early.extend_from_slice(bytes);
                    }
                    return;
                }
                State::AwaitingConnect { .. } | State::Up(_) => {}
            }
            match self.framer.next(&mut bytes) {
                None => return,
                Some(Err(malformed)) => self.handle_malformed(malformed),
                Some(Ok(_)) if !self.packets.take(now) => self.end(Ending::TooFast),
                Some(Ok(packet)) => self.handle_packet(packet, now),
            }
        }
    }

    pub fn handle_timeout(&mut self, now: Mono) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        match self.state {
            State::AwaitingConnect { .. } | State::AwaitingVerdict { .. } => self.end(Ending::ConnectTimeout),
            State::Up(_) => self.end(Ending::KeepAlive),
            State::Over => {}
        }
    }

    /// The transport is gone.
    pub fn handle_closed(&mut self) {
        self.end(Ending::ConnectionLost);
    }

    /// The client is who it claims to be. What it said before CONNACK is read now.
    pub fn accept(&mut self, rights: Rights, now: Mono) {
        let State::AwaitingVerdict { keep_alive, will, early, .. } = &mut self.state else { return };
        let (keep_alive, will, early) = (*keep_alive, will.take(), std::mem::take(early));
        self.state = State::Up(Up {
            rights,
            keep_alive,
            due: keep_alive.map(|wait| now + wait),
            will,
            subscriptions: Vec::new(),
            received: Vec::new(),
            last_id: 0,
        });
        self.written.push_back(packet::connack(ConnackCode::Accepted));
        self.handle_bytes(&early, now);
    }

    pub fn refuse(&mut self, why: RefusedConnect) {
        if let State::AwaitingVerdict { .. } = self.state {
            self.written.push_back(packet::connack(match why {
                RefusedConnect::IdentifierRejected => ConnackCode::IdentifierRejected,
                RefusedConnect::BadUserNameOrPassword => ConnackCode::BadUserNameOrPassword,
                RefusedConnect::NotAuthorized => ConnackCode::NotAuthorized,
            }));
            self.end(Ending::Refused);
        }
    }

    /// Ends the session from this side.
    pub fn dismiss(&mut self) {
        self.end(Ending::Dismissed);
    }

    /// The bytes of a message to the client; None when it did not subscribe to the topic. QoS 0.
    #[must_use]
    pub fn publish(&self, topic: &Topic, payload: &[u8]) -> Option<Vec<u8>> {
        self.subscribed(topic)?;
        Some(packet::publish_to_client(topic, payload, None))
    }

    /// As [`Session::publish`]; where the client subscribed with QoS 1 or more, with QoS 1 and the identifier that
    /// [`Event::Taken`] will name.
    pub fn publish_acknowledged(&mut self, topic: &Topic, payload: &[u8]) -> Option<(Vec<u8>, Option<NonZeroU16>)> {
        let qos = self.subscribed(topic)?;
        let State::Up(up) = &mut self.state else { return None };
        let id = match qos {
            QosLevel::AtMostOnce => None,
            QosLevel::AtLeastOnce | QosLevel::ExactlyOnce => {
                up.last_id = up.last_id.checked_add(1).unwrap_or(1);
                NonZeroU16::new(up.last_id)
            }
        };
        Some((packet::publish_to_client(topic, payload, id), id))
    }

    /// Whether a message on this topic would reach the client.
    #[must_use]
    pub fn hears(&self, topic: &Topic) -> bool {
        self.subscribed(topic).is_some()
    }

    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes to send, in this order.
    pub fn poll_bytes(&mut self) -> Option<Vec<u8>> {
        self.written.pop_front()
    }

    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        match &self.state {
            State::AwaitingConnect { due } | State::AwaitingVerdict { due, .. } => Some(*due),
            State::Up(up) => up.due,
            State::Over => None,
        }
    }

    /// The highest QoS among the subscriptions that match.
    fn subscribed(&self, topic: &Topic) -> Option<QosLevel> {
        let State::Up(up) = &self.state else { return None };
        up.subscriptions.iter().filter(|(filter, _)| filter.matches(topic)).map(|&(_, qos)| qos).max()
    }

    fn handle_malformed(&mut self, malformed: Malformed) {
        match malformed {
            Malformed::ProtocolLevel => {
                self.written.push_back(packet::connack(ConnackCode::UnacceptableProtocolVersion));
                self.end(Ending::Misbehaved("a protocol level other than 4"));
            }
            Malformed::TooLarge => self.end(Ending::Misbehaved("a packet over the limit")),
            Malformed::Other(word) => self.end(Ending::Misbehaved(word)),
        }
    }

    fn handle_packet(&mut self, packet: Packet, now: Mono) {
        let State::Up(up) = &mut self.state else {
            return match packet {
                Packet::Connect(connect) => self.handle_connect(connect),
                _ => self.end(Ending::Misbehaved("a packet before CONNECT")),
            };
        };
        up.due = up.keep_alive.map(|wait| now + wait);
        match packet {
            Packet::Connect(_) => self.end(Ending::Misbehaved("a second CONNECT")),
            Packet::Publish(publish) => self.handle_publish(publish),
            Packet::Puback(id) => self.events.push_back(Event::Taken(id)),
            Packet::Pubrel(id) => {
                up.received.retain(|&received| received != id);
                self.written.push_back(packet::pubcomp(id));
            }
            Packet::Subscribe { id, entries } => self.handle_subscribe(id, entries),
            Packet::Unsubscribe { id, filters } => {
                up.subscriptions.retain(|(filter, _)| !filters.iter().any(|gone| gone == filter.as_str()));
                self.written.push_back(packet::unsuback(id));
            }
            Packet::Pingreq => self.written.push_back(packet::pingresp()),
            Packet::Disconnect => {
                up.will = None;
                self.end(Ending::ByClient);
            }
        }
    }

    fn handle_connect(&mut self, connect: packet::Connect) {
        let State::AwaitingConnect { due } = self.state else { return };
        let will = match &connect.will {
            None => None,
            Some((topic, payload, _)) => match Topic::parse(topic) {
                Ok(topic) => Some(Message { topic, payload: payload.clone(), repeated: false }),
                Err(_) => return self.end(Ending::Misbehaved("the topic of the will")),
            },
        };
        self.events.push_back(Event::Connect(Evidence {
            client_id: connect.client_id,
            user_name: connect.user_name,
            password_sha256: connect.password.map(|password| Sha256::digest(password.expose()).into()),
            will_topic: will.as_ref().map(|will| will.topic.clone()),
        }));
        // 3.1.2.10: the server waits one and a half times the keep-alive.
        let keep_alive = (connect.keep_alive > 0).then(|| Duration::from_millis(u64::from(connect.keep_alive) * 1_500));
        self.state = State::AwaitingVerdict { due, keep_alive, will, early: Vec::new() };
    }

    fn handle_publish(&mut self, publish: packet::Publish) {
        let State::Up(up) = &mut self.state else { return };
        let Ok(topic) = Topic::parse(&publish.topic) else {
            return self.end(Ending::Misbehaved("a topic name"));
        };
        let is_new = match publish.delivery {
            Delivery::AtMostOnce => true,
            Delivery::AtLeastOnce(id) => {
                self.written.push_back(packet::puback(id));
                true
            }
            Delivery::ExactlyOnce(id) => {
                let is_new = !up.received.contains(&id);
                if is_new && up.received.len() >= INFLIGHT_MAX {
                    return self.end(Ending::Misbehaved("too many messages in flight"));
                }
                if is_new {
                    up.received.push(id);
                }
                self.written.push_back(packet::pubrec(id));
                is_new
            }
        };
        // What is refused was acknowledged all the same: 3.1.1 knows no other no than closing the connection (3.3.5).
        if publish.retain && topic.is_command() {
            self.events.push_back(Event::Refused(Refusal::RetainedCommand { topic }));
        } else if !up.rights.may_publish(&topic) {
            self.events.push_back(Event::Refused(Refusal::Publish { topic }));
        } else if is_new {
            self.events.push_back(Event::Published(Message { topic, payload: publish.payload, repeated: publish.dup }));
        }
    }

    fn handle_subscribe(&mut self, id: NonZeroU16, entries: Vec<(String, QosLevel)>) {
        let State::Up(up) = &mut self.state else { return };
        if entries.len() > SUBSCRIPTIONS_MAX {
            return self.end(Ending::Misbehaved("too many filters in one SUBSCRIBE"));
        }
        let mut granted = Vec::new();
        for (text, qos) in entries {
            let allowed = Filter::parse(&text).ok().filter(|filter| up.rights.may_subscribe(filter));
            let Some(filter) = allowed else {
                granted.push(Granted::Failure);
                self.events.push_back(Event::Refused(Refusal::Subscribe { filter: text }));
                continue;
            };
            up.subscriptions.retain(|(known, _)| *known != filter);
            if up.subscriptions.len() >= SUBSCRIPTIONS_MAX {
                granted.push(Granted::Failure);
                continue;
            }
            up.subscriptions.push((filter, qos));
            granted.push(match qos {
                QosLevel::AtMostOnce => Granted::AtMostOnce,
                QosLevel::AtLeastOnce | QosLevel::ExactlyOnce => Granted::AtLeastOnce,
            });
        }
        self.written.push_back(packet::suback(id, &granted));
    }

    fn end(&mut self, ending: Ending) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Over => {}
            State::AwaitingConnect { .. } | State::AwaitingVerdict { .. } => self.events.push_back(Event::Over(ending)),
            State::Up(up) => {
                self.events.extend(up.will.map(Event::Will));
                self.events.push_back(Event::Over(ending));
            }
        }
    }
}

/// A token bucket in milli-packets.
struct Bucket {
    left: u64,
    at: Mono,
}

impl Bucket {
    const FULL: u64 = PACKETS_BURST_MAX as u64 * 1_000;

    const fn new(now: Mono) -> Self {
        Self { left: Self::FULL, at: now }
    }

    fn take(&mut self, now: Mono) -> bool {
        let passed_ms = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        self.left =
            self.left.saturating_add(passed_ms.saturating_mul(u64::from(PACKETS_PER_SECOND_MAX))).min(Self::FULL);
        self.at = now;
        match self.left.checked_sub(1_000) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests;
