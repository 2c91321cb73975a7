//! What an access point is told of somebody's terms, in an Access-Accept and in a CoA-Request: VLAN, rates and timeouts, in the
//! attributes of its make (RFC 2865, 3580, 4372; proto::radius::dictionary).

use super::answer::INTERIM_INTERVAL;
use super::receive::Question;
use super::{Context, Outcome, WifiEngine, about};
use policy::wifi::{Admission, Terms, VlanState, WARNING_MINUTES, session_seconds, vlan_state};
use policy::{AccessPointProfile, schedule::spoken};
use proto::radius::attribute::TERMINATION_ACTION_RADIUS_REQUEST;
use proto::radius::dictionary::{Dictionaries, Profile, VendorTerms};
use proto::radius::{AttributeType, Tunnel, Writer};
use std::time::Duration;
use values::{AccessPointName, MemberId, SessionId, Timestamp, Wall};

/// While a VLAN is tested: an access point that tells no addresses shows by its counters that the VLAN works, and a test is over
/// in ten minutes. RFC 2869, 5.16: not below 60 s.
const INTERIM_INTERVAL_TESTING: Duration = Duration::from_secs(60);

/// The table of an access point's make; of an access point that has left the site file in the meantime, that of any.
pub(super) fn profile_of(cx: &Context<'_>, point: &AccessPointName) -> &'static Profile {
    let make = cx.snapshot.site.access_points.get(point).map_or(AccessPointProfile::Generic, |point| point.profile);
    Dictionaries::embedded().profile(make.as_str()).expect("a test finds every make's table")
}

/// An Access-Accept with the terms in it.
pub(super) fn with_terms(cx: &Context<'_>, writer: Writer, question: &Question, admission: &Admission) -> Writer {
    let profile = profile_of(cx, &question.access_point);
    let interval = if tests_vlan(cx, admission) { INTERIM_INTERVAL_TESTING } else { INTERIM_INTERVAL };
    let interim_seconds = u32::try_from(interval.as_secs()).unwrap_or(u32::MAX);
    let mut writer = writer
        .integer(AttributeType::SESSION_TIMEOUT, admission.session_timeout_seconds)
        .integer(AttributeType::TERMINATION_ACTION, TERMINATION_ACTION_RADIUS_REQUEST)
        .integer(AttributeType::ACCT_INTERIM_INTERVAL, interim_seconds);
    if let Some(seconds) = admission.idle_timeout_seconds {
        writer = writer.integer(AttributeType::IDLE_TIMEOUT, seconds);
    }
    writer = match (admission.vlan, admission.vlan_name.as_deref().filter(|_| profile.vlan_by_name)) {
        (Some(_), Some(name)) => writer.tunnel_to(name),
        (Some(vlan), None) => writer.tunnel(Tunnel { vlan }),
        (None, _) => writer,
    };
    let vendor = VendorTerms {
        vlan: admission.vlan,
        vlan_name: admission.vlan_name.as_deref().filter(|_| profile.vlan_by_name),
        ..rates(&admission.terms())
    };
    profile.write(with_identity(writer, question, admission.member), &vendor)
}

/// Whether the device is on its VLAN to test it.
fn tests_vlan(cx: &Context<'_>, admission: &Admission) -> bool {
    let network = cx.snapshot.site.networks.get(&admission.network);
    admission.vlan.is_some()
        && network.is_some_and(|network| match vlan_state(cx.snapshot, network, cx.now) {
            VlanState::Testing { .. } => true,
            VlanState::Flat | VlanState::Untested { .. } | VlanState::Tested { .. } => false,
        })
}

/// Who it is, in a word that says nothing to anybody else, where the access point asks for it; else none (RFC 4372, 2.1). The
/// member's id is random, always the same, and nobody's name.
fn with_identity(writer: Writer, question: &Question, member: MemberId) -> Writer {
    if question.asks_identity {
        writer.text(AttributeType::CHARGEABLE_USER_IDENTITY, &member.to_string())
    } else {
        writer
    }
}

/// A CoA-Request with as much of the terms as the access point can change. What is left of the session is counted from now:
/// where it is counted from the session's begin, the device only logs in again early.
pub(super) fn with_change(cx: &Context<'_>, writer: Writer, profile: &Profile, terms: &Terms) -> Writer {
    let mut writer = writer;
    if let Some(end) = terms.ends_at.filter(|_| profile.adjustable.session_timeout) {
        writer = writer.integer(AttributeType::SESSION_TIMEOUT, session_seconds(Some(end), cx.now));
    }
    if let Some(seconds) = terms.idle_timeout_seconds.filter(|_| profile.adjustable.idle_timeout) {
        writer = writer.integer(AttributeType::IDLE_TIMEOUT, seconds);
    }
    if profile.adjustable.rates { profile.write(writer, &rates(terms)) } else { writer }
}

fn rates(terms: &Terms) -> VendorTerms<'static> {
    let kbit = |mbit: Option<u16>| mbit.map(|mbit| u32::from(mbit) * 1_000);
    VendorTerms {
        up_kbit: kbit(terms.rates.up_mbit),
        down_kbit: kbit(terms.rates.down_mbit),
        vlan: None,
        vlan_name: None,
    }
}

/// When a session's terms end, and of which end the people at the box were warned.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ending {
    closes_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    warned_of: Option<Timestamp>,
}

impl Ending {
    pub(super) fn set(&mut self, admission: &Admission) {
        self.closes_at = admission.closes_at;
        self.ends_at = admission.ends_at;
    }

    /// The ends to warn of now, once; an untrusted clock warns of nothing.
    fn warning(&mut self, wall: Wall) -> Option<(Timestamp, Timestamp)> {
        let (closes_at, ends_at) = (self.closes_at?, self.ends_at?);
        match wall {
            Wall::Unsynced(_) => None,
            Wall::Trusted(at) => {
                let from = closes_at - Duration::from_secs(60 * WARNING_MINUTES);
                let is_due = from <= at && at < ends_at && self.warned_of != Some(closes_at);
                is_due.then(|| {
                    self.warned_of = Some(closes_at);
                    (closes_at, ends_at)
                })
            }
        }
    }
}

impl WifiEngine {
    /// Tells of a session whose hours, pass or membership are about to end.
    pub(super) fn warn_of_end(&mut self, cx: &mut Context<'_>, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some((closes_at, ends_at)) = session.ending.warning(cx.now.wall) else { return };
        let row = session.row().clone();
        let site = &cx.snapshot.site.site;
        let (closes, ends) = (spoken(site, closes_at), spoken(site, ends_at));
        let sentence = if closes_at == ends_at {
            format!("The membership ends {closes}; the device is logged out then.")
        } else {
            format!("The hours or the pass end {closes}; the device is logged out {ends}.")
        };
        let record = about(cx, &row, Outcome::Noted, "wifi-ends-soon", sentence).fact("ends_at", ends_at.0);
        self.record(record);
    }
}
