//! What history may take of the disk, and what many requests at one time cost it.

use super::*;
use crate::EventFilter;
use policy::SessionRow;
use std::sync::mpsc::channel;
use values::{MacAddress, SessionId};

fn session(n: u32, mac: Option<u8>) -> SessionRow {
    SessionRow {
        id: SessionId::from_random(u128::from(n).to_be_bytes()),
        access_point: "hall".parse().expect("a name"),
        nas: String::new(),
        acct_session_id: format!("a{n}"),
        member: Some(member_id(1)),
        credential: Some(wifi_key(1).id),
        username: Pii("mara1".to_owned()),
        mac: mac.map(|mac| MacAddress([2, 0, 0, 0, 0, mac])),
        ip: None,
        network: None,
        vlan: None,
        started_at: Timestamp(i64::from(n)),
        seen_at: Timestamp(i64::from(n)),
        ended_at: None,
        rx_bytes: 0,
        tx_bytes: 0,
        end_cause: None,
    }
}

#[test]
fn history_that_has_its_full_size_loses_its_oldest_rows_and_still_verifies() {
    let dir = folder();
    let (store, _) = open(dir.path());
    store.room.set_max_bytes(1024 * 1024);
    let rows = 6_000;
    for n in 1..=rows {
        store.record(record(n, 1));
        if n % 200 == 0 {
            store.flush_events(); // the queue holds 4,096
        }
    }
    store.flush_events();
    assert_eq!(store.events_dropped(), 0);
    let forgotten = store.events_forgotten();
    assert!((2_000..5_500).contains(&forgotten), "{forgotten}");
    let newest = store.query_events(&EventFilter { limit: 1, ..EventFilter::default() }).expect("read");
    assert_eq!(newest[0].record.id, event_id(rows));
    assert!(store.event(event_id(1)).expect("read").is_none());
    let size = std::fs::metadata(dir.path().join("events.db")).expect("a file").len();
    assert!(size < 2 * 1024 * 1024, "{size}");
    drop(store);
    let report = crate::verify(dir.path()).expect("looked at");
    assert!(report.is_good(), "{report}");
}

#[test]
fn nothing_is_recorded_while_the_disk_is_nearly_full() {
    let dir = folder();
    let (store, _) = open(dir.path());
    assert!(store.record(record(1, 1)));
    store.close_events(true);
    assert!(!store.record(record(2, 1)));
    store.close_events(false);
    assert!(store.record(record(3, 1)));
    store.flush_events();
    assert_eq!(store.events_dropped(), 1);
    assert_eq!(store.query_events(&EventFilter::default()).expect("read").len(), 2);
}

#[test]
fn requests_that_come_together_share_a_sync() {
    let dir = folder();
    let (store, _) = open(dir.path());
    let before = store.commits();
    let requests = 512;
    let (answer, answers) = channel();
    for n in 0..requests {
        let answer = answer.clone();
        store.save_sessions(vec![session(n, None)], move |outcome| answer.send(outcome).expect("the test waits"));
    }
    for _ in 0..requests {
        assert_eq!(answers.recv().expect("each is answered"), Ok(()));
    }
    assert_eq!(store.load_open_sessions().expect("read").len(), requests as usize);
    let commits = store.commits() - before;
    // Eight of 64, and the few that went before the queue filled.
    assert!(commits <= u64::from(requests) / 8, "{commits} commits for {requests} requests");
}

#[test]
fn devices_are_known_by_the_credential_that_they_came_with() {
    let dir = folder();
    let (store, _) = open(dir.path());
    let rows = vec![session(1, Some(1)), session(2, Some(2)), session(3, Some(1)), session(4, None)];
    crate::wait(|done| store.save_sessions(rows, done)).expect("saved");
    let known = store.load_known_devices().expect("read");
    let mac = |n| MacAddress([2, 0, 0, 0, 0, n]);
    assert_eq!(known, [(wifi_key(1).id, mac(2)), (wifi_key(1).id, mac(1))], "the most recent last");
}
