//! EAP-TLS (RFC 5216, RFC 9190), which has no phase 2: the handshake has shown a certificate and that the device holds its key.
//! What is left is to ask policy, and to let the device know the answer in a way that nobody can forge.
//!
//! ```text
//!  handshake done -> Proven --verdict--> our Finished (TLS 1.2) or the octet 0 inside the tunnel (TLS 1.3) -> Listening -> Accept
//!                                 \----> EAP-Failure
//! ```

use super::Shown;
use super::failure::EapFailure;
use super::method::{InnerMethod, TlsVersion};
use super::phase2::{self, Step};

/// RFC 9190 2.5: with this octet of application data the server commits to say nothing more in TLS, and so to EAP-Success.
pub(super) const COMMITMENT: [u8; 1] = [0];

/// The certificate whose key the device holds, by its SHA-256.
#[derive(Debug)]
pub struct Proven {
    pub(super) fingerprint: [u8; 32],
    pub(super) tls_version: TlsVersion,
}

impl Proven {
    pub(super) fn verdict(self, allow: bool) -> Step {
        let shown = Shown::Certificate { fingerprint: self.fingerprint };
        let next = phase2::Listening::Tls(Listening { shown, inner: None });
        match (allow, self.tls_version) {
            (false, _) => Step::Refuse(EapFailure::Denied),
            (true, TlsVersion::Tls13) => Step::Say(next, COMMITMENT.to_vec()),
            (true, TlsVersion::Tls12) => Step::Listen(next),
        }
    }
}

/// The device has been told; its acknowledgement is awaited.
#[derive(Debug)]
pub struct Listening {
    pub(super) shown: Shown,
    pub(super) inner: Option<InnerMethod>,
}

impl Listening {
    pub(super) fn hear(self, plaintext: &[u8]) -> Step {
        if !plaintext.is_empty() {
            return Step::misbehaved("data in a tunnel that carries none");
        }
        Step::Accept { shown: self.shown, inner: self.inner }
    }
}
