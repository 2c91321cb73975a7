//! The print engine: every queue, every job, from the first attribute of a request to the last row of the ledger.
//!
//! Owns the jobs and their order at each printer, the limits on what members may leave here, and the timers. Decides
//! nothing about money or people: `policy::print` quotes and settles, the Registrar commits. Never sees a document: it
//! says where one goes (`Output::Spool`) and is told what arrived (`Input::Spooled`). IPP is RFC 8011, the words for
//! "over quota" PWG 5100.16.
//!
//! ```text
//! Open --> Spooling --> Accepting --> Held <--> Reserving --> Queued --> Offering --> Naming --> Sending --> Watching
//!                                       |                       |                                              |
//!                                       `-----------------------`--> Closing --> Ended <-----------------------|
//!                                                                       ^-- NeedsChecking <--------------------'
//! ```
//! What may not happen twice is saved before it happens: `Accepting` and `Naming` wait for their row, `Reserving` and
//! `Closing` for the ledger.

mod forwarding;
mod job;
mod operator;
mod reception;
mod recovery;
mod releasing;
mod settling;
mod ticket;
mod view;

#[cfg(test)]
mod tests;

pub use job::SpooledDocument;
pub use operator::JobCommand;
pub use view::JobView;

use crate::Context;
use job::{Facts, Job, Stage};
use policy::print::{JobRecord, PrintEvidence};
use policy::{Change, Command, Reason, Record, Snapshot};
use proto::ipp;
use proto::ipp::upstream::UpstreamJobStatus;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use values::{EventId, JobId, Mono, PrinterName};

/// Unfinished jobs of one member: more than a person can want at once, few enough that a client in a loop is stopped.
pub const MEMBER_JOBS_MAX: usize = 32;
/// Unfinished jobs in all: 64 members at their limit. Each is a few hundred bytes here and a file in the spool.
pub const JOBS_MAX: usize = 2_048;
/// One document. The largest seen are posters of scanned raster at 600 dpi, about 300 MB.
pub const DOCUMENT_MAX_BYTES: u64 = 512 * 1024 * 1024;
/// Documents of one member that wait here: two of the largest.
pub const MEMBER_SPOOL_MAX_BYTES: u64 = 1024 * 1024 * 1024;
/// All documents that wait here; a quarter of the smallest disk that the image is written to.
pub const SPOOL_MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Finished jobs that clients can still ask about.
pub const HISTORY_MAX: usize = 1_000;
/// A held job that nobody released within a day goes, and so does one whose printer was off for a day.
pub const HELD_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Names the request that an answer belongs to; the shell chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestToken(pub u64);

/// A request whose head has arrived; the document, if there is one, is still on its way.
#[derive(Debug)]
pub struct Arrival {
    /// From the path `/ipp/print/<printer>`.
    pub queue: PrinterName,
    /// `ipp://host:port` or `ipps://host:port`, as the client reached us: the beginning of every URI in the answer.
    pub base_uri: String,
    pub tls: bool,
    /// None without credentials, and always over plain connections: there a password is not even read.
    pub evidence: Option<PrintEvidence>,
    pub peer: IpAddr,
    /// Whether anything stands behind the attributes.
    pub document_follows: bool,
    pub message: ipp::Message,
}

/// Everything that can happen to this engine.
#[derive(Debug)]
pub enum Input {
    Request {
        token: RequestToken,
        arrival: Box<Arrival>,
    },
    /// The whole document lies in the spool, synced.
    Spooled {
        job: JobId,
        document: SpooledDocument,
    },
    SpoolFailed {
        job: JobId,
        failure: SpoolFailure,
    },
    /// A printer's answer to Get-Printer-Attributes, or none.
    Probed {
        printer: PrinterName,
        answer: Option<Box<ipp::Message>>,
    },
    /// What came of [`Output::Forward`] with [`Step::CreateJob`].
    Created {
        job: JobId,
        answer: Created,
    },
    /// What came of [`Output::Forward`] with a step that sends the document.
    Sent {
        job: JobId,
        answer: Sent,
    },
    Polled {
        job: JobId,
        answer: Polled,
    },
    Saved {
        job: JobId,
        revision: u64,
        result: Result<(), Reason>,
    },
    /// What came of [`Output::Submit`]; the changes tell what was charged.
    Committed {
        job: JobId,
        result: Result<Vec<Change>, Reason>,
    },
    Operator {
        token: RequestToken,
        command: JobCommand,
    },
    TimerFired,
    SnapshotChanged {
        old: Arc<Snapshot>,
    },
}

/// Why a document did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoolFailure {
    /// The disk has no room; nothing that the client did wrong.
    DiskFull,
    TooLarge,
    ClientGone,
    /// It is none of the formats that can be counted.
    UnknownFormat,
    /// The bytes are not what `document-format` says, or cannot be read.
    Damaged,
    /// Its pages cannot be counted: encrypted, or beyond the counter's limits.
    Uncountable,
    /// The compression does not decode.
    Compression,
}

/// A printer's answer to Create-Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    Accepted {
        upstream_job_id: i32,
    },
    /// It knows Print-Job only.
    NotSupported,
    /// It has no time now.
    Busy,
    /// Nothing came back. No byte of the document was sent.
    Unreachable {
        detail: String,
    },
    Refused {
        sentence: String,
    },
}

/// A printer's answer to Send-Document or Print-Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    Accepted {
        upstream_job_id: i32,
    },
    /// It said that it has no time and took nothing.
    Busy,
    Refused {
        sentence: String,
    },
    /// The connection ended without an answer; what the printer has of it is unknown.
    Broken {
        detail: String,
    },
    /// The document is not in the spool.
    Missing,
}

/// A printer's answer to Get-Job-Attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    Status(UpstreamJobStatus),
    /// It knows no such job.
    Vanished,
    Unreachable,
}

/// Everything that this engine asks for.
#[derive(Debug)]
pub enum Output {
    Reply {
        token: RequestToken,
        reply: Reply,
    },
    /// The rest of this request's body is the document of this job.
    Spool {
        token: RequestToken,
        job: JobId,
        limits: SpoolLimits,
    },
    Probe {
        printer: PrinterName,
        uri: String,
    },
    Forward {
        job: JobId,
        step: Step,
    },
    PollUpstream {
        job: JobId,
        uri: String,
        upstream_job_id: i32,
    },
    /// Not answered: polling shows what it did.
    CancelUpstream {
        job: JobId,
        uri: String,
        upstream_job_id: i32,
    },
    DeleteSpool {
        job: JobId,
    },
    Submit {
        job: JobId,
        command: Command,
    },
    SaveJob {
        revision: u64,
        record: Box<JobRecord>,
    },
    /// To [`Input::Operator`].
    Answer {
        token: RequestToken,
        result: Result<(), Reason>,
    },
    Record(Record),
}

/// What a client is told.
#[derive(Debug)]
pub enum Reply {
    /// HTTP 401 with a Basic challenge.
    Unauthenticated,
    /// HTTP 426: this needs credentials, and credentials need TLS.
    UpgradeRequired,
    Ipp(Box<ipp::Message>),
}

/// How a document is taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolLimits {
    pub bytes_max: u64,
    /// What the client says it is; the bytes decide.
    pub format: Option<ipp::DocumentFormat>,
    pub compression: ipp::Compression,
}

/// One step towards the printer.
#[derive(Clone, Debug)]
pub enum Step {
    CreateJob { uri: String, ticket: Box<ipp::Ticket>, format: ipp::DocumentFormat },
    SendDocument { uri: String, upstream_job_id: i32, format: ipp::DocumentFormat, bytes: u64 },
    PrintJob { uri: String, ticket: Box<ipp::Ticket>, format: ipp::DocumentFormat, bytes: u64 },
}

/// What is known of a printer beyond the site file.
#[derive(Debug, Default)]
struct Upstream {
    uri: String,
    /// The job that it works on; the others wait for their turn.
    busy: Option<JobId>,
    /// What the printer said that it can do.
    capabilities: Option<ipp::Capabilities>,
    /// How the queue is shown; made anew when the printer or the site file says something else.
    shown: Option<Box<ipp::printer::PrinterDescription>>,
    /// Has named a count above zero, for any job: from then on, no count is news.
    has_counted: bool,
    /// Whether Create-Job is known not to be understood.
    print_job_only: bool,
    /// Did not answer when it was asked last.
    away: bool,
    probe_at: Mono,
    probing: bool,
}

/// How often a printer is asked what it can do and whether it is there.
const PROBE_INTERVAL: Duration = Duration::from_secs(60);
/// A printer that did not answer is asked again sooner.
const PROBE_RETRY: Duration = Duration::from_secs(10);

/// The engine. One task owns it.
#[derive(Debug)]
pub struct PrintEngine {
    jobs: BTreeMap<JobId, Job>,
    /// `job-id` of each unfinished job; in the order of submission.
    numbers: BTreeMap<u32, JobId>,
    /// Finished jobs by `job-id`.
    history: BTreeMap<u32, Job>,
    next_number: u32,
    /// Requests that wait for their document or for storage, one a connection.
    waiting: BTreeMap<RequestToken, reception::Waiting>,
    timers: BTreeSet<(Mono, JobId)>,
    printers: BTreeMap<PrinterName, Upstream>,
    outputs: VecDeque<Output>,
    /// When this run began, for `printer-up-time`.
    started_at: values::Timestamp,
}

impl PrintEngine {
    /// Takes one input. Outputs are drained before the next.
    pub fn handle(&mut self, cx: &mut Context<'_>, input: Input) {
        match input {
            Input::Request { token, arrival } => self.handle_request(cx, token, *arrival),
            Input::Spooled { job, document } => self.handle_spooled(cx, job, document),
            Input::SpoolFailed { job, failure } => self.handle_spool_failed(cx, job, failure),
            Input::Probed { printer, answer } => self.handle_probed(cx, printer, answer),
            Input::Created { job, answer } => self.handle_created(cx, job, answer),
            Input::Sent { job, answer } => self.handle_sent(cx, job, answer),
            Input::Polled { job, answer } => self.handle_polled(cx, job, answer),
            Input::Saved { job, revision, result } => self.handle_saved(cx, job, revision, result),
            Input::Committed { job, result } => self.handle_committed(cx, job, result),
            Input::Operator { token, command } => self.handle_operator(cx, token, command),
            Input::TimerFired => self.handle_timer(cx),
            Input::SnapshotChanged { old } => self.handle_snapshot_changed(cx, &old),
        }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::TimerFired`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        let job = self.timers.first().map(|(due, _)| *due);
        let probe = self.printers.values().filter(|printer| !printer.probing).map(|printer| printer.probe_at).min();
        job.into_iter().chain(probe).min()
    }

    /// Whether this job still needs its document; every other file in the spool may go.
    #[must_use]
    pub fn needs_spool(&self, job: JobId) -> bool {
        self.jobs.get(&job).is_some_and(|job| job.stage.needs_document())
    }

    fn handle_timer(&mut self, cx: &mut Context<'_>) {
        while let Some(&(due, id)) = self.timers.first()
            && due <= cx.now.mono
        {
            self.timers.remove(&(due, id));
            self.handle_due(cx, id);
        }
        self.probe_printers(cx);
    }

    fn handle_due(&mut self, cx: &mut Context<'_>, id: JobId) {
        let Some(Job { mut facts, stage }) = self.take(id) else { return };
        if facts.resave_at.is_some_and(|at| at <= cx.now.mono) {
            facts.resave_at = None;
            return self.save_and_put(cx, Job { facts, stage });
        }
        match stage {
            Stage::Open { .. } => self.close_open(cx, facts),
            Stage::Held(held) => self.review_held(cx, facts, held),
            Stage::Queued(queued) => self.review_queued(cx, facts, queued),
            Stage::Watching(watching) => self.poll_upstream(cx, facts, watching),
            Stage::Closing(closing) => self.resume_closing(cx, facts, closing),
            Stage::Naming(naming) => self.resume_naming(cx, facts, naming),
            stage @ (Stage::Spooling { .. }
            | Stage::Accepting { .. }
            | Stage::Reserving { .. }
            | Stage::Offering { .. }
            | Stage::Sending(_)
            | Stage::NeedsChecking { .. }
            | Stage::Ended { .. }) => self.put(Job { facts, stage }),
        }
    }

    /// Takes a job out to move it on; whoever does puts it back or ends it.
    fn take(&mut self, id: JobId) -> Option<Job> {
        let job = self.jobs.remove(&id)?;
        if let Some(due) = job.due() {
            self.timers.remove(&(due, id));
        }
        Some(job)
    }

    fn put(&mut self, job: Job) {
        let id = job.facts.id;
        // A job that has ended is unfinished business until its last row is safe.
        if let (Stage::Ended(_), true) = (&job.stage, job.facts.is_saved) {
            self.numbers.remove(&job.facts.number);
            self.history.insert(job.facts.number, job);
            if self.history.len() > HISTORY_MAX {
                self.history.pop_first();
            }
            return;
        }
        if let Some(due) = job.due() {
            self.timers.insert((due, id));
        }
        self.numbers.insert(job.facts.number, id);
        self.jobs.insert(id, job);
    }

    /// Forgets a job that nobody was promised anything about.
    fn forget(&mut self, facts: &Facts) {
        self.numbers.remove(&facts.number);
        self.outputs.push_back(Output::DeleteSpool { job: facts.id });
    }

    /// Writes the job down as it is now; [`Input::Saved`] answers.
    fn save(&mut self, cx: &Context<'_>, job: &mut Job) {
        job.facts.updated_at = cx.now.stamp();
        job.facts.revision += 1;
        job.facts.is_saved = false;
        match job.record() {
            Some(record) => {
                self.outputs.push_back(Output::SaveJob { revision: job.facts.revision, record: Box::new(record) });
            }
            // Without a document there is no row, and nothing to wait for.
            None => {
                job.facts.is_saved = true;
                self.answer(&mut job.facts, Ok(()));
            }
        }
    }

    fn save_and_put(&mut self, cx: &Context<'_>, mut job: Job) {
        self.save(cx, &mut job);
        self.put(job);
    }

    fn note(&mut self, cx: &mut Context<'_>, facts: &Facts, outcome: policy::Outcome, code: &str, sentence: &str) {
        let id = EventId::generate(cx.entropy);
        let mut record = Record::new(id, cx.now.stamp(), policy::Noun::Print, outcome, code, sentence)
            .member(Some(facts.member))
            .credential(facts.credential)
            .place(&facts.printer)
            .fact("job", facts.id)
            .personal("document", facts.document.0.clone());
        if facts.pages > 0 {
            record = record.fact("pages", facts.pages);
        }
        self.outputs.push_back(Output::Record(record));
    }

    /// Tells the operator who waits for this job, if one does.
    fn answer(&mut self, facts: &mut Facts, result: Result<(), Reason>) {
        if let Some(token) = facts.answer.take() {
            self.outputs.push_back(Output::Answer { token, result });
        }
    }

    fn reply(&mut self, token: RequestToken, message: ipp::Message) {
        self.outputs.push_back(Output::Reply { token, reply: Reply::Ipp(Box::new(message)) });
    }
}
