//! Who has to go, and who may stay after all: decided by policy whenever the snapshot changes, the terms of a session end, or
//! an access point reports a session. How the access point is told is in disconnect.rs.

use super::disconnect::Leaving;
use super::{Context, Output, WifiEngine};
use policy::wifi::{Admission, Stage, Terms, WifiFacts, WifiQuestion, admit};
use policy::{Outcome, Reason, Snapshot};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use values::{MemberId, Mono, SessionId};

/// Why a session has to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Policy says no.
    Refused(Reason),
    /// Policy says yes, on another network; the device comes back by itself.
    Moved,
    /// It stays, on other terms: the access point is asked to change them (change.rs).
    Adjusted(Box<Terms>),
    /// It may stay, on other terms that the access point cannot be told; the device comes back by itself.
    Relogin,
    /// Somebody asked for it.
    Kicked,
}

impl Cause {
    /// Whether the session goes on while the access point is told.
    pub(super) const fn is_change(&self) -> bool {
        match self {
            Self::Adjusted(_) => true,
            Self::Refused(_) | Self::Moved | Self::Relogin | Self::Kicked => false,
        }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::Refused(reason) => reason.code(),
            Self::Moved => "network-changed",
            Self::Adjusted(_) | Self::Relogin => "terms-changed",
            Self::Kicked => "kicked",
        }
    }
}

impl WifiEngine {
    /// Disconnects a session because somebody wants it so.
    ///
    /// # Errors
    /// There is no such session.
    pub fn kick(&mut self, cx: &mut Context<'_>, session: SessionId) -> Result<(), Reason> {
        if self.sessions.get(session).is_none() {
            return Err(Reason::UnknownSession);
        }
        self.send_away(cx, session, Cause::Kicked);
        self.finish(cx);
        Ok(())
    }

    /// Judges again whom the change may concern; their devices prove themselves anew at the next login.
    pub(super) fn handle_snapshot_changed(&mut self, cx: &mut Context<'_>, old: &Arc<Snapshot>) {
        self.offer_methods(cx.snapshot);
        self.back_off.forgive_others();
        match concerned(old, cx.snapshot) {
            Concerned::Everybody => {
                self.eap.tls.sessions.forget_all();
                self.judge_all(cx);
            }
            Concerned::Members(members) => {
                members.iter().for_each(|&member| self.eap.tls.sessions.forget_member(member));
                let ids: Vec<SessionId> = members.iter().flat_map(|&member| self.sessions.of_member(member)).collect();
                ids.into_iter().for_each(|id| self.judge(cx, id));
            }
        }
    }

    pub(super) fn judge_all(&mut self, cx: &mut Context<'_>) {
        self.sessions.ids().into_iter().for_each(|id| self.judge(cx, id));
    }

    /// Whether a live session may stay; if not, it is sent away, and if it may again, it is left in peace.
    pub(super) fn judge(&mut self, cx: &mut Context<'_>, id: SessionId) {
        let Some(session) = self.sessions.get(id) else { return };
        let Some(credential) = session.row().credential else { return };
        let member = session.row().member.filter(|_| session.is_extra);
        let stage = if member.is_some() { Stage::Joining } else { Stage::Running };
        let live = member.map(|member| self.sessions.live_devices(member)).unwrap_or_default();
        let question = WifiQuestion { credential, mac: session.row().mac, stage };
        let verdict = admit(cx.snapshot, &WifiFacts { live: &live }, &question, cx.now);
        match verdict {
            Ok(terms) => {
                if let Some(session) = self.sessions.get_mut(id) {
                    session.is_extra = false;
                }
                self.hold_to(cx, id, &terms);
            }
            Err(reason) => self.send_away(cx, id, Cause::Refused(reason)),
        }
    }

    pub(super) fn leave_in_peace(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let pardoned = session.leaving.as_ref().is_some_and(|leaving| leaving.cause != Cause::Kicked);
        if pardoned {
            self.withdraw(id);
            self.dirty = true;
        }
    }

    /// Begins to disconnect a session, or begins anew when the last attempt is over; otherwise lets it go on.
    pub(super) fn send_away(&mut self, cx: &mut Context<'_>, id: SessionId, cause: Cause) {
        self.withdraw_change(id);
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.judge_at = None;
        if let Some((key, authenticator)) = session.accepted.take() {
            self.authentication_seen.arrived(&key, &authenticator);
        }
        match &mut session.leaving {
            Some(leaving) if !leaving.is_over() => {
                leaving.cause = cause;
                return;
            }
            Some(_) => {}
            None => self.note(cx, id, &cause),
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.leaving = Some(Leaving::begin(cause, cx.now.mono));
        self.pressing.insert(id);
        self.dirty = true;
        self.press(cx, id);
    }

    /// The access point reports a session that should be gone: it did not get the message, or did not heed it.
    pub(super) fn press_again(&mut self, cx: &mut Context<'_>, id: SessionId) {
        let leaving = self.sessions.get(id).and_then(|session| session.leaving.as_ref());
        if let Some(cause) = leaving.filter(|leaving| leaving.is_over()).map(|leaving| leaving.cause.clone()) {
            self.send_away(cx, id, cause);
        }
    }

    pub(super) fn note(&mut self, cx: &mut Context<'_>, id: SessionId, cause: &Cause) {
        let sentence = match cause {
            Cause::Refused(reason) => format!("The device is being disconnected. {}", reason.sentence()),
            Cause::Moved => "The device is being disconnected, so that it comes back on its new network.".to_owned(),
            Cause::Adjusted(_) => "The access point is being told the session's new terms.".to_owned(),
            Cause::Relogin => "The device is being disconnected, so that it logs in again on its new terms.".to_owned(),
            Cause::Kicked => "The device is being disconnected because an operator asked for it.".to_owned(),
        };
        let fact = cause.code();
        let code = if cause.is_change() { "wifi-changing" } else { "wifi-disconnecting" };
        let Some(session) = self.sessions.get(id) else { return };
        let record = super::about(cx, session.row(), Outcome::Noted, code, sentence).fact("cause", fact);
        self.outputs.push_back(Output::Record(record));
    }
}

/// When the terms of a session end, on the clock that timers use.
pub(super) fn judge_at(cx: &Context<'_>, terms: &Admission) -> Option<Mono> {
    let left = terms.review_at?.0.saturating_sub(cx.now.stamp().0);
    Some(cx.now.mono + Duration::from_millis(u64::try_from(left).unwrap_or(0)))
}

/// Whom a change of the snapshot may concern.
enum Concerned {
    Everybody,
    Members(BTreeSet<MemberId>),
}

/// Takes as long as there were changes, however many members there are.
fn concerned(old: &Snapshot, new: &Snapshot) -> Concerned {
    let is_same_place = Arc::ptr_eq(&old.site, &new.site) && old.vlan_tests.is_same_as(&new.vlan_tests);
    if !is_same_place || !old.teams.is_same_as(&new.teams) {
        return Concerned::Everybody;
    }
    let mut members = BTreeSet::new();
    let mut add = |member: MemberId| {
        members.insert(member);
    };
    old.members.differing(&new.members, |member| add(member.id));
    old.credentials.differing(&new.credentials, |credential| add(credential.member));
    old.passes.differing(&new.passes, |pass| add(pass.member));
    Concerned::Members(members)
}
