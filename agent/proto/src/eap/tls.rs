//! The TLS tunnel of one conversation: rustls in memory between fragments in and fragments out, and the keys at its end. It knows
//! no inner method; what it runs on is in tls_config.rs.

use super::failure::EapFailure;
use super::fragment::{ACKNOWLEDGEMENT, Outgoing, Reassembly, TlsData};
use super::method::{MethodKind, TlsVersion};
use super::tls_failure::explain;
use rustls::server::ServerConnection;
use rustls::{AlertDescription, HandshakeKind, ProtocolVersion, ServerConfig};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::sync::Arc;
use values::Secret;
use zeroize::Zeroizing;

/// Most plaintext that one message of phase 2 may hold: the AVPs or the inner EAP packet of any login fit in a tenth.
const PHASE2_MAX_BYTES: usize = 4_096;
/// MSK and EMSK. TLS 1.3 mixes the length into the keys, so exactly this much is asked for and then cut.
const EXPORT_BYTES: usize = 128;

/// The first 64 bytes of what the tunnel exports (MSK), as RADIUS carries them: MS-MPPE-Recv-Key and MS-MPPE-Send-Key.
#[derive(Clone, Debug)]
pub struct SessionKeys {
    /// MSK bytes 0 to 31; the PMK of the Wi-Fi session.
    pub recv_key: Secret<[u8; 32]>,
    /// MSK bytes 32 to 63.
    pub send_key: Secret<[u8; 32]>,
}

/// What became of the peer's TLS data.
#[derive(Debug)]
pub(super) enum Heard {
    /// Send this: an acknowledgement of a fragment, or the next fragment.
    Continue(Vec<u8>),
    /// A whole message has been taken, or our last one acknowledged. It is our turn.
    Turn { plaintext: Zeroizing<Vec<u8>> },
}

/// The tunnel.
pub(super) struct Channel {
    kind: MethodKind,
    connection: ServerConnection,
    incoming: Reassembly,
    /// Octets of whole messages that TLS has taken and said nothing to: it holds them until it has a record, or a message of its own.
    unanswered_bytes: usize,
    /// What has been sent of our last message; None once it is through.
    outgoing: Option<Outgoing>,
    packet_max_bytes: usize,
}

impl Channel {
    pub(super) fn new(
        config: Arc<ServerConfig>,
        kind: MethodKind,
        packet_max_bytes: usize,
    ) -> Result<Self, EapFailure> {
        let connection = ServerConnection::new(config).map_err(EapFailure::from)?;
        Ok(Self {
            kind,
            connection,
            incoming: Reassembly::Empty,
            unanswered_bytes: 0,
            outgoing: None,
            packet_max_bytes,
        })
    }

    pub(super) const fn kind(&self) -> MethodKind {
        self.kind
    }

    /// Takes the type-data of one Response. After an error there may still be an alert to send: `take_flight`.
    pub(super) fn handle(&mut self, type_data: &[u8]) -> Result<Heard, EapFailure> {
        let fragment = TlsData::decode(type_data)?;
        if fragment.version != 0 {
            return Err(EapFailure::MethodVersionUnsupported { version: fragment.version });
        }
        if let Some(outgoing) = self.outgoing.as_mut().filter(|outgoing| outgoing.has_more()) {
            if !fragment.is_acknowledgement() {
                return Err(EapFailure::PeerMisbehaved { what: "data where a fragment was to be acknowledged" });
            }
            if let Some(next) = outgoing.next_fragment() {
                return Ok(Heard::Continue(next));
            }
        }
        self.outgoing = None;
        match self.incoming.push(&fragment)? {
            None => Ok(Heard::Continue(ACKNOWLEDGEMENT.to_vec())),
            Some(message) => {
                self.unanswered_bytes += message.len();
                Ok(Heard::Turn { plaintext: self.feed(&message)? })
            }
        }
    }

    /// What is held of messages that are not whole yet, at most.
    pub(super) fn held_bytes(&self) -> usize {
        self.incoming.held_bytes() + self.unanswered_bytes
    }

    /// Feeds rustls one message and takes out what it decrypts to.
    fn feed(&mut self, whole: &[u8]) -> Result<Zeroizing<Vec<u8>>, EapFailure> {
        let mut message = whole;
        let mut plaintext = Zeroizing::new(Vec::new());
        while !message.is_empty() {
            let taken = self.connection.read_tls(&mut message);
            let state = self.connection.process_new_packets().map_err(|error| explain(error, whole))?;
            taken.map_err(|_| EapFailure::PeerMisbehaved { what: "more TLS data than fits" })?;
            let ready = state.plaintext_bytes_to_read();
            if plaintext.len() + ready > PHASE2_MAX_BYTES {
                return Err(EapFailure::PeerMisbehaved { what: "more inside the tunnel than any login needs" });
            }
            if ready > 0 && plaintext.capacity() == 0 {
                // All of it at once: a vector that grows would leave copies of a password behind.
                plaintext.reserve_exact(PHASE2_MAX_BYTES);
            }
            let at = plaintext.len();
            plaintext.resize(at + ready, 0);
            self.connection.reader().read_exact(&mut plaintext[at..]).map_err(|error| local(&error))?;
            if state.peer_has_closed() {
                return Err(EapFailure::TlsAlertFromPeer { description: AlertDescription::CloseNotify });
            }
        }
        Ok(plaintext)
    }

    /// Whether the handshake is done and phase 2 may begin.
    pub(super) fn is_established(&self) -> bool {
        !self.connection.is_handshaking()
    }

    /// Whether the device went on with an earlier session, instead of a full handshake.
    pub(super) fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Encrypts what phase 2 has to say; `take_flight` then carries it.
    pub(super) fn say(&mut self, plaintext: &[u8]) -> Result<(), EapFailure> {
        self.connection.writer().write_all(plaintext).map_err(|error| local(&error))
    }

    /// What TLS wants sent, as the type-data of the first packet; the rest follows as the peer acknowledges.
    pub(super) fn take_flight(&mut self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        while self.connection.wants_write() {
            // Writing into a vector cannot fail; if it ever did, what is there would still be sent.
            if self.connection.write_tls(&mut bytes).is_err() {
                break;
            }
        }
        let mut outgoing = Outgoing::new(bytes, self.packet_max_bytes);
        let first = outgoing.next_fragment()?;
        self.unanswered_bytes = 0;
        self.outgoing = Some(outgoing);
        Some(first)
    }

    /// The tunnel is over but for fragments of an alert.
    pub(super) fn into_outgoing(self) -> Option<Outgoing> {
        self.outgoing
    }

    pub(super) fn version(&self) -> Option<(TlsVersion, &'static str)> {
        let cipher = self.connection.negotiated_cipher_suite()?.suite().as_str()?;
        match self.connection.protocol_version()? {
            ProtocolVersion::TLSv1_3 => Some((TlsVersion::Tls13, cipher)),
            ProtocolVersion::TLSv1_2 => Some((TlsVersion::Tls12, cipher)),
            _ => None,
        }
    }

    /// The SHA-256 of the certificate that the device has shown, together with the proof that it holds its key.
    pub(super) fn device_certificate(&self) -> Option<[u8; 32]> {
        let certificate = self.connection.peer_certificates()?.first()?;
        Some(Sha256::digest(certificate).into())
    }

    /// RFC 5281 11.1, which RFC 9427 2.2 leaves as it is: no context under any version.
    pub(super) fn implicit_challenge(&self) -> Result<[u8; 17], EapFailure> {
        Ok(self.connection.export_keying_material([0; 17], b"ttls challenge", None)?)
    }

    /// RFC 5216 2.3, RFC 5281 8 (TLS 1.2: no context), RFC 9190 2.3 and RFC 9427 2.1 (TLS 1.3: the EAP type is the context).
    pub(super) fn export_keys(&self) -> Result<SessionKeys, EapFailure> {
        let tls12 = match self.kind {
            MethodKind::Ttls => b"ttls keying material".as_slice(),
            MethodKind::Tls | MethodKind::Peap => b"client EAP encryption".as_slice(),
        };
        let context = [self.kind.eap_type()];
        let (label, context) = match self.version() {
            Some((TlsVersion::Tls13, _)) => (b"EXPORTER_EAP_TLS_Key_Material".as_slice(), Some(&context[..])),
            Some((TlsVersion::Tls12, _)) => (tls12, None),
            None => return Err(EapFailure::LocalFault { what: "keys asked for before the handshake".into() }),
        };
        let mut exported = Zeroizing::new([0; EXPORT_BYTES]);
        self.connection.export_keying_material(&mut exported[..], label, context)?;
        let half = |at: usize| {
            let mut key = [0; 32];
            key.copy_from_slice(&exported[at..at + 32]);
            Secret::new(key)
        };
        Ok(SessionKeys { recv_key: half(0), send_key: half(32) })
    }
}

fn local(error: &std::io::Error) -> EapFailure {
    EapFailure::LocalFault { what: format!("TLS buffers: {error}") }
}
