//! How TLS messages travel in EAP packets: the flags byte, the length, fragments and their acknowledgements (RFC 5216 2.1.5
//! and 3.1, taken over by TTLS and PEAP). It looks into no TLS byte.

use super::packet::MESSAGE_HEADER_BYTES;

/// Largest TLS message that we put together: the limit of hostapd, and far above any certificate chain a peer could send.
pub const MESSAGE_MAX_BYTES: usize = 64 * 1024;
/// Smallest EAP packet size that we let a setting or a Framed-MTU ask for: below, a login cannot end within the rounds.
pub const FRAGMENT_MIN_BYTES: usize = 100;
/// Largest EAP packet that we send: with the other attributes it must fit a RADIUS packet of 4096 bytes (RFC 2865 3).
pub const FRAGMENT_MAX_BYTES: usize = 3_800;

const FLAG_LENGTH: u8 = 0x80;
const FLAG_MORE: u8 = 0x40;
const FLAG_START: u8 = 0x20;
const VERSION_MASK: u8 = 0x07;

/// The flags byte of the first Request: Start, version 0, and no length (some peers refuse one here).
pub(super) const START: [u8; 1] = [FLAG_START];
/// An acknowledgement of a fragment, or a turn handed over with nothing to say: no flags, no data.
pub(super) const ACKNOWLEDGEMENT: [u8; 1] = [0];

/// The type-data of a TLS-based EAP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsData<'a> {
    pub start: bool,
    pub more: bool,
    /// TLS Message Length: of the whole message, not of this fragment.
    pub message_length: Option<u32>,
    pub version: u8,
    pub data: &'a [u8],
}

/// How a peer can get fragments wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsDataError {
    NoFlags,
    LengthTruncated,
    StartFromPeer,
    MessageTooLong,
    FirstFragmentWithoutLength,
    LengthChanged,
    LengthExceeded,
    LengthNotReached,
    EmptyFragment,
    NoAcknowledgement,
}

impl TlsDataError {
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::NoFlags => "a packet without the flags byte",
            Self::LengthTruncated => "a TLS length that is cut off",
            Self::StartFromPeer => "the Start flag from a peer",
            Self::MessageTooLong => "a TLS message of more than 64 KiB",
            Self::FirstFragmentWithoutLength => "a first fragment without its length",
            Self::LengthChanged => "fragments that disagree about the length of their message",
            Self::LengthExceeded => "more data than the TLS length announced",
            Self::LengthNotReached => "less data than the TLS length announced",
            Self::EmptyFragment => "a fragment without data",
            Self::NoAcknowledgement => "data where a fragment was to be acknowledged",
        }
    }
}

impl<'a> TlsData<'a> {
    pub fn decode(type_data: &'a [u8]) -> Result<Self, TlsDataError> {
        let (&flags, rest) = type_data.split_first().ok_or(TlsDataError::NoFlags)?;
        let (message_length, data) = if flags & FLAG_LENGTH == 0 {
            (None, rest)
        } else {
            let (length, data) = rest.split_first_chunk::<4>().ok_or(TlsDataError::LengthTruncated)?;
            (Some(u32::from_be_bytes(*length)), data)
        };
        Ok(Self {
            start: flags & FLAG_START != 0,
            more: flags & FLAG_MORE != 0,
            message_length,
            version: flags & VERSION_MASK,
            data,
        })
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut flags = self.version & VERSION_MASK;
        flags |= if self.start { FLAG_START } else { 0 };
        flags |= if self.more { FLAG_MORE } else { 0 };
        let mut out = Vec::with_capacity(5 + self.data.len());
        match self.message_length {
            Some(length) => {
                out.push(flags | FLAG_LENGTH);
                out.extend_from_slice(&length.to_be_bytes());
            }
            None => out.push(flags),
        }
        out.extend_from_slice(self.data);
        out
    }

    /// An empty packet without flags: the acknowledgement of a fragment.
    #[must_use]
    pub const fn is_acknowledgement(&self) -> bool {
        self.data.is_empty() && !self.more && !self.start
    }
}

/// A TLS message on its way in. Peers may announce the length on every fragment; it must then be the same.
#[derive(Debug, Default)]
pub enum Reassembly {
    #[default]
    Empty,
    /// Grows with each fragment; never beyond `length`.
    Partial { length: usize, bytes: Vec<u8> },
}

impl Reassembly {
    /// Takes one fragment; gives the message when it was the last. After an error nothing is kept.
    pub fn push(&mut self, fragment: &TlsData<'_>) -> Result<Option<Vec<u8>>, TlsDataError> {
        let begun = std::mem::take(self);
        if fragment.start {
            return Err(TlsDataError::StartFromPeer);
        }
        let announced = fragment.message_length.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced.is_some_and(|length| length > MESSAGE_MAX_BYTES) {
            return Err(TlsDataError::MessageTooLong);
        }
        if fragment.more && fragment.data.is_empty() {
            return Err(TlsDataError::EmptyFragment);
        }
        let (length, mut bytes) = match begun {
            Self::Empty if fragment.more => (announced.ok_or(TlsDataError::FirstFragmentWithoutLength)?, Vec::new()),
            Self::Empty => (announced.unwrap_or(fragment.data.len()), Vec::new()),
            Self::Partial { length, bytes } => (length, bytes),
        };
        if announced.is_some_and(|announced| announced != length) {
            return Err(TlsDataError::LengthChanged);
        }
        bytes.reserve_exact(fragment.data.len()); // what is held is what was sent: a vector that doubles would hold twice that
        bytes.extend_from_slice(fragment.data);
        match (bytes.len().cmp(&length), fragment.more) {
            (std::cmp::Ordering::Greater, _) => Err(TlsDataError::LengthExceeded),
            (std::cmp::Ordering::Less, true) => {
                *self = Self::Partial { length, bytes };
                Ok(None)
            }
            (std::cmp::Ordering::Less, false) => Err(TlsDataError::LengthNotReached),
            // "More" on the fragment that completes the message: another fragment could only be too much.
            (std::cmp::Ordering::Equal, true) => Err(TlsDataError::LengthExceeded),
            (std::cmp::Ordering::Equal, false) => Ok(Some(bytes)),
        }
    }

    /// Octets of a message that has begun and not ended.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Partial { bytes, .. } => bytes.len(),
        }
    }

    /// Whether a message has begun and not ended.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        matches!(self, Self::Partial { .. })
    }
}

/// A TLS message on its way out, cut into EAP packets of at most `packet_max_bytes`.
#[derive(Debug)]
pub struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
    packet_max_bytes: usize,
}

impl Outgoing {
    /// `packet_max_bytes` counts the whole EAP packet and is kept between `FRAGMENT_MIN_BYTES` and what RADIUS can carry.
    #[must_use]
    pub fn new(bytes: Vec<u8>, packet_max_bytes: usize) -> Self {
        Self { bytes, sent: 0, packet_max_bytes: packet_max_bytes.clamp(FRAGMENT_MIN_BYTES, FRAGMENT_MAX_BYTES) }
    }

    /// The type-data of the next packet. L and the length stand on the first of several fragments and nowhere else.
    pub fn next_fragment(&mut self) -> Option<Vec<u8>> {
        let left = self.bytes.get(self.sent..).filter(|left| !left.is_empty())?;
        let room = self.packet_max_bytes - MESSAGE_HEADER_BYTES - 1;
        let fragmented = self.sent > 0 || left.len() > room;
        let first = fragmented && self.sent == 0;
        let message_length = first.then(|| u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        let take = left.len().min(if first { room - 4 } else { room });
        let fragment =
            TlsData { start: false, more: take < left.len(), message_length, version: 0, data: &left[..take] }.encode();
        self.sent += take;
        Some(fragment)
    }

    /// Whether fragments are left that the peer must ask for by an acknowledgement.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.sent < self.bytes.len()
    }
}
