//! The end of a job: what came out is judged by `policy::print::settle`, written down, told to the ledger once, and told
//! to people. Documents are deleted here.

use super::job::{Closing, ClosingPhase, Ended, Facts, Job, Stage};
use super::{Output, PrintEngine};
use crate::Context;
use policy::print::{CountedBy, Ending, PrintResult, Settlement, settle};
use policy::{Change, Command, Outcome, Reason};
use std::time::Duration;
use values::JobId;

/// How long after a failed write the next is tried: a full disk is not freed within a second.
pub(super) const STORAGE_RETRY: Duration = Duration::from_secs(5);

impl PrintEngine {
    /// A job has ended at the printer, or before it got there.
    pub(super) fn finish(
        &mut self,
        cx: &mut Context<'_>,
        facts: Facts,
        result: PrintResult,
        ending: Ending,
        sentence: String,
    ) {
        let Some(reservation) = cx.snapshot.reservations.get(&facts.id) else {
            return self.end_unpaid(cx, facts, ending, sentence);
        };
        let printer_counts = self.counts(cx, &facts, result);
        match settle(result, reservation, printer_counts) {
            Settlement::NeedsChecking => self.leave_for_checking(cx, facts, ending, sentence),
            settlement @ (Settlement::Settle { .. } | Settlement::Void) => {
                self.close(cx, facts, settlement, ending, sentence);
            }
        }
    }

    /// Whether the printer is one that counts. The site file may say that it does not; and one that completes jobs, counts
    /// nothing and never counted anything shows it by itself.
    fn counts(&self, cx: &Context<'_>, facts: &Facts, result: PrintResult) -> bool {
        let is_said_to = cx.snapshot.site.printers.get(&facts.printer).is_none_or(|printer| printer.counts);
        let has_counted = self.printers.get(&facts.printer).is_some_and(|upstream| upstream.has_counted);
        let counted_nothing = matches!(result, PrintResult::Completed { counter: None | Some(0) });
        is_said_to && (has_counted || !counted_nothing)
    }

    /// Nobody can say what came out: nothing is charged, and a person is asked.
    pub(super) fn leave_for_checking(&mut self, cx: &mut Context<'_>, facts: Facts, ending: Ending, sentence: String) {
        let sentence = match sentence.as_str() {
            "" => "The printer did not say how many pages came out. Nothing is charged until somebody has checked."
                .to_owned(),
            said => format!("{said} Nothing is charged until somebody has checked."),
        };
        self.leave_printer(cx, &facts);
        self.outputs.push_back(Output::DeleteSpool { job: facts.id });
        self.note(cx, &facts, Outcome::Warning, "print-needs-checking", &sentence);
        self.save_and_put(cx, Job { facts, stage: Stage::NeedsChecking { ending, sentence } });
    }

    pub(super) fn close(
        &mut self,
        cx: &mut Context<'_>,
        facts: Facts,
        settlement: Settlement,
        ending: Ending,
        sentence: String,
    ) {
        self.leave_printer(cx, &facts);
        let closing = Closing { settlement, ending, sentence, phase: ClosingPhase::Saving };
        self.save_and_put(cx, Job { facts, stage: Stage::Closing(closing) });
    }

    /// What was decided is written down: now the ledger.
    pub(super) fn closing_saved(
        &mut self,
        cx: &Context<'_>,
        mut facts: Facts,
        mut closing: Closing,
        saved: Result<(), Reason>,
    ) {
        match saved {
            Ok(()) => {
                let (job, settlement) = (facts.id, closing.settlement);
                self.outputs.push_back(Output::Submit { job, command: Command::SettlePrint { job, settlement } });
                closing.phase = ClosingPhase::Submitted;
            }
            Err(reason) => {
                self.answer(&mut facts, Err(reason));
                closing.phase = ClosingPhase::Retry { at: cx.now.mono + STORAGE_RETRY };
            }
        }
        self.put(Job { facts, stage: Stage::Closing(closing) });
    }

    /// Storage refused before; from the top, since saving twice changes nothing.
    pub(super) fn resume_closing(&mut self, cx: &mut Context<'_>, facts: Facts, closing: Closing) {
        let closing = Closing { phase: ClosingPhase::Saving, ..closing };
        self.save_and_put(cx, Job { facts, stage: Stage::Closing(closing) });
    }

    pub(super) fn settled(
        &mut self,
        cx: &mut Context<'_>,
        mut facts: Facts,
        closing: Closing,
        result: Result<Vec<Change>, Reason>,
    ) {
        let charged_minor = match result {
            Ok(changes) => charged(&changes, facts.id),
            // The ledger had it already: a restart fell between its answer and ours.
            Err(Reason::AlreadySo { .. }) => 0,
            Err(reason) => {
                self.answer(&mut facts, Err(reason));
                let phase = ClosingPhase::Retry { at: cx.now.mono + STORAGE_RETRY };
                return self.put(Job { facts, stage: Stage::Closing(Closing { phase, ..closing }) });
            }
        };
        let (pages, by) = match closing.settlement {
            Settlement::Settle { pages, by } => (pages, Some(by)),
            Settlement::Void | Settlement::NeedsChecking => (0, None),
        };
        let ended = Ended { ending: closing.ending, pages, by, charged_minor, sentence: closing.sentence };
        self.answer(&mut facts, Ok(()));
        self.end(cx, facts, ended);
    }

    /// Ends a job for which no pages are set aside.
    pub(super) fn end_unpaid(&mut self, cx: &mut Context<'_>, facts: Facts, ending: Ending, sentence: String) {
        self.leave_printer(cx, &facts);
        self.end(cx, facts, Ended { ending, pages: 0, by: None, charged_minor: 0, sentence });
    }

    fn end(&mut self, cx: &mut Context<'_>, facts: Facts, ended: Ended) {
        let (outcome, code) = match ended.ending {
            Ending::Completed => (Outcome::Allowed, "print-completed"),
            Ending::Aborted => (Outcome::Warning, "print-aborted"),
            Ending::Canceled => (Outcome::Noted, "print-canceled"),
        };
        let sentence = format!("{} {}", told(&ended), ended.sentence);
        self.note(cx, &facts, outcome, code, sentence.trim_end());
        self.outputs.push_back(Output::DeleteSpool { job: facts.id });
        self.save_and_put(cx, Job { facts, stage: Stage::Ended(ended) });
    }
}

/// What the ledger took for this job.
fn charged(changes: &[Change], id: JobId) -> i64 {
    changes
        .iter()
        .find_map(|change| match change {
            Change::PrintSettled { job, charged_minor, .. } if *job == id => Some(*charged_minor),
            _ => None,
        })
        .unwrap_or(0)
}

/// How a job came out, in one sentence.
fn told(ended: &Ended) -> String {
    let what = match ended.ending {
        Ending::Completed => "completed",
        Ending::Aborted => "aborted",
        Ending::Canceled => "cancelled",
    };
    let pages = |pages: u32| if pages == 1 { "1 page".to_owned() } else { format!("{pages} pages") };
    match ended.by {
        None => format!("The job was {what}; nothing was charged."),
        Some(CountedBy::Counter) => format!("The job was {what}: {} by the printer's counter.", pages(ended.pages)),
        Some(CountedBy::Estimate) => format!("The job was {what}: {} by estimate.", pages(ended.pages)),
        Some(CountedBy::Operator) => format!("The job was {what}: {}, as an operator decided.", pages(ended.pages)),
    }
}
