//! The protocol crate's EAP server with the least around it that can carry a login: a certificate, a list of users, and for
//! judges that come over the network a RADIUS socket. No policy, no sessions: those belong to the daemon.

use proto::eap::mschapv2::nt_hash;
use proto::eap::{
    EapConversation, EapFailure, EapInput, EapSettings, EapStep, Method, MethodKind, Shown, TlsConfigs, server_identity,
};
use proto::radius::access::AccessRequest;
use proto::radius::{AttributeType, Code, Packet, SessionKeyPair, Tunnel, Writer};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::time_provider::DefaultTimeProvider;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// The name in the server's certificate.
pub const SERVER_NAME: &str = "radius.harbour.example";
/// The VLAN that every login gets from `RadiusServer`.
pub const VLAN: u16 = 10;
/// Session-Timeout in seconds, likewise.
pub const SESSION_TIMEOUT_S: u32 = 3_600;

/// A CA and a server certificate under it, and the CA of devices' certificates; all P-256 as the daemon makes them.
pub struct Pki {
    pub ca_pem: String,
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    pub device_ca: DeviceCa,
}

/// Signs certificates for devices.
pub struct DeviceCa {
    pub certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A device's certificate and its key.
#[derive(Clone)]
pub struct DeviceIdentity {
    pub certificate: CertificateDer<'static>,
    pub key: Arc<KeyPair>,
}

impl std::fmt::Debug for DeviceIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceIdentity")
    }
}

impl DeviceIdentity {
    /// What the store knows it by.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.serialize_der().into())
    }
}

/// A device's certificate, valid from one year to another.
struct Dates {
    from: i32,
    until: i32,
}

impl DeviceCa {
    /// A CA of this name.
    pub fn new(name: &str) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// A certificate that is good now.
    pub fn issue(&self, name: &str) -> Result<DeviceIdentity, rcgen::Error> {
        self.issue_for(name, &Dates { from: 2020, until: 2120 }, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// One whose dates are over.
    pub fn issue_expired(&self, name: &str) -> Result<DeviceIdentity, rcgen::Error> {
        self.issue_for(name, &Dates { from: 2020, until: 2021 }, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// One whose dates have not begun.
    pub fn issue_of_the_future(&self, name: &str) -> Result<DeviceIdentity, rcgen::Error> {
        self.issue_for(name, &Dates { from: 2110, until: 2120 }, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// One that is for servers.
    pub fn issue_for_a_server(&self, name: &str) -> Result<DeviceIdentity, rcgen::Error> {
        self.issue_for(name, &Dates { from: 2020, until: 2120 }, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn issue_for(
        &self,
        name: &str,
        dates: &Dates,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<DeviceIdentity, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(dates.from, 1, 1);
        params.not_after = rcgen::date_time_ymd(dates.until, 1, 1);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        Ok(DeviceIdentity { certificate, key: Arc::new(key) })
    }
}

/// Made once in a test process.
pub fn pki() -> &'static Pki {
    static PKI: OnceLock<Pki> = OnceLock::new();
    PKI.get_or_init(|| new_pki().expect("rcgen makes certificates of fixed contents"))
}

fn new_pki() -> Result<Pki, rcgen::Error> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(rcgen::DnType::CommonName, "Harbour test CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_certificate = ca.self_signed(&ca_key)?;
    let key = KeyPair::generate()?;
    let mut leaf = CertificateParams::new(vec![SERVER_NAME.to_owned()])?;
    leaf.distinguished_name.push(rcgen::DnType::CommonName, SERVER_NAME);
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let leaf = leaf.signed_by(&key, &Issuer::from_params(&ca, &ca_key))?;
    Ok(Pki {
        ca_pem: ca_certificate.pem(),
        chain: vec![leaf.der().clone(), ca_certificate.der().clone()],
        key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        device_ca: DeviceCa::new("Harbour test device CA")?,
    })
}

/// Settings on the test certificate; PEAP and TTLS, TTLS first. Who wants EAP-TLS says so.
#[must_use]
pub fn settings(fragment_max_bytes: usize) -> Arc<EapSettings> {
    settings_with(vec![MethodKind::Ttls, MethodKind::Peap], fragment_max_bytes)
}

#[must_use]
pub fn settings_with(methods: Vec<MethodKind>, fragment_max_bytes: usize) -> Arc<EapSettings> {
    let pki = pki();
    let identity = server_identity(pki.chain.clone(), pki.key.clone_key()).expect("the key belongs to the certificate");
    let device_cas = vec![pki.device_ca.certificate.clone()];
    let tls = TlsConfigs::new(identity, device_cas, Arc::new(DefaultTimeProvider)).expect("a CA is a certificate");
    Arc::new(EapSettings { tls, methods, fragment_max_bytes })
}

/// Who may log in, and who has the right key but may not.
#[derive(Clone, Debug, Default)]
pub struct Users {
    passwords: HashMap<String, String>,
    /// By the SHA-256 of the certificate.
    certificates: HashMap<[u8; 32], String>,
    suspended: Vec<String>,
}

impl Users {
    #[must_use]
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let passwords = pairs.iter().map(|&(name, password)| (name.to_owned(), password.to_owned())).collect();
        Self { passwords, ..Self::default() }
    }

    /// Lets a device in by its certificate.
    #[must_use]
    pub fn with_certificate(mut self, name: &str, identity: &DeviceIdentity) -> Self {
        self.certificates.insert(identity.fingerprint(), name.to_owned());
        self
    }

    /// Who it is that has shown this; nobody's certificate is nobody.
    #[must_use]
    pub fn name_of(&self, shown: &Shown) -> Option<String> {
        match shown {
            Shown::Username(username) => Some(username.clone()),
            Shown::Certificate { fingerprint } => self.certificates.get(fingerprint).cloned(),
            Shown::Resumed(owner) => owner.username.clone(),
        }
    }

    #[must_use]
    pub fn suspend(mut self, name: &str) -> Self {
        self.suspended.push(name.to_owned());
        self
    }

    /// Answers what a conversation asks in between, down to the next thing for the peer.
    pub fn settle(&self, conversation: &mut EapConversation, mut step: EapStep) -> EapStep {
        loop {
            let input = match step {
                EapStep::NeedCredential { username } => {
                    let password = self.passwords.get(&username).map_or("nobody has this key", String::as_str);
                    EapInput::Credential { nt_hash: nt_hash(password) }
                }
                EapStep::Proven { shown, .. } => {
                    let name = self.name_of(&shown);
                    EapInput::Verdict { allow: name.is_some_and(|name| !self.suspended.contains(&name)) }
                }
                step @ (EapStep::Request(_)
                | EapStep::Success { .. }
                | EapStep::Failure { .. }
                | EapStep::Discard(_)) => return step,
            };
            step = conversation.handle(input);
        }
    }
}

/// How a login over the network ended.
#[derive(Clone, Debug)]
pub enum Ended {
    Accepted {
        username: String,
        method: Method,
    },
    Rejected {
        why: EapFailure,
    },
    /// Our alert is with the device. Many fall silent on it, so the failure that follows is not told again.
    BrokenOff {
        why: EapFailure,
    },
}

/// A RADIUS socket on a thread: authentication, and accounting that is acknowledged and forgotten. It ends when dropped.
pub struct RadiusServer {
    pub address: SocketAddr,
    ended: Receiver<Ended>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RadiusServer {
    pub fn start(settings: Arc<EapSettings>, users: Users, secret: &str) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let address = socket.local_addr()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let (sender, ended) = channel();
        let desk = Desk { settings, users, secret: secret.as_bytes().to_vec(), open: HashMap::new(), ended: sender };
        let stop = Arc::clone(&stopping);
        let thread = std::thread::spawn(move || desk.serve(&socket, &stop));
        Ok(Self { address, ended, stopping, thread: Some(thread) })
    }

    /// The next login that came to an end.
    pub fn next_ended(&self) -> Option<Ended> {
        self.ended.recv_timeout(Duration::from_secs(5)).ok()
    }
}

impl Drop for RadiusServer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Desk {
    settings: Arc<EapSettings>,
    users: Users,
    secret: Vec<u8>,
    /// By the State attribute.
    open: HashMap<[u8; 16], EapConversation>,
    ended: Sender<Ended>,
}

impl Desk {
    fn serve(mut self, socket: &UdpSocket, stopping: &AtomicBool) {
        let mut buffer = [0; 4_096];
        while !stopping.load(Ordering::Relaxed) {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
            if let Some(reply) = self.answer(&buffer[..length]) {
                let _ = socket.send_to(&reply, from);
            }
        }
    }

    fn answer(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let packet = Packet::decode(datagram).ok()?;
        if packet.code() == Code::AccountingRequest {
            packet.verify_signed_request(&self.secret).ok()?;
            return Writer::reply(Code::AccountingResponse, &packet).finish(&self.secret).ok();
        }
        packet.verify_access_request(&self.secret).ok()?;
        let request = AccessRequest::of(&packet);
        let eap = request.eap?;
        let mut random = [0; 48];
        getrandom::fill(&mut random).ok()?;
        let (entropy, fresh) = random.split_at(32);
        let state = request.state.and_then(|state| <[u8; 16]>::try_from(state).ok());
        let mut conversation = match state {
            Some(state) => self.open.remove(&state)?,
            None => EapConversation::new(Arc::clone(&self.settings), request.framed_mtu, entropy.try_into().ok()?),
        };
        let told = conversation.broken_off_by().is_some();
        let step = conversation.handle(EapInput::Response(eap));
        let reply = match self.users.settle(&mut conversation, step) {
            EapStep::Request(eap) => {
                if let Some(why) = conversation.broken_off_by().filter(|_| !told) {
                    let _ = self.ended.send(Ended::BrokenOff { why: why.clone() });
                }
                let state: [u8; 16] = fresh.try_into().ok()?;
                self.open.insert(state, conversation);
                Writer::reply(Code::AccessChallenge, &packet).attribute(AttributeType::STATE, &state).eap_message(&eap)
            }
            EapStep::Success { packet: eap, keys, method, shown } => {
                let username = self.users.name_of(&shown).unwrap_or_default();
                let _ = self.ended.send(Ended::Accepted { username, method });
                let keys = SessionKeyPair { recv: keys.recv_key.expose(), send: keys.send_key.expose(), salt: [7, 7] };
                Writer::reply(Code::AccessAccept, &packet)
                    .eap_message(&eap)
                    .session_keys(keys, &self.secret)
                    .tunnel(Tunnel { vlan: VLAN })
                    .integer(AttributeType::SESSION_TIMEOUT, SESSION_TIMEOUT_S)
            }
            EapStep::Failure { packet: eap, why } => {
                if !told {
                    let _ = self.ended.send(Ended::Rejected { why });
                }
                Writer::reply(Code::AccessReject, &packet).eap_message(&eap)
            }
            EapStep::NeedCredential { .. } | EapStep::Proven { .. } | EapStep::Discard(_) => return None,
        };
        reply.finish(&self.secret).ok()
    }
}
