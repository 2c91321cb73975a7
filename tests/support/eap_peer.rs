//! A device that logs in: the peer's side of EAP, with EAP-TLS, PEAP v0/MSCHAPv2 and TTLS with each of its inner methods, on a
//! rustls client in memory. Sans-IO:
//! the simulated access point carries its packets by RADIUS, the conformance tests by hand.
//!
//! ```text
//!  Request -> handle -> Response ... Success (with the MSK that the device would use) | Failure
//! ```
//! It believes nobody: EAP-Success before the inner method ended well is an error, and so is a server that cannot show that it
//! knows the key (MSCHAPv2).

use crate::eap_server::DeviceIdentity;
use proto::eap::mschapv2::{authenticator_response, challenge_hash, nt_hash, nt_response, without_domain};
use proto::eap::{
    Avp, InnerMethod, Message, MethodKind, MsChapV2Packet, Outgoing, Packet, Reassembly, ResultStatus, TlsData, Tlv,
    decode_avps, decode_tlvs, eap_type, encode_avps, encode_tlvs,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, ProtocolVersion, RootCertStore,
    SignatureScheme,
};
use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;

/// Which servers a device believes.
#[derive(Clone, Debug)]
pub enum Trust {
    /// A profile was installed: certificates of these CAs (PEM), for this name.
    Ca { pem: Vec<u8>, server_name: String },
    /// A careless device: any certificate.
    Anybody,
}

/// Which TLS versions a device speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsOffer {
    Tls12,
    Tls13,
    Both,
}

/// What the device was set up with.
#[derive(Clone, Debug)]
pub struct PeerSettings {
    pub method: MethodKind,
    /// Inside TTLS; PEAP has MSCHAPv2 and EAP-TLS nothing.
    pub inner: InnerMethod,
    /// The device's own certificate, for EAP-TLS; without one it shows none.
    pub identity: Option<DeviceIdentity>,
    /// Shown outside the tunnel.
    pub outer_identity: String,
    pub username: String,
    pub password: String,
    pub trust: Trust,
    pub tls: TlsOffer,
    /// The largest EAP packet that the device sends.
    pub fragment_max_bytes: usize,
    /// Announce the TLS length on every fragment, as some devices do.
    pub length_on_all_fragments: bool,
    /// Under TTLS/PAP, send the password along with the TLS 1.3 Finished instead of waiting for the server's turn.
    pub eager: bool,
}

impl PeerSettings {
    #[must_use]
    pub fn new(method: MethodKind, username: &str, password: &str) -> Self {
        Self {
            method,
            inner: InnerMethod::Pap,
            identity: None,
            outer_identity: "anonymous".into(),
            username: username.into(),
            password: password.into(),
            trust: Trust::Anybody,
            tls: TlsOffer::Both,
            fragment_max_bytes: 1_300,
            length_on_all_fragments: false,
            eager: false,
        }
    }
}

/// Why a device gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerError {
    /// The server broke EAP or the method.
    Protocol(&'static str),
    /// EAP-Success came before the login had succeeded inside the tunnel.
    SuccessTooEarly,
    /// TLS, most often: the certificate is not believed.
    Tls(String),
    Settings(String),
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(what) => write!(f, "the server broke the protocol: {what}"),
            Self::SuccessTooEarly => f.write_str("EAP-Success before the end of the inner method"),
            Self::Tls(what) => write!(f, "TLS: {what}"),
            Self::Settings(what) => write!(f, "the device is set up wrongly: {what}"),
        }
    }
}

impl std::error::Error for PeerError {}

/// What the device does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerStep {
    Response(Vec<u8>),
    /// Logged in; the access point must have the same 64 bytes.
    Success {
        msk: [u8; 64],
        tls13: bool,
        /// It went on with its session of an earlier login.
        resumed: bool,
    },
    Failure,
}

/// One login of one device.
pub struct EapPeer {
    settings: PeerSettings,
    config: Arc<ClientConfig>,
    server_name: ServerName<'static>,
    tunnel: Option<Tunnel>,
    inner: Inner,
    /// The TLS error behind an alert that was sent.
    tls_error: Option<String>,
}

struct Tunnel {
    connection: ClientConnection,
    incoming: Reassembly,
    outgoing: Option<Outgoing>,
    outgoing_length: u32,
}

enum Inner {
    Begin,
    /// MSCHAPv2: the proof that the server must show.
    Answered {
        expected: String,
    },
    /// The server has shown it.
    Believed,
    /// The server said no.
    Refused,
    /// All that the device does before EAP-Success has been done.
    Ended,
}

impl EapPeer {
    pub fn new(settings: PeerSettings) -> Result<Self, PeerError> {
        let (config, server_name) = client_config(&settings)?;
        Ok(Self { settings, config: Arc::new(config), server_name, tunnel: None, inner: Inner::Begin, tls_error: None })
    }

    /// The same device at its next login, with what it remembers of TLS.
    #[must_use]
    pub fn again(&self) -> Self {
        self.again_by(self.settings.method)
    }

    /// The same by another method, as an attacker would try who has the session of one and wants in by the other.
    #[must_use]
    pub fn again_by(&self, method: MethodKind) -> Self {
        Self {
            settings: PeerSettings { method, ..self.settings.clone() },
            config: Arc::clone(&self.config),
            server_name: self.server_name.clone(),
            tunnel: None,
            inner: Inner::Begin,
            tls_error: None,
        }
    }

    /// Whether the server went on with the session that the device had.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        let kind = self.tunnel.as_ref().and_then(|tunnel| tunnel.connection.handshake_kind());
        kind == Some(HandshakeKind::Resumed)
    }

    /// The Response/Identity that an access point asks for before it speaks RADIUS.
    #[must_use]
    pub fn identity(&self, identifier: u8) -> Vec<u8> {
        response(identifier, eap_type::IDENTITY, self.settings.outer_identity.as_bytes())
    }

    /// Why the device sent a TLS alert, if it did.
    #[must_use]
    pub fn tls_error(&self) -> Option<&str> {
        self.tls_error.as_deref()
    }

    pub fn handle(&mut self, packet: &[u8]) -> Result<PeerStep, PeerError> {
        match Packet::decode(packet).map_err(|_| PeerError::Protocol("not an EAP packet"))? {
            Packet::Request(request) => self.handle_request(&request),
            Packet::Success { .. } => self.succeed(),
            Packet::Failure { .. } => Ok(PeerStep::Failure),
            Packet::Response(_) => Err(PeerError::Protocol("a Response from a server")),
        }
    }

    fn handle_request(&mut self, request: &Message<'_>) -> Result<PeerStep, PeerError> {
        let method = self.settings.method.eap_type();
        let packet = match request.kind {
            eap_type::IDENTITY => self.identity(request.identifier),
            kind if kind == method => response(request.identifier, method, &self.handle_tls(request.data)?),
            _ => response(request.identifier, eap_type::NAK, &[method]),
        };
        Ok(PeerStep::Response(packet))
    }

    fn handle_tls(&mut self, type_data: &[u8]) -> Result<Vec<u8>, PeerError> {
        let data = TlsData::decode(type_data).map_err(|error| PeerError::Protocol(error.what()))?;
        if data.start {
            let connection = ClientConnection::new(Arc::clone(&self.config), self.server_name.clone())
                .map_err(|error| PeerError::Tls(error.to_string()))?;
            let incoming = Reassembly::Empty;
            self.tunnel = Some(Tunnel { connection, incoming, outgoing: None, outgoing_length: 0 });
            return Ok(self.flight());
        }
        let tunnel = self.tunnel.as_mut().ok_or(PeerError::Protocol("TLS before its Start"))?;
        if let Some(fragment) = tunnel.outgoing.as_mut().and_then(Outgoing::next_fragment) {
            if !data.is_acknowledgement() {
                return Err(PeerError::Protocol("data where a fragment was to be acknowledged"));
            }
            return Ok(self.mark(fragment));
        }
        match tunnel.incoming.push(&data).map_err(|error| PeerError::Protocol(error.what()))? {
            Some(message) => self.handle_message(&message),
            None => Ok(vec![0]),
        }
    }

    fn handle_message(&mut self, mut message: &[u8]) -> Result<Vec<u8>, PeerError> {
        let tunnel = self.tunnel.as_mut().ok_or(PeerError::Protocol("TLS before its Start"))?;
        let mut plaintext = Vec::new();
        let was_handshaking = tunnel.connection.is_handshaking();
        while !message.is_empty() {
            tunnel.connection.read_tls(&mut message).map_err(|error| PeerError::Tls(error.to_string()))?;
            match tunnel.connection.process_new_packets() {
                Ok(state) => {
                    let at = plaintext.len();
                    plaintext.resize(at + state.plaintext_bytes_to_read(), 0);
                    tunnel
                        .connection
                        .reader()
                        .read_exact(&mut plaintext[at..])
                        .expect("rustls has said how much it has");
                }
                Err(error) => {
                    self.tls_error = Some(error.to_string());
                    return Ok(self.flight()); // the alert
                }
            }
        }
        if tunnel.connection.is_handshaking() {
            return Ok(self.flight());
        }
        if was_handshaking && tunnel.connection.wants_write() && !self.settings.eager {
            return Ok(self.flight()); // Finished goes out alone
        }
        let said = match (self.settings.method, self.settings.inner) {
            (MethodKind::Tls, _) => self.take_commitment(&plaintext)?,
            (MethodKind::Peap, _) => self.answer_inner(&plaintext)?,
            (MethodKind::Ttls, InnerMethod::Pap) => self.say_pap(),
            (MethodKind::Ttls, InnerMethod::MsChapV2) => self.say_mschapv2(&plaintext)?,
            (MethodKind::Ttls, InnerMethod::EapMsChapV2) => self.say_eap(&plaintext)?,
        };
        if let (Some(tunnel), false) = (self.tunnel.as_mut(), said.is_empty()) {
            tunnel.connection.writer().write_all(&said).map_err(|error| PeerError::Tls(error.to_string()))?;
        }
        Ok(self.flight())
    }

    /// What rustls has to send; when that is nothing, the turn goes back empty.
    fn flight(&mut self) -> Vec<u8> {
        let Some(tunnel) = self.tunnel.as_mut() else { return vec![0] };
        let mut bytes = Vec::new();
        while tunnel.connection.wants_write() {
            tunnel.connection.write_tls(&mut bytes).expect("a vector takes everything");
        }
        tunnel.outgoing_length = u32::try_from(bytes.len()).expect("a flight is small");
        let room = self.settings.fragment_max_bytes - if self.settings.length_on_all_fragments { 4 } else { 0 };
        let mut outgoing = Outgoing::new(bytes, room);
        let first = outgoing.next_fragment();
        tunnel.outgoing = Some(outgoing);
        first.map_or_else(|| vec![0], |fragment| self.mark(fragment))
    }

    fn mark(&self, fragment: Vec<u8>) -> Vec<u8> {
        let length = self.tunnel.as_ref().map(|tunnel| tunnel.outgoing_length);
        match TlsData::decode(&fragment) {
            Ok(data) if self.settings.length_on_all_fragments => TlsData { message_length: length, ..data }.encode(),
            _ => fragment,
        }
    }

    /// TTLS: the name and the password, padded to hide its length (RFC 5281 11.2.5). The second time there is nothing to say.
    fn say_pap(&mut self) -> Vec<u8> {
        if !matches!(self.inner, Inner::Begin) {
            return Vec::new();
        }
        self.inner = Inner::Ended;
        let mut password = self.settings.password.clone().into_bytes();
        password.resize(password.len().next_multiple_of(16).max(16), 0);
        encode_avps(&[
            Avp { code: 1, vendor: None, mandatory: true, data: self.settings.username.as_bytes() },
            Avp { code: 2, vendor: None, mandatory: true, data: &password },
        ])
    }

    /// EAP-TLS: over TLS 1.3 the server's word that it is done (RFC 9190 2.5), over 1.2 nothing but its Finished.
    fn take_commitment(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, PeerError> {
        let tls13 = self.speaks_tls13();
        match (plaintext, tls13) {
            ([], true) => {}
            ([0], true) | ([], false) => self.inner = Inner::Ended,
            _ => return Err(PeerError::Protocol("something inside EAP-TLS")),
        }
        Ok(Vec::new())
    }

    fn speaks_tls13(&self) -> bool {
        let version = self.tunnel.as_ref().and_then(|tunnel| tunnel.connection.protocol_version());
        version == Some(ProtocolVersion::TLSv1_3)
    }

    /// TTLS/MSCHAPv2 (RFC 5281 11.2.4): the answer to the tunnel's own challenge, then nothing but belief.
    fn say_mschapv2(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, PeerError> {
        const MICROSOFT: Option<u32> = Some(311);
        match (&self.inner, plaintext) {
            (Inner::Begin, []) => {
                let tunnel = self.tunnel.as_ref().ok_or(PeerError::Protocol("TLS before its Start"))?;
                let implicit = tunnel.connection.export_keying_material([0; 17], b"ttls challenge", None);
                let implicit: [u8; 17] = implicit.map_err(|error| PeerError::Tls(error.to_string()))?;
                let (challenge, identifier) = implicit.split_first_chunk::<16>().expect("17 bytes hold 16");
                let (peer_challenge, nt_response) = self.prove(challenge)?;
                let response = [identifier, &[0], &peer_challenge, &[0; 8], &nt_response].concat();
                Ok(encode_avps(&[
                    Avp { code: 1, vendor: None, mandatory: true, data: self.settings.username.as_bytes() },
                    Avp { code: 11, vendor: MICROSOFT, mandatory: true, data: challenge },
                    Avp { code: 25, vendor: MICROSOFT, mandatory: true, data: &response },
                ]))
            }
            (Inner::Answered { expected }, success) => {
                let avps = decode_avps(success).map_err(|_| PeerError::Protocol("malformed AVPs"))?;
                let success = avps.iter().find(|avp| avp.vendor == MICROSOFT && avp.code == 26);
                let shown = success.and_then(|avp| avp.data.get(1..)).unwrap_or_default();
                if shown != expected.as_bytes() {
                    return Err(PeerError::Protocol("the server does not know the key"));
                }
                self.inner = Inner::Ended;
                Ok(Vec::new())
            }
            _ => Err(PeerError::Protocol("an MSCHAPv2 message out of turn")),
        }
    }

    /// TTLS/EAP-MSCHAPv2 (RFC 5281 11.1): whole EAP packets in AVPs, beginning with an identity that nobody asked for.
    fn say_eap(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, PeerError> {
        let packet = if plaintext.is_empty() {
            response(0, eap_type::IDENTITY, self.settings.username.as_bytes())
        } else {
            let avps = decode_avps(plaintext).map_err(|_| PeerError::Protocol("malformed AVPs"))?;
            let eap = avps.iter().find(|avp| avp.code == 79).ok_or(PeerError::Protocol("no EAP-Message"))?;
            let Ok(Packet::Request(request)) = Packet::decode(eap.data) else {
                return Err(PeerError::Protocol("no EAP-Request in the tunnel"));
            };
            let typed = [&[request.kind], request.data].concat();
            let answer = self.answer_inner(&typed)?;
            if let Inner::Believed = self.inner {
                self.inner = Inner::Ended; // here the method itself is the end
            }
            let (&kind, data) = answer.split_first().ok_or(PeerError::Protocol("an empty EAP-Request"))?;
            response(request.identifier, kind, data)
        };
        Ok(encode_avps(&[Avp { code: 79, vendor: None, mandatory: true, data: &packet }]))
    }

    /// The answer to an MSCHAPv2 challenge, and what the server must answer to that.
    fn prove(&mut self, challenge: &[u8; 16]) -> Result<([u8; 16], [u8; 24]), PeerError> {
        let mut peer_challenge = [0; 16];
        getrandom::fill(&mut peer_challenge).map_err(|error| PeerError::Settings(error.to_string()))?;
        let hash = nt_hash(&self.settings.password);
        let user = without_domain(&self.settings.username).as_bytes();
        let challenge = challenge_hash(&peer_challenge, challenge, user);
        let nt_response = nt_response(&challenge, &hash);
        self.inner = Inner::Answered { expected: authenticator_response(&hash, &nt_response, &challenge) };
        Ok((peer_challenge, nt_response))
    }

    /// PEAP: one inner packet; only the result has a whole EAP header.
    fn answer_inner(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, PeerError> {
        if let Ok(Packet::Request(Message { identifier, kind: eap_type::TLV, data })) = Packet::decode(plaintext) {
            return self.answer_result(identifier, data);
        }
        match plaintext.split_first() {
            None => Ok(Vec::new()),
            Some((&eap_type::IDENTITY, _)) => Ok([&[eap_type::IDENTITY], self.settings.username.as_bytes()].concat()),
            Some((&eap_type::MSCHAPV2, data)) => self.answer_mschapv2(data),
            Some(_) => Ok(vec![eap_type::NAK, eap_type::MSCHAPV2]),
        }
    }

    fn answer_mschapv2(&mut self, data: &[u8]) -> Result<Vec<u8>, PeerError> {
        let packet = MsChapV2Packet::decode(data).ok_or(PeerError::Protocol("a malformed MSCHAPv2 packet"))?;
        let answer = match (packet, &self.inner) {
            (MsChapV2Packet::Challenge { id, challenge, .. }, Inner::Begin) => {
                let (peer_challenge, nt_response) = self.prove(&challenge)?;
                let name = self.settings.username.as_bytes();
                MsChapV2Packet::Response { id, peer_challenge, nt_response, name }.encode()
            }
            (MsChapV2Packet::SuccessRequest { message, .. }, Inner::Answered { expected }) => {
                if !message.starts_with(expected.as_bytes()) {
                    return Err(PeerError::Protocol("the server does not know the key"));
                }
                self.inner = Inner::Believed;
                MsChapV2Packet::SuccessResponse.encode()
            }
            (MsChapV2Packet::FailureRequest { message, .. }, Inner::Answered { .. }) => {
                if !message.starts_with(b"E=") {
                    return Err(PeerError::Protocol("a failure without its number"));
                }
                self.inner = Inner::Refused;
                MsChapV2Packet::FailureResponse.encode()
            }
            _ => return Err(PeerError::Protocol("an MSCHAPv2 packet out of turn")),
        };
        Ok([&[eap_type::MSCHAPV2], &answer[..]].concat())
    }

    fn answer_result(&mut self, identifier: u8, data: &[u8]) -> Result<Vec<u8>, PeerError> {
        let tlvs = decode_tlvs(data).ok_or(PeerError::Protocol("malformed TLVs"))?;
        let said_yes = tlvs.contains(&Tlv::Result(ResultStatus::Success));
        let status = match (said_yes, &self.inner) {
            (true, Inner::Begin) if self.is_resumed() => {
                self.inner = Inner::Ended;
                ResultStatus::Success
            }
            (true, Inner::Believed) => {
                self.inner = Inner::Ended;
                ResultStatus::Success
            }
            _ => ResultStatus::Failure,
        };
        let data = encode_tlvs(&[Tlv::Result(status)]);
        Ok(Packet::Response(Message { identifier, kind: eap_type::TLV, data: &data }).encode())
    }

    fn succeed(&mut self) -> Result<PeerStep, PeerError> {
        let (tls13, resumed) = (self.speaks_tls13(), self.is_resumed());
        // Resumption ends with the handshake, but for PEAP's result and TLS 1.3's commitment.
        let is_over = resumed && !tls13 && self.settings.method != MethodKind::Peap;
        let tunnel = self.tunnel.as_ref().filter(|_| is_over || matches!(self.inner, Inner::Ended));
        let tunnel = tunnel.ok_or(PeerError::SuccessTooEarly)?;
        let context = [self.settings.method.eap_type()];
        let (label, context): (&[u8], _) = match (tls13, self.settings.method) {
            (true, _) => (b"EXPORTER_EAP_TLS_Key_Material", Some(&context[..])),
            (false, MethodKind::Ttls) => (b"ttls keying material", None),
            (false, MethodKind::Tls | MethodKind::Peap) => (b"client EAP encryption", None),
        };
        let exported = tunnel.connection.export_keying_material([0; 128], label, context);
        let exported: [u8; 128] = exported.map_err(|error| PeerError::Tls(error.to_string()))?;
        let msk = *exported.first_chunk::<64>().ok_or(PeerError::Protocol("no key"))?;
        Ok(PeerStep::Success { msk, tls13, resumed })
    }
}

fn response(identifier: u8, kind: u8, data: &[u8]) -> Vec<u8> {
    Packet::Response(Message { identifier, kind, data }).encode()
}

fn client_config(settings: &PeerSettings) -> Result<(ClientConfig, ServerName<'static>), PeerError> {
    let versions: &[_] = match settings.tls {
        TlsOffer::Tls12 => &[&rustls::version::TLS12],
        TlsOffer::Tls13 => &[&rustls::version::TLS13],
        TlsOffer::Both => &[&rustls::version::TLS13, &rustls::version::TLS12],
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| PeerError::Settings(error.to_string()))?;
    let (builder, name) = match &settings.trust {
        Trust::Ca { pem, server_name } => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| PeerError::Settings(error.to_string()))?;
                roots.add(certificate).map_err(|error| PeerError::Settings(error.to_string()))?;
            }
            (builder.with_root_certificates(roots), server_name.clone())
        }
        Trust::Anybody => (
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Careless(provider))),
            "radius.invalid".into(),
        ),
    };
    let mut config = match &settings.identity {
        Some(identity) => builder
            .with_client_auth_cert(vec![identity.certificate.clone()], identity.private_key())
            .map_err(|error| PeerError::Settings(error.to_string()))?,
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = false; // supplicants send none
    let name = ServerName::try_from(name).map_err(|error| PeerError::Settings(error.to_string()))?;
    Ok((config, name))
}

/// Believes every certificate, but still checks that the server holds its key.
#[derive(Debug)]
struct Careless(Arc<CryptoProvider>);

impl ServerCertVerifier for Careless {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
