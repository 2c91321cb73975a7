//! Doorpost among programs that others wrote: radsecproxy in front of it by RadSec, eapol_test and radclient in front of that,
//! and radclient at the box itself and at the simulated access point that the other tests rely on.

use proto::radius::Code;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use support::access_point::AccessPoint;
use support::daemon::{Daemon, SECRET, SERVER_NAME, demo_site};
use support::eapol_test::{EapolTest, PEAP, TLS12, TLS13, TTLS};
use support::radclient::RadClient;
use support::radsec_proxy::{self, RadSecProxy};

struct World {
    proxy: RadSecProxy,
    daemon: Daemon,
}

/// The demo's site with an access point `proxy` that comes by RadSec, and radsecproxy with its certificate.
fn behind_a_proxy(word: &str, more: &str) -> World {
    let site = demo_site(None, None).replace("access_points:\n", "access_points:\n  proxy: {radsec: true}\n");
    let daemon = Daemon::start_with(word, &site);
    let issued = daemon.cli(&["accesspoint", "certificate", "proxy"]);
    let proxy = RadSecProxy::start(&daemon.data, daemon.listening.radsec, &issued, more);
    World { proxy, daemon }
}

impl World {
    /// A device at an access point that asks the proxy.
    fn device(&self, username: &str, password: &str) -> EapolTest {
        let device = EapolTest::at(self.proxy.address, radsec_proxy::SECRET, &self.daemon.data.join("pki/ca.pem"));
        device.expecting(SERVER_NAME).with_key(username, password)
    }
}

fn report(status: &str, username: &str, more: &str) -> String {
    format!(
        "Acct-Status-Type = {status}\nAcct-Session-Id = \"5F3A-01\"\nUser-Name = \"{username}\"\nCalling-Station-Id = \"02-00-00-00-00-09\"\nNAS-IP-Address = 127.0.0.1\n{more}"
    )
}

#[test]
fn members_come_and_go_through_radsecproxy() {
    let world = behind_a_proxy("interop-radsecproxy", "");
    let mara = world.daemon.add_member("Mara Holm", "resident", Some("studio"));
    let (username, password) = world.daemon.issue_wifi_key(&mara);
    for (method, tls) in [(PEAP, TLS12), (PEAP, TLS13), (TTLS, TLS12), (TTLS, TLS13)] {
        let judged = world.device(&username, &password).judge(&[&method[..], &[tls]].concat());
        assert!(judged.success && judged.keys_agree(1), "{method:?} {tls}:\n{}", judged.text);
    }
    let judged = world.device(&username, "not the key").judge(&PEAP);
    assert!(!judged.success, "{}", judged.text);
    let refused = world.daemon.wait_for_event("wrong-key");
    assert_eq!((&refused["place"], &refused["member"]), (&"proxy".into(), &Value::from(mara)));

    let acct = |status: &str, more: &str| {
        let radclient = RadClient::at(world.proxy.address, radsec_proxy::SECRET);
        let heard = radclient.send("acct", &report(status, &username, more));
        assert!(heard.success, "{status}: {}", heard.text);
    };
    acct("Start", "");
    let open = world
        .daemon
        .wait_for_wifi_sessions("an open session", |sessions| sessions.len() == 1 && sessions[0]["state"] == "open");
    assert_eq!((&open[0]["access_point"], &open[0]["vlan"]), (&"proxy".into(), &Value::from(11)));
    acct("Interim-Update", "Acct-Input-Octets = 5\nAcct-Output-Octets = 9\n");
    world.daemon.wait_for_wifi_sessions("the counters", |sessions| {
        sessions[0]["rx_bytes"] == 5 && sessions[0]["tx_bytes"] == 9
    });
    acct("Stop", "Acct-Terminate-Cause = User-Request\n");
    world.daemon.wait_for_wifi_sessions("the end", <[Value]>::is_empty);
}

/// radsecproxy connects again some half a minute after its first try fails, and asks by Status-Server every half minute.
#[test]
fn radsecproxy_finds_the_box_again_after_it_was_killed_and_asks_whether_it_is_there() {
    let world = behind_a_proxy("interop-restart", "  StatusServer on\n");
    let mara = world.daemon.add_member("Mara Holm", "resident", None);
    let (username, password) = world.daemon.issue_wifi_key(&mara);
    assert!(world.device(&username, &password).judge(&PEAP).success);
    let World { proxy, daemon } = world;
    // The same port again, which the site file left open.
    let address = daemon.listening.radsec;
    let site = std::fs::read_to_string(&daemon.site).expect("the site file");
    std::fs::write(&daemon.site, site.replace("radsec: 127.0.0.1:0", &format!("radsec: {address}"))).expect("our file");
    let mut world = World { proxy, daemon: daemon.kill().start() };
    // The certificate is still good, and the proxy needs not be told.
    world.daemon.wait_until("a connection", Duration::from_secs(60), || {
        let list = world.daemon.cli(&["accesspoint", "list"]);
        let proxy = list["access_points"].as_array()?.iter().find(|point| point["name"] == "proxy")?.clone();
        (proxy["connections"] == 1).then_some(())
    });
    let judged = world.device(&username, &password).judge(&PEAP);
    assert!(judged.success, "{}", judged.text);
    world.proxy.program.wait_for("got status server response from box", Duration::from_secs(60));
}

#[test]
fn radclient_is_told_that_the_box_is_there() {
    let daemon = Daemon::start("interop-status");
    for (address, answer) in
        [(daemon.listening.radius_auth, "Access-Accept"), (daemon.listening.radius_acct, "Accounting-Response")]
    {
        let heard = RadClient::at(address, SECRET).send("status", "Message-Authenticator = 0x00\n");
        assert!(heard.success && heard.answer() == Some(answer), "{}", heard.text);
        let stranger = RadClient::at(address, "another secret").brief();
        let heard = stranger.send("status", "Message-Authenticator = 0x00\n");
        assert!(!heard.success && heard.answer().is_none(), "{}", heard.text);
    }
}

#[test]
fn the_box_takes_no_orders_from_radclient() {
    let daemon = Daemon::start("interop-orders");
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (username, _) = daemon.issue_wifi_key(&mara);
    let access_point = RadClient::at(daemon.listening.radius_acct, SECRET);
    assert!(access_point.send("acct", &report("Start", &username, "")).success);
    daemon.wait_for_wifi_sessions("an open session", |sessions| sessions.len() == 1);
    let order = format!("User-Name = \"{username}\"\nAcct-Session-Id = \"5F3A-01\"\n");
    for address in [daemon.listening.radius_auth, daemon.listening.radius_acct] {
        for kind in ["disconnect", "coa"] {
            let heard = RadClient::at(address, SECRET).brief().send(kind, &order);
            assert!(heard.answer().is_none(), "{kind} at {address}: {}", heard.text);
        }
    }
    assert_eq!(daemon.wifi_sessions().len(), 1);
}

/// The access point of our own that other tests rely on understands what an independent client sends as a real one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simulated_access_point_answers_radclient_as_a_real_one() {
    let daemon = Daemon::start("interop-simulated");
    let listening = daemon.listening;
    let coa = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let point = AccessPoint::bind(listening.radius_auth, listening.radius_acct, SECRET, coa).await.expect("sockets");
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (username, password) = daemon.issue_wifi_key(&mara);
    let mac = values::MacAddress([2, 0, 0, 0, 0, 1]);
    let login = support::access_point::Login::new(&username, &password, proto::eap::MethodKind::Peap, mac);
    let accepted = point.login(login).await.expect("a login");
    point.start(&accepted.session).await.expect("Start is acknowledged");
    let order = |session: &str| format!("Acct-Session-Id = \"{session}\"\nMessage-Authenticator = 0x00\n");
    let address = point.coa_address();
    let ask = |client: RadClient<'static>, kind: &'static str, order: String| async move {
        tokio::task::spawn_blocking(move || client.send(kind, &order)).await.expect("radclient")
    };
    let (the_box, stranger) = (RadClient::at(address, SECRET), RadClient::at(address, "another secret").brief());
    let mut changes = point.changes();
    for (kind, name) in [("coa", "CoA"), ("disconnect", "Disconnect")] {
        let heard = ask(the_box, kind, order("no such session")).await;
        assert_eq!(heard.answer(), Some(format!("{name}-NAK").as_str()), "{}", heard.text);
        assert_eq!(heard.get("Error-Cause"), Some("Session-Context-Not-Found"), "{}", heard.text);
        let mine = order(&accepted.session.acct_session_id);
        let heard = ask(stranger, kind, mine.clone()).await;
        assert!(heard.answer().is_none(), "{}", heard.text);
        assert_eq!(point.live_sessions().len(), 1, "{kind}: nothing has happened yet");
        let heard = ask(the_box, kind, mine).await;
        assert!(heard.success && heard.answer() == Some(format!("{name}-ACK").as_str()), "{}", heard.text);
    }
    let answered = [changes.recv().await, changes.recv().await].map(|change| change.expect("a change").answered);
    assert_eq!(answered, [Some(Code::CoaNak), Some(Code::CoaAck)], "and the forged one changed nothing");
    assert!(changes.try_recv().is_err() && point.live_sessions().is_empty());
}
