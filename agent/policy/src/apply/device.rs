//! Commands about MQTT devices.

use super::{Change, Decided, Desk, Note};
use crate::reason::Reason;
use crate::record::Noun;
use crate::site::{Device, DeviceProfile};
use values::DeviceName;

/// Connections that the door gate is sized for.
const DEVICES_MAX: usize = 200;

impl Desk<'_> {
    pub(super) fn add_device(&self, name: DeviceName, profile: DeviceProfile, password_sha256: [u8; 32]) -> Decided {
        if self.snapshot.devices.contains_key(&name) {
            return Err(Reason::DeviceTaken { device: name.to_string() });
        }
        if self.snapshot.devices.len() >= DEVICES_MAX {
            return Err(Reason::LimitReached { what: "devices".into(), limit: DEVICES_MAX as u32 });
        }
        let note = Note::new(Noun::Device, "device-added", "A device was given a credential.")
            .at(&name)
            .fact("profile", profile.as_str());
        let device = Device { name, revision: 1, profile, password_sha256, added_at: self.now.stamp() };
        Ok((vec![Change::Device(device)], note))
    }

    pub(super) fn remove_device(&self, name: &DeviceName) -> Decided {
        if !self.snapshot.devices.contains_key(name) {
            return Err(Reason::UnknownDevice { device: name.to_string() });
        }
        let note = Note::new(Noun::Device, "device-removed", "A device was removed.").at(name);
        Ok((vec![Change::DeviceRemoved(name.clone())], note))
    }
}
