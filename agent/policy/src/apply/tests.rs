//! Commands against a snapshot: what is refused, what is changed, and that applying twice changes nothing.

use super::*;
use crate::site::{Plan, Site};
use crate::snapshot::Loaded;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use values::{Mono, SeededEntropy, Timestamp};

fn snapshot() -> Snapshot {
    let plan = |name: &str| Plan {
        name: name.parse().expect("a fixed name"),
        title: name.into(),
        wifi: None,
        print: None,
        doors: Vec::new(),
    };
    let model = SiteModel {
        generation: 1,
        ssids: Vec::new(),
        eap_methods: crate::EapMethod::ALL.to_vec(),
        site: Site {
            name: "Harbour Works".into(),
            realm: "harbour.example".into(),
            time_zone: jiff::tz::TimeZone::UTC,
            holidays: BTreeSet::new(),
            currency: "EUR".into(),
        },
        schedules: BTreeMap::new(),
        networks: BTreeMap::new(),
        access_points: BTreeMap::new(),
        printers: BTreeMap::new(),
        doors: BTreeMap::new(),
        plans: ["resident", "flex"].map(|name| (name.parse().expect("a fixed name"), plan(name))).into(),
    };
    Snapshot::load(Arc::new(model), Loaded::default())
}

/// Decides commands one after the other, as the Registrar does.
struct Office {
    snapshot: Snapshot,
    entropy: SeededEntropy,
    clock_ms: u64,
}

impl Office {
    fn new() -> Self {
        Self { snapshot: snapshot(), entropy: SeededEntropy(7), clock_ms: 0 }
    }

    fn submit(&mut self, command: Command) -> Result<Vec<Change>, Reason> {
        self.clock_ms += 1;
        let now = Now::trusted(Mono(self.clock_ms), Timestamp(i64::try_from(self.clock_ms).expect("small")));
        let planned = plan(&self.snapshot, Actor::Console, command, now, &mut self.entropy)?;
        assert!(planned.record.facts.contains_key("actor"));
        self.snapshot = self.snapshot.with(&planned.changes);
        Ok(planned.changes)
    }

    fn add(&mut self, name: &str, email: &str) -> Result<MemberId, Reason> {
        let command = Command::AddMember {
            name: Pii(name.into()),
            email: Pii(email.into()),
            plan: "resident".parse().expect("a fixed name"),
            team: None,
            valid: Window::default(),
        };
        let changes = self.submit(command)?;
        changes
            .iter()
            .find_map(|change| if let Change::Member(member) = change { Some(member.id) } else { None })
            .ok_or(Reason::UnknownMember)
    }

    fn badge(&mut self, member: MemberId, uid: &str) -> Result<Vec<Change>, Reason> {
        self.submit(Command::AddBadge { member, uid: Pii(uid.into()), label: Pii("badge".into()) })
    }
}

fn code<T>(result: Result<T, Reason>) -> &'static str {
    result.map_or_else(|reason| reason.code(), |_| "ok")
}

#[test]
fn an_address_belongs_to_one_member() {
    let mut office = Office::new();
    assert_eq!(code(office.add("Mara Holm", "mara@example.org")), "ok");
    assert_eq!(code(office.add("Other", "MARA@Example.org")), "email-taken");
    for email in ["", "mara", "@x", "x@", "a@b@c", "a b@c", &format!("{}@x", "a".repeat(254))] {
        assert_eq!(code(office.add("M", email)), "email-invalid", "{email}");
    }
    for name in ["", "  ", "a\nb", &"x".repeat(201)] {
        assert_eq!(code(office.add(name, "new@example.org")), "name-invalid");
    }
}

#[test]
fn a_team_is_made_by_its_first_member_and_shared_by_the_next() {
    let mut office = Office::new();
    let mut add = |email: &str, team: &str| {
        let command = Command::AddMember {
            name: Pii("M".into()),
            email: Pii(email.into()),
            plan: "flex".parse().expect("a fixed name"),
            team: Some(team.into()),
            valid: Window::default(),
        };
        office.submit(command).expect("added").len()
    };
    assert_eq!((add("a@x", "studio"), add("b@x", "studio"), add("c@x", "attic")), (2, 1, 2));
    assert_eq!(office.snapshot.teams.len(), 2);
}

#[test]
fn a_membership_is_suspended_resumed_and_ended_for_good() {
    let mut office = Office::new();
    let member = office.add("Mara", "m@x").expect("added");
    assert_eq!(code(office.submit(Command::ResumeMember { member })), "already-so");
    assert_eq!(code(office.submit(Command::SuspendMember { member })), "ok");
    assert_eq!(code(office.submit(Command::SuspendMember { member })), "already-so");
    assert_eq!(code(office.submit(Command::ResumeMember { member })), "ok");
    assert_eq!(code(office.submit(Command::EndMember { member })), "ok");
    assert_eq!(code(office.submit(Command::ResumeMember { member })), "member-ended");
    assert_eq!(code(office.badge(member, "04A1B2C3")), "member-ended");
    assert_eq!(office.snapshot.members[&member].revision, 4);
}

#[test]
fn a_badge_moves_only_after_it_was_revoked() {
    let mut office = Office::new();
    let mara = office.add("Mara", "m@x").expect("added");
    let jo = office.add("Jo", "j@x").expect("added");
    let changes = office.badge(mara, "04:a1:b2:c3").expect("added");
    assert_eq!(code(office.badge(mara, "04A1B2C3")), "already-so");
    assert_eq!(code(office.badge(jo, "04-A1-B2-C3")), "badge-taken");
    let Some(Change::Credential(badge)) = changes.first() else { panic!("a credential") };
    assert_eq!(code(office.submit(Command::RevokeCredential { credential: badge.id })), "ok");
    assert_eq!(code(office.submit(Command::RevokeCredential { credential: badge.id })), "already-so");
    assert_eq!(office.snapshot.badge("04A1B2C3").map(|badge| badge.member), Some(mara), "known, though revoked");
    assert_eq!(code(office.badge(jo, "04A1B2C3")), "ok");
    assert_eq!(office.snapshot.badge("04A1B2C3").map(|badge| badge.member), Some(jo));
    for uid in ["", "04", "04A1B2C", "04A1B2CG", "0102030405060708090A0B"] {
        assert_eq!(code(office.badge(jo, uid)), "badge-invalid", "{uid}");
    }
}

#[test]
fn user_names_are_typeable_and_unique() {
    let mut office = Office::new();
    let member = office.add("Zoë Ødegård", "z@x").expect("added");
    let mut names = BTreeSet::new();
    for _ in 0..60 {
        let nt_hash = Secret::new([0; 16]);
        let changes =
            office.submit(Command::IssueWifiKey { member, label: Pii("phone".into()), nt_hash }).expect("issued");
        let Some(Change::Credential(Credential { kind: crate::CredentialKind::WifiKey { username, .. }, .. })) =
            changes.first()
        else {
            panic!("a key")
        };
        assert!(username.starts_with("zo-") && username.len() == 7, "{username}");
        assert!(office.snapshot.wifi_key(&format!("{}@HARBOUR.example", username.to_uppercase())).is_some());
        assert!(office.snapshot.wifi_key(&format!("{username}@elsewhere.example")).is_none());
        names.insert(username.clone());
    }
    assert_eq!(names.len(), 60);
    for _ in 0..4 {
        let _ = office.badge(member, &format!("04A1B2{:02X}", names.len()));
        names.insert(names.len().to_string());
    }
    let full = office.submit(Command::IssuePrintToken { member, sha256: [0; 32] });
    assert_eq!(code(full), "limit-reached", "64 live credentials are the limit");
}

#[test]
fn a_box_is_claimed_once() {
    let mut office = Office::new();
    let claim = || Command::Claim { password_phc: Secret::new("phc".to_owned()) };
    assert_eq!(code(office.submit(Command::ResetAdmin)), "not-claimed");
    assert_eq!(code(office.submit(claim())), "ok");
    assert_eq!(code(office.submit(claim())), "already-claimed");
    assert_eq!(code(office.submit(Command::ResetAdmin)), "ok");
    assert_eq!(code(office.submit(claim())), "ok");
}

/// Anything an operator may try, with few enough names that they collide.
#[derive(Clone, Debug)]
enum Try {
    Add(u8),
    Suspend(u8),
    Resume(u8),
    End(u8),
    Badge(u8, u8),
    Revoke(u8),
    Device(u8),
    RemoveDevice(u8),
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let one = prop_oneof![
        (0..6_u8).prop_map(Try::Add),
        (0..6_u8).prop_map(Try::Suspend),
        (0..6_u8).prop_map(Try::Resume),
        (0..6_u8).prop_map(Try::End),
        (0..6_u8, 0..4_u8).prop_map(|(member, uid)| Try::Badge(member, uid)),
        (0..20_u8).prop_map(Try::Revoke),
        (0..3_u8).prop_map(Try::Device),
        (0..3_u8).prop_map(Try::RemoveDevice),
    ];
    proptest::collection::vec(one, 1..60)
}

impl Office {
    fn attempt(&mut self, attempt: &Try) -> Option<Vec<Change>> {
        let nth_member = |office: &Self, n: u8| office.snapshot.members.keys().nth(usize::from(n)).copied();
        let device = |n: u8| format!("device-{n}").parse().expect("a fixed name");
        let command = match *attempt {
            Try::Add(n) => return self.add("M", &format!("m{n}@x")).ok().map(|_| Vec::new()),
            Try::Suspend(n) => Command::SuspendMember { member: nth_member(self, n)? },
            Try::Resume(n) => Command::ResumeMember { member: nth_member(self, n)? },
            Try::End(n) => Command::EndMember { member: nth_member(self, n)? },
            Try::Badge(n, uid) => return self.badge(nth_member(self, n)?, &format!("04A1B2{uid:02X}")).ok(),
            Try::Revoke(n) => {
                Command::RevokeCredential { credential: self.snapshot.credentials.keys().nth(usize::from(n)).copied()? }
            }
            Try::Device(n) => {
                Command::AddDevice { name: device(n), profile: DeviceProfile::Reader, password_sha256: [n; 32] }
            }
            Try::RemoveDevice(n) => Command::RemoveDevice { name: device(n) },
        };
        self.submit(command).ok()
    }
}

proptest! {
    #[test]
    fn whatever_is_tried_the_snapshot_stays_sound(tries in tries()) {
        let mut office = Office::new();
        for attempt in &tries {
            let before = office.snapshot.generation;
            let changes = office.attempt(attempt);
            let snapshot = &office.snapshot;
            prop_assert_eq!(snapshot.generation, before + u64::from(changes.is_some()));
            // Applying the same changes once more changes nothing but the generation.
            let again = snapshot.with(&changes.unwrap_or_default());
            prop_assert_eq!(&again.members, &snapshot.members);
            prop_assert_eq!(&again.credentials, &snapshot.credentials);
            prop_assert_eq!(&again.devices, &snapshot.devices);
            // No two members share an address, and no live badge has two holders.
            let emails: BTreeSet<_> = snapshot.members.values().map(|member| member.email.0.to_lowercase()).collect();
            prop_assert_eq!(emails.len(), snapshot.members.len());
            let live: Vec<_> = snapshot.credentials.values().filter(|credential| credential.revoked_at.is_none()).collect();
            let uids: BTreeSet<_> = live.iter().filter_map(|credential| match &credential.kind {
                crate::CredentialKind::Badge { uid } => Some(uid.0.clone()),
                _ => None,
            }).collect();
            prop_assert_eq!(uids.len(), live.len());
            // The look-ups are those that a fresh load would build.
            for credential in &live {
                if let crate::CredentialKind::Badge { uid } = &credential.kind {
                    prop_assert_eq!(snapshot.badge(&uid.0).map(|found| found.id), Some(credential.id));
                }
            }
            for member in snapshot.members.values() {
                prop_assert_eq!(snapshot.member_by_email(&member.email.0).map(|found| found.id), Some(member.id));
            }
        }
    }
}

#[test]
fn a_plan_is_changed_to_one_that_is_there_and_different() {
    let mut office = Office::new();
    let mara = office.add("Mara", "mara@example.org").expect("she is added");
    let mut change = |plan: &str| {
        let plan = plan.parse().expect("a fixed name");
        office.submit(Command::ChangePlan { member: mara, plan })
    };
    assert_eq!(code(change("gone")), "unknown-plan");
    assert_eq!(code(change("resident")), "already-so");
    let changes = change("flex").expect("there is such a plan");
    assert!(matches!(&changes[..], [Change::Member(member)] if member.plan.as_str() == "flex" && member.revision == 2));
    office.submit(Command::EndMember { member: mara }).expect("she leaves");
    let plan = "resident".parse().expect("a fixed name");
    assert_eq!(code(office.submit(Command::ChangePlan { member: mara, plan })), "member-ended");
}
