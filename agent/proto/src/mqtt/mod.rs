//! MQTT 3.1.1 (OASIS standard, 29 October 2014) as the door gate speaks it: the server's end of one connection.
//!
//! | file | owns |
//! |---|---|
//! | `topic` | topic names, filters, which filter covers which |
//! | `rights` | what a device may publish and subscribe to, by profile |
//! | `packet` | bytes <-> packets, on the codec of mqtt-protocol-core, with the checks of the standard that it leaves out |
//! | `session` | one connection from CONNECT to its end |
//!
//! The gate is not a broker: a message from a device goes to the engine, a message to a device comes from the engine, and
//! nothing is ever stored, queued or retained for a device that is not there. Who a device is, this module only asks.

pub mod packet;
pub mod rights;
pub mod session;
pub mod topic;

pub use rights::Rights;
pub use session::{Ending, Event, Evidence, Message, Refusal, RefusedConnect, Session};
pub use topic::{Filter, Topic};

/// The largest packet, fixed header included. The longest that a Shelly sends is its whole status, about 2 KiB.
pub const PACKET_MAX_BYTES: usize = 8 * 1024;
/// Packets a second that a device may send in the long run: doors and readers send a few a minute.
pub const PACKETS_PER_SECOND_MAX: u32 = 20;
/// Packets that may come at once: what a relay says right after it has connected, twice over.
pub const PACKETS_BURST_MAX: u32 = 40;
/// Subscriptions of one device; a Shelly makes four.
pub const SUBSCRIPTIONS_MAX: usize = 16;
/// Messages with QoS 2 whose release is awaited.
pub const INFLIGHT_MAX: usize = 16;
/// From the opened connection to CONNECT; the TLS handshake has a limit of its own.
pub const CONNECT_LIMIT_MS: u64 = 5_000;
