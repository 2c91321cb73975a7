//! The EAP server before a judge that is not ours: eapol_test, which is wpa_supplicant's own EAP peer behind a RADIUS client.
//! "SUCCESS" is its last word, and it compares the MPPE keys with the key that the device would use.

use proto::eap::{EapFailure, MethodKind, TlsVersion};
use std::fmt::Write as _;
use std::process::{Command, Output};
use support::eap_server::{Ended, RadiusServer, SERVER_NAME, Users, pki, settings};

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
        .suspend("olga@harbour.example");
    RadiusServer::start(settings(fragment_max_bytes), users, SECRET).expect("a loopback socket")
}

const TTLS: [&str; 2] = ["eap=TTLS", "phase2=\"auth=PAP\""];
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
    for fragment_max_bytes in [150, 400, 1_020] {
        let server = server(fragment_max_bytes);
        for (kind, method) in [(MethodKind::Ttls, TTLS), (MethodKind::Peap, PEAP)] {
            for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
                let who =
                    ["anonymous_identity=\"@harbour.example\"", "identity=\"mara\"", "password=\"correct horse\""];
                let judge = eapol_test(&server, &[&method[..], &[phase1(version)], &who].concat());
                let case = format!("{kind:?} {version:?} in {fragment_max_bytes} bytes");
                assert_eq!(judge.last_word(), "SUCCESS", "{case}:\n{}", judge.text());
                assert!(judge.text().contains("MPPE keys OK: 1  mismatch: 0"), "{case}:\n{}", judge.text());
                match server.next_ended() {
                    Some(Ended::Accepted { username, method }) => {
                        assert_eq!((username.as_str(), method.outer, method.tls_version), ("mara", kind, version));
                    }
                    other => panic!("{case}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn a_wrong_key_an_unknown_name_and_a_suspended_member_are_refused() {
    let server = server(1_020);
    for method in [TTLS, PEAP] {
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
        (vec!["eap=TTLS", "phase2=\"auth=MSCHAPV2\""], "eap-inner-method-unsupported"),
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
fn a_device_of_the_past_is_told_that_its_tls_is_too_old() {
    let server = server(1_020);
    let old = "phase1=\"tls_disable_tlsv1_2=1 tls_disable_tlsv1_3=1\"";
    let judge = eapol_test(&server, &[&TTLS[..], &[old, "identity=\"mara\"", "password=\"correct horse\""]].concat());
    assert_eq!(judge.last_word(), "FAILURE", "{}", judge.text());
    assert!(judge.text().contains("remote TLS alert"), "the alert came before the failure:\n{}", judge.text());
}
