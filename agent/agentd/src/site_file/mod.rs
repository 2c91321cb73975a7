//! The site file: YAML text in, [`policy::SiteModel`] and listening addresses out, or every fault with its line, its
//! column and what was expected there. The only place that knows the file is YAML.

mod model;
mod pairs;
mod shape;

pub use shape::ClockTrust;

use policy::SiteModel;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A site file is written by hand; 200 doors with titles make a tenth of this.
const FILE_MAX_BYTES: u64 = 1024 * 1024;

/// What a site file says.
#[derive(Debug)]
pub struct SiteFile {
    pub model: SiteModel,
    pub listen: ListenAddresses,
    pub clock: ClockTrust,
}

/// Where the daemon listens.
#[derive(Clone, Debug)]
pub struct ListenAddresses {
    pub radius_auth: SocketAddr,
    pub radius_acct: SocketAddr,
    /// None when no access point comes by RadSec.
    pub radsec: Option<SocketAddr>,
    pub ipp: SocketAddr,
    pub mqtt: SocketAddr,
    /// MQTT without TLS, loopback only.
    pub mqtt_plain: Option<SocketAddr>,
    pub https: SocketAddr,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1; 0 when the fault has no place (an unreadable file).
    pub line: u64,
    pub column: u64,
    pub message: String,
}

/// Everything that is wrong with one file; never empty.
#[derive(Clone, Debug)]
pub struct Faults {
    pub file: PathBuf,
    pub faults: Vec<Fault>,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.faults.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{}:{}: {}", self.file.display(), fault.line, fault.column, fault.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Reads and checks a site file.
///
/// # Errors
/// All faults found: those of the YAML's shape end the reading at the first, those of meaning are collected.
pub fn read(file: &Path) -> Result<SiteFile, Faults> {
    let unreadable =
        |message: String| Faults { file: file.to_owned(), faults: vec![Fault { line: 0, column: 0, message }] };
    let size = std::fs::metadata(file).map_err(|error| unreadable(format!("cannot be read: {error}")))?.len();
    if size > FILE_MAX_BYTES {
        return Err(unreadable(format!("has {size} bytes; expected at most {FILE_MAX_BYTES}")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    parse(&text, file)
}

/// Checks the text of a site file; `file` names it in messages and is where relative secret files are looked up.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str, file: &Path) -> Result<SiteFile, Faults> {
    let faults = |faults: Vec<Fault>| Faults { file: file.to_owned(), faults };
    let yaml: shape::SiteYaml = serde_saphyr::from_str(text).map_err(|error| faults(vec![shape_fault(&error)]))?;
    model::build(yaml, file.parent().unwrap_or(Path::new("."))).map_err(faults)
}

/// The reader's own message, with its place taken out of the prose and put where all faults have theirs.
fn shape_fault(error: &serde_saphyr::Error) -> Fault {
    let (line, column) = error.location().map_or((0, 0), |place| (place.line(), place.column()));
    let message = error.without_snippet().to_string();
    let message = message.lines().next().unwrap_or("is not a site file").trim().trim_end_matches('.').to_owned();
    Fault { line, column, message: strip_place(&message) }
}

fn strip_place(message: &str) -> String {
    match message.find(" at line ") {
        Some(at) => message[..at].to_owned(),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
