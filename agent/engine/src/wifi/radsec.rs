//! RadSec (RFC 6614): connections of access points, which is whose, and what comes over them. A connection carries packets of
//! all kinds, and Disconnect-Requests the other way (as draft-ietf-radext-reverse-coa has it).
//!
//! It refuses to know TLS and sockets. Who a certificate belongs to is policy's, and asked again at every packet: an access
//! point that is taken out of the site file, or whose certificate was replaced, says nothing more.
//!
//! ```text
//! Connected --recognised--> open --packet: recognised again, genuine, new--> as over UDP
//!     \                       \--not recognised any more, not genuine, not RADIUS--> Close
//!      \--not recognised--> Close
//! ```

use super::receive::Way;
use super::{ConnectionId, Context, Output, Socket, WifiEngine};
use policy::access_point::{ClientCertificate, recognise};
use policy::{AccessPoint, Reason};
use proto::radius::radsec::{self, InvalidLength};
use proto::radius::{Code, DecodeError, Inauthentic, Nas, Packet};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use values::{AccessPointName, Secret};

/// Connections of one access point at one time. It needs one; one that restarts leaves its last behind until that times out,
/// and the oldest makes room.
const CONNECTIONS_PER_ACCESS_POINT_MAX: usize = 4;

/// Names of NASes that are remembered of one access point: more than one is what matters.
const NASES_MAX: usize = 8;

/// How long before its end an operator is told of a certificate.
const WARN_DAYS: i64 = 60;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Why somebody at the RadSec port was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeFault {
    NoCertificate,
    /// Another CA signed it, or nobody did.
    ForeignCertificate,
    /// By its own dates.
    ExpiredCertificate,
    NotYetValidCertificate,
    /// Our CA signed it, and it is wrong in another way.
    UnusableCertificate(String),
    /// The client does not believe our certificate, or broke off for a reason of its own.
    RefusedByClient(String),
    /// No TLS that both sides speak, or no TLS at all.
    NotTls(String),
    TooSlow,
}

impl HandshakeFault {
    const fn code(&self) -> &'static str {
        match self {
            Self::NoCertificate => "radsec-no-certificate",
            Self::ForeignCertificate => "radsec-foreign-certificate",
            Self::ExpiredCertificate => "radsec-expired-certificate",
            Self::NotYetValidCertificate => "radsec-certificate-not-yet-valid",
            Self::UnusableCertificate(_) => "radsec-unusable-certificate",
            Self::RefusedByClient(_) => "radsec-refused-by-client",
            Self::NotTls(_) => "radsec-not-tls",
            Self::TooSlow => "radsec-too-slow",
        }
    }

    fn sentence(&self, from: IpAddr) -> String {
        let issue = "`doorpost accesspoint certificate NAME` issues one";
        match self {
            Self::NoCertificate => {
                format!("A client at {from} came to the RadSec port without a certificate; {issue}, with its key.")
            }
            Self::ForeignCertificate => {
                format!(
                    "A client at {from} came to the RadSec port with a certificate that this box did not sign; {issue}."
                )
            }
            Self::ExpiredCertificate => {
                format!("A client at {from} came to the RadSec port with a certificate that has expired; {issue}.")
            }
            Self::NotYetValidCertificate => format!(
                "A client at {from} came to the RadSec port with a certificate that is not valid yet; set the clock of this box, or issue it again."
            ),
            Self::UnusableCertificate(why) => {
                format!(
                    "A client at {from} came to the RadSec port with a certificate that cannot be used ({why}); {issue}."
                )
            }
            Self::RefusedByClient(why) => format!(
                "The client at {from} broke off at the RadSec port ({why}); give it the CA of this box (DATA/pki/ca.pem), and let it connect to a name that its certificate has."
            ),
            Self::NotTls(why) => {
                format!(
                    "A client at {from} came to the RadSec port and spoke no TLS that this box speaks ({why}); it needs TLS 1.2 or 1.3."
                )
            }
            Self::TooSlow => {
                format!("A client at {from} came to the RadSec port and did not finish its TLS handshake in time.")
            }
        }
    }
}

#[derive(Debug)]
struct Line {
    access_point: AccessPointName,
    certificate: ClientCertificate,
    from: SocketAddr,
}

/// The connections that are open.
#[derive(Debug, Default)]
pub(super) struct Lines {
    open: BTreeMap<ConnectionId, Line>,
    /// What the NASes call themselves that an access point of the site file has spoken for.
    nases: BTreeMap<AccessPointName, BTreeSet<String>>,
}

impl Lines {
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.open.remove(&connection);
    }

    /// The newest connection of an access point: an older one may be dead without anybody knowing.
    pub(super) fn way_to(&self, access_point: &AccessPointName) -> Option<Way> {
        let newest = self.of(access_point).last();
        newest.map(|(connection, line)| (Socket::RadSec(connection), line.from))
    }

    fn heard_of(&mut self, access_point: &AccessPointName, nas: &Nas<'_>) {
        match self.nases.get_mut(access_point) {
            Some(known) if known.len() >= NASES_MAX || known.iter().any(|known| nas.is(known)) => {}
            Some(known) => drop(known.insert(nas.to_string())),
            None => drop(self.nases.insert(access_point.clone(), [nas.to_string()].into())),
        }
    }

    /// Whether who answers this way can know of every session of the access point. Several may share a certificate behind a
    /// proxy, which hands no request on; then the address in the site file is that of one of them.
    pub(super) fn speaks_for_all(&self, point: &AccessPoint, way: Socket) -> bool {
        match way {
            Socket::RadSec(_) => self.of(&point.name).count() <= 1,
            Socket::Authentication | Socket::Accounting | Socket::DynamicAuthorization => {
                point.radsec.is_none() || self.nases.get(&point.name).is_none_or(|known| known.len() <= 1)
            }
        }
    }

    /// Oldest first: connections are numbered as they come.
    fn of(&self, access_point: &AccessPointName) -> impl Iterator<Item = (ConnectionId, &Line)> {
        self.open.iter().filter(move |(_, line)| line.access_point == *access_point).map(|(&id, line)| (id, line))
    }
}

impl WifiEngine {
    /// How many connections each access point has.
    #[must_use]
    pub fn connections(&self) -> BTreeMap<AccessPointName, usize> {
        let mut connections = BTreeMap::new();
        for line in self.lines.open.values() {
            *connections.entry(line.access_point.clone()).or_insert(0) += 1;
        }
        connections
    }

    pub(super) fn handle_connected(
        &mut self,
        cx: &mut Context<'_>,
        connection: ConnectionId,
        from: SocketAddr,
        certificate: ClientCertificate,
    ) {
        match recognise(cx.snapshot, &certificate, from.ip(), cx.now) {
            Ok(access_point) => {
                self.counters.radsec_connections += 1;
                self.warn_of_certificate_end(cx, &access_point);
                let before: Vec<ConnectionId> = self.lines.of(&access_point).map(|(id, _)| id).collect();
                let too_many = before.len().saturating_sub(CONNECTIONS_PER_ACCESS_POINT_MAX - 1);
                before.into_iter().take(too_many).for_each(|oldest| self.close(oldest));
                self.lines.open.insert(connection, Line { access_point: access_point.clone(), certificate, from });
                // About whom it could not be asked while it was away.
                let sessions = self.sessions.of_access_point(&access_point);
                sessions.into_iter().for_each(|id| self.press_again(cx, id));
            }
            Err(reason) => self.turn_away(cx, connection, from.ip(), &reason),
        }
    }

    /// A certificate near its end takes somebody who installs another.
    fn warn_of_certificate_end(&mut self, cx: &mut Context<'_>, access_point: &AccessPointName) {
        let Some(issued) = cx.snapshot.access_point_certificates.get(access_point) else { return };
        let days = (issued.expires_at.0 - cx.now.stamp().0).div_euclid(DAY_MS);
        if days < WARN_DAYS {
            let sentence = format!(
                "The RadSec certificate of the access point ends in {days} days; issue a new one with `doorpost accesspoint certificate {access_point}` and install it there."
            );
            self.warn(cx, "radsec-certificate-ends", access_point.as_str(), &sentence);
        }
    }

    pub(super) fn handle_handshake_failed(&mut self, cx: &mut Context<'_>, from: SocketAddr, fault: &HandshakeFault) {
        self.counters.radsec_refused += 1;
        let from = from.ip().to_canonical();
        self.warn(cx, fault.code(), &from.to_string(), &fault.sentence(from));
    }

    /// A packet that came over a connection.
    pub(super) fn handle_radsec(
        &mut self,
        cx: &mut Context<'_>,
        connection: ConnectionId,
        from: SocketAddr,
        bytes: &[u8],
    ) {
        let Some(line) = self.lines.open.get(&connection) else { return }; // closed, and it does not know yet
        let access_point = match recognise(cx.snapshot, &line.certificate, from.ip(), cx.now) {
            Ok(access_point) => access_point,
            Err(reason) => return self.turn_away(cx, connection, from.ip(), &reason),
        };
        let packet = match Packet::decode(bytes) {
            Ok(packet) => packet,
            // RFC 6613, 2.6.4: a code that nobody knows is no reason to part.
            Err(DecodeError::UnknownCode(_)) => {
                self.counters.malformed += 1;
                return;
            }
            Err(error) => {
                self.counters.malformed += 1;
                let sentence =
                    format!("The access point sent something that is not RADIUS: {error}. Its connection was closed.");
                self.warn(cx, "wifi-malformed", access_point.as_str(), &sentence);
                return self.close(connection);
            }
        };
        if matches!(packet.code(), Code::AccessRequest | Code::AccountingRequest) {
            self.lines.heard_of(&access_point, &Nas::of(&packet));
        }
        self.handle_radsec_packet(cx, connection, from, access_point, &packet);
    }

    pub(super) fn handle_unframed(&mut self, cx: &mut Context<'_>, connection: ConnectionId, invalid: InvalidLength) {
        let Some(line) = self.lines.open.remove(&connection) else { return };
        self.counters.malformed += 1;
        let sentence =
            format!("The access point sent something that is not RADIUS: {invalid}. Its connection was closed.");
        self.warn(cx, "wifi-malformed", line.access_point.as_str(), &sentence);
    }

    fn handle_radsec_packet(
        &mut self,
        cx: &mut Context<'_>,
        connection: ConnectionId,
        from: SocketAddr,
        access_point: AccessPointName,
        packet: &Packet<'_>,
    ) {
        let way = (Socket::RadSec(connection), from);
        let kind = match packet.code() {
            Code::AccessRequest | Code::StatusServer => Socket::Authentication,
            Code::AccountingRequest => Socket::Accounting,
            Code::DisconnectAck | Code::DisconnectNak | Code::CoaAck | Code::CoaNak => {
                return self.handle_disconnect_answer(cx, way.0, from, packet.bytes());
            }
            Code::AccessAccept
            | Code::AccessReject
            | Code::AccessChallenge
            | Code::AccountingResponse
            | Code::DisconnectRequest
            | Code::CoaRequest => {
                self.counters.malformed += 1;
                return;
            }
        };
        let secret = Secret::new(radsec::SECRET.to_vec());
        match self.believe(cx, packet, way, access_point, secret) {
            Ok(question) if !self.is_new(cx, kind, &question) => {}
            Ok(question) if kind == Socket::Accounting => self.handle_accounting_packet(cx, packet, question),
            Ok(question) => self.handle_authentication_packet(cx, packet, question),
            // RFC 6613, 2.6.4: nothing that follows can be believed either.
            Err(Inauthentic::Wrong | Inauthentic::Malformed) => self.close(connection),
            Err(Inauthentic::Missing | Inauthentic::ProxyState | Inauthentic::OtherIdentifier) => {}
        }
    }

    /// Closes the connections of those who may not come any more.
    pub(super) fn close_strangers(&mut self, cx: &mut Context<'_>) {
        let verdict = |line: &Line| recognise(cx.snapshot, &line.certificate, line.from.ip(), cx.now).err();
        let strangers: Vec<(ConnectionId, IpAddr, Reason)> = (self.lines.open.iter())
            .filter_map(|(&id, line)| verdict(line).map(|reason| (id, line.from.ip(), reason)))
            .collect();
        strangers.into_iter().for_each(|(connection, from, reason)| self.turn_away(cx, connection, from, &reason));
    }

    fn turn_away(&mut self, cx: &mut Context<'_>, connection: ConnectionId, from: IpAddr, reason: &Reason) {
        self.counters.radsec_refused += 1;
        let line = self.lines.open.get(&connection);
        let place = line.map_or_else(|| from.to_canonical().to_string(), |line| line.access_point.to_string());
        self.warn(cx, reason.code(), &place, &reason.sentence());
        self.close(connection);
    }

    fn close(&mut self, connection: ConnectionId) {
        self.lines.forget(connection);
        self.outputs.push_back(Output::Close { connection });
    }
}
