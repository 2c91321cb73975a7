//! MS-CHAP-V2's arithmetic (RFC 2759 8): what a peer computes from its password, and what proves the server to the peer.
//! MD4 and DES are weak; here they run only inside a TLS tunnel, over random keys of 80 bits and more.

use des::Des;
use des::cipher::{BlockCipherEncrypt, KeyInit};
use md4::{Digest, Md4};
use sha1::Sha1;
use values::Secret;
use zeroize::{Zeroize, Zeroizing};

/// NtPasswordHash (RFC 2759 8.3): MD4 of the password in UTF-16LE. It is as good as the password, hence `Secret`.
#[must_use]
pub fn nt_hash(password: &str) -> Secret<[u8; 16]> {
    // Sized before it is filled, so that growing leaves no copy of the password behind.
    let mut utf16 = Zeroizing::new(Vec::with_capacity(password.len() * 2));
    for unit in password.encode_utf16() {
        utf16.extend_from_slice(&unit.to_le_bytes());
    }
    Secret::new(Md4::digest(&utf16[..]).into())
}

/// ChallengeHash (RFC 2759 8.2). `username` is the name as the peer sent it, without a Windows domain in front.
#[must_use]
pub fn challenge_hash(peer_challenge: &[u8; 16], authenticator_challenge: &[u8; 16], username: &[u8]) -> [u8; 8] {
    let digest = Sha1::new()
        .chain_update(peer_challenge)
        .chain_update(authenticator_challenge)
        .chain_update(username)
        .finalize();
    let mut out = [0; 8];
    out.copy_from_slice(&digest[..8]);
    out
}

/// ChallengeResponse (RFC 2759 8.5): the hash, filled up with zeros, is three DES keys.
#[must_use]
pub fn nt_response(challenge_hash: &[u8; 8], nt_hash: &Secret<[u8; 16]>) -> [u8; 24] {
    let mut keys = Zeroizing::new([0; 21]);
    keys[..16].copy_from_slice(nt_hash.expose());
    let mut out = [0; 24];
    for (key, block) in keys.chunks_exact(7).zip(out.chunks_exact_mut(8)) {
        let mut key = des_key(key);
        let mut encrypted = (*challenge_hash).into();
        Des::new(&key.into()).encrypt_block(&mut encrypted);
        key.zeroize();
        block.copy_from_slice(&encrypted);
    }
    out
}

/// Spreads 56 bits over eight bytes; DES ignores the lowest bit of each (its parity).
fn des_key(seven: &[u8]) -> [u8; 8] {
    let bits = seven.iter().fold(0_u64, |bits, &byte| (bits << 8) | u64::from(byte));
    let mut key = [0; 8];
    for (i, byte) in key.iter_mut().enumerate() {
        *byte = ((bits >> (49 - 7 * i)) as u8 & 0x7F) << 1;
    }
    key
}

/// GenerateAuthenticatorResponse (RFC 2759 8.7): `S=` and 40 upper-case hexadecimal digits.
#[must_use]
pub fn authenticator_response(nt_hash: &Secret<[u8; 16]>, nt_response: &[u8; 24], challenge_hash: &[u8; 8]) -> String {
    const MAGIC_1: &[u8] = b"Magic server to client signing constant";
    const MAGIC_2: &[u8] = b"Pad to make it do more than one iteration";
    let hash_hash = Zeroizing::new(<[u8; 16]>::from(Md4::digest(nt_hash.expose())));
    let digest = Sha1::new().chain_update(&hash_hash[..]).chain_update(nt_response).chain_update(MAGIC_1).finalize();
    let digest = Sha1::new().chain_update(digest).chain_update(challenge_hash).chain_update(MAGIC_2).finalize();
    let mut out = String::with_capacity(42);
    out.push_str("S=");
    push_hex(&mut out, &digest);
    out
}

pub(super) fn push_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// The name that goes into the challenge hash: Windows puts `DOMAIN\` in front and leaves it out of the hash.
#[must_use]
pub fn without_domain(username: &str) -> &str {
    username.rsplit_once('\\').map_or(username, |(_, name)| name)
}
