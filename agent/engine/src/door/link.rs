//! The connections: which are open, whose they are, and what a device is to the rest of the engine. One device has at most one
//! connection; a newer one with the same credential ends the older.

use super::Epoch;
use policy::site::Device;
use policy::{Reason, Snapshot};
use proto::mqtt::{Evidence, RefusedConnect, Rights, Session};
use std::collections::BTreeMap;
use std::net::IpAddr;
use values::{DeviceName, Mono, Timestamp};

/// 200 devices, and strangers who have not said who they are.
pub const LINKS_MAX: usize = 256;

/// One connection.
pub struct Link {
    pub session: Session,
    pub peer: IpAddr,
    /// None until CONNECT was accepted.
    pub known: Option<Known>,
}

/// A device that has proven who it is.
#[derive(Clone, Debug)]
pub struct Known {
    pub device: Device,
    pub since: Timestamp,
}

#[derive(Default)]
pub struct Links {
    links: BTreeMap<Epoch, Link>,
    by_device: BTreeMap<DeviceName, Epoch>,
}

impl Links {
    /// False when there are too many.
    pub fn open(&mut self, epoch: Epoch, peer: IpAddr, now: Mono) -> bool {
        if self.links.len() >= LINKS_MAX {
            return false;
        }
        self.links.insert(epoch, Link { session: Session::new(now), peer, known: None });
        true
    }

    pub fn at(&mut self, epoch: Epoch) -> Option<&mut Link> {
        self.links.get_mut(&epoch)
    }

    /// The live connection of a device.
    pub fn of(&mut self, device: &DeviceName) -> Option<(Epoch, &mut Link)> {
        let epoch = *self.by_device.get(device)?;
        self.links.get_mut(&epoch).map(|link| (epoch, link))
    }

    #[must_use]
    pub fn known(&self, device: &DeviceName) -> Option<&Known> {
        self.by_device.get(device).and_then(|epoch| self.links.get(epoch)).and_then(|link| link.known.as_ref())
    }

    /// Devices that are connected.
    pub fn connected(&self) -> impl Iterator<Item = &Known> {
        self.by_device.values().filter_map(|epoch| self.links.get(epoch)).filter_map(|link| link.known.as_ref())
    }

    /// Gives a connection its device; the one that the device had until now comes back.
    pub fn claim(&mut self, epoch: Epoch, known: Known) -> Option<Epoch> {
        let link = self.links.get_mut(&epoch)?;
        let name = known.device.name.clone();
        link.known = Some(known);
        self.by_device.insert(name, epoch).filter(|&older| older != epoch)
    }

    pub fn remove(&mut self, epoch: Epoch) -> Option<Link> {
        let link = self.links.remove(&epoch)?;
        if let Some(known) = &link.known
            && self.by_device.get(&known.device.name) == Some(&epoch)
        {
            self.by_device.remove(&known.device.name);
        }
        Some(link)
    }

    /// Connections with a session whose time is up.
    #[must_use]
    pub fn due(&self, now: Mono) -> Vec<Epoch> {
        let is_due = |link: &Link| link.session.poll_timeout().is_some_and(|due| due <= now);
        self.links.iter().filter(|(_, link)| is_due(link)).map(|(&epoch, _)| epoch).collect()
    }

    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.links.values().filter_map(|link| link.session.poll_timeout()).min()
    }

    /// Connections whose device was removed or changed: its credential is not what let it in.
    #[must_use]
    pub fn outdated(&self, snapshot: &Snapshot) -> Vec<Epoch> {
        let is_current =
            |known: &Known| snapshot.devices.get(&known.device.name).is_some_and(|now| **now == known.device);
        let outdated = |link: &Link| link.known.as_ref().is_some_and(|known| !is_current(known));
        self.links.iter().filter(|(_, link)| outdated(link)).map(|(&epoch, _)| epoch).collect()
    }
}

/// What a device may publish and hear.
#[must_use]
pub fn rights(device: &Device) -> Rights {
    match device.profile {
        policy::DeviceProfile::ShellyGen2 => Rights::shelly_gen2(device.name.as_str()),
        policy::DeviceProfile::Reader => Rights::reader(device.name.as_str()),
    }
}

/// Finds out who connects. The client id must be the device's name and so must the user name, so that nobody can end another's
/// connection; a will on a foreign topic would be a message sent from the grave.
///
/// # Errors
/// What the client is told and what is recorded.
pub fn identify<'a>(snapshot: &'a Snapshot, evidence: &Evidence) -> Result<&'a Device, (RefusedConnect, Reason)> {
    let refused = RefusedConnect::BadUserNameOrPassword;
    let (Some(user_name), Some(sha256)) = (&evidence.user_name, &evidence.password_sha256) else {
        return Err((refused, Reason::UnknownDeviceName));
    };
    let device = policy::door::device(snapshot, user_name, sha256).map_err(|reason| (refused, reason))?;
    if evidence.client_id != device.name.as_str() {
        let reason = Reason::DeviceNameMismatch { device: device.name.to_string() };
        return Err((RefusedConnect::IdentifierRejected, reason));
    }
    match &evidence.will_topic {
        Some(topic) if !rights(device).may_publish(topic) => {
            Err((RefusedConnect::NotAuthorized, Reason::TopicNotAllowed { device: device.name.to_string() }))
        }
        Some(_) | None => Ok(device),
    }
}
