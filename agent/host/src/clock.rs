//! The clocks of this box, and whether its time of day can be believed.
//!
//! The wall clock never starts before the build date or the last time seen (a file that is touched as time passes), so a box
//! without a battery does not wake up in 1970. It is trusted once the kernel says that something disciplines it
//! (adjtimex(2): not STA_UNSYNC), or when the operator says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use values::{Mono, Now, Timestamp, Wall};

/// How often the last time seen is written down; a power cut loses at most this much of the floor.
const FLOOR_WRITE_INTERVAL_MS: i64 = 10 * 60 * 1_000;

/// Where a `Clock` gets its trust in the wall clock from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Ask the kernel whether the clock is disciplined.
    Kernel,
    /// The operator vouches for the clock (a battery-backed one without NTP, a container whose host keeps time).
    Always,
}

/// Reads time; the only place that does.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    floor: AtomicI64,
    floor_written: AtomicI64,
    floor_file: PathBuf,
    trust: Trust,
}

impl Clock {
    /// `built_at` is the build date; the last time seen is kept in `data`/time.floor.
    #[must_use]
    pub fn new(data: &Path, built_at: Timestamp, trust: Trust) -> Self {
        let floor_file = data.join("time.floor");
        let seen = fs::read_to_string(&floor_file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(i64::MIN);
        let floor = built_at.0.max(seen);
        Self {
            started: Instant::now(),
            floor: AtomicI64::new(floor),
            floor_written: AtomicI64::new(seen),
            floor_file,
            trust,
        }
    }

    #[must_use]
    pub fn now(&self) -> Now {
        let mono = self.mono();
        let read = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        let floor = self.floor.load(Ordering::Relaxed);
        let wall = if read < floor {
            Wall::Unsynced(Timestamp(floor))
        } else if self.is_disciplined() {
            self.raise_floor(read);
            Wall::Trusted(Timestamp(read))
        } else {
            Wall::Unsynced(Timestamp(read))
        };
        Now { mono, wall }
    }

    /// Milliseconds since this clock was made.
    #[must_use]
    pub fn mono(&self) -> Mono {
        Mono(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// The `Instant` at which `mono` is reached, for timers.
    #[must_use]
    pub fn instant(&self, mono: Mono) -> Instant {
        self.started + Duration::from_millis(mono.0)
    }

    fn is_disciplined(&self) -> bool {
        match self.trust {
            Trust::Always => true,
            Trust::Kernel => kernel_says_synchronised(),
        }
    }

    /// Only trusted time raises the floor: a clock that jumped to 2099 by mistake must not pin the box there.
    fn raise_floor(&self, read: i64) {
        self.floor.fetch_max(read, Ordering::Relaxed);
        let written = self.floor_written.load(Ordering::Relaxed);
        if read.saturating_sub(written) >= FLOOR_WRITE_INTERVAL_MS
            && self.floor_written.compare_exchange(written, read, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            // A full disk must not stop the clock: the floor is then as old as the last write that worked.
            let _ = fs::write(&self.floor_file, read.to_string());
        }
    }
}

fn kernel_says_synchronised() -> bool {
    // SAFETY: `timex` is plain data for which all-zero is valid, and adjtimex(2) with modes = 0 only reads the clock state
    // into the struct that we own.
    let state = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        libc::adjtimex(&raw mut timex)
    };
    state >= 0 && state != libc::TIME_ERROR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_starts_before_the_last_time_seen() {
        let dir = std::env::temp_dir().join(format!("doorpost-clock-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a folder in the temporary folder");
        let future = 4_102_444_800_000; // 2100
        fs::write(dir.join("time.floor"), future.to_string()).expect("a file in our own folder");
        let clock = Clock::new(&dir, Timestamp(0), Trust::Always);
        assert_eq!(clock.now().wall, Wall::Unsynced(Timestamp(future)));
        fs::remove_dir_all(&dir).expect("our own folder");
    }
}
