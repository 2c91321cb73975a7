//! Devices without 802.1X at the real binary: by their address, by a passphrase of their own, and by a handshake in which it has to
//! be found. Judged by radclient (FreeRADIUS), which hides and opens passwords by itself, with handshakes that OpenSSL made.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use support::access_point::{AccessPoint, Session};
use support::daemon::{Daemon, SECRET, demo_site};
use support::handshake::{Handshake, hex};
use support::radclient::{Heard, RadClient};
use values::MacAddress;

const SSID: &str = "Harbour Things";
const BSSID: MacAddress = MacAddress([2, 0, 0, 0, 0, 0xff]);
const PLUG: MacAddress = MacAddress([2, 0, 0, 0, 0, 0x0a]);
const LAMP: MacAddress = MacAddress([2, 0, 0, 0, 0, 0x0b]);
/// What DESIGN 6 promises between a suspension and its Disconnect-Request.
const DISCONNECT_MAX: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(10);

/// The demo site with networks for passphrases.
fn site(ssids: &[&str], coa_port: u16) -> String {
    let site = demo_site(None, Some(coa_port));
    let first = "    - name: Harbour Works\n";
    assert!(site.contains(first));
    let more: String = ssids.iter().map(|ssid| format!("    - {{name: {ssid}, security: passphrase}}\n")).collect();
    site.replace(first, &format!("{first}{more}"))
}

async fn start(word: &str) -> (Daemon, AccessPoint) {
    // The access point's CoA port has to be known before the daemon starts, and the daemon's ports before the access point does.
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let reserved = AccessPoint::bind(any, any, SECRET, any).await.expect("loopback sockets").coa_address();
    let daemon = Daemon::start_with(word, &site(&[SSID], reserved.port()));
    let listening = daemon.listening;
    let began = Instant::now();
    loop {
        match AccessPoint::bind(listening.radius_auth, listening.radius_acct, SECRET, reserved).await {
            Ok(point) => return (daemon, point),
            Err(error) => assert!(began.elapsed() < SOON, "{error}"),
        }
        tokio::task::yield_now().await;
    }
}

/// Asks whether a device may come in.
fn radclient(daemon: &Daemon, attributes: &str) -> Heard {
    let request = format!("{attributes}Message-Authenticator = 0x00\n");
    let heard = RadClient::at(daemon.listening.radius_auth, SECRET).send("auth", &request);
    assert!(heard.answer().is_some(), "{}", heard.text);
    heard
}

fn plain(mac: MacAddress) -> String {
    mac.to_string().replace(':', "")
}

fn hyphenated(mac: MacAddress) -> String {
    mac.to_string().replace(':', "-").to_uppercase()
}

/// What hostapd sends with `macaddr_acl=2`.
fn by_address(mac: MacAddress, ssid: &str) -> String {
    format!(
        "User-Name = \"{0}\"\nUser-Password = \"{0}\"\nNAS-IP-Address = 127.0.0.1\nCalled-Station-Id = \"{1}:{ssid}\"\n\
         Calling-Station-Id = \"{2}\"\nNAS-Port-Type = Wireless-802.11\nConnect-Info = \"CONNECT 11Mbps 802.11b\"\n",
        plain(mac),
        hyphenated(BSSID),
        hyphenated(mac),
    )
}

/// What it adds with `wpa_psk_radius=3`, by FreeRADIUS's own dictionary.
fn by_handshake(mac: MacAddress, ssid: &str, passphrase: &str) -> String {
    let seen = Handshake::of(passphrase, ssid, BSSID, mac);
    format!(
        "{}FreeRADIUS-802.1X-Anonce = 0x{}\nFreeRADIUS-802.1X-EAPoL-Key-Msg = 0x{}\n",
        by_address(mac, ssid),
        hex(&seen.anonce),
        hex(&seen.message)
    )
}

fn passphrase(daemon: &Daemon, member: &str, mac: Option<MacAddress>) -> (String, String) {
    let mac = mac.map(|mac| mac.to_string());
    let mut args = vec!["wifi", "passphrase", member, "--label", "plug"];
    if let Some(mac) = &mac {
        args.extend(["--mac", mac]);
    }
    let issued = daemon.cli(&args);
    assert!(issued["ssids"].as_array().is_some_and(|ssids| ssids.contains(&SSID.into())), "{issued}");
    let text = |key: &str| issued[key].as_str().expect("text").to_owned();
    (text("credential_id"), text("password"))
}

fn session(daemon: &Daemon, mac: MacAddress) -> Session {
    let sessions = daemon.wait_until("the session", SOON, || {
        daemon.wifi_sessions().into_iter().find(|session| session["mac"] == mac.to_string())
    });
    // By a handshake it has its place; by its address alone not before its access point reports it.
    assert!(sessions["state"] == "admitted" || sessions["state"] == "unreported", "{sessions}");
    Session {
        acct_session_id: format!("{}-1", plain(mac)),
        mac,
        ssid: SSID.into(),
        user_name: sessions["username"].as_str().expect("text").to_owned(),
        class: None, // hostapd has none for such a device
        ip: None,
        began: Instant::now(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registered_device_comes_in_by_its_address_and_goes_with_its_member() {
    let (daemon, point) = start("devices-address").await;
    let mara = daemon.add_member("Mara Holm", "resident", Some("studio"));
    assert!(!radclient(&daemon, &by_address(PLUG, "Harbour Open")).success);
    let told = daemon.wait_for_event("device-not-registered");
    assert!(
        told["place"] == "lobby" && told["sentence"].as_str().is_some_and(|text| text.contains("wifi register")),
        "{told}"
    );

    let issued = daemon.cli(&["wifi", "register", &mara, "02-00-00-00-00-0A", "--label", "plug"]);
    assert!(issued["credential_id"].is_string(), "{issued}");
    let shown = daemon.cli(&["member", "show", &mara]);
    assert_eq!(
        (&shown["credentials"][0]["kind"], &shown["credentials"][0]["mac"]),
        (&"registered-device".into(), &PLUG.to_string().into())
    );
    let (code, said) = daemon.try_cli(&["wifi", "register", &mara, "02:00:00:00:00:0a"]).expect_err("one owner");
    assert!(code == 1 && said.contains("address-taken"), "{said}");

    let accept = radclient(&daemon, &by_address(PLUG, "Harbour Open"));
    assert!(accept.success, "{}", accept.text);
    assert_eq!(accept.get("Tunnel-Private-Group-Id"), Some("11"));
    assert_eq!(accept.get("User-Name"), issued["credential_id"].as_str());
    assert!(accept.get("Tunnel-Password").is_none() && accept.get("Session-Timeout").is_some());
    // Its address alone is not a password for anything else.
    let guess = by_address(PLUG, "Harbour Open").replace("User-Password = \"02", "User-Password = \"03");
    assert!(!radclient(&daemon, &guess).success);
    daemon.wait_for_event("wifi-mac-auth-unusable");

    let online = session(&daemon, PLUG);
    point.start(&online).await.expect("Start is acknowledged");
    assert_eq!(daemon.cli(&["member", "show", &mara])["online"], 1);
    let mut disconnects = point.disconnects();
    daemon.cli(&["member", "suspend", &mara]);
    let request = tokio::time::timeout(DISCONNECT_MAX, disconnects.recv()).await.expect("in time").expect("a request");
    assert_eq!((request.mac, request.acct_session_id.as_ref()), (Some(PLUG), Some(&online.acct_session_id)));
    assert!(!radclient(&daemon, &by_address(PLUG, "Harbour Open")).success);
    let why = daemon.cli(&["why", &mara, "wifi"]);
    assert_eq!(why["now"]["code"], "member-suspended", "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_point_that_asks_by_address_is_given_the_passphrase() {
    let (daemon, point) = start("devices-passphrase").await;
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (credential, secret) = passphrase(&daemon, &mara, Some(PLUG));
    assert!(proto::wpa::is_passphrase(&secret) && secret.len() >= 20, "{secret}");
    let accept = radclient(&daemon, &by_address(PLUG, SSID));
    assert!(accept.success, "{}", accept.text);
    assert_eq!(accept.get("Tunnel-Password"), Some(secret.as_str()), "{}", accept.text);
    assert_eq!(accept.get("Tunnel-Private-Group-Id"), Some("10"));

    for (mac, ssid, code) in
        [(PLUG, "Harbour Open", "not-a-passphrase-network"), (LAMP, SSID, "no-passphrase-for-device")]
    {
        assert!(!radclient(&daemon, &by_address(mac, ssid)).success);
        daemon.wait_for_event(code);
    }

    let online = session(&daemon, PLUG);
    point.start(&online).await.expect("Start is acknowledged");
    let mut disconnects = point.disconnects();
    daemon.cli(&["wifi", "revoke", &credential]);
    let request = tokio::time::timeout(DISCONNECT_MAX, disconnects.recv()).await.expect("in time").expect("a request");
    assert_eq!(request.mac, Some(PLUG));
    assert!(!radclient(&daemon, &by_address(PLUG, SSID)).success);
    let why = daemon.wait_until("the refusal", SOON, || {
        let why = daemon.cli(&["why", &mara, "wifi"]);
        (why["past"][0]["code"] == "credential-revoked").then_some(why)
    });
    assert_eq!(why["now"]["code"], "credential-revoked", "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_finds_its_passphrase_among_many() {
    let (daemon, _point) = start("devices-find-key").await;
    let mara = daemon.add_member("Mara Holm", "resident", Some("studio"));
    let olga = daemon.add_member("Olga Rand", "resident", None);
    // More than the engine looks through on its own task.
    for member in [&mara, &olga].into_iter().cycle().take(65) {
        passphrase(&daemon, member, None);
    }
    let (credential, secret) = passphrase(&daemon, &mara, None);
    let (_, olgas) = passphrase(&daemon, &olga, None);

    for (mac, typed, vlan) in [(PLUG, &secret, "11"), (LAMP, &olgas, "10")] {
        let accept = radclient(&daemon, &by_handshake(mac, SSID, typed));
        assert!(accept.success, "{}", accept.text);
        assert_eq!(accept.get("Tunnel-Private-Group-Id"), Some(vlan));
        assert_eq!(accept.get("Tunnel-Password"), Some(typed.as_str()));
    }
    let wrong = radclient(&daemon, &by_handshake(PLUG, SSID, "k7m2p-9qxrt"));
    assert!(!wrong.success);
    assert_eq!(daemon.wait_for_event("wrong-passphrase")["member"], mara.as_str(), "her device is known by now");

    daemon.cli(&["wifi", "revoke", &credential]);
    assert!(!radclient(&daemon, &by_handshake(PLUG, SSID, &secret)).success);
    assert_eq!(daemon.wait_for_event("credential-revoked")["member"], mara.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_vendor_is_answered_in_its_own_attributes() {
    let (daemon, _point) = start("devices-vendors").await;
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (_, secret) = passphrase(&daemon, &mara, None);
    let field = |kind: u8, value: &[u8]| format!("{kind:02x}{:02x}{}", value.len() + 2, hex(value));
    let ask = |extra: &str| {
        let request = format!(
            "User-Name = \"{0}\"\nUser-Password = \"{0}\"\nCalling-Station-Id = \"{1}\"\n{extra}",
            plain(PLUG),
            hyphenated(PLUG)
        );
        let answer = radclient(&daemon, &request);
        assert!(answer.success, "{}", answer.text);
        answer
    };
    let pair =
        |key: &str, value: &[u8]| format!("Attr-26.9.1 = 0x{}{}\n", hex(format!("{key}=").as_bytes()), hex(value));

    let seen = Handshake::of(&secret, SSID, BSSID, PLUG);
    let ruckus = ask(&format!(
        "Ruckus-SSID = \"{SSID}\"\nAttr-26.25053.14 = 0x{}\nAttr-26.25053.153 = 0x{}{}{}{}\n",
        hex(&BSSID.0),
        field(1, &[0, 15, 172, 2]),
        field(2, &[4]),
        field(3, &seen.anonce),
        field(4, &seen.message)
    ));
    let pmk = hex(proto::wpa::pmk(&secret, SSID.as_bytes()).expose());
    assert_eq!(ruckus.get("MS-MPPE-Recv-Key"), Some(format!("0x{pmk}").as_str()), "{}", ruckus.text);
    assert!(ruckus.text.contains(&format!("0x00{pmk}")), "{}", ruckus.text);

    let seen = Handshake::of(&secret, SSID, BSSID, PLUG);
    let meraki = ask(&format!(
        "Attr-26.29671.5 = 0x{}{}{}{}\n",
        field(1, &seen.anonce),
        field(2, &seen.message),
        field(3, &BSSID.0),
        field(5, SSID.as_bytes())
    ));
    assert_eq!(meraki.get("Tunnel-Password"), Some(secret.as_str()));

    let seen = Handshake::of(&secret, SSID, BSSID, PLUG);
    let cisco = ask(&format!(
        "{}{}{}{}",
        pair("cisco-wlan-ssid", SSID.as_bytes()),
        pair("cisco-bssid", &BSSID.0),
        pair("cisco-anonce", &seen.anonce),
        pair("cisco-8021x-data", &seen.message)
    ));
    for pair in ["psk-mode=ascii".to_owned(), format!("psk={secret}")] {
        assert!(cisco.text.contains(&format!("Cisco-AVPair = \"{pair}\"")), "{}", cisco.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_is_named_later_is_prepared_behind_the_scenes() {
    let (daemon, point) = start("devices-later").await;
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (_, secret) = passphrase(&daemon, &mara, None);
    let later = "Harbour Attic";
    assert!(!radclient(&daemon, &by_handshake(PLUG, later, &secret)).success);
    daemon.wait_for_event("not-a-passphrase-network");
    std::fs::write(&daemon.site, site(&[SSID, later], point.coa_address().port())).expect("our own file");
    let daemon = daemon.kill().start();
    daemon.wait_for_event("wifi-passphrase-prepared");
    assert!(radclient(&daemon, &by_handshake(PLUG, later, &secret)).success);
    assert!(radclient(&daemon, &by_handshake(LAMP, SSID, &secret)).success);
}
