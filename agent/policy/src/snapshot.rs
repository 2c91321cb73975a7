//! All policy state at one moment, immutable. The Registrar makes the next one from this one and a list of changes; readers
//! keep the one they hold for as long as a decision takes. Two snapshots share what did not change between them, so that the
//! next one costs the same however many members there are ([`SharedMap`]).

mod shared;

pub use shared::SharedMap;

use crate::access_point::AccessPointCertificate;
use crate::apply::Change;
use crate::people::{Credential, CredentialKind, Member, Pass, Team};
use crate::print::{PrintAccount, Reservation, Settlement};
use crate::reason::Reason;
use crate::site::{Device, Plan, SiteModel};
use crate::wifi::VlanTest;
use std::borrow::Borrow;
use std::sync::Arc;
use values::{
    AccessPointName, BookingId, CredentialId, DeviceName, JobId, MacAddress, MemberId, NetworkName, PassId,
    ResourceName, Secret, TeamId, Timestamp,
};

/// Objects that are shared between snapshots until they change.
pub type Shared<K, V> = SharedMap<K, Arc<V>>;

/// A room or desk that can be had for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub name: ResourceName,
    pub title: String,
}

/// A resource taken by a member for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    pub id: BookingId,
    pub resource: ResourceName,
    pub member: MemberId,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// All that decisions are made from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Orders snapshots; each committed command adds one.
    pub generation: u64,
    pub site: Arc<SiteModel>,
    /// The argon2id hash (PHC string) of the administrator's password; none until the box is claimed.
    pub admin: Option<Secret<String>>,
    pub members: Shared<MemberId, Member>,
    pub teams: Shared<TeamId, Team>,
    pub passes: Shared<PassId, Pass>,
    pub credentials: Shared<CredentialId, Credential>,
    pub devices: Shared<DeviceName, Device>,
    pub print_accounts: Shared<MemberId, PrintAccount>,
    /// Open reservations only.
    pub reservations: Shared<JobId, Reservation>,
    pub resources: Shared<ResourceName, Resource>,
    pub bookings: Shared<BookingId, Booking>,
    /// The newest test of each network's VLAN.
    pub vlan_tests: Shared<NetworkName, VlanTest>,
    /// The RadSec certificate of each access point that has one.
    pub access_point_certificates: Shared<AccessPointName, AccessPointCertificate>,
    index: Index,
}

/// Look-ups by what the network shows us and by whose it is, kept beside the maps.
#[derive(Clone, Debug, Default)]
struct Index {
    wifi_username: SharedMap<Arc<str>, CredentialId>,
    print_username: SharedMap<Arc<str>, CredentialId>,
    badge: SharedMap<Arc<str>, CredentialId>,
    /// By the certificate's fingerprint.
    certificate: SharedMap<[u8; 32], CredentialId>,
    /// Registered devices, and passphrases of one device: each kind with a map of its own.
    registered: SharedMap<MacAddress, CredentialId>,
    passphrase: SharedMap<MacAddress, CredentialId>,
    /// In lower case.
    email: SharedMap<Arc<str>, MemberId>,
    team_name: SharedMap<Arc<str>, TeamId>,
    /// All that a member was ever given, in the order of the ids.
    credentials: SharedMap<MemberId, Arc<Vec<CredentialId>>>,
    passes: SharedMap<MemberId, Arc<Vec<PassId>>>,
}

/// What was loaded from the store, before the look-ups are built.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    pub generation: u64,
    pub admin: Option<Secret<String>>,
    pub members: Vec<Member>,
    pub teams: Vec<Team>,
    pub passes: Vec<Pass>,
    pub credentials: Vec<Credential>,
    pub devices: Vec<Device>,
    pub print_accounts: Vec<(MemberId, PrintAccount)>,
    pub reservations: Vec<Reservation>,
    pub vlan_tests: Vec<VlanTest>,
    pub access_point_certificates: Vec<AccessPointCertificate>,
}

impl Snapshot {
    /// The first snapshot of a run: the site file's model and what the store holds.
    #[must_use]
    pub fn load(site: Arc<SiteModel>, loaded: Loaded) -> Self {
        let mut snapshot = Self {
            generation: loaded.generation,
            site,
            admin: loaded.admin,
            members: by(loaded.members, |member| member.id),
            teams: by(loaded.teams, |team| team.id),
            passes: by(loaded.passes, |pass| pass.id),
            credentials: by(loaded.credentials, |credential| credential.id),
            devices: by(loaded.devices, |device| device.name.clone()),
            print_accounts: loaded.print_accounts.into_iter().map(|(id, account)| (id, Arc::new(account))).collect(),
            reservations: by(loaded.reservations, |reservation| reservation.job),
            resources: Shared::default(),
            bookings: Shared::default(),
            vlan_tests: by(loaded.vlan_tests, |test| test.network.clone()),
            access_point_certificates: by(loaded.access_point_certificates, |issued| issued.access_point.clone()),
            index: Index::default(),
        };
        let mut index = Index::default();
        snapshot.members.values().for_each(|member| index.add_member(member));
        snapshot.teams.values().for_each(|team| index.add_team(team));
        snapshot.passes.values().for_each(|pass| index.add_pass(pass));
        snapshot.credentials.values().for_each(|credential| index.add_credential(credential));
        snapshot.index = index;
        snapshot
    }

    /// The snapshot after these changes. Each change says everything about its object, so applying twice changes nothing.
    #[must_use]
    pub fn with(&self, changes: &[Change]) -> Self {
        let mut next = self.clone();
        next.generation += 1;
        for change in changes {
            next.put(change);
        }
        next
    }

    fn put(&mut self, change: &Change) {
        match change {
            Change::Admin(hash) => self.admin = hash.clone(),
            Change::Site(site) => self.site = Arc::clone(site),
            Change::Member(member) => {
                let old = self.members.insert(member.id, Arc::new(member.clone()));
                if let Some(old) = old.filter(|old| old.email != member.email) {
                    self.index.email.remove(old.email.0.to_lowercase().as_str());
                }
                self.index.add_member(member);
            }
            Change::Team(team) => {
                let old = self.teams.insert(team.id, Arc::new(team.clone()));
                if let Some(old) = old.filter(|old| old.name != team.name) {
                    self.index.team_name.remove(old.name.as_str());
                }
                self.index.add_team(team);
            }
            Change::Pass(pass) => {
                self.index.add_pass(pass);
                insert(&mut self.passes, pass.id, pass);
            }
            Change::Credential(credential) => {
                self.index.add_credential(credential);
                insert(&mut self.credentials, credential.id, credential);
            }
            Change::Device(device) => insert(&mut self.devices, device.name.clone(), device),
            Change::DeviceRemoved(name) => drop(self.devices.remove(name)),
            Change::AccessPointCertificate(issued) => {
                insert(&mut self.access_point_certificates, issued.access_point.clone(), issued);
            }
            Change::AccessPointCertificateRemoved(name) => drop(self.access_point_certificates.remove(name)),
            Change::VlanTest(test) => insert(&mut self.vlan_tests, test.network.clone(), test),
            Change::PrintReserved { reservation, account } => {
                insert(&mut self.reservations, reservation.job, reservation);
                insert(&mut self.print_accounts, reservation.member, account);
            }
            Change::PrintSettled { job, member, settlement, account, .. } => {
                // What needs checking stays reserved until a counter or a person settles it.
                if !matches!(settlement, Settlement::NeedsChecking) {
                    self.reservations.remove(job);
                }
                insert(&mut self.print_accounts, *member, account);
            }
            Change::PrintCredited { member, account, .. } => insert(&mut self.print_accounts, *member, account),
        }
    }

    /// The Wi-Fi key with this user name, realm and case set aside; revoked ones included, so that `why` can say so.
    #[must_use]
    pub fn wifi_key(&self, username: &str) -> Option<&Credential> {
        self.by_index(&self.index.wifi_username, self.bare_username(username).as_str())
    }

    #[must_use]
    pub fn print_token(&self, username: &str) -> Option<&Credential> {
        self.by_index(&self.index.print_username, self.bare_username(username).as_str())
    }

    /// The badge with this canonical UID ([`crate::people::canonical_uid`]), unless it was revoked and given to nobody since.
    #[must_use]
    pub fn badge(&self, uid: &str) -> Option<&Credential> {
        self.by_index(&self.index.badge, uid)
    }

    /// The device certificate with this SHA-256; revoked ones included, so that `why` can say so.
    #[must_use]
    pub fn device_certificate(&self, fingerprint: &[u8; 32]) -> Option<&Credential> {
        self.by_index(&self.index.certificate, fingerprint)
    }

    /// The registration of this device for MAC authentication; revoked ones included.
    #[must_use]
    pub fn registered_device(&self, mac: MacAddress) -> Option<&Credential> {
        self.by_index(&self.index.registered, &mac)
    }

    /// The passphrase that was issued for this device alone; revoked ones included.
    #[must_use]
    pub fn passphrase_of_device(&self, mac: MacAddress) -> Option<&Credential> {
        self.by_index(&self.index.passphrase, &mac)
    }

    #[must_use]
    pub fn member_by_email(&self, email: &str) -> Option<&Member> {
        self.index.email.get(email.to_lowercase().as_str()).and_then(|id| self.members.get(id)).map(AsRef::as_ref)
    }

    /// A member by id, e-mail address or exact name where only one has it.
    ///
    /// # Errors
    /// Nobody is called that, or several are.
    pub fn find_member(&self, text: &str) -> Result<&Member, Reason> {
        if let Ok(id) = text.parse::<MemberId>() {
            return self.members.get(&id).map(AsRef::as_ref).ok_or(Reason::UnknownMember);
        }
        if let Some(member) = self.member_by_email(text) {
            return Ok(member);
        }
        let named: Vec<&Member> =
            self.members.values().map(AsRef::as_ref).filter(|member| member.name.0 == text).collect();
        match named.as_slice() {
            [] => Err(Reason::UnknownMember),
            [only] => Ok(only),
            several => Err(Reason::AmbiguousMember { members: u32::try_from(several.len()).unwrap_or(u32::MAX) }),
        }
    }

    #[must_use]
    pub fn team_by_name(&self, name: &str) -> Option<&Team> {
        self.index.team_name.get(name).and_then(|id| self.teams.get(id)).map(AsRef::as_ref)
    }

    #[must_use]
    pub fn plan_of(&self, member: &Member) -> Option<&Plan> {
        self.site.plans.get(&member.plan)
    }

    pub fn credentials_of(&self, member: MemberId) -> impl Iterator<Item = &Credential> {
        let ids = self.index.credentials.get(&member).into_iter().flat_map(|ids| ids.iter());
        ids.filter_map(|id| self.credentials.get(id)).map(AsRef::as_ref)
    }

    pub fn passes_of(&self, member: MemberId) -> impl Iterator<Item = &Pass> {
        let ids = self.index.passes.get(&member).into_iter().flat_map(|ids| ids.iter());
        ids.filter_map(|id| self.passes.get(id)).map(AsRef::as_ref)
    }

    /// A user name as it is stored: lower case, without this site's realm.
    fn bare_username(&self, username: &str) -> String {
        let lower = username.to_lowercase();
        match lower.split_once('@') {
            Some((bare, realm)) if realm == self.site.site.realm => bare.to_owned(),
            _ => lower,
        }
    }

    fn by_index<K, Q>(&self, index: &SharedMap<K, CredentialId>, key: &Q) -> Option<&Credential>
    where
        K: Ord + Borrow<Q>,
        Q: Ord + ?Sized,
    {
        index.get(key).and_then(|id| self.credentials.get(id)).map(AsRef::as_ref)
    }
}

impl Index {
    fn add_member(&mut self, member: &Member) {
        self.email.insert(member.email.0.to_lowercase().into(), member.id);
    }

    fn add_team(&mut self, team: &Team) {
        self.team_name.insert(team.name.as_str().into(), team.id);
    }

    fn add_pass(&mut self, pass: &Pass) {
        add_to(&mut self.passes, pass.member, pass.id);
    }

    fn add_credential(&mut self, credential: &Credential) {
        add_to(&mut self.credentials, credential.member, credential.id);
        match &credential.kind {
            CredentialKind::WifiKey { username, .. } => lead(&mut self.wifi_username, username.as_str(), credential),
            CredentialKind::PrintToken { username, .. } => {
                lead(&mut self.print_username, username.as_str(), credential);
            }
            CredentialKind::Badge { uid } => lead(&mut self.badge, uid.0.as_str(), credential),
            CredentialKind::DeviceCertificate { fingerprint, .. } => {
                lead(&mut self.certificate, *fingerprint, credential);
            }
            CredentialKind::RegisteredDevice { mac } => lead(&mut self.registered, *mac, credential),
            CredentialKind::WifiPassphrase { mac: Some(mac), .. } => lead(&mut self.passphrase, *mac, credential),
            CredentialKind::WifiPassphrase { mac: None, .. } => {}
        }
    }
}

/// Leads what the network shows to a credential. A live one takes its key over from a revoked one, never the other way round.
fn lead<K: Ord + Clone>(map: &mut SharedMap<K, CredentialId>, key: impl Into<K>, credential: &Credential) {
    let key = key.into();
    if credential.revoked_at.is_none() || !map.contains_key(&key) {
        map.insert(key, credential.id);
    }
}

/// Adds what is a member's to what she has.
fn add_to<I: Ord + Copy>(map: &mut SharedMap<MemberId, Arc<Vec<I>>>, member: MemberId, id: I) {
    let mut ids = map.get(&member).cloned().unwrap_or_default();
    if let Err(at) = ids.binary_search(&id) {
        Arc::make_mut(&mut ids).insert(at, id);
        map.insert(member, ids);
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}"); // into a string, which cannot fail
        out
    })
}

fn by<K: Ord + Clone, V>(values: Vec<V>, key: impl Fn(&V) -> K) -> Shared<K, V> {
    values.into_iter().map(|value| (key(&value), Arc::new(value))).collect()
}

fn insert<K: Ord + Clone, V: Clone>(map: &mut Shared<K, V>, key: K, value: &V) {
    map.insert(key, Arc::new(value.clone()));
}
