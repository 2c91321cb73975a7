//! Threads that do the TLS of logins and the long searches for passphrases: a conversation goes to one of them with its input and
//! comes back with its step. There is one a core, since the work is arithmetic and never waits.

use super::mailbox::{Return, Returned};
use engine::wifi::{Input, KeySearch};
use proto::eap::{EapConversation, EapInput};
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// What may wait at one worker: all logins that the engine has under way, and its few searches.
const QUEUE_MAX: usize = 4_096 + 64;

/// Something to work out.
pub(super) enum Work {
    /// One step of a login.
    Step { token: u64, conversation: Box<EapConversation>, input: EapInput },
    /// Whose passphrase a device has typed.
    Search { token: u64, search: KeySearch },
}

/// Which work it is; steps and searches have tokens of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ticket {
    Step(u64),
    Search(u64),
}

impl Work {
    /// Does it. A panic over one device's bytes must not take the other logins with it; the conversation is not used again.
    pub(super) fn compute(self) -> Input {
        match self {
            Self::Step { token, mut conversation, input } => {
                match catch_unwind(AssertUnwindSafe(|| conversation.handle(input))) {
                    Ok(step) => Input::Computed { token, conversation, step },
                    Err(_) => {
                        tracing::error!("a login's worker failed; the login is given up");
                        Input::ComputeLost { token }
                    }
                }
            }
            Self::Search { token, search } => match catch_unwind(AssertUnwindSafe(|| search.run())) {
                Ok(found) => Input::KeyFound { token, found },
                Err(_) => {
                    tracing::error!("the search for a passphrase failed and is given up");
                    Input::KeySearchLost { token }
                }
            },
        }
    }

    const fn ticket(&self) -> Ticket {
        match self {
            Self::Step { token, .. } => Ticket::Step(*token),
            Self::Search { token, .. } => Ticket::Search(*token),
        }
    }
}

pub(super) struct Workers {
    queues: Vec<SyncSender<Work>>,
    /// How much each has to do.
    loads: Vec<usize>,
    /// Who has what.
    given: BTreeMap<Ticket, usize>,
}

impl Workers {
    /// Starts one thread a core. They end when this value is dropped.
    pub(super) fn start(returned: &Return) -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut queues = Vec::with_capacity(cores);
        for n in 0..cores {
            let (queue, inbox) = sync_channel(QUEUE_MAX);
            let returned = returned.clone();
            thread::Builder::new().name(format!("eap-{n}")).spawn(move || work(&inbox, &returned))?;
            queues.push(queue);
        }
        Ok(Self { loads: vec![0; queues.len()], queues, given: BTreeMap::new() })
    }

    /// Gives work to whoever has the least to do; false when it cannot be taken.
    pub(super) fn give(&mut self, work: Work) -> bool {
        let ticket = work.ticket();
        let least = self.loads.iter().enumerate().min_by_key(|(_, load)| **load).map_or(0, |(n, _)| n);
        let Some(queue) = self.queues.get(least) else { return false };
        if queue.try_send(work).is_err() {
            return false;
        }
        self.given.insert(ticket, least);
        if let Some(load) = self.loads.get_mut(least) {
            *load += 1;
        }
        true
    }

    /// A worker is done with something.
    pub(super) fn came_back(&mut self, input: &Input) {
        let ticket = match input {
            Input::Computed { token, .. } | Input::ComputeLost { token } => Ticket::Step(*token),
            Input::KeyFound { token, .. } | Input::KeySearchLost { token } => Ticket::Search(*token),
            Input::Received { .. }
            | Input::Connected { .. }
            | Input::Unframed { .. }
            | Input::Gone { .. }
            | Input::HandshakeFailed { .. }
            | Input::Accounted { .. }
            | Input::SnapshotChanged { .. }
            | Input::TimerFired => {
                return;
            }
        };
        if let Some(load) = self.given.remove(&ticket).and_then(|n| self.loads.get_mut(n)) {
            *load = load.saturating_sub(1);
        }
    }
}

fn work(inbox: &Receiver<Work>, returned: &Return) {
    while let Ok(work) = inbox.recv() {
        if returned.send(Returned::Worker(work.compute())).is_err() {
            return; // the daemon stops
        }
    }
}
