//! Finding whose passphrase a device has typed: the search itself, which whoever runs it does alone, and what bounds it, since a
//! guest can begin one with every association. It decides nothing about a person.
//!
//! Two numbers keep a search from being a way to burn the box's time: a device that has failed [`FAILURES_FREE`] times in a
//! minute is not searched for again in it, and the devices of one access point together, which may each be made up, have a budget
//! of keys a second. A device that used a passphrase before is found without a search.

use super::mac_auth::Applicant;
use policy::snapshot::Shared;
use policy::wifi::device::{Candidate, candidates};
use policy::{Credential, CredentialKind, Snapshot};
use proto::wpa::Handshake;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use values::{AccessPointName, CredentialId, MacAddress, Mono};

/// Keys tried in one search: as many passphrases as a site may have members. A key takes 0.6 us where the processor has
/// instructions for SHA and 2.4 us where it has not (both measured), so a whole search takes 12 ms or 50.
const CANDIDATES_MAX: usize = 20_000;
/// Keys tried on the engine's own task: at most 150 us, about what a step of a login takes there.
const SHORT_MAX: usize = 64;
/// Searches that workers may have at one time; beyond it access points ask again.
const SEARCHES_MAX: usize = 64;
/// Failed searches of one device in [`FAILURES_KEPT`] that cost nothing: a passphrase is mistyped a few times, and devices try
/// each three times by themselves.
const FAILURES_FREE: u32 = 10;
const FAILURES_KEPT: Duration = Duration::from_secs(60);
/// Devices whose failures are remembered; forged addresses beyond that are bounded by the access point's budget.
const FAILING_MAX: usize = 4_096;
/// Keys that the unknown devices of one access point may cost in a second, and at once: a tenth of a slow core.
const KEYS_PER_SECOND: u64 = 50_000;
const KEYS_AT_ONCE: u64 = 150_000;
/// Devices whose passphrase is remembered: four times the sessions of a large site.
const LEARNED_MAX: usize = 16_384;

/// A search for the passphrase of a handshake: HMAC only, since the keys were worked out when the passphrases were issued.
#[derive(Clone, Debug)]
pub struct KeySearch {
    handshake: Handshake,
    candidates: Arc<[Candidate]>,
}

impl KeySearch {
    pub(super) fn new(handshake: Handshake, candidates: Arc<[Candidate]>) -> Self {
        Self { handshake, candidates }
    }

    pub(super) fn len(&self) -> usize {
        self.candidates.len()
    }

    /// Whether it is done sooner than handed over.
    pub(super) fn is_short(&self) -> bool {
        self.len() <= SHORT_MAX
    }

    /// Whose passphrase it is, if it is anybody's.
    #[must_use]
    pub fn run(&self) -> Option<CredentialId> {
        self.candidates.iter().find(|candidate| self.handshake.fits(&candidate.pmk)).map(|found| found.credential)
    }
}

/// Which of the credentials may be typed on each SSID, as long as the passphrases among them stay the same.
#[derive(Debug, Default)]
struct Known {
    credentials: Shared<CredentialId, Credential>,
    by_ssid: BTreeMap<String, Arc<[Candidate]>>,
}

impl Known {
    /// Forgets what was found when a passphrase was issued, revoked or prepared since; other credentials do not matter.
    fn follow(&mut self, snapshot: &Snapshot) {
        let mut is_outdated = false;
        self.credentials.differing(&snapshot.credentials, |credential| is_outdated |= is_passphrase(credential));
        if is_outdated {
            self.by_ssid.clear();
        }
        self.credentials = snapshot.credentials.clone();
    }
}

const fn is_passphrase(credential: &Credential) -> bool {
    match credential.kind {
        CredentialKind::WifiPassphrase { .. } => true,
        CredentialKind::WifiKey { .. }
        | CredentialKind::Badge { .. }
        | CredentialKind::PrintToken { .. }
        | CredentialKind::DeviceCertificate { .. }
        | CredentialKind::RegisteredDevice { .. } => false,
    }
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    since: Mono,
}

#[derive(Clone, Copy, Debug)]
struct Budget {
    left: u64,
    at: Mono,
}

#[derive(Debug, Default)]
pub(super) struct Passphrases {
    known: Known,
    learned: BTreeMap<MacAddress, (CredentialId, Mono)>,
    /// The same by when it was learned: somebody with one passphrase can make up any number of devices, and none of them may
    /// cost a look at all others.
    learned_order: BTreeSet<(Mono, MacAddress)>,
    failing: BTreeMap<MacAddress, Failures>,
    /// The same by the first failure.
    failing_order: BTreeSet<(Mono, MacAddress)>,
    /// By access point: as many as the site file has.
    budgets: BTreeMap<AccessPointName, Budget>,
    searching: BTreeMap<u64, Applicant>,
    last_token: u64,
}

impl Passphrases {
    /// What may have been typed on an SSID.
    pub(super) fn candidates(&mut self, snapshot: &Snapshot, ssid: &str) -> Arc<[Candidate]> {
        self.known.follow(snapshot);
        if let Some(known) = self.known.by_ssid.get(ssid) {
            return Arc::clone(known);
        }
        let found: Arc<[Candidate]> = candidates(snapshot, ssid).into_iter().take(CANDIDATES_MAX).collect();
        self.known.by_ssid.insert(ssid.to_owned(), Arc::clone(&found)); // one of the site file's, or nobody asks for it
        found
    }

    pub(super) fn learned(&self, mac: MacAddress) -> Option<CredentialId> {
        self.learned.get(&mac).map(|(credential, _)| *credential)
    }

    /// A device has used this passphrase.
    pub(super) fn learn(&mut self, mac: MacAddress, credential: CredentialId, now: Mono) {
        self.forgive(mac);
        if let Some((_, before)) = self.learned.insert(mac, (credential, now)) {
            self.learned_order.remove(&(before, mac));
        }
        self.learned_order.insert((now, mac));
        if self.learned.len() > LEARNED_MAX
            && let Some((_, oldest)) = self.learned_order.pop_first()
        {
            self.learned.remove(&oldest);
        }
    }

    fn forgive(&mut self, mac: MacAddress) {
        if let Some(failures) = self.failing.remove(&mac) {
            self.failing_order.remove(&(failures.since, mac));
        }
    }

    /// Nobody's passphrase fitted.
    pub(super) fn failed(&mut self, mac: MacAddress, now: Mono) {
        while let Some(&(since, over)) = self.failing_order.first()
            && now.since(since) >= FAILURES_KEPT
        {
            self.forgive(over);
        }
        if let Some(failures) = self.failing.get_mut(&mac) {
            failures.count += 1;
        } else if self.failing.len() < FAILING_MAX {
            self.failing.insert(mac, Failures { count: 1, since: now });
            self.failing_order.insert((now, mac));
        }
    }

    /// Whether a device has failed too often to be searched for again.
    pub(super) fn is_held(&self, mac: MacAddress, now: Mono) -> bool {
        let failures = self.failing.get(&mac).filter(|failures| now.since(failures.since) < FAILURES_KEPT);
        failures.is_some_and(|failures| failures.count >= FAILURES_FREE)
    }

    /// Takes so many keys out of the access point's budget; false when there are not enough, or too many searches under way.
    pub(super) fn may_search(&mut self, point: &AccessPointName, keys: usize, now: Mono) -> bool {
        if self.searching.len() >= SEARCHES_MAX {
            return false;
        }
        let budget = self.budgets.entry(point.clone()).or_insert(Budget { left: KEYS_AT_ONCE, at: now });
        let millis = u64::try_from(now.since(budget.at).as_millis()).unwrap_or(u64::MAX);
        budget.left = budget.left.saturating_add(millis.saturating_mul(KEYS_PER_SECOND / 1_000)).min(KEYS_AT_ONCE);
        budget.at = now;
        let keys = keys as u64;
        let enough = budget.left >= keys;
        if enough {
            budget.left -= keys;
        }
        enough
    }

    /// Hands a search to a worker.
    pub(super) fn begin(&mut self, applicant: Applicant) -> u64 {
        self.last_token += 1;
        self.searching.insert(self.last_token, applicant);
        self.last_token
    }

    pub(super) fn end(&mut self, token: u64) -> Option<Applicant> {
        self.searching.remove(&token)
    }

    /// Searches under way.
    #[cfg(test)]
    pub(super) fn searching(&self) -> usize {
        self.searching.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(n: u32) -> MacAddress {
        let [a, b, c, d] = n.to_be_bytes();
        MacAddress([2, 0, a, b, c, d])
    }

    #[test]
    fn a_device_that_fails_again_and_again_is_held_for_a_minute() {
        let mut passphrases = Passphrases::default();
        for n in 0..FAILURES_FREE {
            assert!(!passphrases.is_held(mac(1), Mono(u64::from(n))));
            passphrases.failed(mac(1), Mono(u64::from(n)));
        }
        assert!(passphrases.is_held(mac(1), Mono(10)));
        assert!(!passphrases.is_held(mac(2), Mono(10)), "others are not");
        assert!(!passphrases.is_held(mac(1), Mono(60_000)));
        passphrases.learn(mac(1), CredentialId::from_random([1; 16]), Mono(20));
        assert!(!passphrases.is_held(mac(1), Mono(20)), "the right one ends it");
    }

    #[test]
    fn made_up_devices_cost_an_access_point_its_own_budget() {
        let mut passphrases = Passphrases::default();
        let (hall, attic): (AccessPointName, AccessPointName) =
            ("hall".parse().expect("a name"), "attic".parse().expect("a name"));
        let searches = |passphrases: &mut Passphrases, point: &AccessPointName, now: Mono| {
            (0..1_000).filter(|_| passphrases.may_search(point, 5_000, now)).count()
        };
        assert_eq!(searches(&mut passphrases, &hall, Mono(0)), 30);
        assert_eq!(searches(&mut passphrases, &hall, Mono(1_000)), 10, "ten a second from then on");
        assert_eq!(searches(&mut passphrases, &attic, Mono(1_000)), 30);
    }

    #[test]
    fn tables_are_bounded() {
        let mut passphrases = Passphrases::default();
        for n in 0..20_000 {
            passphrases.failed(mac(n), Mono(0));
            passphrases.learn(mac(n + 1_000_000), CredentialId::from_random([1; 16]), Mono(u64::from(n)));
        }
        assert_eq!((passphrases.failing.len(), passphrases.learned.len()), (FAILING_MAX, LEARNED_MAX));
        assert_eq!((passphrases.failing_order.len(), passphrases.learned_order.len()), (FAILING_MAX, LEARNED_MAX));
        assert!(passphrases.learned(mac(1_000_000)).is_none() && passphrases.learned(mac(1_019_999)).is_some());
        passphrases.failed(mac(30_000), Mono(60_000));
        assert_eq!(passphrases.failing.len(), 1, "the minute is over");
    }
}
