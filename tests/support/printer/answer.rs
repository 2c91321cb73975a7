//! What the simulated printer answers to each operation.

use super::http::Body;
use super::{COMPRESSIONS, Counting, Fault, Job, PATH, Shared, State, pages_of, print};
use proto::ipp::job::{JobDescription, job_attributes, submitted};
use proto::ipp::operation::{self, Document, Operation, Refusal, Request, WhichJobs};
use proto::ipp::printer::{Authentication, PrinterDescription, QueueUri, printer_attributes};
use proto::ipp::{
    Attribute, Group, GroupTag, HeadDecoder, HoldUntil, JobState, Message, Peer, Progress, Requested, StatusCode,
    Ticket, Value,
};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Jobs the printer says it has at most in one answer.
const JOBS_MAX: usize = 500;

/// Reads one request with its document and makes the answer.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    body: &mut Body<'_, S>,
    shared: &Arc<Shared>,
) -> io::Result<Vec<u8>> {
    let mut decoder = HeadDecoder::new(Peer::Client);
    let (message, first) = loop {
        let piece = body.next().await?;
        match decoder.push(&piece) {
            Ok(Progress::Done { message, consumed }) => break (message, piece[consumed..].to_vec()),
            Ok(Progress::NeedMore) if !piece.is_empty() => {}
            Ok(Progress::NeedMore) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(fault) => {
                let header = decoder.header().ok_or(io::ErrorKind::UnexpectedEof)?;
                return Ok(Refusal::from(fault).answer(header).encode());
            }
        }
    };
    let capabilities = shared.lock().behaviour.capabilities.clone();
    let request = match operation::parse(&message, &capabilities, &COMPRESSIONS) {
        Ok(request) => request,
        Err(refusal) => {
            let header = decoder.header().ok_or(io::ErrorKind::UnexpectedEof)?;
            return Ok(refusal.answer(header).encode());
        }
    };
    let document = receive(body, first, shared).await?;
    let group = message.first(GroupTag::Job).map(|group| group.attributes.clone()).unwrap_or_default();
    Ok(perform(&request, group, document, shared).encode())
}

/// Takes the document in, as slowly as told, and loses power where told.
async fn receive<S: AsyncRead + AsyncWrite + Unpin>(
    body: &mut Body<'_, S>,
    first: Vec<u8>,
    shared: &Shared,
) -> io::Result<Vec<u8>> {
    let mut document = first;
    loop {
        let (fault, chunk_ms) = {
            let state = shared.lock();
            (state.behaviour.fault, state.behaviour.chunk_ms)
        };
        if let Fault::PowerLossAtByte(at) = fault
            && document.len() >= at
        {
            shared.update(State::lose_power);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if chunk_ms > 0 {
            tokio::time::sleep(Duration::from_millis(chunk_ms)).await;
        }
        let piece = body.next().await?;
        if piece.is_empty() {
            return Ok(document);
        }
        document.extend(piece);
    }
}

fn perform(request: &Request, group: Vec<Attribute>, document: Vec<u8>, shared: &Arc<Shared>) -> Message {
    match &request.operation {
        Operation::GetPrinterAttributes { requested } => {
            let mut answer = request.answer();
            answer.groups.push(describe(shared, requested));
            answer
        }
        Operation::ValidateJob { .. } | Operation::IdentifyPrinter => request.answer(),
        Operation::PrintJob { ticket, document: said } => {
            if shared.lock().behaviour.fault == Fault::Busy {
                return request.refuse(StatusCode::ServerErrorBusy, "The printer is busy.");
            }
            let number = add(shared, request, ticket, group);
            take_document(request, number, said, document, shared)
        }
        Operation::CreateJob { ticket } => {
            let number = add(shared, request, ticket, group);
            with_job(request, number, shared)
        }
        Operation::SendDocument { job, document: said, .. } => take_document(request, *job, said, document, shared),
        Operation::CloseJob { job } => with_job(request, *job, shared),
        Operation::GetJobAttributes { job, requested } => show(request, &[*job], requested, shared),
        Operation::GetJobs { requested, which, limit, .. } => {
            let jobs: Vec<u32> =
                shared.lock().jobs.iter().filter(|job| is_listed(job, which)).map(|job| job.number).collect();
            let most = limit.map_or(JOBS_MAX, |limit| limit as usize);
            let mut answer = request.answer();
            answer.groups.extend(jobs.iter().take(most).filter_map(|job| described(shared, *job, requested)));
            answer
        }
        Operation::CancelJob { job } => {
            end(request, shared, *job, |job| (!job.state.is_final()).then_some(JobState::Canceled))
        }
        Operation::CancelMyJobs { .. } => {
            shared.update(|state| {
                state
                    .jobs
                    .iter_mut()
                    .filter(|job| !job.state.is_final())
                    .for_each(|job| job.state = JobState::Canceled);
            });
            request.answer()
        }
        Operation::HoldJob { job } => {
            end(request, shared, *job, |job| (job.state == JobState::Pending).then_some(JobState::PendingHeld))
        }
        Operation::ReleaseJob { job } => {
            end(request, shared, *job, |job| (job.state == JobState::PendingHeld).then_some(JobState::Pending))
        }
    }
}

fn is_listed(job: &Job, which: &WhichJobs) -> bool {
    match which {
        WhichJobs::NotCompleted => !job.state.is_final(),
        WhichJobs::Completed => job.state.is_final(),
        WhichJobs::All => true,
        WhichJobs::In(state) => job.state == *state,
        WhichJobs::Ids(ids) => ids.contains(&job.number),
    }
}

fn add(shared: &Shared, request: &Request, ticket: &Ticket, attributes: Vec<Attribute>) -> u32 {
    shared.update(|state| {
        let number = state.next_number;
        state.next_number += 1;
        let held = ticket.hold_until == HoldUntil::Indefinite;
        state.jobs.push(Job {
            number,
            state: if held { JobState::PendingHeld } else { JobState::Pending },
            state_reasons: vec!["job-incoming"],
            name: ticket.job_name.clone().unwrap_or_default(),
            user: request.requesting_user_name.clone().unwrap_or_default(),
            ticket: ticket.clone(),
            attributes,
            format: None,
            document: Vec::new(),
            pages: 0,
            printed: 0,
        });
        number
    })
}

fn take_document(request: &Request, number: u32, said: &Document, document: Vec<u8>, shared: &Arc<Shared>) -> Message {
    let taken = shared.update(|state| {
        let job = state.job(number)?;
        if !job.document.is_empty() || job.state.is_final() {
            return Some(false);
        }
        job.pages = pages_of(&document, &job.ticket);
        job.format = said.format;
        job.document = document;
        job.state_reasons = Vec::new();
        Some(true)
    });
    match taken {
        Some(true) => {
            tokio::spawn(print(Arc::clone(shared), number));
            with_job(request, number, shared)
        }
        Some(false) => request.refuse(StatusCode::ClientErrorNotPossible, "The job takes no more documents."),
        None => not_found(request),
    }
}

fn end(request: &Request, shared: &Shared, number: u32, next: impl FnOnce(&Job) -> Option<JobState>) -> Message {
    let changed = shared.update(|state| {
        let job = state.job(number)?;
        let Some(next) = next(job) else { return Some(false) };
        job.state = next;
        job.state_reasons = if next == JobState::Canceled { vec!["job-canceled-by-user"] } else { Vec::new() };
        state.jammed &= next != JobState::Canceled;
        Some(true)
    });
    match changed {
        Some(true) => request.answer(),
        Some(false) => request.refuse(StatusCode::ClientErrorNotPossible, "The job is past that."),
        None => not_found(request),
    }
}

fn not_found(request: &Request) -> Message {
    request.refuse(StatusCode::ClientErrorNotFound, "There is no such job.")
}

fn with_job(request: &Request, number: u32, shared: &Shared) -> Message {
    let described = shared.lock().jobs.iter().find(|job| job.number == number).map(|job| description(job, shared));
    match described {
        Some(job) => {
            let mut answer = request.answer();
            answer.groups.push(submitted(&job));
            answer
        }
        None => not_found(request),
    }
}

fn show(request: &Request, numbers: &[u32], requested: &Requested, shared: &Shared) -> Message {
    let mut answer = request.answer();
    answer.groups.extend(numbers.iter().filter_map(|number| described(shared, *number, requested)));
    if answer.first(GroupTag::Job).is_some() { answer } else { not_found(request) }
}

fn described(shared: &Shared, number: u32, requested: &Requested) -> Option<Group> {
    let state = shared.lock();
    let job = state.jobs.iter().find(|job| job.number == number)?;
    let mut group = job_attributes(&description(job, shared), requested);
    if state.behaviour.counting == Counting::Silent {
        group
            .attributes
            .retain(|attribute| !attribute.name().ends_with("-completed") || attribute.name().starts_with("time"));
    }
    if let Counting::Lies(pages) = state.behaviour.counting {
        for attribute in &mut group.attributes {
            if attribute.name() == "job-impressions-completed" {
                let lie = Value::Integer(i32::try_from(pages).unwrap_or(i32::MAX));
                *attribute = Attribute::new("job-impressions-completed", lie);
            }
        }
    }
    Some(group)
}

fn description(job: &Job, shared: &Shared) -> JobDescription {
    let printer_uri = format!("ipp://{}{PATH}", shared.address);
    let mut described =
        JobDescription::new(job.number, format!("{printer_uri}/{}", job.number), printer_uri, job.state);
    described.name = Some(job.name.clone());
    described.user = Some(job.user.clone());
    described.state_reasons = job.state_reasons.iter().map(|&reason| reason.into()).collect();
    described.ticket = job.ticket.clone();
    described.documents = u32::from(!job.document.is_empty());
    described.impressions = Some(job.pages);
    described.impressions_completed = job.printed;
    described.sheets_completed = job.printed;
    described
}

fn describe(shared: &Shared, requested: &Requested) -> Group {
    let state = shared.lock();
    let uri = QueueUri {
        uri: format!("ipp://{}{PATH}", shared.address),
        tls: false,
        authentication: Authentication::RequestingUserName,
    };
    let uuid = format!("0d00f000-0000-4000-8000-{:012x}", shared.address.port());
    let capabilities = state.behaviour.capabilities.clone();
    let mut printer =
        PrinterDescription::new("simulated".into(), "Simulated printer".into(), uuid, vec![uri], capabilities);
    printer.more_info = format!("http://{}/", shared.address);
    printer.state = state.printer_state();
    printer.state_reasons = if state.jammed { vec!["media-jam-error".into()] } else { Vec::new() };
    printer.queued_jobs =
        u32::try_from(state.jobs.iter().filter(|job| !job.state.is_final()).count()).unwrap_or(u32::MAX);
    let mut group = printer_attributes(&printer, requested);
    if state.behaviour.counting != Counting::Silent
        && requested.wants(proto::ipp::Class::PrinterDescription, "printer-impressions-completed")
    {
        let life = Value::Integer(i32::try_from(state.life).unwrap_or(i32::MAX));
        group.attributes.push(Attribute::new("printer-impressions-completed", life));
    }
    group
}
