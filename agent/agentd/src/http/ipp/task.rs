//! The one task that owns the [`PrintEngine`]: it feeds inputs in, carries outputs out, and keeps the timer. Each effect
//! runs in a task of its own and reports back through the inbox, so the engine is never waited for.

use super::Ask;
use super::request::Answer;
use crate::shell::Shell;
use crate::spool::Spool;
use crate::upstream::Upstream;
use engine::Context;
use engine::print::{Input, Output, PrintEngine, Reply, RequestToken, Step};
use policy::print::JobRecord;
use policy::{Actor, Command, Reason, Snapshot};
use proto::ipp::upstream::UpstreamJob;
use proto::ipp::{DocumentFormat, Ticket};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot};
use values::JobId;

/// Who waits for a reply to a request.
enum Client {
    /// Nothing was said yet: a reply, or the order to take the document in.
    Asked(oneshot::Sender<Answer>),
    /// The document is being taken in.
    Spooling(oneshot::Sender<Reply>),
}

pub(super) struct Task {
    shell: Shell,
    engine: PrintEngine,
    spool: Spool,
    upstream: Upstream,
    inbox: mpsc::Sender<Ask>,
    clients: HashMap<RequestToken, Client>,
    operators: HashMap<RequestToken, oneshot::Sender<Result<(), Reason>>>,
    next_token: u64,
    /// The snapshot of the last input, so that a lagging watcher can still tell old from new.
    seen: Arc<Snapshot>,
}

impl Task {
    /// Makes the engine go on with what the store holds, and clears the spool of what no job needs.
    pub(super) fn new(
        shell: Shell,
        spool: Spool,
        upstream: Upstream,
        inbox: mpsc::Sender<Ask>,
        records: Vec<JobRecord>,
    ) -> std::io::Result<Self> {
        let seen = shell.registrar.snapshot();
        let mut cx = Context { snapshot: &seen, now: shell.clock.now(), entropy: &mut host::OsEntropy };
        let engine = PrintEngine::recover(&mut cx, records);
        spool.sweep(|job| engine.needs_spool(job))?;
        Ok(Self {
            shell,
            engine,
            spool,
            upstream,
            inbox,
            clients: HashMap::new(),
            operators: HashMap::new(),
            next_token: 1,
            seen,
        })
    }

    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Ask>) {
        let mut changed = self.shell.registrar.changed();
        self.perform_all();
        loop {
            let due = self.engine.poll_timeout();
            tokio::select! {
                ask = asked.recv() => match ask {
                    Some(ask) => self.take(ask),
                    None => return,
                },
                // Lagging is no loss: the newest snapshot is compared with the last one seen.
                change = changed.recv() => match change {
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => self.follow(),
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                () = self.shell.sleep_until(due) => self.feed(Input::TimerFired),
                () = self.shell.stopped() => return,
            }
            self.perform_all();
        }
    }

    fn take(&mut self, ask: Ask) {
        match ask {
            Ask::Input(input) => self.feed(input),
            Ask::Request { arrival, answer } => {
                let token = self.token();
                self.clients.insert(token, Client::Asked(answer));
                self.feed(Input::Request { token, arrival });
            }
            Ask::Operator { command, answer } => {
                let token = self.token();
                self.operators.insert(token, answer);
                self.feed(Input::Operator { token, command });
            }
            // Whoever asked may have gone; that is theirs to know.
            Ask::Jobs { limit, answer } => drop(answer.send(self.engine.jobs(limit))),
            Ask::Job { job, answer } => drop(answer.send(self.engine.job(job))),
        }
    }

    fn token(&mut self) -> RequestToken {
        let token = RequestToken(self.next_token);
        self.next_token += 1;
        token
    }

    fn feed(&mut self, input: Input) {
        let snapshot = self.shell.registrar.snapshot();
        let mut cx = Context { snapshot: &snapshot, now: self.shell.clock.now(), entropy: &mut host::OsEntropy };
        self.engine.handle(&mut cx, input);
    }

    fn follow(&mut self) {
        let newest = self.shell.registrar.snapshot();
        let old = std::mem::replace(&mut self.seen, newest);
        self.feed(Input::SnapshotChanged { old });
    }

    fn perform_all(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Reply { token, reply } => match self.clients.remove(&token) {
                Some(Client::Asked(answer)) => drop(answer.send(Answer::Reply(reply))),
                Some(Client::Spooling(answer)) => drop(answer.send(reply)),
                None => {}
            },
            Output::Spool { token, job, limits } => {
                if let Some(Client::Asked(answer)) = self.clients.remove(&token) {
                    let (later, reply) = oneshot::channel();
                    self.clients.insert(token, Client::Spooling(later));
                    drop(answer.send(Answer::Spool { job, limits, reply }));
                }
            }
            Output::Probe { printer, uri } => {
                let upstream = self.upstream.clone();
                self.spawn(async move {
                    let answer = upstream.probe(&uri).await.map(Box::new);
                    Some(Input::Probed { printer, answer })
                });
            }
            Output::Forward { job, step } => self.forward(job, step),
            Output::PollUpstream { job, uri, upstream_job_id } => {
                let upstream = self.upstream.clone();
                self.spawn(
                    async move { Some(Input::Polled { job, answer: upstream.poll(&uri, upstream_job_id).await }) },
                );
            }
            Output::CancelUpstream { job: _, uri, upstream_job_id } => {
                let upstream = self.upstream.clone();
                self.spawn(async move {
                    upstream.cancel(&uri, upstream_job_id).await;
                    None
                });
            }
            Output::DeleteSpool { job } => {
                let spool = self.spool.clone();
                self.spawn(async move {
                    spool.delete(job).await;
                    None
                });
            }
            Output::Submit { job, command } => self.submit(job, command),
            Output::SaveJob { revision, record } => self.save(revision, *record),
            Output::Answer { token, result } => {
                if let Some(answer) = self.operators.remove(&token) {
                    drop(answer.send(result));
                }
            }
            Output::Record(record) => self.shell.recorder.record(record),
        }
    }

    fn forward(&self, job: JobId, step: Step) {
        let (upstream, document) = (self.upstream.clone(), self.spool.path(job));
        self.spawn(async move {
            Some(match step {
                Step::CreateJob { uri, ticket, format } => {
                    Input::Created { job, answer: upstream.create_job(&uri, told(job, *ticket, format)).await }
                }
                Step::SendDocument { uri, upstream_job_id, format, bytes } => {
                    let answer = upstream.send_document(&uri, upstream_job_id, format, &document, bytes).await;
                    Input::Sent { job, answer }
                }
                Step::PrintJob { uri, ticket, format, bytes } => {
                    let answer = upstream.print_job(&uri, told(job, *ticket, format), &document, bytes).await;
                    Input::Sent { job, answer }
                }
            })
        });
    }

    fn submit(&self, job: JobId, command: Command) {
        let registrar = self.shell.registrar.clone();
        self.spawn(async move {
            let result = registrar.submit(Actor::System, command).await.map(|committed| committed.changes);
            Some(Input::Committed { job, result })
        });
    }

    fn save(&self, revision: u64, record: JobRecord) {
        let job = record.id;
        let (done, saved) = oneshot::channel();
        self.shell.store.save_job(record, move |result| {
            let _ = done.send(result.map_err(|error| error.reason())); // the task may have stopped
        });
        self.spawn(async move {
            let stopped = || Err(Reason::StorageFailed { what: "the box is stopping".into() });
            let result = saved.await.unwrap_or_else(|_| stopped());
            Some(Input::Saved { job, revision, result })
        });
    }

    /// Runs an effect; what it came to is the engine's next input.
    fn spawn(&self, effect: impl Future<Output = Option<Input>> + Send + 'static) {
        let inbox = self.inbox.clone();
        tokio::spawn(async move {
            if let Some(input) = effect.await {
                let _ = inbox.send(Ask::Input(input)).await; // closed only when the daemon stops
            }
        });
    }
}

/// What the printer is told: our job id for a name, so that its answers cannot be about another job, and nobody's name.
fn told(job: JobId, ticket: Ticket, format: DocumentFormat) -> UpstreamJob {
    UpstreamJob { job_name: job.to_string(), format, ticket }
}
