//! Changes go in, the same state comes out, and no secret lies open in between.

use super::*;
use crate::verify;
use policy::access_point::AccessPointCertificate;
use policy::print::{CountedBy, Ending, JobRecord, JobStage, PrintAccount, Reservation};
use policy::site::{Device, DeviceProfile};
use policy::{Pass, SessionRow, Team};
use std::fs;
use values::{JobId, MacAddress, PassId, Secret, SessionId, TeamId};

fn everything() -> Vec<Change> {
    let team = Team { id: TeamId::from_random([9; 16]), revision: 3, name: "studio".to_owned() };
    let visiting = Member {
        team: Some(team.id),
        status: MemberStatus::Suspended { since: Timestamp(4_000) },
        home_site: Some("quayside".parse().expect("a name")),
        shows_presence: true,
        ..member(2)
    };
    let badge = Credential {
        id: CredentialId::from_random([3; 16]),
        kind: CredentialKind::Badge { uid: Pii("04A1B2C3".to_owned()) },
        revoked_at: Some(Timestamp(9_000)),
        ..wifi_key(2)
    };
    let token = Credential {
        id: CredentialId::from_random([4; 16]),
        kind: CredentialKind::PrintToken { username: "mara-laptop".to_owned(), sha256: [5; 32] },
        ..wifi_key(1)
    };
    let of_kind = |id: u8, kind| Credential { id: CredentialId::from_random([id; 16]), kind, ..wifi_key(1) };
    let certificate = of_kind(9, CredentialKind::DeviceCertificate { fingerprint: [9; 32], expires_at: Timestamp(77) });
    let passphrase = of_kind(
        10,
        CredentialKind::WifiPassphrase {
            passphrase: Secret::new("a lamp's own words".to_owned()),
            mac: Some(MacAddress([2, 0, 0, 0, 0, 1])),
            pmks: [("Harbour".to_owned(), Secret::new([7; 32]))].into(),
        },
    );
    let registered = of_kind(11, CredentialKind::RegisteredDevice { mac: MacAddress([2, 0, 0, 0, 0, 2]) });
    let pass = Pass {
        id: PassId::from_random([6; 16]),
        revision: 1,
        member: member_id(1),
        plan: "day".parse().expect("a name"),
        from: Timestamp(10),
        until: Timestamp(20),
    };
    let device = Device {
        name: "relay-street".parse().expect("a name"),
        revision: 1,
        profile: DeviceProfile::ShellyGen2,
        password_sha256: [8; 32],
        added_at: Timestamp(11),
    };
    // The member before the team that it names: the store sorts that out.
    vec![
        Change::Member(member(1)),
        Change::Member(visiting),
        Change::Team(team),
        Change::Credential(wifi_key(1)),
        Change::Credential(badge),
        Change::Credential(token),
        Change::Credential(certificate),
        Change::Credential(passphrase),
        Change::Credential(registered),
        Change::Pass(pass),
        Change::Device(device),
        Change::AccessPointCertificate(certificate_of("lobby", 1)),
        Change::Admin(Some(Secret::new("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g".to_owned()))),
        reserved(1, 1, 4, 10),
    ]
}

fn certificate_of(access_point: &str, revision: u64) -> AccessPointCertificate {
    AccessPointCertificate {
        access_point: access_point.parse().expect("a name"),
        revision,
        fingerprint: [12; 32],
        issued_at: Timestamp(13),
        expires_at: Timestamp(14),
    }
}

fn reserved(job: u8, of: u32, pages: u32, charge_minor: i64) -> Change {
    let reservation = Reservation {
        job: JobId::from_random([job; 16]),
        member: member_id(of),
        printer: "front".parse().expect("a name"),
        month: "2026-11".to_owned(),
        pages,
        included_pages: 0,
        charge_minor,
        at: Timestamp(12),
    };
    let account = PrintAccount {
        month: "2026-11".to_owned(),
        settled_pages: 0,
        reserved_pages: pages,
        credit_minor: -charge_minor,
    };
    Change::PrintReserved { reservation, account }
}

fn sorted(mut loaded: Loaded) -> String {
    loaded.members.sort_by_key(|member| member.id);
    loaded.credentials.sort_by_key(|credential| credential.id);
    // Debug hides what is personal, so that is compared by what it serialises to.
    let members = serde_json::to_string(&loaded.members).expect("members serialise");
    let usernames: Vec<String> = loaded.credentials.iter().map(|credential| format!("{:?}", credential.kind)).collect();
    format!("{loaded:?}{members}{usernames:?}")
}

#[test]
fn what_was_applied_is_loaded_again() {
    let dir = folder();
    let (store, empty) = open(dir.path());
    assert_eq!(empty.generation, 0);
    assert!(empty.members.is_empty() && empty.admin.is_none());
    let changes = everything();
    assert_eq!(apply(&store, changes.clone()), Ok(1));
    drop(store);

    let (store, loaded) = open(dir.path());
    assert_eq!(loaded.generation, 1);
    assert_eq!(loaded.admin.as_ref().map(|phc| phc.expose().starts_with("$argon2id$")), Some(true));
    for change in &changes {
        match change {
            Change::Member(member) => assert!(loaded.members.contains(member)),
            Change::Team(team) => assert_eq!(&loaded.teams, std::slice::from_ref(team)),
            Change::Pass(pass) => assert_eq!(&loaded.passes, std::slice::from_ref(pass)),
            Change::Credential(credential) => assert!(loaded.credentials.contains(credential)),
            Change::Device(device) => assert_eq!(&loaded.devices, std::slice::from_ref(device)),
            Change::AccessPointCertificate(issued) => {
                assert_eq!(&loaded.access_point_certificates, std::slice::from_ref(issued));
            }
            Change::PrintReserved { reservation, account } => {
                assert_eq!(&loaded.reservations, std::slice::from_ref(reservation));
                assert_eq!(loaded.print_accounts, [(reservation.member, account.clone())]);
            }
            _ => {}
        }
    }

    // Saying the same again changes nothing but the generation.
    let again: Vec<Change> =
        changes.into_iter().filter(|change| !matches!(change, Change::PrintReserved { .. })).collect();
    let before = sorted(loaded);
    assert_eq!(apply(&store, again), Ok(2));
    drop(store);
    let (_, after) = open(dir.path());
    assert_eq!(sorted(Loaded { generation: 1, ..after }), before);
}

#[test]
fn a_removed_device_and_a_reset_administrator_are_gone() {
    let dir = folder();
    let (store, _) = open(dir.path());
    apply(&store, everything()).expect("applied");
    apply(&store, vec![Change::DeviceRemoved("relay-street".parse().expect("a name")), Change::Admin(None)])
        .expect("applied");
    drop(store);
    let (_, loaded) = open(dir.path());
    assert!(loaded.devices.is_empty() && loaded.admin.is_none());
}

#[test]
fn an_access_point_has_one_certificate_and_may_lose_it() {
    let dir = folder();
    let (store, _) = open(dir.path());
    let issued = |name, revision| Change::AccessPointCertificate(certificate_of(name, revision));
    apply(&store, vec![issued("lobby", 1), issued("attic", 1)]).expect("applied");
    apply(&store, vec![issued("lobby", 2)]).expect("applied");
    apply(&store, vec![Change::AccessPointCertificateRemoved("attic".parse().expect("a name"))]).expect("applied");
    drop(store);
    let (_, loaded) = open(dir.path());
    assert_eq!(loaded.access_point_certificates, [certificate_of("lobby", 2)]);
}

#[test]
fn a_refused_change_takes_its_whole_transaction_with_it_and_no_other() {
    let dir = folder();
    let (store, _) = open(dir.path());
    apply(&store, vec![Change::Member(member(1))]).expect("applied");
    // A pass of nobody: the foreign key refuses it, and the member beside it is not added either.
    let orphan = Pass {
        id: PassId::from_random([6; 16]),
        revision: 1,
        member: member_id(99),
        plan: "day".parse().expect("a name"),
        from: Timestamp(10),
        until: Timestamp(20),
    };
    let (answer, answers) = std::sync::mpsc::channel();
    for changes in [
        vec![Change::Member(member(2))],
        vec![Change::Member(member(3)), Change::Pass(orphan)],
        vec![Change::Member(member(4))],
    ] {
        let answer = answer.clone();
        store.apply(transaction(changes, vec![]), move |outcome| answer.send(outcome).expect("the test waits"));
    }
    let outcomes: Vec<_> = answers.iter().take(3).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 2, "{outcomes:?}");
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(StoreError::Sql { .. }))), "{outcomes:?}");
    drop(store);
    let (_, loaded) = open(dir.path());
    assert_eq!(loaded.generation, 3);
    assert_eq!(loaded.members.len(), 3);
    assert!(!loaded.members.iter().any(|found| found.id == member_id(3)));
}

#[test]
fn no_secret_lies_open_in_any_file() {
    let dir = folder();
    let (store, _) = open(dir.path());
    apply(&store, everything()).expect("applied");
    let (answer, answered) = std::sync::mpsc::channel();
    store.put_secret("ap-front".to_owned(), Secret::new(b"a-radius-secret".to_vec()), move |done| {
        answer.send(done).expect("the test waits");
    });
    answered.recv().expect("answered").expect("kept");
    assert_eq!(
        store.secret("ap-front").expect("read").map(|value| value.expose().clone()),
        Some(b"a-radius-secret".to_vec())
    );
    assert!(store.secret("ap-back").expect("read").is_none());
    for round in 0..2 {
        for entry in fs::read_dir(dir.path()).expect("our folder") {
            let path = entry.expect("an entry").path();
            let bytes = fs::read(&path).expect("readable");
            for open in [&NT_HASH[..], b"$argon2id$", b"a-radius-secret"] {
                assert!(!bytes.windows(open.len()).any(|window| window == open), "{} in round {round}", path.display());
            }
        }
        store.close();
    }
}

#[test]
fn a_sealed_value_does_not_open_in_another_place_or_under_another_key() {
    let dir = folder();
    let (store, _) = open(dir.path());
    let two = vec![
        Change::Member(member(1)),
        Change::Member(member(2)),
        Change::Credential(wifi_key(1)),
        Change::Credential(wifi_key(2)),
    ];
    apply(&store, two).expect("applied");
    drop(store);
    assert_eq!(
        Store::open(dir.path(), SealingKey::from_bytes(&Secret::new([8; 32]))).map(|_| ()),
        Err(StoreError::WrongKey)
    );
    let db = rusqlite::Connection::open(dir.path().join("core.db")).expect("opens");
    db.execute_batch("UPDATE credential SET nt_hash = (SELECT nt_hash FROM credential ORDER BY id LIMIT 1)")
        .expect("moved");
    drop(db);
    assert_eq!(Store::open(dir.path(), key()).map(|_| ()), Err(StoreError::WrongKey));
}

#[test]
fn the_key_file_is_made_once_and_missed_when_it_is_gone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder();
    let first = SealingKey::open(dir.path()).expect("made");
    let mode = fs::metadata(dir.path().join("secret.key")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (store, _) = Store::open(dir.path(), first).expect("opens");
    apply(&store, everything()).expect("applied");
    drop(store);
    let again = SealingKey::open(dir.path()).expect("read");
    assert_eq!(Store::open(dir.path(), again).expect("opens").1.credentials.len(), 6);
    fs::write(dir.path().join("secret.key"), b"short").expect("written");
    assert_eq!(SealingKey::open(dir.path()).map(|_| ()), Err(StoreError::WrongKey));
    fs::remove_file(dir.path().join("secret.key")).expect("removed");
    assert_eq!(SealingKey::open(dir.path()).map(|_| ()), Err(StoreError::KeyMissing));
}

fn session(n: u8, ended_at: Option<i64>) -> SessionRow {
    SessionRow {
        id: SessionId::from_random([n; 16]),
        access_point: "front".parse().expect("a name"),
        nas: "front-1".to_owned(),
        acct_session_id: format!("5F{n}"),
        member: Some(member_id(1)),
        credential: None,
        username: Pii("mara1@harbour.example".to_owned()),
        mac: Some(MacAddress([2, 0, 0, 0, 0, n])),
        ip: Some(Pii("192.0.2.7".parse().expect("an address"))),
        network: Some("members".parse().expect("a name")),
        vlan: Some(10),
        started_at: Timestamp(i64::from(n)),
        seen_at: Timestamp(100),
        ended_at: ended_at.map(Timestamp),
        rx_bytes: 5_000_000_000,
        tx_bytes: u64::MAX / 2,
        end_cause: ended_at.map(|_| "user-request".to_owned()),
    }
}

#[test]
fn sessions_are_there_after_a_restart_and_end() {
    let dir = folder();
    let (store, _) = open(dir.path());
    let save = |store: &Store, row: SessionRow| crate::wait(|done| store.save_session(row, done)).expect("saved");
    crate::wait(|done| store.save_sessions(vec![session(1, None), session(2, None)], done)).expect("saved");
    save(&store, session(1, Some(90)));
    drop(store);
    let (store, _) = open(dir.path());
    assert_eq!(store.load_open_sessions().expect("read"), [session(2, None)]);
    assert_eq!(store.query_sessions(Some(member_id(1)), 10).expect("read"), [session(2, None), session(1, Some(90))]);
    assert_eq!(store.query_sessions(None, 1).expect("read"), [session(2, None)]);
    assert!(store.query_sessions(Some(member_id(2)), 10).expect("read").is_empty());
}

#[test]
fn a_print_job_is_loaded_as_it_was_saved_last() {
    let dir = folder();
    let (store, _) = open(dir.path());
    let job = |n: u8, stage: JobStage| JobRecord {
        id: JobId::from_random([n; 16]),
        number: u32::from(n),
        member: member_id(1),
        credential: Some(CredentialId::from_random([1; 16])),
        printer: "front".parse().expect("a name"),
        document: Pii("rent.pdf".to_owned()),
        format: "application/pdf".to_owned(),
        bytes: 1_000,
        digest: "00".repeat(32),
        pages: 2,
        ticket: "{}".to_owned(),
        submitted_at: Timestamp(1),
        updated_at: Timestamp(2),
        stage,
    };
    let done = JobStage::Ended {
        ending: Ending::Completed,
        pages: 2,
        by: Some(CountedBy::Counter),
        charged_minor: 0,
        sentence: String::new(),
    };
    for row in [job(1, JobStage::Reserving), job(2, JobStage::Reserving), job(1, done.clone())] {
        crate::wait(|done| store.save_job(row, done)).expect("saved");
    }
    drop(store);
    let (store, _) = open(dir.path());
    assert_eq!(store.load_jobs().expect("read"), [job(1, done), job(2, JobStage::Reserving)]);
}

#[test]
fn the_site_file_has_a_history() {
    let dir = folder();
    let (store, _) = open(dir.path());
    let save = |generation, text: &str| {
        let text = text.to_owned();
        crate::wait(|done| store.save_site_text(generation, text, Timestamp(7), done)).expect("saved");
    };
    save(1, "site: harbour");
    save(2, "site: quay");
    let history = store.site_history(10).expect("read");
    assert_eq!(history.iter().map(|row| row.generation).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(history[1].text.as_deref(), Some("site: harbour"));
}

#[test]
fn one_daemon_a_folder() {
    let dir = folder();
    let (store, _) = open(dir.path());
    assert_eq!(Store::open(dir.path(), key()).map(|_| ()), Err(StoreError::InUse));
    drop(store);
    open(dir.path());
}

#[test]
fn a_copy_taken_in_the_middle_opens_and_holds_what_was_acknowledged_by_then() {
    let dir = folder();
    let (store, _) = open(dir.path());
    for n in 1..=20 {
        store
            .apply_blocking(transaction(
                vec![Change::Member(member(n)), Change::Credential(wifi_key(n))],
                vec![record(n, n)],
            ))
            .expect("applied");
        if n % 5 != 0 {
            continue;
        }
        // What kill -9 leaves: the files as they are, no lock, no farewell.
        let copy = folder();
        for file in ["core.db", "core.db-wal", "events.db", "events.db-wal"] {
            fs::copy(dir.path().join(file), copy.path().join(file)).expect("copied");
        }
        let (copied, loaded) = open(copy.path());
        assert_eq!((loaded.generation, loaded.members.len()), (u64::from(n), n as usize));
        drop(copied);
        let report = verify(copy.path()).expect("looked at");
        assert!(report.is_good(), "{report}");
        assert_eq!(report.core_rows, u64::from(n));
    }
}

#[test]
fn five_thousand_members_are_loaded_within_the_time_of_a_start() {
    let dir = folder();
    let (store, _) = open(dir.path());
    for from in (0..5_000).step_by(500) {
        let changes = (from..from + 500).flat_map(|n| [Change::Member(member(n)), Change::Credential(wifi_key(n))]);
        apply(&store, changes.collect()).expect("applied");
    }
    drop(store);
    let began = std::time::Instant::now();
    let (_, loaded) = open(dir.path());
    let took = began.elapsed();
    println!("5,000 members and as many Wi-Fi keys: {took:?}");
    assert_eq!((loaded.members.len(), loaded.credentials.len()), (5_000, 5_000));
    // DESIGN 10 gives the whole start 300 ms with an optimised build; this one is not, and the machine may be busy.
    assert!(took < std::time::Duration::from_secs(3), "{took:?}");
}
