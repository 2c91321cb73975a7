//! RADIUS over a stream (RFC 6613; RFC 6614): bytes as they come, cut into packets by their Length fields.
//!
//! Owns where one packet ends and the next begins, and refuses to know the TLS around it, what is inside a packet, and how
//! long somebody may take over one: [`Frames::is_partial`] lets whoever reads put a time to that. A Length that no packet has
//! leaves nobody knowing where the next begins, so the stream is over with it (RFC 6613, 2.6.4).

use super::{HEADER_BYTES, PACKET_MAX_BYTES};
use std::fmt;

/// The shared secret of all RADIUS/TLS (RFC 6614, 2.3): TLS protects, and the sums of RADIUS are made with something.
pub const SECRET: &[u8] = b"radsec";
/// RADIUS as it is, in TLS; `radius/1.1` is RFC 9765 without the sums, which this box does not speak.
pub const ALPN: &[u8] = b"radius/1.0";
/// Code, Identifier and Length: as much as it takes to know how long a packet is.
const LENGTH_END: usize = 4;

/// A Length field below 20 or above 4,096.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLength(pub u16);

impl fmt::Display for InvalidLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a packet that says it has {} octets; it can have {HEADER_BYTES} to {PACKET_MAX_BYTES}", self.0)
    }
}

impl std::error::Error for InvalidLength {}

/// Cuts a stream into packets. It holds less than one packet between two calls, so never more than 4,095 octets.
#[derive(Debug, Default)]
pub struct Frames {
    partial: Vec<u8>,
}

impl Frames {
    /// Takes what came and gives every packet that is whole with it. After an error it gives nothing more.
    ///
    /// # Errors
    /// The stream cannot be followed any further; the packets before that were given to `packet`.
    pub fn push(&mut self, mut bytes: &[u8], mut packet: impl FnMut(Vec<u8>)) -> Result<(), InvalidLength> {
        while !bytes.is_empty() {
            let wanted = self.wanted()?;
            let (taken, rest) = bytes.split_at(wanted.min(bytes.len()));
            self.partial.extend_from_slice(taken);
            bytes = rest;
            if self.length()?.is_some_and(|length| self.partial.len() == length) {
                packet(std::mem::take(&mut self.partial));
            }
        }
        Ok(())
    }

    /// Whether a packet has begun and not ended.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Octets that are missing until the length is known, or until the packet is whole.
    fn wanted(&self) -> Result<usize, InvalidLength> {
        Ok(self.length()?.unwrap_or(LENGTH_END) - self.partial.len())
    }

    /// How long the packet is that has begun, once that is known.
    fn length(&self) -> Result<Option<usize>, InvalidLength> {
        let [_, _, high, low, ..] = self.partial.as_slice() else { return Ok(None) };
        let said = u16::from_be_bytes([*high, *low]);
        let length = usize::from(said);
        if (HEADER_BYTES..=PACKET_MAX_BYTES).contains(&length) { Ok(Some(length)) } else { Err(InvalidLength(said)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet of this length whose octets tell it from others.
    fn packet(length: u16, mark: u8) -> Vec<u8> {
        let mut bytes = vec![mark; usize::from(length)];
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    fn cut(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, Result<(), InvalidLength>, bool) {
        let (mut frames, mut packets) = (Frames::default(), Vec::new());
        let result = stream.chunks(piece).try_for_each(|bytes| frames.push(bytes, |packet| packets.push(packet)));
        (packets, result, frames.is_partial())
    }

    #[test]
    fn packets_are_found_whatever_pieces_they_come_in() {
        let packets = [packet(20, 1), packet(4_096, 2), packet(21, 3), packet(1_200, 4)];
        let stream = packets.concat();
        for piece in [1, 3, 19, 20, 21, 4_095, 4_096, 4_097, stream.len()] {
            assert_eq!(cut(&stream, piece), (packets.to_vec(), Ok(()), false), "pieces of {piece}");
        }
    }

    #[test]
    fn a_packet_that_ends_early_is_waited_for() {
        let stream = [packet(20, 1), packet(300, 2)].concat();
        for length in 21..stream.len() {
            assert_eq!(cut(&stream[..length], 7), (vec![packet(20, 1)], Ok(()), true), "{length} octets");
        }
    }

    #[test]
    fn a_length_that_no_packet_has_ends_the_stream() {
        for said in [0, 1, 19, 4_097, u16::MAX] {
            let mut wrong = packet(20, 2);
            wrong[2..4].copy_from_slice(&said.to_be_bytes());
            let stream = [packet(20, 1), wrong, packet(20, 3)].concat();
            for piece in [1, 20, stream.len()] {
                assert_eq!(
                    cut(&stream, piece),
                    (vec![packet(20, 1)], Err(InvalidLength(said)), true),
                    "{said}, {piece}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_held_beyond_one_packet() {
        let mut frames = Frames::default();
        let whole = packet(4_096, 1);
        frames.push(&whole[..4_095], |_| panic!("it is not whole")).expect("a length that packets have");
        assert_eq!(frames.partial.len(), 4_095);
        frames.push(&[[1].as_slice(), &packet(20, 2)[..19]].concat(), drop).expect("good lengths");
        assert_eq!(frames.partial.len(), 19);
    }
}
