//! Logins by a device's certificate: who it is, and when it is no longer good.

use super::super::*;
use super::world::*;
use policy::{Change, Credential, CredentialKind, EapMethod, SiteModel};
use proto::eap::MethodKind;
use proto::radius::{AttributeType, Code};
use values::Pii;

const DAY: Duration = Duration::from_secs(86_400);

/// The certificate of member `n`, whose SHA-256 is all `n`, for one day.
fn certificate(n: u8) -> Credential {
    Credential {
        id: credential_id(100 + n),
        revision: 1,
        member: member_id(n),
        label: Pii("laptop".into()),
        kind: CredentialKind::DeviceCertificate { fingerprint: [n; 32], expires_at: NOON + DAY },
        issued_at: NOON,
        revoked_at: None,
    }
}

fn world() -> World {
    let mut world = World::new();
    world.change(&[Change::Credential(certificate(1)), Change::Credential(certificate(2))]);
    world
}

/// A login when the one before is forgotten, so that it is no repetition.
fn login(world: &mut World, n: u8, text: &str) -> Reply {
    world.pass(Duration::from_secs(60));
    world.login(n, text)
}

fn refusal(world: &mut World, n: u8, text: &str) -> Record {
    assert_eq!(login(world, n, text).code, Code::AccessReject);
    world.records.last().expect("it is written down").clone()
}

#[test]
fn a_certificate_lets_its_member_in_under_a_name_that_accounting_finds_her_by() {
    let mut world = world();
    let accept = world.login(1, "certificate/1");
    assert_eq!(accept.code, Code::AccessAccept);
    let username = accept.text(AttributeType::USER_NAME).expect("a name for accounting");
    assert_eq!(username, credential_id(101).to_string());
    let record = world.records.last().expect("it is written down");
    assert_eq!((record.code.as_str(), record.member), ("wifi-admitted", Some(member_id(1))));
    assert_eq!(record.facts.get("method").map(String::as_str), Some("EAP-TLS, TLS 1.3, TLS13_AES_128_GCM_SHA256"));

    // An access point that forgot our Class, after a restart that forgot the session.
    let mut world = World::new();
    world.change(&[Change::Credential(certificate(1))]);
    let start = proto::radius::Writer::request(Code::AccountingRequest, 7, [0; 16])
        .integer(AttributeType::ACCT_STATUS_TYPE, 1)
        .text(AttributeType::ACCT_SESSION_ID, "A-1")
        .text(AttributeType::CALLING_STATION_ID, &mac(1).to_string())
        .text(AttributeType::USER_NAME, &username);
    assert!(world.account(7, start));
    let row = world.rows.last().expect("a row");
    assert_eq!((row.member, row.credential), (Some(member_id(1)), Some(credential_id(101))));
}

#[test]
fn each_reason_against_a_certificate_is_told_with_its_member() {
    let mut world = world();
    let unknown = refusal(&mut world, 9, "certificate/9");
    assert_eq!((unknown.code.as_str(), unknown.member), ("unknown-certificate", None));
    assert_eq!(unknown.personal.get("certificate").map(|text| text.0.len()), Some(64));

    world.suspend(1);
    let suspended = refusal(&mut world, 1, "certificate/1");
    assert_eq!((suspended.code.as_str(), suspended.member), ("member-suspended", Some(member_id(1))));
    world.resume(1);
    assert_eq!(login(&mut world, 1, "certificate/1").code, Code::AccessAccept);

    world.change(&[Change::Credential(Credential { revoked_at: Some(world.now.stamp()), ..certificate(1) })]);
    let revoked = refusal(&mut world, 1, "certificate/1");
    assert_eq!((revoked.code.as_str(), revoked.member), ("credential-revoked", Some(member_id(1))));
    assert_eq!(login(&mut world, 1, "user-1/1").code, Code::AccessAccept, "her key is another credential");
}

#[test]
fn an_expired_certificate_is_refused_and_a_session_ends_with_it() {
    let mut world = world();
    world.pass(DAY - Duration::from_secs(600));
    let accept = world.login(1, "certificate/1");
    assert_eq!(accept.packet().integer(AttributeType::SESSION_TIMEOUT), Some(600), "not beyond the certificate");
    world.pass(Duration::from_secs(601));
    let expired = refusal(&mut world, 2, "certificate/2");
    assert_eq!((expired.code.as_str(), expired.member), ("certificate-expired", Some(member_id(2))));
}

#[test]
fn whoever_is_online_by_a_certificate_goes_when_it_is_revoked() {
    let mut world = world();
    let accept = world.login(1, "certificate/1");
    let class = accept.text(AttributeType::CLASS);
    assert!(world.account(7, report(7, 1, 1, "A-1", class.as_deref())));
    let sent =
        world.change(&[Change::Credential(Credential { revoked_at: Some(world.now.stamp()), ..certificate(2) })]);
    assert!(disconnects(&sent).is_empty(), "another member's");
    let sent =
        world.change(&[Change::Credential(Credential { revoked_at: Some(world.now.stamp()), ..certificate(1) })]);
    assert_eq!(disconnects(&sent).len(), 1);
}

#[test]
fn what_is_offered_follows_the_site_file() {
    let mut world = World::new();
    assert_eq!(world.engine.eap.methods, [MethodKind::Ttls]);
    let site = SiteModel { eap_methods: vec![EapMethod::Peap, EapMethod::Tls], ..world.snapshot.site.as_ref().clone() };
    world.change(&[Change::Site(std::sync::Arc::new(site))]);
    assert_eq!(world.engine.eap.methods, [MethodKind::Peap, MethodKind::Tls]);
}

/// hostapd compares all that a Disconnect-Request says with what it was told last.
#[test]
fn a_device_that_changes_what_it_logs_in_with_is_called_by_its_new_name() {
    let mut world = world();
    let by_key = world.login(1, "user-1/1");
    assert_eq!(by_key.code, Code::AccessAccept);
    let by_certificate = login(&mut world, 1, "certificate/1");
    assert_ne!(by_certificate.text(AttributeType::USER_NAME), by_key.text(AttributeType::USER_NAME));
    let [asked] = &disconnects(&world.suspend(1))[..] else { panic!("one session") };
    let asked = proto::radius::Packet::decode(asked).expect("a packet");
    assert_eq!(asked.text(AttributeType::USER_NAME).map(str::to_owned), by_certificate.text(AttributeType::USER_NAME));
}
