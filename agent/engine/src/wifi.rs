//! The Wi-Fi: joins RADIUS and EAP to the decision who may join, and owns what lives longer than a packet: logins under way,
//! recently answered requests, sessions with their accounting, places among a member's devices, and Disconnect-Requests.
//!
//! It refuses to know sockets, threads and tables: a login's TLS is done by a worker that is handed the whole
//! [`EapConversation`] (`Output::Compute`) and brings it back (`Input::Computed`), and accounting is answered when somebody
//! says that it is written down (`Output::Account`, `Input::Accounted`). RFC 2865, 2866, 3579, 5080, 5176, 5997.
//!
//! ```text
//! Access-Request --receive--> genuine? seen before? --login--> Compute .. Computed --NeedCredential--> identify
//!                                                                            \-----Proven----------> admit
//!                                                                             \----Success-> admit again -> Access-Accept
//! Accounting-Request --receive--> session table --> Account .. Accounted --> Accounting-Response
//! SnapshotChanged, terms over, kick --> judge --> Disconnect-Request until answered
//! ```

mod accounting;
mod answer;
mod backoff;
mod change;
mod counters;
mod disconnect;
mod duplicate;
mod leave;
mod login;
mod mac_auth;
mod method;
mod passphrase;
mod presence;
mod radsec;
mod receive;
mod refusals;
mod refuse;
mod session;
mod terms;
#[cfg(test)]
mod tests;
mod under_way;
mod unwritten;
mod warning;

pub use counters::Counters;
pub use passphrase::KeySearch;
pub use presence::{Presence, SessionPhase, SessionView};
pub use radsec::HandshakeFault;

use crate::Context;
use backoff::BackOff;
use disconnect::Asked;
use duplicate::Duplicates;
use method::Habits;
use passphrase::Passphrases;
use policy::access_point::ClientCertificate;
use policy::{Noun, Outcome, Record, SessionRow, Snapshot};
use proto::eap::{EapConversation, EapInput, EapSettings, EapStep};
use proto::radius::radsec::InvalidLength;
use radsec::Lines;
use refusals::Refusals;
use session::Sessions;
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use under_way::Logins;
use unwritten::Unwritten;
use values::{CredentialId, EventId, Mono, NetworkName, SessionId};
use warning::Warnings;

/// How often logins, held places and rows that could not be written are looked over.
const SWEEP: Duration = Duration::from_secs(1);
/// How often the rest is when nobody is logging in: sessions end by silence after minutes or hours.
const SLOW_SWEEP: Duration = Duration::from_secs(15);
/// A step of the clock that is worth judging all sessions anew: above what is left of a slow correction in a day.
const CLOCK_STEP_MS: u64 = 2_000;
/// The least time between two pictures of who is here.
const PRESENT_EVERY: Duration = Duration::from_millis(50);

/// What packets come and go through: the three UDP sockets, by what they serve, and the connections of RadSec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Socket {
    /// Port 1812.
    Authentication,
    /// Port 1813.
    Accounting,
    /// Where Disconnect-Requests leave from.
    DynamicAuthorization,
    /// A connection of an access point, for packets of all kinds both ways (RFC 6614, 2.1).
    RadSec(ConnectionId),
}

/// A connection by RadSec; no two have the same while the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// What the engine is told.
pub enum Input {
    Received {
        socket: Socket,
        from: SocketAddr,
        datagram: Vec<u8>,
    },
    /// An access point has connected by RadSec and shown that it has the key of a certificate that our CA signed.
    Connected {
        connection: ConnectionId,
        from: SocketAddr,
        certificate: ClientCertificate,
    },
    /// What a connection carries is no RADIUS any more; it is over.
    Unframed {
        connection: ConnectionId,
        invalid: InvalidLength,
    },
    /// A connection is over, be it that the engine closed it.
    Gone {
        connection: ConnectionId,
    },
    /// Somebody came to the RadSec port and was not let in.
    HandshakeFailed {
        from: SocketAddr,
        fault: HandshakeFault,
    },
    /// A worker is done with a conversation.
    Computed {
        token: u64,
        conversation: Box<EapConversation>,
        step: EapStep,
    },
    /// A worker died with a conversation.
    ComputeLost {
        token: u64,
    },
    /// A worker is done with a search for a passphrase.
    KeyFound {
        token: u64,
        found: Option<CredentialId>,
    },
    /// A worker died with one.
    KeySearchLost {
        token: u64,
    },
    /// The rows of an `Output::Account` are on the disk, or could not be written.
    Accounted {
        token: u64,
        ok: bool,
    },
    /// `cx` holds a newer snapshot than this one, which was the newest before.
    SnapshotChanged {
        old: Arc<Snapshot>,
    },
    TimerFired,
}

/// What the engine wants done.
pub enum Output {
    Send {
        socket: Socket,
        to: SocketAddr,
        datagram: Vec<u8>,
    },
    /// End a connection; nothing that comes from it is wanted any more.
    Close {
        connection: ConnectionId,
    },
    /// Have a worker run `conversation.handle(input)`.
    Compute {
        token: u64,
        conversation: Box<EapConversation>,
        input: EapInput,
    },
    /// Have a worker run `search`.
    FindKey {
        token: u64,
        search: KeySearch,
    },
    /// Write these rows down, together, and say when.
    Account {
        token: u64,
        rows: Vec<SessionRow>,
    },
    Record(Record),
    /// A device has an address on this VLAN, or sends and receives there: the test of the network's VLAN is passed.
    VlanPassed {
        network: NetworkName,
        vlan: u16,
    },
    /// Who is here has changed.
    Present(Arc<Presence>),
}

/// The engine; one task owns it.
pub struct WifiEngine {
    eap: Arc<EapSettings>,
    outputs: VecDeque<Output>,
    counters: Counters,
    warnings: Warnings,
    /// By socket: the two that are asked.
    authentication_seen: Duplicates,
    accounting_seen: Duplicates,
    logins: Logins,
    passphrases: Passphrases,
    back_off: BackOff,
    habits: Habits,
    refusals: Refusals,
    sessions: Sessions,
    unwritten: Unwritten,
    lines: Lines,
    asked: Asked,
    /// Sessions about which a Disconnect- or CoA-Request is due or out.
    pressing: BTreeSet<SessionId>,
    /// Whether who is here differs from the last picture.
    dirty: bool,
    presented_at: Option<Mono>,
    swept_at: Mono,
    /// Whether the clock was trusted at the last input: when that changes, hours mean something else.
    clock_trusted: bool,
    /// By how much the time of day was ahead of the steady clock when sessions were judged by it last.
    clock_ahead_ms: i64,
}

impl WifiEngine {
    /// An engine that goes on with the sessions that were open when the last one stopped.
    #[must_use]
    pub fn new(cx: &mut Context<'_>, eap: Arc<EapSettings>, open: Vec<SessionRow>) -> Self {
        let mut engine = Self {
            eap,
            outputs: VecDeque::new(),
            counters: Counters::default(),
            warnings: Warnings::default(),
            authentication_seen: Duplicates::default(),
            accounting_seen: Duplicates::default(),
            logins: Logins::default(),
            passphrases: Passphrases::default(),
            back_off: BackOff::default(),
            habits: Habits::default(),
            refusals: Refusals::default(),
            sessions: Sessions::default(),
            unwritten: Unwritten::default(),
            lines: Lines::default(),
            asked: Asked::default(),
            pressing: BTreeSet::new(),
            dirty: true,
            presented_at: None,
            swept_at: cx.now.mono,
            clock_trusted: cx.now.is_trusted(),
            clock_ahead_ms: clock_ahead_ms(cx),
        };
        engine.offer_methods(cx.snapshot);
        let [first_identifier] = cx.entropy.bytes();
        engine.asked.start_at(first_identifier);
        open.into_iter().for_each(|row| engine.restore(cx, row));
        engine.warn_of_excused(cx, None);
        engine.judge_all(cx);
        engine.finish(cx);
        engine
    }

    pub fn handle(&mut self, cx: &mut Context<'_>, input: Input) {
        match input {
            Input::Received { socket: Socket::Authentication, from, datagram } => {
                self.handle_authentication(cx, from, &datagram);
            }
            Input::Received { socket: Socket::Accounting, from, datagram } => {
                self.handle_accounting(cx, from, &datagram);
            }
            Input::Received { socket: Socket::DynamicAuthorization, from, datagram } => {
                self.handle_disconnect_answer(cx, Socket::DynamicAuthorization, from, &datagram);
            }
            Input::Received { socket: Socket::RadSec(connection), from, datagram } => {
                self.handle_radsec(cx, connection, from, &datagram);
            }
            Input::Connected { connection, from, certificate } => {
                self.handle_connected(cx, connection, from, certificate);
            }
            Input::Unframed { connection, invalid } => self.handle_unframed(cx, connection, invalid),
            Input::Gone { connection } => self.lines.forget(connection),
            Input::HandshakeFailed { from, fault } => self.handle_handshake_failed(cx, from, &fault),
            Input::Computed { token, conversation, step } => self.handle_computed(cx, token, conversation, step),
            Input::ComputeLost { token } => self.handle_compute_lost(token),
            Input::KeyFound { token, found } => self.handle_key_found(cx, token, found),
            Input::KeySearchLost { token } => self.handle_key_search_lost(token),
            Input::Accounted { token, ok } => self.handle_accounted(token, ok),
            Input::SnapshotChanged { old } => {
                self.close_strangers(cx);
                self.warn_of_excused(cx, Some(&old));
                self.handle_snapshot_changed(cx, &old);
            }
            Input::TimerFired => {}
        }
        self.finish(cx);
    }

    /// The last input: what would have been told later is told now.
    pub fn stop(&mut self) {
        self.refusals.take_all().into_iter().for_each(|refusal| self.record(refusal));
    }

    /// The next thing to do; drained before the next input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When `TimerFired` is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        let quick = !self.logins.is_empty()
            || !self.authentication_seen.is_empty()
            || !self.accounting_seen.is_empty()
            || self.unwritten.has_failed();
        let slow = !self.sessions.is_empty() || !self.eap.tls.sessions.is_empty() || !self.refusals.is_empty();
        let sweep = match (quick, slow) {
            (true, _) => Some(self.swept_at + SWEEP),
            (false, true) => Some(self.swept_at + SLOW_SWEEP),
            (false, false) => None,
        };
        let present = self.dirty.then(|| self.presented_at.map_or(self.swept_at, |at| at + PRESENT_EVERY));
        [sweep, present, self.next_press_at()].into_iter().flatten().min()
    }

    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What is due by time, after every input.
    fn finish(&mut self, cx: &mut Context<'_>) {
        if self.clock_trusted != cx.now.is_trusted() || self.clock_has_stepped(cx) {
            self.clock_trusted = cx.now.is_trusted();
            self.clock_ahead_ms = clock_ahead_ms(cx);
            self.judge_all(cx);
        }
        if cx.now.mono.since(self.swept_at) >= SWEEP {
            self.swept_at = cx.now.mono;
            self.authentication_seen.expire(cx.now.mono);
            self.accounting_seen.expire(cx.now.mono);
            self.sweep_logins(cx);
            self.sweep_refusals(cx.now.mono);
            self.sweep_sessions(cx);
            self.sweep_unwritten();
            self.eap.tls.sessions.expire(cx.now.mono);
            self.counters.tls_sessions_pushed_out = self.eap.tls.sessions.pushed_out();
        }
        self.press_all(cx);
        if self.dirty && self.presented_at.is_none_or(|at| cx.now.mono.since(at) >= PRESENT_EVERY) {
            self.dirty = false;
            self.presented_at = Some(cx.now.mono);
            let presence = self.sessions.presence();
            self.outputs.push_back(Output::Present(Arc::new(presence)));
        }
    }

    /// Whether the time of day was set: what ends by it ends sooner or later than timers say.
    fn clock_has_stepped(&self, cx: &Context<'_>) -> bool {
        clock_ahead_ms(cx).abs_diff(self.clock_ahead_ms) >= CLOCK_STEP_MS
    }

    fn record(&mut self, record: Record) {
        self.outputs.push_back(Output::Record(record));
    }
}

fn clock_ahead_ms(cx: &Context<'_>) -> i64 {
    cx.now.stamp().0.saturating_sub(i64::try_from(cx.now.mono.0).unwrap_or(i64::MAX))
}

/// A record of the Wi-Fi.
fn record(cx: &mut Context<'_>, outcome: Outcome, code: &str, sentence: String) -> Record {
    Record::new(EventId::generate(cx.entropy), cx.now.stamp(), Noun::Wifi, outcome, code, sentence)
}

/// A record about a session.
fn about(cx: &mut Context<'_>, row: &SessionRow, outcome: Outcome, code: &str, sentence: String) -> Record {
    let mut record = record(cx, outcome, code, sentence)
        .member(row.member)
        .credential(row.credential)
        .place(&row.access_point)
        .fact("session", row.id)
        .personal("username", row.username.0.clone());
    if let Some(network) = &row.network {
        record = record.fact("network", network);
    }
    if let Some(vlan) = row.vlan {
        record = record.fact("vlan", vlan);
    }
    if !row.nas.is_empty() {
        record = record.fact("nas", &row.nas);
    }
    if let Some(mac) = row.mac {
        record = record.personal("mac", mac.to_string());
    }
    record
}
