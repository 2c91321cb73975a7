//! Twenty devices over a network that loses, repeats and reorders datagrams, with slow workers, a disk that fails now and then
//! and members suspended at any moment. What must hold in every run is checked at every step.

use super::super::*;
use super::world::*;
use policy::MemberStatus;
use proto::radius::{AttributeType, Code, Packet};
use std::collections::{BTreeMap, BTreeSet};
use values::{Entropy, MemberId, SeededEntropy};

enum Event {
    ToEngine { socket: Socket, from: SocketAddr, datagram: Vec<u8> },
    ToPoint { socket: Socket, datagram: Vec<u8> },
    Computed { token: u64, conversation: Box<EapConversation>, step: EapStep },
    Accounted { token: u64, ok: bool },
    Begin { device: u8 },
    Resend { device: u8, round: u32 },
    Flip { member: u8 },
}

/// A device as its access point sees it.
#[derive(Default)]
struct Device {
    /// The request that waits for an answer.
    outstanding: Option<(Vec<u8>, u32)>,
    round: u32,
    online: Option<String>,
}

struct Simulation {
    world: World,
    dice: SeededEntropy,
    events: BTreeMap<(Mono, u64), Event>,
    sequence: u64,
    devices: BTreeMap<u8, Device>,
    /// When a request came first, and what left for it: while it is remembered, its answer never changes.
    arrived: BTreeMap<Vec<u8>, Mono>,
    answers: BTreeMap<Vec<u8>, Vec<u8>>,
    requests: BTreeMap<u8, Vec<u8>>,
    durable: BTreeSet<String>,
    suspended: BTreeSet<MemberId>,
    accepts: u32,
    rejects: u32,
    identifier: u8,
    calm: bool,
}

const DEVICES: u8 = 20;

impl Simulation {
    fn new(seed: u64) -> Self {
        Self {
            world: World::new(),
            dice: SeededEntropy(seed),
            events: BTreeMap::new(),
            sequence: 0,
            devices: (1..=DEVICES).map(|n| (n, Device::default())).collect(),
            arrived: BTreeMap::new(),
            answers: BTreeMap::new(),
            requests: BTreeMap::new(),
            durable: BTreeSet::new(),
            suspended: BTreeSet::new(),
            accepts: 0,
            rejects: 0,
            identifier: 0,
            calm: false,
        }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        u64::from_le_bytes((&mut self.dice as &mut dyn Entropy).bytes()) % sides
    }

    fn at(&mut self, after_ms: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.world.now.mono + Duration::from_millis(after_ms), self.sequence), event);
    }

    /// Over the network: perhaps lost, perhaps twice, each after its own time.
    fn send(&mut self, make: impl Fn() -> Event) {
        let copies = match self.roll(10) {
            0 | 1 if !self.calm => 0,
            2 | 3 if !self.calm => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let delay = if self.calm { 1 } else { 1 + self.roll(400) };
            self.at(delay, make());
        }
    }

    /// Two devices a member of the five; an odd one tries a wrong key.
    fn text(device: u8) -> String {
        let member = device % 5 + 1;
        let key = if device.is_multiple_of(7) { 77 } else { member };
        format!("user-{member}/{key}")
    }

    fn ask(&mut self, device: u8, state: Option<&[u8]>, eap: &[u8]) {
        self.identifier = self.identifier.wrapping_add(1);
        let request = access_request(self.identifier, device, state, eap);
        self.requests.insert(self.identifier, request.clone());
        if let Some(entry) = self.devices.get_mut(&device) {
            entry.round += 1;
            let round = entry.round;
            entry.outstanding = Some((request.clone(), round));
            self.at(1_000, Event::Resend { device, round });
        }
        self.send(|| Event::ToEngine { socket: Socket::Authentication, from: POINT, datagram: request.clone() });
    }

    fn account(&mut self, device: u8, status: u32, acct: &str, class: Option<&str>) {
        self.identifier = self.identifier.wrapping_add(1);
        let request = report(self.identifier, status, device, acct, class).finish(SECRET).expect("it fits");
        self.send(|| Event::ToEngine { socket: Socket::Accounting, from: POINT, datagram: request.clone() });
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::ToEngine { socket, from, datagram } => {
                self.arrived.entry(datagram.clone()).or_insert(self.world.now.mono);
                self.world.input(Input::Received { socket, from, datagram });
            }
            Event::Computed { token, conversation, step } => {
                self.world.input(Input::Computed { token, conversation, step });
            }
            Event::Accounted { token, ok } => self.world.input(Input::Accounted { token, ok }),
            Event::ToPoint { socket, datagram } => self.hear(socket, &datagram),
            Event::Begin { device } => self.ask(device, None, &identity(1)),
            Event::Resend { device, round } => self.resend(device, round),
            Event::Flip { member: n } => self.flip(n),
        }
        self.perform();
        assert!(self.world.engine.logins() <= 200);
    }

    fn resend(&mut self, device: u8, round: u32) {
        let outstanding = self.devices.get(&device).and_then(|entry| entry.outstanding.clone());
        if let Some((request, _)) = outstanding.filter(|(_, waiting)| *waiting == round) {
            self.at(1_000, Event::Resend { device, round });
            self.send(|| Event::ToEngine { socket: Socket::Authentication, from: POINT, datagram: request.clone() });
        }
    }

    fn flip(&mut self, n: u8) {
        let id = member_id(n);
        let since = self.world.now.stamp();
        let suspend = self.suspended.insert(id);
        let status = if suspend { MemberStatus::Suspended { since } } else { MemberStatus::Active };
        if !suspend {
            self.suspended.remove(&id);
        }
        let old = Arc::clone(&self.world.snapshot);
        self.world.snapshot = Arc::new(old.with(&[policy::Change::Member(policy::Member { status, ..member(n) })]));
        self.world.input(Input::SnapshotChanged { old });
    }

    /// Does what the engine wants, checking each thing that leaves.
    fn perform(&mut self) {
        while let Some(output) = self.world.engine.poll_output() {
            match output {
                Output::Send { socket, to: _, datagram } => {
                    self.check(socket, &datagram);
                    self.send(|| Event::ToPoint { socket, datagram: datagram.clone() });
                }
                Output::Compute { token, conversation, input } => {
                    let step = self.world.script.run(&conversation, input);
                    let delay = self.roll(300);
                    self.at(delay, Event::Computed { token, conversation, step });
                }
                Output::Account { token, rows } => {
                    let ok = self.calm || self.roll(4) > 0;
                    if ok {
                        self.durable.extend(rows.into_iter().map(|row| row.acct_session_id));
                    }
                    let delay = self.roll(50);
                    self.at(delay, Event::Accounted { token, ok });
                }
                Output::Record(_) | Output::VlanPassed { .. } | Output::FindKey { .. } => {}
                Output::Close { .. } => panic!("no connection"),
                Output::Present(presence) => self.world.presence = presence,
            }
        }
    }

    fn check(&mut self, socket: Socket, datagram: &[u8]) {
        let packet = Packet::decode(datagram).expect("what we send can be read");
        match packet.code() {
            Code::AccessAccept => {
                let user = packet.text(AttributeType::USER_NAME).expect("a user name");
                let n: u8 = user.trim_start_matches("user-").parse().expect("a member");
                assert!(!self.suspended.contains(&member_id(n)), "a suspended member was let in");
            }
            Code::AccountingResponse
            | Code::AccessReject
            | Code::AccessChallenge
            | Code::DisconnectRequest
            | Code::AccessRequest
            | Code::AccountingRequest
            | Code::StatusServer
            | Code::DisconnectAck
            | Code::DisconnectNak
            | Code::CoaRequest
            | Code::CoaAck
            | Code::CoaNak => {}
        }
        if socket == Socket::Authentication {
            let request = self.requests.get(&packet.identifier()).expect("somebody asked").clone();
            Reply::to(&request, datagram);
            if self.world.now.mono.since(self.arrived[&request]) < super::super::duplicate::KEEP {
                let first = self.answers.entry(request).or_insert_with(|| datagram.to_vec());
                assert_eq!(first, datagram, "the answer to a request changed");
            }
        }
    }

    /// What the access point makes of what it hears.
    fn hear(&mut self, socket: Socket, datagram: &[u8]) {
        let packet = Packet::decode(datagram).expect("it was checked when it left");
        match socket {
            Socket::Authentication => self.hear_answer(&packet),
            Socket::DynamicAuthorization => {
                let acct = packet.text(AttributeType::ACCT_SESSION_ID).unwrap_or_default().to_owned();
                let device = self.devices.iter().find(|(_, entry)| entry.online.as_deref() == Some(&acct));
                let device = device.map(|(&device, _)| device);
                let code = if device.is_some() { Code::DisconnectAck } else { Code::DisconnectNak };
                let mut reply = proto::radius::Writer::reply(code, &packet);
                match device {
                    Some(device) => {
                        self.devices.entry(device).or_default().online = None;
                        self.account(device, 2, &acct, None);
                    }
                    None => reply = reply.integer(AttributeType::ERROR_CAUSE, 503),
                }
                let datagram = reply.finish(SECRET).expect("it fits");
                self.send(|| Event::ToEngine { socket, from: COA, datagram: datagram.clone() });
            }
            Socket::Accounting | Socket::RadSec(_) => {}
        }
    }

    fn hear_answer(&mut self, packet: &Packet<'_>) {
        let waiting =
            |entry: &Device| entry.outstanding.as_ref().is_some_and(|(request, _)| request[1] == packet.identifier());
        let Some((&device, entry)) = self.devices.iter_mut().find(|(_, entry)| waiting(entry)) else { return };
        entry.outstanding = None;
        match packet.code() {
            Code::AccessChallenge => {
                let state = packet.first(AttributeType::STATE).expect("a State").to_vec();
                self.ask(device, Some(&state), &proof(2, &Self::text(device)));
            }
            Code::AccessAccept => {
                self.accepts += 1;
                let class = packet.text(AttributeType::CLASS).expect("our Class").to_owned();
                let acct = format!("s{device}-{}", entry.round);
                entry.online = Some(acct.clone());
                self.account(device, 1, &acct, Some(&class));
            }
            _ => {
                self.rejects += 1;
                let later = 500 + self.roll(3_000);
                self.at(later, Event::Begin { device });
            }
        }
    }

    fn run(&mut self, for_ms: u64) {
        let until = self.world.now.mono + Duration::from_millis(for_ms);
        loop {
            let timer = self.world.engine.poll_timeout();
            let next = self.events.keys().next().map(|(at, _)| *at);
            let due = [timer, next].into_iter().flatten().min().filter(|&due| due <= until);
            let Some(due) = due else { break };
            self.world.now.mono = due.max(self.world.now.mono);
            if next.is_some_and(|at| at <= due) {
                if let Some((_, event)) = self.events.pop_first() {
                    self.step(event);
                }
            } else {
                self.world.input(Input::TimerFired);
                self.perform();
            }
        }
        self.world.now.mono = until;
    }
}

#[test]
fn whatever_the_network_does_nobody_suspended_gets_in_and_answers_never_change() {
    let mut accepts = 0;
    for seed in 0..40 {
        let mut simulation = Simulation::new(seed);
        for device in 1..=DEVICES {
            let start = simulation.roll(2_000);
            simulation.at(start, Event::Begin { device });
        }
        for _ in 0..30 {
            let (when, member) = (simulation.roll(20_000), 1 + simulation.roll(5) as u8);
            simulation.at(when, Event::Flip { member });
        }
        simulation.run(20_000);
        // The network calms down: everybody who is suspended is gone within the time that requests are repeated.
        simulation.calm = true;
        simulation.run(45_000);
        let online = simulation.world.presence.sessions.iter();
        let wrong: Vec<_> = online
            .filter(|view| view.row.member.is_some_and(|member| simulation.suspended.contains(&member)))
            .filter(|view| view.phase == SessionPhase::Open)
            .collect();
        assert!(wrong.is_empty(), "seed {seed}: a suspended member is online and nothing is done about it");
        accepts += simulation.accepts;
        assert!(simulation.rejects > 0 && !simulation.durable.is_empty(), "seed {seed}: nothing happened");
    }
    assert!(accepts > 200, "{accepts}");
}
