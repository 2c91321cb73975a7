//! Page counters: how many sides a document is, before it is printed. The raster formats and JPEG are counted as their
//! bytes stream past, run lengths skipped and never expanded; a PDF needs all its bytes and is counted by [`pdf`], in a
//! process that owns nothing else.
//!
//! Refuses to know: tickets, prices, files. A counter never guesses: what it cannot follow to the end has no count, and a
//! job without a count is held.

mod jpeg;
pub mod pdf;
mod raster;

#[cfg(test)]
mod tests;

use crate::ipp::DocumentFormat;

/// Pages in one document; more is no office print.
pub const PAGES_MAX: u32 = 100_000;
/// The longest mark by which a format is known.
pub const SNIFF_BYTES: usize = 8;

const PDF_MARK: &[u8] = b"%PDF-";
const URF_MARK: &[u8] = b"UNIRAST\0";
const PWG_MARK: &[u8] = b"RaS2";
const JPEG_MARK: &[u8] = &[0xff, 0xd8, 0xff];

/// What a document came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// None: cannot be counted, or not here.
    pub pages: Option<u32>,
    /// Whether any page holds colour, as far as its header says.
    pub colour: Option<bool>,
}

/// The bytes are not the document they are said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// They do not begin as this format does. A prefix (PJL) is such a case: it could carry orders of its own.
    NotThisFormat,
    /// A page header or a line that contradicts itself: two readers would see two documents.
    Corrupt,
    TooManyPages,
}

impl Mismatch {
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NotThisFormat => "The document does not begin like the format it is said to have.",
            Self::Corrupt => "The document is damaged.",
            Self::TooManyPages => "The document has more than 100,000 pages.",
        }
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for Mismatch {}

/// The format that a document begins like; [`SNIFF_BYTES`] bytes are enough.
#[must_use]
pub fn sniff(beginning: &[u8]) -> Option<DocumentFormat> {
    let marks = [
        (PDF_MARK, DocumentFormat::Pdf),
        (URF_MARK, DocumentFormat::Urf),
        (PWG_MARK, DocumentFormat::PwgRaster),
        (JPEG_MARK, DocumentFormat::Jpeg),
    ];
    marks.into_iter().find(|(mark, _)| beginning.starts_with(mark)).map(|(_, format)| format)
}

/// Counts a document as it streams past.
#[derive(Debug)]
pub enum Counter {
    /// Only checks how it begins; the count comes from [`pdf::count`].
    Pdf(Mark),
    Urf(raster::Urf),
    PwgRaster(raster::Pwg),
    Jpeg(jpeg::Jpeg),
}

impl Counter {
    #[must_use]
    pub fn new(format: DocumentFormat) -> Self {
        match format {
            DocumentFormat::Pdf => Self::Pdf(Mark::new(PDF_MARK)),
            DocumentFormat::Urf => Self::Urf(raster::Urf::new()),
            DocumentFormat::PwgRaster => Self::PwgRaster(raster::Pwg::new()),
            DocumentFormat::Jpeg => Self::Jpeg(jpeg::Jpeg::new()),
        }
    }

    /// Takes the next bytes. After a mismatch the counter is spent.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Mismatch> {
        match self {
            Self::Pdf(mark) => mark.push(bytes).map(|_| ()),
            Self::Urf(counter) => counter.push(bytes),
            Self::PwgRaster(counter) => counter.push(bytes),
            Self::Jpeg(counter) => counter.push(bytes),
        }
    }

    /// The count, when the document ended where its format says that it can.
    #[must_use]
    pub fn finish(self) -> Count {
        match self {
            Self::Pdf(_) => Count::default(),
            Self::Urf(counter) => counter.finish(),
            Self::PwgRaster(counter) => counter.finish(),
            Self::Jpeg(counter) => counter.finish(),
        }
    }
}

/// The bytes that a format begins with, checked as they come.
#[derive(Debug)]
pub struct Mark {
    expected: &'static [u8],
    seen: usize,
}

impl Mark {
    const fn new(expected: &'static [u8]) -> Self {
        Self { expected, seen: 0 }
    }

    const fn is_complete(&self) -> bool {
        self.seen == self.expected.len()
    }

    /// How many of `bytes` belong to the mark.
    fn push(&mut self, bytes: &[u8]) -> Result<usize, Mismatch> {
        let rest = &self.expected[self.seen..];
        let length = rest.len().min(bytes.len());
        if rest[..length] != bytes[..length] {
            return Err(Mismatch::NotThisFormat);
        }
        self.seen += length;
        Ok(length)
    }
}
