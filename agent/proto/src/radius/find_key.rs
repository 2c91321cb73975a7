//! The vendors' ways to ask "whose passphrase is this?": an Access-Request that carries the access point's nonce and the device's
//! answer to it, so that the right key can be found among many. Each has attributes of its own for the same five facts; what they
//! mean is in [`crate::wpa`].
//!
//! | dialect | asked by | nonce and frame in | SSID and BSSID in |
//! |---|---|---|---|
//! | hostapd | hostapd and OpenWrt from 2.11 on, `wpa_psk_radius=3` | Extended-Vendor-Specific-5 of FreeRADIUS | Called-Station-Id |
//! | Ruckus | external DPSK | Ruckus-DPSK-Params | Ruckus-SSID, Ruckus-BSSID |
//! | Meraki | Easy PSK | Meraki-IPSK | the same |
//! | Cisco | Easy PSK of Catalyst 9800 | Cisco-AVPair | the same |
//! | Eleven | access points that speak Eleven's protocol | Eleven-Authentication-Find-Key | the same |
//!
//! Aruba's lookup (Aruba-MPSK-Lookup-Info) is seen and named, but its layout is not published, so it is not read.

use super::access::CalledStation;
use super::{AttributeType, Packet, mac_auth, vendor};
use crate::wpa::{Handshake, KeyMessage, KeyMessageError, SSID_MAX_BYTES};
use std::fmt;
use values::MacAddress;

/// Who asks, and so how the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    Hostapd,
    Ruckus,
    Meraki,
    Cisco,
    Eleven,
}

/// A question that can be answered.
#[derive(Clone, Debug)]
pub struct FindKey {
    pub dialect: Dialect,
    pub ssid: String,
    radio: MacAddress,
    anonce: [u8; 32],
    message: KeyMessage,
}

/// Why a question cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKeyError {
    /// A fact is missing or has not its length.
    Incomplete,
    /// Aruba's lookup.
    ArubaLookup,
    Message(KeyMessageError),
}

impl fmt::Display for FindKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete => f.write_str("the handshake in the request is not complete"),
            Self::ArubaLookup => f.write_str("Aruba's key lookup, whose layout is not published"),
            Self::Message(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FindKeyError {}

/// The five facts as they were found.
#[derive(Default)]
struct Facts {
    anonce: Option<Vec<u8>>,
    eapol: Option<Vec<u8>>,
    ssid: Option<Vec<u8>>,
    radio: Option<Vec<u8>>,
}

impl FindKey {
    /// The question in a request; none when it asks something else.
    #[must_use]
    pub fn of(packet: &Packet<'_>) -> Option<Result<Self, FindKeyError>> {
        if let Some((dialect, facts)) = facts(packet) {
            return Some(Self::build(packet, dialect, facts));
        }
        let is_aruba = packet.vendor(vendor::ARUBA, vendor::ARUBA_MPSK_LOOKUP_INFO).next().is_some();
        is_aruba.then_some(Err(FindKeyError::ArubaLookup))
    }

    fn build(packet: &Packet<'_>, dialect: Dialect, facts: Facts) -> Result<Self, FindKeyError> {
        let incomplete = FindKeyError::Incomplete;
        let called = packet.text(AttributeType::CALLED_STATION_ID).map(CalledStation::of);
        let ssid = match facts.ssid.filter(|ssid| (1..=SSID_MAX_BYTES).contains(&ssid.len())) {
            Some(ssid) => String::from_utf8(ssid).map_err(|_| incomplete)?,
            None => mac_auth::ssid(packet).ok_or(incomplete)?,
        };
        let radio = facts.radio.as_deref().and_then(address).or(called.and_then(|called| called.radio));
        let anonce = facts.anonce.and_then(|anonce| anonce.try_into().ok()).ok_or(incomplete)?;
        let eapol = facts.eapol.ok_or(incomplete)?;
        let message = KeyMessage::decode(&eapol).map_err(FindKeyError::Message)?;
        Ok(Self { dialect, ssid, radio: radio.ok_or(incomplete)?, anonce, message })
    }

    /// The handshake of this device.
    #[must_use]
    pub fn handshake(self, device: MacAddress) -> Handshake {
        Handshake::new(self.radio, device, &self.anonce, self.message)
    }
}

fn facts(packet: &Packet<'_>) -> Option<(Dialect, Facts)> {
    let extended = |kind| packet.extended_vendor_5(vendor::FREERADIUS, kind);
    if let (anonce, Some(eapol)) = (extended(vendor::FREERADIUS_ANONCE), extended(vendor::FREERADIUS_EAPOL_KEY)) {
        return Some((Dialect::Hostapd, Facts { anonce, eapol: Some(eapol), ..Facts::default() }));
    }
    let whole = |id, kind| {
        let parts: Vec<&[u8]> = packet.vendor(id, kind).collect();
        (!parts.is_empty()).then(|| parts.concat())
    };
    if let Some(params) = whole(vendor::RUCKUS, vendor::RUCKUS_DPSK_PARAMS) {
        let [_, _, anonce, eapol, _] = fields(&params);
        let ssid = whole(vendor::RUCKUS, vendor::RUCKUS_SSID);
        return Some((
            Dialect::Ruckus,
            Facts { anonce, eapol, ssid, radio: whole(vendor::RUCKUS, vendor::RUCKUS_BSSID) },
        ));
    }
    if let Some(ipsk) = whole(vendor::MERAKI, vendor::MERAKI_IPSK) {
        let [anonce, eapol, radio, _, ssid] = fields(&ipsk);
        return Some((Dialect::Meraki, Facts { anonce, eapol, ssid, radio }));
    }
    if let Some(find_key) = whole(vendor::ELEVEN, vendor::ELEVEN_FIND_KEY) {
        let [eapol, anonce, ssid, radio, _] = fields(&find_key);
        return Some((Dialect::Eleven, Facts { anonce, eapol, ssid, radio }));
    }
    let pairs = || packet.vendor(vendor::CISCO, vendor::CISCO_AV_PAIR);
    let pair = |key: &[u8]| pairs().find_map(|pair| pair.strip_prefix(key)).map(<[u8]>::to_vec);
    let eapol = pair(b"cisco-8021x-data=")?;
    let facts = Facts {
        anonce: pair(b"cisco-anonce="),
        eapol: Some(eapol),
        ssid: pair(b"cisco-wlan-ssid="),
        radio: pair(b"cisco-bssid="),
    };
    Some((Dialect::Cisco, facts))
}

/// The first field of each type from 1 to 5: type, length of all three parts, value (RFC 2865, 5.26, once more).
fn fields(mut rest: &[u8]) -> [Option<Vec<u8>>; 5] {
    let mut found = [const { None }; 5];
    while let [kind, length, tail @ ..] = rest {
        let Some((value, next)) = usize::from(*length).checked_sub(2).and_then(|length| tail.split_at_checked(length))
        else {
            break;
        };
        if let Some(place) = usize::from(*kind).checked_sub(1).and_then(|n| found.get_mut(n)) {
            place.get_or_insert_with(|| value.to_vec());
        }
        rest = next;
    }
    found
}

/// Six octets, or text.
fn address(value: &[u8]) -> Option<MacAddress> {
    match <[u8; 6]>::try_from(value) {
        Ok(octets) => Some(MacAddress(octets)),
        Err(_) => std::str::from_utf8(value).ok()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests;
