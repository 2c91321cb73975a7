//! The terms of a login, at the real binary: what eapol_test reads in an Access-Accept, what a simulated access point is told when
//! they change, a VLAN that waits for its test, and radclient without Message-Authenticator.

use proto::eap::MethodKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use support::access_point::{AccessPoint, Answer, Login, Usage};
use support::daemon::{Daemon, SECRET, demo_site, free_udp_port};
use support::eapol_test::{EapolTest, PEAP};
use support::handshake::hex;
use support::radclient::{Heard, RadClient};
use values::MacAddress;

const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const SOON: Duration = Duration::from_secs(10);

/// The demo site with rates on the plan `resident`, a plan `slow` beside it, and these lines at the access point.
fn site(coa_port: Option<u16>, point: &str) -> String {
    let site = demo_site(None, coa_port).replace("secret: testing123", &format!("secret: testing123\n    {point}"));
    let rates = "devices: 5, rate_down_mbit: 50, rate_up_mbit: 10, idle_timeout_minutes: 30}";
    let slow =
        "\nplans:\n  slow: {wifi: {network: members, rate_down_mbit: 5, rate_up_mbit: 1, idle_timeout_minutes: 30}}\n";
    assert!(site.contains("devices: 5}") && site.contains("\nplans:\n") && site.contains(point));
    site.replace("devices: 5}", rates).replace("\nplans:\n", slow)
}

fn vendor(number: u32, kind: u8, value: &[u8]) -> String {
    let length = u8::try_from(value.len() + 2).expect("short");
    hex(&[&number.to_be_bytes()[..], &[kind, length], value].concat())
}

#[test]
fn an_accept_carries_rates_timeouts_and_a_chargeable_user_identity() {
    let daemon = Daemon::start_with("terms-accept", &site(None, "profile: mikrotik"));
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (username, password) = daemon.issue_wifi_key(&mara);
    // It asks for a Chargeable-User-Identity (RFC 4372).
    let device = EapolTest::at_box(&daemon).with_key(&username, &password).with_attribute("89:x:00");
    let judged = device.judge(&PEAP);
    assert!(judged.success, "{}", judged.text);
    assert_eq!(judged.attribute("Idle-Timeout"), ["1800"]);
    assert_eq!(judged.attribute("Termination-Action"), ["1"]);
    assert_eq!(judged.attribute("Acct-Interim-Interval"), ["600"]);
    let seconds = judged.attribute("Session-Timeout");
    assert!(matches!(&seconds[..], [one] if one.parse().is_ok_and(|seconds: u32| (1..=14_400).contains(&seconds))));
    assert_eq!(judged.attribute("Chargeable-User-Identity"), [format!("'{mara}'")], "{}", judged.text);
    let vendors = judged.attribute("Vendor-Specific");
    for expected in [
        vendor(14_122, 7, &10_000_000_u32.to_be_bytes()),
        vendor(14_122, 8, &50_000_000_u32.to_be_bytes()),
        vendor(14_988, 8, b"10000000/50000000"),
        vendor(14_988, 26, &10_u32.to_be_bytes()),
    ] {
        assert!(vendors.contains(&expected.as_str()), "{expected} is not in {vendors:?}");
    }
}

fn wait_for_state(daemon: &Daemon, state: &str) {
    daemon.wait_for_wifi_sessions(state, |sessions| sessions.len() == 1 && sessions[0]["state"] == state);
}

async fn online(word: &str, point: &str, plan: &str) -> (Daemon, AccessPoint, String, support::access_point::Session) {
    let coa = SocketAddr::from((Ipv4Addr::LOCALHOST, free_udp_port()));
    let daemon = Daemon::start_with(word, &site(Some(coa.port()), point));
    let listening = daemon.listening;
    let access = AccessPoint::bind(listening.radius_auth, listening.radius_acct, SECRET, coa).await;
    let access = access.expect("loopback sockets");
    let mara = daemon.add_member("Mara Holm", plan, None);
    let (username, password) = daemon.issue_wifi_key(&mara);
    let accepted = access.login(Login::new(&username, &password, MethodKind::Ttls, MAC)).await.expect("a login");
    access.start(&accepted.session).await.expect("Start is acknowledged");
    wait_for_state(&daemon, "open");
    (daemon, access, mara, accepted.session)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_plan_reaches_a_device_that_is_online_by_coa_and_a_refusal_makes_it_log_in_again() {
    let (daemon, point, mara, session) = online("terms-coa", "profile: mikrotik", "resident").await;
    let (mut changes, mut disconnects) = (point.changes(), point.disconnects());
    daemon.cli(&["member", "plan", &mara, "slow"]);
    let change = tokio::time::timeout(SOON, changes.recv()).await.expect("in time").expect("a CoA-Request");
    assert_eq!(change.acct_session_id.as_ref(), Some(&session.acct_session_id));
    let rate = [&14_988_u32.to_be_bytes()[..], &[8, 17], b"1000000/5000000"].concat();
    assert!(change.attributes.contains(&(26, rate)), "{:?}", change.attributes);
    daemon.wait_for_event("wifi-changed");
    wait_for_state(&daemon, "open");
    assert!(disconnects.try_recv().is_err(), "nobody was thrown out");

    point.answer_changes(Answer::Refuse);
    daemon.cli(&["member", "plan", &mara, "resident"]);
    let request = tokio::time::timeout(SOON, disconnects.recv()).await.expect("in time").expect("a request");
    assert_eq!(request.acct_session_id.as_ref(), Some(&session.acct_session_id));
    assert_eq!(daemon.wait_for_event("wifi-change-refused")["outcome"], "warning");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vlan_is_used_once_a_device_was_seen_on_it_and_still_is_after_a_restart() {
    let coa = SocketAddr::from((Ipv4Addr::LOCALHOST, free_udp_port()));
    let site = site(Some(coa.port()), "profile: generic").replace(", vlan_tested: true", "");
    let daemon = Daemon::start_with("terms-vlan", &site);
    let listening = daemon.listening;
    let point = AccessPoint::bind(listening.radius_auth, listening.radius_acct, SECRET, coa).await;
    let point = point.expect("loopback sockets");
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (username, password) = daemon.issue_wifi_key(&mara);
    let login = || Login::new(&username, &password, MethodKind::Ttls, MAC);

    let flat = point.login(login()).await.expect("a login");
    assert_eq!(flat.vlan, None, "flat mode works out of the box");
    point.start(&flat.session).await.expect("Start is acknowledged");
    wait_for_state(&daemon, "open");
    let shown = &daemon.wifi_sessions()[0];
    assert!(shown["vlan"].is_null() && shown["vlan_withheld"] == 10, "{shown}");
    let told = daemon.cli(&["why", &mara, "wifi"])["now"]["sentence"].as_str().map(str::to_owned).expect("a sentence");
    assert!(told.contains("without its VLAN 10"), "{told}");
    assert!(daemon.cli(&["status"])["details"]["warnings"].to_string().contains("doorpost wifi test members"));

    let mut disconnects = point.disconnects();
    let opened = daemon.cli(&["wifi", "test", "members", "--member", &mara]);
    assert_eq!((opened["state"].as_str(), opened["vlan"].as_u64()), (Some("testing"), Some(10)));
    tokio::time::timeout(SOON, disconnects.recv()).await.expect("in time").expect("her device is to log in again");
    let mut tested = point.login(login()).await.expect("a login");
    assert_eq!(tested.vlan, Some(10));
    point.start(&tested.session).await.expect("Start is acknowledged");
    tested.session.ip = Some(Ipv4Addr::new(10, 0, 10, 7));
    point.interim(&tested.session, Usage::default()).await.expect("it is acknowledged");
    daemon.wait_for_event("vlan-test-passed");

    let daemon = daemon.kill().start();
    let networks = daemon.cli(&["wifi", "networks"]);
    let state = |name: &str| {
        let list = networks["networks"].as_array().expect("a list");
        list.iter().find(|network| network["name"] == name).map(|network| network["state"].clone())
    };
    assert_eq!((state("members"), state("guests")), (Some("tested".into()), Some("untested".into())));
    assert_eq!(daemon.cli(&["wifi", "test", "guests", "--confirm"])["state"], "tested");
    let (code, said) = daemon.try_cli(&["wifi", "test", "guests", "--confirm"]).expect_err("it is so already");
    assert!(code == 1 && said.contains("already-so"), "{said}");
}

/// An Access-Request just as it is given.
fn ask(daemon: &Daemon, attributes: &str) -> Heard {
    RadClient::at(daemon.listening.radius_auth, SECRET).brief().send("auth", attributes)
}

const UNSIGNED: &str = "User-Name = \"02-00-00-00-00-09\"\nCalling-Station-Id = \"02-00-00-00-00-09\"\n";

#[test]
fn radclient_without_message_authenticator_meets_silence_unless_the_access_point_is_excused() {
    let daemon = Daemon::start("terms-unsigned");
    assert_eq!(ask(&daemon, UNSIGNED).answer(), None);
    daemon.wait_for_event("wifi-no-message-authenticator");

    let daemon = Daemon::start_with("terms-excused", &site(None, "message_authenticator: optional"));
    let warning = daemon.wait_for_event("wifi-message-authenticator-optional");
    assert_eq!((&warning["outcome"], &warning["place"]), (&"warning".into(), &"lobby".into()));
    assert!(daemon.cli(&["status"])["details"]["warnings"].to_string().contains("excused from Message-Authenticator"));
    let heard = ask(&daemon, UNSIGNED);
    assert_eq!(heard.answer(), Some("Access-Reject"), "{}", heard.text);
    assert!(heard.get("Message-Authenticator").is_some(), "{}", heard.text);
    daemon.wait_for_event("wifi-unsigned-request");
    assert_eq!(ask(&daemon, &format!("{UNSIGNED}Proxy-State = 0x78\n")).answer(), None);
    daemon.wait_for_event("wifi-proxy-state");
    assert_eq!(ask(&daemon, &format!("{UNSIGNED}EAP-Message = 0x020100060161\n")).answer(), None);
}
