//! A printer that is not there: IPP over real TCP sockets, with paper that jams, power that fails and counters that lie, each
//! on demand. It keeps every byte it was sent, so that a test can say what came out.
//!
//! ```text
//! connection -> http.rs -> (head, document) -> answer -> Job -> press: a page each `page_ms` -> Completed
//!                                                               jam: ProcessingStopped until cleared or cancelled
//!                                                               power loss: every connection reset until revived
//! ```

mod answer;
mod http;

#[cfg(test)]
mod tests;

use proto::count::{Counter, pdf, sniff};
use proto::ipp::{Attribute, Capabilities, Compression, DocumentFormat, JobState, PrinterState, Ticket};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where the queue of every such printer stands.
pub const PATH: &str = "/ipp/print";

/// What goes wrong, and when. Counted within one job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// After this many pages the paper sticks: the job stops and never ends by itself.
    JamAtPage(u32),
    /// After this many bytes of the document the power fails: connections are reset, all jobs forgotten.
    PowerLossAtByte(usize),
    /// After this many printed pages the power fails.
    PowerLossAtPage(u32),
    /// After this many pages the printer gives the job up.
    AbortAtPage(u32),
    /// Print-Job is answered with `server-error-busy`.
    Busy,
}

/// What the printer says of job-impressions-completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counting {
    #[default]
    Honest,
    /// The attribute is missing, and so are its relatives.
    Silent,
    /// Always this number.
    Lies(u32),
}

/// How the printer behaves from now on.
#[derive(Clone, Debug)]
pub struct Behaviour {
    pub fault: Fault,
    pub counting: Counting,
    /// Time a page takes.
    pub page_ms: u64,
    /// Time it takes over each chunk of a document it is sent: a slow reader.
    pub chunk_ms: u64,
    pub capabilities: Capabilities,
}

impl Default for Behaviour {
    fn default() -> Self {
        let capabilities = Capabilities {
            colour: true,
            duplex: true,
            urf: ["V1.4", "CP1", "W8", "SRGB24", "RS300", "DM1", "MT1", "IS1"].map(Into::into).to_vec(),
            pwg_raster_types: vec!["sgray_8".into(), "srgb_8".into()],
            ..Capabilities::default()
        };
        Self { fault: Fault::None, counting: Counting::Honest, page_ms: 1, chunk_ms: 0, capabilities }
    }
}

/// A job as the printer holds it.
#[derive(Clone, Debug)]
pub struct Job {
    pub number: u32,
    pub state: JobState,
    pub state_reasons: Vec<&'static str>,
    pub name: String,
    pub user: String,
    pub ticket: Ticket,
    /// The job group as it came.
    pub attributes: Vec<Attribute>,
    /// What document-format said.
    pub format: Option<DocumentFormat>,
    pub document: Vec<u8>,
    /// Pages that will come out, copies included.
    pub pages: u32,
    /// Pages that came out, whatever the printer says.
    pub printed: u32,
}

/// A running printer. Dropping it closes its sockets.
#[derive(Debug)]
pub struct Printer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    state: Mutex<State>,
    /// Counts changes, so that waiting needs no polling.
    changed: watch::Sender<u64>,
    /// Held by the job that is on the press: one at a time.
    press: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    behaviour: Behaviour,
    powered: bool,
    jobs: Vec<Job>,
    next_number: u32,
    /// printer-impressions-completed.
    life: u32,
    jammed: bool,
}

impl Printer {
    /// Starts a printer on a free port of the loopback interface.
    pub async fn start(behaviour: Behaviour) -> Self {
        Self::start_on((std::net::Ipv4Addr::LOCALHOST, 0).into(), behaviour).await.expect("a free port")
    }

    pub async fn start_on(address: SocketAddr, behaviour: Behaviour) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let state = State { behaviour, powered: true, jobs: Vec::new(), next_number: 1, life: 1_000, jammed: false };
        let shared = Arc::new(Shared {
            address,
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            press: tokio::sync::Mutex::new(()),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn uri(&self) -> String {
        format!("ipp://{}{PATH}", self.address)
    }

    /// Changes how it behaves; jobs on the press notice at their next page.
    pub fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        self.shared.update(|state| change(&mut state.behaviour));
    }

    /// Takes the stuck paper out: the job goes on.
    pub fn clear_jam(&self) {
        self.shared.update(|state| {
            state.behaviour.fault = Fault::None;
            state.jammed = false;
        });
    }

    /// Switches it off: connections are reset, nothing is remembered but the life counter.
    pub fn power_off(&self) {
        self.shared.update(State::lose_power);
    }

    pub fn power_on(&self) {
        self.shared.update(|state| {
            state.powered = true;
            state.behaviour.fault = Fault::None;
        });
    }

    /// Every job since the power came on, in order.
    pub fn jobs(&self) -> Vec<Job> {
        self.shared.lock().jobs.clone()
    }

    /// All pages that ever came out of it.
    pub fn life_counter(&self) -> u32 {
        self.shared.lock().life
    }

    /// Waits until `check` holds of its jobs.
    pub async fn until(&self, check: impl Fn(&[Job]) -> bool) -> Vec<Job> {
        let mut changed = self.shared.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let jobs = self.jobs();
            if check(&jobs) {
                return jobs;
            }
            changed.changed().await.expect("the printer lives as long as this borrow");
        }
    }

    /// Waits until so many jobs are completed.
    pub async fn completed(&self, count: usize) -> Vec<Job> {
        self.until(|jobs| jobs.iter().filter(|job| job.state == JobState::Completed).count() >= count).await
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.update(State::lose_power);
    }
}

impl State {
    fn lose_power(&mut self) {
        self.powered = false;
        self.jammed = false;
        self.jobs.clear();
    }

    fn job(&mut self, number: u32) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.number == number)
    }

    fn printer_state(&self) -> PrinterState {
        if self.jammed {
            PrinterState::Stopped
        } else if self.jobs.iter().any(|job| job.state == JobState::Processing) {
            PrinterState::Processing
        } else {
            PrinterState::Idle
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the printer")
    }

    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_modify(|count| *count += 1);
        result
    }

    fn is_powered(&self) -> bool {
        self.lock().powered
    }

    /// Ends when the power does.
    async fn power_lost(&self) {
        let mut changed = self.changed.subscribe();
        while self.is_powered() {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut connection = http::Connection::new(stream);
            tokio::select! {
                biased; // without power nothing more is said
                () = shared.power_lost() => {}
                _ = serve(&mut connection, &shared) => {}
            }
            if !shared.is_powered() {
                connection.reset();
            }
        });
    }
}

async fn serve(connection: &mut http::Connection<TcpStream>, shared: &Arc<Shared>) -> io::Result<()> {
    while let Some(mut body) = connection.request().await? {
        let answer = answer::exchange(&mut body, shared).await?;
        body.drain().await?;
        connection.answer("application/ipp", &answer).await?;
    }
    Ok(())
}

/// Pages in a document, times what the ticket makes of them. What cannot be counted is one page of question marks.
fn pages_of(document: &[u8], ticket: &Ticket) -> u32 {
    let Some(format) = sniff(document) else { return 1 };
    let counted = match format {
        DocumentFormat::Pdf => pdf::count(document.to_vec()).ok().and_then(|count| count.pages),
        DocumentFormat::Urf | DocumentFormat::PwgRaster | DocumentFormat::Jpeg => {
            let mut counter = Counter::new(format);
            counter.push(document).ok().and_then(|()| counter.finish().pages)
        }
    };
    ticket.pages(format, counted.unwrap_or(1))
}

/// What the press does next with a job.
enum Step {
    Page { after_ms: u64 },
    Wait,
    Stop,
}

/// Prints one job, a page at a time, when the press is free.
async fn print(shared: Arc<Shared>, number: u32) {
    let _press = shared.press.lock().await;
    let mut changed = shared.changed.subscribe();
    loop {
        changed.borrow_and_update();
        match shared.update(|state| step(state, number)) {
            Step::Page { after_ms } => {
                tokio::time::sleep(Duration::from_millis(after_ms)).await;
                shared.update(|state| turn_out_a_page(state, number));
            }
            Step::Wait => {
                changed.borrow_and_update();
                if changed.changed().await.is_err() {
                    return;
                }
            }
            Step::Stop => return,
        }
    }
}

fn step(state: &mut State, number: u32) -> Step {
    let (fault, page_ms) = (state.behaviour.fault, state.behaviour.page_ms);
    let Some(job) = state.job(number) else { return Step::Stop };
    let (next, reasons, result): (JobState, &[&'static str], Step) = match (job.state, fault) {
        (JobState::Canceled | JobState::Aborted | JobState::Completed, _) => return Step::Stop,
        (JobState::PendingHeld, _) => return Step::Wait,
        (_, Fault::JamAtPage(page)) if job.printed >= page => {
            (JobState::ProcessingStopped, &["printer-stopped"], Step::Wait)
        }
        (_, Fault::AbortAtPage(page)) if job.printed >= page => (JobState::Aborted, &["aborted-by-system"], Step::Stop),
        (_, Fault::PowerLossAtPage(page)) if job.printed >= page => {
            state.lose_power();
            return Step::Stop;
        }
        _ if job.printed >= job.pages => (JobState::Completed, &["job-completed-successfully"], Step::Stop),
        _ => (JobState::Processing, &["job-printing"], Step::Page { after_ms: page_ms }),
    };
    job.state = next;
    job.state_reasons = reasons.to_vec();
    state.jammed = next == JobState::ProcessingStopped;
    result
}

fn turn_out_a_page(state: &mut State, number: u32) {
    let printing = |job: &&mut Job| matches!(job.state, JobState::Processing);
    if let Some(job) = state.job(number).filter(printing) {
        job.printed += 1;
        state.life += 1;
    }
}

/// No compression: real printers seldom offer it, and what they are sent must be what the member sent.
const COMPRESSIONS: [Compression; 1] = [Compression::None];
