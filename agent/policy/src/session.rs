//! One stay of one device on the Wi-Fi, as accounting tells it (RFC 2866). Decides nothing: the engine keeps these rows, the
//! store writes them down before the access point gets its Accounting-Response.
//!
//! ```text
//! Start --> open --Interim-Update*--> open --Stop | Accounting-Off | lost--> ended
//! ```

use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use values::{AccessPointName, CredentialId, MacAddress, MemberId, NetworkName, Pii, SessionId, Timestamp};

/// What is known of a session. Each write says everything, so writing the same row twice changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    pub id: SessionId,
    pub access_point: AccessPointName,
    /// The NAS, by the name or address that it gives itself, since several may stand behind one access point of the site file (a
    /// proxy, a controller); empty where it gives none.
    pub nas: String,
    /// The NAS's own name for it; unique only there and only while the NAS runs.
    pub acct_session_id: String,
    /// None for a session that an access point reports and nobody here was admitted for.
    pub member: Option<MemberId>,
    pub credential: Option<CredentialId>,
    pub username: Pii<String>,
    /// Calling-Station-Id, where it can be read as an address.
    pub mac: Option<MacAddress>,
    /// Framed-IP-Address or Framed-IPv6-Address; arrives late or never.
    pub ip: Option<Pii<IpAddr>>,
    pub network: Option<NetworkName>,
    pub vlan: Option<u16>,
    pub started_at: Timestamp,
    /// The last packet about it.
    pub seen_at: Timestamp,
    /// None while it is open.
    pub ended_at: Option<Timestamp>,
    /// From the device: Acct-Input-Octets with Acct-Input-Gigawords.
    pub rx_bytes: u64,
    /// To the device: Acct-Output-Octets with Acct-Output-Gigawords.
    pub tx_bytes: u64,
    /// Acct-Terminate-Cause by its RFC 2866 name in lower case (`user-request`), or our own word for an end that nobody told.
    pub end_cause: Option<String>,
}
