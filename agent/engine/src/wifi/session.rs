//! The table of sessions: who was let in, what access points report of it, and the look-ups by member, device and
//! Acct-Session-Id. It decides nothing; accounting.rs, login.rs and leave.rs move the sessions along.
//!
//! ```text
//! login by a key --> Admitted --60 s without Start--> Unreported <-- login by an address alone
//!                       |                              |  \--Session-Timeout--> forgotten
//!                       +------ Accounting Start ------+--> Open --Stop, Accounting-On, silence--> ended (kept 5 minutes for a late Stop)
//! ```
//! One that falls silent after its device logged in again by its address goes back to Unreported: it holds no place, but can be sent
//! away.
//! Beside the stage, a session that has to go carries a [`Leaving`].

use super::disconnect::Leaving;
use super::duplicate::Key;
use super::presence::{Presence, SessionPhase, SessionView};
use super::terms::Ending;
use policy::SessionRow;
use policy::wifi::{Admission, Terms};
use proto::radius::Authenticator;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use values::{AccessPointName, CredentialId, MacAddress, MemberId, Mono, SessionId};

/// Sessions followed at one time. A site has some hundreds of devices; this is what 64 MiB hold with room to spare.
pub(super) const SESSIONS_MAX: usize = 16_384;
/// Of those, how many logins may make; beyond it they are refused, so that nobody is online whom a suspension would not reach. The
/// rest is for devices that are online by what access points report, though nobody here let them in: before a restart, or
/// elsewhere.
pub(super) const SESSIONS_OF_LOGINS_MAX: usize = SESSIONS_MAX - 1_024;
/// How long a device's place is held for the access point's Accounting Start.
pub(super) const PLACE_HELD: Duration = Duration::from_secs(60);
/// How long an ended session is known, so that a late or repeated Stop finds its row: longer than any retransmission.
const ENDED_KEPT: Duration = Duration::from_secs(300);
/// Ended sessions known at one time.
const ENDED_MAX: usize = 1_024;

/// Sessions that one look for room finds, so that each of many devices that need some costs a small share of a look at all.
const STALE_KEPT: usize = 1_024;
/// How soon it is worth a look again when the last one found all that there was: one takes about a millisecond.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The NAS's own name of a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AcctKey {
    pub(super) access_point: AccessPointName,
    pub(super) nas: String,
    pub(super) acct_session_id: String,
}

impl AcctKey {
    pub(super) fn of(row: &SessionRow) -> Self {
        let (access_point, nas) = (row.access_point.clone(), row.nas.clone());
        Self { access_point, nas, acct_session_id: row.acct_session_id.clone() }
    }

    pub(super) fn is_of(&self, row: &SessionRow) -> bool {
        row.acct_session_id == self.acct_session_id && row.access_point == self.access_point && row.nas == self.nas
    }
}

/// One NAS, by the access point of the site file that it stands behind and what it calls itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct NasOf<'a> {
    pub(super) access_point: &'a AccessPointName,
    pub(super) nas: &'a str,
}

impl NasOf<'_> {
    /// Whether a session is its. Where either says no name, the access point is one NAS.
    pub(super) fn has(&self, row: &SessionRow) -> bool {
        row.access_point == *self.access_point && (row.nas == self.nas || row.nas.is_empty() || self.nas.is_empty())
    }
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Admitted {
        place_until: Mono,
    },
    Unreported {
        until: Mono,
    },
    Open {
        /// When silence ends it.
        silent_at: Mono,
    },
}

#[derive(Debug)]
pub(super) struct Session {
    /// What others see, shared with the last Presence until it changes.
    view: Arc<SessionView>,
    pub(super) stage: Stage,
    /// What the NAS called itself when it asked about the device last: some report sessions by another name.
    pub(super) asked_by: String,
    /// Set while the session has to go.
    pub(super) leaving: Option<Leaving>,
    /// When its terms end and it must be judged again.
    pub(super) judge_at: Option<Mono>,
    /// What the access point was told; none for a session of before a restart, or that this box did not admit.
    pub(super) told: Option<Terms>,
    pub(super) ending: Ending,
    /// The counters from and to the device when it logged in last.
    pub(super) counted_from: (u64, u64),
    /// The request that was answered with its last Access-Accept: once the session has to go, that answer is not repeated.
    pub(super) accepted: Option<(Key, Authenticator)>,
    /// Session-Timeout as last given: an unreported session is gone by then.
    pub(super) timeout: Duration,
    /// When it was written down last that the device was let in by its address.
    pub(super) noted_at: Option<Mono>,
    /// When the device came to this access point; the beginning of time for a session of before a restart.
    pub(super) began: Mono,
    /// It came without a place: it was let in, but its place was not held any more when its access point told of it, or nobody
    /// here let it in. It stays if its member has a place left.
    pub(super) is_extra: bool,
    /// Its Start was heard: another one is not its straggler.
    pub(super) start_heard: bool,
    /// The Class that its access point gave when it reported it first: a device that came back without a login has that of an
    /// earlier session.
    pub(super) class: Option<SessionId>,
    /// Its device has shown a key or a handshake in a login of this session.
    pub(super) proven: bool,
    /// Until when the device was let in again, by its address alone and since its access point told of it last.
    pub(super) repeated_until: Option<Mono>,
}

impl Session {
    pub(super) fn new(row: SessionRow, stage: Stage, timeout: Duration) -> Self {
        let view = Arc::new(SessionView { row, phase: SessionPhase::Admitted });
        Self {
            view,
            stage,
            asked_by: String::new(),
            leaving: None,
            judge_at: None,
            told: None,
            ending: Ending::default(),
            counted_from: (0, 0),
            accepted: None,
            timeout,
            noted_at: None,
            began: Mono(0),
            is_extra: false,
            start_heard: false,
            class: None,
            proven: false,
            repeated_until: None,
        }
    }

    /// The device has just been let in on these terms.
    pub(super) fn begin_terms(&mut self, admission: &Admission) {
        self.told = Some(admission.terms());
        self.ending.set(admission);
        self.counted_from = (self.row().rx_bytes, self.row().tx_bytes);
    }

    pub(super) fn row(&self) -> &SessionRow {
        &self.view.row
    }

    pub(super) fn row_mut(&mut self) -> &mut SessionRow {
        &mut Arc::make_mut(&mut self.view).row
    }

    fn phase(&self) -> SessionPhase {
        match (&self.leaving, self.stage) {
            (Some(leaving), _) => leaving.phase(),
            (None, Stage::Admitted { .. }) => SessionPhase::Admitted,
            (None, Stage::Unreported { .. }) => SessionPhase::Unreported,
            (None, Stage::Open { .. }) => SessionPhase::Open,
        }
    }

    fn takes_a_place(&self) -> bool {
        match self.stage {
            Stage::Admitted { .. } | Stage::Open { .. } => true,
            Stage::Unreported { .. } => false,
        }
    }

    /// Whether it is at this NAS.
    pub(super) fn is_at(&self, nas: NasOf<'_>) -> bool {
        nas.has(self.row()) || (self.asked_by == nas.nas && self.row().access_point == *nas.access_point)
    }

    fn acct_key(&self) -> Option<AcctKey> {
        (!self.row().acct_session_id.is_empty()).then(|| AcctKey::of(self.row()))
    }
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    live: BTreeMap<SessionId, Session>,
    by_acct: BTreeMap<AcctKey, SessionId>,
    by_member: BTreeMap<MemberId, Vec<SessionId>>,
    by_mac: BTreeMap<MacAddress, Vec<SessionId>>,
    ended: BTreeMap<AcctKey, SessionRow>,
    /// Those of them whose Start was heard.
    ended_with_start: BTreeSet<AcctKey>,
    ended_order: VecDeque<(Mono, AcctKey)>,
    /// What the last look for room found and when that would have been forgotten, the soonest first.
    stale: VecDeque<(Mono, SessionId)>,
    /// When the next look is worth it.
    look_at: Mono,
}

impl Sessions {
    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty() && self.ended.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.live.len() >= SESSIONS_MAX
    }

    /// Whether a login of this device finds a place: a free one, or that of its session elsewhere.
    pub(super) fn has_room_for(&self, mac: Option<MacAddress>) -> bool {
        self.live.len() < SESSIONS_OF_LOGINS_MAX || mac.is_some_and(|mac| self.by_mac.contains_key(&mac))
    }

    /// Whether it has only that one.
    pub(super) fn has_only_its_own(&self) -> bool {
        self.live.len() >= SESSIONS_OF_LOGINS_MAX
    }

    /// A session of which nobody knows whether it goes on, of those that would be forgotten soonest.
    pub(super) fn stalest(&mut self, now: Mono) -> Option<SessionId> {
        self.next_stale().or_else(|| {
            self.look_for_stale(now);
            self.next_stale()
        })
    }

    fn next_stale(&mut self) -> Option<SessionId> {
        while let Some((until, id)) = self.stale.pop_front() {
            if self.live.get(&id).is_some_and(|session| session.stage == Stage::Unreported { until }) {
                return Some(id);
            }
        }
        None
    }

    fn look_for_stale(&mut self, now: Mono) {
        if now < self.look_at {
            return;
        }
        let until = |session: &Session| match session.stage {
            Stage::Unreported { until } => Some(until),
            Stage::Admitted { .. } | Stage::Open { .. } => None,
        };
        let unreported = self.live.iter().filter_map(|(id, session)| Some((until(session)?, *id)));
        let mut found: Vec<_> = unreported.collect();
        if found.len() <= STALE_KEPT {
            self.look_at = now + LOOK_EVERY;
        }
        found.sort_unstable();
        found.truncate(STALE_KEPT);
        self.stale = found.into();
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.live.get(&id)
    }

    /// For changes that leave access point, NAS, Acct-Session-Id, member and device as they are.
    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.live.get_mut(&id)
    }

    pub(super) fn insert(&mut self, session: Session) {
        let id = session.row().id;
        self.remove(id);
        if let Some(key) = session.acct_key() {
            self.by_acct.insert(key, id);
        }
        if let Some(member) = session.row().member {
            self.by_member.entry(member).or_default().push(id);
        }
        if let Some(mac) = session.row().mac {
            self.by_mac.entry(mac).or_default().push(id);
        }
        self.live.insert(id, session);
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.live.remove(&id)?;
        if let Some(key) = session.acct_key().filter(|key| self.by_acct.get(key) == Some(&id)) {
            self.by_acct.remove(&key);
        }
        if let Some(member) = session.row().member {
            forget(&mut self.by_member, member, id);
        }
        if let Some(mac) = session.row().mac {
            forget(&mut self.by_mac, mac, id);
        }
        Some(session)
    }

    /// Removes a session and keeps its row for a late Stop.
    pub(super) fn end(&mut self, id: SessionId, now: Mono) -> Option<Session> {
        let session = self.remove(id)?;
        if let Some(key) = session.acct_key() {
            if session.start_heard {
                self.ended_with_start.insert(key.clone());
            }
            self.keep_ended(key, session.row().clone(), now);
        }
        Some(session)
    }

    pub(super) fn keep_ended(&mut self, key: AcctKey, row: SessionRow, now: Mono) {
        self.ended.insert(key.clone(), row);
        self.ended_order.push_back((now, key));
        self.forget_ended(now);
    }

    /// What is known of a session that runs or ended a moment ago.
    pub(super) fn row(&self, id: SessionId) -> Option<&SessionRow> {
        self.live.get(&id).map(Session::row).or_else(|| self.ended.values().find(|row| row.id == id))
    }

    /// The row of a session that ended a moment ago.
    pub(super) fn ended(&self, key: &AcctKey) -> Option<&SessionRow> {
        self.ended.get(key)
    }

    /// Whether the Start of a session that ended a moment ago was heard.
    pub(super) fn start_was_heard(&self, key: &AcctKey) -> bool {
        self.ended_with_start.contains(key)
    }

    /// Forgets an ended session: another one has its name, or it goes on.
    pub(super) fn forget(&mut self, key: &AcctKey) {
        self.ended.remove(key);
        self.ended_with_start.remove(key);
    }

    pub(super) fn forget_ended(&mut self, now: Mono) {
        while let Some((at, key)) = self.ended_order.front() {
            if now.since(*at) < ENDED_KEPT && self.ended_order.len() <= ENDED_MAX {
                break;
            }
            self.ended.remove(key);
            self.ended_with_start.remove(key);
            self.ended_order.pop_front();
        }
    }

    pub(super) fn by_acct(&self, key: &AcctKey) -> Option<SessionId> {
        self.by_acct.get(key).copied()
    }

    /// Names the NAS of a session that was open before its NAS was known: the device that reports itself under its Acct-Session-Id
    /// is it.
    pub(super) fn name_nas(&mut self, key: &AcctKey, mac: Option<MacAddress>) {
        if key.nas.is_empty() || self.by_acct.contains_key(key) {
            return;
        }
        let nameless = AcctKey { nas: String::new(), ..key.clone() };
        let Some(&id) = self.by_acct.get(&nameless) else { return };
        if self.live.get(&id).is_some_and(|session| session.row().mac == mac) {
            self.rename_nas(id, &key.nas);
        }
    }

    /// The session that runs, or ended a moment ago, of which this is a report, though its NAS now says another name than `key`'s:
    /// that of the radio where the device is by now, or an address with another lease. Class is ours and unique, so that two NASes
    /// which number alike stay apart.
    pub(super) fn under_another_name(
        &self,
        key: &AcctKey,
        mac: Option<MacAddress>,
        class: SessionId,
    ) -> Option<&SessionRow> {
        let is_it = |row: &SessionRow| {
            let is_its_device = mac.is_none() || row.mac == mac;
            is_its_device && row.access_point == key.access_point && row.acct_session_id == key.acct_session_id
        };
        let of_device = mac.and_then(|mac| self.by_mac.get(&mac)).into_iter().flatten();
        let came_back = of_device.filter_map(|id| self.live.get(id)).filter(|session| session.class == Some(class));
        let rows = came_back.map(Session::row).chain(self.row(class));
        rows.into_iter().find(|row| is_it(row))
    }

    /// The NAS of a session that runs is known by another name from now on.
    pub(super) fn rename_nas(&mut self, id: SessionId, nas: &str) {
        if let Some(mut session) = self.remove(id) {
            nas.clone_into(&mut session.row_mut().nas);
            self.insert(session);
        }
    }

    pub(super) fn of_member(&self, member: MemberId) -> Vec<SessionId> {
        self.by_member.get(&member).cloned().unwrap_or_default()
    }

    pub(super) fn of_device(&self, mac: MacAddress) -> Vec<SessionId> {
        self.by_mac.get(&mac).cloned().unwrap_or_default()
    }

    pub(super) fn of_access_point(&self, name: &AccessPointName) -> Vec<SessionId> {
        self.live.iter().filter(|(_, session)| session.row().access_point == *name).map(|(id, _)| *id).collect()
    }

    pub(super) fn of_nas(&self, nas: NasOf<'_>) -> Vec<SessionId> {
        self.live.iter().filter(|(_, session)| session.is_at(nas)).map(|(id, _)| *id).collect()
    }

    pub(super) fn ids(&self) -> Vec<SessionId> {
        self.live.keys().copied().collect()
    }

    /// The devices that count against a member's limit.
    pub(super) fn live_devices(&self, member: MemberId) -> Vec<MacAddress> {
        let ids = self.by_member.get(&member).into_iter().flatten();
        let placed = ids.filter_map(|id| self.live.get(id)).filter(|session| session.takes_a_place());
        placed.filter_map(|session| session.row().mac).collect()
    }

    /// What these devices logged in with, each once.
    pub(super) fn live_credentials(&self, member: MemberId) -> BTreeSet<CredentialId> {
        let ids = self.by_member.get(&member).into_iter().flatten();
        let placed = ids.filter_map(|id| self.live.get(id)).filter(|session| session.takes_a_place());
        placed.filter_map(|session| session.row().credential).collect()
    }

    /// A picture of the table. Views that did not change are shared with the picture before.
    pub(super) fn presence(&mut self) -> Presence {
        let view = |session: &mut Session| {
            let phase = session.phase();
            if session.view.phase != phase {
                Arc::make_mut(&mut session.view).phase = phase;
            }
            Arc::clone(&session.view)
        };
        Presence::of(self.live.values_mut().map(view).collect())
    }
}

fn forget<K: Ord>(index: &mut BTreeMap<K, Vec<SessionId>>, key: K, id: SessionId) {
    if let Some(ids) = index.get_mut(&key) {
        ids.retain(|&known| known != id);
        if ids.is_empty() {
            index.remove(&key);
        }
    }
}
