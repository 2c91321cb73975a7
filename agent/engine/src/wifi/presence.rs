//! Who is here now, by the Wi-Fi: an immutable picture that other engines, the API and `why` read.

use policy::SessionRow;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use values::{MacAddress, MemberId, SessionId};

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionPhase {
    /// Let in a moment ago; the access point has not reported it yet.
    Admitted,
    /// Let in, but the access point sends no accounting, or the device has shown nothing but its address yet: it may be here.
    Unreported,
    Open,
    /// The access point was told other terms for it.
    Changing,
    /// The access point was asked to disconnect it.
    Disconnecting,
    /// The access point refused to disconnect it or did not answer; its Session-Timeout ends it.
    DisconnectFailed,
}

impl SessionPhase {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Unreported => "unreported",
            Self::Open => "open",
            Self::Changing => "changing",
            Self::Disconnecting => "disconnecting",
            Self::DisconnectFailed => "disconnect-failed",
        }
    }

    /// Whether the device takes a place among its member's devices.
    #[must_use]
    pub const fn takes_a_place(self) -> bool {
        match self {
            Self::Admitted | Self::Open | Self::Changing | Self::Disconnecting | Self::DisconnectFailed => true,
            Self::Unreported => false,
        }
    }
}

/// One session as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    pub row: SessionRow,
    pub phase: SessionPhase,
}

/// All sessions at one moment.
#[derive(Clone, Debug, Default)]
pub struct Presence {
    pub sessions: Vec<Arc<SessionView>>,
    here: BTreeSet<MemberId>,
}

impl Presence {
    pub(super) fn of(sessions: Vec<Arc<SessionView>>) -> Self {
        let placed = sessions.iter().filter(|session| session.phase.takes_a_place());
        let here = placed.filter_map(|session| session.row.member).collect();
        Self { sessions, here }
    }

    /// Whether a device of the member is online.
    #[must_use]
    pub fn is_here(&self, member: MemberId) -> bool {
        self.here.contains(&member)
    }

    /// Members with a device online.
    #[must_use]
    pub fn members(&self) -> &BTreeSet<MemberId> {
        &self.here
    }

    pub fn sessions_of(&self, member: MemberId) -> impl Iterator<Item = &SessionView> {
        self.sessions.iter().map(AsRef::as_ref).filter(move |session| session.row.member == Some(member))
    }

    /// The member's devices that count against the plan's limit.
    #[must_use]
    pub fn live_devices(&self, member: MemberId) -> Vec<MacAddress> {
        self.sessions_of(member)
            .filter(|session| session.phase.takes_a_place())
            .filter_map(|session| session.row.mac)
            .collect()
    }

    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<&SessionView> {
        self.sessions.iter().map(AsRef::as_ref).find(|session| session.row.id == id)
    }
}
