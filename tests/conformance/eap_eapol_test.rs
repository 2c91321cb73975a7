//! The EAP server before a judge that is not ours: eapol_test, which is wpa_supplicant's own EAP peer behind a RADIUS client.
//! "SUCCESS" is its last word, and it compares the MPPE keys with the key that the device would use.

use proto::eap::{EapFailure, InnerMethod, MethodKind, TlsVersion};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;
use support::eap_server::{DeviceCa, DeviceIdentity, Ended, RadiusServer, SERVER_NAME, Users, pki, settings_with};
use tempfile::TempDir;

const SECRET: &str = "testing123";

struct Judge {
    output: Output,
}

impl Judge {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    fn last_word(&self) -> String {
        self.text().lines().last().unwrap_or_default().to_owned()
    }
}

/// Runs eapol_test with a network block of these lines.
fn eapol_test(server: &RadiusServer, lines: &[&str]) -> Judge {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (conf, ca) = (folder.path().join("eapol.conf"), folder.path().join("ca.pem"));
    std::fs::write(&ca, &pki().ca_pem).expect("a file in our folder");
    let mut text = String::from("network={\n  key_mgmt=WPA-EAP\n  ssid=\"Harbour\"\n");
    writeln!(text, "  ca_cert=\"{}\"\n  domain_match=\"{SERVER_NAME}\"", ca.display()).expect("a string takes text");
    lines.iter().for_each(|line| writeln!(text, "  {line}").expect("a string takes text"));
    text.push_str("}\n");
    std::fs::write(&conf, text).expect("a file in our folder");
    let output = Command::new("eapol_test")
        .args(["-c", &conf.display().to_string(), "-a127.0.0.1", &format!("-p{}", server.address.port())])
        .args(["-s", SECRET, "-M", "02:00:00:00:00:01", "-t", "10", "-N30:s:02-00-00-00-00-FF:Harbour"])
        .output()
        .expect("eapol_test is installed (Debian package eapoltest)");
    Judge { output }
}

fn server(fragment_max_bytes: usize) -> RadiusServer {
    let users = Users::of(&[("mara", "correct horse"), ("olga@harbour.example", "k\u{f6}nigin")])
        .with_certificate("mara", &files().mara)
        .with_certificate("olga@harbour.example", &files().olga)
        .suspend("olga@harbour.example");
    let settings = settings_with(MethodKind::ALL.to_vec(), fragment_max_bytes);
    RadiusServer::start(settings, users, SECRET).expect("a loopback socket")
}

/// Certificates of devices, and the folder where they stand for the judge.
struct Files {
    folder: TempDir,
    mara: DeviceIdentity,
    olga: DeviceIdentity,
}

/// Made once in a test process.
fn files() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let ca = &pki().device_ca;
        let stranger = DeviceCa::new("Harbour test device CA").expect("rcgen makes certificates of fixed contents");
        let issue = |ca: &DeviceCa, name: &str| ca.issue(name).expect("rcgen makes certificates of fixed contents");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = Files { folder, mara: issue(ca, "mara"), olga: issue(ca, "olga") };
        for (name, identity) in [
            ("mara", &files.mara),
            ("olga", &files.olga),
            ("nobody", &issue(ca, "nobody")),
            ("stranger", &issue(&stranger, "mara")),
        ] {
            std::fs::write(files.path(name, "der"), &identity.certificate).expect("a file in our folder");
            std::fs::write(files.path(name, "key"), identity.key.serialize_pem()).expect("a file in our folder");
        }
        files
    })
}

impl Files {
    fn path(&self, name: &str, kind: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.{kind}"))
    }
}

/// The lines of a device that has this certificate, and calls itself something else outside the tunnel.
fn by_certificate(name: &str) -> Vec<String> {
    let (certificate, key) = (files().path(name, "der"), files().path(name, "key"));
    vec![
        "eap=TLS".into(),
        "identity=\"@harbour.example\"".into(),
        format!("client_cert=\"{}\"", certificate.display()),
        format!("private_key=\"{}\"", key.display()),
    ]
}

fn by_key(method: [&str; 2], name: &str, password: &str) -> Vec<String> {
    let mut lines: Vec<String> = method.map(str::to_owned).into();
    lines.extend(["anonymous_identity=\"@harbour.example\"".to_owned(), format!("identity=\"{name}\"")]);
    lines.push(format!("password=\"{password}\""));
    lines
}

/// Runs eapol_test with these lines and one more.
fn judge(server: &RadiusServer, lines: &[String], more: &[&str]) -> Judge {
    let lines: Vec<&str> = lines.iter().map(String::as_str).chain(more.iter().copied()).collect();
    eapol_test(server, &lines)
}

const TTLS: [&str; 2] = ["eap=TTLS", "phase2=\"auth=PAP\""];
const TTLS_MSCHAPV2: [&str; 2] = ["eap=TTLS", "phase2=\"auth=MSCHAPV2\""];
const TTLS_EAP: [&str; 2] = ["eap=TTLS", "phase2=\"autheap=MSCHAPV2\""];
const PEAP: [&str; 2] = ["eap=PEAP", "phase2=\"auth=MSCHAPV2\""];

/// The judge speaks TLS 1.3 when told to, and then prefers it; what was spoken is checked at the end.
fn phase1(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::Tls12 => "phase1=\"tls_disable_tlsv1_3=1\"",
        TlsVersion::Tls13 => "phase1=\"tls_disable_tlsv1_3=0\"",
    }
}

#[test]
fn each_method_over_each_tls_version_succeeds_with_the_same_keys_on_both_sides() {
    let key = |method| by_key(method, "mara", "correct horse");
    let ways = [
        (MethodKind::Tls, None, by_certificate("mara")),
        (MethodKind::Peap, Some(InnerMethod::MsChapV2), key(PEAP)),
        (MethodKind::Ttls, Some(InnerMethod::Pap), key(TTLS)),
        (MethodKind::Ttls, Some(InnerMethod::MsChapV2), key(TTLS_MSCHAPV2)),
        (MethodKind::Ttls, Some(InnerMethod::EapMsChapV2), key(TTLS_EAP)),
    ];
    for (ours, theirs) in [(100, 100), (150, 1_398), (400, 300), (1_400, 1_398)] {
        let server = server(ours);
        for (kind, inner, lines) in &ways {
            for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
                let judge = judge(&server, lines, &[phase1(version), &format!("fragment_size={theirs}")]);
                let case = format!("{kind:?} {inner:?} {version:?}, {ours} bytes from us, {theirs} from the device");
                assert_eq!(judge.last_word(), "SUCCESS", "{case}:\n{}", judge.text());
                assert!(judge.text().contains("MPPE keys OK: 1  mismatch: 0"), "{case}:\n{}", judge.text());
                match server.next_ended() {
                    Some(Ended::Accepted { username, method }) => {
                        assert_eq!((username.as_str(), method.outer, method.inner), ("mara", *kind, *inner), "{case}");
                        assert_eq!(method.tls_version, version, "{case}");
                    }
                    other => panic!("{case}: {other:?}"),
                }
            }
        }
    }
}

/// Over TLS 1.3 the judge itself insists on the protected success, and says that it came.
#[test]
fn eap_tls_over_tls_13_ends_with_the_protected_success() {
    let server = server(1_020);
    let judge = judge(&server, &by_certificate("mara"), &[phase1(TlsVersion::Tls13)]);
    assert_eq!(judge.last_word(), "SUCCESS", "{}", judge.text());
    assert!(judge.text().contains("ACKing Commitment Message"), "{}", judge.text());
}

#[test]
fn certificates_that_are_not_good_are_refused() {
    let server = server(1_020);
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        for (name, code) in [("olga", "denied"), ("nobody", "denied"), ("stranger", "eap-certificate-untrusted")] {
            let judge = judge(&server, &by_certificate(name), &[phase1(version)]);
            assert_eq!(judge.last_word(), "FAILURE", "{version:?} {name}:\n{}", judge.text());
            match server.next_ended() {
                Some(Ended::Rejected { why } | Ended::BrokenOff { why }) => {
                    assert_eq!(why.code(), code, "{version:?} {name}");
                }
                other => panic!("{version:?} {name}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_wrong_key_an_unknown_name_and_a_suspended_member_are_refused() {
    let server = server(1_020);
    for method in [TTLS, TTLS_MSCHAPV2, TTLS_EAP, PEAP] {
        for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
            for (name, password, expected) in [
                ("mara", "wrong", EapFailure::WrongKey),
                ("nobody", "correct horse", EapFailure::WrongKey),
                ("olga@harbour.example", "k\u{f6}nigin", EapFailure::Denied),
            ] {
                let who = [format!("identity=\"{name}\""), format!("password=\"{password}\"")];
                let lines = [&method[..], &[phase1(version)], &[who[0].as_str(), who[1].as_str()]].concat();
                let judge = eapol_test(&server, &lines);
                assert_eq!(judge.last_word(), "FAILURE", "{method:?} {version:?} {name}:\n{}", judge.text());
                match server.next_ended() {
                    Some(Ended::Rejected { why }) => assert_eq!(why, expected, "{method:?} {version:?}"),
                    other => panic!("{method:?} {version:?} {name}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn methods_and_inner_methods_that_we_lack_are_refused_by_name() {
    let server = server(1_020);
    let who = ["identity=\"mara\"", "password=\"correct horse\""];
    for (lines, expected) in [
        (vec!["eap=MD5"], "eap-no-common-method"),
        (vec!["eap=PWD"], "eap-no-common-method"),
        (vec!["eap=TTLS", "phase2=\"auth=MSCHAP\""], "eap-inner-method-unsupported"),
        (vec!["eap=TTLS", "phase2=\"autheap=MD5\""], "eap-inner-method-unsupported"),
        (vec!["eap=TTLS", "phase2=\"auth=CHAP\""], "eap-inner-method-unsupported"),
        (vec!["eap=TTLS", "phase2=\"autheap=GTC\""], "eap-inner-method-unsupported"),
        (vec!["eap=PEAP", "phase2=\"auth=GTC\""], "eap-inner-method-unsupported"),
    ] {
        let judge = eapol_test(&server, &[&lines[..], &who].concat());
        assert_eq!(judge.last_word(), "FAILURE", "{lines:?}:\n{}", judge.text());
        match server.next_ended() {
            Some(Ended::Rejected { why }) => assert_eq!(why.code(), expected, "{lines:?}: {}", why.sentence()),
            other => panic!("{lines:?}: {other:?}"),
        }
    }
}

#[test]
fn a_device_that_does_not_trust_the_certificate_says_so() {
    let server = server(1_020);
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let lines = [
            &PEAP[..],
            &[phase1(version), "altsubject_match=\"DNS:other.example\"", "identity=\"mara\"", "password=\"x\""],
        ];
        let judge = eapol_test(&server, &lines.concat());
        assert_eq!(judge.last_word(), "FAILURE", "{}", judge.text());
        match server.next_ended() {
            Some(Ended::Rejected { why: EapFailure::TlsAlertFromPeer { .. } }) => {}
            other => panic!("{version:?}: {other:?}"),
        }
    }
}

#[test]
fn a_device_of_the_past_is_told_what_is_too_old() {
    let server = server(1_020);
    let any = "openssl_ciphers=\"ALL:@SECLEVEL=0\"";
    let v10 = "phase1=\"tls_disable_tlsv1_0=0 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=1 tls_disable_tlsv1_3=1\"";
    let v11 = "phase1=\"tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=0 tls_disable_tlsv1_2=1 tls_disable_tlsv1_3=1\"";
    let v12 = phase1(TlsVersion::Tls12);
    for (lines, expected) in [
        ([v10, any], EapFailure::TlsTooOld { newest: "TLS 1.0" }),
        ([v11, any], EapFailure::TlsTooOld { newest: "TLS 1.1" }),
        (
            [v12, "openssl_ciphers=\"AES128-SHA:AES256-SHA:AES128-GCM-SHA256\""],
            EapFailure::TlsSuitesTooOld { what: "key exchange by RSA only" },
        ),
        (
            [v12, "openssl_ciphers=\"ECDHE-ECDSA-AES128-SHA\""],
            EapFailure::TlsSuitesTooOld { what: "cipher suites with CBC only" },
        ),
    ] {
        let judge = judge(&server, &by_key(PEAP, "mara", "correct horse"), &lines);
        assert_eq!(judge.last_word(), "FAILURE", "{}", judge.text());
        assert!(judge.text().contains("remote TLS alert"), "the alert is told:\n{}", judge.text());
        match server.next_ended() {
            Some(Ended::BrokenOff { why }) => assert_eq!(why, expected),
            other => panic!("{lines:?}: {other:?}"),
        }
    }
}
