//! What a person does to a job: release, cancel, settle. Members come here through IPP, operators through the API and the
//! command line; who may do it to which job was decided before.

use super::job::{Facts, Job, Naming, Sending, Stage, Watching};
use super::{Output, PrintEngine, RequestToken};
use crate::Context;
use policy::print::{CountedBy, Ending, PrintResult, Settlement};
use policy::{Outcome, Reason};
use values::JobId;

/// What an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobCommand {
    /// Print a held job now. Released jobs are not an error.
    Release {
        job: JobId,
    },
    Cancel {
        job: JobId,
    },
    /// Says how many pages came out of a job that needs checking; zero charges nothing.
    Settle {
        job: JobId,
        pages: u32,
    },
}

/// When an operator hears that it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Now,
    /// Once it is written down.
    WhenSaved,
}

impl PrintEngine {
    pub(super) fn handle_operator(&mut self, cx: &mut Context<'_>, token: RequestToken, command: JobCommand) {
        let done = match command {
            JobCommand::Release { job } => self.release(cx, job, Some(token)),
            JobCommand::Cancel { job } => self.cancel(cx, job, Some(token)),
            JobCommand::Settle { job, pages } => self.settle_by_operator(cx, job, pages, token),
        };
        let result = match done {
            Ok(Done::WhenSaved) => return,
            Ok(Done::Now) => Ok(()),
            Err(reason) => Err(reason),
        };
        self.outputs.push_back(Output::Answer { token, result });
    }

    /// Why nothing can be done to a job that is not among the unfinished.
    pub(super) fn state_refusal(&self, id: JobId) -> Reason {
        let ended = self.history.values().find(|job| job.facts.id == id);
        match self.jobs.get(&id).or(ended) {
            Some(job) => Reason::JobState { state: job.stage.state().as_str().to_owned() },
            None => Reason::UnknownJob,
        }
    }

    fn settle_by_operator(
        &mut self,
        cx: &mut Context<'_>,
        id: JobId,
        pages: u32,
        token: RequestToken,
    ) -> Result<Done, Reason> {
        let Some(Job { mut facts, stage }) = self.take(id) else { return Err(self.state_refusal(id)) };
        let Stage::NeedsChecking { ending, sentence } = stage else {
            let state = stage.state().as_str().to_owned();
            self.put(Job { facts, stage });
            return Err(Reason::JobState { state });
        };
        if pages > facts.pages {
            let expected = format!("at most the {} pages of the job", facts.pages);
            self.put(Job { facts, stage: Stage::NeedsChecking { ending, sentence } });
            return Err(Reason::Invalid { what: "The number of pages".into(), expected });
        }
        let settlement = match pages {
            0 => Settlement::Void,
            pages => Settlement::Settle { pages, by: CountedBy::Operator },
        };
        facts.answer = Some(token);
        self.close(cx, facts, settlement, ending, String::new());
        Ok(Done::WhenSaved)
    }

    /// Ends a job as early as it still can be. Cancelling twice is not an error until it has ended.
    pub(super) fn cancel(
        &mut self,
        cx: &mut Context<'_>,
        id: JobId,
        operator: Option<RequestToken>,
    ) -> Result<Done, Reason> {
        let Some(Job { mut facts, stage }) = self.take(id) else { return Err(self.state_refusal(id)) };
        if let Stage::Ended(_) = stage {
            self.put(Job { facts, stage });
            return Err(self.state_refusal(id));
        }
        self.note(cx, &facts, Outcome::Noted, "print-cancel-asked", "A print job is being cancelled.");
        let stage = match stage {
            // Without a document it was promised to nobody, but its number was given out: it is remembered as cancelled.
            Stage::Open { .. } => {
                self.end_unpaid(cx, facts, Ending::Canceled, String::new());
                return Ok(Done::Now);
            }
            Stage::Held(_) | Stage::Queued(_) => {
                facts.answer = operator;
                self.finish(cx, facts, PrintResult::NotSent, Ending::Canceled, String::new());
                return Ok(Done::WhenSaved);
            }
            stage @ Stage::NeedsChecking { .. } => {
                self.put(Job { facts, stage });
                return Err(Reason::JobState { state: "waiting to be checked".into() });
            }
            Stage::Spooling { token, .. } => Stage::Spooling { token, canceled: true },
            Stage::Accepting { token, hold, .. } => Stage::Accepting { token, hold, canceled: true },
            Stage::Reserving { .. } => Stage::Reserving { canceled: true },
            Stage::Offering { queued, .. } => Stage::Offering { queued, canceled: true },
            Stage::Naming(naming) => Stage::Naming(Naming { canceled: true, ..naming }),
            Stage::Sending(sending) => self.cancel_sending(&facts, sending),
            Stage::Watching(watching) => {
                self.cancel_upstream(&facts, watching.upstream_job_id);
                Stage::Watching(Watching { canceled: true, ..watching })
            }
            stage @ (Stage::Closing(_) | Stage::Ended(_)) => stage,
        };
        self.put(Job { facts, stage });
        Ok(Done::Now)
    }

    fn cancel_sending(&mut self, facts: &Facts, sending: Sending) -> Stage {
        if let Some(upstream_job_id) = sending.upstream_job_id
            && !sending.canceled
        {
            self.cancel_upstream(facts, upstream_job_id);
        }
        Stage::Sending(Sending { canceled: true, ..sending })
    }
}
