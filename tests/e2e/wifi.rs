//! The Wi-Fi of the real binary: judged by eapol_test (wpa_supplicant's EAP peer) and radclient (FreeRADIUS), and watched by a
//! simulated access point where Disconnect-Requests have to arrive.

use proto::eap::MethodKind;
use serde_json::Value;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::access_point::{AccessPoint, Answer, Login, LoginError, Usage};
use support::daemon::{Daemon, closed, demo_site};
use values::MacAddress;

const SECRET: &str = "testing123";
const SERVER_NAME: &str = "doorpost.harbour.example";
const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
/// What DESIGN 6 promises between a suspension and its Disconnect-Request.
const DISCONNECT_MAX: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(10);

/// The last word of eapol_test and everything that it said before.
struct Judged {
    success: bool,
    text: String,
}

fn eapol_test(daemon: &Daemon, username: &str, password: &str, lines: &[&str]) -> Judged {
    let conf = daemon.data.join(format!("eapol-{username}.conf"));
    let ca = daemon.data.join("pki/ca.pem");
    let mut text = format!(
        "network={{\n  key_mgmt=WPA-EAP\n  ssid=\"Harbour\"\n  anonymous_identity=\"@harbour.example\"\n  identity=\"{username}\"\n  password=\"{password}\"\n  ca_cert=\"{}\"\n  domain_match=\"{SERVER_NAME}\"\n",
        ca.display()
    );
    lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    std::fs::write(&conf, text + "}\n").expect("a file in our folder");
    let output = Command::new("eapol_test")
        .args(["-c", &conf.display().to_string(), "-a127.0.0.1"])
        .arg(format!("-p{}", daemon.listening.radius_auth.port()))
        .args(["-s", SECRET, "-M", "02:00:00:00:00:09", "-t", "10", "-N30:s:02-00-00-00-00-FF:Harbour"])
        .output()
        .expect("eapol_test is installed (Debian package eapoltest)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Judged { success: text.lines().last() == Some("SUCCESS"), text }
}

const TTLS: [&str; 2] = ["eap=TTLS", "phase2=\"auth=PAP\""];
const TTLS_MSCHAPV2: [&str; 2] = ["eap=TTLS", "phase2=\"auth=MSCHAPV2\""];
const TTLS_EAP: [&str; 2] = ["eap=TTLS", "phase2=\"autheap=MSCHAPV2\""];
const PEAP: [&str; 2] = ["eap=PEAP", "phase2=\"auth=MSCHAPV2\""];
const TLS12: &str = "phase1=\"tls_disable_tlsv1_3=1\"";
const TLS13: &str = "phase1=\"tls_disable_tlsv1_3=0\"";

/// What `doorpost why MEMBER wifi` tells: the newest code of the past, and the code of a try now.
fn why(daemon: &Daemon, member: &str) -> (String, String) {
    // The audit row follows the answer; it is not waited for.
    daemon.wait_until("a row about the login", SOON, || {
        let told = daemon.cli(&["why", member, "wifi"]);
        let past = told["past"].as_array().and_then(|past| past.first()).map(|row| row["code"].as_str())??.to_owned();
        Some((past, told["now"]["code"].as_str()?.to_owned()))
    })
}

fn sessions(daemon: &Daemon) -> Vec<Value> {
    daemon.cli(&["wifi", "sessions"])["sessions"].as_array().cloned().expect("a list")
}

fn wait_for_sessions(daemon: &Daemon, what: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    daemon.wait_until(what, SOON, || Some(sessions(daemon)).filter(|sessions| is_so(sessions)))
}

fn wait_for_event(daemon: &Daemon, code: &str) -> Value {
    daemon.wait_until(code, SOON, || daemon.events().into_iter().find(|event| event["code"] == code))
}

/// A user name without the realm that it was issued with: as sessions and access points know it.
fn bare(username: &str) -> &str {
    username.split('@').next().unwrap_or_default()
}

fn is_open(sessions: &[Value]) -> bool {
    sessions.len() == 1 && sessions[0]["state"] == "open"
}

async fn access_point(daemon: &Daemon, coa: SocketAddr) -> AccessPoint {
    let listening = daemon.listening;
    AccessPoint::bind(listening.radius_auth, listening.radius_acct, SECRET, coa).await.expect("loopback sockets")
}

/// A daemon and an access point that takes its Disconnect-Requests.
async fn site_with_access_point(word: &str) -> (Daemon, AccessPoint) {
    let coa = SocketAddr::from((Ipv4Addr::LOCALHOST, support::daemon::free_udp_port()));
    let daemon = Daemon::start_with(word, &closed(&demo_site(None, Some(coa.port()))));
    let point = access_point(&daemon, coa).await;
    (daemon, point)
}

#[test]
fn each_method_over_each_tls_version_lets_a_member_in_on_her_teams_network() {
    let daemon = Daemon::start("wifi-methods");
    let in_team = daemon.add_member("Mara Holm", "resident", Some("studio"));
    let alone = daemon.add_member("Olga Rand", "resident", None);
    for (member, vlan) in [(&in_team, "11"), (&alone, "10")] {
        let (username, password) = daemon.issue_wifi_key(member);
        for method in [TTLS, TTLS_MSCHAPV2, TTLS_EAP, PEAP] {
            for tls in [TLS12, TLS13] {
                let judged = eapol_test(&daemon, &username, &password, &[&method[..], &[tls]].concat());
                let case = format!("{method:?} {tls}:\n{}", judged.text);
                assert!(judged.success, "{case}");
                assert!(judged.text.contains("MPPE keys OK: 1  mismatch: 0"), "{case}");
                assert_eq!(judged.text.contains("TLSv1.3"), tls == TLS13, "{case}");
                assert_eq!(tunnel_group(&judged.text).as_deref(), Some(vlan), "{case}");
            }
        }
        assert_eq!(why(&daemon, member), ("wifi-admitted".into(), "allowed".into()));
    }
}

/// Tunnel-Private-Group-Id as eapol_test prints attributes: the name, then the octets in hexadecimal on the next line.
fn tunnel_group(text: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| !line.contains("(Tunnel-Private-Group-Id)"));
    let value = lines.nth(1)?.trim().strip_prefix("Value: ")?;
    let octet = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    value.as_bytes().chunks(2).map(octet).collect::<Option<Vec<u8>>>().and_then(|bytes| String::from_utf8(bytes).ok())
}

#[test]
fn refusals_are_refused_alike_and_explained_each() {
    let daemon = Daemon::start_with("wifi-refusals", &closed(&demo_site(None, None)));
    let mara = daemon.add_member("Mara Holm", "resident", Some("studio"));
    let (username, password) = daemon.issue_wifi_key(&mara);
    for method in [TTLS, PEAP] {
        assert!(!eapol_test(&daemon, &username, "not the key", &method).success);
    }
    assert_eq!(why(&daemon, &mara), ("wrong-key".into(), "allowed".into()));

    let unknown = eapol_test(&daemon, "nobody", &password, &PEAP);
    assert!(!unknown.success);
    let event = wait_for_event(&daemon, "unknown-member");
    assert!(event["member"].is_null() && event["place"] == "lobby", "{event}");

    daemon.cli(&["member", "suspend", &mara]);
    assert!(!eapol_test(&daemon, &username, &password, &TTLS).success);
    let suspended = ("member-suspended".to_owned(), "member-suspended".to_owned());
    daemon.wait_until("the reason", SOON, || (why(&daemon, &mara) == suspended).then_some(()));
    daemon.cli(&["member", "resume", &mara]);
    assert!(eapol_test(&daemon, &username, &password, &TTLS).success);
    assert_eq!(why(&daemon, &mara).1, "allowed");

    let flex = daemon.add_member("Finn Lex", "flex", None);
    let (username, password) = daemon.issue_wifi_key(&flex);
    assert!(!eapol_test(&daemon, &username, &password, &PEAP).success);
    assert_eq!(why(&daemon, &flex), ("outside-hours".into(), "outside-hours".into()));

    let issued = daemon.cli(&["wifi", "issue", &mara, "--label", "phone"]);
    let text = |key: &str| issued[key].as_str().expect("text").to_owned();
    assert!(eapol_test(&daemon, &text("username"), &text("password"), &PEAP).success);
    daemon.cli(&["wifi", "revoke", &text("credential_id")]);
    assert!(!eapol_test(&daemon, &text("username"), &text("password"), &PEAP).success);
    let revoked = || (why(&daemon, &mara).0 == "credential-revoked").then_some(());
    daemon.wait_until("the reason", SOON, revoked);
    assert_eq!(why(&daemon, &mara).1, "allowed", "her other key is good");
}

#[test]
fn who_guesses_is_held_back_and_whoever_has_shown_a_key_is_not() {
    let daemon = Daemon::start_with("wifi-guesses", &closed(&demo_site(None, None)));
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (username, password) = daemon.issue_wifi_key(&mara);
    for _ in 0..11 {
        let wrong = eapol_test(&daemon, &username, "not the key", &TTLS);
        assert!(!wrong.success && wrong.text.contains("CTRL-EVENT-EAP-PEER-CERT"));
    }
    let began = Instant::now();
    let held = eapol_test(&daemon, &username, "not the key", &TTLS);
    assert!(!held.success && !held.text.contains("CTRL-EVENT-EAP-PEER-CERT"), "refused before any TLS");
    assert!(began.elapsed() < SOON);
    wait_for_event(&daemon, "too-many-tries");
    let wrong = daemon.events().iter().filter(|event| event["code"] == "wrong-key").count();
    assert_eq!(wrong, 1, "its tries of one minute are one row");
    // A hold ends by itself, and the right key ends what came before it.
    daemon.wait_until("the end of the hold", SOON, || {
        eapol_test(&daemon, &username, &password, &TTLS).success.then_some(())
    });
    for _ in 0..12 {
        assert!(!eapol_test(&daemon, &username, "not the key", &TTLS).success);
    }
    assert!(eapol_test(&daemon, &username, &password, &TTLS).success, "nothing keeps out who has shown her key");
}

/// radclient with these attributes; whether it got an answer that it believes.
fn radclient(daemon: &Daemon, attributes: &str) -> bool {
    let mut child = Command::new("radclient")
        .args(["-r", "2", "-t", "3", &daemon.listening.radius_acct.to_string(), "acct", SECRET])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("radclient is installed (Debian package freeradius-utils)");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(attributes.as_bytes()).expect("radclient reads");
    drop(stdin);
    child.wait_with_output().expect("our own child").status.success()
}

#[test]
fn what_radclient_reports_of_a_session_is_seen_and_ends() {
    let daemon = Daemon::start("wifi-accounting");
    let mara = daemon.add_member("Mara Holm", "resident", Some("studio"));
    let (username, password) = daemon.issue_wifi_key(&mara);
    assert!(eapol_test(&daemon, &username, &password, &PEAP).success);
    let admitted = wait_for_sessions(&daemon, "a held place", |sessions| sessions.len() == 1);
    assert_eq!((&admitted[0]["state"], &admitted[0]["vlan"]), (&Value::from("admitted"), &Value::from(11)));

    let report = |status: &str, more: &str| {
        format!(
            "Acct-Status-Type = {status}\nAcct-Session-Id = \"5F3A-01\"\nUser-Name = \"{username}\"\nCalling-Station-Id = \"02-00-00-00-00-09\"\nNAS-IP-Address = 127.0.0.1\n{more}"
        )
    };
    assert!(radclient(&daemon, &report("Start", "")));
    let open = wait_for_sessions(&daemon, "an open session", is_open);
    assert_eq!(open[0]["id"], admitted[0]["id"], "the place became the session");
    assert_eq!((&open[0]["member_name"], &open[0]["username"]), (&"Mara Holm".into(), &Value::from(bare(&username))));
    assert_eq!((&open[0]["mac"], &open[0]["network"]), (&"02:00:00:00:00:09".into(), &"studio".into()));

    let counters =
        "Acct-Input-Octets = 5\nAcct-Input-Gigawords = 1\nAcct-Output-Octets = 9\nFramed-IP-Address = 10.0.11.7\n";
    assert!(radclient(&daemon, &report("Interim-Update", counters)));
    wait_for_sessions(&daemon, "the counters", |sessions| {
        sessions[0]["rx_bytes"] == (1_u64 << 32) + 5 && sessions[0]["tx_bytes"] == 9 && sessions[0]["ip"] == "10.0.11.7"
    });
    assert_eq!(daemon.cli(&["member", "show", &mara])["online"], 1);

    assert!(radclient(&daemon, &report("Stop", "Acct-Terminate-Cause = User-Request\n")));
    wait_for_sessions(&daemon, "the end", <[Value]>::is_empty);
    let ended = wait_for_event(&daemon, "wifi-session-ended");
    assert_eq!((&ended["member"], &ended["facts"]["cause"]), (&Value::from(mara), &"user-request".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_member_is_disconnected_within_two_seconds_and_resumed_she_comes_back() {
    let (daemon, point) = site_with_access_point("wifi-suspend").await;
    let mara = daemon.add_member("Mara Holm", "resident", Some("studio"));
    let olga = daemon.add_member("Olga Rand", "resident", None);
    let (username, password) = daemon.issue_wifi_key(&mara);
    let login = || Login::new(&username, &password, MethodKind::Peap, MAC);
    let accepted = point.login(login()).await.expect("a login");
    assert_eq!(accepted.vlan, Some(11));
    assert_eq!(accepted.attributes.first().map(|(kind, _)| *kind), Some(80), "Message-Authenticator is first");
    point.start(&accepted.session).await.expect("Start is acknowledged");
    wait_for_sessions(&daemon, "an open session", is_open);

    let mut disconnects = point.disconnects();
    daemon.cli(&["member", "suspend", &olga]);
    let asked_at = Instant::now();
    daemon.cli(&["member", "suspend", &mara]);
    let request = tokio::time::timeout(DISCONNECT_MAX, disconnects.recv()).await.expect("in time").expect("a request");
    assert!(request.at.duration_since(asked_at) < DISCONNECT_MAX);
    assert_eq!(request.acct_session_id.as_ref(), Some(&accepted.session.acct_session_id));
    assert_eq!((request.mac, request.user_name.as_deref()), (Some(MAC), Some(bare(&username))));
    wait_for_sessions(&daemon, "the end", <[Value]>::is_empty);
    wait_for_event(&daemon, "wifi-disconnected");
    assert!(point.live_sessions().is_empty());

    assert!(matches!(point.login(login()).await, Err(LoginError::Rejected { .. })));
    daemon.cli(&["member", "resume", &mara]);
    let accepted = point.login(login()).await.expect("she comes back");
    point.start(&accepted.session).await.expect("Start is acknowledged");
    wait_for_sessions(&daemon, "an open session", is_open);
    assert!(disconnects.try_recv().is_err(), "nobody else was disconnected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_point_that_does_not_disconnect_is_shown_and_a_kick_can_be_repeated() {
    let (daemon, point) = site_with_access_point("wifi-kick").await;
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (username, password) = daemon.issue_wifi_key(&mara);
    let accepted = point.login(Login::new(&username, &password, MethodKind::Ttls, MAC)).await.expect("a login");
    point.start(&accepted.session).await.expect("Start is acknowledged");
    let session = wait_for_sessions(&daemon, "an open session", is_open)[0]["id"].clone();
    let session = session.as_str().expect("an id");

    point.answer_disconnects(Answer::Refuse);
    daemon.cli(&["wifi", "kick", session]);
    wait_for_sessions(&daemon, "the refusal", |sessions| sessions[0]["state"] == "disconnect-failed");
    assert_eq!(wait_for_event(&daemon, "wifi-disconnect-refused")["outcome"], "warning");

    point.answer_disconnects(Answer::Obey);
    daemon.cli(&["wifi", "kick", session]);
    wait_for_sessions(&daemon, "the end", <[Value]>::is_empty);
    let (code, said) = daemon.try_cli(&["wifi", "kick", session]).expect_err("it is over");
    assert!(code == 1 && said.contains("unknown-session"), "{code}: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_midst_of_a_session_loses_neither_it_nor_a_revocation() {
    let (daemon, point) = site_with_access_point("wifi-restart").await;
    let mara = daemon.add_member("Mara Holm", "resident", Some("studio"));
    let (username, password) = daemon.issue_wifi_key(&mara);
    let accepted = point.login(Login::new(&username, &password, MethodKind::Peap, MAC)).await.expect("a login");
    point.start(&accepted.session).await.expect("Start is acknowledged");
    let before = wait_for_sessions(&daemon, "an open session", is_open);
    let coa = point.coa_address();

    let daemon = daemon.kill().start();
    let after = wait_for_sessions(&daemon, "the same session", |sessions| sessions.len() == 1);
    for key in ["id", "member_id", "mac", "vlan", "network", "started_at"] {
        assert_eq!(before[0][key], after[0][key], "{key}");
    }
    // The ports are new, so the access point is told them; its sessions and its CoA port are the same.
    drop(point);
    let point = rebind(&daemon, coa).await;
    point.interim(&accepted.session, Usage { sent_bytes: 7, received_bytes: 8 }).await.expect("it is acknowledged");
    wait_for_sessions(&daemon, "the counters", |sessions| sessions[0]["rx_bytes"] == 7);
    point.start(&accepted.session).await.expect("a repeated Start is acknowledged");
    let mut disconnects = point.disconnects();
    daemon.cli(&["member", "suspend", &mara]);
    let request = tokio::time::timeout(DISCONNECT_MAX, disconnects.recv()).await.expect("in time").expect("a request");
    assert_eq!(request.acct_session_id.as_ref(), Some(&accepted.session.acct_session_id));
    wait_for_sessions(&daemon, "the end", <[Value]>::is_empty);
}

/// The old socket is closed by a task that was told to end; it may take a moment.
async fn rebind(daemon: &Daemon, coa: SocketAddr) -> AccessPoint {
    let listening = daemon.listening;
    let began = Instant::now();
    loop {
        match AccessPoint::bind(listening.radius_auth, listening.radius_acct, SECRET, coa).await {
            Ok(point) => return point,
            Err(error) => assert!(began.elapsed() < SOON, "{error}"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_and_wrong_secrets_meet_silence_and_the_operator_reads_what_to_do() {
    let daemon = Daemon::start("wifi-strangers");
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (username, password) = daemon.issue_wifi_key(&mara);
    let listening = daemon.listening;
    let coa = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let forger = AccessPoint::bind(listening.radius_auth, listening.radius_acct, "another secret", coa).await;
    let forger = forger.expect("loopback sockets").with_patience(Duration::from_millis(100));
    let answer = forger.login(Login::new(&username, &password, MethodKind::Peap, MAC)).await;
    assert!(matches!(answer, Err(LoginError::NoReply)), "{answer:?}");
    let told = wait_for_event(&daemon, "wifi-wrong-secret");
    assert!(
        told["place"] == "lobby" && told["sentence"].as_str().is_some_and(|text| text.contains("same secret")),
        "{told}"
    );

    let stranger = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).expect("all of 127/8 is ours");
    stranger.send_to(&[1, 1, 0, 20], listening.radius_auth).expect("it leaves");
    let told = wait_for_event(&daemon, "wifi-unknown-client");
    assert_eq!(told["place"], "127.0.0.2");
    stranger.set_nonblocking(true).expect("our own socket");
    assert!(stranger.recv_from(&mut [0; 64]).is_err(), "silence");

    let point = access_point(&daemon, coa).await;
    point.login(Login::new(&username, &password, MethodKind::Peap, MAC)).await.expect("the genuine one is served");
}
