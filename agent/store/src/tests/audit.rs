//! The two chains: what was changed is named, what was erased is not missed, what was cut off is noticed.

use super::*;
use crate::{Cursor, EventFilter, Retention, VerifyReport, verify};
use rusqlite::Connection;
use std::fs;

/// Five changes and five decisions, closed cleanly.
fn written(dir: &Path) {
    let (store, _) = open(dir);
    for n in 1..=5 {
        store.apply_blocking(transaction(vec![Change::Member(member(n))], vec![record(n, n)])).expect("applied");
        assert!(store.record(record(100 + n, n)));
    }
}

fn looked(dir: &Path) -> VerifyReport {
    verify(dir).expect("looked at")
}

/// What somebody with a hex editor does, who has learned of triggers.
fn tamper(dir: &Path, file: &str, sql: &str) {
    let db = Connection::open(dir.join(file)).expect("opens");
    db.execute_batch("PRAGMA foreign_keys = OFF; DROP TRIGGER audit_keeps; DROP TRIGGER IF EXISTS audit_stays")
        .expect("dropped");
    db.execute_batch(sql).expect(sql);
}

#[test]
fn what_was_written_verifies_beside_the_running_store_and_after_it() {
    let dir = folder();
    written(dir.path());
    let report = looked(dir.path());
    assert!(report.is_good(), "{report}");
    assert_eq!((report.core_rows, report.event_rows), (5, 5));

    let (store, _) = open(dir.path());
    store.record(record(200, 1));
    store.flush_events();
    let report = looked(dir.path());
    assert!(report.is_good(), "{report}");
    assert_eq!(report.event_rows, 6);
    drop(store);
}

#[test]
fn a_change_of_any_column_of_any_row_names_the_row() {
    for file in ["core.db", "events.db"] {
        for row in 1..=5 {
            for sql in [
                "UPDATE audit SET body = replace(body, 'ap-front', 'ap-back') WHERE seq = ?",
                "UPDATE audit SET body = replace(body, 'allowed', 'refused') WHERE seq = ?",
                "UPDATE audit SET hash = randomblob(32) WHERE seq = ?",
                "UPDATE audit SET prev_hash = randomblob(32) WHERE seq = ?",
                "UPDATE audit_personal SET value = 'somebody else' WHERE field = 'username' AND seq = ?",
                "UPDATE audit_personal SET salt = randomblob(16) WHERE field = 'mac' AND seq = ?",
                "UPDATE audit_personal SET field = 'badge' WHERE field = 'mac' AND seq = ?",
                "DELETE FROM audit_personal WHERE seq = ?; DELETE FROM audit WHERE seq = ?",
            ] {
                let dir = folder();
                written(dir.path());
                tamper(dir.path(), file, &sql.replace('?', &row.to_string()));
                let report = looked(dir.path());
                // A row that is gone is named by the one after it, and the last one by its anchor.
                let named = |row: i64| report.findings.iter().any(|found| found.file == file && found.row == Some(row));
                assert!(named(row) || named(row + 1), "{file} {row} {sql}: {report}");
            }
        }
    }
}

#[test]
fn a_flipped_byte_of_any_row_in_the_file_names_the_row() {
    let dir = folder();
    written(dir.path());
    for file in ["core.db", "events.db"] {
        let path = dir.path().join(file);
        let whole = fs::read(&path).expect("readable");
        for row in 1..=5_u32 {
            let id = event_id(if file == "core.db" { row } else { 100 + row }).to_string();
            let at = whole
                .windows(id.len() + 7)
                .position(|window| window.starts_with(b"{\"id\":\"") && window.ends_with(id.as_bytes()))
                .expect("the row's text stands in the file");
            let length = whole[at..].windows(3).position(|window| window == b"\"}}").expect("its end") + 3;
            // Every seventh byte, so that names, values and brackets all have their turn.
            for offset in (0..length).step_by(7) {
                let mut flipped = whole.clone();
                flipped[at + offset] ^= 1;
                fs::write(&path, &flipped).expect("written");
                let report = looked(dir.path());
                let named = report.findings.iter().any(|found| found.file == file && found.row == Some(i64::from(row)));
                assert!(named, "{file} row {row} byte {offset}: {report}");
            }
        }
        fs::write(&path, &whole).expect("written");
    }
    assert!(looked(dir.path()).is_good());
}

#[test]
fn rows_cut_off_at_the_end_are_missed_by_the_anchor() {
    for file in ["core.db", "events.db"] {
        let dir = folder();
        written(dir.path());
        tamper(dir.path(), file, "DELETE FROM audit_personal WHERE seq > 3; DELETE FROM audit WHERE seq > 3");
        let report = looked(dir.path());
        let found: Vec<_> = report.findings.iter().map(|found| (found.file, found.row)).collect();
        assert_eq!(found, [(file, Some(5))], "{report}");
        assert!(report.to_string().contains("cut off"), "{report}");

        // Writing on does not hide it.
        let (store, _) = open(dir.path());
        for n in 6..=9 {
            store.apply_blocking(transaction(vec![], vec![record(n, 1)])).expect("applied");
            store.record(record(100 + n, 1));
        }
        drop(store);
        let report = looked(dir.path());
        assert!(report.to_string().contains("rewritten"), "{report}");
    }
}

#[test]
fn erasing_a_member_leaves_no_personal_value_and_the_chains_verify() {
    let dir = folder();
    written(dir.path());
    let (store, _) = open(dir.path());
    let of_member = EventFilter { member: Some(member_id(3)), ..EventFilter::default() };
    let before = store.query_events(&of_member).expect("read");
    assert!(before.len() == 2 && before.iter().all(|event| event.record.personal.len() == 2));
    store.erase_member_blocking(member_id(3)).expect("erased");
    let after = store.query_events(&of_member).expect("read");
    assert_eq!(after.len(), 2, "the rows stay");
    assert!(after.iter().all(|event| event.record.personal.is_empty()));
    let others = store.query_events(&EventFilter::default()).expect("read");
    assert_eq!(others.iter().filter(|event| !event.record.personal.is_empty()).count(), 8);
    for file in ["core.db", "core.db-wal", "events.db", "events.db-wal"] {
        let bytes = fs::read(dir.path().join(file)).unwrap_or_default();
        for value in [&b"02:00:00:00:00:03"[..], b"02:00:00:00:00:67"] {
            assert!(!bytes.windows(value.len()).any(|window| window == value), "{file} still has a MAC address");
        }
    }
    drop(store);
    let report = looked(dir.path());
    assert!(report.is_good(), "{report}");
}

#[test]
fn history_is_read_from_both_logs_newest_first_page_by_page() {
    let dir = folder();
    let (store, _) = open(dir.path());
    for n in 1..=30 {
        // Three rows share each moment, and the two logs take turns.
        let row = Record { at: Timestamp(i64::from(n) / 3), ..record(n, n % 2) };
        if n % 2 == 0 {
            store.apply_blocking(transaction(vec![], vec![row])).expect("applied");
        } else {
            store.record(row);
        }
    }
    store.flush_events();
    let mut filter = EventFilter { limit: 7, ..EventFilter::default() };
    let mut seen = Vec::new();
    loop {
        let page = store.query_events(&filter).expect("read");
        let Some(last) = page.last() else { break };
        filter.before = Some(Cursor { at: last.record.at, id: last.record.id });
        seen.extend(page);
    }
    assert_eq!(seen.len(), 30);
    let cursors: Vec<_> = seen.iter().map(|event| Cursor { at: event.record.at, id: event.record.id }).collect();
    assert!(cursors.is_sorted_by(|newer, older| newer > older));
    let changes: Vec<_> = seen.iter().filter(|event| event.actor.as_deref() == Some("console")).collect();
    assert_eq!(changes.len(), 15);
    assert_eq!(seen[0].record, Record { at: Timestamp(10), ..record(30, 0) });

    let only = |filter: EventFilter| store.query_events(&filter).expect("read").len();
    assert_eq!(only(EventFilter { member: Some(member_id(1)), ..EventFilter::default() }), 15);
    assert_eq!(only(EventFilter { noun: Some(Noun::Door), ..EventFilter::default() }), 0);
    assert_eq!(
        only(EventFilter { noun: Some(Noun::Wifi), place: Some("ap-front".to_owned()), ..EventFilter::default() }),
        30
    );
    assert_eq!(only(EventFilter { from: Some(Timestamp(9)), ..EventFilter::default() }), 4);
    assert_eq!(store.event(event_id(7)).expect("read").map(|event| event.record.id), Some(event_id(7)));
    assert_eq!(store.event(event_id(77)), Ok(None));
}

#[test]
fn retention_shortens_the_log_of_decisions_and_it_still_verifies() {
    let dir = folder();
    written(dir.path());
    let (store, _) = open(dir.path());
    let purge = |retention: Retention| crate::wait(|done| store.purge(retention, done)).expect("purged");
    purge(Retention { personal_before: [(Noun::Wifi, Timestamp(1_035))].into(), ..Retention::default() });
    let personal = |store: &Store| {
        let rows = store.query_events(&EventFilter::default()).expect("read");
        rows.iter().filter(|event| !event.record.personal.is_empty()).count()
    };
    assert_eq!(personal(&store), 2, "the two newest decisions");
    purge(Retention { events_before: Some(Timestamp(1_035)), ..Retention::default() });
    assert_eq!(store.query_events(&EventFilter::default()).expect("read").len(), 5 + 2);
    purge(Retention { events_before: Some(Timestamp(i64::MAX)), ..Retention::default() });
    store.record(record(110, 1));
    store.flush_events();
    let report = looked(dir.path());
    assert!(report.is_good(), "{report}");
    assert_eq!((report.core_rows, report.event_rows), (5, 1));
}

#[test]
fn a_row_put_in_between_is_named() {
    let dir = folder();
    written(dir.path());
    tamper(
        dir.path(),
        "events.db",
        "UPDATE audit SET seq = 6 WHERE seq = 5; INSERT INTO audit (seq, body, prev_hash, hash)
            SELECT 5, replace(body, 'evt_', 'evt_0'), prev_hash, hash FROM audit WHERE seq = 4;
         DELETE FROM audit_personal WHERE seq = 5",
    );
    let report = looked(dir.path());
    assert!(report.findings.iter().any(|found| found.row == Some(5)), "{report}");
}
