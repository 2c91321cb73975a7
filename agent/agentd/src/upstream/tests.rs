//! Printers that answer as they should not. What they should do is tested end to end.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn job() -> UpstreamJob {
    UpstreamJob { job_name: "job_x".to_owned(), format: DocumentFormat::Pdf, ticket: proto::ipp::Ticket::default() }
}

fn upstream() -> (tempfile::TempDir, Upstream) {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::open(folder.path()).expect("its folder");
    (folder, upstream)
}

/// Answers every connection with these bytes, whatever is asked, once something was.
async fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    format!("ipp://{address}/ipp/print")
}

#[tokio::test]
async fn nothing_there_is_unreachable_and_nothing_was_sent() {
    let (folder, upstream) = upstream();
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let uri = format!("ipp://127.0.0.1:{port}/ipp/print");
    assert!(matches!(upstream.create_job(&uri, job()).await, Created::Unreachable { .. }));
    assert_eq!(upstream.poll(&uri, 1).await, Polled::Unreachable);
    assert!(upstream.probe(&uri).await.is_none());
    let document = folder.path().join("document");
    std::fs::write(&document, b"%PDF-1.7").expect("a file");
    assert_eq!(upstream.send_document(&uri, 1, DocumentFormat::Pdf, &document, 8).await, Sent::Busy);
    assert_eq!(upstream.send_document(&uri, 1, DocumentFormat::Pdf, &document, 9).await, Sent::Missing, "another size");
    assert!(matches!(upstream.create_job("http://127.0.0.1/", job()).await, Created::Unreachable { .. }));
    assert!(matches!(upstream.create_job("no uri", job()).await, Created::Unreachable { .. }));
}

#[tokio::test]
async fn noise_is_no_answer() {
    let (folder, upstream) = upstream();
    let document = folder.path().join("document");
    std::fs::write(&document, b"%PDF-1.7").expect("a file");
    let noise: [&'static [u8]; 4] = [
        b"",
        b"\x00\xff\x00\xff",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\nContent-Length: 999999999\r\n\r\nabc",
    ];
    for bytes in noise {
        let uri = answering(bytes).await;
        assert!(upstream.probe(&uri).await.is_none());
        assert!(matches!(upstream.create_job(&uri, job()).await, Created::Unreachable { .. }), "{bytes:?}");
        let sent = upstream.print_job(&uri, job(), &document, 8).await;
        assert!(matches!(sent, Sent::Broken { .. }), "a document may have left: {sent:?}");
    }
    let uri = answering(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").await;
    assert!(matches!(upstream.create_job(&uri, job()).await, Created::Refused { .. }));
    let uri = answering(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(upstream.create_job(&uri, job()).await, Created::Busy);
}

fn certificate() -> (CertificateDer<'static>, rustls_pki_types::PrivateKeyDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["printer".to_owned()]).expect("a certificate");
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("its key");
    (made.cert.der().clone(), key)
}

/// A printer on this port that shakes hands with this certificate and then says nothing useful.
async fn tls_printer(
    port: u16,
    (chain, key): (CertificateDer<'static>, rustls_pki_types::PrivateKeyDer<'static>),
) -> (u16, tokio::task::JoinHandle<()>) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .expect("a certificate");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut asked = [0; 4096];
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
            }
        }
    });
    (port, task)
}

#[tokio::test]
async fn the_first_certificate_is_kept_and_another_is_refused() {
    let (folder, upstream) = upstream();
    let first = certificate();
    let (port, task) = tls_printer(0, (first.0.clone(), first.1.clone_key())).await;
    let uri = format!("ipps://127.0.0.1:{port}/ipp/print");
    assert_eq!(upstream.create_job(&uri, job()).await, Created::Busy, "trusted on first use");
    assert_eq!(upstream.create_job(&uri, job()).await, Created::Busy, "known again");
    task.abort();
    let _ = task.await;
    let (_, task) = tls_printer(port, certificate()).await;
    assert!(
        matches!(upstream.create_job(&uri, job()).await, Created::Unreachable { .. }),
        "somebody else's certificate"
    );
    task.abort();
    let _ = task.await;
    std::fs::remove_dir_all(folder.path().join("printers")).expect("the operator forgets the pin");
    std::fs::create_dir(folder.path().join("printers")).expect("a folder");
    let (_, _task) = tls_printer(port, first).await;
    assert_eq!(upstream.create_job(&uri, job()).await, Created::Busy);
}
