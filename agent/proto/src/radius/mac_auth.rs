//! MAC authentication: an Access-Request without EAP by which an access point asks whether a device may join by its address. The
//! user name is the address, and the password, if there is one, is the address again or the shared secret: it proves nothing,
//! but anything else is somebody's login by PAP or CHAP, which this box does not take outside a tunnel. RFC 2865, 5.2, 5.3, 5.6
//! and 5.40; the spellings are those of hostapd, UniFi, Aruba, Cisco, MikroTik and Ruckus.

use super::access::CalledStation;
use super::{Authenticator, Packet, reveal_password, vendor};
use crate::radius::AttributeType;
use crate::wpa::SSID_MAX_BYTES;
use md5::{Digest, Md5};
use std::fmt;
use subtle::ConstantTimeEq;
use values::MacAddress;

/// Service-Type Call-Check: no password, only the address (RFC 2865, 5.6).
const CALL_CHECK: u32 = 10;
/// The same of somebody who wants to manage the access point or a switch, by whom it is asked at the same place: Administrative, NAS
/// Prompt, and both with a call back. An address that anybody can read from the air must not open that.
const MANAGEMENT: [u32; 4] = [6, 7, 9, 11];
/// The same of a login, which some access points send for devices too, and for people on their console without an address.
const LOGIN: u32 = 1;
/// NAS-Port-Type of a terminal session (RFC 2865, 5.41).
const VIRTUAL: u32 = 5;
/// WLAN-AKM-Suite of WPA3-Personal: SAE, SAE with fast roaming, and both with groups of their own strength (RFC 7268, 2.18).
const SAE_SUITES: [u32; 4] = [0x000F_AC08, 0x000F_AC09, 0x000F_AC18, 0x000F_AC19];

/// What an access point asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacAuth {
    pub mac: MacAddress,
    /// The network's name, where the access point says it.
    pub ssid: Option<String>,
    /// The device joins by WPA3-Personal.
    pub is_sae: bool,
}

/// Why a request without EAP is no MAC authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMacAuth {
    /// The user name is no address: a login by PAP, CHAP or MS-CHAP.
    OtherLogin,
    /// The user name is not the address of the device that the request is about.
    OtherDevice,
    /// The password is neither the address nor the shared secret.
    OtherPassword,
}

impl fmt::Display for NotMacAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherLogin => "a login with a name and a password outside a tunnel",
            Self::OtherDevice => "the user name is not the address in Calling-Station-Id",
            Self::OtherPassword => "the password is neither the device's address nor the shared secret",
        })
    }
}

impl std::error::Error for NotMacAuth {}

impl MacAuth {
    /// Reads a request without EAP. `has_handshake` says that the passphrase is proven by a handshake that it carries, so that it
    /// needs no password of its own.
    ///
    /// # Errors
    /// What it is instead.
    pub fn of(packet: &Packet<'_>, secret: &[u8], has_handshake: bool) -> Result<Self, NotMacAuth> {
        let name = packet.text(AttributeType::USER_NAME).ok_or(NotMacAuth::OtherLogin)?;
        let mac: MacAddress = name.parse().map_err(|_| NotMacAuth::OtherLogin)?;
        let calling = packet.text(AttributeType::CALLING_STATION_ID);
        if is_management(packet, calling.is_some()) {
            return Err(NotMacAuth::OtherLogin);
        }
        if calling.is_some_and(|calling| calling.parse() != Ok(mac)) {
            return Err(NotMacAuth::OtherDevice);
        }
        let password = packet.first(AttributeType::USER_PASSWORD);
        let chap = packet.first(AttributeType::CHAP_PASSWORD);
        let is_call_check = packet.integer(AttributeType::SERVICE_TYPE) == Some(CALL_CHECK);
        let is_good = match (password, chap) {
            (Some(hidden), None) => is_password(hidden, packet.authenticator(), name, mac, secret),
            (None, Some(response)) => is_chap(packet, response, name, mac, secret),
            (None, None) if is_call_check || has_handshake => true,
            (None, None) => return Err(NotMacAuth::OtherLogin),
            (Some(_), Some(_)) => false,
        };
        let suite = packet.integer(AttributeType::WLAN_AKM_SUITE);
        let is_sae = suite.is_some_and(|suite| SAE_SUITES.contains(&suite));
        if is_good { Ok(Self { mac, ssid: ssid(packet), is_sae }) } else { Err(NotMacAuth::OtherPassword) }
    }
}

/// Whether it is about a person at the access point's own door, and not about a device.
fn is_management(packet: &Packet<'_>, names_device: bool) -> bool {
    let service = packet.integer(AttributeType::SERVICE_TYPE);
    service.is_some_and(|service| MANAGEMENT.contains(&service))
        || (service == Some(LOGIN) && !names_device)
        || packet.integer(AttributeType::NAS_PORT_TYPE) == Some(VIRTUAL)
}

/// The network's name: in Called-Station-Id (RFC 3580, 3.20), else in a vendor's own attribute.
#[must_use]
pub fn ssid(packet: &Packet<'_>) -> Option<String> {
    let called = packet.text(AttributeType::CALLED_STATION_ID).map(CalledStation::of).and_then(|called| called.ssid);
    let octets = |vendor: u32, kind: u8| packet.vendor(vendor, kind).next();
    let pair = |key: &[u8]| packet.vendor(vendor::CISCO, vendor::CISCO_AV_PAIR).find_map(|pair| pair.strip_prefix(key));
    let named = called.map(str::as_bytes);
    let named = named.or_else(|| octets(vendor::RUCKUS, vendor::RUCKUS_SSID));
    let named = named.or_else(|| octets(vendor::ARUBA, vendor::ARUBA_ESSID_NAME));
    let named = named.or_else(|| pair(b"cisco-wlan-ssid=")).or_else(|| pair(b"ssid="));
    let named = named.filter(|name| (1..=SSID_MAX_BYTES).contains(&name.len()))?;
    std::str::from_utf8(named).ok().map(ToOwned::to_owned)
}

/// MikroTik sends an empty password unless it is told otherwise; everybody else the address, as in the user name or spelt anew.
fn is_password(hidden: &[u8], request: &Authenticator, name: &str, mac: MacAddress, secret: &[u8]) -> bool {
    let Some(password) = reveal_password(hidden, request, secret) else { return false };
    let password = password.expose();
    let is_address = std::str::from_utf8(password).is_ok_and(|text| text.parse() == Ok(mac));
    password.is_empty() || password == name.as_bytes() || is_address || bool::from(password.as_slice().ct_eq(secret))
}

/// CHAP of the same passwords (RFC 2865, 5.3): identifier and MD5(identifier, password, challenge).
fn is_chap(packet: &Packet<'_>, response: &[u8], name: &str, mac: MacAddress, secret: &[u8]) -> bool {
    let Some((identifier, given)) = response.split_first().filter(|(_, given)| given.len() == 16) else { return false };
    let challenge = packet.first(AttributeType::CHAP_CHALLENGE).unwrap_or(packet.authenticator());
    let fits = |password: &[u8]| {
        let sum = Md5::new().chain_update([*identifier]).chain_update(password).chain_update(challenge).finalize();
        bool::from(sum.as_slice().ct_eq(given))
    };
    fits(name.as_bytes()) || fits(secret) || spellings(mac).iter().any(|text| fits(text.as_bytes()))
}

/// An address in the spellings that access points have settings for.
fn spellings(mac: MacAddress) -> Vec<String> {
    let pairs: Vec<String> = mac.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let dotted = pairs.chunks(2).map(<[String]>::concat).collect::<Vec<_>>().join(".");
    let lower = [pairs.concat(), pairs.join(":"), pairs.join("-"), dotted];
    let upper: Vec<String> = lower.iter().map(|text| text.to_uppercase()).collect();
    lower.into_iter().chain(upper).collect()
}

#[cfg(test)]
mod tests;
