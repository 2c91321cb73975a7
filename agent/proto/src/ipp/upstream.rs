//! The other direction: requests to the printer behind a queue, and its answers. A request is written from typed values
//! alone; nothing a client sent is ever copied into one. An answer gets the same bounds as a client's bytes.

use super::capability::DocumentFormat;
use super::code::{JobState, OperationId, PrinterState, StatusCode};
use super::decode::{Malformed, Peer, decode};
use super::model::{Attribute, Group, GroupTag, Message, Str, Value, Version};
use super::ticket::{Ticket, page_ranges};

/// State reasons kept from one answer.
const REASONS_MAX: usize = 16;

/// What is asked of a printer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamRequest {
    /// Everything that [`super::Capabilities::from_printer`] and [`PrinterStatus`] read.
    GetPrinterAttributes,
    /// The document follows the encoded head.
    PrintJob(Box<UpstreamJob>),
    /// The same without the document: a printer names the job before a byte of it leaves this box.
    CreateJob(Box<UpstreamJob>),
    /// The only document of a created job follows the encoded head.
    SendDocument {
        job_id: i32,
        format: DocumentFormat,
    },
    GetJobAttributes {
        job_id: i32,
    },
    CancelJob {
        job_id: i32,
    },
    /// All jobs of this box that are not finished: how a job is found again after a restart.
    GetJobs,
}

/// The job as the printer is told of it. Neither name need say who the member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamJob {
    pub job_name: String,
    pub format: DocumentFormat,
    pub ticket: Ticket,
}

/// requesting-user-name at the printer: the box prints, not the member.
pub const UPSTREAM_USER: &str = "doorpost";

const PRINTER_ATTRIBUTES: [&str; 27] = [
    "color-supported",
    "copies-supported",
    "document-format-supported",
    "media-default",
    "media-left-margin-supported",
    "media-ready",
    "media-source-supported",
    "media-supported",
    "media-top-margin-supported",
    "media-type-supported",
    "operations-supported",
    "pages-per-minute",
    "print-quality-supported",
    "printer-device-id",
    "printer-impressions-completed",
    "printer-is-accepting-jobs",
    "printer-make-and-model",
    "printer-resolution-default",
    "printer-resolution-supported",
    "printer-state",
    "printer-state-reasons",
    "pwg-raster-document-resolution-supported",
    "pwg-raster-document-sheet-back",
    "pwg-raster-document-type-supported",
    "queued-job-count",
    "sides-supported",
    "urf-supported",
];

const JOB_ATTRIBUTES: [&str; 7] = [
    "job-id",
    "job-impressions-completed",
    "job-media-sheets-completed",
    "job-name",
    "job-state",
    "job-state-reasons",
    "job-uuid",
];

impl UpstreamRequest {
    const fn id(&self) -> OperationId {
        match self {
            Self::GetPrinterAttributes => OperationId::GetPrinterAttributes,
            Self::PrintJob(_) => OperationId::PrintJob,
            Self::CreateJob(_) => OperationId::CreateJob,
            Self::SendDocument { .. } => OperationId::SendDocument,
            Self::GetJobAttributes { .. } => OperationId::GetJobAttributes,
            Self::CancelJob { .. } => OperationId::CancelJob,
            Self::GetJobs => OperationId::GetJobs,
        }
    }

    /// The head of the request to `printer_uri`.
    #[must_use]
    pub fn encode(&self, printer_uri: &str, request_id: i32) -> Vec<u8> {
        let mut message = Message::new(Version::V2_0, self.id().code(), request_id);
        if let Some(operation) = message.groups.first_mut() {
            let list = &mut operation.attributes;
            list.push(Attribute::new("printer-uri", Value::uri(printer_uri.to_owned())));
            if let Self::GetJobAttributes { job_id } | Self::CancelJob { job_id } | Self::SendDocument { job_id, .. } =
                self
            {
                list.push(Attribute::new("job-id", Value::Integer(*job_id)));
            }
            list.push(Attribute::new("requesting-user-name", Value::name(UPSTREAM_USER)));
            self.operation_attributes(list);
        }
        if let Self::PrintJob(job) | Self::CreateJob(job) = self {
            message.groups.push(Group::new(GroupTag::Job, job_template(job)));
        }
        message.encode()
    }

    fn operation_attributes(&self, list: &mut Vec<Attribute>) {
        let names = |names: &'static [&'static str]| {
            Attribute::set("requested-attributes", names.iter().map(|&name| Value::keyword(name)))
        };
        match self {
            Self::GetPrinterAttributes => list.push(names(&PRINTER_ATTRIBUTES)),
            Self::GetJobAttributes { .. } => list.push(names(&JOB_ATTRIBUTES)),
            Self::GetJobs => {
                list.push(Attribute::new("my-jobs", Value::Boolean(true)));
                list.push(names(&JOB_ATTRIBUTES));
            }
            Self::CancelJob { .. } => {}
            Self::SendDocument { format, .. } => {
                list.push(Attribute::new("document-format", Value::MimeMediaType(format.as_str().into())));
                list.push(Attribute::new("last-document", Value::Boolean(true)));
            }
            Self::CreateJob(job) => list.push(job_name(job)),
            Self::PrintJob(job) => {
                list.push(job_name(job));
                list.push(Attribute::new("document-format", Value::MimeMediaType(job.format.as_str().into())));
            }
        }
    }
}

fn job_name(job: &UpstreamJob) -> Attribute {
    Attribute::new("job-name", Value::name(super::clean(&job.job_name, super::NAME_MAX_BYTES)))
}

fn job_template(job: &UpstreamJob) -> Vec<Attribute> {
    let mut list = job.ticket.attributes();
    list.retain(|attribute| attribute.name() != "page-ranges");
    let ranges = job.ticket.ranges_for(job.format);
    if !ranges.is_empty() {
        list.push(page_ranges(ranges));
    }
    list
}

/// Why an answer cannot be used. The printer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFault {
    Malformed(Malformed),
    /// It answers another request.
    RequestId,
}

impl std::fmt::Display for AnswerFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(fault) => write!(f, "the printer's answer is not IPP: {fault}"),
            Self::RequestId => f.write_str("the printer answered another request"),
        }
    }
}

impl std::error::Error for AnswerFault {}

/// Reads a whole answer.
pub fn decode_answer(bytes: &[u8], request_id: i32) -> Result<Message, AnswerFault> {
    let message = decode(bytes, Peer::Printer).map_err(AnswerFault::Malformed)?;
    if message.request_id == request_id { Ok(message) } else { Err(AnswerFault::RequestId) }
}

/// Whether an answer means yes; codes unknown to this box count by their class (RFC 8011 appendix B).
#[must_use]
pub fn is_success(answer: &Message) -> bool {
    answer.status().map_or(answer.code < 0x0100, StatusCode::is_success)
}

fn reasons(group: &Group, name: &str) -> Vec<Str> {
    let values = group.attribute(name).map_or(&[][..], Attribute::values);
    let words =
        values.iter().filter_map(Value::as_str).filter(|word| super::media::is_keyword(word) && *word != "none");
    words.take(REASONS_MAX).map(|word| word.to_owned().into()).collect()
}

fn number(group: &Group, name: &str) -> Option<i32> {
    group.attribute(name)?.only()?.as_integer()
}

fn counter(group: &Group, name: &str) -> Option<u32> {
    u32::try_from(number(group, name)?).ok()
}

/// A job as the printer tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamJobStatus {
    pub job_id: i32,
    pub job_name: Option<String>,
    /// None where it says nothing that is a state: neither finished nor not.
    pub state: Option<JobState>,
    pub state_reasons: Vec<Str>,
    pub impressions_completed: Option<u32>,
    pub sheets_completed: Option<u32>,
}

impl UpstreamJobStatus {
    /// Every job group of an answer that names its job.
    #[must_use]
    pub fn all(answer: &Message) -> Vec<Self> {
        answer.groups_of(GroupTag::Job).filter_map(Self::read).collect()
    }

    /// The first of them.
    #[must_use]
    pub fn first(answer: &Message) -> Option<Self> {
        answer.groups_of(GroupTag::Job).find_map(Self::read)
    }

    fn read(group: &Group) -> Option<Self> {
        let name = group.attribute("job-name").and_then(Attribute::only).and_then(Value::as_str);
        Some(Self {
            job_id: number(group, "job-id").filter(|&id| id > 0)?,
            job_name: name.map(|name| super::clean(name, super::NAME_MAX_BYTES)),
            state: number(group, "job-state").and_then(JobState::from_code),
            state_reasons: reasons(group, "job-state-reasons"),
            impressions_completed: counter(group, "job-impressions-completed"),
            sheets_completed: counter(group, "job-media-sheets-completed"),
        })
    }
}

/// The printer as it tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrinterStatus {
    pub state: Option<PrinterState>,
    pub state_reasons: Vec<Str>,
    pub accepting_jobs: bool,
    /// The life counter; its difference over a job is the pages of that job when nothing else printed.
    pub impressions_completed: Option<u32>,
    pub queued_jobs: Option<u32>,
}

impl PrinterStatus {
    #[must_use]
    pub fn read(answer: &Message) -> Option<Self> {
        let group = answer.first(GroupTag::Printer)?;
        let accepting =
            group.attribute("printer-is-accepting-jobs").and_then(Attribute::only).and_then(Value::as_boolean);
        Some(Self {
            state: number(group, "printer-state").and_then(PrinterState::from_code),
            state_reasons: reasons(group, "printer-state-reasons"),
            accepting_jobs: accepting.unwrap_or(true),
            impressions_completed: counter(group, "printer-impressions-completed"),
            queued_jobs: counter(group, "queued-job-count"),
        })
    }
}
