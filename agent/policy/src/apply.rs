//! What an operator, member or engine asks for ([`Command`]) and what is committed for it ([`Change`]).
//!
//! [`plan`] reads the newest snapshot and either refuses with a [`Reason`] or returns complete changes: the store writes
//! them in one transaction and the next snapshot is made from them, both without choosing anything.

use crate::people::{Credential, Member, Pass, Team, Window};
use crate::print::{PrintAccount, Reservation, Settlement};
use crate::reason::Reason;
use crate::site::{Device, DeviceProfile, SiteModel};
use crate::snapshot::Snapshot;
use std::sync::Arc;
use values::{CredentialId, DeviceName, Entropy, JobId, MemberId, Now, Pii, PlanName, PrinterName, Secret};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The administrator, signed in to the web UI.
    Admin,
    /// Somebody with the box's unix socket: root or the service's own user.
    Console,
    /// The member, through her own device.
    Member(MemberId),
    /// Doorpost itself: an engine, a timer, the site file at start.
    System,
}

impl Actor {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Console => "console",
            Self::Member(_) => "member",
            Self::System => "system",
        }
    }
}

/// Everything that can be asked to change policy state.
#[derive(Clone, Debug)]
pub enum Command {
    Claim { password_phc: Secret<String> },
    /// Forgets the administrator's password: the box shows a new claim code.
    ResetAdmin,
    ApplySite { model: Arc<SiteModel> },

    AddMember { name: Pii<String>, email: Pii<String>, plan: PlanName, team: Option<String>, valid: Window },
    SuspendMember { member: MemberId },
    ResumeMember { member: MemberId },
    EndMember { member: MemberId },
    GivePass { member: MemberId, plan: PlanName, valid: Window },

    IssueWifiKey { member: MemberId, label: Pii<String>, nt_hash: Secret<[u8; 16]> },
    IssuePrintToken { member: MemberId, sha256: [u8; 32] },
    AddBadge { member: MemberId, uid: Pii<String>, label: Pii<String> },
    RevokeCredential { credential: CredentialId },

    AddDevice { name: DeviceName, profile: DeviceProfile, password_sha256: [u8; 32] },
    RemoveDevice { name: DeviceName },

    /// Sets pages and money aside; refused with `AccountLimitReached` when there is not enough.
    ReservePrint { job: JobId, member: MemberId, printer: PrinterName, pages: u32 },
    /// Ends a reservation. A second settlement of the same job is refused with `AlreadySo`.
    SettlePrint { job: JobId, settlement: Settlement },
    CreditPrint { member: MemberId, amount_minor: i64 },
}

/// What is committed: each says everything about one object as it is from now on.
#[derive(Clone, Debug)]
pub enum Change {
    Admin(Option<Secret<String>>),
    Site(Arc<SiteModel>),
    Member(Member),
    Team(Team),
    Pass(Pass),
    Credential(Credential),
    Device(Device),
    DeviceRemoved(DeviceName),
    /// Ledger row `reserve`, conditional on there being none for the job.
    PrintReserved { reservation: Reservation, account: PrintAccount },
    /// Ledger row `settle` or `void`, conditional on the reservation being open.
    PrintSettled { job: JobId, member: MemberId, settlement: Settlement, charged_minor: i64, account: PrintAccount },
    /// Ledger row `credit`.
    PrintCredited { member: MemberId, amount_minor: i64, account: PrintAccount },
}

/// Decides a command against the newest snapshot. `entropy` is for new ids and user names.
///
/// # Errors
/// The reason why nothing is changed.
pub fn plan(
    snapshot: &Snapshot,
    actor: Actor,
    command: Command,
    now: Now,
    entropy: &mut dyn Entropy,
) -> Result<Vec<Change>, Reason> {
    let _ = (snapshot, actor, command, now, entropy);
    Err(Reason::UnknownMember)
}
