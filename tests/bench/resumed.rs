//! Logins by a generator in this process, which remembers TLS from one login to the next as a device does: what a full login
//! costs and what a resumed one does, beside FreeRADIUS's full login. Once all devices come at one time, as they do in the
//! morning and after a power cut, which is when a server's cost matters; once one after the other, when most of what is counted
//! is how the kernel wakes a server. (eapol_test resumes too, but waits a tenth of a second before each, and what a server does in
//! that time would be counted with it.)

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
const TURNS: usize = 4;
/// Resumed logins after each full one.
const AGAIN: usize = 4;
const SETTLE: Duration = Duration::from_millis(1_200);
/// Of FreeRADIUS's full login.
const RESUMED_TARGET: f64 = 0.1;
const FULL_TARGET: f64 = 0.3;

/// What is resumed at all: PEAP and TTLS have no tickets over TLS 1.3, since Windows fails on them.
const CASES: [(&str, MethodKind, TlsOffer); 4] = [
    ("TTLS/PAP, TLS 1.2", MethodKind::Ttls, TlsOffer::Tls12),
    ("PEAP/MSCHAPv2, TLS 1.2", MethodKind::Peap, TlsOffer::Tls12),
    ("EAP-TLS, TLS 1.2", MethodKind::Tls, TlsOffer::Tls12),
    ("EAP-TLS, TLS 1.3", MethodKind::Tls, TlsOffer::Tls13),
];

/// How the devices of a turn come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    AllAtOnce,
    OneByOne,
}

impl Pace {
    const ALL: [Self; 2] = [Self::AllAtOnce, Self::OneByOne];

    fn words(self) -> String {
        match self {
            Self::AllAtOnce => format!("{USERS} devices at once"),
            Self::OneByOne => "one by one".to_owned(),
        }
    }
}

type Case = ((&'static str, MethodKind, TlsOffer), Pace);

struct Server<'a> {
    running: &'a Running,
    point: Arc<AccessPoint>,
    /// One a user; the last serves all that are left.
    identities: Vec<DeviceIdentity>,
}

impl<'a> Server<'a> {
    fn new(runtime: &Runtime, running: &'a Running, auth: SocketAddr, identities: Vec<DeviceIdentity>) -> Self {
        let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
        let point = runtime.block_on(AccessPoint::bind(auth, auth, "testing123", anywhere)).expect("loopback");
        Self { running, point: Arc::new(point.with_an_old_server()), identities }
    }

    /// Logs every user in once, as a new device or as one that remembers; what it cost the server for each.
    fn turn(
        &self,
        runtime: &Runtime,
        users: &[Name],
        ((_, method, tls), pace): Case,
        known: Option<&[EapPeer]>,
    ) -> (Duration, Vec<EapPeer>) {
        let peers: Vec<EapPeer> = match known {
            Some(known) => known.iter().map(EapPeer::again).collect(),
            None => users.iter().enumerate().map(|(n, name)| self.device(n, name, method, tls)).collect(),
        };
        let before = self.running.cpu();
        let logins: Vec<_> = peers
            .into_iter()
            .zip(users)
            .enumerate()
            .map(|(n, (mut peer, name))| {
                let mac = MacAddress([2, 0, 0, 0, 1, u8::try_from(n).expect("few users")]);
                let login = Login::new(&name.username, &name.password, method, mac);
                let (point, resumes) = (Arc::clone(&self.point), known.is_some());
                async move {
                    let accepted = point.login_of(&mut peer, &login).await.expect("let in");
                    assert_eq!(accepted.resumed, resumes, "resumed when it remembers, and only then");
                    peer
                }
            })
            .collect();
        let peers = runtime.block_on(async {
            let mut peers = Vec::with_capacity(users.len());
            match pace {
                Pace::OneByOne => {
                    for login in logins {
                        peers.push(login.await);
                    }
                }
                Pace::AllAtOnce => {
                    let logins: Vec<_> = logins.into_iter().map(tokio::spawn).collect();
                    for login in logins {
                        peers.push(login.await.expect("no panic"));
                    }
                }
            }
            peers
        });
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
    let mut rows: [Vec<Row>; 2] = Default::default();
    for (pace, rows) in Pace::ALL.into_iter().zip(&mut rows) {
        let mut full_rows = Vec::new();
        for case in CASES {
            let [full, again, theirs] = case_costs(runtime, &ours, &other, users, (case, pace));
            let beside = format!("FreeRADIUS, a full login {theirs:.3} ms");
            let what = |kind: &str| format!("processor time a {kind} login, {}, {}", case.0, pace.words());
            let text = format!("{again:.3} ms");
            let row = match pace {
                Pace::AllAtOnce => {
                    Row::promised(what("resumed"), text, "ratio at most 0.1", again / theirs <= RESUMED_TARGET)
                }
                Pace::OneByOne => Row::told(what("resumed"), text),
            };
            rows.push(row.beside(&beside, again / theirs));
            let text = format!("{full:.3} ms");
            let row = match pace {
                Pace::AllAtOnce => Row::promised(what("full"), text, "ratio at most 0.3", full / theirs <= FULL_TARGET),
                Pace::OneByOne => Row::told(what("full"), text),
            };
            full_rows.push(row.beside(&beside, full / theirs));
        }
        rows.extend(full_rows);
    }
    let sentence = format!(
        "By the simulated access point of the tests, without a pause: {} full logins a line and {AGAIN} resumed ones after each, {USERS} members \
         at once or one after the other. Processor time of the server process, history rows included. One after the other, more than a third of it is the \
         kernel's, for waking the server and for delivering its answers.",
        USERS * TURNS
    );
    page::write("resumed", &sentence, &rows.concat());
}

/// Milliseconds of processor time: of a full login, of a resumed one, and of FreeRADIUS's full one.
fn case_costs(runtime: &Runtime, ours: &Server<'_>, other: &Server<'_>, users: &[Name], case: Case) -> [f64; 3] {
    let _ = (ours.turn(runtime, users, case, None), other.turn(runtime, users, case, None));
    let [mut full, mut again, mut theirs] = [Duration::ZERO; 3];
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
    [ms(full, logins), ms(again, logins * AGAIN), ms(theirs, logins)]
}
