//! One opening of one door, from the granted question to the relay that is off again.
//!
//! ```text
//!             the intent on disk, or 50 ms        handed to an empty        same id, in time
//!             + an answer to the probe            TLS buffer in time
//! Preparing ------------------------> Commanded ---------------> Awaiting ----------> Releasing --output off--> Verified
//!     | relay gone, silent (1 s)          | too late                 | no: Failed          | nothing heard: stays
//!     v                                   v                          | silence, gone:      | acknowledged, warned about
//!  Failed, nothing was sent            Expired, nothing was sent     v Unknown
//! ```
//!
//! What keeps it at one pulse or none: the command is made once, in the step from Preparing to Commanded, and nothing leads
//! back there; it is absolute and timed by the device; it carries the connection it is meant for and the moment after which
//! it must not leave; and when nobody can say what became of it, the connection is reset, which kills what still lies in
//! its buffers. Nothing is ever sent again. A person who wants to try again is a new opening.
//!
//! The probe exists because QoS 0 cannot tell a live link from a stalled one: an answer to a harmless question, asked just
//! before, can. The best answer is the call's own result. A PUBACK of the probe, from a client that subscribed with QoS 1,
//! proves the link too; after [`PROBE_PREFERRED_MS`] without a result it is enough.

use super::shelly::{CallId, Reply};
use super::{Epoch, SendId};
use std::num::NonZeroU16;
use std::time::Duration;
use values::Mono;

/// The intent goes to the disk beside the probe; a slow disk keeps nobody out (DESIGN 6).
pub const INTENT_LIMIT_MS: u64 = 50;
/// A healthy relay answers in 10 to 60 ms; after this a bare PUBACK will do.
pub const PROBE_PREFERRED_MS: u64 = 300;
/// A relay that is silent for this long is not trusted with a command.
pub const PROBE_LIMIT_MS: u64 = 1_000;
/// How old a command may be when it leaves: the link has just answered, so a buffer that does not drain is a new stall.
pub const COMMAND_LIMIT_MS: u64 = 500;
/// The shell says Written or Expired at once after that; this much later it has failed us.
const HAND_OVER_GRACE_MS: u64 = 1_000;
/// From the command's leaving to the relay's answer.
pub const ACK_LIMIT_MS: u64 = 2_000;
/// A second badge this soon after the relay's yes, and in the first half of the pulse, finds the strike released and joins.
pub const JOIN_MS: u64 = 1_000;
/// The relay reports its flip back by itself; if not, it is asked this long after the pulse.
const RELEASE_GRACE_MS: u64 = 500;
/// How long it may take to answer that.
const RELEASE_LIMIT_MS: u64 = 1_500;

/// What happens to an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Logged {
        ok: bool,
    },
    Answered {
        call: CallId,
        reply: Reply,
    },
    /// PUBACK.
    Taken {
        packet: NonZeroU16,
    },
    Written {
        send: SendId,
    },
    Expired {
        send: SendId,
    },
    /// The relay says by itself whether its output is on.
    Output {
        on: bool,
    },
    LinkLost,
    TimerFired,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Wait,
    /// Everything is ready: look at the grants once more, then [`Opening::commanded`].
    Command,
    /// The command has left.
    Sent,
    /// Over, and the door did not open.
    Failed(Failure),
    /// Over. Nobody can say; the connection is reset.
    Unknown,
    /// The relay said yes. The opening lives on until its end is seen.
    Opened,
    /// Over: the output is off again.
    Verified,
    /// Ask the relay whether its output is off, with [`Opening::check_call`].
    Check,
    /// Over; the door was opened and the relay did not show that it locked again.
    Unverified {
        stuck: bool,
    },
}

/// Why nothing was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection went before the command.
    Absent,
    /// No answer to the probe.
    Silent,
    /// The command became too old before it could leave.
    Late,
    /// The relay said no.
    Refused,
}

/// See the file's head.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// The connection that everything of this opening belongs to.
    pub epoch: Epoch,
    pub pulse_ms: u32,
    /// Of the command; the probe and the check take the ones after it.
    call: CallId,
    stage: Stage,
    before: Before,
}

/// What the output was before the command: on by somebody else's will, it is not ours to switch off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Off,
    On,
    /// A pulse of ours may be running: what the probe says about the output means nothing.
    Ours,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Preparing { intent: Intent, probe: Probe, started: Mono },
    Commanded { send: SendId, guard: Mono },
    Awaiting { due: Mono },
    Releasing { acknowledged: Mono, check: Check },
}

/// Whether the intent is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    Pending,
    Safe,
    /// The disk failed or was slow. The door opens all the same, and the caller says that a row is missing.
    Gap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    Asked { packet: Option<NonZeroU16> },
    Taken,
    Answered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    NotYet,
    Asked { due: Mono },
}

impl Opening {
    /// An opening whose probe and intent have just been handed out. `follows` says that the pulse of another one may still
    /// be running.
    #[must_use]
    pub const fn new(
        epoch: Epoch,
        call: CallId,
        pulse_ms: u32,
        packet: Option<NonZeroU16>,
        follows: bool,
        now: Mono,
    ) -> Self {
        let stage = Stage::Preparing { intent: Intent::Pending, probe: Probe::Asked { packet }, started: now };
        let before = if follows { Before::Ours } else { Before::Off };
        Self { epoch, pulse_ms, call, stage, before }
    }

    #[must_use]
    pub const fn command_call(&self) -> CallId {
        self.call
    }

    #[must_use]
    pub const fn probe_call(call: CallId) -> CallId {
        call.next()
    }

    #[must_use]
    pub const fn check_call(&self) -> CallId {
        self.call.next().next()
    }

    /// Whether one more grant may share this pulse.
    #[must_use]
    pub fn may_be_joined(&self, now: Mono) -> bool {
        match self.stage {
            Stage::Preparing { .. } | Stage::Commanded { .. } | Stage::Awaiting { .. } => true,
            Stage::Releasing { acknowledged, .. } => now < acknowledged + ms(JOIN_MS.min(u64::from(self.pulse_ms) / 2)),
        }
    }

    /// Whether a command was handed out and nobody has said what became of it.
    #[must_use]
    pub const fn is_in_the_air(&self) -> bool {
        matches!(self.stage, Stage::Commanded { .. } | Stage::Awaiting { .. })
    }

    /// Whether the relay has said yes.
    #[must_use]
    pub const fn is_acknowledged(&self) -> bool {
        matches!(self.stage, Stage::Releasing { .. })
    }

    /// Whether the command leaves without its intent being on the disk. Asked between `Step::Command` and `commanded`.
    #[must_use]
    pub const fn has_gap(&self) -> bool {
        matches!(self.stage, Stage::Preparing { intent: Intent::Gap, .. })
    }

    /// The command was handed out, to leave before `not_after`.
    #[must_use]
    pub fn commanded(self, send: SendId, not_after: Mono) -> Self {
        Self { stage: Stage::Commanded { send, guard: not_after + ms(HAND_OVER_GRACE_MS) }, ..self }
    }

    #[must_use]
    pub fn poll_timeout(&self) -> Mono {
        match self.stage {
            Stage::Preparing { intent, probe, started } => {
                let intent_due = (intent == Intent::Pending).then(|| started + ms(INTENT_LIMIT_MS));
                let probe_due = match probe {
                    Probe::Asked { .. } => started + ms(PROBE_LIMIT_MS),
                    Probe::Taken => started + ms(PROBE_PREFERRED_MS),
                    // Only the intent is awaited.
                    Probe::Answered => started + ms(INTENT_LIMIT_MS),
                };
                intent_due.map_or(probe_due, |due| due.min(probe_due))
            }
            Stage::Commanded { guard, .. } => guard,
            Stage::Awaiting { due } | Stage::Releasing { check: Check::Asked { due }, .. } => due,
            Stage::Releasing { acknowledged, check: Check::NotYet } => {
                self.pulse_end(acknowledged) + ms(RELEASE_GRACE_MS)
            }
        }
    }

    /// The next state, and what to do.
    #[must_use]
    pub fn handle(self, signal: Signal, now: Mono) -> (Self, Step) {
        match self.stage {
            Stage::Preparing { intent, probe, started } => self.prepare(intent, probe, started, signal, now),
            Stage::Commanded { send, guard } => self.hand_over(send, guard, signal, now),
            Stage::Awaiting { due } => self.await_answer(due, signal, now),
            Stage::Releasing { acknowledged, check } => self.release(acknowledged, check, signal, now),
        }
    }

    fn prepare(
        mut self,
        mut intent: Intent,
        mut probe: Probe,
        started: Mono,
        signal: Signal,
        now: Mono,
    ) -> (Self, Step) {
        match signal {
            Signal::Logged { ok } if intent == Intent::Pending => intent = if ok { Intent::Safe } else { Intent::Gap },
            Signal::Answered { call, reply } if call == Self::probe_call(self.call) => match reply {
                Reply::Done { output } => {
                    if output == Some(true) && self.before == Before::Off {
                        self.before = Before::On;
                    }
                    probe = Probe::Answered;
                }
                // It lives, and has no such output.
                Reply::Error => return (self, Step::Failed(Failure::Refused)),
            },
            Signal::Taken { packet } if probe == (Probe::Asked { packet: Some(packet) }) => probe = Probe::Taken,
            Signal::LinkLost => return (self, Step::Failed(Failure::Absent)),
            Signal::TimerFired => {
                if intent == Intent::Pending && now >= started + ms(INTENT_LIMIT_MS) {
                    intent = Intent::Gap;
                }
                if now >= started + ms(PROBE_LIMIT_MS) && matches!(probe, Probe::Asked { .. }) {
                    return (self, Step::Failed(Failure::Silent));
                }
            }
            Signal::Logged { .. }
            | Signal::Answered { .. }
            | Signal::Taken { .. }
            | Signal::Written { .. }
            | Signal::Expired { .. }
            | Signal::Output { .. } => {}
        }
        let is_live = match probe {
            Probe::Asked { .. } => false,
            Probe::Taken => now >= started + ms(PROBE_PREFERRED_MS),
            Probe::Answered => true,
        };
        let is_ready = is_live && intent != Intent::Pending;
        self.stage = Stage::Preparing { intent, probe, started };
        (self, if is_ready { Step::Command } else { Step::Wait })
    }

    fn hand_over(mut self, send: SendId, guard: Mono, signal: Signal, now: Mono) -> (Self, Step) {
        match signal {
            Signal::Written { send: written } if written == send => {
                self.stage = Stage::Awaiting { due: now + ms(ACK_LIMIT_MS) };
                (self, Step::Sent)
            }
            Signal::Expired { send: expired } if expired == send => (self, Step::Failed(Failure::Late)),
            // The answer can overtake the word that the question has left.
            Signal::Answered { call, reply } if call == self.call => self.answered(reply, now),
            Signal::LinkLost => (self, Step::Unknown),
            Signal::TimerFired if now >= guard => (self, Step::Unknown),
            Signal::Logged { .. }
            | Signal::Answered { .. }
            | Signal::Taken { .. }
            | Signal::Written { .. }
            | Signal::Expired { .. }
            | Signal::Output { .. }
            | Signal::TimerFired => (self, Step::Wait),
        }
    }

    fn await_answer(self, due: Mono, signal: Signal, now: Mono) -> (Self, Step) {
        match signal {
            Signal::Answered { call, reply } if call == self.call => self.answered(reply, now),
            Signal::LinkLost => (self, Step::Unknown),
            Signal::TimerFired if now >= due => (self, Step::Unknown),
            Signal::Logged { .. }
            | Signal::Answered { .. }
            | Signal::Taken { .. }
            | Signal::Written { .. }
            | Signal::Expired { .. }
            | Signal::Output { .. }
            | Signal::TimerFired => (self, Step::Wait),
        }
    }

    fn answered(mut self, reply: Reply, now: Mono) -> (Self, Step) {
        match reply {
            Reply::Done { .. } => {
                self.stage = Stage::Releasing { acknowledged: now, check: Check::NotYet };
                (self, Step::Opened)
            }
            Reply::Error => (self, Step::Failed(Failure::Refused)),
        }
    }

    fn release(mut self, acknowledged: Mono, check: Check, signal: Signal, now: Mono) -> (Self, Step) {
        // What the relay said before the pulse was half over may describe the time before it.
        let is_late = now >= acknowledged + ms(u64::from(self.pulse_ms) / 2);
        match signal {
            Signal::Output { on: false } if is_late => (self, Step::Verified),
            Signal::Answered { call, reply } if call == self.check_call() => match reply {
                Reply::Done { output: Some(false) } => (self, Step::Verified),
                Reply::Done { output: Some(true) } => (self, Step::Unverified { stuck: self.before != Before::On }),
                Reply::Done { output: None } | Reply::Error => (self, Step::Unverified { stuck: false }),
            },
            Signal::LinkLost => (self, Step::Unverified { stuck: false }),
            Signal::TimerFired => match check {
                Check::NotYet if now >= self.pulse_end(acknowledged) + ms(RELEASE_GRACE_MS) => {
                    self.stage =
                        Stage::Releasing { acknowledged, check: Check::Asked { due: now + ms(RELEASE_LIMIT_MS) } };
                    (self, Step::Check)
                }
                Check::Asked { due } if now >= due => (self, Step::Unverified { stuck: false }),
                Check::NotYet | Check::Asked { .. } => (self, Step::Wait),
            },
            Signal::Logged { .. }
            | Signal::Answered { .. }
            | Signal::Taken { .. }
            | Signal::Written { .. }
            | Signal::Expired { .. }
            | Signal::Output { .. } => (self, Step::Wait),
        }
    }

    fn pulse_end(&self, acknowledged: Mono) -> Mono {
        acknowledged + ms(u64::from(self.pulse_ms))
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
