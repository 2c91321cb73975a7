//! From a message to one of a closed set of operations, each with everything it needs (RFC 8011 4.1 to 4.3). The order of
//! checks is that of RFC 8011 4.1: version, request-id, charset and language, target, then what the operation wants.
//!
//! ```text
//! Message -> parse -> Request { operation, .. } -> engine -> request.answer() + groups
//!                  -> Refusal { status, .. }    -> refusal.answer(header)
//! ```

use super::capability::{Capabilities, Compression, DocumentFormat};
use super::code::{JobState, OperationId, StatusCode};
use super::decode::{Header, Malformed};
use super::limits::NAME_MAX_BYTES;
use super::model::{Attribute, Group, GroupTag, Message, Str, Value, Version};
use super::requested::Requested;
use super::ticket::{HoldUntil, TEMPLATE_NAMES, Ticket, TicketFault};
use std::borrow::Cow;

/// Longest `status-message` (RFC 8011 4.1.6.2).
const STATUS_MESSAGE_MAX_BYTES: usize = 255;

/// What a client wants, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub version: Version,
    pub request_id: i32,
    /// The path of printer-uri or job-uri, beginning with `/`: which queue, by the client's word.
    pub target_path: String,
    /// A client's claim: for display, never for charging. Cleaned; personal.
    pub requesting_user_name: Option<String>,
    pub operation: Operation,
    /// What was asked for and left out: goes back in the answer.
    pub unsupported: Vec<Attribute>,
}

/// The operations a queue takes. `job` is a job-id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    GetPrinterAttributes {
        requested: Requested,
    },
    ValidateJob {
        ticket: Ticket,
        document: Document,
    },
    PrintJob {
        ticket: Ticket,
        document: Document,
    },
    CreateJob {
        ticket: Ticket,
    },
    /// A document follows, or nothing at all where `last_document` only closes the job.
    SendDocument {
        job: u32,
        document: Document,
        last_document: bool,
    },
    CloseJob {
        job: u32,
    },
    GetJobAttributes {
        job: u32,
        requested: Requested,
    },
    GetJobs {
        requested: Requested,
        which: WhichJobs,
        my_jobs: bool,
        limit: Option<u32>,
    },
    CancelJob {
        job: u32,
    },
    /// These, or with none named all of the member's own that are not finished.
    CancelMyJobs {
        jobs: Vec<u32>,
    },
    HoldJob {
        job: u32,
    },
    ReleaseJob {
        job: u32,
    },
    IdentifyPrinter,
}

/// `which-jobs`, or `job-ids` in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhichJobs {
    NotCompleted,
    Completed,
    All,
    In(JobState),
    Ids(Vec<u32>),
}

/// What is said about the document that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Cleaned; personal.
    pub name: Option<String>,
    /// None when not said, or said to be any octets: then the first bytes decide.
    pub format: Option<DocumentFormat>,
    pub compression: Compression,
}

/// Why a request is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub sentence: Cow<'static, str>,
    pub unsupported: Vec<Attribute>,
}

impl Refusal {
    pub fn new(status: StatusCode, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self { status, sentence: sentence.into(), unsupported: Vec::new() }
    }

    fn bad_request(sentence: &'static str) -> Self {
        Self::new(StatusCode::ClientErrorBadRequest, sentence)
    }

    fn unsupported(sentence: &'static str, attributes: Vec<Attribute>) -> Self {
        let status = StatusCode::ClientErrorAttributesOrValuesNotSupported;
        Self { status, sentence: sentence.into(), unsupported: attributes }
    }

    #[must_use]
    pub fn answer(&self, header: Header) -> Message {
        let mut message = Message::new(answer_version(header.version), self.status.code(), header.request_id);
        say(&mut message, &self.sentence);
        if !self.unsupported.is_empty() {
            message.groups.push(Group::new(GroupTag::Unsupported, self.unsupported.clone()));
        }
        message
    }
}

impl From<Malformed> for Refusal {
    fn from(fault: Malformed) -> Self {
        Self::new(fault.status(), fault.sentence())
    }
}

/// RFC 8011 4.1.8: the version asked for, or the nearest that is spoken.
const fn answer_version(asked: Version) -> Version {
    match asked.major {
        1 => asked,
        2 => Version::V2_0,
        _ => Version::V1_1,
    }
}

fn say(message: &mut Message, sentence: &str) {
    let text = super::clean(sentence, STATUS_MESSAGE_MAX_BYTES);
    if let (Some(operation), false) = (message.groups.first_mut(), text.is_empty()) {
        operation.attributes.push(Attribute::new("status-message", Value::text(text)));
    }
}

impl Request {
    #[must_use]
    pub const fn header(&self) -> Header {
        Header { version: self.version, code: 0, request_id: self.request_id }
    }

    /// `successful-ok`, or with the group of what was left out; the caller adds its groups behind.
    #[must_use]
    pub fn answer(&self) -> Message {
        let status = if self.unsupported.is_empty() {
            StatusCode::SuccessfulOk
        } else {
            StatusCode::SuccessfulOkIgnoredOrSubstitutedAttributes
        };
        let mut message = Message::new(answer_version(self.version), status.code(), self.request_id);
        if !self.unsupported.is_empty() {
            message.groups.push(Group::new(GroupTag::Unsupported, self.unsupported.clone()));
        }
        message
    }

    #[must_use]
    pub fn refuse(&self, status: StatusCode, sentence: &str) -> Message {
        Refusal::new(status, sentence.to_owned()).answer(self.header())
    }
}

/// Reads a request made to a queue with these capabilities, which takes documents compressed in these ways.
pub fn parse(message: &Message, capabilities: &Capabilities, compressions: &[Compression]) -> Result<Request, Refusal> {
    if !matches!(message.version.major, 1 | 2) {
        return Err(Refusal::new(StatusCode::ServerErrorVersionNotSupported, "IPP 1.0, 1.1 and 2.x are supported."));
    }
    if message.request_id < 1 {
        return Err(Refusal::bad_request("request-id is not positive."));
    }
    let (group, job_group) = groups(message)?;
    let target = read_target(group)?;
    let Some(id) = OperationId::from_code(message.code) else {
        return Err(Refusal::new(StatusCode::ServerErrorOperationNotSupported, "This operation is not supported."));
    };
    let reader = Reader { group, job_group, target: &target, capabilities, compressions };
    let mut unsupported = Vec::new();
    let operation = reader.operation(id, &mut unsupported)?;
    Ok(Request {
        version: message.version,
        request_id: message.request_id,
        requesting_user_name: reader.label("requesting-user-name")?,
        target_path: target.path,
        operation,
        unsupported,
    })
}

/// RFC 8010 3.1.2 and RFC 8011 4.1.4: the operation group first and once, a job group at most once: a second one would be
/// a second ticket.
fn groups(message: &Message) -> Result<(&Group, Option<&Group>), Refusal> {
    let Some((operation, rest)) = message.groups.split_first() else {
        return Err(Refusal::bad_request("There are no operation attributes."));
    };
    if operation.tag != GroupTag::Operation || rest.iter().any(|group| group.tag == GroupTag::Operation) {
        return Err(Refusal::bad_request("The operation attributes do not come first and once."));
    }
    let mut job_groups = rest.iter().filter(|group| group.tag == GroupTag::Job);
    let job = job_groups.next();
    if job_groups.next().is_some() {
        return Err(Refusal::bad_request("There is more than one group of job attributes."));
    }
    let [charset, language, ..] = operation.attributes.as_slice() else {
        return Err(Refusal::bad_request("attributes-charset and attributes-natural-language are missing."));
    };
    let is_charset = charset.name() == "attributes-charset" && matches!(charset.only(), Some(Value::Charset(_)));
    let is_language =
        language.name() == "attributes-natural-language" && matches!(language.only(), Some(Value::NaturalLanguage(_)));
    if is_charset && is_language {
        Ok((operation, job))
    } else {
        Err(Refusal::bad_request("attributes-charset and attributes-natural-language do not come first."))
    }
}

/// RFC 8011 4.1.5.
struct Target {
    path: String,
    job: Option<u32>,
}

fn read_target(group: &Group) -> Result<Target, Refusal> {
    let third = group.attributes.get(2).ok_or(Refusal::bad_request("printer-uri is missing."))?;
    let (named_job, uri) = match (third.name(), third.only()) {
        ("printer-uri", Some(Value::Uri(uri))) => (false, uri),
        ("job-uri", Some(Value::Uri(uri))) => (true, uri),
        _ => return Err(Refusal::bad_request("printer-uri or job-uri is not the third attribute.")),
    };
    let path = path_of(uri).ok_or(Refusal::bad_request("The target is not an ipp or ipps URI."))?;
    let job = if named_job {
        path.rsplit('/').next().and_then(|last| last.parse().ok()).filter(|&job| job > 0)
    } else {
        match group.attribute("job-id") {
            None => None,
            Some(id) => Some(job_id(id.only()).ok_or(Refusal::bad_request("job-id is not a positive integer."))?),
        }
    };
    Ok(Target { path: path.to_owned(), job })
}

fn path_of(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once("://")?;
    if !["ipp", "ipps", "http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    Some(rest.find('/').map_or("/", |slash| &rest[slash..]))
}

fn job_id(value: Option<&Value>) -> Option<u32> {
    match value {
        Some(Value::Integer(number)) => u32::try_from(*number).ok().filter(|&job| job > 0),
        _ => None,
    }
}

struct Reader<'a> {
    group: &'a Group,
    job_group: Option<&'a Group>,
    target: &'a Target,
    capabilities: &'a Capabilities,
    compressions: &'a [Compression],
}

impl Reader<'_> {
    fn operation(&self, id: OperationId, unsupported: &mut Vec<Attribute>) -> Result<Operation, Refusal> {
        Ok(match id {
            OperationId::GetPrinterAttributes => Operation::GetPrinterAttributes { requested: self.requested() },
            OperationId::ValidateJob => {
                Operation::ValidateJob { ticket: self.ticket(unsupported)?, document: self.document()? }
            }
            OperationId::PrintJob => {
                Operation::PrintJob { ticket: self.ticket(unsupported)?, document: self.document()? }
            }
            OperationId::CreateJob => Operation::CreateJob { ticket: self.ticket(unsupported)? },
            OperationId::SendDocument => {
                let missing = Refusal::bad_request("last-document is missing.");
                let last_document = self.boolean("last-document")?.ok_or(missing)?;
                Operation::SendDocument { job: self.job()?, document: self.document()?, last_document }
            }
            OperationId::CloseJob => Operation::CloseJob { job: self.job()? },
            OperationId::GetJobAttributes => {
                Operation::GetJobAttributes { job: self.job()?, requested: self.requested() }
            }
            OperationId::GetJobs => self.jobs()?,
            OperationId::CancelJob => Operation::CancelJob { job: self.job()? },
            OperationId::CancelMyJobs => Operation::CancelMyJobs { jobs: self.job_ids()?.unwrap_or_default() },
            OperationId::HoldJob => self.hold()?,
            OperationId::ReleaseJob => Operation::ReleaseJob { job: self.job()? },
            OperationId::IdentifyPrinter => Operation::IdentifyPrinter,
        })
    }

    fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.group.attribute(name)
    }

    fn requested(&self) -> Requested {
        Requested::read(self.attribute("requested-attributes")).unwrap_or(Requested::All)
    }

    fn job(&self) -> Result<u32, Refusal> {
        self.target.job.ok_or(Refusal::bad_request("The job is not named by job-id or job-uri."))
    }

    fn boolean(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.attribute(name).map(Attribute::only) {
            None => Ok(None),
            Some(Some(Value::Boolean(truth))) => Ok(Some(*truth)),
            Some(_) => Err(Refusal::bad_request("A boolean attribute has another syntax.")),
        }
    }

    /// A name to show, cleaned. Empty counts as not given.
    fn label(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.attribute(name).map(Attribute::only) {
            None => Ok(None),
            Some(Some(Value::Name(text))) => {
                let text = super::clean(&text.text, NAME_MAX_BYTES);
                Ok((!text.is_empty()).then_some(text))
            }
            Some(_) => Err(Refusal::bad_request("A name attribute has another syntax.")),
        }
    }

    fn ticket(&self, unsupported: &mut Vec<Attribute>) -> Result<Ticket, Refusal> {
        if self.group.attributes.iter().any(|attribute| TEMPLATE_NAMES.contains(&attribute.name())) {
            return Err(Refusal::bad_request("A job attribute stands among the operation attributes."));
        }
        let mut ticket = Ticket::read(self.job_group, self.capabilities, unsupported).map_err(|fault| match fault {
            TicketFault::PageRanges => Refusal::bad_request("page-ranges are not ascending or they overlap."),
            TicketFault::MediaTwice => Refusal::bad_request("media and media-col are both given."),
            TicketFault::ManyValues => Refusal::bad_request("A job attribute has more than one value."),
        })?;
        ticket.job_name = self.label("job-name")?;
        let must = self.attribute("job-mandatory-attributes").map_or(&[][..], Attribute::values);
        let mandatory = |name: &str| must.iter().any(|value| value.as_str() == Some(name));
        let fidelity = self.boolean("ipp-attribute-fidelity")?.unwrap_or(false);
        if (fidelity && !unsupported.is_empty()) || unsupported.iter().any(|attribute| mandatory(attribute.name())) {
            let sentence = "The printer cannot do all that the job insists on.";
            return Err(Refusal::unsupported(sentence, std::mem::take(unsupported)));
        }
        Ok(ticket)
    }

    fn document(&self) -> Result<Document, Refusal> {
        Ok(Document { name: self.label("document-name")?, format: self.format()?, compression: self.compression()? })
    }

    fn format(&self) -> Result<Option<DocumentFormat>, Refusal> {
        let Some(attribute) = self.attribute("document-format") else { return Ok(None) };
        let Some(Value::MimeMediaType(said)) = attribute.only() else {
            return Err(Refusal::bad_request("document-format is not one media type."));
        };
        let media_type = said.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        if media_type == "application/octet-stream" {
            return Ok(None);
        }
        match DocumentFormat::from_keyword(&media_type) {
            Some(format) if self.capabilities.formats.contains(&format) => Ok(Some(format)),
            Some(_) | None => Err(Refusal {
                status: StatusCode::ClientErrorDocumentFormatNotSupported,
                sentence: "This document format is not supported.".into(),
                unsupported: vec![attribute.clone()],
            }),
        }
    }

    fn compression(&self) -> Result<Compression, Refusal> {
        let Some(attribute) = self.attribute("compression") else { return Ok(Compression::None) };
        let said = attribute.only().and_then(Value::as_str).and_then(Compression::from_keyword);
        said.filter(|said| self.compressions.contains(said)).ok_or_else(|| Refusal {
            status: StatusCode::ClientErrorCompressionNotSupported,
            sentence: "This compression is not supported.".into(),
            unsupported: vec![attribute.clone()],
        })
    }

    fn jobs(&self) -> Result<Operation, Refusal> {
        let requested = Requested::read(self.attribute("requested-attributes"))
            .unwrap_or_else(|| Requested::names(&["job-id", "job-uri"]));
        let limit = match self.attribute("limit") {
            None => None,
            Some(limit) => Some(job_id(limit.only()).ok_or(Refusal::bad_request("limit is not a positive integer."))?),
        };
        let my_jobs = self.boolean("my-jobs")?.unwrap_or(false);
        Ok(Operation::GetJobs { requested, which: self.which()?, my_jobs, limit })
    }

    fn which(&self) -> Result<WhichJobs, Refusal> {
        if let Some(ids) = self.job_ids()? {
            return Ok(WhichJobs::Ids(ids));
        }
        let Some(attribute) = self.attribute("which-jobs") else { return Ok(WhichJobs::NotCompleted) };
        Ok(match attribute.only().and_then(Value::as_str) {
            Some("not-completed") => WhichJobs::NotCompleted,
            Some("completed") => WhichJobs::Completed,
            Some("all") => WhichJobs::All,
            Some(word) if word != "completed" => match JobState::ALL.iter().find(|state| state.as_str() == word) {
                Some(state) => WhichJobs::In(*state),
                None => return Err(which_unsupported(attribute)),
            },
            Some(_) | None => return Err(which_unsupported(attribute)),
        })
    }

    fn job_ids(&self) -> Result<Option<Vec<u32>>, Refusal> {
        let Some(attribute) = self.attribute("job-ids") else { return Ok(None) };
        let ids: Option<Vec<u32>> = attribute.values().iter().map(|value| job_id(Some(value))).collect();
        ids.map(Some).ok_or(Refusal::bad_request("job-ids are not positive integers."))
    }

    /// Hold-Job holds until released; another time would need a promise this box does not make.
    fn hold(&self) -> Result<Operation, Refusal> {
        let job = self.job()?;
        match self.attribute("job-hold-until") {
            None => Ok(Operation::HoldJob { job }),
            Some(until) => match until.only().and_then(Value::as_str).and_then(HoldUntil::from_keyword) {
                Some(HoldUntil::Indefinite) => Ok(Operation::HoldJob { job }),
                Some(HoldUntil::NoHold) => Ok(Operation::ReleaseJob { job }),
                None => Err(Refusal::unsupported("Jobs are held until released.", vec![until.clone()])),
            },
        }
    }
}

fn which_unsupported(attribute: &Attribute) -> Refusal {
    Refusal::unsupported("These jobs cannot be listed.", vec![attribute.clone()])
}

/// `which-jobs-supported`.
pub(super) fn which_jobs_supported() -> impl Iterator<Item = Str> {
    let lists = ["completed", "not-completed", "all"];
    let states = JobState::ALL.iter().map(|state| state.as_str()).filter(|state| *state != "completed");
    lists.into_iter().chain(states).map(Str::Borrowed)
}
