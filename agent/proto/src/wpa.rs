//! WPA2-Personal as the authenticator's helper needs it: what a passphrase becomes on an SSID, and whether the second message of a
//! 4-way handshake was made with it. IEEE 802.11-2020: 12.7.1.2 (PRF and KDF), 12.7.1.3 (PTK), 12.7.2 and 12.7.6.3 (EAPOL-Key,
//! message 2), J.4 (passphrase to PSK); IEEE 802.1X-2004, 7.5 (the EAPOL header); RFC 8018 (PBKDF2); RFC 4493 (AES-CMAC).
//!
//! It refuses to know whose passphrase it is and how an access point wraps these octets into RADIUS. WPA3 (SAE) proves the
//! passphrase before there is a key message, so nothing here can tell which one a device used there.

mod key_message;
#[cfg(test)]
mod tests;

pub use key_message::{KeyMessage, KeyMessageError};

use aes::Aes128;
use cmac::Cmac;
use hmac::{Hmac, KeyInit, Mac};
use key_message::{Integrity, MIC_BYTES};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use values::{MacAddress, Secret};

/// The shortest and the longest passphrase (J.4.1); 64 characters would be a key in hexadecimal.
pub const PASSPHRASE_MIN_CHARS: usize = 8;
pub const PASSPHRASE_MAX_CHARS: usize = 63;
/// The longest SSID (9.4.2.2).
pub const SSID_MAX_BYTES: usize = 32;
/// Rounds of PBKDF2 (J.4.1): some milliseconds, which is why it is done when a passphrase is issued and not when it is used.
const ROUNDS: usize = 4_096;
/// Key confirmation, key encryption and temporal key of CCMP: what the KDF of 12.7.1.2 is asked for, and mixes in as a number.
const PTK_BITS: u16 = 384;
const KCK_BYTES: usize = 16;
const LABEL: &[u8] = b"Pairwise key expansion";

/// A pairwise master key.
pub type Pmk = Secret<[u8; 32]>;

/// Whether text can be a passphrase (J.4.1): 8 to 63 characters of printable ASCII.
#[must_use]
pub fn is_passphrase(text: &str) -> bool {
    (PASSPHRASE_MIN_CHARS..=PASSPHRASE_MAX_CHARS).contains(&text.len()) && text.bytes().all(|b| (32..=126).contains(&b))
}

/// What a passphrase becomes on an SSID: PBKDF2 of HMAC-SHA-1 (J.4.1).
#[must_use]
pub fn pmk(passphrase: &str, ssid: &[u8]) -> Pmk {
    let keyed = Hmac::<Sha1>::new_from_slice(passphrase.as_bytes()).expect("HMAC takes a key of any length");
    let mut out = [0; 32];
    for (n, chunk) in (1_u32..).zip(out.chunks_mut(20)) {
        let mut round = keyed.clone().chain_update(ssid).chain_update(n.to_be_bytes()).finalize().into_bytes();
        let mut block = round;
        for _ in 1..ROUNDS {
            round = keyed.clone().chain_update(round).finalize().into_bytes();
            block.iter_mut().zip(round).for_each(|(sum, byte)| *sum ^= byte);
        }
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
    Secret::new(out)
}

/// What an access point saw of a 4-way handshake: enough to say whether a key is the device's.
#[derive(Clone, Debug)]
pub struct Handshake {
    message: KeyMessage,
    /// Both addresses and both nonces, the smaller first of each pair (12.7.1.3).
    context: [u8; 2 * 6 + 2 * 32],
}

impl Handshake {
    /// `access_point` is the BSSID; `anonce` the access point's nonce of message 1.
    #[must_use]
    pub fn new(access_point: MacAddress, device: MacAddress, anonce: &[u8; 32], message: KeyMessage) -> Self {
        let (low, high) = (access_point.0.min(device.0), access_point.0.max(device.0));
        let (first, second) = (anonce.min(&message.snonce), anonce.max(&message.snonce));
        let mut context = [0; 76];
        context[..6].copy_from_slice(&low);
        context[6..12].copy_from_slice(&high);
        context[12..44].copy_from_slice(first);
        context[44..].copy_from_slice(second);
        Self { message, context }
    }

    /// Whether message 2 was made with this key.
    #[must_use]
    pub fn fits(&self, pmk: &Pmk) -> bool {
        let kck = zeroize::Zeroizing::new(match self.message.integrity {
            Integrity::Sha1 => prf_kck(pmk.expose(), &self.context),
            Integrity::Cmac => kdf_kck(pmk.expose(), &self.context),
        });
        let frame = self.message.without_mic();
        let sum: [u8; MIC_BYTES] = match self.message.integrity {
            Integrity::Sha1 => {
                let mac = Hmac::<Sha1>::new_from_slice(&*kck).expect("HMAC takes a key of any length");
                let sum = mac.chain_update(frame).finalize().into_bytes();
                *sum.first_chunk().expect("SHA-1 has twenty octets")
            }
            Integrity::Cmac => Cmac::<Aes128>::new((&*kck).into()).chain_update(frame).finalize().into_bytes().into(),
        };
        sum.ct_eq(&self.message.mic).into()
    }
}

/// The first 128 bits of the PRF (12.7.1.2): one round of HMAC-SHA-1 gives 160, and no more is needed to check a MIC.
fn prf_kck(key: &[u8], context: &[u8]) -> [u8; KCK_BYTES] {
    let sum = prf_round(key, LABEL, context, 0);
    *sum.first_chunk().expect("SHA-1 has twenty octets")
}

/// One round of the PRF: HMAC-SHA-1(key, label, 0, context, n).
fn prf_round(key: &[u8], label: &[u8], context: &[u8], n: u8) -> [u8; 20] {
    let mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.chain_update(label).chain_update([0]).chain_update(context).chain_update([n]).finalize().into_bytes().into()
}

/// The first 128 bits of the KDF with SHA-256 (12.7.1.7.2): counter and length are little-endian.
fn kdf_kck(key: &[u8], context: &[u8]) -> [u8; KCK_BYTES] {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    let mac = mac.chain_update(1_u16.to_le_bytes()).chain_update(LABEL).chain_update(context);
    let sum = mac.chain_update(PTK_BITS.to_le_bytes()).finalize().into_bytes();
    *sum.first_chunk().expect("SHA-256 has thirty-two octets")
}
