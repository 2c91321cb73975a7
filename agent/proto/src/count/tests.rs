//! Counters against documents made here, whole and in pieces, and against what should not be counted.

use super::*;
use proptest::prelude::*;

const BOTH: [DocumentFormat; 2] = [DocumentFormat::Urf, DocumentFormat::PwgRaster];

/// One page: `lines` lines of `pixels` pixels, coded in each of the ways that a line can be.
fn lines(pixel_bytes: usize, pixels: usize, lines: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut left = lines;
    while left > 0 {
        let repeat = left.min(3);
        out.push(u8::try_from(repeat - 1).expect("small"));
        match left % 3 {
            0 => out.push(128),
            1 => run(&mut out, pixels, 128, |out, n| {
                out.push(u8::try_from(n - 1).expect("small"));
                out.extend(vec![0x5a; pixel_bytes]);
            }),
            _ => run(&mut out, pixels, 128, |out, n| {
                out.push(if n == 1 { 0 } else { u8::try_from(257 - n).expect("small") });
                out.extend(vec![0xa5; pixel_bytes * n]);
            }),
        }
        left -= repeat;
    }
    out
}

fn run(out: &mut Vec<u8>, pixels: usize, most: usize, mut write: impl FnMut(&mut Vec<u8>, usize)) {
    let mut left = pixels;
    while left > 0 {
        let n = left.min(most);
        write(out, n);
        left -= n;
    }
}

fn put(header: &mut [u8], at: usize, number: u32) {
    header[at..at + 4].copy_from_slice(&number.to_be_bytes());
}

fn urf_page(colour: bool, width: u32, height: u32) -> Vec<u8> {
    let mut page = vec![0; 32];
    page[0] = if colour { 24 } else { 8 };
    page[1] = u8::from(colour);
    put(&mut page, 12, width);
    put(&mut page, 16, height);
    put(&mut page, 20, 300);
    page.extend(lines(if colour { 3 } else { 1 }, width as usize, height as usize));
    page
}

fn pwg_page(colour: bool, width: u32, height: u32, copies: u32) -> Vec<u8> {
    let mut page = vec![0; 1_796];
    page[..10].copy_from_slice(b"PwgRaster\0");
    let bits = if colour { 24 } else { 8 };
    put(&mut page, 340, copies);
    put(&mut page, 372, width);
    put(&mut page, 376, height);
    put(&mut page, 384, 8);
    put(&mut page, 388, bits);
    put(&mut page, 392, width * bits / 8);
    put(&mut page, 400, if colour { 19 } else { 18 });
    put(&mut page, 420, bits / 8);
    page.extend(lines(bits as usize / 8, width as usize, height as usize));
    page
}

fn document(format: DocumentFormat, pages: u32, colour: bool) -> Vec<u8> {
    let mut out = Vec::new();
    match format {
        DocumentFormat::Urf => {
            out.extend(URF_MARK);
            out.extend(u32::MAX.to_be_bytes());
            (0..pages).for_each(|_| out.extend(urf_page(colour, 300, 7)));
        }
        DocumentFormat::PwgRaster => {
            out.extend(PWG_MARK);
            (0..pages).for_each(|_| out.extend(pwg_page(colour, 300, 7, 1)));
        }
        DocumentFormat::Jpeg => {
            out.extend([0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc0, 0, 17, 8, 0, 1, 0, 1]);
            out.push(if colour { 3 } else { 1 });
            out.extend([0; 9]);
        }
        DocumentFormat::Pdf => out.extend(b"%PDF-1.4\n"),
    }
    out
}

fn count(format: DocumentFormat, chunks: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Count, Mismatch> {
    let mut counter = Counter::new(format);
    for chunk in chunks {
        counter.push(chunk.as_ref())?;
    }
    Ok(counter.finish())
}

#[test]
fn rasters_are_counted_by_their_page_headers() {
    for format in BOTH {
        for (pages, colour) in [(1, false), (3, true), (20, false)] {
            let document = document(format, pages, colour);
            assert_eq!(sniff(&document), Some(format));
            let expected = Count { pages: Some(pages), colour: Some(colour) };
            assert_eq!(count(format, [&document]), Ok(expected));
            assert_eq!(count(format, document.chunks(1)), Ok(expected));
            assert_eq!(count(format, document.chunks(31)), Ok(expected));
        }
    }
}

#[test]
fn copies_in_a_page_header_are_pages() {
    let mut document = PWG_MARK.to_vec();
    document.extend(pwg_page(false, 10, 2, 50));
    assert_eq!(count(DocumentFormat::PwgRaster, [&document]).map(|count| count.pages), Ok(Some(50)));
}

#[test]
fn a_document_that_stops_early_has_no_count() {
    for format in BOTH {
        let document = document(format, 2, false);
        assert_eq!(count(format, [&document[..document.len() - 1]]), Ok(Count::default()));
        assert_eq!(count(format, [&document[..6]]), Ok(Count::default()));
    }
    let jpeg = document(DocumentFormat::Jpeg, 1, true);
    assert_eq!(count(DocumentFormat::Jpeg, [&jpeg[..17]]), Ok(Count::default()));
}

#[test]
fn a_line_that_runs_over_is_refused() {
    let mut document = PWG_MARK.to_vec();
    let mut page = pwg_page(false, 300, 7, 1);
    page.truncate(1_796);
    page.extend([0, 127, 0, 127, 0, 127, 0]); // 384 pixels in a line of 300
    document.extend(page);
    assert_eq!(count(DocumentFormat::PwgRaster, [&document]), Err(Mismatch::Corrupt));
}

#[test]
fn jpegs_are_one_page_in_colour_by_components() {
    for colour in [true, false] {
        let document = document(DocumentFormat::Jpeg, 1, colour);
        let expected = Count { pages: Some(1), colour: Some(colour) };
        assert_eq!(count(DocumentFormat::Jpeg, [&document]), Ok(expected));
        assert_eq!(count(DocumentFormat::Jpeg, document.chunks(1)), Ok(expected));
    }
}

#[test]
fn a_document_must_be_what_it_is_said_to_be_from_its_first_byte() {
    for said in DocumentFormat::ALL {
        for is in DocumentFormat::ALL.iter().filter(|is| *is != said) {
            let document = document(*is, 1, false);
            assert_eq!(count(*said, [&document]), Err(Mismatch::NotThisFormat));
        }
        let mut prefixed = b"\x1b%-12345X@PJL SET COPIES=100\n".to_vec();
        prefixed.extend(document(*said, 1, false));
        assert_eq!(count(*said, [&prefixed]), Err(Mismatch::NotThisFormat));
        assert_eq!(sniff(&prefixed), None);
    }
}

/// A PDF with a correct cross-reference table.
fn write_pdf(objects: &[String]) -> Vec<u8> {
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        offsets.push(out.len());
        out.extend(format!("{} 0 obj\n{object}\nendobj\n", number + 1).bytes());
    }
    let start = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for offset in offsets {
        out.extend(format!("{offset:010} 00000 n \n").bytes());
    }
    out.extend(format!("trailer\n<</Size {}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1).bytes());
    out
}

fn flat(pages: usize, claimed: u64) -> Vec<u8> {
    let kids: String = (0..pages).map(|i| format!("{} 0 R ", i + 3)).collect();
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        format!("<</Type/Pages/Kids[{kids}]/Count {claimed}/MediaBox[0 0 595 842]>>"),
    ];
    objects.extend((0..pages).map(|_| "<</Type/Page/Parent 2 0 R>>".to_owned()));
    write_pdf(&objects)
}

fn pages_of(document: Vec<u8>) -> Result<u32, &'static str> {
    pdf::count(document).map(|count| count.pages.expect("a count")).map_err(pdf::Uncounted::code)
}

#[test]
fn a_pdf_is_counted_by_its_leaves_not_by_its_claim() {
    assert_eq!(pages_of(flat(20, 20)), Ok(20));
    assert_eq!(pages_of(flat(1, 9_999_999_999)), Ok(1));
    assert_eq!(pages_of(flat(7, 0)), Ok(7));
}

#[test]
fn a_page_that_stands_in_the_tree_twice_is_printed_twice() {
    let objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R 3 0 R 3 0 R]/Count 3/MediaBox[0 0 595 842]>>",
        "<</Type/Page/Parent 2 0 R>>",
    ];
    assert_eq!(pages_of(write_pdf(&objects.map(str::to_owned))), Ok(3));
}

#[test]
fn a_page_tree_that_bites_its_tail_or_doubles_without_end_is_left_uncounted_or_ends() {
    let looped = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R 2 0 R]/Count 1/MediaBox[0 0 595 842]>>",
        "<</Type/Pages/Parent 2 0 R/Kids[2 0 R 4 0 R]>>",
        "<</Type/Page/Parent 3 0 R>>",
    ];
    assert_eq!(pages_of(write_pdf(&looped.map(str::to_owned))), Ok(1));

    let mut doubling = vec!["<</Type/Catalog/Pages 2 0 R>>".to_owned()];
    doubling.extend((2..42).map(|i| format!("<</Type/Pages/Kids[{0} 0 R {0} 0 R]>>", i + 1)));
    doubling.push("<</Type/Page>>".to_owned());
    assert_eq!(pages_of(write_pdf(&doubling)), Err("too-many-pages"));
}

#[test]
fn garbage_is_not_counted() {
    assert_eq!(pages_of(b"hello".to_vec()), Err("not-pdf"));
    assert_eq!(pages_of(b"%PDF-1.7\nnothing here".to_vec()), Err("unreadable"));
    assert_eq!(pages_of(flat(0, 3)), Err("empty"));
}

proptest! {
    #[test]
    fn pieces_count_like_the_whole(cuts in proptest::collection::vec(1_usize..700, 1..20), pages in 1_u32..4, colour: bool) {
        for format in BOTH {
            let document = document(format, pages, colour);
            let mut rest = document.as_slice();
            let mut counter = Counter::new(format);
            for cut in cuts.iter().cycle() {
                let (piece, behind) = rest.split_at((*cut).min(rest.len()));
                counter.push(piece).expect("well formed");
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(counter.finish(), Count { pages: Some(pages), colour: Some(colour) });
        }
    }

    #[test]
    fn nothing_panics(format_index in 0_usize..4, at in any::<prop::sample::Index>(), octet: u8, tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        let format = DocumentFormat::ALL[format_index];
        let mut document = document(format, 2, true);
        let at = at.index(document.len());
        document[at] = octet;
        document.extend(&tail);
        let whole = count(format, [&document]);
        let pieces = count(format, document.chunks(5));
        prop_assert_eq!(whole, pieces);
        let _ = pdf::count([b"%PDF-1.4\n".as_slice(), &tail].concat());
    }
}
