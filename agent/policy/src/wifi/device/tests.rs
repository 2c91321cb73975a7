//! One table: what an address stands for, by network and by what was issued.

use super::*;
use crate::people::{Member, MemberStatus, Window};
use crate::site::{Network, Plan, Site, SiteModel, Ssid};
use crate::snapshot::Loaded;
use crate::wifi::{Rates, Stage, WifiFacts, WifiPlan, WifiQuestion, admit};
use std::collections::BTreeMap;
use std::sync::Arc;
use values::{MemberId, Mono, Now, Pii, Timestamp};

const NOON: Timestamp = Timestamp::from_seconds(1_795_435_200);
const MARA: MemberId = MemberId::from_random([1; 16]);

fn mac(last: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, last])
}

fn id(n: u8) -> CredentialId {
    CredentialId::from_random([n; 16])
}

fn name<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a fixed name")
}

fn site() -> SiteModel {
    let wifi = WifiPlan {
        network: name("members"),
        device_limit: 2,
        hours: None,
        rates: Rates::default(),
        idle_timeout_minutes: None,
    };
    let plan = Plan { name: name("resident"), title: "Resident".into(), wifi: Some(wifi), print: None, doors: vec![] };
    let network = Network { name: name("members"), vlan: None, vlan_name: None, vlan_tested: false, team: None };
    let ssid = |name: &str, security| Ssid { name: name.into(), security };
    SiteModel {
        generation: 1,
        ssids: vec![ssid("Harbour", SsidSecurity::Enterprise), ssid("Things", SsidSecurity::Passphrase)],
        eap_methods: crate::EapMethod::ALL.to_vec(),
        site: Site {
            name: "Harbour Works".into(),
            realm: "harbour.example".into(),
            time_zone: jiff::tz::TimeZone::UTC,
            holidays: Default::default(),
            currency: "EUR".into(),
        },
        schedules: BTreeMap::new(),
        networks: [(name("members"), network)].into(),
        access_points: BTreeMap::new(),
        printers: BTreeMap::new(),
        doors: BTreeMap::new(),
        plans: [(name("resident"), plan)].into(),
    }
}

fn credential(n: u8, kind: CredentialKind, revoked: bool) -> Credential {
    let revoked_at = revoked.then_some(NOON);
    Credential { id: id(n), revision: 1, member: MARA, label: Pii("plug".into()), kind, issued_at: NOON, revoked_at }
}

fn passphrase(mac: Option<MacAddress>, ssids: &[&str]) -> CredentialKind {
    let pmks = ssids.iter().map(|ssid| ((*ssid).to_owned(), Secret::new([9; 32]))).collect();
    CredentialKind::WifiPassphrase { passphrase: Secret::new("k7m2p-9qxrt".into()), mac, pmks }
}

fn snapshot(credentials: Vec<Credential>) -> Snapshot {
    let member = Member {
        id: MARA,
        revision: 1,
        name: Pii("Mara Holm".into()),
        email: Pii("mara@example.org".into()),
        plan: name("resident"),
        team: None,
        status: MemberStatus::Active,
        valid: Window::default(),
        home_site: None,
        shows_presence: false,
        added_at: NOON,
    };
    Snapshot::load(Arc::new(site()), Loaded { members: vec![member], credentials, ..Loaded::default() })
}

#[test]
fn an_address_stands_for_what_was_issued_where_it_is_asked() {
    let registered = || credential(1, CredentialKind::RegisteredDevice { mac: mac(1) }, false);
    let bound = |revoked| credential(2, passphrase(Some(mac(1)), &["Things"]), revoked);
    let unbound = || credential(3, passphrase(None, &["Things"]), false);
    let not_there = || Reason::NotAPassphraseNetwork { ssid: "Harbour".into() };
    let needs_login = || Reason::NetworkNeedsLogin { ssid: "Harbour".into() };
    let (nowhere, things, harbour, lobby) = (None, Some("Things"), Some("Harbour"), Some("Lobby"));
    type Case =
        (&'static str, Vec<Credential>, Option<&'static str>, Option<CredentialId>, Result<CredentialId, Reason>);
    let cases: Vec<Case> = vec![
        ("nothing", vec![], nowhere, None, Err(Reason::DeviceNotRegistered)),
        ("nothing, elsewhere", vec![], harbour, None, Err(Reason::DeviceNotRegistered)),
        ("nothing, for passphrases", vec![], things, None, Err(Reason::NoPassphraseForDevice)),
        ("registered", vec![registered()], nowhere, None, Ok(id(1))),
        ("registered, elsewhere", vec![registered()], lobby, None, Ok(id(1))),
        ("registered, by 802.1X", vec![registered()], harbour, None, Err(needs_login())),
        ("registered, for passphrases", vec![registered()], things, None, Ok(id(1))),
        // Nobody would check the passphrase there, and the address alone must not do.
        ("bound, nowhere", vec![bound(false)], nowhere, None, Err(Reason::NetworkNotNamed)),
        ("bound, elsewhere", vec![bound(false)], harbour, None, Err(not_there())),
        ("bound", vec![bound(false)], things, None, Ok(id(2))),
        ("both", vec![registered(), bound(false)], things, None, Ok(id(2))),
        ("both, elsewhere", vec![registered(), bound(false)], lobby, None, Ok(id(1))),
        ("both, by 802.1X", vec![registered(), bound(false)], harbour, None, Err(needs_login())),
        ("revoked is told", vec![bound(true)], things, None, Ok(id(2))),
        ("a live one before a revoked one", vec![bound(true), registered()], things, None, Ok(id(1))),
        ("a member's, not seen yet", vec![unbound()], things, None, Err(Reason::NoPassphraseForDevice)),
        ("a member's, seen", vec![unbound()], things, Some(id(3)), Ok(id(3))),
        ("a member's, seen, elsewhere", vec![unbound()], harbour, Some(id(3)), Err(Reason::DeviceNotRegistered)),
        ("its own before one that was seen", vec![unbound(), bound(false)], things, Some(id(3)), Ok(id(2))),
    ];
    for (what, credentials, ssid, learned, expected) in cases {
        let question = AddressQuestion { mac: mac(1), ssid, is_sae: false, learned };
        let found = identify_address(&snapshot(credentials), &question).map(|credential| credential.id);
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn wpa3_is_told_to_need_the_address() {
    let question = AddressQuestion { mac: mac(1), ssid: Some("Things"), is_sae: true, learned: None };
    let found = identify_address(&snapshot(vec![]), &question).map(|credential| credential.id);
    assert_eq!(found, Err(Reason::PassphraseNeedsAddress));
}

#[test]
fn what_is_bound_to_an_address_lets_no_other_in() {
    let credentials = vec![
        credential(1, CredentialKind::RegisteredDevice { mac: mac(1) }, false),
        credential(2, passphrase(Some(mac(1)), &["Things"]), false),
        credential(3, passphrase(None, &["Things"]), false),
        credential(4, passphrase(None, &["Things"]), true),
    ];
    let snapshot = snapshot(credentials);
    let ask = |n, mac| {
        let question = WifiQuestion { credential: id(n), mac: Some(mac), stage: Stage::Joining };
        admit(&snapshot, &WifiFacts::default(), &question, Now::trusted(Mono(0), NOON)).map(|terms| terms.credential)
    };
    assert_eq!(ask(1, mac(1)), Ok(id(1)));
    assert_eq!(ask(1, mac(2)), Err(Reason::PassphraseOfOtherDevice));
    assert_eq!(ask(2, mac(1)), Ok(id(2)));
    assert_eq!(ask(2, mac(2)), Err(Reason::PassphraseOfOtherDevice));
    assert_eq!(ask(3, mac(2)), Ok(id(3)));
    assert!(matches!(ask(4, mac(2)), Err(Reason::CredentialRevoked { .. })));
}

#[test]
fn a_running_session_is_known_by_id_or_by_address() {
    let credentials = vec![
        credential(1, CredentialKind::RegisteredDevice { mac: mac(1) }, false),
        credential(2, passphrase(Some(mac(1)), &["Things"]), true),
        credential(3, passphrase(Some(mac(2)), &["Things"]), false),
    ];
    let snapshot = snapshot(credentials);
    for (username, expected) in [
        (id(3).to_string(), Some(id(3))),
        (mac(1).to_string(), Some(id(1))),
        ("02-00-00-00-00-02".to_owned(), Some(id(3))),
        (mac(9).to_string(), None),
        ("mara-7k2p".to_owned(), None),
    ] {
        let found = crate::wifi::credential_of_session(&snapshot, &username).map(|credential| credential.id);
        assert_eq!(found, expected, "{username}");
    }
}

#[test]
fn candidates_are_tried_in_the_order_of_their_likelihood() {
    let credentials = vec![
        credential(1, passphrase(None, &["Things"]), true),
        credential(2, passphrase(Some(mac(1)), &["Things"]), false),
        credential(3, passphrase(None, &["Things"]), false),
        credential(4, passphrase(None, &["Elsewhere"]), false),
        credential(5, CredentialKind::RegisteredDevice { mac: mac(1) }, false),
    ];
    let snapshot = snapshot(credentials);
    let ids: Vec<CredentialId> = candidates(&snapshot, "Things").iter().map(|candidate| candidate.credential).collect();
    assert_eq!(ids, [id(3), id(2), id(1)]);
}

#[test]
fn a_passphrase_lacks_the_keys_of_networks_that_came_later() {
    let credentials = vec![
        credential(1, passphrase(None, &["Things"]), false),
        credential(2, passphrase(None, &["Elsewhere"]), false),
        credential(3, passphrase(None, &[]), true),
    ];
    let lacking = unprepared(&snapshot(credentials));
    assert_eq!(lacking.len(), 1);
    assert_eq!((lacking[0].credential, lacking[0].ssids.as_slice()), (id(2), &["Things".to_owned()][..]));
}
