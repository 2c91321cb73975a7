//! To the printer: one job at a time and printer, in the order of submission.
//!
//! The printer is first asked to make a job of it (Create-Job); its job-id is written down before the first byte of the
//! document leaves, and from then on the printer can be asked how the job stands, after a restart too. A printer that
//! knows Print-Job only is written down as such: if its answer is lost, the job needs checking. Nothing is sent twice.

use super::job::{Facts, Job, Naming, Queued, Sending, Stage, Watching};
use super::settling::STORAGE_RETRY;
use super::{Created, HELD_MAX, Output, PROBE_INTERVAL, PROBE_RETRY, Polled, PrintEngine, Sent, Step, Upstream};
use crate::Context;
use policy::print::{Ending, PrintResult, UpstreamJob};
use policy::{Outcome, Reason};
use proto::ipp::upstream::UpstreamJobStatus;
use proto::ipp::{self, GroupTag, JobState, OperationId, Sides, Value};
use std::time::Duration;
use values::{JobId, PrinterName};

/// A printer that answers nothing for this long has lost the job: it restarts within a minute or was switched off.
const LOST_AFTER: Duration = Duration::from_secs(60);
/// A job that a printer has worked on for a day is not going to end.
const WATCH_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// The first question after the document was sent; later ones double the wait up to the longest.
const POLL_FIRST: Duration = Duration::from_millis(250);
const POLL_LONGEST: Duration = Duration::from_secs(2);
/// The same for offering a job to a printer that is busy or away.
const OFFER_FIRST: Duration = Duration::from_secs(1);
const OFFER_LONGEST: Duration = Duration::from_secs(30);

/// `first` doubled `times` over, at most `longest`.
fn backoff(first: Duration, longest: Duration, times: u32) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(longest)
}

impl PrintEngine {
    /// Takes printers of the site file up and drops those that are gone.
    pub(super) fn follow_site(&mut self, cx: &mut Context<'_>) {
        let printers = &cx.snapshot.site.printers;
        self.printers.retain(|name, _| printers.contains_key(name));
        for (name, printer) in printers {
            let upstream = self.printers.entry(name.clone()).or_default();
            upstream.shown = None;
            if upstream.uri != printer.upstream {
                *upstream = Upstream {
                    uri: printer.upstream.clone(),
                    busy: upstream.busy,
                    probe_at: cx.now.mono,
                    ..Upstream::default()
                };
            }
        }
        self.probe_printers(cx);
    }

    pub(super) fn probe_printers(&mut self, cx: &Context<'_>) {
        for (name, upstream) in &mut self.printers {
            if !upstream.probing && upstream.probe_at <= cx.now.mono {
                upstream.probing = true;
                self.outputs.push_back(Output::Probe { printer: name.clone(), uri: upstream.uri.clone() });
            }
        }
    }

    pub(super) fn handle_probed(
        &mut self,
        cx: &mut Context<'_>,
        printer: PrinterName,
        answer: Option<Box<ipp::Message>>,
    ) {
        let Some(upstream) = self.printers.get_mut(&printer) else { return };
        upstream.probing = false;
        upstream.away = answer.is_none();
        upstream.probe_at = cx.now.mono + if upstream.away { PROBE_RETRY } else { PROBE_INTERVAL };
        let Some(answer) = answer else { return };
        upstream.print_job_only = !knows(&answer, OperationId::CreateJob) || !knows(&answer, OperationId::SendDocument);
        let capabilities = ipp::Capabilities::from_printer(&answer);
        if capabilities.is_some() && capabilities != upstream.capabilities {
            upstream.capabilities = capabilities;
            upstream.shown = None;
        }
    }

    /// Gives the printer its next job, if it has none.
    pub(super) fn next_at(&mut self, cx: &mut Context<'_>, printer: &PrinterName) {
        if self.printers.get(printer).is_none_or(|upstream| upstream.busy.is_some()) {
            return;
        }
        let waits = |id: &JobId| {
            self.jobs.get(id).is_some_and(|job| job.facts.printer == *printer && matches!(job.stage, Stage::Queued(_)))
        };
        let Some(id) = self.numbers.values().copied().find(waits) else { return };
        let Some(Job { facts, stage }) = self.take(id) else { return };
        match stage {
            // The first in the queue waits for the printer, and the others behind it.
            Stage::Queued(queued) if queued.retry_at.is_none_or(|at| at <= cx.now.mono) => {
                self.offer(cx, facts, queued)
            }
            stage => self.put(Job { facts, stage }),
        }
    }

    fn offer(&mut self, cx: &mut Context<'_>, facts: Facts, queued: Queued) {
        let (Some(upstream), Some(format)) = (self.printers.get_mut(&facts.printer), facts.format) else {
            return self.put(Job { facts, stage: Stage::Queued(queued) });
        };
        upstream.busy = Some(facts.id);
        if upstream.print_job_only {
            return self.name(cx, facts, UpstreamJob::Unnamed);
        }
        let step = Step::CreateJob { uri: upstream.uri.clone(), ticket: Box::new(facts.ticket.clone()), format };
        self.outputs.push_back(Output::Forward { job: facts.id, step });
        self.put(Job { facts, stage: Stage::Offering { queued, canceled: false } });
    }

    /// Frees the printer that this job was at.
    pub(super) fn leave_printer(&mut self, cx: &mut Context<'_>, facts: &Facts) {
        if let Some(upstream) = self.printers.get_mut(&facts.printer)
            && upstream.busy == Some(facts.id)
        {
            upstream.busy = None;
            self.next_at(cx, &facts.printer);
        }
    }

    pub(super) fn review_queued(&mut self, cx: &mut Context<'_>, facts: Facts, queued: Queued) {
        if cx.now.mono.since(queued.since) >= HELD_MAX {
            let sentence = "The printer could not be reached for a day.".to_owned();
            return self.finish(cx, facts, PrintResult::NotSent, Ending::Aborted, sentence);
        }
        let printer = facts.printer.clone();
        self.put(Job { facts, stage: Stage::Queued(Queued { retry_at: None, ..queued }) });
        self.next_at(cx, &printer);
    }

    pub(super) fn handle_created(&mut self, cx: &mut Context<'_>, id: JobId, answer: Created) {
        let Some(Job { facts, stage }) = self.take(id) else { return };
        let Stage::Offering { queued, canceled } = stage else { return self.put(Job { facts, stage }) };
        match answer {
            Created::Accepted { upstream_job_id } if canceled => {
                self.cancel_upstream(&facts, upstream_job_id);
                self.finish(cx, facts, PrintResult::NotSent, Ending::Canceled, String::new());
            }
            Created::NotSupported | Created::Busy | Created::Unreachable { .. } | Created::Refused { .. }
                if canceled =>
            {
                self.finish(cx, facts, PrintResult::NotSent, Ending::Canceled, String::new());
            }
            Created::Accepted { upstream_job_id } => self.name(cx, facts, UpstreamJob::Named { upstream_job_id }),
            Created::NotSupported => {
                if let Some(upstream) = self.printers.get_mut(&facts.printer) {
                    upstream.print_job_only = true;
                }
                self.name(cx, facts, UpstreamJob::Unnamed);
            }
            Created::Busy => self.requeue(cx, facts, queued),
            Created::Unreachable { detail } => {
                if queued.attempts == 0 {
                    let sentence = format!("The printer cannot be reached ({detail}); the job waits for it.");
                    self.note(cx, &facts, Outcome::Warning, "printer-unreachable", &sentence);
                }
                self.requeue(cx, facts, queued);
            }
            Created::Refused { sentence } => {
                self.finish(cx, facts, PrintResult::NotSent, Ending::Aborted, refused(&sentence));
            }
        }
    }

    /// Back into the queue, at its old place, until the printer may have time.
    fn requeue(&mut self, cx: &mut Context<'_>, facts: Facts, queued: Queued) {
        let retry_at = cx.now.mono + backoff(OFFER_FIRST, OFFER_LONGEST, queued.attempts);
        let queued = Queued { retry_at: Some(retry_at), attempts: queued.attempts.saturating_add(1), ..queued };
        if let Some(upstream) = self.printers.get_mut(&facts.printer) {
            upstream.busy = None;
        }
        self.put(Job { facts, stage: Stage::Queued(queued) });
    }

    fn name(&mut self, cx: &Context<'_>, facts: Facts, upstream: UpstreamJob) {
        let naming = Naming { upstream, canceled: false, resave_at: None };
        self.save_and_put(cx, Job { facts, stage: Stage::Naming(naming) });
    }

    pub(super) fn resume_naming(&mut self, cx: &Context<'_>, facts: Facts, naming: Naming) {
        self.save_and_put(cx, Job { facts, stage: Stage::Naming(Naming { resave_at: None, ..naming }) });
    }

    /// What the printer may know is written down: now the document may leave.
    pub(super) fn named(&mut self, cx: &mut Context<'_>, mut facts: Facts, naming: Naming, saved: Result<(), Reason>) {
        let upstream_job_id = match naming.upstream {
            UpstreamJob::Named { upstream_job_id } => Some(upstream_job_id),
            UpstreamJob::Unnamed | UpstreamJob::Nothing => None,
        };
        if naming.canceled {
            if let Some(upstream_job_id) = upstream_job_id {
                self.cancel_upstream(&facts, upstream_job_id);
            }
            return self.finish(cx, facts, PrintResult::NotSent, Ending::Canceled, String::new());
        }
        if saved.is_err() {
            let resave_at = Some(cx.now.mono + STORAGE_RETRY);
            return self.put(Job { facts, stage: Stage::Naming(Naming { resave_at, ..naming }) });
        }
        let (Some(uri), Some(format)) = (self.uri_of(&facts), facts.format) else {
            return self.finish(cx, facts, PrintResult::NotSent, Ending::Aborted, "The printer was removed.".into());
        };
        let bytes = facts.bytes;
        let step = match upstream_job_id {
            Some(upstream_job_id) => Step::SendDocument { uri, upstream_job_id, format, bytes },
            None => Step::PrintJob { uri, ticket: Box::new(facts.ticket.clone()), format, bytes },
        };
        facts.processing_at = Some(cx.now.stamp());
        self.outputs.push_back(Output::Forward { job: facts.id, step });
        self.put(Job { facts, stage: Stage::Sending(Sending { upstream_job_id, canceled: false }) });
    }

    pub(super) fn handle_sent(&mut self, cx: &mut Context<'_>, id: JobId, answer: Sent) {
        let Some(Job { facts, stage }) = self.take(id) else { return };
        let Stage::Sending(sending) = stage else { return self.put(Job { facts, stage }) };
        match (answer, sending.upstream_job_id) {
            (Sent::Accepted { upstream_job_id }, None) => {
                if sending.canceled {
                    self.cancel_upstream(&facts, upstream_job_id);
                }
                let watching = watch(cx, upstream_job_id, sending.canceled);
                self.save_and_put(cx, Job { facts, stage: Stage::Watching(watching) });
            }
            (Sent::Accepted { .. } | Sent::Broken { .. }, Some(upstream_job_id)) => {
                let watching = watch(cx, upstream_job_id, sending.canceled);
                self.put(Job { facts, stage: Stage::Watching(watching) });
            }
            (Sent::Broken { detail }, None) => {
                let sentence = format!("The connection to the printer broke while the document was sent ({detail}).");
                let stopped = PrintResult::Stopped { counter: None };
                self.finish(cx, facts, stopped, ended(Ending::Aborted, sending.canceled), sentence);
            }
            (answer @ (Sent::Busy | Sent::Refused { .. } | Sent::Missing), upstream_job_id) => {
                if let Some(upstream_job_id) = upstream_job_id {
                    self.cancel_upstream(&facts, upstream_job_id);
                }
                self.not_taken(cx, facts, answer, sending.canceled);
            }
        }
    }

    /// The printer said itself that it took nothing, or nothing was there to send.
    fn not_taken(&mut self, cx: &mut Context<'_>, facts: Facts, answer: Sent, canceled: bool) {
        let sentence = match answer {
            Sent::Busy if !canceled => {
                let queued = Queued { attempts: 1, ..Queued::new(cx.now) };
                // Written down as not sent, or a restart would take it for sent.
                let mut job = Job { facts, stage: Stage::Queued(Queued::new(cx.now)) };
                self.save(cx, &mut job);
                return self.requeue(cx, job.facts, queued);
            }
            Sent::Refused { sentence } => refused(&sentence),
            Sent::Missing => "The document was no longer in the spool.".to_owned(),
            Sent::Busy | Sent::Accepted { .. } | Sent::Broken { .. } => String::new(),
        };
        self.finish(cx, facts, PrintResult::NotSent, ended(Ending::Aborted, canceled), sentence);
    }

    pub(super) fn poll_upstream(&mut self, _cx: &mut Context<'_>, facts: Facts, watching: Watching) {
        let upstream_job_id = watching.upstream_job_id;
        if let Some(uri) = self.uri_of(&facts) {
            self.outputs.push_back(Output::PollUpstream { job: facts.id, uri, upstream_job_id });
        }
        self.put(Job { facts, stage: Stage::Watching(Watching { poll_at: None, ..watching }) });
    }

    pub(super) fn handle_polled(&mut self, cx: &mut Context<'_>, id: JobId, answer: Polled) {
        let Some(Job { facts, stage }) = self.take(id) else { return };
        let Stage::Watching(watching) = stage else { return self.put(Job { facts, stage }) };
        let stopped = PrintResult::Stopped { counter: None };
        match answer {
            Polled::Status(status) if status.job_name.as_ref().is_none_or(|name| *name == facts.id.to_string()) => {
                self.stands(cx, facts, watching, status);
            }
            Polled::Status(_) | Polled::Vanished => {
                let sentence = "The printer has forgotten the job.".to_owned();
                self.finish(cx, facts, stopped, ended(Ending::Aborted, watching.canceled), sentence);
            }
            Polled::Unreachable => {
                let lost_at = watching.lost_at.unwrap_or(cx.now.mono);
                if cx.now.mono.since(lost_at) >= LOST_AFTER {
                    let sentence = "The printer stopped answering while it had the job.".to_owned();
                    return self.finish(cx, facts, stopped, ended(Ending::Aborted, watching.canceled), sentence);
                }
                self.watch_on(cx, facts, Watching { lost_at: Some(lost_at), ..watching });
            }
        }
    }

    fn stands(&mut self, cx: &mut Context<'_>, facts: Facts, watching: Watching, status: UpstreamJobStatus) {
        let counter = counter(&status, &facts);
        if let (Some(1..), Some(upstream)) = (counter, self.printers.get_mut(&facts.printer)) {
            upstream.has_counted = true;
        }
        let canceled = watching.canceled;
        // A printer that names no state says that it has the job, and no more.
        match status.state.unwrap_or(JobState::Processing) {
            JobState::Completed => {
                self.finish(cx, facts, PrintResult::Completed { counter }, Ending::Completed, String::new());
            }
            JobState::Aborted => {
                let sentence = "The printer gave the job up.".to_owned();
                self.finish(cx, facts, PrintResult::Stopped { counter }, ended(Ending::Aborted, canceled), sentence);
            }
            JobState::Canceled => {
                let sentence =
                    if canceled { String::new() } else { "The job was cancelled at the printer.".to_owned() };
                self.finish(cx, facts, PrintResult::Stopped { counter }, Ending::Canceled, sentence);
            }
            state if cx.now.mono.since(watching.since) >= WATCH_MAX => {
                self.cancel_upstream(&facts, watching.upstream_job_id);
                let sentence = format!("The printer has had the job for a day and says it is {state}.");
                self.finish(cx, facts, PrintResult::Stopped { counter: None }, Ending::Aborted, sentence);
            }
            state
            @ (JobState::Pending | JobState::PendingHeld | JobState::Processing | JobState::ProcessingStopped) => {
                let stopped = state == JobState::ProcessingStopped;
                if stopped && !watching.stopped {
                    self.note(
                        cx,
                        &facts,
                        Outcome::Warning,
                        "printer-stopped",
                        "The printer has stopped and needs a person.",
                    );
                }
                let impressions_completed = status.impressions_completed.unwrap_or(0);
                self.watch_on(cx, facts, Watching { lost_at: None, stopped, impressions_completed, ..watching });
            }
        }
    }

    fn watch_on(&mut self, cx: &Context<'_>, facts: Facts, watching: Watching) {
        let poll_at = Some(cx.now.mono + backoff(POLL_FIRST, POLL_LONGEST, watching.polls));
        let polls = watching.polls.saturating_add(1);
        self.put(Job { facts, stage: Stage::Watching(Watching { poll_at, polls, ..watching }) });
    }

    pub(super) fn cancel_upstream(&mut self, facts: &Facts, upstream_job_id: i32) {
        if let Some(uri) = self.uri_of(facts) {
            self.outputs.push_back(Output::CancelUpstream { job: facts.id, uri, upstream_job_id });
        }
    }

    fn uri_of(&self, facts: &Facts) -> Option<String> {
        self.printers.get(&facts.printer).map(|upstream| upstream.uri.clone())
    }
}

pub(super) fn watch(cx: &Context<'_>, upstream_job_id: i32, canceled: bool) -> Watching {
    Watching {
        upstream_job_id,
        canceled,
        since: cx.now.mono,
        poll_at: Some(cx.now.mono + POLL_FIRST),
        polls: 1,
        lost_at: None,
        stopped: false,
        impressions_completed: 0,
    }
}

fn ended(ending: Ending, canceled: bool) -> Ending {
    if canceled { Ending::Canceled } else { ending }
}

fn refused(sentence: &str) -> String {
    if sentence.is_empty() { "The printer refused the job.".to_owned() } else { printer_said(sentence) }
}

fn printer_said(message: &str) -> String {
    format!("The printer said: {message}")
}

fn knows(answer: &ipp::Message, operation: OperationId) -> bool {
    answer.attribute(GroupTag::Printer, "operations-supported").is_some_and(|known| {
        known.values().iter().filter_map(Value::as_integer).any(|code| code == i32::from(operation.code()))
    })
}

/// The printer's count of printed sides. Sheets stand for sides only where every sheet has one.
fn counter(status: &UpstreamJobStatus, facts: &Facts) -> Option<u32> {
    match (status.impressions_completed, status.sheets_completed) {
        (Some(sides @ 1..), _) => Some(sides),
        (_, Some(sheets @ 1..)) => (facts.ticket.sides == Some(Sides::OneSided)).then_some(sheets),
        (Some(0), _) | (None, Some(0)) => Some(0),
        (None, None) => None,
    }
}
