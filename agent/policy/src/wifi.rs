//! Who may join the Wi-Fi, on which network and for how long.
//!
//! [`identify`] finds the key behind a user name, the EAP machine has it proven, [`admit`] decides: at the login, again on
//! the newest snapshot before the access point is told, and for every live session whenever the snapshot changes.

mod change;
pub mod device;
mod vlan;

pub use change::{Consequence, Terms, consequence};
pub use vlan::{TEST_MAX_MINUTES, TestState, VlanState, VlanTest, vlan_state};

use crate::people::{Credential, CredentialKind, Grant, Member, grants, standing};
use crate::reason::Reason;
use crate::schedule::spoken;
use crate::site::Network;
use crate::snapshot::Snapshot;
use std::time::Duration;
use values::{
    CredentialId, MacAddress, MemberId, NetworkName, Now, PassId, PlanName, ScheduleName, Secret, Timestamp, Wall,
};

/// What a plan includes of the Wi-Fi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WifiPlan {
    pub network: NetworkName,
    /// Devices online at the same time.
    pub device_limit: u16,
    /// None is always.
    pub hours: Option<ScheduleName>,
    pub rates: Rates,
    /// A device that sends nothing for this long is logged out; none leaves it to the access point.
    pub idle_timeout_minutes: Option<u16>,
}

/// How fast one device may be, as the access point limits it; none is as fast as it can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// To the device.
    pub down_mbit: Option<u16>,
    /// From the device.
    pub up_mbit: Option<u16>,
}

/// How long before the end of its hours or its pass a session is warned.
pub const WARNING_MINUTES: u64 = 15;

/// How long a running session goes on after its hours or its pass are over: time to save one's work and pay for more.
const GRACE_MINUTES: u64 = 15;
/// The longest Session-Timeout. A Disconnect-Request that an access point did not take is made good by it, so it bounds how
/// long a revoked person can stay; a working half-day costs one unnoticed login.
const SESSION_MAX: Duration = Duration::from_secs(4 * 3_600);
/// The same while the clock is only a floor, since an end that lies ahead may have passed already.
const SESSION_MAX_UNSYNCED: Duration = Duration::from_secs(3_600);

/// The live facts that a decision needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct WifiFacts<'a> {
    /// The member's devices that are online or being let in, in any order, each perhaps more than once.
    pub live: &'a [MacAddress],
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct WifiQuestion {
    pub credential: CredentialId,
    /// The device; none when the access point does not say.
    pub mac: Option<MacAddress>,
    pub stage: Stage,
}

/// Whether somebody comes or stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A login.
    Joining,
    /// A session that was admitted before: it has the grace at the end, and its place among the devices.
    Running,
}

/// A yes, with its terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub member: MemberId,
    pub credential: CredentialId,
    pub plan: PlanName,
    /// The pass whose plan it is, if not the member's own.
    pub pass: Option<PassId>,
    pub network: NetworkName,
    /// None is flat mode.
    pub vlan: Option<u16>,
    /// What the VLAN is called by access points that know it by name.
    pub vlan_name: Option<String>,
    /// The network's VLAN that is not used, because no device has passed its test yet.
    pub vlan_withheld: Option<u16>,
    pub rates: Rates,
    pub idle_timeout_seconds: Option<u32>,
    /// When the hours, the pass or the membership end, without the grace.
    pub closes_at: Option<Timestamp>,
    /// When the hours (with their grace), the pass or the membership end; none when nothing ends within the fortnight that
    /// schedules look ahead.
    pub ends_at: Option<Timestamp>,
    /// When the terms must be looked at again: at their end, or at the end of the test of a VLAN that they are part of.
    pub review_at: Option<Timestamp>,
    /// For the access point; at least 1.
    pub session_timeout_seconds: u32,
}

/// The key behind a user name. Revoked keys too: who proves one is told that it was revoked.
#[must_use]
pub fn identify<'a>(snapshot: &'a Snapshot, username: &str) -> Option<(&'a Credential, &'a Secret<[u8; 16]>)> {
    let credential = snapshot.wifi_key(username)?;
    match &credential.kind {
        CredentialKind::WifiKey { nt_hash, .. } => Some((credential, nt_hash)),
        CredentialKind::Badge { .. }
        | CredentialKind::PrintToken { .. }
        | CredentialKind::DeviceCertificate { .. }
        | CredentialKind::WifiPassphrase { .. }
        | CredentialKind::RegisteredDevice { .. } => None,
    }
}

/// The credential that a session was let in by, from the user name that access points repeat: the name of a Wi-Fi key, or the id
/// of what has no name; or from the address of a device without 802.1X, where the access point keeps to its own name for it.
#[must_use]
pub fn credential_of_session<'a>(snapshot: &'a Snapshot, username: &str) -> Option<&'a Credential> {
    let by_id = username.parse::<CredentialId>().ok().and_then(|id| snapshot.credentials.get(&id));
    let by_address = || device::of_address(snapshot, username.parse().ok()?);
    by_id.map(AsRef::as_ref).or_else(|| snapshot.wifi_key(username)).or_else(by_address)
}

/// Decides about a device whose user has proven a Wi-Fi key. Of several plans (the member's own, running passes) the first
/// that allows wins.
///
/// # Errors
/// What the member or the operator must be told.
pub fn admit(
    snapshot: &Snapshot,
    facts: &WifiFacts<'_>,
    question: &WifiQuestion,
    now: Now,
) -> Result<Admission, Reason> {
    let credential = snapshot.credentials.get(&question.credential).ok_or(Reason::UnknownCredential)?;
    if let Some(since) = credential.revoked_at {
        return Err(Reason::CredentialRevoked { since: spoken(&snapshot.site.site, since) });
    }
    device::check_device(credential, question.mac)?;
    let expires_at = expiry(credential);
    if let Some(since) = expires_at.filter(|end| *end <= now.stamp()) {
        return Err(Reason::CertificateExpired { since: spoken(&snapshot.site.site, since) });
    }
    let member = standing(snapshot, credential.member, now)?;
    let mut refusal = Reason::UnknownPlan { plan: member.plan.to_string() };
    for minutes in 0..=grace_minutes(question, facts) {
        let then = earlier(now, minutes);
        for grant in grants(snapshot, member, then) {
            match admit_by(snapshot, member, &grant, facts, question, then) {
                Ok(terms) => return Ok(terms.until(expires_at).admission(credential.id, member, &grant, now)),
                // What the member's own plan says is what she expects to hear, and hours say more than "not included".
                Err(reason) if minutes == 0 && matters_more(&reason, &refusal) => refusal = reason,
                Err(_) => {}
            }
        }
    }
    Err(with_opening(snapshot, refusal, now))
}

/// Whether the member could bring one more device online now, and why not: for `doorpost why` and the member's own page.
///
/// # Errors
/// What the member or the operator must be told.
pub fn would_admit(
    snapshot: &Snapshot,
    facts: &WifiFacts<'_>,
    member: MemberId,
    now: Now,
) -> Result<Admission, Reason> {
    standing(snapshot, member, now)?;
    let is_wifi_key = |credential: &&Credential| match credential.kind {
        CredentialKind::WifiKey { .. }
        | CredentialKind::DeviceCertificate { .. }
        | CredentialKind::WifiPassphrase { .. }
        | CredentialKind::RegisteredDevice { .. } => true,
        CredentialKind::Badge { .. } | CredentialKind::PrintToken { .. } => false,
    };
    let keys = snapshot.credentials_of(member).filter(is_wifi_key);
    let is_over = |key: &&Credential| expiry(key).is_some_and(|end| end <= now.stamp());
    let best = |key: &&Credential| (key.revoked_at.is_none(), !is_over(key), key.issued_at);
    let key = keys.max_by_key(best).ok_or(Reason::NoWifiKey)?;
    admit(snapshot, facts, &WifiQuestion { credential: key.id, mac: None, stage: Stage::Joining }, now)
}

/// What one plan gives.
struct Given<'a> {
    wifi: &'a WifiPlan,
    network: &'a Network,
    vlan: VlanState,
    closes_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
}

fn admit_by<'a>(
    snapshot: &'a Snapshot,
    member: &Member,
    grant: &Grant<'a>,
    facts: &WifiFacts<'_>,
    question: &WifiQuestion,
    now: Now,
) -> Result<Given<'a>, Reason> {
    let Some(wifi) = &grant.plan.wifi else {
        return Err(Reason::NoWifiInPlan { plan: grant.plan.name.to_string() });
    };
    let closes_at = match &wifi.hours {
        Some(hours) => within_hours(snapshot, hours, now)?,
        None => None,
    };
    if question.stage == Stage::Joining {
        check_device_limit(wifi.device_limit, facts, question.mac)?;
    }
    let network = vlan::network_under_test(snapshot, member.id, now)
        .or_else(|| team_network(snapshot, member))
        .or_else(|| snapshot.site.networks.get(&wifi.network));
    let network = network.ok_or_else(|| Reason::UnknownNetwork { network: wifi.network.to_string() })?;
    let pass_ends_at = grant.pass.map(|pass| pass.until);
    let soft = [closes_at, pass_ends_at].into_iter().flatten().min();
    let until = member.valid.until;
    Ok(Given {
        wifi,
        network,
        vlan: vlan_state(snapshot, network, now),
        closes_at: [soft, until].into_iter().flatten().min(),
        ends_at: [soft.map(|end| end + grace()), until].into_iter().flatten().min(),
    })
}

/// When a credential ends by itself.
const fn expiry(credential: &Credential) -> Option<Timestamp> {
    match credential.kind {
        CredentialKind::DeviceCertificate { expires_at, .. } => Some(expires_at),
        CredentialKind::WifiKey { .. }
        | CredentialKind::WifiPassphrase { .. }
        | CredentialKind::RegisteredDevice { .. }
        | CredentialKind::Badge { .. }
        | CredentialKind::PrintToken { .. } => None,
    }
}

impl Given<'_> {
    /// The same, but not beyond this moment; it has no grace.
    fn until(self, end: Option<Timestamp>) -> Self {
        let sooner = |other: Option<Timestamp>| [other, end].into_iter().flatten().min();
        Self { closes_at: sooner(self.closes_at), ends_at: sooner(self.ends_at), ..self }
    }

    fn admission(self, credential: CredentialId, member: &Member, grant: &Grant<'_>, now: Now) -> Admission {
        let (vlan, vlan_withheld, test_until) = self.vlan.for_member(member.id);
        let review_at = [self.ends_at, test_until].into_iter().flatten().min();
        Admission {
            member: member.id,
            credential,
            plan: grant.plan.name.clone(),
            pass: grant.pass.map(|pass| pass.id),
            network: self.network.name.clone(),
            vlan,
            vlan_name: vlan.and(self.network.vlan_name.clone()),
            vlan_withheld,
            rates: self.wifi.rates,
            idle_timeout_seconds: self.wifi.idle_timeout_minutes.map(|minutes| u32::from(minutes) * 60),
            closes_at: self.closes_at,
            ends_at: self.ends_at,
            review_at,
            session_timeout_seconds: session_seconds(review_at, now),
        }
    }
}

/// Session-Timeout for a session with this end; at least 1.
#[must_use]
pub fn session_seconds(ends_at: Option<Timestamp>, now: Now) -> u32 {
    let longest = if now.is_trusted() { SESSION_MAX } else { SESSION_MAX_UNSYNCED }.as_secs();
    let left = |end: Timestamp| u64::try_from(end.0.saturating_sub(now.stamp().0)).unwrap_or(0).div_ceil(1_000);
    let seconds = ends_at.map_or(longest, |end| left(end).clamp(1, longest));
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// When the hours end, if they run now and end within a fortnight.
fn within_hours(snapshot: &Snapshot, hours: &ScheduleName, now: Now) -> Result<Option<Timestamp>, Reason> {
    let site = &snapshot.site.site;
    let closed = || Reason::OutsideHours { schedule: hours.to_string(), opens: None };
    let schedule = snapshot.site.schedules.get(hours).ok_or_else(closed)?;
    match now.wall {
        Wall::Unsynced(_) => Err(Reason::ClockUntrusted),
        Wall::Trusted(at) if schedule.is_open(site, at) => Ok(schedule.closes_at(site, at)),
        Wall::Trusted(_) => Err(closed()),
    }
}

/// The same, with when the hours begin again. That takes a look through a fortnight, so it is done for what is told and not for
/// each moment of the grace.
fn with_opening(snapshot: &Snapshot, reason: Reason, now: Now) -> Reason {
    match (reason, now.wall) {
        (Reason::OutsideHours { schedule, opens: None }, Wall::Trusted(at)) => {
            let site = &snapshot.site.site;
            let hours = schedule.parse::<ScheduleName>().ok().and_then(|name| snapshot.site.schedules.get(&name));
            let opens = hours.and_then(|hours| hours.opens_at(site, at)).map(|opens| spoken(site, opens));
            Reason::OutsideHours { schedule, opens }
        }
        (reason, _) => reason,
    }
}

/// A device that is online already does not count against itself.
fn check_device_limit(limit: u16, facts: &WifiFacts<'_>, mac: Option<MacAddress>) -> Result<(), Reason> {
    let mut others: Vec<MacAddress> = facts.live.iter().copied().filter(|&live| Some(live) != mac).collect();
    others.sort_unstable();
    others.dedup();
    let live = u16::try_from(others.len()).unwrap_or(u16::MAX);
    if live < limit { Ok(()) } else { Err(Reason::DeviceLimit { limit, live }) }
}

fn team_network<'a>(snapshot: &'a Snapshot, member: &Member) -> Option<&'a Network> {
    let team = snapshot.teams.get(&member.team?)?;
    snapshot.site.networks.values().find(|network| network.team.as_deref() == Some(&team.name))
}

const fn grace() -> Duration {
    Duration::from_secs(60 * GRACE_MINUTES)
}

/// How far back a yes still counts: for a running session, and for its device when it only roams.
fn grace_minutes(question: &WifiQuestion, facts: &WifiFacts<'_>) -> u64 {
    let roams = question.mac.is_some_and(|mac| facts.live.contains(&mac));
    if question.stage == Stage::Running || roams { GRACE_MINUTES } else { 0 }
}

fn earlier(now: Now, minutes: u64) -> Now {
    let by = Duration::from_secs(60 * minutes);
    let wall = match now.wall {
        Wall::Trusted(at) => Wall::Trusted(at - by),
        Wall::Unsynced(at) => Wall::Unsynced(at - by),
    };
    Now { wall, ..now }
}

fn matters_more(new: &Reason, old: &Reason) -> bool {
    let vague = |reason: &Reason| matches!(reason, Reason::UnknownPlan { .. } | Reason::NoWifiInPlan { .. });
    matches!(old, Reason::UnknownPlan { .. }) || (vague(old) && !vague(new))
}

#[cfg(test)]
mod tests;
