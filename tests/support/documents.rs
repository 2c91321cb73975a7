//! Sample documents, made here: PDFs of any number of pages, PWG and Apple raster, JPEG. [`write_samples`] lays them out under
//! the names that ipptool's test files ask for. Made, not fetched, so that tests need no network and licences stay simple.

use std::io;
use std::path::Path;

/// Width and height of paper in points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    pub width_pt: u32,
    pub height_pt: u32,
    pub pwg_name: &'static str,
}

pub const A4: Paper = Paper { width_pt: 595, height_pt: 842, pwg_name: "iso_a4_210x297mm" };
pub const LETTER: Paper = Paper { width_pt: 612, height_pt: 792, pwg_name: "na_letter_8.5x11in" };

// ---- PDF

/// A PDF of so many pages, each with its number on it in words that a reader can search for.
pub fn pdf(pages: u32) -> Vec<u8> {
    pdf_on(A4, pages, 0)
}

/// The same on a given paper, made longer by about `ballast_bytes` that no page shows.
pub fn pdf_on(paper: Paper, pages: u32, ballast_bytes: usize) -> Vec<u8> {
    let mut file = PdfFile::default();
    let kids: String = (0..pages).map(|page| format!("{} 0 R ", 5 + 2 * page)).collect();
    file.object(1, "<</Type/Catalog/Pages 2 0 R>>");
    file.object(
        2,
        &format!(
            "<</Type/Pages/Kids[{kids}]/Count {pages}/MediaBox[0 0 {} {}]/Resources<</Font<</F1 3 0 R>>>>>>",
            paper.width_pt, paper.height_pt
        ),
    );
    file.object(3, "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>");
    file.stream(4, "/Type/Metadata/Subtype/XML", &vec![b' '; ballast_bytes]);
    for page in 0..pages {
        let number = 5 + 2 * page;
        file.object(number, &format!("<</Type/Page/Parent 2 0 R/Contents {} 0 R>>", number + 1));
        let mut content =
            format!("BT /F1 24 Tf 72 {} Td (Page {} of {pages}) Tj ET\n", paper.height_pt - 100, page + 1);
        for line in 0..30 {
            let y = paper.height_pt - 150 - line * 18;
            content.push_str(&format!("BT /F1 11 Tf 72 {y} Td (Line {line} of the sample text on this page.) Tj ET\n"));
        }
        file.stream(number + 1, "", content.as_bytes());
    }
    file.finish()
}

/// A PDF file in the writing: objects in ascending order from 1, then the table of where they stand.
#[derive(Default)]
struct PdfFile {
    bytes: Vec<u8>,
    offsets: Vec<usize>,
}

impl PdfFile {
    fn begin(&mut self, number: u32) {
        if self.bytes.is_empty() {
            self.bytes.extend(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n");
        }
        self.offsets.push(self.bytes.len());
        assert_eq!(self.offsets.len(), number as usize, "objects are written in order");
        self.bytes.extend(format!("{number} 0 obj\n").bytes());
    }

    fn object(&mut self, number: u32, content: &str) {
        self.begin(number);
        self.bytes.extend(format!("{content}\nendobj\n").bytes());
    }

    fn stream(&mut self, number: u32, entries: &str, content: &[u8]) {
        self.begin(number);
        self.bytes.extend(format!("<<{entries}/Length {}>>\nstream\n", content.len()).bytes());
        self.bytes.extend(content);
        self.bytes.extend(b"\nendstream\nendobj\n");
    }

    fn finish(mut self) -> Vec<u8> {
        let start = self.bytes.len();
        let size = self.offsets.len() + 1;
        self.bytes.extend(format!("xref\n0 {size}\n0000000000 65535 f \n").bytes());
        for offset in &self.offsets {
            self.bytes.extend(format!("{offset:010} 00000 n \n").bytes());
        }
        self.bytes.extend(format!("trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n").bytes());
        self.bytes
    }
}

// ---- raster

/// How a raster page is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RasterType {
    /// One bit a pixel, black is 1: `black_1`. Not in URF.
    Black1,
    /// One octet a pixel, white is 255: `sgray_8`.
    Sgray8,
    /// Three octets a pixel: `srgb_8`.
    Srgb8,
}

impl RasterType {
    const fn bits(self) -> u32 {
        match self {
            Self::Black1 => 1,
            Self::Sgray8 => 8,
            Self::Srgb8 => 24,
        }
    }

    const fn white(self) -> u8 {
        match self {
            Self::Black1 => 0,
            Self::Sgray8 | Self::Srgb8 => 255,
        }
    }

    /// An octet of ink: red where there is colour.
    const fn ink(self, component: usize) -> u8 {
        match self {
            Self::Black1 => 0xff,
            Self::Sgray8 => 0,
            Self::Srgb8 => {
                if component == 0 {
                    220
                } else {
                    0
                }
            }
        }
    }
}

struct Bitmap {
    kind: RasterType,
    width: u32,
    height: u32,
}

impl Bitmap {
    const fn of(paper: Paper, dpi: u32, kind: RasterType) -> Self {
        Self { kind, width: paper.width_pt * dpi / 72, height: paper.height_pt * dpi / 72 }
    }

    const fn line_bytes(&self) -> usize {
        ((self.width * self.kind.bits()) as usize).div_ceil(8)
    }

    /// One line: bars of ink on every fourth band, paper elsewhere.
    fn line(&self, y: u32) -> Vec<u8> {
        let pixel = (self.kind.bits() as usize).div_ceil(8);
        let band = y / 64;
        (0..self.line_bytes())
            .map(|at| {
                let column = at / pixel;
                let inked = band % 4 == 1 && (column / 40).is_multiple_of(3) && column > 60;
                if inked { self.kind.ink(at % pixel) } else { self.kind.white() }
            })
            .collect()
    }

    /// The lines as both raster formats code them: equal lines gathered, then runs of pixels.
    fn encode(&self) -> Vec<u8> {
        let pixel = (self.kind.bits() as usize).div_ceil(8);
        let mut out = Vec::new();
        let mut y = 0;
        while y < self.height {
            let line = self.line(y);
            let mut repeat = 1;
            while repeat < 256 && y + repeat < self.height && self.line(y + repeat) == line {
                repeat += 1;
            }
            out.push(u8::try_from(repeat - 1).expect("at most 256 lines"));
            encode_line(&line, pixel, &mut out);
            y += repeat;
        }
        out
    }
}

fn encode_line(line: &[u8], pixel: usize, out: &mut Vec<u8>) {
    let pixels: Vec<&[u8]> = line.chunks(pixel).collect();
    let mut at = 0;
    while at < pixels.len() {
        let same = pixels[at..].iter().take(128).take_while(|other| **other == pixels[at]).count();
        if same > 1 || at + 1 == pixels.len() {
            out.push(u8::try_from(same - 1).expect("at most 128 pixels"));
            out.extend(pixels[at]);
            at += same;
            continue;
        }
        let mut length = 1;
        while length < 128 && at + length < pixels.len() && pixels[at + length] != pixels[at + length - 1] {
            length += 1;
        }
        if length == 1 {
            out.push(0);
        } else {
            out.push(u8::try_from(257 - length).expect("2 to 128 pixels"));
        }
        pixels[at..at + length].iter().for_each(|pixel| out.extend(*pixel));
        at += length;
    }
}

fn put(header: &mut [u8], at: usize, number: u32) {
    header[at..at + 4].copy_from_slice(&number.to_be_bytes());
}

fn put_text(header: &mut [u8], at: usize, text: &str) {
    header[at..at + text.len()].copy_from_slice(text.as_bytes());
}

/// PWG Raster of so many pages.
pub fn pwg_raster(paper: Paper, dpi: u32, kind: RasterType, pages: u32) -> Vec<u8> {
    let bitmap = Bitmap::of(paper, dpi, kind);
    let (space, colours, bits_per_colour) = match kind {
        RasterType::Black1 => (3, 1, 1),
        RasterType::Sgray8 => (18, 1, 8),
        RasterType::Srgb8 => (19, 3, 8),
    };
    let mut header = vec![0; 1_796];
    put_text(&mut header, 0, "PwgRaster");
    put_text(&mut header, 128, "stationery");
    for (at, number) in [
        (276, dpi),
        (280, dpi),
        (340, 1),
        (352, paper.width_pt),
        (356, paper.height_pt),
        (372, bitmap.width),
        (376, bitmap.height),
        (384, bits_per_colour),
        (388, kind.bits()),
        (392, u32::try_from(bitmap.line_bytes()).expect("a line of paper")),
        (400, space),
        (420, colours),
        (452, pages),
        (456, 1),
        (460, 1),
    ] {
        put(&mut header, at, number);
    }
    put_text(&mut header, 1_732, paper.pwg_name);
    let lines = bitmap.encode();
    let mut out = b"RaS2".to_vec();
    for _ in 0..pages {
        out.extend(&header);
        out.extend(&lines);
    }
    out
}

/// Apple raster of so many pages, in grey or colour.
pub fn urf(paper: Paper, dpi: u32, colour: bool, pages: u32) -> Vec<u8> {
    let kind = if colour { RasterType::Srgb8 } else { RasterType::Sgray8 };
    let bitmap = Bitmap::of(paper, dpi, kind);
    let mut header = [0; 32];
    header[0] = u8::try_from(kind.bits()).expect("24 at most");
    header[1] = u8::from(colour);
    header[2] = 1; // one side
    header[3] = 4; // normal quality
    put(&mut header, 12, bitmap.width);
    put(&mut header, 16, bitmap.height);
    put(&mut header, 20, dpi);
    let lines = bitmap.encode();
    let mut out = b"UNIRAST\0".to_vec();
    out.extend(pages.to_be_bytes());
    for _ in 0..pages {
        out.extend(header);
        out.extend(&lines);
    }
    out
}

// ---- JPEG

/// A baseline JPEG of flat 8 by 8 blocks, in colour (Y, Cb, Cr) or grey.
pub fn jpeg(width: u16, height: u16, colour: bool) -> Vec<u8> {
    let components: u8 = if colour { 3 } else { 1 };
    let mut out = vec![0xff, 0xd8];
    segment(&mut out, 0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    let mut quantisers = vec![0];
    quantisers.extend([8; 64]);
    segment(&mut out, 0xdb, &quantisers);
    let mut frame = vec![8];
    frame.extend(height.to_be_bytes());
    frame.extend(width.to_be_bytes());
    frame.push(components);
    let mut scan = vec![components];
    for component in 1..=components {
        frame.extend([component, 0x11, 0]);
        scan.extend([component, 0]);
    }
    segment(&mut out, 0xc0, &frame);
    segment(&mut out, 0xc4, &[&[0x00], &DC_LENGTHS[..], &DC_SYMBOLS[..]].concat());
    segment(&mut out, 0xc4, &[&[0x10], &AC_LENGTHS[..], &AC_SYMBOLS[..]].concat());
    scan.extend([0, 63, 0]);
    segment(&mut out, 0xda, &scan);
    let mut bits = Bits::default();
    let mut before = [0_i32; 3];
    for row in 0..height.div_ceil(8) {
        for column in 0..width.div_ceil(8) {
            for (component, last) in before.iter_mut().enumerate().take(components.into()) {
                let step = (i32::from(row) * 7 + i32::from(column) * 11 + 40 * component as i32) % 160 - 80;
                bits.difference(step - *last);
                *last = step;
            }
        }
    }
    out.extend(bits.finish());
    out.extend([0xff, 0xd9]);
    out
}

/// The table of ITU T.81 annex K.3.1: codes for how many bits a DC difference has, 0 to 11.
const DC_LENGTHS: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
const DC_SYMBOLS: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const DC_CODES: [(u32, u32); 12] = [
    (0b00, 2),
    (0b010, 3),
    (0b011, 3),
    (0b100, 3),
    (0b101, 3),
    (0b110, 3),
    (0b1110, 4),
    (0b1_1110, 5),
    (0b11_1110, 6),
    (0b111_1110, 7),
    (0b1111_1110, 8),
    (0b1_1111_1110, 9),
];
/// AC: the one code that is used, 0, says that the rest of the block is zero; a second one keeps the table lawful.
const AC_LENGTHS: [u8; 16] = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const AC_SYMBOLS: [u8; 2] = [0x00, 0x01];

fn segment(out: &mut Vec<u8>, marker: u8, content: &[u8]) {
    out.extend([0xff, marker]);
    out.extend(u16::try_from(content.len() + 2).expect("a short segment").to_be_bytes());
    out.extend(content);
}

#[derive(Default)]
struct Bits {
    out: Vec<u8>,
    held: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, code: u32, length: u32) {
        self.held = (self.held << length) | code;
        self.count += length;
        while self.count >= 8 {
            self.count -= 8;
            let octet = u8::try_from((self.held >> self.count) & 0xff).expect("eight bits");
            self.out.push(octet);
            if octet == 0xff {
                self.out.push(0);
            }
        }
        self.held &= (1 << self.count) - 1;
    }

    /// One block: its DC difference, then the end of the block.
    fn difference(&mut self, value: i32) {
        let size = 32 - value.unsigned_abs().leading_zeros();
        let (code, length) = DC_CODES[size as usize];
        self.put(code, length);
        let coded = if value < 0 { value + (1 << size) - 1 } else { value };
        self.put(u32::try_from(coded).expect("not negative any more"), size);
        self.put(0, 1);
    }

    fn finish(mut self) -> Vec<u8> {
        while self.count != 0 {
            self.put(1, 1);
        }
        self.out
    }
}

/// Writes every sample that the installed ipptool tests name and this box can print, and some for our own tests.
pub fn write_samples(folder: &Path) -> io::Result<()> {
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.join(name), bytes);
    for (paper, name) in [(A4, "a4"), (LETTER, "letter")] {
        write(&format!("document-{name}.pdf"), pdf_on(paper, 4, 250_000))?;
        write(&format!("onepage-{name}.pdf"), pdf_on(paper, 1, 0))?;
        // Not printed: the queue offers no PostScript. But ipptool stops where a file is missing.
        write(&format!("document-{name}.ps"), b"%!PS-Adobe-3.0\n%%Pages: 1\nshowpage\n%%EOF\n".to_vec())?;
        write(&format!("onepage-{name}-300-black-1.pwg"), pwg_raster(paper, 300, RasterType::Black1, 1))?;
        write(&format!("onepage-{name}-300-sgray-8.pwg"), pwg_raster(paper, 300, RasterType::Sgray8, 1))?;
    }
    write("pages-20.pdf", pdf(20))?;
    write("pages-3.urf", urf(A4, 150, false, 3))?;
    write("color.jpg", jpeg(1_200, 1_800, true))?;
    write("gray.jpg", jpeg(1_200, 1_800, false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::count::{Count, Counter, pdf as pdf_counter, sniff};
    use proto::ipp::DocumentFormat;

    fn counted(document: &[u8]) -> Count {
        let mut counter = Counter::new(sniff(document).expect("a known format"));
        document.chunks(1_000).for_each(|chunk| counter.push(chunk).expect("well formed"));
        counter.finish()
    }

    #[test]
    fn the_samples_have_the_pages_they_claim() {
        assert_eq!(pdf_counter::count(pdf(20)).map(|count| count.pages), Ok(Some(20)));
        for (kind, colour) in [(RasterType::Black1, false), (RasterType::Sgray8, false), (RasterType::Srgb8, true)] {
            let expected = Count { pages: Some(3), colour: Some(colour) };
            assert_eq!(counted(&pwg_raster(LETTER, 72, kind, 3)), expected);
        }
        assert_eq!(counted(&urf(A4, 72, true, 2)), Count { pages: Some(2), colour: Some(true) });
        assert_eq!(counted(&jpeg(100, 60, true)), Count { pages: Some(1), colour: Some(true) });
        assert_eq!(sniff(&pdf(1)), Some(DocumentFormat::Pdf));
    }
}
