//! The heads of the audit chains, written down outside the databases: one line each time in DATA/anchors.log and in the
//! system log. A chain that is shorter than an anchor, or other than it, was cut or rewritten.
//!
//! The limit: rows after the last anchor can be cut off unseen (at most [`ANCHOR_EVERY`] of them), and somebody who may write
//! to the folder can edit this file too. The copies in the system's journal, and in every backup, are the ones to compare
//! with when that is suspected.

use crate::audit::{self, Chain, Hash, hex};
use crate::error::StoreError;
use rusqlite::{Connection, OptionalExtension};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How much history can be cut off unseen, against a synced line each time: 300 lines a day at most.
pub(crate) const ANCHOR_EVERY: Duration = Duration::from_secs(5 * 60);
/// Some 30 days of anchors, well past which retention has removed the rows. The older half is dropped beyond it.
const FILE_MAX_BYTES: usize = 1024 * 1024;

const FILE: &str = "anchors.log";

/// Writes the anchors of one chain.
#[derive(Debug)]
pub(crate) struct Anchor {
    chain: Chain,
    path: PathBuf,
    dropped_at: Option<i64>,
}

/// One line: this row had this hash.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    chain: String,
    seq: i64,
    hash: String,
}

impl Anchor {
    pub fn new(chain: Chain, dir: &Path) -> Self {
        Self { chain, path: dir.join(FILE), dropped_at: None }
    }

    /// Anchors the head, unless it is where it was.
    pub fn drop_at_head(&mut self, db: &Connection) -> Result<(), StoreError> {
        let (seq, hash) = audit::head(db)?;
        if seq == 0 || self.dropped_at == Some(seq) {
            return Ok(());
        }
        let hash = hex(&hash);
        let io = |error: std::io::Error| StoreError::io(&self.path, &error);
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path).map_err(io)?;
        // One write of one short line: the two chains' writers do not mix theirs.
        file.write_all(format!("{} {seq} {hash}\n", self.chain.word()).as_bytes()).map_err(io)?;
        file.sync_data().map_err(io)?;
        tracing::info!(chain = self.chain.word(), seq, hash, "audit chain anchored");
        self.dropped_at = Some(seq);
        Ok(())
    }
}

/// Keeps the file within bounds; called before the writers start.
pub(crate) fn trim(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(FILE);
    let io = |error: std::io::Error| StoreError::io(&path, &error);
    let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
    if text.len() <= FILE_MAX_BYTES {
        return Ok(());
    }
    let newer = text.get(text.len() / 2..).and_then(|half| half.split_once('\n')).map_or("", |(_, rest)| rest);
    let draft = path.with_extension("log.new");
    fs::write(&draft, newer).map_err(io)?;
    OpenOptions::new().write(true).open(&draft).and_then(|file| file.sync_all()).map_err(io)?;
    fs::rename(&draft, &path).map_err(io)
}

/// The anchors as they stand in the file now.
#[derive(Debug, Default)]
pub(crate) struct Anchors(Vec<Line>);

impl Anchors {
    /// A missing file has no anchors; a line that a power cut tore is left out.
    pub fn read(dir: &Path) -> Self {
        let text = fs::read(dir.join(FILE)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        Self(text.split_inclusive('\n').filter(|line| line.ends_with('\n')).filter_map(parse).collect())
    }

    /// Compares the chain with its anchors. Rows that retention removed are not looked for.
    pub fn verify(&self, db: &Connection, chain: Chain, mut found: impl FnMut(i64, String)) -> Result<(), StoreError> {
        let (base, _) = audit::base(db)?;
        let mut select = db.prepare("SELECT hash FROM audit WHERE seq = ?1")?;
        for line in self.0.iter().filter(|line| line.chain == chain.word() && line.seq > base) {
            let hash: Option<Hash> = select.query_row([line.seq], |row| row.get(0)).optional()?;
            match hash {
                Some(hash) if hex(&hash) == line.hash => {}
                Some(_) => {
                    found(line.seq, "the log was rewritten: this row had another hash when it was anchored".to_owned())
                }
                None => found(line.seq, "the log was cut off: this row was there when it was anchored".to_owned()),
            }
        }
        Ok(())
    }
}

fn parse(line: &str) -> Option<Line> {
    let mut words = line.split_whitespace();
    let (chain, seq, hash) = (words.next()?, words.next()?, words.next()?);
    (words.next().is_none() && hash.len() == 64).then_some(Line {
        chain: chain.to_owned(),
        seq: seq.parse().ok()?,
        hash: hash.to_owned(),
    })
}
