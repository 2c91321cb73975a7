//! HTTP/1.1 over the daemon's unix socket.

use super::Failure;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::path::Path;
use tokio::net::UnixStream;

/// An answer larger than this is not one of ours: 20,000 members make about 20 MiB.
const ANSWER_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Sends one request and returns the open answer.
///
/// # Errors
/// The box is not running, or it refused.
pub async fn open(data: &Path, method: Method, path: &str, body: Option<Value>) -> Result<Response<Incoming>, Failure> {
    let socket = data.join(crate::http::console::SOCKET);
    let not_running = |error: &dyn std::fmt::Display| Failure::NotRunning {
        sentence: format!("the box is not running: {}: {error}", socket.display()),
    };
    let stream = UnixStream::connect(&socket).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            Failure::refused(format!("{}: {error}; run this as root or as the box's own user", socket.display()))
        }
        _ => not_running(&error),
    })?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| not_running(&error))?;
    tokio::spawn(connection);
    let bytes = body.map(|body| body.to_string()).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(bytes)))
        .map_err(|error| Failure::refused(format!("not a request: {error}")))?;
    let response = sender.send_request(request).await.map_err(|error| not_running(&error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let problem = read(response).await?;
    let sentence = problem["detail"].as_str().unwrap_or("the box refused without a reason").to_owned();
    Err(Failure::Refused { sentence, problem: Some(problem) })
}

/// Sends one request and returns the JSON of the answer; `null` for an empty one.
///
/// # Errors
/// As [`open`].
pub async fn json(data: &Path, method: Method, path: &str, body: Option<Value>) -> Result<Value, Failure> {
    read(open(data, method, path, body).await?).await
}

async fn read(response: Response<Incoming>) -> Result<Value, Failure> {
    let lost = |error: &dyn std::fmt::Display| Failure::refused(format!("the box's answer was lost: {error}"));
    let body = http_body_util::Limited::new(response.into_body(), ANSWER_MAX_BYTES);
    let bytes = body.collect().await.map_err(|error| lost(&error))?.to_bytes();
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes)
        .or_else(|_| Ok(serde_json::json!({ "detail": String::from_utf8_lossy(&bytes).trim() })))
}

/// A path segment or query value with everything but letters, digits and `-._~` escaped (RFC 3986 2.3).
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
