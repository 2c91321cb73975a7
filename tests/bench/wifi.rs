//! Logins: real ones by eapol_test (wpa_supplicant's EAP peer), each a process of its own, so nothing is ever resumed.

use crate::page::{self, Row};
use crate::process::{Running, script};
use crate::site::{Doorpost, Name, People};
use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;
use support::daemon::SECRET;
use support::eapol_test::{EapolTest, PEAP, TLS12, TLS13, TTLS};

/// Members who log in, one after the other, each from her own device.
const USERS: usize = 50;
/// Each of them logs in so many times at each server by each method; servers and methods alternate after every block of `USERS`.
const BLOCKS: usize = 6;
/// Rows of history are written within a second of the login: they belong to its cost.
const SETTLE: Duration = Duration::from_millis(1_200);
/// Nobody is slow on loopback: a device that waits so long was not answered.
const PATIENCE: Duration = Duration::from_secs(5);
/// DESIGN: of FreeRADIUS's processor time.
const TARGET: f64 = 0.3;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Ttls,
    Peap,
    Tls,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tls {
    V12,
    V13,
}

const CASES: [(Method, Tls); 6] = [
    (Method::Ttls, Tls::V12),
    (Method::Peap, Tls::V12),
    (Method::Tls, Tls::V12),
    (Method::Ttls, Tls::V13),
    (Method::Peap, Tls::V13),
    (Method::Tls, Tls::V13),
];

fn title(method: Method, tls: Tls) -> String {
    let method = match method {
        Method::Ttls => "TTLS/PAP",
        Method::Peap => "PEAP/MSCHAPv2",
        Method::Tls => "EAP-TLS",
    };
    let tls = match tls {
        Tls::V12 => "TLS 1.2",
        Tls::V13 => "TLS 1.3",
    };
    format!("{method}, {tls}")
}

/// A device's certificate and key.
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What a device says besides who it is.
fn lines(method: Method, tls: Tls) -> Vec<&'static str> {
    let tls = match tls {
        Tls::V12 => TLS12,
        Tls::V13 => TLS13,
    };
    match method {
        Method::Ttls => [&TTLS[..], &[tls]].concat(),
        Method::Peap => [&PEAP[..], &[tls]].concat(),
        Method::Tls => vec![tls],
    }
}

/// A RADIUS server and who logs in there.
struct Server<'a> {
    running: &'a Running,
    /// One a user: by her key, and by a certificate.
    devices: Vec<[EapolTest; 2]>,
}

impl<'a> Server<'a> {
    fn new(
        running: &'a Running,
        port: u16,
        ca: &Path,
        users: &[Name],
        certificate: impl Fn(usize) -> Certificate,
    ) -> Self {
        let device = |(user, name): (usize, &Name)| {
            let device = EapolTest::at((Ipv4Addr::LOCALHOST, port).into(), SECRET, ca);
            let device = device.with_patience(PATIENCE).with_mac(&format!("02:00:00:00:00:{user:02x}"));
            let Certificate { certificate, key } = certificate(user);
            let by_key = device.clone().with_key(&name.username, &name.password).showing("anonymous");
            [by_key, device.with_certificate("anonymous", &certificate, &key)]
        };
        Self { running, devices: users.iter().enumerate().map(device).collect() }
    }

    fn login(&self, (method, tls): (Method, Tls), [by_key, by_certificate]: &[EapolTest; 2]) {
        let device = if method == Method::Tls { by_certificate } else { by_key };
        let judged = device.judge(&lines(method, tls));
        assert!(judged.success, "a login by {} failed:\n{}", title(method, tls), judged.text);
    }

    /// Logs every user in once; what it cost the server.
    fn block(&self, case: (Method, Tls)) -> Duration {
        sleep(Duration::from_millis(50));
        let before = self.running.cpu();
        self.devices.iter().for_each(|devices| self.login(case, devices));
        sleep(SETTLE);
        self.running.cpu().saturating_sub(before)
    }
}

fn ms_each(total: Duration, count: usize) -> f64 {
    total.as_secs_f64() * 1_000.0 / count as f64
}

/// FreeRADIUS beside it, with the same users.
pub struct FreeRadius {
    pub running: Running,
    pub port: u16,
    pub acct_port: u16,
    pub ca: PathBuf,
}

pub fn start_freeradius(folder: &Path, users: &[Name]) -> FreeRadius {
    let mut text = String::new();
    for name in users {
        let _ = writeln!(text, "\"{}\" Cleartext-Password := \"{}\"\n", name.username, name.password);
    }
    let folder = folder.join("freeradius");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("users"), text).expect("the users");
    let (port, acct_port) = (support::daemon::free_udp_port(), support::daemon::free_udp_port());
    let users = folder.join("users");
    for old in ["raddb", "log"] {
        let _ = fs::remove_dir_all(folder.join(old)); // of a part before this one
    }
    let (place, users) = (folder.display().to_string(), users.display().to_string());
    script("freeradius.sh", &[&place, &users, &port.to_string(), &acct_port.to_string()]);
    let mut command = Command::new("freeradius");
    command.args(["-f", "-d"]).arg(folder.join("raddb"));
    let running = Running::start(&mut command, &folder.join("out.log"));
    let log = folder.join("log/radius.log");
    for _ in 0..200 {
        if fs::read_to_string(&log).is_ok_and(|log| log.contains("Ready to process requests")) {
            return FreeRadius { running, port, acct_port, ca: folder.join("pki/ca.pem") };
        }
        sleep(Duration::from_millis(50));
    }
    panic!("FreeRADIUS did not start: see {}", log.display());
}

pub fn measure(folder: &Path, doorpost: &Doorpost, people: &People) {
    let users = people.wifi.get(..USERS).expect("enough members");
    let FreeRadius { running: freeradius, port, ca, .. } = start_freeradius(folder, users);
    let pki = ca.parent().expect("a folder").to_owned();
    let of_freeradius = |_| Certificate { certificate: pki.join("client.pem"), key: pki.join("client.key") };
    let other = Server::new(&freeradius, port, &ca, users, of_freeradius);
    let (our_port, our_ca) = (doorpost.address("radius_auth").port(), doorpost.data.join("pki/ca.pem"));
    let own = folder.join("certificates");
    fs::create_dir_all(&own).expect("a folder");
    let ours = Server::new(&doorpost.running, our_port, &our_ca, users, |n| issued(doorpost, &own, n));
    // Both have paged in and warmed up before anything counts.
    for case in CASES {
        let _ = (other.block(case), ours.block(case));
    }
    let mut spent = [[Duration::ZERO; 2]; CASES.len()];
    for _ in 0..BLOCKS {
        for (case, spent) in CASES.into_iter().zip(&mut spent) {
            spent[0] += ours.block(case);
            spent[1] += other.block(case);
        }
    }
    let logins = USERS * BLOCKS;
    let mut rows = Vec::new();
    for ((method, tls), [ours, other]) in CASES.into_iter().zip(spent) {
        let (ours, other) = (ms_each(ours, logins), ms_each(other, logins));
        let ratio = ours / other;
        let what = format!("processor time a login, {}", title(method, tls));
        let row = Row::promised(what, format!("{ours:.3} ms"), "ratio at most 0.3", ratio <= TARGET);
        rows.push(row.beside(format!("FreeRADIUS {other:.3} ms"), ratio));
    }
    let sentence = format!(
        "{logins} full logins a line by eapol_test, one after the other, each by a process of its own; ECDSA P-256, no resumption; {USERS} members \
         take turns, servers and methods alternate after every {USERS} logins. Processor time of the server process, history rows included."
    );
    page::write("wifi", &sentence, &rows);
}

/// A certificate of this member's own.
pub fn issued(doorpost: &Doorpost, folder: &Path, n: usize) -> Certificate {
    let file = folder.join(format!("{n}.pem"));
    let output = Command::new(support::daemon::binary())
        .args(["wifi", "certificate", &format!("member.{n}@example.org"), "--format", "pem", "--json", "--out"])
        .arg(&file)
        .arg("--data")
        .arg(&doorpost.data)
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "no certificate: {}", String::from_utf8_lossy(&output.stderr));
    Certificate { certificate: file.clone(), key: file }
}
