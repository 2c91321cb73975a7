//! One job: what stays the same ([`Facts`]) and where it stands ([`Stage`], whose variants own what they know).

use super::{HELD_MAX, RequestToken, ticket};
use policy::Reason;
use policy::print::{CountedBy, Ending, JobRecord, JobStage, Settlement, UpstreamJob};
use proto::ipp::{self, DocumentFormat, JobState, Ticket};
use values::{CredentialId, JobId, MemberId, Mono, Now, Pii, PrinterName, Timestamp};

/// What arrived in the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpooledDocument {
    pub bytes: u64,
    /// SHA-256, in hexadecimal.
    pub digest: String,
    pub format: DocumentFormat,
    /// Pages of the document itself, before copies and page-ranges.
    pub pages: u32,
}

#[derive(Debug)]
pub(super) struct Job {
    pub facts: Facts,
    pub stage: Stage,
}

#[derive(Debug)]
pub(super) struct Facts {
    pub id: JobId,
    /// `job-id`.
    pub number: u32,
    pub member: MemberId,
    pub credential: Option<CredentialId>,
    pub printer: PrinterName,
    /// `job-name`.
    pub document: Pii<String>,
    pub ticket: Ticket,
    /// None until the document has arrived; so are the four below zero or empty until then.
    pub format: Option<DocumentFormat>,
    pub bytes: u64,
    pub digest: String,
    /// Sides that will be printed, copies included.
    pub pages: u32,
    pub submitted_at: Timestamp,
    pub processing_at: Option<Timestamp>,
    pub updated_at: Timestamp,
    /// Counts the saves of this run, so that an answer to an older one is told from the newest.
    pub revision: u64,
    /// When to write the row again after storage refused; what waits for a row has timers of its own.
    pub resave_at: Option<Mono>,
    /// The newest row was confirmed.
    pub is_saved: bool,
    /// The operator who waits until what she asked for is written down.
    pub answer: Option<RequestToken>,
}

/// Where a job stands. The path is drawn at the head of the engine.
#[derive(Debug)]
pub(super) enum Stage {
    /// Made by Create-Job; its document has not begun to arrive.
    Open {
        closes_at: Mono,
    },
    /// The document is arriving in this request.
    Spooling {
        token: RequestToken,
        canceled: bool,
    },
    /// Whole; being written down before the client is answered.
    Accepting {
        token: RequestToken,
        hold: Option<Reason>,
        canceled: bool,
    },
    Held(Held),
    /// The ledger is asked for its pages.
    Reserving {
        canceled: bool,
    },
    Queued(Queued),
    /// The printer is asked to make a job of it. No byte of the document leaves before its answer is written down.
    Offering {
        queued: Queued,
        canceled: bool,
    },
    Naming(Naming),
    Sending(Sending),
    Watching(Watching),
    Closing(Closing),
    NeedsChecking {
        ending: Ending,
        sentence: String,
    },
    Ended(Ended),
}

#[derive(Debug)]
pub(super) struct Held {
    pub reason: Reason,
    pub expires_at: Timestamp,
    pub review_at: Mono,
}

/// Pages are set aside; waits for its turn at the printer, or for the printer.
#[derive(Debug)]
pub(super) struct Queued {
    pub since: Mono,
    pub retry_at: Option<Mono>,
    pub attempts: u32,
}

/// What the printer may know of it is being written down.
#[derive(Debug)]
pub(super) struct Naming {
    pub upstream: UpstreamJob,
    pub canceled: bool,
    /// When to try the save again after it failed.
    pub resave_at: Option<Mono>,
}

/// The document is on its way to the printer.
#[derive(Debug)]
pub(super) struct Sending {
    /// None in a Print-Job, where the answer brings it.
    pub upstream_job_id: Option<i32>,
    pub canceled: bool,
}

/// The printer has it; it is asked how the job stands.
#[derive(Debug)]
pub(super) struct Watching {
    pub upstream_job_id: i32,
    pub canceled: bool,
    pub since: Mono,
    /// None while an answer is awaited.
    pub poll_at: Option<Mono>,
    pub polls: u32,
    /// Since when it has not answered.
    pub lost_at: Option<Mono>,
    pub stopped: bool,
    pub impressions_completed: u32,
}

/// Decided what is paid; being written down, then told to the ledger.
#[derive(Debug)]
pub(super) struct Closing {
    pub settlement: Settlement,
    pub ending: Ending,
    pub sentence: String,
    pub phase: ClosingPhase,
}

#[derive(Debug)]
pub(super) enum ClosingPhase {
    Saving,
    Submitted,
    /// Storage refused; once more then.
    Retry {
        at: Mono,
    },
}

#[derive(Debug)]
pub(super) struct Ended {
    pub ending: Ending,
    pub pages: u32,
    pub by: Option<CountedBy>,
    pub charged_minor: i64,
    pub sentence: String,
}

impl Held {
    pub fn new(reason: Reason, now: Now) -> Self {
        Self { reason, expires_at: now.stamp() + HELD_MAX, review_at: now.mono + super::releasing::REVIEW_INTERVAL }
    }
}

impl Queued {
    pub const fn new(now: Now) -> Self {
        Self { since: now.mono, retry_at: None, attempts: 0 }
    }
}

impl Stage {
    const fn due(&self) -> Option<Mono> {
        match self {
            Self::Open { closes_at } => Some(*closes_at),
            Self::Held(held) => Some(held.review_at),
            Self::Queued(queued) => queued.retry_at,
            Self::Naming(naming) => naming.resave_at,
            Self::Watching(watching) => watching.poll_at,
            Self::Closing(Closing { phase: ClosingPhase::Retry { at }, .. }) => Some(*at),
            Self::Closing(Closing { phase: ClosingPhase::Saving | ClosingPhase::Submitted, .. }) => None,
            Self::Spooling { .. } | Self::Accepting { .. } | Self::Reserving { .. } | Self::Offering { .. } => None,
            Self::Sending(_) | Self::NeedsChecking { .. } | Self::Ended(_) => None,
        }
    }

    /// Whether the document may still be sent.
    pub const fn needs_document(&self) -> bool {
        match self {
            Self::Open { .. } | Self::Watching(_) | Self::Closing(_) | Self::NeedsChecking { .. } | Self::Ended(_) => {
                false
            }
            Self::Spooling { .. } | Self::Accepting { .. } | Self::Held(_) | Self::Reserving { .. } => true,
            Self::Queued(_) | Self::Offering { .. } | Self::Naming(_) | Self::Sending(_) => true,
        }
    }

    /// Whether it counts against what a member may leave here: everything but what only waits for a person's count.
    pub const fn is_waiting(&self) -> bool {
        match self {
            Self::Closing(_) | Self::NeedsChecking { .. } | Self::Ended(_) => false,
            Self::Open { .. }
            | Self::Spooling { .. }
            | Self::Accepting { .. }
            | Self::Held(_)
            | Self::Reserving { .. } => true,
            Self::Queued(_) | Self::Offering { .. } | Self::Naming(_) | Self::Sending(_) | Self::Watching(_) => true,
        }
    }

    /// `job-state` (RFC 8011 5.3.7).
    pub const fn state(&self) -> JobState {
        match self {
            Self::Open { .. } | Self::Spooling { .. } | Self::Accepting { hold: None, .. } => JobState::Pending,
            Self::Accepting { hold: Some(_), .. } | Self::Held(_) => JobState::PendingHeld,
            Self::Reserving { .. } | Self::Queued(_) | Self::Offering { .. } | Self::Naming(_) => JobState::Pending,
            Self::Watching(Watching { stopped: true, .. }) => JobState::ProcessingStopped,
            Self::Sending(_) | Self::Watching(_) | Self::Closing(_) => JobState::Processing,
            Self::NeedsChecking { ending, .. } | Self::Ended(Ended { ending, .. }) => match ending {
                Ending::Completed => JobState::Completed,
                Ending::Aborted => JobState::Aborted,
                Ending::Canceled => JobState::Canceled,
            },
        }
    }

    /// `job-state-reasons` (RFC 8011 5.3.8, PWG 5100.16 for the account).
    pub fn state_reasons(&self) -> Vec<ipp::Str> {
        let word = match self {
            Self::Open { .. } => "job-data-insufficient",
            Self::Spooling { .. } => "job-incoming",
            Self::Accepting { hold: Some(reason), .. } | Self::Held(Held { reason, .. }) => hold_reason(reason),
            Self::Accepting { hold: None, .. } | Self::Reserving { .. } | Self::Queued(_) => return Vec::new(),
            Self::Offering { .. } | Self::Naming(_) => return Vec::new(),
            Self::Watching(Watching { canceled: true, .. }) | Self::Sending(Sending { canceled: true, .. }) => {
                "processing-to-stop-point"
            }
            Self::Watching(Watching { stopped: true, .. }) => "printer-stopped",
            Self::Sending(_) => "job-outgoing",
            Self::Watching(_) | Self::Closing(_) => "job-printing",
            Self::NeedsChecking { ending: Ending::Completed, .. } => "job-completed-with-warnings",
            Self::Ended(Ended { ending: Ending::Completed, .. }) => "job-completed-successfully",
            Self::NeedsChecking { ending, .. } | Self::Ended(Ended { ending, .. }) => match ending {
                Ending::Canceled => "job-canceled-by-user",
                Ending::Completed | Ending::Aborted => "aborted-by-system",
            },
        };
        vec![word.into()]
    }

    /// `job-state-message`: one sentence where there is something to tell.
    pub fn sentence(&self) -> String {
        match self {
            Self::Accepting { hold: Some(reason), .. } | Self::Held(Held { reason, .. }) => reason.sentence(),
            Self::NeedsChecking { sentence, .. }
            | Self::Ended(Ended { sentence, .. })
            | Self::Closing(Closing { sentence, .. }) => sentence.clone(),
            Self::Watching(Watching { lost_at: Some(_), .. }) => "The printer does not answer.".into(),
            Self::Watching(Watching { stopped: true, .. }) => "The printer has stopped and needs a person.".into(),
            Self::Queued(Queued { attempts: 1.., .. }) => {
                "The printer is busy or cannot be reached; the job waits for it.".into()
            }
            Self::Open { .. } | Self::Spooling { .. } | Self::Accepting { hold: None, .. } | Self::Reserving { .. } => {
                String::new()
            }
            Self::Queued(_) | Self::Offering { .. } | Self::Naming(_) | Self::Sending(_) | Self::Watching(_) => {
                String::new()
            }
        }
    }
}

/// The registered keyword that says why a job is held.
fn hold_reason(reason: &Reason) -> &'static str {
    match reason {
        Reason::AccountLimitReached { .. } => "account-limit-reached",
        Reason::MemberSuspended { .. } | Reason::MemberEnded { .. } | Reason::MembershipOver { .. } => "account-closed",
        Reason::NoPrintInPlan { .. } | Reason::UnknownMember => "account-authorization-failed",
        Reason::HeldOnRequest => "job-hold-until-specified",
        _ => "resources-are-not-ready",
    }
}

impl Job {
    /// When the timer must come back to it.
    pub fn due(&self) -> Option<Mono> {
        self.stage.due().into_iter().chain(self.facts.resave_at).min()
    }

    /// The row that is saved; none before the document is whole.
    pub fn record(&self) -> Option<JobRecord> {
        let Facts { id, number, member, credential, .. } = self.facts;
        Some(JobRecord {
            id,
            number,
            member,
            credential,
            printer: self.facts.printer.clone(),
            document: self.facts.document.clone(),
            format: self.facts.format?.as_str().to_owned(),
            bytes: self.facts.bytes,
            digest: self.facts.digest.clone(),
            pages: self.facts.pages,
            ticket: ticket::save(&self.facts.ticket),
            submitted_at: self.facts.submitted_at,
            updated_at: self.facts.updated_at,
            stage: self.saved_stage()?,
        })
    }

    fn saved_stage(&self) -> Option<JobStage> {
        Some(match &self.stage {
            Stage::Open { .. } | Stage::Spooling { .. } => return None,
            Stage::Accepting { hold: None, .. } | Stage::Reserving { .. } => JobStage::Reserving,
            Stage::Accepting { hold: Some(reason), .. } => {
                JobStage::Held { reason: reason.clone(), expires_at: self.facts.submitted_at + HELD_MAX }
            }
            Stage::Held(held) => JobStage::Held { reason: held.reason.clone(), expires_at: held.expires_at },
            Stage::Queued(_) | Stage::Offering { .. } => JobStage::Forwarding { upstream: UpstreamJob::Nothing },
            Stage::Naming(naming) => JobStage::Forwarding { upstream: naming.upstream },
            Stage::Sending(Sending { upstream_job_id: None, .. }) => {
                JobStage::Forwarding { upstream: UpstreamJob::Unnamed }
            }
            Stage::Sending(Sending { upstream_job_id: Some(upstream_job_id), .. })
            | Stage::Watching(Watching { upstream_job_id, .. }) => {
                JobStage::Forwarding { upstream: UpstreamJob::Named { upstream_job_id: *upstream_job_id } }
            }
            Stage::Closing(closing) => JobStage::Settling {
                settlement: closing.settlement,
                ending: closing.ending,
                sentence: closing.sentence.clone(),
            },
            Stage::NeedsChecking { ending, sentence } => {
                JobStage::NeedsChecking { ending: *ending, sentence: sentence.clone() }
            }
            Stage::Ended(Ended { ending, pages, by, charged_minor, sentence }) => JobStage::Ended {
                ending: *ending,
                pages: *pages,
                by: *by,
                charged_minor: *charged_minor,
                sentence: sentence.clone(),
            },
        })
    }
}
