//! Commands about the Wi-Fi that concern no member: tests of VLANs.

use super::{Change, Decided, Desk, Note};
use crate::reason::Reason;
use crate::record::Noun;
use crate::site::Network;
use crate::wifi::{TEST_MAX_MINUTES, TestState, VlanState, VlanTest, vlan_state};
use std::time::Duration;
use values::{MemberId, NetworkName};

impl Desk<'_> {
    /// Opening a test takes back what an earlier one has shown: the VLAN is withheld from everybody else until it is passed.
    pub(super) fn open_vlan_test(&self, network: NetworkName, member: MemberId, minutes: u16) -> Decided {
        let found = self.network(&network)?;
        let vlan = found.vlan.ok_or_else(|| Reason::NoVlan { network: network.to_string() })?;
        if !self.snapshot.members.contains_key(&member) {
            return Err(Reason::UnknownMember);
        }
        if !(1..=TEST_MAX_MINUTES).contains(&minutes) {
            let expected = format!("1 to {TEST_MAX_MINUTES} minutes");
            return Err(Reason::Invalid { what: format!("A test of {minutes} minutes"), expected });
        }
        let until = self.now.stamp() + Duration::from_secs(60 * u64::from(minutes));
        let sentence = format!(
            "A test of VLAN {vlan} of the network `{network}` was opened for {minutes} minutes; have the member's device log in now."
        );
        let note = Note::new(Noun::Wifi, "vlan-test-opened", sentence).of(member).fact("network", &network);
        let test = VlanTest { network, vlan, state: TestState::Open { member, until } };
        Ok((vec![Change::VlanTest(test)], note.fact("vlan", vlan)))
    }

    pub(super) fn pass_vlan_test(&self, network: NetworkName, vlan: u16) -> Decided {
        let found = self.network(&network)?;
        match vlan_state(self.snapshot, found, self.now) {
            VlanState::Untested { vlan: known } | VlanState::Testing { vlan: known, .. } if known == vlan => {}
            VlanState::Tested { .. } => {
                return Err(Reason::AlreadySo { what: format!("VLAN {vlan} of `{network}` is in use") });
            }
            VlanState::Flat | VlanState::Untested { .. } | VlanState::Testing { .. } => {
                return Err(Reason::NoVlan { network: network.to_string() });
            }
        }
        let sentence = format!("VLAN {vlan} of the network `{network}` works and is used from now on.");
        let note = Note::new(Noun::Wifi, "vlan-test-passed", sentence).fact("network", &network).fact("vlan", vlan);
        let test = VlanTest { network, vlan, state: TestState::Passed { at: self.now.stamp() } };
        Ok((vec![Change::VlanTest(test)], note))
    }

    fn network(&self, name: &NetworkName) -> Result<&Network, Reason> {
        let network = self.snapshot.site.networks.get(name);
        network.ok_or_else(|| Reason::UnknownNetwork { network: name.to_string() })
    }
}
