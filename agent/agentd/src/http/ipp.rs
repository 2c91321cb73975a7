//! IPP for print clients: one port for plain and TLS, and the task that owns the [`PrintEngine`].
//!
//! [`connection`] owns the sockets and HTTP, [`task`] carries out what the engine asks for. Nothing here decides about a
//! person: credentials become evidence (digests) at the edge, and only on TLS.

mod connection;
mod request;
mod task;

use crate::shell::Shell;
use crate::spool::Spool;
use crate::upstream::Upstream;
use engine::print::JobCommand;
use policy::Reason;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;
use values::{JobId, MemberId};

/// Inputs that may wait for the engine; beyond it, connections wait to hand theirs over.
const INBOX_MAX: usize = 256;

/// A print job as the API shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobView {
    pub id: String,
    pub printer: String,
    pub member_id: Option<String>,
    pub member_name: Option<String>,
    pub document: Option<String>,
    /// `pending`, `held`, `printing`, `completed`, `canceled`, `aborted` or `needs-checking`.
    pub state: String,
    pub reasons: Vec<String>,
    pub sentence: Option<String>,
    pub pages: Option<u32>,
    pub pages_settled: Option<u32>,
    pub counted_by: Option<String>,
    pub charged_minor: Option<i64>,
    pub submitted_at: i64,
}

/// What the port has seen since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    connections: AtomicU64,
    connections_shed: AtomicU64,
    handshakes_failed: AtomicU64,
    requests: AtomicU64,
    requests_malformed: AtomicU64,
    documents: AtomicU64,
    document_bytes: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// What a part of the daemon asks of the engine's task.
enum Ask {
    Input(engine::print::Input),
    Request { arrival: Box<engine::print::Arrival>, answer: oneshot::Sender<request::Answer> },
    Operator { command: JobCommand, answer: oneshot::Sender<Result<(), Reason>> },
    Jobs { limit: usize, answer: oneshot::Sender<Vec<engine::print::JobView>> },
    Job { job: JobId, answer: oneshot::Sender<Option<engine::print::JobView>> },
}

/// The way to the print engine for the API and the command line.
#[derive(Clone)]
pub struct PrintHandle {
    shell: Shell,
    inbox: mpsc::Sender<Ask>,
    counters: Arc<Counters>,
}

impl PrintHandle {
    /// The newest jobs, newest first.
    pub async fn jobs(&self, limit: usize) -> Vec<JobView> {
        let (answer, jobs) = oneshot::channel();
        let asked = self.inbox.send(Ask::Jobs { limit, answer }).await;
        let jobs = if asked.is_ok() { jobs.await.unwrap_or_default() } else { Vec::new() };
        jobs.into_iter().map(|job| self.show(job)).collect()
    }

    /// Prints a held job now, if it is paid for.
    pub async fn release(&self, job: JobId) -> Result<JobView, Reason> {
        self.operate(job, JobCommand::Release { job }).await
    }

    pub async fn cancel(&self, job: JobId) -> Result<JobView, Reason> {
        self.operate(job, JobCommand::Cancel { job }).await
    }

    /// Says how many pages came out of a job that needs checking.
    pub async fn settle(&self, job: JobId, pages: u32) -> Result<JobView, Reason> {
        self.operate(job, JobCommand::Settle { job, pages }).await
    }

    /// Whether this member could print one page now.
    pub async fn would_print(&self, member: MemberId) -> Result<(), Reason> {
        policy::print::quote(&self.shell.registrar.snapshot(), member, 1, self.shell.clock.now()).map(|_| ())
    }

    /// For `/metrics`.
    pub async fn counters(&self) -> Vec<(&'static str, u64)> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        vec![
            ("ipp_connections", read(&counters.connections)),
            ("ipp_connections_shed", read(&counters.connections_shed)),
            ("ipp_handshakes_failed", read(&counters.handshakes_failed)),
            ("ipp_requests", read(&counters.requests)),
            ("ipp_requests_malformed", read(&counters.requests_malformed)),
            ("print_documents", read(&counters.documents)),
            ("print_document_bytes", read(&counters.document_bytes)),
        ]
    }

    async fn operate(&self, job: JobId, command: JobCommand) -> Result<JobView, Reason> {
        let stopping = || Reason::StorageFailed { what: "the box is stopping".into() };
        let (answer, done) = oneshot::channel();
        self.inbox.send(Ask::Operator { command, answer }).await.map_err(|_| stopping())?;
        done.await.map_err(|_| stopping())??;
        let (answer, view) = oneshot::channel();
        self.inbox.send(Ask::Job { job, answer }).await.map_err(|_| stopping())?;
        view.await.map_err(|_| stopping())?.map(|job| self.show(job)).ok_or(Reason::UnknownJob)
    }

    fn show(&self, job: engine::print::JobView) -> JobView {
        let snapshot = self.shell.registrar.snapshot();
        let counted_by = job.counted_by.map(|by| match by {
            policy::print::CountedBy::Counter => "counter",
            policy::print::CountedBy::Estimate => "estimate",
            policy::print::CountedBy::Operator => "operator",
        });
        JobView {
            id: job.id.to_string(),
            printer: job.printer.to_string(),
            member_id: Some(job.member.to_string()),
            member_name: snapshot.members.get(&job.member).map(|member| member.name.0.clone()),
            document: Some(job.document.0),
            state: job.state.to_owned(),
            reasons: job.reasons,
            sentence: job.sentence,
            pages: job.pages,
            pages_settled: job.pages_settled,
            counted_by: counted_by.map(ToOwned::to_owned),
            charged_minor: job.charged_minor,
            submitted_at: job.submitted_at.0,
        }
    }
}

/// Starts the engine with the jobs of the last run, and the listener.
///
/// # Errors
/// The spool or the printers' folder cannot be made, or the saved jobs cannot be read.
pub async fn spawn(
    shell: Shell,
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
) -> std::io::Result<PrintHandle> {
    let spool = Spool::open(&shell.data)?;
    let upstream = Upstream::open(&shell.data)?;
    let store = Arc::clone(&shell.store);
    let loaded = tokio::task::spawn_blocking(move || store.load_jobs()).await.map_err(std::io::Error::other)?;
    let records = loaded.map_err(std::io::Error::other)?;
    let counters = Arc::new(Counters::default());
    let (inbox, asked) = mpsc::channel(INBOX_MAX);
    let task = task::Task::new(shell.clone(), spool.clone(), upstream, inbox.clone(), records)?;
    shell.run_vital("printing", task.run(asked));
    let desk = request::Desk { inbox: inbox.clone(), spool, counters: Arc::clone(&counters) };
    // CUPS's client library takes a session ticket that arrives before the answer for a broken connection and tries again
    // for ever (seen with libcups 2.4.2 over GnuTLS). Print clients come seldom; they can do without resumption.
    let mut tls = rustls::ServerConfig::clone(&tls);
    tls.send_tls13_tickets = 0;
    tokio::spawn(connection::serve(shell.clone(), listener, Arc::new(tls), desk));
    Ok(PrintHandle { shell, inbox, counters })
}
