//! The owner of the engine: takes what has arrived, tells the engine, does what it wants.

use super::Told;
use super::handle::Question;
use super::mailbox::{Mailbox, Return, Returned};
use super::sockets::Sockets;
use super::workers::{Work, Workers};
use crate::net::radsec::Line;
use crate::shell::Shell;
use engine::Context;
use engine::wifi::{ConnectionId, Input, Output, Presence, Socket, WifiEngine};
use policy::{Actor, Command, Reason, Snapshot};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::watch;
use values::{NetworkName, SessionId};

/// Datagrams, or messages of others, that are worked off before timers and the rest have their turn.
const BATCH_MAX: usize = 16;
/// Datagrams that wait: all logins that the engine has under way at one time, some 300 octets each.
const WAITING_MAX: usize = 4_096;

pub(super) struct Task {
    pub(super) shell: Shell,
    pub(super) engine: WifiEngine,
    /// The snapshot that the engine knows.
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) sockets: Sockets,
    pub(super) mailbox: Mailbox,
    /// Datagrams taken from the kernel that wait for the engine. The kernel keeps some hundred at the most, and a thousand
    /// devices that come back after a power cut send more than that at once.
    pub(super) waiting: VecDeque<Input>,
    /// RadSec connections that the engine has not closed.
    pub(super) lines: BTreeMap<ConnectionId, Line>,
    /// Connections for which there was no place, and those that did not take what they were sent.
    pub(super) lines_shed: u64,
    pub(super) workers: Workers,
    pub(super) returned: Return,
    pub(super) presence: watch::Sender<Arc<Presence>>,
    /// Where the daemon's other tasks run.
    pub(super) runtime: Handle,
}

impl Task {
    /// Until the daemon stops.
    ///
    /// # Errors
    /// What poll(2) says.
    pub(super) fn run(mut self) -> io::Result<()> {
        self.perform();
        loop {
            self.workers.hand_over();
            self.take_in()?;
            if self.mailbox.bell.rings() && !self.read_mail() {
                self.engine.stop();
                self.perform();
                return Ok(());
            }
            for _ in 0..BATCH_MAX {
                let Some(input) = self.waiting.pop_front() else { break };
                self.input(input);
            }
        }
    }

    /// Waits until there is something to do, does what is due by time, and takes what has arrived.
    fn take_in(&mut self) -> io::Result<()> {
        let due = self.engine.poll_timeout().map(|due| self.shell.clock.instant(due));
        let mut left = due.map(|due| due.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            self.input(Input::TimerFired);
        }
        if !self.waiting.is_empty() {
            self.fetch(Sockets::ALL);
            return Ok(());
        }
        if let Some(work) = self.workers.help() {
            let input = work.compute();
            self.input(input);
            left = Some(Duration::ZERO); // there may be more
        }
        let [first, second, third] = self.sockets.sources();
        let bell = self.mailbox.bell.as_fd();
        let [rings, arrived @ ..] = host::poll::wait_readable([bell, first, second, third], left)?;
        if rings {
            self.mailbox.bell.ring(); // so that the mail is looked at
        }
        self.fetch(Sockets::ALL.into_iter().zip(arrived).filter_map(|(socket, arrived)| arrived.then_some(socket)));
        Ok(())
    }

    fn fetch(&mut self, sockets: impl IntoIterator<Item = Socket>) {
        for socket in sockets {
            self.sockets.fetch(socket, &mut self.waiting, WAITING_MAX);
        }
    }

    /// False when the daemon stops.
    fn read_mail(&mut self) -> bool {
        self.mailbox.bell.heard();
        if *self.shell.stopping.borrow() {
            return false;
        }
        self.refresh();
        for _ in 0..BATCH_MAX {
            let returned = self.mailbox.returned.try_recv().map(|message| self.take_back(message));
            let told = self.mailbox.told.try_recv().map(|told| self.told(told));
            let asked = self.mailbox.asked.try_recv().map(|question| self.reply(question));
            if returned.is_err() && told.is_err() && asked.is_err() {
                return true;
            }
        }
        self.mailbox.bell.ring(); // there may be more
        true
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Connected { line, connection, from, certificate } => {
                self.lines.insert(connection, line);
                self.input(Input::Connected { connection, from, certificate });
            }
            Told::Engine(input) => {
                if let Input::Gone { connection } = input {
                    self.lines.remove(&connection);
                }
                self.input(input);
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

    fn take_back(&mut self, message: Returned) {
        match message {
            Returned::Worker(input) => self.input(input),
            Returned::Accounted { token, ok } => self.input(Input::Accounted { token, ok }),
        }
    }

    fn reply(&mut self, question: Question) {
        match question {
            Question::Kick { session, reply } => {
                let _ = reply.send(self.kick(session)); // the asker may have gone
                self.perform();
            }
            Question::Counters { reply } => {
                let mut counters = self.engine.counters().all();
                counters.push(("logins_under_way", self.engine.logins() as u64));
                counters.push(("answers_unsent", self.sockets.unsent()));
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
    fn refresh(&mut self) {
        let newest = self.shell.registrar.snapshot();
        if !Arc::ptr_eq(&newest, &self.snapshot) {
            let old = std::mem::replace(&mut self.snapshot, newest);
            self.handle(Input::SnapshotChanged { old });
            self.perform();
        }
    }

    /// One input, on the newest snapshot there is.
    fn input(&mut self, input: Input) {
        self.refresh();
        self.handle(input);
        self.perform();
    }

    fn kick(&mut self, session: SessionId) -> Result<(), Reason> {
        let now = self.shell.clock.now();
        self.engine.kick(&mut Context { snapshot: &self.snapshot, now, entropy: &mut host::OsEntropy }, session)
    }

    fn handle(&mut self, input: Input) {
        let now = self.shell.clock.now();
        self.engine.handle(&mut Context { snapshot: &self.snapshot, now, entropy: &mut host::OsEntropy }, input);
    }

    /// A device has shown that a VLAN works: asked of the Registrar, whose new snapshot comes back like any other.
    fn pass_vlan_test(&self, network: NetworkName, vlan: u16) {
        let registrar = self.shell.registrar.clone();
        self.runtime.spawn(async move {
            let command = Command::PassVlanTest { network, vlan };
            if let Err(reason) = registrar.submit(Actor::System, command).await {
                tracing::debug!(%reason, "a test of a VLAN was passed again"); // by a second report of the same device
            }
        });
    }

    /// A login's next step: here when nobody waits, since its TLS then delays nobody and handing it over would cost more than
    /// most of it; otherwise by a worker.
    fn step(&mut self, work: Work) {
        if self.waiting.is_empty() && self.mailbox.told.is_empty() {
            let input = work.compute();
            self.handle(input);
        } else {
            self.workers.give(work);
        }
    }

    /// Does what the engine wants, to the end.
    fn perform(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Send { socket: Socket::RadSec(connection), to: _, datagram } => {
                    self.send_by(connection, datagram);
                }
                Output::Send { socket, to, datagram } => self.sockets.send(socket, to, &datagram),
                Output::Close { connection } => drop(self.lines.remove(&connection)),
                Output::Compute { token, conversation, input } => {
                    self.step(Work::Step { token, conversation, input });
                }
                Output::FindKey { token, search } => self.workers.give(Work::Search { token, search }),
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
