//! Commands about people and what they carry.

use super::{Change, Decided, Desk, Note};
use crate::people::{Credential, CredentialKind, Member, MemberStatus, Pass, Team, Window, canonical_uid};
use crate::reason::Reason;
use crate::record::Noun;
use crate::schedule::spoken;
use std::collections::BTreeMap;
use values::{CredentialId, Entropy, MacAddress, MemberId, PassId, Pii, PlanName, Secret, TeamId, Timestamp};

/// Four times the largest single coworking house known to us; all of them are held in memory.
const MEMBERS_MAX: usize = 20_000;
/// Teams are companies in the house.
const TEAMS_MAX: usize = 2_000;
/// Keys, badges and tokens that one member may hold at once, revoked ones set aside: a dozen devices and spares.
const CREDENTIALS_PER_MEMBER_MAX: usize = 64;
/// RFC 5321 4.5.3.1: 254 octets make a path of 256.
const EMAIL_MAX_BYTES: usize = 254;
const NAME_MAX_CHARS: usize = 200;
/// 4 letters of 32 tell devices of the same name apart; a clash draws again.
const USERNAME_SUFFIX_LETTERS: usize = 4;
/// No 0/o, 1/l/i, u/v: typed on a printer panel or a television.
const USERNAME_ALPHABET: &[u8; 28] = b"23456789abcdefghjkmnpqrstwxy";

pub(super) struct NewMember {
    pub name: Pii<String>,
    pub email: Pii<String>,
    pub plan: PlanName,
    pub team: Option<String>,
    pub valid: Window,
}

impl Desk<'_> {
    pub(super) fn add_member(&self, new: NewMember, entropy: &mut dyn Entropy) -> Decided {
        let name = new.name.0.trim();
        if name.is_empty() || name.chars().count() > NAME_MAX_CHARS || name.chars().any(char::is_control) {
            return Err(Reason::NameInvalid);
        }
        let email = new.email.0.trim();
        if !is_email(email) {
            return Err(Reason::EmailInvalid);
        }
        if self.snapshot.member_by_email(email).is_some() {
            return Err(Reason::EmailTaken);
        }
        if !self.snapshot.site.plans.contains_key(&new.plan) {
            return Err(Reason::UnknownPlan { plan: new.plan.to_string() });
        }
        if self.snapshot.members.len() >= MEMBERS_MAX {
            return Err(limit("members", MEMBERS_MAX));
        }
        if let (Some(from), Some(until)) = (new.valid.from, new.valid.until)
            && until <= from
        {
            return Err(Reason::Invalid {
                what: "The membership's window".into(),
                expected: "an end after its beginning".into(),
            });
        }
        let mut changes = Vec::new();
        let team = match new.team {
            None => None,
            Some(name) => Some(self.team(&name, &mut changes, entropy)?),
        };
        let id = MemberId::generate(entropy);
        changes.push(Change::Member(Member {
            id,
            revision: 1,
            name: Pii(name.to_owned()),
            email: Pii(email.to_owned()),
            plan: new.plan.clone(),
            team,
            status: MemberStatus::Active,
            valid: new.valid,
            home_site: None,
            shows_presence: false,
            added_at: self.now.stamp(),
        }));
        Ok((changes, Note::new(Noun::People, "member-added", "A member was added.").of(id).fact("plan", new.plan)))
    }

    /// The team of this name; made when it is new, since a team is nothing but a name that members share.
    fn team(&self, name: &str, changes: &mut Vec<Change>, entropy: &mut dyn Entropy) -> Result<TeamId, Reason> {
        let name = name.trim();
        if let Some(team) = self.snapshot.team_by_name(name) {
            return Ok(team.id);
        }
        if name.is_empty() || name.chars().count() > NAME_MAX_CHARS || name.chars().any(char::is_control) {
            return Err(Reason::NameInvalid);
        }
        if self.snapshot.teams.len() >= TEAMS_MAX {
            return Err(limit("teams", TEAMS_MAX));
        }
        let team = Team { id: TeamId::generate(entropy), revision: 1, name: name.to_owned() };
        let id = team.id;
        changes.push(Change::Team(team));
        Ok(id)
    }

    pub(super) fn suspend_member(&self, id: MemberId) -> Decided {
        let note = Note::new(Noun::People, "member-suspended", "The membership was suspended.").of(id);
        self.set_status(id, MemberStatus::Suspended { since: self.now.stamp() }, note)
    }

    pub(super) fn resume_member(&self, id: MemberId) -> Decided {
        let note = Note::new(Noun::People, "member-resumed", "The membership was resumed.").of(id);
        self.set_status(id, MemberStatus::Active, note)
    }

    pub(super) fn end_member(&self, id: MemberId) -> Decided {
        let note = Note::new(Noun::People, "member-ended", "The membership was ended.").of(id);
        self.set_status(id, MemberStatus::Ended { at: self.now.stamp() }, note)
    }

    pub(super) fn change_plan(&self, id: MemberId, plan: PlanName) -> Decided {
        if !self.snapshot.site.plans.contains_key(&plan) {
            return Err(Reason::UnknownPlan { plan: plan.to_string() });
        }
        let member = self.member(id)?;
        if let MemberStatus::Ended { at } = member.status {
            return Err(Reason::MemberEnded { at: self.spoken(at) });
        }
        if member.plan == plan {
            return Err(Reason::AlreadySo { what: format!("the plan is `{plan}` already") });
        }
        let note = Note::new(Noun::People, "plan-changed", "The member's plan was changed.").of(id);
        let note = note.fact("from", &member.plan).fact("plan", &plan);
        let mut member = member.clone();
        member.plan = plan;
        member.revision += 1;
        Ok((vec![Change::Member(member)], note))
    }

    fn set_status(&self, id: MemberId, status: MemberStatus, note: Note) -> Decided {
        let member = self.member(id)?;
        match (member.status, status) {
            (MemberStatus::Ended { at }, _) => return Err(Reason::MemberEnded { at: self.spoken(at) }),
            (MemberStatus::Suspended { .. }, MemberStatus::Suspended { .. }) => {
                return Err(Reason::AlreadySo { what: "the membership is suspended already".into() });
            }
            (MemberStatus::Active, MemberStatus::Active) => {
                return Err(Reason::AlreadySo { what: "the membership is active already".into() });
            }
            (MemberStatus::Active | MemberStatus::Suspended { .. }, _) => {}
        }
        let mut member = member.clone();
        member.status = status;
        member.revision += 1;
        Ok((vec![Change::Member(member)], note))
    }

    pub(super) fn give_pass(&self, id: MemberId, plan: PlanName, valid: Window, entropy: &mut dyn Entropy) -> Decided {
        self.member(id)?;
        if !self.snapshot.site.plans.contains_key(&plan) {
            return Err(Reason::UnknownPlan { plan: plan.to_string() });
        }
        let from = valid.from.unwrap_or(self.now.stamp());
        let Some(until) = valid.until.filter(|&until| until > from) else {
            return Err(Reason::Invalid { what: "The pass".into(), expected: "an end after its beginning".into() });
        };
        let pass = Pass { id: PassId::generate(entropy), revision: 1, member: id, plan: plan.clone(), from, until };
        let note = Note::new(Noun::People, "pass-given", "A pass was given.").of(id).fact("plan", plan);
        Ok((vec![Change::Pass(pass)], note))
    }

    pub(super) fn issue_wifi_key(
        &self,
        id: MemberId,
        label: Pii<String>,
        nt_hash: Secret<[u8; 16]>,
        entropy: &mut dyn Entropy,
    ) -> Decided {
        let username = self.new_username(self.holder(id)?, entropy);
        let note = Note::new(Noun::People, "wifi-key-issued", "A Wi-Fi key was issued.");
        Ok(self.issue(id, label, CredentialKind::WifiKey { username, nt_hash }, note, entropy))
    }

    pub(super) fn issue_print_token(&self, id: MemberId, sha256: [u8; 32], entropy: &mut dyn Entropy) -> Decided {
        let username = self.new_username(self.holder(id)?, entropy);
        let note = Note::new(Noun::People, "print-token-issued", "A print token was issued.");
        Ok(self.issue(id, Pii("printing".to_owned()), CredentialKind::PrintToken { username, sha256 }, note, entropy))
    }

    pub(super) fn add_badge(
        &self,
        id: MemberId,
        uid: &Pii<String>,
        label: Pii<String>,
        entropy: &mut dyn Entropy,
    ) -> Decided {
        self.holder(id)?;
        let uid = canonical_uid(&uid.0).map_err(|_| Reason::BadgeInvalid)?;
        if let Some(held) = self.snapshot.badge(&uid).filter(|held| held.revoked_at.is_none()) {
            return Err(if held.member == id {
                Reason::AlreadySo { what: "the member has this badge already".into() }
            } else {
                Reason::BadgeTaken
            });
        }
        let note = Note::new(Noun::People, "badge-added", "A badge was added.");
        Ok(self.issue(id, label, CredentialKind::Badge { uid: Pii(uid) }, note, entropy))
    }

    pub(super) fn issue_device_certificate(
        &self,
        id: MemberId,
        label: Pii<String>,
        fingerprint: [u8; 32],
        expires_at: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Decided {
        self.holder(id)?;
        let note = Note::new(Noun::People, "device-certificate-issued", "A device certificate was issued.");
        Ok(self.issue(id, label, CredentialKind::DeviceCertificate { fingerprint, expires_at }, note, entropy))
    }

    pub(super) fn issue_wifi_passphrase(
        &self,
        id: MemberId,
        label: Pii<String>,
        passphrase: Secret<String>,
        mac: Option<MacAddress>,
        pmks: BTreeMap<String, Secret<[u8; 32]>>,
        entropy: &mut dyn Entropy,
    ) -> Decided {
        self.holder(id)?;
        if let Some(mac) = mac {
            self.check_address_is_free(self.snapshot.passphrase_of_device(mac))?;
        }
        let note = Note::new(Noun::People, "wifi-passphrase-issued", "A Wi-Fi passphrase was issued.");
        Ok(self.issue(id, label, CredentialKind::WifiPassphrase { passphrase, mac, pmks }, note, entropy))
    }

    pub(super) fn add_passphrase_keys(&self, id: CredentialId, added: BTreeMap<String, Secret<[u8; 32]>>) -> Decided {
        let mut credential = self.snapshot.credentials.get(&id).ok_or(Reason::UnknownCredential)?.as_ref().clone();
        let CredentialKind::WifiPassphrase { pmks, .. } = &mut credential.kind else {
            return Err(Reason::UnknownCredential);
        };
        let before = pmks.len();
        pmks.extend(added);
        if pmks.len() == before {
            return Err(Reason::AlreadySo { what: "the passphrase has these keys already".into() });
        }
        credential.revision += 1;
        let note =
            Note::new(Noun::People, "wifi-passphrase-prepared", "A Wi-Fi passphrase was prepared for a network.");
        let note = note.of(credential.member).with(id);
        Ok((vec![Change::Credential(credential)], note))
    }

    pub(super) fn register_device(
        &self,
        id: MemberId,
        label: Pii<String>,
        mac: MacAddress,
        entropy: &mut dyn Entropy,
    ) -> Decided {
        self.holder(id)?;
        self.check_address_is_free(self.snapshot.registered_device(mac))?;
        let note = Note::new(Noun::People, "device-registered", "A device was registered by its address.");
        Ok(self.issue(id, label, CredentialKind::RegisteredDevice { mac }, note, entropy))
    }

    /// One address is one device, and a device has one owner.
    fn check_address_is_free(&self, held: Option<&Credential>) -> Result<(), Reason> {
        match held.filter(|held| held.revoked_at.is_none()) {
            Some(_) => Err(Reason::AddressTaken),
            None => Ok(()),
        }
    }

    pub(super) fn revoke_credential(&self, id: CredentialId) -> Decided {
        let credential = self.snapshot.credentials.get(&id).ok_or(Reason::UnknownCredential)?;
        if credential.revoked_at.is_some() {
            return Err(Reason::AlreadySo { what: "the credential is revoked already".into() });
        }
        let mut credential = credential.as_ref().clone();
        credential.revoked_at = Some(self.now.stamp());
        credential.revision += 1;
        let note = Note::new(Noun::People, "credential-revoked", "A credential was revoked.")
            .of(credential.member)
            .with(id)
            .fact("kind", credential.kind.word());
        Ok((vec![Change::Credential(credential)], note))
    }

    fn issue(
        &self,
        member: MemberId,
        label: Pii<String>,
        kind: CredentialKind,
        note: Note,
        entropy: &mut dyn Entropy,
    ) -> (Vec<Change>, Note) {
        let id = CredentialId::generate(entropy);
        let credential =
            Credential { id, revision: 1, member, label, kind, issued_at: self.now.stamp(), revoked_at: None };
        (vec![Change::Credential(credential)], note.of(member).with(id))
    }

    fn member(&self, id: MemberId) -> Result<&Member, Reason> {
        self.snapshot.members.get(&id).map(AsRef::as_ref).ok_or(Reason::UnknownMember)
    }

    /// A member who may be given one more credential.
    fn holder(&self, id: MemberId) -> Result<&Member, Reason> {
        let member = self.member(id)?;
        if let MemberStatus::Ended { at } = member.status {
            return Err(Reason::MemberEnded { at: self.spoken(at) });
        }
        let held = self.snapshot.credentials_of(id).filter(|credential| credential.revoked_at.is_none()).count();
        if held >= CREDENTIALS_PER_MEMBER_MAX {
            return Err(limit("credentials for one member", CREDENTIALS_PER_MEMBER_MAX));
        }
        Ok(member)
    }

    /// `mara-7k2p`: the first word of the name in ASCII and four random letters, unused so far.
    fn new_username(&self, member: &Member, entropy: &mut dyn Entropy) -> String {
        let word: String = member
            .name
            .0
            .chars()
            .map_while(|c| c.is_ascii_alphabetic().then(|| c.to_ascii_lowercase()))
            .take(16)
            .collect();
        let word = if word.is_empty() { "member" } else { word.as_str() };
        loop {
            let suffix: String = entropy
                .bytes::<USERNAME_SUFFIX_LETTERS>()
                .iter()
                .map(|byte| char::from(USERNAME_ALPHABET[usize::from(*byte) % USERNAME_ALPHABET.len()]))
                .collect();
            let username = format!("{word}-{suffix}");
            if self.snapshot.wifi_key(&username).is_none() && self.snapshot.print_token(&username).is_none() {
                return username;
            }
        }
    }

    fn spoken(&self, at: Timestamp) -> String {
        spoken(&self.snapshot.site.site, at)
    }
}

fn limit(what: &str, limit: usize) -> Reason {
    Reason::LimitReached { what: what.to_owned(), limit: u32::try_from(limit).unwrap_or(u32::MAX) }
}

fn is_email(text: &str) -> bool {
    text.len() <= EMAIL_MAX_BYTES
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && text
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
}
