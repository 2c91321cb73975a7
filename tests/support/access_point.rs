//! A simulated access point: a RADIUS client over real UDP sockets that logs devices in by EAP, compares the session keys
//! with the device's, reports the sessions, and obeys Disconnect-Request on its CoA port.
//!
//! It is strict where a real one would be silent: a reply without a right Message-Authenticator, or keys that differ from the
//! device's, is an error with a name.

use crate::eap_peer::{EapPeer, PeerError, PeerSettings, PeerStep, TlsOffer, Trust};
use proto::eap::MethodKind;
use proto::radius::{
    AttributeType, Authenticator, Code, KeyKind, Packet, ReplyRule, VENDOR_MICROSOFT, Writer, open_salted,
};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use values::MacAddress;

/// How often a request is sent before the server counts as gone, and how long it then waits unless told otherwise. Real access
/// points try three times in two to five seconds each.
const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(2);
/// More rounds than any server allows.
const ROUNDS_MAX: u32 = 200;
/// Disconnects that a slow reader may leave unread.
const DISCONNECTS_KEPT: usize = 256;
/// Error-Cause of RFC 5176 3.5.
const SESSION_CONTEXT_NOT_FOUND: u32 = 503;
const ADMINISTRATIVELY_PROHIBITED: u32 = 501;
const UNSUPPORTED_ATTRIBUTE: u32 = 401;
/// Acct-Terminate-Cause of RFC 2866 5.10.
pub const USER_REQUEST: u32 = 1;
pub const ADMIN_RESET: u32 = 6;

/// One device that wants in.
#[derive(Clone, Debug)]
pub struct Login {
    pub username: String,
    pub password: String,
    pub method: MethodKind,
    pub mac: MacAddress,
    pub ssid: String,
    /// What the device shows outside the tunnel.
    pub outer_identity: String,
    pub tls: TlsOffer,
    pub trust: Trust,
    /// Announced as Framed-MTU.
    pub framed_mtu: Option<u16>,
    /// The largest EAP packet of the device.
    pub fragment_max_bytes: usize,
}

impl Login {
    /// A careless device (any certificate) that prefers TLS 1.3.
    #[must_use]
    pub fn new(username: &str, password: &str, method: MethodKind, mac: MacAddress) -> Self {
        Self {
            username: username.into(),
            password: password.into(),
            method,
            mac,
            ssid: "Harbour".into(),
            outer_identity: "anonymous".into(),
            tls: TlsOffer::Both,
            trust: Trust::Anybody,
            framed_mtu: Some(1_400),
            fragment_max_bytes: 1_300,
        }
    }

    /// The device itself, before its first login.
    pub fn peer(&self) -> Result<EapPeer, PeerError> {
        EapPeer::new(PeerSettings {
            outer_identity: self.outer_identity.clone(),
            trust: self.trust.clone(),
            tls: self.tls,
            fragment_max_bytes: self.fragment_max_bytes,
            ..PeerSettings::new(self.method, &self.username, &self.password)
        })
    }
}

/// What an Access-Accept grants. The keys have been compared with the device's.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub vlan: Option<u16>,
    pub session_timeout_s: Option<u32>,
    /// Acct-Interim-Interval.
    pub interim_interval_s: Option<u32>,
    /// User-Name of the Access-Accept, which accounting then uses.
    pub user_name: Option<String>,
    /// Every attribute of the Access-Accept, in its order: type and value.
    pub attributes: Vec<(u8, Vec<u8>)>,
    pub tls13: bool,
    /// By the session of an earlier login.
    pub resumed: bool,
    /// Access-Requests that it took.
    pub rounds: u32,
    pub took: Duration,
    /// To be handed to `start`, `interim` and `stop`.
    pub session: Session,
}

/// A device's time on the air, as the access point knows it.
#[derive(Clone, Debug)]
pub struct Session {
    pub acct_session_id: String,
    pub mac: MacAddress,
    pub ssid: String,
    pub user_name: String,
    pub class: Option<Vec<u8>>,
    pub ip: Option<Ipv4Addr>,
    pub began: Instant,
}

/// Counters of a session, as seen from the device.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub sent_bytes: u64,
    pub received_bytes: u64,
}

/// Why a login did not end in an Access-Accept.
#[derive(Debug)]
pub enum LoginError {
    /// Access-Reject, with EAP-Failure inside.
    Rejected {
        reply_message: Option<String>,
        rounds: u32,
    },
    /// No valid reply.
    NoReply,
    /// A reply that an access point must not believe or cannot use.
    BadReply(String),
    /// MS-MPPE-Recv-Key or -Send-Key differ from the device's MSK: the device would be thrown out at once.
    KeysDiffer,
    /// The device gave up.
    Peer(PeerError),
    Io(io::Error),
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected { reply_message: Some(text), .. } => write!(f, "rejected: {text}"),
            Self::Rejected { reply_message: None, .. } => f.write_str("rejected"),
            Self::NoReply => f.write_str("the server does not answer"),
            Self::BadReply(what) => write!(f, "a reply that cannot be believed: {what}"),
            Self::KeysDiffer => f.write_str("the server's keys are not the device's"),
            Self::Peer(error) => write!(f, "the device gave up: {error}"),
            Self::Io(error) => write!(f, "socket: {error}"),
        }
    }
}

impl std::error::Error for LoginError {}

impl From<io::Error> for LoginError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<PeerError> for LoginError {
    fn from(error: PeerError) -> Self {
        Self::Peer(error)
    }
}

/// A Disconnect-Request that arrived and was genuine.
#[derive(Clone, Debug)]
pub struct Disconnect {
    pub at: Instant,
    pub acct_session_id: Option<String>,
    pub mac: Option<MacAddress>,
    pub user_name: Option<String>,
    /// Disconnect-ACK, Disconnect-NAK or nothing.
    pub answered: Option<Code>,
}

/// A CoA-Request that arrived and was genuine.
#[derive(Clone, Debug)]
pub struct Change {
    pub acct_session_id: Option<String>,
    /// Type and value of all attributes, in their order.
    pub attributes: Vec<(u8, Vec<u8>)>,
    /// CoA-ACK, CoA-NAK or nothing.
    pub answered: Option<Code>,
}

/// What the access point does with a Disconnect-Request or a CoA-Request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An ACK for a session it has, a NAK "Session Context Not Found" for one it has not.
    Obey,
    /// A NAK whatever it is.
    Refuse,
    /// Nothing: a lost packet, or an access point without CoA.
    Silent,
}

/// The access point. Dropping it closes the CoA port.
pub struct AccessPoint {
    server_auth: SocketAddr,
    server_acct: SocketAddr,
    secret: Vec<u8>,
    coa_address: SocketAddr,
    nas_identifier: String,
    /// How long to wait for a reply before sending again.
    patience: Duration,
    /// Whether Message-Authenticator must stand first in what it believes.
    wants_it_first: bool,
    identifier: AtomicU8,
    shared: Arc<Shared>,
    coa: JoinHandle<()>,
}

struct Shared {
    secret: Vec<u8>,
    /// Sessions that were started and not stopped, by Acct-Session-Id.
    live: Mutex<HashMap<String, Session>>,
    answer: Mutex<Answer>,
    answer_changes: Mutex<Answer>,
    disconnects: broadcast::Sender<Disconnect>,
    changes: broadcast::Sender<Change>,
    server_acct: SocketAddr,
}

impl Drop for AccessPoint {
    fn drop(&mut self) {
        self.coa.abort();
    }
}

impl AccessPoint {
    /// `coa_bind` may have port 0; see `coa_address`.
    pub async fn bind(
        server_auth: SocketAddr,
        server_acct: SocketAddr,
        secret: &str,
        coa_bind: SocketAddr,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind(coa_bind).await?;
        let coa_address = socket.local_addr()?;
        let (disconnects, _) = broadcast::channel(DISCONNECTS_KEPT);
        let secret = secret.as_bytes().to_vec();
        let shared = Arc::new(Shared {
            secret: secret.clone(),
            live: Mutex::new(HashMap::new()),
            answer: Mutex::new(Answer::Obey),
            answer_changes: Mutex::new(Answer::Obey),
            disconnects,
            changes: broadcast::channel(DISCONNECTS_KEPT).0,
            server_acct,
        });
        let coa = tokio::spawn(serve_coa(socket, Arc::clone(&shared)));
        let identifier = AtomicU8::new(0);
        let nas_identifier = "simulated-access-point".into();
        let patience = PATIENCE;
        Ok(Self {
            server_auth,
            server_acct,
            secret,
            coa_address,
            nas_identifier,
            patience,
            wants_it_first: true,
            identifier,
            shared,
            coa,
        })
    }

    /// Waits this long for each reply to an Access-Request.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Believes servers of before 2024 too, which put Message-Authenticator last.
    #[must_use]
    pub const fn with_an_old_server(mut self) -> Self {
        self.wants_it_first = false;
        self
    }

    /// Where Disconnect-Requests are to be sent.
    #[must_use]
    pub const fn coa_address(&self) -> SocketAddr {
        self.coa_address
    }

    /// Genuine Disconnect-Requests from now on.
    #[must_use]
    pub fn disconnects(&self) -> broadcast::Receiver<Disconnect> {
        self.shared.disconnects.subscribe()
    }

    pub fn answer_disconnects(&self, answer: Answer) {
        *self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Genuine CoA-Requests from now on.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    pub fn answer_changes(&self, answer: Answer) {
        *self.shared.answer_changes.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Sessions that were started and neither stopped nor disconnected.
    #[must_use]
    pub fn live_sessions(&self) -> Vec<Session> {
        self.shared.live.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Logs a device in, from its identity to the compared keys.
    pub async fn login(&self, login: Login) -> Result<Accepted, LoginError> {
        let mut peer = login.peer()?;
        self.login_of(&mut peer, &login).await
    }

    /// Logs in a device that may remember an earlier login.
    pub async fn login_of(&self, peer: &mut EapPeer, login: &Login) -> Result<Accepted, LoginError> {
        let began = Instant::now();
        // A socket of its own for each login: identifiers then never run out, as with the many source ports of a busy one.
        let socket = UdpSocket::bind(local_for(self.server_auth)).await?;
        socket.connect(self.server_auth).await?;
        let mut eap = peer.identity(0);
        let mut state: Option<Vec<u8>> = None;
        for rounds in 1..=ROUNDS_MAX {
            let identifier = self.identifier.fetch_add(1, Ordering::Relaxed);
            let authenticator: Authenticator = random()?;
            let request = self.access_request(identifier, authenticator, login, state.as_deref(), &eap)?;
            let server = (&self.secret[..], self.wants_it_first);
            let datagram = exchange(&socket, &request, &authenticator, server, self.patience).await?;
            let reply = Packet::decode(&datagram).map_err(|error| bad(&error))?;
            let step = match reply.eap_message() {
                Some(eap) => Some(peer.handle(&eap)?),
                None => None,
            };
            match (reply.code(), step) {
                (Code::AccessChallenge, Some(PeerStep::Response(response))) => {
                    state = reply.first(AttributeType::STATE).map(<[u8]>::to_vec);
                    eap = response;
                }
                (Code::AccessAccept, Some(PeerStep::Success { msk, tls13, resumed })) => {
                    compare_keys(&reply, &authenticator, &self.secret, &msk)?;
                    return Ok(Accepted { resumed, ..accepted(&reply, login, tls13, rounds, began) });
                }
                // A device that is refused inside the tunnel gets EAP-Failure; one that was never heard may get nothing.
                (Code::AccessReject, Some(PeerStep::Failure) | None) => {
                    let reply_message = reply.text(AttributeType::REPLY_MESSAGE).map(str::to_owned);
                    return Err(LoginError::Rejected { reply_message, rounds });
                }
                (code, step) => return Err(LoginError::BadReply(format!("{code:?} that makes the device {step:?}"))),
            }
        }
        Err(LoginError::BadReply("no end".into()))
    }

    fn access_request(
        &self,
        identifier: u8,
        authenticator: Authenticator,
        login: &Login,
        state: Option<&[u8]>,
        eap: &[u8],
    ) -> Result<Vec<u8>, LoginError> {
        let mut request = Writer::request(Code::AccessRequest, identifier, authenticator)
            .text(AttributeType::USER_NAME, &login.outer_identity)
            .attribute(AttributeType::NAS_IP_ADDRESS, &[127, 0, 0, 1])
            .text(AttributeType::NAS_IDENTIFIER, &self.nas_identifier)
            .integer(AttributeType::NAS_PORT_TYPE, 19) // Wireless - IEEE 802.11
            .integer(AttributeType::SERVICE_TYPE, 2) // Framed
            .text(AttributeType::CALLING_STATION_ID, &hyphenated(login.mac))
            .text(AttributeType::CALLED_STATION_ID, &called_station_id(&login.ssid));
        if let Some(mtu) = login.framed_mtu {
            request = request.integer(AttributeType::FRAMED_MTU, mtu.into());
        }
        if let Some(state) = state {
            request = request.attribute(AttributeType::STATE, state);
        }
        request.eap_message(eap).finish(&self.secret).map_err(|error| bad(&error))
    }

    /// Accounting Start: the device is on the air.
    pub async fn start(&self, session: &Session) -> Result<(), LoginError> {
        account(self.server_acct, &self.secret, session, 1, Usage::default(), None).await?;
        let mut live = self.shared.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.insert(session.acct_session_id.clone(), session.clone());
        Ok(())
    }

    /// Accounting Interim-Update.
    pub async fn interim(&self, session: &Session, usage: Usage) -> Result<(), LoginError> {
        account(self.server_acct, &self.secret, session, 3, usage, None).await
    }

    /// Accounting Stop, by the device's own wish.
    pub async fn stop(&self, session: &Session, usage: Usage) -> Result<(), LoginError> {
        self.shared.forget(&session.acct_session_id);
        account(self.server_acct, &self.secret, session, 2, usage, Some(USER_REQUEST)).await
    }

    /// Accounting-On: the access point has restarted and has no session.
    pub async fn restart(&self) -> Result<(), LoginError> {
        self.shared.live.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let identifier = self.identifier.fetch_add(1, Ordering::Relaxed);
        let request = Writer::request(Code::AccountingRequest, identifier, [0; 16])
            .integer(AttributeType::ACCT_STATUS_TYPE, 7)
            .text(AttributeType::NAS_IDENTIFIER, &self.nas_identifier)
            .finish(&self.secret)
            .map_err(|error| bad(&error))?;
        send_accounting(self.server_acct, &self.secret, &request).await
    }
}

impl Shared {
    fn forget(&self, acct_session_id: &str) -> Option<Session> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).remove(acct_session_id)
    }

    /// Takes a CoA-Request; the reply to it, if any.
    fn change(&self, packet: &Packet<'_>, acct_session_id: Option<String>, mac: Option<MacAddress>) -> Option<Vec<u8>> {
        let known = self.find(acct_session_id.as_deref(), mac).is_some();
        let answer = *self.answer_changes.lock().unwrap_or_else(PoisonError::into_inner);
        let (answered, error_cause) = match (answer, known) {
            (Answer::Silent, _) => (None, None),
            (Answer::Refuse, _) => (Some(Code::CoaNak), Some(UNSUPPORTED_ATTRIBUTE)),
            (Answer::Obey, false) => (Some(Code::CoaNak), Some(SESSION_CONTEXT_NOT_FOUND)),
            (Answer::Obey, true) => (Some(Code::CoaAck), None),
        };
        let attributes = packet.attributes().map(|attribute| (attribute.kind.0, attribute.value.to_vec())).collect();
        let _ = self.changes.send(Change { acct_session_id, attributes, answered }); // nobody may be listening
        disconnect_reply(answered?, error_cause, packet).finish(&self.secret).ok()
    }

    /// The session that a Disconnect-Request means: by its id, else by the device.
    fn find(&self, acct_session_id: Option<&str>, mac: Option<MacAddress>) -> Option<Session> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        match acct_session_id {
            Some(id) => live.get(id).cloned(),
            None => live.values().find(|session| Some(session.mac) == mac).cloned(),
        }
    }
}

/// The CoA port (RFC 5176). After an ACK the device is gone, and a Stop says so, as real access points do.
async fn serve_coa(socket: UdpSocket, shared: Arc<Shared>) {
    let mut buffer = vec![0; 4_096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let Ok(packet) = Packet::decode(&buffer[..length]) else { continue };
        if packet.verify_signed_request(&shared.secret).is_err() {
            continue;
        }
        let acct_session_id = packet.text(AttributeType::ACCT_SESSION_ID).map(str::to_owned);
        let mac = packet.text(AttributeType::CALLING_STATION_ID).and_then(|text| text.parse().ok());
        if packet.code() == Code::CoaRequest {
            if let Some(reply) = shared.change(&packet, acct_session_id, mac) {
                let _ = socket.send_to(&reply, from).await;
            }
            continue;
        }
        if packet.code() != Code::DisconnectRequest {
            continue;
        }
        let answer = *shared.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let session = shared.find(acct_session_id.as_deref(), mac);
        let (answered, error_cause) = match (answer, &session) {
            (Answer::Silent, _) => (None, None),
            (Answer::Refuse, _) => (Some(Code::DisconnectNak), Some(ADMINISTRATIVELY_PROHIBITED)),
            (Answer::Obey, None) => (Some(Code::DisconnectNak), Some(SESSION_CONTEXT_NOT_FOUND)),
            (Answer::Obey, Some(_)) => (Some(Code::DisconnectAck), None),
        };
        let reply = answered.and_then(|code| disconnect_reply(code, error_cause, &packet).finish(&shared.secret).ok());
        if let Some(reply) = reply {
            let _ = socket.send_to(&reply, from).await;
        }
        let user_name = packet.text(AttributeType::USER_NAME).map(str::to_owned);
        // Nobody may be listening.
        let _ = shared.disconnects.send(Disconnect { at: Instant::now(), acct_session_id, mac, user_name, answered });
        if let (Answer::Obey, Some(session)) = (answer, session) {
            shared.forget(&session.acct_session_id);
            let (server, secret) = (shared.server_acct, shared.secret.clone());
            tokio::spawn(async move {
                let _ = account(server, &secret, &session, 2, Usage::default(), Some(ADMIN_RESET)).await;
            });
        }
    }
}

fn disconnect_reply(code: Code, error_cause: Option<u32>, packet: &Packet<'_>) -> Writer {
    let reply = Writer::reply(code, packet).with_message_authenticator();
    match error_cause {
        Some(cause) => reply.integer(AttributeType::ERROR_CAUSE, cause),
        None => reply,
    }
}

async fn account(
    server: SocketAddr,
    secret: &[u8],
    session: &Session,
    status: u32,
    usage: Usage,
    cause: Option<u32>,
) -> Result<(), LoginError> {
    let [identifier] = random()?;
    let seconds = u32::try_from(session.began.elapsed().as_secs()).unwrap_or(u32::MAX);
    let words = |bytes: u64| (u32::try_from(bytes >> 32).unwrap_or(u32::MAX), (bytes & 0xFFFF_FFFF) as u32);
    let ((sent_high, sent), (received_high, received)) = (words(usage.sent_bytes), words(usage.received_bytes));
    let mut request = Writer::request(Code::AccountingRequest, identifier, [0; 16])
        .integer(AttributeType::ACCT_STATUS_TYPE, status)
        .text(AttributeType::ACCT_SESSION_ID, &session.acct_session_id)
        .text(AttributeType::USER_NAME, &session.user_name)
        .attribute(AttributeType::NAS_IP_ADDRESS, &[127, 0, 0, 1])
        .text(AttributeType::CALLING_STATION_ID, &hyphenated(session.mac))
        .text(AttributeType::CALLED_STATION_ID, &called_station_id(&session.ssid))
        .integer(AttributeType::ACCT_SESSION_TIME, seconds)
        .integer(AttributeType::ACCT_INPUT_OCTETS, sent)
        .integer(AttributeType::ACCT_INPUT_GIGAWORDS, sent_high)
        .integer(AttributeType::ACCT_OUTPUT_OCTETS, received)
        .integer(AttributeType::ACCT_OUTPUT_GIGAWORDS, received_high);
    if let Some(ip) = session.ip {
        request = request.attribute(AttributeType::FRAMED_IP_ADDRESS, &ip.octets());
    }
    if let Some(class) = &session.class {
        request = request.attribute(AttributeType::CLASS, class);
    }
    if let Some(cause) = cause {
        request = request.integer(AttributeType::ACCT_TERMINATE_CAUSE, cause);
    }
    let request = request.finish(secret).map_err(|error| bad(&error))?;
    send_accounting(server, secret, &request).await
}

async fn send_accounting(server: SocketAddr, secret: &[u8], request: &[u8]) -> Result<(), LoginError> {
    let socket = UdpSocket::bind(local_for(server)).await?;
    socket.connect(server).await?;
    let authenticator = request.get(4..20).and_then(|bytes| bytes.first_chunk::<16>());
    let authenticator = *authenticator.ok_or_else(|| LoginError::BadReply("no authenticator".into()))?;
    exchange(&socket, request, &authenticator, (secret, true), PATIENCE).await.map(|_| ())
}

/// Sends a request until a reply comes that can be believed. Others are dropped as noise, but named if nothing better comes.
async fn exchange(
    socket: &UdpSocket,
    request: &[u8],
    authenticator: &Authenticator,
    (secret, wants_it_first): (&[u8], bool),
    patience: Duration,
) -> Result<Vec<u8>, LoginError> {
    let identifier = request.get(1).copied().unwrap_or(0);
    let mut buffer = vec![0; 4_096];
    let mut unbelieved = None;
    for _ in 0..TRIES {
        socket.send(request).await?;
        let deadline = tokio::time::Instant::now() + patience;
        while let Ok(received) = tokio::time::timeout_at(deadline, socket.recv(&mut buffer)).await {
            let datagram = &buffer[..received?];
            match believe(datagram, identifier, authenticator, secret, wants_it_first) {
                Ok(()) => return Ok(datagram.to_vec()),
                Err(why) => unbelieved = Some(why),
            }
        }
    }
    Err(unbelieved.map_or(LoginError::NoReply, LoginError::BadReply))
}

fn believe(
    datagram: &[u8],
    identifier: u8,
    authenticator: &Authenticator,
    secret: &[u8],
    wants_it_first: bool,
) -> Result<(), String> {
    let reply = Packet::decode(datagram).map_err(|error| error.to_string())?;
    let access = matches!(reply.code(), Code::AccessAccept | Code::AccessReject | Code::AccessChallenge);
    let rule = if access { ReplyRule::MessageAuthenticatorRequired } else { ReplyRule::MessageAuthenticatorOptional };
    reply.verify_reply(identifier, authenticator, secret, rule).map_err(|error| error.to_string())?;
    let first = reply.attributes().next().map(|attribute| attribute.kind);
    if access && wants_it_first && first != Some(AttributeType::MESSAGE_AUTHENTICATOR) {
        return Err("Message-Authenticator is not the first attribute".into());
    }
    Ok(())
}

fn compare_keys(
    reply: &Packet<'_>,
    authenticator: &Authenticator,
    secret: &[u8],
    msk: &[u8; 64],
) -> Result<(), LoginError> {
    for (kind, expected) in [(KeyKind::Recv, &msk[..32]), (KeyKind::Send, &msk[32..])] {
        let content = reply
            .vendor(VENDOR_MICROSOFT, kind.vendor_type())
            .next()
            .ok_or_else(|| LoginError::BadReply(format!("no MS-MPPE-{kind:?}-Key")))?;
        let key = open_salted(content, authenticator, secret).ok_or(LoginError::KeysDiffer)?;
        if key.expose() != expected {
            return Err(LoginError::KeysDiffer);
        }
    }
    Ok(())
}

fn accepted(reply: &Packet<'_>, login: &Login, tls13: bool, rounds: u32, began: Instant) -> Accepted {
    let user_name = reply.text(AttributeType::USER_NAME).map(str::to_owned);
    let mut acct_session_id = String::from("sim-");
    for byte in random::<8>().unwrap_or_default() {
        acct_session_id.push_str(&format!("{byte:02X}"));
    }
    let session = Session {
        acct_session_id,
        mac: login.mac,
        ssid: login.ssid.clone(),
        user_name: user_name.clone().unwrap_or_else(|| login.outer_identity.clone()),
        class: reply.first(AttributeType::CLASS).map(<[u8]>::to_vec),
        ip: None,
        began: Instant::now(),
    };
    Accepted {
        vlan: vlan(reply),
        session_timeout_s: reply.integer(AttributeType::SESSION_TIMEOUT),
        interim_interval_s: reply.integer(AttributeType::ACCT_INTERIM_INTERVAL),
        user_name,
        attributes: reply.attributes().map(|attribute| (attribute.kind.0, attribute.value.to_vec())).collect(),
        tls13,
        resumed: false,
        rounds,
        took: began.elapsed(),
        session,
    }
}

/// RFC 3580 3.31: all three attributes, VLAN and IEEE-802; the group may have a tag in front.
fn vlan(reply: &Packet<'_>) -> Option<u16> {
    let is = |kind, number| reply.integer(kind).is_some_and(|value| value & 0x00FF_FFFF == number);
    let group = reply.first(AttributeType::TUNNEL_PRIVATE_GROUP_ID)?;
    let digits = if group.first().is_some_and(|&tag| tag <= 0x1F) { &group[1..] } else { group };
    (is(AttributeType::TUNNEL_TYPE, 13) && is(AttributeType::TUNNEL_MEDIUM_TYPE, 6))
        .then(|| std::str::from_utf8(digits).ok()?.parse().ok())
        .flatten()
}

fn hyphenated(mac: MacAddress) -> String {
    mac.to_string().replace(':', "-").to_uppercase()
}

fn called_station_id(ssid: &str) -> String {
    format!("02-00-00-00-00-FF:{ssid}")
}

fn local_for(server: SocketAddr) -> SocketAddr {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    any.parse().expect("a constant address")
}

fn random<const N: usize>() -> Result<[u8; N], LoginError> {
    let mut out = [0; N];
    getrandom::fill(&mut out).map_err(|error| LoginError::Io(io::Error::other(error.to_string())))?;
    Ok(out)
}

fn bad(error: &dyn fmt::Display) -> LoginError {
    LoginError::BadReply(error.to_string())
}
