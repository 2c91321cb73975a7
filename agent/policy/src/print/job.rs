//! One print submission as it is written down: [`JobRecord`] is the row that survives a restart, [`JobStage`] how far it
//! has come. The print engine alone moves a job from stage to stage; the store saves the record as it is.
//!
//! ```text
//! Held <--> Reserving --> Forwarding --> Settling --> Ended (completed | aborted | canceled)
//!   `------------------------^  |           ^
//!   (cancelled or expired)      `--> NeedsChecking (the operator says)
//! ```

use super::{CountedBy, Settlement};
use crate::reason::Reason;
use serde::{Deserialize, Serialize};
use values::{CredentialId, JobId, MemberId, Pii, PrinterName, Timestamp};

/// A job whose document has arrived whole. Everything before that is lost with a restart, and nothing of it was promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    pub id: JobId,
    /// The `job-id` by which IPP clients know it; never given twice.
    pub number: u32,
    pub member: MemberId,
    /// What proved the member; none where only a reservation is left of the job.
    pub credential: Option<CredentialId>,
    pub printer: PrinterName,
    /// `job-name`: what the member called it.
    pub document: Pii<String>,
    /// `document-format`, a media type.
    pub format: String,
    pub bytes: u64,
    /// SHA-256 of the spooled document, in hexadecimal.
    pub digest: String,
    /// Sides that will be printed, copies included.
    pub pages: u32,
    /// What is asked of the printer, as the engine wrote it; opaque to everyone else.
    pub ticket: String,
    pub submitted_at: Timestamp,
    /// When the stage changed last.
    pub updated_at: Timestamp,
    pub stage: JobStage,
}

/// How far a job has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "stage")]
pub enum JobStage {
    /// Waits for credit, for its member, or for its release; goes by itself at `expires_at`.
    Held { reason: Reason, expires_at: Timestamp },
    /// Pages are being set aside. The reservation of this job says whether they were.
    Reserving,
    /// Pages are set aside; the printer is being given the document or works on it.
    Forwarding { upstream: UpstreamJob },
    /// Over, and decided what is paid; the ledger has not answered yet.
    Settling { settlement: Settlement, ending: Ending, sentence: String },
    /// What came out is unknown, and nothing is charged until a counter or a person says.
    NeedsChecking { ending: Ending, sentence: String },
    /// Settled. `pages` came out; `by` is none where nothing did.
    Ended { ending: Ending, pages: u32, by: Option<CountedBy>, charged_minor: i64, sentence: String },
}

/// What the printer may know of a job; saved before the step that it allows, so that a restart never sends a document
/// twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "known")]
pub enum UpstreamJob {
    /// No byte of the document has left: it may be offered again.
    Nothing,
    /// The document may have left in a Print-Job whose answer has not come: it is not sent again.
    Unnamed,
    /// The printer's own `job-id`; it can be asked.
    Named { upstream_job_id: i32 },
}

/// How a job came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The printer said so.
    Completed,
    /// The printer or the box gave it up.
    Aborted,
    /// The member or an operator ended it.
    Canceled,
}

impl JobStage {
    /// Whether the job will never change again.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Held { .. } | Self::Reserving | Self::Forwarding { .. } => false,
            Self::Settling { .. } | Self::NeedsChecking { .. } => false,
            Self::Ended { .. } => true,
        }
    }

    /// The word of the API and the command line.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Held { .. } => "held",
            Self::Reserving => "pending",
            Self::Forwarding { .. } | Self::Settling { .. } => "printing",
            Self::NeedsChecking { .. } => "needs-checking",
            Self::Ended { ending: Ending::Completed, .. } => "completed",
            Self::Ended { ending: Ending::Aborted, .. } => "aborted",
            Self::Ended { ending: Ending::Canceled, .. } => "canceled",
        }
    }
}
