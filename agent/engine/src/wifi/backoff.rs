//! Who has failed to log in of late, and how long a further try is held back: by device, before any TLS, and by the name that a
//! device claims inside the tunnel. Which devices have shown a key before is known too, because nobody else's tries may keep
//! those out.
//!
//! It knows no packet and decides about no person: a device that is held back is refused and may come again.
//!
//! ```text
//! one device, or one device and name:
//! 10 wrong keys: free     11th: 1 s    12th: 2 s   ...   17th and on: 60 s     a right key, or ten quiet minutes: forgotten
//! one name, all devices together:
//! wrong keys of 8 devices in ten minutes: free     of a 9th: 1 s    of a 10th: 2 s   ...   of a 23rd and more: 15 s
//! ```
//! A name is held back for its owner's new device too, which nobody can tell from a stranger's, so it is held back for seconds only,
//! and only once many devices have guessed. That still leaves who makes up a device for each guess four moments a minute, and in each as many guesses as
//! logins can be under way, at keys of 80 bits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use values::{AccessPointName, CredentialId, MacAddress, MemberId, Mono};

/// Wrong keys that cost nothing: somebody who types one from paper needs a few tries, and a phone repeats each two or three
/// times by itself.
const KEYS_FREE: u32 = 10;
/// Other failures that cost nothing. They are no guesses, so only the work that they make is bounded: a device that does not
/// trust our certificate or whose hours are over tries again every few seconds for as long as it is in the room.
const OTHERS_FREE: u32 = 30;
const HOLD_FIRST: Duration = Duration::from_secs(1);
const HOLD_MAX: Duration = Duration::from_secs(60);
/// Doublings from the first hold to the longest.
const DOUBLINGS_MAX: u32 = 6;
/// Who has been quiet for so long begins anew.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Devices whose wrong keys for one name cost only themselves: an owner, her family and a few neighbours who mistype.
const DEVICES_FREE: usize = 8;
/// The longest that a name is held back for all devices together. It grows by a second with each further device.
const NAME_HOLD_MAX: Duration = Duration::from_secs(15);
/// Devices that are told apart for one name: more do not make the hold longer. Some 24 octets each.
const DEVICES_OF_NAME_MAX: usize = DEVICES_FREE + NAME_HOLD_MAX.as_secs() as usize;
/// Devices, and names, whose failures are remembered; beyond that who failed longest ago is forgotten. To make us forget a
/// device, an attacker has to fail as often with as many others, each time with a whole TLS handshake. Some 200 octets each.
const FAILING_MAX: usize = 4_096;
/// Devices that are trusted with one credential: a key is meant for one, but phones change their address from network to
/// network and laptops have docks.
const TRUSTED_OF_CREDENTIAL_MAX: usize = 16;
/// Credentials whose devices are known: more than a site has in use. At most 16 devices each, some 10 MB in all.
const TRUSTED_CREDENTIALS_MAX: usize = 8_192;
/// Longest name that is told apart, in octets: RFC 7542 allows 253.
const NAME_MAX_BYTES: usize = 253;

/// What was wrong with a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It looked like a guess: a wrong key, or a name that nobody has.
    Guess,
    /// Something else: TLS, the plan, the hours, the device limit.
    Other,
}

/// Whom a claimed name means: the credential, or nobody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Identity {
    Known(CredentialId),
    Unknown(String),
}

impl Identity {
    pub(super) fn of(credential: Option<CredentialId>, username: &str) -> Self {
        credential.map_or_else(|| Self::unknown(username), Self::Known)
    }

    fn unknown(username: &str) -> Self {
        let end = (0..=NAME_MAX_BYTES.min(username.len())).rev().find(|&end| username.is_char_boundary(end));
        Self::Unknown(username[..end.unwrap_or(0)].to_lowercase())
    }
}

/// A device at an access point.
pub(super) type Station = (AccessPointName, MacAddress);

/// A device that claims a name; none where the access point does not say which.
type Guesser = (Identity, Option<MacAddress>);

/// Whom a device claimed to be when it failed last.
pub(super) type Claimed = (Option<MemberId>, Option<CredentialId>);

#[derive(Debug, Default)]
pub(super) struct BackOff {
    stations: Failing<Station>,
    /// A device's guesses at one name, at whichever access point.
    guessers: Failing<Guesser>,
    names: Names,
    claimed: BTreeMap<Station, Claimed>,
    trusted: Trusted,
}

impl BackOff {
    /// How long a device has to wait before it may begin a login. A device that has shown a key before never has to: whoever
    /// forges its address could keep it out otherwise, and gains a free hand for nothing but guesses at keys of 80 bits.
    pub(super) fn station_held(&self, station: &Station, now: Mono) -> Option<Duration> {
        if self.trusted.has_device(station.1) { None } else { self.stations.held(station, now) }
    }

    /// Whom a device that is held back claimed to be.
    pub(super) fn claimed(&self, station: &Station) -> Claimed {
        self.claimed.get(station).copied().unwrap_or_default()
    }

    /// How long a device's next try by this name has to wait, unless it has shown its key before.
    pub(super) fn identity_held(&self, identity: &Identity, mac: Option<MacAddress>, now: Mono) -> Option<Duration> {
        if self.trusts(identity, mac) {
            return None;
        }
        let own = self.guessers.held(&(identity.clone(), mac), now);
        own.max(self.names.held(identity, now))
    }

    fn trusts(&self, identity: &Identity, mac: Option<MacAddress>) -> bool {
        match (identity, mac) {
            (Identity::Known(credential), Some(mac)) => self.trusted.has(*credential, mac),
            (Identity::Known(_), None) | (Identity::Unknown(_), _) => false,
        }
    }

    /// A login failed. What an owner's own device does wrong is not held against her name.
    pub(super) fn failed(
        &mut self,
        station: Option<Station>,
        identity: Option<Identity>,
        claimed: Claimed,
        fault: Fault,
        now: Mono,
    ) {
        let mac = station.as_ref().map(|(_, mac)| *mac);
        if let Some(identity) = identity.filter(|identity| fault == Fault::Guess && !self.trusts(identity, mac)) {
            self.names.failed(identity.clone(), mac, now);
            self.guessers.failed((identity, mac), fault, now);
        }
        if let Some(station) = station {
            if let Some(forgotten) = self.stations.failed(station.clone(), fault, now) {
                self.claimed.remove(&forgotten);
            }
            self.claimed.insert(station, claimed);
        }
    }

    /// A device showed the key of a credential: it is trusted from now on, and its own failures are forgotten. Those of others
    /// with the same name are not.
    pub(super) fn succeeded(&mut self, station: &Station, credential: CredentialId) {
        self.guessers.forget(&(Identity::Known(credential), Some(station.1)));
        self.stations.forget(station);
        self.claimed.remove(station);
        self.trusted.add(credential, station.1);
    }

    /// A device is known to have shown this key at some time.
    pub(super) fn trust(&mut self, credential: CredentialId, mac: MacAddress) {
        self.trusted.add(credential, mac);
    }

    /// Something has changed that may turn a no of policy into a yes: who was refused by it need not wait.
    pub(super) fn forgive_others(&mut self) {
        self.stations.forgive_others();
    }
}

#[derive(Debug)]
struct Entry {
    guesses: u32,
    others: u32,
    last_at: Mono,
    /// When guesses are over, and when the other failures are.
    guess_until: Mono,
    other_until: Mono,
    /// Its place in `order`.
    turn: u64,
}

/// Failures by whom they are counted for.
#[derive(Debug)]
struct Failing<K> {
    entries: BTreeMap<K, Entry>,
    /// Who failed longest ago comes first.
    order: BTreeMap<u64, K>,
    last_turn: u64,
}

impl<K> Default for Failing<K> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), order: BTreeMap::new(), last_turn: 0 }
    }
}

impl<K: Ord + Clone> Failing<K> {
    fn held(&self, key: &K, now: Mono) -> Option<Duration> {
        let entry = self.entries.get(key)?;
        let left = entry.guess_until.max(entry.other_until).since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Counts a failure; who was forgotten for the want of room.
    fn failed(&mut self, key: K, fault: Fault, now: Mono) -> Option<K> {
        let (mut guesses, mut others, mut guess_until, mut other_until) = (0, 0, Mono(0), Mono(0));
        if let Some(known) = self.entries.remove(&key) {
            self.order.remove(&known.turn);
            if now.since(known.last_at) < REMEMBERED {
                (guesses, others) = (known.guesses, known.others);
                (guess_until, other_until) = (known.guess_until, known.other_until);
            }
        }
        match fault {
            Fault::Guess => {
                guesses += 1;
                guess_until = hold(guesses, KEYS_FREE).map_or(guess_until, |hold| now + hold);
            }
            Fault::Other => {
                others += 1;
                other_until = hold(others, OTHERS_FREE).map_or(other_until, |hold| now + hold);
            }
        }
        let forgotten = if self.entries.len() >= FAILING_MAX { self.order.pop_first() } else { None };
        if let Some((_, key)) = &forgotten {
            self.entries.remove(key);
        }
        self.last_turn += 1;
        self.order.insert(self.last_turn, key.clone());
        let entry = Entry { guesses, others, last_at: now, guess_until, other_until, turn: self.last_turn };
        self.entries.insert(key, entry);
        forgotten.map(|(_, key)| key)
    }

    fn forget(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.turn);
        }
    }

    fn forgive_others(&mut self) {
        for entry in self.entries.values_mut() {
            (entry.others, entry.other_until) = (0, Mono(0));
        }
    }
}

fn hold(failures: u32, free: u32) -> Option<Duration> {
    let beyond = failures.checked_sub(free + 1)?;
    Some((HOLD_FIRST * (1 << beyond.min(DOUBLINGS_MAX))).min(HOLD_MAX))
}

/// Names at which devices have guessed of late.
#[derive(Debug, Default)]
struct Names {
    guessed: BTreeMap<Identity, Guessed>,
    /// Who was guessed at longest ago comes first.
    order: BTreeMap<u64, Identity>,
    last_turn: u64,
}

#[derive(Debug)]
struct Guessed {
    /// Each device once, by when it did last; the one that did longest ago comes first.
    by: Vec<(Option<MacAddress>, Mono)>,
    until: Mono,
    /// Its place in `order`.
    turn: u64,
}

impl Names {
    fn held(&self, name: &Identity, now: Mono) -> Option<Duration> {
        let left = self.guessed.get(name)?.until.since(now);
        (!left.is_zero()).then_some(left)
    }

    fn failed(&mut self, name: Identity, mac: Option<MacAddress>, now: Mono) {
        let known = self.guessed.remove(&name);
        let mut by = known.map_or_else(Vec::new, |known| {
            self.order.remove(&known.turn);
            known.by
        });
        by.retain(|(known, at)| *known != mac && now.since(*at) < REMEMBERED);
        if by.len() >= DEVICES_OF_NAME_MAX {
            by.remove(0);
        }
        by.push((mac, now));
        let seconds = u64::try_from(by.len().saturating_sub(DEVICES_FREE)).unwrap_or(u64::MAX);
        let until = now + Duration::from_secs(seconds).min(NAME_HOLD_MAX);
        if self.guessed.len() >= FAILING_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.guessed.remove(&oldest);
        }
        self.last_turn += 1;
        self.order.insert(self.last_turn, name.clone());
        self.guessed.insert(name, Guessed { by, until, turn: self.last_turn });
    }
}

/// Which devices have shown which keys.
#[derive(Debug, Default)]
struct Trusted {
    /// The device that was seen last stands last.
    by_credential: BTreeMap<CredentialId, Vec<MacAddress>>,
    by_device: BTreeSet<(MacAddress, CredentialId)>,
}

impl Trusted {
    fn has(&self, credential: CredentialId, mac: MacAddress) -> bool {
        self.by_device.contains(&(mac, credential))
    }

    fn has_device(&self, mac: MacAddress) -> bool {
        let first = CredentialId::from_random([0; 16]);
        self.by_device.range((mac, first)..).next().is_some_and(|(known, _)| *known == mac)
    }

    fn add(&mut self, credential: CredentialId, mac: MacAddress) {
        if !self.by_credential.contains_key(&credential) && self.by_credential.len() >= TRUSTED_CREDENTIALS_MAX {
            // Ids are random, so this is anyone.
            if let Some((other, macs)) = self.by_credential.pop_first() {
                for mac in macs {
                    self.by_device.remove(&(mac, other));
                }
            }
        }
        let macs = self.by_credential.entry(credential).or_default();
        macs.retain(|known| *known != mac);
        if macs.len() >= TRUSTED_OF_CREDENTIAL_MAX {
            let oldest = macs.remove(0);
            self.by_device.remove(&(oldest, credential));
        }
        macs.push(mac);
        self.by_device.insert((mac, credential));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn station(n: u16) -> Station {
        let [high, low] = n.to_be_bytes();
        ("hall".parse().expect("a name"), MacAddress([2, 0, 0, 0, high, low]))
    }

    fn credential(n: u16) -> CredentialId {
        let mut id = [0; 16];
        id[14..].copy_from_slice(&n.to_be_bytes());
        CredentialId::from_random(id)
    }

    fn guess(back_off: &mut BackOff, device: u16, name: u16, now: Mono) {
        let identity = Identity::Known(credential(name));
        back_off.failed(Some(station(device)), Some(identity), (None, None), Fault::Guess, now);
    }

    #[test]
    fn wrong_keys_are_free_at_first_and_then_cost_twice_as_much_each_up_to_a_minute() {
        let mut back_off = BackOff::default();
        let mut now = Mono(0);
        let mut holds = Vec::new();
        for _ in 0..19 {
            guess(&mut back_off, 1, 1, now);
            let held = back_off.station_held(&station(1), now).unwrap_or_default();
            let as_name = back_off.identity_held(&Identity::Known(credential(1)), Some(station(1).1), now);
            assert_eq!(as_name.unwrap_or_default(), held);
            assert_eq!(back_off.identity_held(&Identity::Known(credential(1)), Some(station(2).1), now), None);
            holds.push(held.as_secs());
            now = now + held;
            assert_eq!(back_off.station_held(&station(1), now), None, "a hold ends by itself");
        }
        assert_eq!(holds, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        guess(&mut back_off, 1, 1, now + REMEMBERED);
        assert_eq!(back_off.station_held(&station(1), now + REMEMBERED), None, "who was quiet begins anew");
    }

    #[test]
    fn nobody_else_keeps_an_owners_device_out() {
        let mut back_off = BackOff::default();
        back_off.succeeded(&station(1), credential(1));
        for device in 2..40 {
            guess(&mut back_off, device, 1, Mono(0));
        }
        for _ in 0..40 {
            guess(&mut back_off, 1, 2, Mono(0)); // with a forged address
        }
        let name = Identity::Known(credential(1));
        assert_eq!(back_off.station_held(&station(1), Mono(0)), None);
        assert_eq!(back_off.identity_held(&name, Some(station(1).1), Mono(0)), None);
        assert!(back_off.identity_held(&name, Some(station(50).1), Mono(0)).is_some());
        assert!(back_off.identity_held(&Identity::Known(credential(2)), Some(station(1).1), Mono(0)).is_some());
    }

    #[test]
    fn a_name_is_held_back_for_all_once_many_devices_have_guessed_and_for_seconds_only() {
        let mut back_off = BackOff::default();
        let name = Identity::Known(credential(1));
        let mut now = Mono(0);
        let mut holds = Vec::new();
        for device in 0..30 {
            guess(&mut back_off, device, 1, now);
            let held = back_off.identity_held(&name, Some(station(99).1), now).unwrap_or_default();
            holds.push(held.as_secs());
            now = now + held;
        }
        assert_eq!(holds[..12], [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(holds[22..], [15; 8]);
        // Made-up devices get four guesses a minute from then on, for as long as they like.
        let from = now;
        let mut guesses = 0;
        for device in 1_000..2_000 {
            match back_off.identity_held(&name, Some(station(device).1), now) {
                Some(held) => now = now + held,
                None => {
                    guess(&mut back_off, device, 1, now);
                    guesses += 1;
                }
            }
        }
        let minutes = now.since(from).as_secs() / 60;
        assert!(guesses > 100 && guesses <= 4 * minutes + 4, "{guesses} in {minutes} minutes");
        assert_eq!(back_off.identity_held(&name, Some(station(99).1), now + NAME_HOLD_MAX), None);
    }

    #[test]
    fn other_failures_are_free_for_longer_and_are_forgiven_when_policy_changes() {
        let mut back_off = BackOff::default();
        for _ in 0..=OTHERS_FREE {
            assert_eq!(back_off.station_held(&station(1), Mono(0)), None);
            back_off.failed(Some(station(1)), None, (None, None), Fault::Other, Mono(0));
        }
        assert!(back_off.station_held(&station(1), Mono(0)).is_some());
        back_off.forgive_others();
        assert_eq!(back_off.station_held(&station(1), Mono(0)), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let mut back_off = BackOff::default();
        for _ in 0..=KEYS_FREE {
            guess(&mut back_off, 0, 0, Mono(0));
        }
        for n in 1..5_000 {
            guess(&mut back_off, n, n, Mono(1));
        }
        assert_eq!(back_off.station_held(&station(0), Mono(1)), None);
        let sizes = (back_off.stations.entries.len(), back_off.stations.order.len(), back_off.claimed.len());
        assert_eq!(sizes, (FAILING_MAX, FAILING_MAX, FAILING_MAX));
        assert_eq!(back_off.guessers.entries.len(), FAILING_MAX);
        assert_eq!((back_off.names.guessed.len(), back_off.names.order.len()), (FAILING_MAX, FAILING_MAX));
        for n in 0..100 {
            guess(&mut back_off, n, 4_999, Mono(2));
        }
        let widest = back_off.names.guessed.values().map(|guessed| guessed.by.len()).max();
        assert_eq!(widest, Some(DEVICES_OF_NAME_MAX));
        for n in 0..9_000 {
            back_off.trust(credential(n), station(1).1);
            back_off.trust(credential(1), station(n).1);
        }
        assert!(back_off.trusted.by_credential.len() <= TRUSTED_CREDENTIALS_MAX);
        assert!(back_off.trusted.by_device.len() <= TRUSTED_CREDENTIALS_MAX + TRUSTED_OF_CREDENTIAL_MAX);
        assert!(
            back_off.trusted.has(credential(1), station(8_999).1) && !back_off.trusted.has(credential(1), station(1).1)
        );
    }

    #[test]
    fn a_name_is_told_apart_by_case_and_length_no_further_than_it_may_be() {
        assert_eq!(Identity::of(None, "Bob"), Identity::of(None, "bob"));
        assert_eq!(Identity::of(None, &"é".repeat(500)), Identity::of(None, &"é".repeat(400)));
        assert_ne!(Identity::of(None, "bob"), Identity::of(None, "alice"));
    }
}
