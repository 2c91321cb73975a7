//! The engine's surroundings, in virtual time: a relay and a reader that speak MQTT bytes, a network that delivers in order
//! and can stall or break, a shell that hands sends over, a disk with the intents ring.

use crate::Context;
use crate::door::{Answer, DoorEngine, Epoch, Input, Output, RequestId, SendId};
use policy::people::{CredentialKind, MemberStatus, Window};
use policy::schedule::{Schedule, Slot};
use policy::site::{Device, DoorGrant, Site, SiteModel};
use policy::snapshot::Loaded;
use policy::{
    Actor, Change, Credential, DeviceProfile, Door, IntentRow, IntentState, Member, Plan, Record, Relay, Snapshot,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use values::{CredentialId, MemberId, Mono, Now, Pii, SeededEntropy, Timestamp};

/// Friday 2026-11-20, 22:00 in Berlin.
const START: Timestamp = Timestamp::from_seconds(1_795_208_400);
pub const BADGE: &str = "04A1B2C3";
/// Of a member whose hours are over.
pub const LATE_BADGE: &str = "04000002";
pub const MEMBER_BADGE_UNKNOWN: &str = "04FFFFFF";
pub const PULSE_MS: u64 = 3_000;

pub fn member(n: u8) -> MemberId {
    MemberId::from_random([n; 16])
}

fn name<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a fixed name")
}

/// SHA-256 of a device's name, which is its password here.
fn device(device_name: &str, profile: DeviceProfile, password_sha256: [u8; 32]) -> Device {
    Device { name: name(device_name), revision: 1, profile, password_sha256, added_at: START }
}

fn plan(plan_name: &str, hours: Option<&str>) -> Plan {
    let grant = DoorGrant { doors: vec![name("street")], hours: hours.map(name) };
    Plan { name: name(plan_name), title: plan_name.into(), wifi: None, print: None, doors: vec![grant] }
}

fn person(n: u8, plan: &str) -> Member {
    Member {
        id: member(n),
        revision: 1,
        name: Pii(format!("Member {n}")),
        email: Pii(format!("m{n}@example.org")),
        plan: name(plan),
        team: None,
        status: MemberStatus::Active,
        valid: Window::default(),
        home_site: None,
        shows_presence: false,
        added_at: START,
    }
}

fn badge(n: u8, uid: &str) -> Credential {
    Credential {
        id: CredentialId::from_random([n; 16]),
        revision: 1,
        member: member(n),
        label: Pii("fob".into()),
        kind: CredentialKind::Badge { uid: Pii(uid.into()) },
        issued_at: START,
        revoked_at: None,
    }
}

fn snapshot() -> Snapshot {
    let slot = Slot { weekday: jiff::civil::Weekday::Friday, from_minute: 8 * 60, until_minute: 18 * 60 };
    let office = Schedule { name: name("office"), slots: vec![slot], closed_on_holidays: true };
    let relay = Relay {
        device: name("relay-street"),
        profile: DeviceProfile::ShellyGen2,
        channel: 0,
        pulse_ms: PULSE_MS as u32,
    };
    let street = Door { name: name("street"), title: "Street".into(), relay, readers: vec![name("reader-street")] };
    let site = Site {
        name: "Harbour Works".into(),
        realm: "harbour.example".into(),
        time_zone: jiff::tz::TimeZone::get("Europe/Berlin").expect("bundled"),
        holidays: BTreeSet::new(),
        currency: "EUR".into(),
    };
    let model = SiteModel {
        generation: 1,
        ssids: Vec::new(),
        eap_methods: policy::EapMethod::ALL.to_vec(),
        site,
        schedules: BTreeMap::from([(office.name.clone(), office)]),
        networks: BTreeMap::new(),
        access_points: BTreeMap::new(),
        printers: BTreeMap::new(),
        doors: BTreeMap::from([(street.name.clone(), street)]),
        plans: [plan("resident", None), plan("flex", Some("office"))]
            .into_iter()
            .map(|plan| (plan.name.clone(), plan))
            .collect(),
    };
    Snapshot::load(
        Arc::new(model),
        Loaded {
            members: vec![person(1, "resident"), person(2, "flex")],
            credentials: vec![badge(1, BADGE), badge(2, LATE_BADGE)],
            devices: vec![
                device("relay-street", DeviceProfile::ShellyGen2, sha256("relay-street")),
                device("reader-street", DeviceProfile::Reader, sha256("reader-street")),
            ],
            ..Loaded::default()
        },
    )
}

/// What the engine's own session makes of a password.
fn sha256(password: &str) -> [u8; 32] {
    let mut session = proto::mqtt::Session::new(Mono(0));
    session.handle_bytes(&connect("x", "x", password, None), Mono(0));
    match session.poll_event() {
        Some(proto::mqtt::Event::Connect(evidence)) => evidence.password_sha256.expect("a password"),
        other => panic!("{other:?}"),
    }
}

fn string(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

fn packet(header: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![header];
    let mut left = body.len();
    loop {
        let digit = (left % 128) as u8;
        left /= 128;
        bytes.push(if left > 0 { digit | 0x80 } else { digit });
        if left == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

/// CONNECT without keep-alive.
pub fn connect(client_id: &str, user: &str, password: &str, will: Option<&str>) -> Vec<u8> {
    let mut body = string("MQTT");
    body.extend([4, if will.is_some() { 0xc6 } else { 0xc2 }, 0, 0]);
    body.extend(string(client_id));
    if let Some(topic) = will {
        body.extend(string(topic));
        body.extend(string("false"));
    }
    body.extend(string(user));
    body.extend(string(password));
    packet(0x10, &body)
}

fn subscribe(filter: &str, qos: u8) -> Vec<u8> {
    let mut body = vec![0, 1];
    body.extend(string(filter));
    body.push(qos);
    packet(0x82, &body)
}

fn publish(topic: &str, payload: &[u8], retain: bool) -> Vec<u8> {
    let mut body = string(topic);
    body.extend(payload);
    packet(0x30 | u8::from(retain), &body)
}

/// (topic, payload, packet identifier) of a PUBLISH.
fn published(bytes: &[u8]) -> Option<(String, Vec<u8>, Option<[u8; 2]>)> {
    if bytes[0] & 0xf0 != 0x30 {
        return None;
    }
    let start = 2 + bytes[1..].iter().position(|byte| byte & 0x80 == 0)?;
    let length = usize::from(u16::from_be_bytes([bytes[start], bytes[start + 1]]));
    let topic = String::from_utf8(bytes[start + 2..start + 2 + length].to_vec()).ok()?;
    let rest = &bytes[start + 2 + length..];
    if bytes[0] & 0b110 != 0 {
        Some((topic, rest[2..].to_vec(), Some([rest[0], rest[1]])))
    } else {
        Some((topic, rest.to_vec(), None))
    }
}

/// A Shelly of the second generation, as its documents describe it, with faults.
#[derive(Default)]
pub struct SimRelay {
    pub epoch: Option<Epoch>,
    pub subscribes_with_qos_1: bool,
    pub answers: bool,
    pub refuses: bool,
    pub dies_after_command: bool,
    pub sticks: bool,
    /// Says everything twice.
    pub stutters: bool,
    /// Between a call and its effect and answer.
    pub delay_ms: u64,
    pub is_on: bool,
    pub off_at: Option<Mono>,
    /// When each pulse began, and the id of its call.
    pub pulses: Vec<(Mono, u64)>,
    pub probes: u32,
    /// When each command arrived, and the id of its call.
    pub commands: Vec<(Mono, u64)>,
    /// Messages of any kind.
    pub heard: u32,
}

#[derive(Default)]
pub struct SimReader {
    pub epoch: Option<Epoch>,
    pub told: Vec<String>,
}

pub struct SimDisk {
    pub delay_ms: u64,
    pub ok: bool,
}

#[derive(Default)]
pub struct SimShell {
    pub command_delay_ms: u64,
}

/// Something that happens at a time.
enum Due {
    ToDevice {
        epoch: Epoch,
        bytes: Vec<u8>,
    },
    ToEngine {
        epoch: Epoch,
        bytes: Vec<u8>,
    },
    /// The relay acts on a call.
    Acts {
        epoch: Epoch,
        call: Value,
    },
    HandOver {
        epoch: Epoch,
        bytes: Vec<u8>,
        send: SendId,
        not_after: Mono,
    },
    Logged {
        intent: values::IntentId,
    },
}

pub struct World {
    pub engine: DoorEngine,
    pub snapshot: Arc<Snapshot>,
    pub now: Mono,
    pub relay: SimRelay,
    pub reader: SimReader,
    pub disk: SimDisk,
    pub shell: SimShell,
    pub records: Vec<Record>,
    pub ring: Vec<IntentRow>,
    /// When each question was granted, by the id that its command would have.
    pub granted: BTreeMap<u64, Mono>,
    pub resets: Vec<Epoch>,
    /// Connections that ended softly, what was sent before first.
    pub closes: Vec<Epoch>,
    pub answers: BTreeMap<RequestId, Vec<(Mono, Answer)>>,
    /// One way through the network.
    pub latency_ms: u64,
    entropy: SeededEntropy,
    queue: VecDeque<(Mono, u64, Due)>,
    /// The last delivery on each connection and direction: TCP keeps order.
    last_delivery: BTreeMap<(Epoch, bool), Mono>,
    raw: Vec<u8>,
    sequence: u64,
    last_epoch: u64,
    last_request: u64,
}

impl World {
    pub fn start() -> Self {
        Self::seeded(1)
    }

    pub fn seeded(seed: u64) -> Self {
        Self {
            engine: DoorEngine::new(),
            snapshot: Arc::new(snapshot()),
            now: Mono(1_000),
            relay: SimRelay { answers: true, delay_ms: 5, ..SimRelay::default() },
            reader: SimReader::default(),
            disk: SimDisk { delay_ms: 2, ok: true },
            shell: SimShell::default(),
            records: Vec::new(),
            ring: Vec::new(),
            granted: BTreeMap::new(),
            resets: Vec::new(),
            closes: Vec::new(),
            answers: BTreeMap::new(),
            latency_ms: 1,
            entropy: SeededEntropy(seed),
            queue: VecDeque::new(),
            last_delivery: BTreeMap::new(),
            raw: Vec::new(),
            sequence: 0,
            last_epoch: 0,
            last_request: 0,
        }
    }

    fn wall(&self) -> Now {
        Now::trusted(self.now, START + Duration::from_millis(self.now.0))
    }

    pub fn feed(&mut self, input: Input) {
        let now = self.wall();
        let snapshot = Arc::clone(&self.snapshot);
        let mut cx = Context { snapshot: &snapshot, now, entropy: &mut self.entropy };
        self.engine.handle(&mut cx, input);
        while let Some(output) = self.engine.poll_output() {
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Send { epoch, bytes, deadline: None } => self.deliver(epoch, bytes, true),
            Output::Send { epoch, bytes, deadline: Some(deadline) } => {
                let is_command = published(&bytes)
                    .is_some_and(|(_, payload, _)| payload.windows(10).any(|part| part == b"Switch.Set"));
                let at = self.now + Duration::from_millis(if is_command { self.shell.command_delay_ms } else { 0 });
                self.at(at, Due::HandOver { epoch, bytes, send: deadline.send, not_after: deadline.not_after });
            }
            Output::Close { epoch } => {
                self.closes.push(epoch);
                self.cut(epoch);
            }
            Output::Reset { epoch } => self.cut(epoch),
            Output::LogIntent { row, confirm } => {
                let intent = row.intent;
                if row.state == IntentState::Logged {
                    let [a, b, c, d, ..] = intent.to_bytes();
                    self.granted.insert(u64::from(u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff), self.now);
                }
                if self.disk.ok {
                    self.ring.push(row);
                }
                if confirm {
                    self.at(self.now + Duration::from_millis(self.disk.delay_ms), Due::Logged { intent });
                }
            }
            Output::Record(record) => self.records.push(record),
            Output::Answered { request, answer } => self.answers.entry(request).or_default().push((self.now, answer)),
        }
    }

    fn at(&mut self, at: Mono, due: Due) {
        self.sequence += 1;
        self.queue.push_back((at, self.sequence, due));
    }

    fn deliver(&mut self, epoch: Epoch, bytes: Vec<u8>, to_device: bool) {
        let last = self.last_delivery.entry((epoch, to_device)).or_default();
        *last = (self.now + Duration::from_millis(self.latency_ms)).max(*last);
        let at = *last;
        self.at(at, if to_device { Due::ToDevice { epoch, bytes } } else { Due::ToEngine { epoch, bytes } });
    }

    /// The connection is gone for both; what was on its way dies.
    fn cut(&mut self, epoch: Epoch) {
        self.resets.push(epoch);
        let mut expired = Vec::new();
        self.queue.retain(|(_, _, due)| match due {
            Due::ToDevice { epoch: of, .. } | Due::ToEngine { epoch: of, .. } => *of != epoch,
            Due::HandOver { epoch: of, send, .. } if *of == epoch => {
                expired.push(*send);
                false
            }
            Due::Acts { .. } | Due::HandOver { .. } | Due::Logged { .. } => true,
        });
        if self.relay.epoch == Some(epoch) {
            self.relay.epoch = None;
        }
        if self.reader.epoch == Some(epoch) {
            self.reader.epoch = None;
        }
        for send in expired {
            self.feed(Input::Expired { send });
        }
    }

    /// The relay takes its leave (DISCONNECT).
    pub fn relay_leaves(&mut self) {
        let epoch = self.relay.epoch.expect("connected");
        self.deliver(epoch, vec![0xe0, 0], false);
    }

    /// The device's end goes.
    pub fn hang_up(&mut self, epoch: Epoch) {
        self.cut(epoch);
        self.feed(Input::Closed { epoch });
    }

    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next = self.queue.iter().map(|(at, sequence, _)| (*at, *sequence)).min();
            let timer = [self.engine.poll_timeout(), self.relay.off_at].into_iter().flatten().min();
            let (at, is_event) = match (next, timer) {
                (Some((at, _)), Some(timer)) if timer < at => (timer, false),
                (Some((at, _)), _) => (at, true),
                (None, Some(timer)) => (timer, false),
                (None, None) => (end, false),
            };
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            if is_event && let Some((_, sequence)) = next {
                self.happen(sequence);
            } else {
                if self.relay.off_at.is_some_and(|off| off <= self.now) {
                    self.relay_switches_off();
                }
                if self.engine.poll_timeout().is_some_and(|due| due <= self.now) {
                    self.feed(Input::TimerFired);
                }
            }
            if self.queue.is_empty() && self.engine.poll_timeout().is_none() && self.relay.off_at.is_none() {
                break;
            }
        }
        self.now = end;
    }

    fn happen(&mut self, sequence: u64) {
        let Some(at) = self.queue.iter().position(|(_, of, _)| *of == sequence) else { return };
        let Some((_, _, due)) = self.queue.remove(at) else { return };
        match due {
            Due::ToEngine { epoch, bytes } => self.feed(Input::Received { epoch, bytes }),
            Due::ToDevice { epoch, bytes } if self.relay.epoch == Some(epoch) => self.relay_hears(epoch, &bytes),
            Due::ToDevice { epoch, bytes } if self.reader.epoch == Some(epoch) => {
                if let Some((_, payload, _)) = published(&bytes) {
                    self.reader.told.push(String::from_utf8_lossy(&payload).into_owned());
                }
            }
            Due::ToDevice { bytes, .. } => self.raw.extend(bytes),
            Due::Acts { epoch, call } => self.relay_acts(epoch, &call),
            Due::HandOver { epoch, bytes, send, not_after } => {
                if self.now <= not_after {
                    self.deliver(epoch, bytes, true);
                    self.feed(Input::Written { send });
                } else {
                    self.feed(Input::Expired { send });
                }
            }
            Due::Logged { intent } => {
                let ok = self.disk.ok;
                self.feed(Input::IntentLogged { intent, ok });
            }
        }
    }

    fn relay_hears(&mut self, epoch: Epoch, bytes: &[u8]) {
        let Some((topic, payload, id)) = published(bytes) else { return };
        self.relay.heard += 1;
        assert_eq!((bytes[0] & 1, topic.as_str()), (0, "relay-street/rpc"), "never retained");
        if let Some([high, low]) = id {
            self.deliver(epoch, vec![0x40, 2, high, low], false);
        }
        let call: Value = serde_json::from_slice(&payload).expect("a call is JSON");
        if call["params"]["on"] == true {
            self.relay.commands.push((self.now, call["id"].as_u64().expect("an id")));
        }
        let at = self.now + Duration::from_millis(self.relay.delay_ms);
        self.at(at, Due::Acts { epoch, call });
    }

    fn relay_acts(&mut self, epoch: Epoch, call: &Value) {
        let id = call["id"].as_u64().expect("an id");
        let result = match call["method"].as_str() {
            Some("Switch.GetStatus") => {
                self.relay.probes += 1;
                json!({ "id": 0, "source": "init", "output": self.relay.is_on })
            }
            Some("Switch.Set") if self.relay.refuses => Value::Null,
            Some("Switch.Set") if call["params"]["on"] == true => {
                assert_eq!(call["params"]["toggle_after"], 3);
                self.relay.pulses.push((self.now, id));
                self.relay.is_on = true;
                self.relay.off_at = (!self.relay.sticks).then_some(self.now + Duration::from_millis(PULSE_MS));
                if self.relay.dies_after_command {
                    return self.hang_up(epoch);
                }
                self.relay_says(epoch, "relay-street/status/switch:0", &json!({ "id": 0, "output": true }));
                json!({ "was_on": false })
            }
            Some("Switch.Set") => {
                self.relay.is_on = false;
                json!({ "was_on": true })
            }
            other => panic!("{other:?}"),
        };
        if self.relay.answers {
            let answer = if result.is_null() {
                json!({ "id": id, "src": "relay-street", "dst": call["src"], "error": { "code": -103, "message": "no" } })
            } else {
                json!({ "id": id, "src": "relay-street", "dst": call["src"], "result": result })
            };
            let topic = format!("{}/rpc", call["src"].as_str().expect("a source"));
            self.relay_says(epoch, &topic, &answer);
        }
    }

    fn relay_switches_off(&mut self) {
        self.relay.off_at = None;
        self.relay.is_on = false;
        if let Some(epoch) = self.relay.epoch.filter(|_| self.relay.answers) {
            self.relay_says(epoch, "relay-street/status/switch:0", &json!({ "id": 0, "output": false }));
        }
    }

    fn relay_says(&mut self, epoch: Epoch, topic: &str, payload: &Value) {
        if self.relay.epoch == Some(epoch) {
            for _ in 0..1 + u8::from(self.relay.stutters) {
                self.deliver(epoch, publish(topic, payload.to_string().as_bytes(), false), false);
            }
        }
    }

    fn open_connection(&mut self) -> Epoch {
        self.last_epoch += 1;
        let epoch = Epoch(self.last_epoch);
        self.feed(Input::ConnectionOpened { epoch, peer: IpAddr::V4(Ipv4Addr::LOCALHOST) });
        epoch
    }

    pub fn connect_relay(&mut self) {
        let epoch = self.open_connection();
        self.relay.epoch = Some(epoch);
        let mut bytes = connect("relay-street", "relay-street", "relay-street", Some("relay-street/online"));
        bytes.extend(subscribe("relay-street/rpc", u8::from(self.relay.subscribes_with_qos_1)));
        self.deliver(epoch, bytes, false);
        self.run_for(Duration::from_millis(2 * self.latency_ms));
    }

    pub fn connect_reader(&mut self) {
        let epoch = self.open_connection();
        self.reader.epoch = Some(epoch);
        let mut bytes = connect("reader-street", "reader-street", "reader-street", None);
        bytes.extend(subscribe("readers/reader-street/answer", 0));
        self.deliver(epoch, bytes, false);
        self.run_for(Duration::from_millis(2 * self.latency_ms));
    }

    /// A connection of nobody we know: what it is told.
    pub fn connect_raw(&mut self, bytes: &[u8]) -> Vec<u8> {
        let epoch = self.open_connection();
        let now = self.wall();
        let snapshot = Arc::clone(&self.snapshot);
        let mut cx = Context { snapshot: &snapshot, now, entropy: &mut self.entropy };
        self.engine.handle(&mut cx, Input::Received { epoch, bytes: bytes.to_vec() });
        let mut said = Vec::new();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Send { bytes, .. } => said.extend(bytes),
                other => self.perform(other),
            }
        }
        said
    }

    pub fn show_badge(&mut self, uid: &str) {
        self.reader_publishes("readers/reader-street/badge", json!({ "uid": uid }).to_string().as_bytes(), false);
    }

    pub fn reader_publishes(&mut self, topic: &str, payload: &[u8], retain: bool) {
        if let Some(epoch) = self.reader.epoch {
            self.deliver(epoch, publish(topic, payload, retain), false);
        }
    }

    pub fn open_as_operator(&mut self) -> RequestId {
        self.open(Actor::Admin, None)
    }

    pub fn open(&mut self, actor: Actor, member: Option<MemberId>) -> RequestId {
        self.last_request += 1;
        let request = RequestId(self.last_request);
        self.feed(Input::Open { request, door: name("street"), actor, member });
        request
    }

    pub fn answer(&self, request: RequestId) -> Option<Answer> {
        let answers = self.answers.get(&request)?;
        assert_eq!(answers.len(), 1, "one answer");
        answers.first().map(|(_, answer)| answer.clone())
    }

    pub fn records_of(&self, code: &str) -> Vec<Record> {
        self.records.iter().filter(|record| record.code == code).cloned().collect()
    }

    pub fn ring_states(&self) -> Vec<IntentState> {
        self.ring.iter().map(|row| row.state).collect()
    }

    pub fn change(&mut self, changes: &[Change]) {
        let next = Arc::new(self.snapshot.with(changes));
        let old = std::mem::replace(&mut self.snapshot, next);
        self.feed(Input::SnapshotChanged { old });
    }

    pub fn suspend(&mut self, n: u8) {
        self.set_status(n, MemberStatus::Suspended { since: START });
    }

    pub fn resume(&mut self, n: u8) {
        self.set_status(n, MemberStatus::Active);
    }

    fn set_status(&mut self, n: u8, status: MemberStatus) {
        let mut person = self.snapshot.members[&member(n)].as_ref().clone();
        person.status = status;
        self.change(&[Change::Member(person)]);
    }

    pub fn remove_device(&mut self, device: &str) {
        self.change(&[Change::DeviceRemoved(name(device))]);
    }

    /// kill -9 and a new start: connections are reset, the ring is read.
    pub fn restart(&mut self) {
        self.engine = DoorEngine::new();
        for epoch in [self.relay.epoch, self.reader.epoch].into_iter().flatten() {
            self.cut(epoch);
        }
        self.queue.retain(|(_, _, due)| matches!(due, Due::Acts { .. }));
        let unfinished = self.unfinished();
        for row in &unfinished {
            self.ring.push(IntentRow { state: IntentState::Unknown, ..row.clone() });
        }
        let now = self.wall();
        let snapshot = Arc::clone(&self.snapshot);
        let mut cx = Context { snapshot: &snapshot, now, entropy: &mut self.entropy };
        self.engine.recover(&mut cx, unfinished);
        while let Some(output) = self.engine.poll_output() {
            self.perform(output);
        }
    }

    /// Intents whose last row is not an end.
    pub fn unfinished(&self) -> Vec<IntentRow> {
        let mut newest = BTreeMap::new();
        for row in &self.ring {
            newest.insert(row.intent, row.clone());
        }
        newest.into_values().filter(|row| !row.state.is_finished()).collect()
    }
}
