//! Refusals in the history: a device that tries all day long must not fill the disk. The first of a kind is written down at
//! once, the next ones of the same minute become one row with a count, and all of them together have a budget.

use policy::Record;
use std::collections::BTreeMap;
use std::time::Duration;
use values::{MacAddress, Mono};

/// One row a device, name and reason in this time.
const INTERVAL: Duration = Duration::from_secs(60);
/// Devices, names and reasons that are told apart at one time: all devices of a large site failing at once, at some 600 octets.
const KINDS_MAX: usize = 1_024;
/// Rows that may be written at once, and the time in which another one may: 17,280 a day, some 20 MB, so that somebody who
/// makes up a device for each try needs months to push the rest of the history out.
const BURST_MAX: u64 = 1_024;
const ROW_EVERY: Duration = Duration::from_secs(5);

/// The device, the name that it claimed, and the code of the reason.
type Kind = (Option<MacAddress>, Option<String>, String);

#[derive(Debug)]
struct Told {
    /// When a row was written last.
    at: Mono,
    /// Refusals since, and the newest of them.
    again: u64,
    newest: Option<Record>,
}

impl Told {
    /// The newest refusal, with how many came before it since the last row.
    fn again(&mut self) -> Option<Record> {
        let also = std::mem::take(&mut self.again).saturating_sub(1);
        let newest = self.newest.take()?;
        Some(if also > 0 { newest.fact("also", also) } else { newest })
    }
}

/// What becomes of a refusal.
#[derive(Debug, PartialEq)]
pub(super) enum Fate {
    Written(Box<Record>),
    /// Counted, and told with the next row of its kind.
    Folded,
    /// Counted, and told nowhere.
    Unwritten,
}

#[derive(Debug, Default)]
pub(super) struct Refusals {
    kinds: BTreeMap<Kind, Told>,
    /// Rows written of the burst, and since when it fills again.
    spent: u64,
    filled_at: Mono,
}

impl Refusals {
    pub(super) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    pub(super) fn fold(&mut self, mac: Option<MacAddress>, username: Option<&str>, record: Record, now: Mono) -> Fate {
        let kind = (mac, username.map(str::to_lowercase), record.code.clone());
        if let Some(told) = self.kinds.get_mut(&kind) {
            told.again += 1;
            told.newest = Some(record);
            return match now.since(told.at) < INTERVAL {
                true => Fate::Folded,
                false => self.tell_again(&kind, now),
            };
        }
        if self.kinds.len() >= KINDS_MAX || !self.pay(now) {
            return Fate::Unwritten;
        }
        self.kinds.insert(kind, Told { at: now, again: 0, newest: None });
        Fate::Written(Box::new(record))
    }

    /// Rows whose minute is over. Kinds of which nothing more came are forgotten.
    pub(super) fn due(&mut self, now: Mono) -> Vec<Record> {
        let over = |told: &Told| now.since(told.at) >= INTERVAL;
        self.kinds.retain(|_, told| told.again > 0 || !over(told));
        let due: Vec<Kind> = self.kinds.iter().filter(|(_, told)| over(told)).map(|(kind, _)| kind.clone()).collect();
        let rows = due.iter().map(|kind| self.tell_again(kind, now));
        rows.filter_map(|fate| match fate {
            Fate::Written(record) => Some(*record),
            Fate::Folded | Fate::Unwritten => None,
        })
        .collect()
    }

    /// The next row of a kind, if there is room for it.
    fn tell_again(&mut self, kind: &Kind, now: Mono) -> Fate {
        if !self.pay(now) {
            return Fate::Folded; // it is told as soon as there is room for it
        }
        let Some(told) = self.kinds.get_mut(kind) else { return Fate::Folded };
        told.at = now;
        told.again().map_or(Fate::Folded, |row| Fate::Written(Box::new(row)))
    }

    /// What was folded and not told yet, when there will be no other time.
    pub(super) fn take_all(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.kinds).into_values().filter_map(|mut told| told.again()).collect()
    }

    fn pay(&mut self, now: Mono) -> bool {
        let every = u64::try_from(ROW_EVERY.as_millis()).unwrap_or(u64::MAX);
        let filled = u64::try_from(now.since(self.filled_at).as_millis()).unwrap_or(u64::MAX) / every;
        self.spent = self.spent.saturating_sub(filled);
        self.filled_at =
            if self.spent == 0 { now } else { self.filled_at + ROW_EVERY * u32::try_from(filled).unwrap_or(u32::MAX) };
        if self.spent >= BURST_MAX {
            return false;
        }
        self.spent += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::{Noun, Outcome};
    use values::{EventId, Timestamp};

    fn refusal(code: &str) -> Record {
        Record::new(EventId::from_random([1; 16]), Timestamp(0), Noun::Wifi, Outcome::Refused, code, "No.")
    }

    fn mac(n: u32) -> Option<MacAddress> {
        let [a, b, c, d] = n.to_be_bytes();
        Some(MacAddress([2, 0, a, b, c, d]))
    }

    fn seconds(n: u64) -> Mono {
        Mono(n * 1_000)
    }

    fn written(fate: Fate) -> Option<Record> {
        match fate {
            Fate::Written(record) => Some(*record),
            Fate::Folded | Fate::Unwritten => None,
        }
    }

    #[test]
    fn a_kind_is_told_at_once_and_then_once_a_minute_with_its_number() {
        let mut refusals = Refusals::default();
        let mut fold =
            |name: &str, code: &str, at: u64| written(refusals.fold(mac(1), Some(name), refusal(code), seconds(at)));
        assert!(fold("bob", "wrong-key", 0).is_some());
        assert!(fold("bob", "device-limit", 0).is_some(), "another reason");
        assert!(fold("eve", "wrong-key", 0).is_some(), "another name");
        assert_eq!((1..60).filter_map(|at| fold("Bob", "wrong-key", at)).count(), 0);
        let again = fold("bob", "wrong-key", 60).expect("a minute later");
        assert_eq!(again.facts.get("also").map(String::as_str), Some("59"));
        assert_eq!(fold("bob", "wrong-key", 61), None);
        assert_eq!(refusals.due(seconds(119)), []);
        let due = refusals.due(seconds(120));
        assert_eq!(due.len(), 1, "the last one is told without another");
        assert_eq!(due[0].facts.get("also"), None, "it stands for itself alone");
        assert_eq!(refusals.due(seconds(180)), []);
        assert!(refusals.is_empty());
    }

    #[test]
    fn at_the_end_what_was_folded_is_told() {
        let mut refusals = Refusals::default();
        for at in 0..5 {
            refusals.fold(mac(1), Some("bob"), refusal("wrong-key"), seconds(at));
        }
        refusals.fold(mac(2), None, refusal("wrong-key"), seconds(5));
        let left = refusals.take_all();
        assert_eq!(left.len(), 1, "what was told alone is not told again");
        assert_eq!(left[0].facts.get("also").map(String::as_str), Some("3"), "four, and the row is one of them");
        assert!(refusals.is_empty());
    }

    #[test]
    fn made_up_devices_fill_neither_memory_nor_the_disk() {
        let mut refusals = Refusals::default();
        let mut rows = 0;
        // An hour of fifty tries a second, each of a device of its own.
        for second in 0..3_600_u64 {
            for n in 0..50 {
                let device = u32::try_from(second * 50 + n).expect("few enough");
                rows += usize::from(
                    written(refusals.fold(mac(device), None, refusal("wrong-key"), seconds(second))).is_some(),
                );
            }
            rows += refusals.due(seconds(second)).len();
            assert!(refusals.kinds.len() <= KINDS_MAX);
        }
        assert!((1_700..1_800).contains(&rows), "{rows}");
    }

    #[test]
    fn what_could_not_be_told_for_want_of_room_is_told_later() {
        let mut refusals = Refusals::default();
        for n in 0..1_024 {
            assert!(written(refusals.fold(mac(n), None, refusal("wrong-key"), seconds(0))).is_some());
        }
        assert_eq!(refusals.fold(mac(2_000), None, refusal("wrong-key"), seconds(1)), Fate::Unwritten);
        assert_eq!(refusals.fold(mac(7), None, refusal("wrong-key"), seconds(1)), Fate::Folded);
        assert_eq!(refusals.due(seconds(60)).len(), 1);
    }
}
