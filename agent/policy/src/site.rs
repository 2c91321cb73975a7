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
    /// What access points that know VLANs by name are told instead of the number.
    pub vlan_name: Option<String>,
    /// The operator's word that the VLAN works; without it, it is withheld until a device has passed a test
    /// ([`crate::wifi::VlanTest`]).
    pub vlan_tested: bool,
    /// The name of the team whose members land here whatever their plan says.
    pub team: Option<String>,
}

/// A RADIUS client: over UDP by its address and a secret, by RadSec with a certificate of its own, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPoint {
    pub name: AccessPointName,
    pub udp: Option<UdpClient>,
    pub radsec: Option<RadSecClient>,
    pub profile: AccessPointProfile,
    pub message_authenticator: MessageAuthenticatorRule,
}

/// Whose make an access point is: which attributes it understands, and which it can change while a device is connected. The
/// tables stand in configs/dictionaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessPointProfile {
    #[default]
    Generic,
    Hostapd,
    Unifi,
    Aruba,
    Cisco,
    Mikrotik,
    Ruckus,
    Mist,
}

impl AccessPointProfile {
    pub const ALL: [Self; 8] =
        [Self::Generic, Self::Hostapd, Self::Unifi, Self::Aruba, Self::Cisco, Self::Mikrotik, Self::Ruckus, Self::Mist];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Hostapd => "hostapd",
            Self::Unifi => "unifi",
            Self::Aruba => "aruba",
            Self::Cisco => "cisco",
            Self::Mikrotik => "mikrotik",
            Self::Ruckus => "ruckus",
            Self::Mist => "mist",
        }
    }

    /// Where it takes Disconnect- and CoA-Requests unless it was told otherwise: RFC 5176, 2.3, and Cisco's own port.
    #[must_use]
    pub const fn coa_port(self) -> u16 {
        match self {
            Self::Cisco => 1_700,
            Self::Generic | Self::Hostapd | Self::Unifi | Self::Aruba | Self::Mikrotik | Self::Ruckus | Self::Mist => {
                3_799
            }
        }
    }
}

impl std::str::FromStr for AccessPointProfile {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|profile| profile.as_str() == text).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.into_iter().map(Self::as_str).collect();
            format!("unknown access point profile `{text}`: expected one of {}", known.join(", "))
        })
    }
}

/// Whether an Access-Request must carry a Message-Authenticator (CVE-2024-3596, "BlastRADIUS").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageAuthenticatorRule {
    #[default]
    Required,
    /// An exception for an access point that cannot send it: the operator is warned of it for as long as it stands, and what an
    /// attacker needs besides (Proxy-State) is dropped.
    Optional,
}

impl AccessPoint {
    /// Where its packets come from, if that is known.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        let over_udp = self.udp.as_ref().map(|udp| udp.address);
        over_udp.or_else(|| self.radsec.as_ref().and_then(|radsec| radsec.from))
    }
}

/// What an access point needs for RADIUS over UDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpClient {
    pub address: IpAddr,
    pub secret: Secret<Vec<u8>>,
    /// Where it takes Disconnect-Request and CoA-Request (RFC 5176), usually 3799.
    pub coa_port: u16,
}

/// An access point that may come by RadSec (RFC 6614); which certificate it has is in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RadSecClient {
    /// Where it must come from; none: its certificate is enough.
    pub from: Option<IpAddr>,
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

/// A name of the Wi-Fi on the air.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssid {
    /// 1 to 32 bytes of UTF-8 (IEEE 802.11, 9.4.2.2), without control characters.
    pub name: String,
    pub security: SsidSecurity,
}

/// How devices get onto an SSID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SsidSecurity {
    /// By 802.1X, with a key or a certificate of their own: what profiles are made for.
    #[default]
    Enterprise,
    /// By a passphrase of the member's or the device's own.
    Passphrase,
}

/// How a device may log in by 802.1X, as the operator orders it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EapMethod {
    /// A certificate of the device's own.
    Tls,
    /// A Wi-Fi key, by MSCHAPv2.
    Peap,
    /// A Wi-Fi key, by PAP or MSCHAPv2.
    Ttls,
}

impl EapMethod {
    /// Each, in the order in which they are offered when the site file says nothing: what cannot be guessed or phished first.
    pub const ALL: [Self; 3] = [Self::Tls, Self::Peap, Self::Ttls];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Peap => "peap",
            Self::Ttls => "ttls",
        }
    }
}

/// One generation of the site file. References between the maps have been checked: each name leads somewhere.
#[derive(Clone, Debug)]
pub struct SiteModel {
    pub generation: u64,
    pub site: Site,
    /// What the space's Wi-Fi is called on the air, in the order of the file.
    pub ssids: Vec<Ssid>,
    /// What is offered to devices, the first one first; a method that is not here is never spoken. At least one, each once.
    pub eap_methods: Vec<EapMethod>,
    pub schedules: BTreeMap<values::ScheduleName, Schedule>,
    pub networks: BTreeMap<NetworkName, Network>,
    pub access_points: BTreeMap<AccessPointName, AccessPoint>,
    pub printers: BTreeMap<PrinterName, Printer>,
    pub doors: BTreeMap<DoorName, Door>,
    pub plans: BTreeMap<PlanName, Plan>,
}

impl SiteModel {
    /// The SSIDs that devices join in this way.
    pub fn ssids_by(&self, security: SsidSecurity) -> impl Iterator<Item = &str> {
        self.ssids.iter().filter(move |ssid| ssid.security == security).map(|ssid| ssid.name.as_str())
    }

    /// The access point behind the source address of a RADIUS packet over UDP.
    #[must_use]
    pub fn access_point_at(&self, address: IpAddr) -> Option<(&AccessPoint, &UdpClient)> {
        let over_udp = |point: &'_ AccessPoint| point.udp.as_ref().is_some_and(|udp| udp.address == address);
        let point = self.access_points.values().find(|point| over_udp(point))?;
        point.udp.as_ref().map(|udp| (point, udp))
    }

    /// The doors that a reader stands at.
    pub fn doors_of_reader<'a>(&'a self, reader: &'a DeviceName) -> impl Iterator<Item = &'a Door> {
        self.doors.values().filter(move |door| door.readers.contains(reader))
    }
}
