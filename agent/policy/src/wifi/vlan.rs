//! Whether a network's VLAN is used. A VLAN that the switch does not carry leaves its devices connected and mute, which looks
//! like broken Wi-Fi; so a network is flat until the operator says that its VLAN works, or a device has shown it.
//!
//! ```text
//! Untested --test opened for a member--> Open --her device has an address there--> Passed
//!     ^                                   | time is up           VLAN changed in the site file |
//!     +-----------------------------------+---------------------------------------------------+
//! ```

use crate::site::Network;
use crate::snapshot::Snapshot;
use values::{MemberId, NetworkName, Now, Timestamp};

/// The longest that a test stays open: an operator stands beside the device.
pub const TEST_MAX_MINUTES: u16 = 60;

/// A test of a network's VLAN by a member's device; one a network, the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VlanTest {
    pub network: NetworkName,
    /// The VLAN that is tested; another one in the site file makes the test void.
    pub vlan: u16,
    pub state: TestState,
}

/// How far a test has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestState {
    /// The devices of this member are put on the VLAN, whatever her plan says.
    Open {
        member: MemberId,
        until: Timestamp,
    },
    Passed {
        at: Timestamp,
    },
}

/// A network's VLAN at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VlanState {
    /// It has none.
    Flat,
    /// It is withheld.
    Untested {
        vlan: u16,
    },
    /// It is withheld from all but one member's devices.
    Testing {
        vlan: u16,
        member: MemberId,
        until: Timestamp,
    },
    Tested {
        vlan: u16,
    },
}

impl VlanState {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Untested { .. } => "untested",
            Self::Testing { .. } => "testing",
            Self::Tested { .. } => "tested",
        }
    }

    /// For a member: the VLAN that is used, the one that is withheld, and until when this is so.
    pub(super) fn for_member(self, who: MemberId) -> (Option<u16>, Option<u16>, Option<Timestamp>) {
        match self {
            Self::Flat => (None, None, None),
            Self::Tested { vlan } => (Some(vlan), None, None),
            Self::Testing { vlan, member, until } if member == who => (Some(vlan), None, Some(until)),
            Self::Testing { vlan, .. } | Self::Untested { vlan } => (None, Some(vlan), None),
        }
    }
}

/// What is known of a network's VLAN.
#[must_use]
pub fn vlan_state(snapshot: &Snapshot, network: &Network, now: Now) -> VlanState {
    let Some(vlan) = network.vlan else { return VlanState::Flat };
    let test = snapshot.vlan_tests.get(&network.name).filter(|test| test.vlan == vlan);
    match test.map(|test| test.state) {
        Some(TestState::Open { member, until }) if until > now.stamp() => VlanState::Testing { vlan, member, until },
        Some(TestState::Passed { .. }) => VlanState::Tested { vlan },
        Some(TestState::Open { .. }) | None if network.vlan_tested => VlanState::Tested { vlan },
        Some(TestState::Open { .. }) | None => VlanState::Untested { vlan },
    }
}

/// The network that a member's devices are to test now.
pub(super) fn network_under_test(snapshot: &Snapshot, who: MemberId, now: Now) -> Option<&Network> {
    let is_hers = |network: &&Network| match vlan_state(snapshot, network, now) {
        VlanState::Testing { member, .. } => member == who,
        VlanState::Flat | VlanState::Untested { .. } | VlanState::Tested { .. } => false,
    };
    let tests = snapshot.vlan_tests.keys();
    tests.filter_map(|network| snapshot.site.networks.get(network)).find(is_hers)
}
