//! What an operator, member or engine asks for ([`Command`]) and what is committed for it ([`Change`]).
//!
//! [`plan`] reads the newest snapshot and either refuses with a [`Reason`] or returns complete changes: the store writes
//! them in one transaction and the next snapshot is made from them, both without choosing anything.

mod access_point;
mod device;
mod people;
mod site;
mod wifi;

use crate::access_point::AccessPointCertificate;
use crate::people::{Credential, Member, Pass, Team, Window};
use crate::print::{PrintAccount, Reservation, Settlement};
use crate::reason::Reason;
use crate::record::{Noun, Outcome, Record};
use crate::site::{Device, DeviceProfile, SiteModel};
use crate::snapshot::Snapshot;
use crate::wifi::VlanTest;
use std::collections::BTreeMap;
use std::sync::Arc;
use values::{
    AccessPointName, CredentialId, DeviceName, Entropy, EventId, JobId, MacAddress, MemberId, NetworkName, Now, Pii,
    PlanName, PrinterName, Secret, Timestamp,
};

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
    Claim {
        password_phc: Secret<String>,
    },
    /// Forgets the administrator's password: the box shows a new claim code.
    ResetAdmin,
    ApplySite {
        model: Arc<SiteModel>,
    },

    AddMember {
        name: Pii<String>,
        email: Pii<String>,
        plan: PlanName,
        team: Option<String>,
        valid: Window,
    },
    SuspendMember {
        member: MemberId,
    },
    ResumeMember {
        member: MemberId,
    },
    EndMember {
        member: MemberId,
    },
    /// Another plan, from now on.
    ChangePlan {
        member: MemberId,
        plan: PlanName,
    },
    GivePass {
        member: MemberId,
        plan: PlanName,
        valid: Window,
    },

    IssueWifiKey {
        member: MemberId,
        label: Pii<String>,
        nt_hash: Secret<[u8; 16]>,
    },
    IssuePrintToken {
        member: MemberId,
        sha256: [u8; 32],
    },
    IssueDeviceCertificate {
        member: MemberId,
        label: Pii<String>,
        /// SHA-256 of the certificate's DER.
        fingerprint: [u8; 32],
        expires_at: Timestamp,
    },
    IssueWifiPassphrase {
        member: MemberId,
        label: Pii<String>,
        passphrase: Secret<String>,
        mac: Option<MacAddress>,
        pmks: BTreeMap<String, Secret<[u8; 32]>>,
    },
    /// Adds what a passphrase becomes on SSIDs that were named after it was issued.
    AddPassphraseKeys {
        credential: CredentialId,
        pmks: BTreeMap<String, Secret<[u8; 32]>>,
    },
    /// Lets a device in by its address alone.
    RegisterDevice {
        member: MemberId,
        label: Pii<String>,
        mac: MacAddress,
    },
    AddBadge {
        member: MemberId,
        uid: Pii<String>,
        label: Pii<String>,
    },
    RevokeCredential {
        credential: CredentialId,
    },

    AddDevice {
        name: DeviceName,
        profile: DeviceProfile,
        password_sha256: [u8; 32],
    },
    RemoveDevice {
        name: DeviceName,
    },
    /// Gives an access point its certificate; the one that it had is worth nothing from then on.
    IssueAccessPointCertificate {
        access_point: AccessPointName,
        /// SHA-256 of the certificate's DER.
        fingerprint: [u8; 32],
        expires_at: Timestamp,
    },
    RevokeAccessPointCertificate {
        access_point: AccessPointName,
    },

    /// Puts a member's devices on a network's VLAN for some minutes, to see whether it works.
    OpenVlanTest {
        network: NetworkName,
        member: MemberId,
        minutes: u16,
    },
    /// A device was seen to work on this VLAN, or somebody says that it does: it is used from now on.
    PassVlanTest {
        network: NetworkName,
        vlan: u16,
    },

    /// Sets pages and money aside; refused with `AccountLimitReached` when there is not enough.
    ReservePrint {
        job: JobId,
        member: MemberId,
        printer: PrinterName,
        pages: u32,
    },
    /// Ends a reservation. A second settlement of the same job is refused with `AlreadySo`.
    SettlePrint {
        job: JobId,
        settlement: Settlement,
    },
    CreditPrint {
        member: MemberId,
        amount_minor: i64,
    },
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
    AccessPointCertificate(AccessPointCertificate),
    AccessPointCertificateRemoved(AccessPointName),
    VlanTest(VlanTest),
    /// Ledger row `reserve`, conditional on there being none for the job.
    PrintReserved {
        reservation: Reservation,
        account: PrintAccount,
    },
    /// Ledger row `settle` or `void`, conditional on the reservation being open.
    PrintSettled {
        job: JobId,
        member: MemberId,
        settlement: Settlement,
        charged_minor: i64,
        account: PrintAccount,
    },
    /// Ledger row `credit`.
    PrintCredited {
        member: MemberId,
        amount_minor: i64,
        account: PrintAccount,
    },
}

/// What a command comes to: complete changes, and the row of history that is committed with them.
#[derive(Clone, Debug)]
pub struct Planned {
    pub changes: Vec<Change>,
    pub record: Record,
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
) -> Result<Planned, Reason> {
    let desk = Desk { snapshot, now };
    let (changes, note) = match command {
        Command::Claim { password_phc } => desk.claim(password_phc)?,
        Command::ResetAdmin => desk.reset_admin()?,
        Command::ApplySite { model } => desk.apply_site(model)?,
        Command::AddMember { name, email, plan, team, valid } => {
            desk.add_member(people::NewMember { name, email, plan, team, valid }, entropy)?
        }
        Command::SuspendMember { member } => desk.suspend_member(member)?,
        Command::ResumeMember { member } => desk.resume_member(member)?,
        Command::EndMember { member } => desk.end_member(member)?,
        Command::ChangePlan { member, plan } => desk.change_plan(member, plan)?,
        Command::GivePass { member, plan, valid } => desk.give_pass(member, plan, valid, entropy)?,
        Command::IssueWifiKey { member, label, nt_hash } => desk.issue_wifi_key(member, label, nt_hash, entropy)?,
        Command::IssuePrintToken { member, sha256 } => desk.issue_print_token(member, sha256, entropy)?,
        Command::IssueDeviceCertificate { member, label, fingerprint, expires_at } => {
            desk.issue_device_certificate(member, label, fingerprint, expires_at, entropy)?
        }
        Command::IssueWifiPassphrase { member, label, passphrase, mac, pmks } => {
            desk.issue_wifi_passphrase(member, label, passphrase, mac, pmks, entropy)?
        }
        Command::AddPassphraseKeys { credential, pmks } => desk.add_passphrase_keys(credential, pmks)?,
        Command::RegisterDevice { member, label, mac } => desk.register_device(member, label, mac, entropy)?,
        Command::AddBadge { member, uid, label } => desk.add_badge(member, &uid, label, entropy)?,
        Command::RevokeCredential { credential } => desk.revoke_credential(credential)?,
        Command::AddDevice { name, profile, password_sha256 } => desk.add_device(name, profile, password_sha256)?,
        Command::RemoveDevice { name } => desk.remove_device(&name)?,
        Command::IssueAccessPointCertificate { access_point, fingerprint, expires_at } => {
            desk.issue_access_point_certificate(access_point, fingerprint, expires_at)?
        }
        Command::RevokeAccessPointCertificate { access_point } => {
            desk.revoke_access_point_certificate(&access_point)?
        }
        Command::OpenVlanTest { network, member, minutes } => desk.open_vlan_test(network, member, minutes)?,
        Command::PassVlanTest { network, vlan } => desk.pass_vlan_test(network, vlan)?,
        Command::ReservePrint { job, member, printer, pages } => {
            let changes = crate::print::plan_reserve(snapshot, job, member, &printer, pages, now)?;
            (
                changes,
                Note::new(Noun::Print, "print-reserved", "Pages were set aside for a print job.")
                    .of(member)
                    .fact("job", job)
                    .fact("pages", pages),
            )
        }
        Command::SettlePrint { job, settlement } => {
            let changes = crate::print::plan_settle(snapshot, job, settlement, now)?;
            (changes, settled_note(snapshot, job, settlement))
        }
        Command::CreditPrint { member, amount_minor } => {
            let changes = crate::print::plan_credit(snapshot, member, amount_minor, now)?;
            let amount = crate::reason::spoken_amount(amount_minor);
            (
                changes,
                Note::new(Noun::Print, "print-credited", "Print credit was added.").of(member).fact("amount", amount),
            )
        }
    };
    Ok(Planned { changes, record: note.record(EventId::generate(entropy), actor, now) })
}

/// The place where commands are decided: the state they are decided against, and the moment.
struct Desk<'a> {
    snapshot: &'a Snapshot,
    now: Now,
}

/// What a decision returns when it changes something.
type Decided = Result<(Vec<Change>, Note), Reason>;

/// The row of history of a command, before it has an id, a time and an actor.
struct Note {
    noun: Noun,
    code: &'static str,
    sentence: String,
    member: Option<MemberId>,
    credential: Option<CredentialId>,
    place: Option<String>,
    facts: Vec<(&'static str, String)>,
}

impl Note {
    fn new(noun: Noun, code: &'static str, sentence: impl Into<String>) -> Self {
        Self { noun, code, sentence: sentence.into(), member: None, credential: None, place: None, facts: Vec::new() }
    }

    fn of(mut self, member: MemberId) -> Self {
        self.member = Some(member);
        self
    }

    fn with(mut self, credential: CredentialId) -> Self {
        self.credential = Some(credential);
        self
    }

    fn at(mut self, place: &impl ToString) -> Self {
        self.place = Some(place.to_string());
        self
    }

    fn fact(mut self, key: &'static str, value: impl ToString) -> Self {
        self.facts.push((key, value.to_string()));
        self
    }

    fn record(self, id: EventId, actor: Actor, now: Now) -> Record {
        let mut record = Record::new(id, now.stamp(), self.noun, Outcome::Noted, self.code, self.sentence);
        record.member = self.member;
        record.credential = self.credential;
        record.place = self.place;
        record.facts = self.facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        record.fact("actor", actor.word())
    }
}

fn settled_note(snapshot: &Snapshot, job: JobId, settlement: Settlement) -> Note {
    let note = match settlement {
        Settlement::Settle { pages, by } => {
            let how = match by {
                crate::print::CountedBy::Counter => "by the printer's counter",
                crate::print::CountedBy::Estimate => "by estimate",
                crate::print::CountedBy::Operator => "by an operator",
            };
            Note::new(Noun::Print, "print-settled", format!("A print job was settled at {pages} pages, {how}."))
                .fact("pages", pages)
        }
        Settlement::Void => Note::new(Noun::Print, "print-void", "Nothing was printed, so nothing was charged."),
        Settlement::NeedsChecking => Note::new(
            Noun::Print,
            "print-needs-checking",
            "The printer did not say what came out; the job needs checking.",
        ),
    };
    match snapshot.reservations.get(&job) {
        Some(reservation) => note.of(reservation.member).at(&reservation.printer).fact("job", job),
        None => note.fact("job", job),
    }
}

#[cfg(test)]
mod tests;
