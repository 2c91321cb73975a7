//! Each format, read back by a parser that is not ours: the CA and the name of the server are pinned in it, and nothing that a
//! site or a device is called gets out of its place.

use super::*;
use crate::pki::Pki;
use crate::pki::pkcs12::Protection;
use ::base64::Engine;
use roxmltree::{Document, Node};

const NOW: Timestamp = Timestamp(1_795_219_200_000); // 2026-11-21
const KEY: &str = "p&<>\"'\\;,:%PATH%$(x)`";
const USERNAME: &str = "mara-7k2p@harbour.example";

fn network(pki: &Pki) -> Network {
    Network {
        site: "Søren's \"Ha<rbour>\" & Söhne ]]> @CA@ \u{1f3f4}".to_owned(),
        realm: "harbour.example".to_owned(),
        server_name: "doorpost.harbour.example".to_owned(),
        authority: pki.authority().clone(),
        ssids: vec!["Caf\"é & <Bar>'".to_owned(), "\u{1f6dc} $(calc) %TEMP% 'x'".to_owned()],
        ends_at: Some(Timestamp(NOW.0 + 86_400_000)),
    }
}

fn login(pki: &Pki, method: Method) -> Login {
    let key = |method| Login::Key { method, username: USERNAME.into(), password: Secret::new(KEY.into()) };
    match method {
        Method::Peap => key(KeyMethod::Peap),
        Method::Ttls => key(KeyMethod::Ttls),
        Method::Tls => {
            let device = pki.issue_device("harbour.example", None, NOW).expect("it can be made");
            let password = Secret::new("7k2p9-q4c8d".to_owned());
            let pkcs12 = device.pkcs12(Protection::Legacy, &password).expect("it can be written");
            Login::Certificate { identity: device.identity, pkcs12, password }
        }
    }
}

/// Runs a check for each method.
fn for_each_method(check: impl Fn(&Network, &Login)) {
    let data = tempfile::tempdir().expect("a folder");
    let pki = Pki::open(data.path(), "harbour.example", NOW).expect("certificates can be made");
    for method in [Method::Tls, Method::Peap, Method::Ttls] {
        check(&network(&pki), &login(&pki, method));
    }
}

fn decoded(text: &str) -> Vec<u8> {
    ::base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
}

fn only<'a>(document: &'a Document<'_>, tag: &str) -> &'a str {
    let mut found = document.descendants().filter(|node| node.has_tag_name_any(tag));
    let text = found.next().unwrap_or_else(|| panic!("no {tag}")).text().unwrap_or_default();
    assert!(found.next().is_none(), "two of {tag}");
    text
}

/// An element by its name in whatever namespace.
trait AnyNamespace {
    fn has_tag_name_any(&self, tag: &str) -> bool;
}

impl AnyNamespace for Node<'_, '_> {
    fn has_tag_name_any(&self, tag: &str) -> bool {
        self.is_element() && self.tag_name().name() == tag
    }
}

#[test]
fn apple_profiles_pin_ca_and_name() {
    for_each_method(|network, login| {
        let text = apple::write(network, login);
        let value = plist::Value::from_reader_xml(text.as_bytes()).expect("a property list");
        let top = value.as_dictionary().expect("a dictionary");
        let string = |of: &plist::Dictionary, key: &str| {
            of.get(key).and_then(plist::Value::as_string).unwrap_or_else(|| panic!("no {key}")).to_owned()
        };
        assert_eq!(string(top, "PayloadType"), "Configuration");
        assert_eq!(string(top, "PayloadOrganization"), network.site);
        assert!(top.get("RemovalDate").and_then(plist::Value::as_date).is_some());
        let payloads = top["PayloadContent"].as_array().expect("an array");
        let of_kind = |kind: &str| {
            let dictionaries = payloads.iter().filter_map(plist::Value::as_dictionary);
            dictionaries.filter(|payload| string(payload, "PayloadType") == kind).collect::<Vec<_>>()
        };
        let ca = of_kind("com.apple.security.root");
        assert_eq!(ca[0]["PayloadContent"].as_data(), Some(network.authority.as_ref()));
        let wifi = of_kind("com.apple.wifi.managed");
        let ssids: Vec<String> = wifi.iter().map(|payload| string(payload, "SSID_STR")).collect();
        assert_eq!(ssids, network.ssids);
        for payload in &wifi {
            let eap = payload["EAPClientConfiguration"].as_dictionary().expect("a dictionary");
            let anchors = eap["PayloadCertificateAnchorUUID"].as_array().expect("an array");
            assert_eq!(anchors, &[plist::Value::from(string(ca[0], "PayloadUUID"))]);
            let names = eap["TLSTrustedServerNames"].as_array().expect("an array");
            assert_eq!(names, &[plist::Value::from(network.server_name.as_str())]);
            let types = eap["AcceptEAPTypes"].as_array().expect("an array");
            assert_eq!(types, &[plist::Value::from(u64::from(login.method().eap_type()))]);
            assert_eq!(
                (string(eap, "TLSMinimumVersion"), string(eap, "TLSMaximumVersion")),
                ("1.2".into(), "1.3".into())
            );
            assert_eq!(string(eap, "OuterIdentity"), "anonymous@harbour.example");
            assert_eq!(eap.contains_key("TTLSInnerAuthentication"), login.method() == Method::Ttls);
            match login {
                Login::Key { .. } => {
                    assert_eq!((string(eap, "UserName"), string(eap, "UserPassword")), (USERNAME.into(), KEY.into()));
                    assert!(!payload.contains_key("PayloadCertificateUUID"));
                }
                Login::Certificate { pkcs12, password, .. } => {
                    let own = of_kind("com.apple.security.pkcs12");
                    assert_eq!(own[0]["PayloadContent"].as_data(), Some(pkcs12.as_slice()));
                    assert_eq!(&string(own[0], "Password"), password.expose());
                    assert_eq!(string(payload, "PayloadCertificateUUID"), string(own[0], "PayloadUUID"));
                }
            }
        }
        let mut uuids: Vec<String> = wifi.iter().chain(&ca).map(|payload| string(payload, "PayloadUUID")).collect();
        uuids.sort_unstable();
        uuids.dedup();
        assert_eq!(uuids.len(), 3, "each payload has a UUID of its own");
    });
}

#[test]
fn windows_profiles_pin_ca_and_name_and_run_nothing_of_others() {
    for_each_method(|network, login| {
        let text = windows::write(network, login);
        assert!(text.is_ascii(), "what is not ours stands in base64");
        for foreign in ["calc", "%TEMP%", "Harbour", "rbour>", KEY, "@CA@", "@SITE@", "@USER_DATA@"] {
            assert!(!text.contains(foreign), "{foreign}");
        }
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "lines end as Windows has them");
        let (command, script) = text.split_once("#doorpost#\r\n").expect("the mark stands once, behind the command");
        assert!(command.ends_with("exit /b\r\n") && !script.contains("#doorpost#"));
        let ca = script.split("Bytes '").nth(1).and_then(|rest| rest.split('\'').next()).expect("the CA");
        assert_eq!(decoded(ca), network.authority.as_ref());
        assert!(script.contains(&format!("-ne '{}'", network.thumbprint().to_uppercase())));
        let profiles: Vec<String> = script
            .split("Xml = Text '")
            .skip(1)
            .filter_map(|rest| rest.split('\'').next())
            .map(|base64| String::from_utf8(decoded(base64)).expect("UTF-8"))
            .collect();
        assert_eq!(profiles.len(), network.ssids.len());
        for (profile, ssid) in profiles.iter().zip(&network.ssids) {
            check_wlan_profile(profile, ssid, network, login);
        }
        let user_data = script.split("$userData = '").nth(1).and_then(|rest| rest.split('\'').next()).expect("there");
        match login {
            Login::Certificate { .. } => assert!(user_data.is_empty() && script.contains("Keep $own 'My'")),
            Login::Key { .. } => {
                let xml = String::from_utf8(decoded(user_data)).expect("UTF-8");
                let document = Document::parse(&xml).expect("XML");
                assert_eq!((only(&document, "Username"), only(&document, "Password")), (USERNAME, KEY));
            }
        }
    });
}

fn check_wlan_profile(profile: &str, ssid: &str, network: &Network, login: &Login) {
    let document = Document::parse(profile).expect("XML");
    assert_eq!(
        document.root_element().tag_name().namespace(),
        Some("http://www.microsoft.com/networking/WLAN/profile/v1")
    );
    let names = document.descendants().filter(|node| node.has_tag_name_any("name"));
    assert!(names.map(|node| node.text().unwrap_or_default()).eq([ssid, ssid]));
    assert_eq!(only(&document, "hex"), crate::secrets::hex(ssid.as_bytes()).to_uppercase());
    let pins = document.descendants().find(|node| node.has_tag_name_any("ServerValidation")).expect("a validation");
    let pin = |tag: &str| pins.children().find(|node| node.has_tag_name_any(tag)).and_then(|node| node.text());
    assert_eq!(pin("ServerNames"), Some(network.server_name.as_str()));
    let (hash, silent) = match login.method() {
        Method::Ttls => (pin("TrustedRootCAHash"), pin("DisablePrompt")),
        Method::Tls | Method::Peap => (pin("TrustedRootCA"), pin("DisableUserPromptForServerValidation")),
    };
    assert_eq!(hash.map(|hash| hash.replace(' ', "")), Some(network.thumbprint()));
    assert_eq!(silent, Some("true"));
    let types: Vec<&str> =
        document.descendants().filter(|node| node.has_tag_name_any("Type")).filter_map(|node| node.text()).collect();
    let expected: &[&str] = match login.method() {
        Method::Tls => &["13", "13"],
        Method::Peap => &["25", "25", "26"],
        Method::Ttls => &["21"],
    };
    assert_eq!(types, expected);
}

#[test]
fn eap_config_pins_ca_and_name_and_stands_in_the_order_of_its_schema() {
    for_each_method(|network, login| {
        let text = eap_config::write(network, login);
        let document = Document::parse(&text).expect("XML");
        let children = |tag: &str| -> Vec<&str> {
            let node = document.descendants().find(|node| node.has_tag_name_any(tag)).expect("there");
            node.children().filter(Node::is_element).map(|child| child.tag_name().name()).collect()
        };
        assert_eq!(document.root_element().tag_name().name(), "EAPIdentityProviderList");
        let parts = ["ValidUntil", "AuthenticationMethods", "CredentialApplicability", "ProviderInfo"];
        assert_eq!(children("EAPIdentityProvider"), parts);
        assert_eq!(children("ServerSideCredential"), ["CA", "ServerID"]);
        assert_eq!(decoded(only(&document, "CA")), network.authority.as_ref());
        assert_eq!(only(&document, "ServerID"), network.server_name);
        assert_eq!(only(&document, "DisplayName"), network.site);
        let ssids = document.descendants().filter(|node| node.has_tag_name_any("SSID"));
        assert!(ssids.map(|node| node.text().unwrap_or_default()).eq(network.ssids.iter().map(String::as_str)));
        let method = ["EAPMethod", "ServerSideCredential", "ClientSideCredential", "InnerAuthenticationMethod"];
        match login {
            Login::Key { method: kind, .. } => {
                assert_eq!(children("AuthenticationMethod"), method);
                assert_eq!(children("ClientSideCredential"), ["OuterIdentity", "UserName", "Password"]);
                assert_eq!((only(&document, "UserName"), only(&document, "Password")), (USERNAME, KEY));
                let inner = if *kind == KeyMethod::Peap { "EAPMethod" } else { "NonEAPAuthMethod" };
                assert_eq!(children("InnerAuthenticationMethod"), [inner]);
            }
            Login::Certificate { pkcs12, password, .. } => {
                assert_eq!(children("AuthenticationMethod"), method[..3]);
                assert_eq!(children("ClientSideCredential"), ["OuterIdentity", "ClientCertificate", "Passphrase"]);
                assert_eq!(&decoded(only(&document, "ClientCertificate")), pkcs12);
                assert_eq!(only(&document, "Passphrase"), password.expose());
            }
        }
        let types = document.descendants().filter(|node| node.has_tag_name_any("Type")).filter_map(|node| node.text());
        assert_eq!(types.collect::<Vec<_>>()[0], login.method().eap_type().to_string());
    });
}

#[test]
fn onc_pins_ca_and_name() {
    for_each_method(|network, login| {
        let value: serde_json::Value = serde_json::from_str(&onc::write(network, login)).expect("JSON");
        let certificates = value["Certificates"].as_array().expect("an array");
        assert_eq!(decoded(certificates[0]["X509"].as_str().expect("text")), network.authority.as_ref());
        let networks = value["NetworkConfigurations"].as_array().expect("an array");
        assert_eq!(networks.len(), network.ssids.len());
        for (wifi, ssid) in networks.iter().map(|network| &network["WiFi"]).zip(&network.ssids) {
            assert_eq!(wifi["SSID"], **ssid);
            let eap = &wifi["EAP"];
            assert_eq!(eap["ServerCARefs"], serde_json::json!([certificates[0]["GUID"]]));
            assert_eq!(eap["UseSystemCAs"], false);
            assert_eq!(eap["DomainSuffixMatch"], serde_json::json!([network.server_name]));
            match login {
                Login::Key { .. } => {
                    assert_eq!((eap["Identity"].as_str(), eap["Password"].as_str()), (Some(USERNAME), Some(KEY)));
                    assert_eq!(certificates.len(), 1);
                }
                Login::Certificate { pkcs12, .. } => {
                    assert_eq!(eap["ClientCertRef"], certificates[1]["GUID"]);
                    assert_eq!(&decoded(certificates[1]["PKCS12"].as_str().expect("text")), pkcs12);
                }
            }
        }
    });
}

/// What a camera reads: each module as four by four grey pixels.
fn scanned(modules: &[Vec<bool>]) -> String {
    const SCALE: usize = 4;
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(modules[0].len() * SCALE, modules.len() * SCALE, |x, y| {
            if modules[y / SCALE][x / SCALE] { 0 } else { 255 }
        });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one code");
    grids[0].decode().expect("a code that can be read").1
}

#[test]
fn codes_are_read_back_from_terminal_and_image() {
    let ssid = "Caf\"é; \\ \u{1f6dc}, x:y";
    let text = qr::wifi(ssid, KEY);
    assert!(text.starts_with("WIFI:T:WPA;S:Caf\\\"é\\; \\\\ \u{1f6dc}\\, x\\:y;P:"), "{text}");
    let code = qr::Qr::of(&text).expect("short enough");
    let mut modules = Vec::new();
    for line in code.blocks().lines() {
        let dark =
            |half: usize| line.chars().map(|c| ["█▀", "█▄"][half].chars().all(|light| light != c)).collect::<Vec<_>>();
        modules.extend([dark(0), dark(1)]);
    }
    assert_eq!(scanned(&modules), text);
    let svg = code.svg();
    let document = Document::parse(&svg).expect("XML");
    let side: usize = document
        .root_element()
        .attribute("viewBox")
        .and_then(|side| side.rsplit(' ').next())
        .and_then(|side| side.parse().ok())
        .expect("a side");
    let path = document.descendants().filter_map(|node| node.attribute("d")).next_back().expect("a path");
    let mut drawn = vec![vec![false; side]; side];
    for module in path.split('M').skip(1) {
        let (x, y) = module.trim_end_matches("h1v1h-1z").split_once(',').expect("a corner");
        drawn[y.parse::<usize>().expect("a number")][x.parse::<usize>().expect("a number")] = true;
    }
    assert_eq!(scanned(&drawn), text);
    assert!(qr::Qr::of(&"x".repeat(5_000)).is_none());
}

#[test]
fn a_uuid_is_of_version_4() {
    let (one, other) = (uuid(), uuid());
    assert_ne!(one, other);
    assert_eq!((one.len(), &one[14..15]), (36, "4"));
    assert!("89AB".contains(&one[19..20]), "{one}");
}

#[test]
fn what_xml_does_not_allow_does_not_get_in() {
    assert_eq!(xml::escape("a\u{0}b\u{1b}<&>'\"\u{ffff}"), "a\u{fffd}b\u{fffd}&lt;&amp;&gt;&#39;&quot;\u{fffd}");
}
