//! Members, teams, passes and what they carry: keys, badges, tokens.

use crate::reason::Reason;
use crate::schedule::spoken;
use crate::site::Plan;
use crate::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use values::{
    CredentialId, MacAddress, MemberId, Now, PartnerName, PassId, Pii, PlanName, Secret, TeamId, Timestamp, Wall,
};

/// A person with a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub id: MemberId,
    /// Counts changes of this object, for `If-Match`.
    pub revision: u64,
    pub name: Pii<String>,
    pub email: Pii<String>,
    pub plan: PlanName,
    pub team: Option<TeamId>,
    pub status: MemberStatus,
    pub valid: Window,
    /// The partner space of a visiting member.
    pub home_site: Option<PartnerName>,
    /// Whether others may see that this member is here.
    pub shows_presence: bool,
    pub added_at: Timestamp,
}

/// Where a membership stands. `Ended` is for good; `Suspended` can be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum MemberStatus {
    Active,
    Suspended { since: Timestamp },
    Ended { at: Timestamp },
}

/// A stretch of time, open at either end. `from` is inclusive, `until` exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// Where a moment lies in a [`Window`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    NotBegun {
        begins: Timestamp,
    },
    /// The clock is only a floor and lies before the beginning: it may have begun or not.
    Unknown,
    Running,
    Over {
        since: Timestamp,
    },
}

impl Window {
    /// An untrusted clock is a floor: what it says has begun or ended has, what it says has not begun stays closed.
    #[must_use]
    pub fn phase(&self, now: Now) -> Phase {
        let at = now.stamp();
        match (self.from, self.until) {
            (_, Some(until)) if until <= at => Phase::Over { since: until },
            (Some(from), _) if from > at => match now.wall {
                Wall::Trusted(_) => Phase::NotBegun { begins: from },
                Wall::Unsynced(_) => Phase::Unknown,
            },
            _ => Phase::Running,
        }
    }
}

/// Members who share a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    pub id: TeamId,
    pub revision: u64,
    /// Unique; a network of the site file may name it.
    pub name: String,
}

/// A plan for a short time, on top of the member's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    pub id: PassId,
    pub revision: u64,
    pub member: MemberId,
    pub plan: PlanName,
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Pass {
    #[must_use]
    pub const fn window(&self) -> Window {
        Window { from: Some(self.from), until: Some(self.until) }
    }
}

/// The member, if the membership as such is good at this moment: known, neither suspended nor ended, inside its window.
/// What the plan includes is the caller's next question ([`grants`]).
///
/// # Errors
/// What the member or the operator must be told.
pub fn standing(snapshot: &Snapshot, member: MemberId, now: Now) -> Result<&Member, Reason> {
    let member = snapshot.members.get(&member).ok_or(Reason::UnknownMember)?;
    let say = |at| spoken(&snapshot.site.site, at);
    match member.status {
        MemberStatus::Active => {}
        MemberStatus::Suspended { since } => return Err(Reason::MemberSuspended { since: say(since) }),
        MemberStatus::Ended { at } => return Err(Reason::MemberEnded { at: say(at) }),
    }
    match member.valid.phase(now) {
        Phase::Running => Ok(member),
        Phase::NotBegun { begins } => Err(Reason::MembershipNotBegun { begins: say(begins) }),
        Phase::Over { since } => Err(Reason::MembershipOver { since: say(since) }),
        Phase::Unknown => Err(Reason::ClockUntrusted),
    }
}

/// A plan that a member may use now: her own, or that of a running pass.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    pub plan: &'a Plan,
    pub pass: Option<&'a Pass>,
    /// When it ends by itself: the end of the membership's window, and of the pass's where there is one.
    pub until: Option<Timestamp>,
}

/// All plans that a member may use now: her own first, then her running passes. A plan that the site file no longer has is
/// left out.
pub fn grants<'a>(snapshot: &'a Snapshot, member: &'a Member, now: Now) -> impl Iterator<Item = Grant<'a>> {
    let own = snapshot.plan_of(member).map(|plan| Grant { plan, pass: None, until: member.valid.until });
    let passes = snapshot.passes_of(member.id).filter(move |pass| pass.window().phase(now) == Phase::Running);
    own.into_iter().chain(passes.filter_map(move |pass| {
        let until = member.valid.until.map_or(pass.until, |end| end.min(pass.until));
        snapshot.site.plans.get(&pass.plan).map(|plan| Grant { plan, pass: Some(pass), until: Some(until) })
    }))
}

/// Something a member proves herself with. Shown once, revocable alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub id: CredentialId,
    pub revision: u64,
    pub member: MemberId,
    /// What the member calls the device or badge.
    pub label: Pii<String>,
    pub kind: CredentialKind,
    pub issued_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// One per device. The NT hash serves TTLS/PAP and PEAP/MSCHAPv2 alike; the key behind it is generated, so a fast
    /// hash of it is enough. It is password-equivalent and sealed at rest.
    WifiKey { username: String, nt_hash: Secret<[u8; 16]> },
    /// The UID as upper-case hexadecimal without separators.
    Badge { uid: Pii<String> },
    /// For a print client that cannot use the Wi-Fi key: SHA-256 of 128 random bits.
    PrintToken { username: String, sha256: [u8; 32] },
    /// A certificate of the device CA, for EAP-TLS: the SHA-256 of its DER.
    DeviceCertificate { fingerprint: [u8; 32], expires_at: Timestamp },
    /// A passphrase of the member's own for what cannot do 802.1X; with a MAC, of that device alone. The passphrase is sealed at
    /// rest and not hashed, since access points ask for it. `pmks` holds what it becomes on each SSID (IEEE 802.11 J.4), worked
    /// out when it is issued, so that finding the key of a login is HMAC only.
    WifiPassphrase { passphrase: Secret<String>, mac: Option<MacAddress>, pmks: BTreeMap<String, Secret<[u8; 32]>> },
    /// A device that is let in by its address alone (MAC authentication).
    RegisteredDevice { mac: MacAddress },
}

impl CredentialKind {
    /// The stable word for the kind, in the store and the API.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::WifiKey { .. } => "wifi-key",
            Self::Badge { .. } => "badge",
            Self::PrintToken { .. } => "print-token",
            Self::DeviceCertificate { .. } => "device-certificate",
            Self::WifiPassphrase { .. } => "wifi-passphrase",
            Self::RegisteredDevice { .. } => "registered-device",
        }
    }
}

/// A badge's UID in the one form that is stored and compared: upper-case hexadecimal, 4 to 10 bytes (ISO 14443-3 single,
/// double and triple size). Colons, hyphens and spaces of readers are dropped.
pub fn canonical_uid(text: &str) -> Result<String, String> {
    let uid: String = text.chars().filter(|c| !matches!(c, ':' | '-' | ' ')).map(|c| c.to_ascii_uppercase()).collect();
    if uid.len().is_multiple_of(2) && (8..=20).contains(&uid.len()) && uid.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(uid)
    } else {
        Err("a badge UID is 4 to 10 bytes in hexadecimal, such as 04A1B2C3".to_owned())
    }
}
