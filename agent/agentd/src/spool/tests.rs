//! What the spool takes and what it turns away. PDF needs the counting child and is tested end to end.

use super::*;
use flate2::Compression as Level;
use flate2::write::{DeflateEncoder, GzEncoder};
use http_body_util::{Full, StreamBody};
use hyper::body::Frame;
use values::JobId;

/// A blank page of Apple raster, one dot high.
fn urf(pages: u32) -> Vec<u8> {
    let mut document = b"UNIRAST\0".to_vec();
    document.extend(pages.to_be_bytes());
    for _ in 0..pages {
        let mut header = [0; 32];
        header[0] = 8; // bits a pixel
        header[12..16].copy_from_slice(&100_u32.to_be_bytes());
        header[16..20].copy_from_slice(&1_u32.to_be_bytes());
        header[20..24].copy_from_slice(&300_u32.to_be_bytes());
        document.extend(header);
        document.extend([0, 128]); // one line, blank
    }
    document
}

fn limits(compression: Compression) -> SpoolLimits {
    SpoolLimits { bytes_max: 10_000, format: Some(DocumentFormat::Urf), compression }
}

struct Place {
    _folder: tempfile::TempDir,
    spool: Spool,
    job: JobId,
}

fn place() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = Spool::open(folder.path()).expect("a spool");
    Place { spool, job: JobId::from_random([7; 16]), _folder: folder }
}

impl Place {
    async fn take(&self, bytes: Vec<u8>, limits: &SpoolLimits) -> Result<SpooledDocument, SpoolFailure> {
        let (first, rest) = bytes.split_at(bytes.len().min(3)); // as when the head shares a packet with the document
        let mut body = Full::new(Bytes::copy_from_slice(rest));
        self.spool.receive(self.job, Bytes::copy_from_slice(first), &mut body, limits).await
    }
}

#[tokio::test]
async fn a_document_is_counted_digested_and_kept() {
    let place = place();
    let taken = place.take(urf(3), &limits(Compression::None)).await.expect("a document");
    assert_eq!((taken.pages, taken.bytes, taken.format), (3, urf(3).len() as u64, DocumentFormat::Urf));
    assert_eq!(taken.digest.len(), 64);
    assert_eq!(std::fs::read(place.spool.path(place.job)).expect("its file"), urf(3));
    place.spool.delete(place.job).await;
    place.spool.delete(place.job).await; // twice is once
    assert!(!place.spool.path(place.job).exists());
}

#[tokio::test]
async fn packed_documents_are_kept_unpacked() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Level::best());
        encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory")
    };
    let deflate = |bytes: &[u8]| {
        let mut encoder = DeflateEncoder::new(Vec::new(), Level::best());
        encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory")
    };
    let place = place();
    for (bytes, compression) in [(gzip(&urf(2)), Compression::Gzip), (deflate(&urf(2)), Compression::Deflate)] {
        let taken = place.take(bytes, &limits(compression)).await.expect("a document");
        assert_eq!((taken.pages, taken.bytes), (2, urf(2).len() as u64), "{compression:?}");
        assert_eq!(std::fs::read(place.spool.path(place.job)).expect("its file"), urf(2));
    }
    let bomb = gzip(&vec![0; 50 << 20]);
    assert_eq!(place.take(bomb, &limits(Compression::Gzip)).await, Err(SpoolFailure::TooLarge));
    let two = [gzip(&urf(1)), gzip(&urf(1))].concat();
    assert_eq!(place.take(two, &limits(Compression::Gzip)).await, Err(SpoolFailure::Compression), "a second member");
    let cut = gzip(&urf(1))[..20].to_vec();
    assert!(place.take(cut, &limits(Compression::Gzip)).await.is_err());
    assert!(!place.spool.path(place.job).exists(), "nothing is left of what was turned away");
}

#[tokio::test]
async fn what_is_not_what_it_says_is_turned_away() {
    let place = place();
    let any = SpoolLimits { format: None, ..limits(Compression::None) };
    let said = limits(Compression::None);
    let cases: [(Vec<u8>, &SpoolLimits, SpoolFailure); 6] = [
        (Vec::new(), &any, SpoolFailure::UnknownFormat),
        (b"%!PS-Adobe-3.0".to_vec(), &any, SpoolFailure::UnknownFormat),
        (b"\x1b%-12345X@PJL\n%PDF-1.7".to_vec(), &any, SpoolFailure::UnknownFormat),
        (b"%PDF-1.7".to_vec(), &said, SpoolFailure::Damaged),
        (urf(1)[..40].to_vec(), &said, SpoolFailure::Uncountable),
        (vec![0; 10_001], &said, SpoolFailure::TooLarge),
    ];
    for (bytes, limits, expected) in cases {
        assert_eq!(
            place.take(bytes.clone(), limits).await,
            Err(expected),
            "{:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(20)])
        );
        assert!(!place.spool.path(place.job).exists());
    }
}

#[tokio::test]
async fn a_client_that_goes_leaves_nothing() {
    let place = place();
    let frames = [Ok(Frame::data(Bytes::from(urf(1)))), Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))];
    let mut body = StreamBody::new(futures_util::stream::iter(frames));
    let taken = place.spool.receive(place.job, Bytes::new(), &mut body, &limits(Compression::None)).await;
    assert_eq!(taken, Err(SpoolFailure::ClientGone));
    assert!(!place.spool.path(place.job).exists());
}

#[test]
fn a_sweep_keeps_what_is_needed() {
    let place = place();
    let other = JobId::from_random([8; 16]);
    for path in [place.spool.path(place.job), place.spool.path(other), place.spool.folder.join("stray")] {
        std::fs::write(path, b"x").expect("a file");
    }
    place.spool.sweep(|job| job == place.job).expect("a readable folder");
    let left: Vec<_> = std::fs::read_dir(&place.spool.folder).expect("the folder").filter_map(Result::ok).collect();
    assert_eq!(left.len(), 1);
    assert!(place.spool.path(place.job).exists());
}
