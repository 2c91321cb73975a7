//! Logins one after the other by a generator in this process, which remembers TLS from one login to the next as a device does: what
//! a full login costs and what a resumed one does, beside FreeRADIUS's full login. (eapol_test resumes too, but waits a tenth of a
//! second before each, and what a server does in that time would be counted with it.)

use crate::page::{self, Row};
use crate::process::Running;
use crate::site::{Doorpost, Name, People};
use crate::wifi::{Certificate, FreeRadius, issued, start_freeradius};
use proto::eap::MethodKind;
use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;
use support::access_point::{AccessPoint, Login};
use support::eap_peer::{EapPeer, PeerSettings, TlsOffer};
use support::eap_server::DeviceIdentity;
use tokio::runtime::Runtime;
use values::MacAddress;

const USERS: usize = 50;
const TURNS: usize = 6;
/// Resumed logins after each full one.
const AGAIN: usize = 4;
const SETTLE: Duration = Duration::from_millis(1_200);
const TARGET: f64 = 0.1;

/// What is resumed at all: PEAP and TTLS have no tickets over TLS 1.3, since Windows fails on them.
const CASES: [(&str, MethodKind, TlsOffer); 4] = [
    ("TTLS/PAP, TLS 1.2", MethodKind::Ttls, TlsOffer::Tls12),
    ("PEAP/MSCHAPv2, TLS 1.2", MethodKind::Peap, TlsOffer::Tls12),
    ("EAP-TLS, TLS 1.2", MethodKind::Tls, TlsOffer::Tls12),
    ("EAP-TLS, TLS 1.3", MethodKind::Tls, TlsOffer::Tls13),
];

struct Server<'a> {
    running: &'a Running,
    point: AccessPoint,
    /// One a user; the last serves all that are left.
    identities: Vec<DeviceIdentity>,
}

impl<'a> Server<'a> {
    fn new(runtime: &Runtime, running: &'a Running, auth: SocketAddr, identities: Vec<DeviceIdentity>) -> Self {
        let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
        let point = runtime.block_on(AccessPoint::bind(auth, auth, "testing123", anywhere)).expect("loopback");
        Self { running, point: point.with_an_old_server(), identities }
    }

    /// Logs every user in once, as a new device or as one that remembers; what it cost the server for each.
    fn turn(
        &self,
        runtime: &Runtime,
        users: &[Name],
        (_, method, tls): (&str, MethodKind, TlsOffer),
        known: Option<&[EapPeer]>,
    ) -> (Duration, Vec<EapPeer>) {
        let mut peers: Vec<EapPeer> = match known {
            Some(known) => known.iter().map(EapPeer::again).collect(),
            None => users.iter().enumerate().map(|(n, name)| self.device(n, name, method, tls)).collect(),
        };
        let before = self.running.cpu();
        for (n, (peer, name)) in peers.iter_mut().zip(users).enumerate() {
            let mac = MacAddress([2, 0, 0, 0, 1, u8::try_from(n).expect("few users")]);
            let login = Login::new(&name.username, &name.password, method, mac);
            let accepted = runtime.block_on(self.point.login_of(peer, &login)).expect("let in");
            assert_eq!(accepted.resumed, known.is_some(), "resumed when it remembers, and only then");
        }
        sleep(SETTLE);
        (self.running.cpu().saturating_sub(before), peers)
    }

    fn device(&self, n: usize, name: &Name, method: MethodKind, tls: TlsOffer) -> EapPeer {
        let identity = self.identities.get(n).or(self.identities.last()).cloned();
        let settings = PeerSettings { tls, identity, ..PeerSettings::new(method, &name.username, &name.password) };
        EapPeer::new(settings).expect("settings")
    }
}

fn identity(Certificate { certificate, key }: &Certificate) -> DeviceIdentity {
    let pem = fs::read(certificate).expect("a certificate");
    let certificate = CertificateDer::pem_slice_iter(&pem).next().expect("one").expect("a certificate");
    let key = KeyPair::from_pem(&fs::read_to_string(key).expect("a key")).expect("a key");
    DeviceIdentity { certificate, key: Arc::new(key) }
}

pub fn measure(folder: &Path, doorpost: &Doorpost, people: &People, runtime: &Runtime) {
    let users = people.wifi.get(..USERS).expect("enough members");
    let FreeRadius { running: freeradius, port, ca, .. } = start_freeradius(folder, users);
    let pki = ca.parent().expect("a folder");
    let client = identity(&Certificate { certificate: pki.join("client.pem"), key: pki.join("client.key") });
    let other = Server::new(runtime, &freeradius, (Ipv4Addr::LOCALHOST, port).into(), vec![client]);
    let own = folder.join("resumed");
    fs::create_dir_all(&own).expect("a folder");
    let identities = (0..USERS).map(|n| identity(&issued(doorpost, &own, n))).collect();
    let ours = Server::new(runtime, &doorpost.running, doorpost.address("radius_auth"), identities);
    let mut full_rows = Vec::new();
    let mut rows = Vec::new();
    for case in CASES {
        let _ = (ours.turn(runtime, users, case, None), other.turn(runtime, users, case, None));
        let (mut full, mut again, mut theirs) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        for _ in 0..TURNS {
            let (spent, mut devices) = ours.turn(runtime, users, case, None);
            full += spent;
            theirs += other.turn(runtime, users, case, None).0;
            for _ in 0..AGAIN {
                let (spent, after) = ours.turn(runtime, users, case, Some(&devices));
                again += spent;
                devices = after;
            }
        }
        let ms = |total: Duration, count: usize| total.as_secs_f64() * 1_000.0 / count as f64;
        let logins = USERS * TURNS;
        let (full, again, theirs) = (ms(full, logins), ms(again, logins * AGAIN), ms(theirs, logins));
        let beside = format!("FreeRADIUS, a full login {theirs:.3} ms");
        let row = Row::told(format!("processor time a full login, {}", case.0), format!("{full:.3} ms"));
        full_rows.push(row.beside(&beside, full / theirs));
        let (what, ours) = (format!("processor time a resumed login, {}", case.0), format!("{again:.3} ms"));
        rows.push(
            Row::promised(what, ours, "ratio at most 0.1", again / theirs <= TARGET).beside(&beside, again / theirs),
        );
    }
    rows.extend(full_rows);
    let sentence = format!(
        "One after the other by the simulated access point of the tests, without a pause: {} full logins a line and {AGAIN} resumed ones after each, \
         {USERS} members taking turns. Processor time of the server process, history rows included.",
        USERS * TURNS
    );
    page::write("resumed", &sentence, &rows);
}
