//! One login: which Response is awaited, what it may hold, and which Request follows (RFC 3748 4.1 and 5). What travels inside
//! the TLS messages belongs to tls.rs and phase2.rs. The picture is in mod.rs.

use super::failure::{EapDiscard, EapFailure};
use super::fragment::{ACKNOWLEDGEMENT, FRAGMENT_MIN_BYTES, Outgoing, START};
use super::identity::text_of;
use super::method::{InnerMethod, Method, MethodKind, eap_type};
use super::packet::{Message, Packet};
use super::phase2::{self, Asked, Listening, Proven};
use super::resumption::{self, SessionKeeper, SessionOwner};
use super::tls::{Channel, Heard};
use super::{EapInput, EapSettings, EapStep, Shown, certificate};
use std::sync::Arc;
use values::Secret;

/// Most Requests in one conversation (hostapd allows as many without progress). A login needs about 10; with fragments
/// of 100 bytes and certificates on both sides 24, and a chain of RSA certificates would still fit. A peer that sends 64 KiB in
/// pieces gets no further than this.
pub const ROUNDS_MAX: u8 = 50;
/// EAPOL's header, which shares the Framed-MTU with the EAP packet (RFC 3580 3.10).
const EAPOL_HEADER_BYTES: usize = 4;

/// The server's side of one login. Steps are handed out one at a time: an input is answered by exactly one `EapStep`.
pub struct EapConversation {
    settings: Arc<EapSettings>,
    packet_max_bytes: usize,
    entropy: Secret<[u8; 32]>,
    /// Set by the first Response/Identity.
    identity: Option<String>,
    /// The Identifier of the Request that is outstanding, or of the Response that is being answered.
    identifier: u8,
    /// Requests sent so far.
    rounds: u8,
    /// The method to offer before all others, if it is one of ours.
    likely: Option<MethodKind>,
    /// What rustls stores its session with, once a method was agreed on.
    keeper: Option<Arc<SessionKeeper>>,
    state: State,
}

enum State {
    Begin,
    AwaitIdentity,
    /// Start of the last of `offered` is outstanding.
    Offered {
        offered: Vec<MethodKind>,
    },
    /// TLS is being agreed on.
    Handshake(Box<Channel>),
    /// TLS stands and it is the peer's turn.
    Tunnel(Tunnel),
    AwaitCredential {
        channel: Box<Channel>,
        asked: Asked,
    },
    AwaitVerdict {
        channel: Box<Channel>,
        proven: Proven,
    },
    /// Our alert is on its way; whatever the peer says to its last fragment, the end follows.
    AlertSent {
        kind: MethodKind,
        outgoing: Option<Outgoing>,
        why: EapFailure,
    },
    Done,
}

struct Tunnel {
    /// In a box from the first message to the last: it is large, and every Response hands it on a few times.
    channel: Box<Channel>,
    inner: Listening,
}

impl EapConversation {
    #[must_use]
    pub fn new(settings: Arc<EapSettings>, framed_mtu: Option<u16>, entropy: [u8; 32]) -> Self {
        let room = framed_mtu.map_or(usize::MAX, |mtu| usize::from(mtu).saturating_sub(EAPOL_HEADER_BYTES));
        let packet_max_bytes = settings.fragment_max_bytes.min(room).max(FRAGMENT_MIN_BYTES);
        Self {
            settings,
            packet_max_bytes,
            entropy: Secret::new(entropy),
            identity: None,
            identifier: 0,
            rounds: 0,
            likely: None,
            keeper: None,
            state: State::Begin,
        }
    }

    /// Offers this method first, if it is among those of the settings: a device that is known to take it is spared a Nak.
    #[must_use]
    pub fn offering_first(mut self, likely: Option<MethodKind>) -> Self {
        self.likely = likely.filter(|method| self.settings.methods.contains(method));
        self
    }

    /// The name that the peer gave outside the tunnel. Good for routing and logs; it proves nothing.
    #[must_use]
    pub fn outer_identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// Octets that are held of messages of the peer that are not whole yet, at most.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        match &self.state {
            State::Handshake(channel)
            | State::AwaitCredential { channel, .. }
            | State::AwaitVerdict { channel, .. } => channel.held_bytes(),
            State::Tunnel(tunnel) => tunnel.channel.held_bytes(),
            State::Begin | State::AwaitIdentity | State::Offered { .. } | State::AlertSent { .. } | State::Done => 0,
        }
    }

    /// The reason of a login that is broken off while its alert is still on the way. Many devices fall silent on an alert, so
    /// this is what to write down when such a conversation is given up.
    #[must_use]
    pub const fn broken_off_by(&self) -> Option<&EapFailure> {
        match &self.state {
            State::AlertSent { why, .. } => Some(why),
            State::Begin
            | State::AwaitIdentity
            | State::Offered { .. }
            | State::Handshake(_)
            | State::Tunnel(_)
            | State::AwaitCredential { .. }
            | State::AwaitVerdict { .. }
            | State::Done => None,
        }
    }

    pub fn handle(&mut self, input: EapInput) -> EapStep {
        match (input, std::mem::replace(&mut self.state, State::Done)) {
            (EapInput::Response(packet), state) => self.handle_packet(&packet, state),
            (EapInput::Credential { nt_hash }, State::AwaitCredential { channel, asked }) => {
                self.prove(channel, asked.credential(&nt_hash))
            }
            (EapInput::Verdict { allow }, State::AwaitVerdict { channel, proven }) => {
                if let Some(keeper) = self.keeper.as_ref().filter(|_| !allow) {
                    keeper.forget();
                }
                self.follow(channel, proven.verdict(allow))
            }
            (EapInput::Credential { .. } | EapInput::Verdict { .. }, state) => {
                self.discard(state, EapDiscard::OutOfTurn)
            }
        }
    }

    fn handle_packet(&mut self, packet: &[u8], state: State) -> EapStep {
        if packet.is_empty() && matches!(state, State::Begin) {
            return self.request(State::AwaitIdentity, eap_type::IDENTITY, &[]);
        }
        let response = match Packet::decode(packet) {
            Ok(Packet::Response(response)) => response,
            Ok(Packet::Request(_) | Packet::Success { .. } | Packet::Failure { .. }) => {
                return self.discard(state, EapDiscard::NotAResponse);
            }
            Err(_) => return self.discard(state, EapDiscard::Malformed),
        };
        if !matches!(state, State::Begin) && response.identifier != self.identifier {
            return self.discard(state, EapDiscard::WrongIdentifier);
        }
        self.handle_response(&response, state)
    }

    fn handle_response(&mut self, response: &Message<'_>, state: State) -> EapStep {
        match (state, response.kind) {
            (State::Begin | State::AwaitIdentity, eap_type::IDENTITY) => {
                self.identifier = response.identifier;
                self.handle_identity(response.data)
            }
            (State::Offered { offered }, eap_type::NAK) => {
                match MethodKind::negotiate(&self.settings.methods, &offered, response.data) {
                    Some(method) => self.offer(offered, method),
                    None => self.fail(EapFailure::NoCommonMethod { wanted: response.data.to_vec() }),
                }
            }
            (State::Offered { offered }, kind) => match offered.last() {
                Some(&method) if method.eap_type() == kind => self.open_tunnel(method, response.data),
                _ => self.discard(State::Offered { offered }, EapDiscard::WrongType),
            },
            (State::Handshake(channel), kind) if channel.kind().eap_type() == kind => {
                self.shake_hands(channel, response.data)
            }
            (State::Tunnel(tunnel), kind) if tunnel.channel.kind().eap_type() == kind => {
                self.pump(tunnel, response.data)
            }
            (State::AlertSent { kind, mut outgoing, why }, received) if kind.eap_type() == received => {
                match outgoing.as_mut().and_then(Outgoing::next_fragment) {
                    Some(fragment) => {
                        self.request(State::AlertSent { kind, outgoing, why }, kind.eap_type(), &fragment)
                    }
                    None => self.fail(why),
                }
            }
            (state @ (State::AwaitCredential { .. } | State::AwaitVerdict { .. } | State::Done), _) => {
                self.discard(state, EapDiscard::OutOfTurn)
            }
            (state, _) => self.discard(state, EapDiscard::WrongType),
        }
    }

    fn handle_identity(&mut self, name: &[u8]) -> EapStep {
        match (text_of(name), self.likely.or(self.settings.methods.first().copied())) {
            (Ok(identity), Some(method)) => {
                self.identity = Some(identity);
                self.offer(Vec::new(), method)
            }
            (Err(why), _) => self.fail(why),
            (Ok(_), None) => self.fail(EapFailure::LocalFault { what: "no EAP method is configured".into() }),
        }
    }

    fn offer(&mut self, mut offered: Vec<MethodKind>, method: MethodKind) -> EapStep {
        offered.push(method);
        self.request(State::Offered { offered }, method.eap_type(), &START)
    }

    fn open_tunnel(&mut self, method: MethodKind, data: &[u8]) -> EapStep {
        let (config, keeper) = self.settings.tls.of(method);
        self.keeper = Some(keeper);
        match Channel::new(config, method, self.packet_max_bytes) {
            Ok(channel) => self.shake_hands(Box::new(channel), data),
            Err(why) => self.fail(why),
        }
    }

    /// One Response into the handshake, and what follows from it.
    fn shake_hands(&mut self, mut channel: Box<Channel>, data: &[u8]) -> EapStep {
        let kind = channel.kind().eap_type();
        match channel.handle(data) {
            Ok(Heard::Continue(fragment)) => self.request(State::Handshake(channel), kind, &fragment),
            Ok(Heard::Turn { plaintext }) if channel.is_established() => self.begin_phase2(channel, &plaintext),
            Ok(Heard::Turn { .. }) => {
                let flight = channel.take_flight().unwrap_or_else(|| ACKNOWLEDGEMENT.to_vec());
                self.request(State::Handshake(channel), kind, &flight)
            }
            Err(why) => self.break_off(channel, why),
        }
    }

    /// The handshake is done. Our last flight of it has not left yet: where the device has shown a certificate, or a session of
    /// hers, policy has the word first.
    fn begin_phase2(&mut self, channel: Box<Channel>, plaintext: &[u8]) -> EapStep {
        if channel.is_resumed() {
            return self.resume(channel);
        }
        if let Some(keeper) = &self.keeper {
            keeper.overlook();
        }
        match Listening::new(channel.kind(), &self.entropy) {
            Some(inner) => self.hear(Tunnel { channel, inner }, plaintext),
            None => match (channel.device_certificate(), channel.version()) {
                (Some(fingerprint), Some((tls_version, _))) => {
                    let proven = Proven::Tls(certificate::Proven { fingerprint, tls_version });
                    self.prove(channel, proven)
                }
                (_, _) => self.fail(EapFailure::LocalFault { what: "TLS stands without a certificate".into() }),
            },
        }
    }

    fn resume(&mut self, channel: Box<Channel>) -> EapStep {
        let resumed = self.keeper.as_ref().and_then(|keeper| keeper.resumed());
        match (resumed, channel.version()) {
            (Some((owner, inner)), Some((tls_version, _))) => {
                let proven = resumption::Proven { owner, inner, kind: channel.kind(), tls_version };
                self.prove(channel, Proven::Resumed(proven))
            }
            (_, _) => self.fail(EapFailure::LocalFault { what: "a session of nobody was resumed".into() }),
        }
    }

    /// Lets the device resume this TLS session until `owner.until`. For a login that has ended in `Success` and whose user was let
    /// in; without this call nothing of it can be resumed.
    pub fn keep_session(&self, owner: SessionOwner, inner: Option<InnerMethod>) {
        if let Some(keeper) = &self.keeper {
            keeper.keep(owner, inner);
        }
    }

    /// One Response into the tunnel, and what follows from it.
    fn pump(&mut self, mut tunnel: Tunnel, data: &[u8]) -> EapStep {
        let kind = tunnel.channel.kind().eap_type();
        match tunnel.channel.handle(data) {
            Ok(Heard::Continue(fragment)) => self.request(State::Tunnel(tunnel), kind, &fragment),
            Ok(Heard::Turn { plaintext }) => self.hear(tunnel, &plaintext),
            Err(why) => self.break_off(tunnel.channel, why),
        }
    }

    fn hear(&mut self, mut tunnel: Tunnel, plaintext: &[u8]) -> EapStep {
        if plaintext.is_empty() {
            // The last flight of the handshake goes out alone; phase 2 begins when the peer has taken it.
            if let Some(flight) = tunnel.channel.take_flight() {
                let kind = tunnel.channel.kind().eap_type();
                return self.request(State::Tunnel(tunnel), kind, &flight);
            }
        }
        let Tunnel { channel, inner } = tunnel;
        let step = inner.hear(plaintext, &|| channel.implicit_challenge());
        self.follow(channel, step)
    }

    /// Does what phase 2 wants.
    fn follow(&mut self, mut channel: Box<Channel>, step: phase2::Step) -> EapStep {
        match step {
            phase2::Step::Say(inner, plaintext) => match channel.say(&plaintext) {
                Ok(()) => self.hand_over(channel, inner),
                Err(why) => self.fail(why),
            },
            phase2::Step::Listen(inner) => self.hand_over(channel, inner),
            phase2::Step::Ask(asked) => {
                let username = asked.username().to_owned();
                self.state = State::AwaitCredential { channel, asked };
                EapStep::NeedCredential { username }
            }
            phase2::Step::Accept { shown, inner } => self.succeed(&channel, shown, inner),
            phase2::Step::Refuse(why) => self.fail(why),
        }
    }

    /// Sends what TLS has to send, if anything, and gives the turn to the peer.
    fn hand_over(&mut self, mut channel: Box<Channel>, inner: Listening) -> EapStep {
        let kind = channel.kind().eap_type();
        let flight = channel.take_flight().unwrap_or_else(|| ACKNOWLEDGEMENT.to_vec());
        self.request(State::Tunnel(Tunnel { channel, inner }), kind, &flight)
    }

    fn prove(&mut self, channel: Box<Channel>, proven: Proven) -> EapStep {
        match method_of(&channel, proven.inner()) {
            Ok(method) => {
                let (shown, correct) = (proven.shown(), proven.is_correct());
                self.state = State::AwaitVerdict { channel, proven };
                EapStep::Proven { shown, correct, method }
            }
            Err(why) => self.fail(why),
        }
    }

    fn succeed(&mut self, channel: &Channel, shown: Shown, inner: Option<InnerMethod>) -> EapStep {
        let resumed = self.keeper.as_ref().filter(|_| channel.is_resumed()).and_then(|keeper| keeper.resumed());
        let shown = resumed.map_or(shown, |(owner, _)| Shown::Resumed(owner));
        match (channel.export_keys(), method_of(channel, inner)) {
            (Ok(keys), Ok(method)) => {
                let packet = Packet::Success { identifier: self.identifier }.encode();
                EapStep::Success { packet, keys, method, shown }
            }
            (Err(why), _) | (_, Err(why)) => self.fail(why),
        }
    }

    /// TLS failed. If it leaves an alert, the peer gets it before the end, so that it can say why.
    fn break_off(&mut self, mut channel: Box<Channel>, why: EapFailure) -> EapStep {
        let kind = channel.kind();
        match channel.take_flight() {
            Some(alert) => {
                let state = State::AlertSent { kind, outgoing: channel.into_outgoing(), why };
                self.request(state, kind.eap_type(), &alert)
            }
            None => self.fail(why),
        }
    }

    fn request(&mut self, next: State, kind: u8, data: &[u8]) -> EapStep {
        if self.rounds >= ROUNDS_MAX {
            return self.fail(EapFailure::RoundsExceeded);
        }
        self.rounds += 1;
        self.identifier = self.identifier.wrapping_add(1);
        self.state = next;
        EapStep::Request(Packet::Request(Message { identifier: self.identifier, kind, data }).encode())
    }

    fn fail(&mut self, why: EapFailure) -> EapStep {
        self.state = State::Done;
        EapStep::Failure { packet: Packet::Failure { identifier: self.identifier }.encode(), why }
    }

    fn discard(&mut self, state: State, why: EapDiscard) -> EapStep {
        self.state = state;
        EapStep::Discard(why)
    }
}

fn method_of(channel: &Channel, inner: Option<InnerMethod>) -> Result<Method, EapFailure> {
    let (tls_version, cipher) =
        channel.version().ok_or(EapFailure::LocalFault { what: "the TLS version is not known".into() })?;
    Ok(Method { outer: channel.kind(), inner, tls_version, cipher, resumed: channel.is_resumed() })
}
