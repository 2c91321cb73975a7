//! Threads that do the TLS of logins: a conversation goes to one of them with its input and comes back with its step. There is
//! one a core, since the work is arithmetic and never waits.

use super::Returned;
use engine::wifi::Input;
use proto::eap::{EapConversation, EapInput};
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use tokio::sync::mpsc::UnboundedSender;

/// Conversations that may wait at one worker: all logins that the engine has under way.
const QUEUE_MAX: usize = 4_096;

/// One step of a login.
pub(super) struct Work {
    pub token: u64,
    pub conversation: Box<EapConversation>,
    pub input: EapInput,
}

impl Work {
    /// Does it. A panic over one device's bytes must not take the other logins with it; the conversation is not used again.
    pub(super) fn compute(self) -> Input {
        let Self { token, mut conversation, input } = self;
        match catch_unwind(AssertUnwindSafe(|| conversation.handle(input))) {
            Ok(step) => Input::Computed { token, conversation, step },
            Err(_) => {
                tracing::error!("a login's worker failed; the login is given up");
                Input::ComputeLost { token }
            }
        }
    }
}

pub(super) struct Workers {
    queues: Vec<SyncSender<Work>>,
    /// How much each has to do.
    loads: Vec<usize>,
    /// Who has what.
    given: BTreeMap<u64, usize>,
}

impl Workers {
    /// Starts one thread a core. They end when this value is dropped.
    pub(super) fn start(returned: &UnboundedSender<Returned>) -> io::Result<Self> {
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

    /// Gives a step to whoever has the least to do; false when it cannot be taken.
    pub(super) fn give(&mut self, work: Work) -> bool {
        let token = work.token;
        let least = self.loads.iter().enumerate().min_by_key(|(_, load)| **load).map_or(0, |(n, _)| n);
        let Some(queue) = self.queues.get(least) else { return false };
        if queue.try_send(work).is_err() {
            return false;
        }
        self.given.insert(token, least);
        if let Some(load) = self.loads.get_mut(least) {
            *load += 1;
        }
        true
    }

    /// A worker is done with something.
    pub(super) fn came_back(&mut self, input: &Input) {
        let token = match input {
            Input::Computed { token, .. } | Input::ComputeLost { token } => token,
            Input::Received { .. } | Input::Accounted { .. } | Input::SnapshotChanged { .. } | Input::TimerFired => {
                return;
            }
        };
        if let Some(load) = self.given.remove(token).and_then(|n| self.loads.get_mut(n)) {
            *load = load.saturating_sub(1);
        }
    }
}

fn work(inbox: &Receiver<Work>, returned: &UnboundedSender<Returned>) {
    while let Ok(work) = inbox.recv() {
        if returned.send(Returned::Worker(work.compute())).is_err() {
            return; // the daemon stops
        }
    }
}
