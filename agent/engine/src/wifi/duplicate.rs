//! Requests that were seen a moment ago (RFC 5080, 2.2.2): a retransmission is answered with the bytes of the first answer,
//! or dropped while there is none yet.

use super::receive::Way;
use proto::radius::Authenticator;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use values::{AccessPointName, Mono};

/// How long a request is remembered. hostapd repeats after 3 and 9 s; a third repetition comes when the device has given up.
pub(super) const KEEP: Duration = Duration::from_secs(10);
/// Requests remembered at one time: ten seconds of 400 logins a second at eight requests each, beyond which the oldest go
/// early. Only the newest of a login keeps its answer (200 octets at the end of a login, 1,100 in its middle).
const ENTRIES_MAX: usize = 32_768;

/// The client and its Identifier.
pub(super) type Key = (Client, u8);

/// Who counts Identifiers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Client {
    /// Source address and source port (RFC 5080, 2.2.2).
    Udp(SocketAddr),
    /// The access point, over whichever connection: one that lost its connection sends what was not answered over the next.
    RadSec(AccessPointName),
}

#[derive(Debug)]
struct Entry {
    authenticator: Authenticator,
    answer: Answer,
    /// Where it came from when it was repeated before it was answered: by RadSec that may be another connection.
    repeated_by: Option<Way>,
}

#[derive(Debug)]
enum Answer {
    None,
    Sent(Arc<[u8]>),
    /// The asker has gone on to the next request, so it has this answer.
    Arrived,
}

/// What is known about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    New,
    /// Dropped: its answer is being made, or has arrived.
    Superfluous,
    Answered(Arc<[u8]>),
}

#[derive(Debug, Default)]
pub(super) struct Duplicates {
    entries: BTreeMap<Key, Entry>,
    /// In the order of arrival; what was forgotten or superseded since is skipped.
    order: VecDeque<(Mono, Key, Authenticator)>,
}

impl Duplicates {
    /// Looks a request up and, if it is new, keeps it. A new request with an identifier in use supersedes the old one.
    pub(super) fn check(&mut self, key: Key, authenticator: Authenticator, now: Mono) -> Seen {
        self.expire(now);
        match self.entries.get(&key) {
            Some(Entry { authenticator: known, answer, .. }) if *known == authenticator => match answer {
                Answer::Sent(bytes) => Seen::Answered(Arc::clone(bytes)),
                Answer::None | Answer::Arrived => Seen::Superfluous,
            },
            _ => {
                self.entries.insert(key.clone(), Entry { authenticator, answer: Answer::None, repeated_by: None });
                self.order.push_back((now, key, authenticator));
                Seen::New
            }
        }
    }

    /// Keeps the answer; which way it goes, if the request was repeated meanwhile.
    pub(super) fn answered(&mut self, key: &Key, authenticator: &Authenticator, bytes: Arc<[u8]>) -> Option<Way> {
        let entry = self.entries.get_mut(key).filter(|entry| entry.authenticator == *authenticator)?;
        entry.answer = Answer::Sent(bytes);
        entry.repeated_by
    }

    /// A request came again before it was answered.
    pub(super) fn asked_again(&mut self, key: &Key, authenticator: &Authenticator, by: Way) {
        if let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.authenticator == *authenticator) {
            entry.repeated_by = Some(by);
        }
    }

    /// Drops the answer to a request whose asker has gone on.
    pub(super) fn arrived(&mut self, key: &Key, authenticator: &Authenticator) {
        if let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.authenticator == *authenticator) {
            entry.answer = Answer::Arrived;
        }
    }

    /// Gives a request up without an answer: when it comes again, it is new.
    pub(super) fn forget(&mut self, key: &Key, authenticator: &Authenticator) {
        if self.entries.get(key).is_some_and(|entry| entry.authenticator == *authenticator) {
            self.entries.remove(key);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Drops what is too old, and the oldest when there is too much.
    pub(super) fn expire(&mut self, now: Mono) {
        while let Some((at, _, _)) = self.order.front() {
            if now.since(*at) < KEEP && self.order.len() <= ENTRIES_MAX {
                break;
            }
            if let Some((_, key, authenticator)) = self.order.pop_front() {
                self.forget(&key, &authenticator);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = (Client::Udp(SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5000)), 7);

    fn seconds(n: u64) -> Mono {
        Mono(n * 1_000)
    }

    #[test]
    fn a_retransmission_waits_for_the_answer_and_then_gets_the_same_one() {
        let mut duplicates = Duplicates::default();
        assert_eq!(duplicates.check(KEY, [1; 16], seconds(0)), Seen::New);
        assert_eq!(duplicates.check(KEY, [1; 16], seconds(1)), Seen::Superfluous);
        duplicates.answered(&KEY, &[1; 16], Arc::from([1, 2, 3]));
        assert_eq!(duplicates.check(KEY, [1; 16], seconds(9)), Seen::Answered(Arc::from([1, 2, 3])));
        assert_eq!(duplicates.check(KEY, [1; 16], seconds(11)), Seen::New, "too long ago");
    }

    #[test]
    fn another_authenticator_is_another_request() {
        let mut duplicates = Duplicates::default();
        assert_eq!(duplicates.check(KEY, [1; 16], seconds(0)), Seen::New);
        assert_eq!(duplicates.check(KEY, [2; 16], seconds(0)), Seen::New);
        duplicates.answered(&KEY, &[1; 16], Arc::from([1]));
        assert_eq!(
            duplicates.check(KEY, [2; 16], seconds(0)),
            Seen::Superfluous,
            "the old answer is not the new one's"
        );
    }

    #[test]
    fn a_straggler_of_an_earlier_step_is_dropped() {
        let mut duplicates = Duplicates::default();
        assert_eq!(duplicates.check(KEY, [1; 16], seconds(0)), Seen::New);
        duplicates.answered(&KEY, &[1; 16], Arc::from([1]));
        duplicates.arrived(&KEY, &[1; 16]);
        assert_eq!(duplicates.check(KEY, [1; 16], seconds(1)), Seen::Superfluous);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut duplicates = Duplicates::default();
        for port in 0..=u16::try_from(ENTRIES_MAX).expect("fewer than ports") {
            let client = Client::Udp((std::net::Ipv4Addr::LOCALHOST, port).into());
            duplicates.check((client, 0), [0; 16], seconds(0));
        }
        assert!(duplicates.entries.len() <= ENTRIES_MAX + 1);
        let client = Client::Udp((std::net::Ipv4Addr::LOCALHOST, 0).into());
        assert_eq!(duplicates.check((client, 0), [0; 16], seconds(0)), Seen::New);
    }
}
