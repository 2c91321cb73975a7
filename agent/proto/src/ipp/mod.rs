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

mod code;
mod decode;
mod encode;
mod limits;
mod model;

pub use code::{JobState, OperationId, PrinterState, StatusCode};
pub use decode::{HeadDecoder, Header, Malformed, Peer, Progress, decode};
pub use limits::*;
pub use model::{Attribute, Collection, DateTime, Group, GroupTag, Localized, Message, OutOfBand, Str, Value, Version};

#[cfg(test)]
mod tests;
