//! Resumption of TLS sessions: who may resume, and every way in which it must not help an attacker. The device is a rustls client
//! that remembers its sessions. Most logins run in memory, where the test stands in for the engine; the last test asks the box.

use proto::eap::{
    EapConversation, EapFailure, EapInput, EapSettings, EapStep, InnerMethod, Message, Method, MethodKind, Packet,
    SessionOwner, Shown, TlsVersion, mschapv2::nt_hash,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::access_point::{AccessPoint, Login, LoginError};
use support::daemon::{Daemon, demo_site};
use support::eap_peer::{EapPeer, PeerSettings, PeerStep, TlsOffer};
use support::eap_server::{DeviceIdentity, pki, settings_with};
use values::{CredentialId, MacAddress, MemberId, Mono};

const KEY: &str = "correct horse";
const FRAGMENT_MAX_BYTES: usize = 1_000;
/// More exchanges than any login has.
const ROUNDS: usize = 60;

const METHODS: [(MethodKind, InnerMethod); 5] = [
    (MethodKind::Tls, InnerMethod::Pap), // a certificate, and nothing inside
    (MethodKind::Peap, InnerMethod::MsChapV2),
    (MethodKind::Ttls, InnerMethod::Pap),
    (MethodKind::Ttls, InnerMethod::MsChapV2),
    (MethodKind::Ttls, InnerMethod::EapMsChapV2),
];

fn settings() -> Arc<EapSettings> {
    settings_with(vec![MethodKind::Tls, MethodKind::Peap, MethodKind::Ttls], FRAGMENT_MAX_BYTES)
}

fn device(method: MethodKind, inner: InnerMethod, tls: TlsOffer) -> EapPeer {
    let identity = pki().device_ca.issue("mara").expect("a certificate");
    let settings = PeerSettings { inner, tls, ..PeerSettings::new(method, "mara", KEY) };
    let identity = (method == MethodKind::Tls).then_some(identity);
    EapPeer::new(PeerSettings { identity, ..settings }).expect("settings")
}

fn owner() -> SessionOwner {
    let (member, credential) = (MemberId::from_random([1; 16]), CredentialId::from_random([2; 16]));
    SessionOwner { member, credential, username: Some("mara".into()), until: Mono(1_000) }
}

/// What the engine does about a login.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Engine {
    /// Lets in whoever has the key, and lets her resume.
    Allows,
    /// Lets in, and says nothing of resuming.
    Forgets,
    /// Has suspended the member.
    Refuses,
}

#[derive(Debug)]
enum Ended {
    In { method: Method, shown: Shown, msk: [u8; 64] },
    Out(EapFailure),
}

struct Run {
    ended: Ended,
    /// What the device sent, in order.
    responses: Vec<Vec<u8>>,
    /// Whether somebody was proved, be it in vain.
    proven: Option<Shown>,
}

impl Run {
    fn is_resumed(&self) -> bool {
        match &self.ended {
            Ended::In { method, shown, .. } => {
                assert_eq!(method.resumed, matches!(shown, Shown::Resumed(_)), "both or none");
                method.resumed
            }
            Ended::Out(why) => panic!("refused: {why:?}"),
        }
    }
}

fn login(settings: &Arc<EapSettings>, peer: &mut EapPeer, engine: Engine) -> Run {
    let mut server = EapConversation::new(Arc::clone(settings), None, [7; 32]);
    let (mut responses, mut proven) = (vec![peer.identity(1)], None);
    for _ in 0..ROUNDS {
        let response = responses.last().cloned().expect("there is one");
        let step = settle(&mut server, EapInput::Response(response), engine, &mut proven);
        let packet = match &step {
            EapStep::Request(packet) | EapStep::Success { packet, .. } | EapStep::Failure { packet, .. } => packet,
            other => panic!("{other:?}"),
        };
        let answer = peer.handle(packet).unwrap_or_else(|error| panic!("{error} at {step:?}"));
        match (step, answer) {
            (EapStep::Request(_), PeerStep::Response(response)) => responses.push(response),
            (EapStep::Success { keys, method, shown, .. }, PeerStep::Success { msk, resumed, .. }) => {
                assert_eq!(resumed, method.resumed, "both sides think alike");
                assert_eq!([&keys.recv_key.expose()[..], &keys.send_key.expose()[..]].concat(), msk);
                if engine == Engine::Allows {
                    server.keep_session(owner(), method.inner);
                }
                return Run { ended: Ended::In { method, shown, msk }, responses, proven };
            }
            (EapStep::Failure { why, .. }, PeerStep::Failure) => {
                return Run { ended: Ended::Out(why), responses, proven };
            }
            (step, answer) => panic!("{step:?} {answer:?}"),
        }
    }
    panic!("the login goes on for ever")
}

/// Answers what the conversation asks of the engine.
fn settle(server: &mut EapConversation, input: EapInput, engine: Engine, proven: &mut Option<Shown>) -> EapStep {
    let mut step = server.handle(input);
    loop {
        let input = match step {
            EapStep::NeedCredential { .. } => EapInput::Credential { nt_hash: nt_hash(KEY) },
            EapStep::Proven { shown, .. } => {
                *proven = Some(shown);
                EapInput::Verdict { allow: engine != Engine::Refuses }
            }
            step => return step,
        };
        step = server.handle(input);
    }
}

#[test]
fn what_resumes_and_what_does_not() {
    for (kind, inner) in METHODS {
        for (offer, version) in [(TlsOffer::Tls12, TlsVersion::Tls12), (TlsOffer::Tls13, TlsVersion::Tls13)] {
            let case = format!("{kind:?}/{inner:?} {version:?}");
            let settings = settings();
            let mut peer = device(kind, inner, offer);
            let first = login(&settings, &mut peer, Engine::Allows);
            assert!(!first.is_resumed(), "{case}");
            // Windows fails on tickets of PEAP and TTLS under TLS 1.3, so nobody gets any.
            let resumes = version == TlsVersion::Tls12 || kind == MethodKind::Tls;
            let mut keys = Vec::new();
            for _ in 0..3 {
                peer = peer.again();
                let next = login(&settings, &mut peer, Engine::Allows);
                assert_eq!(next.is_resumed(), resumes, "{case}");
                assert_eq!(next.responses.len() < first.responses.len(), resumes, "{case}: it is shorter");
                let (Ended::In { method, shown, msk }, Ended::In { method: in_full, msk: first_msk, .. }) =
                    (next.ended, &first.ended)
                else {
                    panic!("{case}: refused")
                };
                assert_eq!((method.outer, method.inner, method.tls_version), (kind, in_full.inner, version), "{case}");
                if resumes {
                    assert_eq!(shown, Shown::Resumed(Arc::new(owner())), "{case}");
                }
                assert!(msk != *first_msk && !keys.contains(&msk), "{case}: each login has keys of its own");
                keys.push(msk);
            }
            assert_eq!(settings.tls.sessions.len(), usize::from(resumes), "{case}: one session for one device");
        }
    }
}

#[test]
fn a_tls_handshake_alone_is_worth_nothing() {
    for (kind, inner) in METHODS {
        for offer in [TlsOffer::Tls12, TlsOffer::Tls13] {
            for engine in [Engine::Refuses, Engine::Forgets] {
                let settings = settings();
                let mut peer = device(kind, inner, offer);
                login(&settings, &mut peer, engine);
                assert!(settings.tls.sessions.is_empty(), "{kind:?} {offer:?}");
                let mut peer = peer.again();
                assert!(!login(&settings, &mut peer, Engine::Allows).is_resumed(), "{kind:?} {offer:?}");
            }
        }
    }
}

#[test]
fn a_device_that_leaves_before_the_inner_method_or_fails_it_cannot_resume() {
    for (kind, inner) in METHODS.into_iter().filter(|(kind, _)| *kind != MethodKind::Tls) {
        let settings = settings();
        let honest = device(kind, inner, TlsOffer::Tls12);
        // However far it comes before it leaves: the handshake is over after some of these, the login after none.
        let rounds = login(&settings, &mut honest.again(), Engine::Forgets).responses.len();
        for left_after in 1..rounds {
            let mut peer = device(kind, inner, TlsOffer::Tls12);
            let mut server = EapConversation::new(Arc::clone(&settings), None, [7; 32]);
            let mut response = peer.identity(1);
            for _ in 0..left_after {
                let step = settle(&mut server, EapInput::Response(response), Engine::Allows, &mut None);
                let EapStep::Request(packet) = step else { panic!("{step:?}") };
                let Ok(PeerStep::Response(next)) = peer.handle(&packet) else { panic!("the device goes on") };
                response = next;
            }
            drop(server);
            let mut peer = peer.again();
            let run = login(&settings, &mut peer, Engine::Forgets);
            assert!(!run.is_resumed(), "{kind:?}/{inner:?} after {left_after} of {rounds}");
        }
        assert!(settings.tls.sessions.is_empty());
    }
}

#[test]
fn a_session_of_one_method_does_not_open_another() {
    for (from, inner) in METHODS {
        for to in [MethodKind::Peap, MethodKind::Ttls] {
            if from == to {
                continue;
            }
            let settings = settings();
            let mut peer = device(from, inner, TlsOffer::Tls12);
            login(&settings, &mut peer, Engine::Allows);
            let mut other = peer.again_by(to);
            let run = login(&settings, &mut other, Engine::Forgets);
            assert!(!run.is_resumed(), "{from:?} under {to:?}");
            assert!(matches!(run.proven, Some(Shown::Username(_))), "{from:?} under {to:?}: the key was asked for");
        }
    }
}

#[test]
fn a_refused_resumption_is_refused_as_a_login_is_and_the_session_is_gone() {
    for (kind, inner) in METHODS {
        for offer in [TlsOffer::Tls12, TlsOffer::Tls13] {
            let settings = settings();
            let mut peer = device(kind, inner, offer);
            login(&settings, &mut peer, Engine::Allows);
            let mut peer = peer.again();
            let refused = login(&settings, &mut peer, Engine::Refuses);
            assert!(matches!(refused.ended, Ended::Out(EapFailure::Denied)), "{kind:?} {offer:?}: {:?}", refused.ended);
            assert!(settings.tls.sessions.is_empty(), "{kind:?} {offer:?}");
            let mut peer = peer.again();
            assert!(
                !login(&settings, &mut peer, Engine::Allows).is_resumed(),
                "{kind:?} {offer:?}: a full login is due"
            );
        }
    }
}

#[test]
fn what_changes_about_a_member_makes_her_devices_log_in_anew() {
    for (kind, inner) in METHODS {
        let settings = settings();
        let mut peer = device(kind, inner, TlsOffer::Tls12);
        login(&settings, &mut peer, Engine::Allows);
        settings.tls.sessions.forget_member(owner().member);
        let mut peer = peer.again();
        assert!(!login(&settings, &mut peer, Engine::Allows).is_resumed(), "{kind:?}");
        settings.tls.sessions.expire(Mono(1_000));
        let mut peer = peer.again();
        assert!(!login(&settings, &mut peer, Engine::Allows).is_resumed(), "{kind:?}: its time is over");
    }
}

#[test]
fn an_eavesdropper_who_repeats_a_resumption_proves_nothing() {
    for (kind, inner, offer) in [
        (MethodKind::Peap, InnerMethod::MsChapV2, TlsOffer::Tls12),
        (MethodKind::Ttls, InnerMethod::Pap, TlsOffer::Tls12),
        (MethodKind::Tls, InnerMethod::Pap, TlsOffer::Tls12),
        (MethodKind::Tls, InnerMethod::Pap, TlsOffer::Tls13),
    ] {
        let settings = settings();
        let mut peer = device(kind, inner, offer);
        login(&settings, &mut peer, Engine::Allows);
        let overheard = login(&settings, &mut peer.again(), Engine::Allows);
        assert!(overheard.is_resumed());
        let mut server = EapConversation::new(Arc::clone(&settings), None, [7; 32]);
        let (mut identifier, mut proven) = (1, None);
        for response in &overheard.responses {
            let Ok(Packet::Response(said)) = Packet::decode(response) else { panic!("our own packet") };
            let repeated = Packet::Response(Message { identifier, ..said }).encode();
            match settle(&mut server, EapInput::Response(repeated), Engine::Allows, &mut proven) {
                EapStep::Request(request) => identifier = request[1],
                EapStep::Failure { .. } => break,
                other => panic!("{kind:?} {offer:?}: {other:?}"),
            }
        }
        assert_eq!(proven, None, "{kind:?} {offer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_box_authorises_every_resumption_anew_and_what_changes_ends_it() {
    let site = demo_site(None, None) + "  second:\n    wifi: {network: guests, devices: 3}\n";
    let daemon = Daemon::start_with("eap-resumption", &site);
    let coa = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (auth, acct) = (daemon.listening.radius_auth, daemon.listening.radius_acct);
    let point = AccessPoint::bind(auth, acct, "testing123", coa).await.expect("loopback sockets");
    for (n, method) in [(1, MethodKind::Peap), (2, MethodKind::Ttls)] {
        let member = daemon.add_member(&format!("Mara {n}"), "resident", None);
        let issued = daemon.cli(&["wifi", "issue", &member]);
        let text = |key: &str| issued[key].as_str().expect("text").to_owned();
        let mac = MacAddress([2, 0, 0, 0, 9, n]);
        let login = Login { tls: TlsOffer::Tls12, ..Login::new(&text("username"), &text("password"), method, mac) };
        let mut peer = login.peer().expect("settings");
        let first = point.login_of(&mut peer, &login).await.expect("a full login");
        assert!(!first.resumed);

        peer = peer.again();
        let second = point.login_of(&mut peer, &login).await.expect("a resumed login");
        assert!(second.resumed && second.rounds < first.rounds, "{method:?}");
        assert_eq!((second.vlan, &second.user_name), (first.vlan, &first.user_name), "{method:?}: the same terms");
        let told = daemon.wait_for_why(&member, "wifi-admitted");
        assert!(told["facts"]["method"].as_str().is_some_and(|method| method.ends_with(", resumed")), "{told}");

        daemon.cli(&["member", "suspend", &member]);
        peer = peer.again();
        let refused = point.login_of(&mut peer, &login).await;
        assert!(matches!(refused, Err(LoginError::Rejected { .. })), "{method:?}: {refused:?}");
        assert!(!peer.is_resumed(), "{method:?}: not even TLS goes on with it");
        daemon.wait_for_why(&member, "member-suspended");

        daemon.cli(&["member", "resume", &member]);
        peer = peer.again();
        assert!(!point.login_of(&mut peer, &login).await.expect("she is back").resumed, "{method:?}: in full");
        peer = peer.again();
        assert!(point.login_of(&mut peer, &login).await.expect("and resumes").resumed, "{method:?}");

        daemon.cli(&["member", "plan", &member, "second"]);
        peer = peer.again();
        assert!(!point.login_of(&mut peer, &login).await.expect("her new plan").resumed, "{method:?}: in full");
        daemon.wait_until("her new network", Duration::from_secs(10), || {
            let told = daemon.wait_for_why(&member, "wifi-admitted");
            (told["facts"]["network"] == "guests").then_some(())
        });

        daemon.cli(&["wifi", "revoke", &text("credential_id")]);
        peer = peer.again();
        let refused = point.login_of(&mut peer, &login).await;
        assert!(matches!(refused, Err(LoginError::Rejected { .. })), "{method:?}: {refused:?}");
        daemon.wait_for_why(&member, "credential-revoked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_certificate_cannot_be_resumed_past_its_end() {
    let daemon = Daemon::start("eap-resumption-tls");
    let coa = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (auth, acct) = (daemon.listening.radius_auth, daemon.listening.radius_acct);
    let point = AccessPoint::bind(auth, acct, "testing123", coa).await.expect("loopback sockets");
    let member = daemon.add_member("Mara Holm", "resident", None);
    for (n, tls) in [(1, TlsOffer::Tls12), (2, TlsOffer::Tls13)] {
        let file = daemon.data.join(format!("device-{n}.pem"));
        let out = file.to_str().expect("our folder has a plain name");
        let issued = daemon.cli(&["wifi", "certificate", &member, "--format", "pem", "--out", out]);
        let login = Login::new("", "", MethodKind::Tls, MacAddress([2, 0, 0, 0, 8, n]));
        let settings = PeerSettings { tls, ..PeerSettings::new(MethodKind::Tls, "", "") };
        let mut peer = EapPeer::new(PeerSettings { identity: Some(identity_in(&file)), ..settings }).expect("settings");
        for resumes in [false, true, true] {
            let accepted = point.login_of(&mut peer, &login).await.expect("a login");
            assert_eq!((accepted.resumed, accepted.tls13), (resumes, tls == TlsOffer::Tls13), "{tls:?}");
            peer = peer.again();
        }
        daemon.cli(&["wifi", "revoke", issued["credential_id"].as_str().expect("text")]);
        let refused = point.login_of(&mut peer, &login).await;
        assert!(matches!(refused, Err(LoginError::Rejected { .. })) && !peer.is_resumed(), "{tls:?}: {refused:?}");
        daemon.wait_for_why(&member, "credential-revoked");
    }
}

/// The certificate and the key in a file of the box.
fn identity_in(file: &Path) -> DeviceIdentity {
    let pem = std::fs::read_to_string(file).expect("it was written");
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let key = pem.find("-----BEGIN PRIVATE KEY").and_then(|at| pem.get(at..)).expect("a key");
    let end = key.find("-----END PRIVATE KEY-----").expect("its end") + "-----END PRIVATE KEY-----".len();
    DeviceIdentity { certificate, key: Arc::new(rcgen::KeyPair::from_pem(&key[..end]).expect("a key")) }
}
