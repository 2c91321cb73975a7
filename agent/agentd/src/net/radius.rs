//! RADIUS: the authentication and accounting sockets, the socket that Disconnect-Requests leave from, the TLS workers, and the
//! one task that owns the `WifiEngine`. It decides nothing and knows no attribute.
//!
//! A login is a dozen short exchanges, each of which costs less than waking a thread: the task has a thread and a runtime of
//! its own, which nobody else has to be woken for, and does the TLS of a datagram itself when no other waits behind it.
//!
//! ```text
//! RadSec connections (net/radsec) --packet--\
//! sockets --datagram--> task: engine --Compute--> worker threads --Computed--\
//!    ^                    |  ^  |--Account--> store ------------Accounted----+--> task
//!    +-------Send---------+  |  '--Present--> watch: whoever asks who is here
//!                            '-- Registrar (changed), timer, WifiHandle (kick, counters)
//! ```

mod workers;

use super::radsec::{self, Line};
use crate::shell::Shell;
use engine::Context;
use engine::wifi::{ConnectionId, Input, Output, Presence, SessionPhase, Socket, WifiEngine};
use policy::access_point::ClientCertificate;
use policy::wifi::{Admission, VlanState, WifiFacts, vlan_state, would_admit};
use policy::{Actor, Command, Reason, Snapshot};
use proto::eap::EapSettings;
use proto::radius::PACKET_MAX_BYTES;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use utoipa::ToSchema;
use values::{AccessPointName, MacAddress, MemberId, NetworkName, Now, SessionId};
use workers::{Work, Workers};

/// Questions of the API that may wait for the engine's task.
const QUESTIONS_MAX: usize = 64;
/// What the RadSec connections have to tell; when it is full they wait, and so do their clients.
const TOLD_MAX: usize = 256;
/// Datagrams taken from one socket before timers, workers and the other sockets have their turn.
const BATCH_MAX: usize = 32;
/// Datagrams that wait: all logins that the engine has under way at one time, some 300 octets each.
const WAITING_MAX: usize = 4_096;

/// A device on the Wi-Fi, as the API shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionView {
    pub id: String,
    pub member_id: Option<String>,
    pub member_name: Option<String>,
    pub username: String,
    /// Empty when the access point does not tell.
    pub mac: String,
    pub access_point: String,
    pub network: Option<String>,
    pub vlan: Option<u16>,
    /// The network's VLAN that the device was not put on, because its test is not passed yet.
    pub vlan_withheld: Option<u16>,
    pub ip: Option<String>,
    pub started_at: i64,
    pub seen_at: i64,
    /// From the device.
    pub rx_bytes: u64,
    /// To the device.
    pub tx_bytes: u64,
    /// `admitted`, `unreported`, `open`, `changing`, `disconnecting` or `disconnect-failed`.
    pub state: String,
}

/// What the RadSec port tells the engine's task.
pub(super) enum Told {
    Connected {
        line: Line,
        connection: ConnectionId,
        from: SocketAddr,
        certificate: ClientCertificate,
    },
    Engine(Input),
    /// There was no place for a connection.
    ConnectionShed,
}

/// RadSec's listener, and the TLS that it asks for.
pub struct RadSecPort {
    pub listener: TcpListener,
    pub tls: Arc<rustls::ServerConfig>,
}

enum Question {
    Kick { session: SessionId, reply: oneshot::Sender<Result<(), Reason>> },
    Counters { reply: oneshot::Sender<Vec<(&'static str, u64)>> },
    Connections { reply: oneshot::Sender<BTreeMap<AccessPointName, usize>> },
}

/// What comes back from workers and the store. At most one message a login and one an unanswered accounting request, and the
/// engine bounds both, so the channel needs no bound of its own; a bound would have the store's thread wait for us.
enum Returned {
    Worker(Input),
    Accounted { token: u64, ok: bool },
}

/// What others may ask the Wi-Fi.
#[derive(Clone)]
pub struct WifiHandle {
    shell: Shell,
    presence: watch::Receiver<Arc<Presence>>,
    questions: mpsc::Sender<Question>,
}

impl WifiHandle {
    /// Who is here, as of at most 50 ms ago.
    #[must_use]
    pub fn presence(&self) -> Arc<Presence> {
        Arc::clone(&self.presence.borrow())
    }

    /// The member's devices that count against the plan's limit.
    #[must_use]
    pub fn live_devices(&self, member: MemberId) -> Vec<MacAddress> {
        self.presence().live_devices(member)
    }

    pub async fn online(&self) -> usize {
        self.presence().sessions.iter().filter(|session| session.phase.takes_a_place()).count()
    }

    pub async fn online_of(&self, member: MemberId) -> usize {
        self.presence().sessions_of(member).filter(|session| session.phase.takes_a_place()).count()
    }

    pub async fn online_by_member(&self) -> HashMap<MemberId, usize> {
        let mut online = HashMap::new();
        for session in self.presence().sessions.iter().filter(|session| session.phase.takes_a_place()) {
            if let Some(member) = session.row.member {
                *online.entry(member).or_insert(0) += 1;
            }
        }
        online
    }

    pub async fn sessions(&self) -> Vec<SessionView> {
        let (snapshot, now) = (self.shell.registrar.snapshot(), self.shell.clock.now());
        self.presence().sessions.iter().map(|session| view(&snapshot, &session.row, session.phase, now)).collect()
    }

    /// Asks the access point to disconnect a device.
    ///
    /// # Errors
    /// There is no such session.
    pub async fn kick(&self, session: SessionId) -> Result<(), Reason> {
        let (reply, answer) = oneshot::channel();
        let asked = self.questions.send(Question::Kick { session, reply }).await;
        match (asked, answer.await) {
            (Ok(()), Ok(result)) => result,
            (Err(_), _) | (_, Err(_)) => Err(Reason::UnknownSession), // the box is stopping, and its sessions with it
        }
    }

    /// Whether the member could bring one more device online now.
    ///
    /// # Errors
    /// Why not.
    pub async fn would_admit(&self, member: MemberId) -> Result<Admission, Reason> {
        let live = self.live_devices(member);
        let snapshot = self.shell.registrar.snapshot();
        would_admit(&snapshot, &WifiFacts { live: &live }, member, self.shell.clock.now())
    }

    /// RadSec connections of each access point that has any.
    pub async fn connections(&self) -> BTreeMap<AccessPointName, usize> {
        let (reply, answer) = oneshot::channel();
        let _ = self.questions.send(Question::Connections { reply }).await; // when the box is stopping there are none
        answer.await.unwrap_or_default()
    }

    /// Counters since the start, for the metrics.
    pub async fn counters(&self) -> Vec<(&'static str, u64)> {
        let (reply, answer) = oneshot::channel();
        let _ = self.questions.send(Question::Counters { reply }).await; // when the box is stopping there is nothing to count
        answer.await.unwrap_or_default()
    }
}

fn withheld(snapshot: &Snapshot, row: &policy::SessionRow, now: Now) -> Option<u16> {
    let network = snapshot.site.networks.get(row.network.as_ref()?)?;
    match vlan_state(snapshot, network, now) {
        VlanState::Untested { vlan } | VlanState::Testing { vlan, .. } => Some(vlan),
        VlanState::Flat | VlanState::Tested { .. } => None,
    }
}

fn view(snapshot: &Snapshot, row: &policy::SessionRow, phase: SessionPhase, now: Now) -> SessionView {
    let member = row.member.and_then(|member| snapshot.members.get(&member));
    SessionView {
        id: row.id.to_string(),
        member_id: row.member.map(|member| member.to_string()),
        member_name: member.map(|member| member.name.0.clone()),
        username: row.username.0.clone(),
        mac: row.mac.map(|mac| mac.to_string()).unwrap_or_default(),
        access_point: row.access_point.to_string(),
        network: row.network.as_ref().map(ToString::to_string),
        vlan: row.vlan,
        vlan_withheld: if row.vlan.is_none() { withheld(snapshot, row, now) } else { None },
        ip: row.ip.as_ref().map(|ip| ip.0.to_string()),
        started_at: row.started_at.0,
        seen_at: row.seen_at.0,
        rx_bytes: row.rx_bytes,
        tx_bytes: row.tx_bytes,
        state: phase.word().to_owned(),
    }
}

/// Serves RADIUS on these sockets until the daemon stops. Sessions that were open at the last stop go on.
///
/// # Errors
/// The third socket cannot be bound, the open sessions cannot be read, or no thread can be started.
pub async fn spawn(
    shell: Shell,
    eap: Arc<EapSettings>,
    auth: UdpSocket,
    acct: UdpSocket,
    radsec: Option<RadSecPort>,
) -> io::Result<WifiHandle> {
    let dynamic = UdpSocket::bind((auth.local_addr()?.ip(), 0)).await?;
    let store = Arc::clone(&shell.store);
    let load = move || Ok::<_, store::StoreError>((store.load_open_sessions()?, store.load_known_devices()?));
    let loaded = tokio::task::spawn_blocking(load).await.map_err(io::Error::other)?;
    let (open, known) = loaded.map_err(io::Error::other)?;
    let (returned, from_elsewhere) = mpsc::unbounded_channel();
    let workers = Workers::start(&returned)?;

    let snapshot = shell.registrar.snapshot();
    let changed = shell.registrar.changed();
    let now = shell.clock.now();
    let mut engine =
        WifiEngine::new(&mut Context { snapshot: &snapshot, now, entropy: &mut host::OsEntropy }, eap, open);
    engine.trust(known);
    let (presence, present) = watch::channel(Arc::default());
    let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
    let handle = WifiHandle { shell: shell.clone(), presence: present, questions };
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let sockets = Sockets::within(&runtime, [auth, acct, dynamic])?;
    let (told, from_lines) = mpsc::channel(TOLD_MAX);
    if let Some(RadSecPort { listener, tls }) = radsec {
        tokio::spawn(radsec::listen(shell.clone(), listener, tls, told.clone()));
    }
    let task = Task {
        shell: shell.clone(),
        engine,
        snapshot,
        sockets,
        waiting: VecDeque::new(),
        lines: BTreeMap::new(),
        lines_shed: 0,
        workers,
        returned,
        presence,
        is_last: false,
    };
    let (running, ended) = oneshot::channel::<()>();
    thread::Builder::new().name("radius".into()).spawn(move || {
        let _running = running; // dropped at the end, be it a panic
        let _open = told; // without a listener too, so that the task does not see it close
        runtime.block_on(task.run(changed, from_elsewhere, from_lines, asked));
    })?;
    shell.run_vital("Wi-Fi", async move { drop(ended.await) });
    Ok(handle)
}

struct Sockets {
    auth: Port,
    acct: Port,
    dynamic: Port,
    /// They listen on all of IPv6, and reach IPv4 by mapped addresses.
    is_v6: bool,
}

/// One UDP socket: to be woken by, and to be looked at without asking whether it woke anybody.
struct Port {
    woken: UdpSocket,
    direct: std::net::UdpSocket,
}

impl Port {
    /// Within the runtime that is to serve it.
    fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        if let Err(error) = host::udp::widen_receive_buffer(&socket) {
            tracing::debug!(%error, "a socket keeps its receive buffer");
        }
        Ok(Self { direct: socket.try_clone()?, woken: UdpSocket::from_std(socket)? })
    }
}

impl Sockets {
    /// The sockets, from now on served by this runtime.
    fn within(runtime: &Runtime, sockets: [UdpSocket; 3]) -> io::Result<Self> {
        let is_v6 = sockets[0].local_addr()?.is_ipv6();
        let [auth, acct, dynamic] = sockets.map(UdpSocket::into_std);
        let _inside = runtime.enter();
        Ok(Self { auth: Port::new(auth?)?, acct: Port::new(acct?)?, dynamic: Port::new(dynamic?)?, is_v6 })
    }

    /// None for a connection, which is no socket of ours here.
    fn of(&self, socket: Socket) -> Option<&Port> {
        match socket {
            Socket::Authentication => Some(&self.auth),
            Socket::Accounting => Some(&self.acct),
            Socket::DynamicAuthorization => Some(&self.dynamic),
            Socket::RadSec(_) => None,
        }
    }

    /// A datagram that has arrived, if any. `look` asks the kernel even when nothing has woken us.
    fn take(&self, socket: Socket, buffer: &mut [u8], look: bool) -> Option<Input> {
        let port = self.of(socket)?;
        let received = if look { port.direct.recv_from(buffer) } else { port.woken.try_recv_from(buffer) };
        match received {
            Ok((length, from)) => {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                let datagram = buffer.get(..length).unwrap_or_default().to_vec();
                Some(Input::Received { socket, from, datagram })
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => {
                tracing::debug!(%error, ?socket, "a datagram could not be received");
                None
            }
        }
    }

    async fn send(&self, socket: Socket, to: SocketAddr, datagram: &[u8]) {
        let to = match to.ip() {
            IpAddr::V4(v4) if self.is_v6 => SocketAddr::new(v4.to_ipv6_mapped().into(), to.port()),
            IpAddr::V4(_) | IpAddr::V6(_) => to,
        };
        let Some(port) = self.of(socket) else { return };
        if let Err(error) = port.woken.send_to(datagram, to).await {
            tracing::warn!(%error, %to, "a RADIUS packet could not be sent");
        }
    }
}

/// The owner of the engine.
struct Task {
    shell: Shell,
    engine: WifiEngine,
    /// The snapshot that the engine knows.
    snapshot: Arc<Snapshot>,
    sockets: Sockets,
    /// Datagrams taken from the kernel that wait for the engine. It keeps some hundred at the most, and a thousand devices that
    /// come back after a power cut send more than that at once.
    waiting: VecDeque<Input>,
    /// RadSec connections that the engine has not closed.
    lines: BTreeMap<ConnectionId, Line>,
    /// Connections for which there was no place, and those that did not take what they were sent.
    lines_shed: u64,
    workers: Workers,
    returned: mpsc::UnboundedSender<Returned>,
    presence: watch::Sender<Arc<Presence>>,
    /// No other datagram waits behind the one that is being handled: its TLS delays nobody, and handing it to a worker would
    /// cost more than most of it.
    is_last: bool,
}

impl Task {
    async fn run(
        mut self,
        mut changed: broadcast::Receiver<Arc<Snapshot>>,
        mut from_elsewhere: mpsc::UnboundedReceiver<Returned>,
        mut from_lines: mpsc::Receiver<Told>,
        mut asked: mpsc::Receiver<Question>,
    ) {
        // One octet more than a packet has, so that what is too long is seen as such.
        let mut buffer = vec![0; PACKET_MAX_BYTES + 1];
        let shell = self.shell.clone();
        let mut stopped = pin!(shell.stopped());
        // Set anew only when the time changes, which it seldom does from one packet to the next.
        let mut timer = pin!(shell.sleep_until(None));
        let mut timer_due = None;
        self.perform().await;
        loop {
            let due = self.engine.poll_timeout();
            if due != timer_due {
                timer.set(shell.sleep_until(due));
                timer_due = due;
            }
            tokio::select! {
                () = &mut stopped => return,
                // Whether it lagged or not, the newest snapshot is looked at before the next input.
                _ = changed.recv() => self.refresh().await,
                Some(message) = from_elsewhere.recv() => self.take_back(message).await,
                Some(question) = asked.recv() => self.reply(question).await,
                Some(told) = from_lines.recv() => self.told(told).await,
                _ = self.sockets.auth.woken.readable() => self.receive(Socket::Authentication, &mut buffer).await,
                _ = self.sockets.acct.woken.readable() => self.receive(Socket::Accounting, &mut buffer).await,
                _ = self.sockets.dynamic.woken.readable() => self.receive(Socket::DynamicAuthorization, &mut buffer).await,
                // Others are looked at first: a timer, a worker, a socket.
                () = tokio::task::yield_now(), if !self.waiting.is_empty() => self.work_off(&mut buffer).await,
                () = &mut timer => {
                    timer.set(shell.sleep_until(None));
                    timer_due = None;
                    self.input(Input::TimerFired).await;
                }
            }
        }
    }

    async fn receive(&mut self, socket: Socket, buffer: &mut [u8]) {
        self.fetch(socket, buffer, false);
        self.work_off(buffer).await;
    }

    /// Takes what has arrived, so that it does not lie in the kernel's small buffer while others are served. What finds no room
    /// stays there, and is lost when that is full too: the access point sends it again.
    fn fetch(&mut self, socket: Socket, buffer: &mut [u8], look: bool) {
        while self.waiting.len() < WAITING_MAX
            && let Some(input) = self.sockets.take(socket, buffer, look)
        {
            self.waiting.push_back(input);
        }
    }

    async fn work_off(&mut self, buffer: &mut [u8]) {
        for _ in 0..BATCH_MAX {
            let Some(input) = self.waiting.pop_front() else { return };
            self.is_last = self.waiting.is_empty();
            self.input(input).await;
            self.is_last = false;
            if !self.waiting.is_empty() {
                self.fetch(Socket::Authentication, buffer, true);
                self.fetch(Socket::Accounting, buffer, true);
            }
        }
    }

    async fn told(&mut self, told: Told) {
        match told {
            Told::Connected { line, connection, from, certificate } => {
                self.lines.insert(connection, line);
                self.input(Input::Connected { connection, from, certificate }).await;
            }
            Told::Engine(input) => {
                if let Input::Gone { connection } = input {
                    self.lines.remove(&connection);
                }
                self.input(input).await;
            }
            Told::ConnectionShed => self.lines_shed += 1,
        }
    }

    /// To a RadSec connection. One that takes nothing any more is cut.
    fn send_by(&mut self, connection: ConnectionId, datagram: Vec<u8>) {
        let Some(line) = self.lines.get(&connection) else { return }; // it is over, and the answer with it
        if line.try_send(datagram).is_err() {
            self.lines_shed += 1;
            self.lines.remove(&connection);
        }
    }

    async fn take_back(&mut self, message: Returned) {
        match message {
            Returned::Worker(input) => {
                self.workers.came_back(&input);
                self.input(input).await;
            }
            Returned::Accounted { token, ok } => self.input(Input::Accounted { token, ok }).await,
        }
    }

    async fn reply(&mut self, question: Question) {
        self.refresh().await;
        match question {
            Question::Kick { session, reply } => {
                let _ = reply.send(self.kick(session)); // the asker may have gone
                self.perform().await;
            }
            Question::Counters { reply } => {
                let mut counters = self.engine.counters().all();
                counters.push(("logins_under_way", self.engine.logins() as u64));
                counters.push(("radsec_connections_open", self.lines.len() as u64));
                counters.push(("radsec_connections_shed", self.lines_shed));
                let _ = reply.send(counters);
            }
            Question::Connections { reply } => {
                let _ = reply.send(self.engine.connections());
            }
        }
    }

    /// Tells the engine of a newer snapshot.
    async fn refresh(&mut self) {
        let newest = self.shell.registrar.snapshot();
        if !Arc::ptr_eq(&newest, &self.snapshot) {
            let old = std::mem::replace(&mut self.snapshot, newest);
            self.handle(Input::SnapshotChanged { old });
            self.perform().await;
        }
    }

    /// One input, on the newest snapshot there is.
    async fn input(&mut self, input: Input) {
        self.refresh().await;
        self.handle(input);
        self.perform().await;
    }

    fn kick(&mut self, session: SessionId) -> Result<(), Reason> {
        let now = self.shell.clock.now();
        self.engine.kick(&mut Context { snapshot: &self.snapshot, now, entropy: &mut host::OsEntropy }, session)
    }

    fn handle(&mut self, input: Input) {
        let now = self.shell.clock.now();
        self.engine.handle(&mut Context { snapshot: &self.snapshot, now, entropy: &mut host::OsEntropy }, input);
    }

    /// Does what the engine wants, to the end.
    async fn perform(&mut self) {
        let mut ours = VecDeque::new();
        loop {
            self.perform_outputs(&mut ours).await;
            let Some(work) = ours.pop_front() else { return };
            self.handle(work.compute());
        }
    }

    /// A device has shown that a VLAN works: asked of the Registrar, whose new snapshot comes back like any other.
    fn pass_vlan_test(&self, network: NetworkName, vlan: u16) {
        let registrar = self.shell.registrar.clone();
        tokio::spawn(async move {
            let command = Command::PassVlanTest { network, vlan };
            if let Err(reason) = registrar.submit(Actor::System, command).await {
                tracing::debug!(%reason, "a test of a VLAN was passed again"); // by a second report of the same device
            }
        });
    }

    /// Does what the engine wants, but for the TLS that is left to this thread.
    async fn perform_outputs(&mut self, ours: &mut VecDeque<Work>) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Send { socket: Socket::RadSec(connection), to: _, datagram } => {
                    self.send_by(connection, datagram)
                }
                Output::Send { socket, to, datagram } => self.sockets.send(socket, to, &datagram).await,
                Output::Close { connection } => drop(self.lines.remove(&connection)),
                Output::Compute { token, conversation, input } => {
                    let work = Work::Step { token, conversation, input };
                    if self.is_last {
                        ours.push_back(work);
                    } else if !self.workers.give(work) {
                        self.handle(Input::ComputeLost { token });
                    }
                }
                Output::FindKey { token, search } => {
                    if !self.workers.give(Work::Search { token, search }) {
                        self.handle(Input::KeySearchLost { token });
                    }
                }
                Output::Account { token, rows } => {
                    let returned = self.returned.clone();
                    self.shell.store.save_sessions(rows, move |result| {
                        if let Err(error) = &result {
                            tracing::warn!(%error, "a Wi-Fi session could not be written down");
                        }
                        let _ = returned.send(Returned::Accounted { token, ok: result.is_ok() }); // or the daemon stops
                    });
                }
                Output::Record(record) => self.shell.recorder.record(record),
                Output::VlanPassed { network, vlan } => self.pass_vlan_test(network, vlan),
                Output::Present(presence) => {
                    self.presence.send_replace(presence);
                }
            }
        }
    }
}
