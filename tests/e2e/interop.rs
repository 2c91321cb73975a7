//! Doorpost among programs that others wrote: radsecproxy in front of it by RadSec, eapol_test and radclient in front of that,
//! and radclient at the box itself and at the simulated access point that the other tests rely on.

use proto::radius::Code;
use serde_json::Value;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;
use support::access_point::AccessPoint;
use support::daemon::{Daemon, demo_site};
use support::radsec_proxy::{self, RadSecProxy};

const SOON: Duration = Duration::from_secs(10);
/// How long radclient waits; where nothing is answered, so does the test.
const RADCLIENT_SECONDS: &str = "2";
const SERVER_NAME: &str = "doorpost.harbour.example";
/// What the demo's access point shares with the box.
const UDP_SECRET: &str = "testing123";

const TTLS: &[&str] = &["eap=TTLS", "phase2=\"auth=PAP\""];
const PEAP: &[&str] = &["eap=PEAP", "phase2=\"auth=MSCHAPV2\""];
const TLS12: &str = "phase1=\"tls_disable_tlsv1_3=1\"";
const TLS13: &str = "phase1=\"tls_disable_tlsv1_3=0\"";

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
    /// Whether eapol_test logs in through the proxy, and what it said.
    fn eapol_test(&self, username: &str, password: &str, lines: &[&[&str]]) -> (bool, String) {
        let ca = self.daemon.data.join("pki/ca.pem");
        let text = format!(
            "network={{\n  key_mgmt=WPA-EAP\n  ssid=\"Harbour\"\n  anonymous_identity=\"@harbour.example\"\n  identity=\"{username}\"\n  password=\"{password}\"\n  ca_cert=\"{}\"\n  domain_match=\"{SERVER_NAME}\"\n  {}\n}}\n",
            ca.display(),
            lines.concat().join("\n  "),
        );
        let conf = self.daemon.data.join("eapol.conf");
        std::fs::write(&conf, text).expect("a file in our folder");
        let output = Command::new("eapol_test")
            .args(["-c", &conf.display().to_string(), "-a127.0.0.1"])
            .arg(format!("-p{}", self.proxy.address.port()))
            .args([
                "-s",
                radsec_proxy::SECRET,
                "-M",
                "02:00:00:00:00:09",
                "-t",
                "10",
                "-N30:s:02-00-00-00-00-FF:Harbour",
            ])
            .output()
            .expect("eapol_test is installed (Debian package eapoltest)");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (text.lines().last() == Some("SUCCESS"), text)
    }

    fn sessions(&self) -> Vec<Value> {
        self.daemon.cli(&["wifi", "sessions"])["sessions"].as_array().cloned().expect("a list")
    }

    fn wait_for_sessions(&self, what: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        self.daemon.wait_until(what, SOON, || Some(self.sessions()).filter(|sessions| is_so(sessions)))
    }
}

/// radclient: whether it got an answer that it believes, and what it said.
fn radclient(to: SocketAddr, kind: &str, secret: &str, attributes: &str) -> (bool, String) {
    let mut child = Command::new("radclient")
        .args(["-x", "-r", "1", "-t", RADCLIENT_SECONDS, &to.to_string(), kind, secret])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("radclient is installed (Debian package freeradius-utils)");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(attributes.as_bytes()).expect("radclient reads");
    drop(stdin);
    let output = child.wait_with_output().expect("our own child");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
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
        let (success, text) = world.eapol_test(&username, &password, &[method, &[tls]]);
        assert!(success && text.contains("MPPE keys OK: 1  mismatch: 0"), "{method:?} {tls}:\n{text}");
    }
    let (success, text) = world.eapol_test(&username, "not the key", &[PEAP, &[TLS12]]);
    assert!(!success, "{text}");
    let refused = world.daemon.wait_until("the refusal", SOON, || {
        world.daemon.events().into_iter().find(|event| event["code"] == "wrong-key")
    });
    assert_eq!((&refused["place"], &refused["member"]), (&"proxy".into(), &Value::from(mara)));

    let acct = |status: &str, more: &str| {
        let (answered, said) =
            radclient(world.proxy.address, "acct", radsec_proxy::SECRET, &report(status, &username, more));
        assert!(answered, "{status}: {said}");
    };
    acct("Start", "");
    let open =
        world.wait_for_sessions("an open session", |sessions| sessions.len() == 1 && sessions[0]["state"] == "open");
    assert_eq!((&open[0]["access_point"], &open[0]["vlan"]), (&"proxy".into(), &Value::from(11)));
    acct("Interim-Update", "Acct-Input-Octets = 5\nAcct-Output-Octets = 9\n");
    world.wait_for_sessions("the counters", |sessions| sessions[0]["rx_bytes"] == 5 && sessions[0]["tx_bytes"] == 9);
    acct("Stop", "Acct-Terminate-Cause = User-Request\n");
    world.wait_for_sessions("the end", <[Value]>::is_empty);
}

/// radsecproxy connects again some half a minute after its first try fails, and asks by Status-Server every half minute.
#[test]
fn radsecproxy_finds_the_box_again_after_it_was_killed_and_asks_whether_it_is_there() {
    let world = behind_a_proxy("interop-restart", "  StatusServer on\n");
    let mara = world.daemon.add_member("Mara Holm", "resident", None);
    let (username, password) = world.daemon.issue_wifi_key(&mara);
    assert!(world.eapol_test(&username, &password, &[PEAP, &[TLS12]]).0);
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
    let (success, text) = world.eapol_test(&username, &password, &[PEAP, &[TLS12]]);
    assert!(success, "{text}");
    world.proxy.program.wait_for("got status server response from box", Duration::from_secs(60));
}

#[test]
fn radclient_is_told_that_the_box_is_there() {
    let daemon = Daemon::start("interop-status");
    for (address, answer) in
        [(daemon.listening.radius_auth, "Access-Accept"), (daemon.listening.radius_acct, "Accounting-Response")]
    {
        let (answered, said) = radclient(address, "status", UDP_SECRET, "Message-Authenticator = 0x00\n");
        assert!(answered && said.contains(&format!("Received {answer}")), "{said}");
        let (answered, said) = radclient(address, "status", "another secret", "Message-Authenticator = 0x00\n");
        assert!(!answered, "{said}");
    }
}

#[test]
fn the_box_takes_no_orders_from_radclient() {
    let daemon = Daemon::start("interop-orders");
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (username, _) = daemon.issue_wifi_key(&mara);
    assert!(radclient(daemon.listening.radius_acct, "acct", UDP_SECRET, &report("Start", &username, "")).0);
    let online = || daemon.cli(&["wifi", "sessions"])["sessions"].as_array().map_or(0, Vec::len);
    daemon.wait_until("an open session", SOON, || (online() == 1).then_some(()));
    let order = format!("User-Name = \"{username}\"\nAcct-Session-Id = \"5F3A-01\"\n");
    for address in [daemon.listening.radius_auth, daemon.listening.radius_acct] {
        for kind in ["disconnect", "coa"] {
            assert!(!radclient(address, kind, UDP_SECRET, &order).0, "{kind} at {address}");
        }
    }
    assert_eq!(online(), 1);
}

/// The access point of our own that other tests rely on understands what an independent client sends as a real one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simulated_access_point_answers_radclient_as_a_real_one() {
    let daemon = Daemon::start("interop-simulated");
    let listening = daemon.listening;
    let coa = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let point =
        AccessPoint::bind(listening.radius_auth, listening.radius_acct, UDP_SECRET, coa).await.expect("sockets");
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (username, password) = daemon.issue_wifi_key(&mara);
    let mac = values::MacAddress([2, 0, 0, 0, 0, 1]);
    let login = support::access_point::Login::new(&username, &password, proto::eap::MethodKind::Peap, mac);
    let accepted = point.login(login).await.expect("a login");
    point.start(&accepted.session).await.expect("Start is acknowledged");
    let order = |session: &str| format!("Acct-Session-Id = \"{session}\"\nMessage-Authenticator = 0x00\n");
    let address = point.coa_address();
    let ask = move |kind: &'static str, secret: &'static str, order: String| {
        tokio::task::spawn_blocking(move || radclient(address, kind, secret, &order))
    };
    let mut changes = point.changes();
    for (kind, name) in [("coa", "CoA"), ("disconnect", "Disconnect")] {
        let (_, said) = ask(kind, UDP_SECRET, order("no such session")).await.expect("radclient");
        assert!(said.contains(&format!("Received {name}-NAK")) && said.contains("Session-Context-Not-Found"), "{said}");
        let mine = order(&accepted.session.acct_session_id);
        let (answered, said) = ask(kind, "another secret", mine.clone()).await.expect("radclient");
        assert!(!answered, "{said}");
        assert_eq!(point.live_sessions().len(), 1, "{kind}: nothing has happened yet");
        let (answered, said) = ask(kind, UDP_SECRET, mine).await.expect("radclient");
        assert!(answered && said.contains(&format!("Received {name}-ACK")), "{said}");
    }
    let answered = [changes.recv().await, changes.recv().await].map(|change| change.expect("a change").answered);
    assert_eq!(answered, [Some(Code::CoaNak), Some(Code::CoaAck)], "and the forged one changed nothing");
    assert!(changes.try_recv().is_err() && point.live_sessions().is_empty());
}
