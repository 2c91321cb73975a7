//! What an Access-Request says, by meaning (RFC 2865; RFC 3579; RFC 3580 for the spelling of stations).

use super::{AttributeType, Nas, Packet};
use std::net::IpAddr;
use values::MacAddress;

/// An Access-Request as the Wi-Fi reads it. It is genuine only after [`Packet::verify_access_request`].
#[derive(Clone, Debug)]
pub struct AccessRequest<'a> {
    /// The EAP packet of the device; none asks for a login without EAP, which this box does not give.
    pub eap: Option<Vec<u8>>,
    /// What the last Access-Challenge of this conversation gave the access point to return.
    pub state: Option<&'a [u8]>,
    /// The outer identity: whatever the device chose to say. Nothing is decided by it.
    pub user_name: Option<&'a str>,
    /// The device.
    pub mac: Option<MacAddress>,
    pub called: Option<CalledStation<'a>>,
    pub framed_mtu: Option<u16>,
    pub nas: Nas<'a>,
    /// Sent by some access points with the first request already (RFC 2866, 5.5).
    pub acct_session_id: Option<&'a [u8]>,
}

/// Called-Station-Id: the radio's address and, after a colon, the network's name (RFC 3580, 3.20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalledStation<'a> {
    pub radio: Option<MacAddress>,
    pub ssid: Option<&'a str>,
}

impl<'a> AccessRequest<'a> {
    #[must_use]
    pub fn of(packet: &Packet<'a>) -> Self {
        Self {
            eap: packet.eap_message(),
            state: packet.first(AttributeType::STATE),
            user_name: packet.text(AttributeType::USER_NAME),
            mac: packet.text(AttributeType::CALLING_STATION_ID).and_then(|text| text.parse().ok()),
            called: packet.text(AttributeType::CALLED_STATION_ID).map(CalledStation::of),
            framed_mtu: packet.integer(AttributeType::FRAMED_MTU).and_then(|mtu| u16::try_from(mtu).ok()),
            nas: Nas::of(packet),
            acct_session_id: packet.first(AttributeType::ACCT_SESSION_ID),
        }
    }
}

impl<'a> CalledStation<'a> {
    /// A MAC address in the 17 characters of the RFC or in 12 digits, then perhaps a colon and the network's name.
    pub(super) fn of(text: &'a str) -> Self {
        for length in [17, 12] {
            let Some((head, tail)) = text.split_at_checked(length) else { continue };
            if let Ok(radio) = head.parse() {
                return Self { radio: Some(radio), ssid: tail.strip_prefix(':') };
            }
        }
        Self { radio: None, ssid: None }
    }
}

/// Framed-IP-Address of the device, if the access point tells it.
#[must_use]
pub fn framed_ip_address(packet: &Packet<'_>) -> Option<IpAddr> {
    packet.first(AttributeType::FRAMED_IP_ADDRESS).and_then(|value| <[u8; 4]>::try_from(value).ok()).map(IpAddr::from)
}
