//! What a change of somebody's terms means for her connected devices: computed from what the access point was told and what it
//! would be told now, and from nothing else.

use super::{Admission, Rates};
use values::{NetworkName, Timestamp};

/// The part of an admission that an access point holds a session to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub network: NetworkName,
    pub vlan: Option<u16>,
    pub rates: Rates,
    pub idle_timeout_seconds: Option<u32>,
    pub ends_at: Option<Timestamp>,
}

impl Admission {
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms {
            network: self.network.clone(),
            vlan: self.vlan,
            rates: self.rates,
            idle_timeout_seconds: self.idle_timeout_seconds,
            ends_at: self.ends_at,
        }
    }

    /// Where it is, as people read it.
    #[must_use]
    pub fn place(&self) -> String {
        match (self.vlan, self.vlan_withheld) {
            (Some(vlan), _) => format!("network `{}`, VLAN {vlan}", self.network),
            (None, Some(vlan)) => format!(
                "network `{0}` without its VLAN {vlan}, which no device has passed the test of yet (doorpost wifi test {0})",
                self.network
            ),
            (None, None) => format!("network `{}`", self.network),
        }
    }
}

/// What has to happen to a session that may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    Nothing,
    /// Only its end is another. An access point that can be told is told; for the others nothing is done, since the device logs
    /// in again by itself when its old Session-Timeout is over, and the box ends the session when its new end comes sooner.
    Tell,
    /// It has other rates or another idle timeout: the access point is told, and if it cannot be, the device has to log in again.
    Adjust,
    /// It belongs on another network: the device has to log in again, since hardly an access point moves one that is connected.
    Move,
}

/// What follows when a session was admitted with `old` and would be with `new`.
#[must_use]
pub fn consequence(old: &Terms, new: &Terms) -> Consequence {
    if (&old.network, old.vlan) != (&new.network, new.vlan) {
        Consequence::Move
    } else if (old.rates, old.idle_timeout_seconds) != (new.rates, new.idle_timeout_seconds) {
        Consequence::Adjust
    } else if old.ends_at != new.ends_at {
        Consequence::Tell
    } else {
        Consequence::Nothing
    }
}
