//! IPP (RFC 8010, RFC 8011, PWG 5100.12 and 5100.14): bytes to messages and back, and what a queue answers.
//!
//! Owns: the wire form ([`HeadDecoder`], [`decode`], [`Message::encode`]), the closed set of operations a queue takes
//! ([`operation`]), the attributes it shows ([`printer`], [`job`]) and the requests it sends to the printer behind it
//! ([`upstream`]). Refuses to know: members, quotas, sockets, HTTP. A document never passes through here: decoding
//! stops at the end-of-attributes tag and says how many bytes it took.
//!
//! ```text
//! bytes -> HeadDecoder -> Message -> operation::parse -> Request | Refusal
//!                                    engine decides
//! bytes <- Message::encode <- Message <- printer::printer_attributes, job::job_attributes, Refusal::response
//! ```

mod capability;
mod code;
mod decode;
mod encode;
pub mod job;
mod limits;
mod media;
mod model;
pub mod operation;
pub mod printer;
mod requested;
mod ticket;
pub mod upstream;

pub use capability::{COPIES_MAX, Capabilities, Compression, DocumentFormat};

pub use code::{JobState, OperationId, PrinterState, StatusCode};
pub use decode::{HeadDecoder, Header, Malformed, Peer, Progress, decode};
pub use limits::*;
pub use media::{Media, MediaSize};
pub use model::{Attribute, Collection, DateTime, Group, GroupTag, Localized, Message, OutOfBand, Str, Value, Version};
pub use requested::{Class, Requested};
pub use ticket::{Collation, ColorMode, HoldUntil, PageRange, Scaling, Sides, Ticket};

/// Text from a peer made fit to show: no control characters, trimmed, at most `max_bytes` long.
#[must_use]
pub fn clean(text: &str, max_bytes: usize) -> String {
    let cleaned: String = text.trim().chars().filter(|character| !character.is_control()).collect();
    encode::cut(&cleaned, max_bytes).to_owned()
}

#[cfg(test)]
mod tests;
