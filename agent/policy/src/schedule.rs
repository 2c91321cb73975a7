//! Weekly hours with holidays, in the site's time zone.

use crate::site::Site;
use jiff::civil::{Time, Weekday};
use values::{ScheduleName, Timestamp};

/// One stretch of a day. `until` may be 24:00 written as [`Slot::END_OF_DAY`]; a night shift is two slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub weekday: Weekday,
    /// Minutes after midnight, inclusive.
    pub from_minute: u16,
    /// Minutes after midnight, exclusive; at most 1,440.
    pub until_minute: u16,
}

impl Slot {
    pub const END_OF_DAY: u16 = 1_440;
}

/// When something may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub name: ScheduleName,
    pub slots: Vec<Slot>,
    /// Whether the site's holidays count as closed.
    pub closed_on_holidays: bool,
}

/// Days to look ahead for the next opening: a fortnight holds every weekly pattern and the longest run of holidays.
const LOOK_AHEAD_DAYS: i64 = 15;

impl Schedule {
    /// Whether the schedule is open at `at`.
    #[must_use]
    pub fn is_open(&self, site: &Site, at: Timestamp) -> bool {
        let local = local(site, at);
        if self.closed_on_holidays && site.holidays.contains(&local.date()) {
            return false;
        }
        let minute = minute_of(local.time());
        self.slots
            .iter()
            .any(|slot| slot.weekday == local.weekday() && (slot.from_minute..slot.until_minute).contains(&minute))
    }

    /// When a schedule that is open at `at` closes; none when it is closed at `at` or open for the whole fortnight ahead.
    /// Adjoining slots (the two halves of a night) count as one opening.
    #[must_use]
    pub fn closes_at(&self, site: &Site, at: Timestamp) -> Option<Timestamp> {
        if !self.is_open(site, at) {
            return None;
        }
        self.edges(site, at).into_iter().find(|&edge| edge > at && !self.is_open(site, edge))
    }

    /// When a schedule that is closed at `at` opens next, within a fortnight.
    #[must_use]
    pub fn opens_at(&self, site: &Site, at: Timestamp) -> Option<Timestamp> {
        self.edges(site, at).into_iter().find(|&edge| edge > at && self.is_open(site, edge))
    }

    /// All instants in the fortnight after `at` where the answer may change, in order.
    fn edges(&self, site: &Site, at: Timestamp) -> Vec<Timestamp> {
        let first = local(site, at).date();
        let mut edges = Vec::new();
        for offset in 0..LOOK_AHEAD_DAYS {
            let Ok(day) = first.checked_add(jiff::Span::new().days(offset)) else { break };
            let mut push = |minute: u16| {
                let (date, minute) = if minute == Slot::END_OF_DAY {
                    match day.tomorrow() {
                        Ok(next) => (next, 0),
                        Err(_) => return,
                    }
                } else {
                    (day, minute)
                };
                let time = jiff::civil::time((minute / 60) as i8, (minute % 60) as i8, 0, 0);
                if let Ok(zoned) = date.to_datetime(time).to_zoned(site.time_zone.clone()) {
                    edges.push(Timestamp(zoned.timestamp().as_millisecond()));
                }
            };
            push(0);
            for slot in self.slots.iter().filter(|slot| slot.weekday == day.weekday()) {
                push(slot.from_minute);
                push(slot.until_minute);
            }
        }
        edges.sort_unstable();
        edges.dedup();
        edges
    }
}

fn minute_of(time: Time) -> u16 {
    u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or(0)
}

/// The civil time at the site.
#[must_use]
pub fn local(site: &Site, at: Timestamp) -> jiff::Zoned {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(site.time_zone.clone())
}

/// The month that a print allowance belongs to: `2026-11`.
#[must_use]
pub fn month(site: &Site, at: Timestamp) -> String {
    let local = local(site, at);
    format!("{:04}-{:02}", local.year(), local.month())
}

/// A point in time as people at the site read it: `Mon 23 Nov 08:00`.
#[must_use]
pub fn spoken(site: &Site, at: Timestamp) -> String {
    local(site, at).strftime("%a %-d %b %H:%M").to_string()
}

#[cfg(test)]
mod tests;
