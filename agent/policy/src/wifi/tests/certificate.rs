//! Certificates: until when they are good, and by which name a session finds its own again.

use super::*;

/// Mara with a certificate instead of a key.
fn until(end: &str) -> Case {
    let expires_at = at(end);
    Case::on("resident").with(|c| c.key.kind = CredentialKind::DeviceCertificate { fingerprint: [5; 32], expires_at })
}

#[test]
fn a_certificate_is_good_until_its_end_and_a_session_ends_with_it() {
    let one = "2026-11-23T13:00";
    assert_eq!(code(until(NOON).joins(trusted(NOON))), "certificate-expired");
    let admission = until(one).joins(trusted(NOON)).expect("an hour is left");
    assert_eq!((admission.ends_at, admission.closes_at), (Some(at(one)), Some(at(one))), "without a grace");
    assert_eq!(admission.session_timeout_seconds, 3_600);
    assert_eq!(code(until(one).asks(&[mac(1)], Stage::Running, trusted("2026-11-23T13:00:01"))), "certificate-expired");
    let sooner = until(one).with(|c| c.member.valid.until = Some(at("2026-11-23T12:30")));
    assert_eq!(sooner.joins(trusted(NOON)).map(|admission| admission.ends_at), Ok(Some(at("2026-11-23T12:30"))));
}

/// What a floor says is over is over. What it says has not begun was issued by a box that knew better.
#[test]
fn a_clock_that_is_only_a_floor_ends_certificates_and_begins_none() {
    assert_eq!(code(until(NOON).joins(unsynced(EVENING))), "certificate-expired");
    let issued_later = until("2027-11-23T12:00").with(|c| c.key.issued_at = at("2026-11-23T21:00"));
    assert_eq!(code(issued_later.joins(unsynced(NOON))), "admitted");
}

#[test]
fn a_revoked_certificate_is_called_so_even_after_its_end() {
    let revoked = until(NOON).with(|c| c.key.revoked_at = Some(at(NOON)));
    assert_eq!(code(revoked.joins(trusted(EVENING))), "credential-revoked");
}

#[test]
fn a_member_whose_newest_certificate_is_over_is_judged_by_one_that_is_good() {
    let case = until("2026-11-23T13:00");
    let good = Credential {
        id: CredentialId::from_random([3; 16]),
        issued_at: at("2025-01-01T00:00"),
        kind: CredentialKind::WifiKey { username: "mara2".into(), nt_hash: Secret::new([7; 16]) },
        ..case.key.clone()
    };
    let snapshot = case.snapshot().with(&[crate::Change::Credential(good)]);
    let ask =
        |now: &str| would_admit(&snapshot, &WifiFacts::default(), MARA, trusted(now)).map(|terms| terms.credential);
    assert_eq!(ask(NOON), Ok(KEY));
    assert_eq!(ask(EVENING), Ok(CredentialId::from_random([3; 16])));
}

#[test]
fn a_session_finds_its_credential_by_the_name_it_was_given() {
    let named = |case: Case, username: &str| credential_of_session(&case.snapshot(), username).map(|found| found.id);
    assert_eq!(named(until(NOON), &KEY.to_string()), Some(KEY));
    assert_eq!(named(Case::on("resident"), "mara1@harbour.example"), Some(KEY));
    assert_eq!(named(until(NOON), "mara1"), None);
    assert_eq!(named(until(NOON), &CredentialId::from_random([3; 16]).to_string()), None);
}
