//! What a device says inside its tunnel, message by message: phase 2 never panics, ends, and lets nobody in who has not shown the right
//! key. The first byte chooses the method; then each message stands behind a length octet. The challenges are fixed, so that a
//! committed conversation that ends well goes on doing so.

use proto::eap::mschapv2::nt_hash;
use proto::eap::phase2::{Listening, Step};
use proto::eap::{MethodKind, Shown};
use values::Secret;

/// What the tunnel exports for MSCHAPv2 inside TTLS.
pub const IMPLICIT: [u8; 17] = *b"sixteen octets.!\x2A";
pub const ENTROPY: [u8; 32] = [7; 32];
pub const USERNAME: &str = "mara";
pub const PASSWORD: &str = "correct horse";
/// No conversation has more messages.
const MESSAGES_MAX: usize = 16;

/// How a conversation ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Accepted,
    Refused,
    /// The device has said all that the input holds.
    Waiting,
}

pub fn run(data: &[u8]) {
    let Some((&method, script)) = data.split_first() else { return };
    let kind = if method & 1 == 0 { MethodKind::Ttls } else { MethodKind::Peap };
    let _ = follow(kind, script, method & 2 != 0);
}

/// Plays a conversation; `allow` is policy's word.
pub fn follow(kind: MethodKind, mut script: &[u8], allow: bool) -> End {
    let mut was_right = false;
    let mut listening = Listening::new(kind, &Secret::new(ENTROPY)).expect("a method with something inside");
    for _ in 0..MESSAGES_MAX {
        let Some((&length, rest)) = script.split_first() else { return End::Waiting };
        let (message, rest) = rest.split_at(rest.len().min(usize::from(length)));
        script = rest;
        let mut step = listening.hear(message, &|| Ok(IMPLICIT));
        if let Step::Ask(asked) = step {
            // Somebody whom nobody knows has a key that nobody has.
            let key = if asked.username() == USERNAME { nt_hash(PASSWORD) } else { Secret::new([0xEE; 16]) };
            let proven = asked.credential(&key);
            was_right = proven.is_correct() && proven.shown() == Shown::Username(USERNAME.into());
            step = proven.verdict(allow);
        }
        listening = match step {
            Step::Say(next, plaintext) => {
                assert!(!plaintext.is_empty());
                next
            }
            Step::Listen(next) => next,
            Step::Accept { shown, inner } => {
                assert!(was_right && allow && inner.is_some());
                assert_eq!(shown, Shown::Username(USERNAME.into()));
                return End::Accepted;
            }
            Step::Refuse(why) => {
                assert!(why.sentence().ends_with('.'));
                return End::Refused;
            }
            Step::Ask(_) => unreachable!("it was answered"),
        };
    }
    End::Waiting
}
