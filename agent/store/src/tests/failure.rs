//! A full disk, a lock that somebody else holds, damage: a clear error, no panic, and work goes on once it is over.

use super::*;
use crate::writer::Urgency;
use crate::{IntentsRing, wait};
use policy::{IntentRow, IntentState};
use rusqlite::Connection;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use values::IntentId;

/// Lets core.db and events.db grow by `pages` from now on.
fn allow_pages(store: &Store, pages: Option<i64>) {
    for writer in [&store.core, &*store.events] {
        wait(|done| {
            writer.submit(
                Urgency::Now,
                move |db| {
                    let used: i64 = db.pragma_query_value(None, "page_count", |row| row.get(0))?;
                    db.pragma_update(None, "max_page_count", pages.map_or(1 << 30, |pages| used + pages))?;
                    Ok(())
                },
                done,
            );
        })
        .expect("set");
    }
}

#[test]
fn a_full_disk_refuses_changes_drops_events_and_passes() {
    let dir = folder();
    let (store, _) = open(dir.path());
    apply(&store, vec![Change::Member(member(1))]).expect("applied");
    allow_pages(&store, Some(2));
    let mut kept = 1;
    let refused = loop {
        match store.apply_blocking(transaction(vec![Change::Member(member(kept + 1))], vec![record(kept + 1, 1)])) {
            Ok(generation) => {
                kept += 1;
                assert_eq!(generation, u64::from(kept));
            }
            Err(error) => break error,
        }
        assert!(kept < 1_000, "it never became full");
    };
    assert_eq!(refused, StoreError::Full);
    assert_eq!(refused.reason().code(), "storage-failed");
    for n in 0..200 {
        store.record(record(10_000 + n, 1));
    }
    store.flush_events();
    assert!(store.events_dropped() > 0);
    assert!(!store.query_events(&crate::EventFilter::default()).expect("reading works").is_empty());

    allow_pages(&store, None);
    kept += 1;
    let change = Change::Member(member(kept));
    assert_eq!(apply(&store, vec![change]), Ok(u64::from(kept)), "nothing of what was refused was half kept");
    drop(store);
    let (_, loaded) = open(dir.path());
    assert_eq!(loaded.members.len(), kept as usize);
    let report = crate::verify(dir.path()).expect("looked at");
    assert!(report.is_good(), "{report}");
}

#[test]
fn when_sqlite_gives_up_a_whole_group_everyone_in_it_is_told() {
    let dir = folder();
    let (store, _) = open(dir.path());
    apply(&store, (1..=200).map(|n| Change::Member(member(n))).collect()).expect("applied");
    allow_pages(&store, Some(1));
    let (answer, answers) = std::sync::mpsc::channel();
    let rows = 60;
    for n in 1..=rows {
        let answer = answer.clone();
        let changes = vec![Change::Credential(wifi_key(n))];
        store.apply(transaction(changes, vec![record(n, n)]), move |outcome| {
            answer.send((n, outcome)).expect("the test waits");
        });
    }
    let mut kept: Vec<u32> = Vec::new();
    for (n, outcome) in answers.iter().take(rows as usize) {
        match outcome {
            Ok(_) => kept.push(n),
            Err(error) => assert_eq!(error, StoreError::Full),
        }
    }
    assert!(kept.len() < rows as usize);
    drop(store);
    let (_, loaded) = open(dir.path());
    let mut found: Vec<_> = loaded.credentials.iter().map(|credential| credential.member).collect();
    found.sort();
    kept.sort_unstable();
    assert_eq!(found, kept.iter().map(|n| member_id(*n)).collect::<Vec<_>>(), "acknowledged and there are the same");
    assert_eq!(loaded.generation, 1 + kept.len() as u64);
}

#[test]
fn when_a_writer_panics_whoever_waits_for_it_is_told() {
    let dir = folder();
    let (store, _) = open(dir.path());
    let (answer, answers) = std::sync::mpsc::channel();
    // One step holds the thread until the others lie in the queue behind it.
    let (go, gone) = std::sync::mpsc::channel::<()>();
    store.core.submit(
        Urgency::Now,
        move |_| -> Result<(), crate::StoreError> {
            gone.recv().expect("the test says when");
            panic!("a fault of this test")
        },
        |_| {},
    );
    for n in 1..=3 {
        let answer = answer.clone();
        store.apply(transaction(vec![Change::Member(member(n))], vec![record(n, n)]), move |outcome| {
            answer.send(outcome).expect("the test waits");
        });
    }
    go.send(()).expect("it waits");
    drop(answer);
    assert!(answers.iter().all(|outcome| outcome == Err(StoreError::Stopped)), "nobody waits for ever");
    let late = store.apply_blocking(transaction(vec![Change::Member(member(4))], vec![record(4, 4)]));
    assert_eq!(late, Err(StoreError::Stopped));
}

/// A mounted tmpfs of its own size, or None where mounting is not allowed.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(kib: u32) -> Option<Self> {
        let dir = folder();
        let size = format!("size={kib}k");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "doorpost-test"]).arg(dir.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(dir)),
            Ok(output) => {
                println!("skipped: mounting a tmpfs is denied: {}", String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(error) => {
                println!("skipped: no mount(8): {error}");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn a_disk_without_space_refuses_changes_and_keeps_doors_and_recovers() {
    let Some(disk) = SmallDisk::mount(8 * 1024) else { return };
    let dir = disk.0.path();
    let (store, _) = open(dir);
    let (ring, _) = IntentsRing::open(dir).expect("made");
    apply(&store, vec![Change::Member(member(1))]).expect("applied");
    fill(&dir.join("filler"));

    let started = Instant::now();
    let mut refused = 0;
    for n in 2..40 {
        if let Err(error) = store.apply_blocking(transaction(vec![Change::Member(member(n))], vec![record(n, 1)])) {
            assert!(matches!(error, StoreError::Full | StoreError::Io { .. }), "{error:?}");
            refused += 1;
        }
        store.record(record(1_000 + n, 1));
        let intent = IntentRow {
            intent: IntentId::from_random(u128::from(n).to_be_bytes()),
            door: "street".parse().expect("a name"),
            member: None,
            at: Timestamp(1),
            state: IntentState::Verified,
        };
        wait(|done| ring.append(intent, done)).expect("the ring has its space");
    }
    store.flush_events();
    assert!(refused > 0, "the disk was not full");
    assert!(started.elapsed() < Duration::from_secs(10), "a full disk is said at once");

    fs::remove_file(dir.join("filler")).expect("removed");
    apply(&store, vec![Change::Member(member(50))]).expect("there is space again");
    store.record(record(2_000, 1));
    store.flush_events();
    drop(store);
    drop(ring);
    let (store, loaded) = open(dir);
    assert!(loaded.members.iter().any(|found| found.id == member_id(50)));
    drop(store);
    let report = crate::verify(dir).expect("looked at");
    assert!(report.is_good(), "{report}");
}

#[test]
fn a_daemon_starts_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount(8 * 1024) else { return };
    let dir = disk.0.path();
    let (store, _) = open(dir);
    apply(&store, vec![Change::Member(member(1))]).expect("applied");
    drop(store);
    fill(&dir.join("filler"));
    match Store::open(dir, key()) {
        Ok((_, loaded)) => assert_eq!(loaded.members.len(), 1),
        Err(error) => panic!("{error}"),
    }
}

fn fill(path: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(path).expect("made");
    let block = [0; 4096];
    while file.write_all(&block).is_ok() {}
}

#[test]
fn a_lock_held_elsewhere_is_said_after_a_while_and_passes() {
    let dir = folder();
    let (store, _) = open(dir.path());
    let other = Connection::open(dir.path().join("core.db")).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let started = Instant::now();
    let (first, second) =
        (store.apply_blocking(transaction(vec![Change::Member(member(1))], vec![])), started.elapsed());
    assert_eq!(first, Err(StoreError::Locked));
    assert!(second < Duration::from_secs(9), "{second:?}");
    assert!(store.load_open_sessions().is_ok(), "reading goes on");
    assert!(store.record(record(1, 1)), "events go on");
    other.execute_batch("ROLLBACK").expect("unlocked");
    assert_eq!(apply(&store, vec![Change::Member(member(1))]), Ok(1));
}

#[test]
fn more_than_the_queue_holds_is_refused_at_once() {
    let dir = folder();
    let (store, _) = open(dir.path());
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (begin, begun) = std::sync::mpsc::channel();
    store.core.submit(
        Urgency::Now,
        move |_| {
            begin.send(()).expect("the test waits");
            let _ = held.recv();
            Ok(())
        },
        |_: Result<(), StoreError>| {},
    );
    begun.recv().expect("the writer is at work");
    let (answer, answers) = std::sync::mpsc::channel();
    let asked = crate::CORE_QUEUE_MAX as u32 + 100;
    for n in 0..asked {
        let answer = answer.clone();
        store.apply(transaction(vec![Change::Member(member(n))], vec![]), move |outcome| {
            answer.send(outcome).expect("the test waits");
        });
    }
    drop(hold);
    let outcomes: Vec<_> = answers.iter().take(asked as usize).collect();
    let busy = outcomes.iter().filter(|outcome| **outcome == Err(StoreError::Busy)).count();
    let kept = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(busy, 100);
    assert_eq!(busy + kept, asked as usize);
    store.close();
    assert_eq!(apply(&store, vec![]), Err(StoreError::Stopped));
    drop(store);
    assert_eq!(open(dir.path()).1.members.len(), kept);
}

#[test]
fn a_damaged_core_is_refused_after_a_crash_and_damaged_events_are_put_aside() {
    let dir = folder();
    let (store, _) = open(dir.path());
    apply(&store, (0..500).map(|n| Change::Member(member(n))).collect()).expect("applied");
    store.record(record(1, 1));
    drop(store);
    let core = dir.path().join("core.db");
    // The crash: the flag says that the last run did not end.
    let db = Connection::open(&core).expect("opens");
    db.execute_batch("UPDATE box SET was_closed = 0; PRAGMA wal_checkpoint(TRUNCATE)").expect("marked");
    let page: i64 =
        db.query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'member'", [], |row| row.get(0)).expect("a page");
    drop(db);
    let mut bytes = fs::read(&core).expect("readable");
    let at = usize::try_from((page - 1) * 4096).expect("small");
    bytes[at..at + 64].fill(0x5a);
    fs::write(&core, &bytes).expect("written");
    assert!(matches!(Store::open(dir.path(), key()), Err(StoreError::Corrupt { .. })));
    let report = crate::verify(dir.path()).expect("looked at");
    assert!(!report.is_good());

    let dir = folder();
    let (store, _) = open(dir.path());
    store.record(record(1, 1));
    drop(store);
    let events = dir.path().join("events.db");
    let mut bytes = fs::read(&events).expect("readable");
    bytes[..100].fill(0x5a);
    fs::write(&events, &bytes).expect("written");
    let (store, _) = open(dir.path());
    store.record(record(2, 1));
    store.flush_events();
    assert_eq!(store.events_dropped(), 0);
    assert!(dir.path().join("events.db.corrupt").exists());
    drop(store);
    let report = crate::verify(dir.path()).expect("looked at");
    assert!(report.to_string().contains("rewritten"), "the anchor remembers the old log: {report}");
}
