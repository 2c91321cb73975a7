//! Members, teams, passes and what they carry: keys, badges, tokens.

use serde::{Deserialize, Serialize};
use values::{CredentialId, MemberId, PartnerName, PassId, Pii, PlanName, Secret, TeamId, Timestamp};

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
}

impl CredentialKind {
    /// The stable word for the kind, in the store and the API.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::WifiKey { .. } => "wifi-key",
            Self::Badge { .. } => "badge",
            Self::PrintToken { .. } => "print-token",
        }
    }
}

/// A badge's UID in the one form that is stored and compared: upper-case hexadecimal, 4 to 10 bytes (ISO 14443-3 single,
/// double and triple size). Colons, hyphens and spaces of readers are dropped.
pub fn canonical_uid(text: &str) -> Result<String, String> {
    let uid: String = text.chars().filter(|c| !matches!(c, ':' | '-' | ' ')).map(|c| c.to_ascii_uppercase()).collect();
    if uid.len() % 2 == 0 && (8..=20).contains(&uid.len()) && uid.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(uid)
    } else {
        Err("a badge UID is 4 to 10 bytes in hexadecimal, such as 04A1B2C3".to_owned())
    }
}
