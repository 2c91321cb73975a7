//! One HTTP/1.1 connection of a client, over whatever carries it: the time and room for a request's head, and a graceful end when
//! the daemon stops. What is served, the listeners know.

use crate::shell::Shell;
use axum::body::HttpBody;
use hyper::body::Incoming;
use hyper::service::HttpService;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::error::Error;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// From the first octet of a request to the end of its head, and from one request to the next.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// For the answer that is under way when the daemon stops.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// Serves until the client goes or the daemon stops; `head_max_bytes` where hyper's own limit is too generous.
pub async fn serve<I, S>(shell: &Shell, stream: I, head_max_bytes: Option<usize>, service: S)
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: HttpService<Incoming>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::ResBody: 'static,
    <S::ResBody as HttpBody>::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut builder = hyper::server::conn::http1::Builder::new();
    // Without a timer hyper's limit does nothing.
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX);
    if let Some(bytes) = head_max_bytes {
        builder.max_buf_size(bytes);
    }
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = shell.stopped() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(GOODBYE_MAX, connection).await;
        }
    }
}
