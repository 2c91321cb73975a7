//! Which EAP methods are offered: the site file's word, in the words of the protocol; and which of them a device took last, so
//! that it is offered that one first the next time.

use super::WifiEngine;
use policy::{EapMethod, Snapshot};
use proto::eap::{EapSettings, MethodKind};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use values::MacAddress;

/// Devices whose method is known; beyond that the one that was met first is forgotten, and says Nak once more. Some 50 octets each.
const HABITS_MAX: usize = 8_192;

/// The method of each device's last login. Whoever forges an address learns and changes nothing by it: every method proves as
/// much, and the site file says which there are.
#[derive(Debug, Default)]
pub(super) struct Habits {
    by_device: BTreeMap<MacAddress, MethodKind>,
    /// As they were met.
    order: VecDeque<MacAddress>,
}

impl Habits {
    pub(super) fn of(&self, mac: MacAddress) -> Option<MethodKind> {
        self.by_device.get(&mac).copied()
    }

    pub(super) fn learn(&mut self, mac: MacAddress, method: MethodKind) {
        if self.by_device.insert(mac, method).is_none() {
            self.order.push_back(mac);
        }
        while self.order.len() > HABITS_MAX
            && let Some(first) = self.order.pop_front()
        {
            self.by_device.remove(&first);
        }
    }
}

impl WifiEngine {
    /// Logins that begin from now on are offered what the site file says, in its order.
    pub(super) fn offer_methods(&mut self, snapshot: &Snapshot) {
        let methods: Vec<MethodKind> = snapshot.site.eap_methods.iter().map(|method| kind_of(*method)).collect();
        if methods != self.eap.methods {
            self.eap = Arc::new(EapSettings { methods, ..EapSettings::clone(&self.eap) });
        }
    }
}

const fn kind_of(method: EapMethod) -> MethodKind {
    match method {
        EapMethod::Tls => MethodKind::Tls,
        EapMethod::Peap => MethodKind::Peap,
        EapMethod::Ttls => MethodKind::Ttls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_by_its_last_method_and_the_first_one_met_is_forgotten_first() {
        let mut habits = Habits::default();
        let mac = |n: usize| MacAddress([2, 0, 0, 0, (n >> 8) as u8, n as u8]);
        assert_eq!(habits.of(mac(0)), None);
        for n in 0..HABITS_MAX {
            habits.learn(mac(n), MethodKind::Peap);
        }
        habits.learn(mac(0), MethodKind::Ttls);
        assert_eq!(habits.of(mac(0)), Some(MethodKind::Ttls));
        habits.learn(mac(HABITS_MAX), MethodKind::Tls);
        assert_eq!((habits.of(mac(0)), habits.of(mac(1))), (None, Some(MethodKind::Peap)));
        assert_eq!((habits.by_device.len(), habits.order.len()), (HABITS_MAX, HABITS_MAX));
    }
}
