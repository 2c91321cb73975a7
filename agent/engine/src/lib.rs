//! One engine per noun. An engine joins what the protocol says to what policy decides and owns the lifecycles in between:
//! sessions, timers, jobs, door intents. Each is one value owned by one task:
//!
//! ```text
//! loop { engine.handle(&mut cx, input);  while let Some(output) = engine.poll_output() { perform(output) } ; wait until engine.poll_timeout() }
//! ```
//!
//! Outputs are drained before the next input. Nothing here touches a socket, file, clock, thread or random source.

pub mod door;
pub mod print;
pub mod wifi;

use policy::Snapshot;
use std::sync::Arc;
use values::{Entropy, Now};

/// What every input is judged with: the newest snapshot, who is here, the moment, and randomness.
pub struct Context<'a> {
    pub snapshot: &'a Arc<Snapshot>,
    pub now: Now,
    pub entropy: &'a mut dyn Entropy,
}
