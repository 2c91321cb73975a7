//! DATA/spool: one file a job, written as the document arrives and deleted when the job is settled.
//!
//! A document streams through the unpacker, the digest and the page counter into the file, once; a PDF is counted
//! afterwards by `doorpost count`, a child without rights. Refuses to know members and prices. When the disk runs low,
//! documents are turned away while there is still room for everything else that the box writes.

use engine::print::{SpoolFailure, SpoolLimits, SpooledDocument};
use flate2::write::{DeflateDecoder, GzDecoder};
use hyper::body::{Body, Bytes};
use proto::count::{Counter, SNIFF_BYTES, sniff};
use proto::ipp::{Compression, DocumentFormat};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;
use values::JobId;

/// Room that documents leave for the databases and the log: a week of history is about 20 MiB, the WAL at most 64.
pub const FREE_FLOOR_BYTES: u64 = 96 * 1024 * 1024;
/// How much is written between two looks at the free room.
const FLOOR_CHECK_BYTES: u64 = 4 * 1024 * 1024;
/// Written at once: large enough that a hand-over to the file threads costs little, small enough for many jobs at a time.
const CHUNK_BYTES: usize = 256 * 1024;
/// A client that sends nothing for this long has gone; phones fall asleep for shorter.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// Packed bytes are unpacked in pieces of this size, so that a bomb (1,000 to 1) yields at most 4 MiB between two checks.
const UNPACK_BYTES: usize = 4 * 1024;

/// The folder.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
}

impl Spool {
    /// DATA/spool, made when missing.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn open(data: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let folder = data.join("spool");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { folder })
    }

    #[must_use]
    pub fn path(&self, job: JobId) -> PathBuf {
        self.folder.join(job.to_string())
    }

    /// Deletes what no job needs any more: remains of a crash.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn sweep(&self, is_needed: impl Fn(JobId) -> bool) -> std::io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let job = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if !job.is_some_and(&is_needed) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    pub async fn delete(&self, job: JobId) {
        match tokio::fs::remove_file(self.path(job)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%job, %error, "a document could not be deleted from the spool");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Takes a document in: what was read behind the head, then the rest of the body.
    ///
    /// # Errors
    /// Why it did not arrive; its file is gone then.
    pub async fn receive<B>(
        &self,
        job: JobId,
        first: Bytes,
        body: &mut B,
        limits: &SpoolLimits,
    ) -> Result<SpooledDocument, SpoolFailure>
    where
        B: Body<Data = Bytes> + Unpin + Send,
    {
        let received = self.fill(job, first, body, limits).await;
        if received.is_err() {
            self.delete(job).await;
        }
        received
    }

    async fn fill<B>(
        &self,
        job: JobId,
        first: Bytes,
        body: &mut B,
        limits: &SpoolLimits,
    ) -> Result<SpooledDocument, SpoolFailure>
    where
        B: Body<Data = Bytes> + Unpin + Send,
    {
        let path = self.path(job);
        let file = self.create(&path).await?;
        let mut writer = Writer::new(self, file, limits);
        writer.take(&first).await?;
        loop {
            let frame = tokio::time::timeout(IDLE_MAX, std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)));
            match frame.await {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => {
                    if let Ok(bytes) = frame.into_data() {
                        writer.take(&bytes).await?;
                    }
                }
                Ok(Some(Err(_))) | Err(_) => return Err(SpoolFailure::ClientGone),
            }
        }
        let received = writer.finish().await?;
        let pages = match received.format {
            DocumentFormat::Pdf => crate::count::count_pdf(&path).await.ok().and_then(|count| count.pages),
            DocumentFormat::Urf | DocumentFormat::PwgRaster | DocumentFormat::Jpeg => received.counted,
        };
        let Received { format, bytes, digest, .. } = received;
        let pages = pages.ok_or(SpoolFailure::Uncountable)?;
        Ok(SpooledDocument { bytes, digest, format, pages })
    }

    async fn create(&self, path: &Path) -> Result<File, SpoolFailure> {
        use std::os::unix::fs::OpenOptionsExt;
        let (folder, path) = (self.folder.clone(), path.to_owned());
        on_file_thread(move || {
            check_room(&folder)?;
            File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
        })
        .await
    }
}

/// File work goes to tokio's file threads in few and large pieces: each hand-over costs more than writing a page.
async fn on_file_thread<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, SpoolFailure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(disk),
        Err(_) => Err(SpoolFailure::DiskFull), // the daemon stops
    }
}

fn check_room(folder: &Path) -> std::io::Result<()> {
    if host::disk::free_bytes(folder)? >= FREE_FLOOR_BYTES {
        Ok(())
    } else {
        Err(std::io::ErrorKind::StorageFull.into())
    }
}

/// Whatever goes wrong with the file, the client is told that there is no room for it now.
fn disk(error: std::io::Error) -> SpoolFailure {
    tracing::warn!(%error, "the spool cannot be written");
    SpoolFailure::DiskFull
}

struct Received {
    bytes: u64,
    digest: String,
    format: DocumentFormat,
    counted: Option<u32>,
}

/// One document on its way to the disk.
struct Writer<'a> {
    spool: &'a Spool,
    /// None while a file thread has it.
    file: Option<File>,
    limits: &'a SpoolLimits,
    unpacker: Unpacker,
    digest: aws_lc_rs::digest::Context,
    /// None until the first bytes have said what it is.
    counter: Option<(DocumentFormat, Counter)>,
    chunk: Vec<u8>,
    bytes: u64,
    checked_at_bytes: u64,
}

impl<'a> Writer<'a> {
    fn new(spool: &'a Spool, file: File, limits: &'a SpoolLimits) -> Self {
        Self {
            spool,
            file: Some(file),
            limits,
            unpacker: Unpacker::new(limits.compression),
            digest: aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256),
            counter: None,
            chunk: Vec::new(),
            bytes: 0,
            checked_at_bytes: 0,
        }
    }

    async fn take(&mut self, bytes: &[u8]) -> Result<(), SpoolFailure> {
        if let Unpacker::None = self.unpacker {
            return self.append(bytes).await;
        }
        for piece in bytes.chunks(UNPACK_BYTES) {
            let plain = self.unpacker.unpack(piece)?;
            self.append(&plain).await?;
        }
        Ok(())
    }

    async fn append(&mut self, bytes: &[u8]) -> Result<(), SpoolFailure> {
        self.chunk.extend_from_slice(bytes);
        if self.bytes + self.chunk.len() as u64 > self.limits.bytes_max {
            return Err(SpoolFailure::TooLarge);
        }
        if self.chunk.len() >= CHUNK_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SpoolFailure> {
        self.look()?;
        let mut chunk = std::mem::take(&mut self.chunk);
        let Some(mut file) = self.file.take() else { return Err(SpoolFailure::DiskFull) };
        self.bytes += chunk.len() as u64;
        let is_check_due = self.bytes - self.checked_at_bytes >= FLOOR_CHECK_BYTES;
        if is_check_due {
            self.checked_at_bytes = self.bytes;
        }
        let folder = self.spool.folder.clone();
        let (file, chunk) = on_file_thread(move || {
            file.write_all(&chunk)?;
            if is_check_due {
                check_room(&folder)?;
            }
            chunk.clear();
            Ok((file, chunk))
        })
        .await?;
        (self.file, self.chunk) = (Some(file), chunk);
        Ok(())
    }

    /// Counts and digests what is about to be written.
    fn look(&mut self) -> Result<(), SpoolFailure> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        if self.counter.is_none() {
            let beginning = self.chunk.get(..SNIFF_BYTES).unwrap_or(&self.chunk);
            let format = sniff(beginning).ok_or(SpoolFailure::UnknownFormat)?;
            if self.limits.format.is_some_and(|said| said != format) {
                return Err(SpoolFailure::Damaged);
            }
            self.counter = Some((format, Counter::new(format)));
        }
        if let Some((_, counter)) = &mut self.counter {
            counter.push(&self.chunk).map_err(|_| SpoolFailure::Damaged)?;
        }
        self.digest.update(&self.chunk);
        Ok(())
    }

    async fn finish(mut self) -> Result<Received, SpoolFailure> {
        let rest = std::mem::replace(&mut self.unpacker, Unpacker::None).finish()?;
        self.append(&rest).await?;
        self.look()?;
        let (format, counter) = self.counter.ok_or(SpoolFailure::UnknownFormat)?;
        let bytes = self.bytes + self.chunk.len() as u64;
        let (Some(mut file), chunk, folder) = (self.file, self.chunk, self.spool.folder.clone()) else {
            return Err(SpoolFailure::DiskFull);
        };
        on_file_thread(move || {
            file.write_all(&chunk)?;
            file.sync_all()?;
            File::open(&folder)?.sync_all() // or the entry of a new file may not survive a power cut
        })
        .await?;
        let digest = self.digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Received { bytes, digest, format, counted: counter.finish().pages })
    }
}

/// Takes a document out of its packing. What follows the end of the packed stream is an error: it would be printed by one
/// reader and not by another.
enum Unpacker {
    None,
    Gzip(GzDecoder<Vec<u8>>),
    Deflate(DeflateDecoder<Vec<u8>>),
}

impl Unpacker {
    fn new(compression: Compression) -> Self {
        match compression {
            Compression::None => Self::None,
            Compression::Gzip => Self::Gzip(GzDecoder::new(Vec::new())),
            Compression::Deflate => Self::Deflate(DeflateDecoder::new(Vec::new())),
        }
    }

    fn unpack(&mut self, bytes: &[u8]) -> Result<Vec<u8>, SpoolFailure> {
        let unpacked = match self {
            Self::None => return Ok(bytes.to_vec()),
            Self::Gzip(decoder) => decoder.write_all(bytes).and_then(|()| decoder.flush()).map(|()| decoder.get_mut()),
            Self::Deflate(decoder) => {
                decoder.write_all(bytes).and_then(|()| decoder.flush()).map(|()| decoder.get_mut())
            }
        };
        unpacked.map(std::mem::take).map_err(|_| SpoolFailure::Compression)
    }

    fn finish(self) -> Result<Vec<u8>, SpoolFailure> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Gzip(decoder) => decoder.finish().map_err(|_| SpoolFailure::Compression),
            Self::Deflate(decoder) => decoder.finish().map_err(|_| SpoolFailure::Compression),
        }
    }
}

#[cfg(test)]
mod tests;
