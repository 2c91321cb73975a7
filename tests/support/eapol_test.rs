//! eapol_test (Debian package eapoltest): wpa_supplicant's own EAP peer behind a RADIUS client, a judge that is not ours. It logs a
//! device in, says SUCCESS or FAILURE at the end, and prints every packet and attribute before.

use crate::daemon::{Daemon, Folder, SECRET, SERVER_NAME};
use crate::handshake::hex;
use crate::program;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Lines of a network block, as wpa_supplicant.conf(5) has them: the method outside and the one inside.
pub const TTLS: [&str; 2] = ["eap=TTLS", "phase2=\"auth=PAP\""];
pub const TTLS_MSCHAPV2: [&str; 2] = ["eap=TTLS", "phase2=\"auth=MSCHAPV2\""];
pub const TTLS_EAP: [&str; 2] = ["eap=TTLS", "phase2=\"autheap=MSCHAPV2\""];
pub const PEAP: [&str; 2] = ["eap=PEAP", "phase2=\"auth=MSCHAPV2\""];
/// Told to speak TLS 1.3, it prefers it.
pub const TLS12: &str = "phase1=\"tls_disable_tlsv1_3=1\"";
pub const TLS13: &str = "phase1=\"tls_disable_tlsv1_3=0\"";

/// A login takes less than a second; this is for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A device at an access point: where it logs in, as whom, and what it insists on. What is said later goes before what was said
/// earlier.
#[derive(Clone)]
pub struct EapolTest {
    options: Vec<String>,
    lines: Vec<String>,
}

impl EapolTest {
    /// A device that trusts this CA, at an access point that shares `secret` with the RADIUS server.
    pub fn at(server: SocketAddr, secret: &str, ca: &Path) -> Self {
        let (address, port) = (server.ip(), server.port());
        let options = [format!("-a{address}"), format!("-p{port}"), format!("-s{secret}")];
        let lines = ["key_mgmt=WPA-EAP".to_owned(), "ssid=\"Harbour\"".to_owned(), ca_cert(ca)];
        Self { options: options.into(), lines: lines.into() }
            .with_mac("02:00:00:00:00:09")
            .with_patience(PATIENCE)
            .with_attribute("30:s:02-00-00-00-00-FF:Harbour") // Called-Station-Id
    }

    /// A device that was set up for the demo's site, at its access point `lobby`.
    pub fn at_box(daemon: &Daemon) -> Self {
        Self::at(daemon.listening.radius_auth, SECRET, &daemon.data.join("pki/ca.pem")).expecting(SERVER_NAME)
    }

    /// It logs in at a server of this name only.
    pub fn expecting(self, server_name: &str) -> Self {
        self.with_lines([format!("domain_match=\"{server_name}\"")])
    }

    pub fn trusting(self, ca: &Path) -> Self {
        self.with_lines([ca_cert(ca)])
    }

    /// By a Wi-Fi key; outside the tunnel it shows the realm alone.
    pub fn with_key(self, username: &str, password: &str) -> Self {
        let password = format!("password=\"{password}\"");
        self.showing("@harbour.example").with_lines([identity(username), password])
    }

    /// It calls itself so where everybody can hear it.
    pub fn showing(self, name: &str) -> Self {
        self.with_lines([format!("anonymous_identity=\"{name}\"")])
    }

    /// By a device certificate; `identity` is what it calls itself where everybody can hear it.
    pub fn with_certificate(self, name: &str, certificate: &Path, key: &Path) -> Self {
        let files = [("client_cert", certificate), ("private_key", key)];
        let files = files.map(|(what, file)| format!("{what}=\"{}\"", file.display()));
        self.with_lines(["eap=TLS".to_owned(), identity(name)]).with_lines(files)
    }

    /// By a device certificate in PKCS#12.
    pub fn with_pkcs12(self, name: &str, file: &Path, password: &str) -> Self {
        let file = format!("private_key=\"{}\"", file.display());
        self.with_lines(["eap=TLS".to_owned(), identity(name), file, format!("private_key_passwd=\"{password}\"")])
    }

    pub fn with_mac(self, mac: &str) -> Self {
        self.with_option(format!("-M{mac}"))
    }

    /// The access point says so in each Access-Request, as `number:kind:value`.
    pub fn with_attribute(self, attribute: &str) -> Self {
        self.with_option(format!("-N{attribute}"))
    }

    pub fn with_framed_mtu(self, bytes: u16) -> Self {
        self.with_attribute(&format!("12:d:{bytes}"))
    }

    pub fn with_patience(self, patience: Duration) -> Self {
        self.with_option(format!("-t{}", patience.as_secs()))
    }

    /// It logs in a second time, with what it remembers.
    pub fn twice(self) -> Self {
        self.with_option("-r1".to_owned())
    }

    fn with_option(mut self, option: String) -> Self {
        self.options.push(option);
        self
    }

    fn with_lines<const N: usize>(mut self, lines: [String; N]) -> Self {
        self.lines.extend(lines);
        self
    }

    /// Logs in, with these lines in the network block too.
    pub fn judge(&self, lines: &[&str]) -> Judged {
        let folder = Folder::new("eapol");
        let conf = folder.0.join("eapol.conf");
        let all: Vec<&str> = self.lines.iter().map(String::as_str).chain(lines.iter().copied()).collect();
        std::fs::write(&conf, format!("network={{\n  {}\n}}\n", all.join("\n  "))).expect("a file in our folder");
        let mut command = Command::new("eapol_test");
        command.arg("-c").arg(&conf).args(&self.options);
        let output = program::run(command, "eapoltest", b"");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let success = match text.lines().last() {
            Some("SUCCESS") => true,
            Some("FAILURE") => false,
            // What it cannot read or do must not pass for a refusal.
            _ => panic!("eapol_test gave no verdict on {all:#?}\n{text}\n{}", String::from_utf8_lossy(&output.stderr)),
        };
        Judged { success, text }
    }
}

fn ca_cert(ca: &Path) -> String {
    format!("ca_cert=\"{}\"", ca.display())
}

/// In hexadecimal: it may hold a backslash, which is an escape between quotation marks.
fn identity(name: &str) -> String {
    format!("identity={}", hex(name.as_bytes()))
}

/// The last word of eapol_test and everything that it said before.
#[derive(Debug)]
pub struct Judged {
    pub success: bool,
    pub text: String,
}

impl Judged {
    /// Whether both sides had the same keys after each of so many logins.
    pub fn keys_agree(&self, logins: usize) -> bool {
        self.text.contains(&format!("MPPE keys OK: {logins}  mismatch: 0"))
    }

    /// Whether the device's own TLS has resumed a session.
    pub fn is_resumed(&self) -> bool {
        self.text.contains("OpenSSL: Handshake finished - resumed=1")
    }

    /// The values of an attribute in the last Access-Accept, as they are printed: the name in one line, the value in the next.
    pub fn attribute(&self, name: &str) -> Vec<&str> {
        let accept = self.text.rfind("code=2 (Access-Accept)").map_or("", |at| &self.text[at..]);
        let name = format!("({name})");
        let names = accept.lines().zip(accept.lines().skip(1)).filter(|(line, _)| line.contains(&name));
        names.map(|(_, value)| value.trim().trim_start_matches("Value: ")).collect()
    }

    /// The VLAN of the last Access-Accept. Text with a tag is printed in hexadecimal.
    pub fn vlan(&self) -> Option<u16> {
        let octets = *self.attribute("Tunnel-Private-Group-Id").first()?;
        let octet = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let text: Option<Vec<u8>> = octets.as_bytes().chunks(2).map(octet).collect();
        String::from_utf8(text?).ok()?.parse().ok()
    }
}
