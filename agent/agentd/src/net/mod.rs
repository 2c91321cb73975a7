//! The datagram and device listeners: bytes to engine inputs, engine outputs to bytes.

pub mod mqtt;
pub mod radius;
mod radsec;
