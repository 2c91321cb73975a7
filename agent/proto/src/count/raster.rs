//! PWG Raster (PWG 5102.4) and Apple raster (URF): a mark, then pages of a fixed header and run-length coded lines. Both
//! code lines alike: a repeat count for the line, then runs (0 to 127: one pixel repeated, 129 to 255: pixels as they are,
//! 128: blank to the end of the line) until the line is full.
//!
//! ```text
//! Mark -> (URF: page count) -> Header -> Lines -> Header -> ... ; may end where a header would begin
//! ```

use super::{Count, Mark, Mismatch, PAGES_MAX, PWG_MARK, URF_MARK};

const PWG_HEADER_BYTES: usize = 1_796;
const URF_HEADER_BYTES: usize = 32;
/// The count in the head of a URF file; 0xffffffff where the sender did not know, and never believed.
const URF_COUNT_BYTES: usize = 4;
/// 5 m at 2,400 dpi: no page is wider or longer in dots.
const DOTS_MAX: u32 = 500_000;
/// Of one pixel, PWG 5102.4 table 8: at most 15 colours of 16 bits.
const PIXEL_BITS_MAX: u32 = 240;
/// Copies a page header may ask for, as many as a ticket may.
const PAGE_COPIES_MAX: u32 = crate::ipp::COPIES_MAX;

/// What a page header says.
#[derive(Clone, Copy, Debug)]
struct Page {
    copies: u32,
    colour: bool,
    lines: u32,
    line_bytes: u32,
    pixel_bytes: u32,
}

impl Page {
    fn new(width: u32, height: u32, pixel_bits: u32, colour: bool, copies: u32) -> Result<Self, Mismatch> {
        let bits_fit = (1..=PIXEL_BITS_MAX).contains(&pixel_bits) && (pixel_bits < 8 || pixel_bits.is_multiple_of(8));
        if width == 0 || width > DOTS_MAX || height == 0 || height > DOTS_MAX || !bits_fit || copies > PAGE_COPIES_MAX {
            return Err(Mismatch::Corrupt);
        }
        let line_bytes = (width * pixel_bits).div_ceil(8);
        Ok(Self { copies: copies.max(1), colour, lines: height, line_bytes, pixel_bytes: pixel_bits.div_ceil(8) })
    }

    fn pwg(header: &[u8; PWG_HEADER_BYTES]) -> Result<Self, Mismatch> {
        if !header.starts_with(b"PwgRaster\0") {
            return Err(Mismatch::Corrupt);
        }
        let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (width, height, pixel_bits, line_bytes) = (number(372), number(376), number(388), number(392));
        let (order, space, colours) = (number(396), number(400), number(420));
        /// cupsColorSpace: W, K and sGray have no colour; all others may.
        const GREY_SPACES: [u32; 3] = [0, 3, 18];
        let colour = !GREY_SPACES.contains(&space) && colours != 1;
        let page = Self::new(width, height, pixel_bits, colour, number(340))?;
        if line_bytes == page.line_bytes && order == 0 { Ok(page) } else { Err(Mismatch::Corrupt) }
    }

    fn urf(header: &[u8; URF_HEADER_BYTES]) -> Result<Self, Mismatch> {
        let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let pixel_bits = u32::from(header[0]);
        /// Colour spaces 0 (sGray) and 4 (device W).
        const GREY_SPACES: [u8; 2] = [0, 4];
        Self::new(number(12), number(16), pixel_bits, !GREY_SPACES.contains(&header[1]), 1)
    }
}

/// Follows the lines of one page.
#[derive(Clone, Copy, Debug)]
struct Lines {
    page: Page,
    left: u32,
    /// Bytes still missing from the line; none before its repeat count was read.
    line: Option<u32>,
    repeat: u32,
    /// Bytes to pass over before the next count.
    skip: u32,
}

impl Lines {
    const fn new(page: Page) -> Self {
        Self { page, left: page.lines, line: None, repeat: 0, skip: 0 }
    }

    const fn is_complete(&self) -> bool {
        self.left == 0
    }

    /// How many of `bytes` belong to the page.
    fn push(&mut self, bytes: &[u8]) -> Result<usize, Mismatch> {
        let mut at = 0;
        while !self.is_complete() {
            if self.skip > 0 {
                let rest = u32::try_from(bytes.len() - at).unwrap_or(u32::MAX);
                let skipped = self.skip.min(rest);
                self.skip -= skipped;
                at += skipped as usize;
                if self.skip > 0 {
                    return Ok(at);
                }
                self.end_line_when_full();
                continue;
            }
            let Some(&octet) = bytes.get(at) else { return Ok(at) };
            at += 1;
            match self.line {
                None => {
                    self.repeat = u32::from(octet) + 1;
                    if self.repeat > self.left {
                        return Err(Mismatch::Corrupt);
                    }
                    self.line = Some(self.page.line_bytes);
                }
                Some(missing) => self.run(octet, missing)?,
            }
        }
        Ok(at)
    }

    fn run(&mut self, octet: u8, missing: u32) -> Result<(), Mismatch> {
        let pixel = self.page.pixel_bytes;
        let (covered, skip) = match octet {
            0..=127 => (pixel * (u32::from(octet) + 1), pixel),
            128 => (missing, 0),
            129..=255 => {
                let literal = pixel * (257 - u32::from(octet));
                (literal, literal)
            }
        };
        let missing = missing.checked_sub(covered).ok_or(Mismatch::Corrupt)?;
        self.line = Some(missing);
        self.skip = skip;
        if skip == 0 {
            self.end_line_when_full();
        }
        Ok(())
    }

    const fn end_line_when_full(&mut self) {
        if let Some(0) = self.line {
            self.left -= self.repeat;
            self.line = None;
        }
    }
}

/// The part that both formats share: pages of a header of `H` bytes and lines.
#[derive(Debug)]
struct Pages<const H: usize> {
    read: fn(&[u8; H]) -> Result<Page, Mismatch>,
    header: [u8; H],
    filled: usize,
    lines: Option<Lines>,
    pages: u32,
    colour: bool,
}

impl<const H: usize> Pages<H> {
    const fn new(read: fn(&[u8; H]) -> Result<Page, Mismatch>) -> Self {
        Self { read, header: [0; H], filled: 0, lines: None, pages: 0, colour: false }
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<(), Mismatch> {
        while !bytes.is_empty() {
            if let Some(lines) = &mut self.lines {
                let used = lines.push(bytes)?;
                bytes = &bytes[used..];
                if lines.is_complete() {
                    self.end_page()?;
                }
                continue;
            }
            let used = (H - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + used].copy_from_slice(&bytes[..used]);
            self.filled += used;
            bytes = &bytes[used..];
            if self.filled == H {
                self.lines = Some(Lines::new((self.read)(&self.header)?));
                self.filled = 0;
            }
        }
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), Mismatch> {
        if let Some(lines) = self.lines.take() {
            self.pages = self.pages.saturating_add(lines.page.copies);
            self.colour |= lines.page.colour;
        }
        if self.pages > PAGES_MAX { Err(Mismatch::TooManyPages) } else { Ok(()) }
    }

    fn finish(self) -> Count {
        if self.lines.is_some() || self.filled > 0 || self.pages == 0 {
            return Count::default();
        }
        Count { pages: Some(self.pages), colour: Some(self.colour) }
    }
}

#[derive(Debug)]
pub struct Pwg {
    mark: Mark,
    pages: Box<Pages<PWG_HEADER_BYTES>>,
}

impl Pwg {
    pub(super) fn new() -> Self {
        Self { mark: Mark::new(PWG_MARK), pages: Box::new(Pages::new(Page::pwg)) }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Mismatch> {
        let used = self.mark.push(bytes)?;
        self.pages.push(&bytes[used..])
    }

    pub(super) fn finish(self) -> Count {
        self.pages.finish()
    }
}

#[derive(Debug)]
pub struct Urf {
    mark: Mark,
    /// Bytes of the unbelieved page count that have passed.
    count_seen: usize,
    pages: Pages<URF_HEADER_BYTES>,
}

impl Urf {
    pub(super) const fn new() -> Self {
        Self { mark: Mark::new(URF_MARK), count_seen: 0, pages: Pages::new(Page::urf) }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Mismatch> {
        let used = self.mark.push(bytes)?;
        if !self.mark.is_complete() {
            return Ok(());
        }
        let rest = &bytes[used..];
        let count = (URF_COUNT_BYTES - self.count_seen).min(rest.len());
        self.count_seen += count;
        self.pages.push(&rest[count..])
    }

    pub(super) fn finish(self) -> Count {
        self.pages.finish()
    }
}
