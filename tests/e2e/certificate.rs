//! EAP-TLS against the real binary, judged by eapol_test: whom a certificate lets in, who is refused, and what the operator reads.

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::daemon::{Daemon, demo_site};
use support::eapol_test::{EapolTest, Judged, PEAP, TLS12, TLS13};

const SOON: Duration = Duration::from_secs(10);

/// A device's certificate and key in one PEM file, and the credential behind it.
struct Issued {
    credential_id: String,
    file: PathBuf,
}

fn issue(daemon: &Daemon, member: &str, label: &str) -> Issued {
    let file = daemon.data.join(format!("{label}.pem"));
    let out = file.to_str().expect("text");
    let issued = daemon.cli(&["wifi", "certificate", member, "--label", label, "--format", "pem", "--out", out]);
    Issued { credential_id: issued["credential_id"].as_str().expect("an id").to_owned(), file }
}

/// A device with this certificate that calls itself `identity` where everybody can hear it.
fn by_certificate(daemon: &Daemon, file: &Path, identity: &str, more: &[&str], framed_mtu: u16) -> Judged {
    EapolTest::at_box(daemon).with_certificate(identity, file, file).with_framed_mtu(framed_mtu).judge(more)
}

fn newest(daemon: &Daemon, member: &str) -> Option<Value> {
    daemon.cli(&["why", member, "wifi"])["past"].as_array()?.first().cloned()
}

#[test]
fn a_certificate_lets_a_member_in_on_her_teams_network_in_pieces_of_every_size() {
    let daemon = Daemon::start("certificate-sizes");
    let mara = daemon.add_member("Mara Holm", "resident", Some("studio"));
    let laptop = issue(&daemon, &mara, "laptop");
    for (tls, name) in [(TLS12, "TLS 1.2"), (TLS13, "TLS 1.3")] {
        for (framed_mtu, fragment) in
            [(104, "fragment_size=100"), (1_400, "fragment_size=1398"), (500, "fragment_size=1398")]
        {
            let judged = by_certificate(&daemon, &laptop.file, "@harbour.example", &[tls, fragment], framed_mtu);
            let case = format!("{name}, Framed-MTU {framed_mtu}, {fragment}:\n{}", judged.text);
            assert!(judged.success && judged.keys_agree(1), "{case}");
            assert_eq!(judged.vlan(), Some(11), "{case}");
            let protected = judged.text.contains("ACKing Commitment Message");
            assert_eq!(protected, tls == TLS13, "{case}");
        }
        let method = format!("EAP-TLS, {name}");
        let is_told = |row: &Value| row["facts"]["method"].as_str().is_some_and(|told| told.starts_with(&method));
        daemon.wait_until("the method", SOON, || {
            newest(&daemon, &mara).filter(|row| row["code"] == "wifi-admitted" && is_told(row))
        });
    }
}

/// Whose name a device says outside the tunnel is anybody's choice; the certificate decides, and names the member in the history.
#[test]
fn a_name_outside_the_tunnel_opens_nothing_and_a_suspension_bites_at_the_next_packet() {
    let daemon = Daemon::start("certificate-refusals");
    let mara = daemon.add_member("Mara Holm", "resident", Some("studio"));
    let olga = daemon.add_member("Olga Rand", "resident", None);
    let (username, _) = daemon.issue_wifi_key(&mara);
    let phone = issue(&daemon, &olga, "phone");
    let judged = by_certificate(&daemon, &phone.file, &username, &[TLS13], 1_400);
    assert!(judged.success && judged.vlan() == Some(10), "Olga's network:\n{}", judged.text);
    daemon.wait_for_why(&olga, "wifi-admitted");
    assert!(newest(&daemon, &mara).is_none_or(|row| row["code"] != "wifi-admitted"), "it was not Mara");

    daemon.cli(&["member", "suspend", &olga]);
    for tls in [TLS12, TLS13] {
        assert!(!by_certificate(&daemon, &phone.file, &username, &[tls], 1_400).success, "{tls}");
    }
    let row = daemon.wait_for_why(&olga, "member-suspended");
    assert_eq!(row["device"], "phone");
    daemon.cli(&["member", "resume", &olga]);
    assert!(by_certificate(&daemon, &phone.file, &username, &[TLS12], 1_400).success);
    daemon.cli(&["wifi", "revoke", &phone.credential_id]);
    assert!(!by_certificate(&daemon, &phone.file, &username, &[TLS12], 1_400).success);
    daemon.wait_for_why(&olga, "credential-revoked");
}

/// Certificates as somebody could make who got hold of a CA's key, or of another CA with the same name.
#[test]
fn certificates_that_the_box_does_not_know_are_refused_by_name() {
    let daemon = Daemon::start("certificate-forged");
    let pki = daemon.data.join("pki");
    let read = |name: &str| std::fs::read_to_string(pki.join(name)).expect("the daemon's own CA");
    let its_key = KeyPair::from_pem(&read("device-ca.key")).expect("a key");
    let ours = Issuer::from_ca_cert_pem(&read("device-ca.pem"), its_key).expect("a CA");
    let another_key = KeyPair::generate().expect("a key");
    let theirs = Issuer::from_ca_cert_pem(&read("device-ca.pem"), another_key).expect("a CA");
    for (issuer, code, file) in
        [(&ours, "unknown-certificate", "unknown.pem"), (&theirs, "eap-certificate-untrusted", "forged.pem")]
    {
        let file = daemon.data.join(file);
        std::fs::write(&file, forged(issuer)).expect("a file in our folder");
        for tls in [TLS12, TLS13] {
            let judged = by_certificate(&daemon, &file, "@harbour.example", &[tls], 1_400);
            assert!(!judged.success, "{code} {tls}:\n{}", judged.text);
        }
        let event = daemon.wait_for_event(code);
        assert!(event["member"].is_null() && event["place"] == "lobby", "{event}");
        assert!(event["sentence"].as_str().is_some_and(|text| text.contains("issue")), "it says what to do: {event}");
    }
}

fn forged(issuer: &Issuer<'_, KeyPair>) -> String {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "device-somebody@harbour.example");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, issuer).expect("rcgen makes certificates of fixed contents");
    [key.serialize_pem(), certificate.pem()].concat()
}

#[test]
fn the_site_file_says_which_methods_are_offered_and_in_which_order() {
    let site = demo_site(None, None).replace("wifi:\n", "wifi:\n  eap_methods: [ttls, tls]\n");
    let daemon = Daemon::start_with("certificate-methods", &site);
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let laptop = issue(&daemon, &mara, "laptop");
    let (username, password) = daemon.issue_wifi_key(&mara);
    let proposed = |text: &str| {
        let of = |line: &str| {
            line.split("CTRL-EVENT-EAP-PROPOSED-METHOD vendor=0 method=").nth(1)?.split(' ').next()?.parse().ok()
        };
        text.lines().filter_map(of).collect::<Vec<u8>>()
    };
    let judged = by_certificate(&daemon, &laptop.file, "@harbour.example", &[TLS13], 1_400);
    assert!(judged.success, "{}", judged.text);
    assert_eq!(proposed(&judged.text), [21, 13], "TTLS first, EAP-TLS after the Nak");
    let peap = EapolTest::at_box(&daemon).with_key(&username, &password).showing(&username).judge(&PEAP);
    assert!(!peap.success, "PEAP was left out:\n{}", peap.text);
    let event = daemon.wait_for_event("eap-no-common-method");
    assert!(event["sentence"].as_str().is_some_and(|text| text.contains("PEAP")), "{event}");
}
