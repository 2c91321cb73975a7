//! JPEG (ITU T.81 annex B): one page, in colour when its frame has more than one component. Only the segments before the
//! frame header are followed.

use super::{Count, JPEG_MARK, Mismatch};

/// Bytes of a frame header up to the number of components: precision, height, width, components.
const FRAME_BYTES: usize = 6;

#[derive(Debug)]
enum State {
    /// Within the start-of-image marker.
    Start(usize),
    /// A marker is due: 0xff, fill bytes, code.
    Marker {
        prefixed: bool,
    },
    Length {
        code: u8,
        high: Option<u8>,
    },
    /// Content of a segment that is not the frame header.
    Skip(usize),
    Frame {
        seen: usize,
        left: usize,
    },
    Done {
        components: u8,
    },
}

#[derive(Debug)]
pub struct Jpeg {
    state: State,
}

impl Jpeg {
    pub(super) const fn new() -> Self {
        Self { state: State::Start(0) }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Mismatch> {
        let mut at = 0;
        while at < bytes.len() {
            match self.state {
                State::Done { .. } => return Ok(()),
                State::Skip(left) => {
                    let skipped = left.min(bytes.len() - at);
                    at += skipped;
                    self.state =
                        if skipped < left { State::Skip(left - skipped) } else { State::Marker { prefixed: false } };
                }
                State::Start(_) | State::Marker { .. } | State::Length { .. } | State::Frame { .. } => {
                    self.step(bytes[at])?;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    fn step(&mut self, octet: u8) -> Result<(), Mismatch> {
        self.state = match self.state {
            State::Start(seen) => {
                // The third byte of the mark is the first of the next marker.
                if JPEG_MARK[seen] != octet {
                    return Err(Mismatch::NotThisFormat);
                }
                if seen + 1 < JPEG_MARK.len() { State::Start(seen + 1) } else { State::Marker { prefixed: true } }
            }
            State::Marker { prefixed: false } if octet == 0xff => State::Marker { prefixed: true },
            State::Marker { prefixed: false } => return Err(Mismatch::Corrupt),
            State::Marker { prefixed: true } => match octet {
                0xff => State::Marker { prefixed: true },
                // Stand-alone markers: TEM and restarts.
                0x01 | 0xd0..=0xd7 => State::Marker { prefixed: false },
                // Start of scan or end of image before any frame.
                0x00 | 0xd8..=0xda => return Err(Mismatch::Corrupt),
                code => State::Length { code, high: None },
            },
            State::Length { code, high: None } => State::Length { code, high: Some(octet) },
            State::Length { code, high: Some(high) } => segment(code, u16::from_be_bytes([high, octet]))?,
            State::Frame { seen, left } if seen + 1 < FRAME_BYTES && left > 1 => {
                State::Frame { seen: seen + 1, left: left - 1 }
            }
            State::Frame { seen, .. } if seen + 1 == FRAME_BYTES && matches!(octet, 1..=4) => {
                State::Done { components: octet }
            }
            State::Frame { .. } => return Err(Mismatch::Corrupt),
            State::Skip(left) => State::Skip(left),
            State::Done { components } => State::Done { components },
        };
        Ok(())
    }

    pub(super) const fn finish(self) -> Count {
        match self.state {
            State::Done { components } => Count { pages: Some(1), colour: Some(components > 1) },
            State::Start(_) | State::Marker { .. } | State::Length { .. } | State::Skip(_) | State::Frame { .. } => {
                Count { pages: None, colour: None }
            }
        }
    }
}

fn segment(code: u8, length: u16) -> Result<State, Mismatch> {
    let content = usize::from(length).checked_sub(2).ok_or(Mismatch::Corrupt)?;
    Ok(match code {
        // SOF0 to SOF15; C4, C8 and CC are Huffman tables, an extension and arithmetic conditioning.
        0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf if content >= FRAME_BYTES => {
            State::Frame { seen: 0, left: content }
        }
        0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => return Err(Mismatch::Corrupt),
        _ if content == 0 => State::Marker { prefixed: false },
        _ => State::Skip(content),
    })
}
