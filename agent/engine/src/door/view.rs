//! Pictures of the doors for people, made when somebody asks.

use super::{DoorEngine, DoorOutcome};
use policy::{DeviceProfile, Snapshot};
use std::collections::BTreeMap;
use values::{DeviceName, DoorName, Timestamp};

/// A door as the UI shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorView {
    pub name: DoorName,
    pub title: String,
    pub relay: DeviceName,
    pub profile: DeviceProfile,
    /// Since when the relay is connected.
    pub relay_since: Option<Timestamp>,
    pub readers: Vec<(DeviceName, Option<Timestamp>)>,
    pub last: Option<LastOpening>,
}

/// What became of the last question at a door, since the start or brought over from the run before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastOpening {
    pub at: Timestamp,
    pub outcome: DoorOutcome,
    pub sentence: String,
}

impl DoorEngine {
    #[must_use]
    pub fn doors(&self, snapshot: &Snapshot) -> Vec<DoorView> {
        let since = |device: &DeviceName| self.links.known(device).map(|known| known.since);
        let view = |door: &policy::Door| DoorView {
            name: door.name.clone(),
            title: door.title.clone(),
            relay: door.relay.device.clone(),
            profile: door.relay.profile,
            relay_since: since(&door.relay.device),
            readers: door.readers.iter().map(|reader| (reader.clone(), since(reader))).collect(),
            last: self.last.get(&door.name).cloned(),
        };
        snapshot.site.doors.values().map(view).collect()
    }

    /// Devices that are connected, and since when.
    #[must_use]
    pub fn connected(&self) -> BTreeMap<DeviceName, Timestamp> {
        self.links.connected().map(|known| (known.device.name.clone(), known.since)).collect()
    }
}
