//! An access point's end of RadSec, in the test's own hands: TLS with whatever certificate, any bytes in it, and what comes back.

use proto::radius::Packet;
use proto::radius::radsec::{ALPN, Frames};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// No answer of a daemon that is well takes this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// A certificate with its key, in PEM.
#[derive(Clone, Debug)]
pub struct ClientIdentity {
    pub certificate: String,
    pub key: String,
}

/// How to connect.
pub struct Offer<'a> {
    /// The CA that signed the box's certificate, in PEM.
    pub ca: &'a str,
    pub identity: Option<&'a ClientIdentity>,
    pub tls13: bool,
    pub alpn: bool,
}

/// One connection.
pub struct RadSecClient {
    stream: TlsStream<TcpStream>,
    frames: Frames,
    received: VecDeque<Vec<u8>>,
}

impl RadSecClient {
    /// Connects. In TLS 1.3 the box's opinion of the certificate comes after this: see [`RadSecClient::receive`].
    ///
    /// # Errors
    /// No connection, or no TLS.
    pub async fn connect(server: SocketAddr, offer: &Offer<'_>) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        let stream = socket.connect(server).await?;
        let name = ServerName::try_from("doorpost.harbour.example").map_err(io::Error::other)?;
        let stream = TlsConnector::from(config(offer)?).connect(name, stream).await?;
        Ok(Self { stream, frames: Frames::default(), received: VecDeque::new() })
    }

    /// Sends any bytes.
    ///
    /// # Errors
    /// The box has closed the connection.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// The next packet; none when the box has closed the connection. Panics when it does neither.
    pub async fn receive(&mut self) -> Option<Vec<u8>> {
        tokio::time::timeout(PATIENCE, self.next()).await.expect("a packet, or an end")
    }

    /// Whether the box closes the connection without another packet.
    pub async fn is_closed(&mut self) -> bool {
        self.receive().await.is_none()
    }

    /// Whether the box says nothing for so long, and keeps the connection.
    pub async fn is_silent_for(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.next()).await.is_err()
    }

    /// Sends a packet and waits for what is answered.
    pub async fn ask(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        self.send(packet).await.ok()?;
        self.receive().await
    }

    async fn next(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; 4_096];
        while self.received.is_empty() {
            let length = self.stream.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
            let received = &mut self.received;
            self.frames
                .push(&buffer[..length], |packet| received.push_back(packet))
                .expect("the box frames its packets");
        }
        let packet = self.received.pop_front();
        assert!(packet.as_deref().is_none_or(|packet| Packet::decode(packet).is_ok()), "the box sends RADIUS");
        packet
    }
}

fn config(offer: &Offer<'_>) -> io::Result<Arc<ClientConfig>> {
    let versions = if offer.tls13 { [&rustls::version::TLS13] } else { [&rustls::version::TLS12] };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(offer.ca.as_bytes()) {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(io::Error::other)?
        .with_root_certificates(roots);
    let mut config = match offer.identity {
        Some(ClientIdentity { certificate, key }) => {
            let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(io::Error::other)?;
            builder.with_client_auth_cert(chain.map_err(io::Error::other)?, key).map_err(io::Error::other)?
        }
        None => builder.with_no_client_auth(),
    };
    if offer.alpn {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    Ok(Arc::new(config))
}
