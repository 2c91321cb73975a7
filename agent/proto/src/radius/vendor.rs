//! The numbers of the vendors' attributes by which access points ask for a passphrase and are given it. Private Enterprise Numbers
//! are IANA's; the attributes are those of the vendors' documents, as FreeRADIUS's dictionaries have them.

pub const CISCO: u32 = 9;
/// Text `key=value`; Catalyst puts raw octets behind some keys.
pub const CISCO_AV_PAIR: u8 = 1;

/// FreeRADIUS, within Extended-Vendor-Specific-5 (RFC 6929): hostapd from 2.11 on with `wpa_psk_radius=3`.
pub const FREERADIUS: u32 = 11_344;
pub const FREERADIUS_ANONCE: u8 = 1;
pub const FREERADIUS_EAPOL_KEY: u8 = 2;

pub const ARUBA: u32 = 14_823;
pub const ARUBA_ESSID_NAME: u8 = 5;
/// Salted like Tunnel-Password, without its tag.
pub const ARUBA_MPSK_PASSPHRASE: u8 = 44;
/// A handshake in a layout that Aruba does not publish.
pub const ARUBA_MPSK_LOOKUP_INFO: u8 = 66;

pub const MIKROTIK: u32 = 14_988;
pub const MIKROTIK_WIRELESS_PSK: u8 = 16;

pub const RUCKUS: u32 = 25_053;
pub const RUCKUS_SSID: u8 = 3;
pub const RUCKUS_BSSID: u8 = 14;
/// A zero and the key in clear.
pub const RUCKUS_DPSK: u8 = 142;
/// 1 key management, 2 cipher, 3 ANonce, 4 EAPOL-Key frame.
pub const RUCKUS_DPSK_PARAMS: u8 = 153;

pub const MERAKI: u32 = 29_671;
/// 1 ANonce, 2 EAPOL-Key frame, 3 BSSID, 4 the access point's own address, 5 SSID.
pub const MERAKI_IPSK: u8 = 5;

pub const ELEVEN: u32 = 52_970;
/// 1 EAPOL-Key frame, 2 ANonce, 3 SSID, 4 BSSID, 5 device.
pub const ELEVEN_FIND_KEY: u8 = 3;
