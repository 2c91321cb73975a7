//! Protocol machines, sans-IO: bytes to messages and back, and the state machines in between. No socket, file, clock,
//! thread or random source; no knowledge of members or policy.

pub mod count;
pub mod eap;
pub mod ipp;
pub mod mqtt;
pub mod radius;
pub mod wpa;
