//! radclient (Debian package freeradius-utils): FreeRADIUS's own client, which hides and opens passwords, signs requests and checks
//! answers by itself.

use crate::program;
use std::net::SocketAddr;
use std::process::Command;

/// A client that shares `secret` with whoever listens at `to`. It asks again every few seconds for as long as a busy machine may
/// take to answer.
#[derive(Clone, Copy, Debug)]
pub struct RadClient<'a> {
    to: SocketAddr,
    secret: &'a str,
    tries: u32,
    seconds: u32,
}

impl<'a> RadClient<'a> {
    pub fn at(to: SocketAddr, secret: &'a str) -> Self {
        Self { to, secret, tries: 3, seconds: 10 }
    }

    /// Asks once and waits for a short time only: where no answer is expected, the test waits for as long.
    pub fn brief(self) -> Self {
        Self { tries: 1, seconds: 2, ..self }
    }

    /// Sends one request of this kind (`auth`, `acct`, `status`, `coa`, `disconnect`), a line an attribute.
    pub fn send(&self, kind: &str, attributes: &str) -> Heard {
        let mut command = Command::new("radclient");
        command.args(["-x", "-r", &self.tries.to_string(), "-t", &self.seconds.to_string()]).args([
            &self.to.to_string(),
            kind,
            self.secret,
        ]);
        let output = program::run(command, "freeradius-utils", attributes.as_bytes());
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("Sent "), "radclient sent nothing: {text}");
        Heard { success: output.status.success(), text }
    }
}

/// What radclient heard.
#[derive(Debug)]
pub struct Heard {
    /// It was told yes (Access-Accept, Accounting-Response, an ACK), by somebody who knows the secret.
    pub success: bool,
    /// All that it printed: the request, then the answer.
    pub text: String,
}

impl Heard {
    /// The code of the answer, such as `Access-Reject`; none after silence, or when nobody knew the secret.
    pub fn answer(&self) -> Option<&str> {
        self.text.split_once("Received ")?.1.split(' ').next()
    }

    /// The first attribute of this name in the answer, with tag 0 or without a tag; without its quotes.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, answer) = self.text.split_once("Received ")?;
        let line = answer.lines().find_map(|line| {
            let rest = line.trim().strip_prefix(name)?;
            rest.strip_prefix(":0").unwrap_or(rest).strip_prefix(" = ")
        })?;
        Some(line.trim_matches('"'))
    }
}
