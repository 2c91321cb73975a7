//! This Linux box: its clocks, its randomness, its service manager, its sandbox. The only crate that may say `unsafe`.

pub mod clock;
pub mod disk;
pub mod entropy;
pub mod notify;
pub mod poll;
pub mod sandbox;
pub mod tcp;
pub mod udp;

pub use clock::Clock;
pub use entropy::OsEntropy;
