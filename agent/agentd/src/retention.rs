//! What is forgotten, and when: personal data goes by the class it belongs to, and the ledger is checked against the
//! balances on the same round.

use crate::shell::Shell;
use policy::{Noun, Outcome, Record};
use std::sync::Arc;
use std::time::Duration;
use store::Retention;
use values::{EventId, Timestamp};

/// Doors, visitors and Wi-Fi sessions.
const MOVEMENTS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Print metadata, which a member may still question when the month's bill comes.
const PRINTS_KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// The rows without their personal part: long enough to compare a year with the one before.
const ROWS_KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// Rounds; the first soon after the start, since a box that is switched off at night must forget too.
const ROUND: Duration = Duration::from_secs(6 * 60 * 60);
const FIRST_ROUND: Duration = Duration::from_secs(60);

/// Room on the disk that history leaves to commands, accounting and doors: a third of what documents leave to all of them.
const HISTORY_FLOOR_BYTES: u64 = 32 * 1024 * 1024;
/// How much more there must be before history is recorded again, so that it does not go on and off.
const HISTORY_AGAIN_BYTES: u64 = 40 * 1024 * 1024;
/// How often the room is looked at: history fills a few megabytes in this time at the worst.
const ROOM_ROUND: Duration = Duration::from_secs(10);

/// Stops recording history while the disk is nearly full; runs until the daemon stops.
pub async fn watch_room(shell: Shell) {
    let mut is_closed = false;
    loop {
        let data = shell.data.clone();
        let free = tokio::task::spawn_blocking(move || host::disk::free_bytes(&data)).await;
        // What cannot be measured is no reason to stop: writing says so itself when there is no room.
        if let Ok(Ok(free)) = free {
            is_closed = is_nearly_full(free, is_closed);
            shell.store.close_events(is_closed);
        }
        tokio::select! {
            () = tokio::time::sleep(ROOM_ROUND) => {}
            () = shell.stopped() => return,
        }
    }
}

const fn is_nearly_full(free_bytes: u64, was: bool) -> bool {
    free_bytes < if was { HISTORY_AGAIN_BYTES } else { HISTORY_FLOOR_BYTES }
}

/// Runs until the daemon stops.
pub async fn keep(shell: Shell) {
    let mut wait = FIRST_ROUND;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shell.stopped() => return,
        }
        wait = ROUND;
        let now = shell.clock.now();
        // A clock that may be in the future must not throw anything away.
        if now.is_trusted() {
            forget(&shell, now.stamp());
        }
        check_ledger(&shell).await;
    }
}

fn forget(shell: &Shell, now: Timestamp) {
    let retention = policy_of(now);
    shell.store.purge(retention, |result| {
        if let Err(error) = result {
            tracing::warn!(%error, "old records could not be removed");
        }
    });
}

/// What the defaults of the design keep at this moment.
fn policy_of(now: Timestamp) -> Retention {
    let movements = now - MOVEMENTS_KEPT;
    let prints = now - PRINTS_KEPT;
    let personal = [Noun::Wifi, Noun::Door, Noun::Device].into_iter().map(|noun| (noun, movements));
    let personal = personal.chain([(Noun::Print, prints)]);
    Retention {
        events_before: Some(now - ROWS_KEPT),
        personal_before: personal.collect(),
        sessions_before: Some(movements),
        jobs_before: Some(prints),
    }
}

async fn check_ledger(shell: &Shell) {
    let store = Arc::clone(&shell.store);
    let checked = tokio::task::spawn_blocking(move || store.recompute_accounts()).await;
    let Ok(Ok(mismatches)) = checked else { return };
    for mismatch in mismatches {
        let id = EventId::generate(&mut host::OsEntropy);
        let sentence = "A print balance does not match the ledger's sum; run doorpost verify and tell support.";
        let record =
            Record::new(id, shell.clock.now().stamp(), Noun::Print, Outcome::Warning, "ledger-mismatch", sentence);
        shell.recorder.record(record.member(mismatch.member.parse().ok()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn history_leaves_the_last_room_to_others_and_does_not_flutter() {
        assert!(is_nearly_full(HISTORY_FLOOR_BYTES - 1, false));
        assert!(!is_nearly_full(HISTORY_FLOOR_BYTES, false));
        assert!(is_nearly_full(HISTORY_FLOOR_BYTES, true));
        assert!(!is_nearly_full(HISTORY_AGAIN_BYTES, true));
    }

    #[test]
    fn movements_are_forgotten_after_a_month_and_prints_after_a_quarter() {
        let now = Timestamp(1_800_000_000_000);
        let retention = policy_of(now);
        assert_eq!(retention.sessions_before, Some(now - 30 * DAY));
        assert_eq!(retention.personal_before[&Noun::Door], now - 30 * DAY);
        assert_eq!(retention.personal_before[&Noun::Print], now - 90 * DAY);
        assert!(retention.events_before < retention.jobs_before);
    }
}
