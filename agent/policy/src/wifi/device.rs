//! Devices that cannot do 802.1X: which credential an address stands for, and whose passphrases may be the one that was typed.
//!
//! An address proves nothing, anybody can take it. So on its own it opens only what was registered for it; where a passphrase was
//! issued, the address merely says which one the access point has to check, and only on an SSID that the site file gives to
//! passphrases, where it does check.

use crate::people::{Credential, CredentialKind};
use crate::reason::Reason;
use crate::site::SsidSecurity;
use crate::snapshot::Snapshot;
use values::{CredentialId, MacAddress, Secret};

/// A device that an access point knows by its address only.
#[derive(Clone, Copy, Debug)]
pub struct AddressQuestion<'a> {
    pub mac: MacAddress,
    /// The network that it wants to join, where the access point says so.
    pub ssid: Option<&'a str>,
    /// It joins by WPA3-Personal.
    pub is_sae: bool,
    /// The passphrase that this device was last seen to use.
    pub learned: Option<CredentialId>,
}

/// The credential that an address stands for. Revoked ones too: whoever has one is told that it was revoked.
///
/// # Errors
/// What the member or the operator must be told.
pub fn identify_address<'a>(snapshot: &'a Snapshot, question: &AddressQuestion<'_>) -> Result<&'a Credential, Reason> {
    let live = |credential: &&Credential| credential.revoked_at.is_none();
    let bound = snapshot.passphrase_of_device(question.mac);
    let registered = snapshot.registered_device(question.mac);
    let Some(ssid) = question.ssid else {
        // Whether a passphrase will be asked for is not known, so it must not be what lets the device in.
        return match (registered, bound) {
            (Some(registered), _) => Ok(registered),
            (None, Some(_)) => Err(Reason::NetworkNotNamed),
            (None, None) => Err(Reason::DeviceNotRegistered),
        };
    };
    if !takes_passphrases(snapshot, ssid) {
        return match (registered, bound) {
            // Some access points let a device in by its address where 802.1X has failed.
            (Some(_), _) if takes_logins(snapshot, ssid) => Err(Reason::NetworkNeedsLogin { ssid: ssid.to_owned() }),
            (Some(registered), _) => Ok(registered),
            (None, Some(_)) => Err(Reason::NotAPassphraseNetwork { ssid: ssid.to_owned() }),
            (None, None) => Err(Reason::DeviceNotRegistered),
        };
    }
    let learned = question.learned.and_then(|id| snapshot.credentials.get(&id)).map(AsRef::as_ref);
    let learned = learned.filter(|credential| may_be_used_by(credential, question.mac));
    let found = [bound, learned, registered].into_iter().flatten();
    match found.clone().find(live).or_else(|| found.clone().next()) {
        Some(credential) => Ok(credential),
        None if question.is_sae => Err(Reason::PassphraseNeedsAddress),
        None => Err(Reason::NoPassphraseForDevice),
    }
}

/// What was issued for an address, a live one first: for a session that runs, whose network nobody names any more.
pub(super) fn of_address(snapshot: &Snapshot, mac: MacAddress) -> Option<&Credential> {
    let found = [snapshot.passphrase_of_device(mac), snapshot.registered_device(mac)].into_iter().flatten();
    found.min_by_key(|credential| credential.revoked_at.is_some())
}

/// Whether the site file gives this SSID to passphrases.
#[must_use]
pub fn takes_passphrases(snapshot: &Snapshot, ssid: &str) -> bool {
    snapshot.site.ssids_by(SsidSecurity::Passphrase).any(|name| name == ssid)
}

/// Whether the site file gives it to 802.1X.
fn takes_logins(snapshot: &Snapshot, ssid: &str) -> bool {
    snapshot.site.ssids_by(SsidSecurity::Enterprise).any(|name| name == ssid)
}

/// A passphrase that a device may have typed.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub credential: CredentialId,
    pub pmk: Secret<[u8; 32]>,
}

/// All passphrases that may have been typed on an SSID, the likeliest first: those of nobody's device in particular, then those of
/// other devices, then revoked ones, since whoever types one of these is told what is wrong with it.
#[must_use]
pub fn candidates(snapshot: &Snapshot, ssid: &str) -> Vec<Candidate> {
    let mut found: Vec<(u8, Candidate)> = snapshot
        .credentials
        .values()
        .filter_map(|credential| match &credential.kind {
            CredentialKind::WifiPassphrase { mac, pmks, .. } => {
                let order = match (credential.revoked_at, mac) {
                    (None, None) => 0,
                    (None, Some(_)) => 1,
                    (Some(_), _) => 2,
                };
                let pmk = pmks.get(ssid)?.clone();
                Some((order, Candidate { credential: credential.id, pmk }))
            }
            CredentialKind::WifiKey { .. }
            | CredentialKind::Badge { .. }
            | CredentialKind::PrintToken { .. }
            | CredentialKind::DeviceCertificate { .. }
            | CredentialKind::RegisteredDevice { .. } => None,
        })
        .collect();
    found.sort_by_key(|(order, _)| *order);
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

/// A passphrase as access points are given it.
#[derive(Clone, Copy, Debug)]
pub struct Passphrase<'a> {
    pub text: &'a Secret<String>,
    /// What it becomes on the SSID; none until that was worked out.
    pub pmk: Option<&'a Secret<[u8; 32]>>,
}

/// The passphrase that a credential is, on an SSID.
#[must_use]
pub fn passphrase_for<'a>(snapshot: &'a Snapshot, credential: CredentialId, ssid: &str) -> Option<Passphrase<'a>> {
    match &snapshot.credentials.get(&credential)?.kind {
        CredentialKind::WifiPassphrase { passphrase, pmks, .. } => {
            Some(Passphrase { text: passphrase, pmk: pmks.get(ssid) })
        }
        CredentialKind::WifiKey { .. }
        | CredentialKind::Badge { .. }
        | CredentialKind::PrintToken { .. }
        | CredentialKind::DeviceCertificate { .. }
        | CredentialKind::RegisteredDevice { .. } => None,
    }
}

/// A credential for which keys are still to be worked out, and on which SSIDs.
#[derive(Clone, Debug)]
pub struct Unprepared {
    pub credential: CredentialId,
    pub passphrase: Secret<String>,
    pub ssids: Vec<String>,
}

/// The live passphrases that lack a key on an SSID of the site file: it was added after they were issued.
#[must_use]
pub fn unprepared(snapshot: &Snapshot) -> Vec<Unprepared> {
    let ssids: Vec<&str> = snapshot.site.ssids_by(SsidSecurity::Passphrase).collect();
    let lacking = |credential: &Credential| match &credential.kind {
        CredentialKind::WifiPassphrase { passphrase, pmks, .. } if credential.revoked_at.is_none() => {
            let missing = ssids.iter().filter(|ssid| !pmks.contains_key(**ssid));
            let ssids: Vec<String> = missing.map(|ssid| (*ssid).to_owned()).collect();
            let passphrase = passphrase.clone();
            (!ssids.is_empty()).then_some(Unprepared { credential: credential.id, passphrase, ssids })
        }
        CredentialKind::WifiPassphrase { .. }
        | CredentialKind::WifiKey { .. }
        | CredentialKind::Badge { .. }
        | CredentialKind::PrintToken { .. }
        | CredentialKind::DeviceCertificate { .. }
        | CredentialKind::RegisteredDevice { .. } => None,
    };
    snapshot.credentials.values().filter_map(|credential| lacking(credential)).collect()
}

/// Whether a credential is, or may be, of the device with this address.
fn may_be_used_by(credential: &Credential, device: MacAddress) -> bool {
    match credential.kind {
        CredentialKind::WifiPassphrase { mac: Some(mac), .. } | CredentialKind::RegisteredDevice { mac } => {
            mac == device
        }
        CredentialKind::WifiPassphrase { mac: None, .. }
        | CredentialKind::WifiKey { .. }
        | CredentialKind::Badge { .. }
        | CredentialKind::PrintToken { .. }
        | CredentialKind::DeviceCertificate { .. } => true,
    }
}

/// Refuses a credential that belongs to another device than the one that shows it.
pub(super) fn check_device(credential: &Credential, mac: Option<MacAddress>) -> Result<(), Reason> {
    match mac {
        Some(mac) if !may_be_used_by(credential, mac) => Err(Reason::PassphraseOfOtherDevice),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
