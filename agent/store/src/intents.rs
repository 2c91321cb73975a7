//! DATA/intents.ring: what door attempts were under way, in a file that was given its whole size when it was made, so that a
//! full disk cannot keep a door shut. One 512-byte record each time an attempt moves on; the oldest are overwritten.
//!
//! After a restart, an attempt whose last record is unfinished is [`IntentState::Unknown`]: nobody can say whether the relay
//! pulled. It is reported and never sent again. This file knows no relay and no connection.
//!
//! ```text
//! record = magic (4) | sequence (8) | intent (16) | at (8) | state (1) | member? (1 + 16) | door length, name (1 + 63)
//!          | zeroes | CRC-32 of all before (4)
//! ```

use crate::error::StoreError;
use policy::{IntentRow, IntentState};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use values::{DoorName, IntentId, MemberId, NAME_MAX_BYTES, Timestamp};

/// One sector of every disk: a power cut tears between sectors, so it spoils at most the record that was being written.
const RECORD_BYTES: usize = 512;
/// Some 800 openings of five records each, weeks of a busy door; 2 MiB.
const RECORDS: u64 = 4_096;
const MAGIC: [u8; 4] = *b"DPi1";
const CRC_AT: usize = RECORD_BYTES - 4;
/// Records that may wait for the disk: more than the doors of one house can be opened at once.
const QUEUE_MAX: usize = 256;
const FILE: &str = "intents.ring";

type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// The handle to the ring's own thread, which alone writes the file.
#[derive(Debug)]
pub struct IntentsRing {
    queue: Mutex<Option<SyncSender<(IntentRow, Done)>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl IntentsRing {
    /// Opens or creates the ring. The attempts that the last run left unfinished come back as `Unknown`, and stand in the
    /// ring as such before this returns.
    ///
    /// # Errors
    /// What the file system says. Records that cannot be read are left out: they were being written when the power went.
    pub fn open(dir: &Path) -> Result<(Self, Vec<IntentRow>), StoreError> {
        let (mut ring, rows) = RingFile::open(&dir.join(FILE))?;
        let unknown = unfinished(rows);
        if !unknown.is_empty() {
            unknown.iter().try_for_each(|row| ring.put(row))?;
            ring.sync()?;
        }
        let (queue, rows) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("store-intents".to_owned())
            .spawn(move || ring.serve(&rows))
            .map_err(|error| StoreError::Io { file: FILE.to_owned(), detail: error.to_string() })?;
        Ok((Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) }, unknown))
    }

    /// Writes a row; `done` is called from the ring's thread once it is on the disk. Never waits: who opens a door gives
    /// the answer 50 ms and then goes on without it.
    pub fn append(&self, row: IntentRow, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        let queue = self.queue.lock().ok().and_then(|queue| queue.clone());
        let Some(queue) = queue else { return done(Err(StoreError::Stopped)) };
        match queue.try_send((row, Box::new(done))) {
            Ok(()) => {}
            Err(TrySendError::Full((_, done))) => done(Err(StoreError::Busy)),
            Err(TrySendError::Disconnected((_, done))) => done(Err(StoreError::Stopped)),
        }
    }

    /// Writes what is queued and ends the thread.
    pub fn close(&self) {
        drop(self.queue.lock().ok().and_then(|mut queue| queue.take()));
        if let Some(thread) = self.thread.lock().ok().and_then(|mut thread| thread.take()) {
            let _ = thread.join();
        }
    }
}

impl Drop for IntentsRing {
    fn drop(&mut self) {
        self.close();
    }
}

/// The file and where its next record goes.
struct RingFile {
    file: File,
    path: PathBuf,
    next_sequence: u64,
}

impl RingFile {
    /// The readable rows come back in the order in which they were written.
    fn open(path: &Path) -> Result<(Self, Vec<IntentRow>), StoreError> {
        let io = |error: std::io::Error| StoreError::io(path, &error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(io)?;
        allocate(&file).map_err(io)?;
        let mut rows = Vec::new();
        let mut bytes = [0; RECORD_BYTES];
        for slot in 0..RECORDS {
            file.read_exact_at(&mut bytes, slot * RECORD_BYTES as u64).map_err(io)?;
            rows.extend(decode(&bytes));
        }
        rows.sort_by_key(|(sequence, _)| *sequence);
        let next_sequence = rows.last().map_or(0, |(sequence, _)| sequence + 1);
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        Ok((Self { file, path: path.to_owned(), next_sequence }, rows))
    }

    fn serve(&mut self, queue: &Receiver<(IntentRow, Done)>) {
        while let Ok((row, done)) = queue.recv() {
            let mut waiting = vec![done];
            let mut outcome = self.put(&row);
            // What has queued up meanwhile shares the sync.
            while let Ok((row, done)) = queue.try_recv() {
                waiting.push(done);
                outcome = outcome.and_then(|()| self.put(&row));
            }
            let outcome = outcome.and_then(|()| self.sync());
            for done in waiting {
                done(outcome.clone());
            }
        }
    }

    /// The slot follows from the sequence, so a record that failed is written over by the next one.
    fn put(&mut self, row: &IntentRow) -> Result<(), StoreError> {
        let at = (self.next_sequence % RECORDS) * RECORD_BYTES as u64;
        let bytes = encode(self.next_sequence, row);
        self.file.write_all_at(&bytes, at).map_err(|error| StoreError::io(&self.path, &error))?;
        self.next_sequence += 1;
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|error| StoreError::io(&self.path, &error))
    }
}

/// Writes zeroes to the full size: a file that only claims its size would need space later.
fn allocate(file: &File) -> std::io::Result<()> {
    let wanted = RECORDS * RECORD_BYTES as u64;
    let zeroes = [0; RECORD_BYTES];
    let mut at = file.metadata()?.len() / RECORD_BYTES as u64 * RECORD_BYTES as u64;
    if at >= wanted {
        return Ok(());
    }
    while at < wanted {
        file.write_all_at(&zeroes, at)?;
        at += RECORD_BYTES as u64;
    }
    file.sync_all()
}

/// Attempts whose last row awaits something, as the `Unknown` that they have become.
fn unfinished(rows: Vec<IntentRow>) -> Vec<IntentRow> {
    let mut last: HashMap<IntentId, IntentRow> = HashMap::new();
    for row in rows {
        last.insert(row.intent, row);
    }
    let mut open: Vec<IntentRow> = last.into_values().filter(|row| !row.state.is_finished()).collect();
    open.sort_by_key(|row| (row.at, row.intent));
    open.iter_mut().for_each(|row| row.state = IntentState::Unknown);
    open
}

const fn state_byte(state: IntentState) -> u8 {
    match state {
        IntentState::Logged => 1,
        IntentState::Sent => 2,
        IntentState::Acknowledged => 3,
        IntentState::Verified => 4,
        IntentState::Failed => 5,
        IntentState::Expired => 6,
        IntentState::Unknown => 7,
    }
}

pub(crate) fn encode(sequence: u64, row: &IntentRow) -> [u8; RECORD_BYTES] {
    let door = row.door.as_str().as_bytes();
    let mut fields = Vec::with_capacity(RECORD_BYTES);
    fields.extend(MAGIC);
    fields.extend(sequence.to_be_bytes());
    fields.extend(row.intent.to_bytes());
    fields.extend(row.at.0.to_be_bytes());
    fields.push(state_byte(row.state));
    fields.push(u8::from(row.member.is_some()));
    fields.extend(row.member.map_or([0; 16], MemberId::to_bytes));
    // A door's name has at most 63 bytes (NAME_MAX_BYTES).
    fields.push(u8::try_from(door.len()).unwrap_or_default());
    fields.extend(door);
    let mut bytes = [0; RECORD_BYTES];
    bytes[..fields.len()].copy_from_slice(&fields);
    let crc = crc32(&bytes[..CRC_AT]);
    bytes[CRC_AT..].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// None for a slot that was never written or was torn.
pub(crate) fn decode(bytes: &[u8; RECORD_BYTES]) -> Option<(u64, IntentRow)> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    if !body.starts_with(&MAGIC) || u32::from_be_bytes(*crc) != crc32(body) {
        return None;
    }
    let (sequence, rest) = body[MAGIC.len()..].split_first_chunk::<8>()?;
    let (intent, rest) = rest.split_first_chunk::<16>()?;
    let (at, rest) = rest.split_first_chunk::<8>()?;
    let (&[state, has_member], rest) = rest.split_first_chunk::<2>()?;
    let (member, rest) = rest.split_first_chunk::<16>()?;
    let (&length, rest) = rest.split_first()?;
    let door: DoorName =
        std::str::from_utf8(rest.get(..usize::from(length).min(NAME_MAX_BYTES))?).ok()?.parse().ok()?;
    let row = IntentRow {
        intent: IntentId::from_random(*intent),
        door,
        member: (has_member == 1).then(|| MemberId::from_random(*member)),
        at: Timestamp(i64::from_be_bytes(*at)),
        state: IntentState::ALL.into_iter().find(|known| state_byte(*known) == state)?,
    };
    Some((u64::from_be_bytes(*sequence), row))
}

/// CRC-32 of IEEE 802.3 (reflected, 0xEDB88320).
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| CRC_TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};
