//! curl at the box's HTTPS, trusting the box's own CA and nothing else.

use crate::daemon::{Daemon, Folder};
use crate::program;
use std::process::Command;

/// What came back.
#[derive(Debug)]
pub struct Fetched {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Fetched {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }
}

/// Runs curl with these arguments; panics with what it says when there is no answer.
pub fn curl(daemon: &Daemon, args: &[&str], path: &str) -> Fetched {
    let folder = Folder::new("curl");
    let (head, body) = (folder.0.join("head"), folder.0.join("body"));
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--write-out", "%{http_code}", "--cacert"]);
    command.arg(daemon.data.join("pki/ca.pem")).arg("--dump-header").arg(&head).arg("--output").arg(&body);
    command.args(args).arg(format!("https://localhost:{}{path}", daemon.listening.https.port()));
    let output = program::run(command, "curl", b"");
    assert!(output.status.success(), "curl {path}: {}", String::from_utf8_lossy(&output.stderr));
    let status = String::from_utf8_lossy(&output.stdout).parse().expect("a status");
    // An answer without a body leaves no file.
    let (head, body) = (std::fs::read_to_string(head).expect("a head"), std::fs::read(body).unwrap_or_default());
    Fetched { status, head: head.to_lowercase(), body }
}
