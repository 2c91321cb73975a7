//! Packets a server receives, parsed once, and packets it sends.
//!
//! Framing and field codecs are mqtt-protocol-core's. Its `Connection` is left aside: it answers a PUBLISH whose packet
//! identifier is zero by panicking, and it keeps messages for sessions that come back, which a door gate must not. What its
//! packet parsers let pass is checked here: reserved flag bits, zero identifiers, NUL in strings.

use super::{PACKET_MAX_BYTES, topic::Topic};
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{PacketBuildResult, PacketBuilder, PacketData, RawPacket};
use mqtt_protocol_core::mqtt::packet::Qos;
use mqtt_protocol_core::mqtt::packet::v3_1_1;
use mqtt_protocol_core::mqtt::result_code::{ConnectReturnCode, MqttError, SubackReturnCode};
use std::num::NonZeroU16;
use values::Secret;

/// What a client can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    Connect(Connect),
    Publish(Publish),
    Puback(NonZeroU16),
    Pubrel(NonZeroU16),
    Subscribe { id: NonZeroU16, entries: Vec<(String, QosLevel)> },
    Unsubscribe { id: NonZeroU16, filters: Vec<String> },
    Pingreq,
    Disconnect,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    pub client_id: String,
    pub user_name: Option<String>,
    pub password: Option<Secret<Vec<u8>>>,
    /// Seconds; zero is none.
    pub keep_alive: u16,
    pub clean_session: bool,
    /// Topic, payload, retain.
    pub will: Option<(String, Vec<u8>, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    pub topic: String,
    pub payload: Vec<u8>,
    pub retain: bool,
    pub dup: bool,
    pub delivery: Delivery,
}

/// QoS with the identifier that comes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    AtMostOnce,
    AtLeastOnce(NonZeroU16),
    ExactlyOnce(NonZeroU16),
}

/// QoS that a subscription asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QosLevel {
    AtMostOnce,
    AtLeastOnce,
    ExactlyOnce,
}

/// Why bytes are no packet that a server may receive. The connection is closed (4.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Protocol level other than 4: answered with return code 1 before the end.
    ProtocolLevel,
    TooLarge,
    /// A fixed word for the record.
    Other(&'static str),
}

/// Cuts a stream of bytes into packets.
pub struct Framer(PacketBuilder);

impl Default for Framer {
    fn default() -> Self {
        Self(PacketBuilder::with_maximum_packet_size(PACKET_MAX_BYTES as u32))
    }
}

impl Framer {
    /// The next whole packet of `bytes`, which is advanced past what was used; None when more bytes are needed.
    ///
    /// # Errors
    /// The stream cannot be followed any further.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Result<Packet, Malformed>> {
        while !bytes.is_empty() {
            let mut cursor = Cursor::new(*bytes);
            let built = self.0.feed(&mut cursor);
            let used = usize::try_from(cursor.position()).unwrap_or(bytes.len()).min(bytes.len());
            *bytes = &bytes[used..];
            match built {
                PacketBuildResult::Complete(raw) => return Some(decode(&raw)),
                PacketBuildResult::Error(MqttError::PacketTooLarge) => return Some(Err(Malformed::TooLarge)),
                PacketBuildResult::Error(_) => return Some(Err(Malformed::Other("remaining length"))),
                PacketBuildResult::Incomplete if used == 0 => return None,
                PacketBuildResult::Incomplete => {}
            }
        }
        None
    }
}

/// Control packet types (2.2.1).
mod kind {
    pub const CONNECT: u8 = 1;
    pub const PUBLISH: u8 = 3;
    pub const PUBACK: u8 = 4;
    pub const PUBREL: u8 = 6;
    pub const SUBSCRIBE: u8 = 8;
    pub const UNSUBSCRIBE: u8 = 10;
    pub const PINGREQ: u8 = 12;
    pub const DISCONNECT: u8 = 14;
}

fn decode(raw: &RawPacket) -> Result<Packet, Malformed> {
    // Table 2.2: PUBREL, SUBSCRIBE and UNSUBSCRIBE carry 0010, the others 0000; PUBLISH has meanings of its own.
    let expected = match raw.packet_type() {
        kind::PUBLISH => raw.flags(),
        kind::PUBREL | kind::SUBSCRIBE | kind::UNSUBSCRIBE => 0b0010,
        _ => 0,
    };
    if raw.flags() != expected {
        return Err(Malformed::Other("fixed header flags"));
    }
    match raw.packet_type() {
        kind::CONNECT => connect(raw).map(Packet::Connect),
        kind::PUBLISH => publish(raw).map(Packet::Publish),
        kind::PUBACK => identifier_alone(raw).map(Packet::Puback),
        kind::PUBREL => identifier_alone(raw).map(Packet::Pubrel),
        kind::SUBSCRIBE => subscribe(raw),
        kind::UNSUBSCRIBE => unsubscribe(raw),
        kind::PINGREQ => empty(raw, Packet::Pingreq),
        kind::DISCONNECT => empty(raw, Packet::Disconnect),
        // PUBREC and PUBCOMP answer QoS 2, which is never sent; the rest are a server's.
        _ => Err(Malformed::Other("a packet that no client sends")),
    }
}

fn connect(raw: &RawPacket) -> Result<Connect, Malformed> {
    const CONNECT_FLAGS_AT: usize = 7;
    let packet = raw.parse_exact(v3_1_1::Connect::parse).map_err(|error| match error {
        MqttError::UnsupportedProtocolVersion => Malformed::ProtocolLevel,
        _ => Malformed::Other("CONNECT"),
    })?;
    let flags = raw.data_as_slice().get(CONNECT_FLAGS_AT).copied().unwrap_or(1);
    let will_qos = flags >> 3 & 0b11;
    // 3.1.2.3 to 3.1.2.7: bit 0 is reserved; without a will its QoS and retain are zero; QoS 3 is none.
    if flags & 1 != 0 || (!packet.will_flag() && flags & 0b0011_1000 != 0) || will_qos == 3 {
        return Err(Malformed::Other("CONNECT flags"));
    }
    let will = packet
        .will_topic()
        .map(|topic| (topic.to_owned(), packet.will_payload().unwrap_or_default().to_vec(), packet.will_retain()));
    let texts = [Some(packet.client_id()), packet.user_name(), packet.will_topic()];
    if texts.iter().flatten().any(|text| text.contains('\0')) {
        return Err(Malformed::Other("NUL in a string"));
    }
    Ok(Connect {
        client_id: packet.client_id().to_owned(),
        user_name: packet.user_name().map(str::to_owned),
        password: packet.password().map(|password| Secret::new(password.to_vec())),
        keep_alive: packet.keep_alive(),
        clean_session: packet.clean_session(),
        will,
    })
}

fn publish(raw: &RawPacket) -> Result<Publish, Malformed> {
    let malformed = Malformed::Other("PUBLISH");
    let PacketData::Publish(body) = &raw.data else { return Err(malformed) };
    let (packet, _) = v3_1_1::Publish::parse(raw.flags(), body.clone()).map_err(|_| malformed)?;
    let id = packet.packet_id().map(|id| NonZeroU16::new(id).ok_or(Malformed::Other("packet identifier zero")));
    let delivery = match (packet.qos(), id.transpose()?) {
        (Qos::AtMostOnce, _) if packet.dup() => return Err(Malformed::Other("DUP with QoS 0")),
        (Qos::AtMostOnce, _) => Delivery::AtMostOnce,
        (Qos::AtLeastOnce, Some(id)) => Delivery::AtLeastOnce(id),
        (Qos::ExactlyOnce, Some(id)) => Delivery::ExactlyOnce(id),
        (Qos::AtLeastOnce | Qos::ExactlyOnce, None) => return Err(malformed),
    };
    Ok(Publish {
        topic: packet.topic_name().to_owned(),
        payload: packet.payload().as_slice().to_vec(),
        retain: packet.retain(),
        dup: packet.dup(),
        delivery,
    })
}

fn subscribe(raw: &RawPacket) -> Result<Packet, Malformed> {
    let packet = raw.parse_exact(v3_1_1::Subscribe::parse).map_err(|_| Malformed::Other("SUBSCRIBE"))?;
    let mut entries = Vec::new();
    for entry in packet.entries() {
        // 3.8.3: the upper six bits of the requested QoS are reserved.
        let qos = match entry.sub_opts().to_buffer()[0] {
            0 => QosLevel::AtMostOnce,
            1 => QosLevel::AtLeastOnce,
            2 => QosLevel::ExactlyOnce,
            _ => return Err(Malformed::Other("requested QoS")),
        };
        entries.push((entry.topic_filter().to_owned(), qos));
    }
    Ok(Packet::Subscribe { id: identifier(packet.packet_id())?, entries })
}

fn unsubscribe(raw: &RawPacket) -> Result<Packet, Malformed> {
    let packet = raw.parse_exact(v3_1_1::Unsubscribe::parse).map_err(|_| Malformed::Other("UNSUBSCRIBE"))?;
    let filters = packet.entries().iter().map(|filter| filter.as_str().to_owned()).collect();
    Ok(Packet::Unsubscribe { id: identifier(packet.packet_id())?, filters })
}

fn identifier_alone(raw: &RawPacket) -> Result<NonZeroU16, Malformed> {
    match raw.data_as_slice() {
        &[high, low] => identifier(u16::from_be_bytes([high, low])),
        _ => Err(Malformed::Other("an acknowledgement")),
    }
}

fn identifier(id: u16) -> Result<NonZeroU16, Malformed> {
    NonZeroU16::new(id).ok_or(Malformed::Other("packet identifier zero"))
}

fn empty(raw: &RawPacket, packet: Packet) -> Result<Packet, Malformed> {
    if raw.data_as_slice().is_empty() { Ok(packet) } else { Err(Malformed::Other("a body where none belongs")) }
}

/// CONNACK return codes (table 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnackCode {
    Accepted,
    UnacceptableProtocolVersion,
    IdentifierRejected,
    BadUserNameOrPassword,
    NotAuthorized,
}

/// What a SUBACK says of one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    AtMostOnce,
    AtLeastOnce,
    Failure,
}

/// Session present is always zero: nothing is kept between connections.
#[must_use]
pub fn connack(code: ConnackCode) -> Vec<u8> {
    let code = match code {
        ConnackCode::Accepted => ConnectReturnCode::Accepted,
        ConnackCode::UnacceptableProtocolVersion => ConnectReturnCode::UnacceptableProtocolVersion,
        ConnackCode::IdentifierRejected => ConnectReturnCode::IdentifierRejected,
        ConnackCode::BadUserNameOrPassword => ConnectReturnCode::BadUserNameOrPassword,
        ConnackCode::NotAuthorized => ConnectReturnCode::NotAuthorized,
    };
    let packet = v3_1_1::Connack::builder().session_present(false).return_code(code).build();
    packet.expect("both fields are given").to_continuous_buffer()
}

/// A message that is not retained. QoS 1 if there is an identifier, else QoS 0.
#[must_use]
pub fn publish_to_client(topic: &Topic, payload: &[u8], id: Option<NonZeroU16>) -> Vec<u8> {
    let named = v3_1_1::Publish::builder().topic_name(topic.as_str()).expect("a topic is bounded and has no wildcard");
    let builder = named.payload(payload.to_vec());
    let builder = match id {
        Some(id) => builder.qos(Qos::AtLeastOnce).packet_id(id.get()),
        None => builder.qos(Qos::AtMostOnce),
    };
    builder.build().expect("QoS and identifier agree").to_continuous_buffer()
}

#[must_use]
pub fn suback(id: NonZeroU16, granted: &[Granted]) -> Vec<u8> {
    let codes = granted.iter().map(|granted| match granted {
        Granted::AtMostOnce => SubackReturnCode::SuccessMaximumQos0,
        Granted::AtLeastOnce => SubackReturnCode::SuccessMaximumQos1,
        Granted::Failure => SubackReturnCode::Failure,
    });
    let packet = v3_1_1::Suback::builder().packet_id(id.get()).return_codes(codes.collect()).build();
    packet.expect("a SUBSCRIBE has at least one filter").to_continuous_buffer()
}

#[must_use]
pub fn unsuback(id: NonZeroU16) -> Vec<u8> {
    acknowledgement(0xb0, id)
}

#[must_use]
pub fn puback(id: NonZeroU16) -> Vec<u8> {
    acknowledgement(0x40, id)
}

#[must_use]
pub fn pubrec(id: NonZeroU16) -> Vec<u8> {
    acknowledgement(0x50, id)
}

#[must_use]
pub fn pubcomp(id: NonZeroU16) -> Vec<u8> {
    acknowledgement(0x70, id)
}

#[must_use]
pub fn pingresp() -> Vec<u8> {
    vec![0xd0, 0]
}

/// Fixed header, remaining length two, identifier.
fn acknowledgement(header: u8, id: NonZeroU16) -> Vec<u8> {
    let [high, low] = id.get().to_be_bytes();
    vec![header, 2, high, low]
}
