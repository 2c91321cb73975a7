//! What a queue tells about a job (RFC 8011 5.3).

use super::code::JobState;
use super::model::{DateTime, Group, GroupTag, Str, Value};
use super::requested::{Class, Requested, Selection};
use super::ticket::{Ticket, page_ranges};

/// One job as a certain reader may see it. Times are seconds; `*_up` on the printer-up-time clock, `*_at` since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobDescription {
    /// job-id, at least 1.
    pub number: u32,
    pub uri: String,
    pub printer_uri: String,
    pub uuid: String,
    /// Where a member reads about the job: a page of this box.
    pub more_info: Option<String>,
    /// job-name and user: none for readers other than the owner, who see neither.
    pub name: Option<String>,
    pub user: Option<String>,
    pub state: JobState,
    /// Keywords; empty is answered as `none`.
    pub state_reasons: Vec<Str>,
    pub state_message: String,
    pub ticket: Ticket,
    /// media type of the document, once there is one.
    pub document_format: Option<&'static str>,
    pub documents: u32,
    pub created_up: u32,
    pub processing_up: Option<u32>,
    pub completed_up: Option<u32>,
    pub printer_up_time: u32,
    pub created_at: i64,
    pub processing_at: Option<i64>,
    pub completed_at: Option<i64>,
    pub k_octets: u32,
    /// Pages counted in the document, copies included; none while unknown.
    pub impressions: Option<u32>,
    pub impressions_completed: u32,
    pub sheets_completed: u32,
}

impl JobDescription {
    /// A job just made, to be filled in.
    #[must_use]
    pub fn new(number: u32, uri: String, printer_uri: String, state: JobState) -> Self {
        Self {
            number,
            uri,
            printer_uri,
            uuid: String::new(),
            more_info: None,
            name: None,
            user: None,
            state,
            state_reasons: Vec::new(),
            state_message: String::new(),
            ticket: Ticket::default(),
            document_format: None,
            documents: 0,
            created_up: 0,
            processing_up: None,
            completed_up: None,
            printer_up_time: 1,
            created_at: 0,
            processing_at: None,
            completed_at: None,
            k_octets: 0,
            impressions: None,
            impressions_completed: 0,
            sheets_completed: 0,
        }
    }

    fn reasons(&self) -> Vec<Value> {
        if self.state_reasons.is_empty() {
            return vec![Value::keyword("none")];
        }
        self.state_reasons.iter().cloned().map(Value::keyword).collect()
    }
}

/// What Print-Job, Create-Job and Send-Document answer (RFC 8011 4.2.1.2).
#[must_use]
pub fn submitted(job: &JobDescription) -> Group {
    let names = ["job-id", "job-state", "job-state-message", "job-state-reasons", "job-uri"];
    job_attributes(job, &Requested::names(&names))
}

fn count(number: u32) -> Value {
    Value::Integer(i32::try_from(number).unwrap_or(i32::MAX))
}

fn count_or_none(number: Option<u32>) -> Value {
    number.map_or(Value::NO_VALUE, count)
}

fn date_or_none(seconds: Option<i64>) -> Value {
    seconds.map_or(Value::NO_VALUE, |seconds| Value::DateTime(DateTime::from_unix(seconds)))
}

/// The job group of an answer.
#[must_use]
pub fn job_attributes(job: &JobDescription, requested: &Requested) -> Group {
    let mut selection = Selection::new(requested);
    describe(job, &mut selection);
    progress(job, &mut selection);
    template(job, &mut selection);
    Group::new(GroupTag::Job, selection.attributes)
}

fn describe(job: &JobDescription, to: &mut Selection<'_>) {
    const D: Class = Class::JobDescription;
    to.add(D, "job-uri", || Value::uri(job.uri.clone()));
    to.add(D, "job-id", || count(job.number));
    to.add(D, "job-printer-uri", || Value::uri(job.printer_uri.clone()));
    if !job.uuid.is_empty() {
        to.add(D, "job-uuid", || Value::uri(job.uuid.clone()));
    }
    if let Some(page) = &job.more_info {
        to.add(D, "job-more-info", || Value::uri(page.clone()));
    }
    to.add(D, "job-name", || Value::name(job.name.clone().unwrap_or_else(|| "Document".to_owned())));
    to.add(D, "job-originating-user-name", || Value::name(job.user.clone().unwrap_or_else(|| "someone".to_owned())));
    to.add(D, "job-state", || Value::Enum(job.state.code()));
    to.add_set(D, "job-state-reasons", || job.reasons());
    if !job.state_message.is_empty() {
        to.add(D, "job-state-message", || Value::text(job.state_message.clone()));
    }
    to.add(D, "number-of-documents", || count(job.documents));
    if let Some(format) = job.document_format {
        to.add(D, "document-format", || Value::MimeMediaType(format.into()));
    }
}

fn progress(job: &JobDescription, to: &mut Selection<'_>) {
    const D: Class = Class::JobDescription;
    to.add(D, "time-at-creation", || count(job.created_up));
    to.add(D, "time-at-processing", || count_or_none(job.processing_up));
    to.add(D, "time-at-completed", || count_or_none(job.completed_up));
    to.add(D, "job-printer-up-time", || count(job.printer_up_time));
    to.add(D, "date-time-at-creation", || date_or_none(Some(job.created_at)));
    to.add(D, "date-time-at-processing", || date_or_none(job.processing_at));
    to.add(D, "date-time-at-completed", || date_or_none(job.completed_at));
    to.add(D, "job-k-octets", || count(job.k_octets));
    to.add(D, "job-impressions", || count_or_none(job.impressions));
    to.add(D, "job-impressions-completed", || count(job.impressions_completed));
    to.add(D, "job-media-sheets-completed", || count(job.sheets_completed));
}

fn template(job: &JobDescription, to: &mut Selection<'_>) {
    const T: Class = Class::Template;
    let ticket = &job.ticket;
    to.add(T, "copies", || count(ticket.copies));
    to.add(T, "job-hold-until", || Value::keyword(ticket.hold_until.as_str()));
    to.add(T, "job-priority", || Value::Integer(ticket.priority));
    to.add(T, "job-sheets", || Value::keyword("none"));
    if let Some(sides) = ticket.sides {
        to.add(T, "sides", || Value::keyword(sides.as_str()));
    }
    if let Some(mode) = ticket.color_mode {
        to.add(T, "print-color-mode", || Value::keyword(mode.as_str()));
    }
    if let Some(quality) = ticket.quality {
        to.add(T, "print-quality", || Value::Enum(quality));
    }
    if let Some(orientation) = ticket.orientation {
        to.add(T, "orientation-requested", || Value::Enum(orientation));
    }
    if let Some(scaling) = ticket.scaling {
        to.add(T, "print-scaling", || Value::keyword(scaling.as_str()));
    }
    if let Some(media) = &ticket.media {
        to.add(T, "media", || Value::Keyword(media.size.name.clone()));
        to.add(T, "media-col", || media.to_collection());
    }
    if !ticket.page_ranges.is_empty() {
        to.add_set(T, "page-ranges", || page_ranges(&ticket.page_ranges).into_parts().1);
    }
}
