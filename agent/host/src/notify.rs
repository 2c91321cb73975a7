//! Talking to the service manager (sd_notify(3)); silent when there is none.

use sd_notify::NotifyState;
use std::time::Duration;

/// Everything listens; `status` is what `systemctl status` shows.
pub fn ready(status: &str) {
    let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

pub fn stopping() {
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
}

/// Sent only after a self-probe went well, never by a bare timer.
pub fn alive() {
    let _ = sd_notify::notify(&[NotifyState::Watchdog]);
}

/// How long the service manager waits for [`alive`] before it restarts the daemon; none without a watchdog.
#[must_use]
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}
