//! From a whole document to its turn at the printer: quoted, held, released, its pages set aside.
//!
//! A held job is reviewed whenever policy state changes and on a timer (a new month brings a new allowance). One that was
//! held on request waits for a person. Pages that were set aside stay so while a job is held: the ledger reserves a job
//! once.

use super::job::{Facts, Held, Job, Queued, SpooledDocument, Stage};
use super::operator::Done;
use super::{Output, PrintEngine, RequestToken, SpoolFailure};
use crate::Context;
use policy::print::{Ending, PrintResult, quote};
use policy::{Change, Command, Outcome, Reason, Snapshot};
use proto::ipp::{HoldUntil, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use values::JobId;

/// How often a held job is reviewed without a change: a disk that was full, a month that has turned.
pub(super) const REVIEW_INTERVAL: Duration = Duration::from_secs(60);

impl PrintEngine {
    pub(super) fn handle_spooled(&mut self, cx: &mut Context<'_>, id: JobId, document: SpooledDocument) {
        let Some(Job { mut facts, stage }) = self.take(id) else { return };
        let Stage::Spooling { token, canceled } = stage else { return self.put(Job { facts, stage }) };
        facts.pages = facts.ticket.pages(document.format, document.pages);
        facts.format = Some(document.format);
        facts.bytes = document.bytes;
        facts.digest = document.digest;
        if canceled {
            return self.turn_away(cx, facts, token, StatusCode::ServerErrorJobCanceled, "The job was cancelled.");
        }
        if facts.pages == 0 {
            let sentence = "None of the pages asked for are in the document.";
            return self.turn_away(cx, facts, token, StatusCode::ClientErrorDocumentFormatError, sentence);
        }
        match self.hold_or_go(cx, &facts) {
            Ok(hold) => self.save_and_put(cx, Job { facts, stage: Stage::Accepting { token, hold, canceled: false } }),
            Err(reason) => {
                self.note(cx, &facts, Outcome::Refused, reason.code(), &reason.sentence());
                self.turn_away(cx, facts, token, super::reception::status_of(&reason), &reason.sentence());
            }
        }
    }

    /// Whether a whole job waits, and for what. Over quota waits; somebody who may not print at all is refused.
    fn hold_or_go(&self, cx: &Context<'_>, facts: &Facts) -> Result<Option<Reason>, Reason> {
        match quote(cx.snapshot, facts.member, facts.pages, cx.now) {
            Ok(_) if facts.ticket.hold_until == HoldUntil::Indefinite => Ok(Some(Reason::HeldOnRequest)),
            Ok(_) => Ok(None),
            Err(reason @ Reason::AccountLimitReached { .. }) => Ok(Some(reason)),
            Err(reason) => Err(reason),
        }
    }

    pub(super) fn handle_spool_failed(&mut self, cx: &mut Context<'_>, id: JobId, failure: SpoolFailure) {
        let Some(Job { facts, stage }) = self.take(id) else { return };
        let Stage::Spooling { token, canceled } = stage else { return self.put(Job { facts, stage }) };
        let (status, sentence) = match failure {
            _ if canceled => (StatusCode::ServerErrorJobCanceled, "The job was cancelled."),
            SpoolFailure::DiskFull => (
                StatusCode::ServerErrorTemporaryError,
                "The print server has no room for the document now. Try again later.",
            ),
            SpoolFailure::TooLarge => {
                (StatusCode::ClientErrorRequestEntityTooLarge, "The document is too large to print here.")
            }
            SpoolFailure::ClientGone => (StatusCode::ClientErrorTimeout, "The document did not arrive whole."),
            SpoolFailure::UnknownFormat => (
                StatusCode::ClientErrorDocumentFormatNotSupported,
                "The document is none of PDF, URF, PWG raster and JPEG.",
            ),
            SpoolFailure::Damaged => (StatusCode::ClientErrorDocumentFormatError, "The document cannot be read."),
            SpoolFailure::Uncountable => (
                StatusCode::ClientErrorDocumentFormatError,
                "The pages cannot be counted; is the document locked with a password?",
            ),
            SpoolFailure::Compression => {
                (StatusCode::ClientErrorCompressionError, "The compressed document cannot be unpacked.")
            }
        };
        let outcome = if failure == SpoolFailure::DiskFull { Outcome::Warning } else { Outcome::Refused };
        self.note(cx, &facts, outcome, status.as_str(), sentence);
        self.turn_away(cx, facts, token, status, sentence);
    }

    /// Tells the client that there is no job after all, and forgets it.
    pub(super) fn turn_away(
        &mut self,
        cx: &Context<'_>,
        facts: Facts,
        token: RequestToken,
        status: StatusCode,
        sentence: &str,
    ) {
        self.forget(&facts);
        self.answer_waiting(cx, token, Err((status, sentence.to_owned())));
    }

    /// The accepted job is written down: from here on it is promised.
    pub(super) fn accepted(
        &mut self,
        cx: &mut Context<'_>,
        facts: Facts,
        token: RequestToken,
        (hold, canceled): (Option<Reason>, bool),
        saved: Result<(), Reason>,
    ) {
        if let Err(reason) = saved {
            return self.turn_away(cx, facts, token, StatusCode::ServerErrorTemporaryError, &reason.sentence());
        }
        self.note(cx, &facts, Outcome::Allowed, "print-accepted", "A print job was accepted.");
        let id = facts.id;
        match hold {
            _ if canceled => self.end_unpaid(cx, facts, Ending::Canceled, String::new()),
            Some(reason) => {
                self.note(cx, &facts, held_outcome(&reason), reason.code(), &reason.sentence());
                self.put(Job { facts, stage: Stage::Held(Held::new(reason, cx.now)) });
            }
            None => self.reserve(cx, facts),
        }
        self.answer_waiting(cx, token, Ok(id));
    }

    /// Asks the ledger for the job's pages, unless it has them from before it was held.
    pub(super) fn reserve(&mut self, cx: &mut Context<'_>, facts: Facts) {
        if cx.snapshot.reservations.contains_key(&facts.id) {
            return self.enqueue(cx, facts);
        }
        let (job, member, printer, pages) = (facts.id, facts.member, facts.printer.clone(), facts.pages);
        self.outputs.push_back(Output::Submit { job, command: Command::ReservePrint { job, member, printer, pages } });
        self.put(Job { facts, stage: Stage::Reserving { canceled: false } });
    }

    pub(super) fn reserved(
        &mut self,
        cx: &mut Context<'_>,
        facts: Facts,
        canceled: bool,
        result: Result<Vec<Change>, Reason>,
    ) {
        match result {
            Ok(_) | Err(Reason::AlreadySo { .. }) if canceled => {
                self.finish(cx, facts, PrintResult::NotSent, Ending::Canceled, String::new());
            }
            Ok(_) | Err(Reason::AlreadySo { .. }) => self.enqueue(cx, facts),
            Err(_) if canceled => self.end_unpaid(cx, facts, Ending::Canceled, String::new()),
            Err(reason) => self.hold(cx, facts, reason),
        }
    }

    pub(super) fn hold(&mut self, cx: &mut Context<'_>, facts: Facts, reason: Reason) {
        self.note(cx, &facts, held_outcome(&reason), reason.code(), &reason.sentence());
        self.save_and_put(cx, Job { facts, stage: Stage::Held(Held::new(reason, cx.now)) });
    }

    fn enqueue(&mut self, cx: &mut Context<'_>, facts: Facts) {
        let printer = facts.printer.clone();
        self.put(Job { facts, stage: Stage::Queued(Queued::new(cx.now)) });
        self.next_at(cx, &printer);
    }

    /// Whether a held job may go on now; `Ok` says that it does.
    fn may_go(&self, cx: &Context<'_>, facts: &Facts) -> Result<(), Reason> {
        if !cx.snapshot.site.printers.contains_key(&facts.printer) {
            return Err(Reason::UnknownPrinter { printer: facts.printer.to_string() });
        }
        if cx.snapshot.reservations.contains_key(&facts.id) {
            policy::print::entitlement(cx.snapshot, facts.member, cx.now).map(|_| ())
        } else {
            quote(cx.snapshot, facts.member, facts.pages, cx.now).map(|_| ())
        }
    }

    /// A person asks for a held job to be printed. A job that was released before is not an error.
    pub(super) fn release(
        &mut self,
        cx: &mut Context<'_>,
        id: JobId,
        operator: Option<RequestToken>,
    ) -> Result<Done, Reason> {
        let Some(Job { mut facts, stage }) = self.take(id) else { return Err(self.state_refusal(id)) };
        match stage {
            Stage::Held(held) => match self.may_go(cx, &facts) {
                Ok(()) => {
                    facts.answer = operator;
                    self.go_on(cx, facts);
                    Ok(Done::WhenSaved)
                }
                Err(reason) => {
                    self.note(cx, &facts, Outcome::Refused, reason.code(), &reason.sentence());
                    self.put(Job { facts, stage: Stage::Held(Held { reason: reason.clone(), ..held }) });
                    Err(reason)
                }
            },
            stage @ Stage::NeedsChecking { .. } => {
                self.put(Job { facts, stage });
                Err(Reason::JobState { state: "waiting to be checked".into() })
            }
            stage @ Stage::Ended(_) => {
                self.put(Job { facts, stage });
                Err(self.state_refusal(id))
            }
            stage => {
                self.put(Job { facts, stage });
                Ok(Done::Now)
            }
        }
    }

    /// The row must not say "held" any more, or a restart would hold the job again.
    fn go_on(&mut self, cx: &mut Context<'_>, facts: Facts) {
        let id = facts.id;
        self.note(cx, &facts, Outcome::Allowed, "print-released", "A held print job was released.");
        self.reserve(cx, facts);
        if let Some(job) = self.take(id) {
            self.save_and_put(cx, job);
        }
    }

    /// The timer of a held job: it goes when its time is over, else it is looked at again.
    pub(super) fn review_held(&mut self, cx: &mut Context<'_>, facts: Facts, held: Held) {
        if held.expires_at <= cx.now.stamp() {
            let sentence = "The job was held for a day and nobody released it.".to_owned();
            return self.finish(cx, facts, PrintResult::NotSent, Ending::Aborted, sentence);
        }
        let review_at = cx.now.mono + REVIEW_INTERVAL;
        let held = Held { review_at, ..held };
        if held.reason == Reason::HeldOnRequest {
            return self.put(Job { facts, stage: Stage::Held(held) });
        }
        match self.may_go(cx, &facts) {
            Ok(()) => self.go_on(cx, facts),
            Err(reason) if reason.code() == held.reason.code() => {
                self.put(Job { facts, stage: Stage::Held(Held { reason, ..held }) });
            }
            Err(reason) => {
                self.note(cx, &facts, held_outcome(&reason), reason.code(), &reason.sentence());
                self.save_and_put(cx, Job { facts, stage: Stage::Held(Held { reason, ..held }) });
            }
        }
    }

    /// Policy state has changed: held jobs may go on, waiting ones may have to stop, printers may be new.
    pub(super) fn handle_snapshot_changed(&mut self, cx: &mut Context<'_>, old: &Arc<Snapshot>) {
        if !Arc::ptr_eq(&old.site, &cx.snapshot.site) {
            self.follow_site(cx);
        }
        if !concerns_printing(old, cx.snapshot) {
            return;
        }
        for id in self.numbers.values().copied().collect::<Vec<_>>() {
            let Some(Job { facts, stage }) = self.take(id) else { continue };
            match stage {
                Stage::Held(held) => self.review_held(cx, facts, held),
                Stage::Queued(queued) => match self.may_go(cx, &facts) {
                    Ok(()) => self.put(Job { facts, stage: Stage::Queued(queued) }),
                    Err(reason) => self.hold(cx, facts, reason),
                },
                stage => self.put(Job { facts, stage }),
            }
        }
    }
}

/// Whether anything changed that a job's price or permission depends on.
fn concerns_printing(old: &Snapshot, new: &Snapshot) -> bool {
    !(Arc::ptr_eq(&old.site, &new.site)
        && old.members.is_same_as(&new.members)
        && old.passes.is_same_as(&new.passes)
        && old.print_accounts.is_same_as(&new.print_accounts))
}

fn held_outcome(reason: &Reason) -> Outcome {
    match reason {
        Reason::HeldOnRequest => Outcome::Noted,
        Reason::StorageFailed { .. } => Outcome::Warning,
        _ => Outcome::Refused,
    }
}
