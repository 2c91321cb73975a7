//! What the two inner methods have in common: the places where phase 2 can stand, and what it can ask for.
//!
//! ```text
//!  Listening --hear--> Say | Listen (Listening again) | Ask --credential--> Proven --verdict--> Say | Accept | Refuse
//! ```

use super::failure::EapFailure;
use super::method::{InnerMethod, MethodKind};
use super::{peap, ttls};
use values::Secret;

/// It is the peer's turn.
#[derive(Debug)]
pub(super) enum Listening {
    Ttls,
    Peap(peap::Listening),
}

/// The peer has shown something that only its NT hash can judge.
#[derive(Debug)]
pub(super) enum Asked {
    Ttls(ttls::Asked),
    Peap(peap::Asked),
}

/// It has been judged; policy has the word.
#[derive(Debug)]
pub(super) enum Proven {
    Ttls(ttls::Proven),
    Peap(peap::Proven),
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Step {
    /// Send this through the tunnel.
    Say(Listening, Vec<u8>),
    /// Nothing to say; the peer is to go on.
    Listen(Listening),
    Ask(Asked),
    Accept {
        username: String,
    },
    Refuse(EapFailure),
}

impl Step {
    pub(super) const fn misbehaved(what: &'static str) -> Self {
        Self::Refuse(EapFailure::PeerMisbehaved { what })
    }
}

impl Listening {
    /// `entropy` is this conversation's own: MSCHAPv2 takes its challenges from it.
    pub(super) fn new(kind: MethodKind, entropy: &Secret<[u8; 32]>) -> Self {
        match kind {
            MethodKind::Ttls => Self::Ttls,
            MethodKind::Peap => Self::Peap(peap::Listening::new(entropy)),
        }
    }

    /// The tunnel stands and the peer has handed over the turn, with or without plaintext.
    pub(super) fn hear(self, plaintext: &[u8]) -> Step {
        match self {
            Self::Ttls => ttls::hear(plaintext),
            Self::Peap(state) => state.hear(plaintext),
        }
    }
}

impl Asked {
    pub(super) fn username(&self) -> &str {
        match self {
            Self::Ttls(asked) => asked.username(),
            Self::Peap(asked) => asked.username(),
        }
    }

    pub(super) fn credential(self, nt_hash: &Secret<[u8; 16]>) -> Proven {
        match self {
            Self::Ttls(asked) => Proven::Ttls(asked.credential(nt_hash)),
            Self::Peap(asked) => Proven::Peap(asked.credential(nt_hash)),
        }
    }
}

impl Proven {
    pub(super) fn username(&self) -> &str {
        match self {
            Self::Ttls(proven) => proven.username(),
            Self::Peap(proven) => proven.username(),
        }
    }

    pub(super) const fn is_correct(&self) -> bool {
        match self {
            Self::Ttls(proven) => proven.is_correct(),
            Self::Peap(proven) => proven.is_correct(),
        }
    }

    pub(super) fn verdict(self, allow: bool) -> Step {
        match self {
            Self::Ttls(proven) => proven.verdict(allow),
            Self::Peap(proven) => proven.verdict(allow),
        }
    }
}

/// The inner method that each outer one has here.
pub(super) const fn inner_method(kind: MethodKind) -> InnerMethod {
    match kind {
        MethodKind::Ttls => InnerMethod::Pap,
        MethodKind::Peap => InnerMethod::MsChapV2,
    }
}
