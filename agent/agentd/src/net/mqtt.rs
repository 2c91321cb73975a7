//! MQTT: the device listeners (TLS, and plain on loopback), one task a connection, and the one task that owns the
//! `DoorEngine`. It decides nothing and knows no packet.
//!
//! ```text
//! listeners --handshake, own task--> connection tasks <--bytes, Written, Expired--> task: engine --LogIntent--> intents.ring
//!                                                                                    ^   '--Record--> recorder
//!                                    Registrar (changed), timer, DoorHandle ---------+
//! ```
//!
//! Limits: TLS handshake 5 s; connections in all and for one address; before the handshake is over, fewer. CONNECT within 5 s,
//! packet size and rate are the session's (`proto::mqtt`).

mod connection;

use crate::api::guard::Peer;
use crate::listener::{Place, Places, next_connection};
use crate::shell::Shell;
use connection::{Connection, Line, OUTBOUND_MAX, Outbound, Told, Wire};
use engine::Context;
use engine::door::{Answer, DoorEngine, DoorOutcome, Epoch, Input, Output, RequestId};
use policy::door::{DoorQuestion, Who, decide};
use policy::{Actor, Reason, Snapshot};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use store::IntentsRing;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_rustls::TlsAcceptor;
use utoipa::ToSchema;
use values::{DeviceName, DoorName, IntentId, MemberId};

const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// The engine's own limit; a house has some 50 doors.
const CONNECTIONS_MAX: usize = 256;
/// Several devices may stand behind one bridge or, in a test, on one machine.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 64;
const HANDSHAKES_MAX: usize = 64;
/// After a power cut all devices come at once, each from its own address.
const HANDSHAKES_PER_ADDRESS_MAX: usize = 16;
/// What connections may have said that the engine has not heard yet; a connection waits, and reads no further.
const TOLD_MAX: usize = 512;
/// Questions of the API that may wait.
const QUESTIONS_MAX: usize = 64;

/// A door, as the API shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DoorView {
    pub name: String,
    pub title: String,
    pub relay: RelayView,
    pub readers: Vec<ReaderView>,
    pub last: Option<LastOpening>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RelayView {
    pub device: String,
    pub profile: String,
    pub connected: bool,
    pub since: Option<i64>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReaderView {
    pub device: String,
    pub connected: bool,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LastOpening {
    pub at: i64,
    pub outcome: String,
    pub sentence: String,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Opened {
    pub intent: Option<String>,
    /// `opened`, `refused`, `failed` or `unknown`.
    pub outcome: String,
    pub code: String,
    pub sentence: String,
}

enum Question {
    Open { door: DoorName, actor: Actor, member: Option<MemberId>, reply: oneshot::Sender<Answer> },
    Doors { reply: oneshot::Sender<Vec<engine::door::DoorView>> },
    Connected { reply: oneshot::Sender<BTreeMap<DeviceName, i64>> },
    Counters { reply: oneshot::Sender<Vec<(&'static str, u64)>> },
}

/// What others may ask the doors.
#[derive(Clone)]
pub struct DoorHandle {
    shell: Shell,
    questions: mpsc::Sender<Question>,
    shed: Arc<AtomicU64>,
}

impl DoorHandle {
    pub async fn doors(&self) -> Vec<DoorView> {
        let doors = self.ask(|reply| Question::Doors { reply }).await.unwrap_or_default();
        doors.into_iter().map(DoorView::from).collect()
    }

    /// Answers when the relay has confirmed, refused or stayed silent; 4 s at most.
    pub async fn open(&self, door: DoorName, actor: Actor, member: Option<MemberId>) -> Opened {
        match self.ask(|reply| Question::Open { door, actor, member, reply }).await {
            Some(answer) => Opened::from(answer),
            // The daemon stops; whether a command had left, nobody knows any more.
            None => Opened {
                intent: None,
                outcome: DoorOutcome::Unknown.as_str().to_owned(),
                code: Reason::DoorUnconfirmed.code().to_owned(),
                sentence: Reason::DoorUnconfirmed.sentence(),
            },
        }
    }

    /// Connected devices, and since when in milliseconds.
    pub async fn connected(&self) -> BTreeMap<DeviceName, i64> {
        self.ask(|reply| Question::Connected { reply }).await.unwrap_or_default()
    }

    /// Whether the member could open the door now.
    ///
    /// # Errors
    /// Why not.
    pub async fn would_open(&self, member: MemberId, door: DoorName) -> Result<(), Reason> {
        let question = DoorQuestion { door: &door, who: Who::Member(member) };
        decide(&self.shell.registrar.snapshot(), &question, self.shell.clock.now()).map(|_| ())
    }

    /// Empty when the engine's task is gone.
    pub async fn counters(&self) -> Vec<(&'static str, u64)> {
        let mut counters = self.ask(|reply| Question::Counters { reply }).await.unwrap_or_default();
        if !counters.is_empty() {
            counters.push(("door_connections_shed", self.shed.load(Ordering::Relaxed)));
        }
        counters
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.questions.send(question(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// Starts the listeners and the engine's task.
///
/// # Errors
/// A plain listener that others than this machine can reach: passwords would cross the network in the clear.
pub async fn spawn(
    shell: Shell,
    tls: Arc<rustls::ServerConfig>,
    tls_listener: TcpListener,
    plain: Option<TcpListener>,
) -> std::io::Result<DoorHandle> {
    if let Some(listener) = &plain
        && !listener.local_addr()?.ip().is_loopback()
    {
        return Err(std::io::Error::other("MQTT without TLS may listen on a loopback address only"));
    }
    let data = shell.data.clone();
    let opened = tokio::task::spawn_blocking(move || IntentsRing::open(&data)).await.map_err(std::io::Error::other)?;
    let (ring, unfinished) = match opened {
        Ok((ring, unfinished)) => (Some(ring), unfinished),
        Err(error) => {
            // Doors go on without it (every opening is then counted as a gap), and what was under way cannot be told.
            tracing::error!(%error, "intents.ring cannot be used");
            (None, Vec::new())
        }
    };
    let (told, inbox) = mpsc::channel(TOLD_MAX);
    let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
    let gate = Gate {
        shell: shell.clone(),
        told,
        epochs: Arc::default(),
        handshakes: Places::new(HANDSHAKES_PER_ADDRESS_MAX, HANDSHAKES_MAX),
        connections: Places::new(CONNECTIONS_PER_ADDRESS_MAX, CONNECTIONS_MAX),
        shed: Arc::default(),
    };
    let shed = Arc::clone(&gate.shed);
    tokio::spawn(gate.clone().listen(tls_listener, Some(TlsAcceptor::from(tls))));
    if let Some(listener) = plain {
        tokio::spawn(gate.listen(listener, None));
    }
    // Before anything is served, so that no change of the snapshot is missed.
    let changed = shell.registrar.changed();
    let mut task = Task::new(shell.clone(), ring);
    task.recover(unfinished);
    shell.run_vital("doors", task.serve(inbox, asked, changed));
    Ok(DoorHandle { shell, questions, shed })
}

/// Takes connections.
#[derive(Clone)]
struct Gate {
    shell: Shell,
    told: mpsc::Sender<Told>,
    epochs: Arc<AtomicU64>,
    handshakes: Places,
    connections: Places,
    /// Connections for which there was no place.
    shed: Arc<AtomicU64>,
}

impl Gate {
    async fn listen(self, listener: TcpListener, tls: Option<TlsAcceptor>) {
        while let Some((stream, peer)) = next_connection(&self.shell, "MQTT", &listener).await {
            // One who has a whole IPv6 network has one address.
            let from = Peer::at(peer.ip());
            let (Some(handshake), Some(place)) = (self.handshakes.take(from), self.connections.take(from)) else {
                self.shed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%peer, "too many MQTT connections");
                continue;
            };
            let (gate, tls) = (self.clone(), tls.clone());
            tokio::spawn(async move { gate.welcome(stream, peer.ip(), tls, handshake, place).await });
        }
    }

    async fn welcome(self, stream: TcpStream, peer: IpAddr, tls: Option<TlsAcceptor>, handshake: Place, _place: Place) {
        if let Err(error) = host::tcp::prepare_for_commands(&stream) {
            tracing::debug!(%error, "a socket could not be prepared");
            return;
        }
        match tls {
            None => {
                drop(handshake);
                self.serve(stream, peer).await;
            }
            Some(acceptor) => match tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    drop(handshake);
                    self.serve(stream, peer).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
            },
        }
    }

    async fn serve<W: Wire>(self, wire: W, peer: IpAddr) {
        let epoch = Epoch(self.epochs.fetch_add(1, Ordering::Relaxed));
        let (to_connection, outbound) = mpsc::channel(OUTBOUND_MAX);
        let (reset_sender, reset) = watch::channel(false);
        let line = Line { outbound: to_connection, reset: reset_sender };
        if self.told.send(Told::Opened { epoch, peer, line }).await.is_ok() {
            let clock = Arc::clone(&self.shell.clock);
            Connection { epoch, wire, engine: self.told, outbound, reset, clock }.serve().await;
        }
    }
}

/// The task that owns the engine.
struct Task {
    shell: Shell,
    engine: DoorEngine,
    ring: Option<IntentsRing>,
    lines: HashMap<Epoch, Line>,
    waiting: HashMap<RequestId, oneshot::Sender<Answer>>,
    last_request: u64,
    /// From the ring's thread. At most one message for each opening under way.
    logged: mpsc::UnboundedSender<(IntentId, bool)>,
    logged_inbox: Option<mpsc::UnboundedReceiver<(IntentId, bool)>>,
}

impl Task {
    fn new(shell: Shell, ring: Option<IntentsRing>) -> Self {
        let (logged, logged_inbox) = mpsc::unbounded_channel();
        Self {
            shell,
            engine: DoorEngine::new(),
            ring,
            lines: HashMap::new(),
            waiting: HashMap::new(),
            last_request: 0,
            logged,
            logged_inbox: Some(logged_inbox),
        }
    }

    fn recover(&mut self, unfinished: Vec<policy::IntentRow>) {
        let snapshot = self.shell.registrar.snapshot();
        let now = self.shell.clock.now();
        let mut cx = Context { snapshot: &snapshot, now, entropy: &mut host::OsEntropy };
        self.engine.recover(&mut cx, unfinished);
        self.perform();
    }

    async fn serve(
        mut self,
        mut inbox: mpsc::Receiver<Told>,
        mut asked: mpsc::Receiver<Question>,
        mut changed: broadcast::Receiver<Arc<Snapshot>>,
    ) {
        let Some(mut logged) = self.logged_inbox.take() else { return };
        loop {
            let due = self.engine.poll_timeout();
            tokio::select! {
                // A suspension counts before the badge that follows it.
                biased;
                () = self.shell.stopped() => return,
                old = changed.recv() => match old {
                    Ok(old) => self.handle(Input::SnapshotChanged { old }),
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        let old = self.shell.registrar.snapshot();
                        self.handle(Input::SnapshotChanged { old });
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                Some((intent, ok)) = logged.recv() => self.handle(Input::IntentLogged { intent, ok }),
                () = self.shell.sleep_until(due) => self.handle(Input::TimerFired),
                Some(told) = inbox.recv() => self.told(told),
                Some(question) = asked.recv() => self.asked(question),
            }
        }
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Opened { epoch, peer, line } => {
                self.lines.insert(epoch, line);
                self.handle(Input::ConnectionOpened { epoch, peer });
            }
            Told::Engine(Input::Closed { epoch }) => {
                self.lines.remove(&epoch);
                self.handle(Input::Closed { epoch });
            }
            Told::Engine(input) => self.handle(input),
        }
    }

    fn asked(&mut self, question: Question) {
        // Who asked may have gone meanwhile; nothing hangs on the reply.
        match question {
            Question::Open { door, actor, member, reply } => {
                self.last_request += 1;
                let request = RequestId(self.last_request);
                self.waiting.insert(request, reply);
                self.handle(Input::Open { request, door, actor, member });
            }
            Question::Doors { reply } => {
                let _ = reply.send(self.engine.doors(&self.shell.registrar.snapshot()));
            }
            Question::Connected { reply } => {
                let connected = self.engine.connected();
                let _ = reply.send(connected.into_iter().map(|(device, since)| (device, since.0)).collect());
            }
            Question::Counters { reply } => {
                let _ = reply.send(counters(&self.engine));
            }
        }
    }

    fn handle(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let snapshot = self.shell.registrar.snapshot();
            let now = self.shell.clock.now();
            let mut cx = Context { snapshot: &snapshot, now, entropy: &mut host::OsEntropy };
            self.engine.handle(&mut cx, input);
            inputs.extend(self.perform());
        }
    }

    /// Does what the engine wants; what comes back at once is fed to it next.
    fn perform(&mut self) -> Vec<Input> {
        let mut inputs = Vec::new();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Send { epoch, bytes, deadline } => {
                    let is_queued = self.lines.get(&epoch).is_some_and(|line| {
                        let queued = line.outbound.try_send(Outbound::Bytes { bytes, deadline }).is_ok();
                        if !queued {
                            // It takes nothing any more: a stalled link.
                            let _ = line.reset.send(true);
                        }
                        queued
                    });
                    if let (false, Some(deadline)) = (is_queued, deadline) {
                        inputs.push(Input::Expired { send: deadline.send });
                    }
                }
                Output::Close { epoch } => {
                    if let Some(line) = self.lines.remove(&epoch) {
                        let _ = line.outbound.try_send(Outbound::Close); // a full queue ends with the line's drop
                    }
                }
                Output::Reset { epoch } => {
                    if let Some(line) = self.lines.remove(&epoch) {
                        let _ = line.reset.send(true);
                    }
                }
                Output::LogIntent { row, confirm } => self.log_intent(row, confirm),
                Output::Record(record) => self.shell.recorder.record(record),
                Output::Answered { request, answer } => {
                    if let Some(reply) = self.waiting.remove(&request) {
                        let _ = reply.send(answer);
                    }
                }
            }
        }
        inputs
    }

    fn log_intent(&self, row: policy::IntentRow, confirm: bool) {
        let (intent, logged) = (row.intent, self.logged.clone());
        let done = move |ok: bool| {
            if confirm {
                let _ = logged.send((intent, ok)); // the engine's task has ended
            }
        };
        match &self.ring {
            Some(ring) => ring.append(row, move |result| done(result.is_ok())),
            None => done(false),
        }
    }
}

fn counters(engine: &DoorEngine) -> Vec<(&'static str, u64)> {
    let counters = engine.counters();
    vec![
        ("door_connections", counters.connections),
        ("door_connects_refused", counters.connects_refused),
        ("door_messages_refused", counters.messages_refused),
        ("door_opened", counters.opened),
        ("door_refused", counters.refused),
        ("door_failed", counters.failed),
        ("door_unknown", counters.unknown),
        ("door_intent_gaps", counters.intent_gaps),
        ("door_rows_suppressed", counters.rows_suppressed),
        ("door_resets", counters.resets),
    ]
}

impl From<engine::door::DoorView> for DoorView {
    fn from(door: engine::door::DoorView) -> Self {
        let reader = |(device, since): (DeviceName, Option<values::Timestamp>)| ReaderView {
            device: device.to_string(),
            connected: since.is_some(),
        };
        Self {
            name: door.name.to_string(),
            title: door.title,
            relay: RelayView {
                device: door.relay.to_string(),
                profile: door.profile.as_str().to_owned(),
                connected: door.relay_since.is_some(),
                since: door.relay_since.map(|since| since.0),
            },
            readers: door.readers.into_iter().map(reader).collect(),
            last: door.last.map(|last| LastOpening {
                at: last.at.0,
                outcome: last.outcome.as_str().to_owned(),
                sentence: last.sentence,
            }),
        }
    }
}

impl From<Answer> for Opened {
    fn from(answer: Answer) -> Self {
        Self {
            intent: Some(answer.intent.to_string()),
            outcome: answer.outcome.as_str().to_owned(),
            code: answer.code.to_owned(),
            sentence: answer.sentence,
        }
    }
}
