//! Any document that streams past a counter: no panic, and the same count whatever pieces it comes in. The first byte says
//! which format the document is said to have and how it is cut.

use proto::count::{Count, Counter, Mismatch, PAGES_MAX};
use proto::ipp::{COPIES_MAX, DocumentFormat};

pub fn run(data: &[u8]) {
    let Some((&choice, document)) = data.split_first() else { return };
    let format = DocumentFormat::ALL[usize::from(choice) % DocumentFormat::ALL.len()];
    let whole = counted(format, document, document.len().max(1));
    assert_eq!(whole, counted(format, document, usize::from(choice / 4) + 1));
    if let Ok(Count { pages: Some(pages), .. }) = whole {
        assert!((1..=PAGES_MAX + COPIES_MAX).contains(&pages));
    }
}

fn counted(format: DocumentFormat, document: &[u8], piece: usize) -> Result<Count, Mismatch> {
    let mut counter = Counter::new(format);
    for bytes in document.chunks(piece) {
        counter.push(bytes)?;
    }
    Ok(counter.finish())
}
