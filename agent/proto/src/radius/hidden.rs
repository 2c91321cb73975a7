//! Values hidden by MD5 key streams: User-Password (RFC 2865, 5.2), the MS-MPPE keys (RFC 2548, 2.4.2 and 2.4.3) and
//! Tunnel-Password (RFC 2868, 3.5).
//!
//! The box only writes what is salted; reading that and hiding a password is the access point's side, for the simulated one.

use super::Authenticator;
use md5::{Digest, Md5};
use values::Secret;

/// The longest User-Password (RFC 2865, 5.2).
const PASSWORD_MAX_BYTES: usize = 128;
const BLOCK: usize = 16;

/// Which of the two keys, by Microsoft's Vendor-Type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    Send,
    Recv,
}

impl KeyKind {
    #[must_use]
    pub const fn vendor_type(self) -> u8 {
        match self {
            Self::Send => 16,
            Self::Recv => 17,
        }
    }
}

/// One block of key stream: MD5(secret, previous ciphertext or the start).
fn stream(secret: &[u8], parts: &[&[u8]]) -> [u8; BLOCK] {
    let mut md5 = Md5::new();
    md5.update(secret);
    parts.iter().for_each(|part| md5.update(part));
    md5.finalize().into()
}

fn hide(plain: &[u8], secret: &[u8], start: &[&[u8]]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(plain.len().next_multiple_of(BLOCK));
    let mut mask = stream(secret, start);
    for chunk in plain.chunks(BLOCK) {
        let from = out.len();
        out.extend((0..BLOCK).map(|i| chunk.get(i).copied().unwrap_or(0) ^ mask[i]));
        mask = stream(secret, &[&out[from..]]);
    }
    out
}

fn reveal(hidden: &[u8], secret: &[u8], start: &[&[u8]]) -> Option<Vec<u8>> {
    if hidden.is_empty() || !hidden.len().is_multiple_of(BLOCK) {
        return None;
    }
    let mut out = Vec::with_capacity(hidden.len());
    let mut mask = stream(secret, start);
    for chunk in hidden.chunks(BLOCK) {
        out.extend(chunk.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
        mask = stream(secret, &[chunk]);
    }
    Some(out)
}

/// The value of a User-Password attribute. Text beyond 128 octets is cut off: no such password exists.
#[must_use]
pub fn hide_password(password: &[u8], request_authenticator: &Authenticator, secret: &[u8]) -> Vec<u8> {
    let cut = &password[..password.len().min(PASSWORD_MAX_BYTES)];
    let plain: &[u8] = if cut.is_empty() { &[0] } else { cut };
    hide(plain, secret, &[request_authenticator])
}

/// The password in a User-Password attribute, without its padding.
#[must_use]
pub fn reveal_password(hidden: &[u8], request_authenticator: &Authenticator, secret: &[u8]) -> Option<Secret<Vec<u8>>> {
    if hidden.len() > PASSWORD_MAX_BYTES {
        return None;
    }
    let mut plain = reveal(hidden, secret, &[request_authenticator])?;
    let end = plain.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    plain.truncate(end);
    Some(Secret::new(plain))
}

/// Salt and hidden content: what MS-MPPE-Send-Key and -Recv-Key (RFC 2548, 2.4.2) and, behind its tag, Tunnel-Password (RFC 2868,
/// 3.5) carry. The salt's highest bit is set here; it must differ between the attributes of one packet. At most 255 octets; what
/// is longer would not fit an attribute either.
pub(super) fn salted(content: &[u8], salt: [u8; 2], request_authenticator: &Authenticator, secret: &[u8]) -> Vec<u8> {
    let salt = [salt[0] | 0x80, salt[1]];
    let length = u8::try_from(content.len()).unwrap_or(u8::MAX);
    let plain = zeroize::Zeroizing::new([&[length], content].concat());
    let mut out = salt.to_vec();
    out.extend(hide(&plain, secret, &[request_authenticator, &salt]));
    out
}

/// What is hidden behind a salt: the key in a MS-MPPE-Send-Key or -Recv-Key, the password in a Tunnel-Password without its tag.
#[must_use]
pub fn open_salted(content: &[u8], request_authenticator: &Authenticator, secret: &[u8]) -> Option<Secret<Vec<u8>>> {
    let (salt, hidden) = content.split_first_chunk::<2>()?;
    let plain = zeroize::Zeroizing::new(reveal(hidden, secret, &[request_authenticator, salt])?);
    let (&length, rest) = plain.split_first()?;
    rest.get(..usize::from(length)).map(|key| Secret::new(key.to_vec()))
}
