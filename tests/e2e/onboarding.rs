//! A device comes onto the Wi-Fi: by a certificate, by a profile, by a link. What the box hands out is used as a device would:
//! eapol_test logs in with it, openssl checks the signature, curl opens the link. And `why` tells what went wrong.

use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use support::curl::curl;
use support::daemon::{Daemon, SERVER_NAME, binary, demo_site};
use support::eapol_test::{EapolTest, PEAP, TLS12, TLS13};

const SOON: Duration = Duration::from_secs(10);
const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile Safari/604.1";

/// By a key, with a name that everybody can hear.
fn by_key(daemon: &Daemon, username: &str, password: &str) -> EapolTest {
    EapolTest::at_box(daemon).with_key(username, password).showing(username)
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

/// `doorpost wifi ARGS --out FILE`: the answer and the file.
fn file(daemon: &Daemon, name: &str, args: &[&str]) -> (Value, PathBuf) {
    let out = daemon.data.join(name);
    let answer = daemon.cli(&[&["wifi"], args, &["--out", out.to_str().expect("text")]].concat());
    assert!(answer["content"].is_null(), "it is in the file and nowhere else");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&out).expect("written").permissions());
    assert_eq!(mode & 0o777, 0o600);
    (answer, out)
}

#[test]
fn a_certificate_lets_its_device_in_until_it_is_revoked() {
    let daemon = Daemon::start("onboarding-certificate");
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (issued, pem) =
        file(&daemon, "device.pem", &["certificate", "Mara Holm", "--label", "laptop", "--format", "pem"]);
    let identity = text(&issued, "identity");
    assert!(identity.starts_with("device-") && identity.ends_with("@harbour.example"), "{identity}");
    let laptop = EapolTest::at_box(&daemon).with_certificate(&identity, &pem, &pem);
    for tls in [TLS13, TLS12] {
        let judged = laptop.judge(&[tls]);
        assert!(judged.success && judged.keys_agree(1), "{}\n{}", judged.text, daemon.log());
        assert_eq!(judged.text.contains("TLSv1.3"), tls == TLS13, "{}", judged.text);
    }
    let (other, pkcs12) = file(&daemon, "device.p12", &["certificate", "Mara Holm", "--label", "phone"]);
    let password = text(&other, "password");
    let phone = EapolTest::at_box(&daemon).with_pkcs12(&text(&other, "identity"), &pkcs12, &password);
    let phone = phone.with_mac("02:00:00:00:00:0a");
    let judged = phone.judge(&[TLS13]);
    assert!(judged.success, "{}", judged.text);

    daemon.cli(&["wifi", "revoke", &text(&issued, "credential_id")]);
    assert!(!laptop.judge(&[TLS13]).success, "it was revoked");
    let row = daemon.wait_for_why(&mara, "credential-revoked");
    assert_eq!((text(&row, "device").as_str(), text(&row, "place").as_str()), ("laptop", "lobby"));
    let judged = phone.judge(&[TLS13]);
    assert!(judged.success, "the other certificate is as good as before\n{}", judged.text);
}

fn openssl(args: &[&str]) {
    let done = Command::new("openssl").args(args).output().expect("openssl is installed");
    assert!(done.status.success(), "openssl {}: {}", args[0], String::from_utf8_lossy(&done.stderr));
}

#[test]
fn what_stands_in_a_profile_lets_the_device_in() {
    let daemon = Daemon::start("onboarding-profile");
    daemon.add_member("Mara Holm", "resident", None);
    for format in ["apple", "windows", "eap-config", "onc"] {
        for method in ["tls", "peap", "ttls"] {
            let name = format!("{format}-{method}");
            let (made, out) = file(&daemon, &name, &["profile", "Mara Holm", "--format", format, "--method", method]);
            assert!(std::fs::metadata(&out).expect("written").len() > 1_000, "{made}");
        }
    }
    let shown = daemon.cli(&["member", "show", "Mara Holm"]);
    let kinds: Vec<&str> =
        shown["credentials"].as_array().expect("a list").iter().filter_map(|one| one["kind"].as_str()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "device-certificate").count(), 4);
    assert_eq!(kinds.iter().filter(|kind| **kind == "wifi-key").count(), 8);

    let read = |name: &str| std::fs::read_to_string(daemon.data.join(name)).expect("XML");
    let between = |text: &str, tag: &str| -> String {
        let rest = text.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no {tag}")).1;
        rest.split_once("</").expect("an end").0.to_owned()
    };
    let by_peap = read("eap-config-peap");
    let judged = by_key(&daemon, &between(&by_peap, "UserName"), &between(&by_peap, "Password")).judge(&PEAP);
    assert!(judged.success, "{}", judged.text);

    let by_tls = read("eap-config-tls");
    let (pkcs12, pem) = (daemon.data.join("from-profile.p12"), daemon.data.join("from-profile.pem"));
    let base64 = by_tls.split_once("encoding=\"base64\">").expect("the CA").1;
    let base64 = base64.split_once("encoding=\"base64\">").expect("the certificate").1;
    std::fs::write(daemon.data.join("p12.base64"), base64.split_once("</").expect("an end").0).expect("our own file");
    let pass = format!("pass:{}", between(&by_tls, "Passphrase"));
    let decode = [&daemon.data.join("p12.base64"), &pkcs12].map(|path| path.display().to_string());
    openssl(&["base64", "-d", "-A", "-in", &decode[0], "-out", &decode[1]]);
    let out = pem.display().to_string();
    openssl(&["pkcs12", "-legacy", "-in", &decode[1], "-passin", &pass, "-noenc", "-out", &out]);
    let device = EapolTest::at_box(&daemon).with_certificate(&between(&by_tls, "OuterIdentity"), &pem, &pem);
    let judged = device.with_mac("02:00:00:00:00:0d").judge(&[TLS13]);
    assert!(judged.success, "{}", judged.text);

    let signed = daemon.data.join("apple-tls");
    let verified = Command::new("openssl")
        .args(["cms", "-verify", "-binary", "-inform", "DER", "-purpose", "any", "-in"])
        .arg(&signed)
        .arg("-CAfile")
        .arg(daemon.data.join("pki/ca.pem"))
        .output()
        .expect("openssl is installed");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let plist = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(plist.contains("<string>doorpost.harbour.example</string>") && plist.contains("Harbour Works"), "{plist}");

    let (code, said) = daemon
        .try_cli(&["wifi", "profile", "Mara Holm", "--format", "onc", "--ssid", "Elsewhere"])
        .expect_err("the site file has no such SSID");
    assert!(code == 1 && said.contains("one of Harbour Works"), "{said}");
    let (code, said) = daemon
        .try_cli(&["wifi", "profile", "Mara Holm", "--format", "apple", "--out", signed.to_str().expect("text")])
        .expect_err("there is a file already");
    assert!(code == 1 && said.contains("nothing was issued"), "{said}");
    let (code, _) = daemon.try_cli(&["wifi", "profile", "Mara Holm", "--format", "vista"]).expect_err("no such format");
    assert_eq!(code, 2);
}

#[test]
fn a_site_without_an_ssid_says_what_to_add() {
    let site = demo_site(None, None);
    let without = site.replace("wifi:\n  ssids:\n    - name: Harbour Works\n", "");
    assert_ne!(without, site, "configs/demo.yaml names its SSID otherwise by now");
    let daemon = Daemon::start_with("onboarding-no-ssid", &without);
    daemon.add_member("Mara Holm", "resident", None);
    for args in [&["wifi", "profile", "Mara Holm", "--format", "apple"][..], &["wifi", "link", "Mara Holm"]] {
        let (code, said) = daemon.try_cli(args).expect_err("there is nothing to write");
        assert!(code == 1 && said.contains("no-ssid") && said.contains("add `wifi: {ssids:"), "{said}");
    }
}

#[test]
fn a_link_brings_one_device_in_once() {
    let daemon = Daemon::start("onboarding-link");
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let made = daemon.cli(&["wifi", "link", "Mara Holm", "--label", "phone", "--host", "192.0.2.10"]);
    let url = text(&made, "url");
    let path = url.strip_prefix("https://192.0.2.10:").and_then(|rest| rest.split_once('/')).expect("a link").1;
    let path = format!("/{path}");
    assert!(text(&made, "svg").starts_with("<svg") && text(&made, "blocks").contains('█'));
    assert!(!daemon.log().contains(path.rsplit('/').next().expect("a token")), "the token stands in no log");

    for _ in 0..3 {
        let answer = curl(&daemon, &["--user-agent", PHONE], &path);
        assert_eq!(answer.status, 200);
        for strict in ["default-src 'self'", "nosniff", "no-referrer", "cache-control: no-store", "text/html"] {
            assert!(answer.head.contains(strict), "{strict}: {}", answer.head);
        }
        let page = answer.text();
        assert!(page.contains("Set up this Apple device") && page.contains("a Windows computer"), "{page}");
        assert!(!page.contains("Mara") && !page.contains("<script"), "it names nobody and runs nothing");
    }
    let post = ["--request", "POST"];
    let foreign = ["--request", "POST", "--header", "sec-fetch-site: cross-site"];
    assert_eq!(curl(&daemon, &foreign, &format!("{path}/apple")).status, 403);
    daemon.cli(&["member", "suspend", &mara]);
    let answer = curl(&daemon, &post, &format!("{path}/apple"));
    assert!(answer.status == 409 && answer.text().contains("suspended since"), "{answer:?}");
    daemon.cli(&["member", "resume", &mara]);

    let answer = curl(&daemon, &post, &format!("{path}/apple"));
    let head = answer.head;
    assert_eq!(answer.status, 200, "the link was given back\n{}", daemon.log());
    assert!(head.contains("content-type: application/x-apple-aspen-config"), "{head}");
    assert!(head.contains("attachment; filename=\"wifi.mobileconfig\""), "{head}");
    assert!(answer.body.windows(6).any(|six| six == b"plist "), "signed, with the contents inside");
    for (args, path) in [(&post[..], format!("{path}/apple")), (&[][..], path.clone())] {
        let answer = curl(&daemon, args, &path);
        assert!(answer.status == 410 && answer.text().contains("ask for a new one"), "{answer:?}");
    }
    let shown = daemon.cli(&["member", "show", &mara]);
    assert_eq!(
        (shown["credentials"][0]["kind"].as_str(), shown["credentials"][0]["label"].as_str()),
        (Some("device-certificate"), Some("phone"))
    );
    let row = daemon.wait_for_event("device-certificate-issued");
    assert_eq!(row["facts"]["actor"], "member");
}

#[test]
fn a_device_without_a_profile_is_shown_what_to_type() {
    let daemon = Daemon::start("onboarding-manual");
    daemon.add_member("Mara Holm", "resident", None);
    let made = daemon.cli(&["wifi", "link", "Mara Holm"]);
    let url = text(&made, "url");
    let path = url.strip_prefix("https://doorpost.harbour.example:").and_then(|rest| rest.split_once('/'));
    let path = format!("/{}", path.expect("the box's own name").1);
    let answer = curl(&daemon, &["--request", "POST"], &format!("{path}/manual"));
    assert_eq!(answer.status, 200);
    let page = answer.text();
    let value = |name: &str| {
        let rest = page.split_once(&format!("<dt>{name}</dt><dd>")).unwrap_or_else(|| panic!("no {name}: {page}")).1;
        rest.split_once("</dd>").expect("an end").0.to_owned()
    };
    assert_eq!(value("Server name (domain)"), SERVER_NAME);
    let judged = by_key(&daemon, &value("User name"), &value("Key")).judge(&PEAP);
    assert!(judged.success, "{}", judged.text);
    let answer = curl(&daemon, &[], "/join/ca.crt");
    assert!(answer.status == 200 && answer.head.contains("application/x-x509-ca-cert"), "{}", answer.head);
    let kept = std::fs::read_to_string(daemon.data.join("pki/ca.pem")).expect("ca.pem").replace("\r\n", "\n");
    assert_eq!(answer.text(), kept);
}

#[test]
fn why_names_the_devices_that_fill_the_plan() {
    let site =
        demo_site(None, None).replace("wifi: {network: members, devices: 5}", "wifi: {network: members, devices: 2}");
    assert!(site.contains("devices: 2"), "configs/demo.yaml has another plan `resident` by now");
    let daemon = Daemon::start_with("onboarding-limit", &site);
    let mara = daemon.add_member("Mara Holm", "resident", None);
    for (n, label) in ["phone", "tablet", "laptop"].iter().enumerate() {
        let issued = daemon.cli(&["wifi", "issue", &mara, "--label", label]);
        let device = by_key(&daemon, &text(&issued, "username"), &text(&issued, "password"));
        let judged = device.with_mac(&format!("02:00:00:00:01:0{n}")).judge(&PEAP);
        assert_eq!(judged.success, n < 2, "{}", judged.text);
    }
    let row = daemon.wait_for_why(&mara, "device-limit");
    assert_eq!(row["device"], "laptop");
    assert!(text(&row, "sentence").ends_with("disconnect one first. Online: phone, tablet."), "{row}");
    let now = daemon.cli(&["why", &mara, "wifi"])["now"].clone();
    assert!(text(&now, "sentence").ends_with("Online: phone, tablet."), "{now}");
    let output = Command::new(binary())
        .args(["why", "Mara Holm", "wifi", "lobby", "--data"])
        .arg(&daemon.data)
        .output()
        .expect("the binary starts");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("refused wifi at lobby Mara Holm (laptop): 2 devices are online"), "{shown}");
}

#[test]
fn why_says_what_it_does_not_know() {
    let daemon = Daemon::start("onboarding-why");
    let mara = daemon.add_member("Mara Holm", "resident", None);
    daemon.cli(&["member", "add", "--name", "Mara Holm", "--email", "other@example.org", "--plan", "flex"]);
    for (args, expected) in [
        (&["why", "Mara Holm", "wifi"][..], "2 members have this name; use the e-mail address or the id."),
        (&["why", "Nobody", "wifi"], "No member has this name, address or id."),
        (&["why", &mara, "wifi", "loft"], "The access point is not valid: expected one of the site file's: lobby"),
        (&["why", &mara, "print", "back"], "There is no printer `back`."),
        (&["why", &mara, "door", "roof"], "There is no door `roof`."),
    ] {
        let (code, said) = daemon.try_cli(args).expect_err("it cannot be answered");
        assert!(code == 1 && said.contains(expected), "{args:?}: {said}");
    }
    daemon.cli(&["why", "other@example.org", "wifi", "lobby"]);
}

#[test]
fn why_finds_the_refusals_of_a_device_that_did_not_get_as_far_as_its_name() {
    let daemon = Daemon::start("onboarding-nameless");
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let issued = daemon.cli(&["wifi", "issue", &mara, "--label", "laptop"]);
    let laptop = by_key(&daemon, &text(&issued, "username"), &text(&issued, "password"));
    assert!(laptop.judge(&PEAP).success);
    // The same laptop, set back to what was usual in 2005.
    let old = "phase1=\"tls_disable_tlsv1_3=1 tls_disable_tlsv1_2=1 tls_disable_tlsv1_1=0 tls_disable_tlsv1_0=0\"";
    assert!(!laptop.judge(&[&PEAP[..], &["openssl_ciphers=\"DEFAULT@SECLEVEL=0\"", old]].concat()).success);
    let row = daemon.wait_until("the refusal, with its member", SOON, || {
        let told = daemon.cli(&["why", &mara, "wifi"]);
        let past = told["past"].as_array()?.clone();
        past.into_iter().find(|row| row["outcome"] == "refused")
    });
    assert!(text(&row, "sentence").contains("TLS 1.1"), "{row}");
    assert!(row["member"].is_null(), "the box cannot know whose it was when it wrote the row");
    assert_eq!(row["device"], "laptop", "but its address is that of a device of hers");
}

#[test]
fn a_code_for_a_passphrase_network_holds_a_passphrase_of_its_own() {
    let site = demo_site(None, None).replace(
        "    - name: Harbour Works\n",
        "    - name: Harbour Works\n    - {name: 'Harbour; Things', security: passphrase}\n",
    );
    let daemon = Daemon::start_with("onboarding-code", &site);
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let made =
        daemon.cli(&["wifi", "profile", &mara, "--format", "qr", "--ssid", "Harbour; Things", "--label", "speaker"]);
    assert!(text(&made, "svg").starts_with("<svg") && made["url"].is_null());
    let shown = daemon.cli(&["member", "show", &mara]);
    assert_eq!(shown["credentials"][0]["id"], made["credential_id"]);
    assert_eq!(
        (shown["credentials"][0]["kind"].as_str(), shown["credentials"][0]["label"].as_str()),
        (Some("wifi-passphrase"), Some("speaker"))
    );
    let (code, said) = daemon
        .try_cli(&["wifi", "profile", &mara, "--format", "qr", "--ssid", "Harbour Works"])
        .expect_err("that network has no passphrase");
    assert!(code == 1 && said.contains("security: passphrase` (Harbour; Things)"), "{said}");
}
