//! The table of logins under way, and who has a place in it. Each may hold a TLS connection and anybody in the room can begin
//! one, so a device has few at a time, and who has only knocked gives way to who comes after: a real device answers within
//! milliseconds and is no newcomer any more.
//!
//! ```text
//! insert --> newcomer --its second packet--> in progress --> removed
//!               |  table full, or 10 s of silence   |              ^
//!               |                                   | table full and 5 s of silence, or 60 s of silence
//!               +-----------------------------------+--------------+
//! ```
//! Either is removed after 120 s whatever it sends, and the one that holds most when half-built messages take too much room.

use super::login::{Login, StateKey};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use values::{AccessPointName, MacAddress, Mono};

/// Logins under way at one time: each may hold a TLS connection of some 20 KB, so this is 80 MB, and what they hold of messages
/// half put together comes to it.
const LOGINS_MAX: usize = 4_096;
/// What all logins together may hold of messages that are not whole yet: 4 KB each for as many as there may be, more than a device's
/// certificate and its chain have as a rule, though each alone may grow to 64 KiB. Beyond it the one that holds most gives way, so
/// that who needs little is safe.
const HELD_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Of those with a worker, how many may be there before no new login is begun. Two cores do this many in a second, and a
/// device that waits longer than three begins again, so taking more in would only make all of them late.
const WORKING_MAX: usize = 1_024;
/// Logins of one device: it has one, and leaves a few behind when the air is bad; one address that has more is forged.
const OF_DEVICE_MAX: usize = 16;
/// Silence that costs a login in progress its place when somebody else needs it: an access point repeats after 3 s.
const SILENT_MAX: Duration = Duration::from_secs(5);

type Device = (AccessPointName, MacAddress);

#[derive(Default)]
pub(super) struct Logins {
    by_state: BTreeMap<StateKey, Place>,
    /// The oldest first.
    by_device: BTreeMap<Device, Vec<StateKey>>,
    /// Logins whose device has not answered yet, and the others, each by when their device was heard last.
    newcomers: BTreeMap<u64, StateKey>,
    in_progress: BTreeMap<u64, StateKey>,
    /// Steps that are with a worker.
    working: BTreeMap<u64, StateKey>,
    /// Logins that hold a part of a message, by how many octets of it; and the sum.
    holding: BTreeSet<(usize, StateKey)>,
    held_bytes: usize,
    last_token: u64,
    last_turn: u64,
}

struct Place {
    login: Login,
    /// Under which it stands among the newcomers or those in progress.
    turn: u64,
    device: Option<Device>,
    /// Under which it stands among those that hold a part of a message; 0 for none.
    held_bytes: usize,
}

/// Who has to go before a new login is begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Free,
    /// This one gives way.
    Of(StateKey),
    None,
}

impl Logins {
    pub(super) fn is_empty(&self) -> bool {
        self.by_state.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.by_state.len()
    }

    pub(super) fn get_mut(&mut self, state: &StateKey) -> Option<&mut Login> {
        self.by_state.get_mut(state).map(|place| &mut place.login)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&StateKey, &Login)> {
        self.by_state.iter().map(|(state, place)| (state, &place.login))
    }

    /// Whether one more login may be begun by this device.
    pub(super) fn room(&self, point: &AccessPointName, mac: Option<MacAddress>, now: Mono) -> Room {
        if self.working.len() >= WORKING_MAX {
            return Room::None;
        }
        let own = mac.and_then(|mac| self.by_device.get(&(point.clone(), mac)));
        if let Some(oldest) = own.filter(|own| own.len() >= OF_DEVICE_MAX).and_then(|own| own.first()) {
            return Room::Of(*oldest);
        }
        if self.by_state.len() < LOGINS_MAX {
            return Room::Free;
        }
        let login = |state: &StateKey| self.by_state.get(state).map(|place| &place.login);
        let waits = |state: &&StateKey| login(state).is_some_and(Login::waits);
        let silent = |state: &&StateKey| login(state).is_some_and(|login| login.silent_for(now) >= SILENT_MAX);
        let newcomer = self.newcomers.values().find(waits);
        newcomer
            .or_else(|| self.in_progress.values().find(waits).filter(silent))
            .map_or(Room::None, |state| Room::Of(*state))
    }

    pub(super) fn insert(&mut self, state: StateKey, login: Login) {
        self.last_turn += 1;
        self.newcomers.insert(self.last_turn, state);
        let device = login.mac.map(|mac| (login.question.access_point.clone(), mac));
        self.by_state.insert(state, Place { login, turn: self.last_turn, device: device.clone(), held_bytes: 0 });
        self.belongs_to(state, device);
    }

    /// Its device has answered, and is no newcomer any more.
    pub(super) fn went_on(&mut self, state: &StateKey) {
        let Some(place) = self.by_state.get_mut(state) else { return };
        self.last_turn += 1;
        self.newcomers.remove(&place.turn);
        self.in_progress.remove(&place.turn);
        place.turn = self.last_turn;
        self.in_progress.insert(self.last_turn, *state);
    }

    /// It came through this access point, which may be another than before.
    pub(super) fn moved(&mut self, state: &StateKey, through: &AccessPointName) {
        let Some(place) = self.by_state.get_mut(state) else { return };
        let Some((point, mac)) = place.device.take_if(|(point, _)| point != through) else { return };
        let device = Some((through.clone(), mac));
        place.device.clone_from(&device);
        self.no_longer_of(state, Some((point, mac)));
        self.belongs_to(*state, device);
    }

    pub(super) fn remove(&mut self, state: &StateKey) -> Option<Login> {
        let Place { login, turn, device, held_bytes } = self.by_state.remove(state)?;
        self.let_go(state, held_bytes);
        self.newcomers.remove(&turn);
        self.in_progress.remove(&turn);
        self.no_longer_of(state, device);
        if let Some(token) = login.token() {
            self.working.remove(&token);
        }
        Some(login)
    }

    /// It holds so many octets of a message that is not whole yet; who has to go because all hold too much.
    pub(super) fn holds(&mut self, state: &StateKey, bytes: usize) -> Option<StateKey> {
        let place = self.by_state.get_mut(state)?;
        let before = std::mem::replace(&mut place.held_bytes, bytes);
        if before != bytes {
            self.let_go(state, before);
            if bytes > 0 {
                self.holding.insert((bytes, *state));
                self.held_bytes += bytes;
            }
        }
        let largest = self.holding.last().filter(|_| self.held_bytes > HELD_MAX_BYTES);
        largest.map(|(_, state)| *state)
    }

    fn let_go(&mut self, state: &StateKey, bytes: usize) {
        if self.holding.remove(&(bytes, *state)) {
            self.held_bytes -= bytes;
        }
    }

    fn belongs_to(&mut self, state: StateKey, device: Option<Device>) {
        if let Some(device) = device {
            self.by_device.entry(device).or_default().push(state);
        }
    }

    fn no_longer_of(&mut self, state: &StateKey, device: Option<Device>) {
        let Some(device) = device else { return };
        if let Some(states) = self.by_device.get_mut(&device) {
            states.retain(|known| known != state);
            if states.is_empty() {
                self.by_device.remove(&device);
            }
        }
    }

    /// A step goes to a worker.
    pub(super) fn begin_work(&mut self, state: StateKey) -> u64 {
        self.last_token += 1;
        self.working.insert(self.last_token, state);
        self.last_token
    }

    /// A step came back; whose it is, if it is still wanted.
    pub(super) fn end_work(&mut self, token: u64) -> Option<StateKey> {
        self.working.remove(&token)
    }

    /// What all hold of messages that are not whole yet.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether no look-up holds more than the table does.
    #[cfg(test)]
    pub(super) fn is_consistent(&self) -> bool {
        let of_devices: usize = self.by_device.values().map(Vec::len).sum();
        let with_device = self.by_state.values().filter(|place| place.device.is_some()).count();
        let working = self.by_state.values().filter(|place| !place.login.waits()).count();
        of_devices == with_device
            && self.held_bytes == self.holding.iter().map(|(bytes, _)| bytes).sum::<usize>()
            && self.held_bytes == self.by_state.values().map(|place| place.held_bytes).sum::<usize>()
            && self.held_bytes <= HELD_MAX_BYTES
            && self.newcomers.len() + self.in_progress.len() == self.by_state.len()
            && self.working.len() == working
    }
}
