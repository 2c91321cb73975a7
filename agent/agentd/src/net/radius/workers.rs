//! Threads that do the TLS of logins and the long searches for passphrases: a conversation goes to one of them with its input and
//! comes back with its step. The work is arithmetic and never waits.
//!
//! Waking a thread costs as much as a small step, so work is handed over by the batch, results come back by the batch, and the
//! engine's thread, which has the first core, helps when it has nothing else to do.

use super::mailbox::{Return, Returned};
use engine::wifi::{Input, KeySearch};
use proto::eap::{EapConversation, EapInput};
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Steps that a worker takes at once: some hundred microseconds of work each, and its results come back together.
const TAKE_MAX: usize = 4;

/// Something to work out. How much there is at one time is bounded by the engine: a step a login, and few searches.
pub(super) enum Work {
    /// One step of a login.
    Step { token: u64, conversation: Box<EapConversation>, input: EapInput },
    /// Whose passphrase a device has typed.
    Search { token: u64, search: KeySearch },
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
}

/// The engine's thread's end.
pub(super) struct Workers {
    /// Not handed over yet.
    given: Vec<Work>,
    pile: Arc<Pile>,
}

impl Workers {
    /// Starts one thread for each core but the first, and one at least. They end when this value is dropped.
    pub(super) fn start(returned: &Return) -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = Self { given: Vec::new(), pile: Arc::default() };
        for n in 1..cores.max(2) {
            let (pile, returned) = (Arc::clone(&workers.pile), returned.clone());
            thread::Builder::new().name(format!("eap-{n}")).spawn(move || pile.work_off(&returned))?;
        }
        Ok(workers)
    }

    /// Puts work by for the next [`Workers::hand_over`].
    pub(super) fn give(&mut self, work: Work) {
        self.given.push(work);
    }

    /// Lets the workers have what was given.
    pub(super) fn hand_over(&mut self) {
        if self.given.is_empty() {
            return;
        }
        let mut piled = self.pile.lock();
        for work in self.given.drain(..) {
            match work {
                Work::Step { .. } => piled.steps.push_back(work),
                Work::Search { .. } => piled.searches.push_back(work),
            }
        }
        // One for each search, and one for as many steps as it takes at once; who is awake already comes by itself.
        let wanted = piled.searches.len() + piled.steps.len().div_ceil(TAKE_MAX);
        let sleeping = piled.sleeping.min(wanted);
        drop(piled);
        (0..sleeping).for_each(|_| self.pile.wake.notify_one());
    }

    /// A step that no worker has begun, for who has nothing else to do. Never a search, which takes long.
    pub(super) fn help(&self) -> Option<Work> {
        self.pile.lock().steps.pop_front()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.pile.lock().closed = true;
        self.pile.wake.notify_all();
    }
}

/// What waits for a worker.
#[derive(Default)]
struct Pile {
    piled: Mutex<Piled>,
    wake: Condvar,
}

#[derive(Default)]
struct Piled {
    steps: VecDeque<Work>,
    searches: VecDeque<Work>,
    /// Workers that wait to be woken.
    sleeping: usize,
    closed: bool,
}

impl Pile {
    /// Nobody panics while it holds the lock; if somebody did, each change is one step.
    fn lock(&self) -> MutexGuard<'_, Piled> {
        self.piled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker's life.
    fn work_off(&self, returned: &Return) {
        while let Some(taken) = self.take() {
            if returned.send_all(taken.into_iter().map(|work| Returned::Worker(work.compute()))).is_err() {
                return; // the daemon stops
            }
        }
    }

    /// Waits for work: a search, or a share of the steps. None when there will be none.
    fn take(&self) -> Option<Vec<Work>> {
        let mut piled = self.lock();
        loop {
            if piled.closed {
                return None;
            }
            if let Some(search) = piled.searches.pop_front() {
                return Some(vec![search]);
            }
            if !piled.steps.is_empty() {
                // The half, so that something is left for the others.
                let share = piled.steps.len().div_ceil(2).min(TAKE_MAX);
                return Some(piled.steps.drain(..share).collect());
            }
            piled.sleeping += 1;
            piled = self.wake.wait(piled).unwrap_or_else(PoisonError::into_inner);
            piled.sleeping -= 1;
        }
    }
}
