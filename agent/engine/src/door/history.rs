//! What is written down: one row for every question at a door, with its outcome; one for every device that comes, goes or
//! does what it may not. A device that misbehaves without end fills no disk: of the same complaint about the same device, and
//! of the same refusal of the same badge, so many a minute are written; the rest is counted and said with the next one.

use super::{Asker, DoorOutcome};
use crate::Context;
use policy::{Noun, Outcome, Reason, Record};
use std::collections::BTreeMap;
use std::time::Duration;
use values::{CredentialId, DoorName, EventId, IntentId, MemberId, Mono};

/// Rows of one kind about one device before the rest is only counted.
const BURST: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// Kinds of rows that are watched at once: all devices, a few kinds each.
const WATCHED_MAX: usize = 1_024;
/// A topic that a stranger chose is cut to this many characters before it is kept.
const TOPIC_SHOWN_CHARS: usize = 120;

/// What is known about a question when it is answered.
pub struct Asked<'a> {
    pub intent: IntentId,
    pub door: &'a DoorName,
    pub asker: &'a Asker,
    pub member: Option<MemberId>,
    pub credential: Option<CredentialId>,
    pub badge: Option<&'a str>,
}

/// A row about a question at a door.
#[must_use]
pub fn answered(cx: &mut Context<'_>, asked: &Asked<'_>, outcome: DoorOutcome, code: &str, sentence: &str) -> Record {
    let weight = match outcome {
        DoorOutcome::Opened => Outcome::Allowed,
        DoorOutcome::Refused => Outcome::Refused,
        DoorOutcome::Failed | DoorOutcome::Unknown => Outcome::Warning,
    };
    let mut record = row(cx, Noun::Door, weight, code, sentence)
        .member(asked.member)
        .credential(asked.credential)
        .place(asked.door)
        .fact("intent", asked.intent)
        .fact("outcome", outcome.as_str())
        .fact("by", asked.asker.word());
    if let Asker::Reader { device, .. } = asked.asker {
        record = record.fact("reader", device);
    }
    match asked.badge {
        Some(uid) => record.personal("badge", uid),
        None => record,
    }
}

/// A row of history at this moment.
#[must_use]
pub fn row(cx: &mut Context<'_>, noun: Noun, outcome: Outcome, code: &str, sentence: &str) -> Record {
    Record::new(EventId::generate(cx.entropy), cx.now.stamp(), noun, outcome, code, sentence)
}

/// A row about what a device may not.
#[must_use]
pub fn complaint(cx: &mut Context<'_>, reason: &Reason) -> Record {
    row(cx, Noun::Device, Outcome::Refused, reason.code(), &reason.sentence())
}

/// A row, and how many like it were not written before it.
#[must_use]
pub fn after(record: Record, suppressed: u64) -> Record {
    if suppressed > 0 { record.fact("not_shown_before", suppressed) } else { record }
}

/// A topic as it may stand in a row.
#[must_use]
pub fn shown(topic: &str) -> String {
    topic.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(TOPIC_SHOWN_CHARS).collect()
}

/// Keeps repeated complaints short.
#[derive(Default)]
pub struct Quiet {
    watched: BTreeMap<(String, &'static str), Watched>,
}

struct Watched {
    since: Mono,
    written: u32,
    suppressed: u64,
}

impl Quiet {
    /// Whether a row of this kind about this subject is written now, and how many were not since the last one.
    pub fn admit(&mut self, subject: &str, code: &'static str, now: Mono) -> Option<u64> {
        let key = (subject.to_owned(), code);
        if self.watched.len() >= WATCHED_MAX && !self.watched.contains_key(&key) {
            self.watched.retain(|_, watched| now.since(watched.since) < WINDOW);
            if self.watched.len() >= WATCHED_MAX {
                return None;
            }
        }
        let watched = self.watched.entry(key).or_insert(Watched { since: now, written: 0, suppressed: 0 });
        if now.since(watched.since) >= WINDOW {
            (watched.since, watched.written) = (now, 0);
        }
        if watched.written >= BURST {
            watched.suppressed += 1;
            return None;
        }
        watched.written += 1;
        Some(std::mem::take(&mut watched.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_complaint_is_written_ten_times_a_minute_and_then_counted() {
        let mut quiet = Quiet::default();
        let written = |quiet: &mut Quiet, at| quiet.admit("relay-street", "topic-not-allowed", Mono(at));
        assert_eq!((0..15).filter_map(|at| written(&mut quiet, at)).count(), 10);
        assert_eq!(quiet.admit("relay-studio", "topic-not-allowed", Mono(15)), Some(0));
        assert_eq!(written(&mut quiet, 60_000), Some(5));
    }
}
