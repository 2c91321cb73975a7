//! The Wi-Fi of the real binary: judged by eapol_test (wpa_supplicant's EAP peer) and radclient (FreeRADIUS), and watched by a
//! simulated access point where Disconnect-Requests have to arrive.

use proto::eap::MethodKind;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use support::access_point::{AccessPoint, Answer, Login, LoginError, Usage};
use support::daemon::{Daemon, SECRET, closed, demo_site};
use support::eapol_test::{EapolTest, Judged, PEAP, TLS12, TLS13, TTLS, TTLS_EAP, TTLS_MSCHAPV2};
use support::radclient::RadClient;
use values::MacAddress;

const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
/// What DESIGN 6 promises between a suspension and its Disconnect-Request.
const DISCONNECT_MAX: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(10);

fn eapol_test(daemon: &Daemon, username: &str, password: &str, lines: &[&str]) -> Judged {
    EapolTest::at_box(daemon).with_key(username, password).judge(lines)
}

/// What `doorpost why MEMBER wifi` tells: the newest code of the past, and the code of a try now.
fn why(daemon: &Daemon, member: &str) -> (String, String) {
    // The audit row follows the answer; it is not waited for.
    daemon.wait_until("a row about the login", SOON, || {
        let told = daemon.cli(&["why", member, "wifi"]);
        let past = told["past"].as_array().and_then(|past| past.first()).map(|row| row["code"].as_str())??.to_owned();
        Some((past, told["now"]["code"].as_str()?.to_owned()))
    })
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
    for (member, vlan) in [(&in_team, 11), (&alone, 10)] {
        let (username, password) = daemon.issue_wifi_key(member);
        for method in [TTLS, TTLS_MSCHAPV2, TTLS_EAP, PEAP] {
            for tls in [TLS12, TLS13] {
                let judged = eapol_test(&daemon, &username, &password, &[&method[..], &[tls]].concat());
                let case = format!("{method:?} {tls}:\n{}", judged.text);
                assert!(judged.success, "{case}");
                assert!(judged.keys_agree(1), "{case}");
                assert_eq!(judged.text.contains("TLSv1.3"), tls == TLS13, "{case}");
                assert_eq!(judged.vlan(), Some(vlan), "{case}");
            }
        }
        assert_eq!(why(&daemon, member), ("wifi-admitted".into(), "allowed".into()));
    }
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
    let event = daemon.wait_for_event("unknown-member");
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
    daemon.wait_for_event("too-many-tries");
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

#[test]
fn what_radclient_reports_of_a_session_is_seen_and_ends() {
    let daemon = Daemon::start("wifi-accounting");
    let mara = daemon.add_member("Mara Holm", "resident", Some("studio"));
    let (username, password) = daemon.issue_wifi_key(&mara);
    assert!(eapol_test(&daemon, &username, &password, &PEAP).success);
    let admitted = daemon.wait_for_wifi_sessions("a held place", |sessions| sessions.len() == 1);
    assert_eq!((&admitted[0]["state"], &admitted[0]["vlan"]), (&Value::from("admitted"), &Value::from(11)));

    let report = |status: &str, more: &str| {
        format!(
            "Acct-Status-Type = {status}\nAcct-Session-Id = \"5F3A-01\"\nUser-Name = \"{username}\"\nCalling-Station-Id = \"02-00-00-00-00-09\"\nNAS-IP-Address = 127.0.0.1\n{more}"
        )
    };
    let radclient = RadClient::at(daemon.listening.radius_acct, SECRET);
    assert!(radclient.send("acct", &report("Start", "")).success);
    let open = daemon.wait_for_wifi_sessions("an open session", is_open);
    assert_eq!(open[0]["id"], admitted[0]["id"], "the place became the session");
    assert_eq!((&open[0]["member_name"], &open[0]["username"]), (&"Mara Holm".into(), &Value::from(bare(&username))));
    assert_eq!((&open[0]["mac"], &open[0]["network"]), (&"02:00:00:00:00:09".into(), &"studio".into()));

    let counters =
        "Acct-Input-Octets = 5\nAcct-Input-Gigawords = 1\nAcct-Output-Octets = 9\nFramed-IP-Address = 10.0.11.7\n";
    assert!(radclient.send("acct", &report("Interim-Update", counters)).success);
    daemon.wait_for_wifi_sessions("the counters", |sessions| {
        sessions[0]["rx_bytes"] == (1_u64 << 32) + 5 && sessions[0]["tx_bytes"] == 9 && sessions[0]["ip"] == "10.0.11.7"
    });
    assert_eq!(daemon.cli(&["member", "show", &mara])["online"], 1);

    assert!(radclient.send("acct", &report("Stop", "Acct-Terminate-Cause = User-Request\n")).success);
    daemon.wait_for_wifi_sessions("the end", <[Value]>::is_empty);
    let ended = daemon.wait_for_event("wifi-session-ended");
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
    daemon.wait_for_wifi_sessions("an open session", is_open);

    let mut disconnects = point.disconnects();
    daemon.cli(&["member", "suspend", &olga]);
    let asked_at = Instant::now();
    daemon.cli(&["member", "suspend", &mara]);
    let request = tokio::time::timeout(DISCONNECT_MAX, disconnects.recv()).await.expect("in time").expect("a request");
    assert!(request.at.duration_since(asked_at) < DISCONNECT_MAX);
    assert_eq!(request.acct_session_id.as_ref(), Some(&accepted.session.acct_session_id));
    assert_eq!((request.mac, request.user_name.as_deref()), (Some(MAC), Some(bare(&username))));
    daemon.wait_for_wifi_sessions("the end", <[Value]>::is_empty);
    daemon.wait_for_event("wifi-disconnected");
    assert!(point.live_sessions().is_empty());

    assert!(matches!(point.login(login()).await, Err(LoginError::Rejected { .. })));
    daemon.cli(&["member", "resume", &mara]);
    let accepted = point.login(login()).await.expect("she comes back");
    point.start(&accepted.session).await.expect("Start is acknowledged");
    daemon.wait_for_wifi_sessions("an open session", is_open);
    assert!(disconnects.try_recv().is_err(), "nobody else was disconnected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_point_that_does_not_disconnect_is_shown_and_a_kick_can_be_repeated() {
    let (daemon, point) = site_with_access_point("wifi-kick").await;
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (username, password) = daemon.issue_wifi_key(&mara);
    let accepted = point.login(Login::new(&username, &password, MethodKind::Ttls, MAC)).await.expect("a login");
    point.start(&accepted.session).await.expect("Start is acknowledged");
    let session = daemon.wait_for_wifi_sessions("an open session", is_open)[0]["id"].clone();
    let session = session.as_str().expect("an id");

    point.answer_disconnects(Answer::Refuse);
    daemon.cli(&["wifi", "kick", session]);
    daemon.wait_for_wifi_sessions("the refusal", |sessions| sessions[0]["state"] == "disconnect-failed");
    assert_eq!(daemon.wait_for_event("wifi-disconnect-refused")["outcome"], "warning");

    point.answer_disconnects(Answer::Obey);
    daemon.cli(&["wifi", "kick", session]);
    daemon.wait_for_wifi_sessions("the end", <[Value]>::is_empty);
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
    let before = daemon.wait_for_wifi_sessions("an open session", is_open);
    let coa = point.coa_address();

    let daemon = daemon.kill().start();
    let after = daemon.wait_for_wifi_sessions("the same session", |sessions| sessions.len() == 1);
    for key in ["id", "member_id", "mac", "vlan", "network", "started_at"] {
        assert_eq!(before[0][key], after[0][key], "{key}");
    }
    // The ports are new, so the access point is told them; its sessions and its CoA port are the same.
    drop(point);
    let point = rebind(&daemon, coa).await;
    point.interim(&accepted.session, Usage { sent_bytes: 7, received_bytes: 8 }).await.expect("it is acknowledged");
    daemon.wait_for_wifi_sessions("the counters", |sessions| sessions[0]["rx_bytes"] == 7);
    point.start(&accepted.session).await.expect("a repeated Start is acknowledged");
    let mut disconnects = point.disconnects();
    daemon.cli(&["member", "suspend", &mara]);
    let request = tokio::time::timeout(DISCONNECT_MAX, disconnects.recv()).await.expect("in time").expect("a request");
    assert_eq!(request.acct_session_id.as_ref(), Some(&accepted.session.acct_session_id));
    daemon.wait_for_wifi_sessions("the end", <[Value]>::is_empty);
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
    let told = daemon.wait_for_event("wifi-wrong-secret");
    assert!(
        told["place"] == "lobby" && told["sentence"].as_str().is_some_and(|text| text.contains("same secret")),
        "{told}"
    );

    let stranger = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).expect("all of 127/8 is ours");
    stranger.send_to(&[1, 1, 0, 20], listening.radius_auth).expect("it leaves");
    let told = daemon.wait_for_event("wifi-unknown-client");
    assert_eq!(told["place"], "127.0.0.2");
    stranger.set_nonblocking(true).expect("our own socket");
    assert!(stranger.recv_from(&mut [0; 64]).is_err(), "silence");

    let point = access_point(&daemon, coa).await;
    point.login(Login::new(&username, &password, MethodKind::Peap, MAC)).await.expect("the genuine one is served");
}
