//! A name as a peer gives it, outside the tunnel (RFC 3748 5.1) and inside.

use super::failure::EapFailure;

/// RFC 2865 5: an attribute holds at most 253 bytes, and what does not fit User-Name names no user.
pub(super) const USERNAME_MAX_BYTES: usize = 253;

/// Names are UTF-8 (RFC 7542 2.2).
pub(super) fn text_of(bytes: &[u8]) -> Result<String, EapFailure> {
    if bytes.len() > USERNAME_MAX_BYTES {
        return Err(EapFailure::PeerMisbehaved { what: "a user name of more than 253 bytes" });
    }
    let what = "a user name that is not UTF-8";
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| EapFailure::PeerMisbehaved { what })
}
