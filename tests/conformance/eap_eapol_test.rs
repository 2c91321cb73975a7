//! The EAP server before a judge that is not ours: eapol_test, which is wpa_supplicant's own EAP peer behind a RADIUS client.
//! "SUCCESS" is its last word, and it compares the MPPE keys with the key that the device would use.

use proto::eap::{EapFailure, InnerMethod, MethodKind, TlsVersion};
use std::path::PathBuf;
use std::sync::OnceLock;
use support::daemon::SECRET;
use support::eap_server::{DeviceCa, DeviceIdentity, Ended, RadiusServer, SERVER_NAME, Users, pki, settings_with};
use support::eapol_test::{EapolTest, PEAP, TLS12, TLS13, TTLS, TTLS_EAP, TTLS_MSCHAPV2};
use tempfile::TempDir;

/// A device that trusts this server.
fn device(server: &RadiusServer) -> EapolTest {
    EapolTest::at(server.address, SECRET, &files().folder.path().join("ca.pem")).expecting(SERVER_NAME)
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
        std::fs::write(folder.path().join("ca.pem"), &pki().ca_pem).expect("a file in our folder");
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

/// A device that has this certificate, and calls itself something else outside the tunnel.
fn by_certificate(server: &RadiusServer, name: &str) -> EapolTest {
    device(server).with_certificate("@harbour.example", &files().path(name, "der"), &files().path(name, "key"))
}

/// What was spoken is checked at the end.
fn phase1(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::Tls12 => TLS12,
        TlsVersion::Tls13 => TLS13,
    }
}

#[test]
fn each_method_over_each_tls_version_succeeds_with_the_same_keys_on_both_sides() {
    let ways = [
        (MethodKind::Tls, None, &[][..]),
        (MethodKind::Peap, Some(InnerMethod::MsChapV2), &PEAP),
        (MethodKind::Ttls, Some(InnerMethod::Pap), &TTLS),
        (MethodKind::Ttls, Some(InnerMethod::MsChapV2), &TTLS_MSCHAPV2),
        (MethodKind::Ttls, Some(InnerMethod::EapMsChapV2), &TTLS_EAP),
    ];
    for (ours, theirs) in [(100, 100), (150, 1_398), (400, 300), (1_400, 1_398)] {
        let server = server(ours);
        for (kind, inner, lines) in &ways {
            let device = match kind {
                MethodKind::Tls => by_certificate(&server, "mara"),
                MethodKind::Peap | MethodKind::Ttls => device(&server).with_key("mara", "correct horse"),
            };
            for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
                let fragments = format!("fragment_size={theirs}");
                let judged = device.judge(&[lines, &[phase1(version), fragments.as_str()][..]].concat());
                let case = format!("{kind:?} {inner:?} {version:?}, {ours} bytes from us, {theirs} from the device");
                assert!(judged.success && judged.keys_agree(1), "{case}:\n{}", judged.text);
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
    let judged = by_certificate(&server, "mara").judge(&[TLS13]);
    assert!(judged.success && judged.text.contains("ACKing Commitment Message"), "{}", judged.text);
}

#[test]
fn certificates_that_are_not_good_are_refused() {
    let server = server(1_020);
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        for (name, code) in [("olga", "denied"), ("nobody", "denied"), ("stranger", "eap-certificate-untrusted")] {
            let judged = by_certificate(&server, name).judge(&[phase1(version)]);
            assert!(!judged.success, "{version:?} {name}:\n{}", judged.text);
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
                let device = device(&server).with_key(name, password).showing(name);
                let judged = device.judge(&[&method[..], &[phase1(version)]].concat());
                assert!(!judged.success, "{method:?} {version:?} {name}:\n{}", judged.text);
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
    let device = device(&server).with_key("mara", "correct horse").showing("mara");
    for (lines, expected) in [
        (vec!["eap=MD5"], "eap-no-common-method"),
        (vec!["eap=PWD"], "eap-no-common-method"),
        (vec!["eap=TTLS", "phase2=\"auth=MSCHAP\""], "eap-inner-method-unsupported"),
        (vec!["eap=TTLS", "phase2=\"autheap=MD5\""], "eap-inner-method-unsupported"),
        (vec!["eap=TTLS", "phase2=\"auth=CHAP\""], "eap-inner-method-unsupported"),
        (vec!["eap=TTLS", "phase2=\"autheap=GTC\""], "eap-inner-method-unsupported"),
        (vec!["eap=PEAP", "phase2=\"auth=GTC\""], "eap-inner-method-unsupported"),
    ] {
        let judged = device.judge(&lines);
        assert!(!judged.success, "{lines:?}:\n{}", judged.text);
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
        let lines = [phase1(version), "altsubject_match=\"DNS:other.example\""];
        let judged = device(&server).with_key("mara", "x").judge(&[&PEAP[..], &lines].concat());
        assert!(!judged.success, "{}", judged.text);
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
        let judged = device(&server).with_key("mara", "correct horse").judge(&[&PEAP[..], &lines].concat());
        assert!(!judged.success && judged.text.contains("remote TLS alert"), "the alert is told:\n{}", judged.text);
        match server.next_ended() {
            Some(Ended::BrokenOff { why }) => assert_eq!(why, expected),
            other => panic!("{lines:?}: {other:?}"),
        }
    }
}
