//! One access point, some devices, one engine, and a worker that speaks by a script.
//!
//! The script: a device's first Response is its identity and is answered with a Request; its second says `user/key` and leads
//! to NeedCredential, Proven and Success or Failure, as proto::eap would, or says `more` and gets another Request.

use super::super::*;
use policy::snapshot::Loaded;
use policy::wifi::{Rates, WifiPlan};
use policy::{
    AccessPoint, AccessPointProfile, Change, Credential, CredentialKind, Member, MemberStatus,
    MessageAuthenticatorRule, Network, Plan, Site, SiteModel, UdpClient, Window,
};
use proto::eap::{
    EapDiscard, EapFailure, InnerMethod, Method, MethodKind, SessionKeys, SessionOwner, Shown, TlsConfigs, TlsVersion,
};
use proto::radius::{AttributeType, Authenticator, Code, Packet, ReplyRule, Writer};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use values::{CredentialId, Entropy, MacAddress, MemberId, Now, Pii, Secret, SeededEntropy, Timestamp};

pub const SECRET: &[u8] = b"testing123";
pub const POINT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 40_000);
pub const COA: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 3_799);
/// 2026-11-23T12:00:00Z, a Monday.
pub const NOON: Timestamp = Timestamp::from_seconds(1_795_435_200);

pub fn name<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a fixed name")
}

pub fn mac(n: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, n])
}

pub fn member_id(n: u8) -> MemberId {
    MemberId::from_random([n; 16])
}

pub fn credential_id(n: u8) -> CredentialId {
    CredentialId::from_random([n; 16])
}

pub fn member(n: u8) -> Member {
    Member {
        id: member_id(n),
        revision: 1,
        name: Pii(format!("Member {n}")),
        email: Pii(format!("m{n}@example.org")),
        plan: name("resident"),
        team: None,
        status: MemberStatus::Active,
        valid: Window::default(),
        home_site: None,
        shows_presence: false,
        added_at: NOON,
    }
}

/// The key of member `n`: user name `user-n`, NT hash all `n`.
fn key(n: u8) -> Credential {
    Credential {
        id: credential_id(n),
        revision: 1,
        member: member_id(n),
        label: Pii("laptop".into()),
        kind: CredentialKind::WifiKey { username: format!("user-{n}"), nt_hash: Secret::new([n; 16]) },
        issued_at: NOON,
        revoked_at: None,
    }
}

pub fn site() -> SiteModel {
    let point = AccessPoint {
        name: name("hall"),
        udp: Some(UdpClient { address: POINT.ip(), secret: Secret::new(SECRET.to_vec()), coa_port: COA.port() }),
        radsec: None,
        profile: AccessPointProfile::Generic,
        message_authenticator: MessageAuthenticatorRule::Required,
    };
    let network = |network: &str, vlan| {
        let vlan = Some(vlan);
        let network = Network { name: name(network), vlan, vlan_name: None, vlan_tested: true, team: None };
        (network.name.clone(), network)
    };
    let wifi = WifiPlan {
        network: name("members"),
        device_limit: 2,
        hours: None,
        rates: Rates::default(),
        idle_timeout_minutes: None,
    };
    let plan =
        Plan { name: name("resident"), title: "Resident".into(), wifi: Some(wifi), print: None, doors: Vec::new() };
    SiteModel {
        generation: 1,
        ssids: Vec::new(),
        eap_methods: vec![policy::EapMethod::Ttls], // what scripts and raw packets speak
        site: Site {
            name: "Harbour Works".into(),
            realm: "harbour.example".into(),
            time_zone: jiff::tz::TimeZone::UTC,
            holidays: Default::default(),
            currency: "EUR".into(),
        },
        schedules: BTreeMap::new(),
        networks: [network("members", 10), network("guests", 20)].into(),
        access_points: [(name("hall"), point)].into(),
        printers: BTreeMap::new(),
        doors: BTreeMap::new(),
        plans: [(name("resident"), plan)].into(),
    }
}

/// TLS settings that no script ever uses.
fn eap_settings() -> Arc<EapSettings> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the default versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
    let tls = Arc::new(tls);
    let tls = TlsConfigs { tunnel: Arc::clone(&tls), mutual: tls, sessions: Arc::default() };
    Arc::new(EapSettings { tls, methods: vec![MethodKind::Ttls], fragment_max_bytes: 1_024 })
}

pub const METHOD: Method = Method {
    outer: MethodKind::Ttls,
    inner: Some(InnerMethod::Pap),
    tls_version: TlsVersion::Tls13,
    cipher: "TLS13_AES_128_GCM_SHA256",
    resumed: false,
};

pub const BY_CERTIFICATE: Method = Method { outer: MethodKind::Tls, inner: None, ..METHOD };

/// What a conversation has heard so far, by the place where it lives.
#[derive(Default)]
pub struct Script {
    heard: BTreeMap<usize, (u32, String, bool)>,
}

impl Script {
    /// What a worker would answer.
    pub fn run(&mut self, conversation: &EapConversation, input: EapInput) -> EapStep {
        let at = std::ptr::from_ref(conversation) as usize;
        match input {
            EapInput::Response(packet) => {
                let Some(&identifier) = packet.get(1) else { return EapStep::Discard(EapDiscard::Malformed) };
                if packet.get(4) == Some(&1) {
                    self.heard.insert(at, (1, String::new(), false));
                    return EapStep::Request(vec![1, identifier.wrapping_add(1), 0, 6, 21, 0x20]);
                }
                let text = String::from_utf8_lossy(&packet[5..]).into_owned();
                if text == "more" {
                    return EapStep::Request(vec![1, identifier.wrapping_add(1), 0, 6, 21, 0]);
                }
                if let Some((shown, method)) = by_tls(&text) {
                    self.heard.insert(at, (2, text, true));
                    return EapStep::Proven { shown, correct: true, method };
                }
                let username = text.split('/').next().unwrap_or_default().to_owned();
                self.heard.insert(at, (2, text, false));
                EapStep::NeedCredential { username }
            }
            EapInput::Credential { nt_hash } => {
                let Some((_, text, correct)) = self.heard.get_mut(&at) else {
                    return EapStep::Discard(EapDiscard::OutOfTurn);
                };
                let (username, key) = text.split_once('/').unwrap_or((text, ""));
                *correct = key.parse().is_ok_and(|n: u8| *nt_hash.expose() == [n; 16]);
                EapStep::Proven { shown: Shown::Username(username.to_owned()), correct: *correct, method: METHOD }
            }
            EapInput::Verdict { allow } => {
                let (_, text, correct) = self.heard.remove(&at).unwrap_or_default();
                if allow && correct {
                    let keys = SessionKeys { recv_key: Secret::new([1; 32]), send_key: Secret::new([2; 32]) };
                    let username = || Shown::Username(text.split('/').next().unwrap_or_default().to_owned());
                    let (shown, method) = by_tls(&text).unwrap_or_else(|| (username(), METHOD));
                    EapStep::Success { packet: vec![3, 9, 0, 4], keys, method, shown }
                } else {
                    let why = if correct { EapFailure::Denied } else { EapFailure::WrongKey };
                    EapStep::Failure { packet: vec![4, 9, 0, 4], why }
                }
            }
        }
    }
}

/// What TLS alone shows. `certificate/7` stands for the certificate whose SHA-256 is all sevens, `session/7` for the session of an
/// earlier login with the seventh key.
fn by_tls(text: &str) -> Option<(Shown, Method)> {
    let (what, n) = text.split_once('/')?;
    let n: u8 = n.parse().ok()?;
    match what {
        "certificate" => Some((Shown::Certificate { fingerprint: [n; 32] }, BY_CERTIFICATE)),
        "session" => {
            let (member, credential) = (member_id(n), credential_id(n));
            let owner = SessionOwner { member, credential, username: Some(format!("user-{n}")), until: Mono(u64::MAX) };
            Some((Shown::Resumed(Arc::new(owner)), Method { resumed: true, ..METHOD }))
        }
        _ => None,
    }
}

pub fn identity(identifier: u8) -> Vec<u8> {
    [&[2, identifier, 0, 14, 1][..], b"anonymous"].concat()
}

pub fn proof(identifier: u8, text: &str) -> Vec<u8> {
    [&[2, identifier, 0, 5 + u8::try_from(text.len()).expect("a short text"), 21][..], text.as_bytes()].concat()
}

pub struct World {
    pub engine: WifiEngine,
    pub snapshot: Arc<Snapshot>,
    pub now: Now,
    pub entropy: SeededEntropy,
    pub script: Script,
    pub records: Vec<Record>,
    pub rows: Vec<SessionRow>,
    pub presence: Arc<Presence>,
    /// Whether the store can write.
    pub disk: bool,
    /// RadSec connections that the engine ended.
    pub closed: Vec<ConnectionId>,
    /// VLANs that a device has shown to work.
    pub passed: Vec<(NetworkName, u16)>,
}

impl World {
    pub fn new() -> Self {
        Self::with(Vec::new())
    }

    /// A world whose engine goes on with open sessions.
    pub fn with(open: Vec<SessionRow>) -> Self {
        let loaded = Loaded {
            members: (1..=5).map(member).collect(),
            credentials: (1..=5).map(key).collect(),
            ..Loaded::default()
        };
        let snapshot = Arc::new(Snapshot::load(Arc::new(site()), loaded));
        let mut entropy = SeededEntropy(1);
        let now = Now::trusted(Mono(1_000_000), NOON);
        let engine =
            WifiEngine::new(&mut Context { snapshot: &snapshot, now, entropy: &mut entropy }, eap_settings(), open);
        let mut world = Self {
            engine,
            snapshot,
            now,
            entropy,
            script: Script::default(),
            records: Vec::new(),
            rows: Vec::new(),
            presence: Arc::default(),
            disk: true,
            closed: Vec::new(),
            passed: Vec::new(),
        };
        world.drain();
        world
    }

    /// One input, without what follows from it.
    pub fn input(&mut self, input: Input) {
        let mut cx = Context { snapshot: &self.snapshot, now: self.now, entropy: &mut self.entropy };
        self.engine.handle(&mut cx, input);
    }

    /// Everything that follows, workers and store at once; the datagrams that left.
    pub fn drain(&mut self) -> Vec<(Socket, SocketAddr, Vec<u8>)> {
        let mut sent = Vec::new();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Send { socket, to, datagram } => sent.push((socket, to, datagram)),
                Output::Compute { token, conversation, input } => {
                    let step = self.script.run(&conversation, input);
                    self.input(Input::Computed { token, conversation, step });
                }
                Output::FindKey { token, search } => {
                    let found = search.run();
                    self.input(Input::KeyFound { token, found });
                }
                Output::Account { token, rows } => {
                    if self.disk {
                        self.rows.extend(rows);
                    }
                    self.input(Input::Accounted { token, ok: self.disk });
                }
                Output::Record(record) => self.records.push(record),
                Output::VlanPassed { network, vlan } => self.pass_vlan_test(network, vlan),
                Output::Close { connection } => self.closed.push(connection),
                Output::Present(presence) => self.presence = presence,
            }
        }
        sent
    }

    /// What the Registrar does: a command, and the snapshot after it.
    pub fn command(&mut self, command: policy::Command) -> Vec<(Socket, SocketAddr, Vec<u8>)> {
        let planned = policy::apply::plan(&self.snapshot, policy::Actor::System, command, self.now, &mut self.entropy);
        let planned = planned.expect("the command is good");
        self.records.push(planned.record);
        self.change(&planned.changes)
    }

    fn pass_vlan_test(&mut self, network: NetworkName, vlan: u16) {
        self.passed.push((network, vlan));
    }

    pub fn receive(&mut self, socket: Socket, from: SocketAddr, datagram: &[u8]) -> Vec<(Socket, SocketAddr, Vec<u8>)> {
        self.input(Input::Received { socket, from, datagram: datagram.to_vec() });
        self.drain()
    }

    /// Lets time pass, firing timers when they are due.
    pub fn pass(&mut self, by: Duration) -> Vec<(Socket, SocketAddr, Vec<u8>)> {
        let until = self.now.mono + by;
        let mut sent = Vec::new();
        loop {
            let due = self.engine.poll_timeout().filter(|&due| due <= until);
            self.set_time(due.unwrap_or(until).max(self.now.mono));
            self.input(Input::TimerFired);
            sent.extend(self.drain());
            if due.is_none() {
                return sent;
            }
            let again = self.engine.poll_timeout();
            assert!(again.is_none_or(|next| next > self.now.mono), "a timer that is due again at once");
        }
    }

    pub fn set_time(&mut self, mono: Mono) {
        let by = mono.since(self.now.mono);
        self.now = match self.now.wall {
            values::Wall::Trusted(at) => Now::trusted(mono, at + by),
            values::Wall::Unsynced(at) => Now { mono, wall: values::Wall::Unsynced(at + by) },
        };
    }

    pub fn change(&mut self, changes: &[Change]) -> Vec<(Socket, SocketAddr, Vec<u8>)> {
        let old = Arc::clone(&self.snapshot);
        self.snapshot = Arc::new(old.with(changes));
        self.input(Input::SnapshotChanged { old });
        self.drain()
    }

    pub fn suspend(&mut self, n: u8) -> Vec<(Socket, SocketAddr, Vec<u8>)> {
        let since = self.now.stamp();
        self.change(&[Change::Member(Member { status: MemberStatus::Suspended { since }, ..member(n) })])
    }

    pub fn resume(&mut self, n: u8) -> Vec<(Socket, SocketAddr, Vec<u8>)> {
        self.change(&[Change::Member(member(n))])
    }

    pub fn codes(&self) -> Vec<&str> {
        self.records.iter().map(|record| record.code.as_str()).collect()
    }
}

/// An Access-Request of device `n`.
pub fn access_request(identifier: u8, n: u8, state: Option<&[u8]>, eap: &[u8]) -> Vec<u8> {
    let mut writer = Writer::request(Code::AccessRequest, identifier, authenticator(identifier, n))
        .text(AttributeType::USER_NAME, "anonymous")
        .text(AttributeType::CALLING_STATION_ID, &mac(n).to_string())
        .eap_message(eap);
    if let Some(state) = state {
        writer = writer.attribute(AttributeType::STATE, state);
    }
    writer.finish(SECRET).expect("it fits")
}

pub fn authenticator(identifier: u8, n: u8) -> Authenticator {
    let mut out = [0; 16];
    (&mut SeededEntropy(u64::from(identifier) << 8 | u64::from(n)) as &mut dyn Entropy).fill(&mut out);
    out
}

/// Checks that an answer is genuine and begins with Message-Authenticator, and tells its code, State and attributes.
pub struct Reply {
    pub code: Code,
    bytes: Vec<u8>,
}

impl Reply {
    pub fn to(request: &[u8], reply: &[u8]) -> Self {
        let request = Packet::decode(request).expect("a request");
        let packet = Packet::decode(reply).expect("a reply");
        let is_access = matches!(packet.code(), Code::AccessAccept | Code::AccessReject | Code::AccessChallenge);
        let rule =
            if is_access { ReplyRule::MessageAuthenticatorRequired } else { ReplyRule::MessageAuthenticatorOptional };
        let genuine = packet.verify_reply(request.identifier(), request.authenticator(), SECRET, rule);
        assert_eq!(genuine, Ok(()));
        if is_access {
            let first = packet.attributes().next().expect("an attribute");
            assert_eq!(first.kind, AttributeType::MESSAGE_AUTHENTICATOR);
        }
        Self { code: packet.code(), bytes: reply.to_vec() }
    }

    pub fn packet(&self) -> Packet<'_> {
        Packet::decode(&self.bytes).expect("it was decoded before")
    }

    pub fn text(&self, kind: AttributeType) -> Option<String> {
        self.packet().text(kind).map(ToOwned::to_owned)
    }

    pub fn state(&self) -> Option<Vec<u8>> {
        self.packet().first(AttributeType::STATE).map(<[u8]>::to_vec)
    }
}

impl World {
    /// One exchange at the authentication port; none when there is no answer.
    pub fn exchange(&mut self, request: &[u8]) -> Option<Reply> {
        let sent = self.receive(Socket::Authentication, POINT, request);
        sent.iter()
            .find(|(socket, to, _)| (*socket, *to) == (Socket::Authentication, POINT))
            .map(|(_, _, bytes)| Reply::to(request, bytes))
    }

    /// Device `n` begins a login and is in the middle of it: the answer to its second packet, with another challenge.
    pub fn go_on(&mut self, n: u8) -> Reply {
        let challenge = self.exchange(&access_request(n, n, None, &identity(1))).expect("a challenge");
        let more = access_request(n.wrapping_add(50), n, challenge.state().as_deref(), &proof(2, "more"));
        self.exchange(&more).expect("another challenge")
    }

    /// A whole login of device `n` as `text` (`user-1/1`).
    pub fn login(&mut self, n: u8, text: &str) -> Reply {
        let request = self.stamped(n, n, None, &identity(1));
        let challenge = self.exchange(&request).expect("a challenge");
        assert_eq!(challenge.code, Code::AccessChallenge);
        let state = challenge.state().expect("a State");
        let request = self.stamped(n.wrapping_add(100), n, Some(&state), &proof(2, text));
        self.exchange(&request).expect("an answer")
    }

    /// An Access-Request of device `n` that none of another time is taken for.
    pub fn stamped(&self, identifier: u8, n: u8, state: Option<&[u8]>, eap: &[u8]) -> Vec<u8> {
        let mut authenticator = [0; 16];
        let salt = self.now.mono.0 * 2 + u64::from(state.is_some());
        (&mut SeededEntropy(salt) as &mut dyn Entropy).fill(&mut authenticator);
        let mut writer = Writer::request(Code::AccessRequest, identifier, authenticator)
            .text(AttributeType::USER_NAME, "anonymous")
            .text(AttributeType::CALLING_STATION_ID, &mac(n).to_string())
            .eap_message(eap);
        if let Some(state) = state {
            writer = writer.attribute(AttributeType::STATE, state);
        }
        writer.finish(SECRET).expect("it fits")
    }

    /// Accounting of device `n`; whether it was answered.
    pub fn account(&mut self, identifier: u8, request: Writer) -> bool {
        let request = request.finish(SECRET).expect("it fits");
        let sent = self.receive(Socket::Accounting, POINT, &request);
        let answer = sent.iter().find(|(socket, _, _)| *socket == Socket::Accounting);
        answer.is_some_and(|(_, _, bytes)| {
            let reply = Reply::to(&request, bytes);
            assert_eq!((reply.code, reply.packet().identifier()), (Code::AccountingResponse, identifier));
            true
        })
    }
}

/// Acct-Status-Type 1 is Start, 2 Stop, 3 Interim-Update.
pub fn report(identifier: u8, status: u32, n: u8, acct_session_id: &str, class: Option<&str>) -> Writer {
    let writer = Writer::request(Code::AccountingRequest, identifier, [0; 16])
        .integer(AttributeType::ACCT_STATUS_TYPE, status)
        .text(AttributeType::ACCT_SESSION_ID, acct_session_id)
        .text(AttributeType::CALLING_STATION_ID, &mac(n).to_string())
        .text(AttributeType::USER_NAME, &format!("user-{n}"));
    match class {
        Some(class) => writer.text(AttributeType::CLASS, class),
        None => writer,
    }
}

/// The Disconnect-Requests among what left.
pub fn disconnects(sent: &[(Socket, SocketAddr, Vec<u8>)]) -> Vec<Vec<u8>> {
    let of = |(socket, to, bytes): &(Socket, SocketAddr, Vec<u8>)| {
        (*socket == Socket::DynamicAuthorization).then(|| {
            assert_eq!(*to, COA);
            let packet = Packet::decode(bytes).expect("a packet");
            assert_eq!(packet.code(), Code::DisconnectRequest);
            assert_eq!(packet.verify_signed_request(SECRET), Ok(()));
            bytes.clone()
        })
    };
    sent.iter().filter_map(of).collect()
}
