//! Infrastructure: what the site file says, after it was parsed and checked. Names are those of the file.

use crate::print::PrintPlan;
use crate::schedule::Schedule;
use crate::wifi::WifiPlan;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use values::{AccessPointName, DeviceName, DoorName, NetworkName, PlanName, PrinterName, Secret, Timestamp};

/// The coworking space itself.
#[derive(Clone, Debug)]
pub struct Site {
    /// What people call it: "Harbour Works".
    pub name: String,
    /// The realm of Wi-Fi user names, a domain: `harbour.example`.
    pub realm: String,
    /// All schedules and months are in this zone.
    pub time_zone: jiff::tz::TimeZone,
    pub holidays: BTreeSet<jiff::civil::Date>,
    /// ISO 4217, for display only; amounts are kept in its hundredth.
    pub currency: String,
}

/// A place on the air: members of a team or plan land here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    pub name: NetworkName,
    /// IEEE 802.1Q id, 1 to 4094; none is flat mode.
    pub vlan: Option<u16>,
    /// The name of the team whose members land here whatever their plan says.
    pub team: Option<String>,
}

/// A RADIUS client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPoint {
    pub name: AccessPointName,
    pub address: IpAddr,
    pub secret: Secret<Vec<u8>>,
    /// Where it takes Disconnect-Request and CoA-Request (RFC 5176), usually 3799.
    pub coa_port: u16,
}

/// An upstream IPP printer and the queue that members see in front of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printer {
    pub name: PrinterName,
    /// What a print dialogue shows.
    pub title: String,
    /// `ipp://` or `ipps://` address of the printer itself.
    pub upstream: String,
    /// False for a printer known not to count what it prints: then our count settles, marked "by estimate".
    pub counts: bool,
    /// Whether it prints in colour.
    pub colour: bool,
    pub duplex: bool,
}

/// An opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    pub name: DoorName,
    pub title: String,
    pub relay: Relay,
    pub readers: Vec<DeviceName>,
}

/// How a door is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    pub device: DeviceName,
    pub profile: DeviceProfile,
    /// Output number on the device.
    pub channel: u8,
    /// How long the strike is released. IEC 60839-11-1 grade 1 wants at least 3 s.
    pub pulse_ms: u32,
}

/// The contract that a device speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceProfile {
    ShellyGen2,
    Reader,
}

impl DeviceProfile {
    pub const ALL: [Self; 2] = [Self::ShellyGen2, Self::Reader];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ShellyGen2 => "shelly-gen2",
            Self::Reader => "reader",
        }
    }
}

impl std::str::FromStr for DeviceProfile {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.as_str() == text)
            .ok_or_else(|| format!("unknown device profile `{text}`; known are shelly-gen2 and reader"))
    }
}

/// An MQTT client that was given a credential. Lives in the database: the site file refers to it by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub name: DeviceName,
    pub revision: u64,
    pub profile: DeviceProfile,
    /// SHA-256 of the generated 128-bit password.
    pub password_sha256: [u8; 32],
    pub added_at: Timestamp,
}

/// What a membership includes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub name: PlanName,
    pub title: String,
    pub wifi: Option<WifiPlan>,
    pub print: Option<PrintPlan>,
    pub doors: Vec<DoorGrant>,
}

/// Doors that a plan opens, and when. Any grant that allows wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorGrant {
    pub doors: Vec<DoorName>,
    /// The name of a [`Schedule`]; none is always.
    pub hours: Option<values::ScheduleName>,
}

/// One generation of the site file. References between the maps have been checked: each name leads somewhere.
#[derive(Clone, Debug)]
pub struct SiteModel {
    pub generation: u64,
    pub site: Site,
    pub schedules: BTreeMap<values::ScheduleName, Schedule>,
    pub networks: BTreeMap<NetworkName, Network>,
    pub access_points: BTreeMap<AccessPointName, AccessPoint>,
    pub printers: BTreeMap<PrinterName, Printer>,
    pub doors: BTreeMap<DoorName, Door>,
    pub plans: BTreeMap<PlanName, Plan>,
}

impl SiteModel {
    /// The access point behind a RADIUS packet's source address.
    #[must_use]
    pub fn access_point_at(&self, address: IpAddr) -> Option<&AccessPoint> {
        self.access_points.values().find(|point| point.address == address)
    }

    /// The doors that a reader stands at.
    pub fn doors_of_reader<'a>(&'a self, reader: &'a DeviceName) -> impl Iterator<Item = &'a Door> {
        self.doors.values().filter(move |door| door.readers.contains(reader))
    }
}
