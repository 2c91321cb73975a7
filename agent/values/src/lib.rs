//! The few words that every crate shares: points in time, ids, secrets, personal data, entropy.
//!
//! This crate refuses to know anything about members, protocols or sockets, and it never reads a clock or a random
//! source: both arrive as arguments.

mod entropy;
mod id;
mod mac;
mod secret;
mod time;

pub use entropy::{Entropy, SeededEntropy};
pub use id::*;
pub use mac::MacAddress;
pub use secret::{Pii, Secret};
pub use time::{Mono, Now, Timestamp, Wall};
