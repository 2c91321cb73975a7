//! The ring of door intents: what was unfinished is unknown, torn records are left out, nothing is lost on the way round.

use super::*;
use crate::intents::{crc32, decode, encode};
use crate::{IntentsRing, wait};
use policy::{IntentRow, IntentState};
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::MetadataExt;
use values::IntentId;

fn row(n: u32, state: IntentState) -> IntentRow {
    IntentRow {
        intent: IntentId::from_random(u128::from(n).to_be_bytes()),
        door: "street".parse().expect("a name"),
        member: n.is_multiple_of(2).then(|| member_id(n)),
        at: Timestamp(i64::from(n)),
        state,
    }
}

fn append(ring: &IntentsRing, row: IntentRow) {
    wait(|done| ring.append(row, done)).expect("written");
}

#[test]
fn what_was_unfinished_comes_back_as_unknown_once() {
    let dir = folder();
    let (ring, open) = IntentsRing::open(dir.path()).expect("made");
    assert!(open.is_empty());
    for state in IntentState::ALL {
        append(&ring, row(state as u32 + 1, IntentState::Logged));
        append(&ring, row(state as u32 + 1, state));
    }
    drop(ring);
    let (ring, open) = IntentsRing::open(dir.path()).expect("opened");
    // Logged is the first in ALL and Sent the second.
    assert_eq!(open, [row(1, IntentState::Unknown), row(2, IntentState::Unknown)]);
    drop(ring);
    let (_, open) = IntentsRing::open(dir.path()).expect("opened");
    assert!(open.is_empty(), "it is told once");
}

#[test]
fn a_torn_record_is_left_out_and_the_rest_is_read() {
    let dir = folder();
    let (ring, _) = IntentsRing::open(dir.path()).expect("made");
    for n in 0..3 {
        append(&ring, row(n, IntentState::Sent));
    }
    drop(ring);
    let path = dir.path().join("intents.ring");
    let whole = fs::read(&path).expect("readable");
    for torn_at in [0, 3, 4, 12, 40, 53, 70, 508, 511] {
        let mut torn = whole.clone();
        // The second record: its head was written, the rest is from before.
        torn[512 + torn_at] ^= 0x40;
        fs::write(&path, &torn).expect("written");
        let (ring, open) = IntentsRing::open(dir.path()).expect("opened");
        assert_eq!(open, [row(0, IntentState::Unknown), row(2, IntentState::Unknown)], "torn at {torn_at}");
        drop(ring);
        fs::write(&path, &whole).expect("written");
    }
    // Half a record, and garbage all through.
    let mut half = whole.clone();
    half[512 + 100..1024].fill(0xff);
    fs::write(&path, &half).expect("written");
    assert_eq!(IntentsRing::open(dir.path()).expect("opened").1.len(), 2);
    fs::write(&path, vec![0xa5; whole.len()]).expect("written");
    assert!(IntentsRing::open(dir.path()).expect("opened").1.is_empty());
}

#[test]
fn the_ring_goes_round_and_keeps_its_size_and_its_space() {
    let dir = folder();
    let (ring, _) = IntentsRing::open(dir.path()).expect("made");
    let path = dir.path().join("intents.ring");
    let (size, blocks) = fs::metadata(&path).map(|file| (file.len(), file.blocks())).expect("there");
    assert!(blocks * 512 >= size, "the space is taken, not only named");
    let (answer, answers) = std::sync::mpsc::channel();
    for n in 0..5_000 {
        let answer = answer.clone();
        let state = if n == 4_999 { IntentState::Sent } else { IntentState::Verified };
        loop {
            let (busy, busied) = std::sync::mpsc::channel();
            let answer = answer.clone();
            ring.append(row(n, state), move |done| match done {
                Err(StoreError::Busy) => busy.send(()).expect("the loop waits"),
                done => answer.send(done).expect("the test waits"),
            });
            if busied.try_recv().is_err() {
                break;
            }
            std::thread::yield_now();
        }
    }
    assert!(answers.iter().take(5_000).all(|done| done.is_ok()));
    drop(ring);
    assert_eq!(fs::metadata(&path).expect("there").len(), size);
    assert_eq!(IntentsRing::open(dir.path()).expect("opened").1, [row(4_999, IntentState::Unknown)]);
}

#[test]
fn the_checksum_is_the_one_of_ieee_802_3() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}

#[test]
fn a_closed_ring_refuses() {
    let dir = folder();
    let (ring, _) = IntentsRing::open(dir.path()).expect("made");
    ring.close();
    assert_eq!(wait(|done| ring.append(row(1, IntentState::Logged), done)), Err(StoreError::Stopped));
}

proptest! {
    #[test]
    fn a_record_is_read_as_it_was_written(
        sequence in any::<u64>(),
        intent in any::<[u8; 16]>(),
        of in any::<Option<[u8; 16]>>(),
        at in any::<i64>(),
        door in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        state in prop::sample::select(&IntentState::ALL),
    ) {
        let row = IntentRow {
            intent: IntentId::from_random(intent),
            door: door.parse().expect("a name"),
            member: of.map(MemberId::from_random),
            at: Timestamp(at),
            state,
        };
        prop_assert_eq!(decode(&encode(sequence, &row)), Some((sequence, row)));
    }

    #[test]
    fn any_512_bytes_are_read_without_a_panic(
        head in prop::collection::vec(any::<u8>(), 118),
        with_magic in any::<bool>(),
        length in any::<u8>(),
    ) {
        let mut bytes = [0; 512];
        bytes[..118].copy_from_slice(&head);
        if with_magic {
            bytes[..4].copy_from_slice(b"DPi1");
        }
        bytes[54] = length;
        // A right checksum lets the fields be looked at.
        let crc = crc32(&bytes[..508]);
        bytes[508..].copy_from_slice(&crc.to_be_bytes());
        let _ = decode(&bytes);
    }
}
