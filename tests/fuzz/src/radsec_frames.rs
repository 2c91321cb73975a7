//! Any stream at the RadSec port: packets are cut out of it the same way whatever pieces it comes in, they are the stream and
//! nothing else, and a length that no packet has ends it. The first octet says how it is cut.

use proto::radius::radsec::{Frames, InvalidLength};
use proto::radius::{HEADER_BYTES, PACKET_MAX_BYTES, Packet};

/// What came out of a stream: its packets, how it ended, and whether a packet was left unfinished.
type Followed = (Vec<Vec<u8>>, Result<(), InvalidLength>, bool);

pub fn run(data: &[u8]) {
    let Some((&head, stream)) = data.split_first() else { return };
    let (packets, end, is_partial) = follow(stream, stream.len().max(1));
    assert_eq!((packets.clone(), end, is_partial), follow(stream, usize::from(head) + 1));
    let whole = packets.concat();
    assert!(stream.starts_with(&whole));
    let left = &stream[whole.len()..];
    match end {
        Ok(()) => assert_eq!(is_partial, !left.is_empty()),
        Err(InvalidLength(said)) => {
            assert_eq!(left[2..4], said.to_be_bytes());
            assert!(!(HEADER_BYTES..=PACKET_MAX_BYTES).contains(&usize::from(said)));
        }
    }
    for packet in packets {
        assert!((HEADER_BYTES..=PACKET_MAX_BYTES).contains(&packet.len()));
        if let Ok(decoded) = Packet::decode(&packet) {
            assert_eq!(decoded.bytes(), packet, "a frame is a packet without padding");
        }
    }
}

fn follow(stream: &[u8], piece: usize) -> Followed {
    let (mut frames, mut packets) = (Frames::default(), Vec::new());
    let end = stream.chunks(piece).try_for_each(|bytes| frames.push(bytes, |packet| packets.push(packet)));
    (packets, end, frames.is_partial())
}
