//! The clocks of this box, and whether its time of day can be believed.
//!
//! The wall clock never starts before the build date or the last time seen (a file that is touched as time passes), so a box
//! without a battery does not wake up in 1970. It is trusted once the kernel says that something disciplines it
//! (adjtimex(2): not STA_UNSYNC), or when the operator says so.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
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
    /// Whether a write is under way; on a disk that hangs it stays so.
    floor_writing: Arc<AtomicBool>,
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
            floor_writing: Arc::default(),
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
            self.write_floor(read);
        }
    }

    /// In a thread of its own, one at a time: who asks for the time (a door, a login) waits for no disk.
    fn write_floor(&self, floor: i64) {
        if self.floor_writing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (file, writing) = (self.floor_file.clone(), Arc::clone(&self.floor_writing));
        let write = move || {
            // A full disk must not stop the clock: the floor is then as old as the last write that worked.
            let _ = replace(&file, &floor.to_string());
            writing.store(false, Ordering::Release);
        };
        if std::thread::Builder::new().name("clock-floor".to_owned()).spawn(write).is_err() {
            self.floor_writing.store(false, Ordering::Release);
        }
    }
}

/// The old text or the new one, whenever the power goes.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    fs::rename(&new, path)
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

    #[test]
    fn the_time_is_told_while_the_disk_hangs() {
        let dir = std::env::temp_dir().join(format!("doorpost-clock-hangs-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a folder in the temporary folder");
        // Nobody reads from this pipe, so whoever opens it to write waits.
        let pipe = dir.join("time.new");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe in our own folder");
        let clock = Clock::new(&dir, Timestamp(0), Trust::Always);
        let (told, times) = std::sync::mpsc::channel();
        std::thread::spawn(move || told.send(clock.now()));
        let now = times.recv_timeout(Duration::from_secs(10)).expect("at once");
        assert!(matches!(now.wall, Wall::Trusted(_)));
        // Lets the writer go.
        let floor = fs::read_to_string(&pipe).expect("a pipe with a writer");
        assert!(matches!(now.wall, Wall::Trusted(at) if floor == at.0.to_string()));
        fs::remove_dir_all(&dir).expect("our own folder");
    }
}
