//! Resident memory and the time to readiness with 5,000 members; a thousand logins under way at once.

use crate::page::{self, Row};
use crate::site::{Doorpost, Name, People};
use crate::wifi::start_freeradius;
use proto::eap::MethodKind;
use proto::radius::{AttributeType, Authenticator, Code, Packet, Writer};
use std::net::UdpSocket;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use support::eap_peer::{EapPeer, PeerSettings, PeerStep};

const STARTS: usize = 10;
const START_TARGET: Duration = Duration::from_millis(300);
const IDLE_TARGET_MIB: f64 = 64.0;
const BUSY_TARGET_MIB: f64 = 128.0;
/// Caches that a start fills are quiet by then.
const IDLE: Duration = Duration::from_secs(5);
const SECRET: &[u8] = b"testing123";

/// Measures, and returns the daemon of the last start.
pub fn measure(folder: &Path, doorpost: Doorpost, people: &People) -> Doorpost {
    doorpost.stop();
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let doorpost = Doorpost::start(folder, None);
        starts.push(doorpost.ready_after);
        doorpost.stop();
    }
    starts.sort();
    let (median, worst) = (starts[STARTS / 2], starts[STARTS - 1]);
    let doorpost = Doorpost::start(folder, None);
    sleep(IDLE);
    let idle = doorpost.running.resident_mib();
    let (busy, rounds) = in_flight(&doorpost, &people.wifi);
    sleep(IDLE);
    let after = doorpost.running.resident_mib();
    let freeradius = start_freeradius(folder, people.wifi.get(..50).expect("enough members"));
    sleep(IDLE);
    let other = freeradius.running.resident_mib();
    drop(freeradius);
    let rows = [
        Row::promised(
            "resident memory, idle after a start",
            format!("{idle:.1} MiB"),
            "at most 64 MiB",
            idle <= IDLE_TARGET_MIB,
        )
        .beside(format!("FreeRADIUS with 50 users {other:.1} MiB"), idle / other),
        Row::promised(
            format!("resident memory, {} PEAP logins abreast, the most of {rounds} rounds", people.wifi.len()),
            format!("{busy:.1} MiB"),
            "at most 128 MiB",
            busy <= BUSY_TARGET_MIB,
        ),
        Row::told("the same after the last of them", format!("{after:.1} MiB")),
        Row::promised(
            format!("start to ready, median of {STARTS}"),
            format!("{} ms", median.as_millis()),
            "at most 300 ms",
            median <= START_TARGET,
        ),
        Row::promised(
            "start to ready, the slowest of them",
            format!("{} ms", worst.as_millis()),
            "at most 300 ms",
            worst <= START_TARGET,
        ),
        Row::told(
            "members, keys and badges added through the API, eight connections, each answered when on the disk",
            format!("{:.0} a second", people.commits_per_second),
        ),
    ];
    let sentence = "5,000 members, each with a Wi-Fi key and a badge; 80 door devices; VmRSS of the one process. Ready is the line that says so, \
                    after everything listens.";
    page::write("memory", sentence, &rows);
    doorpost
}

/// Takes all logins through the conversation in step: each round is sent for all before the next. The most memory that was
/// resident after a round, and how many rounds it took until all were in.
fn in_flight(doorpost: &Doorpost, names: &[Name]) -> (f64, usize) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(doorpost.address("radius_auth")).expect("loopback");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a time-out");
    let mut devices: Vec<Device> = names.iter().enumerate().map(|(n, name)| Device::new(n, name)).collect();
    let (mut most, mut rounds) = (0.0_f64, 0);
    while devices.iter().any(|device| device.next.is_some()) {
        for (n, device) in devices.iter_mut().enumerate() {
            device.exchange(&socket, u8::try_from(n % 256).expect("a byte"));
        }
        rounds += 1;
        most = most.max(doorpost.running.resident_mib());
    }
    (most, rounds)
}

struct Device {
    mac: String,
    peer: EapPeer,
    /// What it sends next; nothing when it is in.
    next: Option<Vec<u8>>,
    state: Option<Vec<u8>>,
}

impl Device {
    fn new(n: usize, name: &Name) -> Self {
        let peer = EapPeer::new(PeerSettings::new(MethodKind::Peap, &name.username, &name.password)).expect("settings");
        let next = Some(peer.identity(0));
        Self { mac: format!("02-01-00-00-{:02X}-{:02X}", n / 256, n % 256), peer, next, state: None }
    }

    fn exchange(&mut self, socket: &UdpSocket, identifier: u8) {
        let Some(eap) = self.next.take() else { return };
        let mut authenticator: Authenticator = [0; 16];
        getrandom::fill(&mut authenticator).expect("entropy");
        let mut request = Writer::request(Code::AccessRequest, identifier, authenticator)
            .text(AttributeType::USER_NAME, "anonymous")
            .attribute(AttributeType::NAS_IP_ADDRESS, &[127, 0, 0, 1])
            .integer(AttributeType::NAS_PORT_TYPE, 19)
            .text(AttributeType::CALLING_STATION_ID, &self.mac)
            .text(AttributeType::CALLED_STATION_ID, "02-00-00-00-00-FF:Harbour")
            .integer(AttributeType::FRAMED_MTU, 1_400);
        if let Some(state) = &self.state {
            request = request.attribute(AttributeType::STATE, state);
        }
        let request = request.eap_message(&eap).finish(SECRET).expect("a packet");
        socket.send(&request).expect("loopback");
        let mut buffer = [0; 4_096];
        let length = socket.recv(&mut buffer).expect("an answer in time");
        let reply = Packet::decode(&buffer[..length]).expect("RADIUS");
        let step = self.peer.handle(&reply.eap_message().expect("EAP")).expect("a device that agrees");
        match (reply.code(), step) {
            (Code::AccessChallenge, PeerStep::Response(response)) => {
                self.state = reply.first(AttributeType::STATE).map(<[u8]>::to_vec);
                self.next = Some(response);
            }
            (Code::AccessAccept, PeerStep::Success { .. }) => {}
            (code, step) => panic!("{code:?} and {step:?}"),
        }
    }
}
