//! What the methods have in common once TLS stands: the places where a login can be, and what it can ask for. It knows no TLS:
//! plaintext goes in and comes out.
//!
//! ```text
//!  Listening --hear--> Say | Listen (Listening again) | Ask --credential--> Proven --verdict--> Say | Listen | Accept | Refuse
//! ```

use super::failure::EapFailure;
use super::method::{InnerMethod, MethodKind};
use super::mschapv2_exchange::Judged;
use super::{Shown, certificate, peap, resumption, ttls};
use std::sync::Arc;
use values::Secret;

/// Where MSCHAPv2 inside TTLS takes its challenge from (RFC 5281 11.1): the tunnel, asked only by whoever needs it.
pub type ImplicitChallenge<'a> = &'a dyn Fn() -> Result<[u8; 17], EapFailure>;

/// It is the peer's turn.
#[derive(Debug)]
pub enum Listening {
    Tls(certificate::Listening),
    Peap(peap::Listening),
    Ttls(ttls::Listening),
}

/// The peer has shown something that only its NT hash can judge.
#[derive(Debug)]
pub enum Asked {
    Peap(peap::Asked),
    Ttls(ttls::Asked),
}

/// It has been judged; policy has the word.
#[derive(Debug)]
pub enum Proven {
    Tls(certificate::Proven),
    Peap(Judged),
    Ttls(ttls::Proven),
    /// Under any of them: nothing is proved inside the tunnel.
    Resumed(resumption::Proven),
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// Send this through the tunnel.
    Say(Listening, Vec<u8>),
    /// Nothing to say; the peer is to go on.
    Listen(Listening),
    Ask(Asked),
    Accept {
        shown: Shown,
        inner: Option<InnerMethod>,
    },
    Refuse(EapFailure),
}

impl Step {
    pub(super) const fn misbehaved(what: &'static str) -> Self {
        Self::Refuse(EapFailure::PeerMisbehaved { what })
    }
}

impl Listening {
    /// Phase 2 of a method that has one. `entropy` is this conversation's own: MSCHAPv2 takes its challenges from it.
    #[must_use]
    pub fn new(kind: MethodKind, entropy: &Secret<[u8; 32]>) -> Option<Self> {
        match kind {
            MethodKind::Tls => None,
            MethodKind::Peap => Some(Self::Peap(peap::Listening::new(entropy))),
            MethodKind::Ttls => Some(Self::Ttls(ttls::Listening::new(entropy))),
        }
    }

    /// The tunnel stands and the peer has handed over the turn, with or without plaintext.
    pub fn hear(self, plaintext: &[u8], challenge: ImplicitChallenge<'_>) -> Step {
        match self {
            Self::Tls(state) => state.hear(plaintext),
            Self::Peap(state) => state.hear(plaintext),
            Self::Ttls(state) => state.hear(plaintext, challenge),
        }
    }
}

impl Asked {
    #[must_use]
    pub fn username(&self) -> &str {
        match self {
            Self::Peap(asked) => asked.username(),
            Self::Ttls(asked) => asked.username(),
        }
    }

    #[must_use]
    pub fn credential(self, nt_hash: &Secret<[u8; 16]>) -> Proven {
        match self {
            Self::Peap(asked) => Proven::Peap(asked.credential(nt_hash)),
            Self::Ttls(asked) => Proven::Ttls(asked.credential(nt_hash)),
        }
    }
}

impl Proven {
    #[must_use]
    pub fn shown(&self) -> Shown {
        match self {
            Self::Tls(proven) => Shown::Certificate { fingerprint: proven.fingerprint },
            Self::Peap(judged) => Shown::Username(judged.username.clone()),
            Self::Ttls(proven) => Shown::Username(proven.username().to_owned()),
            Self::Resumed(proven) => Shown::Resumed(Arc::clone(&proven.owner)),
        }
    }

    #[must_use]
    pub const fn is_correct(&self) -> bool {
        match self {
            // TLS has checked it; a wrong one ends the handshake.
            Self::Tls(_) | Self::Resumed(_) => true,
            Self::Peap(judged) => judged.correct,
            Self::Ttls(proven) => proven.is_correct(),
        }
    }

    #[must_use]
    pub const fn inner(&self) -> Option<InnerMethod> {
        match self {
            Self::Tls(_) => None,
            Self::Peap(_) => Some(InnerMethod::MsChapV2),
            Self::Ttls(proven) => Some(proven.inner()),
            Self::Resumed(proven) => proven.inner,
        }
    }

    #[must_use]
    pub fn verdict(self, allow: bool) -> Step {
        match self {
            Self::Tls(proven) => proven.verdict(allow),
            Self::Peap(judged) => peap::verdict(judged, allow),
            Self::Ttls(proven) => proven.verdict(allow),
            Self::Resumed(proven) => proven.verdict(allow),
        }
    }
}
