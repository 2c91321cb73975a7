//! Health as the box itself sees it: for /readyz, /metrics and the service manager's watchdog.

use crate::api::App;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use values::Mono;

/// An engine that does not answer a question within this is stuck.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Anybody may ask whether the box is ready: an answer serves all who ask within this.
const ANSWER_KEPT: Duration = Duration::from_secs(1);

/// Each part's state, `ok` or what is wrong, in a word.
pub type Components = BTreeMap<&'static str, &'static str>;

/// The last answer; whoever asks meanwhile waits for it.
#[derive(Default)]
pub struct Probe(tokio::sync::Mutex<Option<(Mono, Components)>>);

impl Probe {
    /// The state of all parts, as of a moment ago.
    pub async fn components(&self, app: &App) -> Components {
        let mut last = self.0.lock().await;
        let now = app.shell.clock.mono();
        match &*last {
            Some((at, components)) if now.since(*at) < ANSWER_KEPT => components.clone(),
            Some(_) | None => {
                let components = ask(app).await;
                *last = Some((app.shell.clock.mono(), components.clone()));
                components
            }
        }
    }
}

async fn ask(app: &App) -> Components {
    let state = |answered: bool| if answered { "ok" } else { "stuck" };
    let store = Arc::clone(&app.shell.store);
    let reads = tokio::task::spawn_blocking(move || store.load_open_sessions().is_ok());
    // Counters come from the engine's own task, and there are none when that is gone; other answers are then empty lists.
    let counters = tokio::time::timeout(ANSWER_MAX, app.wifi.counters()).await;
    let wifi = counters.is_ok_and(|counters| !counters.is_empty());
    let print = tokio::time::timeout(ANSWER_MAX, app.print.jobs(1)).await.is_ok();
    let counters = tokio::time::timeout(ANSWER_MAX, app.door.counters()).await;
    let door = counters.is_ok_and(|counters| !counters.is_empty());
    let store = tokio::time::timeout(ANSWER_MAX, reads).await.is_ok_and(|read| read.unwrap_or(false));
    BTreeMap::from([("wifi", state(wifi)), ("print", state(print)), ("door", state(door)), ("store", state(store))])
}

/// Everything counted, in OpenMetrics text. No label names a person or a device.
pub async fn metrics(app: &App) -> String {
    let mut registry = Registry::with_prefix("doorpost");
    let snapshot = app.shell.registrar.snapshot();
    let members = i64::try_from(snapshot.members.len()).unwrap_or(i64::MAX);
    registry.register("members", "Members in the database", ConstGauge::new(members));
    let online = i64::try_from(app.wifi.online().await).unwrap_or(i64::MAX);
    registry.register("wifi_sessions", "Devices on the Wi-Fi now", ConstGauge::new(online));
    registry.register("refusals", "Refusals since the start", ConstCounter::new(app.shell.recorder.refused()));
    registry.register(
        "events_dropped",
        "Rows of history that could not be written",
        ConstCounter::new(app.shell.store.events_dropped()),
    );
    registry.register(
        "events_forgotten",
        "Rows of history that were removed before their time, for the want of room",
        ConstCounter::new(app.shell.store.events_forgotten()),
    );
    registry.register(
        "store_commits",
        "Transactions of core.db, each with one sync",
        ConstCounter::new(app.shell.store.commits()),
    );
    for (name, value) in
        app.wifi.counters().await.into_iter().chain(app.print.counters().await).chain(app.door.counters().await)
    {
        registry.register(name, "See docs/operator", ConstCounter::new(value));
    }
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => text,
        Err(std::fmt::Error) => String::new(), // writing to a String cannot fail
    }
}

/// Tells the service manager that the box works, as long as it does.
pub async fn feed_watchdog(app: Arc<App>) {
    let Some(interval) = host::notify::watchdog_interval() else { return };
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval / 2) => {}
            () = app.shell.stopped() => return,
        }
        let components = app.probe.components(&app).await;
        if components.values().all(|state| *state == "ok") {
            host::notify::alive();
        } else {
            tracing::warn!(?components, "a part of the box does not answer");
        }
    }
}
