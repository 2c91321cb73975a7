//! RadSec (RFC 6614): TCP, TLS with client certificates, and packets cut out of the stream. It decides nothing: who a
//! certificate belongs to is the engine's question to policy, and the engine says when a connection has to end.
//!
//! ```text
//! listener --handshake, own task--> connection tasks --packets--> net/radius: engine
//!                                        ^---- packets, end ----------'
//! ```
//!
//! Limits: TLS handshake 5 s; connections in all and for one address; fewer before the handshake is over; 10 s for one packet;
//! 5 s until a client has taken what it is sent, and 512 packets that may wait for that.

use super::radius::{Post, Told};
use crate::api::guard::Peer;
use crate::listener::{Place, Places, next_connection};
use crate::shell::Shell;
use engine::wifi::{ConnectionId, HandshakeFault, Input, Socket};
use policy::access_point::ClientCertificate;
use proto::radius::PACKET_MAX_BYTES;
use proto::radius::radsec::Frames;
use rustls::{AlertDescription, CertificateError};
use sha2::{Digest, Sha256};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// Connections whose handshake is not over: each costs a signature. One access point, or a proxy in front of some, opens one.
const HANDSHAKES_PER_ADDRESS_MAX: usize = 8;
const HANDSHAKES_MAX: usize = 64;
/// Access points behind one address that is shared by translation, each with a connection and the one that it lost.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 64;
const CONNECTIONS_MAX: usize = 256;
/// From the first octet of a packet to its last: it fits three TCP segments.
const PACKET_MAX: Duration = Duration::from_secs(10);
/// Without a packet. An access point with a device on it reports it every ten minutes; one without any connects again when it
/// has something to ask.
const IDLE_MAX: Duration = Duration::from_secs(60 * 60);
const WRITE_MAX: Duration = Duration::from_secs(5);
/// Packets that wait for a client to take them. There are 256 identifiers for requests of each kind, so one that reads what it
/// asked for cannot have more waiting.
const OUTBOUND_MAX: usize = 512;
/// Our own wait for the client's end after ours.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// The way to a connection; it ends when this is dropped.
pub(super) type Line = mpsc::Sender<Vec<u8>>;

/// Takes connections until the daemon stops.
pub(super) async fn listen(shell: Shell, listener: TcpListener, tls: Arc<rustls::ServerConfig>, told: Post<Told>) {
    let gate = Gate { told, connections: Arc::default(), acceptor: TlsAcceptor::from(tls) };
    let handshakes = Places::new(HANDSHAKES_PER_ADDRESS_MAX, HANDSHAKES_MAX);
    let places = Places::new(CONNECTIONS_PER_ADDRESS_MAX, CONNECTIONS_MAX);
    while let Some((stream, peer)) = next_connection(&shell, "RadSec", &listener).await {
        let from = Peer::at(peer.ip());
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let (Some(handshake), Some(place)) = (handshakes.take(from), places.take(from)) else {
            let _ = gate.told.send(Told::ConnectionShed).await; // or the daemon stops
            continue;
        };
        tokio::spawn(gate.clone().welcome(stream, peer, handshake, place));
    }
}

#[derive(Clone)]
struct Gate {
    told: Post<Told>,
    connections: Arc<AtomicU64>,
    acceptor: TlsAcceptor,
}

impl Gate {
    async fn welcome(self, stream: TcpStream, from: SocketAddr, handshake: Place, _place: Place) {
        if let Err(error) = host::tcp::prepare_for_packets(&stream) {
            tracing::debug!(%error, "a socket could not be prepared");
            return;
        }
        let fault = match tokio::time::timeout(HANDSHAKE_MAX, self.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                drop(handshake);
                return self.serve(stream, from).await;
            }
            Ok(Err(error)) => fault(&error),
            Err(_) => Some(HandshakeFault::TooSlow),
        };
        match fault {
            Some(fault) => {
                let _ = self.told.send(Told::Engine(Input::HandshakeFailed { from, fault })).await; // or the daemon stops
            }
            None => tracing::debug!(%from, "a client left in the middle of its TLS handshake"),
        }
    }

    async fn serve(self, wire: TlsStream<TcpStream>, from: SocketAddr) {
        let Some(certificate) = certificate(&wire) else { return }; // TLS does not let one in without
        let connection = ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed));
        let (line, outbound) = mpsc::channel(OUTBOUND_MAX);
        let opened = Told::Connected { line, connection, from, certificate };
        if self.told.send(opened).await.is_ok() {
            let end = Connection { connection, from, wire, told: self.told.clone(), outbound }.serve().await;
            tracing::debug!(%from, ?end, "a RadSec connection is over");
            let _ = self.told.send(Told::Engine(Input::Gone { connection })).await; // or the daemon stops
        }
    }
}

/// What a client certificate says that TLS has verified.
fn certificate(wire: &TlsStream<TcpStream>) -> Option<ClientCertificate> {
    use x509_parser::extensions::GeneralName;
    let der = wire.get_ref().1.peer_certificates()?.first()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
    let names = parsed.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    Some(ClientCertificate { fingerprint: Sha256::digest(der).into(), names: names.collect() })
}

/// What an operator can do something about; none for a client that just left, as a port scan does.
fn fault(error: &io::Error) -> Option<HandshakeFault> {
    use rustls::Error;
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>())?;
    Some(match tls {
        Error::NoCertificatesPresented => HandshakeFault::NoCertificate,
        Error::InvalidCertificate(why) => match why {
            // A CA of the same name with another key is another CA.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => HandshakeFault::ForeignCertificate,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => HandshakeFault::ExpiredCertificate,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                HandshakeFault::NotYetValidCertificate
            }
            why => HandshakeFault::UnusableCertificate(why.to_string()),
        },
        // A client that was given no certificate may say so by an alert of its own.
        Error::AlertReceived(AlertDescription::NoCertificate) => HandshakeFault::NoCertificate,
        Error::AlertReceived(alert) => HandshakeFault::RefusedByClient(alert.as_str().unwrap_or("an alert").to_owned()),
        other => HandshakeFault::NotTls(other.to_string()),
    })
}

/// One connection of somebody whose certificate our CA signed.
struct Connection {
    connection: ConnectionId,
    from: SocketAddr,
    wire: TlsStream<TcpStream>,
    told: Post<Told>,
    outbound: mpsc::Receiver<Vec<u8>>,
}

/// How a connection ended.
#[derive(Debug)]
enum End {
    /// The engine, or the daemon, wants no more of it.
    Closed,
    /// The client has ended it.
    Left,
    /// Nobody knows where the next packet begins.
    Unframed(#[expect(dead_code, reason = "for the log")] proto::radius::radsec::InvalidLength),
    TooSlow,
    Idle,
    Broken(#[expect(dead_code, reason = "for the log")] io::Error),
}

impl Connection {
    async fn serve(mut self) -> End {
        let end = self.exchange().await.unwrap_or_else(End::Broken);
        let goodbye = async {
            self.wire.shutdown().await?;
            let mut rest = [0; 1_024];
            while self.wire.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        if matches!(end, End::Closed | End::Idle | End::Left) {
            let _ = tokio::time::timeout(GOODBYE_MAX, goodbye).await; // a client that lingers is left behind
        }
        end
    }

    async fn exchange(&mut self) -> io::Result<End> {
        let mut buffer = vec![0; PACKET_MAX_BYTES];
        let mut frames = Frames::default();
        let mut deadline = Instant::now() + IDLE_MAX;
        loop {
            tokio::select! {
                biased;
                outbound = self.outbound.recv() => match outbound {
                    Some(packet) => self.write(&packet).await?,
                    None => return Ok(End::Closed),
                },
                read = self.wire.read(&mut buffer) => {
                    let length = match read {
                        Ok(length) => length,
                        // A client that does not say goodbye in TLS has left all the same.
                        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
                        Err(error) => return Err(error),
                    };
                    if length == 0 {
                        return Ok(End::Left);
                    }
                    let was_partial = frames.is_partial();
                    let mut packets = Vec::new();
                    let framed = frames.push(&buffer[..length], |packet| packets.push(packet));
                    if frames.is_partial() && (!was_partial || !packets.is_empty()) {
                        deadline = Instant::now() + PACKET_MAX;
                    } else if !frames.is_partial() {
                        deadline = Instant::now() + IDLE_MAX;
                    }
                    for datagram in packets {
                        self.tell(datagram).await;
                    }
                    if let Err(invalid) = framed {
                        let _ = self.told.send(Told::Engine(Input::Unframed { connection: self.connection, invalid })).await;
                        return Ok(End::Unframed(invalid));
                    }
                }
                () = tokio::time::sleep_until(deadline) => {
                    return Ok(if frames.is_partial() { End::TooSlow } else { End::Idle });
                }
            }
        }
    }

    async fn tell(&self, datagram: Vec<u8>) {
        let received = Input::Received { socket: Socket::RadSec(self.connection), from: self.from, datagram };
        let _ = self.told.send(Told::Engine(received)).await; // or the daemon stops, and so does this connection
    }

    async fn write(&mut self, packet: &[u8]) -> io::Result<()> {
        let written = async {
            self.wire.write_all(packet).await?;
            self.wire.flush().await
        };
        tokio::time::timeout(WRITE_MAX, written).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}
