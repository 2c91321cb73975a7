//! A simulated Shelly Plus 1 (second generation) over a real socket, by the vendor's documents: `Switch.Set` with
//! `toggle_after`, `Switch.GetStatus`, status and `NotifyStatus` messages, `online` as its last will. It connects again when it
//! was cut off, as the device does, counts its pulses with their times, and can be told to fail in the ways that relays fail.

use crate::mqtt_client::{Account, Client, Message, PING_EVERY};
use mqtt_protocol_core::mqtt::packet::Qos;
use serde_json::{Value, json};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long it waits before it connects again; the device waits longer.
const RECONNECT_AFTER: Duration = Duration::from_millis(100);

/// How it works today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Well,
    /// Hears everything, does nothing, says nothing.
    Silent,
    /// Acts and answers this much later.
    Late(Duration),
    /// Pulses on a command and loses the connection before it can say so.
    DiesAfterCommand,
    /// Answers questions and refuses commands.
    Refuses,
    /// Acts on commands and answers questions, but does not answer commands.
    Mute,
    /// Its contact welds: it never switches off by itself.
    Sticks,
}

/// One pulse.
#[derive(Clone, Debug)]
pub struct Pulse {
    pub at: Instant,
    pub call: u64,
}

#[derive(Default)]
struct State {
    behaviour: Option<Behaviour>,
    is_connected: bool,
    connections: u32,
    is_on: bool,
    pulses: Vec<Pulse>,
    calls: Vec<Value>,
}

/// The device; gone when dropped.
pub struct Relay {
    shared: Arc<(Mutex<State>, Condvar)>,
    stop: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

fn lock(shared: &(Mutex<State>, Condvar)) -> MutexGuard<'_, State> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Relay {
    /// Starts it; it keeps connecting until it is dropped.
    pub fn start(account: Account) -> Self {
        let shared: Arc<(Mutex<State>, Condvar)> = Arc::default();
        let (stop, stopping) = watch::channel(false);
        let device = Device { account, shared: Arc::clone(&shared), stopping };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(device.live());
        });
        Self { shared, stop, thread: Some(thread) }
    }

    /// Starts it and waits until the server has accepted it.
    pub fn connected(account: Account) -> Self {
        let relay = Self::start(account);
        relay.wait_until("the relay is connected", |relay| relay.is_connected());
        relay
    }

    pub fn behave(&self, behaviour: Behaviour) {
        lock(&self.shared).behaviour = Some(behaviour);
    }

    pub fn is_connected(&self) -> bool {
        lock(&self.shared).is_connected
    }

    /// Connections that were accepted so far.
    pub fn connections(&self) -> u32 {
        lock(&self.shared).connections
    }

    pub fn is_on(&self) -> bool {
        lock(&self.shared).is_on
    }

    pub fn pulses(&self) -> Vec<Pulse> {
        lock(&self.shared).pulses.clone()
    }

    /// Everything it was asked, in order.
    pub fn calls(&self) -> Vec<Value> {
        lock(&self.shared).calls.clone()
    }

    /// How often this method was called.
    pub fn count(&self, method: &str) -> usize {
        self.calls().iter().filter(|call| call["method"] == method).count()
    }

    /// Waits until something is so; woken by everything that happens to the device.
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        const WAIT_MAX: Duration = Duration::from_secs(20);
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < WAIT_MAX, "waited {WAIT_MAX:?} until {what}: {:?}", self.calls());
            let guard = lock(&self.shared);
            let _ = self.shared.1.wait_timeout(guard, Duration::from_millis(50));
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Device {
    account: Account,
    shared: Arc<(Mutex<State>, Condvar)>,
    stopping: watch::Receiver<bool>,
}

/// Something it will do in a while.
enum Later {
    Act(Value),
    SwitchOff,
}

impl Device {
    async fn live(self) {
        let mut stopping = self.stopping.clone();
        while !*stopping.borrow() {
            let ended = tokio::select! {
                ended = self.session() => ended,
                _ = stopping.wait_for(|&stop| stop) => return,
            };
            self.note(|state| state.is_connected = false);
            if ended.is_err() {
                tokio::select! {
                    () = tokio::time::sleep(RECONNECT_AFTER) => {}
                    _ = stopping.wait_for(|&stop| stop) => return,
                }
            }
        }
    }

    fn note<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut lock(&self.shared));
        self.shared.1.notify_all();
        result
    }

    async fn session(&self) -> io::Result<()> {
        let device = &self.account.device;
        let mut client = Client::connect(&self.account, Some(&format!("{device}/online"))).await?;
        client.subscribe(&format!("{device}/rpc"), Qos::AtMostOnce).await?;
        client.subscribe(&format!("{device}/command/#"), Qos::AtMostOnce).await?;
        client.publish(&format!("{device}/online"), b"true", true).await?;
        self.note(|state| {
            state.is_connected = true;
            state.connections += 1;
        });
        let mut later: Vec<(tokio::time::Instant, Later)> = Vec::new();
        let mut pings = tokio::time::interval(PING_EVERY);
        loop {
            later.sort_by_key(|(due, _)| *due);
            let due = later.first().map(|(due, _)| *due);
            let is_due = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = client.next() => {
                    if let Some((wait, call)) = self.hear(&message?) {
                        later.push((tokio::time::Instant::now() + wait, Later::Act(call)));
                    }
                }
                () = is_due => match later.remove(0).1 {
                    Later::Act(call) => {
                        if let Some(off_after) = self.act(&mut client, &call).await? {
                            later.retain(|(_, what)| matches!(what, Later::Act(_)));
                            later.push((tokio::time::Instant::now() + off_after, Later::SwitchOff));
                        }
                    }
                    Later::SwitchOff => {
                        self.note(|state| state.is_on = false);
                        self.report(&mut client).await?;
                    }
                },
                _ = pings.tick() => client.ping().await?,
            }
        }
    }

    fn behaviour(&self) -> Behaviour {
        lock(&self.shared).behaviour.unwrap_or(Behaviour::Well)
    }

    /// A call, and how long it takes to act on it.
    fn hear(&self, message: &Message) -> Option<(Duration, Value)> {
        assert!(!message.retain, "no command is retained");
        let call: Value = serde_json::from_slice(&message.payload).ok()?;
        self.note(|state| state.calls.push(call.clone()));
        match self.behaviour() {
            Behaviour::Silent => None,
            Behaviour::Late(by) => Some((by, call)),
            _ => Some((Duration::ZERO, call)),
        }
    }

    /// Does it and answers; after a pulse began, says when it ends.
    async fn act(&self, client: &mut Client, call: &Value) -> io::Result<Option<Duration>> {
        let behaviour = self.behaviour();
        let result = match call["method"].as_str() {
            Some("Switch.GetStatus") => json!({ "id": 0, "source": "init", "output": lock(&self.shared).is_on }),
            Some("Switch.Set") if behaviour == Behaviour::Refuses => {
                let error = json!({ "code": -103, "message": "Invalid argument" });
                self.answer(client, call, "error", error).await?;
                return Ok(None);
            }
            Some("Switch.Set") => {
                let is_on = call["params"]["on"] == true;
                let was_on = self.note(|state| {
                    if is_on {
                        state.pulses.push(Pulse { at: Instant::now(), call: call["id"].as_u64().unwrap_or_default() });
                    }
                    std::mem::replace(&mut state.is_on, is_on)
                });
                json!({ "was_on": was_on })
            }
            _ => {
                let error = json!({ "code": 404, "message": "No handler" });
                self.answer(client, call, "error", error).await?;
                return Ok(None);
            }
        };
        let is_command = call["method"] == "Switch.Set";
        match behaviour {
            Behaviour::DiesAfterCommand if is_command => return Err(io::ErrorKind::ConnectionAborted.into()),
            Behaviour::Mute if is_command => {}
            _ => self.answer(client, call, "result", result).await?,
        }
        if is_command {
            self.report(client).await?;
        }
        let off_after = call["params"]["toggle_after"].as_f64().filter(|_| behaviour != Behaviour::Sticks);
        Ok(off_after.map(Duration::from_secs_f64))
    }

    async fn answer(&self, client: &mut Client, call: &Value, kind: &str, body: Value) -> io::Result<()> {
        let src = call["src"].as_str().unwrap_or_default();
        let mut answer = json!({ "id": call["id"], "src": self.account.device, "dst": src });
        answer[kind] = body;
        client.publish(&format!("{src}/rpc"), answer.to_string().as_bytes(), false).await
    }

    async fn report(&self, client: &mut Client) -> io::Result<()> {
        let device = &self.account.device;
        let status = json!({ "id": 0, "source": "MQTT", "output": lock(&self.shared).is_on });
        client.publish(&format!("{device}/status/switch:0"), status.to_string().as_bytes(), false).await?;
        let notice = json!({ "src": device, "dst": format!("{device}/events"), "method": "NotifyStatus", "params": { "switch:0": status } });
        client.publish(&format!("{device}/events/rpc"), notice.to_string().as_bytes(), false).await
    }
}
