//! What reaches the engine's thread from others: each message lies in the queue of its kind, and a bell says that one does.

use super::Told;
use super::handle::Question;
use engine::wifi::Input;
use host::poll::Bell;
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Questions of the API that may wait for the engine's thread.
const QUESTIONS_MAX: usize = 64;
/// What the RadSec connections have to tell; when it is full they wait, and so do their clients.
const TOLD_MAX: usize = 256;

/// What comes back from workers and the store.
pub(super) enum Returned {
    Worker(Input),
    Accounted { token: u64, ok: bool },
}

/// The thread has ended, and the daemon with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Ended;

/// A way in that makes its user wait while the queue is full.
pub(in super::super) struct Post<T> {
    queue: mpsc::Sender<T>,
    bell: Arc<Bell>,
}

impl<T> Clone for Post<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), bell: Arc::clone(&self.bell) }
    }
}

impl<T> Post<T> {
    pub(in super::super) async fn send(&self, message: T) -> Result<(), Ended> {
        self.queue.send(message).await.map_err(|_| Ended)?;
        self.bell.ring();
        Ok(())
    }
}

/// The way back for what the thread has given away. It never makes anybody wait: at most one message a login and one an
/// unanswered accounting request, and the engine bounds both; a bound here would have the store's thread wait for us.
#[derive(Clone)]
pub(super) struct Return {
    queue: mpsc::UnboundedSender<Returned>,
    bell: Arc<Bell>,
}

impl Return {
    pub(super) fn send(&self, returned: Returned) -> Result<(), Ended> {
        self.send_all([returned])
    }

    /// Rings once for all.
    pub(super) fn send_all(&self, returned: impl IntoIterator<Item = Returned>) -> Result<(), Ended> {
        for returned in returned {
            self.queue.send(returned).map_err(|_| Ended)?;
        }
        self.bell.ring();
        Ok(())
    }
}

/// The thread's end of all queues.
pub(super) struct Mailbox {
    pub(super) bell: Arc<Bell>,
    pub(super) returned: mpsc::UnboundedReceiver<Returned>,
    pub(super) told: mpsc::Receiver<Told>,
    pub(super) asked: mpsc::Receiver<Question>,
}

/// The ways into it.
pub(super) struct Ways {
    pub(super) returned: Return,
    pub(super) told: Post<Told>,
    pub(super) questions: Post<Question>,
}

impl Mailbox {
    pub(super) fn new() -> io::Result<(Self, Ways)> {
        let bell = Arc::new(Bell::new()?);
        let (returned, from_elsewhere) = mpsc::unbounded_channel();
        let (told, from_lines) = mpsc::channel(TOLD_MAX);
        let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
        let ways = Ways {
            returned: Return { queue: returned, bell: Arc::clone(&bell) },
            told: Post { queue: told, bell: Arc::clone(&bell) },
            questions: Post { queue: questions, bell: Arc::clone(&bell) },
        };
        Ok((Self { bell, returned: from_elsewhere, told: from_lines, asked }, ways))
    }
}
