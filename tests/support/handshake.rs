//! A device at a WPA2 network with a passphrase: the first two messages of the 4-way handshake, worked out with OpenSSL's program
//! and not with the product's own code. IEEE 802.11-2020, 12.7.6.2, 12.7.6.3 and J.4.

use crate::program;
use std::process::Command;
use values::MacAddress;

/// What an access point has seen of a handshake when it asks whose passphrase it was.
#[derive(Clone, Debug)]
pub struct Handshake {
    pub anonce: [u8; 32],
    /// Message 2, from its EAPOL header on.
    pub message: Vec<u8>,
}

impl Handshake {
    /// A device that typed `passphrase` on `ssid`, at the access point's radio `bssid`.
    #[must_use]
    pub fn of(passphrase: &str, ssid: &str, bssid: MacAddress, device: MacAddress) -> Self {
        let (anonce, snonce) = (random(), random());
        let context = [
            b"Pairwise key expansion\0".as_slice(),
            &bssid.0.min(device.0),
            &bssid.0.max(device.0),
            &anonce.min(snonce),
            &anonce.max(snonce),
            &[0],
        ]
        .concat();
        let kck = &hmac_sha1(&pmk(passphrase, ssid), &context)[..16];
        let mut message = second_message(&snonce);
        let mic = hmac_sha1(kck, &message);
        message[81..97].copy_from_slice(&mic[..16]);
        Self { anonce, message }
    }
}

/// Version 2, EAPOL-Key; RSN descriptor, pairwise with MIC by HMAC-SHA-1; replay counter 1; no MIC yet; the RSN element of a
/// device that wants CCMP and PSK.
fn second_message(snonce: &[u8; 32]) -> Vec<u8> {
    const RSN: [u8; 22] = [48, 20, 1, 0, 0, 15, 172, 4, 1, 0, 0, 15, 172, 4, 1, 0, 0, 15, 172, 2, 0, 0];
    let head = [2, 3, 0, 117, 2, 0x01, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    [head.as_slice(), snonce, &[0; 16 + 8 + 8 + 16], &[0, 22], &RSN].concat()
}

fn pmk(passphrase: &str, ssid: &str) -> Vec<u8> {
    let options =
        ["digest:SHA1".to_owned(), format!("pass:{passphrase}"), format!("salt:{ssid}"), "iter:4096".to_owned()];
    let mut openssl = Command::new("openssl");
    openssl.args(["kdf", "-keylen", "32"]);
    for option in &options {
        openssl.args(["-kdfopt", option]);
    }
    openssl.arg("PBKDF2");
    let output = program::run(openssl, "openssl", b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let digits: Vec<u8> = output.stdout.into_iter().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("hexadecimal");
    digits.chunks(2).map(byte).collect()
}

fn hmac_sha1(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha1", "-mac", "HMAC", "-macopt", &format!("hexkey:{}", hex(key)), "-binary"]);
    let output = program::run(openssl, "openssl", text);
    assert!(output.status.success() && output.stdout.len() == 20);
    output.stdout
}

fn random() -> [u8; 32] {
    let mut out = [0; 32];
    getrandom::fill(&mut out).expect("the kernel's generator");
    out
}

/// As radclient's files have octets.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
