//! A small MQTT 3.1.1 client for the simulated devices, on the client role of mqtt-protocol-core: it shares no line with the
//! server's session, so that two readings of the standard meet on the wire.

use crate::daemon::Daemon;
use mqtt_protocol_core::mqtt;
use mqtt_protocol_core::mqtt::connection::Event;
use mqtt_protocol_core::mqtt::packet::v3_1_1;
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, Packet, Qos, SubEntry, SubOpts};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

const KEEP_ALIVE_SECONDS: u16 = 30;
/// A PINGREQ is sent this often.
pub const PING_EVERY: Duration = Duration::from_secs(10);

/// Where a device connects to and as what.
#[derive(Clone)]
pub struct Account {
    pub address: SocketAddr,
    /// None is the plain listener.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Client id and user name.
    pub device: String,
    pub password: String,
}

impl Account {
    /// Of a device that the box is told of now; over TLS.
    pub fn issued(daemon: &Daemon, device: &str, profile: &str) -> Self {
        let added = daemon.cli(&["device", "add", device, "--profile", profile]);
        assert_eq!((added["client_id"].as_str(), added["username"].as_str()), (Some(device), Some(device)));
        Self {
            address: daemon.listening.mqtt,
            tls: Some(trusting(&daemon.data.join("pki/ca.pem"))),
            device: device.to_owned(),
            password: added["password"].as_str().expect("a password").to_owned(),
        }
    }
}

/// TLS that trusts the certificates of this file and nothing else.
pub fn trusting(ca_pem: &Path) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_pem).expect("a PEM file") {
        roots.add(certificate.expect("a certificate")).expect("a CA");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(builder.expect("default versions").with_root_certificates(roots).with_no_client_auth())
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A message from the server.
#[derive(Clone, Debug)]
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
    pub retain: bool,
}

/// A connection that the server accepted.
pub struct Client {
    wire: Box<dyn Wire>,
    protocol: mqtt::Connection<mqtt::role::Client>,
    received: VecDeque<Message>,
    accepted: Option<bool>,
    subscribed: Option<bool>,
}

fn other(what: impl std::fmt::Debug) -> io::Error {
    io::Error::other(format!("{what:?}"))
}

impl Client {
    /// Connects; a CONNACK that says no is an error. The will, if any, is a topic whose retained message becomes `false`.
    pub async fn connect(account: &Account, will: Option<&str>) -> io::Result<Self> {
        let tcp = TcpStream::connect(account.address).await?;
        tcp.set_nodelay(true)?;
        let wire: Box<dyn Wire> = match &account.tls {
            None => Box::new(tcp),
            Some(tls) => {
                let name = ServerName::try_from("localhost").map_err(other)?;
                Box::new(tokio_rustls::TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await?)
            }
        };
        let mut protocol = mqtt::Connection::new(mqtt::Version::V3_1_1);
        protocol.set_auto_pub_response(true);
        let mut client = Self { wire, protocol, received: VecDeque::new(), accepted: None, subscribed: None };
        let mut connect = v3_1_1::Connect::builder()
            .client_id(account.device.as_str())
            .and_then(|connect| connect.user_name(account.device.as_str()))
            .and_then(|connect| connect.password(account.password.as_bytes().to_vec()))
            .map_err(other)?
            .keep_alive(KEEP_ALIVE_SECONDS)
            .clean_session(true);
        if let Some(topic) = will {
            connect = connect.will_message(topic, b"false".to_vec(), Qos::AtLeastOnce, true).map_err(other)?;
        }
        client.send(connect.build().map_err(other)?.into()).await?;
        while client.accepted.is_none() {
            client.read().await?;
        }
        if client.accepted == Some(true) { Ok(client) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }

    /// Waits for the SUBACK; a filter that is refused is an error.
    pub async fn subscribe(&mut self, filter: &str, qos: Qos) -> io::Result<()> {
        let id = self.protocol.acquire_packet_id().map_err(other)?;
        let entry = SubEntry::new(filter, SubOpts::new().set_qos(qos)).map_err(other)?;
        let subscribe = v3_1_1::Subscribe::builder().packet_id(id).entries(vec![entry]).build().map_err(other)?;
        self.subscribed = None;
        self.send(subscribe.into()).await?;
        while self.subscribed.is_none() {
            self.read().await?;
        }
        if self.subscribed == Some(true) { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }

    /// QoS 0.
    pub async fn publish(&mut self, topic: &str, payload: &[u8], retain: bool) -> io::Result<()> {
        let publish =
            v3_1_1::Publish::builder().topic_name(topic).map_err(other)?.payload(payload.to_vec()).retain(retain);
        self.send(publish.build().map_err(other)?.into()).await
    }

    pub async fn ping(&mut self) -> io::Result<()> {
        self.send(v3_1_1::Pingreq::new().into()).await
    }

    /// The next message. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> io::Result<Message> {
        loop {
            if let Some(message) = self.received.pop_front() {
                return Ok(message);
            }
            self.read().await?;
        }
    }

    /// Says DISCONNECT, so that no will is left.
    pub async fn disconnect(mut self) -> io::Result<()> {
        self.send(v3_1_1::Disconnect::new().into()).await?;
        self.wire.shutdown().await
    }

    async fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4_096];
        let length = self.wire.read(&mut buffer).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut answers = Vec::new();
        let mut cursor = mqtt::common::Cursor::new(&buffer[..length]);
        while cursor.position() < length as u64 {
            let events = self.protocol.recv(&mut cursor);
            self.heed(events, &mut answers)?;
        }
        self.write(&answers).await
    }

    async fn send(&mut self, packet: Packet) -> io::Result<()> {
        let mut bytes = Vec::new();
        let events = self.protocol.send(packet);
        self.heed(events, &mut bytes)?;
        self.write(&bytes).await
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes).await?;
        self.wire.flush().await
    }

    fn heed(&mut self, events: Vec<Event>, bytes: &mut Vec<u8>) -> io::Result<()> {
        for event in events {
            match event {
                Event::RequestSendPacket { packet, .. } => bytes.extend(packet.to_continuous_buffer()),
                Event::NotifyPacketReceived(Packet::V3_1_1Publish(publish)) => self.received.push_back(Message {
                    topic: publish.topic_name().to_owned(),
                    payload: publish.payload().as_slice().to_vec(),
                    retain: publish.retain(),
                }),
                Event::NotifyPacketReceived(Packet::V3_1_1Connack(connack)) => {
                    self.accepted = Some(connack.return_code().is_success());
                }
                Event::NotifyPacketReceived(Packet::V3_1_1Suback(suback)) => {
                    self.subscribed = Some(suback.return_codes().iter().all(|code| code.is_success()));
                }
                Event::NotifyError(error) => return Err(other(error)),
                Event::NotifyPacketReceived(_)
                | Event::NotifyPacketIdReleased(_)
                | Event::RequestTimerReset { .. }
                | Event::RequestTimerCancel(_)
                | Event::RequestClose => {}
            }
        }
        Ok(())
    }
}
