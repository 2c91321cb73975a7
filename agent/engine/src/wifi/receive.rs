//! From a datagram to a request that is genuine and new. Whatever is not is dropped in silence, as RFC 2865 wants it, but
//! counted, and recorded in words that say what to fix.

use super::duplicate::{Duplicates, Key, Seen};
use super::{Context, Output, Socket, WifiEngine, record};
use policy::Outcome;
use proto::radius::access::AccessRequest;
use proto::radius::accounting::AccountingRequest;
use proto::radius::{AttributeType, Authenticator, Code, Inauthentic, Packet, Writer};
use std::net::SocketAddr;
use std::sync::Arc;
use values::{AccessPointName, Secret};

/// A genuine request, as far as its answer needs it.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) from: SocketAddr,
    pub(super) access_point: AccessPointName,
    /// The secret that it was believed by; the answer is made with the same.
    pub(super) secret: Secret<Vec<u8>>,
    identifier: u8,
    authenticator: Authenticator,
    proxy_states: Vec<Vec<u8>>,
}

impl Question {
    pub(super) fn key(&self) -> Key {
        (self.from, self.identifier)
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
        let Some((packet, question)) = self.believe(cx, Socket::Authentication, from, datagram) else { return };
        match packet.code() {
            Code::AccessRequest => {
                self.counters.access_requests += 1;
                self.handle_access_request(cx, question, &AccessRequest::of(&packet));
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
        let Some((packet, question)) = self.believe(cx, Socket::Accounting, from, datagram) else { return };
        match packet.code() {
            Code::AccountingRequest => {
                self.counters.accounting_requests += 1;
                match AccountingRequest::of(&packet) {
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

    /// A request that comes from an access point of the site file, is signed with its secret, and was not seen before.
    fn believe<'a>(
        &mut self,
        cx: &mut Context<'_>,
        socket: Socket,
        from: SocketAddr,
        datagram: &'a [u8],
    ) -> Option<(Packet<'a>, Question)> {
        let address = from.ip().to_canonical();
        let Some(point) = cx.snapshot.site.access_point_at(address) else {
            self.counters.unknown_clients += 1;
            let sentence = format!(
                "A RADIUS packet came from {address}, which is no access point of the site file; add it there if it is yours."
            );
            self.warn(cx, "wifi-unknown-client", &address.to_string(), &sentence);
            return None;
        };
        let (name, secret) = (point.name.clone(), point.secret.clone());
        let packet = match Packet::decode(datagram) {
            Ok(packet) => packet,
            Err(error) => {
                self.counters.malformed += 1;
                let sentence = format!("The access point sent something that is not RADIUS: {error}.");
                self.warn(cx, "wifi-malformed", name.as_str(), &sentence);
                return None;
            }
        };
        let verified = match packet.code() {
            Code::AccountingRequest | Code::DisconnectRequest | Code::CoaRequest => {
                packet.verify_signed_request(secret.expose())
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
            | Code::CoaNak => packet.verify_access_request(secret.expose()),
        };
        if let Err(why) = verified {
            self.disbelieve(cx, name.as_str(), why);
            return None;
        }
        let question = Question {
            from,
            access_point: name,
            secret,
            identifier: packet.identifier(),
            authenticator: *packet.authenticator(),
            proxy_states: packet.all(AttributeType::PROXY_STATE).map(<[u8]>::to_vec).collect(),
        };
        self.is_new(cx, socket, &question).then_some((packet, question))
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
    fn is_new(&mut self, cx: &Context<'_>, socket: Socket, question: &Question) -> bool {
        match self.seen(socket).check(question.key(), question.authenticator, cx.now.mono) {
            Seen::New => true,
            Seen::Superfluous => {
                self.counters.duplicates_dropped += 1;
                false
            }
            Seen::Answered(bytes) => {
                self.counters.duplicates_answered += 1;
                self.outputs.push_back(Output::Send { socket, to: question.from, datagram: bytes.to_vec() });
                false
            }
        }
    }

    pub(super) fn seen(&mut self, socket: Socket) -> &mut Duplicates {
        match socket {
            Socket::Accounting => &mut self.accounting_seen,
            Socket::Authentication | Socket::DynamicAuthorization => &mut self.authentication_seen,
        }
    }

    /// Sends an answer and keeps it for a retransmission.
    pub(super) fn answer(&mut self, socket: Socket, question: &Question, reply: Writer) {
        match reply.finish(question.secret.expose()) {
            Ok(datagram) => {
                self.seen(socket).answered(question.key(), question.authenticator(), Arc::from(datagram.as_slice()));
                self.outputs.push_back(Output::Send { socket, to: question.from, datagram });
            }
            Err(_) => {
                self.counters.unencodable += 1;
                self.give_up_on(socket, question);
            }
        }
    }

    /// Leaves a request without an answer: when it comes again, it is new.
    pub(super) fn give_up_on(&mut self, socket: Socket, question: &Question) {
        self.seen(socket).forget(question.key(), question.authenticator());
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
