//! One HTTP request: the IPP head is read within its bounds, credentials become evidence, the document goes to the spool
//! when the engine says so, and the engine's answer goes back.

use super::{Ask, Counters, count};
use crate::spool::Spool;
use base64::Engine;
use bytes::Bytes;
use engine::print::{Arrival, Input, Reply, SpoolFailure, SpoolLimits};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use policy::print::PrintEvidence;
use proto::ipp::operation::Refusal;
use proto::ipp::{HeadDecoder, Header, Message, OperationId, Peer, Progress, Version};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use values::{JobId, PrinterName, Secret};
use zeroize::Zeroizing;

/// Time for the attributes of a request to arrive, once HTTP's own head is there.
const IPP_HEAD_MAX: Duration = Duration::from_secs(10);
/// A document that nobody will print is read and dropped up to here, so that the client gets to see the answer: most
/// clients read none before they have sent all.
const DRAIN_MAX_BYTES: u64 = 64 * 1024 * 1024;
const DRAIN_MAX: Duration = Duration::from_secs(20);
/// A user name and a key in base64 stay far below this.
const AUTHORIZATION_MAX_BYTES: usize = 2 * 1024;
/// RFC 7617: what the login window shows.
const CHALLENGE: &str = "Basic realm=\"Doorpost: your Wi-Fi user name and key\", charset=\"UTF-8\"";

/// What a connection needs to serve requests.
#[derive(Clone)]
pub(super) struct Desk {
    pub inbox: mpsc::Sender<Ask>,
    pub spool: Spool,
    pub counters: Arc<Counters>,
}

/// Where a request came from and where it arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub tls: bool,
}

/// The engine's first answer to a request.
pub(super) enum Answer {
    Reply(Reply),
    /// Take the document in; the reply comes later.
    Spool {
        job: JobId,
        limits: SpoolLimits,
        reply: oneshot::Receiver<Reply>,
    },
}

type HttpAnswer = Response<Full<Bytes>>;

pub(super) async fn handle(desk: Desk, origin: Origin, request: Request<Incoming>) -> HttpAnswer {
    count(&desk.counters.requests);
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "This is a printer: it takes IPP requests.\n");
    }
    let Some(queue) = queue_of(parts.uri.path()) else {
        return plain(StatusCode::NOT_FOUND, "There is no such printer.\n");
    };
    if !is_ipp(&parts.headers) {
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "This takes application/ipp.\n");
    }
    let mut incoming = Upload { body, rest: Bytes::new() };
    let message = match tokio::time::timeout(IPP_HEAD_MAX, incoming.head()).await {
        Ok(Ok(message)) => message,
        Ok(Err(HeadFault::Gone)) | Err(_) => {
            return plain(StatusCode::REQUEST_TIMEOUT, "The request did not arrive whole.\n");
        }
        Ok(Err(HeadFault::Malformed(refusal, header))) => {
            count(&desk.counters.requests_malformed);
            incoming.drain().await;
            return ipp(&refusal.answer(header));
        }
    };
    let arrival = Arrival {
        base_uri: base_uri(&parts.headers, origin),
        queue,
        tls: origin.tls,
        evidence: if origin.tls { evidence(&parts.headers) } else { None },
        peer: origin.peer.ip(),
        document_follows: takes_document(&message) && incoming.has_more().await,
        message,
    };
    let (answer, answered) = oneshot::channel();
    let stopping = || plain(StatusCode::SERVICE_UNAVAILABLE, "The print server is stopping.\n");
    if desk.inbox.send(Ask::Request { arrival: Box::new(arrival), answer }).await.is_err() {
        return stopping();
    }
    let reply = match answered.await {
        Err(_) => return stopping(),
        Ok(Answer::Reply(reply)) => {
            incoming.drain().await;
            reply
        }
        Ok(Answer::Spool { job, limits, reply }) => {
            take_in(&desk, &mut incoming, job, &limits).await;
            let Ok(reply) = reply.await else { return stopping() };
            reply
        }
    };
    http(reply)
}

async fn take_in(desk: &Desk, incoming: &mut Upload, job: JobId, limits: &SpoolLimits) {
    let report = Report { inbox: desk.inbox.clone(), job, is_due: true };
    let first = std::mem::take(&mut incoming.rest);
    let input = match desk.spool.receive(job, first, &mut incoming.body, limits).await {
        Ok(document) => {
            count(&desk.counters.documents);
            desk.counters.document_bytes.fetch_add(document.bytes, Ordering::Relaxed);
            Input::Spooled { job, document }
        }
        Err(failure) => {
            incoming.drain().await;
            Input::SpoolFailed { job, failure }
        }
    };
    report.send(input).await;
}

/// What the engine must hear of a document, whatever becomes of the connection: hyper drops a request's future in the middle
/// when its client has gone.
struct Report {
    inbox: mpsc::Sender<Ask>,
    job: JobId,
    is_due: bool,
}

impl Report {
    async fn send(mut self, input: Input) {
        let sent = self.inbox.send(Ask::Input(input)).await;
        self.is_due = false;
        drop(sent); // the inbox is gone only when the daemon stops
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if self.is_due {
            let (inbox, job) = (self.inbox.clone(), self.job);
            let input = Input::SpoolFailed { job, failure: SpoolFailure::ClientGone };
            tokio::spawn(async move { inbox.send(Ask::Input(input)).await });
        }
    }
}

/// `/ipp/print/<printer>`, and `/ipp/print/<printer>/<job>` for clients that post to the job's own URI.
fn queue_of(path: &str) -> Option<PrinterName> {
    let mut parts = path.strip_prefix("/ipp/print/")?.split('/');
    let queue = parts.next()?.parse().ok()?;
    match (parts.next(), parts.next()) {
        (None, None) => Some(queue),
        (Some(job), None) if job.is_empty() || job.bytes().all(|byte| byte.is_ascii_digit()) => Some(queue),
        _ => None,
    }
}

fn is_ipp(headers: &HeaderMap) -> bool {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    said.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/ipp"))
}

const fn takes_document(message: &Message) -> bool {
    matches!(OperationId::from_code(message.code), Some(OperationId::PrintJob | OperationId::SendDocument))
}

/// The beginning of our URIs, as the client knows us: its Host header, else the address it reached.
fn base_uri(headers: &HeaderMap, origin: Origin) -> String {
    let scheme = if origin.tls { "ipps" } else { "ipp" };
    let fits = |host: &&str| {
        (1..=255).contains(&host.len())
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    match headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(fits) {
        Some(host) => format!("{scheme}://{host}"),
        None => format!("{scheme}://{}", origin.local),
    }
}

/// RFC 7617. The password lives as long as this call; its digests go on.
fn evidence(headers: &HeaderMap) -> Option<PrintEvidence> {
    let value = headers.get(header::AUTHORIZATION).filter(|value| value.len() <= AUTHORIZATION_MAX_BYTES)?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.decode(token.trim()).ok()?);
    let (username, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, password.as_bytes());
    let sha256 = digest.as_ref().try_into().ok()?;
    Some(PrintEvidence {
        username: username.to_owned(),
        nt_hash: proto::eap::mschapv2::nt_hash(password),
        sha256: Secret::new(sha256),
    })
}

enum HeadFault {
    Gone,
    Malformed(Refusal, Header),
}

/// A request's body, read as far as `rest`.
struct Upload {
    body: Incoming,
    rest: Bytes,
}

impl Upload {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.body.frame().await? {
                Ok(frame) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => return Some(bytes),
                    Err(_) => {}
                },
                Err(_) => return None,
            }
        }
    }

    async fn head(&mut self) -> Result<Message, HeadFault> {
        let mut decoder = HeadDecoder::new(Peer::Client);
        loop {
            let Some(bytes) = self.next().await else {
                let header = decoder.header().ok_or(HeadFault::Gone)?;
                return Err(HeadFault::Malformed(proto::ipp::Malformed::Truncated.into(), header));
            };
            match decoder.push(&bytes) {
                Ok(Progress::NeedMore) => {}
                Ok(Progress::Done { message, consumed }) => {
                    self.rest = bytes.slice(consumed..);
                    return Ok(message);
                }
                Err(fault) => {
                    let unknown = Header { version: Version::V1_1, code: 0, request_id: 1 };
                    return Err(HeadFault::Malformed(fault.into(), decoder.header().unwrap_or(unknown)));
                }
            }
        }
    }

    /// Whether a document stands behind the head. Clients that have none end their request with it.
    async fn has_more(&mut self) -> bool {
        if self.rest.is_empty()
            && !self.body.is_end_stream()
            && let Ok(Some(bytes)) = tokio::time::timeout(IPP_HEAD_MAX, self.next()).await
        {
            self.rest = bytes;
        }
        !self.rest.is_empty()
    }

    async fn drain(&mut self) {
        let drained = tokio::time::timeout(DRAIN_MAX, async {
            let mut bytes = 0;
            while let Some(more) = self.next().await {
                bytes += more.len() as u64;
                if bytes > DRAIN_MAX_BYTES {
                    return;
                }
            }
        });
        let _ = drained.await; // what is left then closes the connection
    }
}

fn http(reply: Reply) -> HttpAnswer {
    match reply {
        Reply::Ipp(message) => ipp(&message),
        Reply::Unauthenticated => {
            let mut answer = plain(StatusCode::UNAUTHORIZED, "Sign in with your Wi-Fi user name and key.\n");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
            answer
        }
        Reply::UpgradeRequired => {
            let mut answer =
                plain(StatusCode::UPGRADE_REQUIRED, "Print over ipps: credentials are taken over TLS only.\n");
            answer.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("TLS/1.2, HTTP/1.1"));
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            answer
        }
    }
}

fn ipp(message: &Message) -> HttpAnswer {
    let mut answer = Response::new(Full::new(message.encode().into()));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/ipp"));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

fn plain(status: StatusCode, text: &'static str) -> HttpAnswer {
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
