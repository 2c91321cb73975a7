//! A session that stays, on other terms: the access point is told by a CoA-Request (RFC 5176) where its make can change them, else
//! the device logs in again. What follows from which change is policy's (`consequence`); asking, repeating and giving up is that of
//! disconnect.rs. Also here: a device that shows that a network's VLAN works.
//!
//! ```text
//! terms differ --can be told--> Adjusted --ACK--> on the new terms
//!      |                           \--NAK, silence--\
//!      +--cannot be told-----------------------------+--> Relogin: Disconnect-Request; only the end differs: left as it is
//! ```

use super::disconnect::Leaving;
use super::leave::{Cause, judge_at};
use super::session::Session;
use super::terms::profile_of;
use super::{Context, Outcome, Output, WifiEngine};
use policy::wifi::{Admission, Consequence, Terms, TestState, consequence};
use proto::radius::dictionary::Adjustable;
use std::net::IpAddr;
use values::SessionId;

/// What a device must have sent and received on a VLAN before it counts as working there without an address being told: ten times
/// what asking for an address in vain comes to in the time of a test.
const VLAN_SHOWN_BYTES: u64 = 64 * 1024;

impl WifiEngine {
    /// Has a live session that may stay go on with these terms.
    pub(super) fn hold_to(&mut self, cx: &mut Context<'_>, id: SessionId, admission: &Admission) {
        let terms = admission.terms();
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.judge_at = judge_at(cx, admission);
        session.ending.set(admission);
        let follows = following(session, &terms);
        let can = can_change(profile_of(cx, &session.row().access_point).adjustable, session.told.as_ref(), &terms);
        match (follows, can) {
            (Consequence::Move, _) => self.send_away(cx, id, Cause::Moved),
            (Consequence::Nothing, _) => {
                // Of a session of before a restart nobody knows what was told; what holds now is the likeliest, and from here on
                // every change is seen.
                if let Some(session) = self.sessions.get_mut(id) {
                    session.told.get_or_insert(terms);
                }
                self.leave_in_peace(id);
            }
            (Consequence::Adjust | Consequence::Tell, true) => self.adjust(cx, id, terms),
            (Consequence::Tell, false) => self.leave_in_peace(id),
            (Consequence::Adjust, false) => self.log_in_again(cx, id),
        }
    }

    /// Tells the access point, unless it is being told just that.
    fn adjust(&mut self, cx: &mut Context<'_>, id: SessionId, terms: Terms) {
        let Some(session) = self.sessions.get(id) else { return };
        match session.leaving.as_ref().map(|leaving| &leaving.cause) {
            Some(Cause::Adjusted(asked)) if **asked == terms => return,
            // Asked in vain before, or on its way out by somebody's wish.
            Some(Cause::Relogin | Cause::Kicked) => return,
            Some(Cause::Adjusted(_) | Cause::Refused(_) | Cause::Moved) => self.withdraw(id),
            None => {}
        }
        let cause = Cause::Adjusted(Box::new(terms));
        self.note(cx, id, &cause);
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.leaving = Some(Leaving::begin(cause, cx.now.mono));
        self.pressing.insert(id);
        self.dirty = true;
        self.press(cx, id);
    }

    /// The device has to log in again; a refusal or silence of before is not asked about anew until the access point reports.
    fn log_in_again(&mut self, cx: &mut Context<'_>, id: SessionId) {
        let leaving = self.sessions.get(id).and_then(|session| session.leaving.as_ref());
        match leaving.map(|leaving| &leaving.cause) {
            Some(Cause::Relogin | Cause::Kicked) => {}
            Some(Cause::Adjusted(_) | Cause::Refused(_) | Cause::Moved) | None => {
                let judge_at = self.sessions.get(id).and_then(|session| session.judge_at);
                self.send_away(cx, id, Cause::Relogin);
                // Unlike others who are sent away it may stay, so its end is still to be watched.
                if let Some(session) = self.sessions.get_mut(id) {
                    session.judge_at = judge_at;
                }
            }
        }
    }

    /// Forgets a change that was being told: what comes now is more.
    pub(super) fn withdraw_change(&mut self, id: SessionId) {
        let leaving = self.sessions.get(id).and_then(|session| session.leaving.as_ref());
        if leaving.is_some_and(|leaving| leaving.cause.is_change()) {
            self.withdraw(id);
        }
    }

    /// CoA-ACK.
    pub(super) fn handle_changed(&mut self, cx: &mut Context<'_>, id: SessionId) {
        let Some(terms) = self.sessions.get(id).and_then(changed_terms).cloned() else {
            self.counters.malformed += 1;
            return;
        };
        self.counters.changes_confirmed += 1;
        let sentence = "The access point has taken the session's new terms.";
        self.record_answer(cx, id, Outcome::Noted, "wifi-changed", sentence);
        self.withdraw(id);
        if let Some(session) = self.sessions.get_mut(id) {
            session.told = Some(terms);
        }
        self.dirty = true;
    }

    /// CoA-NAK.
    pub(super) fn handle_change_refused(&mut self, cx: &mut Context<'_>, id: SessionId, cause: Option<u32>) {
        if self.sessions.get(id).and_then(changed_terms).is_none() {
            self.counters.malformed += 1;
            return;
        }
        self.counters.changes_refused += 1;
        let cause = cause.map_or_else(|| "without a cause".to_owned(), |cause| format!("with Error-Cause {cause}"));
        let sentence = format!("The access point refused to change the session's terms ({cause}).");
        self.record_answer(cx, id, Outcome::Warning, "wifi-change-refused", &sentence);
        self.after_failed_change(cx, id);
    }

    pub(super) fn handle_change_unanswered(&mut self, cx: &mut Context<'_>, id: SessionId) {
        self.counters.changes_unanswered += 1;
        let sentence = "The access point did not answer the CoA-Request; check its CoA port, and that it accepts dynamic authorization (RFC 5176) from this box.";
        self.record_answer(cx, id, Outcome::Warning, "wifi-change-silent", sentence);
        self.after_failed_change(cx, id);
    }

    /// What an access point was asked for in vain, the device gets by logging in again; not for its end alone, which the box and
    /// Session-Timeout see to.
    fn after_failed_change(&mut self, cx: &mut Context<'_>, id: SessionId) {
        let Some(session) = self.sessions.get(id) else { return };
        let Some(terms) = changed_terms(session).cloned() else { return };
        let follows = session.told.as_ref().map_or(Consequence::Adjust, |told| consequence(told, &terms));
        self.withdraw(id);
        self.dirty = true;
        match follows {
            Consequence::Adjust | Consequence::Move => self.log_in_again(cx, id),
            Consequence::Tell | Consequence::Nothing => {
                if let Some(session) = self.sessions.get_mut(id) {
                    session.told = Some(terms); // as good as told: it is not asked about again
                }
            }
        }
    }

    /// A device of the member who tests a network's VLAN has an address there, or sends and receives: the test is passed.
    pub(super) fn notice_vlan(&mut self, cx: &Context<'_>, id: SessionId) {
        let Some(session) = self.sessions.get(id) else { return };
        let row = session.row();
        let (Some(network), Some(vlan)) = (&row.network, row.vlan) else { return };
        let Some(test) = cx.snapshot.vlan_tests.get(network).filter(|test| test.vlan == vlan) else { return };
        let is_tester = match test.state {
            TestState::Open { member, until } => Some(member) == row.member && cx.now.stamp() < until,
            TestState::Passed { .. } => false,
        };
        let (rx, tx) = session.counted_from;
        let sent = row.rx_bytes.saturating_sub(rx).min(row.tx_bytes.saturating_sub(tx));
        let has_address = row.ip.as_ref().is_some_and(|ip| is_assigned(ip.0));
        if is_tester && (has_address || sent >= VLAN_SHOWN_BYTES) {
            self.outputs.push_back(Output::VlanPassed { network: network.clone(), vlan });
        }
    }
}

/// The terms that an access point is being told.
pub(super) fn changed_terms(session: &Session) -> Option<&Terms> {
    match &session.leaving.as_ref()?.cause {
        Cause::Adjusted(terms) => Some(terms),
        Cause::Refused(_) | Cause::Moved | Cause::Relogin | Cause::Kicked => None,
    }
}

/// What follows for a session. Of one of before a restart only the network is known.
fn following(session: &Session, terms: &Terms) -> Consequence {
    let row = session.row();
    if (row.network.as_ref(), row.vlan) != (Some(&terms.network), terms.vlan) {
        return Consequence::Move;
    }
    let cause = session.leaving.as_ref().map(|leaving| &leaving.cause);
    match (cause, &session.told) {
        // While a change is told, and after it was told in vain, nobody knows what the access point has.
        (Some(Cause::Adjusted(_) | Cause::Relogin), _) => Consequence::Adjust,
        (Some(Cause::Refused(_) | Cause::Moved | Cause::Kicked) | None, Some(told)) => consequence(told, terms),
        (Some(Cause::Refused(_) | Cause::Moved | Cause::Kicked) | None, None) => Consequence::Nothing,
    }
}

/// Whether a CoA-Request can say it. A limit that is gone cannot be said by leaving it out.
fn can_change(can: Adjustable, told: Option<&Terms>, terms: &Terms) -> bool {
    let Some(told) = told else { return false };
    let lifted = |old: Option<u16>, new: Option<u16>| old.is_some() && new.is_none();
    let rates_lifted =
        lifted(told.rates.up_mbit, terms.rates.up_mbit) || lifted(told.rates.down_mbit, terms.rates.down_mbit);
    let idle_lifted = told.idle_timeout_seconds.is_some() && terms.idle_timeout_seconds.is_none();
    let end_lifted = told.ends_at.is_some() && terms.ends_at.is_none();
    (told.rates == terms.rates || can.rates && !rates_lifted)
        && (told.idle_timeout_seconds == terms.idle_timeout_seconds || can.idle_timeout && !idle_lifted)
        // An end that cannot be told is no reason not to tell the rest.
        && (can.rates || can.idle_timeout || can.session_timeout && !end_lifted)
}

/// An address that somebody gave the device: not one that it gave itself (RFC 3927).
fn is_assigned(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_unspecified() && !v4.is_loopback(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_unspecified() && !v6.is_loopback(),
    }
}
