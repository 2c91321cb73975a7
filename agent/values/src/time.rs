//! Two clocks, kept apart by type: `Mono` for every timeout, `Timestamp` for schedules and records.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Milliseconds on a clock that never steps. Comparable only within one run of the daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

impl Mono {
    /// Time since `earlier`, zero when `earlier` lies in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Mono {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z. Serialised as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What the wall clock is worth. An `Unsynced` clock still never runs before the build date or the last time seen, so
/// what it says is a floor: windowed grants that have not begun stay closed, running and unrestricted ones go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wall {
    Trusted(Timestamp),
    Unsynced(Timestamp),
}

/// The moment at which something is decided. Every pure function that needs time takes this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    pub mono: Mono,
    pub wall: Wall,
}

impl Now {
    #[must_use]
    pub const fn trusted(mono: Mono, at: Timestamp) -> Self {
        Self { mono, wall: Wall::Trusted(at) }
    }

    /// The best guess at the time of day, for records: the trusted time, or the floor.
    #[must_use]
    pub const fn stamp(&self) -> Timestamp {
        match self.wall {
            Wall::Trusted(at) | Wall::Unsynced(at) => at,
        }
    }

    #[must_use]
    pub const fn is_trusted(&self) -> bool {
        matches!(self.wall, Wall::Trusted(_))
    }
}
