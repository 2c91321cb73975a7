//! The printers behind the queues: one HTTP request each over a connection of its own, to `ipp://` or `ipps://`.
//!
//! A printer makes its own certificate, so it is pinned: the first one seen is kept in DATA/printers, and another one
//! later is refused. Answers get the bounds of `proto::ipp`. Refuses to know jobs' lives: it says what happened, and above
//! all whether a byte of a document may have left.

use bytes::{Bytes, BytesMut};
use engine::print::{Created, Polled, Sent};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, SizeHint};
use hyper_util::rt::TokioIo;
use proto::ipp::upstream::{UpstreamJob, UpstreamJobStatus, UpstreamRequest, decode_answer, is_success};
use proto::ipp::{DocumentFormat, GroupTag, HEAD_MAX_BYTES, Message, StatusCode, Value};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// A printer that wakes up answers within seconds.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// Sending goes as fast as the printer prints, and it may be out of paper: an hour, then somebody must look.
const SEND_MAX: Duration = Duration::from_secs(60 * 60);
/// RFC 8010 4: the port of ipp and ipps alike.
const IPP_PORT: u16 = 631;
const CHUNK_BYTES: usize = 64 * 1024;

/// Talks to printers. Cheap to clone.
#[derive(Clone)]
pub struct Upstream {
    /// DATA/printers: the certificate first seen at each address.
    pins: PathBuf,
    request_id: Arc<AtomicI32>,
}

/// Why there is no answer in IPP.
enum Fault {
    /// No connection: nothing was sent.
    Unreachable(String),
    /// It ended after something may have been sent.
    Broken(String),
    /// The printer answered below IPP that it wants nothing of it.
    Refused(hyper::StatusCode),
}

impl Upstream {
    /// # Errors
    /// DATA/printers cannot be made.
    pub fn open(data: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let pins = data.join("printers");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&pins)?;
        Ok(Self { pins, request_id: Arc::new(AtomicI32::new(1)) })
    }

    /// Get-Printer-Attributes; none when the printer does not answer like one.
    pub async fn probe(&self, uri: &str) -> Option<Message> {
        self.ask(uri, &UpstreamRequest::GetPrinterAttributes).await.ok().filter(is_success)
    }

    pub async fn create_job(&self, uri: &str, job: UpstreamJob) -> Created {
        match self.ask(uri, &UpstreamRequest::CreateJob(Box::new(job))).await {
            Ok(answer) if is_success(&answer) => match job_id(&answer) {
                Some(upstream_job_id) => Created::Accepted { upstream_job_id },
                None => Created::Refused { sentence: "it accepted the job and did not name it".to_owned() },
            },
            Ok(answer) if answer.status() == Some(StatusCode::ServerErrorOperationNotSupported) => {
                Created::NotSupported
            }
            Ok(answer) if is_busy(&answer) => Created::Busy,
            Ok(answer) => Created::Refused { sentence: refusal(&answer) },
            Err(Fault::Unreachable(detail) | Fault::Broken(detail)) => Created::Unreachable { detail },
            Err(Fault::Refused(hyper::StatusCode::SERVICE_UNAVAILABLE)) => Created::Busy,
            Err(Fault::Refused(status)) => Created::Refused { sentence: status.to_string() },
        }
    }

    pub async fn send_document(
        &self,
        uri: &str,
        upstream_job_id: i32,
        format: DocumentFormat,
        document: &Path,
        bytes: u64,
    ) -> Sent {
        let request = UpstreamRequest::SendDocument { job_id: upstream_job_id, format };
        self.send(uri, &request, document, bytes, Some(upstream_job_id)).await
    }

    pub async fn print_job(&self, uri: &str, job: UpstreamJob, document: &Path, bytes: u64) -> Sent {
        self.send(uri, &UpstreamRequest::PrintJob(Box::new(job)), document, bytes, None).await
    }

    pub async fn poll(&self, uri: &str, upstream_job_id: i32) -> Polled {
        match self.ask(uri, &UpstreamRequest::GetJobAttributes { job_id: upstream_job_id }).await {
            Ok(answer) if is_success(&answer) => match UpstreamJobStatus::first(&answer) {
                Some(status) if status.job_id == upstream_job_id => Polled::Status(status),
                Some(_) | None => Polled::Vanished,
            },
            Ok(answer) => match answer.status() {
                Some(StatusCode::ClientErrorNotFound | StatusCode::ClientErrorGone) => Polled::Vanished,
                Some(_) | None => Polled::Unreachable,
            },
            Err(Fault::Unreachable(_) | Fault::Broken(_) | Fault::Refused(_)) => Polled::Unreachable,
        }
    }

    pub async fn cancel(&self, uri: &str, upstream_job_id: i32) {
        if self.ask(uri, &UpstreamRequest::CancelJob { job_id: upstream_job_id }).await.is_err() {
            tracing::debug!(upstream_job_id, "the printer did not answer a Cancel-Job");
        }
    }

    async fn send(
        &self,
        uri: &str,
        request: &UpstreamRequest,
        document: &Path,
        bytes: u64,
        named: Option<i32>,
    ) -> Sent {
        let file = match File::open(document).await {
            Ok(file) if file.metadata().await.is_ok_and(|metadata| metadata.len() == bytes) => file,
            Ok(_) | Err(_) => return Sent::Missing,
        };
        match self.exchange(uri, request, Some((file, bytes)), SEND_MAX).await {
            Ok(answer) if is_success(&answer) => match job_id(&answer).or(named) {
                Some(upstream_job_id) => Sent::Accepted { upstream_job_id },
                None => Sent::Broken { detail: "it did not name the job".to_owned() },
            },
            Ok(answer) if is_busy(&answer) => Sent::Busy,
            Ok(answer) => Sent::Refused { sentence: refusal(&answer) },
            // Without a connection nothing left, and the job can be offered again.
            Err(Fault::Unreachable(_) | Fault::Refused(hyper::StatusCode::SERVICE_UNAVAILABLE)) => Sent::Busy,
            Err(Fault::Refused(status)) => Sent::Refused { sentence: status.to_string() },
            Err(Fault::Broken(detail)) => Sent::Broken { detail },
        }
    }

    async fn ask(&self, uri: &str, request: &UpstreamRequest) -> Result<Message, Fault> {
        self.exchange(uri, request, None, ANSWER_MAX).await
    }

    async fn exchange(
        &self,
        uri: &str,
        request: &UpstreamRequest,
        document: Option<(File, u64)>,
        limit: Duration,
    ) -> Result<Message, Fault> {
        let target =
            Target::parse(uri).ok_or_else(|| Fault::Unreachable("its address is not an ipp URI".to_owned()))?;
        let stream = tokio::time::timeout(CONNECT_MAX, self.connect(&target))
            .await
            .map_err(|_| Fault::Unreachable("it does not answer".to_owned()))?
            .map_err(|error| Fault::Unreachable(error.to_string()))?;
        let request_id = self.request_id.fetch_add(1, Ordering::Relaxed).unsigned_abs().max(1).try_into().unwrap_or(1);
        let body = OutgoingBody::new(request.encode(uri, request_id), document);
        match tokio::time::timeout(limit, post(stream, &target, body)).await {
            Ok(Ok(bytes)) => decode_answer(&bytes, request_id).map_err(|fault| Fault::Broken(fault.to_string())),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(Fault::Broken("it took too long".to_owned())),
        }
    }

    async fn connect(&self, target: &Target) -> std::io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
        stream.set_nodelay(true)?;
        if !target.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(target.host.clone()).map_err(std::io::Error::other)?;
        let pin = self.pins.join(format!("{}_{}", target.host.replace(['/', ':'], "_"), target.port));
        let config = pinned_tls(pin).map_err(std::io::Error::other)?;
        Ok(Box::new(tokio_rustls::TlsConnector::from(config).connect(name, stream).await?))
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where a printer's URI leads.
struct Target {
    tls: bool,
    host: String,
    port: u16,
    path: String,
}

impl Target {
    fn parse(uri: &str) -> Option<Self> {
        let parsed: hyper::Uri = uri.parse().ok()?;
        let tls = match parsed.scheme_str()? {
            "ipp" => false,
            "ipps" => true,
            _ => return None,
        };
        let host = parsed.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self { tls, host, port: parsed.port_u16().unwrap_or(IPP_PORT), path: parsed.path().to_owned() })
    }
}

async fn post(stream: Box<dyn Stream>, target: &Target, body: OutgoingBody) -> Result<Bytes, Fault> {
    let broken = |error: &dyn std::fmt::Display| Fault::Broken(error.to_string());
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let driver = tokio::spawn(connection);
    let request = hyper::Request::post(&target.path)
        .header(hyper::header::HOST, format!("{}:{}", target.host, target.port))
        .header(hyper::header::CONTENT_TYPE, "application/ipp")
        .header(hyper::header::USER_AGENT, concat!("Doorpost/", env!("CARGO_PKG_VERSION"), " IPP/2.0"))
        .body(body)
        .map_err(|error| Fault::Unreachable(error.to_string()))?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let status = response.status();
        let bytes =
            Limited::new(response.into_body(), HEAD_MAX_BYTES).collect().await.map_err(|error| broken(&error))?;
        if status == hyper::StatusCode::OK { Ok(bytes.to_bytes()) } else { Err(Fault::Refused(status)) }
    };
    let answer = answered.await;
    driver.abort();
    answer
}

/// The head, then the document from its file; its length is said beforehand, since many printers know no chunks.
struct OutgoingBody {
    head: Option<Bytes>,
    document: Option<File>,
    left_bytes: u64,
    buffer: BytesMut,
}

impl OutgoingBody {
    fn new(head: Vec<u8>, document: Option<(File, u64)>) -> Self {
        let (document, bytes) = match document {
            Some((file, bytes)) => (Some(file), bytes),
            None => (None, 0),
        };
        let left_bytes = bytes + head.len() as u64;
        Self { head: Some(head.into()), document, left_bytes, buffer: BytesMut::new() }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let this = &mut *self;
        if let Some(head) = this.head.take() {
            this.left_bytes -= head.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        let Some(file) = &mut this.document else { return Poll::Ready(None) };
        if this.left_bytes == 0 {
            return Poll::Ready(None);
        }
        this.buffer.resize(CHUNK_BYTES, 0);
        let mut into = ReadBuf::new(&mut this.buffer);
        if let Err(error) = ready!(Pin::new(file).poll_read(cx, &mut into)) {
            return Poll::Ready(Some(Err(error)));
        }
        let read = into.filled().len();
        let bytes = this.buffer.split_to(read).freeze();
        if bytes.is_empty() || bytes.len() as u64 > this.left_bytes {
            return Poll::Ready(Some(Err(std::io::ErrorKind::UnexpectedEof.into()))); // the file changed under us
        }
        this.left_bytes -= bytes.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left_bytes)
    }

    fn is_end_stream(&self) -> bool {
        self.left_bytes == 0
    }
}

fn job_id(answer: &Message) -> Option<i32> {
    answer.attribute(GroupTag::Job, "job-id")?.only()?.as_integer().filter(|&id| id > 0)
}

fn is_busy(answer: &Message) -> bool {
    matches!(
        answer.status(),
        Some(
            StatusCode::ServerErrorBusy
                | StatusCode::ServerErrorTemporaryError
                | StatusCode::ServerErrorServiceUnavailable
                | StatusCode::ServerErrorNotAcceptingJobs
        )
    )
}

/// The printer's own words, else the status.
fn refusal(answer: &Message) -> String {
    let message = answer
        .attribute(GroupTag::Operation, "status-message")
        .and_then(|message| message.only())
        .and_then(Value::as_str);
    match message {
        Some(text) => proto::ipp::clean(text, 200),
        None => answer.status().map_or_else(|| format!("status {:#06x}", answer.code), |status| status.to_string()),
    }
}

/// TLS that trusts the certificate kept in `pin`, or keeps the one it sees there.
fn pinned_tls(pin: PathBuf) -> Result<Arc<rustls::ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = PinnedPrinter { pin, algorithms: provider.signature_verification_algorithms };
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    tls.enable_sni = false; // printers are often addressed by number, and some stumble over it
    Ok(Arc::new(tls))
}

/// Trust on first use. The signature over the handshake is verified as always: it proves that the printer has the key.
#[derive(Debug)]
struct PinnedPrinter {
    /// SHA-256 of the certificate, as bytes.
    pin: PathBuf,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PinnedPrinter {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, end_entity);
        let kept = std::fs::read(&self.pin);
        match kept {
            Ok(kept) if kept == seen.as_ref() => Ok(ServerCertVerified::assertion()),
            Ok(_) => {
                tracing::error!(file = %self.pin.display(), "the printer shows another certificate than before; delete the file if it was replaced");
                Err(rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::write(&self.pin, seen).map_err(|error| rustls::Error::General(error.to_string()))?;
                Ok(ServerCertVerified::assertion())
            }
            Err(error) => Err(rustls::Error::General(error.to_string())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
