//! Warnings that the network can cause at will: the first of a kind is recorded, the rest of the minute is counted.

use std::collections::BTreeMap;
use std::time::Duration;
use values::Mono;

/// One record a kind and place in this time.
const INTERVAL: Duration = Duration::from_secs(60);
/// Kinds and places that are told apart. Source addresses can be forged, so this is no promise to list them all.
const KEYS_MAX: usize = 256;
/// Of those, places of one kind: what comes from forged addresses must not hide a wrong secret, nor fill the history.
const KEYS_OF_KIND_MAX: usize = 32;

/// When a warning was last recorded, and how often it was suppressed since.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    recorded: BTreeMap<(&'static str, String), (Mono, u64)>,
}

impl Warnings {
    /// Whether to record this warning now; then with how many were suppressed before it.
    pub(super) fn may_record(&mut self, code: &'static str, place: &str, now: Mono) -> Option<u64> {
        if let Some((at, suppressed)) = self.recorded.get_mut(&(code, place.to_owned())) {
            if now.since(*at) < INTERVAL {
                *suppressed += 1;
                return None;
            }
            let before = std::mem::take(suppressed);
            *at = now;
            return Some(before);
        }
        if self.is_full(code) {
            self.recorded.retain(|_, (at, _)| now.since(*at) < INTERVAL);
        }
        if self.is_full(code) {
            return None;
        }
        self.recorded.insert((code, place.to_owned()), (now, 0));
        Some(0)
    }

    /// Whether there is no room for another place of this kind.
    fn is_full(&self, code: &'static str) -> bool {
        let of_kind = self.recorded.range((code, String::new())..).take_while(|((known, _), _)| *known == code);
        self.recorded.len() >= KEYS_MAX || of_kind.count() >= KEYS_OF_KIND_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_and_place_is_told_once_a_minute() {
        let mut warnings = Warnings::default();
        assert_eq!(warnings.may_record("a", "x", Mono(0)), Some(0));
        assert_eq!(warnings.may_record("a", "x", Mono(10)), None);
        assert_eq!(warnings.may_record("a", "y", Mono(10)), Some(0));
        assert_eq!(warnings.may_record("a", "x", Mono(60_000)), Some(1));
    }

    #[test]
    fn forged_places_fill_their_part_of_the_table_and_no_more() {
        let mut warnings = Warnings::default();
        let told = (0..10_000).filter(|n| warnings.may_record("a", &n.to_string(), Mono(0)).is_some()).count();
        assert_eq!((told, warnings.recorded.len()), (KEYS_OF_KIND_MAX, KEYS_OF_KIND_MAX));
        assert_eq!(warnings.may_record("b", "hall", Mono(0)), Some(0), "another kind has its own");
        assert_eq!(warnings.may_record("0", "hall", Mono(0)), Some(0));
        assert_eq!(warnings.may_record("a", "later", Mono(60_000)), Some(0));
    }
}
