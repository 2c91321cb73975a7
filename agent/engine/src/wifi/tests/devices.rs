//! Devices without 802.1X: by address, by a passphrase of their own, and by a handshake in which it has to be found. The handshake
//! is the captured one of proto's vectors, so device, access point, network and passphrase are those.

use super::super::*;
use super::world::*;
use policy::{
    AccessPointProfile, Change, Credential, CredentialKind, SiteModel, Ssid, SsidSecurity, wifi::device::Unprepared,
};
use proto::radius::{
    AttributeType, Code, KeyKind, Packet, VENDOR_MICROSOFT, Writer, hide_password, open_salted, vendor,
};
use values::{CredentialId, MacAddress, Pii, Secret};

pub const SSID: &str = "Andrena_39_Lincoln";
const PASSPHRASE: &str = "Pancakes1124";
const PMK: &str = "44a4f34b6270fccb7dffa8c9e610e3b80f021c8165bcf53c99c3f818167982ab";
const ANONCE: &str = "4df70a4285c5c61f177cdbfc29d7e3cac94167f6101f1bcab420dd50c4f8809d";
pub const M2: &str = "0203007502010a00100000000000000001c3bb319516614aacfb44e933bf1671131fb1856e5b2721952d414ce3f5aa312b\
    000000000000000000000000000000000000000000000000000000000000000035cddcedad0dfb6a12a2eca55c17c3230016\
    30140100000fac040100000fac040100000fac028c00";
const RADIO: &str = "34-EF-B6-AF-48-9E";
const DEVICE: MacAddress = MacAddress([0x8a, 0xb3, 0xa0, 0xeb, 0xd5, 0xe5]);

pub fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn pmk() -> [u8; 32] {
    hex(PMK).try_into().expect("32 octets")
}

fn site_of(profile: AccessPointProfile) -> SiteModel {
    let mut site = site();
    site.ssids = vec![Ssid { name: SSID.into(), security: SsidSecurity::Passphrase }];
    site.access_points.values_mut().for_each(|point| point.profile = profile);
    site
}

/// Credentials of their own numbers begin at 100; they belong to member `n`.
fn credential(id: u8, n: u8, kind: CredentialKind) -> Credential {
    Credential {
        id: credential_id(id),
        revision: 1,
        member: member_id(n),
        label: Pii("plug".into()),
        kind,
        issued_at: NOON,
        revoked_at: None,
    }
}

pub fn registered(id: u8, n: u8, mac: MacAddress) -> Credential {
    credential(id, n, CredentialKind::RegisteredDevice { mac })
}

pub fn passphrase(id: u8, n: u8, mac: Option<MacAddress>, passphrase: &str, pmk: [u8; 32]) -> Credential {
    let pmks = [(SSID.to_owned(), Secret::new(pmk))].into();
    credential(id, n, CredentialKind::WifiPassphrase { passphrase: Secret::new(passphrase.into()), mac, pmks })
}

/// The passphrase of the captured handshake, of member 1.
fn its(mac: Option<MacAddress>) -> Credential {
    passphrase(100, 1, mac, PASSPHRASE, pmk())
}

pub fn world_with(profile: AccessPointProfile, credentials: Vec<Credential>) -> World {
    let mut world = World::new();
    let changes = credentials.into_iter().map(Change::Credential);
    world.change(&[Change::Site(Arc::new(site_of(profile)))].into_iter().chain(changes).collect::<Vec<_>>());
    world
}

fn plain(mac: MacAddress) -> String {
    mac.to_string().replace(':', "")
}

/// What hostapd sends with `macaddr_acl=2`: the address as user name and as password.
pub fn by_address(identifier: u8, mac: MacAddress, ssid: Option<&str>) -> Writer {
    let authenticator = authenticator(identifier, mac.0[5]);
    let called = ssid.map_or(RADIO.to_owned(), |ssid| format!("{RADIO}:{ssid}"));
    Writer::request(Code::AccessRequest, identifier, authenticator)
        .text(AttributeType::USER_NAME, &plain(mac))
        .attribute(AttributeType::USER_PASSWORD, &hide_password(plain(mac).as_bytes(), &authenticator, SECRET))
        .text(AttributeType::CALLED_STATION_ID, &called)
        .text(AttributeType::CALLING_STATION_ID, &mac.to_string().replace(':', "-").to_uppercase())
}

/// What hostapd adds with `wpa_psk_radius=3`.
pub fn with_handshake(request: Writer, m2: &[u8]) -> Writer {
    let part = |kind: u8, value: &[u8]| [&[26, 0][..], &vendor::FREERADIUS.to_be_bytes(), &[kind], value].concat();
    request
        .attribute(AttributeType::EXTENDED_ATTRIBUTE_5, &part(1, &hex(ANONCE)))
        .attribute(AttributeType::EXTENDED_ATTRIBUTE_5, &part(2, m2))
}

fn by_handshake(identifier: u8) -> Writer {
    with_handshake(by_address(identifier, DEVICE, Some(SSID)), &hex(M2))
}

fn ask(world: &mut World, request: Writer) -> Reply {
    world.exchange(&request.finish(SECRET).expect("it fits")).expect("an answer")
}

/// The Tunnel-Password of an answer to `by_address(identifier, mac)`.
fn tunnel_password(reply: &Reply, identifier: u8, mac: MacAddress) -> Option<String> {
    let packet = reply.packet();
    let value = packet.first(AttributeType::TUNNEL_PASSWORD)?;
    let opened = open_salted(&value[1..], &authenticator(identifier, mac.0[5]), SECRET).expect("it opens");
    Some(String::from_utf8(opened.expose().clone()).expect("ASCII"))
}

fn last(world: &World) -> &Record {
    world.records.iter().rfind(|record| record.code != "wifi-session-began").expect("a record")
}

#[test]
fn a_registered_device_comes_in_by_its_address_on_its_members_terms() {
    let mut world = world_with(AccessPointProfile::Generic, vec![registered(100, 1, mac(7))]);
    let accept = ask(&mut world, by_address(1, mac(7), Some("Harbour-Open")));
    assert_eq!(accept.code, Code::AccessAccept);
    assert_eq!(accept.text(AttributeType::TUNNEL_PRIVATE_GROUP_ID).as_deref(), Some("10"));
    assert!(accept.packet().integer(AttributeType::SESSION_TIMEOUT).is_some_and(|seconds| seconds > 0));
    assert!(tunnel_password(&accept, 1, mac(7)).is_none());
    let admitted = last(&world);
    assert_eq!((admitted.code.as_str(), admitted.member), ("wifi-admitted", Some(member_id(1))));
    assert_eq!(admitted.facts.get("method").map(String::as_str), Some("address"));

    // hostapd knows no Class of such a device; its Start leads to the session by the address.
    assert!(world.account(2, report(2, 1, 7, "a1", None)));
    world.pass(Duration::from_secs(1));
    let session = world.presence.sessions.first().expect("a session");
    assert_eq!((session.row.member, session.row.credential), (Some(member_id(1)), Some(credential_id(100))));

    let sent = world.suspend(1);
    let [(Socket::DynamicAuthorization, COA, request)] = &sent[..] else { panic!("one Disconnect-Request") };
    let packet = Packet::decode(request).expect("a packet");
    assert_eq!(packet.text(AttributeType::ACCT_SESSION_ID), Some("a1"));
    assert_eq!(packet.text(AttributeType::CALLING_STATION_ID), Some("02-00-00-00-00-07"));
    assert_eq!(packet.text(AttributeType::USER_NAME), None); // hostapd has none for it, and compares
    assert_eq!(ask(&mut world, by_address(3, mac(7), Some("Harbour-Open"))).code, Code::AccessReject);
    assert_eq!(last(&world).code, "member-suspended");
}

#[test]
fn a_session_that_is_first_heard_of_after_a_restart_is_its_members() {
    for user_name in [credential_id(100).to_string(), plain(mac(7))] {
        let mut world = world_with(AccessPointProfile::Hostapd, vec![registered(100, 1, mac(7))]);
        let interim = Writer::request(Code::AccountingRequest, 1, [0; 16])
            .integer(AttributeType::ACCT_STATUS_TYPE, 3)
            .text(AttributeType::ACCT_SESSION_ID, "a1")
            .text(AttributeType::CALLING_STATION_ID, &mac(7).to_string())
            .text(AttributeType::USER_NAME, &user_name);
        assert!(world.account(1, interim));
        world.pass(Duration::from_secs(1));
        assert_eq!(
            world.presence.sessions.first().and_then(|session| session.row.member),
            Some(member_id(1)),
            "{user_name}"
        );
        let sent = world.suspend(1);
        assert!(sent.iter().any(|(socket, _, _)| *socket == Socket::DynamicAuthorization), "{user_name}");
    }
}

#[test]
fn revoking_a_registration_sends_its_device_away_and_no_other() {
    let mut world =
        world_with(AccessPointProfile::Generic, vec![registered(100, 1, mac(7)), registered(101, 1, mac(8))]);
    for (identifier, n) in [(1, 7), (2, 8)] {
        assert_eq!(ask(&mut world, by_address(identifier, mac(n), None)).code, Code::AccessAccept);
        assert!(world.account(identifier + 10, report(identifier + 10, 1, n, &format!("a{n}"), None)));
    }
    let revoked = Credential { revoked_at: Some(NOON), ..registered(100, 1, mac(7)) };
    let sent = world.change(&[Change::Credential(revoked)]);
    let told: Vec<_> = sent.iter().filter(|(socket, _, _)| *socket == Socket::DynamicAuthorization).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(Packet::decode(&told[0].2).expect("a packet").text(AttributeType::ACCT_SESSION_ID), Some("a7"));
    assert_eq!(ask(&mut world, by_address(3, mac(7), None)).code, Code::AccessReject);
    assert_eq!(last(&world).code, "credential-revoked");
}

#[test]
fn an_unknown_device_is_refused_and_told_of_once_a_minute() {
    let mut world = world_with(AccessPointProfile::Generic, vec![registered(100, 1, mac(7))]);
    for identifier in 1..=5 {
        assert_eq!(ask(&mut world, by_address(identifier, mac(9), None)).code, Code::AccessReject);
    }
    assert_eq!(world.codes(), ["device-not-registered"]);
    assert_eq!(world.records[0].personal["mac"].0, mac(9).to_string());
    assert!(world.records[0].sentence.contains("doorpost wifi register"));
}

#[test]
fn a_device_that_is_let_in_by_its_address_again_and_again_is_one_row_a_minute() {
    let mut world = world_with(AccessPointProfile::Generic, vec![registered(100, 1, mac(7))]);
    for identifier in 1..=5 {
        assert_eq!(ask(&mut world, by_address(identifier, mac(7), None)).code, Code::AccessAccept);
    }
    assert_eq!((world.codes(), world.engine.counters().admissions_folded), (vec!["wifi-admitted"], 4));
    world.pass(Duration::from_secs(60));
    assert_eq!(ask(&mut world, by_address(6, mac(7), None)).code, Code::AccessAccept);
    assert_eq!(world.codes(), ["wifi-admitted", "wifi-admitted"]);
}

#[test]
fn a_password_outside_a_tunnel_is_refused_whatever_it_is() {
    let mut world = world_with(AccessPointProfile::Generic, vec![registered(100, 1, mac(7))]);
    let pap = |name: &str, password: &str| {
        let hidden = hide_password(password.as_bytes(), &[5; 16], SECRET);
        Writer::request(Code::AccessRequest, 1, [5; 16])
            .text(AttributeType::USER_NAME, name)
            .attribute(AttributeType::USER_PASSWORD, &hidden)
    };
    assert_eq!(ask(&mut world, pap("user-1", "1")).code, Code::AccessReject);
    world.pass(Duration::from_secs(61));
    assert_eq!(ask(&mut world, pap(&plain(mac(7)), "a guess")).code, Code::AccessReject);
    assert_eq!(world.codes(), ["wifi-not-eap", "wifi-mac-auth-unusable"]);
    assert!(world.presence.sessions.is_empty());
}

#[test]
fn devices_by_address_count_against_the_plans_limit() {
    let devices = (7..10).map(|n| registered(100 + n, 1, mac(n))).collect();
    let mut world = world_with(AccessPointProfile::Generic, devices);
    for n in [7, 8] {
        assert_eq!(ask(&mut world, by_address(n, mac(n), None)).code, Code::AccessAccept);
        assert!(world.account(n, report(n, 1, n, &format!("a{n}"), None)));
    }
    assert_eq!(ask(&mut world, by_address(9, mac(9), None)).code, Code::AccessReject);
    assert_eq!(last(&world).code, "device-limit");
    assert_eq!(ask(&mut world, by_address(17, mac(7), None)).code, Code::AccessAccept, "the same device again");
}

#[test]
fn the_access_point_gets_the_passphrase_of_the_device_in_the_attribute_that_it_takes() {
    use AccessPointProfile as Make;
    for make in Make::ALL {
        let mut world = world_with(make, vec![its(Some(DEVICE))]);
        let accept = ask(&mut world, by_address(1, DEVICE, Some(SSID)));
        assert_eq!(accept.code, Code::AccessAccept, "{make:?}");
        let packet = accept.packet();
        let tunnel = tunnel_password(&accept, 1, DEVICE);
        let request = authenticator(1, DEVICE.0[5]);
        let vendors = |id, kind| packet.vendor(id, kind).next().map(<[u8]>::to_vec);
        let salted = |id, kind| vendors(id, kind).and_then(|value| open_salted(&value, &request, SECRET));
        let pairs: Vec<&[u8]> = packet.vendor(vendor::CISCO, vendor::CISCO_AV_PAIR).collect();
        let is_pair = pairs.contains(&&b"psk-mode=ascii"[..]) && pairs.contains(&&b"psk=Pancakes1124"[..]);
        let is_tunnel = tunnel.as_deref() == Some(PASSPHRASE);
        match make {
            Make::Generic | Make::Hostapd | Make::Unifi => assert!(is_tunnel && !is_pair, "{make:?}"),
            Make::Cisco | Make::Mist => assert!(is_tunnel && is_pair, "{make:?}"),
            Make::Aruba => {
                let key = salted(vendor::ARUBA, vendor::ARUBA_MPSK_PASSPHRASE).expect("it opens");
                assert_eq!((key.expose().as_slice(), tunnel), (PASSPHRASE.as_bytes(), None));
            }
            Make::Mikrotik => {
                assert_eq!(
                    vendors(vendor::MIKROTIK, vendor::MIKROTIK_WIRELESS_PSK).as_deref(),
                    Some(PASSPHRASE.as_bytes())
                );
            }
            Make::Ruckus => {
                let key = salted(VENDOR_MICROSOFT, KeyKind::Recv.vendor_type()).expect("it opens");
                assert_eq!(key.expose().as_slice(), pmk());
                assert_eq!(vendors(vendor::RUCKUS, vendor::RUCKUS_DPSK), Some([&[0][..], &pmk()].concat()));
            }
        }
        assert_eq!(last(&world).facts.get("method").map(String::as_str), Some("passphrase"));
    }
}

#[test]
fn a_passphrase_does_not_open_a_network_that_does_not_ask_for_it() {
    let mut world = world_with(AccessPointProfile::Hostapd, vec![its(Some(DEVICE))]);
    for (identifier, ssid, code) in [(1, None, "network-not-named"), (2, Some("Lobby"), "not-a-passphrase-network")] {
        assert_eq!(ask(&mut world, by_address(identifier, DEVICE, ssid)).code, Code::AccessReject);
        assert_eq!(last(&world).code, code);
    }
}

#[test]
fn a_handshake_finds_its_passphrase_and_the_device_is_known_from_then_on() {
    let others = (101..=105).map(|id| passphrase(id, 2, None, "another one", [id; 32]));
    let mut world = world_with(AccessPointProfile::Hostapd, others.chain([its(None)]).collect());
    let reject = ask(&mut world, by_address(1, DEVICE, Some(SSID)));
    assert_eq!((reject.code, last(&world).code.as_str()), (Code::AccessReject, "no-passphrase-for-device"));

    let accept = ask(&mut world, by_handshake(2));
    assert_eq!(accept.code, Code::AccessAccept);
    assert_eq!(tunnel_password(&accept, 2, DEVICE).as_deref(), Some(PASSPHRASE));
    assert_eq!(last(&world).member, Some(member_id(1)));
    assert_eq!(world.engine.counters().key_searches, 1);

    assert_eq!(ask(&mut world, by_handshake(3)).code, Code::AccessAccept);
    assert_eq!(world.engine.counters().key_searches, 1, "its own passphrase is tried first");
    let accept = ask(&mut world, by_address(4, DEVICE, Some(SSID)));
    assert_eq!(tunnel_password(&accept, 4, DEVICE).as_deref(), Some(PASSPHRASE), "by the address, too");

    let revoked = Credential { revoked_at: Some(NOON), ..its(None) };
    world.change(&[Change::Credential(revoked)]);
    assert_eq!(ask(&mut world, by_handshake(5)).code, Code::AccessReject);
    assert_eq!((last(&world).code.as_str(), last(&world).member), ("credential-revoked", Some(member_id(1))));
}

#[test]
fn a_device_is_still_known_after_a_restart_when_its_session_goes_on() {
    let mut before = world_with(AccessPointProfile::Hostapd, vec![its(None)]);
    assert_eq!(ask(&mut before, by_handshake(1)).code, Code::AccessAccept);
    before.pass(Duration::from_secs(1));
    let row = before.presence.sessions.first().expect("a session").row.clone();
    let mut world = World::with(vec![SessionRow { acct_session_id: "a1".into(), ..row }]);
    let site = Change::Site(Arc::new(site_of(AccessPointProfile::Hostapd)));
    world.change(&[site, Change::Credential(its(None))]);
    let accept = ask(&mut world, by_address(2, DEVICE, Some(SSID)));
    assert_eq!(tunnel_password(&accept, 2, DEVICE).as_deref(), Some(PASSPHRASE));
}

#[test]
fn what_is_wrong_with_a_passphrase_is_told() {
    let other = MacAddress([2, 0, 0, 0, 0, 99]);
    let revoked = Credential { revoked_at: Some(NOON), ..its(None) };
    for (what, credentials, code, member) in [
        ("nobody's", vec![], "wrong-passphrase", None),
        ("of another device", vec![its(Some(other))], "passphrase-of-other-device", Some(member_id(1))),
        ("revoked", vec![revoked], "credential-revoked", Some(member_id(1))),
        // The device has one of its own, and something else was typed on it: the member reads it.
        (
            "not its own",
            vec![passphrase(101, 2, Some(DEVICE), "its own", [9; 32])],
            "wrong-passphrase",
            Some(member_id(2)),
        ),
    ] {
        let mut world = world_with(AccessPointProfile::Hostapd, credentials);
        assert_eq!(ask(&mut world, by_handshake(1)).code, Code::AccessReject, "{what}");
        assert_eq!((last(&world).code.as_str(), last(&world).member), (code, member), "{what}");
    }
    let mut world = world_with(AccessPointProfile::Hostapd, vec![its(None)]);
    let mut sae = hex(M2);
    sae[118] = 8;
    let request = with_handshake(by_address(1, DEVICE, Some(SSID)), &sae);
    assert_eq!(ask(&mut world, request).code, Code::AccessReject);
    assert!(last(&world).code == "handshake-unusable" && last(&world).sentence.contains("WPA3"));
    let suite = by_address(2, DEVICE, Some(SSID)).integer(AttributeType::WLAN_AKM_SUITE, 0x000F_AC08);
    assert_eq!(ask(&mut world, suite).code, Code::AccessReject);
    assert_eq!(last(&world).code, "passphrase-needs-address");
}

/// Enough passphrases that a worker looks through them, the right one among them.
fn crowd() -> Vec<Credential> {
    let others = (0..200).map(|n| {
        let id = CredentialId::from_random([n, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
        Credential { id, ..passphrase(200, 2, None, "another one", [n; 32]) }
    });
    others.chain([its(None)]).collect()
}

#[test]
fn a_long_search_is_a_workers_and_judged_by_the_newest_snapshot() {
    let mut world = world_with(AccessPointProfile::Hostapd, crowd());
    let request = by_handshake(1).finish(SECRET).expect("it fits");
    let receive = |world: &mut World| {
        world.input(Input::Received { socket: Socket::Authentication, from: POINT, datagram: request.clone() });
    };
    receive(&mut world);
    let Some(Output::FindKey { token, search }) = world.engine.poll_output() else { panic!("no search") };
    receive(&mut world);
    assert!(world.engine.poll_output().is_none(), "a duplicate while it lasts");
    let found = search.run();
    assert_eq!(found, Some(credential_id(100)));
    let since = world.now.stamp();
    let suspended = policy::Member { status: policy::MemberStatus::Suspended { since }, ..member(1) };
    world.change(&[Change::Member(suspended)]);
    world.input(Input::KeyFound { token, found });
    let sent = world.drain();
    assert_eq!(Reply::to(&request, &sent[0].2).code, Code::AccessReject);
    assert_eq!(last(&world).code, "member-suspended");
    world.input(Input::KeyFound { token, found });
    assert!(world.drain().is_empty(), "a search ends once");

    world.resume(1);
    assert_eq!(ask(&mut world, by_handshake(2)).code, Code::AccessAccept);
}

#[test]
fn a_search_whose_worker_died_is_begun_anew_when_the_access_point_repeats_itself() {
    let mut world = world_with(AccessPointProfile::Hostapd, crowd());
    let request = by_handshake(1).finish(SECRET).expect("it fits");
    world.input(Input::Received { socket: Socket::Authentication, from: POINT, datagram: request.clone() });
    let Some(Output::FindKey { token, .. }) = world.engine.poll_output() else { panic!("no search") };
    world.input(Input::KeySearchLost { token });
    assert!(world.drain().is_empty());
    assert_eq!(world.exchange(&request).map(|reply| reply.code), Some(Code::AccessAccept));
}

#[test]
fn guesses_cost_a_bounded_number_of_searches() {
    let mut world = world_with(AccessPointProfile::Hostapd, crowd());
    let mut wrong = hex(M2);
    wrong[90] ^= 1;
    for identifier in 1..=50 {
        let request = with_handshake(by_address(identifier, DEVICE, Some(SSID)), &wrong);
        assert_eq!(ask(&mut world, request).code, Code::AccessReject);
    }
    let counters = *world.engine.counters();
    assert_eq!((counters.key_searches, counters.key_searches_held), (10, 40));
    assert_eq!(last(&world).code, "too-many-passphrases");
    assert!(world.records.len() < 5, "{:?}", world.codes());

    // Made-up devices: each is new, and together they have the access point's budget of 150,000 keys at once.
    let mut unanswered = 0;
    for n in 0..2_000_u16 {
        let [high, low] = n.to_be_bytes();
        let request = with_handshake(by_address(low, MacAddress([2, 1, 0, 0, high, low]), Some(SSID)), &wrong);
        let from = SocketAddr::new(POINT.ip(), 10_000 + n);
        let datagram = request.finish(SECRET).expect("it fits");
        world.input(Input::Received { socket: Socket::Authentication, from, datagram });
        match world.engine.poll_output() {
            Some(Output::FindKey { token, .. }) => world.input(Input::KeyFound { token, found: None }),
            _ => unanswered += 1,
        }
        world.drain();
    }
    let searched = world.engine.counters().key_searches;
    assert_eq!((searched, world.engine.counters().key_searches_shed), (746, 1_264));
    assert_eq!(unanswered, 1_264);
    // The member's own device is found all the same, once a second has passed.
    world.pass(Duration::from_secs(61));
    assert_eq!(ask(&mut world, by_handshake(60)).code, Code::AccessAccept);
}

#[test]
fn a_network_that_was_named_later_lacks_keys_until_they_are_added() {
    let mut site = site_of(AccessPointProfile::Hostapd);
    site.ssids.push(Ssid { name: "Later".into(), security: SsidSecurity::Passphrase });
    let mut world = world_with(AccessPointProfile::Hostapd, vec![its(None)]);
    world.change(&[Change::Site(Arc::new(site))]);
    let lacking: Vec<Unprepared> = policy::wifi::device::unprepared(&world.snapshot);
    assert_eq!(lacking.len(), 1);
    assert_eq!((lacking[0].credential, lacking[0].ssids.as_slice()), (credential_id(100), &["Later".to_owned()][..]));
    let command = policy::Command::AddPassphraseKeys {
        credential: credential_id(100),
        pmks: [("Later".to_owned(), Secret::new([3; 32]))].into(),
    };
    let planned =
        policy::apply::plan(&world.snapshot, policy::Actor::System, command.clone(), world.now, &mut world.entropy)
            .expect("it stands");
    world.change(&planned.changes);
    assert!(policy::wifi::device::unprepared(&world.snapshot).is_empty());
    let again = policy::apply::plan(&world.snapshot, policy::Actor::System, command, world.now, &mut world.entropy);
    assert_eq!(again.map(|_| ()).map_err(|reason| reason.code()), Err("already-so"));
}

#[test]
fn what_may_be_typed_is_gathered_anew_only_when_a_passphrase_changes() {
    let shared = |id: u8| passphrase(id, 1, None, PASSPHRASE, [id; 32]);
    let world = world_with(AccessPointProfile::Generic, vec![shared(100)]);
    let mut passphrases = super::super::passphrase::Passphrases::default();
    let found = passphrases.candidates(&world.snapshot, SSID);
    assert_eq!(found.len(), 1);
    let badge = Credential { kind: CredentialKind::Badge { uid: Pii("04A1B2C3".into()) }, ..shared(101) };
    let next = world.snapshot.with(&[Change::Credential(badge)]);
    assert!(Arc::ptr_eq(&found, &passphrases.candidates(&next, SSID)), "a badge is typed nowhere");
    let next = next.with(&[Change::Credential(shared(102))]);
    assert_eq!(passphrases.candidates(&next, SSID).len(), 2);
    let next = next.with(&[Change::Credential(Credential { revoked_at: Some(NOON), ..shared(100) })]);
    let last = passphrases.candidates(&next, SSID).last().map(|last| last.credential);
    assert_eq!(last, Some(credential_id(100)), "what was revoked is tried last");
}

/// Whoever copies the addresses of a member's devices from the air can have her access point ask about them as often as she likes.
#[test]
fn copied_addresses_take_no_place_from_a_key_or_from_each_other() {
    let devices = (7..=12).map(|n| registered(100 + n, 1, mac(n))).collect();
    let mut world = world_with(AccessPointProfile::Generic, devices);
    for round in 0..5 {
        for n in 7..=12 {
            assert_eq!(ask(&mut world, by_address(n + 20 * round, mac(n), None)).code, Code::AccessAccept);
        }
        world.pass(Duration::from_secs(20));
    }
    assert!(!world.presence.is_here(member_id(1)), "nobody has seen a device of hers");
    for n in 1..=2 {
        let class = world.login(n, "user-1/1").text(AttributeType::CLASS).expect("let in, with our Class");
        assert!(world.account(n, report(n, 1, n, &format!("a{n}"), Some(&class))));
    }
    // The limit holds for them all the same: who turns up beyond it has to go, and is not let in again.
    let start = report(9, 1, 9, "a9", None).finish(SECRET).expect("it fits");
    let orders = disconnects(&world.receive(Socket::Accounting, POINT, &start));
    assert_eq!(orders.len(), 1);
    assert_eq!(last(&world).facts.get("cause").map(String::as_str), Some("device-limit"));
    assert_eq!(ask(&mut world, by_address(190, mac(10), None)).code, Code::AccessReject);
    assert_eq!(last(&world).code, "device-limit");
}

#[test]
fn a_handshake_takes_its_place_and_its_address_does_not_hold_it_any_longer() {
    let mut world = world_with(AccessPointProfile::Hostapd, vec![its(None)]);
    assert_eq!(ask(&mut world, by_handshake(1)).code, Code::AccessAccept);
    world.pass(Duration::from_secs(50));
    assert!(world.presence.is_here(member_id(1)));
    assert_eq!(ask(&mut world, by_address(2, DEVICE, Some(SSID))).code, Code::AccessAccept);
    world.pass(Duration::from_secs(12));
    assert!(!world.presence.is_here(member_id(1)), "its minute is over");
}

/// Nor by its Start, whatever that says: the Class of its login, nothing, or the address as its user name, as after a restart.
#[test]
fn a_copied_address_does_not_take_a_session_over_from_its_key() {
    for (asks, says_class) in [(true, true), (true, false), (false, false)] {
        let mut world = world_with(AccessPointProfile::Generic, vec![registered(100, 1, mac(1))]);
        let class = world.login(1, "user-1/1").text(AttributeType::CLASS).expect("let in, with our Class");
        assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
        let mut start = Writer::request(Code::AccountingRequest, 3, [0; 16])
            .integer(AttributeType::ACCT_STATUS_TYPE, 1)
            .text(AttributeType::ACCT_SESSION_ID, "b1")
            .text(AttributeType::CALLING_STATION_ID, &mac(1).to_string())
            .text(AttributeType::USER_NAME, &plain(mac(1)));
        if asks {
            let accept = ask(&mut world, by_address(2, mac(1), None));
            assert_eq!(accept.code, Code::AccessAccept);
            if says_class {
                start = start.text(AttributeType::CLASS, &accept.text(AttributeType::CLASS).expect("our Class"));
            }
        }
        assert!(world.account(3, start));
        world.pass(Duration::from_secs(1));
        assert_eq!(
            world.presence.live_devices(member_id(1)),
            [mac(1); 2],
            "two sessions of one device, which counts once"
        );
        let key = Credential::clone(world.snapshot.credentials.get(&credential_id(1)).expect("the key"));
        let orders = disconnects(&world.change(&[Change::Credential(Credential { revoked_at: Some(NOON), ..key })]));
        assert_eq!(orders.len(), 1);
        let packet = Packet::decode(&orders[0]).expect("a packet");
        assert_eq!(packet.text(AttributeType::ACCT_SESSION_ID), Some("a1"));
    }
}

/// Nor does a second session of the same login, which has its Class.
#[test]
fn what_follows_a_login_by_address_has_shown_no_more_than_it() {
    let mut world =
        world_with(AccessPointProfile::Generic, vec![passphrase(100, 1, Some(mac(1)), "its own one", [9; 32])]);
    let class = world.login(1, "user-1/1").text(AttributeType::CLASS).expect("let in, with our Class");
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    let accept = ask(&mut world, by_address(2, mac(1), Some(SSID)));
    let class = accept.text(AttributeType::CLASS).expect("let in, with our Class");
    for (identifier, acct) in [(3, "b1"), (4, "b2"), (5, "b3")] {
        assert!(world.account(identifier, report(identifier, 1, 1, acct, Some(&class))));
    }
    world.pass(Duration::from_secs(1));
    let mut live: Vec<&str> = world.presence.sessions.iter().map(|view| view.row.acct_session_id.as_str()).collect();
    live.sort_unstable();
    assert_eq!(live, ["a1", "b3"]);
}

/// Its access point says no Class, as hostapd does without 802.1X: a Start is of the login that waits for it.
#[test]
fn a_start_without_class_is_of_the_newest_login_that_holds_a_place() {
    for (waits, key_first) in [(0, false), (0, true), (61, false)] {
        let mut world = world_with(AccessPointProfile::Generic, vec![registered(100, 2, mac(1))]);
        let by_key = |world: &mut World| assert_eq!(world.login(1, "user-1/1").code, Code::AccessAccept);
        if key_first {
            by_key(&mut world);
        }
        assert_eq!(ask(&mut world, by_address(2, mac(1), None)).code, Code::AccessAccept);
        world.pass(Duration::from_secs(1));
        if !key_first {
            by_key(&mut world);
        }
        world.pass(Duration::from_secs(waits));
        assert!(world.account(3, report(3, 1, 1, "a1", None)));
        let row = world.rows.last().expect("a row");
        assert_eq!((row.member, row.credential), (Some(member_id(1)), Some(credential_id(1))), "{waits} {key_first}");
    }
}

#[test]
fn an_address_that_is_repeated_keeps_no_place_when_the_stop_was_lost() {
    let mut world = world_with(AccessPointProfile::Generic, vec![registered(100, 1, mac(7))]);
    assert_eq!(ask(&mut world, by_address(1, mac(7), None)).code, Code::AccessAccept);
    assert!(world.account(2, report(2, 1, 7, "a1", None)));
    for round in 0..20 {
        world.pass(Duration::from_secs(1_800));
        assert_eq!(ask(&mut world, by_address(3 + round, mac(7), None)).code, Code::AccessAccept);
        assert!(round > 7 || world.presence.is_here(member_id(1)), "its Session-Timeout is four hours");
    }
    assert!(!world.presence.is_here(member_id(1)));
    assert_eq!(world.presence.sessions.iter().map(|view| view.phase).collect::<Vec<_>>(), [SessionPhase::Unreported]);
    world.pass(Duration::from_secs(5 * 3_600));
    assert!(world.presence.sessions.is_empty());
    assert_eq!(world.rows.last().and_then(|row| row.end_cause.as_deref()), Some("lost"));
}

/// Its access point has it log in again in place, and tells nothing of it until its end.
#[test]
fn a_device_that_was_let_in_again_by_its_address_stays_within_reach() {
    let mut world = world_with(AccessPointProfile::Generic, vec![registered(100, 1, mac(7))]);
    assert_eq!(ask(&mut world, by_address(1, mac(7), None)).code, Code::AccessAccept);
    assert!(world.account(2, report(2, 1, 7, "a1", None)));
    world.pass(Duration::from_secs(4 * 3_600));
    assert_eq!(ask(&mut world, by_address(3, mac(7), None)).code, Code::AccessAccept);
    world.pass(Duration::from_secs(3_600));
    assert!(!world.presence.is_here(member_id(1)));
    let orders = disconnects(&world.suspend(1));
    assert_eq!(orders.len(), 1);
    assert_eq!(Packet::decode(&orders[0]).expect("a packet").text(AttributeType::ACCT_SESSION_ID), Some("a1"));
    world.resume(1);
    // Others have taken the member's places meanwhile; when it is told of again, it has to go like any that comes too late.
    for n in 1..=2 {
        let class = world.login(n, "user-1/1").text(AttributeType::CLASS).expect("let in, with our Class");
        assert!(world.account(n + 10, report(n + 10, 1, n, &format!("b{n}"), Some(&class))));
    }
    let interim = report(4, 3, 7, "a1", None).finish(SECRET).expect("it fits");
    assert_eq!(disconnects(&world.receive(Socket::Accounting, POINT, &interim)).len(), 1);
    assert_eq!(last(&world).facts.get("cause").map(String::as_str), Some("device-limit"));
}
