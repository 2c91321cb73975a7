//! From a datagram to a request that is genuine and new. Whatever is not is dropped in silence, as RFC 2865 wants it, but
//! counted, and recorded in words that say what to fix.

use super::duplicate::{Client, Duplicates, Key, Seen};
use super::{Context, Output, Socket, WifiEngine, record};
use policy::{AccessPoint, MessageAuthenticatorRule, Outcome, Snapshot};
use proto::radius::access::AccessRequest;
use proto::radius::accounting::AccountingRequest;
use proto::radius::{AttributeType, Authenticator, Code, Inauthentic, Packet, Writer};
use std::net::SocketAddr;
use std::sync::Arc;
use values::{AccessPointName, Secret};

/// What a packet came through, and who sent it.
pub(super) type Way = (Socket, SocketAddr);

/// A genuine request, as far as its answer needs it.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// What it came through; its answer goes the same way.
    via: Socket,
    pub(super) from: SocketAddr,
    pub(super) access_point: AccessPointName,
    /// The secret that it was believed by; the answer is made with the same.
    pub(super) secret: Secret<Vec<u8>>,
    /// It came without Message-Authenticator, from an access point that is excused from it.
    pub(super) unsigned: bool,
    /// The access point wants a Chargeable-User-Identity.
    pub(super) asks_identity: bool,
    identifier: u8,
    authenticator: Authenticator,
    proxy_states: Vec<Vec<u8>>,
}

/// Said when the excuse of an access point is used.
const UNSIGNED: &str = "The access point asked without Message-Authenticator, and the site file excuses it; anybody on its network can forge such requests. Update its firmware and take `message_authenticator: optional` out.";

/// Over UDP alone: who comes by RadSec has no excuse, TLS or not (RFC 6614, 2.3 changes no packet).
fn is_excused(cx: &Context<'_>, via: Socket, point: &AccessPointName) -> bool {
    let over_udp = match via {
        Socket::Authentication => true,
        Socket::Accounting | Socket::DynamicAuthorization | Socket::RadSec(_) => false,
    };
    let point = cx.snapshot.site.access_points.get(point);
    over_udp && point.is_some_and(|point| point.message_authenticator == MessageAuthenticatorRule::Optional)
}

impl Question {
    pub(super) fn key(&self) -> Key {
        let client = match self.via {
            Socket::RadSec(_) => Client::RadSec(self.access_point.clone()),
            Socket::Authentication | Socket::Accounting | Socket::DynamicAuthorization => Client::Udp(self.from),
        };
        (client, self.identifier)
    }

    pub(super) const fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    pub(super) fn reply(&self, code: Code) -> Writer {
        Writer::reply_to(code, self.identifier, self.authenticator, self.proxy_states.clone())
    }
}

impl WifiEngine {
    pub(super) fn handle_authentication(&mut self, cx: &mut Context<'_>, from: SocketAddr, datagram: &[u8]) {
        let Some((packet, question)) = self.receive_udp(cx, Socket::Authentication, from, datagram) else { return };
        self.handle_authentication_packet(cx, &packet, question);
    }

    pub(super) fn handle_authentication_packet(
        &mut self,
        cx: &mut Context<'_>,
        packet: &Packet<'_>,
        question: Question,
    ) {
        match packet.code() {
            Code::AccessRequest => {
                self.counters.access_requests += 1;
                let request = AccessRequest::of(packet);
                match request.eap.clone() {
                    Some(eap) => self.handle_access_request(cx, question, &request, eap),
                    None => self.handle_without_eap(cx, question, packet),
                }
            }
            Code::StatusServer => {
                self.counters.status_servers += 1;
                let alive = question.reply(Code::AccessAccept);
                self.answer(Socket::Authentication, &question, alive);
            }
            Code::AccessAccept
            | Code::AccessReject
            | Code::AccountingRequest
            | Code::AccountingResponse
            | Code::AccessChallenge
            | Code::DisconnectRequest
            | Code::DisconnectAck
            | Code::DisconnectNak
            | Code::CoaRequest
            | Code::CoaAck
            | Code::CoaNak => self.counters.malformed += 1,
        }
    }

    pub(super) fn handle_accounting(&mut self, cx: &mut Context<'_>, from: SocketAddr, datagram: &[u8]) {
        let Some((packet, question)) = self.receive_udp(cx, Socket::Accounting, from, datagram) else { return };
        self.handle_accounting_packet(cx, &packet, question);
    }

    pub(super) fn handle_accounting_packet(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, question: Question) {
        match packet.code() {
            Code::AccountingRequest => {
                self.counters.accounting_requests += 1;
                match AccountingRequest::of(packet) {
                    Ok(request) => self.handle_accounting_request(cx, question, request),
                    Err(error) => {
                        // Answered all the same: the access point would repeat it for ever (RFC 2866, 2).
                        let sentence = format!("The access point sends accounting that cannot be used: {error}.");
                        let place = question.access_point.to_string();
                        self.warn(cx, "wifi-accounting-unusable", &place, &sentence);
                        let reply = question.reply(Code::AccountingResponse);
                        self.answer(Socket::Accounting, &question, reply);
                    }
                }
            }
            Code::StatusServer => {
                self.counters.status_servers += 1;
                let alive = question.reply(Code::AccountingResponse);
                self.answer(Socket::Accounting, &question, alive);
            }
            Code::AccessRequest
            | Code::AccessAccept
            | Code::AccessReject
            | Code::AccountingResponse
            | Code::AccessChallenge
            | Code::DisconnectRequest
            | Code::DisconnectAck
            | Code::DisconnectNak
            | Code::CoaRequest
            | Code::CoaAck
            | Code::CoaNak => self.counters.malformed += 1,
        }
    }

    /// A request over UDP that comes from an access point of the site file, is signed with its secret, and was not seen
    /// before.
    fn receive_udp<'a>(
        &mut self,
        cx: &mut Context<'_>,
        socket: Socket,
        from: SocketAddr,
        datagram: &'a [u8],
    ) -> Option<(Packet<'a>, Question)> {
        let address = from.ip().to_canonical();
        let Some((point, udp)) = cx.snapshot.site.access_point_at(address) else {
            self.counters.unknown_clients += 1;
            let sentence = format!(
                "A RADIUS packet came from {address}, which is no access point of the site file; add it there if it is yours."
            );
            self.warn(cx, "wifi-unknown-client", &address.to_string(), &sentence);
            return None;
        };
        let (name, secret) = (point.name.clone(), udp.secret.clone());
        let packet = match Packet::decode(datagram) {
            Ok(packet) => packet,
            Err(error) => {
                self.counters.malformed += 1;
                let sentence = format!("The access point sent something that is not RADIUS: {error}.");
                self.warn(cx, "wifi-malformed", name.as_str(), &sentence);
                return None;
            }
        };
        let question = self.believe(cx, &packet, (socket, from), name, secret).ok()?;
        self.is_new(cx, socket, &question).then_some((packet, question))
    }

    /// What of a packet its answer needs, if it is signed with the access point's secret.
    pub(super) fn believe(
        &mut self,
        cx: &mut Context<'_>,
        packet: &Packet<'_>,
        (via, from): Way,
        access_point: AccessPointName,
        secret: Secret<Vec<u8>>,
    ) -> Result<Question, Inauthentic> {
        let verified = match packet.code() {
            Code::AccountingRequest | Code::DisconnectRequest | Code::CoaRequest => {
                packet.verify_signed_request(secret.expose()).map(|()| true)
            }
            Code::AccessRequest if is_excused(cx, via, &access_point) => {
                packet.verify_excused_access_request(secret.expose())
            }
            Code::AccessRequest
            | Code::StatusServer
            | Code::AccessAccept
            | Code::AccessReject
            | Code::AccountingResponse
            | Code::AccessChallenge
            | Code::DisconnectAck
            | Code::DisconnectNak
            | Code::CoaAck
            | Code::CoaNak => packet.verify_access_request(secret.expose()).map(|()| true),
        };
        let signed = match verified {
            Ok(signed) => signed,
            Err(why) => {
                self.disbelieve(cx, access_point.as_str(), why);
                return Err(why);
            }
        };
        if !signed {
            self.counters.unsigned_accepted += 1;
            self.warn(cx, "wifi-unsigned-request", access_point.as_str(), UNSIGNED);
        }
        Ok(Question {
            unsigned: !signed,
            asks_identity: packet.first(AttributeType::CHARGEABLE_USER_IDENTITY).is_some(),
            via,
            from,
            access_point,
            secret,
            identifier: packet.identifier(),
            authenticator: *packet.authenticator(),
            proxy_states: packet.all(AttributeType::PROXY_STATE).map(<[u8]>::to_vec).collect(),
        })
    }

    fn disbelieve(&mut self, cx: &mut Context<'_>, place: &str, why: Inauthentic) {
        let (code, sentence) = match why {
            Inauthentic::Missing => {
                self.counters.unauthenticated += 1;
                (
                    "wifi-no-message-authenticator",
                    "The access point sends requests without Message-Authenticator, which anybody could forge; update its firmware or switch Message-Authenticator on there.",
                )
            }
            Inauthentic::ProxyState => {
                self.counters.unauthenticated += 1;
                (
                    "wifi-proxy-state",
                    "A request with Proxy-State and without Message-Authenticator was dropped, since that is how answers are forged (CVE-2024-3596); switch Message-Authenticator on at the access point.",
                )
            }
            Inauthentic::Malformed | Inauthentic::OtherIdentifier => {
                self.counters.inauthentic += 1;
                (
                    "wifi-bad-message-authenticator",
                    "A packet in the access point's name has a malformed Message-Authenticator.",
                )
            }
            Inauthentic::Wrong => {
                self.counters.inauthentic += 1;
                (
                    "wifi-wrong-secret",
                    "The access point's packets are signed with another secret; enter the same secret there and in the site file.",
                )
            }
        };
        self.warn(cx, code, place, sentence);
    }

    /// Whether a request was not seen before; if it was, its answer goes out again.
    pub(super) fn is_new(&mut self, cx: &Context<'_>, socket: Socket, question: &Question) -> bool {
        match self.seen(socket).check(question.key(), question.authenticator, cx.now.mono) {
            Seen::New => true,
            Seen::Superfluous => {
                self.counters.duplicates_dropped += 1;
                let way = (question.via, question.from);
                self.seen(socket).asked_again(&question.key(), question.authenticator(), way);
                false
            }
            Seen::Answered(bytes) => {
                self.counters.duplicates_answered += 1;
                self.outputs.push_back(Output::Send {
                    socket: question.via,
                    to: question.from,
                    datagram: bytes.to_vec(),
                });
                false
            }
        }
    }

    pub(super) fn seen(&mut self, socket: Socket) -> &mut Duplicates {
        match socket {
            Socket::Accounting => &mut self.accounting_seen,
            Socket::Authentication | Socket::DynamicAuthorization | Socket::RadSec(_) => &mut self.authentication_seen,
        }
    }

    /// Sends an answer the way that the question came, and keeps it for a retransmission.
    pub(super) fn answer(&mut self, socket: Socket, question: &Question, reply: Writer) {
        match reply.finish(question.secret.expose()) {
            Ok(datagram) => {
                let bytes = Arc::from(datagram.as_slice());
                let again = self.seen(socket).answered(&question.key(), question.authenticator(), bytes);
                let (socket, to) = again.unwrap_or((question.via, question.from));
                self.outputs.push_back(Output::Send { socket, to, datagram });
            }
            Err(_) => {
                self.counters.unencodable += 1;
                self.give_up_on(socket, question);
            }
        }
    }

    /// Leaves a request without an answer: when it comes again, it is new.
    pub(super) fn give_up_on(&mut self, socket: Socket, question: &Question) {
        self.seen(socket).forget(&question.key(), question.authenticator());
    }

    /// Warns of access points that the site file excuses from Message-Authenticator and did not before; at the start, of all.
    pub(super) fn warn_of_excused(&mut self, cx: &mut Context<'_>, old: Option<&Snapshot>) {
        let new = Arc::clone(&cx.snapshot.site);
        if old.is_some_and(|old| Arc::ptr_eq(&old.site, &new)) {
            return;
        }
        let is_excused = |point: &AccessPoint| point.message_authenticator == MessageAuthenticatorRule::Optional;
        let was_excused =
            |point: &AccessPoint| old.and_then(|old| old.site.access_points.get(&point.name)).is_some_and(&is_excused);
        for point in new.access_points.values().filter(|point| is_excused(point) && !was_excused(point)) {
            let sentence = "The site file excuses the access point from Message-Authenticator, so anybody on its network can forge its requests (CVE-2024-3596); update its firmware and take the exception out.";
            let warning = record(cx, Outcome::Warning, "wifi-message-authenticator-optional", sentence.to_owned())
                .place(&point.name);
            self.record(warning);
        }
    }

    /// Records a warning that the network can cause at will.
    pub(super) fn warn(&mut self, cx: &mut Context<'_>, code: &'static str, place: &str, sentence: &str) {
        match self.warnings.may_record(code, place, cx.now.mono) {
            Some(suppressed) => {
                let mut warning = record(cx, Outcome::Warning, code, sentence.to_owned()).place(place);
                if suppressed > 0 {
                    warning = warning.fact("also", suppressed);
                }
                self.record(warning);
            }
            None => self.counters.warnings_suppressed += 1,
        }
    }
}
