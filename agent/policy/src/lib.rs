//! What Doorpost decides, and nothing else: the [`Snapshot`] of all policy state, the [`Command`]s that change it, and the
//! pure functions that answer "may this person do this now?" with a verdict or a [`Reason`].
//!
//! This crate knows no protocol, socket, file, clock or random source.

pub mod access_point;
pub mod apply;
pub mod door;
pub mod intent;
pub mod people;
pub mod print;
pub mod reason;
pub mod record;
pub mod schedule;
pub mod session;
pub mod site;
pub mod snapshot;
pub mod wifi;

pub use apply::{Actor, Change, Command};
pub use intent::{IntentRow, IntentState};
pub use people::{Credential, CredentialKind, Member, MemberStatus, Pass, Team, Window};
pub use reason::Reason;
pub use record::{Noun, Outcome, Record};
pub use schedule::{Schedule, Slot};
pub use session::SessionRow;
pub use site::{
    AccessPoint, AccessPointProfile, Device, DeviceProfile, Door, DoorGrant, EapMethod, MessageAuthenticatorRule,
    Network, Plan, Printer, RadSecClient, Relay, Site, SiteModel, Ssid, SsidSecurity, UdpClient,
};
pub use snapshot::Snapshot;
