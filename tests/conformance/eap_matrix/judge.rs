//! One row before the judge: eapol_test with the network block of the row, and what its log says.

use crate::cases::{Again, Case, EAP_TLS, Trust, Who};
use crate::people::{Key, People};
use std::fmt::Write as _;
use std::process::Command;
use std::sync::OnceLock;
use support::daemon::Daemon;

const SECRET: &str = "testing123";
const SERVER_NAME: &str = "doorpost.harbour.example";
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

pub struct Judged {
    pub success: bool,
    pub text: String,
}

impl Judged {
    /// Whether the device's own TLS has resumed a session.
    pub fn is_resumed(&self) -> bool {
        self.text.contains("OpenSSL: Handshake finished - resumed=1")
    }

    /// The VLAN of the last Access-Accept: eapol_test prints an attribute's name, and its octets on the next line.
    pub fn vlan(&self) -> Option<u16> {
        let lines: Vec<&str> = self.text.lines().collect();
        let at = lines.iter().rposition(|line| line.contains("(Tunnel-Private-Group-Id)"))?;
        let octets = lines.get(at + 1)?.trim().strip_prefix("Value: ")?;
        let octet = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let text: Option<Vec<u8>> = octets.as_bytes().chunks(2).map(octet).collect();
        String::from_utf8(text?).ok()?.parse().ok()
    }

    /// The largest EAP packet that the box sent.
    pub fn largest_packet(&self) -> usize {
        let sizes = self.text.lines().filter(|line| line.starts_with("decapsulated EAP packet"));
        let size = |line: &str| line.split("len=").nth(1)?.split(')').next()?.parse().ok();
        sizes.filter_map(size).max().unwrap_or(usize::MAX)
    }

    pub fn tail(&self) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

/// Runs a row.
pub fn run(daemon: &Daemon, people: &People, n: usize, case: &Case) -> Judged {
    let key = people.key(case.who);
    if case.who == Who::DeviceLimit {
        eapol_test(daemon, n, HOLDER, case, key);
    }
    eapol_test(daemon, n, &mac(n), case, key)
}

fn eapol_test(daemon: &Daemon, n: usize, mac: &str, case: &Case, key: &Key) -> Judged {
    let conf = daemon.data.join(format!("eapol-{n}.conf"));
    std::fs::write(&conf, network_block(daemon, case, key)).expect("a file in our folder");
    let mut command = Command::new("eapol_test");
    command
        .args(["-c", &conf.display().to_string(), "-a127.0.0.1"])
        .arg(format!("-p{}", daemon.listening.radius_auth.port()))
        .args(["-s", SECRET, "-M", mac, "-t", "20", "-N30:s:02-00-00-00-00-FF:Harbour"]);
    if let Some(mtu) = case.framed_mtu {
        command.arg(format!("-N12:d:{mtu}"));
    }
    if case.again != Again::No {
        command.args(["-r", "1"]);
    }
    let output = command.output().expect("eapol_test is installed (Debian package eapoltest)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Judged { success: text.lines().last() == Some("SUCCESS"), text }
}

fn network_block(daemon: &Daemon, case: &Case, key: &Key) -> String {
    let ca = match case.trust {
        Trust::Box | Trust::OtherName => daemon.data.join("pki/ca.pem"),
        Trust::OtherCa => other_ca(daemon),
    };
    let name = if case.trust == Trust::OtherName { "radius.other.example" } else { SERVER_NAME };
    // A backslash is an escape in this file, unless the string is given in hexadecimal.
    let identity: String = key.username.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes text");
        text
    });
    let mut lines = vec![
        "key_mgmt=WPA-EAP".to_owned(),
        "ssid=\"Harbour\"".to_owned(),
        "anonymous_identity=\"@harbour.example\"".to_owned(),
        format!("identity={identity}"),
        format!("password=\"{}\"", key.password),
        format!("ca_cert=\"{}\"", ca.display()),
        format!("domain_match=\"{name}\""),
    ];
    if case.offer.name == EAP_TLS.name {
        let file = key.certificate.display();
        lines.extend([format!("client_cert=\"{file}\""), format!("private_key=\"{file}\"")]);
    }
    lines.extend(case.device_bytes.map(|bytes| format!("fragment_size={bytes}")));
    lines.extend([case.offer.lines, case.tls.lines].concat().iter().map(|&line| line.to_owned()));
    format!("network={{\n  {}\n}}\n", lines.join("\n  "))
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
