//! TLS sessions that a device may resume instead of proving its key again (RFC 5246 7.3, RFC 8446 2.2, RFC 9190 2.1.2 and 5.7).
//!
//! It owns which sessions may be resumed, by which EAP method, and whose they are. It refuses to know whether their owners may
//! still come in, which the engine asks policy at every resumption, and what time it is: whoever has a clock calls
//! [`TlsSessions::expire`].
//!
//! rustls stores a session when the TLS handshake ends. Under PEAP and TTLS nobody has been proved then, so what it stores is
//! only pending, in a [`SessionKeeper`] that the conversation has for itself:
//!
//! ```text
//!  rustls --put--> pending --login succeeded and was let in: keep--> TlsSessions --get, take (same EAP method)--> rustls
//!                     '------ anything else: dropped with the conversation        '-- forgotten: member changed, refused,
//!                                                                                     too old, too many
//! ```
//! There are no stateless tickets: a ticket that holds its own session cannot be taken back.
//!
//! The lock inside is the one exception to "no `Arc<Mutex<_>>` across modules" and docs/decisions/tls.md says why. It guards plain
//! data, every call takes and releases it once, and nothing is called while it is held.

use super::failure::EapFailure;
use super::method::{InnerMethod, MethodKind, TlsVersion};
use super::phase2::{self, Step};
use super::{Shown, certificate, peap};
use rustls::server::StoresServerSessions;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use values::{CredentialId, MemberId, Mono};
use zeroize::Zeroizing;

/// Sessions kept at one time. A site has some hundreds of devices; with client certificates one is about 1 KB, so this is 8 MB, and
/// 64 MB at the worst.
pub const SESSIONS_MAX: usize = 8_192;
/// Sessions kept for one member, so that nobody's full logins push out those of all others: a plan has a handful of devices,
/// each with a session or two.
pub const SESSIONS_OF_MEMBER_MAX: usize = 32;

/// Longest session that is kept: a device may send 64 KiB of certificates that nobody asked for behind its own, and they would all
/// be in it. A chain of three is 4 KB.
const SESSION_MAX_BYTES: usize = 8 * 1024;

/// Whose a session is, as the engine said when it let her in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOwner {
    pub member: MemberId,
    pub credential: CredentialId,
    /// As the device wrote it inside the tunnel; none under EAP-TLS.
    pub username: Option<String>,
    /// After this a full login is due.
    pub until: Mono,
}

/// All sessions that may be resumed; shared by the conversations of all workers.
#[derive(Default)]
pub struct TlsSessions {
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    /// By what the device shows: the Session ID of TLS 1.2 or the ticket of TLS 1.3.
    kept: BTreeMap<Vec<u8>, Kept>,
    /// Numbers are given in the order of keeping.
    by_number: BTreeMap<u64, Vec<u8>>,
    by_member: BTreeMap<MemberId, BTreeSet<u64>>,
    last_number: u64,
    pushed_out: u64,
    /// No session ends before this.
    first_until: Mono,
}

struct Kept {
    number: u64,
    method: MethodKind,
    /// What rustls needs to go on, the session's secret in it.
    value: Zeroizing<Vec<u8>>,
    found: Found,
}

/// What a conversation is told of a session that its device shows.
#[derive(Clone, Debug)]
struct Found {
    owner: Arc<SessionOwner>,
    inner: Option<InnerMethod>,
}

impl fmt::Debug for TlsSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsSessions({})", self.len())
    }
}

impl TlsSessions {
    #[must_use]
    pub fn len(&self) -> usize {
        self.shelf().kept.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sessions that had to make room for newer ones so far.
    #[must_use]
    pub fn pushed_out(&self) -> u64 {
        self.shelf().pushed_out
    }

    /// Something about this member has changed: her devices log in anew, and cannot even resume TLS.
    pub fn forget_member(&self, member: MemberId) {
        self.shelf().remove_where_member(member);
    }

    /// Something has changed that concerns everybody.
    pub fn forget_all(&self) {
        let mut shelf = self.shelf();
        shelf.kept.clear();
        shelf.by_number.clear();
        shelf.by_member.clear();
    }

    /// Forgets the sessions whose time is over.
    pub fn expire(&self, now: Mono) {
        let mut shelf = self.shelf();
        if now < shelf.first_until {
            return;
        }
        let is_over = |kept: &&Kept| kept.found.owner.until <= now;
        let over: Vec<u64> = shelf.kept.values().filter(is_over).map(|kept| kept.number).collect();
        over.into_iter().for_each(|number| shelf.remove(number));
        shelf.first_until = shelf.kept.values().map(|kept| kept.found.owner.until).min().unwrap_or_default();
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Whoever panicked did so elsewhere: nothing is called while the lock is held.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn insert(&mut self, key: Vec<u8>, method: MethodKind, value: Zeroizing<Vec<u8>>, found: Found) {
        if let Some(number) = self.kept.get(&key).map(|kept| kept.number) {
            self.remove(number);
        }
        let member = found.owner.member;
        while let Some(&oldest) =
            self.by_member.get(&member).filter(|of| of.len() >= SESSIONS_OF_MEMBER_MAX).and_then(BTreeSet::first)
        {
            self.push_out(oldest);
        }
        while let Some((&oldest, _)) = self.by_number.first_key_value().filter(|_| self.by_number.len() >= SESSIONS_MAX)
        {
            self.push_out(oldest);
        }
        self.last_number += 1;
        let number = self.last_number;
        self.first_until = self.first_until.min(found.owner.until);
        self.by_number.insert(number, key.clone());
        self.by_member.entry(member).or_default().insert(number);
        self.kept.insert(key, Kept { number, method, value, found });
    }

    fn push_out(&mut self, number: u64) {
        self.remove(number);
        self.pushed_out += 1;
    }

    fn remove(&mut self, number: u64) {
        let Some(kept) = self.by_number.remove(&number).and_then(|key| self.kept.remove(&key)) else { return };
        let member = kept.found.owner.member;
        if let Some(of_member) = self.by_member.get_mut(&member) {
            of_member.remove(&number);
            if of_member.is_empty() {
                self.by_member.remove(&member);
            }
        }
    }

    fn remove_where_member(&mut self, member: MemberId) {
        let numbers = self.by_member.remove(&member).unwrap_or_default();
        for key in numbers.iter().filter_map(|number| self.by_number.remove(number)) {
            self.kept.remove(&key);
        }
    }
}

/// What rustls stores its session with, during one conversation.
pub(super) struct SessionKeeper {
    sessions: Arc<TlsSessions>,
    method: MethodKind,
    desk: Mutex<Desk>,
}

#[derive(Default)]
struct Desk {
    /// What rustls stored: at most one Session ID or one ticket. It is worth nothing until it is kept.
    pending: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
    /// The last session that the device showed and that was there. Only a resumed handshake proves that it is hers.
    shown: Option<(Vec<u8>, Found)>,
}

impl fmt::Debug for SessionKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKeeper({:?})", self.method)
    }
}

impl SessionKeeper {
    pub(super) fn new(sessions: &Arc<TlsSessions>, method: MethodKind) -> Self {
        Self { sessions: Arc::clone(sessions), method, desk: Mutex::default() }
    }

    /// The handshake was a full one: a session that the device showed was of no use, and she may not even have been its owner.
    pub(super) fn overlook(&self) {
        self.desk().shown = None;
    }

    /// Whose session it is, and what had proved her. To be asked only when the handshake was a resumed one.
    pub(super) fn resumed(&self) -> Option<(Arc<SessionOwner>, Option<InnerMethod>)> {
        self.desk().shown.as_ref().map(|(_, found)| (Arc::clone(&found.owner), found.inner))
    }

    /// The login succeeded and its user was let in: what is pending may be resumed. Who resumed does not stay longer for it.
    pub(super) fn keep(&self, owner: SessionOwner, inner: Option<InnerMethod>) {
        let mut desk = self.desk();
        let Some((key, value)) = desk.pending.take() else { return };
        let until = desk.shown.as_ref().map_or(owner.until, |(_, found)| found.owner.until.min(owner.until));
        drop(desk);
        let found = Found { owner: Arc::new(SessionOwner { until, ..owner }), inner };
        self.sessions.shelf().insert(key, self.method, value, found);
    }

    /// The session that was resumed is not to be resumed again.
    pub(super) fn forget(&self) {
        let shown = self.desk().shown.take();
        let mut shelf = self.sessions.shelf();
        if let Some(number) = shown.and_then(|(key, _)| shelf.kept.get(&key).map(|kept| kept.number)) {
            shelf.remove(number);
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session of this EAP method. One of another method is as good as none: what was proved there was proved to it.
    fn look_up(&self, key: &[u8], and_remove: bool) -> Option<Vec<u8>> {
        let mut shelf = self.sessions.shelf();
        let kept = shelf.kept.get(key).filter(|kept| kept.method == self.method)?;
        let (number, value, found) = (kept.number, kept.value.to_vec(), kept.found.clone());
        if and_remove {
            shelf.remove(number);
        }
        drop(shelf);
        self.desk().shown = Some((key.to_vec(), found));
        Some(value)
    }
}

impl StoresServerSessions for SessionKeeper {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let value = Zeroizing::new(value);
        let is_kept = value.len() <= SESSION_MAX_BYTES;
        self.desk().pending = is_kept.then_some((key, value));
        is_kept
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.look_up(key, false)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.look_up(key, true)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// The device has resumed a session, and so has shown that it is the one that logged in then.
#[derive(Debug)]
pub struct Proven {
    pub(super) owner: Arc<SessionOwner>,
    pub(super) inner: Option<InnerMethod>,
    pub(super) kind: MethodKind,
    pub(super) tls_version: TlsVersion,
}

impl Proven {
    /// There is no phase 2, but under PEAP its result ([MS-PEAP] 3.1.5.7). Under TLS 1.2 the device has had the last word of the
    /// handshake and the end follows; under TLS 1.3 it waits for the commitment to it (RFC 9190 2.5, RFC 9427 2.3).
    pub(super) fn verdict(self, allow: bool) -> Step {
        let Self { owner, inner, kind, tls_version } = self;
        match (kind, allow, tls_version) {
            (MethodKind::Peap, _, _) => peap::verdict_of_resumed(owner.username.clone().unwrap_or_default(), allow),
            (MethodKind::Tls | MethodKind::Ttls, false, _) => Step::Refuse(EapFailure::Denied),
            (MethodKind::Tls | MethodKind::Ttls, true, TlsVersion::Tls12) => {
                Step::Accept { shown: Shown::Resumed(owner), inner }
            }
            (MethodKind::Tls | MethodKind::Ttls, true, TlsVersion::Tls13) => {
                let next = certificate::Listening { shown: Shown::Resumed(owner), inner };
                Step::Say(phase2::Listening::Tls(next), certificate::COMMITMENT.to_vec())
            }
        }
    }
}

#[cfg(test)]
mod tests;
