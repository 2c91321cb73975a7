//! Counting the pages of a PDF in a child that owns nothing: `doorpost count` reads the document from standard input and
//! answers one line of JSON. Both ends of that line are here.
//!
//! ```text
//! parent: spawn self "count" < document -> child: sandbox, parse, {"pages":20,"colour":null} | {"unknown":"encrypted"}
//!         wait at most WALL_MAX         <- line, exit
//! ```
//!
//! Whatever the child does, dying included, the parent gets a count or a reason why there is none.

use proto::count::{Count, pdf};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// Of a document that is held in memory to be counted; the spool may take larger ones, they are held uncounted.
const DOCUMENT_MAX_BYTES: u64 = 200 * 1024 * 1024;
/// The document, as much again for what is unpacked of it, and the program.
const ADDRESS_SPACE_MAX_BYTES: u64 = 512 * 1024 * 1024;
/// The largest honest document tried (2,000 pages, 60 MB) takes 0.2 s.
const CPU_MAX_S: u64 = 5;
/// The child gets twice its processor time: the machine may be busy.
const WALL_MAX: Duration = Duration::from_secs(10);
const ANSWER_MAX_BYTES: u64 = 4 * 1024;
/// Children at once: counting must not starve logins and doors of processor.
const CHILDREN_MAX: usize = 2;

static CHILDREN: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(CHILDREN_MAX);

/// The child's one line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Answer {
    Counted { pages: u32, colour: Option<bool>, landlock: String },
    Unknown { unknown: String },
}

/// Why a document has no count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CountFailure {
    /// The document is at fault; the word is one of `proto::count::pdf::Uncounted::code`, or `too-large`.
    Document(String),
    /// The child used up its time or memory, or was killed for asking for more than it may.
    Died(String),
    /// It could not be started or heard: this box is at fault.
    Local(String),
}

impl std::fmt::Display for CountFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Document(code) => write!(f, "the document cannot be counted: {code}"),
            Self::Died(how) => write!(f, "the page counter was ended: {how}"),
            Self::Local(cause) => write!(f, "the page counter did not run: {cause}"),
        }
    }
}

impl std::error::Error for CountFailure {}

/// The child: `doorpost count`. Call it before any thread exists.
pub fn child() -> ExitCode {
    std::panic::set_hook(Box::new(|_| {})); // the hook would open files for a backtrace
    let answer = match host::sandbox::enter(&host::sandbox::Limits {
        address_space_bytes: ADDRESS_SPACE_MAX_BYTES,
        cpu_s: CPU_MAX_S,
    }) {
        Ok(landlock) => answer(std::io::stdin().lock(), landlock),
        Err(fault) => Answer::Unknown { unknown: fault.to_string() },
    };
    let line = serde_json::to_string(&answer).unwrap_or_default();
    match writeln!(std::io::stdout().lock(), "{line}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn answer(document: impl Read, landlock: host::sandbox::Landlock) -> Answer {
    let unknown = |code: &str| Answer::Unknown { unknown: code.to_owned() };
    let mut bytes = Vec::new();
    match document.take(DOCUMENT_MAX_BYTES + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > DOCUMENT_MAX_BYTES => return unknown("too-large"),
        Ok(_) => {}
        Err(_) => return unknown("unreadable"),
    }
    // A panic of the parser says no more than any other damage does.
    match std::panic::catch_unwind(|| pdf::count(bytes)) {
        Ok(Ok(Count { pages: Some(pages), colour })) => {
            Answer::Counted { pages, colour, landlock: landlock.as_str().to_owned() }
        }
        Ok(Ok(Count { pages: None, .. })) | Err(_) => unknown("unreadable"),
        Ok(Err(fault)) => unknown(fault.code()),
    }
}

fn local(error: impl std::fmt::Display) -> CountFailure {
    CountFailure::Local(error.to_string())
}

/// Counts the pages of the PDF in a file. Takes at most [`WALL_MAX`] once it is its turn.
pub async fn count_pdf(path: &Path) -> Result<Count, CountFailure> {
    count_by(&std::env::current_exe().map_err(local)?, path).await
}

async fn count_by(program: &Path, path: &Path) -> Result<Count, CountFailure> {
    let _turn = CHILDREN.acquire().await.map_err(local)?;
    let document = tokio::fs::File::open(path).await.map_err(local)?.into_std().await;
    let mut child = tokio::process::Command::new(program)
        .arg("count")
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(document))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(local)?;
    let Some(stdout) = child.stdout.take() else { return Err(CountFailure::Local("no pipe".to_owned())) };
    let heard = tokio::time::timeout(WALL_MAX, async {
        let mut line = Vec::new();
        stdout.take(ANSWER_MAX_BYTES).read_to_end(&mut line).await?;
        Ok::<_, std::io::Error>((line, child.wait().await?))
    });
    match heard.await {
        Ok(Ok((line, status))) => read(&line, status),
        Ok(Err(error)) => Err(local(error)),
        Err(_) => Err(CountFailure::Died(format!("it took longer than {} s", WALL_MAX.as_secs()))),
    }
}

fn read(line: &[u8], status: std::process::ExitStatus) -> Result<Count, CountFailure> {
    if !status.success() {
        return Err(CountFailure::Died(status.to_string()));
    }
    match serde_json::from_slice(line) {
        Ok(Answer::Counted { pages, colour, landlock }) => {
            tracing::debug!(pages, landlock, "a document was counted");
            Ok(Count { pages: Some(pages), colour })
        }
        Ok(Answer::Unknown { unknown }) if unknown.contains(' ') => Err(CountFailure::Local(unknown)),
        Ok(Answer::Unknown { unknown }) => Err(CountFailure::Document(unknown)),
        Err(error) => Err(CountFailure::Local(format!("its answer is not understood: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn by(script: &str) -> Result<Count, CountFailure> {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("counter");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("executable");
        count_by(&program, Path::new("/dev/null")).await
    }

    #[tokio::test]
    async fn whatever_the_child_does_there_is_an_answer() {
        let counted = by(r#"echo '{"pages":20,"colour":null,"landlock":"full"}'"#).await;
        assert_eq!(counted, Ok(Count { pages: Some(20), colour: None }));
        let unknown = by(r#"echo '{"unknown":"encrypted"}'"#).await;
        assert_eq!(unknown, Err(CountFailure::Document("encrypted".to_owned())));
        assert!(matches!(by("kill -SYS $$").await, Err(CountFailure::Died(_))));
        assert!(matches!(by("exit 1").await, Err(CountFailure::Died(_))));
        assert!(matches!(by("echo nonsense").await, Err(CountFailure::Local(_))));
        assert!(matches!(count_by(Path::new("/nowhere"), Path::new("/dev/null")).await, Err(CountFailure::Local(_))));
    }
}
