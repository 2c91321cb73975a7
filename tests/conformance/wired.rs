//! 802.1X by the programs of real access points and laptops: hostapd as a switch's port and wpa_supplicant as a computer, over
//! virtual cables between network namespaces, against the real binary. Takes root.

use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};
use support::daemon::{Daemon, Folder, SERVER_NAME, demo_site};
use support::eapol_test::{PEAP, TLS12, TTLS};
use support::radsec_proxy::RadSecProxy;
use support::wired::{BOX, Cabling, Computer, Identity, SECRET, SWITCH, Switch};

const SOON: Duration = Duration::from_secs(15);
/// What DESIGN 6 promises between a suspension and its Disconnect-Request; here until the port is closed.
const DISCONNECT_MAX: Duration = Duration::from_secs(2);

/// How the switch reaches the box.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Udp,
    RadSec,
}

/// The box in its namespace, and the hosts around it. What is taken away first stands first.
struct World {
    daemon: Daemon,
    switch: Switch,
    proxy: Option<RadSecProxy>,
    cabling: Cabling,
    folder: Folder,
}

fn world(word: &str, by: By) -> World {
    let (folder, cabling) = (Folder::new(word), Cabling::new());
    fs::write(folder.0.join("switch.secret"), SECRET).expect("a file in our folder");
    let mut site = demo_site(None, None);
    for (from, to) in [
        ("radius_auth: 127.0.0.1:0", format!("radius_auth: {BOX}:1812")),
        ("radius_acct: 127.0.0.1:0", format!("radius_acct: {BOX}:1813")),
        ("address: 127.0.0.1", format!("address: {SWITCH}")),
        ("secret: testing123", "secret: {file: switch.secret}\n    radsec: true\n    profile: hostapd".to_owned()),
        ("radsec: 127.0.0.1:0", format!("radsec: {BOX}:2083")),
    ] {
        assert!(site.contains(from), "the demo's site has no `{from}`");
        site = site.replace(from, &to);
    }
    let site_file = folder.0.join("site.yaml");
    fs::write(&site_file, site).expect("a file in our folder");
    let daemon = Daemon::launch_within(&cabling.server, &site_file, &folder.0.join("data"));
    let (proxy, switch) = match by {
        By::Udp => (None, Switch::start(&cabling, &folder.0)),
        By::RadSec => {
            let issued = daemon.cli(&["accesspoint", "certificate", "lobby"]);
            let proxy = RadSecProxy::start_within(&cabling.switch, &folder.0, daemon.listening.radsec, &issued);
            (Some(proxy), Switch::start_behind_a_proxy(&cabling, &folder.0))
        }
    };
    World { daemon, switch, proxy, cabling, folder }
}

impl World {
    fn computer(&self, key: &(String, String), method: [&str; 2]) -> Computer {
        let method = &[&method[..], &[TLS12]].concat();
        let ca = self.daemon.data.join("pki/ca.pem");
        let identity = Identity { username: &key.0, password: &key.1, method, ca: &ca, server_name: SERVER_NAME };
        Computer::start(&self.cabling, &self.folder.0, &identity)
    }

    fn wait<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        self.daemon.wait_until(what, SOON, look)
    }

    /// The only session, once it is as wanted.
    fn session(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        self.wait(what, || match self.daemon.wifi_sessions().as_slice() {
            [session] if is_so(session) => Some(session.clone()),
            _ => None,
        })
    }

    fn wait_for_nobody(&self) {
        self.daemon.wait_for_wifi_sessions("an end of the session", <[Value]>::is_empty);
    }

    /// Suspends a member who is there, and sees her port close in time.
    fn suspend(&self, member: &str) {
        let asked_at = Instant::now();
        self.daemon.cli(&["member", "suspend", member]);
        self.wait("the port to close", || self.switch.program.log().contains("AP-STA-DISCONNECTED").then_some(()));
        assert!(asked_at.elapsed() < DISCONNECT_MAX, "it took {:?}", asked_at.elapsed());
        self.event("wifi-disconnected", |event| event["member"] == *member);
        self.wait_for_nobody();
    }

    fn event(&self, code: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        self.wait(code, || self.daemon.events().into_iter().find(|event| event["code"] == code && is_it(event)))
    }
}

#[test]
fn a_computer_logs_in_again_is_accounted_for_and_goes() {
    let world = world("wired-login", By::Udp);
    let mara = world.daemon.add_member("Mara Holm", "resident", Some("studio"));
    let key = world.daemon.issue_wifi_key(&mara);
    let computer = world.computer(&key, PEAP);

    let began = world.session("an open session", |session| session["state"] == "open");
    assert_eq!((&began["member_name"], &began["access_point"]), (&"Mara Holm".into(), &"lobby".into()));
    assert_eq!((&began["network"], &began["vlan"]), (&Value::from("studio"), &Value::from(11)));
    world.wait("the port to open", || (computer.logins() == 1).then_some(()));

    // Interim-Update: seen later than the Start.
    let seen = |session: &Value| session["seen_at"].as_i64().expect("a time");
    world.session("an Interim-Update", |session| seen(session) > seen(&began));

    world.switch.reauthenticate(began["mac"].as_str().expect("an address"));
    world.wait("a second login", || (computer.logins() == 2).then_some(()));
    let again = world.session("the same session", |session| session["state"] == "open");
    assert_eq!(again["id"], began["id"], "a reauthentication is no new session");

    computer.log_off();
    world.wait_for_nobody();
    let ended = world.event("wifi-session-ended", |event| event["facts"]["session"] == began["id"]);
    assert_eq!((&ended["member"], &ended["facts"]["cause"]), (&Value::from(mara), &"user-request".into()));

    drop(computer);
    world.wait("the switch to forget it", || (world.switch.farewells() == 1).then_some(()));
    let _next = world.computer(&key, PEAP);
    let next = world.session("another session", |session| session["state"] == "open");
    assert_ne!(next["id"], began["id"]);
}

#[test]
fn a_suspended_members_port_is_closed_and_stays_closed() {
    let world = world("wired-suspend", By::Udp);
    let mara = world.daemon.add_member("Mara Holm", "resident", None);
    let key = world.daemon.issue_wifi_key(&mara);
    let computer = world.computer(&key, TTLS);
    world.session("an open session", |session| session["state"] == "open");

    // hostapd takes no Disconnect-Request without Event-Timestamp and Message-Authenticator.
    world.suspend(&mara);
    drop(computer);
    world.wait("the switch to forget it", || (world.switch.farewells() == 1).then_some(()));
    let computer = world.computer(&key, TTLS);
    world.wait("a refusal of the next login", || (computer.refusals() > 0).then_some(()));
    world.event("member-suspended", |event| event["outcome"] == "refused");
    drop(computer);

    world.daemon.cli(&["member", "resume", &mara]);
    world.wait("the switch to forget it", || (world.switch.farewells() == 2).then_some(()));
    let _computer = world.computer(&key, TTLS);
    world.session("an open session", |session| session["state"] == "open");
}

/// hostapd behind a proxy on the access point itself, as OpenWrt speaks RadSec: it listens for Disconnect-Requests on UDP alone, and
/// the proxy hands none on. What is not answered over the connection goes by UDP a second later.
#[test]
fn a_switch_behind_radsecproxy_is_told_by_udp_what_the_proxy_keeps_to_itself() {
    let world = world("wired-radsec", By::RadSec);
    let mara = world.daemon.add_member("Mara Holm", "resident", None);
    let key = world.daemon.issue_wifi_key(&mara);
    let _computer = world.computer(&key, PEAP);
    let began = world.session("an open session", |session| session["state"] == "open");
    assert_eq!(began["access_point"], "lobby");
    let list = world.daemon.cli(&["accesspoint", "list"]);
    assert_eq!(list["access_points"][0]["connections"], 1, "{list}");

    world.suspend(&mara);
    let proxy = world.proxy.as_ref().expect("this world has one");
    // What it makes of a request that comes from a server.
    let heard = proxy.program.log().contains("replyh: no outstanding request with this id");
    assert!(heard, "it was asked over the connection first");
}
