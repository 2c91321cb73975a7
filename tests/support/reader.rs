//! A simulated badge reader over a real socket: publishes the badges that are held to it and hears what became of them.

use crate::mqtt_client::{Account, Client, PING_EVERY};
use mqtt_protocol_core::mqtt::packet::Qos;
use serde_json::{Value, json};
use std::io;
use std::sync::mpsc as blocking;
use std::time::Duration;
use tokio::sync::mpsc;

const RECONNECT_AFTER: Duration = Duration::from_millis(100);
/// The longest that a door takes to answer, and a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// The reader; gone when dropped.
pub struct Reader {
    shown: Option<mpsc::UnboundedSender<Value>>,
    answers: blocking::Receiver<Value>,
    connected: blocking::Receiver<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Reader {
    /// Starts it; it keeps connecting until it is dropped. What is shown while it is not connected is lost, as at a real one.
    pub fn start(account: Account) -> Self {
        let (shown, mut badges) = mpsc::unbounded_channel::<Value>();
        let (answered, answers) = blocking::channel();
        let (connects, connected) = blocking::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                while session(&account, &mut badges, &answered, &connects).await.is_err() {
                    tokio::time::sleep(RECONNECT_AFTER).await;
                    loop {
                        match badges.try_recv() {
                            Ok(_) => {}
                            Err(mpsc::error::TryRecvError::Empty) => break,
                            Err(mpsc::error::TryRecvError::Disconnected) => return,
                        }
                    }
                }
            });
        });
        Self { shown: Some(shown), answers, connected, thread: Some(thread) }
    }

    /// Starts it and waits until the server has accepted it.
    pub fn connected(account: Account) -> Self {
        let reader = Self::start(account);
        reader.connected.recv_timeout(ANSWER_MAX).expect("the reader is accepted");
        reader
    }

    /// Holds a badge to it and goes on.
    pub fn show(&self, uid: &str) {
        self.send(json!({ "uid": uid }));
    }

    /// Sends any message as a badge.
    pub fn send(&self, message: Value) {
        if let Some(shown) = &self.shown {
            let _ = shown.send(message); // the thread has ended: the answer will be missed
        }
    }

    /// The next answer.
    pub fn answer(&self) -> Value {
        self.answers.recv_timeout(ANSWER_MAX).expect("the door answers")
    }

    /// Holds a badge to it and waits for the answer.
    pub fn try_badge(&self, uid: &str) -> Value {
        self.show(uid);
        self.answer()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.shown.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Ok when the reader was dropped.
async fn session(
    account: &Account,
    badges: &mut mpsc::UnboundedReceiver<Value>,
    answered: &blocking::Sender<Value>,
    connects: &blocking::Sender<()>,
) -> io::Result<()> {
    let own = format!("readers/{}", account.device);
    let mut client = Client::connect(account, None).await?;
    client.subscribe(&format!("{own}/answer"), Qos::AtMostOnce).await?;
    let _ = connects.send(()); // nobody waits for it
    let mut pings = tokio::time::interval(PING_EVERY);
    loop {
        tokio::select! {
            badge = badges.recv() => match badge {
                Some(badge) => client.publish(&format!("{own}/badge"), badge.to_string().as_bytes(), false).await?,
                None => return client.disconnect().await,
            },
            message = client.next() => {
                if let Ok(answer) = serde_json::from_slice(&message?.payload) {
                    let _ = answered.send(answer); // nobody waits for it
                }
            }
            _ = pings.tick() => client.ping().await?,
        }
    }
}
