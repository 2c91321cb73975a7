//! Requests of print clients: who asks (credentials over TLS only), what may be asked, and the answers in IPP's words.
//!
//! Over quota is no refusal here: the job is accepted and held, since clients that are refused try again for ever. A
//! person who may not print at all is answered `client-error-forbidden`, which clients do not repeat.

use super::job::{Facts, Job, Stage};
use super::{
    Arrival, DOCUMENT_MAX_BYTES, JOBS_MAX, MEMBER_JOBS_MAX, MEMBER_SPOOL_MAX_BYTES, Output, PrintEngine, Reply,
    RequestToken, SPOOL_MAX_BYTES, SpoolLimits,
};
use crate::Context;
use policy::print::{SignedIn, entitlement, identify};
use policy::{Outcome, Reason, Record};
use proto::ipp::operation::{Document, Operation, Request, WhichJobs, parse};
use proto::ipp::{Compression, Header, Message, Requested, StatusCode, Ticket, job};
use std::time::Duration;
use values::{CredentialId, EventId, JobId, MemberId, Pii, PrinterName};

/// What a document may be packed with.
pub(super) const COMPRESSIONS: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Deflate];
/// `multiple-operation-time-out`: RFC 8011 5.4.31 recommends 60 to 240 seconds.
pub(super) const OPEN_MAX: Duration = Duration::from_secs(120);
/// Jobs in one answer to Get-Jobs: a reader of lists wants no more, and no answer grows with the history.
const LIST_MAX: usize = 200;

/// Who asks, as policy recognised them.
#[derive(Clone, Copy, Debug)]
struct Asker {
    member: MemberId,
    credential: CredentialId,
}

/// A request that waits for a document or for storage.
#[derive(Debug)]
pub(super) struct Waiting {
    request: Request,
    base_uri: String,
    member: MemberId,
}

impl PrintEngine {
    pub(super) fn handle_request(&mut self, cx: &mut Context<'_>, token: RequestToken, arrival: Arrival) {
        let header = Header {
            version: arrival.message.version,
            code: arrival.message.code,
            request_id: arrival.message.request_id,
        };
        let Some(queue) = self.queue(cx, &arrival.queue) else {
            let refusal =
                proto::ipp::operation::Refusal::new(StatusCode::ClientErrorNotFound, "There is no such queue.");
            return self.reply(token, refusal.answer(header));
        };
        let request = match parse(&arrival.message, &queue.capabilities, &COMPRESSIONS) {
            Ok(request) => request,
            Err(refusal) => return self.reply(token, refusal.answer(header)),
        };
        if let Operation::GetPrinterAttributes { requested } = &request.operation {
            let mut answer = request.answer();
            answer.groups.extend(self.printer_group(cx, &arrival, requested));
            return self.reply(token, answer);
        }
        match self.recognise(cx, &arrival) {
            Ok(asker) => self.carry_out(cx, token, arrival, asker, request),
            Err(reply) => self.outputs.push_back(Output::Reply { token, reply }),
        }
    }

    fn recognise(&mut self, cx: &mut Context<'_>, arrival: &Arrival) -> Result<Asker, Reply> {
        if !arrival.tls {
            return Err(Reply::UpgradeRequired);
        }
        let Some(evidence) = &arrival.evidence else { return Err(Reply::Unauthenticated) };
        match identify(cx.snapshot, evidence) {
            Ok(SignedIn { member, credential }) => Ok(Asker { member: member.id, credential: credential.id }),
            Err(refused) => {
                let id = EventId::generate(cx.entropy);
                let reason = refused.reason;
                let sentence = "A print client presented a wrong user name or key.".to_owned();
                let sentence = if reason == Reason::WrongKey { sentence } else { reason.sentence() };
                let record =
                    Record::new(id, cx.now.stamp(), policy::Noun::Print, Outcome::Refused, reason.code(), sentence)
                        .member(refused.named.map(|(member, _)| member))
                        .credential(refused.named.map(|(_, credential)| credential))
                        .place(&arrival.queue)
                        .personal("username", proto::ipp::clean(&evidence.username, 255))
                        .personal("address", arrival.peer.to_string());
                self.outputs.push_back(Output::Record(record));
                Err(Reply::Unauthenticated)
            }
        }
    }

    fn carry_out(
        &mut self,
        cx: &mut Context<'_>,
        token: RequestToken,
        arrival: Arrival,
        asker: Asker,
        request: Request,
    ) {
        let mine = |number: u32| self.mine(&arrival.queue, asker, number);
        let result = match &request.operation {
            Operation::PrintJob { .. } | Operation::CreateJob { .. } | Operation::SendDocument { .. } => {
                return self.take_in(cx, token, arrival, asker, request);
            }
            Operation::ValidateJob { .. } => self.may_submit(cx, asker).map(|()| request.answer()),
            Operation::IdentifyPrinter | Operation::GetPrinterAttributes { .. } => Ok(request.answer()),
            Operation::GetJobAttributes { job, requested } => {
                self.job_group(cx, &arrival, asker, *job, requested).map(|group| {
                    let mut answer = request.answer();
                    answer.groups.push(group);
                    answer
                })
            }
            Operation::GetJobs { .. } => Ok(self.list(cx, &arrival, asker, &request)),
            Operation::CancelJob { job } => {
                mine(*job).and_then(|id| self.cancel(cx, id, None)).map(|_| request.answer())
            }
            Operation::CancelMyJobs { jobs } => self.cancel_mine(cx, &arrival, asker, jobs).map(|()| request.answer()),
            Operation::HoldJob { job } => mine(*job).and_then(|id| self.hold_back(cx, id)).map(|()| request.answer()),
            Operation::ReleaseJob { job } => {
                mine(*job).and_then(|id| self.release(cx, id, None)).map(|_| request.answer())
            }
            Operation::CloseJob { job } => mine(*job).map(|_| request.answer()),
        };
        let answer = result.unwrap_or_else(|reason| request.refuse(status_of(&reason), &reason.sentence()));
        self.reply(token, answer);
    }

    /// The asker's own job under this number at this queue, finished ones included.
    fn mine(&self, queue: &PrinterName, asker: Asker, number: u32) -> Result<JobId, Reason> {
        let job = self.by_number(queue, number)?;
        if job.facts.member == asker.member { Ok(job.facts.id) } else { Err(Reason::NotYourJob) }
    }

    fn by_number(&self, queue: &PrinterName, number: u32) -> Result<&Job, Reason> {
        let live = self.numbers.get(&number).and_then(|id| self.jobs.get(id));
        let job = live.or_else(|| self.history.get(&number)).filter(|job| job.facts.printer == *queue);
        job.ok_or(Reason::UnknownJob)
    }

    fn job_group(
        &self,
        cx: &Context<'_>,
        arrival: &Arrival,
        asker: Asker,
        number: u32,
        requested: &Requested,
    ) -> Result<proto::ipp::Group, Reason> {
        let job = self.by_number(&arrival.queue, number)?;
        let description = self.describe(cx, job, &arrival.base_uri, asker.member);
        Ok(job::job_attributes(&description, requested))
    }

    fn list(&self, cx: &Context<'_>, arrival: &Arrival, asker: Asker, request: &Request) -> Message {
        let mut answer = request.answer();
        let Operation::GetJobs { requested, which, my_jobs, limit } = &request.operation else { return answer };
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(LIST_MAX).min(LIST_MAX);
        let live = self.numbers.values().filter_map(|id| self.jobs.get(id));
        let finished = self.history.values().rev();
        let wanted = |job: &&Job| {
            let state = job.stage.state();
            let chosen = match which {
                WhichJobs::NotCompleted => !state.is_final(),
                WhichJobs::Completed => state.is_final(),
                WhichJobs::All => true,
                WhichJobs::In(named) => state == *named,
                WhichJobs::Ids(ids) => ids.contains(&job.facts.number),
            };
            chosen && job.facts.printer == arrival.queue && (!my_jobs || job.facts.member == asker.member)
        };
        for job in live.chain(finished).filter(wanted).take(limit) {
            let description = self.describe(cx, job, &arrival.base_uri, asker.member);
            answer.groups.push(job::job_attributes(&description, requested));
        }
        answer
    }

    fn cancel_mine(
        &mut self,
        cx: &mut Context<'_>,
        arrival: &Arrival,
        asker: Asker,
        named: &[u32],
    ) -> Result<(), Reason> {
        let jobs: Vec<JobId> = if named.is_empty() {
            let mine = |job: &&Job| job.facts.member == asker.member && job.facts.printer == arrival.queue;
            let going = |job: &&Job| !job.stage.state().is_final();
            self.jobs.values().filter(mine).filter(going).map(|job| job.facts.id).collect()
        } else {
            named.iter().map(|&number| self.mine(&arrival.queue, asker, number)).collect::<Result<_, _>>()?
        };
        jobs.into_iter().try_for_each(|id| self.cancel(cx, id, None).map(|_| ()))
    }

    fn hold_back(&mut self, cx: &mut Context<'_>, id: JobId) -> Result<(), Reason> {
        let Some(Job { facts, stage }) = self.take(id) else { return Err(self.state_refusal(id)) };
        match stage {
            Stage::Queued(_) | Stage::Held(_) => {
                self.hold(cx, facts, Reason::HeldOnRequest);
                Ok(())
            }
            stage => {
                let state = stage.state().as_str().to_owned();
                self.put(Job { facts, stage });
                Err(Reason::JobState { state })
            }
        }
    }

    /// Whether this member may add a job now.
    fn may_submit(&self, cx: &Context<'_>, asker: Asker) -> Result<(), Reason> {
        entitlement(cx.snapshot, asker.member, cx.now)?;
        let (mut jobs, mut bytes, mut all_bytes) = (0_usize, 0_u64, 0_u64);
        for job in self.jobs.values().filter(|job| job.stage.is_waiting()) {
            all_bytes = all_bytes.saturating_add(job.facts.bytes);
            if job.facts.member == asker.member {
                jobs += 1;
                bytes = bytes.saturating_add(job.facts.bytes);
            }
        }
        let limit = |what: &str, limit: u64| {
            Err(Reason::LimitReached { what: what.into(), limit: u32::try_from(limit).unwrap_or(u32::MAX) })
        };
        if jobs >= MEMBER_JOBS_MAX {
            return limit("unfinished print jobs a member", MEMBER_JOBS_MAX as u64);
        }
        if self.jobs.len() >= JOBS_MAX {
            return limit("unfinished print jobs", JOBS_MAX as u64);
        }
        if bytes >= MEMBER_SPOOL_MAX_BYTES {
            return limit("MiB of waiting documents a member", MEMBER_SPOOL_MAX_BYTES >> 20);
        }
        if all_bytes >= SPOOL_MAX_BYTES {
            return limit("MiB of waiting documents", SPOOL_MAX_BYTES >> 20);
        }
        Ok(())
    }

    /// Print-Job, Create-Job and Send-Document.
    fn take_in(&mut self, cx: &mut Context<'_>, token: RequestToken, arrival: Arrival, asker: Asker, request: Request) {
        let begun = match &request.operation {
            Operation::SendDocument { job, document, .. } => self.add_document(token, &arrival, asker, *job, document),
            Operation::PrintJob { ticket, document } => self.may_submit(cx, asker).map(|()| {
                let name = document.name.clone();
                let facts = self.new_job(cx, &arrival, asker, ticket, name);
                self.spool(token, facts, document);
                None
            }),
            Operation::CreateJob { ticket } => self.may_submit(cx, asker).map(|()| {
                let facts = self.new_job(cx, &arrival, asker, ticket, None);
                let id = facts.id;
                self.put(Job { facts, stage: Stage::Open { closes_at: cx.now.mono + OPEN_MAX } });
                Some(id)
            }),
            _ => Ok(None),
        };
        match begun {
            Ok(answered) => {
                self.waiting.insert(token, Waiting { request, base_uri: arrival.base_uri, member: asker.member });
                if let Some(id) = answered {
                    self.answer_waiting(cx, token, Ok(id));
                }
            }
            Err(reason) => {
                self.note_refused(cx, &arrival, asker, &reason);
                self.reply(token, request.refuse(status_of(&reason), &reason.sentence()));
            }
        }
    }

    fn new_job(
        &mut self,
        cx: &mut Context<'_>,
        arrival: &Arrival,
        asker: Asker,
        ticket: &Ticket,
        document_name: Option<String>,
    ) -> Facts {
        let number = self.next_number;
        self.next_number = self.next_number.checked_add(1).filter(|next| i32::try_from(*next).is_ok()).unwrap_or(1);
        let name = ticket.job_name.clone().or(document_name).unwrap_or_else(|| "Untitled".to_owned());
        Facts {
            id: JobId::generate(cx.entropy),
            number,
            member: asker.member,
            credential: Some(asker.credential),
            printer: arrival.queue.clone(),
            document: Pii(name),
            ticket: ticket.clone(),
            format: None,
            bytes: 0,
            digest: String::new(),
            pages: 0,
            submitted_at: cx.now.stamp(),
            processing_at: None,
            updated_at: cx.now.stamp(),
            revision: 0,
            resave_at: None,
            is_saved: false,
            answer: None,
        }
    }

    fn spool(&mut self, token: RequestToken, facts: Facts, document: &Document) {
        let limits =
            SpoolLimits { bytes_max: DOCUMENT_MAX_BYTES, format: document.format, compression: document.compression };
        self.outputs.push_back(Output::Spool { token, job: facts.id, limits });
        self.put(Job { facts, stage: Stage::Spooling { token, canceled: false } });
    }

    /// Send-Document. An empty one that only closes a job is answered at once; a second document is refused.
    fn add_document(
        &mut self,
        token: RequestToken,
        arrival: &Arrival,
        asker: Asker,
        number: u32,
        document: &Document,
    ) -> Result<Option<JobId>, Reason> {
        let id = self.mine(&arrival.queue, asker, number)?;
        let Some(Job { mut facts, stage }) = self.take(id) else { return Err(self.state_refusal(id)) };
        match stage {
            Stage::Open { .. } => {
                if let (Some(name), None) = (&document.name, &facts.ticket.job_name) {
                    facts.document = Pii(name.clone());
                }
                self.spool(token, facts, document);
                Ok(None)
            }
            stage => {
                let state = stage.state().as_str().to_owned();
                self.put(Job { facts, stage });
                if arrival.document_follows { Err(Reason::JobState { state }) } else { Ok(Some(id)) }
            }
        }
    }

    /// Create-Job was not followed by a document in time.
    pub(super) fn close_open(&mut self, cx: &mut Context<'_>, facts: Facts) {
        let sentence = "Its document never came.".to_owned();
        self.end_unpaid(cx, facts, policy::print::Ending::Aborted, sentence);
    }

    /// Answers a request that waited.
    pub(super) fn answer_waiting(
        &mut self,
        cx: &Context<'_>,
        token: RequestToken,
        outcome: Result<JobId, (StatusCode, String)>,
    ) {
        let Some(Waiting { request, base_uri, member }) = self.waiting.remove(&token) else { return };
        let answer = match outcome {
            Err((status, sentence)) => request.refuse(status, &sentence),
            Ok(id) => {
                let mut answer = request.answer();
                let job = self.jobs.get(&id).or_else(|| self.history.values().find(|job| job.facts.id == id));
                let group = job.map(|job| job::submitted(&self.describe(cx, job, &base_uri, member)));
                answer.groups.extend(group);
                answer
            }
        };
        self.reply(token, answer);
    }

    fn note_refused(&mut self, cx: &mut Context<'_>, arrival: &Arrival, asker: Asker, reason: &Reason) {
        let id = EventId::generate(cx.entropy);
        let record =
            Record::new(id, cx.now.stamp(), policy::Noun::Print, Outcome::Refused, reason.code(), reason.sentence())
                .member(Some(asker.member))
                .credential(Some(asker.credential))
                .place(&arrival.queue);
        self.outputs.push_back(Output::Record(record));
    }
}

/// A refusal in IPP's words.
pub(super) fn status_of(reason: &Reason) -> StatusCode {
    match reason {
        Reason::AccountLimitReached { .. } => StatusCode::ClientErrorAccountLimitReached,
        Reason::UnknownJob | Reason::UnknownPrinter { .. } => StatusCode::ClientErrorNotFound,
        Reason::NotYourJob => StatusCode::ClientErrorNotAuthorized,
        Reason::NotSignedIn | Reason::WrongKey => StatusCode::ClientErrorNotAuthenticated,
        Reason::JobState { .. } | Reason::AlreadySo { .. } => StatusCode::ClientErrorNotPossible,
        Reason::StorageFailed { .. } | Reason::LimitReached { .. } => StatusCode::ServerErrorTemporaryError,
        _ => StatusCode::ClientErrorForbidden,
    }
}
