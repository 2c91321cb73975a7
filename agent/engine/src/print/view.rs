//! How jobs and queues are shown: to operators ([`JobView`]) and, in IPP's words, to print clients.

use super::job::{Ended, Facts, Held, Job, Stage, Watching};
use super::reception::{COMPRESSIONS, OPEN_MAX};
use super::{Arrival, DOCUMENT_MAX_BYTES, PrintEngine};
use crate::Context;
use policy::Reason;
use policy::print::{CountedBy, Ending};
use proto::ipp::job::JobDescription;
use proto::ipp::printer::{Authentication, PrinterDescription, QueueUri, printer_attributes};
use proto::ipp::{Group, JobState, PrinterState, Requested};
use values::{JobId, MemberId, Pii, PrinterName, Timestamp};

/// A job as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobView {
    pub id: JobId,
    /// `job-id`.
    pub number: u32,
    pub printer: PrinterName,
    pub member: MemberId,
    pub document: Pii<String>,
    /// `pending`, `held`, `printing`, `completed`, `canceled`, `aborted` or `needs-checking`.
    pub state: &'static str,
    /// `job-state-reasons`.
    pub reasons: Vec<String>,
    pub sentence: Option<String>,
    /// The code of the reason why it is held.
    pub held_for: Option<&'static str>,
    /// None until the document was counted.
    pub pages: Option<u32>,
    pub pages_settled: Option<u32>,
    pub counted_by: Option<CountedBy>,
    pub charged_minor: Option<i64>,
    pub submitted_at: Timestamp,
}

impl PrintEngine {
    /// Every job that is remembered, newest first.
    #[must_use]
    pub fn jobs(&self, limit: usize) -> Vec<JobView> {
        let mut jobs: Vec<&Job> = self.jobs.values().chain(self.history.values()).collect();
        jobs.sort_unstable_by_key(|job| std::cmp::Reverse((job.facts.submitted_at, job.facts.number)));
        jobs.into_iter().take(limit).map(view).collect()
    }

    #[must_use]
    pub fn job(&self, id: JobId) -> Option<JobView> {
        let live = self.jobs.get(&id);
        live.or_else(|| self.history.values().find(|job| job.facts.id == id)).map(view)
    }

    pub(super) fn describe(&self, cx: &Context<'_>, job: &Job, base_uri: &str, reader: MemberId) -> JobDescription {
        let Facts { number, .. } = job.facts;
        let printer_uri = queue_uri(base_uri, &job.facts.printer);
        let mut shown = JobDescription::new(number, format!("{printer_uri}/{number}"), printer_uri, job.stage.state());
        let ended_at = job.stage.state().is_final().then_some(job.facts.updated_at);
        shown.uuid = format!("urn:uuid:{}", uuid(job.facts.id.to_bytes()));
        if job.facts.member == reader {
            shown.name = Some(job.facts.document.0.clone());
            shown.user = user_name(cx, &job.facts);
            shown.state_message = job.stage.sentence();
        }
        shown.state_reasons = job.stage.state_reasons();
        shown.ticket = job.facts.ticket.clone();
        shown.document_format = job.facts.format.map(|format| format.as_str());
        shown.documents = u32::from(job.facts.format.is_some());
        shown.k_octets = u32::try_from(job.facts.bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        shown.impressions = (job.facts.pages > 0).then_some(job.facts.pages);
        shown.impressions_completed = match &job.stage {
            Stage::Ended(ended) => ended.pages,
            Stage::Watching(watching) => watching.impressions_completed.min(job.facts.pages),
            _ => 0,
        };
        shown.printer_up_time = self.up(cx.now.stamp());
        shown.created_up = self.up(job.facts.submitted_at);
        shown.created_at = job.facts.submitted_at.seconds();
        shown.processing_up = job.facts.processing_at.map(|at| self.up(at));
        shown.processing_at = job.facts.processing_at.map(Timestamp::seconds);
        shown.completed_up = ended_at.map(|at| self.up(at));
        shown.completed_at = ended_at.map(Timestamp::seconds);
        shown
    }

    /// `printer-up-time` at a moment: seconds since this run began, at least 1.
    fn up(&self, at: Timestamp) -> u32 {
        u32::try_from(at.seconds().saturating_sub(self.started_at.seconds()).saturating_add(1)).unwrap_or(1).max(1)
    }

    /// How a queue is shown: the printer's word where it has spoken, the site file's for title, colour and duplex.
    pub(super) fn queue(&mut self, cx: &Context<'_>, name: &PrinterName) -> Option<&mut PrinterDescription> {
        let upstream = self.printers.get_mut(name)?;
        let site = &cx.snapshot.site;
        let capabilities = &upstream.capabilities;
        let shown = upstream.shown.get_or_insert_with(|| {
            let mut capabilities = capabilities.clone().unwrap_or_default();
            let mut title = name.to_string();
            if let Some(printer) = site.printers.get(name) {
                (capabilities.colour, capabilities.duplex) = (printer.colour, printer.duplex);
                title.clone_from(&printer.title);
            }
            let identity = uuid(name_hash(&[&site.site.realm, name.as_str()]));
            let mut shown = PrinterDescription::new(name.to_string(), title, identity, Vec::new(), capabilities);
            shown.organization.clone_from(&site.site.name);
            shown.compressions = COMPRESSIONS.to_vec();
            shown.multiple_operation_time_out = u32::try_from(OPEN_MAX.as_secs()).unwrap_or(u32::MAX);
            shown.job_max_k_octets = u32::try_from(DOCUMENT_MAX_BYTES / 1024).unwrap_or(u32::MAX);
            Box::new(shown)
        });
        Some(shown)
    }

    pub(super) fn printer_group(
        &mut self,
        cx: &Context<'_>,
        arrival: &Arrival,
        requested: &Requested,
    ) -> Option<Group> {
        let queued_jobs = self.count(&arrival.queue, |state| !state.is_final());
        let (up_time, now_at, started_at) =
            (self.up(cx.now.stamp()), cx.now.stamp().seconds(), self.started_at.seconds());
        let (is_busy, is_away) =
            self.printers.get(&arrival.queue).map(|upstream| (upstream.busy.is_some(), upstream.away))?;
        let shown = self.queue(cx, &arrival.queue)?;
        let uri = queue_uri(&arrival.base_uri.replacen("ipp://", "ipps://", 1), &arrival.queue);
        shown.uris = vec![QueueUri { uri, tls: true, authentication: Authentication::Basic }];
        shown.state = if is_busy { PrinterState::Processing } else { PrinterState::Idle };
        shown.state_reasons = if is_away { vec!["connecting-to-device".into()] } else { Vec::new() };
        let message = if is_away { "The printer does not answer; jobs wait for it." } else { "" };
        message.clone_into(&mut shown.state_message);
        (shown.queued_jobs, shown.up_time, shown.now_at) = (queued_jobs, up_time, now_at);
        (shown.state_change_at, shown.config_change_at) = (started_at, started_at);
        Some(printer_attributes(shown, requested))
    }

    fn count(&self, queue: &PrinterName, wanted: impl Fn(JobState) -> bool) -> u32 {
        let jobs = self.jobs.values().filter(|job| job.facts.printer == *queue && wanted(job.stage.state()));
        u32::try_from(jobs.count()).unwrap_or(u32::MAX)
    }
}

fn queue_uri(base_uri: &str, queue: &PrinterName) -> String {
    format!("{base_uri}/ipp/print/{queue}")
}

/// The user name of the credential: what is proven wins over what a client claims.
fn user_name(cx: &Context<'_>, facts: &Facts) -> Option<String> {
    let credential = cx.snapshot.credentials.get(&facts.credential?)?;
    match &credential.kind {
        policy::CredentialKind::WifiKey { username, .. } | policy::CredentialKind::PrintToken { username, .. } => {
            Some(username.clone())
        }
        policy::CredentialKind::Badge { .. }
        | policy::CredentialKind::DeviceCertificate { .. }
        | policy::CredentialKind::WifiPassphrase { .. }
        | policy::CredentialKind::RegisteredDevice { .. } => None,
    }
}

fn view(job: &Job) -> JobView {
    let (state, held_for) = match &job.stage {
        Stage::Held(Held { reason, .. }) | Stage::Accepting { hold: Some(reason), .. } => {
            ("held", Some(Reason::code(reason)))
        }
        Stage::Sending(_) | Stage::Watching(Watching { .. }) | Stage::Closing(_) => ("printing", None),
        Stage::NeedsChecking { .. } => ("needs-checking", None),
        Stage::Ended(Ended { ending: Ending::Completed, .. }) => ("completed", None),
        Stage::Ended(Ended { ending: Ending::Aborted, .. }) => ("aborted", None),
        Stage::Ended(Ended { ending: Ending::Canceled, .. }) => ("canceled", None),
        Stage::Open { .. } | Stage::Spooling { .. } | Stage::Accepting { hold: None, .. } => ("pending", None),
        Stage::Reserving { .. } | Stage::Queued(_) | Stage::Offering { .. } | Stage::Naming(_) => ("pending", None),
    };
    let ended = match &job.stage {
        Stage::Ended(ended) => Some(ended),
        _ => None,
    };
    let sentence = job.stage.sentence();
    JobView {
        id: job.facts.id,
        number: job.facts.number,
        printer: job.facts.printer.clone(),
        member: job.facts.member,
        document: job.facts.document.clone(),
        state,
        reasons: job.stage.state_reasons().iter().map(ToString::to_string).collect(),
        sentence: (!sentence.is_empty()).then_some(sentence),
        held_for,
        pages: (job.facts.pages > 0).then_some(job.facts.pages),
        pages_settled: ended.map(|ended| ended.pages),
        counted_by: ended.and_then(|ended| ended.by),
        charged_minor: ended.map(|ended| ended.charged_minor),
        submitted_at: job.facts.submitted_at,
    }
}

/// 128 bits as RFC 9562 writes a UUID of version 8 (made by our own rule).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0F) | 0x80;
    bytes[8] = (bytes[8] & 0x3F) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// FNV-1a over 128 bits: a queue keeps its UUID for ever, whatever compiler builds the box. Not for secrets.
fn name_hash(parts: &[&str]) -> [u8; 16] {
    const OFFSET: u128 = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013B;
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME)).to_be_bytes()
}
