//! Any bytes at the IPP port, and any answer of a printer: decoding never panics and keeps its bounds; a client's message is
//! framed where it is read, whatever pieces it comes in, and is written back as it was read.

use proto::ipp::operation::parse;
use proto::ipp::upstream::{PrinterStatus, UpstreamJobStatus};
use proto::ipp::{Capabilities, Compression, HEAD_MAX_BYTES, HeadDecoder, Malformed, Message, Peer, Progress, decode};

pub fn run(data: &[u8]) {
    let whole = framed(data, data.len().max(1));
    assert_eq!(whole, framed(data, 7));
    if let Ok(Some((message, end))) = whole {
        assert!(end <= data.len() && end <= HEAD_MAX_BYTES);
        assert_eq!(decode(&data[..end], Peer::Client).as_ref(), Ok(&message));
        assert_eq!(decode(&message.encode(), Peer::Client).as_ref(), Ok(&message));
        let _ = parse(&message, &Capabilities::default(), &[Compression::None]);
    }
    if let Ok(answer) = decode(data, Peer::Printer) {
        let _ = Capabilities::from_printer(&answer);
        let _ = UpstreamJobStatus::all(&answer);
        let _ = PrinterStatus::read(&answer);
        let _ = decode(&answer.encode(), Peer::Printer).expect("an answer written again is an answer");
    }
}

fn framed(data: &[u8], piece: usize) -> Result<Option<(Message, usize)>, Malformed> {
    let mut decoder = HeadDecoder::new(Peer::Client);
    let mut before = 0;
    for bytes in data.chunks(piece) {
        match decoder.push(bytes)? {
            Progress::NeedMore => before += bytes.len(),
            Progress::Done { message, consumed } => return Ok(Some((message, before + consumed))),
        }
    }
    Ok(None)
}
