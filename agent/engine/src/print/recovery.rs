//! After a restart: every saved job goes on from where its row says it was, and nothing is sent or charged twice.
//!
//! | the row says | and the ledger | then |
//! |---|---|---|
//! | held | | held |
//! | reserving | has set pages aside | it queues |
//! | reserving | has not | it is quoted again |
//! | forwarding, nothing left the box | has set pages aside | it queues again |
//! | forwarding in a Print-Job without an answer | has set pages aside | needs checking |
//! | forwarding, the printer named it | has set pages aside | the printer is asked |
//! | settling | has set pages aside | the ledger is told again |
//! | any of these | is settled | ended as decided |
//!
//! A reservation without a job (its row was lost) becomes a job that needs checking.

use super::job::{Closing, ClosingPhase, Ended, Facts, Held, Job, Queued, Stage};
use super::{PrintEngine, forwarding, ticket};
use crate::Context;
use policy::Reason;
use policy::print::{CountedBy, Ending, JobRecord, JobStage, PrintResult, Reservation, UpstreamJob};
use proto::ipp::{DocumentFormat, Ticket};
use std::collections::BTreeMap;
use values::{JobId, Pii};

impl PrintEngine {
    /// The engine of a new run, with the jobs that the store holds. Reservations are read from the snapshot.
    #[must_use]
    pub fn recover(cx: &mut Context<'_>, records: Vec<JobRecord>) -> Self {
        let mut engine = Self {
            jobs: BTreeMap::new(),
            numbers: BTreeMap::new(),
            history: BTreeMap::new(),
            next_number: 1,
            waiting: BTreeMap::new(),
            timers: Default::default(),
            printers: BTreeMap::new(),
            outputs: Default::default(),
            started_at: cx.now.stamp(),
        };
        engine.next_number = records.iter().map(|record| record.number).max().unwrap_or(0).saturating_add(1);
        engine.follow_site(cx);
        let known: Vec<JobId> = records.iter().map(|record| record.id).collect();
        let mut records = records;
        records.sort_unstable_by_key(|record| record.number);
        for record in records {
            engine.restore(cx, record);
        }
        let orphans: Vec<Reservation> = cx
            .snapshot
            .reservations
            .values()
            .filter(|reservation| !known.contains(&reservation.job))
            .map(|reservation| (**reservation).clone())
            .collect();
        for reservation in orphans {
            engine.adopt(cx, reservation);
        }
        let printers: Vec<_> = engine.printers.keys().cloned().collect();
        for printer in printers {
            engine.next_at(cx, &printer);
        }
        engine
    }

    fn restore(&mut self, cx: &mut Context<'_>, record: JobRecord) {
        let is_reserved = cx.snapshot.reservations.contains_key(&record.id);
        let (facts, readable) = facts(&record);
        match record.stage {
            JobStage::Ended { ending, pages, by, charged_minor, sentence } => {
                if let (Some(CountedBy::Counter), Some(upstream)) = (by, self.printers.get_mut(&facts.printer)) {
                    upstream.has_counted = true;
                }
                self.put(Job { facts, stage: Stage::Ended(Ended { ending, pages, by, charged_minor, sentence }) });
            }
            JobStage::NeedsChecking { ending, sentence } if is_reserved => {
                self.put(Job { facts, stage: Stage::NeedsChecking { ending, sentence } });
            }
            JobStage::NeedsChecking { ending, sentence } => self.end_unpaid(cx, facts, ending, sentence),
            JobStage::Settling { settlement, ending, sentence } if is_reserved => {
                self.close(cx, facts, settlement, ending, sentence);
            }
            JobStage::Settling { settlement, ending, sentence } => {
                let closing = Closing { settlement, ending, sentence, phase: ClosingPhase::Submitted };
                self.settled(cx, facts, closing, Err(Reason::AlreadySo { what: "the job is settled".into() }));
            }
            JobStage::Held { .. } | JobStage::Reserving | JobStage::Forwarding { upstream: UpstreamJob::Nothing }
                if !readable =>
            {
                let sentence = "What was asked for could not be read after a restart.".to_owned();
                self.finish(cx, facts, PrintResult::NotSent, Ending::Aborted, sentence);
            }
            JobStage::Held { reason, expires_at } => {
                let held = Held { expires_at, ..Held::new(reason, cx.now) };
                self.put(Job { facts, stage: Stage::Held(held) });
            }
            JobStage::Reserving => self.reserve(cx, facts),
            JobStage::Forwarding { upstream } if is_reserved => self.forward_again(cx, facts, upstream),
            JobStage::Forwarding { .. } => {
                let sentence = "The job had ended when the box was restarted.".to_owned();
                self.end_unpaid(cx, facts, Ending::Aborted, sentence);
            }
        }
    }

    fn forward_again(&mut self, cx: &mut Context<'_>, facts: Facts, upstream: UpstreamJob) {
        match upstream {
            UpstreamJob::Nothing => self.put(Job { facts, stage: Stage::Queued(Queued::new(cx.now)) }),
            UpstreamJob::Unnamed => {
                let sentence = "The box was restarted while the document was on its way to the printer.".to_owned();
                self.leave_for_checking(cx, facts, Ending::Aborted, sentence);
            }
            UpstreamJob::Named { upstream_job_id } => {
                if let Some(upstream) = self.printers.get_mut(&facts.printer) {
                    upstream.busy = Some(facts.id);
                }
                let watching = forwarding::watch(cx, upstream_job_id, false);
                self.put(Job { facts, stage: Stage::Watching(watching) });
            }
        }
    }

    /// Makes a job of a reservation whose row was lost, so that a person can settle it.
    fn adopt(&mut self, cx: &mut Context<'_>, reservation: Reservation) {
        let number = self.next_number;
        self.next_number = self.next_number.saturating_add(1);
        let facts = Facts {
            id: reservation.job,
            number,
            member: reservation.member,
            credential: None,
            printer: reservation.printer,
            document: Pii("(unknown)".to_owned()),
            ticket: Ticket::default(),
            format: Some(DocumentFormat::Pdf),
            bytes: 0,
            digest: String::new(),
            pages: reservation.pages,
            submitted_at: reservation.at,
            processing_at: None,
            updated_at: reservation.at,
            revision: 0,
            resave_at: None,
            is_saved: false,
            answer: None,
        };
        let sentence = "The job's own record was lost.".to_owned();
        self.leave_for_checking(cx, facts, Ending::Aborted, sentence);
    }

    /// What storage says about a row.
    pub(super) fn handle_saved(&mut self, cx: &mut Context<'_>, id: JobId, revision: u64, saved: Result<(), Reason>) {
        let Some(Job { mut facts, stage }) = self.take(id) else { return };
        if facts.revision != revision {
            return self.put(Job { facts, stage });
        }
        facts.is_saved = saved.is_ok();
        if !matches!(stage, Stage::Closing(_)) {
            self.answer(&mut facts, saved.clone()); // what is being closed is done when the ledger has it
        }
        match stage {
            Stage::Accepting { token, hold, canceled } => self.accepted(cx, facts, token, (hold, canceled), saved),
            Stage::Naming(naming) => self.named(cx, facts, naming, saved),
            Stage::Closing(closing) => self.closing_saved(cx, facts, closing, saved),
            // Nothing waits for the rest; a restart would find its way from the row before.
            stage => {
                facts.resave_at = saved.is_err().then_some(cx.now.mono + super::settling::STORAGE_RETRY);
                self.put(Job { facts, stage });
            }
        }
    }

    /// What the Registrar says about a reservation or a settlement.
    pub(super) fn handle_committed(
        &mut self,
        cx: &mut Context<'_>,
        id: JobId,
        result: Result<Vec<policy::Change>, Reason>,
    ) {
        let Some(Job { facts, stage }) = self.take(id) else { return };
        match stage {
            Stage::Reserving { canceled } => self.reserved(cx, facts, canceled, result),
            Stage::Closing(closing) => self.settled(cx, facts, closing, result),
            stage => self.put(Job { facts, stage }),
        }
    }
}

/// The facts of a saved job, and whether its ticket could be read.
fn facts(record: &JobRecord) -> (Facts, bool) {
    let ticket = ticket::load(&record.ticket);
    let format = DocumentFormat::from_keyword(&record.format);
    let readable = ticket.is_some() && format.is_some();
    let facts = Facts {
        id: record.id,
        number: record.number,
        member: record.member,
        credential: record.credential,
        printer: record.printer.clone(),
        document: record.document.clone(),
        ticket: ticket.unwrap_or_default(),
        format,
        bytes: record.bytes,
        digest: record.digest.clone(),
        pages: record.pages,
        submitted_at: record.submitted_at,
        processing_at: None,
        updated_at: record.updated_at,
        revision: 0,
        resave_at: None,
        is_saved: true,
        answer: None,
    };
    (facts, readable)
}
