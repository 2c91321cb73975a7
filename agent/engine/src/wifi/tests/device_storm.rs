//! Devices without 802.1X for hours of virtual time, by seeds: requests repeated and crossed, workers that take their time or die,
//! members suspended and credentials revoked in the middle. Nobody is let in who may not be at that moment, by no repetition
//! either, and nothing is left over.

use super::super::*;
use super::devices::{M2, SSID, by_address, hex, passphrase, registered, with_handshake, world_with};
use super::world::*;
use policy::{AccessPointProfile, Change, Credential};
use proto::radius::{AttributeType, Code};
use std::collections::BTreeMap;
use values::{CredentialId, Entropy, MacAddress, SeededEntropy};

const STEPS: u32 = 1_500;
/// Credentials 101 to 104 are passphrases of anybody's device, 105 and 106 registrations; each of the member of its last digit.
const PASSPHRASES: std::ops::RangeInclusive<u8> = 101..=104;
const REGISTRATIONS: std::ops::RangeInclusive<u8> = 105..=106;

fn member_of(credential: u8) -> u8 {
    (credential - 100 - 1) % 3 + 1
}

fn issued(credential: u8) -> Credential {
    let n = member_of(credential);
    if REGISTRATIONS.contains(&credential) {
        registered(credential, n, mac(credential))
    } else {
        passphrase(credential, n, None, "k7m2p-9qxrt", [credential; 32])
    }
}

struct Storm {
    world: World,
    chance: SeededEntropy,
    /// What is out with workers, and the credential that each will find.
    searching: Vec<(u64, Option<CredentialId>)>,
    /// Whose request has which source port.
    asked: BTreeMap<u16, (MacAddress, Vec<u8>)>,
    suspended: [bool; 4],
    revoked: BTreeMap<u8, bool>,
    accepted: u32,
    rejected: u32,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let crowd = (0..80).map(|n| {
            let id = CredentialId::from_random([n, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
            Credential { id, ..passphrase(200, 5, None, "another one", [n; 32]) }
        });
        let credentials = PASSPHRASES.chain(REGISTRATIONS).map(issued);
        Self {
            world: world_with(AccessPointProfile::Hostapd, credentials.chain(crowd).collect()),
            chance: SeededEntropy(seed),
            searching: Vec::new(),
            asked: BTreeMap::new(),
            suspended: [false; 4],
            revoked: BTreeMap::new(),
            accepted: 0,
            rejected: 0,
        }
    }

    fn pick(&mut self, below: u32) -> u32 {
        let bytes: [u8; 4] = (&mut self.chance as &mut dyn Entropy).bytes();
        u32::from_le_bytes(bytes) % below
    }

    fn small(&mut self, below: u32) -> u8 {
        u8::try_from(self.pick(below)).expect("a small number")
    }

    /// Sends what the engine sends, gives searches to workers, and looks at every answer.
    fn settle(&mut self) {
        let mut sent = Vec::new();
        while let Some(output) = self.world.engine.poll_output() {
            match output {
                Output::Send { socket: Socket::Authentication, to, datagram } => sent.push((to.port(), datagram)),
                Output::FindKey { token, search: _ } => {
                    let credential = self.small(5);
                    let found = (credential < 4).then(|| credential_id(101 + credential));
                    self.searching.push((token, found));
                }
                Output::Account { token, .. } => self.world.input(Input::Accounted { token, ok: true }),
                Output::Send { .. }
                | Output::Close { .. }
                | Output::Compute { .. }
                | Output::Record(_)
                | Output::VlanPassed { .. } => {}
                Output::Present(presence) => self.world.presence = presence,
            }
        }
        sent.into_iter().for_each(|(port, datagram)| self.look_at(port, &datagram));
    }

    fn look_at(&mut self, port: u16, datagram: &[u8]) {
        let (device, request) = self.asked.get(&port).cloned().expect("an answer to a question");
        let reply = Reply::to(&request, datagram);
        match reply.code {
            Code::AccessAccept => {
                self.accepted += 1;
                let class = reply.text(AttributeType::CLASS).expect("our Class");
                let session = class.parse().expect("a session");
                let row = self.world.engine.sessions.row(session).expect("it is known").clone();
                assert_eq!(row.mac, Some(device));
                let credential = row.credential.expect("a credential");
                let n = (101..=106).find(|&n| credential_id(n) == credential).expect("one of ours");
                assert!(!self.suspended[usize::from(member_of(n))], "let in while suspended");
                assert!(!self.revoked.get(&n).copied().unwrap_or(false), "let in by what is revoked");
            }
            Code::AccessReject => self.rejected += 1,
            code => panic!("{code:?}"),
        }
    }

    fn receive(&mut self, port: u16, datagram: Vec<u8>) {
        let from = SocketAddr::new(POINT.ip(), port);
        self.world.input(Input::Received { socket: Socket::Authentication, from, datagram });
        self.settle();
    }

    fn ask(&mut self, step: u32) {
        let device = match self.small(4) {
            0 => mac(105 + self.small(2)),
            // A few come again and again, and are known by then; the others are new.
            1 => mac(10 + self.small(3)),
            _ => MacAddress([2, 9, 0, 0, self.small(8), self.small(256)]),
        };
        let identifier = self.small(256);
        let mut request = by_address(identifier, device, Some(SSID));
        if self.pick(3) > 0 {
            let mut m2 = hex(M2);
            m2[90] ^= 1; // nobody's, whatever the address: what it fits is up to the worker
            request = with_handshake(request, &m2);
        }
        let port = 1_024 + u16::try_from(step).expect("a port");
        let datagram = request.finish(SECRET).expect("it fits");
        self.asked.insert(port, (device, datagram.clone()));
        self.receive(port, datagram);
    }

    fn repeat(&mut self) {
        let newest: Vec<u16> = self.asked.keys().rev().take(20).copied().collect();
        if !newest.is_empty() {
            let port = newest[usize::from(self.small(u32::try_from(newest.len()).expect("twenty")))];
            let datagram = self.asked[&port].1.clone();
            self.receive(port, datagram);
        }
    }

    fn work(&mut self) {
        if self.searching.is_empty() {
            return;
        }
        let at = self.pick(u32::try_from(self.searching.len()).expect("a few"));
        let (token, found) = self.searching.swap_remove(usize::try_from(at).expect("small"));
        let input = match self.pick(8) {
            0 => Input::KeySearchLost { token },
            _ => Input::KeyFound { token, found },
        };
        self.world.input(input);
        self.settle();
    }

    fn change(&mut self, change: Change) {
        let old = Arc::clone(&self.world.snapshot);
        self.world.snapshot = Arc::new(old.with(&[change]));
        self.world.input(Input::SnapshotChanged { old });
        self.settle();
    }

    fn govern(&mut self) {
        if self.pick(2) == 0 {
            let n = 1 + self.small(3);
            let since = self.world.now.stamp();
            let is = !self.suspended[usize::from(n)];
            self.suspended[usize::from(n)] = is;
            let status = match is {
                true => policy::MemberStatus::Suspended { since },
                false => policy::MemberStatus::Active,
            };
            self.change(Change::Member(policy::Member { status, ..member(n) }));
        } else {
            let n = 101 + self.small(6);
            let is = !self.revoked.get(&n).copied().unwrap_or(false);
            self.revoked.insert(n, is);
            let revoked_at = is.then(|| self.world.now.stamp());
            self.change(Change::Credential(Credential { revoked_at, ..issued(n) }));
        }
    }

    fn wait(&mut self) {
        let by = Duration::from_millis(u64::from(self.pick(20_000)));
        let now = self.world.now;
        let values::Wall::Trusted(at) = now.wall else { panic!("the clock is trusted") };
        self.world.now = values::Now::trusted(now.mono + by, at + by);
        self.world.input(Input::TimerFired);
        self.settle();
    }
}

#[test]
fn nobody_is_let_in_who_may_not_be_and_nothing_is_left_over() {
    for seed in 1..=6 {
        let mut storm = Storm::new(seed);
        for step in 0..STEPS {
            match storm.pick(20) {
                0..=8 => storm.ask(step),
                9..=11 => storm.repeat(),
                12..=16 => storm.work(),
                17 => storm.govern(),
                _ => storm.wait(),
            }
        }
        while !storm.searching.is_empty() {
            storm.work();
        }
        assert_eq!(storm.world.engine.passphrases.searching(), 0, "seed {seed}");
        assert!(storm.accepted > 50 && storm.rejected > 100, "seed {seed}: {} {}", storm.accepted, storm.rejected);
        for _ in 0..2_000 {
            storm.wait();
        }
        assert!(storm.world.engine.sessions.is_empty(), "seed {seed}: sessions that nobody reports end");
    }
}
