//! One row before the judge: eapol_test with the network block of the row, and what its log says.

use crate::cases::{Again, Case, EAP_TLS, Trust, Who};
use crate::people::{Key, People};
use std::sync::OnceLock;
use support::daemon::Daemon;
use support::eapol_test::{EapolTest, Judged};

/// The device that takes the only place of the plan `desk`.
const HOLDER: &str = "02:00:00:00:ff:ff";
/// EAPOL's header shares the Framed-MTU with the EAP packet (RFC 3580 3.10).
const EAPOL_HEADER_BYTES: usize = 4;
/// The end of a log, where the outcome and its reason stand.
const TAIL_LINES: usize = 25;

/// The largest EAP packet that an access point with this Framed-MTU may be sent.
pub const fn box_fragments_max(framed_mtu: usize) -> usize {
    framed_mtu - EAPOL_HEADER_BYTES
}

/// The device of this row: each row has its own.
pub fn mac(n: usize) -> String {
    format!("02:00:00:00:{:02x}:{:02x}", n / 256, n % 256)
}

/// The largest EAP packet that the box sent.
pub fn largest_packet(judged: &Judged) -> usize {
    let sizes = judged.text.lines().filter(|line| line.starts_with("decapsulated EAP packet"));
    let size = |line: &str| line.split("len=").nth(1)?.split(')').next()?.parse().ok();
    sizes.filter_map(size).max().unwrap_or(usize::MAX)
}

pub fn tail(judged: &Judged) -> String {
    let lines: Vec<&str> = judged.text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Runs a row.
pub fn run(daemon: &Daemon, people: &People, n: usize, case: &Case) -> Judged {
    let key = people.key(case.who);
    if case.who == Who::DeviceLimit {
        log_in(daemon, HOLDER, case, key);
    }
    log_in(daemon, &mac(n), case, key)
}

fn log_in(daemon: &Daemon, mac: &str, case: &Case, key: &Key) -> Judged {
    let mut device = EapolTest::at_box(daemon).with_mac(mac);
    device = match case.trust {
        Trust::Box => device,
        Trust::OtherName => device.expecting("radius.other.example"),
        Trust::OtherCa => device.trusting(&other_ca(daemon)),
    };
    device = if case.offer.name == EAP_TLS.name {
        device.with_certificate("@harbour.example", &key.certificate, &key.certificate)
    } else {
        device.with_key(&key.username, &key.password)
    };
    if let Some(mtu) = case.framed_mtu {
        device = device.with_framed_mtu(mtu);
    }
    if case.again != Again::No {
        device = device.twice();
    }
    let fragments = case.device_bytes.map(|bytes| format!("fragment_size={bytes}"));
    let fragments: Vec<&str> = fragments.iter().map(String::as_str).collect();
    device.judge(&[case.offer.lines, case.tls.lines, &fragments].concat())
}

/// A CA that has nothing to do with the box.
fn other_ca(daemon: &Daemon) -> std::path::PathBuf {
    static PEM: OnceLock<String> = OnceLock::new();
    let pem = PEM.get_or_init(|| {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&key).expect("a certificate").pem()
    });
    let path = daemon.data.join("other-ca.pem");
    if !path.exists() {
        std::fs::write(&path, pem).expect("a file in our folder");
    }
    path
}
