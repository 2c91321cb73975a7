//! The world that the engine's tests share.

use crate::Context;
use crate::print::{
    Arrival, Created, Input, JobCommand, Output, Polled, PrintEngine, Reply, RequestToken, Sent, SpoolFailure,
    SpooledDocument, Step,
};
use policy::print::{JobRecord, PrintEvidence, PrintPlan};
use policy::site::{Plan, Printer, Site, SiteModel};
use policy::snapshot::Loaded;
use policy::{Change, Command, Credential, CredentialKind, Member, MemberStatus, Reason, Snapshot, Window};
use proto::ipp::upstream::UpstreamJobStatus;
use proto::ipp::{
    Attribute, DocumentFormat, Group, GroupTag, JobState, Message, OperationId, StatusCode, Value, Version,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use values::{CredentialId, Entropy, JobId, MemberId, Mono, Now, Pii, Secret, SeededEntropy, Timestamp};

/// 2026-11-21T12:00:00Z
pub const START: Timestamp = Timestamp::from_seconds(1_795_262_400);
pub const INCLUDED_PAGES: u32 = 20;

pub fn name<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a fixed name")
}

pub fn member() -> MemberId {
    MemberId::from_random([1; 16])
}

/// A site with one printer and one member: 20 pages included, 10 cents a page beyond, no overdraft.
pub fn snapshot(printer_counts: bool) -> Snapshot {
    let printer = Printer {
        name: name("front"),
        title: "Front".into(),
        upstream: "ipp://192.0.2.9/ipp/print".into(),
        counts: printer_counts,
        colour: true,
        duplex: true,
    };
    let print = PrintPlan { included_pages: INCLUDED_PAGES, page_price_minor: 10, overdraft_minor: 0 };
    let plan = Plan { name: name("flex"), title: "Flex".into(), wifi: None, print: Some(print), doors: Vec::new() };
    let site = SiteModel {
        generation: 1,
        ssids: Vec::new(),
        eap_methods: policy::EapMethod::ALL.to_vec(),
        site: Site {
            name: "Harbour Works".into(),
            realm: "harbour.example".into(),
            time_zone: jiff_utc(),
            holidays: BTreeSet::new(),
            currency: "EUR".into(),
        },
        schedules: BTreeMap::new(),
        networks: BTreeMap::new(),
        access_points: BTreeMap::new(),
        printers: BTreeMap::from([(printer.name.clone(), printer)]),
        doors: BTreeMap::new(),
        plans: BTreeMap::from([(plan.name.clone(), plan)]),
    };
    let mara = Member {
        id: member(),
        revision: 1,
        name: Pii("Mara Holm".into()),
        email: Pii("mara@example.org".into()),
        plan: name("flex"),
        team: None,
        status: MemberStatus::Active,
        valid: Window::default(),
        home_site: None,
        shows_presence: false,
        added_at: START,
    };
    let key = Credential {
        id: CredentialId::from_random([1; 16]),
        revision: 1,
        member: mara.id,
        label: Pii("laptop".into()),
        kind: CredentialKind::WifiKey { username: "mara1".into(), nt_hash: Secret::new([7; 16]) },
        issued_at: START,
        revoked_at: None,
    };
    let loaded = Loaded { members: vec![mara], credentials: vec![key], ..Loaded::default() };
    Snapshot::load(Arc::new(site), loaded)
}

fn jiff_utc() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::UTC
}

/// A job at the printer.
#[derive(Clone, Debug)]
pub struct PrinterJob {
    pub name: String,
    pub state: JobState,
    pub printed: u32,
    pub polls: u32,
}

/// A printer, a machine that does what it is told, and chance for the rest.
#[derive(Debug)]
pub struct World {
    pub snapshot: Arc<Snapshot>,
    pub now: Mono,
    pub chance: SeededEntropy,
    pub engine: PrintEngine,
    /// What storage confirmed.
    pub rows: BTreeMap<JobId, JobRecord>,
    /// The ledger's rows: jobs reserved ever, and jobs settled with what was charged.
    pub reserved: BTreeSet<JobId>,
    pub settled: BTreeMap<JobId, (u32, i64)>,
    /// Pages of documents in the spool.
    pub spool: BTreeMap<JobId, u32>,
    pub replies: BTreeMap<RequestToken, Reply>,
    pub answers: BTreeMap<RequestToken, Result<(), Reason>>,
    pub records: Vec<policy::Record>,
    pub printer: BTreeMap<i32, PrinterJob>,
    pub next_upstream: i32,
    /// How often each job's whole document reached the printer.
    pub deliveries: BTreeMap<String, u32>,
    /// What really came out, by job name.
    pub paper: BTreeMap<String, u32>,
    pub trouble: Trouble,
    /// Effects under way: what the engine will hear, and when.
    pub pending: BTreeMap<(Mono, u64), Pending>,
    pub sequence: u64,
    pub last_save: Mono,
    pub next_token: u64,
    /// Pages of the documents that requests carry.
    pub uploads: BTreeMap<RequestToken, u32>,
}

/// What goes wrong, each one time in so many; zero is never.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    pub printer: u64,
    pub lies: u64,
    pub storage: u64,
    pub slow: bool,
    pub only_print_job: bool,
    pub counts_nothing: bool,
}

/// An effect that has been asked for.
#[derive(Debug)]
pub enum Pending {
    Ready(Input),
    Save { revision: u64, record: JobRecord },
    Submit { job: JobId, command: Command },
    Forward { job: JobId, step: Step },
    Poll { job: JobId, upstream_job_id: i32 },
    Cancel { upstream_job_id: i32 },
}

impl World {
    pub fn new(seed: u64, printer_counts: bool, trouble: Trouble) -> Self {
        let snapshot = Arc::new(snapshot(printer_counts));
        let mut chance = SeededEntropy(seed);
        let now = Mono(1_000);
        let mut cx = Context { snapshot: &snapshot, now: Now::trusted(now, START), entropy: &mut chance };
        let engine = PrintEngine::recover(&mut cx, Vec::new());
        Self {
            snapshot,
            now,
            chance,
            engine,
            rows: BTreeMap::new(),
            reserved: BTreeSet::new(),
            settled: BTreeMap::new(),
            spool: BTreeMap::new(),
            replies: BTreeMap::new(),
            answers: BTreeMap::new(),
            records: Vec::new(),
            printer: BTreeMap::new(),
            next_upstream: 1,
            deliveries: BTreeMap::new(),
            paper: BTreeMap::new(),
            trouble,
            pending: BTreeMap::new(),
            sequence: 0,
            last_save: now,
            next_token: 1,
            uploads: BTreeMap::new(),
        }
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        let bytes: [u8; 8] = (&mut self.chance as &mut dyn Entropy).bytes();
        u64::from_le_bytes(bytes) % bound.max(1)
    }

    fn strikes(&mut self, one_in: u64) -> bool {
        one_in > 0 && self.below(one_in) == 0
    }

    pub fn wall(&self) -> Now {
        Now::trusted(self.now, START + Duration::from_millis(self.now.0))
    }

    pub fn feed(&mut self, input: Input) {
        let now = self.wall();
        let mut cx = Context { snapshot: &self.snapshot, now, entropy: &mut self.chance };
        self.engine.handle(&mut cx, input);
        self.drain();
    }

    pub fn drain(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            self.perform(output);
        }
    }

    fn later(&mut self, pending: Pending) {
        let longest = if self.trouble.slow { 3_000 } else { 20 };
        let mut due = Mono(self.now.0 + 1 + self.below(longest));
        if let Pending::Save { .. } = pending {
            // One writer: rows are written in the order in which they were given.
            due = due.max(self.last_save);
            self.last_save = due;
        }
        self.sequence += 1;
        self.pending.insert((due, self.sequence), pending);
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Reply { token, reply } => drop(self.replies.insert(token, reply)),
            Output::Spool { token, job, .. } => {
                let pages = self.uploads.get(&token).copied().unwrap_or(1);
                let input = if self.strikes(self.trouble.printer * 4) {
                    let failures = [SpoolFailure::DiskFull, SpoolFailure::ClientGone, SpoolFailure::Uncountable];
                    let at = usize::try_from(self.below(3)).expect("below three");
                    Input::SpoolFailed { job, failure: failures[at] }
                } else {
                    self.spool.insert(job, pages);
                    let document =
                        SpooledDocument { bytes: 1_000, digest: "00".into(), format: DocumentFormat::Pdf, pages };
                    Input::Spooled { job, document }
                };
                self.later(Pending::Ready(input));
            }
            Output::Probe { printer, .. } => {
                self.later(Pending::Ready(Input::Probed {
                    printer,
                    answer: Some(Box::new(self.printer_attributes())),
                }));
            }
            Output::Forward { job, step } => self.later(Pending::Forward { job, step }),
            Output::PollUpstream { job, upstream_job_id, .. } => self.later(Pending::Poll { job, upstream_job_id }),
            Output::CancelUpstream { upstream_job_id, .. } => self.later(Pending::Cancel { upstream_job_id }),
            Output::DeleteSpool { job } => drop(self.spool.remove(&job)),
            Output::Submit { job, command } => self.later(Pending::Submit { job, command }),
            Output::SaveJob { revision, record } => self.later(Pending::Save { revision, record: *record }),
            Output::Answer { token, result } => drop(self.answers.insert(token, result)),
            Output::Record(record) => self.records.push(record),
        }
    }

    fn printer_attributes(&self) -> Message {
        let known: &[OperationId] = if self.trouble.only_print_job {
            &[OperationId::PrintJob]
        } else {
            &[OperationId::PrintJob, OperationId::CreateJob, OperationId::SendDocument]
        };
        let mut message = Message::new(Version::V2_0, 0, 1);
        let operations = known.iter().map(|id| Value::Enum(i32::from(id.code())));
        message.groups.push(Group::new(
            GroupTag::Printer,
            vec![
                Attribute::set("operations-supported", operations),
                Attribute::new("document-format-supported", Value::MimeMediaType("application/pdf".into())),
            ],
        ));
        message
    }

    /// The next thing that happens: an effect comes to something, or the engine's timer. False when nothing is left.
    pub fn step(&mut self) -> bool {
        let effect = self.pending.keys().next().map(|(due, _)| *due);
        let timer = self.engine.poll_timeout();
        match (effect, timer) {
            (None, None) => return false,
            (Some(due), timer) if timer.is_none_or(|timer| due <= timer) => {
                self.now = self.now.max(due);
                let (_, pending) = self.pending.pop_first().expect("it was just seen");
                if let Some(input) = self.apply(pending) {
                    self.feed(input);
                }
            }
            (_, Some(timer)) => {
                self.now = self.now.max(timer);
                self.feed(Input::TimerFired);
            }
            (Some(_), None) => unreachable!("an effect without a timer is the first case"),
        }
        true
    }

    /// Runs until `done`, or for `limit` at most.
    pub fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) {
        let end = self.now + limit;
        while self.now < end && !done(self) && self.step() {}
    }

    pub fn run(&mut self, limit: Duration) {
        self.run_until(limit, |_| false);
    }

    /// What an effect does to the world, and what the engine hears of it.
    pub fn apply(&mut self, pending: Pending) -> Option<Input> {
        match pending {
            Pending::Ready(input) => Some(input),
            Pending::Save { revision, record } => {
                let job = record.id;
                let result = if self.strikes(self.trouble.storage) {
                    Err(Reason::StorageFailed { what: "test".into() })
                } else {
                    self.rows.insert(job, record);
                    Ok(())
                };
                Some(Input::Saved { job, revision, result })
            }
            Pending::Submit { job, command } => Some(Input::Committed { job, result: self.commit(command) }),
            Pending::Forward { job, step } => Some(self.forward(job, step)),
            Pending::Poll { job, upstream_job_id } => Some(Input::Polled { job, answer: self.poll(upstream_job_id) }),
            Pending::Cancel { upstream_job_id } => {
                if let Some(job) = self.printer.get_mut(&upstream_job_id)
                    && !job.state.is_final()
                {
                    job.state = JobState::Canceled;
                }
                None
            }
        }
    }

    /// The Registrar and the ledger's conditions.
    pub fn commit(&mut self, command: Command) -> Result<Vec<Change>, Reason> {
        if self.strikes(self.trouble.storage) {
            return Err(Reason::StorageFailed { what: "test".into() });
        }
        let now = self.wall();
        let planned = policy::apply::plan(&self.snapshot, policy::Actor::System, command, now, &mut self.chance)?;
        for change in &planned.changes {
            match change {
                Change::PrintReserved { reservation, .. } if !self.reserved.insert(reservation.job) => {
                    return Err(Reason::AlreadySo { what: "reserved".into() });
                }
                Change::PrintSettled { job, settlement, charged_minor, .. } => {
                    let pages = match settlement {
                        policy::print::Settlement::Settle { pages, .. } => *pages,
                        _ => 0,
                    };
                    assert!(self.settled.insert(*job, (pages, *charged_minor)).is_none(), "{job} was settled twice");
                }
                _ => {}
            }
        }
        let old = Arc::clone(&self.snapshot);
        self.snapshot = Arc::new(old.with(&planned.changes));
        self.sequence += 1;
        self.pending.insert((self.now, self.sequence), Pending::Ready(Input::SnapshotChanged { old }));
        Ok(planned.changes)
    }

    fn forward(&mut self, job: JobId, step: Step) -> Input {
        match step {
            Step::CreateJob { .. } => Input::Created { job, answer: self.create(job) },
            Step::SendDocument { upstream_job_id, .. } => {
                Input::Sent { job, answer: self.deliver(job, Some(upstream_job_id)) }
            }
            Step::PrintJob { .. } => Input::Sent { job, answer: self.deliver(job, None) },
        }
    }

    fn create(&mut self, job: JobId) -> Created {
        if self.strikes(self.trouble.printer) {
            return match self.below(4) {
                0 => Created::Busy,
                1 => Created::Unreachable { detail: "test".into() },
                2 => {
                    self.accept(job);
                    Created::Unreachable { detail: "the answer was lost".into() }
                }
                _ => Created::Refused { sentence: "test".into() },
            };
        }
        if self.trouble.only_print_job {
            return Created::NotSupported;
        }
        Created::Accepted { upstream_job_id: self.accept(job) }
    }

    fn accept(&mut self, job: JobId) -> i32 {
        let id = self.next_upstream;
        self.next_upstream += 1;
        self.printer.insert(id, PrinterJob { name: job.to_string(), state: JobState::Pending, printed: 0, polls: 0 });
        id
    }

    fn deliver(&mut self, job: JobId, named: Option<i32>) -> Sent {
        let Some(pages) = self.spool.get(&job).copied() else { return Sent::Missing };
        if self.strikes(self.trouble.printer) {
            match self.below(5) {
                0 => return Sent::Busy,
                1 => return Sent::Refused { sentence: "test".into() },
                2 => return Sent::Broken { detail: "before anything".into() },
                3 => self.reboot(),
                _ => {
                    self.print(job, named, pages);
                    return Sent::Broken { detail: "the answer was lost".into() };
                }
            }
        }
        match self.print(job, named, pages) {
            Some(upstream_job_id) => Sent::Accepted { upstream_job_id },
            None => Sent::Refused { sentence: "no such job".into() },
        }
    }

    fn print(&mut self, job: JobId, named: Option<i32>, pages: u32) -> Option<i32> {
        let id = named.unwrap_or_else(|| self.accept(job));
        let stops = self.strikes(self.trouble.printer);
        let part = u32::try_from(self.below(u64::from(pages) + 1)).expect("at most the pages");
        let entry = self.printer.get_mut(&id).filter(|entry| entry.name == job.to_string())?;
        if entry.state.is_final() {
            return None;
        }
        *self.deliveries.entry(job.to_string()).or_default() += 1;
        entry.printed = if stops { part } else { pages };
        entry.state = if stops { JobState::Aborted } else { JobState::Completed };
        *self.paper.entry(job.to_string()).or_default() += entry.printed;
        Some(id)
    }

    /// The printer forgets everything and counts its jobs from one again.
    fn reboot(&mut self) {
        self.printer.clear();
        self.next_upstream = 1;
    }

    fn poll(&mut self, upstream_job_id: i32) -> Polled {
        if self.strikes(self.trouble.printer) {
            match self.below(3) {
                0 => return Polled::Unreachable,
                1 => self.reboot(),
                _ => return Polled::Vanished,
            }
        }
        let lie = self.strikes(self.trouble.lies).then(|| self.below(4));
        let Some(job) = self.printer.get_mut(&upstream_job_id) else { return Polled::Vanished };
        job.polls += 1;
        let printed = Some(if self.trouble.counts_nothing { 0 } else { job.printed });
        let mut status = UpstreamJobStatus {
            job_id: upstream_job_id,
            job_name: Some(job.name.clone()),
            state: Some(if job.polls < 3 && job.state == JobState::Completed {
                JobState::Processing
            } else {
                job.state
            }),
            state_reasons: Vec::new(),
            impressions_completed: printed,
            sheets_completed: None,
        };
        match lie {
            None => {}
            Some(0) => status.impressions_completed = None,
            Some(1) => status.impressions_completed = Some(0),
            Some(2) => status.impressions_completed = Some(u32::MAX),
            Some(_) => status.state = None,
        }
        Polled::Status(status)
    }

    /// Power off, power on: only what storage confirmed is left. Effects under way happen or do not; nobody hears of them.
    pub fn crash(&mut self) {
        let mut writing = true;
        for (_, pending) in std::mem::take(&mut self.pending) {
            let happens = self.below(2) == 0;
            if let Pending::Save { .. } = pending {
                writing &= happens; // of the rows, the first few
                if !writing {
                    continue;
                }
            }
            if happens {
                self.apply(pending);
            }
        }
        self.pending.clear();
        let now = self.wall();
        let mut cx = Context { snapshot: &self.snapshot, now, entropy: &mut self.chance };
        self.engine = PrintEngine::recover(&mut cx, self.rows.values().cloned().collect());
        let engine = &self.engine;
        self.spool.retain(|job, _| engine.needs_spool(*job));
        self.drain();
    }

    fn token(&mut self) -> RequestToken {
        let token = RequestToken(self.next_token);
        self.next_token += 1;
        token
    }

    pub fn request(&mut self, operation: OperationId, extra: Vec<Attribute>, template: Vec<Attribute>) -> RequestToken {
        self.request_from(operation, extra, template, true, Some(7))
    }

    pub fn request_from(
        &mut self,
        operation: OperationId,
        extra: Vec<Attribute>,
        template: Vec<Attribute>,
        tls: bool,
        key: Option<u8>,
    ) -> RequestToken {
        let mut message = Message::new(Version::V2_0, operation.code(), 1);
        let group = message.groups.first_mut().expect("the operation group");
        group.attributes.push(Attribute::new("printer-uri", Value::uri("ipps://box/ipp/print/front")));
        group.attributes.extend(extra);
        if !template.is_empty() {
            message.groups.push(Group::new(GroupTag::Job, template));
        }
        let evidence = key.map(|fill| PrintEvidence {
            username: "mara1".into(),
            nt_hash: Secret::new([fill; 16]),
            sha256: Secret::new([0; 32]),
        });
        let document_follows = matches!(operation, OperationId::PrintJob | OperationId::SendDocument);
        let arrival = Arrival {
            queue: name("front"),
            base_uri: "ipps://box".into(),
            tls,
            evidence,
            peer: std::net::Ipv4Addr::LOCALHOST.into(),
            document_follows,
            message,
        };
        let token = self.token();
        self.feed(Input::Request { token, arrival: Box::new(arrival) });
        token
    }

    /// Print-Job of a document with so many pages.
    pub fn print_job(&mut self, pages: u32) -> RequestToken {
        self.uploads.insert(RequestToken(self.next_token), pages);
        self.request(OperationId::PrintJob, Vec::new(), Vec::new())
    }

    pub fn operate(&mut self, command: JobCommand) -> RequestToken {
        let token = self.token();
        self.feed(Input::Operator { token, command });
        token
    }

    pub fn status(&self, token: RequestToken) -> Option<StatusCode> {
        match self.replies.get(&token)? {
            Reply::Ipp(message) => message.status(),
            Reply::Unauthenticated | Reply::UpgradeRequired => None,
        }
    }

    pub fn job_attribute(&self, token: RequestToken, attribute: &str) -> Option<Value> {
        match self.replies.get(&token)? {
            Reply::Ipp(message) => message.attribute(GroupTag::Job, attribute)?.only().cloned(),
            Reply::Unauthenticated | Reply::UpgradeRequired => None,
        }
    }

    pub fn change(&mut self, command: Command) {
        self.commit(command).expect("the test changes what can be changed");
    }

    /// The same where storage may refuse for a while.
    pub fn change_until_done(&mut self, command: Command) {
        while self.commit(command.clone()).is_err() {}
    }
}
